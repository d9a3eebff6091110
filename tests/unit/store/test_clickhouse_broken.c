/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that are down, hang, break off or answer with nonsense; URLs that are none. */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clickhouse.h"
#include "lib/fake_clickhouse.h"
#include "store/clickhouse.h"
#include "store/native.h"
#include "unit/store/world.h"

#define DAY 20513 /* of DAY_1 */

struct client {
	struct fake_clickhouse fake;
	struct sn_clickhouse *ch;
	struct sn_columns *rows;
	struct sn_err err;
};

static int create(void **state)
{
	struct client *client = sn_new(struct client);
	struct sn_clickhouse_options options = {.timeout_s = 1};

	fake_clickhouse_start(&client->fake, &sample);
	options.url = client->fake.url;
	client->rows = sn_columns_create(&sample);
	*state = client;
	return sn_clickhouse_open(&options, &client->ch, &client->err);
}

static int destroy(void **state)
{
	struct client *client = *state;

	sn_clickhouse_close(client->ch);
	fake_clickhouse_stop(&client->fake);
	sn_columns_destroy(client->rows);
	free(client);
	return 0;
}

static int insert(struct client *client)
{
	struct sn_clickhouse_block block = {.day = DAY, .id = 1, .first = 1};

	sn_columns_clear(client->rows);
	sn_columns_add_row(client->rows);
	sn_columns_set_time(client->rows, SN_COL_TIME, DAY_1);
	client->err = (struct sn_err){0};
	return sn_clickhouse_insert(client->ch, client->rows, &block, &client->err);
}

static int has(struct client *client)
{
	uint64_t rows;

	client->err = (struct sn_err){0};
	return sn_clickhouse_has(client->ch, &sample, DAY, 1, &rows, &client->err);
}

static void assert_says(const struct client *client, const char *part)
{
	if (strstr(client->err.text, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, client->err.text);
	assert_null(strchr(client->err.text, '\n'));
}

/* Answers ----------------------------------------------------------------------------- */

struct expected {
	const char *head, *body;
	int of_insert, of_has;
	const char *says;
};

static const struct expected broken[] = {
	/* As servers of 2018 say it, and later ones. */
	{"HTTP/1.1 500 Internal Server Error\r\n",
	 "Code: 241, e.displayText() = DB::Exception: Memory limit exceeded, e.what() = "
	 "DB::Exception\n",
	 -EPROTO, -EPROTO, "says: Memory limit exceeded (code 241)"},
	{"HTTP/1.1 500 Internal Server Error\r\nX-ClickHouse-Exception-Code: 241\r\n",
	 "Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT) (version 24.3.1.1)\n",
	 -EPROTO, -EPROTO, "says: Memory limit exceeded. (MEMORY_LIMIT) (code 241)"},
	/* Hidden behind a good status. */
	{"HTTP/1.1 200 OK\r\nX-ClickHouse-Exception-Code: 252\r\n",
	 "Code: 252. DB::Exception: Too many parts (version 24)", -EPROTO, -EPROTO,
	 "Too many parts (code 252)"},
	{"HTTP/1.1 200 OK\r\n", "Code: 252. DB::Exception: Too many parts", -EPROTO, -EPROTO,
	 "Too many parts (code 252)"},
	{"HTTP/1.1 200 OK\r\nX-ClickHouse-Exception-Code: 1000\r\n", "", -EAGAIN, -EPROTO,
	 "error 1000"},
	/* The server itself does not know. */
	{"HTTP/1.1 500 Internal Server Error\r\n",
	 "Code: 319, e.displayText() = DB::Exception: Unknown status", -EAGAIN, -EPROTO,
	 "(code 319)"},
	/* Somebody else. */
	{"HTTP/1.1 404 Not Found\r\n", "<html>", -EBADMSG, -EBADMSG, "HTTP status 404"},
	{"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n", "", -EBADMSG, -EBADMSG,
	 "HTTP status 302"},
	{"HTTP/1.1 503 Service Unavailable\r\n", "", -EAGAIN, -EAGAIN, "HTTP status 503"},
	{"SSH-2.0-x\r\n", "", -EAGAIN, -EAGAIN, "no answer"},
};

static void each_broken_answer_is_told_apart(void **state)
{
	struct client *client = *state;

	for (size_t i = 0; i < SN_COUNT(broken); i++) {
		sn_autofree char *answer =
			sn_xasprintf("%sContent-Length: %zu\r\n\r\n%s", broken[i].head,
				     strlen(broken[i].body), broken[i].body);

		client->fake.answer = sn_str(answer);
		client->fake.close = !sn_str_has_prefix(client->fake.answer, "HTTP");
		assert_int_equal(insert(client), broken[i].of_insert);
		assert_says(client, broken[i].says);
		assert_int_equal(has(client), broken[i].of_has);
		assert_says(client, broken[i].says);
	}
}

static void answer_must_be_complete_and_say_so(void **state)
{
	static const char *const answers[] = {
		/* Cut within its length, within its chunks, and one that does not tell. */
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x01",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\x01\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
	};
	struct client *client = *state;

	client->fake.close = true;
	for (size_t i = 0; i < SN_COUNT(answers); i++) {
		client->fake.answer = sn_str(answers[i]);
		assert_int_equal(insert(client), -EAGAIN);
		assert_says(client, "no answer");
		assert_int_equal(has(client), -EAGAIN);
	}
}

static void answer_that_is_no_rows_is_refused(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\x01\x01", /* ends in a block */
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\x07\x01", /* more columns */
	};
	struct client *client = *state;

	for (size_t i = 0; i < SN_COUNT(answers); i++) {
		client->fake.answer = sn_str(answers[i]);
		assert_int_equal(has(client), -EBADMSG);
	}
}

