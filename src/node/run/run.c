/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "run"
#include "node/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "data/codec.h"
#include "node/run/meters.h"
#include "node/run/pings.h"

#define LAST_WORDS_MAX 200
#define NAME_MAX_BYTES 64
#define ERR_READS      64 /* of one wake-up: a pipe holds no more */
#define ERR_READ_STEP  4096

struct sn_runner {
	struct sn_loop *loop;
	char *program_dir, *priv_socket, *meter_dir;
	uint64_t stop_ns;
	int never_fd; /* a file in memory, of the networks that get nothing; -1: none */
	struct sn_batch **scratch; /* one per dataset that was ever used */
	size_t scratch_count;
};

struct sn_run {
	struct sn_runner *runner;
	const struct sn_method *method;
	const struct sn_run_ops *ops;
	void *ctx;
	struct sn_proc *proc;
	struct sn_timer patience;
	struct sn_io err_io;
	int err_fd;
	char name[NAME_MAX_BYTES];
	uint64_t rows;
	bool stopped;
	char line[LAST_WORDS_MAX];       /* of standard error, not ended yet */
	char last_words[LAST_WORDS_MAX]; /* the last line that was */
	size_t line_length;
};

/* The runner ------------------------------------------------------------------------- */

static char *copy(const char *text)
{
	return sn_xstrdup(text != NULL ? text : "");
}

struct sn_runner *sn_runner_create(const struct sn_runner_config *config)
{
	struct sn_runner *runner = sn_new(struct sn_runner);

	runner->loop = config->loop;
	runner->program_dir = copy(config->program_dir);
	runner->priv_socket = copy(config->priv_socket);
	runner->meter_dir = copy(config->meter_dir);
	runner->stop_ns = config->stop_ns > 0 ? config->stop_ns : (uint64_t)SN_RUN_STOP_NS;
	runner->never_fd = -1;
	return runner;
}

void sn_runner_destroy(struct sn_runner *runner)
{
	if (runner == NULL)
		return;
	for (size_t i = 0; i < runner->scratch_count; i++)
		sn_batch_destroy(runner->scratch[i]);
	if (runner->never_fd >= 0)
		close(runner->never_fd);
	free(runner->scratch);
	free(runner->program_dir);
	free(runner->priv_socket);
	free(runner->meter_dir);
	free(runner);
}

bool sn_runner_can(const struct sn_runner *runner, const struct sn_method *method)
{
	sn_autofree char *path = sn_fs_join(runner->program_dir, method->program);
	bool has_place = method != &sn_method_meter_switch || runner->meter_dir[0] != '\0';

	return has_place && access(path, X_OK) == 0;
}

bool sn_run_is_one_shot(const struct sn_method *method, const json_t *parameters)
{
	return sn_method_param(method, "period") != NULL &&
	       json_object_get(parameters, "period") == NULL;
}

struct sn_batch *sn_runner_scratch(struct sn_runner *runner, const struct sn_dataset *dataset)
{
	struct sn_batch *batch;

	for (size_t i = 0; i < runner->scratch_count; i++) {
		if (sn_batch_dataset(runner->scratch[i]) == dataset) {
			sn_batch_clear(runner->scratch[i]);
			return runner->scratch[i];
		}
	}
	batch = sn_batch_create(dataset);
	runner->scratch =
		sn_xrealloc(runner->scratch, runner->scratch_count + 1, sizeof(*runner->scratch));
	runner->scratch[runner->scratch_count++] = batch;
	return batch;
}

/* What is never probed ------------------------------------------------------------------- */

