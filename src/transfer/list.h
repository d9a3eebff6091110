/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list: the answer to GET /ListDir/<stream>: which files there are.
 *
 * Old peers send and take an array of paths in the order of their times, or null for none:
 *
 *	["2026_03_01_12_00.out/log_tcp_complete","2026_03_01_12_05.out/log_tcp_complete"]
 *
 * Whoever asks with "Accept: application/x-math-list+json" gets objects:
 *
 *	[{"path":"...","size":1234,"mtime":1772366400.5,"sha256":"<64 hex digits>"}]
 *
 * The reader takes pieces of a body as they come and gives out entries, both forms, mixed if
 * a peer likes.  It holds one entry, never the list.
 */
#ifndef SONDE_TRANSFER_LIST_H
#define SONDE_TRANSFER_LIST_H

#include "base/buf.h"
#include "base/err.h"
#include "transfer/path.h"

#define SN_MATH_LIST_TYPE   "application/x-math-list+json"
#define SN_MATH_ENTRY_MAX   8192    /* bytes of one entry as JSON */
#define SN_MATH_ENTRIES_MAX 2000000 /* of one list */
#define SN_MATH_FILE_MAX    (1ULL << 50)
#define SN_MATH_DIGEST_SIZE 65 /* SHA-256 as lower-case hex, NUL */

struct sn_math_entry {
	struct sn_str path;
	bool detailed; /* size and digest are known */
	uint64_t size;
	int64_t mtime_ns;
	char sha256[SN_MATH_DIGEST_SIZE]; /* "" when it is not known */
};

/* Appends it as an element; `first`: without a comma before it. */
void sn_math_list_write(struct sn_buf *out, const struct sn_math_entry *entry, bool detailed,
			bool first);

/* The path has been checked.  Non-zero ends the reading and is returned. */
typedef int sn_math_entry_fn(const struct sn_math_entry *entry, void *ctx);
/* One whose path is no good; without a function such a list is refused whole. */
typedef void sn_math_refused_fn(const char *reason, void *ctx);

struct sn_math_list_reader;

struct sn_math_list_reader *sn_math_list_reader_create(sn_math_entry_fn *fn,
						       sn_math_refused_fn *refused, void *ctx);
void sn_math_list_reader_destroy(struct sn_math_list_reader *reader);
/* -EINVAL (no such list), -E2BIG (too long), or what `fn` returned. */
int sn_math_list_reader_feed(struct sn_math_list_reader *reader, struct sn_str piece,
			     struct sn_err *err);
/* After the last piece: -EINVAL if the list did not end. */
int sn_math_list_reader_end(struct sn_math_list_reader *reader, struct sn_err *err);
size_t sn_math_list_reader_count(const struct sn_math_list_reader *reader);

#endif
