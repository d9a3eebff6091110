/* SPDX-License-Identifier: Apache-2.0 */
#include "priv/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "priv/link.h"

#define NETNS_DIR      "/run/netns"
#define NETNS_PATH_MAX 64

struct setting {
	const char *path, *value;
	bool may_lack; /* a kernel without IPv6 */
};

static const struct setting settings[] = {
	{"/proc/sys/net/ipv4/ip_forward", "1", false},
	{"/proc/sys/net/ipv4/ping_group_range", "0 2147483647", false},
	{"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", false},
	{"/proc/sys/net/ipv6/conf/all/forwarding", "1", true},
	{"/proc/sys/net/ipv6/conf/all/accept_dad", "0", true},
	{"/proc/sys/net/ipv6/conf/default/accept_dad", "0", true},
};

struct run {
	int netns_fd; /* -1: make a new one */
	sn_netns_fn *fn;
	void *arg;
	struct sn_err *err;
	int result;
};

static void netns_path(const char *name, char out[NETNS_PATH_MAX])
{
	snprintf(out, NETNS_PATH_MAX, NETNS_DIR "/%s", name);
}

static void *run_thread(void *arg)
{
	struct run *run = arg;
	int code = run->netns_fd < 0 ? unshare(CLONE_NEWNET) : setns(run->netns_fd, CLONE_NEWNET);

	if (code != 0)
		run->result = sn_err_sys(run->err, -errno, "cannot enter network namespace");
	else
		run->result = run->fn(run->arg, run->err);
	return NULL;
}

static int run_on_thread(struct run *run)
{
	pthread_t thread;
	int code = pthread_create(&thread, NULL, run_thread, run);

	if (code != 0)
		return sn_err_sys(run->err, -code, "cannot start a thread");
	pthread_join(thread, NULL);
	return run->result;
}

int sn_netns_run(int netns_fd, sn_netns_fn *fn, void *arg, struct sn_err *err)
{
	struct run run = {.netns_fd = netns_fd, .fn = fn, .arg = arg, .err = err};

	return run_on_thread(&run);
}

int sn_netns_open(const char *name, struct sn_err *err)
{
	char path[NETNS_PATH_MAX];

	netns_path(name, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? fd : sn_err_sys(err, -errno, "cannot open network namespace '%s'", name);
}

int sn_netns_run_named(const char *name, sn_netns_fn *fn, void *arg, struct sn_err *err)
{
	sn_autoclose int fd = sn_netns_open(name, err);

	return fd < 0 ? fd : sn_netns_run(fd, fn, arg, err);
}

static int apply_setting(const struct setting *setting, struct sn_err *err)
{
	sn_autoclose int fd = open(setting->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && setting->may_lack)
		return 0;
	if (fd < 0 || write(fd, setting->value, strlen(setting->value)) < 0)
		return sn_err_sys(err, -errno, "cannot set '%s'", setting->path);
	return 0;
}

/* On a fresh thread in a fresh namespace: name it, then make it usable. */
static int fill_new(void *arg, struct sn_err *err)
{
	const char *path = arg;
	int code = 0;

	if (mount("/proc/thread-self/ns/net", path, "none", MS_BIND, NULL) != 0)
		return sn_err_sys(err, -errno, "cannot mount a network namespace on '%s'", path);
	for (size_t i = 0; i < SN_COUNT(settings) && code == 0; i++)
		code = apply_setting(&settings[i], err);
	return code != 0 ? code : sn_link_set_here("lo", true, err);
}

/* As `ip netns` does it: a shared mount, so that other mount namespaces see what comes and goes. */
static int make_dir(struct sn_err *err)
{
	if (mkdir(NETNS_DIR, 0755) != 0 && errno != EEXIST)
		return sn_err_sys(err, -errno, "cannot make directory '%s'", NETNS_DIR);
	if (mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	if (errno != EINVAL || mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, NULL) != 0 ||
	    mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) != 0)
		return sn_err_sys(err, -errno, "cannot share mount '%s'", NETNS_DIR);
	return 0;
}

int sn_netns_create(const char *name, struct sn_err *err)
{
	char path[NETNS_PATH_MAX];
	int code = make_dir(err);

	if (code != 0)
		return code;
	netns_path(name, path);
	sn_autoclose int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot make network namespace '%s'", name);

	struct run run = {.netns_fd = -1, .fn = fill_new, .arg = path, .err = err};

	code = run_on_thread(&run);
	if (code != 0)
		sn_netns_delete(name, NULL);
	return code;
}

int sn_netns_delete(const char *name, struct sn_err *err)
{
	char path[NETNS_PATH_MAX];

	netns_path(name, path);
	/* EINVAL: the name is a file without a mount, what a crash in the middle leaves. */
	if (umount2(path, MNT_DETACH) != 0 && errno != EINVAL)
		return sn_err_sys(err, -errno, "cannot unmount network namespace '%s'", name);
	if (unlink(path) != 0)
		return sn_err_sys(err, -errno, "cannot remove network namespace '%s'", name);
	return 0;
}

int sn_netns_sweep(const char *prefix, struct sn_err *err)
{
	DIR *dir = opendir(NETNS_DIR);
	int code = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : sn_err_sys(err, -errno, "cannot read '%s'", NETNS_DIR);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
		    strlen(entry->d_name) >= NETNS_PATH_MAX - sizeof(NETNS_DIR))
			continue;
		int one = sn_netns_delete(entry->d_name, err);

		code = code == 0 ? one : code;
	}
	closedir(dir);
	return code;
}
