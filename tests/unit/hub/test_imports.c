/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are sent in parts, and read into the store as jobs. */
#include "hub_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "hub/secret.h"

#define PART   "Content-Type: application/offset+octet-stream\r\n"
#define FLOW   "10.0.0.1 1024 192.0.2.1 443 1772366400000.500000 1772366401000.000000\n"
#define HEADER "#c_ip:1 c_port:2 s_ip:3 s_port:4 first:5 last:6\n"
#define RESULT                                                                                     \
	"{\"result\":\"measure\",\"version\":1,\"registry\":"                                      \
	"\"http://ict-mplane.eu/registry/core\",\"label\":\"archive-ping\",\"token\":\"ab\","      \
	"\"when\":\"2026-03-01 12:00:00 ... 2026-03-01 12:01:00\",\"parameters\":"                 \
	"{\"destination.ip4\":\"192.0.2.9\"},\"metadata\":{},\"results\":[\"time\","               \
	"\"delay.twoway.icmp.us\"],\"resultvalues\":[[\"2026-03-01 12:00:01.000000\",\"23901\"],"  \
	"[\"2026-03-01 12:00:02.000000\",\"29833\"]]}\n"

static struct world world;

static int start_world(void **state)
{
	static const char *const settings[] = {"upload_limit=100000", "retention_days=1", NULL};

	(void)state;
	world_start(&world, settings);
	return 0;
}

static int stop_world(void **state)
{
	(void)state;
	world_stop(&world);
	return 0;
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, start_world, stop_world)

/* Uploads ---------------------------------------------------------------------------- */

static const char *digest_of(const char *text)
{
	static char hex[65];
	uint8_t hash[SN_SECRET_HASH_SIZE];

	sn_secret_hash(sn_str(text), hash);
	return sn_hex(hash, sizeof(hash), hex);
}

static struct reply begin_as(const char *name, size_t bytes, const char *sha256)
{
	sn_autofree char *body = sn_xasprintf(
		"{\"name\":\"%s\",\"bytes\":%zu,\"sha256\":\"%s\",\"kind\":\"import\"}", name,
		bytes, sha256);

	return plain(&world, AS_LOCAL, "POST", "/api/v1/uploads", "", body);
}

/* Id of a new upload of `text`; static buffer. */
static const char *begin(const char *name, const char *text)
{
	static char id[SN_ULID_SIZE];
	struct reply reply = begin_as(name, strlen(text), digest_of(text));

	if (reply.status != 201)
		fail_msg("%u: %s", reply.status, reply.body);
	snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(reply.json, "id")));
	reply_release(&reply);
	return id;
}

static struct reply send_part(const char *id, size_t offset, const char *bytes)
{
	sn_autofree char *path = sn_xasprintf("/api/v1/uploads/%s", id);
	sn_autofree char *headers = sn_xasprintf(PART "Upload-Offset: %zu\r\n", offset);

	return plain(&world, AS_LOCAL, "PATCH", path, headers, bytes);
}

static void assert_part(const char *id, size_t offset, const char *bytes, unsigned status)
{
	struct reply reply = send_part(id, offset, bytes);

	if (reply.status != status)
		fail_msg("%u is not %u: %s", reply.status, status, reply.body);
	reply_release(&reply);
}

static json_int_t offset_of(const char *id)
{
	sn_autofree char *path = sn_xasprintf("/api/v1/uploads/%s", id);
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	json_int_t offset = json_integer_value(json_object_get(reply.json, "offset"));
	const char *header = reply_header(&reply, "Upload-Offset");

	assert_non_null(header);
	assert_int_equal(strtoll(header, NULL, 10), offset);
	reply_release(&reply);
	return offset;
}

