/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/series/classes.h"

#include <strings.h>

#include "base/util.h"

/* TCP ---------------------------------------------------------------------- */

/* The first that fits: what is certain before what is a guess. */
static const struct {
	uint32_t con_type;
	uint8_t l7;
} l7_of_con_type[] = {
	{SN_CON_HTTP, SN_L7_HTTP}, {SN_CON_TLS, SN_L7_TLS}, {SN_CON_RTSP, 4},     {SN_CON_RTP, 1},
	{SN_CON_RTCP, 2},          {SN_CON_ICY, 3},         {SN_CON_MSN, 8},      {SN_CON_XMPP, 9},
	{SN_CON_YMSG, 10},         {SN_CON_SMTP, 25},       {SN_CON_POP3, 26},    {SN_CON_IMAP, 27},
	{SN_CON_SSH, 37},          {SN_CON_RTMP, 38},       {SN_CON_FB_ZERO, 46}, {SN_CON_SKYPE, 7},
	{SN_CON_OBFUSCATED, 28},   {SN_CON_MSE, 39},
};

static unsigned l7_of_p2p(uint8_t p2p_type)
{
	if (p2p_type >= 1 && p2p_type <= 8)
		return 11; /* eDonkey */
	if (p2p_type >= 9 && p2p_type <= 16)
		return 15; /* BitTorrent */
	return p2p_type == 17 ? 12 : p2p_type == 18 ? 13 : SN_L7_UNKNOWN;
}

static unsigned tls_class(const struct sn_app_tcp *app)
{
	const struct sn_app_tls *tls = sn_app_tls(app);
	const struct sn_name *name =
		tls->server_name != NULL ? tls->server_name : tls->certificate_name;

	return SN_CLASS_TLS + sn_class_tls_service(sn_name_text(name));
}

/* Contents (http_t - 1) of which the container matters; others have none. */
static const uint8_t video_codes[SN_VIDEO_CODES] = {0, 1, 4, 5, 6, 14, 17, 22};

static unsigned http_class(const struct sn_app_tcp *app)
{
	unsigned code = app->http_type - 1U;
	unsigned container = app->video_found != 0 ? app->video_found : app->video_declared;

	if (code >= SN_HTTP_CODES)
		return SN_L7_HTTP;
	if (container >= 1 && container <= SN_VIDEO_CONTAINERS)
		for (unsigned i = 0; i < SN_VIDEO_CODES; i++)
			if (video_codes[i] == code)
				return SN_CLASS_VIDEO + i * SN_VIDEO_CONTAINERS + container - 1;
	return SN_CLASS_HTTP + code;
}

unsigned sn_class_tcp(const struct sn_app_tcp *app)
{
	if (app == NULL || app->con_type == 0)
		return SN_L7_UNKNOWN;
	if ((app->con_type & SN_CON_HTTP) != 0)
		return http_class(app);
	if ((app->con_type & SN_CON_TLS) != 0)
		return tls_class(app);
	if ((app->con_type & SN_CON_P2P) != 0)
		return l7_of_p2p(app->p2p_type);
	for (size_t i = 0; i < SN_COUNT(l7_of_con_type); i++)
		if ((app->con_type & l7_of_con_type[i].con_type) != 0)
			return l7_of_con_type[i].l7;
	return SN_L7_UNKNOWN;
}

/* UDP ---------------------------------------------------------------------- */

