/* SPDX-License-Identifier: Apache-2.0 */
/* How far measurements are: states of parts, and of the whole, which follows from them. */
#define SN_MODULE "measures"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/measures_internal.h"

/* The whole ------------------------------------------------------------------------- */

static bool all_are(const struct sn_measured *measured, enum sn_measure_state state)
{
	return measured->counts[state] == measured->measure.part_count;
}

enum sn_measure_state sn_measured_state(const struct sn_measured *measured, int64_t now_ns)
{
	const struct sn_measure *measure = &measured->measure;

	if (measure->state == SN_MEASURE_STOPPED)
		return SN_MEASURE_STOPPED;
	if (measured->counts[SN_MEASURE_RUNNING] > 0)
		return SN_MEASURE_RUNNING;
	if (measured->counts[SN_MEASURE_WAITING] > 0)
		return measured->counts[SN_MEASURE_DONE] > 0 ? SN_MEASURE_RUNNING
							     : SN_MEASURE_WAITING;
	if (measure->follows && now_ns <= measure->ends_ns)
		return SN_MEASURE_WAITING;        /* for others to come */
	if (all_are(measured, SN_MEASURE_FAILED)) /* also when nobody ever came */
		return SN_MEASURE_FAILED;
	return all_are(measured, SN_MEASURE_STOPPED) ? SN_MEASURE_STOPPED : SN_MEASURE_DONE;
}

/* Not written: it follows from the parts. */
void sn_measured_end(struct sn_measures *measures, struct sn_measured *measured)
{
	measured->ended_ns = measures->now_ns;
	measures->live--;
	sn_measures_unfollow(measures, measured);
	sn_measures_schedule(measures, measured, measured->ended_ns + SN_MEASURE_KEEP_NS);
}

void sn_measured_review(struct sn_measures *measures, struct sn_measured *measured)
{
	struct sn_measure *measure = &measured->measure;
	enum sn_measure_state state = sn_measured_state(measured, measures->now_ns);

	if (sn_measure_state_is_final(measure->state) || state == measure->state)
		return;
	measure->state = state;
	if (sn_measure_state_is_final(state))
		sn_measured_end(measures, measured);
	sn_measures_tell(measures, measured, NULL);
}

/* Parts ------------------------------------------------------------------------------- */

/* The part as it will be; `changed` shares no text with it. */
static void change_part(const struct sn_measure_part *part, enum sn_measure_state state,
			const char *error, int64_t now_ns, struct sn_measure_part *changed)
{
	*changed = *part;
	changed->state = state;
	changed->error = error != NULL ? error : "";
	if (changed->started_ns == 0 && state != SN_MEASURE_WAITING && state != SN_MEASURE_STOPPED)
		changed->started_ns = now_ns;
	if (sn_measure_state_is_final(state))
		changed->ended_ns = now_ns;
}

static void adopt_change(struct sn_measures *measures, struct sn_measure_part *part,
			 const struct sn_measure_part *changed)
{
	struct sn_measured *measured = sn_measured(part->measure);
	char error[SN_MEASURE_ERROR_MAX];

	measured->counts[part->state]--;
	measured->counts[changed->state]++;
	part->state = changed->state;
	part->started_ns = changed->started_ns;
	part->ended_ns = changed->ended_ns;
	snprintf(error, sizeof(error), "%s", changed->error);
	sn_measure_set_text(&part->error, error);
	if (sn_measure_state_is_final(part->state))
		sn_measures_delist_part(measures, sn_measure_live(part));
}

/* A part that is final stays so; the same again is no change. */
static bool is_change(const struct sn_measure_part *part, enum sn_measure_state state)
{
	return !sn_measure_state_is_final(part->state) && part->state != state;
}

static int store_change(struct sn_measures *measures, const struct sn_part_change *change,
			int64_t now_ns, struct sn_err *err)
{
	struct sn_measure_part changed;
	char error[SN_MEASURE_ERROR_MAX];

	snprintf(error, sizeof(error), "%s", change->error != NULL ? change->error : "");
	change_part(change->part, change->state, error, now_ns, &changed);
	return sn_measures_update_part(measures, &changed, err);
}

