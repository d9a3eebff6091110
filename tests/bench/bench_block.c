/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as blocks (store/block.h) and back, beside SQLite rows by prepared statements (one table
 * without indexes, 16 KiB pages, 50,000 rows per transaction) in the same run: processor time and
 * bytes.  Ping rows are those of 10 nodes with 10 targets each, five echo requests a second with
 * delays in nanoseconds as kernels tell them; rows of log_tcp_complete are TLS connections of
 * 4,000 clients to 20,000 servers with times in microseconds as in captures.
 * Arguments: ping rows, log rows.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "bench/rows.h"
#include "data/columns.h"
#include "store/block.h"
#include "store/db.h"

#define START_NS     (20513 * 86400 * SN_NS_PER_S)
#define ROWS_PER_SQL 50000
#define NODES        10
#define TARGETS      10
#define CLIENTS      4000
#define SERVERS      20000
#define NAMES        3000

static void die(const struct sn_err *err)
{
	fprintf(stderr, "bench_block: %s\n", err->text);
	exit(1);
}

/* Rows ------------------------------------------------------------------------ */

/* A column is looked up once per place in the program. */
#define COLUMN(columns_, name_)                                                                    \
	({                                                                                         \
		static int column_ = -1;                                                           \
		if (column_ < 0)                                                                   \
			column_ = sn_dataset_column(sn_columns_dataset(columns_), name_);          \
		column_;                                                                           \
	})
#define SET_I64(name_, value_)                                                                     \
	sn_columns_set_i64(columns, COLUMN(columns, name_), (int64_t)(value_))
#define SET_F64(name_, value_) sn_columns_set_f64(columns, COLUMN(columns, name_), (value_))
#define SET_TEXT(name_, ...)                                                                       \
	do {                                                                                       \
		char text_[64];                                                                    \
		snprintf(text_, sizeof(text_), __VA_ARGS__);                                       \
		sn_columns_set_text(columns, COLUMN(columns, name_), sn_str(text_));               \
	} while (0)

static double exponential(struct sn_prng *prng, double mean)
{
	return -mean * log(1 - sn_prng_unit(prng));
}

/* Long tails: a few are very large. */
static double pareto(struct sn_prng *prng, double least, double shape)
{
	return least * pow(1 - sn_prng_unit(prng), -1 / shape);
}

/* Few are asked for often: place of 0 .. count - 1. */
static unsigned popular(struct sn_prng *prng, unsigned count)
{
	return (unsigned)fmin(count - 1, pareto(prng, 1, 0.7) - 1);
}

static void add_ping_delays(struct sn_columns *columns, struct sn_prng *prng, unsigned path)
{
	double mean = 0, squares = 0;
	int64_t delays[5];

	for (int i = 0; i < 5; i++) {
		int64_t delay = (int64_t)(5e6 + path * 1.37e6 + exponential(prng, 3e5));
		double step = (double)delay - mean;
		int j = i;

		mean += step / (i + 1);
		squares += step * ((double)delay - mean);
		for (; j > 0 && delays[j - 1] > delay; j--)
			delays[j] = delays[j - 1];
		delays[j] = delay;
	}
	SET_F64("rtt_min_seconds", (double)delays[0] / 1e9);
	SET_F64("rtt_mean_seconds", mean / 1e9);
	SET_F64("rtt_max_seconds", (double)delays[4] / 1e9);
	SET_F64("rtt_stddev_seconds", sqrt(squares / 5) / 1e9);
	SET_F64("rtt_p5_seconds", (double)delays[0] / 1e9);
	SET_F64("rtt_p25_seconds", (double)delays[1] / 1e9);
	SET_F64("rtt_p50_seconds", (double)delays[2] / 1e9);
	SET_F64("rtt_p75_seconds", (double)delays[3] / 1e9);
	SET_F64("rtt_p95_seconds", (double)delays[4] / 1e9);
}

