/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request asks for: Tstat's http_t.  A row matches when all of what it
 * names does; the first that matches decides.  Hosts match with all hosts below
 * them.
 */
#include <string.h>
#include <strings.h>

#include "meter/app/http_internal.h"

enum {
	TYPE_GET = 1,
	TYPE_POST,
	TYPE_MSN,
	TYPE_RTMPT,
	TYPE_YOUTUBE_VIDEO,
	TYPE_VIDEO,
	TYPE_VIMEO,
	TYPE_WIKIPEDIA,
	TYPE_RAPIDSHARE,
	TYPE_MEGAUPLOAD,
	TYPE_FACEBOOK,
	TYPE_ADVERTISING,
	TYPE_FLICKR,
	TYPE_GOOGLE_MAPS,
	TYPE_NETFLIX,
	TYPE_YOUTUBE_SITE,
	TYPE_SOCIAL,
	TYPE_FLASH_VIDEO,
	TYPE_MEDIAFIRE,
	TYPE_HOTFILE,
	TYPE_STORAGE,
	TYPE_YOUTUBE_204,
	TYPE_YOUTUBE_VIDEO_204,
	TYPE_YOUTUBE_DIRECT,
	TYPE_YOUTUBE_EMBED,
	TYPE_TWITTER,
	TYPE_DROPBOX,
};

#define TEXT(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
#define ANY                                                                                        \
	{                                                                                          \
		NULL, 0                                                                            \
	}

static const struct {
	uint8_t type;
	bool post;          /* only of POST requests; else of others */
	struct sn_str host; /* it or one below it; empty: any */
	const char *path;   /* how the path begins; NULL: any */
	const char *also;   /* what stands in it, too; NULL: nothing */
} rules[] = {
	{TYPE_MSN, true, ANY, "/gateway/gateway.dll", NULL},
	{TYPE_RTMPT, true, ANY, "/open/1", NULL},
	{TYPE_RTMPT, true, ANY, "/fcs/ident", NULL},
	{TYPE_RTMPT, true, ANY, "/idle/", NULL},
	{TYPE_RTMPT, true, ANY, "/send/", NULL},
	{TYPE_NETFLIX, false, ANY, "/range/", "?o="},
	{TYPE_NETFLIX, false, ANY, "/?o=", "&v="},
	{TYPE_YOUTUBE_VIDEO, false, TEXT("googlevideo.com"), "/videoplayback", NULL},
	{TYPE_YOUTUBE_VIDEO, false, TEXT("youtube.com"), "/videoplayback", NULL},
	{TYPE_YOUTUBE_204, false, TEXT("googlevideo.com"), "/generate_204", NULL},
	{TYPE_YOUTUBE_204, false, TEXT("youtube.com"), "/generate_204", NULL},
	{TYPE_YOUTUBE_EMBED, false, TEXT("youtube.com"), "/embed/", NULL},
	{TYPE_YOUTUBE_SITE, false, TEXT("youtube.com"), NULL, NULL},
	{TYPE_VIMEO, false, TEXT("vimeo.com"), NULL, NULL},
	{TYPE_WIKIPEDIA, false, TEXT("wikipedia.org"), NULL, NULL},
	{TYPE_WIKIPEDIA, false, TEXT("wikimedia.org"), "/wikipedia/", NULL},
	{TYPE_RAPIDSHARE, false, TEXT("rapidshare.com"), NULL, NULL},
	{TYPE_MEGAUPLOAD, false, TEXT("megaupload.com"), NULL, NULL},
	{TYPE_GET, false, TEXT("facebook.com"), "/mobile/status.php",
	 NULL}, /* asks whether it is there */
	{TYPE_FACEBOOK, false, TEXT("facebook.com"), NULL, NULL},
	{TYPE_ADVERTISING, false, TEXT("doubleclick.net"), NULL, NULL},
	{TYPE_FLICKR, false, TEXT("flickr.com"), NULL, NULL},
	{TYPE_GOOGLE_MAPS, false, TEXT("maps.google.com"), NULL, NULL},
	{TYPE_MEDIAFIRE, false, TEXT("mediafire.com"), NULL, NULL},
	{TYPE_HOTFILE, false, TEXT("hotfile.com"), NULL, NULL},
	{TYPE_TWITTER, false, TEXT("twitter.com"), NULL, NULL},
	{TYPE_DROPBOX, false, TEXT("dropbox.com"), NULL, NULL},
};

static struct sn_str without_port(struct sn_str host)
{
	const char *colon = host.n > 0 ? memchr(host.p, ':', host.n) : NULL;

	if (colon != NULL)
		host.n = (size_t)(colon - host.p);
	return host;
}

static bool is_below(struct sn_str host, struct sn_str domain)
{
	const char *end;

	if (host.n < domain.n)
		return false;
	end = host.p + host.n - domain.n;
	/* Nearly all differ in the first letter. */
	return (end[0] | 0x20) == domain.p[0] && strncasecmp(end, domain.p, domain.n) == 0 &&
	       (host.n == domain.n || end[-1] == '.');
}

