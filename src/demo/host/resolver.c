/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "demo/host/dns.h"
#include "demo/host/host.h"
#include "net/addr.h"

#define LISTENERS_MAX  8
#define READS_PER_TURN 64

struct resolver;

struct listener {
	struct resolver *resolver;
	struct sn_io io;
};

struct resolver {
	struct sn_dns_zone zone;
	struct listener listeners[LISTENERS_MAX];
	unsigned count;
};

static void answer(struct sn_io *io, int events SN_UNUSED)
{
	struct listener *listener = sn_container_of(io, struct listener, io);
	unsigned char query[SN_DNS_MESSAGE_MAX];
	struct sn_buf out = {0};

	for (int i = 0; i < READS_PER_TURN; i++) {
		struct sn_addr peer = {.length = sizeof(peer.in6)};
		ssize_t size = recvfrom(io->fd, query, sizeof(query), MSG_DONTWAIT | MSG_TRUNC,
					&peer.sa, &peer.length);

		if (size < 0)
			break;
		sn_buf_clear(&out);
		if ((size_t)size > sizeof(query) ||
		    sn_dns_answer(&listener->resolver->zone, query, (size_t)size, &out) != 0)
			continue;
		/* A reply that the socket has no room for is lost, as on any network. */
		(void)!sendto(io->fd, out.p, out.n, MSG_DONTWAIT, &peer.sa, peer.length);
	}
	sn_buf_finish(&out);
}

static int open_listener(struct resolver *resolver, struct sn_loop *loop, const char *text,
			 struct sn_err *err)
{
	struct listener *listener = &resolver->listeners[resolver->count];
	struct sn_addr addr;
	int one = 1;

	if (resolver->count == LISTENERS_MAX)
		return sn_err_set(err, -E2BIG, "key 'listen': more than %d addresses",
				  LISTENERS_MAX);
	if (sn_addr_parse(sn_str(text), SN_DNS_PORT, &addr) != 0)
		return sn_err_set(err, -EINVAL, "key 'listen': '%.80s' is no address", text);
	sn_autoclose int fd =
		socket(addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
	    (addr.sa.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) ||
	    bind(fd, &addr.sa, addr.length) != 0)
		return sn_err_sys(err, -errno, "cannot listen on '%s'", text);
	listener->resolver = resolver;
	sn_io_init(&listener->io, loop, fd, answer);
	int code = sn_io_start(&listener->io, SN_IO_READ);

	if (code != 0)
		return sn_err_sys(err, code, "cannot watch '%s'", text);
	sn_steal_fd(&fd);
	resolver->count++;
	return 0;
}

static int read_records(struct resolver *resolver, const struct sn_host_config *config,
			struct sn_err *err)
{
	struct sn_dns_zone *zone = &resolver->zone;

	if (config->records.count > SN_DNS_RECORDS_MAX)
		return sn_err_set(err, -E2BIG, "key 'records': more than %d", SN_DNS_RECORDS_MAX);
	zone->origin = config->zone;
	zone->records = sn_new_n(struct sn_dns_record, config->records.count + 1);
	for (unsigned i = 0; i < config->records.count; i++) {
		int code = sn_dns_record_parse(config->records.items[i],
					       &zone->records[zone->count], err);

		if (code != 0)
			return code;
		zone->count++;
	}
	return 0;
}

static void destroy(struct sn_host *host)
{
	struct resolver *resolver = (struct resolver *)host;

	if (resolver == NULL)
		return;
	for (unsigned i = 0; i < resolver->count; i++) {
		sn_io_stop(&resolver->listeners[i].io);
		close(resolver->listeners[i].io.fd);
	}
	free(resolver->zone.records);
	free(resolver);
}

static struct sn_host *create(struct sn_loop *loop, const struct sn_host_config *config,
			      struct sn_err *err)
{
	struct resolver *resolver = sn_new(struct resolver);
	int code = read_records(resolver, config, err);

	for (unsigned i = 0; i < config->listen.count && code == 0; i++)
		code = open_listener(resolver, loop, config->listen.items[i], err);
	if (code == 0)
		return (struct sn_host *)resolver;
	destroy((struct sn_host *)resolver);
	return NULL;
}

const struct sn_host_role sn_host_resolver = {"resolver", create, destroy};