/* Rows before an error ------------------------------------------------------------------- */

static int count_rows(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	size_t *count = ctx;

	(void)numbers;
	*count += sn_columns_rows(rows);
	return 0;
}

static const int64_t zero = 0, one = 1;

/* A block of one number or two, as an answer to what is asked for seconds. */
static void add_seconds(struct sn_buf *out)
{
	static const struct sn_native_column columns[] = {{"_sonde_second", SN_TYPE_I64, false},
							  {"_sonde_rows", SN_TYPE_I64, false}};
	struct sn_vector first = {.type = SN_TYPE_I64, .rows = 1, .i = &zero};
	struct sn_vector second = {.type = SN_TYPE_I64, .rows = 1, .i = &one};

	sn_native_add_head(out, 2, 1);
	sn_native_add_column(out, &columns[0], &first);
	sn_native_add_column(out, &columns[1], &second);
}

static void error_behind_good_rows_is_found(void **state)
{
	static const char error[] = "Code: 241, e.displayText() = DB::Exception: Memory limit "
				    "exceeded, e.what() = DB::Exception\n";
	struct client *client = *state;
	struct sn_query query = {.dataset = &sample, .since_ns = DAY_1, .until_ns = DAY_1 + DAY_NS};
	struct sn_clickhouse_scan scan = {.query = &query};
	struct sn_buf rows = {0}, answer = {0};
	size_t seen = 0;

	add_seconds(&rows);
	sn_buf_adds(&rows, error);
	sn_buf_addf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", rows.n);
	sn_buf_add(&answer, rows.p, rows.n);
	client->fake.answer = sn_buf_str(&answer);
	assert_int_equal(sn_clickhouse_scan(client->ch, &scan, count_rows, &seen, &client->err),
			 -EPROTO);
	assert_says(client, "Memory limit exceeded (code 241)");
	assert_int_equal(seen, 0);
	sn_buf_finish(&rows);
	sn_buf_finish(&answer);
}

/* Connections ------------------------------------------------------------------------------ */

static void server_that_is_down_has_stored_nothing(void **state)
{
	struct client *client = *state;
	sn_autofree char *url = sn_xasprintf("http://127.0.0.1:%u", free_port());
	struct sn_clickhouse_options options = {.url = url, .timeout_s = 1};

	sn_clickhouse_close(client->ch);
	assert_int_equal(sn_clickhouse_open(&options, &client->ch, &client->err), 0);
	assert_int_equal(insert(client), -ECONNREFUSED);
	assert_says(client, "cannot reach ClickHouse at 'http://127.0.0.1:");
	assert_int_equal(has(client), -ECONNREFUSED);
}

static void server_that_hangs_is_given_up(void **state)
{
	struct client *client = *state;

	client->fake.hang = true;
	assert_int_equal(insert(client), -EAGAIN);
	assert_says(client, "within 1s");
	assert_int_equal(atomic_load(&client->fake.questions), 1);
	assert_int_equal(has(client), -EAGAIN);
}

static void request_ends_when_it_is_told_to(void **state)
{
	struct client *client = *state;
	static atomic_bool stop;
	struct sn_clickhouse_options options = {
		.url = client->fake.url, .timeout_s = 600, .stop = &stop};

	sn_clickhouse_close(client->ch);
	assert_int_equal(sn_clickhouse_open(&options, &client->ch, &client->err), 0);
	atomic_store(&stop, true);
	assert_int_equal(has(client), -ECANCELED);
	atomic_store(&stop, false);
}

