/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str: text that carries its length, and strict readers for the scalars that
 * people write: integers, numbers, durations, sizes, rates, times.
 *
 * All readers take the whole text or refuse it; none accepts leading blanks or
 * trailing characters.  They return 0, -EINVAL (not that kind of thing) or
 * -ERANGE (outside the given or representable range).
 */
#ifndef SONDE_BASE_STR_H
#define SONDE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sn_str { /* borrowed; not NUL-terminated */
	const char *p;
	size_t n;
};

#define SN_STR(literal) ((struct sn_str){(literal), sizeof(literal) - 1})
struct sn_str sn_str(const char *text); /* NULL gives the empty string */
bool sn_str_eq(struct sn_str a, struct sn_str b);
bool sn_str_eqc(struct sn_str a, const char *b);
/* Here, so that it is a comparison or two when the prefix is a constant. */
static inline bool sn_str_has_prefix(struct sn_str text, const char *prefix)
{
	size_t n = strlen(prefix);

	return text.n >= n && (n == 0 || memcmp(text.p, prefix, n) == 0);
}
struct sn_str sn_str_trim(struct sn_str text);
/* Takes the part before `separator` off the front of `rest`; false when `rest` is used up. */
bool sn_str_split(struct sn_str *rest, char separator, struct sn_str *part);

int sn_parse_u64(struct sn_str text, uint64_t min, uint64_t max, uint64_t *value);
int sn_parse_i64(struct sn_str text, int64_t min, int64_t max, int64_t *value);
int sn_parse_double(struct sn_str text, double min, double max, double *value); /* finite only */
int sn_parse_bool(struct sn_str text, bool *value); /* true false yes no on off */
/* "250ms", "10s", "1h30m", "PT5M" and plain "0"; never negative. */
int sn_parse_duration(struct sn_str text, int64_t *nanoseconds);
/* "64", "10kB", "10MB", "2GiB": decimal and binary prefixes. */
int sn_parse_size(struct sn_str text, uint64_t *bytes);
/* "500kbit", "20Mbit", "1Gbit" per second; plain digits are bits per second. */
int sn_parse_rate(struct sn_str text, uint64_t *bits_per_second);
/* "1%", "0.01": a share of one. */
int sn_parse_ratio(struct sn_str text, double *ratio);
/* RFC 3339 with any number of fraction digits, Unix time in nanoseconds; also "now", "-15m". */
int sn_parse_time(struct sn_str text, int64_t now_ns, int64_t *unix_ns);
/* The same as people say it: also "2026-03-01", which is the beginning of that day in UTC. */
int sn_parse_when(struct sn_str text, int64_t now_ns, int64_t *unix_ns);

/* Writers; `out` is NUL-terminated and truncated to `size`.  Return `out`. */
#define SN_TIME_TEXT_MAX     40
#define SN_DURATION_TEXT_MAX 32
char *sn_format_time(int64_t unix_ns, char *out, size_t size); /* 2026-03-01T12:00:00.123456789Z */
char *sn_format_duration(int64_t nanoseconds, char *out, size_t size); /* 1h30m, 250ms, 1.5s */
char *sn_format_bytes(uint64_t bytes, char *out, size_t size);         /* 12.3 MB */
char *sn_hex(const void *data, size_t size, char *out);                /* out holds 2 * size + 1 */
int sn_unhex(struct sn_str text, void *out, size_t size);              /* exactly 2 * size digits */

/* The candidate nearest to `word` by edit distance, or NULL if none is near. */
const char *sn_suggest(const char *word, const char *const *candidates, size_t count);

#endif
