/* SPDX-License-Identifier: Apache-2.0 */
/* groups: `--top COLUMN`: the weightiest values of a column instead of rows. */
#ifndef SONDE_CLI_GROUPS_H
#define SONDE_CLI_GROUPS_H

#include <stdio.h>

#include "cli/client.h"
#include "cli/rows_query.h"

/*
 * Prints a line per value; with `json` the hub's whole answer as one line.  `weight`: columns with
 * commas between; NULL: those of the dataset that add up to traffic, else the number of rows.
 */
int sn_groups_run(struct sn_client *client, const struct sn_rows_query *query, const char *by,
		  const char *weight, bool json, FILE *out, struct sn_err *err);

#endif
