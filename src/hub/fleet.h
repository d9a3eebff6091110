/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fleet: the nodes, as the hub knows them now.
 *
 * Who they are is in the control database; what they last said (heartbeat, event
 * stream, newest measurements) is in memory and written behind once a minute and
 * at the end, so that ten thousand heartbeats cost no disk.
 *
 * A node is online while its last request is younger than 2.5 heartbeat
 * intervals.  Whoever wants to know of changes gets one call per changed node
 * and tick, not one per heartbeat.
 */
#ifndef SONDE_HUB_FLEET_H
#define SONDE_HUB_FLEET_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/str.h"
#include "data/batch.h"
#include "net/http_server.h"
#include "store/db.h"

#define SN_NODE_NAME_MAX    64
#define SN_NODE_PLACE_MAX   128
#define SN_NODE_TAGS_MAX    32
#define SN_NODE_TAG_MAX     64
#define SN_NODES_MAX        100000
#define SN_NODE_TARGETS_MAX 1024 /* of which the newest result is held for "now" */
#define SN_NODE_TEXT_MAX    64

enum sn_node_state { SN_NODE_OFFLINE, SN_NODE_ONLINE, SN_NODE_REVOKED };

struct sn_place {
	bool known; /* latitude and longitude, WGS 84 degrees */
	double latitude, longitude;
	char name[SN_NODE_PLACE_MAX];
};

struct sn_node {
	char id[SN_ULID_SIZE];
	char name[SN_NODE_NAME_MAX];
	enum sn_node_state state;
	int64_t enrolled_ns, last_seen_ns, certificate_expires_ns; /* 0: never, none */
	struct sn_place place;
	json_t *tags;                   /* array of texts */
	char version[SN_NODE_TEXT_MAX]; /* of its software */
	json_t *report;                 /* newest heartbeat, object; NULL before the first */
	struct sn_sse *stream;          /* open event stream, or NULL */
	struct sn_map *targets;         /* newest ping row per target */
	uint64_t rows;                  /* stored since the hub began ... */
	int64_t newest_ns;              /* ... and the time of the newest; 0: none */
	bool changed, unsaved;
};

struct sn_fleet;
typedef void sn_fleet_change_fn(const struct sn_node *node, void *ctx);

int sn_fleet_open(struct sn_db *db, int64_t now_ns, int64_t heartbeat_ns, struct sn_fleet **fleet,
		  struct sn_err *err);
/* Writes behind what is unsaved. */
void sn_fleet_close(struct sn_fleet *fleet, int64_t now_ns);
void sn_fleet_on_change(struct sn_fleet *fleet, sn_fleet_change_fn *fn, void *ctx);

bool sn_node_name_is_good(const char *name); /* [A-Za-z0-9][A-Za-z0-9._-]*, at most 63 */
/* By id, or by name (a node in service wins over a revoked one); NULL. */
struct sn_node *sn_fleet_find(struct sn_fleet *fleet, const char *id_or_name);
struct sn_node *sn_fleet_by_id(struct sn_fleet *fleet, const char *id);
/* In order of enrolment; `i` < sn_fleet_count(). */
size_t sn_fleet_count(const struct sn_fleet *fleet);
struct sn_node *sn_fleet_at(const struct sn_fleet *fleet, size_t i);
size_t sn_fleet_count_state(const struct sn_fleet *fleet, enum sn_node_state state);

/*
 * Two steps, so that the rows are part of the caller's transaction: insert writes
 * the row, and adopt takes the node into memory after the commit.  The name gets
 * a number appended when it is taken.
 */
int sn_fleet_insert(struct sn_fleet *fleet, const char *id, const char *name,
		    const struct sn_place *place, int64_t now_ns, struct sn_err *err);
int sn_fleet_adopt(struct sn_fleet *fleet, const char *id, struct sn_err *err);

/* Takes latitude, longitude (both or neither) and place from `object`, if they are there. */
int sn_place_read(const json_t *object, struct sn_place *place, struct sn_err *err);

/* What a person may change: -EINVAL with the reason, -EEXIST for a taken name. */
int sn_fleet_edit(struct sn_fleet *fleet, struct sn_node *node, const json_t *patch,
		  struct sn_err *err);
int sn_fleet_revoke(struct sn_fleet *fleet, struct sn_node *node, int64_t now_ns,
		    struct sn_err *err);
int sn_fleet_set_certificate(struct sn_fleet *fleet, struct sn_node *node, int64_t expires_ns,
			     struct sn_err *err);

/* Liveness and reports ---------------------------------------------------- */
void sn_fleet_seen(struct sn_fleet *fleet, struct sn_node *node, int64_t now_ns);
/* Takes the known members of `report`; -EINVAL names the one that is no good. */
int sn_fleet_heartbeat(struct sn_fleet *fleet, struct sn_node *node, const json_t *report,
		       int64_t now_ns, struct sn_err *err);
/* Rows of `node` that are stored, any dataset; counts them and keeps what "now" needs. */
void sn_fleet_rows(struct sn_fleet *fleet, struct sn_node *node, const struct sn_batch *batch);
void sn_fleet_row(struct sn_fleet *fleet, struct sn_node *node, const struct sn_dataset *dataset,
		  const struct sn_value *row);
/* Once a second: who went offline, who changed. */
void sn_fleet_tick(struct sn_fleet *fleet, int64_t now_ns);
/* Once a minute: write behind. */
int sn_fleet_save(struct sn_fleet *fleet, struct sn_err *err);

/* Event streams to nodes -------------------------------------------------- */
/* Answers the request; an older stream of the same node is closed. */
void sn_fleet_open_stream(struct sn_fleet *fleet, struct sn_node *node,
			  struct sn_http_request *request);

/* As the API shows it; a new reference. */
json_t *sn_fleet_json(const struct sn_fleet *fleet, const struct sn_node *node, int64_t now_ns);
const char *sn_node_state_name(enum sn_node_state state);

#endif
