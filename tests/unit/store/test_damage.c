/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are really damaged: what is handed out is right, what is whole is handed out. */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "unit/store/world.h"

#include "base/clock.h"
#include "base/rand.h"
#include "store/blocks.h"
#include "store/sqlite.h"

#define TRIALS 200
#define LARGE  (SN_BLOCK_PIECE_ROWS + 500) /* rows of a block of two pieces */
#define SMALL  30
#define SMALLS 20
#define ROWS   (LARGE + SMALLS * SMALL)
#define DAY    "2026-03-01"
#define FILE_1 DAY ".db"

/* Row n is always the same. */
static void set_row(struct sn_columns *rows, int64_t n)
{
	char text[32];

	sn_columns_add_row(rows);
	sn_columns_set_time(rows, SN_COL_TIME, DAY_1 + n * 1000 + n % 7);
	snprintf(text, sizeof(text), "node%d", (int)(n / 50 % 9));
	sn_columns_set_text(rows, SN_COL_NODE, sn_str(text));
	sn_columns_set_i64(rows, SN_COL_SEQ, n);
	sn_columns_set_i64(rows, COUNT, n);
	sn_columns_set_f64(rows, DELAY, (double)(n * 7919 % 10007) / 1000);
	sn_columns_set_bool(rows, UP, n % 3 == 0);
	snprintf(text, sizeof(text), "target %d", (int)(n * 31 % 997));
	sn_columns_set_text(rows, TARGET, sn_str(text));
	if (n % 5 != 0)
		sn_columns_set_time(rows, LAST_TIME, DAY_1 - n * 13);
}

static struct sn_columns *make_rows(int64_t first, size_t count)
{
	struct sn_columns *rows = sn_columns_create(&sample);

	for (size_t i = 0; i < count; i++)
		set_row(rows, first + (int64_t)i);
	return rows;
}

static void put(struct world *world, uint64_t seq, int64_t first, size_t count)
{
	struct sn_columns *rows = make_rows(first, count);
	struct sn_batch_id id = batch_id(seq);

	id.node = "import:1";
	if (sn_store_put(world->store, &id, rows, &world->err) != 0)
		fail_msg("%s", world->err.text);
	sn_columns_destroy(rows);
}

/* A large block, and small ones. */
static void put_all(struct world *world)
{
	put(world, 0, 0, LARGE);
	for (int i = 0; i < SMALLS; i++)
		put(world, (uint64_t)i + 1, LARGE + i * SMALL, SMALL);
}

/* What is handed out ------------------------------------------------------------- */

struct seen {
	bool rows[ROWS];
	size_t count;
	bool wrong, twice;
};

static bool is_same(struct sn_value a, struct sn_value b)
{
	if (a.type != b.type)
		return false;
	if (a.type == SN_TYPE_TEXT)
		return sn_str_eq(a.s, b.s);
	if (a.type == SN_TYPE_F64)
		return memcmp(&a.f, &b.f, sizeof(a.f)) == 0;
	if (a.type == SN_TYPE_BOOL)
		return a.b == b.b;
	return a.type == SN_TYPE_NULL || a.i == b.i;
}

static int see(const struct sn_value *row, void *ctx)
{
	static struct sn_columns *rows;
	struct sn_value right[SN_COUNT(sample_columns)];
	struct seen *seen = ctx;
	int64_t n = row[COUNT].i;

	if (row[COUNT].type != SN_TYPE_I64 || n < 0 || n >= ROWS) {
		seen->wrong = true;
		return 0;
	}
	rows = rows != NULL ? rows : make_rows(0, ROWS);
	sn_columns_row(rows, (size_t)n, right);
	for (size_t i = 0; i < SN_COUNT(right); i++)
		seen->wrong |= !is_same(row[i], right[i]);
	seen->twice |= seen->rows[n];
	seen->count += !seen->rows[n];
	seen->rows[n] = true;
	return 0;
}

