/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/util.h"
#include "meter/series/rrd_conf.h"
#include "meter/series/series.h"
#include "meter/series/sheet.h"

static struct sn_rrd_conf conf;
static struct sn_err err;

static int parse(const char *text)
{
	sn_rrd_conf_finish(&conf);
	err = (struct sn_err){0};
	return sn_rrd_conf_parse(sn_str(text), "rrd.conf", &conf, &err);
}

static int teardown(void **state SN_UNUSED)
{
	sn_rrd_conf_finish(&conf);
	return 0;
}

static void assert_refused(const char *text, const char *reason)
{
	assert_int_equal(parse(text), -EINVAL);
	if (strstr(err.text, reason) == NULL)
		fail_msg("'%s' is refused with: %s", text, err.text);
	assert_int_equal(conf.count, 0);
}

static void a_line_asks_for_values_of_a_histogram(void **state SN_UNUSED)
{
	assert_int_equal(parse("ip_len_in avg idx:40,1500,other prc:50,99.9\n"), 0);
	assert_int_equal(conf.count, 6);
	for (size_t i = 0; i < conf.count; i++)
		assert_int_equal(conf.values[i].histogram, SN_HISTOGRAM_IP_LEN_IN);
	assert_string_equal(conf.values[0].stat, "avg");
	assert_string_equal(conf.values[1].stat, "idx40");
	assert_int_equal(conf.values[1].what, 11);
	assert_string_equal(conf.values[3].stat, "idxoth");
	assert_int_equal(conf.values[3].first, 1);
	assert_int_equal(conf.values[3].count, 2);
	assert_string_equal(conf.values[4].stat, "prc50");
	assert_string_equal(conf.values[5].stat, "prc99.900");
	assert_int_equal(conf.values[0].steps, 7);
}

static void words_stand_for_applications(void **state SN_UNUSED)
{
	assert_int_equal(parse("tcp_bitrate_in idx:0,33,49\nip_bitrate_in idx:0"), 0);
	assert_string_equal(conf.values[0].label, "http");
	assert_string_equal(conf.values[1].label, "tls");
	assert_string_equal(conf.values[2].label, "unknown");
	assert_string_equal(conf.values[3].label, "tcp");
}

static void a_hash_anywhere_makes_a_comment(void **state SN_UNUSED)
{
	assert_int_equal(parse("# no\nno_such_thing avg # yes\n\n \t\nip_ttl_in avg\r\n"), 0);
	assert_int_equal(conf.count, 1);
}

static void steps_hold_for_the_lines_behind_them(void **state SN_UNUSED)
{
	assert_int_equal(
		parse("ip_ttl_in avg\nsteps 1\nip_ttl_out avg\nsteps 60 300\nip_ttl_out avg"), 0);
	assert_int_equal(conf.values[0].steps, 7);
	assert_int_equal(conf.values[1].steps, 1);
	assert_int_equal(conf.values[2].steps, 6);
	assert_refused("steps", "without a step");
	assert_refused("steps 5", "unknown step");
}

static void mistakes_are_named_with_their_line(void **state SN_UNUSED)
{
	assert_refused("ip_ttl_in avg\nip_lem_in avg", "rrd.conf:2: unknown histogram 'ip_lem_in'");
	assert_refused("ip_lem_in avg", "did you mean 'ip_len_in'?");
	assert_refused("ip_ttl_in", "nothing is asked of it");
	assert_refused("ip_ttl_in average", "unknown value");
	assert_refused("ip_ttl_in idx:", "unknown value");
	assert_refused("ip_ttl_in idx:256", "no number from 0 to 255");
	assert_refused("ip_ttl_in idx:1,,2", "no number");
	assert_refused("ip_ttl_in idx:-1", "no number");
	assert_refused("ip_ttl_in prc:0", "no percentage");
	assert_refused("ip_ttl_in prc:101", "no percentage");
	assert_refused("ip_ttl_in prc:x", "no percentage");
	assert_refused("ip_ttl_in avg max avg", "asked for twice");
	assert_refused("ip_ttl_in avg\nip_ttl_in avg", "rrd.conf:2: 'avg': asked for twice");
	assert_refused("ip_ttl_in \x1b[2J", "'?[2J': unknown value");
}

static void a_text_of_more_than_the_limit_is_refused(void **state SN_UNUSED)
{
	char *text = sn_xmalloc(SN_TRAFFIC_CONF_MAX + 2);

	memset(text, '\n', SN_TRAFFIC_CONF_MAX + 1);
	text[SN_TRAFFIC_CONF_MAX] = '\0';
	assert_int_equal(parse(text), 0);
	text[SN_TRAFFIC_CONF_MAX] = '\n';
	text[SN_TRAFFIC_CONF_MAX + 1] = '\0';
	assert_int_equal(parse(text), -EFBIG);
	free(text);
}

