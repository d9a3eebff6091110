/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told of flows, read back by a reader that knows nothing of the exporter
 * (ipfix_reader.h).
 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "ipfix_reader.h"
#include "ipfix_views.h"
#include "meter/ipfix/sender.h"
#include "meter/view/privacy.h"

#define PEN             32473 /* for documentation (RFC 5612) */
#define OWN_REVERSE(id) ((id) | 0x4000)
#define START_MS        1700000000000

/* What one record said, kept while its message is not any more. */
struct kept {
	struct ipfix_template template;
	struct ipfix_record record;
	char bytes[4096];
};

struct file {
	char path[64];
	struct sn_ipfix *ipfix;
	struct sn_sink sink;
	struct ipfix_reader reader;
	struct kept flows[8];
	size_t flow_count;
	struct kept options[256];
	size_t option_count;
};

static void keep(struct kept *kept, const struct ipfix_record *record)
{
	char *p = kept->bytes;

	kept->template = *record->template;
	kept->record.template = &kept->template;
	for (unsigned i = 0; i < record->template->count; i++) {
		assert_true(p + record->values[i].n <= kept->bytes + sizeof(kept->bytes));
		memcpy(p, record->values[i].p, record->values[i].n);
		kept->record.values[i] = (struct sn_str){p, record->values[i].n};
		p += record->values[i].n;
	}
}

static void take(const struct ipfix_record *record, void *ctx)
{
	struct file *file = ctx;

	if (record->template->scopes > 0 && file->option_count < SN_COUNT(file->options))
		keep(&file->options[file->option_count++], record);
	if (record->template->scopes == 0 && file->flow_count < SN_COUNT(file->flows))
		keep(&file->flows[file->flow_count++], record);
}

static struct file *file_create(uint32_t enterprise, bool uniflow)
{
	struct file *file = sn_new(struct file);
	char collector[80];
	struct sn_err err;
	struct sn_ipfix_options options = {
		.collector = collector, .domain = 7, .enterprise = enterprise, .uniflow = uniflow};

	strcpy(file->path, "/tmp/sonde-ipfix-XXXXXX");
	close(mkstemp(file->path));
	snprintf(collector, sizeof(collector), "file:%s", file->path);
	assert_int_equal(sn_ipfix_create(&options, &file->ipfix, &err), 0);
	file->sink = sn_ipfix_sink_create(file->ipfix);
	ipfix_reader_init(&file->reader, take, file);
	return file;
}

static void file_add(struct file *file, const struct sn_view_flow *view)
{
	assert_int_equal(file->sink.ops->flow(file->sink.sink, view), 0);
}

/* Ends the export and reads all of it. */
static void file_read(struct file *file)
{
	struct sn_buf bytes = {0};

	file->sink.ops->destroy(file->sink.sink);
	sn_ipfix_destroy(file->ipfix);
	assert_int_equal(sn_fs_read(file->path, 64 << 20, &bytes, NULL), 0);
	if (!ipfix_read_stream(&file->reader, bytes.p, bytes.n))
		fail_msg("%s", file->reader.why);
	assert_int_equal(file->reader.domain, 7);
	sn_buf_finish(&bytes);
}

static void file_destroy(struct file *file)
{
	unlink(file->path);
	ipfix_reader_finish(&file->reader);
	free(file);
}

static const struct ipfix_record *only_flow(const struct file *file)
{
	assert_int_equal(file->flow_count, 1);
	return &file->flows[0].record;
}

static struct file *file_of(const struct sn_view_flow *view, uint32_t enterprise, bool uniflow)
{
	struct file *file = file_create(enterprise, uniflow);

	file_add(file, view);
	file_read(file);
	return file;
}

static void assert_text(const struct ipfix_record *record, uint32_t enterprise, uint16_t id,
			const char *expected)
{
	struct sn_str text = ipfix_text(record, enterprise, id);

	assert_int_equal(text.n, strlen(expected));
	assert_memory_equal(text.p, expected, text.n);
}

