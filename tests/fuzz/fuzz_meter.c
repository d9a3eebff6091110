/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets through the whole meter with everything that looks at them: applications,
 * views, rows of all datasets, lines of Tstat's logs, the summary.
 *
 * Input as for fuzz_decode: one byte for the link type, then per packet two bytes of
 * captured length, two of bytes that were not captured, two of milliseconds since the
 * packet before (signed), all little-endian, and the captured bytes.
 */
#include <fcntl.h>
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "data/codec.h"
#include "meter/app/names.h"
#include "meter/app/rtp.h"
#include "meter/log/record.h"
#include "meter/output/row.h"
#include "meter/output/summary.h"
#include "meter/worker.h"

#define NAMES_BYTES (1 << 20)
#define CACHE       64

static const int links[] = {DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_RAW,  DLT_NULL,
			    DLT_LOOP,   DLT_PPP,       DLT_PPP_ETHER,  DLT_IPV4, DLT_IPV6};

struct checker {
	struct sn_cell_writer *writers; /* by place in the catalog, made when used */
	struct sn_batch **batches;
	struct sn_cell cells[SN_DATASET_COLUMNS_MAX];
	struct sn_record record;
	struct sn_buf line;
};

/* The line is one, and the strict reader of its dataset takes it. */
static int check_row(struct checker *checker, const struct sn_dataset *dataset)
{
	size_t i = 0;

	while (i < sn_catalog_count && sn_catalog[i] != dataset)
		i++;
	if (i == sn_catalog_count)
		abort();
	if (checker->batches[i] == NULL) {
		sn_cell_writer_init(&checker->writers[i], dataset, true);
		checker->batches[i] = sn_batch_create(dataset);
	}
	sn_buf_clear(&checker->line);
	sn_cell_write_json(&checker->writers[i], checker->cells, &checker->line);
	sn_batch_clear(checker->batches[i]);
	if (checker->line.n <= SN_JSONL_LINE_MAX &&
	    sn_jsonl_read_row(checker->batches[i], sn_str_trim(sn_buf_str(&checker->line)), NULL) <
		    0)
		abort();
	return 0;
}

/* As many fields as the table has columns, in one line. */
static int check_record(struct checker *checker, int64_t time_ns)
{
	const struct sn_tstat_table *table = checker->record.table;
	size_t fields = 1;

	sn_buf_clear(&checker->line);
	sn_record_write(&checker->record, SN_TSTAT_LEVEL_ALL, &checker->line);
	for (size_t i = 0; i < checker->line.n; i++)
		fields += checker->line.p[i] == table->separator;
	if (fields != table->count ||
	    (const char *)memchr(checker->line.p, '\n', checker->line.n) !=
		    checker->line.p + checker->line.n - 1)
		abort();
	if (table->dataset == NULL)
		return 0;
	sn_row_tstat(&checker->record, time_ns, checker->cells);
	return check_row(checker, table->dataset);
}

static void check_tcp(struct checker *checker, const struct sn_view_flow *view)
{
	sn_record_tcp(&checker->record, view);
	check_record(checker, view->flow->first_ns);
	sn_record_tcp_short(&checker->record, view);
	check_record(checker, view->flow->first_ns);
	sn_record_tcp_periodic(&checker->record, view);
	check_record(checker, view->flow->first_ns);
	sn_record_video(&checker->record, view, sn_record_is_chat(view));
	check_record(checker, view->flow->first_ns);
	sn_record_chat(&checker->record, view, 1);
	check_record(checker, view->flow->first_ns);
}

static void check_udp(struct checker *checker, const struct sn_view_flow *view)
{
	const struct sn_udp_flow *udp = sn_flow_udp(view->flow);
	const struct sn_rtp_streams *streams = udp->app != NULL ? udp->app->rtp : NULL;

	sn_record_udp(&checker->record, view);
	check_record(checker, view->flow->first_ns);
	sn_record_udp_periodic(&checker->record, view);
	check_record(checker, view->flow->first_ns);
	for (const struct sn_rtp_stream *s = streams != NULL ? streams->first : NULL; s != NULL;
	     s = s->next) {
		sn_record_mm(&checker->record, view, streams, s);
		check_record(checker, view->flow->first_ns);
	}
}

