/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "mplane/codec.h"
#include "mplane/message_internal.h"

struct writer {
	struct sn_jw jw;
	int flags;
	struct sn_buf scratch;
};

static void write_message(struct writer *writer, const struct sn_mp_message *message);

/* Values ----------------------------------------------------------------- */

/* As JSON's own number or boolean; false if it is none. */
static bool write_native(struct writer *writer, enum sn_mp_prim prim, const char *text)
{
	uint64_t natural;
	double real;

	if (prim == SN_MP_NATURAL && sn_parse_u64(sn_str(text), 0, UINT64_MAX, &natural) == 0)
		sn_jw_u64(&writer->jw, natural);
	else if (prim == SN_MP_REAL &&
		 sn_parse_double(sn_str(text), -__DBL_MAX__, __DBL_MAX__, &real) == 0)
		sn_jw_double(&writer->jw, real);
	else if (prim == SN_MP_BOOLEAN)
		sn_jw_bool(&writer->jw, strcmp(text, "True") == 0);
	else
		return false;
	return true;
}

static void write_value(struct writer *writer, enum sn_mp_prim prim, const char *text)
{
	if (text == NULL)
		sn_jw_cstr(&writer->jw, "*");
	else if (!(writer->flags & SN_MP_NATIVES) || !write_native(writer, prim, text))
		sn_jw_cstr(&writer->jw, text);
}

static void write_constraint(struct writer *writer, const struct sn_mp_param *param)
{
	const struct sn_mp_constraint *constraint = &param->constraint;

	if (constraint->kind == SN_MP_ONE_OF && constraint->count == 1) {
		write_value(writer, param->prim, constraint->values[0]);
		return;
	}
	sn_buf_clear(&writer->scratch);
	sn_mp_constraint_print(constraint, writer->flags & SN_MP_NO_PREFIX, &writer->scratch);
	sn_jw_str(&writer->jw, sn_buf_str(&writer->scratch));
}

/* Sections --------------------------------------------------------------- */

static void write_version(struct writer *writer, const struct sn_mp_message *message SN_UNUSED)
{
	sn_jw_u64(&writer->jw, 1);
}

static void write_when(struct writer *writer, const struct sn_mp_message *message)
{
	sn_buf_clear(&writer->scratch);
	sn_mp_when_print(&message->when, &writer->scratch);
	sn_jw_str(&writer->jw, sn_buf_str(&writer->scratch));
}

static void write_params(struct writer *writer, const struct sn_mp_message *message)
{
	sn_jw_object(&writer->jw);
	for (size_t i = 0; i < message->param_count; i++) {
		const struct sn_mp_param *param = &message->params[i];

		sn_jw_key(&writer->jw, param->name);
		if (sn_mp_kind_info(message->kind)->constraints)
			write_constraint(writer, param);
		else
			write_value(writer, param->prim, param->value);
	}
	sn_jw_object_end(&writer->jw);
}

static void write_metadata(struct writer *writer, const struct sn_mp_message *message)
{
	sn_jw_object(&writer->jw);
	for (size_t i = 0; i < message->meta_count; i++)
		sn_jw_kcstr(&writer->jw, message->metadata[i].name, message->metadata[i].value);
	sn_jw_object_end(&writer->jw);
}

static void write_columns(struct writer *writer, const struct sn_mp_message *message)
{
	sn_jw_array(&writer->jw);
	for (size_t i = 0; i < message->column_count; i++)
		sn_jw_cstr(&writer->jw, message->columns[i].name);
	sn_jw_array_end(&writer->jw);
}

static void write_rows(struct writer *writer, const struct sn_mp_message *message)
{
	sn_jw_array(&writer->jw);
	for (size_t row = 0; row < message->row_count; row++) {
		sn_jw_array(&writer->jw);
		for (size_t i = 0; i < message->column_count; i++)
			write_value(writer, message->columns[i].prim, sn_mp_cell(message, row, i));
		sn_jw_array_end(&writer->jw);
	}
	sn_jw_array_end(&writer->jw);
}

static void write_contents(struct writer *writer, const struct sn_mp_message *message)
{
	sn_jw_array(&writer->jw);
	for (size_t i = 0; i < message->content_count; i++)
		write_message(writer, message->contents[i]);
	sn_jw_array_end(&writer->jw);
}

/* Messages --------------------------------------------------------------- */

