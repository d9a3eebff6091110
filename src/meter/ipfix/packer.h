/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packer: records into sets, sets into message bodies of a limited size (RFC 7011,
 * section 3.3).  What follows a record of the same set goes into that set.
 */
#ifndef SONDE_METER_IPFIX_PACKER_H
#define SONDE_METER_IPFIX_PACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define SN_IPFIX_HEADER      16 /* octets of a message header */
#define SN_IPFIX_SET_HEADER  4
#define SN_IPFIX_MESSAGE_MAX 65535

enum { SN_IPFIX_TEMPLATE_SET = 2, SN_IPFIX_OPTIONS_SET = 3, SN_IPFIX_FIRST_DATA_SET = 256 };

/* Takes a body that is full or flushed: whole sets, `records` data records in all. */
typedef int sn_ipfix_body_fn(struct sn_str body, uint32_t records, void *ctx);

struct sn_ipfix_packer {
	size_t max; /* octets of a body; may be changed while it is empty */
	sn_ipfix_body_fn *fn;
	void *ctx;
	struct sn_buf body;
	size_t set;      /* where the last set begins */
	uint16_t set_id; /* of the last set; 0: none */
	uint32_t records;
};

/* `message_max` is that of the whole message. */
void sn_ipfix_packer_init(struct sn_ipfix_packer *packer, size_t message_max, sn_ipfix_body_fn *fn,
			  void *ctx);
void sn_ipfix_packer_finish(struct sn_ipfix_packer *packer); /* what was not flushed is lost */
static inline bool sn_ipfix_packer_empty(const struct sn_ipfix_packer *packer)
{
	return packer->body.n == 0;
}
/* Can a record of `size` be in a message at all? */
bool sn_ipfix_packer_fits(const struct sn_ipfix_packer *packer, size_t size);
/* Can it be without what is there going out first? */
bool sn_ipfix_packer_has_room(const struct sn_ipfix_packer *packer, uint16_t set_id, size_t size);
/*
 * A record that fits, of a set or, from SN_IPFIX_FIRST_DATA_SET, a template.  What is
 * full goes to `fn` first, and its error comes back; the record is in the next body then.
 */
int sn_ipfix_packer_add(struct sn_ipfix_packer *packer, uint16_t set_id, struct sn_str record);
int sn_ipfix_packer_flush(struct sn_ipfix_packer *packer); /* harmless when it is empty */

#endif
