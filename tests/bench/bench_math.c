/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs over loopback: a probe in a process of its own serves files by TLS with certificates
 * on both sides (and plain), this one fetches them into files and verifies their digests.
 * Beside it the floor of the same run: libcurl writing the same bytes from the same probe to
 * a file, nothing verified; and plain sendfile(2) into a loop of read and write.
 * Argument: megabytes of each of the four files (256).
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/pki.h"
#include "transfer/link.h"
#include "transfer/probe.h"

#define FILES 4
#define BLOCK (1024 * 1024)
#define DAY   86400

static char dir[] = "/tmp/sonde-bench-math-XXXXXX";
static size_t megabytes = 256;

struct site {
	struct sn_addr addr;
	pid_t pid;
	char url[64];
	bool tls;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_math: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *in_dir(const char *name)
{
	return sn_fs_join(dir, name);
}

/* What is served ------------------------------------------------------------------------ */

static void make_files(void)
{
	char *block = sn_xmalloc(BLOCK);

	/* One more directory than is fetched: the newest is not served. */
	for (int i = 0; i <= FILES; i++) {
		sn_autofree char *sub = sn_xasprintf("%s/logs/2026_03_01_12_0%d.out", dir, i);
		sn_autofree char *path = sn_xasprintf("%s/log_tcp_complete", sub);
		sn_autoclose int fd = -1;

		if (sn_fs_mkdirs(sub, 0700, NULL) != 0 ||
		    (fd = open(path, O_WRONLY | O_CREAT, 0600)) < 0)
			die("cannot make files");
		for (size_t k = 0; k < megabytes && i < FILES; k++) {
			sn_random(block, 4096);
			if (write(fd, block, BLOCK) != BLOCK)
				die("cannot write");
		}
	}
	free(block);
}

static void make_pem(const char *name, int usage, struct sn_buf *ca, struct sn_buf *ca_key)
{
	static const char *const hosts[] = {"127.0.0.1", NULL}, *const subject[] = {"O=bench",
										    NULL};
	struct sn_buf key = {0}, csr = {0}, cert = {0};
	sn_autofree char *cert_name = sn_xasprintf("%s.pem", name),
			 *key_name = sn_xasprintf("%s.key", name);
	sn_autofree char *cert_file = in_dir(cert_name), *key_file = in_dir(key_name);
	struct sn_pki_issue issue = {
		.ca_cert_pem = sn_buf_cstr(ca),
		.ca_key_pem = sn_buf_cstr(ca_key),
		.subject = subject,
		.common_name = name,
		.hosts = hosts,
		.usage = usage,
		.not_before_unix_s = sn_wall_ns() / SN_NS_PER_S - DAY,
		.not_after_unix_s = sn_wall_ns() / SN_NS_PER_S + DAY,
	};

	if (sn_pki_key_generate(&key, NULL) != 0 ||
	    sn_pki_csr_create(sn_buf_cstr(&key), name, &csr, NULL) != 0)
		die("cannot make a key");
	issue.csr_pem = sn_buf_cstr(&csr);
	if (sn_pki_issue(&issue, &cert, NULL) != 0)
		die("cannot make a certificate");
	sn_fs_write_atomic(cert_file, cert.p, cert.n, 0600, NULL);
	sn_fs_write_atomic(key_file, key.p, key.n, 0600, NULL);
}

static void make_pki(void)
{
	struct sn_buf ca = {0}, ca_key = {0};
	sn_autofree char *file = in_dir("ca.pem");
	int64_t now_s = sn_wall_ns() / SN_NS_PER_S;

	if (sn_pki_key_generate(&ca_key, NULL) != 0 ||
	    sn_pki_ca_create(sn_buf_cstr(&ca_key), "bench", now_s - 2 * DAY, now_s + 2 * DAY, &ca,
			     NULL) != 0)
		die("cannot make a CA");
	sn_fs_write_atomic(file, sn_buf_cstr(&ca), ca.n, 0600, NULL);
	make_pem("probe", SN_PKI_SERVER, &ca, &ca_key);
	make_pem("repository", SN_PKI_CLIENT, &ca, &ca_key);
}

static const char *read_pem(const char *name)
{
	static struct sn_buf text[3];
	static int next;
	sn_autofree char *path = in_dir(name);
	struct sn_buf *buf = &text[next++ % 3];

	sn_buf_clear(buf);
	if (sn_fs_read(path, SN_PKI_PEM_MAX, buf, NULL) != 0)
		die("cannot read a certificate");
	return sn_buf_cstr(buf);
}

static void serve(struct site *site, int ready)
{
	static const char *const anybody[] = {"*"};
	sn_autofree char *logs = in_dir("logs");
	struct sn_math_tree_config tree = {.directory = logs, .start_s = SN_MATH_TIME_UNKNOWN};
	struct sn_http_tls tls;
	struct sn_math_probe_config config = {
		.stream = "bench", .allowed = anybody, .allowed_count = 1};
	struct sn_math_probe *probe;
	struct sn_err err = {0};

	if (site->tls) {
		tls = (struct sn_http_tls){.cert_pem = read_pem("probe.pem"),
					   .key_pem = read_pem("probe.key"),
					   .ca_pem = read_pem("ca.pem")};
		config.tls = &tls;
	}
	config.loop = sn_loop_create(NULL);
	sn_addr_parse(SN_STR("127.0.0.1"), 0, &config.listen);
	if (sn_math_tree_create(&tree, &config.tree, &err) != 0 ||
	    sn_math_probe_create(&config, &probe, &site->addr, &err) != 0) {
		fprintf(stderr, "bench_math: %s\n", err.text);
		_exit(1);
	}
	if (write(ready, &site->addr, sizeof(site->addr)) < 0)
		_exit(1);
	sn_loop_run(config.loop);
}

static void start(struct site *site)
{
	char where[SN_ADDR_TEXT_MAX];
	int pipe_fd[2];

	if (pipe(pipe_fd) != 0 || (site->pid = fork()) < 0)
		die("cannot fork");
	if (site->pid == 0) {
		serve(site, pipe_fd[1]);
		_exit(0);
	}
	close(pipe_fd[1]);
	if (read(pipe_fd[0], &site->addr, sizeof(site->addr)) != sizeof(site->addr))
		die("the probe did not start");
	close(pipe_fd[0]);
	snprintf(site->url, sizeof(site->url), "http%s://%s", site->tls ? "s" : "",
		 sn_addr_format_port(&site->addr, where, sizeof(where)));
}

/* Fetching ------------------------------------------------------------------------------- */

struct figure {
	double seconds, cpu, probe; /* the last two: CPU seconds of this process, of the probe */
};

/* The kernel's account of the probe. */
static double probe_cpu(pid_t pid)
{
	sn_autofree char *path = sn_xasprintf("/proc/%d/stat", (int)pid);
	struct sn_buf text = {0};
	unsigned long user = 0, kernel = 0;
	const char *rest;

	if (sn_fs_read(path, 4096, &text, NULL) == 0 &&
	    (rest = strrchr(sn_buf_cstr(&text), ')')) != NULL)
		(void)sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			     &user, &kernel);
	sn_buf_finish(&text);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static double cpu_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct figure begin(pid_t probe)
{
	return (struct figure){(double)sn_mono_ns() / 1e9, cpu_now(), probe_cpu(probe)};
}

static struct figure end(struct figure begun, pid_t probe)
{
	return (struct figure){(double)sn_mono_ns() / 1e9 - begun.seconds, cpu_now() - begun.cpu,
			       probe_cpu(probe) - begun.probe};
}

static void print(const char *what, struct figure figure, const struct figure *floor)
{
	double bytes = (double)FILES * (double)megabytes * BLOCK;

	printf("%-34s %6.0f MB/s; MB per CPU second: %5.0f here", what,
	       bytes / 1e6 / figure.seconds, bytes / 1e6 / figure.cpu);
	if (figure.probe > 0)
		printf(", %5.0f probe", bytes / 1e6 / figure.probe);
	if (floor != NULL)
		printf("; %.2f x the floor's time", figure.seconds / floor->seconds);
	printf("\n");
}

struct entries {
	struct sn_math_entry list[FILES];
	char path[FILES][128];
	size_t count;
};

static int note(const struct sn_math_entry *entry, void *ctx)
{
	struct entries *entries = ctx;

	if (entries->count == FILES)
		return -E2BIG;
	entries->list[entries->count] = *entry;
	snprintf(entries->path[entries->count], sizeof(entries->path[0]), "%.*s",
		 (int)entry->path.n, entry->path.p);
	entries->list[entries->count].path = sn_str(entries->path[entries->count]);
	entries->count++;
	return 0;
}

static struct figure fetch_verified(const struct site *site)
{
	sn_autofree char *ca = in_dir("ca.pem"), *cert = in_dir("repository.pem"),
			 *key = in_dir("repository.key"), *part = in_dir("part");
	struct sn_math_link_config config = {.url = site->url, .stream = "bench"};
	struct sn_math_listing listing;
	struct sn_math_fetched fetched;
	struct entries entries;
	struct sn_math_link *link;
	struct figure figure;
	struct sn_err err = {0};

