/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "base/clock.h"
#include "base/str.h"

int sn_option_time(const char *option, const char *text, bool *given, int64_t *unix_ns)
{
	if (text == NULL)
		return SN_EXIT_OK;
	*given = true;
	if (sn_parse_when(sn_str(text), sn_wall_ns(), unix_ns) == 0)
		return SN_EXIT_OK;
	return sn_cli_fail(SN_EXIT_USAGE,
			   "option '--%s': '%.60s' is no time (write it like 2026-03-01T12:00:00Z, "
			   "2026-03-01 or -24h)",
			   option, text);
}
