/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/tcp: what is known about the application of a TCP flow.
 *
 * Codes are Tstat's (columns con_t, p2p_t, http_t, c_npnalpn, tls_session_stat).
 */
#ifndef SONDE_METER_APP_TCP_H
#define SONDE_METER_APP_TCP_H

#include "meter/app/app.h"

/* con_t: a bit mask. */
enum {
	SN_CON_HTTP = 1,
	SN_CON_RTSP = 2,
	SN_CON_RTP = 4,
	SN_CON_ICY = 8,
	SN_CON_RTCP = 16,
	SN_CON_MSN = 32,
	SN_CON_YMSG = 64,
	SN_CON_XMPP = 128,
	SN_CON_P2P = 256,
	SN_CON_SKYPE = 512,
	SN_CON_SMTP = 1024,
	SN_CON_POP3 = 2048,
	SN_CON_IMAP = 4096,
	SN_CON_TLS = 8192,
	SN_CON_OBFUSCATED = 16384,
	SN_CON_SSH = 32768,
	SN_CON_RTMP = 65536,
	SN_CON_MSE = 131072,
	SN_CON_FB_ZERO = 262144,
};

/* What people call it; also where con_t has no bit. */
enum sn_tcp_word {
	SN_WORD_NONE,
	SN_WORD_HTTP,
	SN_WORD_HTTP2, /* in the clear; else it is TLS with ALPN "h2" */
	SN_WORD_WEBSOCKET,
	SN_WORD_RTSP,
	SN_WORD_ICY,
	SN_WORD_RTMP,
	SN_WORD_TLS,
	SN_WORD_SSH,
	SN_WORD_SMTP,
	SN_WORD_POP3,
	SN_WORD_IMAP,
	SN_WORD_FTP,
	SN_WORD_XMPP,
	SN_WORD_MSN,
	SN_WORD_YMSG,
	SN_WORD_IRC,
	SN_WORD_SIP,
	SN_WORD_SMB,
	SN_WORD_DNS,
	SN_WORD_BITTORRENT,
	SN_WORD_EDONKEY,
	SN_WORD_MSE, /* BitTorrent's encryption, guessed */
	SN_WORDS
};

#define SN_APP_TCP_PACKETS 50 /* packets of a flow that are looked at for its class */

/* Zero unless con_type has SN_CON_TLS, but for npn_alpn. */
struct sn_tls_side {
	int64_t handshake_ns; /* last payload before application data; 0: none */
	int64_t data_ns;      /* first application data; 0: none */
	uint32_t data_offset; /* relative sequence number of that record's segment */
	uint8_t npn_alpn;     /* Tstat's bits */
};

/*
 * What a TLS handshake tells that takes room.  Names are made of letters, digits, "-", "_", "*"
 * and "." only (Tstat cuts at 79).  Of what the server says Tstat tells nothing unless con_type
 * has SN_CON_TLS: a warning before the Server Hello hides it; s_tls_SCN and s_TLSvers are "-".
 */
struct sn_app_tls {
	struct sn_name *server_name, *certificate_name;
	struct sn_name *client_versions; /* Tstat's c_TLSvers: "8a8a,0304,0303" */
	struct sn_name *alpn;            /* protocol that the server chose, else first offered */
	struct sn_tls_side side[2];
};

struct sn_app_video;
struct sn_tcp_parser; /* the states of those who still look; NULL once they know all */

struct sn_app_tcp {                 /* there is one for each flow with payload: 64 bytes */
	uint32_t con_type;          /* SN_CON_ bits */
	uint8_t p2p_type;           /* Tstat's p2p_t */
	uint8_t http_type;          /* Tstat's http_t as printed: 0, or 1 + content code */
	uint16_t packets_looked_at; /* saturates */
	uint8_t word;               /* enum sn_tcp_word */
	uint8_t look;               /* what is still looked for (tcp.c); 0: nothing */
	uint8_t http_candidate;     /* http_type of a request that waits for its response */
	bool http_over;             /* an upgrade or CONNECT ended HTTP */
	bool has_presence;          /* XMPP: somebody told that he is there (log_chat_complete) */
	/* Of the first response, by its header and by its body: Tstat's vd_type_cont, vd_type_pay.
	 */
	uint8_t video_declared, video_found;
	uint8_t tls_session;                    /* Tstat's tls_session_stat */
	uint16_t tls_version;                   /* the server chose; 0: none */
	bool tls_ech;                           /* encrypted_client_hello offered (RFC 9849) */
	char http_status[4];                    /* of the first response; "" */
	uint32_t http_requests, http_responses; /* segments that begin with one */
	struct sn_name *http_host;              /* of the first request */
	struct sn_app_video *video;             /* NULL: nothing is kept of it (video.h) */
	struct sn_app_tls *tls;                 /* NULL: no handshake was seen */
	struct sn_tcp_parser *parser;
};

extern const struct sn_app_tls sn_app_no_tls;

/* Never NULL: zeros when there was no handshake. */
static inline const struct sn_app_tls *sn_app_tls(const struct sn_app_tcp *app)
{
	return app->tls != NULL ? app->tls : &sn_app_no_tls;
}

/* "http", "tls", "ssh", ...: one word for people, "" when unknown. */
const char *sn_app_tcp_word(const struct sn_app_tcp *app);

#endif
