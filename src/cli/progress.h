/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress: a bar on the terminal for what takes long: share, rate, time left.
 *
 * It shows nothing where the stream is no terminal (or TERM is "dumb"), and nothing
 * before SN_BAR_AFTER_NS, so that short work leaves no trace.  One line, drawn again
 * at most ten times a second; sn_bar_clear() takes it away before anything else is
 * printed.
 */
#ifndef SONDE_CLI_PROGRESS_H
#define SONDE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/util.h"

#define SN_BAR_AFTER_NS (2 * SN_NS_PER_S)
#define SN_BAR_EACH_NS  (100 * SN_NS_PER_MS)
#define SN_BAR_TEXT_MAX 512

enum sn_bar_unit { SN_BAR_BYTES, SN_BAR_ITEMS };

struct sn_bar {
	FILE *out;         /* NULL: nothing is shown */
	const char *label; /* borrowed */
	enum sn_bar_unit unit;
	bool shown;
	uint64_t begun_ns, drawn_ns; /* monotonic */
	uint64_t first;              /* done at the beginning: counts for the share, not the rate */
};

/* `first`: what was done before, where work is resumed. */
void sn_bar_begin(struct sn_bar *bar, FILE *out, const char *label, enum sn_bar_unit unit,
		  uint64_t first);
/* `total` 0: not known.  `note`, which may be NULL, stands at the end of the line. */
void sn_bar_update(struct sn_bar *bar, uint64_t done, uint64_t total, const char *note);
void sn_bar_clear(struct sn_bar *bar);

/*
 * The line alone, `width` columns at most (0: no limit): "label  42 % [####----] 12.3 MB of
 * 29.1 MB, 4.1 MB/s, 4 s left  note".  Pieces that do not fit are left out, the bar first.
 * `elapsed_ns` is the time that it took from `bar->first` to `done`.
 */
void sn_bar_line(const struct sn_bar *bar, uint64_t done, uint64_t total, uint64_t elapsed_ns,
		 const char *note, unsigned width, char *out, size_t size);

#endif
