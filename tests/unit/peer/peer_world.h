/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_world: a component whose host does what the test says, and messages for it.
 */
#ifndef SONDE_TESTS_PEER_WORLD_H
#define SONDE_TESTS_PEER_WORLD_H

#include "lib/test.h"

#include "base/loop.h"
#include "mplane/codec.h"
#include "peer/component.h"

#define WORLD_CAPS_MAX 8
#define WORLD_JOBS_MAX 64
#define WORLD_RESULT   "delay.twoway.icmp.us.mean"

#define ALICE "org.example.Clients.alice"
#define BOB   "org.example.Clients.bob"

enum world_work {
	WORLD_HOLD,    /* the test ends the job */
	WORLD_INSTANT, /* one result, then the end, inside start */
	WORLD_FAIL,    /* it cannot begin */
	WORLD_DIE,     /* begins and ends with a failure */
	WORLD_SILENT,  /* ends well and says nothing */
};

struct peer_world {
	struct sn_loop *loop;
	struct sn_mp_registries *registries;
	struct sn_component *component;
	struct sn_component_host host;
	const struct sn_mp_message *caps[WORLD_CAPS_MAX];
	size_t cap_count;
	const char *hidden_from; /* who sees nothing */
	const char *denied_to;   /* who may see but not use */

	enum world_work work;
	bool stop_is_late;  /* the host does not end a job inside stop */
	struct sn_job *job; /* that is held */
	unsigned started, stopped;
	char token[64], when[128], identity[64], destination[64]; /* of the last one started */
};

/* `clock` may be NULL. */
void peer_init(struct peer_world *world, const struct sn_clock *clock);
void peer_finish(struct peer_world *world);
/* `label` with destination.ip4 (any) and WORLD_RESULT; token is "cap-<label>". */
void peer_offer(struct peer_world *world, const char *label, const char *when);
void peer_withdraw(struct peer_world *world, const char *label);
/* Result with one row and the end of the held job. */
void peer_end_job(struct peer_world *world);
void peer_give_result(struct peer_world *world, const char *value);

/* Turns the loop until *flag or patience is over; true if the flag was set. */
bool peer_until(struct peer_world *world, const unsigned *flag, unsigned at_least);
void peer_turns(struct peer_world *world, unsigned milliseconds);

struct sn_mp_message *peer_specification(struct peer_world *world, const char *label,
					 const char *token, const char *when);
struct sn_mp_message *peer_message(struct peer_world *world, const char *json);
struct sn_mp_message *peer_token_only(enum sn_mp_kind kind, const char *token);
struct sn_mp_message *peer_capability(struct peer_world *world, const char *label,
				      const char *when);

/* A copy of the last answer, and how many there were. */
struct heard {
	unsigned calls;
	struct sn_mp_message *message;
	struct sn_err err;
};
void heard_reply(const struct sn_mp_message *answer, void *ctx); /* sn_component_reply_fn */
void heard_message(const struct sn_mp_message *message, const struct sn_err *err,
		   void *ctx); /* sn_peer_message_fn */
void heard_finish(struct heard *heard);
/* Takes and asserts that it was answered at once, with this kind. */
void peer_take(struct peer_world *world, const char *identity, const struct sn_mp_message *message,
	       uint64_t wait_ns, struct heard *heard);
void assert_kind(const struct heard *heard, enum sn_mp_kind kind);
void assert_exception(const struct heard *heard, const char *part);

#endif
