/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_clients: thousands of HTTPS clients with certificates of their own in one
 * process, for benchmarks: one request at a time on each connection, kept open.
 *
 * Cheap rather than complete: answers must have a Content-Length; anything
 * unexpected ends the benchmark.
 */
#ifndef SONDE_BENCH_TLS_CLIENTS_H
#define SONDE_BENCH_TLS_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct tls_clients;
struct tls_client;

/* An answer has come; `sent_ns` is when its request was due. */
typedef void tls_answer_fn(struct tls_client *client, unsigned status, struct sn_str body,
			   uint64_t sent_ns, void *ctx);

struct tls_clients *tls_clients_create(const char *ca_pem, const char *key_pem, uint16_t port,
				       tls_answer_fn *on_answer, void *ctx);
void tls_clients_destroy(struct tls_clients *clients);
/* Connects at once. `number` is for the caller. */
struct tls_client *tls_clients_add(struct tls_clients *clients, const char *cert_pem,
				   unsigned number);
unsigned tls_client_number(const struct tls_client *client);
/* Sends when the connection stands; one at a time. */
void tls_client_send(struct tls_client *client, const char *method, const char *path,
		     struct sn_str body);
/* The same with header lines, each with its CR LF, in place of mPlane's content type. */
void tls_client_send_with(struct tls_client *client, const char *method, const char *path,
			  const char *headers, struct sn_str body);
bool tls_client_busy(const struct tls_client *client);
/* Moves bytes, waiting at most so long. */
void tls_clients_turn(struct tls_clients *clients, int wait_ms);
unsigned tls_clients_pending(const struct tls_clients *clients); /* requests without an answer */
uint64_t tls_now(void);                                          /* monotonic, ns */

#endif
