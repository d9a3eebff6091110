/* SPDX-License-Identifier: Apache-2.0 */
/* measurement: what the verbs about measurements share. */
#ifndef SONDE_CLI_MEASURE_MEASUREMENT_H
#define SONDE_CLI_MEASURE_MEASUREMENT_H

#include "cli/client.h"
#include "cli/rows.h"

/* With its parts; `id` may be its name, then the newest of that name is taken. -ENOENT. */
int sn_measurement_get(struct sn_client *client, const char *id, json_t **measurement,
		       struct sn_err *err);
bool sn_measurement_has_ended(const json_t *measurement);
/* Its rows, and with `follow` those that come. */
int sn_measurement_show_results(struct sn_client *client, const json_t *measurement,
				enum sn_rows_form form, bool follow, FILE *out, struct sn_err *err);
/* After Ctrl-C: that it is still running, and how to end it. */
void sn_measurement_tell_goes_on(const json_t *measurement);

#endif
