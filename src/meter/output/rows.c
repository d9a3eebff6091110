/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/rows.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/codec.h"
#include "meter/app/rtp.h"
#include "meter/log/record.h"
#include "meter/output/row.h"

#define LINES_BYTES (64 * 1024)
#define FLUSH_NS    (1 * SN_NS_PER_S) /* of packet time */

/* Rows of `traffic` are made elsewhere (series/) and only pass. */
enum kind {
	FLOW,
	TCP_COMPLETE,
	TCP_NOCOMPLETE,
	UDP_COMPLETE,
	HTTP_COMPLETE,
	DNS_COMPLETE,
	VIDEO_COMPLETE,
	MM_COMPLETE,
	CHAT_COMPLETE,
	TCP_PERIODIC,
	UDP_PERIODIC,
	OWN_KINDS,
	TRAFFIC = OWN_KINDS,
	KINDS
};

static const struct sn_dataset *const datasets[KINDS] = {
	[FLOW] = &sn_dataset_flow,
	[TCP_COMPLETE] = &sn_dataset_tstat_tcp_complete,
	[TCP_NOCOMPLETE] = &sn_dataset_tstat_tcp_nocomplete,
	[UDP_COMPLETE] = &sn_dataset_tstat_udp_complete,
	[HTTP_COMPLETE] = &sn_dataset_tstat_http_complete,
	[DNS_COMPLETE] = &sn_dataset_tstat_dns_complete,
	[VIDEO_COMPLETE] = &sn_dataset_tstat_video_complete,
	[MM_COMPLETE] = &sn_dataset_tstat_mm_complete,
	[CHAT_COMPLETE] = &sn_dataset_tstat_chat_complete,
	[TCP_PERIODIC] = &sn_dataset_tstat_tcp_periodic,
	[UDP_PERIODIC] = &sn_dataset_tstat_udp_periodic,
	[TRAFFIC] = &sn_dataset_traffic,
};

struct sn_rows_out {
	int fd;
	const char *name;
	enum sn_rows_format format;
	bool wanted[KINDS], named, strict;
	pthread_mutex_t lock;
	atomic_int error;
	atomic_uint_fast64_t chats;
};

struct sink {
	struct sn_rows_out *rows;
	struct sn_buf lines;
	int64_t now_ns, flushed_ns;
	struct sn_cell_writer writers[OWN_KINDS];
	struct sn_cell cells[SN_DATASET_COLUMNS_MAX];
	struct sn_record record;
};

/* Writing ----------------------------------------------------------------- */

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

int sn_rows_out_write(struct sn_rows_out *rows, struct sn_str lines)
{
	int rc;

	pthread_mutex_lock(&rows->lock);
	rc = rows->error;
	if (rc == 0) {
		rc = write_all(rows->fd, lines.p, lines.n);
		rows->error = rc;
	}
	pthread_mutex_unlock(&rows->lock);
	return rc;
}

static int hand_over(struct sn_rows_out *rows, struct sn_buf *lines)
{
	int rc = sn_rows_out_write(rows, sn_buf_str(lines));

	sn_buf_clear(lines);
	return rc;
}

static int add_row(struct sink *sink, enum kind kind)
{
	struct sn_rows_out *rows = sink->rows;

	if (rows->format == SN_ROWS_OUT_CSV)
		sn_cell_write_csv(&sink->writers[kind], sink->cells, &sink->lines);
	else
		sn_cell_write_json(&sink->writers[kind], sink->cells, &sink->lines);
	return sink->lines.n >= LINES_BYTES
		       ? hand_over(rows, &sink->lines)
		       : atomic_load_explicit(&rows->error, memory_order_relaxed);
}

static int add_record(struct sink *sink, enum kind kind, int64_t time_ns)
{
	sn_row_tstat(&sink->record, time_ns, sink->cells);
	return add_row(sink, kind);
}

/* What comes in ----------------------------------------------------------- */

