/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QUIC handshakes: one byte says what follows: a datagram, frames of an Initial
 * packet (no fuzzer guesses a key), a first message, a datagram of Google's.
 */
#include <stdlib.h>

#include "meter/app/quic.h"

enum { DATAGRAM, FRAMES, HELLO, GOOGLE, KINDS };

static void check_inside(struct sn_str text, struct sn_rd message)
{
	const uint8_t *p = (const uint8_t *)text.p;

	if (text.n > 0 && (p < message.p || p + text.n > message.end))
		abort();
}

static void read_hello(struct sn_rd message)
{
	struct sn_quic_facts facts;

	if (sn_quic_read_hello(message, &facts) != 0)
		return;
	check_inside(facts.server_name, message);
	check_inside(facts.agent, message);
	check_inside(facts.alpn, message);
}

static void read_frames(struct sn_rd frames)
{
	uint8_t bytes[SN_QUIC_HELLO_MAX] = {0};
	struct sn_quic_crypto crypto = {.bytes = bytes};
	struct sn_rd message;

	if (sn_quic_add_frames(&crypto, frames) != 0)
		return;
	for (unsigned i = 0; i < crypto.count; i++)
		if (crypto.pieces[i].begin >= crypto.pieces[i].end ||
		    (i > 0 && crypto.pieces[i].begin <= crypto.pieces[i - 1].end))
			abort();
	if (sn_quic_hello(&crypto, &message))
		read_hello(message);
}

static void read_datagram(struct sn_rd datagram)
{
	struct sn_quic_packet packet;
	const uint8_t *end = datagram.end;

	while (sn_quic_next_packet(&datagram, &packet)) {
		uint8_t plain[SN_QUIC_PACKET_MAX];
		struct sn_quic_keys keys;
		struct sn_rd frames;
		int size;

		if (packet.size < packet.number_at || packet.p + packet.size > end ||
		    !sn_quic_initial_keys(packet.version, &packet.destination, false, &keys))
			abort();
		size = sn_quic_open(&keys, &packet, plain);
		if (size >= 0) {
			sn_rd_init(&frames, plain, (size_t)size);
			read_frames(frames);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_rd rd, message;

	sn_rd_init(&rd, data, size);
	uint8_t kind = sn_rd_u8(&rd) % KINDS;

	if (kind == DATAGRAM)
		read_datagram(rd);
	else if (kind == FRAMES)
		read_frames(rd);
	else if (kind == HELLO)
		read_hello(rd);
	else if (sn_quic_google_version(rd) != 0 && sn_quic_google_hello(rd, &message))
		read_hello(message);
	return 0;
}
