/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "quarantine"
#include "hub/quarantine.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "hub/secret.h"
#include "hub/sql.h"

#define SOURCE_MAX  160
#define DATASET_MAX 80
#define STREAM_MAX  64

struct sn_quarantine {
	pthread_mutex_t lock; /* for all below */
	struct sn_db *db;
	uint64_t bytes_max;
	struct sn_quarantine_stats stats;
};

/* The content is apart: changing the reason must not write it again. */
static const char *const migrations[] = {
	"CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL,"
	" source TEXT NOT NULL, kind TEXT NOT NULL, dataset TEXT, reason TEXT NOT NULL,"
	" stream TEXT NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL,"
	" rows INTEGER NOT NULL, bytes INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0,"
	" UNIQUE (source, kind, stream, seq, digest));"
	"CREATE INDEX item_room ON item (source, bytes, id);"
	"CREATE TABLE content (id INTEGER PRIMARY KEY REFERENCES item ON DELETE CASCADE,"
	" data BLOB NOT NULL);",
	/* Why it was not taken when it was run last; `reason` says where it came from. */
	"ALTER TABLE item ADD COLUMN again TEXT;",
};

static const char *const kind_names[] = {
	[SN_QUARANTINE_BATCH] = "batch",
	[SN_QUARANTINE_LINE] = "line",
	[SN_QUARANTINE_FILE] = "file",
};

const char *sn_quarantine_kind_name(enum sn_quarantine_kind kind)
{
	return kind_names[kind];
}

static enum sn_quarantine_kind kind_named(const char *name)
{
	for (unsigned i = 0; i < SN_COUNT(kind_names); i++) {
		if (strcmp(kind_names[i], name) == 0)
			return (enum sn_quarantine_kind)i;
	}
	return SN_QUARANTINE_FILE;
}

/* Room ------------------------------------------------------------------------ */

static void count(struct sn_quarantine *quarantine)
{
	struct sn_db *db = quarantine->db;

	quarantine->stats.items = (uint64_t)sn_sql_i64(db, 0, "SELECT count(*) FROM item", "");
	quarantine->stats.bytes =
		(uint64_t)sn_sql_i64(db, 0, "SELECT coalesce(sum(bytes), 0) FROM item", "");
}

static int drop_one(struct sn_quarantine *quarantine, struct sn_err *err)
{
	int changed = sn_db_run(quarantine->db, err,
				"DELETE FROM item WHERE id = (SELECT min(id) FROM item"
				" WHERE source = (SELECT source FROM item GROUP BY source"
				" ORDER BY sum(bytes) DESC, count(*) DESC LIMIT 1))",
				"");

	if (changed == 1)
		quarantine->stats.dropped++;
	count(quarantine);
	return changed < 0 ? changed : changed == 1 ? 0 : -ENOENT;
}

static int make_room(struct sn_quarantine *quarantine, size_t size, struct sn_err *err)
{
	int failed = 0;

	while (failed == 0 && quarantine->stats.items > 0 &&
	       (quarantine->stats.items >= SN_QUARANTINE_ITEMS_MAX ||
		quarantine->stats.bytes + size > quarantine->bytes_max))
		failed = drop_one(quarantine, err);
	return failed;
}

/* Adding ------------------------------------------------------------------------ */

/* Part of it came over the network, and all of it goes into JSON. */
static char *clean(const char *text)
{
	size_t size = strlen(text), n = 0;
	char *out = sn_xmalloc(SN_QUARANTINE_REASON_MAX + 1);

	for (size_t i = 0; i < size && n < SN_QUARANTINE_REASON_MAX;) {
		size_t length = sn_utf8_length(text + i, size - i);

		if (n + length > SN_QUARANTINE_REASON_MAX)
			break;
		if (length == 0 || (unsigned char)text[i] < 0x20)
			out[n++] = '?';
		for (size_t k = 0; k < length && (unsigned char)text[i] >= 0x20; k++)
			out[n++] = text[i + k];
		i += SN_MAX(length, (size_t)1);
	}
	out[n] = '\0';
	return out;
}

