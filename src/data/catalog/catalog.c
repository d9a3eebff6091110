/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of all datasets and methods; a new one is a file beside this one and a line here. */
#include <string.h>

#include "base/util.h"
#include "data/dataset.h"
#include "data/method.h"

const struct sn_dataset *const sn_catalog[] = {
	&sn_dataset_ping,
	&sn_dataset_flow,
	&sn_dataset_health,
};
const size_t sn_catalog_count = SN_COUNT(sn_catalog);

const struct sn_method *const sn_methods[] = {
	&sn_method_ping,
	&sn_method_flow,
};
const size_t sn_method_count = SN_COUNT(sn_methods);

const struct sn_dataset *sn_catalog_find(const char *name)
{
	for (size_t i = 0; i < sn_catalog_count; i++)
		if (strcmp(sn_catalog[i]->name, name) == 0)
			return sn_catalog[i];
	return NULL;
}

const struct sn_method *sn_method_find(const char *name)
{
	for (size_t i = 0; i < sn_method_count; i++)
		if (strcmp(sn_methods[i]->name, name) == 0)
			return sn_methods[i];
	return NULL;
}