uint8_t sn_http_request_type(const struct sn_http_message *request)
{
	struct sn_str host = without_port(sn_str_trim(request->fields[SN_HTTP_HOST]));
	struct sn_str path = request->target;
	bool post = sn_str_has_prefix(request->header, "POST"); /* "POST/" has no method */

	for (size_t i = 0; i < SN_COUNT(rules); i++) {
		if (rules[i].post == post &&
		    (rules[i].host.n == 0 || is_below(host, rules[i].host)) &&
		    (rules[i].path == NULL || sn_str_has_prefix(path, rules[i].path)) &&
		    (rules[i].also == NULL ||
		     memmem(path.p, path.n, rules[i].also, strlen(rules[i].also)) != NULL))
			return rules[i].type;
	}
	return post ? TYPE_POST : TYPE_GET;
}

uint8_t sn_http_response_type(uint8_t type, const struct sn_http_message *response)
{
	struct sn_str content = response->fields[SN_HTTP_CONTENT_TYPE];

	if (type != TYPE_GET)
		return type;
	if (sn_str_has_prefix(content, "video/x-flv") || sn_str_has_prefix(content, "video/flv"))
		return TYPE_FLASH_VIDEO;
	return sn_str_has_prefix(content, "video/") ? TYPE_VIDEO : type;
}

struct sn_str sn_http_video_id(uint8_t type, struct sn_str target)
{
	const char *query = target.n > 0 ? memchr(target.p, '?', target.n) : NULL;
	struct sn_str rest, part;

	if (type != TYPE_YOUTUBE_VIDEO || query == NULL)
		return (struct sn_str){0};
	rest = (struct sn_str){query + 1, target.n - (size_t)(query + 1 - target.p)};
	while (sn_str_split(&rest, '&', &part)) {
		if (sn_str_has_prefix(part, "id="))
			return (struct sn_str){part.p + 3, part.n - 3};
	}
	return (struct sn_str){0};
}

/* Containers ------------------------------------------------------------------ */

enum {
	VIDEO_FLV = 1,
	VIDEO_MP4,
	VIDEO_AVI,
	VIDEO_WMV,
	VIDEO_MPEG,
	VIDEO_WEBM,
	VIDEO_3GPP,
	VIDEO_OGG,
	VIDEO_QUICKTIME,
	VIDEO_ASF,
	VIDEO_UNKNOWN,
	VIDEO_HLS,
};

static const struct {
	struct sn_str content_type;
	uint8_t video;
} contents[] = {
	{TEXT("video/x-flv"), VIDEO_FLV},
	{TEXT("video/flv"), VIDEO_FLV},
	{TEXT("video/mp4"), VIDEO_MP4},
	{TEXT("video/x-msvideo"), VIDEO_AVI},
	{TEXT("video/x-ms-wmv"), VIDEO_WMV},
	{TEXT("video/mpeg"), VIDEO_MPEG},
	{TEXT("video/webm"), VIDEO_WEBM},
	{TEXT("video/3gpp"), VIDEO_3GPP},
	{TEXT("video/ogg"), VIDEO_OGG},
	{TEXT("video/quicktime"), VIDEO_QUICKTIME},
	{TEXT("video/x-ms-asf"), VIDEO_ASF},
	{TEXT("video/"), VIDEO_UNKNOWN},
	{TEXT("application/vnd.apple.mpegurl"), VIDEO_HLS},
	{TEXT("application/x-mpegurl"), VIDEO_HLS},
};

static const struct {
	size_t at;
	struct sn_str bytes;
	uint8_t video;
} beginnings[] = {
	{0, {"FLV\x01", 4}, VIDEO_FLV},
	{4, {"ftyp3gp", 7}, VIDEO_3GPP},
	{4, {"ftypqt", 6}, VIDEO_QUICKTIME},
	{4, {"ftyp", 4}, VIDEO_MP4},
	{8, {"AVI ", 4}, VIDEO_AVI},
	{0, {"\0\0\x01\xba", 4}, VIDEO_MPEG},
	{0, {"\x1a\x45\xdf\xa3", 4}, VIDEO_WEBM},
	{0, {"OggS", 4}, VIDEO_OGG},
	{0, {"\x30\x26\xb2\x75", 4}, VIDEO_ASF},
	{0, {"#EXTM3U", 7}, VIDEO_HLS},
};

uint8_t sn_http_video_declared(struct sn_str content_type)
{
	for (size_t i = 0; i < SN_COUNT(contents); i++) {
		struct sn_str wanted = contents[i].content_type;

		/* Nearly all differ in the first letter. */
		if (content_type.n >= wanted.n && (content_type.p[0] | 0x20) == wanted.p[0] &&
		    strncasecmp(content_type.p, wanted.p, wanted.n) == 0)
			return contents[i].video;
	}
	return 0;
}

uint8_t sn_http_video_found(struct sn_str body)
{
	for (size_t i = 0; i < SN_COUNT(beginnings); i++) {
		struct sn_str bytes = beginnings[i].bytes;

		if (body.n >= beginnings[i].at + bytes.n &&
		    memcmp(body.p + beginnings[i].at, bytes.p, bytes.n) == 0)
			return beginnings[i].video;
	}
	return 0;
}
