/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/util.h"
#include "meter/app/names.h"
#include "meter/view/community.h"
#include "meter/view/privacy.h"

/* Flows by hand ------------------------------------------------------------------------- */

static uint8_t set_address(const char *text, uint64_t address[2])
{
	bool v6 = strchr(text, ':') != NULL;

	address[0] = address[1] = 0;
	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, text, address), 1);
	return v6 ? 6 : 4;
}

static void set_ends(struct sn_flow *flow, const char *client, uint16_t client_port,
		     const char *server, uint16_t server_port, uint8_t protocol)
{
	*flow = (struct sn_flow){
		.key = {.low_port = client_port, .high_port = server_port, .protocol = protocol},
		.client_internal = true,
		.first_ns = SN_NS_PER_S,
		.last_ns = 5 * SN_NS_PER_S};
	flow->key.family = set_address(client, flow->key.low);
	set_address(server, flow->key.high);
}

static struct sn_name *name_of(const char *text)
{
	size_t length = strlen(text);
	struct sn_name *name = calloc(1, sizeof(*name) + length + 1);

	name->length = (uint16_t)length;
	memcpy(name->text, text, length + 1);
	return name;
}

struct world {
	struct sn_privacy *policy;
	struct sn_networks *networks;
	struct sn_inside inside;
	struct sn_viewer *viewer;
};

static struct world open_world(const char *lines)
{
	struct world world = {.policy = lines != NULL ? sn_privacy_create() : NULL};
	struct sn_err err = {0};
	static struct sn_inside inside;

	world.networks = sn_networks_parse(SN_STR("10.0.0.0/8\nfd00::/8\n"), "n", &err);
	inside.internal = world.networks;
	if (lines != NULL && sn_privacy_parse(world.policy, sn_str(lines), "l", &err) != 0)
		fail_msg("%s", err.text);
	world.viewer = sn_viewer_create(&(struct sn_viewer_options){
		.policy = world.policy, .inside = &inside, .community_id = true});
	return world;
}

static void close_world(struct world *world)
{
	sn_viewer_destroy(world->viewer);
	sn_privacy_destroy(world->policy);
	sn_networks_destroy(world->networks);
}

static void text_is(struct sn_str text, const char *expected)
{
	if (text.n != strlen(expected) || memcmp(text.p, expected, text.n) != 0)
		fail_msg("'%.*s' is not '%s'", (int)text.n, text.n > 0 ? text.p : "", expected);
}

static void address_is(const struct sn_view_address *address, const char *expected)
{
	char text[SN_VIEW_ADDRESS_MAX];

	text_is((struct sn_str){text, (size_t)(sn_view_address_put(text, address) - text)},
		expected);
}

static const struct sn_view_address *client_of(const struct world *world,
					       const struct sn_flow *flow)
{
	return &sn_viewer_flow(world->viewer, flow, SN_END_IDLE, NULL)->client;
}

/* Addresses ----------------------------------------------------------------------------- */

static void text_of_addresses_is_that_of_the_c_library(void **state SN_UNUSED)
{
	struct sn_prng prng;
	char text[SN_VIEW_ADDRESS_MAX], expected[INET6_ADDRSTRLEN];

	sn_prng_seed(&prng, 11);
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t ip[16] = {0};
		uint8_t family = i % 4 == 0 ? 4 : 6;

		/* Many zeros, so that every row of them comes up. */
		for (unsigned at = 0; at < (family == 6 ? 16U : 4U); at += 2) {
			uint64_t random = sn_prng_u64(&prng);

			ip[at] = random % 3 == 0 ? (uint8_t)(random >> 8) : 0;
			ip[at + 1] = random % 5 < 2 ? (uint8_t)(random >> 16) : 0;
			if (random % 31 == 0)
				ip[at] = ip[at + 1] = 0xff;
		}
		inet_ntop(family == 6 ? AF_INET6 : AF_INET, ip, expected, sizeof(expected));
		assert_int_equal(sn_view_address_text(ip, family, text), strlen(expected));
		assert_string_equal(text, expected);

		struct sn_view_address told = {.family = family};

		memcpy(told.ip, ip, sizeof(ip));
		address_is(&told, expected);
	}
}

