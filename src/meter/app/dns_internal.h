/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_internal: what the files of the DNS parser share, and the way of a message
 * from a flow to the cache of names and to who watches.
 */
#ifndef SONDE_METER_APP_DNS_INTERNAL_H
#define SONDE_METER_APP_DNS_INTERNAL_H

#include <string.h>

#include "meter/app/app_internal.h"
#include "meter/app/dns.h"

enum { /* types that the parser itself asks for */
       DNS_A = 1,
       DNS_AAAA = 28,
       DNS_OPT = 41,
       DNS_DNSKEY = 48,
       DNS_ANY = 255,
};

/* Text of bounded length: what does not fit any more is left out. */
struct dns_text {
	char *p;
	size_t n, room;
};

static inline void dns_text_init(struct dns_text *text, char *memory, size_t room)
{
	*text = (struct dns_text){.p = memory, .room = room};
}

static inline void dns_put(struct dns_text *text, const char *data, size_t size)
{
	size_t fits = SN_MIN(size, text->room - text->n);

	memcpy(text->p + text->n, data, fits);
	text->n += fits;
}

static inline void dns_puts(struct dns_text *text, const char *string)
{
	dns_put(text, string, strlen(string));
}

static inline struct sn_str dns_text_str(const struct dns_text *text)
{
	return (struct sn_str){text->p, text->n};
}

/*
 * Takes a name (RFC 1035 section 4.1.4) off `rd`; pointers lead into `whole`.  Presentation form
 * with a final dot goes behind `text`, which may be NULL.
 */
bool sn_dns_take_name(const struct sn_rd *whole, struct sn_rd *rd, struct dns_text *text);

/* Presentation form of a record's data; RFC 3597's for types without one and for damaged data. */
void sn_dns_put_data(const struct sn_rd *whole, struct sn_rd data, uint16_t type,
		     struct dns_text *text);
/* The form of each field of a type's data (dns_data.c), NULL: none is known. */
const char *sn_dns_type_layout(uint16_t type);

/*
 * A message that `input->side` of the flow has sent: its answers name flows, its events go to
 * who watches, damage is counted.
 */
void sn_app_dns_message(struct sn_apps *apps, const struct sn_flow *flow,
			const struct sn_dns_input *input);

#endif
