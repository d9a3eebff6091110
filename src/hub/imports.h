/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imports: files that are read into the store (exchange/importer.h), as jobs.
 *
 * A job is written down before anybody is told of it, and is gone on with when the hub
 * was ended or killed meanwhile: what is in the store already is passed over.  At most
 * SN_IMPORTS_RUNNING_MAX run at once, each on a thread of its own with a store handle of its own;
 * the others wait, oldest first.  Bad lines go into quarantine, in pieces that can be
 * run again.
 *
 * A file is an upload (hub/uploads.h), which goes when its import has ended well, or lies in
 * a directory that the configuration allows (`import_dirs`).
 *
 * Loop thread only.
 */
#ifndef SONDE_HUB_IMPORTS_H
#define SONDE_HUB_IMPORTS_H

#include <jansson.h>

#include "base/err.h"
#include "exchange/file_form.h"

#define SN_IMPORTS_RUNNING_MAX 2
#define SN_IMPORTS_WAITING_MAX 10000
#define SN_IMPORTS_KEPT_MAX    1000 /* jobs that have ended, and are still told */
/* Bad lines of one file that are kept in quarantine, and of one piece. */
#define SN_IMPORT_BAD_MAX   (64 * 1024 * 1024) /* bytes */
#define SN_IMPORT_BAD_PIECE (1024 * 1024)

struct sn_hub;
struct sn_imports;

struct sn_import_wanted {
	const char *upload; /* its id; or */
	const char *path;   /* ... of a file on the hub's machine */
	enum sn_form form;
	const char *dataset; /* NULL: as the file says */
	const char *node;    /* NULL: none */
	bool strict;
	const char *by; /* who asks */
};

/* Goes on with what was under way. */
int sn_imports_open(struct sn_hub *hub, struct sn_imports **imports, struct sn_err *err);
/* Stops what is under way, to be gone on with. */
void sn_imports_close(struct sn_imports *imports);

/*
 * -EINVAL: what is wanted makes no sense; -ENOENT: no such upload or file; -EACCES: not in a
 * directory that is allowed; -EBUSY: the upload is not complete, or is being imported; -E2BIG.
 */
int sn_imports_add(struct sn_imports *imports, const struct sn_import_wanted *wanted, char *id,
		   struct sn_err *err);
/* Waiting ones end at once, running ones soon; -ENOENT, -EBUSY: it has ended. */
int sn_imports_cancel(struct sn_imports *imports, const char *id, struct sn_err *err);
/* Newest first, as the API shows them; NULL on error.  `id` NULL: all. */
json_t *sn_imports_json(struct sn_imports *imports, const char *id, struct sn_err *err);
/* Those that wait or run. */
json_t *sn_imports_open_json(struct sn_imports *imports, struct sn_err *err);
/* Was a file with this SHA-256 imported whole? */
bool sn_imports_know(struct sn_imports *imports, const char *sha256);

#endif