	if (site->tls) {
		config.ca_file = ca;
		config.cert_file = cert;
		config.key_file = key;
	}
	if (sn_math_link_open(&config, &link, &err) != 0)
		die(err.text);
	do { /* until all digests are known */
		entries.count = 0;
		if (sn_math_link_list(link, NULL, 100, note, &entries, &listing, &err) != 0)
			die(err.text);
		usleep(20000);
	} while (entries.count < FILES);
	figure = begin(site->pid);
	for (size_t i = 0; i < FILES; i++) {
		unlink(part);
		if (sn_math_link_fetch(link, &entries.list[i], part, &fetched, &err) != 0)
			die(err.text);
	}
	figure = end(figure, site->pid);
	sn_math_link_close(link);
	return figure;
}

static struct figure fetch_curl(const struct site *site)
{
	sn_autofree char *ca = in_dir("ca.pem"), *cert = in_dir("repository.pem"),
			 *key = in_dir("repository.key"), *part = in_dir("part");
	CURL *easy = curl_easy_init();
	struct figure figure;

	curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
	curl_easy_setopt(easy, CURLOPT_SSLCERT, cert);
	curl_easy_setopt(easy, CURLOPT_SSLKEY, key);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	figure = begin(site->pid);
	for (int i = 0; i < FILES; i++) {
		sn_autofree char *url =
			sn_xasprintf("%s/2026_03_01_12_0%d.out/log_tcp_complete", site->url, i);
		FILE *file;

		unlink(part);
		file = fopen(part, "w");
		curl_easy_setopt(easy, CURLOPT_URL, url);
		curl_easy_setopt(easy, CURLOPT_WRITEDATA, file);
		if (file == NULL || curl_easy_perform(easy) != CURLE_OK)
			die("curl");
		fflush(file);
		fsync(fileno(file));
		fclose(file);
	}
	figure = end(figure, site->pid);
	curl_easy_cleanup(easy);
	return figure;
}

static void send_files(int fd)
{
	for (int i = 0; i < FILES; i++) {
		sn_autofree char *path =
			sn_xasprintf("%s/logs/2026_03_01_12_0%d.out/log_tcp_complete", dir, i);
		sn_autoclose int file = open(path, O_RDONLY);

		while (sendfile(fd, file, NULL, 64 * BLOCK) > 0)
			;
	}
}

/* A socket, sendfile at one end, read and write at the other. */
static struct figure fetch_sendfile(void)
{
	sn_autofree char *part = in_dir("part"), *block = sn_xmalloc(BLOCK);
	struct figure figure;
	int pair[2], fd;
	ssize_t got;
	pid_t pid;

