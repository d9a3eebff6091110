/* SPDX-License-Identifier: Apache-2.0 */
/* sonde-hub: the supervisor: inventory, tasks, ingest, store, API and web pages. */
#define SN_MODULE "hub"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/json.h"
#include "base/log.h"
#include "base/notify.h"
#include "hub/hub.h"

#define FIRST_LINK_LIFE_NS (86400 * SN_NS_PER_S)

struct options {
	const char *config_file, *state;
	struct sn_opt_texts set;
	bool check, print, json;
};

static const struct sn_opt options[] = {
	{"config", 'c', SN_OPT_TEXT, offsetof(struct options, config_file), "FILE",
	 "read the configuration from FILE", 0, 0, "Configuration"},
	{"state", 's', SN_OPT_TEXT, offsetof(struct options, state), "DIR",
	 "keep everything below DIR; short for --set state=DIR", 0, 0, NULL},
	{"set", 0, SN_OPT_TEXTS, offsetof(struct options, set), "KEY=VALUE",
	 "set a key of the configuration; may be given several times", 0, 0, NULL},
	{"check-config", 0, SN_OPT_FLAG, offsetof(struct options, check), NULL,
	 "check the configuration and stop", 0, 0, NULL},
	{"print-config", 0, SN_OPT_FLAG, offsetof(struct options, print), NULL,
	 "print the configuration as it would be used and stop", 0, 0, NULL},
	{"json", 0, SN_OPT_FLAG, offsetof(struct options, json), NULL,
	 "say on standard output as JSON where the hub is reached", 0, 0, "Output"},
};

/* Configuration -------------------------------------------------------------- */

static int set_key(struct sn_hub_config *config, const char *setting, struct sn_err *err)
{
	const char *equals = strchr(setting, '=');
	char key[64];

	if (equals == NULL || (size_t)(equals - setting) >= sizeof(key))
		return sn_err_set(err, -EINVAL, "'--set %.80s' is not like KEY=VALUE", setting);
	snprintf(key, sizeof(key), "%.*s", (int)(equals - setting), setting);
	return sn_conf_set(&sn_hub_schema, config, key, sn_str(equals + 1), err);
}

static int read_config(const struct options *given, struct sn_hub_config *config,
		       struct sn_err *err)
{
	int failed = given->config_file != NULL
			     ? sn_conf_load(&sn_hub_schema, given->config_file, config, err)
			     : sn_conf_defaults(&sn_hub_schema, config, err);

	if (failed == 0 && given->state != NULL)
		failed = sn_conf_set(&sn_hub_schema, config, "state", sn_str(given->state), err);
	for (unsigned i = 0; failed == 0 && i < given->set.count; i++)
		failed = set_key(config, given->set.items[i], err);
	if (failed == 0)
		failed = sn_hub_config_find_state(config, err);
	return failed != 0 ? failed : sn_hub_config_check(config, err);
}

static int print_config(const struct sn_hub_config *config)
{
	struct sn_buf text = {0};

	sn_conf_print(&sn_hub_schema, config, &text);
	fwrite(text.p, 1, text.n, stdout);
	sn_buf_finish(&text);
	return SN_EXIT_OK;
}

/* The first line ---------------------------------------------------------------- */

/* A link for the first visitor, and for whoever started us in a terminal or asked for JSON. */
static bool wants_link(const struct sn_hub *hub, const struct options *given)
{
	return given->json || isatty(STDOUT_FILENO) || sn_people_is_untouched(hub->people);
}

static void make_link(struct sn_hub *hub, const char *url, char *out, size_t size)
{
	char user[SN_USER_NAME_MAX], token[SN_SECRET_SIZE];
	struct sn_err err = {0};

	out[0] = '\0';
	if (sn_people_first(hub->people, user) != 0 ||
	    sn_people_make_link(hub->people, user, sn_hub_now(hub), FIRST_LINK_LIFE_NS, token,
				&err) != 0)
		sn_warn("cannot make a login link: %s", err.text);
	else
		snprintf(out, size, "%s/login?token=%s", url, token);
}

static void say_json(const struct sn_hub *hub, const char *url, const char *link)
{
	char node_url[128];
	sn_autojson json_t *json = NULL;

	sn_hub_loopback_url(hub, node_url, sizeof(node_url));
	json = json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:I}", "url", url, "login_url",
			 link[0] != '\0' ? json_string(link) : json_null(), "node_url", node_url,
			 "ca_file", sn_identity_ca_file(hub->identity), "ca_fingerprint",
			 sn_identity_ca_fingerprint(hub->identity), "state_dir", hub->config->state,
			 "pid", (json_int_t)getpid());
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
}

static void say_where(struct sn_hub *hub, const struct options *given)
{
	char **urls = sn_hub_urls(hub);
	char url[128], link[256] = "";

	sn_hub_local_url(hub, url, sizeof(url));
	if (url[0] == '\0' && urls[0] != NULL)
		snprintf(url, sizeof(url), "%s", urls[0]);
	if (wants_link(hub, given))
		make_link(hub, url, link, sizeof(link));
	if (given->json)
		say_json(hub, url, link);
	else if (link[0] != '\0')
		printf("sonde-hub is ready at %s\nlog in once with %s\n", url, link);
	else
		printf("sonde-hub is ready at %s\n", url);
	fflush(stdout);
	sn_hub_free_hosts(urls);
}

/* A connection per node, and the shell's limit is meant for other things. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int run_hub(const struct options *given, const struct sn_hub_config *config)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct sn_hub *hub = NULL;
	struct sn_err err = {0};
	int code;

	raise_descriptor_limit();
	sn_loop_handle_signals(loop);
	if (sn_hub_create(loop, config, &hub, &err) != 0) {
		sn_loop_destroy(loop);
		return sn_cli_fail(SN_EXIT_FAILED, "%s", err.text);
	}
	say_where(hub, given);
	sn_notify("READY=1");
	code = sn_loop_run(loop);
	sn_notify("STOPPING=1");
	sn_hub_destroy(hub);
	sn_loop_destroy(loop);
	return code;
}

static int run(const struct sn_verb *verb, void *parsed, int argc, char **argv)
{
	const struct options *given = parsed;
	struct sn_hub_config config = {0};
	struct sn_err err = {0};
	int code;

	(void)verb, (void)argc, (void)argv;
	if (read_config(given, &config, &err) != 0)
		code = sn_cli_fail(SN_EXIT_USAGE, "cannot use the configuration: %s", err.text);
	else if (given->print)
		code = print_config(&config);
	else
		code = given->check ? SN_EXIT_OK : run_hub(given, &config);
	sn_conf_release(&sn_hub_schema, &config);
	return code;
}

static const struct sn_verb verbs[] = {
	{
		.path = "",
		.arguments = "",
		.help = "run a hub: inventory, tasks, rows, API and web pages",
		.examples = "sonde-hub --state /tmp/hub --set local=127.0.0.1:8080\n"
			    "sonde-hub --config /etc/sonde/hub.yaml --check-config",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.run = run,
	},
};

int main(int argc, char **argv)
{
	static const struct sn_program program = {
		.name = "sonde-hub",
		.summary = "the hub of a network measurement platform",
		.verbs = verbs,
		.verb_count = SN_COUNT(verbs),
	};

	return sn_cli_main(&program, argc, argv);
}
