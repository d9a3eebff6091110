/* SPDX-License-Identifier: Apache-2.0 */
/* Files of all forms into a store: once, whatever happens. */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rand.h"
#include "data/codec.h"
#include "data/monroe/tables.h"
#include "exchange/importer.h"
#include "exchange/mplane_file.h"
#include "exchange/parts.h"
#include "lib/squeeze.h"
#include "store/store.h"

#define HEADER "#c_ip:1 c_port:2 s_ip:3 s_port:4 first:5 last:6\n"
#define DAY_1  INT64_C(1772323200) /* 2026-03-01 in seconds */
#define NOW_NS (INT64_C(1780000000) * SN_NS_PER_S)
#define PING                                                                                       \
	"{\"DataId\":\"MONROE.EXP.PING\",\"Bytes\":64,\"NodeId\":\"12\",\"SequenceNumber\":%d,"    \
	"\"DataVersion\":2,\"Timestamp\":1772366400.6893,\"Rtt\":0.05,\"Host\":\"10.99.0.1\","     \
	"\"Operator\":\"Telenor\",\"Iccid\":\"8947000000000000010\",\"Guid\":\"sha256:abc.0.12."   \
	"1\"}\n"

struct world {
	char dir[32];
	char *store;
	struct sn_import_options options;
	struct sn_import_report report;
	struct sn_err err;
	struct sn_buf bad; /* "line: reason|" */
	uint64_t stop_at;  /* parts of this run; 0: none */
	json_t *messages;
};

static int create(void **state)
{
	struct world *world = sn_new(struct world);

	strcpy(world->dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(world->dir) == NULL)
		return -1;
	world->store = sn_fs_join(world->dir, "store");
	world->options.now_ns = NOW_NS;
	world->options.ctx = world;
	world->messages = json_array();
	*state = world;
	return 0;
}

static int destroy(void **state)
{
	struct world *world = *state;

	sn_fs_remove_tree(world->dir, NULL);
	json_decref(world->messages);
	sn_buf_finish(&world->bad);
	free(world->store);
	free(world);
	return 0;
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, create, destroy)

static void put_file(struct world *world, const char *name, struct sn_str text, char **path)
{
	FILE *file;

	*path = sn_fs_join(world->dir, name);
	file = fopen(*path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text.p, 1, text.n, file), text.n);
	fclose(file);
}

static int import_into(struct world *world, const char *store, const char *path)
{
	struct sn_importer *importer;
	int rc;

	if (sn_importer_open(store, &importer, &world->err) != 0)
		fail_msg("%s", world->err.text);
	rc = sn_importer_file(importer, path, &world->options, &world->report, &world->err);
	sn_importer_close(importer);
	return rc;
}

static int import_text(struct world *world, const char *name, const char *text)
{
	sn_autofree char *path = NULL;

	put_file(world, name, sn_str(text), &path);
	return import_into(world, world->store, path);
}

static void assert_imported(struct world *world, int rc, uint64_t rows)
{
	if (rc != 0)
		fail_msg("%s", world->err.text);
	assert_int_equal(world->report.counts.rows, rows);
	assert_int_equal(world->report.phase, SN_IMPORT_DONE);
}

static int add_line(const struct sn_value *row, void *ctx)
{
	sn_jsonl_write_row(ctx, &sn_dataset_tstat_tcp_complete, row);
	return 0;
}

static int add_any(const struct sn_value *row, void *ctx)
{
	(void)row;
	++*(uint64_t *)ctx;
	return 0;
}

/* All rows of log_tcp_complete, in the order of the store. */
static void dump(const char *dir, struct sn_buf *out)
{
	struct sn_query query = {.dataset = &sn_dataset_tstat_tcp_complete,
				 .limit = SN_QUERY_LIMIT_MAX};
	struct sn_store *store;
	struct sn_err err;

	assert_int_equal(sn_store_open(dir, &store, &err), 0);
	if (sn_store_query(store, &query, add_line, out, NULL, &err) != 0)
		fail_msg("%s", err.text);
	sn_store_close(store);
	sn_buf_cstr(out);
}

