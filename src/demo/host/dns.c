/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/host/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

#define HEADER_SIZE 12
#define LABEL_MAX   63
#define CLASS_IN    1
#define TTL         60
#define POINTER     0xc0 /* RFC 1035 section 4.1.4 */
#define FIRST_NAME  (POINTER << 8 | HEADER_SIZE)

enum { FLAG_QR = 0x8000, FLAG_OPCODE = 0x7800, FLAG_AA = 0x0400, FLAG_RD = 0x0100 };
enum { RCODE_OK, RCODE_FORMERR, RCODE_SERVFAIL, RCODE_NXDOMAIN, RCODE_NOTIMP, RCODE_REFUSED };

struct header {
	uint16_t id, flags, questions, answers;
};

struct question {
	char name[SN_DNS_NAME_MAX + 1];
	uint16_t type, class;
	const uint8_t *bytes; /* as it came, to be echoed */
	size_t size;
};

static struct header read_header(struct sn_rd *rd)
{
	struct header header;

	header.id = sn_rd_u16be(rd);
	header.flags = sn_rd_u16be(rd);
	header.questions = sn_rd_u16be(rd);
	header.answers = sn_rd_u16be(rd);
	sn_rd_skip(rd, 4); /* authority and additional records: not looked at */
	return header;
}

/* Only characters of host names, so that a name can be compared and printed as text. */
static bool is_host_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* Labels without compression, as lower case text; false if it is anything else. */
static bool read_name(struct sn_rd *rd, char out[SN_DNS_NAME_MAX + 1])
{
	size_t used = 0;

	for (;;) {
		uint8_t length = sn_rd_u8(rd);
		const uint8_t *label;

		if (length == 0)
			break;
		label = length > LABEL_MAX ? NULL : sn_rd_bytes(rd, length);
		if (label == NULL || used + length + 1 > SN_DNS_NAME_MAX)
			return false;
		if (used > 0)
			out[used++] = '.';
		for (uint8_t i = 0; i < length; i++) {
			if (!is_host_char(label[i]))
				return false;
			out[used++] =
				(char)(label[i] | (label[i] >= 'A' && label[i] <= 'Z' ? 0x20 : 0));
		}
	}
	out[used] = '\0';
	return sn_rd_ok(rd);
}

static bool skip_name(struct sn_rd *rd)
{
	for (;;) {
		uint8_t length = sn_rd_u8(rd);

		if (length == 0)
			return sn_rd_ok(rd);
		if ((length & POINTER) == POINTER) {
			sn_rd_skip(rd, 1);
			return sn_rd_ok(rd);
		}
		if (length > LABEL_MAX)
			return false;
		sn_rd_skip(rd, length);
	}
}

static void add_u16(struct sn_buf *out, unsigned value)
{
	sn_buf_addc(out, (char)(value >> 8));
	sn_buf_addc(out, (char)value);
}

static void add_header(struct sn_buf *out, uint16_t id, unsigned flags, unsigned questions,
		       unsigned answers)
{
	add_u16(out, id);
	add_u16(out, flags);
	add_u16(out, questions);
	add_u16(out, answers);
	add_u16(out, 0);
	add_u16(out, 0);
}

/* Asking ------------------------------------------------------------------- */

int sn_dns_query_write(uint16_t id, const char *name, uint16_t type, struct sn_buf *out)
{
	struct sn_str rest = sn_str(name), label;
	size_t start = out->n;

	if (rest.n == 0 || rest.n > SN_DNS_NAME_MAX - 2)
		return -EINVAL;
	add_header(out, id, FLAG_RD, 1, 0);
	while (sn_str_split(&rest, '.', &label)) {
		bool good = label.n > 0 && label.n <= LABEL_MAX;

		for (size_t i = 0; i < label.n; i++)
			good = good && is_host_char((uint8_t)label.p[i]);
		if (!good) {
			out->n = start;
			return -EINVAL;
		}
		sn_buf_addc(out, (char)label.n);
		sn_buf_add(out, label.p, label.n);
	}
	sn_buf_addc(out, 0);
	add_u16(out, type);
	add_u16(out, CLASS_IN);
	return 0;
}

static int find_address(struct sn_rd *rd, unsigned answers, uint16_t type, uint8_t address[16])
{
	size_t wanted = type == SN_DNS_A ? 4 : 16;

	for (unsigned i = 0; i < answers; i++) {
		uint16_t record_type, record_class, size;
		const uint8_t *data;

		if (!skip_name(rd))
			return -EPROTO;
		record_type = sn_rd_u16be(rd);
		record_class = sn_rd_u16be(rd);
		sn_rd_skip(rd, 4); /* time to live */
		size = sn_rd_u16be(rd);
		data = sn_rd_bytes(rd, size);
		if (data == NULL)
			return -EPROTO;
		if (record_type == type && record_class == CLASS_IN && size == wanted) {
			memcpy(address, data, wanted);
			return 0;
		}
	}
	return -ENOENT;
}

