/* SPDX-License-Identifier: Apache-2.0 */
#include "base/notify.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "base/util.h"

#define LISTEN_FDS_START 3
#define LISTEN_FDS_MAX   64

void sn_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t n = path == NULL ? 0 : strlen(path);
	sn_autoclose int fd = -1;

	if (n == 0 || n >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, n);
	/* sd_notify(3): '@' stands for the NUL of the abstract namespace. */
	if (path[0] == '@')
		address.sun_path[0] = '\0';

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody is there to read a failure: the manager itself is the one that is gone. */
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

int sn_notify_listen_fds(void)
{
	uint64_t pid = 0, count = 0;
	const char *pid_text = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
	int ours = pid_text != NULL && count_text != NULL &&
		   sn_parse_u64(sn_str(pid_text), 1, INT32_MAX, &pid) == 0 &&
		   pid == (uint64_t)getpid() &&
		   sn_parse_u64(sn_str(count_text), 0, LISTEN_FDS_MAX, &count) == 0;

	/* So that no child takes them for its own. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (!ours)
		return 0;
	for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + (int)count; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return (int)count;
}
