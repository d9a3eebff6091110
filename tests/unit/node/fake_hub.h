/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_hub: the hub's side of doc/internals/node-hub.md, as small as tests of the
 * node allow: it keeps in memory what it was sent and refuses what it is told to.
 *
 * One CA, made once per process; a hub may be taken down and brought up again at
 * the same port, keeping what it has stored.
 */
#ifndef SONDE_TESTS_UNIT_NODE_FAKE_HUB_H
#define SONDE_TESTS_UNIT_NODE_FAKE_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "net/http_server.h"
#include "net/pki.h"

#define HUB_BATCHES_MAX 4096
#define HUB_SECRET      "00112233445566778899aabbccddeeff"

struct hub_batch { /* by number */
	bool stored;
	uint32_t rows;
	int64_t first_row;
	char dataset[32], digest[80];
};

struct fake_hub {
	struct sn_loop *loop;
	struct sn_http_server *server;
	struct sn_addr addr;
	char url[64], ca_file[128], dir[64];
	char fingerprint[SN_PKI_FINGERPRINT_SIZE], token[128];

	/* What it shall answer. */
	unsigned put_status, heartbeat_status, enrol_status, report_status; /* 0: as it should */
	unsigned put_failures; /* so often `put_status`, then no more; 0: for ever */
	const char *code, *retry_after;
	bool forget_answers; /* store, but never answer: a hub that dies after its commit */
	/* Batches of this stream below this number are there already, with other content. */
	char taken_stream[40];
	unsigned taken;
	const char *tasks; /* document, or NULL */
	const char *tasks_etag;
	double interval_s;
	int64_t certificate_life_s; /* of what it issues; 0: an hour */

	/* What it has seen. */
	char stream[40];
	struct hub_batch batches[HUB_BATCHES_MAX];
	unsigned puts, duplicates, conflicts, stored, heartbeats, task_fetches, streams, renewals,
		enrolments;
	unsigned in_flight_max;
	unsigned reports;
	char report_log[2048];     /* "t1 running\nt2 failed: why\n" of those that were taken */
	unsigned stored_at_report; /* batches, when the last one came */
	uint64_t report_ns;        /* monotonic: of the last report */
	char heartbeat[8192];      /* body of the last one */
	char csr[4096], csr_before[4096], name[64];
	char peer_serial[SN_PKI_SERIAL_SIZE];

	struct sn_http_request *held[16]; /* unanswered because of forget_answers or `hold` */
	unsigned held_count;
	bool hold; /* keep PUTs unanswered until hub_release() */
	struct sn_sse *sse;
};

void hub_init(struct fake_hub *hub, struct sn_loop *loop);
void hub_finish(struct fake_hub *hub);
void hub_down(struct fake_hub *hub);
void hub_up(struct fake_hub *hub);
void hub_release(struct fake_hub *hub); /* answers what is held */
void hub_event(struct fake_hub *hub, const char *event, const char *data);
/* Certificate and key for `node` in one text, living `life_s` from now. */
void hub_identity(struct fake_hub *hub, const char *node, int64_t life_s, struct sn_buf *pem);
/* Rows are complete and unique from 0 on; returns how many. */
int64_t hub_check_rows(const struct fake_hub *hub);

/* Turns the loop until `done` says so; false after ten seconds. */
bool turn_until(struct sn_loop *loop, bool (*done)(void));
void turn_for(struct sn_loop *loop, uint64_t ns);

#endif
