/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sonde-priv: the root helper.  Options only; what it does is in priv/.
 */
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cli.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "priv/server.h"

struct options {
	uint64_t fd, listen_fd;
	const char *socket_path, *prefix, *programs, *log_level;
	struct sn_opt_texts users;
};

static const struct sn_opt options[] = {
	{.name = "socket",
	 .letter = 's',
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct options, socket_path),
	 .argument = "PATH",
	 .help = "listen on this Unix socket",
	 .group = "Clients"},
	{.name = "user",
	 .letter = 'u',
	 .type = SN_OPT_TEXTS,
	 .offset = offsetof(struct options, users),
	 .argument = "USER[:GID]",
	 .help = "who may connect, and as whom programs may run (name or number; repeatable)"},
	{.name = "fd",
	 .type = SN_OPT_U64,
	 .offset = offsetof(struct options, fd),
	 .min = 3,
	 .max = 1023,
	 .argument = "N",
	 .help = "serve this inherited socket too, and end with it"},
	{.name = "listen-fd",
	 .type = SN_OPT_U64,
	 .offset = offsetof(struct options, listen_fd),
	 .min = 3,
	 .max = 1023,
	 .argument = "N",
	 .help = "accept clients on this inherited listening socket, in place of --socket"},
	{.name = "prefix",
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct options, prefix),
	 .argument = "TEXT",
	 .help = "names of namespaces must begin with it (sonde-)",
	 .group = "Limits"},
	{.name = "programs",
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct options, programs),
	 .argument = "DIR",
	 .help = "where the programs are that it may start (its own directory)"},
	{.name = "log-level",
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct options, log_level),
	 .argument = "LEVEL",
	 .help = "error, warning, notice, info or debug (notice)"},
};

/* The group is the user's own unless it is given; a number without an entry is its own group. */
static int add_user(struct sn_priv_policy *policy, const char *text)
{
	struct sn_str rest = sn_str(text), name;
	sn_autofree char *copy = NULL;
	uint64_t uid, gid;
	struct passwd *entry;

	sn_str_split(&rest, ':', &name);
	copy = sn_xstrndup(name.p, name.n);
	if (sn_parse_u64(name, 1, UINT32_MAX - 1, &uid) == 0) {
		entry = getpwuid((uid_t)uid);
		gid = entry != NULL ? entry->pw_gid : uid;
	} else {
		entry = getpwnam(copy);
		if (entry == NULL)
			return -ENOENT;
		uid = entry->pw_uid;
		gid = entry->pw_gid;
	}
	if (rest.n > 0 && sn_parse_u64(rest, 1, UINT32_MAX - 1, &gid) != 0)
		return -EINVAL;
	if (uid == 0 || gid == 0)
		return -EPERM;
	if (policy->user_count == SN_PRIV_USERS_MAX)
		return -E2BIG;
	policy->users[policy->user_count++] =
		(struct sn_priv_user){.uid = (uid_t)uid, .gid = (gid_t)gid};
	return 0;
}

static int fill_policy(const struct options *given, struct sn_priv_policy *policy)
{
	struct sn_err err;

	policy->prefix = given->prefix != NULL ? given->prefix : "sonde-";
	if (sn_priv_prefix_check(policy->prefix, &err) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	for (unsigned i = 0; i < given->users.count; i++) {
		const char *text = given->users.items[i];
		int code = add_user(policy, text);

		if (code != 0)
			return sn_cli_fail(SN_EXIT_USAGE,
					   "cannot use '--user %s': %s (an ordinary "
					   "user by name or number is needed)",
					   text,
					   code == -EPERM ? "user and group 0 are never allowed"
							  : strerror(-code));
	}
	return SN_EXIT_OK;
}

static bool is_socket(uint64_t fd)
{
	struct stat st;

	return fstat((int)fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int check_options(const struct options *given)
{
	if (given->fd == 0 && given->listen_fd == 0 && given->socket_path == NULL)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "no client can reach it (give '--socket PATH --user USER')");
	if ((given->socket_path != NULL || given->listen_fd != 0) && given->users.count == 0)
		return sn_cli_fail(SN_EXIT_USAGE, "'--user' is missing: who may connect?");
	if (given->socket_path != NULL && given->listen_fd != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "give '--socket' or '--listen-fd', not both");
	if (given->fd != 0 && !is_socket(given->fd))
		return sn_cli_fail(SN_EXIT_USAGE, "'--fd %d' is no open socket", (int)given->fd);
	if (given->listen_fd != 0 && !is_socket(given->listen_fd))
		return sn_cli_fail(SN_EXIT_USAGE, "'--listen-fd %d' is no open socket",
				   (int)given->listen_fd);
	if (given->log_level != NULL && sn_log_set_level_name(given->log_level) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "'--log-level %s' is no level", given->log_level);
	return SN_EXIT_OK;
}

static int run(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
	       char **argv SN_UNUSED)
{
	const struct options *given = opts;
	sn_autofree char *self_dir = sn_fs_self_dir();
	struct sn_priv_server_config config = {
		.program_dir = given->programs != NULL ? given->programs : self_dir,
		.fd = given->fd > 0 ? (int)given->fd : -1,
		.listen_fd = given->listen_fd > 0 ? (int)given->listen_fd : -1,
		.socket_path = given->socket_path,
	};
	struct sn_err err;
	int code = check_options(given);

	if (code == SN_EXIT_OK)
		code = fill_policy(given, &config.policy);
	if (code != SN_EXIT_OK)
		return code;
	if (sn_priv_server_run(&config, &err) != 0)
		return sn_cli_fail(sn_cli_exit_code(err.code), "%s", err.text);
	return SN_EXIT_OK;
}

static const struct sn_verb verbs[] = {{
	.path = "",
	.arguments = "",
	.help = "Do a fixed set of operations that need root, for unprivileged programs.",
	.examples = "sonde-priv --socket /run/sonde/priv --user sonde-node\n"
		    "sonde-priv --fd 3 --prefix sonde-demo- --user 1000:1000",
	.options = options,
	.option_count = SN_COUNT(options),
	.options_size = sizeof(struct options),
	.run = run,
}};

static const struct sn_program program = {
	.name = "sonde-priv",
	.summary = "root helper of Sonde: namespaces, links, sockets, processes",
	.verbs = verbs,
	.verb_count = SN_COUNT(verbs),
};

int main(int argc, char **argv)
{
	return sn_cli_main(&program, argc, argv);
}
