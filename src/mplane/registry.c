/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "mplane/registry_builtin.h"

#define URI_MAX        1024 /* bytes of a registry's URI */
#define DESC_MAX       4096
#define INCLUDES_MAX   SN_MP_REGISTRIES_MAX
#define FORMAT         "mplane-0"
#define COMMENT_PREFIX "COMMENT:"

struct registry {
	char *uri;
	int64_t revision;
	struct sn_mp_element **elements; /* in the order of the file */
	size_t count;
	struct sn_map *by_name; /* borrows the elements */
	char **includes;
	size_t include_count;
	char **aliases; /* other URIs that it was published under */
	size_t alias_count;
	/* What a lookup asks after the registry itself, nearest first; borrowed. */
	struct registry **closure;
	size_t closure_count;
};

struct sn_mp_registries {
	struct registry *items[SN_MP_REGISTRIES_MAX];
	size_t count;
	/* Elements that a later file redefined: whoever looked them up may still hold them. */
	struct sn_mp_element **retired;
	size_t retired_count;
};

/* Names that peers write in another way than the registry has them. */
static const struct {
	const char *alias, *name;
} name_aliases[] = {{"intermediate.as", "intermedate.as"}};

/* Texts and elements ------------------------------------------------------ */

static void push(char ***list, size_t *count, const char *text)
{
	*list = sn_xrealloc(*list, *count + 1, sizeof(**list));
	(*list)[(*count)++] = sn_xstrdup(text);
}

static bool is_listed(char *const *list, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], text) == 0)
			return true;
	return false;
}

