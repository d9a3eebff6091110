/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "math"
#include "hub/math/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "hub/math/take.h"
#include "transfer/link.h"
#include "transfer/queue.h"

#define AGAIN_MAX_NS   (60 * SN_NS_PER_S)
#define TRIES_MAX      5
#define TRIED_MAX      10000          /* files whose tries are counted */
#define RESERVE        (256ULL << 20) /* bytes of the disk that are left alone */
#define REASON_LIFE_NS (3600 * SN_NS_PER_S)

struct sn_math_worker {
	struct sn_math_worker_config config;
	char *stream, *type, *url, *ledger_path, *part, *store;
	pthread_t thread;
	atomic_bool stop, ended;

	pthread_mutex_t lock; /* of the next four */
	pthread_cond_t wake;
	struct sn_math_link *link;
	struct sn_math_status status;
	int64_t reason_ns;

	/* The thread's own. */
	struct sn_math_ledger *ledger;
	struct sn_math_take *take;
	struct sn_math_identity identity;
	struct sn_math_queue queue;
	struct sn_map *tried; /* number of tries by path */
	char token[SN_MATH_TOKEN_SIZE];
	bool complete; /* nothing of this list has to be tried again */
};

static const char *const state_names[] = {
	[SN_MATH_STARTING] = "starting",   [SN_MATH_FETCHING] = "fetching",
	[SN_MATH_IMPORTING] = "importing", [SN_MATH_CURRENT] = "current",
	[SN_MATH_FAILING] = "failing",
};

const char *sn_math_state_name(enum sn_math_state state)
{
	return state_names[state];
}

/* What is told ------------------------------------------------------------------------- */

static void set_state(struct sn_math_worker *worker, enum sn_math_state state, const char *file)
{
	pthread_mutex_lock(&worker->lock);
	worker->status.state = state;
	snprintf(worker->status.file, sizeof(worker->status.file), "%s", file);
	if (state == SN_MATH_CURRENT && sn_wall_ns() - worker->reason_ns > REASON_LIFE_NS)
		worker->status.reason[0] = '\0';
	pthread_mutex_unlock(&worker->lock);
}

static void tell(struct sn_math_worker *worker, const char *reason)
{
	bool same;

	pthread_mutex_lock(&worker->lock);
	same = strncmp(worker->status.reason, reason, SN_MATH_REASON_MAX - 1) == 0;
	snprintf(worker->status.reason, sizeof(worker->status.reason), "%.*s",
		 (int)sizeof(worker->status.reason) - 1, reason);
	worker->reason_ns = sn_wall_ns();
	pthread_mutex_unlock(&worker->lock);
	if (!same)
		sn_warn("stream=%s %s", worker->stream, reason);
}

static void set_totals(struct sn_math_worker *worker, const struct sn_math_totals *totals)
{
	pthread_mutex_lock(&worker->lock);
	worker->status.totals = *totals;
	pthread_mutex_unlock(&worker->lock);
}

static void heard(struct sn_math_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->status.last_ns = sn_wall_ns();
	/* What held the stream up is over. */
	if (worker->status.state == SN_MATH_FAILING || worker->status.state == SN_MATH_STARTING) {
		worker->status.reason[0] = '\0';
		worker->status.state = SN_MATH_FETCHING;
	}
	pthread_mutex_unlock(&worker->lock);
}

static void set_waiting(struct sn_math_worker *worker, uint64_t files, uint64_t bytes)
{
	pthread_mutex_lock(&worker->lock);
	worker->status.waiting_files = files;
	worker->status.waiting_bytes = bytes;
	pthread_mutex_unlock(&worker->lock);
}

void sn_math_worker_status(struct sn_math_worker *worker, struct sn_math_status *status)
{
	pthread_mutex_lock(&worker->lock);
	*status = worker->status;
	pthread_mutex_unlock(&worker->lock);
}

/* One file ------------------------------------------------------------------------------- */

static int note(struct sn_math_worker *worker, const struct sn_math_wanted *wanted,
		struct sn_math_note *note, struct sn_err *err)
{
	struct sn_math_totals totals = worker->status.totals;
	int rc;

	note->path = wanted->path;
	note->time_s = wanted->time_s;
	rc = sn_math_ledger_note(worker->ledger, note, sn_wall_ns(), &totals, err);
	if (rc == 0)
		set_totals(worker, &totals);
	return rc;
}

static int refuse(struct sn_math_worker *worker, const struct sn_math_wanted *wanted,
		  const char *reason, struct sn_err *err)
{
	struct sn_math_note refused = {
		.sha256 = wanted->entry.sha256,
		.outcome = SN_MATH_REFUSED,
		.reason = reason,
	};

	tell(worker, reason);
	return note(worker, wanted, &refused, err);
}

