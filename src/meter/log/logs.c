/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "meter"
#include "meter/log/logs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "meter/capture/losses.h"
#include "meter/log/number.h"
#include "meter/log/record.h"

#define MADE_MAX    64 /* directories of this run that are remembered, so that none is replaced */
#define MINUTE_NS   (60 * SN_NS_PER_S)
#define RETRY_NS    (1 * SN_NS_PER_S) /* of packet time, before a directory is tried again */
#define LEVEL_TCP   15
#define LEVEL_VIDEO 31

struct sn_tstat_logs {
	struct sn_tstat_options options;
	char *name;
	pthread_mutex_t lock;
	_Atomic(struct sn_epoch *) epoch; /* the present one, with a reference of its own */
	_Atomic int64_t end_ns;           /* when the next one begins */
	int64_t start_ns;
	_Atomic int64_t step_ns; /* when the present step ends */
	_Atomic int64_t now_ns;  /* the latest packet */
	_Atomic unsigned urls;
	_Atomic uint64_t chats;
	int64_t retry_ns;
	char made[MADE_MAX][SN_EPOCH_NAME_MAX]; /* a ring */
	unsigned made_count;
	struct sn_tstat_stats stats;
	struct sn_capture_losses losses[SN_TSTAT_INTERFACES_MAX];
	size_t losses_count;
	struct sn_err error;
	pthread_mutex_t tidy_lock;
	struct sn_tidy *tidy;
};

void sn_tstat_choice_default(struct sn_tstat_choice *choice)
{
	static const enum sn_tstat_log on[] = {SN_TSTAT_TCP_COMPLETE,  SN_TSTAT_TCP_NOCOMPLETE,
					       SN_TSTAT_UDP_COMPLETE,  SN_TSTAT_MM_COMPLETE,
					       SN_TSTAT_CHAT_COMPLETE, SN_TSTAT_CHAT_MESSAGES,
					       SN_TSTAT_VIDEO_COMPLETE};

	*choice = (struct sn_tstat_choice){.tcp_level = LEVEL_TCP, .video_level = LEVEL_VIDEO};
	for (size_t i = 0; i < SN_COUNT(on); i++)
		choice->on[on[i]] = true;
}

int sn_tstat_logs_create(const struct sn_tstat_options *options, struct sn_tstat_logs **set,
			 struct sn_err *err)
{
	struct sn_tstat_logs *made;

	if (options->step_ns <= 0)
		return sn_err_set(err, -EINVAL, "cannot write logs to '%s': a step takes no time",
				  options->name);
	made = sn_new(struct sn_tstat_logs);
	made->options = *options;
	made->name = sn_xstrdup(options->name);
	made->options.name = made->name;
	made->urls = options->choice.http_urls;
	made->end_ns = INT64_MAX;
	made->step_ns = INT64_MAX;
	pthread_mutex_init(&made->lock, NULL);
	pthread_mutex_init(&made->tidy_lock, NULL);
	if (options->gzip_finished && !options->gzip)
		made->tidy = sn_tidy_create(options->directory);
	*set = made;
	return 0;
}

/* Errors ------------------------------------------------------------------ */

/* With the lock held, or before anybody else has the set. */
static void keep_error(struct sn_tstat_logs *set, const struct sn_err *err)
{
	if (set->options.keep_going)
		SN_LOG_LIMITED(SN_LOG_ERROR, "%s", err->text);
	if (set->error.code == 0)
		set->error = *err;
}

int sn_tstat_logs_fail(struct sn_tstat_logs *set, const struct sn_err *err)
{
	pthread_mutex_lock(&set->lock);
	keep_error(set, err);
	pthread_mutex_unlock(&set->lock);
	return set->options.keep_going ? 0 : err->code;
}

int sn_tstat_logs_error(struct sn_tstat_logs *set, struct sn_err *err)
{
	int code;

	pthread_mutex_lock(&set->lock);
	code = set->error.code;
	if (code < 0 && err != NULL)
		*err = set->error;
	pthread_mutex_unlock(&set->lock);
	return code;
}

/* Losses ------------------------------------------------------------------ */

void sn_tstat_logs_losses(struct sn_tstat_logs *set, const struct sn_capture_losses *losses)
{
	size_t i = 0;

	pthread_mutex_lock(&set->lock);
	while (i < set->losses_count && strcmp(set->losses[i].interface, losses->interface) != 0)
		i++;
	if (i < SN_TSTAT_INTERFACES_MAX) {
		set->losses[i] = *losses;
		set->losses_count = SN_MAX(set->losses_count, i + 1);
	}
	pthread_mutex_unlock(&set->lock);
}

