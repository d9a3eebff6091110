/* SPDX-License-Identifier: Apache-2.0 */
/* Files to the hub, part by part, and its import of them followed to the end. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/client_internal.h"
#include "cli/import/import.h"
#include "cli/output.h"
#include "cli/progress.h"

#define PART_BYTES   (4 * 1024 * 1024)
#define TRIES        120 /* for as long as a hub takes to be started again */
#define PAUSE_NS     (500 * SN_NS_PER_MS)
#define POLL_MIN_NS  (20 * SN_NS_PER_MS)
#define POLL_MAX_NS  (300 * SN_NS_PER_MS)
#define PART_WAIT_NS (600 * SN_NS_PER_S) /* a large file is read once more after a restart */

static void pause_for(uint64_t ns)
{
	struct timespec pause = {.tv_sec = (time_t)(ns / SN_NS_PER_S),
				 .tv_nsec = (long)(ns % SN_NS_PER_S)};

	nanosleep(&pause, NULL);
}

/* Trouble that passes: the hub is started again, or has too much to do. */
static bool passes(struct sn_client *client, int rc)
{
	static const int errors[] = {-ECONNREFUSED, -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH,
				     -EPROTO,       -EBUSY,      -EIO};

	for (size_t i = 0; i < SN_COUNT(errors); i++)
		if (errors[i] == rc) {
			sn_client_refresh(client);
			return true;
		}
	return rc == -EACCES && sn_client_refresh(client);
}

/* A call that is made again until it gets through; only for what may be done twice. */
static int call_until(struct sn_client *client, const char *method, const char *path,
		      const json_t *body, json_t **answer, struct sn_err *err)
{
	int rc;

	for (unsigned i = 0;; i++) {
		*answer = NULL;
		rc = sn_client_call(client, method, path, body, answer, err);
		if (rc == 0 || i == TRIES || !passes(client, rc))
			return rc;
		pause_for(PAUSE_NS);
	}
}

/* The file -------------------------------------------------------------------- */

static int show_digest(const struct sn_import_report *report, void *ctx)
{
	sn_bar_update(ctx, report->taken, report->bytes, "(digest)");
	return 0;
}

static int find_digest(const char *path, struct sn_import_report *report, struct sn_err *err)
{
	struct sn_bar bar;
	struct sn_import_options options = {.progress = show_digest, .ctx = &bar};
	int rc;

	sn_bar_begin(&bar, stderr, sn_import_name(path), SN_BAR_BYTES, 0);
	*report = (struct sn_import_report){0};
	rc = sn_import_digest(path, &options, report, err);
	sn_bar_clear(&bar);
	return rc;
}

/* Sending --------------------------------------------------------------------- */

struct sending {
	struct sn_client *client;
	const char *path; /* of the file */
	char *route;      /* of the upload */
	int fd;
	uint64_t offset, bytes;
	char *part;
	struct sn_bar bar;
};

static int ask_offset(struct sending *sending, struct sn_err *err)
{
	sn_autojson json_t *upload = NULL;
	int rc = call_until(sending->client, "GET", sending->route, NULL, &upload, err);

	if (rc == 0)
		sending->offset = (uint64_t)json_integer_value(json_object_get(upload, "offset"));
	return rc;
}

static int send_part(struct sending *sending, struct sn_err *err)
{
	char offset[48];
	const char *headers[] = {"Content-Type: application/offset+octet-stream", offset, NULL};
	ssize_t got = pread(sending->fd, sending->part, PART_BYTES, (off_t)sending->offset);
	int rc;

	if (got <= 0)
		return got < 0 ? sn_err_sys(err, -errno, "cannot read '%s'", sending->path)
			       : sn_err_set(err, -EAGAIN,
					    "cannot read '%s': it became shorter meanwhile",
					    sending->path);
	snprintf(offset, sizeof(offset), "Upload-Offset: %" PRIu64, sending->offset);
	rc = sn_client_send(sending->client, "PATCH", sending->route, headers,
			    (struct sn_str){sending->part, (size_t)got}, PART_WAIT_NS, err);
	if (rc == 0)
		sending->offset += (uint64_t)got;
	return rc;
}

static int send_all(struct sending *sending, struct sn_err *err)
{
	unsigned failed = 0;
	int rc = 0;

	while (sending->offset < sending->bytes) {
		rc = send_part(sending, err);
		/* Where it stands is what the hub says. */
		if (rc == -EEXIST || (rc != 0 && passes(sending->client, rc))) {
			if (++failed > TRIES)
				return rc;
			pause_for(rc == -EEXIST ? 0 : PAUSE_NS);
			rc = ask_offset(sending, err);
		} else if (rc == 0) {
			failed = 0;
		}
		if (rc != 0)
			return rc;
		sn_bar_update(&sending->bar, sending->offset, sending->bytes, "(sending)");
	}
	return 0;
}

static int send_file(struct sn_client *client, const char *path, const json_t *upload,
		     struct sn_err *err)
{
	struct sending sending = {
		.client = client,
		.path = path,
		.route = sn_xasprintf("/api/v1/uploads/%s", sn_output_text(upload, "id")),
		.fd = open(path, O_RDONLY | O_CLOEXEC),
		.offset = (uint64_t)json_integer_value(json_object_get(upload, "offset")),
		.bytes = (uint64_t)json_integer_value(json_object_get(upload, "bytes")),
		.part = sn_xmalloc(PART_BYTES),
	};
	int rc;

	sn_bar_begin(&sending.bar, stderr, sn_import_name(path), SN_BAR_BYTES, sending.offset);
	rc = sending.fd >= 0 ? send_all(&sending, err)
			     : sn_err_sys(err, -errno, "cannot open '%s'", path);
	sn_bar_clear(&sending.bar);
	if (sending.fd >= 0)
		close(sending.fd);
	free(sending.part);
	free(sending.route);
	return rc;
}

