/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/ipfix/session.h"

#include <string.h>

#include "base/clock.h"
#include "meter/ipfix/wire.h"

#define VERSION 10

void sn_ipfix_session_init(struct sn_ipfix_session *session, struct sn_ipfix_collector *collector,
			   const struct sn_ipfix_style *style, const struct sn_ipfix_timing *timing,
			   struct sn_ipfix_facts *facts, uint32_t domain)
{
	*session = (struct sn_ipfix_session){
		.collector = collector,
		.style = style,
		.timing = timing,
		.facts = facts,
		.domain = domain,
	};
}

void sn_ipfix_session_finish(struct sn_ipfix_session *session)
{
	sn_buf_finish(&session->message);
}

/* Messages -------------------------------------------------------------------- */

/* Message header (RFC 7011, section 3.1). */
static int send_body(struct sn_str body, uint32_t records, void *ctx)
{
	struct sn_ipfix_session *session = ctx;
	struct sn_ipfix_collector *collector = session->collector;
	struct sn_buf *message = &session->message;
	int result;

	sn_buf_clear(message);
	put_u16(message, VERSION);
	put_u16(message, (uint16_t)(SN_IPFIX_HEADER + body.n));
	put_u32(message, (uint32_t)(sn_wall_ns() / SN_NS_PER_S));
	put_u32(message, session->sequence);
	put_u32(message, session->domain);
	sn_buf_add(message, body.p, body.n);
	result =
		collector->transport->send(collector, sn_buf_str(message),
					   sn_mono_ns() + session->timing->stall_ns, &session->err);
	if (result != 0)
		return result;
	session->sequence += records;
	session->messages++;
	session->octets += message->n;
	return 0;
}

static void begin_message(struct sn_ipfix_session *session, struct sn_ipfix_packer *packer)
{
	sn_ipfix_packer_init(packer, session->collector->message_max, send_body, session);
}

static int end_message(struct sn_ipfix_packer *packer, int result)
{
	if (result == 0)
		result = sn_ipfix_packer_flush(packer);
	sn_ipfix_packer_finish(packer);
	return result;
}

/* What comes first ------------------------------------------------------------ */

static bool has(const uint64_t *shapes, unsigned shape)
{
	return (shapes[shape / 64] >> shape % 64 & 1) != 0;
}

static int add_template(struct sn_ipfix_packer *packer, const struct sn_ipfix_style *style,
			uint16_t shape)
{
	struct sn_buf record = {0};
	int result;

	sn_ipfix_put_template(&record, shape, style);
	result = sn_ipfix_packer_add(packer, SN_IPFIX_TEMPLATE_SET, sn_buf_str(&record));
	sn_buf_finish(&record);
	return result;
}

static int add_templates(struct sn_ipfix_session *session, struct sn_ipfix_packer *packer,
			 const uint64_t *shapes)
{
	int result = 0;

	for (unsigned shape = 0; result == 0 && shape < SN_IPFIX_SHAPES; shape++)
		if (has(shapes, shape))
			result = add_template(packer, session->style, (uint16_t)shape);
	return result;
}

static int add_anonymised(struct sn_ipfix_session *session, struct sn_ipfix_packer *packer,
			  const uint64_t *shapes)
{
	struct sn_ipfix_facts *facts = session->facts;
	struct sn_ipfix_modes modes;
	int result = 0;

	pthread_mutex_lock(&facts->lock);
	modes = facts->modes;
	pthread_mutex_unlock(&facts->lock);
	for (unsigned shape = 0; result == 0 && shape < SN_IPFIX_SHAPES; shape++)
		if (has(shapes, shape))
			result = sn_ipfix_add_anonymised(packer, (uint16_t)shape, session->style,
							 &modes);
	return result;
}

static int add_sources(struct sn_ipfix_session *session, struct sn_ipfix_packer *packer)
{
	struct sn_ipfix_facts *facts = session->facts;
	size_t count = facts->source_count;
	int result = 0;

	for (; result == 0 && session->sources_told < count; session->sources_told++)
		result = sn_ipfix_add_source(packer, facts->sources[session->sources_told].number,
					     facts->sources[session->sources_told].name);
	return result;
}

static int add_preamble(struct sn_ipfix_session *session, struct sn_ipfix_packer *packer)
{
	int result = sn_ipfix_add_options_templates(packer);

	session->sources_told = 0;
	if (result == 0 && session->style->enterprise != 0)
		result = sn_ipfix_add_types(packer, session->style);
	return result == 0 ? add_sources(session, packer) : result;
}

