/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sonde-demo-host: a host of the demo internet that does not measure: content
 * server, resolver or traffic.  Options and wiring; the roles are in demo/host/.
 */
#include <stdio.h>

#include "base/cli.h"
#include "base/log.h"
#include "base/notify.h"
#include "demo/host/host.h"

struct options {
	const char *config;
	bool check;
};

static const struct sn_opt options[] = {
	{.name = "config",
	 .letter = 'c',
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct options, config),
	 .argument = "FILE",
	 .help = "what this host does (YAML)"},
	{.name = "check-config",
	 .type = SN_OPT_FLAG,
	 .offset = offsetof(struct options, check),
	 .help = "read it, print it with all defaults, and end"},
};

static int print_config(const struct sn_host_config *config)
{
	struct sn_buf out = {0};

	sn_conf_print(&sn_host_schema, config, &out);
	fwrite(out.p, 1, out.n, stdout);
	sn_buf_finish(&out);
	return SN_EXIT_OK;
}

static int serve(const struct sn_host_config *config)
{
	struct sn_err err;
	const struct sn_host_role *role = sn_host_role_find(config->role, &err);
	struct sn_loop *loop;
	struct sn_host *host;
	int code;

	if (role == NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	if (sn_log_set_level_name(config->log_level) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "key 'log_level': '%s' is no level",
				   config->log_level);
	loop = sn_loop_create(NULL);
	sn_loop_handle_signals(loop);
	host = role->create(loop, config, &err);
	if (host == NULL) {
		code = sn_cli_fail(sn_cli_exit_code(err.code), "%s", err.text);
	} else {
		sn_notify("READY=1");
		code = sn_loop_run(loop);
		role->destroy(host);
	}
	sn_loop_destroy(loop);
	return code;
}

static int run(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
	       char **argv SN_UNUSED)
{
	const struct options *given = opts;
	struct sn_host_config config = {0};
	struct sn_err err;
	int code;

	if (given->config == NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "'--config FILE' is missing");
	if (sn_conf_load(&sn_host_schema, given->config, &config, &err) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	code = given->check ? print_config(&config) : serve(&config);
	sn_conf_release(&sn_host_schema, &config);
	return code;
}

static const struct sn_verb verbs[] = {{
	.path = "",
	.arguments = "",
	.help = "Be a content server, a resolver or a source of traffic of the demo internet.",
	.examples = "sonde-demo-host --config content.yaml\n"
		    "sonde-demo-host --config traffic.yaml --check-config",
	.options = options,
	.option_count = SN_COUNT(options),
	.options_size = sizeof(struct options),
	.run = run,
}};

static const struct sn_program program = {
	.name = "sonde-demo-host",
	.summary = "hosts of the demo internet",
	.verbs = verbs,
	.verb_count = SN_COUNT(verbs),
};

int main(int argc, char **argv)
{
	return sn_cli_main(&program, argc, argv);
}
