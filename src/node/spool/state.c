/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "node/spool/spool.h"

/* Numbers stay below this, so that neither JSON integers nor additions overflow. */
#define NUMBER_MAX (INT64_MAX / 2)

static int get_number(const json_t *json, const char *key, uint64_t *value, struct sn_err *err)
{
	int64_t number;
	int error = sn_json_get_i64(json, key, &number, err);

	if (error != 0)
		return error;
	if (number < 0 || number > NUMBER_MAX)
		return sn_err_set(err, -ERANGE, "'%s' is out of range", key);
	*value = (uint64_t)number;
	return 0;
}

static int take_stream(const json_t *json, const char *key, char out[SN_SPOOL_STREAM_SIZE],
		       struct sn_err *err)
{
	uint8_t bytes[(SN_SPOOL_STREAM_SIZE - 1) / 2];
	const char *stream;
	int error = sn_json_get_str(json, key, &stream, err);

	if (error != 0)
		return error;
	if (sn_unhex(sn_str(stream), bytes, sizeof(bytes)) != 0)
		return sn_err_set(err, -EINVAL, "'%s' is not 32 hex digits", key);
	memcpy(out, stream, SN_SPOOL_STREAM_SIZE);
	return 0;
}

static int take_new_stream(const json_t *json, struct sn_spool_state *state, struct sn_err *err)
{
	int error;

	state->new_stream[0] = '\0';
	state->new_from = 0;
	if (json_object_get(json, "new_stream") == NULL)
		return 0;
	error = take_stream(json, "new_stream", state->new_stream, err);
	return error != 0 ? error : get_number(json, "new_from", &state->new_from, err);
}

int sn_spool_state_parse(const void *data, size_t size, struct sn_spool_state *state,
			 struct sn_err *err)
{
	sn_autojson json_t *json = NULL;
	int error;

	if (size > SN_SPOOL_STATE_FILE_MAX)
		return sn_err_set(err, -EFBIG, "larger than %d bytes", SN_SPOOL_STATE_FILE_MAX);
	json = sn_json_parse(data, size, err);
	if (json == NULL)
		return -EINVAL;
	error = take_stream(json, "stream", state->stream, err);
	if (error == 0)
		error = get_number(json, "next_batch", &state->next_batch, err);
	if (error == 0)
		error = get_number(json, "next_row", &state->next_row, err);
	if (error == 0)
		error = take_new_stream(json, state, err);
	return error;
}

void sn_spool_state_format(const struct sn_spool_state *state, struct sn_buf *out)
{
	struct sn_jw jw;

	sn_jw_init(&jw, out);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "stream", state->stream);
	sn_jw_ku64(&jw, "next_batch", state->next_batch);
	sn_jw_ku64(&jw, "next_row", state->next_row);
	if (state->new_stream[0] != '\0') {
		sn_jw_kcstr(&jw, "new_stream", state->new_stream);
		sn_jw_ku64(&jw, "new_from", state->new_from);
	}
	sn_jw_object_end(&jw);
	sn_buf_addc(out, '\n');
}

/* File names ---------------------------------------------------------------------- */

static bool is_dataset_name(struct sn_str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9' && i > 0) &&
		    !(c == '_' && i > 0))
			return false;
	}
	return text.n > 0 && text.n <= 40;
}

static int take_number(struct sn_str text, uint64_t min, uint64_t max, uint64_t *value)
{
	return text.p == NULL ? -EINVAL : sn_parse_u64(text, min, max, value);
}

static int take_dataset(struct sn_str text, char out[SN_SPOOL_DATASET_TEXT_MAX])
{
	struct sn_str name;
	uint64_t version;

	if (!sn_str_split(&text, '-', &name) || !is_dataset_name(name) ||
	    take_number(text, 1, UINT32_MAX, &version) != 0)
		return -EINVAL;
	snprintf(out, SN_SPOOL_DATASET_TEXT_MAX, "%.*s/%" PRIu64, (int)name.n, name.p, version);
	return 0;
}

static int take_parts(struct sn_str rest, struct sn_spool_name *name)
{
	struct sn_str seq, dataset, first;
	uint64_t rows;

	if (!sn_str_split(&rest, '.', &seq) || take_number(seq, 0, NUMBER_MAX, &name->seq) != 0)
		return -EINVAL;
	if (!sn_str_split(&rest, '.', &dataset) || take_dataset(dataset, name->dataset) != 0)
		return -EINVAL;
	if (!sn_str_split(&rest, '+', &first) ||
	    take_number(first, 0, NUMBER_MAX, &name->first_row) != 0 ||
	    take_number(rest, 1, SN_SPOOL_BATCH_ROWS, &rows) != 0)
		return -EINVAL;
	name->rows = (uint32_t)rows;
	return 0;
}

int sn_spool_name_parse(const char *file, struct sn_spool_name *name)
{
	char again[SN_SPOOL_NAME_TEXT_MAX];

	if (take_parts(sn_str(file), name) != 0)
		return -EINVAL;
	/* One batch, one name: a file is found again by writing its name anew. */
	sn_spool_name_format(name, again, sizeof(again));
	return strcmp(again, file) == 0 ? 0 : -EINVAL;
}

void sn_spool_name_format(const struct sn_spool_name *name, char *out, size_t size)
{
	const char *slash = strchr(name->dataset, '/');

	snprintf(out, size, "%012" PRIu64 ".%.*s-%s.%" PRIu64 "+%" PRIu32, name->seq,
		 (int)(slash - name->dataset), name->dataset, slash + 1, name->first_row,
		 name->rows);
}
