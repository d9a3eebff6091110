/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

#include "base/util.h"
#include "probe/ping_resolver.h"
#include "probe/ping_targets.h"

static void add(struct sn_ping_targets *targets, const char *text)
{
	struct sn_err err;

	assert_int_equal(sn_ping_targets_add(targets, sn_str(text), &err), 0);
}

static struct sn_addr addr(const char *text)
{
	struct sn_addr addr;

	assert_int_equal(sn_addr_parse(sn_str(text), 0, &addr), 0);
	return addr;
}

static int read_text(struct sn_ping_targets *targets, const char *text, struct sn_err *err)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int rc = sn_ping_targets_read(targets, file, "hosts", err);

	fclose(file);
	return rc;
}

static void lines_become_targets_and_comments_do_not(void **state)
{
	struct sn_ping_targets targets = {0};
	struct sn_err err;

	(void)state;
	assert_int_equal(
		read_text(&targets, "# all\n192.0.2.1\n\n  2001:db8::1 \r\nhost.example", &err), 0);
	assert_int_equal(targets.count, 3);
	assert_string_equal(targets.items[1].name, "2001:db8::1");
	assert_string_equal(targets.items[2].name, "host.example");
	sn_ping_targets_finish(&targets);
}

static void bad_line_is_named_by_file_and_number(void **state)
{
	struct sn_ping_targets targets = {0};
	struct sn_err err;

	(void)state;
	assert_int_equal(read_text(&targets, "192.0.2.1\nfoo;bar\n", &err), -EINVAL);
	assert_non_null(strstr(err.text, "'hosts', line 2"));
	assert_non_null(strstr(err.text, "foo;bar"));
	sn_ping_targets_finish(&targets);
}

static void text_as_long_as_the_limit_passes_and_one_more_does_not(void **state)
{
	struct sn_ping_targets targets = {0};
	char line[SN_PING_TARGET_TEXT_MAX + 202];
	struct sn_err err;

	(void)state;
	memset(line, 'a', sizeof(line));
	line[SN_PING_TARGET_TEXT_MAX] = '\0';
	assert_int_equal(read_text(&targets, line, &err), 0);
	line[SN_PING_TARGET_TEXT_MAX] = 'a';
	line[SN_PING_TARGET_TEXT_MAX + 1] = '\0';
	assert_int_equal(read_text(&targets, line, &err), -EINVAL);
	line[SN_PING_TARGET_TEXT_MAX + 1] = 'a';
	line[SN_PING_TARGET_TEXT_MAX + 200] = '\0';
	assert_int_equal(read_text(&targets, line, &err), -EINVAL);
	assert_int_equal(targets.count, 1);
	sn_ping_targets_finish(&targets);
}

static void what_would_spoil_output_is_refused(void **state)
{
	static const char *const bad[] = {"", "-c", "a b", "a\tb", "a\"b", "\033[31m", "a\\b", "ä"};
	struct sn_ping_targets targets = {0};
	struct sn_err err;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_int_equal(sn_ping_targets_add(&targets, sn_str(bad[i]), &err), -EINVAL);
	assert_int_equal(sn_ping_targets_add(&targets, (struct sn_str){"a\0b", 3}, &err), -EINVAL);
	assert_int_equal(targets.count, 0);
	sn_ping_targets_finish(&targets);
}

static void one_target_more_than_the_limit_is_refused(void **state)
{
	struct sn_ping_targets targets = {0};
	struct sn_err err;

	(void)state;
	for (uint32_t i = 0; i < SN_PING_TARGETS_MAX; i++)
		sn_ping_targets_add(&targets, SN_STR("::1"), &err);
	assert_int_equal(targets.count, SN_PING_TARGETS_MAX);
	assert_int_equal(sn_ping_targets_add(&targets, SN_STR("::1"), &err), -E2BIG);
	/* All with one address, which is the worst case of the index. */
	sn_ping_targets_parse(&targets, AF_UNSPEC);
	assert_int_equal(sn_ping_targets_find(&targets, &(struct sn_addr){0}), -1);
	sn_ping_targets_finish(&targets);
}

