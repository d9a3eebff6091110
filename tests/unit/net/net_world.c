/* SPDX-License-Identifier: Apache-2.0 */
#include "net_world.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

void world_init_tls(struct world *world, const struct sn_http_config *config,
		    const struct sn_http_tls *tls, const struct sn_http_client_config *client)
{
	static const struct sn_http_client_config none;
	struct sn_addr any;
	struct sn_err err = {0};
	char text[SN_ADDR_TEXT_MAX];

	memset(world, 0, sizeof(*world));
	world->loop = sn_loop_create(NULL);
	world->server = sn_http_server_create(world->loop, config);
	assert_non_null(world->server);
	assert_int_equal(sn_addr_parse(SN_STR("127.0.0.1"), 0, &any), 0);
	if (sn_http_server_listen(world->server, &any, -1, tls, &world->addr, &err) != 0)
		fail_msg("%s", err.text);
	snprintf(world->url, sizeof(world->url), "%s://%s", tls != NULL ? "https" : "http",
		 sn_addr_format_port(&world->addr, text, sizeof(text)));
	world->client = sn_http_client_create(world->loop, client != NULL ? client : &none);
}

void world_init(struct world *world, const struct sn_http_config *config)
{
	world_init_tls(world, config, NULL, NULL);
}

void world_finish(struct world *world)
{
	sn_http_client_destroy(world->client);
	sn_http_server_destroy(world->server);
	sn_loop_destroy(world->loop);
}

bool world_until(struct world *world, const unsigned *flag)
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	while (*flag == 0 && sn_mono_ns() < end_ns)
		sn_loop_turn(world->loop, 100 * SN_NS_PER_MS);
	return *flag != 0;
}

void world_turns(struct world *world, unsigned milliseconds)
{
	uint64_t end_ns = sn_mono_ns() + milliseconds * (uint64_t)SN_NS_PER_MS, now_ns;

	while ((now_ns = sn_mono_ns()) < end_ns)
		sn_loop_turn(world->loop, end_ns - now_ns);
}

void outcome_done(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		  void *ctx)
{
	struct outcome *outcome = ctx;

	outcome->calls++;
	outcome->error = answer->error;
	outcome->status = answer->status;
	outcome->retry_after_s = answer->retry_after_s;
	snprintf(outcome->text, sizeof(outcome->text), "%s", answer->err.text);
	snprintf(outcome->content_type, sizeof(outcome->content_type), "%s",
		 answer->content_type != NULL ? answer->content_type : "");
	snprintf(outcome->etag, sizeof(outcome->etag), "%s",
		 answer->etag != NULL ? answer->etag : "");
	sn_buf_add(&outcome->body, answer->body.p, answer->body.n);
}

void outcome_finish(struct outcome *outcome)
{
	sn_buf_finish(&outcome->body);
}

const char *outcome_body(struct outcome *outcome)
{
	return sn_buf_cstr(&outcome->body);
}

struct sn_http_fetch *world_start(struct world *world, const char *method, const char *path,
				  const void *body, size_t size, const char *const *headers,
				  struct outcome *outcome)
{
	char url[512];
	struct sn_http_fetch_spec spec = {
		.method = method,
		.url = url,
		.headers = headers,
		.body = body,
		.body_size = size,
		.on_done = outcome_done,
		.ctx = outcome,
	};

	memset(outcome, 0, sizeof(*outcome));
	snprintf(url, sizeof(url), "%s%s", path[0] == '/' ? world->url : "", path);
	return sn_http_fetch(world->client, &spec);
}

void world_fetch(struct world *world, const char *method, const char *path, const void *body,
		 size_t size, struct outcome *outcome)
{
	assert_non_null(world_start(world, method, path, body, size, NULL, outcome));
	assert_int_equal(outcome->calls, 0);
	assert_true(world_until(world, &outcome->calls));
}

void world_get(struct world *world, const char *path, struct outcome *outcome)
{
	world_fetch(world, "GET", path, NULL, 0, outcome);
}

int raw_connect(struct world *world)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &world->addr.sa, world->addr.length), 0);
	return fd;
}

void raw_send(int fd, const char *text)
{
	size_t size = strlen(text);

	assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
}

