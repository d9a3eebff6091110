/* SPDX-License-Identifier: Apache-2.0 */
/* What ClickHouse has beside our account of it, and days that are to go. */
#define SN_MODULE "mover"
#include "store/mover_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define AGAIN_NS ((uint64_t)60 * SN_NS_PER_S) /* a drop is issued again */
#define HOLD_NS  (15 * 60 * SN_NS_PER_S) /* for so long; servers forget old parts after 8 min */
#define LOOK_NS  ((uint64_t)3600 * SN_NS_PER_S)

bool sn_mover_is_dropped(const struct sn_mover *mover, int32_t day)
{
	for (size_t i = 0; i < mover->drop_count; i++)
		if (mover->drops[i].day == day)
			return true;
	return false;
}

/* Days that go ---------------------------------------------------------------- */

static int drop(struct sn_mover *mover, const struct sn_remote_drop *drop, struct sn_err *err)
{
	struct sn_remote *remote = mover->store->remote;
	int64_t now_ns = sn_wall_ns();
	int rc = sn_clickhouse_drop(sn_mover_client(mover), drop->day, err);

	if (rc == 0 && drop->done_ns == 0)
		rc = sn_remote_drop_done(remote, drop->day, now_ns, err);
	else if (rc == 0 && now_ns - drop->done_ns > HOLD_NS)
		rc = sn_remote_drop_forget(remote, drop->day, err);
	return rc;
}

int sn_look_drop(struct sn_mover *mover)
{
	uint64_t now_ns = sn_mono_ns();
	bool again = mover->dropped_ns == 0 || now_ns - mover->dropped_ns >= AGAIN_NS;
	struct sn_err err = {0};

	for (size_t i = 0; i < mover->drop_count; i++) {
		if (mover->drops[i].done_ns != 0 && !again)
			continue;
		if (drop(mover, &mover->drops[i], &err) == 0)
			continue;
		if (sn_mover_is_lost(err.code))
			return sn_mover_lost(mover, &err);
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot drop a day in ClickHouse: %s", err.text);
	}
	if (again)
		mover->dropped_ns = now_ns;
	return 0;
}

/* What is there ----------------------------------------------------------------- */

struct look {
	struct sn_mover *mover;
	const struct sn_dataset *dataset;
	struct sn_remote_foreign *list; /* rows that nobody here has sent */
	size_t count;
	bool *answered;     /* of each track: ClickHouse has rows of the day */
	uint64_t lost_rows; /* that were sent and are not there */
	int32_t lost_day;
};

static const struct sn_lane *lane_of(const struct sn_track *track, const struct sn_dataset *dataset)
{
	for (size_t i = 0; track != NULL && i < track->lane_count; i++)
		if (track->lanes[i].dataset == dataset)
			return &track->lanes[i];
	return NULL;
}

/* Rows that were taken back, or restored, are there as well; one that is on its way may be. */
static bool is_unsettled(const struct sn_track *track, const struct sn_lane *lane)
{
	return track != NULL &&
	       (track->returning || track->restored || (lane != NULL && lane->noted));
}

static void note_lost(struct look *look, int32_t day, uint64_t rows)
{
	look->lost_rows += rows;
	look->lost_day = SN_MAX(look->lost_day, day);
}

static void note_foreign(struct look *look, const struct sn_clickhouse_day *day, uint64_t sent)
{
	struct sn_remote_foreign *foreign;

	look->list = sn_xrealloc(look->list, look->count + 1, sizeof(*look->list));
	foreign = &look->list[look->count++];
	*foreign = (struct sn_remote_foreign){
		.version = look->dataset->version,
		.day = day->day,
		.rows = day->rows - sent,
		.time_min = day->time_min,
		.time_max = day->time_max,
	};
	snprintf(foreign->dataset, sizeof(foreign->dataset), "%s", look->dataset->name);
}

