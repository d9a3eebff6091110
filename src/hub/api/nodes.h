/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of a node, which the event stream shows too. */
#ifndef SONDE_HUB_API_NODES_H
#define SONDE_HUB_API_NODES_H

#include "hub/api/schema.h"

extern const struct sn_api_schema sn_api_node_schema;

#endif
