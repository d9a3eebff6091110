/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shape.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

#define TIME_WIDTH        29 /* of what sn_shape_time() writes */
#define FIELD_MAX         64
#define SERIES_MAX        200 /* further ones get no line */
#define TREND_MAX         60  /* values in a trend: the newest */
#define SERIES_ROWS_LEAST 3   /* fewer make no trend */

/* Times ----------------------------------------------------------------- */

char *sn_shape_time(int64_t unix_ns, char *out, size_t size)
{
	int64_t rest_ns = (unix_ns % SN_NS_PER_S + SN_NS_PER_S) % SN_NS_PER_S;
	time_t seconds = (time_t)((unix_ns - rest_ns) / SN_NS_PER_S);
	char date[32] = "?", zone[8] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm) != NULL) {
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
		strftime(zone, sizeof(zone), "%z", &tm);
	}
	snprintf(out, size, "%s.%03d%.3s:%.2s", date, (int)(rest_ns / SN_NS_PER_MS), zone,
		 zone[0] != '\0' ? zone + 3 : "");
	return out;
}

char *sn_shape_ago(int64_t unix_ns, int64_t now_ns, char *out, size_t size)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	int64_t distance = (now_ns - unix_ns) / SN_NS_PER_S;
	bool ahead = distance < 0;

	distance = ahead ? -distance : distance;
	for (size_t i = 0; i < SN_COUNT(units); i++) {
		/* 90 s are "90 s", 2 min and more minutes: two digits before the coarser unit. */
		if (distance < 2 * units[i].seconds && units[i].seconds > 1)
			continue;
		if (distance == 0)
			break;
		snprintf(out, size, "%s%" PRId64 " %s%s", ahead ? "in " : "",
			 distance / units[i].seconds, units[i].name, ahead ? "" : " ago");
		return out;
	}
	snprintf(out, size, "now");
	return out;
}

/* Columns --------------------------------------------------------------- */

/* Columns that people want first; a dataset that is not here shows what it has. */
static const struct {
	const char *dataset;
	const char *fields;
} favourites[] = {
	{"ping", "time,node,target,sent_packets,loss_ratio,rtt_min_seconds,rtt_p50_seconds,"
		 "rtt_p95_seconds,rtt_max_seconds,status,error"},
	{"flow", "time,node,protocol,c_ip,c_port,s_ip,s_port,duration_seconds,c_packets,s_packets,"
		 "c_bytes,s_bytes,handshake_rtt_seconds,application,server_name,state,end"},
	{"health", "time,node,uptime_seconds,cpu_seconds,resident_bytes,load_1m,spool_batches,"
		   "spool_bytes,dropped_rows,tasks_running,clock_synchronised"},
	{"tstat_tcp_complete",
	 "time,node,c_ip,c_port,s_ip,s_port,durat,c_bytes_all,s_bytes_all,c_pkts_retx,s_pkts_retx,"
	 "c_rtt_avg,s_rtt_avg,con_t,c_tls_SNI,http_hostname,fqdn"},
	{"tstat_tcp_nocomplete",
	 "time,node,c_ip,c_port,s_ip,s_port,durat,c_pkts_all,s_pkts_all,c_bytes_all,s_bytes_all,"
	 "c_syn_cnt,c_rst_cnt,s_rst_cnt,con_t"},
	{"tstat_udp_complete",
	 "time,node,c_ip,c_port,s_ip,s_port,c_durat,s_durat,c_pkts_all,s_pkts_all,c_bytes_all,"
	 "s_bytes_all,c_type,s_type,fqdn,quic_SNI"},
	{"tstat_http_complete",
	 "time,node,c_ip,s_ip,s_port,method,hostname,path,user_agent,response,"
	 "content_len,content_type,server,location"},
	{"tstat_dns_complete", "time,node,c_ip,s_ip,entry,query,type,ttl,answer"},
	{"tstat_video_complete",
	 "time,node,c_ip,s_ip,durat,s_bytes_all,s_pkts_retx,c_rtt_avg,vd_type_cont,vd_dur,"
	 "vd_rate_tot,c_tls_SNI,http_hostname,fqdn"},
	{"tstat_mm_complete",
	 "time,node,a_proto,direction,c_ip,c_port,s_ip,s_port,duration,packets,losses,ipg,"
	 "jitter_avg,jitter_max,speed"},
	{"tstat_chat_complete", "time,node,c_ip,c_port,s_ip,s_port,durat,c_bytes_uniq,"
				"s_bytes_uniq,type,con_t"},
	{"tstat_tcp_periodic",
	 "time,node,c_ip,c_port,s_ip,s_port,bin_duration,c_bytes_all,s_bytes_all,c_pkts_retx,"
	 "s_pkts_retx,c_rtt_avg,s_rtt_avg,c_cwin_max,s_cwin_max"},
	{"tstat_udp_periodic", "time,node,c_ip,c_port,s_ip,s_port,bin_duration,c_pkts_all,"
			       "c_bytes_all,s_pkts_all,s_bytes_all"},
};

