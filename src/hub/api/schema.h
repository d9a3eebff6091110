/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema: what goes in and out of the API, as tables.
 *
 * The tables check request bodies (unknown members are refused, with a
 * suggestion) and yield the OpenAPI description; the tests hold real answers
 * against them.  Rows and method parameters are not here: they come from the
 * declarations in data/.
 */
#ifndef SONDE_HUB_API_SCHEMA_H
#define SONDE_HUB_API_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum sn_api_type {
	SN_API_TEXT,
	SN_API_TIME, /* RFC 3339 text */
	SN_API_INTEGER,
	SN_API_NUMBER,
	SN_API_BOOL,
	SN_API_OBJECT, /* of `schema`; without one, any members */
	SN_API_TEXTS,  /* array of texts */
	SN_API_ARRAY,  /* array of `schema`; without one, of anything */
	SN_API_ANY,
};

struct sn_api_schema;

struct sn_api_field {
	const char *name;
	enum sn_api_type type;
	bool required, nullable;
	const char *help;
	const struct sn_api_schema *schema;
};

struct sn_api_schema {
	const char *name; /* of the component: "Node" */
	const char *help;
	const struct sn_api_field *fields;
	size_t field_count;
};

struct sn_api_param { /* in the query or, with header set, a header */
	const char *name;
	enum sn_api_type type;
	const char *help;
	bool header;
};

enum sn_api_answer {
	SN_ANSWER_OBJECT, /* `answer` */
	SN_ANSWER_LIST,   /* {"items": [`answer`...], "next"} */
	SN_ANSWER_EMPTY,
	SN_ANSWER_TEXT,   /* of `content_type` */
	SN_ANSWER_EVENTS, /* text/event-stream */
	SN_ANSWER_ROWS,   /* rows of the dataset in the path, in three forms */
};

/* struct sn_http_route.doc points to one of these. */
struct sn_api_doc {
	const char *id, *tag, *summary;
	const struct sn_api_param *params;
	size_t param_count;
	bool columns;   /* columns of the dataset in the path are parameters, too */
	bool any_query; /* parameters are not ours to judge */
	const struct sn_api_schema *body;
	const char *body_type; /* NULL: application/json */
	unsigned status;       /* of success; 0: 200 */
	enum sn_api_answer kind;
	const struct sn_api_schema *answer;
	const char *content_type;
};

/* 0, or -EINVAL with "member: reason". */
int sn_api_check(const struct sn_api_schema *schema, const json_t *value, struct sn_err *err);
const char *sn_api_type_name(enum sn_api_type type); /* as JSON Schema calls it; NULL for any */

#endif
