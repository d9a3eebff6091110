/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: the verified peer, deadlines that idle timeouts do not cover,
 * clients that leave while they wait, and the lingering close.
 */
#include <assert.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/http_server_internal.h"

#define DRAIN_MAX    64
#define DRAIN_NS     (2 * SN_NS_PER_S)
#define DRAIN_BYTES  (16 * 1024 * 1024)
#define SWEEP_MIN_NS (100 * SN_NS_PER_MS)
#define SWEEP_MAX_NS (2 * SN_NS_PER_S)

struct drain { /* a socket whose last bytes are still read, to nowhere */
	struct sn_list link;
	struct sn_http_server *server;
	struct sn_io io;
	struct sn_timer timer;
	int fd;
	uint64_t discarded;
};

/* Lingering close ---------------------------------------------------------------- */

static void drain_end(struct drain *drain)
{
	sn_io_stop(&drain->io);
	sn_timer_stop(&drain->timer);
	sn_list_remove(&drain->link);
	drain->server->drain_count--;
	close(drain->fd);
	free(drain);
}

static void drain_due(struct sn_timer *timer)
{
	drain_end(sn_container_of(timer, struct drain, timer));
}

static void drain_readable(struct sn_io *io, int events SN_UNUSED)
{
	struct drain *drain = sn_container_of(io, struct drain, io);
	char nowhere[16384];
	ssize_t got = recv(drain->fd, nowhere, sizeof(nowhere), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || (drain->discarded += (uint64_t)got) > DRAIN_BYTES)
		drain_end(drain);
}

/*
 * Closing a socket with unread bytes makes the kernel send a reset, and a client
 * that is still uploading may then never see why it was refused.  So a second
 * descriptor keeps the socket for a moment and swallows what comes.
 */
static void drain_begin(struct sn_http_conn *conn)
{
	struct sn_http_server *server = conn->server;
	struct drain *drain;
	int fd;

	if (server->drain_count >= DRAIN_MAX || server->destroying)
		return;
	fd = dup(conn->fd);
	if (fd < 0)
		return;
	shutdown(fd, SHUT_WR);
	drain = sn_new(struct drain);
	drain->server = server;
	drain->fd = fd;
	sn_io_init(&drain->io, server->loop, fd, drain_readable);
	sn_timer_init(&drain->timer, server->loop, drain_due);
	sn_list_append(&server->drains, &drain->link);
	server->drain_count++;
	sn_timer_in(&drain->timer, DRAIN_NS);
	if (sn_io_start(&drain->io, SN_IO_READ) != 0)
		drain_end(drain);
}

/* Departures ----------------------------------------------------------------------- */

static void watch(struct sn_http_conn *conn)
{
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = conn};

	if (!conn->watched &&
	    epoll_ctl(conn->server->watch_fd, EPOLL_CTL_ADD, conn->fd, &event) == 0)
		conn->watched = true;
}

static void unwatch(struct sn_http_conn *conn)
{
	if (conn->watched)
		epoll_ctl(conn->server->watch_fd, EPOLL_CTL_DEL, conn->fd, NULL);
	conn->watched = false;
}

/* A client that closes its side while it waits has given up (as when a browser tab closes). */
static void departures(struct sn_io *io, int events SN_UNUSED)
{
	struct sn_http_server *server = sn_container_of(io, struct sn_http_server, watch_io);
	struct epoll_event list[64];
	int count = epoll_wait(server->watch_fd, list, (int)SN_COUNT(list), 0);

	for (int i = 0; i < count; i++) {
		struct sn_http_conn *conn = list[i].data.ptr;

		conn->gone = true;
		sn_http_conn_resume(conn);
	}
}

void sn_http_conn_suspend(struct sn_http_conn *conn)
{
	assert(!conn->suspended);
	watch(conn);
	MHD_suspend_connection(conn->mhd);
	conn->suspended = true;
	if (conn->gone)
		sn_http_conn_resume(conn);
}

void sn_http_conn_resume(struct sn_http_conn *conn)
{
	if (!conn->suspended)
		return;
	conn->suspended = false;
	MHD_resume_connection(conn->mhd);
	sn_http_daemon_wake(conn->daemon);
}

void sn_http_conn_shutdown(struct sn_http_conn *conn)
{
	conn->gone = true;
	shutdown(conn->fd, SHUT_RDWR);
	sn_http_conn_resume(conn);
	sn_http_daemon_wake(conn->daemon);
}