#define assert_number(record, enterprise, id, expected)                                            \
	assert_int_equal(ipfix_number(record, enterprise, id), expected)

/* Records --------------------------------------------------------------------- */

static void connection_is_told_in_one_record_of_both_directions(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	const struct ipfix_record *record;
	struct file *file;

	ipfix_test_view_tcp(&test);
	file = file_of(&test.view, 0, false);
	record = only_flow(file);
	assert_number(record, 0, 152, START_MS);
	assert_number(record, 0, 153, START_MS + 1500);
	assert_number(record, 0, 8, 0xc0000201);
	assert_number(record, 0, 12, 0xc6336402);
	assert_number(record, 0, 7, 40000);
	assert_number(record, 0, 11, 443);
	assert_number(record, 0, 4, 6);
	assert_number(record, 0, 2, 10);
	assert_number(record, IPFIX_REVERSE, 2, 12);
	assert_number(record, 0, 1, 1000);
	assert_number(record, IPFIX_REVERSE, 1, 9000);
	assert_number(record, 0, 52, 63);
	assert_number(record, 0, 53, 64);
	assert_number(record, IPFIX_REVERSE, 52, 55);
	assert_number(record, 0, 136, 3);
	assert_number(record, 0, 61, 1); /* egress: the source is inside */
	assert_number(record, 0, 239, 1);
	assert_text(record, 0, 96, "tls");
	file_destroy(file);
}

static void flags_are_those_of_their_direction(void **state SN_UNUSED)
{
	enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
	struct ipfix_test_view test;
	const struct ipfix_record *record;
	struct file *file;

	ipfix_test_view_tcp(&test);
	file = file_of(&test.view, 0, false);
	record = only_flow(file);
	assert_number(record, 0, 6, SYN | PSH | ACK | FIN);
	assert_number(record, IPFIX_REVERSE, 6, SYN | ACK | RST);
	file_destroy(file);
	/* One that was never answered sent all that was seen. */
	test.flow.side[SN_SERVER] = (struct sn_flow_side){0};
	file = file_of(&test.view, 0, false);
	assert_number(only_flow(file), 0, 6, 0xff);
	file_destroy(file);
}

static void our_own_elements_need_an_enterprise_number(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	const struct ipfix_record *record;
	struct file *file;

	ipfix_test_view_tcp(&test);
	file = file_of(&test.view, 0, false);
	record = only_flow(file);
	for (unsigned i = 0; i < record->template->count; i++)
		assert_true(record->template->fields[i].enterprise == 0 ||
			    record->template->fields[i].enterprise == IPFIX_REVERSE);
	file_destroy(file);
}

static void round_trips_names_and_losses_are_told_under_it(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	const struct ipfix_record *record;
	struct file *file;

	ipfix_test_view_tcp(&test);
	file = file_of(&test.view, PEN, false);
	record = only_flow(file);
	assert_text(record, PEN, 1, "www.example.com");
	assert_text(record, PEN, 2, "example.com");
	assert_number(record, PEN, 7, 0x0304);
	assert_number(record, PEN, 9, 2); /* false */
	assert_number(record, PEN, 10, 20000);
	assert_number(record, PEN, 11, 1000);
	assert_number(record, PEN, 32, 600);
	assert_number(record, PEN, OWN_REVERSE(32), 8500);
	assert_number(record, PEN, 33, 3);
	assert_number(record, PEN, 34, 100);
	assert_number(record, PEN, 35, 200);
	assert_number(record, PEN, 36, 300);
	assert_number(record, PEN, 37, 100); /* (140000 - 600 * 600 / 3) / 2 = 100 * 100 */
	assert_number(record, PEN, OWN_REVERSE(33), 0);
	assert_number(record, PEN, OWN_REVERSE(34), 0);
	assert_number(record, PEN, 40, 2);
	assert_number(record, PEN, 44, 2);
	assert_number(record, PEN, OWN_REVERSE(52), 65536);
	file_destroy(file);
}

