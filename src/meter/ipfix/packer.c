/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/ipfix/packer.h"

#include <assert.h>

#include "meter/ipfix/wire.h"

void sn_ipfix_packer_init(struct sn_ipfix_packer *packer, size_t message_max, sn_ipfix_body_fn *fn,
			  void *ctx)
{
	assert(message_max > SN_IPFIX_HEADER + SN_IPFIX_SET_HEADER &&
	       message_max <= SN_IPFIX_MESSAGE_MAX);
	*packer = (struct sn_ipfix_packer){
		.max = message_max - SN_IPFIX_HEADER,
		.fn = fn,
		.ctx = ctx,
	};
}

void sn_ipfix_packer_finish(struct sn_ipfix_packer *packer)
{
	sn_buf_finish(&packer->body);
}

bool sn_ipfix_packer_fits(const struct sn_ipfix_packer *packer, size_t size)
{
	return SN_IPFIX_SET_HEADER + size <= packer->max;
}

bool sn_ipfix_packer_has_room(const struct sn_ipfix_packer *packer, uint16_t set_id, size_t size)
{
	size_t header = set_id == packer->set_id ? 0 : SN_IPFIX_SET_HEADER;

	return packer->body.n + header + size <= packer->max;
}

static void open_set(struct sn_ipfix_packer *packer, uint16_t set_id)
{
	packer->set = packer->body.n;
	packer->set_id = set_id;
	put_u16(&packer->body, set_id);
	put_u16(&packer->body, 0);
}

int sn_ipfix_packer_flush(struct sn_ipfix_packer *packer)
{
	int result = 0;

	if (!sn_ipfix_packer_empty(packer))
		result = packer->fn(sn_buf_str(&packer->body), packer->records, packer->ctx);
	sn_buf_clear(&packer->body);
	packer->set_id = 0;
	packer->records = 0;
	return result;
}

int sn_ipfix_packer_add(struct sn_ipfix_packer *packer, uint16_t set_id, struct sn_str record)
{
	int result = 0;

	assert(sn_ipfix_packer_fits(packer, record.n));
	if (!sn_ipfix_packer_has_room(packer, set_id, record.n))
		result = sn_ipfix_packer_flush(packer);
	if (set_id != packer->set_id)
		open_set(packer, set_id);
	sn_buf_add(&packer->body, record.p, record.n);
	set_u16(&packer->body, packer->set + 2, packer->body.n - packer->set);
	packer->records += set_id >= SN_IPFIX_FIRST_DATA_SET;
	return result;
}