/* Candidates that nothing confirmed are unknown. */
static const uint8_t l7_of_udp[SN_UDP_TYPES] = {
	[SN_UDP_UNKNOWN] = SN_L7_UNKNOWN,
	[SN_UDP_FIRST_RTP] = SN_L7_UNKNOWN,
	[SN_UDP_FIRST_RTCP] = SN_L7_UNKNOWN,
	[SN_UDP_RTP] = 1,
	[SN_UDP_RTCP] = 2,
	[SN_UDP_SKYPE_E2E] = 5,
	[SN_UDP_SKYPE_OUT] = 6,
	[SN_UDP_SKYPE_SIGNALLING] = 32,
	[SN_UDP_EDK] = 11,
	[SN_UDP_KAD] = 12,
	[SN_UDP_KADU] = 13,
	[SN_UDP_GNUTELLA] = 14,
	[SN_UDP_BITTORRENT] = 15,
	[SN_UDP_DC] = 17,
	[SN_UDP_KAZAA] = 35,
	[SN_UDP_PPLIVE] = 29,
	[SN_UDP_SOPCAST] = 30,
	[SN_UDP_TVANTS] = 31,
	[SN_UDP_KAD_OBFUSCATED] = 34,
	[SN_UDP_DNS] = 36,
	[SN_UDP_UTP] = 16,
	[SN_UDP_UTP_BITTORRENT] = 16,
	[SN_UDP_VOD] = 40,
	[SN_UDP_PPSTREAM] = 41,
	[SN_UDP_TEREDO] = 42,
	[SN_UDP_SIP] = 43,
	[SN_UDP_DTLS] = 44,
	[SN_UDP_QUIC] = 45,
	[SN_UDP_FIRST_RTP_PLUS] = SN_L7_UNKNOWN,
	[SN_UDP_RTP_PLUS] = 1,
	[SN_UDP_MTURN] = 47,
	[SN_UDP_SYE] = 48,
};

unsigned sn_class_udp(uint8_t type)
{
	return type < SN_UDP_TYPES ? l7_of_udp[type] : (unsigned)SN_L7_UNKNOWN;
}

/* TLS services ------------------------------------------------------------- */

static const struct {
	const char *domain;
	uint8_t service;
} services[] = {
	{"google.com", 1},
	{"googleapis.com", 1},
	{"gstatic.com", 1},
	{"googleusercontent.com", 1},
	{"googlesyndication.com", 1},
	{"doubleclick.net", 1},
	{"google-analytics.com", 1},
	{"googletagmanager.com", 1},
	{"ggpht.com", 1},
	{"gmail.com", 1},
	{"android.com", 1},
	{"youtube.com", 2},
	{"youtube-nocookie.com", 2},
	{"googlevideo.com", 2},
	{"ytimg.com", 2},
	{"gvt1.com", 2},
	{"youtu.be", 2},
	{"facebook.com", 3},
	{"facebook.net", 3},
	{"fbcdn.net", 3},
	{"fb.com", 3},
	{"messenger.com", 3},
	{"netflix.com", 4},
	{"netflix.net", 4},
	{"nflxvideo.net", 4},
	{"nflximg.net", 4},
	{"nflximg.com", 4},
	{"nflxext.com", 4},
	{"nflxso.net", 4},
	{"dropbox.com", 5},
	{"dropboxstatic.com", 5},
	{"dropboxusercontent.com", 5},
	{"dropboxapi.com", 5},
	{"microsoft.com", 6},
	{"microsoftonline.com", 6},
	{"windows.com", 6},
	{"windows.net", 6},
	{"windowsupdate.com", 6},
	{"live.com", 6},
	{"office.com", 6},
	{"office365.com", 6},
	{"outlook.com", 6},
	{"skype.com", 6},
	{"msn.com", 6},
	{"bing.com", 6},
	{"apple.com", 7},
	{"icloud.com", 7},
	{"icloud-content.com", 7},
	{"mzstatic.com", 7},
	{"cdn-apple.com", 7},
	{"itunes.com", 7},
	{"instagram.com", 8},
	{"cdninstagram.com", 8},
};

/* "www.example.com", "*.example.com" and "example.com" are in "example.com". */
static bool is_in_domain(struct sn_str name, struct sn_str domain)
{
	size_t before = name.n - domain.n;

	if (name.n < domain.n || (before > 0 && name.p[before - 1] != '.'))
		return false;
	return strncasecmp(name.p + before, domain.p, domain.n) == 0;
}