static int take_flow(void *sink, const struct sn_view_flow *view)
{
	struct checker *checker = sink;

	sn_row_flow(view, checker->cells);
	check_row(checker, &sn_dataset_flow);
	if (sn_flow_tcp(view->flow) != NULL)
		check_tcp(checker, view);
	else if (sn_flow_udp(view->flow) != NULL)
		check_udp(checker, view);
	return 0;
}

static int take_http(void *sink, const struct sn_view_http *view)
{
	struct checker *checker = sink;

	for (enum sn_record_part part = SN_RECORD_WHOLE; part <= SN_RECORD_SECOND; part++)
		for (unsigned urls = 0; urls <= SN_RECORD_URLS_ALL; urls++)
			if (sn_record_http(&checker->record, view, urls, part))
				check_record(checker, view->message->time_ns);
	return 0;
}

static int take_dns(void *sink, const struct sn_view_dns *view)
{
	struct checker *checker = sink;

	return sn_record_dns(&checker->record, view) ? check_record(checker, view->event->time_ns)
						     : 0;
}

static const struct sn_sink_ops checks = {.flow = take_flow, .http = take_http, .dns = take_dns};

/* Parts that stay from input to input. */
static struct checker *make_checker(void)
{
	static struct checker checker;

	if (checker.batches != NULL)
		return &checker;
	checker.writers = sn_new_n(struct sn_cell_writer, sn_catalog_count);
	checker.batches = sn_new_n(struct sn_batch *, sn_catalog_count);
	return &checker;
}

static const char *source_name(uint16_t source, void *ctx)
{
	(void)source;
	(void)ctx;
	return "fuzz";
}

static bool read_packet(struct sn_rd *rd, int64_t *time_ns, struct sn_packet *packet)
{
	uint16_t captured = sn_rd_u16le(rd), missing = sn_rd_u16le(rd);

	*time_ns += (int16_t)sn_rd_u16le(rd) * SN_NS_PER_MS;
	*packet = (struct sn_packet){
		.time_ns = *time_ns,
		.data = sn_rd_bytes(rd, captured),
		.captured = captured,
		.length = (uint32_t)captured + missing,
	};
	return sn_rd_ok(rd);
}

static void write_summary(const struct sn_summary *summary, struct sn_worker *worker)
{
	struct sn_worker_stats stats;
	struct sn_summary_facts facts = {.source = "fuzz", .worker = &stats};
	struct sn_buf text = {0};

	sn_worker_read_stats(worker, &stats);
	sn_summary_write(summary, &facts, &text);
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ' && text.p[i] != '\n')
			abort(); /* it could drive a terminal */
	sn_buf_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_orders_values values = {.http = true, .dns = true, .http_urls = true};
	struct sn_worker_options options = {.source_name = source_name, .community_id = true};
	struct sn_name_pool *names = sn_name_pool_create(NAMES_BYTES);
	struct sn_summary *summary = sn_summary_create(3);
	int64_t time_ns = 1700000000 * SN_NS_PER_S;
	struct sn_orders orders;
	struct sn_worker *worker;
	struct sn_packet packet;
	struct sn_rd rd;

	sn_orders_init(&orders, &values);
	sn_meter_options_default(&options.meter);
	options.meter.active_ns = SN_NS_PER_S;
	options.meter.max_flows = 16;
	options.meter.dns_cache = sn_dns_cache_create(names, CACHE);
	options.names = names;
	options.orders = &orders;
	options.sinks[options.sink_count++] = (struct sn_sink){&checks, make_checker()};
	options.sinks[options.sink_count++] = sn_summary_sink_create(summary);
	worker = sn_worker_create(&options);
	sn_rd_init(&rd, data, size);

	int link = links[sn_rd_u8(&rd) % SN_COUNT(links)];

	while (read_packet(&rd, &time_ns, &packet))
		if (sn_worker_packets(worker, link, &packet, 1, 0) < 0)
			abort();
	if (sn_worker_finish(worker, NULL) < 0)
		abort();
	write_summary(summary, worker);
	sn_worker_destroy(worker);
	sn_dns_cache_destroy(options.meter.dns_cache);
	sn_orders_finish(&orders);
	sn_name_pool_destroy(names);
	sn_summary_destroy(summary);
	return 0;
}
