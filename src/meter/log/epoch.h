/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoch: one directory of logs and the files in it.
 *
 * Internal to log/.  Several threads may write; each write is of whole lines and
 * lands in one piece.
 */
#ifndef SONDE_METER_LOG_EPOCH_H
#define SONDE_METER_LOG_EPOCH_H

#include <pthread.h>
#include <sys/types.h>

#include "base/buf.h"
#include "meter/log/log.h"

/* Tstat's logs and two of ours. */
enum { SN_EPOCH_MIDSTREAM = SN_TSTAT_LOGS, SN_EPOCH_CAPTURE, SN_EPOCH_FILES };
const char *sn_epoch_file_name(unsigned file);

#define SN_EPOCH_NAME_MAX 32 /* "2016_08_02_02_19.out" */

struct sn_epoch_file {
	pthread_mutex_t lock;
	int fd;        /* -1: this log is off */
	off_t length;  /* of what was written whole */
	void *deflate; /* z_stream; NULL: as it is */
	bool broken;   /* compressed data has a hole: nothing may follow */
};

struct sn_epoch {
	unsigned references;
	int directory;
	char name[SN_EPOCH_NAME_MAX];
	const char *parent; /* borrowed, for messages */
	struct sn_tstat_choice choice;
	bool gzip;
	struct sn_epoch_file files[SN_EPOCH_FILES];
};

/* "YYYY_MM_DD_HH_MM.out", local time. */
void sn_epoch_name(int64_t time_ns, char name[SN_EPOCH_NAME_MAX]);
bool sn_epoch_is_name(const char *name);

/* Makes the directory, in place of one that is there, with a header in each file; one reference. */
struct sn_epoch *sn_epoch_open(const struct sn_tstat_options *options, const char *name,
			       const struct sn_tstat_choice *choice, struct sn_err *err);
/* Closes the files; the memory goes, too. */
int sn_epoch_close(struct sn_epoch *epoch, struct sn_err *err);
/* -EPIPE: the file was removed while it was open. */
int sn_epoch_write(struct sn_epoch *epoch, unsigned file, struct sn_str lines, struct sn_err *err);

#endif
