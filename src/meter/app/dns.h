/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/dns: messages of DNS (RFC 1035, RFC 3596, RFC 9460) in UDP and TCP flows.
 *
 * Answers to A, AAAA and ANY questions name the flows that follow (app/names.h).
 * One event for each question of a query and each record of an answer, as the
 * lines of Tstat's log_dns_complete; answers without records give one event too.
 */
#ifndef SONDE_METER_APP_DNS_H
#define SONDE_METER_APP_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define SN_DNS_POINTERS_MAX 64   /* compression pointers in one name */
#define SN_DNS_RECORDS_MAX  100  /* questions and answers told of one message */
#define SN_DNS_DATA_MAX     4096 /* text of one record's data; longer is cut */
#define SN_DNS_NAME_TEXT    1024 /* a name of 255 bytes, each escaped */

enum sn_dns_entry {
	SN_DNS_REQUEST,  /* "REQ": one question */
	SN_DNS_RESPONSE, /* "RESP": one record of the answer section */
	SN_DNS_ERROR,    /* "RESP_ERR": the response code is not 0 */
	SN_DNS_EMPTY,    /* no error and no records; Tstat writes no line for it */
};

/* Texts are valid during the call. */
struct sn_dns_event {
	enum sn_dns_entry entry;
	unsigned side;         /* of the flow: who has sent this message */
	bool client_is_source; /* it is a question, so its sender is the client of DNS */
	bool tcp;
	int64_t time_ns;
	uint16_t id, flags, class_, type; /* flags: the header's 16 bits */
	uint8_t rcode;
	uint16_t questions, answers, authorities;
	uint16_t additionals; /* without the OPT record of EDNS, as Tstat counts */
	uint32_t ttl_seconds;
	uint32_t bytes;       /* of the message */
	struct sn_str name;   /* presentation form with a final dot */
	struct sn_str answer; /* presentation form of the record's data; the code's name in ERROR */
	int64_t asked_ns;     /* of the question, 0 if it was not seen */
};

struct sn_dns_input {
	struct sn_rd message; /* what was captured of it */
	uint32_t bytes;       /* of the whole message */
	int64_t time_ns, asked_ns;
	unsigned side;
	bool tcp;
};

struct sn_dns_listener { /* any may be NULL */
	void (*event)(const struct sn_dns_event *event, void *ctx);
	/* An address in the answer to a question for A, AAAA or ANY; `name` was asked for. */
	void (*address)(struct sn_str name, const uint64_t address[2], uint8_t family, void *ctx);
	void *ctx;
};

/*
 * Events come only of a whole message that makes sense, addresses as far as it does.  0, -EBADMSG,
 * or -ENODATA if what was captured ends before it does.
 */
int sn_dns_read(const struct sn_dns_input *input, const struct sn_dns_listener *listener);
/* The header and the first question are those of an ordinary query or answer. */
bool sn_dns_looks_right(struct sn_rd message);
/* Type of the first record of the answer section; 0: there is none. */
uint16_t sn_dns_answer_type(struct sn_rd message);

const char *sn_dns_type_name(uint16_t type, char scratch[16]);    /* "A", "HTTPS", "TYPE65280" */
const char *sn_dns_class_name(uint16_t class_, char scratch[16]); /* "IN", "CLASS4" */
const char *sn_dns_rcode_name(uint8_t rcode, char scratch[16]);   /* "NXDOMAIN" */

#endif
