/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements that run are asked about again, and stopped where they may go on no more. */
#define SN_MODULE "measures"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/measures_internal.h"

#define ASKING_NS (50 * SN_NS_PER_MS) /* of one tick */
#define STOPS_MAX 20000               /* parts that one tick stops, or a few more */

/* What one tick finds. */
struct share {
	struct sn_part_change *changes;
	size_t count, room;
	struct sn_measure_list wholes; /* of which nothing is left */
	char **reasons;                /* of the changes; owned */
	size_t reason_count, reason_room;
};

static void share_finish(struct share *share)
{
	for (size_t i = 0; i < share->reason_count; i++)
		free(share->reasons[i]);
	free(share->reasons);
	free(share->wholes.items);
	free(share->changes);
}

static const char *keep_reason(struct share *share, const char *text)
{
	if (share->reason_count == share->reason_room) {
		share->reason_room = SN_MAX(2 * share->reason_room, (size_t)16);
		share->reasons =
			sn_xrealloc(share->reasons, share->reason_room, sizeof(*share->reasons));
	}
	return share->reasons[share->reason_count++] = sn_xstrdup(text);
}

static void add_stops(struct share *share, struct sn_measure_part *const *parts, size_t count,
		      const char *reason)
{
	if (share->count + count > share->room) {
		share->room = SN_MAX(2 * share->room, share->count + count);
		share->changes = sn_xrealloc(share->changes, share->room, sizeof(*share->changes));
	}
	for (size_t i = 0; i < count; i++)
		share->changes[share->count++] =
			(struct sn_part_change){parts[i], SN_MEASURE_STOPPED, reason};
}

static void add_whole(struct share *share, struct sn_measured *measured)
{
	struct sn_measure_list *wholes = &share->wholes;

	if (wholes->count == wholes->room) {
		wholes->room = SN_MAX(2 * wholes->room, (size_t)16);
		wholes->items =
			sn_xrealloc(wholes->items, wholes->room, sizeof(struct sn_measured *));
	}
	wholes->items[wholes->count++] = measured;
}

static int ask(struct sn_measures *measures, struct sn_measured *measured, struct share *share,
	       struct sn_err *err)
{
	struct sn_measure *measure = &measured->measure;
	size_t live = measured->counts[SN_MEASURE_WAITING] + measured->counts[SN_MEASURE_RUNNING];
	sn_autofree struct sn_measure_part **parts = NULL;
	struct sn_err why = {0};
	int count;

	/* Whoever comes later is asked about then. */
	if (sn_measure_state_is_final(measure->state) || live == 0)
		return 0;
	parts = sn_new_n(struct sn_measure_part *, live);
	count = measures->review(measure, parts, &why, measures->review_ctx);
	if (count < 0)
		return sn_err_set(err, count, "%s", why.text);
	if (count == 0)
		return 0;
	sn_notice("measurement stopped measurement=%s owner=\"%s\" parts=%d reason=\"%s\"",
		  measure->id, measure->owner, count, why.text);
	add_stops(share, parts, (size_t)count, keep_reason(share, why.text));
	if ((size_t)count == live)
		add_whole(share, measured);
	return 0;
}

/* From the newest on down: what is dropped meanwhile only moves those that are still to come down,
 * too. */
static int ask_about_share(struct sn_measures *measures, struct share *share, size_t *left,
			   struct sn_err *err)
{
	uint64_t began_ns = sn_mono_ns();

	*left = SN_MIN(measures->review_left, measures->all.count);
	while (*left > 0 && share->count < STOPS_MAX && sn_mono_ns() - began_ns < ASKING_NS) {
		if (ask(measures, measures->all.items[*left - 1], share, err) != 0)
			return err->code;
		--*left;
	}
	return 0;
}

static int write_share(struct sn_measures *measures, const struct share *share, struct sn_err *err)
{
	for (size_t i = 0; i < share->wholes.count; i++) {
		share->wholes.items[i]->ended_ns = measures->now_ns;
		if (sn_measures_store_stop(measures, share->wholes.items[i], err) != 0)
			return err->code;
	}
	return sn_measures_write_changes(measures, share->changes, share->count, measures->now_ns,
					 err);
}

static void adopt_share(struct sn_measures *measures, const struct share *share)
{
	for (size_t i = 0; i < share->wholes.count; i++)
		share->wholes.items[i]->measure.state = SN_MEASURE_STOPPED;
	sn_measures_adopt_changes(measures, share->changes, share->count, measures->now_ns);
	for (size_t i = 0; i < share->wholes.count; i++) {
		sn_measured_end(measures, share->wholes.items[i]);
		sn_measures_tell(measures, share->wholes.items[i], NULL);
	}
}

/* What is asked is written down with what comes of it, or neither is. */
static int review_share(struct sn_measures *measures, struct share *share, struct sn_err *err)
{
	struct sn_db *db = measures->config.db;
	size_t left;
	int failed = sn_db_begin(db, err);

	if (failed != 0)
		return failed;
	failed = ask_about_share(measures, share, &left, err);
	if (failed == 0)
		failed = write_share(measures, share, err);
	if (failed == 0)
		failed = sn_db_commit(db, err);
	else
		sn_db_rollback(db);
	if (failed != 0) {
		for (size_t i = 0; i < share->wholes.count; i++)
			share->wholes.items[i]->ended_ns = 0;
		return failed;
	}
	measures->review_left = left;
	if (left == 0)
		measures->review = NULL;
	adopt_share(measures, share);
	return 0;
}

void sn_measures_review_more(struct sn_measures *measures)
{
	struct share share = {0};
	struct sn_err err = {0};

	if (measures->review == NULL)
		return;
	if (review_share(measures, &share, &err) != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot stop what may go on no more: %s", err.text);
	share_finish(&share);
}

void sn_measures_review(struct sn_measures *measures, sn_measures_review_fn *fn, void *ctx,
			int64_t now_ns)
{
	measures->now_ns = now_ns;
	measures->review = fn;
	measures->review_ctx = ctx;
	measures->review_left = measures->all.count;
	sn_measures_review_more(measures);
}

bool sn_measures_is_reviewing(const struct sn_measures *measures)
{
	return measures->review != NULL;
}
