/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "meter/view/anonymise.h"

/* Lines --------------------------------------------------------------------------------- */

static struct sn_privacy *policy_of(const char *lines)
{
	struct sn_privacy *policy = sn_privacy_create();
	struct sn_err err = {0};

	if (sn_privacy_parse(policy, sn_str(lines), "policy", &err) != 0)
		fail_msg("%s", err.text);
	return policy;
}

static void policy_starts_open_but_for_urls_and_cookies(void **state SN_UNUSED)
{
	struct sn_privacy *policy = sn_privacy_create();

	for (unsigned field = 0; field < SN_FIELDS; field++) {
		bool dropped = field == SN_FIELD_URL || field == SN_FIELD_COOKIE;

		assert_int_equal(sn_privacy_mode(policy, field),
				 dropped ? SN_PRIVACY_DROP : SN_PRIVACY_KEEP);
	}
	sn_privacy_destroy(policy);
}

static void lines_are_read_and_later_ones_win(void **state SN_UNUSED)
{
	struct sn_privacy *policy = policy_of("# ours\n"
					      "client_address\tcryptopan\n"
					      "  name hash  # for now\r\n"
					      "name truncate 3\n"
					      "internal_address truncate 20/56\n"
					      "agent truncate\n"
					      "url truncate 1\n"
					      "cookie keep\n");

	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_NAME), SN_PRIVACY_TRUNCATE);
	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_AGENT), SN_PRIVACY_TRUNCATE);
	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_URL), SN_PRIVACY_TRUNCATE);
	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_COOKIE), SN_PRIVACY_KEEP);
	/* External clients are still encrypted, internal servers truncated. */
	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_CLIENT_ADDRESS), SN_PRIVACY_CRYPTOPAN);
	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_SERVER_ADDRESS), SN_PRIVACY_TRUNCATE);
	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_INTERNAL_ADDRESS), SN_PRIVACY_TRUNCATE);
	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_EXTERNAL_ADDRESS), SN_PRIVACY_CRYPTOPAN);
	sn_privacy_destroy(policy);
}

static void refuse(const char *lines, const char *text)
{
	struct sn_privacy *policy = policy_of("name hash\n");
	struct sn_err err = {0};

	assert_true(sn_privacy_parse(policy, sn_str(lines), "policy", &err) < 0);
	if (strstr(err.text, text) == NULL)
		fail_msg("'%s' is not '%s'", err.text, text);
	/* Nothing of it holds. */
	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_NAME), SN_PRIVACY_HASH);
	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_AGENT), SN_PRIVACY_KEEP);
	sn_privacy_destroy(policy);
}

static void refusals_name_line_and_field_and_the_nearest_word(void **state SN_UNUSED)
{
	refuse("agent drop\nclient_adress drop\n",
	       "cannot use 'policy', line 2: unknown field 'client_adress' (did you mean "
	       "'client_address'?)");
	refuse("agent hsh\n", "line 1: unknown mode 'hsh' (did you mean 'hash'?)");
	refuse("agent\n", "line 1: a mode is missing");
	refuse("cookie truncate 3\n", "'cookie' cannot be 'truncate' (keep, drop, hash)");
	refuse("url cryptopan\n", "'url' cannot be 'cryptopan' (keep, drop, truncate, hash)");
	refuse("client_address truncate 33/48\n", "'33/48' is no pair of prefix lengths");
	refuse("client_address truncate 24/129\n", "'24/129' is no pair of prefix lengths");
	refuse("client_address truncate 24\n", "'24' is no pair of prefix lengths");
	refuse("name truncate -1\n", "'-1' is no number of labels from 0 to 255");
	refuse("name truncate 256\n", "'256' is no number of labels from 0 to 255");
	refuse("agent drop 1\n", "'drop' takes no argument, here is '1'");
	refuse("agent truncate 1 2\n", "too many words, from '2' on");
}

