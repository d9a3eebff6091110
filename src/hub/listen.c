/* SPDX-License-Identifier: Apache-2.0 */
/* Where a hub listens, and with which certificate. */
#define SN_MODULE "hub"
#include <errno.h>
#include <string.h>

#include "base/notify.h"
#include "hub/hub_internal.h"

static int listen_at(struct sn_hub *hub, const struct sn_addr *addr, int fd, bool tls,
		     struct sn_err *err)
{
	struct sn_http_tls identity = sn_identity_tls(hub->identity);
	struct sn_listener *listener = &hub->listeners[hub->listener_count];

	if (hub->listener_count >= SN_LISTENERS_MAX)
		return sn_err_set(err, -E2BIG, "cannot listen at more than %d addresses",
				  SN_LISTENERS_MAX);
	if (sn_http_server_listen(hub->server, addr, fd, tls ? &identity : NULL, &listener->addr,
				  err) != 0)
		return err->code;
	listener->tls = tls;
	hub->listener_count++;
	return 0;
}

/* A machine without IPv6 takes the wildcard of IPv4 for that of IPv6. */
static int listen_at_addr(struct sn_hub *hub, const struct sn_addr *addr, bool tls,
			  struct sn_err *err)
{
	int failed = listen_at(hub, addr, -1, tls, err);
	struct sn_addr ipv4;

	if ((failed != -EAFNOSUPPORT && failed != -EADDRNOTAVAIL) ||
	    addr->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr))
		return failed;
	sn_addr_parse(SN_STR("0.0.0.0"), sn_addr_port(addr), &ipv4);
	return listen_at(hub, &ipv4, -1, tls, err);
}

static int listen_at_text(struct sn_hub *hub, const char *key, const char *text, bool tls,
			  struct sn_err *err)
{
	struct sn_addr addr;

	if (sn_addr_parse(sn_str(text), tls ? 8443 : 8080, &addr) != 0)
		return sn_err_set(err, -EINVAL, "key '%s': '%s' is not an address with port", key,
				  text);
	if (listen_at_addr(hub, &addr, tls, err) != 0)
		return err->code == -EADDRINUSE
			       ? sn_err_set(err, err->code,
					    "cannot listen at '%s': the port is in use (stop the "
					    "other program, or set '%s')",
					    text, key)
			       : err->code;
	return 0;
}

static int listen_at_fd(struct sn_hub *hub, int fd, struct sn_err *err)
{
	struct sn_addr addr = {0};

	addr.length = sizeof(addr.in6);
	if (getsockname(fd, &addr.sa, &addr.length) != 0)
		return sn_err_sys(err, -errno, "cannot use inherited descriptor %d", fd);
	return listen_at(hub, &addr, fd, true, err);
}

/* Sockets that a service manager opened for us take the place of `listen`. */
static int listen_tls(struct sn_hub *hub, struct sn_err *err)
{
	const struct sn_hub_config *config = hub->config;
	int handed_over = sn_notify_listen_fds();
	uint64_t fd = 0;

	for (int i = 0; i < handed_over; i++) {
		if (listen_at_fd(hub, 3 + i, err) != 0)
			return err->code;
	}
	for (unsigned i = 0; i < config->listen_fd_tls.count; i++) {
		(void)sn_parse_u64(sn_str(config->listen_fd_tls.items[i]), 3, INT32_MAX, &fd);
		if (listen_at_fd(hub, (int)fd, err) != 0)
			return err->code;
	}
	for (unsigned i = 0; handed_over <= 0 && i < config->listen.count; i++) {
		if (listen_at_text(hub, "listen", config->listen.items[i], true, err) != 0)
			return err->code;
	}
	return 0;
}

/* A certificate is needed to listen, and where we listen is needed for the certificate. */
static int make_certificate(struct sn_hub *hub, struct sn_err *err)
{
	char **hosts = sn_hub_hosts(hub);
	int failed;

	sn_identity_set_subject(hub->identity, hub->config->mplane_identity);
	failed = sn_identity_make_server(hub->identity, (const char *const *)hosts, hub->started_ns,
					 hub->config->hub_certificate_life, err);

	sn_hub_free_hosts(hosts);
	return failed;
}

int sn_hub_listen(struct sn_hub *hub, struct sn_err *err)
{
	const char *local = hub->config->local;
	struct sn_http_tls tls;

	if (make_certificate(hub, err) != 0 || listen_tls(hub, err) != 0)
		return err->code;
	if (local[0] != '\0' && strcmp(local, "none") != 0 &&
	    listen_at_text(hub, "local", local, false, err) != 0)
		return err->code;
	if (hub->listener_count == 0)
		return sn_err_set(err, -EINVAL,
				  "cannot listen anywhere: neither 'listen' nor 'local' is set");
	if (make_certificate(hub, err) != 0)
		return err->code;
	tls = sn_identity_tls(hub->identity);
	return sn_http_server_set_tls(hub->server, &tls, err);
}