ssize_t sn_http_conn_break(struct sn_http_conn *conn, char *out)
{
	sn_http_conn_shutdown(conn);
	out[0] = '\n';
	return 1;
}

/* Deadlines ------------------------------------------------------------------------- */

/*
 * libmicrohttpd closes a connection on which nothing moves.  A client that sends
 * a byte now and then is never idle, so the time for headers and the rate of a
 * body have limits of their own.
 */
static bool overdue(const struct sn_http_conn *conn, uint64_t now_ns)
{
	const struct sn_http_config *config = &conn->server->config;
	uint64_t age_ns = now_ns - conn->phase_ns, grace_ns = config->header_timeout_ns;

	switch (conn->phase) {
	case SN_HTTP_FRESH:
	case SN_HTTP_HEADERS:
		return age_ns > grace_ns;
	case SN_HTTP_IDLE:
		return age_ns > grace_ns + config->idle_timeout_s * (uint64_t)SN_NS_PER_S;
	case SN_HTTP_BODY:
		return age_ns > grace_ns &&
		       (double)conn->received <
			       SN_HTTP_BODY_RATE_MIN * ((double)age_ns / SN_NS_PER_S);
	case SN_HTTP_WORK:
		break;
	}
	return false;
}

/*
 * Gone in the middle of a request.  libmicrohttpd does not see an end that comes together with
 * the last bytes, and would keep the connection, and what is reserved for its body.
 */
static bool hung_up(const struct sn_http_conn *conn)
{
	char next;

	return !sn_list_empty(&conn->reading) &&
	       recv(conn->fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static uint64_t sweep_interval(const struct sn_http_server *server)
{
	uint64_t quarter_ns = server->config.header_timeout_ns / 4;

	return SN_MAX(SN_MIN(quarter_ns, (uint64_t)SWEEP_MAX_NS), (uint64_t)SWEEP_MIN_NS);
}

static void sweep(struct sn_timer *timer)
{
	struct sn_http_server *server = sn_container_of(timer, struct sn_http_server, sweep);
	uint64_t now_ns = sn_loop_now(server->loop);

	sn_list_for_each (link, &server->conns) {
		struct sn_http_conn *conn = sn_list_entry(link, struct sn_http_conn, link);

		if (overdue(conn, now_ns) || hung_up(conn))
			sn_http_conn_shutdown(conn);
	}
	if (server->conn_count > 0)
		sn_timer_in(timer, sweep_interval(server));
}

void sn_http_conn_phase(struct sn_http_conn *conn, enum sn_http_phase phase)
{
	bool reads = phase == SN_HTTP_FRESH || phase == SN_HTTP_HEADERS || phase == SN_HTTP_BODY;

	sn_list_remove(&conn->reading);
	if (reads)
		sn_list_append(&conn->daemon->reading, &conn->reading);
	sn_list_remove(&conn->working);
	if (phase == SN_HTTP_WORK)
		sn_list_append(&conn->daemon->working, &conn->working);
	sn_list_remove(&conn->strange);
	if (phase != SN_HTTP_WORK && conn->peer == NULL)
		sn_list_append(&conn->server->strangers, &conn->strange);
	conn->phase = phase;
	conn->phase_ns = sn_loop_now(conn->server->loop);
	conn->received = 0;
}

bool sn_http_conn_has_unread(const struct sn_http_conn *conn)
{
	const union MHD_ConnectionInfo *tls;
	int waiting = 0;

	if (ioctl(conn->fd, FIONREAD, &waiting) == 0 && waiting > 0)
		return true;
	if (!conn->daemon->tls)
		return false;
	tls = MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return tls != NULL && gnutls_record_check_pending(tls->tls_session) > 0;
}

bool sn_http_conn_can_send(const struct sn_http_conn *conn)
{
	struct pollfd writable = {.fd = conn->fd, .events = POLLOUT};

	return !conn->suspended && conn->request != NULL &&
	       conn->request->state == SN_HTTP_REQUEST_QUEUED && poll(&writable, 1, 0) == 1 &&
	       (writable.revents & POLLOUT) != 0;
}

/*
 * Whoever opens connections by the thousand must not shut out the others.  When there is little
 * room left, a new connection takes the place of the one that has gone without asking anything for
 * longest, and that showed no certificate.
 */
static void make_room(struct sn_http_server *server)
{
	unsigned limit = server->config.max_connections;

	if (server->conn_count >= limit - limit / 16 && !sn_list_empty(&server->strangers)) {
		struct sn_http_conn *oldest =
			sn_list_entry(server->strangers.next, struct sn_http_conn, strange);

		sn_list_remove(&oldest->strange);
		sn_http_conn_shutdown(oldest);
	}
}

/* Identity ---------------------------------------------------------------------------- */

/* libmicrohttpd asks for a certificate but takes any, and none: it is judged here. */
const struct sn_pki_info *sn_http_conn_peer(struct sn_http_conn *conn)
{
	if (!conn->peer_known) {
		const struct sn_http_trust *trust = conn->daemon->trust;
		const union MHD_ConnectionInfo *tls =
			trust != NULL ? MHD_get_connection_info(conn->mhd,
								MHD_CONNECTION_INFO_GNUTLS_SESSION)
				      : NULL;

		conn->peer = tls != NULL ? sn_http_trust_peer(trust, tls->tls_session) : NULL;
		conn->peer_known = true;
	}
	/* A connection may live longer than the certificate that opened it. */
	if (conn->peer != NULL &&
	    conn->peer->not_after_unix_s < sn_loop_wall_now(conn->server->loop) / SN_NS_PER_S)
		return NULL;
	return conn->peer;
}

/* Lifetime ------------------------------------------------------------------------------ */

struct sn_http_conn *sn_http_conn_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* The peer's address; IPv4 that came through an IPv6 socket is IPv4 again. */
static void read_addr(struct sn_http_conn *conn)
{
	const struct sockaddr *sa =
		MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
	struct sn_addr *addr = &conn->addr;

	if (sa->sa_family == AF_INET) {
		memcpy(&addr->in, sa, sizeof(addr->in));
		addr->length = sizeof(addr->in);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&addr->in6, sa, sizeof(addr->in6));
		addr->length = sizeof(addr->in6);
	}
	if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr)) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = addr->in6.sin6_port};

		memcpy(&in.sin_addr, &addr->in6.sin6_addr.s6_addr[12], sizeof(in.sin_addr));
		*addr = (struct sn_addr){.length = sizeof(in)};
		addr->in = in;
	}
}

