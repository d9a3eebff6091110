/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>

#include "base/util.h"
#include "meter/view/anonymise_internal.h"

#define V6_TEXT_MAX 45 /* "ffff:...:255.255.255.255" */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter_or_digit(char c)
{
	return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

uint8_t sn_anonymise_parse(struct sn_str text, uint8_t ip[16])
{
	char host[V6_TEXT_MAX + 1];

	memset(ip, 0, 16);
	if (text.n < 2 || text.n > V6_TEXT_MAX || memchr(text.p, '\0', text.n) != NULL)
		return 0;
	memcpy(host, text.p, text.n);
	host[text.n] = '\0';
	if (memchr(host, ':', text.n) != NULL)
		return inet_pton(AF_INET6, host, ip) == 1 ? 6 : 0;
	return is_digit(host[0]) && inet_pton(AF_INET, host, ip) == 1 ? 4 : 0;
}

enum sn_privacy_mode sn_anonymise_literal(struct sn_anonymiser *an, enum sn_privacy_role role,
					  const uint8_t *ip, uint8_t family, uint8_t *out)
{
	bool internal = sn_anonymiser_is_internal(an, ip, family);

	return sn_anonymise_address(an, sn_anonymiser_rule(an, role, internal), ip, family, out);
}

/* IPv4 ---------------------------------------------------------------------------------- */

/* A number up to 255 of at most three digits at `*at`; -1 if there is none. */
static int take_octet(struct sn_str text, size_t *at)
{
	unsigned value = 0;
	size_t end = *at;

	while (end < text.n && end - *at < 3 && is_digit(text.p[end]))
		value = value * 10 + (unsigned)(text.p[end++] - '0');
	if (end == *at || value > 255)
		return -1;
	*at = end;
	return (int)value;
}

/* Four numbers with the same mark between them; its length, 0 if there is none. */
static size_t find_quad(struct sn_str text, uint8_t ip[16], char *mark)
{
	size_t at = 0;

	memset(ip, 0, 16);
	for (unsigned i = 0; i < 4; i++) {
		int octet;

		if (i > 0 && (at == text.n || (text.p[at] != '.' && text.p[at] != '-') ||
			      (i > 1 && text.p[at] != *mark)))
			return 0;
		if (i > 0)
			*mark = text.p[at++];
		octet = take_octet(text, &at);
		if (octet < 0)
			return 0;
		ip[i] = (uint8_t)octet;
	}
	return at < text.n && is_digit(text.p[at]) ? 0 : at;
}

static void turn_round(uint8_t *ip)
{
	uint8_t copy[4] = {ip[3], ip[2], ip[1], ip[0]};

	memcpy(ip, copy, sizeof(copy));
}

static void put_quad(const uint8_t *ip, char mark, struct sn_buf *out)
{
	char text[SN_VIEW_ADDRESS_MAX];
	unsigned length = sn_view_address_text(ip, 4, text);

	for (unsigned i = 0; i < length; i++)
		sn_buf_addc(out, text[i] == '.' ? mark : text[i]);
}

/* Lists of spammers are asked with the numbers backwards: then it is that address. */
static size_t replace_quad(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out)
{
	uint8_t ip[16], told[16];
	bool backwards;
	char mark = 0;
	size_t length = find_quad(text, ip, &mark);

	if (length == 0)
		return 0;
	backwards = !sn_anonymiser_is_internal(an, ip, 4);
	if (backwards) {
		turn_round(ip);
		backwards = sn_anonymiser_is_internal(an, ip, 4);
		if (!backwards)
			turn_round(ip);
	}
	if (sn_anonymise_literal(an, SN_ROLE_MENTIONED, ip, 4, told) == SN_PRIVACY_KEEP)
		return 0;
	if (backwards)
		turn_round(told);
	put_quad(told, mark, out);
	return length;
}

/* IPv6 ---------------------------------------------------------------------------------- */

/* The longest address at the start; marks of the sentence may follow it. */
static size_t find_v6(struct sn_str text, uint8_t ip[16])
{
	size_t end = 0, colons = 0;

	while (end < text.n && end <= V6_TEXT_MAX &&
	       (is_hex(text.p[end]) || text.p[end] == ':' || text.p[end] == '.'))
		colons += text.p[end++] == ':';
	if (colons < 2 || (end < text.n && is_letter_or_digit(text.p[end])))
		return 0;
	for (unsigned marks = 0; marks < 3 && end > 2; marks++, end--) {
		if (sn_anonymise_parse((struct sn_str){text.p, end}, ip) == 6)
			return end;
		if (is_hex(text.p[end - 1]))
			return 0;
	}
	return 0;
}

static size_t replace_v6(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out)
{
	uint8_t ip[16], told[16];
	char word[SN_VIEW_ADDRESS_MAX];
	size_t length = find_v6(text, ip);

	if (length == 0 ||
	    sn_anonymise_literal(an, SN_ROLE_MENTIONED, ip, 6, told) == SN_PRIVACY_KEEP)
		return 0;
	sn_buf_add(out, word, sn_view_address_text(told, 6, word));
	return length;
}

/* Anywhere ------------------------------------------------------------------------------ */

static size_t replace(struct sn_anonymiser *an, struct sn_str text, char before, bool versions,
		      struct sn_buf *out)
{
	size_t length = 0;

	if (versions && before == '/')
		return 0;
	if ((is_hex(text.p[0]) || text.p[0] == ':') && !is_letter_or_digit(before) && before != ':')
		length = replace_v6(an, text, out);
	if (length == 0 && is_digit(text.p[0]) && !is_digit(before))
		length = replace_quad(an, text, out);
	return length;
}

static bool replace_all(struct sn_anonymiser *an, struct sn_str text, bool versions,
			struct sn_buf *out)
{
	size_t told = 0, at = 0;

	if (!an->policy->hides_addresses)
		return false;
	sn_buf_clear(&an->scratch);
	while (at < text.n) {
		size_t length = replace(an, (struct sn_str){text.p + at, text.n - at},
					at > 0 ? text.p[at - 1] : ' ', versions, &an->scratch);

		if (length == 0) {
			at++;
			continue;
		}
		sn_buf_add(out, text.p + told, at - told);
		sn_buf_add(out, an->scratch.p, an->scratch.n);
		sn_buf_clear(&an->scratch);
		told = at += length;
	}
	if (told == 0)
		return false;
	sn_buf_add(out, text.p + told, text.n - told);
	return true;
}

bool sn_anonymise_mentions(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out)
{
	return replace_all(an, text, false, out);
}

bool sn_anonymise_comment(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out)
{
	return replace_all(an, text, true, out);
}

/* Names of addresses -------------------------------------------------------------------- */

struct zone {
	const char *suffix;
	uint8_t family;
	unsigned labels; /* of a whole address */
};
static const struct zone zones[] = {{".in-addr.arpa", 4, 4}, {".ip6.arpa", 6, 32}};

/* The zone, and the length of what stands before it. */
static const struct zone *find_zone(struct sn_str name, size_t *before)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	for (size_t i = 0; i < SN_COUNT(zones); i++) {
		size_t length = strlen(zones[i].suffix);

		if (name.n > length &&
		    strncasecmp(name.p + name.n - length, zones[i].suffix, length) == 0) {
			*before = name.n - length;
			return &zones[i];
		}
	}
	return NULL;
}

