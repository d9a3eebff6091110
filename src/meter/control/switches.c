/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/control/switches.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "meter/control/ini.h"

#define LOG(log_, name_, help_)                                                                    \
	{                                                                                          \
		name_, "log", SN_SWITCH_BOOL, offsetof(struct sn_settings_values, logs.on[log_]),  \
			0, help_                                                                   \
	}
#define LEVEL(bit_, name_, help_)                                                                  \
	{                                                                                          \
		name_, "options", SN_SWITCH_BIT,                                                   \
			offsetof(struct sn_settings_values, logs.tcp_level), bit_, help_           \
	}
#define VIDEO(bit_, name_, help_)                                                                  \
	{                                                                                          \
		name_, "options", SN_SWITCH_BIT,                                                   \
			offsetof(struct sn_settings_values, logs.video_level), bit_, help_         \
	}
#define VALUE(member_, name_, section_, kind_, argument_, help_)                                   \
	{                                                                                          \
		name_, section_, kind_, offsetof(struct sn_settings_values, member_), argument_,   \
			help_                                                                      \
	}

const struct sn_switch sn_switches[] = {
	VALUE(histograms, "histo_engine", "log", SN_SWITCH_BOOL, 0, "histogram files"),
	VALUE(series, "rrd_engine", "log", SN_SWITCH_BOOL, 0, "series of the link"),
	LOG(SN_TSTAT_TCP_COMPLETE, "log_tcp_complete", "connections with both SYNs"),
	LOG(SN_TSTAT_TCP_NOCOMPLETE, "log_tcp_nocomplete", "other connections"),
	LOG(SN_TSTAT_UDP_COMPLETE, "log_udp_complete", "UDP flows"),
	LOG(SN_TSTAT_MM_COMPLETE, "log_mm_complete", "RTP and RTCP streams"),
	LOG(SN_TSTAT_SKYPE_COMPLETE, "log_skype_complete", "Skype flows"),
	LOG(SN_TSTAT_CHAT_COMPLETE, "log_chat_complete", "chat flows"),
	LOG(SN_TSTAT_CHAT_MESSAGES, "log_chat_messages", "chat messages"),
	LOG(SN_TSTAT_VIDEO_COMPLETE, "log_video_complete", "connections with video"),
	LOG(SN_TSTAT_HTTP_COMPLETE, "log_http_complete", "HTTP requests and responses"),
	LOG(SN_TSTAT_DNS_COMPLETE, "log_dns_complete", "DNS questions and answers"),
	LOG(SN_TSTAT_TCP_PERIODIC, "log_tcp_periodic", "TCP flows, a line each second"),
	LOG(SN_TSTAT_UDP_PERIODIC, "log_udp_periodic", "UDP flows, a line each second"),
	LEVEL(SN_TSTAT_END_TO_END, "tcplog_end_to_end", "columns: round trips, TTL"),
	LEVEL(SN_TSTAT_LAYER7, "tcplog_layer7", "columns: names, TLS, HTTP"),
	LEVEL(SN_TSTAT_P2P, "tcplog_p2p", "columns: peer to peer"),
	LEVEL(SN_TSTAT_OPTIONS, "tcplog_options", "columns: TCP options, windows, anomalies"),
	LEVEL(SN_TSTAT_ADVANCED, "tcplog_advanced", "columns: none, kept for its level number"),
	VIDEO(SN_TSTAT_VIDEO_END_TO_END, "videolog_end_to_end", "as tcplog_end_to_end"),
	VIDEO(SN_TSTAT_VIDEO_LAYER7, "videolog_layer7", "as tcplog_layer7"),
	VIDEO(SN_TSTAT_VIDEO_INFO, "videolog_videoinfo", "columns: duration, rate, size"),
	VIDEO(SN_TSTAT_VIDEO_YOUTUBE, "videolog_youtube", "columns: YouTube"),
	VIDEO(SN_TSTAT_VIDEO_OPTIONS, "videolog_options", "as tcplog_options"),
	VIDEO(SN_TSTAT_VIDEO_ADVANCED, "videolog_advanced", "columns: rates"),
	VALUE(logs.http_urls, "httplog_full_url", "options", SN_SWITCH_LEVEL, 2,
	      "0 hosts only, 1 paths without query, 2 whole URLs and cookies"),
	VALUE(logs.mid_stream, "log_tcp_midstream", NULL, SN_SWITCH_BOOL, 0,
	      "connections that began before the capture"),
	VALUE(filter, "filter", NULL, SN_SWITCH_TEXT, SN_SETTINGS_FILTER_MAX, "pcap-filter(7)"),
	VALUE(policy, "privacy", NULL, SN_SWITCH_TEXT, SN_SETTINGS_FILTER_MAX,
	      "rules of anonymisation, a line each"),
};
const size_t sn_switch_count = SN_COUNT(sn_switches);

const struct sn_switch *sn_switch_find(struct sn_str name, struct sn_err *err)
{
	int found = sn_ini_find(name, sn_switches, sn_switch_count, sizeof(sn_switches[0]), err);

	return found >= 0 ? &sn_switches[found] : NULL;
}

static uint8_t *byte_of(const struct sn_switch *sw, struct sn_settings_values *values)
{
	return (uint8_t *)values + sw->offset;
}

unsigned sn_switch_number(const struct sn_switch *sw, const struct sn_settings_values *values)
{
	const uint8_t *byte = (const uint8_t *)values + sw->offset;

	switch (sw->kind) {
	case SN_SWITCH_BOOL:
		return *(const bool *)byte;
	case SN_SWITCH_BIT:
		return (*byte & sw->argument) != 0;
	default:
		return *byte;
	}
}

void sn_switch_set_number(const struct sn_switch *sw, struct sn_settings_values *values,
			  unsigned number)
{
	uint8_t *byte = byte_of(sw, values);

	switch (sw->kind) {
	case SN_SWITCH_BOOL:
		*(bool *)byte = number != 0;
		break;
	case SN_SWITCH_BIT:
		*byte = (uint8_t)(number != 0 ? *byte | sw->argument : *byte & ~sw->argument);
		break;
	default:
		*byte = (uint8_t)number;
	}
}

int sn_switch_check_number(const struct sn_switch *sw, int64_t number, struct sn_err *err)
{
	unsigned max = sw->kind == SN_SWITCH_LEVEL ? sw->argument : 1;

	if (sw->kind == SN_SWITCH_TEXT)
		return sn_err_set(err, -EINVAL, "'%s' takes a text", sw->name);
	if (number >= 0 && number <= (int64_t)max)
		return 0;
	return sn_err_set(err, -EINVAL, "'%s' cannot be %" PRId64 " (0 to %u)", sw->name, number,
			  max);
}

char *sn_switch_text(const struct sn_switch *sw, struct sn_settings_values *values)
{
	return (char *)values + sw->offset;
}

int sn_switch_check_text(const struct sn_switch *sw, struct sn_str text, struct sn_err *err)
{
	if (sw->kind != SN_SWITCH_TEXT)
		return sn_err_set(err, -EINVAL, "'%s' takes %s", sw->name,
				  sw->kind == SN_SWITCH_LEVEL ? "a number" : "true or false");
	if (text.n >= sw->argument)
		return sn_err_set(err, -E2BIG, "'%s' is longer than %u bytes", sw->name,
				  sw->argument - 1);
	return 0;
}