static int query(struct world *world, struct seen *seen)
{
	struct sn_query all = {.dataset = &sample, .limit = SN_QUERY_LIMIT_MAX};

	memset(seen, 0, sizeof(*seen));
	return sn_store_query(world->store, &all, see, seen, NULL, &world->err);
}

static size_t count_missing(const struct seen *before, const struct seen *after)
{
	size_t missing = 0;

	for (size_t i = 0; i < ROWS; i++)
		missing += before->rows[i] && !after->rows[i];
	return missing;
}

/* Findings ------------------------------------------------------------------------ */

struct findings {
	unsigned count;
	char first[512];
	uint64_t done, total;
};

static int note_finding(const struct sn_store_finding *finding, void *ctx)
{
	struct findings *findings = ctx;

	assert_true(finding->done >= findings->done);
	findings->done = finding->done;
	findings->total = finding->total;
	if (finding->what == NULL)
		return 0;
	assert_non_null(finding->reason);
	assert_non_null(finding->next);
	if (findings->count++ == 0)
		snprintf(findings->first, sizeof(findings->first), "%s: %s", finding->what,
			 finding->reason);
	return 0;
}

static struct findings check(struct world *world, bool deep)
{
	struct findings findings = {.count = 0};

	if (sn_store_check(world->store, deep, note_finding, &findings, &world->err) != 0)
		fail_msg("%s", world->err.text);
	return findings;
}

static void sound_store_has_no_findings(void **state)
{
	struct world *world = *state;
	struct findings findings;

	assert_int_equal(check(world, true).count, 0);
	put_all(world);
	add_row(world->batch, DAY_1 + DAY_NS, "a", 0);
	store_batch(world);
	assert_int_equal(check(world, false).count, 0);
	assert_int_equal(sn_store_tidy(world->store, NULL, NULL, NULL), 0);
	findings = check(world, true);
	if (findings.count != 0)
		fail_msg("%s", findings.first);
	assert_true(findings.total > 0 && findings.done >= findings.total);
}

static int stop_at_once(const struct sn_store_finding *finding, void *ctx)
{
	(void)finding;
	++*(int *)ctx;
	return 1;
}

static void check_ends_when_told(void **state)
{
	struct world *world = *state;
	int calls = 0;

	put_all(world);
	assert_int_equal(sn_store_check(world->store, true, stop_at_once, &calls, &world->err),
			 -ECANCELED);
	assert_int_equal(calls, 1);
}

static void change(struct world *world, const char *sql)
{
	sn_autofree char *path = file_path(world, FILE_1);
	struct sn_err err;
	struct sn_db *db;

	if (sn_db_open_reader(path, &db, &err) != 0 ||
	    sn_db_exec(db, "PRAGMA query_only = OFF", &err) != 0 || sn_db_exec(db, sql, &err) != 0)
		fail_msg("%s", err.text);
	sn_db_close(db);
}

static void accounts_that_do_not_agree_are_found(void **state)
{
	static const char *const damages[] = {
		"DELETE FROM _batch WHERE seq = 3",
		"DELETE FROM _span WHERE seq = 2",
		"DELETE FROM _block WHERE id = 5",
	};
	struct world *world = *state;

	put_all(world);
	sn_store_close(world->store);
	for (size_t i = 0; i < SN_COUNT(damages); i++) {
		unsigned before;

		world_open(world);
		before = check(world, false).count;
		sn_store_close(world->store);
		change(world, damages[i]);
		world_open(world);
		assert_true(check(world, false).count > before);
		sn_store_close(world->store);
	}
	world_open(world);
}

/* Blocks ---------------------------------------------------------------------------- */

/* A byte of the second piece of a column of the large block. */
#define DAMAGE_PIECE                                                                               \
	"UPDATE _column SET data = substr(data, 1, length(data) - 40) || zeroblob(40)"             \
	" WHERE id = 256 + 5"

