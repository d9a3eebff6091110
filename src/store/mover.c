/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "mover"
#include "store/mover_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define PAUSE_NS     ((uint64_t)250 * SN_NS_PER_MS) /* when nothing is due */
#define DELAY_MIN_NS ((uint64_t)500 * SN_NS_PER_MS) /* after a failure; doubled each time */
#define DELAY_DOUBLE 5                              /* times: at most 16 s, and half of it more */
#define LAG_NS       ((uint64_t)60 * SN_NS_PER_S)   /* behind its time: that is lag */

/* Trouble with ClickHouse -------------------------------------------------------- */

uint64_t sn_mover_delay(struct sn_mover *mover, unsigned failures)
{
	uint64_t delay_ns = DELAY_MIN_NS << SN_MIN(failures, DELAY_DOUBLE);

	/* Several hubs of one server come back one after the other. */
	return (uint64_t)((double)delay_ns * (0.5 + sn_prng_unit(&mover->prng)));
}

bool sn_mover_is_lost(int code)
{
	static const int codes[] = {
		-EAGAIN,      -ECANCELED, -ECONNREFUSED,  -ECONNRESET,  -ECONNABORTED,
		-ETIMEDOUT,   -EPIPE,     -EHOSTUNREACH,  -ENETUNREACH, -EHOSTDOWN,
		-ENETDOWN,    -ENOTCONN,  -EADDRNOTAVAIL, -ENONET,      -EACCES,
		-ENOPROTOOPT, -EPERM,     -ENXIO,
	};

	for (size_t i = 0; i < SN_COUNT(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

int sn_mover_lost(struct sn_mover *mover, const struct sn_err *err)
{
	if (atomic_load(&mover->stop))
		return err->code;
	if (mover->connected || mover->failures == 0)
		sn_warn("ClickHouse cannot be asked, rows wait in the store: %s", err->text);
	mover->lost = *err;
	mover->connected = false;
	mover->stats.failures++;
	mover->retry_ns = sn_mono_ns() + sn_mover_delay(mover, mover->failures++);
	/* What it denied before says nothing of what it may have in its queue now. */
	for (size_t i = 0; i < mover->track_count; i++)
		for (size_t k = 0; k < mover->tracks[i].lane_count; k++)
			mover->tracks[i].lanes[k].denied_ns = 0;
	return err->code;
}

static int connect_to(struct sn_mover *mover)
{
	struct sn_err err = {0};
	const char *version;

	if (sn_clickhouse_version(sn_mover_client(mover), &version, &err) != 0)
		return sn_mover_lost(mover, &err);
	snprintf(mover->stats.version, sizeof(mover->stats.version), "%s", version);
	if (mover->failures > 0)
		sn_notice("ClickHouse answers again version=%s", version);
	mover->connected = true;
	mover->failures = 0;
	mover->looked_ns = mover->dropped_ns = 0;
	return 0;
}

/* What there is ---------------------------------------------------------------- */

static struct sn_lane *lane_of(struct sn_track *track, const struct sn_moving_unit *unit)
{
	struct sn_lane *lane;

	for (size_t i = 0; i < track->lane_count; i++) {
		lane = &track->lanes[i];
		if (lane->version == unit->version && strcmp(lane->name, unit->dataset) == 0)
			return lane;
	}
	track->lanes = sn_xrealloc(track->lanes, track->lane_count + 1, sizeof(*track->lanes));
	lane = &track->lanes[track->lane_count++];
	*lane = (struct sn_lane){.version = unit->version};
	memcpy(lane->name, unit->dataset, sizeof(lane->name));
	return lane;
}

static int note_waiting(const struct sn_moving_unit *unit, void *ctx)
{
	lane_of(ctx, unit)->waiting = *unit;
	return 0;
}

static int note_left(const struct sn_moving_unit *unit, void *ctx)
{
	lane_of(ctx, unit)->left = *unit;
	return 0;
}

/* Of a unit that this process noted it knows more than the file. */
static int note_note(const struct sn_moving_unit *unit, void *ctx)
{
	struct sn_lane *lane = lane_of(ctx, unit);

	if (!lane->noted || lane->unit.first != unit->first) {
		lane->unit = *unit;
		lane->fresh = lane->answered = false;
		lane->denied_ns = 0;
	}
	lane->noted = true;
	lane->unit.version = unit->version;
	return 0;
}

/* What may be otherwise now; notes that the file has not are of a file that is gone. */
static void forget_counts(struct sn_track *track)
{
	for (size_t i = 0; i < track->lane_count; i++) {
		struct sn_lane *lane = &track->lanes[i];

		lane->waiting = lane->left = (struct sn_moving_unit){.rows = 0};
	}
}

static int has_key(struct sn_db *db, const char *key, bool *found, struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT 1 FROM _file WHERE key = ?", "t", key);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	*found = rc == 1;
	sn_db_done(statement);
	return SN_MIN(rc, 0);
}

static void name_datasets(struct sn_track *track)
{
	for (size_t i = 0; i < track->lane_count; i++) {
		struct sn_lane *lane = &track->lanes[i];
		const struct sn_dataset *dataset = sn_catalog_find(lane->name);

		if (dataset != NULL && dataset->version == lane->version)
			lane->dataset = dataset;
	}
}

static void free_lanes(struct sn_track *track)
{
	free(track->lanes);
	track->lanes = NULL;
	track->lane_count = 0;
}

static int read_track(struct sn_track *track, struct sn_db *db, struct sn_err *err)
{
	uint32_t epoch;
	int rc = sn_blocks_epoch(db, &epoch, err);

	/* Another file of the same day. */
	if (rc == 0 && epoch != track->epoch)
		free_lanes(track);
	if (rc == 0) {
		track->epoch = epoch;
		forget_counts(track);
		rc = sn_moving_waiting(db, note_waiting, track, err);
	}
	if (rc == 0)
		rc = sn_moving_left(db, note_left, track, err);
	if (rc == 0)
		rc = sn_moving_notes(db, note_note, track, err);
	if (rc == 0)
		rc = sn_moving_is_returning(db, &track->returning, err);
	if (rc == 0)
		rc = has_key(db, "restored", &track->restored, err);
	name_datasets(track);
	return rc;
}

static void look_at_track(struct sn_mover *mover, struct sn_track *track)
{
	uint64_t bytes, stamp = sn_day_stamp(mover->store, track->number, &bytes);
	struct sn_day *day = sn_day_get(mover->store, track->number);
	struct sn_err err = {0};
	int rc;

	if (stamp == track->stamp)
		return;
	rc = sn_day_open_reader(mover->store, day, &err);
	if (rc == 0)
		rc = sn_db_exec(day->reader, "BEGIN", &err);
	if (rc == 0) {
		rc = read_track(track, day->reader, &err);
		sn_db_rollback(day->reader);
	}
	rc = sn_day_fault(mover->store, day, rc, &err);
	sn_day_trim(mover->store);
	track->stamp = rc == 0 ? stamp : 0;
	if (rc != 0 && rc != -ENOENT)
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot look for rows to move: %s", err.text);
}

static int by_number(const void *a, const void *b)
{
	const struct sn_track *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

static void add_track(struct sn_mover *mover, int32_t number)
{
	for (size_t i = 0; i < mover->track_count; i++) {
		if (mover->tracks[i].number == number) {
			mover->tracks[i].seen = true;
			return;
		}
	}
	mover->tracks = sn_xrealloc(mover->tracks, mover->track_count + 1, sizeof(*mover->tracks));
	mover->tracks[mover->track_count++] = (struct sn_track){.number = number, .seen = true};
}

static void drop_unseen(struct sn_mover *mover)
{
	size_t kept = 0;

	for (size_t i = 0; i < mover->track_count; i++) {
		if (mover->tracks[i].seen)
			mover->tracks[kept++] = mover->tracks[i];
		else
			free_lanes(&mover->tracks[i]);
	}
	mover->track_count = kept;
	if (kept > 0)
		qsort(mover->tracks, kept, sizeof(*mover->tracks), by_number);
}

/* What a day that is over has when it is first seen came long ago. */
static bool is_over(const struct sn_mover *mover, const struct sn_track *track)
{
	return sn_day_of(sn_wall_ns() - mover->config.after_ns) > track->number;
}

static void mark_lanes(struct sn_mover *mover)
{
	uint64_t now_ns = sn_mono_ns();

	for (size_t i = 0; i < mover->track_count; i++) {
		struct sn_track *track = &mover->tracks[i];
		bool old = !track->looked_at && is_over(mover, track);

		for (size_t k = 0; k < track->lane_count; k++)
			sn_lane_mark(&track->lanes[k], now_ns, mover->config.after_ns, old);
		track->looked_at |= track->stamp != 0;
	}
}

static void look_at_files(struct sn_mover *mover)
{
	sn_autofree int32_t *numbers = NULL;
	struct sn_err err = {0};
	size_t count;

	if (sn_day_list(mover->store, &numbers, &count, &err) != 0) {
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot look for rows to move: %s", err.text);
		return;
	}
	for (size_t i = 0; i < mover->track_count; i++)
		mover->tracks[i].seen = false;
	for (size_t i = 0; i < count; i++)
		add_track(mover, numbers[i]);
	drop_unseen(mover);
	for (size_t i = 0; i < mover->track_count && !atomic_load(&mover->stop); i++)
		look_at_track(mover, &mover->tracks[i]);
	mark_lanes(mover);
}

/* Rounds ----------------------------------------------------------------------- */

static int step_forth(struct sn_mover *mover, struct sn_track *track)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < track->lane_count && !atomic_load(&mover->stop); i++)
		rc = sn_lane_step(mover, track, &track->lanes[i]);
	if (rc == 0)
		sn_lane_shrink(mover, track);
	return rc;
}

/* First what was noted on the way there gets there. */
static int step_back(struct sn_mover *mover, struct sn_track *track)
{
	bool noted = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < track->lane_count; i++) {
		if (track->lanes[i].noted)
			rc = sn_lane_step(mover, track, &track->lanes[i]);
		noted |= track->lanes[i].noted;
	}
	return rc == 0 && !noted ? sn_back_step(mover, track) : rc;
}

/* One unit, of the oldest day that has one: 1 if there was one. */
static int step(struct sn_mover *mover)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < mover->track_count && !atomic_load(&mover->stop); i++) {
		struct sn_track *track = &mover->tracks[i];

		if (sn_mover_is_dropped(mover, track->number))
			continue;
		rc = mover->back || track->returning ? step_back(mover, track)
						     : step_forth(mover, track);
	}
	return rc;
}

