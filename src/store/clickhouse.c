/* SPDX-License-Identifier: Apache-2.0 */
/* The handle, statements and questions. */
#include "store/clickhouse_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * An answer is sent when it is complete, so that an error has a status of its own.  Of a cluster
 * the server at hand is asked also when it has been away: it has what was inserted through it.
 */
#define SETTINGS_READ                                                                              \
	SN_CLICKHOUSE_SETTINGS                                                                     \
	"&wait_end_of_query=1&send_progress_in_http_headers=1"                                     \
	"&http_headers_progress_interval_ms=5000&max_block_size=8192"                              \
	"&load_balancing=in_order&max_replica_delay_for_distributed_queries=0"

/* Handle ---------------------------------------------------------------------- */

int sn_clickhouse_open(const struct sn_clickhouse_options *options, struct sn_clickhouse **ch,
		       struct sn_err *err)
{
	struct sn_clickhouse *made;
	int rc;

	if (options->cluster != NULL && !sn_sql_is_cluster(options->cluster))
		return sn_err_set(err, -EINVAL, "'%s' is no name of a ClickHouse cluster",
				  options->cluster);
	made = sn_new(struct sn_clickhouse);
	rc = sn_clickhouse_http_create(options, &made->http, &made->database, err);
	if (rc != 0) {
		free(made);
		return rc;
	}
	made->cluster = options->cluster != NULL ? sn_xstrdup(options->cluster) : NULL;
	made->tables = sn_map_create(free);
	*ch = made;
	return 0;
}

void sn_clickhouse_close(struct sn_clickhouse *ch)
{
	if (ch == NULL)
		return;
	sn_clickhouse_http_destroy(ch->http);
	sn_map_destroy(ch->tables);
	sn_buf_finish(&ch->sql);
	free(ch->database);
	free(ch->cluster);
	free(ch->version);
	free(ch);
}

const char *sn_clickhouse_place(const struct sn_clickhouse *ch)
{
	return sn_clickhouse_http_place(ch->http);
}

/* Statements ------------------------------------------------------------------- */

/* An answer on its way into rows, or, when it turned out to be an error, into its text. */
struct answer {
	struct sn_native_reader *reader;
	sn_native_fn *fn;
	void *ctx;
	bool ended; /* by `fn` */
	int broken; /* what was wrong with it */
	struct sn_buf text;
};
#define ANSWER_TEXT_MAX 16384

static void keep_text(struct answer *answer, struct sn_str piece)
{
	sn_buf_add(&answer->text, piece.p, SN_MIN(piece.n, ANSWER_TEXT_MAX - answer->text.n));
}

static int take_answer(struct sn_str piece, void *ctx, struct sn_err *err)
{
	struct answer *answer = ctx;
	int rc;

	if (answer->broken != 0) {
		keep_text(answer, piece);
		return 0;
	}
	rc = sn_native_reader_feed(answer->reader, piece, answer->fn, answer->ctx, err);
	answer->ended = rc == -ECANCELED;
	if (rc == 0 || answer->ended)
		return rc;
	/* It may go on with what is wrong, in words. */
	answer->broken = rc;
	keep_text(answer, sn_native_reader_rest(answer->reader));
	return 0;
}

/* What an answer that ended as it should turned out to be. */
static int check_answer(struct sn_clickhouse *ch, struct answer *answer, int *code,
			struct sn_err *err)
{
	struct sn_str rest = answer->broken != 0 ? sn_buf_str(&answer->text)
						 : sn_native_reader_rest(answer->reader);
	struct sn_str reason;

	if (rest.n == 0)
		return 0;
	if (sn_clickhouse_error(rest, code, &reason))
		return sn_err_set(err, -EPROTO, "ClickHouse at '%s' says: %.*s (code %d)",
				  sn_clickhouse_place(ch), (int)reason.n, reason.p, *code);
	return sn_err_set(
		err, -EBADMSG, "cannot read from ClickHouse at '%s': %s", sn_clickhouse_place(ch),
		answer->broken == -E2BIG ? "more rows or longer texts than Sonde writes"
					 : "the answer is not the rows that were asked for");
}

/* Somebody has dropped one: what there is will be asked again. */
static void forget_tables(struct sn_clickhouse *ch)
{
	const char *name;
	size_t cursor = 0;
	void *table;

	while (sn_map_next(ch->tables, &cursor, &name, &table))
		((struct sn_clickhouse_table *)table)->whole = false;
}

