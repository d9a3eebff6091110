/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker: the thread that brings one stream into the store: list, fetch, import, note; then
 * wait and look again.
 *
 * One file is under way at a time, so that what is fetched and not yet stored takes the room of
 * one file, and a store that is slow slows the fetching.  Killed at any point it goes on: a part
 * by its digest, an import by the store's ledger, the rest by the stream's own.
 *
 * Trouble with one file (not what was listed, too large, damaged) is told and counted, and the
 * others are gone on with; after some tries the file is noted as refused.  Trouble with the peer
 * or with our own disk holds the stream up: it is tried again, later and later.
 */
#ifndef SONDE_HUB_MATH_WORKER_H
#define SONDE_HUB_MATH_WORKER_H

#include "hub/math/ledger.h"
#include "hub/quarantine.h"

#define SN_MATH_REASON_MAX 200

struct sn_math_worker;

/* Who we are to the probe; files, copied.  Called on the thread before each connection. */
struct sn_math_identity {
	char ca[256], cert[256], key[256]; /* "" for none */
	int cert_fd, key_fd;               /* to be closed when they are not -1 */
	unsigned generation;
};

struct sn_math_worker_config { /* texts are copied */
	const char *stream, *type, *url;
	int64_t start_s;
	bool local_time;
	const char *ledger, *part; /* files */
	const char *store;         /* directory */
	uint64_t file_max;
	int64_t poll_ns;
	struct sn_quarantine *quarantine;
	/* Any thread; fills in an identity, and tells whether `generation` is out of date. */
	void (*identify)(struct sn_math_identity *identity, void *ctx);
	unsigned (*generation)(void *ctx);
	void *ctx;
};

enum sn_math_state {
	SN_MATH_STARTING,
	SN_MATH_FETCHING,
	SN_MATH_IMPORTING,
	SN_MATH_CURRENT, /* all that is listed is here */
	SN_MATH_FAILING, /* waits before it tries again; the reason says why */
};
const char *sn_math_state_name(enum sn_math_state state);

struct sn_math_status {
	enum sn_math_state state;
	char reason[SN_MATH_REASON_MAX]; /* "" for none; of a stream that is current: lately */
	char file[128];                  /* under way; "" */
	struct sn_math_totals totals;
	uint64_t waiting_files, waiting_bytes; /* listed and not here, as far as is known */
	int64_t last_ns;                       /* when the peer answered; 0: never */
};

int sn_math_worker_start(const struct sn_math_worker_config *config, struct sn_math_worker **worker,
			 struct sn_err *err);
void sn_math_worker_stop(struct sn_math_worker *worker); /* soon */
bool sn_math_worker_has_ended(const struct sn_math_worker *worker);
void sn_math_worker_join(struct sn_math_worker *worker); /* waits; NULL is fine */
/* A stream's part and what is beside it. */
void sn_math_part_clean(const char *part);
void sn_math_worker_status(struct sn_math_worker *worker, struct sn_math_status *status);

#endif
