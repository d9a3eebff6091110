/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_world: an HTTP server and a client on one loop in one process, talking over
 * loopback, with helpers that turn the loop until something has happened.
 */
#ifndef SONDE_TESTS_NET_WORLD_H
#define SONDE_TESTS_NET_WORLD_H

#include "lib/test.h"

#include "base/buf.h"
#include "base/loop.h"
#include "net/http_client.h"
#include "net/http_server.h"

struct world {
	struct sn_loop *loop;
	struct sn_http_server *server;
	struct sn_http_client *client;
	struct sn_addr addr;
	char url[64]; /* "http://127.0.0.1:port" */
};

/* What came of one request. */
struct outcome {
	unsigned calls; /* of on_done: must become 1 */
	int error;
	char text[SN_ERR_TEXT_MAX];
	unsigned status;
	struct sn_buf body;
	char content_type[64], etag[64];
	double retry_after_s;
};

/* `config.ctx` is free for the test; plain HTTP on a free port of 127.0.0.1. */
void world_init(struct world *world, const struct sn_http_config *config);
void world_init_tls(struct world *world, const struct sn_http_config *config,
		    const struct sn_http_tls *tls, const struct sn_http_client_config *client);
void world_finish(struct world *world);
/* Turns the loop until *flag or patience is over; true if the flag was set. */
bool world_until(struct world *world, const unsigned *flag);
void world_turns(struct world *world, unsigned milliseconds);

/* Starts a request; `path` may be a whole URL. */
struct sn_http_fetch *world_start(struct world *world, const char *method, const char *path,
				  const void *body, size_t size, const char *const *headers,
				  struct outcome *outcome);
/* One request from start to end; asserts that it ended. */
void world_fetch(struct world *world, const char *method, const char *path, const void *body,
		 size_t size, struct outcome *outcome);
void world_get(struct world *world, const char *path, struct outcome *outcome);
void outcome_done(struct sn_http_fetch *fetch, const struct sn_http_answer *answer, void *ctx);
void outcome_finish(struct outcome *outcome);
const char *outcome_body(struct outcome *outcome);

/* A bare TCP client, for what libcurl would never send. */
int raw_connect(struct world *world);
void raw_send(int fd, const char *text);
/* Reads (turning the loop) until `needle` came, the peer closed, or patience is over. */
bool raw_expect(struct world *world, int fd, struct sn_buf *in, const char *needle);
/* True once the peer has closed; what comes before is appended to `in` (may be NULL). */
bool raw_closed(struct world *world, int fd, struct sn_buf *in, unsigned milliseconds);

/* A small public key infrastructure in a temporary directory. */
struct identity {
	char *cert_file, *key_file;
	struct sn_buf cert_pem, key_pem;
};

struct pki {
	char dir[64];
	struct sn_buf ca_pem, ca_key_pem;
	char *ca_file;
};

void pki_init(struct pki *pki, const char *common_name);
void pki_finish(struct pki *pki);
/* `from_s`, `to_s` are relative to now; the CA lives two days. */
void pki_identity(struct pki *pki, const char *name, const char *uri, int usage, int64_t from_s,
		  int64_t to_s, struct identity *identity);
void identity_finish(struct identity *identity);

#endif
