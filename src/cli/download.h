/* SPDX-License-Identifier: Apache-2.0 */
/*
 * download: a long answer of the hub into a file, which appears under its name when
 * it is whole, and not before.
 *
 * Until then it is FILE.part.  When the answer breaks off, or Ctrl-C ends it, what came
 * stays there (unless it is of no use), a message says so, and the exit code is
 * SN_EXIT_PARTIAL.  A bar shows how far it is.
 */
#ifndef SONDE_CLI_DOWNLOAD_H
#define SONDE_CLI_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/client.h"

struct sn_download {
	const char *path;      /* of the hub: "/api/v1/..." */
	const char *accept;    /* NULL: anything */
	const char *file;      /* "-": standard output */
	const char *label;     /* for the bar */
	uint64_t total;        /* bytes; 0: not known */
	bool whole_or_not;     /* a part of it is of no use: it is removed */
	const uint8_t *digest; /* SHA-256 that it must have; NULL: not known */
};

/* The exit code; what went wrong was said.  `bytes` (may be NULL): how many came. */
int sn_download_run(struct sn_client *client, const struct sn_download *download, uint64_t *bytes);

#endif
