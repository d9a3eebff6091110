/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/up/rights.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

enum { MAY_RUN = 1, MAY_PING = 2, MAY_RAW = 4, MAY_CAPTURE = 8 };

static bool can_open(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int try_all(const char *program)
{
	return (access(program, X_OK) == 0 ? MAY_RUN : 0) |
	       (can_open(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) ? MAY_PING : 0) |
	       (can_open(AF_INET, SOCK_RAW, IPPROTO_ICMP) ? MAY_RAW : 0) |
	       (can_open(AF_PACKET, SOCK_RAW, 0) ? MAY_CAPTURE : 0);
}

/* In a child, for good: what that user may do is best found out by being them. */
static int try_as(uid_t uid, gid_t gid, const char *program)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (geteuid() == 0 && uid != 0 &&
		    (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
		     setresuid(uid, uid, uid) != 0))
			_exit(0);
		_exit(try_all(program));
	}
	if (pid < 0)
		return 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static void take(struct sn_rights *rights, const struct passwd *entry)
{
	rights->uid = entry->pw_uid;
	rights->gid = entry->pw_gid;
	snprintf(rights->user, sizeof(rights->user), "%s", entry->pw_name);
}

/* An ordinary user for root's programs. */
static int choose_user(const char *user, struct sn_rights *rights, struct sn_err *err)
{
	const char *const candidates[] = {getenv("SUDO_USER"), "sonde", "nobody"};
	const struct passwd *entry = user != NULL ? getpwnam(user) : NULL;

	for (size_t i = 0; i < SN_COUNT(candidates) && user == NULL && entry == NULL; i++)
		if (candidates[i] != NULL && strcmp(candidates[i], "root") != 0)
			entry = getpwnam(candidates[i]);
	if (entry == NULL)
		return sn_err_set(err, -EINVAL,
				  "no user '%s' (name an ordinary one with '--user NAME')",
				  user != NULL ? user : "nobody");
	take(rights, entry);
	return 0;
}

static void note(struct sn_rights *rights, int may)
{
	rights->ping_socket = (may & MAY_PING) != 0;
	rights->raw_socket = (may & MAY_RAW) != 0;
	rights->capture = (may & MAY_CAPTURE) != 0;
}

int sn_rights_find(const char *user, const char *program, struct sn_rights *rights,
		   struct sn_err *err)
{
	const struct passwd *self = getpwuid(geteuid());
	int may;

	*rights = (struct sn_rights){.uid = geteuid(), .gid = getegid()};
	if (geteuid() != 0 && user != NULL)
		return sn_err_set(err, -EPERM, "only root may run the programs as '%s'", user);
	snprintf(rights->user, sizeof(rights->user), "%u", (unsigned)geteuid());
	if (self != NULL)
		take(rights, self);
	if (geteuid() == 0 && choose_user(user, rights, err) != 0)
		return err->code;
	rights->switches = rights->uid != geteuid();
	may = try_as(rights->uid, rights->gid, program);
	if ((may & MAY_RUN) == 0 && rights->switches) {
		if (user != NULL)
			return sn_err_set(err, -EACCES, "user '%s' cannot run '%s'", user, program);
		rights->stays_root = true;
		rights->switches = false;
		rights->uid = rights->gid = 0;
		may = try_as(0, 0, program);
	}
	note(rights, may);
	return 0;
}

size_t sn_rights_prefix(const struct sn_rights *rights, char *argv[SN_RIGHTS_ARGS_MAX])
{
	size_t count = 0;

	if (!rights->switches)
		return 0;
	argv[count++] = sn_xstrdup("/usr/bin/setpriv");
	argv[count++] = sn_xasprintf("--reuid=%u", (unsigned)rights->uid);
	argv[count++] = sn_xasprintf("--regid=%u", (unsigned)rights->gid);
	argv[count++] = sn_xstrdup("--clear-groups");
	argv[count++] = sn_xstrdup("--inh-caps=-all");
	/* Changing the user has cleared what made it die with its parent. */
	argv[count++] = sn_xstrdup("--pdeathsig=KILL");
	argv[count++] = sn_xstrdup("--");
	return count;
}
