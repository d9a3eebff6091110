/* SPDX-License-Identifier: Apache-2.0 */
/*
 * annotation: which columns of a dataset are addresses, and which ones say where those
 * belong: origin network and country.
 *
 * A rule of names, so that declaring a dataset is all there is to do: a text column
 * `address` or `X_ip` is an address; beside it stand `address_asn` and `address_country`,
 * or `X_asn` and `X_country`.  The column `annotation` tells which databases said so.
 */
#ifndef SONDE_DATA_ANNOTATION_H
#define SONDE_DATA_ANNOTATION_H

#include "data/dataset.h"

#define SN_ANNOTATED_MAX 8 /* addresses of a row */

/* Declarations of the columns, for the tables of catalog/. */
#define SN_ORIGIN_COLUMNS(stem_, whose_)                                                           \
	{stem_ "_asn", SN_TYPE_I64, "1", "origin network of " whose_},                             \
	{                                                                                          \
		stem_ "_country", SN_TYPE_TEXT, "", "country of " whose_ " (ISO 3166-1)"           \
	}
#define SN_ANNOTATION_COLUMN                                                                       \
	{                                                                                          \
		"annotation", SN_TYPE_TEXT, "",                                                    \
			"databases by which the hub told networks and countries, with their days"  \
	}

bool sn_column_is_address(const struct sn_column *column);

struct sn_annotated {
	struct {
		int address, asn, country;
	} items[SN_ANNOTATED_MAX];
	unsigned count;
	int annotation; /* -1: none */
};
/* False when no address of it has a pair. */
bool sn_dataset_annotated(const struct sn_dataset *dataset, struct sn_annotated *annotated);

#endif
