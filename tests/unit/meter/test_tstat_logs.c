/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of Tstat's logs: when they begin, what is in them, and what becomes of them. */
#include "lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "ipfix_views.h"
#include "meter/capture/losses.h"
#include "meter/log/log.h"

/* 2016-08-02 02:19:41 UTC */
#define T0       (1470104381 * SN_NS_PER_S)
#define FIRST    "2016_08_02_02_19.out"
#define STEP     (300 * SN_NS_PER_S)
#define TEXT_MAX (1 << 23)

static char directory[] = "/tmp/sonde-test-XXXXXX";
static struct sn_tstat_logs *logs;
static struct sn_sink sink;
static struct sn_tstat_options options;
static char text[TEXT_MAX];

static int start(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	assert_non_null(mkdtemp(directory));
	options = (struct sn_tstat_options){
		.directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.name = directory,
		.step_ns = STEP,
	};
	sn_tstat_choice_default(&options.choice);
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
	(void)status;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void open_logs(void)
{
	struct sn_err err;

	assert_int_equal(sn_tstat_logs_create(&options, &logs, &err), 0);
	sink = sn_tstat_sink_create(logs);
}

static void close_logs(void)
{
	if (logs == NULL)
		return;
	sink.ops->destroy(sink.sink);
	sn_tstat_logs_destroy(logs);
	logs = NULL;
}

static int stop(void **state)
{
	(void)state;
	close_logs();
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static int advance(int64_t time_ns)
{
	return sink.ops->advance(sink.sink, time_ns);
}

static int flush(struct sn_err *err)
{
	return sink.ops->flush(sink.sink, err);
}

/* A connection of its own client port. */
static int give_to(struct sn_sink to, uint16_t port)
{
	struct ipfix_test_view *test = calloc(1, sizeof(*test));
	int rc;

	ipfix_test_view_tcp(test);
	test->tcp.tcp.side[0].has_syn = test->tcp.tcp.side[1].has_syn = true;
	test->view.client_port = port;
	rc = to.ops->flow(to.sink, &test->view);
	free(test);
	return rc;
}

static int give(uint16_t port)
{
	return give_to(sink, port);
}

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static bool exists(const char *name)
{
	struct stat status;

	return stat(path_of(name), &status) == 0;
}

/* As it is, or what is compressed in it. */
static const char *content(const char *name)
{
	gzFile file = gzopen(path_of(name), "rb");
	int n = file != NULL ? gzread(file, text, TEXT_MAX - 1) : -1;

	if (n < 0)
		fail_msg("cannot read '%s'", name);
	text[n] = '\0';
	gzclose(file);
	return text;
}

static unsigned lines_of(const char *name)
{
	unsigned lines = 0;

	for (const char *p = content(name); *p != '\0'; p++)
		lines += *p == '\n';
	return lines;
}

static unsigned directories(void)
{
	DIR *dir = opendir(directory);
	unsigned count = 0;
	struct dirent *entry;

	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] == '2';
	closedir(dir);
	return count;
}

/* What is made -------------------------------------------------------------- */

static void the_first_packet_names_the_directory(void **state)
{
	(void)state;
	open_logs();
	assert_int_equal(directories(), 0);
	assert_int_equal(advance(T0), 0);
	assert_true(exists(FIRST));
	close_logs();
	/* Headers are there although nothing was said; logs that are off are not. */
	assert_int_equal(lines_of(FIRST "/log_tcp_complete"), 1);
	assert_memory_equal(content(FIRST "/log_tcp_complete"), "#15#c_ip:1 ", 11);
	assert_memory_equal(content(FIRST "/log_video_complete"), "#31#c_ip:1 ", 11);
	assert_int_equal(lines_of(FIRST "/log_chat_messages"), 1);
	assert_false(exists(FIRST "/log_http_complete"));
	assert_false(exists(FIRST "/log_skype_complete"));
	assert_false(exists(FIRST "/log_tcp_midstream"));
	assert_false(exists(FIRST "/log_capture"));
}

static void names_are_in_local_time(void **state)
{
	(void)state;
	setenv("TZ", "EST5", 1);
	tzset();
	open_logs();
	assert_int_equal(advance(T0), 0);
	setenv("TZ", "UTC", 1);
	tzset();
	assert_true(exists("2016_08_01_21_19.out"));
}

static void all_logs_have_their_headers(void **state)
{
	(void)state;
	memset(options.choice.on, true, sizeof(options.choice.on));
	options.choice.mid_stream = true;
	options.choice.tcp_level = 0;
	open_logs();
	advance(T0);
	close_logs();
	for (unsigned i = 0; i < SN_TSTAT_LOGS; i++) {
		char name[64];

		snprintf(name, sizeof(name), FIRST "/%s", sn_tstat_tables[i].name);
		assert_int_equal(lines_of(name), i == SN_TSTAT_SKYPE_COMPLETE  ? 0
						 : i == SN_TSTAT_HTTP_COMPLETE ? 2
									       : 1);
	}
	assert_memory_equal(content(FIRST "/log_tcp_midstream"), "#00#c_ip:1 ", 11);
}

static void a_directory_of_that_name_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of(FIRST), 0755), 0);
	assert_int_equal(mkdir(path_of(FIRST "/traces00"), 0755), 0);
	close(open(path_of(FIRST "/traces00/old"), O_CREAT | O_WRONLY, 0644));
	close(open(path_of(FIRST "/log_old"), O_CREAT | O_WRONLY, 0644));
	assert_int_equal(symlink("/etc/passwd", path_of(FIRST "/link")), 0);
	open_logs();
	assert_int_equal(advance(T0), 0);
	close_logs();
	assert_false(exists(FIRST "/traces00"));
	assert_false(exists(FIRST "/log_old"));
	assert_int_equal(lines_of(FIRST "/log_tcp_complete"), 1);
	assert_int_equal(access("/etc/passwd", R_OK), 0);
}

