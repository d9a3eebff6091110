/* SPDX-License-Identifier: Apache-2.0 */
/* sonde: the one command that people learn; its verbs are in cli/ and demo/. */
#include "cli/verbs.h"

int main(int argc, char **argv)
{
	return sn_cli_run(argc, argv);
}
