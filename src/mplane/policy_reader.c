/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/policy_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Errors -------------------------------------------------------------------------- */

int sn_policy_at_line(struct sn_policy_reader *reader)
{
	return sn_err_wrap(reader->err, "line %u", reader->line);
}

int sn_policy_unknown(struct sn_policy_reader *reader, const char *what, struct sn_str text,
		      const char *const *names, size_t count)
{
	sn_autofree char *word = sn_xstrndup(text.p, SN_MIN(text.n, (size_t)60));
	const char *near = sn_suggest(word, names, count);

	if (near != NULL)
		sn_err_set(reader->err, -EINVAL, "unknown %s '%s' (did you mean '%s'?)", what, word,
			   near);
	else
		sn_err_set(reader->err, -EINVAL, "unknown %s '%s'", what, word);
	return sn_policy_at_line(reader);
}

int sn_policy_no_good(struct sn_policy_reader *reader, struct sn_str text, const char *reason)
{
	sn_err_set(reader->err, -EINVAL, "'%.*s' %s", (int)SN_MIN(text.n, (size_t)80), text.p,
		   reason);
	return sn_policy_at_line(reader);
}

/* Events -------------------------------------------------------------------------- */

static int parser_error(struct sn_policy_reader *reader)
{
	const char *problem = reader->parser.problem, *context = reader->parser.context;
	bool alias = context != NULL && strstr(context, "alias") != NULL;

	memset(&reader->event, 0, sizeof(reader->event));
	reader->line = (unsigned)reader->parser.problem_mark.line + 1;
	if (reader->parser.error == YAML_READER_ERROR)
		return sn_err_set(reader->err, -EINVAL, "byte %zu: %s",
				  reader->parser.problem_offset,
				  problem != NULL ? problem : "unreadable");
	sn_err_set(reader->err, -EINVAL, "%s%s", problem != NULL ? problem : "unreadable",
		   alias ? " (a star stands in quotes: \"*\")" : "");
	return sn_policy_at_line(reader);
}

int sn_policy_next(struct sn_policy_reader *reader)
{
	yaml_event_delete(&reader->event);
	if (!yaml_parser_parse(&reader->parser, &reader->event))
		return parser_error(reader);
	reader->line = (unsigned)reader->event.start_mark.line + 1;
	if (reader->event.type == YAML_ALIAS_EVENT) {
		sn_err_set(reader->err, -EINVAL,
			   "aliases are not used here (a star stands in quotes: \"*\")");
		return sn_policy_at_line(reader);
	}
	return 0;
}

struct sn_str sn_policy_scalar(const struct sn_policy_reader *reader)
{
	if (reader->event.type != YAML_SCALAR_EVENT)
		return SN_STR("");
	return sn_str_trim((struct sn_str){(const char *)reader->event.data.scalar.value,
					   reader->event.data.scalar.length});
}

/* A text that a policy may have: trimmed, not empty, without control characters. */
static int check_text(struct sn_policy_reader *reader, struct sn_str text)
{
	if (text.n == 0)
		return sn_policy_no_good(reader, text, "is empty");
	if (text.n >= SN_POLICY_TEXT_MAX)
		return sn_policy_no_good(reader, text, "is too long");
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return sn_policy_no_good(reader, text, "has control characters in it");
	}
	return 0;
}

static int take_text(struct sn_policy_reader *reader, sn_policy_item_fn *take)
{
	struct sn_str text = sn_policy_scalar(reader);
	int error = check_text(reader, text);

	return error != 0 ? error : take(reader, text);
}

