/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "dumps"
#include "hub/dump_day.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/monroe/tables.h"
#include "exchange/monroe_csv.h"
#include "hub/dump_dir.h"
#include "hub/rows_source.h"

#define DAY_NS      (86400 * SN_NS_PER_S)
#define WRITE_EACH  (256 * 1024)
#define DIGEST_SIZE 32

/* Names ------------------------------------------------------------------------------ */

int sn_dump_form_parse(const char *text, struct sn_dump_form *form)
{
	sn_autofree char *name = sn_xasprintf("x.%s", text);

	if (strlen(text) >= sizeof(form->name))
		return -EINVAL;
	snprintf(form->name, sizeof(form->name), "%s", text);
	if (strcmp(text, "monroe") == 0) {
		form->form = SN_EXPORT_MONROE;
		form->packing = SN_EXPORT_PLAIN;
		return 0;
	}
	if (sn_export_of_name(name, &form->form, &form->packing) != 0 ||
	    form->form == SN_EXPORT_MONROE ||
	    (form->form == SN_EXPORT_PARQUET && form->packing != SN_EXPORT_PLAIN))
		return -EINVAL;
	return 0;
}

int sn_dump_at_parse(const char *text, int64_t *ns)
{
	struct sn_str rest = sn_str(text), hour;
	uint64_t hours, minutes;

	if (!sn_str_split(&rest, ':', &hour) || hour.n != 2 || rest.n != 2 ||
	    sn_parse_u64(hour, 0, 23, &hours) != 0 || sn_parse_u64(rest, 0, 59, &minutes) != 0)
		return -EINVAL;
	*ns = (int64_t)(hours * 3600 + minutes * 60) * SN_NS_PER_S;
	return 0;
}

void sn_dump_day_finish(struct sn_dump_day *day)
{
	free(day->files);
	*day = (struct sn_dump_day){0};
}

static void name_file(const struct sn_dataset *dataset, const struct sn_dump_form *form,
		      int32_t day, struct sn_buf *out)
{
	char text[SN_DUMP_DAY_SIZE];
	struct sn_monroe_csv *csv;

	if (form->form != SN_EXPORT_MONROE) {
		sn_buf_addf(out, "%s_%s%s%s", dataset->name, sn_dump_day_text(day, text),
			    sn_export_form_suffix(form->form),
			    sn_export_packing_suffix(form->packing));
		return;
	}
	csv = sn_monroe_csv_create(dataset, SN_MONROE_DUMP);
	sn_monroe_csv_name(csv, day, out);
	sn_monroe_csv_destroy(csv);
}

/* A file ------------------------------------------------------------------------------ */

struct output {
	struct sn_rows_writer *writer;
	struct sn_dump_file told;
	char *path;
	int fd;
	gnutls_hash_hd_t hash;
};

static int write_all(struct output *output, struct sn_buf *bytes, struct sn_err *err)
{
	for (size_t done = 0; done < bytes->n;) {
		ssize_t n = write(output->fd, bytes->p + done, bytes->n - done);

		if (n < 0 && errno != EINTR)
			return sn_err_sys(err, -errno, "cannot write '%s'", output->path);
		done += n > 0 ? (size_t)n : 0;
	}
	gnutls_hash(output->hash, bytes->p, bytes->n);
	output->told.bytes += bytes->n;
	sn_buf_clear(bytes);
	return 0;
}

static int open_output(struct output *output, const struct sn_dataset *dataset,
		       const struct sn_dump_form *form, const char *dir, int32_t day,
		       struct sn_err *err)
{
	struct sn_buf name = {0};

