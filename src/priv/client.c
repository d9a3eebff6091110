/* SPDX-License-Identifier: Apache-2.0 */
#include "priv/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ipc.h"
#include "base/mem.h"
#include "base/str.h"

#define ANSWER_NS (10 * SN_NS_PER_S)

struct sn_priv {
	int socket;
	uint32_t last_id;
};

struct sn_priv *sn_priv_from_fd(int socket)
{
	struct sn_priv *priv = sn_new(struct sn_priv);

	priv->socket = socket;
	return priv;
}

int sn_priv_connect(const char *path, struct sn_priv **priv, struct sn_err *err)
{
	int socket = sn_ipc_connect(path, err);

	if (socket < 0)
		return socket;
	*priv = sn_priv_from_fd(socket);
	return 0;
}

void sn_priv_close(struct sn_priv *priv)
{
	if (priv == NULL)
		return;
	close(priv->socket);
	free(priv);
}

/* The answer to `id`; one to an earlier request that came too late is dropped. */
static int wait_answer(struct sn_priv *priv, uint32_t id, struct sn_ipc_message *answer)
{
	uint64_t deadline = sn_mono_ns() + ANSWER_NS;

	for (;;) {
		struct pollfd fd = {.fd = priv->socket, .events = POLLIN};
		uint64_t now = sn_mono_ns();

		if (now >= deadline)
			return -ETIMEDOUT;
		int ready = poll(&fd, 1, (int)((deadline - now) / SN_NS_PER_MS) + 1);

		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready <= 0)
			continue;
		int code = sn_ipc_receive(priv->socket, answer);

		if (code == -EAGAIN)
			continue;
		if (code != 0 || answer->id == id)
			return code;
		sn_ipc_message_close_fds(answer);
	}
}

/* Sends one request; on success `answer` is filled and `fd`, if asked for, is the caller's. */
static int call(struct sn_priv *priv, enum sn_priv_op op, const void *request, size_t size,
		struct sn_priv_answer *answer, int *fd, struct sn_err *err)
{
	struct sn_ipc_message message = {.type = op, .id = ++priv->last_id, .size = (uint32_t)size};
	uint32_t id = message.id;

	if (size > 0)
		memcpy(message.payload, request, size);
	int code = sn_ipc_send(priv->socket, &message);

	if (code == 0)
		code = wait_answer(priv, id, &message);
	if (code != 0)
		return sn_err_sys(err, code, "cannot ask the root helper (is sonde-priv running?)");
	if (message.size != sizeof(*answer) || message.type != (uint32_t)op) {
		sn_ipc_message_close_fds(&message);
		return sn_err_set(err, -EPROTO, "the root helper's answer makes no sense");
	}
	memcpy(answer, message.payload, sizeof(*answer));
	answer->text[sizeof(answer->text) - 1] = '\0';
	if (fd != NULL && answer->error == 0 && message.fd_count == 1) {
		*fd = message.fds[0];
		return 0;
	}
	sn_ipc_message_close_fds(&message);
	if (answer->error != 0)
		return sn_err_set(err, answer->error < 0 ? answer->error : -EPROTO, "%s",
				  answer->text);
	return fd == NULL ? 0 : sn_err_set(err, -EPROTO, "the root helper sent no descriptor");
}

static int simple_call(struct sn_priv *priv, enum sn_priv_op op, const void *request, size_t size,
		       struct sn_err *err)
{
	struct sn_priv_answer answer = {0};

	return call(priv, op, request, size, &answer, NULL, err);
}

static int fd_call(struct sn_priv *priv, enum sn_priv_op op, const void *request, size_t size,
		   struct sn_err *err)
{
	struct sn_priv_answer answer = {0};
	int fd = -1;
	int code = call(priv, op, request, size, &answer, &fd, err);

	return code == 0 ? fd : code;
}

/* Into a zeroed field; a text that does not fit is refused here, not cut. */
static int put(char *field, size_t size, const char *text, struct sn_err *err)
{
	size_t length = text == NULL ? 0 : strlen(text);

	if (length >= size)
		return sn_err_set(err, -ENAMETOOLONG, "'%.60s...' is longer than %zu characters",
				  text, size - 1);
	memcpy(field, text == NULL ? "" : text, length);
	return 0;
}

