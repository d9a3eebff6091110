/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/app/http.h"

#include <string.h>
#include <strings.h>

#include "meter/app/http_internal.h"
#include "meter/app/video.h"

enum {
	STATE_BEGIN,     /* a start line, or empty lines before it */
	STATE_HEADER,    /* in a header */
	STATE_BODY,      /* `left` bytes of a body */
	STATE_SIZE,      /* line with the size of a chunk; `left` so far */
	STATE_EXTENSION, /* the rest of that line */
	STATE_CHUNK,     /* `left` bytes of a chunk and the end of line behind it */
	STATE_TRAILER,   /* lines up to an empty one */
	STATE_UNTIL_END, /* a body without a length */
	STATE_SEEK,      /* both: until a segment begins with a start line */
};

#define TEXT_ROOM_FIRST 2048
#define WAITING_MAX     64
#define CHUNK_MAX       (UINT64_MAX >> 8)

struct sn_http_reader *sn_http_reader_create(struct sn_apps *apps)
{
	return sn_pool_take(&apps->http_pool);
}

static void drop_text(struct sn_apps *apps, struct sn_http_side_reader *own)
{
	sn_app_scratch_give(apps, own->text, own->room);
	own->text = NULL;
	own->bytes = own->room = 0;
}

void sn_http_reader_destroy(struct sn_apps *apps, struct sn_http_reader *reader)
{
	if (reader == NULL)
		return;
	drop_text(apps, &reader->side[SN_CLIENT]);
	drop_text(apps, &reader->side[SN_SERVER]);
	sn_pool_give(&apps->http_pool, reader);
}

/* Requests and their responses --------------------------------------------- */

static void push_request(struct sn_http_reader *reader, const struct sn_http_message *message)
{
	if (reader->waiting == WAITING_MAX)
		return;
	if (sn_str_eqc(message->method, "HEAD"))
		reader->heads |= UINT64_C(1) << reader->waiting;
	if (sn_str_eqc(message->method, "CONNECT"))
		reader->connects |= UINT64_C(1) << reader->waiting;
	reader->waiting++;
}

static void pop_request(struct sn_http_reader *reader, bool *is_head, bool *is_connect)
{
	*is_head = (reader->heads & 1) != 0;
	*is_connect = (reader->connects & 1) != 0;
	reader->heads >>= 1;
	reader->connects >>= 1;
	if (reader->waiting > 0)
		reader->waiting--;
}

/* What comes behind a header that says how long its body is; `unknown` if it does not. */
static void begin_body(struct sn_http_side_reader *own, const struct sn_http_message *message,
		       const struct sn_http_framing *framing, uint8_t unknown)
{
	struct sn_str length = sn_str_trim(message->fields[SN_HTTP_CONTENT_LENGTH]);
	struct sn_str transfer = sn_str_trim(framing->transfer);

	own->left = 0;
	if (transfer.n >= 7 && strncasecmp(transfer.p + transfer.n - 7, "chunked", 7) == 0)
		own->state = STATE_SIZE;
	else if (transfer.n > 0 || length.n == 0)
		own->state = transfer.n > 0 ? STATE_UNTIL_END : unknown;
	else if (sn_parse_u64(length, 0, UINT64_MAX, &own->left) != 0)
		own->state = STATE_SEEK;
	else
		own->state = own->left > 0 ? STATE_BODY : STATE_BEGIN;
}

static void after_response(struct sn_http_reader *reader, const struct sn_http_message *message,
			   const struct sn_http_framing *framing)
{
	struct sn_http_side_reader *own = &reader->side[SN_SERVER];
	char class = message->status.n > 0 ? message->status.p[0] : '\0';
	bool is_head, is_connect;

	own->state = STATE_BEGIN;
	if (class == '1') {
		/* What the client asked for still comes, unless they agreed on something else. */
		if (sn_str_eqc(message->status, "101"))
			reader->is_over = true;
		return;
	}
	pop_request(reader, &is_head, &is_connect);
	if (is_connect && class == '2')
		reader->is_over = true;
	if (!is_head && !sn_str_eqc(message->status, "204") && !sn_str_eqc(message->status, "304"))
		begin_body(own, message, framing, STATE_UNTIL_END);
}

/* What the flow's record tells of it -------------------------------------- */

static void tell_request(struct sn_apps *apps, struct sn_http_reader *reader,
			 struct sn_app_tcp *app, const struct sn_http_message *message)
{
	struct sn_str video;

