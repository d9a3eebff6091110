/* SPDX-License-Identifier: Apache-2.0 */
/*
 * footprint: give back memory that only the start needed.
 *
 * Most of the agent's resident memory is code of libraries that ran once, while
 * they set themselves up (libcurl's brings OpenSSL along).  On a small node those
 * pages are better used otherwise.
 */
#ifndef SONDE_NODE_HEALTH_FOOTPRINT_H
#define SONDE_NODE_HEALTH_FOOTPRINT_H

/* Drops code pages, which come back from the file when they are needed, and free heap. */
void sn_footprint_trim(void);

#endif
