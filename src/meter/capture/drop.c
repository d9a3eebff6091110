/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/drop.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

#define USER   "sonde-meter"
#define NOBODY 65534

static int clear_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	return syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
}

/*
 * In a user namespace that maps no second user there is nobody to become; without
 * capabilities its root is the ordinary user outside.
 */
static int change_user(void)
{
	const struct passwd *entry = getpwnam(USER);
	uid_t uid = entry != NULL ? entry->pw_uid : NOBODY;
	gid_t gid = entry != NULL ? entry->pw_gid : NOBODY;

	if (setgroups(0, NULL) != 0 && errno != EPERM)
		return -errno;
	if (setresgid(gid, gid, gid) != 0 && errno != EINVAL)
		return -errno;
	return setresuid(uid, uid, uid) != 0 && errno != EINVAL ? -errno : 0;
}

static int deny(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
	return result;
}

/* Whoever takes the parsers over finds neither a shell nor a way out. */
static int deny_calls(bool may_resolve)
{
	static const int programs[] = {SCMP_SYS(execve), SCMP_SYS(execveat)};
	static const int sockets[] = {SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect),
				      SCMP_SYS(bind), SCMP_SYS(listen)};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int result = filter != NULL ? deny(filter, programs, SN_COUNT(programs)) : -ENOMEM;

	if (result == 0 && !may_resolve)
		result = deny(filter, sockets, SN_COUNT(sockets));
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	/* A kernel without seccomp (user-mode emulation) has no better to offer. */
	return result == -EINVAL ? 0 : result;
}

int sn_drop_privileges(bool may_resolve, struct sn_err *err)
{
	int result = geteuid() == 0 ? change_user() : 0;

	if (result == 0)
		result = clear_capabilities();
	if (result == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		result = -errno;
	if (result == 0)
		result = deny_calls(may_resolve);
	return result == 0 ? 0 : sn_err_sys(err, result, "cannot drop privileges");
}
