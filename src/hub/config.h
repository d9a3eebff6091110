/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: what can be configured of a hub.  One table (config.c) gives the YAML
 * keys, --set, --check-config, --print-config and the manual's section.
 */
#ifndef SONDE_HUB_CONFIG_H
#define SONDE_HUB_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"

struct sn_hub_config {
	char *state;
	struct sn_conf_texts listen;        /* addresses with port, TLS */
	char *local;                        /* address with port on loopback, plain; "" for none */
	struct sn_conf_texts listen_fd_tls; /* numbers of listening descriptors, TLS */
	struct sn_conf_texts names;         /* further names of this hub */
	struct sn_conf_texts advertise;     /* URLs that nodes are told; empty: found out */
	char *web_dir;
	int64_t node_certificate_life;
	int64_t user_certificate_life;
	int64_t hub_certificate_life;
	int64_t heartbeat_interval;
	int64_t session_life;
	int64_t login_link_life;
	int64_t invite_life;
	uint64_t retention_days; /* 0: for ever */
	/* Daily dumps: hub/dumps.h. */
	char *dump_dir, *dump_at;
	struct sn_conf_texts dump_datasets, dump_formats;
	int64_t dump_grace;
	uint64_t dump_keep_days; /* 0: for ever */
	bool dump_public;
	uint64_t upload_limit;            /* bytes */
	struct sn_conf_texts import_dirs; /* directories */
	uint64_t quarantine_limit;
	char *clickhouse, *clickhouse_cluster, *clickhouse_ca;
	int64_t clickhouse_move_after;
	char *policy; /* file; "": the built-in one */
	/* A replica: hub/follower.h; `replica_hold` is the primary's. */
	char *replica_of, *replica_ca, *replica_token_file, *replica_certificate, *replica_key;
	int64_t replica_interval, replica_hold;
	bool replica_drop;
	bool announce;                 /* write the copy of hub.json that the CLI finds */
	struct sn_conf_texts annotate; /* files */
	char *log_level;

	/* The measurement plane: doc/internals/measurement-plane.md. */
	bool mplane_plain;
	int64_t mplane_lease, mplane_poll, mplane_wait, mplane_grace;
	struct sn_conf_texts mplane_components;            /* URLs */
	char *mplane_ca, *mplane_certificate, *mplane_key; /* files; we as a client */
	char *parent_url, *parent_identity;
	char *parent_ca, *parent_certificate, *parent_key; /* files */
	struct sn_conf_texts parent_capabilities;
	struct sn_conf_texts repositories; /* "name=URL" */

	/* Logs that are fetched from probes: hub/math/math.h. */
	bool math_plain;
	int64_t math_poll;
	uint64_t math_file_max;
	char *math_ca, *math_certificate, *math_key; /* files; we as a client */

	/* Certificates of mPlane peers: hub/certificates.h, hub/trust.h. */
	char *mplane_domain, *mplane_identity;
	int64_t peer_certificate_life;
	struct sn_conf_texts trust; /* files */
};

extern const struct sn_conf_schema sn_hub_schema;

/* Fills in the default of an empty `state`, which depends on who runs the hub. */
int sn_hub_config_find_state(struct sn_hub_config *config, struct sn_err *err);
/* URL of the repository of that name, or NULL. */
const char *sn_hub_config_repository(const struct sn_hub_config *config, const char *name);
/* What the table cannot say: addresses, descriptors, URLs, levels. */
int sn_hub_config_check(const struct sn_hub_config *config, struct sn_err *err);

#endif