static void free_list(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

static struct sn_mp_element *element_create(const char *name, enum sn_mp_prim prim,
					    const char *desc)
{
	struct sn_mp_element *element = sn_new(struct sn_mp_element);

	element->name = sn_xstrdup(name);
	element->prim = prim;
	element->desc = sn_xstrdup(desc);
	return element;
}

static void element_destroy(struct sn_mp_element *element)
{
	free((char *)element->name);
	free((char *)element->desc);
	free(element);
}

bool sn_mp_name_is_good(struct sn_str name)
{
	if (name.n == 0 || name.n > SN_MP_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}

static struct registry *registry_create(const char *uri)
{
	struct registry *registry = sn_new(struct registry);

	registry->uri = sn_xstrdup(uri);
	registry->by_name = sn_map_create(NULL);
	return registry;
}

static void registry_destroy(struct registry *registry)
{
	if (registry == NULL)
		return;
	for (size_t i = 0; i < registry->count; i++)
		element_destroy(registry->elements[i]);
	free(registry->elements);
	sn_map_destroy(registry->by_name);
	free_list(registry->includes, registry->include_count);
	free_list(registry->aliases, registry->alias_count);
	free(registry->closure);
	free(registry->uri);
	free(registry);
}

/* Takes `element`; one of its name gives way and is returned. */
static struct sn_mp_element *put_element(struct registry *registry, struct sn_mp_element *element)
{
	struct sn_mp_element *old = sn_map_get(registry->by_name, element->name);

	sn_map_set(registry->by_name, element->name, element);
	if (old == NULL) {
		registry->elements = sn_xrealloc(registry->elements, registry->count + 1,
						 sizeof(struct sn_mp_element *));
		registry->elements[registry->count++] = element;
		return NULL;
	}
	for (size_t i = 0; i < registry->count; i++)
		if (registry->elements[i] == old)
			registry->elements[i] = element;
	return old;
}

/* Reading ----------------------------------------------------------------- */

static const char *text_member(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int read_element(struct registry *registry, const json_t *item, size_t number,
			struct sn_err *err)
{
	const char *name = text_member(item, "name"), *prim_name = text_member(item, "prim");
	const char *desc = text_member(item, "desc");
	struct sn_mp_element *old;
	enum sn_mp_prim prim;

	if (json_is_string(item)) {
		if (sn_str_has_prefix(sn_str(json_string_value(item)), COMMENT_PREFIX))
			return 0;
		return sn_err_set(err, -EINVAL,
				  "element %zu is a text (only \"COMMENT:...\" may be one)",
				  number);
	}
	if (name == NULL || prim_name == NULL)
		return sn_err_set(err, -EINVAL, "element %zu needs 'name' and 'prim'", number);
	if (!sn_mp_name_is_good(sn_str(name)))
		return sn_err_set(
			err, -EINVAL,
			"element %zu: bad name '%.*s' (letters, digits and \"._-\", at most %d)",
			number, SN_MP_NAME_MAX, name, SN_MP_NAME_MAX);
	if (sn_mp_prim_find(prim_name, &prim) != 0)
		return sn_err_set(err, -EINVAL, "element '%s': no primitive is called '%.40s'",
				  name, prim_name);
	if (desc != NULL && strlen(desc) > DESC_MAX)
		return sn_err_set(err, -ERANGE, "element '%s': 'desc' is longer than %d bytes",
				  name, DESC_MAX);
	old = put_element(registry, element_create(name, prim, desc == NULL ? "" : desc));
	if (old != NULL)
		element_destroy(old);
	return 0;
}

static int read_elements(struct registry *registry, const json_t *list, struct sn_err *err)
{
	if (!json_is_array(list))
		return sn_err_set(err, -EINVAL, "'elements' must be a list");
	if (json_array_size(list) > SN_MP_ELEMENTS_MAX)
		return sn_err_set(err, -ERANGE, "more than %d elements", SN_MP_ELEMENTS_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		int rc = read_element(registry, json_array_get(list, i), i + 1, err);

		if (rc != 0)
			return rc;
	}
	return 0;
}

static bool uri_is_good(const char *uri)
{
	return uri != NULL && uri[0] != '\0' && strlen(uri) <= URI_MAX &&
	       uri[strcspn(uri, " \t\r\n#")] == '\0';
}

static int read_uris(const json_t *list, const char *key, char ***uris, size_t *count,
		     struct sn_err *err)
{
	if (list == NULL || json_is_null(list))
		return 0;
	if (!json_is_array(list) || json_array_size(list) > INCLUDES_MAX)
		return sn_err_set(err, -EINVAL, "'%s' must be a list of at most %d URIs", key,
				  INCLUDES_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *uri = json_string_value(json_array_get(list, i));

		if (!uri_is_good(uri))
			return sn_err_set(err, -EINVAL, "'%s': item %zu is not a URI", key, i + 1);
		push(uris, count, uri);
	}
	return 0;
}

static int read_sections(struct registry *registry, const json_t *root, struct sn_err *err)
{
	int rc = read_uris(json_object_get(root, "includes"), "includes", &registry->includes,
			   &registry->include_count, err);

	registry->revision = json_integer_value(json_object_get(root, "registry-revision"));
	if (rc == 0)
		rc = read_uris(json_object_get(root, "aliases"), "aliases", &registry->aliases,
			       &registry->alias_count, err);
	if (rc == 0)
		rc = read_elements(registry, json_object_get(root, "elements"), err);
	return rc;
}

static int check_head(const json_t *root, struct sn_err *err)
{
	const char *format = text_member(root, "registry-format");

	if (format == NULL || strcmp(format, FORMAT) != 0)
		return sn_err_set(err, -EINVAL, "'registry-format' must be \"" FORMAT "\"");
	if (!uri_is_good(text_member(root, "registry-uri")))
		return sn_err_set(err, -EINVAL, "'registry-uri' is missing or not a URI");
	return 0;
}

/* NULL: the reason is in `rc`. */
static struct registry *read_registry(struct sn_str json, int *rc, struct sn_err *err)
{
	struct registry *registry;

	if (json.n > SN_MP_REGISTRY_BYTES) {
		*rc = sn_err_set(err, -ERANGE, "larger than %d bytes", SN_MP_REGISTRY_BYTES);
		return NULL;
	}
	sn_autojson json_t *root = sn_json_parse(json.p, json.n, err);
	*rc = root == NULL ? -EINVAL : check_head(root, err);
	if (*rc != 0)
		return NULL;

	registry = registry_create(text_member(root, "registry-uri"));
	*rc = read_sections(registry, root, err);
	if (*rc == 0)
		return registry;
	(void)sn_err_wrap(err, "%.200s", registry->uri);
	registry_destroy(registry);
	return NULL;
}

/* The set ----------------------------------------------------------------- */

static struct registry *find_registry(const struct sn_mp_registries *registries, const char *uri)
{
	if (uri == NULL)
		return NULL;
	for (size_t i = 0; i < registries->count; i++) {
		struct registry *registry = registries->items[i];

		if (strcmp(registry->uri, uri) == 0 ||
		    is_listed(registry->aliases, registry->alias_count, uri))
			return registry;
	}
	return NULL;
}

static void add_to_closure(struct registry *registry, struct registry *other)
{
	if (other == registry)
		return;
	for (size_t i = 0; i < registry->closure_count; i++)
		if (registry->closure[i] == other)
			return;
	registry->closure = sn_xrealloc(registry->closure, registry->closure_count + 1,
					sizeof(struct registry *));
	registry->closure[registry->closure_count++] = other;
}

/* Of two includes the later one's definitions win, so it is asked first. */
static void find_closure(const struct sn_mp_registries *registries, struct registry *registry)
{
	for (size_t i = registry->include_count; i-- > 0;) {
		struct registry *included = find_registry(registries, registry->includes[i]);

		add_to_closure(registry, included);
		for (size_t j = 0; j < included->closure_count; j++)
			add_to_closure(registry, included->closure[j]);
	}
}

static int check_new(const struct sn_mp_registries *registries, const struct registry *added,
		     const struct registry *old, struct sn_err *err)
{
	for (size_t i = 0; i < added->include_count; i++)
		if (find_registry(registries, added->includes[i]) == NULL)
			return sn_err_set(err, -ENOENT,
					  "%.200s includes %.200s, which is not loaded (load it "
					  "first; nothing is fetched)",
					  added->uri, added->includes[i]);
	if (old == NULL && registries->count == SN_MP_REGISTRIES_MAX)
		return sn_err_set(err, -ERANGE, "more than %d registries", SN_MP_REGISTRIES_MAX);
	if (old != NULL && old->count + added->count > SN_MP_ELEMENTS_MAX)
		return sn_err_set(err, -ERANGE, "%.200s: more than %d elements", added->uri,
				  SN_MP_ELEMENTS_MAX);
	return 0;
}

static void retire(struct sn_mp_registries *registries, struct sn_mp_element *element)
{
	registries->retired = sn_xrealloc(registries->retired, registries->retired_count + 1,
					  sizeof(struct sn_mp_element *));
	registries->retired[registries->retired_count++] = element;
}

/* Puts what `added` says over `old`, and destroys `added`. */
static void merge(struct sn_mp_registries *registries, struct registry *old, struct registry *added)
{
	for (size_t i = 0; i < added->count; i++) {
		struct sn_mp_element *replaced = put_element(old, added->elements[i]);

		if (replaced != NULL)
			retire(registries, replaced);
	}
	added->count = 0;
	for (size_t i = 0; i < added->include_count; i++)
		if (!is_listed(old->includes, old->include_count, added->includes[i]))
			push(&old->includes, &old->include_count, added->includes[i]);
	old->revision = added->revision;
	registry_destroy(added);
}

int sn_mp_registries_add(struct sn_mp_registries *registries, struct sn_str json,
			 struct sn_err *err)
{
	struct registry *added, *old;
	int rc;

	added = read_registry(json, &rc, err);
	if (added == NULL)
		return rc;
	old = find_registry(registries, added->uri);
	rc = check_new(registries, added, old, err);
	if (rc != 0) {
		registry_destroy(added);
		return rc;
	}
	if (old == NULL)
		registries->items[registries->count++] = added;
	else
		merge(registries, old, added);
	find_closure(registries, old == NULL ? added : old);
	return 0;
}

struct sn_mp_registries *sn_mp_registries_create(void)
{
	struct sn_mp_registries *registries = sn_new(struct sn_mp_registries);

	for (size_t i = 0; i < sn_mp_builtin_count; i++) {
		struct sn_str json = {sn_mp_builtins[i].json, sn_mp_builtins[i].size};
		int rc = sn_mp_registries_add(registries, json, NULL);

		assert(rc == 0);
		(void)rc;
	}
	return registries;
}

void sn_mp_registries_destroy(struct sn_mp_registries *registries)
{
	if (registries == NULL)
		return;
	for (size_t i = 0; i < registries->count; i++)
		registry_destroy(registries->items[i]);
	for (size_t i = 0; i < registries->retired_count; i++)
		element_destroy(registries->retired[i]);
	free(registries->retired);
	free(registries);
}

size_t sn_mp_registries_count(const struct sn_mp_registries *registries)
{
	return registries->count;
}

const char *sn_mp_registries_uri(const struct sn_mp_registries *registries, size_t i)
{
	return i < registries->count ? registries->items[i]->uri : NULL;
}

bool sn_mp_registries_know(const struct sn_mp_registries *registries, const char *uri)
{
	return find_registry(registries, uri) != NULL;
}

/* Looking up -------------------------------------------------------------- */

static const struct sn_mp_element *find_from(const struct sn_mp_registries *registries,
					     const struct registry *first, const char *name)
{
	const struct sn_mp_element *element = NULL;

	if (first != NULL) {
		element = sn_map_get(first->by_name, name);
		for (size_t i = 0; element == NULL && i < first->closure_count; i++)
			element = sn_map_get(first->closure[i]->by_name, name);
	}
	for (size_t i = 0; element == NULL && i < registries->count; i++)
		element = sn_map_get(registries->items[i]->by_name, name);
	return element;
}

const struct sn_mp_element *sn_mp_element_find(const struct sn_mp_registries *registries,
					       const char *uri, const char *name)
{
	const struct registry *first = find_registry(registries, uri);
	const char *hash = strrchr(name, '#');
	const struct sn_mp_element *element;

	if (hash != NULL)
		name = hash + 1;
	element = find_from(registries, first, name);
	for (size_t i = 0; element == NULL && i < SN_COUNT(name_aliases); i++)
		if (strcmp(name, name_aliases[i].alias) == 0)
			element = find_from(registries, first, name_aliases[i].name);
	return element;
}

/* Writing ----------------------------------------------------------------- */

static void print_element(struct sn_jw *jw, const struct sn_mp_element *element)
{
	sn_jw_object(jw);
	sn_jw_kcstr(jw, "name", element->name);
	sn_jw_kcstr(jw, "prim", sn_mp_prim_name(element->prim));
	if (element->desc[0] != '\0')
		sn_jw_kcstr(jw, "desc", element->desc);
	sn_jw_object_end(jw);
}

int sn_mp_registries_print(const struct sn_mp_registries *registries, const char *uri,
			   struct sn_buf *out)
{
	const struct registry *registry = find_registry(registries, uri);
	struct sn_jw jw;

	if (registry == NULL)
		return -ENOENT;
	sn_jw_init(&jw, out);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "registry-format", FORMAT);
	sn_jw_kcstr(&jw, "registry-uri", registry->uri);
	sn_jw_ki64(&jw, "registry-revision", registry->revision);
	if (registry->include_count > 0) {
		sn_jw_key(&jw, "includes");
		sn_jw_array(&jw);
		for (size_t i = 0; i < registry->include_count; i++)
			sn_jw_cstr(&jw, registry->includes[i]);
		sn_jw_array_end(&jw);
	}
	sn_jw_key(&jw, "elements");
	sn_jw_array(&jw);
	for (size_t i = 0; i < registry->count; i++)
		print_element(&jw, registry->elements[i]);
	sn_jw_array_end(&jw);
	sn_jw_object_end(&jw);
	return 0;
}
