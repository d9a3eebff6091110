/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_digest: what a file is, and whether it stays so.
 *
 * Internal to exchange/ but for sn_import_digest(), which importer.h declares.
 */
#ifndef SONDE_EXCHANGE_IMPORT_DIGEST_H
#define SONDE_EXCHANGE_IMPORT_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct sn_file_state {
	uint64_t device, inode, bytes;
	int64_t changed_ns;
};

/* -EINVAL for what is no file. */
int sn_file_state(const char *path, struct sn_file_state *state, struct sn_err *err);
bool sn_file_state_equal(const struct sn_file_state *a, const struct sn_file_state *b);
int sn_file_changed(const char *path, struct sn_err *err); /* -EAGAIN, says so */

void sn_import_digest_of(struct sn_str text, uint8_t digest[32]);

#endif
