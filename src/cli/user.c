/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde user`: how people get into the pages. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "cli/verbs.h"

#define PASSWORD_MAX 1024

struct options {
	struct sn_client_options client;
	bool json;
};

/* Login link ------------------------------------------------------------ */

static int run_login_link(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct options *given = opts;
	sn_autojson json_t *body = argc > 0 ? json_pack("{s:s}", "user", argv[0]) : NULL;
	sn_autojson json_t *link = NULL;
	char text[SN_TIME_LOCAL_MAX];
	struct sn_client *client;
	struct sn_err err = {0};
	int64_t expires_ns;
	int rc = sn_client_open(&given->client, &client, &err);

	if (rc == 0) {
		rc = sn_client_call(client, "POST", "/api/v1/login-links", body, &link, &err);
		sn_client_close(client);
	}
	if (rc != 0)
		return sn_client_fail(&err);
	if (given->json) {
		sn_output_json_line(stdout, link);
		return SN_EXIT_OK;
	}
	printf("%s\n", sn_output_text(link, "url") != NULL ? sn_output_text(link, "url") : "?");
	if (sn_output_time(link, "expires", &expires_ns))
		fprintf(stderr, "Open it in a browser; it works once, until %s.\n",
			sn_shape_time(expires_ns, text, sizeof(text)));
	return SN_EXIT_OK;
}

/* Password -------------------------------------------------------------- */

/* One line from standard input, without showing it on a terminal. */
static int read_secret(const char *prompt, char *out, size_t size)
{
	struct termios old, quiet;
	bool terminal = tcgetattr(STDIN_FILENO, &old) == 0;
	char *end;

	if (terminal) {
		fputs(prompt, stderr);
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	out = fgets(out, (int)size, stdin);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		fputc('\n', stderr);
	}
	if (out == NULL)
		return -ENODATA;
	end = strchr(out, '\n');
	if (end == NULL && strlen(out) + 1 == size)
		return -EMSGSIZE;
	if (end != NULL)
		*end = '\0';
	return 0;
}

static int read_new_password(char *password, size_t size)
{
	char again[PASSWORD_MAX];
	int rc = read_secret("New password: ", password, size);

	if (rc == -EMSGSIZE)
		return sn_cli_fail(SN_EXIT_USAGE, "the password is too long");
	if (rc != 0 || password[0] == '\0')
		return sn_cli_fail(SN_EXIT_USAGE,
				   "no password was given (it is read from standard input)");
	if (!isatty(STDIN_FILENO))
		return SN_EXIT_OK;
	rc = read_secret("Again: ", again, sizeof(again));
	if (rc != 0 || strcmp(password, again) != 0)
		rc = sn_cli_fail(SN_EXIT_USAGE, "the two passwords differ; nothing was changed");
	explicit_bzero(again, sizeof(again));
	return rc;
}

/* The old one is asked for only when the hub says that there is one. */
static int set_password(struct sn_client *client, const char *password, struct sn_err *err)
{
	sn_autojson json_t *body = json_pack("{s:s}", "password", password);
	char old[PASSWORD_MAX];
	int rc = sn_client_call(client, "PUT", "/api/v1/session/password", body, NULL, err);

	if (rc != -EACCES || !isatty(STDIN_FILENO) ||
	    read_secret("Old password: ", old, sizeof(old)) != 0)
		return rc;
	json_object_set_new(body, "old", json_string(old));
	explicit_bzero(old, sizeof(old));
	return sn_client_call(client, "PUT", "/api/v1/session/password", body, NULL, err);
}

static int run_password(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
			char **argv SN_UNUSED)
{
	const struct options *given = opts;
	char password[PASSWORD_MAX];
	struct sn_client *client;
	struct sn_err err = {0};
	int code, rc = sn_client_open(&given->client, &client, &err);

	if (rc != 0)
		return sn_client_fail(&err);
	code = read_new_password(password, sizeof(password));
	if (code == SN_EXIT_OK && set_password(client, password, &err) != 0)
		code = sn_client_fail(&err);
	explicit_bzero(password, sizeof(password));
	sn_client_close(client);
	if (code == SN_EXIT_OK)
		fputs("The password is set.\n", stderr);
	return code;
}

static const struct sn_opt link_options[] = {
	{.name = "json",
	 .letter = 'j',
	 .type = SN_OPT_FLAG,
	 .offset = offsetof(struct options, json),
	 .help = "JSON"},
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt password_options[] = {
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "user login-link",
		.arguments = "[NAME]",
		.help = "Make a one-time link that logs a browser in, as oneself or as NAME.",
		.examples = "sonde user login-link bob\nxdg-open \"$(sonde user login-link)\"",
		.max_args = 1,
		.options = link_options,
		.option_count = SN_COUNT(link_options),
		.options_size = sizeof(struct options),
		.run = run_login_link,
	},
	{
		.path = "user password",
		.arguments = "",
		.help = "Set the password for the pages; read from standard input.",
		.examples = "sonde user password\npass show sonde | sonde user password",
		.options = password_options,
		.option_count = SN_COUNT(password_options),
		.options_size = sizeof(struct options),
		.run = run_password,
	},
};
const struct sn_cli_verbs sn_cli_user_verbs = {verbs, SN_COUNT(verbs)};