int sn_policy_read_texts(struct sn_policy_reader *reader, const char *key, sn_policy_item_fn *take)
{
	int error = sn_policy_next(reader);
	size_t count = 0;

	if (error != 0)
		return error;
	if (reader->event.type == YAML_SCALAR_EVENT)
		return take_text(reader, take);
	if (reader->event.type != YAML_SEQUENCE_START_EVENT) {
		sn_err_set(reader->err, -EINVAL, "'%s' must be a text or a list of texts", key);
		return sn_policy_at_line(reader);
	}
	while ((error = sn_policy_next(reader)) == 0 &&
	       reader->event.type != YAML_SEQUENCE_END_EVENT) {
		if (reader->event.type != YAML_SCALAR_EVENT) {
			sn_err_set(reader->err, -EINVAL, "'%s': an entry is not a text", key);
			return sn_policy_at_line(reader);
		}
		if (++count > SN_POLICY_LIST_MAX) {
			sn_err_set(reader->err, -E2BIG, "'%s': more than %d entries", key,
				   SN_POLICY_LIST_MAX);
			return sn_policy_at_line(reader);
		}
		error = take_text(reader, take);
		if (error != 0)
			return error;
	}
	return error;
}

int sn_policy_read_text(struct sn_policy_reader *reader, const char *key, struct sn_str *text)
{
	int error = sn_policy_next(reader);

	if (error != 0)
		return error;
	if (reader->event.type != YAML_SCALAR_EVENT) {
		sn_err_set(reader->err, -EINVAL, "'%s' must be one text", key);
		return sn_policy_at_line(reader);
	}
	*text = sn_policy_scalar(reader);
	return check_text(reader, *text);
}

/* Mappings ------------------------------------------------------------------------ */

static int read_key(struct sn_policy_reader *reader, const struct sn_policy_key *keys, size_t count,
		    unsigned *given)
{
	const char *names[16];
	struct sn_str name = sn_policy_scalar(reader);

	if (reader->event.type != YAML_SCALAR_EVENT) {
		sn_err_set(reader->err, -EINVAL, "a key must be a plain word");
		return sn_policy_at_line(reader);
	}
	for (size_t i = 0; i < count; i++) {
		names[i] = keys[i].name;
		if (!sn_str_eqc(name, keys[i].name))
			continue;
		if ((*given >> i & 1) != 0) {
			sn_err_set(reader->err, -EINVAL, "'%s' is given twice", keys[i].name);
			return sn_policy_at_line(reader);
		}
		*given |= 1U << i;
		return keys[i].read(reader);
	}
	return sn_policy_unknown(reader, "key", name, names, count);
}

int sn_policy_read_mapping(struct sn_policy_reader *reader, const struct sn_policy_key *keys,
			   size_t count)
{
	unsigned given = 0;
	int error;

	if (reader->event.type != YAML_MAPPING_START_EVENT) {
		sn_err_set(reader->err, -EINVAL, "must be a list of 'key: value' lines");
		return sn_policy_at_line(reader);
	}
	while ((error = sn_policy_next(reader)) == 0 &&
	       reader->event.type != YAML_MAPPING_END_EVENT) {
		error = read_key(reader, keys, count, &given);
		if (error != 0)
			return error;
	}
	return error;
}

/* The whole ----------------------------------------------------------------------- */

void sn_policy_reader_init(struct sn_policy_reader *reader, struct sn_str yaml)
{
	if (!yaml_parser_initialize(&reader->parser))
		abort(); /* only for want of memory */
	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader->parser, (const unsigned char *)yaml.p, yaml.n);
}

void sn_policy_reader_finish(struct sn_policy_reader *reader)
{
	yaml_event_delete(&reader->event);
	yaml_parser_delete(&reader->parser);
}

int sn_policy_read_document(struct sn_policy_reader *reader, const struct sn_policy_key *keys,
			    size_t count)
{
	int error = sn_policy_next(reader); /* stream start */

	if (error == 0)
		error = sn_policy_next(reader);
	if (error != 0 || reader->event.type == YAML_STREAM_END_EVENT)
		return error;
	error = sn_policy_next(reader); /* behind document start */
	if (error == 0 &&
	    !(reader->event.type == YAML_SCALAR_EVENT && sn_policy_scalar(reader).n == 0))
		error = sn_policy_read_mapping(reader, keys, count);
	if (error == 0)
		error = sn_policy_next(reader); /* document end */
	if (error == 0)
		error = sn_policy_next(reader);
	if (error == 0 && reader->event.type != YAML_STREAM_END_EVENT) {
		sn_err_set(reader->err, -EINVAL, "a second document begins");
		return sn_policy_at_line(reader);
	}
	return error;
}
