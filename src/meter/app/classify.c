/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which protocol a flow speaks, by how its segments begin.
 *
 * Something that one side says makes a candidate, something that the other side
 * answers settles it: Tstat's rules for con_t, told from what it prints, so that
 * they are case-sensitive and ask for an order (a server speaks first in SSH).
 * A weak candidate leads to a word for people only.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "meter/app/tcp_internal.h"

#define RULE(side, text, ...)                                                                      \
	{                                                                                          \
		side, {text, sizeof(text) - 1}, __VA_ARGS__                                        \
	}

/* BitTorrent's MSE/PE: a Diffie-Hellman key of 96 bytes and up to 512 of padding. */
#define MSE_BYTES_MIN 96
#define MSE_BYTES_MAX 608
/* Tstat's entropy_sample and entropy_threshold: of half bytes, so that 4 is the most. */
#define ENTROPY_BYTES 60
#define ENTROPY_MIN   3.7

#define IMAP_TAG_MAX 5

enum { P2P_EDONKEY = 1, P2P_BITTORRENT = 9 }; /* p2p_t */

static const struct {
	const char *word;
	uint32_t con;
} words[SN_WORDS] = {
	[SN_WORD_NONE] = {"", 0},
	[SN_WORD_HTTP] = {"http", SN_CON_HTTP},
	[SN_WORD_HTTP2] = {"http2", 0},
	[SN_WORD_WEBSOCKET] = {"websocket", 0},
	[SN_WORD_RTSP] = {"rtsp", SN_CON_RTSP},
	[SN_WORD_ICY] = {"icy", SN_CON_ICY},
	[SN_WORD_RTMP] = {"rtmp", SN_CON_RTMP},
	[SN_WORD_TLS] = {"tls", SN_CON_TLS},
	[SN_WORD_SSH] = {"ssh", SN_CON_SSH},
	[SN_WORD_SMTP] = {"smtp", SN_CON_SMTP},
	[SN_WORD_POP3] = {"pop3", SN_CON_POP3},
	[SN_WORD_IMAP] = {"imap", SN_CON_IMAP},
	[SN_WORD_FTP] = {"ftp", 0},
	[SN_WORD_XMPP] = {"xmpp", SN_CON_XMPP},
	[SN_WORD_MSN] = {"msn", SN_CON_MSN},
	[SN_WORD_YMSG] = {"ymsg", SN_CON_YMSG},
	[SN_WORD_IRC] = {"irc", 0},
	[SN_WORD_SIP] = {"sip", 0},
	[SN_WORD_SMB] = {"smb", 0},
	[SN_WORD_DNS] = {"dns", 0},
	[SN_WORD_BITTORRENT] = {"bittorrent", SN_CON_P2P},
	[SN_WORD_EDONKEY] = {"edonkey", SN_CON_P2P},
	/* Noise from the first byte on: that it is BitTorrent's is Tstat's guess. */
	[SN_WORD_MSE] = {"encrypted", SN_CON_MSE},
};

const char *sn_app_tcp_word(const struct sn_app_tcp *app)
{
	if (app == NULL)
		return "";
	for (size_t i = 0; app->word == SN_WORD_NONE && i < SN_WORDS; i++) {
		if ((app->con_type & words[i].con) != 0)
			return words[i].word;
	}
	return words[app->word].word;
}

/*
 * Ways to begin.  `settles`: nothing else has to be seen; of a weak one, that is so for people.
 */
