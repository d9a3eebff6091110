/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views of flows for the tests of the exporter: one that a person can follow, and
 * random ones.
 */
#ifndef SONDE_TESTS_METER_IPFIX_VIEWS_H
#define SONDE_TESTS_METER_IPFIX_VIEWS_H

#include "base/rand.h"
#include "meter/view/view.h"

#define IPFIX_TEST_TEXTS 6

struct ipfix_test_view {
	struct sn_view_flow view;
	union {
		struct sn_flow flow;
		struct sn_tcp_flow tcp;
		struct sn_udp_flow udp;
	};
	struct sn_tcp_trouble trouble[2];
	struct sn_app_tcp app_tcp;
	struct sn_app_udp app_udp;
	char texts[IPFIX_TEST_TEXTS][1024];
};

/* TCP from 192.0.2.1:40000 to 198.51.100.2:443; numbers are in ipfix_views.c. */
void ipfix_test_view_tcp(struct ipfix_test_view *test);
void ipfix_test_view_udp(struct ipfix_test_view *test);
void ipfix_test_view_icmp(struct ipfix_test_view *test, uint8_t family);
/* Anything a viewer may hand over. */
void ipfix_test_view_random(struct ipfix_test_view *test, struct sn_prng *prng);

#endif
