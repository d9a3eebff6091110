/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: what one line of a Tstat log says, as values in the order of the log's
 * table (data/tstat/columns.h), before they become a line or a row.
 *
 * Internal to log/ and output/.
 */
#ifndef SONDE_METER_LOG_RECORD_H
#define SONDE_METER_LOG_RECORD_H

#include <assert.h>

#include "base/buf.h"
#include "data/tstat/columns.h"
#include "meter/view/view.h"

#define SN_RECORD_FIELDS_MAX 192
#define SN_RECORD_TEXT_MAX   16384 /* what of a record is made, not borrowed, altogether */

/* By the column's type: integers and flags `i`, texts `s`, everything else `f` (NaN: unknown). */
union sn_field {
	int64_t i;
	double f;
	struct sn_str s; /* empty: none */
};

/*
 * How lines of one table look at one level: the columns that are there, in runs of one kind, so
 * that a line is written without asking each column.
 */
#define SN_RECORD_RUNS_MAX 128
struct sn_record_form {
	const struct sn_tstat_table *table; /* NULL: not made yet */
	uint8_t level;
	uint8_t count;
	struct sn_record_run {
		uint8_t type; /* enum sn_tstat_type */
		uint8_t first, fields;
	} runs[SN_RECORD_RUNS_MAX];
};

struct sn_record { /* zeroed at first; texts are borrowed from the view or lie in `text` */
	const struct sn_tstat_table *table;
	struct sn_record_form forms[SN_TSTAT_LOGS + 1]; /* by table; the last: responses of HTTP */
	union sn_field fields[SN_RECORD_FIELDS_MAX];
	size_t count, text_used;
	char text[SN_RECORD_TEXT_MAX];
};

void sn_record_tcp(struct sn_record *record, const struct sn_view_flow *view);
/* log_tcp_nocomplete: the first columns of the other. */
void sn_record_tcp_short(struct sn_record *record, const struct sn_view_flow *view);
void sn_record_udp(struct sn_record *record, const struct sn_view_flow *view);
struct sn_rtp_stream;
struct sn_rtp_streams;
void sn_record_mm(struct sn_record *record, const struct sn_view_flow *view,
		  const struct sn_rtp_streams *streams, const struct sn_rtp_stream *stream);
/* NULL: the flow is no media. */
const struct sn_rtp_streams *sn_record_streams(const struct sn_view_flow *view);
/* `strict`: identifiers of videos are told as "XXX". */
void sn_record_video(struct sn_record *record, const struct sn_view_flow *view, bool strict);
/* What Tstat calls complete: both sides sent a SYN, and it ended before the input did. */
bool sn_record_is_complete(const struct sn_view_flow *view);
bool sn_record_is_video(const struct sn_view_flow *view);
void sn_record_chat(struct sn_record *record, const struct sn_view_flow *view, uint64_t number);
bool sn_record_is_chat(const struct sn_view_flow *view);
/*
 * The part of the flow since its last report.  Tstat's periodic logs hold flows without an end
 * inside, too, but for the last period of those of UDP.
 */
bool sn_record_is_period(const struct sn_view_flow *view);
void sn_record_tcp_periodic(struct sn_record *record, const struct sn_view_flow *view);
void sn_record_udp_periodic(struct sn_record *record, const struct sn_view_flow *view);
/*
 * `urls`: Tstat's httplog_full_url: 0 hosts, 1 paths, 2 everything.  In Tstat's log a message whose
 * header lay in two segments has two records, the second one with REQ2 or RES2; false if there is
 * none.
 */
#define SN_RECORD_URLS_ALL 2
enum sn_record_part { SN_RECORD_WHOLE, SN_RECORD_FIRST, SN_RECORD_SECOND };
bool sn_record_http(struct sn_record *record, const struct sn_view_http *view, unsigned urls,
		    enum sn_record_part part);
/* False for messages that Tstat's log has no line for. */
bool sn_record_dns(struct sn_record *record, const struct sn_view_dns *view);

/* The line in the form of the log, of the columns in `level`, with its line feed. */
void sn_record_write(struct sn_record *record, uint8_t level, struct sn_buf *out);

/* Building; the fields come in the order of the table. */
static inline void sn_record_begin(struct sn_record *record, const struct sn_tstat_table *table)
{
	record->table = table;
	record->count = 0;
	record->text_used = 0;
}

static inline void sn_record_i(struct sn_record *record, int64_t value)
{
	record->fields[record->count++].i = value;
}

static inline void sn_record_f(struct sn_record *record, double value)
{
	record->fields[record->count++].f = value;
}

static inline void sn_record_s(struct sn_record *record, struct sn_str value)
{
	record->fields[record->count++].s = value;
}

/* A text that is made for this record; cut when there is no room for it. */
void sn_record_printf(struct sn_record *record, const char *format, ...) SN_PRINTF(2, 3);
/* The same for what is often: a text that does not stay, a number, one with so many hex digits. */
void sn_record_copy(struct sn_record *record, struct sn_str text);
void sn_record_decimal(struct sn_record *record, uint64_t value);
void sn_record_hex(struct sn_record *record, const char *prefix, uint32_t value, unsigned digits);

static inline void sn_record_address(struct sn_record *record,
				     const struct sn_view_address *address)
{
	char *at = record->text + record->text_used, *end;

	assert(record->text_used + SN_VIEW_ADDRESS_MAX <= sizeof(record->text));
	end = sn_view_address_put(at, address);
	record->text_used += (size_t)(end - at);
	sn_record_s(record, (struct sn_str){at, (size_t)(end - at)});
}

/* Tstat's arithmetic of times: microseconds in a double, each step as it does it. */
static inline double sn_record_us(int64_t time_ns)
{
	return (double)(time_ns / SN_NS_PER_S) * 1000000.0 +
	       (double)(time_ns % SN_NS_PER_S / SN_NS_PER_US);
}

static inline double sn_record_ms(int64_t time_ns)
{
	return sn_record_us(time_ns) / 1000.0;
}

/* 0 if `to_ns` is earlier, also if it never was. */
static inline double sn_record_elapsed_us(int64_t from_ns, int64_t to_ns)
{
	return to_ns <= from_ns ? 0.0 : sn_record_us(to_ns) - sn_record_us(from_ns);
}

static inline double sn_record_elapsed_ms(int64_t from_ns, int64_t to_ns)
{
	return sn_record_elapsed_us(from_ns, to_ns) / 1000.0;
}

/* Tstat adds this to every count that it divides by. */
#define SN_RECORD_COUNT_BIAS 0.0001

#endif
