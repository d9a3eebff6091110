/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/supervisor/internal.h"

/*
 * Everything a thread needs is copied before it starts: measurements and offers belong to
 * the loop.  Registries, derived datasets and our own offers never change.
 */

#define SKEW_NS (3600 * SN_NS_PER_S) /* clocks of nodes may be behind ours */

struct part {
	char node[SN_DERIVED_NODE_MAX]; /* as rows name it */
	char *name;                     /* for people */
	bool failed;
	char *error;
	struct sn_batch *rows; /* while a result is made of them */
};

struct sn_sup_answer {
	struct sn_work work;
	struct sn_list link; /* in the supervisor's, until that ends */
	struct sn_hub *hub;
	struct sn_reader reader;
	sn_sup_answer_fn *fn; /* NULL: nobody waits any more */
	void *ctx;
	atomic_bool gone;

	char id[SN_ULID_SIZE];
	struct sn_mp_message *asked;         /* what the client sent */
	struct sn_mp_message *specification; /* what the providers were given */
	const struct sn_mp_offer *native;
	const struct sn_derived_set *set;
	const struct sn_dataset *dataset; /* NULL: there are no rows yet */
	struct part *parts;
	size_t part_count;
	struct sn_map *by_node; /* struct part */
	int64_t starts_ns, now_ns;
	uint64_t counted; /* rows that were stored so far, as far as known */

	struct sn_batch *rows; /* the newest first */
	struct sn_mp_message *message;
	struct sn_err err;
};

/* Rows to results ------------------------------------------------------------------------- */

struct sn_mp_message *sn_sup_result_of(const struct sn_mp_offer *native,
				       const struct sn_derived_set *set,
				       const struct sn_mp_message *specification,
				       const struct sn_batch *rows, int64_t fallback_ns)
{
	return native != NULL ? sn_mp_offer_result(native, specification, rows, fallback_ns)
			      : sn_derived_result(set, specification, rows, fallback_ns);
}

static void copy_row(struct sn_batch *to, const struct sn_value *row)
{
	size_t columns = sn_batch_dataset(to)->column_count, at = sn_batch_add_row(to);

	for (size_t i = 0; i < columns; i++)
		sn_batch_set(to, at, (int)i, row[i]);
}

static struct part *part_of(const struct sn_sup_answer *answer, const struct sn_value *row)
{
	char node[SN_DERIVED_NODE_MAX];

	if (row[SN_COL_NODE].type != SN_TYPE_TEXT)
		return NULL;
	snprintf(node, sizeof(node), "%.*s", (int)row[SN_COL_NODE].s.n, row[SN_COL_NODE].s.p);
	return sn_map_get(answer->by_node, node);
}

/* Gives each provider its rows of those in [from, to), which count from the oldest. */
static void deal_out(const struct sn_sup_answer *answer, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct sn_value *row =
			sn_batch_row(answer->rows, sn_batch_rows(answer->rows) - 1 - i);
		struct part *part = part_of(answer, row);

		if (part == NULL)
			continue;
		if (part->rows == NULL)
			part->rows = sn_batch_create(answer->dataset);
		copy_row(part->rows, row);
	}
}

/* Appends the rows of one provider's result to the client's, column by name. */
static void append(struct sn_mp_message *result, const struct sn_mp_message *its,
		   const char *device)
{
	const char **values = sn_new_n(const char *, result->column_count + 1);
	int *columns = sn_new_n(int, result->column_count + 1);

	for (size_t c = 0; c < result->column_count; c++)
		columns[c] = sn_mp_column(its, result->columns[c].name);
	for (size_t r = 0; r < its->row_count; r++) {
		for (size_t c = 0; c < result->column_count; c++)
			values[c] = columns[c] >= 0 ? sn_mp_cell(its, r, (size_t)columns[c])
				    : strcmp(result->columns[c].name, SN_DEVICE) == 0 ? device
										      : NULL;
		(void)sn_mp_add_row(result, values, NULL);
	}
	free(values);
	free(columns);
}

static void widen(struct sn_mp_message *result, const struct sn_mp_message *its, bool first)
{
	int64_t start = its->when.span.start, end = SN_MAX(its->when.span.end, start);
	struct sn_mp_span *span = &result->when.span;

	if (first)
		*span = (struct sn_mp_span){.start = start, .end = end, .duration_ns = -1};
	span->start = SN_MIN(span->start, start);
	span->end = SN_MAX(span->end, end);
}

struct sn_mp_message *sn_sup_answer_of(const struct sn_mp_message *asked,
				       const struct sn_mp_message *its, const char *device)
{
	struct sn_mp_message *result = sn_mp_message_as(asked, SN_MP_RESULT);

	result->when.set = true;
	append(result, its, device);
	widen(result, its, true);
	result->when.repeated = false;
	return result;
}

static size_t count_of(const struct sn_sup_answer *answer)
{
	return answer->rows != NULL ? sn_batch_rows(answer->rows) : 0;
}

