/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "derived"
#include "hub/derived.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "hub/offers.h"
#include "hub/secret.h"

#define COLUMN_NAME_MAX 160
#define COLUMNS_MAX     (SN_DATASET_COLUMNS_MAX - SN_COL_COMMON - 1)
#define COL_WHEN_END    SN_COL_COMMON
#define DAY_NS          (86400 * SN_NS_PER_S)

enum section { COMMON, PARAMETER, RESULT };

struct element {
	char *name; /* NULL: of a common column */
	enum section section;
	enum sn_mp_prim prim;
};

struct sn_derived_set {
	const struct sn_dataset *dataset; /* of the catalogue */
	struct element elements[SN_DATASET_COLUMNS_MAX];
};

struct sn_derived {
	struct sn_db *db;
	struct sn_map *sets; /* by the dataset's name */
};

static const struct sn_column common_columns[] = {
	SN_COMMON_COLUMNS,
	{"when_end", SN_TYPE_TIME, "s", "when the observation ended, Unix time (UTC)"},
};

static const enum sn_type types[SN_MP_PRIMS] = {
	[SN_MP_STRING] = SN_TYPE_TEXT, [SN_MP_NATURAL] = SN_TYPE_I64,
	[SN_MP_REAL] = SN_TYPE_F64,    [SN_MP_BOOLEAN] = SN_TYPE_BOOL,
	[SN_MP_TIME] = SN_TYPE_TIME,   [SN_MP_ADDRESS] = SN_TYPE_TEXT,
	[SN_MP_URL] = SN_TYPE_TEXT,
};

static void set_destroy(void *value)
{
	struct sn_derived_set *set = value;

	for (size_t i = 0; i < SN_COUNT(set->elements); i++)
		free(set->elements[i].name);
	free(set);
}

/* Definitions, as JSON ----------------------------------------------------------- */

/* Units are a part of an element's name (mPlane protocol, naming of elements). */
static const char *unit_of(const char *element)
{
	static const char *const units[] = {"ns", "us", "ms", "s", "bps", "kbps", "Mbps"};
	struct sn_str rest = sn_str(element), part;

	if (strncmp(element, "octets.", 7) == 0)
		return "B";
	if (strncmp(element, "packets.", 8) == 0)
		return "packets";
	while (sn_str_split(&rest, '.', &part)) {
		for (size_t i = 0; i < SN_COUNT(units); i++) {
			if (sn_str_eqc(part, units[i]))
				return units[i];
		}
	}
	return "";
}

static bool is_taken(const json_t *columns, const char *name)
{
	for (size_t i = 0; i < SN_COUNT(common_columns); i++) {
		if (strcmp(common_columns[i].name, name) == 0)
			return true;
	}
	for (size_t i = 0; i < json_array_size(columns); i++) {
		const json_t *column = json_array_get(columns, i);

		if (strcmp(json_string_value(json_object_get(column, "name")), name) == 0)
			return true;
	}
	return false;
}

static void plain_name(const char *prefix, const char *element, unsigned number,
		       char out[COLUMN_NAME_MAX])
{
	int n = snprintf(out, COLUMN_NAME_MAX, "%s%.*s", prefix, SN_MP_NAME_MAX, element);

	if (number > 1)
		snprintf(out + n, COLUMN_NAME_MAX - (size_t)n, "_%u", number);
	for (char *p = out; *p != '\0'; p++) {
		*p = (char)tolower((unsigned char)*p);
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9'))
			*p = '_';
	}
}

/*
 * A name that no other column has.  Of an element that is a parameter and a result column (`both`)
 * the result has the plain name: it is what was measured.
 */
static void choose_name(const json_t *columns, enum section section, bool both, const char *element,
			char out[COLUMN_NAME_MAX])
{
	const char *prefix = section == PARAMETER ? "param_" : "result_";
	bool plain = isalpha((unsigned char)element[0]) && !(both && section == PARAMETER);

	plain_name(plain ? "" : prefix, element, 1, out);
	for (unsigned number = 1; is_taken(columns, out); number++)
		plain_name(prefix, element, number, out);
}