static int add_complete(struct sink *sink, const struct sn_view_flow *view)
{
	struct sn_rows_out *rows = sink->rows;
	int rc = 0;

	if (rows->wanted[TCP_COMPLETE]) {
		sn_record_tcp(&sink->record, view);
		rc = add_record(sink, TCP_COMPLETE, view->flow->first_ns);
	}
	if (rc == 0 && rows->wanted[VIDEO_COMPLETE] && sn_record_is_video(view)) {
		sn_record_video(&sink->record, view, rows->strict);
		rc = add_record(sink, VIDEO_COMPLETE, view->flow->first_ns);
	}
	if (rc == 0 && rows->wanted[CHAT_COMPLETE] && sn_record_is_chat(view)) {
		sn_record_chat(&sink->record, view, atomic_fetch_add(&rows->chats, 1) + 1);
		rc = add_record(sink, CHAT_COMPLETE, view->flow->first_ns);
	}
	return rc;
}

/* The same flows as in Tstat's logs. */
static int add_tcp_record(struct sink *sink, const struct sn_view_flow *view)
{
	if (view->flow->mid_stream)
		return 0;
	if (sn_record_is_complete(view))
		return add_complete(sink, view);
	if (!sink->rows->wanted[TCP_NOCOMPLETE])
		return 0;
	sn_record_tcp_short(&sink->record, view);
	return add_record(sink, TCP_NOCOMPLETE, view->flow->first_ns);
}

static int add_udp_record(struct sink *sink, const struct sn_view_flow *view)
{
	const struct sn_rtp_streams *streams = sn_record_streams(view);
	int rc = 0;

	if (sink->rows->wanted[UDP_COMPLETE]) {
		sn_record_udp(&sink->record, view);
		rc = add_record(sink, UDP_COMPLETE, view->flow->first_ns);
	}
	if (streams == NULL || !sink->rows->wanted[MM_COMPLETE])
		return rc;
	for (const struct sn_rtp_stream *stream = streams->first; rc == 0 && stream != NULL;
	     stream = stream->next) {
		sn_record_mm(&sink->record, view, streams, stream);
		rc = add_record(sink, MM_COMPLETE, stream->first_ns);
	}
	return rc;
}

static int add_period(struct sink *sink, const struct sn_view_flow *view)
{
	bool tcp = sn_flow_tcp(view->flow) != NULL;
	enum kind kind = tcp ? TCP_PERIODIC : UDP_PERIODIC;

	if (!sink->rows->wanted[kind] || !sn_record_is_period(view))
		return 0;
	if (tcp)
		sn_record_tcp_periodic(&sink->record, view);
	else
		sn_record_udp_periodic(&sink->record, view);
	return add_record(sink, kind, view->period_first_ns);
}

static int take_flow(void *data, const struct sn_view_flow *view)
{
	struct sink *sink = data;
	int rc = 0;

	if (sink->rows->wanted[FLOW]) {
		sn_row_flow(view, sink->cells);
		rc = add_row(sink, FLOW);
	}
	if (rc == 0)
		rc = add_period(sink, view);
	if (rc < 0 || view->end == SN_END_ACTIVE ||
	    (!view->client.internal && !view->server.internal))
		return rc;
	if (sn_flow_tcp(view->flow) != NULL)
		return add_tcp_record(sink, view);
	return sn_flow_udp(view->flow) != NULL ? add_udp_record(sink, view) : 0;
}

static int take_http(void *data, const struct sn_view_http *view)
{
	struct sink *sink = data;

	if (!sink->rows->wanted[HTTP_COMPLETE])
		return 0;
	sn_record_http(&sink->record, view, SN_RECORD_URLS_ALL, SN_RECORD_WHOLE);
	return add_record(sink, HTTP_COMPLETE, view->message->time_ns);
}

static int take_dns(void *data, const struct sn_view_dns *view)
{
	struct sink *sink = data;

	if (!sink->rows->wanted[DNS_COMPLETE] || !sn_record_dns(&sink->record, view))
		return 0;
	return add_record(sink, DNS_COMPLETE, view->event->time_ns);
}

static int take_time(void *data, int64_t now_ns)
{
	struct sink *sink = data;

	if (now_ns - sink->flushed_ns < FLUSH_NS && now_ns >= sink->flushed_ns)
		return sink->rows->error;
	sink->flushed_ns = now_ns;
	return hand_over(sink->rows, &sink->lines);
}

static int flush(void *data, struct sn_err *err)
{
	struct sink *sink = data;
	int rc = hand_over(sink->rows, &sink->lines);

	return rc == 0 ? 0 : sn_err_sys(err, rc, "cannot write rows to '%s'", sink->rows->name);
}

