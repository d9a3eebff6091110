/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a capture file, of whatever format and compressed or not, read to the end or the
 * first error; twice, the second time into windows of a pool, with the same result.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "meter/capture/file.h"
#include "meter/capture/window.h"

#define BATCH       8
#define PACKETS_MAX 100000 /* a few compressed bytes may hold millions */

struct sum {
	uint64_t packets, bytes;
	int last;
};

static void look_at(struct sum *sum, const struct sn_packet *packet, bool shared)
{
	if (packet->captured > packet->length || packet->captured > SN_CAPTURE_PACKET_MAX)
		abort();
	if (!shared && packet->window != 0)
		abort();
	sum->packets++;
	for (uint32_t i = 0; i < packet->captured; i++) /* every byte handed out is looked at */
		sum->bytes = sum->bytes * 31 + packet->data[i];
	sum->bytes = sum->bytes * 31 + (uint64_t)packet->time_ns + packet->link;
}

static void never(void *ctx)
{
	(void)ctx;
}

static struct sum read_packets(struct sn_capture_file *file, bool shared, struct sn_err *err)
{
	struct sn_packet packets[BATCH];
	struct sum sum = {0};

	while (sum.packets < PACKETS_MAX &&
	       (sum.last = sn_capture_file_read(file, packets, BATCH, err)) > 0)
		for (int i = 0; i < sum.last; i++)
			look_at(&sum, &packets[i], shared);
	return sum;
}

static struct sum read_file(const uint8_t *data, size_t size, bool share)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct sn_windows *windows = share ? sn_windows_create(8, never, NULL) : NULL;
	struct sn_capture_losses losses[4];
	struct sn_capture_file *file;
	struct sn_err err = {0};
	struct sum sum;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	sum = (struct sum){.last = sn_capture_file_open_fd(fd, "fuzz", &file, &err)};
	if (sum.last != 0) {
		if (err.code >= 0 || strstr(err.text, "'fuzz'") == NULL)
			abort();
		sn_windows_destroy(windows);
		return sum;
	}
	if (share)
		share = sn_capture_file_share(file, windows);
	sum = read_packets(file, share, &err);
	if (sum.last < 0 && strstr(err.text, "'fuzz'") == NULL)
		abort();
	if (sn_capture_file_offset(file) > size)
		abort();
	sn_capture_file_losses(file, losses, 4);
	sn_capture_file_close(file);
	sn_windows_destroy(windows);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum alone = read_file(data, size, false), shared = read_file(data, size, true);

	if (alone.packets != shared.packets || alone.bytes != shared.bytes ||
	    alone.last != shared.last)
		abort();
	return 0;
}