	if (!message->is_tstat)
		return;
	sn_app_name_once(apps, &app->http_host, sn_str_trim(message->fields[SN_HTTP_HOST]));
	if (reader->has_request)
		return;
	reader->has_request = true;
	app->http_candidate = sn_http_request_type(message);
	video = sn_http_video_id(app->http_candidate, message->target);
	if (video.n > 0)
		sn_app_name_once(apps, &sn_app_video_of(apps, app)->id, video);
}

static void tell_response(struct sn_http_reader *reader, struct sn_app_tcp *app,
			  const struct sn_http_message *message,
			  const struct sn_http_framing *framing)
{
	if (sn_str_eqc(message->status, "101") && framing->upgrade.n > 0)
		app->word = strncasecmp(framing->upgrade.p, "h2c", framing->upgrade.n) == 0
				    ? SN_WORD_HTTP2
			    : strncasecmp(framing->upgrade.p, "websocket", framing->upgrade.n) == 0
				    ? SN_WORD_WEBSOCKET
				    : app->word;
	if (reader->has_response || (message->status.n > 0 && message->status.p[0] == '1'))
		return;
	reader->has_response = true;
	app->http_candidate = sn_http_response_type(app->http_candidate, message);
	app->video_declared = sn_http_video_declared(message->fields[SN_HTTP_CONTENT_TYPE]);
}

/* Headers ------------------------------------------------------------------ */

/* A header is all there, or all that will come of it (`cut`). */
static void tell(struct sn_apps *apps, struct sn_http_reader *reader,
		 const struct sn_http_feed *feed, struct sn_str header, bool cut)
{
	struct sn_http_side_reader *own = &reader->side[feed->side];
	struct sn_http_message message = {.time_ns = own->begin_ns, .cut = cut};
	struct sn_http_framing framing;

	if (!sn_http_parse(feed->side, header, &message, &framing)) {
		own->state = STATE_SEEK;
		return;
	}
	if (sn_str_has_prefix(framing.version, "RTSP/")) {
		reader->is_over = true;
		own->state = STATE_SEEK;
		return;
	}
	message.split = own->split;
	message.split_ns = own->split_ns;
	message.leads = own->leads;
	if (message.is_request) {
		tell_request(apps, reader, feed->app, &message);
		push_request(reader, &message);
		begin_body(own, &message, &framing, STATE_BEGIN);
	} else {
		bool had_response = reader->has_response;

		tell_response(reader, feed->app, &message, &framing);
		after_response(reader, &message, &framing);
		reader->wants_body =
			reader->has_response && !had_response && own->state != STATE_BEGIN;
	}
	if (apps->watch.http != NULL)
		apps->watch.http(&message, feed->flow, apps->watch.ctx);
}

/*
 * Looks for the empty line that ends the header in `text`; its length with that line, or 0 when
 * it goes on.  Keeps in `own` how far it looked.
 */
static size_t find_end(struct sn_http_side_reader *own, const char *text, size_t n)
{
	const char *newline;

	while ((newline = memchr(text + own->at, '\n', n - own->at)) != NULL) {
		size_t end = (size_t)(newline - text), length = end - own->line;

		if (length == 0 || (length == 1 && text[own->line] == '\r'))
			return end + 1;
		own->line = own->at = (uint32_t)end + 1;
		own->lines++;
	}
	own->at = (uint32_t)n;
	return 0;
}

static bool is_too_long(const struct sn_http_side_reader *own, size_t n)
{
	return n >= SN_HTTP_HEAD_MAX || n - own->line > SN_HTTP_LINE_MAX ||
	       own->lines > SN_HTTP_HEADERS_MAX + 1; /* the start line is none */
}

/* Room for `more` bytes behind those that are kept; false when there is none. */
static bool make_room(struct sn_apps *apps, struct sn_http_side_reader *own, size_t more)
{
	uint32_t room = own->room == 0 ? TEXT_ROOM_FIRST : own->room;
	char *text;

	while (room - own->bytes < more)
		room *= 2;
	if (room == own->room)
		return true;
	text = sn_app_scratch_take(apps, room);
	if (text == NULL)
		return false;
	if (own->bytes > 0)
		memcpy(text, own->text, own->bytes);
	sn_app_scratch_give(apps, own->text, own->room);
	own->text = text;
	own->room = room;
	return true;
}

static void refuse(struct sn_apps *apps, struct sn_http_reader *reader,
		   const struct sn_http_feed *feed, struct sn_str header)
{
	app_refuse(apps, SN_APP_HTTP_TOO_LONG);
	tell(apps, reader, feed, header, true);
	reader->side[feed->side].state = STATE_SEEK;
}

