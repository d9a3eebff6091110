/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP applications, DNS messages, names of flows and media streams of real captures
 * beside what Tstat wrote of them (reference.h).
 */
#include "lib/test.h"

#include <inttypes.h>
#include <math.h>

#include "meter/app/dns.h"
#include "meter/app/names.h"
#include "meter/app/quic.h"
#include "meter/app/rtp_internal.h"
#include "meter/app/udp.h"
#include "meter/capture/file.h"
#include "meter/meter.h"
#include "meter/output/row.h"
#include "reference.h"

#define FLOWS_MAX   4000
#define STREAMS_MAX 64
#define LINES_MAX   2000
#define TEXT_MAX    128
#define SHARE_MIN   0.99

struct ends {
	char c_ip[SN_FLOW_ADDRESS_MAX], s_ip[SN_FLOW_ADDRESS_MAX];
	unsigned c_port, s_port;
	int64_t first_ns;
};

static struct found_flow {
	struct ends ends;
	uint8_t protocol, type[2];
	struct sn_app_udp app;
	char server_name[TEXT_MAX], agent[TEXT_MAX], fqdn[TEXT_MAX], resolver[TEXT_MAX];
	int64_t asked_ns, answered_ns;
} flows[FLOWS_MAX];
static size_t flow_count;

static struct found_stream {
	struct ends ends;
	uint8_t type[2], mux[2];
	struct sn_rtp_stream stream;
	struct sn_rtp_range ttl;
} streams[STREAMS_MAX];
static size_t stream_count;

static char *lines[LINES_MAX];
static size_t line_count;

/* What agrees, column by column. */
static struct tally {
	const char *log, *column;
	unsigned records, equal;
} tallies[128];
static size_t tally_count;

static void tell(const char *capture, const char *log, const char *column, const struct ends *ends,
		 const char *expected, const char *found, bool equal)
{
	size_t i = 0;

	while (i < tally_count && (strcmp(tallies[i].column, column) != 0 || tallies[i].log != log))
		i++;
	assert_true(i < SN_COUNT(tallies));
	if (i == tally_count)
		tallies[tally_count++] = (struct tally){.log = log, .column = sn_xstrdup(column)};
	tallies[i].records++;
	tallies[i].equal += equal;
	if (!equal)
		print_message("# %s: %s: %s:%u > %s:%u: %s is %s, not %s\n", capture, log,
			      ends->c_ip, ends->c_port, ends->s_ip, ends->s_port, column, expected,
			      found);
}

/* Metering ------------------------------------------------------------------ */

static void copy(char *out, struct sn_str text)
{
	size_t n = SN_MIN(text.n, (size_t)TEXT_MAX - 1);

	if (n > 0)
		memcpy(out, text.p, n);
	out[n] = '\0';
}

static void fill_ends(struct ends *ends, const struct sn_flow *flow)
{
	sn_flow_side_text(flow, SN_CLIENT, ends->c_ip);
	sn_flow_side_text(flow, SN_SERVER, ends->s_ip);
	ends->c_port = sn_flow_port(flow, SN_CLIENT);
	ends->s_port = sn_flow_port(flow, SN_SERVER);
	ends->first_ns = flow->first_ns;
}

static void keep_streams(const struct sn_udp_flow *udp, const struct ends *ends)
{
	const struct sn_rtp_streams *all = udp->app->rtp;

	for (const struct sn_rtp_stream *s = all->first; s != NULL; s = s->next) {
		assert_true(stream_count < STREAMS_MAX);
		streams[stream_count++] = (struct found_stream){
			.ends = *ends,
			.type = {udp->type[0], udp->type[1]},
			.mux = {all->mux[0], all->mux[1]},
			.stream = *s,
			.ttl = all->ttl[s->side],
		};
	}
}

static void keep(const struct sn_flow *flow, enum sn_flow_end end SN_UNUSED, void *ctx SN_UNUSED)
{
	const struct sn_udp_flow *udp = sn_flow_udp(flow);
	struct found_flow *found = &flows[flow_count];

	assert_true(flow_count++ < FLOWS_MAX);
	*found = (struct found_flow){.protocol = flow->key.protocol};
	fill_ends(&found->ends, flow);
	if (flow->name != NULL) {
		copy(found->fqdn, sn_name_text(flow->name->name));
		sn_flow_address_text(flow->name->resolver_family, flow->name->resolver,
				     found->resolver);
		found->asked_ns = flow->name->asked_ns;
		found->answered_ns = flow->name->answered_ns;
	}
	if (udp == NULL)
		return;
	memcpy(found->type, udp->type, sizeof(found->type));
	if (udp->app == NULL)
		return;
	found->app = *udp->app;
	copy(found->server_name, sn_name_text(udp->app->quic_server_name));
	copy(found->agent, sn_name_text(udp->app->quic_agent));
	if (udp->app->rtp != NULL &&
	    (udp->type[0] == SN_UDP_RTP_PLUS || udp->type[1] == SN_UDP_RTP_PLUS))
		keep_streams(udp, &found->ends);
}

