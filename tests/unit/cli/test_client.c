/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a server of canned answers in a child process, on loopback. */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/rows.h"
#include "unit/cli/canned.h"

#define PROBLEM_HEAD "Content-Type: application/problem+json\r\n"

static const struct canned answers[] = {
	{"GET /api/v1/hub ", 200, JSON_HEAD, "{\"version\":\"1\"}"},
	{"GET /api/v1/empty ", 204, "", ""},
	{"GET /api/v1/broken ", 200, JSON_HEAD, "{\"version\":"},
	{"GET /api/v1/list ", 200, JSON_HEAD, "{\"items\":[{\"n\":1},{\"n\":2}],\"next\":\"a b\"}"},
	{"GET /api/v1/list?cursor=a%20b ", 200, JSON_HEAD, "{\"items\":[{\"n\":3}],\"next\":null}"},
	{"GET /api/v1/nolist ", 200, JSON_HEAD, "{\"rows\":[]}"},
	{"GET /api/v1/rows ", 200, "Content-Type: application/x-ndjson\r\n", "line 1\nline 2\n"},
	{"GET /api/v1/norows ", 404, PROBLEM_HEAD, "{\"code\":\"x\",\"detail\":\"no such rows\"}"},
	{"GET /api/v1/denied ", 401, PROBLEM_HEAD, "{\"detail\":\"log in\"}"},
	{"GET /api/v1/crash ", 500, "Content-Type: text/html\r\n", "<html>"},
	{"POST /api/v1/measurements ", 422, PROBLEM_HEAD,
	 "{\"detail\":\"parameter 'count' is bad\"}"},
	{"GET /api/v1/nodes?limit=1000 ", 200, JSON_HEAD,
	 "{\"items\":[{\"id\":\"01A\",\"name\":\"rome\",\"state\":\"online\"}],\"next\":null}"},
	{"GET /api/v1/datasets/ping/rows?order=newest&limit=2 ", 200,
	 "Content-Type: application/x-ndjson\r\n",
	 "{\"time\":\"1970-01-01T00:00:02Z\",\"node\":\"01A\",\"seq\":1,\"target\":\"t\"}\n"
	 "{\"time\":\"1970-01-01T00:00:01Z\",\"node\":\"01A\",\"seq\":0,\"target\":\"t\"}\n"},
	{"GET /api/v1/datasets/ping/rows?order=newest&limit=1&node=roma ", 200, JSON_HEAD,
	 "{\"items\":[],\"next\":null}"},
	{"GET /api/v1/datasets/ping/rows?order=newest&limit=1&node=41 ", 200, JSON_HEAD,
	 "{\"items\":[{\"node\":\"41\"}],\"next\":null}"},
	{"GET /api/v1/datasets/ping/rows?order=newest&limit=3&node=41 ", 200,
	 "Content-Type: application/x-ndjson\r\n",
	 "{\"time\":\"1970-01-01T00:00:02Z\",\"node\":\"41\",\"seq\":7}\n"},
	{"GET /api/v1/datasets/ping/rows?order=oldest ", 200, "Content-Type: text/csv\r\n",
	 "as,it\r\nis,\r\n"},
	{NULL, 0, NULL, NULL},
};

static int start_server(void **state)
{
	(void)state;
	return canned_start(answers);
}

static int stop_server(void **state)
{
	(void)state;
	canned_stop();
	return 0;
}

struct fixture {
	struct sn_loop *loop;
	struct sn_client *client;
	struct sn_err err;
};

static struct sn_client *open_at(struct sn_loop *loop, const char *where, const char *token)
{
	struct sn_place place = {.url = sn_xstrdup(where),
				 .token = token != NULL ? sn_xstrdup(token) : NULL};

	return sn_client_open_on(loop, &place);
}

static int set_up(void **state)
{
	struct fixture *f = sn_new(struct fixture);

	f->loop = sn_loop_create(NULL);
	f->client = open_at(f->loop, canned_url, "secret");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sn_client_close(f->client);
	sn_loop_destroy(f->loop);
	free(f);
	return 0;
}

/* Calls ----------------------------------------------------------------- */

