/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/announce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/http_client.h"

#define AGAIN_MIN_NS (1 * SN_NS_PER_S)
#define AGAIN_MAX_NS (60 * SN_NS_PER_S)

/* The message -------------------------------------------------------------------------- */

int sn_math_callback_host(const char *url, char *host, size_t size)
{
	const char *start = strstr(url, "://"), *end;

	start = start != NULL ? start + 3 : url;
	end = *start == '[' ? strchr(start, ']') : start + strcspn(start, ":");
	start += *start == '[';
	if (end == NULL || end == start || (size_t)(end - start) >= size)
		return -EINVAL;
	snprintf(host, size, "%.*s", (int)(end - start), start);
	return 0;
}

bool sn_math_callback_is_good(const char *url)
{
	struct sn_str text = sn_str(url);
	char host[SN_MATH_URL_MAX];
	const char *rest;
	uint64_t number;

	if (text.n >= SN_MATH_URL_MAX || sn_math_callback_host(url, host, sizeof(host)) != 0)
		return false;
	if (strstr(url, "://") != NULL && !sn_str_has_prefix(text, "http://") &&
	    !sn_str_has_prefix(text, "https://"))
		return false;
	/* Letters of names and addresses, and nothing that begins a user, path or query. */
	if (host[strspn(host,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:_%")] !=
	    '\0')
		return false;
	rest = strstr(url, "://");
	rest = rest != NULL ? rest + 3 : url;
	rest += (*rest == '[') + strlen(host);
	rest += *rest == ']';
	return *rest == ':' && sn_parse_u64(sn_str(rest + 1), 1, 65535, &number) == 0;
}

static int take_text(const json_t *json, const char *key, char *out, size_t size,
		     struct sn_err *err)
{
	const char *text;

	if (sn_json_get_str(json, key, &text, err) != 0)
		return err->code;
	if (strlen(text) >= size)
		return sn_err_set(err, -EINVAL, "%s: longer than %zu bytes", key, size - 1);
	snprintf(out, size, "%s", text);
	return 0;
}

static int check(const struct sn_math_announcement *announcement, struct sn_err *err)
{
	if (!sn_math_stream_is_good(sn_str(announcement->stream)))
		return sn_err_set(err, -EINVAL,
				  "StreamName: letters, digits, '.', '_', '-' only, at most %d",
				  SN_MATH_STREAM_MAX);
	if (!sn_math_callback_is_good(announcement->callback))
		return sn_err_set(err, -EINVAL,
				  "CallBackUrl: '%.80s' is not like 'host:port' or "
				  "'https://host:port'",
				  announcement->callback);
	if (!sn_math_stream_is_good(sn_str(announcement->type)))
		return sn_err_set(err, -EINVAL, "StreamType: no type of a stream");
	return 0;
}

int sn_math_announcement_read(struct sn_str text, struct sn_math_announcement *announcement,
			      struct sn_err *err)
{
	sn_autojson json_t *json = sn_json_parse(text.p, text.n, err);
	const json_t *start;

	memset(announcement, 0, sizeof(*announcement));
	if (json == NULL)
		return -EINVAL;
	if (!json_is_object(json))
		return sn_err_set(err, -EINVAL, "not an object");
	if (take_text(json, "CallBackUrl", announcement->callback, sizeof(announcement->callback),
		      err) != 0 ||
	    take_text(json, "StreamName", announcement->stream, sizeof(announcement->stream),
		      err) != 0 ||
	    take_text(json, "StreamType", announcement->type, sizeof(announcement->type), err) != 0)
		return -EINVAL;
	start = json_object_get(json, "StartTime");
	if (start != NULL && !json_is_null(start)) {
		if (!json_is_integer(start) || json_integer_value(start) < -62135596800 ||
		    json_integer_value(start) > 253402300799)
			return sn_err_set(err, -EINVAL, "StartTime: not a Unix time in seconds");
		announcement->start_s = json_integer_value(start);
	}
	return check(announcement, err);
}

void sn_math_announcement_write(const struct sn_math_announcement *announcement, struct sn_buf *out)
{
	struct sn_jw jw;

	sn_jw_init(&jw, out);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "CallBackUrl", announcement->callback);
	sn_jw_kcstr(&jw, "StreamName", announcement->stream);
	sn_jw_kcstr(&jw, "StreamType", announcement->type);
	sn_jw_ki64(&jw, "StartTime", announcement->start_s);
	sn_jw_object_end(&jw);
}

/* Telling it ---------------------------------------------------------------------------- */

struct sn_math_announcer {
	struct sn_http_client *http;
	struct sn_timer timer;
	uint64_t again_ns;
	char *repository, *url;
	struct sn_buf body;
	char failure[SN_ERR_TEXT_MAX]; /* that was told */
	void (*on_outcome)(const char *repository, const struct sn_err *err, void *ctx);
	void *ctx;
};

static void try_again(struct sn_math_announcer *announcer, const struct sn_err *err)
{
	if (strcmp(announcer->failure, err->text) != 0)
		announcer->on_outcome(announcer->repository, err, announcer->ctx);
	snprintf(announcer->failure, sizeof(announcer->failure), "%s", err->text);
	sn_timer_in(&announcer->timer, announcer->again_ns);
	announcer->again_ns = SN_MIN(announcer->again_ns * 2, (uint64_t)AGAIN_MAX_NS);
}

static void told(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		 void *ctx)
{
	struct sn_math_announcer *announcer = ctx;
	struct sn_err err = {0};
	char said[SN_HTTP_SAID_MAX];

	if (answer->error != 0) {
		try_again(announcer, &answer->err);
	} else if (answer->status != 200) {
		sn_http_problem_said(answer->body, said);
		sn_err_set(&err, -EPROTO, "'%.200s' refused the announcement (status %u)%s%s",
			   announcer->repository, answer->status, said[0] != '\0' ? ": " : "",
			   said);
		try_again(announcer, &err);
	} else {
		announcer->on_outcome(announcer->repository, NULL, announcer->ctx);
	}
}

static void announce(struct sn_timer *timer)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct sn_math_announcer *announcer =
		sn_container_of(timer, struct sn_math_announcer, timer);
	struct sn_http_fetch_spec spec = {
		.method = "POST",
		.url = announcer->url,
		.headers = headers,
		.body = announcer->body.p,
		.body_size = announcer->body.n,
		.on_done = told,
		.ctx = announcer,
	};

	sn_http_fetch(announcer->http, &spec);
}

