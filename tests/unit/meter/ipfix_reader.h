/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of IPFIX that forgives nothing: written from RFC 7011 and knowing none of
 * the exporter's tables.  Every octet of a message must be accounted for; a template
 * must be known before its records, must not change, and sequence numbers must fit.
 */
#ifndef SONDE_TESTS_METER_IPFIX_READER_H
#define SONDE_TESTS_METER_IPFIX_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define IPFIX_TEMPLATES_MAX 1024
#define IPFIX_FIELDS_MAX    256
#define IPFIX_REVERSE       29305

struct ipfix_field {
	uint32_t enterprise;
	uint16_t id, length;
};

struct ipfix_template {
	uint16_t id, scopes, count; /* scopes: 0 of a plain template */
	struct ipfix_field fields[IPFIX_FIELDS_MAX];
};

struct ipfix_record {
	const struct ipfix_template *template;
	struct sn_str values[IPFIX_FIELDS_MAX];
};

struct ipfix_reader {
	struct ipfix_template *templates[IPFIX_TEMPLATES_MAX];
	size_t template_count;
	uint32_t domain, sequence; /* that the next message must have */
	bool begun;
	uint32_t messages, records, options;
	char why[256]; /* it was refused */
	void (*take)(const struct ipfix_record *record, void *ctx);
	void *ctx;
};

void ipfix_reader_init(struct ipfix_reader *reader,
		       void (*take)(const struct ipfix_record *record, void *ctx), void *ctx);
void ipfix_reader_finish(struct ipfix_reader *reader);
/* Exactly one message. */
bool ipfix_read(struct ipfix_reader *reader, const void *message, size_t size);
/* Messages one after another; all of it. */
bool ipfix_read_stream(struct ipfix_reader *reader, const void *data, size_t size);
/* Octets of the message that begins with these SN_IPFIX_HEADER ones. */
size_t ipfix_message_size(const void *header);

bool ipfix_has(const struct ipfix_record *record, uint32_t enterprise, uint16_t id);
/* Fails the test when the record does not have it. */
struct sn_str ipfix_text(const struct ipfix_record *record, uint32_t enterprise, uint16_t id);
uint64_t ipfix_number(const struct ipfix_record *record, uint32_t enterprise, uint16_t id);

#endif
