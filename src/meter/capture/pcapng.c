/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcapng (draft-ietf-opsawg-pcapng): sections of blocks.  A section has its own byte order and
 * numbers its interfaces from 0; each interface has its own link type and clock.  Blocks that are
 * of no use here are skipped, whatever they are.
 *
 * A Simple Packet Block has no time: it gets that of the packet before it.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "meter/capture/file_internal.h"

#define BLOCK_MAX        (16 * 1024 * 1024) /* longer ones are taken for damage, as libpcap does */
#define INTERFACES_MAX   4096               /* of one section */
#define LOSSES_MAX       64                 /* names kept; the last stands for all beyond */
#define BYTE_ORDER_MAGIC 0x1a2b3c4dU
#define MAJOR            1
#define BLOCK_HEADER     8
#define BLOCK_OVERHEAD   12 /* header and the length once more */
#define ENHANCED_HEADER  28
#define SIMPLE_HEADER    12
#define SECTION_HEADER   24
#define STATISTICS_TIME  8
#define RESOLUTION_BASE2 0x80
#define AT_END           2

enum {
	BLOCK_SECTION = 0x0a0d0d0a, /* the same in both byte orders */
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete */
	BLOCK_SIMPLE = 3,
	BLOCK_STATISTICS = 5,
	BLOCK_ENHANCED = 6,
};

enum {
	OPTION_END = 0,
	OPTION_IF_NAME = 2,
	OPTION_IF_TSRESOL = 9,
	OPTION_IF_TSOFFSET = 14,
	OPTION_ISB_IFDROP = 5,
	OPTION_ISB_OSDROP = 7,
};

struct interface {
	uint16_t link;
	uint32_t snaplen;
	uint32_t nanoseconds;    /* of one unit, if a unit is that many */
	uint64_t units;          /* of a second; 0: too many to count */
	int64_t offset_s;        /* what to add */
	uint64_t ifdrop, osdrop; /* as far as they have been added up */
	uint16_t losses;         /* index */
};

struct sn_pcapng {
	struct interface *interfaces; /* of this section */
	uint32_t count;
	int64_t last_ns;
	struct sn_capture_losses losses[LOSSES_MAX];
	size_t losses_count;
};

struct block {
	const uint8_t *p; /* from the type on; only what was asked for is there */
	uint32_t type, length;
};

/* The loads of the hot loop: the bytes are there, the byte order is known. */
static inline uint32_t load_u32(const uint8_t *p, bool big_endian)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return big_endian ? be32toh(value) : le32toh(value);
}

static uint16_t read_u16(const struct sn_capture_file *file, struct sn_rd *rd)
{
	return file->big_endian ? sn_rd_u16be(rd) : sn_rd_u16le(rd);
}

static uint32_t read_u32(const struct sn_capture_file *file, struct sn_rd *rd)
{
	return file->big_endian ? sn_rd_u32be(rd) : sn_rd_u32le(rd);
}

static uint64_t read_u64(const struct sn_capture_file *file, struct sn_rd *rd)
{
	return file->big_endian ? sn_rd_u64be(rd) : sn_rd_u64le(rd);
}

static int damage(const struct sn_capture_file *file, const char *reason, struct sn_err *err)
{
	return sn_capture_damage(file, file->reader.offset, -EBADMSG, reason, err);
}

static int truncated(const struct sn_capture_file *file, size_t want, struct sn_err *err)
{
	const struct sn_reader *reader = &file->reader;
	char reason[96];

	if (reader->error != 0)
		return sn_capture_damage(file, reader->offset, reader->error,
					 sn_reader_reason(reader), err);
	snprintf(reason, sizeof(reason), "the file is truncated, %zu bytes are missing",
		 want - (reader->end - reader->start));
	return sn_capture_damage(file, reader->offset, -ENODATA, reason, err);
}

/* Options ------------------------------------------------------------------- */

/* The next option; false at the end of them. */
static bool next_option(const struct sn_capture_file *file, struct sn_rd *rd, uint16_t *code,
			struct sn_rd *value)
{
	uint16_t length;

