/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde dump`: the hub's daily files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/download.h"
#include "cli/listing.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	const char *day, *dataset, *format, *dir;
	bool json;
};

static const struct sn_opt list_options[] = {
	{SN_OPT("day", 0, SN_OPT_TEXT, day, "DAY", "of this day only: 2026-03-01"),
	 .group = "Which files"},
	{SN_OPT("dataset", 0, SN_OPT_TEXT, dataset, "DATASET", "of this dataset only")},
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "JSON, one object per line"),
	 .group = "Output"},
	SN_CLIENT_OPTION(struct options, client),
};
static const struct sn_opt now_options[] = {
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "JSON, one object per line"),
	 .group = "Output"},
	SN_CLIENT_OPTION(struct options, client),
};
static const struct sn_opt get_options[] = {
	{SN_OPT("dataset", 0, SN_OPT_TEXT, dataset, "DATASET", "of this dataset only"),
	 .group = "Which files"},
	{SN_OPT("format", 'f', SN_OPT_TEXT, format, "FORMAT",
		"in this form only: csv, parquet, ...")},
	{SN_OPT("directory", 'd', SN_OPT_TEXT, dir, "DIR", "where to (this one)"),
	 .group = "Output"},
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "tell in JSON what was fetched")},
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_listing_column columns[] = {
	{{.header = "day"}, "day", SN_LISTING_TEXT, NULL},
	{{.header = "file"}, "file", SN_LISTING_TEXT, NULL},
	{{.header = "rows", .right = true}, "rows", SN_LISTING_COUNT, NULL},
	{{.header = "size", .right = true}, "bytes", SN_LISTING_BYTES, NULL},
	{{.header = "revision", .right = true}, "revision", SN_LISTING_COUNT, NULL},
	{{.header = "made"}, "made", SN_LISTING_AGO, NULL},
};
static const struct sn_listing listing = {
	.columns = columns,
	.count = SN_COUNT(columns),
	.none = "There are no such dumps (the hub makes them of the datasets that 'dump_datasets' "
		"names).",
};

static char *list_path(const char *day, const char *dataset)
{
	struct sn_buf path = {0};

	sn_buf_adds(&path, "/api/v1/dumps?limit=1000");
	if (day != NULL) {
		sn_buf_adds(&path, "&day=");
		sn_url_encode(&path, sn_str(day));
	}
	if (dataset != NULL) {
		sn_buf_adds(&path, "&dataset=");
		sn_url_encode(&path, sn_str(dataset));
	}
	sn_buf_cstr(&path);
	return path.p;
}

static int list_work(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autofree char *path = list_path(given->day, given->dataset);

	return sn_listing_run(client, &listing, path, given->json, err);
}

static int list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		char **argv SN_UNUSED)
{
	struct options *given = opts;

	return sn_client_run(&given->client, list_work, given);
}

/* Making one --------------------------------------------------------------------------- */

static int now_work(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autojson json_t *body = json_pack("{s:s}", "day", given->day), *answer = NULL;
	int rc = sn_client_call(client, "POST", "/api/v1/dumps", body, &answer, err);

	if (rc == 0 && given->json)
		sn_output_json_line(stdout, answer);
	else if (rc == 0)
		printf("the dump of %s is being made; 'sonde dump list --day %s' shows it\n",
		       given->day, given->day);
	return rc;
}

static int now(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED, char **argv)
{
	struct options *given = opts;

	given->day = argv[0];
	return sn_client_run(&given->client, now_work, given);
}

/* Fetching them --------------------------------------------------------------------------- */

struct get {
	struct sn_client *client;
	const struct options *given;
	json_t *items; /* the list first: downloads use the client, too */
	unsigned fetched;
};

static int note_item(const json_t *item, void *ctx)
{
	json_array_append(((struct get *)ctx)->items, (json_t *)(uintptr_t)item);
	return 0;
}

static bool is_plain_name(const char *name)
{
	return name != NULL && name[0] != '.' && name[0] != '\0' && strchr(name, '/') == NULL;
}

static int fetch_file(struct get *get, const json_t *item)
{
	const char *name = sn_output_text(item, "file"), *url = sn_output_text(item, "url"),
		   *sha256 = sn_output_text(item, "sha256");
	const char *dir = get->given->dir != NULL ? get->given->dir : ".";
	uint8_t digest[32];
	struct sn_download download = {.path = url, .label = name, .whole_or_not = true};
	int code;

	/* The hub's word is not enough for where a file goes. */
	if (!is_plain_name(name) || url == NULL || url[0] != '/' || sha256 == NULL ||
	    sn_unhex(sn_str(sha256), digest, sizeof(digest)) != 0)
		return sn_cli_fail(SN_EXIT_FAILED, "the hub's list of dumps has no good entry");
	{
		sn_autofree char *file = sn_fs_join(dir, name);

		download.file = file;
		download.digest = digest;
		download.total = (uint64_t)json_integer_value(json_object_get(item, "bytes"));
		code = sn_download_run(get->client, &download, NULL);
		if (code == SN_EXIT_OK && get->given->json)
			sn_output_json_line(stdout, item);
		else if (code == SN_EXIT_OK)
			printf("%s\n", file);
	}
	get->fetched++;
	return code;
}

static int fetch_all(struct get *get)
{
	const char *format = get->given->format;
	int code = SN_EXIT_OK;

	for (size_t i = 0; code == SN_EXIT_OK && i < json_array_size(get->items); i++) {
		const json_t *item = json_array_get(get->items, i);
		const char *form = sn_output_text(item, "format");

		if (format == NULL || (form != NULL && strcmp(form, format) == 0))
			code = fetch_file(get, item);
	}
	if (code == SN_EXIT_OK && get->fetched == 0)
		code = sn_cli_fail(SN_EXIT_FAILED,
				   "there is no such dump of %s ('sonde dump list' shows them; "
				   "'sonde dump now %s' makes one)",
				   get->given->day, get->given->day);
	return code;
}

static int get(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED, char **argv)
{
	struct options *given = opts;
	struct get get = {.given = given};
	sn_autofree char *path = NULL;
	struct sn_err err = {0};
	int code;

	given->day = argv[0];
	path = list_path(given->day, given->dataset);
	if (given->dir != NULL && sn_fs_mkdirs(given->dir, 0755, &err) != 0)
		return sn_client_fail(&err);
	if (sn_client_open(&given->client, &get.client, &err) != 0)
		return sn_client_fail(&err);
	get.items = json_array();
	code = sn_client_each(get.client, path, note_item, &get, &err) == 0 ? fetch_all(&get)
									    : sn_client_fail(&err);
	json_decref(get.items);
	sn_client_close(get.client);
	return code;
}

static const struct sn_verb verbs[] = {
	{
		.path = "dump list",
		.arguments = "",
		.help = "List the files of daily dumps.",
		.examples = "sonde dump list --day 2026-03-01",
		.options = list_options,
		.option_count = SN_COUNT(list_options),
		.options_size = sizeof(struct options),
		.run = list,
	},
	{
		.path = "dump now",
		.arguments = "DAY",
		.help = "Have the dump of a day made now, or again.",
		.examples = "sonde dump now 2026-03-01",
		.options = now_options,
		.option_count = SN_COUNT(now_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = now,
	},
	{
		.path = "dump get",
		.arguments = "DAY",
		.help = "Fetch the files of a day's dump; their checksums are verified.",
		.examples = "sonde dump get 2026-03-01 --format parquet --directory dumps",
		.options = get_options,
		.option_count = SN_COUNT(get_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = get,
	},
};
const struct sn_cli_verbs sn_cli_dump_verbs = {verbs, SN_COUNT(verbs)};
