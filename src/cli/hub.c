/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde hub`: which hub this is, as others have to know it, and what troubles it. */
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/listing.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	bool json;
};

static const struct sn_listing_column lines[] = {
	{{.header = "identity"}, "identity", SN_LISTING_TEXT, NULL},
	{{.header = "version"}, "version", SN_LISTING_TEXT, NULL},
	{{.header = "running since"}, "started", SN_LISTING_TIME, NULL},
	{{.header = "for this machine"}, "local_url", SN_LISTING_TEXT, NULL},
	{{.header = "for others"}, "others", SN_LISTING_TEXT, NULL},
	{{.header = "CA, SHA-256"}, "ca_fingerprint", SN_LISTING_TEXT, NULL},
	{{.header = "nodes online"}, "online", SN_LISTING_COUNT, NULL},
	{{.header = "nodes offline"}, "offline", SN_LISTING_COUNT, NULL},
	{{.header = "rows stored"}, "rows_stored", SN_LISTING_COUNT, NULL},
};
static const struct sn_listing one = {lines, SN_COUNT(lines), NULL};

/* What is not a plain member of the answer becomes one. */
static void flatten(json_t *hub)
{
	const char *id = sn_output_text(hub, "id");
	sn_autofree char *identity = sn_xasprintf("hub:%s", id != NULL ? id : "");
	sn_autofree char *others = sn_output_texts(json_object_get(hub, "urls"));

	json_object_set_new(hub, "identity", json_string(identity));
	if (others[0] != '\0')
		json_object_set_new(hub, "others", json_string(others));
	json_object_update_missing(hub, json_object_get(hub, "nodes"));
}

static int show(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autojson json_t *hub = NULL;
	const json_t *problem;
	size_t i;
	int rc = sn_client_get(client, "/api/v1/hub", &hub, err);

	if (rc != 0)
		return rc;
	if (given->json) {
		sn_output_json_line(stdout, hub);
		return 0;
	}
	flatten(hub);
	sn_listing_show(&one, hub, stdout);
	json_array_foreach (json_object_get(hub, "problems"), i, problem) {
		sn_autofree char *text = sn_text_defused(json_string_value(problem));

		printf("problem: %s\n", text);
	}
	return 0;
}

static int run(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
	       char **argv SN_UNUSED)
{
	struct options *given = opts;

	return sn_client_run(&given->client, show, given);
}

static const struct sn_opt options[] = {
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "hub",
		.arguments = "",
		.help = "Show which hub this is: identity, addresses, CA, and what troubles it.",
		.examples = "sonde hub\nsonde hub --json | jq -r .id",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.run = run,
	},
};
const struct sn_cli_verbs sn_cli_hub_verbs = {verbs, SN_COUNT(verbs)};
