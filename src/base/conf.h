/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf: one table per program says what can be configured.
 *
 * From the table come the YAML reader (libyaml's events underneath; unknown keys,
 * a key given twice, wrong types and values out of range are refused with file,
 * line, key, reason and what is allowed), `--check-config`, the
 * print-back, the command-line override `--set key=value` and the man page's
 * section.  A file is read into a complete new structure, validated, and only
 * then used: a broken file never half-applies.
 */
#ifndef SONDE_BASE_CONF_H
#define SONDE_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum sn_conf_type {
	SN_CONF_TEXT,     /* char *, owned by the structure */
	SN_CONF_BOOL,     /* bool */
	SN_CONF_U64,      /* uint64_t, min and max apply */
	SN_CONF_DOUBLE,   /* double */
	SN_CONF_DURATION, /* int64_t nanoseconds; min and max in nanoseconds */
	SN_CONF_SIZE,     /* uint64_t bytes */
	SN_CONF_RATE,     /* uint64_t bits per second */
	SN_CONF_TEXTS,    /* struct sn_conf_texts */
};

#define SN_CONF_FILE_MAX  (1024 * 1024)
#define SN_CONF_TEXTS_MAX 1000

/* In YAML a list, or one text for a list of one; in sn_conf_set() parts between commas. */
struct sn_conf_texts {
	char **items;
	unsigned count;
};

struct sn_conf_key {
	const char *name; /* snake_case, unit not in the name: values carry theirs */
	enum sn_conf_type type;
	size_t offset; /* of the member in the program's structure */
	/* As one would write it, a list with commas; NULL: a file must give it unless optional. */
	const char *default_text;
	uint64_t min, max; /* both 0: no further limit */
	const char *help;  /* one sentence */
	bool optional;
};

struct sn_conf_schema {
	const char *program;
	const struct sn_conf_key *keys;
	size_t key_count;
	size_t struct_size;
};

/* Defaults into a zeroed structure. */
int sn_conf_defaults(const struct sn_conf_schema *schema, void *conf, struct sn_err *err);
/* Defaults, then the file. On failure `conf` is left zeroed. */
int sn_conf_load(const struct sn_conf_schema *schema, const char *path, void *conf,
		 struct sn_err *err);
int sn_conf_load_text(const struct sn_conf_schema *schema, const char *name, struct sn_str yaml,
		      void *conf, struct sn_err *err);
int sn_conf_set(const struct sn_conf_schema *schema, void *conf, const char *key,
		struct sn_str text, struct sn_err *err);
/* As YAML that loads to the same values; a text that is not there is left out. */
void sn_conf_print(const struct sn_conf_schema *schema, const void *conf, struct sn_buf *out);
void sn_conf_release(const struct sn_conf_schema *schema, void *conf);

#endif
