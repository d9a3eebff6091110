/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_client.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "net/http_client_internal.h"

/*
 * A multi handle and its connections.  sn_http_client_reset() starts a new pool;
 * the old one lives until its last request is over, because libcurl has no call
 * that closes idle connections.
 */
struct sn_http_pool {
	struct sn_list link;
	struct sn_http_client *client;
	CURLM *multi;
	struct sn_timer timer;
	struct sn_list socks;
	unsigned running;
};

struct sock { /* a descriptor that libcurl waits for */
	struct sn_list link;
	struct sn_http_pool *pool;
	struct sn_io io;
};

static void settle(struct sn_http_client *client);
static void pool_destroy(struct sn_http_pool *pool);

/* Lifetime of the client -------------------------------------------------- */

static void client_free(struct sn_http_client *client)
{
	while (!sn_list_empty(&client->pools))
		pool_destroy(sn_list_entry(client->pools.next, struct sn_http_pool, link));
	free(client->ca_file);
	free(client->cert_file);
	free(client->key_file);
	free(client->unix_socket);
	free(client->user_agent);
	free(client);
}

/* Around everything that may call back: the client stays until the outermost one leaves. */
static void enter(struct sn_http_client *client)
{
	client->depth++;
}

static void leave(struct sn_http_client *client)
{
	if (!client->in_curl)
		settle(client);
	if (--client->depth == 0 && client->destroyed)
		client_free(client);
}

/* Sockets and time -------------------------------------------------------- */

/* Runs libcurl for `fd`, or for its timeouts. */
static void act(struct sn_http_pool *pool, curl_socket_t fd, int curl_events)
{
	struct sn_http_client *client = pool->client;
	int running;

	enter(client);
	client->in_curl = true;
	curl_multi_socket_action(pool->multi, fd, curl_events, &running);
	client->in_curl = false;
	leave(client);
}

static void sock_ready(struct sn_io *io, int events)
{
	struct sock *sock = sn_container_of(io, struct sock, io);

	act(sock->pool, io->fd,
	    (events & SN_IO_READ ? CURL_CSELECT_IN : 0) |
		    (events & SN_IO_WRITE ? CURL_CSELECT_OUT : 0));
}

static void sock_destroy(struct sock *sock)
{
	sn_io_stop(&sock->io);
	sn_list_remove(&sock->link);
	free(sock);
}

static int watch_socket(CURL *easy SN_UNUSED, curl_socket_t fd, int what, void *ctx, void *sock_ctx)
{
	struct sn_http_pool *pool = ctx;
	struct sock *sock = sock_ctx;
	int events =
		(what & CURL_POLL_IN ? SN_IO_READ : 0) | (what & CURL_POLL_OUT ? SN_IO_WRITE : 0);

	if (what == CURL_POLL_REMOVE) {
		if (sock != NULL)
			sock_destroy(sock);
		return 0;
	}
	if (sock == NULL) {
		sock = sn_new(struct sock);
		sock->pool = pool;
		sn_io_init(&sock->io, pool->client->loop, fd, sock_ready);
		sn_list_append(&pool->socks, &sock->link);
		curl_multi_assign(pool->multi, fd, sock);
	}
	if (events == 0) {
		sn_io_stop(&sock->io);
		return 0;
	}
	return sn_io_start(&sock->io, events) == 0 ? 0 : -1;
}

