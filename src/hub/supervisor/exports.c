/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "exports"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/sql.h"
#include "hub/supervisor/internal.h"
#include "net/http_client.h"
#include "peer/answer.h"
#include "peer/listing.h"

/*
 * Results for a repository wait in the control database until it has taken them, one
 * after the other.  The store has them too: this is a copy that is sent, and what is lost
 * of it when a disk is full is not lost to us.
 */

#define RETRY_FIRST_NS SN_NS_PER_S
#define RETRY_MAX_NS   (60 * SN_NS_PER_S)

struct repository {
	struct sn_supervisor *sup;
	char *name;
	struct sn_buf url;
	struct sn_http_client *http;
	struct sn_http_fetch *fetch;
	struct sn_timer timer;
	int64_t sending; /* id of the message under way */
	unsigned failures;
	int64_t waiting;
};

struct sn_exports {
	struct repository *list;
	size_t count;
};

static struct repository *find(const struct sn_supervisor *sup, const char *name)
{
	for (size_t i = 0; i < sup->exports->count; i++) {
		if (strcmp(sup->exports->list[i].name, name) == 0)
			return &sup->exports->list[i];
	}
	return NULL;
}

const char *sn_sup_repository_at(const struct sn_supervisor *sup, const char *url)
{
	struct sn_buf plain = {0};
	const char *name = NULL;

	sn_peer_link_plain(url, &plain);
	for (size_t i = 0; i < sup->exports->count && name == NULL; i++) {
		if (sn_str_eq(sn_buf_str(&plain), sn_buf_str(&sup->exports->list[i].url)))
			name = sup->exports->list[i].name;
	}
	sn_buf_finish(&plain);
	return name;
}

/* Sending ------------------------------------------------------------------------------- */

