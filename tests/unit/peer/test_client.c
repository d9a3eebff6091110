/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a server that says what the test wants. */
#include "peer_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/http_server.h"
#include "peer/client.h"
#include "peer/peer.h"

static struct peer_world world;
static struct sn_http_server *http;
static struct sn_addr addr;
static char url[64];
static struct heard heard;

/* What the server gives at a path; a path that is not there is 404. */
static struct page {
	const char *path, *type, *body;
	unsigned status;
} pages[16];
static unsigned page_count, requests, elsewhere;
static char last_path[128], last_accept[128], last_forged[64];
static char last_proof[64], proof_elsewhere[64];
static struct sn_mp_message *last_message;

static void add_page(const char *path, unsigned status, const char *type, const char *body)
{
	assert_true(page_count < SN_COUNT(pages));
	pages[page_count++] = (struct page){path, type, body, status};
}

static void note_header(struct sn_http_request *request, const char *name, char *out, size_t size)
{
	const char *value = sn_http_header(request, name);

	snprintf(out, size, "%s", value != NULL ? value : "");
}

static void serve(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	const char *path = sn_http_path(request);
	struct sn_str body = sn_http_body(request);

	requests++;
	snprintf(last_path, sizeof(last_path), "%s", path);
	note_header(request, "Accept", last_accept, sizeof(last_accept));
	note_header(request, SN_PEER_IDENTITY_HEADER, last_forged, sizeof(last_forged));
	note_header(request, "Authorization", last_proof, sizeof(last_proof));
	if (body.n > 0) {
		sn_mp_message_destroy(last_message);
		last_message = sn_mp_decode(world.registries, body.p, body.n, SN_MP_READ_STRICT,
					    NULL, NULL);
	}
	for (unsigned i = 0; i < page_count; i++) {
		const struct page *page = &pages[i];

		if (strcmp(page->path, path) == 0) {
			sn_http_reply(request, page->status, page->type, page->body,
				      strlen(page->body));
			return;
		}
	}
	/* Chains of pages without end: /chain/N leads to /chain/N+1. */
	if (strncmp(path, "/chain/", 7) == 0) {
		char text[64];

		snprintf(text, sizeof(text), "<a href='/chain/%d'>", atoi(path + 7) + 1);
		sn_http_reply(request, 200, "text/html", text, strlen(text));
		return;
	}
	sn_http_reply(request, 404, "text/plain", "no", 2);
}

static void serve_elsewhere(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	elsewhere++;
	note_header(request, "Authorization", proof_elsewhere, sizeof(proof_elsewhere));
	sn_http_reply(request, 200, "text/html", "", 0);
}

static const struct sn_http_route routes[] = {
	{"GET", "/{rest*}", serve, 0, 0, NULL},
	{"POST", "/{rest*}", serve, 100000, 0, NULL},
	{"GET", "/", serve, 0, 0, NULL},
	{"POST", "/", serve, 100000, 0, NULL},
};
static const struct sn_http_route other_routes[] = {
	{"GET", "/{rest*}", serve_elsewhere, 0, 0, NULL},
	{"POST", "/{rest*}", serve_elsewhere, 100000, 0, NULL},
};

static struct sn_http_server *server_of(const struct sn_http_route *list, size_t count,
					struct sn_addr *bound)
{
	struct sn_http_config config = {.routes = list, .route_count = count};
	struct sn_http_server *server = sn_http_server_create(world.loop, &config);
	struct sn_addr any;

	assert_int_equal(sn_addr_parse(SN_STR("127.0.0.1"), 0, &any), 0);
	assert_int_equal(sn_http_server_listen(server, &any, -1, NULL, bound, NULL), 0);
	return server;
}

static int setup(void **state SN_UNUSED)
{
	char text[SN_ADDR_TEXT_MAX];

	peer_init(&world, NULL);
	http = server_of(routes, SN_COUNT(routes), &addr);
	snprintf(url, sizeof(url), "mplane-http://%s",
		 sn_addr_format_port(&addr, text, sizeof(text)));
	page_count = requests = elsewhere = 0;
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	sn_http_server_destroy(http);
	peer_finish(&world);
	heard_finish(&heard);
	sn_mp_message_destroy(last_message);
	last_message = NULL;
	return 0;
}

static struct sn_peer_client *client_of(const char *target)
{
	struct sn_peer_client_config config = {
		.loop = world.loop,
		.registries = world.registries,
		.url = target,
		.forged_identity = ALICE,
		.write_flags = SN_MP_WRITE_SAFE,
	};

