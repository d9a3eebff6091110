/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/monroe_csv.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "base/util.h"
#include "data/codec.h"
#include "data/monroe/tables.h"
#include "data/scalar.h"

#define SECONDS_PER_DAY 86400

/* How the original dumped a table, where that does not follow from the table. */
struct shape {
	const struct sn_monroe_table *table;
	/* First line; NULL: the names as the original table spells them, in its order. */
	const char *header;
	char separator;
	const char *quoted;  /* columns that stand in quotes */
	const char *doubles; /* columns that were `double`, not `decimal`: 45 is 45.0 */
};

/* clang-format off */
static const struct shape shapes[] = {
	{&sn_monroe_exp_ping,
	 "nodeid,iccid,timestamp,sequencenumber,bytes,dataid,dataversion,guid,host,operator,rtt",
	 ',', "", "rtt"},
	{&sn_monroe_exp_http_download,
	 "nodeid,iccid,timestamp,sequencenumber,bytes,dataid,dataversion,downloadtime,guid,host,operator,"
	 "port,setuptime,speed,totaltime,errorcode,url",
	 ',', "", "downloadtime,setuptime,speed,totaltime"},
	{&sn_monroe_meta_device_gps,
	 "nodeid,timestamp,sequencenumber,altitude,dataid,dataversion,latitude,longitude,nmea,"
	 "satellitecount,speed",
	 ',', "nmea", ""},
	{&sn_monroe_meta_device_modem,
	 "nodeid,iccid,timestamp,sequencenumber,band,cid,dataid,dataversion,devicemode,devicestate,"
	 "devicesubmode,ecio,enodebid,frequency,imei,imsi,imsimccmnc,interfacename,internalinterface,"
	 "internalipaddress,ipaddress,lac,mccmnc,nwmccmnc,operator,pci,rscp,rsrp,rsrq,rssi",
	 ',', "", ""},
	{&sn_monroe_meta_node_event,
	 "nodeid, sequencenumber, timestamp, dataid, dataversion, eventtype, message, user, id",
	 ',', "message", ""},
	{&sn_monroe_meta_node_sensor,
	 "nodeid, timestamp, sequencenumber, apps, cpu, current, dataid, dataversion, dlb, free, guest, "
	 "id, idle, iowait, irq, modems, nice, percent, running, softirq, start, steal, swap, system, "
	 "total, usb0, usb0charging, usb1, usb1charging, usb2, usb2charging, usbmonitor, user",
	 ',', "", ""},
	{&sn_monroe_exp_simple_traceroute,
	 "NodeId\ttimestamp\tendTime\tDataId\tDataVersion\tcontainerTimestamp\thop\ttargetdomainname\t"
	 "InterfaceName\tIpDst\tnumberOfHops\tsizeOfProbes\tIP\tHopName\tRTTSection\tannotationSection",
	 '\t', "", ""},
	{&sn_monroe_exp_exhaustive_paris,
	 "NodeId\ttimestamp\tendTime\tDataId\tDataVersion\tcontainerTimestamp\thop\ttargetdomainname\t"
	 "InterfaceName\tIpDst\tPortDst\tIpSrc\tPortSrc\tIP\tProto\tAlgorithm\tduration\tMinHopRTT\t"
	 "MedianHopRTT\tMaxHopRTT\tStdHopRTT\tannotation\tflowIds\tMPLS\tTransmittedProbes\t"
	 "SuccessfulProbes",
	 '\t', "", ""},
	{&sn_monroe_exp_tstat_udp_complete,
	 "NodeId,Iccid,DataId,c_ip,c_port,c_first_abs,c_durat,c_bytes_all,c_pkts_all,c_isint,c_iscrypto,"
	 "c_type,s_ip,s_port,s_first_abs,s_durat,s_bytes_all,s_pkts_all,s_isint,s_iscrypto,s_type,fqdn",
	 ',', "", ""},
	{&sn_monroe_exp_tstat_http_complete,
	 "NodeId,Iccid,DataId,c_ip,c_port,s_ip,s_port,time_abs,method_HTTP,hostname_response,"
	 "fqdn_content_len,path_content_type,referer_server,user_agent_range,cookie_location,"
	 "dnt_set_cookie",
	 ',', "", ""},
};
/* clang-format on */

struct field {
	int column; /* of the dataset */
	bool quoted, list, dbl;
};