static int netns_call(struct sn_priv *priv, enum sn_priv_op op, const char *netns,
		      struct sn_err *err)
{
	struct sn_priv_netns request = {0};
	int code = put(request.name, sizeof(request.name), netns, err);

	return code != 0 ? code : simple_call(priv, op, &request, sizeof(request), err);
}

int sn_priv_netns_create(struct sn_priv *priv, const char *netns, struct sn_err *err)
{
	return netns_call(priv, SN_PRIV_NETNS_CREATE, netns, err);
}

int sn_priv_netns_delete(struct sn_priv *priv, const char *netns, struct sn_err *err)
{
	return netns_call(priv, SN_PRIV_NETNS_DELETE, netns, err);
}

int sn_priv_netns_sweep(struct sn_priv *priv, struct sn_err *err)
{
	return simple_call(priv, SN_PRIV_NETNS_SWEEP, NULL, 0, err);
}

int sn_priv_veth_create(struct sn_priv *priv, const char *netns_a, const char *if_a,
			const char *netns_b, const char *if_b, struct sn_err *err)
{
	struct sn_priv_veth request = {0};

	if (put(request.netns[0], SN_PRIV_NAME_MAX, netns_a, err) != 0 ||
	    put(request.netns[1], SN_PRIV_NAME_MAX, netns_b, err) != 0 ||
	    put(request.interface[0], SN_PRIV_NAME_MAX, if_a, err) != 0 ||
	    put(request.interface[1], SN_PRIV_NAME_MAX, if_b, err) != 0)
		return -ENAMETOOLONG;
	return simple_call(priv, SN_PRIV_VETH_CREATE, &request, sizeof(request), err);
}

static int fill_interface(struct sn_priv_interface *request, const char *netns,
			  const char *interface, struct sn_err *err)
{
	int code = put(request->netns, sizeof(request->netns), netns, err);

	return code != 0 ? code
			 : put(request->interface, sizeof(request->interface), interface, err);
}

int sn_priv_tap_create(struct sn_priv *priv, const char *netns, const char *interface,
		       struct sn_err *err)
{
	struct sn_priv_interface request = {0};
	int code = fill_interface(&request, netns, interface, err);

	return code != 0 ? code : fd_call(priv, SN_PRIV_TAP_CREATE, &request, sizeof(request), err);
}

int sn_priv_capture_socket(struct sn_priv *priv, const char *netns, const char *interface,
			   struct sn_err *err)
{
	struct sn_priv_interface request = {0};
	int code = fill_interface(&request, netns, interface, err);

	return code != 0 ? code
			 : fd_call(priv, SN_PRIV_CAPTURE_SOCKET, &request, sizeof(request), err);
}

int sn_priv_ping_socket(struct sn_priv *priv, const char *netns, int family, struct sn_err *err)
{
	struct sn_priv_interface request = {.family = family};
	int code = fill_interface(&request, netns, NULL, err);

	return code != 0 ? code
			 : fd_call(priv, SN_PRIV_PING_SOCKET, &request, sizeof(request), err);
}

int sn_priv_listen_socket(struct sn_priv *priv, const char *netns, int family, const void *address,
			  uint16_t port, struct sn_err *err)
{
	struct sn_priv_listen request = {.family = family, .port = port};
	int code = put(request.netns, sizeof(request.netns), netns, err);

	if (code != 0)
		return code;
	memcpy(request.address, address, family == AF_INET ? 4 : 16);
	return fd_call(priv, SN_PRIV_LISTEN_SOCKET, &request, sizeof(request), err);
}

/* The family shows in the text: IPv6 has colons. */
static int parse_address(struct sn_str text, int32_t *family, uint8_t out[16], struct sn_err *err)
{
	char copy[INET6_ADDRSTRLEN] = {0};

	if (text.n > 0 && text.n < sizeof(copy))
		memcpy(copy, text.p, text.n);
	*family = strchr(copy, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(*family, copy, out) != 1)
		return sn_err_set(err, -EINVAL, "'%.*s' is no IP address", (int)text.n, text.p);
	return 0;
}