	return sn_peer_client_create(&config);
}

static void discover_at(const char *target)
{
	struct sn_peer_client *client = client_of(target);

	heard_finish(&heard);
	sn_peer_client_discover(client, heard_message, &heard);
	assert_int_equal(heard.calls, 0);
	assert_true(peer_until(&world, &heard.calls, 1));
	sn_peer_client_destroy(client);
}

static void discover(void)
{
	discover_at(url);
}

#define CAP(token)                                                                                 \
	"{\"capability\":\"measure\",\"version\":1,\"registry\":\"" SN_MP_REGISTRY_CORE            \
	"\",\"label\":\"ping\",\"token\":\"" token "\",\"when\":\"now ... future\","               \
	"\"parameters\":{\"source.ip4\":\"*\"},\"results\":[\"delay.twoway.icmp.us\"]}"
#define JSON SN_MP_MEDIA_TYPE

/* Discovery ----------------------------------------------------------------------- */

static void pages_are_followed_to_their_capabilities(void **state SN_UNUSED)
{
	add_page("/", 200, "text/html", "<a href='/capability'>all</a>");
	add_page("/capability", 200, "text/html",
		 "<a href='/capability/1'>1</a><br/><a href='capability/2'>2</a>"
		 "<a href='/'>back</a><a href='/capability'>again</a>");
	add_page("/capability/1", 200, JSON, CAP("1"));
	add_page("/capability/2", 200, JSON "; charset=utf-8", CAP("2"));
	discover();
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 2);
	assert_int_equal(requests, 4);
	assert_non_null(strstr(last_accept, SN_MP_MEDIA_TYPE));
	assert_string_equal(last_forged, ALICE);
}

static void a_page_of_messages_needs_no_links(void **state SN_UNUSED)
{
	add_page("/", 200, "application/json",
		 "{\"envelope\":\"capability\",\"version\":1,\"contents\":[" CAP("1") "," CAP(
			 "2") "," CAP("1") ",{\"exception\":null,\"message\":\"x\"}]}");
	discover();
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 2);
	assert_int_equal(requests, 1);
}

static void the_older_dialect_lists_by_name(void **state SN_UNUSED)
{
	char target[128];

	add_page("/show/capability", 200, "application/x-mplane+json",
		 "{\"probe7.example.net\":[" CAP("1") "],\"probe8.example.net\":[" CAP(
			 "2") ",{\"capability\":\"measure\",\"when\":\"tomorrow\"}]}");
	snprintf(target, sizeof(target), "%s/show/capability", url);
	discover_at(target);
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 2);
}

static void links_to_other_hosts_are_left_alone(void **state SN_UNUSED)
{
	struct sn_addr other_addr;
	struct sn_http_server *other = server_of(other_routes, SN_COUNT(other_routes), &other_addr);
	char text[SN_ADDR_TEXT_MAX], page[256];

	snprintf(page, sizeof(page), "<a href='http://%s/x'><a href='//%s/y'><a href='/1'>",
		 sn_addr_format_port(&other_addr, text, sizeof(text)), text);
	add_page("/", 200, "text/html", page);
	add_page("/1", 200, JSON, CAP("1"));
	discover();
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 1);
	assert_int_equal(elsewhere, 0);
	sn_http_server_destroy(other);
}

static void a_linked_page_that_is_no_good_hides_no_other(void **state SN_UNUSED)
{
	add_page("/", 200, "text/html",
		 "<a href='/gone'><a href='/broken'><a href='/image'><a href='/1'>"
		 "<a href='/%ff'><a href='http://['>");
	add_page("/broken", 200, JSON, "{");
	add_page("/image", 200, "image/png", "x");
	add_page("/1", 200, JSON, CAP("1"));
	discover();
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 1);
}

static void the_first_page_must_be_a_list(void **state SN_UNUSED)
{
	discover();
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -ENOENT);
	add_page("/", 200, "text/plain", "hello");
	discover();
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -EPROTO);
	pages[0] = (struct page){"/", JSON, "{\"x\":", 200};
	discover();
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -EINVAL);
	pages[0] = (struct page){"/", JSON, "{\"exception\":null,\"message\":\"not you\"}", 403};
	discover();
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -EACCES);
	assert_non_null(strstr(heard.err.text, "not you (status 403)"));
}

