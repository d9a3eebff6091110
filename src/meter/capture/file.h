/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: packets from a capture file or standard input.
 *
 * The classic format (libpcap's own since 1998, all four byte-order and
 * resolution variants) is read by capture/classic.c, whose loop costs less than
 * half of libpcap's; pcapng by capture/pcapng.c, with as many interfaces of
 * different kinds and clocks as a file has; older formats go through libpcap.
 * Each of them may be compressed (base/decompress.h).
 *
 * A file that ends in the middle of a packet or whose headers make no sense
 * gives an error that names the file, the packet's number (from 1) and the
 * offset of its header (decompressed); packets before it have been delivered.
 */
#ifndef SONDE_METER_CAPTURE_FILE_H
#define SONDE_METER_CAPTURE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "meter/capture/losses.h"
#include "meter/capture/packet.h"

/* Longer packets are taken for damage; libpcap has the same limit. */
#define SN_CAPTURE_PACKET_MAX 262144

struct sn_capture_file;
struct sn_windows;

/*
 * `path` "-" is standard input.  Errors: -ENODATA (empty), -EBADMSG (not a capture
 * file, or a damaged header), or what open(2) says.
 */
int sn_capture_file_open(const char *path, struct sn_capture_file **file, struct sn_err *err);
/* Takes `fd` over, also on failure; `name` is used in messages. */
int sn_capture_file_open_fd(int fd, const char *name, struct sn_capture_file **file,
			    struct sn_err *err);
void sn_capture_file_close(struct sn_capture_file *file); /* NULL is fine */

/*
 * The next packets, at most `max`: how many, 0 at a clean end; -EBADMSG (damaged), -ENODATA
 * (truncated) or a read error, after the packets before it have been delivered.  Their bytes
 * stay valid until the next call.
 */
int sn_capture_file_read(struct sn_capture_file *file, struct sn_packet *packets, int max,
			 struct sn_err *err);

/*
 * From now on the bytes of packets are in windows of the pool and stay valid while those are held;
 * the file keeps one itself, for which sn_windows_reserve() has made room.  False if they cannot
 * be, because libpcap reads the file: then they are as before.
 */
bool sn_capture_file_share(struct sn_capture_file *file, struct sn_windows *windows);

const char *sn_capture_file_name(const struct sn_capture_file *file);
/* A DLT_ value of pcap/dlt.h: that of the first interface; each packet has its own. */
int sn_capture_file_link(const struct sn_capture_file *file);
uint32_t sn_capture_file_snaplen(const struct sn_capture_file *file);
uint64_t sn_capture_file_packets(const struct sn_capture_file *file); /* delivered so far */
/* Bytes of the file used so far; of a compressed one, compressed bytes. */
uint64_t sn_capture_file_offset(const struct sn_capture_file *file);
/* Size of a regular file, 0 if unknown (pipe). */
uint64_t sn_capture_file_size(const struct sn_capture_file *file);

/*
 * What the capturing program says that it lost, per interface (pcapng; other formats say nothing):
 * fills up to `max` entries and returns how many there are.  Complete at the end of the file,
 * where such statistics stand.
 */
size_t sn_capture_file_losses(const struct sn_capture_file *file, struct sn_capture_losses *list,
			      size_t max);

#endif
