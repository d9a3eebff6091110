/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/link.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "net/http_client.h"

#define PATIENCE_NS (30 * SN_NS_PER_S)
#define PIECE       (256 * 1024)
#define BLOCK       (256 * 1024)
#define STATE_MAX   512 /* bytes of what a peer calls a file's state */

struct listing;
struct part;

struct sn_math_link {
	struct sn_loop *loop;
	struct sn_http_client *http;
	uv_async_t wake;
	atomic_bool stopped;
	char *url, *stream;
	uint64_t file_max, patience_ns;
	struct sn_http_fetch *fetch;

	/* Of the request that runs. */
	int error;
	unsigned status;
	char said[SN_HTTP_SAID_MAX]; /* with a status that is no success */
	struct sn_err *err;
	uint64_t begun_ns, received;
	struct listing *listing; /* one of these */
	struct part *part;
};

/* One request -------------------------------------------------------------------------- */

static void woken(uv_async_t *handle)
{
	struct sn_math_link *link = handle->data;

	if (link->fetch == NULL)
		return;
	sn_http_fetch_cancel(sn_steal(&link->fetch));
	link->error = sn_err_set(link->err, -ECANCELED, "stopped");
	sn_loop_stop(link->loop, 0);
}

/* What the handler said stands above what the transport makes of it. */
static void done(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		 void *ctx)
{
	struct sn_math_link *link = ctx;

	link->fetch = NULL;
	link->status = answer->status;
	sn_http_problem_said(answer->body, link->said);
	if (link->error == 0 && answer->error != 0) {
		link->error = answer->error;
		sn_err_set(link->err, answer->error, "%s", answer->err.text);
	}
	sn_loop_stop(link->loop, 0);
}

/* Less than next to nothing, on the whole: it would hold us up for ever. */
static bool is_too_slow(struct sn_math_link *link, size_t more)
{
	uint64_t age_ns = sn_loop_now(link->loop) - link->begun_ns;

	link->received += more;
	return age_ns > link->patience_ns &&
	       (double)link->received < SN_MATH_RATE_MIN * ((double)age_ns / SN_NS_PER_S);
}

static int too_slow(struct sn_math_link *link)
{
	return link->error = sn_err_set(link->err, -ETIMEDOUT,
					"'%.200s' sends less than %d bytes per second", link->url,
					SN_MATH_RATE_MIN);
}

static int request(struct sn_math_link *link, const char *url, const char *const *headers,
		   sn_http_data_fn *on_data, uint64_t patience_ns, struct sn_err *err)
{
	struct sn_http_fetch_spec spec = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.timeout_ns = UINT64_MAX,
		.idle_timeout_ns = patience_ns,
		.piece_max = PIECE,
		.on_data = on_data,
		.on_done = done,
		.ctx = link,
	};

	link->err = err;
	link->error = 0;
	link->status = 0;
	link->received = 0;
	if (atomic_load(&link->stopped))
		return sn_err_set(err, -ECANCELED, "stopped");
	sn_loop_turn(link->loop, 0); /* the clock stood still since the last request */
	link->begun_ns = sn_loop_now(link->loop);
	link->fetch = sn_http_fetch(link->http, &spec);
	if (link->fetch == NULL)
		return sn_err_set(err, -EINVAL, "'%.300s' is no URL that can be asked", url);
	if (atomic_load(&link->stopped))
		uv_async_send(&link->wake);
	sn_loop_run(link->loop);
	return link->error;
}

/* Life --------------------------------------------------------------------------------- */

int sn_math_link_open(const struct sn_math_link_config *config, struct sn_math_link **out,
		      struct sn_err *err)
{
	struct sn_http_client_config http = {
		.ca_file = config->ca_file,
		.cert_file = config->cert_file,
		.key_file = config->key_file,
		.user_agent = config->user_agent,
	};
	struct sn_math_link *link;
	size_t size = strlen(config->url);

