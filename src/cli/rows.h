/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: the verbs that show rows of datasets, `sonde results` and `sonde flows`.
 *
 * The order is always oldest first.  --json and --csv give the hub's rows as they
 * are, SI units and UTC; with a limit the newest that many.
 */
#ifndef SONDE_CLI_ROWS_H
#define SONDE_CLI_ROWS_H

#include <stdio.h>

#include "cli/client.h"
#include "cli/rows_query.h"
#include "data/batch.h"

#define SN_ROWS_SHOWN     50      /* for people, without --limit */
#define SN_ROWS_LIMIT_MAX 1000000 /* held in memory to turn their order */

enum sn_rows_form { SN_ROWS_TABLE, SN_ROWS_JSON, SN_ROWS_CSV };

/* The row of an event, an object of the dataset's columns, as a row of `batch`. */
int sn_rows_add_json(struct sn_batch *batch, const json_t *row, struct sn_err *err);
/* What the event stream cannot filter: true if a row is wanted. */
bool sn_rows_wanted(const struct sn_rows_query *query, const struct sn_value *row);

/* Runs a query: prints to `out` as `form`, then, with `follow`, what comes new. */
int sn_rows_run(struct sn_client *client, const struct sn_rows_query *query, enum sn_rows_form form,
		bool follow, FILE *out, struct sn_err *err);

#endif
