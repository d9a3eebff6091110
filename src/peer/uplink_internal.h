/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink_internal: what the files of the uplink share.
 *
 *   component_uplink.c  the connection: when to register, poll, withdraw, try again
 *   uplink_offers.c     what is registered, and how the supervisor answers to it
 *   uplink_work.c       what a poll brings, and what goes back
 *   outbox.c            delivery
 */
#ifndef SONDE_PEER_UPLINK_INTERNAL_H
#define SONDE_PEER_UPLINK_INTERNAL_H

#include "base/map.h"
#include "peer/component_uplink.h"
#include "peer/outbox.h"

enum sn_uplink_call {
	SN_UPLINK_CALL_NONE,
	SN_UPLINK_CALL_REGISTER,
	SN_UPLINK_CALL_WITHDRAW,
	SN_UPLINK_CALL_POLL,
};

struct sn_component_uplink {
	struct sn_component_uplink_config config; /* texts point to what is below, or are unused */
	char *identity, *register_url, *work_url, *result_url, *forged_header;
	const char *headers[3];
	struct sn_http_client *http;
	struct sn_outbox *outbox;
	uint64_t poll_ns;
	bool natives; /* the supervisor writes native numbers and so can read them */

	enum sn_uplink_state state;
	char text[SN_ERR_TEXT_MAX];
	struct sn_timer timer; /* the next call */
	struct sn_http_fetch *fetch;
	enum sn_uplink_call call;
	struct sn_mp_message *sent; /* the envelope of the call, until it is answered */
	unsigned failures;          /* in a row */
	unsigned unknown;           /* answers "not registered" in a row */
	uint64_t heard_ns;          /* monotonic; last good answer */
	uint64_t wait_ns;           /* that it allowed until the next poll */

	/* What the supervisor has said yes to in this session: copies, by token. */
	struct sn_map *registered;
	struct sn_mp_message *callback; /* our callback capability */
	bool session;                   /* it knows us, as far as we know */
	bool dirty;                     /* what is offered has changed, or may have */
	bool refresh;                   /* it was away: say everything again */

	unsigned produced; /* results of ours since the count was set to 0 */

	bool leaving, left, withdrawing;
	struct sn_timer patience;
	void (*done)(void *ctx);
	void *done_ctx;
};

/* component_uplink.c */
void sn_uplink_tell(struct sn_component_uplink *uplink, enum sn_uplink_state state,
		    const char *format, ...) SN_PRINTF(3, 4);

/* uplink_offers.c */
/* Envelopes for the three occasions, or NULL when there is nothing to say. */
struct sn_mp_message *sn_uplink_all_offers(struct sn_component_uplink *uplink);
struct sn_mp_message *sn_uplink_new_offers(struct sn_component_uplink *uplink);
struct sn_mp_message *sn_uplink_lost_offers(struct sn_component_uplink *uplink);
struct sn_mp_message *sn_uplink_withdraw_all(struct sn_component_uplink *uplink);
/*
 * Reads the answer to `sent`, keeps what was accepted and says it with sn_uplink_tell().
 * False if nothing is registered now.
 */
bool sn_uplink_read_verdicts(struct sn_component_uplink *uplink, struct sn_str body);
size_t sn_uplink_registered_count(const struct sn_component_uplink *uplink); /* callback apart */
void sn_uplink_forget_withdrawn(struct sn_component_uplink *uplink);
void sn_uplink_forget_session(struct sn_component_uplink *uplink);

/* uplink_work.c */
/* Takes what was polled; how long to wait till the next poll. */
uint64_t sn_uplink_take_work(struct sn_component_uplink *uplink, struct sn_str body);
sn_component_result_fn sn_uplink_on_result; /* ctx: the uplink */

#endif
