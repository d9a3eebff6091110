/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message: what mPlane peers say to each other (mPlane protocol, version 1).
 *
 * One structure serves all kinds; which sections a kind may and must have is a
 * table (sn_mp_kind_info()), checked by sn_mp_message_check().  All texts are owned
 * by the message; values are canonical (mplane/value.h); NULL or "" in a text
 * section means that it is absent, except `link`, which may be present and empty.
 */
#ifndef SONDE_MPLANE_MESSAGE_H
#define SONDE_MPLANE_MESSAGE_H

#include "mplane/constraint.h"
#include "mplane/registry.h"
#include "mplane/when.h"

enum sn_mp_kind {
	SN_MP_CAPABILITY,
	SN_MP_WITHDRAWAL,
	SN_MP_SPECIFICATION,
	SN_MP_INTERRUPT,
	SN_MP_RESULT,
	SN_MP_RECEIPT,
	SN_MP_REDEMPTION,
	SN_MP_INDIRECTION,
	SN_MP_NOTIFICATION, /* sections of a result; sent unasked */
	SN_MP_EXCEPTION,
	SN_MP_ENVELOPE,
	SN_MP_KINDS,
};

#define SN_MP_VERB_MEASURE  "measure"
#define SN_MP_VERB_QUERY    "query"
#define SN_MP_VERB_COLLECT  "collect"
#define SN_MP_VERB_CALLBACK "callback" /* label of the callback capability, too */

/* Limits; beyond them a message is refused. */
#define SN_MP_BYTES_MAX      (16 * 1024 * 1024) /* of one JSON text */
#define SN_MP_DEPTH_MAX      16                 /* of JSON */
#define SN_MP_ENVELOPE_DEPTH 4
#define SN_MP_CONTENTS_MAX   10000 /* messages of one envelope, nested ones counted */
#define SN_MP_PARAMS_MAX     256
#define SN_MP_METADATA_MAX   256
#define SN_MP_COLUMNS_MAX    512
#define SN_MP_ROWS_MAX       100000
#define SN_MP_CELLS_MAX      1000000 /* of one message; and of one JSON text together */
#define SN_MP_TEXT_MAX       4096    /* label, token, verb, link, export, registry */

struct sn_mp_param {
	const struct sn_mp_element *element; /* NULL: in no registry; `prim` is then string */
	char *name;
	enum sn_mp_prim prim;
	struct sn_mp_constraint constraint; /* of capability and withdrawal */
	char *value;                        /* of all others; NULL: none ("*") */
	bool optional; /* of a capability of ours: takes "*", too; not in JSON */
};

struct sn_mp_meta {
	char *name, *value;
};

struct sn_mp_column {
	const struct sn_mp_element *element; /* may be NULL */
	char *name;
	enum sn_mp_prim prim;
};

struct sn_mp_message {
	enum sn_mp_kind kind;
	char *verb; /* of an envelope: kind of the contents, or "message" */
	unsigned version;
	char *registry, *label, *token, *link, *export_url;
	bool has_link;
	char *text; /* "message" of an exception */
	struct sn_mp_when when;
	struct sn_mp_param *params; /* sorted by name */
	size_t param_count;
	struct sn_mp_meta *metadata; /* sorted by name */
	size_t meta_count;
	struct sn_mp_column *columns; /* in the order of "results" */
	size_t column_count;
	char **cells; /* rows * column_count, row by row; NULL: no value */
	size_t row_count;
	struct sn_mp_message **contents; /* of an envelope */
	size_t content_count;
	bool natives; /* came with JSON numbers or booleans: the peer understands them */
	bool bare;    /* an envelope that came as a bare JSON array */
};

const char *sn_mp_kind_name(enum sn_mp_kind kind); /* "capability", ... */
int sn_mp_kind_find(const char *name, enum sn_mp_kind *kind);

/* `verb` NULL: measure.  A capability and a specification have an empty link to begin with, because
 * peers trip over a missing one. */
struct sn_mp_message *sn_mp_message_create(enum sn_mp_kind kind, const char *verb);
void sn_mp_message_destroy(struct sn_mp_message *message); /* NULL is fine */
void sn_mp_message_cleanup(struct sn_mp_message **message);
#define sn_automp __attribute__((cleanup(sn_mp_message_cleanup)))
struct sn_mp_message *sn_mp_message_copy(const struct sn_mp_message *message);
/* Of the same sections in another kind: the receipt of a specification, the withdrawal of a
 * capability, the specification of a capability (single values filled in; scope, token, link and
 * export are for the caller to set, the label is the capability's), ... */
struct sn_mp_message *sn_mp_message_as(const struct sn_mp_message *message, enum sn_mp_kind kind);
bool sn_mp_message_equal(const struct sn_mp_message *a, const struct sn_mp_message *b);

/* Building; texts are copied.  0 or -EINVAL with the reason (bad value, taken name, a limit). */
void sn_mp_set_text(char **section, const char *text); /* e.g. &message->label; NULL clears */
int sn_mp_add_param(struct sn_mp_message *message, const struct sn_mp_registries *registries,
		    const char *name, const char *constraint_or_value, struct sn_err *err);
int sn_mp_set_value(struct sn_mp_message *message, const char *name, const char *value,
		    struct sn_err *err); /* of a parameter that is there; -ENOENT */
int sn_mp_add_meta(struct sn_mp_message *message, const char *name, const char *value,
		   struct sn_err *err); /* takes the place of one of that name */
int sn_mp_add_column(struct sn_mp_message *message, const struct sn_mp_registries *registries,
		     const char *name, struct sn_err *err);
/* `values`: column_count texts, NULL for none; each is made canonical. */
int sn_mp_add_row(struct sn_mp_message *message, const char *const *values, struct sn_err *err);
void sn_mp_add_content(struct sn_mp_message *envelope, struct sn_mp_message *content); /* taken */
struct sn_mp_message *sn_mp_exception(const char *token, const char *format, ...) SN_PRINTF(2, 3);

const struct sn_mp_param *sn_mp_param(const struct sn_mp_message *message, const char *name);
const char *sn_mp_value(const struct sn_mp_message *message, const char *name); /* or NULL */
const char *sn_mp_meta(const struct sn_mp_message *message, const char *name);
int sn_mp_column(const struct sn_mp_message *message, const char *name); /* or -1 */
const char *sn_mp_cell(const struct sn_mp_message *message, size_t row, size_t column);
bool sn_mp_is_callback(const struct sn_mp_message *message); /* by verb or by label */

/* Has it the sections that its kind must have, and no other?  -EINVAL names the section. */
int sn_mp_message_check(const struct sn_mp_message *message, struct sn_err *err);

/* "<label of the capability>-<n>": the label of a specification; and back: its length without. */
size_t sn_mp_label_base(const char *specification_label);

#endif
