/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_salvage.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

#define SALVAGED INT64_MAX

/* Progress ----------------------------------------------------------------------------- */

static int note_progress(struct sn_salvage *salvage, int64_t progress, struct sn_err *err)
{
	struct sn_buf key = {0};
	int rc;

	sn_buf_addf(&key, "salvage %s", salvage->name);
	rc = sn_db_run(salvage->db, err,
		       "INSERT INTO _file VALUES(?, ?) ON CONFLICT DO UPDATE SET"
		       " value = excluded.value",
		       "ti", sn_buf_cstr(&key), progress);
	sn_buf_finish(&key);
	salvage->progress = progress;
	return SN_MIN(rc, 0);
}

/* How far the file of that name is salvaged; -1: it was not begun. */
static int read_progress(struct sn_db *db, const char *name, int64_t *progress, struct sn_err *err)
{
	sn_autofree char *key = sn_xasprintf("salvage %s", name);
	sqlite3_stmt *row = sn_db_query(db, err, "SELECT value FROM _file WHERE key = ?", "t", key);
	int rc = row != NULL ? sn_db_next(db, row, err) : err->code;

	*progress = rc == 1 ? sqlite3_column_int64(row, 0) : -1;
	sn_db_done(row);
	return SN_MIN(rc, 0);
}

/* Rows ------------------------------------------------------------------------------- */

/* Rows of a piece that go over, and the spans of their new numbers. */
struct piece {
	struct sn_columns *rows;
	struct taken {
		const struct sn_salvage_span *span;
		size_t rows;
	} * taken;
	size_t taken_count;
};

static void take_rows(struct sn_salvage *salvage, struct sn_block_column *const *columns,
		      size_t column_count, int64_t first, struct piece *piece)
{
	size_t rows = sn_block_vector(columns[0])->rows;
	const struct sn_salvage_span *span = NULL;

	for (size_t row = 0; row < rows; row++) {
		int64_t number = first + (int64_t)row;

		if (span == NULL || number >= span->end || number < span->first)
			span = sn_salvage_span_of(salvage, number);
		if (span != NULL && span->source == 0)
			continue;
		sn_columns_add_row(piece->rows);
		for (size_t i = 0; i < column_count; i++)
			sn_columns_set(piece->rows, (int)i,
				       sn_vector_value(sn_block_vector(columns[i]), row));
		if (piece->taken_count == 0 || piece->taken[piece->taken_count - 1].span != span) {
			piece->taken = sn_xrealloc(piece->taken, piece->taken_count + 1,
						   sizeof(*piece->taken));
			piece->taken[piece->taken_count++] = (struct taken){span, 0};
		}
		piece->taken[piece->taken_count - 1].rows++;
	}
}

static int add_totals(struct sn_salvage *salvage, const struct sn_columns *rows, struct sn_err *err)
{
	const struct sn_dataset *dataset = sn_columns_dataset(rows);
	struct sn_vector times = sn_columns_vector(rows, SN_COL_TIME);
	struct sn_block_range range;
	int rc;

	sn_vector_range(&times, &range);
	rc = sn_db_run(salvage->db, err,
		       "INSERT INTO _dataset(dataset, version, batches, rows, time_min, time_max)"
		       " VALUES(?, ?, 0, ?, ?, ?) ON CONFLICT DO UPDATE SET"
		       " rows = rows + excluded.rows,"
		       " time_min = min(coalesce(time_min, excluded.time_min), excluded.time_min),"
		       " time_max = max(coalesce(time_max, excluded.time_max), excluded.time_max)",
		       "tiiii", dataset->name, (int64_t)dataset->version,
		       (int64_t)sn_columns_rows(rows), range.min.i, range.max.i);
	return SN_MIN(rc, 0);
}

static int put_piece(struct sn_salvage *salvage, const struct piece *piece, struct sn_err *err)
{
	const struct sn_dataset *dataset = sn_columns_dataset(piece->rows);
	int64_t number;
	int rc = sn_blocks_put(salvage->db, piece->rows, 0, sn_columns_rows(piece->rows), &number,
			       err);

	for (size_t i = 0; rc == 0 && i < piece->taken_count; i++) {
		const struct sn_salvage_span *span = piece->taken[i].span;
		uint64_t seq = span != NULL ? (uint64_t)span->seq : 0;

		if (span != NULL)
			rc = sn_span_add(salvage->db, dataset, number, piece->taken[i].rows,
					 span->source, span->seq >= 0 ? &seq : NULL, err);
		number += (int64_t)piece->taken[i].rows;
	}
	if (rc == 0)
		rc = add_totals(salvage, piece->rows, err);
	salvage->sum->rows += rc == 0 ? sn_columns_rows(piece->rows) : 0;
	return rc;
}

