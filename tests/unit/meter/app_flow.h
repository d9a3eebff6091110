/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP flow between two sides that say what a test tells them to, looked at by
 * the real thing: talk_say() is a segment in order, talk_say_at() one anywhere.
 */
#ifndef SONDE_TESTS_METER_APP_FLOW_H
#define SONDE_TESTS_METER_APP_FLOW_H

#include <stdio.h>
#include <string.h>

#include "meter/app/app.h"
#include "meter/app/app_internal.h"
#include "meter/app/http.h"
#include "meter/app/tcp.h"

#define TALK_START_NS 1000000000000LL
#define TALK_STEP_NS  1000000LL

struct talk {
	struct sn_name_pool *names;
	struct sn_apps *apps;
	struct sn_tcp_flow flow;
	uint32_t next[2]; /* offset behind what each side has said */
	int64_t now_ns;
};

static inline void talk_init(struct talk *talk, uint16_t server_port)
{
	struct sn_apps_options options = {0};

	*talk = (struct talk){.next = {1, 1}, .now_ns = TALK_START_NS};
	talk->names = sn_name_pool_create(1 << 20);
	options.names = talk->names;
	talk->apps = sn_apps_create(&options);
	talk->flow.flow.key = (struct sn_flow_key){.family = 4,
						   .protocol = SN_PROTO_TCP,
						   .low = {1},
						   .high = {2},
						   .low_port = 40000,
						   .high_port = server_port};
}

/* Everything that the flow held has to be given back. */
static inline void talk_finish(struct talk *talk)
{
	sn_app_forget_tcp(talk->apps, &talk->flow);
	assert_null(talk->flow.app);
	assert_int_equal(talk->apps->scratch_bytes, 0);
	sn_apps_destroy(talk->apps);
	sn_name_pool_destroy(talk->names);
}

/* `captured` bytes of `bytes` are at hand. */
static inline void talk_say_at(struct talk *talk, unsigned side, uint32_t offset, const void *data,
			       size_t captured, size_t bytes)
{
	struct sn_decoded packet = {.family = 4,
				    .protocol = SN_PROTO_TCP,
				    .has_transport = true,
				    .payload_bytes = (uint32_t)bytes};
	struct sn_tcp_verdict verdict = {.offset = offset,
					 .in_order = offset == talk->next[side],
					 .anomaly = SN_TCP_ANOMALIES};
	uint32_t end = offset + (uint32_t)bytes;
	uint32_t fresh = end - talk->next[side];

	sn_rd_init(&packet.payload, data, captured);
	if ((int32_t)fresh > 0) {
		verdict.fresh = (uint32_t)(fresh < bytes ? fresh : bytes);
		talk->next[side] = end;
	}
	talk->now_ns += TALK_STEP_NS;
	sn_app_tcp(talk->apps, &talk->flow, side, &packet, &verdict, talk->now_ns);
}

static inline void talk_say(struct talk *talk, unsigned side, const void *data, size_t size)
{
	talk_say_at(talk, side, talk->next[side], data, size, size);
}

static inline void talk_text(struct talk *talk, unsigned side, const char *text)
{
	talk_say(talk, side, text, strlen(text));
}

/* In segments of `step` bytes. */
static inline void talk_slowly(struct talk *talk, unsigned side, const void *data, size_t size,
			       size_t step)
{
	for (size_t at = 0; at < size; at += step)
		talk_say(talk, side, (const char *)data + at, SN_MIN(step, size - at));
}

static inline const char *name_or_none(const struct sn_name *name)
{
	return name != NULL ? name->text : "-";
}

#endif
