/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "hub/control.h"
#include "hub/derived.h"
#include "hub/offers.h"
#include "mplane/codec.h"
#include "mplane/match.h"

#define NOW     INT64_C(1800000000000000000)
#define CORE    "\"registry\":\"" SN_MP_REGISTRY_CORE "\""
#define COLUMNS 5 /* before those of the capability */

static char dir[64];
static struct sn_db *db;
static struct sn_mp_registries *registries;
static struct sn_derived *derived;

static void reopen(void)
{
	struct sn_err err = {0};

	sn_derived_close(derived);
	derived = NULL;
	if (sn_derived_open(db, &derived, &err) != 0)
		fail_msg("%s", err.text);
}

static int start(void **state)
{
	sn_autofree char *path = NULL;
	struct sn_err err = {0};

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/sonde-derived-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	path = sn_fs_join(dir, "control.sqlite");
	if (sn_control_open(path, &db, &err) != 0)
		fail_msg("%s", err.text);
	registries = sn_mp_registries_create();
	reopen();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	sn_derived_close(derived);
	derived = NULL;
	sn_mp_registries_destroy(registries);
	sn_db_close(db);
	sn_fs_remove_tree(dir, NULL);
	return 0;
}

static struct sn_mp_message *read_message(const char *json)
{
	struct sn_err err = {0};
	struct sn_mp_message *message = sn_mp_decode(registries, json, strlen(json), 0, NULL, &err);

	if (message == NULL)
		fail_msg("%s", err.text);
	return message;
}

/* A set of its own for each label: what the catalogue has stays in this process. */
static const struct sn_derived_set *set_of(const char *label, const struct sn_mp_message *message)
{
	struct sn_err err = {0};
	const struct sn_derived_set *set = sn_derived_get(derived, label, message, NOW, &err);

	if (set == NULL)
		fail_msg("%s", err.text);
	return set;
}

static const struct sn_column *column_of(const struct sn_derived_set *set, const char *name)
{
	const struct sn_dataset *dataset = sn_derived_dataset(set);
	int i = sn_dataset_column(dataset, name);

	if (i < 0)
		fail_msg("'%s' is no column", name);
	return &dataset->columns[i];
}

static const char hops[] =
	"{\"result\":\"measure\",\"version\":1," CORE ",\"label\":\"hops-1\",\"token\":\"t\","
	"\"when\":\"2031-05-06 10:00:00.000000 ... 2031-05-06 10:00:09.000000\","
	"\"parameters\":{\"source.ip4\":\"198.51.100.21\",\"hops.ip\":\"12\"},"
	"\"results\":[\"time\",\"hops.ip\",\"intermediate.ip4\",\"rtt.us\",\"cpuload\","
	"\"connectivity.ip\",\"octets.ip\",\"System_ID\"],\"resultvalues\":["
	"[\"2031-05-06 10:00:00.120000\",\"1\",\"198.51.100.1\",\"412\",\"0.25\",\"True\",\"7\","
	"\"x\"],[\"2031-05-06 10:00:02.130100\",\"2\",\"*\",\"*\",\"*\",\"False\",\"0\",\"*\"]]}";

static void elements_become_columns_with_plain_names_types_and_units(void **state)
{
	sn_automp struct sn_mp_message *message = read_message(hops);
	const struct sn_derived_set *set = set_of("Hop.Delay", message);
	const struct sn_dataset *dataset = sn_derived_dataset(set);
	static const struct sn_column common[] = {SN_COMMON_COLUMNS};

	(void)state;
	assert_true(strncmp(dataset->name, "mp_hop_delay_", 13) == 0);
	assert_ptr_equal(sn_catalog_find(dataset->name), dataset);
	for (size_t i = 0; i < SN_COUNT(common); i++)
		assert_string_equal(dataset->columns[i].name, common[i].name);
	assert_string_equal(dataset->columns[SN_COL_COMMON].name, "when_end");
	assert_int_equal(column_of(set, "source_ip4")->type, SN_TYPE_TEXT);
	/* Parameter and result: the result has the plain name. */
	assert_int_equal(column_of(set, "param_hops_ip")->type, SN_TYPE_I64);
	assert_int_equal(column_of(set, "hops_ip")->type, SN_TYPE_I64);
	assert_int_equal(column_of(set, "cpuload")->type, SN_TYPE_F64);
	assert_int_equal(column_of(set, "connectivity_ip")->type, SN_TYPE_BOOL);
	assert_int_equal(column_of(set, "system_id")->type, SN_TYPE_TEXT);
	assert_string_equal(column_of(set, "rtt_us")->unit, "us");
	assert_string_equal(column_of(set, "octets_ip")->unit, "B");
	/* `time` is the row's. */
	assert_int_equal(dataset->column_count, COLUMNS + 2 + 7);
	assert_int_equal(sn_dataset_column(dataset, dataset->chart), COLUMNS + 2);
}

