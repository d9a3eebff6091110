/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets and methods as JSON, from their declarations. */
#ifndef SONDE_HUB_API_DECLARED_H
#define SONDE_HUB_API_DECLARED_H

#include <jansson.h>

#include "data/dataset.h"
#include "data/method.h"
#include "hub/api/schema.h"

json_t *sn_declared_dataset(const struct sn_dataset *dataset);
json_t *sn_declared_method(const struct sn_method *method);
extern const struct sn_api_schema sn_declared_dataset_schema;
extern const struct sn_api_schema sn_declared_method_schema;

/* JSON Schema of one row, and of the parameters of a method. */
json_t *sn_declared_row_schema(const struct sn_dataset *dataset);
json_t *sn_declared_params_schema(const struct sn_method *method);

#endif
