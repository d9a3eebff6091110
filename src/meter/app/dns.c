/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/app/dns.h"

#include <errno.h>
#include <string.h>

#include "meter/app/dns_internal.h"
#include "meter/app/names.h"
#include "meter/decode/load.h"

#define HEADER_BYTES 12
#define PORT_DNS     53
/* Tstat's DN-Hunter takes names from answers with so many records only. */
#define NAMING_ANSWERS_MAX 30
/* Counts beyond these are no ordinary message, but something else on a port of its own. */
#define LIKELY_QUESTIONS_MAX 4
#define LIKELY_RECORDS_MAX   256

enum { QR = 0x8000, OPCODE = 0x7800, OPCODE_SHIFT = 11, RCODE = 0x000f };

struct record {
	uint16_t type, class_;
	uint32_t ttl;
	struct sn_rd data;
};

struct reader {
	const struct sn_dns_input *input;
	const struct sn_dns_listener *listener;
	struct sn_rd rest; /* behind the header */
	struct sn_dns_event event;
	char name[SN_DNS_NAME_TEXT], data[SN_DNS_DATA_MAX];
};

static void read_header(struct sn_rd *rd, struct sn_dns_event *event)
{
	event->id = sn_rd_u16be(rd);
	event->flags = sn_rd_u16be(rd);
	event->questions = sn_rd_u16be(rd);
	event->answers = sn_rd_u16be(rd);
	event->authorities = sn_rd_u16be(rd);
	event->additionals = sn_rd_u16be(rd);
	event->rcode = event->flags & RCODE;
	event->client_is_source = (event->flags & QR) == 0;
}

/* Asked of nearly every datagram that is looked at, so as one block. */
bool sn_dns_looks_right(struct sn_rd message)
{
	struct sn_rd whole = message;
	const uint8_t *header = take_bytes(&message, HEADER_BYTES);

	if (header == NULL || (load_u16(header + 2) & OPCODE) >> OPCODE_SHIFT > 5 ||
	    load_u16(header + 4) - 1U >= LIKELY_QUESTIONS_MAX ||
	    load_u16(header + 6) > LIKELY_RECORDS_MAX ||
	    load_u16(header + 8) > LIKELY_RECORDS_MAX || load_u16(header + 10) > LIKELY_RECORDS_MAX)
		return false;
	return sn_dns_take_name(&whole, &message, NULL) && sn_rd_left(&message) >= 4;
}

uint16_t sn_dns_answer_type(struct sn_rd message)
{
	struct sn_rd whole = message;
	struct sn_dns_event header;

	read_header(&message, &header);
	if (header.answers == 0 || header.questions > LIKELY_QUESTIONS_MAX)
		return 0;
	for (unsigned i = 0; i < header.questions; i++) {
		if (!sn_dns_take_name(&whole, &message, NULL))
			return 0;
		sn_rd_skip(&message, 4);
	}
	return sn_dns_take_name(&whole, &message, NULL) ? sn_rd_u16be(&message) : 0;
}

/* Parts of a message ------------------------------------------------------ */

static bool take_question(struct reader *reader, struct sn_rd *rd, struct dns_text *name)
{
	if (!sn_dns_take_name(&reader->input->message, rd, name))
		return false;
	reader->event.type = sn_rd_u16be(rd);
	reader->event.class_ = sn_rd_u16be(rd);
	return sn_rd_ok(rd);
}

static bool take_record(struct reader *reader, struct sn_rd *rd, struct record *record,
			struct dns_text *name)
{
	const uint8_t *data;
	uint16_t size;

	if (!sn_dns_take_name(&reader->input->message, rd, name))
		return false;
	record->type = sn_rd_u16be(rd);
	record->class_ = sn_rd_u16be(rd);
	record->ttl = sn_rd_u32be(rd);
	size = sn_rd_u16be(rd);
	data = sn_rd_bytes(rd, size);
	if (data == NULL)
		return false;
	sn_rd_init(&record->data, data, size);
	return true;
}