static void two_records_tell_a_direction_each(void **state SN_UNUSED)
{
	const struct ipfix_record *there, *back;
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_udp(&test);
	file = file_of(&test.view, PEN, true);
	assert_int_equal(file->flow_count, 2);
	there = &file->flows[0].record;
	back = &file->flows[1].record;
	assert_number(there, 0, 8, 0xc0000201);
	assert_number(back, 0, 8, 0xc6336402);
	assert_number(back, 0, 12, 0xc0000201);
	assert_number(there, 0, 7, 40000);
	assert_number(back, 0, 7, 443);
	assert_number(there, 0, 1, 1000);
	assert_number(back, 0, 1, 9000);
	assert_number(there, 0, 61, 1);
	assert_number(back, 0, 61, 0);
	assert_number(there, 0, 239, 1);
	assert_number(back, 0, 239, 2);
	assert_false(ipfix_has(there, IPFIX_REVERSE, 1));
	file_destroy(file);
}

static void datagrams_of_one_direction_have_its_times(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_udp(&test);
	file = file_of(&test.view, 0, true);
	assert_number(&file->flows[1].record, 0, 152, START_MS + 30);
	assert_number(&file->flows[1].record, 0, 153, START_MS + 1400);
	file_destroy(file);
}

static void direction_without_packets_has_no_record_of_its_own(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_udp(&test);
	test.view.period[SN_SERVER] = (struct sn_flow_side){0};
	file = file_of(&test.view, 0, true);
	assert_number(only_flow(file), 0, 8, 0xc0000201);
	file_destroy(file);
}

static void interim_record_tells_its_period(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	const struct ipfix_record *record;
	struct file *file;

	ipfix_test_view_udp(&test);
	test.view.end = SN_END_ACTIVE;
	test.view.period_first_ns += SN_NS_PER_S;
	test.view.period[SN_CLIENT].bytes = 40;
	file = file_of(&test.view, 0, false);
	record = only_flow(file);
	assert_number(record, 0, 152, START_MS + 1000);
	assert_number(record, 0, 1, 40);
	assert_number(record, 0, 136, 2);
	file_destroy(file);
}

static void reasons_are_those_of_the_registry(void **state SN_UNUSED)
{
	static const unsigned expected[] = {[SN_END_CLOSED] = 3,
					    [SN_END_IDLE] = 1,
					    [SN_END_ACTIVE] = 2,
					    [SN_END_FULL] = 5,
					    [SN_END_END] = 4};
	struct file *file = file_create(0, false);
	struct ipfix_test_view test;

	ipfix_test_view_udp(&test);
	for (unsigned end = SN_END_CLOSED; end <= SN_END_END; end++) {
		test.view.end = (enum sn_flow_end)end;
		file_add(file, &test.view);
	}
	file_read(file);
	assert_int_equal(file->flow_count, SN_END_END + 1);
	for (unsigned end = SN_END_CLOSED; end <= SN_END_END; end++)
		assert_number(&file->flows[end].record, 0, 136, expected[end]);
	file_destroy(file);
}

static void echo_has_its_type_and_its_answer_the_other(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_icmp(&test, 4);
	file = file_of(&test.view, 0, true);
	assert_number(&file->flows[0].record, 0, 32, 0x0800);
	assert_number(&file->flows[1].record, 0, 32, 0x0000);
	assert_false(ipfix_has(&file->flows[0].record, 0, 7));
	file_destroy(file);
	ipfix_test_view_icmp(&test, 6);
	file = file_of(&test.view, 0, true);
	assert_number(&file->flows[0].record, 0, 139, 0x8000);
	assert_number(&file->flows[1].record, 0, 139, 0x8100);
	assert_memory_equal(ipfix_text(&file->flows[0].record, 0, 27).p, test.view.client.ip, 16);
	file_destroy(file);
}

static void dropped_address_is_not_in_the_record(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	const struct ipfix_record *record;
	struct file *file;

	ipfix_test_view_tcp(&test);
	test.view.client = (struct sn_view_address){0};
	file = file_of(&test.view, PEN, false);
	record = only_flow(file);
	assert_false(ipfix_has(record, 0, 8));
	assert_false(ipfix_has(record, 0, 27));
	assert_true(ipfix_has(record, 0, 12));
	file_destroy(file);
}

