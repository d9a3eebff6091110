/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include <dirent.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"

#define CAPTURES_MAX 200
#define ROUND_US     500000
#define GAP_MAX_US   200000 /* longer silences of the captures are cut to this */
#define START_US     1700000000000000ULL

struct frame {
	uint8_t *data;
	uint32_t captured, length;
	uint64_t time_us; /* since the first frame of its capture */
};

static struct frame *frames;
static size_t frame_count;

void die(const char *what, const char *why)
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

size_t trace_load(const char *directory)
{
	char *paths[CAPTURES_MAX];
	size_t count = 0;
	DIR *dir = opendir(directory);
	struct dirent *entry;

	if (dir == NULL)
		die(directory, strerror(errno));
	while ((entry = readdir(dir)) != NULL && count < CAPTURES_MAX) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot != NULL && strcmp(dot, ".pcap") == 0)
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
	return frame_count;
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

static FILE *open_trace(const char *path)
{
	FILE *out = fopen(path, "wb");

	if (out == NULL)
		die(path, strerror(errno));
	write_header(out);
	return out;
}

void trace_write_mixed(const char *path, size_t packets)
{
	struct planned *plan = sn_new_n(struct planned, packets);
	uint8_t copy[65536];
	FILE *out = open_trace(path);

	for (size_t i = 0; i < packets; i++) {
		uint32_t round = (uint32_t)(i / frame_count), frame = (uint32_t)(i % frame_count);

		plan[i] = (struct planned){
			.time_us = START_US + (uint64_t)round * ROUND_US + frames[frame].time_us,
			.round = round,
			.frame = frame,
		};
	}
	qsort(plan, packets, sizeof(*plan), by_time);
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

/* Flows of one kind -------------------------------------------------------- */

enum { FIN = 1, SYN = 2, PUSH = 8, ACK = 16 };

struct segment {
	uint8_t bytes[14 + 20 + 20 + 400];
	uint32_t length;
};

static void put32(uint8_t *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static struct segment make_ip(uint8_t protocol, uint32_t length)
{
	struct segment s = {.bytes = {[12] = 0x08, [14] = 0x45, [22] = 64}, .length = 14 + length};

	s.bytes[16] = (uint8_t)(length >> 8);
	s.bytes[17] = (uint8_t)length;
	s.bytes[23] = protocol;
	return s;
}

static void set_ends(struct segment *s, uint32_t source, uint32_t destination, uint16_t sport,
		     uint16_t dport)
{
	put32(s->bytes + 26, source);
	put32(s->bytes + 30, destination);
	put32(s->bytes + 34, (uint32_t)sport << 16 | dport);
}

static struct segment make_tcp(uint8_t flags, uint32_t seq, uint32_t ack, const char *payload)
{
	uint32_t length = (uint32_t)strlen(payload);
	struct segment s = make_ip(6, 40 + length);

	put32(s.bytes + 38, seq);
	put32(s.bytes + 42, ack);
	s.bytes[46] = 5 << 4;
	s.bytes[47] = flags;
	s.bytes[48] = 0x40;
	memcpy(s.bytes + 54, payload, length);
	return s;
}

static struct segment make_udp(void)
{
	struct segment s = make_ip(17, 40);

	s.bytes[39] = 20;
	return s;
}

static void write_segment(FILE *out, uint64_t time_us, const struct segment *s)
{
	write_packet(out, time_us, s->bytes, s->length, s->length);
}

static void write_web(FILE *out, uint64_t time_us, uint32_t i)
{
	static const char request[] = "GET /index.html HTTP/1.1\r\nHost: www.example.org\r\n\r\n";
	static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbody";
	uint32_t client = 0x0a000000 + i, server = 0xc0000200 + i % 251;
	uint32_t requested = 1001 + sizeof(request) - 1;
	struct segment s[TRACE_WEB_PACKETS] = {
		make_tcp(SYN, 1000, 0, ""),
		make_tcp(SYN | ACK, 5000, 1001, ""),
		make_tcp(ACK, 1001, 5001, ""),
		make_tcp(ACK | PUSH, 1001, 5001, request),
		make_tcp(ACK | PUSH, 5001, requested, response),
	};

	for (unsigned j = 0; j < TRACE_WEB_PACKETS; j++) {
		bool answer = j == 1 || j == 4;

		set_ends(&s[j], answer ? server : client, answer ? client : server,
			 answer ? 80 : 40000, answer ? 40000 : 80);
		write_segment(out, time_us, &s[j]);
	}
}

static void write_single(FILE *out, uint64_t time_us, enum trace_kind kind, uint32_t i)
{
	struct segment s = kind == TRACE_SYN ? make_tcp(SYN, 1000, 0, "") : make_udp();

	if (kind == TRACE_COLLIDING)
		set_ends(&s, i << 16 | i >> 16, 0x0a000001, 53, 53);
	else
		set_ends(&s, 0x0b000000 + i * 2654435761U % 0x1000000, 0x0a000000 + i / 65536,
			 (uint16_t)i, 80);
	write_segment(out, time_us, &s);
}

void trace_write_flows(const char *path, enum trace_kind kind, uint32_t flows)
{
	FILE *out = open_trace(path);

	for (uint32_t i = 0; i < flows; i++) {
		if (kind == TRACE_WEB)
			write_web(out, START_US + i, i);
		else
			write_single(out, START_US + i, kind, i);
	}
	if (fclose(out) != 0)
		die(path, strerror(errno));
}

void trace_write_gap(const char *path, uint64_t gap_s)
{
	FILE *out = open_trace(path);

	for (uint32_t i = 0; i < 2000; i++)
		write_web(out, START_US + i + (i < 1000 ? 0 : gap_s * 1000000), i);
	if (fclose(out) != 0)
		die(path, strerror(errno));
}
