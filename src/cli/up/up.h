/* SPDX-License-Identifier: Apache-2.0 */
/*
 * up: hub and node on this machine, under one process.
 *
 * Everything is in one directory: `hub/`, `node/`, and, when root starts it,
 * `priv.sock`.  The steps, each in its own file: start.c brings the programs up
 * and down, setup.c enrols the node and says what it measures, up.c is the verb and
 * what it says.
 */
#ifndef SONDE_CLI_UP_UP_H
#define SONDE_CLI_UP_UP_H

#include "cli/client.h"
#include "cli/up/child.h"
#include "cli/up/rights.h"

#define SN_UP_ARGS_MAX  32
#define SN_UP_HUB_WAIT  (30 * SN_NS_PER_S) /* until it is ready */
#define SN_UP_NODE_NAME 64

struct sn_up_config {
	const char *state;  /* directory; made if absent */
	const char *local;  /* loopback address with port for the browser; NULL: 127.0.0.1:8080 */
	const char *listen; /* address with port for other machines, TLS; NULL: loopback only */
	const char *node_name;
	const char *user; /* whom root lets the programs run as; NULL */
	const char *const *targets;
	unsigned target_count;
	bool defaults; /* gateway, resolvers and hub are measured too */
};

struct sn_up_argv {
	char *items[SN_UP_ARGS_MAX + 1];
	size_t count;
};

struct sn_up {
	const struct sn_up_config *config;
	struct sn_loop *loop;
	struct sn_rights rights;
	char *programs; /* directory of the sibling programs */
	char *hub_dir, *node_dir, *priv_socket;
	int lock;
	char *announced; /* the copy of hub.json that we wrote; NULL */

	struct sn_child hub, node, priv;
	struct sn_up_argv hub_argv, node_argv, priv_argv;

	/* What the hub said when it was ready. */
	bool hub_ready;
	char *url, *login_url, *node_url;

	struct sn_client *client;
	char node_id[SN_UP_NODE_NAME];
	bool wake; /* a child's state has changed; for waits */
};

/* start.c --------------------------------------------------------------- */
int sn_up_prepare(struct sn_up *up, struct sn_err *err); /* directories, lock, rights */
int sn_up_start_hub(struct sn_up *up, struct sn_err *err);
int sn_up_start_priv(struct sn_up *up, struct sn_err *err);
int sn_up_start_node(struct sn_up *up, struct sn_err *err);
/* Ends all programs, the node first; what does not end in time is killed. */
void sn_up_stop(struct sn_up *up);
void sn_up_finish(struct sn_up *up);
/* Runs the loop until `*flag` (-ETIMEDOUT) or Ctrl-C (-EINTR). */
int sn_up_wait(struct sn_up *up, const bool *flag, uint64_t timeout_ns);
void sn_up_wake(struct sn_up *up);
void sn_up_arg(struct sn_up_argv *argv, const char *format, ...) SN_PRINTF(2, 3);
void sn_up_argv_finish(struct sn_up_argv *argv);
/* "setpriv ... <programs>/<name>" */
void sn_up_command(const struct sn_up *up, const char *name, struct sn_up_argv *argv);

/* setup.c --------------------------------------------------------------- */
int sn_up_enrol(struct sn_up *up, struct sn_err *err);
/* Makes the standing measurements what they should be; `line` is called for each. */
int sn_up_measurements(struct sn_up *up, void (*line)(const char *name, const char *targets),
		       struct sn_err *err);

#endif