static bool skip_questions(struct reader *reader, struct sn_rd *rd)
{
	for (unsigned i = 0; i < reader->event.questions; i++)
		if (!take_question(reader, rd, NULL))
			return false;
	return true;
}

/* The whole message makes sense.  EDNS is not told of, as if it were not there. */
static bool check(struct reader *reader)
{
	struct sn_dns_event *event = &reader->event;
	unsigned records = event->answers + event->authorities, all = records + event->additionals;
	struct sn_rd rd = reader->rest;

	if (!skip_questions(reader, &rd))
		return false;
	for (unsigned i = 0; i < all; i++) {
		struct record record;

		if (!take_record(reader, &rd, &record, NULL))
			return false;
		if (i >= records && record.type == DNS_OPT)
			event->additionals--;
	}
	return true;
}

/* Names ------------------------------------------------------------------- */

static void tell_address(const struct reader *reader, struct sn_str name,
			 const struct record *record)
{
	uint8_t family = record->type == DNS_A ? 4 : 6;
	struct sn_rd data = record->data;
	uint64_t address[2] = {0};

	if ((record->type != DNS_A && record->type != DNS_AAAA) || record->class_ != 1 ||
	    sn_rd_left(&data) != (family == 4 ? 4 : 16))
		return;
	sn_rd_copy(&data, address, sn_rd_left(&data));
	reader->listener->address(name, address, family, reader->listener->ctx);
}

static void tell_addresses(struct reader *reader)
{
	const struct sn_dns_event *event = &reader->event;
	struct sn_rd rd = reader->rest;
	struct record record;
	struct dns_text name;

	dns_text_init(&name, reader->name, sizeof(reader->name));
	if (reader->listener->address == NULL || event->client_is_source || event->rcode != 0 ||
	    event->questions != 1 || event->answers > NAMING_ANSWERS_MAX ||
	    !take_question(reader, &rd, &name) ||
	    (event->type != DNS_A && event->type != DNS_AAAA && event->type != DNS_ANY))
		return;
	name.n--; /* the final dot */
	for (unsigned i = 0; name.n > 0 && i < event->answers; i++) {
		if (!take_record(reader, &rd, &record, NULL))
			return;
		tell_address(reader, dns_text_str(&name), &record);
	}
}

/* Events ------------------------------------------------------------------ */

static void tell(struct reader *reader, enum sn_dns_entry entry, const struct dns_text *name,
		 struct sn_str answer)
{
	reader->event.entry = entry;
	reader->event.name = dns_text_str(name);
	reader->event.answer = answer;
	reader->listener->event(&reader->event, reader->listener->ctx);
}

static void tell_questions(struct reader *reader, struct sn_rd *rd)
{
	unsigned count = SN_MIN((unsigned)reader->event.questions, SN_DNS_RECORDS_MAX);

	for (unsigned i = 0; i < count; i++) {
		struct dns_text name;

		dns_text_init(&name, reader->name, sizeof(reader->name));
		take_question(reader, rd, &name);
		tell(reader, SN_DNS_REQUEST, &name, (struct sn_str){0});
	}
}

static void tell_answers(struct reader *reader, struct sn_rd *rd)
{
	unsigned count = SN_MIN((unsigned)reader->event.answers, SN_DNS_RECORDS_MAX);

	skip_questions(reader, rd);
	for (unsigned i = 0; i < count; i++) {
		struct dns_text name, data;
		struct record record;

		dns_text_init(&name, reader->name, sizeof(reader->name));
		dns_text_init(&data, reader->data, sizeof(reader->data));
		take_record(reader, rd, &record, &name);
		sn_dns_put_data(&reader->input->message, record.data, record.type, &data);
		reader->event.type = record.type;
		reader->event.class_ = record.class_;
		reader->event.ttl_seconds = record.ttl;
		tell(reader, SN_DNS_RESPONSE, &name, dns_text_str(&data));
	}
}

