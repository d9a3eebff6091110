/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "fleet"
#include "hub/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "hub/fleet_internal.h"
#include "hub/sql.h"

static const char *const state_names[] = {
	[SN_NODE_OFFLINE] = "offline",
	[SN_NODE_ONLINE] = "online",
	[SN_NODE_REVOKED] = "revoked",
};

const char *sn_node_state_name(enum sn_node_state state)
{
	return state_names[state];
}

/* Nodes in memory -------------------------------------------------------- */

static void node_destroy(struct sn_node *node)
{
	json_decref(node->tags);
	json_decref(node->report);
	sn_map_destroy(node->targets);
	free(node);
}

static void copy_text(char *out, size_t size, sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	snprintf(out, size, "%s", text != NULL ? text : "");
}

static json_t *column_object(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

#define NODE_COLUMNS                                                                               \
	"id, name, enrolled, last_seen, revoked, certificate_expires, latitude, longitude,"        \
	" place, tags, version, report"

static struct sn_node *node_from_row(sqlite3_stmt *row)
{
	struct sn_node *node = sn_new(struct sn_node);

	copy_text(node->id, sizeof(node->id), row, 0);
	copy_text(node->name, sizeof(node->name), row, 1);
	node->enrolled_ns = sqlite3_column_int64(row, 2);
	node->last_seen_ns = sqlite3_column_int64(row, 3);
	if (sqlite3_column_type(row, 4) != SQLITE_NULL)
		node->state = SN_NODE_REVOKED;
	node->certificate_expires_ns = sqlite3_column_int64(row, 5);
	node->place.known = sqlite3_column_type(row, 6) != SQLITE_NULL &&
			    sqlite3_column_type(row, 7) != SQLITE_NULL;
	node->place.latitude = sqlite3_column_double(row, 6);
	node->place.longitude = sqlite3_column_double(row, 7);
	copy_text(node->place.name, sizeof(node->place.name), row, 8);
	node->tags = column_object(row, 9);
	if (node->tags == NULL)
		node->tags = json_array();
	copy_text(node->version, sizeof(node->version), row, 10);
	node->report = column_object(row, 11);
	return node;
}

static void take_in(struct sn_fleet *fleet, struct sn_node *node)
{
	if (fleet->count == fleet->room) {
		fleet->room = fleet->room > 0 ? fleet->room * 2 : 64;
		fleet->nodes = sn_xrealloc(fleet->nodes, fleet->room, sizeof(struct sn_node *));
	}
	fleet->nodes[fleet->count++] = node;
	sn_map_set(fleet->by_id, node->id, node);
	if (node->state != SN_NODE_REVOKED)
		sn_map_set(fleet->by_name, node->name, node);
}

static int load(struct sn_fleet *fleet, struct sn_err *err)
{
	sqlite3_stmt *row =
		sn_db_query(fleet->db, err, "SELECT " NODE_COLUMNS " FROM nodes ORDER BY id", "");
	int got;

	if (row == NULL)
		return err->code;
	while ((got = sn_db_next(fleet->db, row, err)) == 1) {
		struct sn_node *node = node_from_row(row);

		/* A short restart of the hub takes nobody offline. */
		if (node->state == SN_NODE_OFFLINE &&
		    fleet->now_ns - node->last_seen_ns <= fleet->online_ns)
			node->state = SN_NODE_ONLINE;
		take_in(fleet, node);
	}
	sn_db_done(row);
	return got;
}

int sn_fleet_open(struct sn_db *db, int64_t now_ns, int64_t heartbeat_ns, struct sn_fleet **fleet,
		  struct sn_err *err)
{
	struct sn_fleet *made = sn_new(struct sn_fleet);

	made->db = db;
	made->now_ns = now_ns;
	made->online_ns = heartbeat_ns / 2 * 5;
	made->by_id = sn_map_create(NULL);
	made->by_name = sn_map_create(NULL);
	if (load(made, err) != 0) {
		sn_fleet_close(made, now_ns);
		return sn_err_wrap(err, "cannot read the nodes");
	}
	*fleet = made;
	return 0;
}

void sn_fleet_close(struct sn_fleet *fleet, int64_t now_ns)
{
	struct sn_err err = {0};

	if (fleet == NULL)
		return;
	fleet->now_ns = now_ns;
	if (sn_fleet_save(fleet, &err) != 0)
		sn_warn("%s", err.text);
	for (size_t i = 0; i < fleet->count; i++)
		node_destroy(fleet->nodes[i]);
	free(fleet->nodes);
	sn_map_destroy(fleet->by_id);
	sn_map_destroy(fleet->by_name);
	free(fleet);
}

void sn_fleet_on_change(struct sn_fleet *fleet, sn_fleet_change_fn *fn, void *ctx)
{
	fleet->on_change = fn;
	fleet->ctx = ctx;
}

struct sn_node *sn_fleet_by_id(struct sn_fleet *fleet, const char *id)
{
	return sn_map_get(fleet->by_id, id);
}

struct sn_node *sn_fleet_find(struct sn_fleet *fleet, const char *id_or_name)
{
	struct sn_node *node = sn_map_get(fleet->by_id, id_or_name);

	if (node == NULL)
		node = sn_map_get(fleet->by_name, id_or_name);
	for (size_t i = fleet->count; node == NULL && i > 0; i--) {
		if (strcmp(fleet->nodes[i - 1]->name, id_or_name) == 0)
			node = fleet->nodes[i - 1];
	}
	return node;
}

size_t sn_fleet_count(const struct sn_fleet *fleet)
{
	return fleet->count;
}

struct sn_node *sn_fleet_at(const struct sn_fleet *fleet, size_t i)
{
	return fleet->nodes[i];
}

size_t sn_fleet_count_state(const struct sn_fleet *fleet, enum sn_node_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < fleet->count; i++)
		count += fleet->nodes[i]->state == state;
	return count;
}

