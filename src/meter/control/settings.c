/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "meter"
#include "meter/control/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/util.h"
#include "meter/control/switches.h"

#define RETRY_NS      (1 * SN_NS_PER_S)
#define FIRST_NUMBERS ((uint64_t)1 << 48) /* exact in every reader of JSON */

struct lease {
	uint64_t number; /* 0: free */
	int64_t until_ns;
	json_t *changes;
};

struct sn_settings {
	struct sn_settings_values base, now;         /* without any lease; with all */
	struct lease leases[SN_SETTINGS_LEASES_MAX]; /* oldest first */
	size_t lease_count;
	uint64_t last_number;
	bool stale; /* the last lease ended, but what holds then could not be brought about */
	sn_settings_apply_fn *apply;
	void *ctx;
};

void sn_settings_values_default(struct sn_settings_values *values)
{
	*values = (struct sn_settings_values){0};
	sn_tstat_choice_default(&values->logs);
}

struct sn_settings *sn_settings_create(const struct sn_settings_values *start,
				       sn_settings_apply_fn *apply, void *ctx)
{
	struct sn_settings *settings = sn_new(struct sn_settings);

	settings->base = settings->now = *start;
	/* Who held one of a meter that is started anew must not end another's by its number. */
	settings->last_number = sn_random_below(FIRST_NUMBERS);
	settings->apply = apply;
	settings->ctx = ctx;
	return settings;
}

void sn_settings_destroy(struct sn_settings *settings)
{
	if (settings == NULL)
		return;
	for (size_t i = 0; i < settings->lease_count; i++)
		json_decref(settings->leases[i].changes);
	free(settings);
}

void sn_settings_values(const struct sn_settings *settings, struct sn_settings_values *values)
{
	*values = settings->now;
}

/* One change ---------------------------------------------------------------- */

static int check_change(const char *name, const json_t *value, struct sn_err *err)
{
	const struct sn_switch *sw = sn_switch_find(sn_str(name), err);

	if (sw == NULL)
		return -EINVAL;
	if (json_is_boolean(value))
		return sn_switch_check_number(sw, json_is_true(value), err);
	if (json_is_integer(value))
		return sn_switch_check_number(sw, json_integer_value(value), err);
	if (json_is_string(value))
		return sn_switch_check_text(
			sw, (struct sn_str){json_string_value(value), json_string_length(value)},
			err);
	return sn_err_set(err, -EINVAL, "'%s' is neither a boolean, a number nor a text", name);
}

static int check_changes(const json_t *changes, struct sn_err *err)
{
	const char *name;
	json_t *value;

	if (!json_is_object(changes) || json_object_size(changes) == 0)
		return sn_err_set(err, -EINVAL,
				  "nothing to change (an object of names and values)");
	json_object_foreach ((json_t *)changes, name, value) {
		if (check_change(name, value, err) != 0)
			return sn_err_wrap(err, "cannot change the meter's settings");
	}
	return 0;
}

static unsigned number_of(const json_t *value)
{
	return json_is_boolean(value) ? json_is_true(value) : (unsigned)json_integer_value(value);
}

/* Checked changes into `values`.  `most`: a number may only grow (of several leases the one that
 * wants most). */
static void write_changes(const json_t *changes, bool most, struct sn_settings_values *values)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)changes, name, value) {
		const struct sn_switch *sw = sn_switch_find(sn_str(name), NULL);

		if (sw->kind == SN_SWITCH_TEXT)
			memcpy(sn_switch_text(sw, values), json_string_value(value),
			       json_string_length(value) + 1);
		else if (!most || number_of(value) > sn_switch_number(sw, values))
			sn_switch_set_number(sw, values, number_of(value));
	}
}

/* What holds ------------------------------------------------------------------ */

/* True if an older lease says something of the same switch. */
static bool is_leased_before(const struct sn_settings *settings, size_t lease, const char *name)
{
	for (size_t i = 0; i < lease; i++)
		if (json_object_get(settings->leases[i].changes, name) != NULL)
			return true;
	return false;
}

/* The first lease of a switch replaces its value, further ones add to that. */
static void write_lease(const struct sn_settings *settings, size_t lease,
			struct sn_settings_values *values)
{
	const char *name;
	json_t *value;

	json_object_foreach (settings->leases[lease].changes, name, value) {
		json_t *one = json_pack("{s:O}", name, value);

		write_changes(one, is_leased_before(settings, lease, name), values);
		json_decref(one);
	}
}

static int apply(struct sn_settings *settings, const struct sn_settings_values *base,
		 struct sn_err *err)
{
	struct sn_settings_values values = *base;
	int result = 0;

