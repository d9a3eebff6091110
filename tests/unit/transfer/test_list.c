/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "transfer/announce.h"
#include "transfer/list.h"
#include "transfer/queue.h"

#define DIGEST "31f48e0f604a672d1fa436f4e5ac993ddede8e61e2cadfcc65ad74283f0b35a7"

struct taken {
	size_t count, refused;
	char text[4096]; /* entries, a line each */
	char reason[160];
};

static int take(const struct sn_math_entry *entry, void *ctx)
{
	struct taken *taken = ctx;
	size_t at = strlen(taken->text);

	taken->count++;
	snprintf(taken->text + at, sizeof(taken->text) - at, "%.*s %lld %s\n", (int)entry->path.n,
		 entry->path.p, entry->detailed ? (long long)entry->size : -1LL, entry->sha256);
	return 0;
}

static void refuse(const char *reason, void *ctx)
{
	struct taken *taken = ctx;

	taken->refused++;
	snprintf(taken->reason, sizeof(taken->reason), "%s", reason);
}

/* In pieces of `piece` bytes. */
static int read_list(const char *text, size_t piece, bool lenient, struct taken *taken)
{
	struct sn_math_list_reader *reader =
		sn_math_list_reader_create(take, lenient ? refuse : NULL, taken);
	struct sn_err err = {0};
	size_t n = strlen(text);
	int rc = 0;

	memset(taken, 0, sizeof(*taken));
	for (size_t i = 0; rc == 0 && i < n; i += piece)
		rc = sn_math_list_reader_feed(
			reader, (struct sn_str){text + i, SN_MIN(piece, n - i)}, &err);
	if (rc == 0)
		rc = sn_math_list_reader_end(reader, &err);
	assert_true(rc == 0 || (err.code == rc && err.text[0] != '\0'));
	sn_math_list_reader_destroy(reader);
	return rc;
}

static void lists_of_old_peers_are_read(void **state)
{
	/* As encoding/json of Go writes it. */
	static const char text[] = "[\"2013_11_05_14_00.out/log_tcp_complete\","
				   "\"2013_11_05_15_00.out/log_tcp_complete\"]\n";
	struct taken taken;

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		assert_int_equal(read_list(text, piece, false, &taken), 0);
		assert_string_equal(taken.text, "2013_11_05_14_00.out/log_tcp_complete -1 \n"
						"2013_11_05_15_00.out/log_tcp_complete -1 \n");
	}
	assert_int_equal(read_list("null", 1, false, &taken), 0);
	assert_int_equal(read_list("null\n", 9, false, &taken), 0);
	assert_int_equal(read_list(" [ ] ", 1, false, &taken), 0);
	assert_int_equal(taken.count, 0);
}

static void lists_with_details_are_read(void **state)
{
	static const char text[] =
		"[{\"path\":\"a/b\",\"size\":12,\"mtime\":1772366400.5,\"sha256\":\"" DIGEST
		"\"} , "
		"{\"other\":{\"x\":[1,\"]\"]},\"sha256\":null,\"path\":\"c\\u0064\"},\"e\"]";
	struct taken taken;

	(void)state;
	for (size_t piece = 1; piece < 9; piece++) {
		assert_int_equal(read_list(text, piece, false, &taken), 0);
		assert_string_equal(taken.text, "a/b 12 " DIGEST "\ncd -1 \ne -1 \n");
	}
}

static void what_is_written_is_read(void **state)
{
	struct sn_math_entry entry = {.path = SN_STR("a \"b\"/c"),
				      .size = 7,
				      .mtime_ns = 1500000000 * 1000LL,
				      .sha256 = DIGEST};
	struct sn_buf out = {0};
	struct taken taken;

	(void)state;
	sn_buf_addc(&out, '[');
	sn_math_list_write(&out, &entry, true, true);
	sn_math_list_write(&out, &entry, false, false);
	sn_buf_addc(&out, ']');
	assert_int_equal(read_list(sn_buf_cstr(&out), 5, false, &taken), 0);
	assert_string_equal(taken.text, "a \"b\"/c 7 " DIGEST "\na \"b\"/c -1 \n");
	sn_buf_finish(&out);
}

