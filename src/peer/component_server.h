/* SPDX-License-Identifier: Apache-2.0 */
/*
 * component_server: a component that clients connect to (client-initiated workflow):
 * GET /, GET /capability, GET /capability/{token}, and messages on POST /,
 * /capability, /capability/{token} and /specification.
 */
#ifndef SONDE_PEER_COMPONENT_SERVER_H
#define SONDE_PEER_COMPONENT_SERVER_H

#include "net/http_server.h"
#include "peer/component.h"

#define SN_COMPONENT_WAIT_NS     (5 * SN_NS_PER_S) /* for a quick result, before the receipt */
#define SN_COMPONENT_BODY_MAX    (1024 * 1024)     /* bytes of one message */
#define SN_COMPONENT_CLIENTS_MAX 256               /* connections */

struct sn_component_server;
struct sn_component_server_config {
	struct sn_loop *loop;
	struct sn_component *component; /* must outlive the server */
	const struct sn_mp_registries *registries;
	struct sn_addr listen;
	const struct sn_http_tls *tls; /* NULL: plain HTTP, loopback only */
	uint64_t wait_ns;              /* 0: SN_COMPONENT_WAIT_NS */
	int write_flags;               /* enum sn_mp_write */
};
int sn_component_server_create(const struct sn_component_server_config *config,
			       struct sn_component_server **server, struct sn_addr *bound,
			       struct sn_err *err);
void sn_component_server_destroy(struct sn_component_server *server);

#endif