/* In the order of their keys; without a function: a text. */
static const struct section {
	enum sn_mp_section section;
	void (*write)(struct writer *writer, const struct sn_mp_message *message);
} sections[] = {
	{SN_MP_S_CONTENTS, write_contents},
	{SN_MP_S_EXPORT, NULL},
	{SN_MP_S_LABEL, NULL},
	{SN_MP_S_LINK, NULL},
	{SN_MP_S_TEXT, NULL},
	{SN_MP_S_METADATA, write_metadata},
	{SN_MP_S_PARAMS, write_params},
	{SN_MP_S_REGISTRY, NULL},
	{SN_MP_S_COLUMNS, write_columns},
	{SN_MP_S_ROWS, write_rows},
	{SN_MP_S_TOKEN, NULL},
	{SN_MP_S_VERSION, write_version},
	{SN_MP_S_WHEN, write_when},
};

/* The key that tells the kind.  An exception without a token has null there. */
static void write_kind(struct writer *writer, const struct sn_mp_message *message)
{
	const struct sn_mp_kind_info *info = sn_mp_kind_info(message->kind);
	const char *value = message->verb != NULL ? message->verb : info->verb;

	if (info->verb == NULL)
		value = sn_mp_has_section(message, SN_MP_S_TOKEN) ? message->token : NULL;
	sn_jw_kcstr(&writer->jw, info->name, value);
}

/* What readers expect even if there is nothing in it. */
static bool is_written(const struct sn_mp_message *message, enum sn_mp_section section)
{
	if (message->kind == SN_MP_ENVELOPE && section == SN_MP_S_CONTENTS)
		return true;
	if (message->kind == SN_MP_EXCEPTION && section == SN_MP_S_TEXT)
		return true;
	return sn_mp_kind_info(message->kind)->may & section && sn_mp_has_section(message, section);
}

static void write_section(struct writer *writer, const struct sn_mp_message *message,
			  const struct section *section)
{
	char *const *text = sn_mp_section_text((struct sn_mp_message *)message, section->section);

	sn_jw_key(&writer->jw, sn_mp_section_key(section->section));
	if (section->write != NULL)
		section->write(writer, message);
	else
		sn_jw_cstr(&writer->jw, *text != NULL ? *text : "");
}

static void write_message(struct writer *writer, const struct sn_mp_message *message)
{
	const char *kind = sn_mp_kind_name(message->kind);
	bool kind_written = false;

	sn_jw_object(&writer->jw);
	for (size_t i = 0; i < SN_COUNT(sections); i++) {
		if (!kind_written && strcmp(kind, sn_mp_section_key(sections[i].section)) < 0) {
			write_kind(writer, message);
			kind_written = true;
		}
		if (is_written(message, sections[i].section))
			write_section(writer, message, &sections[i]);
	}
	if (!kind_written)
		write_kind(writer, message);
	sn_jw_object_end(&writer->jw);
}

/* For people ------------------------------------------------------------- */

static void new_line(struct sn_buf *out, unsigned depth)
{
	sn_buf_addc(out, '\n');
	for (unsigned i = 0; i < depth; i++)
		sn_buf_adds(out, "  ");
}

static bool is_empty_pair(const char *p, const char *end)
{
	return p + 1 < end && ((p[0] == '[' && p[1] == ']') || (p[0] == '{' && p[1] == '}'));
}

/* `json` is as the writer makes it: without blanks outside of strings. */
static void indent(struct sn_str json, struct sn_buf *out)
{
	const char *p = json.p, *end = json.p + json.n;
	bool in_string = false;
	unsigned depth = 0;

	for (; p < end; p++) {
		if (!in_string && is_empty_pair(p, end)) {
			sn_buf_add(out, p++, 2);
			continue;
		}
		if (!in_string && (*p == ']' || *p == '}'))
			new_line(out, --depth);
		sn_buf_addc(out, *p);
		if (in_string && *p == '\\')
			sn_buf_addc(out, *++p);
		else if (*p == '"')
			in_string = !in_string;
		if (in_string)
			continue;
		if (*p == '[' || *p == '{')
			new_line(out, ++depth);
		else if (*p == ',')
			new_line(out, depth);
		else if (*p == ':')
			sn_buf_addc(out, ' ');
	}
	sn_buf_addc(out, '\n');
}

void sn_mp_encode(const struct sn_mp_message *message, int flags, struct sn_buf *out)
{
	struct writer writer = {.flags = flags};
	struct sn_buf compact = {0};

	sn_jw_init(&writer.jw, flags & SN_MP_INDENT ? &compact : out);
	if (message->kind == SN_MP_ENVELOPE && flags & SN_MP_BARE_ARRAY)
		write_contents(&writer, message);
	else
		write_message(&writer, message);
	if (flags & SN_MP_INDENT)
		indent(sn_buf_str(&compact), out);
	sn_buf_finish(&compact);
	sn_buf_finish(&writer.scratch);
}