static void add_losses(struct sn_buf *out, const struct sn_capture_losses *losses, int64_t now_ns)
{
	sn_buf_reserve(out, SN_NUMBER_MAX);
	out->n = (size_t)(sn_put_fixed(out->p + out->n, sn_record_ms(now_ns), 6) - out->p);
	sn_buf_addc(out, ' ');
	for (const char *p = losses->interface; *p != '\0'; p++)
		sn_buf_addc(out, *p <= ' ' ? '_' : *p);
	for (int i = 0; i < 4; i++) {
		const uint64_t values[] = {losses->packets, losses->kernel_drops,
					   losses->interface_drops, losses->own_drops};

		sn_buf_addc(out, ' ');
		sn_buf_add_u64(out, values[i]);
	}
	sn_buf_addc(out, '\n');
}

/* With the lock held. */
static void write_losses(struct sn_tstat_logs *set, int64_t now_ns)
{
	struct sn_epoch *epoch = set->epoch;
	struct sn_buf text = {0};
	struct sn_err err;

	if (epoch == NULL || set->losses_count == 0)
		return;
	if (epoch->files[SN_EPOCH_CAPTURE].fd < 0)
		sn_buf_adds(&text, "#time:1 interface:2 packets:3 kernel_drops:4 "
				   "interface_drops:5 own_drops:6\n");
	for (size_t i = 0; i < set->losses_count; i++)
		add_losses(&text, &set->losses[i], now_ns);
	if (sn_epoch_write(epoch, SN_EPOCH_CAPTURE, sn_buf_str(&text), &err) < 0)
		keep_error(set, &err);
	sn_buf_finish(&text);
}

/* Epochs ------------------------------------------------------------------ */

/* With the lock held. */
static void unreference(struct sn_tstat_logs *set, struct sn_epoch *epoch)
{
	char name[SN_EPOCH_NAME_MAX];
	struct sn_err err;

	if (epoch == NULL || --epoch->references > 0)
		return;
	memcpy(name, epoch->name, sizeof(name));
	if (sn_epoch_close(epoch, &err) < 0)
		keep_error(set, &err);
	if (set->tidy == NULL)
		return;
	pthread_mutex_lock(&set->tidy_lock);
	sn_tidy_add(set->tidy, name);
	pthread_mutex_unlock(&set->tidy_lock);
}

static bool was_made(const struct sn_tstat_logs *set, const char *name)
{
	for (unsigned i = 0; i < SN_MIN(set->made_count, MADE_MAX); i++)
		if (strcmp(set->made[i], name) == 0)
			return true;
	return false;
}

/* Of the packet's minute; the next one that is free if this run has that already. */
static void choose_name(const struct sn_tstat_logs *set, int64_t now_ns,
			char name[SN_EPOCH_NAME_MAX])
{
	sn_epoch_name(now_ns, name);
	for (int i = 0; i < MADE_MAX && was_made(set, name); i++) {
		now_ns += MINUTE_NS;
		sn_epoch_name(now_ns, name);
	}
}

