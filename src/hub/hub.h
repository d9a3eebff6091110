/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub: all parts of a hub, put together and taken apart.
 *
 * struct sn_hub is what the API's handlers and the guard get as context; each
 * part is used through its own header only.
 */
#ifndef SONDE_HUB_HUB_H
#define SONDE_HUB_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "hub/annotate.h"
#include "hub/authority.h"
#include "hub/certificates.h"
#include "hub/config.h"
#include "hub/derived.h"
#include "hub/dumps.h"
#include "hub/events.h"
#include "hub/fleet.h"
#include "hub/follower.h"
#include "hub/identity.h"
#include "hub/imports.h"
#include "hub/ingest.h"
#include "hub/math/math.h"
#include "hub/measures.h"
#include "hub/moving.h"
#include "hub/offers.h"
#include "hub/people.h"
#include "hub/quarantine.h"
#include "hub/readers.h"
#include "hub/replicas.h"
#include "hub/retry.h"
#include "hub/room.h"
#include "hub/store_jobs.h"
#include "hub/streams.h"
#include "hub/supervisor/supervisor.h"
#include "hub/throttle.h"
#include "hub/trust.h"
#include "hub/upkeep.h"
#include "hub/uploads.h"
#include "hub/web.h"
#include "hub/work.h"
#include "net/http_server.h"
#include "store/db.h"
#include "store/store.h"

#define SN_LISTENERS_MAX 64
#define SN_COOKIE_SIZE   24

/* How far a policy is applied to what runs: hub/enforce.h. */
enum sn_enforcing { SN_ENFORCE_DONE, SN_ENFORCE_DUE, SN_ENFORCE_RIGHTS, SN_ENFORCE_RATES };

struct sn_listener {
	struct sn_addr addr;
	bool tls;
};

struct sn_hub {
	struct sn_loop *loop;
	const struct sn_hub_config *config;
	char id[SN_ULID_SIZE];
	/*
	 * "sonde_session_" and the end of the id: browsers keep cookies per host, not per
	 * port, and two hubs of one machine must not log each other's people out.
	 */
	char session_cookie[SN_COOKIE_SIZE];
	int64_t started_ns;

	int lock; /* descriptor of the state directory's lock */
	struct sn_db *control;
	struct sn_identity *identity;
	struct sn_trust *trust;
	struct sn_crl *crl;
	struct sn_people *people;
	struct sn_fleet *fleet;
	struct sn_authority *authority; /* the policy in force */
	enum sn_enforcing enforcing;
	struct sn_mp_registries *registries;
	struct sn_offers *offers;
	struct sn_measures *measures;
	struct sn_progress *progress;     /* of the measurements: hub/progress.h */
	struct sn_derived *derived;       /* datasets of mPlane peers */
	struct sn_supervisor *supervisor; /* the mPlane wire */
	struct sn_store *store;           /* of the loop */
	struct sn_moving_options store_options;
	atomic_bool ending; /* questions to ClickHouse end */
	struct sn_moving *moving;
	struct sn_readers *readers;
	struct sn_store_jobs *store_jobs;
	struct sn_replicas *replicas; /* that follow this hub */
	struct sn_follower *follower; /* this hub follows another one; NULL: it does not */
	struct sn_upkeep *upkeep;     /* thread that tidies the store */
	struct sn_streams *streams;   /* long answers */
	struct sn_dumps *dumps;
	struct sn_quarantine *quarantine;
	struct sn_uploads *uploads;
	struct sn_imports *imports;
	struct sn_annotator *annotator;
	bool annotating;         /* its files are being read again, on a thread ... */
	uint64_t annotate_stamp; /* ... or were when they looked like this */
	bool has_terminal;       /* that can hang up */
	struct sn_ingest *ingest;
	struct sn_room *room_own, *room_peers; /* for bodies: of nodes and people; of mPlane */
	struct sn_retry *retry;
	struct sn_events *events;
	struct sn_web *web;
	struct sn_work_pool *work, *passwords; /* apart: hashing takes memory */
	struct sn_throttle *logins;            /* failed ones */
	struct sn_math *math;                  /* logs that are fetched from probes */
	struct sn_http_server *server;
	struct sn_http_route *routes;
	sn_http_handler_fn **handlers; /* of the routes, behind the check of the query */
	size_t route_count;
	char *openapi; /* their description, once it was asked for */

	struct sn_listener listeners[SN_LISTENERS_MAX];
	unsigned listener_count;
	char *store_dir, *announced; /* announced: path of the copy of hub.json; NULL */
	struct sn_timer tick;
	unsigned ticks;
	int topic_hub; /* problems of its own */
	int topic_measurements;
	int topic_nodes, topic_first_dataset; /* topics of datasets in the catalogue's order */
	int topic_results;                    /* ... and of those made at run time, together */
	uint64_t requests, rows_before;       /* rows stored before this start */
};

/* `config` is borrowed and must outlive the hub. */
int sn_hub_create(struct sn_loop *loop, const struct sn_hub_config *config, struct sn_hub **hub,
		  struct sn_err *err);
void sn_hub_destroy(struct sn_hub *hub);

int64_t sn_hub_now(const struct sn_hub *hub); /* wall clock, of this turn */
/* Shuts out a node at once: database, connections, streams. */
int sn_hub_revoke_node(struct sn_hub *hub, struct sn_node *node, const char *actor,
		       struct sn_err *err);
/* Sends the etag of its tasks down the stream of one node, if there is one. */
void sn_hub_tell_tasks(struct sn_hub *hub, const struct sn_node *node);
/* Drops a day's rows, local and elsewhere, and what is known of them.  -ENOENT: there are none. */
int sn_hub_drop_day(struct sn_hub *hub, const char *day, struct sn_err *err);
void sn_hub_audit(struct sn_hub *hub, const char *actor, const char *action, const char *subject,
		  const char *detail);

/* Where it is reached (hub/place.c) ---------------------------------------- */

/* Names and addresses for its certificate; NULL-terminated, free with sn_hub_free_hosts(). */
char **sn_hub_hosts(const struct sn_hub *hub);
void sn_hub_free_hosts(char **hosts);
/* URLs for nodes (TLS), best first; malloc'ed like its texts, NULL-terminated. */
char **sn_hub_urls(const struct sn_hub *hub);
/* Plain URL for the browser on this machine; "" when there is none. */
void sn_hub_local_url(const struct sn_hub *hub, char *out, size_t size);
/* TLS URL that works on this machine whatever its other addresses do; "" when there is none. */
void sn_hub_loopback_url(const struct sn_hub *hub, char *out, size_t size);
/* Writes hub.json and its copy; removes the copy. */
int sn_hub_announce(struct sn_hub *hub, struct sn_err *err);
void sn_hub_unannounce(struct sn_hub *hub);

#endif
