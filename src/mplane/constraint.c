/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/constraint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "mplane/value_internal.h"

#define RANGE_MARK " ... "
#define QUOTE_MAX  80 /* bytes of a bad constraint that an error repeats */

static bool is_text(enum sn_mp_prim prim)
{
	return prim == SN_MP_STRING || prim == SN_MP_URL;
}

static int refuse(struct sn_err *err, struct sn_str text, const char *why)
{
	return sn_err_set(err, -EINVAL, "bad constraint '%.*s': %s",
			  (int)sn_utf8_cut(text, QUOTE_MAX), text.n > 0 ? text.p : "", why);
}

static int take_value(struct sn_mp_constraint *constraint, struct sn_str text, struct sn_err *err)
{
	struct sn_buf canonical = {0};
	int rc = sn_mp_value_canon(constraint->prim, text, &canonical, err);

	if (rc == 0 && sn_str_eqc(sn_buf_str(&canonical), "*"))
		rc = refuse(err, text, "'*' stands for any value and only by itself");
	if (rc != 0) {
		sn_buf_finish(&canonical);
		return rc;
	}
	constraint->values = sn_xrealloc(constraint->values, constraint->count + 1, sizeof(char *));
	constraint->values[constraint->count++] =
		sn_xstrndup(canonical.n > 0 ? canonical.p : "", canonical.n);
	sn_buf_finish(&canonical);
	return 0;
}

/* Ranges ------------------------------------------------------------------ */

/* Marks in `text`, overlapping ones counted; `at` is the first. */
static size_t count_marks(struct sn_str text, size_t *at)
{
	const size_t size = sizeof(RANGE_MARK) - 1;
	size_t count = 0;

	for (size_t i = 0; i + size <= text.n; i++) {
		if (memcmp(text.p + i, RANGE_MARK, size) != 0)
			continue;
		if (count++ == 0)
			*at = i;
	}
	return count;
}

/* Could it stand on either side of the mark and be told from it again? */
static bool is_text_bound(struct sn_str bound)
{
	return bound.n > 0 && !sn_str_eqc(bound, "*") && !sn_str_has_prefix(bound, "... ") &&
	       !(bound.n >= 4 && memcmp(bound.p + bound.n - 4, " ...", 4) == 0);
}

static bool split_range(enum sn_mp_prim prim, struct sn_str text, struct sn_str *low,
			struct sn_str *high)
{
	size_t at = 0;

	if (count_marks(text, &at) != 1)
		return false;
	*low = (struct sn_str){text.p, at};
	*high = (struct sn_str){text.p + at + sizeof(RANGE_MARK) - 1,
				text.n - at - (sizeof(RANGE_MARK) - 1)};
	if (!is_text(prim))
		return true;
	return memchr(text.p, ',', text.n) == NULL && is_text_bound(*low) && is_text_bound(*high);
}

static int parse_range(struct sn_mp_constraint *constraint, struct sn_str low, struct sn_str high,
		       struct sn_err *err)
{
	struct sn_mp_address a = {0}, b = {0};
	char *swapped;
	int rc;

	constraint->kind = SN_MP_RANGE;
	rc = take_value(constraint, low, err);
	if (rc == 0)
		rc = take_value(constraint, high, err);
	if (rc != 0)
		return rc;
	if (constraint->prim == SN_MP_ADDRESS) {
		(void)sn_mp_address_parse(low, &a);
		(void)sn_mp_address_parse(high, &b);
		if (a.v6 != b.v6)
			return refuse(err, high, "a range from IPv4 to IPv6 addresses is none");
	}
	if (sn_mp_value_compare(constraint->prim, constraint->values[0], constraint->values[1]) >
	    0) {
		swapped = constraint->values[0];
		constraint->values[0] = constraint->values[1];
		constraint->values[1] = swapped;
	}
	return 0;
}

/* Networks ---------------------------------------------------------------- */

static unsigned address_bits(const struct sn_mp_address *address)
{
	return address->v6 ? 128 : 32;
}

/* Clears (or sets) the bits behind the first `length`. */
static void set_host_bits(struct sn_mp_address *address, unsigned length, bool ones)
{
	for (unsigned i = length; i < address_bits(address); i++) {
		uint8_t bit = (uint8_t)(0x80 >> (i % 8));

		if (ones)
			address->bytes[i / 8] |= bit;
		else
			address->bytes[i / 8] &= (uint8_t)~bit;
	}
}

