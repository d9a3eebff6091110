/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web: the files of the web UI, looked up in a table and never by a path from the
 * outside.
 *
 * The directory is read once, and again when its index.html has changed.  Files
 * have an ETag made of their content, a compressed twin (.gz beside them) where
 * there is one, and the ones whose name holds a hash may be kept for ever.
 */
#ifndef SONDE_HUB_WEB_H
#define SONDE_HUB_WEB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SN_WEB_FILES_MAX   4096
#define SN_WEB_DEPTH_MAX   8
#define SN_WEB_FILE_MAX    (64 * 1024 * 1024)
#define SN_WEB_ETAG_SIZE   20          /* with its quotes */
#define SN_WEB_PLAIN_STYLE "plain.css" /* of the pages that are no part of the UI */

struct sn_web_file {
	char *path; /* on disk */
	const char *type;
	char etag[SN_WEB_ETAG_SIZE];
	uint64_t size;
	bool immutable;
	bool has_gzip; /* path + ".gz" */
};

struct sn_web;

/* `dir` NULL or "": found where it is installed, or beside the program in a build tree. */
struct sn_web *sn_web_open(const char *dir);
void sn_web_close(struct sn_web *web);
/* Is there a UI at all?  Looks for a changed index.html. */
bool sn_web_is_there(struct sn_web *web);
/* `path` without its leading slash; "" is index.html.  NULL when there is no such file. */
const struct sn_web_file *sn_web_find(const struct sn_web *web, const char *path);

/* Pure: by the name's end; "application/octet-stream" when it is not known. */
const char *sn_web_type(const char *name);
/* Pure: does the name hold a content hash, like "assets/index-BxW3k2Qz.js"? */
bool sn_web_name_is_hashed(const char *path);

#endif
