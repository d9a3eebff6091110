/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uploads: files that people send in parts, to be imported.
 *
 * Whoever begins an upload says how long the file is and its SHA-256.  Parts come in order,
 * each at the offset where the one before ended; a part is acknowledged when it is on disk,
 * so that sending goes on after a cut connection, a killed client and a killed hub.  With the
 * last part the digest is compared, and a file with another one is thrown away.
 *
 * Files lie in STATE/uploads, what is known of them in the control database.  An upload that
 * nobody has touched for a day is removed.
 *
 * Loop thread only; parts are written on worker threads.
 */
#ifndef SONDE_HUB_UPLOADS_H
#define SONDE_HUB_UPLOADS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/str.h"
#include "hub/people.h"
#include "hub/work.h"
#include "store/db.h"

#define SN_UPLOAD_PART_MAX  (8 * 1024 * 1024) /* bytes */
#define SN_UPLOAD_NAME_MAX  255               /* bytes */
#define SN_UPLOADS_MAX      1024
#define SN_UPLOADS_USER_MAX 256
#define SN_UPLOAD_LIFE_NS   (86400 * SN_NS_PER_S) /* untouched */
#define SN_UPLOAD_SPARE     (256 * 1024 * 1024)   /* bytes that stay free on the disk */

struct sn_uploads;

struct sn_upload {
	char id[SN_ULID_SIZE];
	char *name;      /* of the file, without directories */
	char sha256[65]; /* hex digits */
	char kind[16];
	char owner[SN_USER_NAME_MAX];
	uint64_t bytes, offset; /* offset: that many are on disk */
	int64_t created_ns, touched_ns;
	bool held; /* an import reads it */
	char *path;
	struct sn_upload_hash *hash; /* internal */
	bool busy;                   /* a part is being written */
};

struct sn_uploads_config {
	struct sn_db *db;
	struct sn_work_pool *work;
	const char *state; /* directory of the hub */
	uint64_t limit;    /* bytes of all; half of it for one person */
};

int sn_uploads_open(const struct sn_uploads_config *config, struct sn_uploads **uploads,
		    struct sn_err *err);
void sn_uploads_close(struct sn_uploads *uploads); /* after the work pool */

/*
 * A new one, or that of the same owner, digest and length that is there already, to be gone on
 * with.  -EINVAL; -E2BIG: too many; -EDQUOT: too many bytes; -ENOSPC: the disk.
 */
int sn_uploads_begin(struct sn_uploads *uploads, const struct sn_upload *wanted, int64_t now_ns,
		     struct sn_upload **upload, struct sn_err *err);
struct sn_upload *sn_uploads_find(struct sn_uploads *uploads, const char *id); /* NULL */
bool sn_upload_is_complete(const struct sn_upload *upload);

/*
 * The next part, copied.  `done` follows: code 0, -EBADMSG when the digest is another one (then the
 * upload is gone), or the disk's trouble.  At once: -EBUSY (a part is being written), -ERANGE (not
 * at this offset), -EFBIG (more than was announced).
 */
typedef void sn_upload_done_fn(const struct sn_err *err, void *ctx);
int sn_uploads_put(struct sn_uploads *uploads, struct sn_upload *upload, uint64_t offset,
		   struct sn_str part, int64_t now_ns, sn_upload_done_fn *done, void *ctx,
		   struct sn_err *err);

/* -EBUSY while a part is written or an import reads it. */
int sn_uploads_remove(struct sn_uploads *uploads, struct sn_upload *upload, struct sn_err *err);
/* What nobody has touched for long. */
void sn_uploads_tidy(struct sn_uploads *uploads, int64_t now_ns);

#endif