static void drop(struct repository *repository, int64_t id)
{
	struct sn_err err = {0};

	if (sn_db_run(repository->sup->hub->control, &err,
		      "DELETE FROM mplane_exports WHERE id = ?", "i", id) < 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot forget what was exported: %s", err.text);
	else if (repository->waiting > 0)
		repository->waiting--;
}

static void later(struct repository *repository, const struct sn_err *err)
{
	if (repository->failures++ == 0)
		sn_warn("repository does not take results name=%s: %s", repository->name,
			err->text);
	sn_timer_in(&repository->timer,
		    sn_peer_backoff(RETRY_FIRST_NS, repository->failures, RETRY_MAX_NS));
}

/* A refusal is for this message, and trying again would not change it. */
static bool is_refused(const struct sn_http_answer *answer)
{
	return answer->error == 0 && answer->status >= 400 && answer->status < 500 &&
	       answer->status != 408 && answer->status != 429 && answer->status != 401 &&
	       answer->status != 403;
}

static void sent(struct sn_http_fetch *fetch, const struct sn_http_answer *answer, void *ctx)
{
	struct repository *repository = ctx;
	bool good = answer->error == 0 && answer->status / 100 == 2;
	struct sn_err err = {0};

	(void)fetch;
	repository->fetch = NULL;
	if (!good)
		(void)sn_peer_answer_error(answer, &err);
	if (!good && !is_refused(answer)) {
		later(repository, &err);
		return;
	}
	if (!good)
		sn_warn("repository refuses a result name=%s: %s", repository->name, err.text);
	repository->failures = 0;
	drop(repository, repository->sending);
	sn_timer_in(&repository->timer, 0);
}

static void send_message(struct repository *repository, const char *message, size_t size)
{
	static const char *const headers[] = {"Content-Type: " SN_MP_MEDIA_TYPE, NULL};
	struct sn_http_fetch_spec spec = {
		.method = "POST",
		.url = sn_buf_cstr(&repository->url),
		.headers = headers,
		.body = message,
		.body_size = size,
		.on_done = sent,
		.ctx = repository,
	};

	repository->fetch = sn_http_fetch(repository->http, &spec);
	if (repository->fetch == NULL)
		sn_error("repository cannot be reached at its URL name=%s", repository->name);
}

static void send_next(struct sn_timer *timer)
{
	struct repository *repository = sn_container_of(timer, struct repository, timer);
	struct sn_db *db = repository->sup->hub->control;
	sqlite3_stmt *row;

	if (repository->fetch != NULL)
		return;
	row = sn_db_query(db, NULL,
			  "SELECT id, message FROM mplane_exports WHERE repository = ?"
			  " ORDER BY id LIMIT 1",
			  "t", repository->name);
	if (row != NULL && sn_db_next(db, row, NULL) == 1) {
		repository->sending = sqlite3_column_int64(row, 0);
		send_message(repository, (const char *)sqlite3_column_text(row, 1),
			     (size_t)sqlite3_column_bytes(row, 1));
	}
	sn_db_done(row);
}

/* What is to be sent ----------------------------------------------------------------------- */

/* With what the client knows it by, if one asked. */
static struct sn_mp_message *in_its_name(const struct sn_measure *measure,
					 const struct sn_mp_message *result)
{
	struct sn_mp_message *copy = sn_mp_message_copy(result);

	sn_mp_set_text(&copy->token,
		       measure->client_token[0] != '\0' ? measure->client_token : measure->id);
	if (measure->client_label[0] != '\0' && copy->kind != SN_MP_EXCEPTION)
		sn_mp_set_text(&copy->label, measure->client_label);
	return copy;
}

static int keep(struct repository *repository, const struct sn_mp_message *message,
		struct sn_err *err)
{
	struct sn_hub *hub = repository->sup->hub;
	struct sn_buf text = {0};
	int changed;

	sn_mp_encode(message, SN_MP_WRITE_SAFE, &text);
	changed = sn_db_run(hub->control, err,
			    "INSERT INTO mplane_exports (repository, message, created)"
			    " VALUES (?, ?, ?)",
			    "tti", repository->name, sn_buf_cstr(&text), sn_hub_now(hub));
	sn_buf_finish(&text);
	return changed < 0 ? changed : 0;
}

void sn_sup_export(struct sn_supervisor *sup, const struct sn_measure *measure,
		   const struct sn_mp_message *result)
{
	sn_automp struct sn_mp_message *message = NULL;
	struct repository *repository;
	struct sn_err err = {0};

	if (measure->repository == NULL || measure->repository[0] == '\0')
		return;
	repository = find(sup, measure->repository);
	if (repository == NULL || repository->waiting >= SN_SUPERVISOR_EXPORTS_MAX) {
		SN_LOG_LIMITED(SN_LOG_WARNING, "results are not exported repository=%.100s: %s",
			       measure->repository,
			       repository == NULL ? "it is not configured"
						  : "too many wait for it already");
		return;
	}
	message = in_its_name(measure, result);
	if (keep(repository, message, &err) != 0) {
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot keep a result for export: %s", err.text);
		return;
	}
	repository->waiting++;
	if (repository->fetch == NULL && !sn_timer_armed(&repository->timer))
		sn_timer_in(&repository->timer, 0);
}

/* Rows of our own nodes: those of one batch and measurement are one result. */

static struct sn_batch *rows_of(const struct sn_batch *batch, size_t from, struct sn_str task)
{
	struct sn_batch *picked = sn_batch_create(sn_batch_dataset(batch));
	size_t columns = sn_batch_dataset(batch)->column_count;

	for (size_t i = from; i < sn_batch_rows(batch); i++) {
		const struct sn_value *row = sn_batch_row(batch, i);
		size_t at;

		if (row[SN_COL_TASK].type != SN_TYPE_TEXT || !sn_str_eq(row[SN_COL_TASK].s, task))
			continue;
		at = sn_batch_add_row(picked);
		for (size_t c = 0; c < columns; c++)
			sn_batch_set(picked, at, (int)c, row[c]);
	}
	return picked;
}

static bool was_before(const struct sn_batch *batch, size_t row, struct sn_str task)
{
	for (size_t i = 0; i < row; i++) {
		const struct sn_value *value = sn_batch_get(batch, i, SN_COL_TASK);

		if (value->type == SN_TYPE_TEXT && sn_str_eq(value->s, task))
			return true;
	}
	return false;
}

bool sn_sup_goes_further(const struct sn_supervisor *sup, const struct sn_measure *measure)
{
	return (measure->repository != NULL && measure->repository[0] != '\0') ||
	       (sup->parent != NULL && strncmp(measure->owner, "peer:", 5) == 0);
}

static void export_task(struct sn_supervisor *sup, const struct sn_batch *batch, size_t row,
			struct sn_str task)
{
	const struct sn_value *node = sn_batch_get(batch, row, SN_COL_NODE);
	char id[SN_ULID_SIZE];
	const struct sn_measure *measure;
	struct sn_mp_message *result;
	struct sn_batch *rows;
	sn_autofree char *provider = NULL;

	snprintf(id, sizeof(id), "%.*s", (int)task.n, task.p);
	measure = sn_measures_find(sup->hub->measures, id);
	if (measure == NULL || measure->native == NULL || !sn_sup_goes_further(sup, measure) ||
	    was_before(batch, row, task))
		return;
	rows = rows_of(batch, row, task);
	result = sn_mp_offer_result(measure->native, measure->specification, rows,
				    measure->starts_ns);
	provider = sn_xasprintf("node:%.*s", (int)node->s.n, node->s.p);
	sn_sup_export(sup, measure, result);
	sn_sup_parent_rows(sup, measure, provider, result);
	sn_mp_message_destroy(result);
	sn_batch_destroy(rows);
}

void sn_supervisor_rows_stored(struct sn_supervisor *sup, const struct sn_batch *batch)
{
	struct sn_str last = {NULL, 0};

	if (sup->exports->count == 0 && sup->parent == NULL)
		return;
	for (size_t i = 0; i < sn_batch_rows(batch); i++) {
		const struct sn_value *task = sn_batch_get(batch, i, SN_COL_TASK);

		if (task->type != SN_TYPE_TEXT || (last.p != NULL && sn_str_eq(task->s, last)))
			continue;
		last = task->s;
		export_task(sup, batch, i, last);
	}
}

/* Life ----------------------------------------------------------------------------------------- */

static void open_one(struct sn_supervisor *sup, struct repository *repository, const char *item)
{
	const struct sn_hub_config *config = sup->hub->config;
	const char *equals = strchr(item, '=');
	struct sn_http_client_config http = {
		.ca_file = config->mplane_ca[0] != '\0' ? config->mplane_ca
							: sn_identity_ca_file(sup->hub->identity),
		.cert_file = sn_sup_set_text(config->mplane_certificate),
		.key_file = sn_sup_set_text(config->mplane_key),
		.user_agent = "sonde-hub/" SONDE_VERSION,
	};

	repository->sup = sup;
	repository->name = sn_xstrndup(item, (size_t)(equals - item));
	sn_peer_link_plain(equals + 1, &repository->url);
	repository->http = sn_http_client_create(sup->loop, &http);
	repository->waiting = sn_sql_i64(sup->hub->control, 0,
					 "SELECT count(*) FROM mplane_exports WHERE repository = ?",
					 "t", repository->name);
	sn_timer_init(&repository->timer, sup->loop, send_next);
	sn_timer_in(&repository->timer, 0);
}

void sn_sup_exports_open(struct sn_supervisor *sup)
{
	const struct sn_conf_texts *items = &sup->hub->config->repositories;

	sup->exports = sn_new(struct sn_exports);
	sup->exports->count = items->count;
	sup->exports->list = sn_new_n(struct repository, items->count + 1);
	for (unsigned i = 0; i < items->count; i++)
		open_one(sup, &sup->exports->list[i], items->items[i]);
}

void sn_sup_exports_close(struct sn_supervisor *sup)
{
	for (size_t i = 0; i < sup->exports->count; i++) {
		struct repository *repository = &sup->exports->list[i];

		sn_timer_stop(&repository->timer);
		sn_http_client_destroy(repository->http);
		sn_buf_finish(&repository->url);
		free(repository->name);
	}
	free(sup->exports->list);
	free(sup->exports);
}