int sn_dns_reply_parse(const void *data, size_t size, uint16_t id, uint16_t type,
		       uint8_t address[16])
{
	struct header header;
	struct sn_rd rd;

	sn_rd_init(&rd, data, size);
	header = read_header(&rd);
	if (!sn_rd_ok(&rd))
		return -EPROTO;
	if (header.id != id || (header.flags & FLAG_QR) == 0)
		return -EAGAIN;
	if ((header.flags & 0xf) == RCODE_NXDOMAIN)
		return -ENOENT;
	if ((header.flags & 0xf) != RCODE_OK || header.questions > 1)
		return -EPROTO;
	if (header.questions == 1) {
		if (!skip_name(&rd))
			return -EPROTO;
		sn_rd_skip(&rd, 4);
	}
	return find_address(&rd, header.answers, type, address);
}

/* Answering ------------------------------------------------------------------ */

int sn_dns_record_parse(const char *text, struct sn_dns_record *record, struct sn_err *err)
{
	struct sn_str address = sn_str(text), name;
	char copy[INET6_ADDRSTRLEN] = {0};

	*record = (struct sn_dns_record){0};
	if (!sn_str_split(&address, ' ', &name) || name.n == 0 || name.n > SN_DNS_NAME_MAX)
		return sn_err_set(err, -EINVAL, "record '%.80s' is not written as NAME ADDRESS",
				  text);
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		record->name[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	if (address.n > 0 && address.n < sizeof(copy))
		memcpy(copy, address.p, address.n);
	record->family = strchr(copy, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(record->family, copy, record->address) != 1)
		return sn_err_set(err, -EINVAL, "record '%.80s' has no IP address", text);
	return 0;
}

static bool is_below(const char *name, const char *origin)
{
	size_t n = strlen(name), o = strlen(origin);

	return n >= o && strcasecmp(name + n - o, origin) == 0 &&
	       (n == o || name[n - o - 1] == '.');
}

static void add_record(struct sn_buf *out, const struct sn_dns_record *record)
{
	size_t size = record->family == AF_INET ? 4 : 16;

	add_u16(out, FIRST_NAME);
	add_u16(out, record->family == AF_INET ? SN_DNS_A : SN_DNS_AAAA);
	add_u16(out, CLASS_IN);
	add_u16(out, 0);
	add_u16(out, TTL);
	add_u16(out, (unsigned)size);
	sn_buf_add(out, record->address, size);
}

/* Records of the question, and how many there are; the code tells an absent name apart. */
static unsigned add_records(const struct sn_dns_zone *zone, const struct question *question,
			    struct sn_buf *out, size_t start, unsigned *count)
{
	unsigned rcode = is_below(question->name, zone->origin) ? RCODE_NXDOMAIN : RCODE_REFUSED;

	*count = 0;
	if (question->class != CLASS_IN)
		return RCODE_REFUSED;
	for (size_t i = 0; i < zone->count && rcode != RCODE_REFUSED; i++) {
		const struct sn_dns_record *record = &zone->records[i];
		uint16_t type = record->family == AF_INET ? SN_DNS_A : SN_DNS_AAAA;

		if (strcmp(record->name, question->name) != 0)
			continue;
		rcode = RCODE_OK;
		if (type == question->type && out->n - start + 28 <= SN_DNS_MESSAGE_MAX) {
			add_record(out, record);
			(*count)++;
		}
	}
	return rcode;
}

static bool read_question(struct sn_rd *rd, struct question *question)
{
	question->bytes = rd->p;
	if (!read_name(rd, question->name))
		return false;
	question->type = sn_rd_u16be(rd);
	question->class = sn_rd_u16be(rd);
	question->size = (size_t)(rd->p - question->bytes);
	return sn_rd_ok(rd);
}

int sn_dns_answer(const struct sn_dns_zone *zone, const void *data, size_t size, struct sn_buf *out)
{
	size_t start = out->n;
	struct question question;
	struct header header;
	unsigned flags, count;
	struct sn_rd rd;

	sn_rd_init(&rd, data, size);
	header = read_header(&rd);
	/* An answer to an answer could go on for ever. */
	if (!sn_rd_ok(&rd) || (header.flags & FLAG_QR) != 0)
		return -EPROTO;
	flags = FLAG_QR | FLAG_AA | (header.flags & (FLAG_OPCODE | FLAG_RD));
	if ((header.flags & FLAG_OPCODE) != 0) {
		add_header(out, header.id, flags | RCODE_NOTIMP, 0, 0);
		return 0;
	}
	if (header.questions != 1 || !read_question(&rd, &question)) {
		add_header(out, header.id, flags | RCODE_FORMERR, 0, 0);
		return 0;
	}
	add_header(out, header.id, flags, 1, 0);
	sn_buf_add(out, question.bytes, question.size);
	flags |= add_records(zone, &question, out, start, &count);
	out->p[start + 2] = (char)(flags >> 8);
	out->p[start + 3] = (char)flags;
	out->p[start + 7] = (char)count;
	return 0;
}
