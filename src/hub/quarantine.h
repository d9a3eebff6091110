/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quarantine: what somebody sent and the hub cannot take, for a reason that sending it
 * again will not cure: an unknown dataset, a bad line, a wrong type.
 *
 * It is kept with its reason, so that the sender can go on, and is run again once the
 * reason is gone (a newer hub knows the dataset): hub/retry.h.  What is not what it claims
 * to be (a wrong digest) is refused and never comes here.
 *
 * One file, STATE/quarantine.sqlite.  It is on disk when sn_quarantine_add() has said 0.
 * Full is not a reason to say no: the oldest item of the source that takes the most room
 * goes, and is counted, so that no source pushes the others out.
 *
 * All functions may be called from any thread.
 */
#ifndef SONDE_HUB_QUARANTINE_H
#define SONDE_HUB_QUARANTINE_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SN_QUARANTINE_ITEMS_MAX  10000
#define SN_QUARANTINE_ITEM_MAX   (16 * 1024 * 1024) /* bytes */
#define SN_QUARANTINE_REASON_MAX 512

struct sn_quarantine;

enum sn_quarantine_kind { SN_QUARANTINE_BATCH, SN_QUARANTINE_LINE, SN_QUARANTINE_FILE };
const char *sn_quarantine_kind_name(enum sn_quarantine_kind kind); /* "batch" "line" "file" */

struct sn_quarantine_item {
	const char *source; /* a node's id, "import:<digest>", "math:<stream>" */
	enum sn_quarantine_kind kind;
	const char *dataset; /* as the sender calls it: "ping/1"; NULL: it did not say */
	const char *reason;
	/* What makes it the same item when it comes again, besides source and content. */
	const char *stream; /* of a batch; NULL: none */
	uint64_t seq;       /* of a batch; number of a line */
	uint64_t rows;      /* that it claims to have; 0: unknown */
};

/* `bytes_max`: of all contents together.  Made if it is not there. */
int sn_quarantine_open(const char *path, uint64_t bytes_max, struct sn_quarantine **quarantine,
		       struct sn_err *err);
void sn_quarantine_close(struct sn_quarantine *quarantine); /* NULL is fine */

/*
 * Its number, above 0; what is there already keeps the one that it has.  -EFBIG for more than
 * an item may have, else a negative errno: then it is not kept and must not be acknowledged.
 */
int64_t sn_quarantine_add(struct sn_quarantine *quarantine, const struct sn_quarantine_item *item,
			  const void *bytes, size_t size, struct sn_err *err);

/* Which ones; NULL for any.  `before`: with smaller numbers; 0 for all. */
struct sn_quarantine_filter {
	const char *source, *dataset, *kind;
	int64_t before;
};
/* As the API shows them, newest first.  NULL on error. */
json_t *sn_quarantine_list(struct sn_quarantine *quarantine,
			   const struct sn_quarantine_filter *filter, unsigned limit,
			   struct sn_err *err);
json_t *sn_quarantine_json(struct sn_quarantine *quarantine, int64_t id, struct sn_err *err);

struct sn_quarantine_copy { /* zeroed is none */
	int64_t id;
	enum sn_quarantine_kind kind;
	char *source, *dataset, *stream; /* the last two NULL if there is none */
	uint64_t seq, rows;
	uint8_t digest[32]; /* SHA-256 of the content */
	struct sn_buf content;
};
int sn_quarantine_read(struct sn_quarantine *quarantine, int64_t id,
		       struct sn_quarantine_copy *copy, struct sn_err *err); /* -ENOENT */
void sn_quarantine_copy_finish(struct sn_quarantine_copy *copy);

int sn_quarantine_remove(struct sn_quarantine *quarantine, int64_t id, struct sn_err *err);
/* It was run again, and still not taken: the first reason stays, this one is told behind it. */
int sn_quarantine_failed(struct sn_quarantine *quarantine, int64_t id, const char *reason,
			 struct sn_err *err);

struct sn_quarantine_stats {
	uint64_t items, bytes;   /* that are kept */
	uint64_t added, dropped; /* since start; dropped: for want of room */
};
struct sn_quarantine_stats sn_quarantine_stats(struct sn_quarantine *quarantine);

#endif