/* An error, or an answer without records: told with the first question. */
static void tell_nothing_found(struct reader *reader, struct sn_rd *rd)
{
	char scratch[16];
	struct dns_text name;

	dns_text_init(&name, reader->name, sizeof(reader->name));
	if (reader->event.questions > 0)
		take_question(reader, rd, &name);
	if (reader->event.rcode != 0)
		tell(reader, SN_DNS_ERROR, &name,
		     sn_str(sn_dns_rcode_name(reader->event.rcode, scratch)));
	else
		tell(reader, SN_DNS_EMPTY, &name, (struct sn_str){0});
}

static void tell_events(struct reader *reader)
{
	struct sn_rd rd = reader->rest;

	reader->event.type = reader->event.class_ = 0;
	if (reader->event.client_is_source)
		tell_questions(reader, &rd);
	else if (reader->event.rcode == 0 && reader->event.answers > 0)
		tell_answers(reader, &rd);
	else
		tell_nothing_found(reader, &rd);
}

int sn_dns_read(const struct sn_dns_input *input, const struct sn_dns_listener *listener)
{
	struct reader reader;
	bool is_whole;

	reader.input = input;
	reader.listener = listener;
	reader.rest = input->message;
	reader.event = (struct sn_dns_event){
		.side = input->side,
		.tcp = input->tcp,
		.time_ns = input->time_ns,
		.asked_ns = input->asked_ns,
		.bytes = input->bytes,
	};
	read_header(&reader.rest, &reader.event);
	is_whole = sn_rd_ok(&reader.rest) && check(&reader);
	if (sn_rd_ok(&reader.rest))
		tell_addresses(&reader);
	if (!is_whole)
		return sn_rd_left(&input->message) < input->bytes ? -ENODATA : -EBADMSG;
	if (listener->event != NULL)
		tell_events(&reader);
	return 0;
}

/* In a flow --------------------------------------------------------------- */

struct told {
	struct sn_apps *apps;
	const struct sn_flow *flow;
	const struct sn_dns_input *input;
};

static void watch_event(const struct sn_dns_event *event, void *ctx)
{
	const struct told *told = ctx;

	told->apps->watch.dns(event, told->flow, told->apps->watch.ctx);
}

/* Like Tstat: an address names flows of the family that it was told over. */
static void name_address(struct sn_str name, const uint64_t address[2], uint8_t family, void *ctx)
{
	const struct told *told = ctx;
	const uint64_t *client = sn_flow_address(told->flow, !told->input->side);
	const uint64_t *resolver = sn_flow_address(told->flow, told->input->side);
	struct sn_dns_hit facts = {
		.resolver = {resolver[0], resolver[1]},
		.resolver_family = told->flow->key.family,
		.asked_ns = told->input->asked_ns,
		.answered_ns = told->input->time_ns,
	};

	if (family == told->flow->key.family)
		sn_dns_cache_add(told->apps->dns_cache, client, address, name, &facts);
}

static bool is_multicast(const struct sn_flow *flow, unsigned side)
{
	const uint8_t *address = (const uint8_t *)sn_flow_address(flow, side);

	return flow->key.family == 4 ? address[0] >> 4 == 0xe : address[0] == 0xff;
}

void sn_app_dns_message(struct sn_apps *apps, const struct sn_flow *flow,
			const struct sn_dns_input *input)
{
	struct told told = {apps, flow, input};
	struct sn_dns_listener listener = {.ctx = &told};

	if (apps->dns_cache != NULL && sn_flow_port(flow, input->side) == PORT_DNS)
		listener.address = name_address;
	if (apps->watch.dns != NULL && !is_multicast(flow, SN_CLIENT) &&
	    !is_multicast(flow, SN_SERVER))
		listener.event = watch_event;
	if (listener.address == NULL && listener.event == NULL)
		return;
	if (sn_dns_read(input, &listener) == -EBADMSG)
		app_refuse(apps, SN_APP_DNS_MALFORMED);
}