/* The number of the label that ends at `end`, and where it begins; -1 if it is none. */
static int label_before(struct sn_str name, size_t end, uint8_t family, size_t *begin)
{
	struct sn_str label;
	uint64_t value;
	uint8_t nibble;
	char digits[2];

	*begin = end;
	while (*begin > 0 && name.p[*begin - 1] != '.')
		(*begin)--;
	label = (struct sn_str){name.p + *begin, end - *begin};
	if (family == 4)
		return sn_parse_u64(label, 0, 255, &value) == 0 ? (int)value : -1;
	if (label.n != 1)
		return -1;
	digits[0] = '0';
	digits[1] = label.p[0];
	return sn_unhex((struct sn_str){digits, 2}, &nibble, 1) == 0 ? nibble : -1;
}

/* Takes the numbers off the end of the name, the first of the address first. */
static unsigned take_numbers(struct sn_str *name, const struct zone *zone, uint8_t ip[16])
{
	unsigned count = 0;

	memset(ip, 0, 16);
	while (name->n > 0 && count < zone->labels) {
		size_t begin;
		int value = label_before(*name, name->n, zone->family, &begin);

		if (value < 0)
			break;
		if (zone->family == 4)
			ip[count] = (uint8_t)value;
		else
			ip[count / 2] |= (uint8_t)(count % 2 == 0 ? value << 4 : value);
		count++;
		name->n = begin > 0 ? begin - 1 : 0;
	}
	return count;
}

static void put_numbers(const uint8_t *ip, const struct zone *zone, unsigned count,
			struct sn_buf *out)
{
	while (count-- > 0) {
		if (zone->family == 4)
			sn_buf_add_u64(out, ip[count]);
		else
			sn_buf_addf(out, "%x", ip[count / 2] >> (count % 2 == 0 ? 4 : 0) & 15);
		if (count > 0)
			sn_buf_addc(out, '.');
	}
}

bool sn_anonymise_reverse(struct sn_anonymiser *an, struct sn_str name, struct sn_buf *out)
{
	size_t before = 0;
	const struct zone *zone = find_zone(name, &before);
	struct sn_str front = {name.p, before}, tail = {name.p + before, name.n - before};
	uint8_t ip[16], told[16];
	unsigned count = zone != NULL ? take_numbers(&front, zone, ip) : 0;
	enum sn_privacy_mode mode;

	if (count == 0 || !an->policy->hides_addresses)
		return false;
	mode = sn_anonymise_literal(an, SN_ROLE_MENTIONED, ip, zone->family, told);
	if (mode == SN_PRIVACY_KEEP)
		return false;
	if (front.n > 0) {
		if (!sn_anonymise_mentions(an, front, out))
			sn_buf_add(out, front.p, front.n);
		sn_buf_addc(out, '.');
	}
	if (mode == SN_PRIVACY_DROP)
		tail = (struct sn_str){tail.p + 1, tail.n - 1};
	else
		put_numbers(told, zone, count, out);
	sn_buf_add(out, tail.p, tail.n);
	return true;
}