static int work(struct sn_mover *mover)
{
	int rc = 0;

	if (sn_mono_ns() < mover->retry_ns)
		return 0;
	if (!mover->connected)
		rc = connect_to(mover);
	if (rc == 0)
		rc = sn_look_drop(mover);
	if (rc == 0)
		rc = sn_look_around(mover);
	return rc == 0 ? step(mover) : rc;
}

static void turn(struct sn_mover *mover)
{
	struct sn_err err = {0};

	pthread_mutex_lock(&mover->lock);
	if (mover->turned)
		mover->back = mover->turn_back;
	mover->turned = false;
	pthread_mutex_unlock(&mover->lock);
	mover->drop_count = 0;
	int rc = sn_remote_drops(mover->store->remote, mover->drops, SN_COUNT(mover->drops), &err);

	if (rc >= 0)
		mover->drop_count = (size_t)rc;
	else
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot look for days to drop: %s", err.text);
}

/* The status ------------------------------------------------------------------- */

struct sums {
	uint64_t now_ns;
	bool behind;
	const char *reason;
	char text[SN_ERR_TEXT_MAX];
};

static void count_lane(struct sn_mover *mover, const struct sn_track *track,
		       const struct sn_lane *lane, struct sums *sums)
{
	struct sn_mover_status *stats = &mover->stats;
	char day[SN_DAY_NAME_SIZE];

	stats->moved_blocks += (uint64_t)lane->left.block;
	stats->moved_rows += lane->left.rows;
	if (lane->waiting.rows > 0 && lane->dataset != NULL) {
		stats->waiting_blocks += (uint64_t)lane->waiting.block;
		stats->waiting_rows += lane->waiting.rows;
		if (stats->oldest_waiting_ns == 0 ||
		    lane->waiting.time_min < stats->oldest_waiting_ns)
			stats->oldest_waiting_ns = lane->waiting.time_min;
	}
	if (!mover->back && lane->mark_count > 0 &&
	    sums->now_ns - lane->marks[0].mono_ns > (uint64_t)mover->config.after_ns + LAG_NS)
		sums->behind = true;
	if (lane->reason[0] == '\0' || sums->text[0] != '\0')
		return;
	snprintf(sums->text, sizeof(sums->text), "dataset '%s' of %s: %.400s", lane->name,
		 sn_day_name(track->number, day), lane->reason);
}