	if (!sn_math_stream_is_good(sn_str(config->stream)))
		return sn_err_set(err, -EINVAL,
				  "'%.64s' is no name of a stream (letters, digits, '.', '_', '-')",
				  config->stream);
	if (size == 0 || strpbrk(config->url, "?#@ ") != NULL)
		return sn_err_set(err, -EINVAL, "'%.200s' is no address of a probe", config->url);
	link = sn_new(struct sn_math_link);
	link->url = strstr(config->url, "://") != NULL ? sn_xstrdup(config->url)
						       : sn_xasprintf("http://%s", config->url);
	for (size = strlen(link->url); size > 0 && link->url[size - 1] == '/'; size--)
		link->url[size - 1] = '\0';
	link->stream = sn_xstrdup(config->stream);
	link->file_max = config->file_max == 0 ? SN_MATH_FILE_MAX : config->file_max;
	link->patience_ns = config->patience_ns == 0 ? PATIENCE_NS : config->patience_ns;
	link->loop = sn_loop_create(NULL);
	link->http = sn_http_client_create(link->loop, &http);
	link->wake.data = link;
	uv_async_init(sn_loop_uv(link->loop), &link->wake, woken);
	*out = link;
	return 0;
}

void sn_math_link_close(struct sn_math_link *link)
{
	if (link == NULL)
		return;
	sn_http_client_destroy(link->http);
	sn_loop_destroy(link->loop);
	free(link->url);
	free(link->stream);
	free(link);
}

void sn_math_link_stop(struct sn_math_link *link)
{
	atomic_store(&link->stopped, true);
	uv_async_send(&link->wake);
}

/* Lists -------------------------------------------------------------------------------- */

struct listing {
	struct sn_math_list_reader *reader;
	sn_math_entry_fn *fn;
	void *ctx;
	struct sn_math_listing *out;
};

static int take_entry(const struct sn_math_entry *entry, void *ctx)
{
	struct listing *listing = ctx;

	listing->out->entries++;
	return listing->fn(entry, listing->ctx);
}

static void take_refusal(const char *reason, void *ctx)
{
	struct listing *listing = ctx;

	if (listing->out->refused++ == 0)
		snprintf(listing->out->reason, sizeof(listing->out->reason), "%s", reason);
}

static int take_list(struct sn_http_fetch *fetch, struct sn_str piece, void *ctx)
{
	struct sn_math_link *link = ctx;
	const char *token = sn_http_fetch_header(fetch, "Sonde-List");
	const char *pending = sn_http_fetch_header(fetch, "Sonde-List-Pending");

	if (is_too_slow(link, piece.n))
		return too_slow(link);
	if (token != NULL && strlen(token) < SN_MATH_TOKEN_SIZE &&
	    strspn(token, "0123456789abcdef-") == strlen(token))
		snprintf(link->listing->out->token, SN_MATH_TOKEN_SIZE, "%s", token);
	if (pending != NULL)
		(void)sn_parse_u64(sn_str(pending), 0, UINT32_MAX, &link->listing->out->pending);
	link->error = sn_math_list_reader_feed(link->listing->reader, piece, link->err);
	return link->error;
}

static const char *also(const struct sn_math_link *link)
{
	return link->said[0] != '\0' ? ": " : "";
}

static int judge_list(struct sn_math_link *link, struct sn_err *err)
{
	if (link->status == 200)
		return 0;
	if (link->status == 404 || link->status == 405)
		return sn_err_set(err, -ENOENT, "'%.200s' has no stream '%s' (status %u%s%s)",
				  link->url, link->stream, link->status, also(link), link->said);
	if (link->status == 401 || link->status == 403)
		return sn_err_set(
			err, -EACCES,
			"'%.200s' does not let us have its list (status %u%s%s; it has to "
			"allow our identity)",
			link->url, link->status, also(link), link->said);
	return sn_err_set(err, -EPROTO,
			  "'%.200s' answered the question for its list with status %u", link->url,
			  link->status);
}

int sn_math_link_list(struct sn_math_link *link, const char *token, size_t limit,
		      sn_math_entry_fn *fn, void *ctx, struct sn_math_listing *out,
		      struct sn_err *err)
{
	static const char *const headers[] = {
		"Accept: " SN_MATH_LIST_TYPE ", application/json;q=0.5", NULL};
	struct listing listing = {.fn = fn, .ctx = ctx, .out = out};
	sn_autofree char *url = NULL;
	int rc;

