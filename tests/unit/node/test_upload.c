/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "fake_hub.h"
#include "node/upload/upload.h"

#define NOON (1772366400LL * SN_NS_PER_S)

static struct sn_loop *loop;
static struct fake_hub hub;
static char dir[64], identity[128];
static struct sn_spool *spool;
static struct sn_uplink *uplink;
static struct sn_upload *upload;

static void open_node(void)
{
	const char *urls[] = {hub.url};
	struct sn_uplink_config config = {
		.loop = loop,
		.urls = urls,
		.url_count = 1,
		.ca_file = hub.ca_file,
		.identity_file = identity,
	};
	struct sn_err err = {0};

	if (sn_spool_open(dir, 64 << 20, &spool, &err) != 0)
		fail_msg("%s", err.text);
	uplink = sn_uplink_create(&config);
	upload = sn_upload_create(loop, spool, uplink);
}

static void close_node(void)
{
	sn_upload_destroy(upload);
	sn_uplink_destroy(uplink);
	sn_spool_close(spool);
}

static int begin(void **state)
{
	struct sn_buf pem = {0};

	(void)state;
	loop = sn_loop_create(NULL);
	hub_init(&hub, loop);
	hub_identity(&hub, "n1", 3600, &pem);
	snprintf(identity, sizeof(identity), "%s/identity.pem", hub.dir);
	assert_int_equal(sn_fs_write_atomic(identity, pem.p, pem.n, 0600, NULL), 0);
	sn_buf_finish(&pem);
	strcpy(dir, "/tmp/sonde-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	open_node();
	return 0;
}

static int end(void **state)
{
	(void)state;
	close_node();
	hub_finish(&hub);
	sn_loop_destroy(loop);
	return sn_fs_remove_tree(dir, NULL);
}

static void add_batches(unsigned count)
{
	struct sn_batch *rows = sn_batch_create(&sn_dataset_ping);

	sn_batch_add_row(rows);
	sn_batch_set_time(rows, SN_COL_TIME, NOON);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(sn_spool_add(spool, rows, 0), 0);
		sn_spool_flush_all(spool);
	}
	sn_batch_destroy(rows);
}

static bool is_empty(void)
{
	return sn_spool_stats(spool)->batches == 0;
}

static unsigned wanted_puts;
static bool puts_came(void)
{
	return hub.puts >= wanted_puts;
}

static bool wait_for_puts(unsigned count)
{
	wanted_puts = count;
	return turn_until(loop, puts_came);
}

static bool is_held(void)
{
	return hub.held_count >= wanted_puts;
}

static void batches_arrive_once_and_leave_the_spool(void **state)
{
	(void)state;
	add_batches(20);
	sn_upload_kick(upload);
	assert_true(turn_until(loop, is_empty));
	assert_int_equal(hub_check_rows(&hub), 20);
	assert_int_equal(hub.puts, 20);
	assert_string_equal(hub.batches[0].dataset, "ping/1");
	assert_string_equal(hub.stream, sn_spool_stream(spool));
	assert_null(sn_upload_problem(upload));
}

static void the_window_opens_after_the_first_answer_and_has_a_limit(void **state)
{
	(void)state;
	hub.hold = true;
	add_batches(10);
	sn_upload_kick(upload);
	assert_true(wait_for_puts(1));
	turn_for(loop, 100 * SN_NS_PER_MS);
	assert_int_equal(hub.in_flight_max, 1);
	hub_release(&hub);
	hub.hold = true;
	wanted_puts = SN_UPLOAD_WINDOW;
	assert_true(turn_until(loop, is_held));
	turn_for(loop, 100 * SN_NS_PER_MS);
	assert_int_equal(hub.in_flight_max, SN_UPLOAD_WINDOW);
	hub_release(&hub);
	assert_true(turn_until(loop, is_empty));
	assert_int_equal(hub_check_rows(&hub), 10);
}

static void what_was_stored_but_not_answered_is_sent_again_and_stored_once(void **state)
{
	(void)state;
	hub.forget_answers = true;
	add_batches(3);
	sn_upload_kick(upload);
	assert_true(wait_for_puts(1));
	hub_down(&hub);
	hub.forget_answers = false;
	hub_up(&hub);
	assert_true(turn_until(loop, is_empty));
	assert_int_equal(hub.duplicates, 1);
	assert_int_equal(hub_check_rows(&hub), 3);
}

