/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one line per event on standard error.
 *
 * The line is `<n>module: text key=value ...`; journald keeps the level, on a
 * terminal the level is stripped and coloured.  Libraries return errors instead
 * of logging; programs and long-lived subsystems log.  No secrets.
 * SN_LOG_LIMITED() lets at most ten lines a minute through per call site and
 * says how many were held back.
 */
#ifndef SONDE_BASE_LOG_H
#define SONDE_BASE_LOG_H

#include "base/util.h"

enum sn_log_level { /* syslog numbers */
		    SN_LOG_ERROR = 3,
		    SN_LOG_WARNING = 4,
		    SN_LOG_NOTICE = 5,
		    SN_LOG_INFO = 6,
		    SN_LOG_DEBUG = 7,
};

/* Lines above this level are dropped; NOTICE at start.  `name`: "error".. "debug"; -EINVAL. */
void sn_log_set_level(enum sn_log_level level);
int sn_log_set_level_name(const char *name);

void sn_log(enum sn_log_level level, const char *module, const char *format, ...) SN_PRINTF(3, 4);

struct sn_log_limit {
	long long window_start_ns;
	unsigned passed, held;
};
/* True when the line may be written; sets `*held` to the lines held back before it. */
int sn_log_limit_pass(struct sn_log_limit *limit, unsigned *held);

#define sn_error(...)  sn_log(SN_LOG_ERROR, SN_MODULE, __VA_ARGS__)
#define sn_warn(...)   sn_log(SN_LOG_WARNING, SN_MODULE, __VA_ARGS__)
#define sn_notice(...) sn_log(SN_LOG_NOTICE, SN_MODULE, __VA_ARGS__)
#define sn_info(...)   sn_log(SN_LOG_INFO, SN_MODULE, __VA_ARGS__)
#define sn_debug(...)  sn_log(SN_LOG_DEBUG, SN_MODULE, __VA_ARGS__)

/* Files that log say `#define SN_MODULE "ingest"` before their first include of ours. */
#define SN_LOG_LIMITED(level, ...)                                                                 \
	do {                                                                                       \
		static struct sn_log_limit limit_;                                                 \
		unsigned held_;                                                                    \
		if (sn_log_limit_pass(&limit_, &held_)) {                                          \
			if (held_ > 0)                                                             \
				sn_log(level, SN_MODULE, "%u similar lines held back", held_);     \
			sn_log(level, SN_MODULE, __VA_ARGS__);                                     \
		}                                                                                  \
	} while (0)

#endif
