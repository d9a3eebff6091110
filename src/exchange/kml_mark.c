/* SPDX-License-Identifier: Apache-2.0 */
/* The images of places: discs in the colours of MONROE's, as PNG (RFC 2083). */
#include <assert.h>
#include <zlib.h>

#include "base/util.h"
#include "exchange/kml.h"

#define SIDE   24 /* pixels */
#define RADIUS 10

static const struct {
	const char *name;
	uint8_t rgb[3];
} marks[] = {
	{"Mark_Unknown.png", {0, 0, 0}},       {"Mark_Disconnected.png", {0, 0, 255}},
	{"Mark_NoService.png", {139, 69, 19}}, {"Mark_2G.png", {255, 0, 0}},
	{"Mark_3G.png", {255, 221, 0}},        {"Mark_LTE.png", {0, 160, 0}},
};

const char *sn_kml_mark_name(unsigned i)
{
	return i < SN_COUNT(marks) ? marks[i].name : NULL;
}

static void add_u32(struct sn_buf *out, uint32_t value)
{
	value = htobe32(value);
	sn_buf_add(out, &value, sizeof(value));
}

static void add_chunk(struct sn_buf *out, const char *type, const void *data, size_t size)
{
	size_t start;

	add_u32(out, (uint32_t)size);
	start = out->n;
	sn_buf_adds(out, type);
	sn_buf_add(out, data, size);
	add_u32(out, (uint32_t)crc32(0, (const Bytef *)out->p + start, (uInt)(out->n - start)));
}

/* A disc with a white rim, transparent outside. */
static void paint(uint8_t pixel[4], unsigned mark, int x, int y)
{
	int dx = 2 * x - SIDE + 1, dy = 2 * y - SIDE + 1, square = dx * dx + dy * dy;
	bool inside = square <= 4 * RADIUS * RADIUS;
	bool rim = square > 4 * (RADIUS - 2) * (RADIUS - 2);

	for (int i = 0; i < 3; i++)
		pixel[i] = rim ? 255 : marks[mark].rgb[i];
	pixel[3] = inside ? 255 : 0;
}

void sn_kml_mark(unsigned i, struct sn_buf *out)
{
	/* Width, height, 8 bits a sample, red green blue alpha; the rest has one value each. */
	static const uint8_t header[13] = {0, 0, 0, SIDE, 0, 0, 0, SIDE, 8, 6};
	uint8_t image[SIDE][1 + 4 * SIDE] = {0}; /* each line begins with its filter: none */
	uint8_t packed[sizeof(image) + 64];
	uLongf size = sizeof(packed);
	int rc;

	assert(i < SN_COUNT(marks));
	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++)
			paint(&image[y][1 + 4 * x], i, x, y);
	rc = compress(packed, &size, &image[0][0], sizeof(image));
	assert(rc == Z_OK); /* the room is enough for what does not compress */
	sn_buf_add(out, "\x89PNG\r\n\x1a\n", 8);
	add_chunk(out, "IHDR", header, sizeof(header));
	add_chunk(out, "IDAT", packed, size);
	add_chunk(out, "IEND", NULL, 0);
}
