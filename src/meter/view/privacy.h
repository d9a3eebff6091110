/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy: which field leaves the process how: kept, dropped, truncated, hashed
 * with a key, or prefix-preserving (Xu et al., "Prefix-preserving IP address
 * anonymization", 2002, extended to 128 bits); RFC 6235 for the words.
 *
 * Text form, one rule a line:  FIELD MODE [ARGUMENT]
 *
 *   client_address cryptopan          server_address keep
 *   internal_address truncate 24/48   name truncate 2      (labels kept)
 *   url drop                          agent hash
 *
 * FIELDs: client_address server_address internal_address external_address
 * resolver_address, name (server names, host names, DNS names), url (path, referer,
 * location), cookie, agent, answer (data of DNS answers).  Later lines win;
 * everything starts as "keep", cookie and url as "drop".
 *
 * Keys are 32 bytes from a file; with a rotation period a new one is drawn and
 * what was told before cannot be linked to what is told after.  Key files are
 * created with mode 0600.
 */
#ifndef SONDE_METER_VIEW_PRIVACY_H
#define SONDE_METER_VIEW_PRIVACY_H

#include "base/err.h"
#include "base/str.h"
#include "meter/view/networks.h"
#include "meter/view/view.h"

#define SN_PRIVACY_KEY_BYTES 32

enum sn_privacy_field {
	SN_FIELD_CLIENT_ADDRESS,
	SN_FIELD_SERVER_ADDRESS,
	SN_FIELD_RESOLVER_ADDRESS,
	SN_FIELD_INTERNAL_ADDRESS,
	SN_FIELD_EXTERNAL_ADDRESS,
	SN_FIELD_NAME,
	SN_FIELD_URL,
	SN_FIELD_COOKIE,
	SN_FIELD_AGENT,
	SN_FIELD_ANSWER,
	SN_FIELDS
};

struct sn_privacy;
struct sn_privacy *sn_privacy_create(void); /* everything as it starts, no key */
void sn_privacy_destroy(struct sn_privacy *policy);
int sn_privacy_parse(struct sn_privacy *policy, struct sn_str text, const char *name,
		     struct sn_err *err);
/* Lines as sn_privacy_parse() takes them. */
void sn_privacy_write(const struct sn_privacy *policy, struct sn_buf *out);
enum sn_privacy_mode sn_privacy_mode(const struct sn_privacy *policy, enum sn_privacy_field field);

void sn_privacy_set_key(struct sn_privacy *policy, const uint8_t key[SN_PRIVACY_KEY_BYTES]);
/* A new random key every `period_ns` of packet time; 0: never. */
void sn_privacy_rotate(struct sn_privacy *policy, int64_t period_ns);
/*
 * Tstat's way (-Y, -W, --keyvalue, --enc): addresses inside `hidden` but not inside `exempt` are
 * encrypted, IPv6 word by word with its masks; names with AES-128-ECB when `names`.
 */
void sn_privacy_set_tstat(struct sn_privacy *policy, const struct sn_networks *hidden,
			  const struct sn_networks *exempt, const uint32_t masks[4], bool names);

/* Prefix-preserving encryption of one address, for tests and readers of old logs. */
struct sn_cryptopan;
struct sn_cryptopan *sn_cryptopan_create(const uint8_t key[SN_PRIVACY_KEY_BYTES]);
void sn_cryptopan_destroy(struct sn_cryptopan *pan);
void sn_cryptopan_encrypt(struct sn_cryptopan *pan, const uint8_t *ip, unsigned bytes,
			  uint8_t *out);

#endif
