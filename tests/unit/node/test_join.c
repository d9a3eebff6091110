/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake_hub.h"
#include "node/join/identity.h"
#include "node/join/join.h"

static struct sn_loop *loop;
static struct fake_hub hub;
static char dir[64];

static int begin(void **state)
{
	(void)state;
	loop = sn_loop_create(NULL);
	hub_init(&hub, loop);
	strcpy(dir, "/tmp/sonde-test-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int end(void **state)
{
	(void)state;
	hub_finish(&hub);
	sn_loop_destroy(loop);
	return sn_fs_remove_tree(dir, NULL);
}

/* What the joining process found out. */
struct outcome {
	int error;
	char node[SN_JOIN_NODE_MAX];
	struct sn_err err;
};

/* Joins in a process of its own, because it blocks, while the hub lives in this one. */
static struct outcome join_at(const char *url, const char *token)
{
	struct sn_join join = {.url = url, .token = token, .state_dir = dir, .name = "attic"};
	struct outcome outcome = {0};
	int pipe_fds[2];
	pid_t child;
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	assert_int_equal(pipe(pipe_fds), 0);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		outcome.error = sn_join_run(&join, outcome.node, &outcome.err);
		_exit(write(pipe_fds[1], &outcome, sizeof(outcome)) != sizeof(outcome));
	}
	close(pipe_fds[1]);
	while (waitpid(child, NULL, WNOHANG) == 0 && sn_mono_ns() < end_ns)
		sn_loop_turn(loop, 5 * SN_NS_PER_MS);
	assert_int_equal(read(pipe_fds[0], &outcome, sizeof(outcome)), sizeof(outcome));
	close(pipe_fds[0]);
	return outcome;
}

static bool has_file(const char *name)
{
	sn_autofree char *path = sn_fs_join(dir, name);

	return sn_fs_exists(path);
}

static void a_node_joins_and_its_key_stays_its_own(void **state)
{
	struct outcome outcome = join_at(hub.url, hub.token);
	sn_autofree char *pem = sn_fs_join(dir, "identity.pem");
	struct sn_node_identity identity;
	struct sn_err err = {0};
	struct stat st;

	(void)state;
	if (outcome.error != 0)
		fail_msg("%s", outcome.err.text);
	assert_string_equal(outcome.node, "n1");
	assert_string_equal(hub.name, "attic");
	assert_non_null(strstr(hub.csr, "CERTIFICATE REQUEST"));
	assert_null(strstr(hub.csr, "PRIVATE"));
	if (sn_node_identity_load(dir, &identity, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(identity.node, "n1");
	assert_string_equal(identity.name, "attic");
	assert_string_equal(identity.hub_url, hub.url);
	assert_int_equal(sn_node_identity_renew_at(&identity) - identity.not_before_unix_s, 2400);
	sn_node_identity_finish(&identity);
	assert_int_equal(stat(pem, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_false(has_file("joining.json"));
}

static void a_slash_at_the_end_of_the_url_does_no_harm(void **state)
{
	char url[80];

	(void)state;
	snprintf(url, sizeof(url), "%s//", hub.url);
	assert_int_equal(join_at(url, hub.token).error, 0);
}

static void refused_tokens_are_explained(void **state)
{
	static const struct {
		const char *code, *says;
	} cases[] = {
		{"token-expired", "the token has expired (make a new one"},
		{"token-used", "the token was used already (make a new one"},
		{"token-invalid", "does not know this token (copy it whole"},
		{"another-code", "another-code: because the test wants it"},
	};

	(void)state;
	hub.enrol_status = 403;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct outcome outcome;

		hub.code = cases[i].code;
		outcome = join_at(hub.url, hub.token);
		assert_int_equal(outcome.error, -EACCES);
		if (strstr(outcome.err.text, cases[i].says) == NULL ||
		    strstr(outcome.err.text, hub.url) == NULL)
			fail_msg("not said: %s", outcome.err.text);
		assert_false(has_file("node.json"));
	}
}

static void another_ca_gets_no_token(void **state)
{
	char token[128];
	struct outcome outcome;

	(void)state;
	snprintf(token, sizeof(token), "%s", hub.token);
	token[strlen(token) - 1] = token[strlen(token) - 1] == '0' ? '1' : '0';
	outcome = join_at(hub.url, token);
	assert_int_equal(outcome.error, -EKEYREJECTED);
	assert_non_null(strstr(outcome.err.text, "fingerprint"));
	assert_non_null(strstr(outcome.err.text, "from another hub"));
	assert_int_equal(hub.enrolments, 0);
	assert_false(has_file("ca.pem"));
}

static void an_unreachable_hub_is_named(void **state)
{
	struct outcome outcome;

	(void)state;
	hub_down(&hub);
	outcome = join_at(hub.url, hub.token);
	assert_int_equal(outcome.error, -ECONNREFUSED);
	assert_non_null(strstr(outcome.err.text, hub.url));
	assert_non_null(strstr(outcome.err.text, "is it running there"));
}

static void a_join_that_was_broken_off_repeats_the_same_request(void **state)
{
	struct outcome outcome;

	(void)state;
	hub.enrol_status = 500;
	outcome = join_at(hub.url, hub.token);
	assert_int_equal(outcome.error, -EREMOTEIO);
	assert_true(has_file("joining.json"));
	hub.enrol_status = 0;
	assert_int_equal(join_at(hub.url, hub.token).error, 0);
	assert_true(hub.csr[0] != '\0');
	assert_string_equal(hub.csr, hub.csr_before);
	assert_false(has_file("joining.json"));
}

static void a_second_join_is_refused(void **state)
{
	struct outcome outcome;

	(void)state;
	assert_int_equal(join_at(hub.url, hub.token).error, 0);
	outcome = join_at(hub.url, hub.token);
	assert_int_equal(outcome.error, -EALREADY);
	assert_non_null(strstr(outcome.err.text, "has an identity already"));
	assert_int_equal(hub.enrolments, 1);
}

static void unusable_words_are_refused_before_anything_is_sent(void **state)
{
	static const struct {
		const char *url, *token, *says;
	} cases[] = {
		{"http://127.0.0.1:1", NULL, "not an https URL"},
		{"hub.example", NULL, "not an https URL"},
		{"https://", NULL, "not an https URL"},
		{NULL, "abc", "copy it whole"},
		{NULL, HUB_SECRET, "copy it whole"},
		{NULL, HUB_SECRET ".abcd", "copy it whole"},
		{NULL, "", "copy it whole"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct outcome outcome =
			join_at(cases[i].url != NULL ? cases[i].url : hub.url,
				cases[i].token != NULL ? cases[i].token : hub.token);

		assert_int_equal(outcome.error, -EINVAL);
		if (strstr(outcome.err.text, cases[i].says) == NULL)
			fail_msg("'%s' is not in: %s", cases[i].says, outcome.err.text);
	}
	assert_int_equal(hub.enrolments, 0);
}

static void an_identity_that_is_not_there_or_broken_says_what_to_do(void **state)
{
	struct sn_node_identity identity;
	struct sn_err err = {0};
	sn_autofree char *node = sn_fs_join(dir, "node.json");

	(void)state;
	assert_int_equal(sn_node_identity_load(dir, &identity, &err), -ENOENT);
	assert_non_null(strstr(err.text, "sonde-node join URL TOKEN"));
	assert_int_equal(sn_fs_write_atomic(node, "{}", 2, 0600, NULL), 0);
	assert_int_not_equal(sn_node_identity_load(dir, &identity, &err), 0);
	assert_non_null(strstr(err.text, "node.json"));
	assert_int_equal(join_at(hub.url, hub.token).error, -EALREADY);
}

static void a_certificate_for_another_node_is_not_kept(void **state)
{
	struct sn_buf pem = {0};
	struct sn_err err = {0};

	(void)state;
	hub_identity(&hub, "n2", 3600, &pem);
	assert_int_equal(sn_node_identity_write_pem(dir, "n1", sn_buf_cstr(&pem), "key", &err),
			 -EBADMSG);
	assert_non_null(strstr(err.text, "urn:sonde:node:n2"));
	assert_false(has_file("identity.pem"));
	sn_buf_finish(&pem);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_node_joins_and_its_key_stays_its_own),
		T(a_slash_at_the_end_of_the_url_does_no_harm),
		T(refused_tokens_are_explained),
		T(another_ca_gets_no_token),
		T(an_unreachable_hub_is_named),
		T(a_join_that_was_broken_off_repeats_the_same_request),
		T(a_second_join_is_refused),
		T(unusable_words_are_refused_before_anything_is_sent),
		T(an_identity_that_is_not_there_or_broken_says_what_to_do),
		T(a_certificate_for_another_node_is_not_kept),
	};

	sn_log_set_level(SN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
