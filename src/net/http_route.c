/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths and patterns.  A target is split into segments before percent codes are
 * decoded (RFC 3986, section 2.2: an encoded delimiter is data), and whatever no
 * handler should have to think about is refused here: NUL, broken codes, bytes
 * that are not UTF-8, "." and "..".
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "net/http_server_internal.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes `text` to `out` (never longer) and terminates it; the end, or NULL. */
static char *decode(struct sn_str text, bool plus_is_space, char *out)
{
	char *start = out;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '%') {
			int high = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;

			if (low < 0 || (high == 0 && low == 0))
				return NULL;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		*out++ = c;
	}
	*out = '\0';
	return sn_utf8_valid(sn_str(start)) ? out + 1 : NULL;
}

static char *parse_path(struct sn_http_target *target, struct sn_str path, char *out)
{
	struct sn_str segment;

	while (sn_str_split(&path, '/', &segment)) {
		char *text = out;

		if (target->segment_count == SN_HTTP_SEGMENTS_MAX)
			return NULL;
		out = decode(segment, false, out);
		if (out == NULL || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
			return NULL;
		target->segments[target->segment_count++] = text;
	}
	return out;
}

static char *join_path(struct sn_http_target *target, char *out)
{
	target->path = out;
	for (unsigned i = 0; i < target->segment_count; i++) {
		*out++ = '/';
		out = stpcpy(out, target->segments[i]);
	}
	return out + 1;
}

static char *parse_query(struct sn_http_target *target, struct sn_str query, char *out)
{
	struct sn_str pair, name;

	while (out != NULL && sn_str_split(&query, '&', &pair)) {
		struct sn_http_pair *slot = &target->query[target->query_count];

		if (pair.n == 0)
			continue;
		if (target->query_count++ == SN_HTTP_QUERY_MAX)
			return NULL;
		sn_str_split(&pair, '=', &name);
		slot->name = out;
		out = decode(name, true, out);
		if (out == NULL)
			return NULL;
		slot->value = out - 1; /* "name" alone: the NUL that ends it is an empty text */
		if (pair.p != NULL) {
			slot->value = out;
			out = decode(pair, true, out);
		}
	}
	return out;
}

/* RFC 9112, section 3.2.2: a server takes the absolute form, too. */
static const char *skip_origin(const char *uri)
{
	const char *host = uri;

	if (strncasecmp(uri, "http://", 7) == 0)
		host += 7;
	else if (strncasecmp(uri, "https://", 8) == 0)
		host += 8;
	return host == uri ? uri : host + strcspn(host, "/?");
}

int sn_http_target_parse(const char *uri, struct sn_http_target *target)
{
	struct sn_str path, query = {NULL, 0};
	const char *mark;
	char *out;

	*target = (struct sn_http_target){0};
	uri = skip_origin(uri);
	if (uri[0] != '/' || strchr(uri, '#') != NULL)
		return -EINVAL;
	path = sn_str(uri + 1);
	mark = strchr(uri, '?');
	if (mark != NULL) {
		path.n = (size_t)(mark - uri) - 1;
		query = sn_str(mark + 1);
	}
	/* Segments with their ends, the joined path, names and values with theirs. */
	out = target->memory = sn_xmalloc(2 * (path.n + 2) + query.n + 2);
	out = parse_path(target, path, out);
	if (out != NULL)
		out = parse_query(target, query, join_path(target, out));
	if (out == NULL) {
		sn_http_target_release(target);
		return -EINVAL;
	}
	return 0;
}

void sn_http_target_release(struct sn_http_target *target)
{
	free(target->memory);
	*target = (struct sn_http_target){0};
}

/* Patterns --------------------------------------------------------------------- */

static bool is_rest(struct sn_str part)
{
	return part.n > 3 && part.p[0] == '{' && part.p[part.n - 2] == '*';
}

static bool is_param(struct sn_str part)
{
	return part.n > 2 && part.p[0] == '{';
}

static bool has_rest(const char *pattern)
{
	return is_rest(sn_str(strrchr(pattern, '/') + 1));
}

/* Everything from segment `from` on; NULL if a decoded slash would make it ambiguous. */
static char *join_rest(const struct sn_http_target *target, unsigned from)
{
	struct sn_buf out = {0};

	for (unsigned i = from; i < target->segment_count; i++) {
		if (strchr(target->segments[i], '/') != NULL) {
			sn_buf_finish(&out);
			return NULL;
		}
		if (i > from)
			sn_buf_addc(&out, '/');
		sn_buf_adds(&out, target->segments[i]);
	}
	sn_buf_cstr(&out);
	return out.p;
}

static void add_param(struct sn_http_match *match, struct sn_str name, const char *value)
{
	assert(match->param_count < SN_HTTP_PARAMS_MAX);
	match->params[match->param_count] = (struct sn_http_pair){name.p, value};
	match->name_sizes[match->param_count++] = name.n;
}

/* Does `pattern` fit?  Fills the parameters of `match`, which was zeroed or reset. */
static bool fits(const char *pattern, const struct sn_http_target *target,
		 struct sn_http_match *match)
{
	struct sn_str rest = sn_str(pattern + 1), part;
	unsigned i = 0;

	assert(pattern[0] == '/');
	match->param_count = 0;
	for (; sn_str_split(&rest, '/', &part); i++) {
		if (i >= target->segment_count)
			return false;
		if (is_rest(part)) {
			match->rest = join_rest(target, i);
			if (match->rest == NULL)
				return false;
			add_param(match, (struct sn_str){part.p + 1, part.n - 3}, match->rest);
			return true;
		}
		if (is_param(part) && target->segments[i][0] != '\0')
			add_param(match, (struct sn_str){part.p + 1, part.n - 2},
				  target->segments[i]);
		else if (!sn_str_eqc(part, target->segments[i]))
			return false;
	}
	return i == target->segment_count;
}

static bool method_fits(const struct sn_http_route *route, const char *method)
{
	return strcmp(route->method, method) == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

void sn_http_match_release(struct sn_http_match *match)
{
	free(match->rest);
	*match = (struct sn_http_match){0};
}

/* Among the routes with (or without) a rest; false if no pattern fits the path. */
static bool find_among(const struct sn_http_route *routes, size_t count, bool with_rest,
		       const char *method, const struct sn_http_target *target,
		       struct sn_http_match *match)
{
	bool known = false;

	for (size_t i = 0; i < count; i++) {
		if (has_rest(routes[i].pattern) != with_rest)
			continue;
		sn_http_match_release(match);
		if (!fits(routes[i].pattern, target, match))
			continue;
		known = true;
		if (method_fits(&routes[i], method)) {
			match->route = &routes[i];
			break;
		}
	}
	match->path_known = known;
	return known;
}

void sn_http_route_find(const struct sn_http_route *routes, size_t count, const char *method,
			const struct sn_http_target *target, struct sn_http_match *match)
{
	*match = (struct sn_http_match){0};
	if (!find_among(routes, count, false, method, target, match))
		find_among(routes, count, true, method, target, match);
}

static void allow(struct sn_buf *out, const char *method)
{
	size_t size = strlen(method);

	/* Said already?  Names of methods do not contain each other. */
	if (out->n > 0 && memmem(out->p, out->n, method, size) != NULL)
		return;
	if (out->n > 0)
		sn_buf_adds(out, ", ");
	sn_buf_add(out, method, size);
}

void sn_http_route_allow(const struct sn_http_route *routes, size_t count,
			 const struct sn_http_target *target, struct sn_buf *out)
{
	for (size_t i = 0; i < count; i++) {
		struct sn_http_match match = {0};

		if (fits(routes[i].pattern, target, &match)) {
			allow(out, routes[i].method);
			if (strcmp(routes[i].method, "GET") == 0)
				allow(out, "HEAD");
		}
		sn_http_match_release(&match);
	}
}
