/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_salvage.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

/* Reading what is damaged ------------------------------------------------------- */

typedef int row_fn(struct sn_salvage *salvage, sqlite3_stmt *row, struct sn_err *err);

static int read_rows(struct sn_salvage *salvage, const char *sql, row_fn *fn, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(salvage->old, err, sql, "");
	int rc = row != NULL ? 1 : err->code;

	while (rc == 1 && (rc = sn_db_next(salvage->old, row, err)) == 1) {
		rc = fn(salvage, row, err);
		rc = rc == 0 ? 1 : rc;
	}
	sn_db_done(row);
	return rc;
}

/*
 * From the beginning, and if there is damage on the way, from the end: what lies between two
 * damaged places is lost.  `fn` may see a row twice.
 */
static int read_both_ways(struct sn_salvage *salvage, const char *forwards, const char *backwards,
			  row_fn *fn, struct sn_err *err)
{
	int rc = read_rows(salvage, forwards, fn, err);

	if (rc != -EUCLEAN || !sn_db_is_damaged(salvage->old))
		return rc;
	salvage->sum->damaged++;
	rc = read_rows(salvage, backwards, fn, err);
	if (rc != -EUCLEAN)
		return rc;
	err->code = 0;
	return 0;
}

/* The ledger ---------------------------------------------------------------------- */

static int64_t find_source(struct sn_salvage *salvage, const char *node, const char *stream,
			   struct sn_err *err)
{
	sqlite3_stmt *row = NULL;
	int64_t id = 0;
	int rc = sn_db_run(salvage->db, err,
			   "INSERT OR IGNORE INTO _source(node, stream) VALUES(?, ?)", "tt", node,
			   stream);

	if (rc >= 0)
		row = sn_db_query(salvage->db, err,
				  "SELECT id FROM _source WHERE node = ? AND stream = ?", "tt",
				  node, stream);
	if (row != NULL && sn_db_next(salvage->db, row, err) == 1)
		id = sqlite3_column_int64(row, 0);
	sn_db_done(row);
	return id;
}

/* node, stream, seq, digest, dataset, rows, version */
static int take_batch(struct sn_salvage *salvage, sqlite3_stmt *row, struct sn_err *err)
{
	const char *node = (const char *)sqlite3_column_text(row, 0);
	const char *stream = (const char *)sqlite3_column_text(row, 1);
	const char *dataset = (const char *)sqlite3_column_text(row, 4);
	int64_t seq = sqlite3_column_int64(row, 2), source;
	int rc;

	if (node == NULL || stream == NULL || dataset == NULL || seq < 0 ||
	    sqlite3_column_bytes(row, 3) != sizeof(((struct sn_batch_id *)NULL)->digest))
		return 0; /* what a damaged page makes of it */
	source = find_source(salvage, node, stream, err);
	if (source == 0)
		return err->code;
	rc = sn_db_run(salvage->db, err, "INSERT OR IGNORE INTO _batch VALUES(?, ?, ?, ?, ?)",
		       "iibti", source, seq, sqlite3_column_blob(row, 3), (size_t)32, dataset,
		       sqlite3_column_int64(row, 5));
	if (rc == 0) /* twice seen, or it came again: the rows of the first are there */
		return SN_MIN(
			sn_db_run(salvage->db, err,
				  "INSERT OR IGNORE INTO _doubled SELECT ?, ? WHERE NOT"
				  " EXISTS (SELECT 1 FROM _copied WHERE source = ? AND seq = ?)",
				  "iiii", source, seq, source, seq),
			0);
	if (rc > 0)
		rc = sn_db_run(salvage->db, err, "INSERT INTO _copied VALUES(?, ?)", "ii", source,
			       seq);
	if (rc > 0)
		rc = sn_db_run(
			salvage->db, err,
			"INSERT INTO _dataset(dataset, version, batches, rows)"
			" VALUES(?, ?, 1, 0) ON CONFLICT DO UPDATE SET batches = batches + 1",
			"ti", dataset, (int64_t)SN_MAX(sqlite3_column_int(row, 6), 1));
	salvage->sum->batches += rc > 0;
	return SN_MIN(rc, 0);
}

#define BATCHES                                                                                    \
	"SELECT s.node, s.stream, b.seq, b.digest, b.dataset, b.rows,"                             \
	" (SELECT max(d.version) FROM _dataset AS d WHERE d.dataset = b.dataset)"                  \
	" FROM _batch AS b JOIN _source AS s ON s.id = b.source "

