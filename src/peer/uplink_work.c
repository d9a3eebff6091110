/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a poll brings.  One bad message does not silence the others: what could be read
 * is done, and who sent something else is told so, as far as it can be named.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "mplane/codec.h"
#include "peer/component_internal.h"
#include "peer/uplink_internal.h"

static void push(struct sn_component_uplink *uplink, bool urgent, const char *token,
		 const struct sn_mp_message *message)
{
	int flags = uplink->config.write_flags | (uplink->natives ? SN_MP_NATIVES : 0);
	struct sn_buf body = {0};

	sn_mp_encode(message, flags, &body);
	sn_outbox_push(uplink->outbox, urgent, token, &body);
}

static void push_exception(struct sn_component_uplink *uplink, const char *token, const char *text)
{
	sn_automp struct sn_mp_message *exception = sn_mp_exception(token, "%s", text);

	push(uplink, true, token, exception);
}

void sn_uplink_on_result(const char *identity, const struct sn_mp_message *result,
			 const struct sn_mp_message *specification, void *ctx)
{
	struct sn_component_uplink *uplink = ctx;

	if (uplink->left || strcmp(identity, uplink->identity) != 0)
		return;
	uplink->produced++;
	push(uplink, false, specification->token, result);
}

struct polled {
	struct sn_component_uplink *uplink;
	const struct sn_mp_message *message;
};

/* The component's answer to what was polled. */
static void reply(const struct sn_mp_message *answer, void *ctx)
{
	const struct polled *polled = ctx;
	struct sn_component_uplink *uplink = polled->uplink;

	if (answer->kind == SN_MP_RECEIPT) {
		push(uplink, true, answer->token, answer);
	} else if (answer->kind == SN_MP_WITHDRAWAL) {
		/* On this way a withdrawal is no answer: it goes to the path of registrations. */
		uplink->dirty = true;
		push_exception(uplink, polled->message->token, "this is not offered any more");
	} else if (uplink->produced == 0) {
		/* Else it was there at once and came by sn_uplink_on_result() already. */
		push(uplink, answer->kind == SN_MP_EXCEPTION, answer->token, answer);
	}
}

static void take(struct sn_component_uplink *uplink, const struct sn_mp_message *message)
{
	struct polled polled = {uplink, message};

	uplink->produced = 0;
	/* Without patience the answer comes inside this call. */
	sn_component_take(uplink->config.component, uplink->identity, message, 0, reply, &polled);
}

/* How long a callback lets us wait; 0: it says nothing that we can follow. */
static uint64_t callback_wait(const struct sn_component_uplink *uplink,
			      const struct sn_mp_message *callback)
{
	int64_t now_ns = sn_loop_wall_now(uplink->config.loop), end_ns;

	if (!callback->when.set || callback->when.repeated)
		return 0;
	end_ns = sn_mp_when_ends(&callback->when, now_ns);
	if (end_ns == SN_MP_FUTURE)
		return 0;
	if (end_ns - now_ns < SN_UPLINK_POLL_MIN_NS)
		return SN_UPLINK_POLL_MIN_NS;
	return (uint64_t)SN_MIN(end_ns - now_ns, (int64_t)SN_UPLINK_POLL_MAX_NS);
}

static void note_callback(const struct sn_component_uplink *uplink,
			  const struct sn_mp_message *callback, uint64_t *wait_ns)
{
	uint64_t asked_ns = callback_wait(uplink, callback);

	if (asked_ns > 0 && (*wait_ns == 0 || asked_ns < *wait_ns))
		*wait_ns = asked_ns;
}

static void take_all(struct sn_component_uplink *uplink, const struct sn_mp_message *message,
		     uint64_t *wait_ns)
{
	if (message->kind == SN_MP_ENVELOPE) {
		for (size_t i = 0; i < message->content_count; i++)
			take_all(uplink, message->contents[i], wait_ns);
	} else if (message->kind == SN_MP_SPECIFICATION && sn_mp_is_callback(message)) {
		note_callback(uplink, message, wait_ns);
	} else if (message->kind != SN_MP_EXCEPTION) {
		/* An exception to an exception would never end. */
		take(uplink, message);
	}
}

/* What could not be read ----------------------------------------------------------- */

static void answer_bad(struct sn_component_uplink *uplink, json_t *json, unsigned depth,
		       unsigned *told);

static void answer_bad_list(struct sn_component_uplink *uplink, json_t *list, unsigned depth,
			    unsigned *told)
{
	size_t i;
	json_t *entry;

	json_array_foreach (list, i, entry) {
		if (*told < SN_UPLINK_BAD_MAX)
			answer_bad(uplink, entry, depth + 1, told);
	}
}

static void answer_bad_message(struct sn_component_uplink *uplink, json_t *json, unsigned *told)
{
	const char *token = json_string_value(json_object_get(json, "token"));
	sn_automp struct sn_mp_message *message = NULL;
	sn_autofree char *text = NULL;
	struct sn_err err = {0};

	if (token == NULL || json_object_get(json, "exception") != NULL)
		return;
	text = json_dumps(json, JSON_COMPACT);
	if (text == NULL)
		return;
	message = sn_mp_decode(uplink->config.registries, text, strlen(text), 0, NULL, &err);
	if (message != NULL)
		return;
	(*told)++;
	push_exception(uplink, token, err.text);
}

static void answer_bad(struct sn_component_uplink *uplink, json_t *json, unsigned depth,
		       unsigned *told)
{
	if (depth > SN_MP_ENVELOPE_DEPTH)
		return;
	if (json_is_array(json))
		answer_bad_list(uplink, json, depth, told);
	else if (json_object_get(json, "envelope") != NULL)
		answer_bad_list(uplink, json_object_get(json, "contents"), depth, told);
	else
		answer_bad_message(uplink, json, told);
}

static void answer_unreadable(struct sn_component_uplink *uplink, struct sn_str body)
{
	sn_autojson json_t *json =
		body.n <= SN_MP_BYTES_MAX ? sn_json_parse(body.p, body.n, NULL) : NULL;
	unsigned told = 0;

	answer_bad(uplink, json, 0, &told);
}

uint64_t sn_uplink_take_work(struct sn_component_uplink *uplink, struct sn_str body)
{
	sn_automp struct sn_mp_message *message = NULL;
	struct sn_buf skipped = {0};
	struct sn_err err = {0};
	uint64_t wait_ns = 0;

	if (sn_str_trim(body).n == 0)
		return uplink->poll_ns;
	message = sn_mp_decode(uplink->config.registries, body.p, body.n, 0, &skipped, &err);
	if (message == NULL)
		sn_uplink_tell(uplink, SN_UPLINK_REGISTERED,
			       "what the supervisor wants could not be read: %s", err.text);
	else
		take_all(uplink, message, &wait_ns);
	if (message != NULL)
		uplink->natives |= message->natives;
	if (message == NULL || skipped.n > 0)
		answer_unreadable(uplink, body);
	sn_buf_finish(&skipped);
	return wait_ns > 0 ? wait_ns : uplink->poll_ns;
}
