/* SPDX-License-Identifier: Apache-2.0 */
/* What meters are given: control, logs, captures; and for whom a switch is. */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/run/meters.h"
#include "node/run/run.h"

static char place[64], dir[80];
static struct sn_handed handed;

static int begin(void **state)
{
	(void)state;
	strcpy(place, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(place) == NULL)
		return -1;
	snprintf(dir, sizeof(dir), "%s/meters", place);
	return 0;
}

static int end(void **state)
{
	(void)state;
	sn_handed_finish(&handed);
	handed = (struct sn_handed){0};
	return sn_fs_remove_tree(place, NULL);
}

/* `interface` NULL: none is named. */
static int hand(const struct sn_method *method, const char *interface, const char *priv_socket,
		struct sn_err *err)
{
	json_t *parameters = json_object();
	int result;

	if (interface != NULL)
		json_object_set_new(parameters, "interface", json_string(interface));
	result = sn_meters_hand(&handed, method, parameters, priv_socket, dir, "test", err);
	json_decref(parameters);
	return result;
}

static const char *value_of(const char *option)
{
	for (size_t i = 0; i < handed.count; i++)
		if (strcmp(handed.options[i], option) == 0)
			return handed.values[i];
	return NULL;
}

static void assert_value(const char *option, const char *rest)
{
	sn_autofree char *path = sn_fs_join(dir, rest);

	assert_non_null(value_of(option));
	assert_string_equal(value_of(option), path);
}

static unsigned mode_of(const char *name)
{
	sn_autofree char *path = sn_fs_join(dir, name);
	struct stat info;

	return stat(path, &info) == 0 ? info.st_mode & 07777 : 0;
}

/* A meter of that interface: the socket that listens, to be closed. */
static int pretend_meter(const char *interface)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	mkdir(dir, 0755);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", dir);
	mkdir(address.sun_path, 0700);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control/%s.sock", dir, interface);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void tstat_gets_control_and_logs(void **state)
{
	(void)state;
	assert_int_equal(hand(&sn_method_tstat, "lo", "", NULL), 0);
	assert_value("--control", "control/lo.sock");
	assert_value("--directory", "tstat/lo");
	assert_string_equal(value_of("--keep"), "3");
	assert_null(value_of("--runtime-conf"));
	assert_int_equal(handed.fd_count, 0);
}

static void logs_are_for_all_and_sockets_are_not(void **state)
{
	mode_t before = umask(022);

	(void)state;
	assert_int_equal(hand(&sn_method_tstat, "lo", "", NULL), 0);
	umask(before);
	assert_int_equal(mode_of(""), 0755);
	assert_int_equal(mode_of("tstat"), 0755);
	assert_int_equal(mode_of("control"), 0700);
}

static void operators_runtime_conf_is_handed_on(void **state)
{
	sn_autofree char *path = sn_fs_join(dir, "runtime.conf");

	(void)state;
	mkdir(dir, 0755);
	assert_int_equal(sn_fs_write_atomic(path, "[log]\n", 6, 0644, NULL), 0);
	assert_int_equal(hand(&sn_method_tstat, "lo", "", NULL), 0);
	assert_value("--runtime-conf", "runtime.conf");
}

static void rows_are_those_of_the_method_and_not_of_flows(void **state)
{
	json_t *parameters =
		json_pack("{s:s, s:s}", "interface", "lo", "datasets", "tstat_udp_complete");

	(void)state;
	assert_int_equal(hand(&sn_method_tstat, "lo", "", NULL), 0);
	assert_non_null(strstr(value_of("--datasets"), "tstat_tcp_complete,"));
	sn_handed_finish(&handed);
	handed = (struct sn_handed){0};
	assert_int_equal(
		sn_meters_hand(&handed, &sn_method_tstat, parameters, "", dir, "test", NULL), 0);
	assert_null(value_of("--datasets")); /* it is on the command line anyway */
	json_decref(parameters);
}

static void second_meter_of_an_interface_has_rows_only(void **state)
{
	int fd = pretend_meter("lo");

	(void)state;
	assert_int_equal(hand(&sn_method_tstat, "lo", "", NULL), 0);
	assert_null(value_of("--control"));
	assert_null(value_of("--directory"));
	assert_non_null(value_of("--datasets"));
	assert_int_equal(hand(&sn_method_tstat, "veth0", "", NULL), 0);
	assert_value("--directory", "tstat/veth0");
	close(fd);
}

static void socket_of_a_killed_meter_is_used_again(void **state)
{
	(void)state;
	close(pretend_meter("lo"));
	assert_int_equal(hand(&sn_method_tstat, "lo", "", NULL), 0);
	assert_value("--control", "control/lo.sock");
}

static void flows_and_probes_get_neither(void **state)
{
	(void)state;
	assert_int_equal(hand(&sn_method_flow, "lo", "", NULL), 0);
	assert_int_equal(hand(&sn_method_ping, NULL, "", NULL), 0);
	assert_int_equal(handed.count, 0);
	assert_int_equal(mode_of(""), 0);
}