	if (sn_rd_left(rd) < 4)
		return false;
	*code = read_u16(file, rd);
	length = read_u16(file, rd);
	if (*code == OPTION_END)
		return false;
	sn_rd_init(value, rd->p, SN_MIN((size_t)length, sn_rd_left(rd)));
	sn_rd_skip(rd, (length + 3U) & ~3U);
	return sn_rd_ok(rd);
}

static uint64_t power(uint64_t base, unsigned exponent, uint64_t max)
{
	uint64_t value = 1;

	for (unsigned i = 0; i < exponent; i++) {
		if (value > max / base)
			return 0;
		value *= base;
	}
	return value;
}

static void set_resolution(struct interface *interface, uint8_t resolution)
{
	unsigned exponent = resolution & ~RESOLUTION_BASE2;
	uint64_t second_ns = SN_NS_PER_S;

	interface->units =
		power((resolution & RESOLUTION_BASE2) != 0 ? 2 : 10, exponent, UINT64_MAX);
	interface->nanoseconds = interface->units != 0 && second_ns % interface->units == 0
					 ? (uint32_t)(second_ns / interface->units)
					 : 0;
}

/* The place where the losses of an interface are added up, also of the same one in other sections.
 */
static uint16_t find_losses(struct sn_pcapng *ng, const char *name)
{
	size_t i = 0;

	while (i < ng->losses_count && strcmp(ng->losses[i].interface, name) != 0)
		i++;
	if (i == ng->losses_count && i < LOSSES_MAX)
		snprintf(ng->losses[ng->losses_count++].interface, SN_LOSSES_NAME_MAX, "%s", name);
	return (uint16_t)SN_MIN(i, (size_t)LOSSES_MAX - 1);
}

static void copy_name(char name[SN_LOSSES_NAME_MAX], const struct sn_rd *value)
{
	size_t size = SN_MIN(sn_rd_left(value), (size_t)SN_LOSSES_NAME_MAX - 1);

	memcpy(name, value->p, size);
	name[size] = '\0';
}

/* Blocks -------------------------------------------------------------------- */

static int add_interface(struct sn_capture_file *file, const struct block *block,
			 struct sn_err *err)
{
	struct sn_pcapng *ng = file->pcapng;
	struct interface interface = {0};
	char name[SN_LOSSES_NAME_MAX];
	struct sn_rd rd, value;
	uint16_t code;

	if (ng->count == INTERFACES_MAX)
		return damage(file, "its section has too many interfaces", err);
	snprintf(name, sizeof(name), "interface %" PRIu32, ng->count);
	set_resolution(&interface, 6);
	sn_rd_init(&rd, block->p + BLOCK_HEADER, block->length - BLOCK_OVERHEAD);
	interface.link = (uint16_t)sn_capture_link(read_u16(file, &rd));
	sn_rd_skip(&rd, 2);
	interface.snaplen = read_u32(file, &rd);
	if (!sn_rd_ok(&rd))
		return damage(file, "the block of its interface is too short", err);
	while (next_option(file, &rd, &code, &value)) {
		if (code == OPTION_IF_NAME)
			copy_name(name, &value);
		else if (code == OPTION_IF_TSRESOL && sn_rd_left(&value) >= 1)
			set_resolution(&interface, sn_rd_u8(&value));
		else if (code == OPTION_IF_TSOFFSET && sn_rd_left(&value) >= 8)
			interface.offset_s = (int64_t)read_u64(file, &value);
	}
	if (interface.units == 0)
		return damage(file, "the clock of its interface is too fine", err);
	interface.losses = find_losses(ng, name);
	ng->interfaces = sn_xrealloc(ng->interfaces, ng->count + 1, sizeof(*ng->interfaces));
	ng->interfaces[ng->count++] = interface;
	return 0;
}

