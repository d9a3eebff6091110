/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes say of themselves, what people say of nodes, and how a node is shown. */
#define SN_MODULE "fleet"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/fleet_internal.h"
#include "hub/sql.h"

#define INTERFACES_MAX   64
#define METHODS_MAX      64
#define PROBLEMS_MAX     32
#define PROBLEM_TEXT_MAX 512
#define NOW_AGE_NS       (60 * SN_NS_PER_S) /* older results are not "now" ... */
#define AHEAD_MAX_NS     (60 * SN_NS_PER_S)
#define NOW_GAPS         3 /* ... unless the task is that slow */

/* Heartbeats -------------------------------------------------------------- */

static bool is_short_text(const json_t *value, size_t max)
{
	return json_is_string(value) && json_string_length(value) <= max;
}

static bool is_texts(const json_t *value, size_t count_max, size_t text_max)
{
	size_t i;
	json_t *item;

	if (!json_is_array(value) || json_array_size(value) > count_max)
		return false;
	json_array_foreach (value, i, item) {
		if (!is_short_text(item, text_max))
			return false;
	}
	return true;
}

static bool is_methods(const json_t *value)
{
	return is_texts(value, METHODS_MAX, SN_NODE_TEXT_MAX);
}

static bool is_problems(const json_t *value)
{
	return is_texts(value, PROBLEMS_MAX, PROBLEM_TEXT_MAX);
}

static bool is_interfaces(const json_t *value)
{
	size_t i;
	json_t *item;

	if (!json_is_array(value) || json_array_size(value) > INTERFACES_MAX)
		return false;
	json_array_foreach (value, i, item) {
		const json_t *addresses = json_object_get(item, "addresses");

		if (!is_short_text(json_object_get(item, "name"), SN_NODE_TEXT_MAX) ||
		    (addresses != NULL && !is_texts(addresses, INTERFACES_MAX, SN_NODE_TEXT_MAX)))
			return false;
	}
	return true;
}

static bool is_spool(const json_t *value)
{
	const char *key;
	json_t *member;

	if (!json_is_object(value) || json_object_size(value) > 16)
		return false;
	json_object_foreach ((json_t *)value, key, member) {
		if (!json_is_integer(member))
			return false;
	}
	return true;
}

static bool is_label(const json_t *value)
{
	return is_short_text(value, SN_NODE_TEXT_MAX - 1);
}

static bool is_number(const json_t *value)
{
	return json_is_number(value);
}

static const struct member {
	const char *name;
	bool (*is_good)(const json_t *value);
} report_members[] = {
	{"version", is_label},   {"boot_id", is_label},
	{"stream", is_label},    {"uptime_seconds", is_number},
	{"methods", is_methods}, {"interfaces", is_interfaces},
	{"spool", is_spool},     {"problems", is_problems},
	{"country", is_label},   {"asn", is_label},
	{"system", is_label},
};

int sn_fleet_heartbeat(struct sn_fleet *fleet, struct sn_node *node, const json_t *report,
		       int64_t now_ns, struct sn_err *err)
{
	json_t *taken = json_object();

	for (size_t i = 0; i < SN_COUNT(report_members); i++) {
		json_t *value = json_object_get(report, report_members[i].name);

		if (value == NULL || json_is_null(value))
			continue;
		if (!report_members[i].is_good(value)) {
			json_decref(taken);
			return sn_err_set(err, -EINVAL, "'%s' of the heartbeat has the wrong form",
					  report_members[i].name);
		}
		json_object_set(taken, report_members[i].name, value);
	}
	json_decref(node->report);
	node->report = taken;
	if (json_object_get(taken, "version") != NULL)
		snprintf(node->version, sizeof(node->version), "%s",
			 json_string_value(json_object_get(taken, "version")));
	node->changed = true;
	sn_fleet_seen(fleet, node, now_ns);
	return 0;
}

/* What is measured now ---------------------------------------------------- */

