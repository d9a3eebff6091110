/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders from start to end.  Scopes are wall-clock time and timers are not: whatever is
 * due at a time of day is looked at again once a minute, so that a clock that is set
 * moves it, too.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mplane/match.h"
#include "peer/component_internal.h"

/* Iterations that were slept through are counted off one by one up to this many. */
#define SKIP_MAX 1000

static int64_t wall_now(const struct sn_order *order)
{
	return sn_loop_wall_now(order->component->loop);
}

static void look_at(struct sn_order *order, int64_t due_ns)
{
	int64_t now_ns = wall_now(order), delay_ns = 0;

	if (due_ns > now_ns)
		delay_ns = SN_MIN(due_ns - now_ns, (int64_t)SN_COMPONENT_LOOK_NS);
	sn_timer_in(&order->timer, (uint64_t)delay_ns);
}

/* Results ------------------------------------------------------------------------- */

struct sn_mp_message *sn_order_wrap(const struct sn_order *order, struct sn_mp_message **messages,
				    size_t count)
{
	struct sn_mp_message *envelope = sn_mp_message_create(SN_MP_ENVELOPE, "message");

	sn_mp_set_text(&envelope->label, order->specification->label);
	sn_mp_set_text(&envelope->token, order->specification->token);
	envelope->when = (struct sn_mp_when){.set = true, .span = order->when.span};
	envelope->contents = messages;
	envelope->content_count = count;
	return envelope;
}

void sn_order_unwrap(struct sn_mp_message *envelope)
{
	envelope->contents = NULL;
	envelope->content_count = 0;
	sn_mp_message_destroy(envelope);
}

static void notify(struct sn_order *order, struct sn_mp_message *message)
{
	struct sn_component *component = order->component;
	struct sn_mp_message *envelope = NULL;

	if (order->when.repeated)
		envelope = sn_order_wrap(order, &message, 1);
	for (size_t i = 0; i < component->listener_count; i++)
		component->listeners[i].fn(order->identity, envelope != NULL ? envelope : message,
					   order->specification, component->listeners[i].ctx);
	if (envelope != NULL)
		sn_order_unwrap(envelope);
}

/* Keeps it, the oldest make room, and tells whoever listens. */
static void add_result(struct sn_order *order, struct sn_mp_message *message)
{
	if (order->result_count == SN_COMPONENT_RESULTS_MAX) {
		sn_mp_message_destroy(order->results[0]);
		memmove(&order->results[0], &order->results[1],
			--order->result_count * sizeof(order->results[0]));
	}
	order->results =
		sn_xrealloc(order->results, order->result_count + 1, sizeof(order->results[0]));
	order->results[order->result_count++] = message;
	notify(order, message);
}

static struct sn_mp_message *empty_result(const struct sn_mp_message *specification,
					  int64_t from_ns, int64_t to_ns)
{
	struct sn_mp_message *result = sn_mp_message_as(specification, SN_MP_RESULT);

	result->when = (struct sn_mp_when){
		.set = true,
		.span = {.start = from_ns, .end = SN_MAX(from_ns, to_ns), .duration_ns = -1},
	};
	return result;
}

/* An order's way ------------------------------------------------------------------ */

static void finish(struct sn_order *order)
{
	order->state = SN_ORDER_ENDED;
	sn_list_append(&order->component->ended, &order->ended);
	sn_timer_in(&order->timer, order->component->keep_ns);
	sn_order_answer_waits(order);
}

/* The latest iteration that is due, else the next one; -ENOENT behind the last. */
static int next_start(const struct sn_order *order, int64_t *start_ns)
{
	int64_t now_ns = wall_now(order), later_ns;
	int rc = sn_mp_when_next(&order->when, order->after_ns, start_ns);

	for (unsigned i = 0; rc == 0 && *start_ns < now_ns; i++) {
		if (i == SKIP_MAX)
			return sn_mp_when_next(&order->when, now_ns, start_ns);
		if (sn_mp_when_next(&order->when, *start_ns + 1, &later_ns) != 0 ||
		    later_ns > now_ns)
			break;
		*start_ns = later_ns;
	}
	return rc;
}

