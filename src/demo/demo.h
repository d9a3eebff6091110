/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo: `sonde demo` and the verbs that change it while it runs.
 *
 * It builds the world of world/world.h out of network namespaces and links of
 * sonde-impair, enrols four nodes with a hub of its own, gives them something to
 * measure, and removes everything again.  Only sonde-priv stays root.
 */
#ifndef SONDE_DEMO_DEMO_H
#define SONDE_DEMO_DEMO_H

#include <stddef.h>

#include "base/cli.h"

#define SN_DEMO_STATE_DIR "/var/tmp/sonde-demo" /* unless --state says otherwise */

extern const struct sn_verb sn_demo_verbs[];
extern const size_t sn_demo_verb_count;

/*
 * hub.json of a demo that runs in the default state directory, malloc'ed; NULL
 * without one, or if its owner is nobody whom this user should trust.
 */
char *sn_demo_hub_file(void);

#endif