	unlink(part);
	fd = open(part, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		die("cannot make a socket");
	figure = begin(0);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		send_files(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	while ((got = read(pair[0], block, BLOCK)) > 0) {
		if (write(fd, block, (size_t)got) != got)
			die("cannot write");
	}
	fsync(fd);
	figure = end(figure, 0);
	close(fd);
	close(pair[0]);
	waitpid(pid, NULL, 0);
	return figure;
}

int main(int argc, char **argv)
{
	struct site tls = {.tls = true}, plain = {0};
	struct figure floor;

	if (argc > 1)
		megabytes = strtoul(argv[1], NULL, 10);
	if (mkdtemp(dir) == NULL)
		die("cannot make a directory");
	make_files();
	make_pki();
	start(&tls);
	start(&plain);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	fetch_verified(&tls); /* files into the page cache, digests known */
	floor = fetch_curl(&tls);
	print("TLS, curl, not verified (floor)", floor, NULL);
	print("TLS, fetched and verified", fetch_verified(&tls), &floor);
	floor = fetch_curl(&plain);
	print("plain, curl, not verified (floor)", floor, NULL);
	print("plain, fetched and verified", fetch_verified(&plain), &floor);
	print("sendfile into read and write", fetch_sendfile(), NULL);
	kill(tls.pid, SIGKILL);
	kill(plain.pid, SIGKILL);
	waitpid(tls.pid, NULL, 0);
	waitpid(plain.pid, NULL, 0);
	sn_fs_remove_tree(dir, NULL);
	return 0;
}
