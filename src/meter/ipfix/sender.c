/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "ipfix"
#include "meter/ipfix/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "meter/view/privacy_internal.h"

const struct sn_ipfix_patience sn_ipfix_patience = {
	.timing = {.refresh_first_ns = 5 * SN_NS_PER_S,
		   .refresh_ns = 60 * SN_NS_PER_S,
		   .counts_ns = 60 * SN_NS_PER_S,
		   .stall_ns = 30 * SN_NS_PER_S},
	.connect_ns = 10 * SN_NS_PER_S,
	.pause_ns = 1 * SN_NS_PER_S,
	.pause_max_ns = 60 * SN_NS_PER_S,
	.farewell_ns = 2 * SN_NS_PER_S,
	.batch_ns = 1 * SN_NS_PER_S,
};

/* The queue ------------------------------------------------------------------- */

static size_t cost(const struct sn_ipfix_batch *batch)
{
	return sizeof(*batch) + batch->size;
}

static void count_lost(struct sn_ipfix *ipfix, const struct sn_ipfix_batch *batch)
{
	ipfix->facts.lost_records += batch->records;
	ipfix->facts.lost_packets += batch->packets;
	ipfix->facts.lost_octets += batch->octets;
}

/* Under the lock. */
static struct sn_ipfix_batch *dequeue(struct sn_ipfix *ipfix)
{
	struct sn_ipfix_batch *batch;

	if (sn_list_empty(&ipfix->queue))
		return NULL;
	batch = sn_list_entry(ipfix->queue.next, struct sn_ipfix_batch, link);
	sn_list_remove(&batch->link);
	ipfix->queued -= cost(batch);
	return batch;
}

static void put_back(struct sn_ipfix *ipfix, struct sn_ipfix_batch *batch)
{
	pthread_mutex_lock(&ipfix->lock);
	sn_list_add_before(ipfix->queue.next, &batch->link);
	ipfix->queued += cost(batch);
	pthread_mutex_unlock(&ipfix->lock);
}

/* The connection -------------------------------------------------------------- */

static void update_stats(struct sn_ipfix *ipfix)
{
	ipfix->records = ipfix->session.records;
	ipfix->messages = ipfix->session.messages;
	ipfix->bytes = ipfix->session.octets;
}

/* Attempts of many meters shall not come all at once. */
static uint64_t shake(uint64_t pause_ns)
{
	return pause_ns / 2 + sn_random_below(pause_ns / 2 + 1);
}

static void go_away(struct sn_ipfix *ipfix)
{
	uint64_t now_ns = sn_mono_ns();

	/* One that takes a message and then none must be spared as well. */
	if (ipfix->connected && now_ns - ipfix->connected_ns > 2 * ipfix->pause_ns)
		ipfix->pause_ns = ipfix->patience.pause_ns;
	ipfix->collector.transport->close(&ipfix->collector);
	ipfix->connected = false;
	ipfix->retry_at_ns = now_ns + shake(ipfix->pause_ns);
	SN_LOG_LIMITED(SN_LOG_WARNING, "collector is away collector=%s pause=%.1fs reason=\"%s\"",
		       ipfix->text, (double)ipfix->pause_ns / 1e9, ipfix->session.err.text);
	ipfix->pause_ns = SN_MIN(2 * ipfix->pause_ns, ipfix->patience.pause_max_ns);
	ipfix->away = true;
}

/* A datagram that nobody takes comes back with one of the next: the last one was lost, too. */
static void lose_last(struct sn_ipfix *ipfix, int result)
{
	if (result != -ECONNREFUSED || !ipfix->collector.transport->forgets)
		return;
	ipfix->session.records -= ipfix->last_records;
	ipfix->facts.lost_records += ipfix->last_records;
	ipfix->last_records = 0;
}

static void connect_it(struct sn_ipfix *ipfix)
{
	struct sn_ipfix_collector *collector = &ipfix->collector;
	uint64_t deadline_ns = sn_mono_ns() + ipfix->patience.connect_ns;
	int result = collector->transport->open(collector, deadline_ns, &ipfix->session.err);

	if (result == 0)
		result = sn_ipfix_session_begin(&ipfix->session);
	if (result != 0) {
		go_away(ipfix);
		return;
	}
	ipfix->connected = true;
	ipfix->connected_ns = sn_mono_ns();
	ipfix->connects++;
	if (ipfix->away)
		sn_notice("collector is back collector=%s", ipfix->text);
	ipfix->away = false;
}