	*output = (struct output){.fd = -1};
	name_file(dataset, form, day, &name);
	snprintf(output->told.name, sizeof(output->told.name), "%s", sn_buf_cstr(&name));
	snprintf(output->told.dataset, sizeof(output->told.dataset), "%s", dataset->name);
	snprintf(output->told.form, sizeof(output->told.form), "%s", form->name);
	sn_buf_finish(&name);
	output->path = sn_fs_join(dir, output->told.name);
	if (gnutls_hash_init(&output->hash, GNUTLS_DIG_SHA256) != 0)
		return sn_err_set(err, -ENOMEM, "cannot compute a digest");
	output->fd = open(output->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (output->fd < 0)
		return sn_err_sys(err, -errno, "cannot write '%s'", output->path);
	return sn_rows_writer_create(dataset, form->form, form->packing, &output->writer, err);
}

static int end_output(struct output *output, struct sn_err *err)
{
	uint8_t digest[DIGEST_SIZE];

	if (sn_rows_writer_finish(output->writer, err) != 0 ||
	    write_all(output, sn_rows_writer_ready(output->writer), err) != 0)
		return err->code;
	if (fsync(output->fd) != 0)
		return sn_err_sys(err, -errno, "cannot write '%s'", output->path);
	output->told.rows = sn_rows_writer_rows(output->writer);
	gnutls_hash_output(output->hash, digest);
	sn_hex(digest, sizeof(digest), output->told.sha256);
	return 0;
}

static void close_output(struct output *output)
{
	sn_rows_writer_destroy(output->writer);
	if (output->fd >= 0)
		close(output->fd);
	if (output->hash != NULL)
		gnutls_hash_deinit(output->hash, NULL);
	free(output->path);
}

/* A dataset: all its forms in one go over the rows --------------------------------------- */

struct dump {
	const struct sn_dump_plan *plan;
	const struct sn_dataset *dataset;
	const char *dir;
	int32_t day;
	struct output outputs[SN_DUMP_FORMS_MAX];
	size_t count;
	struct sn_err *err;
};

/* Files begin with the first row: a dataset without rows has none. */
static int open_outputs(struct dump *dump)
{
	const struct sn_dump_plan *plan = dump->plan;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < plan->form_count; i++) {
		if (plan->forms[i].form == SN_EXPORT_MONROE &&
		    sn_monroe_table_of(dump->dataset) == NULL)
			continue;
		rc = open_output(&dump->outputs[dump->count++], dump->dataset, &plan->forms[i],
				 dump->dir, dump->day, dump->err);
	}
	return rc;
}

static int take_row(const struct sn_value *row, void *ctx)
{
	struct dump *dump = ctx;
	int rc = dump->count == 0 ? open_outputs(dump) : 0;

	for (size_t i = 0; rc == 0 && i < dump->count; i++) {
		struct sn_rows_writer *writer = dump->outputs[i].writer;

		rc = sn_rows_writer_add(writer, row, dump->err);
		if (rc == 0 && sn_rows_writer_ready(writer)->n >= WRITE_EACH)
			rc = write_all(&dump->outputs[i], sn_rows_writer_ready(writer), dump->err);
	}
	return rc == 0 && atomic_load(dump->plan->stop) ? -ECANCELED : rc;
}

static int may_go_on(void *ctx)
{
	const struct dump *dump = ctx;

	return atomic_load(dump->plan->stop) ? -ECANCELED : 0;
}

static void add_told(struct sn_dump_day *made, const struct sn_dump_file *told)
{
	made->files = sn_xrealloc(made->files, made->count + 1, sizeof(*made->files));
	made->files[made->count++] = *told;
}

static int dump_dataset(struct dump *dump, struct sn_store *store, struct sn_dump_day *made)
{
	const struct sn_query query = {
		.dataset = dump->dataset,
		.since_ns = dump->day * (int64_t)DAY_NS,
		.until_ns = (dump->day + 1) * (int64_t)DAY_NS,
	};
	const struct sn_rows_sink sink = {take_row, may_go_on, dump};
	int rc = sn_rows_read_all(store, &query, UINT64_MAX, &sink, dump->err);

	for (size_t i = 0; i < dump->count; i++) {
		if (rc == 0)
			rc = end_output(&dump->outputs[i], dump->err);
		if (rc == 0)
			add_told(made, &dump->outputs[i].told);
		close_output(&dump->outputs[i]);
	}
	dump->count = 0;
	return rc;
}

static int dump_datasets(const struct sn_dump_plan *plan, struct sn_store *store, const char *dir,
			 struct sn_dump_day *made, struct sn_err *err)
{
	struct dump dump = {.plan = plan, .dir = dir, .day = made->day, .err = err};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < plan->dataset_count; i++) {
		if (made->count + plan->form_count > SN_DUMP_FILES_MAX)
			return sn_err_set(err, -E2BIG, "more than %d files of a day",
					  SN_DUMP_FILES_MAX);
		dump.dataset = plan->datasets[i];
		rc = dump_dataset(&dump, store, made);
	}
	if (rc == -ECANCELED && err->code == 0)
		sn_err_set(err, rc, "broken off");
	return rc;
}