static void addresses_of_the_other_family_say_so(void **state)
{
	struct sn_ping_targets targets = {0};

	(void)state;
	add(&targets, "192.0.2.1");
	add(&targets, "2001:db8::1");
	add(&targets, "192.0.2.1:80");
	sn_ping_targets_parse(&targets, AF_INET6);
	assert_int_equal(targets.items[0].addr.length, 0);
	assert_non_null(strstr(targets.items[0].error, "IPv6 was asked for"));
	assert_true(targets.items[1].addr.length > 0);
	assert_null(targets.items[1].error);
	assert_non_null(strstr(targets.items[2].error, "port"));
	sn_ping_targets_finish(&targets);
}

static void refused_family_keeps_the_reason(void **state)
{
	struct sn_ping_targets targets = {0};

	(void)state;
	add(&targets, "192.0.2.1");
	add(&targets, "2001:db8::1");
	sn_ping_targets_parse(&targets, AF_UNSPEC);
	sn_ping_targets_refuse(&targets, AF_INET6, "no IPv6 here");
	assert_true(targets.items[0].addr.length > 0);
	assert_string_equal(targets.items[1].error, "no IPv6 here");
	sn_ping_targets_finish(&targets);
}

static struct sn_prefixes never_of(const char *text)
{
	struct sn_prefixes never = {0};
	struct sn_err err;

	assert_int_equal(sn_prefixes_parse(&never, sn_str(text), "never", &err), 0);
	return never;
}

static void address_that_is_never_probed_is_not_taken(void **state)
{
	struct sn_prefixes never = never_of("192.0.2.0/24\n2001:db8::/32");
	struct sn_ping_targets targets = {.never = &never};

	(void)state;
	add(&targets, "192.0.2.9");
	add(&targets, "::ffff:192.0.2.9");
	add(&targets, "2001:db8::9");
	add(&targets, "198.51.100.9");
	sn_ping_targets_parse(&targets, AF_UNSPEC);
	assert_int_equal(targets.items[0].addr.length, 0);
	assert_string_equal(targets.items[0].error,
			    "address 192.0.2.9 of '192.0.2.9' is never probed (network "
			    "192.0.2.0/24)");
	assert_int_equal(targets.items[1].addr.length, 0);
	assert_non_null(strstr(targets.items[1].error, "(network 192.0.2.0/24)"));
	assert_int_equal(targets.items[2].addr.length, 0);
	assert_non_null(strstr(targets.items[2].error, "(network 2001:db8::/32)"));
	assert_true(targets.items[3].addr.length > 0);
	assert_null(targets.items[3].error);
	sn_ping_targets_finish(&targets);
	sn_prefixes_finish(&never);
}

static void name_that_leads_to_where_nobody_probes_is_refused(void **state)
{
	struct sn_prefixes never = never_of("127.0.0.0/8\n::1"), none = {0};
	struct sn_ping_targets targets = {.never = &never};

	(void)state;
	add(&targets, "localhost");
	sn_ping_targets_parse(&targets, AF_UNSPEC);
	assert_null(targets.items[0].error);
	sn_ping_targets_resolve(&targets, AF_INET);
	assert_int_equal(targets.items[0].addr.length, 0);
	assert_string_equal(targets.items[0].error,
			    "address 127.0.0.1 of 'localhost' is never probed (network "
			    "127.0.0.0/8)");
	sn_ping_targets_resolve(&targets, AF_UNSPEC);
	assert_non_null(strstr(targets.items[0].error, "of 'localhost' is never probed"));
	targets.never = &none;
	sn_ping_targets_resolve(&targets, AF_INET);
	assert_true(targets.items[0].addr.length > 0);
	sn_ping_targets_finish(&targets);
	sn_prefixes_finish(&never);
}

