/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: the root helper itself: takes requests, checks them, does the fixed
 * operation, answers.
 *
 * Clients are the holder of an inherited socket, or whoever connects to a socket
 * and is one of the users of the policy.  When a client goes away its
 * processes are killed; when the holder of the inherited socket does, the
 * namespaces with our prefix are removed too and the helper ends.
 *
 * Single-threaded on poll(2) and not on base/loop.h: the less runs as root, the
 * less there is to check.
 */
#ifndef SONDE_PRIV_SERVER_H
#define SONDE_PRIV_SERVER_H

#include "base/err.h"
#include "priv/request.h"

#define SN_PRIV_CLIENTS_MAX 16

struct sn_priv_server_config {
	struct sn_priv_policy policy;
	const char *program_dir; /* programs of the table are started from here */
	int fd;                  /* inherited socket, or -1 */
	int listen_fd;           /* inherited listening socket, or -1 */
	const char *socket_path; /* listen here, or NULL; in a directory that only root writes */
};

/* Confines the process, then serves until SIGTERM or the end of the inherited socket. */
int sn_priv_server_run(const struct sn_priv_server_config *config, struct sn_err *err);

#endif