static void whole_pieces_of_a_damaged_block_stay(void **state)
{
	struct world *world = *state;
	static struct seen seen;
	struct findings findings;

	put_all(world);
	world_reopen(world);
	sn_store_close(world->store);
	change(world, DAMAGE_PIECE);
	world_open(world);
	findings = check(world, true);
	assert_int_equal(findings.count, 1);
	assert_non_null(strstr(findings.first, "block 1"));
	assert_int_equal(query(world, &seen), -EUCLEAN);
	assert_non_null(strstr(world->err.text, "day " DAY ": dataset 'sample': block 1: column "));
	assert_non_null(strstr(world->err.text, "it was set aside"));
	assert_int_equal(seen.count, ROWS - 500);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(query(world, &seen), 0);
		assert_int_equal(seen.count, ROWS - 500);
		assert_false(seen.wrong || seen.twice);
		assert_int_equal(sn_store_tidy(world->store, NULL, NULL, NULL), 0);
	}
	findings = check(world, true);
	assert_int_equal(findings.count, 1);
	assert_non_null(strstr(findings.first, "500 rows of dataset 'sample' cannot be read"));
}

static void tidying_sets_damaged_blocks_aside_and_goes_on(void **state)
{
	struct world *world = *state;
	static struct seen seen;

	put_all(world);
	sn_store_close(world->store);
	change(world, "UPDATE _column SET data = zeroblob(length(data)) WHERE id / 256 = 7");
	world_open(world);
	assert_int_equal(sn_store_tidy(world->store, NULL, NULL, &world->err), -EUCLEAN);
	assert_non_null(strstr(world->err.text, "block 7"));
	assert_int_equal(sn_store_tidy(world->store, NULL, NULL, &world->err), 0);
	assert_int_equal(query(world, &seen), 0);
	assert_int_equal(seen.count, ROWS - SMALL);
}

/* Files ------------------------------------------------------------------------------- */

struct bytes {
	char *p;
	size_t n;
};

static struct bytes load(struct world *world, const char *name)
{
	sn_autofree char *path = file_path(world, name);
	struct sn_buf buf = {0};

	if (sn_fs_read(path, 64 << 20, &buf, &world->err) != 0)
		fail_msg("%s", world->err.text);
	return (struct bytes){buf.p, buf.n};
}

static void save(struct world *world, const char *name, const struct bytes *bytes)
{
	sn_autofree char *path = file_path(world, name);

	assert_int_equal(sn_fs_write_atomic(path, bytes->p, bytes->n, 0600, NULL), 0);
}

static void empty(struct world *world)
{
	sn_fs_remove_tree(world->dir, NULL);
	assert_int_equal(sn_fs_mkdirs(world->dir, 0700, NULL), 0);
}

/* SQLite finds this page to be none, so that all of the file is set aside. */
static void break_page(struct bytes *bytes, size_t page)
{
	memset(bytes->p + page * 16384, 0x5a, 16384);
}

static size_t rows_after_damage(struct world *world, const char *sql)
{
	static struct seen seen;
	int rc;

	sn_store_close(world->store);
	change(world, sql);
	world_open(world);
	rc = query(world, &seen);
	for (int i = 0; i < 5 && rc == -EUCLEAN; i++)
		rc = query(world, &seen);
	if (rc != 0)
		fail_msg("%s", world->err.text);
	assert_false(seen.wrong || seen.twice);
	return seen.count;
}

static void blocks_whose_columns_are_not_known_are_told_once(void **state)
{
	struct world *world = *state;

	put_all(world);
	assert_int_equal(rows_after_damage(world, "UPDATE _layout SET columns = 'time time\n',"
						  " sum = NULL"),
			 0);
	assert_int_equal(check(world, true).count, 1);
	/* New rows do not care. */
	put(world, 100, 0, SMALL);
	assert_int_equal(rows_after_damage(world, "SELECT 1"), SMALL);
}

