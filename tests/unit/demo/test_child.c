/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "demo/run/child.h"

struct fixture {
	struct sn_demo_child child;
	const char *script;
	unsigned starts, given_up;
};

static int start_shell(struct sn_demo_child *child, struct sn_err *err)
{
	struct fixture *f = sn_container_of(child, struct fixture, child);
	const char *argv[] = {"/bin/sh", "-c", f->script, NULL};
	struct sn_proc_spec spec = {.argv = argv, .on_exit = sn_demo_child_exited, .ctx = child};

	f->starts++;
	return sn_proc_start(child->loop, &spec, &child->proc, err);
}

static void note_given_up(struct sn_demo_child *child SN_UNUSED, void *ctx)
{
	((struct fixture *)ctx)->given_up++;
}

static void begin(struct fixture *f, const char *script)
{
	struct sn_err err;

	sn_log_set_level(SN_LOG_ERROR);
	*f = (struct fixture){.script = script};
	f->child = (struct sn_demo_child){.name = "shell",
					  .log = sn_xstrdup("/nowhere"),
					  .start = start_shell,
					  .given_up = note_given_up,
					  .ctx = f,
					  .loop = sn_loop_create(NULL)};
	assert_int_equal(sn_demo_child_run(&f->child, &err), 0);
}

static void end(struct fixture *f)
{
	struct sn_loop *loop = f->child.loop;

	sn_demo_child_finish(&f->child);
	sn_loop_destroy(loop);
}

static void turn_until(struct fixture *f, const unsigned *value, unsigned wanted)
{
	uint64_t limit = sn_mono_ns() + TEST_PATIENCE_NS;

	while (*value < wanted && sn_mono_ns() < limit)
		sn_loop_turn(f->child.loop, 20 * SN_NS_PER_MS);
	assert_true(*value >= wanted);
}

static void a_killed_program_comes_back_with_another_pid(void **state SN_UNUSED)
{
	struct fixture f;
	pid_t first;

	begin(&f, "exec sleep 60");
	first = f.child.pid;
	assert_true(first > 0 && sn_demo_child_alive(&f.child));
	kill(first, SIGKILL);
	turn_until(&f, &f.starts, 2);
	assert_int_not_equal(f.child.pid, first);
	assert_int_equal(f.child.restarts, 1);
	end(&f);
}

static void one_that_always_dies_at_once_is_given_up(void **state SN_UNUSED)
{
	struct fixture f;

	begin(&f, "exit 3");
	turn_until(&f, &f.given_up, 1);
	assert_int_equal(f.starts, 5);
	assert_false(sn_demo_child_alive(&f.child));
	end(&f);
}

static void one_that_was_stopped_stays_away(void **state SN_UNUSED)
{
	struct fixture f;
	uint64_t limit;

	begin(&f, "exec sleep 60");
	sn_demo_child_stop(&f.child);
	limit = sn_mono_ns() + TEST_PATIENCE_NS;
	while (sn_demo_child_alive(&f.child) && sn_mono_ns() < limit)
		sn_loop_turn(f.child.loop, 20 * SN_NS_PER_MS);
	assert_false(sn_demo_child_alive(&f.child));
	for (limit = sn_mono_ns() + 400 * SN_NS_PER_MS; sn_mono_ns() < limit;)
		sn_loop_turn(f.child.loop, 20 * SN_NS_PER_MS);
	assert_int_equal(f.starts, 1);
	assert_int_equal(f.given_up, 0);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_program_comes_back_with_another_pid),
		cmocka_unit_test(one_that_always_dies_at_once_is_given_up),
		cmocka_unit_test(one_that_was_stopped_stays_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
