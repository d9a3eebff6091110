/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/privilege.h"
#include "probe/ping_net.h"
#include "probe/ping_resolver.h"
#include "probe/ping_run.h"
#include "probe/report.h"

struct program {
	const struct sn_probe_request *request;
	struct sn_ping_config config;
	struct sn_ping_socket_config sockets;
	struct sn_ping_targets targets;
	struct sn_prefixes never; /* networks that get nothing */
	int family;               /* AF_UNSPEC: what a name resolves to first */
	struct sn_loop *loop;
	struct sn_ping_net net;
	struct sn_report *report;
	bool done;
};

/* What was asked for ---------------------------------------------------------------------- */

static int read_family(struct program *program, struct sn_err *err)
{
	const char *family, *source;
	int rc = sn_probe_text(program->request, "family", &family, err);

	if (rc == 0)
		rc = sn_probe_text(program->request, "source", &source, err);
	if (rc != 0)
		return rc;
	program->family = family == NULL ? AF_UNSPEC : family[0] == '6' ? AF_INET6 : AF_INET;
	if (source == NULL)
		return 0;
	if (sn_addr_parse(sn_str(source), 0, &program->sockets.source) != 0)
		return sn_err_set(err, -EINVAL, "option '--source': '%s' is not an address",
				  source);
	if (program->family == AF_UNSPEC)
		program->family = program->sockets.source.sa.sa_family;
	if (program->family != program->sockets.source.sa.sa_family)
		return sn_err_set(
			err, -EINVAL,
			"option '--source': '%s' is not an IPv%s address as --family asks", source,
			family);
	return 0;
}

static int read_config(struct program *program, struct sn_err *err)
{
	struct sn_ping_config *config = &program->config;
	uint64_t count = 0, size = 0, ttl = 0;
	const struct {
		const char *name;
		uint64_t *value;
	} numbers[] = {
		{"count", &count},
		{"size", &size},
		{"ttl", &ttl},
		{"interval", &config->interval_ns},
		{"timeout", &config->timeout_ns},
		{"period", &config->period_ns},
	};

	for (size_t i = 0; i < SN_COUNT(numbers); i++) {
		int rc = sn_probe_number(program->request, numbers[i].name, numbers[i].value, err);

		if (rc != 0 && rc != -ENOENT)
			return rc;
	}
	config->count = (uint32_t)count;
	config->payload_size = program->sockets.payload_size = (size_t)size;
	program->sockets.ttl = (unsigned)ttl;
	return sn_probe_text(program->request, "interface", &program->sockets.interface, err);
}

static int read_target_file(struct program *program, const char *name, struct sn_err *err)
{
	bool standard_input = strcmp(name, "-") == 0;
	FILE *file = standard_input ? stdin : fopen(name, "re");
	int rc;

	if (file == NULL)
		return sn_err_sys(err, -errno, "cannot read targets from '%s'", name);
	rc = sn_ping_targets_read(&program->targets, file, standard_input ? "standard input" : name,
				  err);
	if (!standard_input)
		fclose(file);
	return rc;
}

static int read_targets(struct program *program, struct sn_err *err)
{
	const struct sn_probe_request *request = program->request;
	int rc = 0;

	for (int i = 0; rc == 0 && i < request->target_count; i++)
		rc = sn_ping_targets_add(&program->targets, sn_str(request->targets[i]), err);
	if (rc == 0 && request->options->targets != NULL)
		rc = read_target_file(program, request->options->targets, err);
	if (rc == 0 && program->targets.count == 0)
		return sn_err_set(err, -EINVAL,
				  "nothing to ping (name a host, or a file with --targets FILE)");
	return rc;
}

static int read_request(struct program *program, struct sn_err *err)
{
	int rc = read_family(program, err);

	if (rc == 0)
		rc = read_config(program, err);
	if (rc == 0)
		rc = read_targets(program, err);
	if (rc == 0)
		rc = sn_probe_never(program->request, &program->never, err);
	program->targets.never = &program->never;
	if (rc == 0)
		rc = sn_ping_config_check(&program->config, program->targets.count, err);
	return rc;
}

/* One run of very many targets takes its time rather than flood the first hop. */
static void pace_interval(struct program *program)
{
	struct sn_ping_config *config = &program->config;
	uint64_t asked_ns = config->interval_ns;
	char asked[SN_DURATION_TEXT_MAX], paced[SN_DURATION_TEXT_MAX];

	if (config->period_ns != 0)
		return;
	config->interval_ns = sn_ping_paced_interval(asked_ns, program->targets.count);
	if (config->interval_ns == asked_ns || config->count == 1)
		return;
	fprintf(stderr,
		"%s: interval raised from %s to %s: %u targets at no more than %d requests a "
		"second\n",
		sn_cli_program(), sn_format_duration((int64_t)asked_ns, asked, sizeof(asked)),
		sn_format_duration((int64_t)config->interval_ns, paced, sizeof(paced)),
		program->targets.count, SN_PING_RATE_MAX);
}

/* Sockets --------------------------------------------------------------------------------- */

