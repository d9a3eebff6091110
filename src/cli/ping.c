/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sonde ping` is sonde-probe's: the same arguments, the same process.  The verb
 * here only makes it known to --help and the completion; its options come from the
 * declaration of the method.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/hand_over.h"
#include "cli/verbs.h"

int sn_hand_over(const char *program, char **argv)
{
	sn_autofree char *dir = sn_fs_self_dir();
	sn_autofree char *path = sn_fs_join(dir, program);

	argv[0] = path;
	execv(path, argv);
	if (errno == ENOENT)
		return sn_cli_fail(SN_EXIT_FAILED,
				   "cannot start '%s': not found (it belongs beside this program)",
				   path);
	return sn_cli_fail(SN_EXIT_FAILED, "cannot start '%s': %s", path, strerror(errno));
}

/* Reached only by way of a table that something else walks. */
static int run_ping(const struct sn_verb *verb SN_UNUSED, void *opts SN_UNUSED, int argc,
		    char **argv)
{
	char **all = sn_new_n(char *, (size_t)argc + 3);

	all[1] = sn_xstrdup("ping");
	memcpy(all + 2, argv, (size_t)argc * sizeof(char *));
	return sn_hand_over("sonde-probe", all);
}

static const struct sn_verb verbs[] = {{
	.path = "ping",
	.arguments = "HOST...",
	.help = "Send ICMP echo requests to many hosts at once.",
	.max_args = -1,
	.min_args = 1,
	.run = run_ping,
}};
const struct sn_cli_verbs sn_cli_ping_verbs = {verbs, SN_COUNT(verbs)};
