/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_builtin: the files of registry/, in load order, as the build puts them into the
 * library (scripts/embed.py).  Internal to mplane/.
 */
#ifndef SONDE_MPLANE_REGISTRY_BUILTIN_H
#define SONDE_MPLANE_REGISTRY_BUILTIN_H

#include <stddef.h>

struct sn_mp_builtin {
	const char *name; /* "core.json" */
	const char *json;
	size_t size;
};

extern const struct sn_mp_builtin sn_mp_builtins[];
extern const size_t sn_mp_builtin_count;

#endif
