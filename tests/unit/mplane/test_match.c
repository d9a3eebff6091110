/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mplane/match.h"

#define T0       1767225600000000000LL /* 2026-01-01 */
#define LIST_MAX 8

static struct sn_mp_registries *registries;

static int set_up(void **state)
{
	(void)state;
	registries = sn_mp_registries_create();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sn_mp_registries_destroy(registries);
	return 0;
}

static void scope(struct sn_mp_message *message, const char *text)
{
	assert_int_equal(sn_mp_when_parse(sn_str(text), &message->when, NULL), 0);
}

/* The one of the published vectors. */
static struct sn_mp_message *capability(void)
{
	static const char *const results[] = {
		"delay.twoway.icmp.us.min", "delay.twoway.icmp.us.mean", "delay.twoway.icmp.us.max",
		"delay.twoway.icmp.count"};
	struct sn_mp_message *c = sn_mp_message_create(SN_MP_CAPABILITY, SN_MP_VERB_MEASURE);

	sn_mp_set_text(&c->registry, SN_MP_REGISTRY_CORE);
	scope(c, "now ... future / 1s");
	sn_mp_add_param(c, registries, "source.ip4", "192.0.2.19", NULL);
	sn_mp_add_param(c, registries, "destination.ip4", "*", NULL);
	for (size_t i = 0; i < SN_COUNT(results); i++)
		sn_mp_add_column(c, registries, results[i], NULL);
	return c;
}

static struct sn_mp_message *labelled(const char *label, const char *token)
{
	struct sn_mp_message *c = capability();

	sn_mp_set_text(&c->label, label);
	sn_mp_set_text(&c->token, token);
	return c;
}

static struct sn_mp_message *specification(const char *when)
{
	sn_automp struct sn_mp_message *c = capability();
	struct sn_mp_message *s = sn_mp_message_as(c, SN_MP_SPECIFICATION);

	scope(s, when);
	sn_mp_set_value(s, "destination.ip4", "198.51.100.7", NULL);
	return s;
}

static void assert_says(int rc, int code, const struct sn_err *err, const char *says)
{
	assert_int_equal(rc, code);
	assert_int_equal(err->code, code);
	if (strstr(err->text, says) == NULL)
		fail_msg("'%s' is not in '%s'", says, err->text);
}

/* Hashes ------------------------------------------------------------------ */

static void hashes_are_those_of_the_published_vectors(void **state)
{
	sn_automp struct sn_mp_message *c = capability();
	sn_automp struct sn_mp_message *bare = sn_mp_message_create(SN_MP_CAPABILITY, NULL);
	sn_automp struct sn_mp_message *timed =
		specification("2030-01-02 03:04:05.000000 + 1m / 10s");
	sn_automp struct sn_mp_message *relative = specification("now + 30s / 1s");
	char hash[SN_MP_HASH_SIZE], other[SN_MP_HASH_SIZE];

	(void)state;
	sn_mp_schema_hash(c, hash);
	assert_string_equal(hash, "e2ca42e60e5e998c7b7bc1fc439129b4");
	sn_mp_full_hash(c, hash);
	assert_string_equal(hash, "0b96282ea23909acbabc428d53abd266");
	sn_mp_add_meta(c, "measurement.revision", "3", NULL);
	sn_mp_add_meta(c, "System_type", "demo", NULL);
	sn_mp_full_hash(c, hash);
	assert_string_equal(hash, "328c7d2403ddf760fc992c8b3581874a");
	sn_mp_spec_hash(timed, NULL, hash);
	assert_string_equal(hash, "2b320a24306c6f63f5ee83981f759641");
	sn_mp_spec_hash(relative, NULL, hash);
	assert_string_equal(hash, "7df0017342fbcbd726df97c82f789edf");
	sn_mp_spec_hash(relative, "extra", other);
	assert_string_not_equal(hash, other);
	sn_mp_set_text(&bare->registry, SN_MP_REGISTRY_CORE);
	sn_mp_schema_hash(bare, hash);
	assert_string_equal(hash, "a7b45ce66d5abfcb894de36d5d0f0ada");
}

static void schema_is_the_same_for_offer_and_order_in_any_order_of_results(void **state)
{
	sn_automp struct sn_mp_message *c = capability();
	sn_automp struct sn_mp_message *s = specification("now");
	struct sn_mp_column first = s->columns[0];
	char hash[SN_MP_HASH_SIZE], other[SN_MP_HASH_SIZE];

	(void)state;
	s->columns[0] = s->columns[3];
	s->columns[3] = first;
	sn_mp_schema_hash(c, hash);
	sn_mp_schema_hash(s, other);
	assert_string_equal(hash, other);
	assert_int_equal(sn_mp_match(s, c, T0, NULL), 0);
}