static int parse_prefix(const char *text, int32_t *family, uint8_t address[16], uint32_t *length,
			struct sn_err *err)
{
	struct sn_str rest = sn_str(text), host;
	uint64_t value;

	if (!sn_str_split(&rest, '/', &host) || rest.n == 0)
		return sn_err_set(err, -EINVAL, "'%s' is no address with prefix length", text);
	int code = parse_address(host, family, address, err);

	if (code != 0)
		return code;
	if (sn_parse_u64(rest, 0, *family == AF_INET ? 32 : 128, &value) != 0)
		return sn_err_set(err, -EINVAL, "'%s' has no usable prefix length", text);
	*length = (uint32_t)value;
	return 0;
}

int sn_priv_address_add(struct sn_priv *priv, const char *netns, const char *interface,
			const char *address, struct sn_err *err)
{
	struct sn_priv_address request = {0};
	int code = put(request.netns, sizeof(request.netns), netns, err);

	if (code == 0)
		code = put(request.interface, sizeof(request.interface), interface, err);
	if (code == 0)
		code = parse_prefix(address, &request.family, request.address,
				    &request.prefix_length, err);
	if (code != 0)
		return code;
	code = simple_call(priv, SN_PRIV_ADDRESS_ADD, &request, sizeof(request), err);
	if (code != 0)
		sn_err_wrap(err, "address '%s'", address);
	return code;
}

int sn_priv_link_set(struct sn_priv *priv, const char *netns, const char *interface, int up,
		     struct sn_err *err)
{
	struct sn_priv_interface request = {.up = up};
	int code = fill_interface(&request, netns, interface, err);

	return code != 0 ? code
			 : simple_call(priv, SN_PRIV_LINK_SET, &request, sizeof(request), err);
}

int sn_priv_route_add(struct sn_priv *priv, const char *netns, const char *destination,
		      const char *gateway, struct sn_err *err)
{
	struct sn_priv_route request = {0};
	int32_t family;
	int code = put(request.netns, sizeof(request.netns), netns, err);

	if (code == 0)
		code = parse_address(sn_str(gateway), &request.family, request.gateway, err);
	if (code != 0)
		return code;
	family = request.family;
	if (strcmp(destination, "default") != 0)
		code = parse_prefix(destination, &family, request.destination,
				    &request.prefix_length, err);
	if (code == 0 && family != request.family)
		code = sn_err_set(err, -EINVAL, "route '%s' via '%s' mixes IPv4 and IPv6",
				  destination, gateway);
	if (code != 0)
		return code;
	code = simple_call(priv, SN_PRIV_ROUTE_ADD, &request, sizeof(request), err);
	if (code != 0)
		sn_err_wrap(err, "route '%s' via '%s'", destination, gateway);
	return code;
}

int sn_priv_process_start(struct sn_priv *priv, const char *netns, enum sn_priv_program program,
			  uid_t uid, gid_t gid, const char *config, const char *log, pid_t *pid,
			  struct sn_err *err)
{
	struct sn_priv_process request = {.program = program, .uid = uid, .gid = gid};
	struct sn_priv_answer answer = {0};

	if (put(request.netns, sizeof(request.netns), netns, err) != 0 ||
	    put(request.config, sizeof(request.config), config, err) != 0 ||
	    put(request.log, sizeof(request.log), log, err) != 0)
		return -ENAMETOOLONG;
	int code = call(priv, SN_PRIV_PROCESS_START, &request, sizeof(request), &answer, NULL, err);

	if (code == 0)
		*pid = answer.pid;
	return code;
}

int sn_priv_process_signal(struct sn_priv *priv, pid_t pid, int signal_number, struct sn_err *err)
{
	struct sn_priv_signal request = {.pid = pid, .signal = signal_number};

	return simple_call(priv, SN_PRIV_PROCESS_SIGNAL, &request, sizeof(request), err);
}
