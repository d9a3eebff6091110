/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: change and watch a running relay over a Unix stream socket.
 *
 * One JSON object a line, one line of answer each:
 *   {"op":"show"}  {"op":"show","link":"core"}
 *   {"op":"set","link":"core","direction":"ab","values":{"loss":"1%"}}   (direction: default both)
 *   {"op":"reset"}  {"op":"reset","link":"core"}
 * Answers {"ok":true}, with "links":[...] for show, or {"ok":false,"error":"..."}.
 */
#ifndef SONDE_DEMO_IMPAIR_CONTROL_H
#define SONDE_DEMO_IMPAIR_CONTROL_H

#include <jansson.h>
#include <sys/types.h>

#include "base/loop.h"
#include "demo/impair/relay.h"

#define SN_CONTROL_LINE_MAX    4096 /* of a request */
#define SN_CONTROL_CLIENTS_MAX 16
#define SN_CONTROL_ANSWER_MAX  1048576 /* of an answer that a client accepts */

struct sn_control;
int sn_control_create(struct sn_loop *loop, struct sn_relay *relay, const char *path, mode_t mode,
		      struct sn_control **control, struct sn_err *err);
void sn_control_destroy(struct sn_control *control); /* removes the socket file */

/* One request to it and its answer, appended to `out`; pure, for tests. */
void sn_control_answer(struct sn_relay *relay, struct sn_str line, struct sn_buf *out);

/*
 * The other side, blocking at most 5 s: sends `request` (stolen), gives the answer
 * of which "ok" is true, or the error that the relay named.
 */
int sn_control_ask(const char *path, json_t *request, json_t **answer, struct sn_err *err);

#endif
