/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from JSON.  The text is checked as a whole first; then the members of a
 * message are noted where they stand, because a section can only be read when those
 * are known that it depends on: the registry before the parameters, the results before
 * the rows.
 */
#include "mplane/codec.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mplane/json_scan.h"
#include "mplane/message_internal.h"

#define SKIPPED_LINES_MAX 100 /* one text may hold ten thousand bad messages */

struct reader {
	const struct sn_mp_registries *registries;
	int flags;
	struct sn_buf *skipped;
	size_t skipped_count;
	size_t contents, cells; /* of the whole text so far */
	unsigned envelopes;     /* that we are inside of */
	bool exhausted;         /* a limit of the whole text: nothing can be left out any more */
	struct sn_buf text, scratch;
};

/* What was found in the object of a message; each points to a value. */
struct members {
	enum sn_mp_kind kind;
	const char *kind_value;
	const char *sections[SN_MP_SECTIONS];
};

static struct sn_mp_message *read_any(struct reader *reader, const char *value, struct sn_err *err);

/* Scalars ---------------------------------------------------------------- */

/* A place among untrusted bytes must not break a log or a terminal. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/* p == NULL for null.  JSON's own numbers and booleans tell that the peer understands them. */
static int take_scalar(struct reader *reader, struct sn_mp_message *message, const char *value,
		       struct sn_str *text, struct sn_err *err)
{
	enum sn_js_type type = sn_js_type(value);

	*text = (struct sn_str){NULL, 0};
	message->natives |= type == SN_JS_NUMBER || type == SN_JS_BOOLEAN;
	if (type == SN_JS_STRING)
		*text = sn_js_string(value, &reader->text);
	else if (type == SN_JS_NUMBER)
		*text = sn_js_word(value);
	else if (type == SN_JS_BOOLEAN)
		*text = *value == 't' ? SN_STR("True") : SN_STR("False");
	else if (type != SN_JS_NULL)
		return sn_err_set(err, -EINVAL, "a list or an object (write a set like \"a,b,c\")");
	return 0;
}

static bool has_control(struct sn_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return true;
	return false;
}

/* A short text that names something: no control characters.  An empty one takes no other's place.
 */
static int take_text(struct reader *reader, const char *key, const char *value, char **copy,
		     struct sn_err *err)
{
	struct sn_str text;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_STRING)
		return sn_err_set(err, -EINVAL, "'%s' is not a text", key);
	text = sn_js_string(value, &reader->text);
	if (text.n > SN_MP_TEXT_MAX)
		return sn_err_set(err, -E2BIG, "'%s' is longer than %d bytes", key, SN_MP_TEXT_MAX);
	if (has_control(text))
		return sn_err_set(err, -EINVAL, "'%s' has a control character", key);
	if (*copy != NULL && text.n == 0)
		return 0;
	free(*copy);
	*copy = sn_xstrndup(text.p, text.n);
	return 0;
}

static int wrong_form(enum sn_mp_section section, const char *form, struct sn_err *err)
{
	return sn_err_set(err, -EINVAL, "'%s' is not %s", sn_mp_section_key(section), form);
}

/* Sections --------------------------------------------------------------- */

typedef int read_section_fn(struct reader *reader, struct sn_mp_message *message,
			    enum sn_mp_section section, const char *value, struct sn_err *err);

static int read_version(struct reader *reader, struct sn_mp_message *message,
			enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_str text = {"1", 1};
	uint64_t version;

	if (sn_js_type(value) == SN_JS_NUMBER)
		text = sn_js_word(value);
	else if (sn_js_type(value) == SN_JS_STRING)
		text = sn_js_string(value, &reader->text);
	else if (sn_js_type(value) != SN_JS_NULL)
		return wrong_form(section, "a number", err);
	if (sn_parse_u64(text, 0, UINT32_MAX, &version) != 0)
		return wrong_form(section, "a number of a version", err);
	if (version > 1)
		return sn_err_set(err, -EINVAL, "version %u of the protocol (this is version 1)",
				  (unsigned)version);
	message->version = (unsigned)version;
	return 0;
}

static int read_text(struct reader *reader, struct sn_mp_message *message,
		     enum sn_mp_section section, const char *value, struct sn_err *err)
{
	if (section == SN_MP_S_LINK)
		message->has_link = sn_js_type(value) == SN_JS_STRING;
	return take_text(reader, sn_mp_section_key(section), value,
			 sn_mp_section_text(message, section), err);
}

/* For people, so it may have lines. */
static int read_explanation(struct reader *reader, struct sn_mp_message *message,
			    enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_str text;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_STRING)
		return wrong_form(section, "a text", err);
	text = sn_js_string(value, &reader->text);
	if (text.n > SN_MP_VALUE_MAX)
		return sn_err_set(err, -E2BIG, "'%s' is longer than %d bytes",
				  sn_mp_section_key(section), SN_MP_VALUE_MAX);
	message->text = sn_xstrndup(text.p, text.n);
	return 0;
}