static const struct {
	unsigned side;
	struct sn_str text;
	uint8_t candidate;
	bool is_weak, settles;
} openings[] = {
	RULE(SN_SERVER, "220 ", SN_WORD_SMTP, false, false),
	RULE(SN_SERVER, "220-", SN_WORD_SMTP, true, false),
	RULE(SN_SERVER, "+OK", SN_WORD_POP3, false, false),
	RULE(SN_SERVER, "-ERR", SN_WORD_POP3, false, false),
	RULE(SN_SERVER, "* OK", SN_WORD_IMAP, false, false),
	RULE(SN_SERVER, "HTTP/1.", SN_WORD_HTTP, true, true),
	RULE(SN_SERVER, "SSH-", SN_WORD_SSH, false, false),
	RULE(SN_CLIENT, "SSH-", SN_WORD_SSH, true, false),
	RULE(SN_CLIENT, "YMSG", SN_WORD_YMSG, false, false),
	RULE(SN_CLIENT, "VER ", SN_WORD_MSN, false, false),
	RULE(SN_CLIENT, "DESCRIBE ", SN_WORD_RTSP, false, false),
	RULE(SN_CLIENT, "SETUP ", SN_WORD_RTSP, false, false),
	RULE(SN_CLIENT, "ANNOUNCE ", SN_WORD_RTSP, false, false),
	RULE(SN_CLIENT, "PRI * HTTP/2.0\r\n", SN_WORD_HTTP2, false, true),
	RULE(SN_CLIENT, "<?xml", SN_WORD_XMPP, false, true),
	RULE(SN_CLIENT, "<stream:stream", SN_WORD_XMPP, false, true),
	RULE(SN_CLIENT,
	     "\x13"
	     "BitTorrent protocol",
	     SN_WORD_BITTORRENT, false, true),
	RULE(SN_SERVER,
	     "\x13"
	     "BitTorrent protocol",
	     SN_WORD_BITTORRENT, false, true),
	RULE(SN_CLIENT, "REGISTER sip:", SN_WORD_SIP, false, true),
	RULE(SN_CLIENT, "INVITE sip:", SN_WORD_SIP, false, true),
	RULE(SN_CLIENT, "NICK ", SN_WORD_IRC, false, true),
};

/* Answers to a candidate.  Without `con` they give the word only and the look goes on. */
static const struct {
	unsigned side;
	struct sn_str text;
	uint8_t candidate, word;
	bool con;
} answers[] = {
	RULE(SN_SERVER, "HTTP", SN_WORD_HTTP, SN_WORD_HTTP, true),
	RULE(SN_SERVER, "ICY ", SN_WORD_HTTP, SN_WORD_ICY, true),
	RULE(SN_SERVER, "RTSP", SN_WORD_HTTP, SN_WORD_RTSP, false),
	RULE(SN_SERVER, "RTSP", SN_WORD_RTSP, SN_WORD_RTSP, true),
	RULE(SN_CLIENT, "HELO", SN_WORD_SMTP, SN_WORD_SMTP, true),
	RULE(SN_CLIENT, "EHLO", SN_WORD_SMTP, SN_WORD_SMTP, true),
	RULE(SN_CLIENT, "USER ", SN_WORD_SMTP, SN_WORD_FTP, false),
	RULE(SN_CLIENT, "AUTH TLS", SN_WORD_SMTP, SN_WORD_FTP, false),
	RULE(SN_CLIENT, "USER", SN_WORD_POP3, SN_WORD_POP3, true),
	RULE(SN_CLIENT, "APOP", SN_WORD_POP3, SN_WORD_POP3, true),
	RULE(SN_CLIENT, "QUIT", SN_WORD_POP3, SN_WORD_POP3, true),
	RULE(SN_CLIENT, "CAPA", SN_WORD_POP3, SN_WORD_POP3, false),
	RULE(SN_CLIENT, "AUTH", SN_WORD_POP3, SN_WORD_POP3, false),
	RULE(SN_CLIENT, "STLS", SN_WORD_POP3, SN_WORD_POP3, false),
	RULE(SN_CLIENT, "user", SN_WORD_POP3, SN_WORD_POP3, false),
	RULE(SN_CLIENT, "SSH-", SN_WORD_SSH, SN_WORD_SSH, true),
	RULE(SN_SERVER, "SSH-", SN_WORD_SSH, SN_WORD_SSH, true),
	RULE(SN_SERVER, "YMSG", SN_WORD_YMSG, SN_WORD_YMSG, true),
	RULE(SN_SERVER, "VER ", SN_WORD_MSN, SN_WORD_MSN, true),
};

/* With something, that is.  Nearly all differ in the first byte. */
static bool begins(struct sn_str text, struct sn_str with)
{
	return text.n >= with.n && text.p[0] == with.p[0] && memcmp(text.p, with.p, with.n) == 0;
}

static void settle(struct sn_tcp_parser *parser, struct sn_app_tcp *app, uint8_t word)
{
	app->word = word;
	app->con_type =
		(app->con_type & ~(uint32_t)(SN_CON_MSE | SN_CON_OBFUSCATED)) | words[word].con;
	parser->is_settled = true;
	if (word == SN_WORD_BITTORRENT)
		app->p2p_type = P2P_BITTORRENT;
	if (word == SN_WORD_EDONKEY)
		app->p2p_type = P2P_EDONKEY;
}

