/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the numbers in DNS messages (IANA "Domain Name System (DNS) Parameters"). */
#include <stdio.h>

#include "meter/app/dns_internal.h"

struct type {
	uint16_t type;
	const char *name, *layout; /* see dns_data.c */
};

/* In order of the number. */
static const struct type types[] = {
	{DNS_A, "A", "a"},
	{2, "NS", "n"},
	{3, "MD", "n"},
	{4, "MF", "n"},
	{5, "CNAME", "n"},
	{6, "SOA", "nn44444"},
	{7, "MB", "n"},
	{8, "MG", "n"},
	{9, "MR", "n"},
	{10, "NULL", NULL},
	{11, "WKS", NULL},
	{12, "PTR", "n"},
	{13, "HINFO", "ss"},
	{14, "MINFO", "nn"},
	{15, "MX", "2n"},
	{16, "TXT", "S"},
	{17, "RP", "nn"},
	{18, "AFSDB", "2n"},
	{24, "SIG", "T114DD2nb"},
	{25, "KEY", "211b"},
	{DNS_AAAA, "AAAA", "x"},
	{29, "LOC", NULL},
	{32, "NB", NULL}, /* NetBIOS (RFC 1002) */
	{33, "SRV", "222n"},
	{35, "NAPTR", "22sssn"},
	{36, "KX", "2n"},
	{37, "CERT", "221b"},
	{39, "DNAME", "n"},
	{DNS_OPT, "OPT", NULL},
	{42, "APL", NULL},
	{43, "DS", "211h"},
	{44, "SSHFP", "11h"},
	{45, "IPSECKEY", NULL},
	{46, "RRSIG", "T114DD2nb"},
	{47, "NSEC", "nB"},
	{DNS_DNSKEY, "DNSKEY", "211b"},
	{49, "DHCID", "b"},
	{50, "NSEC3", NULL},
	{51, "NSEC3PARAM", NULL},
	{52, "TLSA", "111h"},
	{53, "SMIMEA", "111h"},
	{55, "HIP", NULL},
	{59, "CDS", "211h"},
	{60, "CDNSKEY", "211b"},
	{61, "OPENPGPKEY", "b"},
	{62, "CSYNC", NULL},
	{63, "ZONEMD", "411h"},
	{64, "SVCB", "2np"},
	{65, "HTTPS", "2np"},
	{99, "SPF", "S"},
	{108, "EUI48", NULL},
	{109, "EUI64", NULL},
	{249, "TKEY", NULL},
	{250, "TSIG", NULL},
	{251, "IXFR", NULL},
	{252, "AXFR", NULL},
	{253, "MAILB", NULL},
	{254, "MAILA", NULL},
	{DNS_ANY, "ANY", NULL},
	{256, "URI", "22v"},
	{257, "CAA", "1uv"},
};

static const char *const class_names[256] = {
	[1] = "IN", [3] = "CH", [4] = "HS", [254] = "NONE", [255] = "ANY",
};

/* As Tstat's library writes them. */
static const char *const rcode_names[16] = {
	"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMPL", "REFUSED",
	"YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE",
};

static const struct type *find_type(uint16_t type)
{
	size_t low = 0, high = SN_COUNT(types);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (types[middle].type == type)
			return &types[middle];
		if (types[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const char *sn_dns_type_layout(uint16_t type)
{
	const struct type *found = find_type(type);

	return found != NULL ? found->layout : NULL;
}

const char *sn_dns_type_name(uint16_t type, char scratch[16])
{
	const struct type *found = find_type(type);

	if (found != NULL)
		return found->name;
	snprintf(scratch, 16, "TYPE%u", type);
	return scratch;
}

const char *sn_dns_class_name(uint16_t class_, char scratch[16])
{
	if (class_ < SN_COUNT(class_names) && class_names[class_] != NULL)
		return class_names[class_];
	snprintf(scratch, 16, "CLASS%u", class_);
	return scratch;
}

const char *sn_dns_rcode_name(uint8_t rcode, char scratch[16])
{
	if (rcode < SN_COUNT(rcode_names) && rcode_names[rcode] != NULL)
		return rcode_names[rcode];
	snprintf(scratch, 16, "RCODE%u", rcode);
	return scratch;
}
