/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "peer/peer.h"

struct peer_world world;
struct sn_component_uplink *uplink;
struct supervisor supervisor;
struct told told;
static char url[64];

/* The supervisor ------------------------------------------------------------------ */

static struct sn_mp_message *read_body(struct sn_http_request *request)
{
	struct sn_str body = sn_http_body(request);
	struct sn_err err = {0};
	struct sn_mp_message *message =
		sn_mp_decode(world.registries, body.p, body.n, SN_MP_READ_STRICT, NULL, &err);
	const char *forged = sn_http_header(request, SN_PEER_IDENTITY_HEADER);

	if (message == NULL)
		fail_msg("%s: %.*s", err.text, (int)body.n, body.p);
	assert_string_equal(sn_http_header(request, "Content-Type"), SN_MP_MEDIA_TYPE);
	snprintf(supervisor.forged, sizeof(supervisor.forged), "%s", forged != NULL ? forged : "");
	return message;
}

static void note_withdrawal(const struct sn_mp_message *message)
{
	size_t used = strlen(supervisor.withdrawn);

	snprintf(supervisor.withdrawn + used, sizeof(supervisor.withdrawn) - used, "%s ",
		 message->token);
}

static void on_register(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	struct sn_mp_message *message = read_body(request);
	struct sn_buf answer = {0};
	bool offers = false;

	supervisor.registrations++;
	if (supervisor.register_status != 0) {
		sn_mp_message_destroy(message);
		sn_http_reply(request, supervisor.register_status, "text/plain", "no", 2);
		return;
	}
	assert_int_equal(message->kind, SN_MP_ENVELOPE);
	sn_buf_addc(&answer, '{');
	for (size_t i = 0; i < message->content_count; i++) {
		const struct sn_mp_message *content = message->contents[i];
		bool good = content->kind == SN_MP_CAPABILITY &&
			    (supervisor.refuses == NULL ||
			     strcmp(content->label, supervisor.refuses) != 0);

		assert_int_equal(sn_mp_message_check(content, NULL), 0);
		offers |= content->kind == SN_MP_CAPABILITY;
		if (content->kind == SN_MP_WITHDRAWAL)
			note_withdrawal(content);
		sn_buf_addf(&answer, "%s\"%s\":{\"registered\":\"%s\",\"reason\":\"not here\"}",
			    i > 0 ? "," : "", content->label, good ? "ok" : "no");
	}
	sn_buf_addc(&answer, '}');
	sn_http_reply(request, 200, SN_MP_MEDIA_TYPE, answer.p, answer.n);
	sn_buf_finish(&answer);
	if (!offers) {
		sn_mp_message_destroy(message);
		return;
	}
	supervisor.knows = true;
	sn_mp_message_destroy(supervisor.registered);
	supervisor.registered = message;
}

static void on_poll(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	static const char nothing[] = "{\"contents\":[],\"envelope\":\"message\",\"version\":1}";
	sn_autofree char *work = supervisor.work;
	const char *text = work != NULL ? work : nothing;

	if (supervisor.polls < SN_COUNT(supervisor.polled_ns))
		supervisor.polled_ns[supervisor.polls] = sn_mono_ns();
	supervisor.polls++;
	if (supervisor.poll_status != 0) {
		sn_http_reply(request, supervisor.poll_status, "text/plain", "no", 2);
		return;
	}
	if (!supervisor.knows || supervisor.forgets) {
		supervisor.knows = false;
		sn_http_reply(request, 428, "text/plain", "not registered", 14);
		return;
	}
	supervisor.work = NULL;
	sn_http_reply(request, 200, SN_MP_MEDIA_TYPE, text, strlen(text));
}

static void on_result(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	struct sn_mp_message *message = read_body(request);
	unsigned status = supervisor.result_status;

	if (supervisor.result_failures > 0 && --supervisor.result_failures == 0)
		supervisor.result_status = 0;
	if (status != 0) {
		sn_mp_message_destroy(message);
		sn_http_reply(request, status, "text/plain", "no", 2);
		return;
	}
	assert_true(supervisor.results < SEEN_MAX);
	supervisor.seen[supervisor.results++] = message;
	sn_http_reply(request, 200, "text/html", "", 0);
}

