/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/util.h"
#include "meter/app/names.h"
#include "meter/app/video.h"
#include "meter/view/anonymise.h"
#include "meter/view/community.h"
#include "meter/view/view.h"
#include "net/enrich.h"

#define CACHE_SLOTS 4096 /* a power of two */
#define TEXTS_MAX   20   /* of one view */

/* What is told of an address; the oldest gives way to whoever comes to its slot. */
struct cached {
	uint64_t address[2];
	uint32_t generation; /* 0: never used */
	uint8_t family, rule;
	struct sn_view_address told;
};

struct sn_viewer {
	struct sn_viewer_options options;
	struct sn_anonymiser *an;
	struct cached *cache;
	uint64_t secret;
	uint32_t generation; /* entries of older ones were made with another key */
	bool plain;          /* addresses are told as they are and nothing is looked up */
	/* Texts that are not told as they are; their places, until the buffer is complete. */
	struct sn_buf text;
	struct {
		struct sn_str *told;
		size_t at;
	} moved[TEXTS_MAX];
	size_t moved_count;
	struct sn_view_flow flow;
	struct sn_view_http http;
	struct sn_view_dns dns;
};

/* The object ---------------------------------------------------------------------------- */

struct sn_viewer *sn_viewer_create(const struct sn_viewer_options *options)
{
	struct sn_viewer *viewer = sn_new(struct sn_viewer);

	viewer->options = *options;
	viewer->cache = sn_new_n(struct cached, CACHE_SLOTS);
	sn_random(&viewer->secret, sizeof(viewer->secret));
	sn_viewer_set_policy(viewer, options->policy);
	return viewer;
}

void sn_viewer_set_policy(struct sn_viewer *viewer, const struct sn_privacy *policy)
{
	sn_anonymiser_destroy(viewer->an);
	viewer->an = sn_anonymiser_create(policy, viewer->options.inside);
	viewer->plain =
		viewer->options.enrichment == NULL && (policy == NULL || !policy->hides_addresses);
	viewer->generation++;
}

void sn_viewer_destroy(struct sn_viewer *viewer)
{
	if (viewer == NULL)
		return;
	sn_anonymiser_destroy(viewer->an);
	sn_buf_finish(&viewer->text);
	free(viewer->cache);
	free(viewer);
}

static void begin(struct sn_viewer *viewer, int64_t time_ns)
{
	sn_buf_clear(&viewer->text);
	viewer->moved_count = 0;
	if (sn_anonymiser_clock(viewer->an, time_ns))
		viewer->generation++;
}

/* Addresses ----------------------------------------------------------------------------- */

static void tell_address(struct sn_viewer *viewer, unsigned rule, const uint64_t address[2],
			 uint8_t family, struct sn_view_address *told)
{
	uint8_t ip[16];
	enum sn_privacy_mode mode;

	memcpy(ip, address, sizeof(ip));
	*told = (struct sn_view_address){.family = family};
	if (viewer->options.enrichment != NULL)
		sn_enrichment_find(viewer->options.enrichment, address, family, &told->asn,
				   told->country);
	mode = sn_anonymise_address(viewer->an, rule, ip, family, told->ip);
	told->anonymised = mode != SN_PRIVACY_KEEP;
	if (mode == SN_PRIVACY_DROP)
		told->family = 0;
}

static struct cached *slot_of(struct sn_viewer *viewer, const uint64_t address[2], unsigned rule)
{
	uint64_t hash = (address[0] ^ viewer->secret) * 0x9e3779b97f4a7c15ULL;

	hash = (hash ^ hash >> 32 ^ address[1] ^ rule) * 0xd6e8feb86659fd93ULL;
	return &viewer->cache[hash >> 32 & (CACHE_SLOTS - 1)];
}

static void view_address(struct sn_viewer *viewer, enum sn_privacy_role role, bool internal,
			 const uint64_t address[2], uint8_t family, struct sn_view_address *out)
{
	struct cached *slot;
	unsigned rule;

	if (viewer->plain) {
		memcpy(out->ip, address, sizeof(out->ip));
		out->family = family;
		out->internal = internal;
		return;
	}
	rule = sn_anonymiser_rule(viewer->an, role, internal);
	slot = slot_of(viewer, address, rule);
	if (slot->generation != viewer->generation || slot->rule != rule ||
	    slot->family != family || slot->address[0] != address[0] ||
	    slot->address[1] != address[1]) {
		*slot = (struct cached){.address = {address[0], address[1]},
					.generation = viewer->generation,
					.family = family,
					.rule = (uint8_t)rule};
		tell_address(viewer, rule, address, family, &slot->told);
	}
	*out = slot->told;
	out->internal = internal;
}

