/* SPDX-License-Identifier: Apache-2.0 */
/* sonde-node: the agent on a node; also joins it to its hub, or is a component without one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "node/agent/agent.h"
#include "node/component/component.h"
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

/* A plain component ------------------------------------------------------------------------ */

#define LISTEN_DEFAULT "127.0.0.1:1228"
#define LOGS_DEFAULT   "127.0.0.1:3001"

struct component_options {
	const char *listen, *supervisor, *cert, *key, *ca, *identity, *policy, *name, *programs,
		*priv_socket, *meters, *log_level;
	const char *logs, *log_listen;
	struct sn_opt_texts allow, sources, repositories, readers;
	bool plain, native, json;
};

static void left(void *ctx)
{
	stopped(ctx);
}

static void say_where(const struct component_options *options, const struct sn_addr *bound)
{
	char where[SN_ADDR_TEXT_MAX];
	const char *scheme = options->plain ? "http" : "https";

	sn_addr_format_port(bound, where, sizeof(where));
	printf(options->json ? "{\"url\":\"%s://%s\"}\n" : "listening at %s://%s\n", scheme, where);
	fflush(stdout);
}

/* Runs until a signal. */
static int run_component(const struct component_options *options,
			 struct sn_node_component_config *config, struct sn_err *err)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct ending ending = {.loop = loop};
	struct sn_node_component *component = NULL;
	struct sn_addr bound = {0};
	int error = sn_loop_handle_signals(loop);

	config->loop = loop;
	if (error == 0)
		error = sn_node_component_create(config, &component, &bound, err);
	else
		sn_err_sys(err, error, "cannot watch signals");
	if (error == 0) {
		if (config->listen != NULL)
			say_where(options, &bound);
		sn_notify("READY=1");
		sn_loop_run(loop);
		sn_notify("STOPPING=1");
		sn_node_component_leave(component, left, &ending);
		if (!ending.done)
			sn_loop_run(loop);
	}
	sn_node_component_destroy(component);
	sn_loop_destroy(loop);
	return error;
}

static int check_component(const struct component_options *options, struct sn_err *err)
{
	unsigned files = (options->cert != NULL) + (options->key != NULL) + (options->ca != NULL);

	if (options->plain && files > 0)
		return sn_err_set(err, -EINVAL, "--plain and certificates exclude each other");
	if (!options->plain && files < 3)
		return sn_err_set(err, -EINVAL,
				  "give --cert, --key and --ca, or --plain for this machine alone");
	if (options->identity != NULL && !options->plain)
		return sn_err_set(err, -EINVAL,
				  "--identity is for --plain: with TLS the certificate says it");
	if (options->policy != NULL && options->allow.count > 0)
		return sn_err_set(err, -EINVAL, "--policy and --allow exclude each other");
	if (options->sources.count > SN_NODE_SOURCES_MAX)
		return sn_err_set(err, -EINVAL, "at most %d --source", SN_NODE_SOURCES_MAX);
	if (options->log_level != NULL && sn_log_set_level_name(options->log_level) != 0)
		return sn_err_set(
			err, -EINVAL,
			"--log-level: '%s' is none of error, warning, notice, info, debug",
			options->log_level);
	return 0;
}