static void damaged_checksum_of_known_columns_is_put_right(void **state)
{
	struct world *world = *state;

	put(world, 0, 0, SMALL);
	sn_store_close(world->store);
	change(world, "UPDATE _layout SET sum = sum + 1");
	world_open(world);
	put(world, 1, SMALL, SMALL);
	assert_int_equal(rows_after_damage(world, "SELECT 1"), 2 * SMALL);
}

static void rows_without_columns_do_not_come_back(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = file_path(world, FILE_1);
	sn_autofree char *aside = file_path(world, FILE_1 ".corrupt");
	struct sn_store_salvage sum;

	put_all(world);
	sn_store_close(world->store);
	change(world, "UPDATE _layout SET columns = '', sum = NULL");
	assert_int_equal(rename(path, aside), 0);
	world_open(world);
	assert_int_equal(sn_store_salvage(world->store, NULL, &sum, &world->err), 0);
	assert_int_equal(sum.rows, 0);
	assert_int_equal(sum.lost_rows, ROWS);
}

static void file_whose_next_number_is_taken_is_followed_by_another(void **state)
{
	static const char *const damages[] = {"UPDATE _number SET next = 1",
					      "UPDATE _number SET next = 9223372036854775800"};
	struct world *world = *state;
	struct sn_store_salvage sum;
	struct sn_columns *rows = make_rows(SMALL, SMALL);
	struct sn_batch_id id = batch_id(1);

	id.node = "import:1";
	for (size_t i = 0; i < SN_COUNT(damages); i++) {
		sn_store_close(world->store);
		empty(world);
		world_open(world);
		put(world, 0, 0, SMALL);
		sn_store_close(world->store);
		change(world, damages[i]);
		world_open(world);
		assert_int_equal(sn_store_put(world->store, &id, rows, &world->err), -EUCLEAN);
		assert_non_null(strstr(world->err.text, "number of the next row"));
		assert_int_equal(sn_store_put(world->store, &id, rows, &world->err), 0);
		assert_int_equal(sn_store_salvage(world->store, NULL, &sum, &world->err), 0);
		assert_int_equal(sum.rows, SMALL);
		assert_int_equal(rows_after_damage(world, "SELECT 1"), 2 * SMALL);
	}
	sn_columns_destroy(rows);
}

static void file_of_a_wrong_version_is_set_aside_and_comes_back(void **state)
{
	struct world *world = *state;
	struct sn_columns *rows = make_rows(SMALL, SMALL);
	struct sn_batch_id id = batch_id(1);
	struct sn_store_salvage sum;

	id.node = "import:1";
	put(world, 0, 0, SMALL);
	sn_store_close(world->store);
	change(world, "PRAGMA user_version = 1");
	world_open(world);
	assert_int_equal(sn_store_put(world->store, &id, rows, &world->err), -EUCLEAN);
	assert_int_equal(sn_store_put(world->store, &id, rows, &world->err), 0);
	assert_int_equal(sn_store_salvage(world->store, NULL, &sum, &world->err), 0);
	assert_int_equal(rows_after_damage(world, "SELECT 1"), 2 * SMALL);
	sn_columns_destroy(rows);
}

static void file_that_lost_a_table_is_set_aside_and_does_not_end_the_day(void **state)
{
	static const struct {
		const char *name;
		bool needed; /* to take back rows */
	} tables[] = {
		{"_source", true}, {"_batch", true},  {"_dataset", true}, {"_layout", true},
		{"_block", true},  {"_column", true}, {"_number", false}, {"_mark", false},
		{"_aside", false}, {"_file", false},  {"_span", true},    {"_moving", true},
		{"_moved", false},
	};
	struct world *world = *state;
	static struct seen seen;
	char sql[128];

	for (size_t i = 0; i < SN_COUNT(tables); i++) {
		struct sn_store_salvage sum;

		put(world, 0, 0, SMALL);
		sn_store_close(world->store);
		snprintf(sql, sizeof(sql), "PRAGMA foreign_keys = OFF; DROP TABLE %s",
			 tables[i].name);
		change(world, sql);
		world_open(world);
		assert_int_equal(check(world, false).count, 1);
		assert_int_equal(query(world, &seen), -EUCLEAN);
		assert_non_null(strstr(world->err.text, tables[i].name));
		put(world, 1, SMALL, SMALL);
		assert_int_equal(sn_store_salvage(world->store, NULL, &sum, &world->err), 0);
		assert_int_equal(query(world, &seen), 0);
		assert_int_equal(seen.count, tables[i].needed ? SMALL : 2 * SMALL);
		sn_store_close(world->store);
		empty(world);
		world_open(world);
	}
}

