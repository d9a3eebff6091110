/* SPDX-License-Identifier: Apache-2.0 */
/*
 * component: the component's role: offers capabilities, takes specifications,
 * gives results.
 *
 * The component knows the protocol (matching, scopes, repetition, receipts,
 * redemption, interrupts, tokens seen twice) and leaves the work to its host.  It
 * speaks both workflows, at once if wanted: it listens for clients
 * (component_server.h) and it registers with a supervisor and polls it
 * (component_uplink.h).
 *
 * A job is one specification, a simple scope that is due now; a repeated
 * specification makes one job after the other and its results are kept as an
 * envelope.  Jobs belong to the identity that asked for them: nobody else can
 * redeem or interrupt them or learns that they exist.
 */
#ifndef SONDE_PEER_COMPONENT_H
#define SONDE_PEER_COMPONENT_H

#include "base/loop.h"
#include "mplane/message.h"

/* Accepted and not yet forgotten.  When there are more, those whose result was handed out go
 * first; when none was, the new one is refused. */
#define SN_COMPONENT_JOBS_MAX    1000
#define SN_COMPONENT_RESULTS_MAX 1000 /* kept of one specification; the oldest go */
#define SN_COMPONENT_KNOWN_MAX   4096 /* capabilities once shown, for withdrawals */
/* A job that goes on longer than this behind the end of its scope is stopped. */
#define SN_COMPONENT_GRACE_NS (5 * SN_NS_PER_S)

struct sn_component;
struct sn_job;

struct sn_component_host {
	/* The capabilities that this identity may see, with tokens; borrowed until the next turn.
	 */
	size_t (*capabilities)(const char *identity, const struct sn_mp_message *const **list,
			       void *ctx);
	/* May it use this one so?  NULL: it may. -EACCES with the reason. */
	int (*permit)(const char *identity, const struct sn_mp_message *capability,
		      const struct sn_mp_message *specification, struct sn_err *err, void *ctx);
	/*
	 * Begin `job`; its specification has a simple, resolved scope that starts now (that of a
	 * query is the window of its data, as it was asked for).  0: then sn_job_result() any
	 * number of times and sn_job_end() once, now or later.  Otherwise the reason becomes an
	 * exception.
	 */
	int (*start)(struct sn_job *job, struct sn_err *err, void *ctx);
	/* End it early; what there is becomes a result, then sn_job_end(). */
	void (*stop)(struct sn_job *job, void *ctx);
	void *ctx;
};

const struct sn_mp_message *sn_job_specification(const struct sn_job *job);
const struct sn_mp_message *sn_job_capability(const struct sn_job *job);
const char *sn_job_identity(const struct sn_job *job);
void *sn_job_data(const struct sn_job *job);
void sn_job_set_data(struct sn_job *job, void *data);
/*
 * Takes the result over; token and label are set to what the client knows.  A job that ends well
 * without any has a result without rows made for it.
 */
void sn_job_result(struct sn_job *job, struct sn_mp_message *result);
/* NULL: all is well; otherwise the text of an exception. The job is gone for the host. */
void sn_job_end(struct sn_job *job, const char *failure);

struct sn_component_config {
	struct sn_loop *loop;
	const struct sn_mp_registries *registries;
	const struct sn_component_host *host;
	uint64_t keep_ns; /* results, after the job has ended; 0: an hour */
};
struct sn_component *sn_component_create(const struct sn_component_config *config);
/*
 * Stops all jobs (host->stop, then no more calls; the host may end them there or not at all).
 * Servers and uplinks on it are destroyed before.  Not inside one of its own callbacks.
 */
void sn_component_destroy(struct sn_component *component);

/*
 * One message from `identity`: specification, redemption, interrupt or envelope of such.
 * `reply` is called once, maybe inside this call: when the result is there, or with the receipt
 * after `wait_ns`; with a result, receipt, envelope of results, withdrawal or exception; borrowed.
 * Redemptions, interrupts and specifications that were seen before get the present state at once.
 */
typedef void sn_component_reply_fn(const struct sn_mp_message *answer, void *ctx);
void sn_component_take(struct sn_component *component, const char *identity,
		       const struct sn_mp_message *message, uint64_t wait_ns,
		       sn_component_reply_fn *reply, void *ctx);
/* The one who waits (all with this `ctx`) has gone. */
void sn_component_forget(struct sn_component *component, void *ctx);

/*
 * Every finished result or exception, as it comes: for the uplink.  That of a repeated
 * specification is an envelope with its token around the one iteration.  Several can listen; one
 * stops with `fn` NULL and its `ctx`.
 */
typedef void sn_component_result_fn(const char *identity, const struct sn_mp_message *result,
				    const struct sn_mp_message *specification, void *ctx);
void sn_component_on_result(struct sn_component *component, sn_component_result_fn *fn, void *ctx);

#endif
