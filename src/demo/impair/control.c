/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/impair/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"

#define ASK_SECONDS 5

struct client {
	struct sn_list link;
	struct sn_control *control;
	struct sn_io io;
	int fd;
	struct sn_buf in, out;
};

struct sn_control {
	struct sn_loop *loop;
	struct sn_relay *relay;
	char *path;
	int listener;
	struct sn_io io;
	struct sn_list clients;
	unsigned client_count;
};

/* Requests ---------------------------------------------------------------- */

static int take_direction(const json_t *request, enum sn_direction *which, struct sn_err *err)
{
	const char *text = "both";
	int code = sn_json_get_str(request, "direction", &text, err);

	if (code != 0 && code != -ENOENT)
		return code;
	*which = strcmp(text, "ab") == 0 ? SN_AB : strcmp(text, "ba") == 0 ? SN_BA : SN_BOTH;
	if (*which == SN_BOTH && strcmp(text, "both") != 0)
		return sn_err_set(err, -EINVAL, "'%.20s' is no direction (ab, ba or both)", text);
	return 0;
}

/* All values or none: they are tried on a shape of nobody first. */
static int check_values(json_t *values, struct sn_err *err)
{
	struct sn_impair_shape scratch = {0};
	const char *key;
	json_t *value;

	if (json_object_size(values) == 0)
		return sn_err_set(err, -EINVAL, "'values' with at least one key is missing");
	json_object_foreach (values, key, value) {
		const char *text = json_string_value(value);
		int code = text == NULL
				   ? sn_err_set(err, -EINVAL, "value of '%.40s' is no text", key)
				   : sn_impair_shape_set(&scratch, sn_str(key), sn_str(text), err);

		if (code != 0)
			return code;
	}
	return 0;
}

static int do_set(struct sn_relay *relay, json_t *request, struct sn_jw *jw SN_UNUSED,
		  struct sn_err *err)
{
	json_t *values = json_object_get(request, "values"), *value;
	const char *link = NULL, *key;
	enum sn_direction which = SN_BOTH;
	int code = sn_json_get_str(request, "link", &link, err);

	if (code == 0)
		code = take_direction(request, &which, err);
	if (code == 0)
		code = check_values(values, err);
	if (code != 0)
		return code;
	json_object_foreach (values, key, value)
		if (code == 0)
			code = sn_relay_set(relay, link, which, sn_str(key),
					    sn_str(json_string_value(value)), err);
	return code;
}

/* Absent means all links. */
static int optional_link(const json_t *request, const char **link, struct sn_err *err)
{
	int code = sn_json_get_str(request, "link", link, err);

	return code == -ENOENT ? 0 : code;
}

static int do_reset(struct sn_relay *relay, json_t *request, struct sn_jw *jw SN_UNUSED,
		    struct sn_err *err)
{
	const char *link = NULL;
	int code = optional_link(request, &link, err);

	return code != 0 ? code : sn_relay_reset(relay, link, err);
}

static int do_show(struct sn_relay *relay, json_t *request, struct sn_jw *jw, struct sn_err *err)
{
	const char *link = NULL;
	int code = optional_link(request, &link, err);

	if (code != 0)
		return code;
	sn_jw_key(jw, "links");
	sn_jw_array(jw);
	code = sn_relay_write(relay, link, jw, err);
	sn_jw_array_end(jw);
	return code;
}

static const struct {
	const char *name;
	int (*run)(struct sn_relay *relay, json_t *request, struct sn_jw *jw, struct sn_err *err);
} operations[] = {{"set", do_set}, {"reset", do_reset}, {"show", do_show}};

static int perform(struct sn_relay *relay, struct sn_str line, struct sn_jw *jw, struct sn_err *err)
{
	sn_autojson json_t *request = sn_json_parse(line.p, line.n, err);
	const char *op = NULL;
	int code;

	if (request == NULL)
		return err->code;
	code = sn_json_get_str(request, "op", &op, err);
	if (code != 0)
		return code;
	for (size_t i = 0; i < SN_COUNT(operations); i++)
		if (strcmp(operations[i].name, op) == 0)
			return operations[i].run(relay, request, jw, err);
	return sn_err_set(err, -EINVAL, "unknown operation '%.40s' (set, reset or show)", op);
}

