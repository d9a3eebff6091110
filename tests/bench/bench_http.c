/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests per second of processor time that the HTTP server takes, plain and with
 * mutual TLS, beside the floor of the same run: a bare epoll loop that answers the
 * same requests with the same bytes.  The server runs in a process of its own, so
 * its time is the kernel's account of that process and the clients are not in it.
 * Arguments: connections, seconds for each of the three.
 */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "net/http_server.h"
#include "process_seconds.h"

#define REQUEST "GET /api/v1/nodes/01HZXW HTTP/1.1\r\nHost: hub\r\nAccept: */*\r\n\r\n"
#define ANSWER  "{\"id\":\"01HZXW\",\"name\":\"probe-7\",\"state\":\"online\",\"seen\":12345678}"

struct client {
	int fd;
	gnutls_session_t tls; /* NULL: plain */
};

struct side {
	const char *name;
	int listener;
	pid_t pid;
	const struct sn_http_tls *tls;
	double cpu_us; /* per request */
};

static void die(const char *what)
{
	fprintf(stderr, "bench_http: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_listener(struct sn_addr *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	sn_addr_parse(SN_STR("127.0.0.1"), 0, addr);
	if (fd < 0 || bind(fd, &addr->sa, addr->length) != 0 || listen(fd, 1024) != 0 ||
	    getsockname(fd, &addr->sa, &addr->length) != 0)
		die("cannot listen");
	return fd;
}

/* The servers ------------------------------------------------------------------------ */

static void answer(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	sn_http_reply(request, 200, "application/json", ANSWER, sizeof(ANSWER) - 1);
}

static void serve_http(int listener, const struct sn_http_tls *tls)
{
	static const struct sn_http_route routes[] = {
		{"GET", "/api/v1/hub", answer, 0, 0, NULL},
		{"GET", "/api/v1/nodes", answer, 0, 0, NULL},
		{"GET", "/api/v1/nodes/{id}", answer, 0, 0, NULL},
	};
	static const struct sn_http_config config = {.routes = routes,
						     .route_count = SN_COUNT(routes)};
	struct sn_loop *loop = sn_loop_create(NULL);
	struct sn_http_server *server = sn_http_server_create(loop, &config);
	struct sn_err err;

	if (sn_http_server_listen(server, NULL, listener, tls, NULL, &err) != 0) {
		fprintf(stderr, "bench_http: %s\n", err.text);
		exit(1);
	}
	sn_loop_run(loop);
}

static void serve_floor(int listener, const struct sn_http_tls *tls SN_UNUSED)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				    "Content-Length: 65\r\n\r\n" ANSWER;
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[64];
	int epoll = epoll_create1(0);
	char buffer[4096];

	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int count = epoll_wait(epoll, events, (int)SN_COUNT(events), -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == listener) {
				event.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
				if (event.data.fd >= 0)
					epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
			} else if (read(fd, buffer, sizeof(buffer)) <= 0 ||
				   write(fd, reply, sizeof(reply) - 1) < 0) {
				close(fd);
			}
		}
	}
}

static void start(struct side *side, struct sn_addr *addr,
		  void (*serve)(int listener, const struct sn_http_tls *tls))
{
	side->listener = open_listener(addr);
	side->pid = fork();
	if (side->pid < 0)
		die("cannot fork");
	if (side->pid == 0) {
		serve(side->listener, side->tls);
		_exit(0);
	}
	close(side->listener);
}

/* The clients ------------------------------------------------------------------------- */

static gnutls_certificate_credentials_t credentials;

static void open_client(struct client *client, const struct sn_addr *addr, bool tls)
{
	int yes = 1, result;

	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || connect(client->fd, &addr->sa, addr->length) != 0)
		die("cannot connect");
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	client->tls = NULL;
	if (!tls)
		return;
	gnutls_init(&client->tls, GNUTLS_CLIENT);
	gnutls_priority_set_direct(client->tls, SN_PKI_PRIORITY, NULL);
	gnutls_credentials_set(client->tls, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(client->tls, client->fd);
	do {
		result = gnutls_handshake(client->tls);
	} while (result != 0 && !gnutls_error_is_fatal(result));
	if (result != 0)
		die("TLS handshake");
}

static void close_client(struct client *client)
{
	if (client->tls != NULL)
		gnutls_deinit(client->tls);
	close(client->fd);
}

static void ask(struct client *client)
{
	ssize_t sent = client->tls != NULL
			       ? gnutls_record_send(client->tls, REQUEST, sizeof(REQUEST) - 1)
			       : write(client->fd, REQUEST, sizeof(REQUEST) - 1);

	if (sent != sizeof(REQUEST) - 1)
		die("cannot send");
}