struct target_now {
	int64_t time_ns, gap_ns; /* of the newest run, and to the one before */
	double loss, rtt;        /* NAN: none */
};

struct ping_columns {
	int target, loss, rtt;
};

static bool is_current(const struct target_now *now, int64_t now_ns)
{
	int64_t age_max = SN_MAX(NOW_AGE_NS, NOW_GAPS * now->gap_ns);

	return now_ns - now->time_ns <= age_max;
}

/* Makes room by forgetting targets that are not measured any more. */
static void forget_old_targets(struct sn_node *node, int64_t now_ns)
{
	struct sn_map *kept = sn_map_create(free);
	const char *name;
	size_t cursor = 0;
	void *value;

	while (sn_map_next(node->targets, &cursor, &name, &value)) {
		if (is_current(value, now_ns))
			sn_map_set(kept, name, sn_xmemdup(value, sizeof(struct target_now)));
	}
	sn_map_destroy(node->targets);
	node->targets = kept;
}

/* NULL when the node measures more targets than are held. */
static struct target_now *target_called(struct sn_node *node, const char *name, int64_t now_ns)
{
	struct target_now *now;

	if (node->targets == NULL)
		node->targets = sn_map_create(free);
	now = sn_map_get(node->targets, name);
	if (now != NULL)
		return now;
	if (sn_map_count(node->targets) >= SN_NODE_TARGETS_MAX)
		forget_old_targets(node, now_ns);
	if (sn_map_count(node->targets) >= SN_NODE_TARGETS_MAX)
		return NULL;
	now = sn_new(struct target_now);
	sn_map_set(node->targets, name, now);
	return now;
}

static double number_or_nan(const struct sn_value *value)
{
	return value->type == SN_TYPE_F64 ? value->f : (double)NAN;
}

static void note_ping(const struct sn_fleet *fleet, struct sn_node *node,
		      const struct sn_value *row, const struct ping_columns *at)
{
	const struct sn_value *target = &row[at->target], *time = &row[SN_COL_TIME];
	struct target_now *now;
	char name[256];

	if (target->type != SN_TYPE_TEXT || time->type != SN_TYPE_TIME ||
	    target->s.n >= sizeof(name))
		return;
	/* A node whose clock is far ahead must not stand in the way of what comes later. */
	if (time->i > fleet->now_ns + AHEAD_MAX_NS)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)target->s.n, target->s.p);
	now = target_called(node, name, fleet->now_ns);
	if (now == NULL || time->i <= now->time_ns)
		return;
	now->gap_ns = now->time_ns == 0 ? 0 : time->i - now->time_ns;
	now->time_ns = time->i;
	now->loss = number_or_nan(&row[at->loss]);
	now->rtt = number_or_nan(&row[at->rtt]);
	node->changed = true;
}

static struct ping_columns ping_columns(void)
{
	return (struct ping_columns){
		.target = sn_dataset_column(&sn_dataset_ping, "target"),
		.loss = sn_dataset_column(&sn_dataset_ping, "loss_ratio"),
		.rtt = sn_dataset_column(&sn_dataset_ping, "rtt_p50_seconds"),
	};
}

void sn_fleet_row(struct sn_fleet *fleet, struct sn_node *node, const struct sn_dataset *dataset,
		  const struct sn_value *row)
{
	struct ping_columns at = ping_columns();

	if (dataset == &sn_dataset_ping)
		note_ping(fleet, node, row, &at);
}

