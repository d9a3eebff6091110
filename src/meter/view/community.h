/* SPDX-License-Identifier: Apache-2.0 */
/*
 * community: Community ID version 1, seed 0: one word for a flow that every tool makes alike
 * (github.com/corelight/community-id-spec).
 */
#ifndef SONDE_METER_VIEW_COMMUNITY_H
#define SONDE_METER_VIEW_COMMUNITY_H

#include "meter/view/view.h"

/* For ICMP `client_port` is not used and `server_port` is type * 256 + code of the request. */
void sn_community_id(const struct sn_view_address *client, uint16_t client_port,
		     const struct sn_view_address *server, uint16_t server_port, uint8_t protocol,
		     char out[SN_VIEW_COMMUNITY_MAX]);

#endif
