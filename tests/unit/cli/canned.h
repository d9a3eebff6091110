/* SPDX-License-Identifier: Apache-2.0 */
/* A hub of canned answers in a child process, on loopback: for what asks a hub. */
#ifndef SONDE_TESTS_UNIT_CLI_CANNED_H
#define SONDE_TESTS_UNIT_CLI_CANNED_H

#define JSON_HEAD "Content-Type: application/json\r\n"

struct canned {
	const char *request; /* what the request must begin with; NULL ends the list */
	unsigned status;
	const char *headers, *body;
};

/* Who does not give this token gets what `GET /api/v1/denied` does; what nothing fits gets 418. */
#define CANNED_TOKEN "secret"

/* 0, or -1; the answers must live as long as the server. */
int canned_start(const struct canned *answers);
void canned_stop(void);
extern char canned_url[64];

#endif
