/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scalar: single values as text, for the codecs and the batch.
 *
 * Internal to data/ and exchange/.  Numbers follow the grammar of JSON (RFC 8259, section 6),
 * times RFC 3339, texts UTF-8 (RFC 3629).  What is written is read back to the
 * same bits.
 */
#ifndef SONDE_DATA_SCALAR_H
#define SONDE_DATA_SCALAR_H

#include "base/buf.h"
#include "base/str.h"

/* A number as it stands in the text. */
struct sn_number {
	uint64_t mantissa; /* the first 19 significant digits */
	int exponent;      /* value = mantissa * 10^exponent unless inexact */
	bool negative;
	bool integer; /* neither fraction nor exponent was written */
	bool inexact; /* digits or an exponent that mantissa and exponent do not hold */
	struct sn_str text;
};

/* Takes a number off the front of `text`: its length, or 0 if none stands there. */
size_t sn_number_scan(struct sn_str text, struct sn_number *number);
/* 0; -EINVAL if it was not written as an integer; -ERANGE outside int64_t. */
int sn_number_i64(const struct sn_number *number, int64_t *value);
/* The nearest double; -ERANGE if that is infinite, -EINVAL if too long. */
int sn_number_f64(const struct sn_number *number, double *value);

/* RFC 3339 only: the relative forms of sn_parse_time() are no value of a row. */
int sn_time_scan(struct sn_str text, int64_t *unix_ns);

void sn_scalar_add_f64(struct sn_buf *out, double value); /* finite */
void sn_scalar_add_time(struct sn_buf *out, int64_t unix_ns);

#endif
