/* SPDX-License-Identifier: Apache-2.0 */
#include "net_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX 1000

/* What the handlers saw and keep; reset for each test. */
static struct seen {
	unsigned guarded, handled, abandoned, released;
	int refuse; /* what the guard does */
	struct sn_http_request *waiting;
	const char *user;
} seen;

static int guard(struct sn_http_request *request, void *ctx)
{
	assert_ptr_equal(ctx, &seen);
	seen.guarded++;
	if (seen.refuse == 0)
		return 0;
	sn_http_problem(request, 403, "not-allowed", "Forbidden", "%s may not", "nobody");
	return -EACCES;
}

static void count_release(void *user SN_UNUSED)
{
	seen.released++;
}

static void hello(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	seen.handled++;
	sn_http_set_user(request, &seen, count_release);
	sn_http_reply(request, 200, "text/plain", "hello", 5);
}

static void echo(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	struct sn_str body = sn_http_body(request);

	seen.handled++;
	sn_http_reply(request, 200, "application/octet-stream", body.p, body.n);
}

static void show_param(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	const char *q = sn_http_query(request, "q");
	char text[256];

	seen.handled++;
	snprintf(text, sizeof(text), "%s|%s|%s|%s", sn_http_param(request, "id"),
		 q != NULL ? q : "(none)", sn_http_path(request), sn_http_method(request));
	sn_http_reply(request, 200, "text/plain", text, strlen(text));
}

static const struct sn_http_route routes[] = {
	{"GET", "/hello", hello, 0, 0, NULL},
	{"POST", "/echo", echo, BODY_MAX, 0, NULL},
	{"PUT", "/echo", echo, BODY_MAX, 0, NULL},
	{"GET", "/things/{id}", show_param, 0, 0, NULL},
};

static const struct sn_http_config config = {
	.routes = routes,
	.route_count = SN_COUNT(routes),
	.guard = guard,
	.ctx = &seen,
};

static int setup(void **state)
{
	struct world *world = test_malloc(sizeof(*world));

	seen = (struct seen){0};
	world_init(world, &config);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	world_finish(*state);
	test_free(*state);
	return 0;
}

static void a_handler_answers(void **state)
{
	struct outcome outcome;

	world_get(*state, "/hello", &outcome);
	assert_int_equal(outcome.error, 0);
	assert_int_equal(outcome.status, 200);
	assert_string_equal(outcome_body(&outcome), "hello");
	assert_string_equal(outcome.content_type, "text/plain");
	assert_int_equal(seen.guarded, 1);
	assert_int_equal(seen.released, 1);
	outcome_finish(&outcome);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_handler_answers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
