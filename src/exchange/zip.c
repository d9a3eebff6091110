/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/zip.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"

#define LOCAL_MARK      0x04034b50
#define DESCRIPTOR_MARK 0x08074b50
#define CENTRAL_MARK    0x02014b50
#define END_MARK        0x06054b50
#define VERSION         20     /* 2.0: deflate */
#define FLAGS           0x0008 /* sizes follow the data */
#define DEFLATE         8
#define DATE            0x0021 /* 1980-01-01: the same rows give the same bytes */
#define SPACE           16384
#define SIZE_MAX_OF     UINT64_C(0xffffffff)

struct member {
	char *name;
	uint32_t crc, packed, size, offset;
};

struct sn_zip {
	struct sn_buf *out;
	uint64_t offset; /* of what comes next */
	struct member *members;
	size_t count;
	bool open;
	z_stream deflate;
	uint64_t packed, size; /* of the open member */
};

/* Little-endian numbers. */
static void put(struct sn_zip *zip, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		sn_buf_addc(zip->out, (char)(value >> 8 * i));
	zip->offset += bytes;
}

static void put_text(struct sn_zip *zip, const char *text)
{
	sn_buf_adds(zip->out, text);
	zip->offset += strlen(text);
}

struct sn_zip *sn_zip_create(struct sn_buf *out)
{
	struct sn_zip *zip = sn_new(struct sn_zip);

	zip->out = out;
	return zip;
}

void sn_zip_destroy(struct sn_zip *zip)
{
	if (zip == NULL)
		return;
	if (zip->open)
		deflateEnd(&zip->deflate);
	for (size_t i = 0; i < zip->count; i++)
		free(zip->members[i].name);
	free(zip->members);
	free(zip);
}

int sn_zip_begin(struct sn_zip *zip, const char *name)
{
	struct member *member;

	assert(!zip->open && strlen(name) <= SN_ZIP_NAME_MAX);
	if (zip->count == SN_ZIP_MEMBERS_MAX || zip->offset > SIZE_MAX_OF)
		return -E2BIG;
	zip->deflate = (z_stream){0};
	if (deflateInit2(&zip->deflate, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	zip->members = sn_xrealloc(zip->members, zip->count + 1, sizeof(*zip->members));
	member = &zip->members[zip->count++];
	*member = (struct member){.name = sn_xstrdup(name),
				  .crc = (uint32_t)crc32(0, NULL, 0),
				  .offset = (uint32_t)zip->offset};
	zip->open = true;
	zip->packed = zip->size = 0;
	put(zip, LOCAL_MARK, 4);
	put(zip, VERSION, 2);
	put(zip, FLAGS, 2);
	put(zip, DEFLATE, 2);
	put(zip, 0, 2); /* time */
	put(zip, DATE, 2);
	put(zip, 0, 4); /* checksum and sizes follow */
	put(zip, 0, 4);
	put(zip, 0, 4);
	put(zip, (uint32_t)strlen(name), 2);
	put(zip, 0, 2);
	put_text(zip, name);
	return 0;
}

static int squeeze(struct sn_zip *zip, struct sn_str data, int flush)
{
	int rc;

	zip->deflate.next_in = (Bytef *)(uintptr_t)data.p;
	zip->deflate.avail_in = (uInt)data.n;
	do {
		sn_buf_reserve(zip->out, SPACE);
		zip->deflate.next_out = (Bytef *)zip->out->p + zip->out->n;
		zip->deflate.avail_out = SPACE;
		rc = deflate(&zip->deflate, flush);
		assert(rc != Z_STREAM_ERROR);
		zip->out->n += SPACE - zip->deflate.avail_out;
		zip->packed += SPACE - zip->deflate.avail_out;
		zip->offset += SPACE - zip->deflate.avail_out;
	} while (flush == Z_FINISH ? rc != Z_STREAM_END : zip->deflate.avail_in > 0);
	return zip->size > SIZE_MAX_OF || zip->packed > SIZE_MAX_OF ? -EFBIG : 0;
}

int sn_zip_write(struct sn_zip *zip, struct sn_str data)
{
	struct member *member = &zip->members[zip->count - 1];

	assert(zip->open && data.n <= UINT32_MAX);
	if (data.n == 0)
		return 0;
	member->crc = (uint32_t)crc32(member->crc, (const Bytef *)data.p, (uInt)data.n);
	zip->size += data.n;
	return squeeze(zip, data, Z_NO_FLUSH);
}

int sn_zip_end(struct sn_zip *zip)
{
	struct member *member = &zip->members[zip->count - 1];
	int rc;

	assert(zip->open);
	rc = squeeze(zip, SN_STR(""), Z_FINISH);
	deflateEnd(&zip->deflate);
	zip->open = false;
	member->packed = (uint32_t)zip->packed;
	member->size = (uint32_t)zip->size;
	put(zip, DESCRIPTOR_MARK, 4);
	put(zip, member->crc, 4);
	put(zip, member->packed, 4);
	put(zip, member->size, 4);
	return rc;
}

static void put_entry(struct sn_zip *zip, const struct member *member)
{
	put(zip, CENTRAL_MARK, 4);
	put(zip, VERSION, 2);
	put(zip, VERSION, 2);
	put(zip, FLAGS, 2);
	put(zip, DEFLATE, 2);
	put(zip, 0, 2);
	put(zip, DATE, 2);
	put(zip, member->crc, 4);
	put(zip, member->packed, 4);
	put(zip, member->size, 4);
	put(zip, (uint32_t)strlen(member->name), 2);
	put(zip, 0, 2); /* extra field, comment, disk */
	put(zip, 0, 2);
	put(zip, 0, 2);
	put(zip, 0, 2); /* attributes */
	put(zip, 0, 4);
	put(zip, member->offset, 4);
	put_text(zip, member->name);
}

int sn_zip_finish(struct sn_zip *zip)
{
	uint64_t begin = zip->offset, size;

	assert(!zip->open);
	for (size_t i = 0; i < zip->count; i++)
		put_entry(zip, &zip->members[i]);
	size = zip->offset - begin;
	put(zip, END_MARK, 4);
	put(zip, 0, 2); /* disks */
	put(zip, 0, 2);
	put(zip, (uint32_t)zip->count, 2);
	put(zip, (uint32_t)zip->count, 2);
	put(zip, (uint32_t)size, 4);
	put(zip, (uint32_t)begin, 4);
	put(zip, 0, 2);
	return zip->offset > SIZE_MAX_OF ? -EFBIG : 0;
}
