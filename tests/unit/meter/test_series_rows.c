/* SPDX-License-Identifier: Apache-2.0 */
/* Values of series as rows. */
#include "lib/test.h"

#include <errno.h>

#include "base/buf.h"
#include "data/codec.h"
#include "meter/series/rows.h"
#include "series_board.h"

static struct sn_buf written;

static int keep(struct sn_str text, void *ctx SN_UNUSED)
{
	sn_buf_add(&written, text.p, text.n);
	return 0;
}

static int break_down(struct sn_str text SN_UNUSED, void *ctx SN_UNUSED)
{
	return -EPIPE;
}

static void values_become_rows_of_their_dataset(void **state SN_UNUSED)
{
	struct sn_traffic_rows *rows = sn_traffic_rows_create(true, keep, NULL);
	struct sn_traffic_value value = {.begin_ns = T0,
					 .time_ns = T0 + 60 * S,
					 .step_seconds = 60,
					 .interface = "eth0",
					 .metric = "tcp_bitrate_in",
					 .stat = "idx33",
					 .label = "tls",
					 .value = 12345};
	struct sn_batch *batch = sn_batch_create(&sn_dataset_traffic);

	sn_traffic_rows_add(&value, rows);
	value.value = NAN;
	sn_traffic_rows_add(&value, rows);
	value.value = 0;
	value.empty = true;
	sn_traffic_rows_add(&value, rows);
	assert_int_equal(written.n, 0);
	assert_int_equal(sn_traffic_rows_flush(rows, &err), 0);
	assert_string_equal(
		sn_buf_cstr(&written),
		"{\"dataset\":\"traffic\",\"time\":\"2023-11-14T22:15:00.000000000Z\","
		"\"interface\":\"eth0\",\"step_seconds\":60,\"metric\":\"tcp_bitrate_in\","
		"\"stat\":\"idx33\",\"label\":\"tls\",\"value\":12345}\n");
	assert_ptr_equal(sn_jsonl_dataset(sn_buf_str(&written), NULL), &sn_dataset_traffic);
	assert_int_equal(sn_jsonl_read(batch, sn_buf_str(&written), 10, &err), 0);
	assert_int_equal(sn_batch_rows(batch), 1);
	sn_batch_destroy(batch);
	sn_buf_finish(&written);
	sn_traffic_rows_destroy(rows);
}

static void a_writer_that_fails_is_told_at_the_flush(void **state SN_UNUSED)
{
	struct sn_traffic_rows *rows = sn_traffic_rows_create(false, break_down, NULL);
	struct sn_traffic_value value = {.metric = "ip_ttl_in", .stat = "avg", .label = ""};

	sn_traffic_rows_add(&value, rows);
	assert_int_equal(sn_traffic_rows_flush(rows, &err), -EPIPE);
	assert_int_equal(sn_traffic_rows_flush(rows, &err), -EPIPE);
	sn_traffic_rows_destroy(rows);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_become_rows_of_their_dataset),
		TEST(a_writer_that_fails_is_told_at_the_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
