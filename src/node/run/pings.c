/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "run"
#include "node/run/pings.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "priv/client.h"

static const struct {
	int family, protocol;
} families[] = {{AF_INET, IPPROTO_ICMP}, {AF_INET6, IPPROTO_ICMPV6}};

static bool may_open(int family, int protocol)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool is_known(int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void hand_one(struct sn_handed *handed, int family, const char *priv_socket,
		     const char *name)
{
	struct sn_priv *priv;
	struct sn_err err = {0};
	int fd = sn_priv_connect(priv_socket, &priv, &err);

	if (fd == 0) {
		fd = sn_priv_ping_socket(priv, "", family, &err);
		sn_priv_close(priv);
	}
	if (fd >= 0)
		sn_handed_add_fd(handed, "--socket", "", fd);
	else
		sn_warn("no ping socket from the root helper; the probe tries by itself for=%s "
			"reason=\"%s\"",
			name, err.text);
}

void sn_pings_hand(struct sn_handed *handed, const struct sn_method *method,
		   const char *priv_socket, const char *name)
{
	if (method != &sn_method_ping || priv_socket[0] == '\0')
		return;
	for (size_t i = 0; i < SN_COUNT(families); i++) {
		if (is_known(families[i].family) &&
		    !may_open(families[i].family, families[i].protocol))
			hand_one(handed, families[i].family, priv_socket, name);
	}
}
