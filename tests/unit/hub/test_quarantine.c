/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

/* The library ------------------------------------------------------------------------ */

struct shelf {
	char dir[32];
	char *path;
	struct sn_quarantine *quarantine;
};

static void shelf_open(struct shelf *shelf, uint64_t bytes_max)
{
	struct sn_err err = {0};

	if (sn_quarantine_open(shelf->path, bytes_max, &shelf->quarantine, &err) != 0)
		fail_msg("%s", err.text);
}

static int make_shelf(void **state)
{
	struct shelf *shelf = sn_new(struct shelf);

	snprintf(shelf->dir, sizeof(shelf->dir), "/tmp/sonde-test-XXXXXX");
	assert_non_null(mkdtemp(shelf->dir));
	shelf->path = sn_fs_join(shelf->dir, "quarantine.sqlite");
	shelf_open(shelf, 10000);
	*state = shelf;
	return 0;
}

static int clear_shelf(void **state)
{
	struct shelf *shelf = *state;

	sn_quarantine_close(shelf->quarantine);
	sn_fs_remove_tree(shelf->dir, NULL);
	free(shelf->path);
	free(shelf);
	return 0;
}

static int64_t add(struct shelf *shelf, const char *source, uint64_t seq, const void *bytes,
		   size_t size)
{
	struct sn_quarantine_item item = {
		.source = source,
		.kind = SN_QUARANTINE_LINE,
		.dataset = "ping/1",
		.reason = "it is bad",
		.seq = seq,
	};

	return sn_quarantine_add(shelf->quarantine, &item, bytes, size, NULL);
}

static bool has(struct shelf *shelf, int64_t id)
{
	struct sn_quarantine_copy copy;
	bool found = sn_quarantine_read(shelf->quarantine, id, &copy, NULL) == 0;

	if (found)
		sn_quarantine_copy_finish(&copy);
	return found;
}

