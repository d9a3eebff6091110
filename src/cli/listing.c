/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing.h"

#include <math.h>

#include "base/clock.h"
#include "cli/output.h"
#include "cli/shape.h"

#define CELL_MAX   64
#define MEMBER_MAX 64
#define AGO_MAX_NS (100 * 86400 * SN_NS_PER_S) /* "4150 d ago" says nothing to anybody */

typedef const char *cell_fn(const json_t *item, const char *member, char *out, size_t size);

static const char *text_cell(const json_t *item, const char *member, char *out, size_t size)
{
	const json_t *value = json_object_get(item, member);

	if (json_is_integer(value)) /* a number that counts nothing: a version, an id */
		snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		return json_string_value(value);
	return out;
}

static const char *count_cell(const json_t *item, const char *member, char *out, size_t size)
{
	const json_t *value = json_object_get(item, member);
	char digits[CELL_MAX];
	size_t n, at = 0;

	if (!json_is_integer(value))
		return NULL;
	n = (size_t)snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT,
			     json_integer_value(value));
	for (size_t i = 0; i < n && at + 2 < size; i++) {
		if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
			out[at++] = ' ';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

static const char *bytes_cell(const json_t *item, const char *member, char *out, size_t size)
{
	double value = sn_output_number(item, member);

	return value >= 0 ? sn_format_bytes((uint64_t)value, out, size) : NULL;
}

static const char *seconds_cell(const json_t *item, const char *member, char *out, size_t size)
{
	static const struct {
		double from, unit;
		const char *name;
	} units[] = {{86400, 86400, "d"}, {3600, 3600, "h"}, {60, 60, "min"}, {0, 1, "s"}};
	double value = sn_output_number(item, member);
	size_t i = 0;

	if (isnan(value))
		return NULL;
	while (fabs(value) < units[i].from)
		i++;
	snprintf(out, size, "%.*f %s", fabs(value / units[i].unit) < 10 ? 1 : 0,
		 value / units[i].unit, units[i].name);
	return out;
}

static const char *time_cell(const json_t *item, const char *member, char *out, size_t size)
{
	int64_t unix_ns;

	return sn_output_time(item, member, &unix_ns) ? sn_shape_time(unix_ns, out, size) : NULL;
}

static const char *ago_cell(const json_t *item, const char *member, char *out, size_t size)
{
	int64_t unix_ns, now_ns = sn_wall_ns();

	if (!sn_output_time(item, member, &unix_ns))
		return NULL;
	return unix_ns < now_ns - AGO_MAX_NS ? sn_shape_time(unix_ns, out, size)
					     : sn_shape_ago(unix_ns, now_ns, out, size);
}

static cell_fn *const cells[] = {
	[SN_LISTING_TEXT] = text_cell,   [SN_LISTING_COUNT] = count_cell,
	[SN_LISTING_BYTES] = bytes_cell, [SN_LISTING_SECONDS] = seconds_cell,
	[SN_LISTING_TIME] = time_cell,   [SN_LISTING_AGO] = ago_cell,
};

/* The cell's text, in `out` or the item's own; NULL if there is no value. */
static const char *cell_of(const struct sn_listing_column *column, const json_t *item, char *out,
			   size_t size)
{
	struct sn_str rest = sn_str(column->member), name;
	const char *text = NULL;
	char member[MEMBER_MAX];

	while (text == NULL && sn_str_split(&rest, '|', &name)) {
		snprintf(member, sizeof(member), "%.*s", (int)name.n, name.p);
		text = cells[column->form](item, member, out, size);
	}
	return text;
}

void sn_listing_add(struct sn_table *table, const struct sn_listing *listing, const json_t *item)
{
	char out[CELL_MAX];

	for (size_t i = 0; i < listing->count; i++) {
		const struct sn_listing_column *column = &listing->columns[i];
		const char *text = cell_of(column, item, out, sizeof(out));

		sn_table_cell(table,
			      column->tone != NULL && text != NULL ? column->tone(text)
								   : SN_TONE_PLAIN,
			      text);
	}
}

void sn_listing_show(const struct sn_listing *listing, const json_t *item, FILE *out)
{
	unsigned width = 0;
	char cell[CELL_MAX];

	for (size_t i = 0; i < listing->count; i++)
		width = SN_MAX(width, sn_text_width(listing->columns[i].column.header));
	for (size_t i = 0; i < listing->count; i++) {
		const struct sn_listing_column *column = &listing->columns[i];
		const char *text = cell_of(column, item, cell, sizeof(cell));

		if (text != NULL)
			sn_print_pair(out, width + SN_TABLE_GAP - 1, column->column.header, text);
	}
}

struct print {
	const struct sn_listing *listing;
	struct sn_table *table; /* NULL: JSON */
	uint64_t items;
};

#define ENOUGH 1 /* ends the walk over the pages */

static int print_item(const json_t *item, void *ctx)
{
	struct print *print = ctx;

	if (print->table != NULL)
		sn_listing_add(print->table, print->listing, item);
	else
		sn_output_json_line(stdout, item);
	return ++print->items == print->listing->most ? ENOUGH : 0;
}

int sn_listing_run(struct sn_client *client, const struct sn_listing *listing, const char *path,
		   bool json, struct sn_err *err)
{
	struct sn_table_column columns[SN_TABLE_COLUMNS_MAX];
	struct print print = {.listing = listing};
	int rc;

	for (size_t i = 0; i < listing->count; i++)
		columns[i] = listing->columns[i].column;
	if (!json)
		print.table = sn_table_create(columns, listing->count);
	rc = sn_client_each(client, path, print_item, &print, err);
	if (print.table != NULL && sn_table_rows(print.table) > 0)
		sn_table_show(print.table, stdout);
	else if (print.table != NULL && rc == 0)
		fprintf(stderr, "%s\n", listing->none);
	sn_table_destroy(print.table);
	return rc == ENOUGH ? 0 : rc;
}