static int parse_prefix(struct sn_mp_constraint *constraint, struct sn_str text, struct sn_err *err)
{
	char canonical[SN_MP_ADDRESS_TEXT_MAX];
	struct sn_mp_address address;
	struct sn_str rest = text, network;
	uint64_t length;

	(void)sn_str_split(&rest, '/', &network);
	if (sn_mp_address_parse(network, &address) != 0)
		return refuse(err, text, "not a network (ADDRESS/LENGTH; a set holds addresses)");
	if (sn_parse_u64(rest, 0, address_bits(&address), &length) != 0)
		return refuse(err, text,
			      address.v6 ? "the length of an IPv6 prefix is 0 to 128"
					 : "the length of an IPv4 prefix is 0 to 32");
	set_host_bits(&address, (unsigned)length, false);
	sn_mp_address_format(&address, canonical);
	constraint->kind = length == address_bits(&address) ? SN_MP_ONE_OF : SN_MP_PREFIX;
	constraint->prefix_length = constraint->kind == SN_MP_PREFIX ? (unsigned)length : 0;
	return take_value(constraint, sn_str(canonical), err);
}

static bool in_prefix(const struct sn_mp_constraint *constraint, const char *value)
{
	struct sn_mp_address network, address;

	if (sn_mp_address_parse(sn_str(constraint->values[0]), &network) != 0 ||
	    sn_mp_address_parse(sn_str(value), &address) != 0 || network.v6 != address.v6)
		return false;
	set_host_bits(&address, constraint->prefix_length, false);
	return memcmp(network.bytes, address.bytes, sizeof(network.bytes)) == 0;
}

/* Sets -------------------------------------------------------------------- */

/* The comparison needs the type, and sets are of one: qsort_r(3). */
static int order(const void *a, const void *b, void *prim)
{
	return sn_mp_value_compare(*(enum sn_mp_prim *)prim, *(char *const *)a, *(char *const *)b);
}

static void sort_set(struct sn_mp_constraint *constraint)
{
	size_t kept = 0;

	qsort_r(constraint->values, constraint->count, sizeof(char *), order, &constraint->prim);
	for (size_t i = 0; i < constraint->count; i++) {
		if (kept > 0 && strcmp(constraint->values[kept - 1], constraint->values[i]) == 0)
			free(constraint->values[i]);
		else
			constraint->values[kept++] = constraint->values[i];
	}
	constraint->count = kept;
}

static int parse_set(struct sn_mp_constraint *constraint, struct sn_str text, struct sn_err *err)
{
	struct sn_str rest = text, part;
	size_t at;

	constraint->kind = SN_MP_ONE_OF;
	while (sn_str_split(&rest, ',', &part)) {
		int rc;

		if (constraint->count == SN_MP_SET_MAX)
			return sn_err_set(err, -ERANGE, "a set of more than %d values",
					  SN_MP_SET_MAX);
		/* Blanks are part of a text; around anything else they mean nothing. */
		rc = take_value(constraint, is_text(constraint->prim) ? part : sn_str_trim(part),
				err);
		if (rc != 0 && !is_text(constraint->prim) && count_marks(text, &at) == 0 &&
		    memmem(part.p, part.n, "..", 2) != NULL)
			return refuse(err, text, "a range is written 'a ... b', with the blanks");
		if (rc != 0)
			return rc;
	}
	sort_set(constraint);
	return 0;
}

/* All kinds --------------------------------------------------------------- */

static int parse_any(struct sn_mp_constraint *constraint, struct sn_str text, struct sn_err *err)
{
	struct sn_str low, high;

	/* Without a pointer it would be no text at all to split, instead of the empty one. */
	if (text.p == NULL)
		text = SN_STR("");
	if (text.n > SN_MP_CONSTRAINT_BYTES)
		return sn_err_set(err, -ERANGE, "a constraint of more than %d bytes",
				  SN_MP_CONSTRAINT_BYTES);
	if (sn_str_eqc(text, "*")) {
		constraint->kind = SN_MP_ANY;
		return 0;
	}
	if (split_range(constraint->prim, text, &low, &high))
		return parse_range(constraint, low, high, err);
	if (constraint->prim == SN_MP_ADDRESS && text.n > 0 && memchr(text.p, '/', text.n) != NULL)
		return parse_prefix(constraint, text, err);
	return parse_set(constraint, text, err);
}

int sn_mp_constraint_parse(enum sn_mp_prim prim, struct sn_str text,
			   struct sn_mp_constraint *constraint, struct sn_err *err)
{
	struct sn_mp_constraint parsed = {.prim = prim};
	int rc = parse_any(&parsed, text, err);

