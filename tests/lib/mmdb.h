/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least of a writer of MaxMind DB files, from the format's specification
 * (maxmind.github.io/MaxMind-DB, version 2.0): records of 24 bits, IPv4 below ::/96.
 */
#ifndef SONDE_TESTS_LIB_MMDB_H
#define SONDE_TESTS_LIB_MMDB_H

#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"

#define MMDB_NODES 2000

struct mmdb {
	uint32_t nodes[MMDB_NODES][2]; /* 0: nothing; else a node, or DATA | offset */
	uint32_t count;
	struct sn_buf data;
};
#define MMDB_DATA 0x800000U

static inline void mmdb_control(struct sn_buf *out, unsigned type, unsigned size)
{
	sn_buf_addc(out, (char)(type <= 7 ? type << 5 | size : size));
	if (type > 7)
		sn_buf_addc(out, (char)(type - 7));
}

static inline void mmdb_map(struct sn_buf *out, unsigned pairs)
{
	mmdb_control(out, 7, pairs);
}

/* Shorter than 29 bytes. */
static inline void mmdb_text(struct sn_buf *out, const char *text)
{
	mmdb_control(out, 2, (unsigned)strlen(text));
	sn_buf_adds(out, text);
}

/* `type` 5: 16 bits, 6: 32 bits, 9: 64 bits. */
static inline void mmdb_number(struct sn_buf *out, unsigned type, uint64_t value)
{
	mmdb_control(out, type, 4);
	for (int shift = 24; shift >= 0; shift -= 8)
		sn_buf_addc(out, (char)(value >> shift));
}

static inline void mmdb_number16(struct sn_buf *out, unsigned value)
{
	mmdb_control(out, 5, 2);
	sn_buf_addc(out, (char)(value >> 8));
	sn_buf_addc(out, (char)value);
}

/* The data that is written next is that of `network`. */
static inline void mmdb_network(struct mmdb *db, const char *ip, unsigned bits)
{
	uint8_t address[16] = {0};
	uint32_t at = 0;

	if (db->count == 0)
		db->count = 1;
	if (strchr(ip, ':') != NULL) {
		inet_pton(AF_INET6, ip, address);
	} else {
		inet_pton(AF_INET, ip, address + 12);
		bits += 96;
	}
	for (unsigned bit = 0; bit < bits; bit++) {
		uint32_t *record = &db->nodes[at][address[bit / 8] >> (7 - bit % 8) & 1];

		if (bit + 1 == bits)
			*record = MMDB_DATA | (uint32_t)db->data.n;
		else if (*record == 0)
			*record = db->count++;
		at = *record;
	}
}

static inline void mmdb_record(const struct mmdb *db, uint32_t record, struct sn_buf *out)
{
	if (record == 0)
		record = db->count;
	else if ((record & MMDB_DATA) != 0)
		record = db->count + 16 + (record & ~MMDB_DATA);
	sn_buf_addc(out, (char)(record >> 16));
	sn_buf_addc(out, (char)(record >> 8));
	sn_buf_addc(out, (char)record);
}

static inline void mmdb_metadata(const struct mmdb *db, struct sn_buf *out)
{
	sn_buf_adds(out, "\xab\xcd\xefMaxMind.com");
	mmdb_map(out, 9);
	mmdb_text(out, "node_count");
	mmdb_number(out, 6, db->count);
	mmdb_text(out, "record_size");
	mmdb_number16(out, 24);
	mmdb_text(out, "ip_version");
	mmdb_number16(out, 6);
	mmdb_text(out, "database_type");
	mmdb_text(out, "Test");
	mmdb_text(out, "languages");
	mmdb_control(out, 11, 0);
	mmdb_text(out, "binary_format_major_version");
	mmdb_number16(out, 2);
	mmdb_text(out, "binary_format_minor_version");
	mmdb_number16(out, 0);
	mmdb_text(out, "build_epoch");
	mmdb_number(out, 9, 1700000000);
	mmdb_text(out, "description");
	mmdb_map(out, 0);
}

static inline void mmdb_write(const struct mmdb *db, struct sn_buf *out)
{
	static const char separator[16];

	for (uint32_t i = 0; i < db->count; i++) {
		mmdb_record(db, db->nodes[i][0], out);
		mmdb_record(db, db->nodes[i][1], out);
	}
	sn_buf_add(out, separator, sizeof(separator));
	sn_buf_add(out, db->data.p, db->data.n);
	mmdb_metadata(db, out);
}

#endif
