/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/codec.h"
#include "meter/output/row.h"

#define FLUSH_BYTES (64 * 1024)

struct sn_flow_writer {
	int fd, error;
	const char *name;
	enum sn_flow_format format;
	struct sn_batch *batch;
	struct sn_buf out;
};

struct sn_flow_writer *sn_flow_writer_create(int fd, const char *name, enum sn_flow_format format)
{
	struct sn_flow_writer *writer = sn_new(struct sn_flow_writer);

	writer->fd = fd;
	writer->name = name;
	writer->format = format;
	writer->batch = sn_batch_create(&sn_dataset_flow);
	if (format == SN_FLOW_CSV)
		sn_csv_write_header(&writer->out, &sn_dataset_flow);
	return writer;
}

void sn_flow_writer_destroy(struct sn_flow_writer *writer)
{
	if (writer == NULL)
		return;
	sn_batch_destroy(writer->batch);
	sn_buf_finish(&writer->out);
	free(writer);
}

static void drain(struct sn_flow_writer *writer)
{
	size_t done = 0;

	while (writer->error == 0 && done < writer->out.n) {
		ssize_t n = write(writer->fd, writer->out.p + done, writer->out.n - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			writer->error = -errno;
	}
	sn_buf_clear(&writer->out);
}

int sn_flow_writer_add(struct sn_flow_writer *writer, const struct sn_flow *flow,
		       enum sn_flow_end end, const char *source)
{
	const struct sn_value *row;

	sn_batch_clear(writer->batch);
	sn_flow_row(writer->batch, flow, end, source);
	row = sn_batch_row(writer->batch, 0);
	if (writer->format == SN_FLOW_CSV)
		sn_csv_write_row(&writer->out, &sn_dataset_flow, row);
	else
		sn_jsonl_write_row(&writer->out, &sn_dataset_flow, row);
	if (writer->out.n >= FLUSH_BYTES)
		drain(writer);
	return writer->error;
}

int sn_flow_writer_flush(struct sn_flow_writer *writer, struct sn_err *err)
{
	drain(writer);
	return writer->error == 0
		       ? 0
		       : sn_err_sys(err, writer->error, "cannot write flows to '%s'", writer->name);
}