/* From the end of the name to the unit that is shown, and the factor that makes it. */
static const struct scale {
	const char *suffix, *unit;
	double factor;
	int decimals;
} scales[] = {
	{"_seconds", "s", 1, 3}, {"_bytes", "B", 1, 0}, {"_packets", "packets", 1, 0},
	{"_ratio", "%", 100, 2}, {"", "", 1, 3},
};
/* Round-trip delays are told in milliseconds, whatever their size, so that lines compare. */
static const struct scale delay_scale = {"_seconds", "ms", 1e3, 3};

struct field {
	int column;
	const struct scale *scale;
	char header[FIELD_MAX + 16];
};

struct sn_shape {
	const struct sn_dataset *dataset;
	struct field *fields;
	struct sn_table_column *columns;
	size_t count;
	bool sparse; /* columns without a value are left out */
	struct sn_table *table;
};

static bool ends_with(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && strcmp(text + n - m, suffix) == 0;
}

static const struct scale *scale_of(const struct sn_column *column)
{
	if (strstr(column->name, "rtt") != NULL && ends_with(column->name, "_seconds"))
		return &delay_scale;
	for (size_t i = 0; i + 1 < SN_COUNT(scales); i++)
		if (ends_with(column->name, scales[i].suffix))
			return &scales[i];
	return &scales[SN_COUNT(scales) - 1];
}

static void name_field(const struct sn_column *column, struct field *field)
{
	size_t stem = strlen(column->name) - strlen(field->scale->suffix);

	if (column->type == SN_TYPE_TIME || field->scale->unit[0] == '\0')
		snprintf(field->header, sizeof(field->header), "%.*s", FIELD_MAX, column->name);
	else
		snprintf(field->header, sizeof(field->header), "%.*s (%s)", (int)stem, column->name,
			 field->scale->unit);
}

/* What is dispensable when the terminal is narrow; the higher goes first. */
static unsigned drop_rank(const struct sn_dataset *dataset, const char *name, size_t position)
{
	static const char *const kept[] = {"time", "node", "c_ip", "s_ip"};
	static const char *const last[] = {"loss_ratio", "status", "error"};

	for (size_t i = 0; i < SN_COUNT(kept); i++)
		if (strcmp(name, kept[i]) == 0)
			return 0;
	for (size_t i = 0; i < SN_COUNT(last); i++)
		if (strcmp(name, last[i]) == 0)
			return 1;
	if (dataset->key != NULL && strcmp(name, dataset->key) == 0)
		return 0;
	if (dataset->chart != NULL && strcmp(name, dataset->chart) == 0)
		return 0;
	return (unsigned)position + 1;
}

static void add_field(struct sn_shape *shape, int index)
{
	const struct sn_column *column = &shape->dataset->columns[index];
	struct field *field = &shape->fields[shape->count];
	struct sn_table_column *shown = &shape->columns[shape->count];

	field->column = index;
	field->scale = scale_of(column);
	name_field(column, field);
	*shown = (struct sn_table_column){
		.header = field->header,
		.right = column->type == SN_TYPE_I64 || column->type == SN_TYPE_F64,
		.shrink = column->type == SN_TYPE_TEXT,
		.drop = drop_rank(shape->dataset, column->name, shape->count + 1),
		.sparse = shape->sparse,
		.least = !shape->sparse && column->type == SN_TYPE_TIME ? TIME_WIDTH : 0,
	};
	shape->count++;
}

static int unknown_field(const struct sn_dataset *dataset, struct sn_str name, struct sn_err *err)
{
	const char *names[SN_DATASET_COLUMNS_MAX], *near;
	char copy[FIELD_MAX];

	snprintf(copy, sizeof(copy), "%.*s", (int)SN_MIN(name.n, sizeof(copy) - 1), name.p);
	for (size_t i = 0; i < dataset->column_count; i++)
		names[i] = dataset->columns[i].name;
	near = sn_suggest(copy, names, dataset->column_count);
	return sn_err_set(err, -EINVAL, "dataset '%s' has no column '%s'%s%s%s", dataset->name,
			  copy, near != NULL ? " (did you mean '" : "", near != NULL ? near : "",
			  near != NULL ? "'?)" : "");
}

