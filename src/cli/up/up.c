/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde up`: the verb, and what it says. */
#include "cli/up/up.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "data/method.h"
#include "net/addr.h"

struct options {
	const char *state, *listen, *name, *user, *log_level;
	bool no_defaults, json;
};

#define ROOT_STATE_DIR "/var/lib/sonde"

/* Messages -------------------------------------------------------------- */

static void say_measured(const char *name, const char *targets)
{
	printf("  %-10s %s\n", name, targets);
}

static void say_nothing(const char *name SN_UNUSED, const char *targets SN_UNUSED)
{
}

/* What this user cannot have, and how to get it. */
static void say_missing(const struct sn_up *up)
{
	const struct sn_rights *rights = &up->rights;

	if (rights->stays_root)
		printf("note: no ordinary user can run the programs from here, so they run as "
		       "root\n"
		       "      (install them, or build where others may read: then they do not)\n");
	if (!rights->ping_socket && !rights->raw_socket && !rights->switches)
		printf("missing: ping is not allowed for user '%s'; as root either of\n"
		       "           sysctl -w net.ipv4.ping_group_range='0 2147483647'\n"
		       "           setcap cap_net_raw+ep %s/sonde-probe\n"
		       "         or start 'sonde up' as root\n",
		       rights->user, up->programs);
	if (!rights->capture && !rights->switches)
		printf("missing: flows of interfaces cannot be metered by user '%s'; as root\n"
		       "           setcap cap_net_raw+ep %s/sonde-meter\n"
		       "         or start 'sonde up' as root\n",
		       rights->user, up->programs);
}

static void say_json(const struct sn_up *up)
{
	sn_autojson json_t *json =
		json_pack("{s:s, s:s?, s:s, s:s, s:s, s:I}", "url", up->url, "login_url",
			  up->login_url, "node_url", up->node_url, "node", up->node_id, "state_dir",
			  up->config->state, "pid", (json_int_t)getpid());

	sn_output_json_line(stdout, json);
	fflush(stdout);
}

static void say_where(const struct sn_up *up)
{
	bool colour = sn_terminal_colour(stdout);

	printf("\nSonde is up: %s%s%s\n", sn_tone_start(SN_TONE_GOOD, colour),
	       up->login_url != NULL ? up->login_url : up->url, sn_tone_end(SN_TONE_GOOD, colour));
	if (up->login_url != NULL)
		printf("  the link logs in once ('sonde user login-link' makes another)\n");
	printf("  everything is kept in %s\n", up->config->state);
	if (up->rights.switches)
		printf("  hub and node run as user '%s'\n", up->rights.user);
	say_missing(up);
	printf("Ctrl-C ends it.\n");
	fflush(stdout);
}

/* Running --------------------------------------------------------------- */

static int bring_up(struct sn_up *up, bool json, struct sn_err *err)
{
	int rc = sn_up_prepare(up, err);

	if (rc == 0)
		rc = sn_up_start_hub(up, err);
	if (rc == 0)
		rc = sn_up_enrol(up, err);
	if (rc == 0)
		rc = sn_up_start_priv(up, err);
	if (rc == 0)
		rc = sn_up_start_node(up, err);
	if (rc == 0 && !json)
		printf("measured from now on:\n");
	if (rc == 0)
		rc = sn_up_measurements(up, json ? say_nothing : say_measured, err);
	return rc;
}

static int run_all(const struct sn_up_config *config, bool json)
{
	struct sn_up up = {.config = config, .lock = -1};
	struct sn_err err = {0};
	int code = SN_EXIT_OK, rc;

	up.loop = sn_loop_create(NULL);
	sn_loop_handle_signals(up.loop);
	rc = bring_up(&up, json, &err);
	if (rc == 0) {
		if (json)
			say_json(&up);
		else
			say_where(&up);
		/* Children that end wake the loop too; only a signal says 0. */
		while (sn_loop_run(up.loop) != 0)
			;
	}
	sn_up_stop(&up);
	sn_up_finish(&up);
	sn_loop_destroy(up.loop);
	if (rc == 0 && !json)
		printf("\nSonde is down; what was measured is kept in %s\n", config->state);
	else if (rc != 0 && rc != -EINTR)
		code = sn_cli_fail(rc == -EINVAL ? SN_EXIT_USAGE : sn_cli_exit_code(rc), "%s",
				   err.text);
	return code;
}

/* Options --------------------------------------------------------------- */

/* A loopback address is for this machine's browser, any other for all, over TLS. */
static int read_listen(const char *text, struct sn_up_config *config)
{
	struct sn_addr addr;

	if (text == NULL)
		return SN_EXIT_OK;
	if (sn_addr_parse(sn_str(text), 0, &addr) != 0)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "option '--listen': '%s' is no address with port (write it like "
				   "127.0.0.1:8080 or 0.0.0.0:8443)",
				   text);
	if (sn_addr_is_loopback(&addr))
		config->local = text;
	else
		config->listen = text;
	return SN_EXIT_OK;
}

/* Before anything is started: a name that cannot be one is found out here. */
static int check_targets(const struct sn_up_config *config)
{
	sn_autojson json_t *parameters = json_pack("{s:[]}", "targets");
	json_t *list = json_object_get(parameters, "targets");
	struct sn_err err = {0};

	for (unsigned i = 0; i < config->target_count; i++)
		json_array_append_new(list, json_string(config->targets[i]));
	if (config->target_count == 0 || sn_method_check(&sn_method_ping, parameters, &err) == 0)
		return SN_EXIT_OK;
	return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
}

static int run_up(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct options *given = opts;
	sn_autofree char *default_state =
		geteuid() == 0 ? sn_xstrdup(ROOT_STATE_DIR) : sn_place_state_dir();
	sn_autofree char *state = NULL;
	struct sn_up_config config = {
		.node_name = given->name,
		.user = given->user,
		.targets = (const char *const *)argv,
		.target_count = (unsigned)argc,
		.defaults = !given->no_defaults,
	};
	int code = read_listen(given->listen, &config);

	if (code == SN_EXIT_OK)
		code = check_targets(&config);
	if (code != SN_EXIT_OK)
		return code;
	if (given->log_level != NULL && sn_log_set_level_name(given->log_level) != 0)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "option '--log-level': '%s' is none of error, warning, notice, "
				   "info, debug",
				   given->log_level);
	/* Programs are started with it: what it means must not depend on where they run. */
	if (given->state != NULL && given->state[0] != '/') {
		sn_autofree char *here = get_current_dir_name();

		state = sn_xasprintf("%s/%s", here != NULL ? here : ".", given->state);
	}
	config.state = state != NULL ? state : given->state != NULL ? given->state : default_state;
	return run_all(&config, given->json);
}

#define OPT(name_, letter_, type_, member_, argument_, help_)                                      \
	.name = (name_), .letter = (letter_), .type = (type_),                                     \
	.offset = offsetof(struct options, member_), .argument = (argument_), .help = (help_)

static const struct sn_opt options[] = {
	{OPT("state", 's', SN_OPT_TEXT, state, "DIR",
	     "directory of everything (~/.local/state/sonde; root: /var/lib/sonde)"),
	 .group = "Where"},
	{OPT("listen", 'l', SN_OPT_TEXT, listen, "ADDR:PORT",
	     "loopback: where the pages are (127.0.0.1:8080); any other: for other machines too, "
	     "TLS")},
	{OPT("no-defaults", 0, SN_OPT_FLAG, no_defaults, NULL,
	     "measure only the targets given, not gateway, resolver and hub"),
	 .group = "What"},
	{OPT("name", 0, SN_OPT_TEXT, name, "NAME", "what to call the node (the machine's name)")},
	{OPT("user", 'u', SN_OPT_TEXT, user, "NAME",
	     "as root: run hub and node as this user (who called sudo, 'sonde' or 'nobody')")},
	{OPT("json", 'j', SN_OPT_FLAG, json, NULL, "say as one JSON object where everything is"),
	 .group = "Output"},
	{OPT("log-level", 0, SN_OPT_TEXT, log_level, "LEVEL",
	     "error, warning, notice, info or debug (notice)")},
};

const struct sn_verb sn_cli_up_verb = {
	.path = "up",
	.arguments = "[TARGET...]",
	.help = "Start a hub and a node on this machine and measure at once.",
	.examples = "sonde up\nsonde up --state ~/net 192.0.2.1 www.example.org",
	.options = options,
	.option_count = SN_COUNT(options),
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run_up,
};
