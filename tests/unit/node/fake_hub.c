/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "fake_hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/codec.h"

#define HOUR_S 3600

/* The CA of this process. */
static struct sn_buf ca_key, ca_cert, server_key, server_cert;

static int64_t now_s(void)
{
	return (int64_t)time(NULL);
}

static void must(int error, const struct sn_err *err)
{
	if (error != 0)
		fail_msg("%s", err->text);
}

static void issue(const char *csr_pem, const char *uri, int usage, int64_t life_s,
		  struct sn_buf *cert_pem)
{
	static const char *const hosts[] = {"127.0.0.1", NULL};
	struct sn_pki_issue what = {
		.ca_cert_pem = sn_buf_cstr(&ca_cert),
		.ca_key_pem = sn_buf_cstr(&ca_key),
		.csr_pem = csr_pem,
		.common_name = "test",
		.uri = uri,
		.hosts = usage == SN_PKI_SERVER ? hosts : NULL,
		.usage = usage,
		.not_before_unix_s = now_s(),
		.not_after_unix_s = now_s() + life_s,
	};
	struct sn_err err = {0};

	must(sn_pki_issue(&what, cert_pem, &err), &err);
}

static void make_identity(const char *uri, int usage, int64_t life_s, struct sn_buf *key,
			  struct sn_buf *cert)
{
	struct sn_buf csr = {0};
	struct sn_err err = {0};

	must(sn_pki_key_generate(key, &err), &err);
	must(sn_pki_csr_create(sn_buf_cstr(key), "test", &csr, &err), &err);
	issue(sn_buf_cstr(&csr), uri, usage, life_s, cert);
	sn_buf_finish(&csr);
}

static void make_ca(void)
{
	struct sn_err err = {0};

	if (ca_key.n > 0)
		return;
	must(sn_pki_key_generate(&ca_key, &err), &err);
	must(sn_pki_ca_create(sn_buf_cstr(&ca_key), "Sonde test CA", now_s() - 60,
			      now_s() + 24 * HOUR_S, &ca_cert, &err),
	     &err);
	make_identity("urn:sonde:hub:test", SN_PKI_SERVER, HOUR_S, &server_key, &server_cert);
}

void hub_identity(struct fake_hub *hub, const char *node, int64_t life_s, struct sn_buf *pem)
{
	sn_autofree char *uri = sn_xasprintf("urn:sonde:node:%s", node);
	struct sn_buf key = {0};

	(void)hub;
	make_identity(uri, SN_PKI_CLIENT, life_s, &key, pem);
	sn_buf_add(pem, key.p, key.n);
	sn_buf_finish(&key);
}

/* Answers ------------------------------------------------------------------------ */

static void refuse(struct fake_hub *hub, struct sn_http_request *request, unsigned status)
{
	if (hub->retry_after != NULL)
		sn_http_set_header(request, "Retry-After", hub->retry_after);
	sn_http_problem(request, status, hub->code != NULL ? hub->code : "no", "No",
			"because the test wants it");
}

static void get_ca(struct sn_http_request *request, void *ctx)
{
	(void)ctx;
	sn_http_reply(request, 200, "application/x-pem-file", ca_cert.p, ca_cert.n);
}

static void answer_certificate(struct fake_hub *hub, struct sn_http_request *request,
			       unsigned status)
{
	sn_autojson json_t *json =
		sn_json_parse(sn_http_body(request).p, sn_http_body(request).n, NULL);
	struct sn_buf cert = {0};

	strcpy(hub->csr_before, hub->csr);
	snprintf(hub->csr, sizeof(hub->csr), "%s",
		 json_string_value(json_object_get(json, "csr_pem")));
	issue(hub->csr, "urn:sonde:node:n1", SN_PKI_CLIENT,
	      hub->certificate_life_s > 0 ? hub->certificate_life_s : HOUR_S, &cert);
	sn_http_reply_json(request, status,
			   json_pack("{s:s, s:s, s:s, s:s}", "node", "n1", "certificate_pem",
				     sn_buf_cstr(&cert), "ca_pem", sn_buf_cstr(&ca_cert), "expires",
				     "2026-03-01T12:00:00Z"));
	sn_buf_finish(&cert);
}