static void work(struct sn_ipfix *ipfix, struct sn_ipfix_batch *batch)
{
	int result = sn_ipfix_session_keep(&ipfix->session, sn_mono_ns());

	if (result == 0 && batch != NULL)
		result = sn_ipfix_session_send(&ipfix->session, batch);
	if (result == 0 && batch != NULL)
		ipfix->last_records = batch->records;
	if (result != 0) {
		lose_last(ipfix, result);
		go_away(ipfix);
		if (batch != NULL)
			put_back(ipfix, batch);
	} else {
		free(batch);
	}
	update_stats(ipfix);
}

/* The thread ------------------------------------------------------------------ */

static void wait_until(struct sn_ipfix *ipfix, uint64_t time_ns)
{
	struct timespec until = {.tv_sec = (time_t)(time_ns / SN_NS_PER_S),
				 .tv_nsec = (long)(time_ns % SN_NS_PER_S)};

	pthread_cond_timedwait(&ipfix->wake, &ipfix->lock, &until);
}

/* When there is something to do without anybody saying so; 0: now.  Under the lock. */
static uint64_t next_work(struct sn_ipfix *ipfix)
{
	if (!ipfix->connected)
		return sn_list_empty(&ipfix->queue) ? UINT64_MAX : ipfix->retry_at_ns;
	if (!sn_list_empty(&ipfix->queue) ||
	    ipfix->session.modes_version != ipfix->facts.modes_version)
		return 0;
	return sn_ipfix_session_due(&ipfix->session);
}

/* Under the lock.  It connects when there is something to send. */
static void wait_for_work(struct sn_ipfix *ipfix)
{
	while (!ipfix->stopping) {
		uint64_t next_ns = next_work(ipfix);

		if (sn_mono_ns() >= next_ns)
			return;
		if (next_ns == UINT64_MAX)
			pthread_cond_wait(&ipfix->wake, &ipfix->lock);
		else
			wait_until(ipfix, next_ns);
	}
}

static bool is_over(const struct sn_ipfix *ipfix, const struct sn_ipfix_batch *batch)
{
	/* One that is known to be away is not waited for. */
	return batch == NULL || (!ipfix->connected && ipfix->away) ||
	       sn_mono_ns() >= ipfix->collector.stop_ns;
}

static void *run(void *ctx)
{
	struct sn_ipfix *ipfix = ctx;
	struct sn_ipfix_batch *batch = NULL;
	bool stopping;

	for (;;) {
		pthread_mutex_lock(&ipfix->lock);
		wait_for_work(ipfix);
		stopping = ipfix->stopping;
		batch = dequeue(ipfix);
		pthread_mutex_unlock(&ipfix->lock);
		if (stopping && is_over(ipfix, batch))
			break;
		if (!ipfix->connected)
			connect_it(ipfix);
		if (ipfix->connected)
			work(ipfix, batch);
		else if (batch != NULL)
			put_back(ipfix, batch);
	}
	if (batch != NULL)
		put_back(ipfix, batch);
	if (ipfix->connected)
		sn_ipfix_session_counts(&ipfix->session);
	update_stats(ipfix);
	return NULL;
}

/* Signals are for the thread that runs the session.  Under the lock. */
static int start_thread(struct sn_ipfix *ipfix)
{
	sigset_t all, before;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = -pthread_create(&ipfix->thread, NULL, run, ipfix);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ipfix->threaded = result == 0;
	return result;
}

static int start_file(struct sn_ipfix *ipfix, struct sn_err *err)
{
	int result = sn_ipfix_session_begin(&ipfix->session);

	if (result != 0 && err != NULL)
		*err = ipfix->session.err;
	ipfix->connected = result == 0;
	ipfix->connects = 1;
	update_stats(ipfix);
	return result;
}

/* From outside ---------------------------------------------------------------- */

