/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_socket: a socket that can send echo requests and hear the replies.
 *
 * First choice is a ping socket (SOCK_DGRAM, IPPROTO_ICMP), which needs no
 * privilege where net.ipv4.ping_group_range allows it; second a raw socket, which
 * needs CAP_NET_RAW.  A raw socket gets filters, so that of all ICMP traffic of the
 * machine only echo replies to its own identifier reach it, and not its own requests
 * on loopback either.  A socket may also be handed in by whoever started us.
 *
 * All sockets report ICMP errors in their error queue (IP_RECVERR) and stamp what
 * they receive (SO_TIMESTAMPNS) where the kernel can.
 */
#ifndef SONDE_PROBE_PING_SOCKET_H
#define SONDE_PROBE_PING_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/addr.h"

struct sn_ping_socket_config {
	const char *interface; /* NULL: any */
	struct sn_addr source; /* length 0, or of another family: the kernel chooses */
	unsigned ttl;
	size_t payload_size;
};

struct sn_ping_socket {
	int fd; /* -1: not open */
	int family;
	bool raw;
	uint16_t id; /* of raw sockets; the kernel gives ping sockets theirs */
	bool kernel_stamps;
};

/* -EPERM or -EACCES with both ways out in the text if neither kind is allowed. */
int sn_ping_socket_open(struct sn_ping_socket *sock, int family,
			const struct sn_ping_socket_config *config, struct sn_err *err);
/* Takes `fd` over, also on failure; -EINVAL if it is no ICMP socket. */
int sn_ping_socket_adopt(struct sn_ping_socket *sock, int fd,
			 const struct sn_ping_socket_config *config, struct sn_err *err);
void sn_ping_socket_close(struct sn_ping_socket *sock); /* harmless on a closed one */
/* Packets that the kernel could not put into the receive buffer, ever. */
uint32_t sn_ping_socket_drops(const struct sn_ping_socket *sock);

#endif
