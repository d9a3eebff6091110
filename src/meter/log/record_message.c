/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of log_http_complete and log_dns_complete, in the order of Tstat's tables. */
#include "meter/log/record.h"

#include <string.h>

enum { URLS_HOSTS, URLS_PATHS, URLS_ALL = SN_RECORD_URLS_ALL }; /* httplog_full_url */

static void add_http_ends(struct sn_record *record, const struct sn_view_http *view,
			  int64_t time_ns)
{
	sn_record_address(record, &view->client);
	sn_record_i(record, view->client_port);
	sn_record_address(record, &view->server);
	sn_record_i(record, view->server_port);
	sn_record_f(record, sn_record_us(time_ns) / 1000000.0);
}

/* What is before the query. */
static struct sn_str without_query(struct sn_str text)
{
	const char *mark = text.n > 0 ? memchr(text.p, '?', text.n) : NULL;

	if (mark != NULL)
		text.n = (size_t)(mark - text.p);
	return text;
}

/* "scheme://host/" of a URL; what is none is left out. */
static struct sn_str origin_of(struct sn_str url)
{
	const char *mark = url.n > 0 ? memmem(url.p, url.n, "://", 3) : NULL;
	const char *slash;

	if (mark == NULL)
		return (struct sn_str){0};
	mark += 3;
	slash = memchr(mark, '/', (size_t)(url.p + url.n - mark));
	if (slash != NULL)
		url.n = (size_t)(slash + 1 - url.p);
	return without_query(url);
}

static struct sn_str url_of(struct sn_str url, unsigned urls)
{
	return urls >= URLS_ALL ? url : urls == URLS_PATHS ? without_query(url) : origin_of(url);
}

static struct sn_str path_of(struct sn_str path, unsigned urls)
{
	static const struct sn_str none;

	return urls == URLS_HOSTS ? none : url_of(path, urls);
}

static struct sn_str cookie_of(struct sn_str cookie, unsigned urls)
{
	static const struct sn_str none;

	return urls >= URLS_ALL ? cookie : none;
}

/*
 * Tstat reads segment by segment: a header that goes on in a second one makes a second line, with
 * what stands there; a value that was cut has "[*]" where the rest is missing.
 */
struct part {
	struct sn_record *record;
	const struct sn_http_message *message;
	uint32_t split; /* where the second one begins; 0: nowhere */
	bool second;
	bool found; /* any of the fields */
};

static const struct sn_str cut_mark = {"[*]", 3};

static void add_marked(struct sn_record *record, struct sn_str before, struct sn_str after)
{
	sn_record_printf(record, "%.*s%.*s", (int)SN_MIN(before.n, 4096U), before.p,
			 (int)SN_MIN(after.n, 4096U), after.p);
}

/* `original` is the text in the header, `told` what is left of it after the policy. */
static void add_part(struct part *part, struct sn_str original, struct sn_str told)
{
	bool kept = told.p == original.p, split = part->split > 0 && original.n > 0;
	size_t start = split ? (size_t)(original.p - part->message->header.p) : 0, head;

	if (!split || start >= part->split || !kept || start + told.n < part->split) {
		bool here = (split && start >= part->split) == part->second;

		part->found |= here && told.n > 0;
		sn_record_s(part->record, here ? told : (struct sn_str){0});
		return;
	}
	head = part->split - start;
	part->found = true;
	if (part->second)
		add_marked(part->record, cut_mark, (struct sn_str){told.p + head, told.n - head});
	else
		add_marked(part->record, (struct sn_str){told.p, head}, cut_mark);
}

static void add_field(struct part *part, const struct sn_view_http *view, enum sn_http_field field)
{
	add_part(part, part->message->fields[field], view->fields[field]);
}

static void add_request(struct part *part, const struct sn_view_http *view, unsigned urls)
{
	const struct sn_http_message *message = view->message;
	const struct sn_str *fields = message->fields;

	sn_record_s(part->record, part->second ? SN_STR("REQ2") : message->method);
	add_part(part, fields[SN_HTTP_HOST], view->host);
	sn_record_s(part->record, view->fqdn);
	add_part(part, message->target, path_of(view->path, urls));
	add_part(part, fields[SN_HTTP_REFERER], url_of(view->referer, urls));
	add_part(part, fields[SN_HTTP_USER_AGENT], view->user_agent);
	add_part(part, fields[SN_HTTP_COOKIE], cookie_of(view->cookie, urls));
	add_field(part, view, SN_HTTP_DNT);
}

static void add_response(struct part *part, const struct sn_view_http *view, unsigned urls)
{
	const struct sn_str *fields = view->message->fields;

	sn_record_s(part->record, part->second ? SN_STR("RES2") : SN_STR("HTTP"));
	sn_record_s(part->record, part->second ? SN_STR("-") : view->message->status);
	add_field(part, view, SN_HTTP_CONTENT_LENGTH);
	add_field(part, view, SN_HTTP_CONTENT_TYPE);
	add_field(part, view, SN_HTTP_SERVER);
	add_field(part, view, SN_HTTP_CONTENT_RANGE);
	add_part(part, fields[SN_HTTP_LOCATION], url_of(view->location, urls));
	add_part(part, fields[SN_HTTP_SET_COOKIE], cookie_of(view->set_cookie, urls));
}

