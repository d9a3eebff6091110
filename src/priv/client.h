/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: typed proxies for the operations of the root helper (priv/ops.h).
 *
 * Each call sends one request and waits for its answer, at most 10 s.
 */
#ifndef SONDE_PRIV_CLIENT_H
#define SONDE_PRIV_CLIENT_H

#include <netinet/in.h>
#include <sys/types.h>

#include "base/err.h"
#include "priv/ops.h"

struct sn_priv;

int sn_priv_connect(const char *path, struct sn_priv **priv, struct sn_err *err);
struct sn_priv *sn_priv_from_fd(int socket); /* takes the socket over */
void sn_priv_close(struct sn_priv *priv);

int sn_priv_netns_create(struct sn_priv *priv, const char *netns, struct sn_err *err);
int sn_priv_netns_delete(struct sn_priv *priv, const char *netns, struct sn_err *err);
int sn_priv_netns_sweep(struct sn_priv *priv, struct sn_err *err);
int sn_priv_veth_create(struct sn_priv *priv, const char *netns_a, const char *if_a,
			const char *netns_b, const char *if_b, struct sn_err *err);
/* These return a descriptor or a negative errno. */
int sn_priv_tap_create(struct sn_priv *priv, const char *netns, const char *interface,
		       struct sn_err *err);
int sn_priv_capture_socket(struct sn_priv *priv, const char *netns, const char *interface,
			   struct sn_err *err);
int sn_priv_ping_socket(struct sn_priv *priv, const char *netns, int family, struct sn_err *err);
int sn_priv_listen_socket(struct sn_priv *priv, const char *netns, int family, const void *address,
			  uint16_t port, struct sn_err *err);
/* `address` as text with prefix: "192.0.2.1/24", "2001:db8::1/64". */
int sn_priv_address_add(struct sn_priv *priv, const char *netns, const char *interface,
			const char *address, struct sn_err *err);
int sn_priv_link_set(struct sn_priv *priv, const char *netns, const char *interface, int up,
		     struct sn_err *err);
/* `destination` "198.51.100.0/24" or "default"; `gateway` decides the family. */
int sn_priv_route_add(struct sn_priv *priv, const char *netns, const char *destination,
		      const char *gateway, struct sn_err *err);
int sn_priv_process_start(struct sn_priv *priv, const char *netns, enum sn_priv_program program,
			  uid_t uid, gid_t gid, const char *config, const char *log, pid_t *pid,
			  struct sn_err *err);
int sn_priv_process_signal(struct sn_priv *priv, pid_t pid, int signal_number, struct sn_err *err);

#endif
