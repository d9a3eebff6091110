/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as blocks (store/block.h) and back, beside SQLite rows by prepared statements (one table
 * without indexes, 16 KiB pages, 50,000 rows per transaction) in the same run: processor time and
 * bytes.
 * Arguments: ping rows, log rows.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "bench/bind_row.h"
#include "bench/columns.h"
#include "bench/rows.h"
#include "store/blocks.h"

#define ROWS_PER_SQL 50000

static void die(const struct sn_err *err)
{
	fprintf(stderr, "bench_block: %s\n", err->text);
	exit(1);
}

/* Measures -------------------------------------------------------------------- */

/* All columns in blocks of `size` rows; where each column ends. */
static void encode(const struct sn_columns *columns, size_t size, struct sn_buf *out, size_t *ends)
{
	size_t rows = sn_columns_rows(columns), count = sn_columns_dataset(columns)->column_count;

	for (size_t first = 0; first < rows; first += size)
		for (size_t i = 0; i < count; i++) {
			struct sn_vector all = sn_columns_vector(columns, (int)i);
			struct sn_vector part =
				sn_vector_part(&all, first, SN_MIN(size, rows - first));

			if (sn_block_write(&part, out) != 0)
				exit(1);
			*ends++ = out->n;
		}
}

static uint64_t decode(const struct sn_dataset *dataset, size_t rows, size_t size,
		       const struct sn_buf *in, const size_t *ends)
{
	uint64_t seen = 0;
	size_t start = 0;

	for (size_t first = 0; first < rows; first += size)
		for (size_t i = 0; i < dataset->column_count; i++) {
			struct sn_block_column *column;
			struct sn_err err;

			if (sn_block_read((struct sn_str){in->p + start, *ends - start},
					  dataset->columns[i].type, SN_MIN(size, rows - first),
					  &column, &err) != 0)
				die(&err);
			seen += sn_block_vector(column)->rows;
			sn_block_column_destroy(column);
			start = *ends++;
		}
	return seen;
}

static void report(const char *what, double rows, double seconds, double bytes, double size)
{
	printf("%-28s %7.0f krows/s %6.0f MB/s", what, rows / seconds / 1e3, bytes / seconds / 1e6);
	if (size > 0)
		printf(" %7.1f B/row", size / rows);
	printf("\n");
}

static void run_blocks(const struct sn_columns *columns, size_t size)
{
	const struct sn_dataset *dataset = sn_columns_dataset(columns);
	size_t rows = sn_columns_rows(columns), blocks = (rows + size - 1) / size;
	size_t *ends = sn_xcalloc(blocks * dataset->column_count, sizeof(*ends));
	double bytes = bench_values_bytes(columns), start, encoded, decoded;
	struct sn_buf out = {0};
	char what[64];

	start = bench_cpu_seconds();
	encode(columns, size, &out, ends);
	encoded = bench_cpu_seconds() - start;
	start = bench_cpu_seconds();
	if (decode(dataset, rows, size, &out, ends) != rows * dataset->column_count)
		exit(1);
	decoded = bench_cpu_seconds() - start;
	snprintf(what, sizeof(what), "write blocks of %zu", size);
	report(what, (double)rows, encoded, bytes, (double)out.n);
	snprintf(what, sizeof(what), "read blocks of %zu", size);
	report(what, (double)rows, decoded, bytes, 0);
	sn_buf_finish(&out);
	free(ends);
}

static struct sn_db *open_plain(const char *path, const struct sn_dataset *dataset,
				sqlite3_stmt **insert)
{
	static const char *const migrations[] = {NULL};
	struct sn_buf create = {0}, values = {0};
	struct sn_err err;
	struct sn_db *db;

	for (size_t i = 0; i < dataset->column_count; i++) {
		enum sn_type type = dataset->columns[i].type;

		sn_buf_addf(&create, "%s\"%s\" %s", i > 0 ? ", " : "CREATE TABLE rows(",
			    dataset->columns[i].name,
			    type == SN_TYPE_TEXT  ? "TEXT"
			    : type == SN_TYPE_F64 ? "REAL"
						  : "INTEGER");
		sn_buf_adds(&values, i > 0 ? ", ?" : "INSERT INTO rows VALUES(?");
	}
	sn_buf_addc(&create, ')');
	sn_buf_addc(&values, ')');
	if (sn_db_open(path, migrations, 0, &db, &err) != 0 ||
	    sn_db_exec(db, sn_buf_cstr(&create), &err) != 0)
		die(&err);
	sqlite3_prepare_v2(sn_db_handle(db), sn_buf_cstr(&values), -1, insert, NULL);
	sn_buf_finish(&create);
	sn_buf_finish(&values);
	return db;
}