static uint64_t rows_of(const char *dir, const struct sn_dataset *dataset)
{
	struct sn_query query = {.dataset = dataset, .limit = SN_QUERY_LIMIT_MAX};
	struct sn_store *store;
	struct sn_err err;
	uint64_t rows = 0;

	assert_int_equal(sn_store_open(dir, &store, &err), 0);
	if (sn_store_query(store, &query, add_any, &rows, NULL, &err) != 0)
		fail_msg("%s", err.text);
	sn_store_close(store);
	return rows;
}

static uint64_t flows_in(const struct world *world)
{
	return rows_of(world->store, &sn_dataset_tstat_tcp_complete);
}

static void add_flow(struct sn_buf *out, unsigned i, int64_t at_s)
{
	sn_buf_addf(out, "10.0.%u.%u %u 192.0.2.1 443 %lld.%06u %lld.000000\n", i >> 8 & 255,
		    i & 255, 1024 + i % 60000, (long long)at_s * 1000 + i % 1000, i % 1000000,
		    (long long)at_s * 1000 + 5000);
}

/* Rows of many days in no order, so that parts are cut all the time. */
static void make_wild_log(struct sn_buf *out, unsigned rows, unsigned days)
{
	struct sn_prng prng;

	sn_prng_seed(&prng, 7);
	sn_buf_adds(out, HEADER);
	for (unsigned i = 0; i < rows; i++)
		add_flow(out, i, DAY_1 - (int64_t)(sn_prng_u64(&prng) % days) * 86400);
}

static void note_bad(const struct sn_bad_line *bad, void *ctx)
{
	struct world *world = ctx;

	sn_buf_addf(&world->bad, "%u: %s|", (unsigned)bad->line, bad->reason);
}

/* Forms -------------------------------------------------------------------- */

static void a_log_is_known_by_its_name_or_its_header(void **state)
{
	struct world *world = *state;

	assert_imported(world,
			import_text(world, "log_tcp_complete",
				    HEADER
				    "10.0.0.1 1 192.0.2.1 80 1772366400000.5 1772366400001.0\n"),
			1);
	assert_string_equal(world->report.dataset, "tstat_tcp_complete");
	assert_imported(world,
			import_text(world, "flows.txt",
				    "#31#c_ip:1 c_port:2 c_pkts_all:3 c_tls_SNI:4 s_ip:5 first:6\n"
				    "10.0.0.1 1 5 - 192.0.2.1 1772366400000.5\n"),
			1);
	assert_int_equal(world->report.form, SN_FORM_TSTAT);
	assert_int_equal(flows_in(world), 2);
}

static void records_of_monroe_are_known_by_their_data_id(void **state)
{
	struct world *world = *state;
	sn_autofree char *text = sn_xasprintf(PING PING, 1, 2);

	assert_imported(world, import_text(world, "result.json", text), 2);
	assert_int_equal(world->report.form, SN_FORM_MONROE);
	assert_int_equal(rows_of(world->store, &sn_dataset_monroe_exp_ping), 2);
}

static void own_files_are_of_the_dataset_that_is_named(void **state)
{
	struct world *world = *state;

	assert_imported(world,
			import_text(world, "2026-03-01_ping.csv",
				    "time,target,sent\n2026-03-01T12:00:00Z,a.example,1\n"),
			1);
	assert_int_equal(import_text(world, "rows.jsonl", "{\"time\":\"2026-03-01T12:00:00Z\"}\n"),
			 -EINVAL);
	assert_non_null(strstr(world->err.text, "--dataset"));
	world->options.dataset = &sn_dataset_ping;
	assert_imported(world,
			import_text(world, "rows.jsonl", "{\"time\":\"2026-03-01T12:00:00Z\"}\n"),
			1);
	assert_int_equal(rows_of(world->store, &sn_dataset_ping), 2);
}

