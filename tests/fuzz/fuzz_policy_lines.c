/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input up to a NUL byte is a policy: it is refused with its line and changes nothing, or
 * what is written of it is read as the same.  What follows goes through it as a name, a host, a
 * URL, an agent, a cookie and answers of DNS: an internal address that was found in them is not
 * in what is told when addresses are dropped.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "meter/view/anonymise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct sn_privacy *policy)
{
	struct sn_privacy *again = sn_privacy_create();
	struct sn_buf first = {0}, second = {0};
	struct sn_err err;

	sn_privacy_write(policy, &first);
	if (sn_privacy_parse(again, sn_buf_str(&first), "written", &err) != 0)
		abort();
	for (unsigned field = 0; field < SN_FIELDS; field++) {
		if (sn_privacy_mode(policy, field) != sn_privacy_mode(again, field))
			abort();
	}
	sn_privacy_write(again, &second);
	sn_privacy_parse(again, sn_buf_str(&second), "written", &err);
	sn_buf_clear(&first);
	sn_privacy_write(again, &first);
	if (first.n != second.n || memcmp(first.p, second.p, first.n) != 0)
		abort();
	sn_buf_finish(&first);
	sn_buf_finish(&second);
	sn_privacy_destroy(again);
}

static void check_told(struct sn_str text, bool changed, struct sn_buf *out, bool dropped)
{
	struct sn_str told = changed ? sn_buf_str(out) : text;

	if (dropped && memmem(told.p, told.n, "10.1.2.3", 8) != NULL) {
		size_t at = (size_t)((char *)memmem(told.p, told.n, "10.1.2.3", 8) - told.p);
		bool begins = at == 0 || told.p[at - 1] < '0' || told.p[at - 1] > '9';
		bool ends = at + 8 == told.n || told.p[at + 8] < '0' || told.p[at + 8] > '9';
		bool version = at > 0 && told.p[at - 1] == '/';

		if (begins && ends && !version)
			abort();
	}
	sn_buf_clear(out);
}

static void tell_all(struct sn_anonymiser *an, struct sn_str text, bool dropped)
{
	static const uint16_t types[] = {1, 5, 6, 12, 15, 16, 28, 33, 35, 65};
	struct sn_buf out = {0};

	sn_anonymiser_clock(an, 0);
	check_told(text, sn_anonymise_name(an, text, false, &out), &out, dropped);
	check_told(text, sn_anonymise_host(an, text, true, &out), &out, dropped);
	check_told(text, sn_anonymise_url(an, text, &out), &out, dropped);
	check_told(text, sn_anonymise_agent(an, text, false, &out), &out, dropped);
	check_told(text, sn_anonymise_cookie(an, text, &out), &out, dropped);
	check_told(text, sn_anonymise_field(an, text, &out), &out, dropped);
	check_told(text, sn_anonymise_id(an, text, &out), &out, dropped);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		check_told(text, sn_anonymise_answer(an, types[i], text, &out), &out, dropped);
	sn_buf_finish(&out);
}

/* Others are kept: what is made of them might be the very address by chance. */
static bool drops_internal(const struct sn_privacy *policy)
{
	const struct sn_privacy_rule *mentioned = policy->addresses[SN_ROLE_MENTIONED],
				     *server = policy->addresses[SN_ROLE_SERVER];

	return mentioned[1].mode == SN_PRIVACY_DROP && server[1].mode == SN_PRIVACY_DROP &&
	       mentioned[0].mode == SN_PRIVACY_KEEP && server[0].mode == SN_PRIVACY_KEEP;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\0', size);
	struct sn_str lines = {(const char *)data, end != NULL ? (size_t)(end - data) : size};
	struct sn_str text = {(const char *)data + lines.n, size - lines.n};
	static const uint8_t key[SN_PRIVACY_KEY_BYTES];
	struct sn_privacy *policy = sn_privacy_create();
	struct sn_err err = {0};
	struct sn_networks *networks = sn_networks_parse(SN_STR("10.0.0.0/8"), "n", &err);
	struct sn_inside inside = {.internal = networks};
	struct sn_anonymiser *an;

	sn_privacy_set_key(policy, key);
	if (sn_privacy_parse(policy, lines, "input", &err) == 0)
		check_round_trip(policy);
	else if (err.code >= 0 || strstr(err.text, "line ") == NULL ||
		 sn_privacy_mode(policy, SN_FIELD_URL) != SN_PRIVACY_DROP)
		abort();
	if (text.n > 0)
		text = (struct sn_str){text.p + 1, text.n - 1};
	an = sn_anonymiser_create(policy, &inside);
	tell_all(an, text, drops_internal(policy));
	sn_anonymiser_destroy(an);
	sn_networks_destroy(networks);
	sn_privacy_destroy(policy);
	return 0;
}
