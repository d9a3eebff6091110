/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/series/rows.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "data/codec.h"

#define FLUSH_BYTES (64 * 1024)

enum {
	COL_INTERFACE = SN_COL_COMMON,
	COL_STEP_SECONDS,
	COL_METRIC,
	COL_STAT,
	COL_LABEL,
	COL_VALUE,
};

struct sn_traffic_rows {
	pthread_mutex_t lock; /* values come from any worker, flushes from elsewhere */
	sn_traffic_write_fn *write;
	void *ctx;
	int error;
	bool named;
	struct sn_batch *batch;
	struct sn_buf line, out;
};

struct sn_traffic_rows *sn_traffic_rows_create(bool named, sn_traffic_write_fn *write, void *ctx)
{
	struct sn_traffic_rows *rows = sn_new(struct sn_traffic_rows);

	pthread_mutex_init(&rows->lock, NULL);
	rows->write = write;
	rows->ctx = ctx;
	rows->named = named;
	rows->batch = sn_batch_create(&sn_dataset_traffic);
	return rows;
}

void sn_traffic_rows_destroy(struct sn_traffic_rows *rows)
{
	if (rows == NULL)
		return;
	sn_batch_destroy(rows->batch);
	sn_buf_finish(&rows->line);
	sn_buf_finish(&rows->out);
	pthread_mutex_destroy(&rows->lock);
	free(rows);
}

static void drain(struct sn_traffic_rows *rows)
{
	if (rows->error == 0 && rows->out.n > 0)
		rows->error = rows->write(sn_buf_str(&rows->out), rows->ctx);
	sn_buf_clear(&rows->out);
}

static void set_text(struct sn_batch *batch, int column, const char *text)
{
	if (text != NULL && *text != '\0')
		sn_batch_set_text(batch, column, sn_str(text));
}

static void fill_row(struct sn_batch *batch, const struct sn_traffic_value *value)
{
	sn_batch_add_row(batch);
	sn_batch_set_time(batch, SN_COL_TIME, value->begin_ns);
	set_text(batch, COL_INTERFACE, value->interface);
	sn_batch_set_i64(batch, COL_STEP_SECONDS, value->step_seconds);
	set_text(batch, COL_METRIC, value->metric);
	set_text(batch, COL_STAT, value->stat);
	set_text(batch, COL_LABEL, value->label);
	sn_batch_set_f64(batch, COL_VALUE, value->value);
}

void sn_traffic_rows_add(const struct sn_traffic_value *value, void *ctx)
{
	struct sn_traffic_rows *rows = ctx;

	if (value->empty || !isfinite(value->value))
		return;
	pthread_mutex_lock(&rows->lock);
	sn_batch_clear(rows->batch);
	fill_row(rows->batch, value);
	sn_buf_clear(&rows->line);
	sn_jsonl_write_row(&rows->line, &sn_dataset_traffic, sn_batch_row(rows->batch, 0));
	if (rows->named) {
		sn_buf_adds(&rows->out, "{\"dataset\":\"traffic\",");
		sn_buf_add(&rows->out, rows->line.p + 1, rows->line.n - 1);
	} else {
		sn_buf_add(&rows->out, rows->line.p, rows->line.n);
	}
	if (rows->out.n >= FLUSH_BYTES)
		drain(rows);
	pthread_mutex_unlock(&rows->lock);
}

int sn_traffic_rows_flush(struct sn_traffic_rows *rows, struct sn_err *err)
{
	int result;

	pthread_mutex_lock(&rows->lock);
	drain(rows);
	result = rows->error;
	pthread_mutex_unlock(&rows->lock);
	return result == 0 ? 0 : sn_err_sys(err, result, "cannot write rows of the series");
}
