/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/measure/measurement.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rand.h"
#include "cli/declared.h"
#include "cli/output.h"

#define NAME_SHOWN_MAX 80

struct by_name {
	const char *name;
	char id[SN_ULID_SIZE];
};

/* Newest first, so the first fits. */
static int compare_name(const json_t *item, void *ctx)
{
	struct by_name *wanted = ctx;
	const char *name = sn_output_text(item, "name"), *id = sn_output_text(item, "id");

	if (name == NULL || id == NULL || strcmp(name, wanted->name) != 0)
		return 0;
	snprintf(wanted->id, sizeof(wanted->id), "%s", id);
	return 1;
}

static int get_by_id(struct sn_client *client, const char *id, json_t **measurement,
		     struct sn_err *err)
{
	struct sn_buf path = {0};
	int rc;

	sn_buf_adds(&path, "/api/v1/measurements/");
	sn_url_encode(&path, sn_str(id));
	rc = sn_client_get(client, sn_buf_cstr(&path), measurement, err);
	sn_buf_finish(&path);
	return rc;
}

int sn_measurement_get(struct sn_client *client, const char *id, json_t **measurement,
		       struct sn_err *err)
{
	struct by_name wanted = {.name = id};
	int rc = get_by_id(client, id, measurement, err);

	if (rc != -ENOENT)
		return rc;
	rc = sn_client_each(client, "/api/v1/measurements?limit=1000", compare_name, &wanted, err);
	if (rc == 1)
		return get_by_id(client, wanted.id, measurement, err);
	if (rc != 0)
		return rc;
	return sn_err_set(
		err, -ENOENT,
		"no measurement has the id or name '%.*s' ('sonde measure list' shows all)",
		NAME_SHOWN_MAX, id);
}

bool sn_measurement_has_ended(const json_t *measurement)
{
	const char *state = sn_output_text(measurement, "state");

	return state != NULL && strcmp(state, "waiting") != 0 && strcmp(state, "running") != 0;
}

int sn_measurement_show_results(struct sn_client *client, const json_t *measurement,
				enum sn_rows_form form, bool follow, FILE *out, struct sn_err *err)
{
	const char *id = sn_output_text(measurement, "id");
	const char *name = sn_output_text(measurement, "dataset");
	struct sn_rows_query query = {.name = name, .task = id};
	int rc;

	if (id == NULL || name == NULL)
		return sn_err_set(err, -EPROTO, "the hub's answer has no id or dataset");
	rc = sn_declared_fetch(client, name, &query.dataset, err);
	if (rc != 0)
		return rc;
	query.limit = form == SN_ROWS_TABLE || follow ? SN_ROWS_LIMIT_MAX : 0;
	rc = sn_rows_run(client, &query, form, follow, out, err);
	sn_declared_free(query.dataset);
	return rc;
}

void sn_measurement_tell_goes_on(const json_t *measurement)
{
	const char *id = sn_output_text(measurement, "id");

	if (!sn_measurement_has_ended(measurement))
		fprintf(stderr,
			"the measurement goes on ('sonde measure show %s', 'sonde measure stop "
			"%s')\n",
			id, id);
}
