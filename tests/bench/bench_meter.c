/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What metering costs: sonde-meter beside a bare libpcap loop that only counts, in
 * turns on the same file, CPU time as the system accounts it; one worker beside
 * two; floods beside ordinary traffic; the memory of flows; a jump of the clock.
 *
 *   bench_meter PROGRAM CAPTURES [PACKETS]
 *
 * Exit code 1 when a goal of the design is missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/util.h"
#include "trace.h"

#define PACKETS_DEFAULT 2000000
#define RUNS            7
#define FLOWS           200000
#define FLOOD           500000
#define WEB_FLOWS       1000000
#define GAP_S           (3652ULL * 86400)

/* Goals */
#define TCP_BYTES_GOAL 640.0
#define UDP_BYTES_GOAL 224.0
#define WEB_MB_GOAL    700.0
#define FLOOD_GOAL     1.2
#define WORKERS_GOAL   1.7
#define GAP_MS_GOAL    10.0

static const char *program, *self = "/proc/self/exe";
static char *trace, *other, *logs, *all_conf, *four_conf;
static bool missed;

/* Running --------------------------------------------------------------------- */

static void count_one(u_char *count, const struct pcap_pkthdr *header, const u_char *data SN_UNUSED)
{
	((uint64_t *)(void *)count)[0]++;
	((uint64_t *)(void *)count)[1] += header->len;
}

/* The yardstick: what the least possible program costs. */
static int count_packets(const char *path)
{
	char reason[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, reason);
	uint64_t count[2] = {0};

	if (pcap == NULL)
		die(path, reason);
	pcap_loop(pcap, -1, count_one, (u_char *)(void *)count);
	pcap_close(pcap);
	printf("%" PRIu64 " packets, %" PRIu64 " bytes\n", count[0], count[1]);
	return 0;
}

