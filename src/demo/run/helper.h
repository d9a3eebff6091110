/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper: starts sonde-priv, the only process of a demo that stays root.
 */
#ifndef SONDE_DEMO_RUN_HELPER_H
#define SONDE_DEMO_RUN_HELPER_H

#include "demo/run/place.h"
#include "priv/client.h"

struct sn_demo_helper {
	struct sn_priv *priv;
	pid_t pid; /* 0: not started */
};

struct sn_demo_helper_spec {
	const char *program;     /* path of sonde-priv */
	const char *program_dir; /* what it may start lies here */
	const char *prefix;
	const struct sn_demo_user *user;
	int listen_fd, log_fd; /* for the nodes' requests; for its messages */
	/* The demo's lock, kept open there too: nobody else starts while it still cleans up. */
	int lock_fd;
};

int sn_demo_helper_start(struct sn_demo_helper *helper, const struct sn_demo_helper_spec *spec,
			 struct sn_err *err);
/*
 * Hangs up: it kills what it started, removes the namespaces and ends.  Waits for
 * that at most 10 s.  Harmless if it was not started.
 */
void sn_demo_helper_stop(struct sn_demo_helper *helper);

#endif
