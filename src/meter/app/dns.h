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

#include "base/str.h"

enum sn_dns_entry {
	SN_DNS_REQUEST,  /* "REQ": one question */
	SN_DNS_RESPONSE, /* "RESP": one record of the answer section */
	SN_DNS_ERROR,    /* "RESP_ERR": the response code is not 0 */
	SN_DNS_EMPTY,    /* no error and no records; Tstat writes no line for it */
};

/* Texts are valid during the call. */
struct sn_dns_event {
	enum sn_dns_entry entry;
	bool client_is_source; /* the client, who sends questions, has sent this packet */
	bool tcp;
	int64_t time_ns;
	uint16_t id, flags, class_, type; /* flags: the header's 16 bits */
	uint8_t rcode;
	uint16_t questions, answers, authorities, additionals;
	uint32_t ttl_seconds;
	uint32_t bytes;       /* of the message */
	struct sn_str name;   /* presentation form; in RESPONSE with a final dot */
	struct sn_str answer; /* presentation form of the record's data; the code's name in ERROR */
	int64_t asked_ns;     /* of the question, 0 if it was not seen */
};

const char *sn_dns_type_name(uint16_t type, char scratch[16]);    /* "A", "HTTPS", "TYPE65280" */
const char *sn_dns_class_name(uint16_t class_, char scratch[16]); /* "IN", "CLASS4" */
const char *sn_dns_rcode_name(uint8_t rcode, char scratch[16]);   /* "NXDOMAIN" */

#endif