/* Whoever puts one into a buffer counts on it. */
static void text_of_an_address_keeps_to_its_room(void **state SN_UNUSED)
{
	struct sn_view_address widest[] = {{.family = 4}, {.family = 6}, {.family = 6}};

	memset(widest[0].ip, 0xff, 4);
	memset(widest[1].ip, 0xff, 16);
	memset(widest[2].ip + 10, 0xff, 6); /* ::ffff:255.255.255.255 */
	for (size_t i = 0; i < SN_COUNT(widest); i++) {
		char room[SN_VIEW_ADDRESS_MAX + 8];

		memset(room, '#', sizeof(room));
		sn_view_address_put(room, &widest[i]);
		assert_memory_equal(room + SN_VIEW_ADDRESS_MAX, "########", 8);
	}
}

static void without_a_policy_all_is_told_as_it_is(void **state SN_UNUSED)
{
	struct world world = open_world(NULL);
	struct sn_tcp_flow tcp = {0};
	const struct sn_view_flow *view;

	set_ends(&tcp.flow, "10.1.2.3", 40000, "192.0.2.1", 443, SN_PROTO_TCP);
	tcp.flow.side[SN_CLIENT] = (struct sn_flow_side){3, 300, 180};
	view = sn_viewer_flow(world.viewer, &tcp.flow, SN_END_CLOSED, "eth0");
	address_is(&view->client, "10.1.2.3");
	assert_int_equal(view->client.family, 4);
	assert_true(view->client.internal);
	assert_false(view->client.anonymised);
	assert_memory_equal(view->client.ip, "\x0a\x01\x02\x03", 4);
	address_is(&view->server, "192.0.2.1");
	assert_false(view->server.internal);
	assert_int_equal(view->client_port, 40000);
	assert_int_equal(view->server_port, 443);
	address_is(&view->resolver, "-");
	assert_int_equal(view->resolver.family, 0);
	assert_string_equal(view->interface, "eth0");
	assert_string_equal(view->application, "");
	assert_int_equal(view->period[SN_CLIENT].bytes, 300);
	assert_int_equal(view->period_first_ns, SN_NS_PER_S);
	assert_int_equal(view->server_name.n, 0);
	close_world(&world);
}

static void ends_keep_their_sides_when_the_client_is_high(void **state SN_UNUSED)
{
	struct world world = open_world(NULL);
	struct sn_tcp_flow tcp = {0};
	const struct sn_view_flow *view;

	set_ends(&tcp.flow, "192.0.2.1", 443, "192.0.2.9", 40000, SN_PROTO_TCP);
	tcp.flow.client_is_high = true;
	view = sn_viewer_flow(world.viewer, &tcp.flow, SN_END_CLOSED, NULL);
	address_is(&view->client, "192.0.2.9");
	assert_int_equal(view->client_port, 40000);
	address_is(&view->server, "192.0.2.1");
	close_world(&world);
}

static void dropped_addresses_leave_nothing(void **state SN_UNUSED)
{
	struct world world = open_world("client_address drop\n");
	struct sn_tcp_flow tcp = {0};
	static const uint8_t zeros[16];
	const struct sn_view_flow *view;

	set_ends(&tcp.flow, "10.1.2.3", 40000, "192.0.2.1", 443, SN_PROTO_TCP);
	/* Once made and once from memory. */
	for (unsigned i = 0; i < 2; i++) {
		view = sn_viewer_flow(world.viewer, &tcp.flow, SN_END_CLOSED, NULL);
		address_is(&view->client, "-");
		assert_int_equal(view->client.family, 0);
		assert_memory_equal(view->client.ip, zeros, 16);
		assert_true(view->client.anonymised);
		address_is(&view->server, "192.0.2.1");
		assert_string_equal(view->community_id, "");
	}
	close_world(&world);
}

