/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/problems.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define SECTION  "\n.Sh PROBLEMS\n"
#define ITEM     ".It Cm "
#define CODE_MAX 64

struct line {
	const char *p;
	size_t n;
};

static bool begins(struct line line, const char *with)
{
	return line.n >= strlen(with) && memcmp(line.p, with, strlen(with)) == 0;
}

/* The lines of the section, one after the other; false at its end. */
static bool next_line(struct line *rest, struct line *line)
{
	const char *end = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;

	if (end == NULL)
		return false;
	*line = (struct line){rest->p, (size_t)(end - rest->p)};
	rest->n -= line->n + 1;
	rest->p = end + 1;
	return !begins(*line, ".Sh ");
}

static struct line section(void)
{
	const struct sn_manual *manual = &sn_manuals[0];
	const char *p = memmem(manual->text, manual->size, SECTION, strlen(SECTION));

	if (p == NULL)
		return (struct line){0};
	p += strlen(SECTION);
	return (struct line){p, manual->size - (size_t)(p - manual->text)};
}

/* The next code of an item, ".It Cm bad-path , bad-json"; false after the last. */
static bool next_code(struct line *item, char code[CODE_MAX])
{
	size_t n;

	while (item->n > 0 && (*item->p == ' ' || *item->p == ',')) {
		item->p++;
		item->n--;
	}
	for (n = 0; n < item->n && item->p[n] != ' ';)
		n++;
	snprintf(code, CODE_MAX, "%.*s", (int)n, item->p);
	item->p += n;
	item->n -= n;
	return n > 0;
}

static struct line codes_of(struct line line)
{
	return (struct line){line.p + strlen(ITEM), line.n - strlen(ITEM)};
}

static bool has_code(struct line line, const char *code)
{
	struct line item = codes_of(line);
	char one[CODE_MAX];

	while (next_code(&item, one)) {
		if (strcmp(one, code) == 0)
			return true;
	}
	return false;
}

void sn_problems_each(void (*each)(const char *code, void *ctx), void *ctx)
{
	struct line rest = section(), line;
	char code[CODE_MAX];

	while (next_line(&rest, &line)) {
		struct line item;

		if (!begins(line, ITEM))
			continue;
		for (item = codes_of(line); next_code(&item, code);)
			each(code, ctx);
	}
}

void sn_html_add(struct sn_buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strchr("&<>\"'", text[i]) != NULL && text[i] != '\0')
			sn_buf_addf(out, "&#%d;", text[i]);
		else
			sn_buf_addc(out, text[i]);
	}
}

/* Text of the manual: `\&` is nothing, the other escapes are not used there. */
static void add_text(struct sn_buf *out, enum sn_problem_form form, const char *p, size_t n)
{
	while (n > 0) {
		const char *escape = memmem(p, n, "\\&", 2);
		size_t part = escape != NULL ? (size_t)(escape - p) : n;

		if (form == SN_PROBLEM_HTML)
			sn_html_add(out, p, part);
		else
			sn_buf_add(out, p, part);
		p += part;
		n -= part;
		if (escape != NULL) {
			p += 2;
			n -= 2;
		}
	}
}

/* ".Ql GET /api/v1/nodes ." is set apart, but for the mark that ends it. */
static void add_literal(struct sn_buf *out, enum sn_problem_form form, struct line line)
{
	const char *p = line.p + 4;
	size_t n = line.n - 4, words = n;

	if (n > 2 && p[n - 2] == ' ' && strchr(".,;:)", p[n - 1]) != NULL)
		words = n - 2;
	sn_buf_adds(out, form == SN_PROBLEM_HTML ? "<code>" : "'");
	add_text(out, form, p, words);
	sn_buf_adds(out, form == SN_PROBLEM_HTML ? "</code>" : "'");
	if (words < n)
		sn_buf_addc(out, p[n - 1]);
}

/* ".Xr sonde-ca 1 ." is sonde-ca(1). */
static void add_manual(struct sn_buf *out, enum sn_problem_form form, struct line line)
{
	char name[CODE_MAX] = "", section[8] = "", mark[8] = "";
	sn_autofree char *text = sn_xstrndup(line.p, line.n);

	sscanf(text, ".Xr %63s %7s %7s", name, section, mark);
	sn_buf_addf(out, form == SN_PROBLEM_HTML ? "<code>%s(%s)</code>%s" : "%s(%s)%s", name,
		    section, mark);
}

static void add_line(struct sn_buf *out, enum sn_problem_form form, struct line line)
{
	if (begins(line, ".Xr "))
		add_manual(out, form, line);
	else if (begins(line, ".Cm ") || begins(line, ".Ql ") || begins(line, ".Pa "))
		add_literal(out, form, line);
	else if (begins(line, ".Pp"))
		sn_buf_adds(out, form == SN_PROBLEM_HTML ? "<p>" : "");
	else
		add_text(out, form, line.p, line.n);
	sn_buf_addc(out, '\n');
}

bool sn_problem_write(const char *code, enum sn_problem_form form, struct sn_buf *out)
{
	struct line rest = section(), line;
	bool inside = false;

	while (next_line(&rest, &line)) {
		if (inside && (begins(line, ".It ") || begins(line, ".El")))
			return true;
		if (inside)
			add_line(out, form, line);
		else
			inside = begins(line, ITEM) && has_code(line, code);
	}
	return inside;
}
