/* SPDX-License-Identifier: Apache-2.0 */
/* What every declaration of the catalogue must keep to, so that all that is made from it works. */
#include "lib/test.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "data/dataset.h"
#include "data/method.h"

#include "base/str.h"
#include "base/util.h"

static bool is_plain_name(const char *name)
{
	if (!islower((unsigned char)name[0]))
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_')
			return false;
	return true;
}

/* Tstat's columns keep their names, with capitals in them ("c_tls_SNI", "SSRC"). */
static bool is_column_name(const struct sn_dataset *dataset, const char *name)
{
	if (!sn_str_has_prefix(sn_str(dataset->name), "tstat_"))
		return is_plain_name(name);
	for (const char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return false;
	return isalpha((unsigned char)name[0]);
}

static void datasets_have_plain_names_of_their_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_catalog_count; i++) {
		assert_true(is_plain_name(sn_catalog[i]->name));
		assert_ptr_equal(sn_catalog_find(sn_catalog[i]->name), sn_catalog[i]);
		assert_true(sn_catalog[i]->version >= 1);
		assert_non_null(sn_catalog[i]->title);
		assert_non_null(sn_catalog[i]->help);
	}
	assert_null(sn_catalog_find("nothing"));
	assert_null(sn_catalog_find(""));
}

static void datasets_begin_with_the_common_columns(void **state)
{
	static const struct sn_column common[] = {SN_COMMON_COLUMNS};

	(void)state;
	for (size_t i = 0; i < sn_catalog_count; i++) {
		const struct sn_dataset *dataset = sn_catalog[i];

		assert_true(dataset->column_count >= SN_COL_COMMON);
		assert_true(dataset->column_count <= SN_DATASET_COLUMNS_MAX);
		for (size_t c = 0; c < SN_COL_COMMON; c++) {
			assert_string_equal(dataset->columns[c].name, common[c].name);
			assert_int_equal(dataset->columns[c].type, common[c].type);
		}
	}
}

static void columns_have_names_types_units_and_meanings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_catalog_count; i++) {
		const struct sn_dataset *dataset = sn_catalog[i];

		for (size_t c = 0; c < dataset->column_count; c++) {
			const struct sn_column *column = &dataset->columns[c];

			assert_true(is_column_name(dataset, column->name));
			assert_int_not_equal(column->type, SN_TYPE_NULL);
			assert_non_null(column->unit);
			assert_non_null(column->help);
			/* Also says that no name is there twice. */
			assert_int_equal(sn_dataset_column(dataset, column->name), c);
		}
		assert_int_equal(sn_dataset_column(dataset, "no_such_column"), -1);
	}
}

static void units_are_those_of_the_name(void **state)
{
	static const struct {
		const char *suffix, *unit;
	} rules[] = {{"_seconds", "s"}, {"_bytes", "B"}, {"_ratio", "1"}, {"_packets", "packets"}};

	(void)state;
	for (size_t i = 0; i < sn_catalog_count; i++) {
		for (size_t c = 0; c < sn_catalog[i]->column_count; c++) {
			const struct sn_column *column = &sn_catalog[i]->columns[c];
			const char *suffix = strrchr(column->name, '_');

			for (size_t r = 0; suffix != NULL && r < SN_COUNT(rules); r++)
				if (strcmp(suffix, rules[r].suffix) == 0)
					assert_string_equal(column->unit, rules[r].unit);
		}
	}
}

static void key_and_chart_are_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_catalog_count; i++) {
		const struct sn_dataset *dataset = sn_catalog[i];
		int key, chart;

		if (dataset->key != NULL) {
			key = sn_dataset_column(dataset, dataset->key);
			assert_true(key >= SN_COL_COMMON);
			assert_int_equal(dataset->columns[key].type, SN_TYPE_TEXT);
		}
		if (dataset->chart != NULL) {
			chart = sn_dataset_column(dataset, dataset->chart);
			assert_true(chart >= SN_COL_COMMON);
			assert_true(dataset->columns[chart].type == SN_TYPE_I64 ||
				    dataset->columns[chart].type == SN_TYPE_F64);
		}
	}
}

static void types_have_names(void **state)
{
	(void)state;
	assert_string_equal(sn_type_name(SN_TYPE_BOOL), "bool");
	assert_string_equal(sn_type_name(SN_TYPE_I64), "integer");
	assert_string_equal(sn_type_name(SN_TYPE_F64), "number");
	assert_string_equal(sn_type_name(SN_TYPE_TEXT), "text");
	assert_string_equal(sn_type_name(SN_TYPE_TIME), "time");
}

static void methods_write_a_dataset_of_the_catalogue(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_method_count; i++) {
		const struct sn_method *method = sn_methods[i];

		assert_ptr_equal(sn_method_find(method->name), method);
		assert_ptr_equal(sn_catalog_find(method->dataset->name), method->dataset);
		assert_true(sn_str_has_prefix(sn_str(method->program), "sonde-"));
	}
	assert_null(sn_method_find("nothing"));
}

static void datasets_of_run_time_are_found_behind_those_of_the_build(void **state)
{
	static const struct sn_column columns[] = {SN_COMMON_COLUMNS};
	static const struct sn_dataset made = {
		.name = "made_while_running",
		.version = 1,
		.title = "Made",
		.help = "Declared by a test.",
		.columns = columns,
		.column_count = SN_COUNT(columns),
	};
	size_t size = sn_catalog_size();

	(void)state;
	assert_int_equal(size, sn_catalog_count);
	assert_int_equal(sn_catalog_add(&made), 0);
	assert_int_equal(sn_catalog_size(), size + 1);
	assert_ptr_equal(sn_catalog_at(size), &made);
	assert_ptr_equal(sn_catalog_at(0), sn_catalog[0]);
	assert_ptr_equal(sn_catalog_find("made_while_running"), &made);
	assert_int_equal(sn_catalog_add(&made), -EEXIST);
	assert_int_equal(sn_catalog_add(&sn_dataset_ping), -EEXIST);
	assert_int_equal(sn_catalog_size(), size + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datasets_have_plain_names_of_their_own),
		cmocka_unit_test(datasets_begin_with_the_common_columns),
		cmocka_unit_test(columns_have_names_types_units_and_meanings),
		cmocka_unit_test(units_are_those_of_the_name),
		cmocka_unit_test(key_and_chart_are_columns),
		cmocka_unit_test(types_have_names),
		cmocka_unit_test(methods_write_a_dataset_of_the_catalogue),
		cmocka_unit_test(datasets_of_run_time_are_found_behind_those_of_the_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