int sn_math_announcer_create(const struct sn_math_announcer_config *config,
			     struct sn_math_announcer **out, struct sn_err *err)
{
	struct sn_http_client_config http = {
		.ca_file = config->ca_file,
		.cert_file = config->cert_file,
		.key_file = config->key_file,
	};
	struct sn_math_announcer *announcer;

	if (!sn_math_callback_is_good(config->repository))
		return sn_err_set(err, -EINVAL,
				  "'%.200s' is no repository (like 'https://hub.example.net:8443' "
				  "or, plain, 'host:port')",
				  config->repository);
	announcer = sn_new(struct sn_math_announcer);
	announcer->repository = sn_xstrdup(config->repository);
	announcer->url = sn_xasprintf("%s%s/DBSImport",
				      strstr(config->repository, "://") != NULL ? "" : "http://",
				      config->repository);
	announcer->on_outcome = config->on_outcome;
	announcer->ctx = config->ctx;
	announcer->again_ns = AGAIN_MIN_NS;
	sn_math_announcement_write(config->announcement, &announcer->body);
	announcer->http = sn_http_client_create(config->loop, &http);
	sn_timer_init(&announcer->timer, config->loop, announce);
	sn_timer_in(&announcer->timer, 0);
	*out = announcer;
	return 0;
}

void sn_math_announcer_destroy(struct sn_math_announcer *announcer)
{
	if (announcer == NULL)
		return;
	sn_timer_stop(&announcer->timer);
	sn_http_client_destroy(announcer->http);
	sn_buf_finish(&announcer->body);
	free(announcer->repository);
	free(announcer->url);
	free(announcer);
}