static int component(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		     char **argv SN_UNUSED)
{
	const struct component_options *options = opts;
	sn_autofree char *own_dir = sn_fs_self_dir();
	char host[256] = "node";
	bool no_way = options->listen == NULL && options->supervisor == NULL;
	struct sn_node_component_config config = {
		.name = options->name != NULL ? options->name : host,
		.listen = no_way ? LISTEN_DEFAULT : options->listen,
		.supervisor = options->supervisor,
		.cert_file = options->cert,
		.key_file = options->key,
		.ca_file = options->ca,
		.identity = options->identity,
		.policy_file = options->policy,
		.allowed = options->allow.items,
		.allowed_count = options->allow.count,
		.native = options->native,
		.program_dir = options->programs != NULL ? options->programs : own_dir,
		.priv_socket = options->priv_socket,
		.meter_dir = options->meters,
		.log_dir = options->logs,
		.log_listen = options->log_listen != NULL ? options->log_listen : LOGS_DEFAULT,
		.repositories = options->repositories.items,
		.repository_count = options->repositories.count,
		.readers = options->readers.items,
		.reader_count = options->readers.count,
	};
	struct sn_err err = {0};
	int error = check_component(options, &err);

	gethostname(host, sizeof(host) - 1);
	for (unsigned i = 0; i < options->sources.count && i < SN_NODE_SOURCES_MAX; i++)
		config.sources[i] = options->sources.items[i];
	if (error == 0)
		error = run_component(options, &config, &err);
	if (error == -EINVAL)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	if (error != 0)
		return sn_cli_fail(sn_cli_exit_code(error), "%s", err.text);
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

#define COMPONENT(n, t, member, ...)                                                               \
	{                                                                                          \
		.name = n, .type = t, .offset = offsetof(struct component_options, member),        \
		__VA_ARGS__                                                                        \
	}

static const struct sn_opt component_options[] = {
	COMPONENT("listen", SN_OPT_TEXT, listen, .letter = 'l', .argument = "ADDRESS:PORT",
		  .help = "take clients here; without this and --supervisor " LISTEN_DEFAULT),
	COMPONENT("supervisor", SN_OPT_TEXT, supervisor, .letter = 's', .argument = "URL",
		  .help = "register with this supervisor and fetch work from it"),
	COMPONENT("cert", SN_OPT_TEXT, cert, .argument = "FILE", .group = "Who is who",
		  .help = "certificate of this component, PEM"),
	COMPONENT("key", SN_OPT_TEXT, key, .argument = "FILE", .help = "its private key, PEM"),
	COMPONENT("ca", SN_OPT_TEXT, ca, .argument = "FILE",
		  .help = "certificate of the CA of clients and supervisor, PEM"),
	COMPONENT("plain", SN_OPT_FLAG, plain,
		  .help = "plain HTTP instead of TLS, on loopback only"),
	COMPONENT("identity", SN_OPT_TEXT, identity, .argument = "NAME",
		  .help = "what to call oneself to a plain supervisor"),
	COMPONENT("policy", SN_OPT_TEXT, policy, .argument = "FILE",
		  .help = "who may do what; read again when it changes"),
	COMPONENT("allow", SN_OPT_TEXTS, allow, .argument = "IDENTITY",
		  .help = "without a policy: who may use everything; may be repeated"),
	COMPONENT("name", SN_OPT_TEXT, name, .argument = "NAME", .group = "What is offered",
		  .help = "System_ID of the capabilities; without it the name of the machine"),
	COMPONENT("source", SN_OPT_TEXTS, sources, .argument = "ADDRESS",
		  .help = "address to measure from, one of each family; without it found out"),
	COMPONENT(
		"registry-native", SN_OPT_FLAG, native,
		.help = "offer the methods under their own names, too, which only peers that know "
			"Sonde's registry can read"),
	COMPONENT(
		"programs", SN_OPT_TEXT, programs, .argument = "DIR",
		.help = "directory of sonde-probe and sonde-meter; by default that of sonde-node"),
	COMPONENT("priv-socket", SN_OPT_TEXT, priv_socket, .argument = "PATH",
		  .help = "socket of sonde-priv, which opens captures for meters"),
	COMPONENT("meters", SN_OPT_TEXT, meters, .argument = "DIR",
		  .help = "directory of the control sockets of meters, for the tstat-... labels"),
	COMPONENT("logs", SN_OPT_TEXT, logs, .argument = "DIR", .group = "Logs for repositories",
		  .help = "directory of a meter's logs, for the label tstat-exporter_log"),
	COMPONENT("log-listen", SN_OPT_TEXT, log_listen, .argument = "ADDRESS:PORT",
		  .help = "where repositories fetch them; without this " LOGS_DEFAULT),
	COMPONENT("repository", SN_OPT_TEXTS, repositories, .argument = "URL",
		  .help = "may be named by a specification; may be repeated"),
	COMPONENT("reader", SN_OPT_TEXTS, readers, .argument = "IDENTITY",
		  .help = "who may fetch logs, like 'hub:<id>'; may be repeated"),
	COMPONENT("json", SN_OPT_FLAG, json, .group = "Output",
		  .help = "say where it listens as JSON"),
	COMPONENT("log-level", SN_OPT_TEXT, log_level, .argument = "LEVEL",
		  .help = "error, warning, notice, info or debug"),
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
	{.path = "component",
	 .arguments = "",
	 .help = "be a plain mPlane component: for clients, for a supervisor, without a hub",
	 .examples =
		 "sonde-node component --plain\n"
		 "sonde-node component --supervisor https://supervisor.example:8889 --cert c.pem "
		 "--key c.key --ca ca.pem",
	 .options = component_options,
	 .option_count = SN_COUNT(component_options),
	 .options_size = sizeof(struct component_options),
	 .run = component},
};

int main(int argc, char **argv)
{
	static const struct sn_program program = {
		.name = "sonde-node",
		.summary =
			"measures for a hub, or as a plain mPlane component; keeps results until "
			"they are stored",
		.verbs = verbs,
		.verb_count = SN_COUNT(verbs),
	};

	return sn_cli_main(&program, argc, argv);
}
