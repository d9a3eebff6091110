/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake_clickhouse.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/native.h"

#define REQUEST_MAX (64 << 20)

/* Known questions ------------------------------------------------------------------- */

static void add_texts(struct sn_buf *out, const char *name, const struct sn_str *texts, size_t rows)
{
	struct sn_native_column column = {name, SN_TYPE_TEXT, false};
	struct sn_vector vector = {.type = SN_TYPE_TEXT, .rows = rows, .s = texts};

	sn_native_add_column(out, &column, &vector);
}

static void add_columns(struct sn_buf *out, const struct sn_dataset *dataset)
{
	struct sn_str names[SN_DATASET_COLUMNS_MAX], types[SN_DATASET_COLUMNS_MAX];

	for (size_t i = 0; i < dataset->column_count; i++) {
		names[i] = sn_str(dataset->columns[i].name);
		types[i] = sn_str(sn_native_type(dataset->columns[i].type, i != SN_COL_TIME));
	}
	sn_native_add_head(out, 2, dataset->column_count);
	add_texts(out, "name", names, dataset->column_count);
	add_texts(out, "type", types, dataset->column_count);
}

static bool answer_known(struct fake_clickhouse *fake, const char *body, struct sn_buf *out)
{
	struct sn_str version = SN_STR("18.16.1");
	struct sn_buf rows = {0};

	if (strncmp(body, "SELECT version()", 16) == 0) {
		sn_native_add_head(&rows, 1, 1);
		add_texts(&rows, "version()", &version, 1);
	} else if (strstr(body, " FROM system.columns ") != NULL) {
		add_columns(&rows, fake->dataset);
	} else {
		return false;
	}
	sn_buf_addf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", rows.n);
	sn_buf_add(out, rows.p, rows.n);
	sn_buf_finish(&rows);
	return true;
}

/* Connections -------------------------------------------------------------------------- */

/* The whole of a request; its body, or NULL at the end of the connection. */
static char *read_request(struct fake_clickhouse *fake, int fd, struct sn_buf *request)
{
	char piece[65536], *head_end, *length;

	sn_buf_clear(request);
	while (request->n < REQUEST_MAX) {
		ssize_t n = recv(fd, piece, sizeof(piece), 0);

		if (n <= 0)
			return NULL;
		if (request->n == 0)
			atomic_fetch_add(&fake->begun, 1);
		sn_buf_add(request, piece, (size_t)n);
		sn_buf_cstr(request);
		head_end = strstr(request->p, "\r\n\r\n");
		length = strstr(request->p, "Content-Length: ");
		if (head_end != NULL && length != NULL && length < head_end &&
		    request->n - (size_t)(head_end + 4 - request->p) >=
			    strtoul(length + 16, NULL, 10))
			return head_end + 4;
	}
	return NULL;
}

static bool send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* Waits until the other side goes. */
static void wait_for_end(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) > 0)
		;
}

/* Whether the connection goes on. */
static bool serve_one(struct fake_clickhouse *fake, int fd, struct sn_buf *request)
{
	char *body = read_request(fake, fd, request);
	struct sn_buf known = {0};
	struct sn_str answer;
	bool good;

	if (body == NULL)
		return false;
	if (answer_known(fake, body, &known)) {
		good = send_all(fd, known.p, known.n);
		sn_buf_finish(&known);
		return good;
	}
	atomic_fetch_add(&fake->questions, 1);
	if (fake->hang) {
		wait_for_end(fd);
		return false;
	}
	/* When the client has the answer it may already want another one. */
	answer = fake->answer;
	good = answer.n > 0 && !fake->close;
	return send_all(fd, answer.p, answer.n) && good;
}

static void *serve(void *ctx)
{
	struct fake_clickhouse *fake = ctx;
	struct sn_buf request = {0};
	int fd;

	while ((fd = accept(fake->fd, NULL, NULL)) >= 0) {
		atomic_fetch_add(&fake->connections, 1);
		while (serve_one(fake, fd, &request))
			;
		close(fd);
	}
	sn_buf_finish(&request);
	return NULL;
}

void fake_clickhouse_start(struct fake_clickhouse *fake, const struct sn_dataset *dataset)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	*fake = (struct fake_clickhouse){.dataset = dataset};
	fake->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fake->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fake->fd, 8) != 0 ||
	    getsockname(fake->fd, (struct sockaddr *)&address, &size) != 0) {
		perror("a server for the test");
		exit(1);
	}
	snprintf(fake->url, sizeof(fake->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	pthread_create(&fake->thread, NULL, serve, fake);
}

/* The client must have closed its connection. */
void fake_clickhouse_stop(struct fake_clickhouse *fake)
{
	shutdown(fake->fd, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->fd);
}
