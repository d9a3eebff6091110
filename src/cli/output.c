/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <math.h>

#include "base/json.h"

static void write_value(struct sn_jw *jw, const json_t *value);

static void write_object(struct sn_jw *jw, const json_t *object)
{
	const char *key;
	json_t *member;

	sn_jw_object(jw);
	/* Jansson's iterator takes no const. */
	json_object_foreach ((json_t *)object, key, member) {
		sn_jw_key(jw, key);
		write_value(jw, member);
	}
	sn_jw_object_end(jw);
}

static void write_value(struct sn_jw *jw, const json_t *value)
{
	/* Deeper than anything the API says. */
	if (value == NULL || jw->depth + 2 >= SN_JSON_DEPTH_MAX) {
		sn_jw_null(jw);
		return;
	}
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		write_object(jw, value);
		break;
	case JSON_ARRAY:
		sn_jw_array(jw);
		for (size_t i = 0; i < json_array_size(value); i++)
			write_value(jw, json_array_get(value, i));
		sn_jw_array_end(jw);
		break;
	case JSON_STRING:
		sn_jw_str(jw, (struct sn_str){json_string_value(value), json_string_length(value)});
		break;
	case JSON_INTEGER:
		sn_jw_i64(jw, json_integer_value(value));
		break;
	case JSON_REAL:
		sn_jw_double(jw, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		sn_jw_bool(jw, json_is_true(value));
		break;
	case JSON_NULL:
		sn_jw_null(jw);
		break;
	}
}

void sn_output_json(struct sn_buf *out, const json_t *value)
{
	struct sn_jw jw;

	sn_jw_init(&jw, out);
	write_value(&jw, value);
}

void sn_output_json_line(FILE *out, const json_t *value)
{
	struct sn_buf buf = {0};

	sn_output_json(&buf, value);
	sn_buf_addc(&buf, '\n');
	fwrite(buf.p, 1, buf.n, out);
	sn_buf_finish(&buf);
}

void sn_output_done(FILE *out, const char *key, const char *name, const char *done)
{
	struct sn_buf buf = {0};
	struct sn_jw jw;

	sn_jw_init(&jw, &buf);
	sn_jw_object(&jw);
	sn_jw_key(&jw, key);
	sn_jw_str(&jw, sn_str(name));
	sn_jw_key(&jw, done);
	sn_jw_bool(&jw, true);
	sn_jw_object_end(&jw);
	sn_buf_addc(&buf, '\n');
	fwrite(buf.p, 1, buf.n, out);
	sn_buf_finish(&buf);
}

const char *sn_output_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

double sn_output_number(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	return json_is_number(member) ? json_number_value(member) : NAN;
}

bool sn_output_time(const json_t *object, const char *key, int64_t *unix_ns)
{
	const char *text = sn_output_text(object, key);

	return text != NULL && sn_parse_time(sn_str(text), 0, unix_ns) == 0;
}

char *sn_output_texts(const json_t *array)
{
	struct sn_buf buf = {0};

	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (text == NULL)
			continue;
		sn_buf_adds(&buf, buf.n > 0 ? ", " : "");
		sn_buf_adds(&buf, text);
	}
	sn_buf_cstr(&buf);
	return buf.p;
}
