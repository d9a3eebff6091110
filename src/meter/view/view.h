/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view: what may be told of a flow, an HTTP message or a DNS message.
 *
 * Everything that leaves the process is made from a view, never from the flow
 * itself: names are resolved to countries and networks first, then addresses and
 * texts go through the privacy policy (view/privacy.h), and only then do the sinks
 * see them.  `flow` in a view is there for its counters and times; its key holds
 * the real addresses and must not be looked at by a sink.
 */
#ifndef SONDE_METER_VIEW_VIEW_H
#define SONDE_METER_VIEW_VIEW_H

#include "meter/app/dns.h"
#include "meter/app/http.h"
#include "meter/app/rtp.h"
#include "meter/app/tcp.h"
#include "meter/app/udp.h"
#include "meter/flow/flow.h"

#define SN_VIEW_COMMUNITY_MAX 32
#define SN_VIEW_ADDRESS_MAX   46

/* What was done to a value (the dataset's description and IPFIX anonymizationTechnique tell). */
enum sn_privacy_mode {
	SN_PRIVACY_KEEP,
	SN_PRIVACY_DROP,
	SN_PRIVACY_TRUNCATE,
	SN_PRIVACY_HASH,      /* keyed */
	SN_PRIVACY_CRYPTOPAN, /* addresses: prefix-preserving; names: Tstat's --enc */
};

/* Who needs its text makes it: most flows go without (sn_view_address_put()). */
struct sn_view_address {
	uint8_t ip[16];  /* as told; IPv4 in the first four */
	uint8_t family;  /* 4 or 6; 0: dropped or unknown */
	bool internal;   /* by the lists of networks */
	bool anonymised; /* Tstat's iscrypto */
	char country[3]; /* ISO 3166-1 alpha-2, "" unknown */
	uint32_t asn;    /* of the real address; 0 unknown */
};

struct sn_view_flow {
	const struct sn_flow *flow;
	enum sn_flow_end end;
	const char *interface; /* or capture file */
	struct sn_view_address client, server, resolver;
	uint16_t client_port, server_port; /* ICMP: identifier; type * 256 + code */
	/* Texts after the policy; empty: none.  Valid during the call. */
	struct sn_str fqdn; /* what DNS said */
	struct sn_str tls_server_name, tls_certificate_name, http_host;
	struct sn_str quic_server_name, quic_agent;
	struct sn_str video_id;                   /* of log_video_complete; a part of the URL */
	struct sn_str server_name;                /* the best of them: TLS, QUIC, HTTP host, fqdn */
	const char *application;                  /* "tls", "http", "dns", ..., a constant; "" */
	char community_id[SN_VIEW_COMMUNITY_MAX]; /* of the addresses as told; "" if one was dropped
						   */
	/* For SN_END_ACTIVE and after it: the part since the last report; else the whole. */
	struct sn_flow_side period[2];
	int64_t period_first_ns;
};

struct sn_view_http {
	/* Texts of its header in it are not to be told, but method and status. */
	const struct sn_http_message *message;
	struct sn_view_address client, server;
	uint16_t client_port, server_port;
	bool mid_stream; /* its connection began before the capture */
	struct sn_str fqdn, host, path, referer, cookie, location, set_cookie, user_agent;
	struct sn_str fields[SN_HTTP_FIELDS]; /* the others */
};

struct sn_view_dns {
	const struct sn_dns_event *event; /* `name` and `answer` in it are not to be told */
	struct sn_view_address client, server;
	uint16_t client_port, server_port;
	struct sn_str name, answer;
};

struct sn_viewer; /* of one worker */
struct sn_privacy;
struct sn_networks;
struct sn_enrichment;

struct sn_inside;
struct sn_viewer_options {               /* all borrowed; each may be NULL */
	const struct sn_privacy *policy; /* NULL: everything is told as it is */
	const struct sn_enrichment *enrichment;
	const struct sn_inside *inside; /* for addresses that are no end of the flow */
	bool community_id;
};
struct sn_viewer *sn_viewer_create(const struct sn_viewer_options *options);
void sn_viewer_destroy(struct sn_viewer *viewer); /* NULL is fine */
/* Another policy from now on; in the thread that uses the viewer. */
void sn_viewer_set_policy(struct sn_viewer *viewer, const struct sn_privacy *policy);
/* The result is valid until the viewer's next call. */
const struct sn_view_flow *sn_viewer_flow(struct sn_viewer *viewer, const struct sn_flow *flow,
					  enum sn_flow_end end, const char *interface);
const struct sn_view_http *sn_viewer_http(struct sn_viewer *viewer, const struct sn_flow *flow,
					  const struct sn_http_message *message);
const struct sn_view_dns *sn_viewer_dns(struct sn_viewer *viewer, const struct sn_flow *flow,
					const struct sn_dns_event *event);

/* Texts of addresses ------------------------------------------------------- */
/* Canonical text as inet_ntop(3) writes it, terminated; its length. */
unsigned sn_view_address_text(const uint8_t ip[16], uint8_t family, char out[SN_VIEW_ADDRESS_MAX]);
/*
 * The text of what is told, "-" when it was dropped, not terminated; its end.  SN_VIEW_ADDRESS_MAX
 * bytes have to be there.
 */
char *sn_view_address_put(char *out, const struct sn_view_address *address);
#define SN_FLOW_ADDRESS_MAX SN_VIEW_ADDRESS_MAX
/* The same for an address as in struct sn_decoded. */
struct sn_str sn_flow_address_text(uint8_t family, const uint64_t address[2], char *out);
/* One end of a flow as it really is: for tests and what is never told. */
struct sn_str sn_flow_side_text(const struct sn_flow *flow, unsigned side, char *out);

#endif