static void without_a_directory_there_are_no_logs(void **state)
{
	struct sn_err err = {0};

	(void)state;
	dir[0] = '\0';
	assert_int_equal(hand(&sn_method_tstat, "lo", "", &err), 0);
	assert_null(value_of("--control"));
	assert_null(value_of("--directory"));
	assert_int_equal(hand(&sn_method_meter_switch, "lo", "", &err), -ENOENT);
}

static void names_that_lead_elsewhere_get_nothing(void **state)
{
	static const char *const names[] = {"../lo", "a/b", ".", "..", ".lo", ""};
	struct sn_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(hand(&sn_method_tstat, names[i], "", &err), 0);
		assert_int_equal(hand(&sn_method_meter_switch, names[i], "", &err), -ENOENT);
		assert_int_equal(handed.count, 0);
	}
	assert_int_equal(mode_of(""), 0);
}

static void path_that_is_too_long_for_a_socket_leaves_the_logs(void **state)
{
	char name[120];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(hand(&sn_method_tstat, name, "", NULL), 0);
	assert_null(value_of("--control"));
	assert_non_null(value_of("--directory"));
}

static void without_the_root_helper_the_meter_tries_itself(void **state)
{
	sn_autofree char *absent = sn_fs_join(place, "absent.sock");

	(void)state;
	assert_int_equal(hand(&sn_method_tstat, "lo", absent, NULL), 0);
	assert_null(value_of("--capture-fd"));
	assert_value("--control", "control/lo.sock");
}

static void switch_is_for_the_meter_that_is_named(void **state)
{
	int lo = pretend_meter("lo"), veth = pretend_meter("veth0");

	(void)state;
	assert_int_equal(hand(&sn_method_meter_switch, "veth0", "", NULL), 0);
	assert_value("--control", "control/veth0.sock");
	close(lo);
	close(veth);
}

static void switch_is_for_the_only_meter_that_answers(void **state)
{
	int veth = pretend_meter("veth0");

	(void)state;
	close(pretend_meter("lo")); /* killed: its socket lies there still */
	assert_int_equal(hand(&sn_method_meter_switch, NULL, "", NULL), 0);
	assert_value("--control", "control/veth0.sock");
	close(veth);
}

static void switch_for_nobody_or_for_anybody_is_refused(void **state)
{
	struct sn_err err = {0};
	int lo, veth;

	(void)state;
	assert_int_equal(hand(&sn_method_meter_switch, NULL, "", &err), -ENOENT);
	assert_non_null(strstr(err.text, "no meter writes any (start method tstat)"));
	lo = pretend_meter("lo");
	veth = pretend_meter("veth0");
	assert_int_equal(hand(&sn_method_meter_switch, NULL, "", &err), -EINVAL);
	assert_non_null(strstr(err.text, "2 meters write some"));
	assert_int_equal(hand(&sn_method_meter_switch, "veth1", "", &err), -ENOENT);
	assert_non_null(strstr(err.text, "no meter writes any of veth1"));
	assert_int_equal(handed.count, 0);
	close(lo);
	close(veth);
}

static bool can_switch(const char *meter_dir)
{
	struct sn_runner_config config = {.program_dir = place, .meter_dir = meter_dir};
	struct sn_runner *runner = sn_runner_create(&config);
	bool can = sn_runner_can(runner, &sn_method_meter_switch);

	assert_true(sn_runner_can(runner, &sn_method_tstat));
	sn_runner_destroy(runner);
	return can;
}

static void switching_is_offered_only_where_meters_have_a_directory(void **state)
{
	sn_autofree char *program = sn_fs_join(place, "sonde-meter");

	(void)state;
	assert_int_equal(sn_fs_write_atomic(program, "#!/bin/sh\n", 10, 0755, NULL), 0);
	assert_true(can_switch(dir));
	assert_false(can_switch(NULL));
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(tstat_gets_control_and_logs),
		WITH(logs_are_for_all_and_sockets_are_not),
		WITH(operators_runtime_conf_is_handed_on),
		WITH(rows_are_those_of_the_method_and_not_of_flows),
		WITH(second_meter_of_an_interface_has_rows_only),
		WITH(socket_of_a_killed_meter_is_used_again),
		WITH(flows_and_probes_get_neither),
		WITH(without_a_directory_there_are_no_logs),
		WITH(names_that_lead_elsewhere_get_nothing),
		WITH(path_that_is_too_long_for_a_socket_leaves_the_logs),
		WITH(without_the_root_helper_the_meter_tries_itself),
		WITH(switch_is_for_the_meter_that_is_named),
		WITH(switch_is_for_the_only_meter_that_answers),
		WITH(switch_for_nobody_or_for_anybody_is_refused),
		WITH(switching_is_offered_only_where_meters_have_a_directory),
	};

	sn_log_set_level_name("error");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