static int wait_for_next(struct sn_order *order)
{
	int rc = next_start(order, &order->start_ns);

	if (rc == 0) {
		order->state = SN_ORDER_WAITING;
		look_at(order, order->start_ns);
	}
	return rc;
}

static void go_on(struct sn_order *order)
{
	if (!order->when.repeated || order->interrupted || wait_for_next(order) != 0)
		finish(order);
}

static void fail(struct sn_order *order, const char *token, const char *reason)
{
	add_result(order, sn_mp_exception(token, "%s", reason));
	go_on(order);
}

/* When to end a run that does not end by itself; singletons and queries take their time. */
static int64_t stop_time(const struct sn_order *order, const struct sn_mp_when *when)
{
	int64_t now_ns = wall_now(order), end_ns = sn_mp_when_ends(when, now_ns);

	if (order->query || end_ns <= sn_mp_when_starts(when, now_ns) ||
	    end_ns >= SN_MP_FUTURE - SN_COMPONENT_GRACE_NS - 1)
		return SN_MP_FUTURE;
	return end_ns + SN_COMPONENT_GRACE_NS;
}

static void free_job(struct sn_job *job)
{
	job->order->job = NULL;
	sn_mp_message_destroy(job->specification);
	free(job);
}

static int run(struct sn_order *order, const struct sn_mp_when *when, const char *token,
	       struct sn_err *err)
{
	const struct sn_component_host *host = order->component->host;
	struct sn_job *job = sn_new(struct sn_job);
	int rc;

	job->order = order;
	job->began_ns = wall_now(order);
	job->specification = sn_mp_message_copy(order->specification);
	job->specification->when = *when;
	sn_mp_set_text(&job->specification->token, token);
	order->job = job;
	order->state = SN_ORDER_RUNNING;
	order->stop_ns = stop_time(order, when);
	order->held++;
	rc = host->start(job, err, host->ctx);
	order->held--;
	if (rc != 0) {
		assert(order->job == job);
		free_job(job);
	} else if (order->job != NULL && order->stop_ns != SN_MP_FUTURE) {
		look_at(order, order->stop_ns);
	}
	return rc;
}

static void start_simple(struct sn_order *order)
{
	const char *token = order->specification->token;
	struct sn_err err = {0};

	if (run(order, &order->when, token, &err) != 0)
		fail(order, token, err.text);
}

static void start_iteration(struct sn_order *order)
{
	struct sn_mp_when when = sn_mp_when_iteration(&order->when, order->start_ns);
	int64_t end_ns = sn_mp_when_ends(&when, order->start_ns);
	char token[SN_MP_HASH_SIZE];
	struct sn_err err = {0};

	order->after_ns = order->start_ns + 1;
	if (end_ns > order->start_ns && end_ns <= wall_now(order)) {
		go_on(order);
		return;
	}
	when = sn_mp_when_resolve(&when, order->start_ns);
	sn_mp_token_random(token);
	if (run(order, &when, token, &err) != 0)
		fail(order, token, err.text);
}

static void stop_job(struct sn_order *order)
{
	const struct sn_component_host *host = order->component->host;
	struct sn_job *job = order->job;

	if (job->stopping)
		return;
	job->stopping = true;
	sn_timer_stop(&order->timer);
	host->stop(job, host->ctx);
}

static void look(struct sn_timer *timer)
{
	struct sn_order *order = sn_container_of(timer, struct sn_order, timer);
	int64_t due_ns = order->state == SN_ORDER_WAITING ? order->start_ns : order->stop_ns;

	if (order->state == SN_ORDER_ENDED) {
		sn_order_destroy(order);
		return;
	}
	if (wall_now(order) < due_ns) {
		look_at(order, due_ns);
		return;
	}
	order->held++;
	if (order->state == SN_ORDER_RUNNING)
		stop_job(order);
	else if (order->when.repeated)
		start_iteration(order);
	else
		start_simple(order);
	order->held--;
}

