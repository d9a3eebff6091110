/* SPDX-License-Identifier: Apache-2.0 */
/*
 * component: this node as a plain mPlane component, without a hub of ours.
 *
 * It listens for clients, registers with a supervisor, or both; methods, processes and
 * rows are the same as for tasks.  With TLS each side has to show a certificate of the
 * one CA; plain HTTP never leaves this machine.
 */
#ifndef SONDE_NODE_COMPONENT_COMPONENT_H
#define SONDE_NODE_COMPONENT_COMPONENT_H

#include "net/addr.h"
#include "node/run/run.h"

#define SN_NODE_SOURCES_MAX 2 /* one address of a family */

struct sn_node_component;

struct sn_node_component_config { /* texts must stay */
	struct sn_loop *loop;
	const char *name;                           /* System_ID */
	const char *listen;                         /* "127.0.0.1:1228"; NULL: it does not */
	const char *supervisor;                     /* URL; NULL: none */
	const char *cert_file, *key_file, *ca_file; /* NULL: plain */
	const char *identity;                       /* towards a plain supervisor; may be NULL */
	const char *policy_file;                    /* may be NULL */
	const char *const *allowed;
	unsigned allowed_count;
	const char *sources[SN_NODE_SOURCES_MAX]; /* addresses to measure from; NULL: found out */
	bool native;                              /* offer the methods under their own names, too */
	const char *program_dir, *priv_socket, *meter_dir; /* as in node/run/run.h */
	/* Logs for repositories, node/component/exporter.h; log_dir NULL: none. */
	const char *log_dir, *log_listen;
	const char *const *repositories;
	unsigned repository_count;
	const char *const *readers;
	unsigned reader_count;
};

/* `bound` (may be NULL) is where it listens. */
int sn_node_component_create(const struct sn_node_component_config *config,
			     struct sn_node_component **component, struct sn_addr *bound,
			     struct sn_err *err);
/* Withdraws what it has registered; `on_left` is called once, perhaps at once. */
void sn_node_component_leave(struct sn_node_component *component, void (*on_left)(void *ctx),
			     void *ctx);
void sn_node_component_destroy(struct sn_node_component *component); /* NULL is fine */

#endif
