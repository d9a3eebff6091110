/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sonde task`: what nodes measure all the time.
 *
 * "task add ping" and its like are made from the declarations of the methods: each
 * parameter is an option, the targets are the positional arguments.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "cli/verbs.h"
#include "data/method.h"

#define PARAMS_MAX 32 /* of one method, as options */

struct options {
	struct sn_client_options client;
	bool json, dry_run;
	const char *name;
	struct sn_opt_texts nodes;
	/* The parameters of the method, in its order: texts, or flags. */
	union {
		const char *text;
		bool flag;
	} params[PARAMS_MAX];
};

#define OPT(name_, letter_, type_, member_, argument_, help_)                                      \
	.name = (name_), .letter = (letter_), .type = (type_),                                     \
	.offset = offsetof(struct options, member_), .argument = (argument_), .help = (help_)

#define JSON_OPTION                                                                                \
	{                                                                                          \
		OPT("json", 'j', SN_OPT_FLAG, json, NULL, "JSON, one object per line")             \
	}

/* Add ------------------------------------------------------------------- */

static const struct sn_opt add_options[] = {
	{OPT("node", 'n', SN_OPT_TEXTS, nodes, "NODE",
	     "who shall measure (name or id; repeatable; default: all nodes)"),
	 .group = "Task"},
	{OPT("name", 0, SN_OPT_TEXT, name, "TEXT", "what to call the task")},
	{OPT("dry-run", 0, SN_OPT_FLAG, dry_run, NULL, "check it and show it, do not add it")},
	JSON_OPTION,
	SN_CLIENT_OPTION(struct options, client),
};

/* A letter is kept only while nobody else has it. */
static char free_letter(const struct sn_opt *options, size_t count, char letter)
{
	for (size_t i = 0; i < count; i++)
		if (options[i].letter == letter)
			return 0;
	return letter;
}

static char *help_of(const struct sn_param *param)
{
	if (param->default_text == NULL)
		return sn_xstrdup(param->help);
	return sn_xasprintf("%s (%s)", param->help, param->default_text);
}

static struct sn_opt *options_of(const struct sn_method *method, size_t *count)
{
	size_t own = SN_COUNT(add_options);
	struct sn_opt *options = sn_new_n(struct sn_opt, own + method->param_count);
	const char *group = "Parameters";

	assert(method->param_count <= PARAMS_MAX);
	*count = 0;
	for (size_t i = 0; i < method->param_count; i++) {
		const struct sn_param *param = &method->params[i];

		if (param->type == SN_PARAM_TARGETS)
			continue;
		options[*count] = (struct sn_opt){
			.name = param->name,
			.letter = free_letter(add_options, own, param->letter),
			.type = param->type == SN_PARAM_FLAG ? SN_OPT_FLAG : SN_OPT_TEXT,
			.offset = offsetof(struct options, params) +
				  i * sizeof(((struct options *)0)->params[0]),
			.argument = param->type == SN_PARAM_FLAG ? NULL : param->argument,
			.help = help_of(param),
			.group = group,
		};
		group = NULL;
		(*count)++;
	}
	memcpy(options + *count, add_options, sizeof(add_options));
	*count += own;
	return options;
}

static const struct sn_param *targets_of(const struct sn_method *method)
{
	for (size_t i = 0; i < method->param_count; i++)
		if (method->params[i].type == SN_PARAM_TARGETS)
			return &method->params[i];
	return NULL;
}

static json_t *parameters_of(const struct sn_method *method, const struct options *given, int argc,
			     char **argv)
{
	const struct sn_param *targets = targets_of(method);
	json_t *parameters = json_object();

	for (size_t i = 0; i < method->param_count; i++) {
		const struct sn_param *param = &method->params[i];

		if (param->type == SN_PARAM_FLAG && given->params[i].flag)
			json_object_set_new(parameters, param->name, json_true());
		else if (param->type != SN_PARAM_FLAG && given->params[i].text != NULL)
			json_object_set_new(parameters, param->name,
					    json_string(given->params[i].text));
	}
	if (targets != NULL && argc > 0) {
		json_t *list = json_array();

		for (int i = 0; i < argc; i++)
			json_array_append_new(list, json_string(argv[i]));
		json_object_set_new(parameters, targets->name, list);
	}
	return parameters;
}

static json_t *task_body(const struct sn_method *method, const struct options *given, int argc,
			 char **argv)
{
	json_t *body = json_pack("{s:s, s:o}", "method", method->name, "parameters",
				 parameters_of(method, given, argc, argv));
	json_t *nodes = json_array();

	for (unsigned i = 0; i < given->nodes.count; i++)
		json_array_append_new(nodes, json_string(given->nodes.items[i]));
	if (given->nodes.count == 0)
		json_array_append_new(nodes, json_string("*"));
	json_object_set_new(body, "nodes", nodes);
	if (given->name != NULL)
		json_object_set_new(body, "name", json_string(given->name));
	return body;
}

static int send_task(const struct options *given, const json_t *body, struct sn_err *err)
{
	sn_autojson json_t *task = NULL;
	struct sn_client *client;
	const char *id;
	int rc = sn_client_open(&given->client, &client, err);

	if (rc != 0)
		return rc;
	rc = sn_client_call(client, "POST", "/api/v1/tasks", body, &task, err);
	sn_client_close(client);
	if (rc != 0)
		return rc;
	id = sn_output_text(task, "id");
	if (given->json)
		sn_output_json_line(stdout, task);
	else
		printf("%s\n", id != NULL ? id : "?");
	return 0;
}

static int run_add(const struct sn_verb *verb, void *opts, int argc, char **argv)
{
	const struct sn_method *method = sn_method_find(strrchr(verb->path, ' ') + 1);
	const struct options *given = opts;
	sn_autojson json_t *body = task_body(method, given, argc, argv);
	struct sn_err err = {0};

	if (sn_method_check(method, json_object_get(body, "parameters"), &err) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	if (given->dry_run) {
		sn_output_json_line(stdout, body);
		return SN_EXIT_OK;
	}
	return send_task(given, body, &err) == 0 ? SN_EXIT_OK : sn_client_fail(&err);
}

size_t sn_cli_task_add_verbs(struct sn_verb *out, size_t room)
{
	size_t count = SN_MIN(sn_method_count, room);

	for (size_t i = 0; i < count; i++) {
		const struct sn_method *method = sn_methods[i];
		const struct sn_param *targets = targets_of(method);
		struct sn_verb *verb = &out[i];

		*verb = (struct sn_verb){
			.path = sn_xasprintf("task add %s", method->name),
			.arguments = targets != NULL ? "TARGET..." : "",
			.help = sn_xasprintf("Have nodes do this all the time: %s", method->help),
			.examples = strcmp(method->name, "ping") == 0
					    ? "sonde task add ping --period 10s 192.0.2.1\n"
					      "sonde task add ping --node rome --node oslo -c 1 "
					      "--period 1s hub.example"
					    : NULL,
			.options_size = sizeof(struct options),
			.min_args = targets != NULL && targets->required,
			.max_args = targets != NULL ? -1 : 0,
			.run = run_add,
		};
		verb->options = options_of(method, &verb->option_count);
	}
	return count;
}

/* List ------------------------------------------------------------------ */

static const struct sn_table_column list_columns[] = {
	{.header = "id"},
	{.header = "name", .shrink = true, .drop = 1},
	{.header = "method"},
	{.header = "nodes", .shrink = true},
	{.header = "parameters", .shrink = true},
	{.header = "created", .drop = 2},
};

struct list {
	struct sn_table *table;
	struct sn_names *names;
};

static void add_parameter(struct sn_buf *out, const char *key, const json_t *value)
{
	sn_autofree char *texts = json_is_array(value) ? sn_output_texts(value) : NULL;

	sn_buf_addf(out, "%s%s=", out->n > 0 ? " " : "", key);
	if (texts != NULL)
		sn_buf_adds(out, texts);
	else if (json_is_string(value))
		sn_buf_adds(out, json_string_value(value));
	else
		sn_output_json(out, value);
}

/* The targets first: they are what tells tasks apart. */
static char *parameters_text(const json_t *parameters)
{
	struct sn_buf buf = {0};
	const char *key;
	json_t *value;

	for (int lists = 1; lists >= 0; lists--)
		json_object_foreach ((json_t *)parameters, key, value)
			if (json_is_array(value) == lists)
				add_parameter(&buf, key, value);
	sn_buf_cstr(&buf);
	return buf.p;
}

static char *nodes_text(const json_t *nodes, const struct sn_names *names)
{
	struct sn_buf buf = {0};

	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const char *id = json_string_value(json_array_get(nodes, i));

		if (id == NULL)
			continue;
		sn_buf_adds(&buf, buf.n > 0 ? ", " : "");
		sn_buf_adds(&buf, strcmp(id, "*") == 0 ? "all" : sn_names_of(names, id));
	}
	sn_buf_cstr(&buf);
	return buf.p;
}

static int add_task_row(const json_t *task, void *ctx)
{
	struct list *list = ctx;
	sn_autofree char *parameters = parameters_text(json_object_get(task, "parameters"));
	sn_autofree char *nodes = nodes_text(json_object_get(task, "nodes"), list->names);
	char created[SN_TIME_LOCAL_MAX];
	int64_t unix_ns;
	bool known = sn_output_time(task, "created", &unix_ns);

	sn_table_cell(list->table, SN_TONE_PLAIN, sn_output_text(task, "id"));
	sn_table_cell(list->table, SN_TONE_PLAIN, sn_output_text(task, "name"));
	sn_table_cell(list->table, SN_TONE_PLAIN, sn_output_text(task, "method"));
	sn_table_cell(list->table, SN_TONE_PLAIN, nodes);
	sn_table_cell(list->table, SN_TONE_PLAIN, parameters);
	sn_table_cell(list->table, SN_TONE_PLAIN,
		      known ? sn_shape_time(unix_ns, created, sizeof(created)) : NULL);
	return 0;
}

static int print_item(const json_t *item, void *ctx)
{
	sn_output_json_line(ctx, item);
	return 0;
}

static int list_tasks(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	static const char path[] = "/api/v1/tasks?limit=1000";
	struct list list = {0};
	int rc;

	if (given->json)
		return sn_client_each(client, path, print_item, stdout, err);
	rc = sn_names_fetch(client, &list.names, err);
	if (rc != 0)
		return rc;
	list.table = sn_table_create(list_columns, SN_COUNT(list_columns));
	rc = sn_client_each(client, path, add_task_row, &list, err);
	if (rc == 0 && sn_table_rows(list.table) == 0)
		fputs("no tasks yet ('sonde task add ping TARGET...' adds one)\n", stderr);
	else if (rc == 0)
		sn_table_show(list.table, stdout);
	sn_table_destroy(list.table);
	sn_names_destroy(list.names);
	return rc;
}

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	struct options *given = opts;

	return sn_client_run(&given->client, list_tasks, given);
}

/* Remove ---------------------------------------------------------------- */

static int remove_one(struct sn_client *client, const struct options *given, const char *id,
		      struct sn_err *err)
{
	struct sn_buf path = {0};
	json_t *task = NULL;
	int rc;

	sn_buf_adds(&path, "/api/v1/tasks/");
	sn_url_encode(&path, sn_str(id));
	rc = sn_client_get(client, sn_buf_cstr(&path), &task, err);
	if (rc == 0 && !given->dry_run)
		rc = sn_client_call(client, "DELETE", sn_buf_cstr(&path), NULL, NULL, err);
	if (rc == -ENOENT)
		sn_err_set(err, rc, "no task has the id '%.60s' ('sonde task list' shows all)", id);
	if (rc == 0 && given->json)
		sn_output_json_line(stdout, task);
	else if (rc == 0)
		printf("%s %s\n", given->dry_run ? "would end" : "ended", id);
	json_decref(task);
	sn_buf_finish(&path);
	return rc;
}

static int run_rm(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct options *given = opts;
	struct sn_client *client;
	struct sn_err err = {0};
	int rc = sn_client_open(&given->client, &client, &err);

	if (rc != 0)
		return sn_client_fail(&err);
	for (int i = 0; i < argc && rc == 0; i++)
		rc = remove_one(client, given, argv[i], &err);
	sn_client_close(client);
	return rc == 0 ? SN_EXIT_OK : sn_client_fail(&err);
}

/* Tables ---------------------------------------------------------------- */

static const struct sn_opt list_options[] = {
	JSON_OPTION,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt rm_options[] = {
	{OPT("dry-run", 0, SN_OPT_FLAG, dry_run, NULL, "only say which tasks they would be")},
	JSON_OPTION,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "task list",
		.arguments = "",
		.help = "Show what nodes measure all the time.",
		.examples = "sonde task list\nsonde task list --json",
		.options = list_options,
		.option_count = SN_COUNT(list_options),
		.options_size = sizeof(struct options),
		.run = run_list,
	},
	{
		.path = "task rm",
		.arguments = "ID...",
		.help = "End standing tasks; their rows stay.",
		.examples = "sonde task rm --dry-run 01JNB4Y1W4QW6V5B0M8Z8V7R3K",
		.options = rm_options,
		.option_count = SN_COUNT(rm_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = -1,
		.run = run_rm,
		.complete = "task",
	},
};
const struct sn_cli_verbs sn_cli_task_verbs = {verbs, SN_COUNT(verbs)};
