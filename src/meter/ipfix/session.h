/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: what one transport session has been told, and what must be told first
 * (RFC 7011, sections 8 and 10): templates before their records, everything again
 * from time to time where messages may get lost; sequence numbers; times of export.
 *
 * Used by one thread at a time; the facts may be changed by others.
 */
#ifndef SONDE_METER_IPFIX_SESSION_H
#define SONDE_METER_IPFIX_SESSION_H

#include <pthread.h>

#include "base/list.h"
#include "meter/ipfix/collector.h"
#include "meter/ipfix/options.h"

#define SN_IPFIX_SHAPE_WORDS ((SN_IPFIX_SHAPES + 63) / 64)

/* Records of flows that go into one message. */
struct sn_ipfix_batch {
	struct sn_list link;
	uint64_t shapes[SN_IPFIX_SHAPE_WORDS]; /* whose templates it needs, a bit each */
	uint32_t records;
	uint64_t packets, octets; /* that the records tell of */
	size_t size;
	char body[];
};

/* What is told besides flows. */
struct sn_ipfix_facts {
	pthread_mutex_t lock; /* of modes; sources are only ever added */
	struct sn_ipfix_modes modes;
	_Atomic unsigned modes_version;
	struct {
		uint16_t number;
		char *name;
	} sources[SN_IPFIX_SOURCES_MAX];
	_Atomic size_t source_count;
	_Atomic uint64_t ignored_packets;
	_Atomic uint64_t lost_records, lost_packets, lost_octets;
};

struct sn_ipfix_timing {
	uint64_t refresh_first_ns, refresh_ns; /* of what may have been lost: doubles up to */
	uint64_t counts_ns;                    /* between reports of what was lost */
	uint64_t stall_ns;                     /* a message must be gone by then */
};

struct sn_ipfix_session {
	struct sn_ipfix_collector *collector; /* borrowed, as the next three */
	const struct sn_ipfix_style *style;
	const struct sn_ipfix_timing *timing;
	struct sn_ipfix_facts *facts;
	uint32_t domain;
	uint32_t sequence; /* data records so far */
	uint64_t told[SN_IPFIX_SHAPE_WORDS];
	size_t sources_told;
	unsigned modes_version;
	uint64_t refresh_every_ns, refresh_at_ns, counts_at_ns;
	uint64_t messages, octets, records; /* records: of flows */
	struct sn_buf message;
	struct sn_err err;
};

void sn_ipfix_session_init(struct sn_ipfix_session *session, struct sn_ipfix_collector *collector,
			   const struct sn_ipfix_style *style, const struct sn_ipfix_timing *timing,
			   struct sn_ipfix_facts *facts, uint32_t domain);
void sn_ipfix_session_finish(struct sn_ipfix_session *session);

/* These give 0 or a negative errno, with the reason in `err`: the connection is over then. */
int sn_ipfix_session_begin(struct sn_ipfix_session *session); /* on a new connection */
int sn_ipfix_session_send(struct sn_ipfix_session *session, const struct sn_ipfix_batch *batch);
int sn_ipfix_session_keep(struct sn_ipfix_session *session, uint64_t now_ns); /* what is due */
int sn_ipfix_session_counts(struct sn_ipfix_session *session); /* what was sent and lost so far */
/* When something is due next. */
uint64_t sn_ipfix_session_due(const struct sn_ipfix_session *session);

#endif
