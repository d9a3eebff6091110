/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A temporal scope from a peer: what is taken is read back from both of its texts as the same, and
 * evaluated at any time without harm.  The first eight bytes are the time of asking.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mplane/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_texts(const struct sn_mp_when *when)
{
	struct sn_buf text = {0};
	struct sn_mp_when back;

	sn_mp_when_print(when, &text);
	check(text.n <= SN_MP_WHEN_TEXT_MAX);
	check(sn_mp_when_parse(sn_buf_str(&text), &back, NULL) == 0);
	check(sn_mp_when_equal(when, &back));
	sn_buf_clear(&text);
	sn_mp_when_print_brief(when, &text);
	check(sn_mp_when_parse(sn_buf_str(&text), &back, NULL) == 0);
	check(sn_mp_when_equal(when, &back));
	sn_buf_finish(&text);
}

static void check_iterations(const struct sn_mp_when *resolved, int64_t t0_ns)
{
	int64_t after = t0_ns, start;

	for (int i = 0; i < 3 && sn_mp_when_next(resolved, after, &start) == 0; i++) {
		struct sn_mp_when iteration = sn_mp_when_iteration(resolved, start);

		check(start >= after && start <= sn_mp_when_ends(resolved, t0_ns));
		check_texts(&iteration);
		after = start + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_mp_when when, resolved;
	struct sn_err err = {0};
	int64_t t0_ns;

	if (size < sizeof(t0_ns))
		return 0;
	memcpy(&t0_ns, data, sizeof(t0_ns));
	if (sn_mp_when_parse(
		    (struct sn_str){(const char *)data + sizeof(t0_ns), size - sizeof(t0_ns)},
		    &when, &err) != 0) {
		check(err.code < 0 && err.text[0] != '\0');
		return 0;
	}
	check_texts(&when);
	resolved = sn_mp_when_resolve(&when, t0_ns);
	check_texts(&resolved);
	check_iterations(&resolved, t0_ns);
	(void)sn_mp_when_expired(&when, t0_ns);
	check(sn_mp_when_period(&when) >= 0);
	check(sn_mp_when_follows(&when, &resolved, t0_ns, &err) <= 0);
	check(sn_mp_when_follows(&resolved, &when, t0_ns, &err) <= 0);
	return 0;
}
