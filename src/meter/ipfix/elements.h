/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elements: what is told of a flow, and the templates and records that follow.
 *
 * One table holds every information element: IANA's, and our own under the configured
 * enterprise number, whose names and types travel with them (RFC 5610).  An element
 * that is of each direction is there twice in a bidirectional record: IANA's again
 * under enterprise 29305 (RFC 5103, section 6.1), our own again with
 * SN_IPFIX_REVERSE_BIT in its number (section 6.2).
 *
 * Where a template has room for a value that a flow does not have, zero or an empty
 * text stands for it; the element's description says when that is.
 */
#ifndef SONDE_METER_IPFIX_ELEMENTS_H
#define SONDE_METER_IPFIX_ELEMENTS_H

#include "base/buf.h"
#include "meter/ipfix/shape.h"

#define SN_IPFIX_VARIABLE    65535
#define SN_IPFIX_REVERSE_PEN 29305
#define SN_IPFIX_REVERSE_BIT 0x4000
#define SN_IPFIX_TEMPLATES   256 /* number of the first shape's template */
#define SN_IPFIX_TEXT_MAX    253 /* longer texts are cut; one octet holds the length */
#define SN_IPFIX_TEXT_SHORT  32  /* of records that would not fit into a message otherwise */
/* Sources of packets with a name; flows of further ones do not say where they were seen. */
#define SN_IPFIX_SOURCES_MAX 1024

/* informationElementDataType, informationElementSemantics, informationElementUnits (IANA). */
enum {
	SN_IPFIX_U16 = 2,
	SN_IPFIX_U32 = 3,
	SN_IPFIX_U64 = 4,
	SN_IPFIX_BOOLEAN = 11,
	SN_IPFIX_STRING = 13,
};
enum { SN_IPFIX_DEFAULT, SN_IPFIX_QUANTITY, SN_IPFIX_TOTAL, SN_IPFIX_DELTA, SN_IPFIX_IDENTIFIER };
enum { SN_IPFIX_OCTETS = 2, SN_IPFIX_PACKETS = 3, SN_IPFIX_MICROSECONDS = 7 };

struct sn_ipfix_style {
	uint32_t enterprise; /* 0: none of our own elements */
	bool uniflow;
};

struct sn_ipfix_record {
	const struct sn_view_flow *view;
	unsigned from;   /* side whose packets are "forward" */
	bool uniflow;    /* only of them; else both directions */
	size_t text_max; /* SN_IPFIX_TEXT_MAX, or less so that the record fits */
};

/* Which part of the privacy policy the value went through. */
enum sn_ipfix_privacy { SN_IPFIX_PLAIN, SN_IPFIX_SOURCE, SN_IPFIX_DESTINATION, SN_IPFIX_NAME };

typedef void sn_ipfix_put_fn(struct sn_buf *out, const struct sn_ipfix_record *record,
			     unsigned side);

struct sn_ipfix_element {
	uint16_t id;
	uint16_t length;      /* octets on the wire, or SN_IPFIX_VARIABLE */
	uint16_t needs;       /* what a shape must have for it: bits of elements.c */
	bool own;             /* under our enterprise number */
	bool both;            /* of each direction */
	uint8_t privacy;      /* enum sn_ipfix_privacy */
	sn_ipfix_put_fn *put; /* NULL: `member` of struct sn_tcp_side as it is */
	bool trouble;         /* ... of struct sn_tcp_trouble */
	uint16_t member;
	uint8_t type, semantics, units; /* of our own */
	const char *name, *help;        /* help: of our own */
};
extern const struct sn_ipfix_element sn_ipfix_elements[];
extern const size_t sn_ipfix_element_count;
bool sn_ipfix_has(const struct sn_ipfix_shape *shape, const struct sn_ipfix_style *style,
		  const struct sn_ipfix_element *element);

/* Template record (RFC 7011, section 3.4.1) and data record of a shape. */
void sn_ipfix_put_template(struct sn_buf *out, uint16_t shape, const struct sn_ipfix_style *style);
void sn_ipfix_put_record(struct sn_buf *out, uint16_t shape, const struct sn_ipfix_style *style,
			 const struct sn_ipfix_record *record);

/* Field specifier (RFC 7011, section 3.2). */
void sn_ipfix_put_field(struct sn_buf *out, uint16_t id, uint16_t length, uint32_t enterprise);
/* Variable-length string: well-formed UTF-8, cut to `max`, which is at most SN_IPFIX_TEXT_MAX. */
void sn_ipfix_put_text(struct sn_buf *out, struct sn_str text, size_t max);

#endif
