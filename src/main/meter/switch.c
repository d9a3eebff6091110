/* SPDX-License-Identifier: Apache-2.0 */
/* --switch: not to meter, but to keep something switched at a meter that runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include "main/meter/options.h"
#include "meter/control/lease.h"

/* true, false and whole numbers are that, everything else is a text. */
static json_t *value_of(struct sn_str text)
{
	int64_t number;

	if (sn_str_eqc(text, "true") || sn_str_eqc(text, "false"))
		return json_boolean(sn_str_eqc(text, "true"));
	if (sn_parse_i64(text, INT64_MIN, INT64_MAX, &number) == 0)
		return json_integer(number);
	return json_stringn(text.p, text.n);
}

static int read_changes(const struct sn_opt_texts *switches, json_t *changes, struct sn_err *err)
{
	for (unsigned i = 0; i < switches->count; i++) {
		struct sn_str rest = sn_str(switches->items[i]), name;
		json_t *value;

		sn_str_split(&rest, '=', &name);
		if (rest.p == NULL || name.n == 0)
			return sn_err_set(err, -EINVAL, "'%.60s' is no change (NAME=VALUE)",
					  switches->items[i]);
		value = value_of(rest);
		if (value == NULL || json_object_setn_new(changes, name.p, name.n, value) != 0)
			return sn_err_set(err, -EINVAL, "'%.60s' is not UTF-8", switches->items[i]);
	}
	return 0;
}

int meter_switch(const struct meter_options *options)
{
	sn_autojson json_t *changes = json_object();
	struct sn_lease_options lease = {
		.socket_path = options->control,
		.changes = changes,
		.duration_ns = options->duration_ns,
	};
	struct sn_err err = {0};
	int result = read_changes(&options->switches, changes, &err);

	if (result != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "%s", err.text);
	result = sn_lease_run(&lease, &err);
	return result == 0 ? SN_EXIT_OK : sn_cli_fail(sn_cli_exit_code(result), "%s", err.text);
}
