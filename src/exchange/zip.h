/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zip: a ZIP archive (APPNOTE.TXT 6.3, deflate) written front to back, for files that
 * are made while they are sent, like KMZ.
 *
 * Sizes and checksums stand behind each member (data descriptors), so nothing is kept
 * but the names.  No member, nor the archive, may reach 4 GiB.
 */
#ifndef SONDE_EXCHANGE_ZIP_H
#define SONDE_EXCHANGE_ZIP_H

#include "base/buf.h"

#define SN_ZIP_MEMBERS_MAX 1000
#define SN_ZIP_NAME_MAX    255

struct sn_zip;
/* What is ready is appended to `out`, which the caller may empty between calls. */
struct sn_zip *sn_zip_create(struct sn_buf *out);
void sn_zip_destroy(struct sn_zip *zip);
/* One member after the other; `name` of ASCII.  0, -E2BIG, -ENOMEM. */
int sn_zip_begin(struct sn_zip *zip, const char *name);
int sn_zip_write(struct sn_zip *zip, struct sn_str data); /* 0, -EFBIG */
int sn_zip_end(struct sn_zip *zip);
int sn_zip_finish(struct sn_zip *zip); /* the directory: the archive is whole */

#endif
