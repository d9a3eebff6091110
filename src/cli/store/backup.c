/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde store backup`, `sonde store restore`, and waiting for jobs of a hub. */
#include "cli/store/internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "net/http_client.h"
#include "store/backup.h"

#define EACH_NS (200 * SN_NS_PER_MS)

/* A hub's job ------------------------------------------------------------------------- */

static int look_at_job(struct sn_client *client, const char *path, json_t **job, struct sn_err *err)
{
	json_t *news = NULL;
	int rc = sn_client_get(client, path, &news, err);

	if (rc != 0)
		return rc;
	json_decref(*job);
	*job = news;
	return 0;
}

static bool is_running(const json_t *job)
{
	const char *state = sn_output_text(job, "state");

	return state != NULL && strcmp(state, "running") == 0;
}

static void wait_a_moment(struct sn_client *client)
{
	uint64_t end_ns = sn_mono_ns() + EACH_NS;

	while (sn_mono_ns() < end_ns)
		sn_loop_turn(sn_client_loop(client), EACH_NS);
}

int sn_store_job(struct sn_client *client, const char *path, const json_t *body, const char *label,
		 json_t **job, struct sn_err *err)
{
	sn_autofree char *at = NULL;
	const char *reason;
	struct sn_bar bar;
	int rc;

	*job = NULL;
	rc = sn_client_call(client, "POST", path, body, job, err);
	if (rc != 0)
		return rc;
	at = sn_xasprintf("/api/v1/store/jobs/%s", sn_output_text(*job, "id"));
	sn_bar_begin(&bar, stderr, label, SN_BAR_BYTES, 0);
	while (rc == 0 && is_running(*job)) {
		sn_bar_update(&bar, (uint64_t)sn_output_number(*job, "done"),
			      (uint64_t)sn_output_number(*job, "total"), NULL);
		wait_a_moment(client);
		rc = look_at_job(client, at, job, err);
	}
	sn_bar_clear(&bar);
	if (rc != 0)
		return rc;
	reason = sn_output_text(*job, "reason");
	return reason != NULL ? sn_err_set(err, -EIO, "%s", reason) : 0;
}

/* Work of our own, on a thread, with a bar ------------------------------------------------ */

struct task {
	int (*run)(struct task *task);
	struct sn_backup_options backup;
	struct sn_restore_options restore;
	struct sn_backup_watch watch;
	struct sn_backup_sum sum;
	char *aside;
	struct sn_err err;
	int rc;
	atomic_bool done;
};

static void *run_task(void *arg)
{
	struct task *task = arg;

	task->rc = task->run(task);
	atomic_store(&task->done, true);
	return NULL;
}

static struct task *interrupted;

static void on_signal(int number SN_UNUSED)
{
	atomic_store(&interrupted->watch.stop, true);
}

static int do_task(struct task *task, const char *label)
{
	struct sigaction action = {.sa_handler = on_signal};
	pthread_t thread;
	struct sn_bar bar;

	interrupted = task;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (pthread_create(&thread, NULL, run_task, task) != 0)
		return sn_err_set(&task->err, -EAGAIN, "cannot start a thread");
	sn_bar_begin(&bar, stderr, label, SN_BAR_BYTES, 0);
	while (!atomic_load(&task->done)) {
		usleep(20000);
		sn_bar_update(&bar, atomic_load(&task->watch.done), atomic_load(&task->watch.total),
			      NULL);
	}
	pthread_join(thread, NULL);
	sn_bar_clear(&bar);
	return task->rc;
}

/* Backup ------------------------------------------------------------------------------------ */

static const char keep_it[] = "It has the hub's keys: keep it where only you can read it (its "
			      "files are mode 0600, its directory 0700).\n";

static void show_sum(const struct sn_backup_sum *sum, const char *what, bool json)
{
	char bytes[32], copied[32];

	if (json) {
		sn_autojson json_t *object =
			json_pack("{s:I, s:I, s:I, s:I}", "files", (json_int_t)sum->files, "bytes",
				  (json_int_t)sum->bytes, "copied", (json_int_t)sum->copied,
				  "copied_bytes", (json_int_t)sum->copied_bytes);

		sn_output_json_line(stdout, object);
		return;
	}
	printf("%s: %llu files, %s; copied now: %llu files, %s\n", what,
	       (unsigned long long)sum->files, sn_format_bytes(sum->bytes, bytes, sizeof(bytes)),
	       (unsigned long long)sum->copied,
	       sn_format_bytes(sum->copied_bytes, copied, sizeof(copied)));
}

static int make_backup(struct task *task)
{
	return sn_backup_make(&task->backup, &task->watch, &task->sum, &task->err);
}

static int back_up_directory(const struct options *given, const char *directory)
{
	struct task task = {
		.run = make_backup,
		.backup = {.state = given->state, .directory = directory, .full = given->full},
	};

	if (do_task(&task, "backup") != 0)
		return sn_client_fail(&task.err);
	show_sum(&task.sum, directory, given->json);
	fputs(keep_it, stderr);
	return SN_EXIT_OK;
}

struct asked {
	const struct options *given;
	char *directory;
};

static int ask_for_backup(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct asked *asked = ctx;
	sn_autojson json_t *body = json_pack("{s:s, s:b}", "directory", asked->directory,
					     "incremental", !asked->given->full),
			   *job = NULL;
	const json_t *finding;
	int rc = sn_store_job(client, "/api/v1/store/backup", body, "backup", &job, err);

	if (rc != 0)
		return rc;
	finding = json_array_get(json_object_get(job, "findings"), 0);
	if (asked->given->json)
		sn_output_json_line(stdout, job);
	else
		printf("%s: %s\n", sn_output_text(finding, "what"),
		       sn_output_text(finding, "reason"));
	fputs(keep_it, stderr);
	return 0;
}

/* What is relative here means nothing to the hub. */
static char *absolute(const char *path)
{
	sn_autofree char *here = path[0] != '/' ? getcwd(NULL, 0) : NULL;

	return here != NULL ? sn_xasprintf("%s/%s", here, path) : sn_xstrdup(path);
}

int sn_store_run_backup(const struct sn_verb *verb SN_UNUSED, void *options, int argc SN_UNUSED,
			char **argv)
{
	struct asked asked = {.given = options};
	int code;

	if (asked.given->state != NULL)
		return back_up_directory(asked.given, argv[0]);
	asked.directory = absolute(argv[0]);
	code = sn_client_run(&asked.given->client, ask_for_backup, &asked);
	free(asked.directory);
	return code;
}

/* Restore ------------------------------------------------------------------------------------- */

static int restore(struct task *task)
{
	return sn_restore(&task->restore, &task->watch, &task->sum, &task->aside, &task->err);
}

int sn_store_run_restore(const struct sn_verb *verb SN_UNUSED, void *options, int argc SN_UNUSED,
			 char **argv)
{
	const struct options *given = options;
	struct task task = {
		.run = restore,
		.restore = {.directory = argv[0],
			    .state = given->state,
			    .force = given->force,
			    .dry_run = given->dry_run},
	};

	if (given->state == NULL)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "'--state' is missing (the state directory to make)");
	if (do_task(&task, given->dry_run ? "verify" : "restore") != 0)
		return sn_client_fail(&task.err);
	show_sum(&task.sum, given->dry_run ? "The backup is whole" : given->state, given->json);
	if (task.aside != NULL)
		fprintf(stderr, "What was there before is in '%s'.\n", task.aside);
	free(task.aside);
	return SN_EXIT_OK;
}