int sn_salvage_copy_ledger(struct sn_salvage *salvage, struct sn_err *err)
{
	int rc = sn_db_exec(salvage->db,
			    "CREATE TABLE IF NOT EXISTS _doubled(source INTEGER, seq INTEGER,"
			    " PRIMARY KEY(source, seq)) WITHOUT ROWID;"
			    "CREATE TEMP TABLE IF NOT EXISTS _copied(source INTEGER, seq INTEGER,"
			    " PRIMARY KEY(source, seq)) WITHOUT ROWID;"
			    "DELETE FROM _doubled; DELETE FROM _copied",
			    err);

	return rc != 0 ? rc
		       : read_both_ways(salvage, BATCHES "ORDER BY b.source, b.seq",
					BATCHES "ORDER BY b.source DESC, b.seq DESC", take_batch,
					err);
}

int sn_salvage_end_ledger(struct sn_salvage *salvage, struct sn_err *err)
{
	return sn_db_exec(salvage->db, "DROP TABLE IF EXISTS _doubled", err);
}

/* Whose rows they are --------------------------------------------------------------- */

void sn_salvage_forget_spans(struct sn_salvage *salvage)
{
	for (size_t i = 0; i < salvage->span_count; i++) {
		free(salvage->spans[i].node);
		free(salvage->spans[i].stream);
	}
	free(salvage->spans);
	salvage->spans = NULL;
	salvage->span_count = 0;
}

int sn_salvage_load_spans(struct sn_salvage *salvage, const struct sn_dataset *dataset,
			  const struct sn_blocks_info *info, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(
		salvage->old, err,
		"SELECT p.first, p.rows, s.node, s.stream, coalesce(p.seq, -1)"
		" FROM _span AS p JOIN _source AS s ON s.id = p.source WHERE p.dataset = ?"
		" AND p.version = ? AND p.first < ? AND p.first + p.rows > ? ORDER BY p.first",
		"tiii", dataset->name, (int64_t)dataset->version, info->first + (int64_t)info->rows,
		info->first);
	int rc = row != NULL ? 1 : err->code;

	sn_salvage_forget_spans(salvage);
	while (rc == 1 && (rc = sn_db_next(salvage->old, row, err)) == 1) {
		const char *node = (const char *)sqlite3_column_text(row, 2);
		const char *stream = (const char *)sqlite3_column_text(row, 3);
		int64_t first = sqlite3_column_int64(row, 0), end;

		if (node == NULL || stream == NULL ||
		    __builtin_add_overflow(first, sqlite3_column_int64(row, 1), &end))
			continue;
		salvage->spans = sn_xrealloc(salvage->spans, salvage->span_count + 1,
					     sizeof(*salvage->spans));
		salvage->spans[salvage->span_count++] =
			(struct sn_salvage_span){.first = first,
						 .end = end,
						 .node = sn_xstrdup(node),
						 .stream = sn_xstrdup(stream),
						 .seq = sqlite3_column_int64(row, 4)};
	}
	sn_db_done(row);
	return rc == -EUCLEAN ? 0 : rc;
}

int sn_salvage_find_sources(struct sn_salvage *salvage, struct sn_err *err)
{
	for (size_t i = 0; i < salvage->span_count; i++) {
		struct sn_salvage_span *span = &salvage->spans[i];
		sqlite3_stmt *row;
		int rc;

		span->source = find_source(salvage, span->node, span->stream, err);
		if (span->source == 0)
			return err->code;
		row = sn_db_query(salvage->db, err,
				  "SELECT 1 FROM _doubled WHERE source = ? AND seq = ?", "ii",
				  span->source, span->seq);
		rc = row != NULL ? sn_db_next(salvage->db, row, err) : err->code;
		sn_db_done(row);
		if (rc < 0)
			return rc;
		if (rc == 1)
			span->source = 0;
	}
	return 0;
}

const struct sn_salvage_span *sn_salvage_span_of(const struct sn_salvage *salvage, int64_t number)
{
	for (size_t i = 0; i < salvage->span_count; i++)
		if (number >= salvage->spans[i].first && number < salvage->spans[i].end)
			return &salvage->spans[i];
	return NULL;
}