static void define_column(json_t *columns, enum section section, bool both, const char *element,
			  enum sn_mp_prim prim, const struct sn_mp_element *known)
{
	char name[COLUMN_NAME_MAX];
	const char *help = known != NULL && known->desc[0] != '\0' ? known->desc : element;

	if (section == RESULT && strcmp(element, "time") == 0 && prim == SN_MP_TIME)
		return;
	choose_name(columns, section, both, element, name);
	json_array_append_new(columns,
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", name, "element",
					element, "prim", sn_mp_prim_name(prim), "section",
					section == PARAMETER ? "parameter" : "result", "unit",
					unit_of(element), "help", help));
}

/* What tells the series of one observer apart, and what is worth a chart. */
static const char *find_column(const json_t *columns, const char *section, bool number)
{
	for (size_t i = 0; i < json_array_size(columns); i++) {
		const json_t *column = json_array_get(columns, i);
		const char *prim = json_string_value(json_object_get(column, "prim"));
		const char *element = json_string_value(json_object_get(column, "element"));

		if (strcmp(json_string_value(json_object_get(column, "section")), section) != 0)
			continue;
		if (number ? strcmp(prim, "natural") == 0 || strcmp(prim, "real") == 0
			   : strncmp(element, "destination.", 12) == 0)
			return json_string_value(json_object_get(column, "name"));
	}
	return NULL;
}

static json_t *text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *define(const char *label, const struct sn_mp_message *message, struct sn_err *err)
{
	json_t *columns;

	if (message->param_count + message->column_count > COLUMNS_MAX) {
		sn_err_set(err, -E2BIG,
			   "capability '%.80s': more than %d parameters and result columns", label,
			   COLUMNS_MAX);
		return NULL;
	}
	columns = json_array();
	for (size_t i = 0; i < message->param_count; i++)
		define_column(columns, PARAMETER,
			      sn_mp_column(message, message->params[i].name) >= 0,
			      message->params[i].name, message->params[i].prim,
			      message->params[i].element);
	for (size_t i = 0; i < message->column_count; i++)
		define_column(columns, RESULT, false, message->columns[i].name,
			      message->columns[i].prim, message->columns[i].element);
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "label", label, "registry",
			 message->registry != NULL ? message->registry : "", "key",
			 text_or_null(find_column(columns, "parameter", false)), "chart",
			 text_or_null(find_column(columns, "result", true)), "columns", columns);
}

/* From a definition to a dataset --------------------------------------------------- */

static char *copy_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? sn_xstrdup(text) : NULL;
}

static int read_column(const json_t *json, struct sn_column *column, struct element *element)
{
	const char *prim = json_string_value(json_object_get(json, "prim"));
	const char *section = json_string_value(json_object_get(json, "section"));

	column->name = copy_text(json, "name");
	column->unit = copy_text(json, "unit");
	column->help = copy_text(json, "help");
	element->name = copy_text(json, "element");
	if (column->name == NULL || column->unit == NULL || column->help == NULL ||
	    element->name == NULL || prim == NULL || section == NULL ||
	    sn_mp_prim_find(prim, &element->prim) != 0)
		return -EINVAL;
	element->section = strcmp(section, "parameter") == 0 ? PARAMETER : RESULT;
	column->type = types[element->prim];
	return 0;
}

static bool same_columns(const struct sn_dataset *a, const struct sn_dataset *b)
{
	if (a->column_count != b->column_count)
		return false;
	for (size_t i = 0; i < a->column_count; i++) {
		if (a->columns[i].type != b->columns[i].type ||
		    strcmp(a->columns[i].name, b->columns[i].name) != 0)
			return false;
	}
	return true;
}

