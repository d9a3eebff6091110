/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define NAME_SHOWN_MAX 80

struct sn_names {
	struct sn_map *by_id, *by_name; /* both own their texts */
};

static int take_node(const json_t *node, void *ctx)
{
	struct sn_names *names = ctx;
	const char *id = json_string_value(json_object_get(node, "id"));
	const char *name = json_string_value(json_object_get(node, "name"));
	const char *state = json_string_value(json_object_get(node, "state"));
	bool revoked = state != NULL && strcmp(state, "revoked") == 0;

	if (id == NULL || name == NULL)
		return 0;
	sn_map_set(names->by_id, id, sn_xstrdup(name));
	/* A name may have belonged to a node that was shut out since. */
	if (!revoked || sn_map_get(names->by_name, name) == NULL)
		sn_map_set(names->by_name, name, sn_xstrdup(id));
	return 0;
}

int sn_names_fetch(struct sn_client *client, struct sn_names **names, struct sn_err *err)
{
	struct sn_names *new = sn_new(struct sn_names);
	int rc;

	new->by_id = sn_map_create(free);
	new->by_name = sn_map_create(free);
	rc = sn_client_each(client, "/api/v1/nodes?limit=1000", take_node, new, err);
	if (rc != 0) {
		sn_names_destroy(new);
		return rc;
	}
	*names = new;
	return 0;
}

void sn_names_destroy(struct sn_names *names)
{
	if (names == NULL)
		return;
	sn_map_destroy(names->by_id);
	sn_map_destroy(names->by_name);
	free(names);
}

const char *sn_names_of(const struct sn_names *names, const char *id)
{
	const char *name = sn_map_get(names->by_id, id);

	return name != NULL ? name : id;
}

const char *sn_names_id(const struct sn_names *names, const char *name)
{
	const char *id = sn_map_get(names->by_name, name);

	return id != NULL || sn_map_get(names->by_id, name) == NULL ? id : name;
}

int sn_names_unknown(const struct sn_names *names, const char *name, struct sn_err *err)
{
	size_t count = 0, cursor = 0, total = sn_map_count(names->by_name);
	const char **list = sn_new_n(const char *, total);
	const char *near;
	void *value;

	while (count < total && sn_map_next(names->by_name, &cursor, &list[count], &value))
		count++;
	near = sn_suggest(name, list, count);
	if (near != NULL)
		sn_err_set(err, -ENOENT, "no node is called '%.*s' (did you mean '%s'?)",
			   NAME_SHOWN_MAX, name, near);
	else
		sn_err_set(err, -ENOENT, "no node is called '%.*s' ('sonde node list' shows all)",
			   NAME_SHOWN_MAX, name);
	free(list);
	return -ENOENT;
}
