/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program as people and the node run it: exit codes, messages, formats, and
 * a live interface to the byte.  SONDE_METER names the program.
 */
#include "lib/test.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/cli.h"
#include "base/fs.h"
#include "base/mem.h"
#include "data/codec.h"
#include "netns.h"

#define WIKIPEDIA  SN_TEST_DATA "/pcap/web-wikipedia.pcap" /* 136 packets, 34 flows */
#define SSH        SN_TEST_DATA "/pcap/ssh.pcap"           /* 94 packets, 1 flow */
#define OUTPUT_MAX (1024 * 1024)
#define ARGS_MAX   24

static char directory[] = "/tmp/sonde-test-XXXXXX";
static struct sn_buf out, errors;
static const char *no_netns;

static char *scratch(const char *name)
{
	static char path[4][128];
	static unsigned next;
	char *text = path[next++ % 4];

	snprintf(text, sizeof(path[0]), "%s/%s", directory, name);
	return text;
}

static void read_into(const char *path, struct sn_buf *buffer)
{
	struct sn_err err;

	sn_buf_clear(buffer);
	if (sn_fs_read(path, OUTPUT_MAX, buffer, &err) != 0)
		fail_msg("%s", err.text);
	sn_buf_cstr(buffer);
}

static void redirect(const char *path, int flags, int to)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0 || dup2(fd, to) < 0)
		_exit(120);
}

