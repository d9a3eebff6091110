/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input: a file of others as lines of text, decompressed on the way (gzip, xz,
 * zstd; by what the bytes say, not by the name).
 *
 * Memory does not grow with the file.  A line is borrowed until the next one is
 * asked for.
 */
#ifndef SONDE_EXCHANGE_INPUT_H
#define SONDE_EXCHANGE_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* What a file may unpack to: so many bytes, and so many times its size. */
#define SN_INPUT_UNPACKED_FREE (64 * 1024 * 1024)
#define SN_INPUT_UNPACKED_MAX  200

struct sn_input;

struct sn_input_line {
	struct sn_str text; /* without the line feed and a carriage return before it */
	uint64_t number;    /* from 1 */
	bool returned;      /* a carriage return stood before the line feed */
	bool too_long;      /* more than the limit: `text` is what it begins with */
	bool whole; /* it has an end, or is too long; the last line of a cut file has none */
};

/* Lines of more than `line_max` bytes are told as too long, and skipped. */
int sn_input_open(const char *path, size_t line_max, struct sn_input **input, struct sn_err *err);
/* The same over bytes in memory, which are borrowed. */
struct sn_input *sn_input_create(struct sn_str text, size_t line_max);
void sn_input_destroy(struct sn_input *input);

/*
 * 1: a line; 0: the end.  Negative, after the lines before it, when the file cannot be read:
 * -EBADMSG (damaged), -ENODATA (its compressed data end too early), -EFBIG (they want too much
 * memory, or unpack to more than a file may), -EAGAIN (it changed meanwhile), or an error of
 * read(2).
 */
int sn_input_next(struct sn_input *input, struct sn_input_line *line, struct sn_err *err);

const char *sn_input_name(const struct sn_input *input);
/* What errors call it, where that is not its path. */
void sn_input_rename(struct sn_input *input, const char *name);
/* Bytes of the file that are used up, of so many: how far it is.  Compressed if the file is. */
uint64_t sn_input_taken(const struct sn_input *input);
uint64_t sn_input_size(const struct sn_input *input); /* 0: not known */

#endif
