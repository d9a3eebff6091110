/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err: an error that a person must understand.
 *
 * Plumbing returns 0 or a negative errno.  A function whose failure reaches a
 * person takes a caller-owned `struct sn_err *err` as its last parameter, fills
 * it once at the place that knows the reason, and callers on the way up add
 * what they were doing with sn_err_wrap().  Either return an error or log it,
 * never both.  Texts are lower case, without a full stop, subject in quotes,
 * then the reason, then what to do in parentheses.
 */
#ifndef SONDE_BASE_ERR_H
#define SONDE_BASE_ERR_H

#include "base/util.h"

#define SN_ERR_TEXT_MAX 512

struct sn_err {
	int code; /* negative errno; 0 while nothing went wrong */
	char text[SN_ERR_TEXT_MAX];
};

/* Fill `err` (may be NULL) and return `code`, which must be negative. */
int sn_err_set(struct sn_err *err, int code, const char *format, ...) SN_PRINTF(3, 4);

/* The same, with ": <strerror(-code)>" appended. */
int sn_err_sys(struct sn_err *err, int code, const char *format, ...) SN_PRINTF(3, 4);

/* Put "<formatted>: " before the text that is there; returns err->code, -EIO if `err` is NULL. */
int sn_err_wrap(struct sn_err *err, const char *format, ...) SN_PRINTF(2, 3);

#endif