static const struct sn_http_route routes[] = {
	{"POST", "/register/capability", on_register, SN_MP_BYTES_MAX, 0, NULL},
	{"GET", "/show/specification", on_poll, 0, 0, NULL},
	{"POST", "/register/result", on_result, SN_MP_BYTES_MAX, 0, NULL},
};

void supervisor_up(void)
{
	static const struct sn_http_config config = {.routes = routes,
						     .route_count = SN_COUNT(routes)};
	struct sn_err err = {0};

	supervisor.http = sn_http_server_create(world.loop, &config);
	if (sn_http_server_listen(supervisor.http, &supervisor.addr, -1, NULL, &supervisor.addr,
				  &err) != 0)
		fail_msg("%s", err.text);
}

void supervisor_down(void)
{
	sn_http_server_destroy(supervisor.http);
	supervisor.http = NULL;
}

void give(const char *contents)
{
	assert_null(supervisor.work);
	supervisor.work = sn_xasprintf("{\"envelope\":\"message\",\"version\":1,\"contents\":[%s]}",
				       contents);
}

char *specification(const char *token, const char *when, const char *link)
{
	return sn_xasprintf("{\"specification\":\"measure\",\"version\":1,\"label\":\"echo-3\","
			    "\"token\":\"%s\","
			    "\"registry\":\"" SN_MP_REGISTRY_CORE
			    "\",\"when\":\"%s\",\"link\":\"%s\","
			    "\"parameters\":{\"destination.ip4\":\"203.0.113.9\"},"
			    "\"results\":[\"" WORLD_RESULT "\"]}",
			    token, when, link);
}

void give_specification(const char *token, const char *when)
{
	sn_autofree char *text = specification(token, when, "");

	give(text);
}

/* Nothing may get here that nobody expects. */
void assert_seen(unsigned index, enum sn_mp_kind kind, const char *token)
{
	if (!peer_until(&world, &supervisor.results, index + 1))
		fail_msg("message %u did not come", index);
	if (supervisor.seen[index]->kind != kind)
		fail_msg("%s instead of %s: %s", sn_mp_kind_name(supervisor.seen[index]->kind),
			 sn_mp_kind_name(kind),
			 supervisor.seen[index]->text != NULL ? supervisor.seen[index]->text : "");
	assert_string_equal(supervisor.seen[index]->token, token);
}

bool until_polled(unsigned more)
{
	return peer_until(&world, &supervisor.polls, supervisor.polls + more);
}

/* Life ---------------------------------------------------------------------------- */

static void on_state(enum sn_uplink_state state, const char *text, void *ctx SN_UNUSED)
{
	told.calls++;
	told.state = state;
	snprintf(told.text, sizeof(told.text), "%s", text);
}

void uplink_up(void)
{
	struct sn_component_uplink_config config = {
		.loop = world.loop,
		.component = world.component,
		.registries = world.registries,
		.url = url,
		.identity = SUPERVISOR,
		.forged_identity = "org.example.Components.probe",
		.poll_ns = POLL_NS,
		.write_flags = SN_MP_WRITE_SAFE,
		.on_state = on_state,
	};

	uplink = sn_component_uplink_create(&config);
}

int setup_silent(void **state SN_UNUSED)
{
	char text[SN_ADDR_TEXT_MAX];

	peer_init(&world, NULL);
	memset(&supervisor, 0, sizeof(supervisor));
	memset(&told, 0, sizeof(told));
	assert_int_equal(sn_addr_parse(SN_STR("127.0.0.1"), 0, &supervisor.addr), 0);
	supervisor_up();
	snprintf(url, sizeof(url), "http://%s/",
		 sn_addr_format_port(&supervisor.addr, text, sizeof(text)));
	return 0;
}

int setup(void **state)
{
	setup_silent(state);
	peer_offer(&world, "echo", "now ... future");
	uplink_up();
	assert_true(until_polled(1));
	return 0;
}

int teardown(void **state SN_UNUSED)
{
	sn_component_uplink_destroy(uplink);
	sn_http_server_destroy(supervisor.http);
	for (unsigned i = 0; i < supervisor.results; i++)
		sn_mp_message_destroy(supervisor.seen[i]);
	sn_mp_message_destroy(supervisor.registered);
	free(supervisor.work);
	peer_finish(&world);
	uplink = NULL;
	return 0;
}