static void add_ping(struct sn_columns *columns, struct sn_prng *prng, size_t row)
{
	unsigned target = (unsigned)(row % TARGETS), node = (unsigned)(row / TARGETS % NODES);
	size_t second = row / TARGETS / NODES;

	sn_columns_add_row(columns);
	sn_columns_set_time(columns, SN_COL_TIME,
			    START_NS + (int64_t)second * SN_NS_PER_S + target * 100000000LL +
				    node * 7919 + (int64_t)(sn_prng_u64(prng) % 200000));
	SET_TEXT("node", "01JNZ8W9E4T3Q7V5B2M6K1R0%02u", node);
	SET_TEXT("task", "01JNZ8W9E4T3Q7V5B2M6K1R0XP");
	SET_I64("seq", second * TARGETS + target);
	SET_TEXT("target", "198.51.100.%u", target);
	SET_TEXT("address", "198.51.100.%u", target);
	SET_I64("family", 4);
	SET_TEXT("source", "192.0.2.%u", node);
	SET_I64("size_bytes", 56);
	SET_I64("ttl", 64);
	SET_F64("interval_seconds", 0.2);
	SET_I64("sent_packets", 5);
	SET_I64("received_packets", 5);
	SET_I64("lost_packets", 0);
	SET_F64("loss_ratio", 0);
	SET_I64("duplicate_packets", 0);
	SET_I64("reordered_packets", 0);
	SET_I64("late_packets", 0);
	SET_I64("send_errors", 0);
	add_ping_delays(columns, prng, node * TARGETS + target);
	SET_I64("reply_ttl", 50 + target);
	SET_TEXT("timestamps", "kernel");
	SET_I64("missed_runs", 0);
	SET_TEXT("status", "ok");
}

/* One side of a connection: packets and bytes that fit together. */
#define SET_SIDE(p_, bytes_, segments_, acks_)                                                     \
	do {                                                                                       \
		int64_t retx = sn_prng_u64(prng) % 20 == 0 ? 1 + (segments_) / 50 : 0;             \
		SET_I64(p_ "pkts_all", (segments_) + (acks_) + 3);                                 \
		SET_I64(p_ "rst_cnt", sn_prng_u64(prng) % 12 == 0);                                \
		SET_I64(p_ "ack_cnt", (segments_) + (acks_) + 2);                                  \
		SET_I64(p_ "ack_cnt_p", acks_);                                                    \
		SET_I64(p_ "bytes_uniq", bytes_);                                                  \
		SET_I64(p_ "pkts_data", (segments_) + retx);                                       \
		SET_I64(p_ "bytes_all", (bytes_) + 1400 * retx);                                   \
		SET_I64(p_ "pkts_retx", retx);                                                     \
		SET_I64(p_ "bytes_retx", 1400 * retx);                                             \
		SET_I64(p_ "pkts_ooo", sn_prng_u64(prng) % 30 == 0);                               \
		SET_I64(p_ "syn_cnt", 1);                                                          \
		SET_I64(p_ "fin_cnt", 1);                                                          \
		SET_I64(p_ "f1323_opt", 1);                                                        \
		SET_I64(p_ "tm_opt", sn_prng_u64(prng) % 4 != 0);                                  \
		SET_I64(p_ "win_scl", 6 + sn_prng_u64(prng) % 3);                                  \
		SET_I64(p_ "sack_opt", 1);                                                         \
		SET_I64(p_ "sack_cnt", retx);                                                      \
		SET_I64(p_ "mss", sn_prng_u64(prng) % 8 == 0 ? 1410 : 1460);                       \
		SET_I64(p_ "mss_max", SN_MIN((bytes_), 1418));                                     \
		SET_I64(p_ "mss_min", 30 + sn_prng_u64(prng) % 10);                                \
		SET_I64(p_ "win_max", 64240 + 128 * (sn_prng_u64(prng) % 512));                    \
		SET_I64(p_ "win_min", 64240);                                                      \
		SET_I64(p_ "cwin_max",                                                             \
			SN_MIN((bytes_), 14000 + 1418 * (int64_t)(segments_) / 20));               \
		SET_I64(p_ "cwin_min", 30 + sn_prng_u64(prng) % 10);                               \
		SET_I64(p_ "cwin_ini", SN_MIN((bytes_), 5000));                                    \
		SET_I64(p_ "pkts_rto", retx > 3);                                                  \
		SET_I64(p_ "pkts_fs", retx > 0);                                                   \
		SET_I64(p_ "ttl_min", 49 + sn_prng_u64(prng) % 15);                                \
		SET_I64(p_ "ttl_max", 64);                                                         \
	} while (0)

