/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements and their parts in the control database. */
#define SN_MODULE "measures"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/measures_internal.h"
#include "hub/sql.h"
#include "mplane/codec.h"

/* Writing ---------------------------------------------------------------------------- */

int sn_measures_store_part(struct sn_measures *measures, const struct sn_measure_part *part,
			   struct sn_err *err)
{
	int changed = sn_db_run(measures->config.db, err,
				"INSERT INTO parts (measurement, provider, token, state)"
				" VALUES (?, ?, ?, ?)",
				"tttt", part->measure->id, part->provider, part->token,
				sn_measure_state_name(part->state));

	return changed < 0 ? changed : 0;
}

int sn_measures_update_part(struct sn_measures *measures, const struct sn_measure_part *part,
			    struct sn_err *err)
{
	int changed = sn_db_run(
		measures->config.db, err,
		"UPDATE parts SET state = ?, started = ?, ended = ?, results = ?, error = ?"
		" WHERE measurement = ? AND provider = ?",
		"tiiittt", sn_measure_state_name(part->state), part->started_ns, part->ended_ns,
		(int64_t)part->results, part->error, part->measure->id, part->provider);

	return changed < 0 ? changed : 0;
}

static char *identities_text(const struct sn_measure *measure)
{
	sn_autojson json_t *names = json_array();

	for (size_t i = 0; measure->identities[i] != NULL; i++)
		json_array_append_new(names, json_string(measure->identities[i]));
	return json_dumps(names, JSON_COMPACT);
}

static int store_whole(struct sn_measures *measures, const struct sn_measured *measured,
		       const char *specification, struct sn_err *err)
{
	const struct sn_measure *measure = &measured->measure;
	sn_autofree char *parameters = json_dumps(measured->parameters, JSON_COMPACT);
	sn_autofree char *selection = json_dumps(measure->selection, JSON_COMPACT);
	sn_autofree char *identities = identities_text(measure);
	int changed = sn_db_run(
		measures->config.db, err,
		"INSERT INTO measurements (id, name, owner, label, native, specification,"
		" parameters, selection, follows, repository, client_token, client_label,"
		" idempotency_key, created, identities)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"ttttitttittttit", measure->id, measure->name, measure->owner,
		measure->specification->label, (int64_t)(measure->native != NULL), specification,
		parameters, selection, (int64_t)measure->follows, measure->repository,
		measure->client_token, measure->client_label,
		measured->key[0] != '\0' ? measured->key : NULL, measure->created_ns, identities);

	return changed < 0 ? changed : 0;
}

static int store_message(struct sn_measures *measures, const struct sn_measured *measured,
			 const char *message, struct sn_err *err)
{
	int changed = sn_db_run(measures->config.db, err,
				"INSERT OR REPLACE INTO mplane_requests VALUES (?, ?)", "tt",
				measured->measure.id, message);

	return changed < 0 ? changed : 0;
}

int sn_measures_store(struct sn_measures *measures, const struct sn_measured *measured,
		      const char *client_message, struct sn_err *err)
{
	const struct sn_measure *measure = &measured->measure;
	struct sn_buf text = {0};
	int failed;

	sn_mp_encode(measure->specification, 0, &text);
	failed = store_whole(measures, measured, sn_buf_cstr(&text), err);
	sn_buf_finish(&text);
	for (size_t i = 0; i < measure->part_count && failed == 0; i++)
		failed = sn_measures_store_part(measures, measure->parts[i], err);
	if (failed == 0 && client_message != NULL)
		failed = store_message(measures, measured, client_message, err);
	return failed;
}

int sn_measures_store_stop(struct sn_measures *measures, const struct sn_measured *measured,
			   struct sn_err *err)
{
	int changed = sn_db_run(measures->config.db, err,
				"UPDATE measurements SET stopped = ? WHERE id = ?", "it",
				measured->ended_ns, measured->measure.id);

	return changed < 0 ? changed : 0;
}

int sn_measures_delete(struct sn_measures *measures, const struct sn_measured *measured,
		       struct sn_err *err)
{
	/* Its parts go with it. */
	int changed = sn_db_run(measures->config.db, err, "DELETE FROM measurements WHERE id = ?",
				"t", measured->measure.id);

	return changed < 0 ? changed : 0;
}

/* Reading ------------------------------------------------------------------------------- */

enum { /* columns of the measurements as they are read */
       ID,
       NAME,
       OWNER,
       LABEL,
       NATIVE,
       SPECIFICATION,
       PARAMETERS,
       SELECTION,
       FOLLOWS,
       REPOSITORY,
       CLIENT_TOKEN,
       CLIENT_LABEL,
       KEY,
       CREATED,
       STOPPED,
       IDENTITIES
};
static const char read_sql[] =
	"SELECT id, name, owner, label, native, specification, parameters, selection, follows,"
	" repository, client_token, client_label, idempotency_key, created, stopped, identities"
	" FROM measurements ORDER BY created, id";

static const char *text_of(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text != NULL ? text : "";
}

