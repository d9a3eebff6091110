/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anonymise: a policy at work: real addresses and texts in, what may be told out.
 *
 * Belongs to one worker; the policy and the lists are shared and borrowed.
 *
 * Functions for texts append what may be told to `out` and return true (nothing appended: nothing
 * may be told), or return false: the text may be told as it is.  Blanks around it do not count.
 */
#ifndef SONDE_METER_VIEW_ANONYMISE_H
#define SONDE_METER_VIEW_ANONYMISE_H

#include "base/buf.h"
#include "meter/view/networks.h"
#include "meter/view/privacy_internal.h"

struct sn_anonymiser;

/* `policy` NULL: all is kept; `inside` NULL: everybody is internal. */
struct sn_anonymiser *sn_anonymiser_create(const struct sn_privacy *policy,
					   const struct sn_inside *inside);
void sn_anonymiser_destroy(struct sn_anonymiser *an); /* NULL is fine */
/*
 * Packet time of what is told next.  Returns true when another key holds from now on, so that what
 * was made with the old one must not be told again.
 */
bool sn_anonymiser_clock(struct sn_anonymiser *an, int64_t time_ns);

/*
 * By the lists of networks, an IPv6 address also by an IPv4 one inside; stations are not known
 * here, then everybody is internal.
 */
bool sn_anonymiser_is_internal(const struct sn_anonymiser *an, const uint8_t *ip, uint8_t family);
/* The rules of these two treat an address alike. */
unsigned sn_anonymiser_rule(const struct sn_anonymiser *an, enum sn_privacy_role role,
			    bool internal);
/* `ip` and `out` have 16 bytes, zero behind an IPv4 address; SN_PRIVACY_DROP leaves zeros. */
enum sn_privacy_mode sn_anonymise_address(struct sn_anonymiser *an, unsigned rule,
					  const uint8_t *ip, uint8_t family, uint8_t *out);

/* A name as such: "www.example.com", "5.2.0.192.in-addr.arpa."; `of_flow`: Tstat's --enc holds. */
bool sn_anonymise_name(struct sn_anonymiser *an, struct sn_str name, bool of_flow,
		       struct sn_buf *out);
/* A name or address, also with a port: "example.com:8080", "[2001:db8::1]:443", "192.0.2.1". */
bool sn_anonymise_host(struct sn_anonymiser *an, struct sn_str host, bool of_flow,
		       struct sn_buf *out);
/* "/path?query", "http://host/path", "host:443". */
bool sn_anonymise_url(struct sn_anonymiser *an, struct sn_str url, struct sn_buf *out);
bool sn_anonymise_cookie(struct sn_anonymiser *an, struct sn_str cookie, struct sn_buf *out);
bool sn_anonymise_agent(struct sn_anonymiser *an, struct sn_str agent, bool of_flow,
			struct sn_buf *out);
/* Another field of an HTTP message: nothing but addresses has to be hidden. */
bool sn_anonymise_field(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out);
/* What was asked for, taken out of a URL: a whole one is told with it, a truncated one is not. */
bool sn_anonymise_id(struct sn_anonymiser *an, struct sn_str id, struct sn_buf *out);
/* Data of a DNS record in presentation form. */
bool sn_anonymise_answer(struct sn_anonymiser *an, uint16_t type, struct sn_str answer,
			 struct sn_buf *out);

#endif
