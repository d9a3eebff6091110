/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "replica"
#include "hub/follower.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "store/follow.h"
#include "store/sqlite.h"

#define TURN_NS    (100 * SN_NS_PER_MS) /* how soon an end is noticed */
#define TIMEOUT_NS (120 * SN_NS_PER_S)
#define PAUSE_MAX  30 /* seconds after a failure */
#define VISIT      16 /* answers of one place before the next gets its turn */
#define TOKEN_MAX  4096
#define ITEMS_MAX  1000000
#define FORGET_NS  (60 * SN_NS_PER_S)

struct sn_follower {
	char *url, *id, *token_file;
	int64_t interval_ns;
	uint64_t retention_days;
	bool drop;
	struct sn_loop *loop;
	struct sn_http_client *client;
	struct sn_store *store;
	uv_thread_t thread;
	atomic_bool stop;
	uv_mutex_t lock;
	struct sn_follower_status status;
	/* Of the thread. */
	struct sn_map *reached; /* place to int64_t, malloc'ed: rows before it are here */
	char *session;          /* of the primary */
	bool behind;            /* there is more to fetch at once */
	uint64_t forget_ns;     /* when `reached` is looked up again */
};

/* Asking -------------------------------------------------------------------------------- */

struct call {
	bool done;
	unsigned status;
	struct sn_buf *body;
	struct sn_err err;
};

static void answered(struct sn_http_fetch *fetch, const struct sn_http_answer *answer, void *ctx)
{
	struct call *call = ctx;

	(void)fetch;
	call->done = true;
	call->status = answer->status;
	if (answer->error != 0)
		call->err = answer->err;
	else
		sn_buf_add(call->body, answer->body.p, answer->body.n);
}

/* The file is read each time: a token can be renewed while the hub runs. */
static int read_token(const struct sn_follower *follower, char *header, size_t size,
		      struct sn_err *err)
{
	struct sn_buf text = {0};
	struct sn_str token;
	int rc = sn_fs_read(follower->token_file, TOKEN_MAX, &text, err);

	token = sn_str_trim(sn_buf_str(&text));
	if (rc == 0 &&
	    (token.n == 0 || token.n > size - 32 || memchr(token.p, '\n', token.n) != NULL))
		rc = sn_err_set(err, -EINVAL, "'%s' holds no token", follower->token_file);
	if (rc == 0)
		snprintf(header, size, "Authorization: Bearer %.*s", (int)token.n, token.p);
	sn_buf_finish(&text);
	return rc;
}

static int judge(const struct call *call, struct sn_err *err)
{
	char said[SN_HTTP_SAID_MAX];

	if (call->err.code != 0) {
		*err = call->err;
		return err->code;
	}
	if (call->status == 200)
		return 0;
	sn_http_problem_said(sn_buf_str(call->body), said);
	return sn_err_set(err,
			  call->status == 404   ? -ENOENT
			  : call->status == 503 ? -EBUSY
						: -EACCES,
			  "the primary answered %u%s%s", call->status, said[0] != '\0' ? ": " : "",
			  said);
}

static int ask(struct sn_follower *follower, const char *path, struct sn_buf *body,
	       struct sn_err *err)
{
	sn_autofree char *url = sn_xasprintf("%s%s", follower->url, path);
	char authorization[512];
	const char *headers[] = {authorization, NULL};
	struct call call = {.body = body};
	struct sn_http_fetch_spec spec = {
		.method = "GET",
		.url = url,
		.headers = follower->token_file[0] != '\0' ? headers : NULL,
		.timeout_ns = TIMEOUT_NS,
		.on_done = answered,
		.ctx = &call,
	};
	struct sn_http_fetch *fetch;

	if (spec.headers != NULL &&
	    read_token(follower, authorization, sizeof(authorization), err) != 0)
		return err->code;
	fetch = sn_http_fetch(follower->client, &spec);
	if (fetch == NULL)
		return sn_err_set(err, -EINVAL, "'%s' is no URL", url);
	while (!call.done && !atomic_load(&follower->stop))
		sn_loop_turn(follower->loop, TURN_NS);
	if (!call.done) {
		sn_http_fetch_cancel(fetch);
		return sn_err_set(err, -ECANCELED, "it was ended");
	}
	return judge(&call, err);
}

/* Rows ------------------------------------------------------------------------------------- */

static char *key_of(const struct sn_feed_place *place)
{
	return sn_xasprintf("%d/%" PRIu32 "/%s/%u", (int)place->day, place->epoch, place->dataset,
			    place->version);
}

