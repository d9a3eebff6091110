/* SPDX-License-Identifier: Apache-2.0 */
/* What the hub says: about itself, and about each node. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/doctor/findings.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "net/pki.h"

#define CA_WARN_NS   (30 * 86400 * SN_NS_PER_S)
#define CERT_WARN_NS (6 * 3600 * SN_NS_PER_S) /* nodes renew far before that */

struct fleet {
	struct sn_findings *findings;
	struct sn_client *client;
};

/* The hub itself -------------------------------------------------------- */

static bool check_answer(struct sn_findings *findings, struct sn_client *client)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"results are stored and shown", NULL},
		[SN_BAD] =
			{"results can be neither stored nor shown; nodes keep them until the hub "
			 "is back",
			 "check that the hub runs and that this machine may reach it"},
	};
	uint64_t start_ns = sn_mono_ns();
	sn_autojson json_t *hub = NULL;
	struct sn_err err = {0};
	const char *version;

	if (sn_client_get(client, "/api/v1/hub", &hub, &err) != 0) {
		sn_findings_add(findings, "hub", NULL, SN_BAD, advice, "%s", err.text);
		return false;
	}
	version = sn_output_text(hub, "version");
	sn_findings_add(findings, "hub", NULL, SN_OK, advice,
			"version %s at '%s' answers in %.1f ms", version != NULL ? version : "?",
			sn_client_place(client)->url, (double)(sn_mono_ns() - start_ns) / 1e6);
	return true;
}

static void check_ca(struct sn_findings *findings, struct sn_client *client)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"nodes can trust the hub", NULL},
		[SN_WARN] = {"when it ends no node and no browser trusts the hub any more",
			     "make a new CA and enrol the nodes again in time"},
		[SN_BAD] = {"nodes cannot trust the hub",
			    "make a new CA and enrol the nodes again"},
	};
	const char *path = sn_client_place(client)->ca_file;
	struct sn_pki_info info;
	struct sn_buf pem = {0};
	struct sn_err err = {0};
	char ago[SN_TIME_LOCAL_MAX];
	int64_t end_ns, now_ns = sn_wall_ns();

	if (path == NULL)
		return; /* a hub elsewhere, behind the system's trust */
	if (sn_fs_read(path, SN_PKI_PEM_MAX, &pem, &err) != 0 ||
	    sn_pki_info(sn_buf_cstr(&pem), &info, &err) != 0) {
		sn_findings_add(findings, "ca", NULL, SN_BAD, advice, "%s", err.text);
		sn_buf_finish(&pem);
		return;
	}
	end_ns = info.not_after_unix_s > INT64_MAX / SN_NS_PER_S
			 ? INT64_MAX
			 : info.not_after_unix_s * SN_NS_PER_S;
	sn_findings_add(findings, "ca", NULL,
			end_ns <= now_ns               ? SN_BAD
			: end_ns - now_ns < CA_WARN_NS ? SN_WARN
						       : SN_OK,
			advice, "certificate ends %s",
			sn_shape_ago(end_ns, now_ns, ago, sizeof(ago)));
	sn_buf_finish(&pem);
}

/* mPlane peers ------------------------------------------------------------ */

static int add_peer(const json_t *certificate, void *ctx)
{
	sn_doctor_peers_add(ctx, certificate);
	return 0;
}

static void check_peers(struct sn_findings *findings, struct sn_client *client)
{
	static const char path[] = "/api/v1/certificates?limit=1000";
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_WARN] = {"certificates of mPlane peers that end soon are not seen",
			     "try again later"},
	};
	struct sn_doctor_peers *peers = sn_doctor_peers_create();
	struct sn_err err = {0};
	int rc = sn_client_each(client, path, add_peer, peers, &err);

	/* Who may not see them does not look after them. */
	if (rc != 0 && rc != -EACCES)
		sn_findings_add(findings, "peer-certificates", NULL, SN_WARN, advice, "%s",
				err.text);
	else
		sn_doctor_peers_report(peers, sn_wall_ns(), findings);
	sn_doctor_peers_destroy(peers);
}

/* Nodes ----------------------------------------------------------------- */

