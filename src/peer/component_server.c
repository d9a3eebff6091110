/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/component_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "peer/component_internal.h"
#include "peer/peer.h"

struct sn_component_server {
	struct sn_component *component;
	const struct sn_mp_registries *registries;
	struct sn_http_server *http;
	uint64_t wait_ns;
	int write_flags;
};

/* A message whose answer is not there yet. */
struct post {
	struct sn_component_server *server;
	struct sn_http_request *request;
	int write_flags;
};

static size_t offers(struct sn_component_server *server, struct sn_http_request *request,
		     const struct sn_mp_message *const **list)
{
	struct sn_peer_names names;

	sn_peer_names_of(request, &names);
	return sn_component_offers(server->component, names.list[0], list);
}

/* Looking ------------------------------------------------------------------------- */

static void answer_envelope(struct sn_component_server *server, struct sn_http_request *request,
			    const struct sn_mp_message *const *list, size_t count)
{
	struct sn_mp_message *envelope = sn_mp_message_create(SN_MP_ENVELOPE, "capability");

	for (size_t i = 0; i < count; i++)
		sn_mp_add_content(envelope, sn_mp_message_copy(list[i]));
	sn_peer_answer(request, envelope, server->write_flags);
	sn_mp_message_destroy(envelope);
}

static void show_list(struct sn_component_server *server, struct sn_http_request *request,
		      bool in_full)
{
	const struct sn_mp_message *const *list;
	size_t count = offers(server, request, &list);

	if (sn_peer_wants_messages(request))
		answer_envelope(server, request, list, count);
	else
		sn_peer_answer_listing(request, list, count, in_full);
}

static void show_root(struct sn_http_request *request, void *ctx)
{
	show_list(ctx, request, true);
}

static void show_all(struct sn_http_request *request, void *ctx)
{
	show_list(ctx, request, false);
}

static void show_one(struct sn_http_request *request, void *ctx)
{
	struct sn_component_server *server = ctx;
	const char *token = sn_http_param(request, "token");
	const struct sn_mp_message *const *list;
	size_t count = offers(server, request, &list);

	for (size_t i = 0; i < count; i++) {
		if (list[i]->token != NULL && strcmp(list[i]->token, token) == 0) {
			sn_peer_answer(request, list[i], server->write_flags);
			return;
		}
	}
	sn_http_problem(request, 404, "not-found", "There is no such thing",
			"no capability has this token (look at " SN_PEER_PATH_CAPABILITY ")");
}

/* Asking -------------------------------------------------------------------------- */

static void answered(const struct sn_mp_message *answer, void *ctx)
{
	struct post *post = ctx;

	sn_peer_answer(post->request, answer, post->write_flags);
	free(post);
}

static void abandoned(struct sn_http_request *request SN_UNUSED, void *ctx)
{
	struct post *post = ctx;

	sn_component_forget(post->server->component, post);
	free(post);
}

static void take(struct sn_http_request *request, void *ctx)
{
	struct sn_component_server *server = ctx;
	sn_automp struct sn_mp_message *message = NULL;
	struct sn_peer_names names;
	struct post *post;

	message = sn_peer_read(request, server->registries, NULL);
	if (message == NULL)
		return;
	sn_peer_names_of(request, &names);
	post = sn_new(struct post);
	post->server = server;
	post->request = request;
	post->write_flags = server->write_flags | (message->natives ? SN_MP_NATIVES : 0);
	sn_http_on_abandon(request, abandoned, post);
	sn_component_take(server->component, names.list[0], message, server->wait_ns, answered,
			  post);
}

/* The server ---------------------------------------------------------------------- */

static int known_only(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	struct sn_peer_names names;

	sn_peer_names_of(request, &names);
	if (names.count > 0)
		return 0;
	sn_http_problem(request, 401, "unauthenticated", "Who are you?",
			"show a certificate that this component's CA has signed");
	return -1;
}

static const struct sn_http_route routes[] = {
	{"GET", "/", show_root, 0, 0, NULL},
	{"GET", SN_PEER_PATH_CAPABILITY, show_all, 0, 0, NULL},
	{"GET", SN_PEER_PATH_CAPABILITY "/", show_all, 0, 0, NULL},
	{"GET", SN_PEER_PATH_CAPABILITY "/{token}", show_one, 0, 0, NULL},
	{"POST", "/", take, SN_COMPONENT_BODY_MAX, 0, NULL},
	{"POST", SN_PEER_PATH_CAPABILITY, take, SN_COMPONENT_BODY_MAX, 0, NULL},
	{"POST", SN_PEER_PATH_CAPABILITY "/", take, SN_COMPONENT_BODY_MAX, 0, NULL},
	{"POST", SN_PEER_PATH_CAPABILITY "/{token}", take, SN_COMPONENT_BODY_MAX, 0, NULL},
	{"POST", "/specification", take, SN_COMPONENT_BODY_MAX, 0, NULL},
	{"POST", "/specification/", take, SN_COMPONENT_BODY_MAX, 0, NULL},
};

int sn_component_server_create(const struct sn_component_server_config *config,
			       struct sn_component_server **server, struct sn_addr *bound,
			       struct sn_err *err)
{
	struct sn_component_server *made = sn_new(struct sn_component_server);
	struct sn_http_config http = {
		.routes = routes,
		.route_count = SN_COUNT(routes),
		.guard = known_only,
		.ctx = made,
		.max_connections = SN_COMPONENT_CLIENTS_MAX,
	};
	int rc;

	/* Callers may have nothing to destroy yet. */
	*server = NULL;
	made->component = config->component;
	made->registries = config->registries;
	made->wait_ns = config->wait_ns != 0 ? config->wait_ns : SN_COMPONENT_WAIT_NS;
	made->write_flags = config->write_flags;
	made->http = sn_http_server_create(config->loop, &http);
	rc = made->http == NULL
		     ? sn_err_set(err, -EMFILE, "cannot open a server: no descriptors are left")
		     : sn_http_server_listen(made->http, &config->listen, -1, config->tls, bound,
					     err);
	if (rc != 0) {
		sn_component_server_destroy(made);
		return rc;
	}
	*server = made;
	return 0;
}

void sn_component_server_destroy(struct sn_component_server *server)
{
	if (server == NULL)
		return;
	sn_http_server_destroy(server->http);
	free(server);
}
