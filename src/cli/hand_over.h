/* SPDX-License-Identifier: Apache-2.0 */
/* hand_over: become a sibling program, one that lies beside this one. */
#ifndef SONDE_CLI_HAND_OVER_H
#define SONDE_CLI_HAND_OVER_H

/* Returns only when that fails, with the exit code; argv[0] is replaced by the path. */
int sn_hand_over(const char *program, char **argv);

#endif
