/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink of one worker: records into batches of a message each.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "meter/ipfix/sender.h"

struct sink {
	struct sn_ipfix *ipfix;
	struct sn_ipfix_packer packer;
	struct sn_buf record;
	uint64_t first_ns; /* when the oldest record was put in; monotonic clock */
	/* Of what is in the packer. */
	uint64_t shapes[SN_IPFIX_SHAPE_WORDS];
	uint64_t packets, octets;
	uint64_t named[SN_IPFIX_SOURCES_MAX / 64]; /* sources whose names were passed on */
};

static int take_body(struct sn_str body, uint32_t records, void *ctx)
{
	struct sink *sink = ctx;
	struct sn_ipfix_batch *batch = sn_xmalloc(sizeof(*batch) + body.n);

	memcpy(batch->shapes, sink->shapes, sizeof(batch->shapes));
	batch->records = records;
	batch->packets = sink->packets;
	batch->octets = sink->octets;
	batch->size = body.n;
	memcpy(batch->body, body.p, body.n);
	memset(sink->shapes, 0, sizeof(sink->shapes));
	sink->packets = sink->octets = 0;
	return sn_ipfix_push(sink->ipfix, batch);
}

static int flush_packer(struct sink *sink)
{
	int result = sn_ipfix_packer_flush(&sink->packer);

	/* A new connection may have another limit. */
	sink->packer.max = sink->ipfix->collector.message_max - SN_IPFIX_HEADER;
	return result;
}

static void name_source(struct sink *sink, const struct sn_view_flow *view)
{
	uint16_t number = view->flow->source;
	uint64_t bit = 1ULL << number % 64;

	if (number >= SN_IPFIX_SOURCES_MAX || view->interface == NULL ||
	    (sink->named[number / 64] & bit) != 0)
		return;
	sink->named[number / 64] |= bit;
	sn_ipfix_name_source(sink->ipfix, number, view->interface);
}

static void make_record(struct sink *sink, uint16_t shape, struct sn_ipfix_record *record)
{
	sn_buf_clear(&sink->record);
	sn_ipfix_put_record(&sink->record, shape, &sink->ipfix->style, record);
}

static int add_record(struct sink *sink, const struct sn_view_flow *view, unsigned from)
{
	uint16_t shape = sn_ipfix_shape_of(view, from);
	struct sn_ipfix_record record = {
		.view = view,
		.from = from,
		.uniflow = sink->ipfix->style.uniflow,
		.text_max = SN_IPFIX_TEXT_MAX,
	};
	int result = 0;

	make_record(sink, shape, &record);
	if (!sn_ipfix_packer_fits(&sink->packer, sink->record.n)) {
		record.text_max = SN_IPFIX_TEXT_SHORT;
		make_record(sink, shape, &record);
	}
	if (!sn_ipfix_packer_has_room(&sink->packer, SN_IPFIX_TEMPLATES + shape, sink->record.n))
		result = flush_packer(sink);
	if (sn_ipfix_packer_empty(&sink->packer))
		sink->first_ns = sn_mono_ns();
	sn_ipfix_packer_add(&sink->packer, SN_IPFIX_TEMPLATES + shape, sn_buf_str(&sink->record));
	sink->shapes[shape / 64] |= 1ULL << shape % 64;
	sink->packets += view->period[from].packets;
	sink->octets += view->period[from].bytes;
	if (!record.uniflow) {
		sink->packets += view->period[!from].packets;
		sink->octets += view->period[!from].bytes;
	}
	return result;
}

static int take_flow(void *ctx, const struct sn_view_flow *view)
{
	struct sink *sink = ctx;
	int result = 0;

	name_source(sink, view);
	if (!sink->ipfix->style.uniflow)
		return add_record(sink, view, SN_CLIENT);
	for (unsigned from = SN_CLIENT; result == 0 && from <= SN_SERVER; from++)
		if (view->period[from].packets > 0)
			result = add_record(sink, view, from);
	return result;
}

static int advance(void *ctx, int64_t now_ns SN_UNUSED)
{
	struct sink *sink = ctx;

	if (sn_ipfix_packer_empty(&sink->packer) ||
	    sn_mono_ns() - sink->first_ns < sink->ipfix->patience.batch_ns)
		return 0;
	return flush_packer(sink);
}

static int flush(void *ctx, struct sn_err *err)
{
	struct sink *sink = ctx;
	int result = flush_packer(sink);

	if (result != 0)
		return sn_err_sys(err, result, "cannot write IPFIX to '%s'", sink->ipfix->text);
	return 0;
}

static void destroy(void *ctx)
{
	struct sink *sink = ctx;

	flush_packer(sink);
	sn_ipfix_packer_finish(&sink->packer);
	sn_buf_finish(&sink->record);
	free(sink);
}

static const struct sn_sink_ops ops = {
	.flow = take_flow,
	.advance = advance,
	.flush = flush,
	.destroy = destroy,
};

struct sn_sink sn_ipfix_sink_create(struct sn_ipfix *ipfix)
{
	struct sink *sink = sn_new(struct sink);

	sink->ipfix = ipfix;
	sn_ipfix_packer_init(&sink->packer, ipfix->collector.message_max, take_body, sink);
	return (struct sn_sink){.ops = &ops, .sink = sink};
}
