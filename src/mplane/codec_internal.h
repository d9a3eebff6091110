/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_internal: what reading messages and reading their sections share.
 */
#ifndef SONDE_MPLANE_CODEC_INTERNAL_H
#define SONDE_MPLANE_CODEC_INTERNAL_H

#include "mplane/codec.h"
#include "mplane/json_scan.h"
#include "mplane/message_internal.h"

struct sn_mp_reader {
	const struct sn_mp_registries *registries;
	int flags;
	struct sn_buf *skipped;
	size_t skipped_count;
	size_t contents, cells; /* of the whole text so far */
	unsigned envelopes;     /* that we are inside of */
	bool exhausted;         /* a limit of the whole text: nothing can be left out any more */
	struct sn_buf text, scratch;
};

/* `value` points to a section's value in a checked text (json_scan.h). */
int sn_mp_read_section(struct sn_mp_reader *reader, struct sn_mp_message *message,
		       enum sn_mp_section section, const char *value, struct sn_err *err);
int sn_mp_read_contents(struct sn_mp_reader *reader, struct sn_mp_message *message,
			enum sn_mp_section section, const char *value, struct sn_err *err);

/* A text that names something: no control characters.  An empty one takes no other's place. */
int sn_mp_take_text(struct sn_mp_reader *reader, const char *key, const char *value, char **copy,
		    struct sn_err *err);
/* The name of a member; in `scratch`, because `text` is for its value. */
struct sn_str sn_mp_take_name(struct sn_mp_reader *reader, const char *key);
int sn_mp_wrong_form(enum sn_mp_section section, const char *form, struct sn_err *err);

#endif