static void lines_have_a_limit(void **state SN_UNUSED)
{
	struct sn_privacy *policy = sn_privacy_create();
	struct sn_buf text = {0};
	struct sn_err err;

	for (unsigned i = 0; i < SN_PRIVACY_LINES_MAX; i++)
		sn_buf_adds(&text, "name drop\n");
	assert_int_equal(sn_privacy_parse(policy, sn_buf_str(&text), "p", &err), 0);
	sn_buf_adds(&text, "name drop\n");
	assert_int_equal(sn_privacy_parse(policy, sn_buf_str(&text), "p", &err), -E2BIG);
	sn_buf_finish(&text);
	sn_privacy_destroy(policy);
}

static void what_is_written_is_read_as_the_same(void **state SN_UNUSED)
{
	struct sn_privacy *policy = policy_of("server_address keep\ninternal_address hash\n"
					      "server_address truncate 8/32\nname truncate 1\n"
					      "external_address drop\nagent hash\n"),
			  *again;
	struct sn_buf first = {0}, second = {0};

	sn_privacy_write(policy, &first);
	again = policy_of(sn_buf_cstr(&first));
	sn_privacy_write(again, &second);
	for (unsigned field = 0; field < SN_FIELDS; field++)
		assert_int_equal(sn_privacy_mode(policy, field), sn_privacy_mode(again, field));
	assert_memory_equal(policy->addresses[SN_ROLE_SERVER], again->addresses[SN_ROLE_SERVER],
			    sizeof(enum sn_privacy_mode));
	/* Once written, it is always written so. */
	sn_privacy_destroy(policy);
	policy = policy_of(sn_buf_cstr(&second));
	sn_buf_clear(&first);
	sn_privacy_write(policy, &first);
	assert_string_equal(sn_buf_cstr(&first), sn_buf_cstr(&second));
	sn_buf_finish(&first);
	sn_buf_finish(&second);
	sn_privacy_destroy(policy);
	sn_privacy_destroy(again);
}

/* Keys ---------------------------------------------------------------------------------- */