static void parts_come_in_order_and_the_hub_says_where_to_go_on(void **state)
{
	const char *text = HEADER FLOW;
	size_t n = strlen(text);
	sn_autofree char *id = sn_xstrdup(begin("log_tcp_complete", text));
	sn_autofree char *first = sn_xstrndup(text, 10);
	struct reply reply;

	(void)state;
	assert_part(id, 0, first, 204);
	reply = send_part(id, 0, first);
	assert_int_equal(reply.status, 409);
	assert_string_equal(code_of(&reply), "wrong-offset");
	assert_string_equal(reply_header(&reply, "Upload-Offset"), "10");
	reply_release(&reply);
	assert_int_equal(offset_of(id), 10);
	assert_string_equal(begin("log_tcp_complete", text), id);
	reply = send_part(id, 10, HEADER FLOW FLOW);
	assert_int_equal(reply.status, 413);
	reply_release(&reply);
	assert_part(id, 10, text + 10, 204);
	assert_int_equal(offset_of(id), n);
}

static void an_upload_outlives_the_hub(void **state)
{
	const char *text = HEADER FLOW;
	sn_autofree char *id = sn_xstrdup(begin("log_tcp_complete", text));
	sn_autofree char *first = sn_xstrndup(text, 20);
	sn_autofree char *path = NULL;
	FILE *file;

	(void)state;
	assert_part(id, 0, first, 204);
	/* What came after the last answer, before the machine went down. */
	path = sn_xasprintf("%s/uploads/%s", world.config.state, id);
	file = fopen(path, "a");
	assert_non_null(file);
	fputs("junk", file);
	fclose(file);
	world_restart(&world);
	assert_int_equal(offset_of(id), 20);
	assert_part(id, 20, text + 20, 204);
	assert_int_equal(offset_of(id), strlen(text));
}

static void a_file_with_another_digest_is_thrown_away(void **state)
{
	sn_autofree char *id = sn_xstrdup(begin("log_tcp_complete", "abcd"));
	sn_autofree char *path = sn_xasprintf("/api/v1/uploads/%s", id);
	struct reply reply;

	(void)state;
	assert_part(id, 0, "ab", 204);
	reply = send_part(id, 2, "ce");
	assert_int_equal(reply.status, 422);
	assert_string_equal(code_of(&reply), "wrong-digest");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 404, "GET", path, NULL);
	reply_release(&reply);
}

static void uploads_have_limits(void **state)
{
	struct reply reply = begin_as("x.csv", 50000, digest_of("a"));

	(void)state;
	assert_int_equal(reply.status, 201);
	reply_release(&reply);
	reply = begin_as("x.csv", 1, digest_of("b"));
	assert_int_equal(reply.status, 413);
	assert_non_null(strstr(reply.body, "upload_limit"));
	reply_release(&reply);
	reply = begin_as("../x.csv", 1, digest_of("b"));
	assert_int_equal(reply.status, 422);
	reply_release(&reply);
	reply = begin_as("x.csv", 0, digest_of("b"));
	assert_int_equal(reply.status, 422);
	reply_release(&reply);
	reply = begin_as("x.csv", 1, "abc");
	assert_int_equal(reply.status, 422);
	reply_release(&reply);
}

static void a_part_says_what_it_is(void **state)
{
	sn_autofree char *path = sn_xasprintf("/api/v1/uploads/%s", begin("x.csv", "abcd"));
	struct reply reply = plain(&world, AS_LOCAL, "PATCH", path, "Upload-Offset: 0\r\n", "abcd");

	(void)state;
	assert_int_equal(reply.status, 415);
	reply_release(&reply);
	reply = plain(&world, AS_LOCAL, "PATCH", path, PART, "abcd");
	assert_int_equal(reply.status, 400);
	reply_release(&reply);
	reply = plain(&world, AS_LOCAL, "PATCH", path, PART "Upload-Offset: -1\r\n", "abcd");
	assert_int_equal(reply.status, 400);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 204, "DELETE", path, NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 404, "GET", path, NULL);
	reply_release(&reply);
}

