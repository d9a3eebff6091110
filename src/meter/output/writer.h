/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer: rows of flows to a descriptor, as JSON Lines or CSV.
 *
 * Rows gather in a buffer and go out when it is large or when it is flushed.  The
 * first error is kept and given back by every later call.
 */
#ifndef SONDE_METER_OUTPUT_WRITER_H
#define SONDE_METER_OUTPUT_WRITER_H

#include "base/err.h"
#include "meter/flow/flow.h"

enum sn_flow_format { SN_FLOW_JSON, SN_FLOW_CSV };

struct sn_flow_writer;

/* `fd` is borrowed; `name` is for messages. CSV begins with its header line. */
struct sn_flow_writer *sn_flow_writer_create(int fd, const char *name, enum sn_flow_format format);
/* What was not flushed is lost.  NULL is fine. */
void sn_flow_writer_destroy(struct sn_flow_writer *writer);
int sn_flow_writer_add(struct sn_flow_writer *writer, const struct sn_flow *flow,
		       enum sn_flow_end end, const char *source);
int sn_flow_writer_flush(struct sn_flow_writer *writer, struct sn_err *err);

#endif
