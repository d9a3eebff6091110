/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A collector behind UDP (RFC 7011, section 10.3).  Datagrams that nobody takes are
 * noticed when the other host says so, which is with one of the next ones.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "meter/ipfix/collector.h"

#define SEND_BUFFER (1024 * 1024)
#define MESSAGE_MIN 1200 /* a template or record must fit; narrower paths get fragments */
/*
 * A collector reads a burst slower than it is written, and what does not fit into its
 * socket is lost without a word.  16,000 messages a second are some 100,000 flows.
 */
#define BURST    16
#define PAUSE_NS (1 * SN_NS_PER_MS)

static int option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* A path that is or grew narrower costs fragments, not messages. */
static void allow_fragments(int fd, int family)
{
	if (family == AF_INET6)
		option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
	else
		option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
}

static size_t message_max(int fd, int family)
{
	bool v6 = family == AF_INET6;
	size_t headers = v6 ? 48 : 28;
	int mtu = 0;
	socklen_t size = sizeof(mtu);

	if (getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &size) !=
		    0 ||
	    mtu < MESSAGE_MIN + (int)headers)
		return MESSAGE_MIN;
	return SN_MIN((size_t)mtu - headers, SN_IPFIX_DATAGRAM_MAX);
}

static int udp_open(struct sn_ipfix_collector *collector, uint64_t deadline_ns SN_UNUSED,
		    struct sn_err *err)
{
	struct sn_addr addr;
	int result = sn_ipfix_resolve(collector, &addr, err);

	sn_ipfix_disconnect(collector);
	if (result != 0)
		return result;
	collector->fd =
		socket(addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	if (collector->fd < 0)
		return sn_err_sys(err, -errno, "cannot make a socket");
	option(collector->fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
	allow_fragments(collector->fd, addr.sa.sa_family);
	if (connect(collector->fd, &addr.sa, addr.length) != 0) {
		result = sn_err_sys(err, -errno, "cannot reach it");
		sn_ipfix_disconnect(collector);
		return result;
	}
	collector->message_max = message_max(collector->fd, addr.sa.sa_family);
	collector->burst = 0;
	return 0;
}

static void breathe(struct sn_ipfix_collector *collector)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};

	collector->burst = (collector->burst + 1) % BURST;
	if (collector->burst == 0)
		nanosleep(&pause, NULL);
}

static int udp_send(struct sn_ipfix_collector *collector, struct sn_str message,
		    uint64_t deadline_ns, struct sn_err *err)
{
	int result = 0;

	breathe(collector);
	while (send(collector->fd, message.p, message.n, MSG_NOSIGNAL) < 0) {
		result = -errno;
		if (result == -EINTR)
			continue;
		if (result != -EAGAIN && result != -ENOBUFS)
			return sn_err_sys(err, result, "cannot send");
		result = sn_ipfix_wait(collector, POLLOUT, deadline_ns);
		if (result != 0)
			return sn_err_sys(err, result, "cannot send");
	}
	return 0;
}

const struct sn_ipfix_transport sn_ipfix_udp = {
	.open = udp_open,
	.send = udp_send,
	.close = sn_ipfix_disconnect,
	.forgets = true,
};