static void what_is_no_list_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"nul",
		"nulll",
		"{}",
		"[",
		"[\"a\"",
		"[\"a\",]",
		"[1]",
		"[\"a\" 1]",
		"[\"a\"]]",
		"[[\"a\"]]",
		"[{}]",
		"[{\"size\":1}]",
		"[{\"path\":1}]",
		"[{\"path\":\"a\",\"size\":-1}]",
		"[{\"path\":\"a\",\"size\":1e3}]",
		"[{\"path\":\"a\",\"sha256\":\"00\"}]",
		"[{\"path\":\"a\",\"size\":9999999999999999999}]",
		"[{\"path\":\"a\"]",
		"<html>",
	};
	struct taken taken;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(texts); i++)
		assert_int_equal(read_list(texts[i], 3, true, &taken), -EINVAL);
}

static void bad_paths_are_told_or_refuse_the_list(void **state)
{
	static const char text[] = "[\"../../etc/passwd\",\"good\",\"/abs\"]";
	struct taken taken;

	(void)state;
	assert_int_equal(read_list(text, 4, true, &taken), 0);
	assert_string_equal(taken.text, "good -1 \n");
	assert_int_equal(taken.refused, 2);
	assert_non_null(strstr(taken.reason, "absolute"));
	assert_int_equal(read_list(text, 4, false, &taken), -EINVAL);
}

static void an_entry_without_end_is_refused(void **state)
{
	struct sn_buf text = {0};
	struct taken taken;

	(void)state;
	sn_buf_adds(&text, "[\"");
	for (int i = 0; i < SN_MATH_ENTRY_MAX; i++)
		sn_buf_addc(&text, 'a');
	assert_int_equal(read_list(sn_buf_cstr(&text), 1000, true, &taken), -E2BIG);
	sn_buf_finish(&text);
}

static int nothing(const struct sn_math_entry *entry, void *ctx)
{
	(void)entry;
	(void)ctx;
	return 0;
}

static void lists_have_a_limit(void **state)
{
	struct sn_math_list_reader *reader = sn_math_list_reader_create(nothing, NULL, NULL);
	struct sn_err err = {0};
	int rc = sn_math_list_reader_feed(reader, SN_STR("[\"a\""), &err);

	(void)state;
	for (int i = 1; i < SN_MATH_ENTRIES_MAX && rc == 0; i++)
		rc = sn_math_list_reader_feed(reader, SN_STR(",\"a\""), &err);
	assert_int_equal(rc, 0);
	assert_int_equal(sn_math_list_reader_feed(reader, SN_STR(",\"a\""), &err), -E2BIG);
	sn_math_list_reader_destroy(reader);
}

static void the_oldest_file_comes_first_and_once(void **state)
{
	struct sn_math_entry a = {.path = SN_STR("a")}, b = {.path = SN_STR("b")};
	struct sn_math_queue queue = {0};
	const struct sn_math_wanted *wanted;

	(void)state;
	b.size = 1;
	sn_math_queue_add(&queue, &b, 7);
	sn_math_queue_add(&queue, &a, 9);
	b.size = 2;
	sn_math_queue_add(&queue, &b, 7);
	wanted = sn_math_queue_take(&queue);
	assert_string_equal(wanted->path, "b");
	assert_int_equal(wanted->entry.size, 2);
	wanted = sn_math_queue_take(&queue);
	assert_string_equal(wanted->path, "a");
	assert_null(sn_math_queue_take(&queue));
	assert_false(queue.overflow);
	sn_math_queue_finish(&queue);
}

