/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.conf and globals.conf: anything is taken or refused with a line, and what is refused
 * changes nothing. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "meter/control/globals.h"
#include "meter/control/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_str text = {(const char *)data, size};
	struct sn_settings_values values, before;
	struct sn_globals globals;
	struct sn_buf ignored = {0};
	struct sn_err err = {0};

	sn_settings_values_default(&values);
	before = values;
	if (sn_runtime_conf_parse(text, "runtime.conf", &values, &ignored, &err) != 0) {
		assert(strstr(err.text, "runtime.conf") != NULL);
		assert(memcmp(&values, &before, sizeof(values)) == 0);
	}
	assert(values.logs.http_urls <= 2);
	sn_globals_default(&globals);
	sn_globals_parse(text, "globals.conf", &globals, &ignored, &err);
	assert(globals.tcp_idle_ns >= SN_NS_PER_S && globals.directories >= 1);
	sn_buf_finish(&ignored);
	return 0;
}
