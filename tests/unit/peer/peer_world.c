/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The host ------------------------------------------------------------------------ */

static size_t capabilities(const char *identity, const struct sn_mp_message *const **list,
			   void *ctx)
{
	struct peer_world *world = ctx;

	*list = world->caps;
	if (world->hidden_from != NULL && strcmp(identity, world->hidden_from) == 0)
		return 0;
	return world->cap_count;
}

static int permit(const char *identity, const struct sn_mp_message *capability,
		  const struct sn_mp_message *specification SN_UNUSED, struct sn_err *err,
		  void *ctx)
{
	struct peer_world *world = ctx;

	if (world->denied_to == NULL || strcmp(identity, world->denied_to) != 0)
		return 0;
	return sn_err_set(err, -EACCES, "'%s' may not use '%s'", identity, capability->label);
}

void peer_give_result(struct peer_world *world, const char *value)
{
	struct sn_mp_message *result =
		sn_mp_message_as(sn_job_specification(world->job), SN_MP_RESULT);
	int64_t now_ns = sn_loop_wall_now(world->loop);
	struct sn_err err = {0};

	result->when = (struct sn_mp_when){
		.set = true, .span = {.start = now_ns, .end = now_ns, .duration_ns = -1}};
	if (sn_mp_add_row(result, &value, &err) != 0)
		fail_msg("%s", err.text);
	sn_job_result(world->job, result);
}

void peer_end_job(struct peer_world *world)
{
	struct sn_job *job = world->job;

	peer_give_result(world, "412");
	world->job = NULL;
	sn_job_end(job, NULL);
}

static void note(struct peer_world *world, const struct sn_job *job)
{
	const struct sn_mp_message *specification = sn_job_specification(job);
	struct sn_buf when = {0};

	world->started++;
	sn_mp_when_print(&specification->when, &when);
	snprintf(world->when, sizeof(world->when), "%s", sn_buf_cstr(&when));
	sn_buf_finish(&when);
	snprintf(world->token, sizeof(world->token), "%s", specification->token);
	snprintf(world->identity, sizeof(world->identity), "%s", sn_job_identity(job));
	snprintf(world->destination, sizeof(world->destination), "%s",
		 sn_mp_value(specification, "destination.ip4"));
}

static int start(struct sn_job *job, struct sn_err *err, void *ctx)
{
	struct peer_world *world = ctx;

	if (world->work == WORLD_FAIL)
		return sn_err_set(err, -EIO, "the antenna is off");
	note(world, job);
	world->job = job;
	if (world->work == WORLD_INSTANT)
		peer_end_job(world);
	else if (world->work == WORLD_DIE)
		sn_job_end(sn_steal(&world->job), "it fell over");
	else if (world->work == WORLD_SILENT)
		sn_job_end(sn_steal(&world->job), NULL);
	return 0;
}

static void stop(struct sn_job *job, void *ctx)
{
	struct peer_world *world = ctx;

	world->stopped++;
	assert_ptr_equal(job, world->job);
	if (!world->stop_is_late)
		peer_end_job(world);
}

/* Life ---------------------------------------------------------------------------- */

void peer_init(struct peer_world *world, const struct sn_clock *clock)
{
	struct sn_component_config config = {.registries = NULL};

	memset(world, 0, sizeof(*world));
	world->loop = sn_loop_create(clock);
	world->registries = sn_mp_registries_create();
	world->host = (struct sn_component_host){capabilities, permit, start, stop, world};
	config.loop = world->loop;
	config.registries = world->registries;
	config.host = &world->host;
	world->component = sn_component_create(&config);
}

void peer_finish(struct peer_world *world)
{
	sn_component_destroy(world->component);
	for (size_t i = 0; i < world->cap_count; i++)
		sn_mp_message_destroy((struct sn_mp_message *)(uintptr_t)world->caps[i]);
	sn_loop_destroy(world->loop);
	sn_mp_registries_destroy(world->registries);
}

static void set_when(struct sn_mp_message *message, const char *when)
{
	struct sn_err err = {0};

	if (sn_mp_when_parse(sn_str(when), &message->when, &err) != 0)
		fail_msg("%s", err.text);
}

struct sn_mp_message *peer_capability(struct peer_world *world, const char *label, const char *when)
{
	struct sn_mp_message *message = sn_mp_message_create(SN_MP_CAPABILITY, SN_MP_VERB_MEASURE);
	char token[64];