unsigned sn_class_tls_service(struct sn_str name)
{
	for (size_t i = 0; i < SN_COUNT(services); i++)
		if (is_in_domain(name, sn_str(services[i].domain)))
			return services[i].service;
	return 0;
}

/* Bins --------------------------------------------------------------------- */

enum {
	WEB_GET,
	WEB_POST,
	WEB_VIDEO,
	WEB_STORAGE,
	WEB_SOCIAL,
	WEB_ADVERTISING,
	WEB_MEDIA,
	WEB_OTHER
};
enum { VIDEO_FLV = 1, VIDEO_UNKNOWN = 11, L7_RTMP = 38 };

/* By content code: http_t - 1. */
static const struct {
	int8_t web, video;
} of_http[SN_HTTP_CODES] = {
	{WEB_GET, SN_CLASS_NONE},     {WEB_POST, SN_CLASS_NONE},
	{WEB_OTHER, SN_CLASS_NONE},   {WEB_OTHER, SN_CLASS_NONE},
	{WEB_VIDEO, VIDEO_UNKNOWN},   {WEB_VIDEO, VIDEO_UNKNOWN},
	{WEB_VIDEO, VIDEO_UNKNOWN},   {WEB_MEDIA, SN_CLASS_NONE},
	{WEB_STORAGE, SN_CLASS_NONE}, {WEB_STORAGE, SN_CLASS_NONE},
	{WEB_SOCIAL, SN_CLASS_NONE},  {WEB_ADVERTISING, SN_CLASS_NONE},
	{WEB_MEDIA, SN_CLASS_NONE},   {WEB_MEDIA, SN_CLASS_NONE},
	{WEB_VIDEO, VIDEO_UNKNOWN},   {WEB_VIDEO, SN_CLASS_NONE},
	{WEB_SOCIAL, SN_CLASS_NONE},  {WEB_VIDEO, VIDEO_FLV},
	{WEB_STORAGE, SN_CLASS_NONE}, {WEB_STORAGE, SN_CLASS_NONE},
	{WEB_STORAGE, SN_CLASS_NONE}, {WEB_VIDEO, SN_CLASS_NONE},
	{WEB_VIDEO, VIDEO_UNKNOWN},   {WEB_VIDEO, SN_CLASS_NONE},
	{WEB_VIDEO, SN_CLASS_NONE},   {WEB_SOCIAL, SN_CLASS_NONE},
	{WEB_STORAGE, SN_CLASS_NONE},
};

struct sn_class_bins sn_class_bins(unsigned class_)
{
	struct sn_class_bins bins = {(int8_t)class_, SN_CLASS_NONE, SN_CLASS_NONE, SN_CLASS_NONE,
				     SN_CLASS_NONE};

	if (class_ >= SN_CLASS_VIDEO) {
		unsigned code = video_codes[(class_ - SN_CLASS_VIDEO) / SN_VIDEO_CONTAINERS];

		bins = sn_class_bins(SN_CLASS_HTTP + code);
		bins.video = (int8_t)((class_ - SN_CLASS_VIDEO) % SN_VIDEO_CONTAINERS + 1);
	} else if (class_ >= SN_CLASS_TLS) {
		bins.l7 = SN_L7_TLS;
		bins.tls = (int8_t)(class_ - SN_CLASS_TLS);
		if (bins.tls == 2 || bins.tls == 4) /* YouTube, Netflix */
			bins.video = VIDEO_UNKNOWN;
	} else if (class_ >= SN_CLASS_HTTP) {
		bins.l7 = SN_L7_HTTP;
		bins.http = (int8_t)(class_ - SN_CLASS_HTTP);
		bins.web = of_http[bins.http].web;
		bins.video = of_http[bins.http].video;
	} else if (class_ == L7_RTMP) {
		bins.video = VIDEO_FLV;
	}
	return bins;
}