/* Joining and leaving ----------------------------------------------------- */

bool sn_node_name_is_good(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < SN_NODE_NAME_MAX &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
		       n &&
	       strchr("._-", name[0]) == NULL;
}

static void free_name(struct sn_fleet *fleet, const char *wanted, char out[SN_NODE_NAME_MAX])
{
	snprintf(out, SN_NODE_NAME_MAX, "%s", wanted);
	for (unsigned number = 2; sn_map_get(fleet->by_name, out) != NULL; number++)
		snprintf(out, SN_NODE_NAME_MAX, "%.50s-%u", wanted, number);
}

int sn_fleet_insert(struct sn_fleet *fleet, const char *id, const char *name,
		    const struct sn_place *place, int64_t now_ns, struct sn_err *err)
{
	char unique[SN_NODE_NAME_MAX];
	int changed;

	if (!sn_node_name_is_good(name))
		return sn_err_set(err, -EINVAL,
				  "'%.80s' is no name for a node (letters, digits, '.', '_', '-', "
				  "at most %d)",
				  name, SN_NODE_NAME_MAX - 1);
	if (fleet->count >= SN_NODES_MAX)
		return sn_err_set(err, -E2BIG, "the hub has %d nodes, which is the limit",
				  SN_NODES_MAX);
	free_name(fleet, name, unique);
	changed = sn_db_run(fleet->db, err,
			    "INSERT INTO nodes (id, name, enrolled, place) VALUES (?, ?, ?, ?)",
			    "ttit", id, unique, now_ns, place->name);
	if (changed >= 0 && place->known)
		changed = sn_db_run(fleet->db, err,
				    "UPDATE nodes SET latitude = ?, longitude = ? WHERE id = ?",
				    "fft", place->latitude, place->longitude, id);
	return changed < 0 ? changed : 0;
}

int sn_fleet_adopt(struct sn_fleet *fleet, const char *id, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(fleet->db, err,
					"SELECT " NODE_COLUMNS " FROM nodes WHERE id = ?", "t", id);
	int got = row == NULL ? err->code : sn_db_next(fleet->db, row, err);

	if (got == 1) {
		struct sn_node *node = node_from_row(row);

		node->changed = true;
		take_in(fleet, node);
	}
	if (row != NULL)
		sn_db_done(row);
	return got == 1 ? 0 : got == 0 ? sn_err_set(err, -ENOENT, "no node '%s'", id) : got;
}