	memset(out, 0, sizeof(*out));
	if (token != NULL && token[0] != '\0')
		url = sn_xasprintf("%s/ListDir/%s?since=%s&limit=%zu", link->url, link->stream,
				   token, limit);
	else
		url = sn_xasprintf("%s/ListDir/%s?limit=%zu", link->url, link->stream, limit);
	listing.reader = sn_math_list_reader_create(take_entry, take_refusal, &listing);
	link->listing = &listing;
	rc = request(link, url, headers, take_list, link->patience_ns, err);
	link->listing = NULL;
	if (rc == 0)
		rc = judge_list(link, err);
	if (rc == 0)
		rc = sn_math_list_reader_end(listing.reader, err);
	sn_math_list_reader_destroy(listing.reader);
	return rc == 0 || rc == -ECANCELED || err->code != rc
		       ? rc
		       : sn_err_wrap(err, "cannot list stream '%s'", link->stream);
}

/* Files -------------------------------------------------------------------------------- */

struct part {
	struct sn_math_link *link;
	const struct sn_math_entry *entry;
	const char *path;
	char *state_path;
	char state[STATE_MAX]; /* of what is there */
	int fd;
	gnutls_hash_hd_t hash;
	uint64_t have, most; /* bytes; more than `most` are not taken */
	uint64_t taken;
	bool begun; /* the answer's headers were looked at */
	bool over;  /* there must be no more */
};

static char *state_path(const char *part)
{
	return sn_xasprintf("%s.state", part);
}

void sn_math_part_remove(const char *part)
{
	sn_autofree char *state = state_path(part);

	unlink(part);
	unlink(state);
}

static int fail(struct part *part, int error, const char *what)
{
	return part->link->error =
		       sn_err_sys(part->link->err, error, "cannot %s '%s'", what, part->path);
}

static int start_anew(struct part *part)
{
	gnutls_hash_deinit(part->hash, NULL);
	part->hash = NULL;
	if (gnutls_hash_init(&part->hash, GNUTLS_DIG_SHA256) != 0)
		return fail(part, -ENOMEM, "begin");
	if (ftruncate(part->fd, 0) != 0 || lseek(part->fd, 0, SEEK_SET) < 0)
		return fail(part, -errno, "begin");
	part->have = 0;
	return 0;
}

/* Kept before the first byte: a part whose state is unknown is begun anew. */
static int keep_state(struct part *part, const struct sn_http_fetch *fetch)
{
	const char *state = sn_http_fetch_header(fetch, "ETag");

	/* A weak one says that files are alike, not that they are the same. */
	if (state == NULL || strncmp(state, "W/", 2) == 0)
		state = sn_http_fetch_header(fetch, "Last-Modified");
	if (state == NULL || strlen(state) >= STATE_MAX) {
		unlink(part->state_path);
		return 0;
	}
	return sn_fs_write_atomic(part->state_path, state, strlen(state), 0600, part->link->err);
}

/* "bytes 100-199/200" that goes on where we are. */
static bool goes_on(const struct part *part, const char *range, uint64_t *total)
{
	unsigned long long from, to, size;

	if (range == NULL || sscanf(range, "bytes %llu-%llu/%llu", &from, &to, &size) != 3)
		return false;
	*total = size;
	return from == part->have && to + 1 == size;
}

static int begin(struct part *part, const struct sn_http_fetch *fetch)
{
	struct sn_math_link *link = part->link;
	const char *length = sn_http_fetch_header(fetch, "Content-Length");
	uint64_t total = UINT64_MAX, bytes;

	part->begun = true;
	if (sn_http_fetch_status(fetch) == 206) {
		if (!goes_on(part, sn_http_fetch_header(fetch, "Content-Range"), &total))
			return link->error = sn_err_set(link->err, -EPROTO,
							"'%.200s' sent another part of '%.*s' than "
							"was asked for",
							link->url, (int)part->entry->path.n,
							part->entry->path.p);
	} else {
		if (start_anew(part) != 0)
			return link->error;
		if (length != NULL && sn_parse_u64(sn_str(length), 0, UINT64_MAX, &bytes) == 0)
			total = bytes;
		if (!part->entry->detailed && keep_state(part, fetch) != 0)
			return link->error = link->err->code;
	}
	if (total != UINT64_MAX && total > part->most)
		return link->error = sn_err_set(
			       link->err, -EMSGSIZE, "'%.*s' has %llu bytes, and %llu are %s",
			       (int)part->entry->path.n, part->entry->path.p,
			       (unsigned long long)total, (unsigned long long)part->most,
			       part->entry->detailed ? "listed" : "allowed");
	return 0;
}

