/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sonde-meter: flows of capture files or of an interface, for people or as rows.
 */
#define SN_MODULE "meter"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/method.h"
#include "meter/capture/drop.h"
#include "meter/session.h"

#define FILE_IDLE_NS    (300 * SN_NS_PER_S)
#define SNAPLEN_MIN     64
#define TOP_DEFAULT     10
#define METHOD_OPTS_MAX 16

struct options {
	const char *interface, *filter, *output;
	struct sn_opt_texts files;
	int64_t active_ns, idle_ns, duration_ns; /* 0: not given */
	uint64_t max_flows, capture_fd, snaplen, buffer_bytes, packets, top;
	bool json, csv, promiscuous;
};

/* Where the parameters that the method declares (data/catalog/method_flow.c) go. */
static const struct {
	const char *name;
	size_t offset;
} method_members[] = {
	{"interface", offsetof(struct options, interface)},
	{"filter", offsetof(struct options, filter)},
	{"active-timeout", offsetof(struct options, active_ns)},
	{"idle-timeout", offsetof(struct options, idle_ns)},
	{"max-flows", offsetof(struct options, max_flows)},
};

#define OPT(name_, letter_, type_, member_, argument_, help_)                                      \
	.name = name_, .letter = letter_, .type = type_,                                           \
	.offset = offsetof(struct options, member_), .argument = argument_, .help = help_

static const struct sn_opt own_options[] = {
	{OPT("read", 'r', SN_OPT_TEXTS, files, "FILE", "meter a capture file; - is standard input"),
	 .group = "Input"},
	{OPT("capture-fd", 0, SN_OPT_U64, capture_fd, "N",
	     "use this descriptor, a bound packet socket"),
	 .min = 3, .max = 65535},
	{OPT("promiscuous", 'p', SN_OPT_FLAG, promiscuous, NULL,
	     "also see frames for other stations")},
	{OPT("snaplen", 's', SN_OPT_SIZE, snaplen, "BYTES", "look at no more of each packet"),
	 .min = SNAPLEN_MIN, .max = SN_CAPTURE_PACKET_MAX},
	{OPT("buffer", 'B', SN_OPT_SIZE, buffer_bytes, "SIZE", "capture ring in the kernel"),
	 .min = SN_RING_BUFFER_MIN, .max = SN_RING_BUFFER_MAX},
	{OPT("packets", 'n', SN_OPT_U64, packets, "N", "stop after this many packets"), .min = 1,
	 .max = UINT64_MAX},
	{OPT("duration", 'd', SN_OPT_DURATION, duration_ns, "TIME", "stop after this time"),
	 .min = SN_NS_PER_MS, .max = INT64_MAX},
	{OPT("json", 'j', SN_OPT_FLAG, json, NULL, "write flows as JSON Lines, no summary"),
	 .group = "Output"},
	{OPT("csv", 0, SN_OPT_FLAG, csv, NULL, "write flows as CSV, no summary")},
	{OPT("output", 'o', SN_OPT_TEXT, output, "FILE",
	     "write flows here and the summary to standard output")},
	{OPT("top", 0, SN_OPT_U64, top, "N", "lines in the lists of the summary"), .min = 1,
	 .max = SN_SUMMARY_TOP_MAX},
};

static enum sn_opt_type option_type(enum sn_param_type type)
{
	static const enum sn_opt_type types[] = {
		[SN_PARAM_TEXT] = SN_OPT_TEXT, [SN_PARAM_FLAG] = SN_OPT_FLAG,
		[SN_PARAM_COUNT] = SN_OPT_U64, [SN_PARAM_DURATION] = SN_OPT_DURATION,
		[SN_PARAM_SIZE] = SN_OPT_SIZE, [SN_PARAM_TARGETS] = SN_OPT_TEXTS,
	};

	return types[type];
}

static size_t method_offset(const char *name)
{
	for (size_t i = 0; i < SN_COUNT(method_members); i++)
		if (strcmp(method_members[i].name, name) == 0)
			return method_members[i].offset;
	fprintf(stderr, "sonde-meter: no place for parameter '%s'\n", name);
	abort();
}

/* The method's options first, then our own; the table that base/cli.h wants. */
static size_t build_options(struct sn_opt *table)
{
	size_t count = 0;

	for (size_t i = 0; i < sn_method_flow.param_count; i++) {
		const struct sn_param *param = &sn_method_flow.params[i];

		table[count++] = (struct sn_opt){
			.name = param->name,
			.letter = param->letter,
			.type = option_type(param->type),
			.offset = method_offset(param->name),
			.argument = param->argument,
			.help = param->help,
			.min = param->min,
			.max = param->max,
			.group = i == 0 ? "Metering" : NULL,
		};
	}
	for (size_t i = 0; i < SN_COUNT(own_options); i++)
		table[count++] = own_options[i];
	return count;
}

