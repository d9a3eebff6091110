/* SPDX-License-Identifier: Apache-2.0 */
/* demo_internal: a running demo, shared by run.c, setup.c and programs.c. */
#ifndef SONDE_DEMO_RUN_DEMO_INTERNAL_H
#define SONDE_DEMO_RUN_DEMO_INTERNAL_H

#include "base/loop.h"
#include "demo/run/api.h"
#include "demo/run/child.h"
#include "demo/run/helper.h"
#include "demo/run/place.h"
#include "demo/run/run.h"
#include "demo/world/world.h"

#define SN_DEMO_LINKS_MAX    16
#define SN_DEMO_PROGRAMS_MAX 24

struct sn_demo;

/* A program that runs all the time. */
struct sn_demo_program {
	struct sn_demo_child child;
	struct sn_demo *demo;
	const struct sn_world_host *host; /* NULL: in this machine's own namespace */
	enum sn_priv_program program;
	char *config;
};

struct sn_demo {
	const struct sn_demo_options *options;
	struct sn_demo_user user;
	struct sn_demo_place place;
	struct sn_demo_helper helper;
	char prefix[SN_DEMO_PREFIX_MAX];
	bool has_web;

	struct sn_loop *loop;
	int signal_fd, helper_pidfd;
	struct sn_io signal_io, helper_io;
	struct sn_timer check, deadline;
	bool stop; /* asked to end, or cannot go on */
	bool failed, helper_gone;
	struct sn_err failure;

	int taps[SN_DEMO_LINKS_MAX][2];
	int hub_listeners[2];
	struct sn_demo_program programs[SN_DEMO_PROGRAMS_MAX];
	unsigned program_count, restarts_written;

	struct sn_demo_api *api;
	unsigned port;
	char *url, *login, *join_url; /* as the hub said them */
};

/* Says what is going on, unless nobody is there to read it. */
void sn_demo_say(const struct sn_demo *demo, const char *format, ...) SN_PRINTF(2, 3);
/* Ends the demo with this error. */
void sn_demo_fail(struct sn_demo *demo, const struct sn_err *err);
/* Turns the loop once; -ECANCELED when the demo is to end. */
int sn_demo_turn(struct sn_demo *demo, struct sn_err *err);

/* setup.c: from an empty loop to four nodes that measure. */
int sn_demo_set_up(struct sn_demo *demo, struct sn_err *err);

/* programs.c */
int sn_demo_start_relay(struct sn_demo *demo, struct sn_err *err);
int sn_demo_start_hub(struct sn_demo *demo, struct sn_err *err);
/* Node, content server, resolver, or, for PROGRAM_DEMO_HOST on a node, traffic. */
int sn_demo_start_in(struct sn_demo *demo, const struct sn_world_host *host,
		     enum sn_priv_program program, struct sn_err *err);
/* run.json: what runs with which pid, for tests and people. */
void sn_demo_write_run_file(struct sn_demo *demo);
/* About twice a second. */
void sn_demo_check_programs(struct sn_demo *demo);
/* Nodes first, so that what they hold reaches the hub. */
void sn_demo_stop_programs(struct sn_demo *demo);

#endif
