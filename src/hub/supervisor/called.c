/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "supervisor"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/supervisor/internal.h"
#include "peer/client.h"

/*
 * Components that listen.  They are peers like the others, known by their URL; what they
 * have to do is sent at once and asked after until the result is there.
 */

#define DISCOVER_NS    (60 * SN_NS_PER_S)
#define DISCOVER_TRIES 3 /* failures in a row before what it offers is withdrawn */
#define ASK_FIRST_NS   SN_NS_PER_S
#define ASK_LAST_NS    (10 * SN_NS_PER_S)
#define AGAIN_NS       (10 * SN_NS_PER_S) /* after a failure, or while nothing fits */

struct sn_called_peer {
	struct sn_supervisor *sup;
	struct sn_sup_peer *peer;
	struct sn_peer_client *client;
	struct sn_timer timer;
	struct sn_mp_message *offered; /* envelope of the last discovery; NULL before */
	unsigned failures;
	struct sn_list calls; /* struct call */
};

struct sn_called {
	struct sn_called_peer *list;
	size_t count;
};

/* One message under way; it outlives the job that it is about. */
struct call {
	struct sn_list link;
	struct sn_called_peer *called;
	char token[SN_MP_HASH_SIZE];
	enum sn_mp_kind kind;
};

/* What it offers ------------------------------------------------------------------------ */

static bool is_in(const struct sn_mp_message *envelope, const struct sn_mp_message *capability)
{
	for (size_t i = 0; envelope != NULL && i < envelope->content_count; i++) {
		if (sn_mp_message_equal(envelope->contents[i], capability))
			return true;
	}
	return false;
}

static void withdraw_lost(struct sn_called_peer *called, const struct sn_mp_message *now)
{
	const struct sn_mp_message *before = called->offered;

	for (size_t i = 0; before != NULL && i < before->content_count; i++) {
		if (!is_in(now, before->contents[i]))
			sn_offers_withdraw(called->sup->hub->offers, called->peer->provider,
					   before->contents[i]);
	}
}

static void offer_all(struct sn_called_peer *called, const struct sn_mp_message *envelope)
{
	for (size_t i = 0; i < envelope->content_count; i++) {
		const struct sn_mp_message *capability = envelope->contents[i];
		struct sn_err err = {0};

		if (capability->kind != SN_MP_CAPABILITY || sn_mp_is_callback(capability))
			continue;
		if (sn_sup_peer_offers(called->peer, sn_mp_message_copy(capability), &err) != 0)
			SN_LOG_LIMITED(SN_LOG_NOTICE, "refused a capability of %s: %s",
				       called->peer->identity, err.text);
	}
}

static void look_at_all(struct sn_called_peer *called)
{
	sn_list_for_each (link, &called->peer->jobs)
		sn_sup_called_look(sn_list_entry(link, struct sn_sup_job, link));
}

static void not_there(struct sn_called_peer *called, const struct sn_err *err)
{
	if (++called->failures == 1)
		sn_notice("component does not answer url=%s: %s", called->peer->identity,
			  err->text);
	if (called->failures != DISCOVER_TRIES)
		return;
	sn_sup_peer_lost(called->peer);
	sn_mp_message_destroy(sn_steal(&called->offered));
}

static void discovered(const struct sn_mp_message *message, const struct sn_err *err, void *ctx)
{
	struct sn_called_peer *called = ctx;

	sn_timer_in(&called->timer, DISCOVER_NS);
	if (message == NULL || message->kind != SN_MP_ENVELOPE) {
		static const struct sn_err odd = {-EPROTO, "it does not list capabilities"};

		not_there(called, message == NULL ? err : &odd);
		/* Sooner than when all is well: it may have been restarted. */
		sn_timer_in(&called->timer, AGAIN_NS);
		return;
	}
	called->failures = 0;
	called->peer->registered = true;
	withdraw_lost(called, message);
	offer_all(called, message);
	sn_mp_message_destroy(called->offered);
	called->offered = sn_mp_message_copy(message);
	look_at_all(called);
}

static void discover(struct sn_timer *timer)
{
	struct sn_called_peer *called = sn_container_of(timer, struct sn_called_peer, timer);

	sn_peer_client_discover(called->client, discovered, called);
}

/* What it has to do ------------------------------------------------------------------------ */

static void call_destroy(struct call *call)
{
	sn_list_remove(&call->link);
	free(call);
}

static void again(struct sn_sup_job *job, uint64_t pause_ns)
{
	sn_timer_in(&job->timer, pause_ns);
}

/* After what it said was dealt with: the job may be over and gone. */
static void go_on(struct sn_called_peer *called, const char *token)
{
	struct sn_sup_job *job = sn_sup_job_find(called->peer, token);

	if (job == NULL)
		return;
	job->asking = false;
	job->pause_ns = job->pause_ns == 0 ? ASK_FIRST_NS : SN_MIN(2 * job->pause_ns, ASK_LAST_NS);
	again(job, job->pause_ns);
}

static void taken(int failed, void *ctx)
{
	struct call *call = ctx;

	(void)failed; /* asked again: a result that is not stored is not redeemed */
	go_on(call->called, call->token);
	call_destroy(call);
}

/* It has forgotten what it was given; what goes on for long is given to it again. */
static bool has_forgotten(const struct call *call, const struct sn_sup_job *job)
{
	const struct sn_measure_part *part = sn_sup_job_part(job);

	return call->kind == SN_MP_REDEMPTION && part != NULL &&
	       (part->measure->specification->when.repeated ||
		part->measure->ends_ns == SN_MP_FUTURE);
}

static void put_off(struct call *call, struct sn_sup_job *job)
{
	job->asking = false;
	if (!job->interrupt)
		job->state = SN_SUP_QUEUED;
	again(job, AGAIN_NS);
	call_destroy(call);
}