/* Rules for internal addresses also hold for one that is listed when the flow says nothing. */
static void view_end(struct sn_viewer *viewer, const struct sn_flow *flow, unsigned side,
		     enum sn_privacy_role role, struct sn_view_address *out)
{
	bool internal = side == SN_CLIENT ? flow->client_internal : flow->server_internal;
	const uint64_t *address = sn_flow_address(flow, side);
	bool hide = internal;
	uint8_t ip[16];

	if (!internal && !viewer->plain && flow->key.family == 6) {
		memcpy(ip, address, sizeof(ip));
		hide = sn_anonymiser_is_internal(viewer->an, ip, 6);
	}
	view_address(viewer, role, hide, address, flow->key.family, out);
	out->internal = internal;
}

/* The fields that every view has under the same names; `side` is who is told as the client. */
#define VIEW_ENDS(viewer, view, of, side)                                                          \
	do {                                                                                       \
		view_end(viewer, of, side, SN_ROLE_CLIENT, &(view)->client);                       \
		view_end(viewer, of, !(side), SN_ROLE_SERVER, &(view)->server);                    \
		(view)->client_port = sn_flow_port(of, side);                                      \
		(view)->server_port = sn_flow_port(of, !(side));                                   \
	} while (0)

/* Texts --------------------------------------------------------------------------------- */

/* `changed`: it stands in the buffer from `start` on. */
static void place(struct sn_viewer *viewer, struct sn_str *told, struct sn_str text, bool changed,
		  size_t start)
{
	*told = text;
	if (!changed)
		return;
	assert(viewer->moved_count < TEXTS_MAX);
	*told = (struct sn_str){NULL, viewer->text.n - start};
	viewer->moved[viewer->moved_count].told = told;
	viewer->moved[viewer->moved_count++].at = start;
}

/* The buffer grows no more: its texts have their places. */
static void settle(struct sn_viewer *viewer)
{
	for (size_t i = 0; i < viewer->moved_count; i++) {
		struct sn_str *told = viewer->moved[i].told;

		if (told->n > 0)
			told->p = viewer->text.p + viewer->moved[i].at;
	}
}

typedef bool host_fn(struct sn_anonymiser *an, struct sn_str text, bool of_flow,
		     struct sn_buf *out);
typedef bool text_fn(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out);

static void tell_name(struct sn_viewer *viewer, host_fn *fn, struct sn_str text, bool of_flow,
		      struct sn_str *told)
{
	size_t start = viewer->text.n;

	if (text.n > 0)
		place(viewer, told, text, fn(viewer->an, text, of_flow, &viewer->text), start);
}

static void tell_text(struct sn_viewer *viewer, text_fn *fn, struct sn_str text,
		      struct sn_str *told)
{
	size_t start = viewer->text.n;

	if (text.n > 0)
		place(viewer, told, text, fn(viewer->an, text, &viewer->text), start);
}

static void tell_fqdn(struct sn_viewer *viewer, const struct sn_flow *flow, bool of_flow,
		      struct sn_str *told)
{
	if (flow->name != NULL)
		tell_name(viewer, sn_anonymise_name, sn_name_text(flow->name->name), of_flow, told);
}

/* Flows --------------------------------------------------------------------------------- */

static void view_resolver(struct sn_viewer *viewer, const struct sn_dns_hit *hit,
			  struct sn_view_address *out)
{
	uint8_t ip[16];

	if (hit == NULL || hit->resolver_family == 0)
		return;
	memcpy(ip, hit->resolver, sizeof(ip));
	view_address(viewer, SN_ROLE_RESOLVER,
		     sn_anonymiser_is_internal(viewer->an, ip, hit->resolver_family), hit->resolver,
		     hit->resolver_family, out);
}

static void view_tcp(struct sn_viewer *viewer, const struct sn_app_tcp *app,
		     struct sn_view_flow *view)
{
	if (app == NULL)
		return;
	view->application = sn_app_tcp_word(app);
	tell_name(viewer, sn_anonymise_name, sn_name_text(sn_app_tls(app)->server_name), true,
		  &view->tls_server_name);
	tell_name(viewer, sn_anonymise_name, sn_name_text(sn_app_tls(app)->certificate_name), true,
		  &view->tls_certificate_name);
	tell_name(viewer, sn_anonymise_host, sn_name_text(app->http_host), true, &view->http_host);
	tell_text(viewer, sn_anonymise_id, sn_name_text(app->video != NULL ? app->video->id : NULL),
		  &view->video_id);
}

