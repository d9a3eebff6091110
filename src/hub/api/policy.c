/* SPDX-License-Identifier: Apache-2.0 */
/* The policy in force, and what it says to a question.  The file is the truth: nobody changes it
 * from here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/sql.h"
#include "mplane/when.h"

#define LIST_MAX 1000 /* nodes or targets of one question */

static json_t *lines_json(const struct sn_buf *text)
{
	struct sn_str rest = sn_buf_str(text), line;
	json_t *lines = json_array();

	while (rest.n > 0 && sn_str_split(&rest, '\n', &line)) {
		if (line.n > 0)
			json_array_append_new(lines, json_stringn(line.p, line.n));
	}
	return lines;
}

static void get_policy(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_authority *authority = hub->authority;
	const struct sn_policy *policy = sn_authority_policy(authority);
	const char *file = sn_authority_file(authority);
	double rate = sn_policy_target_rate(policy);
	struct sn_buf warnings = {0};

	sn_policy_warnings(policy, &warnings);
	sn_http_reply_json(request, 200,
			   json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:s}", "file",
				     sn_json_text(file), "loaded",
				     sn_json_time(sn_authority_loaded_ns(authority)), "problem",
				     sn_json_text(sn_authority_problem(authority)), "rules",
				     (json_int_t)sn_policy_rule_count(policy), "never_probe",
				     sn_authority_never(authority), "target_rate",
				     rate > 0 ? json_real(rate) : json_null(), "warnings",
				     lines_json(&warnings), "text", sn_authority_text(authority)));
	sn_buf_finish(&warnings);
}

/* Explaining -------------------------------------------------------------------------- */

struct question {
	struct sn_asker asker;
	struct sn_policy_ask ask;
	char **nodes;         /* of the ask; owned */
	const char **targets; /* borrowed from the body, NULL-terminated */
};

static void question_finish(struct question *question)
{
	for (size_t i = 0; i < question->ask.node_count; i++)
		free(question->nodes[i]);
	free(question->nodes);
	free(question->targets);
}

/* "alice" is a user if there is one of that name; "user:alice" also has the role of the account. */
static int read_identity(struct sn_hub *hub, const struct sn_who *who, const char *identity,
			 struct question *question, struct sn_err *err)
{
	sn_autofree char *user = NULL;

	if (identity == NULL) {
		sn_guard_asker(who, &question->asker);
		return 0;
	}
	if (strlen(identity) >= SN_POLICY_TEXT_MAX / 2)
		return sn_err_set(err, -EINVAL, "identity: too long");
	if (strchr(identity, ':') == NULL && sn_people_exists(hub->people, identity))
		user = sn_xasprintf("user:%s", identity);
	sn_asker_owner(hub->authority, &question->asker, user != NULL ? user : identity);
	return 0;
}

static int add_node(struct sn_hub *hub, const char *name, struct question *question,
		    struct sn_err *err)
{
	const struct sn_node *node = sn_fleet_find(hub->fleet, name);
	sn_autofree char *provider = sn_xasprintf("%s:%s", node != NULL ? "node" : "peer",
						  node != NULL ? node->id : name);
	struct sn_buf names = {0};

	if (node == NULL && strchr(name, '.') == NULL && strchr(name, ':') == NULL)
		return sn_err_set(err, -EINVAL, "nodes: there is no node '%.60s'", name);
	sn_authority_name_provider(hub->authority, provider, &names);
	sn_buf_cstr(&names);
	question->nodes[question->ask.node_count++] = names.p;
	return 0;
}

static int read_lists(struct sn_hub *hub, const json_t *body, struct question *question,
		      struct sn_err *err)
{
	const json_t *nodes = json_object_get(body, "nodes"),
		     *targets = json_object_get(body, "targets");
	size_t node_count = json_array_size(nodes), target_count = json_array_size(targets);