static const char *method_default(const char *name)
{
	return sn_method_param(&sn_method_flow, name)->default_text;
}

/* One option for all kinds; what has barely begun is not kept longer than Tstat does. */
static void set_idle_timeouts(struct sn_meter_options *meter, int64_t idle_ns)
{
	meter->tcp_idle_ns = meter->udp_idle_ns = idle_ns;
	meter->tcp_singleton_ns = SN_MIN(meter->tcp_singleton_ns, idle_ns);
	meter->udp_singleton_ns = SN_MIN(meter->udp_singleton_ns, idle_ns);
}

/* Declared defaults are for a live interface; of a file people want one row per connection. */
static void set_defaults(struct options *options, bool live)
{
	if (options->idle_ns == 0 && !live)
		options->idle_ns = FILE_IDLE_NS;
	if (options->idle_ns == 0)
		sn_parse_duration(sn_str(method_default("idle-timeout")), &options->idle_ns);
	if (options->active_ns == 0 && live)
		sn_parse_duration(sn_str(method_default("active-timeout")), &options->active_ns);
	if (options->max_flows == 0)
		sn_parse_u64(sn_str(method_default("max-flows")), 1, UINT64_MAX,
			     &options->max_flows);
	if (options->snaplen == 0)
		options->snaplen = SN_CAPTURE_PACKET_MAX;
	if (options->buffer_bytes == 0)
		options->buffer_bytes = SN_RING_BUFFER_DEFAULT;
	if (options->top == 0)
		options->top = TOP_DEFAULT;
}

/* Everything that is open when privileges are dropped. */
struct run {
	const struct options *options;
	const char **names; /* of the capture files */
	int *fds;
	size_t file_count;
	struct sn_ring *ring;
	int out_fd;
	struct sn_flow_writer *writer;
	struct sn_summary *summary;
	struct sn_session *session;
};

static int fail(const struct sn_err *err)
{
	return sn_cli_fail(sn_cli_exit_code(err->code), "%s", err->text);
}

static int open_file(const char *path, struct sn_err *err)
{
	int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
					: open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? fd : sn_err_sys(err, -errno, "cannot open '%s'", path);
}