static void nobody_there_is_an_error(void **state SN_UNUSED)
{
	sn_http_server_destroy(http);
	http = NULL;
	discover();
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -ECONNREFUSED);
	discover_at("ftp://127.0.0.1/");
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -EINVAL);
}

static void a_server_that_dies_meanwhile_gives_no_half_list(void **state SN_UNUSED)
{
	struct sn_peer_client *client = client_of(url);

	add_page("/", 200, "text/html", "<a href='/chain/1'><a href='/1'>");
	add_page("/1", 200, JSON, CAP("1"));
	sn_peer_client_discover(client, heard_message, &heard);
	while (requests < 5)
		sn_loop_turn(world.loop, 50 * SN_NS_PER_MS);
	sn_http_server_destroy(http);
	http = NULL;
	assert_true(peer_until(&world, &heard.calls, 1));
	assert_null(heard.message);
	sn_peer_client_destroy(client);
}

static void many_links_have_an_end(void **state SN_UNUSED)
{
	struct sn_buf page = {0};
	struct sn_peer_client *client = client_of(url);

	for (unsigned i = 0; i < 300; i++)
		sn_buf_addf(&page, "<a href='/%u'>", i % 200);
	add_page("/", 200, "text/html", sn_buf_cstr(&page));
	sn_peer_client_discover(client, heard_message, &heard);
	assert_true(peer_until(&world, &heard.calls, 1));
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(requests, 201);
	sn_peer_client_destroy(client);
	sn_buf_finish(&page);
}

static void a_client_may_go_while_it_looks(void **state SN_UNUSED)
{
	struct sn_peer_client *client = client_of(url);

	add_page("/", 200, "text/html", "<a href='/chain/1'>");
	sn_peer_client_discover(client, heard_message, &heard);
	while (requests < 5)
		sn_loop_turn(world.loop, 50 * SN_NS_PER_MS);
	sn_peer_client_destroy(client);
	peer_turns(&world, 50);
	assert_int_equal(heard.calls, 0);
}

static struct sn_peer_client *doomed;

static void destroy_inside(const struct sn_mp_message *message, const struct sn_err *err, void *ctx)
{
	sn_peer_client_destroy(doomed);
	doomed = NULL;
	heard_message(message, err, ctx);
}

static void a_client_may_go_inside_its_callback(void **state SN_UNUSED)
{
	sn_automp struct sn_mp_message *message = peer_token_only(SN_MP_REDEMPTION, "t");

	add_page("/", 200, JSON, CAP("1"));
	doomed = client_of(url);
	sn_peer_client_discover(doomed, destroy_inside, &heard);
	sn_peer_client_send(doomed, message, NULL, destroy_inside, &heard);
	assert_true(peer_until(&world, &heard.calls, 1));
	peer_turns(&world, 50);
	assert_int_equal(heard.calls, 1);
	doomed = client_of("nonsense");
	sn_peer_client_send(doomed, message, NULL, destroy_inside, &heard);
	assert_int_equal(heard.calls, 1);
	assert_true(peer_until(&world, &heard.calls, 2));
}

/* Messages ------------------------------------------------------------------------ */

static void send_to(const char *link)
{
	struct sn_peer_client *client = client_of(url);
	sn_automp struct sn_mp_message *message = peer_token_only(SN_MP_REDEMPTION, "t1");

	heard_finish(&heard);
	sn_peer_client_send(client, message, link, heard_message, &heard);
	assert_int_equal(heard.calls, 0);
	assert_true(peer_until(&world, &heard.calls, 1));
	sn_peer_client_destroy(client);
}

static void a_message_goes_to_its_link(void **state SN_UNUSED)
{
	char absolute[128];

	add_page("/", 200, JSON, CAP("root"));
	add_page("/capability/x", 200, JSON, CAP("link"));
	send_to(NULL);
	assert_kind(&heard, SN_MP_CAPABILITY);
	assert_string_equal(heard.message->token, "root");
	assert_int_equal(last_message->kind, SN_MP_REDEMPTION);
	assert_string_equal(last_message->token, "t1");
	send_to("");
	assert_string_equal(heard.message->token, "root");
	send_to("/capability/x");
	assert_string_equal(heard.message->token, "link");
	snprintf(absolute, sizeof(absolute), "%s/capability/x", url);
	send_to(absolute);
	assert_string_equal(heard.message->token, "link");
	send_to("file:///etc/passwd");
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -EINVAL);
}

