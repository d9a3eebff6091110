/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/secret.h"
#include "net/addr.h"

static void set(struct world *world, const char *key, const char *value)
{
	struct sn_err err = {0};

	if (sn_conf_set(&sn_hub_schema, &world->config, key, sn_str(value), &err) != 0)
		fail_msg("%s", err.text);
}

static void start_hub(struct world *world)
{
	struct sn_err err = {0};

	if (sn_hub_create(world->loop, &world->config, &world->hub, &err) != 0)
		fail_msg("%s", err.text);
}

void world_start(struct world *world, const char *const *settings)
{
	struct sn_err err = {0};

	*world = (struct world){0};
	snprintf(world->dir, sizeof(world->dir), "/tmp/sonde-hub-test-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	world->loop = sn_loop_create(NULL);
	assert_int_equal(sn_conf_defaults(&sn_hub_schema, &world->config, &err), 0);
	set(world, "state", world->dir);
	set(world, "listen", "127.0.0.1:0");
	set(world, "local", "127.0.0.1:0");
	set(world, "announce", "false");
	set(world, "log_level", "error");
	set(world, "web_dir", "/nonexistent");
	set(world, "retention_days", "0"); /* rows of the tests have fixed times */
	for (size_t i = 0; settings != NULL && settings[i] != NULL; i++) {
		const char *equals = strchr(settings[i], '=');
		char key[64];

		snprintf(key, sizeof(key), "%.*s", (int)(equals - settings[i]), settings[i]);
		set(world, key, equals + 1);
	}
	if (sn_hub_config_check(&world->config, &err) != 0)
		fail_msg("%s", err.text);
	start_hub(world);
}

void world_stop(struct world *world)
{
	sn_hub_destroy(world->hub);
	sn_loop_destroy(world->loop);
	sn_fs_remove_tree(world->dir, NULL);
	sn_conf_release(&sn_hub_schema, &world->config);
}

void world_restart(struct world *world)
{
	sn_hub_destroy(world->hub);
	start_hub(world);
}

void world_wait(struct world *world, uint64_t ns)
{
	uint64_t end_ns = sn_mono_ns() + ns;

	while (sn_mono_ns() < end_ns)
		sn_loop_turn(world->loop, 5 * SN_NS_PER_MS);
}

/* Plain HTTP ------------------------------------------------------------------- */

static int connect_plain(struct world *world)
{
	const struct sn_listener *listener = NULL;
	int fd;

	for (unsigned i = 0; i < world->hub->listener_count; i++) {
		if (!world->hub->listeners[i].tls)
			listener = &world->hub->listeners[i];
	}
	assert_non_null(listener);
	fd = socket(listener->addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &listener->addr.sa, listener->addr.length), 0);
	return fd;
}

static void send_request(struct world *world, int fd, enum as as, const char *version,
			 const char *method, const char *target, const char *headers,
			 const char *body)
{
	struct sn_buf text = {0};
	size_t sent = 0;

	sn_buf_addf(&text, "%s %s HTTP/%s\r\n", method, target, version);
	if (strstr(headers, "Host:") == NULL)
		sn_buf_adds(&text, "Host: localhost\r\n");
	if (as == AS_LOCAL)
		sn_buf_addf(&text, "Authorization: Bearer %s\r\n",
			    sn_people_local_token(world->hub->people));
	sn_buf_adds(&text, headers);
	if (body != NULL && strstr(headers, "Content-Type:") == NULL)
		sn_buf_adds(&text, "Content-Type: application/json\r\n");
	if (body != NULL)
		sn_buf_addf(&text, "Content-Length: %zu\r\n", strlen(body));
	sn_buf_addf(&text, "\r\n%s", body != NULL ? body : "");
	while (sent < text.n) {
		ssize_t n = send(fd, text.p + sent, text.n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else
			sn_loop_turn(world->loop, SN_NS_PER_MS);
	}
	sn_buf_finish(&text);
}

static void receive_all(struct world *world, int fd, struct sn_buf *out)
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	for (;;) {
		char piece[4096];
		ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

		if (n > 0)
			sn_buf_add(out, piece, (size_t)n);
		else if (n == 0)
			return;
		else if (sn_mono_ns() > end_ns)
			fail_msg("no answer");
		else
			sn_loop_turn(world->loop, 2 * SN_NS_PER_MS);
	}
}