/* Which log ------------------------------------------------------------------ */

static void connections_go_where_they_belong(void **state)
{
	struct ipfix_test_view *test = calloc(1, sizeof(*test));
	struct sn_tstat_stats stats;

	(void)state;
	options.choice.mid_stream = true;
	open_logs();
	advance(T0);
	give(1); /* complete */
	ipfix_test_view_tcp(test);
	test->tcp.tcp.side[0].has_syn = true; /* no answer */
	test->tcp.tcp.side[1].has_syn = false;
	sink.ops->flow(sink.sink, &test->view);
	test->tcp.tcp.side[1].has_syn = true;
	test->view.end = SN_END_END; /* not seen to its end */
	sink.ops->flow(sink.sink, &test->view);
	test->view.end = SN_END_ACTIVE; /* goes on */
	sink.ops->flow(sink.sink, &test->view);
	test->view.end = SN_END_CLOSED;
	test->view.client.internal = false;
	sink.ops->flow(sink.sink, &test->view);
	test->view.client.internal = true;
	test->flow.mid_stream = true;
	sink.ops->flow(sink.sink, &test->view);
	ipfix_test_view_udp(test);
	sink.ops->flow(sink.sink, &test->view);
	ipfix_test_view_icmp(test, 4);
	sink.ops->flow(sink.sink, &test->view);
	sink.ops->flush(sink.sink, NULL);
	sn_tstat_logs_stats(logs, &stats);
	assert_int_equal(stats.lines[SN_TSTAT_TCP_COMPLETE], 1);
	assert_int_equal(stats.lines[SN_TSTAT_TCP_NOCOMPLETE], 2);
	assert_int_equal(stats.lines[SN_TSTAT_UDP_COMPLETE], 1);
	assert_int_equal(stats.external, 1);
	assert_int_equal(stats.lost, 0);
	close_logs();
	assert_int_equal(lines_of(FIRST "/log_tcp_complete"), 2);
	assert_int_equal(lines_of(FIRST "/log_tcp_nocomplete"), 3);
	assert_int_equal(lines_of(FIRST "/log_tcp_midstream"), 2);
	assert_int_equal(lines_of(FIRST "/log_udp_complete"), 2);
	free(test);
}

