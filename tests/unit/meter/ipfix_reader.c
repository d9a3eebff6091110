/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "ipfix_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

#define HEADER     16
#define SET_HEADER 4

enum { TEMPLATES = 2, OPTIONS_TEMPLATES = 3, FIRST_DATA = 256 };

void ipfix_reader_init(struct ipfix_reader *reader,
		       void (*take)(const struct ipfix_record *record, void *ctx), void *ctx)
{
	*reader = (struct ipfix_reader){.take = take, .ctx = ctx};
}

void ipfix_reader_finish(struct ipfix_reader *reader)
{
	for (size_t i = 0; i < reader->template_count; i++)
		free(reader->templates[i]);
}

static bool refuse(struct ipfix_reader *reader, const char *format, ...) SN_PRINTF(2, 3);
static bool refuse(struct ipfix_reader *reader, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reader->why, sizeof(reader->why), format, args);
	va_end(args);
	return false;
}

static struct ipfix_template *find(const struct ipfix_reader *reader, uint16_t id)
{
	for (size_t i = 0; i < reader->template_count; i++)
		if (reader->templates[i]->id == id)
			return reader->templates[i];
	return NULL;
}

/* Templates ------------------------------------------------------------------- */

/* IANA's elements: the lengths that their types allow, smaller encodings included. */
static const struct {
	uint16_t id, min, max;
} lengths[] = {
	{1, 1, 8},          {2, 1, 8},    {4, 1, 1},   {6, 1, 2},           {7, 2, 2},
	{8, 4, 4},          {11, 2, 2},   {12, 4, 4},  {16, 1, 4},          {17, 1, 4},
	{27, 16, 16},       {28, 16, 16}, {32, 2, 2},  {40, 1, 8},          {41, 1, 8},
	{42, 1, 8},         {52, 1, 1},   {53, 1, 1},  {61, 1, 1},          {82, 65535, 65535},
	{96, 65535, 65535}, {136, 1, 1},  {138, 1, 8}, {139, 2, 2},         {144, 1, 4},
	{145, 2, 2},        {149, 4, 4},  {152, 8, 8}, {153, 8, 8},         {164, 1, 8},
	{166, 1, 8},        {167, 1, 8},  {168, 1, 8}, {239, 1, 1},         {285, 2, 2},
	{286, 2, 2},        {303, 2, 2},  {339, 1, 1}, {340, 65535, 65535}, {341, 65535, 65535},
	{344, 1, 1},        {345, 2, 2},  {346, 4, 4}, {460, 65535, 65535},
};

static bool check_length(struct ipfix_reader *reader, const struct ipfix_field *field)
{
	if (field->length == 0)
		return refuse(reader, "element %u has no length", field->id);
	if (field->enterprise != 0 && field->enterprise != IPFIX_REVERSE)
		return true;
	for (size_t i = 0; i < SN_COUNT(lengths); i++) {
		if (lengths[i].id != field->id)
			continue;
		if (field->length >= lengths[i].min && field->length <= lengths[i].max)
			return true;
		return refuse(reader, "element %u has %u octets", field->id, field->length);
	}
	return refuse(reader, "element %u is not known to the test", field->id);
}

static bool read_fields(struct ipfix_reader *reader, struct sn_rd *rd,
			struct ipfix_template *template)
{
	for (unsigned i = 0; i < template->count; i++) {
		struct ipfix_field *field = &template->fields[i];
		uint16_t id = sn_rd_u16be(rd);

		field->id = id & 0x7fff;
		field->length = sn_rd_u16be(rd);
		field->enterprise = (id & 0x8000) != 0 ? sn_rd_u32be(rd) : 0;
		if (!sn_rd_ok(rd))
			return refuse(reader, "template %u is cut off", template->id);
		if ((id & 0x8000) != 0 && field->enterprise == 0)
			return refuse(reader, "element %u of enterprise 0", field->id);
		if (!check_length(reader, field))
			return false;
		for (unsigned j = 0; j < i; j++)
			if (memcmp(&template->fields[j].enterprise, &field->enterprise, 4) == 0 &&
			    template->fields[j].id == field->id)
				return refuse(reader, "template %u has element %u twice",
					      template->id, field->id);
	}
	return true;
}

static bool keep(struct ipfix_reader *reader, const struct ipfix_template *template)
{
	struct ipfix_template *known = find(reader, template->id);

	if (known != NULL)
		return memcmp(known, template, sizeof(*known)) == 0 ||
		       refuse(reader, "template %u has changed", template->id);
	if (reader->template_count == IPFIX_TEMPLATES_MAX)
		return refuse(reader, "too many templates");
	reader->templates[reader->template_count++] = sn_xmemdup(template, sizeof(*template));
	return true;
}

static bool read_template(struct ipfix_reader *reader, struct sn_rd *rd, bool options)
{
	struct ipfix_template *template = sn_new(struct ipfix_template);
	bool good;

	template->id = sn_rd_u16be(rd);
	template->count = sn_rd_u16be(rd);
	template->scopes = options ? sn_rd_u16be(rd) : 0;
	if (!sn_rd_ok(rd))
		good = refuse(reader, "a template is cut off");
	else if (template->id < FIRST_DATA)
		good = refuse(reader, "template %u has a number of sets", template->id);
	else if (template->count == 0 || template->count > IPFIX_FIELDS_MAX)
		good = refuse(reader, "template %u has %u fields", template->id, template->count);
	else if (options && (template->scopes == 0 || template->scopes > template->count))
		good = refuse(reader, "template %u has %u scopes", template->id, template->scopes);
	else
		good = read_fields(reader, rd, template) && keep(reader, template);
	free(template);
	return good;
}

/* Records --------------------------------------------------------------------- */

