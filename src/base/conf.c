/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/fs.h"
#include "base/mem.h"

/* Scalars ------------------------------------------------------------------------ */

struct unit {
	uint64_t factor;
	const char *text;
};

/* Largest first; the first that divides a value writes it exactly. */
static const struct unit durations[] = {
	{3600000000000, "h"}, {60000000000, "m"}, {1000000000, "s"},
	{1000000, "ms"},      {1000, "us"},       {1, "ns"},
};
static const struct unit sizes[] = {
	{1ULL << 40, "TiB"}, {1000000000000, "TB"}, {1ULL << 30, "GiB"}, {1000000000, "GB"},
	{1ULL << 20, "MiB"}, {1000000, "MB"},       {1ULL << 10, "KiB"}, {1000, "kB"},
};
static const struct unit rates[] = {{1000000000, "Gbit"}, {1000000, "Mbit"}, {1000, "kbit"}};

static void print_scaled(uint64_t value, const struct unit *units, size_t count, struct sn_buf *out)
{
	for (size_t i = 0; i < count && value != 0; i++) {
		if (value % units[i].factor == 0) {
			sn_buf_addf(out, "%" PRIu64 "%s", value / units[i].factor, units[i].text);
			return;
		}
	}
	sn_buf_add_u64(out, value);
}

static void *member(const struct sn_conf_key *key, const void *conf)
{
	return (char *)(uintptr_t)conf + key->offset;
}

static void print_text(const void *value, struct sn_buf *out)
{
	sn_buf_adds(out, *(char *const *)value);
}

static void print_bool(const void *value, struct sn_buf *out)
{
	sn_buf_adds(out, *(const bool *)value ? "true" : "false");
}

static void print_u64(const void *value, struct sn_buf *out)
{
	sn_buf_add_u64(out, *(const uint64_t *)value);
}

static void print_double(const void *value, struct sn_buf *out)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, *(const double *)value);
		if (strtod(text, NULL) == *(const double *)value)
			break;
	}
	sn_buf_adds(out, text);
}

static void print_duration(const void *value, struct sn_buf *out)
{
	print_scaled((uint64_t) * (const int64_t *)value, durations, SN_COUNT(durations), out);
}

static void print_size(const void *value, struct sn_buf *out)
{
	print_scaled(*(const uint64_t *)value, sizes, SN_COUNT(sizes), out);
}

static void print_rate(const void *value, struct sn_buf *out)
{
	print_scaled(*(const uint64_t *)value, rates, SN_COUNT(rates), out);
}

static bool limited(const struct sn_conf_key *key)
{
	return key->min != 0 || key->max != 0;
}

static int check_range(const struct sn_conf_key *key, uint64_t value)
{
	return limited(key) && (value < key->min || value > key->max) ? -ERANGE : 0;
}

/* What could not be printed back, or not be held in a C string, is no text. */
static bool is_text(struct sn_str text)
{
	yaml_event_t event;

	if (text.n == 0)
		return true;
	if (memchr(text.p, '\0', text.n) != NULL ||
	    !yaml_scalar_event_initialize(&event, NULL, NULL, (const unsigned char *)text.p,
					  (int)text.n, 1, 1, YAML_ANY_SCALAR_STYLE))
		return false;
	yaml_event_delete(&event);
	return true;
}

static int read_text(const struct sn_conf_key *key SN_UNUSED, struct sn_str text, void *value)
{
	if (!is_text(text))
		return -EINVAL;
	free(*(char **)value);
	*(char **)value = text.n > 0 ? sn_xstrndup(text.p, text.n) : sn_xstrdup("");
	return 0;
}

static int read_bool(const struct sn_conf_key *key SN_UNUSED, struct sn_str text, void *value)
{
	return sn_parse_bool(text, value);
}

static int read_u64(const struct sn_conf_key *key, struct sn_str text, void *value)
{
	return limited(key) ? sn_parse_u64(text, key->min, key->max, value)
			    : sn_parse_u64(text, 0, UINT64_MAX, value);
}

static int read_double(const struct sn_conf_key *key, struct sn_str text, void *value)
{
	return limited(key) ? sn_parse_double(text, (double)key->min, (double)key->max, value)
			    : sn_parse_double(text, -1e308, 1e308, value);
}