	/* "a ... b,a ... b" is a set of texts, but its only value by itself would be a range. */
	if (rc == 0 && parsed.kind == SN_MP_ONE_OF && parsed.count == 1 && is_text(prim)) {
		struct sn_mp_constraint single = {.prim = prim};
		struct sn_str low, high;

		if (split_range(prim, sn_str(parsed.values[0]), &low, &high)) {
			rc = parse_range(&single, low, high, err);
			sn_mp_constraint_finish(&parsed);
			parsed = single;
		}
	}
	if (rc != 0) {
		sn_mp_constraint_finish(&parsed);
		return rc;
	}
	*constraint = parsed;
	return 0;
}

void sn_mp_constraint_finish(struct sn_mp_constraint *constraint)
{
	for (size_t i = 0; i < constraint->count; i++)
		free(constraint->values[i]);
	free(constraint->values);
	*constraint = (struct sn_mp_constraint){.prim = constraint->prim};
}

int sn_mp_constraint_copy(const struct sn_mp_constraint *from, struct sn_mp_constraint *to)
{
	char **values = sn_new_n(char *, SN_MAX(from->count, 1));

	for (size_t i = 0; i < from->count; i++)
		values[i] = sn_xstrdup(from->values[i]);
	*to = *from;
	to->values = values;
	return 0;
}

static void print_prefix(const struct sn_mp_constraint *constraint, bool no_prefix,
			 struct sn_buf *out)
{
	char last[SN_MP_ADDRESS_TEXT_MAX];
	struct sn_mp_address address;

	sn_buf_adds(out, constraint->values[0]);
	if (!no_prefix) {
		sn_buf_addf(out, "/%u", constraint->prefix_length);
		return;
	}
	(void)sn_mp_address_parse(sn_str(constraint->values[0]), &address);
	set_host_bits(&address, constraint->prefix_length, true);
	sn_buf_adds(out, RANGE_MARK);
	sn_buf_adds(out, sn_mp_address_format(&address, last));
}

void sn_mp_constraint_print(const struct sn_mp_constraint *constraint, bool no_prefix,
			    struct sn_buf *out)
{
	if (constraint->kind == SN_MP_ANY)
		sn_buf_addc(out, '*');
	if (constraint->kind == SN_MP_PREFIX) {
		print_prefix(constraint, no_prefix, out);
		return;
	}
	for (size_t i = 0; i < constraint->count; i++) {
		if (i > 0)
			sn_buf_adds(out, constraint->kind == SN_MP_RANGE ? RANGE_MARK : ",");
		sn_buf_adds(out, constraint->values[i]);
	}
}

static bool in_range(const struct sn_mp_constraint *constraint, const char *value)
{
	const char *low = constraint->values[0], *high = constraint->values[1];
	enum sn_mp_prim prim = constraint->prim;

	/* What "now" is nobody can say here; the bound is left to who runs the measurement. */
	if (prim == SN_MP_TIME && strcmp(low, "now") == 0)
		low = "past";
	if (prim == SN_MP_TIME && strcmp(high, "now") == 0)
		high = "future";
	/* Addresses of the other family lie before or behind the whole range. */
	return sn_mp_value_compare(prim, low, value) <= 0 &&
	       sn_mp_value_compare(prim, value, high) <= 0;
}

/* The values are sorted. */
static bool in_set(const struct sn_mp_constraint *constraint, const char *value)
{
	size_t low = 0, high = constraint->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int side = sn_mp_value_compare(constraint->prim, constraint->values[middle], value);

		if (side == 0)
			return true;
		if (side < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool sn_mp_constraint_met(const struct sn_mp_constraint *constraint, const char *value)
{
	if (constraint->kind == SN_MP_ANY)
		return true;
	if (sn_mp_value_is_none(value))
		return false;
	switch (constraint->kind) {
	case SN_MP_RANGE:
		return in_range(constraint, value);
	case SN_MP_PREFIX:
		return in_prefix(constraint, value);
	default:
		return in_set(constraint, value);
	}
}

const char *sn_mp_constraint_single(const struct sn_mp_constraint *constraint)
{
	if (constraint->kind == SN_MP_ONE_OF && constraint->count == 1)
		return constraint->values[0];
	if (constraint->kind == SN_MP_RANGE &&
	    strcmp(constraint->values[0], constraint->values[1]) == 0)
		return constraint->values[0];
	return NULL;
}