/* The same address as client and server, internal and external. */
static void remembered_addresses_do_not_mix_rules(void **state SN_UNUSED)
{
	struct world world = open_world("client_address truncate 8/8\nserver_address keep\n"
					"internal_address truncate 16/16\n");
	struct sn_tcp_flow tcp = {0};
	const struct sn_view_flow *view;

	set_ends(&tcp.flow, "10.1.2.3", 1, "10.1.2.3", 2, SN_PROTO_TCP);
	for (unsigned i = 0; i < 3; i++) {
		view = sn_viewer_flow(world.viewer, &tcp.flow, SN_END_CLOSED, NULL);
		address_is(&view->client, "10.1.0.0");
		address_is(&view->server, "10.1.2.3");
		assert_true(view->client.anonymised);
		assert_false(view->server.anonymised);
	}
	tcp.flow.client_internal = false;
	view = sn_viewer_flow(world.viewer, &tcp.flow, SN_END_CLOSED, NULL);
	address_is(&view->client, "10.0.0.0");
	assert_false(view->client.internal);
	close_world(&world);
}

static void many_addresses_are_told_right_however_they_come(void **state SN_UNUSED)
{
	struct world world = open_world("client_address cryptopan\n");
	uint8_t key[SN_PRIVACY_KEY_BYTES] = {7};
	struct sn_cryptopan *pan = sn_cryptopan_create(key);
	struct sn_tcp_flow tcp = {0};
	struct sn_prng prng;

	sn_privacy_set_key(world.policy, key);
	sn_prng_seed(&prng, 3);
	for (unsigned i = 0; i < 30000; i++) {
		uint8_t ip[16] = {0}, told[16];
		const struct sn_view_flow *view;

		/* Now and then one that was there before. */
		ip[0] = 10;
		ip[1] = (uint8_t)(sn_prng_u64(&prng) % 2);
		ip[2] = (uint8_t)sn_prng_u64(&prng);
		ip[3] = (uint8_t)(sn_prng_u64(&prng) % 40);
		set_ends(&tcp.flow, "10.0.0.1", 1, "192.0.2.1", 2, SN_PROTO_TCP);
		memcpy(tcp.flow.key.low, ip, 16);
		view = sn_viewer_flow(world.viewer, &tcp.flow, SN_END_CLOSED, NULL);
		sn_cryptopan_encrypt(pan, ip, 4, told);
		assert_memory_equal(view->client.ip, told, 4);
	}
	sn_cryptopan_destroy(pan);
	close_world(&world);
}

static void new_key_makes_remembered_addresses_forgotten(void **state SN_UNUSED)
{
	struct world world = open_world("client_address cryptopan\n");
	struct sn_tcp_flow tcp = {0};
	uint8_t first[16];

	sn_privacy_rotate(world.policy, 3600 * SN_NS_PER_S);
	set_ends(&tcp.flow, "10.1.2.3", 40000, "192.0.2.1", 443, SN_PROTO_TCP);
	memcpy(first, client_of(&world, &tcp.flow)->ip, sizeof(first));
	assert_memory_equal(client_of(&world, &tcp.flow)->ip, first, sizeof(first));
	tcp.flow.last_ns = 3601 * SN_NS_PER_S;
	assert_memory_not_equal(client_of(&world, &tcp.flow)->ip, first, sizeof(first));
	close_world(&world);
}

static void policy_can_be_changed_while_it_runs(void **state SN_UNUSED)
{
	struct world world = open_world("client_address drop\n");
	struct sn_privacy *other = sn_privacy_create();
	struct sn_tcp_flow tcp = {0};
	struct sn_err err;

	set_ends(&tcp.flow, "10.1.2.3", 40000, "192.0.2.1", 443, SN_PROTO_TCP);
	sn_viewer_flow(world.viewer, &tcp.flow, SN_END_IDLE, NULL);
	sn_privacy_parse(other, SN_STR("client_address truncate 8/8\n"), "l", &err);
	sn_viewer_set_policy(world.viewer, other);
	address_is(client_of(&world, &tcp.flow), "10.0.0.0");
	sn_viewer_set_policy(world.viewer, NULL);
	address_is(client_of(&world, &tcp.flow), "10.1.2.3");
	close_world(&world);
	sn_privacy_destroy(other);
}

