/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_reader: a policy's YAML, by the events of libyaml: mappings whose keys are rows of a
 * table, texts and lists of texts in them, no aliases.  What has another shape is refused with
 * its line; what the keys mean is policy_parse.c's.
 */
#ifndef SONDE_MPLANE_POLICY_READER_H
#define SONDE_MPLANE_POLICY_READER_H

#include <yaml.h>

#include "mplane/policy_internal.h"

struct sn_policy_reader {
	struct sn_err *err;
	yaml_parser_t parser;
	yaml_event_t event;
	unsigned line; /* where the event stands, from 1 */
	/* Of the keys' functions: what they make, and where they are in it. */
	struct sn_policy *policy;
	size_t identities; /* of all roles together */
	struct sn_policy_rule *rule;
	size_t role;
};

struct sn_policy_key {
	const char *name;
	int (*read)(struct sn_policy_reader *reader); /* the event is its name */
};

/* Takes one text of a list. */
typedef int sn_policy_item_fn(struct sn_policy_reader *reader, struct sn_str text);

/* `yaml` must outlive it; `err` is set by the caller, and everything below returns its code. */
void sn_policy_reader_init(struct sn_policy_reader *reader, struct sn_str yaml);
void sn_policy_reader_finish(struct sn_policy_reader *reader);

/* The one mapping that the text is; nothing is fine, too. */
int sn_policy_read_document(struct sn_policy_reader *reader, const struct sn_policy_key *keys,
			    size_t count);
/* The mapping that begins with the event. */
int sn_policy_read_mapping(struct sn_policy_reader *reader, const struct sn_policy_key *keys,
			   size_t count);
/* The value of a key: one text, or a list of texts, each trimmed, of good size and printable. */
int sn_policy_read_texts(struct sn_policy_reader *reader, const char *key, sn_policy_item_fn *take);
int sn_policy_read_text(struct sn_policy_reader *reader, const char *key, struct sn_str *text);
int sn_policy_next(struct sn_policy_reader *reader);
/* Trimmed; empty for what is no scalar. */
struct sn_str sn_policy_scalar(const struct sn_policy_reader *reader);

/* Puts the line before the reason that is in reader->err. */
int sn_policy_at_line(struct sn_policy_reader *reader);
/* "line 3: unknown role 'x' (did you mean 'y'?)" */
int sn_policy_unknown(struct sn_policy_reader *reader, const char *what, struct sn_str text,
		      const char *const *names, size_t count);
/* "line 3: 'x' is empty" */
int sn_policy_no_good(struct sn_policy_reader *reader, struct sn_str text, const char *reason);

#endif
