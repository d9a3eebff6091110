/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ini: files of "[section]" and "name = value" lines with "#" comments, as Tstat's
 * runtime.conf and globals.conf are.
 */
#ifndef SONDE_METER_CONTROL_INI_H
#define SONDE_METER_CONTROL_INI_H

#include "base/err.h"
#include "base/str.h"

#define SN_INI_LINE_MAX 1024
#define SN_INI_SIZE_MAX (256 * 1024)

/* Returns 0 to go on or fills `err` in and returns a negative errno, which ends the reading. */
typedef int sn_ini_fn(struct sn_str section, struct sn_str key, struct sn_str value, void *ctx,
		      struct sn_err *err);
/* Errors name the file and the line. */
int sn_ini_parse(struct sn_str text, const char *name, sn_ini_fn *fn, void *ctx,
		 struct sn_err *err);

/*
 * Index of `name` in the table whose rows of `size` bytes begin with a const char *; -EINVAL with a
 * suggestion.
 */
int sn_ini_find(struct sn_str name, const void *table, size_t count, size_t size,
		struct sn_err *err);

#endif
