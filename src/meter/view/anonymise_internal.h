/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anonymise_internal: what the files of anonymise.h share.
 */
#ifndef SONDE_METER_VIEW_ANONYMISE_INTERNAL_H
#define SONDE_METER_VIEW_ANONYMISE_INTERNAL_H

#include <nettle/aes.h>
#include <nettle/hmac.h>

#include "meter/view/anonymise.h"

#define SN_HASHED_TEXT 16 /* characters */

struct sn_anonymiser {
	const struct sn_privacy *policy;
	const struct sn_inside *inside;
	uint8_t alike[SN_ROLES][2]; /* number of the first cell of the rules that is the same */
	int64_t clock_ns, period;
	bool has_key;
	uint8_t key[SN_PRIVACY_KEY_BYTES];
	struct sn_cryptopan *pan; /* NULL until it is needed */
	struct aes128_ctx permutation, text;
	struct hmac_sha256_ctx hash;
	struct sn_buf scratch;
};

static inline const struct sn_privacy_rule *sn_anonymiser_field(const struct sn_anonymiser *an,
								enum sn_privacy_field field)
{
	return &an->policy->rules[field];
}

/* Keyed; truncated to 80 bits in base32. */
void sn_anonymise_hash(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out);
/* Tstat's --enc. */
void sn_anonymise_encrypt(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out);

/* An address in text form, with nothing around it; its family, 0 if it is none. */
uint8_t sn_anonymise_parse(struct sn_str text, uint8_t ip[16]);
/* An address that stands in a text, as the rules of `role` say. */
enum sn_privacy_mode sn_anonymise_literal(struct sn_anonymiser *an, enum sn_privacy_role role,
					  const uint8_t *ip, uint8_t family, uint8_t *out);
/* Addresses anywhere in a text: IPv4 with dots or dashes, also backwards, and IPv6. */
bool sn_anonymise_mentions(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out);
/* The same but for what looks like the version of a product, "Chrome/120.0.0.0" (RFC 9110, 10.1.5).
 */
bool sn_anonymise_comment(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out);
/* A name below in-addr.arpa or ip6.arpa, by the address that it stands for. */
bool sn_anonymise_reverse(struct sn_anonymiser *an, struct sn_str name, struct sn_buf *out);

#endif