bool sn_record_http(struct sn_record *record, const struct sn_view_http *view, unsigned urls,
		    enum sn_record_part which)
{
	const struct sn_http_message *message = view->message;
	bool second = which == SN_RECORD_SECOND;
	struct part part = {.record = record,
			    .message = message,
			    .split = which != SN_RECORD_WHOLE ? message->split : 0,
			    .second = second};

	if (second && message->split == 0)
		return false;
	sn_record_begin(record, message->is_request ? &sn_tstat_tables[SN_TSTAT_HTTP_COMPLETE]
						    : &sn_tstat_http_responses);
	add_http_ends(record, view, second ? message->split_ns : message->time_ns);
	if (message->is_request)
		add_request(&part, view, urls);
	else
		add_response(&part, view, urls);
	return !second || part.found;
}

#define NAME_BYTES_MAX 2048 /* longer names are cut */

/* DNS -------------------------------------------------------------------- */

/* Bits of the header (RFC 1035 section 4.1.1, RFC 4035) in the order of Tstat's column. */
static unsigned flags_of(uint16_t header)
{
	static const uint16_t order[] = {0x0010, 0x0020, 0x0080, 0x0100, 0x0200, 0x0400};
	unsigned flags = 0;

	for (unsigned i = 0; i < SN_COUNT(order); i++)
		flags |= (header & order[i]) != 0 ? 1U << i : 0;
	return flags;
}

static void add_dns_end(struct sn_record *record, const struct sn_view_address *address,
			uint16_t port)
{
	sn_record_address(record, address);
	sn_record_i(record, port);
	sn_record_i(record, address->internal);
	sn_record_i(record, address->anonymised);
}

/* Blanks separate fields, so inside of one they are tabs. */
static void add_answer(struct sn_record *record, struct sn_str answer)
{
	char *at = record->text + record->text_used;
	size_t n = SN_MIN(answer.n, sizeof(record->text) - record->text_used);

	for (size_t i = 0; i < n; i++)
		at[i] = answer.p[i] == ' ' ? '\t' : answer.p[i];
	record->text_used += n;
	sn_record_s(record, (struct sn_str){at, n});
}

static void add_name(struct sn_record *record, struct sn_str name)
{
	char text[NAME_BYTES_MAX + 1];
	size_t n;

	if (name.n == 0 || name.p[name.n - 1] == '.') {
		sn_record_s(record, name);
		return;
	}
	n = strnlen(name.p, SN_MIN(name.n, (size_t)NAME_BYTES_MAX));
	memcpy(text, name.p, n);
	text[n] = '.';
	sn_record_copy(record, (struct sn_str){text, n + 1});
}

static void add_entry(struct sn_record *record, const struct sn_view_dns *view)
{
	static const char *const entries[] = {
		[SN_DNS_REQUEST] = "REQ", [SN_DNS_RESPONSE] = "RESP", [SN_DNS_ERROR] = "RESP_ERR"};
	const struct sn_dns_event *event = view->event;
	char scratch[16];

	sn_record_s(record, sn_str(entries[event->entry]));
	sn_record_hex(record, "0x", event->id, 4);
	add_name(record, view->name);
	if (event->entry == SN_DNS_RESPONSE)
		sn_record_decimal(record, event->ttl_seconds);
	else
		sn_record_s(record, (struct sn_str){0});
	sn_record_copy(record, sn_str(sn_dns_class_name(event->class_, scratch)));
	sn_record_copy(record, sn_str(sn_dns_type_name(event->type, scratch)));
	if (event->entry == SN_DNS_ERROR)
		sn_record_copy(record, sn_str(sn_dns_rcode_name(event->rcode, scratch)));
	else
		add_answer(record, view->answer);
	sn_record_hex(record, "0x", flags_of(event->flags), 2);
}

bool sn_record_dns(struct sn_record *record, const struct sn_view_dns *view)
{
	const struct sn_dns_event *event = view->event;

	if (event->entry == SN_DNS_EMPTY)
		return false;
	sn_record_begin(record, &sn_tstat_tables[SN_TSTAT_DNS_COMPLETE]);
	add_dns_end(record, &view->client, view->client_port);
	add_dns_end(record, &view->server, view->server_port);
	sn_record_f(record, sn_record_ms(event->time_ns));
	add_entry(record, view);
	sn_record_i(record, event->questions);
	sn_record_i(record, event->answers);
	sn_record_i(record, event->authorities);
	sn_record_i(record, event->additionals);
	sn_record_i(record, event->bytes);
	return true;
}