static void what_nobody_goes_on_with_is_removed_after_a_day(void **state)
{
	sn_autofree char *id = sn_xstrdup(begin("x.csv", "abcd"));

	(void)state;
	assert_part(id, 0, "ab", 204);
	sn_uploads_tidy(world.hub->uploads, sn_hub_now(world.hub) + SN_UPLOAD_LIFE_NS / 2);
	assert_non_null(sn_uploads_find(world.hub->uploads, id));
	sn_uploads_tidy(world.hub->uploads, sn_hub_now(world.hub) + 2 * SN_UPLOAD_LIFE_NS);
	assert_null(sn_uploads_find(world.hub->uploads, id));
	world_restart(&world);
	assert_null(sn_uploads_find(world.hub->uploads, id));
}

/* Imports ---------------------------------------------------------------------------- */

static json_t *import_of(const char *id)
{
	sn_autofree char *path = sn_xasprintf("/api/v1/imports/%s", id);
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	json_t *job = json_incref(reply.json);

	reply_release(&reply);
	return job;
}

static const char *text_of(const json_t *job, const char *key)
{
	const char *text = json_string_value(json_object_get(job, key));

	return text != NULL ? text : "";
}

static json_int_t number_of(const json_t *job, const char *key)
{
	return json_integer_value(json_object_get(job, key));
}

/* The job once it has ended. */
static json_t *wait_for(const char *id)
{
	for (unsigned i = 0; i < 500; i++) {
		json_t *job = import_of(id);

		if (text_of(job, "ended")[0] != '\0')
			return job;
		json_decref(job);
		world_wait(&world, 20 * SN_NS_PER_MS);
	}
	fail_msg("the import does not end");
	return NULL;
}

static json_t *ask_import(const char *upload, const char *more)
{
	sn_autofree char *body = sn_xasprintf("{\"upload\":\"%s\"%s}", upload, more);
	struct reply reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/imports", body);
	sn_autofree char *id = sn_xstrdup(text_of(reply.json, "id"));

	reply_release(&reply);
	return wait_for(id);
}

static json_t *import_text(const char *name, const char *text, const char *more)
{
	sn_autofree char *id = sn_xstrdup(begin(name, text));

	assert_part(id, 0, text, 204);
	return ask_import(id, more);
}

static size_t rows_of(const char *dataset)
{
	sn_autofree char *path = sn_xasprintf("/api/v1/datasets/%s/rows?limit=1000", dataset);
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	size_t rows = json_array_size(json_object_get(reply.json, "items"));

	reply_release(&reply);
	return rows;
}

static void a_file_is_imported_once_and_its_upload_goes(void **state)
{
	json_t *job = import_text("log_tcp_complete", HEADER FLOW FLOW, "");
	struct reply reply;

	(void)state;
	assert_string_equal(text_of(job, "state"), "done");
	assert_string_equal(text_of(job, "form"), "tstat");
	assert_string_equal(text_of(job, "dataset"), "tstat_tcp_complete");
	assert_int_equal(number_of(job, "rows"), 2);
	/* These are of a day that is over for longer than rows are kept. */
	assert_non_null(strstr(text_of(job, "reason"), "older than 1 days will be dropped"));
	assert_false(json_is_true(json_object_get(job, "duplicate")));
	json_decref(job);
	assert_int_equal(rows_of("tstat_tcp_complete"), 2);
	reply = begin_as("again", strlen(HEADER FLOW FLOW), digest_of(HEADER FLOW FLOW));
	assert_true(json_is_true(json_object_get(reply.json, "imported")));
	assert_int_equal(number_of(reply.json, "offset"), 0);
	reply_release(&reply);
	job = import_text("again", HEADER FLOW FLOW, "");
	assert_string_equal(text_of(job, "state"), "done");
	assert_true(json_is_true(json_object_get(job, "duplicate")));
	json_decref(job);
	assert_int_equal(rows_of("tstat_tcp_complete"), 2);
}