static int add_named(struct sn_shape *shape, const char *fields, struct sn_err *err)
{
	struct sn_str rest = sn_str(fields), name;

	while (sn_str_split(&rest, ',', &name)) {
		char copy[FIELD_MAX + 1];
		int index;

		if (name.n > FIELD_MAX || shape->count == SN_TABLE_COLUMNS_MAX)
			return sn_err_set(err, -EINVAL, "the list of columns is too long");
		snprintf(copy, sizeof(copy), "%.*s", (int)name.n, name.p);
		index = sn_dataset_column(shape->dataset, copy);
		if (index < 0)
			return unknown_field(shape->dataset, name, err);
		add_field(shape, index);
	}
	return 0;
}

static void add_all(struct sn_shape *shape)
{
	for (size_t i = 0; i < shape->dataset->column_count; i++)
		if (i != SN_COL_TASK && i != SN_COL_SEQ && shape->count < SN_TABLE_COLUMNS_MAX)
			add_field(shape, (int)i);
}

int sn_shape_create(const struct sn_dataset *dataset, const char *fields, bool more_comes,
		    struct sn_shape **shape, struct sn_err *err)
{
	struct sn_shape *new = sn_new(struct sn_shape);
	int rc = 0;

	new->dataset = dataset;
	new->sparse = fields == NULL && !more_comes;
	new->fields = sn_new_n(struct field, SN_TABLE_COLUMNS_MAX);
	new->columns = sn_new_n(struct sn_table_column, SN_TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < SN_COUNT(favourites) && fields == NULL; i++)
		if (strcmp(favourites[i].dataset, dataset->name) == 0)
			fields = favourites[i].fields;
	if (fields != NULL)
		rc = add_named(new, fields, err);
	else
		add_all(new);
	if (rc != 0) {
		sn_shape_destroy(new);
		return rc;
	}
	new->table = sn_table_create(new->columns, new->count);
	*shape = new;
	return 0;
}

void sn_shape_destroy(struct sn_shape *shape)
{
	if (shape == NULL)
		return;
	sn_table_destroy(shape->table);
	free(shape->fields);
	free(shape->columns);
	free(shape);
}

/* Cells ----------------------------------------------------------------- */

static enum sn_tone tone_of(const char *column, const struct sn_value *value)
{
	if (strcmp(column, "loss_ratio") == 0 && value->type == SN_TYPE_F64)
		return value->f <= 0 ? SN_TONE_PLAIN : value->f < 0.05 ? SN_TONE_WARN : SN_TONE_BAD;
	if (strcmp(column, "status") == 0 && value->type == SN_TYPE_TEXT)
		return sn_str_eqc(value->s, "ok")        ? SN_TONE_PLAIN
		       : sn_str_eqc(value->s, "partial") ? SN_TONE_WARN
							 : SN_TONE_BAD;
	return SN_TONE_PLAIN;
}

static void add_cell(struct sn_shape *shape, const struct field *field,
		     const struct sn_value *value)
{
	const char *name = shape->dataset->columns[field->column].name;
	enum sn_tone tone = tone_of(name, value);
	char text[SN_TIME_LOCAL_MAX];

	switch (value->type) {
	case SN_TYPE_NULL:
		sn_table_cell(shape->table, SN_TONE_QUIET, NULL);
		break;
	case SN_TYPE_BOOL:
		sn_table_cell(shape->table, tone, value->b ? "yes" : "no");
		break;
	case SN_TYPE_I64:
		sn_table_cellf(shape->table, tone, "%" PRId64, value->i);
		break;
	case SN_TYPE_F64:
		sn_table_cellf(shape->table, tone, "%.*f", field->scale->decimals,
			       value->f * field->scale->factor);
		break;
	case SN_TYPE_TEXT:
		sn_table_cellf(shape->table, tone, "%.*s", (int)value->s.n, value->s.p);
		break;
	case SN_TYPE_TIME:
		sn_table_cell(shape->table, tone, sn_shape_time(value->i, text, sizeof(text)));
		break;
	}
}

void sn_shape_add(struct sn_shape *shape, const struct sn_batch *batch, bool newest_first)
{
	size_t rows = sn_batch_rows(batch);

	for (size_t i = 0; i < rows; i++) {
		const struct sn_value *row = sn_batch_row(batch, newest_first ? rows - 1 - i : i);

		for (size_t k = 0; k < shape->count; k++)
			add_cell(shape, &shape->fields[k], &row[shape->fields[k].column]);
	}
}

void sn_shape_show(struct sn_shape *shape, FILE *out)
{
	sn_table_show(shape->table, out);
}

/* Series ---------------------------------------------------------------- */