static void chats_and_periods_are_lines_of_their_own(void **state)
{
	struct ipfix_test_view *test = calloc(1, sizeof(*test));

	(void)state;
	options.choice.on[SN_TSTAT_TCP_PERIODIC] = options.choice.on[SN_TSTAT_UDP_PERIODIC] = true;
	open_logs();
	advance(T0);
	ipfix_test_view_tcp(test);
	test->tcp.tcp.side[0].has_syn = test->tcp.tcp.side[1].has_syn = true;
	test->app_tcp.con_type = SN_CON_XMPP;
	test->app_tcp.has_presence = true;
	for (int i = 0; i < 2; i++)
		sink.ops->flow(sink.sink, &test->view);
	test->view.end = SN_END_ACTIVE;
	sink.ops->flow(sink.sink, &test->view);
	/* Nothing came in its last period. */
	memset(test->view.period, 0, sizeof(test->view.period));
	sink.ops->flow(sink.sink, &test->view);
	ipfix_test_view_udp(test);
	sink.ops->flow(sink.sink, &test->view);
	close_logs();
	assert_int_equal(lines_of(FIRST "/log_tcp_complete"), 3);
	assert_int_equal(lines_of(FIRST "/log_tcp_periodic"), 4);
	assert_int_equal(lines_of(FIRST "/log_udp_periodic"), 2);
	content(FIRST "/log_chat_complete");
	assert_non_null(strstr(text, " 1700000000.000000 1.500 2 UNK 1 1 T 128 0 0\n"));
	assert_non_null(strstr(text, " 1700000000.000000 1.500 2 UNK 1 2 T 128 0 0\n"));
	free(test);
}

/* When ----------------------------------------------------------------------- */

static void so_many_steps_make_a_new_directory(void **state)
{
	(void)state;
	options.steps = 2;
	open_logs();
	advance(T0);
	give(1);
	advance(T0 + 2 * STEP - 1);
	give(2);
	assert_int_equal(directories(), 1);
	/* What was collected belongs to the time before. */
	advance(T0 + 2 * STEP);
	give(3);
	close_logs();
	assert_int_equal(directories(), 2);
	assert_int_equal(lines_of(FIRST "/log_tcp_complete"), 3);
	assert_int_equal(lines_of("2016_08_02_02_29.out/log_tcp_complete"), 2);
}

static void without_steps_there_is_one_directory(void **state)
{
	(void)state;
	open_logs();
	advance(T0);
	advance(T0 + 10 * 365 * 86400 * SN_NS_PER_S);
	advance(T0 - 86400 * SN_NS_PER_S);
	close_logs();
	assert_int_equal(directories(), 1);
}

static void a_clock_that_goes_back_begins_a_new_directory(void **state)
{
	(void)state;
	options.steps = 12;
	open_logs();
	advance(T0);
	advance(T0 - STEP);
	assert_int_equal(directories(), 1);
	advance(T0 - 86400 * SN_NS_PER_S);
	assert_true(exists("2016_08_01_02_19.out"));
	close_logs();
}

static void old_directories_go(void **state)
{
	(void)state;
	options.steps = 1;
	options.keep = 3;
	mkdir(path_of("2016_01_01_00_00.out"), 0755);
	mkdir(path_of("2016_01_01_00_00.old"), 0755);
	mkdir(path_of("2016_mine"), 0755);
	open_logs();
	for (int i = 0; i < 5; i++)
		advance(T0 + i * STEP);
	close_logs();
	assert_false(exists("2016_01_01_00_00.out"));
	assert_false(exists(FIRST));
	assert_false(exists("2016_08_02_02_24.out"));
	assert_true(exists("2016_08_02_02_29.out/log_tcp_complete"));
	assert_true(exists("2016_08_02_02_39.out/log_tcp_complete"));
	/* Names of another form are somebody else's. */
	assert_true(exists("2016_01_01_00_00.old"));
	assert_true(exists("2016_mine"));
}

