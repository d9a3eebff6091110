/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from JSON.  The text is checked as a whole first; then the members of a
 * message are noted where they stand, because a section can only be read when those
 * are known that it depends on: the registry before the parameters, the results before
 * the rows.
 */
#include "mplane/codec_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SKIPPED_LINES_MAX 100 /* one text may hold ten thousand bad messages */

/* What was found in the object of a message; each points to a value. */
struct members {
	enum sn_mp_kind kind;
	const char *kind_value;
	const char *sections[SN_MP_SECTIONS];
};

static struct sn_mp_message *read_any(struct sn_mp_reader *reader, const char *value,
				      struct sn_err *err);

/* Envelopes -------------------------------------------------------------- */

/* A place among untrusted bytes must not break a log or a terminal. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void skip(struct sn_mp_reader *reader, struct sn_err *why)
{
	reader->skipped_count++;
	if (reader->skipped == NULL || reader->skipped_count > SKIPPED_LINES_MAX)
		return;
	make_printable(why->text);
	sn_buf_adds(reader->skipped, why->text);
	sn_buf_addc(reader->skipped, '\n');
}

static int read_content(struct sn_mp_reader *reader, struct sn_mp_message *envelope, size_t number,
			const char *value, struct sn_err *err)
{
	struct sn_err why = {0};
	struct sn_mp_message *content = NULL;

	if (++reader->contents > SN_MP_CONTENTS_MAX) {
		reader->exhausted = true;
		return sn_err_set(err, -E2BIG, "more than %d messages", SN_MP_CONTENTS_MAX);
	}
	content = read_any(reader, value, &why);
	if (content != NULL) {
		envelope->natives |= content->natives;
		sn_mp_add_content(envelope, content);
		return 0;
	}
	sn_err_wrap(&why, "contents %zu", number);
	if (reader->exhausted)
		return sn_err_set(err, why.code, "%s", why.text);
	skip(reader, &why);
	return 0;
}

int sn_mp_read_contents(struct sn_mp_reader *reader, struct sn_mp_message *message,
			enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *item;
	int rc = 0;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_ARRAY)
		return sn_mp_wrong_form(section, "a list of messages", err);
	if (reader->envelopes >= SN_MP_ENVELOPE_DEPTH)
		return sn_err_set(err, -E2BIG, "more than %d envelopes in each other",
				  SN_MP_ENVELOPE_DEPTH);
	reader->envelopes++;
	walk = sn_js_inside(value);
	for (size_t number = 1; rc == 0 && sn_js_next(&walk, NULL, &item); number++)
		rc = read_content(reader, message, number, item, err);
	reader->envelopes--;
	return rc;
}

/* Messages --------------------------------------------------------------- */

static bool find_section(struct sn_str name, size_t *index)
{
	for (*index = 0; *index < SN_MP_SECTIONS; ++*index)
		if (sn_str_eqc(name, sn_mp_section_key((enum sn_mp_section)(1 << *index))))
			return true;
	return false;
}

static bool find_kind(struct sn_str name, enum sn_mp_kind *kind)
{
	for (int i = 0; i < SN_MP_KINDS; i++) {
		*kind = (enum sn_mp_kind)i;
		if (sn_str_eqc(name, sn_mp_kind_name(*kind)))
			return true;
	}
	return false;
}

static int note_member(struct members *members, struct sn_str name, const char *value,
		       struct sn_err *err)
{
	enum sn_mp_kind kind;
	size_t index;

	if (find_section(name, &index)) {
		if (members->sections[index] != NULL)
			return sn_err_set(err, -EINVAL, "'%s' is there twice",
					  sn_mp_section_key((enum sn_mp_section)(1 << index)));
		members->sections[index] = value;
	} else if (find_kind(name, &kind)) {
		if (members->kind_value != NULL)
			return sn_err_set(err, -EINVAL, "both '%s' and '%s' (a message is one)",
					  sn_mp_kind_name(members->kind), sn_mp_kind_name(kind));
		members->kind_value = value;
		members->kind = kind;
	}
	return 0;
}

static int note_members(struct sn_mp_reader *reader, const char *object, struct members *members,
			struct sn_err *err)
{
	struct sn_js_walk walk = sn_js_inside(object);
	const char *key, *value;
	int rc = 0;

	*members = (struct members){0};
	while (rc == 0 && sn_js_next(&walk, &key, &value))
		rc = note_member(members, sn_mp_take_name(reader, key), value, err);
	if (rc == 0 && members->kind_value == NULL)
		return sn_err_set(err, -EINVAL,
				  "not a message (no member 'capability', 'specification', ...)");
	return rc;
}

/* The value of the kind's key: verb, kind of the contents, or token of an exception. */
static int read_kind_value(struct sn_mp_reader *reader, struct sn_mp_message *message,
			   const char *value, struct sn_err *err)
{
	char **text = message->kind == SN_MP_EXCEPTION ? &message->token : &message->verb;

	return sn_mp_take_text(reader, sn_mp_kind_name(message->kind), value, text, err);
}

/* Sections that a kind has not are passed over like unknown members; rows would be lost data. */
static bool is_read(const struct sn_mp_message *message, enum sn_mp_section section,
		    const char *value)
{
	const char *item;
	struct sn_js_walk walk;

	if (value == NULL || sn_mp_kind_info(message->kind)->may & section)
		return value != NULL;
	if (section != SN_MP_S_ROWS || sn_js_type(value) != SN_JS_ARRAY)
		return false;
	walk = sn_js_inside(value);
	return sn_js_next(&walk, NULL, &item);
}

