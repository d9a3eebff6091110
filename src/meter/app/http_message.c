/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "meter/app/http_internal.h"

#define METHOD_MAX 24 /* letters of a method that Tstat does not know */

/* As Tstat compares them: three of them without the blank. */
static const char *const tstat_methods[] = {
	"GET ", "POST", "HEAD", "PUT ", "PATCH ", "DELETE ", "OPTIONS ",
};

#define NAME(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static const struct {
	struct sn_str name;
	enum sn_http_field field;
} fields[] = {
	{NAME("Host"), SN_HTTP_HOST},
	{NAME("Referer"), SN_HTTP_REFERER},
	{NAME("User-Agent"), SN_HTTP_USER_AGENT},
	{NAME("Cookie"), SN_HTTP_COOKIE},
	{NAME("DNT"), SN_HTTP_DNT},
	{NAME("Content-Length"), SN_HTTP_CONTENT_LENGTH},
	{NAME("Content-Type"), SN_HTTP_CONTENT_TYPE},
	{NAME("Server"), SN_HTTP_SERVER},
	{NAME("Range"), SN_HTTP_RANGE},
	{NAME("Location"), SN_HTTP_LOCATION},
	{NAME("Set-Cookie"), SN_HTTP_SET_COOKIE},
	{NAME("Content-Range"), SN_HTTP_CONTENT_RANGE},
};
static const struct sn_str transfer_encoding = NAME("Transfer-Encoding");
static const struct sn_str upgrade = NAME("Upgrade");

/* Of names, which are not empty.  Most differ in length or in the first letter. */
static bool equals(struct sn_str a, struct sn_str b)
{
	return a.n == b.n && (a.p[0] | 0x20) == (b.p[0] | 0x20) && strncasecmp(a.p, b.p, b.n) == 0;
}

/* One is the beginning of the other. */
static bool agrees(struct sn_str text, const char *word)
{
	size_t n = SN_MIN(text.n, strlen(word));

	return n == 0 || memcmp(text.p, word, n) == 0;
}

bool sn_http_is_tstat_method(struct sn_str text)
{
	/* Asked for each segment of a client, of which few begin so. */
	if (text.n < 4 || memchr("GPHDO", text.p[0], 5) == NULL)
		return false;
	for (size_t i = 0; i < SN_COUNT(tstat_methods); i++) {
		if (sn_str_has_prefix(text, tstat_methods[i]))
			return true;
	}
	return false;
}

/* Capital letters, "-" and "_" up to a blank, or up to the end if there is no blank yet. */
static bool may_be_method(struct sn_str text)
{
	size_t n = 0;

	while (n < text.n && n <= METHOD_MAX &&
	       (isupper((unsigned char)text.p[n]) || text.p[n] == '-' || text.p[n] == '_'))
		n++;
	return n > 0 && n <= METHOD_MAX && (n == text.n || text.p[n] == ' ');
}

bool sn_http_may_begin(unsigned side, struct sn_str text)
{
	return side == SN_CLIENT ? may_be_method(text) || sn_http_is_tstat_method(text)
				 : agrees(text, "HTTP/");
}

/* The first line without its end; what there is of it if it goes on. */
static struct sn_str first_line(struct sn_str text)
{
	const char *end = memchr(text.p, '\n', text.n);

	if (end != NULL)
		text.n = (size_t)(end - text.p);
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	return text;
}

/* The last word of a request line, if it is a version. */
static struct sn_str version_of(struct sn_str line)
{
	const char *blank = memrchr(line.p, ' ', line.n);
	struct sn_str word;

	if (blank == NULL)
		return (struct sn_str){0};
	word = (struct sn_str){blank + 1, line.n - (size_t)(blank + 1 - line.p)};
	if (sn_str_has_prefix(word, "HTTP/") || sn_str_has_prefix(word, "RTSP/"))
		return word;
	return (struct sn_str){0};
}

