/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/message.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mplane/message_internal.h"

/* Kinds and sections ----------------------------------------------------- */

#define COMMON (SN_MP_S_VERSION | SN_MP_S_LABEL | SN_MP_S_TOKEN | SN_MP_S_WHEN)
/* What statements have. */
#define SCHEMA (COMMON | SN_MP_S_REGISTRY | SN_MP_S_PARAMS | SN_MP_S_METADATA | SN_MP_S_COLUMNS)
#define LINKS  (SN_MP_S_LINK | SN_MP_S_EXPORT)

static const struct sn_mp_kind_info kinds[] = {
	[SN_MP_CAPABILITY] = {"capability", SCHEMA | LINKS, SN_MP_S_REGISTRY | SN_MP_S_WHEN, 0,
			      true, SN_MP_VERB_MEASURE},
	[SN_MP_WITHDRAWAL] = {"withdrawal", SCHEMA | LINKS, 0, SN_MP_S_TOKEN | SN_MP_S_REGISTRY,
			      true, SN_MP_VERB_MEASURE},
	[SN_MP_SPECIFICATION] = {"specification", SCHEMA | LINKS, SN_MP_S_REGISTRY | SN_MP_S_WHEN,
				 0, false, SN_MP_VERB_MEASURE},
	[SN_MP_INTERRUPT] = {"interrupt", SCHEMA, SN_MP_S_TOKEN, 0, false, SN_MP_VERB_MEASURE},
	[SN_MP_RESULT] = {"result", SCHEMA | SN_MP_S_EXPORT | SN_MP_S_ROWS,
			  SN_MP_S_REGISTRY | SN_MP_S_WHEN, 0, false, SN_MP_VERB_MEASURE},
	[SN_MP_RECEIPT] = {"receipt", SCHEMA | SN_MP_S_EXPORT, 0, SN_MP_S_TOKEN | SN_MP_S_REGISTRY,
			   false, SN_MP_VERB_MEASURE},
	[SN_MP_REDEMPTION] = {"redemption", SCHEMA, SN_MP_S_TOKEN, 0, false, SN_MP_VERB_MEASURE},
	[SN_MP_INDIRECTION] = {"indirection", SCHEMA | LINKS, SN_MP_S_LINK, 0, true,
			       SN_MP_VERB_MEASURE},
	[SN_MP_NOTIFICATION] = {"notification", SCHEMA | SN_MP_S_EXPORT | SN_MP_S_ROWS,
				SN_MP_S_REGISTRY | SN_MP_S_WHEN, 0, false, SN_MP_VERB_MEASURE},
	[SN_MP_EXCEPTION] = {"exception", SN_MP_S_TOKEN | SN_MP_S_TEXT, 0, 0, false, NULL},
	[SN_MP_ENVELOPE] = {"envelope", COMMON | SN_MP_S_CONTENTS, 0, 0, false, "message"},
};
_Static_assert(SN_COUNT(kinds) == SN_MP_KINDS, "each kind has its sections");

const struct sn_mp_kind_info *sn_mp_kind_info(enum sn_mp_kind kind)
{
	assert((size_t)kind < SN_COUNT(kinds));
	return &kinds[kind];
}

const char *sn_mp_kind_name(enum sn_mp_kind kind)
{
	return sn_mp_kind_info(kind)->name;
}

int sn_mp_kind_find(const char *name, enum sn_mp_kind *kind)
{
	for (size_t i = 0; i < SN_COUNT(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			*kind = (enum sn_mp_kind)i;
			return 0;
		}
	}
	return -ENOENT;
}

static const struct section_info {
	const char *key;
	size_t text; /* offset of its text in a message; 0: it is no text */
} sections[SN_MP_SECTIONS] = {
	{"version", 0},
	{"registry", offsetof(struct sn_mp_message, registry)},
	{"label", offsetof(struct sn_mp_message, label)},
	{"when", 0},
	{"token", offsetof(struct sn_mp_message, token)},
	{"link", offsetof(struct sn_mp_message, link)},
	{"export", offsetof(struct sn_mp_message, export_url)},
	{"parameters", 0},
	{"metadata", 0},
	{"results", 0},
	{"resultvalues", 0},
	{"contents", 0},
	{"message", offsetof(struct sn_mp_message, text)},
};

