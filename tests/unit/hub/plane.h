/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plane: fleet, offers and measurements of a hub without a network, in a directory of their own,
 * with a time that the test moves.
 */
#ifndef SONDE_TESTS_PLANE_H
#define SONDE_TESTS_PLANE_H

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/control.h"
#include "hub/measures.h"

#define START_NS (1800000000 * SN_NS_PER_S)

struct plane {
	char dir[64];
	char path[96];
	struct sn_db *db;
	struct sn_fleet *fleet;
	struct sn_mp_registries *registries;
	struct sn_offers *offers;
	struct sn_measures *measures;
	struct sn_measures_config config;
	int64_t now_ns;
	unsigned changes, counts; /* calls of on_change and on_count */
};

static inline void plane_changed(const struct sn_measure *measure,
				 const struct sn_measure_part *part, void *ctx)
{
	(void)measure, (void)part;
	((struct plane *)ctx)->changes++;
}

static inline void plane_counted(const struct sn_measure *measure,
				 const struct sn_measure_part *part, void *ctx)
{
	(void)measure, (void)part;
	((struct plane *)ctx)->counts++;
}

static inline void plane_open(struct plane *plane)
{
	struct sn_err err = {0};

	if (sn_control_open(plane->path, &plane->db, &err) != 0 ||
	    /* No power fails in these tests, and ten thousand commits need not wait for the disk.
	     */
	    sn_db_run(plane->db, &err, "PRAGMA synchronous = OFF", "") < 0 ||
	    sn_fleet_open(plane->db, plane->now_ns, 10 * SN_NS_PER_S, &plane->fleet, &err) != 0)
		fail_msg("%s", err.text);
	plane->offers = sn_offers_create(plane->registries);
	for (size_t i = 0; i < sn_fleet_count(plane->fleet); i++)
		sn_offers_set_node(plane->offers, sn_fleet_at(plane->fleet, i));
	plane->config.db = plane->db;
	plane->config.fleet = plane->fleet;
	plane->config.offers = plane->offers;
	plane->config.registries = plane->registries;
	plane->config.on_change = plane_changed;
	plane->config.on_count = plane_counted;
	plane->config.ctx = plane;
	if (sn_measures_open(&plane->config, plane->now_ns, &plane->measures, &err) != 0)
		fail_msg("%s", err.text);
}

static inline void plane_close(struct plane *plane)
{
	sn_measures_close(plane->measures);
	sn_offers_destroy(plane->offers);
	sn_fleet_close(plane->fleet, plane->now_ns);
	sn_db_close(plane->db);
}

static inline void plane_prepare(struct plane *plane)
{
	*plane = (struct plane){.now_ns = START_NS};
	snprintf(plane->dir, sizeof(plane->dir), "/tmp/sonde-plane-test-XXXXXX");
	assert_non_null(mkdtemp(plane->dir));
	snprintf(plane->path, sizeof(plane->path), "%s/control.sqlite", plane->dir);
	plane->registries = sn_mp_registries_create();
	sn_mp_offer_load(plane->registries);
}

static inline void plane_start(struct plane *plane)
{
	plane_prepare(plane);
	plane_open(plane);
}

static inline void plane_stop(struct plane *plane)
{
	plane_close(plane);
	sn_mp_registries_destroy(plane->registries);
	sn_fs_remove_tree(plane->dir, NULL);
}

/* Everything that is not in the database is gone. */
static inline void plane_restart(struct plane *plane)
{
	plane_close(plane);
	plane_open(plane);
}

/* As if time had passed in one leap, and the tick came then. */
static inline void plane_wait(struct plane *plane, int64_t ns)
{
	plane->now_ns += ns;
	sn_measures_tick(plane->measures, plane->now_ns);
}

#define PING_REPORT(address)                                                                       \
	"{\"methods\":[\"ping\"],\"version\":\"1.0\",\"interfaces\":[{\"name\":\"eth0\","          \
	"\"addresses\":[\"" address "\"]}]}"

/* A node that is online; `report` is its heartbeat (NULL: none yet). */
static inline struct sn_node *plane_node(struct plane *plane, const char *name, const char *report)
{
	struct sn_place place = {0};
	struct sn_err err = {0};
	char id[SN_ULID_SIZE];
	struct sn_node *node;

	sn_ulid(plane->now_ns, id);
	if (sn_fleet_insert(plane->fleet, id, name, &place, plane->now_ns, &err) != 0 ||
	    sn_fleet_adopt(plane->fleet, id, &err) != 0)
		fail_msg("%s", err.text);
	node = sn_fleet_find(plane->fleet, name);
	if (report != NULL) {
		sn_autojson json_t *json = json_loads(report, 0, NULL);

		assert_non_null(json);
		if (sn_fleet_heartbeat(plane->fleet, node, json, plane->now_ns, &err) != 0)
			fail_msg("%s", err.text);
	}
	sn_offers_set_node(plane->offers, node);
	return node;
}

static inline const char *plane_provider(const struct sn_node *node)
{
	static char text[4][SN_ULID_SIZE + 8];
	static unsigned at;

	at = (at + 1) % 4;
	snprintf(text[at], sizeof(text[at]), "node:%s", node->id);
	return text[at];
}

/* A capability of a peer: `label`, source.ip4 constrained to `source`, any destination. */
static inline struct sn_mp_message *plane_capability(struct plane *plane, const char *label,
						     const char *token, const char *source)
{
	struct sn_mp_message *made = sn_mp_message_create(SN_MP_CAPABILITY, SN_MP_VERB_MEASURE);
	struct sn_err err = {0};

	sn_mp_set_text(&made->registry, SN_MP_REGISTRY_CORE);
	sn_mp_set_text(&made->label, label);
	sn_mp_set_text(&made->token, token);
	if (sn_mp_when_parse(SN_STR("now ... future / 1s"), &made->when, &err) != 0 ||
	    sn_mp_add_param(made, plane->registries, "source.ip4", source, &err) != 0 ||
	    sn_mp_add_param(made, plane->registries, "destination.ip4", NULL, &err) != 0 ||
	    sn_mp_add_column(made, plane->registries, "delay.twoway.icmp.us.mean", &err) != 0)
		fail_msg("%s", err.text);
	return made;
}

#endif