struct sn_http_conn *sn_http_conn_open(struct sn_http_daemon *daemon, struct MHD_Connection *mhd)
{
	struct sn_http_server *server = daemon->server;
	struct sn_http_conn *conn = sn_new(struct sn_http_conn);

	conn->server = server;
	conn->daemon = daemon;
	conn->mhd = mhd;
	conn->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	read_addr(conn);
	sn_list_init(&conn->reading);
	sn_list_init(&conn->working);
	sn_list_init(&conn->strange);
	make_room(server);
	sn_http_conn_phase(conn, SN_HTTP_FRESH);
	sn_list_append(&server->conns, &conn->link);
	daemon->connections++;
	if (server->conn_count++ == 0)
		sn_timer_in(&server->sweep, sweep_interval(server));
	return conn;
}

void sn_http_conn_close(struct sn_http_conn *conn)
{
	unwatch(conn);
	if (conn->linger && !conn->gone)
		drain_begin(conn);
	sn_list_remove(&conn->link);
	sn_list_remove(&conn->reading);
	sn_list_remove(&conn->working);
	sn_list_remove(&conn->strange);
	conn->daemon->connections--;
	if (--conn->server->conn_count == 0)
		sn_timer_stop(&conn->server->sweep);
	free(conn->peer);
	free(conn);
}

int sn_http_conns_init(struct sn_http_server *server)
{
	sn_list_init(&server->conns);
	sn_list_init(&server->strangers);
	sn_list_init(&server->drains);
	sn_timer_init(&server->sweep, server->loop, sweep);
	server->watch_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->watch_fd < 0)
		return -errno;
	sn_io_init(&server->watch_io, server->loop, server->watch_fd, departures);
	return sn_io_start(&server->watch_io, SN_IO_READ);
}

void sn_http_conns_finish(struct sn_http_server *server)
{
	assert(sn_list_empty(&server->conns));
	while (!sn_list_empty(&server->drains))
		drain_end(sn_list_entry(server->drains.next, struct drain, link));
	sn_timer_stop(&server->sweep);
	sn_io_stop(&server->watch_io);
	close(server->watch_fd);
}
