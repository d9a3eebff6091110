/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "hub/supervisor/routes.h"

/*
 * A poll's answer: always an envelope (a bare array for those who speak so), interrupts with
 * all sections, the callback last because the reference implementation's component stops
 * reading there.
 */

/* Who may not offer it any more gets no work for it. */
static bool may_have(const struct sn_sup_job *job, const struct sn_asker *asker,
		     const struct sn_measure_part *part)
{
	return sn_sup_may(job->peer->sup, asker, SN_MAY_REGISTER,
			  part->measure->specification->label, NULL, part->measure->id, NULL);
}

static void hand_out(struct sn_sup_job *job, const struct sn_asker *asker,
		     struct sn_mp_message *envelope, uint64_t now_ns)
{
	const struct sn_mp_message *specification = sn_sup_job_specification(job);
	struct sn_measure_part *part = sn_sup_job_part(job);

	if (specification == NULL || part == NULL || !may_have(job, asker, part))
		return;
	if (!job->interrupt && sn_sup_job_is_late(job))
		return;
	sn_mp_add_content(envelope, job->interrupt
					    ? sn_mp_message_as(specification, SN_MP_INTERRUPT)
					    : sn_mp_message_copy(specification));
	job->handed_ns = now_ns;
	if (job->state == SN_SUP_QUEUED)
		job->state = SN_SUP_HANDED;
}

static void add_callback(const struct sn_sup_peer *peer, struct sn_mp_message *envelope)
{
	struct sn_mp_message *callback =
		sn_mp_message_create(SN_MP_SPECIFICATION, SN_MP_VERB_CALLBACK);

	sn_mp_set_text(&callback->registry, SN_MP_REGISTRY_CORE);
	sn_mp_set_text(&callback->label, SN_MP_VERB_CALLBACK);
	sn_mp_set_text(&callback->token, peer->callback);
	callback->has_link = true;
	callback->when = (struct sn_mp_when){
		.set = true,
		.span = {.start = SN_MP_NOW,
			 .end = SN_MP_UNSET,
			 .duration_ns = peer->sup->hub->config->mplane_poll},
	};
	sn_mp_add_content(envelope, callback);
}

static void answer_poll(struct sn_sup_peer *peer, const struct sn_asker *asker,
			struct sn_http_request *request)
{
	sn_automp struct sn_mp_message *envelope = sn_mp_message_create(SN_MP_ENVELOPE, "message");
	uint64_t now_ns = sn_loop_now(peer->sup->loop);

	envelope->version = 1;
	sn_list_for_each (link, &peer->jobs) {
		struct sn_sup_job *job = sn_list_entry(link, struct sn_sup_job, link);

		if (envelope->content_count >= SN_HAND_OUT_MAX)
			break;
		if (sn_sup_job_is_due(job, now_ns))
			hand_out(job, asker, envelope, now_ns);
	}
	if (peer->callback != NULL)
		add_callback(peer, envelope);
	sn_peer_answer(request, envelope, sn_sup_write_flags(peer));
}

void sn_sup_get_work(struct sn_http_request *request, void *ctx)
{
	struct sn_supervisor *sup = ((struct sn_hub *)ctx)->supervisor;
	struct sn_asker asker;
	struct sn_sup_peer *peer;

	sn_sup_asker_of(request, &asker);
	peer = sn_sup_peer_find(sup, sn_sup_identity(&asker));
	if (peer == NULL || !peer->registered || peer->called != NULL) {
		sn_http_reply(request, 428, "text/plain", "not registered", 14);
		return;
	}
	sn_sup_peer_seen(peer, true);
	answer_poll(peer, &asker, request);
}