static void the_real_address_is_never_told(void **state SN_UNUSED)
{
	static const char real[] = "\12\143\143\143"; /* 10.99.99.99 */
	struct ipfix_test_view test;
	struct sn_buf bytes = {0};
	struct file *file;

	ipfix_test_view_tcp(&test);
	memcpy(test.flow.key.low, real, 4);
	memcpy(test.flow.key.high, real, 4);
	file = file_of(&test.view, PEN, true);
	assert_int_equal(sn_fs_read(file->path, 1 << 20, &bytes, NULL), 0);
	assert_null(memmem(bytes.p, bytes.n, real, 4));
	sn_buf_finish(&bytes);
	file_destroy(file);
}

static void networks_are_told_when_one_is_known(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_tcp(&test);
	test.view.server.asn = 64500;
	strcpy(test.view.server.country, "IT");
	file = file_of(&test.view, PEN, false);
	assert_number(only_flow(file), 0, 16, 0);
	assert_number(only_flow(file), 0, 17, 64500);
	assert_text(only_flow(file), PEN, 6, "IT");
	file_destroy(file);
}

static void texts_that_are_no_utf8_become_it(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_tcp(&test);
	test.view.http_host = SN_STR("a\xff\xc3\xa9\xc3");
	file = file_of(&test.view, 0, false);
	assert_text(only_flow(file), 0, 460, "a?\xc3\xa9?");
	file_destroy(file);
}

static void long_texts_are_cut_to_one_octet_of_length(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_tcp(&test);
	memset(test.texts[0], 'x', sizeof(test.texts[0]));
	test.view.http_host = (struct sn_str){test.texts[0], sizeof(test.texts[0])};
	file = file_of(&test.view, 0, false);
	assert_int_equal(ipfix_text(only_flow(file), 0, 460).n, 253);
	file_destroy(file);
}

static void guessed_client_is_an_arbitrary_direction(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_tcp(&test);
	test.flow.mid_stream = true;
	file = file_of(&test.view, PEN, false);
	assert_number(only_flow(file), 0, 239, 0);
	assert_number(only_flow(file), PEN, 9, 1);
	file_destroy(file);
}

/* Options --------------------------------------------------------------------- */

/* The options record of a template in which `id` is `value`. */
static const struct ipfix_record *find_option(const struct file *file, uint16_t id, uint64_t value,
					      uint16_t other)
{
	for (size_t i = 0; i < file->option_count; i++) {
		const struct ipfix_record *record = &file->options[i].record;

		if (ipfix_has(record, 0, id) && ipfix_has(record, 0, other) &&
		    ipfix_number(record, 0, id) == value)
			return record;
	}
	return NULL;
}

static void our_own_elements_say_what_they_are(void **state SN_UNUSED)
{
	const struct ipfix_record *type, *flow;
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_tcp(&test);
	file = file_of(&test.view, PEN, false);
	type = find_option(file, 303, OWN_REVERSE(34), 339);
	assert_non_null(type);
	assert_int_equal(type->template->scopes, 2);
	assert_number(type, 0, 346, PEN);
	assert_number(type, 0, 339, 3); /* unsigned32 */
	assert_number(type, 0, 344, 1); /* quantity */
	assert_number(type, 0, 345, 7); /* microseconds */
	assert_text(type, 0, 341, "reverseTcpRttMinimumMicroseconds");
	flow = only_flow(file);
	for (unsigned i = 0; i < flow->template->count; i++)
		if (flow->template->fields[i].enterprise == PEN &&
		    find_option(file, 303, flow->template->fields[i].id, 339) == NULL)
			fail_msg("element %u is not described", flow->template->fields[i].id);
	file_destroy(file);
}

