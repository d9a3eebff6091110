/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "math"
#include "hub/math/math.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "hub/math/take.h"
#include "transfer/announce.h"

struct stream {
	struct sn_list link;
	int64_t id, start_s, created_ns;
	char *name, *type, *url, *by;
	bool local_time;
	struct sn_math_worker *worker; /* NULL: it could not be started */
};

struct ending { /* a worker that was told to stop */
	struct sn_list link;
	struct sn_math_worker *worker;
	char *ledger, *part;
};

struct sn_math {
	struct sn_hub *hub;
	char *dir;
	struct sn_list streams, endings;
	size_t count;

	pthread_mutex_t lock; /* of who we are: workers ask */
	char *cert, *key, *ca;
	unsigned generation;
};

/* Who we are --------------------------------------------------------------------------- */

/* A file that only we can open, as the HTTP client wants files. */
static int in_memory(const char *name, const char *text, char *path, size_t size)
{
	size_t n = strlen(text);
	int fd = memfd_create(name, MFD_CLOEXEC);

	path[0] = '\0';
	if (fd < 0)
		return -1;
	if (write(fd, text, n) != (ssize_t)n) {
		close(fd);
		return -1;
	}
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

/* The hub's own certificate has no file, and needs none. */
static void identify(struct sn_math_identity *identity, void *ctx)
{
	struct sn_math *math = ctx;
	const struct sn_hub_config *config = math->hub->config;

	*identity = (struct sn_math_identity){.cert_fd = -1, .key_fd = -1};
	pthread_mutex_lock(&math->lock);
	identity->generation = math->generation;
	snprintf(identity->ca, sizeof(identity->ca), "%s", math->ca);
	if (config->math_certificate[0] != '\0') {
		snprintf(identity->cert, sizeof(identity->cert), "%s", config->math_certificate);
		snprintf(identity->key, sizeof(identity->key), "%s", config->math_key);
	} else {
		identity->cert_fd = in_memory("certificate", math->cert, identity->cert,
					      sizeof(identity->cert));
		identity->key_fd =
			in_memory("key", math->key, identity->key, sizeof(identity->key));
	}
	pthread_mutex_unlock(&math->lock);
}

static unsigned generation_now(void *ctx)
{
	struct sn_math *math = ctx;
	unsigned generation;

	pthread_mutex_lock(&math->lock);
	generation = math->generation;
	pthread_mutex_unlock(&math->lock);
	return generation;
}

static void wipe(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void learn_identity(struct sn_math *math)
{
	struct sn_http_tls tls = sn_identity_tls(math->hub->identity);
	const char *cert = tls.cert_pem != NULL ? tls.cert_pem : "";

	if (math->cert != NULL && strcmp(math->cert, cert) == 0)
		return;
	pthread_mutex_lock(&math->lock);
	free(math->cert);
	wipe(math->key);
	math->cert = sn_xstrdup(cert);
	math->key = sn_xstrdup(tls.key_pem != NULL ? tls.key_pem : "");
	math->generation++;
	pthread_mutex_unlock(&math->lock);
}

/* Streams ------------------------------------------------------------------------------- */

static char *file_of(const struct sn_math *math, int64_t id, const char *end)
{
	return sn_xasprintf("%s/%lld.%s", math->dir, (long long)id, end);
}

static void stream_free(struct stream *stream)
{
	free(stream->name);
	free(stream->type);
	free(stream->url);
	free(stream->by);
	free(stream);
}

static void start(struct sn_math *math, struct stream *stream)
{
	sn_autofree char *ledger = file_of(math, stream->id, "sqlite");
	sn_autofree char *part = file_of(math, stream->id, "part");
	const struct sn_hub_config *hub = math->hub->config;
	struct sn_math_worker_config config = {
		.stream = stream->name,
		.type = stream->type,
		.url = stream->url,
		.start_s = stream->start_s,
		.local_time = stream->local_time,
		.ledger = ledger,
		.part = part,
		.store = math->hub->store_dir,
		.file_max = hub->math_file_max,
		.poll_ns = hub->math_poll,
		.quarantine = math->hub->quarantine,
		.identify = identify,
		.generation = generation_now,
		.ctx = math,
	};
	struct sn_err err = {0};

	if (sn_math_worker_start(&config, &stream->worker, &err) != 0)
		sn_error("%s", err.text);
}

static struct stream *find(const struct sn_math *math, int64_t id)
{
	sn_list_for_each (link, &math->streams) {
		struct stream *stream = sn_list_entry(link, struct stream, link);

		if (stream->id == id)
			return stream;
	}
	return NULL;
}

static struct stream *find_named(const struct sn_math *math, const char *name)
{
	sn_list_for_each (link, &math->streams) {
		struct stream *stream = sn_list_entry(link, struct stream, link);

		if (strcmp(stream->name, name) == 0)
			return stream;
	}
	return NULL;
}

static void keep(struct sn_math *math, struct stream *stream)
{
	sn_list_append(&math->streams, &stream->link);
	math->count++;
}

static char *column(sqlite3_stmt *row, int i)
{
	const char *text = (const char *)sqlite3_column_text(row, i);

	return sn_xstrdup(text != NULL ? text : "");
}

static int load(struct sn_math *math, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(math->hub->control, err,
					"SELECT id, stream, type, url, start, local_time, by,"
					" created FROM math_streams ORDER BY id",
					"");
	int got;

	if (row == NULL)
		return err->code;
	while ((got = sn_db_next(math->hub->control, row, err)) == 1) {
		struct stream *stream = sn_new(struct stream);

		stream->id = sqlite3_column_int64(row, 0);
		stream->name = column(row, 1);
		stream->type = column(row, 2);
		stream->url = column(row, 3);
		stream->start_s = sqlite3_column_type(row, 4) == SQLITE_NULL
					  ? SN_MATH_TIME_UNKNOWN
					  : sqlite3_column_int64(row, 4);
		stream->local_time = sqlite3_column_int(row, 5) != 0;
		stream->by = column(row, 6);
		stream->created_ns = sqlite3_column_int64(row, 7);
		keep(math, stream);
	}
	sn_db_done(row);
	return got;
}

/* On a thread that may outlive us: of the hub only what does not change. */
static int take_again(const struct sn_quarantine_copy *copy, size_t *rows, void *ctx,
		      struct sn_err *err)
{
	const struct sn_hub *hub = ctx;
	sn_autofree char *file =
		sn_xasprintf("%s/math/again-%lld", hub->config->state, (long long)copy->id);

	return sn_math_take_again(copy, hub->store_dir, file, rows, err);
}

int sn_math_open(struct sn_hub *hub, struct sn_math **out, struct sn_err *err)
{
	struct sn_math *math = sn_new(struct sn_math);
	int rc;

	math->hub = hub;
	math->dir = sn_fs_join(hub->config->state, "math");
	sn_list_init(&math->streams);
	sn_list_init(&math->endings);
	pthread_mutex_init(&math->lock, NULL);
	math->ca = sn_xstrdup(hub->config->math_ca[0] != '\0' ? hub->config->math_ca
							      : sn_identity_ca_file(hub->identity));
	learn_identity(math);
	sn_retry_handle(hub->retry, "math:", take_again, hub);
	rc = sn_fs_mkdirs(math->dir, 0700, err);
	if (rc == 0)
		rc = load(math, err);
	if (rc != 0) {
		sn_math_close(math);
		return sn_err_wrap(err, "cannot fetch logs from probes");
	}
	/* A replica gets the rows from its primary. */
	if (hub->follower == NULL) {
		sn_list_for_each (link, &math->streams)
			start(math, sn_list_entry(link, struct stream, link));
	}
	*out = math;
	return 0;
}

/* Ending --------------------------------------------------------------------------------- */

static void end(struct ending *ending)
{
	sn_math_worker_join(ending->worker);
	sn_math_ledger_remove(ending->ledger);
	sn_math_part_clean(ending->part);
	sn_list_remove(&ending->link);
	free(ending->ledger);
	free(ending->part);
	free(ending);
}

void sn_math_tick(struct sn_math *math)
{
	learn_identity(math);
	sn_list_for_each (link, &math->endings) {
		struct ending *ending = sn_list_entry(link, struct ending, link);

		if (ending->worker == NULL || sn_math_worker_has_ended(ending->worker))
			end(ending);
	}
}

void sn_math_close(struct sn_math *math)
{
	if (math == NULL)
		return;
	/* All first, so that their ends overlap. */
	sn_list_for_each (link, &math->streams) {
		struct stream *stream = sn_list_entry(link, struct stream, link);

		if (stream->worker != NULL)
			sn_math_worker_stop(stream->worker);
	}
	while (!sn_list_empty(&math->endings))
		end(sn_list_entry(math->endings.next, struct ending, link));
	while (!sn_list_empty(&math->streams)) {
		struct stream *stream = sn_list_entry(math->streams.next, struct stream, link);

		sn_math_worker_join(stream->worker);
		sn_list_remove(&stream->link);
		stream_free(stream);
	}
	pthread_mutex_destroy(&math->lock);
	free(math->dir);
	free(math->cert);
	wipe(math->key);
	free(math->ca);
	free(math);
}

/* Adding and removing -------------------------------------------------------------------- */

static bool is_loopback(const char *url)
{
	char host[SN_MATH_URL_MAX];
	struct sn_addr addr;

	if (sn_math_callback_host(url, host, sizeof(host)) != 0)
		return false;
	if (strcmp(host, "localhost") == 0)
		return true;
	return sn_addr_parse(sn_str(host), 0, &addr) == 0 && sn_addr_is_loopback(&addr);
}

static int check(const struct sn_math *math, const struct sn_math_order *order, struct sn_err *err)
{
	if (!sn_math_stream_is_good(sn_str(order->stream)))
		return sn_err_set(err, -EINVAL,
				  "stream: letters, digits, '.', '_', '-' only, at most %d",
				  SN_MATH_STREAM_MAX);
	if (!sn_math_callback_is_good(order->url))
		return sn_err_set(
			err, -EINVAL,
			"url: not like 'https://host:port' or, plain, 'http://host:port'");
	if (!sn_str_has_prefix(sn_str(order->url), "https://") && !math->hub->config->math_plain &&
	    !is_loopback(order->url))
		return sn_err_set(err, -EINVAL,
				  "url: plain HTTP to another machine (use https://, or set "
				  "'math_plain' in the hub's configuration)");
	return sn_math_type_check(order->type, err);
}

static int store(struct sn_math *math, struct stream *stream, struct sn_err *err)
{
	int rc = sn_db_run(math->hub->control, err,
			   "INSERT INTO math_streams (stream, type, url, start, local_time, by,"
			   " created) VALUES (?, ?, ?, nullif(?, ?), ?, ?, ?)",
			   "tttiiiti", stream->name, stream->type, stream->url, stream->start_s,
			   (int64_t)SN_MATH_TIME_UNKNOWN, (int64_t)stream->local_time, stream->by,
			   stream->created_ns);

	if (rc < 0)
		return rc;
	stream->id = sqlite3_last_insert_rowid(sn_db_handle(math->hub->control));
	return 0;
}

int sn_math_add(struct sn_math *math, const struct sn_math_order *order, int64_t *id,
		struct sn_err *err)
{
	struct stream *stream = find_named(math, order->stream);
	bool has_scheme = strstr(order->url, "://") != NULL;
	int rc;

	if (stream != NULL) {
		*id = stream->id;
		return 1;
	}
	rc = check(math, order, err);
	if (rc != 0)
		return rc;
	if (math->count >= SN_MATH_STREAMS_MAX)
		return sn_err_set(err, -E2BIG, "the hub fetches %d streams at most",
				  SN_MATH_STREAMS_MAX);
	stream = sn_new(struct stream);
	stream->name = sn_xstrdup(order->stream);
	stream->type = sn_xstrdup(order->type);
	stream->url = sn_xasprintf("%s%s", has_scheme ? "" : "http://", order->url);
	stream->by = sn_xstrdup(order->by);
	stream->start_s = order->start_s;
	stream->local_time = order->local_time;
	stream->created_ns = sn_hub_now(math->hub);
	rc = store(math, stream, err);
	if (rc != 0) {
		stream_free(stream);
		return rc;
	}
	keep(math, stream);
	start(math, stream);
	*id = stream->id;
	sn_notice("stream is fetched from now on stream=%s url=%s by=%s", stream->name, stream->url,
		  stream->by);
	return 0;
}

int sn_math_remove(struct sn_math *math, int64_t id, struct sn_err *err)
{
	struct stream *stream = find(math, id);
	struct ending *ending;
	int rc;

	if (stream == NULL)
		return sn_err_set(err, -ENOENT, "there is no stream with that id");
	rc = sn_db_run(math->hub->control, err, "DELETE FROM math_streams WHERE id = ?", "i", id);
	if (rc < 0)
		return rc;
	ending = sn_new(struct ending);
	ending->worker = sn_steal(&stream->worker);
	ending->ledger = file_of(math, id, "sqlite");
	ending->part = file_of(math, id, "part");
	sn_list_append(&math->endings, &ending->link);
	if (ending->worker != NULL)
		sn_math_worker_stop(ending->worker);
	sn_list_remove(&stream->link);
	math->count--;
	stream_free(stream);
	return 0;
}

const char *sn_math_owner(const struct sn_math *math, int64_t id)
{
	const struct stream *stream = find(math, id);

	return stream != NULL ? stream->by : NULL;
}

void sn_math_each(struct sn_math *math, sn_math_view_fn *fn, void *ctx)
{
	sn_list_for_each (link, &math->streams) {
		const struct stream *stream = sn_list_entry(link, struct stream, link);
		struct sn_math_view view = {
			.id = stream->id,
			.start_s = stream->start_s,
			.created_ns = stream->created_ns,
			.stream = stream->name,
			.type = stream->type,
			.url = stream->url,
			.by = stream->by,
			.local_time = stream->local_time,
		};

		if (stream->worker != NULL)
			sn_math_worker_status(stream->worker, &view.status);
		else
			view.status = (struct sn_math_status){
				.state = SN_MATH_FAILING,
				.reason = "it is not fetched here",
				.totals.position_s = SN_MATH_TIME_UNKNOWN,
			};
		fn(&view, ctx);
	}
}
