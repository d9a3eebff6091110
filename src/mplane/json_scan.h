/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_scan: JSON (RFC 8259) read where it stands.
 *
 * sn_js_check() holds the whole text against the grammar and a limit of depth; nothing
 * is allocated before that is done, nor by anything here but for texts with escapes.
 * All other functions rely on a checked text, cannot fail, and take a value as the
 * pointer to its first byte.  Numbers keep their text, so that naturals up to 2^64 - 1
 * and decimals come through as they were written, which a tree of doubles could not do.
 */
#ifndef SONDE_MPLANE_JSON_SCAN_H
#define SONDE_MPLANE_JSON_SCAN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define SN_JS_DEPTH_MAX 64

enum sn_js_type {
	SN_JS_NULL,
	SN_JS_BOOLEAN,
	SN_JS_NUMBER,
	SN_JS_STRING,
	SN_JS_ARRAY,
	SN_JS_OBJECT,
};

/* -EINVAL with line, column and reason; `depth_max` is at most SN_JS_DEPTH_MAX. */
int sn_js_check(struct sn_str text, unsigned depth_max, struct sn_err *err);

const char *sn_js_root(struct sn_str text);
enum sn_js_type sn_js_type(const char *value);

/* Of an object or an array, from first to last; start with `at` = sn_js_inside(). */
struct sn_js_walk {
	const char *at;
};
struct sn_js_walk sn_js_inside(const char *value);
/* False at the end; `key` (a string, for objects only) and `value` point into the text. */
bool sn_js_next(struct sn_js_walk *walk, const char **key, const char **value);

/* A string without quotes and escapes, in the text itself or in `scratch`. */
struct sn_str sn_js_string(const char *value, struct sn_buf *scratch);
/* A number, true, false or null as it is written. */
struct sn_str sn_js_word(const char *value);

#endif