static const char *const entries[] = {
	[SN_DNS_REQUEST] = "REQ", [SN_DNS_RESPONSE] = "RESP", [SN_DNS_ERROR] = "RESP_ERR"};

static void keep_dns(const struct sn_dns_event *event, const struct sn_flow *flow,
		     void *ctx SN_UNUSED)
{
	unsigned client = event->client_is_source ? event->side : !event->side;
	char c_ip[SN_FLOW_ADDRESS_MAX], s_ip[SN_FLOW_ADDRESS_MAX], type[16], class_[16], ttl[16];
	char *line;

	if (event->tcp || event->entry == SN_DNS_EMPTY)
		return;
	sn_flow_side_text(flow, client, c_ip);
	sn_flow_side_text(flow, !client, s_ip);
	snprintf(ttl, sizeof(ttl), "%u", event->ttl_seconds);
	line = sn_xasprintf("%s %u %s %u %s 0x%04x %.*s %s %s %s %.*s %u %u %u %u %u", c_ip,
			    sn_flow_port(flow, client), s_ip, sn_flow_port(flow, !client),
			    entries[event->entry], event->id, (int)event->name.n, event->name.p,
			    event->entry == SN_DNS_RESPONSE ? ttl : "-",
			    sn_dns_class_name(event->class_, class_),
			    sn_dns_type_name(event->type, type),
			    event->answer.n > 0 ? (int)event->answer.n : 1,
			    event->answer.n > 0 ? event->answer.p : "-", event->questions,
			    event->answers, event->authorities, event->additionals, event->bytes);
	for (char *blank = strchr(line, '"'); blank != NULL && *blank != '\0'; blank++)
		if (*blank == ' ' && strchr(blank, '"') != NULL)
			*blank = '\t';
	assert_true(line_count < LINES_MAX);
	lines[line_count++] = line;
}

static void meter_capture(const char *path)
{
	struct sn_app_watch watch = {.dns = keep_dns};
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	struct sn_dns_cache *cache = sn_dns_cache_create(names, 1000);
	struct sn_apps_options apps_options = {.names = names, .dns_cache = cache};
	struct sn_apps *apps = sn_apps_create(&apps_options);
	struct sn_meter_options options;
	struct sn_meter *meter;
	struct sn_capture_file *file = NULL;
	struct sn_packet packets[64];
	struct sn_err err;
	int count;

	flow_count = stream_count = 0;
	while (line_count > 0)
		free(lines[--line_count]);
	sn_apps_set_watch(apps, &watch);
	sn_meter_options_default(&options);
	options.apps = apps;
	options.dns_cache = cache;
	meter = sn_meter_create(&options, keep, NULL);
	if (sn_capture_file_open(path, &file, &err) != 0)
		fail_msg("%s", err.text);
	while ((count = sn_capture_file_read(file, packets, 64, &err)) > 0)
		sn_meter_packets(meter, sn_capture_file_link(file), packets, (size_t)count, 0);
	sn_meter_flush(meter);
	sn_capture_file_close(file);
	sn_meter_destroy(meter);
	sn_apps_destroy(apps);
	sn_dns_cache_destroy(cache);
	assert_int_equal(sn_name_pool_memory(names) > 0, 1);
	sn_name_pool_destroy(names);
}

/* Flows --------------------------------------------------------------------- */

static bool is_at(const struct ends *ends, const struct reference *r)
{
	return strcmp(ends->c_ip, reference_text(r, "c_ip")) == 0 &&
	       strcmp(ends->s_ip, reference_text(r, "s_ip")) == 0 &&
	       ends->c_port == reference_number(r, "c_port") &&
	       ends->s_port == reference_number(r, "s_port");
}

static const struct found_flow *find_flow(const struct reference *r, const char *first,
					  uint8_t protocol)
{
	double first_ms = reference_number(r, first);

	for (size_t i = 0; i < flow_count; i++)
		if (flows[i].protocol == protocol && is_at(&flows[i].ends, r) &&
		    fabs((double)(flows[i].ends.first_ns / 1000) / 1000 - first_ms) < 0.001)
			return &flows[i];
	return NULL;
}

static void compare_text(const char *capture, const char *log, const struct reference *r,
			 const char *column, const struct ends *ends, const char *found)
{
	const char *expected = reference_text(r, column);

	found = found[0] == '\0' ? "-" : found;
	tell(capture, log, column, ends, expected, found, strcmp(expected, found) == 0);
}