static void an_answer_is_parsed(void **state)
{
	struct fixture *f = *state;
	sn_autojson json_t *answer = NULL;

	assert_int_equal(sn_client_get(f->client, "/api/v1/hub", &answer, &f->err), 0);
	assert_string_equal(json_string_value(json_object_get(answer, "version")), "1");
}

static void an_empty_answer_is_no_error_unless_one_was_needed(void **state)
{
	struct fixture *f = *state;
	json_t *answer = NULL;

	assert_int_equal(sn_client_call(f->client, "GET", "/api/v1/empty", NULL, &answer, &f->err),
			 0);
	assert_null(answer);
	assert_int_equal(sn_client_get(f->client, "/api/v1/empty", &answer, &f->err), -EPROTO);
}

static void a_broken_answer_is_an_error(void **state)
{
	struct fixture *f = *state;
	json_t *answer = NULL;

	assert_int_equal(sn_client_get(f->client, "/api/v1/broken", &answer, &f->err), -EPROTO);
	assert_null(answer);
	assert_non_null(strstr(f->err.text, "JSON"));
}

static void refusals_say_what_the_hub_said(void **state)
{
	static const struct {
		const char *method, *path, *says;
		int error, code;
	} cases[] = {
		{"GET", "/api/v1/norows", "no such rows", -ENOENT, SN_EXIT_FAILED},
		{"GET", "/api/v1/denied", "log in", -EACCES, SN_EXIT_DENIED},
		{"POST", "/api/v1/measurements", "parameter 'count' is bad", -EINVAL,
		 SN_EXIT_FAILED},
		{"GET", "/api/v1/crash", "500", -EIO, SN_EXIT_FAILED},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		int rc = sn_client_call(f->client, cases[i].method, cases[i].path, NULL, NULL,
					&f->err);

		assert_int_equal(rc, cases[i].error);
		assert_non_null(strstr(f->err.text, cases[i].says));
		assert_int_equal(sn_cli_exit_code(rc), cases[i].code);
	}
}

static void without_a_token_it_is_said_where_to_put_one(void **state)
{
	struct fixture *f = *state;
	struct sn_client *client = open_at(f->loop, canned_url, NULL);

	assert_int_equal(sn_client_call(client, "GET", "/api/v1/hub", NULL, NULL, &f->err),
			 -EACCES);
	assert_non_null(strstr(f->err.text, "SONDE_TOKEN_FILE"));
	sn_client_close(client);
}

static void nobody_there_is_unreachable(void **state)
{
	struct fixture *f = *state;
	struct sn_client *client = open_at(f->loop, "http://127.0.0.1:1", "secret");
	int rc = sn_client_call(client, "GET", "/api/v1/hub", NULL, NULL, &f->err);

	assert_int_equal(sn_cli_exit_code(rc), SN_EXIT_UNREACHABLE);
	assert_non_null(strstr(f->err.text, "127.0.0.1:1"));
	sn_client_close(client);
}

/* Lists and streams ----------------------------------------------------- */

static int add_up(const json_t *item, void *ctx)
{
	int *sum = ctx;

	*sum = *sum * 10 + (int)json_integer_value(json_object_get(item, "n"));
	return 0;
}

static void a_list_is_walked_page_after_page(void **state)
{
	struct fixture *f = *state;
	int sum = 0;

	assert_int_equal(sn_client_each(f->client, "/api/v1/list", add_up, &sum, &f->err), 0);
	assert_int_equal(sum, 123);
	assert_int_equal(sn_client_each(f->client, "/api/v1/nolist", add_up, &sum, &f->err),
			 -EPROTO);
}

static int stop_at_once(const json_t *item, void *ctx)
{
	(void)item;
	++*(int *)ctx;
	return -ECANCELED;
}

static void a_walk_can_be_ended(void **state)
{
	struct fixture *f = *state;
	int calls = 0;

	assert_int_equal(sn_client_each(f->client, "/api/v1/list", stop_at_once, &calls, &f->err),
			 -ECANCELED);
	assert_int_equal(calls, 1);
}

static int gather(struct sn_str piece, void *ctx)
{
	sn_buf_add(ctx, piece.p, piece.n);
	return 0;
}

static int refuse(struct sn_str piece, void *ctx)
{
	(void)piece;
	(void)ctx;
	return -ENOSPC;
}