static void later_address_is_held_against_the_networks_too(void **state)
{
	struct sn_prefixes never = never_of("198.51.100.0/24");
	struct sn_ping_targets targets = {.never = &never};
	struct sn_addr good = addr("192.0.2.1"), bad = addr("198.51.100.1");

	(void)state;
	add(&targets, "host.example");
	sn_ping_targets_parse(&targets, AF_UNSPEC);
	assert_true(sn_ping_target_set_addr(&targets, 0, &good));
	assert_true(sn_ping_target_set_addr(&targets, 0, &bad));
	assert_int_equal(targets.items[0].addr.length, 0);
	assert_string_equal(targets.items[0].error,
			    "address 198.51.100.1 of 'host.example' is never probed (network "
			    "198.51.100.0/24)");
	assert_int_equal(sn_ping_targets_find(&targets, &bad), -1);
	assert_int_equal(sn_ping_targets_find(&targets, &good), -1);
	sn_ping_target_set_addr(&targets, 0, &bad); /* looked up again: still */
	assert_int_equal(targets.items[0].addr.length, 0);
	assert_non_null(targets.items[0].error);
	assert_true(sn_ping_target_set_addr(&targets, 0, &good));
	assert_null(targets.items[0].error);
	assert_int_equal(sn_ping_targets_find(&targets, &good), 0);
	sn_ping_targets_finish(&targets);
	sn_prefixes_finish(&never);
}

static void index_finds_all_targets_with_an_address(void **state)
{
	struct sn_ping_targets targets = {0};
	struct sn_addr wanted = addr("192.0.2.7");
	char text[32];
	int64_t index;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d", i % 250);
		add(&targets, text);
	}
	sn_ping_targets_parse(&targets, AF_UNSPEC);
	index = sn_ping_targets_find(&targets, &wanted);
	for (uint32_t expected = 7; expected < 1000; expected += 250) {
		assert_int_equal(index, expected);
		index = (int64_t)targets.items[index].next_same - 1;
	}
	assert_int_equal(index, -1);
	wanted = addr("192.0.2.251");
	assert_int_equal(sn_ping_targets_find(&targets, &wanted), -1);
	sn_ping_targets_finish(&targets);
}

static void changed_address_is_found_and_the_old_one_is_not(void **state)
{
	struct sn_ping_targets targets = {0};
	struct sn_addr before = addr("192.0.2.1"), after = addr("2001:db8::5");

	(void)state;
	add(&targets, "192.0.2.1");
	add(&targets, "192.0.2.2");
	sn_ping_targets_parse(&targets, AF_UNSPEC);
	assert_int_equal(sn_ping_targets_find(&targets, &before), 0);
	assert_false(sn_ping_target_set_addr(&targets, 0, &before));
	assert_true(sn_ping_target_set_addr(&targets, 0, &after));
	assert_int_equal(sn_ping_targets_find(&targets, &before), -1);
	assert_int_equal(sn_ping_targets_find(&targets, &after), 0);
	sn_ping_targets_finish(&targets);
}

static void scope_does_not_matter_when_a_reply_is_looked_up(void **state)
{
	struct sn_ping_targets targets = {0};
	struct sn_addr plain = addr("fe80::1");

	(void)state;
	add(&targets, "fe80::1%lo");
	sn_ping_targets_parse(&targets, AF_UNSPEC);
	assert_true(targets.items[0].addr.in6.sin6_scope_id != 0);
	assert_int_equal(sn_ping_targets_find(&targets, &plain), 0);
	sn_ping_targets_finish(&targets);
}

static void current_address_is_kept_while_it_is_among_the_answers(void **state)
{
	struct sn_addr a = addr("192.0.2.1"), b = addr("192.0.2.2"), none = {0}, chosen;
	struct addrinfo second = {.ai_family = AF_INET, .ai_addr = &b.sa, .ai_addrlen = b.length};
	struct addrinfo first = {
		.ai_family = AF_INET, .ai_addr = &a.sa, .ai_addrlen = a.length, .ai_next = &second};
	struct addrinfo odd = {.ai_family = AF_UNIX, .ai_next = &first};

	(void)state;
	assert_true(sn_ping_choose_address(&odd, &b, &chosen));
	assert_true(sn_addr_equal_host(&chosen, &b));
	assert_true(sn_ping_choose_address(&odd, &none, &chosen));
	assert_true(sn_addr_equal_host(&chosen, &a));
	first.ai_next = NULL;
	assert_true(sn_ping_choose_address(&first, &b, &chosen));
	assert_true(sn_addr_equal_host(&chosen, &a));
	assert_false(sn_ping_choose_address(NULL, &b, &chosen));
}

/* A loop whose time is moved by hand, with one name that has no address yet. */
struct lookup {
	struct sn_clock_virtual clock;
	struct sn_loop *loop;
	struct sn_ping_targets targets;
	struct sn_ping_resolver *resolver;
};

