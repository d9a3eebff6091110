/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "dumps"
#include "hub/dumps.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "hub/publish.h"

#define DAY_NS     (86400 * SN_NS_PER_S)
#define FIRST_NS   (2 * SN_NS_PER_S)   /* after the start: nodes come first */
#define LOOK_NS    (30 * SN_NS_PER_S)  /* between two looks for days that are due */
#define AGAIN_NS   (600 * SN_NS_PER_S) /* after a failure */
#define NICE       5
#define ORDERS_MAX 64

/* A day of the store, as it was at the last look. */
struct seen {
	int32_t day;
	uint64_t rows;
	int64_t since_ns;      /* it has had so many since then */
	int64_t not_before_ns; /* after a failure */
};

struct sn_dumps {
	struct sn_hub *hub;
	char *dir;
	const struct sn_dataset **datasets; /* NULL: all */
	size_t dataset_count;
	struct sn_dump_form forms[SN_DUMP_FORMS_MAX];
	size_t form_count;
	int64_t at_ns;

	/* Of the loop. */
	struct sn_timer timer;
	int event; /* the thread writes to it when it is through */
	struct sn_io io;
	struct sn_reader reader;
	pthread_t thread;
	bool running;
	char *problem;

	/* Of the thread while it runs. */
	struct seen *seen;
	size_t seen_count, seen_capacity;
	int64_t now_ns;
	struct sn_err err; /* the last failure */
	int32_t taken[ORDERS_MAX];
	unsigned taken_count;
	atomic_bool stop;

	/* Of both. */
	pthread_mutex_t lock;
	struct sn_dump_day *days; /* by day */
	size_t day_count, day_capacity;
	int32_t orders[ORDERS_MAX];
	unsigned order_count;
};

/* What there is ------------------------------------------------------------------------ */

static struct sn_dump_day *find_day(struct sn_dumps *dumps, int32_t day)
{
	for (size_t i = 0; i < dumps->day_count; i++)
		if (dumps->days[i].day == day)
			return &dumps->days[i];
	return NULL;
}

/* Takes `made` over. */
static void put_day(struct sn_dumps *dumps, struct sn_dump_day *made)
{
	struct sn_dump_day *there = find_day(dumps, made->day);
	size_t at = dumps->day_count;

	if (there != NULL) {
		sn_dump_day_finish(there);
		*there = *made;
		return;
	}
	if (dumps->day_count == dumps->day_capacity) {
		dumps->day_capacity = at > 0 ? 2 * at : 64;
		dumps->days = sn_xrealloc(dumps->days, dumps->day_capacity, sizeof(*dumps->days));
	}
	for (; at > 0 && dumps->days[at - 1].day > made->day; at--)
		dumps->days[at] = dumps->days[at - 1];
	dumps->days[at] = *made;
	dumps->day_count++;
}

static void drop_day(struct sn_dumps *dumps, struct sn_dump_day *day)
{
	size_t at = (size_t)(day - dumps->days);

	sn_dump_day_finish(day);
	memmove(day, day + 1, (dumps->day_count - at - 1) * sizeof(*day));
	dumps->day_count--;
}

int sn_dumps_each(struct sn_dumps *dumps, sn_dumps_day_fn *fn, void *ctx)
{
	int rc = 0;

	pthread_mutex_lock(&dumps->lock);
	for (size_t i = dumps->day_count; rc == 0 && i-- > 0;)
		rc = fn(&dumps->days[i], ctx);
	pthread_mutex_unlock(&dumps->lock);
	return rc;
}

/* On the thread: which days are due --------------------------------------------------------- */

static struct seen *see(struct sn_dumps *dumps, int32_t day, uint64_t rows)
{
	struct seen *seen = NULL;

	for (size_t i = 0; seen == NULL && i < dumps->seen_count; i++)
		if (dumps->seen[i].day == day)
			seen = &dumps->seen[i];
	if (seen == NULL) {
		if (dumps->seen_count == dumps->seen_capacity) {
			dumps->seen_capacity =
				dumps->seen_capacity > 0 ? 2 * dumps->seen_capacity : 128;
			dumps->seen = sn_xrealloc(dumps->seen, dumps->seen_capacity,
						  sizeof(*dumps->seen));
		}
		seen = &dumps->seen[dumps->seen_count++];
		*seen = (struct seen){.day = day, .since_ns = dumps->now_ns};
	}
	if (seen->rows != rows)
		seen->since_ns = dumps->now_ns;
	seen->rows = rows;
	return seen;
}

