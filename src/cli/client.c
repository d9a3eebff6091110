/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/client_internal.h"

#define HEADERS_MAX    6
#define PROBLEM_MAX    16384 /* of a refusal's body that is looked at */
#define PAGES_MAX      100000
#define STREAM_IDLE_NS (900 * SN_NS_PER_S)

/* One request on its way. */
struct call {
	struct sn_client *client;
	const char *url;
	bool done;
	int error;
	struct sn_err *err;
	json_t **answer; /* where the parsed body goes; NULL for streams */
	sn_client_piece_fn *fn;
	void *ctx;
	int fn_error;
};

static void set_token(struct sn_client *client)
{
	free(client->authorisation);
	client->authorisation = NULL;
	if (client->place.token != NULL)
		client->authorisation =
			sn_xasprintf("Authorization: Bearer %s", client->place.token);
}

struct sn_client *sn_client_open_on(struct sn_loop *loop, struct sn_place *place)
{
	struct sn_http_client_config config = {
		.ca_file = place->ca_file,
		.cert_file = place->cert_file,
		.key_file = place->key_file,
		.user_agent = "sonde/" SONDE_VERSION,
	};
	struct sn_client *client = sn_new(struct sn_client);

	client->place = *place;
	*place = (struct sn_place){0};
	client->loop = loop;
	client->http = sn_http_client_create(loop, &config);
	set_token(client);
	return client;
}

int sn_client_open(const struct sn_client_options *options, struct sn_client **client,
		   struct sn_err *err)
{
	struct sn_place place;
	struct sn_loop *loop;
	int rc = sn_place_find(options->hub, &place, err);

	/* What is missing is a hub, not a file. */
	if (rc == -ENOENT)
		err->code = rc = -EHOSTUNREACH;
	if (rc != 0)
		return rc;
	loop = sn_loop_create(NULL);
	sn_loop_handle_signals(loop);
	*client = sn_client_open_on(loop, &place);
	(*client)->owns_loop = true;
	return 0;
}

void sn_client_close(struct sn_client *client)
{
	if (client == NULL)
		return;
	sn_http_client_destroy(client->http);
	if (client->owns_loop)
		sn_loop_destroy(client->loop);
	sn_place_finish(&client->place);
	if (client->authorisation != NULL)
		explicit_bzero(client->authorisation, strlen(client->authorisation));
	free(client->authorisation);
	free(client);
}

bool sn_client_refresh(struct sn_client *client)
{
	struct sn_place place;
	bool newer;

	if (!client->place.local || sn_place_find(client->place.url, &place, NULL) != 0)
		return false;
	newer = place.local && strcmp(place.token, client->place.token) != 0;
	if (newer) {
		sn_place_finish(&client->place);
		client->place = place;
		set_token(client);
	} else {
		sn_place_finish(&place);
	}
	return newer;
}

const struct sn_place *sn_client_place(const struct sn_client *client)
{
	return &client->place;
}

struct sn_loop *sn_client_loop(struct sn_client *client)
{
	return client->loop;
}

const char *sn_client_authorisation(const struct sn_client *client)
{
	return client->authorisation;
}

int sn_client_fail(const struct sn_err *err)
{
	return sn_cli_fail(sn_cli_exit_code(err->code), "%s", err->text);
}

int sn_client_run(const struct sn_client_options *options, sn_client_work_fn *work, void *ctx)
{
	struct sn_client *client;
	struct sn_err err = {0};
	int rc = sn_client_open(options, &client, &err);

	if (rc == 0) {
		rc = work(client, ctx, &err);
		sn_client_close(client);
	}
	return rc == 0 ? SN_EXIT_OK : sn_client_fail(&err);
}

/* Refusals -------------------------------------------------------------- */

static int status_error(unsigned status)
{
	static const struct {
		unsigned status;
		int error;
	} errors[] = {
		{400, -EINVAL}, {401, -EACCES}, {403, -EACCES},    {404, -ENOENT},
		{409, -EEXIST}, {410, -ENOENT}, {413, -EMSGSIZE},  {415, -EINVAL},
		{422, -EINVAL}, {429, -EBUSY},  {503, -ETIMEDOUT},
	};

	for (size_t i = 0; i < SN_COUNT(errors); i++)
		if (errors[i].status == status)
			return errors[i].error;
	return -EIO;
}

