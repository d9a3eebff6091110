/* SPDX-License-Identifier: Apache-2.0 */
#include "store/clickhouse_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/clickhouse_sql.h"

#define URL_MAX        4096
#define CONNECT_MS     5000L
#define ERROR_TEXT_MAX 16384 /* of an answer that is an error */
#define REASON_MAX     300   /* of it, in our own */
#define UPLOAD_BUFFER  (512 * 1024L)
#define ANSWER_BUFFER  (256 * 1024L)

struct sn_clickhouse_http {
	CURL *easy;
	struct curl_slist *headers;
	char *base;  /* URL without user, password and path */
	char *place; /* as people may see it */
	char *ca;
	uint64_t patience_ns;
	const atomic_bool *stop; /* may be NULL */
};

/* One request on its way. */
struct exchange {
	struct sn_clickhouse_http *http;
	struct sn_clickhouse_request *request;
	struct sn_err *err;
	size_t sql_sent;
	struct sn_buf more; /* produced and not sent yet */
	uint64_t more_left; /* bytes of the body still to be produced */
	bool sent;        /* libcurl has asked for the body, which is when the server may have it */
	bool framed;      /* the answer says where it ends */
	int status, code; /* code: from the header */
	int rc;           /* of request->data */
	struct sn_buf error_text;
	uint64_t moved_ns; /* when anything last went to or fro */
	curl_off_t moved;  /* bytes until then */
};

/* Set up -------------------------------------------------------------------- */

static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
	char *text = NULL, *copy;

	if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
		return NULL;
	copy = sn_xstrdup(text);
	curl_free(text);
	return copy;
}

static void forget(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* "/name" or "/name/"; "default" without one. */
static char *database_of(const char *path)
{
	struct sn_str name = sn_str(path);
	char *text;

	while (name.n > 0 && name.p[0] == '/')
		name = (struct sn_str){name.p + 1, name.n - 1};
	while (name.n > 0 && name.p[name.n - 1] == '/')
		name.n--;
	if (name.n == 0)
		return sn_xstrdup("default");
	text = sn_xstrndup(name.p, name.n);
	if (!sn_sql_is_name(text)) {
		free(text);
		return NULL;
	}
	return text;
}

static void set_places(struct sn_clickhouse_http *http, CURLU *url, const char *scheme,
		       const char *user, const char *database)
{
	sn_autofree char *host = url_part(url, CURLUPART_HOST, 0);
	sn_autofree char *port = url_part(url, CURLUPART_PORT, 0);

	if (port == NULL)
		port = sn_xstrdup(strcmp(scheme, "https") == 0 ? "8443" : "8123");
	http->base = sn_xasprintf("%s://%s:%s/", scheme, host, port);
	http->place = sn_xasprintf("%s://%s%s%s:%s/%s", scheme, user != NULL ? user : "",
				   user != NULL ? "@" : "", host, port, database);
}

/* Everything but the password may be told; `url` is not, as nobody knows where it is in a bad one.
 */
static int use_url(struct sn_clickhouse_http *http, const char *text, char **database,
		   struct sn_err *err)
{
	static const char why[] = "cannot use the URL of ClickHouse: it is not "
				  "http[s]://[user[:password]@]host[:port][/database] (a database "
				  "has letters, digits and _; other characters of a password are "
				  "written as %XX)";
	sn_autofree char *scheme = NULL, *user = NULL, *path = NULL, *query = NULL, *part = NULL;
	char *password = NULL;
	CURLU *url = curl_url();
	int rc = 0;

	if (strlen(text) > URL_MAX || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK) {
		curl_url_cleanup(url);
		return sn_err_set(err, -EINVAL, "%s", why);
	}
	scheme = url_part(url, CURLUPART_SCHEME, 0);
	user = url_part(url, CURLUPART_USER, CURLU_URLDECODE);
	password = url_part(url, CURLUPART_PASSWORD, CURLU_URLDECODE);
	path = url_part(url, CURLUPART_PATH, CURLU_URLDECODE);
	query = url_part(url, CURLUPART_QUERY, 0);
	part = url_part(url, CURLUPART_FRAGMENT, 0);
	*database = NULL;
	if (scheme != NULL && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
	    path != NULL && query == NULL && part == NULL)
		*database = database_of(path);
	if (*database != NULL) {
		set_places(http, url, scheme, user, *database);
		if (user != NULL || password != NULL)
			curl_easy_setopt(http->easy, CURLOPT_USERNAME,
					 user != NULL ? user : "default");
		if (password != NULL)
			curl_easy_setopt(http->easy, CURLOPT_PASSWORD, password);
	} else {
		rc = sn_err_set(err, -EINVAL, "%s", why);
	}
	forget(password);
	curl_url_cleanup(url);
	return rc;
}

static size_t take_header(char *p, size_t size, size_t count, void *ctx);
static size_t take_data(char *p, size_t size, size_t count, void *ctx);
static size_t give_body(char *out, size_t size, size_t count, void *ctx);
static int rewind_body(void *ctx, curl_off_t offset, int origin);
static int watch(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		 curl_off_t up);

static void set_options(struct sn_clickhouse_http *http)
{
	CURL *easy = http->easy;

	/* Without "Expect:" a body waits for "100 Continue", one more round trip. */
	http->headers = curl_slist_append(NULL, "Expect:");
	http->headers = curl_slist_append(http->headers, "Content-Type: application/octet-stream");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "sonde/" SONDE_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, ANSWER_BUFFER);
	if (http->ca != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_data);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
}