void sn_fleet_rows(struct sn_fleet *fleet, struct sn_node *node, const struct sn_batch *batch)
{
	struct ping_columns at = ping_columns();
	size_t rows = sn_batch_rows(batch);

	node->rows += rows;
	if (rows > 0)
		node->newest_ns =
			SN_MAX(node->newest_ns, sn_batch_row(batch, rows - 1)[SN_COL_TIME].i);
	if (sn_batch_dataset(batch) != &sn_dataset_ping)
		return;
	for (size_t i = 0; i < sn_batch_rows(batch); i++)
		note_ping(fleet, node, sn_batch_row(batch, i), &at);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Mean loss and median of the medians over the targets that have a recent result. */
static json_t *now_json(const struct sn_node *node, int64_t now_ns)
{
	static double rtts[SN_NODE_TARGETS_MAX];
	size_t cursor = 0, targets = 0, losses = 0, rtt_count = 0;
	const char *target;
	double loss = 0;
	void *value;

	while (node->targets != NULL && sn_map_next(node->targets, &cursor, &target, &value)) {
		const struct target_now *now = value;

		if (!is_current(now, now_ns))
			continue;
		targets++;
		if (!isnan(now->loss)) {
			loss += now->loss;
			losses++;
		}
		if (!isnan(now->rtt))
			rtts[rtt_count++] = now->rtt;
	}
	qsort(rtts, rtt_count, sizeof(double), by_value);
	return json_pack("{s:o, s:o, s:I}", "loss_ratio",
			 losses > 0 ? json_real(loss / (double)losses) : json_null(),
			 "rtt_p50_seconds",
			 rtt_count > 0 ? json_real(rtts[(rtt_count - 1) / 2]) : json_null(),
			 "targets", (json_int_t)targets);
}

/* The node as the API shows it -------------------------------------------- */

static json_t *reported(const struct sn_node *node, const char *name, json_t *otherwise)
{
	json_t *value = json_object_get(node->report, name);

	if (value == NULL)
		return otherwise;
	json_decref(otherwise);
	return json_incref(value);
}

json_t *sn_fleet_json(const struct sn_fleet *fleet, const struct sn_node *node, int64_t now_ns)
{
	json_t *json = json_object();

	(void)fleet;
	json_object_set_new(json, "id", json_string(node->id));
	json_object_set_new(json, "name", json_string(node->name));
	json_object_set_new(json, "state", json_string(sn_node_state_name(node->state)));
	json_object_set_new(json, "last_seen", sn_json_time(node->last_seen_ns));
	json_object_set_new(json, "enrolled", sn_json_time(node->enrolled_ns));
	json_object_set_new(json, "certificate_expires",
			    sn_json_time(node->certificate_expires_ns));
	json_object_set_new(json, "version",
			    node->version[0] != '\0' ? json_string(node->version) : json_null());
	json_object_set_new(json, "latitude",
			    node->place.known ? json_real(node->place.latitude) : json_null());
	json_object_set_new(json, "longitude",
			    node->place.known ? json_real(node->place.longitude) : json_null());
	json_object_set_new(json, "place",
			    node->place.name[0] != '\0' ? json_string(node->place.name)
							: json_null());
	json_object_set(json, "tags", node->tags);
	json_object_set_new(json, "interfaces", reported(node, "interfaces", json_array()));
	json_object_set_new(json, "methods", reported(node, "methods", json_array()));
	json_object_set_new(json, "problems", reported(node, "problems", json_array()));
	json_object_set_new(json, "spool", reported(node, "spool", json_object()));
	json_object_set_new(json, "country", reported(node, "country", json_null()));
	json_object_set_new(json, "asn", reported(node, "asn", json_null()));
	json_object_set_new(json, "system", reported(node, "system", json_null()));
	json_object_set_new(json, "stream", reported(node, "stream", json_null()));
	json_object_set_new(json, "uptime_seconds", reported(node, "uptime_seconds", json_null()));
	json_object_set_new(json, "now", now_json(node, now_ns));
	return json;
}

/* What people change ------------------------------------------------------ */

static int edit_name(struct sn_fleet *fleet, const struct sn_node *node, const json_t *value,
		     struct sn_node *edited, struct sn_err *err)
{
	const char *name = json_string_value(value);

	if (name == NULL || !sn_node_name_is_good(name))
		return sn_err_set(err, -EINVAL,
				  "name: not a name for a node (letters, digits, '.', '_', '-', at "
				  "most %d)",
				  SN_NODE_NAME_MAX - 1);
	if (node->state != SN_NODE_REVOKED && sn_map_get(fleet->by_name, name) != NULL &&
	    sn_map_get(fleet->by_name, name) != node)
		return sn_err_set(err, -EEXIST, "name: '%s' is taken", name);
	snprintf(edited->name, sizeof(edited->name), "%s", name);
	return 0;
}

static int edit_degrees(const char *what, const json_t *value, double limit, double *degrees,
			struct sn_err *err)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || !(number >= -limit && number <= limit))
		return sn_err_set(err, -EINVAL, "%s: not a number from %g to %g", what, -limit,
				  limit);
	*degrees = number;
	return 0;
}