	snprintf(token, sizeof(token), "cap-%s", label);
	sn_mp_set_text(&message->registry, SN_MP_REGISTRY_CORE);
	sn_mp_set_text(&message->label, label);
	sn_mp_set_text(&message->token, token);
	set_when(message, when);
	assert_int_equal(sn_mp_add_param(message, world->registries, "destination.ip4", "*", NULL),
			 0);
	assert_int_equal(sn_mp_add_column(message, world->registries, WORLD_RESULT, NULL), 0);
	return message;
}

void peer_offer(struct peer_world *world, const char *label, const char *when)
{
	assert_true(world->cap_count < WORLD_CAPS_MAX);
	world->caps[world->cap_count++] = peer_capability(world, label, when);
}

void peer_withdraw(struct peer_world *world, const char *label)
{
	for (size_t i = 0; i < world->cap_count; i++) {
		if (strcmp(world->caps[i]->label, label) != 0)
			continue;
		sn_mp_message_destroy((struct sn_mp_message *)(uintptr_t)world->caps[i]);
		world->caps[i] = world->caps[--world->cap_count];
		return;
	}
	fail_msg("'%s' is not offered", label);
}

bool peer_until(struct peer_world *world, const unsigned *flag, unsigned at_least)
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	while (*flag < at_least && sn_mono_ns() < end_ns)
		sn_loop_turn(world->loop, 50 * SN_NS_PER_MS);
	return *flag >= at_least;
}

void peer_turns(struct peer_world *world, unsigned milliseconds)
{
	uint64_t end_ns = sn_mono_ns() + milliseconds * (uint64_t)SN_NS_PER_MS, now_ns;

	while ((now_ns = sn_mono_ns()) < end_ns)
		sn_loop_turn(world->loop, end_ns - now_ns);
}

/* Messages ------------------------------------------------------------------------ */

struct sn_mp_message *peer_specification(struct peer_world *world, const char *label,
					 const char *token, const char *when)
{
	sn_automp struct sn_mp_message *capability = peer_capability(world, label, when);
	struct sn_mp_message *message = sn_mp_message_as(capability, SN_MP_SPECIFICATION);
	char name[64];

	snprintf(name, sizeof(name), "%s-7", label);
	sn_mp_set_text(&message->label, name);
	sn_mp_set_text(&message->token, token);
	message->when = capability->when;
	assert_int_equal(sn_mp_set_value(message, "destination.ip4", "203.0.113.9", NULL), 0);
	return message;
}

struct sn_mp_message *peer_message(struct peer_world *world, const char *json)
{
	struct sn_err err = {0};
	struct sn_mp_message *message =
		sn_mp_decode(world->registries, json, strlen(json), 0, NULL, &err);

	if (message == NULL)
		fail_msg("%s", err.text);
	return message;
}

struct sn_mp_message *peer_token_only(enum sn_mp_kind kind, const char *token)
{
	struct sn_mp_message *message = sn_mp_message_create(kind, SN_MP_VERB_MEASURE);

	sn_mp_set_text(&message->token, token);
	return message;
}

void heard_reply(const struct sn_mp_message *answer, void *ctx)
{
	heard_message(answer, NULL, ctx);
}

void heard_message(const struct sn_mp_message *message, const struct sn_err *err, void *ctx)
{
	struct heard *heard = ctx;

	assert_true((message == NULL) == (err != NULL));
	heard->calls++;
	sn_mp_message_destroy(heard->message);
	heard->message = message != NULL ? sn_mp_message_copy(message) : NULL;
	if (err != NULL)
		heard->err = *err;
}

void heard_finish(struct heard *heard)
{
	sn_mp_message_destroy(heard->message);
	*heard = (struct heard){0};
}

void peer_take(struct peer_world *world, const char *identity, const struct sn_mp_message *message,
	       uint64_t wait_ns, struct heard *heard)
{
	sn_component_take(world->component, identity, message, wait_ns, heard_reply, heard);
}

void assert_kind(const struct heard *heard, enum sn_mp_kind kind)
{
	assert_int_equal(heard->calls, 1);
	if (heard->message == NULL)
		fail_msg("no message: %s", heard->err.text);
	if (heard->message->kind != kind)
		fail_msg("%s instead of %s: %s", sn_mp_kind_name(heard->message->kind),
			 sn_mp_kind_name(kind),
			 heard->message->text != NULL ? heard->message->text : "");
}

void assert_exception(const struct heard *heard, const char *part)
{
	assert_kind(heard, SN_MP_EXCEPTION);
	if (strstr(heard->message->text, part) == NULL)
		fail_msg("'%s' does not say '%s'", heard->message->text, part);
}
