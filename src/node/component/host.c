/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "component"
#include "node/component/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "mplane/match.h"

#define LOOK_MAX_NS (60 * SN_NS_PER_S) /* the wall clock may be set */

/* A list that was given away, until the turn ends. */
struct shown {
	struct sn_list link;
	const struct sn_mp_message **items;
};

struct sn_host {
	struct sn_host_config config;
	struct sn_component_host ops;
	char *system_id, *ip4, *ip6, *software; /* the place */
	struct sn_mp_message **capabilities;
	size_t count;
	struct sn_list shown; /* struct shown */
	struct sn_list works; /* struct work */
	struct sn_buf never;  /* networks, as the runner has them */
	struct sn_flush flush;
};

/* A job that is being done. */
struct work {
	struct sn_list link;
	struct sn_host *host;
	struct sn_job *job;
	const struct sn_mp_offer *offer;
	struct sn_run *run;
	struct sn_batch *rows; /* that no result has given yet */
	struct sn_timer timer;
	int64_t began_ns, end_ns; /* wall clock; SN_MP_FUTURE: it ends by itself */
	bool one_shot;
	bool given;    /* some of its rows are out */
	bool renewing; /* its process was told to end, and another one takes over ... */
	bool ending;   /* ... unless all of it is to end */
};

/* What is offered ---------------------------------------------------------------------- */

static bool is_offered(const struct sn_host *host, const struct sn_mp_offer *offer)
{
	return (offer->view != NULL || host->config.native) &&
	       sn_runner_can(host->config.runner, offer->method);
}

static void drop_capabilities(struct sn_host *host)
{
	for (size_t i = 0; i < host->count; i++)
		sn_mp_message_destroy(host->capabilities[i]);
	free(host->capabilities);
	host->capabilities = NULL;
	host->count = 0;
}

static void add_capability(struct sn_host *host, struct sn_mp_message *capability)
{
	char token[SN_MP_HASH_SIZE];

	if (capability == NULL)
		return;
	sn_mp_token_of_capability(capability, host->system_id, token);
	sn_mp_set_text(&capability->token, token);
	host->capabilities[host->count++] = capability;
}