int sn_place_read(const json_t *object, struct sn_place *place, struct sn_err *err)
{
	const json_t *latitude = json_object_get(object, "latitude");
	const json_t *longitude = json_object_get(object, "longitude");
	const json_t *name = json_object_get(object, "place");

	if (json_is_null(latitude) && json_is_null(longitude)) {
		place->known = false;
	} else if (latitude != NULL || longitude != NULL) {
		if (edit_degrees("latitude", latitude, 90, &place->latitude, err) != 0 ||
		    edit_degrees("longitude", longitude, 180, &place->longitude, err) != 0)
			return err->code;
		place->known = true;
	}
	if (name == NULL)
		return 0;
	if (!json_is_null(name) && !is_short_text(name, SN_NODE_PLACE_MAX - 1))
		return sn_err_set(err, -EINVAL, "place: not a text of at most %d bytes",
				  SN_NODE_PLACE_MAX - 1);
	snprintf(place->name, sizeof(place->name), "%s",
		 json_is_null(name) ? "" : json_string_value(name));
	return 0;
}

static int store_edit(struct sn_fleet *fleet, const struct sn_node *edited, struct sn_err *err)
{
	sn_autofree char *tags = json_dumps(edited->tags, JSON_COMPACT);
	int changed;

	if (sn_db_begin(fleet->db, err) != 0)
		return err->code;
	changed = sn_db_run(fleet->db, err,
			    "UPDATE nodes SET name = ?, place = ?, tags = ?, latitude = NULL,"
			    " longitude = NULL WHERE id = ?",
			    "tttt", edited->name, edited->place.name, tags, edited->id);
	if (changed >= 0 && edited->place.known)
		changed = sn_db_run(
			fleet->db, err, "UPDATE nodes SET latitude = ?, longitude = ? WHERE id = ?",
			"fft", edited->place.latitude, edited->place.longitude, edited->id);
	if (changed < 0) {
		sn_db_rollback(fleet->db);
		return changed;
	}
	return sn_db_commit(fleet->db, err);
}

int sn_fleet_edit(struct sn_fleet *fleet, struct sn_node *node, const json_t *patch,
		  struct sn_err *err)
{
	const json_t *name = json_object_get(patch, "name");
	json_t *tags = json_object_get(patch, "tags");
	struct sn_node edited = *node;

	if (name != NULL && edit_name(fleet, node, name, &edited, err) != 0)
		return err->code;
	if (sn_place_read(patch, &edited.place, err) != 0)
		return err->code;
	if (tags != NULL && !is_texts(tags, SN_NODE_TAGS_MAX, SN_NODE_TAG_MAX))
		return sn_err_set(err, -EINVAL,
				  "tags: not a list of at most %d texts of at most %d "
				  "bytes",
				  SN_NODE_TAGS_MAX, SN_NODE_TAG_MAX);
	if (tags != NULL)
		edited.tags = tags;
	if (store_edit(fleet, &edited, err) != 0)
		return err->code;

	if (node->state != SN_NODE_REVOKED) {
		sn_map_remove(fleet->by_name, node->name);
		sn_map_set(fleet->by_name, edited.name, node);
	}
	memcpy(node->name, edited.name, sizeof(node->name));
	node->place = edited.place;
	if (tags != NULL) {
		json_decref(node->tags);
		node->tags = json_deep_copy(tags);
	}
	node->changed = true;
	return 0;
}
