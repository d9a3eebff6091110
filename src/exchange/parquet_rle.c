/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/parquet_rle.h"

#include "exchange/thrift.h"

#define GROUP 8 /* values that are packed together */

unsigned sn_parquet_width(uint32_t max)
{
	return max > 1 ? 32 - (unsigned)__builtin_clz(max) : 1;
}

void sn_parquet_pack(struct sn_buf *out, const uint32_t *value, size_t count, unsigned width)
{
	uint64_t bits = 0;
	unsigned held = 0;
	uint8_t *to;

	sn_buf_reserve(out, count * width / 8 + 1);
	to = (uint8_t *)out->p + out->n;
	for (size_t i = 0; i < count; i++) {
		bits |= (uint64_t)value[i] << held;
		for (held += width; held >= 8; held -= 8, bits >>= 8)
			*to++ = (uint8_t)bits;
	}
	if (held > 0)
		*to++ = (uint8_t)bits;
	out->n = (size_t)((char *)to - out->p);
}

static void add_run(struct sn_buf *out, uint32_t value, size_t count, unsigned width)
{
	sn_thrift_varint(out, (uint64_t)count << 1);
	for (unsigned done = 0; done < width; done += 8)
		sn_buf_addc(out, (char)(value >> done));
}

/* Only the last ones of all may end within a group. */
static void add_packed(struct sn_buf *out, const uint32_t *value, size_t count, unsigned width)
{
	size_t groups = (count + GROUP - 1) / GROUP, end;

	if (count == 0)
		return;
	sn_thrift_varint(out, (uint64_t)groups << 1 | 1);
	end = out->n + groups * width;
	sn_parquet_pack(out, value, count, width);
	while (out->n < end)
		sn_buf_addc(out, 0);
}

static size_t run_length(const uint32_t *value, size_t count)
{
	size_t n = 1;

	while (n < count && value[n] == value[0])
		n++;
	return n;
}

void sn_parquet_rle(struct sn_buf *out, const uint32_t *value, size_t count, unsigned width)
{
	size_t packed = 0; /* where those begin that are not written yet */

	for (size_t i = 0; i < count;) {
		size_t run = run_length(&value[i], count - i);
		size_t fill = (GROUP - (i - packed) % GROUP) % GROUP;

		if (run < fill + GROUP) {
			i += run;
			continue;
		}
		add_packed(out, &value[packed], i + fill - packed, width);
		add_run(out, value[i], run - fill, width);
		i += run;
		packed = i;
	}
	add_packed(out, &value[packed], count - packed, width);
}