static int note_day(const struct sn_store_day *day, void *ctx)
{
	int32_t number;

	if (sn_dump_day_parse(sn_str(day->day), &number) == 0 && day->rows > 0)
		see(ctx, number, day->rows);
	return 0;
}

/* What is ordered from now on is for the next look. */
static void take_orders(struct sn_dumps *dumps)
{
	pthread_mutex_lock(&dumps->lock);
	dumps->taken_count = dumps->order_count;
	memcpy(dumps->taken, dumps->orders, sizeof(dumps->taken));
	dumps->order_count = 0;
	pthread_mutex_unlock(&dumps->lock);
}

static bool is_ordered(const struct sn_dumps *dumps, int32_t day)
{
	for (unsigned i = 0; i < dumps->taken_count; i++)
		if (dumps->taken[i] == day)
			return true;
	return false;
}

static bool is_too_old(const struct sn_dumps *dumps, int32_t day)
{
	uint64_t keep = dumps->hub->config->dump_keep_days;

	return keep > 0 && day < dumps->now_ns / DAY_NS - (int64_t)keep;
}

/* A day with fewer rows than its dump has lost them: the dump is what is left of them. */
static bool is_due(struct sn_dumps *dumps, const struct seen *seen)
{
	const struct sn_hub_config *config = dumps->hub->config;
	const struct sn_dump_day *made;
	bool news;

	if (dumps->now_ns < (seen->day + 1) * (int64_t)DAY_NS + dumps->at_ns ||
	    dumps->now_ns < seen->not_before_ns || is_too_old(dumps, seen->day) ||
	    dumps->now_ns - seen->since_ns < config->dump_grace)
		return false;
	pthread_mutex_lock(&dumps->lock);
	made = find_day(dumps, seen->day);
	news = made == NULL || seen->rows > made->rows;
	pthread_mutex_unlock(&dumps->lock);
	return news;
}

/* On the thread: making them ------------------------------------------------------------------ */

/* Every dataset of the catalogue, unless some are named. */
static const struct sn_dataset **list_datasets(const struct sn_dumps *dumps, size_t *count)
{
	const struct sn_dataset **list;

	*count = dumps->datasets != NULL ? dumps->dataset_count : sn_catalog_size();
	list = sn_new_n(const struct sn_dataset *, *count + 1);
	for (size_t i = 0; i < *count; i++)
		list[i] = dumps->datasets != NULL ? dumps->datasets[i] : sn_catalog_at(i);
	return list;
}

static void make_day(struct sn_dumps *dumps, struct seen *seen)
{
	size_t count;
	const struct sn_dataset **datasets = list_datasets(dumps, &count);
	struct sn_dump_plan plan = {
		.dir = dumps->dir,
		.datasets = datasets,
		.dataset_count = count,
		.forms = dumps->forms,
		.form_count = dumps->form_count,
		.now_ns = dumps->now_ns,
		.stop = &dumps->stop,
	};
	/* Only this thread changes the list. */
	const struct sn_dump_day *before = find_day(dumps, seen->day);
	struct sn_dump_day made;
	char text[SN_DUMP_DAY_SIZE];
	int rc = sn_dump_make(&plan, dumps->reader.store, seen->day, seen->rows, before, &made,
			      &dumps->err);

	free(datasets);
	if (rc == -ECANCELED)
		return;
	if (rc < 0) {
		seen->not_before_ns = dumps->now_ns + AGAIN_NS;
		sn_err_wrap(&dumps->err, "cannot make the dump of %s",
			    sn_dump_day_text(seen->day, text));
		return;
	}
	if (rc == 0)
		sn_notice("made a dump day=%s revision=%u files=%zu",
			  sn_dump_day_text(seen->day, text), made.revision, made.count);
	pthread_mutex_lock(&dumps->lock);
	put_day(dumps, &made);
	pthread_mutex_unlock(&dumps->lock);
}

static void drop_old(struct sn_dumps *dumps)
{
	char text[SN_DUMP_DAY_SIZE];

	while (dumps->day_count > 0 && is_too_old(dumps, dumps->days[0].day) &&
	       !atomic_load(&dumps->stop)) {
		int32_t day = dumps->days[0].day;

		/* First it is not offered any more. */
		pthread_mutex_lock(&dumps->lock);
		drop_day(dumps, &dumps->days[0]);
		pthread_mutex_unlock(&dumps->lock);
		if (sn_dump_remove(dumps->dir, day, &dumps->err) != 0)
			return;
		sn_notice("dropped a dump day=%s", sn_dump_day_text(day, text));
	}
}