static int read_duration(const struct sn_conf_key *key, struct sn_str text, void *value)
{
	int64_t ns;
	int error = sn_parse_duration(text, &ns);

	if (error == 0)
		error = check_range(key, (uint64_t)ns);
	if (error == 0)
		*(int64_t *)value = ns;
	return error;
}

static int read_scaled(const struct sn_conf_key *key, struct sn_str text, uint64_t *value,
		       int (*parse)(struct sn_str text, uint64_t *value))
{
	uint64_t number;
	int error = parse(text, &number);

	if (error == 0)
		error = check_range(key, number);
	if (error == 0)
		*value = number;
	return error;
}

static int read_size(const struct sn_conf_key *key, struct sn_str text, void *value)
{
	return read_scaled(key, text, value, sn_parse_size);
}

static int read_rate(const struct sn_conf_key *key, struct sn_str text, void *value)
{
	return read_scaled(key, text, value, sn_parse_rate);
}

static const struct {
	const char *expected;
	int (*read)(const struct sn_conf_key *key, struct sn_str text, void *value);
	void (*print)(const void *value, struct sn_buf *out);
	void (*print_limit)(const void *value, struct sn_buf *out);
} types[] = {
	[SN_CONF_TEXT] = {"a text", read_text, print_text, NULL},
	[SN_CONF_BOOL] = {"true or false", read_bool, print_bool, NULL},
	[SN_CONF_U64] = {"a whole number", read_u64, print_u64, print_u64},
	[SN_CONF_DOUBLE] = {"a number", read_double, print_double, print_u64},
	[SN_CONF_DURATION] = {"a time like 250ms, 10s or 1h30m", read_duration, print_duration,
			      print_duration},
	[SN_CONF_SIZE] = {"a size like 64kB, 10MB or 2GiB", read_size, print_size, print_size},
	[SN_CONF_RATE] = {"a rate like 500kbit or 20Mbit", read_rate, print_rate, print_rate},
	[SN_CONF_TEXTS] = {"a list of texts", NULL, NULL, NULL},
};

static int value_error(const struct sn_conf_key *key, struct sn_str text, int error,
		       struct sn_err *err)
{
	struct sn_buf limits = {0};

	if (error != -ERANGE)
		return sn_err_set(err, error, "key '%s': '%.*s' is not %s", key->name,
				  (int)SN_MIN(text.n, (size_t)60), text.p,
				  types[key->type].expected);
	if (limited(key)) {
		types[key->type].print_limit(&key->min, &limits);
		sn_buf_adds(&limits, " to ");
		types[key->type].print_limit(&key->max, &limits);
	}
	sn_err_set(err, error, "key '%s': '%.*s' is out of range%s%s%s", key->name,
		   (int)SN_MIN(text.n, (size_t)60), text.p, limits.n > 0 ? " (allowed: " : "",
		   sn_buf_cstr(&limits), limits.n > 0 ? ")" : "");
	sn_buf_finish(&limits);
	return error;
}

static void texts_clear(struct sn_conf_texts *texts)
{
	for (unsigned i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct sn_conf_texts){0};
}

static int texts_add(const struct sn_conf_key *key, struct sn_conf_texts *texts, struct sn_str text,
		     struct sn_err *err)
{
	if (texts->count >= SN_CONF_TEXTS_MAX)
		return sn_err_set(err, -E2BIG, "key '%s': more than %d entries", key->name,
				  SN_CONF_TEXTS_MAX);
	if (!is_text(text))
		return value_error(key, text, -EINVAL, err);
	texts->items = sn_xrealloc(texts->items, texts->count + 1, sizeof(*texts->items));
	texts->items[texts->count++] = sn_xstrndup(text.p, text.n);
	return 0;
}

/* A list written in one text, as on the command line: parts between commas. */
static int texts_set(const struct sn_conf_key *key, struct sn_conf_texts *texts, struct sn_str text,
		     struct sn_err *err)
{
	struct sn_conf_texts fresh = {0};
	struct sn_str part;
	int error = 0;