/* One attempt: 1 something came, 0 nothing yet, -1 closed. */
static int raw_read(int fd, struct sn_buf *in)
{
	char piece[65536];
	ssize_t got = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

	if (got > 0) {
		if (in != NULL)
			sn_buf_add(in, piece, (size_t)got);
		return 1;
	}
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

bool raw_expect(struct world *world, int fd, struct sn_buf *in, const char *needle)
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	while (sn_mono_ns() < end_ns) {
		int result = raw_read(fd, in);

		if (strstr(sn_buf_cstr(in), needle) != NULL)
			return true;
		if (result < 0)
			return false;
		if (result == 0)
			sn_loop_turn(world->loop, 2 * SN_NS_PER_MS);
	}
	return false;
}

bool raw_closed(struct world *world, int fd, struct sn_buf *in, unsigned milliseconds)
{
	uint64_t end_ns = sn_mono_ns() + milliseconds * (uint64_t)SN_NS_PER_MS;

	do {
		int result = raw_read(fd, in);

		if (result < 0)
			return true;
		if (result == 0)
			sn_loop_turn(world->loop, 2 * SN_NS_PER_MS);
	} while (sn_mono_ns() < end_ns);
	return false;
}

/* Identities ---------------------------------------------------------------- */

static char *write_file(struct pki *pki, const char *name, const char *suffix,
			const struct sn_buf *text)
{
	char *path = sn_xasprintf("%s/%s.%s", pki->dir, name, suffix);
	struct sn_err err = {0};

	if (sn_fs_write_atomic(path, text->p, text->n, 0600, &err) != 0)
		fail_msg("%s", err.text);
	return path;
}

void pki_init(struct pki *pki, const char *common_name)
{
	int64_t now = (int64_t)time(NULL);

	memset(pki, 0, sizeof(*pki));
	snprintf(pki->dir, sizeof(pki->dir), "/tmp/sonde-test-pki.XXXXXX");
	assert_non_null(mkdtemp(pki->dir));
	assert_int_equal(sn_pki_key_generate(&pki->ca_key_pem, NULL), 0);
	assert_int_equal(sn_pki_ca_create(sn_buf_cstr(&pki->ca_key_pem), common_name, now - 86400,
					  now + 2 * 86400, &pki->ca_pem, NULL),
			 0);
	sn_buf_cstr(&pki->ca_pem);
	pki->ca_file = write_file(pki, "ca", "pem", &pki->ca_pem);
}

void pki_finish(struct pki *pki)
{
	sn_fs_remove_tree(pki->dir, NULL);
	sn_buf_finish(&pki->ca_pem);
	sn_buf_finish(&pki->ca_key_pem);
	free(pki->ca_file);
}

void pki_identity(struct pki *pki, const char *name, const char *uri, int usage, int64_t from_s,
		  int64_t to_s, struct identity *identity)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", NULL};
	int64_t now = (int64_t)time(NULL);
	struct sn_buf csr = {0};
	struct sn_err err = {0};
	struct sn_pki_issue issue = {
		.ca_cert_pem = pki->ca_pem.p,
		.ca_key_pem = pki->ca_key_pem.p,
		.common_name = name,
		.uri = uri,
		.hosts = usage & SN_PKI_SERVER ? hosts : NULL,
		.usage = usage,
		.not_before_unix_s = now + from_s,
		.not_after_unix_s = now + to_s,
	};

	memset(identity, 0, sizeof(*identity));
	assert_int_equal(sn_pki_key_generate(&identity->key_pem, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(&identity->key_pem), name, &csr, NULL), 0);
	issue.csr_pem = sn_buf_cstr(&csr);
	if (sn_pki_issue(&issue, &identity->cert_pem, &err) != 0)
		fail_msg("%s", err.text);
	sn_buf_finish(&csr);
	sn_buf_cstr(&identity->cert_pem);
	identity->cert_file = write_file(pki, name, "cert", &identity->cert_pem);
	identity->key_file = write_file(pki, name, "key", &identity->key_pem);
}

void identity_finish(struct identity *identity)
{
	sn_buf_finish(&identity->cert_pem);
	sn_buf_finish(&identity->key_pem);
	free(identity->cert_file);
	free(identity->key_file);
}