static int check_item(const struct sn_quarantine *quarantine, const struct sn_quarantine_item *item,
		      size_t size, struct sn_err *err)
{
	if (size > SN_QUARANTINE_ITEM_MAX || size > quarantine->bytes_max)
		return sn_err_set(err, -EFBIG,
				  "it has %zu bytes, and an item of the quarantine at most %d",
				  size, SN_QUARANTINE_ITEM_MAX);
	if (item->source[0] == '\0' || strlen(item->source) > SOURCE_MAX ||
	    (item->dataset != NULL && strlen(item->dataset) > DATASET_MAX) ||
	    (item->stream != NULL && strlen(item->stream) > STREAM_MAX) || item->seq > INT64_MAX ||
	    item->rows > INT64_MAX)
		return sn_err_set(err, -EINVAL, "it has no source, or too long a name");
	return 0;
}

static int insert(struct sn_quarantine *quarantine, const struct sn_quarantine_item *item,
		  const void *bytes, size_t size, const uint8_t digest[SN_SECRET_HASH_SIZE],
		  int64_t *id, struct sn_err *err)
{
	sn_autofree char *reason = clean(item->reason);
	sn_autofree char *dataset = item->dataset != NULL ? clean(item->dataset) : NULL;
	int changed;

	changed =
		sn_db_run(quarantine->db, err,
			  "INSERT INTO item (time, source, kind, dataset, reason, stream, seq,"
			  " digest, rows, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			  "itttttibii", sn_wall_ns(), item->source, kind_names[item->kind], dataset,
			  reason, item->stream != NULL ? item->stream : "", (int64_t)item->seq,
			  digest, (size_t)SN_SECRET_HASH_SIZE, (int64_t)item->rows, (int64_t)size);
	if (changed < 0)
		return changed;
	*id = sqlite3_last_insert_rowid(sn_db_handle(quarantine->db));
	changed = sn_db_run(quarantine->db, err, "INSERT INTO content VALUES (?, ?)", "ib", *id,
			    size > 0 ? bytes : "", size);
	return changed < 0 ? changed : 0;
}

static int64_t find(struct sn_quarantine *quarantine, const struct sn_quarantine_item *item,
		    const uint8_t digest[SN_SECRET_HASH_SIZE])
{
	return sn_sql_i64(quarantine->db, 0,
			  "SELECT id FROM item WHERE source = ? AND kind = ? AND stream = ?"
			  " AND seq = ? AND digest = ?",
			  "tttib", item->source, kind_names[item->kind],
			  item->stream != NULL ? item->stream : "", (int64_t)item->seq, digest,
			  (size_t)SN_SECRET_HASH_SIZE);
}

static int64_t add(struct sn_quarantine *quarantine, const struct sn_quarantine_item *item,
		   const void *bytes, size_t size, const uint8_t digest[SN_SECRET_HASH_SIZE],
		   struct sn_err *err)
{
	int64_t id = find(quarantine, item, digest);
	int failed;

	if (id > 0)
		return id;
	if (sn_db_begin(quarantine->db, err) != 0)
		return err->code;
	failed = make_room(quarantine, size, err);
	if (failed == 0)
		failed = insert(quarantine, item, bytes, size, digest, &id, err);
	if (failed != 0)
		sn_db_rollback(quarantine->db);
	else
		failed = sn_db_commit(quarantine->db, err);
	if (failed == 0)
		quarantine->stats.added++;
	count(quarantine);
	return failed == 0 ? id : failed;
}