/* Beginnings that take more than a comparison ---------------------------------- */

static uint8_t byte_at(struct sn_str text, size_t i)
{
	return i < text.n ? (uint8_t)text.p[i] : 0;
}

/* A type, the length of the rest and, from the client, the code of a greeting. */
static bool is_edonkey(const struct sn_tcp_segment *segment)
{
	struct sn_str text = segment->text;
	uint8_t type = byte_at(text, 0);
	uint32_t length = (uint32_t)byte_at(text, 4) << 24 | (uint32_t)byte_at(text, 3) << 16 |
			  (uint32_t)byte_at(text, 2) << 8 | byte_at(text, 1);

	return (type == 0xe3 || type == 0xc5 || type == 0xd4) && byte_at(text, 5) == 1 &&
	       length == segment->bytes - 5;
}

static bool is_smb(struct sn_str text)
{
	return begins(text, SN_STR("\0")) && text.n >= 8 &&
	       (memcmp(text.p + 4, "\xffSMB", 4) == 0 || memcmp(text.p + 4, "\xfeSMB", 4) == 0);
}

/* The first segment of a DNS flow begins with a length that a message can have. */
static bool is_dns(const struct sn_tcp_segment *segment)
{
	unsigned length = (unsigned)byte_at(segment->text, 0) << 8 | byte_at(segment->text, 1);

	return sn_flow_port(&segment->flow->flow, SN_SERVER) == 53 && length >= 12 &&
	       segment->bytes >= 2;
}

/* The first byte of RTMP's handshake; a TPKT header (RFC 1006) begins so, too. */
static bool is_rtmp(const struct sn_tcp_segment *segment)
{
	uint8_t first = byte_at(segment->text, 0);
	unsigned length = (unsigned)byte_at(segment->text, 2) << 8 | byte_at(segment->text, 3);

	return (first == 3 || first == 6 || first == 8) &&
	       !(first == 3 && byte_at(segment->text, 1) == 0 && length == segment->bytes);
}

static bool is_imap_tag(struct sn_str text)
{
	size_t n = 0;

	while (n < text.n && n <= IMAP_TAG_MAX && isalnum((unsigned char)text.p[n]))
		n++;
	return n > 0 && n <= IMAP_TAG_MAX && n < text.n && text.p[n] == ' ';
}

/* In bits per half byte. */
static double entropy(struct sn_str text)
{
	unsigned counts[16] = {0};
	size_t n = SN_MIN(text.n, ENTROPY_BYTES);
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		counts[(uint8_t)text.p[i] >> 4]++;
		counts[(uint8_t)text.p[i] & 15]++;
	}
	for (size_t i = 0; i < 16; i++) {
		double share = counts[i] / (2.0 * (double)n);

		if (counts[i] > 0)
			sum -= share * log2(share);
	}
	return sum;
}

static bool may_be_mse(const struct sn_tcp_segment *segment)
{
	return segment->bytes >= MSE_BYTES_MIN && segment->bytes <= MSE_BYTES_MAX &&
	       segment->text.n >= ENTROPY_BYTES && entropy(segment->text) >= ENTROPY_MIN;
}

/* Steps -------------------------------------------------------------------------- */

static void become(struct sn_tcp_parser *parser, uint8_t candidate, bool is_weak)
{
	parser->candidate = candidate;
	parser->is_weak = is_weak;
}

static bool open_by_text(struct sn_tcp_parser *parser, const struct sn_tcp_segment *segment)
{
	for (size_t i = 0; i < SN_COUNT(openings); i++) {
		if (openings[i].side != segment->side || !begins(segment->text, openings[i].text))
			continue;
		become(parser, openings[i].candidate, openings[i].is_weak);
		if (openings[i].is_weak && openings[i].settles)
			segment->app->word = openings[i].candidate;
		else if (openings[i].settles)
			settle(parser, segment->app, openings[i].candidate);
		return true;
	}
	return false;
}