/* The result of one iteration, or of all there is. */
static struct sn_mp_message *result_between(const struct sn_sup_answer *answer, size_t from,
					    size_t to)
{
	struct sn_mp_message *result = sn_mp_message_as(answer->asked, SN_MP_RESULT);
	bool first = true;

	result->when = (struct sn_mp_when){
		.set = true,
		.span = {.start = answer->starts_ns, .end = answer->starts_ns, .duration_ns = -1}};
	if (answer->dataset != NULL)
		deal_out(answer, from, to);
	for (size_t i = 0; i < answer->part_count; i++) {
		struct part *part = &answer->parts[i];
		struct sn_mp_message *its;

		if (part->rows == NULL)
			continue;
		its = sn_sup_result_of(answer->native, answer->set, answer->specification,
				       part->rows, answer->starts_ns);
		append(result, its, part->name);
		widen(result, its, first);
		first = false;
		sn_mp_message_destroy(its);
		sn_batch_destroy(sn_steal(&part->rows));
	}
	return result;
}

static int64_t time_of(const struct sn_sup_answer *answer, size_t i)
{
	return sn_batch_get(answer->rows, count_of(answer) - 1 - i, SN_COL_TIME)->i;
}

static void add_iteration(const struct sn_sup_answer *answer, struct sn_mp_message *envelope,
			  size_t from, size_t to)
{
	struct sn_mp_message *result = result_between(answer, from, to);
	char token[SN_MP_HASH_SIZE];

	/* Each has a token of its own, the same whenever it is asked for. */
	sn_mp_set_text(&result->token, answer->asked->token);
	sn_mp_full_hash(result, token);
	sn_mp_set_text(&result->token, token);
	sn_mp_add_content(envelope, result);
}

static void add_iterations(const struct sn_sup_answer *answer, struct sn_mp_message *envelope)
{
	const struct sn_mp_when *when = &answer->specification->when;
	size_t from = 0, rows = count_of(answer);

	while (from < rows) {
		int64_t next = SN_MP_FUTURE;
		size_t to = from;

		if (sn_mp_when_next(when, time_of(answer, from) + 1, &next) != 0)
			next = SN_MP_FUTURE;
		while (to < rows && time_of(answer, to) < next)
			to++;
		add_iteration(answer, envelope, from, to);
		from = to;
	}
}

static void add_failures(const struct sn_sup_answer *answer, struct sn_mp_message *envelope)
{
	for (size_t i = 0; i < answer->part_count; i++) {
		const struct part *part = &answer->parts[i];

		if (part->failed)
			sn_mp_add_content(envelope, sn_mp_exception(answer->asked->token, "%s: %s",
								    part->name, part->error));
	}
}

static struct sn_mp_message *envelope_of(const struct sn_sup_answer *answer)
{
	struct sn_mp_message *envelope =
		sn_mp_message_create(SN_MP_ENVELOPE, sn_mp_kind_name(SN_MP_RESULT));
	const struct sn_mp_when *when = &answer->specification->when;

	envelope->version = 1;
	sn_mp_set_text(&envelope->token, answer->asked->token);
	sn_mp_set_text(&envelope->label, answer->asked->label);
	envelope->when = (struct sn_mp_when){
		.set = true,
		.span = {.start = sn_mp_when_starts(when, answer->starts_ns),
			 .end = SN_MIN(sn_mp_when_ends(when, answer->starts_ns), answer->now_ns),
			 .duration_ns = -1}};
	return envelope;
}

static size_t failures(const struct sn_sup_answer *answer)
{
	size_t count = 0;

	for (size_t i = 0; i < answer->part_count; i++)
		count += answer->parts[i].failed;
	return count;
}

static struct sn_mp_message *make(const struct sn_sup_answer *answer)
{
	size_t failed = failures(answer);
	struct sn_mp_message *envelope;

	if (!answer->specification->when.repeated && failed == 0)
		return result_between(answer, 0, count_of(answer));
	if (!answer->specification->when.repeated && answer->part_count == 1 &&
	    count_of(answer) == 0)
		return sn_mp_exception(answer->asked->token, "%s", answer->parts[0].error);
	envelope = envelope_of(answer);
	if (answer->specification->when.repeated)
		add_iterations(answer, envelope);
	else if (failed < answer->part_count || count_of(answer) > 0)
		sn_mp_add_content(envelope, result_between(answer, 0, count_of(answer)));
	add_failures(answer, envelope);
	return envelope;
}

/* On a thread ------------------------------------------------------------------------------ */

static int note_row(const struct sn_value *row, void *ctx)
{
	struct sn_sup_answer *answer = ctx;

	copy_row(answer->rows, row);
	return atomic_load(&answer->gone);
}

static int read_between(struct sn_sup_answer *answer, int64_t since_ns, int64_t until_ns)
{
	struct sn_query query = {
		.dataset = answer->dataset,
		.since_ns = since_ns,
		.until_ns = until_ns,
		.filter_count = 1,
		.filters = {{.column = SN_COL_TASK,
			     .op = SN_EQ,
			     .value = {.type = SN_TYPE_TEXT, .s = sn_str(answer->id)}}},
		.newest_first = true,
		.limit = (uint32_t)(SN_SUPERVISOR_ROWS_MAX - count_of(answer)),
	};

	return sn_store_query(answer->reader.store, &query, note_row, answer, NULL, &answer->err);
}

