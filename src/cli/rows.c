/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "cli/names.h"
#include "cli/shape.h"
#include "data/codec.h"

#define QUEUE_ROWS_MAX 100000              /* events that wait while the past is listed */
#define LOOK_BACK_NS   (600 * SN_NS_PER_S) /* rows may come late from their node's disk */

struct run {
	struct sn_client *client;
	const struct sn_rows_query *query;
	enum sn_rows_form form;
	bool follow;
	FILE *out;
	struct sn_err *err;

	struct sn_names *names;    /* for a table */
	struct sn_shape *shape;    /* for a table */
	struct sn_dataset picked;  /* the dataset with the wanted columns, for JSON and CSV */
	struct sn_column *columns; /* of `picked` */
	int from[SN_DATASET_COLUMNS_MAX];
	struct sn_buf text;     /* a line that has not ended, or what is being written */
	struct sn_batch *batch; /* rows on their way */
	bool header_done;

	/* Following: what the list had, so that no event repeats it. */
	bool listed;
	struct sn_map *newest; /* node id -> int64_t * newest seq in the list */
	int64_t newest_ns;
};

/* Rows out -------------------------------------------------------------- */

/* Ids become names in a copy: the batch is read again by others. */
static void show_names(const struct run *run, struct sn_batch *batch)
{
	for (size_t i = 0; i < sn_batch_rows(batch); i++) {
		struct sn_value node = *sn_batch_get(batch, i, SN_COL_NODE);
		sn_autofree char *id = NULL;

		if (node.type != SN_TYPE_TEXT)
			continue;
		id = sn_xstrndup(node.s.p, node.s.n);
		node.s = sn_str(sn_names_of(run->names, id));
		sn_batch_set(batch, i, SN_COL_NODE, node);
	}
}

static void write_codec(struct run *run, bool newest_first)
{
	size_t rows = sn_batch_rows(run->batch);
	struct sn_value picked[SN_DATASET_COLUMNS_MAX];
	bool csv = run->form == SN_ROWS_CSV;

	if (csv && !run->header_done)
		sn_csv_write_header(&run->text, &run->picked);
	run->header_done = true;
	for (size_t i = 0; i < rows; i++) {
		const struct sn_value *row =
			sn_batch_row(run->batch, newest_first ? rows - 1 - i : i);

		for (size_t k = 0; k < run->picked.column_count; k++)
			picked[k] = row[run->from[k]];
		if (csv)
			sn_csv_write_row(&run->text, &run->picked, picked);
		else
			sn_jsonl_write_row(&run->text, &run->picked, picked);
	}
}

static int write_error(const struct run *run)
{
	if (errno == EPIPE)
		return -EPIPE; /* `| head` has seen enough */
	return sn_err_sys(run->err, errno != 0 ? -errno : -EIO, "cannot write the rows");
}

static int put(const struct run *run, struct sn_str text)
{
	errno = 0;
	if (fwrite(text.p, 1, text.n, run->out) != text.n)
		return write_error(run);
	return 0;
}

static int flush(const struct run *run)
{
	errno = 0;
	return fflush(run->out) == 0 && !ferror(run->out) ? 0 : write_error(run);
}

/* Prints what is in the batch and forgets it. */
static int emit(struct run *run, bool newest_first)
{
	int rc = 0;

	if (run->form == SN_ROWS_TABLE) {
		show_names(run, run->batch);
		sn_shape_add(run->shape, run->batch, newest_first);
		sn_shape_show(run->shape, run->out);
	} else {
		sn_buf_clear(&run->text);
		write_codec(run, newest_first);
		rc = put(run, sn_buf_str(&run->text));
		sn_buf_clear(&run->text);
	}
	if (rc == 0)
		rc = flush(run);
	return rc;
}

/* The past -------------------------------------------------------------- */

static int take_line(struct run *run, struct sn_str line)
{
	int rc;

	if (line.n == 0)
		return 0;
	rc = sn_jsonl_read_row(run->batch, line, run->err);
	return rc == 0 ? 0 : sn_err_wrap(run->err, "a row of the hub");
}

static int take_piece(struct sn_str piece, void *ctx)
{
	struct run *run = ctx;
	struct sn_str rest, line;
	int rc = 0;

	sn_buf_add(&run->text, piece.p, piece.n);
	rest = sn_buf_str(&run->text);
	while (rc == 0 && memchr(rest.p, '\n', rest.n) != NULL && sn_str_split(&rest, '\n', &line))
		rc = take_line(run, line);
	if (rest.n > SN_JSONL_LINE_MAX)
		return sn_err_set(run->err, -EMSGSIZE, "a row of the hub is too long");
	sn_buf_drop(&run->text, run->text.n - rest.n);
	return rc;
}

