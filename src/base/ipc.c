/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ipc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"

#define HEADER_SIZE 12
#define BACKLOG     64

int sn_ipc_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0 ? 0 : -errno;
}

static int unix_address(const char *path, struct sockaddr_un *address, struct sn_err *err)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return sn_err_set(err, -ENAMETOOLONG,
				  "cannot use socket '%s': longer than %zu bytes (use a shorter "
				  "directory)",
				  path, sizeof(address->sun_path) - 1);
	strcpy(address->sun_path, path);
	return 0;
}

static int bind_at(int fd, const struct sockaddr_un *address, mode_t mode)
{
	struct stat st;

	if (lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(address->sun_path);
	/* Before bind, so that the file never exists with wider rights than asked for. */
	if (fchmod(fd, mode) != 0 ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		return -errno;
	/* After it, because the umask took bits away. */
	if (chmod(address->sun_path, mode) != 0 || listen(fd, BACKLOG) != 0)
		return -errno;
	return 0;
}

int sn_ipc_listen(const char *path, mode_t mode, struct sn_err *err)
{
	struct sockaddr_un address;
	sn_autoclose int fd = -1;
	int error = unix_address(path, &address, err);

	if (error != 0)
		return error;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot make socket '%s'", path);
	error = bind_at(fd, &address, mode);
	if (error != 0)
		return sn_err_sys(err, error, "cannot listen on '%s'", path);
	return sn_steal_fd(&fd);
}

int sn_ipc_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int sn_ipc_connect(const char *path, struct sn_err *err)
{
	struct sockaddr_un address;
	sn_autoclose int fd = -1;
	int error = unix_address(path, &address, err);

	if (error != 0)
		return error;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return sn_err_sys(err, -errno, "cannot connect to '%s'", path);
	return sn_steal_fd(&fd);
}

static void put_u32(unsigned char *out, uint32_t value)
{
	out[0] = (unsigned char)(value >> 24);
	out[1] = (unsigned char)(value >> 16);
	out[2] = (unsigned char)(value >> 8);
	out[3] = (unsigned char)value;
}

union control { /* aligned as the kernel wants it */
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int) * SN_IPC_FDS_MAX)];
};

static void attach_fds(struct msghdr *msg, union control *control, const int *fds, unsigned count)
{
	struct cmsghdr *cmsg;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(sizeof(int) * count);
	cmsg = CMSG_FIRSTHDR(msg);
	assert(cmsg != NULL);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * count);
}

int sn_ipc_send(int socket, const struct sn_ipc_message *message)
{
	unsigned char header[HEADER_SIZE];
	union control control;
	struct iovec iov[2] = {{header, sizeof(header)}, {(void *)message->payload, message->size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t done;

	if (message->size > SN_IPC_PAYLOAD_MAX || message->fd_count > SN_IPC_FDS_MAX)
		return -EMSGSIZE;
	put_u32(header, message->type);
	put_u32(header + 4, message->size);
	put_u32(header + 8, message->id);
	if (message->fd_count > 0)
		attach_fds(&msg, &control, message->fds, message->fd_count);

	do
		done = sendmsg(socket, &msg, MSG_NOSIGNAL);
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : 0;
}

/* All descriptors are taken into `message` first, so that refusing it can close them. */
static void take_fds(struct msghdr *msg, struct sn_ipc_message *message)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL;
	     cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t count;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count && message->fd_count < SN_IPC_FDS_MAX; i++)
			memcpy(&message->fds[message->fd_count++],
			       CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
	}
}

static int parse_packet(const unsigned char *packet, size_t size, struct sn_ipc_message *message)
{
	struct sn_rd rd;

	sn_rd_init(&rd, packet, size);
	message->type = sn_rd_u32be(&rd);
	message->size = sn_rd_u32be(&rd);
	message->id = sn_rd_u32be(&rd);
	if (!sn_rd_ok(&rd) || message->size != sn_rd_left(&rd))
		return -EPROTO;
	sn_rd_copy(&rd, message->payload, message->size);
	return 0;
}

int sn_ipc_receive(int socket, struct sn_ipc_message *message)
{
	unsigned char packet[HEADER_SIZE + SN_IPC_PAYLOAD_MAX];
	union control control;
	struct iovec iov = {packet, sizeof(packet)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t got;
	int error;

	message->type = message->id = message->size = 0;
	message->fd_count = 0;
	for (unsigned i = 0; i < SN_IPC_FDS_MAX; i++)
		message->fds[i] = -1;

	do
		got = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;

	take_fds(&msg, message);
	if (got == 0 && message->fd_count == 0)
		return -EPIPE;
	error = (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0
			? -EPROTO
			: parse_packet(packet, (size_t)got, message);
	if (error != 0) {
		message->size = 0;
		sn_ipc_message_close_fds(message);
	}
	return error;
}

void sn_ipc_message_close_fds(struct sn_ipc_message *message)
{
	for (unsigned i = 0; i < message->fd_count; i++) {
		close(message->fds[i]);
		message->fds[i] = -1;
	}
	message->fd_count = 0;
}

int sn_ipc_peer(int socket, pid_t *pid, uid_t *uid, gid_t *gid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return -errno;
	*pid = peer.pid;
	*uid = peer.uid;
	*gid = peer.gid;
	return 0;
}
