/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/app/video.h"

#include <math.h>
#include <string.h>

#include "base/util.h"

/* Which connections ----------------------------------------------------------- */

/* Tstat's codes of http_t - 1 that its log of videos takes. */
static const uint8_t contents[] = {4, 5, 6, 14, 15, 17, 21, 22, 23, 24};
static const char *const names[] = {".googlevideo.com", ".youtube.com", ".nflxvideo.net"};

static bool ends_with(struct sn_str text, const char *end)
{
	size_t n = strlen(end);

	return text.n >= n && memcmp(text.p + text.n - n, end, n) == 0;
}

bool sn_app_is_video(const struct sn_app_tcp *app, struct sn_str server_name)
{
	if ((app->con_type & SN_CON_RTMP) != 0)
		return true;
	for (size_t i = 0; app->http_type > 0 && i < SN_COUNT(contents); i++)
		if (app->http_type == contents[i] + 1)
			return true;
	for (size_t i = 0; (app->con_type & SN_CON_TLS) != 0 && i < SN_COUNT(names); i++)
		if (ends_with(server_name, names[i]))
			return true;
	return false;
}

/* Rates ------------------------------------------------------------------------ */

/* The present second is over after `length_ns`. */
static void close_second(struct sn_video_rate *rate, int64_t length_ns)
{
	double kbits = (double)rate->bytes * 8 / 1000 * (double)SN_NS_PER_S / (double)length_ns;

	if (rate->seconds < SN_VIDEO_SAMPLES)
		rate->first[rate->seconds] = (uint32_t)SN_MIN(rate->bytes, (uint64_t)UINT32_MAX);
	rate->seconds++;
	rate->sum += kbits;
	rate->sum2 += kbits * kbits;
	rate->max = SN_MAX(rate->max, kbits);
	if (rate->bytes > 0 && (rate->min == 0 || kbits < rate->min))
		rate->min = kbits;
	rate->begin_ns += length_ns;
}

/* However long nothing came, it costs the same. */
static void add_silence(struct sn_video_rate *rate, int64_t seconds)
{
	uint32_t count = (uint32_t)SN_MIN(seconds, (int64_t)UINT32_MAX / 2);

	if (count == 0)
		return;
	rate->seconds += count;
	rate->zeros += count;
	rate->streak += count;
	rate->streak_max = SN_MAX(rate->streak_max, rate->streak);
	rate->begin_ns += seconds * SN_NS_PER_S;
}

static void pass_time(struct sn_video_rate *rate, int64_t now_ns)
{
	int64_t seconds = (now_ns - rate->begin_ns) / SN_NS_PER_S;

	if (seconds <= 0)
		return;
	if (rate->bytes > 0) {
		close_second(rate, SN_NS_PER_S);
		rate->streak = 0;
		rate->bytes = 0;
		seconds--;
	}
	add_silence(rate, seconds);
}

void sn_video_rate_add(struct sn_video_rate *rate, uint64_t bytes, int64_t time_ns)
{
	if (rate->begin_ns == 0)
		rate->begin_ns = time_ns;
	pass_time(rate, time_ns);
	rate->bytes += bytes;
}

void sn_video_rate_finish(struct sn_video_rate *rate, int64_t end_ns)
{
	struct sn_video_rate none = {0};

	if (rate->begin_ns == 0)
		return;
	pass_time(rate, end_ns);
	if (rate->bytes > 0)
		close_second(rate, SN_MAX(end_ns - rate->begin_ns, (int64_t)1));
	if (rate->seconds > 1)
		return;
	memcpy(none.first, rate->first, sizeof(none.first));
	*rate = none;
}

double sn_video_rate_mean(const struct sn_video_rate *rate)
{
	return rate->seconds > 0 ? rate->sum / rate->seconds : 0;
}

double sn_video_rate_deviation(const struct sn_video_rate *rate)
{
	double n = rate->seconds;

	return n > 1 ? sqrt(SN_MAX((rate->sum2 - rate->sum * rate->sum / n) / (n - 1), 0.0)) : 0;
}

/* Messages --------------------------------------------------------------------- */

void sn_video_message(struct sn_app_video *video, uint32_t count, uint32_t end)
{
	if (count <= video->messages)
		return;
	if (count <= SN_VIDEO_SAMPLES)
		video->message_bytes[count - 1] = end - video->message_end;
	video->messages = count;
	video->message_end = end;
}