/* What is told about it --------------------------------------------------------------------- */

static int write_index(const char *dir, const struct sn_dump_day *day, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(dir, SN_DUMP_INDEX);
	char text[SN_DUMP_DAY_SIZE], time[SN_TIME_TEXT_MAX];
	struct sn_buf out = {0};
	struct sn_jw jw;
	int rc;

	sn_jw_init(&jw, &out);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "day", sn_dump_day_text(day->day, text));
	sn_jw_ku64(&jw, "revision", day->revision);
	sn_jw_kcstr(&jw, "made", sn_format_time(day->made_ns, time, sizeof(time)));
	sn_jw_ku64(&jw, "rows_of_day", day->rows);
	sn_jw_key(&jw, "files");
	sn_jw_array(&jw);
	for (size_t i = 0; i < day->count; i++) {
		const struct sn_dump_file *file = &day->files[i];

		sn_buf_addc(&out, '\n'); /* a line each: people look at it, too */
		sn_jw_object(&jw);
		sn_jw_kcstr(&jw, "dataset", file->dataset);
		sn_jw_kcstr(&jw, "format", file->form);
		sn_jw_kcstr(&jw, "file", file->name);
		sn_jw_ku64(&jw, "bytes", file->bytes);
		sn_jw_ku64(&jw, "rows", file->rows);
		sn_jw_kcstr(&jw, "sha256", file->sha256);
		sn_jw_object_end(&jw);
	}
	sn_jw_array_end(&jw);
	sn_jw_object_end(&jw);
	sn_buf_addc(&out, '\n');
	rc = sn_fs_write_atomic(path, out.p, out.n, 0644, err);
	sn_buf_finish(&out);
	return rc;
}

static int write_sums(const char *dir, const struct sn_dump_day *day, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(dir, SN_DUMP_SUMS);
	struct sn_buf out = {0};
	int rc;

	for (size_t i = 0; i < day->count; i++)
		sn_buf_addf(&out, "%s  %s\n", day->files[i].sha256, day->files[i].name);
	rc = sn_fs_write_atomic(path, out.p, out.n, 0644, err);
	sn_buf_finish(&out);
	return rc;
}

static bool same_files(const struct sn_dump_day *a, const struct sn_dump_day *b)
{
	if (a == NULL || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->files[i].name, b->files[i].name) != 0 ||
		    strcmp(a->files[i].sha256, b->files[i].sha256) != 0)
			return false;
	return true;
}

/* A day -------------------------------------------------------------------------------------- */

static int put_in_place(const struct sn_dump_plan *plan, const char *dir,
			const struct sn_dump_day *made, struct sn_err *err)
{
	if (write_sums(dir, made, err) != 0 || write_index(dir, made, err) != 0 ||
	    sn_fs_sync_dir(dir, err) != 0)
		return err->code;
	return sn_dump_dir_swap(plan->dir, made->day, err);
}

static int keep_before(const struct sn_dump_plan *plan, const char *dir,
		       const struct sn_dump_day *before, struct sn_dump_day *made,
		       struct sn_err *err)
{
	sn_autofree char *path = sn_dump_path(plan->dir, made->day);

	sn_fs_remove_tree(dir, NULL);
	made->revision = before->revision;
	made->made_ns = before->made_ns;
	return write_index(path, made, err) == 0 ? 1 : err->code;
}

int sn_dump_make(const struct sn_dump_plan *plan, struct sn_store *store, int32_t day,
		 uint64_t rows, const struct sn_dump_day *before, struct sn_dump_day *made,
		 struct sn_err *err)
{
	sn_autofree char *dir = sn_dump_dir_new(plan->dir, day);
	int rc;

	*made = (struct sn_dump_day){
		.day = day,
		.revision = before != NULL ? before->revision + 1 : 1,
		.rows = rows,
		.made_ns = plan->now_ns,
	};
	sn_fs_remove_tree(dir, NULL);
	rc = sn_fs_mkdirs(dir, 0755, err);
	if (rc == 0)
		rc = dump_datasets(plan, store, dir, made, err);
	if (rc == 0 && same_files(before, made))
		return keep_before(plan, dir, before, made, err);
	if (rc == 0)
		rc = put_in_place(plan, dir, made, err);
	if (rc != 0) {
		sn_fs_remove_tree(dir, NULL);
		sn_dump_day_finish(made);
	}
	return rc;
}