static void what_has_no_form_is_refused(void **state)
{
	struct world *world = *state;

	assert_int_equal(import_text(world, "notes.txt", "hello\n"), -EINVAL);
	assert_non_null(strstr(world->err.text, "--form"));
	assert_int_equal(import_text(world, "nothing.txt", ""), -EINVAL);
	assert_non_null(strstr(world->err.text, "it is empty"));
	world->options.form = SN_FORM_TSTAT;
	assert_int_equal(import_text(world, "notes.txt", "#1#hello:1 you:2\n"), -EINVAL);
	assert_int_equal(import_into(world, world->store, world->dir), -EINVAL);
	assert_int_equal(import_into(world, world->store, "/nonexistent"), -ENOENT);
}

static void a_header_is_of_the_log_with_the_most_of_its_columns(void **state)
{
	struct sn_buf header = {0};

	(void)state;
	for (size_t i = 0; i < SN_TSTAT_LOGS; i++) {
		const struct sn_tstat_table *table = &sn_tstat_tables[i];

		if (table->dataset == NULL)
			continue;
		sn_buf_clear(&header);
		sn_tstat_write_header(&header, table, SN_TSTAT_LEVEL_ALL);
		header.n--;
		assert_ptr_equal(sn_tstat_log_of_header(sn_buf_str(&header))->dataset,
				 table->dataset);
	}
	assert_null(sn_tstat_log_of_header(SN_STR("#")));
	assert_null(sn_tstat_log_of_header(SN_STR("# a comment")));
	sn_buf_finish(&header);
}

static void names_of_files_begin_with_their_dataset(void **state)
{
	(void)state;
	assert_ptr_equal(sn_dataset_of_file("/a/ping.csv.gz"), &sn_dataset_ping);
	assert_ptr_equal(sn_dataset_of_file("ping-2026-03.jsonl"), &sn_dataset_ping);
	assert_ptr_equal(sn_dataset_of_file("2026-03-01_monroe_exp_ping.csv"),
			 &sn_dataset_monroe_exp_ping);
	assert_null(sn_dataset_of_file("pinger.csv"));
	assert_null(sn_dataset_of_file("x.csv"));
}

/* mPlane ------------------------------------------------------------------- */

static int take_message(const json_t *message, const struct sn_intake *intake, size_t *rows,
			void *ctx, struct sn_err *why)
{
	struct world *world = ctx;
	struct sn_columns *columns;

	if (json_object_get(message, "resultvalues") == NULL)
		return sn_err_set(why, -EINVAL, "not a result");
	columns = intake->place(intake->ctx, &sn_dataset_ping, (int32_t)(DAY_1 / 86400));
	sn_columns_add_row(columns);
	sn_columns_set_time(columns, SN_COL_TIME, DAY_1 * SN_NS_PER_S);
	json_array_append(world->messages, (json_t *)(uintptr_t)message);
	*rows = 1;
	return 0;
}

static void messages_of_mplane_stand_alone_in_lines_and_in_arrays(void **state)
{
	struct world *world = *state;

	world->options.derive = take_message;
	world->options.bad = note_bad;
	assert_imported(world,
			import_text(world, "a.json",
				    "{\"result\":\"measure\",\"resultvalues\":[[\"]}\\\"{\"]]}\n\n"
				    "{\"result\":\n\"x\",\n \"resultvalues\":[]}\n"),
			2);
	assert_int_equal(world->report.form, SN_FORM_MPLANE);
	assert_imported(world,
			import_text(world, "b.json",
				    "[{\"resultvalues\":[]},\n{\"resultvalues\":[]},\n{\"a\":1}]\n"
				    "{\"resultvalues\":\n"),
			2);
	assert_int_equal(world->report.counts.bad, 2);
	assert_string_equal(sn_buf_cstr(&world->bad),
			    "1: not a result|4: a message without an end|");
	assert_int_equal(json_array_size(world->messages), 4);
	assert_int_equal(rows_of(world->store, &sn_dataset_ping), 4);
}

static void without_a_hub_results_of_mplane_are_refused(void **state)
{
	struct world *world = *state;

	assert_int_equal(import_text(world, "a.json", "{\"result\":\"m\",\"resultvalues\":[]}\n"),
			 -EINVAL);
	assert_non_null(strstr(world->err.text, "need a hub"));
}

