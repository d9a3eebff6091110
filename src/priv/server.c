/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "priv"
#include "priv/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/ipc.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "priv/confine.h"
#include "priv/link.h"
#include "priv/netns.h"
#include "priv/process.h"
#include "priv/socket.h"

struct client {
	struct sn_list link;
	int socket;
	int netns; /* the one it connected from; -1 if unknown */
	uid_t uid; /* 0: may start programs as any user of the policy */
	bool inherited;
};

struct server {
	const struct sn_priv_server_config *config;
	struct sn_process_table processes;
	struct sn_list clients;
	unsigned client_count;
	int listener, signals;
	bool stop;
};

/* 0, a descriptor or a pid, as the table says; or a negative errno. */
typedef int operation_fn(struct server *server, struct client *client,
			 const union sn_priv_request *request, struct sn_err *err);

static int do_netns_create(struct server *server SN_UNUSED, struct client *client SN_UNUSED,
			   const union sn_priv_request *request, struct sn_err *err)
{
	return sn_netns_create(request->netns.name, err);
}

static int do_netns_delete(struct server *server SN_UNUSED, struct client *client SN_UNUSED,
			   const union sn_priv_request *request, struct sn_err *err)
{
	return sn_netns_delete(request->netns.name, err);
}

static int do_netns_sweep(struct server *server, struct client *client SN_UNUSED,
			  const union sn_priv_request *request SN_UNUSED, struct sn_err *err)
{
	return sn_netns_sweep(server->config->policy.prefix, err);
}

static int do_veth_create(struct server *server SN_UNUSED, struct client *client SN_UNUSED,
			  const union sn_priv_request *request, struct sn_err *err)
{
	return sn_link_veth_create(&request->veth, err);
}

static int do_tap_create(struct server *server SN_UNUSED, struct client *client SN_UNUSED,
			 const union sn_priv_request *request, struct sn_err *err)
{
	return sn_link_tap_create(&request->interface, err);
}

static int do_address_add(struct server *server SN_UNUSED, struct client *client SN_UNUSED,
			  const union sn_priv_request *request, struct sn_err *err)
{
	return sn_link_address_add(&request->address, err);
}

static int do_link_set(struct server *server SN_UNUSED, struct client *client SN_UNUSED,
		       const union sn_priv_request *request, struct sn_err *err)
{
	return sn_link_set(&request->interface, err);
}

static int do_route_add(struct server *server SN_UNUSED, struct client *client SN_UNUSED,
			const union sn_priv_request *request, struct sn_err *err)
{
	return sn_link_route_add(&request->route, err);
}

static int do_capture_socket(struct server *server SN_UNUSED, struct client *client,
			     const union sn_priv_request *request, struct sn_err *err)
{
	return sn_socket_capture(&request->interface, client->netns, err);
}

static int do_ping_socket(struct server *server SN_UNUSED, struct client *client,
			  const union sn_priv_request *request, struct sn_err *err)
{
	return sn_socket_ping(&request->interface, client->netns, err);
}

static int do_listen_socket(struct server *server SN_UNUSED, struct client *client SN_UNUSED,
			    const union sn_priv_request *request, struct sn_err *err)
{
	return sn_socket_listen(&request->listen, err);
}

static int do_process_start(struct server *server, struct client *client,
			    const union sn_priv_request *request, struct sn_err *err)
{
	/* Its log alone would let one user write into any file of the other. */
	if (client->uid != 0 && client->uid != request->process.uid)
		return sn_err_set(err, -EPERM,
				  "request refused: user %u may not start programs as user %u",
				  client->uid, request->process.uid);
	return sn_process_start(&server->processes, client, &request->process, err);
}

static int do_process_signal(struct server *server, struct client *client,
			     const union sn_priv_request *request, struct sn_err *err)
{
	return sn_process_signal(&server->processes, client, &request->signal, err);
}

enum result { RESULT_NONE, RESULT_FD, RESULT_PID };

