/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/monroe_json.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/json_read.h"

#define TABLES_MAX 32
#define DATA_ID    "dataid"
#define NODE_ID    "nodeid"

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

struct sn_monroe_reader {
	struct sn_input *input;
	const struct sn_intake *intake;
	struct sn_monroe_options options;
	struct sn_intake_counts counts;
	bool check_only;
	uint64_t objects;

	struct sn_buf pending; /* the lines of an object that is not complete */
	uint64_t pending_line;
	unsigned depth; /* of brackets that are open at its end */
	uint64_t lists; /* a bit for each of them, the innermost lowest: 1 for "[" */
	char last;      /* what it ends with, blanks aside */

	struct sn_jr jr;
	struct member members[SN_MONROE_MEMBERS_MAX];
	size_t member_count;
	struct form *forms[TABLES_MAX]; /* by table */
	struct sn_err why;
};

struct sn_monroe_reader *sn_monroe_reader_create(struct sn_input *input,
						 const struct sn_monroe_options *options,
						 const struct sn_intake *intake)
{
	struct sn_monroe_reader *reader = sn_new(struct sn_monroe_reader);

	assert(sn_monroe_table_count <= TABLES_MAX);
	reader->input = input;
	reader->intake = intake;
	reader->options = *options;
	return reader;
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

void sn_monroe_reader_destroy(struct sn_monroe_reader *reader)
{
	if (reader == NULL)
		return;
	for (size_t i = 0; i < TABLES_MAX; i++)
		destroy_form(reader->forms[i]);
	sn_buf_finish(&reader->pending);
	sn_buf_finish(&reader->jr.decoded);
	free(reader);
}

const struct sn_intake_counts *sn_monroe_reader_counts(const struct sn_monroe_reader *reader)
{
	return &reader->counts;
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

static int read_member(struct sn_monroe_reader *reader)
{
	struct sn_jr *jr = &reader->jr;
	struct member *member;

	sn_jr_blanks(jr);
	if (!sn_jr_at(jr, '"'))
		return sn_jr_refuse(jr, "not a member's name in quotes");
	if (reader->member_count == SN_MONROE_MEMBERS_MAX)
		return sn_jr_refuse(jr, "too many members");
	member = &reader->members[reader->member_count++];
	if (sn_jr_string(jr, &member->name) != 0)
		return -EINVAL;
	sn_jr_blanks(jr);
	if (!sn_jr_take(jr, ':'))
		return sn_jr_refuse(jr, "no ':' behind a member's name");
	sn_jr_blanks(jr);
	return read_value(jr, member);
}

/* All members of the object that the text is; -EINVAL with the reason in `why`. */
static int read_object(struct sn_monroe_reader *reader, struct sn_str text)
{
	struct sn_jr *jr = &reader->jr;

	sn_buf_clear(&jr->decoded);
	*jr = (struct sn_jr){
		.start = text.p,
		.p = text.p,
		.end = text.p + text.n,
		.decoded = jr->decoded,
		.err = &reader->why,
		.keep = true,
	};
	reader->member_count = 0;
	sn_jr_blanks(jr);
	if (!sn_jr_take(jr, '{'))
		return sn_jr_refuse(jr, "not an object");
	sn_jr_blanks(jr);
	if (!sn_jr_take(jr, '}')) {
		do {
			if (read_member(reader) != 0)
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

static struct form *form_of(struct sn_monroe_reader *reader, const struct sn_monroe_table *table)
{
	size_t i = 0;

	while (sn_monroe_tables[i] != table)
		i++;
	if (reader->forms[i] == NULL)
		reader->forms[i] = create_form(table, reader->intake);
	return reader->forms[i];
}

/* The table that the record names. */
static const struct sn_monroe_table *find_table(struct sn_monroe_reader *reader)
{
	for (size_t i = 0; i < reader->member_count; i++) {
		const struct member *member = &reader->members[i];
		const struct sn_monroe_table *table;

		if (!same_name(member->name, DATA_ID) || member->kind == KIND_NULL)
			continue;
		table = member->kind == KIND_TEXT ? sn_monroe_table_find(member->text) : NULL;
		if (table == NULL)
			sn_err_set(&reader->why, -EINVAL, "its DataId is no table's");
		return table;
	}
	if (reader->options.table == NULL)
		sn_err_set(&reader->why, -EINVAL, "it has no DataId");
	return reader->options.table;
}

/* Values ----------------------------------------------------------------- */

static int refuse(struct sn_monroe_reader *reader, const struct form *form, int column,
		  const char *what)
{
	return sn_err_set(&reader->why, -EINVAL, "'%s' %s",
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

static int set_i64(struct sn_monroe_reader *reader, struct form *form, struct sn_columns *columns,
		   int column, const struct member *member)
{
	struct sn_number number;
	int64_t value;

	if (!number_of(member, &number) || !is_whole(&number))
		return refuse(reader, form, column, "is not an integer");
	if (!scale(&number, 0, &value))
		return refuse(reader, form, column, "does not fit into 64 bits");
	sn_columns_set_i64(columns, column, value);
	return 0;
}

static int set_f64(struct sn_monroe_reader *reader, struct form *form, struct sn_columns *columns,
		   int column, const struct member *member)
{
	struct sn_number number;
	double value;

	if (!number_of(member, &number))
		return refuse(reader, form, column, "is not a number");
	if (sn_number_f64(&number, &value) != 0)
		return refuse(reader, form, column, "is too large or has too many digits");
	sn_columns_set_f64(columns, column, value);
	return 0;
}

/* A list or a map stands in the row as it stood in the file. */
static int set_text(struct sn_monroe_reader *reader, struct form *form, struct sn_columns *columns,
		    int column, const struct member *member)
{
	bool list = form->lists[column] != 0;

	if (reader->options.strict && member->kind != (list ? KIND_NESTED : KIND_TEXT))
		return refuse(reader, form, column,
			      list ? "is not a list or map" : "is not a text");
	reader->counts.cut += member->text.n > SN_TEXT_MAX;
	sn_columns_set_text(columns, column, member->text);
	return 0;
}

static int set_bool(struct sn_monroe_reader *reader, struct form *form, struct sn_columns *columns,
		    int column, const struct member *member)
{
	bool yes = sn_str_eqc(member->text, "true");

	if (member->kind == KIND_NESTED || (!yes && !sn_str_eqc(member->text, "false")))
		return refuse(reader, form, column, "is not true or false");
	sn_columns_set_bool(columns, column, yes);
	return 0;
}

/* Milliseconds, or RFC 3339. */
static int set_time(struct sn_monroe_reader *reader, struct form *form, struct sn_columns *columns,
		    int column, const struct member *member)
{
	struct sn_number number;
	int64_t value;

	if (number_of(member, &number) ? !scale(&number, 6, &value)
				       : member->kind != KIND_TEXT || member->text.n == 0 ||
						 sn_time_scan(member->text, &value) != 0)
		return refuse(reader, form, column, "is not a time");
	sn_columns_set_time(columns, column, value);
	return 0;
}

typedef int set_fn(struct sn_monroe_reader *reader, struct form *form, struct sn_columns *columns,
		   int column, const struct member *member);

static int set_member(struct sn_monroe_reader *reader, struct form *form,
		      struct sn_columns *columns, int column, const struct member *member)
{
	static set_fn *const setters[] = {
		[SN_TYPE_BOOL] = set_bool, [SN_TYPE_I64] = set_i64,   [SN_TYPE_F64] = set_f64,
		[SN_TYPE_TEXT] = set_text, [SN_TYPE_TIME] = set_time,
	};

	return setters[form->table->dataset->columns[column].type](reader, form, columns, column,
								   member);
}

/* The common columns -------------------------------------------------------- */

static int take_time(struct sn_monroe_reader *reader, struct form *form,
		     const struct member *member, int64_t *time_ns)
{
	struct sn_number number;

	if (number_of(member, &number)) {
		if (!scale(&number, (int)form->table->time_digits, time_ns))
			return refuse(reader, form, form->time, "is not a point in time");
	} else if (member->text.n == 0 || sn_time_scan(member->text, time_ns) != 0) {
		return refuse(reader, form, form->time, "is not a point in time");
	}
	if (*time_ns <= 0)
		return refuse(reader, form, form->time, "is not a point in time");
	if (*time_ns < reader->options.oldest_ns)
		return refuse(reader, form, form->time, "is too long ago");
	return 0;
}

static int check_ping(struct sn_monroe_reader *reader, struct form *form, const char *name,
		      const struct member *member)
{
	bool counts = strcmp(name, "sequencenumber") == 0;
	struct sn_number number;

	if (!counts && strcmp(name, "rtt") != 0 && strcmp(name, "bytes") != 0)
		return 0;
	if (number_of(member, &number) && (!number.negative || number.mantissa == 0) &&
	    (counts || number.mantissa > 0))
		return 0;
	return refuse(reader, form, sn_dataset_column(form->table->dataset, name),
		      counts ? "is negative" : "is not positive");
}

/* Records ---------------------------------------------------------------- */

static int take_member(struct sn_monroe_reader *reader, struct form *form,
		       struct sn_columns *columns, int column, const struct member *member,
		       int64_t *time_ns)
{
	int rc = set_member(reader, form, columns, column, member);

	if (rc == 0 && column == form->time)
		rc = take_time(reader, form, member, time_ns);
	if (rc == 0 && column == form->node)
		sn_columns_set_text(columns, SN_COL_NODE, member->text);
	if (rc == 0 && form->table == &sn_monroe_exp_ping)
		rc = check_ping(reader, form, form->table->dataset->columns[column].name, member);
	return rc;
}

static int check_key(struct sn_monroe_reader *reader, const struct form *form,
		     const uint64_t *there)
{
	for (size_t i = SN_COL_COMMON; i < form->table->dataset->column_count; i++)
		if ((form->key[i / 64] & ~there[i / 64]) >> (i % 64) & 1)
			return refuse(reader, form, (int)i, "is missing");
	if (!(there[form->time / 64] >> (form->time % 64) & 1))
		return refuse(reader, form, form->time, "is missing");
	return 0;
}

static int take_members(struct sn_monroe_reader *reader, struct form *form,
			struct sn_columns *columns, int64_t *time_ns)
{
	uint64_t given[SN_DATASET_COLUMNS_MAX / 64] = {0}, there[SN_COUNT(given)] = {0};

	for (size_t i = 0; i < reader->member_count; i++) {
		const struct member *member = &reader->members[i];
		int column = column_of(form, i, member->name);
		uint64_t bit;

		if (column < 0 && reader->options.strict)
			return sn_err_set(&reader->why, -EINVAL, "member %zu is no column of '%s'",
					  i + 1, form->table->name);
		reader->counts.unknown += column < 0;
		if (column < 0)
			continue;
		bit = UINT64_C(1) << (column % 64);
		if ((given[column / 64] & bit) != 0)
			return refuse(reader, form, column, "is given twice");
		given[column / 64] |= bit;
		if (member->kind == KIND_NULL)
			continue;
		there[column / 64] |= bit;
		if (take_member(reader, form, columns, column, member, time_ns) != 0)
			return -EINVAL;
	}
	return check_key(reader, form, there);
}

/* 0 for a row, 1 for a record that is bad, with the reason in `why`; -ECANCELED. */
static int take_record(struct sn_monroe_reader *reader, struct sn_err *err)
{
	const struct sn_monroe_table *table = find_table(reader);
	struct sn_columns *columns;
	struct form *form;
	int64_t time_ns = 0;
	int rc;

	if (table == NULL)
		return 1;
	form = form_of(reader, table);
	columns = sn_intake_row_begin(&form->row);
	if (take_members(reader, form, columns, &time_ns) != 0) {
		sn_columns_drop_row(columns);
		return 1;
	}
	sn_columns_set_time(columns, SN_COL_TIME, time_ns);
	rc = sn_intake_row_end(&form->row, time_ns, err);
	reader->counts.rows += rc == 0;
	return rc;
}

/* Lines ------------------------------------------------------------------ */

static void tell_bad(struct sn_monroe_reader *reader, uint64_t line, struct sn_str text,
		     const char *reason)
{
	reader->counts.bad++;
	if (reader->intake->bad != NULL)
		reader->intake->bad(
			reader->intake->ctx,
			&(struct sn_bad_line){.line = line, .text = text, .reason = reason});
}

static int bad_syntax(struct sn_monroe_reader *reader, uint64_t line, struct sn_str text,
		      const char *reason, struct sn_err *err)
{
	if (reader->options.strict)
		return sn_err_set(err, -EINVAL, "cannot read '%s': line %llu: %s",
				  sn_input_name(reader->input), (unsigned long long)line, reason);
	tell_bad(reader, line, text, reason);
	return 0;
}

/* An object whose members have been read. */
static int take_object(struct sn_monroe_reader *reader, uint64_t line, struct sn_str text,
		       struct sn_err *err)
{
	int rc = 0;

	reader->objects++;
	if (!reader->check_only)
		rc = take_record(reader, err);
	if (rc > 0)
		tell_bad(reader, line, text, reader->why.text);
	return rc < 0 ? rc : 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind a string that begins at `i`; strings end with their line at the latest. */
static size_t behind_string(struct sn_str text, size_t i)
{
	for (i++; i < text.n && text.p[i] != '"'; i++)
		i += text.p[i] == '\\';
	return SN_MIN(i + 1, text.n);
}

/* Which brackets are open behind `text`, which continues what was followed before. */
static void follow(struct sn_monroe_reader *reader, struct sn_str text)
{
	for (size_t i = 0; i < text.n;) {
		char c = text.p[i];

		reader->last = is_blank(c) ? reader->last : c;
		if (c == '"') {
			i = behind_string(text, i);
			continue;
		}
		if (c == '{' || c == '[') {
			reader->depth++;
			reader->lists = reader->lists << 1 | (c == '[');
		} else if ((c == '}' || c == ']') && reader->depth > 0) {
			reader->depth--;
			reader->lists >>= 1;
		}
		i++;
	}
}

/* Whether an object may stand behind what is pending: one that was cut takes no other with it. */
static bool may_go_on(const struct sn_monroe_reader *reader)
{
	bool in_list = (reader->lists & 1) != 0;

	return reader->last == ':' || (in_list && (reader->last == '[' || reader->last == ','));
}

static void begin_pending(struct sn_monroe_reader *reader, uint64_t line)
{
	sn_buf_clear(&reader->pending);
	reader->pending_line = line;
	reader->depth = 0;
	reader->lists = 0;
	reader->last = '\0';
}

static int end_pending(struct sn_monroe_reader *reader, struct sn_err *err)
{
	struct sn_str text = sn_buf_str(&reader->pending);
	int rc;

	if (reader->depth > 0)
		rc = bad_syntax(reader, reader->pending_line, text, "an object without an end",
				err);
	else if (read_object(reader, text) == 0)
		rc = take_object(reader, reader->pending_line, text, err);
	else
		rc = bad_syntax(reader, reader->pending_line, text, reader->why.text, err);
	sn_buf_clear(&reader->pending);
	return rc;
}

static int continue_pending(struct sn_monroe_reader *reader, struct sn_str line, struct sn_err *err)
{
	if (reader->pending.n + line.n + 1 > SN_MONROE_OBJECT_MAX) {
		struct sn_str text = sn_buf_str(&reader->pending);
		int rc = bad_syntax(reader, reader->pending_line, text, "the object is too long",
				    err);

		sn_buf_clear(&reader->pending);
		return rc;
	}
	follow(reader, line);
	sn_buf_add(&reader->pending, line.p, line.n);
	sn_buf_addc(&reader->pending, '\n');
	return reader->depth == 0 ? end_pending(reader, err) : 0;
}

/* A line that no object was open before. */
static int begin_object(struct sn_monroe_reader *reader, const struct sn_input_line *line,
			struct sn_err *err)
{
	struct sn_str text = sn_str_trim(line->text);

	if (text.n == 0)
		return 0;
	if (text.p[0] != '{')
		return bad_syntax(reader, line->number, line->text, "not an object", err);
	if (text.p[text.n - 1] == '}' && read_object(reader, text) == 0)
		return take_object(reader, line->number, line->text, err);
	begin_pending(reader, line->number);
	return continue_pending(reader, line->text, err);
}

static int take_line(struct sn_monroe_reader *reader, const struct sn_input_line *line,
		     struct sn_err *err)
{
	bool fresh = line->text.n > 0 && line->text.p[0] == '{';
	int rc = 0;

	reader->counts.lines = line->number;
	reader->counts.bytes += line->text.n + line->whole;
	if (line->too_long) {
		if (reader->pending.n > 0)
			rc = end_pending(reader, err);
		return rc != 0 ? rc
			       : bad_syntax(reader, line->number, line->text,
					    "the line is too long", err);
	}
	if (reader->pending.n > 0 && fresh && !may_go_on(reader))
		rc = end_pending(reader, err);
	if (rc != 0)
		return rc;
	return reader->pending.n > 0 ? continue_pending(reader, line->text, err)
				     : begin_object(reader, line, err);
}

static int at_end(struct sn_monroe_reader *reader, struct sn_err *err)
{
	int rc = reader->pending.n > 0 ? end_pending(reader, err) : 0;

	if (rc == 0 && reader->objects == 0 && reader->options.strict)
		return sn_err_set(err, -EINVAL, "cannot read '%s': it has no object",
				  sn_input_name(reader->input));
	return rc;
}

int sn_monroe_reader_read(struct sn_monroe_reader *reader, size_t rows_max, struct sn_err *err)
{
	uint64_t enough = reader->counts.rows + rows_max;
	struct sn_input_line line;
	int rc = 1, taken = 0;

	for (size_t i = 0; i < TABLES_MAX; i++)
		if (reader->forms[i] != NULL)
			sn_intake_row_resume(&reader->forms[i]->row);
	while (rc > 0 && taken == 0 && reader->counts.rows < enough) {
		rc = sn_input_next(reader->input, &line, err);
		if (rc > 0)
			taken = take_line(reader, &line, err);
		else if (rc == 0)
			taken = at_end(reader, err);
	}
	return taken != 0 ? taken : rc;
}

int sn_monroe_json_check(struct sn_input *input, struct sn_err *err)
{
	struct sn_intake intake = {.bad = NULL};
	struct sn_monroe_options options = {.strict = true};
	struct sn_monroe_reader *reader = sn_monroe_reader_create(input, &options, &intake);
	int rc;

	reader->check_only = true;
	rc = sn_monroe_reader_read(reader, 1, err);
	sn_monroe_reader_destroy(reader);
	return rc;
}