static void what_is_added_is_there_byte_by_byte_after_a_restart(void **state)
{
	struct shelf *shelf = *state;
	struct sn_quarantine_item item = {
		.source = "a",
		.kind = SN_QUARANTINE_BATCH,
		.dataset = "pong/7",
		.reason = "unknown",
		.stream = STREAM_ID,
		.seq = 9,
		.rows = 3,
	};
	struct sn_quarantine_copy copy;
	struct stat st;
	int64_t id = sn_quarantine_add(shelf->quarantine, &item, "x\0y", 3, NULL);

	assert_true(id > 0);
	sn_quarantine_close(shelf->quarantine);
	shelf_open(shelf, 10000);
	assert_int_equal(sn_quarantine_read(shelf->quarantine, id, &copy, NULL), 0);
	assert_string_equal(copy.source, "a");
	assert_int_equal(copy.kind, SN_QUARANTINE_BATCH);
	assert_string_equal(copy.dataset, "pong/7");
	assert_string_equal(copy.stream, STREAM_ID);
	assert_int_equal(copy.seq, 9);
	assert_int_equal(copy.rows, 3);
	assert_int_equal(copy.content.n, 3);
	assert_memory_equal(copy.content.p, "x\0y", 3);
	sn_quarantine_copy_finish(&copy);
	assert_int_equal(sn_quarantine_stats(shelf->quarantine).items, 1);
	assert_int_equal(sn_quarantine_stats(shelf->quarantine).bytes, 3);
	assert_int_equal(stat(shelf->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void the_same_again_is_the_same_item(void **state)
{
	struct shelf *shelf = *state;
	int64_t id = add(shelf, "a", 1, "one", 3);

	assert_int_equal(add(shelf, "a", 1, "one", 3), id);
	assert_int_not_equal(add(shelf, "a", 1, "two", 3), id);
	assert_int_not_equal(add(shelf, "a", 2, "one", 3), id);
	assert_int_not_equal(add(shelf, "b", 1, "one", 3), id);
	assert_int_equal(sn_quarantine_stats(shelf->quarantine).items, 4);
}

static void too_large_an_item_is_refused(void **state)
{
	struct shelf *shelf = *state;
	char large[10001] = {0};

	assert_int_equal(add(shelf, "a", 1, large, sizeof(large)), -EFBIG);
	assert_true(add(shelf, "a", 1, large, sizeof(large) - 1) > 0);
	assert_int_equal(add(shelf, "", 1, "x", 1), -EINVAL);
}

static void without_room_the_oldest_of_the_greediest_goes_and_is_counted(void **state)
{
	struct shelf *shelf = *state;
	char bytes[3000] = {0};
	int64_t modest = add(shelf, "modest", 0, bytes, 1000);
	int64_t first = add(shelf, "greedy", 0, bytes, 3000);
	int64_t second = add(shelf, "greedy", 1, bytes, 3000);
	int64_t third = add(shelf, "greedy", 2, bytes, 3000);
	int64_t fourth = add(shelf, "greedy", 3, bytes, 3000);

	assert_true(has(shelf, modest));
	assert_false(has(shelf, first));
	assert_true(has(shelf, second) && has(shelf, third) && has(shelf, fourth));
	assert_int_equal(sn_quarantine_stats(shelf->quarantine).dropped, 1);
	assert_int_equal(sn_quarantine_stats(shelf->quarantine).bytes, 10000);
	assert_int_equal(sn_quarantine_stats(shelf->quarantine).added, 5);
}

static void reasons_are_clean_text_whatever_they_quote(void **state)
{
	struct shelf *shelf = *state;
	char reason[2000];
	struct sn_quarantine_item item = {.source = "a", .reason = reason, .dataset = "p\xff/1"};
	int64_t id;
	json_t *json;

	memset(reason, 'x', sizeof(reason));
	memcpy(reason, "a\x01\xff\xc3\xa4", 5);
	reason[sizeof(reason) - 1] = '\0';
	id = sn_quarantine_add(shelf->quarantine, &item, "x", 1, NULL);
	assert_true(id > 0);
	json = sn_quarantine_json(shelf->quarantine, id, NULL);
	assert_memory_equal(json_string_value(json_object_get(json, "reason")), "a??\xc3\xa4xx", 7);
	assert_int_equal(strlen(json_string_value(json_object_get(json, "reason"))),
			 SN_QUARANTINE_REASON_MAX);
	assert_string_equal(json_string_value(json_object_get(json, "dataset")), "p?/1");
	json_decref(json);
}

static void a_damaged_file_is_set_aside(void **state)
{
	struct shelf *shelf = *state;
	sn_autofree char *aside = sn_xasprintf("%s.corrupt", shelf->path);
	char nonsense[8192];

	sn_quarantine_close(shelf->quarantine);
	memset(nonsense, 'x', sizeof(nonsense));
	assert_int_equal(sn_fs_write_atomic(shelf->path, nonsense, sizeof(nonsense), 0600, NULL),
			 0);
	shelf_open(shelf, 10000);
	assert_true(add(shelf, "a", 1, "one", 3) > 0);
	assert_true(sn_fs_exists(aside));
}

static void add_for_ever(struct shelf *shelf, uint64_t seq, int told)
{
	alarm(TEST_PATIENCE_MS / 1000);
	shelf_open(shelf, 1 << 20);
	for (;; seq++) {
		if (add(shelf, "a", seq, &seq, sizeof(seq)) < 0 ||
		    write(told, &seq, sizeof(seq)) != sizeof(seq))
			_exit(1);
	}
}

static void what_was_acknowledged_outlives_a_kill(void **state)
{
	struct shelf *shelf = *state;
	uint64_t next = 0, seq;

	sn_quarantine_close(shelf->quarantine);
	shelf->quarantine = NULL;
	for (unsigned round = 0; round < 5; round++) {
		int fds[2], status;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			add_for_ever(shelf, next, fds[1]);
		close(fds[1]);
		assert_int_equal(read(fds[0], &seq, sizeof(seq)), sizeof(seq));
		next = seq + 1;
		usleep(round * 7000);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		while (read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
			next = seq + 1;
		close(fds[0]);
		shelf_open(shelf, 1 << 20);
		/* All that were told of, and at most the one after. */
		assert_in_range(sn_quarantine_stats(shelf->quarantine).items, next, next + 1);
		sn_quarantine_close(sn_steal(&shelf->quarantine));
	}
	shelf_open(shelf, 1 << 20);
}

/* The hub ------------------------------------------------------------------------------ */

static struct world world;
static struct test_node node;

static int start(void **state)
{
	(void)state;
	world_start(&world, NULL);
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

#define ROW "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":0,\"strength\":7}\n"

/* A dataset that the hub learns in the course of a test. */
static const struct sn_column new_columns[] = {
	SN_COMMON_COLUMNS,
	{"strength", SN_TYPE_I64, "1", "how strong it is"},
};
static struct sn_dataset new_dataset = {
	.version = 1,
	.title = "New",
	.help = "new",
	.columns = new_columns,
	.column_count = SN_COUNT(new_columns),
};

/* The name of one that is not known yet; each test has its own, as they stay known. */
static const char *unknown_dataset(char *text, size_t size)
{
	static char names[8][16];
	static unsigned count;

	snprintf(names[count], sizeof(names[count]), "new_%u", count);
	new_dataset.name = names[count++];
	snprintf(text, size, "%s/1", new_dataset.name);
	return text;
}

static void learn_it(void)
{
	assert_int_equal(sn_catalog_add(sn_xmemdup(&new_dataset, sizeof(new_dataset))), 0);
}

static size_t stored_rows(void)
{
	char path[80];
	struct reply reply;
	size_t count;

	snprintf(path, sizeof(path), "/api/v1/datasets/%s/rows", new_dataset.name);
	reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	count = json_array_size(json_object_get(reply.json, "items"));
	reply_release(&reply);
	return count;
}

static size_t items(const char *query)
{
	char path[120];
	struct reply reply;
	size_t count;

	snprintf(path, sizeof(path), "/api/v1/quarantine%s", query);
	reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	count = json_array_size(json_object_get(reply.json, "items"));
	reply_release(&reply);
	return count;
}

/* Its number, of the last answer to the node. */
static const char *quarantined(void)
{
	static char id[24];
	const char *text = json_string_value(json_object_get(node.json, "quarantined"));

	assert_int_equal(node.status, 202);
	assert_non_null(text);
	snprintf(id, sizeof(id), "%s", text);
	return id;
}

static struct reply act(const char *method, const char *id, const char *rest, unsigned status)
{
	char path[80];

	snprintf(path, sizeof(path), "/api/v1/quarantine/%s%s", id, rest);
	return expect(&world, AS_LOCAL, status, method, path,
		      strcmp(method, "POST") == 0 ? "{}" : NULL);
}

static void assert_outcome(const char *id, const char *state, int rows)
{
	struct reply reply = act("POST", id, "/retry", 200);

	assert_string_equal(json_string_value(json_object_get(reply.json, "state")), state);
	assert_int_equal(json_integer_value(json_object_get(reply.json, "rows")), rows);
	reply_release(&reply);
}

static void an_item_says_who_sent_what_and_why_it_is_there(void **state)
{
	char dataset[32];
	struct reply reply;
	const json_t *item;

	(void)state;
	node_put(&world, &node, 5, unknown_dataset(dataset, sizeof(dataset)), 1, ROW, NULL);
	reply = act("GET", quarantined(), "", 200);
	item = reply.json;
	assert_string_equal(json_string_value(json_object_get(item, "source")), node.id);
	assert_string_equal(json_string_value(json_object_get(item, "node")), "alpha");
	assert_string_equal(json_string_value(json_object_get(item, "kind")), "batch");
	assert_string_equal(json_string_value(json_object_get(item, "dataset")), dataset);
	assert_non_null(strstr(json_string_value(json_object_get(item, "reason")), dataset));
	assert_int_equal(json_integer_value(json_object_get(item, "bytes")), strlen(ROW));
	assert_int_equal(json_integer_value(json_object_get(item, "tries")), 0);
	reply_release(&reply);
	reply = act("GET", quarantined(), "/content", 200);
	assert_string_equal(reply.body, ROW);
	assert_string_equal(reply_header(&reply, "Content-Type"), "application/octet-stream");
	assert_non_null(strstr(reply_header(&reply, "Content-Disposition"), "attachment"));
	reply_release(&reply);
	assert_int_equal(items("?source=alpha"), 1);
	assert_int_equal(items("?source=beta"), 0);
	assert_int_equal(items("?kind=line"), 0);
	assert_int_equal(items("?dataset=ping"), 0);
}

static void lists_go_page_by_page(void **state)
{
	struct reply reply;
	char path[64];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		node_put(&world, &node, i, "none/1", 1, ROW, NULL);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/quarantine?limit=2", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 2);
	snprintf(path, sizeof(path), "?limit=2&cursor=%s",
		 json_string_value(json_object_get(reply.json, "next")));
	reply_release(&reply);
	assert_int_equal(items(path), 1);
}

static void a_batch_that_is_sent_again_is_one_item(void **state)
{
	char id[24];

	(void)state;
	node_put(&world, &node, 5, "none/1", 1, ROW, NULL);
	snprintf(id, sizeof(id), "%s", quarantined());
	node_put(&world, &node, 5, "none/1", 1, ROW, NULL);
	assert_string_equal(quarantined(), id);
	assert_int_equal(items(""), 1);
}

static void what_the_hub_has_learnt_is_stored_once_when_it_is_run_again(void **state)
{
	char dataset[32], id[24];
	struct reply reply;

	(void)state;
	node_put(&world, &node, 5, unknown_dataset(dataset, sizeof(dataset)), 1, ROW, NULL);
	snprintf(id, sizeof(id), "%s", quarantined());
	world_restart(&world);
	assert_outcome(id, "kept", 0);
	reply = act("GET", id, "", 200);
	assert_int_equal(json_integer_value(json_object_get(reply.json, "tries")), 1);
	reply_release(&reply);

	learn_it();
	assert_outcome(id, "stored", 1);
	assert_int_equal(stored_rows(), 1);
	reply = act("POST", id, "/retry", 404);
	reply_release(&reply);
	/* An answer that was lost on the way: the node sends it once more. */
	node_put(&world, &node, 5, dataset, 1, ROW, NULL);
	assert_int_equal(node.status, 200);
	assert_true(json_is_true(json_object_get(node.json, "duplicate")));
	assert_int_equal(stored_rows(), 1);
}

static void what_was_sent_again_meanwhile_is_a_duplicate_when_it_is_run(void **state)
{
	char dataset[32], id[24];

	(void)state;
	node_put(&world, &node, 5, unknown_dataset(dataset, sizeof(dataset)), 1, ROW, NULL);
	snprintf(id, sizeof(id), "%s", quarantined());
	learn_it();
	node_put(&world, &node, 5, dataset, 1, ROW, NULL);
	assert_int_equal(node.status, 200);
	assert_outcome(id, "duplicate", 0);
	assert_int_equal(stored_rows(), 1);
	assert_int_equal(items(""), 0);
}

static void all_of_a_dataset_are_run_again_at_once(void **state)
{
	char dataset[32], row[96], body[64];
	struct reply reply;

	(void)state;
	unknown_dataset(dataset, sizeof(dataset));
	for (unsigned i = 0; i < 40; i++) {
		snprintf(row, sizeof(row), "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":%u}\n", i);
		node_put(&world, &node, i, dataset, 1, row, NULL);
		(void)quarantined();
	}
	node_put(&world, &node, 50, "none/1", 1, ROW, NULL);
	learn_it();
	snprintf(body, sizeof(body), "{\"dataset\":\"%s\",\"source\":\"alpha\"}", new_dataset.name);
	reply = expect(&world, AS_LOCAL, 202, "POST", "/api/v1/quarantine/retry", body);
	assert_int_equal(json_integer_value(json_object_get(reply.json, "queued")), 40);
	reply_release(&reply);
	test_until(items("") <= 1, world_wait(&world, 20 * SN_NS_PER_MS));
	assert_int_equal(items(""), 1);
	assert_int_equal(stored_rows(), 40);
}

static void what_nobody_wants_is_given_up(void **state)
{
	struct reply reply;
	char id[24];

	(void)state;
	node_put(&world, &node, 5, "none/1", 1, ROW, NULL);
	snprintf(id, sizeof(id), "%s", quarantined());
	reply = act("DELETE", id, "", 204);
	reply_release(&reply);
	reply = act("DELETE", id, "", 404);
	reply_release(&reply);
	reply = act("GET", "x", "", 404);
	reply_release(&reply);
	reply = act("GET", "0", "/content", 404);
	reply_release(&reply);
	assert_int_equal(items(""), 0);
}

static int take_lines(const struct sn_quarantine_copy *copy, size_t *rows, void *ctx,
		      struct sn_err *err)
{
	unsigned *calls = ctx;

	if (++*calls == 1)
		return sn_err_set(err, -EINVAL, "still bad");
	assert_int_equal(copy->kind, SN_QUARANTINE_LINE);
	*rows = 2;
	return 0;
}

static void others_take_their_lines_back_themselves(void **state)
{
	struct sn_quarantine_item item = {
		.source = "other:abc",
		.kind = SN_QUARANTINE_LINE,
		.reason = "bad",
	};
	unsigned calls = 0;
	char id[24];

	(void)state;
	snprintf(id, sizeof(id), "%lld",
		 (long long)sn_quarantine_add(world.hub->quarantine, &item, "x", 1, NULL));
	assert_outcome(id, "kept", 0);
	sn_retry_handle(world.hub->retry, "other:", take_lines, &calls);
	assert_outcome(id, "kept", 0);
	assert_outcome(id, "stored", 2);
	assert_int_equal(calls, 2);
	assert_int_equal(items(""), 0);
}

int main(void)
{
#define L(test) cmocka_unit_test_setup_teardown(test, make_shelf, clear_shelf)
#define H(test) cmocka_unit_test_setup_teardown(test, start, stop)
	const struct CMUnitTest tests[] = {
		L(what_is_added_is_there_byte_by_byte_after_a_restart),
		L(the_same_again_is_the_same_item),
		L(too_large_an_item_is_refused),
		L(without_room_the_oldest_of_the_greediest_goes_and_is_counted),
		L(reasons_are_clean_text_whatever_they_quote),
		L(a_damaged_file_is_set_aside),
		L(what_was_acknowledged_outlives_a_kill),
		H(an_item_says_who_sent_what_and_why_it_is_there),
		H(lists_go_page_by_page),
		H(a_batch_that_is_sent_again_is_one_item),
		H(what_the_hub_has_learnt_is_stored_once_when_it_is_run_again),
		H(what_was_sent_again_meanwhile_is_a_duplicate_when_it_is_run),
		H(all_of_a_dataset_are_run_again_at_once),
		H(what_nobody_wants_is_given_up),
		H(others_take_their_lines_back_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
