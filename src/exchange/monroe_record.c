/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/monroe_record.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "data/json_read.h"

#define TABLES_MAX     32
#define DATA_ID        "dataid"
#define NODE_ID        "nodeid"
#define NAME_SHOWN_MAX 40

typedef __int128 i128;

enum kind { KIND_NULL, KIND_BOOL, KIND_NUMBER, KIND_TEXT, KIND_NESTED };

struct member {
	struct sn_str name, text; /* `text`: decoded if it is a text, else as it stands */
	enum kind kind;
	struct sn_number number;
};

/* What is kept per table: records of one kind mostly have the same members in the same order. */
struct form {
	const struct sn_monroe_table *table;
	struct sn_intake_row row;
	uint64_t key[SN_DATASET_COLUMNS_MAX / 64]; /* columns that must be there */
	int time, node;
	uint8_t lists[SN_DATASET_COLUMNS_MAX];
	struct {
		const char *name; /* as the file spelt it; owned */
		size_t n;
		int column; /* -1: unknown */
	} places[SN_MONROE_MEMBERS_MAX];
};

struct sn_monroe_records {
	const struct sn_monroe_options *options;
	const struct sn_intake *intake;
	struct sn_intake_counts *counts;
	struct sn_jr jr;
	struct member members[SN_MONROE_MEMBERS_MAX];
	size_t member_count;
	struct form *forms[TABLES_MAX]; /* by table */
	struct sn_err why;
};

struct sn_monroe_records *sn_monroe_records_create(const struct sn_monroe_options *options,
						   const struct sn_intake *intake,
						   struct sn_intake_counts *counts)
{
	struct sn_monroe_records *records = sn_new(struct sn_monroe_records);

	assert(sn_monroe_table_count <= TABLES_MAX);
	records->options = options;
	records->intake = intake;
	records->counts = counts;
	return records;
}

static void destroy_form(struct form *form)
{
	if (form == NULL)
		return;
	for (size_t i = 0; i < SN_COUNT(form->places); i++)
		free((char *)(uintptr_t)form->places[i].name);
	sn_intake_row_finish(&form->row);
	free(form);
}

void sn_monroe_records_destroy(struct sn_monroe_records *records)
{
	if (records == NULL)
		return;
	for (size_t i = 0; i < TABLES_MAX; i++)
		destroy_form(records->forms[i]);
	sn_buf_finish(&records->jr.decoded);
	free(records);
}

void sn_monroe_records_resume(struct sn_monroe_records *records)
{
	for (size_t i = 0; i < TABLES_MAX; i++)
		if (records->forms[i] != NULL)
			sn_intake_row_resume(&records->forms[i]->row);
}

const char *sn_monroe_records_why(const struct sn_monroe_records *records)
{
	return records->why.text;
}

/* Objects ---------------------------------------------------------------- */

static int read_value(struct sn_jr *jr, struct member *member)
{
	const char *start = jr->p;
	int rc = 0;

	if (sn_jr_at(jr, '"')) {
		member->kind = KIND_TEXT;
		return sn_jr_string(jr, &member->text);
	}
	if (sn_jr_at(jr, '{') || sn_jr_at(jr, '[')) {
		member->kind = KIND_NESTED;
		return sn_jr_skip(jr, &member->text);
	}
	if (sn_jr_word(jr, SN_STR("null"))) {
		member->kind = KIND_NULL;
	} else if (sn_jr_word(jr, SN_STR("true")) || sn_jr_word(jr, SN_STR("false"))) {
		member->kind = KIND_BOOL;
	} else {
		member->kind = KIND_NUMBER;
		rc = sn_jr_number(jr, &member->number);
	}
	member->text = (struct sn_str){start, (size_t)(jr->p - start)};
	return rc;
}

static int read_member(struct sn_monroe_records *records)
{
	struct sn_jr *jr = &records->jr;
	struct member *member;

	sn_jr_blanks(jr);
	if (!sn_jr_at(jr, '"'))
		return sn_jr_refuse(jr, "not a member's name in quotes");
	if (records->member_count == SN_MONROE_MEMBERS_MAX)
		return sn_jr_refuse(jr, "too many members");
	member = &records->members[records->member_count++];
	if (sn_jr_string(jr, &member->name) != 0)
		return -EINVAL;
	sn_jr_blanks(jr);
	if (!sn_jr_take(jr, ':'))
		return sn_jr_refuse(jr, "no ':' behind a member's name");
	sn_jr_blanks(jr);
	return read_value(jr, member);
}