static void token_of_a_capability_depends_on_who_offers_it(void **state)
{
	sn_automp struct sn_mp_message *c = labelled("ping", NULL);
	sn_automp struct sn_mp_message *d = labelled("pong", NULL);
	char a[SN_MP_HASH_SIZE], b[SN_MP_HASH_SIZE];

	(void)state;
	sn_mp_token_of_capability(c, "org.example.A", a);
	sn_mp_token_of_capability(c, "org.example.A", b);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), SN_MP_HASH_SIZE - 1);
	sn_mp_token_of_capability(c, "org.example.B", b);
	assert_string_not_equal(a, b);
	sn_mp_token_of_capability(d, "org.example.A", b);
	assert_string_not_equal(a, b);
	sn_mp_add_meta(d, "System_ID", "x", NULL);
	sn_mp_token_of_capability(d, "org.example.A", a);
	assert_string_not_equal(a, b);
}

static void random_tokens_differ(void **state)
{
	char a[SN_MP_HASH_SIZE], b[SN_MP_HASH_SIZE];

	(void)state;
	sn_mp_token_random(a);
	sn_mp_token_random(b);
	assert_int_equal(strspn(a, "0123456789abcdef"), SN_MP_HASH_SIZE - 1);
	assert_string_not_equal(a, b);
}

/* Matching ---------------------------------------------------------------- */

static void fitting_specification_matches(void **state)
{
	static const char *const scopes[] = {
		"now + 30s / 1s",
		"now",
		"now ... future / 10s",
		"repeat now + 1d / 1h { now + 30s / 1s }",
		/* The shortest period is meant. */
		"now + 30s",
		"repeat now + 1d / 1h { now + 30s }",
	};
	sn_automp struct sn_mp_message *c = capability();

	(void)state;
	for (size_t i = 0; i < SN_COUNT(scopes); i++) {
		sn_automp struct sn_mp_message *s = specification(scopes[i]);
		struct sn_err err = {0};

		if (sn_mp_match(s, c, T0, &err) != 0)
			fail_msg("%s: %s", scopes[i], err.text);
	}
}

static void scope_outside_of_what_is_offered_is_refused(void **state)
{
	sn_automp struct sn_mp_message *c = capability();
	sn_automp struct sn_mp_message *none = specification("now");
	sn_automp struct sn_mp_message *fast = specification("now + 30s / 1s");
	struct sn_err err = {0};

	(void)state;
	scope(c, "2027-01-01 ... future / 2s");
	assert_int_equal(sn_mp_match(none, c, T0, &err), -EINVAL);
	scope(c, "now ... future / 2s");
	assert_says(sn_mp_match(fast, c, T0, &err), -EINVAL, &err, "period");
	none->when.set = false;
	assert_says(sn_mp_match(none, c, T0, &err), -EINVAL, &err, "'when'");
}

static void mismatch_is_explained(void **state)
{
	sn_automp struct sn_mp_message *c = capability();
	sn_automp struct sn_mp_message *s = specification("now");
	struct sn_err err = {0};

	(void)state;
	sn_mp_set_value(s, "source.ip4", "192.0.2.20", NULL);
	assert_says(sn_mp_match(s, c, T0, &err), -EINVAL, &err,
		    "parameter 'source.ip4' cannot be '192.0.2.20' here (possible is 192.0.2.19)");
	sn_mp_set_value(s, "source.ip4", NULL, NULL);
	assert_says(sn_mp_match(s, c, T0, &err), -EINVAL, &err,
		    "parameter 'source.ip4' has no value");
	sn_mp_set_value(s, "source.ip4", "192.0.2.19", NULL);
	/* What is not constrained may be left out. */
	sn_mp_set_value(s, "destination.ip4", NULL, NULL);
	assert_int_equal(sn_mp_match(s, c, T0, &err), 0);
	sn_mp_set_text(&s->verb, SN_MP_VERB_QUERY);
	assert_says(sn_mp_match(s, c, T0, &err), -EINVAL, &err, "verb");
	sn_mp_set_text(&s->registry, "http://192.0.2.1/other");
	assert_says(sn_mp_match(s, c, T0, &err), -EINVAL, &err, "registry");
}

