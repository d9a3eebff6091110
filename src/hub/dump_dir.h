/* SPDX-License-Identifier: Apache-2.0 */
/* dump_dir: the directories of dumps, one per day, and how one takes the place of another. */
#ifndef SONDE_HUB_DUMP_DIR_H
#define SONDE_HUB_DUMP_DIR_H

#include "hub/dump_day.h"

#define SN_DUMP_INDEX     "index.json"
#define SN_DUMP_SUMS      "SHA256SUMS"
#define SN_DUMP_INDEX_MAX (8 * 1024 * 1024)

/* "DIR/2026/03/.01.new", malloc'ed: where a day is written. */
char *sn_dump_dir_new(const char *dir, int32_t day);
/* What was written takes the place of what is there, in one step where the kernel can. */
int sn_dump_dir_swap(const char *dir, int32_t day, struct sn_err *err);

#endif