static void a_secret_way_does_not_become_an_open_one(void **state SN_UNUSED)
{
	struct sn_peer_client *client = client_of("https://127.0.0.1:9/");
	sn_automp struct sn_mp_message *message = peer_token_only(SN_MP_REDEMPTION, "t1");

	sn_peer_client_send(client, message, url, heard_message, &heard);
	assert_true(peer_until(&world, &heard.calls, 1));
	assert_int_equal(heard.err.code, -EPERM);
	assert_int_equal(requests, 0);
	sn_peer_client_destroy(client);
}

static void a_proof_is_shown_at_home_and_to_nobody_else(void **state SN_UNUSED)
{
	struct sn_peer_client_config config = {
		.loop = world.loop,
		.registries = world.registries,
		.url = url,
		.authorisation = "Authorization: Bearer s3cret",
	};
	struct sn_addr other_addr;
	struct sn_http_server *other = server_of(other_routes, SN_COUNT(other_routes), &other_addr);
	struct sn_peer_client *client = sn_peer_client_create(&config);
	sn_automp struct sn_mp_message *message = peer_token_only(SN_MP_REDEMPTION, "t1");
	char text[SN_ADDR_TEXT_MAX], link[128];

	add_page("/", 200, JSON, CAP("1"));
	sn_peer_client_discover(client, heard_message, &heard);
	assert_true(peer_until(&world, &heard.calls, 1));
	assert_string_equal(last_proof, "Bearer s3cret");
	last_proof[0] = '\0';
	sn_peer_client_send(client, message, "/", heard_message, &heard);
	assert_true(peer_until(&world, &heard.calls, 2));
	assert_string_equal(last_proof, "Bearer s3cret");
	snprintf(link, sizeof(link), "http://%s/x",
		 sn_addr_format_port(&other_addr, text, sizeof(text)));
	sn_peer_client_send(client, message, link, heard_message, &heard);
	assert_true(peer_until(&world, &heard.calls, 3));
	assert_int_equal(elsewhere, 1);
	assert_string_equal(proof_elsewhere, "");
	sn_peer_client_destroy(client);
	sn_http_server_destroy(other);
}

static void exceptions_are_answers_with_200_and_errors_without(void **state SN_UNUSED)
{
	static const char body[] = "{\"exception\":\"t1\",\"message\":\"the\\u0007 antenna\"}";

	add_page("/", 200, JSON, body);
	send_to(NULL);
	assert_exception(&heard, "antenna");
	pages[0].status = 400;
	send_to(NULL);
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -EINVAL);
	/* What comes from outside may come to stand on a terminal. */
	assert_string_equal(heard.err.text, "the  antenna (status 400)");
	pages[0] = (struct page){"/", "application/problem+json",
				 "{\"title\":\"No\",\"detail\":\"come back later\"}", 503};
	send_to(NULL);
	assert_int_equal(heard.err.code, -EAGAIN);
	assert_string_equal(heard.err.text, "come back later (status 503)");
	pages[0] = (struct page){"/", "text/html", "<h1>x", 500};
	send_to(NULL);
	assert_int_equal(heard.err.code, -EIO);
	assert_string_equal(heard.err.text, "the peer answers with status 500");
	pages[0] = (struct page){"/", "text/html", "<h1>x", 200};
	send_to(NULL);
	assert_int_equal(heard.err.code, -EPROTO);
	pages[0] = (struct page){"/", JSON, "[", 200};
	send_to(NULL);
	assert_null(heard.message);
	assert_non_null(strstr(heard.err.text, "cannot be read"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_are_followed_to_their_capabilities),
		TEST(a_page_of_messages_needs_no_links),
		TEST(the_older_dialect_lists_by_name),
		TEST(links_to_other_hosts_are_left_alone),
		TEST(a_linked_page_that_is_no_good_hides_no_other),
		TEST(the_first_page_must_be_a_list),
		TEST(nobody_there_is_an_error),
		TEST(a_server_that_dies_meanwhile_gives_no_half_list),
		TEST(many_links_have_an_end),
		TEST(a_client_may_go_while_it_looks),
		TEST(a_client_may_go_inside_its_callback),
		TEST(a_message_goes_to_its_link),
		TEST(a_secret_way_does_not_become_an_open_one),
		TEST(a_proof_is_shown_at_home_and_to_nobody_else),
		TEST(exceptions_are_answers_with_200_and_errors_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
