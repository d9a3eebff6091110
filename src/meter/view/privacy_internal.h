/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privacy_internal: the policy as those read it who apply it (view/anonymise.h).
 */
#ifndef SONDE_METER_VIEW_PRIVACY_INTERNAL_H
#define SONDE_METER_VIEW_PRIVACY_INTERNAL_H

#include <pthread.h>

#include "meter/view/privacy.h"

#define SN_PRIVACY_KEYS 64 /* periods that are remembered: workers that are behind ask for them */

/* Whose address it is: rules for a role and rules for a place both hold. */
enum sn_privacy_role {
	SN_ROLE_CLIENT,
	SN_ROLE_SERVER,
	SN_ROLE_RESOLVER,
	SN_ROLE_MENTIONED, /* somewhere in a text: the stricter of client and server */
	SN_ROLES
};

struct sn_privacy_rule {
	enum sn_privacy_mode mode;
	unsigned kept[2]; /* truncate: bits of IPv4 and IPv6; or labels, segments, words */
	unsigned order;   /* of its line; 0: as it starts */
};

struct sn_privacy_keys {
	pthread_mutex_t lock;
	int64_t period_ns; /* 0: always the key that was set */
	unsigned next, count;
	struct {
		int64_t period;
		uint8_t key[SN_PRIVACY_KEY_BYTES];
	} drawn[SN_PRIVACY_KEYS];
};

struct sn_privacy {
	struct sn_privacy_rule rules[SN_FIELDS];
	unsigned lines;
	/* Made of the rules: by role and by whether it is internal. */
	struct sn_privacy_rule addresses[SN_ROLES][2];
	bool hides_addresses;
	uint8_t key[SN_PRIVACY_KEY_BYTES];
	const struct sn_networks *hidden, *exempt; /* Tstat's way; NULL: not */
	uint32_t masks[4];
	bool tstat_names;
	struct sn_privacy_keys *keys; /* NULL: no policy */
};

/* The number of the period that holds at `time_ns`. */
int64_t sn_privacy_period(const struct sn_privacy *policy, int64_t time_ns);
void sn_privacy_key_of(const struct sn_privacy *policy, int64_t period,
		       uint8_t key[SN_PRIVACY_KEY_BYTES]);

#endif
