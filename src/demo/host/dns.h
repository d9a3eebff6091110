/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns: as much of DNS (RFC 1035) as the demo's resolver and its clients need:
 * questions for addresses, authoritative answers from a list of records.
 *
 * Pure: bytes in, bytes out.  Input is read with the checked reader only;
 * compressed names are skipped, never followed.
 */
#ifndef SONDE_DEMO_HOST_DNS_H
#define SONDE_DEMO_HOST_DNS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SN_DNS_PORT        53
#define SN_DNS_MESSAGE_MAX 512 /* over UDP without extensions */
#define SN_DNS_NAME_MAX    255 /* as text, without the last dot */
#define SN_DNS_RECORDS_MAX 256

enum { SN_DNS_A = 1, SN_DNS_AAAA = 28 };

struct sn_dns_record {
	char name[SN_DNS_NAME_MAX + 1]; /* lower case, no last dot */
	int family;
	uint8_t address[16];
};

struct sn_dns_zone {
	const char *origin; /* names outside of it are refused */
	struct sn_dns_record *records;
	size_t count;
};

/* "content.sonde.example 203.0.113.18" */
int sn_dns_record_parse(const char *text, struct sn_dns_record *record, struct sn_err *err);

/* A question for the address of `name`, appended; -EINVAL if it is no host name. */
int sn_dns_query_write(uint16_t id, const char *name, uint16_t type, struct sn_buf *out);
/*
 * The first address in an answer: 4 or 16 bytes by `type`.  -EAGAIN: not the answer
 * to `id`; -ENOENT: no such name or no such address; -EPROTO: malformed or refused.
 */
int sn_dns_reply_parse(const void *data, size_t size, uint16_t id, uint16_t type,
		       uint8_t address[16]);

/* The answer to a question, appended; -EPROTO: what came deserves none. */
int sn_dns_answer(const struct sn_dns_zone *zone, const void *data, size_t size,
		  struct sn_buf *out);

#endif