static int by_day(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return (x->day > y->day) - (x->day < y->day);
}

static void *run(void *arg)
{
	struct sn_dumps *dumps = arg;
	uint64_t one = 1;

	(void)setpriority(PRIO_PROCESS, 0, NICE); /* of the thread */
	take_orders(dumps);
	if (sn_store_days(dumps->reader.store, note_day, dumps, &dumps->err) != 0)
		sn_err_wrap(&dumps->err, "cannot look for days to dump");
	if (dumps->seen_count > 0)
		qsort(dumps->seen, dumps->seen_count, sizeof(*dumps->seen), by_day);
	for (size_t i = 0; i < dumps->seen_count && !atomic_load(&dumps->stop); i++) {
		struct seen *seen = &dumps->seen[i];

		if (is_ordered(dumps, seen->day) || is_due(dumps, seen))
			make_day(dumps, seen);
	}
	drop_old(dumps);
	while (write(dumps->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

/* On the loop ------------------------------------------------------------------------------------
 */

static void set_problem(struct sn_dumps *dumps, const char *text)
{
	bool news = (text == NULL) != (dumps->problem == NULL) ||
		    (text != NULL && strcmp(text, dumps->problem) != 0);

	if (!news)
		return;
	if (text != NULL)
		sn_error("%s", text);
	free(dumps->problem);
	dumps->problem = text != NULL ? sn_xstrdup(text) : NULL;
	sn_publish_problem(text, dumps->hub);
}

static void join(struct sn_dumps *dumps)
{
	pthread_join(dumps->thread, NULL);
	dumps->running = false;
	sn_readers_give(dumps->hub->readers, &dumps->reader);
}

/* A failure stays a problem until a look later nothing fails and nothing waits for another try. */
static bool waits_for_retry(const struct sn_dumps *dumps)
{
	for (size_t i = 0; i < dumps->seen_count; i++)
		if (dumps->seen[i].not_before_ns > dumps->now_ns)
			return true;
	return false;
}

static void through(struct sn_io *io, int events SN_UNUSED)
{
	struct sn_dumps *dumps = sn_container_of(io, struct sn_dumps, io);
	uint64_t count;

	(void)!read(dumps->event, &count, sizeof(count));
	if (!dumps->running)
		return;
	join(dumps);
	if (dumps->err.code != 0)
		set_problem(dumps, dumps->err.text);
	else if (!waits_for_retry(dumps))
		set_problem(dumps, NULL);
	/* What was ordered meanwhile is not kept waiting. */
	sn_timer_in(&dumps->timer, dumps->order_count > 0 ? 0 : LOOK_NS);
}

static void look(struct sn_timer *timer)
{
	struct sn_dumps *dumps = sn_container_of(timer, struct sn_dumps, timer);
	sigset_t all, before;
	int rc;

	if (dumps->running)
		return;
	dumps->err = (struct sn_err){0};
	dumps->now_ns = sn_hub_now(dumps->hub);
	rc = sn_readers_take(dumps->hub->readers, &dumps->reader, &dumps->err);
	if (rc == 0) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		rc = -pthread_create(&dumps->thread, NULL, run, dumps);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		dumps->running = rc == 0;
	}
	if (rc != 0) {
		sn_readers_give(dumps->hub->readers, &dumps->reader);
		sn_timer_in(timer, LOOK_NS);
	}
}

static int has_day(const struct sn_store_day *day, void *ctx)
{
	int32_t *wanted = ctx, number;

	if (sn_dump_day_parse(sn_str(day->day), &number) == 0 && number == *wanted && day->rows > 0)
		*wanted = -1;
	return 0;
}

int sn_dumps_order(struct sn_dumps *dumps, int32_t day, struct sn_err *err)
{
	char text[SN_DUMP_DAY_SIZE];
	int32_t wanted = day;
	bool full;

	if (dumps->form_count == 0 || (dumps->datasets != NULL && dumps->dataset_count == 0))
		return sn_err_set(err, -ENOTSUP,
				  "no datasets are to be dumped (set 'dump_datasets' in the hub's "
				  "configuration)");
	if (day >= sn_hub_now(dumps->hub) / DAY_NS)
		return sn_err_set(err, -EINVAL, "day: '%s' is not over yet (days end at 24:00 UTC)",
				  sn_dump_day_text(day, text));
	if (sn_store_days(dumps->hub->store, has_day, &wanted, err) != 0)
		return err->code;
	if (wanted != -1)
		return sn_err_set(
			err, -ENOENT,
			"the store has no rows of '%s' ('sonde store days' lists its days)",
			sn_dump_day_text(day, text));
	pthread_mutex_lock(&dumps->lock);
	full = dumps->order_count == ORDERS_MAX;
	if (!full)
		dumps->orders[dumps->order_count++] = day;
	pthread_mutex_unlock(&dumps->lock);
	if (full)
		return sn_err_set(err, -E2BIG, "%d days are waiting to be made", ORDERS_MAX);
	sn_timer_in(&dumps->timer, 0);
	return 0;
}

const char *sn_dumps_problem(const struct sn_dumps *dumps)
{
	return dumps != NULL ? dumps->problem : NULL;
}

bool sn_dumps_busy(const struct sn_dumps *dumps)
{
	return dumps->running || dumps->order_count > 0;
}

const char *sn_dumps_dir(const struct sn_dumps *dumps)
{
	return dumps->dir;
}

/* Beginning and end
 * -------------------------------------------------------------------------------- */

static int note_dump(struct sn_dump_day *day, void *ctx)
{
	put_day(ctx, day);
	return 0;
}

static void read_config(struct sn_dumps *dumps)
{
	const struct sn_hub_config *config = dumps->hub->config;
	const struct sn_conf_texts *names = &config->dump_datasets;

	dumps->dir = config->dump_dir[0] != '\0' ? sn_xstrdup(config->dump_dir)
						 : sn_fs_join(config->state, "dumps");
	(void)sn_dump_at_parse(config->dump_at, &dumps->at_ns);
	for (unsigned i = 0; i < config->dump_formats.count && i < SN_DUMP_FORMS_MAX; i++)
		(void)sn_dump_form_parse(config->dump_formats.items[i],
					 &dumps->forms[dumps->form_count++]);
	if (names->count == 1 && strcmp(names->items[0], "*") == 0)
		return;
	dumps->datasets = sn_new_n(const struct sn_dataset *, names->count + 1);
	for (unsigned i = 0; i < names->count; i++) {
		const struct sn_dataset *dataset = sn_catalog_find(names->items[i]);

		if (dataset != NULL)
			dumps->datasets[dumps->dataset_count++] = dataset;
		else
			sn_warn("key 'dump_datasets': no dataset is called '%.64s'",
				names->items[i]);
	}
}

int sn_dumps_create(struct sn_hub *hub, struct sn_dumps **out, struct sn_err *err)
{
	struct sn_dumps *dumps = sn_new(struct sn_dumps);
	int rc;

	dumps->hub = hub;
	pthread_mutex_init(&dumps->lock, NULL);
	sn_timer_init(&dumps->timer, hub->loop, look);
	dumps->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sn_io_init(&dumps->io, hub->loop, dumps->event, through);
	read_config(dumps);
	rc = dumps->event < 0 ? -EMFILE : sn_io_start(&dumps->io, SN_IO_READ);
	if (rc != 0)
		sn_err_sys(err, rc, "cannot watch for dumps");
	else
		rc = sn_dump_scan(dumps->dir, note_dump, dumps, err);
	if (rc != 0) {
		sn_dumps_destroy(dumps);
		return rc;
	}
	if (hub->config->dump_datasets.count > 0)
		sn_timer_in(&dumps->timer, FIRST_NS);
	*out = dumps;
	return 0;
}

void sn_dumps_destroy(struct sn_dumps *dumps)
{
	if (dumps == NULL)
		return;
	atomic_store(&dumps->stop, true);
	if (dumps->running)
		join(dumps);
	sn_timer_stop(&dumps->timer);
	sn_io_stop(&dumps->io);
	if (dumps->event >= 0)
		close(dumps->event);
	while (dumps->day_count > 0)
		drop_day(dumps, &dumps->days[dumps->day_count - 1]);
	pthread_mutex_destroy(&dumps->lock);
	free(dumps->days);
	free(dumps->seen);
	free(dumps->datasets);
	free(dumps->problem);
	free(dumps->dir);
	free(dumps);
}
