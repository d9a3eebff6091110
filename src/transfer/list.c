/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/list.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/json_read.h"

enum state {
	STATE_START, /* nothing but blanks yet */
	STATE_WORD,  /* null */
	STATE_FIRST, /* behind [ */
	STATE_ENTRY, /* inside one */
	STATE_AFTER, /* behind one */
	STATE_NEXT,  /* behind a comma */
	STATE_END,
};

struct sn_math_list_reader {
	sn_math_entry_fn *fn;
	sn_math_refused_fn *refused;
	void *ctx;
	enum state state;
	bool in_string, escaped;
	unsigned depth;     /* of braces inside the entry */
	struct sn_buf text; /* the entry so far */
	struct sn_buf path; /* decoded */
	size_t count;
};

/* Writing ------------------------------------------------------------------------- */

void sn_math_list_write(struct sn_buf *out, const struct sn_math_entry *entry, bool detailed,
			bool first)
{
	if (!first)
		sn_buf_addc(out, ',');
	sn_buf_adds(out, detailed ? "{\"path\":\"" : "\"");
	sn_json_escape(out, entry->path);
	sn_buf_addc(out, '"');
	if (!detailed)
		return;
	sn_buf_adds(out, ",\"size\":");
	sn_buf_add_u64(out, entry->size);
	sn_buf_addf(out, ",\"mtime\":%lld.%09lld", (long long)(entry->mtime_ns / SN_NS_PER_S),
		    (long long)(entry->mtime_ns % SN_NS_PER_S));
	if (entry->sha256[0] != '\0')
		sn_buf_addf(out, ",\"sha256\":\"%s\"", entry->sha256);
	sn_buf_addc(out, '}');
}

/* One entry ----------------------------------------------------------------------- */

static int read_digest(struct sn_str text, struct sn_math_entry *entry)
{
	uint8_t bytes[32];

	if (sn_unhex(text, bytes, sizeof(bytes)) != 0)
		return -EINVAL;
	sn_hex(bytes, sizeof(bytes), entry->sha256);
	return 0;
}

static int read_size(struct sn_str text, struct sn_math_entry *entry)
{
	if (sn_parse_u64(text, 0, SN_MATH_FILE_MAX, &entry->size) != 0)
		return -EINVAL;
	entry->detailed = true;
	return 0;
}

static int read_mtime(struct sn_str text, struct sn_math_entry *entry)
{
	double seconds;

	if (sn_parse_double(text, 0, 9e9, &seconds) != 0)
		return -EINVAL;
	entry->mtime_ns = (int64_t)(seconds * 1e9);
	return 0;
}

static bool is_null(struct sn_str text)
{
	return sn_str_eqc(text, "null");
}

/* A member that is not ours is skipped; one that is there has to make sense. */
static int read_member(struct sn_math_list_reader *reader, struct sn_jr *jr, struct sn_str name,
		       struct sn_math_entry *entry)
{
	static const struct {
		const char *name;
		bool text;
		int (*read)(struct sn_str text, struct sn_math_entry *entry);
	} members[] = {
		{"size", false, read_size},
		{"mtime", false, read_mtime},
		{"sha256", true, read_digest},
	};
	struct sn_str value;
	int rc;

	if (sn_str_eqc(name, "path")) {
		rc = sn_jr_at(jr, '"') ? sn_jr_string(jr, &value) : -EINVAL;
		if (rc != 0)
			return rc;
		sn_buf_clear(&reader->path);
		sn_buf_add(&reader->path, value.p, value.n);
		entry->path = sn_buf_str(&reader->path);
		return 0;
	}
	for (size_t i = 0; i < SN_COUNT(members); i++) {
		if (!sn_str_eqc(name, members[i].name))
			continue;
		rc = members[i].text && sn_jr_at(jr, '"') ? sn_jr_string(jr, &value)
							  : sn_jr_skip(jr, &value);
		return rc != 0 || is_null(value) ? rc : members[i].read(value, entry);
	}
	return sn_jr_skip(jr, &value);
}

static int read_object(struct sn_math_list_reader *reader, struct sn_jr *jr,
		       struct sn_math_entry *entry)
{
	char name[16];
	struct sn_str text;

	sn_jr_take(jr, '{');
	sn_jr_blanks(jr);
	if (sn_jr_take(jr, '}'))
		return -EINVAL;
	do {
		sn_jr_blanks(jr);
		if (!sn_jr_at(jr, '"') || sn_jr_string(jr, &text) != 0)
			return -EINVAL;
		/* Kept, as the value may take the place of what it was decoded into. */
		snprintf(name, sizeof(name), "%.*s", (int)SN_MIN(text.n, sizeof(name)), text.p);
		sn_jr_blanks(jr);
		if (!sn_jr_take(jr, ':'))
			return -EINVAL;
		sn_jr_blanks(jr);
		if (read_member(reader, jr, sn_str(name), entry) != 0)
			return -EINVAL;
		sn_jr_blanks(jr);
	} while (sn_jr_take(jr, ','));
	return sn_jr_take(jr, '}') && entry->path.p != NULL ? 0 : -EINVAL;
}

