/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A property of all messages: what is written is read to the same message, and what was read is
 * written to the same text.  Random, with a new seed each time; SN_TEST_SEED=<seed> repeats one.
 */
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/rand.h"
#include "mplane/codec.h"
#include "mplane/message_internal.h"

#define ROUNDS 1500

static struct sn_mp_registries *registries;
static struct sn_prng prng;

static int set_up(void **state)
{
	const char *text = getenv("SN_TEST_SEED");
	uint64_t seed = sn_random_below(UINT64_MAX);

	(void)state;
	if (text != NULL)
		assert_int_equal(sn_parse_u64(sn_str(text), 0, UINT64_MAX, &seed), 0);
	print_message("# SN_TEST_SEED=%llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	registries = sn_mp_registries_create();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sn_mp_registries_destroy(registries);
	return 0;
}

static uint64_t below(uint64_t limit)
{
	return sn_prng_u64(&prng) % limit;
}

static bool maybe(void)
{
	return below(2) == 0;
}

/* Values ------------------------------------------------------------------ */

static void add_text(struct sn_buf *out)
{
	static const char *const pieces[] = {"a",
					     "Z",
					     "0",
					     " ",
					     ",",
					     " ... ",
					     "*",
					     "\"",
					     "\\",
					     "/",
					     "\n",
					     "\x01",
					     "\x7f",
					     "\xc3\xa9",
					     "\xe2\x82\xac",
					     "\xf0\x9f\x98\x80",
					     "{",
					     "]",
					     ":",
					     "'"};
	uint64_t count = below(12);

	for (uint64_t i = 0; i < count; i++)
		sn_buf_adds(out, pieces[below(SN_COUNT(pieces))]);
}

static void add_natural(struct sn_buf *out)
{
	static const char *const forms[] = {
		"0",   "18446744073709551615", "9223372036854775808", "100.0", "10E2",
		"007", "9007199254740993"};

	if (maybe())
		sn_buf_adds(out, forms[below(SN_COUNT(forms))]);
	else
		sn_buf_add_u64(out, sn_prng_u64(&prng) >> below(64));
}

static void add_real(struct sn_buf *out)
{
	static const char *const forms[] = {"0", "-0.0", "1e300", "5e-324", "0.1", "-17", "100.0"};

	if (maybe())
		sn_buf_adds(out, forms[below(SN_COUNT(forms))]);
	else
		sn_buf_addf(out, "%.17g", (sn_prng_unit(&prng) - 0.5) * 1e6);
}

static void add_boolean(struct sn_buf *out)
{
	static const char *const forms[] = {"True", "False", "true", "FALSE", "1", "0"};

	sn_buf_adds(out, forms[below(SN_COUNT(forms))]);
}

static void add_time(struct sn_buf *out)
{
	char text[SN_MP_TIME_SIZE];

	sn_buf_adds(out, sn_mp_time_format((int64_t)below(4000000000u) * SN_NS_PER_S +
						   (int64_t)below(1000000) * SN_NS_PER_US,
					   text));
}

static void add_address(struct sn_buf *out)
{
	if (maybe())
		sn_buf_addf(out, "%d.%d.%d.%d", (int)below(256), (int)below(256), (int)below(256),
			    (int)below(256));
	else
		sn_buf_addf(out, "2001:DB8::%x:%x", (unsigned)below(65536), (unsigned)below(3));
}

static void add_value(struct sn_buf *out, enum sn_mp_prim prim)
{
	static void (*const makers[])(struct sn_buf *) = {
		[SN_MP_STRING] = add_text, [SN_MP_NATURAL] = add_natural,
		[SN_MP_REAL] = add_real,   [SN_MP_BOOLEAN] = add_boolean,
		[SN_MP_TIME] = add_time,   [SN_MP_ADDRESS] = add_address,
		[SN_MP_URL] = add_text,
	};

	if (below(8) == 0)
		sn_buf_adds(out, "*");
	else
		makers[prim](out);
}

static void add_constraint(struct sn_buf *out, enum sn_mp_prim prim)
{
	uint64_t form = below(5);

	if (form == 0) {
		sn_buf_adds(out, "*");
	} else if (form == 1 && prim != SN_MP_BOOLEAN) {
		add_natural(out);
	} else if (form == 2 && prim == SN_MP_ADDRESS) {
		sn_buf_addf(out, "192.0.2.0/%d", (int)below(33));
	} else {
		add_value(out, prim);
		sn_buf_adds(out, form == 3 ? "," : " ... ");
		add_value(out, prim);
	}
}

/* Messages ---------------------------------------------------------------- */

static const char *element(void)
{
	static const char *const names[] = {"source.ip4",
					    "destination.ip6",
					    "source.port",
					    "octets.ip",
					    "cpuload",
					    "snr",
					    "time",
					    "start",
					    "connectivity.ip",
					    "connectivity.as",
					    "content.url",
					    "destination.url",
					    "location.civil",
					    "measurement.algorithm",
					    "delay.twoway.icmp.us",
					    "intermediate.ip4",
					    "no.such-element",
					    "NEITHER_this",
					    "7"};

	return names[below(SN_COUNT(names))];
}

static enum sn_mp_prim prim_of(const char *name)
{
	const struct sn_mp_element *found =
		sn_mp_element_find(registries, SN_MP_REGISTRY_CORE, name);

	return found != NULL ? found->prim : SN_MP_STRING;
}

/* Names come again and values do not always fit; then the message stays as it was. */
static void fill_params(struct sn_mp_message *message)
{
	struct sn_buf text = {0};

	for (uint64_t i = below(8); i > 0; i--) {
		const char *name = element();

		sn_buf_clear(&text);
		if (sn_mp_kind_info(message->kind)->constraints)
			add_constraint(&text, prim_of(name));
		else
			add_value(&text, prim_of(name));
		sn_mp_add_param(message, registries, name, sn_buf_cstr(&text), NULL);
	}
	sn_buf_finish(&text);
}

static void fill_metadata(struct sn_mp_message *message)
{
	struct sn_buf text = {0};

	for (uint64_t i = below(4); i > 0; i--) {
		sn_buf_clear(&text);
		add_text(&text);
		sn_mp_add_meta(message, element(), sn_buf_cstr(&text), NULL);
	}
	sn_buf_finish(&text);
}

static void add_row(struct sn_mp_message *message)
{
	struct sn_buf texts[16] = {0};
	const char *values[16];

	for (size_t i = 0; i < message->column_count; i++) {
		add_value(&texts[i], message->columns[i].prim);
		values[i] = below(6) == 0 ? NULL : sn_buf_cstr(&texts[i]);
	}
	assert_int_equal(sn_mp_add_row(message, values, NULL), 0);
	for (size_t i = 0; i < message->column_count; i++)
		sn_buf_finish(&texts[i]);
}

static void fill_table(struct sn_mp_message *message)
{
	for (uint64_t i = below(8); i > 0; i--)
		sn_mp_add_column(message, registries, element(), NULL);
	if (message->column_count == 0 || !(sn_mp_kind_info(message->kind)->may & SN_MP_S_ROWS))
		return;
	for (uint64_t i = below(6); i > 0; i--)
		add_row(message);
}

static void fill_when(struct sn_mp_message *message)
{
	static const char *const scopes[] = {
		"now",
		"now ... future / 1s",
		"now + 90s / 10s",
		"past ... future",
		"now + inf",
		"2026-01-01 ... 2026-02-01T10:00:00.25Z / 1d",
		"2026-01-01 12:30",
		"repeat now + 12s / 4s { now + 2s / 1s } ",
		"repeat 2026-01-01 ... future cron 0 0,30 8-17 * 1-5 * { now + 10s / 1s }",
		"repeat now ... future / 1h"};
	int rc;

	if (below(4) == 0)
		return;
	rc = sn_mp_when_parse(sn_str(scopes[below(SN_COUNT(scopes))]), &message->when, NULL);
	assert_int_equal(rc, 0);
}

static void fill_texts(struct sn_mp_message *message)
{
	static const char *const texts[] = {"", "t", "https://192.0.2.1:8889/x?y=%20", "label-12",
					    "\xc3\xa9\"\\"};

	for (int i = 0; i < SN_MP_SECTIONS; i++) {
		enum sn_mp_section section = (enum sn_mp_section)(1 << i);
		char **text = sn_mp_section_text(message, section);

		if (text != NULL && sn_mp_kind_info(message->kind)->may & section && maybe())
			sn_mp_set_text(text, texts[below(SN_COUNT(texts))]);
	}
	if (sn_mp_kind_info(message->kind)->may & SN_MP_S_REGISTRY && maybe())
		sn_mp_set_text(&message->registry, SN_MP_REGISTRY_CORE);
	message->has_link = message->link != NULL;
}

static struct sn_mp_message *random_message(unsigned depth)
{
	static const char *const verbs[] = {"measure", "query", "collect", "callback", "own"};
	enum sn_mp_kind kind = (enum sn_mp_kind)below(SN_MP_KINDS - (depth == 0));
	struct sn_mp_message *message = sn_mp_message_create(kind, verbs[below(SN_COUNT(verbs))]);

	fill_texts(message);
	if (kind != SN_MP_EXCEPTION)
		fill_when(message);
	if (kind == SN_MP_ENVELOPE) {
		for (uint64_t i = below(5); i > 0; i--)
			sn_mp_add_content(message, random_message(depth - 1));
		return message;
	}
	if (sn_mp_kind_info(kind)->may & SN_MP_S_PARAMS) {
		fill_params(message);
		fill_metadata(message);
		fill_table(message);
	}
	return message;
}

/* Properties -------------------------------------------------------------- */

static struct sn_mp_message *decode(struct sn_str text)
{
	struct sn_buf skipped = {0};
	struct sn_err err = {0};
	struct sn_mp_message *message = sn_mp_decode(registries, text.p, text.n, 0, &skipped, &err);

	if (message == NULL || skipped.n > 0)
		fail_msg("%.*s: %s%s", (int)text.n, text.p, err.text, sn_buf_cstr(&skipped));
	return message;
}

static void assert_comes_back(const struct sn_mp_message *message, int flags)
{
	struct sn_buf text = {0}, again = {0};
	struct sn_mp_message *other;

	sn_mp_encode(message, flags, &text);
	other = decode(sn_buf_str(&text));
	if (!(flags & SN_MP_BARE_ARRAY) && !sn_mp_message_equal(message, other))
		fail_msg("not equal: %s", sn_buf_cstr(&text));
	sn_mp_encode(other, flags, &again);
	assert_string_equal(sn_buf_cstr(&again), sn_buf_cstr(&text));
	sn_mp_message_destroy(other);
	sn_buf_finish(&text);
	sn_buf_finish(&again);
}

static void every_message_comes_back_as_it_was(void **state)
{
	static const int flags[] = {0, SN_MP_NATIVES, SN_MP_INDENT, SN_MP_NATIVES | SN_MP_INDENT,
				    SN_MP_BARE_ARRAY};
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct sn_mp_message *message = random_message(3);

		seen |= 1u << message->kind;
		for (size_t f = 0; f < SN_COUNT(flags); f++)
			assert_comes_back(message, flags[f]);
		sn_mp_message_destroy(message);
	}
	assert_int_equal(seen, (1u << SN_MP_KINDS) - 1);
}

