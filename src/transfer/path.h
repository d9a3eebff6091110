/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path: names of log files on the wire, and the time that they stand for.
 *
 * A path comes from the other side and becomes a local file's name and a part of a URL, so
 * only what can be nothing else passes: relative, no empty segment, none that begins with a
 * dot (so neither "." nor ".."), no backslash, no control character, well-formed UTF-8.
 *
 * Time of a file, method "tstat": its directory is called YYYY_MM_DD_HH_MM.out, or, as newer
 * versions have it, with seconds behind the minutes or none of the end.  UTC unless told
 * otherwise: the first programs of this kind used the local time of their machine.
 */
#ifndef SONDE_TRANSFER_PATH_H
#define SONDE_TRANSFER_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define SN_MATH_PATH_MAX     1024 /* bytes */
#define SN_MATH_DEPTH_MAX    16   /* segments */
#define SN_MATH_STREAM_MAX   64   /* bytes of a stream's name */
#define SN_MATH_TIME_UNKNOWN INT64_MIN

/* -EINVAL says what is wrong with it. */
int sn_math_path_check(struct sn_str path, struct sn_err *err);
/* A stream's name: letters, digits, '.', '_', '-', not a dot first. */
bool sn_math_stream_is_good(struct sn_str name);

/* Unix seconds that "2026_03_01_12_05.out" stands for; -EINVAL if it is no such name. */
int sn_math_directory_time(struct sn_str name, bool local_time, int64_t *unix_s);
/* Of the directory that the file is in; SN_MATH_TIME_UNKNOWN if that has none. */
int64_t sn_math_path_time(struct sn_str path, bool local_time);
/* The last segment. */
struct sn_str sn_math_path_name(struct sn_str path);

/*
 * How the names of a stream's files begin, by its type: "log_tcp_complete" for
 * "log_tcp_complete_v15" and "log_tcp_complete"; NULL (any name) for "tstat" and "mawi_wide".
 */
const char *sn_math_type_names(const char *type);

/*
 * Start time on a command line: RFC 3339, or YYYY-MM-DDThh:mm:ss without a zone, which is UTC
 * or, with `local_time`, that of this machine.
 */
int sn_math_start_time(const char *text, bool local_time, int64_t *unix_s);

#endif
