/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log_tcp_complete (134 columns) into ClickHouse: by our reader and format Native, a block per
 * 65,536 rows, and by clickhouse-client from the same lines as TabSeparated, into tables of the
 * same types.  What counts is the processor time of client and server together, until the server
 * has come to rest.  Argument: number of rows.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "bench/rows.h"
#include "bench/tstat_text.h"
#include "exchange/tstat_log.h"
#include "lib/clickhouse.h"
#include "store/clickhouse.h"

#define DAY        20513 /* 2026-03-01, of all lines */
#define BLOCK_ROWS 65536
#define REST_POLLS 600
#define REST_US    200000
#define ROUNDS     3
#define GOAL       0.8

static struct clickhouse server;

struct cost {
	double client, server;
	double merges; /* of the server, too: parts put together, until it has come to rest */
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	clickhouse_destroy(&server);
	exit(1);
}

/* User and system time in a stat file of /proc; `merges`: whether of a thread that merges. */
static double read_stat(const char *path, bool *merges)
{
	unsigned long user = 0, system = 0;
	char line[1024] = "", *rest;
	FILE *file = fopen(path, "r");

	*merges = false;
	if (file == NULL)
		return 0; /* a thread that has ended */
	rest = fgets(line, sizeof(line), file) != NULL ? strrchr(line, ')') : NULL;
	fclose(file);
	if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				   &user, &system) != 2)
		return 0;
	*merges = strstr(line, "(BackgrProc") != NULL || strstr(line, "(Merge") != NULL;
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* Of the server so far; what its threads for merges have taken apart from it. */
static struct cost server_cost(void)
{
	sn_autofree char *path = sn_xasprintf("/proc/%d/stat", (int)server.pid);
	sn_autofree char *tasks = sn_xasprintf("/proc/%d/task", (int)server.pid);
	struct cost cost = {.client = 0};
	DIR *dir = opendir(tasks);
	struct dirent *entry;
	bool merges;

	cost.server = read_stat(path, &merges);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		sn_autofree char *task = sn_xasprintf("%s/%s/stat", tasks, entry->d_name);
		double seconds = read_stat(task, &merges);

		if (merges)
			cost.merges += seconds;
	}
	if (dir != NULL)
		closedir(dir);
	cost.server -= cost.merges;
	return cost;
}

/* Waits until the server does nothing any more. */
static struct cost cost_at_rest(void)
{
	struct cost before = server_cost(), now = before;

	for (int i = 0, quiet = 0; i < REST_POLLS && quiet < 10; i++) {
		usleep(REST_US);
		now = server_cost();
		quiet = now.server + now.merges - before.server - before.merges < 0.015 ? quiet + 1
											: 0;
		before = now;
	}
	return now;
}

static void finish(struct cost *cost, struct cost before)
{
	struct cost after = cost_at_rest();

	cost->server = after.server - before.server;
	cost->merges = after.merges - before.merges;
}

static void assert_rows(const char *table, size_t rows)
{
	sn_autofree char *sql = sn_xasprintf("SELECT count() FROM %s", table);
	sn_autofree char *answer = clickhouse_ask(&server, sql);

	if (answer == NULL || strtoul(answer, NULL, 10) != rows)
		die("not all rows have arrived");
}

static void run_sql(struct sn_buf *sql)
{
	sn_autofree char *answer = clickhouse_ask(&server, sn_buf_cstr(sql));

	if (answer == NULL)
		die("a statement was refused");
	sn_buf_finish(sql);
}

/* Our way ------------------------------------------------------------------------ */

struct sink {
	struct sn_clickhouse *ch;
	struct sn_columns *columns;
	struct sn_clickhouse_block block;
};

static struct sn_columns *place(void *ctx, const struct sn_dataset *dataset, int32_t day)
{
	struct sink *sink = ctx;

	(void)dataset;
	if (day != DAY)
		die("a line of another day");
	return sink->columns;
}

static void complain(void *ctx, const struct sn_bad_line *bad)
{
	(void)ctx;
	die(bad->reason);
}

static void send_block(struct sink *sink)
{
	struct sn_err err;

	if (sn_columns_rows(sink->columns) == 0)
		return;
	if (sn_clickhouse_insert(sink->ch, sink->columns, &sink->block, &err) != 0)
		die(err.text);
	sink->block.id++;
	sink->block.first += (int64_t)sn_columns_rows(sink->columns);
	sn_columns_clear(sink->columns);
}

static void insert_log(const struct sn_tstat_table *table, const char *path, size_t rows)
{
	struct sn_clickhouse_options options = {.url = server.url};
	struct sink sink = {.columns = sn_columns_create(table->dataset),
			    .block = {.day = DAY, .id = 1, .first = 1}};
	struct sn_intake intake = {.place = place, .bad = complain, .ctx = &sink};
	struct sn_tstat_reader *reader;
	struct sn_input *input;
	struct sn_err err;
	int rc;

	if (sn_clickhouse_open(&options, &sink.ch, &err) != 0 ||
	    sn_input_open(path, SN_TSTAT_LOG_LINE_MAX, &input, &err) != 0)
		die(err.text);
	reader = sn_tstat_reader_create(input, table, SN_STR("rome"), &intake);
	do {
		rc = sn_tstat_reader_read(reader, BLOCK_ROWS, &err);
		send_block(&sink);
	} while (rc > 0);
	if (rc < 0)
		die(err.text);
	sn_tstat_reader_destroy(reader);
	sn_input_destroy(input);
	sn_columns_destroy(sink.columns);
	sn_clickhouse_close(sink.ch);
	assert_rows("tstat_tcp_complete_1", rows);
}

