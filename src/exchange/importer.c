/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/importer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "exchange/import_digest.h"
#include "exchange/import_source.h"
#include "exchange/parts.h"
#include "store/store.h"

#define STREAM       "import"
#define BUSY_STEP_NS (50 * SN_NS_PER_MS)
#define NODE_SIZE    (SN_IMPORT_DIGEST_SIZE + 8)
#define LAYOUT       1 /* of parts: to be raised when the same file would be cut in another way */
#define NAME_SHOWN   200

struct sn_importer {
	struct sn_store *store; /* NULL: dry */
	struct sn_import_ledger *ledger;
};

/* One file on its way. */
struct run {
	struct sn_importer *importer;
	const char *path, *name;
	const struct sn_import_options *options;
	struct sn_import_report *report;
	struct sn_import_entry entry;
	struct sn_form_found found;
	struct sn_parts *parts;
	struct sn_import_source *source;
	struct sn_intake intake;
	char node[NODE_SIZE]; /* of the ledger */
};

int sn_importer_open(const char *dir, struct sn_importer **importer, struct sn_err *err)
{
	struct sn_importer *opened = sn_new(struct sn_importer);
	int rc = 0;

	if (dir != NULL)
		rc = sn_store_open(dir, &opened->store, err);
	if (rc == 0 && dir != NULL)
		rc = sn_import_ledger_open(dir, &opened->ledger, err);
	if (rc != 0) {
		sn_importer_close(opened);
		return rc;
	}
	*importer = opened;
	return 0;
}

void sn_importer_close(struct sn_importer *importer)
{
	if (importer == NULL)
		return;
	sn_import_ledger_close(importer->ledger);
	sn_store_close(importer->store);
	free(importer);
}

/* Parts -------------------------------------------------------------------- */

static void note_times(struct run *run, const struct sn_columns *rows, int32_t day, int64_t *sum)
{
	struct sn_vector times = sn_columns_vector(rows, SN_COL_TIME);
	struct sn_import_report *report = run->report;
	uint64_t total = 0;

	for (size_t i = 0; i < times.rows; i++) {
		report->first_ns = SN_MIN(report->first_ns, times.i[i]);
		report->last_ns = SN_MAX(report->last_ns, times.i[i]);
		total = total * 31 + (uint64_t)times.i[i];
	}
	*sum = (int64_t)total;
	run->entry.first_day = SN_MIN(run->entry.first_day, day);
	run->entry.last_day = SN_MAX(run->entry.last_day, day);
}

/* What tells a part from another that would stand in its place. */
static void identify(const struct run *run, const struct sn_part *part, int64_t sum,
		     struct sn_batch_id *id)
{
	const struct sn_dataset *dataset = sn_columns_dataset(part->rows);
	char text[SN_IMPORT_OPTIONS_SIZE + 256];
	int n = snprintf(text, sizeof(text), "%s|%" PRIu64 "|%s|%u|%d|%zu|%" PRId64,
			 run->entry.options, part->seq, dataset->name, dataset->version,
			 (int)part->day, sn_columns_rows(part->rows), sum);

	*id = (struct sn_batch_id){.node = run->node, .stream = STREAM, .seq = part->seq};
	sn_import_digest_of((struct sn_str){text, (size_t)n}, id->digest);
}

static int tell_progress(struct run *run, struct sn_err *err)
{
	if (run->options->progress != NULL &&
	    run->options->progress(run->report, run->options->ctx) != 0)
		return sn_err_set(err, -ECANCELED,
				  "the import of '%.*s' was stopped (start it again to go on)",
				  NAME_SHOWN, run->name);
	return 0;
}

/* Others write, too: a file that is locked is waited for. */
static int put_part(struct run *run, const struct sn_batch_id *id, const struct sn_part *part,
		    struct sn_err *err)
{
	struct timespec pause = {.tv_nsec = BUSY_STEP_NS};
	uint64_t give_up_ns = sn_mono_ns() + SN_IMPORT_BUSY_NS;
	int rc;

	while ((rc = sn_store_put(run->importer->store, id, part->rows, err)) == -EBUSY &&
	       sn_mono_ns() < give_up_ns) {
		if (tell_progress(run, err) != 0)
			return err->code;
		nanosleep(&pause, NULL);
	}
	return rc;
}

static int store_part(struct run *run, const struct sn_part *part, struct sn_err *err)
{
	struct sn_batch_id id;
	int64_t sum;
	int rc = 0;

	note_times(run, part->rows, part->day, &sum);
	identify(run, part, sum, &id);
	if (run->importer->store != NULL && run->options->annotate != NULL)
		run->options->annotate(part->rows, run->options->ctx);
	if (run->importer->store != NULL)
		rc = put_part(run, &id, part, err);
	if (rc == -EEXIST)
		return sn_err_set(err, rc,
				  "cannot import '%.*s': part %" PRIu64 " of it is in the store "
				  "with other rows (another release began it: finish it there)",
				  NAME_SHOWN, run->name, part->seq);
	if (rc < 0)
		return rc == -ECANCELED
			       ? rc
			       : sn_err_wrap(err, "cannot import '%.*s'", NAME_SHOWN, run->name);
	run->report->parts++;
	run->report->parts_known += rc == 1;
	sn_parts_done(run->parts, part);
	return tell_progress(run, err);
}

