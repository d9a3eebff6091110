/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "tasks"
#include "node/tasks/recover.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "data/codec.h"

/* Most batches are of other tasks, which is seen without reading each row. */
static bool mentions(struct sn_str text, const char *id)
{
	struct sn_buf quoted = {0};
	bool found;

	sn_buf_addc(&quoted, '"');
	sn_json_escape(&quoted, sn_str(id));
	sn_buf_addc(&quoted, '"');
	found = memmem(text.p, text.n, quoted.p, quoted.n) != NULL;
	sn_buf_finish(&quoted);
	return found;
}

static bool mentions_any(struct sn_str text, const struct sn_recovered *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (mentions(text, items[i].id))
			return true;
	}
	return false;
}

static void take_row(const struct sn_batch *row, struct sn_recovered *items, size_t count)
{
	const struct sn_value *task = sn_batch_get(row, 0, SN_COL_TASK);
	const struct sn_value *time = sn_batch_get(row, 0, SN_COL_TIME);

	if (task->type != SN_TYPE_TEXT || time->type != SN_TYPE_TIME)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!sn_str_eqc(task->s, items[i].id))
			continue;
		if (!items[i].found || time->i > items[i].latest_ns)
			items[i].latest_ns = time->i;
		items[i].found = true;
	}
}

static const struct sn_dataset *dataset_of(const struct sn_spool *spool,
					   const struct sn_spool_batch *batch)
{
	const char *label = sn_spool_dataset(spool, batch);
	char name[SN_SPOOL_DATASET_TEXT_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(label, "/"), label);
	return sn_catalog_find(name);
}

static void look_into(const struct sn_dataset *dataset, struct sn_str text,
		      struct sn_recovered *items, size_t count)
{
	struct sn_batch *row = sn_batch_create(dataset);
	struct sn_str line;

	while (sn_str_split(&text, '\n', &line)) {
		sn_batch_clear(row);
		if (line.n > 0 && sn_jsonl_read_row(row, line, NULL) == 0)
			take_row(row, items, count);
	}
	sn_batch_destroy(row);
}

void sn_recover(const struct sn_spool *spool, uint64_t from, struct sn_recovered *items,
		size_t count)
{
	const struct sn_spool_batch *batch;
	struct sn_buf text = {0};

	for (; count > 0 && (batch = sn_spool_next(spool, from)) != NULL; from = batch->seq + 1) {
		const struct sn_dataset *dataset = dataset_of(spool, batch);
		struct sn_err err = {0};

		sn_buf_clear(&text);
		if (dataset == NULL || dataset == &sn_dataset_health)
			continue;
		if (sn_spool_read(spool, batch, &text, &err) != 0)
			sn_warn("%s", err.text);
		else if (mentions_any(sn_buf_str(&text), items, count))
			look_into(dataset, sn_buf_str(&text), items, count);
	}
	sn_buf_finish(&text);
}
