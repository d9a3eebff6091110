/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/run/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

#define WEB_DEPTH_MAX 8

static const char *const programs[] = {
	"sonde-hub", "sonde-node", "sonde-probe", "sonde-meter", "sonde-impair", "sonde-demo-host",
};

/* Takes `fd` over. */
static int add_file(struct sn_stage *stage, const char *path, int fd, bool executable,
		    struct sn_err *err)
{
	if (stage->count == SN_STAGE_FILES_MAX) {
		close(fd);
		return sn_err_set(err, -E2BIG, "more than %d files to copy", SN_STAGE_FILES_MAX);
	}
	stage->files[stage->count++] = (struct sn_stage_file){
		.path = sn_xstrdup(path), .fd = fd, .executable = executable};
	return 0;
}

static int add_program(struct sn_stage *stage, const char *dir, const char *name,
		       struct sn_err *err)
{
	sn_autofree char *source = sn_fs_join(dir, name);
	sn_autofree char *target = sn_fs_join("bin", name);
	int fd = open(source, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open program '%s' (is it installed?)",
				  source);
	return add_file(stage, target, fd, true, err);
}

static int add_dir(struct sn_stage *stage, int dir_fd, const char *target, unsigned depth,
		   struct sn_err *err);

static int add_entry(struct sn_stage *stage, int dir_fd, const char *name, const char *target,
		     unsigned depth, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(target, name);
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		int code = sn_err_sys(err, -errno, "cannot open web file '%s'", path);

		if (fd >= 0)
			close(fd);
		return code;
	}
	if (S_ISREG(st.st_mode))
		return add_file(stage, path, fd, false, err);
	if (S_ISDIR(st.st_mode) && depth < WEB_DEPTH_MAX)
		return add_dir(stage, fd, path, depth + 1, err);
	close(fd);
	return 0;
}

/* Takes `dir_fd` over. */
static int add_dir(struct sn_stage *stage, int dir_fd, const char *target, unsigned depth,
		   struct sn_err *err)
{
	DIR *dir = fdopendir(dir_fd);
	int code = 0;

	if (dir == NULL) {
		code = sn_err_sys(err, -errno, "cannot read web directory '%s'", target);
		close(dir_fd);
		return code;
	}
	for (struct dirent *entry = readdir(dir); entry != NULL && code == 0; entry = readdir(dir))
		if (entry->d_name[0] != '.')
			code = add_entry(stage, dirfd(dir), entry->d_name, target, depth, err);
	closedir(dir);
	return code;
}

/* Installed, else where the build of these programs puts it; without one the hub has a small page.
 */
static int open_web(const char *program_dir)
{
	sn_autofree char *built = sn_fs_join(program_dir, "../../web/dist");
	const char *const dirs[] = {SONDE_WEB_DIR, built};

	for (size_t i = 0; i < SN_COUNT(dirs); i++) {
		sn_autofree char *index = sn_fs_join(dirs[i], "index.html");

		if (sn_fs_exists(index))
			return open(dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return -1;
}

int sn_stage_open(struct sn_stage *stage, const char *program_dir, struct sn_err *err)
{
	int code = 0, web;

	stage->count = 0;
	for (size_t i = 0; i < SN_COUNT(programs) && code == 0; i++)
		code = add_program(stage, program_dir, programs[i], err);
	if (code != 0)
		return code;
	web = open_web(program_dir);
	stage->has_web = web >= 0;
	return web >= 0 ? add_dir(stage, web, "web", 0, err) : 0;
}

static int copy_content(int from, int to)
{
	off_t offset = 0;
	ssize_t done;

	do {
		done = sendfile(to, from, &offset, 1 << 24);
	} while (done > 0 || (done < 0 && errno == EINTR));
	return done == 0 ? 0 : -errno;
}

static int copy_file(const struct sn_stage_file *file, const char *state_dir, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(state_dir, file->path);
	sn_autofree char *dir = sn_xstrndup(path, (size_t)(strrchr(path, '/') - path));
	int code = sn_fs_mkdirs(dir, 0755, err);

	if (code != 0)
		return code;
	sn_autoclose int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file->executable ? 0755 : 0644);

	code = fd < 0 ? -errno : copy_content(file->fd, fd);
	if (code == 0 && fchmod(fd, file->executable ? 0755 : 0644) != 0)
		code = -errno;
	return code == 0 ? 0 : sn_err_sys(err, code, "cannot write '%s'", path);
}

int sn_stage_copy(const struct sn_stage *stage, const char *state_dir, struct sn_err *err)
{
	int code = 0;

	for (unsigned i = 0; i < stage->count && code == 0; i++)
		code = copy_file(&stage->files[i], state_dir, err);
	return code;
}

void sn_stage_close(struct sn_stage *stage)
{
	for (unsigned i = 0; i < stage->count; i++) {
		close(stage->files[i].fd);
		free(stage->files[i].path);
	}
	stage->count = 0;
}
