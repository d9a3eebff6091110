/* SPDX-License-Identifier: Apache-2.0 */
/* Temporal scopes, read (mPlane protocol, grammar of temporal scopes). */
#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "mplane/value_internal.h"
#include "mplane/when_internal.h"

#define QUOTE_MAX 120 /* bytes of a bad scope that an error repeats */

struct reader {
	struct sn_str all, rest;
	struct sn_err *err;
};

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	{"d", SN_MP_NS_PER_DAY}, {"h", 3600 * SN_NS_PER_S}, {"m", 60 * SN_NS_PER_S},
	{"s", SN_NS_PER_S},      {"ms", SN_NS_PER_MS},
};

static const struct {
	const char *word;
	int64_t point;
} words[] = {{"now", SN_MP_NOW}, {"past", SN_MP_PAST}, {"future", SN_MP_FUTURE}};

/* The reason, and where: `at` points into the text. */
static int refuse_at(struct reader *reader, const char *at, int code, const char *why)
{
	size_t quoted = sn_utf8_cut(reader->all, QUOTE_MAX);

	return sn_err_set(reader->err, code, "bad time scope '%.*s%s', character %zu: %s",
			  (int)quoted, reader->all.p, quoted < reader->all.n ? "..." : "",
			  (size_t)(at - reader->all.p) + 1, why);
}

static int refuse(struct reader *reader, const char *why)
{
	return refuse_at(reader, reader->rest.p, -EINVAL, why);
}

static void skip(struct reader *reader, size_t count)
{
	reader->rest.p += count;
	reader->rest.n -= count;
}

static bool take(struct reader *reader, const char *literal)
{
	if (!sn_str_has_prefix(reader->rest, literal))
		return false;
	skip(reader, strlen(literal));
	return true;
}

static bool at_digit(const struct reader *reader)
{
	return reader->rest.n > 0 && reader->rest.p[0] >= '0' && reader->rest.p[0] <= '9';
}

/* Digits; what 64 bits do not hold becomes the largest number. */
static uint64_t take_number(struct reader *reader)
{
	uint64_t value = 0;

	for (; at_digit(reader); skip(reader, 1)) {
		uint64_t digit = (uint64_t)(reader->rest.p[0] - '0');

		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			value = UINT64_MAX;
	}
	return value;
}

/* Durations and points ---------------------------------------------------- */

/* The unit at the front, from units[first] on; SN_COUNT(units) when there is none. */
static size_t find_unit(const struct reader *reader, size_t first)
{
	bool is_ms = sn_str_has_prefix(reader->rest, "ms");
	size_t i = first;

	while (i < SN_COUNT(units) && (!sn_str_has_prefix(reader->rest, units[i].name) ||
				       (strlen(units[i].name) == 2) != is_ms))
		i++;
	return i;
}

static int refuse_unit(struct reader *reader)
{
	if (find_unit(reader, 0) < SN_COUNT(units))
		return refuse(reader, "the parts of a duration come in the order d, h, m, s, ms, "
				      "each once");
	if (reader->rest.n > 0 && reader->rest.p[0] == '.')
		return refuse(reader, "durations are whole numbers of days, hours, minutes, "
				      "seconds and milliseconds");
	return refuse(reader, "a unit is missing (d, h, m, s or ms)");
}

static int read_duration(struct reader *reader, int64_t *duration_ns)
{
	const char *start = reader->rest.p;
	size_t next_unit = 0;
	int64_t total = 0, part;

	if (!at_digit(reader))
		return refuse(reader, "a duration is missing (like 30s, 5m or 1d12h)");
	while (at_digit(reader)) {
		uint64_t number = take_number(reader);
		size_t unit = find_unit(reader, next_unit);

		if (unit == SN_COUNT(units))
			return refuse_unit(reader);
		skip(reader, strlen(units[unit].name));
		next_unit = unit + 1;
		if (__builtin_mul_overflow(number, units[unit].ns, &part) ||
		    __builtin_add_overflow(total, part, &total) ||
		    total > SN_MP_FOREVER_DAYS * SN_MP_NS_PER_DAY)
			return refuse_at(reader, start, -ERANGE,
					 "longer than 100000 days (write inf)");
	}
	*duration_ns = total == SN_MP_FOREVER_DAYS * SN_MP_NS_PER_DAY ? SN_MP_FOREVER : total;
	return 0;
}

