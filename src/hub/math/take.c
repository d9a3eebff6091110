/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/math/take.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "exchange/importer.h"
#include "exchange/input.h"
#include "exchange/tstat_log.h"
#include "transfer/path.h"

#define HEAD_MAX  65536
#define BAD_PIECE 65536 /* bytes of bad lines that are put aside together */

struct sn_math_take {
	struct sn_math_take_config config;
	struct sn_importer *importer;
	char source[SN_MATH_STREAM_MAX + 8]; /* "math:<stream>" */
	const char *names;                   /* how names of files begin; NULL: any */
	const char *file, *path;             /* at hand: where it is, what it is called */
	struct sn_buf head, bad;             /* its header; bad lines that were not put aside yet */
	uint64_t bad_bytes;                  /* of all its bad lines that were kept */
	uint64_t lines, first_line;          /* in `bad` */
	char why[160];                       /* of the first of these */
};

int sn_math_type_check(const char *type, struct sn_err *err)
{
	const char *names = sn_math_type_names(type);

	if (!sn_math_stream_is_good(sn_str(type)))
		return sn_err_set(err, -EINVAL, "type: not the name of one");
	if (strcmp(type, "mawi_wide") == 0)
		return sn_err_set(err, -EINVAL,
				  "type: rows of 'mawi_wide' fit no dataset ('sonde math fetch' "
				  "copies the files)");
	if (names != NULL && sn_tstat_log_table(names) == NULL)
		return sn_err_set(
			err, -EINVAL,
			"type: rows of '%s' fit no dataset ('sonde math fetch' copies the "
			"files; 'tstat' takes all logs that fit one)",
			type);
	return 0;
}

int sn_math_take_open(const struct sn_math_take_config *config, struct sn_math_take **out,
		      struct sn_err *err)
{
	struct sn_math_take *take = sn_new(struct sn_math_take);
	int rc = sn_importer_open(config->store, &take->importer, err);

	if (rc != 0) {
		free(take);
		return rc;
	}
	take->config = *config;
	take->names = sn_math_type_names(config->type);
	snprintf(take->source, sizeof(take->source), "math:%s", config->stream);
	*out = take;
	return 0;
}

void sn_math_take_close(struct sn_math_take *take)
{
	if (take == NULL)
		return;
	sn_importer_close(take->importer);
	sn_buf_finish(&take->head);
	sn_buf_finish(&take->bad);
	free(take);
}

bool sn_math_take_wants(const struct sn_math_take *take, struct sn_str path)
{
	struct sn_str name = sn_math_path_name(path);
	char text[256];

	if (take->names != NULL && !sn_str_has_prefix(name, take->names))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)SN_MIN(name.n, sizeof(text) - 1), name.p);
	return sn_tstat_log_table(text) != NULL;
}

/* Quarantine ------------------------------------------------------------------------------- */

/* What a piece of the file needs before it to be read again: its header. */
static void read_head(struct sn_math_take *take)
{
	struct sn_input_line line;
	struct sn_input *input;

	sn_buf_clear(&take->head);
	if (sn_input_open(take->file, SN_TSTAT_LOG_LINE_MAX, &input, NULL) != 0)
		return;
	while (take->head.n < HEAD_MAX && sn_input_next(input, &line, NULL) > 0 &&
	       line.text.n > 0 && line.text.p[0] == '#' && !line.too_long) {
		sn_buf_add(&take->head, line.text.p, line.text.n);
		sn_buf_addc(&take->head, '\n');
	}
	sn_input_destroy(input);
}

static void put_aside(struct sn_math_take *take)
{
	char reason[SN_QUARANTINE_REASON_MAX];
	struct sn_quarantine_item item = {
		.source = take->source,
		.kind = SN_QUARANTINE_LINE,
		.reason = reason,
		.stream = take->path,
		.seq = take->first_line,
		.rows = take->lines,
	};
	struct sn_buf text = {0};

	if (take->lines == 0)
		return;
	snprintf(reason, sizeof(reason), "%.200s, line %llu: %.200s%s", take->path,
		 (unsigned long long)take->first_line, take->why,
		 take->lines > 1 ? " (and others)" : "");
	read_head(take);
	sn_buf_add(&text, take->head.p, take->head.n);
	sn_buf_add(&text, take->bad.p, take->bad.n);
	if (take->config.quarantine != NULL)
		(void)sn_quarantine_add(take->config.quarantine, &item, text.p, text.n, NULL);
	sn_buf_finish(&text);
	sn_buf_clear(&take->bad);
	take->lines = 0;
}