/* Starts the program with output into files; `input` becomes standard input. */
static pid_t start_program(const char *input, const char *const *arguments)
{
	const char *argv[ARGS_MAX] = {getenv("SONDE_METER")};
	pid_t pid;

	for (size_t i = 0; arguments[i] != NULL; i++)
		argv[i + 1] = arguments[i];
	pid = fork();
	if (pid == 0) {
		redirect(input, O_RDONLY, STDIN_FILENO);
		redirect(scratch("out"), O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
		redirect(scratch("err"), O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
		execv(argv[0], (char *const *)argv);
		_exit(121);
	}
	assert_true(pid > 0);
	return pid;
}

static int finish_program(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	read_into(scratch("out"), &out);
	read_into(scratch("err"), &errors);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define RUN(...)                                                                                   \
	finish_program(start_program("/dev/null", (const char *const[]){__VA_ARGS__, NULL}))

static void expect_in(const struct sn_buf *text, const char *part)
{
	if (strstr(text->p, part) == NULL)
		fail_msg("'%s' is missing in: %s", part, text->p);
}

static void expect_file(const char *where, const char *name, const char *part)
{
	struct sn_buf text = {0};
	char *path = sn_fs_join(where, name);

	read_into(path, &text);
	expect_in(&text, part);
	sn_buf_finish(&text);
	free(path);
}

static size_t lines(const struct sn_buf *text)
{
	size_t count = 0;

	for (size_t i = 0; i < text->n; i++)
		count += text->p[i] == '\n';
	return count;
}

static void copy_first(const char *from, const char *to, size_t bytes)
{
	struct sn_buf content = {0};
	struct sn_err err;

	read_into(from, &content);
	if (sn_fs_write_atomic(to, content.p, bytes, 0644, &err) != 0)
		fail_msg("%s", err.text);
	sn_buf_finish(&content);
}

static int start(void **state SN_UNUSED)
{
	if (getenv("SONDE_METER") != NULL)
		return 0;
	print_message("skipped: SONDE_METER does not name the program\n");
	skip();
	return 0;
}

/* Each log, and the dataset of the same records. */
static void rows_are_as_many_as_lines_of_the_logs(void **state SN_UNUSED)
{
#define CAPTURES SN_TEST_DATA "/pcap/mixed.pcap", SN_TEST_DATA "/pcap/sip-call.pcap", SSH, WIKIPEDIA
	static const char conf[] = "[log]\nlog_tcp_periodic = 1\nlog_udp_periodic = 1\n";
	static const char *const logs[] = {"tcp_complete", "tcp_nocomplete", "udp_complete",
					   "mm_complete",  "tcp_periodic",   "udp_periodic"};
	struct sn_buf log = {0};
	size_t all = 0;

	assert_int_equal(sn_fs_write_atomic(scratch("periodic"), conf, strlen(conf), 0644, NULL),
			 0);
	assert_int_equal(RUN("--format", "tstat", "-D", scratch("same"), "-T", scratch("periodic"),
			     CAPTURES),
			 SN_EXIT_OK);
	for (size_t i = 0; i < SN_COUNT(logs); i++) {
		char dataset[64], name[64];

		snprintf(dataset, sizeof(dataset), "tstat_%s", logs[i]);
		snprintf(name, sizeof(name), "same/2005_07_04_09_32.out/log_%s", logs[i]);
		read_into(scratch(name), &log);
		assert_int_equal(RUN("-j", "--datasets", dataset, CAPTURES), SN_EXIT_OK);
		if (lines(&out) != lines(&log) - 1)
			fail_msg("%s: %zu rows, %zu lines", logs[i], lines(&out), lines(&log) - 1);
		all += lines(&out);
	}
	assert_true(all > 50);
	sn_buf_finish(&log);
#undef CAPTURES
}

static void a_file_gives_a_summary_for_people(void **state SN_UNUSED)
{
	assert_int_equal(RUN("-r", WIKIPEDIA), SN_EXIT_OK);
	expect_in(&out, "packets   136, ");
	expect_in(&out, "flows     34 reported");
	expect_in(&out, "\nhost ");
	expect_in(&out, "upload.wikimedia.org ");
	expect_in(&out, "TCP: ");
	expect_in(&out, "not IP (ARP, LLDP, ...)");
	assert_int_equal(errors.n, 0);
}

static void lists_are_in_the_logs_unless_they_are_asked_for(void **state SN_UNUSED)
{
	sn_autofree char *logs = sn_fs_join(directory, "lists");

	assert_int_equal(RUN("--format", "tstat", "-D", logs, "-r", WIKIPEDIA), SN_EXIT_OK);
	expect_in(&out, "flows     34 reported");
	assert_null(strstr(sn_buf_cstr(&out), "\nhost "));
	assert_int_equal(RUN("--format", "tstat", "-D", logs, "--top", "3", "-r", WIKIPEDIA),
			 SN_EXIT_OK);
	expect_in(&out, "\nhost ");
}

static void rows_are_json_lines_and_losses_go_to_standard_error(void **state SN_UNUSED)
{
	struct sn_batch *batch = sn_batch_create(&sn_dataset_flow);
	struct sn_err err;

	assert_int_equal(RUN("--json", "-r", WIKIPEDIA), SN_EXIT_OK);
	assert_int_equal(sn_jsonl_read(batch, sn_buf_str(&out), 1000, &err), 0);
	assert_int_equal(sn_batch_rows(batch), 34);
	expect_in(&errors, "not metered: not_ip 10");
	sn_batch_destroy(batch);
}

static void files_are_one_trace_in_the_order_given(void **state SN_UNUSED)
{
	assert_int_equal(RUN("--json", "-r", SSH, WIKIPEDIA), SN_EXIT_OK);
	assert_int_equal(lines(&out), 35);
	expect_in(&out, "\"interface\":\"" SSH "\"");
	expect_in(&out, "\"interface\":\"" WIKIPEDIA "\"");
}

static void a_capture_comes_through_standard_input(void **state SN_UNUSED)
{
	const char *const arguments[] = {"--csv", "-r", "-", NULL};

	assert_int_equal(finish_program(start_program(SSH, arguments)), SN_EXIT_OK);
	assert_int_equal(lines(&out), 2);
	expect_in(&out, "time,node,task,seq,c_ip");
	expect_in(&out, ",standard input,");
}

static void output_goes_to_a_file_and_the_summary_to_the_terminal(void **state SN_UNUSED)
{
	char *path = scratch("flows.csv");

	assert_int_equal(RUN("-r", SSH, "-o", path), SN_EXIT_OK);
	expect_in(&out, "packets   94, ");
	read_into(path, &out);
	assert_int_equal(lines(&out), 2);
	expect_in(&out, "time,node");
}

static void a_truncated_file_is_partial_and_keeps_what_was_read(void **state SN_UNUSED)
{
	char *path = scratch("cut.pcap");

	copy_first(SSH, path, 5000);
	assert_int_equal(RUN("--json", "-r", path), SN_EXIT_PARTIAL);
	assert_int_equal(lines(&out), 1);
	expect_in(&errors, "sonde-meter: cannot read packet ");
	expect_in(&errors, "cut.pcap' at offset 49");
	expect_in(&errors, "truncated");
}

static void a_damaged_file_does_not_hide_the_next(void **state SN_UNUSED)
{
	char *path = scratch("cut.pcap");

	copy_first(SSH, path, 30);
	assert_int_equal(RUN("--json", "-r", path, "-r", WIKIPEDIA), SN_EXIT_PARTIAL);
	assert_int_equal(lines(&out), 34);
	expect_in(&errors, "cannot read packet 1 of '");
}

static void what_is_no_capture_fails(void **state SN_UNUSED)
{
	assert_int_equal(RUN("-r", "/dev/null"), SN_EXIT_FAILED);
	expect_in(&errors, "'/dev/null': the file is empty");
	assert_int_equal(RUN("-r", SN_TEST_DATA "/flows-expected.tsv"), SN_EXIT_FAILED);
	expect_in(&errors, "not a capture file");
	assert_int_equal(RUN("-r", "/nonexistent.pcap"), SN_EXIT_FAILED);
	expect_in(&errors, "cannot open '/nonexistent.pcap': No such file");
}

static void wrong_usage_is_explained(void **state SN_UNUSED)
{
	assert_int_equal(RUN("--datasets", "flow", "-r", WIKIPEDIA), SN_EXIT_USAGE);
	expect_in(&errors, "'--datasets' goes with '--json'");
	assert_int_equal(RUN("-R", "nowhere", "-r", WIKIPEDIA), SN_EXIT_USAGE);
	expect_in(&errors, "'--rrd-conf' goes with '--series'");
	assert_int_equal(RUN("--csv", "--datasets", "tstat_udp_complete", "-r", WIKIPEDIA),
			 SN_EXIT_OK);
	expect_in(&out, "c_first_abs");
	assert_int_equal(RUN("-f", "tcp prot 1", "-r", WIKIPEDIA), SN_EXIT_FAILED);
	assert_int_equal(out.n, 0);
	assert_int_equal(RUN("--jsno", "-r", SSH), SN_EXIT_USAGE);
	expect_in(&errors, "did you mean '--json'?");
	assert_int_equal(RUN("--json"), SN_EXIT_USAGE);
	expect_in(&errors, "nothing to meter");
	assert_int_equal(RUN("-i", "lo", "-r", SSH), SN_EXIT_USAGE);
	assert_int_equal(RUN("--json", "--csv", "-r", SSH), SN_EXIT_USAGE);
	assert_int_equal(RUN("--max-flows", "15", "-r", SSH), SN_EXIT_USAGE);
	assert_int_equal(RUN("--max-flows", "16", "-r", SSH), SN_EXIT_OK);
	assert_int_equal(RUN("--idle-timeout", "999ms", "-r", SSH), SN_EXIT_USAGE);
	assert_int_equal(RUN("--idle-timeout", "1s", "-r", SSH), SN_EXIT_OK);
	assert_int_equal(RUN("-f", "tcp prot 22", "-r", SSH), SN_EXIT_FAILED);
	expect_in(&errors, "cannot compile filter 'tcp prot 22'");
}

static void limits_and_filter_apply_to_files(void **state SN_UNUSED)
{
	assert_int_equal(RUN("-n", "10", "-r", SSH), SN_EXIT_OK);
	expect_in(&out, "packets   10, ");
	assert_int_equal(RUN("-d", "1s", "-r", SSH), SN_EXIT_OK);
	expect_in(&out, "packets   16, ");
	assert_int_equal(RUN("-f", "udp", "-r", WIKIPEDIA), SN_EXIT_OK);
	expect_in(&out, "packets   48, ");
	expect_in(&out, "filtered  88 packets");
	assert_null(strstr(out.p, "\ntcp "));
}

static void the_active_timeout_splits_a_flow_of_a_file(void **state SN_UNUSED)
{
	assert_int_equal(RUN("--json", "--active-timeout", "2s", "-r", SSH), SN_EXIT_OK);
	assert_in_range(lines(&out), 3, 6);
	expect_in(&out, "\"end\":\"active\"");
}

static void histograms_lie_beside_the_logs(void **state SN_UNUSED)
{
	char *logs = scratch("logs"), *epoch = scratch("logs/2011_03_18_19_06.out");

	assert_int_equal(RUN("--format", "tstat", "-D", logs, "-H", "-g", "-r", WIKIPEDIA),
			 SN_EXIT_OK);
	expect_file(epoch, "log_tcp_complete", "#15#c_ip:1 ");
	expect_file(epoch, "LAST/ip_len_loc", "#RANGE: min=0 bin_size=4 max=1504");
	expect_file(epoch, "GLOBAL/ip_len_loc", "#SAMPLES: 121");
	assert_int_equal(RUN("-g", "-r", WIKIPEDIA), SN_EXIT_USAGE);
	expect_in(&errors, "'--global-histograms' goes with '--histograms'");
}

static void a_full_disk_fails_by_name(void **state SN_UNUSED)
{
	assert_int_equal(RUN("-r", SSH, "-o", "/dev/full"), SN_EXIT_FAILED);
	expect_in(&errors, "cannot write rows to '/dev/full': No space left on device");
}

/* Live ------------------------------------------------------------------- */

static void need_netns(void)
{
	if (no_netns == NULL)
		return;
	print_message("skipped: %s\n", no_netns);
	skip();
}

static bool is_bound(void)
{
	struct sn_buf sockets = {0};
	struct sn_err err;
	bool found;

	sn_fs_read("/proc/net/packet", OUTPUT_MAX, &sockets, &err);
	found = strstr(sn_buf_cstr(&sockets), " 0003 ") != NULL;
	sn_buf_finish(&sockets);
	return found;
}

static bool catches_signals(pid_t pid)
{
	const unsigned long stopping = 1UL << (SIGINT - 1) | 1UL << (SIGTERM - 1);
	struct sn_buf status = {0};
	struct sn_err err;
	char path[64];
	const char *caught;
	bool all;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	sn_fs_read(path, OUTPUT_MAX, &status, &err);
	caught = strstr(sn_buf_cstr(&status), "SigCgt:");
	all = caught != NULL && (strtoul(caught + 7, NULL, 16) & stopping) == stopping;
	sn_buf_finish(&status);
	return all;
}

/*
 * The meter is ready when it has bound its socket (the kernel lists it), and when SIGINT and
 * SIGTERM end the run, which is the last that it sees to.
 */
static void wait_until_capturing(pid_t pid)
{
	for (int turn = 0; turn < TEST_PATIENCE_MS / 10; turn++) {
		if (is_bound() && catches_signals(pid))
			return;
		usleep(10000);
	}
	fail_msg("the meter does not begin to capture");
}

static void send_exchange(int sender, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		struct frame there = udp_frame("192.0.2.1", 1000, "192.0.2.2", 53, i);
		struct frame back = udp_frame("192.0.2.2", 53, "192.0.2.1", 1000, 7);

		assert_true(send_frame(sender, &there) && send_frame(sender, &back));
	}
}

static void expect_exchange(uint16_t count)
{
	char part[64];

	expect_in(&out, "\"c_ip\":\"192.0.2.1\",\"c_port\":1000,\"s_ip\":\"192.0.2.2\","
			"\"s_port\":53,\"protocol\":\"udp\",\"interface\":\"va\"");
	snprintf(part, sizeof(part), "\"c_packets\":%u,\"s_packets\":%u,", count, count);
	expect_in(&out, part);
	snprintf(part, sizeof(part), "\"c_bytes\":%u,\"s_bytes\":%u,",
		 count * 28 + count * (count - 1) / 2, count * 35);
	expect_in(&out, part);
}

static void a_live_interface_is_metered_to_the_byte(void **state SN_UNUSED)
{
	const char *const arguments[] = {"--json", "-i", "va", "--active-timeout", "1h", NULL};
	int sender;
	pid_t pid;

	need_netns();
	sender = packet_socket("vb", 0);
	pid = start_program("/dev/null", arguments);
	wait_until_capturing(pid);
	send_exchange(sender, 300);
	kill(pid, SIGTERM);
	assert_int_equal(finish_program(pid), SN_EXIT_OK);
	assert_int_equal(lines(&out), 1);
	expect_exchange(300);
	expect_in(&out, "\"end\":\"end\"");
	assert_null(strstr(errors.p, "dropped"));
	close(sender);
}

static uint64_t number_behind(const struct sn_buf *text, const char *word)
{
	const char *at = strstr(text->p, word);

	if (at == NULL)
		fail_msg("'%s' is missing in: %s", word, text->p);
	return at != NULL ? strtoull(at + strlen(word), NULL, 10) : 0;
}

/* A meter that gets no time at all for a while: what came is metered or counted as lost. */
static void what_a_meter_has_no_time_for_is_counted(void **state SN_UNUSED)
{
	enum { SENT = 20000, HOSTS = 200 };
	const char *const workers[] = {"1", "2"};

	need_netns();
	for (size_t i = 0; i < SN_COUNT(workers); i++) {
		const char *const arguments[] = {"-i",        "va",       "-B", "512KiB",
						 "--workers", workers[i], NULL};
		int sender = packet_socket("vb", 0);
		pid_t pid = start_program("/dev/null", arguments);
		uint64_t lost;

		wait_until_capturing(pid);
		kill(pid, SIGSTOP);
		for (unsigned n = 0; n < SENT; n++) {
			char address[32];
			struct frame f;

			snprintf(address, sizeof(address), "198.51.100.%u", n % HOSTS);
			f = udp_frame(address, 1000, "192.0.2.1", 53, 400);
			assert_true(send_frame(sender, &f));
		}
		kill(pid, SIGCONT);
		kill(pid, SIGTERM);
		assert_int_equal(finish_program(pid), SN_EXIT_OK);
		lost = number_behind(&out, "packets came, ");
		assert_true(lost > SENT / 2 && lost < SENT);
		assert_int_equal(number_behind(&out, "\nva: "), SENT - lost);
		assert_int_equal(number_behind(&out, "packets   "), SENT - lost);
		assert_int_equal(number_behind(&out, "0 in the interface, "), lost);
		close(sender);
	}
}

/* `number` decides about the addresses; the datagram is in two pieces. */
static void send_fragments(int sender, uint16_t number)
{
	struct frame first = {.n = 0}, later = {.n = 0};
	char address[32];

	snprintf(address, sizeof(address), "198.51.100.%u", number % 200U);
	put_ethernet(&first, 0x0800);
	put_ipv4(&first, address, "192.0.2.1", SN_PROTO_UDP, number, 0x2000);
	put16(&first, 1000);
	put16(&first, 53);
	put16(&first, 8 + 40 + 24);
	put_zeros(&first, 2 + 40);
	frame_seal(&first);
	put_ethernet(&later, 0x0800);
	put_ipv4(&later, address, "192.0.2.1", SN_PROTO_UDP, number, 6);
	put_zeros(&later, 24);
	frame_seal(&later);
	assert_true(send_frame(sender, &first) && send_frame(sender, &later));
}

/* The kernel could put them together to know their ports, and they would be counted as one. */
static void fragments_come_to_several_workers_as_they_are(void **state SN_UNUSED)
{
	const char *const arguments[] = {"-i", "va", "--workers", "2", NULL};
	int sender;
	pid_t pid;

	need_netns();
	sender = packet_socket("vb", 0);
	pid = start_program("/dev/null", arguments);
	wait_until_capturing(pid);
	for (uint16_t i = 0; i < 300; i++)
		send_fragments(sender, i);
	kill(pid, SIGTERM);
	assert_int_equal(finish_program(pid), SN_EXIT_OK);
	expect_in(&out, "packets   600, ");
	assert_null(strstr(out.p, "not in any flow"));
	close(sender);
}

static void a_descriptor_is_enough(void **state SN_UNUSED)
{
	const char *const arguments[] = {"--json", "--capture-fd", "9",   "--interface",
					 "va",     "--packets",    "100", NULL};
	int sender, capture;
	pid_t pid;

	need_netns();
	sender = packet_socket("vb", 0);
	capture = packet_socket("va", ETH_P_ALL);
	assert_int_equal(dup2(capture, 9), 9);
	pid = start_program("/dev/null", arguments);
	close(9);
	wait_until_capturing(pid);
	send_exchange(sender, 50);
	assert_int_equal(finish_program(pid), SN_EXIT_OK);
	expect_exchange(50);
	close(capture);
	close(sender);
}

static void rows_stream_while_the_flow_goes_on(void **state SN_UNUSED)
{
	const char *const arguments[] = {"--json", "-i", "va", "--active-timeout", "1s", NULL};
	int sender;
	pid_t pid;

	need_netns();
	sender = packet_socket("vb", 0);
	pid = start_program("/dev/null", arguments);
	wait_until_capturing(pid);
	for (int i = 0; i < TEST_PATIENCE_MS / 10; i++) {
		send_exchange(sender, 1);
		usleep(10000);
		read_into(scratch("out"), &out);
		if (out.n > 0)
			break;
	}
	kill(pid, SIGINT);
	assert_int_equal(finish_program(pid), SN_EXIT_OK);
	expect_in(&out, "\"end\":\"active\"");
	close(sender);
}

static void series_come_with_their_dataset_or_are_refused(void **state SN_UNUSED)
{
	char socket_path[128];
	const char *const arguments[] = {"-i", "va", "--control", socket_path, NULL};
	pid_t pid;

	snprintf(socket_path, sizeof(socket_path), "%s", scratch("series.sock"));
	assert_int_equal(RUN("--json", "--datasets", "traffic", "-r", WIKIPEDIA), SN_EXIT_OK);
	expect_in(&out, "\"step_seconds\":300,\"metric\":\"ip_bitrate_loc\"");
	need_netns();
	pid = start_program("/dev/null", arguments);
	wait_until_capturing(pid);
	assert_int_equal(RUN("--control", socket_path, "--switch", "rrd_engine=1"), SN_EXIT_FAILED);
	expect_in(&errors, "cannot switch rrd_engine on: no series were asked for");
	assert_int_equal(RUN("--control", socket_path, "--switch", "histo_engine=1"),
			 SN_EXIT_FAILED);
	expect_in(&errors, "there are no logs to write the files beside");
	kill(pid, SIGTERM);
	assert_int_equal(finish_program(pid), SN_EXIT_OK);
}

static void the_duration_ends_a_live_run(void **state SN_UNUSED)
{
	need_netns();
	assert_int_equal(RUN("-i", "va", "-d", "200ms"), SN_EXIT_OK);
	expect_in(&out, "source    interface va");
	expect_in(&out, "va: 0 packets came, 0 were lost (0.000 %)");
}

static void an_interface_that_goes_away_is_named(void **state SN_UNUSED)
{
	const char *const arguments[] = {"--json", "-i", "vc", NULL};
	pid_t pid;

	need_netns();
	assert_true(run_ip("link add vc type veth peer name vd"));
	assert_true(run_ip("link set vc up"));
	pid = start_program("/dev/null", arguments);
	wait_until_capturing(pid);
	assert_true(run_ip("link del vc"));
	assert_int_equal(finish_program(pid), SN_EXIT_FAILED);
	expect_in(&errors, "interface 'vc' is gone");
}

/* Of both families: which one a name has is up to the machine. */
static int collector(uint16_t *port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), off = 0;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	getsockname(fd, (struct sockaddr *)&address, &size);
	*port = ntohs(address.sin6_port);
	return fd;
}

/* The answer to a GET on the meter's socket, into `out`. */
static void ask(const char *socket_path, const char *what)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char request[128], answer[4096];
	ssize_t n;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	n = snprintf(request, sizeof(request),
		     "GET %s HTTP/1.1\r\nHost: meter\r\nConnection: close\r\n\r\n", what);
	assert_int_equal(write(fd, request, (size_t)n), n);
	sn_buf_clear(&out);
	while ((n = read(fd, answer, sizeof(answer))) > 0)
		sn_buf_add(&out, answer, (size_t)n);
	sn_buf_cstr(&out);
	close(fd);
}

