/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privacy: which field leaves the process how: kept, dropped, truncated, hashed
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
 * An address stays an address of its family, so that columns, templates and
 * identifiers keep working: hashed, an IPv4 one is a keyed permutation of all of them
 * (no two fall together) and an IPv6 one lies in fd00::/8 (RFC 4193) with 120 bits of
 * HMAC-SHA256.  Truncated ones keep the given lengths (24/48 unless they are given).
 * Hashed texts are 16 letters and digits (RFC 4648 base32, 80 bits of HMAC-SHA256); names
 * are hashed without regard to case and final dot.
 *
 * "truncate N" keeps the last N labels of a name, the first N words of an agent, and
 * the first N segments of a path, whose query goes in any case.  "cryptopan" of a text
 * is Tstat's --enc: AES-128-ECB and base64, which a holder of the key can read.
 *
 * What is kept or truncated may mention addresses and names in its middle: those are
 * treated as their own rules say: the host of a URL or header, names and addresses in
 * DNS answers (as server_address), addresses anywhere in a text, which are not the
 * version of a product, and names below in-addr.arpa and ip6.arpa (by the stricter of
 * client_address and server_address).  While names are not kept, answers of types that
 * hide names anywhere (TXT, ...) are dropped.
 *
 * Keys are 32 bytes from a file; with a rotation period a new one is drawn and
 * what was told before cannot be linked to what is told after.  Key files are
 * created with mode 0600.
 */
#ifndef SONDE_METER_VIEW_PRIVACY_H
#define SONDE_METER_VIEW_PRIVACY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "meter/view/networks.h"
#include "meter/view/view.h"

#define SN_PRIVACY_KEY_BYTES    32
#define SN_PRIVACY_LINES_MAX    1000
#define SN_PRIVACY_TRUNCATE_MAX 255 /* labels, segments, words */

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
#define SN_PRIVACY_MODES (SN_PRIVACY_CRYPTOPAN + 1)
extern const char *const sn_privacy_field_names[SN_FIELDS];       /* "client_address", ... */
extern const char *const sn_privacy_mode_names[SN_PRIVACY_MODES]; /* "keep", "drop", ... */

/*
 * Set up before viewers use it, then left alone: workers share it (the keys of rotation lock
 * themselves).  Without a key from outside it has a random one.
 */
struct sn_privacy;
struct sn_privacy *sn_privacy_create(void); /* everything as it starts, no key */
void sn_privacy_destroy(struct sn_privacy *policy);
/* Adds lines to those that are there; all or nothing. */
int sn_privacy_parse(struct sn_privacy *policy, struct sn_str text, const char *name,
		     struct sn_err *err);
/* Lines as sn_privacy_parse() takes them. */
void sn_privacy_write(const struct sn_privacy *policy, struct sn_buf *out);
/* Of an address: the strictest that holds for some of its kind; with Tstat's way, cryptopan. */
enum sn_privacy_mode sn_privacy_mode(const struct sn_privacy *policy, enum sn_privacy_field field);

void sn_privacy_set_key(struct sn_privacy *policy, const uint8_t key[SN_PRIVACY_KEY_BYTES]);
/* A new random key every `period_ns` of packet time, instead of the one set; 0: never. */
void sn_privacy_rotate(struct sn_privacy *policy, int64_t period_ns);
/* From a file that nobody else may read; one that is missing is made with a random key. */
int sn_privacy_key_load(const char *path, uint8_t key[SN_PRIVACY_KEY_BYTES], struct sn_err *err);
/* Tstat's --keyvalue and --keyfile (first line), or --keybase64: cut or padded with zeros. */
int sn_privacy_key_text(struct sn_str text, bool base64, uint8_t key[SN_PRIVACY_KEY_BYTES],
			struct sn_err *err);
/*
 * Tstat's way (-Y, -W, --keyvalue, --enc): addresses inside `hidden` but not inside `exempt` are
 * encrypted, IPv6 word by word with its masks; names of flows with AES-128-ECB when `names` (not
 * those of HTTP and DNS messages, as in Tstat: for them say "name cryptopan").  For what the lines
 * keep; other modes go first.  Networks are borrowed; `masks` NULL: Tstat's.
 */
void sn_privacy_set_tstat(struct sn_privacy *policy, const struct sn_networks *hidden,
			  const struct sn_networks *exempt, const uint32_t masks[4], bool names);

/* Prefix-preserving encryption of one address (4 or 16 bytes), for tests and readers of old logs.
 */
struct sn_cryptopan;
struct sn_cryptopan *sn_cryptopan_create(const uint8_t key[SN_PRIVACY_KEY_BYTES]);
void sn_cryptopan_destroy(struct sn_cryptopan *pan); /* NULL is fine */
void sn_cryptopan_encrypt(struct sn_cryptopan *pan, const uint8_t *ip, unsigned bytes,
			  uint8_t *out);

#endif
