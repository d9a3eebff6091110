/* SPDX-License-Identifier: Apache-2.0 */
#include "hub.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

#define LIFE_S       86400 /* of certificates */
#define SETTINGS_MAX 16
#define PATIENCE     3000 /* looks for the file that says it is ready, one in ... */
#define LOOK_US      20000

_Noreturn void bench_die(const struct sn_err *err)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, err->text);
	exit(1);
}

static void check_sql(struct bench_hub *hub, int rc)
{
	struct sn_err err = {0};

	if (rc == SQLITE_OK || rc == SQLITE_DONE)
		return;
	sn_err_set(&err, -EIO, "cannot change the hub's database: %s", sqlite3_errmsg(hub->db));
	bench_die(&err);
}

/* The process ------------------------------------------------------------------- */

void bench_hub_init(struct bench_hub *hub, const char *program)
{
	struct sn_err err = {0};

	*hub = (struct bench_hub){.program = program, .core = -1};
	hub->port = (uint16_t)(20000 + getpid() % 20000);
	snprintf(hub->dir, sizeof(hub->dir), "/tmp/sonde-bench-XXXXXX");
	if (mkdtemp(hub->dir) == NULL) {
		sn_err_sys(&err, -errno, "cannot make '%s'", hub->dir);
		bench_die(&err);
	}
}

