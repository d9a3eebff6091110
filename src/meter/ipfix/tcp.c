/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A collector behind TCP (RFC 7011, section 10.4): it never sends anything, so what
 * can be read is the end of the connection.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "meter/ipfix/collector.h"

#define KEEPALIVE_S                                                                                \
	30 /* an idle connection whose other end vanished is noticed in a few of these */

void sn_ipfix_disconnect(struct sn_ipfix_collector *collector)
{
	if (collector->fd >= 0)
		close(collector->fd);
	collector->fd = -1;
}

static int finish_connect(struct sn_ipfix_collector *collector, uint64_t deadline_ns)
{
	int error = 0, result = sn_ipfix_wait(collector, POLLOUT, deadline_ns);
	socklen_t size = sizeof(error);

	if (result == 0 && getsockopt(collector->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		result = -errno;
	return result != 0 ? result : -error;
}

static void set_options(int fd)
{
	static const int on = 1, idle_s = KEEPALIVE_S;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int sn_ipfix_connect(struct sn_ipfix_collector *collector, uint64_t deadline_ns, struct sn_err *err)
{
	struct sn_addr addr;
	int result = sn_ipfix_resolve(collector, &addr, err);

	if (result != 0)
		return result;
	collector->fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (collector->fd < 0)
		return sn_err_sys(err, -errno, "cannot make a socket");
	set_options(collector->fd);
	result = connect(collector->fd, &addr.sa, addr.length) == 0 ? 0 : -errno;
	if (result == -EINPROGRESS)
		result = finish_connect(collector, deadline_ns);
	if (result == 0)
		return 0;
	sn_ipfix_disconnect(collector);
	return sn_err_sys(err, result, "cannot connect");
}

static int tcp_open(struct sn_ipfix_collector *collector, uint64_t deadline_ns, struct sn_err *err)
{
	sn_ipfix_disconnect(collector);
	return sn_ipfix_connect(collector, deadline_ns, err);
}

/* What was written after the other end had closed would be lost. */
static int check_open(struct sn_ipfix_collector *collector)
{
	char bytes[256];
	ssize_t count;

	do
		count = recv(collector->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (count > 0 || (count < 0 && errno == EINTR));
	if (count == 0)
		return -ECONNRESET;
	return errno == EAGAIN ? 0 : -errno;
}

static int tcp_send(struct sn_ipfix_collector *collector, struct sn_str message,
		    uint64_t deadline_ns, struct sn_err *err)
{
	int result = check_open(collector);

	while (result == 0 && message.n > 0) {
		ssize_t count = send(collector->fd, message.p, message.n, MSG_NOSIGNAL);

		if (count >= 0) {
			message.p += count;
			message.n -= (size_t)count;
		} else if (errno == EAGAIN) {
			result = sn_ipfix_wait(collector, POLLOUT, deadline_ns);
		} else if (errno != EINTR) {
			result = -errno;
		}
	}
	return result == 0 ? 0 : sn_err_sys(err, result, "cannot send");
}

const struct sn_ipfix_transport sn_ipfix_tcp = {
	.open = tcp_open,
	.send = tcp_send,
	.close = sn_ipfix_disconnect,
};
