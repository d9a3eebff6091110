/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/place.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/profile.h"
#include "demo/demo.h"

void sn_place_finish(struct sn_place *place)
{
	free(place->url);
	free(place->ca_file);
	free(place->cert_file);
	free(place->key_file);
	if (place->token != NULL)
		explicit_bzero(place->token, strlen(place->token));
	free(place->token);
	free(place->state_dir);
	*place = (struct sn_place){0};
}

/* An empty variable counts as unset (XDG Base Directory Specification). */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

static char *copy_or_null(const char *text)
{
	return text != NULL ? sn_xstrdup(text) : NULL;
}

static const char *home_dir(void)
{
	const char *home = variable("HOME");
	const struct passwd *entry = home == NULL ? getpwuid(geteuid()) : NULL;

	return home != NULL ? home : entry != NULL ? entry->pw_dir : "/";
}

char *sn_place_state_dir(void)
{
	const char *base = variable("XDG_STATE_HOME");

	if (base != NULL && base[0] == '/')
		return sn_fs_join(base, "sonde");
	return sn_xasprintf("%s/.local/state/sonde", home_dir());
}

char *sn_place_config_dir(void)
{
	const char *base = variable("XDG_CONFIG_HOME");

	if (base != NULL && base[0] == '/')
		return sn_fs_join(base, "sonde");
	return sn_xasprintf("%s/.config/sonde", home_dir());
}

static bool is_url(const char *text)
{
	return sn_str_has_prefix(sn_str(text), "http://") ||
	       sn_str_has_prefix(sn_str(text), "https://");
}

/* Paths are joined to it with a slash of their own. */
static char *copy_url(const char *text)
{
	size_t n = strlen(text);

	while (n > 0 && text[n - 1] == '/')
		n--;
	return sn_xstrndup(text, n);
}

static int take_members(const json_t *json, struct sn_place *place, struct sn_err *err)
{
	const char *url, *token;
	int64_t pid = 0;
	int rc;

	rc = sn_json_get_str(json, "url", &url, err);
	if (rc == 0)
		rc = sn_json_get_str(json, "token", &token, err);
	if (rc != 0)
		return rc;
	if (!is_url(url))
		return sn_err_set(err, -EINVAL, "member 'url' is no http or https URL");
	place->url = copy_url(url);
	place->token = sn_xstrdup(token);
	place->ca_file = copy_or_null(json_string_value(json_object_get(json, "ca_file")));
	place->state_dir = copy_or_null(json_string_value(json_object_get(json, "state_dir")));
	if (sn_json_get_i64(json, "pid", &pid, NULL) == 0 && pid > 0)
		place->pid = (pid_t)pid;
	place->local = true;
	return 0;
}

int sn_place_read(const char *path, struct sn_place *place, struct sn_err *err)
{
	struct sn_buf text = {0};
	sn_autojson json_t *json = NULL;
	int rc;

	*place = (struct sn_place){0};
	rc = sn_fs_read(path, SN_PLACE_FILE_MAX, &text, err);
	if (rc == 0) {
		json = sn_json_parse(text.p, text.n, err);
		rc = json == NULL ? -EINVAL : take_members(json, place, err);
		if (rc != 0)
			sn_err_wrap(err, "'%s'", path);
	}
	if (rc != 0)
		sn_place_finish(place);
	if (text.n > 0)
		explicit_bzero(text.p, text.n);
	sn_buf_finish(&text);
	return rc;
}

char *sn_place_announcement(void)
{
	const char *runtime = variable("XDG_RUNTIME_DIR");

	if (runtime != NULL)
		return sn_xasprintf("%s/sonde/hub.json", runtime);
	if (geteuid() == 0)
		return sn_xstrdup("/run/sonde/hub.json");
	return sn_xasprintf("%s/.local/state/sonde/hub.json", home_dir());
}

/* The hub.json of this user, of this machine for root, or of a demo; -ENOENT without one. */
static int read_local(struct sn_place *place, struct sn_err *err)
{
	sn_autofree char *state = sn_place_state_dir();
	/* Without a session of its own a program may look elsewhere than the hub did. */
	char *paths[] = {
		sn_place_announcement(),
		geteuid() == 0 ? sn_xstrdup("/run/sonde/hub.json") : NULL,
		sn_fs_join(state, "hub.json"),
		sn_xasprintf("%s/.local/state/sonde/hub.json", home_dir()),
		sn_demo_hub_file(),
	};
	int rc = -ENOENT;

	for (size_t i = 0; i < SN_COUNT(paths); i++) {
		if (rc == -ENOENT && paths[i] != NULL)
			rc = sn_place_read(paths[i], place, err);
		free(paths[i]);
	}
	return rc;
}

