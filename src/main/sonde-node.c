/* SPDX-License-Identifier: Apache-2.0 */
/* sonde-node: the agent on a node; also joins it to its hub. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "node/agent/agent.h"
#include "node/join/join.h"

struct options {
	const char *config, *state, *name;
	struct sn_opt_texts set;
	bool check, print;
};

/* Configuration: defaults, then the file, then the command line ------------------------- */

static int set_pair(struct sn_node_config *config, const char *pair, struct sn_err *err)
{
	struct sn_str value = sn_str(pair), key;
	sn_autofree char *name = NULL;

	if (!sn_str_split(&value, '=', &key) || value.p == NULL)
		return sn_err_set(err, -EINVAL, "'%s' is not key=value", pair);
	name = sn_xstrndup(key.p, key.n);
	return sn_conf_set(&sn_node_schema, config, name, value, err);
}

static int read_config(const struct options *options, struct sn_node_config *config,
		       struct sn_err *err)
{
	int error = options->config != NULL
			    ? sn_conf_load(&sn_node_schema, options->config, config, err)
			    : sn_conf_defaults(&sn_node_schema, config, err);

	if (error != 0)
		return error;
	for (unsigned i = 0; i < options->set.count && error == 0; i++) {
		error = set_pair(config, options->set.items[i], err);
		if (error != 0)
			sn_err_wrap(err, "cannot use --set");
	}
	if (error == 0 && options->state != NULL)
		error = sn_conf_set(&sn_node_schema, config, "state", sn_str(options->state), err);
	if (error == 0 && config->state == NULL)
		config->state = sn_join_default_state_dir();
	if (error == 0 && sn_log_set_level_name(config->log_level) != 0)
		error = sn_err_set(err, -EINVAL,
				   "key 'log_level': '%s' is none of error, warning, notice, info, "
				   "debug",
				   config->log_level);
	return error != 0 ? error : sn_node_config_check(config, err);
}

static void print_config(const struct sn_node_config *config)
{
	struct sn_buf text = {0};

	sn_conf_print(&sn_node_schema, config, &text);
	fwrite(text.p, 1, text.n, stdout);
	sn_buf_finish(&text);
}

/* The agent -------------------------------------------------------------------------------- */

struct ending {
	struct sn_loop *loop;
	bool done;
};

static void stopped(void *ctx)
{
	struct ending *ending = ctx;

	ending->done = true;
	sn_loop_stop(ending->loop, 0);
}

/* Runs until a signal, then until the measurements have ended; a second signal cuts that short. */
static int run_agent(const struct sn_node_config *config, struct sn_err *err)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct ending ending = {.loop = loop};
	struct sn_agent *agent;
	int error = sn_loop_handle_signals(loop);

	if (error == 0)
		error = sn_agent_create(loop, config, &agent, err);
	else
		sn_err_sys(err, error, "cannot watch signals");
	if (error == 0) {
		sn_notify("READY=1");
		sn_loop_run(loop);
		sn_notify("STOPPING=1");
		sn_agent_stop(agent, stopped, &ending);
		if (!ending.done)
			sn_loop_run(loop);
		sn_agent_destroy(agent);
	}
	sn_loop_destroy(loop);
	return error;
}

static int run(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
	       char **argv SN_UNUSED)
{
	const struct options *options = opts;
	struct sn_node_config config = {0};
	struct sn_err err = {0};
	int error = read_config(options, &config, &err), code = SN_EXIT_OK;

	if (error != 0)
		code = sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	else if (options->print)
		print_config(&config);
	else if (options->check)
		printf("the configuration is good\n");
	else if (run_agent(&config, &err) != 0)
		code = sn_cli_fail(sn_cli_exit_code(err.code), "%s", err.text);
	sn_conf_release(&sn_node_schema, &config);
	return code;
}

/* Joining ------------------------------------------------------------------------------------ */

static int join(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED, char **argv)
{
	const struct options *options = opts;
	sn_autofree char *default_dir = sn_join_default_state_dir();
	char host[256] = "node", node[SN_JOIN_NODE_MAX];
	struct sn_join request = {
		.url = argv[0],
		.token = argv[1],
		.state_dir = options->state != NULL ? options->state : default_dir,
		.name = options->name != NULL ? options->name : host,
	};
	struct sn_err err = {0};
	int error;

	gethostname(host, sizeof(host) - 1);
	error = sn_join_run(&request, node, &err);
	if (error == -EINVAL)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	if (error == -EKEYREJECTED)
		return sn_cli_fail(SN_EXIT_DENIED, "%s", err.text);
	if (error != 0)
		return sn_cli_fail(sn_cli_exit_code(error), "%s", err.text);
	printf("joined '%s' as node %s (start it: sonde-node --state %s)\n", request.url, node,
	       request.state_dir);
	return SN_EXIT_OK;
}

#define OPTION(n, t, member, ...)                                                                  \
	{                                                                                          \
		.name = n, .type = t, .offset = offsetof(struct options, member), __VA_ARGS__      \
	}

static const struct sn_opt run_options[] = {
	OPTION("config", SN_OPT_TEXT, config, .letter = 'c', .argument = "FILE",
	       .help = "read the configuration from FILE (YAML)"),
	OPTION("state", SN_OPT_TEXT, state, .argument = "DIR",
	       .help = "directory of identity, tasks and spool"),
	OPTION("set", SN_OPT_TEXTS, set, .argument = "KEY=VALUE",
	       .help = "set one key of the configuration; may be repeated"),
	OPTION("check-config", SN_OPT_FLAG, check, .group = "Instead of running",
	       .help = "say whether the configuration is good"),
	OPTION("print-config", SN_OPT_FLAG, print,
	       .help = "print the configuration as it would be used"),
};

static const struct sn_opt join_options[] = {
	OPTION("state", SN_OPT_TEXT, state, .argument = "DIR",
	       .help = "directory for identity, tasks and spool"),
	OPTION("name", SN_OPT_TEXT, name, .argument = "NAME",
	       .help = "what to call the node; without it the name of the machine"),
};

static const struct sn_verb verbs[] = {
	{.path = "",
	 .arguments = "",
	 .help = "Runs the node until it is told to end.",
	 .examples = "sonde-node --config /etc/sonde/node.yaml\n"
		     "sonde-node --state ~/node --set log_level=debug",
	 .options = run_options,
	 .option_count = SN_COUNT(run_options),
	 .options_size = sizeof(struct options),
	 .run = run},
	{.path = "join",
	 .arguments = "URL TOKEN",
	 .help = "make this machine a node of the hub at URL",
	 .examples =
		 "sonde-node join https://hub.example:8443 \"$TOKEN\"\n"
		 "sonde-node join https://192.0.2.1:8443 \"$TOKEN\" --name attic --state ~/node",
	 .options = join_options,
	 .option_count = SN_COUNT(join_options),
	 .options_size = sizeof(struct options),
	 .min_args = 2,
	 .max_args = 2,
	 .run = join},
};

int main(int argc, char **argv)
{
	static const struct sn_program program = {
		.name = "sonde-node",
		.summary = "measures for a hub: standing tasks, results kept until they are stored",
		.verbs = verbs,
		.verb_count = SN_COUNT(verbs),
	};

	return sn_cli_main(&program, argc, argv);
}
