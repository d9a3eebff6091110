/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/table.h"

#define WIDTH_DEFAULT 80
#define CELLS         20
#define CELLS_MIN     6
#define ERASE         "\r\033[K"

void sn_bar_begin(struct sn_bar *bar, FILE *out, const char *label, enum sn_bar_unit unit,
		  uint64_t first)
{
	const char *term = getenv("TERM");
	bool can_erase = term == NULL || strcmp(term, "dumb") != 0;

	*bar = (struct sn_bar){
		.out = out != NULL && can_erase && sn_terminal_width(out) > 0 ? out : NULL,
		.label = label,
		.unit = unit,
		.begun_ns = sn_mono_ns(),
		.first = first,
	};
}

/* Text -------------------------------------------------------------------- */

static const char *amount(const struct sn_bar *bar, uint64_t value, char *out, size_t size)
{
	if (bar->unit == SN_BAR_BYTES)
		return sn_format_bytes(value, out, size);
	snprintf(out, size, "%llu", (unsigned long long)value);
	return out;
}

static const char *time_left(uint64_t seconds, char *out, size_t size)
{
	if (seconds < 60)
		snprintf(out, size, "%llu s", (unsigned long long)seconds);
	else if (seconds < 3600)
		snprintf(out, size, "%llu min", (unsigned long long)((seconds + 59) / 60));
	else
		snprintf(out, size, "%llu h %llu min", (unsigned long long)(seconds / 3600),
			 (unsigned long long)(seconds % 3600 / 60));
	return out;
}

/* "12.3 MB of 29.1 MB, 4.1 MB/s, 4 s left" */
static void describe(const struct sn_bar *bar, uint64_t done, uint64_t total, uint64_t elapsed_ns,
		     char *out, size_t size)
{
	uint64_t fresh = done > bar->first ? done - bar->first : 0;
	double rate = elapsed_ns > 0 ? (double)fresh * 1e9 / (double)elapsed_ns : 0;
	char text[64];
	size_t n;

	n = (size_t)snprintf(out, size, "%s", amount(bar, done, text, sizeof(text)));
	if (total > 0)
		n += (size_t)snprintf(out + n, size - n, " of %s",
				      amount(bar, total, text, sizeof(text)));
	if (rate < 1)
		return;
	n += (size_t)snprintf(out + n, size - n, ", %s/s",
			      amount(bar, (uint64_t)rate, text, sizeof(text)));
	if (total > done)
		snprintf(out + n, size - n, ", %s left",
			 time_left((uint64_t)((double)(total - done) / rate) + 1, text,
				   sizeof(text)));
}

/* "[####----] "; nothing if fewer cells fit than make sense. */
static void draw(uint64_t done, uint64_t total, unsigned cells, char *out)
{
	unsigned full = (unsigned)((double)done / (double)total * cells);

	*out = '\0';
	if (cells < CELLS_MIN)
		return;
	*out++ = '[';
	for (unsigned i = 0; i < cells; i++)
		*out++ = i < full ? '#' : '-';
	memcpy(out, "] ", 3);
}

/* Cut to so many columns, at a character. */
static void limit_width(char *text, unsigned width)
{
	while (sn_text_width(text) > width) {
		size_t n = strlen(text) - 1;

		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
		text[n] = '\0';
	}
}

void sn_bar_line(const struct sn_bar *bar, uint64_t done, uint64_t total, uint64_t elapsed_ns,
		 const char *note, unsigned width, char *out, size_t size)
{
	sn_autofree char *tail = sn_text_defused(note != NULL ? note : "");
	sn_autofree char *head = sn_text_defused(bar->label);
	char share[16] = "", cells[CELLS + 4] = "", text[192];
	unsigned room = CELLS, used;

	/* A file that grows, or more items than were expected. */
	if (total > 0 && done > total)
		done = total;
	describe(bar, done, total, elapsed_ns, text, sizeof(text));
	if (total > 0) {
		snprintf(share, sizeof(share), "%3u %% ",
			 (unsigned)((double)done / (double)total * 100));
		used = sn_text_width(head) + sn_text_width(share) + sn_text_width(text) +
		       sn_text_width(tail) + 7;
		if (width > 0)
			room = used < width ? SN_MIN(width - used, (unsigned)CELLS) : 0;
		draw(done, total, room, cells);
	}
	snprintf(out, size, "%s  %s%s%s%s%s", head, share, cells, text, *tail != '\0' ? "  " : "",
		 tail);
	if (width > 0)
		limit_width(out, width);
}

/* Terminal ---------------------------------------------------------------- */

void sn_bar_update(struct sn_bar *bar, uint64_t done, uint64_t total, const char *note)
{
	uint64_t now_ns = sn_mono_ns(), elapsed_ns = now_ns - bar->begun_ns;
	char line[SN_BAR_TEXT_MAX];
	unsigned width;

	if (bar->out == NULL || elapsed_ns < SN_BAR_AFTER_NS ||
	    (bar->shown && now_ns - bar->drawn_ns < SN_BAR_EACH_NS))
		return;
	width = sn_terminal_width(bar->out);
	/* A full last column makes some terminals begin a new line. */
	sn_bar_line(bar, done, total, elapsed_ns, note, (width > 1 ? width : WIDTH_DEFAULT) - 1,
		    line, sizeof(line));
	fprintf(bar->out, ERASE "%s", line);
	fflush(bar->out);
	bar->shown = true;
	bar->drawn_ns = now_ns;
}

void sn_bar_clear(struct sn_bar *bar)
{
	if (!bar->shown)
		return;
	fputs(ERASE, bar->out);
	fflush(bar->out);
	bar->shown = false;
}
