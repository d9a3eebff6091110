/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is refused or loads to what its own print-back loads to. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"

struct settings {
	char *text;
	bool flag;
	uint64_t number, size, rate;
	double ratio;
	int64_t duration_ns;
	struct sn_conf_texts list;
};

#define KEY(n, t, d)                                                                               \
	{                                                                                          \
		.name = #n, .type = t, .offset = offsetof(struct settings, n), .default_text = d,  \
		.help = "a key", .optional = true                                                  \
	}
static const struct sn_conf_key keys[] = {
	KEY(text, SN_CONF_TEXT, NULL),
	KEY(flag, SN_CONF_BOOL, "no"),
	KEY(number, SN_CONF_U64, "1"),
	KEY(size, SN_CONF_SIZE, "1kB"),
	KEY(rate, SN_CONF_RATE, "1Mbit"),
	KEY(ratio, SN_CONF_DOUBLE, "0.5"),
	KEY(duration_ns, SN_CONF_DURATION, "1s"),
	KEY(list, SN_CONF_TEXTS, "a,b"),
};
static const struct sn_conf_schema schema = {"fuzz", keys, SN_COUNT(keys), sizeof(struct settings)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings first = {0}, second = {0};
	struct sn_buf once = {0}, twice = {0};
	struct sn_err err = {0};
	struct sn_str text = {(const char *)data, size};

	if (sn_conf_load_text(&schema, "input", text, &first, &err) != 0)
		return 0;
	sn_conf_print(&schema, &first, &once);
	if (sn_conf_load_text(&schema, "printed", sn_buf_str(&once), &second, &err) != 0)
		abort();
	sn_conf_print(&schema, &second, &twice);
	if (!sn_str_eq(sn_buf_str(&once), sn_buf_str(&twice)))
		abort();
	sn_conf_release(&schema, &first);
	sn_conf_release(&schema, &second);
	sn_buf_finish(&once);
	sn_buf_finish(&twice);
	return 0;
}
