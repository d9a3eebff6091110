/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "component"
#include "node/component/exporter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "mplane/registry.h"
#include "transfer/announce.h"
#include "transfer/probe.h"

#define TYPE        "tstat"
#define PARAMETER   "repository.url"
#define LOOK_MAX_NS (60 * SN_NS_PER_S) /* the wall clock may be set */
#define REGISTRY                                                                                   \
	"https://raw.githubusercontent.com/fp7mplane/components/master/tstat/tstat-registry.json"

struct sn_exporter {
	struct sn_exporter_config config;
	struct sn_addr listen;
	struct sn_buf cert, key, ca;
	struct sn_http_tls tls;
	struct sn_list jobs; /* struct export */

	/* While there are jobs. */
	struct sn_math_tree *tree;
	struct sn_math_probe *probe;
	char callback[SN_MATH_URL_MAX];
};

struct export
{
	struct sn_list link;
	struct sn_exporter *exporter;
	struct sn_job *job;
	struct sn_math_announcer *announcer;
	struct sn_timer timer;
	int64_t end_ns; /* wall clock; SN_MP_FUTURE: until it is interrupted */
};

/* The probe -------------------------------------------------------------------------- */

static void tell_refusal(const char *who, const char *from, void *ctx SN_UNUSED)
{
	SN_LOG_LIMITED(SN_LOG_NOTICE, "logs refused identity=\"%s\" from=%s", who, from);
}

static void tell_problem(const char *text, void *ctx SN_UNUSED)
{
	sn_warn("logs: %s", text);
}

static void close_probe(struct sn_exporter *exporter)
{
	sn_math_probe_destroy(sn_steal(&exporter->probe));
	sn_math_tree_destroy(sn_steal(&exporter->tree));
}

static int open_probe(struct sn_exporter *exporter, struct sn_err *err)
{
	const struct sn_exporter_config *config = &exporter->config;
	struct sn_math_tree_config tree = {
		.directory = config->directory,
		.start_s = SN_MATH_TIME_UNKNOWN,
		.on_problem = tell_problem,
	};
	struct sn_math_probe_config probe = {
		.loop = config->loop,
		.stream = config->name,
		.listen = exporter->listen,
		.tls = config->ca_file != NULL ? &exporter->tls : NULL,
		.allowed = config->readers,
		.allowed_count = config->reader_count,
		.on_refusal = tell_refusal,
	};
	char where[SN_ADDR_TEXT_MAX];
	struct sn_addr bound = {0};

	if (exporter->probe != NULL)
		return 0;
	if (sn_math_tree_create(&tree, &exporter->tree, err) != 0)
		return err->code;
	probe.tree = exporter->tree;
	if (sn_math_probe_create(&probe, &exporter->probe, &bound, err) != 0) {
		close_probe(exporter);
		return err->code;
	}
	snprintf(exporter->callback, sizeof(exporter->callback), "%s%s",
		 config->ca_file != NULL ? "https://" : "",
		 sn_addr_format_port(&bound, where, sizeof(where)));
	return 0;
}

/* What is offered ---------------------------------------------------------------------- */

struct sn_mp_message *sn_exporter_capability(const struct sn_exporter *exporter,
					     const struct sn_mp_registries *registries)
{
	struct sn_mp_message *capability =
		sn_mp_message_create(SN_MP_CAPABILITY, SN_MP_VERB_MEASURE);

	sn_mp_set_text(&capability->registry, REGISTRY);
	sn_mp_set_text(&capability->label, SN_EXPORTER_LABEL);
	capability->when = (struct sn_mp_when){
		.set = true, .span = {.start = SN_MP_PAST, .end = SN_MP_FUTURE, .duration_ns = -1}};
	if (sn_mp_add_param(capability, registries, PARAMETER, NULL, NULL) != 0 ||
	    sn_mp_add_meta(capability, "System_type", "tStat", NULL) != 0 ||
	    sn_mp_add_meta(capability, "System_ID", exporter->config.name, NULL) != 0) {
		sn_mp_message_destroy(capability);
		return NULL;
	}
	return capability;
}

bool sn_exporter_is(const struct sn_mp_message *capability)
{
	return capability->label != NULL && strcmp(capability->label, SN_EXPORTER_LABEL) == 0;
}

