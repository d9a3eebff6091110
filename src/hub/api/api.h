/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api: the routes of the hub, one file per noun, and what their handlers share.
 *
 * A handler answers its request exactly once.  Helpers that return NULL or false
 * have answered with a problem already.
 */
#ifndef SONDE_HUB_API_API_H
#define SONDE_HUB_API_API_H

#include <jansson.h>
#include <stdbool.h>

#include "hub/api/schema.h"
#include "hub/guard.h"
#include "hub/hub.h"
#include "net/http_server.h"

#define SN_API_BODY_MAX  (64 * 1024)
#define SN_API_LIMIT_MAX 10000
#define SN_API_LIMIT     100

struct sn_api_routes {
	const struct sn_http_route *routes;
	size_t count;
};

extern const struct sn_api_routes sn_api_enrol;        /* enrol.c */
extern const struct sn_api_routes sn_api_node;         /* node.c: what nodes call */
extern const struct sn_api_routes sn_api_nodes;        /* nodes.c */
extern const struct sn_api_routes sn_api_invites;      /* invites.c */
extern const struct sn_api_routes sn_api_capabilities; /* capabilities.c */
extern const struct sn_api_routes sn_api_measurements; /* measurements.c */
extern const struct sn_api_routes sn_api_datasets;     /* datasets.c */
extern const struct sn_api_routes sn_api_export;       /* export.c */
extern const struct sn_api_routes sn_api_dumps;        /* dumps.c */
extern const struct sn_api_routes sn_api_kml;          /* kml.c */
extern const struct sn_api_routes sn_api_series;       /* series.c */
extern const struct sn_api_routes sn_api_groups;       /* groups.c */
extern const struct sn_api_routes sn_api_sources;      /* sources.c */
extern const struct sn_api_routes sn_api_store;        /* store.c */
extern const struct sn_api_routes sn_api_store_jobs;   /* store_jobs.c */
extern const struct sn_api_routes sn_api_replication;  /* replication.c */
extern const struct sn_api_routes sn_api_migrate;      /* migrate.c */
extern const struct sn_api_routes sn_api_session;      /* session.c */
extern const struct sn_api_routes sn_api_users;        /* users.c */
extern const struct sn_api_routes sn_api_audit;        /* audit.c */
extern const struct sn_api_routes sn_api_policy;       /* policy.c */
extern const struct sn_api_routes sn_api_certificates; /* certificates.c */
extern const struct sn_api_routes sn_api_hub;          /* hub.c */
extern const struct sn_api_routes sn_api_annotation;   /* annotation.c */
extern const struct sn_api_routes sn_api_quarantine;   /* quarantine.c */
extern const struct sn_api_routes sn_api_events;       /* events.c */
extern const struct sn_api_routes sn_api_uploads;      /* uploads.c */
extern const struct sn_api_routes sn_api_imports;      /* imports.c */
extern const struct sn_api_routes sn_api_openapi;      /* openapi.c */
extern const struct sn_api_routes sn_api_metrics;      /* metrics.c */
extern const struct sn_api_routes sn_api_math;         /* math.c */
extern const struct sn_api_routes sn_api_mplane;       /* hub/supervisor/routes.c */
extern const struct sn_api_routes sn_api_problems;     /* problems.c */
extern const struct sn_api_routes sn_api_web;          /* web.c, last: it takes every other path */

extern const struct sn_api_schema sn_api_clickhouse_schema; /* store.c */

/* Dataset of the measurement's results; NULL when there is none, or none yet (measurements.c). */
const struct sn_dataset *sn_api_measurement_dataset(const struct sn_hub *hub, const char *id);

/* Fills hub->routes, handlers and route_count; the arrays are the hub's to free. */
void sn_api_make_routes(struct sn_hub *hub);

/* Problems ------------------------------------------------------------------ */
void sn_api_bad(struct sn_http_request *request, const char *detail);       /* 422 invalid */
void sn_api_not_found(struct sn_http_request *request, const char *detail); /* 404 */
/* -E2BIG: 409 limit-reached; else an error of ours, logged: 503 store-full,
 * clickhouse-unreachable or 500. */
void sn_api_trouble(struct sn_http_request *request, const struct sn_err *err);
/* What an error is as an answer. */
struct sn_api_refusal {
	int code; /* of the error */
	unsigned status;
	const char *type, *title; /* of the problem */
};
/*
 * Answers with `err` by the route's own table, which may be NULL with count 0; else -EINVAL is 422,
 * -ENOENT 404, -EEXIST and -EPERM are 409 conflict, the rest is sn_api_trouble().
 */
void sn_api_refuse(struct sn_http_request *request, const struct sn_err *err,
		   const struct sn_api_refusal *own, size_t count);

/* Requests ------------------------------------------------------------------ */
/* The body as JSON that keeps to the schema of the route's doc; a new reference or NULL. */
json_t *sn_api_body(struct sn_http_request *request);
/* The node that a path's {id} or {node} names, or NULL. */
struct sn_node *sn_api_node_named(struct sn_hub *hub, struct sn_http_request *request,
				  const char *id_or_name);
/* A duration member ("1h" or a number of seconds) into `*ns`, unchanged when absent. */
bool sn_api_duration(struct sn_http_request *request, const json_t *body, const char *member,
		     int64_t max_ns, int64_t *ns);
/* Query values; absent leaves `*value` as it is. */
bool sn_api_query_time(struct sn_hub *hub, struct sn_http_request *request, const char *name,
		       int64_t *value);
bool sn_api_query_u64(struct sn_http_request *request, const char *name, uint64_t min, uint64_t max,
		      uint64_t *value);
/* Does the client want `type` more than JSON?  By the Accept header, without weights. */
bool sn_api_accepts(const struct sn_http_request *request, const char *type);

/* Does the client take this Content-Encoding?  By its Accept-Encoding; a weight of 0 is a no. */
bool sn_api_takes_encoding(const struct sn_http_request *request, const char *encoding);

/* Pages for people (problems.c) ---------------------------------------------- */
void sn_api_page_begin(struct sn_hub *hub, struct sn_buf *page, const char *title);
/* Answers with the page and releases it. */
void sn_api_page_end(struct sn_http_request *request, unsigned status, struct sn_buf *page);

/* Answers ------------------------------------------------------------------- */
void sn_api_empty(struct sn_http_request *request); /* 204 */
/*
 * The page of `items` (an array, stolen) that limit= and cursor= ask for; an item's
 * cursor is its member `key`.
 */
void sn_api_reply_list(struct sn_http_request *request, json_t *items, const char *key);
extern const struct sn_api_param sn_api_list_params[];
#define SN_API_LIST_PARAMS 2
/* {"items","next"}, both as they are; `items` is stolen, `next` NULL at the end. */
void sn_api_reply_page(struct sn_http_request *request, json_t *items, const char *next);

#endif