int sn_clickhouse_http_create(const struct sn_clickhouse_options *options,
			      struct sn_clickhouse_http **http, char **database, struct sn_err *err)
{
	struct sn_clickhouse_http *made;
	int rc;

	if (options->ca != NULL && access(options->ca, R_OK) != 0)
		return sn_err_set(err, -EINVAL, "cannot read the CA of ClickHouse '%s': %s",
				  options->ca, strerror(errno));
	made = sn_new(struct sn_clickhouse_http);
	made->stop = options->stop;
	made->easy = curl_easy_init();
	made->ca = options->ca != NULL ? sn_xstrdup(options->ca) : NULL;
	made->patience_ns = (uint64_t)SN_NS_PER_S *
			    (options->timeout_s > 0 ? options->timeout_s : SN_CLICKHOUSE_TIMEOUT_S);
	rc = use_url(made, options->url, database, err);
	if (rc != 0) {
		sn_clickhouse_http_destroy(made);
		return rc;
	}
	set_options(made);
	*http = made;
	return 0;
}

void sn_clickhouse_http_destroy(struct sn_clickhouse_http *http)
{
	if (http == NULL)
		return;
	curl_easy_cleanup(http->easy);
	curl_slist_free_all(http->headers);
	free(http->base);
	free(http->place);
	free(http->ca);
	free(http);
}

const char *sn_clickhouse_http_place(const struct sn_clickhouse_http *http)
{
	return http->place;
}

/* To and fro ------------------------------------------------------------------ */

/* The statement, then what is behind it, produced as it is asked for. */
static size_t give_body(char *out, size_t size, size_t count, void *ctx)
{
	struct exchange *exchange = ctx;
	struct sn_str sql = exchange->request->sql;
	struct sn_buf *more = &exchange->more;
	size_t room = size * count, n = SN_MIN(room, sql.n - exchange->sql_sent);

	exchange->sent = true;
	if (n > 0) {
		memcpy(out, sql.p + exchange->sql_sent, n);
		exchange->sql_sent += n;
		return n;
	}
	while (more->n == 0 && exchange->more_left > 0) {
		exchange->request->more(more, exchange->request->ctx);
		if (more->n == 0 || more->n > exchange->more_left)
			return CURL_READFUNC_ABORT;
		exchange->more_left -= more->n;
	}
	n = SN_MIN(room, more->n);
	if (n > 0)
		memcpy(out, more->p, n);
	sn_buf_drop(more, n);
	return n;
}