	while (error == 0 && text.n > 0 && sn_str_split(&text, ',', &part)) {
		part = sn_str_trim(part);
		if (part.n > 0)
			error = texts_add(key, &fresh, part, err);
	}
	if (error != 0) {
		texts_clear(&fresh);
		return error;
	}
	texts_clear(texts);
	*texts = fresh;
	return 0;
}

static int set_value(const struct sn_conf_key *key, void *conf, struct sn_str text,
		     struct sn_err *err)
{
	int error;

	if (key->type == SN_CONF_TEXTS)
		return texts_set(key, member(key, conf), text, err);
	error = types[key->type].read(key, text, member(key, conf));
	return error == 0 ? 0 : value_error(key, text, error, err);
}

/* Keys --------------------------------------------------------------------------- */

static const struct sn_conf_key *find_key(const struct sn_conf_schema *schema, struct sn_str name)
{
	for (size_t i = 0; i < schema->key_count; i++) {
		if (sn_str_eqc(name, schema->keys[i].name))
			return &schema->keys[i];
	}
	return NULL;
}

static int unknown_key(const struct sn_conf_schema *schema, struct sn_str name, struct sn_err *err)
{
	sn_autofree char *word = sn_xstrndup(name.p, SN_MIN(name.n, (size_t)60));
	sn_autofree const char **names = sn_new_n(const char *, schema->key_count + 1);
	const char *near;

	for (size_t i = 0; i < schema->key_count; i++)
		names[i] = schema->keys[i].name;
	near = sn_suggest(word, names, schema->key_count);
	if (near != NULL)
		return sn_err_set(err, -EINVAL, "unknown key '%s' (did you mean '%s'?)", word,
				  near);
	return sn_err_set(err, -EINVAL, "unknown key '%s' (see %s --print-config)", word,
			  schema->program);
}

int sn_conf_defaults(const struct sn_conf_schema *schema, void *conf, struct sn_err *err)
{
	int error = 0;

	for (size_t i = 0; i < schema->key_count && error == 0; i++) {
		const struct sn_conf_key *key = &schema->keys[i];

		if (key->default_text != NULL)
			error = set_value(key, conf, sn_str(key->default_text), err);
	}
	if (error != 0)
		sn_conf_release(schema, conf);
	return error;
}

int sn_conf_set(const struct sn_conf_schema *schema, void *conf, const char *name,
		struct sn_str text, struct sn_err *err)
{
	const struct sn_conf_key *key = find_key(schema, sn_str(name));

	if (key == NULL)
		return unknown_key(schema, sn_str(name), err);
	return set_value(key, conf, text, err);
}

void sn_conf_release(const struct sn_conf_schema *schema, void *conf)
{
	for (size_t i = 0; i < schema->key_count; i++) {
		const struct sn_conf_key *key = &schema->keys[i];

		if (key->type == SN_CONF_TEXT)
			free(*(char **)member(key, conf));
		else if (key->type == SN_CONF_TEXTS)
			texts_clear(member(key, conf));
	}
	memset(conf, 0, schema->struct_size);
}

/* The YAML side: one mapping of scalars and lists of scalars ----------------------- */

struct reader {
	const struct sn_conf_schema *schema;
	void *conf;
	struct sn_err *err;
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	size_t line;        /* where it stands, from 1 */
	bool *given;        /* per key */
};

/* Puts the place before the reason that is in reader->err; returns its code. */
static int at_line(struct reader *reader)
{
	return sn_err_wrap(reader->err, "line %zu", reader->line);
}

static int next_event(struct reader *reader)
{
	const char *problem;

	yaml_event_delete(&reader->event);
	if (yaml_parser_parse(&reader->parser, &reader->event)) {
		reader->line = reader->event.start_mark.line + 1;
		return 0;
	}
	memset(&reader->event, 0, sizeof(reader->event));
	reader->line = reader->parser.problem_mark.line + 1;
	problem = reader->parser.problem != NULL ? reader->parser.problem : "unreadable";
	if (reader->parser.error == YAML_READER_ERROR)
		return sn_err_set(reader->err, -EINVAL, "byte %zu: %s",
				  reader->parser.problem_offset, problem);
	sn_err_set(reader->err, -EINVAL, "%s (column %zu)", problem,
		   reader->parser.problem_mark.column + 1);
	return at_line(reader);
}

