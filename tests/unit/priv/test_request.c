/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "priv/request.h"

static const struct sn_priv_policy policy = {
	.prefix = "sonde-",
	.users = {{1000, 100}},
	.user_count = 1,
};

static int check(uint32_t op, const void *request, size_t size)
{
	union sn_priv_request out;
	struct sn_err err = {0};
	int code = sn_priv_request_read(&policy, op, request, size, &out, &err);

	assert_int_equal(err.code, code);
	if (code != 0)
		assert_true(err.text[0] != '\0');
	return code;
}

static struct sn_priv_process good_process(void)
{
	return (struct sn_priv_process){
		.netns = "sonde-a",
		.program = SN_PRIV_PROGRAM_NODE,
		.uid = 1000,
		.gid = 100,
		.config = "/etc/sonde/node.yaml",
		.log = "/var/log/sonde/node.log",
	};
}

static void a_good_request_of_each_kind_passes(void **state SN_UNUSED)
{
	struct sn_priv_netns netns = {"sonde-a"};
	struct sn_priv_veth veth = {{"sonde-a", "sonde-b"}, {"op0", "op1"}};
	struct sn_priv_interface interface = {"sonde-a", "op0", AF_INET, 1};
	struct sn_priv_address address = {"sonde-a", "op0", AF_INET6, {0}, 64};
	struct sn_priv_route route = {"sonde-a", AF_INET, {0}, 0, {192, 0, 2, 1}};
	struct sn_priv_listen listen = {"sonde-a", AF_INET, {0}, 443, 0};
	struct sn_priv_process process = good_process();
	struct sn_priv_signal signal = {4711, SIGTERM};

	assert_int_equal(check(SN_PRIV_NETNS_CREATE, &netns, sizeof(netns)), 0);
	assert_int_equal(check(SN_PRIV_NETNS_DELETE, &netns, sizeof(netns)), 0);
	assert_int_equal(check(SN_PRIV_NETNS_SWEEP, "", 0), 0);
	assert_int_equal(check(SN_PRIV_VETH_CREATE, &veth, sizeof(veth)), 0);
	assert_int_equal(check(SN_PRIV_TAP_CREATE, &interface, sizeof(interface)), 0);
	assert_int_equal(check(SN_PRIV_ADDRESS_ADD, &address, sizeof(address)), 0);
	assert_int_equal(check(SN_PRIV_LINK_SET, &interface, sizeof(interface)), 0);
	assert_int_equal(check(SN_PRIV_ROUTE_ADD, &route, sizeof(route)), 0);
	assert_int_equal(check(SN_PRIV_CAPTURE_SOCKET, &interface, sizeof(interface)), 0);
	assert_int_equal(check(SN_PRIV_PING_SOCKET, &interface, sizeof(interface)), 0);
	assert_int_equal(check(SN_PRIV_LISTEN_SOCKET, &listen, sizeof(listen)), 0);
	assert_int_equal(check(SN_PRIV_PROCESS_START, &process, sizeof(process)), 0);
	assert_int_equal(check(SN_PRIV_PROCESS_SIGNAL, &signal, sizeof(signal)), 0);
}

static void an_unknown_operation_is_refused(void **state SN_UNUSED)
{
	assert_int_equal(check(0, "", 0), -EINVAL);
	assert_int_equal(check(SN_PRIV_OP_COUNT, "", 0), -EINVAL);
	assert_int_equal(check(UINT32_MAX, "", 0), -EINVAL);
}

static void every_size_but_the_right_one_is_refused(void **state SN_UNUSED)
{
	static const char zeros[2048];

	for (uint32_t op = 1; op < SN_PRIV_OP_COUNT; op++) {
		unsigned right = 0;

		/* Zeros of the right size fail later, on a field, and the text says so. */
		for (size_t size = 0; size <= sizeof(zeros); size++) {
			union sn_priv_request out;
			struct sn_err err = {0};
			int code = sn_priv_request_read(&policy, op, zeros, size, &out, &err);

			if (code == 0 || strstr(err.text, "bytes instead of") == NULL)
				right++;
		}
		assert_int_equal(right, 1);
	}
}

