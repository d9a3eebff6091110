/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde policy`: who may do what: check a file, ask, show what is in force, take over files of
 * others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "cli/verbs.h"
#include "mplane/policy.h"
#include "mplane/when.h"

#define NAMES_MAX 8 /* of one identity, given with commas */

struct options {
	struct sn_client_options client;
	bool json;
	const char *action, *when, *file;
	struct sn_opt_texts nodes, targets;
};

static int read_policy(const char *path, struct sn_policy **policy, struct sn_err *err)
{
	struct sn_buf text = {0};
	int error = sn_fs_read(path, SN_POLICY_BYTES_MAX, &text, err);

	if (error == 0 && sn_policy_parse(sn_buf_str(&text), policy, err) != 0)
		error = sn_err_wrap(err, "cannot use policy '%s'", path);
	sn_buf_finish(&text);
	return error;
}

/* Check ---------------------------------------------------------------------- */

/* As GET /api/v1/policy has them. */
static json_t *check_json(const char *file, size_t rules, const struct sn_buf *warnings)
{
	struct sn_str rest = sn_buf_str(warnings), line;
	json_t *list = json_array();

	while (sn_str_split(&rest, '\n', &line))
		if (line.n > 0)
			json_array_append_new(list, json_stringn(line.p, line.n));
	return json_pack("{s:s, s:I, s:o}", "file", file, "rules", (json_int_t)rules, "warnings",
			 list);
}

static void show_check(const char *file, size_t rules, struct sn_buf *warnings)
{
	fputs(sn_buf_cstr(warnings), stderr);
	printf("%s is good: %zu %s%s\n", file, rules, rules == 1 ? "rule" : "rules",
	       warnings->n > 0 ? ", with warnings" : "");
}

static int run_check(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		     char **argv)
{
	const struct options *given = opts;
	sn_autojson json_t *json = NULL;
	struct sn_buf warnings = {0};
	struct sn_policy *policy;
	struct sn_err err = {0};
	size_t rules;

	if (read_policy(argv[0], &policy, &err) != 0)
		return sn_cli_fail(SN_EXIT_FAILED, "%s", err.text);
	rules = sn_policy_rule_count(policy);
	sn_policy_warnings(policy, &warnings);
	if (given->json) {
		json = check_json(argv[0], rules, &warnings);
		sn_output_json_line(stdout, json);
	} else {
		show_check(argv[0], rules, &warnings);
	}
	sn_buf_finish(&warnings);
	sn_policy_destroy(policy);
	return SN_EXIT_OK;
}

/* Explain ---------------------------------------------------------------------- */

static json_t *texts_json(const struct sn_opt_texts *texts)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < texts->count; i++)
		json_array_append_new(array, json_string(texts->items[i]));
	return array;
}

static json_t *question_of(const struct options *given, int argc, char **argv)
{
	json_t *body = json_pack("{s:s}", "identity", argv[0]);

	if (argc > 1)
		json_object_set_new(body, "capability", json_string(argv[1]));
	if (given->action != NULL)
		json_object_set_new(body, "action", json_string(given->action));
	if (given->when != NULL)
		json_object_set_new(body, "when", json_string(given->when));
	if (given->nodes.count > 0)
		json_object_set_new(body, "nodes", texts_json(&given->nodes));
	if (given->targets.count > 0)
		json_object_set_new(body, "targets", texts_json(&given->targets));
	return body;
}

/* Allowed or not, and why; the exit code says it to scripts. */
static int show_verdict(const struct options *given, const json_t *answer)
{
	bool allowed = json_is_true(json_object_get(answer, "allowed"));
	bool colour = sn_terminal_colour(stdout);
	enum sn_tone tone = allowed ? SN_TONE_GOOD : SN_TONE_BAD;
	const char *reason = sn_output_text(answer, "reason"), *roles;

	if (given->json) {
		sn_output_json_line(stdout, answer);
	} else {
		printf("%s%s%s: %s\n", sn_tone_start(tone, colour), allowed ? "allowed" : "refused",
		       sn_tone_end(tone, colour), reason != NULL ? reason : "?");
		roles = sn_output_text(answer, "roles");
		printf("roles: %s\n", roles != NULL && roles[0] != '\0' ? roles : "none");
	}
	return allowed ? SN_EXIT_OK : SN_EXIT_FAILED;
}

static int ask_hub(const struct options *given, int argc, char **argv)
{
	sn_autojson json_t *body = question_of(given, argc, argv), *answer = NULL;
	struct sn_client *client;
	struct sn_err err = {0};
	int rc = sn_client_open(&given->client, &client, &err);

	if (rc == 0) {
		rc = sn_client_call(client, "POST", "/api/v1/policy/explain", body, &answer, &err);
		sn_client_close(client);
	}
	return rc != 0 ? sn_client_fail(&err) : show_verdict(given, answer);
}

static int read_when(const char *text, struct sn_policy_ask *ask, struct sn_err *err)
{
	int64_t now_ns = sn_wall_ns(), end_ns;
	struct sn_mp_when when;

	if (text == NULL)
		return 0;
	if (sn_mp_when_parse(sn_str(text), &when, err) != 0)
		return sn_err_wrap(err, "cannot read '%s'", text);
	when = sn_mp_when_resolve(&when, now_ns);
	end_ns = sn_mp_when_ends(&when, now_ns);
	ask->period_ns = sn_mp_when_period(&when);
	ask->length_ns =
		end_ns == SN_MP_FUTURE ? INT64_MAX : end_ns - sn_mp_when_starts(&when, now_ns);
	return 0;
}

/* "user:alice,account:operator": all names of one asker. */
static void split_names(char *text, const char *names[NAMES_MAX + 1])
{
	char *rest = NULL;
	size_t count = 0;

	for (char *name = strtok_r(text, ",", &rest); name != NULL && count < NAMES_MAX;
	     name = strtok_r(NULL, ",", &rest))
		names[count++] = name;
	names[count] = NULL;
}

static json_t *verdict_json(const struct sn_policy *policy, const struct sn_policy_ask *ask)
{
	struct sn_policy_verdict verdict;
	struct sn_buf roles = {0};
	json_t *json;

	sn_policy_decide(policy, ask, &verdict);
	sn_policy_roles_of(policy, ask->identities, &roles);
	json = json_pack("{s:b, s:s, s:i, s:i, s:s, s:s}", "allowed", verdict.allowed, "action",
			 sn_policy_action_name(ask->action), "line", (int)verdict.line, "nearest",
			 (int)verdict.nearest, "reason", verdict.reason, "roles",
			 sn_buf_cstr(&roles));
	sn_buf_finish(&roles);
	return json;
}

static int ask_file(const struct options *given, int argc, char **argv)
{
	const char *names[NAMES_MAX + 1], *targets[SN_COUNT(given->targets.items) + 1] = {0};
	struct sn_policy_ask ask = {
		.action = SN_MAY_MEASURE,
		.identities = names,
		.label = argc > 1 ? argv[1] : NULL,
		.nodes = given->nodes.items,
		.node_count = given->nodes.count,
		.targets = targets,
	};
	sn_autofree char *identity = sn_xstrdup(argv[0]);
	sn_autojson json_t *answer = NULL;
	struct sn_policy *policy;
	struct sn_err err = {0};

	split_names(identity, names);
	memcpy(targets, given->targets.items, given->targets.count * sizeof(*targets));
	if (given->action != NULL && sn_policy_action_find(given->action, &ask.action) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "unknown action '%s' (see sonde-policy(5))",
				   given->action);
	if (read_when(given->when, &ask, &err) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	if (read_policy(given->file, &policy, &err) != 0)
		return sn_cli_fail(SN_EXIT_FAILED, "%s", err.text);
	answer = verdict_json(policy, &ask);
	sn_policy_destroy(policy);
	return show_verdict(given, answer);
}

static int run_explain(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct options *given = opts;

	return given->file != NULL ? ask_file(given, argc, argv) : ask_hub(given, argc, argv);
}

/* Show ------------------------------------------------------------------------- */

static void say_where_from(const json_t *policy)
{
	const char *file = sn_output_text(policy, "file"), *problem;
	char text[SN_TIME_LOCAL_MAX];
	int64_t loaded_ns;

	fprintf(stderr, "# %s%s", file != NULL ? "from " : "built in", file != NULL ? file : "");
	if (sn_output_time(policy, "loaded", &loaded_ns))
		fprintf(stderr, ", in force since %s",
			sn_shape_time(loaded_ns, text, sizeof(text)));
	fputc('\n', stderr);
	problem = sn_output_text(policy, "problem");
	if (problem != NULL)
		fprintf(stderr, "# the file is not what is in force: %s\n", problem);
}

static int show_policy(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autojson json_t *policy = NULL;
	const char *text;
	int rc = sn_client_get(client, "/api/v1/policy", &policy, err);

	if (rc != 0)
		return rc;
	if (given->json) {
		sn_output_json_line(stdout, policy);
		return 0;
	}
	say_where_from(policy);
	text = sn_output_text(policy, "text");
	fputs(text != NULL ? text : "", stdout);
	return 0;
}

static int run_show(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	struct options *given = opts;

	return sn_client_run(&given->client, show_policy, given);
}

/* Import ----------------------------------------------------------------------- */

static bool is_ini(struct sn_str text)
{
	return memmem(text.p, text.n, "[Roles]", 7) != NULL ||
	       memmem(text.p, text.n, "[Authorizations]", 16) != NULL;
}

static int import(int argc, char **argv, struct sn_buf *yaml, struct sn_err *err)
{
	struct sn_buf first = {0}, second = {0};
	int error = sn_fs_read(argv[0], SN_POLICY_BYTES_MAX, &first, err);

	if (error == 0 && argc > 1)
		error = sn_fs_read(argv[1], SN_POLICY_BYTES_MAX, &second, err);
	if (error == 0 && argc == 1 && is_ini(sn_buf_str(&first)))
		error = sn_policy_import_ini(sn_buf_str(&first), yaml, err);
	else if (error == 0)
		error = sn_policy_import_lists(sn_buf_str(&first), sn_buf_str(&second), yaml, err);
	if (error != 0 && first.n > 0)
		sn_err_wrap(err, "cannot take over '%s'", argv[0]);
	sn_buf_finish(&first);
	sn_buf_finish(&second);
	return error;
}

static int run_import(const struct sn_verb *verb SN_UNUSED, void *opts SN_UNUSED, int argc,
		      char **argv)
{
	struct sn_buf yaml = {0};
	struct sn_err err = {0};

	if (import(argc, argv, &yaml, &err) != 0)
		return sn_cli_fail(SN_EXIT_FAILED, "%s", err.text);
	fputs(sn_buf_cstr(&yaml), stdout);
	sn_buf_finish(&yaml);
	return SN_EXIT_OK;
}

/* Verbs ------------------------------------------------------------------------ */

static const struct sn_opt explain_options[] = {
	{SN_OPT("action", 'a', SN_OPT_TEXT, action, "ACTION",
		"measure (default), discover, register, deliver, read, read-all, stop, stop-all or "
		"admin")},
	{SN_OPT("node", 'n', SN_OPT_TEXTS, nodes, "NODE", "measured there (repeatable)")},
	{SN_OPT("target", 't', SN_OPT_TEXTS, targets, "TARGET",
		"address, network, URL or name to measure (repeatable)")},
	{SN_OPT("when", 'w', SN_OPT_TEXT, when, "SCOPE", "like 'now + 1d / 10s'; default: once")},
	{SN_OPT("file", 'f', SN_OPT_TEXT, file, "FILE",
		"ask this policy and no hub; IDENTITY can be several names with commas")},
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt check_options[] = {
	SN_OPTION_JSON,
};

static const struct sn_opt show_options[] = {
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "policy show",
		.arguments = "",
		.help = "Show who may do what: the policy in force.",
		.examples = "sonde policy show > policy.yaml\nsonde policy show --json",
		.options = show_options,
		.option_count = SN_COUNT(show_options),
		.options_size = sizeof(struct options),
		.run = run_show,
	},
	{
		.path = "policy check",
		.arguments = "FILE",
		.help = "Say whether a policy is good, and what is odd about it; asks no hub.",
		.examples = "sonde policy check /etc/sonde/policy.yaml\n"
			    "sonde policy check new.yaml && mv new.yaml /etc/sonde/policy.yaml",
		.options = check_options,
		.option_count = SN_COUNT(check_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run_check,
		.complete = "file",
	},
	{
		.path = "policy explain",
		.arguments = "IDENTITY [CAPABILITY]",
		.help = "Say what the policy says to somebody, and which line decides.",
		.examples = "sonde policy explain alice ping --node rome --target 192.0.2.1\n"
			    "sonde policy explain org.mplane.SSB.Clients.C-1 ping -a discover "
			    "--file policy.yaml",
		.options = explain_options,
		.option_count = SN_COUNT(explain_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 2,
		.run = run_explain,
	},
	{
		.path = "policy import",
		.arguments = "FILE [CAPS]",
		.help = "Print a policy made of the role files of the mPlane reference "
			"implementation.",
		.examples = "sonde policy import supervisor.conf > policy.yaml\n"
			    "sonde policy import users.conf caps.conf > policy.yaml",
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 2,
		.run = run_import,
		.complete = "file",
	},
};
const struct sn_cli_verbs sn_cli_policy_verbs = {verbs, SN_COUNT(verbs)};