/* Its own trouble, not the peer's or ours; 0 when the others are to be gone on with. */
static int count_try(struct sn_math_worker *worker, const struct sn_math_wanted *wanted, int error,
		     struct sn_err *err)
{
	uintptr_t tries = (uintptr_t)sn_map_get(worker->tried, wanted->path) + 1;
	char reason[SN_ERR_TEXT_MAX];

	snprintf(reason, sizeof(reason), "%s", err->text);
	*err = (struct sn_err){0};
	/* What changed or went comes again in the list, or never. */
	if (error == -ESTALE || error == -ENOENT) {
		tell(worker, reason);
		return 0;
	}
	if (sn_map_count(worker->tried) >= TRIED_MAX) {
		sn_map_destroy(worker->tried);
		worker->tried = sn_map_create(NULL);
	}
	sn_map_set(worker->tried, wanted->path, (void *)tries);
	if (tries >= TRIES_MAX || (error == -EMSGSIZE && wanted->entry.detailed)) {
		sn_map_remove(worker->tried, wanted->path);
		return refuse(worker, wanted, reason, err);
	}
	tell(worker, reason);
	worker->complete = false;
	return 0;
}

static bool is_of_the_file(int error)
{
	return error == -EBADMSG || error == -EMSGSIZE || error == -ESTALE || error == -ENOENT;
}

static int check_room(struct sn_math_worker *worker, const struct sn_math_wanted *wanted,
		      struct sn_err *err)
{
	uint64_t wants = RESERVE + (wanted->entry.detailed ? wanted->entry.size : 0);
	int64_t there = sn_fs_free_bytes(worker->store);

	if (there >= 0 && (uint64_t)there < wants)
		return sn_err_set(err, -ENOSPC,
				  "the hub's disk is nearly full: %lld MB are free (make room)",
				  (long long)there / 1000000);
	return 0;
}

static int import(struct sn_math_worker *worker, const struct sn_math_wanted *wanted,
		  const struct sn_math_fetched *fetched, struct sn_err *err)
{
	struct sn_math_taken taken = {0};
	struct sn_math_note imported = {.sha256 = fetched->sha256, .size = fetched->size};
	bool again;
	int rc = sn_math_ledger_begin(worker->ledger, fetched->sha256, &again, err);

	if (rc != 0)
		return rc;
	set_state(worker, SN_MATH_IMPORTING, wanted->path);
	rc = sn_math_take_file(worker->take, worker->part, wanted->path, fetched->sha256, &taken,
			       err);
	if (rc != 0)
		return rc;
	imported.outcome = taken.outcome;
	/* What is in the store already is ours if we were cut off before we noted it. */
	if (!taken.duplicate || again) {
		imported.rows = taken.rows;
		imported.bad_lines = taken.bad_lines;
	}
	imported.reason = taken.reason[0] != '\0' ? taken.reason : NULL;
	if (taken.reason[0] != '\0')
		tell(worker, taken.reason);
	rc = note(worker, wanted, &imported, err);
	if (rc == 0)
		sn_math_part_remove(worker->part);
	return rc;
}

/* The part belongs to one file; another begins with none. */
static void claim_part(struct sn_math_worker *worker, const struct sn_math_wanted *wanted)
{
	sn_autofree char *owner = sn_xasprintf("%s.owner", worker->part);
	struct sn_buf was = {0};

	if (sn_fs_read(owner, SN_MATH_PATH_MAX, &was, NULL) != 0 ||
	    strcmp(sn_buf_cstr(&was), wanted->path) != 0) {
		sn_math_part_remove(worker->part);
		(void)sn_fs_write_atomic(owner, wanted->path, strlen(wanted->path), 0600, NULL);
	}
	sn_buf_finish(&was);
}

void sn_math_part_clean(const char *part)
{
	sn_autofree char *owner = sn_xasprintf("%s.owner", part);

	sn_math_part_remove(part);
	unlink(owner);
}

static int bring(struct sn_math_worker *worker, const struct sn_math_wanted *wanted,
		 struct sn_err *err)
{
	struct sn_math_fetched fetched;
	int rc = check_room(worker, wanted, err);

	if (rc != 0)
		return rc;
	set_state(worker, SN_MATH_FETCHING, wanted->path);
	claim_part(worker, wanted);
	rc = sn_math_link_fetch(worker->link, &wanted->entry, worker->part, &fetched, err);
	if (rc != 0)
		return is_of_the_file(rc) ? count_try(worker, wanted, rc, err) : rc;
	heard(worker);
	return import(worker, wanted, &fetched, err);
}

/* The list ---------------------------------------------------------------------------------- */

