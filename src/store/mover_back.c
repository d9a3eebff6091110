/* SPDX-License-Identifier: Apache-2.0 */
/* Rows come back from ClickHouse, the last ones of a day first, until the day can be dropped there.
 */
#define SN_MODULE "mover"
#include "store/mover_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* Rows of a unit, which come by time, and where each belongs. */
struct gathering {
	const struct sn_moving_unit *unit;
	struct sn_columns *rows;
	size_t *place; /* by number: index of the row + 1 */
	bool strange;  /* a row twice, or one that is not of the unit */
};

static void copy_row(const struct sn_columns *from, size_t row, struct sn_columns *to)
{
	const struct sn_dataset *dataset = sn_columns_dataset(from);
	struct sn_value values[SN_DATASET_COLUMNS_MAX];

	sn_columns_row(from, row, values);
	sn_columns_add_row(to);
	for (size_t i = 0; i < dataset->column_count; i++)
		if (values[i].type != SN_TYPE_NULL)
			sn_columns_set(to, (int)i, values[i]);
}

static int gather(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	struct gathering *gathering = ctx;
	const struct sn_moving_unit *unit = gathering->unit;

	for (size_t i = 0; i < sn_columns_rows(rows); i++) {
		if (numbers[i] < unit->first || numbers[i] >= unit->end ||
		    gathering->place[numbers[i] - unit->first] != 0) {
			gathering->strange = true;
			return 1;
		}
		copy_row(rows, i, gathering->rows);
		gathering->place[numbers[i] - unit->first] = sn_columns_rows(gathering->rows);
	}
	return 0;
}

static int fetch(struct sn_mover *mover, const struct sn_track *track, struct gathering *gathering,
		 struct sn_err *err)
{
	const struct sn_moving_unit *unit = gathering->unit;
	struct sn_query query = {.dataset = sn_columns_dataset(gathering->rows),
				 .since_ns = unit->time_min};
	struct sn_clickhouse_scan scan = {
		.query = &query, .only_block = sn_blocks_global_id(track->epoch, unit->block)};
	int rc;

	sn_remote_narrow(&query, track->number);
	rc = sn_clickhouse_scan(sn_mover_client(mover), &scan, gather, gathering, err);
	if (rc >= 0 && (gathering->strange || sn_columns_rows(gathering->rows) != unit->rows))
		rc = sn_err_set(err, -EBADMSG,
				"block %" PRIu64 " of dataset '%s' does not have the %" PRIu64
				" rows that moved",
				scan.only_block, unit->dataset, unit->rows);
	return SN_MIN(rc, 0);
}

static int put_back(struct sn_mover *mover, struct sn_track *track,
		    const struct gathering *gathering, struct sn_err *err)
{
	const struct sn_moving_unit *unit = gathering->unit;
	struct sn_columns *ordered = sn_columns_create(sn_columns_dataset(gathering->rows));
	struct sn_day *day = sn_lane_open(mover, track, err);
	int rc = day != NULL ? 0 : err->code;

	for (uint64_t i = 0; rc == 0 && i < unit->rows; i++)
		copy_row(gathering->rows, gathering->place[i] - 1, ordered);
	if (rc == 0)
		rc = sn_moving_return(day->writer, unit, ordered, err);
	sn_columns_destroy(ordered);
	return rc;
}

static int take_back(struct sn_mover *mover, struct sn_track *track,
		     const struct sn_moving_unit *unit, const struct sn_dataset *dataset,
		     struct sn_err *err)
{
	struct gathering gathering = {.unit = unit, .rows = sn_columns_create(dataset)};
	int rc;

	gathering.place = sn_xcalloc(unit->rows, sizeof(*gathering.place));
	rc = fetch(mover, track, &gathering, err);
	if (rc == 0)
		rc = put_back(mover, track, &gathering, err);
	free(gathering.place);
	sn_columns_destroy(gathering.rows);
	return rc;
}

/* All is here again: the copies go. */
static int finish(struct sn_mover *mover, struct sn_track *track, struct sn_day *day,
		  struct sn_err *err)
{
	int rc = sn_remote_drop(mover->store->remote, track->number, err);

	return rc == 0 ? sn_moving_returned(day->writer, err) : rc;
}

static struct sn_lane *find_lane(struct sn_track *track, const struct sn_moving_unit *unit)
{
	for (size_t i = 0; i < track->lane_count; i++)
		if (strcmp(track->lanes[i].name, unit->dataset) == 0 &&
		    track->lanes[i].version == unit->version)
			return &track->lanes[i];
	return NULL;
}

static int step(struct sn_mover *mover, struct sn_track *track, struct sn_lane **lane,
		struct sn_err *err)
{
	struct sn_day *day = sn_lane_open(mover, track, err);
	struct sn_moving_unit unit;
	int rc = day != NULL ? sn_moving_last(day->reader, &unit, err) : err->code;

	if (rc < 0 || (rc == 0 && !track->returning))
		return rc;
	track->stamp = 0;
	if (rc == 0)
		return finish(mover, track, day, err) == 0 ? 1 : err->code;
	*lane = find_lane(track, &unit);
	if (*lane == NULL || (*lane)->dataset == NULL)
		return sn_err_set(err, -ENOENT, "dataset '%s' is not known (any more)",
				  unit.dataset);
	return take_back(mover, track, &unit, (*lane)->dataset, err) == 0 ? 1 : err->code;
}

int sn_back_step(struct sn_mover *mover, struct sn_track *track)
{
	struct sn_lane *lane = NULL;
	struct sn_err err = {0};
	int rc;

	if (sn_mono_ns() < track->retry_ns)
		return 0;
	rc = step(mover, track, &lane, &err);
	if (rc >= 0)
		return rc;
	if (sn_mover_is_lost(rc))
		return sn_mover_lost(mover, &err);
	(void)sn_day_fault(mover->store, sn_day_get(mover->store, track->number), rc, &err);
	if (lane != NULL)
		sn_lane_failed(mover, lane, &err);
	else
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot bring rows back: %s", err.text);
	track->retry_ns = sn_mono_ns() + sn_mover_delay(mover, 3);
	return 0;
}