/* Statistics count from the start of the capture: only what is new is added. */
static void add_statistics(struct sn_capture_file *file, const struct block *block)
{
	struct sn_pcapng *ng = file->pcapng;
	struct sn_rd rd, value;
	uint16_t code;

	sn_rd_init(&rd, block->p + BLOCK_HEADER, block->length - BLOCK_OVERHEAD);

	uint32_t id = read_u32(file, &rd);

	sn_rd_skip(&rd, STATISTICS_TIME);
	if (!sn_rd_ok(&rd) || id >= ng->count)
		return;

	struct interface *interface = &ng->interfaces[id];
	struct sn_capture_losses *losses = &ng->losses[interface->losses];

	while (next_option(file, &rd, &code, &value)) {
		uint64_t count = sn_rd_left(&value) >= 8 ? read_u64(file, &value) : 0;

		if (code == OPTION_ISB_IFDROP && count > interface->ifdrop) {
			losses->interface_drops += count - interface->ifdrop;
			interface->ifdrop = count;
		} else if (code == OPTION_ISB_OSDROP && count > interface->osdrop) {
			losses->kernel_drops += count - interface->osdrop;
			interface->osdrop = count;
		}
	}
}

/* Peeked up to the byte order and the version; the rest of the header is of no use. */
static int start_section(struct sn_capture_file *file, const uint8_t *p, struct sn_err *err)
{
	struct sn_rd rd;

	if (load_u32(p + BLOCK_HEADER, true) == BYTE_ORDER_MAGIC)
		file->big_endian = true;
	else if (load_u32(p + BLOCK_HEADER, false) == BYTE_ORDER_MAGIC)
		file->big_endian = false;
	else
		return damage(file, "the section in front of it has no byte order", err);
	sn_rd_init(&rd, p + BLOCK_HEADER + 4, 4);
	if (read_u16(file, &rd) != MAJOR)
		return damage(file, "the section in front of it has an unknown version", err);
	file->pcapng->count = 0;
	return 0;
}

/* Time ---------------------------------------------------------------------- */

/* False when it does not fit. */
static bool to_ns(const struct interface *interface, uint64_t units, int64_t *time_ns)
{
	const int64_t max_ns = SN_CAPTURE_SECONDS_MAX * SN_NS_PER_S;

	if (interface->nanoseconds != 0 && interface->offset_s == 0) {
		*time_ns = (int64_t)(units * interface->nanoseconds);
		return units <= (uint64_t)max_ns / interface->nanoseconds;
	}

	uint64_t seconds = units / interface->units, rest = units % interface->units;
	int64_t offset_s = interface->offset_s, sum_s;

	if (__builtin_add_overflow(offset_s, (int64_t)(seconds & INT64_MAX), &sum_s) ||
	    seconds > INT64_MAX || sum_s < 0 || sum_s > SN_CAPTURE_SECONDS_MAX)
		return false;
	*time_ns = sum_s * SN_NS_PER_S +
		   (int64_t)((unsigned __int128)rest * SN_NS_PER_S / interface->units);
	return true;
}

/* Packets ------------------------------------------------------------------- */

struct frame {
	const struct interface *interface;
	uint64_t units;
	bool timeless;
	uint32_t captured, length;
	const uint8_t *data;
};

static const struct interface *find_interface(const struct sn_capture_file *file, uint32_t id)
{
	return id < file->pcapng->count ? &file->pcapng->interfaces[id] : NULL;
}

/* Enhanced and obsolete packet blocks differ in the size of the interface's number only. */
static struct frame read_enhanced(const struct sn_capture_file *file, const struct block *block)
{
	bool big = file->big_endian;
	uint32_t id = load_u32(block->p + 8, big);

	if (block->type == BLOCK_PACKET)
		id = big ? id >> 16 : id & UINT16_MAX;
	return (struct frame){
		.interface = find_interface(file, id),
		.units =
			(uint64_t)load_u32(block->p + 12, big) << 32 | load_u32(block->p + 16, big),
		.captured = load_u32(block->p + 20, big),
		.length = load_u32(block->p + 24, big),
		.data = block->p + ENHANCED_HEADER,
	};
}

