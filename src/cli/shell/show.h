/* SPDX-License-Identifier: Apache-2.0 */
/* show: mPlane messages for people. */
#ifndef SONDE_CLI_SHELL_SHOW_H
#define SONDE_CLI_SHELL_SHOW_H

#include <stdio.h>

#include "mplane/message.h"

/* All sections; results as a table. */
void sn_show_message(const struct sn_mp_message *message, FILE *out);

#endif