static void keep_line(const struct sn_bad_line *bad, void *ctx)
{
	struct sn_math_take *take = ctx;

	if (take->bad_bytes + bad->text.n > SN_MATH_BAD_MAX)
		return;
	take->bad_bytes += bad->text.n + 1;
	if (take->lines++ == 0) {
		take->first_line = bad->line;
		snprintf(take->why, sizeof(take->why), "%s", bad->reason);
	}
	sn_buf_add(&take->bad, bad->text.p, bad->text.n);
	sn_buf_addc(&take->bad, '\n');
	if (take->bad.n >= BAD_PIECE)
		put_aside(take);
}

static void keep_file(struct sn_math_take *take, const char *file, const char *reason)
{
	struct sn_quarantine_item item = {
		.source = take->source,
		.kind = SN_QUARANTINE_FILE,
		.reason = reason,
		.stream = take->path,
	};
	struct sn_buf content = {0};

	if (take->config.quarantine != NULL &&
	    sn_fs_read(file, SN_QUARANTINE_ITEM_MAX, &content, NULL) == 0)
		(void)sn_quarantine_add(take->config.quarantine, &item, content.p, content.n, NULL);
	sn_buf_finish(&content);
}

/* `store` NULL: it is only read. */
static int import_again(const struct sn_quarantine_copy *copy, const char *store, const char *file,
			size_t *rows, struct sn_err *err)
{
	struct sn_import_options options = {
		.form = SN_FORM_TSTAT,
		.name = copy->stream,
		.node = copy->source,
		.now_ns = sn_wall_ns(),
	};
	struct sn_import_report report = {0};
	struct sn_importer *importer;
	int rc = sn_importer_open(store, &importer, err);

	if (rc != 0)
		return rc;
	rc = sn_importer_file(importer, file, &options, &report, err);
	sn_importer_close(importer);
	*rows = report.duplicate ? 0 : report.counts.rows;
	if (rc == 0 && report.counts.bad > 0)
		rc = sn_err_set(err, -EINVAL, "%llu lines still cannot be read: %s",
				(unsigned long long)report.counts.bad,
				report.sample_count > 0 ? report.samples[0].reason : "");
	return rc;
}

int sn_math_take_again(const struct sn_quarantine_copy *copy, const char *store,
		       const char *scratch, size_t *rows, struct sn_err *err)
{
	int rc;

	*rows = 0;
	if (copy->stream == NULL)
		return sn_err_set(err, -EINVAL, "it is not known which file this was");
	rc = sn_fs_write_atomic(scratch, copy->content.p, copy->content.n, 0600, err);
	if (rc == 0)
		rc = import_again(copy, NULL, scratch, rows, err);
	if (rc == 0)
		rc = import_again(copy, store, scratch, rows, err);
	unlink(scratch);
	return rc;
}

/* Importing ---------------------------------------------------------------------------------- */

static int may_go_on(const struct sn_import_report *report SN_UNUSED, void *ctx)
{
	const struct sn_math_take *take = ctx;

	return take->config.stop != NULL && atomic_load(take->config.stop);
}

/* Will it be the same the next time? */
static bool is_settled(int error, const struct sn_import_report *report)
{
	/* Begun by somebody else just now: that ends. */
	if (error == -EINVAL)
		return !report->resumed;
	return error == -EBADMSG || error == -ENODATA || error == -EFBIG;
}

int sn_math_take_file(struct sn_math_take *take, const char *file, const char *path,
		      const char *sha256, struct sn_math_taken *taken, struct sn_err *err)
{
	struct sn_import_options options = {
		.form = SN_FORM_TSTAT,
		.name = path,
		.node = take->source,
		.digest = sha256,
		.now_ns = sn_wall_ns(),
		.progress = may_go_on,
		.bad = keep_line,
		.ctx = take,
	};
	struct sn_import_report report;
	int rc;

	take->file = file;
	take->path = path;
	take->lines = take->bad_bytes = 0;
	sn_buf_clear(&take->bad);
	rc = sn_importer_file(take->importer, file, &options, &report, err);
	put_aside(take);
	if (rc != 0 && !is_settled(rc, &report))
		return rc;
	taken->rows = report.counts.rows;
	taken->bad_lines = report.counts.bad;
	taken->duplicate = report.duplicate;
	if (rc == 0)
		return 0;
	taken->outcome = report.counts.rows > 0 ? SN_MATH_DAMAGED : SN_MATH_REFUSED;
	snprintf(taken->reason, sizeof(taken->reason), "%.100s: %.150s", path, err->text);
	keep_file(take, file, taken->reason);
	*err = (struct sn_err){0};
	return 0;
}