static const struct section_info *section_info(enum sn_mp_section section)
{
	assert(section != 0 && __builtin_popcount(section) == 1);
	return &sections[__builtin_ctz(section)];
}

const char *sn_mp_section_key(enum sn_mp_section section)
{
	return section_info(section)->key;
}

char **sn_mp_section_text(struct sn_mp_message *message, enum sn_mp_section section)
{
	size_t offset = section_info(section)->text;

	return offset == 0 ? NULL : (char **)(void *)((char *)message + offset);
}

/* NULL if it is absent, or no text. */
static const char *text_of(const struct sn_mp_message *message, size_t i)
{
	const char *at = (const char *)message + sections[i].text;

	return sections[i].text == 0 ? NULL : *(char *const *)(const void *)at;
}

bool sn_mp_has_section(const struct sn_mp_message *message, enum sn_mp_section section)
{
	char *const *text = sn_mp_section_text((struct sn_mp_message *)message, section);

	if (section == SN_MP_S_LINK && message->has_link)
		return true;
	if (text != NULL)
		return *text != NULL && **text != '\0';
	switch (section) {
	case SN_MP_S_WHEN:
		return message->when.set;
	case SN_MP_S_PARAMS:
		return message->param_count > 0;
	case SN_MP_S_METADATA:
		return message->meta_count > 0;
	case SN_MP_S_COLUMNS:
		return message->column_count > 0;
	case SN_MP_S_ROWS:
		return message->row_count > 0;
	case SN_MP_S_CONTENTS:
		return message->content_count > 0;
	default:
		return section == SN_MP_S_VERSION;
	}
}

/* Lifetime --------------------------------------------------------------- */

struct sn_mp_message *sn_mp_message_create(enum sn_mp_kind kind, const char *verb)
{
	const struct sn_mp_kind_info *info = sn_mp_kind_info(kind);
	struct sn_mp_message *message = sn_new(struct sn_mp_message);

	message->kind = kind;
	message->version = 1;
	if (info->verb != NULL)
		message->verb = sn_xstrdup(verb != NULL ? verb : info->verb);
	message->has_link = kind == SN_MP_CAPABILITY || kind == SN_MP_SPECIFICATION;
	return message;
}

static void finish_params(struct sn_mp_message *message)
{
	for (size_t i = 0; i < message->param_count; i++) {
		free(message->params[i].name);
		free(message->params[i].value);
		sn_mp_constraint_finish(&message->params[i].constraint);
	}
	free(message->params);
}

static void finish_table(struct sn_mp_message *message)
{
	for (size_t i = 0; i < message->row_count * message->column_count; i++)
		free(message->cells[i]);
	for (size_t i = 0; i < message->column_count; i++)
		free(message->columns[i].name);
	free(message->cells);
	free(message->columns);
}

void sn_mp_message_destroy(struct sn_mp_message *message)
{
	if (message == NULL)
		return;
	finish_params(message);
	finish_table(message);
	for (size_t i = 0; i < message->meta_count; i++) {
		free(message->metadata[i].name);
		free(message->metadata[i].value);
	}
	free(message->metadata);
	for (size_t i = 0; i < message->content_count; i++)
		sn_mp_message_destroy(message->contents[i]);
	free(message->contents);
	for (size_t i = 0; i < SN_MP_SECTIONS; i++)
		free((char *)text_of(message, i));
	free(message->verb);
	free(message);
}

void sn_mp_message_cleanup(struct sn_mp_message **message)
{
	sn_mp_message_destroy(*message);
}

/* Copies ----------------------------------------------------------------- */

static char *copy_text(const char *text)
{
	return text != NULL ? sn_xstrdup(text) : NULL;
}