/* Says what the batch needs and was not said yet. */
static int introduce(struct sn_ipfix_session *session, const struct sn_ipfix_batch *batch)
{
	uint64_t missing[SN_IPFIX_SHAPE_WORDS], any = 0;
	struct sn_ipfix_packer packer;
	int result;

	for (size_t i = 0; i < SN_IPFIX_SHAPE_WORDS; i++) {
		missing[i] = batch->shapes[i] & ~session->told[i];
		any |= missing[i];
	}
	if (any == 0 && session->sources_told == session->facts->source_count)
		return 0;
	begin_message(session, &packer);
	result = add_templates(session, &packer, missing);
	if (result == 0)
		result = add_anonymised(session, &packer, missing);
	if (result == 0)
		result = add_sources(session, &packer);
	for (size_t i = 0; i < SN_IPFIX_SHAPE_WORDS; i++)
		session->told[i] |= missing[i];
	return end_message(&packer, result);
}

/* The session ----------------------------------------------------------------- */

int sn_ipfix_session_begin(struct sn_ipfix_session *session)
{
	uint64_t now_ns = sn_mono_ns();
	struct sn_ipfix_packer packer;

	session->sequence = 0;
	memset(session->told, 0, sizeof(session->told));
	session->modes_version = session->facts->modes_version;
	session->refresh_every_ns = session->timing->refresh_first_ns;
	session->refresh_at_ns = now_ns + session->refresh_every_ns;
	session->counts_at_ns = now_ns + session->timing->counts_ns;
	begin_message(session, &packer);
	return end_message(&packer, add_preamble(session, &packer));
}

int sn_ipfix_session_send(struct sn_ipfix_session *session, const struct sn_ipfix_batch *batch)
{
	int result = introduce(session, batch);

	if (result == 0)
		result = send_body((struct sn_str){batch->body, batch->size}, batch->records,
				   session);
	if (result == 0)
		session->records += batch->records;
	return result;
}

/* Somebody who began to listen later, or lost a message, can read us again. */
static int refresh(struct sn_ipfix_session *session, uint64_t now_ns)
{
	struct sn_ipfix_packer packer;
	int result;

	begin_message(session, &packer);
	result = add_preamble(session, &packer);
	if (result == 0)
		result = add_templates(session, &packer, session->told);
	if (result == 0)
		result = add_anonymised(session, &packer, session->told);
	session->refresh_every_ns =
		SN_MIN(2 * session->refresh_every_ns, session->timing->refresh_ns);
	session->refresh_at_ns = now_ns + session->refresh_every_ns;
	return end_message(&packer, result);
}

static int tell_modes(struct sn_ipfix_session *session, unsigned version)
{
	struct sn_ipfix_packer packer;

	session->modes_version = version;
	begin_message(session, &packer);
	return end_message(&packer, add_anonymised(session, &packer, session->told));
}

int sn_ipfix_session_counts(struct sn_ipfix_session *session)
{
	struct sn_ipfix_facts *facts = session->facts;
	struct sn_ipfix_counts counts = {
		.messages = session->messages,
		.records = session->records,
		.octets = session->octets,
		.ignored_packets = facts->ignored_packets,
		.lost_flows = facts->lost_records,
		.lost_packets = facts->lost_packets,
		.lost_octets = facts->lost_octets,
	};
	struct sn_ipfix_packer packer;

	begin_message(session, &packer);
	return end_message(&packer, sn_ipfix_add_counts(&packer, session->domain, &counts));
}

int sn_ipfix_session_keep(struct sn_ipfix_session *session, uint64_t now_ns)
{
	unsigned version = session->facts->modes_version;
	int result = 0;

	if (session->collector->transport->forgets && now_ns >= session->refresh_at_ns)
		result = refresh(session, now_ns);
	if (result == 0 && version != session->modes_version)
		result = tell_modes(session, version);
	if (result == 0 && now_ns >= session->counts_at_ns) {
		session->counts_at_ns = now_ns + session->timing->counts_ns;
		result = sn_ipfix_session_counts(session);
	}
	return result;
}

uint64_t sn_ipfix_session_due(const struct sn_ipfix_session *session)
{
	return session->collector->transport->forgets
		       ? SN_MIN(session->refresh_at_ns, session->counts_at_ns)
		       : session->counts_at_ns;
}
