/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde math serve`, `sonde math fetch`: both sides of the transfer of logs, without a hub. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/notify.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "transfer/announce.h"
#include "transfer/copy.h"
#include "transfer/probe.h"

#define STREAM_DEFAULT "tstat"
#define LISTEN_DEFAULT "127.0.0.1:3001"

struct options {
	const char *directory, *stream, *type, *listen, *callback, *start, *digests;
	const char *cert, *key, *ca, *output;
	struct sn_opt_texts repositories, allow;
	int64_t settle, interval;
	uint64_t file_max;
	bool plain, plain_anywhere, local_time, json, follow, quiet;
};

static int64_t start_of(const struct options *given, struct sn_err *err)
{
	int64_t start_s = SN_MATH_TIME_UNKNOWN;

	if (given->start != NULL &&
	    sn_math_start_time(given->start, given->local_time, &start_s) != 0)
		sn_err_set(err, -EINVAL,
			   "--start: '%.60s' is not a time like 2026-03-01T12:00:00 (UTC) or "
			   "2026-03-01T12:00:00Z",
			   given->start);
	return start_s;
}

/* Serve --------------------------------------------------------------------------------- */

struct serving {
	const struct options *given;
	struct sn_loop *loop;
	struct sn_math_tree *tree;
	struct sn_math_probe *probe;
	struct sn_math_announcer *announcers[64];
	struct sn_buf cert, key, ca;
	struct sn_http_tls tls;
};

static void tell_problem(const char *text, void *ctx SN_UNUSED)
{
	sn_cli_fail(0, "%s", text);
}

static void tell_refusal(const char *who, const char *from, void *ctx SN_UNUSED)
{
	static time_t last;
	time_t now = time(NULL);

	/* Whoever comes again and again is told of once a minute. */
	if (now - last < 60)
		return;
	last = now;
	sn_cli_fail(0, "refused '%s' from %s (let it in with --allow)", who, from);
}

static void tell_outcome(const char *repository, const struct sn_err *err, void *ctx SN_UNUSED)
{
	if (err != NULL)
		sn_cli_fail(0, "not announced, and tried again: %s", err->text);
	else
		fprintf(stderr, "announced to %s\n", repository);
}

static int check_serve(const struct options *given, struct sn_err *err)
{
	unsigned files = (given->cert != NULL) + (given->key != NULL) + (given->ca != NULL);

	if (!sn_math_stream_is_good(sn_str(given->stream)))
		return sn_err_set(err, -EINVAL,
				  "--stream: '%.80s' has more than letters, digits, '.', '_', '-'",
				  given->stream);
	if ((given->plain || given->plain_anywhere) && files > 0)
		return sn_err_set(err, -EINVAL, "--plain and certificates exclude each other");
	if (!given->plain && !given->plain_anywhere && files < 3)
		return sn_err_set(err, -EINVAL,
				  "give --cert, --key and --ca ('sonde ca issue' makes them), or "
				  "--plain for old peers on this machine");
	if (files == 3 && given->allow.count == 0)
		return sn_err_set(err, -EINVAL,
				  "say with --allow who may fetch, like 'hub:<id>' or "
				  "'dns:hub.example.net' ('*': whoever the CA has certified)");
	return 0;
}

static int read_files(struct serving *serving, struct sn_err *err)
{
	const struct options *given = serving->given;

	if (given->cert == NULL)
		return 0;
	if (sn_fs_read(given->cert, SN_PKI_PEM_MAX, &serving->cert, err) != 0 ||
	    sn_fs_read(given->key, SN_PKI_PEM_MAX, &serving->key, err) != 0 ||
	    sn_fs_read(given->ca, SN_PKI_PEM_MAX, &serving->ca, err) != 0)
		return err->code;
	serving->tls = (struct sn_http_tls){.cert_pem = sn_buf_cstr(&serving->cert),
					    .key_pem = sn_buf_cstr(&serving->key),
					    .ca_pem = sn_buf_cstr(&serving->ca)};
	return 0;
}

static int start_serving(struct serving *serving, struct sn_addr *bound, struct sn_err *err)
{
	const struct options *given = serving->given;
	struct sn_math_tree_config tree = {
		.directory = given->directory,
		.names = sn_math_type_names(given->type),
		.digests = given->digests,
		.local_time = given->local_time,
		.start_s = start_of(given, err),
		.settle_ns = (uint64_t)given->settle,
		.on_problem = tell_problem,
	};
	struct sn_math_probe_config probe = {
		.loop = serving->loop,
		.stream = given->stream,
		.plain_anywhere = given->plain_anywhere,
		.allowed = given->allow.items,
		.allowed_count = given->allow.count,
		.on_refusal = tell_refusal,
	};

	if (err->code != 0)
		return err->code;
	if (sn_addr_parse(sn_str(given->listen), SN_MATH_PORT, &probe.listen) != 0)
		return sn_err_set(err, -EINVAL, "--listen: '%.80s' is not an address with port",
				  given->listen);
	if (read_files(serving, err) != 0 || sn_math_tree_create(&tree, &serving->tree, err) != 0)
		return err->code;
	probe.tree = serving->tree;
	probe.tls = given->cert != NULL ? &serving->tls : NULL;
	return sn_math_probe_create(&probe, &serving->probe, bound, err);
}

/* Where repositories reach us: an address for all is none to send to. */
static void find_callback(const struct options *given, const struct sn_addr *bound, char *out,
			  size_t size)
{
	const char *scheme = given->cert != NULL ? "https://" : "";
	char text[SN_ADDR_TEXT_MAX], host[256] = "localhost";
	bool any = bound->sa.sa_family == AF_INET ? bound->in.sin_addr.s_addr == htonl(INADDR_ANY)
						  : IN6_IS_ADDR_UNSPECIFIED(&bound->in6.sin6_addr);

	if (given->callback != NULL) {
		snprintf(out, size, "%s", given->callback);
	} else if (any) {
		gethostname(host, sizeof(host) - 1);
		snprintf(out, size, "%s%s:%u", scheme, host, sn_addr_port(bound));
	} else {
		sn_addr_format_port(bound, text, sizeof(text));
		snprintf(out, size, "%s%s", scheme, text);
	}
}

static int announce(struct serving *serving, const struct sn_addr *bound, struct sn_err *err)
{
	const struct options *given = serving->given;
	struct sn_math_announcement announcement = {0};
	int64_t start_s = start_of(given, err);

	snprintf(announcement.stream, sizeof(announcement.stream), "%s", given->stream);
	snprintf(announcement.type, sizeof(announcement.type), "%s", given->type);
	announcement.start_s = start_s == SN_MATH_TIME_UNKNOWN ? 0 : start_s;
	find_callback(given, bound, announcement.callback, sizeof(announcement.callback));
	if (!sn_math_callback_is_good(announcement.callback))
		return sn_err_set(err, -EINVAL,
				  "--callback: '%.100s' is not like 'https://host:port', or "
				  "'host:port' for --plain",
				  announcement.callback);
	for (unsigned i = 0; i < given->repositories.count; i++) {
		struct sn_math_announcer_config config = {
			.loop = serving->loop,
			.repository = given->repositories.items[i],
			.ca_file = given->ca,
			.cert_file = given->cert,
			.key_file = given->key,
			.announcement = &announcement,
			.on_outcome = tell_outcome,
		};

		if (sn_math_announcer_create(&config, &serving->announcers[i], err) != 0)
			return err->code;
	}
	return 0;
}

static void say_where(const struct options *given, const struct sn_addr *bound,
		      struct sn_math_tree *tree)
{
	const char *scheme = given->cert != NULL ? "https" : "http";
	struct sn_math_tree_stats stats;
	char where[SN_ADDR_TEXT_MAX];

	sn_math_tree_stats(tree, &stats);
	sn_addr_format_port(bound, where, sizeof(where));
	if (given->json)
		printf("{\"url\":\"%s://%s\",\"stream\":\"%s\",\"files\":%zu,\"bytes\":%llu}\n",
		       scheme, where, given->stream, stats.files, (unsigned long long)stats.bytes);
	else
		printf("serving stream '%s' (%zu files) at %s://%s\n", given->stream, stats.files,
		       scheme, where);
	fflush(stdout);
}

static void end_serving(struct serving *serving)
{
	for (size_t i = 0; i < SN_COUNT(serving->announcers); i++)
		sn_math_announcer_destroy(serving->announcers[i]);
	sn_math_probe_destroy(serving->probe);
	sn_math_tree_destroy(serving->tree);
	sn_loop_destroy(serving->loop);
	if (serving->key.n > 0)
		explicit_bzero(serving->key.p, serving->key.n);
	sn_buf_finish(&serving->cert);
	sn_buf_finish(&serving->key);
	sn_buf_finish(&serving->ca);
}

static int run_serve(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		     char **argv SN_UNUSED)
{
	struct options *given = opts;
	struct serving serving = {.given = given};
	struct sn_addr bound = {0};
	struct sn_err err = {0};

	given->stream = given->stream != NULL ? given->stream : STREAM_DEFAULT;
	given->type = given->type != NULL ? given->type : "tstat";
	given->listen = given->listen != NULL ? given->listen : LISTEN_DEFAULT;
	if (given->directory == NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "say with --directory where the logs are");
	if (check_serve(given, &err) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	serving.loop = sn_loop_create(NULL);
	if (sn_loop_handle_signals(serving.loop) != 0)
		sn_err_set(&err, -EIO, "cannot watch signals");
	if (err.code == 0 && start_serving(&serving, &bound, &err) == 0 &&
	    announce(&serving, &bound, &err) == 0) {
		say_where(given, &bound, serving.tree);
		sn_notify("READY=1");
		sn_loop_run(serving.loop);
		sn_notify("STOPPING=1");
	}
	end_serving(&serving);
	if (err.code == -EINVAL)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	return err.code == 0 ? SN_EXIT_OK : sn_cli_fail(sn_cli_exit_code(err.code), "%s", err.text);
}

/* Fetch --------------------------------------------------------------------------------- */

struct fetching {
	const struct options *given;
	uint64_t files, bytes;
	struct sn_bar bar;
};

static void tell_file(const char *path, const struct sn_math_fetched *fetched, void *ctx)
{
	struct fetching *fetching = ctx;
	sn_autofree char *shown = NULL;
	json_t *line;

	fetching->files++;
	fetching->bytes += fetched->taken;
	if (fetching->given->json) {
		line = json_pack("{s:s, s:I, s:s}", "path", path, "bytes",
				 (json_int_t)fetched->size, "sha256", fetched->sha256);
		sn_output_json_line(stdout, line);
		json_decref(line);
		fflush(stdout);
		return;
	}
	shown = sn_text_defused(path);
	sn_bar_update(&fetching->bar, fetching->bytes, 0, shown);
}

static void tell_left_out(const char *text, void *ctx)
{
	struct fetching *fetching = ctx;
	sn_autofree char *shown = sn_text_defused(text);

	sn_bar_clear(&fetching->bar);
	sn_cli_fail(0, "left out: %s", shown);
}

static int fetch_all(struct fetching *fetching, struct sn_math_copy *copy, struct sn_err *err)
{
	const struct options *given = fetching->given;
	int64_t nap_ns = given->interval > 0 ? given->interval : 5 * SN_NS_PER_S;
	uint64_t failed = 0;
	int rc;

	for (;;) {
		rc = sn_math_copy_run(copy, &failed, err);
		if (!given->follow)
			return rc == 0 && failed > 0 ? SN_EXIT_PARTIAL : rc;
		if (rc != 0)
			tell_left_out(err->text, fetching);
		nanosleep(&(struct timespec){.tv_sec = nap_ns / SN_NS_PER_S,
					     .tv_nsec = nap_ns % SN_NS_PER_S},
			  NULL);
	}
}

static int fetch(struct fetching *fetching, const char *url, const char *stream, struct sn_err *err)
{
	const struct options *given = fetching->given;
	struct sn_math_link_config link = {
		.url = url,
		.stream = stream,
		.ca_file = given->ca,
		.cert_file = given->cert,
		.key_file = given->key,
		.file_max = given->file_max,
	};
	struct sn_math_copy_config config = {
		.stream = stream,
		.directory = given->output,
		.local_time = given->local_time,
		.start_s = start_of(given, err),
		.on_file = tell_file,
		.on_problem = tell_left_out,
		.ctx = fetching,
	};
	struct sn_math_copy *copy = NULL;
	int rc = err->code;

	if (rc == 0)
		rc = sn_math_link_open(&link, &config.link, err);
	if (rc == 0)
		rc = sn_math_copy_open(&config, &copy, err);
	if (rc == 0)
		rc = fetch_all(fetching, copy, err);
	sn_math_copy_close(copy);
	sn_math_link_close(config.link);
	return rc;
}

static int run_fetch(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		     char **argv)
{
	const struct options *given = opts;
	struct fetching fetching = {.given = given};
	char bytes[32];
	struct sn_err err = {0};
	int rc;

	if (given->output == NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "say with --output where the files go");
	if ((given->cert == NULL) != (given->key == NULL))
		return sn_cli_fail(SN_EXIT_USAGE, "--cert and --key belong together");
	sn_bar_begin(&fetching.bar, stderr, "fetched", SN_BAR_BYTES, 0);
	rc = fetch(&fetching, argv[0], argv[1], &err);
	sn_bar_clear(&fetching.bar);
	if (!given->json && !given->quiet)
		printf("%llu files, %s\n", (unsigned long long)fetching.files,
		       sn_format_bytes(fetching.bytes, bytes, sizeof(bytes)));
	if (rc == -EINVAL)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	return rc >= 0 ? rc : sn_cli_fail(sn_cli_exit_code(rc), "%s", err.text);
}

/* Verbs --------------------------------------------------------------------------------- */

#define CERTIFICATES(ca_help_)                                                                     \
	{SN_OPT("cert", 0, SN_OPT_TEXT, cert, "FILE", "certificate that we show, PEM"),            \
	 .group = "Who is who"},                                                                   \
		{SN_OPT("key", 0, SN_OPT_TEXT, key, "FILE", "its private key, PEM")},              \
	{                                                                                          \
		SN_OPT("ca", 0, SN_OPT_TEXT, ca, "FILE", ca_help_)                                 \
	}

#define TIMES                                                                                      \
	{SN_OPT("start", 0, SN_OPT_TEXT, start, "TIME", "leave out logs that are older")},         \
	{                                                                                          \
		SN_OPT("local-time", 0, SN_OPT_FLAG, local_time, NULL,                             \
		       "names of directories and TIME are in this machine's time zone, not UTC")   \
	}

static const struct sn_opt serve_options[] = {
	{SN_OPT("directory", 'd', SN_OPT_TEXT, directory, "DIR",
		"where the meter makes its directories YYYY_MM_DD_HH_MM.out")},
	{SN_OPT("stream", 's', SN_OPT_TEXT, stream, "NAME",
		"what to call the stream (default: " STREAM_DEFAULT ")")},
	{SN_OPT("type", 't', SN_OPT_TEXT, type, "TYPE",
		"tstat (all logs, default), log_tcp_complete_v15, or how file names begin")},
	{SN_OPT("listen", 'l', SN_OPT_TEXT, listen, "ADDRESS:PORT",
		"where to listen (default: " LISTEN_DEFAULT ")")},
	{SN_OPT("digests", 0, SN_OPT_TEXT, digests, "FILE",
		"keep digests in FILE, so that a restart need not read all logs again")},
	{SN_OPT("settle", 0, SN_OPT_DURATION, settle, "TIME",
		"offer the newest logs, too, once they have stood still for so long"),
	 .min = 0, .max = 366 * 86400 * SN_NS_PER_S},
	TIMES,
	{SN_OPT("repository", 'r', SN_OPT_TEXTS, repositories, "URL",
		"tell this repository, 'https://host:port' or plain 'host:port'; repeatable"),
	 .group = "Repositories"},
	{SN_OPT("callback", 0, SN_OPT_TEXT, callback, "URL",
		"where repositories reach us (default: from --listen)")},
	{SN_OPT("allow", 'a', SN_OPT_TEXTS, allow, "IDENTITY",
		"who may fetch, like 'hub:<id>', 'dns:hub.example.net'; '*': all that the CA "
		"certified; repeatable")},
	CERTIFICATES("CA of those who fetch, PEM"),
	{SN_OPT("plain", 0, SN_OPT_FLAG, plain, NULL,
		"plain HTTP for old peers, on this machine only")},
	{SN_OPT("plain-anywhere", 0, SN_OPT_FLAG, plain_anywhere, NULL,
		"plain HTTP on any address: whoever reaches it reads the logs")},
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "say where it listens as JSON")},
};

static const struct sn_opt fetch_options[] = {
	{SN_OPT("output", 'o', SN_OPT_TEXT, output, "DIR", "where the files go")},
	{SN_OPT("follow", 'f', SN_OPT_FLAG, follow, NULL, "do not end: look for new ones")},
	{SN_OPT("interval", 'i', SN_OPT_DURATION, interval, "TIME",
		"time between two looks (default: 5s)"),
	 .min = 100 * SN_NS_PER_MS, .max = 86400 * SN_NS_PER_S},
	{SN_OPT("max-size", 0, SN_OPT_SIZE, file_max, "SIZE", "leave out files that are larger")},
	TIMES,
	CERTIFICATES("CA of the probe, PEM"),
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "JSON, one object per file")},
	{SN_OPT("quiet", 'q', SN_OPT_FLAG, quiet, NULL, "no summary at the end")},
};

const struct sn_verb sn_cli_math_serve_verb = {
	.path = "math serve",
	.arguments = "",
	.help = "Let repositories fetch the logs of a meter (MATH).",
	.examples =
		"sonde math serve -d /var/lib/sonde/logs --cert p.pem --key p.key --ca ca.pem "
		"-a hub:01J0 -r https://hub.example.net:8443\n"
		"sonde math serve -d logs --plain --type log_tcp_complete_v15 -r localhost:3000",
	.options = serve_options,
	.option_count = SN_COUNT(serve_options),
	.options_size = sizeof(struct options),
	.run = run_serve,
};

const struct sn_verb sn_cli_math_fetch_verb = {
	.path = "math fetch",
	.arguments = "URL STREAM",
	.help = "Fetch a stream of logs into a directory, verified; goes on where it was ended.",
	.examples = "sonde math fetch https://probe.example.net:3001 tstat -o logs --cert r.pem "
		    "--key r.key --ca ca.pem\n"
		    "sonde math fetch localhost:3001 tstat -o logs --follow",
	.options = fetch_options,
	.option_count = SN_COUNT(fetch_options),
	.options_size = sizeof(struct options),
	.min_args = 2,
	.max_args = 2,
	.run = run_fetch,
};