static void names_that_are_taken_get_others(void **state)
{
	sn_automp struct sn_mp_message *message = read_message(
		"{\"result\":\"measure\"," CORE ",\"label\":\"x\",\"token\":\"t\","
		"\"when\":\"2031-05-06 10:00:00 ... 2031-05-06 10:00:09\","
		"\"parameters\":{\"node\":\"1\",\"a.b\":\"2\",\"a_b\":\"3\",\"7up\":\"4\"},"
		"\"results\":[\"seq\",\"A.B\",\"when.end\"],\"resultvalues\":[]}");
	const struct sn_derived_set *set = set_of("taken", message);

	(void)state;
	column_of(set, "param_node");
	column_of(set, "a_b");
	column_of(set, "param_a_b");
	column_of(set, "param_7up");
	column_of(set, "result_seq");
	column_of(set, "result_a_b");
	column_of(set, "result_when_end");
	assert_int_equal(sn_derived_dataset(set)->column_count, COLUMNS + 7);
}

static void definitions_are_kept(void **state)
{
	sn_automp struct sn_mp_message *message = read_message(hops);
	const struct sn_dataset *before = sn_derived_dataset(set_of("kept", message)), *after;
	const struct sn_derived_set *set;

	(void)state;
	reopen();
	set = sn_derived_find(derived, before->name);
	assert_non_null(set);
	after = sn_derived_dataset(set);
	assert_ptr_equal(after, before); /* of this process's catalogue */
	assert_ptr_equal(set_of("kept", message), set);
	assert_null(sn_derived_find(derived, "mp_nothing_00000000"));
}

static void damaged_definition_keeps_nobody_from_starting(void **state)
{
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_db_run(db, &err,
				   "INSERT INTO mplane_datasets VALUES ('mp_bad_1', ?, 0)", "t",
				   "{\"label\":\"x\",\"columns\":[{}]}"),
			 1);
	assert_int_equal(sn_db_run(db, &err,
				   "INSERT INTO mplane_datasets VALUES ('mp_bad_2', ?, 0)", "t",
				   "nonsense"),
			 1);
	reopen();
	assert_null(sn_derived_find(derived, "mp_bad_1"));
	assert_null(sn_catalog_find("mp_bad_2"));
}

static struct sn_derived_rows read_rows(const struct sn_derived_set *set,
					const struct sn_mp_message *result)
{
	struct sn_derived_origin origin = {.node = "peer:p", .task = "m1", .fallback_ns = NOW};
	struct sn_derived_rows rows;
	struct sn_err err = {0};

	if (sn_derived_read(set, result, &origin, &rows, &err) != 0)
		fail_msg("%s", err.text);
	return rows;
}

static void assert_same(const struct sn_mp_message *a, const struct sn_mp_message *b)
{
	struct sn_buf left = {0}, right = {0};

	sn_mp_encode(a, SN_MP_INDENT, &left);
	sn_mp_encode(b, SN_MP_INDENT, &right);
	assert_string_equal(sn_buf_cstr(&left), sn_buf_cstr(&right));
	sn_buf_finish(&left);
	sn_buf_finish(&right);
}

static void rows_are_read_back_as_the_same_result(void **state)
{
	sn_automp struct sn_mp_message *message = read_message(hops), *back = NULL;
	sn_automp struct sn_mp_message *asked = sn_mp_message_as(message, SN_MP_SPECIFICATION);
	const struct sn_derived_set *set = set_of("there.and.back", message);
	struct sn_derived_rows rows = read_rows(set, message);
	const struct sn_value *row = sn_batch_row(rows.batches[0], 1);

	(void)state;
	assert_int_equal(rows.count, 1);
	assert_int_equal(rows.rows, 2);
	assert_int_equal(row[SN_COL_SEQ].i, 1);
	assert_true(sn_str_eqc(row[SN_COL_NODE].s, "peer:p"));
	assert_true(sn_str_eqc(row[SN_COL_TASK].s, "m1"));
	back = sn_derived_result(set, asked, rows.batches[0], NOW);
	/* Its time is that of its rows, the end that of the result. */
	back->when.span.start = message->when.span.start;
	assert_same(back, message);
	sn_derived_rows_finish(&rows);
}

