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

static int read_change(struct sn_str text, json_t *changes, struct sn_err *err)
{
	struct sn_str name;
	json_t *value;

	sn_str_split(&text, '=', &name);
	if (text.p == NULL || name.n == 0)
		return sn_err_set(err, -EINVAL, "'%.*s' is no change (NAME=VALUE)",
				  (int)SN_MIN(name.n, (size_t)60), name.p);
	value = value_of(text);
	if (value == NULL || json_object_setn_new(changes, name.p, name.n, value) != 0)
		return sn_err_set(err, -EINVAL, "a change of '%.*s' is not UTF-8", (int)name.n,
				  name.p);
	return 0;
}

/* A filter or a policy may have commas in it: it stands alone. */
static bool is_text(struct sn_str text)
{
	return sn_str_has_prefix(text, "filter=") || sn_str_has_prefix(text, "privacy=");
}

static int read_changes(const struct sn_opt_texts *switches, json_t *changes, struct sn_err *err)
{
	int result = 0;

	for (unsigned i = 0; result == 0 && i < switches->count; i++) {
		struct sn_str rest = sn_str(switches->items[i]), one;

		if (is_text(rest))
			result = read_change(rest, changes, err);
		else
			while (result == 0 && sn_str_split(&rest, ',', &one))
				result = read_change(sn_str_trim(one), changes, err);
	}
	return result;
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
