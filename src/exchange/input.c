/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/decompress.h"
#include "base/mem.h"

#define PIECE_BYTES (256 * 1024)

struct sn_input {
	char *name;
	int fd; /* -1: bytes in memory */
	struct stat opened;
	struct sn_decompress *decompress; /* NULL: the bytes are what they are */
	char *buffer;                     /* NULL: bytes in memory */
	size_t capacity;
	const char *start, *end; /* what is not yet told */
	const char *searched;    /* no line feed before it */
	size_t line_max;
	uint64_t lines, taken, unpacked;
	bool at_end;
	bool skipping; /* the rest of a line that was too long */
};

struct sn_input *sn_input_create(struct sn_str text, size_t line_max)
{
	struct sn_input *input = sn_new(struct sn_input);

	assert(line_max > 0);
	input->name = sn_xstrdup("text");
	input->fd = -1;
	input->start = input->searched = text.n > 0 ? text.p : "";
	input->end = input->start + text.n;
	input->line_max = line_max;
	input->at_end = true;
	return input;
}

void sn_input_destroy(struct sn_input *input)
{
	if (input == NULL)
		return;
	sn_decompress_destroy(input->decompress);
	if (input->fd >= 0)
		close(input->fd);
	free(input->buffer);
	free(input->name);
	free(input);
}

const char *sn_input_name(const struct sn_input *input)
{
	return input->name;
}

void sn_input_rename(struct sn_input *input, const char *name)
{
	free(input->name);
	input->name = sn_xstrdup(name);
}

uint64_t sn_input_taken(const struct sn_input *input)
{
	return input->decompress != NULL ? sn_decompress_offset(input->decompress) : input->taken;
}

uint64_t sn_input_size(const struct sn_input *input)
{
	return S_ISREG(input->opened.st_mode) ? (uint64_t)input->opened.st_size : 0;
}

/* Reading ---------------------------------------------------------------- */

static ssize_t read_plain(struct sn_input *input, char *out, size_t size)
{
	ssize_t got;

	do
		got = read(input->fd, out, size);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	input->taken += (uint64_t)got;
	return got;
}

static int cannot_read(struct sn_input *input, int code, struct sn_err *err)
{
	if (input->decompress != NULL)
		return sn_err_set(err, code, "cannot read '%s': %s", input->name,
				  sn_decompress_reason(input->decompress));
	return sn_err_sys(err, code, "cannot read '%s'", input->name);
}

/* Looked at wherever bytes are made: a bomb need not have a line that ends. */
static int check_unpacked(struct sn_input *input, size_t fresh, struct sn_err *err)
{
	uint64_t size = sn_input_size(input);

	if (input->decompress == NULL || size == 0)
		return 0;
	input->unpacked += fresh;
	if (input->unpacked <= SN_INPUT_UNPACKED_FREE + size * SN_INPUT_UNPACKED_MAX)
		return 0;
	return sn_err_set(err, -EFBIG,
			  "cannot read '%s': it unpacks to more than %d times its size (unpack it "
			  "first if it is to be trusted)",
			  input->name, SN_INPUT_UNPACKED_MAX);
}

/* Who still writes it would have half of it imported, and the other half never. */
static int check_unchanged(struct sn_input *input, struct sn_err *err)
{
	struct stat now;

	if (fstat(input->fd, &now) != 0)
		return cannot_read(input, -errno, err);
	if (!S_ISREG(now.st_mode) || (now.st_size == input->opened.st_size &&
				      now.st_mtim.tv_sec == input->opened.st_mtim.tv_sec &&
				      now.st_mtim.tv_nsec == input->opened.st_mtim.tv_nsec))
		return 0;
	return sn_err_set(err, -EAGAIN,
			  "cannot read '%s': it changed meanwhile (read it when it is finished)",
			  input->name);
}

