/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/v1/store/migrate: which way rows go between the store's files and ClickHouse. */
#define SN_MODULE "api"
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "hub/api/api.h"

static const struct sn_api_field body_fields[] = {
	{"to", SN_API_TEXT, true, false, "clickhouse, or sqlite: rows come back to the files"},
};
static const struct sn_api_schema body_schema = {"StoreMigration", "Where rows are to be.",
						 body_fields, SN_COUNT(body_fields)};

static void turn(struct sn_hub *hub, struct sn_http_request *request, const char *to)
{
	struct sn_err err = {0};

	if (sn_mover_turn(sn_moving_mover(hub), strcmp(to, "sqlite") == 0, &err) != 0) {
		sn_api_trouble(request, &err);
		return;
	}
	sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "store.migrate", to, NULL);
	sn_notice("rows go to=%s by=%s", to, sn_who_name(sn_guard_who(request)));
	sn_http_reply_json(request, 200, sn_moving_json(hub));
}

static void post_migrate(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const char *to = json_string_value(json_object_get(body, "to"));

	if (body == NULL)
		return;
	if (strcmp(to, "clickhouse") != 0 && strcmp(to, "sqlite") != 0)
		sn_api_bad(request, "to: neither 'clickhouse' nor 'sqlite'");
	else if (sn_moving_mover(hub) == NULL)
		sn_http_problem(request, 409, "conflict", "The hub has no ClickHouse",
				"set the key 'clickhouse' of its configuration and start it again");
	else
		turn(hub, request, to);
}

static const struct sn_api_doc doc = {
	.id = "migrateStore",
	.tag = "store",
	.summary = "rows go to ClickHouse, or come back to the store's files; in the background",
	.body = &body_schema,
	.answer = &sn_api_clickhouse_schema,
};
static const struct sn_http_route routes[] = {
	{"POST", "/api/v1/store/migrate", post_migrate, SN_API_BODY_MAX, SN_ACCESS_ADMIN, &doc},
};
const struct sn_api_routes sn_api_migrate = {routes, SN_COUNT(routes)};
