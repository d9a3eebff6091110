/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/drop.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

int sn_drop_privileges(struct sn_err *err)
{
	int result = geteuid() == 0 ? change_user() : 0;

	if (result == 0)
		result = clear_capabilities();
	if (result == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		result = -errno;
	return result == 0 ? 0 : sn_err_sys(err, result, "cannot drop privileges");
}