int sn_fleet_revoke(struct sn_fleet *fleet, struct sn_node *node, int64_t now_ns,
		    struct sn_err *err)
{
	int changed = sn_db_run(fleet->db, err,
				"UPDATE nodes SET revoked = ? WHERE id = ? AND revoked IS NULL",
				"it", now_ns, node->id);

	if (changed < 0)
		return changed;
	if (sn_map_get(fleet->by_name, node->name) == node)
		sn_map_remove(fleet->by_name, node->name);
	node->state = SN_NODE_REVOKED;
	node->changed = true;
	if (node->stream != NULL)
		sn_sse_close(node->stream);
	return 0;
}

int sn_fleet_set_certificate(struct sn_fleet *fleet, struct sn_node *node, int64_t expires_ns,
			     struct sn_err *err)
{
	int changed =
		sn_db_run(fleet->db, err, "UPDATE nodes SET certificate_expires = ? WHERE id = ?",
			  "it", expires_ns, node->id);

	if (changed < 0)
		return changed;
	node->certificate_expires_ns = expires_ns;
	node->changed = true;
	return 0;
}

/* Liveness ---------------------------------------------------------------- */

void sn_fleet_seen(struct sn_fleet *fleet, struct sn_node *node, int64_t now_ns)
{
	(void)fleet;
	node->last_seen_ns = now_ns;
	node->unsaved = true;
	if (node->state != SN_NODE_OFFLINE)
		return;
	node->state = SN_NODE_ONLINE;
	node->changed = true;
	sn_info("node is online node=%s name=%s", node->id, node->name);
}

void sn_fleet_tick(struct sn_fleet *fleet, int64_t now_ns)
{
	fleet->now_ns = now_ns;
	for (size_t i = 0; i < fleet->count; i++) {
		struct sn_node *node = fleet->nodes[i];

		if (node->state == SN_NODE_ONLINE &&
		    now_ns - node->last_seen_ns > fleet->online_ns) {
			node->state = SN_NODE_OFFLINE;
			node->changed = true;
			sn_notice("node went offline node=%s name=%s", node->id, node->name);
		}
		if (!node->changed)
			continue;
		node->changed = false;
		if (fleet->on_change != NULL)
			fleet->on_change(node, fleet->ctx);
	}
}

static int save_node(struct sn_fleet *fleet, struct sn_node *node, struct sn_err *err)
{
	sn_autofree char *report =
		node->report != NULL ? json_dumps(node->report, JSON_COMPACT) : NULL;

	return sn_db_run(fleet->db, err,
			 "UPDATE nodes SET last_seen = ?, version = ?, report = ? WHERE id = ?",
			 "ittt", node->last_seen_ns, node->version, report, node->id);
}

int sn_fleet_save(struct sn_fleet *fleet, struct sn_err *err)
{
	bool begun = false;

	for (size_t i = 0; i < fleet->count; i++) {
		struct sn_node *node = fleet->nodes[i];

		if (!node->unsaved)
			continue;
		if (!begun && sn_db_begin(fleet->db, err) != 0)
			return err->code;
		begun = true;
		if (save_node(fleet, node, err) < 0) {
			sn_db_rollback(fleet->db);
			return err->code;
		}
	}
	if (!begun)
		return 0;
	if (sn_db_commit(fleet->db, err) != 0)
		return err->code;
	for (size_t i = 0; i < fleet->count; i++)
		fleet->nodes[i]->unsaved = false;
	return 0;
}

/* Event streams ----------------------------------------------------------- */

static void stream_closed(struct sn_sse *sse, void *ctx)
{
	struct sn_node *node = ctx;

	if (node->stream == sse)
		node->stream = NULL;
}

void sn_fleet_open_stream(struct sn_fleet *fleet, struct sn_node *node,
			  struct sn_http_request *request)
{
	struct sn_sse *old = node->stream;

	(void)fleet;
	node->stream = NULL;
	if (old != NULL)
		sn_sse_close(old);
	node->stream = sn_sse_open(request, stream_closed, node);
}