static void a_message_has_a_limit(void **state)
{
	struct world *world = *state;
	sn_autofree char *text = sn_xmalloc(SN_MPLANE_FILE_MAX + 16);
	struct sn_intake intake = {0};
	struct sn_input *input;
	struct sn_mplane_reader *reader;

	memset(text, ' ', SN_MPLANE_FILE_MAX + 16);
	text[0] = '[';
	text[SN_MPLANE_FILE_MAX - 1] = ']';
	for (size_t over = 0; over < 2; over++) {
		text[SN_MPLANE_FILE_MAX + over] = '\n';
		input = sn_input_create((struct sn_str){text, SN_MPLANE_FILE_MAX + over + 1},
					SN_MPLANE_FILE_MAX);
		reader = sn_mplane_reader_create(input, &intake, take_message, world);
		assert_int_equal(sn_mplane_reader_read(reader, 1, &world->err), 0);
		assert_int_equal(sn_mplane_reader_counts(reader)->bad, over);
		sn_mplane_reader_destroy(reader);
		sn_input_destroy(input);
		text[SN_MPLANE_FILE_MAX] = ' ';
	}
}

/* Once ---------------------------------------------------------------------- */

static void the_same_file_is_stored_once_under_any_name(void **state)
{
	struct world *world = *state;
	const char *text = HEADER "10.0.0.1 1 192.0.2.1 80 1772366400000.5 1772366400001.0\n"
				  "10.0.0.2 1 192.0.2.1 80 1772366400000.5 1772366400001.0\n";

	assert_imported(world, import_text(world, "log_tcp_complete", text), 2);
	assert_false(world->report.duplicate);
	assert_imported(world, import_text(world, "log_tcp_complete.1", text), 2);
	assert_true(world->report.duplicate);
	assert_imported(world, import_text(world, "x", text), 2);
	assert_true(world->report.duplicate);
	assert_int_equal(flows_in(world), 2);
}

static void without_its_memory_an_import_finds_its_parts(void **state)
{
	struct world *world = *state;
	const char *text = HEADER "10.0.0.1 1 192.0.2.1 80 1772366400000.5 1772366400001.0\n";
	sn_autofree char *memory = sn_fs_join(world->store, "imports.db");

	assert_imported(world, import_text(world, "log_tcp_complete", text), 1);
	assert_int_equal(unlink(memory), 0);
	assert_imported(world, import_text(world, "log_tcp_complete", text), 1);
	assert_int_equal(world->report.parts_known, 1);
	assert_int_equal(flows_in(world), 1);
}

static void a_day_that_was_dropped_is_stored_again(void **state)
{
	struct world *world = *state;
	struct sn_store *store;
	struct sn_buf log = {0};

	sn_buf_adds(&log, HEADER);
	add_flow(&log, 1, DAY_1);
	add_flow(&log, 2, DAY_1 + 86400);
	assert_imported(world, import_text(world, "log_tcp_complete", sn_buf_cstr(&log)), 2);
	assert_int_equal(sn_store_open(world->store, &store, &world->err), 0);
	assert_int_equal(sn_store_drop_day(store, "2026-03-02", &world->err), 0);
	sn_store_close(store);
	assert_int_equal(flows_in(world), 1);
	assert_imported(world, import_text(world, "log_tcp_complete", sn_buf_cstr(&log)), 2);
	assert_false(world->report.duplicate);
	assert_int_equal(world->report.parts_known, 1);
	assert_int_equal(flows_in(world), 2);
	sn_buf_finish(&log);
}

static int stop_later(const struct sn_import_report *report, void *ctx)
{
	struct world *world = ctx;

	return report->parts - report->parts_known >= world->stop_at;
}