int sn_measures_write_changes(struct sn_measures *measures, const struct sn_part_change *changes,
			      size_t count, int64_t now_ns, struct sn_err *err)
{
	int failed = 0;

	for (size_t i = 0; i < count && failed == 0; i++) {
		struct sn_measure_live *live = sn_measure_live(changes[i].part);

		if (live->ending || !is_change(&live->part, changes[i].state))
			continue;
		live->ending = sn_measure_state_is_final(changes[i].state);
		failed = store_change(measures, &changes[i], now_ns, err);
	}
	for (size_t i = 0; i < count; i++)
		sn_measure_live(changes[i].part)->ending = false;
	return failed;
}

static int store_changes(struct sn_measures *measures, const struct sn_part_change *changes,
			 size_t count, int64_t now_ns, struct sn_err *err)
{
	struct sn_db *db = measures->config.db;

	if (sn_db_begin(db, err) != 0)
		return err->code;
	if (sn_measures_write_changes(measures, changes, count, now_ns, err) == 0)
		return sn_db_commit(db, err);
	sn_db_rollback(db);
	return err->code;
}

void sn_measures_adopt_changes(struct sn_measures *measures, const struct sn_part_change *changes,
			       size_t count, int64_t now_ns)
{
	for (size_t i = 0; i < count; i++) {
		struct sn_measure_part *part = changes[i].part, changed;

		if (!is_change(part, changes[i].state))
			continue;
		change_part(part, changes[i].state, changes[i].error, now_ns, &changed);
		adopt_change(measures, part, &changed);
		sn_measures_tell(measures, sn_measured(part->measure), part);
		sn_measured_review(measures, sn_measured(part->measure));
	}
}

int sn_measures_part_states(struct sn_measures *measures, const struct sn_part_change *changes,
			    size_t count, int64_t now_ns, struct sn_err *err)
{
	struct sn_err own = {0};
	bool any = false;

	err = err != NULL ? err : &own;
	measures->now_ns = now_ns;
	for (size_t i = 0; i < count && !any; i++)
		any = is_change(changes[i].part, changes[i].state);
	if (!any)
		return 0;
	if (store_changes(measures, changes, count, now_ns, err) != 0)
		return err->code;
	sn_measures_adopt_changes(measures, changes, count, now_ns);
	return 0;
}

int sn_measures_part_state(struct sn_measures *measures, struct sn_measure_part *part,
			   enum sn_measure_state state, const char *error, int64_t now_ns,
			   struct sn_err *err)
{
	struct sn_part_change change = {part, state, error};

	return sn_measures_part_states(measures, &change, 1, now_ns, err);
}

/* Stopping ------------------------------------------------------------------------------ */

/* All that has not ended of a measurement, or of a provider. */
static int stop_parts(struct sn_measures *measures, struct sn_measure_part *const *parts,
		      size_t count, const char *error, int64_t now_ns, struct sn_err *err)
{
	struct sn_part_change *changes = sn_new_n(struct sn_part_change, count + 1);
	int failed;

	for (size_t i = 0; i < count; i++)
		changes[i] = (struct sn_part_change){parts[i], SN_MEASURE_STOPPED, error};
	failed = sn_measures_part_states(measures, changes, count, now_ns, err);
	free(changes);
	return failed;
}

int sn_measures_stop(struct sn_measures *measures, struct sn_measure *measure, int64_t now_ns,
		     struct sn_err *err)
{
	struct sn_measured *measured = sn_measured(measure);

	if (sn_measure_state_is_final(measure->state))
		return sn_err_set(err, -EALREADY, "it has ended already (%s)",
				  sn_measure_state_name(measure->state));
	measures->now_ns = now_ns;
	/* Nobody joins from here on, and if only the database knows, it will say so after a crash.
	 */
	measure->state = SN_MEASURE_STOPPED;
	measured->ended_ns = now_ns;
	if (sn_measures_store_stop(measures, measured, err) != 0 ||
	    stop_parts(measures, measure->parts, measure->part_count, "", now_ns, err) != 0) {
		measure->state = SN_MEASURE_WAITING;
		measured->ended_ns = 0;
		measure->state = sn_measured_state(measured, now_ns);
		return err != NULL ? err->code : -EIO;
	}
	sn_measured_end(measures, measured);
	sn_measures_tell(measures, measured, NULL);
	return 0;
}