static int read_entry(struct sn_math_list_reader *reader, struct sn_math_entry *entry)
{
	struct sn_err reason = {0};
	struct sn_jr jr = {.start = reader->text.p,
			   .p = reader->text.p,
			   .end = reader->text.p + reader->text.n,
			   .err = &reason};
	struct sn_str path;
	int rc = -EINVAL;

	if (sn_jr_at(&jr, '{')) {
		rc = read_object(reader, &jr, entry);
	} else if (sn_jr_at(&jr, '"') && sn_jr_string(&jr, &path) == 0) {
		sn_buf_clear(&reader->path);
		sn_buf_add(&reader->path, path.p, path.n);
		entry->path = sn_buf_str(&reader->path);
		rc = 0;
	}
	if (rc == 0 && jr.p != jr.end)
		rc = -EINVAL;
	sn_buf_finish(&jr.decoded);
	return rc;
}

static int give_entry(struct sn_math_list_reader *reader, struct sn_err *err)
{
	struct sn_math_entry entry = {0};
	struct sn_err reason = {0};

	if (++reader->count > SN_MATH_ENTRIES_MAX)
		return sn_err_set(err, -E2BIG, "the list has more than %d entries",
				  SN_MATH_ENTRIES_MAX);
	if (read_entry(reader, &entry) != 0)
		return sn_err_set(err, -EINVAL,
				  "entry %zu of the list is neither a path nor an object with one",
				  reader->count);
	if (sn_math_path_check(entry.path, &reason) != 0) {
		if (reader->refused == NULL)
			return sn_err_set(err, -EINVAL, "entry %zu of the list: %.300s",
					  reader->count, reason.text);
		reader->refused(reason.text, reader->ctx);
		return 0;
	}
	sn_buf_clear(&reader->text);
	return reader->fn(&entry, reader->ctx);
}

/* The array around them ------------------------------------------------------------- */

struct sn_math_list_reader *sn_math_list_reader_create(sn_math_entry_fn *fn,
						       sn_math_refused_fn *refused, void *ctx)
{
	struct sn_math_list_reader *reader = sn_new(struct sn_math_list_reader);

	reader->fn = fn;
	reader->refused = refused;
	reader->ctx = ctx;
	return reader;
}

void sn_math_list_reader_destroy(struct sn_math_list_reader *reader)
{
	if (reader == NULL)
		return;
	sn_buf_finish(&reader->text);
	sn_buf_finish(&reader->path);
	free(reader);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int no_list(struct sn_err *err)
{
	return sn_err_set(err, -EINVAL, "the answer is not a list of files as JSON");
}

/* Of an entry: 1 when it is over with this byte. */
static int take_byte(struct sn_math_list_reader *reader, char c, struct sn_err *err)
{
	if (reader->text.n >= SN_MATH_ENTRY_MAX)
		return sn_err_set(err, -E2BIG, "entry %zu of the list is longer than %d bytes",
				  reader->count + 1, SN_MATH_ENTRY_MAX);
	sn_buf_addc(&reader->text, c);
	if (reader->in_string) {
		if (reader->escaped)
			reader->escaped = false;
		else if (c == '\\')
			reader->escaped = true;
		else if (c == '"')
			reader->in_string = false;
		return !reader->in_string && reader->depth == 0;
	}
	if (c == '"')
		reader->in_string = true;
	else if (c == '{' || c == '[')
		reader->depth++;
	else if (c == '}' || c == ']')
		return --reader->depth == 0;
	return 0;
}

static int begin_entry(struct sn_math_list_reader *reader, char c, struct sn_err *err)
{
	if (c != '"' && c != '{')
		return no_list(err);
	sn_buf_clear(&reader->text);
	reader->in_string = reader->escaped = false;
	reader->depth = 0;
	reader->state = STATE_ENTRY;
	return take_byte(reader, c, err);
}

static int take_word(struct sn_math_list_reader *reader, char c, struct sn_err *err)
{
	static const char word[] = "null";

	if (reader->text.n >= strlen(word) || c != word[reader->text.n])
		return no_list(err);
	sn_buf_addc(&reader->text, c);
	reader->state = reader->text.n == strlen(word) ? STATE_END : STATE_WORD;
	return 0;
}

static int take(struct sn_math_list_reader *reader, char c, struct sn_err *err)
{
	int rc;

	if (reader->state == STATE_ENTRY) {
		rc = take_byte(reader, c, err);
		if (rc <= 0)
			return rc;
		reader->state = STATE_AFTER;
		return give_entry(reader, err);
	}
	if (reader->state == STATE_WORD)
		return take_word(reader, c, err);
	if (is_blank(c))
		return 0;
	switch (reader->state) {
	case STATE_START:
		if (c == '[') {
			reader->state = STATE_FIRST;
			return 0;
		}
		return take_word(reader, c, err);
	case STATE_FIRST:
	case STATE_AFTER:
		if (c == ']')
			reader->state = STATE_END;
		else if (reader->state == STATE_FIRST)
			return begin_entry(reader, c, err);
		else if (c == ',')
			reader->state = STATE_NEXT;
		else
			return no_list(err);
		return 0;
	case STATE_NEXT:
		return begin_entry(reader, c, err);
	default:
		return no_list(err);
	}
}

int sn_math_list_reader_feed(struct sn_math_list_reader *reader, struct sn_str piece,
			     struct sn_err *err)
{
	for (size_t i = 0; i < piece.n; i++) {
		int rc = take(reader, piece.p[i], err);

		if (rc != 0)
			return rc;
	}
	return 0;
}

int sn_math_list_reader_end(struct sn_math_list_reader *reader, struct sn_err *err)
{
	return reader->state == STATE_END ? 0 : no_list(err);
}

size_t sn_math_list_reader_count(const struct sn_math_list_reader *reader)
{
	return reader->count;
}
