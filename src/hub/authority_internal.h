/* SPDX-License-Identifier: Apache-2.0 */
/* What authority.c (the policy in force), authority_record.c (the audit trail) and
 * authority_measure.c (measurements) share. */
#ifndef SONDE_HUB_AUTHORITY_INTERNAL_H
#define SONDE_HUB_AUTHORITY_INTERNAL_H

#include "base/map.h"
#include "hub/authority.h"
#include "hub/load.h"

struct sn_authority_stamp { /* of a file: another one is another text */
	bool there;
	int64_t mtime_ns, size;
	uint64_t inode, device;
};

struct sn_authority_line { /* of the audit trail, to be written */
	int64_t time_ns;
	char *actor, *subject, *reason;
	enum sn_policy_action action;
	bool allowed;
	unsigned line;
};

struct sn_authority {
	struct sn_authority_config config;
	char *file, *last_good;

	struct sn_policy *policy;
	char *text;
	int64_t loaded_ns;
	unsigned generation;
	char *problem;
	struct sn_authority_stamp tried, moving; /* last read; seen a second ago */
	struct sn_timer watch;

	struct sn_map *seen; /* what was written of whom; see authority_record.c */
	struct sn_authority_line *queue;
	size_t queued, room;
	uint64_t lost; /* lines that the database would not take */
	struct sn_timer flush;

	struct sn_load *load;
	const struct sn_offers *offers; /* NULL: not known */
};

/* All names of who asked for it. */
void sn_asker_measure(const struct sn_authority *authority, struct sn_asker *asker,
		      const struct sn_measure *measure);

void sn_authority_record_init(struct sn_authority *authority);
void sn_authority_record_finish(struct sn_authority *authority);
/* Forgets what was written: under another policy everything is news. */
void sn_authority_record_anew(struct sn_authority *authority);
/* Writes a decision, or not, as said in authority.h; -errno when it had to be and could not. */
int sn_authority_record(struct sn_authority *authority, const struct sn_policy_ask *ask,
			const char *subject, const struct sn_policy_verdict *verdict,
			struct sn_err *err);

#endif
