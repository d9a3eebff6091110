/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/series/rrd_conf.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/series/default_conf.h"
#include "meter/series/series.h"
#include "meter/series/sheet.h"

#define WORD_MAX 64 /* longer words are shown cut */

struct parser {
	struct sn_rrd_conf *conf;
	const char *name;
	unsigned line, steps;
	enum sn_histogram_id histogram;
	struct sn_err *err;
};

static const struct {
	const char *name;
	enum sn_stat stat;
} stats[] = {
	{"avg", SN_STAT_AVG}, {"min", SN_STAT_MIN},     {"max", SN_STAT_MAX},
	{"var", SN_STAT_VAR}, {"stdev", SN_STAT_STDEV}, {"hit", SN_STAT_HIT},
};

static const char *shown(struct sn_str word, char out[WORD_MAX])
{
	snprintf(out, WORD_MAX, "%.*s", (int)SN_MIN(word.n, (size_t)WORD_MAX - 1), word.p);
	for (char *c = out; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return out;
}

static int refuse(const struct parser *parser, struct sn_str word, const char *reason)
{
	char text[WORD_MAX];

	return sn_err_set(parser->err, -EINVAL, "%s:%u: '%s': %s", parser->name, parser->line,
			  shown(word, text), reason);
}

/* Values ------------------------------------------------------------------- */

static bool is_there(const struct parser *parser, const struct sn_rrd_value *value)
{
	for (size_t i = 0; i < parser->conf->count; i++) {
		const struct sn_rrd_value *other = &parser->conf->values[i];

		if (other->histogram == value->histogram && (other->steps & value->steps) != 0 &&
		    strcmp(other->stat, value->stat) == 0)
			return true;
	}
	return false;
}

/* `word` is what of the line asked for it. */
static int add_value(struct parser *parser, struct sn_str word, struct sn_rrd_value value)
{
	struct sn_rrd_conf *conf = parser->conf;

	value.histogram = parser->histogram;
	value.steps = parser->steps;
	if (value.label == NULL)
		value.label = "";
	if (is_there(parser, &value))
		return refuse(parser, word, "asked for twice");
	if (conf->count >= SN_RRD_VALUES_MAX)
		return refuse(parser, word, "too many values (at most 8192)");
	if ((conf->count & (conf->count - 1)) == 0) /* at each power of two */
		conf->values = sn_xrealloc(conf->values, SN_MAX(conf->count * 2, (size_t)1),
					   sizeof(conf->values[0]));
	conf->values[conf->count++] = value;
	return 0;
}

static int add_index(struct parser *parser, struct sn_str part)
{
	const struct sn_histogram *histogram = &sn_histograms[parser->histogram];
	struct sn_rrd_value value = {.kind = SN_RRD_INDEX};
	char text[WORD_MAX];
	int64_t index;

	if (sn_parse_i64(part, histogram->min, histogram->max, &index) != 0)
		return sn_err_set(parser->err, -EINVAL,
				  "%s:%u: index '%s' of '%s' is no number from %d to %d",
				  parser->name, parser->line, shown(part, text), histogram->name,
				  histogram->min, histogram->max);
	value.what = sn_histogram_bin(histogram, (double)index);
	value.label = sn_histogram_label(parser->histogram, (int)index);
	snprintf(value.stat, sizeof(value.stat), "idx%d", (int)index);
	return add_value(parser, part, value);
}

static int add_indices(struct parser *parser, struct sn_str list)
{
	struct sn_rrd_value other = {.kind = SN_RRD_OTHER,
				     .stat = "idxoth",
				     .label = "other",
				     .first = (unsigned)parser->conf->count};
	struct sn_str part, found = {0};
	int result = 0;

	while (result == 0 && sn_str_split(&list, ',', &part))
		if (sn_str_eqc(part, "other"))
			found = part;
		else
			result = add_index(parser, part);
	if (result != 0 || found.n == 0)
		return result;
	other.count = (unsigned)parser->conf->count - other.first;
	return add_value(parser, found, other);
}

static int add_percentiles(struct parser *parser, struct sn_str list)
{
	struct sn_str part;
	int result = 0;

	while (result == 0 && sn_str_split(&list, ',', &part)) {
		struct sn_rrd_value value = {.kind = SN_RRD_PERCENTILE};

		if (sn_parse_double(part, 0, 100, &value.percent) != 0 || value.percent == 0)
			return refuse(parser, part, "no percentage (above 0, at most 100)");
		snprintf(value.stat, sizeof(value.stat),
			 value.percent == floor(value.percent) ? "prc%.0f" : "prc%.3f",
			 value.percent);
		result = add_value(parser, part, value);
	}
	return result;
}

static int add_word(struct parser *parser, struct sn_str word)
{
	struct sn_str list = word;

	list.p += SN_MIN(word.n, (size_t)4);
	list.n -= SN_MIN(word.n, (size_t)4);
	if (sn_str_has_prefix(word, "idx:") && list.n > 0)
		return add_indices(parser, list);
	if (sn_str_has_prefix(word, "prc:") && list.n > 0)
		return add_percentiles(parser, list);
	for (size_t i = 0; i < SN_COUNT(stats); i++)
		if (sn_str_eqc(word, stats[i].name)) {
			struct sn_rrd_value value = {.kind = SN_RRD_STAT, .what = stats[i].stat};

			snprintf(value.stat, sizeof(value.stat), "%s", stats[i].name);
			return add_value(parser, word, value);
		}
	return refuse(
		parser, word,
		"unknown value (avg, min, max, var, stdev, hit, idx:N,...[,other], prc:P,...)");
}

/* Lines -------------------------------------------------------------------- */

/* Takes a word of the line; false at its end. */
static bool next_word(struct sn_str *line, struct sn_str *word)
{
	size_t n = 0;

	*line = sn_str_trim(*line);
	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	*word = (struct sn_str){line->p, n};
	line->p += n;
	line->n -= n;
	return n > 0;
}

static int set_steps(struct parser *parser, struct sn_str line)
{
	static const char *const words[SN_TRAFFIC_STEPS] = {"1", "60", "300"};
	struct sn_str word;

	parser->steps = 0;
	while (next_word(&line, &word)) {
		unsigned i = 0;

		while (i < SN_TRAFFIC_STEPS && !sn_str_eqc(word, words[i]))
			i++;
		if (i == SN_TRAFFIC_STEPS)
			return refuse(parser, word, "unknown step (1, 60 or 300 seconds)");
		parser->steps |= 1U << i;
	}
	return parser->steps != 0 ? 0 : refuse(parser, SN_STR("steps"), "without a step");
}

static int refuse_name(const struct parser *parser, struct sn_str word)
{
	char text[WORD_MAX];
	const char *near = sn_histogram_suggest(shown(word, text));

	return sn_err_set(parser->err, -EINVAL, "%s:%u: unknown histogram '%s'%s%s%s", parser->name,
			  parser->line, text, near != NULL ? " (did you mean '" : "",
			  near != NULL ? near : "", near != NULL ? "'?)" : "");
}

static int parse_line(struct parser *parser, struct sn_str line)
{
	struct sn_str word;
	int found, result = 0;

	if (memchr(line.p, '#', line.n) != NULL || !next_word(&line, &word))
		return 0;
	if (sn_str_eqc(word, "steps"))
		return set_steps(parser, line);
	found = sn_histogram_find(word);
	if (found < 0)
		return refuse_name(parser, word);
	parser->histogram = (enum sn_histogram_id)found;
	if (sn_str_trim(line).n == 0)
		return refuse(parser, word, "nothing is asked of it (avg, idx:0, prc:50, ...)");
	while (result == 0 && next_word(&line, &word))
		result = add_word(parser, word);
	return result;
}

int sn_rrd_conf_parse(struct sn_str text, const char *name, struct sn_rrd_conf *conf,
		      struct sn_err *err)
{
	struct parser parser = {
		.conf = conf, .name = name, .steps = (1U << SN_TRAFFIC_STEPS) - 1, .err = err};
	struct sn_str line;
	int result = 0;

	*conf = (struct sn_rrd_conf){0};
	if (text.n > SN_TRAFFIC_CONF_MAX)
		return sn_err_set(err, -EFBIG, "%s: more than %d bytes", name, SN_TRAFFIC_CONF_MAX);
	while (result == 0 && sn_str_split(&text, '\n', &line)) {
		parser.line++;
		result = parse_line(&parser, line);
	}
	if (result != 0)
		sn_rrd_conf_finish(conf);
	return result;
}

void sn_rrd_conf_finish(struct sn_rrd_conf *conf)
{
	free(conf->values);
	*conf = (struct sn_rrd_conf){0};
}

struct sn_str sn_rrd_conf_default(void)
{
	return (struct sn_str){sn_rrd_defaults[0].text, sn_rrd_defaults[0].size};
}