static int read_sections(struct sn_mp_reader *reader, struct sn_mp_message *message,
			 const struct members *members, struct sn_err *err)
{
	int rc = read_kind_value(reader, message, members->kind_value, err);

	for (size_t i = 0; rc == 0 && i < SN_MP_SECTIONS; i++) {
		enum sn_mp_section section = (enum sn_mp_section)(1 << i);

		if (!is_read(message, section, members->sections[i]))
			continue;
		if (!(sn_mp_kind_info(message->kind)->may & section))
			return sn_err_set(err, -EINVAL, "a %s with '%s'",
					  sn_mp_kind_name(message->kind),
					  sn_mp_section_key(section));
		rc = sn_mp_read_section(reader, message, section, members->sections[i], err);
	}
	return rc;
}

static struct sn_mp_message *read_message(struct sn_mp_reader *reader, const char *object,
					  struct sn_err *err)
{
	struct sn_mp_message *message;
	struct members members;

	if (note_members(reader, object, &members, err) != 0)
		return NULL;
	message = sn_mp_message_create(members.kind, NULL);
	message->has_link = false;
	if (read_sections(reader, message, &members, err) == 0)
		return message;
	sn_mp_message_destroy(message);
	return NULL;
}

static struct sn_mp_message *read_array(struct sn_mp_reader *reader, const char *array,
					struct sn_err *err)
{
	struct sn_mp_message *envelope = sn_mp_message_create(SN_MP_ENVELOPE, NULL);

	envelope->bare = true;
	if (sn_mp_read_contents(reader, envelope, SN_MP_S_CONTENTS, array, err) == 0)
		return envelope;
	sn_mp_message_destroy(envelope);
	return NULL;
}

static struct sn_mp_message *read_any(struct sn_mp_reader *reader, const char *value,
				      struct sn_err *err)
{
	if (sn_js_type(value) == SN_JS_OBJECT)
		return read_message(reader, value, err);
	if (sn_js_type(value) == SN_JS_ARRAY)
		return read_array(reader, value, err);
	sn_err_set(err, -EINVAL, "not a message (neither an object nor a list)");
	return NULL;
}

/* Texts ------------------------------------------------------------------ */

static int begin(struct sn_str json, struct sn_err *err)
{
	int rc;

	if (json.n > SN_MP_BYTES_MAX)
		return sn_err_set(err, -E2BIG, "the message has %zu bytes, at most %d", json.n,
				  SN_MP_BYTES_MAX);
	rc = sn_js_check(json, SN_MP_DEPTH_MAX, err);
	if (rc == 0 && *sn_js_root(json) != '{' && *sn_js_root(json) != '[')
		rc = sn_err_set(err, -EINVAL, "not a message (neither an object nor a list)");
	return rc;
}

static void end(struct sn_mp_reader *reader, struct sn_err *err)
{
	if (reader->skipped != NULL && reader->skipped_count > SKIPPED_LINES_MAX)
		sn_buf_addf(reader->skipped, "and %zu more\n",
			    reader->skipped_count - SKIPPED_LINES_MAX);
	if (err != NULL)
		make_printable(err->text);
	sn_buf_finish(&reader->text);
	sn_buf_finish(&reader->scratch);
}

struct sn_mp_message *sn_mp_decode(const struct sn_mp_registries *registries, const void *json,
				   size_t size, int flags, struct sn_buf *skipped,
				   struct sn_err *err)
{
	struct sn_mp_reader reader = {.registries = registries, .flags = flags, .skipped = skipped};
	struct sn_mp_message *message = NULL;
	struct sn_str text = {json, size};

	if (begin(text, err) == 0)
		message = read_any(&reader, sn_js_root(text), err);
	end(&reader, message == NULL ? err : NULL);
	return message;
}

static int read_named(struct sn_mp_reader *reader, const char *key, const char *value,
		      sn_mp_named_fn *fn, void *ctx, struct sn_err *err)
{
	struct sn_mp_message *message;
	struct sn_err why = {0};
	char *name = NULL;
	int rc = sn_mp_take_text(reader, "the name of a peer", key, &name, err);

	if (rc != 0)
		return rc;
	message = read_any(reader, value, &why);
	if (message != NULL) {
		fn(name, message, ctx);
	} else if (reader->exhausted) {
		rc = sn_err_set(err, why.code, "%s", why.text);
	} else {
		sn_err_wrap(&why, "'%.*s'", sn_mp_shown(sn_str(name)), name);
		skip(reader, &why);
	}
	free(name);
	return rc;
}

int sn_mp_decode_named(const struct sn_mp_registries *registries, const void *json, size_t size,
		       int flags, sn_mp_named_fn *fn, void *ctx, struct sn_buf *skipped,
		       struct sn_err *err)
{
	struct sn_mp_reader reader = {.registries = registries, .flags = flags, .skipped = skipped};
	struct sn_str text = {json, size};
	const char *key, *value;
	struct sn_js_walk walk;
	int rc = begin(text, err);

	if (rc == 0 && *sn_js_root(text) != '{')
		rc = sn_err_set(err, -EINVAL, "not an object of peers and their messages");
	if (rc == 0)
		walk = sn_js_inside(sn_js_root(text));
	while (rc == 0 && sn_js_next(&walk, &key, &value))
		rc = read_named(&reader, key, value, fn, ctx, err);
	end(&reader, rc != 0 ? err : NULL);
	return rc;
}
