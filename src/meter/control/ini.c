/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/control/ini.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

struct place {
	const char *name;
	unsigned line;
};

static int refuse(const struct place *place, struct sn_err *err, const char *reason)
{
	return sn_err_set(err, -EINVAL, "cannot read '%s': line %u: %s", place->name, place->line,
			  reason);
}

/* "[log]" gives "log"; empty text on nonsense. */
static struct sn_str section_name(struct sn_str line)
{
	if (line.n < 3 || line.p[line.n - 1] != ']')
		return (struct sn_str){0};
	return sn_str_trim((struct sn_str){line.p + 1, line.n - 2});
}

static int parse_line(struct sn_str line, const struct place *place, struct sn_str *section,
		      sn_ini_fn *fn, void *ctx, struct sn_err *err)
{
	struct sn_str rest = line, key, comment;

	if (line.n > SN_INI_LINE_MAX)
		return refuse(place, err, "it is too long");
	sn_str_split(&rest, '#', &comment);
	rest = sn_str_trim(comment);
	if (rest.n == 0)
		return 0;
	if (rest.p[0] == '[') {
		*section = section_name(rest);
		return section->n > 0 ? 0 : refuse(place, err, "not a section (\"[name]\")");
	}
	if (!sn_str_split(&rest, '=', &key) || rest.p == NULL || rest.n == 0)
		return refuse(place, err, "neither \"name = value\" nor a section");

	int result = fn(*section, sn_str_trim(key), sn_str_trim(rest), ctx, err);

	return result == 0
		       ? 0
		       : sn_err_wrap(err, "cannot read '%s': line %u", place->name, place->line);
}

int sn_ini_parse(struct sn_str text, const char *name, sn_ini_fn *fn, void *ctx, struct sn_err *err)
{
	struct place place = {.name = name};
	struct sn_str rest = text, line, section = {0};
	int result = 0;

	if (text.n > SN_INI_SIZE_MAX)
		return sn_err_set(err, -E2BIG, "cannot read '%s': it is longer than %d kB", name,
				  SN_INI_SIZE_MAX / 1024);
	while (result == 0 && sn_str_split(&rest, '\n', &line)) {
		place.line++;
		result = parse_line(line, &place, &section, fn, ctx, err);
	}
	return result;
}

#define ROWS_MAX 64
#define WORD_MAX 64

int sn_ini_find(struct sn_str name, const void *table, size_t count, size_t size,
		struct sn_err *err)
{
	const char *names[ROWS_MAX], *near;
	char word[WORD_MAX];

	for (size_t i = 0; i < SN_MIN(count, (size_t)ROWS_MAX); i++) {
		memcpy(&names[i], (const char *)table + i * size, sizeof(names[i]));
		if (sn_str_eqc(name, names[i]))
			return (int)i;
	}
	snprintf(word, sizeof(word), "%.*s", (int)SN_MIN(name.n, sizeof(word) - 1), name.p);
	near = sn_suggest(word, names, SN_MIN(count, (size_t)ROWS_MAX));
	return near != NULL ? sn_err_set(err, -EINVAL,
					 "nothing is called '%s' (did you mean '%s'?)", word, near)
			    : sn_err_set(err, -EINVAL, "nothing is called '%s'", word);
}