/* Names --------------------------------------------------------------------------------- */

static void best_name_comes_from_tls_then_http_then_dns(void **state SN_UNUSED)
{
	struct world world = open_world("name truncate 2\n");
	struct sn_app_tls handshake = {.server_name = name_of("www.tls.example"),
				       .certificate_name = name_of("*.cert.example")};
	struct sn_app_tcp app = {.con_type = SN_CON_TLS,
				 .tls = &handshake,
				 .http_host = name_of("www.http.example:81")};
	struct sn_dns_hit hit = {.name = name_of("www.dns.example"), .resolver_family = 4};
	struct sn_tcp_flow tcp = {0};
	struct sn_name *tls = handshake.server_name, *http = app.http_host;
	const struct sn_view_flow *view;

	set_ends(&tcp.flow, "10.1.2.3", 40000, "192.0.2.1", 443, SN_PROTO_TCP);
	tcp.app = &app;
	tcp.flow.name = &hit;
	set_address("10.0.0.53", hit.resolver);
	view = sn_viewer_flow(world.viewer, &tcp.flow, SN_END_CLOSED, NULL);
	text_is(view->tls_server_name, "tls.example");
	text_is(view->tls_certificate_name, "cert.example");
	text_is(view->http_host, "http.example:81");
	text_is(view->fqdn, "dns.example");
	text_is(view->server_name, "tls.example");
	address_is(&view->resolver, "10.0.0.53");
	assert_true(view->resolver.internal);
	assert_string_equal(view->application, "tls");
	handshake.server_name = NULL;
	view = sn_viewer_flow(world.viewer, &tcp.flow, SN_END_CLOSED, NULL);
	text_is(view->server_name, "http.example:81");
	app.http_host = NULL;
	view = sn_viewer_flow(world.viewer, &tcp.flow, SN_END_CLOSED, NULL);
	text_is(view->server_name, "dns.example");
	free(tls);
	free(http);
	free(handshake.certificate_name);
	free(hit.name);
	close_world(&world);
}

static void dropped_names_are_empty_everywhere(void **state SN_UNUSED)
{
	struct world world = open_world("name drop\nagent drop\n");
	struct sn_app_udp app = {.quic_server_name = name_of("www.quic.example"),
				 .quic_agent = name_of("browser/1")};
	struct sn_udp_flow udp = {.type = {SN_UDP_QUIC, SN_UDP_QUIC}};
	const struct sn_view_flow *view;

	set_ends(&udp.flow, "fd00::1", 40000, "2001:db8::1", 443, SN_PROTO_UDP);
	udp.app = &app;
	view = sn_viewer_flow(world.viewer, &udp.flow, SN_END_CLOSED, NULL);
	assert_int_equal(view->quic_server_name.n, 0);
	assert_int_equal(view->quic_agent.n, 0);
	assert_int_equal(view->server_name.n, 0);
	assert_string_equal(view->application, "quic");
	free(app.quic_server_name);
	free(app.quic_agent);
	close_world(&world);
}

/* Messages ------------------------------------------------------------------------------ */