bool sn_http_begins(unsigned side, struct sn_str text)
{
	if (side == SN_SERVER)
		return sn_str_has_prefix(text, "HTTP/");
	return sn_http_is_tstat_method(text) ||
	       (may_be_method(text) && sn_str_has_prefix(version_of(first_line(text)), "HTTP/"));
}

/* No control characters in eight bytes: neither one below a blank nor the one for deletion. */
static bool are_printable(const char *p)
{
	const uint64_t ones = UINT64_MAX / 255, tops = ones << 7;
	uint64_t bytes, others;

	memcpy(&bytes, p, sizeof(bytes));
	others = bytes ^ ones * 0x7f;
	return ((((bytes - ones * ' ') & ~bytes) | ((others - ones) & ~others)) & tops) == 0;
}

/* Up to the first control character. */
static struct sn_str printable(struct sn_str text)
{
	size_t n = 0;

	while (n + sizeof(uint64_t) <= text.n && are_printable(text.p + n))
		n += sizeof(uint64_t);
	while (n < text.n && (unsigned char)text.p[n] >= ' ' && text.p[n] != 0x7f)
		n++;
	text.n = n;
	return text;
}

static struct sn_str word(struct sn_str *rest)
{
	struct sn_str out = {0};

	while (out.n == 0 && rest->n > 0)
		sn_str_split(rest, ' ', &out);
	return printable(out);
}

static bool parse_start(unsigned side, struct sn_str line, struct sn_http_message *message,
			struct sn_http_framing *framing)
{
	struct sn_str rest = line;

	if (!sn_http_may_begin(side, line))
		return false;
	if (side == SN_SERVER) {
		framing->version = word(&rest);
		message->status = word(&rest);
		message->status.n = SN_MIN(message->status.n, 3);
		message->is_tstat = true;
		return true;
	}
	message->is_tstat = sn_http_is_tstat_method(line);
	framing->version = version_of(line);
	if (!message->is_tstat && framing->version.n == 0)
		return false;
	/* "POST/ HTTP/1.1" begins like a request, but has no method. */
	if (may_be_method(line)) {
		message->method = word(&rest);
		message->target = word(&rest);
	}
	return true;
}

/* Where the value goes; NULL: nobody wants it. */
static struct sn_str *place_of(struct sn_str name, struct sn_http_message *message,
			       struct sn_http_framing *framing)
{
	for (size_t i = 0; i < SN_COUNT(fields); i++) {
		struct sn_str *field = &message->fields[fields[i].field];

		if (equals(name, fields[i].name))
			return field->p == NULL ? field : NULL; /* the first one counts */
	}
	if (equals(name, transfer_encoding))
		return &framing->transfer;
	return equals(name, upgrade) ? &framing->upgrade : NULL;
}

static void parse_field(struct sn_str line, struct sn_http_message *message,
			struct sn_http_framing *framing)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct sn_str value, *place;

	if (colon == NULL)
		return;
	value = (struct sn_str){colon + 1, line.n - (size_t)(colon + 1 - line.p)};
	place = place_of((struct sn_str){line.p, (size_t)(colon - line.p)}, message, framing);
	if (place == NULL)
		return;
	if (value.n > 0 && value.p[0] == ' ')
		value = (struct sn_str){value.p + 1, value.n - 1};
	*place = printable(value);
}

bool sn_http_parse(unsigned side, struct sn_str header, struct sn_http_message *message,
		   struct sn_http_framing *framing)
{
	struct sn_str rest = header, line;

	*framing = (struct sn_http_framing){0};
	message->side = side;
	message->is_request = side == SN_CLIENT;
	message->header = header;
	if (!sn_str_split(&rest, '\n', &line) ||
	    !parse_start(side, first_line(line), message, framing))
		return false;
	while (sn_str_split(&rest, '\n', &line))
		parse_field(line, message, framing);
	return true;
}