struct look {
	struct sn_math_worker *worker;
	struct sn_err *err;
	uint64_t files, bytes;
};

static int changed(struct sn_math_worker *worker, const struct sn_math_entry *entry, int64_t time_s,
		   struct sn_err *err)
{
	sn_autofree char *path = sn_xstrndup(entry->path.p, entry->path.n);
	struct sn_math_wanted wanted = {.entry = *entry, .time_s = time_s, .path = path};
	char reason[SN_MATH_REASON_MAX];

	snprintf(reason, sizeof(reason),
		 "'%.100s' changed after it was imported; the new version is left out", path);
	return refuse(worker, &wanted, reason, err);
}

static int consider(const struct sn_math_entry *entry, void *ctx)
{
	struct look *look = ctx;
	struct sn_math_worker *worker = look->worker;
	int64_t time_s = sn_math_path_time(entry->path, worker->config.local_time);
	enum sn_math_known known = SN_MATH_UNKNOWN;
	int rc;

	if (worker->config.start_s != SN_MATH_TIME_UNKNOWN && time_s < worker->config.start_s)
		return 0;
	if (!sn_math_take_wants(worker->take, entry->path))
		return 0;
	rc = sn_math_ledger_find(worker->ledger, entry, &known, look->err);
	if (rc == 0 && known == SN_MATH_CHANGED)
		return changed(worker, entry, time_s, look->err);
	if (rc != 0 || known == SN_MATH_KNOWN)
		return rc;
	sn_math_queue_add(&worker->queue, entry, time_s);
	look->files++;
	look->bytes += entry->size;
	return 0;
}

static int bring_all(struct sn_math_worker *worker, struct look *look, struct sn_err *err)
{
	const struct sn_math_wanted *wanted;
	int rc = 0;

	while (rc == 0 && (wanted = sn_math_queue_take(&worker->queue)) != NULL) {
		rc = bring(worker, wanted, err);
		look->files -= look->files > 0;
		look->bytes -= SN_MIN(look->bytes, wanted->entry.size);
		set_waiting(worker, look->files, look->bytes);
		if (atomic_load(&worker->stop))
			return -ECANCELED;
	}
	return rc;
}

/* One list and what is new in it: 1 when there may be more at once, 0 when all is here. */
static int go_round(struct sn_math_worker *worker, struct sn_err *err)
{
	struct look look = {.worker = worker, .err = err};
	struct sn_math_listing listing;
	int rc;

	sn_math_queue_clear(&worker->queue);
	worker->complete = true;
	rc = sn_math_link_list(worker->link, worker->token, SN_MATH_QUEUE_MAX, consider, &look,
			       &listing, err);
	if (rc != 0)
		return rc;
	heard(worker);
	if (listing.refused > 0) {
		char reason[SN_MATH_REASON_MAX];

		snprintf(reason, sizeof(reason), "%zu entries of the list were refused: %.120s",
			 listing.refused, listing.reason);
		tell(worker, reason);
	}
	set_waiting(worker, look.files, look.bytes);
	rc = bring_all(worker, &look, err);
	if (rc != 0)
		return rc;
	if (!worker->complete)
		return 0; /* the same list again, later */
	if (worker->queue.overflow)
		return 1;
	memcpy(worker->token, listing.token, sizeof(worker->token));
	return listing.token[0] != '\0' && listing.entries > 0;
}

/* The thread --------------------------------------------------------------------------------- */

static void drop_link(struct sn_math_worker *worker)
{
	struct sn_math_link *link;

	pthread_mutex_lock(&worker->lock);
	link = sn_steal(&worker->link);
	pthread_mutex_unlock(&worker->lock);
	sn_math_link_close(link);
	if (worker->identity.cert_fd >= 0)
		close(worker->identity.cert_fd);
	if (worker->identity.key_fd >= 0)
		close(worker->identity.key_fd);
	worker->identity = (struct sn_math_identity){.cert_fd = -1, .key_fd = -1};
}

static const char *or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* A connection under the name that the hub has now. */
static int make_link(struct sn_math_worker *worker, struct sn_err *err)
{
	struct sn_math_link_config config = {
		.url = worker->url,
		.stream = worker->stream,
		.file_max = worker->config.file_max,
		.user_agent = "sonde-hub/" SONDE_VERSION,
	};
	struct sn_math_link *link;
	int rc;

	if (worker->link != NULL &&
	    worker->identity.generation == worker->config.generation(worker->config.ctx))
		return 0;
	drop_link(worker);
	worker->token[0] = '\0';
	worker->config.identify(&worker->identity, worker->config.ctx);
	config.ca_file = or_null(worker->identity.ca);
	config.cert_file = or_null(worker->identity.cert);
	config.key_file = or_null(worker->identity.key);
	rc = sn_math_link_open(&config, &link, err);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&worker->lock);
	worker->link = link;
	pthread_mutex_unlock(&worker->lock);
	return 0;
}

