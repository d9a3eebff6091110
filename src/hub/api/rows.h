/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: a question about rows, read from a request: which dataset, when, which
 * rows, which columns.
 *
 * Filters are query parameters named like columns.  The value may begin with an
 * operator: `>`, `>=`, `<`, `<=`, `!` (not), `~` (contains); without one it must be
 * equal.  `node` takes a node's id or name.  `within` asks for an area: filters on
 * the columns `latitude` and `longitude`.
 */
#ifndef SONDE_HUB_API_ROWS_H
#define SONDE_HUB_API_ROWS_H

#include "hub/api/api.h"
#include "store/store.h"

struct sn_rows_query {
	struct sn_query query;
	char texts[SN_QUERY_FILTERS_MAX][SN_TEXT_MAX]; /* of text filters */
	/* The columns that are wanted, as a dataset of their own. */
	struct sn_dataset shape;
	struct sn_column columns[SN_DATASET_COLUMNS_MAX];
	int from[SN_DATASET_COLUMNS_MAX]; /* their places in the whole row */
};

/* The dataset of the path's {name}; NULL after a 404. */
const struct sn_dataset *sn_rows_dataset(struct sn_http_request *request);
/* Everything but limit and cursor; NULL after a 400.  free() it. */
struct sn_rows_query *sn_rows_read(struct sn_hub *hub, struct sn_http_request *request);
/* The same of a dataset that the path does not name, and of one task only (NULL: of all). */
struct sn_rows_query *sn_rows_read_of(struct sn_hub *hub, struct sn_http_request *request,
				      const struct sn_dataset *dataset, const char *task);
/* Answers with the rows in the form that the client wants (datasets.c); `rows` is taken over. */
void sn_rows_reply(struct sn_hub *hub, struct sn_http_request *request, struct sn_rows_query *rows);
extern const struct sn_api_param sn_rows_params[];
#define SN_ROWS_PARAMS 8
#define SN_ROWS_WITHIN_HELP                                                                        \
	"latitude,longitude of two opposite corners, from the first longitude eastwards to the "   \
	"second: rows of that area, where there are such columns"
/* Picks the wanted columns of a whole row. */
void sn_rows_pick(const struct sn_rows_query *rows, const struct sn_value *row,
		  struct sn_value out[SN_DATASET_COLUMNS_MAX]);

/* Pure: "c_bytes", ">1000" -> filter; -EINVAL with the reason.  `text` holds a text value. */
int sn_rows_parse_filter(const struct sn_dataset *dataset, int column, const char *value,
			 int64_t now_ns, struct sn_filter *filter, char text[SN_TEXT_MAX],
			 struct sn_err *err);

/* Pure: "48.1,11.4,48.2,11.7": latitude and longitude of two corners; -EINVAL. */
int sn_rows_parse_area(struct sn_str text, double corner[4]);

#endif