static int open_files(struct run *run, int argc, char **argv, struct sn_err *err)
{
	const struct sn_opt_texts *files = &run->options->files;
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

static int open_ring(struct run *run, struct sn_err *err)
{
	const struct options *options = run->options;
	struct sn_ring_options ring = {
		.interface = options->interface,
		.fd = options->capture_fd != 0 ? (int)options->capture_fd : -1,
		.filter = options->filter,
		.snaplen = (uint32_t)options->snaplen,
		.buffer_bytes = options->buffer_bytes,
		.promiscuous = options->promiscuous,
	};

	return sn_ring_open(&ring, &run->ring, err);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static int open_output(struct run *run, struct sn_err *err)
{
	const struct options *options = run->options;
	bool rows_only = options->output == NULL && (options->json || options->csv);
	const char *name = options->output;
	bool csv = options->csv || (!options->json && name != NULL && ends_with(name, ".csv"));

	run->out_fd = STDOUT_FILENO;
	if (!rows_only)
		run->summary = sn_summary_create(options->top);
	if (!rows_only && name == NULL)
		return 0;
	if (name != NULL)
		run->out_fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (run->out_fd < 0)
		return sn_err_sys(err, -errno, "cannot write '%s'", name);
	run->writer = sn_flow_writer_create(run->out_fd, name != NULL ? name : "standard output",
					    csv ? SN_FLOW_CSV : SN_FLOW_JSON);
	return 0;
}

/* Reads the files; stores how many were captures and how many could not be read to their end. */
static void read_files(struct run *run, size_t *captures, size_t *failures)
{
	*captures = *failures = 0;
	for (size_t i = 0; i < run->file_count && !sn_session_is_full(run->session); i++) {
		struct sn_capture_file *file;
		struct sn_err err;
		int result = sn_capture_file_open_fd(run->fds[i], run->names[i], &file, &err);

		run->fds[i] = -1;
		if (result == 0) {
			result = sn_session_read_file(run->session, file, &err);
			*captures += result != -ENOTSUP && result != -EINVAL;
			sn_capture_file_close(file);
		}
		if (result < 0) {
			fail(&err);
			++*failures;
		}
		if (result == -EINTR)
			break;
	}
}

static void describe_source(const struct run *run, char *out, size_t size)
{
	if (run->ring != NULL)
		snprintf(out, size, "interface %s", sn_ring_interface(run->ring));
	else if (run->file_count == 1)
		snprintf(out, size, "%s", run->names[0]);
	else
		snprintf(out, size, "%zu files", run->file_count);
}

static void print_result(const struct run *run)
{
	struct sn_meter_stats stats;
	struct sn_ring_stats ring_stats = {0};
	char source[256];
	struct sn_summary_facts facts = {
		.source = source,
		.meter = &stats,
		.filtered = sn_session_filtered(run->session),
	};
	struct sn_buf text = {0};

	describe_source(run, source, sizeof(source));
	sn_session_read_stats(run->session, &stats);
	if (run->ring != NULL && sn_ring_read_stats(run->ring, &ring_stats) == 0)
		facts.ring = &ring_stats;
	if (run->summary != NULL) {
		sn_summary_write(run->summary, &facts, &text);
		fwrite(text.p, 1, text.n, stdout);
	} else {
		sn_summary_write_losses(&facts, &text);
		if (text.n > 0)
			sn_notice("%s", sn_buf_cstr(&text));
	}
	sn_buf_finish(&text);
}

static int measure(struct run *run)
{
	size_t captures = 1, failures = 0;
	struct sn_err err;
	int exit_code = SN_EXIT_OK;

	sn_session_catch_signals();
	if (run->ring == NULL)
		read_files(run, &captures, &failures);
	else if (sn_session_watch(run->session, run->ring, &err) < 0)
		exit_code = fail(&err);
	if (failures > 0)
		exit_code = captures > 0 ? SN_EXIT_PARTIAL : SN_EXIT_FAILED;
	if (sn_session_finish(run->session, &err) < 0)
		return fail(&err);
	if (captures > 0)
		print_result(run);
	return exit_code;
}

static int open_all(struct run *run, bool live, int argc, char **argv, struct sn_err *err)
{
	struct sn_drop_needs needs = {.read = true,
				      .resolve = !live && run->options->filter != NULL};
	int result = live ? open_ring(run, err) : open_files(run, argc, argv, err);

	if (result == 0)
		result = open_output(run, err);
	return result == 0 ? sn_drop_privileges(&needs, err) : result;
}

static void close_all(struct run *run)
{
	sn_session_destroy(run->session);
	sn_flow_writer_destroy(run->writer);
	sn_summary_destroy(run->summary);
	sn_ring_close(run->ring);
	for (size_t i = 0; i < run->file_count; i++)
		if (run->fds[i] >= 0)
			close(run->fds[i]);
	if (run->out_fd > STDERR_FILENO)
		close(run->out_fd);
	free(run->names);
	free(run->fds);
}

static int check_usage(const struct options *options, bool live, size_t files)
{
	if (live && files > 0)
		return sn_cli_fail(SN_EXIT_USAGE, "cannot meter files and an interface in one run");
	if (!live && files == 0)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "nothing to meter (give --interface NAME or --read FILE)");
	if (options->json && options->csv)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "options '--json' and '--csv' exclude each other");
	return SN_EXIT_OK;
}

static int run_meter(const struct sn_verb *verb SN_UNUSED, void *given, int argc, char **argv)
{
	struct options *options = given;
	bool live = options->interface != NULL || options->capture_fd != 0;
	struct run run = {.options = options, .out_fd = -1};
	int exit_code = check_usage(options, live, options->files.count + (size_t)argc);
	struct sn_err err;

	if (exit_code != SN_EXIT_OK)
		return exit_code;
	set_defaults(options, live);
	if (open_all(&run, live, argc, argv, &err) < 0) {
		exit_code = fail(&err);
	} else {
		struct sn_session_options session = {
			.filter = live ? NULL : options->filter,
			.snaplen = (uint32_t)options->snaplen,
			.packets_max = options->packets,
			.duration_ns = options->duration_ns,
			.progress = isatty(STDERR_FILENO),
		};

		sn_meter_options_default(&session.meter);
		session.meter.active_ns = options->active_ns;
		session.meter.max_flows = options->max_flows;
		set_idle_timeouts(&session.meter, options->idle_ns);
		run.session = sn_session_create(&session, run.writer, run.summary);
		exit_code = measure(&run);
	}
	close_all(&run);
	return exit_code;
}

int main(int argc, char **argv)
{
	struct sn_opt table[METHOD_OPTS_MAX + SN_COUNT(own_options)];
	struct sn_verb verb = {
		.path = "",
		.arguments = "[FILE...]",
		.help = "meter capture files or an interface into flows",
		.examples = "sonde-meter -r trace.pcap\n"
			    "sonde-meter --json -i eth0 -f 'not port 22'",
		.options = table,
		.options_size = sizeof(struct options),
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

	verb.option_count = build_options(table);
	return sn_cli_main(&program, argc, argv);
}