/* A task of before there were measurements: its period becomes that of the scope. */
static int carried_scope(struct sn_measured *measured, struct sn_mp_when *when, struct sn_err *err)
{
	const json_t *period = json_object_get(measured->parameters, "period");
	bool once = period == NULL &&
		    sn_method_param(measured->measure.native->method, "period") != NULL;
	int64_t period_ns = 0;

	if (json_is_string(period) &&
	    sn_parse_duration(sn_str(json_string_value(period)), &period_ns) != 0)
		return sn_err_set(err, -EINVAL, "its period is no time");
	json_object_del(measured->parameters, "period");
	measured->measure.follows = measured->measure.follows && !once;
	/* Scopes know whole seconds. */
	period_ns = (period_ns + SN_NS_PER_S - 1) / SN_NS_PER_S * SN_NS_PER_S;
	*when = (struct sn_mp_when){
		.set = true,
		.span = {.start = measured->measure.created_ns,
			 .end = once ? SN_MP_UNSET : SN_MP_FUTURE,
			 .duration_ns = -1,
			 .period_ns = period_ns},
	};
	return 0;
}

static struct sn_mp_message *carry_over(const struct sn_measures *measures,
					struct sn_measured *measured, struct sn_err *err)
{
	const struct sn_mp_offer *native = measured->measure.native;
	struct sn_mp_message *capability = sn_request_native_capability(measures, native), *made;

	if (capability == NULL) {
		sn_err_set(err, -EINVAL, "it needs an address");
		return NULL;
	}
	made = sn_mp_message_as(capability, SN_MP_SPECIFICATION);
	sn_mp_set_text(&made->label, native->label);
	sn_mp_message_destroy(capability);
	if (carried_scope(measured, &made->when, err) == 0 &&
	    sn_request_fill(made, native, measured->parameters, err) == 0)
		return made;
	sn_mp_message_destroy(made);
	return NULL;
}

static int read_specification(const struct sn_measures *measures, struct sn_measured *measured,
			      sqlite3_stmt *row, struct sn_err *err)
{
	struct sn_measure *measure = &measured->measure;
	const char *text = text_of(row, SPECIFICATION);

	if (sqlite3_column_int64(row, NATIVE) != 0) {
		measure->native = sn_mp_offer_find(text_of(row, LABEL));
		if (measure->native == NULL)
			return sn_err_set(err, -ENOENT, "there is no such method any more");
	}
	if (text[0] == '\0' && measure->native != NULL)
		measure->specification = carry_over(measures, measured, err);
	else
		measure->specification =
			sn_mp_decode(measures->config.registries, text, strlen(text), 0, NULL, err);
	if (measure->specification == NULL)
		return -EINVAL;
	if (measure->specification->kind != SN_MP_SPECIFICATION)
		return sn_err_set(err, -EINVAL, "it is no specification");
	return sn_request_settle(measured, err);
}

/* Of a measurement that came before they were stored, the owner. */
static void read_identities(struct sn_measure *measure, const char *text)
{
	sn_autojson json_t *names = json_loads(text, 0, NULL);
	size_t count = json_array_size(names), used = 0;
	sn_autofree const char **list = sn_new_n(const char *, count + 2);

	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name != NULL)
			list[used++] = name;
	}
	if (used == 0)
		list[0] = measure->owner;
	sn_measure_set_identities(measure, list);
}

static struct sn_measured *measured_from_row(const struct sn_measures *measures, sqlite3_stmt *row,
					     struct sn_err *err)
{
	struct sn_measured *measured = sn_measured_create();
	struct sn_measure *measure = &measured->measure;

	snprintf(measure->id, sizeof(measure->id), "%s", text_of(row, ID));
	snprintf(measure->name, sizeof(measure->name), "%s", text_of(row, NAME));
	sn_measure_set_text(&measure->owner, text_of(row, OWNER));
	read_identities(measure, text_of(row, IDENTITIES));
	sn_measure_set_text(&measure->repository, text_of(row, REPOSITORY));
	sn_measure_set_text(&measure->client_token, text_of(row, CLIENT_TOKEN));
	sn_measure_set_text(&measure->client_label, text_of(row, CLIENT_LABEL));
	sn_measure_set_text(&measured->key, text_of(row, KEY));
	/* Scopes are kept in text, which knows microseconds. */
	measure->created_ns = sqlite3_column_int64(row, CREATED) / 1000 * 1000;
	measure->follows = sqlite3_column_int64(row, FOLLOWS) != 0;
	measured->parameters = json_loads(text_of(row, PARAMETERS), 0, NULL);
	measure->selection = json_loads(text_of(row, SELECTION), 0, NULL);
	measured->ended_ns = sqlite3_column_int64(row, STOPPED);
	if (measured->ended_ns != 0)
		measure->state = SN_MEASURE_STOPPED;
	if (json_is_object(measured->parameters) && json_is_object(measure->selection) &&
	    read_specification(measures, measured, row, err) == 0)
		return measured;
	sn_measured_destroy(measured);
	return NULL;
}

