/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages: large zeroed memory straight from the system.  Nothing of it is used
 * before it is touched; where the system has large pages (2 MB), all but a small
 * beginning is in them: a flood of new flows is paid for in pages.
 */
#ifndef SONDE_METER_FLOW_PAGES_H
#define SONDE_METER_FLOW_PAGES_H

#include <stddef.h>

/* With `small_bytes` at the beginning in pages of the ordinary size. */
void *sn_pages_take(size_t size, size_t small_bytes);
/*
 * What will be written soon: at once instead of by a fault for each page.  Of a page that is read
 * first it saves two, and the other threads an interruption.
 */
void sn_pages_touch(void *pages, size_t size);
void sn_pages_give(void *pages, size_t size); /* the size it was taken with; NULL is fine */

#endif