static const struct operation {
	operation_fn *run;
	enum result result;
} operations[SN_PRIV_OP_COUNT] = {
	[SN_PRIV_NETNS_CREATE] = {do_netns_create, RESULT_NONE},
	[SN_PRIV_NETNS_DELETE] = {do_netns_delete, RESULT_NONE},
	[SN_PRIV_NETNS_SWEEP] = {do_netns_sweep, RESULT_NONE},
	[SN_PRIV_VETH_CREATE] = {do_veth_create, RESULT_NONE},
	[SN_PRIV_TAP_CREATE] = {do_tap_create, RESULT_FD},
	[SN_PRIV_ADDRESS_ADD] = {do_address_add, RESULT_NONE},
	[SN_PRIV_LINK_SET] = {do_link_set, RESULT_NONE},
	[SN_PRIV_ROUTE_ADD] = {do_route_add, RESULT_NONE},
	[SN_PRIV_CAPTURE_SOCKET] = {do_capture_socket, RESULT_FD},
	[SN_PRIV_PING_SOCKET] = {do_ping_socket, RESULT_FD},
	[SN_PRIV_LISTEN_SOCKET] = {do_listen_socket, RESULT_FD},
	[SN_PRIV_PROCESS_START] = {do_process_start, RESULT_PID},
	[SN_PRIV_PROCESS_SIGNAL] = {do_process_signal, RESULT_NONE},
};

static void client_destroy(struct server *server, struct client *client)
{
	sn_process_kill_owned(&server->processes, client);
	if (client->inherited)
		server->stop = true;
	sn_list_remove(&client->link);
	server->client_count--;
	close(client->socket);
	if (client->netns >= 0)
		close(client->netns);
	free(client);
}

static struct client *client_create(struct server *server, int socket, uid_t uid, bool inherited)
{
	struct client *client = sn_new(struct client);

	*client = (struct client){
		.socket = socket,
		.uid = uid,
		.inherited = inherited,
		.netns = sn_socket_peer_netns(socket),
	};
	fcntl(socket, F_SETFL, O_NONBLOCK);
	sn_list_append(&server->clients, &client->link);
	server->client_count++;
	return client;
}

static bool user_is_known(const struct sn_priv_policy *policy, uid_t uid)
{
	for (unsigned i = 0; i < policy->user_count; i++)
		if (policy->users[i].uid == uid)
			return true;
	return uid == 0;
}

static void accept_client(struct server *server)
{
	pid_t pid;
	uid_t uid;
	gid_t gid;
	sn_autoclose int socket = sn_ipc_accept(server->listener);

	if (socket < 0 || sn_ipc_peer(socket, &pid, &uid, &gid) != 0)
		return;
	if (server->client_count >= SN_PRIV_CLIENTS_MAX) {
		SN_LOG_LIMITED(SN_LOG_WARNING, "client refused: %d are connected",
			       SN_PRIV_CLIENTS_MAX);
		return;
	}
	if (!user_is_known(&server->config->policy, uid)) {
		SN_LOG_LIMITED(SN_LOG_WARNING, "client refused uid=%u pid=%d", uid, (int)pid);
		return;
	}
	client_create(server, sn_steal_fd(&socket), uid, false);
}

/* Against the policy or the protocol: worth a look, while ordinary failures are the client's. */
static bool is_refusal(int error)
{
	return error == -EPERM || error == -EINVAL;
}

/* Checks, does, and fills the answer; the descriptor in it is ours to close after sending. */
static void perform(struct server *server, struct client *client,
		    const struct sn_ipc_message *request, struct sn_ipc_message *reply)
{
	struct sn_err err = {0};
	union sn_priv_request checked;
	struct sn_priv_answer answer = {0};
	int result = sn_priv_request_read(&server->config->policy, request->type, request->payload,
					  request->size, &checked, &err);

	if (result == 0)
		result = operations[request->type].run(server, client, &checked, &err);
	if (result < 0) {
		answer.error = result;
		snprintf(answer.text, sizeof(answer.text), "%s", err.text);
		sn_log(is_refusal(result) ? SN_LOG_WARNING : SN_LOG_INFO, SN_MODULE, "%s: %s",
		       sn_priv_op_name(request->type), err.text);
	} else if (operations[request->type].result == RESULT_FD) {
		reply->fds[reply->fd_count++] = result;
	} else if (operations[request->type].result == RESULT_PID) {
		answer.pid = result;
	}
	reply->type = request->type;
	reply->id = request->id;
	reply->size = sizeof(answer);
	memcpy(reply->payload, &answer, sizeof(answer));
}

