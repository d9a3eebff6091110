/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners and daemons.  Each listener has one libmicrohttpd daemon that takes
 * new connections, in external epoll mode: its epoll descriptor sits in our loop,
 * and its timeout is read again after every run.  A new certificate means a new
 * daemon on the same listening socket; the old one stays, quiesced, until its
 * last connection is gone.
 */
#define SN_MODULE "http"
#include "net/http_server.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/http_server_internal.h"

#define CONNECTIONS_MAX    10000
#define DESCRIPTORS_KEPT   64 /* for everything that is not a connection */
#define IDLE_TIMEOUT_S     60
#define HEADER_TIMEOUT_NS  (30 * SN_NS_PER_S)
#define LISTEN_BACKLOG     4096
#define READ_INCREMENT     4096
#define RUNS_PER_FLUSH_MAX 4 /* then the rest of the loop is served first */
#define STALLS_MAX         8 /* the longest delay is 2^(this - 2) ms */

struct listener {
	struct sn_list link;
	int fd;
	bool tls;
	struct sn_http_daemon *daemon; /* the one that accepts */
};

/* Daemons in the loop ------------------------------------------------------------- */

static void daemon_destroy(struct sn_http_daemon *daemon)
{
	sn_io_stop(&daemon->io);
	sn_timer_stop(&daemon->timer);
	/* The listening socket is ours: quiesced daemons leave it open. */
	MHD_quiesce_daemon(daemon->mhd);
	MHD_stop_daemon(daemon->mhd);
	sn_http_trust_destroy(daemon->trust);
	sn_list_remove(&daemon->link);
	free(daemon);
}

static bool has_unread(const struct sn_http_daemon *daemon)
{
	sn_list_for_each (link, &daemon->reading) {
		if (sn_http_conn_has_unread(sn_list_entry(link, struct sn_http_conn, reading)))
			return true;
	}
	return false;
}

static bool can_send(const struct sn_http_daemon *daemon)
{
	sn_list_for_each (link, &daemon->working) {
		if (sn_http_conn_can_send(sn_list_entry(link, struct sn_http_conn, working)))
			return true;
	}
	return false;
}

/*
 * When to run again although no descriptor is ready.  libmicrohttpd asks for "at
 * once" as long as a connection has work, but also all through a TLS handshake
 * that waits for the client (0.9.75 takes its descriptor for readable until then).
 * New bytes wake us anyhow, so when a run did nothing and nobody has sent more,
 * the next one may wait.  Not while an answer goes out: with TLS one record of it is
 * sent in a run, and most of the runs for a block of a file do not ask us for more.
 */
static uint64_t next_delay(struct sn_http_daemon *daemon, unsigned long long timeout_ms,
			   uint64_t progress_before)
{
	if (timeout_ms > 0)
		return timeout_ms * SN_NS_PER_MS;
	if (daemon->progress != progress_before || has_unread(daemon) || can_send(daemon))
		daemon->stalls = 0;
	else if (daemon->stalls < STALLS_MAX)
		daemon->stalls++;
	return daemon->stalls < 2 ? 0 : SN_NS_PER_MS << (daemon->stalls - 2);
}

/* Later timeouts leave the timer alone: it is set again when it is early. */
static void arm(struct sn_http_daemon *daemon, uint64_t progress_before)
{
	unsigned long long timeout_ms;
	uint64_t due_ns;

	if (MHD_get_timeout(daemon->mhd, &timeout_ms) != MHD_YES)
		return;
	due_ns =
		sn_loop_now(daemon->server->loop) + next_delay(daemon, timeout_ms, progress_before);
	if (!sn_timer_armed(&daemon->timer) || due_ns < daemon->timer.due_ns)
		sn_timer_at(&daemon->timer, due_ns);
}

/* False when the daemon is gone afterwards. */
static bool run(struct sn_http_daemon *daemon)
{
	uint64_t progress_before = daemon->progress;

	daemon->dirty = false;
	daemon->server->running = true;
	MHD_run(daemon->mhd);
	daemon->server->running = false;
	if (daemon->draining && daemon->connections == 0) {
		daemon_destroy(daemon);
		return false;
	}
	arm(daemon, progress_before);
	return true;
}

static void daemon_ready(struct sn_io *io, int events SN_UNUSED)
{
	run(sn_container_of(io, struct sn_http_daemon, io));
}