/* Into run->batch, newest first. */
static int fetch_newest(struct run *run)
{
	sn_autofree char *path = sn_rows_path(run->query, "newest");
	int rc = sn_client_stream(run->client, path, "application/x-ndjson", take_piece, run,
				  run->err);

	if (rc == 0)
		rc = take_line(run, sn_buf_str(&run->text));
	sn_buf_clear(&run->text);
	return rc;
}

static int pass_through(struct sn_str piece, void *ctx)
{
	return put(ctx, piece);
}

static int stream_all(struct run *run)
{
	sn_autofree char *path = sn_rows_path(run->query, "oldest");
	const char *accept = run->form == SN_ROWS_CSV ? "text/csv" : "application/x-ndjson";
	int rc = sn_client_stream(run->client, path, accept, pass_through, run, run->err);

	run->header_done = true;
	return rc != 0 ? rc : flush(run);
}

static bool is_narrow(const struct sn_rows_query *query)
{
	return query->node != NULL || query->target != NULL || query->task != NULL ||
	       query->where_count > 0 || query->has_since || query->has_until;
}

static int list_newest(struct run *run)
{
	int rc = fetch_newest(run);

	if (rc != 0)
		return rc;
	if (run->form != SN_ROWS_TABLE)
		return emit(run, true);
	if (sn_batch_rows(run->batch) == 0) {
		fprintf(stderr, "no rows of '%s'%s\n", run->query->name,
			is_narrow(run->query) ? " are like that" : " yet");
		return 0;
	}
	rc = emit(run, true);
	if (run->query->fields == NULL)
		sn_shape_show_series(run->batch, true, run->out);
	return rc;
}

/* What comes ------------------------------------------------------------ */

static void set_member(struct sn_batch *batch, int column, const json_t *member)
{
	const struct sn_dataset *dataset = sn_batch_dataset(batch);
	struct sn_str text = {json_string_value(member), json_string_length(member)};
	int64_t unix_ns;

	switch (dataset->columns[column].type) {
	case SN_TYPE_BOOL:
		if (json_is_boolean(member))
			sn_batch_set_bool(batch, column, json_is_true(member));
		break;
	case SN_TYPE_I64:
		if (json_is_integer(member))
			sn_batch_set_i64(batch, column, json_integer_value(member));
		break;
	case SN_TYPE_F64:
		if (json_is_number(member))
			sn_batch_set_f64(batch, column, json_number_value(member));
		break;
	case SN_TYPE_TEXT:
		if (json_is_string(member))
			sn_batch_set_text(batch, column, text);
		break;
	case SN_TYPE_TIME:
		if (json_is_string(member) && sn_parse_time(text, 0, &unix_ns) == 0)
			sn_batch_set_time(batch, column, unix_ns);
		break;
	case SN_TYPE_NULL:
		break;
	}
}

int sn_rows_add_json(struct sn_batch *batch, const json_t *row, struct sn_err *err)
{
	const struct sn_dataset *dataset = sn_batch_dataset(batch);

	if (!json_is_object(row))
		return sn_err_set(err, -EPROTO,
				  "an event of the hub holds something that is no row");
	sn_batch_add_row(batch);
	for (size_t i = 0; i < dataset->column_count; i++) {
		const json_t *member = json_object_get(row, dataset->columns[i].name);

		if (member != NULL)
			set_member(batch, (int)i, member);
	}
	return 0;
}

bool sn_rows_wanted(const struct sn_rows_query *query, const struct sn_value *row)
{
	int target = sn_dataset_column(query->dataset, "target");

	if (query->task != NULL &&
	    (row[SN_COL_TASK].type != SN_TYPE_TEXT || !sn_str_eqc(row[SN_COL_TASK].s, query->task)))
		return false;
	if (query->target == NULL || target < 0)
		return true;
	return row[target].type == SN_TYPE_TEXT && sn_str_eqc(row[target].s, query->target);
}

/* Rows of the list that come as an event too are recognised by their number. */
static bool already_listed(const struct run *run, const struct sn_value *row)
{
	sn_autofree char *node = NULL;
	const int64_t *newest;

	if (row[SN_COL_NODE].type != SN_TYPE_TEXT || row[SN_COL_SEQ].type != SN_TYPE_I64 ||
	    row[SN_COL_TIME].type != SN_TYPE_TIME || row[SN_COL_TIME].i > run->newest_ns)
		return false;
	node = sn_xstrndup(row[SN_COL_NODE].s.p, row[SN_COL_NODE].s.n);
	newest = sn_map_get(run->newest, node);
	return newest != NULL && row[SN_COL_SEQ].i <= *newest;
}