/* The import ------------------------------------------------------------------ */

static int begin_upload(struct sn_client *client, const char *path,
			const struct sn_import_report *report, json_t **upload, struct sn_err *err)
{
	sn_autojson json_t *body =
		json_pack("{s:s, s:I, s:s, s:s}", "name", sn_import_name(path), "bytes",
			  (json_int_t)report->bytes, "sha256", report->digest, "kind", "import");

	if (body == NULL)
		return sn_err_set(err, -EINVAL, "cannot import '%s': its name is not UTF-8", path);
	return call_until(client, "POST", "/api/v1/uploads", body, upload, err);
}

static json_t *import_body(const struct sn_import_verb *verb, const json_t *upload)
{
	json_t *body = json_pack("{s:s, s:s, s:b}", "upload", sn_output_text(upload, "id"), "form",
				 sn_form_name(verb->form), "strict", verb->strict);

	if (verb->dataset != NULL)
		json_object_set_new(body, "dataset", json_string(verb->dataset));
	if (verb->node != NULL)
		json_object_set_new(body, "node", json_string(verb->node));
	return body;
}

/* The newest import of this file that did not fail; NULL. */
static json_t *find_import(struct sn_client *client, const char *digest)
{
	sn_autojson json_t *page = NULL;
	struct sn_err err = {0};
	const json_t *item;
	size_t i;

	if (call_until(client, "GET", "/api/v1/imports?limit=100", NULL, &page, &err) != 0)
		return NULL;
	json_array_foreach (json_object_get(page, "items"), i, item) {
		const char *sha256 = sn_output_text(item, "sha256");
		const char *state = sn_output_text(item, "state");

		if (sha256 != NULL && strcmp(sha256, digest) == 0 && strcmp(state, "failed") != 0 &&
		    strcmp(state, "cancelled") != 0)
			return json_incref((json_t *)(uintptr_t)item);
	}
	return NULL;
}

/* When no answer came the hub may have begun all the same: then it is not asked again. */
static int begin_import(struct sn_client *client, const json_t *body, const char *digest,
			json_t **job, struct sn_err *err)
{
	int rc = sn_client_call(client, "POST", "/api/v1/imports", body, job, err);

	for (unsigned i = 0; i < TRIES && rc != 0; i++) {
		if (rc != -EEXIST && rc != -ENOENT && !passes(client, rc))
			break;
		*job = find_import(client, digest);
		if (*job != NULL)
			return 0;
		if (rc == -ENOENT)
			break;
		pause_for(PAUSE_NS);
		rc = sn_client_call(client, "POST", "/api/v1/imports", body, job, err);
	}
	return rc;
}

static int follow(struct sn_client *client, const char *path, json_t **job, struct sn_err *err)
{
	sn_autofree char *route = sn_xasprintf("/api/v1/imports/%s", sn_output_text(*job, "id"));
	uint64_t pause_ns = POLL_MIN_NS;
	struct sn_bar bar;
	int rc = 0;

	sn_bar_begin(&bar, stderr, sn_import_name(path), SN_BAR_BYTES, 0);
	while (rc == 0 && sn_output_text(*job, "ended") == NULL) {
		json_t *now = NULL;

		pause_for(pause_ns);
		pause_ns = SN_MIN(pause_ns * 2, (uint64_t)POLL_MAX_NS);
		rc = call_until(client, "GET", route, NULL, &now, err);
		if (rc != 0)
			break;
		json_decref(*job);
		*job = now;
		sn_bar_update(
			&bar, (uint64_t)json_integer_value(json_object_get(now, "taken_bytes")),
			(uint64_t)json_integer_value(json_object_get(now, "bytes")),
			strcmp(sn_output_text(now, "state"), "waiting") == 0 ? "(waiting)" : NULL);
	}
	sn_bar_clear(&bar);
	if (rc == -EINTR)
		sn_err_set(err, rc, "interrupted; the hub goes on ('sonde imports' shows how far)");
	return rc;
}

static json_t *duplicate_of(const char *path, const struct sn_import_report *report)
{
	return json_pack("{s:s, s:s, s:I, s:b, s:s, s:i, s:i}", "name", sn_import_name(path),
			 "state", "done", "bytes", (json_int_t)report->bytes, "duplicate", 1,
			 "sha256", report->digest, "rows", 0, "bad_lines", 0);
}

int sn_import_by_hub(struct sn_client *client, const struct sn_import_verb *verb, const char *path,
		     json_t **job, struct sn_err *err)
{
	sn_autojson json_t *upload = NULL, *body = NULL;
	struct sn_import_report report;
	int rc = find_digest(path, &report, err);

	if (rc == 0 && report.bytes == 0)
		rc = sn_err_set(err, -EINVAL, "cannot import '%s': it is empty", path);
	if (rc == 0)
		rc = begin_upload(client, path, &report, &upload, err);
	if (rc != 0)
		return rc;
	if (json_is_true(json_object_get(upload, "imported")) && !verb->again) {
		sn_autofree char *route =
			sn_xasprintf("/api/v1/uploads/%s", sn_output_text(upload, "id"));

		(void)sn_client_call(client, "DELETE", route, NULL, NULL, NULL);
		*job = duplicate_of(path, &report);
		return 0;
	}
	rc = send_file(client, path, upload, err);
	if (rc != 0)
		return rc;
	body = import_body(verb, upload);
	rc = begin_import(client, body, report.digest, job, err);
	if (rc == 0 && !verb->detach)
		rc = follow(client, path, job, err);
	return rc;
}