static void init(struct sn_ipfix *ipfix, const struct sn_ipfix_options *options,
		 const struct sn_ipfix_patience *patience)
{
	pthread_condattr_t monotonic;

	ipfix->patience = *patience;
	ipfix->pause_ns = patience->pause_ns;
	ipfix->style = (struct sn_ipfix_style){.enterprise = options->enterprise,
					       .uniflow = options->uniflow};
	ipfix->queue_max = options->queue_bytes == 0
				   ? SN_IPFIX_QUEUE_DEFAULT
				   : SN_MAX(options->queue_bytes, SN_IPFIX_QUEUE_MIN);
	pthread_mutex_init(&ipfix->lock, NULL);
	pthread_mutex_init(&ipfix->facts.lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&ipfix->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	sn_list_init(&ipfix->queue);
	sn_ipfix_session_init(&ipfix->session, &ipfix->collector, &ipfix->style,
			      &ipfix->patience.timing, &ipfix->facts, options->domain);
}

int sn_ipfix_create_patient(const struct sn_ipfix_options *options,
			    const struct sn_ipfix_patience *patience, struct sn_ipfix **ipfix,
			    struct sn_err *err)
{
	struct sn_ipfix *made = sn_new(struct sn_ipfix);
	struct sn_ipfix_options own = *options;
	int result;

	made->text = sn_xstrdup(options->collector);
	own.collector = made->text;
	init(made, &own, patience);
	result = sn_ipfix_collector_init(&made->collector, &own, err);
	if (result == 0 && made->collector.transport->local)
		result = start_file(made, err);
	if (result == 0)
		*ipfix = made;
	else
		sn_ipfix_destroy(made);
	return result;
}

int sn_ipfix_create(const struct sn_ipfix_options *options, struct sn_ipfix **ipfix,
		    struct sn_err *err)
{
	return sn_ipfix_create_patient(options, &sn_ipfix_patience, ipfix, err);
}

static void stop(struct sn_ipfix *ipfix)
{
	if (ipfix->threaded) {
		pthread_mutex_lock(&ipfix->lock);
		ipfix->stopping = true;
		ipfix->collector.stop_ns = sn_mono_ns() + ipfix->patience.farewell_ns;
		pthread_cond_signal(&ipfix->wake);
		pthread_mutex_unlock(&ipfix->lock);
		pthread_join(ipfix->thread, NULL);
	} else if (ipfix->connected && ipfix->error == 0) {
		sn_ipfix_session_counts(&ipfix->session);
	}
}

void sn_ipfix_destroy(struct sn_ipfix *ipfix)
{
	struct sn_ipfix_batch *batch;

	if (ipfix == NULL)
		return;
	stop(ipfix);
	while ((batch = dequeue(ipfix)) != NULL) {
		count_lost(ipfix, batch);
		free(batch);
	}
	if (ipfix->facts.lost_records > 0)
		sn_warn("records were lost collector=%s lost=%" PRIu64 " sent=%" PRIu64,
			ipfix->text, ipfix->facts.lost_records, ipfix->records);
	sn_ipfix_collector_finish(&ipfix->collector);
	sn_ipfix_session_finish(&ipfix->session);
	for (size_t i = 0; i < ipfix->facts.source_count; i++)
		free(ipfix->facts.sources[i].name);
	pthread_mutex_destroy(&ipfix->lock);
	pthread_mutex_destroy(&ipfix->facts.lock);
	pthread_cond_destroy(&ipfix->wake);
	free(ipfix->text);
	free(ipfix);
}

static int write_file(struct sn_ipfix *ipfix, const struct sn_ipfix_batch *batch)
{
	int result;

	pthread_mutex_lock(&ipfix->lock);
	result = ipfix->error;
	if (result == 0)
		result = sn_ipfix_session_keep(&ipfix->session, sn_mono_ns());
	if (result == 0)
		result = sn_ipfix_session_send(&ipfix->session, batch);
	if (result != 0 && ipfix->error == 0)
		sn_error("%s", ipfix->session.err.text);
	ipfix->error = result;
	update_stats(ipfix);
	pthread_mutex_unlock(&ipfix->lock);
	return result;
}

/* The first batch starts the thread. */
static int enqueue(struct sn_ipfix *ipfix, struct sn_ipfix_batch *batch)
{
	int result;

	pthread_mutex_lock(&ipfix->lock);
	result = ipfix->queued + cost(batch) <= ipfix->queue_max ? 0 : -ENOBUFS;
	if (result == 0 && !ipfix->threaded)
		result = start_thread(ipfix);
	if (result == 0) {
		ipfix->queued += cost(batch);
		sn_list_append(&ipfix->queue, &batch->link);
		pthread_cond_signal(&ipfix->wake);
	}
	pthread_mutex_unlock(&ipfix->lock);
	return result;
}

static int give_to_collector(struct sn_ipfix *ipfix, struct sn_ipfix_batch *batch)
{
	int result = enqueue(ipfix, batch);

	if (result == 0)
		return 0;
	count_lost(ipfix, batch);
	SN_LOG_LIMITED(SN_LOG_WARNING,
		       "records are lost collector=%s lost=%" PRIu64 " reason=\"%s\"", ipfix->text,
		       ipfix->facts.lost_records, strerror(-result));
	free(batch);
	return 0;
}

int sn_ipfix_push(struct sn_ipfix *ipfix, struct sn_ipfix_batch *batch)
{
	int result;

	if (!ipfix->collector.transport->local)
		return give_to_collector(ipfix, batch);
	result = write_file(ipfix, batch);
	if (result != 0)
		count_lost(ipfix, batch);
	free(batch);
	return result;
}

void sn_ipfix_name_source(struct sn_ipfix *ipfix, uint16_t number, const char *name)
{
	struct sn_ipfix_facts *facts = &ipfix->facts;
	size_t count;

	pthread_mutex_lock(&facts->lock);
	count = facts->source_count;
	for (size_t i = 0; i < count; i++)
		if (facts->sources[i].number == number)
			count = SN_IPFIX_SOURCES_MAX;
	if (count < SN_IPFIX_SOURCES_MAX) {
		facts->sources[count].number = number;
		facts->sources[count].name = sn_xstrdup(name);
		facts->source_count = count + 1;
	}
	pthread_mutex_unlock(&facts->lock);
}

static void read_modes(const struct sn_privacy *privacy, struct sn_ipfix_modes *modes)
{
	static const enum sn_privacy_role roles[] = {
		[SN_CLIENT] = SN_ROLE_CLIENT, [SN_SERVER] = SN_ROLE_SERVER};

	modes->name = sn_privacy_mode(privacy, SN_FIELD_NAME);
	for (unsigned side = SN_CLIENT; side <= SN_SERVER; side++) {
		for (unsigned internal = 0; internal < 2; internal++) {
			enum sn_privacy_mode mode = privacy->addresses[roles[side]][internal].mode;

			/* Tstat's way is for what the lines keep. */
			if (mode == SN_PRIVACY_KEEP && privacy->hidden != NULL)
				mode = SN_PRIVACY_CRYPTOPAN;
			modes->address[side][internal] = mode;
		}
	}
}

void sn_ipfix_set_privacy(struct sn_ipfix *ipfix, const struct sn_privacy *privacy)
{
	struct sn_ipfix_modes modes = {0};

	if (privacy != NULL)
		read_modes(privacy, &modes);
	pthread_mutex_lock(&ipfix->facts.lock);
	ipfix->facts.modes = modes;
	ipfix->facts.modes_version++;
	pthread_mutex_unlock(&ipfix->facts.lock);
	pthread_cond_signal(&ipfix->wake);
}

void sn_ipfix_set_ignored(struct sn_ipfix *ipfix, uint64_t packets)
{
	ipfix->facts.ignored_packets = packets;
}

bool sn_ipfix_needs_network(const struct sn_ipfix *ipfix)
{
	return !ipfix->collector.transport->local;
}

/* An address is read, a name looked up again for each connection. */
bool sn_ipfix_needs_names(const struct sn_ipfix *ipfix)
{
	struct sn_addr addr;

	return sn_ipfix_needs_network(ipfix) &&
	       sn_addr_parse(sn_str(ipfix->collector.host), ipfix->collector.port, &addr) != 0;
}

void sn_ipfix_stats(const struct sn_ipfix *ipfix, struct sn_ipfix_stats *stats)
{
	*stats = (struct sn_ipfix_stats){
		.records = ipfix->records,
		.messages = ipfix->messages,
		.bytes = ipfix->bytes,
		.lost_records = ipfix->facts.lost_records,
		.connects = ipfix->connects,
	};
}
