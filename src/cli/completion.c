/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde completion bash`, and what the script asks while one types. */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "data/dataset.h"
#include "demo/world/world.h"

static int run_completion(const struct sn_verb *verb SN_UNUSED, void *opts SN_UNUSED,
			  int argc SN_UNUSED, char **argv)
{
	if (strcmp(argv[0], "bash") != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "no completion for '%s' (known: bash)", argv[0]);
	sn_cli_print_bash_completion(sn_cli_program_table(), stdout);
	return SN_EXIT_OK;
}

/* Only words that need no quoting: the shell splits what it gets. */
static void print_word(const char *word)
{
	if (word != NULL && *word != '\0' &&
	    word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "0123456789._-:")] == '\0')
		puts(word);
}

static int print_member(const json_t *item, void *ctx)
{
	print_word(sn_output_text(item, ctx));
	return 0;
}

/* Names that the hub knows; without a hub there are none, and no message either. */
static int complete_from_hub(const char *path, const char *member)
{
	const struct sn_client_options options = {0};
	struct sn_client *client;
	struct sn_err err;

	if (sn_client_open(&options, &client, &err) != 0)
		return SN_EXIT_UNREACHABLE;
	sn_client_each(client, path, print_member, (void *)member, &err);
	sn_client_close(client);
	return SN_EXIT_OK;
}

static int complete_datasets(void)
{
	for (size_t i = 0; i < sn_catalog_count; i++)
		print_word(sn_catalog[i]->name);
	return SN_EXIT_OK;
}

static int complete_demo_links(void)
{
	for (size_t i = 0; i < sn_world_link_count; i++)
		print_word(sn_world_links[i].name);
	return SN_EXIT_OK;
}

static int run_complete(const struct sn_verb *verb SN_UNUSED, void *opts SN_UNUSED,
			int argc SN_UNUSED, char **argv)
{
	if (strcmp(argv[0], "node") == 0)
		return complete_from_hub("/api/v1/nodes?limit=1000", "name");
	if (strcmp(argv[0], "capability") == 0)
		return complete_from_hub("/api/v1/capabilities?limit=1000", "label");
	if (strcmp(argv[0], "measurement") == 0)
		return complete_from_hub("/api/v1/measurements?limit=1000", "id");
	if (strcmp(argv[0], "dataset") == 0)
		return complete_datasets();
	if (strcmp(argv[0], "demo-link") == 0)
		return complete_demo_links();
	return SN_EXIT_OK;
}

static const struct sn_verb verbs[] = {
	{
		.path = "completion",
		.arguments = "SHELL",
		.help = "Print the completion script for a shell (bash).",
		.examples = "source <(sonde completion bash)\n"
			    "sonde completion bash > /etc/bash_completion.d/sonde",
		.min_args = 1,
		.max_args = 1,
		.run = run_completion,
	},
	/* Without help: for the script, not for people. */
	{
		.path = "complete",
		.arguments = "KIND",
		.min_args = 1,
		.max_args = 1,
		.run = run_complete,
	},
};
const struct sn_cli_verbs sn_cli_completion_verbs = {verbs, SN_COUNT(verbs)};
