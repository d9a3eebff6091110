/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_clients.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define EVENTS 512
#define PIECE  16384

enum state { SHAKING, READY, SENDING, READING };

struct tls_client {
	struct tls_clients *clients;
	struct tls_client *next;
	gnutls_session_t session;
	gnutls_certificate_credentials_t identity;
	int fd;
	unsigned number;
	enum state state;
	bool queued; /* a request waits in `out` for the handshake */
	struct sn_buf out, in;
	size_t sent;
	uint64_t due_ns;
};

struct tls_clients {
	const char *ca_pem, *key_pem;
	uint16_t port;
	tls_answer_fn *on_answer;
	void *ctx;
	int epoll;
	unsigned pending;
	struct tls_client *all;
};

static void die(const char *what, int code)
{
	fprintf(stderr, "bench: %s: %s\n", what, code < 0 ? gnutls_strerror(code) : strerror(code));
	exit(1);
}

uint64_t tls_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct tls_clients *tls_clients_create(const char *ca_pem, const char *key_pem, uint16_t port,
				       tls_answer_fn *on_answer, void *ctx)
{
	struct tls_clients *clients = sn_new(struct tls_clients);

	*clients = (struct tls_clients){ca_pem, key_pem, port, on_answer, ctx, 0, 0, NULL};
	clients->epoll = epoll_create1(EPOLL_CLOEXEC);
	return clients;
}

void tls_clients_destroy(struct tls_clients *clients)
{
	while (clients->all != NULL) {
		struct tls_client *client = clients->all;

		clients->all = client->next;
		gnutls_deinit(client->session);
		gnutls_certificate_free_credentials(client->identity);
		close(client->fd);
		sn_buf_finish(&client->out);
		sn_buf_finish(&client->in);
		free(client);
	}
	close(clients->epoll);
	free(clients);
}

static void watch(struct tls_client *client, int how, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = client};

	if (epoll_ctl(client->clients->epoll, how, client->fd, &event) != 0)
		die("epoll_ctl", errno);
}

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
}

static void start_session(struct tls_client *client, const char *cert_pem)
{
	gnutls_datum_t ca = datum(client->clients->ca_pem), key = datum(client->clients->key_pem);
	gnutls_datum_t cert = datum(cert_pem);
	int code;

	gnutls_certificate_allocate_credentials(&client->identity);
	code = gnutls_certificate_set_x509_trust_mem(client->identity, &ca, GNUTLS_X509_FMT_PEM);
	if (code < 0)
		die("CA", code);
	code = gnutls_certificate_set_x509_key_mem(client->identity, &cert, &key,
						   GNUTLS_X509_FMT_PEM);
	if (code < 0)
		die("certificate", code);
	gnutls_init(&client->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS);
	gnutls_set_default_priority(client->session);
	gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->identity);
	gnutls_session_set_verify_cert(client->session, "127.0.0.1", 0);
	gnutls_transport_set_int(client->session, client->fd);
}

struct tls_client *tls_clients_add(struct tls_clients *clients, const char *cert_pem,
				   unsigned number)
{
	struct tls_client *client = sn_new(struct tls_client);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(clients->port)};
	int one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client->clients = clients;
	client->number = number;
	client->next = clients->all;
	clients->all = client;
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		die("socket", errno);
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(client->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
		die("connect", errno);
	start_session(client, cert_pem);
	watch(client, EPOLL_CTL_ADD, EPOLLOUT | EPOLLIN);
	return client;
}

unsigned tls_client_number(const struct tls_client *client)
{
	return client->number;
}

bool tls_client_busy(const struct tls_client *client)
{
	return client->queued || client->state == SENDING || client->state == READING;
}

static void push(struct tls_client *client)
{
	while (client->sent < client->out.n) {
		ssize_t wrote = gnutls_record_send(client->session, client->out.p + client->sent,
						   client->out.n - client->sent);

		if (wrote == GNUTLS_E_AGAIN || wrote == GNUTLS_E_INTERRUPTED) {
			watch(client, EPOLL_CTL_MOD, EPOLLOUT | EPOLLIN);
			return;
		}
		if (wrote < 0)
			die("send", (int)wrote);
		client->sent += (size_t)wrote;
	}
	client->state = READING;
	watch(client, EPOLL_CTL_MOD, EPOLLIN);
}

void tls_client_send(struct tls_client *client, const char *method, const char *path,
		     struct sn_str body)
{
	tls_client_send_with(client, method, path, "Content-Type: application/x-mplane+json\r\n",
			     body);
}

void tls_client_send_with(struct tls_client *client, const char *method, const char *path,
			  const char *headers, struct sn_str body)
{
	sn_buf_clear(&client->out);
	sn_buf_addf(&client->out,
		    "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %zu\r\n\r\n", method,
		    path, headers, body.n);
	sn_buf_add(&client->out, body.p, body.n);
	client->sent = 0;
	client->due_ns = tls_now();
	client->clients->pending++;
	if (client->state == SHAKING) {
		client->queued = true;
		return;
	}
	client->state = SENDING;
	push(client);
}

static void shake(struct tls_client *client)
{
	int code = gnutls_handshake(client->session);

	if (code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED) {
		watch(client, EPOLL_CTL_MOD,
		      gnutls_record_get_direction(client->session) ? EPOLLOUT : EPOLLIN);
		return;
	}
	if (code < 0)
		die("handshake", code);
	client->state = READY;
	watch(client, EPOLL_CTL_MOD, EPOLLIN);
	if (client->queued) {
		client->queued = false;
		client->state = SENDING;
		push(client);
	}
}

/* The whole answer: its status and body, or false while more must come. */
static bool complete(const struct sn_buf *in, unsigned *status, struct sn_str *body)
{
	const char *end = in->n > 0 ? memmem(in->p, in->n, "\r\n\r\n", 4) : NULL;
	size_t head = end != NULL ? (size_t)(end - in->p) + 4 : 0, size = 0;

	if (end == NULL)
		return false;
	for (const char *line = in->p; line < end;
	     line = (const char *)memchr(line, '\n', in->n) + 1)
		if (strncasecmp(line, "content-length:", 15) == 0)
			size = strtoul(line + 15, NULL, 10);
	if (in->n < head + size)
		return false;
	*status = (unsigned)strtoul(in->p + 9, NULL, 10);
	*body = (struct sn_str){in->p + head, size};
	return true;
}

static void pull(struct tls_client *client)
{
	char piece[PIECE];
	struct sn_str body;
	unsigned status;
	ssize_t got;

	while ((got = gnutls_record_recv(client->session, piece, sizeof(piece))) > 0)
		sn_buf_add(&client->in, piece, (size_t)got);
	if (got == 0)
		die("the hub closed a connection", EPIPE);
	if (got != GNUTLS_E_AGAIN && got != GNUTLS_E_INTERRUPTED)
		die("receive", (int)got);
	if (client->state != READING || !complete(&client->in, &status, &body))
		return;
	client->state = READY;
	client->clients->pending--;
	client->clients->on_answer(client, status, body, client->due_ns, client->clients->ctx);
	sn_buf_clear(&client->in);
}

void tls_clients_turn(struct tls_clients *clients, int wait_ms)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(clients->epoll, events, EVENTS, wait_ms);

	for (int i = 0; i < count; i++) {
		struct tls_client *client = events[i].data.ptr;

		if (client->state == SHAKING)
			shake(client);
		else if (client->state == SENDING && (events[i].events & EPOLLOUT))
			push(client);
		if (client->state == READY || client->state == READING)
			pull(client);
	}
}

unsigned tls_clients_pending(const struct tls_clients *clients)
{
	return clients->pending;
}
