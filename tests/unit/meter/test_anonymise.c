/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts: internal addresses are 10.0.0.0/8 and fd00::/8; truncated to nothing they are easy to
 * recognise.
 */
#include "lib/test.h"

#include <string.h>

#include "base/util.h"
#include "meter/view/anonymise.h"

struct world {
	struct sn_networks *networks;
	struct sn_inside inside;
	struct sn_privacy *policy;
	struct sn_anonymiser *an;
	struct sn_buf out;
};

static struct world *open_world(const char *lines)
{
	static struct world world;
	struct sn_err err = {0};

	world.networks = sn_networks_parse(SN_STR("10.0.0.0/8\nfd00::/8\n"), "n", &err);
	world.inside.internal = world.networks;
	world.policy = sn_privacy_create();
	sn_privacy_set_key(world.policy, (const uint8_t *)"0123456789abcdefghijklmnopqrstuv");
	if (sn_privacy_parse(world.policy, sn_str(lines), "lines", &err) != 0)
		fail_msg("%s", err.text);
	world.an = sn_anonymiser_create(world.policy, &world.inside);
	sn_anonymiser_clock(world.an, 0);
	return &world;
}

static void close_world(struct world *world)
{
	sn_anonymiser_destroy(world->an);
	sn_privacy_destroy(world->policy);
	sn_networks_destroy(world->networks);
	sn_buf_finish(&world->out);
}

/* What is told: the text itself, what was made of it, or "" for nothing. */
static void told_is(struct world *world, bool changed, const char *text, const char *expected)
{
	const char *told = changed ? sn_buf_cstr(&world->out) : text;

	assert_string_equal(told, expected);
	sn_buf_clear(&world->out);
}

static void name_is(struct world *world, const char *text, const char *expected)
{
	told_is(world, sn_anonymise_name(world->an, sn_str(text), false, &world->out), text,
		expected);
}

static void host_is(struct world *world, const char *text, const char *expected)
{
	told_is(world, sn_anonymise_host(world->an, sn_str(text), false, &world->out), text,
		expected);
}

static void url_is(struct world *world, const char *text, const char *expected)
{
	told_is(world, sn_anonymise_url(world->an, sn_str(text), &world->out), text, expected);
}

static void agent_is(struct world *world, const char *text, const char *expected)
{
	told_is(world, sn_anonymise_agent(world->an, sn_str(text), false, &world->out), text,
		expected);
}

static void answer_is(struct world *world, uint16_t type, const char *text, const char *expected)
{
	told_is(world, sn_anonymise_answer(world->an, type, sn_str(text), &world->out), text,
		expected);
}

static void names_keep_their_last_labels(void **state SN_UNUSED)
{
	struct world *world = open_world("name truncate 2\n");

	name_is(world, "www.example.com", "example.com");
	name_is(world, "www.example.com.", "example.com.");
	name_is(world, "example.com", "example.com");
	name_is(world, "com", "com");
	name_is(world, ".", ".");
	name_is(world, "", "");
	host_is(world, "a.b.example.com:8080", "example.com:8080");
	close_world(world);
	world = open_world("name truncate 0\n");
	name_is(world, "www.example.com", "");
	host_is(world, "www.example.com:80", "");
	close_world(world);
}

static void hashed_names_are_alike_when_dns_finds_them_alike(void **state SN_UNUSED)
{
	struct world *world = open_world("name hash\n");
	char first[64];

	assert_true(sn_anonymise_name(world->an, SN_STR("www.example.com"), false, &world->out));
	assert_int_equal(world->out.n, 16);
	strcpy(first, sn_buf_cstr(&world->out));
	sn_buf_clear(&world->out);
	name_is(world, "WWW.Example.COM", first);
	assert_true(sn_anonymise_name(world->an, SN_STR("www.example.org"), false, &world->out));
	assert_string_not_equal(sn_buf_cstr(&world->out), first);
	sn_buf_clear(&world->out);
	strcat(first, ".");
	name_is(world, "www.example.com.", first);
	memcpy(first + 16, ":81", 4);
	host_is(world, "www.example.com:81", first);
	close_world(world);
}

/* From a run of the reference with this key and --enc. */
static void names_are_encrypted_as_the_reference_does(void **state SN_UNUSED)
{
	static const char enc[] = "kjX3EcvlZ2yLg5O/CKk1qri8+nFrNEDlYRFTAOGC33Q=";
	struct world *world = open_world("name cryptopan\n");

	name_is(world, "telegraph-ash.instagram.com", enc);
	name_is(world, "a248.e.akamai.net", "tjctc+WOstCorsg0hgLIwIFcHLbQ1O4VIRenooDj2RE=");
	close_world(world);
	world = open_world("");
	sn_privacy_set_tstat(world->policy, NULL, NULL, NULL, true);
	name_is(world, "telegraph-ash.instagram.com", "telegraph-ash.instagram.com");
	assert_true(sn_anonymise_name(world->an, SN_STR("telegraph-ash.instagram.com"), true,
				      &world->out));
	assert_string_equal(sn_buf_cstr(&world->out), enc);
	close_world(world);
}

