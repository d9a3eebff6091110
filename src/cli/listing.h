/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing: a list of the hub's as a table for people or as JSON Lines, by declaration.
 *
 * Which member of an item goes into which column, and how it looks, is a table; a verb
 * that lists things is that table and the path of its route.
 */
#ifndef SONDE_CLI_LISTING_H
#define SONDE_CLI_LISTING_H

#include "cli/client.h"
#include "cli/table.h"

enum sn_listing_form {
	SN_LISTING_TEXT,
	SN_LISTING_COUNT, /* whole number, thousands apart */
	SN_LISTING_BYTES,
	SN_LISTING_SECONDS, /* "3.2 s", "5 min" */
	SN_LISTING_TIME,    /* local, with offset */
	SN_LISTING_AGO,     /* "5 s ago"; the time itself when that is months ago */
};

struct sn_listing_column {
	struct sn_table_column column;
	/* Of an item; of several with '|' between the first that is there.  None, or null, is "-".
	 */
	const char *member;
	enum sn_listing_form form;
	/* How good a text is; NULL: says nothing. */
	enum sn_tone (*tone)(const char *text);
};

struct sn_listing {
	const struct sn_listing_column *columns;
	size_t count;
	/* What to say when there is no item: why, and what to do; not for what is shown alone. */
	const char *none;
	uint64_t most; /* items to show; 0: all */
};

/* Writes every item of `path`, all its pages.  With `json` an object per line, as the hub sent it.
 */
int sn_listing_run(struct sn_client *client, const struct sn_listing *listing, const char *path,
		   bool json, struct sn_err *err);
/* Adds one item as a row of a table that has the listing's columns. */
void sn_listing_add(struct sn_table *table, const struct sn_listing *listing, const json_t *item);
/* One item alone: a line per column that it has a value for. */
void sn_listing_show(const struct sn_listing *listing, const json_t *item, FILE *out);

#endif