static void a_restart_of_the_node_sends_again_what_was_not_answered(void **state)
{
	(void)state;
	hub.forget_answers = true;
	add_batches(2);
	sn_upload_kick(upload);
	assert_true(wait_for_puts(1));
	close_node();
	turn_for(loop, 50 * SN_NS_PER_MS);
	hub.forget_answers = false;
	open_node();
	add_batches(1);
	sn_upload_kick(upload);
	assert_true(turn_until(loop, is_empty));
	assert_int_equal(hub_check_rows(&hub), 3);
	assert_int_equal(hub.duplicates, 1);
}

static void without_a_hub_everything_waits_and_the_reason_is_told(void **state)
{
	(void)state;
	hub_down(&hub);
	add_batches(5);
	sn_upload_kick(upload);
	turn_for(loop, 300 * SN_NS_PER_MS);
	assert_int_equal(sn_spool_stats(spool)->batches, 5);
	assert_non_null(strstr(sn_upload_problem(upload), "connection refused"));
	hub_up(&hub);
	sn_upload_retry_now(upload);
	assert_true(turn_until(loop, is_empty));
	assert_int_equal(hub_check_rows(&hub), 5);
	assert_null(sn_upload_problem(upload));
}

static unsigned rejected_files(void)
{
	char path[128];
	struct sn_spool_name name;
	struct dirent *entry;
	unsigned count = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/rejected", dir);
	d = opendir(path);
	while (d != NULL && (entry = readdir(d)) != NULL)
		count += sn_spool_name_parse(entry->d_name, &name) == 0;
	if (d != NULL)
		closedir(d);
	return count;
}

static void a_batch_that_is_no_good_gets_out_of_the_way(void **state)
{
	static const unsigned statuses[] = {409, 413, 422};

	(void)state;
	for (unsigned i = 0; i < SN_COUNT(statuses); i++) {
		hub.put_status = statuses[i];
		hub.put_failures = 1;
		hub.code = "bad-batch";
		add_batches(2);
		sn_upload_kick(upload);
		assert_true(turn_until(loop, is_empty));
		assert_int_equal(rejected_files(), i + 1);
		assert_int_equal(hub.stored, i + 1);
		assert_non_null(strstr(sn_upload_problem(upload), "given up"));
		assert_non_null(strstr(sn_upload_problem(upload), "bad-batch"));
	}
}

static void a_batch_in_quarantine_is_the_hubs_and_the_rest_goes_on(void **state)
{
	(void)state;
	hub.put_status = 202;
	hub.put_failures = 1;
	add_batches(3);
	sn_upload_kick(upload);
	assert_true(turn_until(loop, is_empty));
	assert_int_equal(sn_upload_quarantined(upload), 1);
	assert_int_equal(hub.stored, 2);
	assert_int_equal(rejected_files(), 0);
	assert_non_null(strstr(sn_upload_problem(upload), "in quarantine at the hub"));
}

static void a_full_store_is_waited_for_as_long_as_it_asks(void **state)
{
	uint64_t begin_ns;

	(void)state;
	hub.put_status = 503;
	hub.put_failures = 1;
	hub.code = "store-full";
	hub.retry_after = "1";
	add_batches(3);
	begin_ns = sn_mono_ns();
	sn_upload_kick(upload);
	assert_true(wait_for_puts(1));
	turn_for(loop, 100 * SN_NS_PER_MS);
	assert_non_null(strstr(sn_upload_problem(upload), "store-full"));
	/* That the hub is there for other things is no reason to come earlier. */
	sn_upload_retry_now(upload);
	assert_true(turn_until(loop, is_empty));
	assert_true(sn_mono_ns() - begin_ns >= 1 * SN_NS_PER_S);
	assert_int_equal(rejected_files(), 0);
	assert_int_equal(hub_check_rows(&hub), 3);
}

