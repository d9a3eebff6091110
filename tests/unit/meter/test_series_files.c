/* SPDX-License-Identifier: Apache-2.0 */
/* Histogram files: when they are written, and where. */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "series_board.h"

static char directory[64];

static int open_files(void)
{
	snprintf(directory, sizeof(directory), "/tmp/sonde-series-XXXXXX");
	assert_non_null(mkdtemp(directory));
	return open(directory, O_RDONLY | O_DIRECTORY);
}

static void assert_file(const char *name, const char *expected)
{
	char *path = sn_fs_join(directory, name);
	struct sn_buf text = {0};

	if (sn_fs_read(path, 65536, &text, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(sn_buf_cstr(&text), expected);
	sn_buf_finish(&text);
	free(path);
}

static bool exists(const char *name)
{
	char *path = sn_fs_join(directory, name);
	bool there = sn_fs_exists(path);

	free(path);
	return there;
}

static void closed_steps_write_histogram_files(void **state SN_UNUSED)
{
	struct sn_traffic_options options = {
		.rrd_conf = "", .steps = 0, .tstat_steps = true, .global = true};
	struct sn_traffic_stats stats;
	int fd = open_files();
	char *absent = sn_fs_join(directory, "000/ip_len_in");

	assert_int_equal(sn_traffic_board_create(&options, &board, &err), 0);
	sn_traffic_board_histograms(board, true);
	sn_traffic_board_directory(board, fd, T0);
	workers[0] = sn_traffic_create(board);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 17 * S);
	send_udp(workers[0], SN_CLIENT, 1600, T0 + 317 * S);
	send_udp(workers[0], SN_CLIENT, 100, T0 + 317 * S + 1); /* more than 300 s: the last */
	send_udp(workers[0], SN_CLIENT, 100, T0 + 319 * S + 1);
	finish();
	assert_file("000/ip_len_out", "#IP packet length [byte] - outgoing packets\n"
				      "#RANGE: min=0 bin_size=4 max=1504\n48 1\n100 1\n1504 1\n");
	assert_file("000/ip_bitrate_out", "#IP bitrate [bit/s] - outgoing packets\n"
					  "#RANGE: min=0 bin_size=1 max=4\n1 46\n3 46\n");
	assert_file("LAST/ip_bitrate_out", "#IP bitrate [bit/s] - outgoing packets\n"
					   "#RANGE: min=0 bin_size=1 max=4\n1 400\n3 400\n");
	assert_file("GLOBAL/udp_port_dst_out",
		    "#UDP destination port - outgoing datagrams\n"
		    "#RANGE: min=0 bin_size=1 max=65536\n#SAMPLES: 4\n53 1.000000 1.000000\n");
	assert_file("GLOBAL/ip_len_out",
		    "#IP packet length [byte] - outgoing packets\n"
		    "#RANGE: min=0 bin_size=4 max=1504\n#SAMPLES: 4\n48 0.250000 0.250000\n"
		    "100 0.500000 0.750000\n1504 0.250000 1.000000\n");
	assert_false(sn_fs_exists(absent));
	sn_traffic_board_stats(board, &stats);
	assert_true(stats.files > 20);
	assert_int_equal(stats.late, 0);
	close_board();
	close(fd);
	free(absent);
	assert_int_equal(sn_fs_remove_tree(directory, &err), 0);
}

/* The first is as long as asked for, and no other packets are in it; 90 s are not whole minutes. */
static void files_have_steps_of_the_length_that_was_asked_for(void **state SN_UNUSED)
{
	struct sn_traffic_options options = {
		.rrd_conf = "ip_len_out hit\n", .steps = 6, .long_seconds = 90, .value = tell};
	const int64_t begin_ns = T0 / (90 * S) * 90 * S;
	int fd = open_files();

	told_count = 0;
	assert_int_equal(sn_traffic_board_create(&options, &board, &err), 0);
	sn_traffic_board_histograms(board, true);
	sn_traffic_board_directory(board, fd, begin_ns);
	workers[0] = sn_traffic_create(board);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 50, begin_ns + S);
	send_udp(workers[0], SN_CLIENT, 50, begin_ns + 89 * S);
	send_udp(workers[0], SN_CLIENT, 100, begin_ns + 91 * S);
	finish();
	assert_file("000/ip_len_out", "#IP packet length [byte] - outgoing packets\n"
				      "#RANGE: min=0 bin_size=4 max=1504\n48 2\n");
	assert_file("LAST/ip_len_out", "#IP packet length [byte] - outgoing packets\n"
				       "#RANGE: min=0 bin_size=4 max=1504\n100 1\n");
	assert_told(90, begin_ns, "ip_len_out", "hit", 2);
	assert_told(90, begin_ns + 90 * S, "ip_len_out", "hit", 1);
	assert_told(60, begin_ns / (60 * S) * 60 * S, "ip_len_out", "hit", 1);
	close_board();
	close(fd);
	assert_int_equal(sn_fs_remove_tree(directory, &err), 0);
}

