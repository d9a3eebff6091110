/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <string.h>

#include "demo/impair/shape.h"

static int parse(const char *text, struct sn_impair_shape *shape, struct sn_err *err)
{
	*shape = (struct sn_impair_shape){0};
	*err = (struct sn_err){0};
	return sn_impair_shape_parse(shape, sn_str(text), err);
}

static void every_key_is_read_with_its_unit(void **state SN_UNUSED)
{
	struct sn_impair_shape shape;
	struct sn_err err;

	assert_int_equal(parse("delay=20ms,jitter=1500us,loss=1%,burst=4,reorder=0.5,duplicate=2%,"
			       "rate=20Mbit,queue=64kB,blackhole=yes,down=no",
			       &shape, &err),
			 0);
	assert_int_equal(shape.delay_ns, 20000000);
	assert_int_equal(shape.jitter_ns, 1500000);
	assert_true(shape.loss == 0.01 && shape.burst == 4 && shape.reorder == 0.5);
	assert_true(shape.duplicate == 0.02);
	assert_int_equal(shape.rate_bps, 20000000);
	assert_int_equal(shape.queue_bytes, 64000);
	assert_true(shape.blackhole && !shape.down);
}

static void what_is_printed_reads_back_the_same(void **state SN_UNUSED)
{
	static const char text[] = "delay=20ms,jitter=1500us,loss=1.5%,burst=4,reorder=50%,"
				   "duplicate=2%,rate=1500kbit,queue=64000,blackhole=yes,down=yes";
	struct sn_impair_shape shape, again;
	struct sn_buf out = {0};
	struct sn_err err;

	assert_int_equal(parse(text, &shape, &err), 0);
	sn_impair_shape_print(&shape, &out);
	assert_int_equal(parse(sn_buf_cstr(&out), &again, &err), 0);
	assert_memory_equal(&shape, &again, sizeof(shape));
	sn_buf_clear(&out);
	assert_int_equal(parse("delay=0", &shape, &err), 0);
	sn_impair_shape_print(&shape, &out);
	assert_string_equal(sn_buf_cstr(&out), "");
	sn_buf_finish(&out);
}

static void limits_hold_at_the_limit_and_one_above(void **state SN_UNUSED)
{
	struct sn_impair_shape shape;
	struct sn_err err;

	assert_int_equal(parse("delay=60s", &shape, &err), 0);
	assert_int_equal(parse("delay=60001ms", &shape, &err), -ERANGE);
	assert_int_equal(parse("rate=1kbit", &shape, &err), 0);
	assert_int_equal(parse("rate=0", &shape, &err), 0);
	assert_int_equal(parse("rate=999", &shape, &err), -ERANGE);
	assert_int_equal(parse("rate=1000Gbit", &shape, &err), 0);
	assert_int_equal(parse("rate=1001Gbit", &shape, &err), -ERANGE);
	assert_int_equal(parse("queue=1GiB", &shape, &err), 0);
	assert_int_equal(parse("queue=1073741825", &shape, &err), -ERANGE);
	assert_int_equal(parse("loss=100%", &shape, &err), 0);
	assert_true(parse("loss=101%", &shape, &err) < 0);
	assert_int_equal(parse("burst=100000", &shape, &err), 0);
	assert_int_equal(parse("burst=100001", &shape, &err), -ERANGE);
}

static void a_mistake_is_named_and_changes_nothing(void **state SN_UNUSED)
{
	struct sn_impair_shape shape;
	struct sn_err err;

	assert_int_equal(parse("delay=5ms,los=1%", &shape, &err), -EINVAL);
	assert_string_equal(err.text, "unknown key 'los' (did you mean 'loss'?)");
	assert_int_equal(shape.delay_ns, 0);
	assert_int_equal(parse("delay=fast", &shape, &err), -EINVAL);
	assert_string_equal(err.text, "'fast' for 'delay' is not a time up to 60s like 20ms");
	assert_int_equal(parse("delay", &shape, &err), -EINVAL);
	assert_string_equal(err.text, "'delay' is not written as key=value");
	assert_int_equal(parse("=5ms", &shape, &err), -EINVAL);
	assert_int_equal(parse("delay=", &shape, &err), -EINVAL);
	assert_int_equal(parse("down=maybe", &shape, &err), -EINVAL);
}

static void json_has_units_in_its_names(void **state SN_UNUSED)
{
	struct sn_impair_shape shape;
	struct sn_err err;
	struct sn_buf out = {0};
	struct sn_jw jw;

	assert_int_equal(parse("delay=20ms,loss=1%,rate=20Mbit", &shape, &err), 0);
	sn_jw_init(&jw, &out);
	sn_jw_object(&jw);
	sn_impair_shape_write(&shape, &jw);
	sn_jw_object_end(&jw);
	assert_string_equal(sn_buf_cstr(&out),
			    "{\"delay_seconds\":0.02,\"jitter_seconds\":0,\"loss_ratio\":0.01,"
			    "\"burst_frames\":0,\"reorder_ratio\":0,\"duplicate_ratio\":0,"
			    "\"rate_bits_per_second\":20000000,\"queue_bytes\":0,"
			    "\"blackhole\":false,\"down\":false}");
	sn_buf_finish(&out);
}

static void the_queue_defaults_to_a_tenth_of_a_second(void **state SN_UNUSED)
{
	struct sn_impair_shape shape = {.rate_bps = 20000000};

	assert_int_equal(sn_impair_shape_queue(&shape), 250000);
	shape.rate_bps = 1000;
	assert_int_equal(sn_impair_shape_queue(&shape), 15140);
	shape.queue_bytes = 3000;
	assert_int_equal(sn_impair_shape_queue(&shape), 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_read_with_its_unit),
		cmocka_unit_test(what_is_printed_reads_back_the_same),
		cmocka_unit_test(limits_hold_at_the_limit_and_one_above),
		cmocka_unit_test(a_mistake_is_named_and_changes_nothing),
		cmocka_unit_test(json_has_units_in_its_names),
		cmocka_unit_test(the_queue_defaults_to_a_tenth_of_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
