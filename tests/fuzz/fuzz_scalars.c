/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The readers of scalars: whatever they take can be written and read back as the
 * same value, and text that is not theirs is refused without harm.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_integers(struct sn_str text)
{
	struct sn_buf buf = {0};
	uint64_t u, u_back;
	int64_t i, i_back;

	if (sn_parse_u64(text, 0, UINT64_MAX, &u) == 0) {
		sn_buf_add_u64(&buf, u);
		assert(sn_parse_u64(sn_buf_str(&buf), 0, UINT64_MAX, &u_back) == 0 && u == u_back);
	}
	sn_buf_clear(&buf);
	if (sn_parse_i64(text, INT64_MIN, INT64_MAX, &i) == 0) {
		sn_buf_add_i64(&buf, i);
		assert(sn_parse_i64(sn_buf_str(&buf), INT64_MIN, INT64_MAX, &i_back) == 0);
		assert(i == i_back);
	}
	sn_buf_finish(&buf);
}

static void check_double(struct sn_str text)
{
	struct sn_buf buf = {0};
	struct sn_jw jw;
	double d, back;

	if (sn_parse_double(text, -INFINITY, INFINITY, &d) == 0) {
		assert(isfinite(d));
		sn_jw_init(&jw, &buf);
		sn_jw_double(&jw, d);
		assert(sn_parse_double(sn_buf_str(&buf), -INFINITY, INFINITY, &back) == 0);
		assert(d == back);
	}
	sn_buf_finish(&buf);
}

static void check_times(struct sn_str text)
{
	char written[SN_TIME_TEXT_MAX];
	int64_t ns, back;

	if (sn_parse_duration(text, &ns) == 0) {
		assert(ns >= 0);
		sn_format_duration(ns, written, sizeof(written));
		assert(strlen(written) < SN_DURATION_TEXT_MAX);
		assert(sn_parse_duration(sn_str(written), &back) == 0 && ns == back);
	}
	if (sn_parse_time(text, 1700000000000000000, &ns) == 0) {
		sn_format_time(ns, written, sizeof(written));
		assert(sn_parse_time(sn_str(written), 0, &back) == 0 && ns == back);
	}
}

/* The bytes themselves as values: every value can be written and comes back. */
static void check_values(const uint8_t *data, size_t size)
{
	char written[SN_TIME_TEXT_MAX];
	int64_t ns, back;

	if (size < sizeof(ns))
		return;
	memcpy(&ns, data, sizeof(ns));
	sn_format_time(ns, written, sizeof(written));
	assert(sn_parse_time(sn_str(written), 0, &back) == 0 && ns == back);
	ns &= INT64_MAX;
	sn_format_duration(ns, written, sizeof(written));
	assert(sn_parse_duration(sn_str(written), &back) == 0 && ns == back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy without a terminator: the readers must not need one. */
	char *copy = malloc(size > 0 ? size : 1);
	struct sn_str text = {copy, size};
	uint64_t u;
	double ratio;
	bool flag;

	assert(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	check_integers(text);
	check_double(text);
	check_times(text);
	check_values(data, size);
	(void)sn_parse_bool(text, &flag);
	(void)sn_parse_size(text, &u);
	(void)sn_parse_rate(text, &u);
	if (sn_parse_ratio(text, &ratio) == 0)
		assert(ratio >= 0 && ratio <= 1);
	free(copy);
	return 0;
}
