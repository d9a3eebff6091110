/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/profile.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/place.h"

#define MEMBER(name) offsetof(struct sn_profile, name)

static const struct sn_conf_key keys[] = {
	{.name = "url", .type = SN_CONF_TEXT, .offset = MEMBER(url), .help = "URL of the hub."},
	{.name = "token_file",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(token_file),
	 .optional = true,
	 .help = "File with the API token."},
	{.name = "ca_file",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(ca_file),
	 .optional = true,
	 .help = "CA certificate of the hub."},
	{.name = "cert_file",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(cert_file),
	 .optional = true,
	 .help = "Client certificate, in place of a token."},
	{.name = "key_file",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(key_file),
	 .optional = true,
	 .help = "Its key."},
};

static const struct sn_conf_schema schema = {
	.program = "sonde",
	.keys = keys,
	.key_count = SN_COUNT(keys),
	.struct_size = sizeof(struct sn_profile),
};

char *sn_profile_path(void)
{
	sn_autofree char *dir = sn_place_config_dir();

	return sn_fs_join(dir, "config.yaml");
}

/* Sections ------------------------------------------------------------------------------- */

/* Neither blank, nor a comment, nor the mark of a document: "NAME:" at the very left. */
static bool is_heading(struct sn_str line, struct sn_str *name)
{
	struct sn_str rest = sn_str_trim(line);
	const char *colon = memchr(line.p, ':', line.n);

	if (rest.n == 0 || line.p[0] == ' ' || line.p[0] == '#' || sn_str_has_prefix(line, "---") ||
	    sn_str_has_prefix(line, "..."))
		return false;
	*name = (struct sn_str){line.p, colon != NULL ? (size_t)(colon - line.p) : rest.n};
	return true;
}

/*
 * What stands below the heading, as a document of its own; each line before it is an empty one,
 * so that errors count lines as the file has them.
 */
static bool cut_section(struct sn_str text, const char *wanted, struct sn_buf *section,
			struct sn_buf *names)
{
	struct sn_str line, name;
	bool inside = false, found = false;

	while (sn_str_split(&text, '\n', &line)) {
		bool heading = is_heading(line, &name);

		if (heading) {
			inside = sn_str_eqc(name, wanted);
			found |= inside;
			sn_buf_addf(names, "%s%.*s", names->n > 0 ? ", " : "",
				    (int)SN_MIN(name.n, (size_t)60), name.p);
		}
		/* What follows on the line of the heading is left, too: it is refused by its place.
		 */
		if (inside && heading)
			line = sn_str_trim((struct sn_str){line.p + name.n + (name.n < line.n),
							   line.n - name.n - (name.n < line.n)});
		if (inside)
			sn_buf_add(section, line.p, line.n);
		sn_buf_addc(section, '\n');
	}
	return found;
}

/* Paths ---------------------------------------------------------------------------------- */

static void make_absolute(char **path)
{
	sn_autofree char *dir = sn_place_config_dir();
	char *whole;

	if (*path == NULL || **path == '/')
		return;
	whole = sn_fs_join(dir, *path);
	free(*path);
	*path = whole;
}

int sn_profile_find(const char *name, struct sn_profile *profile, struct sn_err *err)
{
	sn_autofree char *path = sn_profile_path();
	struct sn_buf text = {0}, section = {0}, names = {0};
	int rc;

	*profile = (struct sn_profile){0};
	rc = sn_fs_read(path, SN_PROFILE_FILE_MAX, &text, err);
	if (rc == -ENOENT)
		sn_err_set(err, rc, "there is no '%s'", path);
	else if (rc == 0 && !cut_section(sn_buf_str(&text), name, &section, &names))
		rc = sn_err_set(err, -ENOENT, "'%s' has %s%.200s", path,
				names.n > 0 ? "only " : "no profile",
				names.n > 0 ? sn_buf_cstr(&names) : "");
	else if (rc == 0)
		rc = sn_conf_load_text(&schema, path, sn_buf_str(&section), profile, err);
	sn_buf_finish(&text);
	sn_buf_finish(&section);
	sn_buf_finish(&names);
	if (rc != 0)
		return rc;
	make_absolute(&profile->token_file);
	make_absolute(&profile->ca_file);
	make_absolute(&profile->cert_file);
	make_absolute(&profile->key_file);
	return 0;
}

void sn_profile_finish(struct sn_profile *profile)
{
	sn_conf_release(&schema, profile);
}
