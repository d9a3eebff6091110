/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged blocks: what is whole of them stays, the rest is noted. */
#include "store/blocks_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* One block on its way out. */
struct leaving {
	struct sn_db *db;
	struct sn_blocks_reader reader;
	struct sn_blocks_info info;
	bool believed; /* what is noted of it */
	struct sn_layout layout;
	struct sn_block_column *columns[SN_DATASET_COLUMNS_MAX];
	size_t kept; /* rows */
};

/* Damage is what this is about; a lock or a full disk is not.  A missing column says -ESTALE. */
static int unless_damaged(const struct leaving *leaving, int rc)
{
	return (rc == -EUCLEAN || rc == -ESTALE) && !sn_db_is_damaged(leaving->db) ? 0 : rc;
}

static int add_columns(struct leaving *leaving, struct sn_block_image *image,
		       struct sn_blocks_info *info, struct sn_err *err)
{
	struct sn_block_range range;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < leaving->layout.count; i++)
		rc = sn_block_image_add(image, sn_block_vector(leaving->columns[i]),
					leaving->layout.columns[i].name, err);
	sn_vector_range(sn_block_vector(leaving->columns[SN_COL_TIME]), &range);
	if (rc == 0 && !range.known)
		return sn_err_set(err, -EUCLEAN, "rows without 'time'");
	info->time_min = range.min.i;
	info->time_max = range.max.i;
	return rc;
}

/* Numbers that another block has are not given a second time: the block would be damaged again. */
static int are_taken(struct leaving *leaving, const struct sn_blocks_info *info, bool *taken,
		     struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(leaving->db, err,
			    "SELECT 1 FROM _layout AS o JOIN _layout AS l ON l.dataset = o.dataset"
			    " AND l.version = o.version JOIN _block AS b ON b.layout = l.id"
			    " WHERE o.id = ? AND b.first < ? AND b.first + b.rows > ? LIMIT 1",
			    "iii", info->layout, info->first + (int64_t)info->rows, info->first);
	int rc = statement != NULL ? sn_db_next(leaving->db, statement, err) : err->code;

	*taken = rc == 1;
	sn_db_done(statement);
	return SN_MIN(rc, 0);
}

static int store_piece(struct leaving *leaving, struct sn_blocks_info *info,
		       const struct sn_block_image *image, struct sn_err *err)
{
	bool taken;
	int rc = are_taken(leaving, info, &taken, err);

	if (rc != 0 || taken)
		return rc;
	rc = sn_block_store(leaving->db, info, image, err);
	leaving->kept += rc == 0 ? info->rows : 0;
	return rc;
}

/* A piece becomes a block if it is whole. */
static int keep_piece(struct leaving *leaving, size_t piece, struct sn_err *err)
{
	struct sn_blocks_info info = {
		.layout = leaving->info.layout,
		.first = leaving->info.first + (int64_t)(piece * SN_BLOCK_PIECE_ROWS),
		.rows = sn_block_piece_rows(leaving->info.rows, piece),
	};
	struct sn_block_image image = {.count = 0};
	int rc = sn_block_load_piece(&leaving->reader, &leaving->info, piece,
				     leaving->layout.columns, leaving->layout.count,
				     leaving->columns, err);

	if (rc != 0)
		return unless_damaged(leaving, rc);
	rc = add_columns(leaving, &image, &info, err);
	if (rc == 0)
		rc = store_piece(leaving, &info, &image, err);
	for (size_t i = 0; i < leaving->layout.count; i++)
		sn_block_column_destroy(sn_steal(&leaving->columns[i]));
	sn_block_image_finish(&image);
	return unless_damaged(leaving, rc);
}

static int keep_pieces(struct leaving *leaving, struct sn_err *err)
{
	int rc = sn_layout_load(leaving->db, leaving->info.layout, &leaving->layout, err);

	if (rc != 0)
		return unless_damaged(leaving, rc);
	for (size_t i = 0; rc == 0 && i < sn_block_pieces(leaving->info.rows); i++)
		rc = keep_piece(leaving, i, err);
	sn_blocks_reader_finish(&leaving->reader);
	sn_layout_finish(&leaving->layout);
	return rc;
}

/* 1, or 0 if it is gone. */
static int find_block(struct leaving *leaving, int64_t id, struct sn_err *err)
{
	struct sn_err local = {0};
	sqlite3_stmt *statement =
		sn_db_query(leaving->db, err,
			    "SELECT id, layout, first, rows, time_min, time_max, packed, bytes,"
			    " tier, sums FROM _block WHERE id = ?",
			    "i", id);
	int rc = statement != NULL ? sn_db_next(leaving->db, statement, err) : err->code;

	if (rc == 1) {
		leaving->believed = sn_blocks_fetch(statement, &leaving->info, &local) == 0;
		sn_blocks_reader_keep(&leaving->reader, id, statement);
	}
	sn_db_done(statement);
	return rc;
}

static int move_out(struct leaving *leaving, const char *reason, struct sn_err *err)
{
	int rc = sn_db_run(leaving->db, err,
			   "INSERT INTO _aside SELECT id, layout, first, rows, tier, time_min,"
			   " time_max, packed, bytes, sums, rows, ?, ? FROM _block WHERE id = ?",
			   "tii", reason, sn_wall_ns(), leaving->info.id);

	if (rc >= 0)
		rc = sn_db_run(leaving->db, err, "DELETE FROM _block WHERE id = ?", "i",
			       leaving->info.id);
	return SN_MIN(rc, 0);
}

static int set_aside(struct sn_db *db, int64_t id, const char *reason, struct sn_err *err)
{
	struct leaving *leaving = sn_new(struct leaving);
	int rc;

	leaving->db = leaving->reader.db = db;
	rc = find_block(leaving, id, err);
	if (rc == 1)
		rc = move_out(leaving, reason, err) == 0 ? 1 : err->code;
	if (rc == 1 && leaving->believed)
		rc = keep_pieces(leaving, err) == 0 ? 1 : err->code;
	if (rc == 1)
		rc = sn_db_run(db, err, "UPDATE _aside SET lost = lost - ? WHERE id = ?", "ii",
			       (int64_t)leaving->kept, id);
	free(leaving);
	return SN_MIN(rc, 0);
}

int sn_blocks_set_aside(struct sn_db *db, const int64_t *ids, size_t count, const char *reason,
			struct sn_err *err)
{
	int64_t blamed[SN_DB_BLAMED_MAX];
	struct sn_err local = {0};
	int rc;

	err = err != NULL ? err : &local;
	rc = sn_db_begin(db, err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = set_aside(db, ids[i], reason, err);
	(void)sn_db_take_blamed(db, blamed); /* those that were read once more */
	if (rc == 0)
		return sn_db_commit(db, err);
	sn_db_rollback(db);
	return rc;
}