int sn_client_refused(const struct sn_client *client, const struct sn_http_answer *answer,
		      struct sn_err *err)
{
	int error = status_error(answer->status);
	sn_autojson json_t *problem = NULL;
	const char *detail = NULL;

	if (answer->body.n > 0 && answer->body.n <= PROBLEM_MAX)
		problem = sn_json_parse(answer->body.p, answer->body.n, NULL);
	if (answer->status == 401 && client->authorisation == NULL)
		return sn_err_set(err, error,
				  "the hub at '%.*s' wants to know who asks (put an API token into "
				  "a file and name it in SONDE_TOKEN_FILE)",
				  URL_SHOWN_MAX, client->place.url);
	if (problem != NULL)
		detail = json_string_value(json_object_get(problem, "detail"));
	if (problem != NULL && detail == NULL)
		detail = json_string_value(json_object_get(problem, "title"));
	if (detail != NULL)
		return sn_err_set(err, error, "%s", detail);
	return sn_err_set(err, error, "the hub at '%.*s' answered %u", URL_SHOWN_MAX,
			  client->place.url, answer->status);
}

int sn_client_unreachable(const struct sn_client *client, const struct sn_http_answer *answer,
			  struct sn_err *err)
{
	const struct sn_place *place = &client->place;

	if (place->local && answer->error == -ECONNREFUSED)
		return sn_err_set(err, answer->error,
				  "cannot reach the hub on this machine at '%.*s': connection "
				  "refused (it is not running; 'sonde up' starts one)",
				  URL_SHOWN_MAX, place->url);
	if (answer->error == -EKEYREJECTED && place->ca_file == NULL)
		return sn_err_set(err, answer->error,
				  "%.400s (name its CA certificate in SONDE_CA_FILE)",
				  answer->err.text);
	return sn_err_set(err, answer->error, "%s", answer->err.text);
}

/* Calls ----------------------------------------------------------------- */

static int take_answer(const struct call *call, const struct sn_http_answer *answer)
{
	if (answer->error == -ECANCELED && call->fn_error != 0)
		return call->fn_error;
	if (answer->error != 0)
		return sn_client_unreachable(call->client, answer, call->err);
	if (answer->status < 200 || answer->status > 299)
		return sn_client_refused(call->client, answer, call->err);
	if (call->answer == NULL || answer->body.n == 0)
		return 0;
	*call->answer = sn_json_parse(answer->body.p, answer->body.n, call->err);
	if (*call->answer != NULL)
		return 0;
	sn_err_wrap(call->err, "the answer of the hub at '%.*s'", URL_SHOWN_MAX,
		    call->client->place.url);
	return -EPROTO;
}

static void call_done(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		      void *ctx)
{
	struct call *call = ctx;

	call->error = take_answer(call, answer);
	call->done = true;
	sn_client_wake(call->client);
}

static int call_data(struct sn_http_fetch *fetch SN_UNUSED, struct sn_str piece, void *ctx)
{
	struct call *call = ctx;

	call->fn_error = call->fn(piece, call->ctx);
	return call->fn_error;
}

struct headers {
	const char *lines[HEADERS_MAX];
	size_t count;
};

static void add_header(struct headers *headers, const char *line)
{
	assert(headers->count + 1 < HEADERS_MAX);
	if (line != NULL)
		headers->lines[headers->count++] = line;
}

int sn_client_wait(struct sn_client *client, const bool *done)
{
	/* Signals stop the loop with 0; we and an event stream that is open stop it with 1. */
	while (!*done)
		if (sn_loop_run(client->loop) == 0)
			return -EINTR;
	return 0;
}

void sn_client_wake(struct sn_client *client)
{
	sn_loop_stop(client->loop, 1);
}

static int run_call(struct call *call, struct sn_http_fetch_spec *spec)
{
	struct sn_http_fetch *fetch;

	spec->on_done = call_done;
	spec->ctx = call;
	fetch = sn_http_fetch(call->client->http, spec);
	if (fetch == NULL)
		return sn_err_set(call->err, -EINVAL, "'%.*s' cannot be asked for", URL_SHOWN_MAX,
				  spec->url);
	if (sn_client_wait(call->client, &call->done) == 0)
		return call->error;
	sn_http_fetch_cancel(fetch);
	return sn_err_set(call->err, -EINTR, "interrupted");
}

