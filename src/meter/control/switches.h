/* SPDX-License-Identifier: Apache-2.0 */
/*
 * switches: the table of everything that can be switched in a running meter, by
 * name: one list for runtime.conf, the control socket and the manual.
 */
#ifndef SONDE_METER_CONTROL_SWITCHES_H
#define SONDE_METER_CONTROL_SWITCHES_H

#include <stddef.h>

#include "meter/control/settings.h"

enum sn_switch_kind {
	SN_SWITCH_BOOL,  /* a bool at `offset` */
	SN_SWITCH_BIT,   /* the bit `argument` of a uint8_t at `offset` */
	SN_SWITCH_LEVEL, /* a uint8_t at `offset`, 0 to `argument` */
	SN_SWITCH_TEXT,  /* characters at `offset`, `argument` with the end */
};

struct sn_switch {
	const char *name;
	const char *section; /* of runtime.conf; NULL: not in it */
	enum sn_switch_kind kind;
	size_t offset; /* in struct sn_settings_values */
	unsigned argument;
	const char *help;
};

extern const struct sn_switch sn_switches[];
extern const size_t sn_switch_count;

/* NULL and a suggestion in `err` if there is none of that name. */
const struct sn_switch *sn_switch_find(struct sn_str name, struct sn_err *err);
/* Booleans and bits: 0 or 1. */
unsigned sn_switch_number(const struct sn_switch *sw, const struct sn_settings_values *values);
void sn_switch_set_number(const struct sn_switch *sw, struct sn_settings_values *values,
			  unsigned number);
/* A number from `0` to what the switch takes; -EINVAL. */
int sn_switch_check_number(const struct sn_switch *sw, int64_t number, struct sn_err *err);
char *sn_switch_text(const struct sn_switch *sw, struct sn_settings_values *values);
int sn_switch_check_text(const struct sn_switch *sw, struct sn_str text, struct sn_err *err);

#endif