static void a_stream_gives_its_pieces_and_a_refusal_none(void **state)
{
	struct fixture *f = *state;
	struct sn_buf text = {0};

	assert_int_equal(sn_client_stream(f->client, "/api/v1/rows", "*/*", gather, &text, &f->err),
			 0);
	assert_string_equal(sn_buf_cstr(&text), "line 1\nline 2\n");
	sn_buf_clear(&text);
	assert_int_equal(
		sn_client_stream(f->client, "/api/v1/norows", "*/*", gather, &text, &f->err),
		-ENOENT);
	assert_int_equal(text.n, 0);
	assert_string_equal(f->err.text, "no such rows");
	assert_int_equal(sn_client_stream(f->client, "/api/v1/rows", "*/*", refuse, NULL, &f->err),
			 -ENOSPC);
	sn_buf_finish(&text);
}

/* Rows ------------------------------------------------------------------ */

static char *rows_as(struct fixture *f, struct sn_rows_query query, enum sn_rows_form form)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	query.dataset = &sn_dataset_ping;
	query.name = "ping";
	assert_int_equal(sn_rows_run(f->client, &query, form, false, out, &f->err), 0);
	fclose(out);
	return text;
}

static void the_newest_rows_are_printed_oldest_first_in_every_form(void **state)
{
	const struct sn_rows_query query = {.limit = 2, .fields = NULL};
	char *text = rows_as(*state, query, SN_ROWS_JSON);

	assert_string_equal(
		text, "{\"time\":\"1970-01-01T00:00:01.000000000Z\",\"node\":\"01A\",\"seq\":0,"
		      "\"target\":\"t\"}\n"
		      "{\"time\":\"1970-01-01T00:00:02.000000000Z\",\"node\":\"01A\",\"seq\":1,"
		      "\"target\":\"t\"}\n");
	free(text);
	text = rows_as(*state, query, SN_ROWS_TABLE);
	assert_non_null(strstr(text, "rome"));
	assert_true(strstr(text, ":01.000") < strstr(text, ":02.000"));
	free(text);
}

static void without_a_limit_the_hub_s_lines_pass_as_they_are(void **state)
{
	char *text = rows_as(*state, (struct sn_rows_query){0}, SN_ROWS_CSV);

	assert_string_equal(text, "as,it\r\nis,\r\n");
	free(text);
}

static void a_node_that_never_joined_is_known_by_its_rows(void **state)
{
	char *text =
		rows_as(*state, (struct sn_rows_query){.node = "41", .limit = 3}, SN_ROWS_JSON);

	assert_non_null(strstr(text, "\"node\":\"41\",\"seq\":7"));
	free(text);
}

static void unknown_nodes_and_columns_are_refused_before_anything_is_printed(void **state)
{
	static const char *const where[] = {"los_ratio=1"};
	const struct {
		struct sn_rows_query query;
		const char *says;
	} cases[] = {
		{{.node = "roma", .limit = 2}, "did you mean 'rome'"},
		{{.fields = "nod", .limit = 2}, "did you mean 'node'"},
		{{.where = where, .where_count = 1, .limit = 2}, "did you mean 'loss_ratio'"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_rows_query query = cases[i].query;

		query.dataset = &sn_dataset_ping;
		query.name = "ping";
		assert_true(sn_rows_run(f->client, &query, SN_ROWS_JSON, false, stdout, &f->err) <
			    0);
		assert_non_null(strstr(f->err.text, cases[i].says));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_answer_is_parsed),
		TEST(an_empty_answer_is_no_error_unless_one_was_needed),
		TEST(a_broken_answer_is_an_error),
		TEST(refusals_say_what_the_hub_said),
		TEST(without_a_token_it_is_said_where_to_put_one),
		TEST(nobody_there_is_unreachable),
		TEST(a_list_is_walked_page_after_page),
		TEST(a_walk_can_be_ended),
		TEST(a_stream_gives_its_pieces_and_a_refusal_none),
		TEST(the_newest_rows_are_printed_oldest_first_in_every_form),
		TEST(without_a_limit_the_hub_s_lines_pass_as_they_are),
		TEST(a_node_that_never_joined_is_known_by_its_rows),
		TEST(unknown_nodes_and_columns_are_refused_before_anything_is_printed),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