/* Damage to a name in the schema, which SQLite does not notice. */
static void file_of_which_a_column_has_another_name_is_set_aside(void **state)
{
	static const char *const changes[] = {
		"ALTER TABLE _moved RENAME COLUMN block TO bloc0",
		"ALTER TABLE _aside RENAME COLUMN reason TO season",
		"ALTER TABLE _dataset RENAME COLUMN batches TO bat",
		"ALTER TABLE _block RENAME COLUMN sums TO sum",
		"PRAGMA user_version = 2",
	};
	struct world *world = *state;
	static struct seen seen;

	for (size_t i = 0; i < SN_COUNT(changes); i++) {
		put(world, 0, 0, SMALL);
		sn_store_close(world->store);
		change(world, changes[i]);
		world_open(world);
		assert_int_equal(check(world, true).count, 1);
		assert_int_equal(query(world, &seen), -EUCLEAN);
		assert_int_equal(query(world, &seen), 0);
		sn_store_close(world->store);
		empty(world);
		world_open(world);
	}
}

static void table_that_goes_while_the_file_is_open_is_missed(void **state)
{
	struct world *world = *state;
	static struct seen seen;

	put(world, 0, 0, LARGE);
	assert_int_equal(query(world, &seen), 0);
	change(world, "DROP TABLE _mark");
	assert_int_equal(query(world, &seen), -EUCLEAN);
	assert_int_equal(query(world, &seen), 0);
	put(world, 1, LARGE, SMALL);
}

static void no_file_that_was_set_aside_is_overwritten(void **state)
{
	struct world *world = *state;
	struct sn_columns *rows = make_rows(SMALL, SMALL);
	struct sn_batch_id id = batch_id(1);
	struct bytes bytes = {.p = sn_xstrdup("kept"), .n = 4}, last;
	char name[64] = FILE_1 ".corrupt";

	put(world, 0, 0, SMALL);
	sn_store_close(world->store);
	change(world, "PRAGMA user_version = 1");
	for (int i = 2; i <= 101; i++) {
		save(world, name, &bytes);
		snprintf(name, sizeof(name), FILE_1 ".corrupt.%d", i);
	}
	world_open(world);
	assert_int_equal(sn_store_put(world->store, &id, rows, &world->err), -EMFILE);
	assert_non_null(strstr(world->err.text, "100 files of the day"));
	last = load(world, FILE_1 ".corrupt.100");
	assert_int_equal(last.n, 4);
	free(last.p);
	free(bytes.p);
	sn_columns_destroy(rows);
}

