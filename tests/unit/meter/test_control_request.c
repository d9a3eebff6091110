/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a control socket at whose other end somebody strange may sit. */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "meter/control/request.h"

#define HEAD "HTTP/1.1 200 OK\r\n"

static bool reads_as(const char *text, int status, const char *body)
{
	struct sn_str found;
	int code;

	return sn_control_answer_read(sn_str(text), &code, &found) && code == status &&
	       sn_str_eqc(found, body);
}

static void an_answer_has_a_status_and_a_body(void **state SN_UNUSED)
{
	assert_true(reads_as(HEAD "Content-Length: 2\r\n\r\n{}", 200, "{}"));
	assert_true(reads_as(HEAD "content-length:2\r\n\r\n{}", 200, "{}"));
	assert_true(reads_as(HEAD "\r\n{\"a\":1}", 200, "{\"a\":1}"));
	assert_true(reads_as("HTTP/1.1 204 No Content\r\n\r\n", 204, ""));
	assert_true(reads_as("HTTP/1.0 404 \r\n\r\n", 404, ""));
}

static bool is_refused(const char *text)
{
	struct sn_str body;
	int status;

	return !sn_control_answer_read(sn_str(text), &status, &body);
}

static void what_is_no_whole_answer_is_refused(void **state SN_UNUSED)
{
	assert_true(is_refused(""));
	assert_true(is_refused("\r\n\r\n"));
	assert_true(is_refused("SSH-2.0-OpenSSH\r\n\r\n"));
	assert_true(is_refused(HEAD));
	assert_true(is_refused("HTTP/1.1 OK\r\n\r\n"));
	assert_true(is_refused("HTTP/1.1 2x0 OK\r\n\r\n"));
	assert_true(is_refused("HTTP/1.1 999 OK\r\n\r\n"));
	assert_true(is_refused("HTTP/2 200\r\n\r\n"));
	assert_true(is_refused(HEAD "Content-Length: 3\r\n\r\n{}"));
	assert_true(is_refused(HEAD "Content-Length: 1\r\n\r\n{}"));
	assert_true(is_refused(HEAD "Content-Length: many\r\n\r\n{}"));
	assert_true(is_refused(HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"));
}

/* Somebody at a socket, for one connection --------------------------------------------- */

static char directory[] = "/tmp/sonde-test-XXXXXX", path[128];
static int listener = -1;

static int begin(void **state SN_UNUSED)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/control", directory);
	memcpy(address.sun_path, path, strlen(path));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1);
}

static int end(void **state SN_UNUSED)
{
	close(listener);
	unlink(path);
	return rmdir(directory);
}

/* Answers with `text`, so many times, and hangs up; exits with 0 if the question began as it
 * should. */
static pid_t peer(const char *question, const char *text, unsigned times)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = accept(listener, NULL, NULL);
		char asked[1024] = "";
		ssize_t got = recv(fd, asked, sizeof(asked) - 1, 0);

		for (unsigned i = 0; i < times; i++)
			if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
				break;
		_exit(got > 0 && strncmp(asked, question, strlen(question)) == 0 ? 0 : 1);
	}
	return pid;
}

static int ask(const char *body, struct sn_control_answer *answer, struct sn_err *err)
{
	struct sn_control_request request = {
		.socket_path = path, .method = "PATCH", .target = "/v1/x", .body = body};

	return sn_control_ask(&request, answer, err);
}

static void expect_good_question(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void the_answer_comes_back(void **state SN_UNUSED)
{
	pid_t pid = peer("PATCH /v1/x HTTP/1.1\r\nHost: ", HEAD "\r\n{}", 1);
	struct sn_control_answer answer;
	struct sn_err err;

	assert_int_equal(ask("{}", &answer, &err), 0);
	assert_int_equal(answer.status, 200);
	assert_true(sn_str_eqc(answer.body, "{}"));
	sn_control_answer_finish(&answer);
	expect_good_question(pid);
}

static void an_answer_without_an_end_is_refused(void **state SN_UNUSED)
{
	pid_t pid = peer("PATCH ", HEAD "\r\n", SN_CONTROL_ANSWER_MAX);
	struct sn_control_answer answer;
	struct sn_err err;

	assert_int_equal(ask(NULL, &answer, &err), -EPROTO);
	assert_true(answer.text.n < SN_CONTROL_ANSWER_MAX + 8192);
	sn_control_answer_finish(&answer);
	expect_good_question(pid);
}

static void nobody_there_is_said(void **state SN_UNUSED)
{
	struct sn_control_answer answer;
	struct sn_err err;

	close(listener);
	assert_int_equal(ask(NULL, &answer, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.text, "no meter answers on"));
	unlink(path);
	assert_int_equal(ask(NULL, &answer, &err), -ECONNREFUSED);
	memset(path, 'x', sizeof(path) - 1);
	assert_int_equal(ask(NULL, &answer, &err), -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/control", directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_has_a_status_and_a_body),
		cmocka_unit_test(what_is_no_whole_answer_is_refused),
		cmocka_unit_test_setup_teardown(the_answer_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(an_answer_without_an_end_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(nobody_there_is_said, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
