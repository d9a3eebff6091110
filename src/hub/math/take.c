/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/math/take.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "exchange/importer.h"
#include "exchange/tstat_log.h"
#include "transfer/path.h"

struct sn_math_take {
	struct sn_math_take_config config;
	struct sn_importer *importer;
	char source[SN_MATH_STREAM_MAX + 8]; /* "math:<stream>" */
	const char *names;                   /* how names of files begin; NULL: any */
	const char *path;                    /* of the file at hand */
	uint64_t lines;                      /* bad ones of it */
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

static void keep_line(const struct sn_bad_line *bad, void *ctx)
{
	struct sn_math_take *take = ctx;
	char reason[SN_QUARANTINE_REASON_MAX];
	struct sn_quarantine_item item = {
		.source = take->source,
		.kind = SN_QUARANTINE_LINE,
		.reason = reason,
		.seq = bad->line,
	};

	if (take->lines++ >= SN_MATH_LINES_MAX || take->config.quarantine == NULL)
		return;
	snprintf(reason, sizeof(reason), "%.200s, line %llu: %.200s", take->path,
		 (unsigned long long)bad->line, bad->reason);
	(void)sn_quarantine_add(take->config.quarantine, &item, bad->text.p, bad->text.n, NULL);
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

	take->path = path;
	take->lines = 0;
	rc = sn_importer_file(take->importer, file, &options, &report, err);
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