/* As "%f" of milliseconds: from microseconds, exactly. */
static double ms(double us)
{
	return floor(us) / 1e3;
}

static void add_connection_times(struct sn_columns *columns, struct sn_prng *prng, int64_t first_us,
				 double rtt_us, int64_t segments)
{
	double durat = 4 * rtt_us + exponential(prng, 3e6) + (double)segments * 20;

	SET_F64("first", ms((double)first_us));
	SET_F64("last", ms((double)first_us + durat));
	SET_F64("durat", ms(durat));
	SET_F64("c_first", ms(rtt_us * 1.05));
	SET_F64("s_first", ms(rtt_us * 2.1 + exponential(prng, 1000)));
	SET_F64("c_last", ms(durat * 0.9));
	SET_F64("s_last", ms(durat * 0.95));
	SET_F64("c_first_ack", ms(rtt_us * 1.01));
	SET_F64("s_first_ack", ms(rtt_us * 2.02));
	SET_F64("c_rtt_avg", rtt_us * 1.1 / 1e3); /* a quotient */
	SET_F64("c_rtt_min", ms(rtt_us));
	SET_F64("c_rtt_max", ms(rtt_us * 1.1 + exponential(prng, 5000)));
	SET_F64("c_rtt_std", floor(exponential(prng, 2000) * 1e3) / 1e6);
	SET_I64("c_rtt_cnt", SN_MIN(segments, 40));
	SET_F64("s_rtt_avg", floor((200 + exponential(prng, 300)) * 1e3) / 1e6);
	SET_F64("s_rtt_min", ms(100 + exponential(prng, 50)));
	SET_F64("s_rtt_max", ms(1000 + exponential(prng, 3000)));
	SET_F64("s_rtt_std", floor(exponential(prng, 400) * 1e3) / 1e6);
	SET_I64("s_rtt_cnt", segments);
	SET_F64("c_last_handshakeT", ms(rtt_us * 2.2));
	SET_F64("s_last_handshakeT", ms(rtt_us * 3.1));
	SET_F64("c_appdataT", ms(rtt_us * 2.3 + exponential(prng, 500)));
	SET_F64("s_appdataT", ms(rtt_us * 3.2 + exponential(prng, 2000)));
	SET_F64("req_tm", ms((double)first_us - 30000 + exponential(prng, 2000)));
	SET_F64("res_tm", ms((double)first_us - 1000));
}