static void connection_is_kept_for_the_next_request(void **state)
{
	struct client *client = *state;

	client->fake.answer = SN_STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	for (int i = 0; i < 10; i++)
		assert_int_equal(insert(client), 0);
	assert_int_equal(atomic_load(&client->fake.questions), 10);
	assert_int_equal(atomic_load(&client->fake.connections), 1);
}

/* libcurl would repeat what a dead connection did not answer; the block might be stored twice. */
static void insert_is_never_sent_twice(void **state)
{
	struct client *client = *state;
	unsigned begun;

	client->fake.answer = SN_STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(insert(client), 0);
	begun = atomic_load(&client->fake.begun);
	client->fake.answer = SN_STR("");
	assert_int_equal(insert(client), -EAGAIN);
	assert_int_equal(atomic_load(&client->fake.questions), 2);
	assert_int_equal(atomic_load(&client->fake.begun), begun + 1);
}

static void question_is_repeated_on_a_new_connection(void **state)
{
	struct client *client = *state;

	client->fake.answer = SN_STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(has(client), 0);
	client->fake.answer = SN_STR("");
	assert_int_equal(has(client), -EAGAIN);
	assert_true(atomic_load(&client->fake.questions) > 2);
}

/* URLs ---------------------------------------------------------------------------------- */

static void url_that_is_none_is_refused_without_telling_its_password(void **state)
{
	static const char *const urls[] = {
		"",
		"127.0.0.1:8123",
		"ftp://sonde:secret@127.0.0.1",
		"http://sonde:secret@127.0.0.1:99999",
		"http://sonde:secret@127.0.0.1/two/parts",
		"http://sonde:secret@127.0.0.1/it's",
		"http://sonde:secret@127.0.0.1/default?password=secret",
		"http://sonde:secret@127.0.0.1/default#secret",
		"http://sonde:secret@",
		"http://sonde:12/secret@127.0.0.1/default",
	};
	struct sn_clickhouse *ch;
	struct sn_err err;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(urls); i++) {
		struct sn_clickhouse_options options = {.url = urls[i]};

		assert_int_equal(sn_clickhouse_open(&options, &ch, &err), -EINVAL);
		assert_null(strstr(err.text, "secret"));
		assert_non_null(strstr(err.text, "URL"));
	}
}

static void options_are_checked(void **state)
{
	struct sn_clickhouse_options options = {.url = "http://127.0.0.1", .cluster = "a'b"};
	struct sn_clickhouse *ch;
	struct sn_err err;

	(void)state;
	assert_int_equal(sn_clickhouse_open(&options, &ch, &err), -EINVAL);
	options = (struct sn_clickhouse_options){.url = "https://127.0.0.1", .ca = "/nowhere/ca"};
	assert_int_equal(sn_clickhouse_open(&options, &ch, &err), -EINVAL);
	assert_non_null(strstr(err.text, "/nowhere/ca"));
}

static void place_is_told_without_password(void **state)
{
	static const char *const places[][2] = {
		{"http://sonde:secret@127.0.0.1:8124/measured",
		 "http://sonde@127.0.0.1:8124/measured"},
		{"https://db.example.net", "https://db.example.net:8443/default"},
		{"http://[::1]/", "http://[::1]:8123/default"},
	};
	struct sn_clickhouse *ch;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(places); i++) {
		struct sn_clickhouse_options options = {.url = places[i][0]};

		assert_int_equal(sn_clickhouse_open(&options, &ch, NULL), 0);
		assert_string_equal(sn_clickhouse_place(ch), places[i][1]);
		sn_clickhouse_close(ch);
	}
}

#define WITH_FAKE(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(each_broken_answer_is_told_apart),
		WITH_FAKE(answer_must_be_complete_and_say_so),
		WITH_FAKE(answer_that_is_no_rows_is_refused),
		WITH_FAKE(error_behind_good_rows_is_found),
		WITH_FAKE(server_that_is_down_has_stored_nothing),
		WITH_FAKE(server_that_hangs_is_given_up),
		WITH_FAKE(request_ends_when_it_is_told_to),
		WITH_FAKE(connection_is_kept_for_the_next_request),
		WITH_FAKE(insert_is_never_sent_twice),
		WITH_FAKE(question_is_repeated_on_a_new_connection),
		cmocka_unit_test(url_that_is_none_is_refused_without_telling_its_password),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(place_is_told_without_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
