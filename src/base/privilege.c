/* SPDX-License-Identifier: Apache-2.0 */
#include "base/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Becoming another user takes the wish away to die with the parent: wish again. */
static void renew_death_signal(int number, pid_t parent)
{
	if (number == 0)
		return;
	prctl(PR_SET_PDEATHSIG, number, 0, 0, 0);
	if (getppid() != parent)
		raise(number);
}

static const struct passwd *find_user(const char *name)
{
	const struct passwd *entry = getpwnam(name);

	return entry != NULL ? entry : getpwnam("nobody");
}

/* A container may be root without the right to become somebody else: then it stays. */
static int leave_root(const char *name, struct sn_err *err)
{
	const struct passwd *user = geteuid() == 0 ? find_user(name) : NULL;

	if (user == NULL)
		return 0;
	if ((setgroups(0, NULL) != 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
	     setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0) &&
	    errno != EPERM && errno != EINVAL)
		return sn_err_sys(err, -errno, "cannot become user '%s'", user->pw_name);
	return 0;
}

int sn_privilege_hand_over(const char *user, int fd)
{
	const struct passwd *entry = geteuid() == 0 ? find_user(user) : NULL;

	if (entry == NULL || fchown(fd, entry->pw_uid, entry->pw_gid) == 0)
		return 0;
	return errno == EPERM || errno == EINVAL ? 0 : -errno;
}

int sn_privilege_drop(const char *user, struct sn_err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	pid_t parent = getppid();
	int death_signal = 0, rc;

	prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
	rc = leave_root(user, err);
	if (rc != 0)
		return rc;
	renew_death_signal(death_signal, parent);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return sn_err_sys(err, -errno, "cannot renounce new privileges");
	if (syscall(SYS_capset, &header, none) != 0)
		return sn_err_sys(err, -errno, "cannot drop capabilities");
	return 0;
}