static void count_lanes(struct sn_mover *mover, struct sums *sums)
{
	struct sn_mover_status *stats = &mover->stats;

	stats->moved_blocks = stats->moved_rows = 0;
	stats->waiting_blocks = stats->waiting_rows = 0;
	stats->oldest_waiting_ns = 0;
	for (size_t i = 0; i < mover->track_count; i++)
		for (size_t k = 0; k < mover->tracks[i].lane_count; k++)
			count_lane(mover, &mover->tracks[i], &mover->tracks[i].lanes[k], sums);
}

static enum sn_mover_state find_state(struct sn_mover *mover, struct sums *sums)
{
	if (!mover->connected) {
		sums->reason = mover->lost.text;
		return mover->failures > 0 ? SN_MOVER_UNREACHABLE : SN_MOVER_OK;
	}
	sums->reason = sums->text;
	if (sums->text[0] != '\0')
		return SN_MOVER_LAGGING;
	if (mover->lost_reason[0] != '\0')
		sums->reason = mover->lost_reason;
	else if (sums->behind)
		sums->reason = "rows come faster than ClickHouse takes them, or many wait";
	return sums->behind || mover->lost_reason[0] != '\0' ? SN_MOVER_LAGGING : SN_MOVER_OK;
}

static void tell(struct sn_mover *mover)
{
	struct sn_mover_status *stats = &mover->stats;
	struct sums sums = {.now_ns = sn_mono_ns()};
	enum sn_mover_state state;

	count_lanes(mover, &sums);
	state = find_state(mover, &sums);
	if (state != stats->state || stats->since_ns == 0)
		stats->since_ns = sn_wall_ns();
	stats->state = state;
	stats->back = mover->back;
	snprintf(stats->reason, sizeof(stats->reason), "%s",
		 sums.reason != NULL ? sums.reason : "");
	pthread_mutex_lock(&mover->lock);
	mover->status = *stats;
	pthread_mutex_unlock(&mover->lock);
}

