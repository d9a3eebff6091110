/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/load.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "mplane/policy.h"

struct target {
	double rate;
	size_t sources; /* the last one that goes takes the rest of rounding with it */
};

struct source {
	char **targets; /* keys, as often as it asks each */
	size_t count;
	double rate, factor;
};

struct sn_load {
	struct sn_map *targets, *sources;
};

static void release_source(void *value)
{
	struct source *source = value;

	for (size_t i = 0; i < source->count; i++)
		free(source->targets[i]);
	free(source->targets);
	free(source);
}

struct sn_load *sn_load_create(void)
{
	struct sn_load *load = sn_new(struct sn_load);

	load->targets = sn_map_create(free);
	load->sources = sn_map_create(release_source);
	return load;
}

void sn_load_destroy(struct sn_load *load)
{
	if (load == NULL)
		return;
	sn_map_destroy(load->targets);
	sn_map_destroy(load->sources);
	free(load);
}

static void put(struct sn_load *load, const struct source *source)
{
	for (size_t i = 0; i < source->count; i++) {
		struct target *target = sn_map_get(load->targets, source->targets[i]);

		if (target == NULL) {
			target = sn_new(struct target);
			sn_map_set(load->targets, source->targets[i], target);
		}
		target->rate += source->rate * source->factor;
		target->sources++;
	}
}

static void take(struct sn_load *load, const struct source *source)
{
	for (size_t i = 0; i < source->count; i++) {
		struct target *target = sn_map_get(load->targets, source->targets[i]);

		target->rate -= source->rate * source->factor;
		if (--target->sources == 0)
			sn_map_remove(load->targets, source->targets[i]);
	}
}

void sn_load_set(struct sn_load *load, const char *name, const char *const *targets, size_t count,
		 double rate, double factor)
{
	struct source *source = sn_new(struct source);
	char key[SN_POLICY_TARGET_MAX];

	sn_load_remove(load, name);
	source->targets = sn_new_n(char *, count + 1);
	source->rate = rate;
	source->factor = factor;
	for (size_t i = 0; i < count; i++) {
		sn_policy_target_key(targets[i], key);
		source->targets[source->count++] = sn_xstrdup(key);
	}
	put(load, source);
	sn_map_set(load->sources, name, source);
}

int sn_load_set_factor(struct sn_load *load, const char *name, double factor)
{
	struct source *source = sn_map_get(load->sources, name);

	if (source == NULL)
		return -ENOENT;
	if (source->factor == factor)
		return 0;
	take(load, source);
	source->factor = factor;
	put(load, source);
	return 0;
}

void sn_load_remove(struct sn_load *load, const char *name)
{
	const struct source *source = sn_map_get(load->sources, name);

	if (source == NULL)
		return;
	take(load, source);
	sn_map_remove(load->sources, name);
}

double sn_load_at(const struct sn_load *load, const char *name)
{
	const struct target *target;
	char key[SN_POLICY_TARGET_MAX];

	sn_policy_target_key(name, key);
	target = sn_map_get(load->targets, key);
	return target != NULL ? target->rate : 0;
}

size_t sn_load_targets(const struct sn_load *load)
{
	return sn_map_count(load->targets);
}