static _Noreturn void become(const struct bench_hub *hub, const char *const *argv, const char *log)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (hub->core >= 0) {
		CPU_ZERO(&set);
		CPU_SET(hub->core, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

void bench_hub_start(struct bench_hub *hub, const char *const *settings)
{
	sn_autofree char *state = sn_fs_join(hub->dir, "hub"), *log = sn_fs_join(hub->dir, "log");
	sn_autofree char *ready = sn_fs_join(state, "hub.json");
	sn_autofree char *listen = sn_xasprintf("listen=127.0.0.1:%u", hub->port);
	const char *argv[2 * SETTINGS_MAX + 8] = {hub->program, "--state", state,       "--set",
						  listen,       "--set",   "local=none"};
	struct sn_err err = {0};
	int argc = 7;

	for (; *settings != NULL; settings++) {
		assert(argc + 2 < (int)SN_COUNT(argv));
		argv[argc++] = "--set";
		argv[argc++] = *settings;
	}
	if (hub->db != NULL) {
		check_sql(hub, sqlite3_exec(hub->db, "COMMIT", NULL, NULL, NULL));
		sqlite3_close(hub->db);
		hub->db = NULL;
	}
	unlink(ready);
	hub->pid = fork();
	if (hub->pid == 0)
		become(hub, argv, log);
	for (int i = 0; i < PATIENCE && !sn_fs_exists(ready); i++)
		usleep(LOOK_US);
	if (!sn_fs_exists(ready)) {
		sn_err_set(&err, -ETIMEDOUT, "the hub does not start, see '%s'", log);
		bench_die(&err);
	}
}

void bench_hub_stop(struct bench_hub *hub)
{
	kill(hub->pid, SIGTERM);
	waitpid(hub->pid, NULL, 0);
}

void bench_hub_finish(struct bench_hub *hub)
{
	struct sn_err err = {0};

	if (getenv("BENCH_KEEP") == NULL && sn_fs_remove_tree(hub->dir, &err) != 0)
		bench_die(&err);
	sn_buf_finish(&hub->ca_pem);
	sn_buf_finish(&hub->ca_key);
	sn_buf_finish(&hub->key);
	sn_buf_finish(&hub->csr);
}

/* Identities ---------------------------------------------------------------------- */

static void read_file(const struct bench_hub *hub, const char *name, struct sn_buf *out)
{
	sn_autofree char *path = sn_fs_join(hub->dir, name);
	struct sn_err err = {0};

	if (sn_fs_read(path, SN_PKI_PEM_MAX, out, &err) != 0)
		bench_die(&err);
	sn_buf_cstr(out);
}

static void read_authority(struct bench_hub *hub)
{
	struct sn_err err = {0};

	read_file(hub, "hub/pki/ca.pem", &hub->ca_pem);
	read_file(hub, "hub/pki/ca.key", &hub->ca_key);
	if (sn_pki_key_generate(&hub->key, &err) != 0)
		bench_die(&err);
	sn_buf_cstr(&hub->key);
	if (sn_pki_csr_create(hub->key.p, "bench", &hub->csr, &err) != 0)
		bench_die(&err);
	sn_buf_cstr(&hub->csr);
}

static void open_database(struct bench_hub *hub)
{
	sn_autofree char *path = sn_fs_join(hub->dir, "hub/control.sqlite");

	if (hub->db != NULL)
		return;
	if (hub->key.n == 0)
		read_authority(hub);
	check_sql(hub, sqlite3_open(path, &hub->db));
	check_sql(hub, sqlite3_exec(hub->db, "BEGIN", NULL, NULL, NULL));
}

void bench_hub_change(struct bench_hub *hub, const char *sql)
{
	open_database(hub);
	check_sql(hub, sqlite3_exec(hub->db, sql, NULL, NULL, NULL));
}

static void record(struct bench_hub *hub, const char *pem, const char *kind, const char *identity)
{
	struct sn_pki_info info;
	struct sn_err err = {0};
	sqlite3_stmt *insert;
	const char *texts[5];

	if (sn_pki_info(pem, &info, &err) != 0)
		bench_die(&err);
	texts[0] = info.serial;
	texts[1] = info.uri;
	texts[2] = info.fingerprint;
	texts[3] = kind;
	texts[4] = identity != NULL ? identity : info.dotted;
	check_sql(hub,
		  sqlite3_prepare_v2(hub->db,
				     "INSERT INTO certificates (serial, uri, fingerprint, kind,"
				     " identity, issued, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
				     -1, &insert, NULL));
	for (int i = 0; i < (int)SN_COUNT(texts); i++)
		sqlite3_bind_text(insert, i + 1, texts[i], -1, SQLITE_STATIC);
	sqlite3_bind_int64(insert, 6, info.not_before_unix_s * SN_NS_PER_S);
	sqlite3_bind_int64(insert, 7, info.not_after_unix_s * SN_NS_PER_S);
	check_sql(hub, sqlite3_step(insert));
	sqlite3_finalize(insert);
}

char *bench_hub_identify(struct bench_hub *hub, const struct sn_pki_issue *order, const char *kind,
			 const char *identity)
{
	int64_t now_s = sn_wall_ns() / SN_NS_PER_S;
	struct sn_pki_issue whole = *order;
	struct sn_buf pem = {0};
	struct sn_err err = {0};

	open_database(hub);
	whole.ca_cert_pem = hub->ca_pem.p;
	whole.ca_key_pem = hub->ca_key.p;
	whole.csr_pem = hub->csr.p;
	whole.not_before_unix_s = now_s - 60;
	whole.not_after_unix_s = now_s + LIFE_S;
	if (sn_pki_issue(&whole, &pem, &err) != 0)
		bench_die(&err);
	sn_buf_cstr(&pem);
	record(hub, pem.p, kind, identity);
	return pem.p;
}

/* Delays ---------------------------------------------------------------------------- */

void bench_delays_add(struct bench_delays *delays, uint64_t ns)
{
	if (delays->count == delays->room) {
		delays->room = delays->room * 2 + 1024;
		delays->ns = sn_xrealloc(delays->ns, delays->room, sizeof(*delays->ns));
	}
	delays->ns[delays->count++] = ns;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void bench_delays_sort(struct bench_delays *delays)
{
	if (delays->count > 0)
		qsort(delays->ns, delays->count, sizeof(*delays->ns), compare);
}

double bench_delays_quantile(const struct bench_delays *delays, double part)
{
	size_t at = (size_t)((double)delays->count * part);

	if (delays->count == 0)
		return 0;
	return (double)delays->ns[SN_MIN(at, delays->count - 1)] / 1e6;
}
