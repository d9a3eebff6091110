/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are read into the store, as jobs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"

static const char *actor(const struct sn_http_request *request)
{
	return sn_who_name(sn_guard_who(request));
}

static void refuse(struct sn_http_request *request, const struct sn_err *err)
{
	static const struct sn_api_refusal refusals[] = {
		{-EACCES, 403, "path-refused", "Not from there"},
		{-EBUSY, 409, "busy", "Not now"},
	};

	sn_api_refuse(request, err, refusals, SN_COUNT(refusals));
}

static void reply_job(struct sn_hub *hub, struct sn_http_request *request, unsigned status,
		      const char *id)
{
	struct sn_err err = {0};
	sn_autojson json_t *items = sn_imports_json(hub->imports, id, &err);

	if (items == NULL)
		sn_api_trouble(request, &err);
	else if (json_array_size(items) == 0)
		sn_api_not_found(request, "no import has this id");
	else
		sn_http_reply_json(request, status, json_incref(json_array_get(items, 0)));
}

static void post_import(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const char *form = json_string_value(json_object_get(body, "form"));
	struct sn_import_wanted wanted = {
		.upload = json_string_value(json_object_get(body, "upload")),
		.path = json_string_value(json_object_get(body, "path")),
		.dataset = json_string_value(json_object_get(body, "dataset")),
		.node = json_string_value(json_object_get(body, "node")),
		.strict = json_is_true(json_object_get(body, "strict")),
		.by = actor(request),
	};
	const struct sn_upload *upload =
		wanted.upload != NULL ? sn_uploads_find(hub->uploads, wanted.upload) : NULL;
	char id[SN_ULID_SIZE];
	struct sn_err err = {0};

	if (body == NULL)
		return;
	if (form != NULL && sn_form_parse(form, &wanted.form) != 0) {
		sn_api_bad(request, "form: not auto, tstat, monroe, mplane, csv or jsonl");
		return;
	}
	if (upload != NULL && strcmp(upload->owner, wanted.by) != 0)
		wanted.upload = "";
	if (sn_imports_add(hub->imports, &wanted, id, &err) != 0) {
		refuse(request, &err);
		return;
	}
	sn_hub_audit(hub, wanted.by, "import.add", id,
		     wanted.path != NULL ? wanted.path
		     : upload != NULL    ? upload->name
					 : "");
	reply_job(hub, request, 201, id);
}

static void get_imports(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_err err = {0};
	json_t *items = sn_imports_json(hub->imports, NULL, &err);

	if (items == NULL)
		sn_api_trouble(request, &err);
	else
		sn_api_reply_list(request, items, "id");
}

static void get_import(struct sn_http_request *request, void *ctx)
{
	reply_job(ctx, request, 200, sn_http_param(request, "id"));
}

static void delete_import(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *id = sn_http_param(request, "id");
	struct sn_err err = {0};

	if (sn_imports_cancel(hub->imports, id, &err) != 0) {
		refuse(request, &err);
		return;
	}
	sn_hub_audit(hub, actor(request), "import.cancel", id, NULL);
	sn_api_empty(request);
}

/* Declarations --------------------------------------------------------------------- */

static const struct sn_api_field wanted_fields[] = {
	{"upload", SN_API_TEXT, false, false, "id of an upload that is complete; or"},
	{"path", SN_API_TEXT, false, false,
	 "a file on the hub's machine, in one of the directories of 'import_dirs'"},
	{"form", SN_API_TEXT, false, false,
	 "auto (default: by name and content), tstat, monroe, mplane, csv or jsonl"},
	{"dataset", SN_API_TEXT, false, true,
	 "that rows of CSV and JSON Lines have; the name of the file may say it"},
	{"node", SN_API_TEXT, false, true, "that rows of Tstat's logs and of mPlane are of"},
	{"strict", SN_API_BOOL, false, false,
	 "MONROE: refuse what the testbed's own importer refused"},
};
static const struct sn_api_schema wanted = {"ImportRequest", "A file to be read into the store.",
					    wanted_fields, SN_COUNT(wanted_fields)};

static const struct sn_api_field sample_fields[] = {
	{"line", SN_API_INTEGER, true, false, "its number in the file"},
	{"reason", SN_API_TEXT, true, false, "why it was not taken"},
};
static const struct sn_api_schema sample_schema = {"ImportBadLine", "A line that was not taken.",
						   sample_fields, SN_COUNT(sample_fields)};

static const struct sn_api_field job_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the import"},
	{"name", SN_API_TEXT, true, false, "of the file"},
	{"form", SN_API_TEXT, true, false, "as found out; auto until then"},
	{"state", SN_API_TEXT, true, false, "waiting, running, done, failed or cancelled"},
	{"bytes", SN_API_INTEGER, true, false, "length of the file"},
	{"taken_bytes", SN_API_INTEGER, true, false, "of these, read so far"},
	{"rows", SN_API_INTEGER, true, false, "in the store so far"},
	{"bad_lines", SN_API_INTEGER, true, false, "that were not taken; they are in quarantine"},
	{"unknown", SN_API_INTEGER, true, false,
	 "columns or members that no dataset has, each time"},
	{"duplicate", SN_API_BOOL, true, false, "the file was in the store already"},
	{"reason", SN_API_TEXT, true, true, "why it failed, or what to know of it"},
	{"by", SN_API_TEXT, true, false, "who asked for it"},
	{"dataset", SN_API_TEXT, true, true, "that all rows have; null: each says"},
	{"node", SN_API_TEXT, true, true, "that was asked for"},
	{"strict", SN_API_BOOL, true, false, "as asked for"},
	{"sha256", SN_API_TEXT, true, true, "of the file"},
	{"samples", SN_API_ARRAY, true, false, "the first bad lines", &sample_schema},
	{"created", SN_API_TIME, true, false, "when it was asked for"},
	{"started", SN_API_TIME, true, true, "when it began"},
	{"ended", SN_API_TIME, true, true, "when it ended"},
};
static const struct sn_api_schema job_schema = {"Import", "A file on its way into the store.",
						job_fields, SN_COUNT(job_fields)};

static const struct sn_api_doc post_doc = {
	.id = "importFile",
	.tag = "store",
	.summary = "read a file into the store, once",
	.body = &wanted,
	.status = 201,
	.answer = &job_schema,
};
static const struct sn_api_doc list_doc = {
	.id = "listImportJobs",
	.tag = "store",
	.summary = "imports, newest first",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &job_schema,
};
static const struct sn_api_doc get_doc = {
	.id = "getImportJob",
	.tag = "store",
	.summary = "how far it is",
	.answer = &job_schema,
};
static const struct sn_api_doc delete_doc = {
	.id = "cancelImportJob",
	.tag = "store",
	.summary = "stop it; rows that are stored stay, and it can be gone on with",
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};

static const struct sn_http_route routes[] = {
	{"POST", "/api/v1/imports", post_import, SN_API_BODY_MAX, SN_ACCESS_ADMIN, &post_doc},
	{"GET", "/api/v1/imports", get_imports, 0, SN_ACCESS_USER, &list_doc},
	{"GET", "/api/v1/imports/{id}", get_import, 0, SN_ACCESS_USER, &get_doc},
	{"DELETE", "/api/v1/imports/{id}", delete_import, 0, SN_ACCESS_ADMIN, &delete_doc},
};
const struct sn_api_routes sn_api_imports = {routes, SN_COUNT(routes)};