static enum sn_measure_state state_called(const char *name)
{
	for (int i = 0; i < SN_MEASURE_STATES; i++) {
		if (strcmp(sn_measure_state_name((enum sn_measure_state)i), name) == 0)
			return (enum sn_measure_state)i;
	}
	return SN_MEASURE_WAITING;
}

static void part_from_row(struct sn_measures *measures, struct sn_measured *measured,
			  sqlite3_stmt *row)
{
	struct sn_measure_live *live = sn_measured_add_part(measures, measured, text_of(row, 1));
	struct sn_measure_part *part = &live->part;

	snprintf(part->token, sizeof(part->token), "%s", text_of(row, 2));
	measured->counts[part->state]--;
	part->state = state_called(text_of(row, 3));
	measured->counts[part->state]++;
	part->started_ns = sqlite3_column_int64(row, 4);
	part->ended_ns = sqlite3_column_int64(row, 5);
	part->results = (uint64_t)sqlite3_column_int64(row, 6);
	measured->results += part->results;
	sn_measure_set_text(&part->error, text_of(row, 7));
}

/* Into `by_id`, where their parts find them; in order of age in `list`. */
static int load_wholes(struct sn_measures *measures, struct sn_measure_list *list,
		       struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(measures->config.db, err, read_sql, "");
	int got;

	if (row == NULL)
		return err->code;
	while ((got = sn_db_next(measures->config.db, row, err)) == 1) {
		struct sn_err why = {0};
		struct sn_measured *measured = measured_from_row(measures, row, &why);

		if (measured == NULL) {
			sn_warn("a measurement is left out: %s measurement=%s", why.text,
				text_of(row, ID));
			continue;
		}
		if (list->count == list->room) {
			list->room = list->room > 0 ? list->room * 2 : 64;
			list->items =
				sn_xrealloc(list->items, list->room, sizeof(struct sn_measured *));
		}
		list->items[list->count++] = measured;
		sn_map_set(measures->by_id, measured->measure.id, measured);
	}
	sn_db_done(row);
	return got;
}

static int load_parts(struct sn_measures *measures, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(measures->config.db, err,
					"SELECT measurement, provider, token, state, started,"
					" ended, results, error FROM parts"
					" ORDER BY measurement, provider",
					"");
	int got;

	if (row == NULL)
		return err->code;
	while ((got = sn_db_next(measures->config.db, row, err)) == 1) {
		struct sn_measured *measured = sn_map_get(measures->by_id, text_of(row, 0));

		if (measured != NULL)
			part_from_row(measures, measured, row);
	}
	sn_db_done(row);
	return got;
}

/* That it was stopped is written before that its parts are: a crash may have come between. */
static void settle_parts(struct sn_measured *measured)
{
	for (size_t i = 0; i < measured->measure.part_count; i++) {
		struct sn_measure_part *part = measured->measure.parts[i];

		if (sn_measure_state_is_final(part->state))
			continue;
		measured->counts[part->state]--;
		part->state = SN_MEASURE_STOPPED;
		part->ended_ns = measured->ended_ns;
		measured->counts[part->state]++;
	}
}

static void settle_state(const struct sn_measures *measures, struct sn_measured *measured)
{
	struct sn_measure *measure = &measured->measure;

	if (measure->state == SN_MEASURE_STOPPED)
		settle_parts(measured);
	measure->state = sn_measured_state(measured, measures->now_ns);
	if (!sn_measure_state_is_final(measure->state) || measured->ended_ns != 0)
		return;
	for (size_t i = 0; i < measure->part_count; i++)
		measured->ended_ns = SN_MAX(measured->ended_ns, measure->parts[i]->ended_ns);
	if (measured->ended_ns == 0)
		measured->ended_ns = SN_MIN(measure->ends_ns, measures->now_ns);
}

/* What was carried over is written as what it has become. */
static void write_carried(struct sn_measures *measures, const struct sn_measured *measured)
{
	sn_autofree char *parameters = json_dumps(measured->parameters, JSON_COMPACT);
	struct sn_buf text = {0};
	struct sn_err err = {0};

	sn_mp_encode(measured->measure.specification, 0, &text);
	if (sn_db_run(measures->config.db, &err,
		      "UPDATE measurements SET specification = ?, parameters = ?"
		      " WHERE id = ? AND specification IS NULL",
		      "ttt", sn_buf_cstr(&text), parameters, measured->measure.id) < 0)
		sn_warn("cannot write what a task has become: %s", err.text);
	sn_buf_finish(&text);
}

int sn_measures_load(struct sn_measures *measures, struct sn_err *err)
{
	struct sn_measure_list list = {0};
	bool carried =
		sn_sql_i64(measures->config.db, 0,
			   "SELECT count(*) FROM measurements WHERE specification IS NULL", "") > 0;
	int failed = load_wholes(measures, &list, err);

	if (failed == 0)
		failed = load_parts(measures, err);
	for (size_t i = 0; i < list.count; i++) {
		settle_state(measures, list.items[i]);
		sn_measures_take_in(measures, list.items[i]);
		if (carried && failed == 0)
			write_carried(measures, list.items[i]);
	}
	free(list.items);
	return failed;
}