static void timer_due(struct sn_timer *timer)
{
	act(sn_container_of(timer, struct sn_http_pool, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi SN_UNUSED, long timeout_ms, void *ctx)
{
	struct sn_http_pool *pool = ctx;

	if (timeout_ms < 0)
		sn_timer_stop(&pool->timer);
	else
		sn_timer_in(&pool->timer, (uint64_t)timeout_ms * SN_NS_PER_MS);
	return 0;
}

static struct sn_http_pool *pool_create(struct sn_http_client *client)
{
	struct sn_http_pool *pool = sn_new(struct sn_http_pool);

	pool->client = client;
	pool->multi = curl_multi_init();
	if (pool->multi == NULL)
		abort(); /* out of memory, as in sn_xmalloc() */
	sn_timer_init(&pool->timer, client->loop, timer_due);
	sn_list_init(&pool->socks);
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
	sn_list_add_before(client->pools.next, &pool->link);
	return pool;
}

static void pool_destroy(struct sn_http_pool *pool)
{
	assert(pool->running == 0);
	curl_multi_cleanup(pool->multi);
	while (!sn_list_empty(&pool->socks))
		sock_destroy(sn_list_entry(pool->socks.next, struct sock, link));
	sn_timer_stop(&pool->timer);
	sn_list_remove(&pool->link);
	free(pool);
}

static char *copy(const char *text)
{
	return text == NULL ? NULL : sn_xstrdup(text);
}

struct sn_http_client *sn_http_client_create(struct sn_loop *loop,
					     const struct sn_http_client_config *config)
{
	struct sn_http_client *client = sn_new(struct sn_http_client);
	struct sigaction action;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	/* GnuTLS below libcurl writes with plain send(2). */
	if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);

	client->loop = loop;
	client->ca_file = copy(config->ca_file);
	client->cert_file = copy(config->cert_file);
	client->key_file = copy(config->key_file);
	client->unix_socket = copy(config->unix_socket);
	client->user_agent = sn_xstrdup(config->user_agent != NULL ? config->user_agent
								   : "sonde/" SONDE_VERSION);
	client->insecure = config->insecure;
	client->no_name_check = config->no_name_check;
	sn_list_init(&client->pools);
	sn_list_init(&client->fetches);
	sn_list_init(&client->starting);
	sn_list_init(&client->doomed);
	pool_create(client);
	return client;
}

void sn_http_client_reset(struct sn_http_client *client)
{
	struct sn_http_pool *old = sn_list_entry(client->pools.next, struct sn_http_pool, link);

	pool_create(client);
	if (old->running == 0 && !client->in_curl)
		pool_destroy(old);
}

/* One request -------------------------------------------------------------- */

static void fetch_free(struct sn_http_fetch *fetch)
{
	sn_timer_stop(&fetch->idle_timer);
	sn_list_remove(&fetch->link);
	curl_easy_cleanup(fetch->easy);
	curl_slist_free_all(fetch->headers);
	sn_buf_finish(&fetch->body);
	free(fetch->url);
	free(fetch->request_body);
	free(fetch);
}

/* Out of libcurl's hands. */
static void fetch_detach(struct sn_http_fetch *fetch)
{
	struct sn_http_pool *pool = fetch->pool;

	if (pool == NULL)
		return;
	curl_multi_remove_handle(pool->multi, fetch->easy);
	fetch->pool = NULL;
	pool->running--;
	if (pool->running == 0 && pool->client->pools.next != &pool->link)
		pool_destroy(pool);
}

void sn_http_fetch_cancel(struct sn_http_fetch *fetch)
{
	if (fetch == NULL || fetch->state != SN_HTTP_FETCH_RUNNING)
		return; /* on_done is on the stack: it is over anyway */
	fetch->state = SN_HTTP_FETCH_DOOMED;
	if (fetch->client->in_curl) {
		sn_list_remove(&fetch->link);
		sn_list_append(&fetch->client->doomed, &fetch->link);
		return;
	}
	fetch_detach(fetch);
	fetch_free(fetch);
}

void sn_http_client_destroy(struct sn_http_client *client)
{
	if (client == NULL || client->destroyed)
		return;
	enter(client);
	client->destroyed = true;
	sn_list_for_each (link, &client->starting)
		sn_http_fetch_cancel(sn_list_entry(link, struct sn_http_fetch, link));
	sn_list_for_each (link, &client->fetches)
		sn_http_fetch_cancel(sn_list_entry(link, struct sn_http_fetch, link));
	leave(client);
}

static void fill_answer(struct sn_http_fetch *fetch, struct sn_http_answer *answer)
{
	struct curl_header *header;
	curl_off_t retry_after = 0;
	long status = 0;

	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(fetch->easy, CURLINFO_RETRY_AFTER, &retry_after);
	answer->status = (unsigned)status;
	answer->retry_after_s = (double)retry_after;
	if (curl_easy_header(fetch->easy, "Content-Type", 0, CURLH_HEADER, -1, &header) ==
	    CURLHE_OK)
		answer->content_type = header->value;
	if (curl_easy_header(fetch->easy, "ETag", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		answer->etag = header->value;
	sn_buf_cstr(&fetch->body); /* so that C text functions are safe on it */
	answer->body = sn_buf_str(&fetch->body);
}

static void explain(struct sn_http_fetch *fetch, CURLcode code, struct sn_http_answer *answer)
{
	struct sn_http_failure failure = {
		.easy = fetch->easy,
		.code = code,
		.detail = fetch->detail,
		.url = fetch->url,
		.unix_socket = fetch->client->unix_socket,
		.ca_file = fetch->client->ca_file,
		.has_certificate = fetch->client->cert_file != NULL,
		.stopped_by_caller = fetch->stopped_by_caller,
		.too_large = fetch->too_large,
	};

	answer->error = sn_http_client_explain(&failure, &answer->err);
}

/* The one and only on_done. */
static void fetch_end(struct sn_http_fetch *fetch, CURLcode code)
{
	struct sn_http_answer answer = {0};

	fetch->state = SN_HTTP_FETCH_ENDING;
	sn_timer_stop(&fetch->idle_timer);
	if (code == CURLE_OK)
		fill_answer(fetch, &answer);
	else
		explain(fetch, code, &answer);
	fetch_detach(fetch);
	fetch->on_done(fetch, &answer, fetch->ctx);
	fetch_free(fetch);
}

static void fetch_start(struct sn_http_fetch *fetch)
{
	struct sn_http_client *client = fetch->client;

	fetch->pool = sn_list_entry(client->pools.next, struct sn_http_pool, link);
	fetch->pool->running++;
	sn_list_remove(&fetch->link);
	sn_list_append(&client->fetches, &fetch->link);
	fetch->active_ns = sn_loop_now(client->loop);
	if (fetch->idle_ns != UINT64_MAX)
		sn_timer_in(&fetch->idle_timer, fetch->idle_ns);
	curl_multi_add_handle(fetch->pool->multi, fetch->easy);
}

/* The next request of `pool` that is over. */
static struct sn_http_fetch *next_finished(struct sn_http_pool *pool, CURLcode *code)
{
	struct sn_http_fetch *fetch = NULL;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		*code = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
		return fetch;
	}
	return NULL;
}

static struct sn_http_fetch *any_finished(struct sn_http_client *client, CURLcode *code)
{
	sn_list_for_each (link, &client->pools) {
		struct sn_http_fetch *fetch =
			next_finished(sn_list_entry(link, struct sn_http_pool, link), code);

		if (fetch != NULL)
			return fetch;
	}
	return NULL;
}

/* Does what could not be done inside libcurl, then hands out what is finished. */
static void settle(struct sn_http_client *client)
{
	struct sn_http_fetch *fetch;
	CURLcode code;

	while (!sn_list_empty(&client->doomed)) {
		fetch = sn_list_entry(client->doomed.next, struct sn_http_fetch, link);
		fetch_detach(fetch);
		fetch_free(fetch);
	}
	while (!sn_list_empty(&client->starting))
		fetch_start(sn_list_entry(client->starting.next, struct sn_http_fetch, link));
	/* The callbacks may end other requests, so the messages are asked for one by one. */
	while (!client->destroyed && (fetch = any_finished(client, &code)) != NULL)
		fetch_end(fetch, code);
	/* A pool that was replaced inside libcurl and had nothing to do. */
	sn_list_for_each (link, &client->pools) {
		struct sn_http_pool *pool = sn_list_entry(link, struct sn_http_pool, link);

		if (pool->running == 0 && client->pools.next != link)
			pool_destroy(pool);
	}
}

/* What comes in ------------------------------------------------------------- */

static void active(struct sn_http_fetch *fetch)
{
	fetch->active_ns = sn_loop_now(fetch->client->loop);
}

unsigned sn_http_fetch_status(const struct sn_http_fetch *fetch)
{
	long status = 0;

	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	return (unsigned)status;
}

const char *sn_http_fetch_header(const struct sn_http_fetch *fetch, const char *name)
{
	struct curl_header *header;

	return curl_easy_header(fetch->easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK
		       ? header->value
		       : NULL;
}

/* A refusal is an answer to read, not a piece of what was asked for. */
static bool is_refusal(const struct sn_http_fetch *fetch)
{
	return sn_http_fetch_status(fetch) >= 300;
}

static size_t take_body(char *data, size_t unit, size_t count, void *ctx)
{
	struct sn_http_fetch *fetch = ctx;
	size_t size = unit * count;

	if (fetch->state != SN_HTTP_FETCH_RUNNING)
		return 0;
	active(fetch);
	if (fetch->on_data != NULL && !is_refusal(fetch)) {
		if (fetch->on_data(fetch, (struct sn_str){data, size}, fetch->ctx) == 0)
			return fetch->state == SN_HTTP_FETCH_RUNNING ? size : 0;
		fetch->stopped_by_caller = true;
		return 0;
	}
	if (size > SN_HTTP_CLIENT_BODY_MAX - fetch->body.n) {
		fetch->too_large = true;
		return 0;
	}
	sn_buf_add(&fetch->body, data, size);
	return size;
}

static size_t take_header(char *data SN_UNUSED, size_t unit, size_t count, void *ctx)
{
	struct sn_http_fetch *fetch = ctx;
	size_t size = unit * count;

	active(fetch);
	fetch->header_bytes += size;
	if (fetch->header_bytes > SN_HTTP_CLIENT_HEADER_MAX) {
		fetch->too_large = true;
		return 0;
	}
	return size;
}

/* Nothing came for idle_ns; a slow upload counts as life too. */
static void idle_due(struct sn_timer *timer)
{
	struct sn_http_fetch *fetch = sn_container_of(timer, struct sn_http_fetch, idle_timer);
	struct sn_http_client *client = fetch->client;
	curl_off_t uploaded = 0;

	curl_easy_getinfo(fetch->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
	if (uploaded != fetch->uploaded)
		active(fetch);
	fetch->uploaded = uploaded;
	if (sn_loop_now(client->loop) < fetch->active_ns + fetch->idle_ns) {
		sn_timer_at(timer, fetch->active_ns + fetch->idle_ns);
		return;
	}
	enter(client);
	fetch_end(fetch, CURLE_OPERATION_TIMEDOUT);
	leave(client);
}

/* One more request ------------------------------------------------------------------ */

struct sn_http_fetch *sn_http_fetch(struct sn_http_client *client,
				    const struct sn_http_fetch_spec *spec)
{
	struct sn_http_fetch *fetch;

	assert(spec->on_done != NULL && !client->destroyed);
	assert(spec->body != NULL || spec->body_size == 0);
	if (!sn_http_fetch_is_usable(spec))
		return NULL;

	fetch = sn_new(struct sn_http_fetch);
	fetch->client = client;
	fetch->easy = curl_easy_init();
	if (fetch->easy == NULL)
		abort(); /* out of memory */
	fetch->url = sn_xstrdup(spec->url);
	fetch->on_data = spec->on_data;
	fetch->on_done = spec->on_done;
	fetch->ctx = spec->ctx;
	sn_list_init(&fetch->link);
	sn_timer_init(&fetch->idle_timer, client->loop, idle_due);
	curl_easy_setopt(fetch->easy, CURLOPT_PRIVATE, fetch);
	curl_easy_setopt(fetch->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(fetch->easy, CURLOPT_WRITEDATA, fetch);
	curl_easy_setopt(fetch->easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(fetch->easy, CURLOPT_HEADERDATA, fetch);
	sn_http_fetch_prepare(fetch, spec);
	if (client->in_curl)
		sn_list_append(&client->starting, &fetch->link);
	else
		fetch_start(fetch);
	return fetch;
}
