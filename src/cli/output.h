/* SPDX-License-Identifier: Apache-2.0 */
/* output: answers of the API for programs, and small things that verbs print alike. */
#ifndef SONDE_CLI_OUTPUT_H
#define SONDE_CLI_OUTPUT_H

#include <jansson.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/util.h"

/* A JSON value with numbers in their shortest exact form, appended. */
void sn_output_json(struct sn_buf *out, const json_t *value);
/* The same as a line of its own. */
void sn_output_json_line(FILE *out, const json_t *value);

/* What was done to one thing: {"id":"17","removed":true}, a line of its own. */
void sn_output_done(FILE *out, const char *key, const char *name, const char *done);

/* Members of an object: the text, or NULL; the number, or NaN. */
const char *sn_output_text(const json_t *object, const char *key);
double sn_output_number(const json_t *object, const char *key);
/* A time as Unix nanoseconds; false when it is absent or none. */
bool sn_output_time(const json_t *object, const char *key, int64_t *unix_ns);
/* Texts of an array with ", " between them; malloc'ed. */
char *sn_output_texts(const json_t *array);

#endif