static void remember(struct run *run, const struct sn_batch *listed)
{
	for (size_t i = 0; i < sn_batch_rows(listed); i++) {
		const struct sn_value *row = sn_batch_row(listed, i);
		sn_autofree char *node = NULL;
		int64_t *newest;

		if (row[SN_COL_NODE].type != SN_TYPE_TEXT || row[SN_COL_SEQ].type != SN_TYPE_I64)
			continue;
		node = sn_xstrndup(row[SN_COL_NODE].s.p, row[SN_COL_NODE].s.n);
		newest = sn_map_get(run->newest, node);
		if (newest == NULL) {
			newest = sn_new(int64_t);
			sn_map_set(run->newest, node, newest);
		}
		*newest = SN_MAX(*newest, row[SN_COL_SEQ].i);
		run->newest_ns = SN_MAX(run->newest_ns, row[SN_COL_TIME].i);
	}
}

/* An event of a shared topic names its dataset. */
static bool is_ours(const struct run *run, const json_t *event)
{
	const char *dataset = json_string_value(json_object_get(event, "dataset"));

	return dataset == NULL || strcmp(dataset, run->query->name) == 0;
}

static int take_event(const char *event, struct sn_str data, void *ctx)
{
	struct run *run = ctx;
	sn_autojson json_t *json = sn_json_parse(data.p, data.n, run->err);
	const json_t *rows = json_object_get(json, "rows");
	int rc = 0;

	/* The hub does not have all that we missed any more: look again at what it stored. */
	if (run->listed && event != NULL && strcmp(event, "reset") == 0)
		return -ERESTART;
	if (!json_is_array(rows) || !is_ours(run, json))
		return 0; /* what a later hub may say */
	for (size_t i = 0; i < json_array_size(rows) && rc == 0; i++) {
		if (sn_batch_rows(run->batch) >= QUEUE_ROWS_MAX)
			return sn_err_set(run->err, -EMSGSIZE,
					  "rows come faster than they can be "
					  "listed (narrow the question)");
		rc = sn_rows_add_json(run->batch, json_array_get(rows, i), run->err);
		if (rc == 0 &&
		    !sn_rows_wanted(run->query,
				    sn_batch_row(run->batch, sn_batch_rows(run->batch) - 1)))
			sn_batch_drop_row(run->batch);
	}
	if (rc != 0 || !run->listed || sn_batch_rows(run->batch) == 0)
		return rc;
	remember(run, run->batch);
	rc = emit(run, false);
	sn_batch_clear(run->batch);
	return rc;
}

/* What of `from` was not shown yet, in the order of time. */
static void take_new(struct run *run, const struct sn_batch *from, bool newest_first)
{
	size_t rows = sn_batch_rows(from), columns = sn_batch_dataset(from)->column_count;

	for (size_t i = 0; i < rows; i++) {
		const struct sn_value *row = sn_batch_row(from, newest_first ? rows - 1 - i : i);
		size_t added;

		if (already_listed(run, row))
			continue;
		added = sn_batch_add_row(run->batch);
		for (size_t k = 0; k < columns; k++)
			if (row[k].type != SN_TYPE_NULL)
				sn_batch_set(run->batch, added, (int)k, row[k]);
	}
}

static int show_new(struct run *run, const struct sn_batch *from, bool newest_first)
{
	int rc = 0;

	take_new(run, from, newest_first);
	/* A header is due even if there is nothing to show yet. */
	if (sn_batch_rows(run->batch) > 0 || !run->header_done) {
		remember(run, run->batch);
		rc = emit(run, false);
	}
	run->header_done = true;
	sn_batch_clear(run->batch);
	return rc;
}

/* The stream stands: list the past, then what came meanwhile. */
static int list_then_queue(void *ctx)
{
	struct run *run = ctx;
	struct run past = *run; /* its own batch and text, while events fill ours */
	struct sn_batch *queue = run->batch;
	int rc;

	past.batch = sn_batch_create(run->query->dataset);
	past.text = (struct sn_buf){0};
	rc = fetch_newest(&past);
	run->batch = sn_batch_create(run->query->dataset);
	if (rc == 0)
		rc = show_new(run, past.batch, true);
	if (rc == 0)
		rc = show_new(run, queue, false);
	run->listed = true;
	sn_batch_destroy(queue);
	sn_batch_destroy(past.batch);
	sn_buf_finish(&past.text);
	return rc;
}

