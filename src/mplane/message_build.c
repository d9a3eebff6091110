/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "mplane/message_internal.h"

#define NAME_SHOWN 60 /* bytes of a name from outside that get into a message */
#define ROOM_LEAST 4

size_t sn_mp_room(size_t count)
{
	size_t room = ROOM_LEAST;

	while (room < count)
		room *= 2;
	return count == 0 ? 0 : room;
}

/* `items` with room for one more than `count`. */
static void *grown(void *items, size_t count, size_t size)
{
	if (count < sn_mp_room(count))
		return items;
	return sn_xrealloc(items, sn_mp_room(count + 1), size);
}

/* The first place of a sorted list whose name is not below `name`; names come first in items. */
static size_t place_of(const void *items, size_t count, size_t size, size_t name_offset,
		       const char *name, bool *found)
{
	size_t low = 0, high = count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *item = (const char *)items + middle * size + name_offset;
		int order = strcmp(*(char *const *)(const void *)item, name);

		if (order == 0)
			*found = true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void sn_mp_set_text(char **section, const char *text)
{
	char *copy = text != NULL ? sn_xstrdup(text) : NULL;

	free(*section);
	*section = copy;
}

/* Names and values ------------------------------------------------------- */

int sn_mp_shown(struct sn_str name)
{
	return (int)sn_utf8_cut(name, NAME_SHOWN);
}

struct sn_str sn_mp_name_local(struct sn_str name)
{
	for (size_t i = name.n; i > 0; i--)
		if (name.p[i - 1] == '#')
			return (struct sn_str){name.p + i, name.n - i};
	return name;
}

/* Holds a name against the rules and copies it without its registry. */
static int take_name(struct sn_str name, const char *what, char **copy, struct sn_err *err)
{
	struct sn_str local = sn_mp_name_local(name);

	if (local.n > SN_MP_NAME_MAX)
		return sn_err_set(err, -E2BIG, "%s '%.*s...': the name is longer than %d bytes",
				  what, sn_mp_shown(local), local.p, SN_MP_NAME_MAX);
	if (!sn_mp_name_is_good(local))
		return sn_err_set(err, -EINVAL,
				  "%s '%.*s': not a name (letters, digits, '.', '_' and '-')", what,
				  sn_mp_shown(local), local.p);
	*copy = sn_xstrndup(local.p, local.n);
	return 0;
}

static const struct sn_mp_element *find_element(const struct sn_mp_message *message,
						const struct sn_mp_registries *registries,
						struct sn_str name)
{
	char text[SN_MP_TEXT_MAX];

	if (registries == NULL || name.n >= sizeof(text))
		return NULL;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	return sn_mp_element_find(registries, message->registry, text);
}

static bool is_none(struct sn_str text)
{
	return text.p == NULL || (text.n == 1 && text.p[0] == '*');
}

/* The canonical text of a value; NULL for none. */
static int make_value(enum sn_mp_prim prim, struct sn_str text, struct sn_buf *scratch,
		      char **value, struct sn_err *err)
{
	int rc;

	*value = NULL;
	if (is_none(text))
		return 0;
	if (text.n > SN_MP_VALUE_MAX)
		return sn_err_set(err, -E2BIG, "a value of more than %d bytes", SN_MP_VALUE_MAX);
	sn_buf_clear(scratch);
	rc = sn_mp_value_canon(prim, text, scratch, err);
	if (rc == 0 && !(scratch->n == 1 && scratch->p[0] == '*'))
		*value = sn_xstrndup(scratch->n > 0 ? scratch->p : "", scratch->n);
	return rc;
}

/* Constraint or value, whichever the kind has; takes the place of the one before. */
static int param_set(const struct sn_mp_message *message, struct sn_mp_param *param,
		     struct sn_str text, struct sn_err *err)
{
	struct sn_mp_constraint constraint = {.kind = SN_MP_ANY, .prim = param->prim};
	struct sn_buf scratch = {0};
	char *value = NULL;
	int rc = 0;

	if (text.n > SN_MP_VALUE_MAX)
		rc = sn_err_set(err, -E2BIG, "a text of more than %d bytes", SN_MP_VALUE_MAX);
	else if (!sn_mp_kind_info(message->kind)->constraints)
		rc = make_value(param->prim, text, &scratch, &value, err);
	else if (!is_none(text))
		rc = sn_mp_constraint_parse(param->prim, text, &constraint, err);
	sn_buf_finish(&scratch);
	if (rc != 0) {
		sn_err_wrap(err, "parameter '%s'", param->name);
		return rc;
	}
	free(param->value);
	param->value = value;
	sn_mp_constraint_finish(&param->constraint);
	param->constraint = constraint;
	return 0;
}

/* Parameters ------------------------------------------------------------- */

static int param_make(const struct sn_mp_message *message,
		      const struct sn_mp_registries *registries, struct sn_str name,
		      struct sn_str text, struct sn_mp_param *param, struct sn_err *err)
{
	int rc;

	*param = (struct sn_mp_param){.element = find_element(message, registries, name)};
	if (message->param_count >= SN_MP_PARAMS_MAX)
		return sn_err_set(err, -E2BIG, "more than %d parameters", SN_MP_PARAMS_MAX);
	rc = take_name(name, "parameter", &param->name, err);
	if (rc != 0)
		return rc;
	param->prim = param->element != NULL ? param->element->prim : SN_MP_STRING;
	rc = param_set(message, param, text, err);
	if (rc != 0)
		free(param->name);
	return rc;
}

static void param_insert(struct sn_mp_message *message, size_t at, const struct sn_mp_param *param)
{
	message->params = grown(message->params, message->param_count, sizeof(*message->params));
	memmove(message->params + at + 1, message->params + at,
		(message->param_count - at) * sizeof(*message->params));
	message->params[at] = *param;
	message->param_count++;
}

static void param_finish(struct sn_mp_param *param)
{
	free(param->name);
	free(param->value);
	sn_mp_constraint_finish(&param->constraint);
}

static size_t param_place(const struct sn_mp_message *message, const char *name, bool *found)
{
	return place_of(message->params, message->param_count, sizeof(*message->params),
			offsetof(struct sn_mp_param, name), name, found);
}

int sn_mp_append_param(struct sn_mp_message *message, const struct sn_mp_registries *registries,
		       struct sn_str name, struct sn_str text, struct sn_err *err)
{
	struct sn_mp_param param;
	bool found;
	size_t at;
	int rc = param_make(message, registries, name, text, &param, err);

	if (rc != 0)
		return rc;
	at = param_place(message, param.name, &found);
	if (found) {
		rc = sn_err_set(err, -EINVAL, "parameter '%s' is there twice", param.name);
		param_finish(&param);
		return rc;
	}
	param_insert(message, at, &param);
	return 0;
}

int sn_mp_add_param(struct sn_mp_message *message, const struct sn_mp_registries *registries,
		    const char *name, const char *constraint_or_value, struct sn_err *err)
{
	struct sn_str text = {constraint_or_value, 0};

	return sn_mp_append_param(message, registries, sn_str(name),
				  constraint_or_value != NULL ? sn_str(constraint_or_value) : text,
				  err);
}

int sn_mp_set_value(struct sn_mp_message *message, const char *name, const char *value,
		    struct sn_err *err)
{
	struct sn_str text = {value, value != NULL ? strlen(value) : 0};
	bool found;
	size_t at = param_place(message, name, &found);

	if (!found)
		return sn_err_set(err, -ENOENT, "there is no parameter '%.*s'",
				  sn_mp_shown(sn_str(name)), name);
	return param_set(message, &message->params[at], text, err);
}

const struct sn_mp_param *sn_mp_param(const struct sn_mp_message *message, const char *name)
{
	bool found;
	size_t at = param_place(message, name, &found);

	return found ? &message->params[at] : NULL;
}

const char *sn_mp_value(const struct sn_mp_message *message, const char *name)
{
	const struct sn_mp_param *param = sn_mp_param(message, name);

	return param != NULL ? param->value : NULL;
}

/* Metadata --------------------------------------------------------------- */

static size_t meta_place(const struct sn_mp_message *message, const char *name, bool *found)
{
	return place_of(message->metadata, message->meta_count, sizeof(*message->metadata),
			offsetof(struct sn_mp_meta, name), name, found);
}

static void meta_insert(struct sn_mp_message *message, size_t at, struct sn_mp_meta meta)
{
	message->metadata =
		grown(message->metadata, message->meta_count, sizeof(*message->metadata));
	memmove(message->metadata + at + 1, message->metadata + at,
		(message->meta_count - at) * sizeof(*message->metadata));
	message->metadata[at] = meta;
	message->meta_count++;
}

/* `again`: may one of that name be there, whose place is taken? */
static int meta_set(struct sn_mp_message *message, struct sn_str name, struct sn_str value,
		    bool again, struct sn_err *err)
{
	struct sn_mp_meta meta;
	bool found;
	size_t at;
	int rc;

	if (value.n > SN_MP_VALUE_MAX)
		return sn_err_set(err, -E2BIG, "metadata '%.*s': a text of more than %d bytes",
				  sn_mp_shown(name), name.p, SN_MP_VALUE_MAX);
	rc = take_name(name, "metadata", &meta.name, err);
	if (rc != 0)
		return rc;
	at = meta_place(message, meta.name, &found);
	if (found && !again)
		rc = sn_err_set(err, -EINVAL, "metadata '%s' is there twice", meta.name);
	else if (!found && message->meta_count >= SN_MP_METADATA_MAX)
		rc = sn_err_set(err, -E2BIG, "more than %d metadata", SN_MP_METADATA_MAX);
	if (rc != 0) {
		free(meta.name);
		return rc;
	}
	meta.value = sn_xstrndup(value.p != NULL ? value.p : "", value.n);
	if (!found) {
		meta_insert(message, at, meta);
		return 0;
	}
	free(message->metadata[at].name);
	free(message->metadata[at].value);
	message->metadata[at] = meta;
	return 0;
}

int sn_mp_append_meta(struct sn_mp_message *message, struct sn_str name, struct sn_str value,
		      struct sn_err *err)
{
	return meta_set(message, name, value, false, err);
}

int sn_mp_add_meta(struct sn_mp_message *message, const char *name, const char *value,
		   struct sn_err *err)
{
	return meta_set(message, sn_str(name), sn_str(value != NULL ? value : "*"), true, err);
}

const char *sn_mp_meta(const struct sn_mp_message *message, const char *name)
{
	bool found;
	size_t at = meta_place(message, name, &found);

	return found ? message->metadata[at].value : NULL;
}

/* Columns and rows ------------------------------------------------------- */

int sn_mp_append_column(struct sn_mp_message *message, const struct sn_mp_registries *registries,
			struct sn_str name, struct sn_err *err)
{
	struct sn_mp_column column = {.element = find_element(message, registries, name)};
	int rc;

	if (message->column_count >= SN_MP_COLUMNS_MAX)
		return sn_err_set(err, -E2BIG, "more than %d result columns", SN_MP_COLUMNS_MAX);
	if (message->row_count > 0)
		return sn_err_set(err, -EINVAL, "a column after rows");
	rc = take_name(name, "result", &column.name, err);
	if (rc != 0)
		return rc;
	column.prim = column.element != NULL ? column.element->prim : SN_MP_STRING;
	message->columns =
		grown(message->columns, message->column_count, sizeof(*message->columns));
	message->columns[message->column_count++] = column;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int sn_mp_columns_unique(const struct sn_mp_message *message, struct sn_err *err)
{
	const char *names[SN_MP_COLUMNS_MAX];

	if (message->column_count < 2)
		return 0;
	for (size_t i = 0; i < message->column_count; i++)
		names[i] = message->columns[i].name;
	qsort(names, message->column_count, sizeof(*names), compare_names);
	for (size_t i = 1; i < message->column_count; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return sn_err_set(err, -EINVAL, "result '%s' is there twice", names[i]);
	return 0;
}

int sn_mp_add_column(struct sn_mp_message *message, const struct sn_mp_registries *registries,
		     const char *name, struct sn_err *err)
{
	if (sn_mp_column(message, name) >= 0)
		return sn_err_set(err, -EINVAL, "result '%.*s' is there twice",
				  sn_mp_shown(sn_str(name)), name);
	return sn_mp_append_column(message, registries, sn_str(name), err);
}

int sn_mp_append_row(struct sn_mp_message *message, struct sn_err *err)
{
	size_t columns = message->column_count, rows = message->row_count;

	if (columns == 0)
		return sn_err_set(err, -EINVAL, "a row without columns");
	if (rows >= SN_MP_ROWS_MAX)
		return sn_err_set(err, -E2BIG, "more than %d rows", SN_MP_ROWS_MAX);
	if ((rows + 1) * columns > SN_MP_CELLS_MAX)
		return sn_err_set(err, -E2BIG, "more than %d values in rows", SN_MP_CELLS_MAX);
	message->cells = grown(message->cells, rows, columns * sizeof(*message->cells));
	memset(message->cells + rows * columns, 0, columns * sizeof(*message->cells));
	message->row_count++;
	return 0;
}

int sn_mp_cell_set(struct sn_mp_message *message, size_t column, struct sn_str text,
		   struct sn_buf *scratch, struct sn_err *err)
{
	struct sn_mp_column *about = &message->columns[column];
	char **cell = &message->cells[(message->row_count - 1) * message->column_count + column];
	int rc;

	/* Peers write "" for a number that they have not. */
	if (text.n == 0 && about->prim != SN_MP_STRING && about->prim != SN_MP_URL)
		return 0;
	rc = make_value(about->prim, text, scratch, cell, err);
	if (rc != 0)
		sn_err_wrap(err, "row %zu: result '%s'", message->row_count, about->name);
	return rc;
}

static void drop_row(struct sn_mp_message *message)
{
	size_t first = --message->row_count * message->column_count;

	for (size_t i = 0; i < message->column_count; i++)
		free(message->cells[first + i]);
}

int sn_mp_add_row(struct sn_mp_message *message, const char *const *values, struct sn_err *err)
{
	struct sn_buf scratch = {0};
	int rc = sn_mp_append_row(message, err);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < message->column_count; i++)
		if (values[i] != NULL)
			rc = sn_mp_cell_set(message, i, sn_str(values[i]), &scratch, err);
	if (rc != 0)
		drop_row(message);
	sn_buf_finish(&scratch);
	return rc;
}

int sn_mp_column(const struct sn_mp_message *message, const char *name)
{
	for (size_t i = 0; i < message->column_count; i++)
		if (strcmp(message->columns[i].name, name) == 0)
			return (int)i;
	return -1;
}

const char *sn_mp_cell(const struct sn_mp_message *message, size_t row, size_t column)
{
	assert(row < message->row_count && column < message->column_count);
	return message->cells[row * message->column_count + column];
}

/* Envelopes and exceptions ----------------------------------------------- */

void sn_mp_add_content(struct sn_mp_message *envelope, struct sn_mp_message *content)
{
	assert(envelope->kind == SN_MP_ENVELOPE);
	envelope->contents =
		grown(envelope->contents, envelope->content_count, sizeof(struct sn_mp_message *));
	envelope->contents[envelope->content_count++] = content;
}

struct sn_mp_message *sn_mp_exception(const char *token, const char *format, ...)
{
	struct sn_mp_message *exception = sn_mp_message_create(SN_MP_EXCEPTION, NULL);
	char text[SN_MP_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sn_mp_set_text(&exception->token, token);
	sn_mp_set_text(&exception->text, text);
	return exception;
}
