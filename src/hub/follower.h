/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follower: keeps a replica's store like its primary's, on a thread of its own.
 *
 * Every `interval_ns` it asks the primary how far each day and dataset goes and fetches
 * what is missing (store/follow.h).  Whatever is killed when, each row is there once.
 * After a restart of either hub it says for every place how far it is, so that the
 * primary knows what it may move away.
 *
 * Rows that the primary no longer has in its files (it moved them to ClickHouse while
 * the replica was away for longer than `replica_hold`) cannot be fetched: the state is
 * `incomplete` then, and `reason` says how many they are.
 */
#ifndef SONDE_HUB_FOLLOWER_H
#define SONDE_HUB_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct sn_follower;

/* Texts are copied; files and certificates may be NULL or "". */
struct sn_follower_config {
	const char *url;   /* of the primary */
	const char *id;    /* of this hub */
	const char *store; /* directory */
	const char *ca, *token_file, *certificate, *key;
	int64_t interval_ns;
	uint64_t retention_days; /* older days are not fetched; 0: all are */
	bool drop;               /* days that the primary has dropped */
};

enum sn_follower_state {
	SN_FOLLOWER_LAGGING,
	SN_FOLLOWER_CURRENT,
	SN_FOLLOWER_UNREACHABLE,
	SN_FOLLOWER_INCOMPLETE,
};

struct sn_follower_status {
	enum sn_follower_state state;
	char reason[SN_ERR_TEXT_MAX]; /* "" when it is current */
	int64_t current_ns;           /* when it was current last, Unix time; 0: not yet */
	uint64_t rows, missing;       /* fetched since the start; gone at the primary */
	uint64_t dropped;             /* days */
};

int sn_follower_start(const struct sn_follower_config *config, struct sn_follower **follower,
		      struct sn_err *err);
/* Waits for what is being stored.  NULL is fine. */
void sn_follower_stop(struct sn_follower *follower);
/* Any thread. */
void sn_follower_status(struct sn_follower *follower, struct sn_follower_status *status);
const char *sn_follower_state_name(enum sn_follower_state state);

#endif
