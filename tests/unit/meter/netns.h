/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace for the calling process, with a pair of interfaces "va" and
 * "vb" joined by a virtual wire; root needs nothing, others a user namespace.
 */
#ifndef SONDE_TESTS_METER_NETNS_H
#define SONDE_TESTS_METER_NETNS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packets.h"

static inline bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

static inline bool unshare_as_user(void)
{
	char map[64];
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return false;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return write_text("/proc/self/gid_map", map);
}

static inline bool run_ip(const char *arguments)
{
	char command[256];

	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin ip %s 2>/dev/null",
		 arguments);
	return system(command) == 0;
}

/* NULL, or why it cannot be had. */
static inline const char *enter_netns(void)
{
	if (geteuid() == 0 ? unshare(CLONE_NEWNET) != 0 : !unshare_as_user())
		return "a network namespace of one's own cannot be made here";
	/* Neighbour discovery of the kernel would be counted, too. */
	write_text("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	if (!run_ip("link add va type veth peer name vb") || !run_ip("link set va up") ||
	    !run_ip("link set vb up") || !run_ip("link set lo up"))
		return "ip(8) cannot make a veth pair here";
	return NULL;
}

/* A packet socket on an interface, for sending frames or for handing over. */
static inline int packet_socket(const char *interface, uint16_t protocol)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)if_nametoindex(interface),
	};

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline bool send_frame(int fd, const struct frame *f)
{
	return send(fd, f->bytes, f->n, 0) == (ssize_t)f->n;
}

#endif