static void bad_lines_go_into_quarantine_with_their_header(void **state)
{
	json_t *job = import_text("log_tcp_complete", HEADER FLOW "1 2 3\n" FLOW "4\n", "");
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/quarantine", NULL);
	const json_t *item = json_array_get(json_object_get(reply.json, "items"), 0);

	(void)state;
	assert_string_equal(text_of(job, "state"), "done");
	assert_int_equal(number_of(job, "bad_lines"), 2);
	assert_int_equal(json_array_size(json_object_get(job, "samples")), 2);
	assert_string_equal(text_of(item, "kind"), "line");
	assert_string_equal(text_of(item, "dataset"), "tstat_tcp_complete");
	assert_int_equal(number_of(item, "rows"), 2);
	assert_non_null(strstr(text_of(item, "reason"), "line 3: 3 fields where the header has 6"));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/quarantine/1/content", NULL);
	assert_string_equal(reply.body, HEADER "1 2 3\n4\n");
	reply_release(&reply);
	/* It says where the lines came from however often they are run again. */
	for (int i = 1; i <= 2; i++) {
		reply = expect(&world, AS_LOCAL, 200, "POST", "/api/v1/quarantine/1/retry", "");
		assert_string_equal(text_of(reply.json, "state"), "kept");
		assert_non_null(
			strstr(text_of(reply.json, "reason"), "2 of its lines are still bad"));
		reply_release(&reply);
		reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/quarantine/1", NULL);
		assert_int_equal(number_of(reply.json, "tries"), i);
		assert_string_equal(
			text_of(reply.json, "reason"),
			"lines of log_tcp_complete: line 3: 3 fields where the header has 6 "
			"(and others); when run again: 2 of its lines are still bad: "
			"3 fields where the header has 6");
		reply_release(&reply);
	}
	json_decref(job);
}

static void lines_that_have_become_good_are_stored_once(void **state)
{
	struct sn_quarantine_item item = {
		.source = "import:abc",
		.kind = SN_QUARANTINE_LINE,
		.dataset = "tstat_tcp_complete",
		.stream = "tstat",
		.reason = "an older release did not know this",
		.seq = 2,
	};
	struct reply reply;

	(void)state;
	assert_true(sn_quarantine_add(world.hub->quarantine, &item, HEADER FLOW FLOW,
				      strlen(HEADER FLOW FLOW), NULL) > 0);
	reply = expect(&world, AS_LOCAL, 200, "POST", "/api/v1/quarantine/1/retry", "");
	assert_string_equal(text_of(reply.json, "state"), "stored");
	assert_int_equal(number_of(reply.json, "rows"), 2);
	reply_release(&reply);
	assert_int_equal(rows_of("tstat_tcp_complete"), 2);
}

static void what_cannot_be_imported_says_why_and_can_be_tried_again(void **state)
{
	const char *text = "{\"time\":\"2026-03-01T12:00:00Z\",\"target\":\"a\"}\n";
	sn_autofree char *id = sn_xstrdup(begin("rows.jsonl", text));
	json_t *job;

	(void)state;
	assert_part(id, 0, text, 204);
	job = ask_import(id, "");
	assert_string_equal(text_of(job, "state"), "failed");
	assert_non_null(strstr(text_of(job, "reason"), "of which dataset"));
	json_decref(job);
	job = ask_import(id, ",\"dataset\":\"ping\"");
	assert_string_equal(text_of(job, "state"), "done");
	assert_int_equal(number_of(job, "rows"), 1);
	json_decref(job);
}