static void an_import_that_is_stopped_after_any_part_goes_on(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = NULL, *other = sn_fs_join(world->dir, "other");
	struct sn_buf log = {0}, whole = {0}, pieces = {0};
	unsigned runs = 0;
	int rc;

	make_wild_log(&log, 2000, 100);
	put_file(world, "log_tcp_complete", sn_buf_str(&log), &path);
	assert_imported(world, import_into(world, world->store, path), 2000);
	assert_true(world->report.parts > 200);
	dump(world->store, &whole);

	world->options.progress = stop_later;
	world->stop_at = 40;
	while ((rc = import_into(world, other, path)) == -ECANCELED && runs < 100)
		assert_int_equal(world->report.parts_known, 40 * runs++);
	assert_imported(world, rc, 2000);
	assert_true(runs > 3);
	dump(other, &pieces);
	assert_string_equal(pieces.p, whole.p);
	sn_buf_finish(&log);
	sn_buf_finish(&whole);
	sn_buf_finish(&pieces);
}

static void an_import_that_is_killed_at_any_time_goes_on(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = NULL, *other = sn_fs_join(world->dir, "other");
	struct sn_buf log = {0}, whole = {0}, pieces = {0};
	unsigned kills = 0;
	int status;

	make_wild_log(&log, 1000, 80);
	put_file(world, "log_tcp_complete", sn_buf_str(&log), &path);
	assert_imported(world, import_into(world, world->store, path), 1000);
	dump(world->store, &whole);
	for (unsigned i = 0; i < 30; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(import_into(world, other, path) == 0 ? 0 : 1);
		usleep(3000 + i % 7 * 2000 + i * 500);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			break;
		}
		kills++;
	}
	assert_true(kills > 3);
	assert_imported(world, import_into(world, other, path), 1000);
	dump(other, &pieces);
	assert_string_equal(pieces.p, whole.p);
	sn_buf_finish(&log);
	sn_buf_finish(&whole);
	sn_buf_finish(&pieces);
}

static void what_was_begun_is_gone_on_with_in_the_same_way(void **state)
{
	struct world *world = *state;
	struct sn_buf log = {0};

	make_wild_log(&log, 1000, 100);
	world->options.progress = stop_later;
	world->stop_at = 3;
	assert_int_equal(import_text(world, "log_tcp_complete", sn_buf_cstr(&log)), -ECANCELED);
	world->options.node = "rome";
	world->options.progress = NULL;
	assert_int_equal(import_text(world, "log_tcp_complete", sn_buf_cstr(&log)), -EINVAL);
	assert_non_null(strstr(world->err.text, "it was begun as"));
	world->options.node = NULL;
	/* A later clock makes no line good that was bad when it was begun. */
	world->options.now_ns += 100 * 86400 * SN_NS_PER_S;
	assert_imported(world, import_text(world, "log_tcp_complete", sn_buf_cstr(&log)), 1000);
	assert_true(world->report.resumed);
	sn_buf_finish(&log);
}

static void what_was_refused_at_once_may_be_begun_in_another_way(void **state)
{
	struct world *world = *state;
	sn_autofree char *text = sn_xasprintf(PING "{\"broken\"\n" PING, 1, 2);

	world->options.strict = true;
	assert_int_equal(import_text(world, "r.json", text), -EINVAL);
	assert_int_equal(rows_of(world->store, &sn_dataset_monroe_exp_ping), 0);
	world->options.strict = false;
	assert_imported(world, import_text(world, "r.json", text), 2);
	assert_int_equal(world->report.counts.bad, 1);
}

static void strict_refuses_records_that_lenient_takes(void **state)
{
	struct world *world = *state;
	const char *odd = "{\"DataId\":\"MONROE.EXP.PING\",\"Bytes\":64,\"NodeId\":\"12\","
			  "\"SequenceNumber\":1,\"DataVersion\":2,\"Timestamp\":1772366400.6893,"
			  "\"Rtt\":0.05,\"Host\":\"10.99.0.1\",\"Operator\":\"T\",\"Iccid\":\"89\","
			  "\"Guid\":\"a\",\"Colour\":\"red\"}\n";
	sn_autofree char *again = sn_xasprintf("%s\n", odd);

	world->options.strict = true;
	assert_imported(world, import_text(world, "r.json", odd), 0);
	assert_int_equal(world->report.counts.bad, 1);
	world->options.strict = false;
	assert_imported(world, import_text(world, "r2.json", again), 1);
	assert_int_equal(world->report.counts.unknown, 1);
}