static struct frame read_simple(const struct sn_capture_file *file, const struct block *block)
{
	const struct interface *interface = find_interface(file, 0);
	uint32_t length = load_u32(block->p + 8, file->big_endian);
	uint32_t room = block->length - SIMPLE_HEADER - 4;
	uint32_t snaplen = interface != NULL && interface->snaplen != 0 ? interface->snaplen : room;

	return (struct frame){
		.interface = interface,
		.timeless = true,
		.captured = SN_MIN(length, SN_MIN(room, snaplen)),
		.length = length,
		.data = block->p + SIMPLE_HEADER,
	};
}

/* NULL, or why this is no packet. */
static const char *make_packet(struct sn_capture_file *file, const struct block *block,
			       struct sn_packet *packet)
{
	uint32_t header = block->type == BLOCK_SIMPLE ? SIMPLE_HEADER : ENHANCED_HEADER;

	if (block->length < header + 4)
		return "its block is too short";

	struct frame frame =
		block->type == BLOCK_SIMPLE ? read_simple(file, block) : read_enhanced(file, block);

	if (frame.interface == NULL)
		return "its interface is not described";
	if (frame.captured > SN_CAPTURE_PACKET_MAX)
		return "it is too long";
	if (frame.captured > block->length - header - 4)
		return "it is longer than its block";
	packet->time_ns = file->pcapng->last_ns;
	if (!frame.timeless && !to_ns(frame.interface, frame.units, &packet->time_ns))
		return "its time is out of range";
	file->pcapng->last_ns = packet->time_ns;
	packet->data = frame.data;
	packet->captured = frame.captured;
	packet->length = SN_MAX(frame.length, frame.captured);
	packet->link = frame.interface->link;
	packet->source = 0;
	packet->window = file->reader.slot;
	file->pcapng->losses[frame.interface->losses].packets++;
	return NULL;
}

static bool holds_packet(uint32_t type)
{
	return type == BLOCK_ENHANCED || type == BLOCK_SIMPLE || type == BLOCK_PACKET;
}

/* The length at the end is there to read files backwards; here it tells damage early. */
static bool closes(const struct sn_capture_file *file, const struct block *block)
{
	return load_u32(block->p + block->length - 4, file->big_endian) == block->length;
}

/* Type and length of the next block; 1, 0 at the end of the file, or an error. */
static int peek_header(struct sn_capture_file *file, struct block *block, struct sn_err *err)
{
	const uint8_t *p = sn_reader_peek(&file->reader, BLOCK_HEADER);
	int result;

	if (p == NULL)
		return file->reader.end == file->reader.start && file->reader.error == 0
			       ? 0
			       : truncated(file, BLOCK_HEADER, err);
	block->type = load_u32(p, file->big_endian);
	if (block->type == BLOCK_SECTION) {
		p = sn_reader_peek(&file->reader, SECTION_HEADER);
		if (p == NULL)
			return truncated(file, SECTION_HEADER, err);
		result = start_section(file, p, err);
		if (result < 0)
			return result;
	}
	block->length = load_u32(p + 4, file->big_endian);
	if (block->length < BLOCK_OVERHEAD || block->length % 4 != 0 || block->length > BLOCK_MAX)
		return damage(file, "the length of its block makes no sense", err);
	return 1;
}

/* Blocks that nobody looks into may be longer than the window. */
static int skip_block(struct sn_capture_file *file, const struct block *block, struct sn_err *err)
{
	struct sn_reader *reader = &file->reader;
	uint32_t left = block->length;

	while (left > 0) {
		size_t piece = SN_MIN((size_t)left, reader->capacity);

		if (sn_reader_peek(reader, piece) == NULL)
			return truncated(file, piece, err);
		sn_reader_take(reader, piece);
		left -= (uint32_t)piece;
	}
	return 0;
}