int sn_client_call(struct sn_client *client, const char *method, const char *path,
		   const json_t *body, json_t **answer, struct sn_err *err)
{
	sn_autofree char *url = sn_xasprintf("%s%s", client->place.url, path);
	sn_autofree char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	json_t *unwanted = NULL;
	struct call call = {.client = client, .err = err, .answer = &unwanted};
	struct headers headers = {0};
	struct sn_http_fetch_spec spec = {
		.method = method,
		.url = url,
		.headers = headers.lines,
		.body = text,
		.body_size = text != NULL ? strlen(text) : 0,
	};
	int rc;

	add_header(&headers, "Accept: application/json");
	add_header(&headers, text != NULL ? "Content-Type: application/json" : NULL);
	add_header(&headers, client->authorisation);
	if (answer != NULL) {
		*answer = NULL;
		call.answer = answer;
	}
	rc = run_call(&call, &spec);
	json_decref(unwanted);
	return rc;
}

int sn_client_send(struct sn_client *client, const char *method, const char *path,
		   const char *const *lines, struct sn_str body, uint64_t timeout_ns,
		   struct sn_err *err)
{
	sn_autofree char *url = sn_xasprintf("%s%s", client->place.url, path);
	struct call call = {.client = client, .err = err};
	struct headers headers = {0};
	struct sn_http_fetch_spec spec = {
		.method = method,
		.url = url,
		.headers = headers.lines,
		.body = body.p,
		.body_size = body.n,
		.timeout_ns = timeout_ns,
		.idle_timeout_ns = timeout_ns,
	};

	while (*lines != NULL)
		add_header(&headers, *lines++);
	add_header(&headers, client->authorisation);
	return run_call(&call, &spec);
}

int sn_client_get(struct sn_client *client, const char *path, json_t **answer, struct sn_err *err)
{
	int rc = sn_client_call(client, "GET", path, NULL, answer, err);

	if (rc == 0 && *answer == NULL)
		return sn_err_set(err, -EPROTO, "the hub at '%.*s' answered nothing", URL_SHOWN_MAX,
				  client->place.url);
	return rc;
}

static int walk_page(const json_t *page, sn_client_item_fn *fn, void *ctx, struct sn_err *err)
{
	const json_t *items = json_object_get(page, "items");
	int rc = 0;

	if (!json_is_array(items))
		return sn_err_set(err, -EPROTO, "the hub's answer is no list");
	for (size_t i = 0; i < json_array_size(items) && rc == 0; i++)
		rc = fn(json_array_get(items, i), ctx);
	return rc;
}

static char *page_path(const char *path, const char *cursor)
{
	struct sn_buf buf = {0};

	sn_buf_adds(&buf, path);
	if (cursor != NULL) {
		sn_buf_addc(&buf, strchr(path, '?') != NULL ? '&' : '?');
		sn_buf_adds(&buf, "cursor=");
		sn_url_encode(&buf, sn_str(cursor));
	}
	sn_buf_cstr(&buf);
	return buf.p;
}

int sn_client_each(struct sn_client *client, const char *path, sn_client_item_fn *fn, void *ctx,
		   struct sn_err *err)
{
	sn_autofree char *cursor = NULL;
	int rc = 0;

	for (unsigned page = 0; rc == 0 && page < PAGES_MAX; page++) {
		sn_autofree char *full = page_path(path, cursor);
		sn_autojson json_t *answer = NULL;
		const char *next;

		rc = sn_client_get(client, full, &answer, err);
		if (rc == 0)
			rc = walk_page(answer, fn, ctx, err);
		next = json_string_value(json_object_get(answer, "next"));
		if (rc != 0 || next == NULL)
			return rc;
		free(cursor);
		cursor = sn_xstrdup(next);
	}
	return rc;
}

int sn_client_stream(struct sn_client *client, const char *path, const char *accept,
		     sn_client_piece_fn *fn, void *ctx, struct sn_err *err)
{
	sn_autofree char *url = sn_xasprintf("%s%s", client->place.url, path);
	sn_autofree char *accept_line = sn_xasprintf("Accept: %s", accept);
	struct call call = {.client = client, .err = err, .fn = fn, .ctx = ctx};
	struct headers headers = {0};
	struct sn_http_fetch_spec spec = {
		.method = "GET",
		.url = url,
		.headers = headers.lines,
		.timeout_ns = UINT64_MAX,
		/* A question that few rows answer is silent for long. */
		.idle_timeout_ns = STREAM_IDLE_NS,
		.on_data = call_data,
	};

	add_header(&headers, accept_line);
	add_header(&headers, client->authorisation);
	return run_call(&call, &spec);
}