static void dataset_destroy(struct sn_dataset *dataset, struct sn_column *columns)
{
	for (size_t i = SN_COUNT(common_columns); i < dataset->column_count; i++) {
		free((char *)columns[i].name);
		free((char *)columns[i].unit);
		free((char *)columns[i].help);
	}
	free(columns);
	free((char *)dataset->name);
	free((char *)dataset->title);
	free((char *)dataset->help);
	free((char *)dataset->key);
	free((char *)dataset->chart);
	free(dataset);
}

/* What the catalogue has stays for ever; an equal one that was there before is used again. */
static const struct sn_dataset *enter(struct sn_dataset *dataset, struct sn_column *columns,
				      struct sn_err *err)
{
	const struct sn_dataset *there = sn_catalog_find(dataset->name);
	int failed = there == NULL ? sn_catalog_add(dataset) : 0;

	if (there == NULL && failed == 0)
		return dataset;
	if (there == NULL)
		sn_err_set(err, failed, "more than %d datasets of peers", SN_CATALOG_ADDED_MAX);
	else if (!same_columns(there, dataset)) {
		there = NULL;
		sn_err_set(err, -EEXIST, "dataset '%s' is there already with other columns",
			   dataset->name);
	}
	dataset_destroy(dataset, columns);
	return there;
}

static struct sn_derived_set *set_create(const char *name, const json_t *definition,
					 struct sn_err *err)
{
	const char *label = json_string_value(json_object_get(definition, "label"));
	const char *registry = json_string_value(json_object_get(definition, "registry"));
	const json_t *list = json_object_get(definition, "columns");
	size_t count = json_array_size(list), skip = SN_COUNT(common_columns);
	struct sn_derived_set *set = sn_new(struct sn_derived_set);
	struct sn_dataset *dataset = sn_new(struct sn_dataset);
	struct sn_column *columns = sn_new_n(struct sn_column, skip + count + 1);
	bool good = label != NULL && registry != NULL && count <= COLUMNS_MAX;

	memcpy(columns, common_columns, sizeof(common_columns));
	dataset->columns = columns;
	dataset->column_count = skip + (good ? count : 0);
	for (size_t i = skip; i < dataset->column_count; i++)
		good = read_column(json_array_get(list, i - skip), &columns[i],
				   &set->elements[i]) == 0 &&
		       good;
	dataset->name = sn_xstrdup(name);
	dataset->version = 1;
	dataset->title = sn_xstrdup(label != NULL ? label : "");
	dataset->help = sn_xasprintf("Results of the mPlane capability %s (registry %s).",
				     label != NULL ? label : "", registry != NULL ? registry : "");
	dataset->key = copy_text(definition, "key");
	dataset->chart = copy_text(definition, "chart");
	if (good) {
		set->dataset = enter(dataset, columns, err);
	} else {
		sn_err_set(err, -EINVAL, "definition of dataset '%s' is damaged", name);
		dataset_destroy(dataset, columns);
	}
	if (set->dataset == NULL) {
		set_destroy(set);
		return NULL;
	}
	return set;
}

/* All of them ------------------------------------------------------------------------- */

static void load(struct sn_derived *derived, const char *name, const char *text)
{
	struct sn_err err = {0};
	sn_autojson json_t *definition = sn_json_parse(text, strlen(text), &err);
	struct sn_derived_set *set = definition != NULL ? set_create(name, definition, &err) : NULL;

	if (set == NULL)
		sn_error("cannot use a dataset of peers: %s", err.text);
	else
		sn_map_set(derived->sets, name, set);
}

int sn_derived_open(struct sn_db *db, struct sn_derived **derived, struct sn_err *err)
{
	sqlite3_stmt *row =
		sn_db_query(db, err, "SELECT name, definition FROM mplane_datasets", "");
	struct sn_derived *made;
	int got;

	if (row == NULL)
		return err->code;
	made = sn_new(struct sn_derived);
	made->db = db;
	made->sets = sn_map_create(set_destroy);
	while ((got = sn_db_next(db, row, err)) == 1)
		load(made, (const char *)sqlite3_column_text(row, 0),
		     (const char *)sqlite3_column_text(row, 1));
	sn_db_done(row);
	if (got < 0) {
		sn_derived_close(made);
		return got;
	}
	*derived = made;
	return 0;
}