static void enrol(struct sn_http_request *request, void *ctx)
{
	struct fake_hub *hub = ctx;
	sn_autojson json_t *json =
		sn_json_parse(sn_http_body(request).p, sn_http_body(request).n, NULL);

	hub->enrolments++;
	if (hub->enrol_status != 0) {
		strcpy(hub->csr_before, hub->csr);
		snprintf(hub->csr, sizeof(hub->csr), "%s",
			 json_string_value(json_object_get(json, "csr_pem")));
		refuse(hub, request, hub->enrol_status);
		return;
	}
	assert_string_equal(json_string_value(json_object_get(json, "token")), hub->token);
	snprintf(hub->name, sizeof(hub->name), "%s",
		 json_string_value(json_object_get(json, "name")));
	answer_certificate(hub, request, 201);
}

static void renew(struct sn_http_request *request, void *ctx)
{
	struct fake_hub *hub = ctx;

	hub->renewals++;
	answer_certificate(hub, request, 200);
}

static void heartbeat(struct sn_http_request *request, void *ctx)
{
	struct fake_hub *hub = ctx;
	struct sn_str body = sn_http_body(request);

	snprintf(hub->heartbeat, sizeof(hub->heartbeat), "%.*s", (int)body.n, body.p);
	snprintf(hub->peer_serial, sizeof(hub->peer_serial), "%s", sn_http_peer(request)->serial);
	if (hub->heartbeat_status != 0) {
		refuse(hub, request, hub->heartbeat_status);
		return;
	}
	hub->heartbeats++;
	sn_http_reply_json(request, 200,
			   json_pack("{s:f, s:s}", "interval_seconds",
				     hub->interval_s > 0 ? hub->interval_s : 10.0, "tasks_etag",
				     hub->tasks_etag != NULL ? hub->tasks_etag : ""));
}

static void task_report(struct sn_http_request *request, void *ctx)
{
	struct fake_hub *hub = ctx;
	struct sn_str body = sn_http_body(request);
	sn_autojson json_t *json = sn_json_parse(body.p, body.n, NULL);
	const char *error = json_string_value(json_object_get(json, "error"));
	size_t used = strlen(hub->report_log);

	hub->reports++;
	if (hub->report_status != 0) {
		refuse(hub, request, hub->report_status);
		return;
	}
	snprintf(hub->report_log + used, sizeof(hub->report_log) - used, "%s %s%s%s\n",
		 sn_http_param(request, "id"), json_string_value(json_object_get(json, "state")),
		 error != NULL ? ": " : "", error != NULL ? error : "");
	hub->stored_at_report = hub->stored;
	hub->report_ns = sn_mono_ns();
	sn_http_reply(request, 204, NULL, NULL, 0);
}

static void tasks(struct sn_http_request *request, void *ctx)
{
	struct fake_hub *hub = ctx;
	const char *known = sn_http_header(request, "If-None-Match");
	char etag[64];

	hub->task_fetches++;
	snprintf(etag, sizeof(etag), "\"%s\"", hub->tasks_etag != NULL ? hub->tasks_etag : "");
	if (hub->tasks == NULL)
		sn_http_reply_json(request, 200, json_pack("{s:s, s:[]}", "etag", "", "tasks"));
	else if (known != NULL && strcmp(known, etag) == 0)
		sn_http_reply(request, 304, NULL, NULL, 0);
	else
		sn_http_reply(request, 200, "application/json", hub->tasks, strlen(hub->tasks));
}

static void stream_closed(struct sn_sse *sse, void *ctx)
{
	struct fake_hub *hub = ctx;

	if (hub->sse == sse)
		hub->sse = NULL;
}

static void events(struct sn_http_request *request, void *ctx)
{
	struct fake_hub *hub = ctx;

	hub->streams++;
	hub->sse = sn_sse_open(request, stream_closed, hub);
	sn_sse_send(hub->sse, "hello", NULL, SN_STR("{}"));
}

void hub_event(struct fake_hub *hub, const char *event, const char *data)
{
	assert_non_null(hub->sse);
	sn_sse_send(hub->sse, event, NULL, sn_str(data));
}

/* Batches -------------------------------------------------------------------------- */