static void results_of_mplane_become_rows_of_a_dataset_of_their_own(void **state)
{
	json_t *job = import_text("results.json",
				  RESULT "{\"envelope\":\"message\",\"version\":1,"
					 "\"contents\":[]}\n",
				  "");

	(void)state;
	assert_string_equal(text_of(job, "state"), "done");
	assert_string_equal(text_of(job, "form"), "mplane");
	assert_int_equal(number_of(job, "rows"), 2);
	assert_int_equal(number_of(job, "bad_lines"), 0);
	json_decref(job);
	job = import_text("again.json", "[" RESULT "," RESULT "]", "");
	assert_int_equal(number_of(job, "rows"), 4);
	json_decref(job);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		unsigned status;
		const char *body;
	} cases[] = {
		{422, "{}"},
		{422, "{\"upload\":\"x\",\"path\":\"/x\"}"},
		{404, "{\"upload\":\"x\"}"},
		{422, "{\"upload\":\"x\",\"form\":\"pdf\"}"},
		{422, "{\"upload\":\"x\",\"dataset\":\"nothing\"}"},
		{403, "{\"path\":\"/etc/passwd\"}"},
		{422, "{\"path\":\"etc/passwd\"}"},
	};
	sn_autofree char *half = NULL;
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		reply = expect(&world, AS_LOCAL, cases[i].status, "POST", "/api/v1/imports",
			       cases[i].body);
		reply_release(&reply);
	}
	half = sn_xasprintf("{\"upload\":\"%s\"}", begin("x.csv", "abcd"));
	reply = expect(&world, AS_LOCAL, 409, "POST", "/api/v1/imports", half);
	assert_non_null(strstr(reply.body, "0 of 4 bytes"));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 404, "DELETE", "/api/v1/imports/x", NULL);
	reply_release(&reply);
}

static void files_of_the_hub_come_from_directories_that_are_allowed(void **state)
{
	char dir[] = "/tmp/sonde-test-XXXXXX";
	sn_autofree char *allowed = NULL, *inside = NULL, *outside = NULL, *link = NULL;
	sn_autofree char *setting = NULL, *body = NULL, *trick = NULL, *up = NULL;
	const char *settings[] = {NULL, NULL};
	struct reply reply;
	json_t *job;

	(void)state;
	assert_non_null(mkdtemp(dir));
	allowed = sn_xasprintf("%s/logs", dir);
	inside = sn_xasprintf("%s/logs/log_tcp_complete", dir);
	outside = sn_xasprintf("%s/log_tcp_complete", dir);
	link = sn_xasprintf("%s/logs/link", dir);
	setting = sn_xasprintf("import_dirs=%s", allowed);
	settings[0] = setting;
	assert_int_equal(sn_fs_mkdirs(allowed, 0700, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(inside, HEADER FLOW, strlen(HEADER FLOW), 0600, NULL),
			 0);
	assert_int_equal(sn_fs_write_atomic(outside, HEADER FLOW, strlen(HEADER FLOW), 0600, NULL),
			 0);
	assert_int_equal(symlink(outside, link), 0);
	world_stop(&world);
	world_start(&world, settings);
	trick = sn_xasprintf("{\"path\":\"%s\"}", link);
	reply = expect(&world, AS_LOCAL, 403, "POST", "/api/v1/imports", trick);
	reply_release(&reply);
	up = sn_xasprintf("{\"path\":\"%s/../log_tcp_complete\"}", allowed);
	reply = expect(&world, AS_LOCAL, 403, "POST", "/api/v1/imports", up);
	reply_release(&reply);
	body = sn_xasprintf("{\"path\":\"%s\"}", inside);
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/imports", body);
	job = wait_for(text_of(reply.json, "id"));
	reply_release(&reply);
	assert_string_equal(text_of(job, "state"), "done");
	json_decref(job);
	assert_int_equal(sn_fs_exists(inside), 1);
	sn_fs_remove_tree(dir, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(parts_come_in_order_and_the_hub_says_where_to_go_on),
		WITH_WORLD(an_upload_outlives_the_hub),
		WITH_WORLD(a_file_with_another_digest_is_thrown_away),
		WITH_WORLD(uploads_have_limits),
		WITH_WORLD(a_part_says_what_it_is),
		WITH_WORLD(what_nobody_goes_on_with_is_removed_after_a_day),
		WITH_WORLD(a_file_is_imported_once_and_its_upload_goes),
		WITH_WORLD(bad_lines_go_into_quarantine_with_their_header),
		WITH_WORLD(lines_that_have_become_good_are_stored_once),
		WITH_WORLD(what_cannot_be_imported_says_why_and_can_be_tried_again),
		WITH_WORLD(results_of_mplane_become_rows_of_a_dataset_of_their_own),
		WITH_WORLD(requests_that_make_no_sense_are_refused),
		WITH_WORLD(files_of_the_hub_come_from_directories_that_are_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