static int read_when(struct reader *reader, struct sn_mp_message *message,
		     enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_str text;
	int rc;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_STRING)
		return wrong_form(section, "a text", err);
	text = sn_str_trim(sn_js_string(value, &reader->text));
	if (text.n == 0)
		return 0;
	if (text.n > SN_MP_WHEN_TEXT_MAX)
		return sn_err_set(err, -E2BIG, "'when' is longer than %d bytes",
				  SN_MP_WHEN_TEXT_MAX);
	rc = sn_mp_when_parse(text, &message->when, err);
	if (rc != 0)
		sn_err_wrap(err, "'when'");
	else
		message->when.set = true;
	return rc;
}

static int check_known(const struct reader *reader, const char *what, bool known,
		       struct sn_str name, struct sn_err *err)
{
	if (known || !(reader->flags & SN_MP_READ_STRICT))
		return 0;
	return sn_err_set(err, -EINVAL, "%s '%.*s' is in no registry", what, sn_mp_shown(name),
			  name.p);
}

static bool knows(const struct reader *reader, const struct sn_mp_message *message,
		  const char *name)
{
	return reader->registries != NULL &&
	       sn_mp_element_find(reader->registries, message->registry, name) != NULL;
}

/* The name of a member; in `scratch`, because `text` is for its value. */
static struct sn_str take_name(struct reader *reader, const char *key)
{
	return sn_js_string(key, &reader->scratch);
}

static int read_param(struct reader *reader, struct sn_mp_message *message, const char *key,
		      const char *value, struct sn_err *err)
{
	struct sn_str name = take_name(reader, key), text;
	int rc = take_scalar(reader, message, value, &text, err);

	if (rc != 0) {
		sn_err_wrap(err, "parameter '%.*s'", sn_mp_shown(name), name.p);
		return rc;
	}
	return sn_mp_append_param(message, reader->registries, name, text, err);
}

static int read_params(struct reader *reader, struct sn_mp_message *message,
		       enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *key, *item;
	int rc = 0;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_OBJECT)
		return wrong_form(section, "an object", err);
	walk = sn_js_inside(value);
	while (rc == 0 && sn_js_next(&walk, &key, &item))
		rc = read_param(reader, message, key, item, err);
	for (size_t i = 0; rc == 0 && i < message->param_count; i++)
		rc = check_known(reader, "parameter", message->params[i].element != NULL,
				 sn_str(message->params[i].name), err);
	return rc;
}

static int read_meta(struct reader *reader, struct sn_mp_message *message, const char *key,
		     const char *value, struct sn_err *err)
{
	struct sn_str name = take_name(reader, key), text;
	int rc = take_scalar(reader, message, value, &text, err);

	if (rc != 0) {
		sn_err_wrap(err, "metadata '%.*s'", sn_mp_shown(name), name.p);
		return rc;
	}
	return sn_mp_append_meta(message, name, text.p != NULL ? text : SN_STR("*"), err);
}

static int read_metadata(struct reader *reader, struct sn_mp_message *message,
			 enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *key, *item;
	int rc = 0;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_OBJECT)
		return wrong_form(section, "an object", err);
	walk = sn_js_inside(value);
	while (rc == 0 && sn_js_next(&walk, &key, &item))
		rc = read_meta(reader, message, key, item, err);
	for (size_t i = 0; rc == 0 && i < message->meta_count; i++)
		rc = check_known(reader, "metadata",
				 knows(reader, message, message->metadata[i].name),
				 sn_str(message->metadata[i].name), err);
	return rc;
}

static int read_columns(struct reader *reader, struct sn_mp_message *message,
			enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *item;
	int rc = 0;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_ARRAY)
		return wrong_form(section, "a list", err);
	walk = sn_js_inside(value);
	while (rc == 0 && sn_js_next(&walk, NULL, &item)) {
		if (sn_js_type(item) != SN_JS_STRING)
			return wrong_form(section, "a list of names", err);
		rc = sn_mp_append_column(message, reader->registries,
					 sn_js_string(item, &reader->text), err);
	}
	for (size_t i = 0; rc == 0 && i < message->column_count; i++)
		rc = check_known(reader, "result", message->columns[i].element != NULL,
				 sn_str(message->columns[i].name), err);
	return rc == 0 ? sn_mp_columns_unique(message, err) : rc;
}

static int read_cell(struct reader *reader, struct sn_mp_message *message, size_t column,
		     const char *value, struct sn_err *err)
{
	struct sn_str text;
	int rc;

	if (column >= message->column_count)
		return sn_err_set(err, -EINVAL, "row %zu: more values than results",
				  message->row_count);
	rc = take_scalar(reader, message, value, &text, err);
	if (rc != 0) {
		sn_err_wrap(err, "row %zu: result '%s'", message->row_count,
			    message->columns[column].name);
		return rc;
	}
	return text.p == NULL ? 0 : sn_mp_cell_set(message, column, text, &reader->scratch, err);
}

