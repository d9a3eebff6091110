/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/series/histogram.h"

#include "base/util.h"

/* Words for bins ----------------------------------------------------------- */

static const char *const words_ip[] = {"tcp", "udp", "icmp", "ip"};
static const char *const words_l3[] = {"ipv4_tcp", "ipv4_udp", "ipv4_other",
				       "ipv6_tcp", "ipv6_udp", "ipv6_other"};
static const char *const words_l4[] = {"tcp", "udp"};
static const char *const words_protocol[] = {
	[1] = "icmp", [6] = "tcp",    [17] = "udp",  [47] = "gre",
	[50] = "esp", [58] = "icmp6", [89] = "ospf", [132] = "sctp"};
static const char *const words_l7[] = {
	"http",
	"rtp",
	"rtcp",
	"icy",
	"rtsp",
	"skype",
	"skypeout",
	"skype_tcp",
	"msn",
	"xmpp",
	"ymsg",
	"edonkey",
	"kad",
	"kadu",
	"gnutella",
	"bittorrent",
	"utp",
	"dc",
	"apple",
	"soulseek",
	"winmx",
	"ares",
	"mute",
	"waste",
	"xdcc",
	"smtp",
	"pop3",
	"imap",
	"edonkey_obfuscated",
	"pplive",
	"sopcast",
	"tvants",
	"skype_signalling",
	"tls",
	"kad_obfuscated",
	"kazaa",
	"dns",
	"ssh",
	"rtmp",
	"mse",
	"vod",
	"ppstream",
	"teredo",
	"sip",
	"dtls",
	"quic",
	"facebook_zero",
	"mturn",
	"sye",
	"unknown",
};
static const char *const words_http[] = {
	"get",
	"post",
	"msn",
	"rtmpt",
	"youtube_video",
	"video",
	"vimeo",
	"wikipedia",
	"rapidshare",
	"megaupload",
	"facebook",
	"advertising",
	"flickr",
	"google_maps",
	"netflix",
	"youtube",
	"social",
	"flash_video",
	"mediafire",
	"hotfile",
	"storage",
	"youtube_204",
	"youtube_video_204",
	"youtube_direct",
	"youtube_embed",
	"twitter",
	"dropbox",
};
static const char *const words_web[] = {"get",    "post",        "video", "storage",
					"social", "advertising", "media", "other"};
static const char *const words_tls[] = {"other",   "google",    "youtube", "facebook", "netflix",
					"dropbox", "microsoft", "apple",   "instagram"};
static const char *const words_video[] = {"none", "flv",     "mp4",  "avi", "wmv",
					  "mpeg", "webm",    "3gpp", "ogg", "quicktime",
					  "asf",  "unknown", "hls",  "nff"};
static const char *const words_anomaly[] = {
	[0] = "in_sequence",  [1] = "rto",           [2] = "fast",
	[3] = "reordering",   [4] = "duplicate",     [5] = "flow_control",
	[6] = "needless_rto", [7] = "needless_fast", [63] = "unknown"};
static const char *const words_offer[] = {
	[1] = "both", [2] = "client", [3] = "server", [4] = "none"};
static const char *const words_interrupted[] = {"not", "interrupted"};
static const char *const words_mm_type[] = {[3] = "rtp", [4] = "rtcp"};
static const char *const words_mm_cast[] = {"unicast", "multicast"};
static const char *const words_trash[] = {"segments"};

enum kind { COUNT, RATE };

#define NO_WORDS           NULL, 0
#define WORDS(table)       table, SN_COUNT(table)
#define LABELS_NONE        NO_WORDS
#define LABELS_IP          WORDS(words_ip)
#define LABELS_L3          WORDS(words_l3)
#define LABELS_L4          WORDS(words_l4)
#define LABELS_PROTOCOL    WORDS(words_protocol)
#define LABELS_L7          WORDS(words_l7)
#define LABELS_HTTP        WORDS(words_http)
#define LABELS_WEB         WORDS(words_web)
#define LABELS_TLS         WORDS(words_tls)
#define LABELS_VIDEO       WORDS(words_video)
#define LABELS_ANOMALY     WORDS(words_anomaly)
#define LABELS_OFFER       WORDS(words_offer)
#define LABELS_INTERRUPTED WORDS(words_interrupted)
#define LABELS_MM_TYPE     WORDS(words_mm_type)
#define LABELS_MM_CAST     WORDS(words_mm_cast)
#define LABELS_TRASH       WORDS(words_trash)

/* The table ---------------------------------------------------------------- */

const struct sn_histogram sn_histograms[SN_HISTOGRAMS] = {
#define SN_HISTOGRAM(id, name, min, bin, max, kind, labels, text)                                  \
	{name,                                                                                     \
	 text,                                                                                     \
	 min,                                                                                      \
	 bin,                                                                                      \
	 max,                                                                                      \
	 (kind) == RATE,                                                                           \
	 SN_HISTOGRAM_FIRST_##id,                                                                  \
	 ((max) - (min)) / (bin) + 2,                                                              \
	 LABELS_##labels},
#include "meter/series/histograms.def"
#undef SN_HISTOGRAM
};

int sn_histogram_find(struct sn_str name)
{
	for (int i = 0; i < SN_HISTOGRAMS; i++)
		if (sn_str_eqc(name, sn_histograms[i].name))
			return i;
	return -1;
}

const char *sn_histogram_suggest(const char *name)
{
	const char *names[SN_HISTOGRAMS];

	for (unsigned i = 0; i < SN_HISTOGRAMS; i++)
		names[i] = sn_histograms[i].name;
	return sn_suggest(name, names, SN_HISTOGRAMS);
}

const char *sn_histogram_label(enum sn_histogram_id id, int value)
{
	const struct sn_histogram *histogram = &sn_histograms[id];

	if (value < 0 || (unsigned)value >= histogram->label_count ||
	    histogram->labels[value] == NULL)
		return "";
	return histogram->labels[value];
}