/* Bad input ----------------------------------------------------------------- */

static void bad_lines_are_counted_and_told_and_stop_nothing(void **state)
{
	struct world *world = *state;
	struct sn_buf log = {0};

	sn_buf_adds(&log, HEADER);
	for (unsigned i = 0; i < 100; i++) {
		add_flow(&log, i, DAY_1);
		sn_buf_adds(&log, "1 2\n");
	}
	world->options.bad = note_bad;
	assert_imported(world, import_text(world, "log_tcp_complete", sn_buf_cstr(&log)), 100);
	assert_int_equal(world->report.counts.bad, 100);
	assert_int_equal(world->report.sample_count, SN_IMPORT_SAMPLES_MAX);
	assert_int_equal(world->report.samples[1].line, 5);
	assert_string_equal(world->report.samples[1].reason, "2 fields where the header has 6");
	assert_non_null(strstr(sn_buf_cstr(&world->bad), "|201: 2 fields"));
	sn_buf_finish(&log);
}

static void times_far_off_are_bad_lines(void **state)
{
	struct world *world = *state;
	struct sn_buf log = {0};

	sn_buf_adds(&log, HEADER);
	add_flow(&log, 1, 86400);
	add_flow(&log, 2, SN_IMPORT_OLDEST_NS / SN_NS_PER_S - 1);
	add_flow(&log, 3, SN_IMPORT_OLDEST_NS / SN_NS_PER_S);
	add_flow(&log, 4, NOW_NS / SN_NS_PER_S + 86399);
	add_flow(&log, 5, NOW_NS / SN_NS_PER_S + 86401);
	assert_imported(world, import_text(world, "log_tcp_complete", sn_buf_cstr(&log)), 2);
	assert_int_equal(world->report.counts.bad, 3);
	assert_non_null(strstr(world->report.samples[0].reason, "far off: 1970-01-02T"));
	assert_int_equal(flows_in(world), 2);
	sn_buf_clear(&log);
	sn_buf_adds(&log, "time,target\n2036-01-01T00:00:00Z,a\n1980-01-01T00:00:00Z,a\n");
	assert_imported(world, import_text(world, "ping.csv", sn_buf_cstr(&log)), 0);
	assert_int_equal(world->report.counts.bad, 2);
	sn_buf_finish(&log);
}

static void a_file_that_somebody_writes_is_refused(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = NULL;
	int fd, lease;

	put_file(world, "log_tcp_complete",
		 SN_STR(HEADER "10.0.0.1 1 192.0.2.1 80 1772366400000.5 1772366400001.0\n"), &path);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	lease = open(path, O_RDONLY | O_CLOEXEC);
	if (fcntl(lease, F_SETLEASE, F_RDLCK) == 0 || errno != EAGAIN) {
		close(fd);
		close(lease);
		print_message("no leases in this file system\n");
		skip();
	}
	assert_int_equal(import_into(world, world->store, path), -EAGAIN);
	assert_non_null(strstr(world->err.text, "still being written"));
	close(fd);
	assert_imported(world, import_into(world, world->store, path), 1);
	assert_false(world->report.resumed);
	close(lease);
}

static int append_while_read(const struct sn_import_report *report, void *ctx)
{
	FILE *file;

	if (report->phase != SN_IMPORT_DIGEST)
		return 0;
	file = fopen(((struct world *)ctx)->bad.p, "a");
	fputs("more\n", file);
	fclose(file);
	return 0;
}

static void a_file_that_grows_while_it_is_read_is_refused_before_a_row_is_stored(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = NULL;

	put_file(world, "log_tcp_complete",
		 SN_STR(HEADER "10.0.0.1 1 192.0.2.1 80 1772366400000.5 1772366400001.0\n"), &path);
	sn_buf_adds(&world->bad, path);
	sn_buf_cstr(&world->bad);
	world->options.progress = append_while_read;
	assert_int_equal(import_into(world, world->store, path), -EAGAIN);
	assert_int_equal(flows_in(world), 0);
}

