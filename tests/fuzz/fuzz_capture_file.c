/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a capture file, classic or through libpcap, read to the end or the first error. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "meter/capture/file.h"

#define BATCH 8

static volatile uint8_t sink; /* every byte handed out is looked at */

static void look_at(const struct sn_packet *packet)
{
	if (packet->captured > packet->length || packet->captured > SN_CAPTURE_PACKET_MAX)
		abort();
	for (uint32_t i = 0; i < packet->captured; i++)
		sink ^= packet->data[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct sn_packet packets[BATCH];
	struct sn_capture_file *file;
	struct sn_err err = {0};
	int count;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	if (sn_capture_file_open_fd(fd, "fuzz", &file, &err) != 0) {
		if (err.code >= 0 || strstr(err.text, "'fuzz'") == NULL)
			abort();
		return 0;
	}
	while ((count = sn_capture_file_read(file, packets, BATCH, &err)) > 0)
		for (int i = 0; i < count; i++)
			look_at(&packets[i]);
	if (count < 0 && strstr(err.text, "'fuzz'") == NULL)
		abort();
	if (sn_capture_file_offset(file) > size)
		abort();
	sn_capture_file_close(file);
	return 0;
}
