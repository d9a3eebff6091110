/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sonde-meter: flows of capture files or of an interface, for people, as rows, as
 * Tstat's logs, as IPFIX.
 */
#define SN_MODULE "meter"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "main/meter/outputs.h"
#include "meter/capture/drop.h"
#include "meter/control/lease.h"

struct run {
	struct meter_parts parts;
	const char **names; /* of the capture files */
	int *fds;
	size_t file_count;
	size_t captures, failures; /* files that were some; that could not be read to their end */
};

static int fail(const struct sn_err *err)
{
	return sn_cli_fail(sn_cli_exit_code(err->code), "%s", err->text);
}

/* Files --------------------------------------------------------------------- */

static int open_file(const char *path, struct sn_err *err)
{
	int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
					: open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? fd : sn_err_sys(err, -errno, "cannot open '%s'", path);
}

static int open_files(struct run *run, int argc, char **argv, struct sn_err *err)
{
	const struct sn_opt_texts *files = &run->parts.options->files;
	size_t count = files->count + (size_t)argc;

	run->names = sn_new_n(const char *, count);
	run->fds = sn_new_n(int, count);
	for (size_t i = 0; i < count; i++) {
		const char *path = i < files->count ? files->items[i] : argv[i - files->count];

		run->names[i] = strcmp(path, "-") == 0 ? "standard input" : path;
		run->fds[i] = open_file(path, err);
		if (run->fds[i] < 0)
			return run->fds[i];
		run->file_count++;
	}
	return 0;
}

static void take_trouble(const struct sn_err *err, bool refused, void *ctx)
{
	struct run *run = sn_container_of((struct meter_parts *)ctx, struct run, parts);

	fail(err);
	run->failures++;
	if (refused)
		run->captures--;
}

/* Looks at the first bytes of each; those that are captures. */
static size_t begin_files(struct run *run, struct sn_capture_file **files)
{
	size_t count = 0;

	for (size_t i = 0; i < run->file_count; i++) {
		struct sn_err err;
		int fd = run->fds[i];

		run->fds[i] = -1;
		if (sn_capture_file_open_fd(fd, run->names[i], &files[count], &err) == 0) {
			count++;
			continue;
		}
		fail(&err);
		run->failures++;
	}
	return count;
}

static int read_files(struct run *run)
{
	struct sn_capture_file **files = sn_new_n(struct sn_capture_file *, run->file_count);
	struct sn_err err = {0};
	int result = 0;

	run->captures = begin_files(run, files);
	if (run->captures > 0)
		result = sn_session_read_files(run->parts.session, files, run->captures,
					       take_trouble, &err);
	free(files);
	if (result == -EINTR) {
		fail(&err);
		run->failures++;
	} else if (result != 0) {
		run->captures = 0; /* there is nothing to sum up */
		/* A sink that cannot go on says why when it is flushed. */
		return err.code != 0 ? fail(&err) : SN_EXIT_FAILED;
	}
	return run->failures == 0  ? SN_EXIT_OK
	       : run->captures > 0 ? SN_EXIT_PARTIAL
				   : SN_EXIT_FAILED;
}

/* Interfaces ------------------------------------------------------------------ */

static int open_lives(struct run *run, struct sn_err *err)
{
	const struct meter_options *options = run->parts.options;
	struct sn_live_options live = {
		.ring =
			{
				.interface = options->interface,
				.fd = options->capture_fd != 0 ? (int)options->capture_fd : -1,
				.filter = options->filter,
				.snaplen = (uint32_t)options->snaplen,
				.buffer_bytes = options->buffer_bytes,
				.promiscuous = options->promiscuous,
			},
		.xdp = options->af_xdp,
	};
	struct sn_err fallback = {0};
	int count =
		sn_live_open(&live, (unsigned)options->workers, run->parts.lives, &fallback, err);

	if (count < 0)
		return count;
	run->parts.live_count = (size_t)count;
	if (fallback.code != 0)
		sn_warn("%s", fallback.text);
	return 0;
}

static int set_filter(struct meter_parts *parts, const char *filter, struct sn_err *err)
{
	int result = 0;

	if (!parts->live)
		return sn_err_set(err, -ENOTSUP, "the filter of files cannot be changed");
	for (size_t i = 0; result == 0 && i < parts->live_count; i++)
		result = sn_live_set_filter(parts->lives[i], filter, err);
	return result;
}

