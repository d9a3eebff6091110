/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "meter/control/ini.h"
#include "meter/control/switches.h"

#include "base/util.h"

struct reading {
	struct sn_settings_values *values;
	struct sn_buf *ignored;
};

static int read_switch(const struct reading *reading, struct sn_str section, struct sn_str key,
		       struct sn_str value, struct sn_err *err)
{
	const struct sn_switch *sw = sn_switch_find(key, err);
	int64_t number;

	if (sw == NULL)
		return -EINVAL;
	if (sw->section == NULL || !sn_str_eqc(section, sw->section))
		return sn_err_set(err, -EINVAL, "'%s' does not belong into section [%.*s]",
				  sw->name, (int)section.n, section.p);
	if (sn_parse_i64(value, 0, UINT8_MAX, &number) != 0)
		return sn_err_set(err, -EINVAL, "'%s' cannot be '%.*s' (a number)", sw->name,
				  (int)SN_MIN(value.n, (size_t)64), value.p);
	if (sn_switch_check_number(sw, number, err) != 0)
		return -EINVAL;
	sn_switch_set_number(sw, reading->values, (unsigned)number);
	return 0;
}

/* Keys of [dump]; "udp_..." are one per class of UDP flows. */
static bool is_dump_key(struct sn_str key)
{
	static const char *const keys[] = {
		"snap_len",     "slice_win",         "tcp_videostreaming", "ip_complete",
		"tcp_complete", "tcp_maxpackets",    "tcp_maxbytes",       "stun",
		"dns_filter",   "stop_dumping_mask",
	};

	if (sn_str_has_prefix(key, "udp_"))
		return true;
	for (size_t i = 0; i < SN_COUNT(keys); i++)
		if (sn_str_eqc(key, keys[i]))
			return true;
	return false;
}

static int read_dump(const struct reading *reading, struct sn_str key, struct sn_str value,
		     struct sn_err *err)
{
	static const char *const limits[] = {"snap_len", "slice_win", "stop_dumping_mask"};
	int64_t number;
	bool asks;

	if (!is_dump_key(key))
		return sn_err_set(err, -EINVAL, "nothing in [dump] is called '%.*s'",
				  (int)SN_MIN(key.n, (size_t)64), key.p);
	if (sn_parse_i64(value, 0, INT64_MAX, &number) != 0)
		return sn_err_set(err, -EINVAL, "'%.*s' is not a number",
				  (int)SN_MIN(value.n, (size_t)64), value.p);
	asks = number != 0;
	/* They limit what others ask for. */
	for (size_t i = 0; i < SN_COUNT(limits); i++)
		asks = asks && !sn_str_eqc(key, limits[i]);
	if (key.n > 4 && memmem(key.p, key.n, "_max", 4) != NULL)
		asks = false;
	if (asks && reading->ignored != NULL)
		sn_buf_addf(reading->ignored, "%s%.*s", reading->ignored->n > 0 ? " " : "",
			    (int)key.n, key.p);
	return 0;
}

static int read_key(struct sn_str section, struct sn_str key, struct sn_str value, void *ctx,
		    struct sn_err *err)
{
	const struct reading *reading = ctx;

	if (sn_str_eqc(section, "dump"))
		return read_dump(reading, key, value, err);
	if (sn_str_eqc(section, "log") || sn_str_eqc(section, "options"))
		return read_switch(reading, section, key, value, err);
	return sn_err_set(err, -EINVAL, "'%.*s' is in no section ([log], [options] or [dump])",
			  (int)SN_MIN(key.n, (size_t)64), key.p);
}

int sn_runtime_conf_parse(struct sn_str text, const char *name, struct sn_settings_values *values,
			  struct sn_buf *ignored, struct sn_err *err)
{
	struct sn_settings_values read = *values;
	struct reading reading = {.values = &read, .ignored = ignored};
	int result;

	sn_tstat_choice_default(&read.logs);
	read.logs.mid_stream = values->logs.mid_stream;
	result = sn_ini_parse(text, name, read_key, &reading, err);
	if (result == 0)
		*values = read;
	return result;
}
