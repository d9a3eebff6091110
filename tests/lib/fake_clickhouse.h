/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_clickhouse: plays the ClickHouse servers that cannot be had for a test: those that
 * break off, answer with nonsense, or with an error behind a good beginning.
 *
 * It knows what a client asks before the question that the test is about (version, columns of
 * tables), and answers that as a server does on which all tables are as they should be.  Then
 * it does what the test wants.  A thread of its own; one connection at a time.
 */
#ifndef SONDE_TESTS_LIB_FAKE_CLICKHOUSE_H
#define SONDE_TESTS_LIB_FAKE_CLICKHOUSE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "data/dataset.h"

struct fake_clickhouse {
	const struct sn_dataset *dataset;
	char url[64];
	/* What is sent to the question, as it is; empty: nothing, the connection is closed. */
	struct sn_str answer;
	bool close; /* afterwards */
	bool hang;  /* instead, until the client gives up */
	atomic_uint questions, connections;
	atomic_uint begun; /* requests of which there was a byte */
	int fd;
	pthread_t thread;
};

void fake_clickhouse_start(struct fake_clickhouse *fake, const struct sn_dataset *dataset);
void fake_clickhouse_stop(struct fake_clickhouse *fake);

#endif
