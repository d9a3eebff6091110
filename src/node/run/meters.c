/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "run"
#include "node/run/meters.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "priv/client.h"

#define CONTROL          "control"
#define LOGS             "tstat"
#define KEEP_DIRECTORIES "3"

static bool is(const struct sn_method *method, const struct sn_method *other)
{
	return method == other;
}

static bool does_capture(const struct sn_method *method)
{
	return is(method, &sn_method_flow) || is(method, &sn_method_tstat);
}

/* Capture ------------------------------------------------------------------ */

static void hand_capture(struct sn_handed *handed, const char *priv_socket, const char *interface,
			 const char *name)
{
	struct sn_priv *priv;
	struct sn_err err = {0};
	int fd = sn_priv_connect(priv_socket, &priv, &err);

	if (fd == 0) {
		fd = sn_priv_capture_socket(priv, "", interface, &err);
		sn_priv_close(priv);
	}
	if (fd >= 0)
		sn_handed_add_fd(handed, "--capture-fd", "", fd);
	else
		sn_warn("no capture socket from the root helper; the meter tries by itself for=%s "
			"reason=\"%s\"",
			name, err.text);
}

/* Names ---------------------------------------------------------------------- */

/* Part of a path, and no other. */
static bool is_plain(const char *interface)
{
	return interface[0] != '\0' && interface[0] != '.' && strchr(interface, '/') == NULL;
}

/* malloc'ed; NULL if no socket can be there. */
static char *socket_path(const char *dir, const char *interface)
{
	char *path = sn_xasprintf("%s/" CONTROL "/%s.sock", dir, interface);

	if (strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return path;
	sn_warn("meters cannot be switched: a socket's path would be too long path=%s", path);
	free(path);
	return NULL;
}

/* A socket alone tells nothing: a meter that was killed leaves it behind. */
static bool is_answered(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool answered;

	memcpy(address.sun_path, path, strlen(path) + 1);
	answered = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0)
		close(fd);
	return answered;
}

/* Rows ----------------------------------------------------------------------- */

/* By itself sonde-meter has rows of flows. */
static void hand_datasets(struct sn_handed *handed, const json_t *parameters)
{
	if (json_object_get(parameters, "datasets") == NULL)
		sn_handed_add(handed, "--datasets",
			      sn_method_param(&sn_method_tstat, "datasets")->default_text);
}

/* Logs and their control ------------------------------------------------------- */

/* A second meter of the same interface has rows only: both would write the same files. */
static void hand_logs(struct sn_handed *handed, const char *dir, const char *interface)
{
	sn_autofree char *control = sn_fs_join(dir, CONTROL);
	sn_autofree char *logs = sn_fs_join(dir, LOGS);
	sn_autofree char *path = sn_fs_join(logs, interface);
	sn_autofree char *conf = sn_fs_join(dir, "runtime.conf");
	sn_autofree char *socket = socket_path(dir, interface);

	if (socket != NULL && is_answered(socket))
		return;
	mkdir(dir, 0755);
	mkdir(control, 0700);
	mkdir(logs, 0755);
	if (socket != NULL)
		sn_handed_add(handed, "--control", socket);
	sn_handed_add(handed, "--directory", path);
	sn_handed_add(handed, "--keep", KEEP_DIRECTORIES);
	if (access(conf, F_OK) == 0)
		sn_handed_add(handed, "--runtime-conf", conf);
}

/* Switching --------------------------------------------------------------------- */

static bool is_running(const char *dir, const char *interface)
{
	sn_autofree char *path = socket_path(dir, interface);

	return path != NULL && is_answered(path);
}

/* How many meters answer; `out` is the interface of one of them. */
static unsigned count_running(const char *dir, char out[NAME_MAX + 1])
{
	sn_autofree char *control = sn_fs_join(dir, CONTROL);
	DIR *list = opendir(control);
	struct dirent *entry;
	unsigned count = 0;

	while (list != NULL && (entry = readdir(list)) != NULL) {
		char interface[NAME_MAX + 1];
		size_t n = strlen(entry->d_name);

		if (n <= 5 || strcmp(entry->d_name + n - 5, ".sock") != 0)
			continue;
		snprintf(interface, sizeof(interface), "%.*s", (int)(n - 5), entry->d_name);
		if (!is_running(dir, interface))
			continue;
		memcpy(out, interface, sizeof(interface));
		count++;
	}
	if (list != NULL)
		closedir(list);
	return count;
}

static int hand_switch(struct sn_handed *handed, const char *dir, const char *interface,
		       struct sn_err *err)
{
	char only[NAME_MAX + 1] = "";
	unsigned running = dir[0] == '\0'        ? 0
			   : interface == NULL   ? count_running(dir, only)
			   : is_plain(interface) ? is_running(dir, interface)
						 : 0;
	sn_autofree char *path = NULL;

	if (running == 0)
		return sn_err_set(err, -ENOENT,
				  "cannot switch logs: no meter writes any%s%.32s (start method "
				  "tstat)",
				  interface != NULL ? " of " : "",
				  interface != NULL ? interface : "");
	if (running > 1)
		return sn_err_set(err, -EINVAL,
				  "cannot switch logs: %u meters write some (name the interface of "
				  "one)",
				  running);
	path = socket_path(dir, interface != NULL ? interface : only);
	if (path != NULL)
		sn_handed_add(handed, "--control", path);
	return 0;
}

int sn_meters_hand(struct sn_handed *handed, const struct sn_method *method,
		   const json_t *parameters, const char *priv_socket, const char *dir,
		   const char *name, struct sn_err *err)
{
	const char *interface = json_string_value(json_object_get(parameters, "interface"));

	if (is(method, &sn_method_meter_switch))
		return hand_switch(handed, dir, interface, err);
	if (!does_capture(method) || interface == NULL || !is_plain(interface))
		return 0;
	if (priv_socket[0] != '\0')
		hand_capture(handed, priv_socket, interface, name);
	if (is(method, &sn_method_tstat))
		hand_datasets(handed, parameters);
	if (is(method, &sn_method_tstat) && dir[0] != '\0')
		hand_logs(handed, dir, interface);
	return 0;
}
