/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/cli/canned.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

char canned_url[64];

static pid_t server;

static const struct canned *find_answer(const struct canned *answers, const char *request)
{
	static const struct canned unknown = {"", 418, "", ""};

	for (const struct canned *answer = answers; answer->request != NULL; answer++)
		if (strncmp(request, answer->request, strlen(answer->request)) == 0)
			return answer;
	return &unknown;
}

static void serve_one(const struct canned *answers, int connection)
{
	char request[8192] = "";
	size_t size = 0;
	ssize_t got;
	const struct canned *answer;

	while (size < sizeof(request) - 1 && strstr(request, "\r\n\r\n") == NULL) {
		got = read(connection, request + size, sizeof(request) - 1 - size);
		if (got <= 0)
			return;
		size += (size_t)got;
		request[size] = '\0';
	}
	answer = find_answer(answers, request);
	/* Who has no token is told so, whatever the question. */
	if (strstr(request, "Authorization: Bearer " CANNED_TOKEN "\r\n") == NULL)
		answer = find_answer(answers, "GET /api/v1/denied ");
	dprintf(connection, "HTTP/1.1 %u X\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		answer->status, answer->headers, strlen(answer->body), answer->body);
}

static void serve(const struct canned *answers, int listener)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int connection = accept(listener, NULL, NULL);

		if (connection < 0)
			_exit(0);
		serve_one(answers, connection);
		close(connection);
	}
}

int canned_start(const struct canned *answers)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 8) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) != 0)
		return -1;
	snprintf(canned_url, sizeof(canned_url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	server = fork();
	if (server == 0)
		serve(answers, listener);
	close(listener);
	return server > 0 ? 0 : -1;
}

void canned_stop(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}
