/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/util.h"
#include "meter/view/anonymise_internal.h"

enum { TYPE_A = 1, TYPE_AAAA = 28 };

/* Which words of a record's data are names (RFC 1035, 1183, 2782, 3403, 6672, 4034, 9460). */
static const struct shape {
	uint16_t type;
	uint16_t names; /* a bit per word */
} shapes[] = {
	{2, 1},       /* NS */
	{5, 1},       /* CNAME */
	{6, 3},       /* SOA */
	{12, 1},      /* PTR */
	{15, 1 << 1}, /* MX */
	{17, 3},      /* RP */
	{18, 1 << 1}, /* AFSDB */
	{33, 1 << 3}, /* SRV */
	{35, 1 << 5}, /* NAPTR */
	{36, 1 << 1}, /* KX */
	{39, 1},      /* DNAME */
	{43, 0},      /* DS */
	{44, 0},      /* SSHFP */
	{46, 1 << 7}, /* RRSIG */
	{47, 1},      /* NSEC */
	{48, 0},      /* DNSKEY */
	{50, 0},      /* NSEC3 */
	{51, 0},      /* NSEC3PARAM */
	{52, 0},      /* TLSA */
	{64, 1 << 1}, /* SVCB */
	{65, 1 << 1}, /* HTTPS */
};

static const struct shape *find_shape(uint16_t type)
{
	for (size_t i = 0; i < SN_COUNT(shapes); i++) {
		if (shapes[i].type == type)
			return &shapes[i];
	}
	return NULL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The blanks before the next word, and the word; quotes hold it together. */
static struct sn_str take_word(struct sn_str *rest, size_t *blanks)
{
	size_t at = 0;
	bool quoted = false;
	struct sn_str word;

	while (at < rest->n && is_blank(rest->p[at]))
		at++;
	*blanks = at;
	for (; at < rest->n && (quoted || !is_blank(rest->p[at])); at++) {
		quoted ^= rest->p[at] == '"';
		at += rest->p[at] == '\\' && at + 1 < rest->n;
	}
	word = (struct sn_str){rest->p + *blanks, at - *blanks};
	*rest = (struct sn_str){rest->p + at, rest->n - at};
	return word;
}

static bool tell_words(struct sn_anonymiser *an, const struct shape *shape, struct sn_str answer,
		       struct sn_buf *out)
{
	size_t start = out->n, blanks;
	bool changed = false;

	for (unsigned i = 0; answer.n > 0; i++) {
		const char *front = answer.p;
		struct sn_str word = take_word(&answer, &blanks);
		bool is_name = shape != NULL && i < 16 && (shape->names >> i & 1) != 0;
		bool told;

		sn_buf_add(out, front, blanks);
		told = is_name ? sn_anonymise_name(an, word, false, out)
			       : sn_anonymise_mentions(an, word, out);
		if (!told)
			sn_buf_add(out, word.p, word.n);
		changed |= told;
	}
	if (!changed)
		out->n = start;
	return changed;
}

static bool tell_address(struct sn_anonymiser *an, struct sn_str answer, struct sn_buf *out)
{
	uint8_t ip[16], told[16], family = sn_anonymise_parse(answer, ip);
	char word[SN_VIEW_ADDRESS_MAX];
	enum sn_privacy_mode mode;

	mode = family == 0 ? SN_PRIVACY_KEEP
			   : sn_anonymise_literal(an, SN_ROLE_SERVER, ip, family, told);
	/* An IPv6 address may have one of IPv4 in its text. */
	if (mode == SN_PRIVACY_KEEP)
		return family != 4 && sn_anonymise_mentions(an, answer, out);
	if (mode != SN_PRIVACY_DROP)
		sn_buf_add(out, word, sn_view_address_text(told, family, word));
	return true;
}

bool sn_anonymise_answer(struct sn_anonymiser *an, uint16_t type, struct sn_str answer,
			 struct sn_buf *out)
{
	bool names_kept = sn_anonymiser_field(an, SN_FIELD_NAME)->mode == SN_PRIVACY_KEEP;
	const struct shape *shape = find_shape(type);

	if (answer.n == 0)
		return false;
	switch (sn_anonymiser_field(an, SN_FIELD_ANSWER)->mode) {
	case SN_PRIVACY_DROP:
		return true;
	case SN_PRIVACY_HASH:
		sn_anonymise_hash(an, answer, out);
		return true;
	default:
		break;
	}
	if (type == TYPE_A || type == TYPE_AAAA)
		return tell_address(an, answer, out);
	if (names_kept && !an->policy->hides_addresses)
		return false;
	/* Who knows what names stand in it. */
	if (!names_kept && shape == NULL)
		return true;
	return tell_words(an, shape, answer, out);
}
