/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/run/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/http_client.h"

#define TURN_NS      (100 * SN_NS_PER_MS)
#define TIMEOUT_NS   (10 * SN_NS_PER_S)
#define HUB_FILE_MAX 65536

struct sn_demo_api {
	struct sn_loop *loop;
	const bool *stop;
	struct sn_http_client *client;
	char *url, *authorization;
};

struct call {
	bool done;
	json_t *answer;
	struct sn_err err;
	int code;
};

static int read_hub_file(struct sn_demo_api *api, const char *path, struct sn_err *err)
{
	struct sn_buf text = {0};
	sn_autojson json_t *json = NULL;
	const char *url, *token;
	int code = sn_fs_read(path, HUB_FILE_MAX, &text, err);

	if (code == 0) {
		json = sn_json_parse(text.p, text.n, err);
		code = json == NULL ? err->code : 0;
	}
	if (code == 0)
		code = sn_json_get_str(json, "url", &url, err);
	if (code == 0)
		code = sn_json_get_str(json, "token", &token, err);
	if (code == 0) {
		api->url = sn_xstrdup(url);
		api->authorization = sn_xasprintf("Authorization: Bearer %s", token);
	}
	sn_buf_finish(&text);
	if (code != 0)
		sn_err_wrap(err, "cannot use '%s'", path);
	return code;
}

int sn_demo_api_create(struct sn_loop *loop, const char *hub_file, const bool *stop,
		       struct sn_demo_api **out, struct sn_err *err)
{
	static const struct sn_http_client_config config = {.user_agent = "sonde-demo"};
	struct sn_demo_api *api = sn_new(struct sn_demo_api);
	int code;

	api->loop = loop;
	api->stop = stop;
	code = read_hub_file(api, hub_file, err);
	if (code != 0) {
		sn_demo_api_destroy(api);
		return code;
	}
	api->client = sn_http_client_create(loop, &config);
	*out = api;
	return 0;
}

void sn_demo_api_destroy(struct sn_demo_api *api)
{
	if (api == NULL)
		return;
	sn_http_client_destroy(api->client);
	free(api->url);
	free(api->authorization);
	free(api);
}

/* The hub's own words (RFC 9457) if there are any. */
static void take_problem(struct call *call, const struct sn_http_answer *answer)
{
	const char *detail = json_string_value(json_object_get(call->answer, "detail"));

	call->code = sn_err_set(&call->err, -EPROTO, "the hub answered %u: %s", answer->status,
				detail != NULL ? detail : "no reason given");
}

static void finished(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct call *call = ctx;

	call->done = true;
	call->code = answer->error;
	if (answer->error != 0) {
		call->err = answer->err;
		return;
	}
	if (answer->body.n > 0)
		call->answer = sn_json_parse(answer->body.p, answer->body.n, &call->err);
	if (answer->status < 200 || answer->status > 299)
		take_problem(call, answer);
	else if (answer->body.n > 0 && call->answer == NULL)
		call->code = call->err.code;
}

static int wait_for(struct sn_demo_api *api, struct sn_http_fetch *fetch, struct call *call)
{
	while (!call->done && !*api->stop)
		sn_loop_turn(api->loop, TURN_NS);
	if (call->done)
		return call->code;
	sn_http_fetch_cancel(fetch);
	return sn_err_set(&call->err, -ECANCELED, "broken off");
}

int sn_demo_api_call(struct sn_demo_api *api, const char *path, json_t *body, json_t **answer,
		     struct sn_err *err)
{
	sn_autofree char *url = sn_xasprintf("%s%s", api->url, path);
	sn_autofree char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	const char *const headers[] = {api->authorization, "Content-Type: application/json", NULL};
	struct call call = {0};
	struct sn_http_fetch_spec spec = {
		.method = body != NULL ? "POST" : "GET",
		.url = url,
		.headers = headers,
		.body = text,
		.body_size = text != NULL ? strlen(text) : 0,
		.timeout_ns = TIMEOUT_NS,
		.on_done = finished,
		.ctx = &call,
	};
	struct sn_http_fetch *fetch = sn_http_fetch(api->client, &spec);
	int code;

	json_decref(body);
	if (fetch == NULL)
		return sn_err_set(err, -EINVAL, "'%s' is no usable URL", url);
	code = wait_for(api, fetch, &call);
	if (code != 0) {
		if (err != NULL)
			*err = call.err;
		json_decref(call.answer);
		sn_err_wrap(err, "%s '%s'", spec.method, path);
		return code;
	}
	if (answer != NULL)
		*answer = call.answer;
	else
		json_decref(call.answer);
	return 0;
}
