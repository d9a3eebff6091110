/* SPDX-License-Identifier: Apache-2.0 */
/*
 * take: one fetched file into the store, and what of it could not be read into quarantine.
 *
 * The importer (exchange/importer.h) makes it exactly once.  Rows carry "math:<stream>" as
 * their node, so that rows of several meters can be told apart.
 */
#ifndef SONDE_HUB_MATH_TAKE_H
#define SONDE_HUB_MATH_TAKE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "hub/math/ledger.h"
#include "hub/quarantine.h"

#define SN_MATH_BAD_MAX (1024 * 1024) /* bytes of bad lines of one file that are kept */

struct sn_math_take;

struct sn_math_take_config { /* borrowed */
	const char *store, *stream, *type;
	struct sn_quarantine *quarantine;
	const atomic_bool *stop;
};

struct sn_math_taken {
	enum sn_math_outcome outcome;
	uint64_t rows, bad_lines;
	bool duplicate;   /* its content was in the store before */
	char reason[256]; /* of the last two outcomes */
};

int sn_math_take_open(const struct sn_math_take_config *config, struct sn_math_take **take,
		      struct sn_err *err);
void sn_math_take_close(struct sn_math_take *take); /* NULL is fine */
/* Are files of that name of the stream's type? */
bool sn_math_take_wants(const struct sn_math_take *take, struct sn_str path);
/*
 * 0: it is settled how this file ended.  Otherwise try again: -ECANCELED, and trouble with the
 * store or the disk.
 */
int sn_math_take_file(struct sn_math_take *take, const char *file, const char *path,
		      const char *sha256, struct sn_math_taken *taken, struct sn_err *err);

/* What was put into quarantine, run again: all of it or nothing.  `scratch`: a file to be made. */
int sn_math_take_again(const struct sn_quarantine_copy *copy, const char *store,
		       const char *scratch, size_t *rows, struct sn_err *err);

/* -EINVAL: rows of such a stream have no dataset; says what to do. */
int sn_math_type_check(const char *type, struct sn_err *err);

#endif
