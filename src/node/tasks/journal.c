/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tasks/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static const char *const final_names[] = {
	[SN_FINAL_NONE] = "",
	[SN_FINAL_DONE] = "done",
	[SN_FINAL_FAILED] = "failed",
};

/* Records ------------------------------------------------------------------------------ */

struct sn_record *sn_journal_find(const struct sn_journal *journal, const char *id)
{
	for (size_t i = 0; i < journal->count; i++) {
		if (strcmp(journal->items[i]->id, id) == 0)
			return journal->items[i];
	}
	return NULL;
}

struct sn_record *sn_journal_get(struct sn_journal *journal, const char *id, int64_t now_ns)
{
	struct sn_record *record = sn_journal_find(journal, id);

	if (record != NULL)
		return record;
	record = sn_new(struct sn_record);
	snprintf(record->id, sizeof(record->id), "%s", id);
	sn_course_begin(&record->course, now_ns);
	journal->items =
		sn_xrealloc(journal->items, journal->count + 1, sizeof(struct sn_record *));
	journal->items[journal->count++] = record;
	return record;
}

static void remove_at(struct sn_journal *journal, size_t index)
{
	free(journal->items[index]);
	journal->items[index] = journal->items[--journal->count];
}

void sn_journal_forget(struct sn_journal *journal, const char *id)
{
	for (size_t i = 0; i < journal->count; i++) {
		if (strcmp(journal->items[i]->id, id) == 0) {
			remove_at(journal, i);
			return;
		}
	}
}

void sn_journal_prune(struct sn_journal *journal)
{
	for (size_t i = journal->count; i-- > 0;) {
		if (!journal->items[i]->listed)
			remove_at(journal, i);
	}
}

void sn_journal_finish(struct sn_journal *journal)
{
	for (size_t i = 0; i < journal->count; i++)
		free(journal->items[i]);
	free(journal->items);
	*journal = (struct sn_journal){0};
}

/* As text ------------------------------------------------------------------------------ */

static void write_record(struct sn_jw *jw, const struct sn_record *record)
{
	const struct sn_course *course = &record->course;

	sn_jw_key(jw, record->id);
	sn_jw_object(jw);
	sn_jw_key(jw, "complete");
	sn_jw_array(jw);
	for (unsigned i = 0; i < course->span_count; i++) {
		sn_jw_array(jw);
		sn_jw_time(jw, course->spans[i].first_ns);
		sn_jw_time(jw, course->spans[i].last_ns);
		sn_jw_array_end(jw);
	}
	sn_jw_array_end(jw);
	sn_jw_ktime(jw, "counted", course->counted_ns);
	sn_jw_ku64(jw, "missed", course->missed);
	sn_jw_kbool(jw, "begun", record->begun);
	sn_jw_kbool(jw, "succeeded", record->succeeded);
	if (record->error[0] != '\0')
		sn_jw_kcstr(jw, "error", record->error);
	if (record->final != SN_FINAL_NONE) {
		sn_jw_kcstr(jw, "state", final_names[record->final]);
		sn_jw_ku64(jw, "behind", record->behind);
		sn_jw_kbool(jw, "reported", record->reported);
	}
	sn_jw_object_end(jw);
}

void sn_journal_format(const struct sn_journal *journal, struct sn_buf *out)
{
	struct sn_jw jw;

	sn_jw_init(&jw, out);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "stream", journal->stream);
	sn_jw_ku64(&jw, "next_batch", journal->next_batch);
	sn_jw_key(&jw, "tasks");
	sn_jw_object(&jw);
	for (size_t i = 0; i < journal->count; i++)
		write_record(&jw, journal->items[i]);
	sn_jw_object_end(&jw);
	sn_jw_object_end(&jw);
	sn_buf_addc(out, '\n');
}

/* From text ---------------------------------------------------------------------------- */

static int take_time(const json_t *json, int64_t *time_ns, struct sn_err *err)
{
	const char *text = json_string_value(json);

	if (text == NULL || sn_parse_time(sn_str(text), 0, time_ns) != 0)
		return sn_err_set(err, -EINVAL, "not a time");
	return 0;
}