/* Flows whose histograms are written below `fd`. */
static void begin_writing(int fd)
{
	open_board("", 4);
	sn_traffic_board_histograms(board, true);
	sn_traffic_board_directory(board, fd, T0);
	begin_flows(true, false);
}

static void files_that_are_switched_off_and_on_go_on_in_their_directory(void **state SN_UNUSED)
{
	int fd = open_files();
	char *second = sn_fs_join(directory, "001"), *third = sn_fs_join(directory, "002");

	begin_writing(fd);
	send_udp(workers[0], SN_CLIENT, 50, T0);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 300 * S);
	sn_traffic_board_histograms(board, false);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 600 * S);
	assert_false(sn_fs_exists(second));
	sn_traffic_board_histograms(board, true);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 900 * S);
	assert_true(sn_fs_exists(second));
	assert_false(sn_fs_exists(third));
	close_board();
	close(fd);
	free(second);
	free(third);
	assert_int_equal(sn_fs_remove_tree(directory, &err), 0);
}

/* The step that was open when a new directory began belongs to the old one. */
static void a_step_is_written_where_it_began(void **state SN_UNUSED)
{
	int first, second;
	char *before, *after;

	open_board("", 4);
	sn_traffic_board_histograms(board, true);
	first = open_files();
	before = sn_xstrdup(directory);
	sn_traffic_board_directory(board, first, T0);
	second = open_files();
	after = sn_xstrdup(directory);
	begin_flows(true, false);
	for (int i = 0; i < 2; i++)
		send_udp(workers[0], SN_CLIENT, 50, T0 + i * 300 * S);
	sn_traffic_board_directory(board, second, T0 + 310 * S);
	for (int i = 2; i < 4; i++)
		send_udp(workers[0], SN_CLIENT, 50, T0 + i * 300 * S);
	snprintf(directory, sizeof(directory), "%s", before);
	assert_true(exists("000/ip_len_out") && exists("001/ip_len_out") && !exists("002"));
	snprintf(directory, sizeof(directory), "%s", after);
	assert_true(exists("000/ip_len_out") && !exists("001"));
	/* What somebody has removed is nobody's loss. */
	assert_int_equal(sn_fs_remove_tree(before, &err), 0);
	assert_int_equal(sn_fs_remove_tree(after, &err), 0);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 1200 * S);
	finish();
	close_board();
	close(first);
	close(second);
	free(before);
	free(after);
}

static void files_that_cannot_be_written_are_an_error(void **state SN_UNUSED)
{
	struct sn_sink sink;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	begin_writing(fd);
	send_udp(workers[0], SN_CLIENT, 50, T0);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 300 * S);
	sink = sn_traffic_sink(workers[0]);
	assert_int_equal(sink.ops->flush(sink.sink, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, "cannot write histogram '000'"));
	assert_int_equal(sn_traffic_board_finish(board, &err), -ENOTDIR);
	close(fd);
}

static void a_live_run_goes_on_without_files_and_writes_again_when_it_can(void **state SN_UNUSED)
{
	struct sn_traffic_options options = {.rrd_conf = "", .steps = 4, .keep_going = true};
	int none = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = open_files();
	struct sn_traffic_stats stats;

	assert_int_equal(sn_traffic_board_create(&options, &board, &err), 0);
	workers[0] = sn_traffic_create(board);
	sn_traffic_board_histograms(board, true);
	sn_traffic_board_directory(board, none, T0);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 50, T0);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 300 * S);
	flush(workers[0]);
	sn_traffic_board_stats(board, &stats);
	assert_true(stats.lost_files > 0 && stats.files == 0);
	sn_traffic_board_directory(board, fd, T0 + 300 * S);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 600 * S);
	flush(workers[0]);
	assert_true(exists("000/ip_len_out"));
	/* That something is missing is said at the end. */
	assert_int_equal(sn_traffic_board_finish(board, &err), -ENOTDIR);
	close_board();
	close(none);
	close(fd);
	assert_int_equal(sn_fs_remove_tree(directory, &err), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(closed_steps_write_histogram_files),
		TEST(files_have_steps_of_the_length_that_was_asked_for),
		TEST(a_step_is_written_where_it_began),
		TEST(files_that_are_switched_off_and_on_go_on_in_their_directory),
		TEST(files_that_cannot_be_written_are_an_error),
		TEST(a_live_run_goes_on_without_files_and_writes_again_when_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