	for (size_t i = 0; i < settings->lease_count; i++)
		write_lease(settings, i, &values);
	if (memcmp(&values, &settings->now, sizeof(values)) != 0 && settings->apply != NULL)
		result = settings->apply(&values, settings->ctx, err);
	if (result != 0)
		return result;
	settings->base = *base;
	settings->now = values;
	return 0;
}

int sn_settings_replace(struct sn_settings *settings, const struct sn_settings_values *values,
			struct sn_err *err)
{
	return apply(settings, values, err);
}

static int change_for_good(struct sn_settings *settings, const json_t *changes, struct sn_err *err)
{
	struct sn_settings_values base = settings->base;

	write_changes(changes, false, &base);
	return apply(settings, &base, err);
}

static void drop_lease(struct sn_settings *settings, size_t i)
{
	json_decref(settings->leases[i].changes);
	settings->lease_count--;
	memmove(&settings->leases[i], &settings->leases[i + 1],
		(settings->lease_count - i) * sizeof(settings->leases[0]));
}

static int add_lease(struct sn_settings *settings, const json_t *changes, int64_t until_ns,
		     uint64_t *number, struct sn_err *err)
{
	int result;

	if (settings->lease_count == SN_SETTINGS_LEASES_MAX)
		return sn_err_set(err, -ENOSPC,
				  "cannot change the meter's settings for a time: %d such changes "
				  "hold already",
				  SN_SETTINGS_LEASES_MAX);
	settings->leases[settings->lease_count++] = (struct lease){
		.number = ++settings->last_number,
		.until_ns = until_ns,
		.changes = json_deep_copy(changes),
	};
	result = apply(settings, &settings->base, err);
	if (result != 0)
		drop_lease(settings, settings->lease_count - 1);
	else
		*number = settings->last_number;
	return result;
}

int sn_settings_change(struct sn_settings *settings, const json_t *changes, int64_t for_ns,
		       int64_t now_ns, uint64_t *lease, struct sn_err *err)
{
	int result = check_changes(changes, err);

	*lease = 0;
	if (result != 0)
		return result;
	if (for_ns == 0)
		return change_for_good(settings, changes, err);
	return add_lease(settings, changes, now_ns + for_ns, lease, err);
}

int sn_settings_release(struct sn_settings *settings, uint64_t lease, struct sn_err *err)
{
	for (size_t i = 0; i < settings->lease_count; i++)
		if (settings->leases[i].number == lease) {
			drop_lease(settings, i);
			return apply(settings, &settings->base, err);
		}
	return sn_err_set(err, -ENOENT, "no change for a time has number %" PRIu64 " (any more)",
			  lease);
}

int64_t sn_settings_expire(struct sn_settings *settings, int64_t now_ns)
{
	int64_t next_ns = INT64_MAX;
	size_t before = settings->lease_count;

	for (size_t i = settings->lease_count; i-- > 0;) {
		if (settings->leases[i].until_ns <= now_ns)
			drop_lease(settings, i);
		else
			next_ns = SN_MIN(next_ns, settings->leases[i].until_ns);
	}
	if (settings->lease_count != before || settings->stale) {
		struct sn_err err;

		settings->stale = apply(settings, &settings->base, &err) != 0;
		if (settings->stale)
			SN_LOG_LIMITED(SN_LOG_ERROR, "settings do not go back reason=\"%s\"",
				       err.text);
	}
	return settings->stale ? SN_MIN(next_ns, now_ns + RETRY_NS) : next_ns;
}

/* Telling ---------------------------------------------------------------------- */

static json_t *describe_value(const struct sn_switch *sw, struct sn_settings_values *values)
{
	switch (sw->kind) {
	case SN_SWITCH_TEXT:
		return json_string(sn_switch_text(sw, values));
	case SN_SWITCH_LEVEL:
		return json_integer(sn_switch_number(sw, values));
	default:
		return json_boolean(sn_switch_number(sw, values));
	}
}

static json_t *describe_lease(const struct lease *lease, int64_t offset_ns)
{
	char until[SN_TIME_TEXT_MAX];

	return json_pack("{s:I, s:s, s:O}", "lease", (json_int_t)lease->number, "until",
			 sn_format_time(lease->until_ns + offset_ns, until, sizeof(until)),
			 "changes", lease->changes);
}

json_t *sn_settings_describe(const struct sn_settings *settings, int64_t offset_ns)
{
	struct sn_settings_values values = settings->now;
	json_t *json = json_object(), *leases = json_array();

	for (size_t i = 0; i < sn_switch_count; i++)
		json_object_set_new(json, sn_switches[i].name,
				    describe_value(&sn_switches[i], &values));
	for (size_t i = 0; i < settings->lease_count; i++)
		json_array_append_new(leases, describe_lease(&settings->leases[i], offset_ns));
	return json_pack("{s:o, s:o}", "values", json, "leases", leases);
}