static void http_messages_are_told_field_by_field(void **state SN_UNUSED)
{
	struct world world = open_world("url truncate 1\nname truncate 2\ncookie hash\n"
					"agent truncate 1\ninternal_address truncate 8/8\n");
	struct sn_tcp_flow tcp = {0};
	struct sn_http_message message = {.is_request = true, .target = SN_STR("/a/b?c")};
	const struct sn_view_http *view;

	set_ends(&tcp.flow, "10.1.2.3", 40000, "192.0.2.1", 80, SN_PROTO_TCP);
	/* Blanks around a value are those of the message. */
	message.fields[SN_HTTP_HOST] = SN_STR("  www.example.com:81 ");
	message.fields[SN_HTTP_REFERER] = SN_STR(" http://10.1.2.3/x/y");
	message.fields[SN_HTTP_LOCATION] = SN_STR("https://www.example.org/z");
	message.fields[SN_HTTP_COOKIE] = SN_STR("id=7");
	message.fields[SN_HTTP_USER_AGENT] = SN_STR("curl/8.1 (x)");
	message.fields[SN_HTTP_SERVER] = SN_STR("Proxy/1.0 (10.1.2.3)");
	message.fields[SN_HTTP_CONTENT_TYPE] = SN_STR("  text/html");
	view = sn_viewer_http(world.viewer, &tcp.flow, &message);
	text_is(view->path, "/a");
	text_is(view->host, "example.com:81");
	text_is(view->referer, "http://10.0.0.0/x");
	text_is(view->location, "https://example.org/z");
	assert_int_equal(view->cookie.n, 16);
	assert_int_equal(view->set_cookie.n, 0);
	text_is(view->user_agent, "curl/8.1");
	text_is(view->fields[SN_HTTP_SERVER], "Proxy/1.0 (10.0.0.0)");
	text_is(view->fields[SN_HTTP_CONTENT_TYPE], "  text/html");
	address_is(&view->client, "10.0.0.0");
	assert_ptr_equal(view->message, &message);
	close_world(&world);
}

static void client_of_dns_is_who_asks(void **state SN_UNUSED)
{
	struct world world = open_world("");
	struct sn_udp_flow udp = {0};
	struct sn_dns_event event = {.entry = SN_DNS_RESPONSE,
				     .side = SN_CLIENT,
				     .type = 1,
				     .name = SN_STR("www.example.com."),
				     .answer = SN_STR("192.0.2.9")};
	const struct sn_view_dns *view;

	/* The capture began between question and answer. */
	set_ends(&udp.flow, "192.0.2.53", 53, "10.1.2.3", 40000, SN_PROTO_UDP);
	udp.flow.client_internal = false;
	udp.flow.server_internal = true;
	view = sn_viewer_dns(world.viewer, &udp.flow, &event);
	address_is(&view->client, "10.1.2.3");
	assert_int_equal(view->client_port, 40000);
	assert_true(view->client.internal);
	address_is(&view->server, "192.0.2.53");
	assert_false(view->server.internal);
	text_is(view->name, "www.example.com.");
	text_is(view->answer, "192.0.2.9");
	close_world(&world);
}

static void answers_are_private_and_codes_are_not(void **state SN_UNUSED)
{
	struct world world = open_world("answer drop\nname drop\n");
	struct sn_udp_flow udp = {0};
	struct sn_dns_event event = {.entry = SN_DNS_RESPONSE,
				     .type = 1,
				     .name = SN_STR("www.example.com."),
				     .answer = SN_STR("192.0.2.9")};
	const struct sn_view_dns *view;

	set_ends(&udp.flow, "10.1.2.3", 40000, "192.0.2.53", 53, SN_PROTO_UDP);
	view = sn_viewer_dns(world.viewer, &udp.flow, &event);
	assert_int_equal(view->name.n, 0);
	assert_int_equal(view->answer.n, 0);
	event.entry = SN_DNS_ERROR;
	event.answer = SN_STR("NXDOMAIN");
	view = sn_viewer_dns(world.viewer, &udp.flow, &event);
	text_is(view->answer, "NXDOMAIN");
	close_world(&world);
}

/* Community ID -------------------------------------------------------------------------- */

