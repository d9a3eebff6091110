/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates of mPlane peers, which nobody renews by themselves.  Of each identity the one that
 * lasts longest counts: the old one stays good when a certificate is renewed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/doctor/findings.h"
#include "cli/output.h"
#include "cli/shape.h"

#define DAY_NS       (86400 * SN_NS_PER_S)
#define SOON_NS      (30 * DAY_NS)
#define SOON_PART    4             /* of a life shorter than four times that, the last quarter */
#define FORGOTTEN_NS (90 * DAY_NS) /* whose last one ended longer ago is not missed */

struct last { /* certificate of an identity */
	int64_t issued_ns, ends_ns;
};

struct sn_doctor_peers {
	struct sn_map *last; /* by identity */
};

struct sn_doctor_peers *sn_doctor_peers_create(void)
{
	struct sn_doctor_peers *peers = sn_new(struct sn_doctor_peers);

	peers->last = sn_map_create(free);
	return peers;
}

void sn_doctor_peers_destroy(struct sn_doctor_peers *peers)
{
	sn_map_destroy(peers->last);
	free(peers);
}

static bool is_of_peer(const char *kind)
{
	static const char *const kinds[] = {"component", "client", "supervisor"};

	for (size_t i = 0; kind != NULL && i < SN_COUNT(kinds); i++) {
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	}
	return false;
}

void sn_doctor_peers_add(struct sn_doctor_peers *peers, const json_t *certificate)
{
	const char *identity = sn_output_text(certificate, "identity");
	const char *state = sn_output_text(certificate, "state");
	struct last found, *last;

	if (identity == NULL || !is_of_peer(sn_output_text(certificate, "kind")) ||
	    (state != NULL && strcmp(state, "revoked") == 0) ||
	    !sn_output_time(certificate, "issued", &found.issued_ns) ||
	    !sn_output_time(certificate, "expires", &found.ends_ns))
		return;
	last = sn_map_get(peers->last, identity);
	if (last == NULL) {
		last = sn_new(struct last);
		sn_map_set(peers->last, identity, last);
	}
	if (found.ends_ns > last->ends_ns)
		*last = found;
}

static enum sn_verdict judge(const struct last *last, int64_t now_ns)
{
	int64_t soon_ns = SN_MIN(SOON_NS, (last->ends_ns - last->issued_ns) / SOON_PART);

	return last->ends_ns <= now_ns             ? SN_BAD
	       : last->ends_ns - now_ns <= soon_ns ? SN_WARN
						   : SN_OK;
}

void sn_doctor_peers_report(const struct sn_doctor_peers *peers, int64_t now_ns,
			    struct sn_findings *findings)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"peers can prove who they are", NULL},
		[SN_WARN] = {"when it ends the peer can neither register nor ask",
			     "renew it in time and give the peer its files: sonde ca renew"},
		[SN_BAD] = {"the hub refuses the peer",
			    "make a new one: sonde ca issue; or revoke it, if the peer is gone"},
	};
	char ago[SN_TIME_LOCAL_MAX];
	size_t cursor = 0, good = 0;
	const char *identity;
	void *value;

	while (sn_map_next(peers->last, &cursor, &identity, &value)) {
		const struct last *last = value;
		enum sn_verdict verdict = judge(last, now_ns);

		good += verdict == SN_OK;
		if (verdict == SN_OK || now_ns - last->ends_ns > FORGOTTEN_NS)
			continue;
		sn_findings_add(findings, "peer-certificate", identity, verdict, advice,
				verdict == SN_BAD ? "ended %s" : "ends %s",
				sn_shape_ago(last->ends_ns, now_ns, ago, sizeof(ago)));
	}
	if (good > 0)
		sn_findings_add(findings, "peer-certificates", NULL, SN_OK, advice,
				"%zu mPlane %s a certificate for some time yet", good,
				good == 1 ? "peer has" : "peers have");
}