int sn_monroe_records_parse(struct sn_monroe_records *records, struct sn_str text)
{
	struct sn_jr *jr = &records->jr;

	sn_buf_clear(&jr->decoded);
	*jr = (struct sn_jr){
		.start = text.p,
		.p = text.p,
		.end = text.p + text.n,
		.decoded = jr->decoded,
		.err = &records->why,
		.keep = true,
	};
	records->member_count = 0;
	sn_jr_blanks(jr);
	if (!sn_jr_take(jr, '{'))
		return sn_jr_refuse(jr, "not an object");
	sn_jr_blanks(jr);
	if (!sn_jr_take(jr, '}')) {
		do {
			if (read_member(records) != 0)
				return -EINVAL;
			sn_jr_blanks(jr);
		} while (sn_jr_take(jr, ','));
		if (!sn_jr_take(jr, '}'))
			return sn_jr_refuse(jr, "neither ',' nor '}' behind a value");
	}
	sn_jr_blanks(jr);
	return jr->p == jr->end ? 0 : sn_jr_refuse(jr, "bytes behind the object");
}

/* Columns ---------------------------------------------------------------- */

static bool same_name(struct sn_str name, const char *column)
{
	for (size_t i = 0; i < name.n; i++)
		if (column[i] == '\0' || tolower((unsigned char)name.p[i]) != column[i])
			return false;
	return column[name.n] == '\0';
}

/* Of the table's own columns: the common ones are ours to set. */
static int find_column(const struct sn_monroe_table *table, struct sn_str name)
{
	for (size_t i = SN_COL_COMMON; i < table->dataset->column_count; i++)
		if (same_name(name, table->dataset->columns[i].name))
			return (int)i;
	return -1;
}

static int column_of(struct form *form, size_t i, struct sn_str name)
{
	int column;

	if (form->places[i].name != NULL && form->places[i].n == name.n &&
	    memcmp(form->places[i].name, name.p, name.n) == 0)
		return form->places[i].column;
	column = find_column(form->table, name);
	free((char *)(uintptr_t)form->places[i].name);
	form->places[i].name = sn_xmemdup(name.n > 0 ? name.p : "", SN_MAX(name.n, (size_t)1));
	form->places[i].n = name.n;
	form->places[i].column = column;
	return column;
}

static struct form *create_form(const struct sn_monroe_table *table, const struct sn_intake *intake)
{
	struct form *form = sn_new(struct form);

	form->table = table;
	form->time = sn_dataset_column(table->dataset, table->time);
	form->node = sn_dataset_column(table->dataset, NODE_ID);
	for (size_t i = SN_COL_COMMON; i < table->dataset->column_count; i++) {
		const char *name = table->dataset->columns[i].name;

		if (sn_monroe_names_have(table->key, name))
			form->key[i / 64] |= UINT64_C(1) << (i % 64);
		form->lists[i] = sn_monroe_names_have(table->lists, name);
	}
	sn_intake_row_init(&form->row, intake, table->dataset);
	return form;
}

static struct form *form_of(struct sn_monroe_records *records, const struct sn_monroe_table *table)
{
	size_t i = 0;

	while (sn_monroe_tables[i] != table)
		i++;
	if (records->forms[i] == NULL)
		records->forms[i] = create_form(table, records->intake);
	return records->forms[i];
}

/* The table that the record names. */
static const struct sn_monroe_table *find_table(struct sn_monroe_records *records)
{
	for (size_t i = 0; i < records->member_count; i++) {
		const struct member *member = &records->members[i];
		const struct sn_monroe_table *table;

		if (!same_name(member->name, DATA_ID) || member->kind == KIND_NULL)
			continue;
		table = member->kind == KIND_TEXT ? sn_monroe_table_find(member->text) : NULL;
		if (table == NULL)
			sn_err_set(&records->why, -EINVAL, "its DataId is no table's");
		return table;
	}
	if (records->options->table == NULL)
		sn_err_set(&records->why, -EINVAL, "it has no DataId");
	return records->options->table;
}

/* Values ----------------------------------------------------------------- */

static int refuse(struct sn_monroe_records *records, const struct form *form, int column,
		  const char *what)
{
	return sn_err_set(&records->why, -EINVAL, "'%s' %s",
			  form->table->dataset->columns[column].name, what);
}

/* As a number, which may stand in quotes. */
static bool number_of(const struct member *member, struct sn_number *number)
{
	*number = member->number;
	return member->kind == KIND_NUMBER ||
	       (member->kind == KIND_TEXT && member->text.n > 0 &&
		sn_number_scan(member->text, number) == member->text.n);
}

