/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in memory, one open batch per dataset, until they are enough or have waited long enough. */
#define SN_MODULE "spool"
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/codec.h"
#include "node/spool/spool_internal.h"

#define DAY_NS (86400 * SN_NS_PER_S)

static void drop_rows(struct sn_spool *spool, size_t rows, const char *why)
{
	spool->stats.dropped_rows += rows;
	spool->stats.full = true;
	SN_LOG_LIMITED(SN_LOG_WARNING, "rows dropped rows=%zu reason=\"%s\"", rows, why);
}

/* Appends rows from `from` on, numbered, until the file is large enough; how many. */
static size_t format_rows(struct sn_spool *spool, const struct sn_spool_open *open, size_t from)
{
	size_t count = SN_MIN(sn_batch_rows(open->rows) - from, (size_t)SN_SPOOL_BATCH_ROWS);

	sn_buf_clear(&spool->text);
	for (size_t i = 0; i < count; i++) {
		struct sn_value seq = {.type = SN_TYPE_I64, .i = (int64_t)(spool->next_row + i)};
		size_t before = spool->text.n;

		sn_batch_set(open->rows, from + i, SN_COL_SEQ, seq);
		sn_jsonl_write_row(&spool->text, open->dataset, sn_batch_row(open->rows, from + i));
		if (spool->text.n > SN_SPOOL_BATCH_BYTES && i > 0) {
			spool->text.n = before;
			return i;
		}
	}
	return count;
}

static void close_batch(struct sn_spool *spool, struct sn_spool_open *open)
{
	size_t total = sn_batch_rows(open->rows), done = 0;
	struct sn_err err = {0};

	while (done < total) {
		size_t rows = format_rows(spool, open, done);

		if (sn_spool_write(spool, open->dataset, rows, &err) != 0)
			drop_rows(spool, rows, err.text);
		done += rows;
	}
	sn_batch_clear(open->rows);
}

static struct sn_spool_open *open_for(struct sn_spool *spool, const struct sn_dataset *dataset)
{
	struct sn_spool_open *open;

	for (size_t i = 0; i < spool->open_count; i++) {
		if (spool->open[i].dataset == dataset)
			return &spool->open[i];
	}
	spool->open = sn_xrealloc(spool->open, spool->open_count + 1, sizeof(*spool->open));
	open = &spool->open[spool->open_count++];
	*open = (struct sn_spool_open){.dataset = dataset, .rows = sn_batch_create(dataset)};
	return open;
}

static int64_t day_of(int64_t unix_ns)
{
	return unix_ns >= 0 ? unix_ns / DAY_NS : -1 - (-1 - unix_ns) / DAY_NS;
}

static void add_row(struct sn_spool *spool, struct sn_spool_open *open, const struct sn_value *row,
		    uint64_t now_ns)
{
	int64_t day = day_of(row[SN_COL_TIME].i);
	size_t index;

	if (sn_batch_rows(open->rows) > 0 && open->day != day)
		close_batch(spool, open);
	if (sn_batch_rows(open->rows) == 0) {
		open->day = day;
		open->since_ns = now_ns;
	}
	index = sn_batch_add_row(open->rows);
	for (size_t column = 0; column < open->dataset->column_count; column++)
		sn_batch_set(open->rows, index, (int)column, row[column]);
	if (index + 1 == SN_SPOOL_BATCH_ROWS)
		close_batch(spool, open);
}

int sn_spool_add(struct sn_spool *spool, const struct sn_batch *rows, uint64_t now_ns)
{
	struct sn_spool_open *open = open_for(spool, sn_batch_dataset(rows));

	for (size_t i = 0; i < sn_batch_rows(rows); i++) {
		if (sn_batch_get(rows, i, SN_COL_TIME)->type != SN_TYPE_TIME)
			return -EINVAL;
	}
	for (size_t i = 0; i < sn_batch_rows(rows); i++)
		add_row(spool, open, sn_batch_row(rows, i), now_ns);
	return 0;
}

uint64_t sn_spool_flush(struct sn_spool *spool, uint64_t now_ns)
{
	/* Small files take whole blocks: with nobody fetching them they had better be larger. */
	uint64_t linger_ns = spool->stats.batches >= SN_SPOOL_BACKLOG ? SN_SPOOL_LINGER_LONG_NS
								      : SN_SPOOL_LINGER_NS;
	uint64_t next_ns = UINT64_MAX;

	for (size_t i = 0; i < spool->open_count; i++) {
		struct sn_spool_open *open = &spool->open[i];

		if (sn_batch_rows(open->rows) == 0)
			continue;
		if (open->since_ns + linger_ns <= now_ns)
			close_batch(spool, open);
		else
			next_ns = SN_MIN(next_ns, open->since_ns + linger_ns);
	}
	return next_ns;
}

void sn_spool_flush_all(struct sn_spool *spool)
{
	for (size_t i = 0; i < spool->open_count; i++)
		close_batch(spool, &spool->open[i]);
}

void sn_spool_gather_finish(struct sn_spool *spool)
{
	sn_spool_flush_all(spool);
	for (size_t i = 0; i < spool->open_count; i++)
		sn_batch_destroy(spool->open[i].rows);
	free(spool->open);
	sn_buf_finish(&spool->text);
}