static void answer_stored(struct sn_http_request *request, unsigned rows, bool duplicate)
{
	sn_http_reply_json(request, 200,
			   duplicate ? json_pack("{s:i, s:b}", "stored", 0, "duplicate", 1)
				     : json_pack("{s:i}", "stored", (int)rows));
}

/* The rows' numbers; the dataset is only looked up, as the hub does it. */
static int64_t first_row_of(struct sn_str body, const char *dataset, uint32_t rows)
{
	char name[32];
	struct sn_err err = {0};
	struct sn_batch *batch;
	int64_t first;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(dataset, "/"), dataset);
	batch = sn_batch_create(sn_catalog_find(name));
	must(sn_jsonl_read(batch, body, 10000, &err), &err);
	assert_int_equal(sn_batch_rows(batch), rows);
	first = sn_batch_get(batch, 0, SN_COL_SEQ)->i;
	for (uint32_t i = 0; i < rows; i++)
		assert_int_equal(sn_batch_get(batch, i, SN_COL_SEQ)->i, first + i);
	sn_batch_destroy(batch);
	return first;
}

static void refuse_conflict(struct fake_hub *hub, struct sn_http_request *request)
{
	hub->conflicts++;
	sn_http_problem(request, 409, "digest-conflict", "Conflict", "another content");
}

static void store(struct fake_hub *hub, struct sn_http_request *request, bool answer)
{
	uint64_t seq = strtoull(sn_http_param(request, "seq"), NULL, 10);
	struct hub_batch *batch = &hub->batches[seq];
	const char *digest = sn_http_header(request, "Digest");

	assert_true(seq < HUB_BATCHES_MAX);
	if (seq < hub->taken && strcmp(sn_http_param(request, "stream"), hub->taken_stream) == 0) {
		refuse_conflict(hub, request);
		return;
	}
	if (hub->stream[0] == '\0')
		snprintf(hub->stream, sizeof(hub->stream), "%s", sn_http_param(request, "stream"));
	assert_string_equal(hub->stream, sn_http_param(request, "stream"));
	if (batch->stored && strcmp(batch->digest, digest) != 0) {
		refuse_conflict(hub, request);
		return;
	}
	if (batch->stored) {
		hub->duplicates++;
		answer_stored(request, 0, true);
		return;
	}
	batch->stored = true;
	batch->rows = (uint32_t)atoi(sn_http_header(request, "Sonde-Rows"));
	snprintf(batch->digest, sizeof(batch->digest), "%s", digest);
	snprintf(batch->dataset, sizeof(batch->dataset), "%s",
		 sn_http_header(request, "Sonde-Dataset"));
	batch->first_row = first_row_of(sn_http_body(request), batch->dataset, batch->rows);
	hub->stored++;
	if (answer)
		answer_stored(request, batch->rows, false);
}

static void abandoned(struct sn_http_request *request, void *ctx)
{
	struct fake_hub *hub = ctx;

	for (unsigned i = 0; i < hub->held_count; i++) {
		if (hub->held[i] == request)
			hub->held[i] = hub->held[--hub->held_count];
	}
}

static void hold(struct fake_hub *hub, struct sn_http_request *request)
{
	assert_true(hub->held_count < SN_COUNT(hub->held));
	hub->held[hub->held_count++] = request;
	hub->in_flight_max = SN_MAX(hub->in_flight_max, hub->held_count);
	sn_http_on_abandon(request, abandoned, hub);
}

static void put_batch(struct sn_http_request *request, void *ctx)
{
	struct fake_hub *hub = ctx;

	hub->puts++;
	if (hub->put_status != 0) {
		refuse(hub, request, hub->put_status);
		if (hub->put_failures > 0 && --hub->put_failures == 0)
			hub->put_status = 0;
	} else if (hub->forget_answers) {
		store(hub, request, false);
		hold(hub, request);
	} else if (hub->hold) {
		hold(hub, request);
	} else {
		store(hub, request, true);
	}
}

void hub_release(struct fake_hub *hub)
{
	unsigned count = hub->held_count;

	hub->hold = hub->forget_answers = false;
	hub->held_count = 0;
	for (unsigned i = 0; i < count; i++)
		store(hub, hub->held[i], true);
}