/* Lengths in templates must be those of the types that we say our elements have. */
static void lengths_are_those_of_the_types(void **state SN_UNUSED)
{
	static const uint16_t octets[] = {
		[1] = 1, [2] = 2, [3] = 4, [4] = 8, [11] = 1, [13] = 65535};
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_tcp(&test);
	test.view.client.asn = 1;
	file = file_of(&test.view, PEN, false);
	for (unsigned i = 0; i < only_flow(file)->template->count; i++) {
		const struct ipfix_field *field = &only_flow(file)->template->fields[i];
		const struct ipfix_record *type;

		if (field->enterprise != PEN)
			continue;
		type = find_option(file, 303, field->id, 339);
		assert_int_equal(field->length, octets[ipfix_number(type, 0, 339)]);
	}
	file_destroy(file);
}

static void interface_has_a_name(void **state SN_UNUSED)
{
	const struct ipfix_record *source;
	struct ipfix_test_view test;
	struct file *file;

	ipfix_test_view_udp(&test);
	test.flow.source = 4;
	file = file_of(&test.view, 0, false);
	assert_number(only_flow(file), 0, 138, 5);
	source = find_option(file, 138, 5, 82);
	assert_non_null(source);
	assert_text(source, 0, 82, "eth0");
	file_destroy(file);
}

static void losses_are_told_at_the_end(void **state SN_UNUSED)
{
	struct file *file = file_create(0, false);
	struct ipfix_test_view test;
	const struct ipfix_record *record;

	ipfix_test_view_udp(&test);
	file_add(file, &test.view);
	sn_ipfix_set_ignored(file->ipfix, 1234);
	file_read(file);
	record = find_option(file, 149, 7, 164);
	assert_non_null(record);
	assert_number(record, 0, 164, 1234);
	record = find_option(file, 149, 7, 42);
	assert_non_null(record);
	assert_number(record, 0, 42, 1);
	file_destroy(file);
}

static const struct ipfix_record *find_technique(const struct file *file, uint16_t element)
{
	return find_option(file, 303, element, 286);
}

static struct file *file_with_policy(const char *lines)
{
	struct sn_privacy *privacy = sn_privacy_create();
	struct file *file = file_create(PEN, false);
	struct ipfix_test_view test;

	assert_int_equal(sn_privacy_parse(privacy, sn_str(lines), "policy", NULL), 0);
	sn_ipfix_set_privacy(file->ipfix, privacy);
	sn_privacy_destroy(privacy);
	ipfix_test_view_tcp(&test);
	file_add(file, &test.view);
	file_read(file);
	return file;
}

static void what_was_done_to_addresses_is_told(void **state SN_UNUSED)
{
	struct file *file = file_with_policy("client_address cryptopan\nserver_address truncate\n"
					     "name hash\n");

	assert_number(find_technique(file, 8), 0, 286, 6);
	assert_number(find_technique(file, 8), 0, 145, only_flow(file)->template->id);
	assert_number(find_technique(file, 12), 0, 286, 2);
	assert_number(find_technique(file, 460), 0, 286, 5);
	assert_number(find_technique(file, 1), 0, 346, PEN);
	assert_null(find_technique(file, 27)); /* not in this template */
	file_destroy(file);
}

static void addresses_that_are_kept_need_no_word(void **state SN_UNUSED)
{
	struct file *file = file_with_policy("internal_address cryptopan\n");

	/* The client is inside, the server is not. */
	assert_number(find_technique(file, 8), 0, 286, 6);
	assert_null(find_technique(file, 12));
	file_destroy(file);
}

/* Everything ------------------------------------------------------------------ */