static void a_revoked_node_keeps_its_results_and_says_so(void **state)
{
	(void)state;
	hub.put_status = 403;
	hub.code = "identity-revoked";
	add_batches(2);
	sn_upload_kick(upload);
	assert_true(wait_for_puts(1));
	turn_for(loop, 100 * SN_NS_PER_MS);
	assert_true(sn_uplink_revoked(uplink));
	assert_non_null(strstr(sn_upload_problem(upload), "identity-revoked"));
	assert_int_equal(sn_spool_stats(spool)->batches, 2);
	assert_int_equal(hub.puts, 1);
	assert_int_equal(rejected_files(), 0);
}

static void a_file_that_cannot_be_read_does_not_hold_up_the_rest(void **state)
{
	char path[160];

	(void)state;
	add_batches(3);
	snprintf(path, sizeof(path), "%s/000000000001.ping-1.1+1", dir);
	assert_int_equal(remove(path), 0);
	sn_upload_kick(upload);
	assert_true(turn_until(loop, is_empty));
	assert_int_equal(hub.stored, 2);
	assert_non_null(strstr(sn_upload_problem(upload), "batch 1 given up"));
}

static void a_restored_node_loses_nothing_though_its_numbers_were_used(void **state)
{
	(void)state;
	strcpy(hub.taken_stream, sn_spool_stream(spool));
	hub.taken = 100;
	add_batches(3);
	sn_upload_kick(upload);
	assert_true(turn_until(loop, is_empty));
	add_batches(2);
	sn_upload_kick(upload);
	assert_true(turn_until(loop, is_empty));
	assert_int_equal(rejected_files(), 0);
	assert_int_equal(hub_check_rows(&hub), 5);
	assert_string_not_equal(hub.stream, hub.taken_stream);
	assert_string_equal(hub.stream, sn_spool_stream(spool));
	/* What is written under the new stream is not tried under the old one. */
	assert_int_equal(hub.conflicts, 3);
	assert_non_null(strstr(sn_upload_problem(upload), "copied or restored"));
}

static void a_moment_without_descriptors_costs_no_batch(void **state)
{
	struct rlimit limit, none;

	(void)state;
	add_batches(3);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	sn_upload_kick(upload);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(sn_spool_stats(spool)->rejected_batches, 0);
	assert_true(turn_until(loop, is_empty));
	assert_int_equal(hub_check_rows(&hub), 3);
}

static bool has_problem(void)
{
	return sn_upload_problem(upload) != NULL;
}

static void a_stranger_is_not_trusted_with_results(void **state)
{
	struct sn_buf key = {0}, cert = {0};
	struct sn_err err = {0};

	(void)state;
	/* Another CA of the same name than the one that signed the hub. */
	assert_int_equal(sn_pki_key_generate(&key, &err), 0);
	assert_int_equal(
		sn_pki_ca_create(sn_buf_cstr(&key), "Sonde test CA", 0, 4000000000, &cert, &err),
		0);
	assert_int_equal(sn_fs_write_atomic(hub.ca_file, cert.p, cert.n, 0644, NULL), 0);
	add_batches(1);
	sn_upload_kick(upload);
	assert_true(turn_until(loop, has_problem));
	assert_int_equal(hub.puts, 0);
	assert_int_equal(sn_spool_stats(spool)->batches, 1);
	sn_buf_finish(&key);
	sn_buf_finish(&cert);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(batches_arrive_once_and_leave_the_spool),
		T(the_window_opens_after_the_first_answer_and_has_a_limit),
		T(what_was_stored_but_not_answered_is_sent_again_and_stored_once),
		T(a_restart_of_the_node_sends_again_what_was_not_answered),
		T(without_a_hub_everything_waits_and_the_reason_is_told),
		T(a_batch_that_is_no_good_gets_out_of_the_way),
		T(a_batch_in_quarantine_is_the_hubs_and_the_rest_goes_on),
		T(a_full_store_is_waited_for_as_long_as_it_asks),
		T(a_revoked_node_keeps_its_results_and_says_so),
		T(a_file_that_cannot_be_read_does_not_hold_up_the_rest),
		T(a_restored_node_loses_nothing_though_its_numbers_were_used),
		T(a_moment_without_descriptors_costs_no_batch),
		T(a_stranger_is_not_trusted_with_results),
	};

	sn_log_set_level(SN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