static void daemon_due(struct sn_timer *timer)
{
	run(sn_container_of(timer, struct sn_http_daemon, timer));
}

void sn_http_daemon_wake(struct sn_http_daemon *daemon)
{
	daemon->dirty = true;
}

/* What was resumed in this turn goes out in this turn. */
static void flush_daemons(struct sn_flush *flush)
{
	struct sn_http_server *server = sn_container_of(flush, struct sn_http_server, flush);

	sn_list_for_each (link, &server->daemons) {
		struct sn_http_daemon *daemon = sn_list_entry(link, struct sn_http_daemon, link);

		for (int i = 0; daemon->dirty && i < RUNS_PER_FLUSH_MAX; i++) {
			if (!run(daemon))
				break;
		}
	}
}

static void connection_notice(void *ctx, struct MHD_Connection *mhd, void **context,
			      enum MHD_ConnectionNotificationCode code)
{
	struct sn_http_daemon *daemon = ctx;

	daemon->progress++;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = sn_http_conn_open(daemon, mhd);
	} else {
		sn_http_conn_close(*context);
		*context = NULL;
		/* At its limit a daemon stops listening, and looks again only when it runs. */
		sn_http_daemon_wake(daemon);
	}
}

/* The limit is one for all listeners. */
static enum MHD_Result may_connect(void *ctx, const struct sockaddr *addr SN_UNUSED,
				   socklen_t size SN_UNUSED)
{
	const struct sn_http_daemon *daemon = ctx;
	const struct sn_http_server *server = daemon->server;

	return server->conn_count < server->config.max_connections ? MHD_YES : MHD_NO;
}

static void SN_PRINTF(2, 0) log_line(void *ctx SN_UNUSED, const char *format, va_list args)
{
	char line[512];

	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	sn_debug("%s", line);
}

static struct MHD_Daemon *start_mhd(struct sn_http_daemon *daemon, int fd,
				    const struct sn_http_tls *tls, const char *anchors)
{
	struct sn_http_server *server = daemon->server;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem security[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? (void *)(uintptr_t)tls->cert_pem : NULL},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? (void *)(uintptr_t)tls->key_pem : NULL},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)SN_PKI_PRIORITY},
		{anchors != NULL ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
		 (void *)(uintptr_t)anchors},
		{MHD_OPTION_END, 0, NULL},
	};

	if (tls != NULL)
		flags |= MHD_USE_TLS;
	else
		security[0].option = MHD_OPTION_END;
	return MHD_start_daemon(flags, 0, may_connect, daemon, sn_http_request_step, server,
				MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL,
				MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				server->config.max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				(size_t)SN_HTTP_HEADER_MAX, MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
				(size_t)READ_INCREMENT, MHD_OPTION_CONNECTION_TIMEOUT,
				server->config.idle_timeout_s, MHD_OPTION_STRICT_FOR_CLIENT, 1,
				MHD_OPTION_URI_LOG_CALLBACK, sn_http_request_begin, server,
				MHD_OPTION_NOTIFY_COMPLETED, sn_http_request_end, server,
				MHD_OPTION_NOTIFY_CONNECTION, connection_notice, daemon,
				MHD_OPTION_ARRAY, security, MHD_OPTION_END);
}

/* All CAs: their names are sent to clients, who choose a certificate by them.  NULL for none. */
static const char *all_anchors(const struct sn_http_tls *tls, struct sn_buf *out)
{
	if (tls == NULL || (tls->ca_pem == NULL && tls->foreign_pem == NULL))
		return NULL;
	if (tls->ca_pem != NULL)
		sn_buf_addf(out, "%s\n", tls->ca_pem);
	if (tls->foreign_pem != NULL)
		sn_buf_adds(out, tls->foreign_pem);
	return sn_buf_cstr(out);
}

static struct sn_http_daemon *daemon_create(struct sn_http_server *server, int fd,
					    const struct sn_http_tls *tls)
{
	struct sn_http_daemon *daemon = sn_new(struct sn_http_daemon);
	struct sn_buf anchors = {0};
	int epoll_fd;

	daemon->server = server;
	daemon->tls = tls != NULL;
	sn_list_init(&daemon->reading);
	sn_list_init(&daemon->working);
	if (tls == NULL || sn_http_trust_create(tls, &daemon->trust, NULL) == 0)
		daemon->mhd = start_mhd(daemon, fd, tls, all_anchors(tls, &anchors));
	sn_buf_finish(&anchors);
	if (daemon->mhd == NULL) {
		sn_http_trust_destroy(daemon->trust);
		free(daemon);
		return NULL;
	}
	epoll_fd = MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	sn_io_init(&daemon->io, server->loop, epoll_fd, daemon_ready);
	sn_timer_init(&daemon->timer, server->loop, daemon_due);
	sn_list_append(&server->daemons, &daemon->link);
	if (sn_io_start(&daemon->io, SN_IO_READ) != 0) {
		daemon_destroy(daemon);
		return NULL;
	}
	return daemon;
}

