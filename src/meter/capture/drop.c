/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/privilege.h"
#include "base/util.h"

/* What LeakSanitizer does at the end of a program that it checks. */
#ifdef __has_feature
#define IS_SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

#define CALL(name) SCMP_SYS(name)

/* Memory, time, waiting, and bytes of descriptors that are open: what metering is made of. */
static const int always[] = {
	CALL(read),
	CALL(readv),
	CALL(pread64),
	CALL(preadv),
	CALL(write),
	CALL(writev),
	CALL(pwrite64),
	CALL(close),
	CALL(lseek),
	CALL(fstat),
	CALL(newfstatat),
	CALL(fstatat64),
	CALL(stat),
	CALL(statx),
	CALL(fcntl),
	CALL(fcntl64),
	CALL(dup),
	CALL(poll),
	CALL(ppoll),
	CALL(select),
	CALL(pselect6),
	CALL(epoll_create1),
	CALL(epoll_ctl),
	CALL(epoll_wait),
	CALL(epoll_pwait),
	CALL(eventfd2),
	CALL(pipe2),
	CALL(timerfd_create),
	CALL(timerfd_settime),
	CALL(futex),
	CALL(clock_gettime),
	CALL(clock_getres),
	CALL(clock_nanosleep),
	CALL(nanosleep),
	CALL(gettimeofday),
	CALL(time),
	CALL(getrandom),
	CALL(munmap),
	CALL(mremap),
	CALL(brk),
	CALL(madvise),
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(rt_sigpending),
	CALL(rt_sigtimedwait),
	CALL(sigaltstack),
	CALL(restart_syscall),
	CALL(getpid),
	CALL(gettid),
	CALL(getppid),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(getrusage),
	CALL(sysinfo),
	CALL(uname),
	CALL(getcwd),
	CALL(sched_yield),
	CALL(sched_getaffinity),
	CALL(getcpu),
	CALL(getsockopt),
	CALL(getsockname),
	CALL(recvfrom),
	CALL(fsync),
	CALL(fdatasync),
	CALL(rseq),
	CALL(set_robust_list),
	CALL(exit),
	CALL(exit_group),
};

static const int reading[] = {
	CALL(access),     CALL(faccessat), CALL(faccessat2), CALL(readlink),
	CALL(readlinkat), CALL(lstat),     CALL(getdents64),
};

static const int files[] = {
	CALL(open),      CALL(openat),    CALL(mkdir),  CALL(mkdirat),  CALL(rename),
	CALL(renameat),  CALL(renameat2), CALL(unlink), CALL(unlinkat), CALL(rmdir),
	CALL(ftruncate), CALL(fallocate), CALL(fchmod), CALL(fchmodat), CALL(umask),
	CALL(symlink),   CALL(symlinkat), CALL(linkat), CALL(flock),
};

static const int exchange[] = {
	CALL(sendto),   CALL(sendmsg),  CALL(sendmmsg),    CALL(recvmsg),
	CALL(recvmmsg), CALL(shutdown), CALL(getpeername), CALL(setsockopt),
};

static const int connecting[] = {CALL(connect)};
/* The resolver asks the kernel for the kinds of addresses that it has. */
static const int resolving[] = {CALL(bind)};
static const int accepting[] = {CALL(accept), CALL(accept4), CALL(unlink), CALL(unlinkat)};
static const int threading[] = {CALL(sched_setaffinity), CALL(set_tid_address)};
static const int sanitizing[] = {
	CALL(clone),    CALL(ptrace),    CALL(wait4),     CALL(getdents64),
	CALL(readlink), CALL(open),      CALL(openat),    CALL(kill),
	CALL(tgkill),   CALL(prctl),     CALL(pipe),      CALL(mmap),
	CALL(mprotect), CALL(setrlimit), CALL(prlimit64), CALL(process_vm_readv),
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return result;
}

#define ALLOW(filter, calls) allow(filter, calls, SN_COUNT(calls))

