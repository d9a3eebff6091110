/* SPDX-License-Identifier: Apache-2.0 */
/* rows_query: which rows of a dataset are wanted, and the paths of the API that ask for them. */
#ifndef SONDE_CLI_ROWS_QUERY_H
#define SONDE_CLI_ROWS_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "data/dataset.h"

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
/* "/api/v1/events?topic=..." of the rows that come; malloc'ed. */
char *sn_rows_events_path(const struct sn_rows_query *query);

#define SN_ROWS_NO_CONDITION                                                                       \
	"'%.60s' is no condition (write it like 's_port=443' or 'c_bytes>1000')"
/* "column=value" or with one of > >= < <= != ~ between. */
bool sn_rows_is_condition(const char *text);
/* "dataset 'ping' has no column 'rt' (did you mean 'rtt'?)"; -EINVAL. */
int sn_rows_unknown_column(const struct sn_dataset *dataset, const char *name, struct sn_err *err);
/* Filters are conditions and name columns that there are; -EINVAL with the nearest one. */
int sn_rows_check_where(const struct sn_rows_query *query, struct sn_err *err);

#endif