/* The constraint that only `value` meets, not read as a text, so that a comma in it stays one. */
static void constrain_to(struct sn_mp_constraint *constraint, enum sn_mp_prim prim,
			 const char *value)
{
	*constraint = (struct sn_mp_constraint){.kind = SN_MP_ANY, .prim = prim};
	if (value == NULL)
		return;
	constraint->kind = SN_MP_ONE_OF;
	constraint->count = 1;
	constraint->values = sn_new(char *);
	constraint->values[0] = sn_xstrdup(value);
}

static void copy_param(const struct sn_mp_param *from, bool from_constraints,
		       struct sn_mp_param *to, bool to_constraints)
{
	*to = (struct sn_mp_param){.element = from->element,
				   .name = sn_xstrdup(from->name),
				   .prim = from->prim,
				   .optional = from->optional};
	if (from_constraints && to_constraints)
		sn_mp_constraint_copy(&from->constraint, &to->constraint);
	else if (from_constraints)
		to->value = copy_text(sn_mp_constraint_single(&from->constraint));
	else if (to_constraints)
		constrain_to(&to->constraint, from->prim, from->value);
	else
		to->value = copy_text(from->value);
}

static void copy_params(const struct sn_mp_message *from, struct sn_mp_message *to)
{
	bool from_constraints = sn_mp_kind_info(from->kind)->constraints;
	bool to_constraints = sn_mp_kind_info(to->kind)->constraints;

	to->param_count = from->param_count;
	to->params = sn_new_n(struct sn_mp_param, sn_mp_room(from->param_count));
	for (size_t i = 0; i < from->param_count; i++)
		copy_param(&from->params[i], from_constraints, &to->params[i], to_constraints);
}

static void copy_metadata(const struct sn_mp_message *from, struct sn_mp_message *to)
{
	to->meta_count = from->meta_count;
	to->metadata = sn_new_n(struct sn_mp_meta, sn_mp_room(from->meta_count));
	for (size_t i = 0; i < from->meta_count; i++) {
		to->metadata[i].name = sn_xstrdup(from->metadata[i].name);
		to->metadata[i].value = sn_xstrdup(from->metadata[i].value);
	}
}

static void copy_columns(const struct sn_mp_message *from, struct sn_mp_message *to)
{
	to->column_count = from->column_count;
	to->columns = sn_new_n(struct sn_mp_column, sn_mp_room(from->column_count));
	for (size_t i = 0; i < from->column_count; i++) {
		to->columns[i] = from->columns[i];
		to->columns[i].name = sn_xstrdup(from->columns[i].name);
	}
}

static void copy_rows(const struct sn_mp_message *from, struct sn_mp_message *to)
{
	to->row_count = from->row_count;
	to->cells = sn_new_n(char *, sn_mp_room(from->row_count) * from->column_count);
	for (size_t i = 0; i < from->row_count * from->column_count; i++)
		to->cells[i] = copy_text(from->cells[i]);
}

static void copy_contents(const struct sn_mp_message *from, struct sn_mp_message *to)
{
	for (size_t i = 0; i < from->content_count; i++)
		sn_mp_add_content(to, sn_mp_message_copy(from->contents[i]));
}

/* All sections of `wanted` that there are. */
static void copy_sections(const struct sn_mp_message *from, struct sn_mp_message *to,
			  unsigned wanted)
{
	static const struct {
		enum sn_mp_section section;
		void (*copy)(const struct sn_mp_message *, struct sn_mp_message *);
	} lists[] = {
		{SN_MP_S_PARAMS, copy_params},     {SN_MP_S_METADATA, copy_metadata},
		{SN_MP_S_COLUMNS, copy_columns},   {SN_MP_S_ROWS, copy_rows},
		{SN_MP_S_CONTENTS, copy_contents},
	};

	for (size_t i = 0; i < SN_MP_SECTIONS; i++) {
		char **text = sn_mp_section_text(to, (enum sn_mp_section)(1 << i));

		if (text != NULL && wanted & 1u << i)
			*text = copy_text(text_of(from, i));
	}
	for (size_t i = 0; i < SN_COUNT(lists); i++)
		if (wanted & lists[i].section && sn_mp_has_section(from, lists[i].section))
			lists[i].copy(from, to);
	if (wanted & SN_MP_S_WHEN)
		to->when = from->when;
	if (wanted & SN_MP_S_VERSION)
		to->version = from->version;
	if (wanted & SN_MP_S_LINK)
		to->has_link = from->has_link;
}