static void take(struct client *client)
{
	char buffer[4096];
	size_t size = 0;

	do {
		ssize_t got = client->tls != NULL
				      ? gnutls_record_recv(client->tls, buffer + size,
							   sizeof(buffer) - size)
				      : read(client->fd, buffer + size, sizeof(buffer) - size);

		if (got <= 0 && got != GNUTLS_E_AGAIN)
			die("no answer");
		size += got > 0 ? (size_t)got : 0;
	} while (size < sizeof(ANSWER) || memmem(buffer, size, ANSWER, sizeof(ANSWER) - 1) == NULL);
	if (memcmp(buffer, "HTTP/1.1 200", 12) != 0)
		die("wrong answer");
}

static void measure(struct side *side, const struct sn_addr *addr, unsigned connections,
		    uint64_t seconds)
{
	struct client *clients = sn_new_n(struct client, connections);
	uint64_t end_ns, requests = 0;
	double before;

	for (unsigned i = 0; i < connections; i++) {
		open_client(&clients[i], addr, side->tls != NULL);
		ask(&clients[i]);
		take(&clients[i]);
	}
	before = process_seconds(side->pid);
	end_ns = sn_mono_ns() + seconds * SN_NS_PER_S;
	while (sn_mono_ns() < end_ns) {
		for (unsigned i = 0; i < connections; i++)
			ask(&clients[i]);
		for (unsigned i = 0; i < connections; i++)
			take(&clients[i]);
		requests += connections;
	}
	side->cpu_us = (process_seconds(side->pid) - before) / (double)requests * 1e6;
	for (unsigned i = 0; i < connections; i++)
		close_client(&clients[i]);
	free(clients);
	kill(side->pid, SIGKILL);
	waitpid(side->pid, NULL, 0);
}

/* Identities ----------------------------------------------------------------------------- */

static void must(int result, const struct sn_err *err)
{
	if (result != 0) {
		fprintf(stderr, "bench_http: %s\n", err->text);
		exit(1);
	}
}

static struct sn_buf ca_key, ca_cert, server_key, server_cert, node_key, node_cert;

static void make_identity(const char *uri, int usage, struct sn_buf *key, struct sn_buf *cert)
{
	int64_t now = (int64_t)time(NULL);
	struct sn_buf csr = {0};
	struct sn_err err;
	struct sn_pki_issue issue = {
		.ca_cert_pem = sn_buf_cstr(&ca_cert),
		.ca_key_pem = sn_buf_cstr(&ca_key),
		.common_name = "bench",
		.uri = uri,
		.usage = usage,
		.not_before_unix_s = now - 60,
		.not_after_unix_s = now + 3600,
	};

	must(sn_pki_key_generate(key, &err), &err);
	must(sn_pki_csr_create(sn_buf_cstr(key), "bench", &csr, &err), &err);
	issue.csr_pem = sn_buf_cstr(&csr);
	must(sn_pki_issue(&issue, cert, &err), &err);
	sn_buf_finish(&csr);
}

static struct sn_http_tls make_identities(void)
{
	int64_t now = (int64_t)time(NULL);
	struct sn_err err;
	gnutls_datum_t key, cert;

	must(sn_pki_key_generate(&ca_key, &err), &err);
	must(sn_pki_ca_create(sn_buf_cstr(&ca_key), "bench", now - 60, now + 3600, &ca_cert, &err),
	     &err);
	make_identity("urn:sonde:hub:bench", SN_PKI_SERVER, &server_key, &server_cert);
	make_identity("urn:sonde:node:bench", SN_PKI_CLIENT, &node_key, &node_cert);
	key = (gnutls_datum_t){(unsigned char *)node_key.p, (unsigned)node_key.n};
	cert = (gnutls_datum_t){(unsigned char *)node_cert.p, (unsigned)node_cert.n};
	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_certificate_set_x509_key_mem(credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
	return (struct sn_http_tls){sn_buf_cstr(&server_cert), sn_buf_cstr(&server_key),
				    sn_buf_cstr(&ca_cert)};
}

int main(int argc, char **argv)
{
	unsigned connections = argc > 1 ? (unsigned)atoi(argv[1]) : 64;
	uint64_t seconds = argc > 2 ? (uint64_t)atoi(argv[2]) : 2;
	struct sn_http_tls tls = make_identities();
	struct side sides[] = {
		{.name = "bare epoll loop"},
		{.name = "HTTP server, plain"},
		{.name = "HTTP server, mutual TLS", .tls = &tls},
	};

	signal(SIGPIPE, SIG_IGN);
	printf("%u connections, %zu bytes asked, %zu bytes of JSON answered\n", connections,
	       sizeof(REQUEST) - 1, sizeof(ANSWER) - 1);
	for (size_t i = 0; i < SN_COUNT(sides); i++) {
		struct sn_addr addr;

		start(&sides[i], &addr, i == 0 ? serve_floor : serve_http);
		measure(&sides[i], &addr, connections, seconds);
		printf("%-24s %6.1f us of CPU per request %9.0f requests per CPU second %6.2f x "
		       "the floor\n",
		       sides[i].name, sides[i].cpu_us, 1e6 / sides[i].cpu_us,
		       sides[i].cpu_us / sides[0].cpu_us);
	}
	return 0;
}
