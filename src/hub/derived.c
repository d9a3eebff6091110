/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "derived"
#include "hub/derived_internal.h"

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
#include "hub/sql.h"

#define COLUMN_NAME_MAX 160
#define COLUMNS_MAX     (SN_DATASET_COLUMNS_MAX - SN_DERIVED_FIRST)

struct sn_derived {
	struct sn_db *db;
	struct sn_map *sets; /* by the dataset's name */
};

static const struct sn_column common_columns[] = {
	SN_COMMON_COLUMNS,
	{"when_end", SN_TYPE_TIME, "s", "when the observation ended, Unix time (UTC)"},
};
_Static_assert(SN_COUNT(common_columns) == SN_DERIVED_FIRST, "counted in derived_internal.h");

const enum sn_type sn_derived_types[SN_MP_PRIMS] = {
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
static void choose_name(const json_t *columns, enum sn_derived_section section, bool both,
			const char *element, char out[COLUMN_NAME_MAX])
{
	const char *prefix = section == SN_DERIVED_PARAMETER ? "param_" : "result_";
	bool plain =
		isalpha((unsigned char)element[0]) && !(both && section == SN_DERIVED_PARAMETER);

	plain_name(plain ? "" : prefix, element, 1, out);
	for (unsigned number = 1; is_taken(columns, out); number++)
		plain_name(prefix, element, number, out);
}

static void define_column(json_t *columns, enum sn_derived_section section, bool both,
			  const char *element, enum sn_mp_prim prim,
			  const struct sn_mp_element *known)
{
	char name[COLUMN_NAME_MAX];
	const char *help = known != NULL && known->desc[0] != '\0' ? known->desc : element;

	if (section == SN_DERIVED_RESULT && strcmp(element, "time") == 0 && prim == SN_MP_TIME)
		return;
	choose_name(columns, section, both, element, name);
	json_array_append_new(columns,
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", name, "element",
					element, "prim", sn_mp_prim_name(prim), "section",
					section == SN_DERIVED_PARAMETER ? "parameter" : "result",
					"unit", unit_of(element), "help", help));
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
		define_column(columns, SN_DERIVED_PARAMETER,
			      sn_mp_column(message, message->params[i].name) >= 0,
			      message->params[i].name, message->params[i].prim,
			      message->params[i].element);
	for (size_t i = 0; i < message->column_count; i++)
		define_column(columns, SN_DERIVED_RESULT, false, message->columns[i].name,
			      message->columns[i].prim, message->columns[i].element);
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "label", label, "registry",
			 message->registry != NULL ? message->registry : "", "key",
			 sn_json_text(find_column(columns, "parameter", false)), "chart",
			 sn_json_text(find_column(columns, "result", true)), "columns", columns);
}

/* From a definition to a dataset --------------------------------------------------- */

static char *copy_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? sn_xstrdup(text) : NULL;
}

static int read_column(const json_t *json, struct sn_column *column,
		       struct sn_derived_element *element)
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
	element->section =
		strcmp(section, "parameter") == 0 ? SN_DERIVED_PARAMETER : SN_DERIVED_RESULT;
	column->type = sn_derived_types[element->prim];
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