static void the_present_directory_stays_when_others_are_of_the_future(void **state)
{
	(void)state;
	options.keep = 3;
	mkdir(path_of("2030_01_01_00_00.out"), 0755);
	mkdir(path_of("2031_01_01_00_00.out"), 0755);
	mkdir(path_of("2032_01_01_00_00.out"), 0755);
	open_logs();
	advance(T0);
	close_logs();
	assert_true(exists(FIRST));
	assert_false(exists("2030_01_01_00_00.out"));
	assert_true(exists("2031_01_01_00_00.out"));
	assert_true(exists("2032_01_01_00_00.out"));
}

static void another_choice_begins_a_new_directory_at_once(void **state)
{
	struct sn_tstat_choice choice;
	struct sn_err err;

	(void)state;
	open_logs();
	/* Before the first packet it only counts for the first directory. */
	sn_tstat_logs_choice(logs, &choice);
	choice.tcp_level = 31;
	assert_int_equal(sn_tstat_logs_choose(logs, &choice, &err), 0);
	advance(T0);
	give(1);
	choice.http_urls = 2;
	assert_int_equal(sn_tstat_logs_choose(logs, &choice, &err), 0);
	assert_int_equal(directories(), 1);
	choice.on[SN_TSTAT_HTTP_COMPLETE] = true;
	assert_int_equal(sn_tstat_logs_choose(logs, &choice, &err), 0);
	give(2);
	/* Nothing of this run is replaced: the same minute has a directory already. */
	choice.on[SN_TSTAT_HTTP_COMPLETE] = false;
	assert_int_equal(sn_tstat_logs_choose(logs, &choice, &err), 0);
	give(3);
	close_logs();
	assert_int_equal(directories(), 3);
	assert_memory_equal(content(FIRST "/log_tcp_complete"), "#31#", 4);
	assert_int_equal(lines_of(FIRST "/log_tcp_complete"), 2);
	assert_int_equal(lines_of("2016_08_02_02_20.out/log_http_complete"), 2);
	assert_int_equal(lines_of("2016_08_02_02_20.out/log_tcp_complete"), 2);
	assert_false(exists("2016_08_02_02_21.out/log_http_complete"));
	assert_int_equal(lines_of("2016_08_02_02_21.out/log_tcp_complete"), 2);
}

static void lines_can_be_read_within_a_second(void **state)
{
	(void)state;
	open_logs();
	advance(T0);
	give(1);
	advance(T0 + SN_NS_PER_S);
	assert_int_equal(lines_of(FIRST "/log_tcp_complete"), 2);
}

/* Compressed ------------------------------------------------------------------- */

static void compressed_logs_hold_the_same_lines(void **state)
{
	(void)state;
	options.gzip = true;
	open_logs();
	advance(T0);
	for (uint16_t i = 0; i < 500; i++) {
		give(i);
		advance(T0 + i * SN_NS_PER_S);
	}
	close_logs();
	assert_false(exists(FIRST "/log_tcp_complete"));
	assert_int_equal(lines_of(FIRST "/log_tcp_complete.gz"), 501);
	assert_int_equal(lines_of(FIRST "/log_udp_complete.gz"), 1);
}

static void finished_directories_are_compressed_bit_by_bit(void **state)
{
	(void)state;
	options.steps = 1;
	options.gzip_finished = true;
	open_logs();
	advance(T0);
	for (uint16_t i = 0; i < 2000; i++)
		give(i);
	advance(T0 + STEP);
	/* The present directory stays as it is; the one before is worked on with each call. */
	for (int i = 0; i < 100; i++)
		advance(T0 + STEP + i * 134 * SN_NS_PER_MS);
	assert_false(exists(FIRST "/log_tcp_complete"));
	assert_int_equal(lines_of(FIRST "/log_tcp_complete.gz"), 2001);
	assert_int_equal(lines_of(FIRST "/log_mm_complete.gz"), 1);
	assert_true(exists("2016_08_02_02_24.out/log_tcp_complete"));
	close_logs();
	/* At the end all is. */
	assert_false(exists("2016_08_02_02_24.out/log_tcp_complete"));
	assert_int_equal(lines_of("2016_08_02_02_24.out/log_tcp_complete.gz"), 1);
}