int64_t sn_quarantine_add(struct sn_quarantine *quarantine, const struct sn_quarantine_item *item,
			  const void *bytes, size_t size, struct sn_err *err)
{
	uint8_t digest[SN_SECRET_HASH_SIZE];
	struct sn_err local = {0};
	int64_t id;

	err = err != NULL ? err : &local;
	if (check_item(quarantine, item, size, err) != 0)
		return sn_err_wrap(err, "cannot put into quarantine");
	sn_secret_hash((struct sn_str){bytes, size}, digest);
	pthread_mutex_lock(&quarantine->lock);
	id = add(quarantine, item, bytes, size, digest, err);
	pthread_mutex_unlock(&quarantine->lock);
	if (id < 0)
		return sn_err_wrap(err, "cannot put into quarantine");
	SN_LOG_LIMITED(SN_LOG_WARNING,
		       "put into quarantine id=%lld source=%s kind=%s dataset=%s reason=\"%s\"",
		       (long long)id, item->source, kind_names[item->kind],
		       item->dataset != NULL ? item->dataset : "-", item->reason);
	return id;
}

/* Reading ------------------------------------------------------------------------ */

#define SHOWN                                                                                      \
	"SELECT CAST(id AS TEXT) AS id, time AS 'time:time', source, kind, dataset,"               \
	" reason || coalesce('; when run again: ' || again, '') AS reason,"                        \
	" nullif(rows, 0) AS rows, bytes, tries FROM item "

json_t *sn_quarantine_list(struct sn_quarantine *quarantine,
			   const struct sn_quarantine_filter *filter, unsigned limit,
			   struct sn_err *err)
{
	int64_t before = filter->before > 0 ? filter->before : INT64_MAX;
	json_t *items;

	pthread_mutex_lock(&quarantine->lock);
	items = sn_sql_json(quarantine->db, err,
			    SHOWN "WHERE id < ?1 AND source = coalesce(?2, source)"
				  " AND (?3 IS NULL OR dataset = ?3 OR dataset LIKE ?3 || '/%')"
				  " AND kind = coalesce(?4, kind) ORDER BY item.id DESC LIMIT ?5",
			    "ittti", before, filter->source, filter->dataset, filter->kind,
			    (int64_t)limit);
	pthread_mutex_unlock(&quarantine->lock);
	return items;
}

json_t *sn_quarantine_json(struct sn_quarantine *quarantine, int64_t id, struct sn_err *err)
{
	json_t *items, *item = NULL;

	pthread_mutex_lock(&quarantine->lock);
	items = sn_sql_json(quarantine->db, err, SHOWN "WHERE item.id = ?", "i", id);
	pthread_mutex_unlock(&quarantine->lock);
	if (json_array_size(items) == 1)
		item = json_incref(json_array_get(items, 0));
	else if (items != NULL)
		sn_err_set(err, -ENOENT, "there is no such item in quarantine");
	json_decref(items);
	return item;
}

static char *text_of(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text != NULL && text[0] != '\0' ? sn_xstrdup(text) : NULL;
}

static void take_copy(sqlite3_stmt *row, int64_t id, struct sn_quarantine_copy *copy)
{
	copy->id = id;
	copy->source = sn_xstrdup((const char *)sqlite3_column_text(row, 0));
	copy->kind = kind_named((const char *)sqlite3_column_text(row, 1));
	copy->dataset = text_of(row, 2);
	copy->stream = text_of(row, 3);
	copy->seq = (uint64_t)sqlite3_column_int64(row, 4);
	copy->rows = (uint64_t)sqlite3_column_int64(row, 5);
	if (sqlite3_column_bytes(row, 6) == sizeof(copy->digest))
		memcpy(copy->digest, sqlite3_column_blob(row, 6), sizeof(copy->digest));
	if (sqlite3_column_bytes(row, 7) > 0)
		sn_buf_add(&copy->content, sqlite3_column_blob(row, 7),
			   (size_t)sqlite3_column_bytes(row, 7));
}

int sn_quarantine_read(struct sn_quarantine *quarantine, int64_t id,
		       struct sn_quarantine_copy *copy, struct sn_err *err)
{
	sqlite3_stmt *row;
	int got;