/* The thread ------------------------------------------------------------------- */

static void pause_for(struct sn_mover *mover, uint64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(ns / SN_NS_PER_S);
	until.tv_nsec = (long)(ns % SN_NS_PER_S);
	pthread_mutex_lock(&mover->lock);
	if (!atomic_load(&mover->stop) && !mover->turned)
		pthread_cond_timedwait(&mover->wake, &mover->lock, &until);
	pthread_mutex_unlock(&mover->lock);
}

static void *run(void *ctx)
{
	struct sn_mover *mover = ctx;

	while (!atomic_load(&mover->stop)) {
		int rc;

		turn(mover);
		look_at_files(mover);
		rc = work(mover);
		tell(mover);
		if (rc != 1)
			pause_for(mover, PAUSE_NS);
	}
	return NULL;
}

/* From outside ------------------------------------------------------------------ */

static char *copy(const char *text)
{
	return text != NULL && text[0] != '\0' ? sn_xstrdup(text) : NULL;
}

static void mover_destroy(struct sn_mover *mover)
{
	for (size_t i = 0; i < mover->track_count; i++)
		free_lanes(&mover->tracks[i]);
	free(mover->tracks);
	sn_store_close(mover->store);
	sn_map_destroy(mover->defined);
	pthread_mutex_destroy(&mover->lock);
	pthread_cond_destroy(&mover->wake);
	free(mover->dir);
	free(mover->url);
	free(mover->cluster);
	free(mover->ca);
	free(mover);
}

