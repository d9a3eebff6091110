/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are sent in parts, each of which is on disk before it is acknowledged. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/sql.h"

#define PART_TYPE "application/offset+octet-stream"

static const char *actor(const struct sn_http_request *request)
{
	return sn_who_name(sn_guard_who(request));
}

static json_t *upload_json(const struct sn_hub *hub, const struct sn_upload *upload)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:b, s:o, s:o}", "id", upload->id,
			 "name", upload->name, "kind", upload->kind, "sha256", upload->sha256,
			 "bytes", (json_int_t)upload->bytes, "offset", (json_int_t)upload->offset,
			 "complete", sn_upload_is_complete(upload), "imported",
			 sn_imports_know(hub->imports, upload->sha256), "created",
			 sn_json_time(upload->created_ns), "expires",
			 sn_json_time(upload->touched_ns + (int64_t)SN_UPLOAD_LIFE_NS));
}

static void set_offset(struct sn_http_request *request, const struct sn_upload *upload)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, upload->offset);
	sn_http_set_header(request, "Upload-Offset", text);
	sn_http_set_header(request, "Cache-Control", "no-store");
}

static void refuse(struct sn_http_request *request, const struct sn_err *err)
{
	static const struct sn_api_refusal refusals[] = {
		{-EDQUOT, 413, "too-large", "There is no room for this file"},
	};

	sn_api_refuse(request, err, refusals, SN_COUNT(refusals));
}

/* Uploads of others are as if they were not there. */
static struct sn_upload *named(struct sn_hub *hub, struct sn_http_request *request)
{
	struct sn_upload *upload = sn_uploads_find(hub->uploads, sn_http_param(request, "id"));

	if (upload != NULL && strcmp(upload->owner, actor(request)) == 0)
		return upload;
	sn_api_not_found(request, "no upload has this id (it may have been given up, or imported)");
	return NULL;
}

static void post_upload(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	json_int_t bytes = json_integer_value(json_object_get(body, "bytes"));
	const char *kind = json_string_value(json_object_get(body, "kind"));
	struct sn_upload wanted = {
		.name = (char *)(uintptr_t)json_string_value(json_object_get(body, "name")),
		.bytes = bytes > 0 ? (uint64_t)bytes : 0,
	};
	struct sn_upload *upload;
	struct sn_err err = {0};

	if (body == NULL)
		return;
	if (kind != NULL && strcmp(kind, "import") != 0) {
		sn_api_bad(request, "kind: not 'import'");
		return;
	}
	snprintf(wanted.kind, sizeof(wanted.kind), "import");
	snprintf(wanted.owner, sizeof(wanted.owner), "%s", actor(request));
	/* One character more than fits is seen as wrong, not cut. */
	if (strlen(json_string_value(json_object_get(body, "sha256"))) < sizeof(wanted.sha256))
		snprintf(wanted.sha256, sizeof(wanted.sha256), "%s",
			 json_string_value(json_object_get(body, "sha256")));
	if (sn_uploads_begin(hub->uploads, &wanted, sn_hub_now(hub), &upload, &err) != 0) {
		refuse(request, &err);
		return;
	}
	if (upload->offset == 0)
		sn_hub_audit(hub, actor(request), "upload.begin", upload->id, upload->name);
	set_offset(request, upload);
	sn_http_reply_json(request, 201, upload_json(hub, upload));
}

static void get_upload(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_upload *upload = named(hub, request);

	if (upload == NULL)
		return;
	set_offset(request, upload);
	sn_http_reply_json(request, 200, upload_json(hub, upload));
}

static void delete_upload(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_upload *upload = named(hub, request);
	const char *id = sn_http_param(request, "id");
	struct sn_err err = {0};

	if (upload == NULL)
		return;
	if (sn_uploads_remove(hub->uploads, upload, &err) == -EBUSY) {
		sn_http_problem(request, 409, "busy", "Not now", "%s", err.text);
	} else if (err.code != 0) {
		sn_api_trouble(request, &err);
	} else {
		sn_hub_audit(hub, actor(request), "upload.remove", id, NULL);
		sn_api_empty(request);
	}
}

/* Parts ---------------------------------------------------------------------------- */

struct waiting {
	struct sn_hub *hub;
	struct sn_http_request *request; /* NULL once the client has gone away */
	char id[SN_ULID_SIZE];
};

static void abandoned(struct sn_http_request *request, void *ctx)
{
	(void)request;
	((struct waiting *)ctx)->request = NULL;
}

static void answer_part(struct waiting *waiting, const struct sn_err *err)
{
	const struct sn_upload *upload = sn_uploads_find(waiting->hub->uploads, waiting->id);

	if (err->code == -EBADMSG) {
		sn_http_problem(waiting->request, 422, "wrong-digest", "This is not that file",
				"%s", err->text);
	} else if (err->code != 0 || upload == NULL) {
		sn_api_trouble(waiting->request, err);
	} else {
		set_offset(waiting->request, upload);
		sn_api_empty(waiting->request);
	}
}

static void part_done(const struct sn_err *err, void *ctx)
{
	struct waiting *waiting = ctx;

	if (waiting->request != NULL)
		answer_part(waiting, err);
	free(waiting);
}

