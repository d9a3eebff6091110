/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problems: what the errors of the API mean, as the manual says it.
 *
 * The section PROBLEMS of sonde-hub(8) is a part of the program, so that the page
 * that a problem's `type` leads to and the manual are one text.  Of mdoc this knows
 * what that section is made of: .It Cm, .Cm, .Ql, .Pa, .Xr and .Pp.
 */
#ifndef SONDE_HUB_PROBLEMS_H
#define SONDE_HUB_PROBLEMS_H

#include <stdbool.h>

#include "base/buf.h"

/* The manual, as the build puts it into the library (scripts/embed.py). */
struct sn_manual {
	const char *name; /* "sonde-hub.8" */
	const char *text; /* without a NUL at its end */
	size_t size;
};
extern const struct sn_manual sn_manuals[];
extern const size_t sn_manual_count;

enum sn_problem_form {
	SN_PROBLEM_TEXT,
	SN_PROBLEM_HTML,
};

/* Appends what the manual says of `code`; false, and nothing, if it does not know it. */
bool sn_problem_write(const char *code, enum sn_problem_form form, struct sn_buf *out);
/* Each code that the manual knows, in its order. */
void sn_problems_each(void (*each)(const char *code, void *ctx), void *ctx);

/* Pure: `text` with what HTML gives a meaning written as references. */
void sn_html_add(struct sn_buf *out, const char *text, size_t n);

#endif
