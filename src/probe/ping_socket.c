/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ping_socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <unistd.h>

#include "base/rand.h"

/* <linux/icmp.h> has these two, but cannot be included together with <net/if.h>. */
#define ICMP_FILTER 1
struct icmp_filter {
	uint32_t data; /* one bit per type: do not deliver */
};

/* IPv4 packets of this size pass every path whole: Linux takes no path MTU below 552. */
#define WHOLE_BYTES   552
#define HEADERS_BYTES 28

/* Room for a burst of small replies between two readings: each costs about 0.8 kB. */
#define BUFFER_BYTES (4 << 20)

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* Filters of raw sockets ------------------------------------------------------------------ */

static int attach(int fd, struct sock_filter *code, unsigned short count)
{
	struct sock_fprog program = {.len = count, .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0
		       ? 0
		       : -errno;
}

/* Raw IPv4 sockets see the IP header: its length first, then the ICMP header behind it. */
static int filter_v4(int fd, uint16_t id)
{
	struct icmp_filter types = {.data = ~(1U << ICMP_ECHOREPLY)};
	struct sock_filter code[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, id, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	/* Types first: the kernel tests them before it copies a packet for us. */
	if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &types, sizeof(types)) != 0)
		return -errno;
	return attach(fd, code, SN_COUNT(code));
}

static int filter_v6(int fd, uint16_t id)
{
	struct icmp6_filter types;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, id, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	ICMP6_FILTER_SETBLOCKALL(&types);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &types);
	if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &types, sizeof(types)) != 0)
		return -errno;
	return attach(fd, code, SN_COUNT(code));
}

static int prepare_raw(struct sn_ping_socket *sock, struct sn_err *err)
{
	int rc;

	sock->id = (uint16_t)(1 + sn_random_below(UINT16_MAX));
	rc = sock->family == AF_INET6 ? filter_v6(sock->fd, sock->id)
				      : filter_v4(sock->fd, sock->id);
	return rc == 0 ? 0 : sn_err_sys(err, rc, "cannot filter a raw ICMP socket");
}

/* Options --------------------------------------------------------------------------------- */

static int bind_interface(const struct sn_ping_socket *sock, const char *interface,
			  struct sn_err *err)
{
	bool v6 = sock->family == AF_INET6;
	unsigned index = if_nametoindex(interface);
	int rc;

	if (index == 0)
		return sn_err_set(err, -ENODEV,
				  "cannot use interface '%s': there is none of that name "
				  "(see 'ip link')",
				  interface);
	if (setsockopt(sock->fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
		       (socklen_t)strlen(interface) + 1) == 0)
		return 0;
	rc = -errno;
	/* Kernels before 5.7 want CAP_NET_RAW for that; choosing the way out is free. */
	if (rc == -EPERM)
		rc = set_int(sock->fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
			     v6 ? IPV6_UNICAST_IF : IP_UNICAST_IF, (int)htonl(index));
	return rc == 0 ? 0 : sn_err_sys(err, rc, "cannot use interface '%s'", interface);
}

static int bind_source(const struct sn_ping_socket *sock, const struct sn_addr *source,
		       struct sn_err *err)
{
	char text[SN_ADDR_TEXT_MAX];

	if (source->length == 0 || source->sa.sa_family != sock->family)
		return 0;
	if (bind(sock->fd, &source->sa, source->length) == 0)
		return 0;
	return sn_err_sys(err, -errno, "cannot use source address '%s'",
			  sn_addr_format(source, text, sizeof(text)));
}

static int set_ttl(const struct sn_ping_socket *sock, unsigned ttl, struct sn_err *err)
{
	int rc = sock->family == AF_INET6
			 ? set_int(sock->fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, (int)ttl)
			 : set_int(sock->fd, IPPROTO_IP, IP_TTL, (int)ttl);

	return rc == 0 ? 0 : sn_err_sys(err, rc, "cannot set the hop limit to %u", ttl);
}

static int report_errors(const struct sn_ping_socket *sock, struct sn_err *err)
{
	int rc = sock->family == AF_INET6 ? set_int(sock->fd, IPPROTO_IPV6, IPV6_RECVERR, 1)
					  : set_int(sock->fd, IPPROTO_IP, IP_RECVERR, 1);

	return rc == 0 ? 0 : sn_err_sys(err, rc, "cannot have ICMP errors reported");
}