static bool read_value(struct sn_rd *rd, uint16_t length, struct sn_str *value)
{
	const uint8_t *p;
	size_t n = length;

	if (length == 65535) {
		n = sn_rd_u8(rd);
		if (n == 255)
			n = sn_rd_u16be(rd);
	}
	p = sn_rd_bytes(rd, n);
	*value = (struct sn_str){(const char *)p, n};
	return sn_rd_ok(rd);
}

static bool is_text(const struct ipfix_field *field)
{
	/* All elements of variable length here, IANA's and ours, are strings. */
	return field->length == 65535;
}

static bool read_record(struct ipfix_reader *reader, struct sn_rd *rd,
			const struct ipfix_template *template)
{
	struct ipfix_record record = {.template = template};

	for (unsigned i = 0; i < template->count; i++) {
		if (!read_value(rd, template->fields[i].length, &record.values[i]))
			return refuse(reader, "a record of template %u is cut off", template->id);
		if (is_text(&template->fields[i]) && !sn_utf8_valid(record.values[i]))
			return refuse(reader, "element %u is no UTF-8", template->fields[i].id);
	}
	if (template->scopes > 0)
		reader->options++;
	else
		reader->records++;
	reader->sequence++;
	if (reader->take != NULL)
		reader->take(&record, reader->ctx);
	return true;
}

/* Messages -------------------------------------------------------------------- */

static bool read_set(struct ipfix_reader *reader, uint16_t id, struct sn_rd *rd)
{
	const struct ipfix_template *template = find(reader, id);
	bool good = true;

	if (sn_rd_left(rd) == 0)
		return refuse(reader, "set %u is empty", id);
	if (id >= FIRST_DATA && template == NULL)
		return refuse(reader, "template %u was not told", id);
	while (good && sn_rd_left(rd) > 0) {
		if (id == TEMPLATES || id == OPTIONS_TEMPLATES)
			good = read_template(reader, rd, id == OPTIONS_TEMPLATES);
		else if (id >= FIRST_DATA)
			good = read_record(reader, rd, template);
		else
			good = refuse(reader, "set %u means nothing", id);
	}
	return good;
}

static bool read_header(struct ipfix_reader *reader, struct sn_rd *rd, size_t size)
{
	uint16_t version = sn_rd_u16be(rd), length = sn_rd_u16be(rd);
	uint32_t time_s = sn_rd_u32be(rd), sequence = sn_rd_u32be(rd), domain = sn_rd_u32be(rd);

	if (!sn_rd_ok(rd) || version != 10 || length != size)
		return refuse(reader, "header: version %u, length %u of %zu", version, length,
			      size);
	if (time_s < 1700000000)
		return refuse(reader, "header: exported at %u", time_s);
	if (reader->begun && (sequence != reader->sequence || domain != reader->domain))
		return refuse(reader, "header: sequence %u instead of %u, domain %u", sequence,
			      reader->sequence, domain);
	if (!reader->begun && sequence != 0)
		return refuse(reader, "header: the first sequence number is %u", sequence);
	reader->domain = domain;
	reader->begun = true;
	return true;
}

bool ipfix_read(struct ipfix_reader *reader, const void *message, size_t size)
{
	struct sn_rd rd, set;

	sn_rd_init(&rd, message, size);
	if (!read_header(reader, &rd, size))
		return false;
	if (sn_rd_left(&rd) == 0)
		return refuse(reader, "a message without sets");
	while (sn_rd_left(&rd) > 0) {
		uint16_t id = sn_rd_u16be(&rd), length = sn_rd_u16be(&rd);
		const uint8_t *p;

		if (!sn_rd_ok(&rd) || length < SET_HEADER)
			return refuse(reader, "set %u has length %u", id, length);
		p = sn_rd_bytes(&rd, length - SET_HEADER);
		if (p == NULL)
			return refuse(reader, "set %u does not end", id);
		sn_rd_init(&set, p, length - SET_HEADER);
		if (!read_set(reader, id, &set))
			return false;
	}
	reader->messages++;
	return true;
}

size_t ipfix_message_size(const void *header)
{
	const uint8_t *p = header;

	return (size_t)p[2] << 8 | p[3];
}

bool ipfix_read_stream(struct ipfix_reader *reader, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		size_t length = size >= HEADER ? ipfix_message_size(p) : 0;

		if (length < HEADER || length > size)
			return refuse(reader, "a message of %zu octets in %zu", length, size);
		if (!ipfix_read(reader, p, length))
			return false;
		p += length;
		size -= length;
	}
	return true;
}

/* Values ---------------------------------------------------------------------- */

static int position(const struct ipfix_record *record, uint32_t enterprise, uint16_t id)
{
	for (unsigned i = 0; i < record->template->count; i++)
		if (record->template->fields[i].id == id &&
		    record->template->fields[i].enterprise == enterprise)
			return (int)i;
	return -1;
}

bool ipfix_has(const struct ipfix_record *record, uint32_t enterprise, uint16_t id)
{
	return position(record, enterprise, id) >= 0;
}

struct sn_str ipfix_text(const struct ipfix_record *record, uint32_t enterprise, uint16_t id)
{
	int i = position(record, enterprise, id);

	if (i < 0)
		fail_msg("template %u has no element %u/%u", record->template->id, enterprise, id);
	return record->values[i];
}

uint64_t ipfix_number(const struct ipfix_record *record, uint32_t enterprise, uint16_t id)
{
	struct sn_str value = ipfix_text(record, enterprise, id);
	uint64_t number = 0;

	assert_in_range(value.n, 1, 8);
	for (size_t i = 0; i < value.n; i++)
		number = number << 8 | (uint8_t)value.p[i];
	return number;
}