/* mantissa * 10^(exponent + digits), what is behind the point dropped; false beyond 64 bits. */
static bool scale(const struct sn_number *number, int digits, int64_t *value)
{
	i128 scaled = (i128)number->mantissa;
	int exponent = number->exponent + digits;

	for (; exponent < 0 && scaled != 0; exponent++)
		scaled /= 10;
	for (; exponent > 0 && scaled != 0 && scaled <= INT64_MAX; exponent--)
		scaled *= 10;
	if (scaled > INT64_MAX)
		return false;
	*value = (int64_t)(number->negative ? -scaled : scaled);
	return true;
}

/* Whether the number is whole, however it is written: 3, 3.0, 3e2. */
static bool is_whole(const struct sn_number *number)
{
	uint64_t rest = number->mantissa;

	if (number->inexact)
		return number->exponent >= 0;
	for (int exponent = number->exponent; exponent < 0 && rest != 0; exponent++) {
		if (rest % 10 != 0)
			return false;
		rest /= 10;
	}
	return true;
}

static int set_i64(struct sn_monroe_records *records, struct form *form, struct sn_columns *columns,
		   int column, const struct member *member)
{
	struct sn_number number;
	int64_t value;

	if (!number_of(member, &number) || !is_whole(&number))
		return refuse(records, form, column, "is not an integer");
	if (!scale(&number, 0, &value))
		return refuse(records, form, column, "does not fit into 64 bits");
	sn_columns_set_i64(columns, column, value);
	return 0;
}

static int set_f64(struct sn_monroe_records *records, struct form *form, struct sn_columns *columns,
		   int column, const struct member *member)
{
	struct sn_number number;
	double value;

	if (!number_of(member, &number))
		return refuse(records, form, column, "is not a number");
	if (sn_number_f64(&number, &value) != 0)
		return refuse(records, form, column, "is too large or has too many digits");
	sn_columns_set_f64(columns, column, value);
	return 0;
}

/* A list or a map stands in the row as it stood in the file. */
static int set_text(struct sn_monroe_records *records, struct form *form,
		    struct sn_columns *columns, int column, const struct member *member)
{
	bool list = form->lists[column] != 0;

	if (records->options->strict && member->kind != (list ? KIND_NESTED : KIND_TEXT))
		return refuse(records, form, column,
			      list ? "is not a list or map" : "is not a text");
	records->counts->cut += member->text.n > SN_TEXT_MAX;
	sn_columns_set_text(columns, column, member->text);
	return 0;
}

static int set_bool(struct sn_monroe_records *records, struct form *form,
		    struct sn_columns *columns, int column, const struct member *member)
{
	bool yes = sn_str_eqc(member->text, "true");

	if (member->kind == KIND_NESTED || (!yes && !sn_str_eqc(member->text, "false")))
		return refuse(records, form, column, "is not true or false");
	sn_columns_set_bool(columns, column, yes);
	return 0;
}

/* Milliseconds, or RFC 3339. */
static int set_time(struct sn_monroe_records *records, struct form *form,
		    struct sn_columns *columns, int column, const struct member *member)
{
	struct sn_number number;
	int64_t value;

	if (number_of(member, &number) ? !scale(&number, 6, &value)
				       : member->kind != KIND_TEXT || member->text.n == 0 ||
						 sn_time_scan(member->text, &value) != 0)
		return refuse(records, form, column, "is not a time");
	sn_columns_set_time(columns, column, value);
	return 0;
}

typedef int set_fn(struct sn_monroe_records *records, struct form *form, struct sn_columns *columns,
		   int column, const struct member *member);

static int set_member(struct sn_monroe_records *records, struct form *form,
		      struct sn_columns *columns, int column, const struct member *member)
{
	static set_fn *const setters[] = {
		[SN_TYPE_BOOL] = set_bool, [SN_TYPE_I64] = set_i64,   [SN_TYPE_F64] = set_f64,
		[SN_TYPE_TEXT] = set_text, [SN_TYPE_TIME] = set_time,
	};

	return setters[form->table->dataset->columns[column].type](records, form, columns, column,
								   member);
}

/* The common columns -------------------------------------------------------- */

static int take_time(struct sn_monroe_records *records, struct form *form,
		     const struct member *member, int64_t *time_ns)
{
	struct sn_number number;

	if (number_of(member, &number)) {
		if (!scale(&number, (int)form->table->time_digits, time_ns))
			return refuse(records, form, form->time, "is not a point in time");
	} else if (member->text.n == 0 || sn_time_scan(member->text, time_ns) != 0) {
		return refuse(records, form, form->time, "is not a point in time");
	}
	if (*time_ns <= 0)
		return refuse(records, form, form->time, "is not a point in time");
	if (*time_ns < records->options->oldest_ns)
		return refuse(records, form, form->time, "is too long ago");
	return 0;
}

