/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "mover"
#include "store/mover_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

/* Since when ------------------------------------------------------------------- */

/* Number before which rows have waited long enough. */
static int64_t ripe_end(const struct sn_lane *lane, uint64_t now_ns, int64_t after_ns)
{
	int64_t end = 0;

	for (unsigned i = 0; i < lane->mark_count; i++)
		if (now_ns - lane->marks[i].mono_ns >= (uint64_t)after_ns)
			end = lane->marks[i].end;
	return end;
}

/* Of those that are old enough the last one says it all. */
static void drop_marks(struct sn_lane *lane, uint64_t now_ns, int64_t after_ns)
{
	int64_t ripe = ripe_end(lane, now_ns, after_ns);
	unsigned kept = 0;

	for (unsigned i = 0; i < lane->mark_count; i++)
		if (lane->marks[i].end >= ripe && lane->marks[i].end > lane->waiting.first)
			lane->marks[kept++] = lane->marks[i];
	lane->mark_count = lane->waiting.rows > 0 ? kept : 0;
}

void sn_lane_mark(struct sn_lane *lane, uint64_t now_ns, int64_t after_ns, bool old)
{
	unsigned n;

	drop_marks(lane, now_ns, after_ns);
	n = lane->mark_count;
	if (lane->waiting.rows == 0 || n == SN_LANE_MARKS ||
	    (n > 0 && (lane->marks[n - 1].end >= lane->waiting.end ||
		       now_ns - lane->marks[n - 1].mono_ns < (uint64_t)after_ns / 8)))
		return;
	lane->marks[n].end = lane->waiting.end;
	lane->marks[n].mono_ns = old ? now_ns - (uint64_t)after_ns : now_ns;
	lane->mark_count++;
}

/* Errors ------------------------------------------------------------------------ */

void sn_lane_failed(struct sn_mover *mover, struct sn_lane *lane, const struct sn_err *err)
{
	if (strcmp(lane->reason, err->text) != 0)
		sn_warn("rows of dataset '%s' do not move: %s", lane->name, err->text);
	snprintf(lane->reason, sizeof(lane->reason), "%s", err->text);
	lane->retry_ns = sn_mono_ns() + sn_mover_delay(mover, lane->failures++);
	mover->stats.failures++;
}

static void lane_well(struct sn_lane *lane)
{
	lane->failures = 0;
	lane->reason[0] = '\0';
}

/* What ClickHouse said about this lane, or that it says nothing. */
static int remote_failed(struct sn_mover *mover, struct sn_lane *lane, const struct sn_err *err)
{
	if (sn_mover_is_lost(err->code))
		return sn_mover_lost(mover, err);
	sn_lane_failed(mover, lane, err);
	return 0;
}

/* The file's own trouble: damaged, full, locked for too long. */
static int file_failed(struct sn_mover *mover, struct sn_track *track, struct sn_lane *lane, int rc,
		       struct sn_err *err)
{
	struct sn_day *day = sn_day_get(mover->store, track->number);

	(void)sn_day_fault(mover->store, day, rc, err);
	track->stamp = 0;
	sn_lane_failed(mover, lane, err);
	return 0;
}

struct sn_day *sn_lane_open(struct sn_mover *mover, const struct sn_track *track,
			    struct sn_err *err)
{
	struct sn_day *day = sn_day_get(mover->store, track->number);

	/* The reader first: it does not make a file that was dropped. */
	if (sn_day_open_reader(mover->store, day, err) != 0 ||
	    sn_day_open_writer(mover->store, day, err) != 0)
		return NULL;
	sn_day_trim(mover->store);
	return day;
}

/* Units ------------------------------------------------------------------------- */

static uint64_t global_id(const struct sn_track *track, const struct sn_moving_unit *unit)
{
	return sn_blocks_global_id(track->epoch, unit->block);
}

/* It is there: the file forgets it. */
static int finish(struct sn_mover *mover, struct sn_track *track, struct sn_lane *lane)
{
	struct sn_err err = {0};
	struct sn_day *day = sn_lane_open(mover, track, &err);
	int rc = day != NULL ? sn_moving_end(day->writer, &lane->unit, &err) : err.code;

	if (rc != 0)
		return file_failed(mover, track, lane, rc, &err);
	lane->noted = false;
	track->stamp = 0;
	track->emptied = true;
	lane_well(lane);
	return 1;
}

/* Blocks of the unit are damaged: those that are not go without them. */
static int begin_again(struct sn_mover *mover, struct sn_track *track, struct sn_lane *lane,
		       struct sn_err *err)
{
	struct sn_err local = {0};
	struct sn_day *day;

	file_failed(mover, track, lane, -EUCLEAN, err);
	day = sn_lane_open(mover, track, &local);
	if (day != NULL && sn_moving_cancel(day->writer, &lane->unit, &local) == 0)
		lane->noted = false;
	return 0;
}