static struct sn_str scalar(const struct reader *reader)
{
	return (struct sn_str){(const char *)reader->event.data.scalar.value,
			       reader->event.data.scalar.length};
}

static bool is_null(struct sn_str text)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

	for (size_t i = 0; i < SN_COUNT(nulls); i++) {
		if (sn_str_eqc(text, nulls[i]))
			return true;
	}
	return false;
}

static int read_list(struct reader *reader, const struct sn_conf_key *key)
{
	struct sn_conf_texts *texts = member(key, reader->conf);
	int error;

	texts_clear(texts);
	for (;;) {
		error = next_event(reader);
		if (error != 0 || reader->event.type == YAML_SEQUENCE_END_EVENT)
			return error;
		if (reader->event.type != YAML_SCALAR_EVENT) {
			sn_err_set(reader->err, -EINVAL, "key '%s': an entry is not a text",
				   key->name);
			return at_line(reader);
		}
		error = texts_add(key, texts, scalar(reader), reader->err);
		if (error != 0)
			return at_line(reader);
	}
}

static int read_scalar(struct reader *reader, const struct sn_conf_key *key)
{
	struct sn_str text = scalar(reader);
	int error;

	if (reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && is_null(text)) {
		sn_err_set(reader->err, -EINVAL,
			   "key '%s' has no value (leave the line out for the default)", key->name);
		return at_line(reader);
	}
	if (key->type == SN_CONF_TEXTS) { /* one text is a list of one */
		texts_clear(member(key, reader->conf));
		error = texts_add(key, member(key, reader->conf), text, reader->err);
	} else {
		error = set_value(key, reader->conf, text, reader->err);
	}
	return error == 0 ? 0 : at_line(reader);
}

static int read_value(struct reader *reader, const struct sn_conf_key *key)
{
	int error = next_event(reader);

	if (error != 0)
		return error;
	if (reader->event.type == YAML_SCALAR_EVENT)
		return read_scalar(reader, key);
	if (reader->event.type == YAML_SEQUENCE_START_EVENT && key->type == SN_CONF_TEXTS)
		return read_list(reader, key);
	sn_err_set(reader->err, -EINVAL, "key '%s': must be %s", key->name,
		   types[key->type].expected);
	return at_line(reader);
}

static int read_pair(struct reader *reader)
{
	const struct sn_conf_key *key;
	size_t index;

	if (reader->event.type != YAML_SCALAR_EVENT) {
		sn_err_set(reader->err, -EINVAL, "a key must be a plain word");
		return at_line(reader);
	}
	key = find_key(reader->schema, scalar(reader));
	if (key == NULL) {
		unknown_key(reader->schema, scalar(reader), reader->err);
		return at_line(reader);
	}
	index = (size_t)(key - reader->schema->keys);
	if (reader->given[index]) {
		sn_err_set(reader->err, -EINVAL, "key '%s' is given twice", key->name);
		return at_line(reader);
	}
	reader->given[index] = true;
	return read_value(reader, key);
}

static int read_mapping(struct reader *reader)
{
	int error;

	if (reader->event.type != YAML_MAPPING_START_EVENT) {
		sn_err_set(reader->err, -EINVAL, "must be a list of 'key: value' lines");
		return at_line(reader);
	}
	for (;;) {
		error = next_event(reader);
		if (error != 0 || reader->event.type == YAML_MAPPING_END_EVENT)
			return error;
		error = read_pair(reader);
		if (error != 0)
			return error;
	}
}

/* Until the wanted kind of event; a document that is empty has none. */
static int read_stream(struct reader *reader)
{
	int error = next_event(reader); /* stream start */

	if (error == 0)
		error = next_event(reader);
	if (error != 0 || reader->event.type == YAML_STREAM_END_EVENT)
		return error;

	error = next_event(reader); /* behind document start */
	if (error == 0 && !(reader->event.type == YAML_SCALAR_EVENT && scalar(reader).n == 0))
		error = read_mapping(reader);
	if (error == 0)
		error = next_event(reader); /* document end */
	if (error == 0)
		error = next_event(reader);
	if (error == 0 && reader->event.type != YAML_STREAM_END_EVENT) {
		sn_err_set(reader->err, -EINVAL, "a second document begins");
		return at_line(reader);
	}
	return error;
}