int sn_measures_leave(struct sn_measures *measures, const char *provider, const char *reason,
		      int64_t now_ns, struct sn_err *err)
{
	struct sn_measure_provider *of = sn_map_get(measures->providers, provider);
	struct sn_measure_part **parts;
	size_t count = of != NULL ? of->count : 0;
	int failed;

	if (count == 0)
		return 0;
	parts = sn_new_n(struct sn_measure_part *, count);
	for (size_t i = 0; i < count; i++)
		parts[i] = &of->live[i]->part;
	failed = stop_parts(measures, parts, count, reason, now_ns, err);
	free(parts);
	return failed;
}

/* Rows ------------------------------------------------------------------------------------ */

void sn_measures_count_rows(struct sn_measures *measures, const char *id, const char *provider,
			    uint64_t rows)
{
	struct sn_measured *measured = sn_map_get(measures->by_id, id);
	struct sn_measure_part *part =
		measured != NULL ? sn_measured_part(measured, provider) : NULL;
	struct sn_measure_live *live;

	if (part == NULL)
		return;
	live = sn_measure_live(part);
	part->results += rows;
	measured->results += rows;
	measured->dirty = true;
	if (live->dirty)
		return;
	live->dirty = true;
	if (measures->dirty_count == measures->dirty_room) {
		measures->dirty_room = measures->dirty_room > 0 ? measures->dirty_room * 2 : 64;
		measures->dirty = sn_xrealloc(measures->dirty, measures->dirty_room,
					      sizeof(struct sn_measure_live *));
	}
	measures->dirty[measures->dirty_count++] = live;
}

static int write_dirty(struct sn_measures *measures, struct sn_err *err)
{
	struct sn_db *db = measures->config.db;

	if (sn_db_begin(db, err) != 0)
		return err->code;
	for (size_t i = 0; i < measures->dirty_count; i++) {
		if (measures->dirty[i] != NULL &&
		    sn_measures_update_part(measures, &measures->dirty[i]->part, err) != 0) {
			sn_db_rollback(db);
			return err->code;
		}
	}
	return sn_db_commit(db, err);
}

/* Rows prove that it runs, whatever its node has said. */
static void start_counted(struct sn_measures *measures)
{
	struct sn_part_change *changes = sn_new_n(struct sn_part_change, measures->dirty_count);
	struct sn_err err = {0};
	size_t count = 0;

	for (size_t i = 0; i < measures->dirty_count; i++) {
		struct sn_measure_live *live = measures->dirty[i];

		if (live != NULL && live->part.state == SN_MEASURE_WAITING)
			changes[count++] =
				(struct sn_part_change){&live->part, SN_MEASURE_RUNNING, NULL};
	}
	if (sn_measures_part_states(measures, changes, count, measures->now_ns, &err) != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot write states of measurements: %s", err.text);
	free(changes);
}

void sn_measures_write_counts(struct sn_measures *measures)
{
	struct sn_err err = {0};

	if (measures->dirty_count == 0)
		return;
	start_counted(measures);
	if (write_dirty(measures, &err) != 0) {
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot write counts of results: %s", err.text);
		return; /* with the next ones */
	}
	for (size_t i = 0; i < measures->dirty_count; i++) {
		struct sn_measured *measured;

		if (measures->dirty[i] == NULL)
			continue;
		measures->dirty[i]->dirty = false;
		measured = sn_measured(measures->dirty[i]->part.measure);
		if (measured->dirty && measures->config.on_count != NULL)
			measures->config.on_count(&measured->measure, NULL, measures->config.ctx);
		measured->dirty = false;
	}
	measures->dirty_count = 0;
}
