/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: the verbs that show rows of datasets, `sonde results` and `sonde flows`.
 *
 * The order is always oldest first.  --json and --csv give the hub's rows as they
 * are, SI units and UTC; with a limit the newest that many.
 */
#ifndef SONDE_CLI_ROWS_H
#define SONDE_CLI_ROWS_H

#include "base/buf.h"
#include "base/err.h"
#include "cli/client.h"
#include "data/batch.h"

#define SN_ROWS_SHOWN     50      /* for people, without --limit */
#define SN_ROWS_LIMIT_MAX 1000000 /* held in memory to turn their order */

enum sn_rows_form { SN_ROWS_TABLE, SN_ROWS_JSON, SN_ROWS_CSV };

struct sn_rows_query {
	const struct sn_dataset *dataset;
	const char *name; /* of the dataset */
	const char *node, *target, *task, *fields;
	const char *const *where; /* "column=value", "column>value", ... */
	unsigned where_count;
	bool has_since, has_until;
	int64_t since_ns, until_ns;
	uint64_t limit; /* 0: none */
};

/* "/api/v1/datasets/ping/rows?..."; malloc'ed. */
char *sn_rows_path(const struct sn_rows_query *query, const char *order);
struct sn_rows_export { /* members may be NULL: the hub's default */
	const char *format, *compress, *within;
};
/* "/api/v1/datasets/ping/export?..."; malloc'ed. */
char *sn_rows_export_path(const struct sn_rows_query *query, const struct sn_rows_export *wanted);
/* "/api/v1/datasets/flow/groups?..."; `weight` may be NULL: the number of rows. */
char *sn_rows_groups_path(const struct sn_rows_query *query, const char *by, const char *weight);
#define SN_ROWS_NO_CONDITION                                                                       \
	"'%.60s' is no condition (write it like 's_port=443' or 'c_bytes>1000')"
/* "column=value" or with one of > >= < <= != ~ between. */
bool sn_rows_is_condition(const char *text);
/* Filters are conditions and name columns that there are; -EINVAL with the nearest one. */
int sn_rows_check_where(const struct sn_rows_query *query, struct sn_err *err);
/* The row of an event, an object of the dataset's columns, as a row of `batch`. */
int sn_rows_add_json(struct sn_batch *batch, const json_t *row, struct sn_err *err);
/* What the event stream cannot filter: true if a row is wanted. */
bool sn_rows_wanted(const struct sn_rows_query *query, const struct sn_value *row);

/* Runs a query: prints to `out` as `form`, then, with `follow`, what comes new. */
int sn_rows_run(struct sn_client *client, const struct sn_rows_query *query, enum sn_rows_form form,
		bool follow, FILE *out, struct sn_err *err);

#endif