/* The header goes on behind this segment: keeps what is here of it. */
static void keep(struct sn_apps *apps, struct sn_http_reader *reader,
		 const struct sn_http_feed *feed, struct sn_str piece)
{
	struct sn_http_side_reader *own = &reader->side[feed->side];

	if (!make_room(apps, own, piece.n)) {
		struct sn_str header =
			own->bytes > 0 ? (struct sn_str){own->text, own->bytes} : piece;

		refuse(apps, reader, feed, header);
		drop_text(apps, own);
		return;
	}
	memcpy(own->text + own->bytes, piece.p, piece.n);
	own->bytes += (uint32_t)piece.n;
}

/* Takes header bytes off the front of `data`; returns how many. */
static size_t feed_header(struct sn_apps *apps, struct sn_http_reader *reader,
			  const struct sn_http_feed *feed, const char *data, size_t size)
{
	struct sn_http_side_reader *own = &reader->side[feed->side];
	size_t before = own->bytes, taken = SN_MIN(size, SN_HTTP_HEAD_MAX - before), end;
	struct sn_str header = {data, taken};

	if (before > 0) {
		if (own->split == 0) {
			own->split = (uint32_t)before;
			own->split_ns = feed->time_ns;
		}
		keep(apps, reader, feed, header);
		if (own->state != STATE_HEADER)
			return size;
		header = (struct sn_str){own->text, own->bytes};
	}
	end = find_end(own, header.p, header.n);
	if (is_too_long(own, end > 0 ? own->line : header.n)) {
		refuse(apps, reader, feed, header);
	} else if (end > 0) {
		header.n = end;
		tell(apps, reader, feed, header, false);
		taken = end - before;
	} else {
		if (before == 0)
			keep(apps, reader, feed, header);
		return taken;
	}
	drop_text(apps, own);
	return taken;
}

/* The start of a message, perhaps behind empty lines. */
static size_t feed_begin(struct sn_http_reader *reader, const struct sn_http_feed *feed,
			 const char *data, size_t size)
{
	struct sn_http_side_reader *own = &reader->side[feed->side];
	bool leads = feed->leads && data == (const char *)feed->data;

	if (*data == '\r' || *data == '\n')
		return 1;
	if (!sn_http_may_begin(feed->side, (struct sn_str){data, size})) {
		own->state = STATE_SEEK;
		return size;
	}
	own->state = STATE_HEADER;
	own->leads = leads;
	own->begin_ns = feed->time_ns;
	own->line = own->at = own->split = 0;
	own->split_ns = 0;
	own->lines = 0;
	return 0;
}

/* Bodies -------------------------------------------------------------------- */