static void a_bomb_is_refused(void **state)
{
	static const size_t lines[] = {1000, SIZE_MAX}; /* bytes of one; the latter never ends */
	struct world *world = *state;
	size_t size = SN_INPUT_UNPACKED_FREE + 32 * 1024 * 1024;

	for (size_t l = 0; l < SN_COUNT(lines); l++) {
		sn_autofree char *path = NULL, *text = sn_xmalloc(size);
		struct sn_buf packed = {0};

		memset(text, ' ', size);
		for (size_t i = lines[l] - 1; i < size; i += lines[l])
			text[i] = '\n';
		squeeze_zstd((struct sn_str){text, size}, &packed);
		put_file(world, "ping.csv.zst", sn_buf_str(&packed), &path);
		sn_buf_finish(&packed);
		world->options.form = SN_FORM_JSON_LINES;
		assert_int_equal(import_into(world, world->store, path), -EFBIG);
		assert_non_null(strstr(world->err.text, "unpacks to more than"));
	}
}

static void of_a_damaged_file_the_rows_before_the_damage_are_stored_once(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = NULL;
	struct sn_buf log = {0}, packed = {0};
	uint64_t rows;

	make_wild_log(&log, 5000, 3);
	squeeze_gzip(sn_buf_str(&log), &packed);
	put_file(world, "log_tcp_complete.gz", (struct sn_str){packed.p, packed.n - packed.n / 4},
		 &path);
	assert_int_equal(import_into(world, world->store, path), -ENODATA);
	rows = flows_in(world);
	assert_in_range(rows, 1000, 4999);
	assert_int_equal(import_into(world, world->store, path), -ENODATA);
	assert_int_equal(world->report.parts_known, world->report.parts);
	assert_int_equal(flows_in(world), rows);
	sn_buf_finish(&log);
	sn_buf_finish(&packed);
}

static void an_import_that_is_stopped_before_its_first_part_says_so(void **state)
{
	struct world *world = *state;
	const char *text = HEADER "10.0.0.1 1 192.0.2.1 80 1772366400000.5 1772366400001.0\n";

	/* Where the store wants a directory there is a file: an error of storing, told with both.
	 */
	assert_imported(world, import_text(world, "log_tcp_complete", text), 1);
	world->options.progress = stop_later;
	world->stop_at = 0;
	assert_int_equal(import_text(world, "log_tcp_complete.2", HEADER), -ECANCELED);
	assert_non_null(strstr(world->err.text, "stopped"));
}

static void a_dry_run_stores_nothing(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = NULL;
	struct sn_buf log = {0};

	make_wild_log(&log, 1000, 100);
	put_file(world, "log_tcp_complete", sn_buf_str(&log), &path);
	assert_imported(world, import_into(world, NULL, path), 1000);
	assert_int_equal(strlen(world->report.digest), SN_IMPORT_DIGEST_SIZE - 1);
	assert_true(world->report.first_ns < world->report.last_ns);
	assert_false(sn_fs_exists(world->store));
	sn_buf_finish(&log);
}

/* Parts --------------------------------------------------------------------- */

static void add_rows(struct sn_parts *parts, int32_t day, size_t rows, uint64_t bytes)
{
	struct sn_columns *columns = sn_parts_place(parts, &sn_dataset_ping, day);

	for (size_t i = 0; i < rows; i++) {
		sn_columns_add_row(columns);
		sn_columns_set_time(columns, SN_COL_TIME, (int64_t)day * 86400 * SN_NS_PER_S);
	}
	sn_parts_added(parts, bytes);
}

static void a_part_is_due_when_it_makes_a_block_that_stays(void **state)
{
	struct sn_parts *parts = sn_parts_create();
	struct sn_part part;

	(void)state;
	add_rows(parts, 1, SN_PARTS_ROWS - 1, 0);
	assert_false(sn_parts_next(parts, false, &part));
	add_rows(parts, 1, 1, 0);
	assert_true(sn_parts_next(parts, false, &part));
	assert_int_equal(part.seq, 0);
	assert_int_equal(sn_columns_rows(part.rows), SN_PARTS_ROWS);
	sn_parts_done(parts, &part);
	assert_false(sn_parts_next(parts, true, &part));
	add_rows(parts, 1, 1, 0);
	assert_true(sn_parts_next(parts, true, &part));
	assert_int_equal(part.seq, 1);
	sn_parts_destroy(parts);
}

