/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/component_uplink.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mplane/codec.h"
#include "peer/answer.h"
#include "peer/component_internal.h"
#include "peer/listing.h"
#include "peer/peer.h"
#include "peer/uplink_internal.h"

/* Supervisors that forget us without a poll do so after ten seconds.  A withdrawal of what it has
 * forgotten ends the reference implementation's. */
#define REMEMBERED_NS (9 * SN_NS_PER_S)

#define NOTHING_OFFERED "nothing is offered to this supervisor"

void sn_uplink_tell(struct sn_component_uplink *uplink, enum sn_uplink_state state,
		    const char *format, ...)
{
	char text[SN_ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (state == uplink->state && strcmp(text, uplink->text) == 0)
		return;
	uplink->state = state;
	memcpy(uplink->text, text, sizeof(text));
	if (uplink->config.on_state != NULL)
		uplink->config.on_state(state, uplink->text, uplink->config.ctx);
}

static void schedule(struct sn_component_uplink *uplink, uint64_t delay_ns)
{
	if (!uplink->leaving)
		sn_timer_in(&uplink->timer, delay_ns);
}

static void back_off(struct sn_component_uplink *uplink)
{
	uplink->failures++;
	schedule(uplink,
		 sn_peer_backoff(uplink->poll_ns, uplink->failures, SN_UPLINK_RETRY_MAX_NS));
}

/* Calls --------------------------------------------------------------------------- */

static void answered(struct sn_http_fetch *fetch, const struct sn_http_answer *answer, void *ctx);

static void start_call(struct sn_component_uplink *uplink, enum sn_uplink_call call,
		       const char *url, struct sn_mp_message *envelope)
{
	struct sn_buf body = {0};
	struct sn_http_fetch_spec spec = {
		.method = envelope != NULL ? "POST" : "GET",
		.url = url,
		.headers = uplink->headers,
		.on_done = answered,
		.ctx = uplink,
	};

	sn_timer_stop(&uplink->timer);
	if (envelope != NULL)
		sn_mp_encode(envelope, uplink->config.write_flags, &body);
	spec.body = body.p;
	spec.body_size = body.n;
	uplink->call = call;
	uplink->sent = envelope;
	uplink->fetch = sn_http_fetch(uplink->http, &spec);
	sn_buf_finish(&body);
	if (uplink->fetch != NULL)
		return;
	sn_mp_message_destroy(sn_steal(&uplink->sent));
	sn_uplink_tell(uplink, SN_UPLINK_REFUSED, "'%s' is no URL of a supervisor",
		       uplink->config.url);
	back_off(uplink);
}

static void start_registration(struct sn_component_uplink *uplink)
{
	struct sn_mp_message *envelope = sn_uplink_all_offers(uplink);

	if (envelope == NULL) {
		sn_uplink_tell(uplink, SN_UPLINK_CONNECTING, NOTHING_OFFERED);
		return;
	}
	uplink->dirty = uplink->refresh = false;
	start_call(uplink, SN_UPLINK_CALL_REGISTER, uplink->register_url, envelope);
}

static void next_call(struct sn_timer *timer)
{
	struct sn_component_uplink *uplink =
		sn_container_of(timer, struct sn_component_uplink, timer);

	if (uplink->fetch != NULL)
		return;
	if (uplink->session)
		start_call(uplink, SN_UPLINK_CALL_POLL, uplink->work_url, NULL);
	else
		start_registration(uplink);
}

/* Until the next poll is due, counted from the last one. */
static void schedule_poll(struct sn_component_uplink *uplink)
{
	uint64_t now_ns = sn_loop_now(uplink->config.loop);
	uint64_t due_ns = uplink->heard_ns + uplink->wait_ns;

	schedule(uplink, due_ns > now_ns ? due_ns - now_ns : 0);
}

/*
 * Brings what the supervisor knows in line with what is offered, one call after the other.  Only
 * right after a poll: then it knows for certain what we have registered.
 */
static void bring_in_line(struct sn_component_uplink *uplink)
{
	struct sn_mp_message *envelope = NULL;

	if (uplink->dirty || uplink->refresh)
		envelope = sn_uplink_lost_offers(uplink);
	if (envelope != NULL) {
		start_call(uplink, SN_UPLINK_CALL_WITHDRAW, uplink->register_url, envelope);
		return;
	}
	if (uplink->refresh)
		envelope = sn_uplink_all_offers(uplink);
	else if (uplink->dirty)
		envelope = sn_uplink_new_offers(uplink);
	uplink->dirty = uplink->refresh = false;
	if (envelope != NULL) {
		start_call(uplink, SN_UPLINK_CALL_REGISTER, uplink->register_url, envelope);
		return;
	}
	if (sn_uplink_registered_count(uplink) == 0)
		sn_uplink_tell(uplink, SN_UPLINK_CONNECTING, NOTHING_OFFERED);
	schedule_poll(uplink);
}

/* Answers ------------------------------------------------------------------------- */

static void lost(struct sn_component_uplink *uplink, enum sn_uplink_state state, const char *text)
{
	uplink->refresh = true;
	sn_uplink_tell(uplink, state, "%s", text);
	back_off(uplink);
}

static void heard(struct sn_component_uplink *uplink, uint64_t wait_ns)
{
	uplink->failures = 0;
	uplink->heard_ns = sn_loop_now(uplink->config.loop);
	uplink->wait_ns = wait_ns;
}

static void registered(struct sn_component_uplink *uplink, const struct sn_http_answer *answer)
{
	bool first = !uplink->session;

	if (!sn_uplink_read_verdicts(uplink, answer->body)) {
		sn_uplink_forget_session(uplink);
		back_off(uplink);
		return;
	}
	uplink->session = true;
	if (first)
		heard(uplink, 0);
	if (uplink->dirty)
		schedule(uplink, SN_UPLINK_POLL_MIN_NS);
	else
		schedule_poll(uplink);
}

static void withdrawn(struct sn_component_uplink *uplink,
		      const struct sn_http_answer *answer SN_UNUSED)
{
	sn_uplink_forget_withdrawn(uplink);
	if (!uplink->leaving)
		bring_in_line(uplink);
}

static void polled(struct sn_component_uplink *uplink, const struct sn_http_answer *answer)
{
	bool work = answer->status != 204 && answer->status != 404;

	heard(uplink, uplink->poll_ns);
	uplink->unknown = 0;
	if (work)
		uplink->wait_ns = sn_uplink_take_work(uplink, answer->body);
	sn_outbox_retry(uplink->outbox);
	bring_in_line(uplink);
}

/* It does not know us (any more): once at once, then with patience. */
static void unknown(struct sn_component_uplink *uplink)
{
	sn_uplink_forget_session(uplink);
	if (uplink->unknown++ == 0) {
		schedule(uplink, 0);
		return;
	}
	sn_uplink_tell(uplink, SN_UPLINK_REFUSED, "the supervisor forgets what we register");
	/* Not by the failures: each registration between them goes well. */
	schedule(uplink,
		 sn_peer_backoff(uplink->poll_ns, uplink->unknown - 1, SN_UPLINK_RETRY_MAX_NS));
}

static void judge(struct sn_component_uplink *uplink, enum sn_uplink_call call,
		  const struct sn_http_answer *answer)
{
	static void (*const takers[])(struct sn_component_uplink * uplink,
				      const struct sn_http_answer *answer) = {
		[SN_UPLINK_CALL_REGISTER] = registered,
		[SN_UPLINK_CALL_WITHDRAW] = withdrawn,
		[SN_UPLINK_CALL_POLL] = polled,
	};
	bool good = answer->error == 0 && (answer->status / 100 == 2 ||
					   (call == SN_UPLINK_CALL_POLL && answer->status == 404) ||
					   call == SN_UPLINK_CALL_WITHDRAW);
	bool refused = answer->error == -EACCES || answer->error == -EKEYREJECTED ||
		       (answer->error == 0 && answer->status < 500 && answer->status != 408 &&
			answer->status != 429);
	struct sn_err err = {0};

	if (answer->error == 0 && answer->status == 428) {
		unknown(uplink);
	} else if (good) {
		takers[call](uplink, answer);
	} else {
		sn_peer_answer_error(answer, &err);
		if (refused && call == SN_UPLINK_CALL_POLL)
			sn_uplink_forget_session(uplink);
		lost(uplink, refused ? SN_UPLINK_REFUSED : SN_UPLINK_CONNECTING, err.text);
	}
}

static void leave_step(struct sn_component_uplink *uplink);

static void answered(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct sn_component_uplink *uplink = ctx;
	enum sn_uplink_call call = uplink->call;
	struct sn_mp_message *sent = uplink->sent;

	uplink->fetch = NULL;
	uplink->call = SN_UPLINK_CALL_NONE;
	judge(uplink, call, answer);
	/* The next call may have begun. */
	if (uplink->sent == sent)
		uplink->sent = NULL;
	sn_mp_message_destroy(sent);
	if (uplink->leaving)
		leave_step(uplink);
}

/* Leaving ------------------------------------------------------------------------- */

static void left(struct sn_component_uplink *uplink)
{
	if (uplink->left)
		return;
	uplink->left = true;
	sn_timer_stop(&uplink->timer);
	sn_timer_stop(&uplink->patience);
	if (uplink->fetch != NULL)
		sn_http_fetch_cancel(sn_steal(&uplink->fetch));
	sn_uplink_forget_session(uplink);
	uplink->done(uplink->done_ctx);
}

static void out_of_patience(struct sn_timer *timer)
{
	left(sn_container_of(timer, struct sn_component_uplink, patience));
}

static bool is_remembered(const struct sn_component_uplink *uplink)
{
	uint64_t since_ns = sn_loop_now(uplink->config.loop) - uplink->heard_ns;

	return uplink->session && uplink->failures == 0 &&
	       since_ns <= SN_MAX((uint64_t)REMEMBERED_NS, uplink->wait_ns);
}

static void leave_step(struct sn_component_uplink *uplink)
{
	struct sn_mp_message *envelope = NULL;

	if (uplink->fetch != NULL || uplink->left)
		return;
	if (is_remembered(uplink) && !uplink->withdrawing) {
		if (sn_outbox_count(uplink->outbox) > 0) {
			sn_outbox_retry(uplink->outbox);
			return;
		}
		uplink->withdrawing = true;
		envelope = sn_uplink_withdraw_all(uplink);
	}
	if (envelope != NULL)
		start_call(uplink, SN_UPLINK_CALL_WITHDRAW, uplink->register_url, envelope);
	else
		sn_timer_in(&uplink->patience, 0);
}

void sn_component_uplink_leave(struct sn_component_uplink *uplink, uint64_t patience_ns,
			       void (*done)(void *ctx), void *ctx)
{
	if (uplink->leaving)
		return;
	uplink->leaving = true;
	uplink->done = done;
	uplink->done_ctx = ctx;
	sn_timer_stop(&uplink->timer);
	sn_timer_in(&uplink->patience, patience_ns);
	if (uplink->fetch != NULL && uplink->call == SN_UPLINK_CALL_POLL)
		sn_http_fetch_cancel(sn_steal(&uplink->fetch));
	leave_step(uplink);
}

/* The outbox ---------------------------------------------------------------------- */

static void on_delivered(const char *token, void *ctx)
{
	struct sn_component_uplink *uplink = ctx;

	sn_component_told(uplink->config.component, uplink->identity, token);
}

static void on_unregistered(void *ctx)
{
	struct sn_component_uplink *uplink = ctx;

	sn_uplink_forget_session(uplink);
	if (uplink->fetch == NULL)
		schedule(uplink, uplink->poll_ns);
}

static void on_given_up(const char *text, void *ctx)
{
	struct sn_component_uplink *uplink = ctx;

	sn_uplink_tell(uplink, uplink->state, "%s", text);
}

static void on_empty(void *ctx)
{
	struct sn_component_uplink *uplink = ctx;

	if (uplink->leaving)
		leave_step(uplink);
}

/* Life ---------------------------------------------------------------------------- */

static char *url_of(const char *base, const char *path, const char *usual)
{
	struct sn_buf url = {0};

	sn_peer_link_plain(base, &url);
	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	sn_buf_adds(&url, path != NULL ? path : usual);
	sn_buf_cstr(&url);
	return url.p;
}

static void set_headers(struct sn_component_uplink *uplink,
			const struct sn_component_uplink_config *config)
{
	bool plain = strncmp(uplink->register_url, "http://", 7) == 0;

	uplink->headers[0] = "Content-Type: " SN_MP_MEDIA_TYPE;
	if (config->forged_identity == NULL || !plain)
		return;
	uplink->forged_header =
		sn_xasprintf(SN_PEER_IDENTITY_HEADER ": %s", config->forged_identity);
	uplink->headers[1] = uplink->forged_header;
}

static void create_outbox(struct sn_component_uplink *uplink)
{
	struct sn_outbox_config config = {
		.loop = uplink->config.loop,
		.http = uplink->http,
		.url = uplink->result_url,
		.headers = uplink->headers,
		.retry_ns = uplink->poll_ns,
		.retry_max_ns = SN_UPLINK_RETRY_MAX_NS,
		.messages_max = SN_UPLINK_BACKLOG,
		.bytes_max = SN_UPLINK_BACKLOG_BYTES,
		.tries_max = SN_UPLINK_TRIES,
		.on_delivered = on_delivered,
		.on_unregistered = on_unregistered,
		.on_given_up = on_given_up,
		.on_empty = on_empty,
		.ctx = uplink,
	};

	uplink->outbox = sn_outbox_create(&config);
}

struct sn_component_uplink *sn_component_uplink_create(
	const struct sn_component_uplink_config *config)
{
	struct sn_component_uplink *uplink = sn_new(struct sn_component_uplink);
	struct sn_http_client_config http = {
		.ca_file = config->ca_file,
		.cert_file = config->cert_file,
		.key_file = config->key_file,
	};

	assert(config->host == NULL || config->host == config->component->host);
	uplink->config = *config;
	uplink->config.url = sn_xstrdup(config->url);
	uplink->identity = sn_xstrdup(config->identity);
	uplink->register_url = url_of(config->url, config->register_path, SN_PEER_PATH_REGISTER);
	uplink->work_url = url_of(config->url, config->work_path, SN_PEER_PATH_WORK);
	uplink->result_url = url_of(config->url, config->result_path, SN_PEER_PATH_RESULT);
	uplink->poll_ns = config->poll_ns != 0 ? config->poll_ns : SN_UPLINK_POLL_NS;
	set_headers(uplink, config);
	uplink->http = sn_http_client_create(config->loop, &http);
	create_outbox(uplink);
	sn_uplink_forget_session(uplink);
	sn_timer_init(&uplink->timer, config->loop, next_call);
	sn_timer_init(&uplink->patience, config->loop, out_of_patience);
	sn_component_on_result(config->component, sn_uplink_on_result, uplink);
	schedule(uplink, 0);
	return uplink;
}

void sn_component_uplink_changed(struct sn_component_uplink *uplink)
{
	uplink->dirty = true;
	if (uplink->fetch != NULL)
		return;
	if (uplink->session && uplink->failures == 0)
		schedule(uplink, SN_UPLINK_POLL_MIN_NS);
	else if (!sn_timer_armed(&uplink->timer))
		schedule(uplink, 0);
}

void sn_component_uplink_destroy(struct sn_component_uplink *uplink)
{
	if (uplink == NULL)
		return;
	sn_component_on_result(uplink->config.component, NULL, uplink);
	sn_timer_stop(&uplink->timer);
	sn_timer_stop(&uplink->patience);
	sn_outbox_destroy(uplink->outbox);
	sn_http_client_destroy(uplink->http);
	sn_mp_message_destroy(uplink->sent);
	sn_mp_message_destroy(uplink->callback);
	sn_map_destroy(uplink->registered);
	free((void *)(uintptr_t)uplink->config.url);
	free(uplink->identity);
	free(uplink->register_url);
	free(uplink->work_url);
	free(uplink->result_url);
	free(uplink->forged_header);
	free(uplink);
}

enum sn_uplink_state sn_component_uplink_state(const struct sn_component_uplink *uplink,
					       const char **text)
{
	if (text != NULL)
		*text = uplink->text;
	return uplink->state;
}