static void compare_number(const char *capture, const char *log, const struct reference *r,
			   const char *column, const struct ends *ends, double found)
{
	const char *expected = reference_text(r, column);
	double number = strtod(expected, NULL);
	char text[64];

	snprintf(text, sizeof(text), "%.6f", found);
	/* Where the reference divides by zero nothing can be compared. */
	if (isfinite(number))
		tell(capture, log, column, ends, expected, text,
		     fabs(number - found) <= 1e-3 * fabs(number) + 1e-5);
}

static void compare_udp(const char *capture, const struct reference *r)
{
	static const char log[] = "log_udp_complete";
	const struct found_flow *flow = find_flow(r, "c_first_abs", SN_PROTO_UDP);
	struct ends missing = {"?", "?", 0, 0, 0};
	const char *agent, *server_name;
	char version[2][16] = {"-", "-"};

	tell(capture, log, "record", flow != NULL ? &flow->ends : &missing,
	     reference_text(r, "c_ip"), "missing", flow != NULL);
	if (flow == NULL)
		return;
	/* As the log tells: what Tstat can decrypt, and versions where both sides are QUIC. */
	agent = flow->app.quic_version[0] == SN_QUIC_V1 ? flow->agent : "";
	server_name = flow->app.quic_version[0] == SN_QUIC_V1 ? flow->server_name : "";
	for (unsigned side = 0; side < 2 && flow->type[0] == SN_UDP_QUIC; side++)
		snprintf(version[side], sizeof(version[side]), "0x%08x",
			 flow->app.quic_version[side]);
	compare_number(capture, log, r, "c_type", &flow->ends, flow->type[SN_CLIENT]);
	compare_number(capture, log, r, "s_type", &flow->ends, flow->type[SN_SERVER]);
	compare_text(capture, log, r, "fqdn", &flow->ends, flow->fqdn);
	compare_text(capture, log, r, "quic_SNI", &flow->ends, server_name);
	compare_text(capture, log, r, "quic_UA", &flow->ends, agent);
	compare_text(capture, log, r, "quic_c_vers", &flow->ends, version[0]);
	compare_text(capture, log, r, "quic_s_vers", &flow->ends, version[1]);
	compare_number(capture, log, r, "quic_zero_rtt", &flow->ends, flow->app.quic_zero_rtt);
	compare_number(capture, log, r, "quic_ech", &flow->ends, flow->app.quic_ech);
}

static void compare_tcp(const char *capture, const struct reference *r)
{
	static const char log[] = "log_tcp_complete";
	const struct found_flow *flow = find_flow(r, "first", SN_PROTO_TCP);

	/* Whether there is a record is tested elsewhere; log_tcp_nocomplete has no names. */
	if (flow == NULL || reference_text(r, "fqdn")[0] == '\0')
		return;
	compare_text(capture, log, r, "fqdn", &flow->ends, flow->fqdn);
	compare_text(capture, log, r, "dns_rslv", &flow->ends, flow->resolver);
	compare_number(capture, log, r, "req_tm", &flow->ends,
		       (double)(flow->asked_ns / 1000) / 1000);
	compare_number(capture, log, r, "res_tm", &flow->ends,
		       (double)(flow->answered_ns / 1000) / 1000);
}

static void compare_log(const char *capture, const char *log,
			void (*compare)(const char *, const struct reference *))
{
	static struct reference reference;

	if (!reference_open(&reference, capture, log))
		return;
	while (reference_next(&reference))
		compare(capture, &reference);
}

/* DNS ----------------------------------------------------------------------- */

static size_t line_at;

static void compare_dns(const char *capture, const struct reference *r)
{
	static const char *const columns[] = {"c_ip",    "c_port",   "s_ip",    "s_port",
					      "entry",   "trans_id", "query",   "ttl",
					      "class",   "type",     "answer",  "qdcount",
					      "ancount", "nscount",  "arcount", "pkt_size"};
	struct ends ends = {"", "", 0, 0, 0};
	char expected[REFERENCE_LINE_MAX] = "";

	for (size_t i = 0; i < SN_COUNT(columns); i++) {
		strcat(expected, i > 0 ? " " : "");
		strcat(expected, reference_text(r, columns[i]));
	}
	tell(capture, "log_dns_complete", "line", &ends, expected,
	     line_at < line_count ? lines[line_at] : "missing",
	     line_at < line_count && strcmp(lines[line_at], expected) == 0);
	line_at++;
}

/* Media --------------------------------------------------------------------- */