static void run_plain(const struct sn_columns *columns, const char *path)
{
	const struct sn_dataset *dataset = sn_columns_dataset(columns);
	size_t rows = sn_columns_rows(columns);
	struct sn_value row[SN_DATASET_COLUMNS_MAX];
	double start = bench_cpu_seconds(), seconds;
	sqlite3_stmt *insert;
	struct sn_db *db = open_plain(path, dataset, &insert);
	struct sn_err err;
	struct stat st;

	for (size_t i = 0; i < rows; i++) {
		if (i % ROWS_PER_SQL == 0 && sn_db_begin(db, &err) != 0)
			die(&err);
		sn_columns_row(columns, i, row);
		bind_row(insert, row, dataset->column_count);
		sqlite3_step(insert);
		sqlite3_reset(insert);
		if (((i + 1) % ROWS_PER_SQL == 0 || i + 1 == rows) && sn_db_commit(db, &err) != 0)
			die(&err);
	}
	sqlite3_finalize(insert);
	sn_db_close(db);
	seconds = bench_cpu_seconds() - start;
	if (stat(path, &st) != 0)
		exit(1);
	report("write SQLite rows", (double)rows, seconds, bench_values_bytes(columns),
	       (double)st.st_size);
}

/* Commits as a hub makes them, small blocks put together after each. */
static void run_file(const struct sn_columns *columns, const char *path, size_t per_commit)
{
	static const char *const migrations[] = {sn_blocks_schema};
	size_t rows = sn_columns_rows(columns);
	double start, put = 0, tidy = 0;
	struct sn_err err;
	struct sn_db *db;
	struct stat st;
	char what[64];

	if (sn_db_open(path, migrations, 1, &db, &err) != 0)
		die(&err);
	for (size_t from = 0; from < rows; from += per_commit) {
		start = bench_cpu_seconds();
		if (sn_db_begin(db, &err) != 0 ||
		    sn_blocks_put(db, columns, from, SN_MIN(per_commit, rows - from), NULL, &err) !=
			    0 ||
		    sn_db_commit(db, &err) != 0)
			die(&err);
		put += bench_cpu_seconds() - start;
		start = bench_cpu_seconds();
		if (sn_blocks_tidy(db, sn_columns_dataset(columns), false, 100, NULL, &err) != 0)
			die(&err);
		tidy += bench_cpu_seconds() - start;
	}
	sn_db_close(db);
	if (stat(path, &st) != 0)
		exit(1);
	snprintf(what, sizeof(what), "file, commits of %zu", per_commit);
	report(what, (double)rows, put, bench_values_bytes(columns), (double)st.st_size);
	report("  and putting together", (double)rows, put + tidy, bench_values_bytes(columns), 0);
	unlink(path);
}

typedef void add_row_fn(struct sn_columns *columns, struct sn_prng *prng, size_t row);

static void run(const struct sn_dataset *dataset, add_row_fn *add, size_t rows, const char *dir)
{
	struct sn_columns *columns = sn_columns_create(dataset);
	sn_autofree char *path = sn_fs_join(dir, dataset->name);
	struct sn_prng prng;

	sn_prng_seed(&prng, 1);
	for (size_t i = 0; i < rows; i++)
		add(columns, &prng, i);
	printf("%s: %zu rows of %zu columns, %.0f B/row in memory\n", dataset->name, rows,
	       dataset->column_count, bench_values_bytes(columns) / (double)rows);
	run_plain(columns, path);
	run_blocks(columns, SN_BLOCK_ROWS_MAX);
	run_blocks(columns, 4096);
	run_blocks(columns, 256);
	unlink(path);
	run_file(columns, path, SN_BLOCK_ROWS_MAX);
	run_file(columns, path, 5000);
	run_file(columns, path, 100);
	sn_columns_destroy(columns);
}

int main(int argc, char **argv)
{
	size_t ping = argc > 1 ? strtoul(argv[1], NULL, 10) : 4 * SN_BLOCK_ROWS_MAX;
	size_t log = argc > 2 ? strtoul(argv[2], NULL, 10) : 2 * SN_BLOCK_ROWS_MAX;
	char dir[] = "/tmp/sonde-bench-XXXXXX";

	if (mkdtemp(dir) == NULL)
		return 1;
	run(&sn_dataset_ping, bench_add_ping_columns, SN_MAX(ping, (size_t)1), dir);
	run(&sn_dataset_tstat_tcp_complete, bench_add_connection, SN_MAX(log, (size_t)1), dir);
	sn_fs_remove_tree(dir, NULL);
	return 0;
}
