/* SPDX-License-Identifier: Apache-2.0 */
/*
 * component_uplink: a component that connects to a supervisor
 * (component-initiated workflow).
 *
 * It registers all capabilities and a callback capability in one envelope, polls for
 * specifications (every 5 s, or when a callback says so), posts the receipt at once
 * and results as they come, withdraws what is not offered any more, registers again
 * after 428 or when the supervisor was away.  Results that could not be delivered are
 * tried again in order, SN_UPLINK_BACKLOG of them; the oldest are given up first, and so
 * is one that the supervisor refuses.  Receipts and exceptions go first.
 *
 * Everything goes to the result path of this supervisor.  The link of a specification
 * is not followed: on the same host and port the reference implementation uses the
 * configured path, too, and another host is nobody we have agreed to send results to.
 */
#ifndef SONDE_PEER_COMPONENT_UPLINK_H
#define SONDE_PEER_COMPONENT_UPLINK_H

#include "peer/component.h"

#define SN_UPLINK_POLL_NS       (5 * SN_NS_PER_S) /* the reference supervisor forgets us after ten */
#define SN_UPLINK_POLL_MIN_NS   (100 * SN_NS_PER_MS) /* however soon a callback wants it */
#define SN_UPLINK_POLL_MAX_NS   (3600 * SN_NS_PER_S) /* however late */
#define SN_UPLINK_RETRY_MAX_NS  (30 * SN_NS_PER_S)   /* between tries to reach the supervisor */
#define SN_UPLINK_BACKLOG       1000
#define SN_UPLINK_BACKLOG_BYTES (64 * 1024 * 1024)
#define SN_UPLINK_TRIES         5 /* of one message that the supervisor fails to take (status 5xx) */
#define SN_UPLINK_BAD_MAX       100 /* unreadable messages of one poll that get an exception */

struct sn_component_uplink;

enum sn_uplink_state {
	SN_UPLINK_CONNECTING, /* or nothing is offered to it */
	SN_UPLINK_REGISTERED,
	SN_UPLINK_REFUSED, /* it does not want us; tried again */
};

struct sn_component_uplink_config {
	struct sn_loop *loop;
	struct sn_component *component;       /* must outlive the uplink */
	const struct sn_component_host *host; /* that of `component`, or NULL */
	const struct sn_mp_registries *registries;
	const char *url;      /* of the supervisor: scheme, host, port */
	const char *identity; /* who the supervisor is, for permit and jobs */
	const char *register_path, *work_path, *result_path; /* NULL: the usual ones */
	const char *ca_file, *cert_file, *key_file;          /* NULL with http:// */
	const char *forged_identity;                         /* plain HTTP only; may be NULL */
	uint64_t poll_ns;                                    /* 0: SN_UPLINK_POLL_NS */
	int write_flags;
	/* What people should know: state changes and refusals; may be NULL. The uplink may not be
	 * destroyed inside. */
	void (*on_state)(enum sn_uplink_state state, const char *text, void *ctx);
	void *ctx;
};
struct sn_component_uplink *sn_component_uplink_create(
	const struct sn_component_uplink_config *config);
/* What is offered has changed: registers and withdraws the difference. */
void sn_component_uplink_changed(struct sn_component_uplink *uplink);
/* Delivers what there is, withdraws everything; `done` is called once, at the latest after
 * `patience_ns`, never inside this call; the uplink may be destroyed there. */
void sn_component_uplink_leave(struct sn_component_uplink *uplink, uint64_t patience_ns,
			       void (*done)(void *ctx), void *ctx);
void sn_component_uplink_destroy(struct sn_component_uplink *uplink);
enum sn_uplink_state sn_component_uplink_state(const struct sn_component_uplink *uplink,
					       const char **text);

#endif
