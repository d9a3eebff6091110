/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shell/show.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cli/table.h"

static void line(FILE *out, const char *label, const char *text)
{
	sn_autofree char *indented = sn_xasprintf("  %s", label);

	if (text != NULL && *text != '\0')
		sn_print_pair(out, 14, indented, text);
}

/* Names of parameters and metadata are the peer's, too. */
static void line_named(FILE *out, const char *label, const char *name, const char *value)
{
	sn_autofree char *text = sn_xasprintf("%-28s %s", name, value);

	line(out, label, text);
}

static void lines_params(FILE *out, const struct sn_mp_message *message)
{
	for (size_t i = 0; i < message->param_count; i++) {
		const struct sn_mp_param *param = &message->params[i];
		struct sn_buf text = {0};

		if (message->kind == SN_MP_CAPABILITY || message->kind == SN_MP_WITHDRAWAL)
			sn_mp_constraint_print(&param->constraint, false, &text);
		else
			sn_buf_adds(&text, param->value != NULL ? param->value : "*");
		line_named(out, i == 0 ? "parameters" : "", param->name, sn_buf_cstr(&text));
		sn_buf_finish(&text);
	}
}

static void lines_metadata(FILE *out, const struct sn_mp_message *message)
{
	for (size_t i = 0; i < message->meta_count; i++)
		line_named(out, i == 0 ? "metadata" : "", message->metadata[i].name,
			   message->metadata[i].value);
}

static void lines_columns(FILE *out, const struct sn_mp_message *message)
{
	for (size_t i = 0; i < message->column_count; i++)
		line(out, i == 0 ? "results" : "", message->columns[i].name);
}

static void show_rows(FILE *out, const struct sn_mp_message *message)
{
	size_t count = SN_MIN(message->column_count, (size_t)SN_TABLE_COLUMNS_MAX);
	sn_autofree struct sn_table_column *columns = sn_new_n(struct sn_table_column, count + 1);
	struct sn_table *table;

	for (size_t i = 0; i < count; i++)
		columns[i] = (struct sn_table_column){.header = message->columns[i].name,
						      .shrink = true};
	table = sn_table_create(columns, count);
	for (size_t row = 0; row < message->row_count; row++)
		for (size_t i = 0; i < count; i++)
			sn_table_cell(table, SN_TONE_PLAIN, sn_mp_cell(message, row, i));
	sn_table_show(table, out);
	sn_table_destroy(table);
}

void sn_show_message(const struct sn_mp_message *message, FILE *out)
{
	struct sn_buf when = {0};

	if (message->kind == SN_MP_EXCEPTION) {
		line(out, sn_mp_kind_name(message->kind),
		     message->text != NULL ? message->text : "no reason given");
		return;
	}
	fprintf(out, "%s\n", sn_mp_kind_name(message->kind));
	line(out, "verb", message->verb);
	line(out, "label", message->label);
	line(out, "token", message->token);
	line(out, "link", message->link);
	line(out, "export", message->export_url);
	if (message->when.set)
		sn_mp_when_print(&message->when, &when);
	line(out, "when", sn_buf_cstr(&when));
	sn_buf_finish(&when);
	line(out, "registry", message->registry);
	lines_params(out, message);
	lines_metadata(out, message);
	if (message->row_count == 0)
		lines_columns(out, message);
	else
		show_rows(out, message);
	for (size_t i = 0; i < message->content_count; i++)
		sn_show_message(message->contents[i], out);
}