int64_t hub_check_rows(const struct fake_hub *hub)
{
	int64_t next = 0;
	unsigned seq = 0;

	for (; seq < HUB_BATCHES_MAX && hub->batches[seq].stored; seq++) {
		assert_int_equal(hub->batches[seq].first_row, next);
		next += hub->batches[seq].rows;
	}
	for (; seq < HUB_BATCHES_MAX; seq++)
		assert_false(hub->batches[seq].stored);
	return next;
}

/* Life -------------------------------------------------------------------------------- */

static int guard(struct sn_http_request *request, void *ctx)
{
	const struct sn_http_route *route = sn_http_request_route(request);
	const struct sn_pki_info *peer = sn_http_peer(request);

	(void)ctx;
	if (route->access == 0 || (peer != NULL && strcmp(peer->uri, "urn:sonde:node:n1") == 0))
		return 0;
	sn_http_problem(request, 401, "unauthenticated", "Who are you?", "no certificate");
	return -1;
}

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/ca", get_ca, 0, 0, NULL},
	{"POST", "/api/v1/enrol", enrol, 65536, 0, NULL},
	{"POST", "/api/v1/node/renew", renew, 65536, 1, NULL},
	{"POST", "/api/v1/node/heartbeat", heartbeat, 65536, 1, NULL},
	{"GET", "/api/v1/node/tasks", tasks, 0, 1, NULL},
	{"POST", "/api/v1/node/tasks/{id}", task_report, 65536, 1, NULL},
	{"GET", "/api/v1/node/events", events, 0, 1, NULL},
	{"PUT", "/api/v1/node/batches/{stream}/{seq}", put_batch, 4 << 20, 1, NULL},
};

void hub_up(struct fake_hub *hub)
{
	struct sn_http_config config = {
		.routes = routes, .route_count = SN_COUNT(routes), .guard = guard, .ctx = hub};
	struct sn_http_tls tls = {
		.cert_pem = sn_buf_cstr(&server_cert),
		.key_pem = sn_buf_cstr(&server_key),
		.ca_pem = sn_buf_cstr(&ca_cert),
	};
	struct sn_addr wanted = hub->addr;
	struct sn_err err = {0};

	hub->server = sn_http_server_create(hub->loop, &config);
	must(sn_http_server_listen(hub->server, &wanted, -1, &tls, &hub->addr, &err), &err);
}

void hub_down(struct fake_hub *hub)
{
	sn_http_server_destroy(hub->server);
	hub->server = NULL;
	hub->sse = NULL;
}

void hub_init(struct fake_hub *hub, struct sn_loop *loop)
{
	struct sn_pki_info info;
	struct sn_err err = {0};
	char text[SN_ADDR_TEXT_MAX];

	make_ca();
	*hub = (struct fake_hub){.loop = loop};
	assert_int_equal(sn_addr_parse(SN_STR("127.0.0.1"), 0, &hub->addr), 0);
	hub_up(hub);
	snprintf(hub->url, sizeof(hub->url), "https://%s",
		 sn_addr_format_port(&hub->addr, text, sizeof(text)));
	must(sn_pki_info(sn_buf_cstr(&ca_cert), &info, &err), &err);
	memcpy(hub->fingerprint, info.fingerprint, sizeof(hub->fingerprint));
	snprintf(hub->token, sizeof(hub->token), "%s.%s", HUB_SECRET, hub->fingerprint);

	strcpy(hub->dir, "/tmp/sonde-test-XXXXXX");
	assert_non_null(mkdtemp(hub->dir));
	snprintf(hub->ca_file, sizeof(hub->ca_file), "%s/ca.pem", hub->dir);
	must(sn_fs_write_atomic(hub->ca_file, ca_cert.p, ca_cert.n, 0644, &err), &err);
}

void hub_finish(struct fake_hub *hub)
{
	hub_down(hub);
	sn_fs_remove_tree(hub->dir, NULL);
}

bool turn_until(struct sn_loop *loop, bool (*done)(void))
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	while (!done() && sn_mono_ns() < end_ns)
		sn_loop_turn(loop, 20 * SN_NS_PER_MS);
	return done();
}

void turn_for(struct sn_loop *loop, uint64_t ns)
{
	uint64_t end_ns = sn_mono_ns() + ns;

	while (sn_mono_ns() < end_ns)
		sn_loop_turn(loop, 10 * SN_NS_PER_MS);
}
