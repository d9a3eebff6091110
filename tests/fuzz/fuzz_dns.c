/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages: one byte (lowest bit: the message was cut off), then the message.
 * What is told has to be printable and without blanks where a name is.
 */
#include <stdlib.h>

#include "base/util.h"
#include "meter/app/dns.h"

static void check_text(struct sn_str text, char least)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < least || text.p[i] > '~')
			abort();
}

static void check_event(const struct sn_dns_event *event, void *ctx)
{
	unsigned *events = ctx;

	if (++*events > SN_DNS_RECORDS_MAX || event->answer.n > SN_DNS_DATA_MAX ||
	    event->name.n > SN_DNS_NAME_TEXT)
		abort();
	if (event->name.n > 0 && event->name.p[event->name.n - 1] != '.')
		abort();
	check_text(event->name, '!');
	check_text(event->answer, ' ');
}

static void check_address(struct sn_str name, const uint64_t address[2] SN_UNUSED, uint8_t family,
			  void *ctx SN_UNUSED)
{
	if (name.n == 0 || (family != 4 && family != 6))
		abort();
	check_text(name, '!');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned events = 0;
	struct sn_dns_listener listener = {
		.event = check_event, .address = check_address, .ctx = &events};
	struct sn_dns_input input = {.time_ns = 1};
	struct sn_rd rd;

	sn_rd_init(&rd, data, size);
	uint8_t kind = sn_rd_u8(&rd);

	input.message = rd;
	input.bytes = (uint32_t)sn_rd_left(&rd) + (kind & 1);
	if (sn_dns_read(&input, &listener) != 0 && events > 0)
		abort();
	sn_dns_looks_right(rd);
	sn_dns_answer_type(rd);
	return 0;
}