static void numbers_that_no_column_holds_are_no_value(void **state)
{
	sn_automp struct sn_mp_message *message = read_message(
		"{\"result\":\"measure\"," CORE ",\"label\":\"x\",\"token\":\"t\",\"when\":\"now\","
		"\"results\":[\"rtt.us\"],\"resultvalues\":[[\"18446744073709551615\"],"
		"[\"9223372036854775807\"],[\"*\"],[null]]}");
	const struct sn_derived_set *set = set_of("large", message);
	struct sn_derived_rows rows = read_rows(set, message);

	(void)state;
	assert_int_equal(sn_batch_get(rows.batches[0], 0, COLUMNS)->type, SN_TYPE_NULL);
	assert_int_equal(sn_batch_get(rows.batches[0], 1, COLUMNS)->i, INT64_MAX);
	assert_int_equal(sn_batch_get(rows.batches[0], 2, COLUMNS)->type, SN_TYPE_NULL);
	assert_int_equal(sn_batch_get(rows.batches[0], 3, COLUMNS)->type, SN_TYPE_NULL);
	/* A result that does not say when is of the measurement's start. */
	assert_int_equal(sn_batch_get(rows.batches[0], 0, SN_COL_TIME)->i, NOW);
	sn_derived_rows_finish(&rows);
}

/* A result with a row at the beginning of each of `days` days. */
static struct sn_mp_message *over_days(unsigned days)
{
	struct sn_buf text = {0};
	struct sn_mp_message *message;

	sn_buf_adds(&text, "{\"result\":\"measure\"," CORE ",\"label\":\"x\",\"token\":\"t\","
			   "\"when\":\"2031-01-01 ... 2031-04-01\",\"results\":[\"time\"],"
			   "\"resultvalues\":[");
	for (unsigned i = 0; i < days; i++)
		sn_buf_addf(&text, "%s[\"2031-%02u-%02u 00:00:00\"]", i > 0 ? "," : "", 1 + i / 28,
			    1 + i % 28);
	sn_buf_adds(&text, "]}");
	message = read_message(sn_buf_cstr(&text));
	sn_buf_finish(&text);
	return message;
}

static void each_day_is_a_batch_of_its_own_and_not_too_many(void **state)
{
	sn_automp struct sn_mp_message *most = over_days(SN_DERIVED_DAYS_MAX);
	sn_automp struct sn_mp_message *more = over_days(SN_DERIVED_DAYS_MAX + 1);
	const struct sn_derived_set *set = set_of("days", most);
	struct sn_derived_rows rows = read_rows(set, most);
	struct sn_derived_origin origin = {.node = "n", .task = "t"};
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(rows.count, SN_DERIVED_DAYS_MAX);
	sn_derived_rows_finish(&rows);
	assert_int_equal(sn_derived_read(set, more, &origin, &rows, &err), -EINVAL);
	assert_non_null(strstr(err.text, "days"));
	assert_int_equal(rows.count, 0);
}

static void too_many_columns_are_refused(void **state)
{
	struct sn_mp_message *message = sn_mp_message_create(SN_MP_CAPABILITY, "measure");
	struct sn_err err = {0};

	(void)state;
	for (int i = 0; i < SN_DATASET_COLUMNS_MAX - COLUMNS + 1; i++) {
		char name[32];

		snprintf(name, sizeof(name), "column.%d", i);
		assert_int_equal(sn_mp_add_column(message, registries, name, &err), 0);
	}
	assert_null(sn_derived_get(derived, "too-wide", message, NOW, &err));
	assert_int_equal(err.code, -E2BIG);
	sn_mp_message_destroy(message);
}

static void long_names_of_peers_stay_apart(void **state)
{
	char one[SN_PROVIDER_MAX], two[SN_PROVIDER_MAX], a[SN_DERIVED_NODE_MAX],
		b[SN_DERIVED_NODE_MAX];

	(void)state;
	memset(one, 'x', sizeof(one));
	one[sizeof(one) - 1] = '\0';
	memcpy(two, one, sizeof(two));
	two[sizeof(two) - 2] = 'y';
	assert_int_equal(strlen(sn_derived_node(one, a)), SN_DERIVED_NODE_MAX - 1);
	assert_string_not_equal(a, sn_derived_node(two, b));
	assert_string_equal(sn_derived_node("peer:short", a), "peer:short");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			elements_become_columns_with_plain_names_types_and_units, start, stop),
		cmocka_unit_test_setup_teardown(names_that_are_taken_get_others, start, stop),
		cmocka_unit_test_setup_teardown(definitions_are_kept, start, stop),
		cmocka_unit_test_setup_teardown(damaged_definition_keeps_nobody_from_starting,
						start, stop),
		cmocka_unit_test_setup_teardown(rows_are_read_back_as_the_same_result, start, stop),
		cmocka_unit_test_setup_teardown(numbers_that_no_column_holds_are_no_value, start,
						stop),
		cmocka_unit_test_setup_teardown(each_day_is_a_batch_of_its_own_and_not_too_many,
						start, stop),
		cmocka_unit_test_setup_teardown(too_many_columns_are_refused, start, stop),
		cmocka_unit_test_setup_teardown(long_names_of_peers_stay_apart, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
