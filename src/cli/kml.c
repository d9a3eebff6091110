/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde kml`: where nodes were, and what their modems saw there, for maps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/download.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	const char *node, *from, *to, *gap, *split, *network, *file;
};

#define WHICH                                                                                      \
	{SN_OPT("node", 'n', SN_OPT_TEXT, node, "NODE", "whose (name, id, or NodeId)"),            \
	 .group = "Which places"},                                                                 \
		{SN_OPT("from", 0, SN_OPT_TEXT, from, "TIME",                                      \
			"from then on (a day before the end): 2026-03-01T00:00:00Z, or -24h")},    \
		{SN_OPT("to", 0, SN_OPT_TEXT, to, "TIME",                                          \
			"before then (a day after the begin, or now)")},                           \
	{                                                                                          \
		SN_OPT("min-gap", 'i', SN_OPT_TEXT, gap, "TIME",                                   \
		       "leave out places that are nearer in time to the one before")               \
	}
#define WHERE                                                                                      \
	{SN_OPT("output", 'o', SN_OPT_TEXT, file, "FILE", "where to"), .group = "Output"},         \
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

static char *make_path(const struct options *given, const char *what)
{
	struct sn_buf path = {0};

	sn_buf_addf(&path, "/api/v1/kml/%s?node=", what);
	sn_url_encode(&path, sn_str(given->node));
	add(&path, "since", given->from);
	add(&path, "until", given->to);
	add(&path, "min_gap", given->gap);
	add(&path, "split", given->split);
	add(&path, "operator", given->network);
	add(&path, "format", is_packed(given->file) ? "kmz" : NULL);
	sn_buf_cstr(&path);
	return path.p;
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

static int draw(struct options *given, const char *what, bool has_marks)
{
	sn_autofree char *path = NULL;
	struct sn_download download = {.label = "KML", .whole_or_not = true};
	struct sn_client *client;
	struct sn_err err = {0};
	int code;

	if (given->node == NULL || given->file == NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "'--node NODE' and '--output FILE' are needed");
	if (sn_client_open(&given->client, &client, &err) != 0)
		return sn_client_fail(&err);
	path = make_path(given, what);
	download.path = path;
	download.file = given->file;
	code = sn_download_run(client, &download, NULL);
	if (code == SN_EXIT_OK && has_marks && !is_packed(given->file) &&
	    strcmp(given->file, "-") != 0)
		code = fetch_marks(client, given->file);
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
		.examples = "sonde kml track --node 206 --from 2026-03-01T00:00:00Z -o track.kml",
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