static void addresses_in_place_of_names_follow_the_rule_of_servers(void **state SN_UNUSED)
{
	struct world *world = open_world("internal_address truncate 8/16\nname truncate 2\n");

	name_is(world, "10.1.2.3", "10.0.0.0");
	name_is(world, "192.0.2.1", "192.0.2.1");
	host_is(world, "10.1.2.3:8080", "10.0.0.0:8080");
	host_is(world, "[fd12:3456::1]:443", "[fd12::]:443");
	host_is(world, "[fd12:3456::1]", "[fd12::]");
	host_is(world, "fd12:3456::1", "fd12::");
	host_is(world, "[2001:db8::1]:443", "[2001:db8::1]:443");
	close_world(world);
	world = open_world("internal_address drop\n");
	name_is(world, "10.1.2.3", "");
	host_is(world, "[fd12:3456::1]:443", "");
	close_world(world);
}

static void names_of_addresses_hide_the_address(void **state SN_UNUSED)
{
	struct world *world = open_world("internal_address truncate 8/16\n");

	name_is(world, "3.2.1.10.in-addr.arpa.", "0.0.0.10.in-addr.arpa.");
	name_is(world, "3.2.1.10.IN-ADDR.ARPA", "0.0.0.10.IN-ADDR.ARPA");
	name_is(world, "1.10.in-addr.arpa", "0.10.in-addr.arpa");
	name_is(world, "3.2.0.192.in-addr.arpa", "3.2.0.192.in-addr.arpa");
	name_is(world, "b._dns-sd._udp.3.2.1.10.in-addr.arpa",
		"b._dns-sd._udp.0.0.0.10.in-addr.arpa");
	name_is(world, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.5.4.3.2.1.d.f.ip6.arpa",
		"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.1.d.f.ip6.arpa");
	name_is(world, "in-addr.arpa", "in-addr.arpa");
	close_world(world);
	world = open_world("internal_address drop\n");
	name_is(world, "3.2.1.10.in-addr.arpa.", "in-addr.arpa.");
	close_world(world);
}

static void addresses_in_the_middle_of_a_text_are_found(void **state SN_UNUSED)
{
	struct world *world = open_world("internal_address truncate 8/16\n");

	name_is(world, "ip-10-1-2-3.internal", "ip-10-0-0-0.internal");
	name_is(world, "10.1.2.3.nip.io", "10.0.0.0.nip.io");
	/* Backwards, as blocking lists are asked. */
	name_is(world, "3.2.1.10.zen.example.org", "0.0.0.10.zen.example.org");
	name_is(world, "1.10.2.3.4", "1.10.0.0.0");
	name_is(world, "host10.1.2.3x", "host10.0.0.0x");
	agent_is(world, "probe/1.2 (010.001.002.003; fd12:3456::1)",
		 "probe/1.2 (10.0.0.0; fd12::)");
	agent_is(world, "at fd12:3456::1.", "at fd12::.");
	agent_is(world, "fd12:3456::10.1.2.3, FD12:3456:0:0:0:0:0:1", "fd12::, fd12::");
	agent_is(world, "::ffff:10.1.2.3", "::");
	/* Neither of these is one of ours. */
	agent_is(world, "Chrome/120.0.0.0 std::string 12:34:56",
		 "Chrome/120.0.0.0 std::string 12:34:56");
	agent_is(world, "Chrome/10.0.0.0 Safari/10.1.2.3", "Chrome/10.0.0.0 Safari/10.1.2.3");
	agent_is(world, "10.1.2.300 10.1.2 10.1-2.3", "10.1.2.300 10.1.2 10.1-2.3");
	close_world(world);
}

static void nothing_is_searched_when_addresses_are_kept(void **state SN_UNUSED)
{
	struct world *world = open_world("url keep\n");

	agent_is(world, "probe (10.1.2.3)", "probe (10.1.2.3)");
	url_is(world, "http://user:pass@10.1.2.3/x?y", "http://user:pass@10.1.2.3/x?y");
	answer_is(world, 1, "10.1.2.3", "10.1.2.3");
	answer_is(world, 16, "\"10.1.2.3\"", "\"10.1.2.3\"");
	close_world(world);
}