static void view_udp(struct sn_viewer *viewer, const struct sn_udp_flow *udp,
		     struct sn_view_flow *view)
{
	view->application = sn_app_udp_word(udp);
	if (udp->app == NULL)
		return;
	tell_name(viewer, sn_anonymise_name, sn_name_text(udp->app->quic_server_name), true,
		  &view->quic_server_name);
	tell_name(viewer, sn_anonymise_agent, sn_name_text(udp->app->quic_agent), true,
		  &view->quic_agent);
}

static struct sn_str best_name(const struct sn_view_flow *view)
{
	const struct sn_str *names[] = {&view->tls_server_name, &view->quic_server_name,
					&view->http_host, &view->fqdn};

	for (size_t i = 0; i < SN_COUNT(names); i++) {
		if (names[i]->n > 0)
			return *names[i];
	}
	return (struct sn_str){0};
}

const struct sn_view_flow *sn_viewer_flow(struct sn_viewer *viewer, const struct sn_flow *flow,
					  enum sn_flow_end end, const char *interface)
{
	struct sn_view_flow *view = &viewer->flow;
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	const struct sn_udp_flow *udp = sn_flow_udp(flow);

	begin(viewer, flow->last_ns);
	*view = (struct sn_view_flow){
		.flow = flow, .end = end, .interface = interface, .application = ""};
	VIEW_ENDS(viewer, view, flow, SN_CLIENT);
	view->period[SN_CLIENT] = sn_flow_period(flow, SN_CLIENT);
	view->period[SN_SERVER] = sn_flow_period(flow, SN_SERVER);
	view->period_first_ns = sn_flow_period_first_ns(flow);
	view_resolver(viewer, flow->name, &view->resolver);
	tell_fqdn(viewer, flow, true, &view->fqdn);
	if (tcp != NULL)
		view_tcp(viewer, tcp->app, view);
	if (udp != NULL)
		view_udp(viewer, udp, view);
	settle(viewer);
	view->server_name = best_name(view);
	if (viewer->options.community_id)
		sn_community_id(&view->client, view->client_port, &view->server, view->server_port,
				flow->key.protocol, view->community_id);
	return view;
}

/* Messages ------------------------------------------------------------------------------ */

/* Those that have no rule of their own. */
static const uint8_t other_fields[] = {
	SN_HTTP_DNT,    SN_HTTP_CONTENT_LENGTH, SN_HTTP_CONTENT_TYPE,
	SN_HTTP_SERVER, SN_HTTP_RANGE,          SN_HTTP_CONTENT_RANGE,
};

const struct sn_view_http *sn_viewer_http(struct sn_viewer *viewer, const struct sn_flow *flow,
					  const struct sn_http_message *message)
{
	struct sn_view_http *view = &viewer->http;
	const struct sn_str *fields = message->fields;

	begin(viewer, message->time_ns);
	*view = (struct sn_view_http){.message = message, .mid_stream = flow->mid_stream};
	VIEW_ENDS(viewer, view, flow, SN_CLIENT);
	tell_fqdn(viewer, flow, false, &view->fqdn);
	tell_name(viewer, sn_anonymise_host, fields[SN_HTTP_HOST], false, &view->host);
	tell_name(viewer, sn_anonymise_agent, fields[SN_HTTP_USER_AGENT], false, &view->user_agent);
	tell_text(viewer, sn_anonymise_url, message->target, &view->path);
	tell_text(viewer, sn_anonymise_url, fields[SN_HTTP_REFERER], &view->referer);
	tell_text(viewer, sn_anonymise_url, fields[SN_HTTP_LOCATION], &view->location);
	tell_text(viewer, sn_anonymise_cookie, fields[SN_HTTP_COOKIE], &view->cookie);
	tell_text(viewer, sn_anonymise_cookie, fields[SN_HTTP_SET_COOKIE], &view->set_cookie);
	for (size_t i = 0; i < SN_COUNT(other_fields); i++)
		tell_text(viewer, sn_anonymise_field, fields[other_fields[i]],
			  &view->fields[other_fields[i]]);
	settle(viewer);
	return view;
}

const struct sn_view_dns *sn_viewer_dns(struct sn_viewer *viewer, const struct sn_flow *flow,
					const struct sn_dns_event *event)
{
	struct sn_view_dns *view = &viewer->dns;
	unsigned client = event->client_is_source ? event->side : !event->side;
	size_t start;

	begin(viewer, event->time_ns);
	*view = (struct sn_view_dns){.event = event, .answer = event->answer};
	VIEW_ENDS(viewer, view, flow, client);
	tell_name(viewer, sn_anonymise_name, event->name, false, &view->name);
	start = viewer->text.n;
	if (event->entry == SN_DNS_RESPONSE && event->answer.n > 0)
		place(viewer, &view->answer, event->answer,
		      sn_anonymise_answer(viewer->an, event->type, event->answer, &viewer->text),
		      start);
	settle(viewer);
	return view;
}