static int read_token(const char *path, struct sn_place *place, struct sn_err *err)
{
	struct sn_buf text = {0};
	struct sn_str token;
	int rc;

	rc = sn_fs_read(path, SN_PLACE_FILE_MAX, &text, err);
	if (rc != 0) {
		sn_err_wrap(err, "the token of the hub");
		return rc;
	}
	token = sn_str_trim(sn_buf_str(&text));
	for (size_t i = 0; i < token.n; i++)
		if ((unsigned char)token.p[i] <= ' ' || token.p[i] == 0x7f)
			rc = -EINVAL;
	if (token.n == 0)
		rc = -EINVAL;
	if (rc == 0)
		place->token = sn_xstrndup(token.p, token.n);
	else
		sn_err_set(err, rc, "'%s' does not hold a token (one word is expected)", path);
	explicit_bzero(text.p, text.n);
	sn_buf_finish(&text);
	return rc;
}

/* Without a token of its own a URL may be that of the hub on this machine. */
static int use(const struct sn_profile *profile, struct sn_place *place, struct sn_err *err)
{
	struct sn_place local;
	sn_autofree char *wanted = copy_url(profile->url);

	if (profile->token_file == NULL && read_local(&local, NULL) == 0) {
		if (strcmp(local.url, wanted) == 0) {
			*place = local;
			return 0;
		}
		sn_place_finish(&local);
	}
	*place = (struct sn_place){
		.url = sn_steal(&wanted),
		.ca_file = copy_or_null(profile->ca_file),
		.cert_file = copy_or_null(profile->cert_file),
		.key_file = copy_or_null(profile->key_file),
	};
	return profile->token_file != NULL ? read_token(profile->token_file, place, err) : 0;
}

/* What goes with a URL that stands alone. */
static struct sn_profile by_variables(const char *url)
{
	return (struct sn_profile){
		.url = sn_xstrdup(url),
		.token_file = copy_or_null(variable("SONDE_TOKEN_FILE")),
		.ca_file = copy_or_null(variable("SONDE_CA_FILE")),
		.cert_file = copy_or_null(variable("SONDE_CERT_FILE")),
		.key_file = copy_or_null(variable("SONDE_KEY_FILE")),
	};
}

/* `hub` is no URL, so it is a name. */
static int by_name(const char *hub, const char *origin, struct sn_profile *profile,
		   struct sn_err *err)
{
	struct sn_err why = {0};
	int rc = sn_profile_find(hub, profile, &why);

	if (rc == -ENOENT)
		return sn_err_set(err, -EDOM,
				  "%s: '%s' is neither a URL nor the name of a profile: %s (write "
				  "it like https://hub.example:8443)",
				  origin, hub, why.text);
	if (rc != 0)
		return sn_err_set(err, rc, "%s: %s", origin, why.text);
	if (!is_url(profile->url))
		return sn_err_set(err, -EINVAL,
				  "%s: profile '%s': '%s' is no URL (write it like "
				  "https://hub.example:8443)",
				  origin, hub, profile->url);
	return 0;
}

static int use_hub(const char *hub, const char *origin, struct sn_place *place, struct sn_err *err)
{
	struct sn_profile profile = {0};
	int rc = 0;

	if (is_url(hub))
		profile = by_variables(hub);
	else
		rc = by_name(hub, origin, &profile, err);
	if (rc == 0)
		rc = use(&profile, place, err);
	sn_profile_finish(&profile);
	return rc;
}

int sn_place_find(const char *hub, struct sn_place *place, struct sn_err *err)
{
	const char *wanted = hub != NULL ? hub : variable("SONDE_URL");
	int rc;

	*place = (struct sn_place){0};
	if (wanted != NULL) {
		rc = use_hub(wanted, hub != NULL ? "option '--hub'" : "SONDE_URL", place, err);
		if (rc != 0)
			sn_place_finish(place);
		return rc;
	}
	rc = read_local(place, err);
	if (rc == -ENOENT)
		sn_err_set(err, -ENOENT,
			   "no hub is known here (start one with 'sonde up', or name one with "
			   "'--hub URL' or SONDE_URL)");
	return rc;
}