static void of_too_many_days_the_one_that_rests_longest_goes(void **state)
{
	struct sn_parts *parts = sn_parts_create();
	struct sn_part part;

	(void)state;
	for (int32_t day = 0; day < SN_PARTS_DAYS_MAX; day++)
		add_rows(parts, day, 1, 0);
	assert_false(sn_parts_next(parts, false, &part));
	add_rows(parts, 0, 1, 0);
	add_rows(parts, 1000, 1, 0);
	assert_true(sn_parts_next(parts, false, &part));
	assert_int_equal(part.day, 1);
	sn_parts_done(parts, &part);
	assert_false(sn_parts_next(parts, false, &part));
	sn_parts_destroy(parts);
}

static void of_too_heavy_ones_the_heaviest_goes(void **state)
{
	struct sn_parts *parts = sn_parts_create();
	struct sn_part part;

	(void)state;
	add_rows(parts, 1, 1, SN_PARTS_WEIGHT_MAX / 4);
	add_rows(parts, 2, 1, SN_PARTS_WEIGHT_MAX / 2);
	assert_false(sn_parts_next(parts, false, &part));
	add_rows(parts, 3, 1, SN_PARTS_WEIGHT_MAX / 3);
	assert_true(sn_parts_next(parts, false, &part));
	assert_int_equal(part.day, 2);
	sn_parts_done(parts, &part);
	assert_false(sn_parts_next(parts, false, &part));
	sn_parts_destroy(parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(a_log_is_known_by_its_name_or_its_header),
		WITH_WORLD(records_of_monroe_are_known_by_their_data_id),
		WITH_WORLD(own_files_are_of_the_dataset_that_is_named),
		WITH_WORLD(what_has_no_form_is_refused),
		cmocka_unit_test(a_header_is_of_the_log_with_the_most_of_its_columns),
		cmocka_unit_test(names_of_files_begin_with_their_dataset),
		WITH_WORLD(messages_of_mplane_stand_alone_in_lines_and_in_arrays),
		WITH_WORLD(without_a_hub_results_of_mplane_are_refused),
		WITH_WORLD(a_message_has_a_limit),
		WITH_WORLD(the_same_file_is_stored_once_under_any_name),
		WITH_WORLD(without_its_memory_an_import_finds_its_parts),
		WITH_WORLD(a_day_that_was_dropped_is_stored_again),
		WITH_WORLD(an_import_that_is_stopped_after_any_part_goes_on),
		WITH_WORLD(an_import_that_is_killed_at_any_time_goes_on),
		WITH_WORLD(what_was_begun_is_gone_on_with_in_the_same_way),
		WITH_WORLD(what_was_refused_at_once_may_be_begun_in_another_way),
		WITH_WORLD(strict_refuses_records_that_lenient_takes),
		WITH_WORLD(bad_lines_are_counted_and_told_and_stop_nothing),
		WITH_WORLD(times_far_off_are_bad_lines),
		WITH_WORLD(a_file_that_somebody_writes_is_refused),
		WITH_WORLD(a_file_that_grows_while_it_is_read_is_refused_before_a_row_is_stored),
		WITH_WORLD(a_bomb_is_refused),
		WITH_WORLD(of_a_damaged_file_the_rows_before_the_damage_are_stored_once),
		WITH_WORLD(an_import_that_is_stopped_before_its_first_part_says_so),
		WITH_WORLD(a_dry_run_stores_nothing),
		cmocka_unit_test(a_part_is_due_when_it_makes_a_block_that_stays),
		cmocka_unit_test(of_too_many_days_the_one_that_rests_longest_goes),
		cmocka_unit_test(of_too_heavy_ones_the_heaviest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