static int store_parts(struct run *run, bool all, struct sn_err *err)
{
	struct sn_part part;
	int rc = 0;

	while (rc == 0 && sn_parts_next(run->parts, all, &part))
		rc = store_part(run, &part, err);
	return rc;
}

/* Rows --------------------------------------------------------------------- */

static struct sn_columns *place(void *ctx, const struct sn_dataset *dataset, int32_t day)
{
	struct run *run = ctx;

	return sn_parts_place(run->parts, dataset, day);
}

static void take_bad(void *ctx, const struct sn_bad_line *bad)
{
	struct run *run = ctx;
	struct sn_import_report *report = run->report;

	if (report->sample_count < SN_IMPORT_SAMPLES_MAX) {
		report->samples[report->sample_count].line = bad->line;
		snprintf(report->samples[report->sample_count].reason, SN_IMPORT_REASON_MAX, "%s",
			 bad->reason);
		report->sample_count++;
	}
	if (run->options->bad != NULL)
		run->options->bad(bad, run->options->ctx);
}

/* What a reader brought in one step. */
static int take_step(struct run *run, struct sn_err *err)
{
	const struct sn_intake_counts *counts = sn_import_source_counts(run->source);
	uint64_t fresh = counts->bytes - run->report->counts.bytes;

	run->report->counts = *counts;
	run->report->taken = sn_import_source_taken(run->source);
	sn_parts_added(run->parts, fresh);
	if (store_parts(run, false, err) != 0)
		return err->code;
	return tell_progress(run, err);
}

static bool keeps_rows_before(int rc)
{
	return rc == 0 || rc == -EBADMSG || rc == -ENODATA;
}

static int read_rows(struct run *run, struct sn_err *err)
{
	struct sn_err trouble = {0};
	int rc, taken;

	do {
		rc = sn_import_source_read(run->source, SN_PARTS_STEP_ROWS, &trouble);
		taken = take_step(run, err);
	} while (rc > 0 && taken == 0);
	if (taken == 0 && keeps_rows_before(rc))
		taken = store_parts(run, true, err);
	if (taken != 0 || rc == 0)
		return taken;
	*err = trouble;
	return rc;
}

/* Beginning and end ---------------------------------------------------------- */

static void describe_options(const struct run *run, char *out, size_t size)
{
	const struct sn_import_options *options = run->options;
	const struct sn_dataset *dataset = options->dataset;

	snprintf(out, size, "%d %s %s node=%.128s%s", LAYOUT, sn_form_name(run->found.form),
		 run->found.table != NULL     ? run->found.table->name
		 : dataset != NULL            ? dataset->name
		 : run->found.dataset != NULL ? run->found.dataset->name
					      : "-",
		 options->node != NULL ? options->node : "", options->strict ? " strict" : "");
}

/* Are the parts that were written still there?  Days may have been dropped or set aside. */
static bool is_complete(struct run *run)
{
	uint64_t batches = 0;

	return run->entry.done &&
	       sn_store_source_batches(run->importer->store, run->node, run->entry.first_day,
				       run->entry.last_day, &batches, NULL) == 0 &&
	       batches >= run->entry.parts;
}

/* What was begun is gone on with in the same way, or not at all. */
static int compare_options(const struct run *run, const char *wanted, struct sn_err *err)
{
	if (strcmp(run->entry.options, wanted) == 0)
		return 0;
	return sn_err_set(
		err, -EINVAL,
		"cannot import '%.*s' as '%.150s': it was begun as '%.150s' (go on with it "
		"in that way)",
		NAME_SHOWN, run->name, wanted + 2, run->entry.options + 2);
}

static int find_entry(struct run *run, struct sn_err *err)
{
	int rc =
		sn_import_ledger_find(run->importer->ledger, run->report->digest, &run->entry, err);

	if (rc == -ENOENT)
		return 0;
	if (rc != 0)
		return rc;
	run->report->resumed = true;
	if (!is_complete(run))
		return 0;
	run->report->duplicate = true;
	run->report->counts.rows = run->entry.rows;
	run->report->counts.bad = run->entry.bad;
	run->report->parts = run->report->parts_known = run->entry.parts;
	return 0;
}