static int take_u64(const json_t *object, const char *key, uint64_t *value, struct sn_err *err)
{
	int64_t number;
	int error = sn_json_get_i64(object, key, &number, err);

	if (error == 0 && number < 0)
		error = sn_err_set(err, -EINVAL, "'%s' is negative", key);
	if (error == 0)
		*value = (uint64_t)number;
	return error;
}

static int take_spans(const json_t *spans, struct sn_course *course, struct sn_err *err)
{
	size_t count = json_array_size(spans);
	int error = 0;

	if (!json_is_array(spans) || count > SN_COURSE_SPANS)
		return sn_err_set(err, -EINVAL, "'complete' is no list of at most %d spans",
				  SN_COURSE_SPANS);
	for (size_t i = 0; i < count && error == 0; i++) {
		const json_t *span = json_array_get(spans, i);
		struct sn_course_span *to = &course->spans[i];

		error = take_time(json_array_get(span, 0), &to->first_ns, err);
		if (error == 0)
			error = take_time(json_array_get(span, 1), &to->last_ns, err);
		if (error == 0 && (to->first_ns > to->last_ns ||
				   (i > 0 && to->first_ns <= course->spans[i - 1].last_ns)))
			error = sn_err_set(err, -EINVAL, "'complete' is out of order");
	}
	course->span_count = (unsigned)count;
	return error;
}

static int take_final(const json_t *json, struct sn_record *record, struct sn_err *err)
{
	const char *state;
	int error = sn_json_get_str(json, "state", &state, err);

	if (error == -ENOENT)
		return 0;
	if (error == 0)
		error = take_u64(json, "behind", &record->behind, err);
	if (error == 0)
		error = sn_json_get_bool(json, "reported", &record->reported, err);
	if (error != 0)
		return error;
	record->settled = true;
	record->final = strcmp(state, "done") == 0 ? SN_FINAL_DONE : SN_FINAL_FAILED;
	return 0;
}

static int take_record(const json_t *json, struct sn_record *record, struct sn_err *err)
{
	const char *text;
	int error = take_spans(json_object_get(json, "complete"), &record->course, err);

	if (error == 0)
		error = take_time(json_object_get(json, "counted"), &record->course.counted_ns,
				  err);
	if (error == 0)
		error = take_u64(json, "missed", &record->course.missed, err);
	if (error == 0)
		error = sn_json_get_bool(json, "begun", &record->begun, err);
	if (error == 0)
		error = sn_json_get_bool(json, "succeeded", &record->succeeded, err);
	if (error == 0 && sn_json_get_str(json, "error", &text, NULL) == 0)
		snprintf(record->error, sizeof(record->error), "%s", text);
	return error != 0 ? error : take_final(json, record, err);
}

static int take_records(json_t *tasks, struct sn_journal *journal, struct sn_err *err)
{
	const char *id;
	json_t *json;

	if (!json_is_object(tasks) || json_object_size(tasks) > SN_TASKS_MAX)
		return sn_err_set(err, -EINVAL, "'tasks' is no object of at most %d", SN_TASKS_MAX);
	json_object_foreach (tasks, id, json) {
		int error = strlen(id) < SN_TASK_ID_MAX
				    ? take_record(json, sn_journal_get(journal, id, 0), err)
				    : sn_err_set(err, -EINVAL, "the id is too long");

		if (error != 0)
			return sn_err_wrap(err, "task '%.64s'", id);
	}
	return 0;
}

int sn_journal_parse(const void *data, size_t size, struct sn_journal *journal, struct sn_err *err)
{
	sn_autojson json_t *json = NULL;
	const char *stream;
	int error;

	*journal = (struct sn_journal){0};
	json = size <= SN_JOURNAL_FILE_MAX ? sn_json_parse(data, size, err) : NULL;
	if (json == NULL)
		return size <= SN_JOURNAL_FILE_MAX ? -EINVAL
						   : sn_err_set(err, -EFBIG, "larger than %d bytes",
								SN_JOURNAL_FILE_MAX);
	error = sn_json_get_str(json, "stream", &stream, err);
	if (error == 0)
		error = take_u64(json, "next_batch", &journal->next_batch, err);
	if (error == 0)
		error = take_records(json_object_get(json, "tasks"), journal, err);
	if (error != 0) {
		sn_journal_finish(journal);
		return -EINVAL;
	}
	snprintf(journal->stream, sizeof(journal->stream), "%s", stream);
	return 0;
}