/* A slash at the end says nothing. */
static bool same_url(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	n -= n > 0 && a[n - 1] == '/';
	m -= m > 0 && b[m - 1] == '/';
	return n == m && strncasecmp(a, b, n) == 0;
}

/* The one on our list that is meant; NULL. */
static const char *repository_of(const struct sn_exporter *exporter,
				 const struct sn_mp_message *specification)
{
	const char *url = sn_mp_value(specification, PARAMETER);

	for (unsigned i = 0; url != NULL && i < exporter->config.repository_count; i++) {
		if (same_url(url, exporter->config.repositories[i]))
			return exporter->config.repositories[i];
	}
	return NULL;
}

int sn_exporter_permit(const struct sn_exporter *exporter,
		       const struct sn_mp_message *specification, struct sn_err *err)
{
	const char *url = sn_mp_value(specification, PARAMETER);

	if (repository_of(exporter, specification) != NULL)
		return 0;
	return sn_err_set(err, -EACCES, "logs are not given to '%.200s' (--repository lets it in)",
			  url != NULL ? url : "");
}

/* Jobs --------------------------------------------------------------------------------- */

static void free_export(struct export *export)
{
	struct sn_exporter *exporter = export->exporter;

	sn_timer_stop(&export->timer);
	sn_math_announcer_destroy(export->announcer);
	sn_list_remove(&export->link);
	free(export);
	if (sn_list_empty(&exporter->jobs))
		close_probe(exporter);
}

static void watch_end(struct sn_timer *timer)
{
	struct export *export = sn_container_of(timer, struct export, timer);
	int64_t left_ns = export->end_ns - sn_loop_wall_now(timer->loop);
	struct sn_job *job = export->job;

	if (left_ns > 0) {
		sn_timer_in(timer, (uint64_t)SN_MIN(left_ns, (int64_t)LOOK_MAX_NS));
		return;
	}
	free_export(export);
	sn_job_end(job, NULL);
}

static void tell_outcome(const char *repository, const struct sn_err *err, void *ctx SN_UNUSED)
{
	if (err == NULL)
		sn_notice("logs are announced repository=%s", repository);
	else
		SN_LOG_LIMITED(SN_LOG_WARNING, "logs are not announced: %s", err->text);
}

static int announce(struct export *export, const struct sn_mp_message *specification,
		    int64_t now_ns, struct sn_err *err)
{
	const struct sn_exporter *exporter = export->exporter;
	int64_t start_ns = sn_mp_when_starts(&specification->when, now_ns);
	struct sn_math_announcement announcement = {.type = TYPE};
	struct sn_math_announcer_config config = {
		.loop = exporter->config.loop,
		.repository = repository_of(exporter, specification),
		.ca_file = exporter->config.ca_file,
		.cert_file = exporter->config.cert_file,
		.key_file = exporter->config.key_file,
		.announcement = &announcement,
		.on_outcome = tell_outcome,
	};

	if (config.repository == NULL)
		return sn_exporter_permit(exporter, specification, err);
	/* The whole minute: a directory that was begun just before belongs to it. */
	if (start_ns > 0 && start_ns != SN_MP_FUTURE)
		announcement.start_s = start_ns / SN_NS_PER_S / 60 * 60;
	snprintf(announcement.stream, sizeof(announcement.stream), "%s", exporter->config.name);
	snprintf(announcement.callback, sizeof(announcement.callback), "%s", exporter->callback);
	return sn_math_announcer_create(&config, &export->announcer, err);
}

