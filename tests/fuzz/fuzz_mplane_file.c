/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a file of mPlane messages: each value that Jansson takes from lines of its own is
 * handed out, in whatever pieces it is read; and as the header of a log.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "exchange/file_form.h"
#include "exchange/mplane_file.h"

struct taken {
	uint64_t messages, bad, last_line;
};

static int derive(const json_t *message, const struct sn_intake *intake, size_t *rows, void *ctx,
		  struct sn_err *why)
{
	struct taken *taken = ctx;

	(void)intake;
	assert(message != NULL);
	taken->messages++;
	if (json_object_get(message, "bad") != NULL)
		return sn_err_set(why, -EINVAL, "it says so");
	*rows = 1;
	return 0;
}

static void note_bad(void *ctx, const struct sn_bad_line *bad)
{
	struct taken *taken = ctx;

	assert(bad->line > 0 && bad->line >= taken->last_line && bad->reason[0] != '\0');
	taken->last_line = bad->line;
	taken->bad++;
}

static struct taken take(struct sn_str text, size_t step)
{
	struct taken taken = {0};
	struct sn_intake intake = {.bad = note_bad, .ctx = &taken};
	struct sn_input *input = sn_input_create(text, 4096);
	struct sn_mplane_reader *reader = sn_mplane_reader_create(input, &intake, derive, &taken);
	const struct sn_intake_counts *counts = sn_mplane_reader_counts(reader);
	struct sn_err err = {0};
	int rc;

	while ((rc = sn_mplane_reader_read(reader, step, &err)) > 0)
		;
	assert(rc == 0 && counts->bad == taken.bad && counts->rows <= taken.messages);
	sn_mplane_reader_destroy(reader);
	sn_input_destroy(input);
	return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_str text = {(const char *)data, size};
	struct taken one = take(text, 1), many = take(text, 1000);
	const char *feed = size > 0 ? memchr(data, '\n', size) : NULL;

	assert(one.messages == many.messages && one.bad == many.bad);
	if (feed != NULL)
		text.n = (size_t)(feed - text.p);
	if (size > 0)
		sn_tstat_log_of_header(text);
	return 0;
}
