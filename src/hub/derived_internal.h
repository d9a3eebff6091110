/* SPDX-License-Identifier: Apache-2.0 */
/* derived_internal: what derived.c (definitions) and derived_rows.c (rows, results) share. */
#ifndef SONDE_HUB_DERIVED_INTERNAL_H
#define SONDE_HUB_DERIVED_INTERNAL_H

#include "hub/derived.h"

#define SN_DERIVED_WHEN_END SN_COL_COMMON       /* behind the common columns */
#define SN_DERIVED_FIRST    (SN_COL_COMMON + 1) /* of the capability's */

enum sn_derived_section { SN_DERIVED_COMMON, SN_DERIVED_PARAMETER, SN_DERIVED_RESULT };

struct sn_derived_element {
	char *name; /* NULL: of a common column */
	enum sn_derived_section section;
	enum sn_mp_prim prim;
};

struct sn_derived_set {
	const struct sn_dataset *dataset; /* of the catalogue */
	struct sn_derived_element elements[SN_DATASET_COLUMNS_MAX];
};

extern const enum sn_type sn_derived_types[SN_MP_PRIMS]; /* of columns */

#endif
