/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/import_store.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "bench/rows.h"
#include "exchange/importer.h"

static char *make_dir(void)
{
	const char *base = getenv("TMPDIR");
	char *dir = sn_xasprintf("%s/sonde-bench-XXXXXX", base != NULL ? base : "/tmp");

	if (mkdtemp(dir) == NULL)
		exit(1);
	return dir;
}

static char *put_file(const char *dir, const char *name, struct sn_str text)
{
	char *path = sn_fs_join(dir, name);
	FILE *file = fopen(path, "w");

	if (file == NULL || fwrite(text.p, 1, text.n, file) != text.n || fclose(file) != 0)
		exit(1);
	return path;
}

static void import_file(const char *store, const char *path)
{
	struct sn_import_options options = {.now_ns = sn_wall_ns()};
	struct sn_import_report report;
	struct sn_importer *importer;
	struct sn_err err = {0};

	if (sn_importer_open(store, &importer, &err) != 0 ||
	    sn_importer_file(importer, path, &options, &report, &err) != 0 ||
	    report.counts.bad > 0 || report.duplicate) {
		fprintf(stderr, "%s\n", err.code != 0 ? err.text : "bad lines, or a duplicate");
		exit(1);
	}
	sn_importer_close(importer);
}

static uint64_t bytes_in(const char *dir)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	uint64_t total = 0;

	while (list != NULL && (entry = readdir(list)) != NULL) {
		sn_autofree char *path = sn_fs_join(dir, entry->d_name);
		struct stat st;

		if (strncmp(entry->d_name, "20", 2) == 0 && stat(path, &st) == 0)
			total += (uint64_t)st.st_size;
	}
	if (list != NULL)
		closedir(list);
	return total;
}

struct bench_imported bench_import(const char *name, struct sn_str text, size_t rows)
{
	sn_autofree char *dir = make_dir(), *store = sn_fs_join(dir, "store");
	sn_autofree char *path = put_file(dir, name, text);
	struct bench_imported imported = {.seconds = bench_cpu_seconds()};

	import_file(store, path);
	imported.seconds = bench_cpu_seconds() - imported.seconds;
	imported.bytes_per_row = (double)bytes_in(store) / (double)rows;
	sn_fs_remove_tree(dir, NULL);
	return imported;
}

static pid_t import_in_child(const char *store, const char *path)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		import_file(store, path);
		_exit(0);
	}
	return pid;
}

static void wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		exit(1);
}

double bench_import_two(const char *name, struct sn_str first, struct sn_str second, bool at_once)
{
	sn_autofree char *dir = make_dir(), *store = sn_fs_join(dir, "store");
	sn_autofree char *other = sn_xasprintf("%s.2", name);
	sn_autofree char *one = put_file(dir, name, first), *two = put_file(dir, other, second);
	uint64_t start_ns = sn_mono_ns();
	pid_t pid = import_in_child(store, one);

	if (!at_once)
		wait_for(pid);
	wait_for(import_in_child(store, two));
	if (at_once)
		wait_for(pid);
	start_ns = sn_mono_ns() - start_ns;
	sn_fs_remove_tree(dir, NULL);
	return (double)start_ns / 1e9;
}

/* sqlite3 ---------------------------------------------------------------------- */

static const char *type_of(enum sn_tstat_type type)
{
	return type == SN_TSTAT_TYPE_TEXT                                    ? "TEXT"
	       : type == SN_TSTAT_TYPE_INTEGER || type == SN_TSTAT_TYPE_FLAG ? "INTEGER"
									     : "REAL";
}

/* As durable as a store: a write-ahead log, synchronous. */
static char *script_of(const struct sn_tstat_table *table, const char *path)
{
	struct sn_buf script = {0};

	sn_buf_adds(&script,
		    "PRAGMA journal_mode=WAL;\nPRAGMA synchronous=FULL;\nCREATE TABLE log (");
	for (size_t i = 0; i < table->count; i++)
		sn_buf_addf(&script, "%s\"%s\" %s", i > 0 ? ", " : "", table->columns[i].name,
			    type_of(table->columns[i].type));
	sn_buf_addf(&script, ");\n.mode ascii\n.separator \" \" \"\\n\"\n.import --skip 1 %s log\n",
		    path);
	sn_buf_cstr(&script);
	return script.p;
}

static double child_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool run_sqlite3(const char *db, const char *script)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();

	if (pid == 0) {
		if (freopen(script, "r", stdin) == NULL ||
		    freopen("/dev/null", "w", stdout) == NULL)
			_exit(1);
		execlp("sqlite3", "sqlite3", db, (char *)NULL);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

struct bench_imported bench_sqlite3(const struct sn_tstat_table *table, struct sn_str text,
				    size_t rows)
{
	sn_autofree char *dir = make_dir(), *db = sn_fs_join(dir, "log.db");
	sn_autofree char *path = put_file(dir, "log", text);
	sn_autofree char *commands = script_of(table, path);
	sn_autofree char *script = put_file(dir, "script", sn_str(commands));
	struct bench_imported imported = {.seconds = child_seconds()};
	struct stat st;

	if (run_sqlite3(db, script) && stat(db, &st) == 0) {
		imported.seconds = child_seconds() - imported.seconds;
		imported.bytes_per_row = (double)st.st_size / (double)rows;
	} else {
		imported.seconds = -1;
	}
	sn_fs_remove_tree(dir, NULL);
	return imported;
}