/* In memory: a full disk is no reason to probe them. */
static int make_never_file(struct sn_str networks)
{
	sn_autoclose int fd = memfd_create("never-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t written = 0;

	while (fd >= 0 && written < networks.n) {
		ssize_t n = write(fd, networks.p + written, networks.n - written);

		if (n < 0 && errno != EINTR)
			return -errno;
		written += (size_t)SN_MAX(n, (ssize_t)0);
	}
	/* All that run share it: what one of them is brought to do must not reach the others. */
	if (fd < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		return -errno;
	return sn_steal_fd(&fd);
}

int sn_runner_set_never(struct sn_runner *runner, struct sn_str networks, struct sn_err *err)
{
	int fd = networks.n > 0 ? make_never_file(networks) : -1;

	if (networks.n > 0 && fd < 0)
		return sn_err_sys(err, fd, "cannot hand over what is never probed");
	if (runner->never_fd >= 0)
		close(runner->never_fd);
	runner->never_fd = fd;
	return 0;
}

bool sn_run_has_targets(const struct sn_method *method)
{
	for (size_t i = 0; i < method->param_count; i++) {
		if (method->params[i].type == SN_PARAM_TARGETS)
			return true;
	}
	return false;
}

/* Rows --------------------------------------------------------------------------------- */

static void take_line(struct sn_proc *proc SN_UNUSED, struct sn_str line, int error, void *ctx)
{
	struct sn_run *run = ctx;
	const struct sn_dataset *dataset;
	struct sn_batch *row;
	struct sn_err err = {0};

	if (error == -ENODATA) /* cut off by the end of the process: no row yet */
		return;
	dataset = sn_jsonl_dataset(line, run->method->dataset);
	row = dataset != NULL ? sn_runner_scratch(run->runner, dataset) : NULL;
	if (error != 0) {
		run->ops->refused("the line is too long", run->ctx);
	} else if (row == NULL) {
		run->ops->refused("its dataset is unknown", run->ctx);
	} else if (sn_jsonl_read_row(row, line, &err) != 0) {
		run->ops->refused(err.text, run->ctx);
	} else if (sn_batch_get(row, 0, SN_COL_TIME)->type == SN_TYPE_NULL) {
		run->ops->refused("'time' is missing", run->ctx);
	} else {
		run->rows++;
		run->ops->row(row, line, run->ctx);
	}
}

/* Standard error ----------------------------------------------------------------------- */

static void end_error_line(struct sn_run *run)
{
	if (run->line_length > 0) {
		memcpy(run->last_words, run->line, run->line_length);
		run->last_words[run->line_length] = '\0';
	}
	run->line_length = 0;
}

static void note_errors(struct sn_run *run, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			end_error_line(run);
		else if (run->line_length < sizeof(run->line) - 1)
			run->line[run->line_length++] =
				(char)((unsigned char)p[i] < ' ' ? ' ' : p[i]);
	}
}

static void close_errors(struct sn_run *run)
{
	sn_io_stop(&run->err_io);
	if (run->err_fd >= 0)
		close(run->err_fd);
	run->err_fd = -1;
}

static void read_errors(struct sn_run *run)
{
	char data[ERR_READ_STEP];

	for (unsigned reads = 0; run->err_fd >= 0 && reads < ERR_READS; reads++) {
		ssize_t n = read(run->err_fd, data, sizeof(data));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close_errors(run);
			return;
		}
		note_errors(run, data, (size_t)n);
		/* Whether anybody reads ours is not our concern. */
		(void)!write(STDERR_FILENO, data, (size_t)n);
	}
}

static void errors_ready(struct sn_io *io, int events SN_UNUSED)
{
	read_errors(sn_container_of(io, struct sn_run, err_io));
}

/* -1: the child keeps ours. */
static int open_errors(struct sn_run *run)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	/* Only our end: the child's writes shall block, not fail. */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	run->err_fd = fds[0];
	sn_io_init(&run->err_io, run->runner->loop, run->err_fd, errors_ready);
	sn_io_start(&run->err_io, SN_IO_READ);
	return fds[1];
}

/* Its end -------------------------------------------------------------------------------- */

/* Programs begin their messages with their own name, which is said already. */
static const char *without_name(const char *words, const char *program)
{
	size_t n = strlen(program);

	return strncmp(words, program, n) == 0 && strncmp(words + n, ": ", 2) == 0 ? words + n + 2
										   : words;
}

