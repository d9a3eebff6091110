/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/control/request.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

#define STATUS_LINE_MIN 12 /* "HTTP/1.1 200" */
#define PIECE           4096

/* The answer -------------------------------------------------------------------- */

/* What a header field says; empty if it is not there.  `head` ends with an empty line. */
static struct sn_str field_of(struct sn_str head, const char *name)
{
	struct sn_str line;
	size_t n = strlen(name);

	while (sn_str_split(&head, '\n', &line))
		if (line.n > n && line.p[n] == ':' && strncasecmp(line.p, name, n) == 0)
			return sn_str_trim((struct sn_str){line.p + n + 1, line.n - n - 1});
	return (struct sn_str){0};
}

bool sn_control_answer_read(struct sn_str text, int *status, struct sn_str *body)
{
	const char *end = text.n > 0 ? memmem(text.p, text.n, "\r\n\r\n", 4) : NULL;
	struct sn_str head, length;
	uint64_t code, bytes;

	if (end == NULL || !sn_str_has_prefix(text, "HTTP/1."))
		return false;
	head = (struct sn_str){text.p, (size_t)(end + 2 - text.p)};
	*body = (struct sn_str){end + 4, text.n - head.n - 2};
	if (head.n < STATUS_LINE_MIN || head.p[8] != ' ' ||
	    sn_parse_u64((struct sn_str){head.p + 9, 3}, 100, 599, &code) != 0)
		return false;
	*status = (int)code;
	/* An answer without its length ends with the connection; of another some may be missing. */
	length = field_of(head, "Content-Length");
	return field_of(head, "Transfer-Encoding").n == 0 &&
	       (length.n == 0 ||
		(sn_parse_u64(length, 0, SN_CONTROL_ANSWER_MAX, &bytes) == 0 && bytes == body->n));
}

void sn_control_answer_finish(struct sn_control_answer *answer)
{
	sn_buf_finish(&answer->text);
	*answer = (struct sn_control_answer){0};
}

/* The connection ------------------------------------------------------------------ */

static int connect_to(const char *path, int *out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, code;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		code = -errno;
		close(fd);
		/* A socket that is gone and one that nobody listens at are the same to people. */
		return code == -ENOENT ? -ECONNREFUSED : code;
	}
	*out = fd;
	return 0;
}

/* Until the descriptor is ready; -ETIMEDOUT behind the deadline. */
static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd poller = {.fd = fd, .events = events};
	uint64_t now_ns = sn_mono_ns();
	int ready;

	if (now_ns >= deadline_ns)
		return -ETIMEDOUT;
	ready = poll(&poller, 1, (int)((deadline_ns - now_ns) / SN_NS_PER_MS) + 1);
	return ready < 0 && errno != EINTR ? -errno : 0;
}

static bool is_passing(int code)
{
	return code == EAGAIN || code == EINTR;
}

static int send_all(int fd, struct sn_str text, uint64_t deadline_ns)
{
	while (text.n > 0) {
		int result = wait_for(fd, POLLOUT, deadline_ns);
		ssize_t sent;

		if (result != 0)
			return result;
		sent = send(fd, text.p, text.n, MSG_NOSIGNAL);
		if (sent < 0 && !is_passing(errno))
			return -errno;
		text.p += SN_MAX(sent, 0);
		text.n -= (size_t)SN_MAX(sent, 0);
	}
	return 0;
}

static int read_all(int fd, struct sn_buf *text, uint64_t deadline_ns)
{
	char piece[PIECE];

	for (;;) {
		int result = wait_for(fd, POLLIN, deadline_ns);
		ssize_t got;

		if (result != 0)
			return result;
		got = recv(fd, piece, sizeof(piece), 0);
		if (got == 0)
			return 0;
		if (got < 0 && !is_passing(errno))
			return -errno;
		sn_buf_add(text, piece, (size_t)SN_MAX(got, 0));
		if (text->n > SN_CONTROL_ANSWER_MAX)
			return -EPROTO;
	}
}

static int exchange(int fd, const struct sn_control_request *request,
		    struct sn_control_answer *answer)
{
	uint64_t deadline_ns = sn_mono_ns() + SN_CONTROL_TIMEOUT_NS;
	struct sn_buf text = {0};
	int result;

	sn_buf_addf(&text, "%s %s HTTP/1.1\r\nHost: meter\r\nConnection: close\r\n",
		    request->method, request->target);
	if (request->body != NULL)
		sn_buf_addf(&text,
			    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			    strlen(request->body), request->body);
	else
		sn_buf_adds(&text, "\r\n");
	result = send_all(fd, sn_buf_str(&text), deadline_ns);
	sn_buf_finish(&text);
	if (result == 0)
		result = read_all(fd, &answer->text, deadline_ns);
	if (result == 0 &&
	    !sn_control_answer_read(sn_buf_str(&answer->text), &answer->status, &answer->body))
		result = -EPROTO;
	return result;
}

int sn_control_ask(const struct sn_control_request *request, struct sn_control_answer *answer,
		   struct sn_err *err)
{
	int fd = -1, result = connect_to(request->socket_path, &fd);

	*answer = (struct sn_control_answer){0};
	if (result == -ECONNREFUSED)
		return sn_err_set(err, result,
				  "no meter answers on '%s' (start one with --control)",
				  request->socket_path);
	if (result == 0) {
		result = exchange(fd, request, answer);
		close(fd);
	}
	if (result == -EPROTO)
		return sn_err_set(err, result,
				  "cannot ask the meter on '%s': it gives no answer "
				  "of HTTP",
				  request->socket_path);
	return result == 0 ? 0
			   : sn_err_sys(err, result, "cannot ask the meter on '%s'",
					request->socket_path);
}