/* After a gap: everything since shortly before the newest row that was shown. */
static void look_back(struct run *run, struct sn_rows_query *again)
{
	*again = *run->query;
	again->limit = QUEUE_ROWS_MAX;
	if (run->newest_ns > 0) {
		again->has_since = true;
		again->since_ns = run->newest_ns - LOOK_BACK_NS;
	}
	run->query = again;
	run->listed = false;
	sn_batch_clear(run->batch);
}

static int follow_rows(struct run *run)
{
	const struct sn_rows_query *query = run->query;
	sn_autofree char *path = sn_rows_events_path(query);
	struct sn_rows_query again;
	int rc;

	run->newest = sn_map_create(free);
	while ((rc = sn_client_follow(run->client, path, list_then_queue, take_event, run,
				      run->err)) == -ERESTART)
		look_back(run, &again);
	run->query = query;
	sn_map_destroy(run->newest);
	return rc;
}

/* Together -------------------------------------------------------------- */

/* The columns that are asked for, for the codecs. */
static int pick_columns(struct run *run)
{
	const struct sn_dataset *dataset = run->query->dataset;
	struct sn_str rest = sn_str(run->query->fields), name;
	size_t count = 0;

	run->picked = *dataset;
	run->columns = sn_new_n(struct sn_column, SN_DATASET_COLUMNS_MAX);
	for (size_t i = 0; i < dataset->column_count && run->query->fields == NULL; i++) {
		run->from[count] = (int)i;
		run->columns[count++] = dataset->columns[i];
	}
	while (run->query->fields != NULL && sn_str_split(&rest, ',', &name)) {
		sn_autofree char *copy = sn_xstrndup(name.p, name.n);
		int column = sn_dataset_column(dataset, copy);

		if (column < 0)
			return sn_rows_unknown_column(dataset, copy, run->err);
		if (count == SN_DATASET_COLUMNS_MAX)
			return sn_err_set(run->err, -EINVAL, "the list of columns is too long");
		run->from[count] = column;
		run->columns[count++] = dataset->columns[column];
	}
	run->picked.columns = run->columns;
	run->picked.column_count = count;
	return 0;
}

/* Rows that were imported may be of nodes that never joined: then what was said is their name. */
static int check_foreign_node(struct run *run)
{
	const struct sn_rows_query any = {
		.name = run->query->name, .node = run->query->node, .limit = 1};
	sn_autofree char *path = sn_rows_path(&any, "newest");
	sn_autojson json_t *answer = NULL;
	int rc = sn_client_get(run->client, path, &answer, run->err);

	if (rc == 0 && json_array_size(json_object_get(answer, "items")) == 0)
		rc = sn_names_unknown(run->names, run->query->node, run->err);
	return rc;
}

static int prepare(struct run *run)
{
	const struct sn_rows_query *query = run->query;
	int rc = sn_rows_check_where(query, run->err);

	if (rc == 0)
		rc = pick_columns(run);
	if (rc != 0)
		return rc;
	if (query->target != NULL && sn_dataset_column(query->dataset, "target") < 0)
		return sn_err_set(run->err, -EINVAL,
				  "dataset '%s' has no targets (leave '--target' out)",
				  query->name);
	run->batch = sn_batch_create(query->dataset);
	if (run->form == SN_ROWS_TABLE)
		rc = sn_shape_create(query->dataset, query->fields, run->follow, &run->shape,
				     run->err);
	if (rc == 0 && (run->form == SN_ROWS_TABLE || query->node != NULL))
		rc = sn_names_fetch(run->client, &run->names, run->err);
	if (rc == 0 && query->node != NULL && sn_names_id(run->names, query->node) == NULL)
		rc = check_foreign_node(run);
	return rc;
}

static void finish(struct run *run)
{
	sn_shape_destroy(run->shape);
	sn_names_destroy(run->names);
	sn_batch_destroy(run->batch);
	sn_buf_finish(&run->text);
	free(run->columns);
}

int sn_rows_run(struct sn_client *client, const struct sn_rows_query *query, enum sn_rows_form form,
		bool follow, FILE *out, struct sn_err *err)
{
	struct run run = {.client = client,
			  .query = query,
			  .form = form,
			  .follow = follow,
			  .out = out,
			  .err = err};
	int rc = prepare(&run);

	if (rc == 0)
		rc = follow                  ? follow_rows(&run)
		     : form == SN_ROWS_TABLE ? list_newest(&run)
		     : query->limit > 0      ? list_newest(&run)
					     : stream_all(&run);
	finish(&run);
	return rc == -EPIPE ? 0 : rc;
}