/* The times of peers are what their clocks and results say: what was counted and is not there is
 * looked for before the start, too. */
static int read_rows(struct sn_sup_answer *answer)
{
	int64_t since_ns = answer->starts_ns - SKEW_NS;
	int failed;

	answer->err = (struct sn_err){0};
	sn_batch_clear(answer->rows);
	failed = read_between(answer, since_ns, 0);
	if (failed == 0 && answer->native == NULL &&
	    count_of(answer) < SN_MIN(answer->counted, (uint64_t)SN_SUPERVISOR_ROWS_MAX))
		failed = read_between(answer, INT64_MIN, since_ns);
	return failed;
}

static void run(struct sn_work *work)
{
	struct sn_sup_answer *answer = sn_container_of(work, struct sn_sup_answer, work);

	if (answer->dataset != NULL) {
		answer->rows = sn_batch_create(answer->dataset);
		/* A damaged day is set aside at the first look; the second finds the others. */
		if (read_rows(answer) == -EUCLEAN)
			(void)read_rows(answer);
	}
	if (answer->err.code == 0 && !atomic_load(&answer->gone))
		answer->message = make(answer);
}

static void answer_destroy(struct sn_sup_answer *answer)
{
	sn_list_remove(&answer->link);
	sn_readers_give(answer->hub->readers, &answer->reader);
	sn_map_destroy(answer->by_node);
	for (size_t i = 0; i < answer->part_count; i++) {
		free(answer->parts[i].name);
		free(answer->parts[i].error);
	}
	free(answer->parts);
	sn_batch_destroy(answer->rows);
	sn_mp_message_destroy(answer->asked);
	sn_mp_message_destroy(answer->specification);
	sn_mp_message_destroy(answer->message);
	free(answer);
}

static void done(struct sn_work *work)
{
	struct sn_sup_answer *answer = sn_container_of(work, struct sn_sup_answer, work);

	if (answer->fn != NULL)
		answer->fn(answer->message, &answer->err, answer->ctx);
	answer_destroy(answer);
}

/* From the loop ----------------------------------------------------------------------------- */

static void copy_parts(struct sn_sup_answer *answer, const struct sn_measure *measure)
{
	answer->parts = sn_new_n(struct part, measure->part_count + 1);
	answer->part_count = measure->part_count;
	answer->by_node = sn_map_create(NULL);
	for (size_t i = 0; i < measure->part_count; i++) {
		const struct sn_measure_part *from = measure->parts[i];
		struct part *part = &answer->parts[i];

		if (strncmp(from->provider, "node:", 5) == 0)
			snprintf(part->node, sizeof(part->node), "%s", from->provider + 5);
		else
			sn_derived_node(from->provider, part->node);
		part->name =
			sn_xstrdup(sn_measure_provider_name(answer->hub->measures, from->provider));
		/* Whoever has stopped it knows; what was stopped otherwise has a reason. */
		part->failed = from->state == SN_MEASURE_FAILED ||
			       (from->state == SN_MEASURE_STOPPED && from->error[0] != '\0');
		answer->counted += from->results;
		part->error = sn_xstrdup(
			from->error != NULL && from->error[0] != '\0' ? from->error : "it failed");
		sn_map_set(answer->by_node, part->node, part);
	}
}

static void find_dataset(struct sn_sup_answer *answer, const struct sn_measure *measure)
{
	char name[SN_OFFER_DATASET_MAX];

	answer->native = measure->native;
	if (measure->native != NULL) {
		answer->dataset = measure->native->method->dataset;
		return;
	}
	answer->set = sn_derived_find(
		answer->hub->derived,
		sn_offer_dataset(NULL, measure->specification->label, measure->schema, name));
	answer->dataset = answer->set != NULL ? sn_derived_dataset(answer->set) : NULL;
}

struct sn_sup_answer *sn_sup_answer_make(struct sn_supervisor *sup,
					 const struct sn_measure *measure,
					 struct sn_mp_message *asked, sn_sup_answer_fn *fn,
					 void *ctx)
{
	struct sn_sup_answer *answer = sn_new(struct sn_sup_answer);

	answer->hub = sup->hub;
	answer->fn = fn;
	answer->ctx = ctx;
	answer->asked = asked;
	answer->specification = sn_mp_message_copy(measure->specification);
	memcpy(answer->id, measure->id, sizeof(answer->id));
	answer->starts_ns = measure->starts_ns;
	answer->now_ns = sn_hub_now(sup->hub);
	sn_list_append(&sup->answers, &answer->link);
	copy_parts(answer, measure);
	find_dataset(answer, measure);
	if (sn_readers_take(sup->hub->readers, &answer->reader, &answer->err) != 0 ||
	    sn_work_start(sup->hub->work, &answer->work, run, done) != 0) {
		answer_destroy(answer);
		return NULL;
	}
	return answer;
}

void sn_sup_answer_cancel(struct sn_sup_answer *answer)
{
	sn_list_remove(&answer->link);
	answer->fn = NULL;
	atomic_store(&answer->gone, true);
}
