/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/ipfix/collector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "meter/ipfix/ipfix.h"
#include "meter/ipfix/packer.h"

#define SLICE_NS (100 * SN_NS_PER_MS) /* a wait looks that often whether it shall stop */

/* The text ------------------------------------------------------------------ */

static const struct scheme {
	const char *name;
	const struct sn_ipfix_transport *transport;
	uint16_t port;
} schemes[] = {
	{"udp:", &sn_ipfix_udp, SN_IPFIX_PORT},
	{"tcp:", &sn_ipfix_tcp, SN_IPFIX_PORT},
	{"tls:", &sn_ipfix_tls, SN_IPFIX_PORT_TLS},
	{"file:", &sn_ipfix_file, 0},
};

static const struct scheme *find_scheme(const char *text)
{
	for (size_t i = 0; i < SN_COUNT(schemes); i++)
		if (strncmp(text, schemes[i].name, strlen(schemes[i].name)) == 0)
			return &schemes[i];
	return NULL;
}

/* "HOST", "HOST:PORT", "[v6]", "[v6]:PORT"; an IPv6 address without brackets has no port. */
static int split_host(struct sn_str text, struct sn_str *host, struct sn_str *port)
{
	const char *end;

	*port = (struct sn_str){0};
	*host = text;
	if (text.n > 0 && text.p[0] == '[') {
		end = memchr(text.p, ']', text.n);
		if (end == NULL)
			return -EINVAL;
		*host = (struct sn_str){text.p + 1, (size_t)(end - text.p) - 1};
		text = (struct sn_str){end + 1, text.n - host->n - 2};
		if (text.n == 0)
			return 0;
		*port = (struct sn_str){text.p + 1, text.n - 1};
		return text.p[0] == ':' && port->n > 0 ? 0 : -EINVAL;
	}
	end = memchr(text.p, ':', text.n);
	if (end == NULL || memchr(end + 1, ':', text.n - (size_t)(end - text.p) - 1) != NULL)
		return 0;
	*host = (struct sn_str){text.p, (size_t)(end - text.p)};
	*port = (struct sn_str){end + 1, text.n - host->n - 1};
	return port->n > 0 ? 0 : -EINVAL;
}

static int parse_host(struct sn_ipfix_collector *collector, struct sn_str text)
{
	struct sn_str host, port;
	uint64_t number = collector->port;

	if (split_host(text, &host, &port) != 0)
		return -EINVAL;
	if (port.n > 0 && sn_parse_u64(port, 1, UINT16_MAX, &number) != 0)
		return -EINVAL;
	if (host.n == 0 || host.n >= sizeof(collector->host))
		return -EINVAL;
	memcpy(collector->host, host.p, host.n);
	collector->host[host.n] = '\0';
	collector->port = (uint16_t)number;
	return 0;
}

static int parse(struct sn_ipfix_collector *collector, struct sn_err *err)
{
	const char *text = collector->text, *rest;
	const struct scheme *scheme = find_scheme(text);

	if (scheme == NULL)
		return sn_err_set(err, -EINVAL,
				  "cannot send IPFIX to '%s': how is not said (use udp:HOST:PORT, "
				  "tcp:HOST:PORT, tls:HOST:PORT or file:PATH)",
				  text);
	rest = text + strlen(scheme->name);
	collector->transport = scheme->transport;
	collector->port = scheme->port;
	if (scheme->transport->local) {
		collector->path = rest;
		if (rest[0] != '\0')
			return 0;
		return sn_err_set(err, -EINVAL, "cannot write IPFIX to '%s': no name of a file",
				  text);
	}
	if (parse_host(collector, sn_str(rest)) != 0)
		return sn_err_set(err, -EINVAL,
				  "cannot send IPFIX to '%s': '%s' is no HOST:PORT (IPv6 addresses "
				  "in brackets: [2001:db8::1]:4739)",
				  text, rest);
	return 0;
}

/* Life ------------------------------------------------------------------------ */