int sn_clickhouse_ask(struct sn_clickhouse *ch, const struct sn_native_column *columns,
		      size_t count, sn_native_fn *fn, void *ctx, struct sn_err *err)
{
	struct answer answer = {
		.reader = sn_native_reader_create(columns, count), .fn = fn, .ctx = ctx};
	struct sn_clickhouse_request request = {
		.settings = SETTINGS_READ, .data = take_answer, .ctx = &answer};
	struct sn_err local = {0};
	int rc;

	err = err != NULL ? err : &local;
	sn_buf_adds(&ch->sql, " FORMAT Native");
	request.sql = sn_buf_str(&ch->sql);
	rc = sn_clickhouse_http_run(ch->http, &request, err);
	if (rc == 0)
		rc = check_answer(ch, &answer, &request.code, err);
	if (rc == -EPROTO && request.code == SN_CLICKHOUSE_UNKNOWN_TABLE) {
		forget_tables(ch);
		/* Over a cluster another server may lack it, and the rows of all are missing. */
		rc = ch->cluster == NULL ? 0 : rc;
	}
	sn_native_reader_destroy(answer.reader);
	sn_buf_finish(&answer.text);
	return answer.ended ? 1 : rc;
}

int sn_clickhouse_change(struct sn_clickhouse *ch, unsigned cluster_s, int *code,
			 struct sn_err *err)
{
	sn_autofree char *settings = sn_xasprintf(
		SN_CLICKHOUSE_SETTINGS "&wait_end_of_query=1&distributed_ddl_task_timeout=%u",
		cluster_s);
	struct sn_clickhouse_request request = {
		.settings = settings, .sql = sn_buf_str(&ch->sql), .changes = true};
	int rc = sn_clickhouse_http_run(ch->http, &request, err);

	*code = request.code;
	return rc;
}

/* Version ----------------------------------------------------------------------- */

static int take_version(const struct sn_vector *columns, size_t rows, void *ctx)
{
	struct sn_clickhouse *ch = ctx;
	struct sn_str text = columns[0].s[rows - 1];

	free(ch->version);
	ch->version = sn_xstrndup(text.p, text.n);
	return 0;
}

int sn_clickhouse_version(struct sn_clickhouse *ch, const char **version, struct sn_err *err)
{
	static const struct sn_native_column columns[] = {{"version()", SN_TYPE_TEXT, false}};
	int rc;

	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "SELECT version()");
	rc = sn_clickhouse_ask(ch, columns, 1, take_version, ch, err);
	if (rc != 0)
		return rc;
	if (ch->version == NULL)
		return sn_err_set(err, -EBADMSG, "ClickHouse at '%s' does not say its version",
				  sn_clickhouse_place(ch));
	/* 22.3 was the first release for long use that had asynchronous inserts. */
	ch->is_new = strtoul(ch->version, NULL, 10) >= 22;
	*version = ch->version;
	return 0;
}

/* Names --------------------------------------------------------------------------- */

void sn_clickhouse_add_table(struct sn_clickhouse *ch, const char *name)
{
	sn_sql_add_name(&ch->sql, ch->database);
	sn_buf_addc(&ch->sql, '.');
	sn_sql_add_name(&ch->sql, name);
}

void sn_clickhouse_add_where_parts(struct sn_clickhouse *ch, const char *local)
{
	sn_buf_adds(&ch->sql, " WHERE active AND database = ");
	sn_sql_add_text(&ch->sql, sn_str(ch->database));
	sn_buf_adds(&ch->sql, " AND table = ");
	sn_sql_add_text(&ch->sql, sn_str(local));
}

void sn_clickhouse_add_parts(struct sn_clickhouse *ch, const char *local)
{
	if (ch->cluster != NULL) {
		sn_buf_adds(&ch->sql, "cluster(");
		sn_sql_add_text(&ch->sql, sn_str(ch->cluster));
		sn_buf_adds(&ch->sql, ", system, parts)");
	} else {
		sn_buf_adds(&ch->sql, "system.parts");
	}
	sn_clickhouse_add_where_parts(ch, local);
}

void sn_clickhouse_add_on_cluster(struct sn_clickhouse *ch)
{
	if (ch->cluster == NULL)
		return;
	sn_buf_adds(&ch->sql, " ON CLUSTER ");
	sn_sql_add_name(&ch->sql, ch->cluster);
}

void sn_clickhouse_local_name(const struct sn_clickhouse *ch, const char *table,
			      char out[SN_CLICKHOUSE_TABLE_NAME_MAX + 2])
{
	snprintf(out, SN_CLICKHOUSE_TABLE_NAME_MAX + 2, "%s%s", table,
		 ch->cluster != NULL ? "_l" : "");
}
