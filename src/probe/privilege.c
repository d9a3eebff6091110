/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int sn_privilege_drop(struct sn_err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return sn_err_sys(err, -errno, "cannot renounce new privileges");
	if (syscall(SYS_capset, &header, none) != 0)
		return sn_err_sys(err, -errno, "cannot drop capabilities");
	return 0;
}