static int use_block(struct sn_capture_file *file, const struct block *block,
		     struct sn_packet *packet, struct sn_err *err)
{
	const char *reason;
	int result = 0;

	if (holds_packet(block->type)) {
		reason = make_packet(file, block, packet);
		result = reason == NULL ? 1 : damage(file, reason, err);
	} else if (block->type == BLOCK_INTERFACE) {
		result = add_interface(file, block, err);
	} else {
		add_statistics(file, block);
	}
	if (result >= 0)
		sn_reader_take(&file->reader, block->length);
	return result;
}

/* One block: 1 if it held a packet, 0 if not, AT_END, or an error. */
static int read_block(struct sn_capture_file *file, struct sn_packet *packet, struct sn_err *err)
{
	struct block block;
	int result = peek_header(file, &block, err);

	if (result <= 0)
		return result == 0 ? AT_END : result;
	if (!holds_packet(block.type) && block.type != BLOCK_INTERFACE &&
	    block.type != BLOCK_STATISTICS)
		return skip_block(file, &block, err);
	if (block.length > file->reader.capacity)
		return damage(file, "its block is too long", err);
	block.p = sn_reader_peek(&file->reader, block.length);
	if (block.p == NULL)
		return truncated(file, block.length, err);
	if (!closes(file, &block))
		return damage(file, "its block has two lengths", err);
	return use_block(file, &block, packet, err);
}

/* Only what is in the window and in order; the rest is left to the next read_block(). */
static bool read_another(struct sn_capture_file *file, struct sn_packet *packet)
{
	struct sn_reader *reader = &file->reader;
	size_t left = reader->end - reader->start;
	struct block block = {.p = reader->buffer + reader->start};

	if (left < BLOCK_OVERHEAD)
		return false;
	block.type = load_u32(block.p, file->big_endian);
	block.length = load_u32(block.p + 4, file->big_endian);
	if (!holds_packet(block.type) || block.length < BLOCK_OVERHEAD || block.length > left ||
	    block.length % 4 != 0 || !closes(file, &block) ||
	    make_packet(file, &block, packet) != NULL)
		return false;
	sn_reader_take(reader, block.length);
	return true;
}

static int read_packets(struct sn_capture_file *file, struct sn_packet *packets, int max,
			struct sn_err *err)
{
	int count;

	do
		count = read_block(file, packets, err);
	while (count == 0);
	if (count != 1)
		return count == AT_END ? 0 : count;
	while (count < max && read_another(file, &packets[count]))
		count++;
	return count;
}

/* Up to the first interface, which tells what kind of packets come. */
static int read_start(struct sn_capture_file *file, struct sn_err *err)
{
	struct sn_packet none;

	while (file->pcapng->count == 0) {
		int result = read_block(file, &none, err);

		if (result == AT_END)
			return sn_err_set(err, -EBADMSG,
					  "cannot read '%s': no interface is described in it",
					  file->name);
		if (result < 0)
			return result;
	}
	file->link = file->pcapng->interfaces[0].link;
	file->snaplen = file->pcapng->interfaces[0].snaplen;
	return 0;
}

int sn_pcapng_open(struct sn_capture_file *file, struct sn_err *err)
{
	const uint8_t *p = sn_reader_peek(&file->reader, sizeof(uint32_t));
	int result;

	if (p == NULL || load_u32(p, false) != BLOCK_SECTION)
		return 0;
	file->pcapng = sn_new(struct sn_pcapng);
	file->read = read_packets;
	result = read_start(file, err);
	return result < 0 ? result : 1;
}

void sn_pcapng_close(struct sn_capture_file *file)
{
	if (file->pcapng == NULL)
		return;
	free(file->pcapng->interfaces);
	free(file->pcapng);
}

size_t sn_pcapng_losses(const struct sn_capture_file *file, struct sn_capture_losses *list,
			size_t max)
{
	const struct sn_pcapng *ng = file->pcapng;

	memcpy(list, ng->losses, SN_MIN(max, ng->losses_count) * sizeof(*list));
	return ng->losses_count;
}