struct sn_monroe_csv {
	const struct sn_monroe_table *table;
	enum sn_monroe_form form;
	char separator;
	struct sn_buf header; /* of the dump, without its end */
	struct field field[SN_DATASET_COLUMNS_MAX];
	/* The strict form: the dump's columns as a dataset of their own. */
	struct sn_column column[SN_DATASET_COLUMNS_MAX];
	struct sn_dataset strict;
};

/* Making the plan ---------------------------------------------------------- */

static char *lower_name(struct sn_str name)
{
	char *text = sn_xstrndup(name.p, name.n);

	for (char *p = text; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return text;
}

static void add_field(struct sn_monroe_csv *csv, const struct shape *shape, struct sn_str name)
{
	sn_autofree char *lower = lower_name(sn_str_trim(name));
	int column = sn_dataset_column(csv->table->dataset, lower);
	size_t i = csv->strict.column_count++;

	assert(column >= 0 && i < SN_DATASET_COLUMNS_MAX);
	csv->column[i] = csv->table->dataset->columns[column];
	csv->field[i] = (struct field){
		.column = column,
		.quoted = shape != NULL && sn_monroe_names_have(shape->quoted, lower),
		.list = sn_monroe_names_have(csv->table->lists, lower),
		.dbl = shape != NULL && sn_monroe_names_have(shape->doubles, lower),
	};
}

/* The Tstat tables keep capitals, newer tables were dumped in lower case. */
static bool keeps_spelling(const struct sn_monroe_table *table)
{
	return table == &sn_monroe_exp_tstat_tcp_complete ||
	       table == &sn_monroe_exp_tstat_tcp_nocomplete;
}

static void spell_header(struct sn_monroe_csv *csv)
{
	const struct sn_monroe_table *table = csv->table;

	for (size_t i = SN_COL_COMMON; i < table->dataset->column_count; i++) {
		if (i > SN_COL_COMMON)
			sn_buf_addc(&csv->header, ',');
		sn_buf_adds(&csv->header, keeps_spelling(table) ? table->names[i]
								: table->dataset->columns[i].name);
	}
}

static const struct shape *find_shape(const struct sn_monroe_table *table)
{
	for (size_t i = 0; i < SN_COUNT(shapes); i++)
		if (shapes[i].table == table)
			return &shapes[i];
	return NULL;
}

struct sn_monroe_csv *sn_monroe_csv_create(const struct sn_dataset *dataset,
					   enum sn_monroe_form form)
{
	const struct sn_monroe_table *table = sn_monroe_table_of(dataset);
	const struct shape *shape;
	struct sn_monroe_csv *csv;
	struct sn_str rest, name;

	if (table == NULL)
		return NULL;
	csv = sn_new(struct sn_monroe_csv);
	shape = find_shape(table);
	csv->table = table;
	csv->form = form;
	csv->separator = shape != NULL ? shape->separator : ',';
	csv->strict = (struct sn_dataset){.name = table->name, .columns = csv->column};
	if (shape != NULL)
		sn_buf_adds(&csv->header, shape->header);
	else
		spell_header(csv);
	rest = sn_buf_str(&csv->header);
	while (sn_str_split(&rest, csv->separator, &name))
		add_field(csv, shape, name);
	return csv;
}

void sn_monroe_csv_destroy(struct sn_monroe_csv *csv)
{
	if (csv == NULL)
		return;
	sn_buf_finish(&csv->header);
	free(csv);
}

/* Values ------------------------------------------------------------------- */

/* As Python writes a float: a whole number has a fraction nevertheless. */
static void add_number(struct sn_buf *out, double value, bool dbl)
{
	size_t before = out->n;

	sn_scalar_add_f64(out, value);
	for (size_t i = before; i < out->n; i++)
		dbl = dbl && out->p[i] != '.' && out->p[i] != 'e';
	if (dbl)
		sn_buf_adds(out, ".0");
}

/* A character of UTF-8 in Latin-1; how many bytes it was. */
static size_t latin1(struct sn_str text, size_t i, char *latin)
{
	size_t n = sn_utf8_length(text.p + i, text.n - i);
	uint8_t first = (uint8_t)text.p[i];

	*latin = '?';
	if (n == 1)
		*latin = text.p[i];
	else if (n == 2 && first <= 0xc3)
		*latin = (char)((first & 0x03) << 6 | (text.p[i + 1] & 0x3f));
	return n > 0 ? n : 1;
}

static bool would_break(struct sn_str text, char separator)
{
	return text.n > 0 &&
	       (memchr(text.p, separator, text.n) != NULL || memchr(text.p, '"', text.n) != NULL);
}

static void add_text(struct sn_buf *out, struct sn_str text, bool quoted, char separator)
{
	char latin;

	quoted = quoted || would_break(text, separator);
	if (quoted)
		sn_buf_addc(out, '"');
	for (size_t i = 0; i < text.n; i += latin1(text, i, &latin)) {
		latin1(text, i, &latin);
		if (latin == '\r' || latin == '\n')
			sn_buf_adds(out, latin == '\r' ? "\\r" : "\\n");
		else if (latin == '"')
			sn_buf_adds(out, "\"\"");
		else
			sn_buf_addc(out, latin);
	}
	if (quoted)
		sn_buf_addc(out, '"');
}

/* A list of numbers, as Python shows it: "[1, 2]". */
static void add_list(struct sn_buf *out, struct sn_str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != ' ')
			sn_buf_addc(out, text.p[i]);
		if (text.p[i] == ',')
			sn_buf_addc(out, ' ');
	}
}

