/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ipc: framed messages with descriptor passing between processes of one machine.
 *
 * A Unix SOCK_SEQPACKET socket carries one message per packet: a fixed header
 * (type, length, request id) and at most SN_IPC_PAYLOAD_MAX bytes, with at most
 * SN_IPC_FDS_MAX descriptors (SCM_RIGHTS).  The kernel keeps the borders, so
 * there is nothing to reassemble; a short, long or truncated packet is refused
 * and its descriptors are closed.
 *
 * It lives in base and not in net because the root helper uses it and links
 * nothing above base.
 */
#ifndef SONDE_BASE_IPC_H
#define SONDE_BASE_IPC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define SN_IPC_PAYLOAD_MAX 8192
#define SN_IPC_FDS_MAX     4

struct sn_ipc_message {
	uint32_t type;
	uint32_t id;             /* chosen by the asker, echoed in the answer */
	uint32_t size;           /* of payload */
	int fds[SN_IPC_FDS_MAX]; /* owned by the receiver; -1 where unused */
	unsigned fd_count;
	unsigned char payload[SN_IPC_PAYLOAD_MAX];
};

int sn_ipc_pair(int fds[2]); /* both close-on-exec */
/* Listening socket at `path` (an old socket file is replaced), mode as given. */
int sn_ipc_listen(const char *path, mode_t mode, struct sn_err *err);
int sn_ipc_accept(int listener); /* descriptor or negative errno */
int sn_ipc_connect(const char *path, struct sn_err *err);
/* Blocking or not as the socket is; descriptors in `message` stay the caller's. */
int sn_ipc_send(int socket, const struct sn_ipc_message *message);
/* 0, -EAGAIN, -EPIPE at end of stream, -EPROTO for a malformed packet. */
int sn_ipc_receive(int socket, struct sn_ipc_message *message);
void sn_ipc_message_close_fds(struct sn_ipc_message *message);
/* Credentials of the peer, as the kernel recorded them at connect time. */
int sn_ipc_peer(int socket, pid_t *pid, uid_t *uid, gid_t *gid);

#endif