static const struct sn_track *find_track(struct look *look, int32_t day)
{
	for (size_t i = 0; i < look->mover->track_count; i++) {
		if (look->mover->tracks[i].number != day)
			continue;
		look->answered[i] = true;
		return &look->mover->tracks[i];
	}
	return NULL;
}

static int note_day(const struct sn_clickhouse_day *day, void *ctx)
{
	struct look *look = ctx;
	const struct sn_track *track = find_track(look, day->day);
	const struct sn_lane *lane = lane_of(track, look->dataset);
	uint64_t sent = lane != NULL ? lane->left.rows : 0;

	if (sn_mover_is_dropped(look->mover, day->day) || is_unsettled(track, lane))
		return 0;
	if (day->rows < sent)
		note_lost(look, day->day, sent - day->rows);
	else if (day->rows > sent)
		note_foreign(look, day, sent);
	return 0;
}

/* Days of which ClickHouse has nothing at all are not in its answer. */
static void note_absent_days(struct look *look)
{
	int32_t horizon = sn_remote_horizon(look->mover->store->remote);

	for (size_t i = 0; i < look->mover->track_count; i++) {
		const struct sn_track *track = &look->mover->tracks[i];
		const struct sn_lane *lane = lane_of(track, look->dataset);

		if (look->answered[i] || lane == NULL || track->number < horizon ||
		    is_unsettled(track, lane) || sn_mover_is_dropped(look->mover, track->number))
			continue;
		if (lane->left.rows > 0)
			note_lost(look, track->number, lane->left.rows);
	}
}

/* What should have gone long ago: a server may have brought it back. */
static int drop_old(struct look *look, struct sn_err *err)
{
	struct sn_remote *remote = look->mover->store->remote;
	int32_t horizon = sn_remote_horizon(remote);
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < look->count; i++) {
		if (look->list[i].day < horizon)
			rc = sn_remote_drop(remote, look->list[i].day, err);
		else
			look->list[kept++] = look->list[i];
	}
	look->count = kept;
	return rc;
}

static void tell_lost(struct look *look)
{
	char name[SN_DAY_NAME_SIZE];
	struct sn_mover *mover = look->mover;

	if (look->lost_rows == 0)
		return;
	snprintf(mover->lost_reason, sizeof(mover->lost_reason),
		 "ClickHouse lacks %" PRIu64
		 " rows of dataset '%s' that moved there, the last ones "
		 "of %s (restore its backup)",
		 look->lost_rows, look->dataset->name, sn_day_name(look->lost_day, name));
	sn_error("%s", mover->lost_reason);
}

static int look_at_dataset(struct sn_mover *mover, const struct sn_dataset *dataset,
			   struct sn_err *err)
{
	struct look look = {.mover = mover,
			    .dataset = dataset,
			    .answered = sn_xcalloc(mover->track_count + 1, sizeof(bool))};
	int rc = sn_clickhouse_days(sn_mover_client(mover), dataset, note_day, &look, err);

	if (rc == 0) {
		note_absent_days(&look);
		rc = drop_old(&look, err);
	}
	if (rc == 0)
		rc = sn_remote_set_foreign(mover->store->remote, dataset, look.list, look.count,
					   err);
	if (rc == 0)
		tell_lost(&look);
	free(look.answered);
	free(look.list);
	return rc;
}

int sn_look_around(struct sn_mover *mover)
{
	uint64_t now_ns = sn_mono_ns();
	struct sn_err err = {0};

	if (mover->looked_ns != 0 && now_ns - mover->looked_ns < LOOK_NS)
		return 0;
	mover->lost_reason[0] = '\0';
	for (size_t i = 0; i < sn_catalog_size() && !atomic_load(&mover->stop); i++) {
		if (look_at_dataset(mover, sn_catalog_at(i), &err) == 0)
			continue;
		if (sn_mover_is_lost(err.code))
			return sn_mover_lost(mover, &err);
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot look at what ClickHouse has: %s", err.text);
	}
	mover->looked_ns = now_ns;
	return 0;
}