	if (node_count > LIST_MAX || target_count > LIST_MAX)
		return sn_err_set(err, -EINVAL, "nodes, targets: more than %d", LIST_MAX);
	question->nodes = sn_new_n(char *, node_count + 1);
	question->targets = sn_new_n(const char *, target_count + 1);
	for (size_t i = 0; i < node_count; i++) {
		if (add_node(hub, json_string_value(json_array_get(nodes, i)), question, err) != 0)
			return err->code;
	}
	for (size_t i = 0; i < target_count; i++)
		question->targets[i] = json_string_value(json_array_get(targets, i));
	question->ask.nodes = (const char *const *)question->nodes;
	question->ask.targets = question->targets;
	return 0;
}

static int read_when(struct sn_hub *hub, const char *text, struct sn_policy_ask *ask,
		     struct sn_err *err)
{
	int64_t now_ns = sn_hub_now(hub), end_ns;
	struct sn_mp_when when;

	if (text == NULL)
		return 0;
	if (sn_mp_when_parse(sn_str(text), &when, err) != 0)
		return sn_err_wrap(err, "when");
	when = sn_mp_when_resolve(&when, now_ns);
	end_ns = sn_mp_when_ends(&when, now_ns);
	ask->period_ns = sn_mp_when_period(&when);
	ask->length_ns = end_ns == SN_MP_FUTURE
				 ? INT64_MAX
				 : SN_MAX(end_ns - sn_mp_when_starts(&when, now_ns), (int64_t)0);
	return 0;
}

static int unknown_action(const char *action, struct sn_err *err)
{
	const char *names[SN_POLICY_ACTIONS], *near;

	for (unsigned i = 0; i < SN_POLICY_ACTIONS; i++)
		names[i] = sn_policy_action_name((enum sn_policy_action)i);
	near = sn_suggest(action, names, SN_POLICY_ACTIONS);
	return sn_err_set(err, -EINVAL, "action: unknown '%.40s'%s%s%s", action,
			  near != NULL ? " (did you mean '" : "", near != NULL ? near : "",
			  near != NULL ? "'?)" : "");
}

static int read_question(struct sn_hub *hub, const struct sn_who *who, const json_t *body,
			 struct question *question, struct sn_err *err)
{
	const char *action = json_string_value(json_object_get(body, "action"));

	question->ask.action = SN_MAY_MEASURE;
	if (action != NULL && sn_policy_action_find(action, &question->ask.action) != 0)
		return unknown_action(action, err);
	question->ask.label = json_string_value(json_object_get(body, "capability"));
	if (read_identity(hub, who, json_string_value(json_object_get(body, "identity")), question,
			  err) != 0 ||
	    read_lists(hub, body, question, err) != 0)
		return err->code;
	question->ask.identities = question->asker.list;
	return read_when(hub, json_string_value(json_object_get(body, "when")), &question->ask,
			 err);
}

static json_t *answer(const struct sn_hub *hub, const struct question *question)
{
	const struct sn_policy *policy = sn_authority_policy(hub->authority);
	struct sn_policy_verdict verdict;
	struct sn_buf roles = {0};
	json_t *names = json_array(), *json;

	sn_policy_decide(policy, &question->ask, &verdict);
	sn_policy_roles_of(policy, question->ask.identities, &roles);
	for (unsigned i = 0; i < question->asker.count; i++)
		json_array_append_new(names, json_string(question->asker.list[i]));
	json = json_pack("{s:b, s:s, s:o, s:o, s:s, s:o, s:s}", "allowed", verdict.allowed,
			 "action", sn_policy_action_name(question->ask.action), "line",
			 verdict.line > 0 ? json_integer(verdict.line) : json_null(), "nearest",
			 verdict.nearest > 0 ? json_integer(verdict.nearest) : json_null(),
			 "reason", verdict.reason, "identities", names, "roles",
			 sn_buf_cstr(&roles));
	sn_buf_finish(&roles);
	return json;
}