/* Takes the lengths out of a chunked body, in place. */
static void join_chunks(char *body)
{
	char *out = body, *in = body;

	for (;;) {
		char *end;
		unsigned long n = strtoul(in, &end, 16);

		if (end == in || n == 0)
			break;
		in = end + 2;
		memmove(out, in, n);
		out += n;
		in += n + 2;
	}
	*out = '\0';
}

struct reply plain(struct world *world, enum as as, const char *method, const char *target,
		   const char *headers, const char *body)
{
	sn_autofree char *all = sn_xasprintf("Connection: close\r\n%s", headers);
	struct sn_buf text = {0};
	struct reply reply = {0};
	int fd = connect_plain(world);

	send_request(world, fd, as, "1.1", method, target, all, body);
	receive_all(world, fd, &text);
	close(fd);
	reply.text = sn_xstrdup(sn_buf_cstr(&text));
	sn_buf_finish(&text);
	assert_int_equal(sscanf(reply.text, "HTTP/1.1 %u", &reply.status), 1);
	reply.body = strstr(reply.text, "\r\n\r\n") + 4;
	if (strcasestr(reply.text, "Transfer-Encoding: chunked") != NULL)
		join_chunks(reply.body);
	reply.json = json_loads(reply.body, JSON_REJECT_DUPLICATES, NULL);
	return reply;
}

struct reply expect(struct world *world, enum as as, unsigned status, const char *method,
		    const char *target, const char *body)
{
	struct reply reply = plain(world, as, method, target, "", body);

	if (reply.status != status)
		fail_msg("%s %s: %u is not %u: %s", method, target, reply.status, status,
			 reply.body);
	return reply;
}

void reply_release(struct reply *reply)
{
	json_decref(reply->json);
	free(reply->text);
	*reply = (struct reply){0};
}

const char *reply_header(const struct reply *reply, const char *name)
{
	static char value[1024];
	sn_autofree char *line = sn_xasprintf("\r\n%s: ", name);
	const char *found = strcasestr(reply->text, line);

	if (found == NULL || found > reply->body)
		return NULL;
	found += strlen(line);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(found, "\r"), found);
	return value;
}

const char *code_of(const struct reply *reply)
{
	const char *code = json_string_value(json_object_get(reply->json, "code"));

	return code != NULL ? code : "";
}

int open_stream(struct world *world, enum as as, const char *target, const char *headers)
{
	int fd = connect_plain(world);

	/* The old version, because it does not cut the stream into chunks. */
	send_request(world, fd, as, "1.0", "GET", target, headers, NULL);
	return fd;
}

const char *read_stream(struct world *world, int fd, const char *wanted)
{
	static char text[1 << 20];
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;
	size_t n = 0;

	text[0] = '\0';
	while (sn_mono_ns() < end_ns && strstr(text, wanted) == NULL) {
		ssize_t got = recv(fd, text + n, sizeof(text) - n - 1, MSG_DONTWAIT);

		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
		else
			sn_loop_turn(world->loop, 2 * SN_NS_PER_MS);
		text[n] = '\0';
	}
	return text;
}

/* Nodes -------------------------------------------------------------------------- */

const char *make_token(struct world *world, unsigned seconds)
{
	static char token[SN_SECRET_SIZE + 128];
	sn_autofree char *body = sn_xasprintf("{\"expires_in\":%u}", seconds);
	struct reply reply = expect(world, AS_LOCAL, 201, "POST", "/api/v1/invites", body);

	snprintf(token, sizeof(token), "%s",
		 json_string_value(json_object_get(reply.json, "token")));
	reply_release(&reply);
	return token;
}

struct reply enrol(struct world *world, const char *token, const char *name, char **key_pem)
{
	struct sn_buf key = {0}, csr = {0};
	struct sn_err err = {0};
	sn_autojson json_t *body = NULL;
	sn_autofree char *text = NULL;

