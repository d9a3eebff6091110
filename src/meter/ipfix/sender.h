/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender: batches from the workers to the collector.
 *
 * A collector has a thread that connects, sends and waits; what it cannot take in
 * time is lost when the queue is full, the newest first.  What was taken from the queue
 * and could not be sent is the first of the next connection: a message that was cut
 * off is no message to the collector.  A file is written by the worker itself.
 */
#ifndef SONDE_METER_IPFIX_SENDER_H
#define SONDE_METER_IPFIX_SENDER_H

#include <pthread.h>

#include "meter/ipfix/ipfix.h"
#include "meter/ipfix/session.h"

/* Between attempts to connect, and how long everything may take. */
struct sn_ipfix_patience {
	struct sn_ipfix_timing timing;
	uint64_t connect_ns;             /* one attempt */
	uint64_t pause_ns, pause_max_ns; /* doubles with each failure */
	uint64_t farewell_ns;            /* at the end */
	uint64_t batch_ns;               /* a record waits so long for others */
};
extern const struct sn_ipfix_patience sn_ipfix_patience;

struct sn_ipfix {
	char *text;
	struct sn_ipfix_collector collector;
	struct sn_ipfix_patience patience;
	struct sn_ipfix_style style;
	struct sn_ipfix_facts facts;
	size_t queue_max;

	pthread_mutex_t lock; /* of what follows; of the session, too, of a file */
	pthread_cond_t wake;
	struct sn_list queue;
	size_t queued; /* bytes */
	bool stopping;
	int error; /* the first one of a file */

	pthread_t thread; /* its own: */
	bool threaded, connected, away;
	uint64_t retry_at_ns, pause_ns, connected_ns;
	uint32_t last_records; /* of the last message */
	struct sn_ipfix_session session;

	_Atomic uint64_t records, messages, bytes, connects;
};

/* As sn_ipfix_create(), for tests that cannot wait for minutes. */
int sn_ipfix_create_patient(const struct sn_ipfix_options *options,
			    const struct sn_ipfix_patience *patience, struct sn_ipfix **ipfix,
			    struct sn_err *err);
/* Takes the batch over; 0, or what writing the file came to. */
int sn_ipfix_push(struct sn_ipfix *ipfix, struct sn_ipfix_batch *batch);
/* The source has this name from now on. */
void sn_ipfix_name_source(struct sn_ipfix *ipfix, uint16_t number, const char *name);

#endif
