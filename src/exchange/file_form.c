/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/file_form.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "exchange/input.h"
#include "exchange/rows_file.h"
#include "exchange/tstat_log.h"

#define NAME_MAX_BYTES 64
#define HEADER_LEAST   5 /* columns of a log that a header must name */

static const char *const names[SN_FORMS] = {
	[SN_FORM_AUTO] = "auto",     [SN_FORM_TSTAT] = "tstat", [SN_FORM_MONROE] = "monroe",
	[SN_FORM_MPLANE] = "mplane", [SN_FORM_CSV] = "csv",     [SN_FORM_JSON_LINES] = "jsonl",
};

const char *sn_form_name(enum sn_form form)
{
	return names[form];
}

int sn_form_parse(const char *name, enum sn_form *form)
{
	for (unsigned i = 0; i < SN_FORMS; i++) {
		if (strcmp(names[i], name) == 0) {
			*form = (enum sn_form)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Names -------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool is_name_char(char c)
{
	return islower((unsigned char)c) || isdigit((unsigned char)c) || c == '_';
}

/* The longest dataset that the word begins with, up to its end or a '_' or '-' behind it. */
static const struct sn_dataset *dataset_at(const char *word)
{
	const struct sn_dataset *best = NULL;

	for (size_t i = 0; i < sn_catalog_size(); i++) {
		const struct sn_dataset *dataset = sn_catalog_at(i);
		size_t n = strlen(dataset->name);

		if (strncmp(word, dataset->name, n) == 0 &&
		    (!is_name_char(word[n]) || word[n] == '_') &&
		    (best == NULL || n > strlen(best->name)))
			best = dataset;
	}
	return best;
}

const struct sn_dataset *sn_dataset_of_file(const char *path)
{
	const char *name = base_name(path);

	name += strspn(name, "0123456789-_.TZ:");
	return dataset_at(name);
}

/* Content ------------------------------------------------------------------ */

static size_t columns_named(const struct sn_tstat_table *table, struct sn_str words, size_t *total)
{
	struct sn_str word;
	size_t count = 0;

	*total = 0;
	while (sn_str_split(&words, table->separator, &word)) {
		const char *colon = memchr(word.p, ':', word.n);

		if (colon != NULL)
			word.n = (size_t)(colon - word.p);
		count += sn_tstat_column(table, word) >= 0;
		++*total;
	}
	return count;
}

const struct sn_tstat_table *sn_tstat_log_of_header(struct sn_str line)
{
	const struct sn_tstat_table *best = NULL;
	size_t best_count = HEADER_LEAST - 1, best_rest = SIZE_MAX;
	const char *mark;

	if (line.n < 2 || line.p[0] != '#')
		return NULL;
	line = (struct sn_str){line.p + 1, line.n - 1};
	mark = memchr(line.p, '#', SN_MIN(line.n, (size_t)4));
	if (mark != NULL)
		line = (struct sn_str){mark + 1, line.n - (size_t)(mark + 1 - line.p)};
	for (size_t i = 0; i < SN_TSTAT_LOGS; i++) {
		const struct sn_tstat_table *table = &sn_tstat_tables[i];
		size_t total,
			count = table->dataset != NULL ? columns_named(table, line, &total) : 0;

		/* Among logs that have all of them, the one with the fewest others. */
		if (count > best_count || (count == best_count && table->count < best_rest)) {
			best = table;
			best_count = count;
			best_rest = table->count;
		}
	}
	return best;
}

static bool has_member(struct sn_str text, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i + n + 2 <= text.n; i++)
		if (text.p[i] == '"' && strncasecmp(text.p + i + 1, name, n) == 0 &&
		    text.p[i + 1 + n] == '"')
			return true;
	return false;
}

static enum sn_form form_of_json(struct sn_str text, enum sn_form named)
{
	if (has_member(text, "DataId"))
		return SN_FORM_MONROE;
	if (has_member(text, "resultvalues") || has_member(text, "envelope"))
		return SN_FORM_MPLANE;
	return named != SN_FORM_AUTO ? named : text.p[0] == '{' ? SN_FORM_JSON_LINES : SN_FORM_AUTO;
}

static int unknown_form(const char *name, const char *what, struct sn_err *err)
{
	return sn_err_set(err, -EINVAL,
			  "cannot tell which form '%s' has: %s (say it with --form: tstat, monroe, "
			  "mplane, csv or jsonl)",
			  name, what);
}

/* What the file begins with, blank lines aside, as text of the first lines. */
static int look(const char *path, struct sn_buf *text, struct sn_err *err)
{
	struct sn_input *input;
	struct sn_input_line line;
	int rc = sn_input_open(path, SN_FORM_LOOK_MAX, &input, err);

	if (rc != 0)
		return rc;
	while (text->n < SN_FORM_LOOK_MAX && (rc = sn_input_next(input, &line, err)) > 0) {
		if (text->n == 0 && sn_str_trim(line.text).n == 0)
			continue;
		sn_buf_add(text, line.text.p, line.text.n);
		sn_buf_addc(text, '\n');
	}
	sn_input_destroy(input);
	/* That it grows or is cut is told by who reads all of it. */
	return rc == -EAGAIN || rc == -ENODATA || text->n > 0 ? 0 : SN_MIN(rc, 0);
}

static int find_in_content(const char *path, const char *name, struct sn_form_found *form,
			   struct sn_err *err)
{
	struct sn_buf text = {0};
	struct sn_str front;
	int rc = look(path, &text, err);

	front = sn_str_trim(sn_buf_str(&text));
	if (rc != 0) {
		sn_buf_finish(&text);
		return rc;
	}
	if (front.n > 0 && front.p[0] == '#' && form->form == SN_FORM_AUTO) {
		const char *feed = memchr(front.p, '\n', front.n);

		form->table = sn_tstat_log_of_header((struct sn_str){
			front.p, feed != NULL ? (size_t)(feed - front.p) : front.n});
		form->form = form->table != NULL ? SN_FORM_TSTAT : SN_FORM_AUTO;
	} else if (front.n > 0 && (front.p[0] == '{' || front.p[0] == '[')) {
		form->form = form_of_json(front, form->form);
	}
	if (form->form == SN_FORM_AUTO)
		rc = unknown_form(name,
				  front.n == 0 ? "it is empty"
					       : "neither its name nor its first line says it",
				  err);
	sn_buf_finish(&text);
	return rc;
}

int sn_form_find(const char *path, const char *name, struct sn_form_found *form, struct sn_err *err)
{
	enum sn_file_form suffix;

	*form = (struct sn_form_found){.table = sn_tstat_log_table(name)};
	if (form->table != NULL) {
		form->form = SN_FORM_TSTAT;
		return 0;
	}
	form->dataset = sn_dataset_of_file(name);
	if (sn_file_form_of(name, &suffix) == 0)
		form->form = suffix == SN_FILE_CSV ? SN_FORM_CSV : SN_FORM_JSON_LINES;
	return form->form == SN_FORM_CSV ? 0 : find_in_content(path, name, form, err);
}