static void describe(struct sn_run *run, int status, struct sn_run_end *end)
{
	const char *words = without_name(run->last_words, run->method->program);
	char text[64];

	*end = (struct sn_run_end){
		.rows = run->rows,
		.exited = WIFEXITED(status),
		.in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0,
		.stopped = run->stopped,
	};
	snprintf(end->how, sizeof(end->how), "%s ended: %s%s%s", run->method->program,
		 sn_proc_describe(status, text, sizeof(text)), words[0] != '\0' ? ": " : "", words);
}

static void process_ended(struct sn_proc *proc SN_UNUSED, int status, void *ctx)
{
	struct sn_run *run = ctx;
	const struct sn_run_ops *ops = run->ops;
	void *ops_ctx = run->ctx;
	struct sn_run_end end;

	read_errors(run);
	end_error_line(run);
	describe(run, status, &end);
	sn_run_destroy(run);
	ops->ended(&end, ops_ctx);
}

static void patience_ended(struct sn_timer *timer)
{
	struct sn_run *run = sn_container_of(timer, struct sn_run, patience);

	sn_warn("process did not end when told to; killed for=%s", run->name);
	/* Its end is reported as always. */
	sn_proc_signal(run->proc, SIGKILL);
}

void sn_run_stop(struct sn_run *run)
{
	if (run->stopped)
		return;
	run->stopped = true;
	sn_proc_signal(run->proc, SIGTERM);
	sn_timer_in(&run->patience, run->runner->stop_ns);
}

void sn_run_destroy(struct sn_run *run)
{
	if (run == NULL)
		return;
	sn_timer_stop(&run->patience);
	sn_proc_destroy(run->proc);
	close_errors(run);
	free(run);
}

pid_t sn_run_pid(const struct sn_run *run)
{
	return sn_proc_pid(run->proc);
}

/* Its start ------------------------------------------------------------------------------ */

static int hand(const struct sn_run *run, const json_t *parameters, struct sn_handed *handed,
		struct sn_err *err)
{
	const struct sn_runner *runner = run->runner;
	int error = sn_meters_hand(handed, run->method, parameters, runner->priv_socket,
				   runner->meter_dir, run->name, err);

	sn_pings_hand(handed, run->method, runner->priv_socket, run->name);
	if (sn_run_has_targets(run->method) && runner->never_fd >= 0)
		sn_handed_add_fd(handed, "--never-probe", "/proc/self/fd/",
				 fcntl(runner->never_fd, F_DUPFD_CLOEXEC, 3));
	return error;
}

static int start_process(struct sn_run *run, const json_t *parameters, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(run->runner->program_dir, run->method->program);
	char **argv = sn_method_argv(run->method, parameters, path);
	sn_autofree const char **more_argv = NULL;
	struct sn_handed handed = {0};
	sn_autoclose int child_err = open_errors(run);
	struct sn_proc_spec spec = {.argv = (const char *const *)argv,
				    .err_fd = SN_MAX(child_err, 0),
				    .on_line = take_line,
				    .on_exit = process_ended,
				    .ctx = run};
	int error = hand(run, parameters, &handed, err);

	more_argv = sn_handed_argv(&handed, argv, run->method->verb != NULL ? 2 : 1);
	spec.argv = more_argv;
	for (size_t i = 0; i < handed.fd_count; i++)
		spec.fds[spec.fd_count++] = handed.fds[i];
	if (error == 0)
		error = sn_proc_start(run->runner->loop, &spec, &run->proc, err);
	sn_method_argv_free(argv);
	sn_handed_finish(&handed);
	return error;
}

int sn_run_start(struct sn_runner *runner, const struct sn_method *method, const json_t *parameters,
		 const char *name, const struct sn_run_ops *ops, void *ctx, struct sn_run **out,
		 struct sn_err *err)
{
	struct sn_run *run = sn_new(struct sn_run);
	int error;

	*run = (struct sn_run){
		.runner = runner, .method = method, .ops = ops, .ctx = ctx, .err_fd = -1};
	snprintf(run->name, sizeof(run->name), "%s", name);
	sn_timer_init(&run->patience, runner->loop, patience_ended);
	error = start_process(run, parameters, err);
	if (error != 0) {
		sn_run_destroy(run);
		run = NULL;
	}
	*out = run;
	return error;
}