static bool numbers_only(struct sn_str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (strchr("[]0123456789+-.eE, ", text.p[i]) == NULL || text.p[i] == '\0')
			return false;
	return true;
}

static void add_value(const struct sn_monroe_csv *csv, const struct field *field,
		      const struct sn_value *value, struct sn_buf *out)
{
	switch (value->type) {
	case SN_TYPE_NULL:
		sn_buf_adds(out, "None");
		break;
	case SN_TYPE_BOOL:
		sn_buf_adds(out, value->b ? "True" : "False");
		break;
	case SN_TYPE_I64:
		sn_buf_add_i64(out, value->i);
		break;
	case SN_TYPE_F64:
		add_number(out, value->f, field->dbl);
		break;
	case SN_TYPE_TIME:
		sn_scalar_add_time(out, value->i);
		break;
	case SN_TYPE_TEXT:
		if (field->list && csv->separator != ',' && numbers_only(value->s))
			add_list(out, value->s);
		else
			add_text(out, value->s, field->quoted, csv->separator);
		break;
	}
}

/* Files -------------------------------------------------------------------- */

void sn_monroe_csv_name(const struct sn_monroe_csv *csv, int32_t day, struct sn_buf *out)
{
	time_t start = (time_t)day * SECONDS_PER_DAY;
	struct tm tm;
	char date[16];

	gmtime_r(&start, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	sn_buf_addf(out, "%s_%lld_%s.csv", date, (long long)start, csv->table->name);
}

void sn_monroe_csv_header(const struct sn_monroe_csv *csv, struct sn_buf *out)
{
	if (csv->form == SN_MONROE_STRICT) {
		sn_csv_write_header(out, &csv->strict);
		return;
	}
	sn_buf_add(out, csv->header.p, csv->header.n);
	sn_buf_addc(out, '\n');
}

static void write_strict(const struct sn_monroe_csv *csv, const struct sn_value *row,
			 struct sn_buf *out)
{
	struct sn_value value[SN_DATASET_COLUMNS_MAX];

	for (size_t i = 0; i < csv->strict.column_count; i++)
		value[i] = row[csv->field[i].column];
	sn_csv_write_row(out, &csv->strict, value);
}

void sn_monroe_csv_row(const struct sn_monroe_csv *csv, const struct sn_value *row,
		       struct sn_buf *out)
{
	if (csv->form == SN_MONROE_STRICT) {
		write_strict(csv, row, out);
		return;
	}
	for (size_t i = 0; i < csv->strict.column_count; i++) {
		if (i > 0)
			sn_buf_addc(out, csv->separator);
		add_value(csv, &csv->field[i], &row[csv->field[i].column], out);
	}
	sn_buf_addc(out, '\n');
}

void sn_monroe_csv_columns(const struct sn_monroe_csv *csv, const struct sn_columns *columns,
			   struct sn_buf *out)
{
	struct sn_value row[SN_DATASET_COLUMNS_MAX];

	assert(sn_columns_dataset(columns) == csv->table->dataset);
	for (size_t i = 0; i < sn_columns_rows(columns); i++) {
		sn_columns_row(columns, i, row);
		sn_monroe_csv_row(csv, row, out);
	}
}
