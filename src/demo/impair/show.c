/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/impair/show.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static const struct column {
	const char *title, *member;
} columns[] = {
	{"FRAMES", "frames"},     {"PASSED", "passed_frames"}, {"LOST", "lost_frames"},
	{"QUEUE", "queue_drops"}, {"DOWN", "down_drops"},
};

static void show_direction(const json_t *link, const char *name, const char *title, int name_width,
			   int shape_width, FILE *out)
{
	const json_t *direction = json_object_get(link, name);
	const char *shape = json_string_value(json_object_get(direction, "shape"));
	const char *mark = json_is_true(json_object_get(direction, "changed")) ? "*" : " ";

	fprintf(out, "%-*s %s%s %-*s", name_width, title, name, mark, shape_width,
		shape == NULL || shape[0] == '\0' ? "-" : shape);
	for (size_t i = 0; i < SN_COUNT(columns); i++)
		fprintf(out, " %9lld",
			(long long)json_integer_value(
				json_object_get(direction, columns[i].member)));
	fputc('\n', out);
}

static int text_width(const json_t *object, const char *member, int least)
{
	const char *text = json_string_value(json_object_get(object, member));
	int width = text == NULL ? 0 : (int)strlen(text);

	return SN_MAX(width, least);
}

static void show_table(const json_t *links, FILE *out)
{
	int name_width = 4, shape_width = 5;
	json_t *link;
	size_t i;

	json_array_foreach (links, i, link) {
		name_width = text_width(link, "link", name_width);
		shape_width = text_width(json_object_get(link, "ab"), "shape", shape_width);
		shape_width = text_width(json_object_get(link, "ba"), "shape", shape_width);
	}
	fprintf(out, "%-*s DIR %-*s", name_width, "LINK", shape_width, "SHAPE");
	for (i = 0; i < SN_COUNT(columns); i++)
		fprintf(out, " %9s", columns[i].title);
	fputc('\n', out);
	json_array_foreach (links, i, link) {
		const char *name = json_string_value(json_object_get(link, "link"));

		show_direction(link, "ab", name == NULL ? "?" : name, name_width, shape_width, out);
		show_direction(link, "ba", "", name_width, shape_width, out);
	}
}

void sn_impair_show(const json_t *answer, bool as_json, FILE *out)
{
	const json_t *links = json_object_get(answer, "links");
	json_t *link;
	size_t i;

	if (!as_json) {
		show_table(links, out);
		return;
	}
	json_array_foreach (links, i, link) {
		char *line = json_dumps(link, JSON_COMPACT | JSON_REAL_PRECISION(15));

		fprintf(out, "%s\n", line);
		free(line);
	}
}
