/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "cli/hand_over.h"
#include "cli/help.h"
#include "cli/verbs.h"
#include "demo/demo.h"

static void add_verbs(struct sn_program *program, struct sn_verb *verbs, struct sn_cli_verbs more)
{
	memcpy(verbs + program->verb_count, more.verbs, more.count * sizeof(*verbs));
	program->verb_count += more.count;
}

/* In the order of --help: what one does first comes first; verbs of a noun stay together. */
static void build(struct sn_program *program)
{
	const struct sn_cli_verbs lists[] = {
		{&sn_cli_up_verb, 1},
		{sn_demo_verbs, sn_demo_verb_count},
		sn_cli_ping_verbs,
		sn_cli_measure_verbs,
		sn_cli_measurements_verbs,
		sn_cli_cap_verbs,
		sn_cli_shell_verbs,
		sn_cli_results_verbs,
		sn_cli_import_verbs,
		sn_cli_export_verbs,
		sn_cli_dump_verbs,
		sn_cli_kml_verbs,
		sn_cli_node_verbs,
		sn_cli_invites_verbs,
		sn_cli_user_verbs,
		sn_cli_account_verbs,
		sn_cli_policy_verbs,
		sn_cli_audit_verbs,
		sn_cli_ca_verbs,
		sn_cli_hub_verbs,
		sn_cli_quarantine_verbs,
		sn_cli_data_verbs,
		sn_cli_store_verbs,
		{&sn_cli_math_serve_verb, 1},
		{&sn_cli_math_fetch_verb, 1},
		sn_cli_math_verbs,
		{&sn_cli_doctor_verb, 1},
		sn_cli_completion_verbs,
	};
	size_t room = 0;
	struct sn_verb *verbs;

	for (size_t i = 0; i < SN_COUNT(lists); i++)
		room += lists[i].count;
	verbs = sn_new_n(struct sn_verb, room);
	program->verbs = verbs;
	for (size_t i = 0; i < SN_COUNT(lists); i++)
		add_verbs(program, verbs, lists[i]);
}

const struct sn_program *sn_cli_program_table(void)
{
	static struct sn_program program = {
		.name = "sonde",
		.summary = "measure networks from many places, keep every result, see it live",
	};

	if (program.verbs == NULL)
		build(&program);
	return &program;
}

int sn_cli_run(int argc, char **argv)
{
	const struct sn_program *program = sn_cli_program_table();

	if (argc > 1 && strcmp(argv[1], "ping") == 0)
		return sn_hand_over("sonde-probe", argv);
	if (argc > 1 && strcmp(argv[1], "help") == 0)
		return sn_help_run(program, argc - 2, argv + 2);
	return sn_cli_main(program, argc, argv);
}
