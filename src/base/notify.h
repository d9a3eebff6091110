/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify: tell the service manager (datagrams to $NOTIFY_SOCKET, sd_notify(3))
 * and take the listening sockets it hands over (LISTEN_FDS, sd_listen_fds(3)).
 */
#ifndef SONDE_BASE_NOTIFY_H
#define SONDE_BASE_NOTIFY_H

/* "READY=1", "STATUS=...", "WATCHDOG=1"; silent without a service manager. */
void sn_notify(const char *state);
/* Number of descriptors from 3 on that were handed over; clears the environment. */
int sn_notify_listen_fds(void);

#endif
