/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `sonde store` share. */
#ifndef SONDE_CLI_STORE_INTERNAL_H
#define SONDE_CLI_STORE_INTERNAL_H

#include "base/cli.h"
#include "cli/client.h"

struct options {
	struct sn_client_options client;
	bool json, dry_run, force, full, deep, repair;
	const char *state, *store; /* directories, without asking a hub; NULL: the hub is asked */
};

/* For a verb that can look at a directory itself. */
#define SN_STORE_PLACE_OPTIONS                                                                     \
	{SN_OPT("state", 's', SN_OPT_TEXT, state, "DIR",                                           \
		"look at the state directory of a hub without asking it")},                        \
	{                                                                                          \
		SN_OPT("store", 0, SN_OPT_TEXT, store, "DIR",                                      \
		       "look at a directory of day files without asking a hub")                    \
	}

/* Each prints what it finds and returns an exit code (local.c, backup.c). */
int sn_store_local_stats(const struct options *given);
int sn_store_local_check(const struct options *given);
int sn_store_run_backup(const struct sn_verb *verb, void *options, int argc, char **argv);
int sn_store_run_restore(const struct sn_verb *verb, void *options, int argc, char **argv);

/*
 * Starts a job at the hub and waits for its end with a progress bar; `job`: a new reference.  The
 * error of a job that failed is its own.
 */
int sn_store_job(struct sn_client *client, const char *path, const json_t *body, const char *label,
		 json_t **job, struct sn_err *err);
/* The directory of day files that the options mean; malloc'ed.  Says if a hub runs there. */
char *sn_store_place(const struct options *given);

/* What a check has found, as a table or as JSON Lines; freed by its end, which is an exit code. */
struct sn_store_findings;
struct sn_store_findings *sn_store_findings_create(bool json);
void sn_store_findings_add(struct sn_store_findings *findings, const char *what, const char *reason,
			   const char *next);
int sn_store_findings_end(struct sn_store_findings *findings);

#endif