static int send(struct sn_mover *mover, struct sn_track *track, struct sn_lane *lane)
{
	struct sn_clickhouse_block block = {
		.day = track->number,
		.id = global_id(track, &lane->unit),
		.first = lane->unit.first,
	};
	struct sn_columns *rows = sn_columns_create(lane->dataset);
	struct sn_err err = {0};
	struct sn_day *day = sn_lane_open(mover, track, &err);
	int rc = day != NULL ? sn_moving_read(day->reader, &lane->unit, rows, &err) : err.code;
	uint64_t begin_ns = sn_mono_ns();

	if (rc != 0) {
		sn_columns_destroy(rows);
		return rc == -EUCLEAN ? begin_again(mover, track, lane, &err)
				      : file_failed(mover, track, lane, rc, &err);
	}
	lane->fresh = lane->answered = false;
	lane->denied_ns = 0;
	rc = sn_clickhouse_insert(sn_mover_client(mover), rows, &block, &err);
	sn_columns_destroy(rows);
	lane->inserted_ns = sn_mono_ns();
	if (rc != 0) {
		lane->answered = rc != -EAGAIN && rc != -ECANCELED;
		/* The table may be another one than that which was looked at. */
		sn_map_remove(mover->defined, lane->name);
		return remote_failed(mover, lane, &err);
	}
	mover->stats.inserts++;
	mover->stats.insert_seconds += (double)(lane->inserted_ns - begin_ns) / 1e9;
	return finish(mover, track, lane);
}

/* Files that were restored --------------------------------------------------------- */

/* Rows of this file that are there, whatever block brought them. */
struct there {
	int64_t first, end; /* numbers that are looked for */
	uint64_t count;
	int64_t next; /* behind the highest one */
};

static int count_there(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	struct there *there = ctx;

	for (size_t i = 0; i < sn_columns_rows(rows); i++) {
		if (numbers[i] < there->first || numbers[i] >= there->end)
			continue;
		there->count++;
		there->next = SN_MAX(there->next, numbers[i] + 1);
	}
	return 0;
}

static int look_there(struct sn_mover *mover, const struct sn_track *track,
		      const struct sn_lane *lane, struct there *there, struct sn_err *err)
{
	static const struct sn_column common[] = {SN_COMMON_COLUMNS};
	struct sn_dataset dataset = {.name = lane->name,
				     .version = lane->version,
				     .columns = common,
				     .column_count = SN_COL_COMMON};
	struct sn_query query = {.dataset = &dataset, .since_ns = INT64_MIN};
	struct sn_clickhouse_scan scan = {.query = &query};

	sn_remote_narrow(&query, track->number);
	return sn_clickhouse_scan(sn_mover_client(mover), &scan, count_there, there, err);
}

/*
 * The file is an older state of itself.  What it had sent after that is there, under ids of other
 * units, without a gap from its frontier of then on.
 */
static int settle_restored(struct sn_mover *mover, struct sn_track *track, struct sn_lane *lane)
{
	struct there there = {.first = lane->unit.first, .end = lane->unit.end};
	struct sn_err err = {0};

	if (look_there(mover, track, lane, &there, &err) < 0)
		return remote_failed(mover, lane, &err);
	if (there.count == lane->unit.rows)
		return finish(mover, track, lane);
	if (there.count == 0) {
		lane->fresh = true;
		return 0;
	}
	sn_err_set(&err, -EEXIST,
		   "ClickHouse has %" PRIu64 " of %" PRIu64 " rows from %" PRId64 " on",
		   there.count, lane->unit.rows, lane->unit.first);
	sn_lane_failed(mover, lane, &err);
	return 0;
}

/* 0 with the number that the next unit ends before. */
static int limit_restored(struct sn_mover *mover, const struct sn_track *track,
			  struct sn_lane *lane, int64_t *end, struct sn_err *err)
{
	struct there there = {.first = lane->waiting.first, .end = INT64_MAX};

	if (lane->there_end == 0) {
		if (look_there(mover, track, lane, &there, err) < 0)
			return err->code;
		lane->there_end = SN_MAX(there.next, 1);
	}
	if (lane->there_end > lane->waiting.first)
		*end = SN_MIN(*end, lane->there_end);
	return 0;
}

/* Noted units ------------------------------------------------------------------- */

/* It was not there when asked: 0, and it is sent again when that is certain. */
static void deny(struct sn_lane *lane)
{
	uint64_t now_ns = sn_mono_ns();

	if (lane->denied_ns == 0)
		lane->denied_ns = now_ns;
	/*
	 * A request may still be in the server's queue, or the one of a hub that was killed be
	 * under way.
	 */
	if (lane->answered || now_ns - lane->denied_ns >= SN_SETTLE_NS)
		lane->fresh = true;
}

