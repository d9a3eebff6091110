/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tstat/columns: the columns of Tstat 3.3's log files, declared once.
 *
 * Header lines, the writer of the logs, the datasets tstat_* and readers of log
 * directories all use these tables.  Names, order and units are Tstat's.
 */
#ifndef SONDE_DATA_TSTAT_COLUMNS_H
#define SONDE_DATA_TSTAT_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "data/dataset.h"

enum sn_tstat_log {
	SN_TSTAT_TCP_COMPLETE,
	SN_TSTAT_TCP_NOCOMPLETE,
	SN_TSTAT_UDP_COMPLETE,
	SN_TSTAT_MM_COMPLETE,
	SN_TSTAT_SKYPE_COMPLETE,
	SN_TSTAT_CHAT_COMPLETE,
	SN_TSTAT_CHAT_MESSAGES,
	SN_TSTAT_VIDEO_COMPLETE,
	SN_TSTAT_HTTP_COMPLETE,
	SN_TSTAT_DNS_COMPLETE,
	SN_TSTAT_TCP_PERIODIC,
	SN_TSTAT_UDP_PERIODIC,
	SN_TSTAT_LOGS
};

/* Optional sets of columns of log_tcp_complete: Tstat's log level. */
enum {
	SN_TSTAT_END_TO_END = 1,
	SN_TSTAT_LAYER7 = 2,
	SN_TSTAT_P2P = 4,
	SN_TSTAT_OPTIONS = 8,
	SN_TSTAT_ADVANCED = 16, /* has no columns */
};
/* The same for log_video_complete. */
enum {
	SN_TSTAT_VIDEO_END_TO_END = 1,
	SN_TSTAT_VIDEO_LAYER7 = 2,
	SN_TSTAT_VIDEO_OPTIONS = 4,
	SN_TSTAT_VIDEO_INFO = 8,
	SN_TSTAT_VIDEO_YOUTUBE = 16,
	SN_TSTAT_VIDEO_ADVANCED = 32,
};
#define SN_TSTAT_LEVEL_ALL 0xff

/* What a field is and how it is written; floating-point ones that are unknown are "0.0". */
enum sn_tstat_type {
	SN_TSTAT_TYPE_INTEGER,
	SN_TSTAT_TYPE_FLAG,    /* 0 or 1 */
	SN_TSTAT_TYPE_MS,      /* "%f"; milliseconds, absolute ones of Unix time */
	SN_TSTAT_TYPE_SECONDS, /* "%f" */
	SN_TSTAT_TYPE_NUMBER,  /* "%f", of another unit */
	SN_TSTAT_TYPE_MILLI,   /* "%.3f" */
	SN_TSTAT_TYPE_GENERAL, /* "%g": six significant digits */
	SN_TSTAT_TYPE_TEXT,    /* "-" when there is none */
};

struct sn_tstat_column {
	const char *name;
	enum sn_tstat_type type;
	const char *unit; /* "ms", "s", "B", "packets", "1", "" */
	uint8_t set;      /* bit of the level that it belongs to; 0: always there */
	const char *help; /* one sentence */
};

struct sn_tstat_table {
	const char *name; /* of the file; NULL: a second kind of line in the file before */
	const struct sn_tstat_column *columns;
	size_t count; /* 0: nothing is known (log_skype_complete, which has no header either) */
	char separator;
	char mark;  /* '#' before the columns and then this one and '#'; 0: '#' alone */
	bool level; /* its header tells the level: "#31#" */
	const struct sn_dataset *dataset; /* that holds its lines as rows; NULL: none does */
};

extern const struct sn_tstat_table sn_tstat_tables[SN_TSTAT_LOGS];
/* log_http_complete has a line per request and one per response. */
extern const struct sn_tstat_table sn_tstat_http_responses;

/*
 * Header with its line feed: "#31#c_ip:1 c_port:2 ..." or, without level, "#c_ip:1 ...".  Columns
 * of sets that are not in `level` are left out, so that numbers behind them shift.
 */
void sn_tstat_write_header(struct sn_buf *out, const struct sn_tstat_table *table, uint8_t level);
/*
 * Place of column `i` in the table's dataset, -1 if it is not there.  Texts that say that there is
 * nothing ("-", "---") are null there.
 */
int sn_tstat_position(const struct sn_tstat_table *table, size_t i);
/* Index of a column in the table, -1 if it has none of this name. */
int sn_tstat_column(const struct sn_tstat_table *table, struct sn_str name);

static inline bool sn_tstat_in_level(const struct sn_tstat_column *column, uint8_t level)
{
	return column->set == 0 || (column->set & level) != 0;
}

#endif
