/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The classic capture file: a header of 24 bytes, then per packet a header of 16
 * bytes and the captured bytes (draft-ietf-opsawg-pcap).
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "meter/capture/file_internal.h"

#define FILE_HEADER   24
#define PACKET_HEADER 16
#define MAJOR         2
#define MINOR         4 /* older minors swap or shift fields; libpcap knows how */
#define MAGIC_US      0xa1b2c3d4U
#define MAGIC_NS      0xa1b23c4dU
#define LINK_MASK     0x03ffffffU /* the bits above tell about the frame check sequence */

struct packet_header {
	uint32_t seconds, fraction, captured, length;
};

static uint32_t read_u32(const struct sn_capture_file *file, struct sn_rd *rd)
{
	return file->big_endian ? sn_rd_u32be(rd) : sn_rd_u32le(rd);
}

static uint16_t read_u16(const struct sn_capture_file *file, struct sn_rd *rd)
{
	return file->big_endian ? sn_rd_u16be(rd) : sn_rd_u16le(rd);
}

static bool set_variant(struct sn_capture_file *file, uint32_t magic_be, uint32_t magic_le)
{
	file->big_endian = magic_be == MAGIC_US || magic_be == MAGIC_NS;

	uint32_t magic = file->big_endian ? magic_be : magic_le;

	if (magic != MAGIC_US && magic != MAGIC_NS)
		return false;
	file->fraction_ns = magic == MAGIC_NS ? 1 : 1000;
	file->fraction_max = 1000000000U / file->fraction_ns;
	return true;
}

/* The loads of the hot loop: the 16 bytes are there, the byte order is known. */
static inline uint32_t load_u32(const uint8_t *p, bool big_endian)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return big_endian ? be32toh(value) : le32toh(value);
}

static inline struct packet_header load_header(const uint8_t *p, bool big_endian)
{
	return (struct packet_header){
		.seconds = load_u32(p, big_endian),
		.fraction = load_u32(p + 4, big_endian),
		.captured = load_u32(p + 8, big_endian),
		.length = load_u32(p + 12, big_endian),
	};
}

static int truncated(struct sn_capture_file *file, uint64_t missing, struct sn_err *err)
{
	char reason[96];

	if (file->reader.error != 0)
		return sn_capture_damage(file, file->reader.offset, file->reader.error,
					 sn_reader_reason(&file->reader), err);
	snprintf(reason, sizeof(reason), "the file is truncated, %llu bytes are missing",
		 (unsigned long long)missing);
	return sn_capture_damage(file, file->reader.offset, -ENODATA, reason, err);
}

static int header_end(struct sn_capture_file *file, struct sn_err *err)
{
	size_t left = file->reader.end - file->reader.start;

	if (left == 0 && file->reader.error == 0)
		return 0;
	return truncated(file, PACKET_HEADER - left, err);
}

static int refuse_length(struct sn_capture_file *file, uint32_t captured, struct sn_err *err)
{
	char reason[96];

	snprintf(reason, sizeof(reason), "its length of %u bytes is above the limit of %d",
		 captured, SN_CAPTURE_PACKET_MAX);
	return sn_capture_damage(file, file->reader.offset, -EBADMSG, reason, err);
}

static int refuse_fraction(struct sn_capture_file *file, uint32_t fraction, struct sn_err *err)
{
	char reason[96];

	snprintf(reason, sizeof(reason), "its time has %u in the sub-second field, %u is too much",
		 fraction, file->fraction_max);
	return sn_capture_damage(file, file->reader.offset, -EBADMSG, reason, err);
}

/* Field by field, where it is to be: put together elsewhere and copied it costs twice as much. */
static void set_packet(struct sn_packet *packet, const struct sn_capture_file *file,
		       const struct packet_header *header, const uint8_t *data)
{
	packet->time_ns = (int64_t)header->seconds * SN_NS_PER_S +
			  (int64_t)header->fraction * file->fraction_ns;
	packet->data = data;
	packet->captured = header->captured;
	packet->length = SN_MAX(header->length, header->captured);
	packet->link = (uint16_t)file->link;
	packet->source = 0;
	packet->window = file->reader.slot;
}

/* Reads more of the file if need be, which moves what was read before. */
static int read_first(struct sn_capture_file *file, struct sn_packet *packet, struct sn_err *err)
{
	const uint8_t *p = sn_reader_peek(&file->reader, PACKET_HEADER);

	if (p == NULL)
		return header_end(file, err);

	struct packet_header header = load_header(p, file->big_endian);
	size_t whole = PACKET_HEADER + (size_t)header.captured;

	if (header.captured > SN_CAPTURE_PACKET_MAX)
		return refuse_length(file, header.captured, err);
	if (header.fraction >= file->fraction_max)
		return refuse_fraction(file, header.fraction, err);
	p = sn_reader_peek(&file->reader, whole);
	if (p == NULL)
		return truncated(file, whole - (file->reader.end - file->reader.start), err);
	set_packet(packet, file, &header, p + PACKET_HEADER);
	sn_reader_take(&file->reader, whole);
	return 1;
}

/* Only what is in the window and in order; the rest is left to the next read_first(). */
static bool read_another(struct sn_capture_file *file, struct sn_packet *packet)
{
	struct sn_reader *reader = &file->reader;
	size_t left = reader->end - reader->start;
	const uint8_t *p = reader->buffer + reader->start;

	if (left < PACKET_HEADER)
		return false;

	struct packet_header header = load_header(p, file->big_endian);
	size_t whole = PACKET_HEADER + (size_t)header.captured;

	if (left < whole || header.captured > SN_CAPTURE_PACKET_MAX ||
	    header.fraction >= file->fraction_max)
		return false;
	set_packet(packet, file, &header, p + PACKET_HEADER);
	sn_reader_take(reader, whole);
	return true;
}

static int read_packets(struct sn_capture_file *file, struct sn_packet *packets, int max,
			struct sn_err *err)
{
	int count = read_first(file, packets, err);

	while (count > 0 && count < max && read_another(file, &packets[count]))
		count++;
	return count;
}

static int short_header(struct sn_capture_file *file, struct sn_err *err)
{
	if (file->reader.error != 0)
		return sn_capture_unreadable(file, err);
	return sn_err_set(err, -EBADMSG, "cannot read '%s': the file header is truncated",
			  file->name);
}

int sn_classic_open(struct sn_capture_file *file, struct sn_err *err)
{
	const uint8_t *p = sn_reader_peek(&file->reader, sizeof(uint32_t));
	struct sn_rd be, le;

	if (p == NULL)
		return 0;
	sn_rd_init(&be, p, sizeof(uint32_t));
	sn_rd_init(&le, p, sizeof(uint32_t));
	if (!set_variant(file, sn_rd_u32be(&be), sn_rd_u32le(&le)))
		return 0;

	p = sn_reader_peek(&file->reader, FILE_HEADER);
	if (p == NULL)
		return short_header(file, err);

	struct sn_rd rd;

	sn_rd_init(&rd, p, FILE_HEADER);
	sn_rd_skip(&rd, 4);
	if (read_u16(file, &rd) != MAJOR || read_u16(file, &rd) != MINOR)
		return 0;
	sn_rd_skip(&rd, 8); /* zone and accuracy, always zero */
	file->snaplen = read_u32(file, &rd);
	file->link = sn_capture_link(read_u32(file, &rd) & LINK_MASK);
	sn_reader_take(&file->reader, FILE_HEADER);
	file->read = read_packets;
	return 1;
}