void sn_control_answer(struct sn_relay *relay, struct sn_str line, struct sn_buf *out)
{
	struct sn_err err = {0};
	size_t start = out->n;
	struct sn_jw jw;

	sn_jw_init(&jw, out);
	sn_jw_object(&jw);
	sn_jw_kbool(&jw, "ok", true);
	if (perform(relay, line, &jw, &err) != 0) {
		out->n = start;
		sn_jw_init(&jw, out);
		sn_jw_object(&jw);
		sn_jw_kbool(&jw, "ok", false);
		sn_jw_kcstr(&jw, "error", err.text);
		sn_jw_ki64(&jw, "code", err.code);
	}
	sn_jw_object_end(&jw);
	sn_buf_addc(out, '\n');
}

/* Connections --------------------------------------------------------------- */

static void client_destroy(struct client *client)
{
	sn_io_stop(&client->io);
	sn_list_remove(&client->link);
	client->control->client_count--;
	sn_buf_finish(&client->in);
	sn_buf_finish(&client->out);
	close(client->fd);
	free(client);
}

/* False if the client is gone. */
static bool flush(struct client *client)
{
	while (client->out.n > 0) {
		ssize_t done =
			send(client->fd, client->out.p, client->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (done < 0 && errno == EAGAIN)
			break;
		if (done < 0)
			return false;
		sn_buf_drop(&client->out, (size_t)done);
	}
	/* No new request is read before the answers to the old ones are gone. */
	return sn_io_start(&client->io, client->out.n > 0 ? SN_IO_WRITE : SN_IO_READ) == 0;
}

static bool read_requests(struct client *client)
{
	char data[SN_CONTROL_LINE_MAX];
	ssize_t got = recv(client->fd, data, sizeof(data), MSG_DONTWAIT);
	char *end;

	if (got < 0 && errno == EAGAIN)
		return true;
	if (got <= 0)
		return false;
	sn_buf_add(&client->in, data, (size_t)got);
	while (client->in.n > 0 && (end = memchr(client->in.p, '\n', client->in.n)) != NULL) {
		size_t size = (size_t)(end - client->in.p);

		sn_control_answer(client->control->relay, (struct sn_str){client->in.p, size},
				  &client->out);
		sn_buf_drop(&client->in, size + 1);
	}
	return client->in.n <= SN_CONTROL_LINE_MAX;
}

static void client_ready(struct sn_io *io, int events)
{
	struct client *client = sn_container_of(io, struct client, io);

	if (((events & SN_IO_READ) != 0 && !read_requests(client)) || !flush(client))
		client_destroy(client);
}

static void accept_client(struct sn_io *io, int events SN_UNUSED)
{
	struct sn_control *control = sn_container_of(io, struct sn_control, io);
	int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client;

	if (fd < 0)
		return;
	if (control->client_count >= SN_CONTROL_CLIENTS_MAX) {
		close(fd);
		return;
	}
	client = sn_new(struct client);
	client->control = control;
	client->fd = fd;
	sn_list_append(&control->clients, &client->link);
	control->client_count++;
	sn_io_init(&client->io, control->loop, fd, client_ready);
	if (sn_io_start(&client->io, SN_IO_READ) != 0)
		client_destroy(client);
}

static int make_address(const char *path, struct sockaddr_un *address, struct sn_err *err)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return sn_err_set(err, -ENAMETOOLONG,
				  "socket path '%s' is longer than %zu characters", path,
				  sizeof(address->sun_path) - 1);
	strcpy(address->sun_path, path);
	return 0;
}