struct sn_order *sn_order_create(struct sn_component *component, const char *identity,
				 const struct sn_mp_message *specification,
				 const struct sn_mp_message *capability)
{
	struct sn_order *order = sn_new(struct sn_order);
	const struct sn_mp_when *when = &specification->when;
	int64_t now_ns = sn_loop_wall_now(component->loop);
	char token[SN_MP_HASH_SIZE];

	order->component = component;
	order->identity = sn_xstrdup(identity);
	order->specification = sn_mp_message_copy(specification);
	order->capability = sn_mp_message_copy(capability);
	if (specification->token == NULL || specification->token[0] == '\0') {
		sn_mp_token_random(token);
		sn_mp_set_text(&order->specification->token, token);
	}
	order->key = sn_component_key(identity, order->specification->token);
	order->query = !when->repeated && specification->verb != NULL &&
		       strcmp(specification->verb, SN_MP_VERB_QUERY) == 0;
	order->when = order->query ? *when : sn_mp_when_resolve(when, now_ns);
	order->start_ns = order->query ? now_ns : sn_mp_when_starts(&order->when, now_ns);
	/* Scopes are resolved to microseconds: a repetition that begins now began before it. */
	order->after_ns = now_ns - now_ns % SN_NS_PER_US;
	sn_list_init(&order->ended);
	sn_timer_init(&order->timer, component->loop, look);
	sn_map_set(component->orders, order->key, order);
	return order;
}

int sn_order_begin(struct sn_order *order, struct sn_err *err)
{
	if (order->when.repeated) {
		if (wait_for_next(order) != 0)
			return sn_err_set(err, -EINVAL, "nothing of its repeated scope lies ahead");
		return 0;
	}
	if (order->start_ns > wall_now(order)) {
		look_at(order, order->start_ns);
		return 0;
	}
	return run(order, &order->when, order->specification->token, err);
}

void sn_order_interrupt(struct sn_order *order)
{
	if (order->state == SN_ORDER_ENDED || order->interrupted)
		return;
	order->interrupted = true;
	order->held++;
	if (order->job != NULL) {
		/* The client is told that it is over, even if all was said before. */
		order->job->spoke = false;
		stop_job(order);
	} else {
		if (!order->when.repeated)
			add_result(order, empty_result(order->specification, wall_now(order),
						       wall_now(order)));
		finish(order);
	}
	order->held--;
}

/* What the host does with its job ------------------------------------------------- */

const struct sn_mp_message *sn_job_specification(const struct sn_job *job)
{
	return job->specification;
}

const struct sn_mp_message *sn_job_capability(const struct sn_job *job)
{
	return job->order->capability;
}

const char *sn_job_identity(const struct sn_job *job)
{
	return job->order->identity;
}

void *sn_job_data(const struct sn_job *job)
{
	return job->data;
}

void sn_job_set_data(struct sn_job *job, void *data)
{
	job->data = data;
}

void sn_job_result(struct sn_job *job, struct sn_mp_message *result)
{
	struct sn_order *order = job->order;

	sn_mp_set_text(&result->token, job->specification->token);
	sn_mp_set_text(&result->label, job->specification->label);
	job->spoke = true;
	order->held++;
	add_result(order, result);
	order->held--;
}

void sn_job_end(struct sn_job *job, const char *failure)
{
	struct sn_order *order = job->order;

	assert(order->job == job);
	order->held++;
	sn_timer_stop(&order->timer);
	if (failure != NULL)
		add_result(order, sn_mp_exception(job->specification->token, "%s", failure));
	else if (!job->spoke)
		add_result(order, empty_result(job->specification, job->began_ns, wall_now(order)));
	free_job(job);
	go_on(order);
	order->held--;
}