static int write_all(struct part *part, struct sn_str piece)
{
	while (piece.n > 0) {
		ssize_t wrote = write(part->fd, piece.p, piece.n);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return fail(part, wrote < 0 ? -errno : -EIO, "write");
		piece.p += wrote;
		piece.n -= (size_t)wrote;
	}
	return 0;
}

static int take_piece(struct sn_http_fetch *fetch, struct sn_str piece, void *ctx)
{
	struct sn_math_link *link = ctx;
	struct part *part = link->part;

	if (is_too_slow(link, piece.n))
		return too_slow(link);
	if (!part->begun && begin(part, fetch) != 0)
		return link->error;
	if (piece.n > part->most - part->have) {
		part->over = true;
		return link->error =
			       sn_err_set(link->err, -EMSGSIZE,
					  "'%.200s' sends more of '%.*s' than %llu bytes",
					  link->url, (int)part->entry->path.n, part->entry->path.p,
					  (unsigned long long)part->most);
	}
	gnutls_hash(part->hash, piece.p, piece.n);
	part->have += piece.n;
	part->taken += piece.n;
	return write_all(part, piece);
}

/* What is there already becomes part of the digest. */
static int hash_part(struct part *part)
{
	sn_autofree char *block = sn_xmalloc(BLOCK);
	ssize_t got;

	while ((got = read(part->fd, block, BLOCK)) > 0) {
		gnutls_hash(part->hash, block, (size_t)got);
		part->have += (uint64_t)got;
		if (atomic_load(&part->link->stopped))
			return part->link->error =
				       sn_err_set(part->link->err, -ECANCELED, "stopped");
	}
	return got < 0 ? fail(part, -errno, "read") : 0;
}

static void read_state(struct part *part)
{
	struct sn_buf text = {0};

	if (sn_fs_read(part->state_path, STATE_MAX - 1, &text, NULL) == 0)
		snprintf(part->state, sizeof(part->state), "%s", sn_buf_cstr(&text));
	if (strpbrk(part->state, "\r\n") != NULL)
		part->state[0] = '\0';
	sn_buf_finish(&text);
}

static int open_part(struct part *part)
{
	struct sn_math_link *link = part->link;

	part->fd = open(part->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (part->fd < 0)
		return fail(part, -errno, "open");
	if (gnutls_hash_init(&part->hash, GNUTLS_DIG_SHA256) != 0)
		return fail(part, -ENOMEM, "begin");
	if (!part->entry->detailed)
		read_state(part);
	if (!part->entry->detailed && part->state[0] == '\0')
		return start_anew(part);
	if (hash_part(part) != 0)
		return link->error;
	return part->have > part->most ? start_anew(part) : 0;
}

static int ask(struct part *part)
{
	struct sn_math_link *link = part->link;
	char range[64], condition[STATE_MAX + 16];
	const char *headers[3] = {NULL};
	unsigned count = 0;
	struct sn_buf url = {0};
	struct sn_str rest = part->entry->path, segment;
	int rc;

	sn_buf_adds(&url, link->url);
	while (sn_str_split(&rest, '/', &segment)) {
		sn_buf_addc(&url, '/');
		sn_url_encode(&url, segment);
	}
	condition[0] = '\0';
	if (part->entry->sha256[0] != '\0')
		snprintf(condition, sizeof(condition), "If-Match: \"%s\"", part->entry->sha256);
	else if (part->have > 0 && part->state[0] != '\0')
		snprintf(condition, sizeof(condition), "If-Range: %s", part->state);
	if (condition[0] != '\0')
		headers[count++] = condition;
	snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)part->have);
	if (part->have > 0)
		headers[count++] = range;
	part->begun = false;
	rc = request(link, sn_buf_cstr(&url), headers, take_piece, link->patience_ns, link->err);
	sn_buf_finish(&url);
	return rc;
}