/* Whether all rows have a time of the day, as what is stored has. */
static bool is_of_day(const struct sn_salvage *salvage, const struct sn_vector *times)
{
	struct sn_block_range range;

	for (size_t i = 0; i < times->rows; i++)
		if (sn_vector_is_null(times, i))
			return false;
	sn_vector_range(times, &range);
	return range.known && sn_day_of(range.min.i) == salvage->day->number &&
	       sn_day_of(range.max.i) == salvage->day->number;
}

static int copy_piece(struct sn_salvage *salvage, const struct sn_dataset *dataset,
		      const struct sn_layout *layout, const struct sn_blocks_info *info,
		      size_t index, struct sn_err *err)
{
	struct sn_block_column *columns[SN_DATASET_COLUMNS_MAX] = {NULL};
	struct piece piece = {.rows = NULL};
	int rc = sn_block_load_piece(&salvage->reader, info, index, layout->columns, layout->count,
				     columns, err);

	if (rc != 0 || !is_of_day(salvage, sn_block_vector(columns[SN_COL_TIME]))) {
		salvage->sum->lost_rows += sn_block_piece_rows(info->rows, index);
		rc = rc == -EUCLEAN || rc == -ESTALE ? 0 : rc;
	} else {
		piece.rows = sn_columns_create(dataset);
		take_rows(salvage, columns, layout->count,
			  info->first + (int64_t)(index * SN_BLOCK_PIECE_ROWS), &piece);
		if (sn_columns_rows(piece.rows) > 0)
			rc = put_piece(salvage, &piece, err);
		sn_columns_destroy(piece.rows);
		free(piece.taken);
	}
	for (size_t i = 0; i < layout->count; i++)
		sn_block_column_destroy(columns[i]);
	return rc;
}

/* Blocks ------------------------------------------------------------------------------- */

/* The dataset as it was when the block was written. */
static int describe(struct sn_salvage *salvage, int64_t id, const struct sn_layout *layout,
		    struct sn_dataset *dataset, struct sn_column *columns, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(
		salvage->old, err, "SELECT dataset, version FROM _layout WHERE id = ?", "i", id);
	int rc = row != NULL ? sn_db_next(salvage->old, row, err) : err->code;

	if (rc == 1) {
		dataset->name = sn_xstrdup(sn_db_text(row, 0));
		dataset->version = (unsigned)sqlite3_column_int(row, 1);
	}
	sn_db_done(row);
	for (size_t i = 0; i < layout->count; i++) {
		columns[i] = (struct sn_column){.type = layout->columns[i].type};
		columns[i].name = sn_xstrndup(layout->columns[i].name.p, layout->columns[i].name.n);
	}
	dataset->columns = columns;
	dataset->column_count = layout->count;
	return rc == 1 ? 0 : SN_MIN(rc, -EUCLEAN);
}

/* A unit on its way to ClickHouse may be there: the mover knew, and its file is gone. */
static int is_moving(struct sn_salvage *salvage, const struct sn_dataset *dataset,
		     const struct sn_blocks_info *info, bool *moving, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(salvage->old, err,
					"SELECT 1 FROM _moving WHERE dataset = ? AND version = ?"
					" AND first <= ? AND first + rows > ?",
					"tiii", dataset->name, (int64_t)dataset->version,
					info->first, info->first);
	int rc = row != NULL ? sn_db_next(salvage->old, row, err) : err->code;

	sn_db_done(row);
	*moving = rc == 1;
	return rc == -EUCLEAN ? 0 : SN_MIN(rc, 0);
}

static int copy_pieces(struct sn_salvage *salvage, const struct sn_blocks_info *info,
		       const struct sn_layout *layout, const struct sn_dataset *dataset,
		       struct sn_err *err)
{
	bool moving = false;
	int rc = is_moving(salvage, dataset, info, &moving, err);

	if (rc == 0 && moving) {
		salvage->sum->moving_rows += info->rows;
		return 0;
	}
	if (rc == 0)
		rc = sn_salvage_load_spans(salvage, dataset, info, err);
	if (rc == 0)
		rc = sn_db_begin(salvage->db, err);
	if (rc != 0)
		return rc;
	rc = sn_salvage_find_sources(salvage, err);
	for (size_t i = 0; rc == 0 && i < sn_block_pieces(info->rows); i++)
		rc = copy_piece(salvage, dataset, layout, info, i, err);
	if (rc == 0)
		rc = note_progress(salvage, info->id, err);
	if (rc == 0)
		return sn_db_commit(salvage->db, err);
	sn_db_rollback(salvage->db);
	return rc;
}

