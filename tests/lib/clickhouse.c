/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/clickhouse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define START_NS (120 * SN_NS_PER_S) /* on a machine where much else runs */

#define POLL_US    20000
#define ANSWER_MAX (1 << 20)

/* The root element is what servers of 2018 want, and later ones take. */
static const char config[] =
	"<yandex><logger><level>warning</level><log>%1$s/log/server.log</log>"
	"<errorlog>%1$s/log/errors.log</errorlog></logger>"
	"<http_port>%2$u</http_port><tcp_port>%3$u</tcp_port>"
	"<interserver_http_port>%4$u</interserver_http_port>"
	"<interserver_http_host>127.0.0.1</interserver_http_host>"
	"<listen_host>127.0.0.1</listen_host><max_connections>100</max_connections>"
	"<keep_alive_timeout>10</keep_alive_timeout>"
	"<max_concurrent_queries>32</max_concurrent_queries>"
	"<uncompressed_cache_size>0</uncompressed_cache_size>"
	"<mark_cache_size>67108864</mark_cache_size>"
	"<path>%1$s/data/</path><tmp_path>%1$s/tmp/</tmp_path>"
	"<user_files_path>%1$s/user_files/</user_files_path>"
	"<users_config>%1$s/users.xml</users_config>"
	"<default_profile>default</default_profile>"
	"<default_database>default</default_database><timezone>UTC</timezone></yandex>\n";

static const char users[] =
	"<yandex><profiles><default><max_memory_usage>2000000000</max_memory_usage>"
	"<max_threads>2</max_threads><background_pool_size>4</background_pool_size></default>"
	"</profiles><users>"
	"<default><password></password><networks><ip>127.0.0.1</ip></networks>"
	"<profile>default</profile><quota>default</quota></default>"
	"<reader><password>p@ss'word</password><networks><ip>127.0.0.1</ip></networks>"
	"<profile>default</profile><quota>default</quota></reader>"
	"</users><quotas><default><interval><duration>3600</duration><queries>0</queries>"
	"<errors>0</errors><result_rows>0</result_rows><read_rows>0</read_rows>"
	"<execution_time>0</execution_time></interval></default></quotas></yandex>\n";

static const char *program(void)
{
	static const char *const places[] = {"/usr/sbin/clickhouse-server",
					     "/usr/bin/clickhouse-server",
					     "/usr/local/bin/clickhouse-server"};

	for (size_t i = 0; i < SN_COUNT(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

bool clickhouse_is_installed(void)
{
	if (program() != NULL)
		return true;
	printf("# clickhouse-server is not installed\n");
	return false;
}

static struct sockaddr_in loopback(unsigned port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

unsigned free_port(void)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	sn_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) != 0)
		return 0;
	return ntohs(address.sin_port);
}

/* HTTP in its plainest form: the answer ends with the connection. */
static char *request(unsigned port, const char *head, const char *body)
{
	sn_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_sec = 60};
	struct sockaddr_in address = loopback(port);
	struct sn_buf text = {0};
	char piece[4096];
	char *end, *answer = NULL;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return NULL;
	sn_buf_addf(&text, "%s HTTP/1.0\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", head,
		    strlen(body), body);
	n = send(fd, text.p, text.n, MSG_NOSIGNAL);
	sn_buf_clear(&text);
	while (n > 0 && text.n < ANSWER_MAX && (n = recv(fd, piece, sizeof(piece), 0)) > 0)
		sn_buf_add(&text, piece, (size_t)n);
	sn_buf_cstr(&text);
	end = strstr(text.p, "\r\n\r\n");
	if (end != NULL && strncmp(text.p + strlen("HTTP/1.1"), " 200 ", 5) == 0)
		answer = sn_xstrdup(end + 4);
	sn_buf_finish(&text);
	return answer;
}

char *clickhouse_ask(const struct clickhouse *server, const char *sql)
{
	return request(server->http_port, "POST /?wait_end_of_query=1", sql);
}

static bool answers(const struct clickhouse *server)
{
	sn_autofree char *answer = request(server->http_port, "GET /ping", "");

	return answer != NULL && strcmp(answer, "Ok.\n") == 0;
}

static void write_file(const struct clickhouse *server, const char *name, const char *text)
{
	sn_autofree char *path = sn_fs_join(server->dir, name);
	FILE *file = fopen(path, "w");

	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
		fprintf(stderr, "cannot write '%s'\n", path);
		exit(1);
	}
}

static void make_directories(const struct clickhouse *server)
{
	static const char *const names[] = {"data", "tmp", "user_files", "log"};

	for (size_t i = 0; i < SN_COUNT(names); i++) {
		sn_autofree char *path = sn_fs_join(server->dir, names[i]);

		mkdir(path, 0700);
	}
}

bool clickhouse_create(struct clickhouse *server)
{
	const char *place = getenv("TMPDIR");
	sn_autofree char *text = NULL;

	*server = (struct clickhouse){.pid = 0};
	snprintf(server->dir, sizeof(server->dir), "%s/sonde-clickhouse-XXXXXX",
		 place != NULL && strlen(place) < 32 ? place : "/tmp");
	if (mkdtemp(server->dir) == NULL)
		return false;
	server->http_port = free_port();
	server->tcp_port = free_port();
	server->inter_port = free_port();
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u", server->http_port);
	snprintf(server->url_with_user, sizeof(server->url_with_user),
		 "http://reader:%s@127.0.0.1:%u/default", CLICKHOUSE_PASSWORD, server->http_port);
	make_directories(server);
	text = sn_xasprintf(config, server->dir, server->http_port, server->tcp_port,
			    server->inter_port);
	write_file(server, "config.xml", text);
	write_file(server, "users.xml", users);
	return clickhouse_start(server);
}

static void run(const struct clickhouse *server)
{
	sn_autofree char *argument = sn_xasprintf("--config-file=%s/config.xml", server->dir);
	sn_autofree char *log = sn_fs_join(server->dir, "log/stderr");
	int null = open("/dev/null", O_RDWR);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	execl(program(), "clickhouse-server", argument, (char *)NULL);
	_exit(127);
}

static bool has_ended(struct clickhouse *server)
{
	int status;

	if (server->pid > 0 && waitpid(server->pid, &status, WNOHANG) == server->pid)
		server->pid = 0;
	return server->pid == 0;
}

bool clickhouse_start(struct clickhouse *server)
{
	uint64_t end = sn_mono_ns() + START_NS;

	server->pid = fork();
	if (server->pid == 0)
		run(server);
	while (server->pid > 0 && sn_mono_ns() < end && !has_ended(server)) {
		if (answers(server))
			return true;
		usleep(POLL_US);
	}
	fprintf(stderr, "clickhouse-server does not answer; see '%s/log'\n", server->dir);
	return false;
}

void clickhouse_pause(struct clickhouse *server, bool pause)
{
	kill(server->pid, pause ? SIGSTOP : SIGCONT);
}

void clickhouse_kill(struct clickhouse *server)
{
	int status;

	if (server->pid <= 0)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, &status, 0);
	server->pid = 0;
}

void clickhouse_destroy(struct clickhouse *server)
{
	clickhouse_kill(server);
	if (server->dir[0] != '\0')
		sn_fs_remove_tree(server->dir, NULL);
}
