/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_read: JSON (RFC 8259) taken off the front of a text, piece by piece, strictly.
 *
 * Internal to data/ and exchange/, whose readers of rows stand on it: nothing is
 * allocated but for strings with escapes.  Errors say the place, counted from 1,
 * and never repeat bytes of the input.
 */
#ifndef SONDE_DATA_JSON_READ_H
#define SONDE_DATA_JSON_READ_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "data/scalar.h"

#define SN_JR_DEPTH_MAX 32 /* of values that are skipped */

struct sn_jr { /* set start, p, end and err; finish `decoded` */
	const char *start, *p, *end;
	struct sn_buf decoded; /* strings with escapes */
	struct sn_err *err;
	bool keep; /* strings stay until the owner clears `decoded`; else until the next string */
};

static inline void sn_jr_blanks(struct sn_jr *jr)
{
	while (jr->p < jr->end &&
	       (*jr->p == ' ' || *jr->p == '\t' || *jr->p == '\r' || *jr->p == '\n'))
		jr->p++;
}

static inline bool sn_jr_at(const struct sn_jr *jr, char c)
{
	return jr->p < jr->end && *jr->p == c;
}

static inline bool sn_jr_take(struct sn_jr *jr, char c)
{
	if (!sn_jr_at(jr, c))
		return false;
	jr->p++;
	return true;
}

static inline bool sn_jr_word(struct sn_jr *jr, struct sn_str word)
{
	if ((size_t)(jr->end - jr->p) < word.n || memcmp(jr->p, word.p, word.n) != 0)
		return false;
	jr->p += word.n;
	return true;
}

/* -EINVAL; the first blames the place where the reader stands. */
int sn_jr_refuse(struct sn_jr *jr, const char *reason);
int sn_jr_refuse_at(struct sn_jr *jr, const char *p, const char *reason);

/* At the opening quote.  `text` is borrowed from the input or from `decoded`. */
int sn_jr_string(struct sn_jr *jr, struct sn_str *text);
int sn_jr_number(struct sn_jr *jr, struct sn_number *number);
/* Any value; `text`: as it stands there. */
int sn_jr_skip(struct sn_jr *jr, struct sn_str *text);

#endif