static void post_explain(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_who *who = sn_guard_who(request);
	sn_autojson json_t *body = sn_api_body(request);
	struct sn_policy_verdict verdict = {0};
	struct question question = {0};
	struct sn_err err = {0};

	if (body == NULL)
		return;
	/* What others may is theirs to ask, and an administrator's. */
	if (json_object_get(body, "identity") != NULL &&
	    !sn_guard_permits(who, SN_MAY_ADMIN, "explain", &verdict)) {
		sn_http_problem(request, 403, "forbidden", "Only about oneself",
				"leave 'identity' out: %s", verdict.reason);
		return;
	}
	if (read_question(hub, who, body, &question, &err) != 0)
		sn_api_bad(request, err.text);
	else
		sn_http_reply_json(request, 200, answer(hub, &question));
	question_finish(&question);
}

/* Declarations ------------------------------------------------------------------------- */

static const struct sn_api_field policy_fields[] = {
	{"file", SN_API_TEXT, true, true, "where it comes from; null: built in"},
	{"loaded", SN_API_TIME, true, false, "when it took force"},
	{"problem", SN_API_TEXT, true, true, "why the file is not what is in force"},
	{"rules", SN_API_INTEGER, true, false, "how many"},
	{"never_probe", SN_API_TEXTS, true, false, "networks that nobody may probe"},
	{"target_rate", SN_API_NUMBER, true, true,
	 "samples per second that one target bears from all nodes together"},
	{"warnings", SN_API_TEXTS, true, false, "what is odd, but not wrong"},
	{"text", SN_API_TEXT, true, false, "what is in force, YAML: sonde-policy(5)"},
};
static const struct sn_api_schema policy_schema = {"Policy", "Who may do what.", policy_fields,
						   SN_COUNT(policy_fields)};
static const struct sn_api_field question_fields[] = {
	{"identity", SN_API_TEXT, false, false, "who; default: who asks"},
	{"action", SN_API_TEXT, false, false, "default 'measure'"},
	{"capability", SN_API_TEXT, false, false, "label; default: any"},
	{"nodes", SN_API_TEXTS, false, false, "ids or names, or identities of peers"},
	{"targets", SN_API_TEXTS, false, false, "addresses, networks, URLs or names"},
	{"when", SN_API_TEXT, false, false, "scope; default: once"},
};
static const struct sn_api_schema question_schema = {"PolicyQuestion", "May they?", question_fields,
						     SN_COUNT(question_fields)};
static const struct sn_api_field verdict_fields[] = {
	{"allowed", SN_API_BOOL, true, false, "may they"},
	{"action", SN_API_TEXT, true, false, "what was asked for"},
	{"line", SN_API_INTEGER, true, true, "that decided; null: none did"},
	{"nearest", SN_API_INTEGER, true, true, "line of the rule that comes nearest"},
	{"reason", SN_API_TEXT, true, false, "for people"},
	{"identities", SN_API_TEXTS, true, false, "all names they were known by"},
	{"roles", SN_API_TEXT, true, false, "that they have, with commas"},
};
static const struct sn_api_schema verdict_schema = {"PolicyVerdict", "What the policy says.",
						    verdict_fields, SN_COUNT(verdict_fields)};

static const struct sn_api_doc policy_doc = {
	.id = "getPolicy",
	.tag = "users",
	.summary = "the policy in force",
	.answer = &policy_schema,
};
static const struct sn_api_doc explain_doc = {
	.id = "explainPolicy",
	.tag = "users",
	.summary = "what the policy says to a question, and which line says it; nothing is done",
	.body = &question_schema,
	.answer = &verdict_schema,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/policy", get_policy, 0, SN_ACCESS_ADMIN, &policy_doc},
	{"POST", "/api/v1/policy/explain", post_explain, SN_API_BODY_MAX, SN_ACCESS_USER,
	 &explain_doc},
};
const struct sn_api_routes sn_api_policy = {routes, SN_COUNT(routes)};
