/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/import_source.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "exchange/monroe_json.h"
#include "exchange/rows_file.h"
#include "exchange/tstat_log.h"

struct sn_import_source {
	const struct kind *kind;
	struct sn_input *input;
	void *reader;
	const char *dataset;
};

struct kind {
	size_t line_max;
	int (*open)(struct sn_import_source *source, const struct sn_import_source_spec *spec,
		    struct sn_err *err);
	int (*read)(void *reader, size_t rows_max, struct sn_err *err);
	const struct sn_intake_counts *(*counts)(const void *reader);
	void (*destroy)(void *reader);
};

#define READER_FUNCTIONS(short_, type_)                                                            \
	static int read_##short_(void *reader, size_t rows_max, struct sn_err *err)                \
	{                                                                                          \
		return type_##_read(reader, rows_max, err);                                        \
	}                                                                                          \
	static const struct sn_intake_counts *counts_##short_(const void *reader)                  \
	{                                                                                          \
		return type_##_counts(reader);                                                     \
	}                                                                                          \
	static void destroy_##short_(void *reader)                                                 \
	{                                                                                          \
		type_##_destroy(reader);                                                           \
	}

READER_FUNCTIONS(tstat, sn_tstat_reader)
READER_FUNCTIONS(monroe, sn_monroe_reader)
READER_FUNCTIONS(mplane, sn_mplane_reader)
READER_FUNCTIONS(rows, sn_rows_reader)

static int open_tstat(struct sn_import_source *source, const struct sn_import_source_spec *spec,
		      struct sn_err *err)
{
	(void)err;
	source->dataset = spec->found.table->dataset->name;
	source->reader =
		sn_tstat_reader_create(source->input, spec->found.table,
				       sn_str(spec->node != NULL ? spec->node : ""), spec->intake);
	return 0;
}

/* A mistake in the syntax refuses the whole file, so it is looked for before a row is taken. */
static int check_monroe(const struct sn_import_source_spec *spec, struct sn_err *err)
{
	struct sn_input *input;
	int rc = sn_input_open(spec->path, SN_MONROE_OBJECT_MAX, &input, err);

	if (rc != 0)
		return rc;
	sn_input_rename(input, spec->name);
	rc = sn_monroe_json_check(input, err);
	sn_input_destroy(input);
	return rc;
}

static int open_monroe(struct sn_import_source *source, const struct sn_import_source_spec *spec,
		       struct sn_err *err)
{
	struct sn_monroe_options options = {.strict = spec->strict};

	if (spec->dataset != NULL) {
		options.table = sn_monroe_table_of(spec->dataset);
		if (options.table == NULL)
			return sn_err_set(err, -EINVAL,
					  "cannot import '%s': '%s' is none of MONROE's tables",
					  spec->name, spec->dataset->name);
	}
	if (spec->strict && check_monroe(spec, err) != 0)
		return err->code;
	source->reader = sn_monroe_reader_create(source->input, &options, spec->intake);
	return 0;
}

static int open_mplane(struct sn_import_source *source, const struct sn_import_source_spec *spec,
		       struct sn_err *err)
{
	if (spec->derive == NULL)
		return sn_err_set(err, -EINVAL,
				  "cannot import '%s': results of mPlane need a hub, which knows "
				  "their datasets (import it without --store)",
				  spec->name);
	source->reader =
		sn_mplane_reader_create(source->input, spec->intake, spec->derive, spec->ctx);
	return 0;
}

static int open_rows(struct sn_import_source *source, const struct sn_import_source_spec *spec,
		     struct sn_err *err)
{
	const struct sn_dataset *dataset =
		spec->dataset != NULL ? spec->dataset : spec->found.dataset;

	if (dataset == NULL)
		return sn_err_set(err, -EINVAL,
				  "cannot import '%s': its name does not say of which dataset its "
				  "rows are (name it with --dataset)",
				  spec->name);
	source->dataset = dataset->name;
	source->reader = sn_rows_reader_create(
		source->input, dataset,
		spec->found.form == SN_FORM_CSV ? SN_FILE_CSV : SN_FILE_JSON_LINES, spec->intake);
	return 0;
}

static const struct kind kinds[SN_FORMS] = {
	[SN_FORM_TSTAT] = {SN_TSTAT_LOG_LINE_MAX, open_tstat, read_tstat, counts_tstat,
			   destroy_tstat},
	[SN_FORM_MONROE] = {SN_MONROE_OBJECT_MAX, open_monroe, read_monroe, counts_monroe,
			    destroy_monroe},
	[SN_FORM_MPLANE] = {SN_MPLANE_FILE_MAX, open_mplane, read_mplane, counts_mplane,
			    destroy_mplane},
	[SN_FORM_CSV] = {SN_ROWS_FILE_LINE_MAX, open_rows, read_rows, counts_rows, destroy_rows},
	[SN_FORM_JSON_LINES] = {SN_ROWS_FILE_LINE_MAX, open_rows, read_rows, counts_rows,
				destroy_rows},
};

int sn_import_source_open(const struct sn_import_source_spec *spec,
			  struct sn_import_source **source, struct sn_err *err)
{
	struct sn_import_source *opened = sn_new(struct sn_import_source);
	int rc;

	opened->kind = &kinds[spec->found.form];
	rc = sn_input_open(spec->path, opened->kind->line_max, &opened->input, err);
	if (rc == 0) {
		sn_input_rename(opened->input, spec->name);
		rc = opened->kind->open(opened, spec, err);
	}
	if (rc != 0) {
		sn_import_source_close(opened);
		return rc;
	}
	*source = opened;
	return 0;
}

void sn_import_source_close(struct sn_import_source *source)
{
	if (source == NULL)
		return;
	if (source->reader != NULL)
		source->kind->destroy(source->reader);
	sn_input_destroy(source->input);
	free(source);
}

int sn_import_source_read(struct sn_import_source *source, size_t rows_max, struct sn_err *err)
{
	return source->kind->read(source->reader, rows_max, err);
}

const struct sn_intake_counts *sn_import_source_counts(const struct sn_import_source *source)
{
	return source->kind->counts(source->reader);
}

uint64_t sn_import_source_taken(const struct sn_import_source *source)
{
	return sn_input_taken(source->input);
}

const char *sn_import_source_dataset(const struct sn_import_source *source)
{
	return source->dataset;
}
