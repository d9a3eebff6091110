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

static const struct {
	uint8_t type;
	bool post;        /* only of POST requests; else of others */
	const char *host; /* it or one below it; NULL: any */
	const char *path; /* how the path begins; NULL: any */
	const char *also; /* what stands in it, too; NULL: nothing */
} rules[] = {
	{TYPE_MSN, true, NULL, "/gateway/gateway.dll", NULL},
	{TYPE_RTMPT, true, NULL, "/open/1", NULL},
	{TYPE_RTMPT, true, NULL, "/fcs/ident", NULL},
	{TYPE_RTMPT, true, NULL, "/idle/", NULL},
	{TYPE_RTMPT, true, NULL, "/send/", NULL},
	{TYPE_NETFLIX, false, NULL, "/range/", "?o="},
	{TYPE_NETFLIX, false, NULL, "/?o=", "&v="},
	{TYPE_YOUTUBE_VIDEO, false, "googlevideo.com", "/videoplayback", NULL},
	{TYPE_YOUTUBE_VIDEO, false, "youtube.com", "/videoplayback", NULL},
	{TYPE_YOUTUBE_204, false, "googlevideo.com", "/generate_204", NULL},
	{TYPE_YOUTUBE_204, false, "youtube.com", "/generate_204", NULL},
	{TYPE_YOUTUBE_EMBED, false, "youtube.com", "/embed/", NULL},
	{TYPE_YOUTUBE_SITE, false, "youtube.com", NULL, NULL},
	{TYPE_VIMEO, false, "vimeo.com", NULL, NULL},
	{TYPE_WIKIPEDIA, false, "wikipedia.org", NULL, NULL},
	{TYPE_WIKIPEDIA, false, "wikimedia.org", "/wikipedia/", NULL},
	{TYPE_RAPIDSHARE, false, "rapidshare.com", NULL, NULL},
	{TYPE_MEGAUPLOAD, false, "megaupload.com", NULL, NULL},
	{TYPE_GET, false, "facebook.com", "/mobile/status.php",
	 NULL}, /* asks whether it is there */
	{TYPE_FACEBOOK, false, "facebook.com", NULL, NULL},
	{TYPE_ADVERTISING, false, "doubleclick.net", NULL, NULL},
	{TYPE_FLICKR, false, "flickr.com", NULL, NULL},
	{TYPE_GOOGLE_MAPS, false, "maps.google.com", NULL, NULL},
	{TYPE_MEDIAFIRE, false, "mediafire.com", NULL, NULL},
	{TYPE_HOTFILE, false, "hotfile.com", NULL, NULL},
	{TYPE_TWITTER, false, "twitter.com", NULL, NULL},
	{TYPE_DROPBOX, false, "dropbox.com", NULL, NULL},
};

/* `host` may carry a port. */
static bool is_below(struct sn_str host, const char *domain)
{
	const char *colon = memchr(host.p, ':', host.n);
	size_t n = strlen(domain);

	if (colon != NULL)
		host.n = (size_t)(colon - host.p);
	return host.n >= n && strncasecmp(host.p + host.n - n, domain, n) == 0 &&
	       (host.n == n || host.p[host.n - n - 1] == '.');
}

uint8_t sn_http_request_type(const struct sn_http_message *request)
{
	struct sn_str host = sn_str_trim(request->fields[SN_HTTP_HOST]), path = request->target;
	bool post = sn_str_has_prefix(request->header, "POST"); /* "POST/" has no method */

	for (size_t i = 0; i < SN_COUNT(rules); i++) {
		if (rules[i].post == post &&
		    (rules[i].host == NULL || (host.n > 0 && is_below(host, rules[i].host))) &&
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
