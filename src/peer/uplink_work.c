/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a poll brings.  One bad message does not silence the others: what could be read
 * is done, and who sent something else is told so, as far as it can be named.
 */
#include <string.h>

#include "mplane/codec.h"
#include "mplane/json_scan.h"
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

struct bad {
	struct sn_component_uplink *uplink;
	unsigned told;
};

static void answer_bad(struct bad *bad, struct sn_str json, unsigned depth);

static void answer_bad_list(struct bad *bad, const char *list, unsigned depth)
{
	struct sn_js_walk walk = sn_js_inside(list);
	const char *value;

	while (bad->told < SN_UPLINK_BAD_MAX && sn_js_next(&walk, NULL, &value))
		answer_bad(bad, (struct sn_str){value, (size_t)(walk.at - value)}, depth + 1);
}

/* The member of that name; NULL if there is none. */
static const char *member(const char *object, const char *name)
{
	struct sn_js_walk walk = sn_js_inside(object);
	struct sn_buf scratch = {0};
	const char *key, *value, *found = NULL;

	while (found == NULL && sn_js_next(&walk, &key, &value)) {
		if (sn_str_eqc(sn_js_string(key, &scratch), name))
			found = value;
	}
	sn_buf_finish(&scratch);
	return found;
}

static void answer_bad_message(struct bad *bad, struct sn_str json)
{
	const char *token = member(json.p, "token");
	sn_automp struct sn_mp_message *message = NULL;
	struct sn_buf scratch = {0}, text = {0};
	struct sn_err err = {0};
	struct sn_str name;

	if (token == NULL || sn_js_type(token) != SN_JS_STRING ||
	    member(json.p, "exception") != NULL)
		return;
	message = sn_mp_decode(bad->uplink->config.registries, json.p, json.n, 0, NULL, &err);
	name = sn_js_string(token, &scratch);
	if (message == NULL && name.n <= SN_MP_TEXT_MAX) {
		sn_buf_add(&text, name.p, name.n);
		push_exception(bad->uplink, sn_buf_cstr(&text), err.text);
		bad->told++;
	}
	sn_buf_finish(&scratch);
	sn_buf_finish(&text);
}

/* `json` begins with its value and is part of a checked text. */
static void answer_bad(struct bad *bad, struct sn_str json, unsigned depth)
{
	const char *contents;

	if (depth > SN_MP_ENVELOPE_DEPTH)
		return;
	if (sn_js_type(json.p) == SN_JS_ARRAY)
		answer_bad_list(bad, json.p, depth);
	if (sn_js_type(json.p) != SN_JS_OBJECT)
		return;
	contents = member(json.p, "envelope") != NULL ? member(json.p, "contents") : NULL;
	if (contents == NULL)
		answer_bad_message(bad, json);
	else if (sn_js_type(contents) == SN_JS_ARRAY)
		answer_bad_list(bad, contents, depth);
}

static void answer_unreadable(struct sn_component_uplink *uplink, struct sn_str body)
{
	struct bad bad = {uplink, 0};
	const char *root;

	if (body.n > SN_MP_BYTES_MAX || sn_js_check(body, SN_MP_DEPTH_MAX, NULL) != 0)
		return;
	root = sn_js_root(body);
	answer_bad(&bad, (struct sn_str){root, (size_t)(body.p + body.n - root)}, 0);
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