static void what_is_whole_of_a_file_comes_back_once(void **state)
{
	struct world *world = *state;
	struct sn_store_salvage sum;
	static struct seen seen;
	struct sn_columns *rows;
	struct sn_batch_id id = batch_id(4);
	struct bytes bytes;

	put_all(world);
	sn_store_close(world->store);
	bytes = load(world, FILE_1);
	break_page(&bytes, bytes.n / 16384 - 1);
	empty(world);
	save(world, FILE_1 ".corrupt", &bytes);
	free(bytes.p);
	world_open(world);
	/* One batch comes again, a new one comes. */
	put(world, 4, LARGE + 3 * SMALL, SMALL);
	assert_int_equal(check(world, true).count, 1);
	assert_int_equal(sn_store_salvage(world->store, DAY, &sum, &world->err), 0);
	assert_int_equal(sum.files, 1);
	assert_int_equal(query(world, &seen), 0);
	assert_false(seen.wrong || seen.twice);
	assert_int_equal(seen.count, sum.rows + SMALL);
	print_message("# %zu of %d rows, %llu lost\n", seen.count, ROWS,
		      (unsigned long long)sum.lost_rows);
	assert_true(seen.count > SMALL);
	/* Again there is nothing to do, for another handle neither; what the ledger knows is known.
	 */
	world_reopen(world);
	assert_int_equal(sn_store_salvage(world->store, NULL, &sum, &world->err), 0);
	assert_int_equal(sum.files, 0);
	assert_int_equal(sum.rows, 0);
	id.node = "import:1";
	rows = make_rows(LARGE + 3 * SMALL, SMALL);
	assert_int_equal(sn_store_put(world->store, &id, rows, NULL), 1);
	id = batch_id(7);
	id.node = "import:1";
	assert_int_equal(sn_store_put(world->store, &id, rows, NULL), 1);
	sn_columns_destroy(rows);
	assert_int_equal(sn_store_salvage(world->store, "no day", &sum, NULL), -EINVAL);
}

static void file_that_is_none_is_told_and_left(void **state)
{
	struct world *world = *state;
	struct sn_store_salvage sum;
	struct bytes bytes = {sn_xcalloc(100000, 1), 100000};

	memset(bytes.p, 0x5a, bytes.n);
	save(world, FILE_1 ".corrupt", &bytes);
	free(bytes.p);
	assert_int_equal(check(world, false).count, 1);
	assert_int_equal(sn_store_salvage(world->store, NULL, &sum, &world->err), 0);
	assert_int_equal(sum.unreadable, 1);
	assert_int_equal(sum.rows, 0);
}

/* Trials --------------------------------------------------------------------------------- */

static void flip(struct bytes *bytes, struct sn_prng *prng)
{
	unsigned flips = 1 + (unsigned)(sn_prng_u64(prng) % 40);
	size_t at = sn_prng_u64(prng) % bytes->n;

	/* One in four: a sector of something else. */
	if (sn_prng_u64(prng) % 4 == 0) {
		for (size_t i = 0; i < 512 && at + i < bytes->n; i++)
			bytes->p[at + i] = (char)sn_prng_u64(prng);
		return;
	}
	for (; flips > 0; flips--)
		bytes->p[sn_prng_u64(prng) % bytes->n] ^= (char)(1 + sn_prng_u64(prng) % 255);
}

struct trials {
	unsigned sound, blocks, files, refused;
	size_t rows_with_blocks, rows_with_files;
};

/* The file has been set aside: what comes back of it. */
static void salvage(struct world *world, struct trials *trials, uint64_t trial)
{
	struct sn_store_salvage sum;
	static struct seen seen;
	int rc = sn_store_salvage(world->store, NULL, &sum, &world->err);

	if (rc != 0)
		fail_msg("trial %llu: %s", (unsigned long long)trial, world->err.text);
	if (query(world, &seen) != 0)
		fail_msg("trial %llu: %s", (unsigned long long)trial, world->err.text);
	if (seen.wrong || seen.twice || seen.count != sum.rows)
		fail_msg("trial %llu: wrong rows after salvage", (unsigned long long)trial);
	trials->files++;
	trials->rows_with_files += seen.count;
}

static void run_trial(struct world *world, const struct bytes *sound, struct sn_prng *prng,
		      struct trials *trials, uint64_t trial)
{
	sn_autofree char *aside = file_path(world, FILE_1 ".corrupt");
	sn_autofree char *copy = sn_xmemdup(sound->p, sound->n);
	struct bytes bytes = {copy, sound->n};
	static struct seen first, later;
	int rc;