static void lookup_init(struct lookup *lookup, const char *name)
{
	*lookup = (struct lookup){0};
	sn_clock_virtual_init(&lookup->clock, SN_NS_PER_S, SN_NS_PER_S);
	lookup->loop = sn_loop_create(&lookup->clock.clock);
	add(&lookup->targets, name);
	sn_ping_targets_parse(&lookup->targets, AF_UNSPEC);
	lookup->resolver = sn_ping_resolver_create(lookup->loop, &lookup->targets, AF_UNSPEC);
}

static void lookup_finish(struct lookup *lookup)
{
	sn_ping_resolver_destroy(lookup->resolver);
	sn_loop_destroy(lookup->loop);
	sn_ping_targets_finish(&lookup->targets);
}

static void name_without_address_is_asked_for_again_after_a_while(void **state)
{
	struct lookup lookup;

	(void)state;
	lookup_init(&lookup, "localhost");
	sn_loop_advance(lookup.loop, 29 * SN_NS_PER_S);
	for (int i = 0; i < 3; i++)
		sn_loop_turn(lookup.loop, SN_NS_PER_MS);
	assert_int_equal(lookup.targets.items[0].addr.length, 0);
	sn_loop_advance(lookup.loop, 1 * SN_NS_PER_S);
	test_until(lookup.targets.items[0].addr.length != 0,
		   sn_loop_turn(lookup.loop, 20 * SN_NS_PER_MS));
	assert_true(sn_addr_is_loopback(&lookup.targets.items[0].addr));
	lookup_finish(&lookup);
}

static void name_that_is_looked_up_again_may_still_not_lead_there(void **state)
{
	struct sn_prefixes never = never_of("127.0.0.0/8\n::1");
	struct lookup lookup;

	(void)state;
	lookup_init(&lookup, "localhost");
	lookup.targets.never = &never;
	sn_loop_advance(lookup.loop, 30 * SN_NS_PER_S);
	test_until(lookup.targets.items[0].error != NULL,
		   sn_loop_turn(lookup.loop, 20 * SN_NS_PER_MS));
	assert_int_equal(lookup.targets.items[0].addr.length, 0);
	assert_non_null(lookup.targets.items[0].error);
	assert_non_null(strstr(lookup.targets.items[0].error, "of 'localhost' is never probed"));
	lookup_finish(&lookup);
	sn_prefixes_finish(&never);
}

static void resolver_may_go_while_a_question_is_under_way(void **state)
{
	struct lookup lookup;

	(void)state;
	lookup_init(&lookup, "localhost");
	sn_loop_advance(lookup.loop, 30 * SN_NS_PER_S);
	lookup_finish(&lookup);
}

static void addresses_need_no_resolver(void **state)
{
	struct lookup lookup;

	(void)state;
	lookup_init(&lookup, "192.0.2.1");
	assert_null(lookup.resolver);
	lookup_finish(&lookup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_targets_and_comments_do_not),
		cmocka_unit_test(bad_line_is_named_by_file_and_number),
		cmocka_unit_test(text_as_long_as_the_limit_passes_and_one_more_does_not),
		cmocka_unit_test(what_would_spoil_output_is_refused),
		cmocka_unit_test(one_target_more_than_the_limit_is_refused),
		cmocka_unit_test(addresses_of_the_other_family_say_so),
		cmocka_unit_test(refused_family_keeps_the_reason),
		cmocka_unit_test(address_that_is_never_probed_is_not_taken),
		cmocka_unit_test(name_that_leads_to_where_nobody_probes_is_refused),
		cmocka_unit_test(later_address_is_held_against_the_networks_too),
		cmocka_unit_test(index_finds_all_targets_with_an_address),
		cmocka_unit_test(changed_address_is_found_and_the_old_one_is_not),
		cmocka_unit_test(scope_does_not_matter_when_a_reply_is_looked_up),
		cmocka_unit_test(current_address_is_kept_while_it_is_among_the_answers),
		cmocka_unit_test(name_without_address_is_asked_for_again_after_a_while),
		cmocka_unit_test(name_that_is_looked_up_again_may_still_not_lead_there),
		cmocka_unit_test(resolver_may_go_while_a_question_is_under_way),
		cmocka_unit_test(addresses_need_no_resolver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