static int read_row(struct reader *reader, struct sn_mp_message *message, const char *value,
		    struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *item;
	int rc;

	if (sn_js_type(value) != SN_JS_ARRAY)
		return wrong_form(SN_MP_S_ROWS, "a list of rows", err);
	walk = sn_js_inside(value);
	if (message->column_count == 0 && !sn_js_next(&walk, NULL, &item))
		return 0;
	reader->cells += message->column_count;
	reader->exhausted = reader->cells > SN_MP_CELLS_MAX;
	if (reader->exhausted)
		return sn_err_set(err, -E2BIG, "more than %d values in rows", SN_MP_CELLS_MAX);
	rc = sn_mp_append_row(message, err);
	walk = sn_js_inside(value);
	for (size_t i = 0; rc == 0 && sn_js_next(&walk, NULL, &item); i++)
		rc = read_cell(reader, message, i, item, err);
	return rc;
}

static int read_rows(struct reader *reader, struct sn_mp_message *message,
		     enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *item;
	int rc = 0;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_ARRAY)
		return wrong_form(section, "a list of rows", err);
	walk = sn_js_inside(value);
	while (rc == 0 && sn_js_next(&walk, NULL, &item))
		rc = read_row(reader, message, item, err);
	return rc;
}

/* Envelopes -------------------------------------------------------------- */

static void skip(struct reader *reader, struct sn_err *why)
{
	reader->skipped_count++;
	if (reader->skipped == NULL || reader->skipped_count > SKIPPED_LINES_MAX)
		return;
	make_printable(why->text);
	sn_buf_adds(reader->skipped, why->text);
	sn_buf_addc(reader->skipped, '\n');
}

static int read_content(struct reader *reader, struct sn_mp_message *envelope, size_t number,
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

static int read_contents(struct reader *reader, struct sn_mp_message *message,
			 enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *item;
	int rc = 0;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_ARRAY)
		return wrong_form(section, "a list of messages", err);
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

static read_section_fn *const readers[SN_MP_SECTIONS] = {
	read_version, read_text,     read_text,        read_when,     read_text,
	read_text,    read_text,     read_params,      read_metadata, read_columns,
	read_rows,    read_contents, read_explanation,
};

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

static int note_members(struct reader *reader, const char *object, struct members *members,
			struct sn_err *err)
{
	struct sn_js_walk walk = sn_js_inside(object);
	const char *key, *value;
	int rc = 0;

	*members = (struct members){0};
	while (rc == 0 && sn_js_next(&walk, &key, &value))
		rc = note_member(members, take_name(reader, key), value, err);
	if (rc == 0 && members->kind_value == NULL)
		return sn_err_set(err, -EINVAL,
				  "not a message (no member 'capability', 'specification', ...)");
	return rc;
}

/* The value of the kind's key: verb, kind of the contents, or token of an exception. */
static int read_kind_value(struct reader *reader, struct sn_mp_message *message, const char *value,
			   struct sn_err *err)
{
	char **text = message->kind == SN_MP_EXCEPTION ? &message->token : &message->verb;

	return take_text(reader, sn_mp_kind_name(message->kind), value, text, err);
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

static int read_sections(struct reader *reader, struct sn_mp_message *message,
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
		rc = readers[i](reader, message, section, members->sections[i], err);
	}
	return rc;
}

static struct sn_mp_message *read_message(struct reader *reader, const char *object,
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

static struct sn_mp_message *read_array(struct reader *reader, const char *array,
					struct sn_err *err)
{
	struct sn_mp_message *envelope = sn_mp_message_create(SN_MP_ENVELOPE, NULL);

	envelope->bare = true;
	if (read_contents(reader, envelope, SN_MP_S_CONTENTS, array, err) == 0)
		return envelope;
	sn_mp_message_destroy(envelope);
	return NULL;
}

static struct sn_mp_message *read_any(struct reader *reader, const char *value, struct sn_err *err)
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

static void end(struct reader *reader, struct sn_err *err)
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
	struct reader reader = {.registries = registries, .flags = flags, .skipped = skipped};
	struct sn_mp_message *message = NULL;
	struct sn_str text = {json, size};

	if (begin(text, err) == 0)
		message = read_any(&reader, sn_js_root(text), err);
	end(&reader, message == NULL ? err : NULL);
	return message;
}

static int read_named(struct reader *reader, const char *key, const char *value, sn_mp_named_fn *fn,
		      void *ctx, struct sn_err *err)
{
	struct sn_mp_message *message;
	struct sn_err why = {0};
	char *name = NULL;
	int rc = take_text(reader, "the name of a peer", key, &name, err);

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
	struct reader reader = {.registries = registries, .flags = flags, .skipped = skipped};
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