	assert_int_equal(sn_pki_key_generate(&key, &err), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(&key), "node", &csr, &err), 0);
	body = json_pack("{s:s, s:s, s:s}", "token", token, "name", name, "csr_pem",
			 sn_buf_cstr(&csr));
	text = json_dumps(body, 0);
	if (key_pem != NULL)
		*key_pem = sn_xstrdup(sn_buf_cstr(&key));
	sn_buf_finish(&key);
	sn_buf_finish(&csr);
	return plain(world, AS_NOBODY, "POST", "/api/v1/enrol", "", text);
}

void node_join(struct world *world, struct test_node *node, const char *name)
{
	sn_autofree char *key = NULL;
	struct reply reply = enrol(world, make_token(world, 600), name, &key);
	const char *cert = json_string_value(json_object_get(reply.json, "certificate_pem"));
	struct sn_http_client_config config = {.user_agent = "test"};

	assert_int_equal(reply.status, 201);
	*node = (struct test_node){0};
	snprintf(node->id, sizeof(node->id), "%s",
		 json_string_value(json_object_get(reply.json, "node")));
	snprintf(node->cert_file, sizeof(node->cert_file), "%s/%s.pem", world->dir, name);
	snprintf(node->key_file, sizeof(node->key_file), "%s/%s.key", world->dir, name);
	assert_int_equal(sn_fs_write_atomic(node->cert_file, cert, strlen(cert), 0600, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(node->key_file, key, strlen(key), 0600, NULL), 0);
	config.ca_file = sn_identity_ca_file(world->hub->identity);
	config.cert_file = node->cert_file;
	config.key_file = node->key_file;
	node->client = sn_http_client_create(world->loop, &config);
	reply_release(&reply);
}

void node_leave(struct test_node *node)
{
	sn_http_client_destroy(node->client);
	json_decref(node->json);
}

struct asked {
	struct test_node *node;
	bool done;
};

static void answered(struct sn_http_fetch *fetch, const struct sn_http_answer *answer, void *ctx)
{
	struct asked *asked = ctx;

	(void)fetch;
	asked->done = true;
	asked->node->error = answer->error;
	asked->node->status = answer->error == 0 ? answer->status : 0;
	json_decref(asked->node->json);
	asked->node->json = json_loadb(answer->body.p, answer->body.n, 0, NULL);
}

void node_ask(struct world *world, struct test_node *node, const char *method, const char *path,
	      const char *const *headers, const char *body)
{
	struct asked asked = {.node = node};
	char base[128], url[512];
	struct sn_http_fetch_spec spec = {
		.method = method,
		.url = url,
		.headers = headers,
		.body = body,
		.body_size = body != NULL ? strlen(body) : 0,
		.timeout_ns = TEST_PATIENCE_NS,
		.on_done = answered,
		.ctx = &asked,
	};

	sn_hub_loopback_url(world->hub, base, sizeof(base));
	snprintf(url, sizeof(url), "%s%s", base, path);
	assert_non_null(sn_http_fetch(node->client, &spec));
	test_until(asked.done, sn_loop_turn(world->loop, 2 * SN_NS_PER_MS));
	assert_true(asked.done);
}

void node_put(struct world *world, struct test_node *node, unsigned seq, const char *dataset,
	      unsigned rows, const char *body, const char *digest)
{
	char digits[2 * SN_SECRET_HASH_SIZE + 1], path[128], line[3][128];
	const char *headers[] = {line[0], line[1], line[2], NULL};
	uint8_t hash[SN_SECRET_HASH_SIZE];

	sn_secret_hash(sn_str(body), hash);
	snprintf(path, sizeof(path), "/api/v1/node/batches/" STREAM_ID "/%u", seq);
	snprintf(line[0], sizeof(line[0]), "Sonde-Dataset: %s", dataset);
	snprintf(line[1], sizeof(line[1]), "Sonde-Rows: %u", rows);
	snprintf(line[2], sizeof(line[2]), "Digest: sha-256=%s",
		 digest != NULL ? digest : sn_hex(hash, sizeof(hash), digits));
	node_ask(world, node, "PUT", path, headers, body);
}