/* github.com/corelight/community-id-spec, seed 0; ports of ICMP: type and code. */
static const struct vector {
	uint8_t protocol;
	const char *client, *server;
	uint16_t client_port, server_port;
	const char *id;
} vectors[] = {
	{SN_PROTO_TCP, "128.232.110.120", "66.35.250.204", 34855, 80,
	 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
	{SN_PROTO_TCP, "66.35.250.204", "128.232.110.120", 80, 34855,
	 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
	{SN_PROTO_TCP, "10.0.0.1", "10.0.0.2", 10, 11569, "1:SXBGMX1lBOwhhoDrZynfROxnhnM="},
	{SN_PROTO_TCP, "192.168.1.42", "192.168.1.42", 41, 42, "1:eRcf7I/xocOxnYo5pbJBV5NhVm0="},
	{SN_PROTO_TCP, "192.168.1.42", "192.168.1.42", 42, 41, "1:eRcf7I/xocOxnYo5pbJBV5NhVm0="},
	{SN_PROTO_UDP, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
	{SN_PROTO_TCP, "2001:db8::1", "2001:db8::2", 443, 51000, "1:2TiKiiiSIuDma9IxOEOpx4wCXWM="},
	{SN_PROTO_ICMP, "192.168.0.89", "192.168.0.1", 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
	{SN_PROTO_ICMP, "192.168.0.1", "192.168.0.89", 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
	{SN_PROTO_ICMP, "192.168.0.89", "192.168.0.1", 20, 0, "1:3o2RFccXzUgjl7zDpqmY7yJi8rI="},
	{SN_PROTO_ICMP, "192.168.0.89", "192.168.0.1", 20, 1, "1:tz/fHIDUHs19NkixVVoOZywde+I="},
	{SN_PROTO_ICMP6, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 135, 0,
	 "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
	{SN_PROTO_ICMP6, "3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:507:0:1:260:97ff:fe07:69ea", 3, 0,
	 "1:/OGBt9BN1ofenrmSPWYicpij2Vc="},
};

static void community_id_is_that_of_its_specification(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(vectors); i++) {
		const struct vector *vector = &vectors[i];
		bool icmp = vector->protocol == SN_PROTO_ICMP || vector->protocol == SN_PROTO_ICMP6;
		struct sn_view_address client = {0}, server = {0};
		uint64_t address[2];
		char id[SN_VIEW_COMMUNITY_MAX];

		client.family = server.family = set_address(vector->client, address);
		memcpy(client.ip, address, 16);
		set_address(vector->server, address);
		memcpy(server.ip, address, 16);
		sn_community_id(&client, icmp ? 77 : vector->client_port, &server,
				icmp ? (uint16_t)(vector->client_port << 8 | vector->server_port)
				     : vector->server_port,
				vector->protocol, id);
		assert_string_equal(id, vector->id);
	}
}

static void community_id_is_made_of_what_is_told(void **state SN_UNUSED)
{
	struct world world = open_world("client_address truncate 8/8\n");
	struct sn_udp_flow udp = {0};
	char told[SN_VIEW_COMMUNITY_MAX];
	struct sn_view_address client = {.family = 4, .ip = {192}};
	struct sn_view_address server = {.family = 4, .ip = {8, 8, 8, 8}};

	set_ends(&udp.flow, "192.168.1.52", 54585, "8.8.8.8", 53, SN_PROTO_UDP);
	sn_community_id(&client, 54585, &server, 53, SN_PROTO_UDP, told);
	assert_string_equal(
		sn_viewer_flow(world.viewer, &udp.flow, SN_END_IDLE, NULL)->community_id, told);
	assert_string_not_equal(told, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_addresses_is_that_of_the_c_library),
		cmocka_unit_test(text_of_an_address_keeps_to_its_room),
		cmocka_unit_test(without_a_policy_all_is_told_as_it_is),
		cmocka_unit_test(ends_keep_their_sides_when_the_client_is_high),
		cmocka_unit_test(dropped_addresses_leave_nothing),
		cmocka_unit_test(remembered_addresses_do_not_mix_rules),
		cmocka_unit_test(many_addresses_are_told_right_however_they_come),
		cmocka_unit_test(new_key_makes_remembered_addresses_forgotten),
		cmocka_unit_test(policy_can_be_changed_while_it_runs),
		cmocka_unit_test(best_name_comes_from_tls_then_http_then_dns),
		cmocka_unit_test(dropped_names_are_empty_everywhere),
		cmocka_unit_test(http_messages_are_told_field_by_field),
		cmocka_unit_test(client_of_dns_is_who_asks),
		cmocka_unit_test(answers_are_private_and_codes_are_not),
		cmocka_unit_test(community_id_is_that_of_its_specification),
		cmocka_unit_test(community_id_is_made_of_what_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