static int begin(struct run *run, struct sn_err *err)
{
	char wanted[SN_IMPORT_OPTIONS_SIZE];

	describe_options(run, wanted, sizeof(wanted));
	if (run->report->resumed && compare_options(run, wanted, err) != 0)
		return err->code;
	if (!run->report->resumed) {
		snprintf(run->entry.options, sizeof(run->entry.options), "%s", wanted);
		run->entry.latest_ns = run->options->now_ns + SN_IMPORT_AHEAD_NS;
	}
	run->entry.first_day = INT32_MAX;
	run->entry.last_day = INT32_MIN;
	run->intake = (struct sn_intake){
		.place = place,
		.bad = take_bad,
		.ctx = run,
		.oldest_ns = SN_IMPORT_OLDEST_NS,
		.latest_ns = run->entry.latest_ns,
	};
	if (run->importer->ledger == NULL)
		return 0;
	return sn_import_ledger_begin(run->importer->ledger, run->report->digest, run->name,
				      run->report->bytes, &run->entry, run->options->now_ns, err);
}

static int end(struct run *run, int rc, struct sn_err *err)
{
	struct sn_import_ledger *ledger = run->importer->ledger;

	if (ledger == NULL)
		return rc;
	/* Nothing of it is there: it may be begun in another way. */
	if (rc != 0 && run->report->parts == 0 && !run->report->resumed)
		sn_import_ledger_forget(ledger, run->report->digest, NULL);
	if (rc != 0)
		return rc;
	run->entry.rows = run->report->counts.rows;
	run->entry.bad = run->report->counts.bad;
	run->entry.parts = run->report->parts;
	return sn_import_ledger_end(ledger, run->report->digest, &run->entry, run->options->now_ns,
				    err);
}

static int find_form(struct run *run, struct sn_err *err)
{
	const struct sn_import_options *options = run->options;
	int rc = 0;

	run->found = (struct sn_form_found){.form = options->form};
	if (options->form == SN_FORM_AUTO || options->form == SN_FORM_TSTAT)
		rc = sn_form_find(run->path, run->name, &run->found, err);
	if (rc == 0 && options->form == SN_FORM_TSTAT && run->found.table == NULL)
		rc = sn_err_set(err, -EINVAL,
				"cannot import '%.*s' as a log of Tstat: neither its name nor its "
				"first line says which log it is",
				NAME_SHOWN, run->name);
	if (run->found.dataset == NULL)
		run->found.dataset = sn_dataset_of_file(run->name);
	run->report->form = run->found.form;
	return rc;
}

static int import_rows(struct run *run, struct sn_err *err)
{
	const struct sn_import_options *options = run->options;
	struct sn_import_source_spec spec = {
		.path = run->path,
		.name = run->name,
		.found = run->found,
		.dataset = options->dataset,
		.node = options->node,
		.strict = options->strict,
		.derive = options->derive,
		.ctx = options->ctx,
		.intake = &run->intake,
	};
	int rc = begin(run, err);

	if (rc != 0)
		return rc;
	run->report->phase = SN_IMPORT_ROWS;
	run->report->taken = 0;
	rc = sn_import_source_open(&spec, &run->source, err);
	if (rc == 0) {
		run->report->dataset = sn_import_source_dataset(run->source);
		run->parts = sn_parts_create();
		rc = read_rows(run, err);
	}
	return end(run, rc, err);
}

static int import_file(struct run *run, struct sn_err *err)
{
	struct sn_file_state before, after;
	int rc = sn_file_state(run->path, &before, err);

	if (rc != 0)
		return rc;
	run->report->bytes = before.bytes;
	if (run->options->digest != NULL)
		snprintf(run->report->digest, sizeof(run->report->digest), "%s",
			 run->options->digest);
	else
		rc = sn_import_digest(run->path, run->options, run->report, err);
	snprintf(run->node, sizeof(run->node), "import:%s", run->report->digest);
	if (rc == 0 && run->importer->ledger != NULL)
		rc = find_entry(run, err);
	if (rc != 0 || run->report->duplicate)
		return rc;
	rc = find_form(run, err);
	if (rc == 0)
		rc = sn_file_state(run->path, &after, err);
	/* The digest is of what was there before. */
	if (rc == 0 && !sn_file_state_equal(&before, &after))
		rc = sn_file_changed(run->path, err);
	return rc == 0 ? import_rows(run, err) : rc;
}

int sn_importer_file(struct sn_importer *importer, const char *path,
		     const struct sn_import_options *options, struct sn_import_report *report,
		     struct sn_err *err)
{
	struct run run = {
		.importer = importer,
		.path = path,
		.name = options->name != NULL ? options->name : path,
		.options = options,
		.report = report,
	};
	int rc;

	*report = (struct sn_import_report){.first_ns = INT64_MAX, .last_ns = INT64_MIN};
	rc = import_file(&run, err);
	if (rc == 0)
		report->phase = SN_IMPORT_DONE;
	sn_import_source_close(run.source);
	sn_parts_destroy(run.parts);
	return rc;
}
