/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts: traffic per address, for the summary.  Bounded: when SN_HOSTS_MAX
 * addresses are known, further ones are summed up as one.
 */
#ifndef SONDE_METER_OUTPUT_HOSTS_H
#define SONDE_METER_OUTPUT_HOSTS_H

#include <stddef.h>
#include <stdint.h>

#define SN_HOSTS_MAX 65536

struct sn_host {
	uint64_t address[2]; /* as in struct sn_decoded */
	uint8_t family;      /* 0: free slot */
	uint64_t flows, packets, sent_bytes, received_bytes;
};

struct sn_hosts;

struct sn_hosts *sn_hosts_create(void);
void sn_hosts_destroy(struct sn_hosts *hosts); /* NULL is fine */
/* Adds the counters of `more` to its address. */
void sn_hosts_add(struct sn_hosts *hosts, const struct sn_host *more);
/* The `count` largest by bytes, largest first, borrowed; returns how many there are. */
size_t sn_hosts_top(struct sn_hosts *hosts, const struct sn_host **top, size_t count);
size_t sn_hosts_count(struct sn_hosts *hosts);
/* Adds what `more` has. */
void sn_hosts_merge(struct sn_hosts *hosts, struct sn_hosts *more);
/* What went to addresses that found no place. */
const struct sn_host *sn_hosts_rest(struct sn_hosts *hosts);

#endif
