/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine allows: rights, clocks, networks, space, programs. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/doctor/findings.h"

#define DISK_BAD_BYTES    (100LL * 1000 * 1000)
#define DISK_WARN_BYTES   (1000LL * 1000 * 1000)
#define DESCRIPTORS_LEAST 1024
#define CLOCK_ERROR_US    100000 /* above it times of different nodes do not compare well */
#define PROC_FILE_MAX     65536
#define STAMP_WAIT_MS     200

/* Programs -------------------------------------------------------------- */

static void check_programs(struct sn_findings *findings)
{
	static const char *const programs[] = {"sonde-hub",      "sonde-node", "sonde-probe",
					       "sonde-meter",    "sonde-priv", "sonde-impair",
					       "sonde-demo-host"};
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"all programs lie beside this one", NULL},
		[SN_WARN] = {"what needs the missing ones will not work",
			     "install all programs of one version into one directory"},
		[SN_BAD] = {"nothing can be measured",
			    "install all programs of one version into one directory"},
	};
	sn_autofree char *dir = sn_fs_self_dir();
	struct sn_buf missing = {0};
	bool probe = true;

	for (size_t i = 0; i < SN_COUNT(programs); i++) {
		sn_autofree char *path = sn_fs_join(dir, programs[i]);

		if (access(path, X_OK) == 0)
			continue;
		probe &= strcmp(programs[i], "sonde-probe") != 0;
		sn_buf_addf(&missing, "%s%s", missing.n > 0 ? ", " : "", programs[i]);
	}
	if (missing.n == 0)
		sn_findings_add(findings, "programs", NULL, SN_OK, advice, "all found in '%s'",
				dir);
	else
		sn_findings_add(findings, "programs", NULL, probe ? SN_WARN : SN_BAD, advice,
				"not found in '%s': %s", dir, sn_buf_cstr(&missing));
	sn_buf_finish(&missing);
}

/* Sockets --------------------------------------------------------------- */

/* Errno of socket(2), or 0. */
static int try_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void check_ping(struct sn_findings *findings, const char *check, int family, int protocol)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"ping works", NULL},
		[SN_WARN] = {"ping over IPv6 does not work here", "enable IPv6 in the kernel"},
		[SN_BAD] = {"ping does not work for this user",
			    "as root: sysctl -w net.ipv4.ping_group_range='0 2147483647', or "
			    "setcap cap_net_raw+ep on sonde-probe, or run sonde-priv for the node"},
	};
	int error = try_socket(family, SOCK_DGRAM, protocol);

	if (error == 0) {
		sn_findings_add(findings, check, NULL, SN_OK, advice, "ping socket");
		return;
	}
	if (error == EAFNOSUPPORT || error == EPROTONOSUPPORT) {
		sn_findings_add(findings, check, NULL, SN_WARN, advice, "no ping socket: %s",
				strerror(error));
		return;
	}
	error = try_socket(family, SOCK_RAW, protocol);
	if (error == 0)
		sn_findings_add(findings, check, NULL, SN_OK, advice, "raw socket");
	else
		sn_findings_add(findings, check, NULL, SN_BAD, advice,
				"neither ping socket nor raw socket: %s", strerror(error));
}

static void check_capture(struct sn_findings *findings)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"flows of live interfaces can be metered", NULL},
		[SN_WARN] = {"this user can meter capture files only",
			     "as root: setcap cap_net_raw+ep on sonde-meter, or run sonde-priv for "
			     "the node"},
	};
	/* Protocol 0: opened like a capture, but no packet comes. */
	int error = try_socket(AF_PACKET, SOCK_RAW, 0);

	if (error == 0)
		sn_findings_add(findings, "capture", NULL, SN_OK, advice, "allowed");
	else
		sn_findings_add(findings, "capture", NULL, SN_WARN, advice, "not allowed: %s",
				strerror(error));
}

/* A datagram to ourselves; true if the kernel said when it came. */
static bool kernel_stamps(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval wait = {.tv_usec = STAMP_WAIT_MS * 1000};
	sn_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);
	char byte = 0, control[256];
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	int on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 ||
	    sendto(fd, &byte, 1, 0, (struct sockaddr *)&address, size) != 1 ||
	    recvmsg(fd, &message, 0) != 1)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			return true;
	return false;
}

static void check_stamps(struct sn_findings *findings)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"delays do not contain this machine's scheduling", NULL},
		[SN_WARN] = {"delays contain the time until the prober was woken up",
			     "allow SO_TIMESTAMPNS (a sandbox may forbid it)"},
	};
	bool works = kernel_stamps();

	sn_findings_add(findings, "receive-timestamps", NULL, works ? SN_OK : SN_WARN, advice, "%s",
			works ? "from the kernel" : "the kernel gives none");
}

/* Namespaces ------------------------------------------------------------ */

