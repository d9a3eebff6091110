/* SPDX-License-Identifier: Apache-2.0 */
/* Names in a policy: lists of them, and identities with the pattern that stands for them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mplane/policy_internal.h"

/* Texts --------------------------------------------------------------------------- */

void sn_policy_texts_add(struct sn_policy_texts *texts, struct sn_str text)
{
	if (texts->count == texts->room) {
		texts->room = texts->room > 0 ? 2 * texts->room : 4;
		texts->items = sn_xrealloc(texts->items, texts->room, sizeof(*texts->items));
	}
	texts->items[texts->count++] = sn_xstrndup(text.p, text.n);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void sn_policy_texts_sort(struct sn_policy_texts *texts)
{
	if (texts->count > 1)
		qsort(texts->items, texts->count, sizeof(*texts->items), compare_texts);
}

bool sn_policy_texts_have(const struct sn_policy_texts *texts, const char *text)
{
	return texts->count > 0 && bsearch(&text, texts->items, texts->count, sizeof(*texts->items),
					   compare_texts) != NULL;
}

void sn_policy_texts_finish(struct sn_policy_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct sn_policy_texts){0};
}

/* Identities ---------------------------------------------------------------------- */

void sn_policy_identity_key(const char *identity, char out[SN_POLICY_TEXT_MAX])
{
	bool dns = strncmp(identity, "dns:", 4) == 0;
	size_t n = 0;

	for (; identity[n] != '\0' && n + 1 < SN_POLICY_TEXT_MAX; n++)
		out[n] = dns ? (char)tolower((unsigned char)identity[n]) : identity[n];
	out[n] = '\0';
}

bool sn_policy_identity_pattern(const char *key, char out[SN_POLICY_TEXT_MAX])
{
	const char *colon = strchr(key, ':'), *dot;

	if (strncmp(key, "dns:", 4) == 0) {
		dot = strchr(key, '.');
		if (dot == NULL || dot[1] == '\0' || strlen(dot) + 6 > SN_POLICY_TEXT_MAX)
			return false;
		snprintf(out, SN_POLICY_TEXT_MAX, "dns:*%.*s", SN_POLICY_TEXT_MAX - 6, dot);
		return true;
	}
	dot = colon != NULL ? colon : strrchr(key, '.');
	if (dot == NULL || dot[1] == '\0' || dot == key)
		return false;
	snprintf(out, SN_POLICY_TEXT_MAX, "%.*s*",
		 (int)SN_MIN(dot + 1 - key, SN_POLICY_TEXT_MAX - 2), key);
	return true;
}

bool sn_policy_wildcard_is_good(const char *key)
{
	sn_autofree char *example = sn_xstrdup(key);
	char pattern[SN_POLICY_TEXT_MAX], *star = strchr(example, '*');

	if (star == NULL)
		return true;
	*star = 'x';
	return strchr(example, '*') == NULL && sn_policy_identity_pattern(example, pattern) &&
	       strcmp(pattern, key) == 0;
}