static void every_message_decodes_whatever_the_views_are(void **state SN_UNUSED)
{
	static struct ipfix_test_view test;
	struct sn_prng prng;

	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct file *file = file_create(seed % 2 ? PEN : 0, seed % 4 < 2);
		struct sn_ipfix_stats stats;
		uint64_t expected = 0;

		sn_prng_seed(&prng, seed);
		for (unsigned i = 0; i < 2000; i++) {
			ipfix_test_view_random(&test, &prng);
			file_add(file, &test.view);
			expected += seed % 4 >= 2 ? 1
						  : (test.view.period[0].packets > 0) +
							    (test.view.period[1].packets > 0);
		}
		assert_int_equal(file->sink.ops->flush(file->sink.sink, NULL), 0);
		sn_ipfix_stats(file->ipfix, &stats);
		file_read(file);
		print_message("# seed %u: %u messages, %zu templates\n", (unsigned)seed,
			      file->reader.messages, file->reader.template_count);
		assert_int_equal(file->reader.records, expected);
		assert_int_equal(stats.records, expected);
		assert_int_equal(stats.lost_records, 0);
		file_destroy(file);
	}
}

/* As of UDP through the narrowest path: records and templates still fit. */
static int check_body(struct sn_str body, uint32_t records, void *ctx)
{
	size_t *largest = ctx;

	assert_true(records > 0);
	*largest = SN_MAX(*largest, body.n + SN_IPFIX_HEADER);
	return 0;
}

static void records_and_templates_fit_into_a_small_datagram(void **state SN_UNUSED)
{
	enum { SMALLEST = 1200 };
	const struct sn_ipfix_style style = {.enterprise = PEN};
	static struct ipfix_test_view test;
	struct sn_ipfix_packer packer;
	struct sn_buf bytes = {0};
	struct sn_prng prng;
	size_t largest = 0;

	for (uint16_t shape = 0; shape < SN_IPFIX_SHAPES; shape++) {
		sn_buf_clear(&bytes);
		sn_ipfix_put_template(&bytes, shape, &style);
		assert_true(bytes.n + SN_IPFIX_SET_HEADER + SN_IPFIX_HEADER <= SMALLEST);
	}
	sn_ipfix_packer_init(&packer, SMALLEST, check_body, &largest);
	sn_prng_seed(&prng, 42);
	for (unsigned i = 0; i < 5000; i++) {
		struct sn_ipfix_record record = {.view = &test.view,
						 .text_max = SN_IPFIX_TEXT_SHORT};
		uint16_t shape;

		ipfix_test_view_random(&test, &prng);
		shape = sn_ipfix_shape_of(&test.view, SN_CLIENT);
		sn_buf_clear(&bytes);
		sn_ipfix_put_record(&bytes, shape, &style, &record);
		assert_true(sn_ipfix_packer_fits(&packer, bytes.n));
		sn_ipfix_packer_add(&packer, SN_IPFIX_TEMPLATES + shape, sn_buf_str(&bytes));
	}
	sn_ipfix_packer_flush(&packer);
	assert_in_range(largest, SMALLEST / 2, SMALLEST);
	sn_ipfix_packer_finish(&packer);
	sn_buf_finish(&bytes);
}

static void reader_of_the_tests_refuses_what_is_wrong(void **state SN_UNUSED)
{
	struct ipfix_test_view test;
	struct sn_buf bytes = {0};
	struct file *file;
	unsigned accepted = 0;

	ipfix_test_view_tcp(&test);
	file = file_of(&test.view, PEN, false);
	assert_int_equal(sn_fs_read(file->path, 1 << 20, &bytes, NULL), 0);
	for (size_t cut = 1; cut < bytes.n; cut++) {
		struct ipfix_reader reader;

		ipfix_reader_init(&reader, NULL, NULL);
		accepted += ipfix_read_stream(&reader, bytes.p, bytes.n - cut);
		ipfix_reader_finish(&reader);
	}
	/* Only where a message ends. */
	assert_int_equal(accepted, file->reader.messages - 1);
	sn_buf_finish(&bytes);
	file_destroy(file);
}

static void full_disk_ends_the_run(void **state SN_UNUSED)
{
	struct sn_ipfix_options options = {.collector = "file:/dev/full"};
	struct sn_ipfix *ipfix;
	struct sn_err err;

	if (access("/dev/full", W_OK) != 0) {
		print_message("# skipped: no /dev/full here\n");
		return;
	}
	assert_int_equal(sn_ipfix_create(&options, &ipfix, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "/dev/full"));
}