struct series {
	char *node, *key;
	size_t rows;
	double trend[TREND_MAX]; /* a ring */
	size_t values;
	double min, max, last;
};

struct series_list {
	struct series *items[SERIES_MAX];
	size_t count;
	struct sn_map *by_name;
};

static void series_free(void *value)
{
	struct series *series = value;

	free(series->node);
	free(series->key);
	free(series);
}

static char *text_of(const struct sn_value *value)
{
	return value->type == SN_TYPE_TEXT ? sn_xstrndup(value->s.p, value->s.n) : sn_xstrdup("-");
}

static struct series *find_series(struct series_list *list, const struct sn_value *node,
				  const struct sn_value *key)
{
	sn_autofree char *node_text = text_of(node);
	sn_autofree char *key_text = text_of(key);
	sn_autofree char *name = sn_xasprintf("%s\n%s", node_text, key_text);
	struct series *series = sn_map_get(list->by_name, name);

	if (series != NULL || list->count == SERIES_MAX)
		return series;
	series = sn_new(struct series);
	series->node = sn_steal(&node_text);
	series->key = sn_steal(&key_text);
	series->min = INFINITY;
	series->max = -INFINITY;
	series->last = NAN;
	list->items[list->count++] = series;
	sn_map_set(list->by_name, name, series);
	return series;
}

static void series_take(struct series *series, const struct sn_value *value, double factor)
{
	double number = value->type == SN_TYPE_F64 ? value->f * factor : NAN;

	series->rows++;
	series->trend[series->values++ % TREND_MAX] = number;
	series->min = fmin(series->min, number);
	series->max = fmax(series->max, number);
	series->last = number;
}

static void add_number(struct sn_table *table, double value)
{
	if (isfinite(value))
		sn_table_cellf(table, SN_TONE_PLAIN, "%.3f", value);
	else
		sn_table_cell(table, SN_TONE_QUIET, NULL);
}

static void add_series(struct sn_table *table, const struct series *series)
{
	double ordered[TREND_MAX];
	size_t count = SN_MIN(series->values, (size_t)TREND_MAX);
	sn_autofree char *trend = NULL;

	for (size_t i = 0; i < count; i++)
		ordered[i] = series->trend[(series->values - count + i) % TREND_MAX];
	trend = sn_sparkline(ordered, count);
	sn_table_cell(table, SN_TONE_PLAIN, series->node);
	sn_table_cell(table, SN_TONE_PLAIN, series->key);
	sn_table_cellf(table, SN_TONE_PLAIN, "%zu", series->rows);
	add_number(table, series->min);
	add_number(table, series->last);
	add_number(table, series->max);
	sn_table_cell(table, SN_TONE_PLAIN, trend);
}

static void show_series(const struct series_list *list, const struct sn_dataset *dataset,
			const struct field *field, FILE *out)
{
	char last[FIELD_MAX + 32];
	struct sn_table_column columns[] = {
		{.header = "node", .shrink = true},
		{.header = dataset->key, .shrink = true},
		{.header = "rows", .right = true, .drop = 3},
		{.header = "min", .right = true, .drop = 2},
		{.header = last, .right = true},
		{.header = "max", .right = true, .drop = 1},
		{.header = "trend", .shrink = true},
	};
	struct sn_table *table;

	snprintf(last, sizeof(last), "last %s", field->header);
	table = sn_table_create(columns, SN_COUNT(columns));
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i]->rows >= SERIES_ROWS_LEAST)
			add_series(table, list->items[i]);
	if (sn_table_rows(table) > 0) {
		fputc('\n', out);
		sn_table_show(table, out);
	}
	sn_table_destroy(table);
}

void sn_shape_show_series(const struct sn_batch *batch, bool newest_first, FILE *out)
{
	const struct sn_dataset *dataset = sn_batch_dataset(batch);
	struct series_list list = {0};
	size_t rows = sn_batch_rows(batch);
	struct field field = {0};
	int key;

	if (dataset->chart == NULL || dataset->key == NULL)
		return;
	key = sn_dataset_column(dataset, dataset->key);
	field.column = sn_dataset_column(dataset, dataset->chart);
	field.scale = scale_of(&dataset->columns[field.column]);
	name_field(&dataset->columns[field.column], &field);
	list.by_name = sn_map_create(series_free);
	for (size_t i = 0; i < rows; i++) {
		const struct sn_value *row = sn_batch_row(batch, newest_first ? rows - 1 - i : i);
		struct series *series = find_series(&list, &row[SN_COL_NODE], &row[key]);

		if (series != NULL)
			series_take(series, &row[field.column], field.scale->factor);
	}
	show_series(&list, dataset, &field, out);
	sn_map_destroy(list.by_name);
}