static int check_required(const struct reader *reader)
{
	for (size_t i = 0; i < reader->schema->key_count; i++) {
		const struct sn_conf_key *key = &reader->schema->keys[i];

		if (key->default_text == NULL && !key->optional && !reader->given[i])
			return sn_err_set(reader->err, -EINVAL, "key '%s' is missing (%s)",
					  key->name, key->help);
	}
	return 0;
}

int sn_conf_load_text(const struct sn_conf_schema *schema, const char *name, struct sn_str yaml,
		      void *conf, struct sn_err *err)
{
	struct sn_err ignored = {0};
	struct reader reader = {.schema = schema, .conf = conf, .err = err ? err : &ignored};
	int error = sn_conf_defaults(schema, conf, reader.err);

	if (error != 0)
		return error;
	if (!yaml_parser_initialize(&reader.parser))
		abort(); /* only for want of memory */
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)yaml.p, yaml.n);
	reader.given = sn_new_n(bool, schema->key_count + 1);

	error = read_stream(&reader);
	if (error == 0)
		error = check_required(&reader);

	free(reader.given);
	yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	if (error != 0) {
		sn_conf_release(schema, conf);
		sn_err_wrap(reader.err, "cannot use '%s'", name);
	}
	return error;
}

int sn_conf_load(const struct sn_conf_schema *schema, const char *path, void *conf,
		 struct sn_err *err)
{
	struct sn_buf text = {0};
	int error = sn_fs_read(path, SN_CONF_FILE_MAX, &text, err);

	if (error == 0)
		error = sn_conf_load_text(schema, path, sn_buf_str(&text), conf, err);
	sn_buf_finish(&text);
	return error;
}

/* Printing ------------------------------------------------------------------------ */

static int write_out(void *out, unsigned char *text, size_t size)
{
	sn_buf_add(out, text, size);
	return 1;
}

static void emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
	if (!made || !yaml_emitter_emit(emitter, event))
		abort(); /* only for want of memory: is_text() has seen each value */
}

static void emit_text(yaml_emitter_t *emitter, struct sn_str text)
{
	yaml_event_t event;

	emit(emitter, &event,
	     yaml_scalar_event_initialize(
		     &event, NULL, NULL, (const unsigned char *)text.p, (int)text.n, 1, 1,
		     is_null(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE));
}

static void emit_list(yaml_emitter_t *emitter, const struct sn_conf_texts *texts)
{
	yaml_event_t event;

	emit(emitter, &event,
	     yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
						  YAML_BLOCK_SEQUENCE_STYLE));
	for (unsigned i = 0; i < texts->count; i++)
		emit_text(emitter, sn_str(texts->items[i]));
	emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static void emit_key(yaml_emitter_t *emitter, const struct sn_conf_key *key, const void *conf)
{
	struct sn_buf text = {0};

	if (key->type == SN_CONF_TEXT && *(char **)member(key, conf) == NULL)
		return; /* not given is said by leaving it out */
	emit_text(emitter, sn_str(key->name));
	if (key->type == SN_CONF_TEXTS) {
		emit_list(emitter, member(key, conf));
		return;
	}
	types[key->type].print(member(key, conf), &text);
	emit_text(emitter, sn_buf_str(&text));
	sn_buf_finish(&text);
}

void sn_conf_print(const struct sn_conf_schema *schema, const void *conf, struct sn_buf *out)
{
	yaml_emitter_t emitter;
	yaml_event_t event;

	if (!yaml_emitter_initialize(&emitter))
		abort();
	yaml_emitter_set_output(&emitter, write_out, out);
	yaml_emitter_set_width(&emitter, -1);
	yaml_emitter_set_unicode(&emitter, 1);

	emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	emit(&emitter, &event,
	     yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
	for (size_t i = 0; i < schema->key_count; i++)
		emit_key(&emitter, &schema->keys[i], conf);
	emit(&emitter, &event, yaml_mapping_end_event_initialize(&event));
	emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1));
	emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
	yaml_emitter_delete(&emitter);
}