/* Listeners --------------------------------------------------------------------------- */

/* The same reading that libmicrohttpd does, for an error that a person understands. */
static int check_tls(const struct sn_http_tls *tls, struct sn_err *err)
{
	gnutls_datum_t cert = {(unsigned char *)(uintptr_t)tls->cert_pem,
			       (unsigned)strlen(tls->cert_pem)};
	gnutls_datum_t key = {(unsigned char *)(uintptr_t)tls->key_pem,
			      (unsigned)strlen(tls->key_pem)};
	gnutls_certificate_credentials_t credentials;
	struct sn_http_trust *trust = NULL;
	int result = gnutls_certificate_allocate_credentials(&credentials);

	if (result != 0)
		return sn_err_set(err, -ENOMEM, "cannot prepare TLS: %s", gnutls_strerror(result));
	result = gnutls_certificate_set_x509_key_mem(credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
	gnutls_certificate_free_credentials(credentials);
	if (result < 0)
		return sn_err_set(err, -EINVAL, "cannot use the server's certificate and key: %s",
				  gnutls_strerror(result));
	result = sn_http_trust_create(tls, &trust, err);
	sn_http_trust_destroy(trust);
	return result;
}

static int open_socket(const struct sn_addr *addr, struct sn_err *err)
{
	char text[SN_ADDR_TEXT_MAX];
	int yes = 1, no = 0;
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	sn_addr_format_port(addr, text, sizeof(text));
	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot listen on '%s'", text);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	/* "[::]" means every address of this machine. */
	if (addr->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, &addr->sa, addr->length) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
		int error = -errno;

		close(fd);
		return sn_err_sys(err, error, "cannot listen on '%s'", text);
	}
	return fd;
}

/* Where `fd` listens; a Unix socket counts as this machine. */
static int socket_name(int fd, struct sn_addr *addr, bool *local)
{
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_in6 in6;
	} name;
	socklen_t size = sizeof(name);

	memset(addr, 0, sizeof(*addr));
	if (getsockname(fd, &name.sa, &size) != 0)
		return -errno;
	if (name.sa.sa_family == AF_INET || name.sa.sa_family == AF_INET6) {
		memcpy(&addr->in6, &name.in6, SN_MIN(size, sizeof(addr->in6)));
		addr->length = size;
		*local = sn_addr_is_loopback(addr);
		return 0;
	}
	*local = name.sa.sa_family == AF_UNIX;
	return *local ? 0 : -EAFNOSUPPORT;
}

static int add_listener(struct sn_http_server *server, int fd, const struct sn_http_tls *tls,
			struct sn_addr *bound, struct sn_err *err)
{
	struct listener *listener;
	struct sn_http_daemon *daemon;
	struct sn_addr name;
	bool local = false;
	int result = socket_name(fd, &name, &local);

	if (result != 0)
		return sn_err_sys(err, result, "cannot listen on descriptor %d", fd);
	if (tls == NULL && !local && !server->config.plain_anywhere) {
		char text[SN_ADDR_TEXT_MAX];

		return sn_err_set(err, -EPERM,
				  "cannot listen on '%s' without TLS: it is not a loopback address",
				  sn_addr_format_port(&name, text, sizeof(text)));
	}
	daemon = daemon_create(server, fd, tls);
	if (daemon == NULL)
		return sn_err_set(err, -EIO, "cannot start the HTTP server");
	listener = sn_new(struct listener);
	listener->fd = fd;
	listener->tls = tls != NULL;
	listener->daemon = daemon;
	sn_list_append(&server->listeners, &listener->link);
	if (bound != NULL)
		*bound = name;
	return 0;
}