/* Looked up again for each connection, but a mistake is told at once. */
static int check_host(const struct sn_ipfix_collector *collector, struct sn_err *err)
{
	struct sn_addr addr;

	if (sn_ipfix_resolve(collector, &addr, err) == 0)
		return 0;
	return sn_err_wrap(err, "cannot send IPFIX to '%s'", collector->text);
}

int sn_ipfix_collector_init(struct sn_ipfix_collector *collector,
			    const struct sn_ipfix_options *options, struct sn_err *err)
{
	int result;

	*collector = (struct sn_ipfix_collector){.text = options->collector, .fd = -1};
	atomic_init(&collector->stop_ns, UINT64_MAX);
	atomic_init(&collector->message_max, SN_IPFIX_MESSAGE_MAX);
	result = parse(collector, err);
	if (result != 0)
		return result;
	if (collector->transport == &sn_ipfix_udp)
		collector->message_max = SN_IPFIX_DATAGRAM_MAX;
	if (collector->transport == &sn_ipfix_tls)
		result = sn_ipfix_tls_init(collector, options, err);
	else if (options->ca != NULL || options->certificate != NULL || options->key != NULL)
		return sn_err_set(err, -EINVAL,
				  "cannot send IPFIX to '%s': certificates are for TLS (use "
				  "tls:HOST:PORT)",
				  collector->text);
	if (result == 0 && collector->transport->local)
		return collector->transport->open(collector, UINT64_MAX, err);
	return result == 0 ? check_host(collector, err) : result;
}

void sn_ipfix_collector_finish(struct sn_ipfix_collector *collector)
{
	if (collector->transport != NULL)
		collector->transport->close(collector);
	if (collector->credentials != NULL)
		gnutls_certificate_free_credentials(collector->credentials);
	collector->credentials = NULL;
}

/* For transports -------------------------------------------------------------- */

int sn_ipfix_resolve(const struct sn_ipfix_collector *collector, struct sn_addr *addr,
		     struct sn_err *err)
{
	return sn_addr_resolve(collector->host, AF_UNSPEC, collector->port, addr, err);
}

int sn_ipfix_wait(const struct sn_ipfix_collector *collector, short events, uint64_t deadline_ns)
{
	struct pollfd poller = {.fd = collector->fd, .events = events};

	for (;;) {
		uint64_t now_ns = sn_mono_ns(), end_ns = SN_MIN(deadline_ns, collector->stop_ns);
		uint64_t left_ns = now_ns < end_ns ? end_ns - now_ns : 0;
		int count = poll(&poller, 1,
				 (int)((SN_MIN(left_ns, (uint64_t)SLICE_NS) + SN_NS_PER_MS - 1) /
				       SN_NS_PER_MS));

		if (count > 0)
			return 0;
		if (count < 0 && errno != EINTR)
			return -errno;
		if (left_ns == 0)
			return -ETIMEDOUT;
	}
}

/* Files ------------------------------------------------------------------------ */

/* Once: the file outlives all messages (RFC 5655: it is a stream of them). */
static int file_open(struct sn_ipfix_collector *collector, uint64_t deadline_ns SN_UNUSED,
		     struct sn_err *err)
{
	if (collector->fd >= 0)
		return 0;
	collector->fd = open(collector->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (collector->fd < 0)
		return sn_err_sys(err, -errno, "cannot write '%s'", collector->path);
	return 0;
}

static int file_send(struct sn_ipfix_collector *collector, struct sn_str message,
		     uint64_t deadline_ns SN_UNUSED, struct sn_err *err)
{
	while (message.n > 0) {
		ssize_t count = write(collector->fd, message.p, message.n);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return sn_err_sys(err, -errno, "cannot write '%s'", collector->path);
		message.p += count;
		message.n -= (size_t)count;
	}
	return 0;
}

static void file_close(struct sn_ipfix_collector *collector)
{
	sn_ipfix_disconnect(collector);
}

const struct sn_ipfix_transport sn_ipfix_file = {
	.open = file_open,
	.send = file_send,
	.close = file_close,
	.local = true,
};