static struct cost our_way(const struct sn_tstat_table *table, const char *path, size_t rows)
{
	struct sn_buf sql = {0};
	struct cost cost = {.client = 0}, before;

	sn_buf_adds(&sql, "DROP TABLE IF EXISTS tstat_tcp_complete_1");
	run_sql(&sql);
	before = cost_at_rest();
	cost.client = -bench_cpu_seconds();
	insert_log(table, path, rows);
	cost.client += bench_cpu_seconds();
	finish(&cost, before);
	return cost;
}

/* Their way ----------------------------------------------------------------------- */

static const char *type_of(const struct sn_tstat_column *column)
{
	switch (column->type) {
	case SN_TSTAT_TYPE_TEXT:
		return "Nullable(String)";
	case SN_TSTAT_TYPE_INTEGER:
	case SN_TSTAT_TYPE_FLAG:
		return "Nullable(Int64)";
	default:
		return "Nullable(Float64)";
	}
}

static void make_table(const struct sn_tstat_table *table)
{
	struct sn_buf sql = {0};

	sn_buf_adds(&sql, "DROP TABLE IF EXISTS theirs");
	run_sql(&sql);
	sn_buf_adds(&sql, "CREATE TABLE theirs (");
	for (size_t i = 0; i < table->count; i++)
		sn_buf_addf(&sql, "%s`%s` %s", i > 0 ? ", " : "", table->columns[i].name,
			    strcmp(table->columns[i].name, "first") == 0
				    ? "Float64"
				    : type_of(&table->columns[i]));
	sn_buf_adds(&sql, ") ENGINE = MergeTree PARTITION BY toDate(toUInt32(first / 1000)) "
			  "ORDER BY first");
	run_sql(&sql);
}

/* The client's own processor time. */
static double run_client(const char *path)
{
	sn_autofree char *port = sn_xasprintf("--port=%u", server.tcp_port);
	struct rusage usage = {0};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (freopen(path, "r", stdin) == NULL)
			_exit(127);
		execlp("clickhouse-client", "clickhouse-client", "--host=127.0.0.1", port,
		       "--query=INSERT INTO theirs FORMAT TabSeparated", (char *)NULL);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &usage) != pid || status != 0)
		die("clickhouse-client failed");
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct cost their_way(const struct sn_tstat_table *table, const char *path, size_t rows)
{
	struct cost cost = {.client = 0}, before;

	make_table(table);
	before = cost_at_rest();
	cost.client = run_client(path);
	finish(&cost, before);
	assert_rows("theirs", rows);
	return cost;
}

/* The file -------------------------------------------------------------------------- */

static char *write_file(const char *name, const struct sn_buf *text)
{
	char *path = sn_fs_join(server.dir, name);
	FILE *file = fopen(path, "w");

	if (file == NULL || fwrite(text->p, 1, text->n, file) != text->n || fclose(file) != 0)
		die("cannot write the log");
	return path;
}

/* Without the header, with tabs. */
static void make_tabs(struct sn_buf *out, const struct sn_buf *log)
{
	const char *lines = memchr(log->p, '\n', log->n);

	sn_buf_add(out, lines + 1, log->n - (size_t)(lines + 1 - log->p));
	for (size_t i = 0; i < out->n; i++)
		if (out->p[i] == ' ')
			out->p[i] = '\t';
}

static double total(struct cost cost)
{
	return cost.client + cost.server;
}

static void report(const char *what, struct cost cost, size_t rows, size_t bytes)
{
	printf("%-32s client %5.2f s, server %5.2f s: %4.0f krows/s %4.0f MB/s; merges %5.2f s\n",
	       what, cost.client, cost.server, (double)rows / total(cost) / 1e3,
	       (double)bytes / total(cost) / 1e6, cost.merges);
}

static void compare(size_t rows)
{
	const struct sn_tstat_table *table = &sn_tstat_tables[SN_TSTAT_TCP_COMPLETE];
	sn_autofree char *log_path = NULL, *tabs_path = NULL;
	struct cost ours = {.client = 1e9}, theirs = {.client = 1e9};
	struct sn_buf log = {0}, tabs = {0};
	size_t bytes;

	bench_make_log(&log, table, rows);
	make_tabs(&tabs, &log);
	log_path = write_file("log_tcp_complete", &log);
	tabs_path = write_file("log_tcp_complete.tsv", &tabs);
	bytes = log.n;
	sn_buf_finish(&log);
	sn_buf_finish(&tabs);
	/* The best of several rounds, in turn: other work on the machine only ever adds time. */
	for (int round = 0; round < ROUNDS; round++) {
		struct cost cost = our_way(table, log_path, rows);

		ours = total(cost) < total(ours) ? cost : ours;
		cost = their_way(table, tabs_path, rows);
		theirs = total(cost) < total(theirs) ? cost : theirs;
	}
	report("reader and Native", ours, rows, bytes);
	report("clickhouse-client, TabSeparated", theirs, rows, bytes);
	printf("ratio of processor time until stored %.2f (goal <= %.1f), with merges %.2f\n",
	       total(ours) / total(theirs), GOAL,
	       (total(ours) + ours.merges) / (total(theirs) + theirs.merges));
}

int main(int argc, char **argv)
{
	size_t rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;

	if (!clickhouse_is_installed())
		return 77;
	/* A part has a file per column and more; how a file system finds room for them is not what
	 * is compared. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	if (!clickhouse_create(&server))
		return 1;
	compare(rows);
	clickhouse_destroy(&server);
	return 0;
}
