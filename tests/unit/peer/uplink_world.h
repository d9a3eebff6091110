/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink_world: an uplink, and a supervisor that says what the test wants and keeps what
 * it was told.
 */
#ifndef SONDE_TESTS_UPLINK_WORLD_H
#define SONDE_TESTS_UPLINK_WORLD_H

#include "peer_world.h"

#include "net/http_server.h"
#include "peer/component_uplink.h"

#define SUPERVISOR "org.example.Supervisors.one"
#define SEEN_MAX   4096
#define POLL_NS    (20 * SN_NS_PER_MS)

extern struct peer_world world;
extern struct sn_component_uplink *uplink;

extern struct supervisor {
	struct sn_http_server *http;
	struct sn_addr addr;
	/* What it shall answer. */
	unsigned register_status, poll_status, result_status; /* 0: as it should */
	unsigned result_failures;                             /* so often, then well */
	const char *refuses;                                  /* this label */
	bool forgets;                                         /* whoever polls is unknown */
	char *work;                                           /* for the next poll; NULL: none */
	/* What it has seen. */
	bool knows;
	unsigned registrations, polls, results;
	uint64_t polled_ns[64];
	struct sn_mp_message *registered; /* the last envelope with capabilities */
	char withdrawn[512];              /* tokens, each with a blank behind */
	struct sn_mp_message *seen[SEEN_MAX];
	char forged[64];
} supervisor;

extern struct told {
	unsigned calls;
	enum sn_uplink_state state;
	char text[SN_ERR_TEXT_MAX];
	unsigned done;
} told;

void supervisor_up(void);
void supervisor_down(void);
/* Work for the next poll: contents of an envelope. */
void give(const char *contents);
char *specification(const char *token, const char *when, const char *link);
void give_specification(const char *token, const char *when);
void assert_seen(unsigned index, enum sn_mp_kind kind, const char *token);
bool until_polled(unsigned more);

void uplink_up(void);
int setup_silent(void **state); /* without an uplink and capabilities */
int setup(void **state);        /* the usual beginning: registered and polling */
int teardown(void **state);

#define TEST(fn)        cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define SILENT_TEST(fn) cmocka_unit_test_teardown(fn, teardown)

#endif
