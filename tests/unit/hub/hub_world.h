/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub_world: a real hub on loopback in this process, and clients that talk to it:
 * plain HTTP byte by byte (to see every header), and TLS with a certificate.
 *
 * Everything lies in a temporary directory that is removed at the end.
 */
#ifndef SONDE_TESTS_HUB_WORLD_H
#define SONDE_TESTS_HUB_WORLD_H

#include "lib/test.h"

#include <jansson.h>
#include <stdbool.h>

#include "hub/hub.h"
#include "net/http_client.h"

struct world {
	char dir[64];
	struct sn_loop *loop;
	struct sn_hub_config config;
	struct sn_hub *hub;
};

/* `settings`: "key=value" texts, NULL-terminated; may be NULL. */
void world_start(struct world *world, const char *const *settings);
void world_stop(struct world *world);
/* The same state directory, a new hub. */
void world_restart(struct world *world);
/* Turns the loop for that long. */
void world_wait(struct world *world, uint64_t ns);

/* Plain HTTP ------------------------------------------------------------------- */

struct reply {
	unsigned status;
	char *text;   /* whole answer with headers */
	char *body;   /* inside of `text` */
	json_t *json; /* of the body; NULL when it is none */
};
void reply_release(struct reply *reply);
/* A header's value (static buffer), or NULL. */
const char *reply_header(const struct reply *reply, const char *name);

enum as { AS_NOBODY, AS_LOCAL }; /* AS_LOCAL: with the local token */

/* `headers` complete lines with CR LF, may be ""; `body` NULL for none. */
struct reply plain(struct world *world, enum as as, const char *method, const char *target,
		   const char *headers, const char *body);
/* The same, and the answer must have this status. */
struct reply expect(struct world *world, enum as as, unsigned status, const char *method,
		    const char *target, const char *body);
const char *code_of(const struct reply *reply); /* of a problem, or "" */

/* A connection that stays open, for event streams. */
int open_stream(struct world *world, enum as as, const char *target, const char *headers);
/* Reads until `wanted` was seen or a second has passed; what was read since the last call. */
const char *read_stream(struct world *world, int socket, const char *wanted);

/* Nodes -------------------------------------------------------------------------- */

struct test_node {
	char id[SN_ULID_SIZE];
	char cert_file[128], key_file[128];
	struct sn_http_client *client;
	unsigned status; /* of its last request; 0: no answer */
	int error;
	json_t *json; /* body of the last answer */
};

/* A token of a fresh invite, valid for `seconds`; static buffer. */
const char *make_token(struct world *world, unsigned seconds);
/* The answer to POST /enrol with this token; key and request are made. */
struct reply enrol(struct world *world, const char *token, const char *name, char **key_pem);
void node_join(struct world *world, struct test_node *node, const char *name);
void node_leave(struct test_node *node);
/* A request over TLS with the node's certificate; `headers` as for sn_http_fetch. */
void node_ask(struct world *world, struct test_node *node, const char *method, const char *path,
	      const char *const *headers, const char *body);
/* A batch of ping rows; `digest` NULL: the right one. */
void node_put(struct world *world, struct test_node *node, unsigned seq, const char *dataset,
	      unsigned rows, const char *body, const char *digest);

#define STREAM_ID "00112233445566778899aabbccddeeff"

#endif