void sn_derived_close(struct sn_derived *derived)
{
	if (derived == NULL)
		return;
	sn_map_destroy(derived->sets);
	free(derived);
}

const struct sn_derived_set *sn_derived_find(const struct sn_derived *derived, const char *name)
{
	return sn_map_get(derived->sets, name);
}

const struct sn_dataset *sn_derived_dataset(const struct sn_derived_set *set)
{
	return set->dataset;
}

static int keep(struct sn_derived *derived, const char *name, const json_t *definition,
		int64_t now_ns, struct sn_err *err)
{
	sn_autofree char *text = json_dumps(definition, JSON_COMPACT);
	int changed = sn_db_run(derived->db, err,
				"INSERT OR IGNORE INTO mplane_datasets VALUES (?, ?, ?)", "tti",
				name, text, now_ns);

	return changed < 0 ? changed : 0;
}

const struct sn_derived_set *sn_derived_get(struct sn_derived *derived, const char *label,
					    const struct sn_mp_message *message, int64_t now_ns,
					    struct sn_err *err)
{
	char schema[SN_MP_HASH_SIZE], space[SN_OFFER_DATASET_MAX];
	struct sn_derived_set *set;
	sn_autojson json_t *definition = NULL;
	const char *name;

	sn_mp_schema_hash(message, schema);
	name = sn_offer_dataset(NULL, label, schema, space);
	set = sn_map_get(derived->sets, name);
	if (set != NULL)
		return set;
	definition = define(label, message, err);
	if (definition == NULL)
		return NULL;
	set = set_create(name, definition, err);
	if (set != NULL && keep(derived, name, definition, now_ns, err) != 0) {
		set_destroy(set);
		set = NULL;
	}
	if (set != NULL)
		sn_map_set(derived->sets, name, set);
	return set;
}

char *sn_derived_node(const char *provider, char out[SN_DERIVED_NODE_MAX])
{
	uint8_t hash[SN_SECRET_HASH_SIZE];
	char digits[33];

	if (strlen(provider) < SN_DERIVED_NODE_MAX) {
		snprintf(out, SN_DERIVED_NODE_MAX, "%s", provider);
		return out;
	}
	sn_secret_hash(sn_str(provider), hash);
	snprintf(out, SN_DERIVED_NODE_MAX, "%.95s~%s", provider, sn_hex(hash, 16, digits));
	return out;
}

/* Rows ---------------------------------------------------------------------------------- */

static struct sn_value value_of(enum sn_mp_prim prim, const char *text)
{
	struct sn_value value = {.type = SN_TYPE_NULL}, none = value;
	uint64_t natural;

	if (sn_mp_value_is_none(text))
		return none;
	value.type = types[prim];
	switch (prim) {
	case SN_MP_NATURAL:
		/* A number that the store cannot hold is no value, never a wrong one. */
		if (sn_parse_u64(sn_str(text), 0, INT64_MAX, &natural) != 0)
			return none;
		value.i = (int64_t)natural;
		return value;
	case SN_MP_REAL:
		return sn_parse_double(sn_str(text), -1e308, 1e308, &value.f) == 0 ? value : none;
	case SN_MP_BOOLEAN:
		value.b = strcmp(text, "True") == 0;
		return value;
	case SN_MP_TIME:
		return sn_mp_time_parse(sn_str(text), &value.i) == 0 ? value : none;
	default:
		value.s = sn_str(text);
		return value;
	}
}

static bool is_moment(int64_t point)
{
	return point != SN_MP_PAST && point != SN_MP_FUTURE && point != SN_MP_NOW &&
	       point != SN_MP_UNSET;
}

