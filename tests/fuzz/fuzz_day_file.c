/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A day file that is damaged, or made by somebody: whatever it holds, it is opened, surveyed,
 * checked, asked, salvaged and tidied, none of which may fail in another way than by an error; and
 * what is not refused takes a new batch afterwards, and gives it back.
 *
 * An input changes a sound file, which is made when the program starts: one byte for how it was
 * left (bit 0: with a journal; bit 1: it is set aside), then changes, each a byte that says which,
 * and what that takes:
 *   0  where in the file, bytes           2  which statement, which row, a number
 *   1  where in the journal, bytes        3  which statement, which row, bytes
 * After statements the checksums of blocks are put right: nothing random would have the right ones.
 */
#include <assert.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "store/block.h"
#include "store/blocks_internal.h"
#include "store/sqlite.h"
#include "store/survey.h"

#define DAY         20513 /* 2026-03-01 */
#define NAME        "2026-03-01.db"
#define START_NS    ((int64_t)DAY * SN_NS_PER_DAY)
#define LARGE       (SN_BLOCK_PIECE_ROWS + 100) /* a block of two pieces */
#define SMALL       20
#define CHANGES_MAX 16
#define TRIES_MAX   80 /* a question sets aside at most some blocks at a time */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sn_column columns[] = {
	SN_COMMON_COLUMNS,
	{"target", SN_TYPE_TEXT, "", "a text"},
	{"delay_seconds", SN_TYPE_F64, "s", "a number"},
	{"up", SN_TYPE_BOOL, "", "a truth value"},
};
static const struct sn_dataset sample = {
	.name = "sample",
	.version = 1,
	.columns = columns,
	.column_count = SN_COUNT(columns),
	.key = "target",
};

struct bytes {
	char *p;
	size_t n;
};

/* Of the file and its journal, closed and as a writer leaves them that is killed. */
static struct bytes sound[2], journal[2];
static char dir[64];

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

/* A sound file ------------------------------------------------------------------- */

static char *path_of(const char *suffix)
{
	return sn_xasprintf("%s/" NAME "%s", dir, suffix);
}

static struct bytes load(const char *suffix)
{
	sn_autofree char *path = path_of(suffix);
	struct sn_buf buf = {0};
	struct sn_err err;

	if (sn_fs_exists(path) && sn_fs_read(path, 64 << 20, &buf, &err) != 0)
		die(err.text);
	return (struct bytes){buf.p, buf.n};
}

static void save(const char *suffix, const char *p, size_t n)
{
	sn_autofree char *path = path_of(suffix);
	FILE *file = fopen(path, "w");

	if (file == NULL || (n > 0 && fwrite(p, 1, n, file) != n) || fclose(file) != 0)
		die("cannot write the file");
}

static int put(struct sn_store *store, uint64_t seq, size_t count, struct sn_err *err)
{
	struct sn_columns *rows = sn_columns_create(&sample);
	struct sn_batch_id id = {.node = "import:1", .stream = "0123", .seq = seq};
	int rc;

	for (size_t i = 0; i < count; i++) {
		int64_t n = (int64_t)(seq * 1000 + i);

		sn_columns_add_row(rows);
		sn_columns_set_time(rows, SN_COL_TIME, START_NS + n * 1000);
		sn_columns_set_text(rows, SN_COL_NODE, sn_str(n % 3 != 0 ? "a" : "another"));
		sn_columns_set_i64(rows, SN_COL_SEQ, n);
		if (n % 5 != 0)
			sn_columns_set_text(rows, SN_COL_COMMON, sn_str(n % 2 != 0 ? "x" : "y"));
		sn_columns_set_f64(rows, SN_COL_COMMON + 1, (double)n / 7);
	}
	rc = sn_store_put(store, &id, rows, err);
	sn_columns_destroy(rows);
	return rc;
}

static void empty(void)
{
	if (sn_fs_remove_tree(dir, NULL) != 0 || sn_fs_mkdirs(dir, 0700, NULL) != 0)
		die("cannot empty the directory");
}