/* Of a question only: see clickhouse_http.h. */
static int rewind_body(void *ctx, curl_off_t offset, int origin)
{
	struct exchange *exchange = ctx;

	if (offset != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_FAIL;
	exchange->sql_sent = 0;
	return CURL_SEEKFUNC_OK;
}

static bool is_header(struct sn_str line, const char *name, struct sn_str *value)
{
	size_t n = strlen(name);

	if (line.n <= n || strncasecmp(line.p, name, n) != 0 || line.p[n] != ':')
		return false;
	*value = sn_str_trim((struct sn_str){line.p + n + 1, line.n - n - 1});
	return true;
}

static size_t take_header(char *p, size_t size, size_t count, void *ctx)
{
	struct exchange *exchange = ctx;
	struct sn_str line = sn_str_trim((struct sn_str){p, size * count}), value;
	uint64_t number;

	exchange->moved_ns = sn_mono_ns();
	if (sn_str_has_prefix(line, "HTTP/")) {
		exchange->status = 0;
		exchange->framed = false;
		sn_str_split(&line, ' ', &value);
		if (line.n >= 3 && sn_parse_u64((struct sn_str){line.p, 3}, 100, 999, &number) == 0)
			exchange->status = (int)number;
	} else if (is_header(line, "X-ClickHouse-Exception-Code", &value)) {
		exchange->code = sn_parse_u64(value, 1, INT32_MAX, &number) == 0 ? (int)number : -1;
	} else if (is_header(line, "Content-Length", &value) ||
		   is_header(line, "Transfer-Encoding", &value)) {
		exchange->framed = true;
	}
	return size * count;
}

static bool is_good(const struct exchange *exchange)
{
	return exchange->status == 200 && exchange->code == 0;
}

static size_t take_data(char *p, size_t size, size_t count, void *ctx)
{
	struct exchange *exchange = ctx;
	struct sn_str piece = {p, size * count};
	struct sn_buf *text = &exchange->error_text;

	if (!is_good(exchange) || exchange->request->data == NULL) {
		size_t room = ERROR_TEXT_MAX - text->n;

		sn_buf_add(text, piece.p, SN_MIN(piece.n, room));
		return piece.n;
	}
	exchange->rc = exchange->request->data(piece, exchange->request->ctx, exchange->err);
	return exchange->rc < 0 ? 0 : piece.n;
}

static bool is_stopped(const struct sn_clickhouse_http *http)
{
	return http->stop != NULL && atomic_load(http->stop);
}

/* Called at least each second; breaks off what has come to a halt. */
static int watch(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		 curl_off_t up)
{
	struct exchange *exchange = ctx;
	uint64_t now = sn_mono_ns();

	(void)down_total, (void)up_total;
	if (down + up != exchange->moved) {
		exchange->moved = down + up;
		exchange->moved_ns = now;
	}
	return is_stopped(exchange->http) || now - exchange->moved_ns > exchange->http->patience_ns;
}

/* What came of it --------------------------------------------------------------- */

bool sn_clickhouse_error(struct sn_str text, int *code, struct sn_str *reason)
{
	static const char begin[] = "Code: ", exception[] = "Exception: ";
	static const char *const ends[] = {", e.what() = ", " (version ", "\n", ", Stack trace"};
	const char *p = text.n > 0 ? memmem(text.p, text.n, begin, strlen(begin)) : NULL;
	const char *end = text.p + text.n, *found;
	unsigned number = 0;

	if (p == NULL)
		return false;
	for (p += strlen(begin); p < end && *p >= '0' && *p <= '9' && number < 100000; p++)
		number = number * 10 + (unsigned)(*p - '0');
	if (number == 0 || p == end || (*p != ',' && *p != '.'))
		return false;
	*code = (int)number;
	found = memmem(p, (size_t)(end - p), exception, strlen(exception));
	if (found != NULL)
		p = found + strlen(exception);
	for (size_t i = 0; i < SN_COUNT(ends); i++) {
		found = memmem(p, (size_t)(end - p), ends[i], strlen(ends[i]));
		end = found != NULL ? found : end;
	}
	*reason = sn_str_trim((struct sn_str){p, SN_MIN((size_t)(end - p), REASON_MAX)});
	return true;
}

/* Of an insert with these nobody knows whether it was stored, not even the server. */
static bool leaves_open(int code)
{
	static const int codes[] = {
		SN_CLICKHOUSE_TIMEOUT_EXCEEDED,
		209, /* SOCKET_TIMEOUT */
		210, /* NETWORK_ERROR */
		216, /* QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING: the same block, sent before */
		286, /* UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE and, in an insert, of this one */
		319, /* UNKNOWN_STATUS_OF_INSERT */
		394, /* QUERY_WAS_CANCELLED */
		999, /* KEEPER_EXCEPTION */
	};

	for (size_t i = 0; i < SN_COUNT(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

/* It answered, but not with what was asked for. */
static int explain_status(struct exchange *exchange)
{
	struct sn_clickhouse_request *request = exchange->request;
	const char *place = exchange->http->place;
	struct sn_str reason;
	int code;

	if (sn_clickhouse_error(sn_buf_str(&exchange->error_text), &code, &reason)) {
		request->code = code;
		return sn_err_set(exchange->err,
				  request->changes && leaves_open(code) ? -EAGAIN : -EPROTO,
				  "ClickHouse at '%s' says: %.*s (code %d)", place, (int)reason.n,
				  reason.p, code);
	}
	if (exchange->code != 0)
		return sn_err_set(exchange->err, request->changes ? -EAGAIN : -EPROTO,
				  "ClickHouse at '%s' answered with error %d", place,
				  exchange->code);
	/* A proxy between us that lost the server. */
	if (exchange->status >= 500)
		return sn_err_set(exchange->err, -EAGAIN,
				  "no answer from ClickHouse at '%s': HTTP status %d", place,
				  exchange->status);
	return sn_err_set(exchange->err, -EBADMSG,
			  "no ClickHouse at '%s': HTTP status %d (is that its port for HTTP?)",
			  place, exchange->status);
}

static int explain_tls(struct exchange *exchange, CURLcode code, const char *detail)
{
	const char *ca = exchange->http->ca, *place = exchange->http->place;

	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return sn_err_set(exchange->err, -EKEYREJECTED,
				  "cannot trust ClickHouse at '%s': its certificate is not signed "
				  "by %s%s%s, is out of date or for another name",
				  place, ca != NULL ? "the CA in '" : "a CA that this system knows",
				  ca != NULL ? ca : "", ca != NULL ? "'" : "");
	if (code == CURLE_SSL_CACERT_BADFILE)
		return sn_err_set(exchange->err, -EINVAL,
				  "cannot use the CA of ClickHouse '%s': no certificate in it",
				  ca != NULL ? ca : "");
	return sn_err_set(exchange->err, -ECONNABORTED, "cannot reach ClickHouse at '%s': %s",
			  place, detail);
}

/* Nothing went out: whatever it is, the server does not know of it. */
static int explain_unreached(struct exchange *exchange, CURLcode code, const char *detail)
{
	const char *place = exchange->http->place;
	long os_errno = 0;

	curl_easy_getinfo(exchange->http->easy, CURLINFO_OS_ERRNO, &os_errno);
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return sn_err_set(exchange->err, -EHOSTUNREACH,
				  "cannot reach ClickHouse at '%s': no such host", place);
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_ABORTED_BY_CALLBACK:
		return sn_err_set(exchange->err, -ETIMEDOUT,
				  "cannot reach ClickHouse at '%s': no answer in time", place);
	case CURLE_COULDNT_CONNECT:
		return sn_err_sys(exchange->err, os_errno != 0 ? -(int)os_errno : -EHOSTUNREACH,
				  "cannot reach ClickHouse at '%s'", place);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CONNECT_ERROR:
		return explain_tls(exchange, code, detail);
	default:
		return sn_err_set(exchange->err, -ECONNABORTED,
				  "cannot reach ClickHouse at '%s': %s", place, detail);
	}
}

static int explain(struct exchange *exchange, CURLcode code, const char *detail)
{
	const char *place = exchange->http->place;
	char patience[SN_DURATION_TEXT_MAX];

	if (exchange->rc < 0)
		return exchange->rc;
	if (code == CURLE_ABORTED_BY_CALLBACK && is_stopped(exchange->http))
		return sn_err_set(exchange->err, -ECANCELED,
				  "the request to ClickHouse at '%s' was broken off", place);
	if (detail[0] == '\0')
		detail = curl_easy_strerror(code);
	if (code != CURLE_OK && !exchange->sent)
		return explain_unreached(exchange, code, detail);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return sn_err_set(exchange->err, -EAGAIN,
				  "no answer from ClickHouse at '%s' within %s", place,
				  sn_format_duration((int64_t)exchange->http->patience_ns, patience,
						     sizeof(patience)));
	if (code != CURLE_OK)
		return sn_err_set(exchange->err, -EAGAIN, "no answer from ClickHouse at '%s': %s",
				  place, detail);
	if (!is_good(exchange))
		return explain_status(exchange);
	if (!exchange->framed)
		return sn_err_set(
			exchange->err, -EAGAIN,
			"no answer from ClickHouse at '%s': it does not say where it ends", place);
	/* What is of no interest must still not be an error. */
	if (exchange->request->data == NULL &&
	    sn_str_has_prefix(sn_buf_str(&exchange->error_text), "Code: "))
		return explain_status(exchange);
	return 0;
}

static void begin(struct exchange *exchange, char *detail)
{
	const struct sn_clickhouse_request *request = exchange->request;
	sn_autofree char *url = sn_xasprintf("%s?%s", exchange->http->base,
					     request->settings != NULL ? request->settings : "");
	CURL *easy = exchange->http->easy;

	exchange->more_left = request->more_bytes;
	exchange->moved_ns = sn_mono_ns();
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)(request->sql.n + request->more_bytes));
	curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, request->changes ? NULL : rewind_body);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, exchange);
}

int sn_clickhouse_http_run(struct sn_clickhouse_http *http, struct sn_clickhouse_request *request,
			   struct sn_err *err)
{
	struct sn_err local = {0};
	struct exchange exchange = {
		.http = http, .request = request, .err = err != NULL ? err : &local};
	char detail[CURL_ERROR_SIZE] = "";
	CURLcode code;
	int rc;

	request->code = 0;
	begin(&exchange, detail);
	code = curl_easy_perform(http->easy);
	curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
	rc = explain(&exchange, code, detail);
	sn_buf_finish(&exchange.more);
	sn_buf_finish(&exchange.error_text);
	return rc;
}