static int open_files(struct sn_math_worker *worker, struct sn_err *err)
{
	struct sn_math_take_config take = {
		.store = worker->store,
		.stream = worker->stream,
		.type = worker->type,
		.quarantine = worker->config.quarantine,
		.stop = &worker->stop,
	};
	struct sn_math_totals totals;
	int rc = 0;

	if (worker->ledger == NULL)
		rc = sn_math_ledger_open(worker->ledger_path, &worker->ledger, err);
	if (rc == 0)
		rc = sn_math_ledger_totals(worker->ledger, &totals, err);
	if (rc != 0)
		return rc;
	set_totals(worker, &totals);
	return worker->take != NULL ? 0 : sn_math_take_open(&take, &worker->take, err);
}

static int try_round(struct sn_math_worker *worker, struct sn_err *err)
{
	int rc = worker->take == NULL ? open_files(worker, err) : 0;

	if (rc == 0)
		rc = make_link(worker, err);
	if (rc == 0)
		rc = go_round(worker, err);
	return rc;
}

static void nap(struct sn_math_worker *worker, int64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	ns += until.tv_nsec;
	until.tv_sec += (time_t)(ns / SN_NS_PER_S);
	until.tv_nsec = (long)(ns % SN_NS_PER_S);
	pthread_mutex_lock(&worker->lock);
	if (!atomic_load(&worker->stop))
		pthread_cond_timedwait(&worker->wake, &worker->lock, &until);
	pthread_mutex_unlock(&worker->lock);
}

static void *work(void *ctx)
{
	struct sn_math_worker *worker = ctx;
	int64_t again_ns = worker->config.poll_ns;

	while (!atomic_load(&worker->stop)) {
		struct sn_err err = {0};
		int rc = try_round(worker, &err);

		if (atomic_load(&worker->stop))
			break;
		if (rc < 0) {
			tell(worker, err.text);
			set_state(worker, SN_MATH_FAILING, "");
			worker->token[0] = '\0';
			nap(worker, again_ns);
			again_ns = SN_MAX(worker->config.poll_ns,
					  SN_MIN(again_ns * 2, (int64_t)AGAIN_MAX_NS));
			continue;
		}
		again_ns = worker->config.poll_ns;
		if (rc == 0) {
			set_state(worker, SN_MATH_CURRENT, "");
			nap(worker, worker->config.poll_ns);
		}
	}
	drop_link(worker);
	sn_math_queue_finish(&worker->queue);
	sn_math_take_close(worker->take);
	sn_math_ledger_close(worker->ledger);
	atomic_store(&worker->ended, true);
	return NULL;
}

static void worker_free(struct sn_math_worker *worker)
{
	sn_map_destroy(worker->tried);
	pthread_mutex_destroy(&worker->lock);
	pthread_cond_destroy(&worker->wake);
	free(worker->stream);
	free(worker->type);
	free(worker->url);
	free(worker->ledger_path);
	free(worker->part);
	free(worker->store);
	free(worker);
}

int sn_math_worker_start(const struct sn_math_worker_config *config, struct sn_math_worker **out,
			 struct sn_err *err)
{
	struct sn_math_worker *worker = sn_new(struct sn_math_worker);

	worker->config = *config;
	worker->stream = sn_xstrdup(config->stream);
	worker->type = sn_xstrdup(config->type);
	worker->url = sn_xstrdup(config->url);
	worker->ledger_path = sn_xstrdup(config->ledger);
	worker->part = sn_xstrdup(config->part);
	worker->store = sn_xstrdup(config->store);
	worker->identity = (struct sn_math_identity){.cert_fd = -1, .key_fd = -1};
	worker->status.totals.position_s = SN_MATH_TIME_UNKNOWN;
	worker->tried = sn_map_create(NULL);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->wake, NULL);
	if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
		worker_free(worker);
		return sn_err_set(err, -EAGAIN, "cannot start a thread for stream '%s'",
				  config->stream);
	}
	*out = worker;
	return 0;
}

void sn_math_worker_stop(struct sn_math_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	atomic_store(&worker->stop, true);
	if (worker->link != NULL)
		sn_math_link_stop(worker->link);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

bool sn_math_worker_has_ended(const struct sn_math_worker *worker)
{
	return atomic_load(&worker->ended);
}

void sn_math_worker_join(struct sn_math_worker *worker)
{
	if (worker == NULL)
		return;
	sn_math_worker_stop(worker);
	pthread_join(worker->thread, NULL);
	worker_free(worker);
}
