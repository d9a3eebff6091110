/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a session share: session.c, session_files.c, session_live.c. */
#ifndef SONDE_METER_SESSION_INTERNAL_H
#define SONDE_METER_SESSION_INTERNAL_H

#include <stdatomic.h>

#include "meter/session.h"
#include "meter/workers.h"

#define SOURCES_MAX 65535

struct sn_session {
	struct sn_session_options options;
	struct sn_worker *workers[SN_SESSION_WORKERS_MAX];
	unsigned worker_count;
	struct sn_workers *threads; /* NULL: one worker, in the caller's thread */
	char **sources;             /* names of files and interfaces; flows keep the index */
	size_t source_count;
	uint64_t packets;
	int64_t last_ns; /* latest time of a packet that was given */
	atomic_uint_fast64_t filtered;
	int64_t deadline_ns; /* packet time of files; 0 before the first packet */
	bool live, full;
	int error;            /* of a sink */
	pthread_mutex_t lock; /* of what follows */
	struct sn_capture_losses losses[SN_SESSION_LOSSES_MAX];
	size_t losses_count;
};

bool session_is_stopped(void);
void session_add_source(struct sn_session *session, const char *name);
/* `lives` NULL: packets are given. */
int session_start_threads(struct sn_session *session, struct sn_live **lives, struct sn_err *err);
/* As many as the limit lets through; sets session->error and session->full. */
void session_give(struct sn_session *session, const struct sn_packet *packets, size_t count);
void session_note_losses(struct sn_session *session, const struct sn_capture_losses *losses);

#endif