static int read_point(struct reader *reader, int64_t *point)
{
	int rc;

	for (size_t i = 0; i < SN_COUNT(words); i++) {
		if (take(reader, words[i].word)) {
			*point = words[i].point;
			return 0;
		}
	}
	rc = sn_mp_time_take(&reader->rest, point);
	if (rc == -ERANGE)
		return refuse_at(reader, reader->rest.p, rc,
				 "no such date or time of day, or outside the years 1678 to 2261");
	return rc == 0 ? 0
		       : refuse(reader, "not a time (YYYY-MM-DD HH:MM:SS.ffffff, now, past or "
					"future)");
}

/* Spans ------------------------------------------------------------------- */

static int read_length(struct reader *reader, struct sn_mp_span *span)
{
	const char *start = reader->rest.p;
	int rc;

	if (take(reader, "inf")) {
		span->duration_ns = SN_MP_FOREVER;
		/* Old probes offer "now + inf ... future" and mean it. */
		(void)take(reader, " ... future");
		return 0;
	}
	rc = read_duration(reader, &span->duration_ns);
	if (rc == 0 && span->start == SN_MP_PAST && span->duration_ns != SN_MP_FOREVER)
		return refuse_at(reader, start, -EINVAL, "nothing ends some time after 'past'");
	return rc;
}

/* singleton / range */
static int read_span(struct reader *reader, bool singleton_allowed, struct sn_mp_span *span)
{
	const char *start = reader->rest.p, *end;
	int rc;

	*span = (struct sn_mp_span){.end = SN_MP_UNSET, .duration_ns = -1};
	rc = read_point(reader, &span->start);
	if (rc != 0)
		return rc;
	if (span->start == SN_MP_FUTURE)
		return refuse_at(reader, start, -EINVAL, "nothing starts in the 'future'");
	if (take(reader, " + "))
		return read_length(reader, span);
	if (take(reader, " ... ")) {
		end = reader->rest.p;
		rc = read_point(reader, &span->end);
		if (rc == 0 && span->end == SN_MP_PAST)
			return refuse_at(reader, end, -EINVAL, "nothing ends in the 'past'");
		return rc;
	}
	if (!singleton_allowed || span->start == SN_MP_PAST)
		return refuse(reader, "an end is missing (' ... END' or ' + DURATION')");
	return 0;
}

static int read_period(struct reader *reader, int64_t *period_ns)
{
	const char *start = reader->rest.p;
	int rc = read_duration(reader, period_ns);

	if (rc == 0 && (*period_ns == 0 || *period_ns == SN_MP_FOREVER))
		return refuse_at(reader, start, -ERANGE,
				 "a period is longer than 0 and shorter than 100000 days");
	return rc;
}

/* Crontabs ---------------------------------------------------------------- */

static int read_value(struct reader *reader, const struct sn_mp_cron_range *range, unsigned *value)
{
	const char *start = reader->rest.p;
	uint64_t number;

	if (!at_digit(reader))
		return refuse(reader, "a field of a crontab is '*', numbers with commas, or two "
				      "with '-' between");
	number = take_number(reader);
	*value = (unsigned)SN_MIN(number, UINT32_MAX);
	if (*value < range->low || *value > range->accepted)
		return refuse_at(reader, start, -ERANGE, range->rule);
	return 0;
}

/* n [ "-" n ] */
static int read_values(struct reader *reader, const struct sn_mp_cron_range *range, uint64_t *bits)
{
	const char *start = reader->rest.p;
	unsigned low = 0, high;
	int rc = read_value(reader, range, &low);

	high = low;
	if (rc == 0 && take(reader, "-"))
		rc = read_value(reader, range, &high);
	if (rc != 0)
		return rc;
	if (high < low)
		return refuse_at(reader, start, -EINVAL, "the first of two numbers is the larger");
	for (unsigned i = low; i <= high; i++)
		*bits |= UINT64_C(1) << i;
	return 0;
}

