/* SPDX-License-Identifier: Apache-2.0 */
/* Files straight into a store directory, beside a hub or without one. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/import/import.h"
#include "cli/progress.h"

struct sn_import_here {
	struct sn_import_verb verb;
	struct sn_importer *importer;
	const struct sn_dataset *dataset;
	FILE *rejects; /* NULL: nobody wants them */
	const char *path;
	struct sn_bar bar;
	enum sn_import_phase phase;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static int open_rejects(struct sn_import_here *here, struct sn_err *err)
{
	if (here->verb.rejects == NULL)
		return 0;
	here->rejects = fopen(here->verb.rejects, "ae");
	return here->rejects != NULL
		       ? 0
		       : sn_err_sys(err, -errno, "cannot write '%s'", here->verb.rejects);
}

int sn_import_here_open(const struct sn_import_verb *verb, struct sn_import_here **out,
			struct sn_err *err)
{
	struct sn_import_here *here = sn_new(struct sn_import_here);
	struct sigaction action = {.sa_handler = interrupt};
	int rc = 0;

	here->verb = *verb;
	if (verb->dataset != NULL) {
		here->dataset = sn_catalog_find(verb->dataset);
		if (here->dataset == NULL)
			rc = sn_err_set(err, -EINVAL,
					"there is no dataset '%.64s' (see 'sonde data')",
					verb->dataset);
	}
	if (rc == 0)
		rc = open_rejects(here, err);
	if (rc == 0)
		rc = sn_importer_open(verb->dry_run ? NULL : verb->store, &here->importer, err);
	if (rc != 0) {
		sn_import_here_close(here);
		return rc;
	}
	/* What is being stored is stored, then it ends; the same command goes on later. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	*out = here;
	return 0;
}

void sn_import_here_close(struct sn_import_here *here)
{
	if (here == NULL)
		return;
	sn_importer_close(here->importer);
	if (here->rejects != NULL)
		fclose(here->rejects);
	free(here);
}

static int tell_progress(const struct sn_import_report *report, void *ctx)
{
	struct sn_import_here *here = ctx;

	if (report->phase != here->phase) {
		sn_bar_clear(&here->bar);
		sn_bar_begin(&here->bar, stderr, sn_import_name(here->path), SN_BAR_BYTES, 0);
		here->phase = report->phase;
	}
	sn_bar_update(&here->bar, report->taken, report->bytes,
		      report->phase == SN_IMPORT_DIGEST ? "(digest)" : NULL);
	return interrupted;
}

static void take_bad(const struct sn_bad_line *bad, void *ctx)
{
	struct sn_import_here *here = ctx;

	fprintf(here->rejects, "%s\t%llu\t%s\t", here->path, (unsigned long long)bad->line,
		bad->reason);
	fwrite(bad->text.p, 1, bad->text.n, here->rejects);
	fputc('\n', here->rejects);
}

static json_t *samples_json(const struct sn_import_report *report)
{
	json_t *samples = json_array();

	for (unsigned i = 0; i < report->sample_count; i++)
		json_array_append_new(samples, json_pack("{s:I, s:s}", "line",
							 (json_int_t)report->samples[i].line,
							 "reason", report->samples[i].reason));
	return samples;
}

static json_t *report_json(const char *path, const struct sn_import_report *report, int rc,
			   const struct sn_err *err)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:s, s:o}",
			 "name", sn_import_name(path), "form", sn_form_name(report->form), "state",
			 rc == 0            ? "done"
			 : rc == -ECANCELED ? "cancelled"
					    : "failed",
			 "bytes", (json_int_t)report->bytes, "taken_bytes",
			 (json_int_t)report->taken, "rows", (json_int_t)report->counts.rows,
			 "bad_lines", (json_int_t)report->counts.bad, "unknown",
			 (json_int_t)report->counts.unknown, "duplicate", report->duplicate,
			 "reason", rc != 0 ? json_string(err->text) : json_null(), "dataset",
			 report->dataset != NULL ? json_string(report->dataset) : json_null(),
			 "sha256", report->digest, "samples", samples_json(report));
}

int sn_import_here_file(struct sn_import_here *here, const char *path, json_t **job,
			struct sn_err *err)
{
	struct sn_import_options options = {
		.form = here->verb.form,
		.name = sn_import_name(path),
		.dataset = here->dataset,
		.node = here->verb.node,
		.strict = here->verb.strict,
		.now_ns = sn_wall_ns(),
		.progress = tell_progress,
		.bad = here->rejects != NULL ? take_bad : NULL,
		.ctx = here,
	};
	struct sn_import_report report;
	int rc;

	here->path = path;
	here->phase = SN_IMPORT_DIGEST;
	sn_bar_begin(&here->bar, stderr, sn_import_name(path), SN_BAR_BYTES, 0);
	rc = sn_importer_file(here->importer, path, &options, &report, err);
	sn_bar_clear(&here->bar);
	*job = report_json(path, &report, rc, err);
	return rc == -ECANCELED ? rc : 0;
}