static void more_values_than_the_limit_are_refused(void **state SN_UNUSED)
{
	struct sn_buf text = {0};

	sn_buf_adds(&text, "tcp_port_dst_in idx:0");
	for (int i = 1; i < SN_RRD_VALUES_MAX; i++)
		sn_buf_addf(&text, ",%d", i);
	assert_int_equal(parse(sn_buf_cstr(&text)), 0);
	assert_int_equal(conf.count, SN_RRD_VALUES_MAX);
	sn_buf_adds(&text, "\nip_ttl_in avg");
	assert_refused(sn_buf_cstr(&text), "too many values");
	sn_buf_finish(&text);
}

static void tstats_own_file_asks_for_1491_values(void **state SN_UNUSED)
{
	struct sn_buf text = {0};

	if (sn_fs_read(SN_TEST_DATA "/series/rrd.conf", SN_TRAFFIC_CONF_MAX, &text, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(parse(sn_buf_cstr(&text)), 0);
	assert_int_equal(conf.count, 1491);
	sn_buf_finish(&text);
}

static void what_is_shipped_is_small_for_steps_of_a_second(void **state SN_UNUSED)
{
	size_t counts[SN_TRAFFIC_STEPS] = {0};

	if (sn_rrd_conf_parse(sn_rrd_conf_default(), "rrd.conf", &conf, &err) != 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < conf.count; i++)
		for (unsigned step = 0; step < SN_TRAFFIC_STEPS; step++)
			counts[step] += conf.values[i].steps >> step & 1;
	assert_in_range(counts[0], 10, 30);
	assert_in_range(counts[1], 100, 250);
	assert_in_range(counts[2], counts[1], 300);
}

/* Histograms --------------------------------------------------------------- */

static void all_349_histograms_have_names_of_their_own(void **state SN_UNUSED)
{
	assert_int_equal(SN_HISTOGRAMS, 349);
	for (int i = 0; i < SN_HISTOGRAMS; i++) {
		const struct sn_histogram *histogram = &sn_histograms[i];

		assert_int_equal(sn_histogram_find(sn_str(histogram->name)), i);
		assert_true(histogram->first % SN_HISTOGRAM_BLOCK == 0);
		if (i > 0)
			assert_true(histogram->first >=
				    sn_histograms[i - 1].first + sn_histograms[i - 1].count);
		assert_true(histogram->first + histogram->count <= SN_HISTOGRAM_BINS);
	}
	assert_int_equal(sn_histogram_find(SN_STR("ip_len")), -1);
}

static void values_outside_the_range_have_a_bin_at_each_end(void **state SN_UNUSED)
{
	const struct sn_histogram *length = &sn_histograms[SN_HISTOGRAM_IP_LEN_IN];
	const struct sn_histogram *option = &sn_histograms[SN_HISTOGRAM_TCP_OPTS_WS];

	assert_int_equal(sn_histogram_bin(length, 0), 1);
	assert_int_equal(sn_histogram_bin(length, 3.9), 1);
	assert_int_equal(sn_histogram_bin(length, 4), 2);
	assert_int_equal(sn_histogram_bin(length, 1503), 376);
	assert_int_equal(sn_histogram_bin(length, 1504), 377);
	assert_int_equal(sn_histogram_bin(length, 1e12), 377);
	assert_int_equal(sn_histogram_low(length, 377), 1504);
	assert_int_equal(sn_histogram_low(length, 0), -4);
	assert_int_equal(sn_histogram_bin(option, 0), 0);
	assert_int_equal(sn_histogram_bin(option, NAN), 0);
	assert_int_equal(sn_histogram_bin(option, 1), 1);
	assert_int_equal(sn_histogram_bin(option, 4), 4);
}

/* Sheets ------------------------------------------------------------------- */

static void samples_give_averages_and_percentiles(void **state SN_UNUSED)
{
	enum sn_histogram_id id = SN_HISTOGRAM_TCP_RTT_AVG_IN;
	struct sn_sheet *sheet = sn_sheet_create();

	assert_true(sn_sheet_stat(sheet, id, SN_STAT_AVG) == 0);
	assert_true(sn_sheet_percentile(sheet, id, 50, 0) == -1);
	sn_sheet_add(sheet, id, 10.5);
	assert_true(isnan(sn_sheet_stat(sheet, id, SN_STAT_STDEV)));
	sn_sheet_add(sheet, id, 20.5);
	sn_sheet_add_many(sheet, id, 5000, 2); /* beyond the range */
	assert_true(sn_sheet_stat(sheet, id, SN_STAT_AVG) == 2507.75);
	assert_true(sn_sheet_stat(sheet, id, SN_STAT_MIN) == 10.5);
	assert_true(sn_sheet_stat(sheet, id, SN_STAT_MAX) == 5000);
	assert_true(sn_sheet_stat(sheet, id, SN_STAT_HIT) == 4);
	assert_true(fabs(sn_sheet_stat(sheet, id, SN_STAT_VAR) - 8281763.417) < 0.01);
	assert_true(sn_sheet_total(sheet, id, 0) == 2);
	assert_true(sn_sheet_percentile(sheet, id, 50, 0) == 10);
	assert_true(sn_sheet_percentile(sheet, id, 51, 0) == 20);
	assert_true(sn_sheet_percentile(sheet, id, 100, 0) == 20);
	sn_sheet_destroy(sheet);
}

static void bytes_are_told_as_whole_bits_per_second(void **state SN_UNUSED)
{
	enum sn_histogram_id id = SN_HISTOGRAM_TCP_BITRATE_IN;
	struct sn_sheet *sheet = sn_sheet_create();

	sn_sheet_add_bytes(sheet, id, 33, 1000);
	sn_sheet_add_bytes(sheet, id, 49, 1);
	assert_true(sn_sheet_bin(sheet, id, 34, 3 * SN_NS_PER_S) == 2666);
	assert_true(sn_sheet_bin(sheet, id, 50, 3 * SN_NS_PER_S) == 2);
	assert_true(sn_sheet_total(sheet, id, 3 * SN_NS_PER_S) == 2669);
	assert_true(isnan(sn_sheet_total(sheet, id, SN_NS_PER_MS - 1)));
	sn_sheet_destroy(sheet);
}

static void sheets_add_up_and_are_cleared(void **state SN_UNUSED)
{
	struct sn_sheet *a = sn_sheet_create(), *b = sn_sheet_create();
	bool wanted[SN_HISTOGRAMS] = {[SN_HISTOGRAM_UDP_PORT_DST_IN] = true};

	sn_sheet_add(a, SN_HISTOGRAM_UDP_PORT_DST_IN, 53);
	sn_sheet_add(b, SN_HISTOGRAM_UDP_PORT_DST_IN, 65535);
	sn_sheet_add(b, SN_HISTOGRAM_IP_TTL_IN, 64);
	sn_sheet_merge(a, b, wanted);
	assert_true(sn_sheet_bin(a, SN_HISTOGRAM_UDP_PORT_DST_IN, 54, 0) == 1);
	assert_true(sn_sheet_bin(a, SN_HISTOGRAM_UDP_PORT_DST_IN, 65536, 0) == 1);
	assert_true(sn_sheet_stat(a, SN_HISTOGRAM_UDP_PORT_DST_IN, SN_STAT_AVG) == 32794);
	assert_true(sn_sheet_stat(a, SN_HISTOGRAM_IP_TTL_IN, SN_STAT_HIT) == 0);
	sn_sheet_merge(a, b, NULL);
	assert_true(sn_sheet_stat(a, SN_HISTOGRAM_IP_TTL_IN, SN_STAT_HIT) == 1);
	sn_sheet_clear(a);
	assert_true(sn_sheet_is_empty(a));
	for (size_t i = 0; i < SN_HISTOGRAM_BINS; i++)
		assert_true(a->bins[i] == 0);
	sn_sheet_destroy(a);
	sn_sheet_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_line_asks_for_values_of_a_histogram, teardown),
		cmocka_unit_test_teardown(words_stand_for_applications, teardown),
		cmocka_unit_test_teardown(a_hash_anywhere_makes_a_comment, teardown),
		cmocka_unit_test_teardown(steps_hold_for_the_lines_behind_them, teardown),
		cmocka_unit_test_teardown(mistakes_are_named_with_their_line, teardown),
		cmocka_unit_test_teardown(a_text_of_more_than_the_limit_is_refused, teardown),
		cmocka_unit_test_teardown(more_values_than_the_limit_are_refused, teardown),
		cmocka_unit_test_teardown(tstats_own_file_asks_for_1491_values, teardown),
		cmocka_unit_test_teardown(what_is_shipped_is_small_for_steps_of_a_second, teardown),
		cmocka_unit_test(all_349_histograms_have_names_of_their_own),
		cmocka_unit_test(values_outside_the_range_have_a_bin_at_each_end),
		cmocka_unit_test(samples_give_averages_and_percentiles),
		cmocka_unit_test(bytes_are_told_as_whole_bits_per_second),
		cmocka_unit_test(sheets_add_up_and_are_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