static void schema_has_to_be_equal(void **state)
{
	static const struct {
		const char *param, *column;
		bool of_specification;
		const char *says;
	} more[] = {
		{"hops.ip", NULL, true, "it has no parameter 'hops.ip'"},
		{"hops.ip", NULL, false, "parameter 'hops.ip' is missing"},
		{NULL, "hops.ip", true, "it has no result 'hops.ip'"},
		{NULL, "hops.ip", false, "result 'hops.ip' is missing"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(more); i++) {
		sn_automp struct sn_mp_message *c = capability();
		sn_automp struct sn_mp_message *s = specification("now");
		struct sn_mp_message *changed = more[i].of_specification ? s : c;
		struct sn_err err = {0};

		if (more[i].param != NULL)
			sn_mp_add_param(changed, registries, more[i].param, "*", NULL);
		else
			sn_mp_add_column(changed, registries, more[i].column, NULL);
		assert_says(sn_mp_match(s, c, T0, &err), -EINVAL, &err, more[i].says);
		assert_int_equal(sn_mp_match(s, c, T0, NULL), -EINVAL);
	}
}

/* Choice ------------------------------------------------------------------ */

struct list {
	struct sn_mp_message *items[LIST_MAX];
	size_t count;
};

static void add(struct list *list, const char *label, const char *token)
{
	list->items[list->count++] = labelled(label, token);
}

static void forget(struct list *list)
{
	while (list->count > 0)
		sn_mp_message_destroy(list->items[--list->count]);
}

static int choose(const struct list *list, const struct sn_mp_message *s, struct sn_err *err)
{
	return sn_mp_choose(s, (const struct sn_mp_message *const *)list->items, list->count, T0,
			    err);
}

static void token_decides_then_label_then_being_the_only_one(void **state)
{
	sn_automp struct sn_mp_message *s = specification("now");
	struct list list = {0};
	struct sn_err err = {0};

	(void)state;
	add(&list, "ping", "t0");
	assert_int_equal(choose(&list, s, &err), 0);
	add(&list, "delay", "t1");
	add(&list, "ping-fast", "t2");
	sn_mp_set_text(&s->label, "delay-17");
	assert_int_equal(choose(&list, s, &err), 1);
	sn_mp_set_text(&s->label, "ping-fast");
	assert_int_equal(choose(&list, s, &err), 2);
	sn_mp_set_text(&s->token, "t0");
	assert_int_equal(choose(&list, s, &err), 0);
	/* A label of nobody's is no reason to refuse the only one that fits. */
	sn_mp_set_text(&s->token, "own");
	sn_mp_set_text(&s->label, "mine-1");
	sn_mp_set_value(list.items[1], "source.ip4", "192.0.2.1", NULL);
	sn_mp_set_value(list.items[2], "source.ip4", "192.0.2.1", NULL);
	assert_int_equal(choose(&list, s, &err), 0);
	forget(&list);
}

static void several_that_fit_are_named_and_none_is_picked(void **state)
{
	sn_automp struct sn_mp_message *s = specification("now");
	struct list list = {0};
	struct sn_err err = {0};

	(void)state;
	add(&list, "ping", "t0");
	add(&list, "delay", "t1");
	add(&list, "ping", "t2");
	assert_says(choose(&list, s, &err), -ENOTUNIQ, &err, "'delay' (token t1)");
	sn_mp_set_text(&s->label, "ping-3");
	assert_says(choose(&list, s, &err), -ENOTUNIQ, &err,
		    "'ping' (token t0), 'ping' (token t2)");
	/* Two that say they are the same do not capture each other's work. */
	sn_mp_set_text(&list.items[2]->token, "t0");
	sn_mp_set_text(&s->token, "t0");
	assert_int_equal(choose(&list, s, &err), -ENOTUNIQ);
	forget(&list);
}

static void nearest_miss_is_explained(void **state)
{
	sn_automp struct sn_mp_message *s = specification("now");
	struct list list = {0};
	struct sn_err err = {0};

	(void)state;
	assert_says(choose(&list, s, &err), -ENOENT, &err, "no capability");
	add(&list, "other", "t0");
	sn_mp_add_param(list.items[0], registries, "hops.ip", "*", NULL);
	assert_says(choose(&list, s, &err), -ENOENT, &err,
		    "no capability with these parameters and results");
	add(&list, "ping", "t1");
	sn_mp_set_value(s, "source.ip4", "192.0.2.20", NULL);
	assert_says(choose(&list, s, &err), -ENOENT, &err, "not 'ping': parameter 'source.ip4'");
	/* By its token or label it was meant for the first. */
	sn_mp_set_text(&s->token, "t0");
	assert_says(choose(&list, s, &err), -ENOENT, &err,
		    "not 'other': parameter 'hops.ip' is missing");
	assert_int_equal(choose(&list, s, NULL), -ENOENT);
	forget(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_those_of_the_published_vectors),
		cmocka_unit_test(schema_is_the_same_for_offer_and_order_in_any_order_of_results),
		cmocka_unit_test(token_of_a_capability_depends_on_who_offers_it),
		cmocka_unit_test(random_tokens_differ),
		cmocka_unit_test(fitting_specification_matches),
		cmocka_unit_test(scope_outside_of_what_is_offered_is_refused),
		cmocka_unit_test(mismatch_is_explained),
		cmocka_unit_test(schema_has_to_be_equal),
		cmocka_unit_test(token_decides_then_label_then_being_the_only_one),
		cmocka_unit_test(several_that_fit_are_named_and_none_is_picked),
		cmocka_unit_test(nearest_miss_is_explained),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
