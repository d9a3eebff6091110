/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrets: addresses and words that must not be told, and a search for them in whatever was
 * written: text in any form (dots, dashes, backwards, any spelling of IPv6, names below arpa,
 * digits without separators) and bytes in network order.
 */
#ifndef SONDE_TESTS_METER_SECRETS_H
#define SONDE_TESTS_METER_SECRETS_H

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

struct secrets {
	struct sn_map *addresses; /* "4:c0a80001", "6:..." */
	struct sn_map *words;
};

/* Where it was found, for the message. */
struct finding {
	char what[128];
	size_t at;
};

static inline void secrets_init(struct secrets *secrets)
{
	secrets->addresses = sn_map_create(NULL);
	secrets->words = sn_map_create(NULL);
}

static inline void secrets_finish(struct secrets *secrets)
{
	sn_map_destroy(secrets->addresses);
	sn_map_destroy(secrets->words);
}

static inline const char *address_key(const uint8_t *ip, unsigned family, char key[40])
{
	key[0] = family == 6 ? '6' : '4';
	key[1] = ':';
	sn_hex(ip, family == 6 ? 16 : 4, key + 2);
	return key;
}

static inline void secrets_add_address(struct secrets *secrets, const uint8_t *ip, unsigned family)
{
	char key[40];

	sn_map_set(secrets->addresses, address_key(ip, family, key), secrets);
}

static inline bool is_secret(const struct secrets *secrets, const uint8_t *ip, unsigned family)
{
	char key[40];

	return sn_map_get(secrets->addresses, address_key(ip, family, key)) != NULL;
}

static inline bool found(struct finding *finding, struct sn_str text, size_t at, size_t length)
{
	size_t from = at > 40 ? at - 40 : 0;

	(void)length;
	finding->at = at;
	snprintf(finding->what, sizeof(finding->what), "%.*s", (int)SN_MIN(text.n - from, 110U),
		 text.p + from);
	return true;
}

/* Four numbers at `at`, forwards or backwards. */
static inline bool is_secret_quad(const struct secrets *secrets, struct sn_str text, size_t at)
{
	uint8_t ip[4], turned[4];

	for (int i = 0; i < 4; i++) {
		unsigned value = 0, digits = 0;

		if (i > 0 && (at == text.n || (text.p[at] != '.' && text.p[at] != '-')))
			return false;
		at += i > 0;
		for (; at < text.n && isdigit((unsigned char)text.p[at]) && digits < 4; digits++)
			value = value * 10 + (unsigned)(text.p[at++] - '0');
		if (digits == 0 || value > 255)
			return false;
		ip[i] = turned[3 - i] = (uint8_t)value;
	}
	return is_secret(secrets, ip, 4) || is_secret(secrets, turned, 4);
}

static inline bool is_v6_char(char c)
{
	return isxdigit((unsigned char)c) || c == ':' || c == '.';
}

/* Every address that the run of its characters at `at` could be. */
static inline bool is_secret_v6(const struct secrets *secrets, struct sn_str text, size_t at)
{
	size_t end = at;
	char word[INET6_ADDRSTRLEN + 1];
	uint8_t ip[16];

	while (end < text.n && end - at < INET6_ADDRSTRLEN && is_v6_char(text.p[end]))
		end++;
	for (; end > at + 1; end--) {
		memcpy(word, text.p + at, end - at);
		word[end - at] = '\0';
		if (inet_pton(AF_INET6, word, ip) == 1 && is_secret(secrets, ip, 6))
			return true;
	}
	return false;
}

static inline bool find_forms(const struct secrets *secrets, struct sn_str text,
			      struct finding *finding)
{
	for (size_t at = 0; at < text.n; at++) {
		char c = text.p[at], before = at > 0 ? text.p[at - 1] : ' ';

		if (isdigit((unsigned char)c) && !isdigit((unsigned char)before) &&
		    is_secret_quad(secrets, text, at))
			return found(finding, text, at, 15);
		if ((c == ':' || isxdigit((unsigned char)c)) && !is_v6_char(before) &&
		    is_secret_v6(secrets, text, at))
			return found(finding, text, at, 39);
	}
	return false;
}

static inline bool find_bytes(struct sn_str text, const void *bytes, size_t size,
			      struct finding *finding)
{
	const char *at = memmem(text.p, text.n, bytes, size);

	return at != NULL && found(finding, text, (size_t)(at - text.p), size);
}

/* "1.0.0.0. ... .d.f": an IPv6 address in the way of ip6.arpa. */
static inline bool find_nibbles(struct sn_str text, const char *hex, struct finding *finding)
{
	char nibbles[64];

	for (int i = 0; i < 32; i++) {
		nibbles[2 * i] = hex[31 - i];
		nibbles[2 * i + 1] = '.';
	}
	return find_bytes(text, nibbles, 63, finding);
}

static inline bool find_digits(const struct secrets *secrets, struct sn_str text,
			       struct finding *finding)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	while (sn_map_next(secrets->addresses, &cursor, &key, &value)) {
		if (key[0] == '6' && (find_bytes(text, key + 2, 32, finding) ||
				      find_nibbles(text, key + 2, finding)))
			return true;
	}
	return false;
}

static inline bool find_words(const struct secrets *secrets, struct sn_str text,
			      struct finding *finding)
{
	size_t cursor = 0;
	const char *word;
	void *value;

	while (sn_map_next(secrets->words, &cursor, &word, &value)) {
		if (find_bytes(text, word, strlen(word), finding))
			return true;
	}
	return false;
}

static inline bool secrets_in_text(const struct secrets *secrets, struct sn_str text,
				   struct finding *finding)
{
	return find_forms(secrets, text, finding) || find_digits(secrets, text, finding) ||
	       find_words(secrets, text, finding);
}

/* A value of a binary record: an address itself, one inside of something longer, or a text. */
static inline bool secrets_in_value(const struct secrets *secrets, struct sn_str value,
				    struct finding *finding)
{
	if ((value.n == 4 || value.n == 16) &&
	    is_secret(secrets, (const uint8_t *)value.p, value.n == 16 ? 6 : 4))
		return found(finding, SN_STR("an address as a value"), 0, 0);
	return value.n > 16 && secrets_in_text(secrets, value, finding);
}

/* Anywhere in binary data; IPv4 ones that look like small numbers would stand there by chance. */
static inline bool secrets_in_bytes(const struct secrets *secrets, struct sn_str bytes,
				    struct finding *finding)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	while (sn_map_next(secrets->addresses, &cursor, &key, &value)) {
		uint8_t ip[16];
		size_t size = key[0] == '6' ? 16 : 4;

		if (sn_unhex(sn_str(key + 2), ip, size) != 0 ||
		    (size == 4 && memchr(ip, 0, 4) != NULL) ||
		    !find_bytes(bytes, ip, size, finding))
			continue;
		snprintf(finding->what, sizeof(finding->what), "address %s in bytes", key);
		return true;
	}
	return secrets_in_text(secrets, bytes, finding);
}

#endif