static int adopt_sockets(struct program *program, struct sn_err *err)
{
	const struct sn_opt_texts *texts = &program->request->options->sockets;
	struct sn_ping_socket sock;
	uint64_t fd;
	int rc;

	for (unsigned i = 0; i < texts->count; i++) {
		if (sn_parse_u64(sn_str(texts->items[i]), STDERR_FILENO + 1, UINT16_MAX, &fd) != 0)
			return sn_err_set(err, -EINVAL, "option '--socket': '%s' is no descriptor",
					  texts->items[i]);
		rc = sn_ping_socket_adopt(&sock, (int)fd, &program->sockets, err);
		if (rc == 0 && sn_ping_net_add(&program->net, &sock) != 0)
			rc = sn_err_set(
				err, -EINVAL,
				"cannot use descriptor %s: there is one of its family already",
				texts->items[i]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static bool may_need(const struct program *program, int family)
{
	for (uint32_t i = 0; i < program->targets.count; i++) {
		const struct sn_ping_target *target = &program->targets.items[i];

		if (target->is_name)
			return program->family == AF_UNSPEC || program->family == family;
		if (target->addr.length != 0 && target->addr.sa.sa_family == family)
			return true;
	}
	return false;
}

/* One family may fail if the other works: its targets then say why. */
static int open_sockets(struct program *program, struct sn_err *err)
{
	static const int families[] = {AF_INET, AF_INET6};
	struct sn_ping_socket sock;
	int rc = 0, opened = 0, failed = 0;

	for (size_t i = 0; i < SN_COUNT(families); i++) {
		if (sn_ping_net_has(&program->net, families[i])) {
			opened++;
			continue;
		}
		if (!may_need(program, families[i]))
			continue;
		rc = sn_ping_socket_open(&sock, families[i], &program->sockets, err);
		if (rc == 0) {
			sn_ping_net_add(&program->net, &sock);
			opened++;
			continue;
		}
		failed = rc;
		sn_ping_targets_refuse(&program->targets, families[i], err->text);
		if (program->family == AF_UNSPEC)
			program->family = families[i] == AF_INET ? AF_INET6 : AF_INET;
	}
	return opened > 0 ? 0 : failed;
}

/*
 * Sockets first, then privileges away, then names: the answers of a resolver are
 * bytes from the network, too.
 */
static int prepare(struct program *program, struct sn_err *err)
{
	int rc;

	sn_ping_targets_parse(&program->targets, program->family);
	rc = adopt_sockets(program, err);
	if (rc == 0)
		rc = open_sockets(program, err);
	if (rc == 0)
		rc = sn_privilege_drop("sonde-probe", err);
	if (rc == 0)
		sn_ping_targets_resolve(&program->targets, program->family);
	return rc;
}

/* Run ------------------------------------------------------------------------------------- */

static void on_result(const struct sn_ping_result *result, void *ctx)
{
	struct program *program = ctx;

	sn_report_result(program->report, result);
}

static void on_event(const struct sn_ping_event *event, void *ctx)
{
	struct program *program = ctx;

	sn_report_event(program->report, event);
}

static void on_done(void *ctx)
{
	struct program *program = ctx;

	program->done = true;
	sn_loop_stop(program->loop, SN_EXIT_OK);
}

static struct sn_report *create_report(struct program *program)
{
	const struct sn_probe_options *options = program->request->options;
	const char *no_colour = getenv("NO_COLOR");
	struct sn_report_setting setting = {
		.form = options->json  ? SN_REPORT_JSON
			: options->csv ? SN_REPORT_CSV
				       : SN_REPORT_HUMAN,
		.quiet = options->quiet,
		.colour = isatty(STDOUT_FILENO) && (no_colour == NULL || *no_colour == '\0'),
		.fd = STDOUT_FILENO,
		.config = &program->config,
		.targets = &program->targets,
		.ttl = program->sockets.ttl,
		.interface = program->sockets.interface,
		.source = program->sockets.source,
	};

	return sn_report_create(program->loop, &setting);
}

static int measure(struct program *program)
{
	const struct sn_ping_observer observer = {
		.on_result = on_result, .on_event = on_event, .on_done = on_done, .ctx = program};
	struct sn_ping *ping = sn_ping_create(program->loop, &program->net.port, &program->targets,
					      &program->config, &observer);
	struct sn_ping_resolver *resolver = NULL;
	int error;

	if (program->config.period_ns != 0)
		resolver =
			sn_ping_resolver_create(program->loop, &program->targets, program->family);
	sn_report_begin(program->report);
	sn_ping_start(ping);
	sn_loop_run(program->loop);
	if (!program->done)
		sn_ping_interrupt(ping);
	sn_report_end(program->report, !program->done);
	sn_ping_resolver_destroy(resolver);
	sn_ping_destroy(ping);
	error = sn_report_flush(program->report);
	if (error != 0 && error != -EPIPE)
		return sn_cli_fail(SN_EXIT_FAILED, "cannot write results: %s", strerror(-error));
	return error != 0 ? SN_EXIT_FAILED : sn_report_exit_code(program->report);
}

static int run(struct program *program)
{
	struct sn_err err = {0};
	int rc, code;

	sn_ping_net_init(&program->net, program->config.payload_size);
	rc = prepare(program, &err);
	if (rc != 0) {
		sn_ping_net_finish(&program->net);
		return sn_cli_fail(sn_cli_exit_code(rc), "%s", err.text);
	}
	program->loop = sn_loop_create(NULL);
	program->report = create_report(program);
	rc = sn_loop_handle_signals(program->loop);
	if (rc == 0)
		rc = sn_ping_net_start(&program->net, program->loop);
	code = rc == 0 ? measure(program)
		       : sn_cli_fail(SN_EXIT_FAILED, "cannot start: %s", strerror(-rc));
	sn_report_destroy(program->report);
	sn_ping_net_finish(&program->net);
	sn_loop_destroy(program->loop);
	return code;
}

int sn_probe_ping(const struct sn_probe_request *request)
{
	struct program program = {.request = request};
	struct sn_err err = {0};
	int code;

	if (read_request(&program, &err) != 0) {
		code = sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	} else {
		pace_interval(&program);
		code = run(&program);
	}
	sn_ping_targets_finish(&program.targets);
	sn_prefixes_finish(&program.never);
	return code;
}
