/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CAP_MIN        64
#define U64_DIGITS_MAX 20

void sn_buf_finish(struct sn_buf *buf)
{
	free(buf->p);
	*buf = (struct sn_buf){0};
}

void sn_buf_clear(struct sn_buf *buf)
{
	buf->n = 0;
}

void sn_buf_reserve(struct sn_buf *buf, size_t more)
{
	size_t need, cap;

	if (more <= buf->cap - buf->n)
		return;
	/* An impossible sum is left to the allocator, which ends the program. */
	if (__builtin_add_overflow(buf->n, more, &need))
		need = SIZE_MAX;
	cap = SN_MAX(buf->cap, (size_t)CAP_MIN);
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	buf->p = sn_xrealloc(buf->p, cap, 1);
	buf->cap = cap;
}

void sn_buf_add(struct sn_buf *buf, const void *data, size_t size)
{
	if (size == 0)
		return;
	sn_buf_reserve(buf, size);
	memcpy(buf->p + buf->n, data, size);
	buf->n += size;
}

void sn_buf_adds(struct sn_buf *buf, const char *text)
{
	sn_buf_add(buf, text, strlen(text));
}

void sn_buf_addc(struct sn_buf *buf, char byte)
{
	sn_buf_reserve(buf, 1);
	buf->p[buf->n++] = byte;
}

void sn_buf_addf(struct sn_buf *buf, const char *format, ...)
{
	va_list args, again;
	size_t room = buf->cap - buf->n;
	int length;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(room > 0 ? buf->p + buf->n : NULL, room, format, args);
	if (length > 0 && (size_t)length >= room) {
		sn_buf_reserve(buf, (size_t)length + 1);
		vsnprintf(buf->p + buf->n, (size_t)length + 1, format, again);
	}
	if (length > 0)
		buf->n += (size_t)length;
	va_end(again);
	va_end(args);
}

void sn_buf_add_u64(struct sn_buf *buf, uint64_t value)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char digits[U64_DIGITS_MAX];
	char *p = digits + sizeof(digits);

	while (value >= 100) {
		p -= 2;
		memcpy(p, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		p -= 2;
		memcpy(p, pairs + value * 2, 2);
	} else {
		*--p = (char)('0' + value);
	}
	sn_buf_add(buf, p, (size_t)(digits + sizeof(digits) - p));
}

void sn_buf_add_i64(struct sn_buf *buf, int64_t value)
{
	if (value < 0) {
		sn_buf_addc(buf, '-');
		sn_buf_add_u64(buf, -(uint64_t)value);
	} else {
		sn_buf_add_u64(buf, (uint64_t)value);
	}
}

void sn_buf_drop(struct sn_buf *buf, size_t count)
{
	if (count >= buf->n) {
		buf->n = 0;
		return;
	}
	memmove(buf->p, buf->p + count, buf->n - count);
	buf->n -= count;
}

const char *sn_buf_cstr(struct sn_buf *buf)
{
	sn_buf_reserve(buf, 1);
	buf->p[buf->n] = '\0';
	return buf->p;
}

struct sn_str sn_buf_str(const struct sn_buf *buf)
{
	return (struct sn_str){buf->p != NULL ? buf->p : "", buf->n};
}

void sn_rd_copy(struct sn_rd *rd, void *out, size_t size)
{
	const uint8_t *p = sn_rd_bytes(rd, size);

	if (size == 0)
		return;
	if (p != NULL)
		memcpy(out, p, size);
	else
		memset(out, 0, size);
}
