/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "run"
#include "node/run/meters.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "priv/client.h"

#define KEEP_HOURS "3"

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

/* Control ------------------------------------------------------------------- */

/* Part of a path, and no other. */
static bool is_plain(const char *interface)
{
	return interface[0] != '\0' && interface[0] != '.' && strchr(interface, '/') == NULL;
}

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

/* malloc'ed; NULL if no socket can be there. */
static char *socket_path(const char *dir, const char *interface)
{
	char *path = sn_xasprintf("%s/%s.sock", dir, interface);

	if (strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return path;
	sn_warn("a meter cannot be switched: its socket's path is too long path=%s", path);
	free(path);
	return NULL;
}

/* The one that listens, whoever it is. */
static void hand_control(struct sn_handed *handed, const char *dir, const char *interface)
{
	sn_autofree char *path = socket_path(dir, interface);

	mkdir(dir, 0700);
	if (path != NULL && !is_answered(path))
		sn_handed_add(handed, "--control", path);
}

/* Name of the only socket there is, without its ending; "" if there are none or several. */
static void only_interface(const char *dir, char out[NAME_MAX + 1])
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	unsigned count = 0;

	out[0] = '\0';
	while (list != NULL && (entry = readdir(list)) != NULL) {
		size_t n = strlen(entry->d_name);

		if (n <= 5 || strcmp(entry->d_name + n - 5, ".sock") != 0)
			continue;
		snprintf(out, NAME_MAX + 1, "%.*s", (int)(n - 5), entry->d_name);
		count++;
	}
	if (list != NULL)
		closedir(list);
	if (count > 1)
		out[0] = '\0';
}

static void hand_control_of_other(struct sn_handed *handed, const char *dir, const char *interface)
{
	char only[NAME_MAX + 1] = "";
	sn_autofree char *path = NULL;

	if (interface == NULL)
		only_interface(dir, only);
	path = socket_path(dir, interface != NULL ? interface : only);
	if (path != NULL)
		sn_handed_add(handed, "--control", path);
}

/* Logs ------------------------------------------------------------------------ */

static void hand_logs(struct sn_handed *handed, const char *dir, const char *interface)
{
	sn_autofree char *logs = sn_fs_join(dir, "logs");
	sn_autofree char *path = sn_fs_join(logs, interface);

	mkdir(dir, 0700);
	mkdir(logs, 0755);
	sn_handed_add(handed, "--directory", path);
	sn_handed_add(handed, "--keep", KEEP_HOURS);
}

void sn_meters_hand(struct sn_handed *handed, const struct sn_method *method,
		    const json_t *parameters, const char *priv_socket, const char *dir,
		    const char *name)
{
	const char *interface = json_string_value(json_object_get(parameters, "interface"));

	if (interface != NULL && !is_plain(interface))
		return;
	if (is(method, &sn_method_meter_switch) && dir[0] != '\0')
		hand_control_of_other(handed, dir, interface);
	if (!does_capture(method) || interface == NULL)
		return;
	if (priv_socket[0] != '\0')
		hand_capture(handed, priv_socket, interface, name);
	if (dir[0] == '\0')
		return;
	hand_control(handed, dir, interface);
	if (is(method, &sn_method_tstat))
		hand_logs(handed, dir, interface);
}
