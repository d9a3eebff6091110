/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discovery: from the client's URL along the links of HTML pages to messages, each URL
 * once, a few at a time, within one scheme, host and port.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "base/mem.h"
#include "peer/answer.h"
#include "peer/client_internal.h"
#include "peer/listing.h"
#include "peer/peer.h"

#define ACCEPT "Accept: " SN_MP_MEDIA_TYPE ", application/json;q=0.9, text/html;q=0.8"

/* An URL that was found; kept to the end, so that none is fetched twice. */
struct page {
	struct sn_list link; /* in waiting, running or seen */
	struct discovery *discovery;
	char *url;
	struct sn_http_fetch *fetch;
};

struct discovery {
	struct sn_list link;
	struct sn_peer_client *client;
	sn_peer_message_fn *fn;
	void *ctx;
	struct sn_map *pages; /* by URL */
	struct sn_list waiting, running, seen;
	size_t running_count, bytes;
	struct sn_mp_message *found;
	struct sn_map *tokens; /* of what is in `found`: index + 1 */
	struct sn_timer timer; /* the time for all of it; or at once when it cannot begin */
	bool too_late;
};

static void free_pages(struct sn_list *list)
{
	sn_list_for_each (node, list) {
		struct page *page = sn_list_entry(node, struct page, link);

		if (page->fetch != NULL)
			sn_http_fetch_cancel(page->fetch);
		sn_list_remove(&page->link);
		free(page->url);
		free(page);
	}
}

static void discovery_free(struct discovery *discovery)
{
	sn_list_remove(&discovery->link);
	sn_timer_stop(&discovery->timer);
	free_pages(&discovery->running);
	free_pages(&discovery->waiting);
	free_pages(&discovery->seen);
	sn_map_destroy(discovery->pages);
	sn_map_destroy(discovery->tokens);
	sn_mp_message_destroy(discovery->found);
	free(discovery);
}

static void finish(struct discovery *discovery, const struct sn_err *err)
{
	sn_automp struct sn_mp_message *found = sn_steal(&discovery->found);
	sn_peer_message_fn *fn = discovery->fn;
	void *ctx = discovery->ctx;

	/* The callback may destroy the client, and this with it. */
	discovery_free(discovery);
	fn(err == NULL ? found : NULL, err, ctx);
}

static void out_of_time(struct sn_timer *timer)
{
	struct discovery *discovery = sn_container_of(timer, struct discovery, timer);
	struct sn_err err = {0};

	if (discovery->too_late)
		sn_err_set(&err, -ETIMEDOUT, "the list of capabilities takes too long to read");
	else
		sn_err_set(&err, -EINVAL, "'%.200s' is no usable URL", discovery->client->url);
	finish(discovery, &err);
}

/* Messages ------------------------------------------------------------------------ */

static bool is_listed(const struct discovery *discovery, const struct sn_mp_message *message)
{
	uintptr_t index;

	if (message->token == NULL)
		return false;
	index = (uintptr_t)sn_map_get(discovery->tokens, message->token);
	return index > 0 && sn_mp_message_equal(discovery->found->contents[index - 1], message);
}

static void keep(struct discovery *discovery, struct sn_mp_message *message)
{
	struct sn_mp_message *found = discovery->found;

	if ((message->kind != SN_MP_CAPABILITY && message->kind != SN_MP_WITHDRAWAL) ||
	    found->content_count >= SN_MP_CONTENTS_MAX || is_listed(discovery, message)) {
		sn_mp_message_destroy(message);
		return;
	}
	sn_mp_add_content(found, message);
	if (message->token != NULL)
		sn_map_set(discovery->tokens, message->token, (void *)found->content_count);
}

static int take_json(struct discovery *discovery, struct sn_str body, struct sn_err *err)
{
	struct sn_mp_message *list =
		sn_peer_listing_read(discovery->client->registries, body.p, body.n, NULL, err);

	if (list == NULL)
		return -EINVAL;
	discovery->found->natives |= list->natives;
	for (size_t i = 0; i < list->content_count; i++)
		keep(discovery, sn_steal(&list->contents[i]));
	list->content_count = 0;
	sn_mp_message_destroy(list);
	return 0;
}

/* Pages --------------------------------------------------------------------------- */

static void add_page(struct discovery *discovery, const char *url)
{
	struct page *page;

	if (sn_map_count(discovery->pages) >= SN_PEER_PAGES_MAX ||
	    sn_map_get(discovery->pages, url) != NULL)
		return;
	page = sn_new(struct page);
	page->discovery = discovery;
	page->url = sn_xstrdup(url);
	sn_list_append(&discovery->waiting, &page->link);
	sn_map_set(discovery->pages, page->url, page);
}

