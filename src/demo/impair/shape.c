/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/impair/shape.h"

#include <errno.h>
#include <string.h>

#define DELAY_MAX_NS  (60 * SN_NS_PER_S)
#define RATE_MIN_BPS  1000
#define RATE_MAX_BPS  UINT64_C(1000000000000)
#define QUEUE_MAX     (UINT64_C(1) << 30)
#define BURST_MAX     100000.0
#define QUEUE_DEFAULT 15140 /* ten full frames, for slow links */

enum kind { KIND_DURATION, KIND_RATIO, KIND_RATE, KIND_SIZE, KIND_LENGTH, KIND_FLAG };

static const struct key {
	const char *name, *json_name;
	enum kind kind;
	size_t offset;
} keys[] = {
	{"delay", "delay_seconds", KIND_DURATION, offsetof(struct sn_impair_shape, delay_ns)},
	{"jitter", "jitter_seconds", KIND_DURATION, offsetof(struct sn_impair_shape, jitter_ns)},
	{"loss", "loss_ratio", KIND_RATIO, offsetof(struct sn_impair_shape, loss)},
	{"burst", "burst_frames", KIND_LENGTH, offsetof(struct sn_impair_shape, burst)},
	{"reorder", "reorder_ratio", KIND_RATIO, offsetof(struct sn_impair_shape, reorder)},
	{"duplicate", "duplicate_ratio", KIND_RATIO, offsetof(struct sn_impair_shape, duplicate)},
	{"rate", "rate_bits_per_second", KIND_RATE, offsetof(struct sn_impair_shape, rate_bps)},
	{"queue", "queue_bytes", KIND_SIZE, offsetof(struct sn_impair_shape, queue_bytes)},
	{"blackhole", "blackhole", KIND_FLAG, offsetof(struct sn_impair_shape, blackhole)},
	{"down", "down", KIND_FLAG, offsetof(struct sn_impair_shape, down)},
};

static int parse_rate(struct sn_str text, uint64_t *out)
{
	uint64_t rate;
	int code = sn_parse_rate(text, &rate);

	if (code == 0 && rate != 0 && (rate < RATE_MIN_BPS || rate > RATE_MAX_BPS))
		code = -ERANGE;
	if (code == 0)
		*out = rate;
	return code;
}

static int parse_value(const struct key *key, struct sn_str text, void *out)
{
	int64_t duration;
	uint64_t size;
	int code;

	switch (key->kind) {
	case KIND_DURATION:
		code = sn_parse_duration(text, &duration);
		if (code == 0 && duration > DELAY_MAX_NS)
			code = -ERANGE;
		if (code == 0)
			*(int64_t *)out = duration;
		return code;
	case KIND_RATIO:
		return sn_parse_ratio(text, out);
	case KIND_RATE:
		return parse_rate(text, out);
	case KIND_SIZE:
		code = sn_parse_size(text, &size);
		if (code == 0 && size > QUEUE_MAX)
			code = -ERANGE;
		if (code == 0)
			*(uint64_t *)out = size;
		return code;
	case KIND_LENGTH:
		return sn_parse_double(text, 0, BURST_MAX, out);
	case KIND_FLAG:
		return sn_parse_bool(text, out);
	}
	return -EINVAL;
}

static const struct key *find_key(struct sn_str name)
{
	for (size_t i = 0; i < SN_COUNT(keys); i++)
		if (sn_str_eqc(name, keys[i].name))
			return &keys[i];
	return NULL;
}

static int unknown_key(struct sn_str name, struct sn_err *err)
{
	const char *names[SN_COUNT(keys)];
	char word[32] = "";
	const char *near;

	for (size_t i = 0; i < SN_COUNT(keys); i++)
		names[i] = keys[i].name;
	memcpy(word, name.p, SN_MIN(name.n, sizeof(word) - 1));
	near = sn_suggest(word, names, SN_COUNT(names));
	if (near != NULL)
		return sn_err_set(err, -EINVAL, "unknown key '%s' (did you mean '%s'?)", word,
				  near);
	return sn_err_set(err, -EINVAL,
			  "unknown key '%s' (known: delay, jitter, loss, burst, reorder, "
			  "duplicate, rate, queue, blackhole, down)",
			  word);
}

int sn_impair_shape_set(struct sn_impair_shape *shape, struct sn_str name, struct sn_str value,
			struct sn_err *err)
{
	static const char *const expected[] = {
		[KIND_DURATION] = "a time up to 60s like 20ms",
		[KIND_RATIO] = "a share like 1% or 0.01",
		[KIND_RATE] = "a rate from 1kbit to 1Tbit like 20Mbit, or 0",
		[KIND_SIZE] = "a size up to 1GiB like 64kB",
		[KIND_LENGTH] = "a mean number of frames up to 100000",
		[KIND_FLAG] = "yes or no",
	};
	const struct key *key = find_key(name);

