/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset: the one language for everything measured.
 *
 * A dataset is a named list of typed columns (name, type, unit, meaning),
 * declared once in a table under data/catalog/.  The store's table, the JSON
 * and CSV names, the CLI's headers, the API's schema and the default chart all
 * come from that declaration.
 *
 * Every dataset starts with the common columns: when, on which node, for which
 * task, and the row's sequence number in the node's stream.  A program that runs
 * alone leaves node, task and seq null.
 *
 * Units are base units and part of the name: _seconds, _bytes, _ratio, ...
 * Unknown is null, never 0 or -1.
 */
#ifndef SONDE_DATA_DATASET_H
#define SONDE_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>

enum sn_type {
	SN_TYPE_NULL, /* of a value only, never of a column */
	SN_TYPE_BOOL,
	SN_TYPE_I64,
	SN_TYPE_F64,
	SN_TYPE_TEXT, /* UTF-8, at most SN_TEXT_MAX bytes; addresses in canonical text (RFC 5952) */
	SN_TYPE_TIME, /* Unix nanoseconds; RFC 3339 in JSON and CSV, INTEGER in SQLite */
};

#define SN_TEXT_MAX            4096
#define SN_DATASET_COLUMNS_MAX 256

struct sn_column {
	const char *name;
	enum sn_type type;
	const char *unit; /* "s", "B", "1", "packets", "" */
	const char *help; /* what it means, one sentence; names the RFC where there is one */
};

struct sn_dataset {
	const char *name; /* [a-z][a-z0-9_]* */
	unsigned version; /* adding columns is minor; a changed meaning is a new version */
	const char *title, *help;
	const struct sn_column *columns;
	size_t column_count;
	const char *key; /* column that tells the series of one node apart: "target"; may be NULL */
	const char *chart; /* column drawn by default; may be NULL */
};

/* Positions of the common columns, the same in every dataset. */
enum { SN_COL_TIME, SN_COL_NODE, SN_COL_TASK, SN_COL_SEQ, SN_COL_COMMON };

#define SN_COMMON_COLUMNS                                                                          \
	{"time", SN_TYPE_TIME, "s", "when the observation began, Unix time (UTC)"},                \
		{"node", SN_TYPE_TEXT, "", "node that observed"},                                  \
		{"task", SN_TYPE_TEXT, "", "standing task the row belongs to"},                    \
	{                                                                                          \
		"seq", SN_TYPE_I64, "1", "number of the row in its node's stream, from 0, gapless" \
	}

const char *sn_type_name(enum sn_type type); /* "bool" "integer" "number" "text" "time" */
int sn_dataset_column(const struct sn_dataset *dataset, const char *name); /* index or -1 */

/* The catalogue: all datasets that this build knows. */
extern const struct sn_dataset *const sn_catalog[];
extern const size_t sn_catalog_count;

/*
 * Behind them stand datasets that a program declares while it runs (the hub: from the capabilities
 * of others).  They stay until the process ends; those added from one thread can be looked up from
 * any.
 */
#define SN_CATALOG_ADDED_MAX 4096
/* Borrowed for ever.  -EEXIST for a name that is there, -E2BIG. */
int sn_catalog_add(const struct sn_dataset *dataset);
size_t sn_catalog_size(void);                               /* of both */
const struct sn_dataset *sn_catalog_at(size_t i);           /* i < sn_catalog_size() */
const struct sn_dataset *sn_catalog_find(const char *name); /* NULL if unknown */

extern const struct sn_dataset sn_dataset_ping;    /* catalog/ping.c */
extern const struct sn_dataset sn_dataset_flow;    /* catalog/flow.c */
extern const struct sn_dataset sn_dataset_health;  /* catalog/health.c */
extern const struct sn_dataset sn_dataset_traffic; /* catalog/traffic.c */
/* catalog/tstat.c: Tstat's logs (tstat/columns.h). */
extern const struct sn_dataset sn_dataset_tstat_tcp_complete, sn_dataset_tstat_tcp_nocomplete,
	sn_dataset_tstat_udp_complete, sn_dataset_tstat_http_complete,
	sn_dataset_tstat_dns_complete, sn_dataset_tstat_video_complete,
	sn_dataset_tstat_mm_complete, sn_dataset_tstat_chat_complete,
	sn_dataset_tstat_chat_messages, sn_dataset_tstat_tcp_periodic,
	sn_dataset_tstat_udp_periodic;

#endif