/* The interval that a result says it covers; `end` 0: it does not say. */
static void interval_of(const struct sn_mp_message *result, int64_t fallback_ns, int64_t *start,
			int64_t *end)
{
	const struct sn_mp_span *span = &result->when.span;
	bool known = result->when.set && is_moment(span->start);

	*start = known ? span->start : fallback_ns;
	*end = 0;
	if (known && is_moment(span->end))
		*end = span->end;
	else if (known && span->duration_ns >= 0 && span->duration_ns < SN_MP_FOREVER - *start)
		*end = *start + span->duration_ns;
}

static struct sn_batch *batch_of_day(const struct sn_derived_set *set, struct sn_derived_rows *rows,
				     int64_t time_ns)
{
	int64_t day = time_ns / DAY_NS - (time_ns % DAY_NS < 0);

	for (size_t i = 0; i < rows->count; i++) {
		int64_t first = sn_batch_get(rows->batches[i], 0, SN_COL_TIME)->i;

		if (first / DAY_NS - (first % DAY_NS < 0) == day)
			return rows->batches[i];
	}
	if (rows->count == SN_DERIVED_DAYS_MAX)
		return NULL;
	return rows->batches[rows->count++] = sn_batch_create(set->dataset);
}

static void fill(const struct sn_derived_set *set, const struct sn_mp_message *result, size_t row,
		 const struct sn_derived_origin *origin, const int *columns, struct sn_batch *batch)
{
	size_t last = sn_batch_rows(batch) - 1;

	for (size_t i = SN_COUNT(common_columns); i < set->dataset->column_count; i++) {
		const struct element *element = &set->elements[i];
		const char *text = NULL;

		if (element->section == PARAMETER) {
			text = sn_mp_value(result, element->name);
			if (text == NULL && origin->specification != NULL)
				text = sn_mp_value(origin->specification, element->name);
		} else if (columns[i] >= 0) {
			text = sn_mp_cell(result, row, (size_t)columns[i]);
		}
		sn_batch_set(batch, last, (int)i, value_of(element->prim, text));
	}
}

int sn_derived_read(const struct sn_derived_set *set, const struct sn_mp_message *result,
		    const struct sn_derived_origin *origin, struct sn_derived_rows *rows,
		    struct sn_err *err)
{
	int columns[SN_DATASET_COLUMNS_MAX], time_column = sn_mp_column(result, "time");
	int64_t start, end;

	*rows = (struct sn_derived_rows){0};
	interval_of(result, origin->fallback_ns, &start, &end);
	for (size_t i = 0; i < set->dataset->column_count; i++)
		columns[i] = set->elements[i].section == RESULT
				     ? sn_mp_column(result, set->elements[i].name)
				     : -1;
	for (size_t r = 0; r < result->row_count; r++) {
		struct sn_value time = {.type = SN_TYPE_NULL};
		struct sn_batch *batch;

		if (time_column >= 0 && result->columns[time_column].prim == SN_MP_TIME)
			time = value_of(SN_MP_TIME, sn_mp_cell(result, r, (size_t)time_column));
		if (time.type == SN_TYPE_NULL)
			time = (struct sn_value){.type = SN_TYPE_TIME, .i = start};
		batch = batch_of_day(set, rows, time.i);
		if (batch == NULL) {
			sn_derived_rows_finish(rows);
			return sn_err_set(err, -EINVAL, "rows of more than %d days in one result",
					  SN_DERIVED_DAYS_MAX);
		}
		sn_batch_add_row(batch);
		sn_batch_set_time(batch, SN_COL_TIME, time.i);
		sn_batch_set_text(batch, SN_COL_NODE, sn_str(origin->node));
		sn_batch_set_text(batch, SN_COL_TASK, sn_str(origin->task));
		sn_batch_set_i64(batch, SN_COL_SEQ, (int64_t)r);
		if (end != 0)
			sn_batch_set_time(batch, COL_WHEN_END, end);
		fill(set, result, r, origin, columns, batch);
		rows->rows++;
	}
	return 0;
}

void sn_derived_rows_finish(struct sn_derived_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		sn_batch_destroy(rows->batches[i]);
	*rows = (struct sn_derived_rows){0};
}

