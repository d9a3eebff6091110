/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_world: the world with a guard and handlers that note what they saw, for the tests of the
 * HTTP server: what it answers (test_http_server.c), how it takes bodies (test_http_body.c), and
 * whom it bears for how long (test_http_hostile.c).
 */
#ifndef SONDE_TESTS_HTTP_WORLD_H
#define SONDE_TESTS_HTTP_WORLD_H

#include "net_world.h"

#define HTTP_BODY_MAX 1000 /* of POST and PUT /echo */

/* What the guard and the handlers saw and keep; reset for each test. */
extern struct seen {
	unsigned guarded, handled, abandoned, released;
	bool refuse;
	struct sn_http_request *waiting; /* GET /wait/told and /wait/untold */
	size_t body_size;
} seen;
extern struct world world;
extern const struct sn_http_config http_config;

int http_world_setup(void **state);
int http_world_teardown(void **state);
/* Anew with another configuration; clients of the old server are cut off. */
void http_world_restart(const struct sn_http_config *config);
/* Sends `request`, expects `needle`, returns everything that came (to be freed). */
char *http_exchange(const char *request, const char *needle);
/* Turns the loop until the server has so many connections. */
void http_expect_connections(unsigned count);

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, http_world_setup, http_world_teardown)

#endif