static int judge(struct part *part, struct sn_err *err)
{
	struct sn_math_link *link = part->link;
	struct sn_str path = part->entry->path;

	switch (link->status) {
	case 200:
		/* Of an empty one there was no piece. */
		return part->begun || start_anew(part) == 0 ? 0 : link->error;
	case 206:
		return 0;
	case 404:
	case 405:
	case 410:
		return sn_err_set(err, -ENOENT, "'%.*s' is not there any more", (int)path.n,
				  path.p);
	case 412:
		return sn_err_set(err, -ESTALE, "'%.*s' changed after it was listed", (int)path.n,
				  path.p);
	case 416:
		return sn_err_set(err, -EBADMSG, "'%.*s' is shorter than what was fetched of it",
				  (int)path.n, path.p);
	case 401:
	case 403:
		return sn_err_set(err, -EACCES, "'%.200s' does not let us have '%.*s' (status %u)",
				  link->url, (int)path.n, path.p, link->status);
	default:
		return sn_err_set(err, -EPROTO, "'%.200s' answered with status %u for '%.*s'",
				  link->url, link->status, (int)path.n, path.p);
	}
}

static int verify(struct part *part, struct sn_math_fetched *fetched, struct sn_err *err)
{
	const struct sn_math_entry *entry = part->entry;
	uint8_t digest[32];

	gnutls_hash_output(part->hash, digest);
	sn_hex(digest, sizeof(digest), fetched->sha256);
	fetched->size = part->have;
	fetched->taken = part->taken;
	if (entry->detailed && part->have != entry->size)
		return sn_err_set(err, -EBADMSG, "'%.*s' has %llu bytes, and %llu were listed",
				  (int)entry->path.n, entry->path.p, (unsigned long long)part->have,
				  (unsigned long long)entry->size);
	if (entry->sha256[0] != '\0' && strcmp(fetched->sha256, entry->sha256) != 0)
		return sn_err_set(err, -EBADMSG, "'%.*s' has another digest than was listed",
				  (int)entry->path.n, entry->path.p);
	if (fsync(part->fd) != 0)
		return fail(part, -errno, "save");
	return 0;
}

int sn_math_link_fetch(struct sn_math_link *link, const struct sn_math_entry *entry,
		       const char *path, struct sn_math_fetched *fetched, struct sn_err *err)
{
	struct part part = {.link = link, .entry = entry, .path = path, .fd = -1};
	int rc;

	memset(fetched, 0, sizeof(*fetched));
	link->err = err;
	link->error = 0;
	if (entry->detailed && entry->size > link->file_max)
		return sn_err_set(err, -EMSGSIZE, "'%.*s' has %llu bytes, and %llu are allowed",
				  (int)entry->path.n, entry->path.p,
				  (unsigned long long)entry->size,
				  (unsigned long long)link->file_max);
	part.most = entry->detailed ? entry->size : link->file_max;
	part.state_path = state_path(path);
	link->part = &part;
	rc = open_part(&part);
	/* One that is whole already needs only to be looked at. */
	if (rc == 0 && !(entry->sha256[0] != '\0' && part.have == entry->size)) {
		rc = ask(&part);
		if (rc == 0)
			rc = judge(&part, err);
	}
	if (rc == 0)
		rc = verify(&part, fetched, err);
	link->part = NULL;
	if (part.hash != NULL)
		gnutls_hash_deinit(part.hash, NULL);
	if (part.fd >= 0)
		close(part.fd);
	/* Of these nothing can be used again. */
	if (rc == -EBADMSG || rc == -EMSGSIZE || rc == -ESTALE || rc == -ENOENT)
		sn_math_part_remove(path);
	else if (rc == 0)
		unlink(part.state_path);
	free(part.state_path);
	return rc;
}
