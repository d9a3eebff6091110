/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QUIC in a flow.  Like Tstat, a flow is QUIC once an Initial packet of one side,
 * with a destination, was followed by one of the other in the same version; what
 * Tstat does not know (version 2, Google's) keeps Tstat's type 0 and has its
 * versions in the flow's application state.
 */
#include "meter/app/quic.h"

#include <errno.h>
#include <string.h>

#include "meter/app/tls.h"
#include "meter/app/udp_internal.h"

static struct sn_udp_parser *parser_of(const struct udp_look *look)
{
	struct sn_app_udp *app = sn_udp_app(look);

	if (app->parser == NULL)
		app->parser = sn_pool_take(&look->apps->udp->quic);
	return app->parser;
}

static void drop_bytes(struct sn_apps *apps, struct sn_udp_parser *parser)
{
	sn_app_scratch_give(apps, parser->crypto.bytes, SN_QUIC_HELLO_MAX);
	parser->crypto = (struct sn_quic_crypto){0};
}

void sn_quic_forget(struct sn_apps *apps, struct sn_app_udp *app)
{
	if (app->parser == NULL)
		return;
	drop_bytes(apps, app->parser);
	sn_pool_give(&apps->udp->quic, app->parser);
	app->parser = NULL;
}

static void keep_facts(const struct udp_look *look, const struct sn_quic_facts *facts)
{
	struct sn_app_udp *app = look->flow->app;

	if (sn_tls_is_name(facts->server_name))
		sn_app_name_once(look->apps, &app->quic_server_name, facts->server_name);
	sn_app_name_once(look->apps, &app->quic_agent, facts->agent);
	sn_app_name_once(look->apps, &app->quic_alpn, facts->alpn);
	app->quic_ech = facts->ech_bytes;
}

static void finish(const struct udp_look *look, struct sn_udp_parser *parser)
{
	parser->is_done = true;
	drop_bytes(look->apps, parser);
}

static void give_up(const struct udp_look *look, struct sn_udp_parser *parser)
{
	app_refuse(look->apps, SN_APP_QUIC_MALFORMED);
	finish(look, parser);
}

static void read_hello(const struct udp_look *look, struct sn_udp_parser *parser,
		       struct sn_rd message)
{
	struct sn_quic_facts facts;

	if (sn_quic_read_hello(message, &facts) != 0) {
		give_up(look, parser);
		return;
	}
	keep_facts(look, &facts);
	finish(look, parser);
}

/*
 * Decrypts with the keys in use, else with those of the packet's own destination: the client begins
 * afresh after a Retry and in another version.
 */
static int open_initial(struct sn_apps *apps, struct sn_udp_parser *parser,
			const struct sn_quic_packet *packet, uint8_t plain[SN_QUIC_PACKET_MAX])
{
	struct sn_quic_keys keys;
	int size = -EBADMSG;

	if (parser->has_keys && parser->version == packet->version)
		size = sn_quic_open(&parser->keys, packet, plain);
	if (size != -EBADMSG)
		return size;
	sn_quic_initial_keys(packet->version, &packet->destination, false, &keys);
	size = sn_quic_open(&keys, packet, plain);
	if (size < 0)
		return size;
	drop_bytes(apps, parser);
	parser->keys = keys;
	parser->version = packet->version;
	parser->has_keys = true;
	return size;
}

/* Only a message that is not whole yet is kept for the next datagram. */
static void add_plain(const struct udp_look *look, struct sn_udp_parser *parser,
		      struct sn_rd frames)
{
	struct sn_quic_crypto crypto = parser->crypto;
	uint8_t bytes[SN_QUIC_HELLO_MAX];
	struct sn_rd message;

	if (crypto.bytes == NULL)
		crypto.bytes = bytes;
	if (sn_quic_add_frames(&crypto, frames) != 0) {
		give_up(look, parser);
	} else if (sn_quic_hello(&crypto, &message)) {
		parser->crypto = crypto.bytes == bytes ? parser->crypto : crypto;
		read_hello(look, parser, message);
	} else if (crypto.count > 0) {
		if (crypto.bytes == bytes) {
			crypto.bytes = sn_app_scratch_take(look->apps, SN_QUIC_HELLO_MAX);
			if (crypto.bytes == NULL) {
				finish(look, parser);
				return;
			}
			memcpy(crypto.bytes, bytes, SN_QUIC_HELLO_MAX);
		}
		parser->crypto = crypto;
	}
}

static void read_initial(const struct udp_look *look, const struct sn_quic_packet *packet)
{
	struct sn_udp_parser *parser = parser_of(look);
	uint8_t plain[SN_QUIC_PACKET_MAX];
	struct sn_rd frames;
	int size;

	if (parser->is_done)
		return;
	if (++parser->initials > SN_QUIC_INITIALS_MAX) {
		give_up(look, parser);
		return;
	}
	size = open_initial(look->apps, parser, packet, plain);
	if (size < 0) {
		app_refuse(look->apps, SN_APP_QUIC_MALFORMED);
		return;
	}
	sn_rd_init(&frames, plain, (size_t)size);
	add_plain(look, parser, frames);
}

static bool tstat_knows(uint32_t version)
{
	return version != SN_QUIC_V2 && !sn_quic_is_google(version);
}

/* Both sides have spoken in one version. */
static void recognise(const struct udp_look *look, uint32_t version)
{
	if (tstat_knows(version))
		look->flow->type[SN_CLIENT] = look->flow->type[SN_SERVER] = SN_UDP_QUIC;
}

static void note_initial(const struct udp_look *look, const struct sn_quic_packet *packet)
{
	struct sn_app_udp *app = look->flow->app;
	bool is_first = app == NULL || app->quic_version[!look->side] == 0;

	if (is_first && packet->destination.size == 0)
		return;
	app = sn_udp_app(look);
	app->quic_version[look->side] = packet->version;
	if (look->side == SN_CLIENT)
		read_initial(look, packet);
	if (app->quic_version[!look->side] == packet->version)
		recognise(look, packet->version);
}

/* Like Tstat, only what the client sends before the server answers counts. */
static void note_zero_rtt(const struct udp_look *look)
{
	struct sn_app_udp *app = look->flow->app;

	if (app != NULL && look->side == SN_CLIENT && app->quic_version[SN_CLIENT] != 0 &&
	    app->quic_version[SN_SERVER] == 0)
		app->quic_zero_rtt++;
}

static bool has_begun(const struct udp_look *look)
{
	return look->flow->app != NULL && look->flow->app->quic_version[SN_CLIENT] != 0;
}

static bool look_google(const struct udp_look *look)
{
	uint32_t version = sn_quic_google_version(look->packet->payload);
	struct sn_quic_facts facts;
	struct sn_app_udp *app;
	struct sn_rd message;

	if (version == 0)
		return has_begun(look);
	app = sn_udp_app(look);
	app->quic_version[look->side] = version;
	if (look->side == SN_CLIENT && app->quic_server_name == NULL &&
	    sn_quic_google_hello(look->packet->payload, &message) &&
	    sn_quic_read_hello(message, &facts) == 0)
		keep_facts(look, &facts);
	return true;
}

/* Nothing more can be learnt: both have spoken and the hello is read. */
static void decide(const struct udp_look *look)
{
	struct sn_app_udp *app = look->flow->app;

	if (app == NULL || app->quic_version[SN_CLIENT] == 0 || app->quic_version[SN_SERVER] == 0 ||
	    (app->parser != NULL && !app->parser->is_done))
		return;
	sn_quic_forget(look->apps, app);
	udp_decide(look->flow, SN_CLIENT);
	udp_decide(look->flow, SN_SERVER);
}

bool sn_quic_look(const struct udp_look *look)
{
	struct sn_rd datagram = look->packet->payload;
	struct sn_quic_packet packet;
	bool is_quic = false;

	if (!sn_quic_may_begin(datagram))
		return has_begun(look);
	while (sn_quic_next_packet(&datagram, &packet)) {
		is_quic = true;
		if (packet.type == SN_QUIC_INITIAL)
			note_initial(look, &packet);
		else if (packet.type == SN_QUIC_ZERO_RTT)
			note_zero_rtt(look);
	}
	if (!is_quic)
		return look_google(look);
	decide(look);
	return true;
}