int sn_exporter_start(struct sn_exporter *exporter, struct sn_job *job, struct sn_err *err)
{
	const struct sn_mp_message *specification = sn_job_specification(job);
	int64_t now_ns = sn_loop_wall_now(exporter->config.loop);
	struct export *export;
	unsigned count = 0;

	sn_list_for_each (link, &exporter->jobs)
		count++;
	if (count >= SN_EXPORTER_JOBS_MAX)
		return sn_err_set(err, -E2BIG, "logs go to %d repositories at most",
				  SN_EXPORTER_JOBS_MAX);
	export = sn_new(struct export);
	export->exporter = exporter;
	export->job = job;
	export->end_ns = sn_mp_when_ends(&specification->when, now_ns);
	sn_timer_init(&export->timer, exporter->config.loop, watch_end);
	sn_list_append(&exporter->jobs, &export->link);
	if (open_probe(exporter, err) != 0 || announce(export, specification, now_ns, err) != 0) {
		free_export(export);
		return err->code;
	}
	sn_job_set_data(job, export);
	if (export->end_ns != SN_MP_FUTURE)
		sn_timer_in(&export->timer,
			    (uint64_t)SN_MIN(SN_MAX(export->end_ns - now_ns, (int64_t)0),
					     (int64_t)LOOK_MAX_NS));
	sn_notice("logs are served directory=%s at=%s identity=\"%s\"", exporter->config.directory,
		  exporter->callback, sn_job_identity(job));
	return 0;
}

void sn_exporter_stop(struct sn_exporter *exporter SN_UNUSED, struct sn_job *job)
{
	free_export(sn_job_data(job));
	sn_job_end(job, NULL);
}

/* Life ---------------------------------------------------------------------------------- */

static int read_files(struct sn_exporter *exporter, struct sn_err *err)
{
	const struct sn_exporter_config *config = &exporter->config;

	if (config->ca_file == NULL)
		return 0;
	if (sn_fs_read(config->cert_file, SN_PKI_PEM_MAX, &exporter->cert, err) != 0 ||
	    sn_fs_read(config->key_file, SN_PKI_PEM_MAX, &exporter->key, err) != 0 ||
	    sn_fs_read(config->ca_file, SN_PKI_PEM_MAX, &exporter->ca, err) != 0)
		return err->code;
	exporter->tls = (struct sn_http_tls){.cert_pem = sn_buf_cstr(&exporter->cert),
					     .key_pem = sn_buf_cstr(&exporter->key),
					     .ca_pem = sn_buf_cstr(&exporter->ca)};
	return 0;
}

static int check(const struct sn_exporter_config *config, struct sn_addr *listen,
		 struct sn_err *err)
{
	if (sn_addr_parse(sn_str(config->listen), SN_MATH_PORT, listen) != 0)
		return sn_err_set(err, -EINVAL, "'%s' is no address to serve logs at",
				  config->listen);
	if (config->ca_file == NULL && !sn_addr_is_loopback(listen))
		return sn_err_set(err, -EINVAL,
				  "'%s': logs are served by plain HTTP on this machine only",
				  config->listen);
	if (!sn_math_stream_is_good(sn_str(config->name)))
		return sn_err_set(err, -EINVAL,
				  "'%.80s' is no name for a stream of logs (letters, digits, '.', "
				  "'_', '-'; see --name)",
				  config->name);
	if (config->repository_count == 0)
		return sn_err_set(err, -EINVAL, "say with --repository who may be given logs");
	if (config->ca_file != NULL && config->reader_count == 0)
		return sn_err_set(err, -EINVAL, "say with --reader who may fetch logs");
	for (unsigned i = 0; i < config->repository_count; i++) {
		if (!sn_math_callback_is_good(config->repositories[i]))
			return sn_err_set(err, -EINVAL,
					  "'%.200s' is no repository (like "
					  "'https://hub.example.net:8443')",
					  config->repositories[i]);
	}
	return 0;
}

int sn_exporter_create(const struct sn_exporter_config *config, struct sn_exporter **out,
		       struct sn_err *err)
{
	struct sn_exporter *exporter = sn_new(struct sn_exporter);

	exporter->config = *config;
	sn_list_init(&exporter->jobs);
	if (check(config, &exporter->listen, err) != 0 || read_files(exporter, err) != 0) {
		sn_exporter_destroy(exporter);
		return err->code;
	}
	*out = exporter;
	return 0;
}

void sn_exporter_destroy(struct sn_exporter *exporter)
{
	if (exporter == NULL)
		return;
	while (!sn_list_empty(&exporter->jobs))
		free_export(sn_list_entry(exporter->jobs.next, struct export, link));
	close_probe(exporter);
	if (exporter->key.n > 0)
		explicit_bzero(exporter->key.p, exporter->key.n);
	sn_buf_finish(&exporter->cert);
	sn_buf_finish(&exporter->key);
	sn_buf_finish(&exporter->ca);
	free(exporter);
}