/* Up to where rows of the place are here; looked up once. */
static int64_t *position_of(struct sn_follower *follower, const struct sn_feed_place *place,
			    struct sn_err *err)
{
	sn_autofree char *key = key_of(place);
	int64_t *reached = sn_map_get(follower->reached, key), next;

	if (reached != NULL)
		return reached;
	if (sn_follow_position(follower->store, place, &next, err) != 0)
		return NULL;
	reached = sn_new(int64_t);
	*reached = next;
	sn_map_set(follower->reached, key, reached);
	return reached;
}

static void count(struct sn_follower *follower, const struct sn_follow_sum *sum)
{
	uv_mutex_lock(&follower->lock);
	follower->status.rows += sum->rows;
	follower->status.missing += sum->missing;
	uv_mutex_unlock(&follower->lock);
	if (sum->missing > 0)
		sn_warn("rows are missing that the primary has moved to ClickHouse rows=%" PRIu64,
			sum->missing);
}

/* One answer; `more` when another one may follow. */
static int fetch_rows(struct sn_follower *follower, const struct sn_feed_place *place,
		      int64_t *reached, bool *more, struct sn_err *err)
{
	char day[SN_DAY_NAME_SIZE];
	sn_autofree char *path = sn_xasprintf("/api/v1/store/rows/%s/%s/%u?epoch=%" PRIu32
					      "&from=%" PRId64 "&replica=%s",
					      sn_day_name(place->day, day), place->dataset,
					      place->version, place->epoch, *reached, follower->id);
	struct sn_follow_sum sum = {0};
	struct sn_buf body = {0};
	int rc = ask(follower, path, &body, err);

	if (rc == 0)
		rc = sn_follow_put(follower->store, place, *reached, sn_buf_str(&body), &sum, err);
	sn_buf_finish(&body);
	*more = rc == 0 && sum.next > *reached;
	if (rc == 0) {
		*reached = sum.next;
		count(follower, &sum);
	}
	return rc;
}

static int fetch_place(struct sn_follower *follower, const struct sn_feed_item *item,
		       bool say_again, struct sn_err *err)
{
	int64_t *reached = position_of(follower, &item->place, err);
	bool more = true;
	int rc = 0;

	if (reached == NULL)
		return err->code;
	if (*reached >= item->next && !say_again)
		return 0;
	/* The last question, whose answer is empty, tells the primary that the rest has arrived. */
	for (unsigned i = 0; rc == 0 && more && i < VISIT; i++)
		rc = fetch_rows(follower, &item->place, reached, &more, err);
	follower->behind |= rc == 0 && more;
	if (rc == -ESTALE || rc == -EUCLEAN) {
		/* The day's file here was set aside or dropped: where we are is looked up again. */
		sn_autofree char *key = key_of(&item->place);

		sn_map_remove(follower->reached, key);
		follower->behind = true;
		rc = 0;
	}
	/* It was dropped there since the list was made. */
	return rc == -ENOENT ? 0 : rc;
}

/* The list ------------------------------------------------------------------------------------ */

static bool read_item(const json_t *json, struct sn_feed_item *item)
{
	const char *day = json_string_value(json_object_get(json, "day"));
	const char *dataset = json_string_value(json_object_get(json, "dataset"));
	json_int_t epoch = json_integer_value(json_object_get(json, "epoch"));
	json_int_t version = json_integer_value(json_object_get(json, "version"));

	*item = (struct sn_feed_item){
		.next = json_integer_value(json_object_get(json, "next")),
	};
	if (day == NULL || sn_day_parse(sn_str(day), &item->place.day) != 0 || dataset == NULL ||
	    strlen(dataset) >= sizeof(item->place.dataset) || epoch < 1 || epoch > UINT32_MAX ||
	    version < 0 || version > UINT16_MAX || item->next < 1)
		return false;
	/* It becomes part of a path. */
	for (const char *p = dataset; *p != '\0'; p++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *p) ==
		    NULL)
			return false;
	snprintf(item->place.dataset, sizeof(item->place.dataset), "%s", dataset);
	item->place.epoch = (uint32_t)epoch;
	item->place.version = (unsigned)version;
	return dataset[0] != '\0';
}

static bool is_too_old(const struct sn_follower *follower, int32_t day)
{
	return follower->retention_days > 0 &&
	       day < sn_day_of(sn_wall_ns()) - (int64_t)follower->retention_days;
}

static int take_items(struct sn_follower *follower, const json_t *items, bool say_again,
		      struct sn_err *err)
{
	int rc = 0;