static int read_field(struct reader *reader, enum sn_mp_cron_field field, struct sn_mp_cron *cron)
{
	const char *start = reader->rest.p;
	uint64_t bits = 0;
	int rc;

	if (take(reader, "*")) {
		sn_mp_cron_set(cron, field, UINT64_MAX);
		return 0;
	}
	do {
		rc = read_values(reader, &sn_mp_cron_ranges[field], &bits);
	} while (rc == 0 && take(reader, ","));
	if (rc != 0)
		return rc;
	sn_mp_cron_set(cron, field, bits);
	if (sn_mp_cron_get(cron, field) == 0)
		return refuse_at(reader, start, -ERANGE, "a day has the hours 0 to 23");
	return 0;
}

static int read_crontab(struct reader *reader, struct sn_mp_cron *cron)
{
	for (unsigned i = 0; i < SN_MP_CRON_FIELDS; i++) {
		int rc;

		if (i > 0 && !take(reader, " "))
			return refuse(reader, "a crontab has six fields: second, minute, hour, day "
					      "of month, day of week, month");
		rc = read_field(reader, (enum sn_mp_cron_field)i, cron);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Scopes ------------------------------------------------------------------ */

/* " { now" [ " + " duration [ " / " duration ] ] " }", behind its first blank and brace. */
static int read_inner(struct reader *reader, struct sn_mp_span *inner)
{
	int rc = 0;

	*inner = (struct sn_mp_span){.start = SN_MP_NOW, .end = SN_MP_UNSET, .duration_ns = -1};
	if (!take(reader, "now"))
		return refuse(reader, "an inner scope starts 'now'");
	if (take(reader, " + ")) {
		const char *start = reader->rest.p;

		rc = read_duration(reader, &inner->duration_ns);
		if (rc == 0 && inner->duration_ns == SN_MP_FOREVER)
			rc = refuse_at(reader, start, -ERANGE, "an inner scope has an end");
		if (rc == 0 && take(reader, " / "))
			rc = read_period(reader, &inner->period_ns);
	}
	if (rc == 0 && !take(reader, " }"))
		rc = refuse(reader, "expected ' + DURATION', ' / PERIOD' or ' }'");
	return rc;
}

static int read_repeated(struct reader *reader, struct sn_mp_when *when)
{
	int rc = read_span(reader, false, &when->span);

	when->repeated = true;
	if (rc != 0)
		return rc;
	if (take(reader, " / ")) {
		rc = read_period(reader, &when->span.period_ns);
	} else if (take(reader, " cron ")) {
		when->has_cron = true;
		rc = read_crontab(reader, &when->cron);
	} else {
		rc = refuse(reader, "how often is missing (' / PERIOD' or ' cron FIELDS')");
	}
	if (rc == 0 && take(reader, " { ")) {
		when->has_inner = true;
		rc = read_inner(reader, &when->inner);
	}
	return rc;
}

static int read_simple(struct reader *reader, struct sn_mp_when *when)
{
	int rc = read_span(reader, true, &when->span);

	if (rc == 0 && take(reader, " / "))
		rc = read_period(reader, &when->span.period_ns);
	return rc;
}

int sn_mp_when_parse(struct sn_str text, struct sn_mp_when *when, struct sn_err *err)
{
	struct sn_mp_when parsed = {.set = true};
	struct reader reader;
	int rc;

	if (text.n > SN_MP_WHEN_TEXT_MAX)
		return sn_err_set(err, -ERANGE, "a time scope of more than %d bytes",
				  SN_MP_WHEN_TEXT_MAX);
	while (text.n > 0 && text.p[text.n - 1] == ' ')
		text.n--;
	if (text.n == 0)
		return sn_err_set(err, -EINVAL, "the time scope is empty (write 'now')");
	reader = (struct reader){.all = text, .rest = text, .err = err};
	rc = take(&reader, "repeat ") ? read_repeated(&reader, &parsed)
				      : read_simple(&reader, &parsed);
	if (rc == 0 && reader.rest.n > 0)
		rc = refuse(&reader, "nothing more was expected (' + ', ' ... ' and ' / ' have a "
				     "blank on either side)");
	if (rc == 0)
		*when = parsed;
	return rc;
}