	memset(copy, 0, sizeof(*copy));
	pthread_mutex_lock(&quarantine->lock);
	row = sn_db_query(quarantine->db, err,
			  "SELECT source, kind, dataset, stream, seq, rows, digest, data"
			  " FROM item JOIN content USING (id) WHERE id = ?",
			  "i", id);
	got = row == NULL ? err->code : sn_db_next(quarantine->db, row, err);
	if (got == 1)
		take_copy(row, id, copy);
	if (row != NULL)
		sn_db_done(row);
	pthread_mutex_unlock(&quarantine->lock);
	if (got == 0)
		return sn_err_set(err, -ENOENT, "there is no such item in quarantine");
	return SN_MIN(got, 0);
}

void sn_quarantine_copy_finish(struct sn_quarantine_copy *copy)
{
	free(copy->source);
	free(copy->dataset);
	free(copy->stream);
	sn_buf_finish(&copy->content);
	memset(copy, 0, sizeof(*copy));
}

/* Changing ----------------------------------------------------------------------- */

int sn_quarantine_remove(struct sn_quarantine *quarantine, int64_t id, struct sn_err *err)
{
	int changed;

	pthread_mutex_lock(&quarantine->lock);
	changed = sn_db_run(quarantine->db, err, "DELETE FROM item WHERE id = ?", "i", id);
	count(quarantine);
	pthread_mutex_unlock(&quarantine->lock);
	if (changed == 0)
		return sn_err_set(err, -ENOENT, "there is no such item in quarantine");
	return SN_MIN(changed, 0);
}

int sn_quarantine_failed(struct sn_quarantine *quarantine, int64_t id, const char *reason,
			 struct sn_err *err)
{
	sn_autofree char *text = clean(reason);
	int changed;

	pthread_mutex_lock(&quarantine->lock);
	changed = sn_db_run(
		quarantine->db, err,
		"UPDATE item SET tries = tries + 1, again = nullif(?, reason) WHERE id = ?", "ti",
		text, id);
	pthread_mutex_unlock(&quarantine->lock);
	return SN_MIN(changed, 0);
}

struct sn_quarantine_stats sn_quarantine_stats(struct sn_quarantine *quarantine)
{
	struct sn_quarantine_stats stats;

	pthread_mutex_lock(&quarantine->lock);
	stats = quarantine->stats;
	pthread_mutex_unlock(&quarantine->lock);
	return stats;
}

/* Life ----------------------------------------------------------------------------- */

/* What is there may be the only copy, but whoever runs the hub can do without it. */
static int set_aside(const char *path, struct sn_err *err)
{
	sn_autofree char *aside = sn_xasprintf("%s.corrupt", path);
	sn_autofree char *journal = sn_xasprintf("%s-wal", path);
	sn_autofree char *shared = sn_xasprintf("%s-shm", path);

	sn_error("%s; it is set aside as '%s'", err->text, aside);
	if (rename(path, aside) != 0)
		return sn_err_sys(err, -errno, "cannot set '%s' aside", path);
	(void)remove(journal);
	(void)remove(shared);
	return 0;
}

int sn_quarantine_open(const char *path, uint64_t bytes_max, struct sn_quarantine **quarantine,
		       struct sn_err *err)
{
	struct sn_quarantine *made = sn_new(struct sn_quarantine);
	int failed = sn_db_open(path, migrations, SN_COUNT(migrations), &made->db, err);

	if (failed == -EUCLEAN && set_aside(path, err) == 0)
		failed = sn_db_open(path, migrations, SN_COUNT(migrations), &made->db, err);
	if (failed == 0 && chmod(path, 0600) != 0)
		failed = sn_err_sys(err, -errno, "cannot protect '%s'", path);
	if (failed != 0) {
		sn_db_close(made->db);
		free(made);
		return sn_err_wrap(err, "cannot use the quarantine");
	}
	pthread_mutex_init(&made->lock, NULL);
	made->bytes_max = bytes_max;
	count(made);
	*quarantine = made;
	return 0;
}

void sn_quarantine_close(struct sn_quarantine *quarantine)
{
	if (quarantine == NULL)
		return;
	sn_db_close(quarantine->db);
	pthread_mutex_destroy(&quarantine->lock);
	free(quarantine);
}
