/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde kml`: where nodes were, and what their modems saw there, for maps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/download.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	const char *node, *from, *to, *gap, *split, *network, *file;
	bool json;
};

#define WHICH                                                                                      \
	{SN_OPT("node", 'n', SN_OPT_TEXT, node, "NODE", "whose (name, id, or NodeId)"),            \
	 .group = "Which places"},                                                                 \
		{SN_OPT("from", 0, SN_OPT_TEXT, from, "TIME",                                      \
			"from then on (a day before the end): 2026-03-01, or -24h")},              \
		{SN_OPT("to", 0, SN_OPT_TEXT, to, "TIME",                                          \
			"before then (a day after the begin, or now)")},                           \
	{                                                                                          \
		SN_OPT("min-gap", 'i', SN_OPT_TEXT, gap, "TIME",                                   \
		       "leave out places that are nearer in time to the one before")               \
	}
#define WHERE                                                                                      \
	{SN_OPT("output", 'o', SN_OPT_TEXT, file, "FILE",                                          \
		"where to; '-' is standard output, which is the default"),                         \
	 .group = "Output"},                                                                       \
		{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "tell in JSON what was written")},   \
		SN_CLIENT_OPTION(struct options, client)

static const struct sn_opt track_options[] = {
	WHICH,
	{SN_OPT("split", 0, SN_OPT_TEXT, split, "TIME",
		"the line ends where no place is known for longer (5m)")},
	WHERE,
};
static const struct sn_opt coverage_options[] = {
	WHICH,
	{SN_OPT("operator", 0, SN_OPT_TEXT, network, "NAME", "in this network only")},
	WHERE,
};

static bool is_packed(const char *file)
{
	size_t n = strlen(file);

	return n > 4 && strcmp(file + n - 4, ".kmz") == 0;
}

static void add(struct sn_buf *path, const char *name, const char *value)
{
	if (value == NULL)
		return;
	sn_buf_addf(path, "&%s=", name);
	sn_url_encode(path, sn_str(value));
}

/* A time of an option as the API's `name`; SN_EXIT_OK, or another exit code after the reason. */
static int add_time(struct sn_buf *path, const char *option, const char *text, const char *name)
{
	char when[SN_TIME_TEXT_MAX];
	bool is_given = false;
	int64_t unix_ns = 0;
	int code = sn_option_time(option, text, &is_given, &unix_ns);

	if (code == SN_EXIT_OK && is_given)
		add(path, name, sn_format_time(unix_ns, when, sizeof(when)));
	return code;
}

/* The path is in `*made`, malloc'ed, in any case. */
static int make_path(const struct options *given, const char *what, char **made)
{
	struct sn_buf path = {0};
	int code;

	sn_buf_addf(&path, "/api/v1/kml/%s?node=", what);
	sn_url_encode(&path, sn_str(given->node));
	code = add_time(&path, "from", given->from, "since");
	if (code == SN_EXIT_OK)
		code = add_time(&path, "to", given->to, "until");
	add(&path, "min_gap", given->gap);
	add(&path, "split", given->split);
	add(&path, "operator", given->network);
	add(&path, "format", is_packed(given->file) ? "kmz" : NULL);
	sn_buf_cstr(&path);
	*made = path.p;
	return code;
}

/* The images lie beside the file, which names them. */
struct marks {
	struct sn_client *client;
	char *dir;
	json_t *items;
};

static int note_mark(const json_t *item, void *ctx)
{
	json_array_append(((struct marks *)ctx)->items, (json_t *)(uintptr_t)item);
	return 0;
}

static int fetch_mark(const struct marks *marks, const json_t *item)
{
	const char *name = sn_output_text(item, "name"), *url = sn_output_text(item, "url");
	sn_autofree char *file = NULL;
	struct sn_download download = {.path = url, .label = name, .whole_or_not = true};

	if (name == NULL || url == NULL || strchr(name, '/') != NULL || name[0] == '.')
		return sn_cli_fail(SN_EXIT_FAILED, "the hub's list of images has no good entry");
	file = sn_fs_join(marks->dir, name);
	download.file = file;
	return sn_fs_exists(file) ? SN_EXIT_OK : sn_download_run(marks->client, &download, NULL);
}

static int fetch_marks(struct sn_client *client, const char *file)
{
	const char *slash = strrchr(file, '/');
	struct marks marks = {
		.client = client,
		.dir = slash != NULL ? sn_xstrndup(file, (size_t)(slash - file) + 1)
				     : sn_xstrdup("."),
		.items = json_array(),
	};
	struct sn_err err = {0};
	int code = SN_EXIT_OK;

	if (sn_client_each(client, "/api/v1/kml/marks", note_mark, &marks, &err) != 0)
		code = sn_client_fail(&err);
	for (size_t i = 0; code == SN_EXIT_OK && i < json_array_size(marks.items); i++)
		code = fetch_mark(&marks, json_array_get(marks.items, i));
	json_decref(marks.items);
	free(marks.dir);
	return code;
}

static int check(struct options *given)
{
	if (given->node == NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "say with '--node NODE' whose places to draw");
	if (given->file == NULL)
		given->file = "-";
	if (given->json && strcmp(given->file, "-") == 0)
		return sn_cli_fail(SN_EXIT_USAGE, "'--json' goes with '--output FILE': standard "
						  "output has the map");
	return SN_EXIT_OK;
}

static void say(const struct options *given, const char *what, uint64_t bytes)
{
	sn_autojson json_t *told = NULL;
	char size[32];

	if (!given->json) {
		fprintf(stderr, "sonde: the %s of '%s' is in '%s', %s\n", what, given->node,
			given->file, sn_format_bytes(bytes, size, sizeof(size)));
		return;
	}
	told = json_pack("{s:s, s:s, s:s, s:I}", "node", given->node, "map", what, "file",
			 given->file, "bytes", (json_int_t)bytes);
	sn_output_json_line(stdout, told);
}

static int draw(struct options *given, const char *what, bool has_marks)
{
	sn_autofree char *path = NULL;
	struct sn_download download = {.label = "KML", .whole_or_not = true};
	struct sn_client *client;
	struct sn_err err = {0};
	bool to_file;
	uint64_t bytes;
	int code = check(given);

	if (code == SN_EXIT_OK)
		code = make_path(given, what, &path);
	if (code != SN_EXIT_OK)
		return code;
	if (sn_client_open(&given->client, &client, &err) != 0)
		return sn_client_fail(&err);
	to_file = strcmp(given->file, "-") != 0;
	download.path = path;
	download.file = given->file;
	code = sn_download_run(client, &download, &bytes);
	if (code == SN_EXIT_OK && has_marks && !is_packed(given->file) && to_file)
		code = fetch_marks(client, given->file);
	if (code == SN_EXIT_OK && to_file)
		say(given, what, bytes);
	sn_client_close(client);
	return code;
}

static int track(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		 char **argv SN_UNUSED)
{
	struct options *given = opts;

	if (given->file != NULL && is_packed(given->file))
		return sn_cli_fail(SN_EXIT_USAGE, "a track has no images: name the file '.kml'");
	return draw(given, "track", false);
}

static int coverage(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	return draw(opts, "coverage", true);
}

static const struct sn_verb verbs[] = {
	{
		.path = "kml track",
		.arguments = "",
		.help = "Draw where a node was, as KML for maps.",
		.examples = "sonde kml track --node 206 --from 2026-03-01 -o track.kml",
		.options = track_options,
		.option_count = SN_COUNT(track_options),
		.options_size = sizeof(struct options),
		.run = track,
	},
	{
		.path = "kml coverage",
		.arguments = "",
		.help = "Draw what a node's modems saw where, as KML, or KMZ with its images.",
		.examples = "sonde kml coverage --node 206 --operator Telia -o coverage.kmz",
		.options = coverage_options,
		.option_count = SN_COUNT(coverage_options),
		.options_size = sizeof(struct options),
		.run = coverage,
	},
};
const struct sn_cli_verbs sn_cli_kml_verbs = {verbs, SN_COUNT(verbs)};