static char *in_new_directory(const char *name)
{
	static char path[64], directory[] = "/tmp/sonde-test-XXXXXX";

	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void remove_with_directory(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static void missing_key_file_is_made_for_its_owner_alone(void **state SN_UNUSED)
{
	char *path = in_new_directory("key");
	uint8_t key[SN_PRIVACY_KEY_BYTES], again[SN_PRIVACY_KEY_BYTES];
	static const uint8_t zeros[SN_PRIVACY_KEY_BYTES];
	struct sn_err err = {0};
	struct stat st;

	assert_int_equal(sn_privacy_key_load(path, key, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, SN_PRIVACY_KEY_BYTES);
	assert_memory_not_equal(key, zeros, sizeof(key));
	assert_int_equal(sn_privacy_key_load(path, again, &err), 0);
	assert_memory_equal(key, again, sizeof(key));
	remove_with_directory(path);
}

static void key_file_that_others_may_read_is_refused(void **state SN_UNUSED)
{
	char *path = in_new_directory("key");
	uint8_t key[SN_PRIVACY_KEY_BYTES];
	struct sn_err err = {0};

	assert_int_equal(sn_privacy_key_load(path, key, &err), 0);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(sn_privacy_key_load(path, key, &err), -EPERM);
	assert_non_null(strstr(err.text, "others may read it (chmod 600 it"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 31), 0);
	assert_int_equal(sn_privacy_key_load(path, key, &err), -EINVAL);
	assert_non_null(strstr(err.text, "31 bytes instead of 32"));
	remove_with_directory(path);
	assert_int_equal(sn_privacy_key_load("/nonexistent/key", key, &err), -ENOENT);
	assert_int_equal(sn_privacy_key_load("/tmp", key, &err), -EINVAL);
}

static void keys_of_the_reference_are_cut_padded_and_decoded(void **state SN_UNUSED)
{
	uint8_t key[SN_PRIVACY_KEY_BYTES];
	struct sn_err err;

	assert_int_equal(sn_privacy_key_text(SN_STR("abc\nmore\n"), false, key, &err), 0);
	assert_memory_equal(key, "abc\0\0", 5);
	assert_int_equal(sn_privacy_key_text(SN_STR("0123456789abcdefghijklmnopqrstuvwxyz"), false,
					     key, &err),
			 0);
	assert_memory_equal(key, "0123456789abcdefghijklmnopqrstuv", 32);
	memset(key, 0, sizeof(key));
	assert_int_equal(sn_privacy_key_text(SN_STR("MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="),
					     true, key, &err),
			 0);
	assert_memory_equal(key, "0123456789abcdefghijklmnopqrstuv", 32);
	assert_int_equal(sn_privacy_key_text(SN_STR("MDEy*"), true, key, &err), -EINVAL);
	assert_int_equal(sn_privacy_key_text(SN_STR(""), false, key, &err), -EINVAL);
}

/* Addresses ----------------------------------------------------------------------------- */

static struct sn_anonymiser *anonymiser_of(struct sn_privacy *policy,
					   const struct sn_inside *inside)
{
	struct sn_anonymiser *an = sn_anonymiser_create(policy, inside);

	sn_anonymiser_clock(an, 0);
	return an;
}

static enum sn_privacy_mode tell(struct sn_anonymiser *an, enum sn_privacy_role role,
				 const char *text, char out[SN_VIEW_ADDRESS_MAX])
{
	uint8_t family = strchr(text, ':') != NULL ? 6 : 4, ip[16] = {0}, told[16];
	unsigned rule;
	enum sn_privacy_mode mode;

	assert_int_equal(inet_pton(family == 6 ? AF_INET6 : AF_INET, text, ip), 1);
	rule = sn_anonymiser_rule(an, role, sn_anonymiser_is_internal(an, ip, family));
	mode = sn_anonymise_address(an, rule, ip, family, told);
	sn_view_address_text(told, family, out);
	return mode;
}

static void modes_do_to_addresses_what_they_say(void **state SN_UNUSED)
{
	struct sn_privacy *policy = policy_of("client_address truncate\nserver_address hash\n"
					      "resolver_address drop\n");
	struct sn_anonymiser *an = anonymiser_of(policy, NULL);
	char one[SN_VIEW_ADDRESS_MAX], two[SN_VIEW_ADDRESS_MAX];

	assert_int_equal(tell(an, SN_ROLE_CLIENT, "192.0.2.77", one), SN_PRIVACY_TRUNCATE);
	assert_string_equal(one, "192.0.2.0");
	tell(an, SN_ROLE_CLIENT, "2001:db8:1:2::3", one);
	assert_string_equal(one, "2001:db8:1::");
	assert_int_equal(tell(an, SN_ROLE_SERVER, "192.0.2.77", one), SN_PRIVACY_HASH);
	assert_string_not_equal(one, "192.0.2.77");
	tell(an, SN_ROLE_SERVER, "192.0.2.77", two);
	assert_string_equal(one, two);
	tell(an, SN_ROLE_SERVER, "192.0.2.78", two);
	assert_string_not_equal(one, two);
	tell(an, SN_ROLE_SERVER, "2001:db8::1", one);
	assert_memory_equal(one, "fd", 2);
	assert_int_equal(tell(an, SN_ROLE_RESOLVER, "192.0.2.77", one), SN_PRIVACY_DROP);
	assert_string_equal(one, "0.0.0.0");
	sn_anonymiser_destroy(an);
	sn_privacy_destroy(policy);
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void no_two_hashed_ipv4_addresses_fall_together(void **state SN_UNUSED)
{
	struct sn_privacy *policy = policy_of("client_address hash\n");
	struct sn_anonymiser *an = anonymiser_of(policy, NULL);
	static uint32_t told[100000];

	/* Of random 32-bit numbers about one pair in this many would be alike. */
	for (uint32_t i = 0; i < SN_COUNT(told); i++) {
		uint8_t ip[16] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}, out[16];

		sn_anonymise_address(an, sn_anonymiser_rule(an, SN_ROLE_CLIENT, true), ip, 4, out);
		memcpy(&told[i], out, 4);
	}
	qsort(told, SN_COUNT(told), sizeof(told[0]), by_number);
	for (size_t i = 1; i < SN_COUNT(told); i++)
		assert_int_not_equal(told[i - 1], told[i]);
	sn_anonymiser_destroy(an);
	sn_privacy_destroy(policy);
}

static void places_and_roles_both_count(void **state SN_UNUSED)
{
	struct sn_err err;
	struct sn_networks *networks = sn_networks_parse(SN_STR("10.0.0.0/8\n"), "n", &err);
	struct sn_inside inside = {.internal = networks};
	struct sn_privacy *policy = policy_of("client_address truncate 16/32\n"
					      "internal_address cryptopan\n");
	struct sn_anonymiser *an = anonymiser_of(policy, &inside);
	char out[SN_VIEW_ADDRESS_MAX];

	assert_int_equal(tell(an, SN_ROLE_CLIENT, "10.1.2.3", out), SN_PRIVACY_CRYPTOPAN);
	assert_int_equal(tell(an, SN_ROLE_SERVER, "10.1.2.3", out), SN_PRIVACY_CRYPTOPAN);
	assert_int_equal(tell(an, SN_ROLE_CLIENT, "192.0.2.1", out), SN_PRIVACY_TRUNCATE);
	assert_string_equal(out, "192.0.0.0");
	assert_int_equal(tell(an, SN_ROLE_SERVER, "192.0.2.1", out), SN_PRIVACY_KEEP);
	assert_int_equal(tell(an, SN_ROLE_MENTIONED, "192.0.2.1", out), SN_PRIVACY_TRUNCATE);
	/* What carries an internal address is internal, too. */
	assert_int_equal(tell(an, SN_ROLE_SERVER, "::ffff:10.1.2.3", out), SN_PRIVACY_CRYPTOPAN);
	assert_int_equal(tell(an, SN_ROLE_SERVER, "2002:a01:203::1", out), SN_PRIVACY_CRYPTOPAN);
	assert_int_equal(tell(an, SN_ROLE_SERVER, "64:ff9b::a01:203", out), SN_PRIVACY_CRYPTOPAN);
	assert_int_equal(tell(an, SN_ROLE_SERVER, "2001:a01:203::1", out), SN_PRIVACY_KEEP);
	sn_anonymiser_destroy(an);
	sn_privacy_destroy(policy);
	sn_networks_destroy(networks);
}

static void key_changes_with_the_period_and_is_the_same_for_all_workers(void **state SN_UNUSED)
{
	struct sn_privacy *policy = policy_of("client_address cryptopan\n");
	struct sn_anonymiser *one, *other;
	char first[SN_VIEW_ADDRESS_MAX], second[SN_VIEW_ADDRESS_MAX], again[SN_VIEW_ADDRESS_MAX];

	sn_privacy_rotate(policy, 3600 * SN_NS_PER_S);
	one = sn_anonymiser_create(policy, NULL);
	other = sn_anonymiser_create(policy, NULL);
	assert_true(sn_anonymiser_clock(one, 10 * SN_NS_PER_S));
	assert_false(sn_anonymiser_clock(one, 3599 * SN_NS_PER_S));
	tell(one, SN_ROLE_CLIENT, "192.0.2.1", first);
	assert_true(sn_anonymiser_clock(one, 3600 * SN_NS_PER_S));
	tell(one, SN_ROLE_CLIENT, "192.0.2.1", second);
	assert_string_not_equal(first, second);
	/* A record that is a little older does not bring the old key back. */
	assert_false(sn_anonymiser_clock(one, 3500 * SN_NS_PER_S));
	/* Another worker is still in the first period. */
	sn_anonymiser_clock(other, 20 * SN_NS_PER_S);
	tell(other, SN_ROLE_CLIENT, "192.0.2.1", again);
	assert_string_equal(first, again);
	sn_anonymiser_clock(other, 3700 * SN_NS_PER_S);
	tell(other, SN_ROLE_CLIENT, "192.0.2.1", again);
	assert_string_equal(second, again);
	/* The clock went back for good. */
	assert_true(sn_anonymiser_clock(one, -SN_NS_PER_S));
	tell(one, SN_ROLE_CLIENT, "192.0.2.1", again);
	assert_string_not_equal(again, first);
	assert_string_not_equal(again, second);
	sn_anonymiser_destroy(one);
	sn_anonymiser_destroy(other);
	sn_privacy_destroy(policy);
}

/* From runs of the reference with this key. */
static void reference_addresses_are_reproduced(void **state SN_UNUSED)
{
	static const struct {
		const char *real, *told;
	} pairs[] = {
		{"192.168.0.103", "63.109.244.112"},
		{"192.168.0.255", "63.109.244.225"},
		{"2001:470:1f11:81f:c999:d94:aa7c:2e3e", "2f79:7f0:10e2:877e:3929:c2a4:6a7c:2ec0"},
		{"2001:470:4867:99::21", "2f79:7f0:74f7:1075:8837:c0c0:81fc:632"},
	};
	struct sn_err err;
	struct sn_networks *hidden =
		sn_networks_parse(SN_STR("192.168.0.0/16\n2000::/3\n"), "y", &err);
	struct sn_networks *exempt = sn_networks_parse(SN_STR("192.168.9.0/24\n"), "w", &err);
	struct sn_privacy *policy = sn_privacy_create();
	struct sn_anonymiser *an;
	char out[SN_VIEW_ADDRESS_MAX];

	sn_privacy_set_key(policy, (const uint8_t *)"0123456789abcdefghijklmnopqrstuv");
	sn_privacy_set_tstat(policy, hidden, exempt, NULL, false);
	an = anonymiser_of(policy, NULL);
	for (size_t i = 0; i < SN_COUNT(pairs); i++) {
		assert_int_equal(tell(an, SN_ROLE_CLIENT, pairs[i].real, out),
				 SN_PRIVACY_CRYPTOPAN);
		assert_string_equal(out, pairs[i].told);
	}
	assert_int_equal(tell(an, SN_ROLE_CLIENT, "8.8.8.8", out), SN_PRIVACY_KEEP);
	assert_int_equal(tell(an, SN_ROLE_CLIENT, "192.168.9.9", out), SN_PRIVACY_KEEP);
	assert_int_equal(sn_privacy_mode(policy, SN_FIELD_CLIENT_ADDRESS), SN_PRIVACY_CRYPTOPAN);
	sn_anonymiser_destroy(an);
	sn_privacy_destroy(policy);
	sn_networks_destroy(hidden);
	sn_networks_destroy(exempt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy_starts_open_but_for_urls_and_cookies),
		cmocka_unit_test(lines_are_read_and_later_ones_win),
		cmocka_unit_test(refusals_name_line_and_field_and_the_nearest_word),
		cmocka_unit_test(lines_have_a_limit),
		cmocka_unit_test(what_is_written_is_read_as_the_same),
		cmocka_unit_test(missing_key_file_is_made_for_its_owner_alone),
		cmocka_unit_test(key_file_that_others_may_read_is_refused),
		cmocka_unit_test(keys_of_the_reference_are_cut_padded_and_decoded),
		cmocka_unit_test(modes_do_to_addresses_what_they_say),
		cmocka_unit_test(no_two_hashed_ipv4_addresses_fall_together),
		cmocka_unit_test(places_and_roles_both_count),
		cmocka_unit_test(key_changes_with_the_period_and_is_the_same_for_all_workers),
		cmocka_unit_test(reference_addresses_are_reproduced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
