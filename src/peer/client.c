/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "peer/answer.h"
#include "peer/client_internal.h"
#include "peer/listing.h"
#include "peer/peer.h"

struct send {
	struct sn_list link;
	struct sn_peer_client *client;
	struct sn_http_fetch *fetch;
	struct sn_timer failed; /* says that it could not even begin */
	struct sn_err err;
	sn_peer_message_fn *fn;
	void *ctx;
};

static void send_free(struct send *send)
{
	sn_list_remove(&send->link);
	sn_timer_stop(&send->failed);
	free(send);
}

/* The callback may destroy the client, and this with it. */
static void finish(struct send *send, const struct sn_mp_message *message, const struct sn_err *err)
{
	sn_peer_message_fn *fn = send->fn;
	void *ctx = send->ctx;

	send_free(send);
	fn(message, err, ctx);
}

static struct sn_mp_message *read_answer(const struct sn_peer_client *client,
					 const struct sn_http_answer *answer, struct sn_err *err)
{
	struct sn_mp_message *message;

	if (answer->error != 0 || answer->status != 200) {
		sn_peer_answer_error(answer, err);
		return NULL;
	}
	if (!sn_peer_answer_is_json(answer)) {
		sn_err_set(err, -EPROTO, "the peer answers with no message (type '%.60s')",
			   answer->content_type != NULL ? answer->content_type : "");
		return NULL;
	}
	message = sn_mp_decode(client->registries, answer->body.p, answer->body.n, 0, NULL, err);
	if (message == NULL)
		sn_err_wrap(err, "the peer's answer cannot be read");
	return message;
}

static void answered(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct send *send = ctx;
	sn_automp struct sn_mp_message *message = NULL;
	struct sn_err err = {0};

	message = read_answer(send->client, answer, &err);
	finish(send, message, message == NULL ? &err : NULL);
}

static void could_not_begin(struct sn_timer *timer)
{
	struct send *send = sn_container_of(timer, struct send, failed);
	struct sn_err err = send->err;

	finish(send, NULL, &err);
}

static bool is_encrypted(const char *url)
{
	return strncmp(url, "https://", 8) == 0;
}

static bool is_home(const struct sn_peer_client *client, const char *url)
{
	struct sn_buf same = {0};
	int rc = sn_peer_link_resolve(client->url, url, &same);

	sn_buf_finish(&same);
	return rc == 0;
}

void sn_peer_client_prove(const struct sn_peer_client *client, const char *url,
			  const char **headers)
{
	if (client->forged_header != NULL && !is_encrypted(url))
		*headers++ = client->forged_header;
	if (client->authorisation != NULL && is_home(client, url))
		*headers++ = client->authorisation;
	*headers = NULL;
}

static int target_of(const struct sn_peer_client *client, const char *link, struct sn_buf *url,
		     struct sn_err *err)
{
	if (link == NULL || link[0] == '\0') {
		sn_buf_adds(url, client->url);
		sn_buf_cstr(url);
		return 0;
	}
	if (sn_peer_link_absolute(client->url, link, url) != 0)
		return sn_err_set(err, -EINVAL, "the link '%.200s' cannot be followed", link);
	sn_buf_cstr(url);
	if (is_encrypted(client->url) && !is_encrypted(url->p))
		return sn_err_set(err, -EPERM,
				  "the link '%.200s' is not encrypted, but the way to it is", link);
	return 0;
}

static int post(struct send *send, const struct sn_mp_message *message, const char *link)
{
	struct sn_peer_client *client = send->client;
	const char *headers[1 + SN_PEER_PROOFS_MAX + 1] = {"Content-Type: " SN_MP_MEDIA_TYPE};
	struct sn_http_fetch_spec spec = {
		.method = "POST", .headers = headers, .on_done = answered, .ctx = send};
	struct sn_buf url = {0}, body = {0};
	int rc = target_of(client, link, &url, &send->err);

	if (rc == 0) {
		sn_peer_client_prove(client, url.p, headers + 1);
		sn_mp_encode(message, client->write_flags, &body);
		spec.url = url.p;
		spec.body = body.p;
		spec.body_size = body.n;
		send->fetch = sn_http_fetch(client->http, &spec);
		if (send->fetch == NULL)
			rc = sn_err_set(&send->err, -EINVAL, "'%.200s' is no usable URL", url.p);
	}
	sn_buf_finish(&url);
	sn_buf_finish(&body);
	return rc;
}

void sn_peer_client_send(struct sn_peer_client *client, const struct sn_mp_message *message,
			 const char *link, sn_peer_message_fn *fn, void *ctx)
{
	struct send *send = sn_new(struct send);

	send->client = client;
	send->fn = fn;
	send->ctx = ctx;
	sn_list_append(&client->sends, &send->link);
	sn_timer_init(&send->failed, client->loop, could_not_begin);
	if (post(send, message, link) != 0)
		sn_timer_in(&send->failed, 0);
}

struct sn_peer_client *sn_peer_client_create(const struct sn_peer_client_config *config)
{
	struct sn_peer_client *client = sn_new(struct sn_peer_client);
	struct sn_http_client_config http = {
		.ca_file = config->ca_file,
		.cert_file = config->cert_file,
		.key_file = config->key_file,
		.no_name_check = config->no_name_check,
	};
	struct sn_buf url = {0};

	sn_peer_link_plain(config->url, &url);
	sn_buf_cstr(&url);
	client->url = url.p;
	client->loop = config->loop;
	client->registries = config->registries;
	client->write_flags = config->write_flags;
	if (config->forged_identity != NULL)
		client->forged_header =
			sn_xasprintf(SN_PEER_IDENTITY_HEADER ": %s", config->forged_identity);
	if (config->authorisation != NULL)
		client->authorisation = sn_xstrdup(config->authorisation);
	client->http = sn_http_client_create(config->loop, &http);
	sn_list_init(&client->sends);
	sn_list_init(&client->discoveries);
	return client;
}

void sn_peer_client_destroy(struct sn_peer_client *client)
{
	if (client == NULL)
		return;
	sn_peer_discoveries_drop(client);
	sn_list_for_each (node, &client->sends)
		send_free(sn_list_entry(node, struct send, link));
	sn_http_client_destroy(client->http); /* cancels what is under way */
	free(client->url);
	free(client->forged_header);
	if (client->authorisation != NULL)
		explicit_bzero(client->authorisation, strlen(client->authorisation));
	free(client->authorisation);
	free(client);
}
