/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mplane_file: a file of mPlane messages in JSON: one, an array of them, or one after the
 * other, in envelopes or without.
 *
 * What is in a message is not looked at here: whoever imports turns it into rows.
 */
#ifndef SONDE_EXCHANGE_MPLANE_FILE_H
#define SONDE_EXCHANGE_MPLANE_FILE_H

#include <jansson.h>

#include "exchange/input.h"
#include "exchange/intake.h"

#define SN_MPLANE_FILE_MAX (16 * 1024 * 1024) /* bytes of a value at the top, and of a line */

/* As in struct sn_import_options. */
typedef int sn_mplane_derive_fn(const json_t *message, const struct sn_intake *intake, size_t *rows,
				void *ctx, struct sn_err *why);

struct sn_mplane_reader;

/* `input` and `intake` are borrowed. */
struct sn_mplane_reader *sn_mplane_reader_create(struct sn_input *input,
						 const struct sn_intake *intake,
						 sn_mplane_derive_fn *derive, void *ctx);
void sn_mplane_reader_destroy(struct sn_mplane_reader *reader);
/* As the other readers', but for what one message has more. */
int sn_mplane_reader_read(struct sn_mplane_reader *reader, size_t rows_max, struct sn_err *err);
const struct sn_intake_counts *sn_mplane_reader_counts(const struct sn_mplane_reader *reader);

#endif
