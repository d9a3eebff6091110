/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: one question to a running meter through its control socket, and the answer.
 *
 * HTTP/1.1 (RFC 9112) as far as control/server.c speaks it: one request on a connection of its own,
 * an answer whose end is the end of the connection.  Blocks.  The general client
 * (net/http_client.h) would bring some twenty libraries into each start of a meter for this.
 */
#ifndef SONDE_METER_CONTROL_REQUEST_H
#define SONDE_METER_CONTROL_REQUEST_H

#include "base/buf.h"
#include "base/err.h"

#define SN_CONTROL_ANSWER_MAX 65536
#define SN_CONTROL_TIMEOUT_NS (5 * SN_NS_PER_S) /* for all of it */

struct sn_control_request {
	const char *socket_path, *method, *target;
	const char *body; /* JSON, or NULL */
};

struct sn_control_answer { /* zeroed is empty */
	int status;
	struct sn_str body; /* in `text` */
	struct sn_buf text;
};

/*
 * 0 with an answer of any status; -ECONNREFUSED when nobody answers there, -ETIMEDOUT, -EPROTO when
 * it is no HTTP or too long.  The answer is to be finished in any case.
 */
int sn_control_ask(const struct sn_control_request *request, struct sn_control_answer *answer,
		   struct sn_err *err);
void sn_control_answer_finish(struct sn_control_answer *answer);

/* Takes `text` of an answer apart, which is all of it; false if it is none. */
bool sn_control_answer_read(struct sn_str text, int *status, struct sn_str *body);

#endif
