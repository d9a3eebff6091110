/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/quic: the handshake of QUIC as far as everybody can read it: Initial packets
 * of version 1 (RFC 9000, RFC 9001), version 2 (RFC 9369) and the drafts 23 to 34,
 * and the first flight of Google's QUIC (Q024 to Q050, T050, T051).
 *
 * Initial packets are encrypted with keys that follow from the connection id that
 * the client has chosen; CRYPTO frames in them, in any order and over several
 * datagrams, make the Client Hello of TLS (app/tls.h).  Only datagrams with a long
 * header are tried, a handful per flow.
 */
#ifndef SONDE_METER_APP_QUIC_H
#define SONDE_METER_APP_QUIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SN_QUIC_V1 0x00000001u
#define SN_QUIC_V2 0x6b3343cfu

#define SN_QUIC_ID_MAX       20   /* bytes of a connection id (RFC 9000 section 17.2) */
#define SN_QUIC_PACKET_MAX   4096 /* longer Initial packets are not decrypted */
#define SN_QUIC_HELLO_MAX    8192 /* bytes of a Client Hello */
#define SN_QUIC_PIECES_MAX   32   /* parts of it with holes between them */
#define SN_QUIC_INITIALS_MAX 10   /* that are decrypted in one flow */

enum sn_quic_type { /* of packets with a long header */
		    SN_QUIC_INITIAL,
		    SN_QUIC_ZERO_RTT,
		    SN_QUIC_HANDSHAKE,
		    SN_QUIC_RETRY,
};

struct sn_quic_id {
	uint8_t bytes[SN_QUIC_ID_MAX], size;
};

/* A packet with a long header; everything in it points into the datagram. */
struct sn_quic_packet {
	enum sn_quic_type type;
	uint32_t version;
	struct sn_quic_id destination, source;
	const uint8_t *p;
	size_t number_at; /* where the packet number is */
	size_t size;      /* of the whole packet */
};

/* Version whose packets look as those of RFC 9000 or 9369 and whose Initial keys are known. */
bool sn_quic_is_known(uint32_t version);
/* "Q043", "T051", ... */
bool sn_quic_is_google(uint32_t version);

/* By its first byte it may have a long header or Google's with a version. */
bool sn_quic_may_begin(struct sn_rd datagram);
/* Takes the next of the packets that share a datagram; false at its end or for anything else. */
bool sn_quic_next_packet(struct sn_rd *datagram, struct sn_quic_packet *packet);

struct sn_quic_keys {
	uint8_t key[16], iv[12], hp[16];
};

/* Of what the client (server) sends; false if the version is not known. */
bool sn_quic_initial_keys(uint32_t version, const struct sn_quic_id *id, bool server,
			  struct sn_quic_keys *keys);
/*
 * Decrypts an Initial packet into `plain`; returns the size of its payload, -EBADMSG if it is not
 * genuine, -EMSGSIZE if it is too long.
 */
int sn_quic_open(const struct sn_quic_keys *keys, const struct sn_quic_packet *packet,
		 uint8_t plain[SN_QUIC_PACKET_MAX]);

/* What came of the stream of CRYPTO frames. */
struct sn_quic_crypto {
	struct {
		uint16_t begin, end;
	} pieces[SN_QUIC_PIECES_MAX]; /* in order, with holes between them */
	uint8_t count;
	uint8_t *bytes; /* SN_QUIC_HELLO_MAX */
};

/* Adds the CRYPTO frames among those of an Initial packet.  0 or -EBADMSG. */
int sn_quic_add_frames(struct sn_quic_crypto *crypto, struct sn_rd frames);
/* The first message, TLS' or Google's, once it is whole. */
bool sn_quic_hello(const struct sn_quic_crypto *crypto, struct sn_rd *message);

/* What a first message tells; points into it. */
struct sn_quic_facts {
	struct sn_str server_name, agent, alpn;
	uint16_t ech_bytes;
};
/* 0 or -EBADMSG. */
int sn_quic_read_hello(struct sn_rd message, struct sn_quic_facts *facts);

/* Google's QUIC before Q050: version of a datagram of the client, 0 if it is something else. */
uint32_t sn_quic_google_version(struct sn_rd datagram);
/* The CHLO in one, behind its header; false if there is none. */
bool sn_quic_google_hello(struct sn_rd datagram, struct sn_rd *message);

/* Of one flow while its handshake is read. */
struct sn_udp_parser {
	struct sn_quic_keys keys;
	struct sn_quic_crypto crypto; /* bytes: scratch, NULL while there is nothing to keep */
	uint32_t version;
	uint8_t initials; /* decrypted or tried */
	bool has_keys, is_done;
};

#endif
