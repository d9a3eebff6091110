/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text is refused with its line, or a set that holds the first and the last address of
 * each of its lines, and what is written of it is read as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "net/prefix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_hold(const struct sn_prefixes *set, const struct sn_prefix *prefix, bool last)
{
	uint8_t bytes[16];
	struct sn_addr addr = {0};

	memcpy(bytes, prefix->addr, sizeof(bytes));
	for (unsigned i = prefix->bits; last && i < (prefix->v6 ? 128U : 32U); i++)
		bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	addr.sa.sa_family = prefix->v6 ? AF_INET6 : AF_INET;
	if (prefix->v6)
		memcpy(&addr.in6.sin6_addr, bytes, 16);
	else
		memcpy(&addr.in.sin_addr, bytes, 4);
	if (sn_prefixes_find(set, &addr) == NULL)
		abort();
}

static void check_line(const struct sn_prefixes *set, struct sn_str line)
{
	struct sn_prefix prefix, again;
	char text[SN_PREFIX_TEXT_MAX];

	line = sn_str_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return;
	if (sn_prefix_parse(line, &prefix) != 0)
		abort();
	sn_prefix_format(&prefix, text, sizeof(text));
	if (sn_prefix_parse(sn_str(text), &again) != 0 || again.v6 != prefix.v6 ||
	    again.bits != prefix.bits || memcmp(again.addr, prefix.addr, sizeof(again.addr)) != 0)
		abort();
	must_hold(set, &prefix, false);
	must_hold(set, &prefix, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_str text = {(const char *)data, size}, line;
	struct sn_prefixes set = {0};
	struct sn_err err = {0};

	if (sn_prefixes_parse(&set, text, "input", &err) != 0) {
		if (err.code >= 0 || strstr(err.text, "line ") == NULL)
			abort();
		return 0;
	}
	while (text.n > 0 && sn_str_split(&text, '\n', &line))
		check_line(&set, line);
	sn_prefixes_finish(&set);
	return 0;
}
