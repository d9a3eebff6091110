/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mplane/codec_internal.h"

/* Scalars ---------------------------------------------------------------- */

/* p == NULL for null.  JSON's own numbers and booleans tell that the peer understands them. */
static int take_scalar(struct sn_mp_reader *reader, struct sn_mp_message *message,
		       const char *value, struct sn_str *text, struct sn_err *err)
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

int sn_mp_take_text(struct sn_mp_reader *reader, const char *key, const char *value, char **copy,
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

int sn_mp_wrong_form(enum sn_mp_section section, const char *form, struct sn_err *err)
{
	return sn_err_set(err, -EINVAL, "'%s' is not %s", sn_mp_section_key(section), form);
}

/* Sections --------------------------------------------------------------- */

typedef int read_section_fn(struct sn_mp_reader *reader, struct sn_mp_message *message,
			    enum sn_mp_section section, const char *value, struct sn_err *err);

static int read_version(struct sn_mp_reader *reader, struct sn_mp_message *message,
			enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_str text = {"1", 1};
	uint64_t version;

	if (sn_js_type(value) == SN_JS_NUMBER)
		text = sn_js_word(value);
	else if (sn_js_type(value) == SN_JS_STRING)
		text = sn_js_string(value, &reader->text);
	else if (sn_js_type(value) != SN_JS_NULL)
		return sn_mp_wrong_form(section, "a number", err);
	if (sn_parse_u64(text, 0, UINT32_MAX, &version) != 0)
		return sn_mp_wrong_form(section, "a number of a version", err);
	if (version > 1)
		return sn_err_set(err, -EINVAL, "version %u of the protocol (this is version 1)",
				  (unsigned)version);
	message->version = (unsigned)version;
	return 0;
}

static int read_text(struct sn_mp_reader *reader, struct sn_mp_message *message,
		     enum sn_mp_section section, const char *value, struct sn_err *err)
{
	if (section == SN_MP_S_LINK)
		message->has_link = sn_js_type(value) == SN_JS_STRING;
	return sn_mp_take_text(reader, sn_mp_section_key(section), value,
			       sn_mp_section_text(message, section), err);
}

/* For people, so it may have lines. */
static int read_explanation(struct sn_mp_reader *reader, struct sn_mp_message *message,
			    enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_str text;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_STRING)
		return sn_mp_wrong_form(section, "a text", err);
	text = sn_js_string(value, &reader->text);
	if (text.n > SN_MP_VALUE_MAX)
		return sn_err_set(err, -E2BIG, "'%s' is longer than %d bytes",
				  sn_mp_section_key(section), SN_MP_VALUE_MAX);
	message->text = sn_xstrndup(text.p, text.n);
	return 0;
}

static int read_when(struct sn_mp_reader *reader, struct sn_mp_message *message,
		     enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_str text;
	int rc;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_STRING)
		return sn_mp_wrong_form(section, "a text", err);
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

static int check_known(const struct sn_mp_reader *reader, const char *what, bool known,
		       struct sn_str name, struct sn_err *err)
{
	if (known || !(reader->flags & SN_MP_READ_STRICT))
		return 0;
	return sn_err_set(err, -EINVAL, "%s '%.*s' is in no registry", what, sn_mp_shown(name),
			  name.p);
}

static bool knows(const struct sn_mp_reader *reader, const struct sn_mp_message *message,
		  const char *name)
{
	return reader->registries != NULL &&
	       sn_mp_element_find(reader->registries, message->registry, name) != NULL;
}

struct sn_str sn_mp_take_name(struct sn_mp_reader *reader, const char *key)
{
	return sn_js_string(key, &reader->scratch);
}

static int read_param(struct sn_mp_reader *reader, struct sn_mp_message *message, const char *key,
		      const char *value, struct sn_err *err)
{
	struct sn_str name = sn_mp_take_name(reader, key), text;
	int rc = take_scalar(reader, message, value, &text, err);

	if (rc != 0) {
		sn_err_wrap(err, "parameter '%.*s'", sn_mp_shown(name), name.p);
		return rc;
	}
	return sn_mp_append_param(message, reader->registries, name, text, err);
}