int sn_http_server_listen(struct sn_http_server *server, const struct sn_addr *addr, int fd,
			  const struct sn_http_tls *tls, struct sn_addr *bound, struct sn_err *err)
{
	bool own = fd < 0;
	int result = tls != NULL ? check_tls(tls, err) : 0;

	if (result != 0)
		return result;
	/* Before anything is bound: an open port without TLS must not exist even for a moment. */
	if (own && tls == NULL && !server->config.plain_anywhere && !sn_addr_is_loopback(addr)) {
		char text[SN_ADDR_TEXT_MAX];

		return sn_err_set(err, -EPERM,
				  "cannot listen on '%s' without TLS: it is not a loopback address",
				  sn_addr_format_port(addr, text, sizeof(text)));
	}
	if (own)
		fd = open_socket(addr, err);
	if (fd < 0)
		return fd;
	result = add_listener(server, fd, tls, bound, err);
	if (result != 0 && own)
		close(fd);
	return result;
}

static void retire(struct sn_http_daemon *daemon)
{
	MHD_quiesce_daemon(daemon->mhd);
	daemon->draining = true;
	/* It goes at once when it is empty, but never inside one of its own callbacks. */
	sn_timer_in(&daemon->timer, 0);
}

int sn_http_server_set_tls(struct sn_http_server *server, const struct sn_http_tls *tls,
			   struct sn_err *err)
{
	int result = check_tls(tls, err);

	if (result != 0)
		return result;
	sn_list_for_each (link, &server->listeners) {
		struct listener *listener = sn_list_entry(link, struct listener, link);
		struct sn_http_daemon *daemon;

		if (!listener->tls)
			continue;
		daemon = daemon_create(server, listener->fd, tls);
		if (daemon == NULL)
			return sn_err_set(err, -EIO, "cannot start the HTTP server again");
		retire(listener->daemon);
		listener->daemon = daemon;
	}
	return 0;
}

unsigned sn_http_server_close_peers(struct sn_http_server *server,
				    bool (*match)(const struct sn_pki_info *peer, void *ctx),
				    void *ctx)
{
	unsigned count = 0;

	sn_list_for_each (link, &server->conns) {
		struct sn_http_conn *conn = sn_list_entry(link, struct sn_http_conn, link);

		if (conn->peer == NULL || !match(conn->peer, ctx))
			continue;
		sn_http_conn_shutdown(conn);
		count++;
	}
	return count;
}

unsigned sn_http_server_connections(const struct sn_http_server *server)
{
	return server->conn_count;
}

/* Lifetime ------------------------------------------------------------------------------ */

static unsigned connection_limit(unsigned wanted)
{
	struct rlimit limit = {.rlim_cur = 1024};
	rlim_t room;

	if (wanted == 0)
		wanted = CONNECTIONS_MAX;
	getrlimit(RLIMIT_NOFILE, &limit);
	room = limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT
						     : DESCRIPTORS_KEPT;
	return room < wanted ? (unsigned)room : wanted;
}

struct sn_http_server *sn_http_server_create(struct sn_loop *loop,
					     const struct sn_http_config *config)
{
	struct sn_http_server *server = sn_new(struct sn_http_server);

	server->loop = loop;
	server->config = *config;
	server->config.max_connections = connection_limit(config->max_connections);
	if (config->idle_timeout_s == 0)
		server->config.idle_timeout_s = IDLE_TIMEOUT_S;
	if (config->header_timeout_ns == 0)
		server->config.header_timeout_ns = HEADER_TIMEOUT_NS;
	sn_list_init(&server->listeners);
	sn_list_init(&server->daemons);
	if (sn_http_conns_init(server) != 0) {
		free(server);
		return NULL;
	}
	sn_flush_init(&server->flush, loop, flush_daemons);
	return server;
}

void sn_http_server_destroy(struct sn_http_server *server)
{
	if (server == NULL)
		return;
	assert(!server->running);
	server->destroying = true;
	/* libmicrohttpd must not be stopped while connections are suspended. */
	sn_list_for_each (link, &server->conns)
		sn_http_conn_shutdown(sn_list_entry(link, struct sn_http_conn, link));
	sn_list_for_each (link, &server->daemons)
		daemon_destroy(sn_list_entry(link, struct sn_http_daemon, link));
	sn_list_for_each (link, &server->listeners) {
		struct listener *listener = sn_list_entry(link, struct listener, link);

		close(listener->fd);
		free(listener);
	}
	sn_flush_stop(&server->flush);
	sn_http_conns_finish(server);
	free(server);
}
