/* SPDX-License-Identifier: Apache-2.0 */
/* Temporal scopes, written. */
#include <string.h>

#include "mplane/value_internal.h"
#include "mplane/when_internal.h"

static void print_point(int64_t point, bool brief, struct sn_buf *out)
{
	char text[SN_MP_TIME_SIZE];
	char *fraction;

	if (point == SN_MP_NOW || point == SN_MP_PAST || point == SN_MP_FUTURE) {
		sn_buf_adds(out, point == SN_MP_NOW    ? "now"
				 : point == SN_MP_PAST ? "past"
						       : "future");
		return;
	}
	sn_mp_time_format(point, text);
	fraction = strchr(text, '.');
	if (brief && fraction != NULL && strcmp(fraction, ".000000") == 0)
		*fraction = '\0';
	sn_buf_adds(out, text);
}

/* Less than a millisecond is rounded up, so that no period gets shorter. */
static void print_duration(int64_t duration_ns, bool brief, struct sn_buf *out)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"d", SN_MP_SECONDS_PER_DAY * 1000},
		     {"h", 3600 * 1000},
		     {"m", 60 * 1000},
		     {"s", 1000},
		     {"ms", 1}};
	int64_t left = duration_ns / SN_NS_PER_MS + (duration_ns % SN_NS_PER_MS > 0);

	if (left >= (int64_t)SN_MP_FOREVER_DAYS * SN_MP_SECONDS_PER_DAY * 1000) {
		if (brief)
			sn_buf_adds(out, "inf");
		else
			sn_buf_addf(out, "%dd", SN_MP_FOREVER_DAYS);
		return;
	}
	if (left == 0)
		sn_buf_adds(out, "0s");
	for (size_t i = 0; i < SN_COUNT(units); i++) {
		if (left < units[i].ms)
			continue;
		sn_buf_add_i64(out, left / units[i].ms);
		sn_buf_adds(out, units[i].name);
		left %= units[i].ms;
	}
}

static void print_span(const struct sn_mp_span *span, bool brief, struct sn_buf *out)
{
	print_point(span->start, brief, out);
	if (span->end != SN_MP_UNSET) {
		sn_buf_adds(out, " ... ");
		print_point(span->end, brief, out);
	} else if (span->duration_ns >= 0) {
		sn_buf_adds(out, " + ");
		print_duration(span->duration_ns, brief, out);
	}
	if (span->period_ns > 0) {
		sn_buf_adds(out, " / ");
		print_duration(span->period_ns, brief, out);
	}
}

/* The last of an unbroken run of values from `first` on. */
static unsigned run_end(uint64_t bits, unsigned first, unsigned high)
{
	unsigned last = first;

	while (last < high && (bits >> (last + 1) & 1) != 0)
		last++;
	return last;
}

static void print_field(uint64_t bits, const struct sn_mp_cron_range *range, bool brief,
			struct sn_buf *out)
{
	bool first = true;

	if (brief && (bits >> range->low & 1) != 0 &&
	    run_end(bits, range->low, range->high) == range->high) {
		sn_buf_addc(out, '*');
		return;
	}
	for (unsigned i = range->low; i <= range->high; i++) {
		unsigned last = i;

		if ((bits >> i & 1) == 0)
			continue;
		if (!first)
			sn_buf_addc(out, ',');
		first = false;
		sn_buf_add_u64(out, i);
		if (brief)
			last = run_end(bits, i, range->high);
		if (last > i) {
			sn_buf_addc(out, '-');
			sn_buf_add_u64(out, last);
			i = last;
		}
	}
}

static void print_when(const struct sn_mp_when *when, bool brief, struct sn_buf *out)
{
	if (!when->set)
		return;
	if (when->repeated)
		sn_buf_adds(out, "repeat ");
	print_span(&when->span, brief, out);
	if (!when->repeated)
		return;
	if (when->has_cron) {
		sn_buf_adds(out, " cron");
		for (unsigned i = 0; i < SN_MP_CRON_FIELDS; i++) {
			sn_buf_addc(out, ' ');
			print_field(sn_mp_cron_get(&when->cron, (enum sn_mp_cron_field)i),
				    &sn_mp_cron_ranges[i], brief, out);
		}
	}
	if (when->has_inner) {
		sn_buf_adds(out, " { ");
		print_span(&when->inner, brief, out);
		sn_buf_adds(out, " }");
	}
}

void sn_mp_when_print(const struct sn_mp_when *when, struct sn_buf *out)
{
	print_when(when, false, out);
}

void sn_mp_when_print_brief(const struct sn_mp_when *when, struct sn_buf *out)
{
	print_when(when, true, out);
}