static int watch(struct run *run)
{
	struct meter_parts *parts = &run->parts;
	struct sn_err err = {0};

	run->captures = 1;
	if (sn_session_watch(parts->session, parts->lives, parts->live_count, &err) < 0)
		return fail(&err);
	return SN_EXIT_OK;
}

/* A run -------------------------------------------------------------------------- */

static void describe_source(const struct run *run, char *out, size_t size)
{
	if (run->parts.live)
		snprintf(out, size, "interface %s", sn_live_interface(run->parts.lives[0]));
	else if (run->file_count == 1)
		snprintf(out, size, "%s", run->names[0]);
	else
		snprintf(out, size, "%zu files", run->file_count);
}

static int measure(struct run *run)
{
	struct meter_parts *parts = &run->parts;
	char source[256];
	struct sn_err err = {0};
	int exit_code;

	sn_session_catch_signals();
	exit_code = parts->live ? watch(run) : read_files(run);
	if (sn_session_finish(parts->session, &err) < 0 || meter_outputs_finish(parts, &err) < 0)
		return fail(&err);
	describe_source(run, source, sizeof(source));
	if (run->captures > 0)
		meter_outputs_print(parts, source);
	return exit_code;
}

static struct sn_drop_needs needs_of(const struct meter_parts *parts)
{
	const struct meter_options *options = parts->options;

	return (struct sn_drop_needs){
		.read = true,
		.files = parts->logs != NULL,
		.resolve = (!parts->live && options->filter != NULL) ||
			   (parts->ipfix != NULL && sn_ipfix_needs_names(parts->ipfix)),
		.network = parts->ipfix != NULL && sn_ipfix_needs_network(parts->ipfix),
		.accept = parts->control != NULL,
		.threads = true,
	};
}

static int open_all(struct run *run, int argc, char **argv, struct sn_err *err)
{
	struct meter_parts *parts = &run->parts;
	struct sn_drop_needs needs;
	int result = parts->live ? open_lives(run, err) : open_files(run, argc, argv, err);

	if (result == 0)
		result = meter_parts_open(parts, err);
	needs = needs_of(parts);
	if (result == 0)
		result = sn_drop_privileges(&needs, err);
	return result == 0 ? meter_parts_start(parts, err) : result;
}

static void close_all(struct run *run)
{
	meter_parts_close(&run->parts);
	for (size_t i = 0; i < run->parts.live_count; i++)
		sn_live_close(run->parts.lives[i]);
	for (size_t i = 0; i < run->file_count; i++)
		if (run->fds[i] >= 0)
			close(run->fds[i]);
	free(run->names);
	free(run->fds);
}

static int run_meter(const struct sn_verb *verb SN_UNUSED, void *given, int argc, char **argv)
{
	struct meter_options *options = given;
	bool live = options->interface != NULL || options->capture_fd != 0;
	int exit_code = meter_options_check(options, live, options->files.count + (size_t)argc);
	struct run *run;
	struct sn_err err = {0};

	if (exit_code != SN_EXIT_OK)
		return exit_code;
	if (options->switches.count > 0)
		return meter_switch(options);
	meter_options_default(options, live);
	run = sn_new(struct run);
	run->parts.options = options;
	run->parts.live = live;
	run->parts.set_filter = set_filter;
	run->parts.out_fd = -1;
	exit_code = open_all(run, argc, argv, &err) < 0 ? fail(&err) : measure(run);
	close_all(run);
	free(run);
	return exit_code;
}

int main(int argc, char **argv)
{
	struct sn_opt table[METER_OPTIONS_MAX];
	struct sn_verb verb = {
		.path = "",
		.arguments = "[FILE...]",
		.help = "meter capture files or an interface into flows",
		.examples =
			"sonde-meter -r trace.pcap.gz\n"
			"sonde-meter --format tstat --directory logs -N internal.txt trace.pcap\n"
			"sonde-meter --json -i eth0 -f 'not port 22'",
		.options = table,
		.options_size = sizeof(struct meter_options),
		.max_args = -1,
		.run = run_meter,
		.complete = "file",
	};
	struct sn_program program = {
		.name = "sonde-meter",
		.summary = "passive flow meter",
		.verbs = &verb,
		.verb_count = 1,
	};

	verb.option_count = meter_options_table(table);
	return sn_cli_main(&program, argc, argv);
}