/* More bytes behind those that are there; sets `at_end` when there are none. */
static int fill(struct sn_input *input, struct sn_err *err)
{
	size_t kept = (size_t)(input->end - input->start);
	size_t searched = (size_t)(input->searched - input->start);
	ssize_t got;

	memmove(input->buffer, input->start, kept);
	input->start = input->buffer;
	input->searched = input->buffer + searched;
	input->end = input->buffer + kept;
	got = input->decompress != NULL
		      ? sn_decompress_read(input->decompress, input->buffer + kept,
					   input->capacity - kept)
		      : read_plain(input, input->buffer + kept, input->capacity - kept);
	if (got < 0)
		return cannot_read(input, (int)got, err);
	input->end += got;
	input->at_end = got == 0;
	return check_unpacked(input, (size_t)got, err);
}

int sn_input_open(const char *path, size_t line_max, struct sn_input **input, struct sn_err *err)
{
	struct sn_input *opened;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open '%s'", path);
	opened = sn_input_create((struct sn_str){0}, line_max);
	free(opened->name);
	opened->name = sn_xstrdup(path);
	opened->fd = fd;
	opened->at_end = false;
	opened->capacity = line_max + PIECE_BYTES;
	opened->buffer = sn_xmalloc(opened->capacity);
	opened->start = opened->searched = opened->end = opened->buffer;
	rc = fstat(fd, &opened->opened) == 0 ? 0 : cannot_read(opened, -errno, err);
	while (rc == 0 && !opened->at_end && opened->end - opened->start < SN_DECOMPRESS_MAGIC_MAX)
		rc = fill(opened, err);
	if (rc != 0) {
		sn_input_destroy(opened);
		return rc;
	}
	opened->decompress = sn_decompress_create(fd, (const uint8_t *)opened->start,
						  (size_t)(opened->end - opened->start));
	if (opened->decompress != NULL) {
		opened->end = opened->start;
		opened->at_end = false;
	}
	*input = opened;
	return 0;
}

/* Lines ------------------------------------------------------------------ */

static const char *find_feed(struct sn_input *input)
{
	const char *feed = memchr(input->searched, '\n', (size_t)(input->end - input->searched));

	if (feed == NULL)
		input->searched = input->end;
	return feed;
}

static void use(struct sn_input *input, const char *to)
{
	if (input->fd < 0)
		input->taken += (uint64_t)(to - input->start);
	input->start = input->searched = to;
}

/* Up to the feed, or to the end of what is there. */
static void tell(struct sn_input *input, const char *feed, struct sn_input_line *line)
{
	const char *end = feed != NULL ? feed : input->end;

	*line = (struct sn_input_line){
		.text = {input->start, (size_t)(end - input->start)},
		.number = ++input->lines,
		.whole = feed != NULL,
	};
	line->returned = feed != NULL && line->text.n > 0 && end[-1] == '\r';
	line->text.n -= line->returned;
	if (line->text.n > input->line_max) {
		line->text.n = input->line_max;
		line->too_long = line->whole = true;
	}
	input->skipping = feed == NULL && !input->at_end;
	use(input, feed != NULL ? feed + 1 : input->end);
}

/* The rest of a line that was told as too long. */
static int skip_rest(struct sn_input *input, struct sn_err *err)
{
	while (input->skipping) {
		const char *feed = find_feed(input);
		int rc = 0;

		use(input, feed != NULL ? feed + 1 : input->end);
		input->skipping = feed == NULL && !input->at_end;
		if (input->skipping)
			rc = fill(input, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int sn_input_next(struct sn_input *input, struct sn_input_line *line, struct sn_err *err)
{
	int rc = skip_rest(input, err);

	while (rc == 0) {
		const char *feed = find_feed(input);
		bool too_long = (size_t)(input->end - input->start) > input->line_max + 1;

		if (feed == NULL && !too_long && !input->at_end) {
			rc = fill(input, err);
			continue;
		}
		if (feed == NULL && input->start == input->end)
			return input->fd >= 0 ? check_unchanged(input, err) : 0;
		tell(input, feed, line);
		return 1;
	}
	return rc;
}
