/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app: what the payload tells: which application it is, whom it asks for, and the
 * events inside (HTTP messages, DNS messages, media streams).
 *
 * The meter calls sn_app_tcp() and sn_app_udp() for packets with payload, after
 * it has counted them.  A flow that has told everything is not looked at any
 * more.  Nothing here trusts a byte of it: limits are named in each header,
 * whatever breaks one is counted under a reason and ends the look, never the flow.
 */
#ifndef SONDE_METER_APP_APP_H
#define SONDE_METER_APP_APP_H

#include "meter/app/names.h"
#include "meter/decode/decode.h"
#include "meter/flow/flow.h"

/* Why a look at the payload ended early; counted. */
enum sn_app_refusal {
	SN_APP_DNS_MALFORMED,
	SN_APP_TLS_MALFORMED,
	SN_APP_TLS_TOO_LONG,   /* a hello beyond the limit */
	SN_APP_QUIC_MALFORMED, /* does not decrypt or parse */
	SN_APP_HTTP_TOO_LONG,
	SN_APP_RTP_TOO_MANY, /* streams in one flow */
	SN_APP_NAMES_FULL,
	SN_APP_REFUSALS
};
struct sn_app_refusal_info {
	const char *name, *help; /* a word for JSON; for people */
};
extern const struct sn_app_refusal_info sn_app_refusal_info[SN_APP_REFUSALS];

struct sn_http_message; /* app/http.h */
struct sn_dns_event;    /* app/dns.h */

/* Who wants to know of events; any may be NULL, then the work for it is not done. */
struct sn_app_watch {
	void (*http)(const struct sn_http_message *message, const struct sn_flow *flow, void *ctx);
	void (*dns)(const struct sn_dns_event *event, const struct sn_flow *flow, void *ctx);
	void *ctx;
	bool http_urls;   /* the whole path is wanted, not only the host */
	bool video_rates; /* how video comes second by second */
};

struct sn_apps; /* of one worker: pools and scratch memory */
struct sn_apps_options {
	struct sn_name_pool *names;     /* borrowed, as the cache */
	struct sn_dns_cache *dns_cache; /* NULL: flows are not named */
	bool off;                       /* look at nothing (Tstat's core columns only) */
};
struct sn_apps *sn_apps_create(const struct sn_apps_options *options);
void sn_apps_destroy(struct sn_apps *apps);
void sn_apps_set_watch(struct sn_apps *apps, const struct sn_app_watch *watch);
/* May change while the meter runs. */

/* `packet->payload` holds the captured bytes; `side` is the sender. */
void sn_app_tcp(struct sn_apps *apps, struct sn_tcp_flow *flow, unsigned side,
		const struct sn_decoded *packet, const struct sn_tcp_verdict *verdict,
		int64_t time_ns);
void sn_app_udp(struct sn_apps *apps, struct sn_udp_flow *flow, unsigned side,
		const struct sn_decoded *packet, int64_t time_ns);
/* The flow leaves: what hangs on it goes back to the pools. */
void sn_app_forget_tcp(struct sn_apps *apps, struct sn_tcp_flow *flow);
void sn_app_forget_udp(struct sn_apps *apps, struct sn_udp_flow *flow);

uint64_t sn_apps_refused(const struct sn_apps *apps, enum sn_app_refusal reason);
size_t sn_apps_memory(const struct sn_apps *apps);

#endif