static void exported_records_are_counted_for_who_asks(void **state SN_UNUSED)
{
	char *socket_path = scratch("meter.sock"), where[64], message[2048];
	const char *const arguments[] = {
		"-i",  "va",     "--control", socket_path, "--ipfix",          where, "--packets",
		"100", "--json", "-f",        "udp",       "--active-timeout", "1s",  NULL};
	struct timeval patience = {.tv_sec = TEST_PATIENCE_MS / 1000};
	uint16_t port = 0;
	int exporter, sender;
	pid_t pid;

	need_netns();
	exporter = collector(&port);
	setsockopt(exporter, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	snprintf(where, sizeof(where), "udp:localhost:%u", port);
	sender = packet_socket("vb", 0);
	pid = start_program("/dev/null", arguments);
	wait_until_capturing(pid);
	ask(socket_path, "/v1/stats");
	expect_in(&out, "\"ipfix\":{\"records\":0,\"messages\":0,\"bytes\":0,\"lost_records\":0,"
			"\"connects\":0}");
	send_exchange(sender, 5);
	assert_true(recv(exporter, message, sizeof(message), 0) > 20);
	test_until(strstr(out.p, "\"ipfix\":{\"records\":0") == NULL,
		   (usleep(10000), ask(socket_path, "/v1/stats")));
	expect_in(&out, "\"lost_records\":0,\"connects\":1}");
	expect_in(&out, "\"ipfix\":{\"records\":");
	assert_null(strstr(out.p, "\"ipfix\":{\"records\":0"));
	kill(pid, SIGTERM);
	assert_int_equal(finish_program(pid), SN_EXIT_OK);
	close(sender);
	close(exporter);
}

static int make_directory(void **state SN_UNUSED)
{
	if (mkdtemp(directory) == NULL)
		return -1;
	setenv("TZ", "UTC", 1); /* of directories of logs */
	/* The meter gives root away before it reads: it must get at the files all the same. */
	return chmod(directory, 0755);
}

static int remove_directory(void **state SN_UNUSED)
{
	struct sn_err err;

	sn_buf_finish(&out);
	sn_buf_finish(&errors);
	return sn_fs_remove_tree(directory, &err);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_are_as_many_as_lines_of_the_logs),
		TEST(a_file_gives_a_summary_for_people),
		TEST(lists_are_in_the_logs_unless_they_are_asked_for),
		TEST(rows_are_json_lines_and_losses_go_to_standard_error),
		TEST(files_are_one_trace_in_the_order_given),
		TEST(a_capture_comes_through_standard_input),
		TEST(output_goes_to_a_file_and_the_summary_to_the_terminal),
		TEST(a_truncated_file_is_partial_and_keeps_what_was_read),
		TEST(a_damaged_file_does_not_hide_the_next),
		TEST(what_is_no_capture_fails),
		TEST(wrong_usage_is_explained),
		TEST(limits_and_filter_apply_to_files),
		TEST(the_active_timeout_splits_a_flow_of_a_file),
		TEST(histograms_lie_beside_the_logs),
		TEST(a_full_disk_fails_by_name),
		TEST(a_live_interface_is_metered_to_the_byte),
		TEST(what_a_meter_has_no_time_for_is_counted),
		TEST(fragments_come_to_several_workers_as_they_are),
		TEST(a_descriptor_is_enough),
		TEST(rows_stream_while_the_flow_goes_on),
		TEST(series_come_with_their_dataset_or_are_refused),
		TEST(the_duration_ends_a_live_run),
		TEST(an_interface_that_goes_away_is_named),
		TEST(exported_records_are_counted_for_who_asks),
	};

	no_netns = enter_netns();
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
