/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "confine"
#include "priv/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

static const int kept[] = {
	CAP_SYS_ADMIN,           /* enter and mount namespaces */
	CAP_NET_ADMIN,           /* links, addresses, routes, TAP, namespace of a peer */
	CAP_NET_RAW,             /* capture and ping sockets */
	CAP_SETUID,              /* become the ordinary user */
	CAP_SETGID,    CAP_KILL, /* signal what runs as that user */
};

/*
 * A filter outlives exec, so an allow-list would have to hold for every program
 * of the table.  What is refused instead is what turns a hijacked root process
 * into a changed kernel or machine.
 */
static const int refused[] = {
	SCMP_SYS(acct),
	SCMP_SYS(add_key),
	SCMP_SYS(adjtimex),
	SCMP_SYS(bpf),
	SCMP_SYS(chroot),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(clock_settime),
	SCMP_SYS(delete_module),
	SCMP_SYS(fanotify_init),
	SCMP_SYS(finit_module),
	SCMP_SYS(init_module),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(ioperm),
	SCMP_SYS(iopl),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(kexec_load),
	SCMP_SYS(keyctl),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(open_tree),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(pivot_root),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(quotactl),
	SCMP_SYS(reboot),
	SCMP_SYS(request_key),
	SCMP_SYS(setdomainname),
	SCMP_SYS(sethostname),
	SCMP_SYS(settimeofday),
	SCMP_SYS(swapoff),
	SCMP_SYS(swapon),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(vhangup),
};

static uint64_t kept_mask(void)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < SN_COUNT(kept); i++)
		mask |= UINT64_C(1) << kept[i];
	return mask;
}

/* Until the kernel knows no further capability; needs CAP_SETPCAP, hence before capset. */
static void shrink_bounding_set(uint64_t mask)
{
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
		if ((mask >> capability & 1) == 0)
			prctl(PR_CAPBSET_DROP, capability);
}

static int shrink_capabilities(struct sn_err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint64_t mask = kept_mask();

	if (syscall(SYS_capget, &header, data) != 0)
		return sn_err_sys(err, -errno, "cannot read capabilities");
	shrink_bounding_set(mask);
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(mask >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) != 0)
		return sn_err_sys(err, -errno, "cannot reduce capabilities");
	return 0;
}

static int add_rules(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < SN_COUNT(refused); i++) {
		int code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);

		/* EDOM: this architecture has no such call. */
		if (code != 0 && code != -EDOM)
			return code;
	}
	return 0;
}

static int refuse_calls(struct sn_err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int code = filter == NULL ? -ENOMEM : add_rules(filter);

	/* Without this every failure of the kernel is reported as the same number. */
	if (code == 0)
		code = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (code == 0)
		code = seccomp_load(filter);
	seccomp_release(filter);
	if (code == -EINVAL || code == -ENOSYS) {
		sn_warn("this kernel has no system call filters: running without one");
		return 0;
	}
	return code == 0 ? 0 : sn_err_sys(err, code, "cannot load the system call filter");
}

int sn_confine(struct sn_err *err)
{
	int code = shrink_capabilities(err);

	if (code != 0)
		return code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return sn_err_sys(err, -errno, "cannot set no_new_privs");
	return refuse_calls(err);
}