/* Results --------------------------------------------------------------------------------- */

static const char *text_of(const struct sn_value *value, char *out, size_t size)
{
	switch (value->type) {
	case SN_TYPE_NULL:
		return NULL;
	case SN_TYPE_BOOL:
		return value->b ? "True" : "False";
	case SN_TYPE_I64:
		snprintf(out, size, "%lld", (long long)value->i);
		return out;
	case SN_TYPE_F64:
		snprintf(out, size, "%.17g", value->f);
		return out;
	case SN_TYPE_TIME:
		return sn_mp_time_format(value->i, out);
	case SN_TYPE_TEXT:
		snprintf(out, size, "%.*s", (int)value->s.n, value->s.p);
		return out;
	}
	return NULL;
}

static int column_of(const struct sn_derived_set *set, const struct sn_mp_column *column)
{
	if (strcmp(column->name, "time") == 0 && column->prim == SN_MP_TIME)
		return SN_COL_TIME;
	for (size_t i = SN_COUNT(common_columns); i < set->dataset->column_count; i++) {
		if (set->elements[i].section == RESULT &&
		    strcmp(set->elements[i].name, column->name) == 0)
			return (int)i;
	}
	return -1;
}

struct row_writer {
	struct sn_mp_message *result;
	int *columns; /* of the dataset, for each of the result; -1: none */
	const char **texts;
	char *space; /* a text's room for each column */
};

static void writer_init(struct row_writer *writer, const struct sn_derived_set *set,
			struct sn_mp_message *result)
{
	writer->result = result;
	writer->columns = sn_new_n(int, result->column_count + 1);
	writer->texts = sn_new_n(const char *, result->column_count + 1);
	writer->space = sn_xmalloc((result->column_count + 1) * (SN_TEXT_MAX + 1));
	for (size_t i = 0; i < result->column_count; i++)
		writer->columns[i] = column_of(set, &result->columns[i]);
}

static void writer_finish(struct row_writer *writer)
{
	free(writer->columns);
	free(writer->texts);
	free(writer->space);
}

static void add_row(struct row_writer *writer, const struct sn_value *row)
{
	struct sn_err err = {0};

	for (size_t i = 0; i < writer->result->column_count; i++) {
		char *room = writer->space + i * (SN_TEXT_MAX + 1);

		writer->texts[i] = writer->columns[i] < 0 ? NULL
							  : text_of(&row[writer->columns[i]], room,
								    SN_TEXT_MAX + 1);
	}
	if (sn_mp_add_row(writer->result, writer->texts, &err) != 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "a stored row is no result any more: %s", err.text);
}

static void widen(struct sn_mp_span *span, const struct sn_value *row)
{
	const struct sn_value *end = &row[COL_WHEN_END];
	int64_t start_ns = row[SN_COL_TIME].i;
	int64_t end_ns = end->type == SN_TYPE_TIME ? SN_MAX(end->i, start_ns) : start_ns;

	span->start = SN_MIN(span->start, start_ns);
	span->end = SN_MAX(span->end, end_ns);
}

struct sn_mp_message *sn_derived_result(const struct sn_derived_set *set,
					const struct sn_mp_message *specification,
					const struct sn_batch *rows, int64_t fallback_ns)
{
	struct sn_mp_message *result = sn_mp_message_as(specification, SN_MP_RESULT);
	struct sn_mp_span span = {.start = INT64_MAX, .end = INT64_MIN, .duration_ns = -1};
	struct row_writer writer;

	writer_init(&writer, set, result);
	for (size_t r = 0; r < sn_batch_rows(rows); r++) {
		add_row(&writer, sn_batch_row(rows, r));
		widen(&span, sn_batch_row(rows, r));
	}
	if (sn_batch_rows(rows) == 0)
		span.start = span.end = fallback_ns;
	result->when = (struct sn_mp_when){.set = true, .span = span};
	writer_finish(&writer);
	return result;
}