struct sn_mp_message *sn_mp_message_copy(const struct sn_mp_message *message)
{
	struct sn_mp_message *copy = sn_mp_message_create(message->kind, message->verb);

	copy_sections(message, copy, ~0u);
	copy->natives = message->natives;
	copy->bare = message->bare;
	return copy;
}

struct sn_mp_message *sn_mp_message_as(const struct sn_mp_message *message, enum sn_mp_kind kind)
{
	const struct sn_mp_kind_info *from = sn_mp_kind_info(message->kind);
	const struct sn_mp_kind_info *to = sn_mp_kind_info(kind);
	unsigned wanted = from->may & to->may;
	bool statements = wanted & SN_MP_S_PARAMS;
	struct sn_mp_message *other;

	/* The scope, token and links of an offer are not those of an order. */
	if (statements && from->constraints && !to->constraints)
		wanted &= ~(unsigned)(SN_MP_S_WHEN | SN_MP_S_TOKEN | LINKS);
	/* An envelope's verb is the kind of its contents. */
	other = sn_mp_message_create(kind, statements ? message->verb : NULL);
	copy_sections(message, other, wanted);
	other->version = 1;
	other->natives = message->natives;
	return other;
}

/* Comparison ------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* As cells and values: none and the empty text are not the same. */
static bool same_value(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_constraint(const struct sn_mp_constraint *a, const struct sn_mp_constraint *b)
{
	bool same =
		a->kind == b->kind && a->count == b->count && a->prefix_length == b->prefix_length;

	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->values[i], b->values[i]) == 0;
	return same;
}

static bool same_params(const struct sn_mp_message *a, const struct sn_mp_message *b)
{
	bool same = a->param_count == b->param_count;

	for (size_t i = 0; same && i < a->param_count; i++)
		same = strcmp(a->params[i].name, b->params[i].name) == 0 &&
		       a->params[i].prim == b->params[i].prim &&
		       same_value(a->params[i].value, b->params[i].value) &&
		       same_constraint(&a->params[i].constraint, &b->params[i].constraint);
	return same;
}

static bool same_metadata(const struct sn_mp_message *a, const struct sn_mp_message *b)
{
	bool same = a->meta_count == b->meta_count;

	for (size_t i = 0; same && i < a->meta_count; i++)
		same = strcmp(a->metadata[i].name, b->metadata[i].name) == 0 &&
		       strcmp(a->metadata[i].value, b->metadata[i].value) == 0;
	return same;
}

static bool same_table(const struct sn_mp_message *a, const struct sn_mp_message *b)
{
	bool same = a->column_count == b->column_count && a->row_count == b->row_count;

	for (size_t i = 0; same && i < a->column_count; i++)
		same = strcmp(a->columns[i].name, b->columns[i].name) == 0 &&
		       a->columns[i].prim == b->columns[i].prim;
	for (size_t i = 0; same && i < a->row_count * a->column_count; i++)
		same = same_value(a->cells[i], b->cells[i]);
	return same;
}

static bool same_contents(const struct sn_mp_message *a, const struct sn_mp_message *b)
{
	bool same = a->content_count == b->content_count;

	for (size_t i = 0; same && i < a->content_count; i++)
		same = sn_mp_message_equal(a->contents[i], b->contents[i]);
	return same;
}

bool sn_mp_message_equal(const struct sn_mp_message *a, const struct sn_mp_message *b)
{
	if (a->kind != b->kind || !same_text(a->verb, b->verb) || a->has_link != b->has_link ||
	    !sn_mp_when_equal(&a->when, &b->when))
		return false;
	for (size_t i = 0; i < SN_MP_SECTIONS; i++)
		if (!same_text(text_of(a, i), text_of(b, i)))
			return false;
	return same_params(a, b) && same_metadata(a, b) && same_table(a, b) && same_contents(a, b);
}