static const struct found_stream *find_stream(const struct reference *r)
{
	unsigned side = reference_text(r, "direction")[0] == 'S';
	bool rtcp = reference_text(r, "a_proto")[0] == 'T';

	for (size_t i = 0; i < stream_count; i++)
		if (is_at(&streams[i].ends, r) && streams[i].stream.side == side &&
		    streams[i].stream.rtcp == rtcp &&
		    streams[i].stream.ssrc == strtoul(reference_text(r, "SSRC"), NULL, 16))
			return &streams[i];
	return NULL;
}

static double mean(const struct sn_rtp_range *range)
{
	return range->count > 0 ? range->sum / (double)range->count : 0;
}

/*
 * The reference weighs its samples in a way that is not RFC 3550's: the first is the same, the
 * others come near.  It has none for types with a clock of 90 kHz.
 */
static void compare_jitter(const char *capture, const struct reference *r,
			   const struct found_stream *found)
{
	static const char *const columns[SN_RTP_CLOCKS] = {"jitter_max", "jitter8k_max",
							   "jitter90k_max"};
	const struct sn_rtp_stream *s = &found->stream;

	for (unsigned i = 0; i < SN_RTP_CLOCKS && sn_rtp_clock(s->types[0].type) != 90000; i++) {
		double expected = reference_number(r, columns[i]), jitter = s->jitter[i].max;
		char text[64];

		snprintf(text, sizeof(text), "%.6f", jitter);
		tell(capture, "log_mm_complete", columns[i], &found->ends,
		     reference_text(r, columns[i]), text,
		     fabs(expected - jitter) <= 0.05 * expected + 1e-6);
	}
}

static void compare_media(const char *capture, const struct reference *r)
{
	static const char log[] = "log_mm_complete";
	const struct found_stream *found = find_stream(r);
	struct ends missing = {"?", "?", 0, 0, 0};
	const struct sn_rtp_stream *s;

	tell(capture, log, "record", found != NULL ? &found->ends : &missing,
	     reference_text(r, "SSRC"), "missing", found != NULL);
	if (found == NULL)
		return;
	s = &found->stream;
#define NUMBER(column, value) compare_number(capture, log, r, column, &found->ends, (double)(value))
	NUMBER("c_proto", found->type[SN_CLIENT]);
	NUMBER("s_proto", found->type[SN_SERVER]);
	NUMBER("c_mux_prot", found->mux[SN_CLIENT]);
	NUMBER("s_mux_prot", found->mux[SN_SERVER]);
	NUMBER("packets", s->packets);
	NUMBER("ipg", mean(&s->gap_ms));
	NUMBER("ttl_avg", mean(&found->ttl));
	NUMBER("ttl_max", found->ttl.max);
	NUMBER("ttl_min", found->ttl.min);
	NUMBER("databytes", s->bytes);
	NUMBER("losses", s->lost);
	NUMBER("oos", s->out_of_sequence);
	NUMBER("dup", s->duplicates);
	NUMBER("late", s->late);
	NUMBER("pt_id", s->types[0].type);
	NUMBER("pt_counters", s->types[0].packets);
	NUMBER("bogus", s->bogus);
	NUMBER("rtcp_losses", s->reported_lost);
	NUMBER("rtt_samples", s->rtt_ms.count);
	NUMBER("rtcp_trunc", s->truncated);
	NUMBER("rtp_max_payload", s->payload.max);
	NUMBER("rtp_min_payload", s->payload.min);
	NUMBER("rtp_avg_payload", mean(&s->payload));
#undef NUMBER
	if (!s->rtcp)
		compare_jitter(capture, r, found);
}

/* --------------------------------------------------------------------------- */

static void compare_capture(const char *name, const char *path)
{
	if (!reference_has(name, "log_udp_complete") && !reference_has(name, "log_tcp_complete"))
		return;
	meter_capture(path);
	line_at = 0;
	compare_log(name, "log_udp_complete", compare_udp);
	compare_log(name, "log_tcp_complete", compare_tcp);
	compare_log(name, "log_tcp_nocomplete", compare_tcp);
	compare_log(name, "log_dns_complete", compare_dns);
	compare_log(name, "log_mm_complete", compare_media);
}

static void columns_are_those_of_the_reference(void **state SN_UNUSED)
{
	reference_for_each(compare_capture);
	assert_true(tally_count > 0);
	for (size_t i = 0; i < tally_count; i++)
		print_message("# %-18s %-16s %4u of %4u\n", tallies[i].log, tallies[i].column,
			      tallies[i].equal, tallies[i].records);
	for (size_t i = 0; i < tally_count; i++)
		assert_true(tallies[i].equal >= SHARE_MIN * tallies[i].records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_those_of_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