static void urls_lose_what_follows_and_who_asked(void **state SN_UNUSED)
{
	struct world *world = open_world("url truncate 1\nname truncate 2\n"
					 "internal_address truncate 8/16\n");

	url_is(world, "/a/b/c?q=1", "/a");
	url_is(world, "/a?q=1", "/a");
	url_is(world, "/", "/");
	url_is(world, "*", "*");
	url_is(world, "/?q=1", "/");
	url_is(world, "http://user:pass@www.example.com:81/a/b", "http://example.com:81/a");
	url_is(world, "https://www.example.com", "https://example.com");
	url_is(world, "https://www.example.com?q", "https://example.com/");
	url_is(world, "//www.example.com/a/b", "//example.com/a");
	url_is(world, "www.example.com:443", "example.com:443");
	url_is(world, "http://10.1.2.3/a", "http://10.0.0.0/a");
	url_is(world, "http://[fd12:3456::1]:81/a/b", "http://[fd12::]:81/a");
	close_world(world);
	world = open_world("url keep\ninternal_address drop\n");
	url_is(world, "/admin?ip=10.1.2.3&n=192.0.2.1", "/admin?ip=0.0.0.0&n=192.0.2.1");
	url_is(world, "http://10.1.2.3/a", "http:///a");
	close_world(world);
	world = open_world("");
	url_is(world, "/a/b/c", "");
	close_world(world);
	world = open_world("url hash\n");
	assert_true(sn_anonymise_url(world->an, SN_STR("/a"), &world->out));
	assert_int_equal(world->out.n, 16);
	close_world(world);
}

static void agents_and_cookies_follow_their_rules(void **state SN_UNUSED)
{
	struct world *world = open_world("agent truncate 2\ncookie hash\n");

	agent_is(world, "Mozilla/5.0 (X11; Linux) Gecko", "Mozilla/5.0 (X11;");
	agent_is(world, "curl/8", "curl/8");
	assert_true(sn_anonymise_cookie(world->an, SN_STR("id=7"), &world->out));
	assert_int_equal(world->out.n, 16);
	sn_buf_clear(&world->out);
	assert_false(sn_anonymise_cookie(world->an, SN_STR(""), &world->out));
	close_world(world);
	world = open_world("agent drop\n");
	agent_is(world, "curl/8", "");
	close_world(world);
}

static void answers_hide_the_names_and_addresses_in_them(void **state SN_UNUSED)
{
	enum {
		A = 1,
		CNAME = 5,
		SOA = 6,
		PTR = 12,
		MX = 15,
		TXT = 16,
		AAAA = 28,
		SRV = 33,
		HTTPS = 65
	};
	struct world *world = open_world("internal_address truncate 8/16\nname truncate 1\n");

	answer_is(world, A, "10.1.2.3", "10.0.0.0");
	answer_is(world, A, "192.0.2.1", "192.0.2.1");
	answer_is(world, AAAA, "fd12:3456::1", "fd12::");
	answer_is(world, CNAME, "a.example.com.", "com.");
	answer_is(world, MX, "10 mail.example.com.", "10 com.");
	answer_is(world, MX, "10\tmail.example.com.", "10\tcom.");
	answer_is(world, SOA, "ns.example.com. me.example.com. 7 1 2 3 4", "com. com. 7 1 2 3 4");
	answer_is(world, SRV, "0 5 5060 sip.example.com.", "0 5 5060 com.");
	answer_is(world, HTTPS, "1 svc.example.com. alpn=\"h2\" ipv4hint=10.1.2.3,192.0.2.1",
		  "1 com. alpn=\"h2\" ipv4hint=10.0.0.0,192.0.2.1");
	answer_is(world, TXT, "\"secret.example.com\"", "");
	close_world(world);
	world = open_world("internal_address drop\n");
	answer_is(world, A, "10.1.2.3", "");
	answer_is(world, TXT, "\"v=spf1 ip4:10.1.2.3 -all\"", "\"v=spf1 ip4:0.0.0.0 -all\"");
	close_world(world);
	world = open_world("answer drop\n");
	answer_is(world, CNAME, "a.example.com.", "");
	close_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_keep_their_last_labels),
		cmocka_unit_test(hashed_names_are_alike_when_dns_finds_them_alike),
		cmocka_unit_test(names_are_encrypted_as_the_reference_does),
		cmocka_unit_test(addresses_in_place_of_names_follow_the_rule_of_servers),
		cmocka_unit_test(names_of_addresses_hide_the_address),
		cmocka_unit_test(addresses_in_the_middle_of_a_text_are_found),
		cmocka_unit_test(nothing_is_searched_when_addresses_are_kept),
		cmocka_unit_test(urls_lose_what_follows_and_who_asked),
		cmocka_unit_test(agents_and_cookies_follow_their_rules),
		cmocka_unit_test(answers_hide_the_names_and_addresses_in_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
