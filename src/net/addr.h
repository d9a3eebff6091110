/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addr: socket addresses, IPv4 and IPv6 alike.
 */
#ifndef SONDE_NET_ADDR_H
#define SONDE_NET_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

struct sn_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t length;
};

#define SN_ADDR_TEXT_MAX 80
/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]:443", "192.0.2.1:443", "fe80::1%eth0"; no names. */
int sn_addr_parse(struct sn_str text, uint16_t default_port, struct sn_addr *addr);
/* RFC 5952 text without the port. */
char *sn_addr_format(const struct sn_addr *addr, char *out, size_t size);
char *sn_addr_format_port(const struct sn_addr *addr, char *out, size_t size);
uint16_t sn_addr_port(const struct sn_addr *addr);
void sn_addr_set_port(struct sn_addr *addr, uint16_t port);
bool sn_addr_is_loopback(const struct sn_addr *addr);
bool sn_addr_equal_host(const struct sn_addr *a, const struct sn_addr *b);
/* Blocking getaddrinfo for programs at start; `family` AF_UNSPEC, AF_INET or AF_INET6. */
int sn_addr_resolve(const char *name, int family, uint16_t port, struct sn_addr *addr,
		    struct sn_err *err);

#endif
