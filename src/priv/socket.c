/* SPDX-License-Identifier: Apache-2.0 */
#include "priv/socket.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "priv/netns.h"

#define LISTEN_BACKLOG 512

static int run_where(const char *netns, int caller_netns, sn_netns_fn *fn, const void *request,
		     struct sn_err *err)
{
	if (netns[0] != '\0')
		return sn_netns_run_named(netns, fn, (void *)request, err);
	if (caller_netns < 0)
		return sn_err_set(err, -EPERM, "cannot tell the caller's network namespace");
	return sn_netns_run(caller_netns, fn, (void *)request, err);
}

/* Protocol 0 until it is bound: no packet of another interface ever enters its queue. */
static int open_capture(void *arg, struct sn_err *err)
{
	const struct sn_priv_interface *request = arg;
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(request->interface),
	};

	if (address.sll_ifindex == 0)
		return sn_err_sys(err, -errno, "cannot find interface '%s'", request->interface);
	sn_autoclose int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return sn_err_sys(err, -errno, "cannot open capture on '%s'", request->interface);
	return sn_steal_fd(&fd);
}

int sn_socket_capture(const struct sn_priv_interface *request, int caller_netns, struct sn_err *err)
{
	return run_where(request->netns, caller_netns, open_capture, request, err);
}

static int open_ping(void *arg, struct sn_err *err)
{
	const struct sn_priv_interface *request = arg;
	int protocol = request->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	socklen_t length = (socklen_t)strlen(request->interface);
	sn_autoclose int fd = socket(request->family, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open a raw ICMP socket");
	if (length > 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, request->interface, length) != 0)
		return sn_err_sys(err, -errno, "cannot bind to interface '%s'", request->interface);
	return sn_steal_fd(&fd);
}

int sn_socket_ping(const struct sn_priv_interface *request, int caller_netns, struct sn_err *err)
{
	return run_where(request->netns, caller_netns, open_ping, request, err);
}

static socklen_t listen_address(const struct sn_priv_listen *request, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (request->family == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_port = htons(request->port);
		memcpy(&in->sin_addr, request->address, sizeof(in->sin_addr));
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(request->port);
	memcpy(&in6->sin6_addr, request->address, sizeof(in6->sin6_addr));
	return sizeof(*in6);
}

/* "::" takes IPv4 as well, every other IPv6 address only itself. */
static int open_listen(void *arg, struct sn_err *err)
{
	const struct sn_priv_listen *request = arg;
	struct sockaddr_storage address;
	socklen_t length = listen_address(request, &address);
	int one = 1, off = 0;
	sn_autoclose int fd =
		socket(request->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open a TCP socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    (request->family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0) ||
	    bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, LISTEN_BACKLOG) != 0)
		return sn_err_sys(err, -errno, "cannot listen on TCP port %u in '%s'",
				  request->port, request->netns);
	return sn_steal_fd(&fd);
}

int sn_socket_listen(const struct sn_priv_listen *request, struct sn_err *err)
{
	return sn_netns_run_named(request->netns, open_listen, (void *)request, err);
}

/*
 * The kernel makes an accepted Unix socket in the namespace of the one that
 * connected (unix_stream_connect()), so asking our end tells the peer's place
 * without trusting a word of it and without looking at /proc/PID, which could
 * be another process by now.
 */
int sn_socket_peer_netns(int socket)
{
	int fd = ioctl(socket, SIOCGSKNS);

	return fd >= 0 ? fd : -errno;
}