	follower->behind = false;
	/* The newest day first: what happens now is seen soon even when a year is to be fetched. */
	for (size_t i = json_array_size(items); rc == 0 && i > 0; i--) {
		struct sn_feed_item item;

		if (!read_item(json_array_get(items, i - 1), &item))
			return sn_err_set(err, -EBADMSG,
					  "the primary's list is none that is known here");
		if (!is_too_old(follower, item.place.day))
			rc = fetch_place(follower, &item, say_again, err);
	}
	return rc;
}

struct dropping {
	const json_t *items;
	char days[64][SN_DAY_NAME_SIZE];
	unsigned count;
};

static int note_dropped(const struct sn_store_day *day, void *ctx)
{
	struct dropping *dropping = ctx;
	const json_t *item;
	size_t i;

	json_array_foreach (dropping->items, i, item) {
		const char *there = json_string_value(json_object_get(item, "day"));

		if (there != NULL && strcmp(there, day->day) == 0)
			return 0;
	}
	if (dropping->count < SN_COUNT(dropping->days))
		memcpy(dropping->days[dropping->count++], day->day, SN_DAY_NAME_SIZE);
	return 0;
}

/* A primary that has nothing at all has lost it: that is no reason to lose it here, too. */
static int drop_days(struct sn_follower *follower, const json_t *items, struct sn_err *err)
{
	struct dropping dropping = {.items = items};
	int rc = json_array_size(items) > 0
			 ? sn_store_days(follower->store, note_dropped, &dropping, err)
			 : 0;

	for (unsigned i = 0; rc == 0 && i < dropping.count; i++) {
		rc = sn_store_drop_day(follower->store, dropping.days[i], err);
		if (rc == 0)
			sn_notice("a day was dropped as at the primary day=%s", dropping.days[i]);
		uv_mutex_lock(&follower->lock);
		follower->status.dropped += rc == 0;
		uv_mutex_unlock(&follower->lock);
	}
	return rc;
}

/* Whether it is another run of the primary than before. */
static bool is_news(char **known, const char *now)
{
	if (*known != NULL && strcmp(*known, now) == 0)
		return false;
	free(*known);
	*known = sn_xstrdup(now);
	return true;
}

static int take_list(struct sn_follower *follower, const json_t *list, struct sn_err *err)
{
	const json_t *items = json_object_get(list, "items");
	const char *session = json_string_value(json_object_get(list, "session"));
	bool say_again;
	int rc;

	if (!json_is_array(items) || session == NULL || json_array_size(items) > ITEMS_MAX)
		return sn_err_set(err, -EBADMSG, "the primary's list is none that is known here");
	say_again = is_news(&follower->session, session);
	rc = take_items(follower, items, say_again, err);
	if (rc == 0 && follower->drop && !follower->behind)
		rc = drop_days(follower, items, err);
	/* What was not said is said in the next round. */
	if (rc != 0 || (say_again && follower->behind)) {
		free(follower->session);
		follower->session = NULL;
	}
	return rc;
}

/* A day's file may have been set aside or dropped here by somebody else. */
static void forget_positions(struct sn_follower *follower)
{
	uint64_t now_ns = sn_mono_ns();

	if (now_ns < follower->forget_ns)
		return;
	follower->forget_ns = now_ns + FORGET_NS;
	sn_map_destroy(follower->reached);
	follower->reached = sn_map_create(free);
}

static int go_round(struct sn_follower *follower, struct sn_err *err)
{
	sn_autofree char *path = sn_xasprintf("/api/v1/store/replication?replica=%s", follower->id);
	sn_autojson json_t *list = NULL;
	struct sn_buf body = {0};
	int rc = ask(follower, path, &body, err);

	forget_positions(follower);
	if (rc == 0) {
		list = sn_json_parse(body.p, body.n, err);
		rc = list != NULL ? take_list(follower, list, err) : err->code;
	}
	sn_buf_finish(&body);
	return rc;
}

/* The thread ----------------------------------------------------------------------------------- */