/* Calls of which only some arguments are harmless. */
static int allow_memory(scmp_filter_ctx filter)
{
	struct scmp_arg_cmp not_executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	static const int calls[] = {CALL(mmap), CALL(mmap2), CALL(mprotect)};
	int result = 0;

	for (size_t i = 0; result == 0 && i < SN_COUNT(calls); i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1, not_executable);
	return result;
}

static int allow_partly(scmp_filter_ctx filter)
{
	static const unsigned long requests[] = {TIOCGWINSZ, 0x5401 /* TCGETS */, FIONREAD,
						 FIONBIO};
	struct scmp_arg_cmp asking = SCMP_A2(SCMP_CMP_EQ, 0);
	struct scmp_arg_cmp naming = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME);
	struct scmp_arg_cmp myself = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
	int result = 0;

	for (size_t i = 0; result == 0 && i < SN_COUNT(requests); i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(ioctl), 1,
					  SCMP_A1(SCMP_CMP_EQ, requests[i]));
	if (result == 0)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(prlimit64), 1, asking);
	if (result == 0)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(prctl), 1, naming);
	/* Another filter for the capture, and at its end the last one. */
	if (result == 0)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(setsockopt), 2,
					  SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET),
					  SCMP_A2(SCMP_CMP_EQ, SO_ATTACH_FILTER));
	if (result == 0)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(setsockopt), 2,
					  SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET),
					  SCMP_A2(SCMP_CMP_EQ, SO_LOCK_FILTER));
	if (result == 0) /* abort(3) */
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(tgkill), 1, myself);
	return result;
}

static int allow_reading(scmp_filter_ctx filter)
{
	const scmp_datum_t writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
	int result = ALLOW(filter, reading);

	if (result == 0)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(openat), 1,
					  SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
	if (result == 0)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(open), 1,
					  SCMP_A1(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
	return result;
}

static int allow_sockets(scmp_filter_ctx filter, bool resolve)
{
	static const int families[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK};
	size_t count = SN_COUNT(families) - (resolve ? 0 : 1);
	int result = ALLOW(filter, connecting);

	for (size_t i = 0; result == 0 && i < count; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socket), 1,
					  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	return result;
}

/* Threads, but no processes: the flags of clone3 are out of sight, so there is no such call. */
static int allow_threads(scmp_filter_ctx filter)
{
	int result = ALLOW(filter, threading);

	if (result == 0)
		result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
	if (result == 0)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(clone), 1,
					  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	return result;
}

static int allow_needs(scmp_filter_ctx filter, const struct sn_drop_needs *needs)
{
	int result = 0;

	if (needs->read || needs->resolve)
		result = allow_reading(filter);
	if (result == 0 && needs->files)
		result = ALLOW(filter, files);
	if (result == 0 && (needs->network || needs->resolve || needs->accept))
		result = ALLOW(filter, exchange);
	if (result == 0 && (needs->network || needs->resolve))
		result = allow_sockets(filter, needs->resolve);
	if (result == 0 && needs->resolve)
		result = ALLOW(filter, resolving);
	if (result == 0 && needs->accept)
		result = ALLOW(filter, accepting);
	if (result == 0 && needs->threads)
		result = allow_threads(filter);
	return result;
}

/* Whoever takes the parsers over finds neither a shell nor a way out. */
static int limit_calls(const struct sn_drop_needs *needs)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int result = filter != NULL ? ALLOW(filter, always) : -ENOMEM;

	if (result == 0)
		result = allow_memory(filter);
	if (result == 0)
		result = allow_partly(filter);
	if (result == 0)
		result = allow_needs(filter, needs);
	if (result == 0 && IS_SANITIZED)
		result = ALLOW(filter, sanitizing);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	/* A kernel without seccomp (user-mode emulation) has no better to offer. */
	return result == -EINVAL ? 0 : result;
}

int sn_drop_privileges(const struct sn_drop_needs *needs, struct sn_err *err)
{
	int result = sn_privilege_drop("sonde-meter", err);

	if (result != 0)
		return result;
	result = limit_calls(needs);
	return result == 0 ? 0 : sn_err_sys(err, result, "cannot give system calls up");
}
