/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde node invites` and `withdraw`: invitations that nobody has used yet. */
#include "cli/listing.h"
#include "cli/named.h"
#include "cli/options.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	bool json;
};

struct run {
	const struct options *given;
	int argc;
	char **argv;
};

static const struct sn_listing_column columns[] = {
	{{.header = "id"}, "id", SN_LISTING_TEXT, NULL},
	{{.header = "node"}, "name", SN_LISTING_TEXT, NULL},
	{{.header = "place", .shrink = true, .sparse = true}, "place", SN_LISTING_TEXT, NULL},
	{{.header = "made", .drop = 1}, "created", SN_LISTING_AGO, NULL},
	{{.header = "until"}, "expires", SN_LISTING_TIME, NULL},
};
static const struct sn_listing invites = {columns, SN_COUNT(columns),
					  "No invitation is open ('sonde node invite' makes one)."};

static int list(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct run *run = ctx;

	return sn_listing_run(client, &invites, "/api/v1/invites?limit=1000", run->given->json,
			      err);
}

static int withdraw(struct sn_client *client, void *ctx, struct sn_err *err)
{
	static const struct sn_named named = {"invites", "id", "withdrawn"};
	const struct run *run = ctx;

	return sn_named_remove(client, &named, run->given->json, run->argc, run->argv, err);
}

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	struct run run = {opts, argc, argv};

	return sn_client_run(&run.given->client, list, &run);
}

static int run_withdraw(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	struct run run = {opts, argc, argv};

	return sn_client_run(&run.given->client, withdraw, &run);
}

static const struct sn_opt options[] = {
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "node invites",
		.watch = true,
		.arguments = "",
		.help = "List invitations that nobody has used yet.",
		.examples = "sonde node invites\nsonde node invites --json | jq -r .id",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.run = run_list,
	},
	{
		.path = "node withdraw",
		.arguments = "ID...",
		.help = "Make the tokens of invitations worthless.",
		.examples = "sonde node withdraw 01JNZ8W9E4T3Q7V5B2M6K1R0XN",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = -1,
		.run = run_withdraw,
	},
};
const struct sn_cli_verbs sn_cli_invites_verbs = {verbs, SN_COUNT(verbs)};