	empty(world);
	flip(&bytes, prng);
	save(world, FILE_1, &bytes);
	world_open(world);
	rc = query(world, &first);
	if (first.wrong || first.twice)
		fail_msg("trial %llu: a wrong row", (unsigned long long)trial);
	later = first;
	for (int i = 0; i < 50 && rc == -EUCLEAN; i++) {
		rc = query(world, &later);
		if (later.wrong || later.twice)
			fail_msg("trial %llu: a wrong row later", (unsigned long long)trial);
	}
	if (sn_fs_exists(aside)) {
		salvage(world, trials, trial);
	} else if (rc != 0) {
		/* Told, and told again: what is no file of ours, or of a newer release. */
		trials->refused++;
	} else if (first.count == ROWS) {
		trials->sound++;
	} else {
		trials->blocks++;
		trials->rows_with_blocks += first.count;
		if (count_missing(&first, &later) > 0)
			fail_msg("trial %llu: %zu rows are gone later: %s",
				 (unsigned long long)trial, count_missing(&first, &later),
				 world->err.text);
		if (check(world, true).count == 0)
			fail_msg("trial %llu: %zu rows are gone in silence",
				 (unsigned long long)trial, ROWS - first.count);
	}
	sn_store_close(world->store);
	world->store = NULL;
}

/* In memory where there is such a place: a disk would be waited for a thousand times. */
static int create_in_memory(void **state)
{
	struct world *world;
	int rc = world_create(state);

	if (rc != 0 || access("/dev/shm", W_OK) != 0)
		return rc;
	world = *state;
	sn_store_close(world->store);
	sn_fs_remove_tree(world->dir, NULL);
	strcpy(world->dir, "/dev/shm/sonde-test-XXXXXX");
	if (mkdtemp(world->dir) == NULL)
		return -1;
	world_open(world);
	return 0;
}

static void damage_anywhere_gives_no_wrong_row(void **state)
{
	struct world *world = *state;
	uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : sn_mono_ns();
	struct trials trials = {0};
	struct sn_prng prng;
	struct bytes sound;

	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	put_all(world);
	sn_store_close(world->store);
	sound = load(world, FILE_1);
	for (uint64_t trial = 0; trial < TRIALS; trial++)
		run_trial(world, &sound, &prng, &trials, trial);
	free(sound.p);
	world_open(world);
	print_message("# of %zu bytes: %u whole, %u with damaged blocks (%zu of %d rows each), %u"
		      " files set aside (%zu rows came back each), %u refused\n",
		      sound.n, trials.sound, trials.blocks,
		      trials.rows_with_blocks / SN_MAX(trials.blocks, 1u), ROWS, trials.files,
		      trials.rows_with_files / SN_MAX(trials.files, 1u), trials.refused);
	assert_true(trials.blocks > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(sound_store_has_no_findings),
		WITH_WORLD(check_ends_when_told),
		WITH_WORLD(accounts_that_do_not_agree_are_found),
		WITH_WORLD(whole_pieces_of_a_damaged_block_stay),
		WITH_WORLD(tidying_sets_damaged_blocks_aside_and_goes_on),
		WITH_WORLD(blocks_whose_columns_are_not_known_are_told_once),
		WITH_WORLD(damaged_checksum_of_known_columns_is_put_right),
		WITH_WORLD(rows_without_columns_do_not_come_back),
		WITH_WORLD(file_whose_next_number_is_taken_is_followed_by_another),
		WITH_WORLD(file_of_a_wrong_version_is_set_aside_and_comes_back),
		WITH_WORLD(file_that_lost_a_table_is_set_aside_and_does_not_end_the_day),
		WITH_WORLD(file_of_which_a_column_has_another_name_is_set_aside),
		WITH_WORLD(table_that_goes_while_the_file_is_open_is_missed),
		WITH_WORLD(no_file_that_was_set_aside_is_overwritten),
		WITH_WORLD(what_is_whole_of_a_file_comes_back_once),
		WITH_WORLD(file_that_is_none_is_told_and_left),
		cmocka_unit_test_setup_teardown(damage_anywhere_gives_no_wrong_row,
						create_in_memory, world_destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