static void mistakes_in_the_collector_are_told(void **state SN_UNUSED)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"127.0.0.1:4739", "use udp:HOST:PORT"}, {"udp:", "no HOST:PORT"},
		{"udp:host:", "no HOST:PORT"},           {"udp::4739", "no HOST:PORT"},
		{"tcp:127.0.0.1:0", "no HOST:PORT"},     {"tcp:127.0.0.1:65536", "no HOST:PORT"},
		{"tcp:127.0.0.1:http", "no HOST:PORT"},  {"tcp:[::1", "no HOST:PORT"},
		{"tcp:[::1]4739", "no HOST:PORT"},       {"file:", "no name of a file"},
		{"file:/nowhere/x", "'/nowhere/x'"},     {"sctp:127.0.0.1", "use udp:HOST:PORT"},
	};
	struct sn_ipfix *ipfix;

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_ipfix_options options = {.collector = cases[i].text};
		struct sn_err err = {0};

		assert_true(sn_ipfix_create(&options, &ipfix, &err) < 0);
		if (strstr(err.text, cases[i].expected) == NULL)
			fail_msg("'%s' gives '%s'", cases[i].text, err.text);
	}
}

static void certificates_are_only_for_tls(void **state SN_UNUSED)
{
	struct sn_ipfix_options options = {.collector = "tcp:127.0.0.1:9", .ca = "/nowhere"};
	struct sn_ipfix *ipfix;
	struct sn_err err;

	assert_int_equal(sn_ipfix_create(&options, &ipfix, &err), -EINVAL);
	options = (struct sn_ipfix_options){.collector = "tls:127.0.0.1", .ca = "/nowhere"};
	assert_int_equal(sn_ipfix_create(&options, &ipfix, &err), -ENOENT);
	options.certificate = "/nowhere";
	assert_int_equal(sn_ipfix_create(&options, &ipfix, &err), -EINVAL);
	assert_non_null(strstr(err.text, "needs its key"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connection_is_told_in_one_record_of_both_directions),
		cmocka_unit_test(flags_are_those_of_their_direction),
		cmocka_unit_test(our_own_elements_need_an_enterprise_number),
		cmocka_unit_test(round_trips_names_and_losses_are_told_under_it),
		cmocka_unit_test(two_records_tell_a_direction_each),
		cmocka_unit_test(datagrams_of_one_direction_have_its_times),
		cmocka_unit_test(direction_without_packets_has_no_record_of_its_own),
		cmocka_unit_test(interim_record_tells_its_period),
		cmocka_unit_test(reasons_are_those_of_the_registry),
		cmocka_unit_test(echo_has_its_type_and_its_answer_the_other),
		cmocka_unit_test(dropped_address_is_not_in_the_record),
		cmocka_unit_test(the_real_address_is_never_told),
		cmocka_unit_test(networks_are_told_when_one_is_known),
		cmocka_unit_test(texts_that_are_no_utf8_become_it),
		cmocka_unit_test(long_texts_are_cut_to_one_octet_of_length),
		cmocka_unit_test(guessed_client_is_an_arbitrary_direction),
		cmocka_unit_test(our_own_elements_say_what_they_are),
		cmocka_unit_test(lengths_are_those_of_the_types),
		cmocka_unit_test(interface_has_a_name),
		cmocka_unit_test(losses_are_told_at_the_end),
		cmocka_unit_test(what_was_done_to_addresses_is_told),
		cmocka_unit_test(addresses_that_are_kept_need_no_word),
		cmocka_unit_test(every_message_decodes_whatever_the_views_are),
		cmocka_unit_test(records_and_templates_fit_into_a_small_datagram),
		cmocka_unit_test(reader_of_the_tests_refuses_what_is_wrong),
		cmocka_unit_test(full_disk_ends_the_run),
		cmocka_unit_test(mistakes_in_the_collector_are_told),
		cmocka_unit_test(certificates_are_only_for_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