static void open_client(struct sn_tcp_parser *parser, const struct sn_tcp_segment *segment,
			bool is_first)
{
	struct sn_str text = segment->text;
	struct sn_rd payload;

	sn_rd_init(&payload, text.p, text.n);
	if (sn_tls_opens(SN_CLIENT, payload)) {
		become(parser, SN_WORD_TLS, false);
	} else if (sn_http_is_tstat_method(text)) {
		become(parser, SN_WORD_HTTP, false);
		segment->app->http_candidate = sn_str_has_prefix(text, "POST") ? 2 : 1;
	} else if (sn_http_begins(SN_CLIENT, text)) {
		become(parser, SN_WORD_HTTP, true);
	} else if (is_edonkey(segment)) {
		settle(parser, segment->app, SN_WORD_EDONKEY);
	} else if (is_smb(text)) {
		settle(parser, segment->app, SN_WORD_SMB);
	} else if (is_first && is_dns(segment)) {
		become(parser, SN_WORD_DNS, false);
		settle(parser, segment->app, SN_WORD_DNS);
	} else if (is_first && is_rtmp(segment)) {
		become(parser, SN_WORD_RTMP, false);
	}
}

static void answer_by_text(struct sn_tcp_parser *parser, const struct sn_tcp_segment *segment)
{
	for (size_t i = 0; i < SN_COUNT(answers); i++) {
		if (answers[i].candidate != parser->candidate || answers[i].side != segment->side ||
		    !begins(segment->text, answers[i].text))
			continue;
		segment->app->word = answers[i].word;
		if (answers[i].con && !parser->is_weak)
			settle(parser, segment->app, answers[i].word);
		return;
	}
}

/* IMAP: the client's tag, then a line of the server. */
static void answer_imap(struct sn_tcp_parser *parser, const struct sn_tcp_segment *segment)
{
	if (segment->side == SN_CLIENT) {
		segment->app->word = SN_WORD_IMAP;
		parser->is_weak = !is_imap_tag(segment->text);
	} else if (segment->app->word == SN_WORD_IMAP && !parser->is_weak &&
		   (begins(segment->text, SN_STR("* ")) || is_imap_tag(segment->text))) {
		settle(parser, segment->app, SN_WORD_IMAP);
	}
}

/* One byte says little: con_t asks for the answer before the client says more. */
static void answer_rtmp(struct sn_tcp_parser *parser, const struct sn_tcp_segment *segment,
			bool is_first)
{
	if (segment->side == SN_CLIENT) {
		parser->is_weak = true;
	} else if (is_first && is_rtmp(segment)) {
		segment->app->word = SN_WORD_RTMP;
		if (!parser->is_weak)
			settle(parser, segment->app, SN_WORD_RTMP);
	}
}

static void answer(struct sn_tcp_parser *parser, const struct sn_tcp_segment *segment,
		   bool is_first)
{
	struct sn_rd payload;

	sn_rd_init(&payload, segment->text.p, segment->text.n);
	if (parser->candidate == SN_WORD_TLS) {
		if (segment->side == SN_SERVER && sn_tls_opens(SN_SERVER, payload))
			settle(parser, segment->app, SN_WORD_TLS);
	} else if (parser->candidate == SN_WORD_RTMP) {
		answer_rtmp(parser, segment, is_first);
	} else if (parser->candidate == SN_WORD_IMAP) {
		answer_imap(parser, segment);
	} else {
		answer_by_text(parser, segment);
	}
}

/* Both began with something of the right length that looks random, and nothing else was found. */
static void guess_mse(struct sn_tcp_parser *parser, struct sn_app_tcp *app)
{
	if (parser->candidate != SN_WORD_NONE || !parser->side[SN_CLIENT].is_random ||
	    !parser->side[SN_SERVER].is_random)
		return;
	app->con_type |= SN_CON_MSE;
	app->word = SN_WORD_MSE;
}

void sn_tcp_classify(struct sn_tcp_parser *parser, const struct sn_tcp_segment *segment)
{
	struct sn_tcp_parser_side *own = &parser->side[segment->side];
	bool is_first = own->first_bytes == 0;

	if (segment->text.n == 0)
		return;
	if (parser->candidate != SN_WORD_NONE) {
		answer(parser, segment, is_first);
	} else if (!open_by_text(parser, segment)) {
		if (segment->side == SN_CLIENT)
			open_client(parser, segment, is_first);
	}
	if (is_first) {
		own->first_bytes = (uint16_t)SN_MIN(segment->bytes, UINT16_MAX);
		own->is_random = parser->candidate == SN_WORD_NONE && may_be_mse(segment);
		guess_mse(parser, segment->app);
	}
}