static void make_capabilities(struct sn_host *host)
{
	struct sn_mp_place place = {.system_id = host->system_id,
				    .ip4 = host->ip4,
				    .ip6 = host->ip6,
				    .software = host->software};
	size_t count;
	const struct sn_mp_offer *offers = sn_mp_offers(&count);

	host->capabilities = sn_new_n(struct sn_mp_message *, count + 1);
	for (size_t i = 0; i < count; i++) {
		if (is_offered(host, &offers[i]))
			add_capability(host, sn_mp_offer_capability(
						     &offers[i], host->config.registries, &place));
	}
	if (host->config.exporter != NULL)
		add_capability(host, sn_exporter_capability(host->config.exporter,
							    host->config.registries));
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void set_text(char **to, const char *text)
{
	free(*to);
	*to = text != NULL ? sn_xstrdup(text) : NULL;
}

bool sn_host_place(struct sn_host *host, const struct sn_mp_place *place)
{
	if (host->capabilities != NULL && same_text(host->system_id, place->system_id) &&
	    same_text(host->ip4, place->ip4) && same_text(host->ip6, place->ip6) &&
	    same_text(host->software, place->software))
		return false;
	set_text(&host->system_id, place->system_id);
	set_text(&host->ip4, place->ip4);
	set_text(&host->ip6, place->ip6);
	set_text(&host->software, place->software);
	drop_capabilities(host);
	make_capabilities(host);
	return true;
}

size_t sn_host_offers(const struct sn_host *host)
{
	return host->count;
}

static size_t capabilities(const char *identity, const struct sn_mp_message *const **list,
			   void *ctx)
{
	struct sn_host *host = ctx;
	struct shown *shown = sn_new(struct shown);
	size_t count = 0;

	shown->items = sn_new_n(const struct sn_mp_message *, host->count + 1);
	sn_list_append(&host->shown, &shown->link);
	for (size_t i = 0; i < host->count; i++) {
		struct sn_policy_ask ask = {.action = SN_MAY_DISCOVER,
					    .label = host->capabilities[i]->label};
		struct sn_policy_verdict verdict;

		if (sn_gate_allows(host->config.gate, identity, &ask, &verdict))
			shown->items[count++] = host->capabilities[i];
	}
	*list = shown->items;
	return count;
}

static void forget_shown(struct sn_flush *flush)
{
	struct sn_host *host = sn_container_of(flush, struct sn_host, flush);

	sn_list_for_each (link, &host->shown) {
		struct shown *shown = sn_list_entry(link, struct shown, link);

		sn_list_remove(&shown->link);
		free(shown->items);
		free(shown);
	}
}

/* Who may -------------------------------------------------------------------------------- */

static const struct sn_mp_offer *offer_of(const struct sn_mp_message *capability,
					  struct sn_err *err)
{
	const struct sn_mp_offer *offer =
		capability->label != NULL ? sn_mp_offer_find(capability->label) : NULL;

	if (offer == NULL)
		sn_err_set(err, -ENOENT, "there is no capability '%.80s'",
			   capability->label != NULL ? capability->label : "");
	return offer;
}

/* NULL-terminated, the texts are the parameters'; one text stands for a list of one. */
static const char **targets_of(const struct sn_mp_order *order)
{
	const json_t *list = NULL;
	const char **targets;
	size_t count, used = 0;

	for (size_t i = 0; i < order->method->param_count; i++) {
		if (order->method->params[i].type == SN_PARAM_TARGETS)
			list = json_object_get(order->parameters, order->method->params[i].name);
	}
	count = json_is_array(list) ? json_array_size(list) : list != NULL;
	targets = sn_new_n(const char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		const char *text =
			json_string_value(json_is_array(list) ? json_array_get(list, i) : list);

		if (text != NULL)
			targets[used++] = text;
	}
	return targets;
}

static int64_t length_of(const struct sn_mp_when *when, int64_t now_ns)
{
	int64_t start_ns = sn_mp_when_starts(when, now_ns), end_ns = sn_mp_when_ends(when, now_ns);

	return end_ns == SN_MP_FUTURE ? INT64_MAX : SN_MAX(end_ns - start_ns, (int64_t)0);
}

static int refuse(const char *identity, const struct sn_mp_message *capability, const char *reason,
		  struct sn_err *err)
{
	sn_notice("refused identity=\"%s\" capability=%s reason=\"%s\"", identity,
		  capability->label, reason);
	return sn_err_set(err, -EACCES, "%s may not use %s so: %.300s", identity, capability->label,
			  reason);
}

/* Who asks by the policy, the repository by the exporter's own list. */
static int permit_export(struct sn_host *host, const char *identity,
			 const struct sn_mp_message *capability,
			 const struct sn_mp_message *specification, struct sn_err *err)
{
	struct sn_policy_ask ask = {
		.action = SN_MAY_MEASURE,
		.label = capability->label,
		.length_ns = length_of(&specification->when, sn_loop_wall_now(host->config.loop)),
	};
	struct sn_policy_verdict verdict;
	struct sn_err why = {0};

	if (!sn_gate_allows(host->config.gate, identity, &ask, &verdict))
		return refuse(identity, capability, verdict.reason, err);
	if (sn_exporter_permit(host->config.exporter, specification, &why) != 0)
		return refuse(identity, capability, why.text, err);
	return 0;
}

static int permit(const char *identity, const struct sn_mp_message *capability,
		  const struct sn_mp_message *specification, struct sn_err *err, void *ctx)
{
	struct sn_host *host = ctx;
	const struct sn_mp_offer *offer =
		sn_exporter_is(capability) ? NULL : offer_of(capability, err);
	int64_t now_ns = sn_loop_wall_now(host->config.loop);
	sn_autofree const char **targets = NULL;
	struct sn_policy_verdict verdict;
	struct sn_policy_ask ask = {.action = SN_MAY_MEASURE, .label = capability->label};
	struct sn_mp_order order = {0};
	bool allowed;

	if (host->config.exporter != NULL && sn_exporter_is(capability))
		return permit_export(host, identity, capability, specification, err);
	if (offer == NULL)
		return -ENOENT;
	if (sn_mp_offer_order(offer, specification, now_ns, &order, err) != 0)
		return -EINVAL;
	if (sn_method_fits(order.method, order.parameters, err) != 0) {
		sn_mp_order_finish(&order);
		return -EINVAL;
	}
	targets = targets_of(&order);
	ask.targets = targets;
	ask.period_ns = sn_mp_when_period(&specification->when);
	ask.length_ns = length_of(&specification->when, now_ns);
	allowed = sn_gate_allows(host->config.gate, identity, &ask, &verdict);
	sn_mp_order_finish(&order);
	return allowed ? 0 : refuse(identity, capability, verdict.reason, err);
}

/* What is never probed --------------------------------------------------------------------- */

static void renew(struct work *work)
{
	if (work->run != NULL && !work->ending && sn_run_has_targets(work->offer->method)) {
		work->renewing = true;
		sn_run_stop(work->run);
	}
}

int sn_host_look(struct sn_host *host, struct sn_err *err)
{
	struct sn_str never = sn_gate_never(host->config.gate);

	if (sn_str_eq(never, sn_buf_str(&host->never)))
		return 0;
	if (sn_runner_set_never(host->config.runner, never, err) != 0)
		return err->code;
	sn_buf_clear(&host->never);
	sn_buf_add(&host->never, never.p, never.n);
	sn_list_for_each (link, &host->works)
		renew(sn_list_entry(link, struct work, link));
	return 0;
}

/* Work ------------------------------------------------------------------------------------- */

static void give_result(struct work *work)
{
	sn_job_result(work->job, sn_mp_offer_result(work->offer, sn_job_specification(work->job),
						    work->rows, work->began_ns));
	sn_batch_clear(work->rows);
	work->given = true;
}

static void take_row(struct sn_batch *row, struct sn_str line SN_UNUSED, void *ctx)
{
	struct work *work = ctx;
	size_t columns = sn_batch_dataset(row)->column_count, at;

	/* A result has one set of columns: those of the capability. */
	if (sn_batch_dataset(row) != sn_batch_dataset(work->rows))
		return;
	at = sn_batch_add_row(work->rows);
	for (size_t i = 0; i < columns; i++)
		sn_batch_set(work->rows, at, (int)i, *sn_batch_get(row, 0, (int)i));
	if (at + 1 == SN_HOST_ROWS_MAX)
		give_result(work);
}

static void refuse_line(const char *reason, void *ctx)
{
	struct work *work = ctx;

	SN_LOG_LIMITED(SN_LOG_WARNING, "output refused program=%s reason=\"%s\"",
		       work->offer->method->program, reason);
}

static void free_work(struct work *work)
{
	sn_list_remove(&work->link);
	sn_timer_stop(&work->timer);
	sn_run_destroy(work->run);
	sn_batch_destroy(work->rows);
	free(work);
}

/* One run's rows say themselves what came of it; a standing one was not to end at all. */
static bool went_well(const struct work *work, const struct sn_run_end *end)
{
	return end->stopped || end->in_order || (work->one_shot && end->exited && end->rows > 0);
}

static void end_work(struct work *work, const char *failure)
{
	if (sn_batch_rows(work->rows) > 0)
		give_result(work);
	if (failure != NULL)
		sn_warn("%s", failure);
	sn_job_end(work->job, failure);
	free_work(work);
}

static void take_over(struct work *work);

static void run_ended(const struct sn_run_end *end, void *ctx)
{
	struct work *work = ctx;

	work->run = NULL;
	/* A single run whose rows are out in part has given its result. */
	if (work->renewing && !work->ending && !(work->one_shot && work->given))
		take_over(work);
	else
		end_work(work, went_well(work, end) ? NULL : end->how);
}

static void end_run(struct work *work)
{
	work->ending = true;
	sn_run_stop(work->run);
}

static void watch_end(struct sn_timer *timer)
{
	struct work *work = sn_container_of(timer, struct work, timer);
	int64_t left_ns = work->end_ns - sn_loop_wall_now(timer->loop);

	if (left_ns <= 0)
		end_run(work);
	else
		sn_timer_in(timer, (uint64_t)SN_MIN(left_ns, (int64_t)LOOK_MAX_NS));
}

static int start_process(struct work *work, const struct sn_mp_order *order, struct sn_err *err)
{
	static const struct sn_run_ops ops = {
		.row = take_row, .refused = refuse_line, .ended = run_ended};
	const char *name = sn_job_specification(work->job)->label;

	return sn_run_start(work->host->config.runner, order->method, order->parameters,
			    name != NULL ? name : "", &ops, work, &work->run, err);
}

/* The old process has ended: a standing one goes on, a single run begins anew. */
static void take_over(struct work *work)
{
	struct sn_mp_order order = {0};
	struct sn_err err = {0};
	int error;

	work->renewing = false;
	if (work->one_shot)
		sn_batch_clear(work->rows);
	error = sn_mp_offer_order(work->offer, sn_job_specification(work->job), work->began_ns,
				  &order, &err);
	if (error == 0) {
		error = start_process(work, &order, &err);
		sn_mp_order_finish(&order);
	}
	if (error != 0)
		end_work(work, err.text);
}

static int start_run(struct work *work, const struct sn_mp_order *order, struct sn_err *err)
{
	bool open = order->when.span.end == SN_MP_UNSET && order->when.span.duration_ns < 0;

	work->one_shot = sn_run_is_one_shot(order->method, order->parameters);
	work->end_ns = !order->when.set || open ? SN_MP_FUTURE
						: sn_mp_when_ends(&order->when, work->began_ns);
	if (open && !work->one_shot)
		return sn_err_set(err, -EINVAL,
				  "'%s' does not end by itself: 'when' needs an end or a duration",
				  order->method->name);
	if (start_process(work, order, err) != 0)
		return -EIO;
	if (work->end_ns != SN_MP_FUTURE)
		watch_end(&work->timer);
	return 0;
}

static int start(struct sn_job *job, struct sn_err *err, void *ctx)
{
	struct sn_host *host = ctx;
	bool exports = host->config.exporter != NULL && sn_exporter_is(sn_job_capability(job));
	const struct sn_mp_offer *offer = exports ? NULL : offer_of(sn_job_capability(job), err);
	struct sn_mp_order order = {0};
	struct work *work;
	int error;

	if (exports)
		return sn_exporter_start(host->config.exporter, job, err);
	if (offer == NULL)
		return -ENOENT;
	if (sn_host_look(host, err) != 0)
		return -EIO;
	work = sn_new(struct work);
	work->host = host;
	work->job = job;
	work->offer = offer;
	work->began_ns = sn_loop_wall_now(host->config.loop);
	work->rows = sn_batch_create(offer->method->dataset);
	sn_timer_init(&work->timer, host->config.loop, watch_end);
	sn_list_append(&host->works, &work->link);
	error = sn_mp_offer_order(offer, sn_job_specification(job), work->began_ns, &order, err);
	if (error == 0) {
		error = start_run(work, &order, err);
		sn_mp_order_finish(&order);
	}
	if (error != 0) {
		free_work(work);
		return error;
	}
	sn_job_set_data(job, work);
	sn_info("started identity=\"%s\" capability=%s pid=%d", sn_job_identity(job), offer->label,
		(int)sn_run_pid(work->run));
	return 0;
}

static void stop(struct sn_job *job, void *ctx)
{
	struct sn_host *host = ctx;

	if (host->config.exporter != NULL && sn_exporter_is(sn_job_capability(job)))
		sn_exporter_stop(host->config.exporter, job);
	else
		end_run(sn_job_data(job));
}

/* Life --------------------------------------------------------------------------------------- */

struct sn_host *sn_host_create(const struct sn_host_config *config)
{
	struct sn_host *host = sn_new(struct sn_host);

	host->config = *config;
	host->ops = (struct sn_component_host){.capabilities = capabilities,
					       .permit = permit,
					       .start = start,
					       .stop = stop,
					       .ctx = host};
	sn_list_init(&host->shown);
	sn_list_init(&host->works);
	sn_flush_init(&host->flush, config->loop, forget_shown);
	return host;
}

void sn_host_destroy(struct sn_host *host)
{
	if (host == NULL)
		return;
	sn_list_for_each (link, &host->works)
		free_work(sn_list_entry(link, struct work, link));
	forget_shown(&host->flush);
	sn_flush_stop(&host->flush);
	drop_capabilities(host);
	sn_buf_finish(&host->never);
	free(host->system_id);
	free(host->ip4);
	free(host->ip6);
	free(host->software);
	free(host);
}

const struct sn_component_host *sn_host_ops(const struct sn_host *host)
{
	return &host->ops;
}