static void add_connection(struct sn_columns *columns, struct sn_prng *prng, size_t row)
{
	unsigned client = popular(prng, CLIENTS), name = popular(prng, NAMES);
	unsigned server = (name * 7 + popular(prng, 8)) % SERVERS;
	int64_t up = 517 + (int64_t)fmin(pareto(prng, 600, 1.1), 1e9);
	int64_t down = 3000 + (int64_t)fmin(pareto(prng, 2000, 0.9), 1e10);
	int64_t sent = 2 + up / 1418, received = 3 + down / 1418;
	int64_t first_us = START_NS / 1000 + (int64_t)row * 900 + (int64_t)exponential(prng, 2e5);

	sn_columns_add_row(columns);
	/* What most lines have in most columns. */
	for (size_t i = SN_COL_COMMON; i < sn_columns_dataset(columns)->column_count; i++) {
		enum sn_type type = sn_columns_dataset(columns)->columns[i].type;

		if (type == SN_TYPE_I64)
			sn_columns_set_i64(columns, (int)i, 0);
		else if (type == SN_TYPE_F64)
			sn_columns_set_f64(columns, (int)i, 0);
	}
	sn_columns_set_time(columns, SN_COL_TIME, first_us * 1000);
	SET_TEXT("c_ip", "10.%u.%u.%u", client / 250 % 16, client * 7 % 250, client % 250);
	SET_I64("c_port", 32768 + sn_prng_u64(prng) % 28000);
	SET_TEXT("s_ip", "%u.%u.%u.%u", 11 + server % 180, server * 31 % 256, server * 17 % 256,
		 server * 131 % 256);
	SET_I64("s_port", 443);
	SET_SIDE("c_", up, sent, received / 2);
	SET_SIDE("s_", down, received, sent);
	add_connection_times(columns, prng, first_us, 4000 + exponential(prng, 2e4), received);
	SET_I64("c_isint", 1);
	SET_I64("con_t", 8192);
	SET_I64("c_pkts_push", 2 + sent / 4);
	SET_I64("s_pkts_push", 2 + received / 8);
	SET_TEXT("c_tls_SNI", "www%u.site-%u.example", name % 3, name);
	if (name % 3 == 0)
		SET_TEXT("s_tls_SCN", "*.site-%u.example", name);
	SET_I64("c_npnalpn", 6);
	SET_I64("s_npnalpn", 2 + 2 * (name % 2));
	SET_I64("tls_session_stat", sn_prng_u64(prng) % 3);
	SET_I64("c_appdataB", 518 + sn_prng_u64(prng) % 300);
	SET_I64("s_appdataB", 2000 + sn_prng_u64(prng) % 3000);
	SET_TEXT("fqdn", "www%u.site-%u.example", name % 3, name);
	SET_TEXT("dns_rslv", "10.0.0.%u", 1 + client % 2);
	SET_TEXT("c_TLSvers", "0304");
	SET_TEXT("s_TLSvers", name % 4 == 0 ? "0303" : "0304");
}

/* Measures -------------------------------------------------------------------- */

static double values_bytes(const struct sn_columns *columns)
{
	double bytes = 0;

	for (size_t i = 0; i < sn_columns_dataset(columns)->column_count; i++) {
		struct sn_vector vector = sn_columns_vector(columns, (int)i);

		bytes += vector.type == SN_TYPE_BOOL   ? 1.0 * vector.rows
			 : vector.type == SN_TYPE_TEXT ? 0.0
						       : 8.0 * vector.rows;
		for (size_t row = 0; vector.type == SN_TYPE_TEXT && row < vector.rows; row++)
			bytes += (double)vector.s[row].n;
	}
	return bytes;
}

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
	double bytes = values_bytes(columns), start, encoded, decoded;
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

static void bind_row(sqlite3_stmt *insert, const struct sn_value *row, size_t columns)
{
	for (size_t i = 0; i < columns; i++) {
		int index = (int)i + 1;

		if (row[i].type == SN_TYPE_TEXT)
			sqlite3_bind_text(insert, index, row[i].s.p, (int)row[i].s.n,
					  SQLITE_STATIC);
		else if (row[i].type == SN_TYPE_F64)
			sqlite3_bind_double(insert, index, row[i].f);
		else if (row[i].type == SN_TYPE_NULL)
			sqlite3_bind_null(insert, index);
		else
			sqlite3_bind_int64(insert, index, row[i].i);
	}
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
	report("write SQLite rows", (double)rows, seconds, values_bytes(columns),
	       (double)st.st_size);
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
	       dataset->column_count, values_bytes(columns) / (double)rows);
	run_plain(columns, path);
	run_blocks(columns, SN_BLOCK_ROWS_MAX);
	run_blocks(columns, 4096);
	run_blocks(columns, 256);
	sn_columns_destroy(columns);
}

int main(int argc, char **argv)
{
	size_t ping = argc > 1 ? strtoul(argv[1], NULL, 10) : 4 * SN_BLOCK_ROWS_MAX;
	size_t log = argc > 2 ? strtoul(argv[2], NULL, 10) : 2 * SN_BLOCK_ROWS_MAX;
	char dir[] = "/tmp/sonde-bench-XXXXXX";

	if (mkdtemp(dir) == NULL)
		return 1;
	run(&sn_dataset_ping, add_ping, SN_MAX(ping, (size_t)1), dir);
	run(&sn_dataset_tstat_tcp_complete, add_connection, SN_MAX(log, (size_t)1), dir);
	sn_fs_remove_tree(dir, NULL);
	return 0;
}
