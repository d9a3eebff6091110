/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histogram files in Tstat's text form: a directory per step, a file per histogram
 * that has samples.
 */
#define SN_MODULE "series"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/util.h"
#include "meter/series/internal.h"

#define DIRECTORY_NAME 16

static void keep_error(struct sn_traffic_board *board, int error, const char *directory,
		       const char *file)
{
	struct sn_err err = {0};

	sn_err_sys(&err, error, "cannot write histogram '%s%s%s'", directory,
		   file != NULL ? "/" : "", file != NULL ? file : "");
	if (board->options.keep_going)
		SN_LOG_LIMITED(SN_LOG_ERROR, "%s", err.text);
	if (board->error.code == 0)
		board->error = err;
	board->stats.lost_files++;
}

/* Directories ---------------------------------------------------------------- */

static void close_directory(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void sn_traffic_close_directories(struct sn_traffic_board *board)
{
	close_directory(&board->directory);
	close_directory(&board->next);
}

static void enter_next(struct sn_traffic_board *board)
{
	close_directory(&board->directory);
	board->directory = board->next;
	board->next = -1;
	board->file_number = 0;
}

void sn_traffic_board_directory(struct sn_traffic_board *board, int directory, int64_t begin_ns)
{
	int fd = fcntl(directory, F_DUPFD_CLOEXEC, 3);

	pthread_mutex_lock(&board->lock);
	if (fd < 0)
		keep_error(board, -errno, "000", NULL);
	close_directory(&board->next);
	board->next = fd;
	board->next_ns = begin_ns;
	if (board->directory < 0)
		enter_next(board);
	pthread_mutex_unlock(&board->lock);
}

/* Another run may have left the directory.  Who removes the one above it wants none of it. */
static int open_directory(struct sn_traffic_board *board, const char *name)
{
	int fd;

	if (mkdirat(board->directory, name, 0755) != 0 && errno != EEXIST) {
		if (errno != ENOENT)
			keep_error(board, -errno, name, NULL);
		return -1;
	}
	fd = openat(board->directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		keep_error(board, -errno, name, NULL);
	return fd;
}

/* Of a step -------------------------------------------------------------------- */

static int write_all(int fd, const struct sn_buf *text)
{
	size_t done = 0;

	while (done < text->n) {
		ssize_t n = write(fd, text->p + done, text->n - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static void write_file(struct sn_traffic_board *board, int directory, const char *directory_name,
		       const char *name, const struct sn_buf *text)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0644);
	int result = fd < 0 ? -errno : write_all(fd, text);

	if (fd >= 0 && close(fd) != 0 && result == 0)
		result = -errno;
	if (fd >= 0 && result != 0)
		unlinkat(directory, name, 0); /* half a histogram would pass for a whole one */
	if (result != 0)
		keep_error(board, result, directory_name, name);
	else
		board->stats.files++;
}

static void add_header(struct sn_buf *text, const struct sn_histogram *histogram)
{
	sn_buf_addf(text, "#%s\n#RANGE: min=%d bin_size=%d max=%d\n", histogram->text,
		    histogram->min, histogram->bin_size, histogram->max);
}

static void add_bins(struct sn_buf *text, const struct sn_sheet *sheet, enum sn_histogram_id id,
		     int64_t elapsed_ns)
{
	const struct sn_histogram *histogram = &sn_histograms[id];

	for (uint32_t bin = 0; bin < histogram->count; bin++) {
		double content = sn_sheet_bin(sheet, id, bin, elapsed_ns);

		if (content > 0) /* also false for what cannot be told */
			sn_buf_addf(text, "%d %.0f\n", sn_histogram_low(histogram, bin), content);
	}
}

void sn_traffic_write_step(struct sn_traffic_board *board, const struct sn_sheet *sheet,
			   const struct sn_traffic_span *span, bool last)
{
	char name[DIRECTORY_NAME] = "LAST";
	struct sn_buf text = {0};
	int directory;

	if (board->next >= 0 && span->begin_ns >= board->next_ns)
		enter_next(board);
	if (!board->histograms || board->directory < 0)
		return;
	if (!last)
		snprintf(name, sizeof(name), "%03u", board->file_number++);
	directory = open_directory(board, name);
	if (directory < 0)
		return;
	for (unsigned id = 0; id < SN_HISTOGRAMS; id++) {
		if (sheet->samples[id].count == 0)
			continue;
		sn_buf_clear(&text);
		add_header(&text, &sn_histograms[id]);
		add_bins(&text, sheet, id, span->elapsed_ns);
		write_file(board, directory, name, sn_histograms[id].name, &text);
	}
	close(directory);
	sn_buf_finish(&text);
}

/* The whole run ------------------------------------------------------------ */

/* Value, share of the samples, share of those up to here. */
static void add_shares(struct sn_buf *text, const struct sn_sheet *sheet, enum sn_histogram_id id)
{
	const struct sn_histogram *histogram = &sn_histograms[id];
	const uint64_t *bins = &sheet->bins[histogram->first];
	double all = 0, sum = 0;

	for (uint32_t bin = 0; bin < histogram->count; bin++)
		all += (double)bins[bin];
	sn_buf_addf(text, "#SAMPLES: %.0f\n", all);
	for (uint32_t bin = 0; bin < histogram->count; bin++) {
		sum += (double)bins[bin];
		if (bins[bin] > 0)
			sn_buf_addf(text, "%d %f %f\n", sn_histogram_low(histogram, bin),
				    (double)bins[bin] / all, sum / all);
	}
}

void sn_traffic_write_global(struct sn_traffic_board *board)
{
	struct sn_buf text = {0};
	int directory;

	if (board->global == NULL || !board->histograms || board->directory < 0)
		return;
	directory = open_directory(board, "GLOBAL");
	if (directory < 0)
		return;
	for (unsigned id = 0; id < SN_HISTOGRAMS; id++) {
		if (board->global->samples[id].count == 0)
			continue;
		sn_buf_clear(&text);
		add_header(&text, &sn_histograms[id]);
		add_shares(&text, board->global, id);
		write_file(board, directory, "GLOBAL", sn_histograms[id].name, &text);
	}
	close(directory);
	sn_buf_finish(&text);
}
