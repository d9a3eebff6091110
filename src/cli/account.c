/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde user list`, `add`, `set`, `rm` and `sonde user token`: accounts, their roles, and tokens
 * for programs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/named.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	bool json;
	const char *role, *expires;
	int argc;
	char **argv;
};

static int run(const struct options *given, int argc, char **argv, sn_client_work_fn *work)
{
	struct options all = *given;

	all.argc = argc;
	all.argv = argv;
	return sn_client_run(&given->client, work, &all);
}

static const struct sn_named users = {"users", "name", "removed"};
static const struct sn_named tokens = {"tokens", "id", "removed"};

static int print_item(const json_t *item, void *ctx)
{
	sn_output_json_line(ctx, item);
	return 0;
}

static void time_cell(struct sn_table *table, const json_t *item, const char *key)
{
	char text[SN_TIME_LOCAL_MAX];
	int64_t unix_ns;

	sn_table_cell(table, SN_TONE_PLAIN,
		      sn_output_time(item, key, &unix_ns)
			      ? sn_shape_ago(unix_ns, sn_wall_ns(), text, sizeof(text))
			      : NULL);
}

/* All of `path` as JSON lines, or as a table; `none` is said when there are none. */
static int list(struct sn_client *client, const struct options *given, const char *path,
		const struct sn_table_column *columns, size_t count, sn_client_item_fn *add,
		const char *none, struct sn_err *err)
{
	struct sn_table *table;
	int rc;

	if (given->json)
		return sn_client_each(client, path, print_item, stdout, err);
	table = sn_table_create(columns, count);
	rc = sn_client_each(client, path, add, table, err);
	if (rc == 0 && sn_table_rows(table) == 0)
		fputs(none, stderr);
	else if (rc == 0)
		sn_table_show(table, stdout);
	sn_table_destroy(table);
	return rc;
}

/* Accounts --------------------------------------------------------------------------- */

static const struct sn_table_column user_columns[] = {
	{.header = "name"},
	{.header = "role"},
	{.header = "password"},
	{.header = "last login"},
	{.header = "added", .drop = 1},
};

static int add_user_row(const json_t *user, void *ctx)
{
	struct sn_table *table = ctx;

	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(user, "name"));
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(user, "role"));
	sn_table_cell(table, SN_TONE_PLAIN,
		      json_is_true(json_object_get(user, "password")) ? "set" : NULL);
	time_cell(table, user, "last_login");
	time_cell(table, user, "created");
	return 0;
}

static int list_users(struct sn_client *client, void *ctx, struct sn_err *err)
{
	return list(client, ctx, "/api/v1/users?limit=1000", user_columns, SN_COUNT(user_columns),
		    add_user_row, "no users\n", err);
}

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return run(opts, argc, argv, list_users);
}

static void say_user(const struct options *given, const char *done, const json_t *user)
{
	const char *name = sn_output_text(user, "name"), *role = sn_output_text(user, "role");

	if (given->json)
		sn_output_json_line(stdout, user);
	else
		printf("%s '%s' (%s)\n", done, name != NULL ? name : "?",
		       role != NULL ? role : "?");
}

static int add_user(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autojson json_t *body = json_pack("{s:s}", "name", given->argv[0]), *user = NULL;
	int rc;

	if (given->role != NULL)
		json_object_set_new(body, "role", json_string(given->role));
	rc = sn_client_call(client, "POST", "/api/v1/users", body, &user, err);
	if (rc == 0)
		say_user(given, "added", user);
	return rc;
}

static int run_add(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return run(opts, argc, argv, add_user);
}

static int set_user(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autofree char *path = sn_named_path(&users, given->argv[0], err);
	sn_autojson json_t *body = json_pack("{s:s}", "role", given->role), *user = NULL;
	int rc = path != NULL ? sn_client_call(client, "PATCH", path, body, &user, err) : err->code;

	if (rc == 0)
		say_user(given, "changed", user);
	return rc;
}

static int run_set(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct options *given = opts;

	if (given->role == NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "nothing to change (give --role)");
	return run(given, argc, argv, set_user);
}

static int remove_users(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;

	return sn_named_remove(client, &users, given->json, given->argc, given->argv, err);
}

static int run_rm(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return run(opts, argc, argv, remove_users);
}

/* Tokens ----------------------------------------------------------------------------- */

static const struct sn_table_column token_columns[] = {
	{.header = "id"},      {.header = "label", .shrink = true},
	{.header = "role"},    {.header = "made", .drop = 1},
	{.header = "expires"},
};

static int add_token_row(const json_t *token, void *ctx)
{
	struct sn_table *table = ctx;
	const char *role = sn_output_text(token, "role");

	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(token, "id"));
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(token, "label"));
	sn_table_cell(table, SN_TONE_PLAIN, role != NULL ? role : "its owner's");
	time_cell(table, token, "created");
	time_cell(table, token, "expires");
	return 0;
}

static int list_tokens(struct sn_client *client, void *ctx, struct sn_err *err)
{
	return list(client, ctx, "/api/v1/tokens?limit=1000", token_columns,
		    SN_COUNT(token_columns), add_token_row,
		    "no tokens ('sonde user token add LABEL' makes one)\n", err);
}

static int run_token_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return run(opts, argc, argv, list_tokens);
}

/* The secret alone on standard output, so that it can be written to a file. */
static int add_token(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autojson json_t *body = json_pack("{s:s}", "label", given->argv[0]), *token = NULL;
	const char *secret, *role;
	int rc;

	if (given->role != NULL)
		json_object_set_new(body, "role", json_string(given->role));
	if (given->expires != NULL)
		json_object_set_new(body, "expires_in", json_string(given->expires));
	rc = sn_client_call(client, "POST", "/api/v1/tokens", body, &token, err);
	if (rc != 0)
		return rc;
	if (given->json) {
		sn_output_json_line(stdout, token);
		return 0;
	}
	secret = sn_output_text(token, "token");
	role = sn_output_text(token, "role");
	printf("%s\n", secret != NULL ? secret : "?");
	fprintf(stderr,
		"It is shown this once; its role is %s. Programs find it by "
		"SONDE_TOKEN_FILE.\n",
		role != NULL ? role : "?");
	return 0;
}

static int run_token_add(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return run(opts, argc, argv, add_token);
}

static int remove_tokens(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;

	return sn_named_remove(client, &tokens, given->json, given->argc, given->argv, err);
}

static int run_token_rm(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return run(opts, argc, argv, remove_tokens);
}

/* Verbs ------------------------------------------------------------------------------- */

static const struct sn_opt plain_options[] = {
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt role_options[] = {
	{SN_OPT("role", 'r', SN_OPT_TEXT, role, "ROLE", "viewer, operator or admin")},
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt token_options[] = {
	{SN_OPT("role", 'r', SN_OPT_TEXT, role, "ROLE",
		"a lower role than one's own, or the same; default: always that of its owner")},
	{SN_OPT("expires", 'e', SN_OPT_TEXT, expires, "TIME", "good for this long, like 30d")},
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

#define OPTIONS(table_)                                                                            \
	.options = (table_), .option_count = SN_COUNT(table_),                                     \
	.options_size = sizeof(struct options)

static const struct sn_verb verbs[] = {
	{
		.path = "user list",
		.watch = true,
		.arguments = "",
		.help = "List the accounts and their roles.",
		.examples = "sonde user list\nsonde user list --json",
		OPTIONS(plain_options),
		.run = run_list,
	},
	{
		.path = "user add",
		.arguments = "NAME",
		.help = "Add an account, by default a viewer, who logs in by a link first.",
		.examples = "sonde user add alice --role operator\n"
			    "sonde user add bob && sonde user login-link bob",
		OPTIONS(role_options),
		.min_args = 1,
		.max_args = 1,
		.run = run_add,
	},
	{
		.path = "user set",
		.arguments = "NAME",
		.help = "Change the role of an account; it counts at once.",
		.examples = "sonde user set alice --role admin\nsonde user set bob -r viewer",
		OPTIONS(role_options),
		.min_args = 1,
		.max_args = 1,
		.run = run_set,
	},
	{
		.path = "user rm",
		.arguments = "NAME...",
		.help = "Remove accounts with their sessions, links, tokens and certificates.",
		.examples = "sonde user rm bob\nsonde user rm carol dave",
		OPTIONS(plain_options),
		.min_args = 1,
		.max_args = -1,
		.run = run_rm,
	},
	{
		.path = "user token list",
		.arguments = "",
		.help = "List one's own API tokens.",
		.examples = "sonde user token list\nsonde user token list --json",
		OPTIONS(plain_options),
		.run = run_token_list,
	},
	{
		.path = "user token add",
		.arguments = "LABEL",
		.help = "Make an API token for a program; it is printed this once.",
		.examples = "sonde user token add grafana --role viewer\n"
			    "sonde user token add backup --expires 30d > token",
		OPTIONS(token_options),
		.min_args = 1,
		.max_args = 1,
		.run = run_token_add,
	},
	{
		.path = "user token rm",
		.arguments = "ID...",
		.help = "Make API tokens worthless.",
		.examples = "sonde user token rm 01JAB2CD3EF4GH5JK6MN7PQ8RS\n"
			    "sonde user token rm 01JAB2CD3EF4GH5JK6MN7PQ8RS "
			    "01JAB2CD3EF4GH5JK6MN7PQ8RT",
		OPTIONS(plain_options),
		.min_args = 1,
		.max_args = -1,
		.run = run_token_rm,
	},
};
const struct sn_cli_verbs sn_cli_account_verbs = {verbs, SN_COUNT(verbs)};