static int check_ping(struct sn_monroe_records *records, struct form *form, const char *name,
		      const struct member *member)
{
	bool counts = strcmp(name, "sequencenumber") == 0;
	struct sn_number number;

	if (!counts && strcmp(name, "rtt") != 0 && strcmp(name, "bytes") != 0)
		return 0;
	if (number_of(member, &number) && (!number.negative || number.mantissa == 0) &&
	    (counts || number.mantissa > 0))
		return 0;
	return refuse(records, form, sn_dataset_column(form->table->dataset, name),
		      counts ? "is negative" : "is not positive");
}

/* Records ---------------------------------------------------------------- */

static int take_member(struct sn_monroe_records *records, struct form *form,
		       struct sn_columns *columns, int column, const struct member *member,
		       int64_t *time_ns)
{
	int rc = set_member(records, form, columns, column, member);

	if (rc == 0 && column == form->time)
		rc = take_time(records, form, member, time_ns);
	if (rc == 0 && column == form->node)
		sn_columns_set_text(columns, SN_COL_NODE, member->text);
	if (rc == 0 && form->table == &sn_monroe_exp_ping)
		rc = check_ping(records, form, form->table->dataset->columns[column].name, member);
	return rc;
}

static int check_key(struct sn_monroe_records *records, const struct form *form,
		     const uint64_t *there)
{
	for (size_t i = SN_COL_COMMON; i < form->table->dataset->column_count; i++)
		if ((form->key[i / 64] & ~there[i / 64]) >> (i % 64) & 1)
			return refuse(records, form, (int)i, "is missing");
	if (!(there[form->time / 64] >> (form->time % 64) & 1))
		return refuse(records, form, form->time, "is missing");
	return 0;
}

/* By its name, unless that is none to print. */
static int refuse_member(struct sn_monroe_records *records, const struct form *form, size_t i)
{
	struct sn_str name = records->members[i].name;
	bool plain = name.n > 0 && name.n <= NAME_SHOWN_MAX;

	for (size_t at = 0; plain && at < name.n; at++)
		plain = name.p[at] > ' ' && name.p[at] < 0x7f && name.p[at] != '\'';
	if (!plain)
		return sn_err_set(&records->why, -EINVAL, "member %zu is no column of '%s'", i + 1,
				  form->table->name);
	return sn_err_set(&records->why, -EINVAL, "member '%.*s' is no column of '%s'", (int)name.n,
			  name.p, form->table->name);
}

static int take_members(struct sn_monroe_records *records, struct form *form,
			struct sn_columns *columns, int64_t *time_ns)
{
	uint64_t given[SN_DATASET_COLUMNS_MAX / 64] = {0}, there[SN_COUNT(given)] = {0};

	for (size_t i = 0; i < records->member_count; i++) {
		const struct member *member = &records->members[i];
		int column = column_of(form, i, member->name);
		uint64_t bit;

		if (column < 0 && records->options->strict)
			return refuse_member(records, form, i);
		records->counts->unknown += column < 0;
		if (column < 0)
			continue;
		bit = UINT64_C(1) << (column % 64);
		if ((given[column / 64] & bit) != 0)
			return refuse(records, form, column, "is given twice");
		given[column / 64] |= bit;
		if (member->kind == KIND_NULL)
			continue;
		there[column / 64] |= bit;
		if (take_member(records, form, columns, column, member, time_ns) != 0)
			return -EINVAL;
	}
	return check_key(records, form, there);
}

int sn_monroe_records_take(struct sn_monroe_records *records, struct sn_err *err)
{
	const struct sn_monroe_table *table = find_table(records);
	struct sn_columns *columns;
	struct form *form;
	int64_t time_ns = 0;
	int rc;

	if (table == NULL)
		return 1;
	form = form_of(records, table);
	columns = sn_intake_row_begin(&form->row);
	if (take_members(records, form, columns, &time_ns) != 0) {
		sn_columns_drop_row(columns);
		return 1;
	}
	sn_columns_set_time(columns, SN_COL_TIME, time_ns);
	rc = sn_intake_row_end(&form->row, time_ns, err);
	records->counts->rows += rc == 0;
	if (rc > 0)
		sn_err_set(&records->why, -EINVAL, "%s", form->row.why);
	return rc;
}