struct cost {
	double cpu_s, wall_s, memory_mb;
};

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static double wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void become(const char *const *argv, bool pinned)
{
	int null = open("/dev/null", O_WRONLY);
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (pinned)
		sched_setaffinity(0, sizeof(one), &one);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static struct cost run(const char *const *argv, bool pinned)
{
	struct rusage usage;
	double start;
	int status;
	pid_t pid;

	/* What the run before wrote would have to be removed by this one. */
	if (logs != NULL)
		sn_fs_remove_tree(logs, NULL);
	start = wall();
	pid = fork();
	if (pid < 0)
		die("fork", strerror(errno));
	if (pid == 0)
		become(argv, pinned);
	if (wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die(argv[1], "failed");
	return (struct cost){
		.cpu_s = seconds(&usage.ru_utime) + seconds(&usage.ru_stime),
		.wall_s = wall() - start,
		.memory_mb = (double)usage.ru_maxrss / 1024,
	};
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}

/* `value` is good up to the goal, or from it on. */
static void judge(double value, double goal, bool at_least)
{
	bool met = at_least ? value >= goal : value <= goal;

	printf("  (goal %g%s)\n", goal, met ? "" : ": MISSED");
	missed = missed || !met;
}

/* Beside the bare loop ---------------------------------------------------------- */

static void compare(const char *what, const char *const *metering, size_t packets, double goal)
{
	const char *counting[] = {self, "--count", trace, NULL};
	double ratios[RUNS], meter[RUNS], count[RUNS];

	for (size_t i = 0; i < RUNS; i++) {
		meter[i] = run(metering, true).cpu_s;
		count[i] = run(counting, true).cpu_s;
		ratios[i] = meter[i] / count[i];
	}

	double cpu = median(meter, RUNS);

	printf("%-34s %6.3f s CPU %5.0f ns/packet %5.2f times the bare loop (%.3f s)", what, cpu,
	       cpu * 1e9 / (double)packets, median(ratios, RUNS), median(count, RUNS));
	judge(median(ratios, RUNS), goal, false);
}

static void write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	if (out == NULL || fputs(text, out) < 0 || fclose(out) != 0)
		die(path, strerror(errno));
}

static void beside_the_bare_loop(size_t packets)
{
	const char *summary[] = {program, "-r", trace, NULL};
	const char *four[] = {program,          "--format", "tstat", "--directory", logs,
			      "--runtime-conf", four_conf,  "-r",    trace,         NULL};
	const char *all[] = {program,          "--format", "tstat", "--directory", logs,
			     "--runtime-conf", all_conf,   "-r",    trace,         NULL};
	const char *rows[] = {program, "--json", "-r", trace, NULL};

	trace_write_mixed(trace, packets);
	compare("no writing, summary", summary, packets, 1.6);
	compare("four logs", four, packets, 2.4);
	compare("all logs, all columns", all, packets, 4);
	compare("flows as JSON Lines", rows, packets, 2.4);
}

static void two_workers(void)
{
	const char *one[] = {program, "--format", "tstat", "--directory", logs, "-r", trace, NULL};
	const char *two[] = {program,       "--workers", "2",  "--format", "tstat",
			     "--directory", logs,        "-r", trace,      NULL};
	double ratios[RUNS];

	for (size_t i = 0; i < RUNS; i++)
		ratios[i] = run(one, false).wall_s / run(two, false).wall_s;
	printf("%-34s %5.2f times one in wall time", "two workers", median(ratios, RUNS));
	judge(median(ratios, RUNS), WORKERS_GOAL, true);
}

/* Floods ------------------------------------------------------------------------ */

static void flood(const char *what, enum trace_kind kind, size_t packets)
{
	const char *ordinary[] = {program, "-r", trace, NULL};
	const char *flooded[] = {program, "--max-flows", "1000000", "-r", other, NULL};
	double ratios[RUNS];

	trace_write_flows(other, kind, FLOOD);
	for (size_t i = 0; i < RUNS; i++)
		ratios[i] = run(flooded, true).cpu_s / FLOOD /
			    (run(ordinary, true).cpu_s / (double)packets);
	printf("%-34s %5.2f times an ordinary packet", what, median(ratios, RUNS));
	judge(median(ratios, RUNS), FLOOD_GOAL, false);
}

/* Memory and time ---------------------------------------------------------------- */

static double bytes_per_flow(enum trace_kind kind)
{
	const char *argv[] = {program, "--json", "--max-flows", "1000000", "-r", other, NULL};
	double few, many;

	trace_write_flows(other, kind, 1000);
	few = run(argv, false).memory_mb;
	trace_write_flows(other, kind, FLOWS);
	many = run(argv, false).memory_mb;
	return (many - few) * 1024 * 1024 / (FLOWS - 1000);
}

static void memory(void)
{
	const char *argv[] = {program, "--json", "--max-flows", "1000000", "-r", other, NULL};
	double web, value;

	value = bytes_per_flow(TRACE_WEB);
	printf("%-34s %5.0f B with table and slack", "memory of a TCP flow with a request", value);
	judge(value, TCP_BYTES_GOAL, false);
	value = bytes_per_flow(TRACE_UDP);
	printf("%-34s %5.0f B with table and slack", "memory of a UDP flow", value);
	judge(value, UDP_BYTES_GOAL, false);
	trace_write_flows(other, TRACE_WEB, WEB_FLOWS);
	web = run(argv, false).memory_mb;
	printf("%-34s %5.0f MB", "1,000,000 open connections", web);
	judge(web, WEB_MB_GOAL, false);
}

static void clock_jump(void)
{
	const char *argv[] = {program, "-r", other, NULL};
	double plain[RUNS], jump[RUNS], more_ms;

	trace_write_gap(other, 0);
	for (size_t i = 0; i < RUNS; i++)
		plain[i] = run(argv, true).cpu_s;
	trace_write_gap(other, GAP_S);
	for (size_t i = 0; i < RUNS; i++)
		jump[i] = run(argv, true).cpu_s;
	more_ms = (median(jump, RUNS) - median(plain, RUNS)) * 1000;
	printf("%-34s %5.1f ms more", "a jump of ten years", more_ms);
	judge(more_ms, GAP_MS_GOAL, false);
}

/* -------------------------------------------------------------------------------- */

static const char four_logs[] = "[log]\n"
				"log_tcp_complete = 1\nlog_tcp_nocomplete = 1\n"
				"log_udp_complete = 1\nlog_http_complete = 1\n"
				"log_mm_complete = 0\nlog_skype_complete = 0\n"
				"log_chat_complete = 0\nlog_chat_messages = 0\n"
				"log_video_complete = 0\n";
static const char all_logs[] =
	"[log]\n"
	"log_tcp_complete = 1\nlog_tcp_nocomplete = 1\nlog_udp_complete = 1\n"
	"log_mm_complete = 1\nlog_skype_complete = 1\nlog_chat_complete = 1\n"
	"log_chat_messages = 1\nlog_video_complete = 1\nlog_http_complete = 1\n"
	"log_dns_complete = 1\nlog_tcp_periodic = 1\nlog_udp_periodic = 1\n"
	"[options]\n"
	"tcplog_end_to_end = 1\ntcplog_layer7 = 1\ntcplog_p2p = 1\ntcplog_options = 1\n"
	"tcplog_advanced = 1\nvideolog_end_to_end = 1\nvideolog_layer7 = 1\n"
	"videolog_videoinfo = 1\nvideolog_youtube = 1\nvideolog_options = 1\n"
	"videolog_advanced = 1\nhttplog_full_url = 2\n";

static void make_places(char *directory)
{
	if (mkdtemp(directory) == NULL)
		die(directory, strerror(errno));
	trace = sn_xasprintf("%s/trace.pcap", directory);
	other = sn_xasprintf("%s/other.pcap", directory);
	logs = sn_xasprintf("%s/logs", directory);
	four_conf = sn_xasprintf("%s/four.conf", directory);
	all_conf = sn_xasprintf("%s/all.conf", directory);
	write_text(four_conf, four_logs);
	write_text(all_conf, all_logs);
}

static void remove_places(const char *directory)
{
	const char *argv[] = {"/bin/rm", "-rf", directory, NULL};

	run(argv, false);
}

int main(int argc, char **argv)
{
	char directory[] = "/tmp/sonde-bench-XXXXXX";
	size_t packets = argc > 3 ? strtoul(argv[3], NULL, 10) : PACKETS_DEFAULT;

	if (argc == 3 && strcmp(argv[1], "--count") == 0)
		return count_packets(argv[2]);
	if (argc < 3 || packets == 0)
		die("usage", "bench_meter PROGRAM CAPTURES [PACKETS]");
	program = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_places(directory);
	printf("%zu packets made of %zu\n", packets, trace_load(argv[2]));
	beside_the_bare_loop(packets);
	two_workers();
	flood("a SYN scan", TRACE_SYN, packets);
	flood("one-packet UDP flows", TRACE_UDP, packets);
	flood("addresses chosen to collide", TRACE_COLLIDING, packets);
	memory();
	clock_jump();
	remove_places(directory);
	printf("goals: %s\n", missed ? "missed" : "met");
	return missed;
}