/* A client that breaks the protocol or does not read its answers is cut off. */
static void serve_client(struct server *server, struct client *client)
{
	struct sn_ipc_message request, reply;
	int code = sn_ipc_receive(client->socket, &request);

	if (code == -EAGAIN || code == -EINTR)
		return;
	if (code != 0 || request.fd_count > 0) {
		if (code == 0)
			sn_ipc_message_close_fds(&request);
		if (code != -EPIPE)
			sn_warn("client cut off: %s",
				code == 0 ? "it sent a descriptor" : "malformed message");
		client_destroy(server, client);
		return;
	}
	reply.fd_count = 0;
	perform(server, client, &request, &reply);
	code = sn_ipc_send(client->socket, &reply);
	for (unsigned i = 0; i < reply.fd_count; i++)
		close(reply.fds[i]);
	if (code != 0)
		client_destroy(server, client);
}

static void serve_signals(struct server *server)
{
	struct signalfd_siginfo info;

	while (read(server->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo == SIGTERM)
			server->stop = true;
	sn_process_reap(&server->processes);
}

static void turn(struct server *server)
{
	struct pollfd fds[SN_PRIV_CLIENTS_MAX + 2];
	struct client *clients[SN_PRIV_CLIENTS_MAX + 2];
	nfds_t count = 0;

	fds[count++] = (struct pollfd){.fd = server->signals, .events = POLLIN};
	fds[count++] = (struct pollfd){.fd = server->listener, .events = POLLIN};
	sn_list_for_each (node, &server->clients) {
		clients[count] = sn_list_entry(node, struct client, link);
		fds[count] = (struct pollfd){.fd = clients[count]->socket, .events = POLLIN};
		count++;
	}
	if (poll(fds, count, -1) <= 0)
		return;
	if (fds[0].revents != 0)
		serve_signals(server);
	for (nfds_t i = 2; i < count; i++)
		if (fds[i].revents != 0)
			serve_client(server, clients[i]);
	if (fds[1].revents != 0)
		accept_client(server);
}

/*
 * SIGINT is not ours: at a terminal it reaches the whole group, and the client
 * that cleans up after it still needs us.
 */
static int take_signals(struct server *server, struct sn_err *err)
{
	sigset_t set;

	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return sn_err_sys(err, -errno, "cannot block signals");
	server->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return server->signals >= 0 ? 0 : sn_err_sys(err, -errno, "cannot make a signalfd");
}

/* With one user the file itself keeps others out; with several the peer's uid does. */
static int listen_at_path(struct server *server, struct sn_err *err)
{
	const struct sn_priv_server_config *config = server->config;
	const struct sn_priv_user *user = &config->policy.users[0];
	bool single = config->policy.user_count == 1;

	server->listener = sn_ipc_listen(config->socket_path, single ? 0600 : 0666, err);
	if (server->listener < 0)
		return server->listener;
	if (single && geteuid() == 0 && lchown(config->socket_path, user->uid, user->gid) != 0)
		return sn_err_sys(err, -errno, "cannot give '%s' to its user", config->socket_path);
	return 0;
}

static int open_listener(struct server *server, struct sn_err *err)
{
	const struct sn_priv_server_config *config = server->config;

	if (config->socket_path != NULL)
		return listen_at_path(server, err);
	server->listener = config->listen_fd;
	if (server->listener >= 0 && fcntl(server->listener, F_SETFL, O_NONBLOCK) != 0)
		return sn_err_sys(err, -errno, "cannot use the listening socket");
	return 0;
}

static void finish(struct server *server)
{
	struct sn_err err = {0};

	sn_list_for_each (node, &server->clients)
		client_destroy(server, sn_list_entry(node, struct client, link));
	sn_process_table_finish(&server->processes);
	if (server->config->fd >= 0 && sn_netns_sweep(server->config->policy.prefix, &err) != 0)
		sn_warn("%s", err.text);
	if (server->config->socket_path != NULL)
		unlink(server->config->socket_path);
	if (server->listener >= 0)
		close(server->listener);
	if (server->signals >= 0)
		close(server->signals);
}

int sn_priv_server_run(const struct sn_priv_server_config *config, struct sn_err *err)
{
	struct server server = {.config = config, .listener = -1, .signals = -1};

	sn_list_init(&server.clients);
	sn_process_table_init(&server.processes, config->program_dir);

	int code = open_listener(&server, err);

	if (code == 0)
		code = take_signals(&server, err);
	if (code == 0)
		code = sn_confine(err);
	if (code == 0 && config->fd >= 0)
		client_create(&server, config->fd, 0, true);
	if (code == 0)
		sn_notify("READY=1");
	while (code == 0 && !server.stop)
		turn(&server);
	finish(&server);
	return code;
}