/* The same with keys in another order, keys that nobody knows, and all else that JSON allows. */
static json_t *disturbed(const json_t *json)
{
	json_t *copy, *value;
	const char *key;
	size_t i;

	if (json_is_array(json)) {
		copy = json_array();
		json_array_foreach (json, i, value)
			json_array_append_new(copy, disturbed(value));
		return copy;
	}
	if (!json_is_object(json))
		return json_deep_copy(json);
	copy = json_object();
	/* A message, not its parameters. */
	if (json_object_get(json, "version") != NULL || json_object_get(json, "message") != NULL)
		json_object_set_new(copy, "unknown", json_pack("{s:[s,n,i]}", "x", "y", -7));
	json_object_foreach ((json_t *)json, key, value) {
		if (strcmp(key, "version") != 0)
			json_object_set_new(copy, key, disturbed(value));
	}
	return copy;
}

static char *reversed(const json_t *object)
{
	const char *keys[64], *key;
	size_t count = 0;
	struct sn_buf out = {0};
	json_t *value;

	json_object_foreach ((json_t *)object, key, value)
		keys[count++] = key;
	sn_buf_addc(&out, '{');
	while (count > 0) {
		key = keys[--count];
		{
			sn_autojson json_t *name = json_string(key);
			sn_autofree char *k = json_dumps(name, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
			sn_autofree char *v =
				json_dumps(json_object_get(object, key),
					   JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_INDENT(3) |
						   JSON_ESCAPE_SLASH);

			sn_buf_addf(&out, "\t%s\r\n:%s%s", k, v, count > 0 ? " ," : "\n}\n");
		}
	}
	sn_buf_cstr(&out);
	return out.p;
}

static void order_blanks_escapes_and_unknown_keys_change_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		sn_automp struct sn_mp_message *message = random_message(3), *other = NULL;
		sn_autojson json_t *json = NULL, *odd = NULL;
		sn_autofree char *text = NULL;
		struct sn_buf plain = {0};

		sn_mp_encode(message, 0, &plain);
		json = sn_json_parse(plain.p, plain.n, NULL);
		assert_non_null(json);
		odd = disturbed(json);
		text = reversed(odd);
		other = decode(sn_str(text));
		if (!sn_mp_message_equal(message, other))
			fail_msg("%s is not %s", text, sn_buf_cstr(&plain));
		sn_buf_finish(&plain);
	}
}

static void copy_of_every_message_is_equal(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		sn_automp struct sn_mp_message *message = random_message(3);
		sn_automp struct sn_mp_message *copy = sn_mp_message_copy(message);

		assert_true(sn_mp_message_equal(message, copy));
		assert_comes_back(copy, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_comes_back_as_it_was),
		cmocka_unit_test(order_blanks_escapes_and_unknown_keys_change_nothing),
		cmocka_unit_test(copy_of_every_message_is_equal),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
