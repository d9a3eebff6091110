/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_internal: which sections the kinds of messages have, as a table that building,
 * checking, reading and writing share.  For the message and codec files only.
 *
 * Source: mPlane protocol specification, sections on message types and message sections;
 * what existing peers leave out is not demanded here.
 */
#ifndef SONDE_MPLANE_MESSAGE_INTERNAL_H
#define SONDE_MPLANE_MESSAGE_INTERNAL_H

#include "mplane/message.h"

enum sn_mp_section { /* or-ed */
		     SN_MP_S_VERSION = 1 << 0,
		     SN_MP_S_REGISTRY = 1 << 1,
		     SN_MP_S_LABEL = 1 << 2,
		     SN_MP_S_WHEN = 1 << 3,
		     SN_MP_S_TOKEN = 1 << 4,
		     SN_MP_S_LINK = 1 << 5,
		     SN_MP_S_EXPORT = 1 << 6,
		     SN_MP_S_PARAMS = 1 << 7,
		     SN_MP_S_METADATA = 1 << 8,
		     SN_MP_S_COLUMNS = 1 << 9,
		     SN_MP_S_ROWS = 1 << 10,
		     SN_MP_S_CONTENTS = 1 << 11,
		     SN_MP_S_TEXT = 1 << 12,
};
#define SN_MP_SECTIONS 13

struct sn_mp_kind_info {
	const char *name;
	unsigned may;     /* sections that it can have */
	unsigned must;    /* each of them */
	unsigned some;    /* at least one of them, if any is named */
	bool constraints; /* its parameters have constraints; otherwise values */
	const char *verb; /* the one it has by default; NULL: none at all */
};
const struct sn_mp_kind_info *sn_mp_kind_info(enum sn_mp_kind kind);

const char *sn_mp_section_key(enum sn_mp_section section); /* "resultvalues" */
/* The text of a section that is one; NULL for all others. */
char **sn_mp_section_text(struct sn_mp_message *message, enum sn_mp_section section);
bool sn_mp_has_section(const struct sn_mp_message *message, enum sn_mp_section section);

/* Bytes of a name from outside that get into a message for people. */
int sn_mp_shown(struct sn_str name);
/* Of a name "uri#name" the part behind '#'. */
struct sn_str sn_mp_name_local(struct sn_str name);

/*
 * What the adders do, for texts that carry their length; `text` with p == NULL is no value.
 * Columns are only appended: sn_mp_columns_unique() once behind all of them.
 */
int sn_mp_append_param(struct sn_mp_message *message, const struct sn_mp_registries *registries,
		       struct sn_str name, struct sn_str text, struct sn_err *err);
int sn_mp_append_meta(struct sn_mp_message *message, struct sn_str name, struct sn_str value,
		      struct sn_err *err);
int sn_mp_append_column(struct sn_mp_message *message, const struct sn_mp_registries *registries,
			struct sn_str name, struct sn_err *err);
int sn_mp_columns_unique(const struct sn_mp_message *message, struct sn_err *err);

/* A row without values; -E2BIG. */
int sn_mp_append_row(struct sn_mp_message *message, struct sn_err *err);
/* Makes `text` canonical and puts it into a cell of the last row; `scratch` is overwritten. */
int sn_mp_cell_set(struct sn_mp_message *message, size_t column, struct sn_str text,
		   struct sn_buf *scratch, struct sn_err *err);

/* Items that there is room for in a list of `count`; a list that is full is grown to this of one
 * more. */
size_t sn_mp_room(size_t count);

#endif