static void check_seen(struct sn_findings *findings, const char *name, const json_t *node)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"it measures and delivers", NULL},
		[SN_BAD] = {"its results wait on its disk, or it does not measure at all",
			    "look at the node: does sonde-node run, does it reach the hub?"},
	};
	const char *state = sn_output_text(node, "state");
	char ago[SN_TIME_LOCAL_MAX] = "never";
	int64_t seen_ns;

	if (sn_output_time(node, "last_seen", &seen_ns))
		sn_shape_ago(seen_ns, sn_wall_ns(), ago, sizeof(ago));
	sn_findings_add(findings, "node", name,
			state != NULL && strcmp(state, "online") == 0 ? SN_OK : SN_BAD, advice,
			"%s, last seen %s", state != NULL ? state : "?", ago);
}

static void check_problems(struct sn_findings *findings, const char *name, const json_t *node)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_WARN] = {"the node cannot do all that it is asked for",
			     "look at the node's log; 'sonde doctor' there says more"},
	};
	const json_t *problems = json_object_get(node, "problems");

	for (size_t i = 0; i < json_array_size(problems); i++) {
		const char *problem = json_string_value(json_array_get(problems, i));

		if (problem != NULL)
			sn_findings_add(findings, "node-problem", name, SN_WARN, advice, "%s",
					problem);
	}
}

static void check_certificate(struct sn_findings *findings, const char *name, const json_t *node)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_WARN] = {"the node should have renewed it long ago",
			     "look at the node's log for why it does not renew"},
		[SN_BAD] = {"the hub refuses the node", "enrol it again: sonde node invite"},
	};
	char ago[SN_TIME_LOCAL_MAX];
	int64_t end_ns, now_ns = sn_wall_ns();

	if (!sn_output_time(node, "certificate_expires", &end_ns) ||
	    end_ns - now_ns >= CERT_WARN_NS)
		return;
	sn_findings_add(findings, "node-certificate", name, end_ns <= now_ns ? SN_BAD : SN_WARN,
			advice, "ends %s", sn_shape_ago(end_ns, now_ns, ago, sizeof(ago)));
}

static void check_stream(struct fleet *fleet, const char *name, const char *id)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"every row that the node wrote is stored exactly once", NULL},
		[SN_WARN] = {"it could not be found out whether rows are missing",
			     "try again later"},
		[SN_BAD] = {"rows of the node are missing or doubled in the store",
			    "keep the node's spool and report this with the hub's log"},
	};
	sn_autofree char *path = sn_xasprintf("/api/v1/check/%s", id);
	sn_autojson json_t *check = NULL;
	struct sn_err err = {0};
	double rows, missing, duplicates;

	if (sn_client_get(fleet->client, path, &check, &err) != 0) {
		sn_findings_add(fleet->findings, "stream", name, SN_WARN, advice, "%s", err.text);
		return;
	}
	rows = sn_output_number(check, "rows");
	missing = sn_output_number(check, "missing");
	duplicates = sn_output_number(check, "duplicates");
	sn_findings_add(fleet->findings, "stream", name,
			missing == 0 && duplicates == 0 ? SN_OK : SN_BAD, advice,
			"%.0f rows, %.0f missing, %.0f doubled", rows, missing, duplicates);
}

static int check_node(const json_t *node, void *ctx)
{
	struct fleet *fleet = ctx;
	const char *id = sn_output_text(node, "id");
	const char *name = sn_output_text(node, "name");
	const char *state = sn_output_text(node, "state");

	if (id == NULL || name == NULL || (state != NULL && strcmp(state, "revoked") == 0))
		return 0;
	check_seen(fleet->findings, name, node);
	check_problems(fleet->findings, name, node);
	check_certificate(fleet->findings, name, node);
	check_stream(fleet, name, id);
	return 0;
}

void sn_doctor_hub(struct sn_findings *findings, struct sn_client *client)
{
	static const char path[] = "/api/v1/nodes?limit=1000";
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_WARN] = {"nothing is measured", "add a node: sonde node invite"},
		[SN_BAD] = {"nodes could not be looked at", "try again"},
	};
	struct fleet fleet = {findings, client};
	struct sn_err err = {0};
	size_t before;

	if (!check_answer(findings, client))
		return;
	check_ca(findings, client);
	check_peers(findings, client);
	before = findings->count;
	if (sn_client_each(client, path, check_node, &fleet, &err) != 0)
		sn_findings_add(findings, "nodes", NULL, SN_BAD, advice, "%s", err.text);
	else if (findings->count == before)
		sn_findings_add(findings, "nodes", NULL, SN_WARN, advice, "there are none");
}
