/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: streaming writer into a buffer (commas, escaping, exact numbers), and
 * the helpers around Jansson that keep its use short.
 *
 * Reading goes through Jansson, which refuses duplicate keys, bad UTF-8,
 * trailing bytes and out-of-range numbers; the size is limited before parsing.
 */
#ifndef SONDE_BASE_JSON_H
#define SONDE_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define SN_JSON_DEPTH_MAX 32

struct sn_jw { /* writer; init with the buffer to append to */
	struct sn_buf *out;
	unsigned depth;
	bool need_comma[SN_JSON_DEPTH_MAX];
	bool after_key;
};

void sn_jw_init(struct sn_jw *jw, struct sn_buf *out);
void sn_jw_object(struct sn_jw *jw);
void sn_jw_object_end(struct sn_jw *jw);
void sn_jw_array(struct sn_jw *jw);
void sn_jw_array_end(struct sn_jw *jw);
void sn_jw_key(struct sn_jw *jw, const char *key);
void sn_jw_null(struct sn_jw *jw);
void sn_jw_bool(struct sn_jw *jw, bool value);
void sn_jw_i64(struct sn_jw *jw, int64_t value);
void sn_jw_u64(struct sn_jw *jw, uint64_t value);
void sn_jw_double(struct sn_jw *jw, double value);     /* shortest exact form; not finite: null */
void sn_jw_str(struct sn_jw *jw, struct sn_str value); /* invalid UTF-8 becomes U+FFFD */
void sn_jw_cstr(struct sn_jw *jw, const char *value);  /* NULL gives null */
void sn_jw_time(struct sn_jw *jw, int64_t unix_ns);    /* RFC 3339 text */
/* key and value in one call */
void sn_jw_kcstr(struct sn_jw *jw, const char *key, const char *value);
void sn_jw_ku64(struct sn_jw *jw, const char *key, uint64_t value);
void sn_jw_ki64(struct sn_jw *jw, const char *key, int64_t value);
void sn_jw_kdouble(struct sn_jw *jw, const char *key, double value);
void sn_jw_kbool(struct sn_jw *jw, const char *key, bool value);
void sn_jw_ktime(struct sn_jw *jw, const char *key, int64_t unix_ns);
/* The escaped text without quotes, for writers of other shapes. */
void sn_json_escape(struct sn_buf *out, struct sn_str text);

/* A new reference, or NULL with line, column and reason in `err`. */
json_t *sn_json_parse(const void *data, size_t size, struct sn_err *err);
void sn_cleanup_json(json_t **json);
#define sn_autojson __attribute__((cleanup(sn_cleanup_json)))

/* Typed members of an object; -ENOENT if absent, -EINVAL if of another type, named in `err`. */
int sn_json_get_str(const json_t *object, const char *key, const char **value, struct sn_err *err);
int sn_json_get_i64(const json_t *object, const char *key, int64_t *value, struct sn_err *err);
int sn_json_get_double(const json_t *object, const char *key, double *value, struct sn_err *err);
int sn_json_get_bool(const json_t *object, const char *key, bool *value, struct sn_err *err);

#endif
