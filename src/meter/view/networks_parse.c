/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/view/networks.h"
#include "meter/view/networks_internal.h"

#define SHOWN_MAX 60 /* characters of a line that a message repeats */

struct reader {
	struct sn_network *items;
	size_t count, room;
	bool has_address; /* a line with an address alone; its mask comes next */
	unsigned address_line;
	struct sn_network address;
	unsigned line;
};

static unsigned width(uint8_t family)
{
	return family == 6 ? 128 : 32;
}

static int refuse(struct sn_err *err, struct sn_str text, const char *reason)
{
	return sn_err_set(err, -EINVAL, "'%.*s' %s", (int)SN_MIN(text.n, SHOWN_MAX), text.p,
			  reason);
}

/* Without bits; 0 or -EINVAL. */
static int parse_address(struct sn_str text, struct sn_network *network)
{
	char host[INET6_ADDRSTRLEN];

	*network = (struct sn_network){0};
	if (text.n == 0 || text.n >= sizeof(host) || memchr(text.p, '\0', text.n) != NULL)
		return -EINVAL;
	memcpy(host, text.p, text.n);
	host[text.n] = '\0';
	network->family = memchr(text.p, ':', text.n) != NULL ? 6 : 4;
	if (inet_pton(network->family == 6 ? AF_INET6 : AF_INET, host, network->ip) != 1)
		return -EINVAL;
	return 0;
}

/* The length that a mask like 255.255.240.0 stands for; -1 for one with a hole. */
static int mask_bits(const struct sn_network *mask)
{
	unsigned bits = 0, size = width(mask->family);

	while (bits < size && (mask->ip[bits / 8] >> (7 - bits % 8) & 1) != 0)
		bits++;
	for (unsigned i = bits; i < size; i++) {
		if ((mask->ip[i / 8] >> (7 - i % 8) & 1) != 0)
			return -1;
	}
	return (int)bits;
}

static int set_mask(struct sn_network *network, struct sn_str text, struct sn_err *err)
{
	struct sn_network mask;
	int bits;

	if (parse_address(text, &mask) != 0)
		return refuse(err, text, "is neither a prefix length nor a mask");
	if (mask.family != network->family)
		return refuse(err, text, "is a mask of the other address family");
	bits = mask_bits(&mask);
	if (bits < 0)
		return refuse(err, text, "is no mask, its ones are not all at the front");
	network->bits = (uint8_t)bits;
	return 0;
}

/* What follows the slash. */
static int set_length(struct sn_network *network, struct sn_str text, struct sn_err *err)
{
	uint64_t bits;
	int error = sn_parse_u64(text, 0, width(network->family), &bits);

	if (error == -ERANGE)
		return sn_err_set(err, -EINVAL, "prefix length '%.*s' is above %u",
				  (int)SN_MIN(text.n, SHOWN_MAX), text.p, width(network->family));
	if (error != 0)
		return set_mask(network, text, err);
	network->bits = (uint8_t)bits;
	return 0;
}

/* People write 192.0.2.17/24 for the network of that host; so does the reference's own file. */
static void clear_behind(struct sn_network *network)
{
	for (unsigned i = network->bits; i < width(network->family); i++)
		network->ip[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static int add(struct reader *reader, struct sn_network *network, struct sn_err *err)
{
	if (reader->count == SN_NETWORKS_MAX)
		return sn_err_set(err, -E2BIG, "more than %d networks", SN_NETWORKS_MAX);
	if (reader->count == reader->room) {
		reader->room = SN_MAX(2 * reader->room, (size_t)16);
		reader->items = sn_xrealloc(reader->items, reader->room, sizeof(struct sn_network));
	}
	clear_behind(network);
	reader->items[reader->count++] = *network;
	return 0;
}

/* Takes the comment and the blanks around it off. */
static struct sn_str bare_line(struct sn_str line)
{
	const char *comment = memchr(line.p, '#', line.n);

	if (comment != NULL)
		line.n = (size_t)(comment - line.p);
	return sn_str_trim(line);
}

static int read_network(struct reader *reader, struct sn_str line, struct sn_err *err)
{
	struct sn_str rest = line, address;
	struct sn_network network;
	int error;

	if (reader->has_address) {
		reader->has_address = false;
		error = set_mask(&reader->address, line, err);
		return error != 0 ? error : add(reader, &reader->address, err);
	}
	sn_str_split(&rest, '/', &address);
	if (parse_address(sn_str_trim(address), &network) != 0)
		return refuse(err, line, "is no network like '192.0.2.0/24'");
	if (address.n == line.n) {
		reader->has_address = true;
		reader->address_line = reader->line;
		reader->address = network;
		return 0;
	}
	error = set_length(&network, sn_str_trim(rest), err);
	return error != 0 ? error : add(reader, &network, err);
}

static int read_networks(struct reader *reader, struct sn_str text, struct sn_err *err)
{
	struct sn_str line;
	int error = 0;

	while (error == 0 && text.n > 0 && sn_str_split(&text, '\n', &line)) {
		reader->line++;
		line = bare_line(line);
		if (line.n > 0)
			error = read_network(reader, line, err);
	}
	if (error == 0 && reader->has_address) {
		reader->line = reader->address_line;
		error = sn_err_set(err, -EINVAL,
				   "an address without its mask (write the length behind it, like "
				   "'/32', or the mask on the next line)");
	}
	return error;
}

struct sn_networks *sn_networks_parse(struct sn_str text, const char *name, struct sn_err *err)
{
	struct reader reader = {0};
	struct sn_networks *networks = NULL;

	if (read_networks(&reader, text, err) != 0)
		sn_err_wrap(err, "cannot use '%s', line %u", name, reader.line);
	else
		networks = sn_networks_build(reader.items, reader.count);
	free(reader.items);
	return networks;
}