static void finish(void)
{
	(void)sn_fs_remove_tree(dir, NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sn_store *store;
	struct sn_err err;

	(void)argc, (void)argv;
	snprintf(dir, sizeof(dir), "%s/sonde-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(dir) == NULL || atexit(finish) != 0 || sn_store_open(dir, &store, &err) != 0)
		die("cannot make a store");
	for (uint64_t seq = 0; seq < 4; seq++)
		if (put(store, seq, seq == 1 ? LARGE : SMALL, &err) != 0)
			die(err.text);
	sound[1] = load("");
	journal[1] = load("-wal");
	sn_store_close(store);
	sound[0] = load("");
	journal[0] = load("-wal");
	return 0;
}

/* Changes --------------------------------------------------------------------------- */

static void change_bytes(struct sn_rd *rd, struct bytes *bytes)
{
	size_t at = sn_rd_u32le(rd), n = sn_rd_u8(rd);
	const uint8_t *from = sn_rd_bytes(rd, n);

	if (from == NULL || bytes->n == 0)
		return;
	at %= bytes->n;
	memcpy(bytes->p + at, from, SN_MIN(n, bytes->n - at));
}

static const char *const statements[] = {
	"UPDATE _block SET first = ?2 WHERE id = ?1",
	"UPDATE _block SET rows = ?2 WHERE id = ?1",
	"UPDATE _block SET layout = ?2 WHERE id = ?1",
	"UPDATE _block SET packed = ?2 WHERE id = ?1",
	"UPDATE _block SET tier = ?2 WHERE id = ?1",
	"UPDATE _block SET time_min = ?2 WHERE id = ?1",
	"UPDATE _block SET time_max = ?2 WHERE id = ?1",
	"UPDATE _block SET bytes = ?2 WHERE id = ?1",
	"UPDATE _block SET id = ?2 WHERE id = ?1",
	"UPDATE _block SET sums = ?2 WHERE id = ?1",
	"UPDATE _column SET data = ?2 WHERE id = ?1 / 8 * 256 + ?1 % 8",
	"UPDATE _column SET id = ?2 WHERE id = ?1 / 8 * 256 + ?1 % 8",
	"UPDATE _column SET data = substr(data, 1, ?1 / 8) || ?2 WHERE id = 512 + ?1 % 8",
	"UPDATE _mark SET data = ?2 WHERE block = ?1",
	"UPDATE _mark SET data = substr(data, 1, ?1) || ?2",
	"UPDATE _layout SET columns = ?2, sum = NULL WHERE id = ?1",
	"UPDATE _layout SET columns = substr(columns, ?1), sum = NULL",
	"UPDATE _layout SET dataset = ?2, sum = NULL WHERE id = ?1",
	"UPDATE _layout SET version = ?2, sum = NULL WHERE id = ?1",
	"INSERT INTO _layout(dataset, version, columns) VALUES('sample', 1, ?2)",
	"UPDATE _number SET next = ?2",
	"UPDATE _file SET value = ?2 WHERE key = 'epoch'",
	"INSERT INTO _file VALUES('base', ?2)",
	"INSERT INTO _file VALUES('returning', ?2)",
	"UPDATE _span SET first = ?2 WHERE seq = ?1",
	"UPDATE _span SET rows = ?2 WHERE seq = ?1",
	"UPDATE _span SET seq = ?2 WHERE seq = ?1",
	"UPDATE _span SET source = ?2 WHERE seq = ?1",
	"UPDATE _batch SET rows = ?2 WHERE seq = ?1",
	"UPDATE _batch SET seq = ?2 WHERE seq = ?1",
	"UPDATE _batch SET digest = ?2 WHERE seq = ?1",
	"UPDATE _batch SET dataset = ?2 WHERE seq = ?1",
	"UPDATE _dataset SET rows = ?2",
	"UPDATE _dataset SET batches = ?2",
	"UPDATE _dataset SET dataset = ?2",
	"UPDATE _dataset SET version = ?2",
	"UPDATE _dataset SET time_min = ?2",
	"UPDATE _source SET id = ?2 WHERE id = ?1",
	"UPDATE _source SET node = ?2 WHERE id = ?1",
	"INSERT INTO _moved SELECT 'sample', 1, ?2, ?1, 1, time_min, time_max FROM _block LIMIT 1",
	"INSERT INTO _moving SELECT 'sample', 1, first, rows, ?2, ?1, ?1 FROM _block",
	"CREATE TABLE sample_1(time INTEGER, node TEXT, task TEXT, seq INTEGER, target TEXT)",
	"INSERT INTO sample_1 VALUES(?2, ?1, ?2, ?1, ?2)",
	"PRAGMA user_version = 0",
	"DROP TABLE _span",
	"DELETE FROM _column WHERE id = ?1 / 8 * 256 + ?1 % 8 AND ?2 IS NOT NULL",
};

/* Those that do not go are left out. */
static void run_statement(struct sn_rd *rd, sqlite3 *db, bool number)
{
	const char *sql = statements[sn_rd_u8(rd) % SN_COUNT(statements)];
	int64_t row = sn_rd_u8(rd);
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		return;
	sqlite3_bind_int64(statement, 1, row);
	if (number) {
		sqlite3_bind_int64(statement, 2, (int64_t)sn_rd_u64le(rd));
	} else {
		size_t n = sn_rd_u8(rd);
		const uint8_t *bytes = sn_rd_bytes(rd, n);

		if (bytes != NULL && row % 2 == 0)
			sqlite3_bind_text(statement, 2, (const char *)bytes, (int)n, NULL);
		else if (bytes != NULL)
			sqlite3_bind_blob(statement, 2, bytes, (int)n, NULL);
	}
	for (int i = 0; i < 1000 && sqlite3_step(statement) == SQLITE_ROW; i++)
		;
	sqlite3_finalize(statement);
}

/* What a block notes of itself, as whoever makes one can. */
static void seal_block(sqlite3_stmt *row, sqlite3_stmt *update)
{
	struct sn_blocks_info info = {
		.id = sqlite3_column_int64(row, 0),
		.layout = sqlite3_column_int64(row, 1),
		.first = sqlite3_column_int64(row, 2),
		.rows = (size_t)sqlite3_column_int64(row, 3),
		.time_min = sqlite3_column_int64(row, 4),
		.time_max = sqlite3_column_int64(row, 5),
		.packed = sqlite3_column_int64(row, 6) != 0,
	};
	const char *noted = sqlite3_column_blob(row, 7);
	size_t n = (size_t)sqlite3_column_bytes(row, 7);
	struct sn_buf sums = {0};
	uint32_t sum;

	if (n < sizeof(sum))
		return;
	sum = htole32(sn_block_sum(&info, noted + sizeof(sum), n - sizeof(sum)));
	sn_buf_add(&sums, &sum, sizeof(sum));
	sn_buf_add(&sums, noted + sizeof(sum), n - sizeof(sum));
	sqlite3_bind_blob(update, 1, sums.p, (int)sums.n, SQLITE_TRANSIENT);
	sqlite3_bind_int64(update, 2, info.id);
	(void)sqlite3_step(update);
	sqlite3_reset(update);
	sn_buf_finish(&sums);
}

static void seal_blocks(sqlite3 *db)
{
	sqlite3_stmt *rows = NULL, *update = NULL;

	if (sqlite3_prepare_v2(db,
			       "SELECT id, layout, first, rows, time_min, time_max, packed, sums"
			       " FROM _block NOT INDEXED LIMIT 100",
			       -1, &rows, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, "UPDATE _block SET sums = ? WHERE id = ?", -1, &update, NULL) ==
		    SQLITE_OK)
		while (sqlite3_step(rows) == SQLITE_ROW)
			seal_block(rows, update);
	sqlite3_finalize(rows);
	sqlite3_finalize(update);
}

static void run_statements(struct sn_rd *rd, unsigned changes, const char *suffix)
{
	sn_autofree char *path = path_of(suffix);
	sqlite3 *db;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
		for (; changes > 0 && sn_rd_left(rd) > 0; changes--) {
			unsigned kind = sn_rd_u8(rd);

			run_statement(rd, db, kind % 2 == 0);
		}
		seal_blocks(db);
	}
	sqlite3_close(db);
}

/* Changes of bytes first: after statements the file has another form. */
static void make_file(struct sn_rd *rd)
{
	unsigned how = sn_rd_u8(rd), changes = CHANGES_MAX;
	struct bytes from = sound[how & 1], log = journal[how & 1];
	struct bytes file = {sn_xmemdup(from.p, from.n), from.n};
	struct bytes wal = {log.n > 0 ? sn_xmemdup(log.p, log.n) : NULL, log.n};
	const char *suffix = (how & 2) != 0 ? ".corrupt" : "";
	sn_autofree char *wal_suffix = sn_xasprintf("%s-wal", suffix);

	for (; changes > 0 && sn_rd_left(rd) > 0 && rd->p[0] % 4 < 2; changes--)
		change_bytes(rd, sn_rd_u8(rd) % 4 == 0 ? &file : &wal);
	empty();
	save(suffix, file.p, file.n);
	if (wal.n > 0)
		save(wal_suffix, wal.p, wal.n);
	free(file.p);
	free(wal.p);
	if (sn_rd_left(rd) > 0)
		run_statements(rd, changes, suffix);
}

/* Use ----------------------------------------------------------------------------------- */

static int see_row(const struct sn_value *row, void *ctx)
{
	size_t *sum = ctx;

	for (size_t i = 0; i < sample.column_count; i++) {
		assert(row[i].type == SN_TYPE_NULL || row[i].type == sample.columns[i].type);
		if (row[i].type == SN_TYPE_TEXT)
			for (size_t k = 0; k < row[i].s.n; k++)
				*sum += (unsigned char)row[i].s.p[k];
	}
	return 0;
}

static int see_finding(const struct sn_store_finding *finding, void *ctx)
{
	(void)ctx;
	assert(finding->what == NULL || (finding->reason != NULL && finding->next != NULL));
	return 0;
}

static int see_day(const struct sn_survey_day *day, void *ctx)
{
	(void)ctx;
	assert(day->day.day[0] != '\0');
	return 0;
}

static int see_dataset(const struct sn_store_dataset *dataset, void *ctx)
{
	(void)dataset, (void)ctx;
	return 0;
}

static int ask(struct sn_store *store, bool newest_first, struct sn_err *err)
{
	struct sn_query query = {.dataset = &sample, .limit = 1000, .newest_first = newest_first};
	size_t sum = 0;

	query.filters[0] = (struct sn_filter){
		SN_COL_NODE, SN_EQ, (struct sn_value){.type = SN_TYPE_TEXT, .s = SN_STR("a")}};
	query.filter_count = newest_first;
	return sn_store_query(store, &query, see_row, &sum, NULL, err);
}

/* Until there is no damage left, or always the same: then the day is refused. */
static int ask_until_sound(struct sn_store *store, struct sn_err *err)
{
	int rc = -EUCLEAN;

	for (int i = 0; i < TRIES_MAX && rc == -EUCLEAN; i++) {
		rc = ask(store, i % 2 != 0, err);
		if (rc == 0)
			rc = ask(store, i % 2 == 0, err);
	}
	return rc;
}

static void look(struct sn_store *store)
{
	struct sn_store_check node;
	size_t sum = 0;

	(void)sn_survey(dir, see_day, NULL, NULL);
	(void)sn_store_check(store, false, see_finding, NULL, NULL);
	(void)sn_store_check(store, true, see_finding, NULL, NULL);
	(void)sn_store_datasets(store, see_dataset, NULL, NULL);
	(void)sn_store_check_node(store, "import:1", &node, NULL);
	(void)sn_store_latest(store, &sample, 0, see_row, &sum, NULL);
}

/* What is not refused takes new rows; damage that only shows now sets the file aside. */
static void go_on(struct sn_store *store)
{
	struct sn_store_salvage sum;
	struct sn_err err = {0};
	int rc = -EUCLEAN;

	for (int i = 0; i < 3 && rc == -EUCLEAN; i++)
		rc = put(store, 7, SMALL, &err);
	if (rc == -EUCLEAN)
		die(err.text);
	(void)sn_store_salvage(store, NULL, &sum, NULL);
	(void)sn_store_tidy(store, NULL, NULL, NULL);
	if (ask_until_sound(store, &err) == -EUCLEAN)
		die(err.text);
}

static void use(struct sn_store *store)
{
	struct sn_store_salvage sum;
	struct sn_err err = {0};
	unsigned merges;
	int rc;

	look(store);
	(void)sn_store_tidy(store, NULL, &merges, NULL);
	rc = ask_until_sound(store, &err);
	if (rc == -EUCLEAN)
		die(err.text);
	(void)sn_store_salvage(store, NULL, &sum, NULL);
	rc = ask_until_sound(store, &err);
	if (rc == -EUCLEAN)
		die(err.text);
	look(store);
	if (rc == 0)
		go_on(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_store *store;
	struct sn_rd rd;

	if (sound[0].n == 0)
		LLVMFuzzerInitialize(NULL, NULL);
	sn_rd_init(&rd, data, size);
	make_file(&rd);
	if (sn_store_open(dir, &store, NULL) != 0)
		return 0;
	use(store);
	sn_store_close(store);
	return 0;
}