	if (key == NULL)
		return unknown_key(name, err);
	if (value.n == 0)
		value = SN_STR("");
	int code = parse_value(key, value, (char *)shape + key->offset);

	if (code != 0)
		return sn_err_set(err, code, "'%.*s' for '%s' is not %s", (int)SN_MIN(value.n, 40U),
				  value.p, key->name, expected[key->kind]);
	return 0;
}

int sn_impair_shape_parse(struct sn_impair_shape *shape, struct sn_str text, struct sn_err *err)
{
	struct sn_impair_shape copy = *shape;
	struct sn_str part, name;

	while (sn_str_split(&text, ',', &part)) {
		if (memchr(part.p, '=', part.n) == NULL)
			return sn_err_set(err, -EINVAL, "'%.*s' is not written as key=value",
					  (int)SN_MIN(part.n, 40U), part.p);
		sn_str_split(&part, '=', &name);
		int code = sn_impair_shape_set(&copy, name, part, err);

		if (code != 0)
			return code;
	}
	*shape = copy;
	return 0;
}

void sn_impair_shape_write(const struct sn_impair_shape *shape, struct sn_jw *jw)
{
	for (size_t i = 0; i < SN_COUNT(keys); i++) {
		const void *value = (const char *)shape + keys[i].offset;

		switch (keys[i].kind) {
		case KIND_DURATION:
			sn_jw_kdouble(jw, keys[i].json_name, (double)*(const int64_t *)value / 1e9);
			break;
		case KIND_RATIO:
		case KIND_LENGTH:
			sn_jw_kdouble(jw, keys[i].json_name, *(const double *)value);
			break;
		case KIND_RATE:
		case KIND_SIZE:
			sn_jw_ku64(jw, keys[i].json_name, *(const uint64_t *)value);
			break;
		case KIND_FLAG:
			sn_jw_kbool(jw, keys[i].json_name, *(const bool *)value);
			break;
		}
	}
}

static void print_rate(uint64_t rate, struct sn_buf *out)
{
	static const struct {
		uint64_t factor;
		const char *unit;
	} units[] = {{1000000000, "Gbit"}, {1000000, "Mbit"}, {1000, "kbit"}, {1, ""}};

	for (size_t i = 0; i < SN_COUNT(units); i++)
		if (rate % units[i].factor == 0) {
			sn_buf_addf(out, "%llu%s", (unsigned long long)(rate / units[i].factor),
				    units[i].unit);
			return;
		}
}

static void print_value(const struct key *key, const void *value, struct sn_buf *out)
{
	char text[SN_DURATION_TEXT_MAX];

	switch (key->kind) {
	case KIND_DURATION:
		sn_buf_adds(out, sn_format_duration(*(const int64_t *)value, text, sizeof(text)));
		break;
	case KIND_RATIO:
		sn_buf_addf(out, "%.6g%%", *(const double *)value * 100);
		break;
	case KIND_LENGTH:
		sn_buf_addf(out, "%.6g", *(const double *)value);
		break;
	case KIND_RATE:
		print_rate(*(const uint64_t *)value, out);
		break;
	case KIND_SIZE:
		sn_buf_add_u64(out, *(const uint64_t *)value);
		break;
	case KIND_FLAG:
		sn_buf_adds(out, "yes");
		break;
	}
}

static bool is_zero(const struct key *key, const void *value)
{
	switch (key->kind) {
	case KIND_FLAG:
		return !*(const bool *)value;
	case KIND_RATIO:
	case KIND_LENGTH:
		return *(const double *)value == 0;
	default:
		return *(const uint64_t *)value == 0;
	}
}

void sn_impair_shape_print(const struct sn_impair_shape *shape, struct sn_buf *out)
{
	size_t start = out->n;

	for (size_t i = 0; i < SN_COUNT(keys); i++) {
		const void *value = (const char *)shape + keys[i].offset;

		if (is_zero(&keys[i], value))
			continue;
		sn_buf_addf(out, "%s%s=", out->n > start ? "," : "", keys[i].name);
		print_value(&keys[i], value, out);
	}
}

uint64_t sn_impair_shape_queue(const struct sn_impair_shape *shape)
{
	if (shape->queue_bytes != 0)
		return shape->queue_bytes;
	return SN_MAX(shape->rate_bps / 80, (uint64_t)QUEUE_DEFAULT);
}