static struct sn_mover *mover_create(const struct sn_mover_config *config)
{
	struct sn_mover *mover = sn_new(struct sn_mover);
	pthread_condattr_t attributes;
	uint64_t seed;

	mover->config = *config;
	if (config->after_ns == 0)
		mover->config.after_ns = SN_MOVER_AFTER_NS;
	mover->dir = sn_xstrdup(config->dir);
	mover->url = copy(config->clickhouse.url);
	mover->cluster = copy(config->clickhouse.cluster);
	mover->ca = copy(config->clickhouse.ca);
	mover->config.dir = mover->dir;
	mover->config.clickhouse.url = mover->url;
	mover->config.clickhouse.cluster = mover->cluster;
	mover->config.clickhouse.ca = mover->ca;
	mover->config.clickhouse.stop = &mover->stop;
	mover->defined = sn_map_create(NULL);
	sn_random(&seed, sizeof(seed));
	sn_prng_seed(&mover->prng, seed);
	pthread_mutex_init(&mover->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&mover->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	return mover;
}

static int open_store(struct sn_mover *mover, struct sn_err *err)
{
	struct sn_store_options options = {
		.clickhouse = &mover->config.clickhouse,
		.retention_days = mover->config.retention_days,
	};
	int rc = sn_store_open_with(mover->dir, &options, &mover->store, err);

	if (rc == 0)
		rc = sn_remote_is_back(mover->store->remote, &mover->back, err);
	if (rc != 0)
		return rc;
	snprintf(mover->stats.url, sizeof(mover->stats.url), "%s",
		 sn_clickhouse_place(sn_mover_client(mover)));
	snprintf(mover->stats.cluster, sizeof(mover->stats.cluster), "%s",
		 mover->cluster != NULL ? mover->cluster : "");
	mover->stats.since_ns = sn_wall_ns();
	mover->stats.back = mover->back;
	mover->status = mover->stats;
	return 0;
}

int sn_mover_start(const struct sn_mover_config *config, struct sn_mover **out, struct sn_err *err)
{
	struct sn_mover *mover = mover_create(config);
	int rc = open_store(mover, err);

	if (rc == 0) {
		rc = -pthread_create(&mover->thread, NULL, run, mover);
		if (rc != 0)
			sn_err_sys(err, rc, "cannot start a thread");
	}
	if (rc != 0)
		mover_destroy(mover);
	else
		*out = mover;
	return rc;
}

void sn_mover_stop(struct sn_mover *mover)
{
	if (mover == NULL)
		return;
	pthread_mutex_lock(&mover->lock);
	atomic_store(&mover->stop, true);
	pthread_cond_signal(&mover->wake);
	pthread_mutex_unlock(&mover->lock);
	pthread_join(mover->thread, NULL);
	mover_destroy(mover);
}

int sn_mover_turn(struct sn_mover *mover, bool back, struct sn_err *err)
{
	struct sn_store_options options = {.clickhouse = &mover->config.clickhouse, .local = true};
	struct sn_remote *remote;
	int rc = sn_remote_open(mover->dir, &options, &remote, err);

	if (rc != 0)
		return rc;
	rc = sn_remote_set_back(remote, back, err);
	sn_remote_close(remote);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&mover->lock);
	mover->turn_back = mover->status.back = back;
	mover->turned = true;
	pthread_cond_signal(&mover->wake);
	pthread_mutex_unlock(&mover->lock);
	return 0;
}

const char *sn_mover_state_name(enum sn_mover_state state)
{
	static const char *const names[SN_MOVER_STATES] = {"ok", "lagging", "unreachable"};

	return names[state];
}

void sn_mover_status(struct sn_mover *mover, struct sn_mover_status *status)
{
	pthread_mutex_lock(&mover->lock);
	*status = mover->status;
	pthread_mutex_unlock(&mover->lock);
}
