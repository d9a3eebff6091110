/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture files of older formats, through libpcap.  It reads from an unbuffered
 * stream on top of our reader, so that the offset in an error is exact also on a
 * pipe.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "meter/capture/file_internal.h"

static ssize_t cookie_read(void *cookie, char *out, size_t size)
{
	struct sn_reader *reader = cookie;
	size_t left;

	left = sn_reader_fill(reader, 1);
	if (left == 0 && reader->error != 0) {
		errno = -reader->error;
		return -1;
	}
	left = SN_MIN(left, size);
	memcpy(out, reader->buffer + reader->start, left);
	sn_reader_take(reader, left);
	return (ssize_t)left;
}

/* One at a time: libpcap uses its buffer again for the next. */
static int read_one(struct sn_capture_file *file, struct sn_packet *packet, int max SN_UNUSED,
		    struct sn_err *err)
{
	uint64_t offset = file->reader.offset;
	struct pcap_pkthdr *header;
	const u_char *data;
	int result = pcap_next_ex(file->pcap, &header, &data);

	if (result == PCAP_ERROR_BREAK)
		return 0;
	if (result != 1 && file->reader.error != 0)
		return sn_capture_damage(file, offset, file->reader.error,
					 sn_reader_reason(&file->reader), err);
	if (result != 1)
		return sn_capture_damage(file, offset, -EBADMSG, pcap_geterr(file->pcap), err);
	if (header->ts.tv_sec < 0 || header->ts.tv_sec > SN_CAPTURE_SECONDS_MAX)
		return sn_capture_damage(file, offset, -EBADMSG, "its time is out of range", err);
	if (header->caplen > SN_CAPTURE_PACKET_MAX)
		return sn_capture_damage(file, offset, -EBADMSG, "it is too long", err);

	*packet = (struct sn_packet){
		/* With nanosecond precision asked for, tv_usec holds nanoseconds. */
		.time_ns = header->ts.tv_sec * SN_NS_PER_S + header->ts.tv_usec,
		.data = data,
		.captured = header->caplen,
		.length = SN_MAX(header->len, header->caplen),
		.link = (uint16_t)file->link,
	};
	return 1;
}

int sn_savefile_open(struct sn_capture_file *file, struct sn_err *err)
{
	char reason[PCAP_ERRBUF_SIZE] = "out of memory";
	FILE *stream =
		fopencookie(&file->reader, "r", (cookie_io_functions_t){.read = cookie_read});

	if (stream == NULL)
		return sn_err_sys(err, -errno, "cannot read '%s'", file->name);
	setvbuf(stream, NULL, _IONBF, 0);
	file->pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO,
							      reason);
	if (file->pcap == NULL) {
		fclose(stream);
		if (file->reader.error != 0)
			return sn_capture_unreadable(file, err);
		return sn_err_set(err, -EBADMSG, "cannot read '%s': not a capture file: %s",
				  file->name, reason);
	}
	file->link = pcap_datalink(file->pcap);
	file->snaplen = (uint32_t)pcap_snapshot(file->pcap);
	file->read = read_one;
	return 1;
}

void sn_savefile_close(struct sn_capture_file *file)
{
	if (file->pcap != NULL)
		pcap_close(file->pcap);
}
