/* SPDX-License-Identifier: Apache-2.0 */
/*
 * findings: what `sonde doctor` found out.
 *
 * Each says how it is, what that means, and, unless all is well, what to do.  The
 * checks of this machine (local.c) need no hub; those of the hub (hub.c, peers.c) ask it.
 */
#ifndef SONDE_CLI_DOCTOR_FINDINGS_H
#define SONDE_CLI_DOCTOR_FINDINGS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/util.h"

enum sn_verdict { SN_OK, SN_WARN, SN_BAD, SN_VERDICTS };

struct sn_finding {
	const char *check; /* stable name: "ping-socket" */
	char *subject;     /* what of several: a node; NULL */
	enum sn_verdict verdict;
	char *found;       /* what is the case */
	const char *means; /* what follows from it */
	const char *to_do; /* NULL when all is well */
};

struct sn_findings { /* zeroed is empty */
	struct sn_finding *items;
	size_t count, capacity;
};

struct sn_advice { /* texts that go with a verdict */
	const char *means, *to_do;
};

/* `advice` has one entry per verdict. */
void sn_findings_add(struct sn_findings *findings, const char *check, const char *subject,
		     enum sn_verdict verdict, const struct sn_advice advice[SN_VERDICTS],
		     const char *format, ...) SN_PRINTF(6, 7);
void sn_findings_finish(struct sn_findings *findings);
enum sn_verdict sn_findings_worst(const struct sn_findings *findings);
const char *sn_verdict_name(enum sn_verdict verdict); /* "ok" "warn" "bad" */

/* Everything that this machine can be asked; `state_dir` is where space is looked at. */
void sn_doctor_local(struct sn_findings *findings, const char *state_dir);

/* The certificates of mPlane peers, as the hub lists them (peers.c). */
struct sn_doctor_peers;
struct sn_doctor_peers *sn_doctor_peers_create(void);
void sn_doctor_peers_destroy(struct sn_doctor_peers *peers);
void sn_doctor_peers_add(struct sn_doctor_peers *peers, const json_t *certificate);
void sn_doctor_peers_report(const struct sn_doctor_peers *peers, int64_t now_ns,
			    struct sn_findings *findings);

struct sn_client;
/* What the hub says about itself and each node. */
void sn_doctor_hub(struct sn_findings *findings, struct sn_client *client);

#endif
