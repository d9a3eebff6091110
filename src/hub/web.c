/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "web"
#include "hub/web.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "hub/secret.h"

#define HASH_DIGITS 8 /* base64url, as the bundler writes it */

struct sn_web {
	char *dir;
	struct sn_map *files; /* by path below `dir` */
	struct timespec changed;
};

static const struct {
	const char *end, *type;
} types[] = {
	{".html", "text/html; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".mjs", "text/javascript; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".json", "application/json"},
	{".map", "application/json"},
	{".svg", "image/svg+xml"},
	{".png", "image/png"},
	{".ico", "image/x-icon"},
	{".webp", "image/webp"},
	{".woff2", "font/woff2"},
	{".txt", "text/plain; charset=utf-8"},
	{".webmanifest", "application/manifest+json"},
};

const char *sn_web_type(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && i < SN_COUNT(types); i++) {
		if (strcmp(dot, types[i].end) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

bool sn_web_name_is_hashed(const char *path)
{
	const char *name = strrchr(path, '/'), *dot;

	if (name == NULL || strncmp(path, "assets/", 7) != 0)
		return false;
	dot = strchr(name, '.');
	if (dot == NULL || dot - name < HASH_DIGITS + 2 || dot[-HASH_DIGITS - 1] != '-')
		return false;
	for (int i = 1; i <= HASH_DIGITS; i++) {
		if (!isalnum((unsigned char)dot[-i]) && dot[-i] != '_' && dot[-i] != '-')
			return false;
	}
	return true;
}

/* Reading the directory ----------------------------------------------------------- */

static void file_destroy(void *value)
{
	struct sn_web_file *file = value;

	free(file->path);
	free(file);
}

static void add_file(struct sn_web *web, const char *path, const char *below)
{
	struct sn_buf content = {0};
	uint8_t hash[SN_SECRET_HASH_SIZE];
	char digits[17];
	struct sn_web_file *file;
	sn_autofree char *twin = sn_xasprintf("%s.gz", path);

	if (sn_fs_read(path, SN_WEB_FILE_MAX, &content, NULL) != 0)
		return;
	file = sn_new(struct sn_web_file);
	file->path = sn_xstrdup(path);
	file->type = sn_web_type(below);
	file->size = content.n;
	file->immutable = sn_web_name_is_hashed(below);
	file->has_gzip = sn_fs_exists(twin);
	sn_secret_hash(sn_buf_str(&content), hash);
	snprintf(file->etag, sizeof(file->etag), "\"%s\"", sn_hex(hash, 8, digits));
	sn_buf_finish(&content);
	sn_map_set(web->files, below, file);
}

static void read_dir(struct sn_web *web, const char *path, const char *below, unsigned depth)
{
	DIR *dir = depth < SN_WEB_DEPTH_MAX ? opendir(path) : NULL;
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL && sn_map_count(web->files) < SN_WEB_FILES_MAX) {
		sn_autofree char *child = sn_fs_join(path, entry->d_name);
		sn_autofree char *name = below[0] != '\0' ? sn_fs_join(below, entry->d_name)
							  : sn_xstrdup(entry->d_name);
		size_t n = strlen(name);
		struct stat st;

		/* Links are left out: what is served lies below the directory. */
		if (entry->d_name[0] == '.' || lstat(child, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode))
			read_dir(web, child, name, depth + 1);
		else if (S_ISREG(st.st_mode) && !(n > 3 && strcmp(name + n - 3, ".gz") == 0))
			add_file(web, child, name);
	}
	closedir(dir);
}

static void read_again(struct sn_web *web)
{
	sn_autofree char *index = sn_fs_join(web->dir, "index.html");
	struct stat st;

	sn_map_destroy(web->files);
	web->files = sn_map_create(file_destroy);
	web->changed = (struct timespec){0};
	if (stat(index, &st) != 0)
		return;
	web->changed = st.st_mtim;
	read_dir(web, web->dir, "", 0);
	sn_info("web files were read dir=%s files=%zu", web->dir, sn_map_count(web->files));
}

static bool has_index(const char *dir)
{
	sn_autofree char *index = sn_fs_join(dir, "index.html");

	return sn_fs_exists(index);
}

/* Where it was installed; else where the build of this very program has put it. */
static char *find_dir(void)
{
	sn_autofree char *self = sn_fs_self_dir();
	sn_autofree char *built = self != NULL ? sn_fs_join(self, "../../web/dist") : NULL;

	if (!has_index(SONDE_WEB_DIR) && built != NULL && has_index(built))
		return sn_steal(&built);
	return sn_xstrdup(SONDE_WEB_DIR);
}

struct sn_web *sn_web_open(const char *dir)
{
	struct sn_web *web = sn_new(struct sn_web);

	web->dir = dir != NULL && dir[0] != '\0' ? sn_xstrdup(dir) : find_dir();
	read_again(web);
	return web;
}

void sn_web_close(struct sn_web *web)
{
	if (web == NULL)
		return;
	sn_map_destroy(web->files);
	free(web->dir);
	free(web);
}

bool sn_web_is_there(struct sn_web *web)
{
	sn_autofree char *index = sn_fs_join(web->dir, "index.html");
	struct stat st;

	if (stat(index, &st) != 0)
		st.st_mtim = (struct timespec){0};
	if (st.st_mtim.tv_sec != web->changed.tv_sec || st.st_mtim.tv_nsec != web->changed.tv_nsec)
		read_again(web);
	return sn_map_get(web->files, "index.html") != NULL;
}

const struct sn_web_file *sn_web_find(const struct sn_web *web, const char *path)
{
	return sn_map_get(web->files, path[0] != '\0' ? path : "index.html");
}