/* Where nothing goes on, time advances seldom. */
static void small_directories_are_compressed_with_the_next_advances(void **state)
{
	(void)state;
	options.steps = 1;
	options.gzip_finished = true;
	open_logs();
	advance(T0);
	give(1);
	advance(T0 + STEP);
	advance(T0 + STEP + SN_NS_PER_S);
	assert_false(exists(FIRST "/log_tcp_complete"));
	assert_false(exists(FIRST "/log_mm_complete"));
	assert_int_equal(lines_of(FIRST "/log_tcp_complete.gz"), 2);
	close_logs();
}

/* Several workers ---------------------------------------------------------------- */

#define WORKERS 4
#define EACH    3000

static void *work(void *data)
{
	struct sn_sink own = sn_tstat_sink_create(logs);

	for (unsigned i = 0; i < EACH; i++) {
		/* They are not at the same time, and the directory changes under way. */
		int64_t time_ns = T0 + (int64_t)i * SN_NS_PER_S / 4 + (intptr_t)data * SN_NS_PER_S;

		if (own.ops->advance(own.sink, time_ns) < 0 || give_to(own, (uint16_t)i) < 0)
			return (void *)"failed";
	}
	own.ops->destroy(own.sink);
	return NULL;
}

static void workers_write_whole_lines_into_one_directory(void **state)
{
	pthread_t threads[WORKERS];
	struct sn_tstat_stats stats;
	unsigned lines;

	(void)state;
	options.steps = 1;
	open_logs();
	for (intptr_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (int i = 0; i < WORKERS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		assert_null(result);
	}
	sn_tstat_logs_stats(logs, &stats);
	close_logs();
	assert_int_equal(stats.lines[SN_TSTAT_TCP_COMPLETE], WORKERS * EACH);
	assert_int_equal(directories(), stats.directories);
	assert_in_range(stats.directories, 2, 4);
	lines = 0;
	for (int i = 0; i < 4; i++) {
		char name[64];

		snprintf(name, sizeof(name), "2016_08_02_02_%02d.out/log_tcp_complete", 19 + 5 * i);
		if (!exists(name))
			continue;
		content(name);
		for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
			*end = '\0';
			if (line[0] != '#') {
				lines++;
				assert_memory_equal(line, "192.0.2.1 ", 10);
				assert_memory_equal(end - 7, " 0304 0", 7);
			}
		}
	}
	assert_int_equal(lines, WORKERS * EACH);
}

/* What goes wrong ---------------------------------------------------------------- */

static void without_the_directory_the_error_names_it(void **state)
{
	struct sn_err err;

	(void)state;
	open_logs();
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(advance(T0), -ENOENT);
	assert_int_equal(flush(&err), -ENOENT);
	assert_non_null(strstr(err.text, directory));
	assert_non_null(strstr(err.text, FIRST "': No such file"));
}

static void logs_that_are_removed_are_noticed(void **state)
{
	struct sn_err err;

	(void)state;
	open_logs();
	advance(T0);
	nftw(path_of(FIRST), remove_one, 8, FTW_DEPTH | FTW_PHYS);
	give(1);
	assert_int_equal(advance(T0 + SN_NS_PER_S), -EPIPE);
	assert_int_equal(flush(&err), -EPIPE);
	assert_non_null(strstr(err.text, FIRST "/log_tcp_complete': it was removed"));
}

static void a_live_meter_goes_on_in_another_directory(void **state)
{
	struct sn_tstat_stats stats;

	(void)state;
	options.keep_going = true;
	options.steps = 12;
	open_logs();
	advance(T0);
	nftw(path_of(FIRST), remove_one, 8, FTW_DEPTH | FTW_PHYS);
	give(1);
	give(2);
	assert_int_equal(advance(T0 + SN_NS_PER_S), 0);
	assert_int_equal(give(3), 0);
	assert_int_equal(flush(NULL), -EPIPE);
	sn_tstat_logs_stats(logs, &stats);
	assert_int_equal(stats.lost, 2);
	close_logs();
	assert_int_equal(lines_of("2016_08_02_02_20.out/log_tcp_complete"), 2);
}

