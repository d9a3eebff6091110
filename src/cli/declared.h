/* SPDX-License-Identifier: Apache-2.0 */
/*
 * declared: declarations of datasets, the ones that this program knows and those
 * that only the hub does (made from the capabilities of mPlane peers).
 */
#ifndef SONDE_CLI_DECLARED_H
#define SONDE_CLI_DECLARED_H

#include "cli/client.h"
#include "data/dataset.h"

/* From the catalogue, else from the hub; -ENOENT. */
int sn_declared_fetch(struct sn_client *client, const char *name, const struct sn_dataset **dataset,
		      struct sn_err *err);
/* One of the catalogue is left alone; NULL is fine. */
void sn_declared_free(const struct sn_dataset *dataset);

#endif