static size_t skip_left(struct sn_http_side_reader *own, size_t size, uint8_t next)
{
	size_t taken = own->left < size ? (size_t)own->left : size;

	own->left -= taken;
	if (own->left == 0)
		own->state = next;
	return taken;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of the line with a chunk's size (RFC 9112 section 7.1). */
static size_t feed_size(struct sn_http_side_reader *own, char c)
{
	int digit = hex_digit(c);

	if (digit >= 0 && own->left <= CHUNK_MAX)
		own->left = own->left << 4 | (unsigned)digit;
	else if (c == '\n' || c == '\r' || c == ';' || c == ' ' || c == '\t')
		own->state = STATE_EXTENSION;
	else
		own->state = STATE_SEEK;
	return own->state == STATE_EXTENSION ? 0 : 1;
}

static size_t feed_extension(struct sn_http_side_reader *own, const char *data, size_t size)
{
	const char *end = memchr(data, '\n', size);

	if (end == NULL)
		return size;
	own->line = 0; /* of the trailer: bytes in its current line */
	own->state = own->left == 0 ? STATE_TRAILER : STATE_CHUNK;
	if (own->left > 0)
		own->left += 2; /* the end of line behind the chunk */
	return (size_t)(end - data) + 1;
}

static size_t feed_trailer(struct sn_http_side_reader *own, char c)
{
	if (c == '\n' && own->line == 0)
		own->state = STATE_BEGIN;
	else if (c == '\n')
		own->line = 0;
	else if (c != '\r')
		own->line = 1;
	return 1;
}

static bool is_in_body(const struct sn_http_side_reader *own)
{
	return own->state == STATE_BODY || own->state == STATE_CHUNK ||
	       own->state == STATE_UNTIL_END;
}

/* Takes what the current state takes off the front of `data`; returns how much. */
static size_t feed_some(struct sn_apps *apps, struct sn_http_reader *reader,
			const struct sn_http_feed *feed, const char *data, size_t size)
{
	struct sn_http_side_reader *own = &reader->side[feed->side];

	if (reader->wants_body && feed->side == SN_SERVER && is_in_body(own)) {
		reader->wants_body = false;
		feed->app->video_found = sn_http_video_found((struct sn_str){data, size});
	}
	switch (own->state) {
	case STATE_BEGIN:
		return feed_begin(reader, feed, data, size);
	case STATE_HEADER:
		return feed_header(apps, reader, feed, data, size);
	case STATE_BODY:
		return skip_left(own, size, STATE_BEGIN);
	case STATE_SIZE:
		return feed_size(own, *data);
	case STATE_EXTENSION:
		return feed_extension(own, data, size);
	case STATE_CHUNK:
		size = skip_left(own, size, STATE_SIZE);
		return size;
	case STATE_TRAILER:
		return feed_trailer(own, *data);
	default:
		return size;
	}
}

/* The other side answers: a request of HTTP/0.9 has no empty line to wait for. */
static void end_request(struct sn_apps *apps, struct sn_http_reader *reader,
			const struct sn_http_feed *feed)
{
	struct sn_http_side_reader *client = &reader->side[SN_CLIENT];
	struct sn_http_message message = {0};
	struct sn_http_framing framing;
	struct sn_http_feed of_client = *feed;

	if (feed->side != SN_SERVER || client->state != STATE_HEADER || client->lines == 0 ||
	    !sn_http_parse(SN_CLIENT, (struct sn_str){client->text, client->bytes}, &message,
			   &framing) ||
	    framing.version.n > 0)
		return;
	of_client.side = SN_CLIENT;
	tell(apps, reader, &of_client, message.header, false);
	drop_text(apps, client);
}

void sn_http_reader_feed(struct sn_apps *apps, struct sn_http_reader *reader,
			 const struct sn_http_feed *feed)
{
	struct sn_http_side_reader *own = &reader->side[feed->side];
	const char *data = (const char *)feed->data;
	size_t size = feed->size;

	if (reader->is_over)
		return;
	end_request(apps, reader, feed);
	if (own->state >= STATE_UNTIL_END && feed->leads &&
	    sn_http_begins(feed->side, (struct sn_str){data, size}))
		own->state = STATE_BEGIN;
	while (size > 0 && own->state != STATE_SEEK && !reader->is_over) {
		size_t taken = feed_some(apps, reader, feed, data, size);

		data += taken;
		size -= taken;
	}
}

bool sn_http_reader_is_idle(const struct sn_http_reader *reader)
{
	return reader->has_request && reader->has_response && !reader->wants_body &&
	       reader->waiting == 0 && reader->side[SN_CLIENT].state == STATE_BEGIN &&
	       reader->side[SN_SERVER].state == STATE_BEGIN;
}

void sn_http_reader_gap(struct sn_apps *apps, struct sn_http_reader *reader,
			const struct sn_http_feed *feed, uint32_t missing)
{
	struct sn_http_side_reader *own = &reader->side[feed->side];

	if (reader->is_over)
		return;
	if ((own->state == STATE_BODY || own->state == STATE_CHUNK) && own->left > missing) {
		own->left -= missing;
		return;
	}
	if (own->state == STATE_BODY && own->left == missing) {
		own->state = STATE_BEGIN;
		return;
	}
	if (own->state == STATE_HEADER && own->bytes > 0)
		tell(apps, reader, feed, (struct sn_str){own->text, own->bytes}, true);
	drop_text(apps, own);
	own->state = STATE_SEEK;
	if (feed->side == SN_CLIENT) {
		/* Requests may be missing: which response answers which is not known any more. */
		reader->waiting = 0;
		reader->heads = reader->connects = 0;
	}
}

void sn_http_reader_end(struct sn_apps *apps, struct sn_http_reader *reader,
			const struct sn_flow *flow, struct sn_app_tcp *app)
{
	for (unsigned side = 0; side < 2; side++) {
		struct sn_http_side_reader *own = &reader->side[side];
		struct sn_http_feed feed = {.flow = flow, .app = app, .side = side};

		if (own->state == STATE_HEADER && own->bytes > 0 && !reader->is_over)
			tell(apps, reader, &feed, (struct sn_str){own->text, own->bytes}, true);
		drop_text(apps, own);
	}
}
