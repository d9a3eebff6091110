/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verbs: the commands of `sonde`, one table per file, and the program made of them.
 */
#ifndef SONDE_CLI_VERBS_H
#define SONDE_CLI_VERBS_H

#include "base/cli.h"

struct sn_cli_verbs {
	const struct sn_verb *verbs;
	size_t count;
};

extern const struct sn_verb sn_cli_up_verb;                 /* up/up.c */
extern const struct sn_cli_verbs sn_cli_ping_verbs;         /* ping.c */
extern const struct sn_cli_verbs sn_cli_node_verbs;         /* node.c */
extern const struct sn_cli_verbs sn_cli_invites_verbs;      /* invites.c */
extern const struct sn_cli_verbs sn_cli_cap_verbs;          /* measure/cap.c */
extern const struct sn_cli_verbs sn_cli_measure_verbs;      /* measure/measure.c */
extern const struct sn_cli_verbs sn_cli_measurements_verbs; /* measure/list.c */
extern const struct sn_cli_verbs sn_cli_shell_verbs;        /* shell/shell.c */
extern const struct sn_cli_verbs sn_cli_results_verbs;      /* results.c */
extern const struct sn_cli_verbs sn_cli_task_verbs;         /* task.c, without "task add ..." */
extern const struct sn_cli_verbs sn_cli_user_verbs;         /* user.c */
extern const struct sn_cli_verbs sn_cli_account_verbs;      /* account.c */
extern const struct sn_cli_verbs sn_cli_audit_verbs;        /* audit.c */
extern const struct sn_cli_verbs sn_cli_policy_verbs;       /* policy.c */
extern const struct sn_cli_verbs sn_cli_store_verbs;        /* store/store.c */
extern const struct sn_cli_verbs sn_cli_ca_verbs;           /* ca/ca.c */
extern const struct sn_cli_verbs sn_cli_data_verbs;         /* data.c */
extern const struct sn_cli_verbs sn_cli_quarantine_verbs;   /* quarantine.c */
extern const struct sn_cli_verbs sn_cli_import_verbs;       /* import/verbs.c */
extern const struct sn_cli_verbs sn_cli_export_verbs;       /* export.c */
extern const struct sn_cli_verbs sn_cli_dump_verbs;         /* dump.c */
extern const struct sn_cli_verbs sn_cli_hub_verbs;          /* hub.c */
extern const struct sn_cli_verbs sn_cli_kml_verbs;          /* kml.c */
extern const struct sn_verb sn_cli_math_serve_verb;         /* math_serve.c */
extern const struct sn_verb sn_cli_math_fetch_verb;
extern const struct sn_cli_verbs sn_cli_math_verbs;       /* math.c */
extern const struct sn_verb sn_cli_doctor_verb;           /* doctor/doctor.c */
extern const struct sn_cli_verbs sn_cli_completion_verbs; /* completion.c */

/* All of it; made at the first call. */
const struct sn_program *sn_cli_program_table(void);
/* What `sonde` does: `ping` and `help` are handed to other programs, the rest are verbs. */
int sn_cli_run(int argc, char **argv);

#endif