static void destroy(void *data)
{
	struct sink *sink = data;

	for (int i = 0; i < OWN_KINDS; i++)
		sn_cell_writer_finish(&sink->writers[i]);
	sn_buf_finish(&sink->lines);
	free(sink);
}

struct sn_sink sn_rows_sink_create(struct sn_rows_out *rows)
{
	static const struct sn_sink_ops ops = {
		.flow = take_flow,
		.http = take_http,
		.dns = take_dns,
		.advance = take_time,
		.flush = flush,
		.destroy = destroy,
	};
	struct sink *sink = sn_new(struct sink);

	sink->rows = rows;
	for (int i = 0; i < OWN_KINDS; i++)
		sn_cell_writer_init(&sink->writers[i], datasets[i], rows->named);
	return (struct sn_sink){.ops = &ops, .sink = sink};
}

/* The set ----------------------------------------------------------------- */

static int kind_of(struct sn_str name)
{
	for (int i = 0; i < KINDS; i++)
		if (sn_str_eqc(name, datasets[i]->name))
			return i;
	return -1;
}

static int refuse(struct sn_str name, struct sn_err *err)
{
	sn_autofree char *word = sn_xstrndup(name.p, name.n);
	const char *names[KINDS], *near;

	for (int i = 0; i < KINDS; i++)
		names[i] = datasets[i]->name;
	near = sn_suggest(word, names, KINDS);
	return sn_err_set(err, -EINVAL, "cannot write rows of '%s': the meter has none (%s%s%s)",
			  word,
			  near != NULL ? "did you mean '" : "it has flow, traffic and tstat_*",
			  near != NULL ? near : "", near != NULL ? "'?" : "");
}

static int choose(struct sn_rows_out *rows, const char *text, unsigned *count, struct sn_err *err)
{
	struct sn_str rest = text != NULL ? sn_str(text) : sn_str(datasets[FLOW]->name), name;

	*count = 0;
	while (sn_str_split(&rest, ',', &name)) {
		int kind = kind_of(sn_str_trim(name));

		if (kind < 0)
			return refuse(sn_str_trim(name), err);
		*count += !rows->wanted[kind];
		rows->wanted[kind] = true;
	}
	return *count > 0 ? 0 : sn_err_set(err, -EINVAL, "cannot write rows of no dataset");
}

/* An error is told when the first row is handed over. */
static void write_csv_header(struct sn_rows_out *rows)
{
	struct sn_buf header = {0};

	for (int i = 0; i < OWN_KINDS; i++)
		if (rows->wanted[i])
			sn_csv_write_header(&header, datasets[i]);
	hand_over(rows, &header);
	sn_buf_finish(&header);
}

int sn_rows_out_create(const struct sn_rows_options *options, struct sn_rows_out **rows,
		       struct sn_err *err)
{
	struct sn_rows_out *made = sn_new(struct sn_rows_out);
	unsigned count;
	int rc;

	made->fd = options->fd;
	made->name = options->name;
	made->format = options->format;
	made->strict = options->strict;
	pthread_mutex_init(&made->lock, NULL);
	rc = choose(made, options->datasets, &count, err);
	made->named = count > 1 || !made->wanted[FLOW];
	if (rc == 0 && made->format == SN_ROWS_OUT_CSV && (count > 1 || made->wanted[TRAFFIC]))
		rc = sn_err_set(err, -EINVAL,
				"cannot write '%s' as CSV: a file has one header, and traffic is "
				"written as JSON only (choose one dataset, or JSON)",
				options->datasets);
	if (rc < 0) {
		sn_rows_out_destroy(made);
		return rc;
	}
	if (made->format == SN_ROWS_OUT_CSV)
		write_csv_header(made);
	*rows = made;
	return 0;
}

bool sn_rows_out_wants(const struct sn_rows_out *rows, const char *dataset)
{
	int kind = kind_of(sn_str(dataset));

	return kind >= 0 && rows->wanted[kind];
}

bool sn_rows_out_is_named(const struct sn_rows_out *rows)
{
	return rows->named;
}

void sn_rows_out_destroy(struct sn_rows_out *rows)
{
	if (rows == NULL)
		return;
	pthread_mutex_destroy(&rows->lock);
	free(rows);
}