static void an_unterminated_name_is_refused(void **state SN_UNUSED)
{
	struct sn_priv_netns netns;
	struct sn_priv_interface interface = {.netns = "sonde-a", .up = 1};
	struct sn_priv_process process = good_process();

	memset(&netns, 'a', sizeof(netns));
	memcpy(netns.name, "sonde-", 6);
	assert_int_equal(check(SN_PRIV_NETNS_CREATE, &netns, sizeof(netns)), -EINVAL);
	netns.name[SN_PRIV_NAME_MAX - 1] = '\0';
	assert_int_equal(check(SN_PRIV_NETNS_CREATE, &netns, sizeof(netns)), 0);

	memset(interface.interface, 'x', sizeof(interface.interface));
	assert_int_equal(check(SN_PRIV_LINK_SET, &interface, sizeof(interface)), -EINVAL);

	memset(process.config, '/', sizeof(process.config));
	assert_int_equal(check(SN_PRIV_PROCESS_START, &process, sizeof(process)), -EINVAL);
}

static void names_that_could_leave_the_directory_are_refused(void **state SN_UNUSED)
{
	static const char *const bad[] = {"sonde-../x", "sonde-a/b", "sonde-a b", "sonde-A",
					  "sonde-\n",   "sonde-.",   "sonde-a_"};

	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		struct sn_priv_netns netns = {{0}};

		strcpy(netns.name, bad[i]);
		assert_int_equal(check(SN_PRIV_NETNS_CREATE, &netns, sizeof(netns)), -EINVAL);
	}
}

static void a_foreign_prefix_is_refused(void **state SN_UNUSED)
{
	static const char *const foreign[] = {"",        "sonde",     "sonde-",
					      "other-a", "a-sonde-b", "host"};

	for (size_t i = 0; i < SN_COUNT(foreign); i++) {
		struct sn_priv_netns netns = {{0}};
		struct sn_priv_veth veth = {{"sonde-a", ""}, {"op0", "op1"}};

		strcpy(netns.name, foreign[i]);
		strcpy(veth.netns[1], foreign[i]);
		assert_int_equal(check(SN_PRIV_NETNS_DELETE, &netns, sizeof(netns)), -EPERM);
		assert_int_equal(check(SN_PRIV_VETH_CREATE, &veth, sizeof(veth)), -EPERM);
	}
}

static void only_sockets_may_be_in_the_callers_own_namespace(void **state SN_UNUSED)
{
	struct sn_priv_interface interface = {"", "eth0", AF_INET, 1};

	assert_int_equal(check(SN_PRIV_CAPTURE_SOCKET, &interface, sizeof(interface)), 0);
	assert_int_equal(check(SN_PRIV_PING_SOCKET, &interface, sizeof(interface)), 0);
	assert_int_equal(check(SN_PRIV_LINK_SET, &interface, sizeof(interface)), -EPERM);
	assert_int_equal(check(SN_PRIV_TAP_CREATE, &interface, sizeof(interface)), -EPERM);
}

static void an_interface_name_is_at_most_fifteen_characters(void **state SN_UNUSED)
{
	struct sn_priv_interface interface = {"sonde-a", "a23456789012345", AF_INET, 1};

	assert_int_equal(check(SN_PRIV_LINK_SET, &interface, sizeof(interface)), 0);
	strcpy(interface.interface, "a234567890123456");
	assert_int_equal(check(SN_PRIV_LINK_SET, &interface, sizeof(interface)), -EINVAL);
	strcpy(interface.interface, "..");
	assert_int_equal(check(SN_PRIV_LINK_SET, &interface, sizeof(interface)), -EINVAL);
	strcpy(interface.interface, "");
	assert_int_equal(check(SN_PRIV_LINK_SET, &interface, sizeof(interface)), -EINVAL);
}

static void user_zero_and_users_that_were_not_named_are_refused(void **state SN_UNUSED)
{
	static const uint32_t pairs[][2] = {{0, 0},      {0, 100},    {1000, 0},
					    {1001, 100}, {1000, 101}, {UINT32_MAX, UINT32_MAX}};

	for (size_t i = 0; i < SN_COUNT(pairs); i++) {
		struct sn_priv_process process = good_process();

		process.uid = pairs[i][0];
		process.gid = pairs[i][1];
		assert_int_equal(check(SN_PRIV_PROCESS_START, &process, sizeof(process)), -EPERM);
	}
}