int sn_lane_settle(struct sn_mover *mover, struct sn_track *track, struct sn_lane *lane)
{
	struct sn_err err = {0};
	uint64_t rows = 0;

	if (track->restored)
		return settle_restored(mover, track, lane);
	if (sn_clickhouse_has(sn_mover_client(mover), lane->dataset, track->number,
			      global_id(track, &lane->unit), &rows, &err) != 0)
		return remote_failed(mover, lane, &err);
	if (rows == lane->unit.rows)
		return finish(mover, track, lane);
	if (rows == 0) {
		deny(lane);
		return 0;
	}
	sn_err_set(&err, -EEXIST,
		   "ClickHouse has %" PRIu64 " rows in place of %" PRIu64 " of block %" PRIu64,
		   rows, lane->unit.rows, global_id(track, &lane->unit));
	sn_lane_failed(mover, lane, &err);
	return 0;
}

/* The next unit ----------------------------------------------------------------- */

static int define(struct sn_mover *mover, const struct sn_lane *lane, struct sn_err *err)
{
	int rc;

	if (sn_map_get(mover->defined, lane->name) != NULL)
		return 0;
	rc = sn_clickhouse_define(sn_mover_client(mover), lane->dataset, err);
	if (rc == 0)
		sn_map_set(mover->defined, lane->name, mover);
	return rc;
}

static int64_t end_of_next(const struct sn_mover *mover, const struct sn_track *track,
			   const struct sn_lane *lane, uint64_t now_ns)
{
	int64_t end = ripe_end(lane, now_ns, mover->config.after_ns);

	if (mover->config.floor != NULL && end > lane->waiting.first)
		end = SN_MIN(end, mover->config.floor(mover->config.ctx, track->number, lane->name,
						      lane->version));
	return end;
}

/* 1 with a unit that is noted. */
static int begin(struct sn_mover *mover, struct sn_track *track, struct sn_lane *lane)
{
	uint64_t now_ns = sn_mono_ns();
	int64_t end = end_of_next(mover, track, lane, now_ns);
	struct sn_err err = {0};
	struct sn_day *day;
	int rc;

	if (lane->waiting.rows == 0 || end <= lane->waiting.first ||
	    (lane->inserted_ns != 0 && now_ns - lane->inserted_ns < SN_INSERT_GAP_NS))
		return 0;
	if (define(mover, lane, &err) != 0 ||
	    (track->restored && limit_restored(mover, track, lane, &end, &err) != 0))
		return remote_failed(mover, lane, &err);
	day = sn_lane_open(mover, track, &err);
	rc = day != NULL ? sn_moving_begin(day->writer, lane->dataset, end, &lane->unit, &err)
			 : err.code;
	if (rc < 0)
		return file_failed(mover, track, lane, rc, &err);
	lane->noted = rc == 1;
	/* Of what is there already the unit is only counted. */
	lane->fresh = lane->unit.first >= lane->there_end;
	lane->denied_ns = 0;
	lane->answered = false;
	return rc;
}

/* Emptied files ------------------------------------------------------------------- */

#define SHRINK_BYTES (4 << 20)

static int64_t free_bytes(struct sn_db *db, struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err,
			    "SELECT f.freelist_count * s.page_size FROM pragma_freelist_count AS f,"
			    " pragma_page_size AS s",
			    "");
	int64_t bytes = 0;

	if (statement != NULL && sn_db_next(db, statement, err) == 1)
		bytes = sqlite3_column_int64(statement, 0);
	sn_db_done(statement);
	return bytes;
}

void sn_lane_shrink(struct sn_mover *mover, struct sn_track *track)
{
	struct sn_err err = {0};
	struct sn_day *day;

	if (!track->emptied || track->number >= sn_day_of(sn_wall_ns()))
		return;
	for (size_t i = 0; i < track->lane_count; i++)
		if (track->lanes[i].waiting.rows > 0 || track->lanes[i].noted)
			return;
	track->emptied = false;
	day = sn_lane_open(mover, track, &err);
	/* Whoever is in the way now: the day is over, and there will be another time. */
	if (day != NULL && free_bytes(day->writer, &err) >= SHRINK_BYTES)
		(void)sn_db_exec(day->writer, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", &err);
}

int sn_lane_step(struct sn_mover *mover, struct sn_track *track, struct sn_lane *lane)
{
	int rc = 0;

	if (lane->dataset == NULL || sn_mono_ns() < lane->retry_ns)
		return 0;
	if (!lane->noted && (rc = begin(mover, track, lane)) != 1)
		return rc;
	if (!lane->fresh && ((rc = sn_lane_settle(mover, track, lane)) != 0 || !lane->fresh))
		return rc;
	return send(mover, track, lane);
}