static void refuse_part(struct sn_http_request *request, const struct sn_upload *upload,
			const struct sn_err *err)
{
	switch (err->code) {
	case -ERANGE:
		set_offset(request, upload);
		sn_http_problem(request, 409, "wrong-offset", "This part does not come next", "%s",
				err->text);
		break;
	case -EFBIG:
		sn_http_problem(request, 413, "too-large", "This is too much", "%s", err->text);
		break;
	case -EBUSY:
		sn_http_set_header(request, "Retry-After", "1");
		sn_http_problem(request, 503, "busy", "Not now", "%s", err->text);
		break;
	default:
		sn_api_trouble(request, err);
	}
}

static void patch_upload(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_upload *upload = named(hub, request);
	const char *type = sn_http_header(request, "Content-Type");
	const char *offset_text = sn_http_header(request, "Upload-Offset");
	struct waiting *waiting;
	struct sn_err err = {0};
	uint64_t offset;

	if (upload == NULL)
		return;
	if (type == NULL || strcmp(type, PART_TYPE) != 0) {
		sn_http_problem(request, 415, "bad-part", "Not a part of a file",
				"send it as '" PART_TYPE "'");
		return;
	}
	if (offset_text == NULL || sn_parse_u64(sn_str(offset_text), 0, INT64_MAX, &offset) != 0 ||
	    sn_http_body(request).n == 0) {
		sn_http_problem(request, 400, "bad-part", "Not a part of a file",
				"it needs bytes, and their place in the file as 'Upload-Offset'");
		return;
	}
	waiting = sn_new(struct waiting);
	waiting->hub = hub;
	waiting->request = request;
	memcpy(waiting->id, upload->id, sizeof(waiting->id));
	if (sn_uploads_put(hub->uploads, upload, offset, sn_http_body(request), sn_hub_now(hub),
			   part_done, waiting, &err) != 0) {
		free(waiting);
		refuse_part(request, upload, &err);
		return;
	}
	sn_http_on_abandon(request, abandoned, waiting);
}

/* Declarations --------------------------------------------------------------------- */

static const struct sn_api_field wanted_fields[] = {
	{"name", SN_API_TEXT, true, false, "of the file, without directories"},
	{"bytes", SN_API_INTEGER, true, false, "length of the file"},
	{"sha256", SN_API_TEXT, true, false, "of the file, 64 hex digits in lower case"},
	{"kind", SN_API_TEXT, false, false, "what it is for: import"},
};
static const struct sn_api_schema wanted = {"UploadRequest", "A file that will be sent in parts.",
					    wanted_fields, SN_COUNT(wanted_fields)};

static const struct sn_api_field upload_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the upload"},
	{"name", SN_API_TEXT, true, false, "of the file"},
	{"kind", SN_API_TEXT, true, false, "what it is for"},
	{"sha256", SN_API_TEXT, true, false, "of the whole file"},
	{"bytes", SN_API_INTEGER, true, false, "length of the file"},
	{"offset", SN_API_INTEGER, true, false, "where the next part begins"},
	{"complete", SN_API_BOOL, true, false, "all of it is here, and has this digest"},
	{"imported", SN_API_BOOL, true, false, "a file with this digest was imported before"},
	{"created", SN_API_TIME, true, false, "when it was begun"},
	{"expires", SN_API_TIME, true, false, "removed then if nobody goes on with it"},
};
static const struct sn_api_schema upload_schema = {"Upload", "A file on its way to the hub.",
						   upload_fields, SN_COUNT(upload_fields)};

static const struct sn_api_param part_params[] = {
	{"Upload-Offset", SN_API_INTEGER, "where in the file the part begins", true},
};

static const struct sn_api_doc post_doc = {
	.id = "beginUpload",
	.tag = "store",
	.summary = "begin to send a file, or find out where to go on",
	.body = &wanted,
	.status = 201,
	.answer = &upload_schema,
};
static const struct sn_api_doc get_doc = {
	.id = "getUpload",
	.tag = "store",
	.summary = "how much of it has arrived; HEAD tells it as Upload-Offset",
	.answer = &upload_schema,
};
static const struct sn_api_doc patch_doc = {
	.id = "sendPart",
	.tag = "store",
	.summary = "the next part; on disk when it is answered; 409 says where to go on",
	.params = part_params,
	.param_count = SN_COUNT(part_params),
	.body_type = PART_TYPE,
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};
static const struct sn_api_doc delete_doc = {
	.id = "removeUpload",
	.tag = "store",
	.summary = "give it up",
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};

static const struct sn_http_route routes[] = {
	{"POST", "/api/v1/uploads", post_upload, SN_API_BODY_MAX, SN_ACCESS_ADMIN, &post_doc},
	{"GET", "/api/v1/uploads/{id}", get_upload, 0, SN_ACCESS_ADMIN, &get_doc},
	{"PATCH", "/api/v1/uploads/{id}", patch_upload, SN_UPLOAD_PART_MAX, SN_ACCESS_ADMIN,
	 &patch_doc},
	{"DELETE", "/api/v1/uploads/{id}", delete_upload, 0, SN_ACCESS_ADMIN, &delete_doc},
};
const struct sn_api_routes sn_api_uploads = {routes, SN_COUNT(routes)};
