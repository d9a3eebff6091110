/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/drop.h"

#include <errno.h>
#include <seccomp.h>

#include "base/privilege.h"
#include "base/util.h"

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
	int result = sn_privilege_drop("sonde-meter", err);

	if (result != 0)
		return result;
	result = deny_calls(may_resolve);
	return result == 0 ? 0 : sn_err_sys(err, result, "cannot give system calls up");
}
