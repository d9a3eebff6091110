/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sonde shell`: an mPlane client to talk with, for any component or supervisor that
 * speaks the protocol.  Lines come from the terminal with history and completion, or
 * from standard input.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <editline/readline.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/options.h"
#include "cli/shell/commands.h"
#include "cli/verbs.h"
#include "peer/peer.h"

#define PROMPT      "sonde> "
#define HISTORY_MAX 1000

struct options {
	struct sn_client_options client;
	const char *ca, *cert, *key, *identity;
	struct sn_opt_texts commands;
	bool json, no_name_check;
};

/* libedit's callbacks have no context of their own. */
static struct sn_shell *completing;

/* Completion --------------------------------------------------------------- */

static char *next_command(const char *start, int again)
{
	static size_t i;

	if (!again)
		i = 0;
	while (i < sn_shell_command_count) {
		const char *name = sn_shell_commands[i++].name;

		if (strncmp(name, start, strlen(start)) == 0)
			return sn_xstrdup(name);
	}
	return NULL;
}

static enum sn_shell_words words_after(const char *line)
{
	size_t n = strcspn(line, " \t");

	for (size_t i = 0; i < sn_shell_command_count; i++)
		if (strncmp(sn_shell_commands[i].name, line, n) == 0 &&
		    sn_shell_commands[i].name[n] == '\0')
			return sn_shell_commands[i].words;
	return SN_WORDS_NONE;
}

static char *next_word(const char *start, int again)
{
	static size_t i;

	if (!again)
		i = 0;
	return sn_shell_candidate(completing, words_after(rl_line_buffer), start, i++);
}

static char **complete(const char *start, int from, int to SN_UNUSED)
{
	rl_attempted_completion_over = 1; /* no names of files */
	return rl_completion_matches(start, from == 0 ? next_command : next_word);
}

/* Lines ---------------------------------------------------------------------- */

static char *history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state != NULL && *state != '\0')
		return sn_xasprintf("%s/sonde-shell-history", state);
	return home != NULL ? sn_xasprintf("%s/.sonde-shell-history", home) : NULL;
}

static int run_line(struct sn_shell *shell, const char *line)
{
	struct sn_err err = {0};
	int rc = sn_shell_line(shell, line, &err);

	if (rc < 0)
		fprintf(stderr, "%s: %s\n", sn_cli_program(), err.text);
	fflush(stdout);
	return rc;
}

static int talk(struct sn_shell *shell)
{
	sn_autofree char *path = history_path();
	char *line;
	int rc = 0;

	completing = shell;
	rl_initialize();
	rl_attempted_completion_function = complete;
	using_history();
	stifle_history(HISTORY_MAX);
	if (path != NULL)
		read_history(path);
	fprintf(stderr, "%zu capabilities at %s (help lists the commands)\n",
		shell->capability_count, shell->url);
	while (rc != SN_SHELL_LEAVE && (line = readline(PROMPT)) != NULL) {
		if (*line != '\0')
			add_history(line);
		rc = run_line(shell, line);
		free(line);
	}
	/* Addresses and tokens are nobody else's business. */
	umask(077);
	if (path != NULL)
		write_history(path);
	return SN_EXIT_OK;
}

/* From a file or a pipe: the first line that fails ends it. */
static int obey(struct sn_shell *shell)
{
	char *line = NULL;
	size_t room = 0;
	int rc = 0;

	while (rc == 0 && getline(&line, &room, stdin) >= 0)
		rc = run_line(shell, line);
	free(line);
	return rc < 0 ? SN_EXIT_FAILED : SN_EXIT_OK;
}

static int run_given(struct sn_shell *shell, const struct sn_opt_texts *commands)
{
	int rc = 0;

	for (unsigned i = 0; i < commands->count && rc == 0; i++)
		rc = run_line(shell, commands->items[i]);
	return rc < 0 ? SN_EXIT_FAILED : SN_EXIT_OK;
}

/* The verb ------------------------------------------------------------------- */

static int run_lines(struct sn_shell *shell, const struct options *given)
{
	if (given->commands.count > 0)
		return run_given(shell, &given->commands);
	return isatty(STDIN_FILENO) ? talk(shell) : obey(shell);
}

static int use(const struct sn_peer_client_config *config, const struct options *given)
{
	struct sn_shell *shell = sn_shell_create(config);
	struct sn_err err = {0};
	int code, rc;

	shell->json = given->json;
	rc = sn_shell_discover(shell, &err);
	if (rc < 0)
		code = sn_cli_fail(sn_cli_exit_code(err.code), "%s", err.text);
	else
		code = run_lines(shell, given);
	sn_shell_destroy(shell);
	return code;
}

static int check(const struct options *given)
{
	if ((given->cert != NULL) != (given->key != NULL))
		return sn_cli_fail(SN_EXIT_USAGE, "'--cert' and '--key' go together");
	return SN_EXIT_OK;
}

/* The hub on this machine knows us by its token. */
static int use_own_hub(const struct options *given)
{
	struct sn_client *client;
	struct sn_err err = {0};
	int rc = sn_client_open(&given->client, &client, &err), code;
	struct sn_peer_client_config config;

	if (rc != 0)
		return sn_client_fail(&err);
	config = (struct sn_peer_client_config){
		.url = sn_client_place(client)->url,
		.ca_file = sn_client_place(client)->ca_file,
		.authorisation = sn_client_authorisation(client),
	};
	code = use(&config, given);
	sn_client_close(client);
	return code;
}

static int run_shell(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct options *given = opts;
	struct sn_peer_client_config config = {
		.ca_file = given->ca,
		.cert_file = given->cert,
		.key_file = given->key,
		.forged_identity = given->identity,
		.no_name_check = given->no_name_check,
		.write_flags = SN_MP_WRITE_SAFE,
	};
	int code = check(given);

	if (code != SN_EXIT_OK)
		return code;
	if (argc == 0)
		return use_own_hub(given);
	config.url = argv[0];
	return use(&config, given);
}

static const struct sn_opt options[] = {
	{SN_OPT("command", 'c', SN_OPT_TEXTS, commands, "LINE",
		"run this line and leave; may be repeated"),
	 .group = "Session"},
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "show messages as JSON")},
	{SN_OPT("ca", 0, SN_OPT_TEXT, ca, "FILE", "whose certificates to trust"),
	 .group = "Identity (with a URL)"},
	{SN_OPT("cert", 0, SN_OPT_TEXT, cert, "FILE", "own certificate")},
	{SN_OPT("key", 0, SN_OPT_TEXT, key, "FILE", "its key")},
	{SN_OPT("identity", 0, SN_OPT_TEXT, identity, "NAME",
		"who to say we are where there is no TLS")},
	{SN_OPT("no-name-check", 0, SN_OPT_FLAG, no_name_check, NULL,
		"for old PKIs whose certificates have no names; the chain is still verified")},
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "shell",
		.arguments = "[URL]",
		.help = "Talk mPlane with a hub, a supervisor or a component (default: our hub).",
		.examples = "sonde shell https://sup.example:8891/ --ca ca.crt --cert me.crt --key "
			    "me.key\n"
			    "sonde shell -c 'set destination.ip4 192.0.2.1' -c 'runcap "
			    "ping-average-ip4'",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.max_args = 1,
		.run = run_shell,
	},
};
const struct sn_cli_verbs sn_cli_shell_verbs = {verbs, SN_COUNT(verbs)};