static int read_params(struct sn_mp_reader *reader, struct sn_mp_message *message,
		       enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *key, *item;
	int rc = 0;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_OBJECT)
		return sn_mp_wrong_form(section, "an object", err);
	walk = sn_js_inside(value);
	while (rc == 0 && sn_js_next(&walk, &key, &item))
		rc = read_param(reader, message, key, item, err);
	for (size_t i = 0; rc == 0 && i < message->param_count; i++)
		rc = check_known(reader, "parameter", message->params[i].element != NULL,
				 sn_str(message->params[i].name), err);
	return rc;
}

static int read_meta(struct sn_mp_reader *reader, struct sn_mp_message *message, const char *key,
		     const char *value, struct sn_err *err)
{
	struct sn_str name = sn_mp_take_name(reader, key), text;
	int rc = take_scalar(reader, message, value, &text, err);

	if (rc != 0) {
		sn_err_wrap(err, "metadata '%.*s'", sn_mp_shown(name), name.p);
		return rc;
	}
	return sn_mp_append_meta(message, name, text.p != NULL ? text : SN_STR("*"), err);
}

static int read_metadata(struct sn_mp_reader *reader, struct sn_mp_message *message,
			 enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *key, *item;
	int rc = 0;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_OBJECT)
		return sn_mp_wrong_form(section, "an object", err);
	walk = sn_js_inside(value);
	while (rc == 0 && sn_js_next(&walk, &key, &item))
		rc = read_meta(reader, message, key, item, err);
	for (size_t i = 0; rc == 0 && i < message->meta_count; i++)
		rc = check_known(reader, "metadata",
				 knows(reader, message, message->metadata[i].name),
				 sn_str(message->metadata[i].name), err);
	return rc;
}

static int read_columns(struct sn_mp_reader *reader, struct sn_mp_message *message,
			enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *item;
	int rc = 0;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_ARRAY)
		return sn_mp_wrong_form(section, "a list", err);
	walk = sn_js_inside(value);
	while (rc == 0 && sn_js_next(&walk, NULL, &item)) {
		if (sn_js_type(item) != SN_JS_STRING)
			return sn_mp_wrong_form(section, "a list of names", err);
		rc = sn_mp_append_column(message, reader->registries,
					 sn_js_string(item, &reader->text), err);
	}
	for (size_t i = 0; rc == 0 && i < message->column_count; i++)
		rc = check_known(reader, "result", message->columns[i].element != NULL,
				 sn_str(message->columns[i].name), err);
	return rc == 0 ? sn_mp_columns_unique(message, err) : rc;
}

static int read_cell(struct sn_mp_reader *reader, struct sn_mp_message *message, size_t column,
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

static int read_row(struct sn_mp_reader *reader, struct sn_mp_message *message, const char *value,
		    struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *item;
	int rc;

	if (sn_js_type(value) != SN_JS_ARRAY)
		return sn_mp_wrong_form(SN_MP_S_ROWS, "a list of rows", err);
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

static int read_rows(struct sn_mp_reader *reader, struct sn_mp_message *message,
		     enum sn_mp_section section, const char *value, struct sn_err *err)
{
	struct sn_js_walk walk;
	const char *item;
	int rc = 0;

	if (sn_js_type(value) == SN_JS_NULL)
		return 0;
	if (sn_js_type(value) != SN_JS_ARRAY)
		return sn_mp_wrong_form(section, "a list of rows", err);
	walk = sn_js_inside(value);
	while (rc == 0 && sn_js_next(&walk, NULL, &item))
		rc = read_row(reader, message, item, err);
	return rc;
}

/* By section ------------------------------------------------------------- */

static read_section_fn *const readers[SN_MP_SECTIONS] = {
	read_version, read_text,           read_text,        read_when,     read_text,
	read_text,    read_text,           read_params,      read_metadata, read_columns,
	read_rows,    sn_mp_read_contents, read_explanation,
};

int sn_mp_read_section(struct sn_mp_reader *reader, struct sn_mp_message *message,
		       enum sn_mp_section section, const char *value, struct sn_err *err)
{
	return readers[__builtin_ctz(section)](reader, message, section, value, err);
}