/* What a reply tells beside its bytes: nice to have, so failures do not matter. */
static void ask_for_details(struct sn_ping_socket *sock)
{
	if (sock->family == AF_INET6) {
		set_int(sock->fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
		set_int(sock->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	} else if (!sock->raw) { /* a raw IPv4 socket sees the IP header itself */
		set_int(sock->fd, IPPROTO_IP, IP_RECVTTL, 1);
		set_int(sock->fd, IPPROTO_IP, IP_PKTINFO, 1);
	}
	sock->kernel_stamps = set_int(sock->fd, SOL_SOCKET, SO_TIMESTAMPNS, 1) == 0;
}

/*
 * A packet that is never fragmented needs no identifier (RFC 6864), and drawing one is
 * the dearest single step of sending.
 */
static void forbid_fragments(const struct sn_ping_socket *sock, size_t payload_size)
{
	if (sock->family == AF_INET && payload_size + HEADERS_BYTES <= WHOLE_BYTES)
		set_int(sock->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
}

static void grow_buffers(const struct sn_ping_socket *sock)
{
	/* FORCE passes the system's limit and needs CAP_NET_ADMIN. */
	if (set_int(sock->fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES) != 0)
		set_int(sock->fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
	if (set_int(sock->fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES) != 0)
		set_int(sock->fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
}

static int configure(struct sn_ping_socket *sock, const struct sn_ping_socket_config *config,
		     struct sn_err *err)
{
	int rc = sock->raw ? prepare_raw(sock, err) : 0;

	if (rc == 0 && config->interface != NULL)
		rc = bind_interface(sock, config->interface, err);
	if (rc == 0)
		rc = bind_source(sock, &config->source, err);
	if (rc == 0)
		rc = set_ttl(sock, config->ttl, err);
	if (rc == 0)
		rc = report_errors(sock, err);
	if (rc != 0) {
		sn_ping_socket_close(sock);
		return rc;
	}
	ask_for_details(sock);
	forbid_fragments(sock, config->payload_size);
	grow_buffers(sock);
	return 0;
}

/* Opening --------------------------------------------------------------------------------- */

static int refused(int family, int rc, struct sn_err *err)
{
	const char *name = family == AF_INET6 ? "ICMPv6" : "ICMP";

	if (rc != -EPERM && rc != -EACCES)
		return sn_err_sys(err, rc, "cannot open an %s socket", name);
	return sn_err_set(err, rc,
			  "cannot open an %s socket: CAP_NET_RAW is missing and ping sockets are "
			  "not allowed to this group (give the program the capability with 'setcap "
			  "cap_net_raw+ep', or set sysctl net.ipv4.ping_group_range=\"0 "
			  "2147483647\")",
			  name);
}

int sn_ping_socket_open(struct sn_ping_socket *sock, int family,
			const struct sn_ping_socket_config *config, struct sn_err *err)
{
	int protocol = family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	*sock = (struct sn_ping_socket){.family = family};
	sock->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (sock->fd < 0) {
		sock->raw = true;
		sock->fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	}
	if (sock->fd < 0)
		return refused(family, -errno, err);
	return configure(sock, config, err);
}

static int get_int(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

int sn_ping_socket_adopt(struct sn_ping_socket *sock, int fd,
			 const struct sn_ping_socket_config *config, struct sn_err *err)
{
	int type = get_int(fd, SO_TYPE), protocol = get_int(fd, SO_PROTOCOL);

	*sock = (struct sn_ping_socket){
		.fd = fd,
		.family = get_int(fd, SO_DOMAIN),
		.raw = type == SOCK_RAW,
	};
	if ((type != SOCK_RAW && type != SOCK_DGRAM) ||
	    !((sock->family == AF_INET && protocol == IPPROTO_ICMP) ||
	      (sock->family == AF_INET6 && protocol == IPPROTO_ICMPV6))) {
		/* A number that is no socket may be anybody's: only what we understood is closed.
		 */
		if (type >= 0)
			sn_ping_socket_close(sock);
		sock->fd = -1;
		return sn_err_set(err, -EINVAL,
				  "cannot use descriptor %d: it is no open ICMP socket", fd);
	}
	return configure(sock, config, err);
}

void sn_ping_socket_close(struct sn_ping_socket *sock)
{
	if (sock->fd >= 0)
		close(sock->fd);
	sock->fd = -1;
}

uint32_t sn_ping_socket_drops(const struct sn_ping_socket *sock)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof(info);

	/* The counter behind SO_RXQ_OVFL, readable without waiting for the next packet. */
	if (sock->fd < 0 || getsockopt(sock->fd, SOL_SOCKET, SO_MEMINFO, info, &size) != 0)
		return 0;
	return info[SK_MEMINFO_DROPS];
}
