/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde audit list`: who did what at the hub, and what the policy said to it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/listing.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "net/http_client.h"

#define LIMIT    100  /* lines that are shown unless more are asked for */
#define PAGE_MAX 1000 /* of one request */

struct options {
	struct sn_client_options client;
	bool json;
	const char *who, *action, *outcome, *on, *since, *until;
	uint64_t limit;
};

static enum sn_tone outcome_tone(const char *text)
{
	return strcmp(text, "refused") == 0 ? SN_TONE_BAD : SN_TONE_PLAIN;
}

static const struct sn_listing_column columns[] = {
	{{.header = "time"}, "time", SN_LISTING_TIME, NULL},
	{{.header = "who", .shrink = true}, "actor", SN_LISTING_TEXT, NULL},
	{{.header = "what"}, "action", SN_LISTING_TEXT, NULL},
	{{.header = "to", .shrink = true}, "subject", SN_LISTING_TEXT, NULL},
	{{.header = "outcome"}, "outcome", SN_LISTING_TEXT, outcome_tone},
	{{.header = "line", .right = true, .sparse = true}, "line", SN_LISTING_TEXT, NULL},
	{{.header = "why", .shrink = true, .sparse = true}, "detail", SN_LISTING_TEXT, NULL},
};

/* The question as a path. */
static char *path_of(const struct options *given)
{
	const struct {
		const char *name, *value;
	} parts[] = {
		{"actor", given->who},  {"action", given->action}, {"outcome", given->outcome},
		{"subject", given->on}, {"since", given->since},   {"until", given->until},
	};
	struct sn_buf path = {0};

	sn_buf_addf(&path, "/api/v1/audit?limit=%llu",
		    (unsigned long long)SN_MIN(given->limit, (uint64_t)PAGE_MAX));
	for (size_t i = 0; i < SN_COUNT(parts); i++) {
		if (parts[i].value == NULL)
			continue;
		sn_buf_addf(&path, "&%s=", parts[i].name);
		sn_url_encode(&path, sn_str(parts[i].value));
	}
	sn_buf_cstr(&path);
	return path.p;
}

static int list(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	const struct sn_listing listing = {
		.columns = columns,
		.count = SN_COUNT(columns),
		.none = "no line of the audit trail is like that",
		.most = given->limit,
	};
	sn_autofree char *path = path_of(given);

	return sn_listing_run(client, &listing, path, given->json, err);
}

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	struct options *given = opts;

	if (given->limit == 0)
		given->limit = LIMIT;
	return sn_client_run(&given->client, list, given);
}

static const struct sn_opt options[] = {
	{SN_OPT("who", 'w', SN_OPT_TEXT, who, "IDENTITY",
		"only what this one did or asked for; alice is user:alice"),
	 .group = "Which"},
	{SN_OPT("action", 'a', SN_OPT_TEXT, action, "ACTION",
		"only this, like measure, read-all or certificate.issue")},
	{SN_OPT("outcome", 'o', SN_OPT_TEXT, outcome, "OUTCOME", "done, allowed or refused")},
	{SN_OPT("to", 't', SN_OPT_TEXT, on, "SUBJECT", "only what was done to this (id, label)")},
	{SN_OPT("since", 's', SN_OPT_TEXT, since, "TIME", "from this time on (RFC 3339, or -1h)")},
	{SN_OPT("until", 'u', SN_OPT_TEXT, until, "TIME", "before this time")},
	{SN_OPT("limit", 'l', SN_OPT_U64, limit, "N", "at most so many lines (100)"), .min = 1,
	 .max = 1000000},
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "JSON, one object per line"),
	 .group = "Output"},
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "audit list",
		.watch = true,
		.arguments = "",
		.help = "Show who did what at the hub, and what the policy said, newest first.",
		.examples = "sonde audit list --outcome refused --since -1d\n"
			    "sonde audit list --who alice --action measure --json",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.run = run_list,
	},
};
const struct sn_cli_verbs sn_cli_audit_verbs = {verbs, SN_COUNT(verbs)};
