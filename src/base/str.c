/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

#define WORD_MAX 63 /* longer words get no suggestion */

struct sn_str sn_str(const char *text)
{
	return text == NULL ? SN_STR("") : (struct sn_str){text, strlen(text)};
}

bool sn_str_eq(struct sn_str a, struct sn_str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool sn_str_eqc(struct sn_str a, const char *b)
{
	return sn_str_eq(a, sn_str(b));
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct sn_str sn_str_trim(struct sn_str text)
{
	while (text.n > 0 && blank(text.p[0])) {
		text.p++;
		text.n--;
	}
	while (text.n > 0 && blank(text.p[text.n - 1]))
		text.n--;
	return text;
}

bool sn_str_split(struct sn_str *rest, char separator, struct sn_str *part)
{
	const char *end;

	if (rest->p == NULL)
		return false;
	end = rest->n > 0 ? memchr(rest->p, separator, rest->n) : NULL;
	if (end == NULL) {
		/* The last part may be empty; a null pointer marks that it was handed out. */
		*part = *rest;
		*rest = (struct sn_str){NULL, 0};
		return true;
	}
	*part = (struct sn_str){rest->p, (size_t)(end - rest->p)};
	rest->n -= part->n + 1;
	rest->p = end + 1;
	return true;
}

char *sn_hex(const void *data, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < size; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * size] = '\0';
	return out;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int sn_unhex(struct sn_str text, void *out, size_t size)
{
	uint8_t *p = out;

	if (text.n % 2 != 0 || text.n / 2 != size)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(text.p[2 * i]), low = hex_digit(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		p[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
static size_t edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_size; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		size_t *reused = before;

		before = above;
		above = row;
		row = reused;
		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			size_t replace = above[j - 1] + (a[i - 1] != b[j - 1]);
			size_t insert = row[j - 1] + 1, drop = above[j] + 1;

			row[j] = SN_MIN(replace, SN_MIN(insert, drop));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = SN_MIN(row[j], before[j - 2] + 1);
		}
	}
	return row[b_size];
}

const char *sn_suggest(const char *word, const char *const *candidates, size_t count)
{
	size_t size = strlen(word);
	size_t best = size < 3 ? 2 : size / 3 + 2; /* a distance below this is "near" */
	const char *nearest = NULL;

	if (size == 0 || size > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t candidate_size = strlen(candidates[i]);
		size_t distance;

		if (candidate_size > WORD_MAX)
			continue;
		distance = edit_distance(word, size, candidates[i], candidate_size);
		if (distance < best && distance < candidate_size) {
			best = distance;
			nearest = candidates[i];
		}
	}
	return nearest;
}
