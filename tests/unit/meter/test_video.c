/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seconds and messages of connections with video.  The numbers of the first tests are those
 * that Tstat has for connections of a capture.
 */
#include "lib/test.h"

#include <math.h>

#include "app_flow.h"
#include "meter/app/video.h"

#define T0 (1484319056 * SN_NS_PER_S)
#define MS SN_NS_PER_MS

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 0.0006)

static void a_begun_second_counts_until_the_last_packet(void **state SN_UNUSED)
{
	struct sn_video_rate rate = {0};

	sn_video_rate_add(&rate, 20000, T0);
	sn_video_rate_add(&rate, 787, T0 + 999 * MS);
	sn_video_rate_add(&rate, 20272, T0 + 1000 * MS);
	sn_video_rate_finish(&rate, T0 + 1509835000);
	assert_int_equal(rate.seconds, 2);
	assert_int_equal(rate.zeros, 0);
	assert_int_equal(rate.first[0], 20787);
	assert_int_equal(rate.first[1], 20272);
	assert_near(sn_video_rate_mean(&rate), 242.196);
	assert_near(sn_video_rate_deviation(&rate), 107.338);
	assert_near(rate.min, 166.296);
	assert_near(rate.max, 318.095);
}

static void seconds_without_payload_are_zeros_in_streaks(void **state SN_UNUSED)
{
	static const uint64_t seconds[] = {1965, 0, 8688, 0, 1448, 1448, 7240, 268};
	struct sn_video_rate rate = {0};

	for (size_t i = 0; i < SN_COUNT(seconds); i++)
		if (seconds[i] > 0)
			sn_video_rate_add(&rate, seconds[i], T0 + (int64_t)i * SN_NS_PER_S);
	/* Nothing came in the second that was begun then. */
	sn_video_rate_finish(&rate, T0 + 8003 * MS);
	assert_int_equal(rate.seconds, 8);
	assert_int_equal(rate.zeros, 2);
	assert_int_equal(rate.streak_max, 1);
	assert_near(sn_video_rate_mean(&rate), 21.057);
	assert_near(sn_video_rate_deviation(&rate), 27.146);
	assert_near(rate.min, 2.144);
	assert_near(rate.max, 69.504);
	for (size_t i = 0; i < SN_COUNT(seconds); i++)
		assert_int_equal(rate.first[i], seconds[i]);
}

static void one_second_is_no_series(void **state SN_UNUSED)
{
	struct sn_video_rate rate = {0};

	sn_video_rate_add(&rate, 356, T0);
	sn_video_rate_finish(&rate, T0 + 1547 * MS);
	assert_int_equal(rate.seconds, 0);
	assert_true(rate.max == 0);
	assert_int_equal(rate.first[0], 356);
}

static void the_most_seconds_are_limits_of_arrays_not_of_counts(void **state SN_UNUSED)
{
	struct sn_video_rate rate = {0};

	for (int i = 0; i < 12; i++)
		sn_video_rate_add(&rate, 1000, T0 + i * SN_NS_PER_S);
	sn_video_rate_add(&rate, 1, T0 + 1000000 * SN_NS_PER_S);
	sn_video_rate_add(&rate, 1, T0); /* a clock that goes back */
	sn_video_rate_finish(&rate, T0 + 1000000 * SN_NS_PER_S);
	assert_int_equal(rate.seconds, 1000001);
	assert_int_equal(rate.zeros, 1000000 - 12);
	assert_int_equal(rate.streak_max, 1000000 - 12);
	assert_int_equal(rate.first[9], 1000);
}

/* Connections ------------------------------------------------------------------- */

#define REQUEST  "GET /range/0-65535 HTTP/1.1\r\nHost: a.nflxvideo.net\r\n\r\n"
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 4000\r\n\r\n"

/* As the meter counts before it lets look at the payload. */
static void say(struct talk *talk, unsigned side, const char *text, int64_t now_ns)
{
	struct sn_tcp_side *own = &talk->flow.tcp.side[side];

	talk->now_ns = now_ns - TALK_STEP_NS;
	talk->flow.flow.side[side].payload += strlen(text);
	if (own->first_data_ns == 0)
		own->first_data_ns = now_ns;
	talk_text(talk, side, text);
}

static void begin(struct talk *talk, bool wanted)
{
	struct sn_app_watch watch = {.video_rates = wanted};

	talk_init(talk, 80);
	sn_apps_set_watch(talk->apps, &watch);
	say(talk, SN_CLIENT, REQUEST, T0);
	say(talk, SN_SERVER, RESPONSE, T0 + 2500 * MS);
}

static void rates_begin_with_the_first_payload_of_each_side(void **state SN_UNUSED)
{
	struct talk talk;
	const struct sn_app_video *video;
	size_t length = strlen(RESPONSE);

	begin(&talk, true);
	video = talk.flow.app->video;
	assert_non_null(video);
	assert_true(video->sampled);
	assert_int_equal(video->side[SN_CLIENT].begin_ns, T0);
	assert_int_equal(video->side[SN_CLIENT].bytes, strlen(REQUEST));
	assert_int_equal(video->side[SN_SERVER].begin_ns, T0 + 2500 * MS);
	assert_int_equal(video->side[SN_SERVER].bytes, length);
	talk.flow.tcp.side[SN_SERVER].messages = 1;
	say(&talk, SN_SERVER, "1234567890", T0 + 3600 * MS);
	assert_int_equal(video->side[SN_SERVER].seconds, 1);
	assert_int_equal(video->side[SN_SERVER].bytes, 10);
	assert_int_equal(video->messages, 1);
	assert_int_equal(video->message_bytes[0], length + 10);
	talk_finish(&talk);
}

static void without_somebody_who_asks_nothing_is_kept(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk, false);
	assert_true(sn_app_is_video(talk.flow.app, (struct sn_str){0}));
	assert_null(talk.flow.app->video);
	talk_finish(&talk);
}

static void what_is_no_video_has_no_rates(void **state SN_UNUSED)
{
	struct sn_app_watch watch = {.video_rates = true};
	struct talk talk;

	talk_init(&talk, 80);
	sn_apps_set_watch(talk.apps, &watch);
	say(&talk, SN_CLIENT, "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n", T0);
	say(&talk, SN_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", T0 + MS);
	assert_int_equal(talk.flow.app->con_type, SN_CON_HTTP);
	assert_null(talk.flow.app->video);
	talk_finish(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_begun_second_counts_until_the_last_packet),
		cmocka_unit_test(seconds_without_payload_are_zeros_in_streaks),
		cmocka_unit_test(one_second_is_no_series),
		cmocka_unit_test(the_most_seconds_are_limits_of_arrays_not_of_counts),
		cmocka_unit_test(rates_begin_with_the_first_payload_of_each_side),
		cmocka_unit_test(without_somebody_who_asks_nothing_is_kept),
		cmocka_unit_test(what_is_no_video_has_no_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
