/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three readers behind capture/file.h.  Each opens on the bytes that are
 * already peeked and fills the shared part of struct sn_capture_file.
 */
#ifndef SONDE_METER_CAPTURE_FILE_INTERNAL_H
#define SONDE_METER_CAPTURE_FILE_INTERNAL_H

#include <pcap/pcap.h>
#include <stdbool.h>

#include "meter/capture/file.h"
#include "meter/capture/reader.h"

/* Unix seconds that fit into int64 nanoseconds with room for differences: year 2200. */
#define SN_CAPTURE_SECONDS_MAX 7258118400LL

struct sn_pcapng;

struct sn_capture_file {
	/* At least one packet unless the end or an error comes first; as sn_capture_file_read(). */
	int (*read)(struct sn_capture_file *file, struct sn_packet *packets, int max,
		    struct sn_err *err);
	char *name;
	int fd;
	struct sn_reader reader;
	int link;
	uint32_t snaplen;
	uint64_t packets, size;
	/* classic */
	bool big_endian;                    /* also pcapng: of the current section */
	uint32_t fraction_max, fraction_ns; /* units of the sub-second field */
	/* pcapng */
	struct sn_pcapng *pcapng;
	/* libpcap */
	pcap_t *pcap;
};

/* 1 opened, 0 not this format, negative: refused. */
int sn_classic_open(struct sn_capture_file *file, struct sn_err *err);
int sn_pcapng_open(struct sn_capture_file *file, struct sn_err *err);
void sn_pcapng_close(struct sn_capture_file *file);
size_t sn_pcapng_losses(const struct sn_capture_file *file, struct sn_capture_losses *list,
			size_t max);
int sn_savefile_open(struct sn_capture_file *file, struct sn_err *err);
void sn_savefile_close(struct sn_capture_file *file);

/* The DLT_ value of a file's LINKTYPE_; they differ where systems do. */
int sn_capture_link(uint32_t linktype);
/* "cannot read 'FILE': why reading failed"; returns the code. */
int sn_capture_unreadable(const struct sn_capture_file *file, struct sn_err *err);
/* "cannot read packet N of 'FILE' at offset M: ..."; returns `code`. */
int sn_capture_damage(const struct sn_capture_file *file, uint64_t offset, int code,
		      const char *reason, struct sn_err *err);

#endif