static void a_full_queue_keeps_the_oldest(void **state)
{
	struct sn_math_queue queue = {0};
	char path[32];
	size_t count = 0;

	(void)state;
	for (int i = 3 * SN_MATH_QUEUE_MAX; i > 0; i--) {
		struct sn_math_entry entry = {.path = {path, 0}};

		entry.path.n = (size_t)snprintf(path, sizeof(path), "%d", i);
		sn_math_queue_add(&queue, &entry, i);
	}
	assert_string_equal(sn_math_queue_take(&queue)->path, "1");
	assert_true(queue.overflow);
	for (count = 1; sn_math_queue_take(&queue) != NULL; count++)
		;
	assert_int_equal(count, SN_MATH_QUEUE_MAX);
	sn_math_queue_finish(&queue);
}

static void announcements_of_old_peers_are_read(void **state)
{
	static const char text[] =
		"{\"XMLName\":{\"Space\":\"\",\"Local\":\"\"},\"CallBackUrl\":\"10.1.2.3:3001\","
		"\"StreamName\":\"tstat-lab\",\"StreamType\":\"log_tcp_complete_v15\","
		"\"StartTime\":1383661200}";
	struct sn_math_announcement announcement;
	struct sn_err err = {0};
	struct sn_buf out = {0};

	(void)state;
	assert_int_equal(sn_math_announcement_read(sn_str(text), &announcement, &err), 0);
	assert_string_equal(announcement.callback, "10.1.2.3:3001");
	assert_string_equal(announcement.stream, "tstat-lab");
	assert_string_equal(announcement.type, "log_tcp_complete_v15");
	assert_int_equal(announcement.start_s, 1383661200);
	sn_math_announcement_write(&announcement, &out);
	assert_string_equal(sn_buf_cstr(&out),
			    "{\"CallBackUrl\":\"10.1.2.3:3001\",\"StreamName\":\"tstat-lab\","
			    "\"StreamType\":\"log_tcp_complete_v15\",\"StartTime\":1383661200}");
	sn_buf_finish(&out);
}

static void announcements_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const callbacks[] = {
		"",
		"host",
		"host:0",
		"host:70000",
		"ftp://host:1",
		":3001",
		"user@host:3001",
		"host:3001/path",
		"host:30 01",
		"http://h:1/x",
		"a?b:80",
		"http://",
		"file:///etc/x:1",
		"h#f:1",
		"h:1@i:2",
		"http://h:1@i:2",
		"h:1/x:2",
		"[::1]x:1",
		"[::1",
	};
	struct sn_math_announcement announcement;
	struct sn_err err = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(callbacks); i++)
		assert_false(sn_math_callback_is_good(callbacks[i]));
	assert_true(sn_math_callback_is_good("[2001:db8::1]:3001"));
	assert_true(sn_math_callback_is_good("https://h:1"));
	assert_true(sn_math_callback_is_good("http://[::1]:1"));
	assert_true(sn_math_callback_is_good("https://probe.example.net:3001"));
	assert_int_equal(
		sn_math_announcement_read(SN_STR("{\"CallBackUrl\":\"h:1\",\"StreamName\":\"../x\","
						 "\"StreamType\":\"t\"}"),
					  &announcement, &err),
		-EINVAL);
	assert_int_equal(sn_math_announcement_read(SN_STR("[]"), &announcement, &err), -EINVAL);
	assert_int_equal(sn_math_announcement_read(SN_STR("{"), &announcement, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_old_peers_are_read),
		cmocka_unit_test(lists_with_details_are_read),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(bad_paths_are_told_or_refuse_the_list),
		cmocka_unit_test(an_entry_without_end_is_refused),
		cmocka_unit_test(lists_have_a_limit),
		cmocka_unit_test(the_oldest_file_comes_first_and_once),
		cmocka_unit_test(a_full_queue_keeps_the_oldest),
		cmocka_unit_test(announcements_of_old_peers_are_read),
		cmocka_unit_test(announcements_that_lead_elsewhere_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