static void a_program_outside_the_table_is_refused(void **state SN_UNUSED)
{
	static const int numbers[] = {0, -1, SN_PRIV_PROGRAM_COUNT, INT32_MAX, INT32_MIN};

	for (size_t i = 0; i < SN_COUNT(numbers); i++) {
		struct sn_priv_process process = good_process();

		process.program = numbers[i];
		assert_int_equal(check(SN_PRIV_PROCESS_START, &process, sizeof(process)), -EPERM);
	}
}

static void a_relative_path_is_refused(void **state SN_UNUSED)
{
	struct sn_priv_process process = good_process();

	strcpy(process.log, "node.log");
	assert_int_equal(check(SN_PRIV_PROCESS_START, &process, sizeof(process)), -EINVAL);
	strcpy(process.log, "");
	assert_int_equal(check(SN_PRIV_PROCESS_START, &process, sizeof(process)), -EINVAL);
}

static void prefix_lengths_end_where_the_family_does(void **state SN_UNUSED)
{
	struct sn_priv_address address = {"sonde-a", "op0", AF_INET, {0}, 32};
	struct sn_priv_route route = {"sonde-a", AF_INET6, {0}, 128, {0}};

	assert_int_equal(check(SN_PRIV_ADDRESS_ADD, &address, sizeof(address)), 0);
	address.prefix_length = 33;
	assert_int_equal(check(SN_PRIV_ADDRESS_ADD, &address, sizeof(address)), -EINVAL);
	address.prefix_length = 0;
	assert_int_equal(check(SN_PRIV_ADDRESS_ADD, &address, sizeof(address)), -EINVAL);
	assert_int_equal(check(SN_PRIV_ROUTE_ADD, &route, sizeof(route)), 0);
	route.prefix_length = 129;
	assert_int_equal(check(SN_PRIV_ROUTE_ADD, &route, sizeof(route)), -EINVAL);
	route.family = AF_PACKET;
	assert_int_equal(check(SN_PRIV_ROUTE_ADD, &route, sizeof(route)), -EINVAL);
}

static void signals_are_from_a_short_list_and_never_to_groups(void **state SN_UNUSED)
{
	static const int pids[] = {-1, 0, 1, INT32_MIN};
	struct sn_priv_signal signal = {4711, SIGSEGV};

	assert_int_equal(check(SN_PRIV_PROCESS_SIGNAL, &signal, sizeof(signal)), -EINVAL);
	signal.signal = 0;
	assert_int_equal(check(SN_PRIV_PROCESS_SIGNAL, &signal, sizeof(signal)), 0);
	for (size_t i = 0; i < SN_COUNT(pids); i++) {
		signal.pid = pids[i];
		assert_int_equal(check(SN_PRIV_PROCESS_SIGNAL, &signal, sizeof(signal)), -EINVAL);
	}
}

static void a_prefix_is_short_and_plain(void **state SN_UNUSED)
{
	struct sn_err err;

	assert_int_equal(sn_priv_prefix_check("sonde-", &err), 0);
	assert_int_equal(sn_priv_prefix_check("abcdefghijklmnop", &err), 0);
	assert_int_equal(sn_priv_prefix_check("abcdefghijklmnopq", &err), -EINVAL);
	assert_int_equal(sn_priv_prefix_check("", &err), -EINVAL);
	assert_int_equal(sn_priv_prefix_check("a", &err), -EINVAL);
	assert_int_equal(sn_priv_prefix_check("-a", &err), -EINVAL);
	assert_int_equal(sn_priv_prefix_check("../", &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_request_of_each_kind_passes),
		cmocka_unit_test(an_unknown_operation_is_refused),
		cmocka_unit_test(every_size_but_the_right_one_is_refused),
		cmocka_unit_test(an_unterminated_name_is_refused),
		cmocka_unit_test(names_that_could_leave_the_directory_are_refused),
		cmocka_unit_test(a_foreign_prefix_is_refused),
		cmocka_unit_test(only_sockets_may_be_in_the_callers_own_namespace),
		cmocka_unit_test(an_interface_name_is_at_most_fifteen_characters),
		cmocka_unit_test(user_zero_and_users_that_were_not_named_are_refused),
		cmocka_unit_test(a_program_outside_the_table_is_refused),
		cmocka_unit_test(a_relative_path_is_refused),
		cmocka_unit_test(prefix_lengths_end_where_the_family_does),
		cmocka_unit_test(signals_are_from_a_short_list_and_never_to_groups),
		cmocka_unit_test(a_prefix_is_short_and_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