static void found_link(struct sn_str href, void *ctx)
{
	struct page *page = ctx;
	struct sn_buf url = {0};

	/* `href` is NUL-terminated behind its size. */
	if (sn_peer_link_resolve(page->url, href.p, &url) == 0)
		add_page(page->discovery, sn_buf_cstr(&url));
	sn_buf_finish(&url);
}

static bool is_html(const struct sn_http_answer *answer)
{
	return answer->content_type != NULL &&
	       strncasecmp(answer->content_type, "text/html", 9) == 0;
}

/* Only the first page must be there and be of use. */
static int take_page(struct page *page, const struct sn_http_answer *answer, struct sn_err *err)
{
	struct discovery *discovery = page->discovery;
	bool first = sn_map_count(discovery->pages) == 1;
	int rc = 0;

	if (answer->error != 0 || (first && answer->status != 200))
		return sn_peer_answer_error(answer, err);
	discovery->bytes += answer->body.n;
	if (discovery->bytes > SN_PEER_DISCOVER_BYTES)
		return sn_err_set(err, -EMSGSIZE, "the list of capabilities is too large");
	if (answer->status != 200)
		return 0;
	if (is_html(answer))
		sn_peer_links(answer->body, SN_PEER_PAGES_MAX, found_link, page);
	else if (sn_peer_answer_is_json(answer))
		rc = take_json(discovery, answer->body, err);
	else if (first)
		rc = sn_err_set(err, -EPROTO, "there is no list of capabilities (type '%.60s')",
				answer->content_type != NULL ? answer->content_type : "");
	return first ? rc : 0;
}

static int start_waiting(struct discovery *discovery);

static void answered(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct page *page = ctx;
	struct discovery *discovery = page->discovery;
	struct sn_err err = {0};

	page->fetch = NULL;
	sn_list_remove(&page->link);
	sn_list_append(&discovery->seen, &page->link);
	discovery->running_count--;
	if (take_page(page, answer, &err) != 0) {
		finish(discovery, &err);
		return;
	}
	start_waiting(discovery);
	if (discovery->running_count == 0)
		finish(discovery, NULL);
}

static int start_page(struct page *page)
{
	struct sn_peer_client *client = page->discovery->client;
	const char *headers[1 + SN_PEER_PROOFS_MAX + 1] = {ACCEPT};
	struct sn_http_fetch_spec spec = {
		.method = "GET",
		.url = page->url,
		.headers = headers,
		.on_done = answered,
		.ctx = page,
	};

	sn_peer_client_prove(client, page->url, headers + 1);
	page->fetch = sn_http_fetch(client->http, &spec);
	return page->fetch != NULL ? 0 : -EINVAL;
}

static int start_waiting(struct discovery *discovery)
{
	int rc = 0;

	while (!sn_list_empty(&discovery->waiting) &&
	       discovery->running_count < SN_PEER_FETCHES_MAX) {
		struct page *page = sn_list_entry(discovery->waiting.next, struct page, link);

		sn_list_remove(&page->link);
		rc = start_page(page);
		discovery->running_count += rc == 0;
		sn_list_append(rc == 0 ? &discovery->running : &discovery->seen, &page->link);
	}
	return rc;
}

void sn_peer_client_discover(struct sn_peer_client *client, sn_peer_message_fn *fn, void *ctx)
{
	struct discovery *discovery = sn_new(struct discovery);
	struct sn_buf url = {0};

	discovery->client = client;
	discovery->fn = fn;
	discovery->ctx = ctx;
	discovery->pages = sn_map_create(NULL);
	discovery->tokens = sn_map_create(NULL);
	discovery->found = sn_mp_message_create(SN_MP_ENVELOPE, "capability");
	sn_list_init(&discovery->waiting);
	sn_list_init(&discovery->running);
	sn_list_init(&discovery->seen);
	sn_list_append(&client->discoveries, &discovery->link);
	sn_timer_init(&discovery->timer, client->loop, out_of_time);
	/* Written as links to it will be, or it would be read twice. */
	if (sn_peer_link_resolve(client->url, client->url, &url) == 0)
		add_page(discovery, sn_buf_cstr(&url));
	sn_buf_finish(&url);
	discovery->too_late = start_waiting(discovery) == 0 && discovery->running_count > 0;
	sn_timer_in(&discovery->timer, discovery->too_late ? SN_PEER_DISCOVER_NS : 0);
}

void sn_peer_discoveries_drop(struct sn_peer_client *client)
{
	sn_list_for_each (node, &client->discoveries)
		discovery_free(sn_list_entry(node, struct discovery, link));
}