/* A limit on the size of files stands for a full disk: anybody may set it. */
static void a_full_disk_leaves_no_half_line(void **state)
{
	struct rlimit before, small = {.rlim_cur = 30000};
	struct sn_tstat_stats stats;
	struct sn_err err;
	size_t length;

	(void)state;
	options.keep_going = true;
	open_logs();
	advance(T0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (uint16_t i = 0; i < 200; i++) {
		assert_int_equal(give(i), 0);
		if (i % 10 == 9)
			assert_int_equal(advance(T0 + i * SN_NS_PER_S), 0);
	}
	assert_int_equal(flush(&err), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	assert_non_null(strstr(err.text, FIRST "/log_tcp_complete': File too large"));
	sn_tstat_logs_stats(logs, &stats);
	/* There is room again. */
	give(1);
	close_logs();
	length = strlen(content(FIRST "/log_tcp_complete"));
	assert_int_equal(text[length - 1], '\n');
	assert_in_range(length, 20000, 31000);
	assert_memory_equal(text + length - 8, " 0304 0\n", 8);
	/* What found no room is counted. */
	assert_int_equal(lines_of(FIRST "/log_tcp_complete") - 1 + stats.lost, 201);
}

static void losses_of_the_capture_stand_beside_the_logs(void **state)
{
	struct sn_capture_losses losses = {
		.interface = "eth 0", .packets = 1000, .kernel_drops = 5, .own_drops = 2};

	(void)state;
	open_logs();
	advance(T0);
	sn_tstat_logs_losses(logs, &losses);
	advance(T0 + STEP);
	losses.packets = 2000;
	sn_tstat_logs_losses(logs, &losses);
	losses = (struct sn_capture_losses){.interface = "eth1", .packets = 7};
	sn_tstat_logs_losses(logs, &losses);
	advance(T0 + STEP + SN_NS_PER_S);
	close_logs();
	assert_string_equal(content(FIRST "/log_capture"),
			    "#time:1 interface:2 packets:3 kernel_drops:4 interface_drops:5 "
			    "own_drops:6\n"
			    "1470104681000.000000 eth_0 1000 5 0 2\n"
			    "1470104682000.000000 eth_0 2000 5 0 2\n"
			    "1470104682000.000000 eth1 7 0 0 0\n");
}

static void a_step_takes_some_time(void **state)
{
	struct sn_err err;

	(void)state;
	options.step_ns = 0;
	assert_int_equal(sn_tstat_logs_create(&options, &logs, &err), -EINVAL);
	logs = NULL;
	close(options.directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_packet_names_the_directory),
		TEST(names_are_in_local_time),
		TEST(all_logs_have_their_headers),
		TEST(a_directory_of_that_name_is_replaced),
		TEST(connections_go_where_they_belong),
		TEST(chats_and_periods_are_lines_of_their_own),
		TEST(so_many_steps_make_a_new_directory),
		TEST(without_steps_there_is_one_directory),
		TEST(a_clock_that_goes_back_begins_a_new_directory),
		TEST(old_directories_go),
		TEST(the_present_directory_stays_when_others_are_of_the_future),
		TEST(another_choice_begins_a_new_directory_at_once),
		TEST(lines_can_be_read_within_a_second),
		TEST(compressed_logs_hold_the_same_lines),
		TEST(finished_directories_are_compressed_bit_by_bit),
		TEST(small_directories_are_compressed_with_the_next_advances),
		TEST(workers_write_whole_lines_into_one_directory),
		TEST(without_the_directory_the_error_names_it),
		TEST(logs_that_are_removed_are_noticed),
		TEST(a_live_meter_goes_on_in_another_directory),
		TEST(a_full_disk_leaves_no_half_line),
		TEST(losses_of_the_capture_stand_beside_the_logs),
		TEST(a_step_takes_some_time),
	};

	sn_log_set_level(SN_LOG_ERROR - 1); /* what a live meter would log */
	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