/* With the lock held: the directory of `choice` that begins now. */
static int open_epoch(struct sn_tstat_logs *set, int64_t now_ns,
		      const struct sn_tstat_choice *choice, struct sn_err *err)
{
	const struct sn_tstat_options *options = &set->options;
	char name[SN_EPOCH_NAME_MAX];
	struct sn_epoch *epoch, *before;

	choose_name(set, now_ns, name);
	epoch = sn_epoch_open(options, name, choice, err);
	if (epoch == NULL)
		return err->code;
	memcpy(set->made[set->made_count++ % MADE_MAX], name, sizeof(name));
	write_losses(set, now_ns);
	before = atomic_exchange(&set->epoch, epoch);
	if (options->opened != NULL)
		options->opened(epoch->directory, now_ns, options->ctx);
	unreference(set, before);
	set->start_ns = now_ns;
	set->end_ns = options->steps > 0 && options->step_ns < INT64_MAX / options->steps
			      ? now_ns + (int64_t)options->steps * options->step_ns
			      : INT64_MAX;
	set->step_ns = now_ns + options->step_ns;
	set->stats.directories++;
	if (options->keep > 0 && sn_tidy_keep(options->directory, name, options->keep) < 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot remove old logs directory=%s", set->name);
	return 0;
}

bool sn_tstat_logs_is_present(const struct sn_tstat_logs *set, const struct sn_epoch *epoch,
			      int64_t now_ns)
{
	return epoch != NULL && epoch == atomic_load_explicit(&set->epoch, memory_order_relaxed) &&
	       now_ns < atomic_load_explicit(&set->end_ns, memory_order_relaxed);
}

struct sn_epoch *sn_tstat_logs_enter(struct sn_tstat_logs *set, int64_t now_ns, struct sn_err *err)
{
	struct sn_epoch *epoch = NULL;
	int rc = 0;

	pthread_mutex_lock(&set->lock);
	if (!sn_tstat_logs_is_present(set, set->epoch, now_ns)) {
		struct sn_tstat_choice choice = set->options.choice;

		choice.http_urls = (uint8_t)set->urls;
		rc = now_ns >= set->retry_ns || set->epoch == NULL
			     ? open_epoch(set, now_ns, &choice, err)
			     : 0;
		set->retry_ns = rc < 0 ? now_ns + RETRY_NS : 0;
	}
	epoch = rc == 0 ? atomic_load(&set->epoch) : NULL;
	if (epoch != NULL)
		epoch->references++;
	pthread_mutex_unlock(&set->lock);
	return epoch;
}

void sn_tstat_logs_abandon(struct sn_tstat_logs *set, const struct sn_epoch *epoch)
{
	pthread_mutex_lock(&set->lock);
	if (epoch == set->epoch)
		set->end_ns = INT64_MIN;
	pthread_mutex_unlock(&set->lock);
}

void sn_tstat_logs_turn_back(struct sn_tstat_logs *set, int64_t now_ns)
{
	pthread_mutex_lock(&set->lock);
	if (set->options.steps > 0 && set->start_ns > now_ns + set->options.step_ns)
		set->end_ns = INT64_MIN;
	pthread_mutex_unlock(&set->lock);
}

int64_t sn_tstat_logs_step_ns(const struct sn_tstat_logs *set)
{
	return set->options.step_ns;
}

void sn_tstat_logs_leave(struct sn_tstat_logs *set, struct sn_epoch *epoch)
{
	pthread_mutex_lock(&set->lock);
	unreference(set, epoch);
	pthread_mutex_unlock(&set->lock);
}

static bool needs_directory(const struct sn_tstat_choice *a, const struct sn_tstat_choice *b)
{
	return memcmp(a->on, b->on, sizeof(a->on)) != 0 || a->tcp_level != b->tcp_level ||
	       a->video_level != b->video_level || a->mid_stream != b->mid_stream;
}

int sn_tstat_logs_choose(struct sn_tstat_logs *set, const struct sn_tstat_choice *choice,
			 struct sn_err *err)
{
	int rc = 0;

	pthread_mutex_lock(&set->lock);
	if (set->epoch != NULL && needs_directory(&set->options.choice, choice))
		rc = open_epoch(set, set->now_ns, choice, err);
	if (rc == 0) {
		set->options.choice = *choice;
		set->urls = choice->http_urls;
	}
	pthread_mutex_unlock(&set->lock);
	return rc;
}

void sn_tstat_logs_choice(const struct sn_tstat_logs *set, struct sn_tstat_choice *choice)
{
	struct sn_tstat_logs *locked = (struct sn_tstat_logs *)(uintptr_t)set;

	pthread_mutex_lock(&locked->lock);
	*choice = set->options.choice;
	pthread_mutex_unlock(&locked->lock);
}

/* The rest -------------------------------------------------------------- */

void sn_tstat_logs_tend(struct sn_tstat_logs *set, int64_t now_ns)
{
	if (now_ns > set->now_ns)
		set->now_ns = now_ns;
	if (now_ns >= set->step_ns) {
		pthread_mutex_lock(&set->lock);
		if (now_ns >= set->step_ns) {
			write_losses(set, now_ns);
			set->step_ns = now_ns + set->options.step_ns;
		}
		pthread_mutex_unlock(&set->lock);
	}
	if (set->tidy != NULL && pthread_mutex_trylock(&set->tidy_lock) == 0) {
		sn_tidy_work(set->tidy);
		pthread_mutex_unlock(&set->tidy_lock);
	}
}

void sn_tstat_logs_count(struct sn_tstat_logs *set, const struct sn_tstat_stats *more)
{
	pthread_mutex_lock(&set->lock);
	for (unsigned i = 0; i < SN_TSTAT_LOGS; i++) {
		set->stats.lines[i] += more->lines[i];
		set->stats.bytes[i] += more->bytes[i];
	}
	set->stats.external += more->external;
	set->stats.lost += more->lost;
	pthread_mutex_unlock(&set->lock);
}

void sn_tstat_logs_stats(const struct sn_tstat_logs *set, struct sn_tstat_stats *stats)
{
	struct sn_tstat_logs *locked = (struct sn_tstat_logs *)(uintptr_t)set;

	pthread_mutex_lock(&locked->lock);
	*stats = set->stats;
	pthread_mutex_unlock(&locked->lock);
}

unsigned sn_tstat_logs_urls(const struct sn_tstat_logs *set)
{
	return set->options.strict_privacy ? 0 : set->urls;
}

bool sn_tstat_logs_strict(const struct sn_tstat_logs *set)
{
	return set->options.strict_privacy;
}

uint64_t sn_tstat_logs_next_chat(struct sn_tstat_logs *set)
{
	return atomic_fetch_add(&set->chats, 1) + 1;
}

void sn_tstat_logs_destroy(struct sn_tstat_logs *set)
{
	if (set == NULL)
		return;
	write_losses(set, set->now_ns);
	unreference(set, set->epoch);
	while (set->tidy != NULL && sn_tidy_work(set->tidy))
		;
	sn_tidy_destroy(set->tidy);
	pthread_mutex_destroy(&set->lock);
	pthread_mutex_destroy(&set->tidy_lock);
	close(set->options.directory);
	free(set->name);
	free(set);
}