static int copy_block(struct sn_salvage *salvage, const struct sn_blocks_info *info,
		      struct sn_err *err)
{
	struct sn_layout *layout = sn_new(struct sn_layout);
	struct sn_column *columns = sn_new_n(struct sn_column, SN_DATASET_COLUMNS_MAX);
	struct sn_dataset dataset = {.name = NULL};
	int rc = sn_layout_load(salvage->old, info->layout, layout, err);

	if (rc == 0)
		rc = describe(salvage, info->layout, layout, &dataset, columns, err);
	if (rc == 0)
		rc = copy_pieces(salvage, info, layout, &dataset, err);
	else if (rc == -EUCLEAN)
		salvage->sum->lost_rows += info->rows;
	for (size_t i = 0; i < dataset.column_count; i++)
		free((char *)columns[i].name);
	free((char *)dataset.name);
	free(columns);
	sn_layout_finish(layout);
	free(layout);
	return rc == -EUCLEAN ? 0 : rc;
}

struct found {
	struct sn_blocks_info *blocks;
	size_t count;
};

static int by_id(const void *a, const void *b)
{
	const struct sn_blocks_info *left = a, *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

static int note_block(struct sn_salvage *salvage, struct found *found, sqlite3_stmt *row)
{
	struct sn_err local = {0};
	struct sn_blocks_info info;

	if (sn_blocks_fetch(row, &info, &local) != 0) {
		salvage->sum->damaged++;
		return 0;
	}
	found->blocks = sn_xrealloc(found->blocks, found->count + 1, sizeof(*found->blocks));
	found->blocks[found->count++] = info;
	return 0;
}

/* From both ends, and by the index. */
static int list_blocks(struct sn_salvage *salvage, struct found *found, struct sn_err *err)
{
#define BLOCKS                                                                                     \
	"SELECT id, layout, first, rows, time_min, time_max, packed, bytes, tier, sums FROM "      \
	"_block "
	static const char *const ways[] = {BLOCKS "NOT INDEXED ORDER BY id",
					   BLOCKS "NOT INDEXED ORDER BY id DESC",
					   BLOCKS "INDEXED BY _block_first ORDER BY layout, first"};
	int rc = -EUCLEAN;

	for (size_t i = 0; rc == -EUCLEAN && i < SN_COUNT(ways); i++) {
		sqlite3_stmt *row = sn_db_query(salvage->old, err, ways[i], "");

		rc = row != NULL ? 1 : err->code;
		while (rc == 1 && (rc = sn_db_next(salvage->old, row, err)) == 1)
			note_block(salvage, found, row);
		sn_db_done(row);
	}
	if (found->count > 0)
		qsort(found->blocks, found->count, sizeof(*found->blocks), by_id);
	return rc == -EUCLEAN ? 0 : rc;
}

static int copy_blocks(struct sn_salvage *salvage, struct sn_err *err)
{
	struct found found = {.count = 0};
	int64_t last = salvage->progress;
	int rc = list_blocks(salvage, &found, err);

	for (size_t i = 0; rc == 0 && i < found.count; i++) {
		if (found.blocks[i].id <= last)
			continue;
		last = found.blocks[i].id;
		rc = copy_block(salvage, &found.blocks[i], err);
	}
	free(found.blocks);
	return rc;
}

/* Files ---------------------------------------------------------------------------------- */

bool sn_salvage_is_done(const struct sn_store *store, int32_t number, const char *name)
{
	sn_autofree char *path = sn_day_path(store, number, "");
	struct sn_err err = {0};
	int64_t progress = -1;
	struct sn_db *db;

	if (sn_db_open_reader(path, &db, &err) != 0)
		return false;
	(void)read_progress(db, name, &progress, &err);
	sn_db_close(db);
	return progress == SALVAGED;
}

static int begin(struct sn_salvage *salvage, struct sn_err *err)
{
	int rc = sn_db_begin(salvage->db, err);

	if (rc != 0)
		return rc;
	rc = sn_salvage_copy_ledger(salvage, err);
	if (rc == 0)
		rc = note_progress(salvage, 0, err);
	if (rc == 0)
		return sn_db_commit(salvage->db, err);
	sn_db_rollback(salvage->db);
	return rc;
}

static int end(struct sn_salvage *salvage, struct sn_err *err)
{
	int rc = sn_db_begin(salvage->db, err);

	if (rc != 0)
		return rc;
	rc = sn_salvage_end_ledger(salvage, err);
	if (rc == 0)
		rc = note_progress(salvage, SALVAGED, err);
	if (rc == 0)
		return sn_db_commit(salvage->db, err);
	sn_db_rollback(salvage->db);
	return rc;
}

static int copy_file(struct sn_salvage *salvage, struct sn_err *err)
{
	int rc = read_progress(salvage->db, salvage->name, &salvage->progress, err);

	if (rc != 0 || salvage->progress == SALVAGED)
		return rc;
	if (salvage->progress < 0)
		rc = begin(salvage, err);
	if (rc == 0)
		rc = copy_blocks(salvage, err);
	salvage->sum->files += rc == 0;
	return rc == 0 ? end(salvage, err) : rc;
}

/* Its journal must stay as it is: closing would copy it into the file. */
static int open_old(struct sn_salvage *salvage, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(salvage->store->path, salvage->name);
	bool has_rows = false;
	int rc = sn_db_open_reader(path, &salvage->old, err);

	if (rc != 0)
		return rc;
	sqlite3_db_config(sn_db_handle(salvage->old), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* Rows of release 0.1.0 have no checksums: nobody knows whether they are whole. */
	rc = sn_day_has_old_rows(salvage->old, &has_rows, err);
	return rc == 0 && has_rows ? sn_err_set(err, -EUCLEAN, "'%s' has no blocks", path) : rc;
}

static int salvage_file(struct sn_store *store, int32_t number, const char *name,
			struct sn_store_salvage *sum, struct sn_err *err)
{
	struct sn_salvage salvage = {
		.store = store, .day = sn_day_get(store, number), .name = name, .sum = sum};
	int rc;

	if (sn_map_get(store->salvaged, name) != NULL)
		return 0;
	rc = sn_day_open_writer(store, salvage.day, err);

	if (rc == 0)
		rc = open_old(&salvage, err);
	if (rc == 0) {
		salvage.db = salvage.day->writer;
		salvage.reader.db = salvage.old;
		rc = copy_file(&salvage, err);
		sn_blocks_reader_finish(&salvage.reader);
	}
	sn_db_close(salvage.old);
	sn_salvage_forget_spans(&salvage);
	sn_day_forget_sources(salvage.day);
	salvage.day->stamp = 0;
	/* The new file is sound: what cannot be read, names of tables included, is the old one. */
	if ((rc == -EUCLEAN || rc == -EIO) &&
	    (salvage.db == NULL || !sn_db_is_damaged(salvage.db))) {
		sum->unreadable++;
		rc = 0;
	}
	if (rc == 0)
		sn_map_set(store->salvaged, name, store);
	return sn_day_fault(store, salvage.day, rc, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_files(struct sn_store *store, char ***names, size_t *count, struct sn_err *err)
{
	DIR *dir = opendir(store->path);
	struct dirent *entry;
	int32_t number;

	*names = NULL;
	*count = 0;
	if (dir == NULL)
		return sn_err_sys(err, -errno, "cannot read '%s'", store->path);
	while ((entry = readdir(dir)) != NULL) {
		if (!sn_day_is_aside(entry->d_name, &number))
			continue;
		*names = sn_xrealloc(*names, *count + 1, sizeof(**names));
		(*names)[(*count)++] = sn_xstrdup(entry->d_name);
	}
	closedir(dir);
	if (*count > 0)
		qsort(*names, *count, sizeof(**names), by_name);
	return 0;
}

int sn_store_salvage(struct sn_store *store, const char *day, struct sn_store_salvage *sum,
		     struct sn_err *err)
{
	struct sn_err local = {0};
	int32_t wanted = 0, number;
	size_t count = 0;
	char **names;
	int rc;

	err = err != NULL ? err : &local;
	*sum = (struct sn_store_salvage){.files = 0};
	if (day != NULL && sn_day_parse(sn_str(day), &wanted) != 0)
		return sn_err_set(err, -EINVAL, "'%.20s' is no day (write it like 2026-03-01)",
				  day);
	rc = list_files(store, &names, &count, err);
	for (size_t i = 0; i < count; i++) {
		if (rc == 0 && sn_day_is_aside(names[i], &number) &&
		    (day == NULL || number == wanted))
			rc = salvage_file(store, number, names[i], sum, err);
		free(names[i]);
	}
	free(names);
	sn_day_trim(store);
	return rc;
}