/* In a child, so that we stay where we are. */
static int try_namespace(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) == 0 ? 0 : errno & 0xff);
	if (pid < 0)
		return errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static void check_namespaces(struct sn_findings *findings)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"'sonde demo' can build its networks", NULL},
		[SN_WARN] =
			{"'sonde demo' does not work for this user; all else does",
			 "run 'sonde demo' as root, on a machine that allows network namespaces"},
	};
	int error = try_namespace();
	bool tun = access("/dev/net/tun", F_OK) == 0;

	if (error == 0 && tun)
		sn_findings_add(findings, "namespaces", NULL, SN_OK, advice, "can be made");
	else if (error != 0)
		sn_findings_add(findings, "namespaces", NULL, SN_WARN, advice, "cannot be made: %s",
				strerror(error));
	else
		sn_findings_add(findings, "namespaces", NULL, SN_WARN, advice,
				"can be made, but there is no /dev/net/tun");
}

/* Clock ----------------------------------------------------------------- */

static void check_clock(struct sn_findings *findings)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"times of this machine compare with those of others", NULL},
		[SN_WARN] = {"times of rows may be off; delays are not affected",
			     "run a time service here (systemd-timesyncd, chrony) or on the host"},
	};
	struct timex state = {0};
	int code = adjtimex(&state);

	if (code < 0)
		sn_findings_add(findings, "clock", NULL, SN_WARN, advice, "cannot be asked: %s",
				strerror(errno));
	else if (code == TIME_ERROR || (state.status & STA_UNSYNC) != 0)
		sn_findings_add(findings, "clock", NULL, SN_WARN, advice, "not synchronised");
	else
		sn_findings_add(findings, "clock", NULL,
				state.maxerror <= CLOCK_ERROR_US ? SN_OK : SN_WARN, advice,
				"synchronised, at most %.1f ms off", (double)state.maxerror / 1e3);
}

/* Networks -------------------------------------------------------------- */

/* Lines of /proc/net/if_inet6: address index prefix scope flags name; scope 00 is global. */
static unsigned global_ipv6_addresses(struct sn_str text)
{
	struct sn_str line, field;
	unsigned count = 0;

	while (sn_str_split(&text, '\n', &line)) {
		unsigned number = 0;

		while (sn_str_split(&line, ' ', &field)) {
			if (field.n > 0 && ++number == 4)
				count += sn_str_eqc(field, "00");
		}
	}
	return count;
}

static void check_ipv6(struct sn_findings *findings)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"both IP versions can be measured", NULL},
		[SN_WARN] = {"only IPv4 can be measured from here",
			     "ask the network for IPv6, if it has it"},
	};
	struct sn_buf text = {0};
	unsigned count;

	(void)sn_fs_read("/proc/net/if_inet6", PROC_FILE_MAX, &text, NULL);
	count = global_ipv6_addresses(sn_buf_str(&text));
	sn_buf_finish(&text);
	if (count > 0)
		sn_findings_add(findings, "ipv6", NULL, SN_OK, advice, "%u global address%s", count,
				count == 1 ? "" : "es");
	else
		sn_findings_add(findings, "ipv6", NULL, SN_WARN, advice, "no global address");
}

/* Room ------------------------------------------------------------------ */

static void check_disk(struct sn_findings *findings, const char *state_dir)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"there is room for results", NULL},
		[SN_WARN] = {"room for results may run out soon",
			     "free space, or shorten 'retention_days' of the hub"},
		[SN_BAD] = {"results cannot be stored before long",
			    "free space, or shorten 'retention_days' of the hub"},
	};
	sn_autofree char *dir = sn_xstrdup(state_dir);
	char text[32];
	int64_t bytes;
	enum sn_verdict verdict;

	/* It is made when it is first needed: until then the directory above counts. */
	while (!sn_fs_exists(dir) && strrchr(dir, '/') > dir)
		*strrchr(dir, '/') = '\0';
	bytes = sn_fs_free_bytes(sn_fs_exists(dir) ? dir : "/");
	if (bytes < 0) {
		sn_findings_add(findings, "disk", NULL, SN_WARN, advice, "'%s': %s", dir,
				strerror((int)-bytes));
		return;
	}
	verdict = bytes < DISK_BAD_BYTES ? SN_BAD : bytes < DISK_WARN_BYTES ? SN_WARN : SN_OK;
	sn_findings_add(findings, "disk", NULL, verdict, advice, "%s free in '%s'",
			sn_format_bytes((uint64_t)bytes, text, sizeof(text)), dir);
}

static void check_descriptors(struct sn_findings *findings)
{
	static const struct sn_advice advice[SN_VERDICTS] = {
		[SN_OK] = {"enough for a hub with many nodes", NULL},
		[SN_WARN] = {"a hub here can serve few nodes at once",
			     "raise the limit of open files (ulimit -n 4096)"},
	};
	struct rlimit limit = {0};

	getrlimit(RLIMIT_NOFILE, &limit);
	sn_findings_add(findings, "descriptors", NULL,
			limit.rlim_cur >= DESCRIPTORS_LEAST ? SN_OK : SN_WARN, advice,
			"%" PRIuMAX " open files allowed", (uintmax_t)limit.rlim_cur);
}

void sn_doctor_local(struct sn_findings *findings, const char *state_dir)
{
	check_programs(findings);
	check_ping(findings, "ping", AF_INET, IPPROTO_ICMP);
	check_ping(findings, "ping6", AF_INET6, IPPROTO_ICMPV6);
	check_stamps(findings);
	check_capture(findings);
	check_namespaces(findings);
	check_clock(findings);
	check_ipv6(findings);
	check_disk(findings, state_dir);
	check_descriptors(findings);
}