static void tell(struct sn_follower *follower, int rc, const struct sn_err *err)
{
	struct sn_follower_status *status = &follower->status;
	enum sn_follower_state before;

	uv_mutex_lock(&follower->lock);
	before = status->state;
	if (rc != 0) {
		status->state = SN_FOLLOWER_UNREACHABLE;
		snprintf(status->reason, sizeof(status->reason), "%s", err->text);
	} else if (follower->behind) {
		status->state = SN_FOLLOWER_LAGGING;
		snprintf(status->reason, sizeof(status->reason), "rows are being fetched");
	} else {
		status->state = status->missing > 0 ? SN_FOLLOWER_INCOMPLETE : SN_FOLLOWER_CURRENT;
		status->current_ns = sn_wall_ns();
		status->reason[0] = '\0';
		if (status->missing > 0)
			snprintf(status->reason, sizeof(status->reason),
				 "%" PRIu64 " rows had gone to ClickHouse at the primary before "
				 "they were fetched",
				 status->missing);
	}
	if (status->state != before && rc != 0)
		sn_warn("cannot follow the primary url=%s: %s", follower->url, err->text);
	else if (status->state != before)
		sn_notice("following the primary url=%s state=%s", follower->url,
			  sn_follower_state_name(status->state));
	uv_mutex_unlock(&follower->lock);
}

static void pause_for(struct sn_follower *follower, int64_t ns)
{
	uint64_t end_ns = sn_mono_ns() + (uint64_t)ns;

	while (!atomic_load(&follower->stop) && sn_mono_ns() < end_ns)
		sn_loop_turn(follower->loop, SN_MIN(TURN_NS, (uint64_t)ns));
}

static void run(void *arg)
{
	struct sn_follower *follower = arg;
	unsigned failures = 0;

	while (!atomic_load(&follower->stop)) {
		struct sn_err err = {0};
		int rc = go_round(follower, &err);

		if (atomic_load(&follower->stop))
			break;
		tell(follower, rc, &err);
		failures = rc != 0 ? SN_MIN(failures + 1, 10U) : 0;
		if (rc != 0)
			pause_for(follower,
				  SN_MIN((int64_t)1 << (failures - 1), (int64_t)PAUSE_MAX) *
					  SN_NS_PER_S);
		else if (!follower->behind)
			pause_for(follower, follower->interval_ns);
	}
}

/* Starting, ending --------------------------------------------------------------------------------
 */

static void destroy(struct sn_follower *follower)
{
	sn_http_client_destroy(follower->client);
	sn_loop_destroy(follower->loop);
	sn_store_close(follower->store);
	sn_map_destroy(follower->reached);
	uv_mutex_destroy(&follower->lock);
	free(follower->session);
	free(follower->url);
	free(follower->id);
	free(follower->token_file);
	free(follower);
}

static const char *or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : NULL;
}

int sn_follower_start(const struct sn_follower_config *config, struct sn_follower **out,
		      struct sn_err *err)
{
	struct sn_http_client_config client = {
		.ca_file = or_null(config->ca),
		.cert_file = or_null(config->certificate),
		.key_file = or_null(config->key),
		.user_agent = "sonde-hub",
	};
	struct sn_follower *follower = sn_new(struct sn_follower);
	size_t n = strlen(config->url);

	while (n > 0 && config->url[n - 1] == '/')
		n--;
	uv_mutex_init(&follower->lock);
	follower->url = sn_xasprintf("%.*s", (int)n, config->url);
	follower->id = sn_xstrdup(config->id);
	follower->token_file = sn_xstrdup(config->token_file != NULL ? config->token_file : "");
	follower->interval_ns = config->interval_ns;
	follower->retention_days = config->retention_days;
	follower->drop = config->drop;
	follower->reached = sn_map_create(free);
	follower->loop = sn_loop_create(NULL);
	follower->client = sn_http_client_create(follower->loop, &client);
	snprintf(follower->status.reason, sizeof(follower->status.reason),
		 "the primary was not asked yet");
	if (sn_store_open(config->store, &follower->store, err) != 0) {
		destroy(follower);
		return err->code;
	}
	if (uv_thread_create(&follower->thread, run, follower) != 0) {
		destroy(follower);
		return sn_err_set(err, -EAGAIN, "cannot start the thread of the replica");
	}
	*out = follower;
	return 0;
}

void sn_follower_stop(struct sn_follower *follower)
{
	if (follower == NULL)
		return;
	atomic_store(&follower->stop, true);
	uv_thread_join(&follower->thread);
	destroy(follower);
}

void sn_follower_status(struct sn_follower *follower, struct sn_follower_status *status)
{
	uv_mutex_lock(&follower->lock);
	*status = follower->status;
	uv_mutex_unlock(&follower->lock);
}

const char *sn_follower_state_name(enum sn_follower_state state)
{
	static const char *const names[] = {
		[SN_FOLLOWER_LAGGING] = "lagging",
		[SN_FOLLOWER_CURRENT] = "current",
		[SN_FOLLOWER_UNREACHABLE] = "unreachable",
		[SN_FOLLOWER_INCOMPLETE] = "incomplete",
	};

	return names[state];
}
