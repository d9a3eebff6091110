/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: what is told about the records: types of our own elements (RFC 5610), what
 * was done to addresses and names (RFC 6235, section 7), where packets were seen, and
 * what was lost before, inside and behind the meter (RFC 7011, section 4).
 */
#ifndef SONDE_METER_IPFIX_OPTIONS_H
#define SONDE_METER_IPFIX_OPTIONS_H

#include "meter/ipfix/elements.h"
#include "meter/ipfix/packer.h"

/* Numbers of their templates; flows have those from SN_IPFIX_TEMPLATES on. */
enum sn_ipfix_options_id {
	SN_IPFIX_OPTIONS_TYPES = 1024,
	SN_IPFIX_OPTIONS_ANONYMISED,
	SN_IPFIX_OPTIONS_SOURCES,
	SN_IPFIX_OPTIONS_EXPORTED,
	SN_IPFIX_OPTIONS_IGNORED,
	SN_IPFIX_OPTIONS_NOT_SENT,
	SN_IPFIX_OPTIONS_END
};

/* All of them as template records of options sets; 0 or what the packer's function said. */
int sn_ipfix_add_options_templates(struct sn_ipfix_packer *packer);

/* What is done to the values of elements. */
struct sn_ipfix_modes {
	enum sn_privacy_mode address[2][2]; /* of SN_CLIENT, SN_SERVER; by whether it is internal */
	enum sn_privacy_mode name;
};

int sn_ipfix_add_types(struct sn_ipfix_packer *packer, const struct sn_ipfix_style *style);
/* One for each element of the shape's template that the policy changes. */
int sn_ipfix_add_anonymised(struct sn_ipfix_packer *packer, uint16_t shape,
			    const struct sn_ipfix_style *style, const struct sn_ipfix_modes *modes);
int sn_ipfix_add_source(struct sn_ipfix_packer *packer, uint16_t number, const char *name);

struct sn_ipfix_counts {
	uint64_t messages, records, octets; /* sent in this session */
	uint64_t ignored_packets;           /* on the link, in no flow */
	uint64_t lost_flows, lost_packets, lost_octets;
};
int sn_ipfix_add_counts(struct sn_ipfix_packer *packer, uint32_t domain,
			const struct sn_ipfix_counts *counts);

#endif