/* A socket file that nobody listens behind is left from a crash. */
static int listen_at(const char *path, mode_t mode, struct sn_err *err)
{
	struct sockaddr_un address;
	int code = make_address(path, &address, err);
	struct stat st;

	if (code != 0)
		return code;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	sn_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || fchmod(fd, mode) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, SN_CONTROL_CLIENTS_MAX) != 0)
		return sn_err_sys(err, -errno, "cannot listen on '%s'", path);
	return sn_steal_fd(&fd);
}

int sn_control_create(struct sn_loop *loop, struct sn_relay *relay, const char *path, mode_t mode,
		      struct sn_control **out, struct sn_err *err)
{
	int fd = listen_at(path, mode, err);
	struct sn_control *control;
	int code;

	if (fd < 0)
		return fd;
	control = sn_new(struct sn_control);
	*control = (struct sn_control){
		.loop = loop, .relay = relay, .path = sn_xstrdup(path), .listener = fd};
	sn_list_init(&control->clients);
	sn_io_init(&control->io, loop, fd, accept_client);
	code = sn_io_start(&control->io, SN_IO_READ);
	if (code != 0) {
		sn_control_destroy(control);
		return sn_err_sys(err, code, "cannot watch '%s'", path);
	}
	*out = control;
	return 0;
}

void sn_control_destroy(struct sn_control *control)
{
	if (control == NULL)
		return;
	sn_list_for_each (node, &control->clients)
		client_destroy(sn_list_entry(node, struct client, link));
	sn_io_stop(&control->io);
	close(control->listener);
	unlink(control->path);
	free(control->path);
	free(control);
}

/* The asking side ----------------------------------------------------------- */

static int connect_to(const char *path, struct sn_err *err)
{
	struct timeval limit = {.tv_sec = ASK_SECONDS};
	struct sockaddr_un address;
	int code = make_address(path, &address, err);

	if (code != 0)
		return code;
	sn_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return sn_err_sys(err, -errno, "cannot connect to '%s'", path);
	return sn_steal_fd(&fd);
}

static int exchange(int fd, struct sn_buf *text, struct sn_err *err)
{
	char data[16384];
	ssize_t done = send(fd, text->p, text->n, MSG_NOSIGNAL);

	if (done != (ssize_t)text->n)
		return sn_err_sys(err, done < 0 ? -errno : -EIO, "cannot send the request");
	sn_buf_clear(text);
	while (text->n == 0 || text->p[text->n - 1] != '\n') {
		done = recv(fd, data, sizeof(data), 0);
		if (done <= 0)
			return sn_err_sys(err, done < 0 ? -errno : -EPIPE, "no answer came");
		if (text->n + (size_t)done > SN_CONTROL_ANSWER_MAX)
			return sn_err_set(err, -EMSGSIZE, "the answer is too long");
		sn_buf_add(text, data, (size_t)done);
	}
	return 0;
}

static int check_answer(const json_t *answer, struct sn_err *err)
{
	bool ok = false;
	const char *text = "no reason given";
	int64_t number = -EINVAL;
	int code = sn_json_get_bool(answer, "ok", &ok, err);

	if (code != 0 || ok)
		return code;
	sn_json_get_str(answer, "error", &text, NULL);
	sn_json_get_i64(answer, "code", &number, NULL);
	return sn_err_set(err, number < 0 && number > -4096 ? (int)number : -EINVAL, "%s", text);
}

int sn_control_ask(const char *path, json_t *request, json_t **answer, struct sn_err *err)
{
	sn_autofree char *line = json_dumps(request, JSON_COMPACT);
	sn_autoclose int fd = connect_to(path, err);
	sn_autojson json_t *reply = NULL;
	struct sn_buf text = {0};
	int code = fd < 0 ? fd : 0;

	json_decref(request);
	sn_buf_addf(&text, "%s\n", line);
	if (code == 0)
		code = exchange(fd, &text, err);
	if (code == 0) {
		reply = sn_json_parse(text.p, text.n, err);
		code = reply == NULL ? err->code : check_answer(reply, err);
	}
	sn_buf_finish(&text);
	if (code == 0)
		*answer = sn_steal(&reply);
	return code;
}