static void answered(const struct sn_mp_message *message, const struct sn_err *err, void *ctx)
{
	struct call *call = ctx;
	struct sn_called_peer *called = call->called;
	struct sn_sup_job *job = sn_sup_job_find(called->peer, call->token);

	if (message == NULL) {
		SN_LOG_LIMITED(SN_LOG_NOTICE, "component does not answer url=%s: %s",
			       called->peer->identity, err->text);
		if (job != NULL) {
			job->asking = false;
			again(job, AGAIN_NS);
		}
		call_destroy(call);
		return;
	}
	if (job != NULL && message->kind == SN_MP_WITHDRAWAL) {
		sn_offers_withdraw(called->sup->hub->offers, called->peer->provider, message);
		put_off(call, job);
		return;
	}
	if (job != NULL && message->kind == SN_MP_EXCEPTION && has_forgotten(call, job)) {
		put_off(call, job);
		return;
	}
	if (job != NULL && call->kind == SN_MP_INTERRUPT)
		job->interrupted = true;
	if (job != NULL && job->interrupted && message->kind == SN_MP_EXCEPTION)
		sn_sup_job_destroy(job);
	sn_sup_take(called->sup, called->peer->provider, NULL, call->token, message, NULL, taken,
		    call);
}

static const char *link_of(const struct sn_sup_job *job)
{
	const struct sn_offers *offers = job->peer->sup->hub->offers;
	const struct sn_measure_part *part = sn_sup_job_part(job);
	const struct sn_hub_offer *offer = NULL;

	if (part == NULL)
		return NULL;
	while ((offer = sn_offers_next_of(offers, job->peer->provider,
					  part->measure->specification->label, offer)) != NULL) {
		if (strcmp(offer->schema, part->measure->schema) == 0)
			return offer->capability->link;
	}
	return NULL;
}

static void say(struct sn_sup_job *job, const struct sn_mp_message *specification,
		enum sn_mp_kind kind)
{
	struct sn_called_peer *called = job->peer->called;
	sn_automp struct sn_mp_message *message = sn_mp_message_as(specification, kind);
	struct call *call = sn_new(struct call);

	call->called = called;
	call->kind = kind;
	memcpy(call->token, job->token, sizeof(call->token));
	sn_list_append(&called->calls, &call->link);
	job->asking = true;
	job->handed_ns = sn_loop_now(called->sup->loop);
	if (job->state == SN_SUP_QUEUED)
		job->state = SN_SUP_HANDED;
	sn_peer_client_send(called->client, message,
			    kind == SN_MP_SPECIFICATION ? link_of(job) : NULL, answered, call);
}

static void step(struct sn_timer *timer)
{
	struct sn_sup_job *job = sn_container_of(timer, struct sn_sup_job, timer);
	const struct sn_mp_message *specification;

	if (job->asking)
		return;
	specification = sn_sup_job_specification(job);
	if (specification == NULL) {
		again(job, AGAIN_NS);
		return;
	}
	if (job->interrupt && !job->interrupted)
		say(job, specification, SN_MP_INTERRUPT);
	else if (job->state == SN_SUP_TAKEN || job->interrupt)
		say(job, specification, SN_MP_REDEMPTION);
	else if (!sn_sup_job_is_late(job))
		say(job, specification, SN_MP_SPECIFICATION);
}

void sn_sup_called_look(struct sn_sup_job *job)
{
	if (job->timer.loop == NULL)
		sn_timer_init(&job->timer, job->peer->sup->loop, step);
	job->pause_ns = 0;
	if (!job->asking)
		again(job, 0);
}

/* Life ----------------------------------------------------------------------------------------- */

static void open_one(struct sn_supervisor *sup, struct sn_called_peer *called, const char *url)
{
	const struct sn_hub_config *hub = sup->hub->config;
	struct sn_peer_client_config config = {
		.loop = sup->loop,
		.registries = sup->hub->registries,
		.url = url,
		.ca_file = hub->mplane_ca[0] != '\0' ? hub->mplane_ca
						     : sn_identity_ca_file(sup->hub->identity),
		.cert_file = sn_sup_set_text(hub->mplane_certificate),
		.key_file = sn_sup_set_text(hub->mplane_key),
		.write_flags = SN_MP_WRITE_SAFE,
	};

	called->sup = sup;
	called->peer = sn_sup_peer_get(sup, url);
	called->peer->called = called;
	called->client = sn_peer_client_create(&config);
	sn_list_init(&called->calls);
	sn_timer_init(&called->timer, sup->loop, discover);
	sn_timer_in(&called->timer, 0);
}

void sn_sup_called_open(struct sn_supervisor *sup)
{
	const struct sn_conf_texts *urls = &sup->hub->config->mplane_components;

	sup->called = sn_new(struct sn_called);
	sup->called->list = sn_new_n(struct sn_called_peer, urls->count + 1);
	for (unsigned i = 0; i < urls->count; i++) {
		/* The same twice is one. */
		if (sn_sup_peer_find(sup, urls->items[i]) == NULL)
			open_one(sup, &sup->called->list[sup->called->count++], urls->items[i]);
	}
}

void sn_sup_called_close(struct sn_supervisor *sup)
{
	for (size_t i = 0; i < sup->called->count; i++) {
		struct sn_called_peer *called = &sup->called->list[i];

		sn_timer_stop(&called->timer);
		sn_peer_client_destroy(called->client);
		sn_list_for_each (link, &called->calls)
			call_destroy(sn_list_entry(link, struct call, link));
		sn_mp_message_destroy(called->offered);
	}
	free(sup->called->list);
	free(sup->called);
}
