/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clickhouse: a ClickHouse server of the test's own, on loopback, in a temporary directory.
 *
 * It runs as whoever runs the test.  Ports are free ones and stay the same over the server's
 * lives.  Everything that waits is bounded; whoever ends the test ends the server, by its pid.
 */
#ifndef SONDE_TESTS_LIB_CLICKHOUSE_H
#define SONDE_TESTS_LIB_CLICKHOUSE_H

#include <stdbool.h>
#include <sys/types.h>

struct clickhouse {
	char dir[64];
	unsigned http_port, tcp_port, inter_port;
	char url[64];            /* of its database `default`; user `default` without a password */
	char url_with_user[128]; /* user `reader`, password CLICKHOUSE_PASSWORD */
	pid_t pid;               /* 0: it does not run */
};

#define CLICKHOUSE_PASSWORD "p%40ss%27word" /* as it stands in the URL: p@ss'word */

bool clickhouse_is_installed(void); /* says so, when not, on standard output */
/* Makes the directory and starts it; false with the end of its log on standard error. */
bool clickhouse_create(struct clickhouse *server);
void clickhouse_destroy(struct clickhouse *server);
bool clickhouse_start(struct clickhouse *server); /* waits until it answers */
void clickhouse_kill(struct clickhouse *server);  /* SIGKILL */
void clickhouse_pause(struct clickhouse *server, bool pause);

/* A port of 127.0.0.1 that nobody has now. */
unsigned free_port(void);
/* The answer to a statement (TabSeparated), malloc'ed; NULL if there is none or it is an error. */
char *clickhouse_ask(const struct clickhouse *server, const char *sql);

#endif
