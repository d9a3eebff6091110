/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What metering costs: sonde-meter beside a bare libpcap loop that only counts, in
 * turns on the same file, CPU time as the system accounts it; and the memory of a
 * flow.
 *
 *   bench_meter PROGRAM CAPTURES [PACKETS]
 *
 * The file is made from the captures of a directory: again and again, each time
 * with other addresses and half a second later, merged in order of time.  It is
 * the same in every run.  Exit code 1 when a goal of the design is missed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/flow/flow.h"

#define PACKETS_DEFAULT 2000000
#define CAPTURES_MAX    200
#define RUNS            7
#define ROUND_US        500000
#define GAP_MAX_US      200000 /* longer silences of the captures are cut to this */
#define START_US        1700000000000000ULL
#define RATIO_GOAL      2.4
#define FLOWS           200000
#define TCP_BYTES_GOAL  640
#define UDP_BYTES_GOAL  224

struct frame {
	uint8_t *data;
	uint32_t captured, length;
	uint64_t time_us; /* since the first frame of its capture */
};

static struct frame *frames;
static size_t frame_count;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_meter: %s: %s\n", what, why);
	exit(2);
}

/* Making the trace -------------------------------------------------------- */

static void load_capture(const char *path)
{
	char reason[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, reason);
	uint64_t before_us = 0, time_us = 0;
	struct pcap_pkthdr *header;
	const u_char *data;

	if (pcap == NULL)
		die(path, reason);
	/* One file has one link type. */
	while (pcap_datalink(pcap) == DLT_EN10MB && pcap_next_ex(pcap, &header, &data) == 1) {
		uint64_t now_us =
			(uint64_t)header->ts.tv_sec * 1000000 + (uint64_t)header->ts.tv_usec;

		if (before_us != 0 && now_us > before_us)
			time_us += SN_MIN(now_us - before_us, (uint64_t)GAP_MAX_US);
		before_us = now_us;
		frames = sn_xrealloc(frames, frame_count + 1, sizeof(*frames));
		frames[frame_count++] = (struct frame){
			.data = sn_xmemdup(data, header->caplen),
			.captured = header->caplen,
			.length = header->len,
			.time_us = time_us,
		};
	}
	pcap_close(pcap);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void load_captures(const char *directory)
{
	char *paths[CAPTURES_MAX];
	size_t count = 0;
	DIR *dir = opendir(directory);
	struct dirent *entry;

	if (dir == NULL)
		die(directory, strerror(errno));
	while ((entry = readdir(dir)) != NULL && count < CAPTURES_MAX) {
		const char *dot = strrchr(entry->d_name, '.');

		/* Tunnels that are not looked into would make it too easy. */
		if (dot != NULL && strcmp(dot, ".pcap") == 0 &&
		    strcmp(entry->d_name, "gre-in-gre.pcap") != 0)
			paths[count++] = sn_xasprintf("%s/%s", directory, entry->d_name);
	}
	closedir(dir);
	qsort(paths, count, sizeof(*paths), by_name);
	for (size_t i = 0; i < count; i++) {
		load_capture(paths[i]);
		free(paths[i]);
	}
	if (frame_count == 0)
		die(directory, "no Ethernet captures in it");
}

/* Other networks in each round: the same change to both addresses keeps flows flows. */
static void shift_addresses(uint8_t *p, size_t size, uint32_t round)
{
	size_t at = 14;

	while (at + 4 <= size && p[at - 2] == 0x81 && p[at - 1] == 0x00)
		at += 4;
	if (at + 20 <= size && p[at - 2] == 0x08 && p[at - 1] == 0x00) {
		for (size_t end = at + 12; end <= at + 16; end += 4) {
			p[end + 1] ^= (uint8_t)round;
			p[end + 2] ^= (uint8_t)(round >> 8);
		}
	} else if (at + 40 <= size && p[at - 2] == 0x86 && p[at - 1] == 0xdd) {
		for (size_t end = at + 8; end <= at + 24; end += 16) {
			p[end + 2] ^= (uint8_t)round;
			p[end + 3] ^= (uint8_t)(round >> 8);
		}
	}
}

struct planned {
	uint64_t time_us;
	uint32_t round, frame;
};

static int by_time(const void *a, const void *b)
{
	const struct planned *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	if (x->round != y->round)
		return x->round < y->round ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static void write_header(FILE *out)
{
	struct pcap_file_header header = {.magic = 0xa1b2c3d4,
					  .version_major = 2,
					  .version_minor = 4,
					  .snaplen = 262144,
					  .linktype = DLT_EN10MB};

	fwrite(&header, sizeof(header), 1, out);
}

static void write_packet(FILE *out, uint64_t time_us, const uint8_t *data, uint32_t captured,
			 uint32_t length)
{
	uint32_t header[4] = {(uint32_t)(time_us / 1000000), (uint32_t)(time_us % 1000000),
			      captured, length};

	fwrite(header, sizeof(header), 1, out);
	fwrite(data, captured, 1, out);
}

static void write_trace(const char *path, size_t packets)
{
	struct planned *plan = sn_new_n(struct planned, packets);
	uint8_t copy[65536];
	FILE *out = fopen(path, "wb");

	if (out == NULL)
		die(path, strerror(errno));
	for (size_t i = 0; i < packets; i++) {
		uint32_t round = (uint32_t)(i / frame_count), frame = (uint32_t)(i % frame_count);

		plan[i] = (struct planned){
			.time_us = START_US + (uint64_t)round * ROUND_US + frames[frame].time_us,
			.round = round,
			.frame = frame,
		};
	}
	qsort(plan, packets, sizeof(*plan), by_time);
	write_header(out);
	for (size_t i = 0; i < packets; i++) {
		const struct frame *frame = &frames[plan[i].frame];

		memcpy(copy, frame->data, frame->captured);
		shift_addresses(copy, frame->captured, plan[i].round);
		write_packet(out, plan[i].time_us, copy, frame->captured, frame->length);
	}
	if (fclose(out) != 0)
		die(path, strerror(errno));
	free(plan);
}

/* `flows` flows of one minimal packet each. */
static void write_flows(const char *path, uint8_t protocol, uint32_t flows)
{
	uint8_t p[14 + 20 + 20] = {[12] = 0x08, [14] = 0x45, [22] = 64};
	uint8_t *ip = p + 14, *transport = ip + 20;
	FILE *out = fopen(path, "wb");

	if (out == NULL)
		die(path, strerror(errno));
	ip[3] = 40;
	ip[9] = protocol;
	if (protocol == SN_PROTO_TCP) {
		transport[12] = 5 << 4;
		transport[13] = SN_TCP_SYN;
	} else {
		transport[5] = 20;
	}
	write_header(out);
	for (uint32_t i = 0; i < flows; i++) {
		memcpy(ip + 12, &i, sizeof(i));
		write_packet(out, START_US + i, p, sizeof(p), sizeof(p));
	}
	if (fclose(out) != 0)
		die(path, strerror(errno));
}

/* Measuring ---------------------------------------------------------------- */

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

static struct rusage run(const char *const *argv)
{
	struct rusage usage;
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork", strerror(errno));
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die(argv[0], "failed");
	return usage;
}

static double seconds(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
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

static double compare(const char *what, const char *const *metering, const char *const *counting,
		      size_t packets)
{
	double ratios[RUNS], meter[RUNS], count[RUNS];

	for (size_t i = 0; i < RUNS; i++) {
		struct rusage a = run(metering), b = run(counting);

		meter[i] = seconds(&a);
		count[i] = seconds(&b);
		ratios[i] = meter[i] / count[i];
	}

	double ratio = median(ratios, RUNS), cpu = median(meter, RUNS);

	printf("%-28s %6.3f s CPU  %5.0f ns/packet  %5.2f times the bare loop (%.3f s)\n", what,
	       cpu, cpu * 1e9 / (double)packets, ratio, median(count, RUNS));
	return ratio;
}

static double bytes_per_flow(const char *program, const char *path, uint8_t protocol)
{
	const char *argv[] = {program, "--json", "--max-flows", "1000000", "-r", path, NULL};
	struct rusage few, many;

	write_flows(path, protocol, 1000);
	few = run(argv);
	write_flows(path, protocol, FLOWS);
	many = run(argv);
	return (double)(many.ru_maxrss - few.ru_maxrss) * 1024 / (FLOWS - 1000);
}

static bool bench(const char *program, const char *self, size_t packets, const char *directory)
{
	char *trace = sn_xasprintf("%s/trace.pcap", directory);
	const char *summary_argv[] = {program, "-r", trace, NULL};
	const char *rows_argv[] = {program, "--json", "-r", trace, NULL};
	const char *count_argv[] = {self, "--count", trace, NULL};
	double summary, rows, tcp, udp;

	write_trace(trace, packets);
	run(count_argv); /* the file is in memory for all of them */
	summary = compare("summary", summary_argv, count_argv, packets);
	rows = compare("flows as JSON Lines", rows_argv, count_argv, packets);
	tcp = bytes_per_flow(program, trace, SN_PROTO_TCP);
	udp = bytes_per_flow(program, trace, SN_PROTO_UDP);
	printf("memory of a TCP flow %.0f B, of a UDP flow %.0f B, with table, host list and "
	       "slack\n",
	       tcp, udp);
	printf("structures alone: TCP %zu B, UDP and ICMP %zu B\n", sizeof(struct sn_tcp_flow),
	       sizeof(struct sn_flow));
	unlink(trace);
	free(trace);
	return summary <= RATIO_GOAL && rows <= RATIO_GOAL && tcp <= TCP_BYTES_GOAL &&
	       udp <= UDP_BYTES_GOAL;
}

int main(int argc, char **argv)
{
	char directory[] = "/tmp/sonde-bench-XXXXXX";
	size_t packets = argc > 3 ? strtoul(argv[3], NULL, 10) : PACKETS_DEFAULT;
	bool met;

	if (argc == 3 && strcmp(argv[1], "--count") == 0)
		return count_packets(argv[2]);
	if (argc < 3 || packets == 0)
		die("usage", "bench_meter PROGRAM CAPTURES [PACKETS]");
	load_captures(argv[2]);
	if (mkdtemp(directory) == NULL)
		die(directory, strerror(errno));
	printf("%zu packets made of %zu\n", packets, frame_count);
	met = bench(argv[1], "/proc/self/exe", packets, directory);
	rmdir(directory);
	printf("goals: %s\n", met ? "met" : "missed");
	return met ? 0 : 1;
}
