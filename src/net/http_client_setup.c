/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request as the caller describes it to libcurl's options.
 */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/http_client_internal.h"

#define TIMEOUT_DEFAULT_NS (30 * SN_NS_PER_S)
#define IDLE_DEFAULT_NS    (60 * SN_NS_PER_S)
#define CONNECT_MAX_MS     10000L
#define METHOD_MAX         16
#define URL_MAX            8192
#define KEEPALIVE_S        30L

static bool is_token(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && size <= METHOD_MAX &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == size;
}

/* An http or https URL with a host, without user and password. */
static bool is_url(const char *text)
{
	char *scheme = NULL, *host = NULL, *user = NULL;
	bool good = false;
	CURLU *url;

	if (strlen(text) > URL_MAX)
		return false;
	url = curl_url();
	if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		good = (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
		       curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_NO_USER;
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(url);
	return good;
}

static bool headers_are_clean(const char *const *headers)
{
	for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
		if (strpbrk(headers[i], "\r\n") != NULL || strchr(headers[i], ':') == NULL)
			return false;
	}
	return true;
}

static void add_header(struct sn_http_fetch *fetch, const char *header)
{
	fetch->headers = curl_slist_append(fetch->headers, header);
}

static void set_headers(struct sn_http_fetch *fetch, const char *const *headers)
{
	bool typed = false;

	for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
		typed |= strncasecmp(headers[i], "Content-Type:", 13) == 0;
		add_header(fetch, headers[i]);
	}
	if (!typed)
		add_header(fetch, "Content-Type:"); /* else libcurl says it is a form */
	curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->headers);
}

static void set_method(struct sn_http_fetch *fetch, const struct sn_http_fetch_spec *spec)
{
	CURL *easy = fetch->easy;
	bool is_get = strcmp(spec->method, "GET") == 0, is_head = strcmp(spec->method, "HEAD") == 0;
	bool takes_body = strcmp(spec->method, "POST") == 0 || strcmp(spec->method, "PUT") == 0 ||
			  strcmp(spec->method, "PATCH") == 0;

	if (is_head) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (spec->body_size > 0 || takes_body) {
		if (spec->body_size > 0)
			fetch->request_body = sn_xmemdup(spec->body, spec->body_size);
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_size);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
				 fetch->request_body != NULL ? fetch->request_body : "");
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec->method);
	} else if (!is_get) {
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec->method);
	}
}

static void set_tls(const struct sn_http_client *client, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (client->insecure)
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	if (client->insecure || client->no_name_check)
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	if (client->ca_file != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* only that one, not the system's */
	}
	if (client->cert_file != NULL) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, client->cert_file);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, client->key_file);
	}
}

static long timeout_ms(uint64_t timeout_ns)
{
	uint64_t ms = timeout_ns / SN_NS_PER_MS + (timeout_ns % SN_NS_PER_MS != 0);

	return ms > INT32_MAX ? INT32_MAX : (long)ms;
}

static void set_limits(struct sn_http_fetch *fetch, const struct sn_http_fetch_spec *spec)
{
	uint64_t whole_ns = spec->timeout_ns == 0 ? TIMEOUT_DEFAULT_NS : spec->timeout_ns;

	fetch->idle_ns = spec->idle_timeout_ns == 0 ? IDLE_DEFAULT_NS : spec->idle_timeout_ns;
	if (whole_ns != UINT64_MAX)
		curl_easy_setopt(fetch->easy, CURLOPT_TIMEOUT_MS, timeout_ms(whole_ns));
	curl_easy_setopt(fetch->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MAX_MS);
	if (spec->piece_max != 0)
		curl_easy_setopt(fetch->easy, CURLOPT_BUFFERSIZE, (long)spec->piece_max);
	if (spec->on_data == NULL)
		curl_easy_setopt(fetch->easy, CURLOPT_MAXFILESIZE_LARGE,
				 (curl_off_t)SN_HTTP_CLIENT_BODY_MAX);
}

static void set_common(struct sn_http_fetch *fetch)
{
	const struct sn_http_client *client = fetch->client;
	CURL *easy = fetch->easy;

	curl_easy_setopt(easy, CURLOPT_URL, fetch->url);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->detail);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* no wait for a slow resolver */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
	if (client->unix_socket != NULL)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->unix_socket);
}

bool sn_http_fetch_is_usable(const struct sn_http_fetch_spec *spec)
{
	return is_token(spec->method) && is_url(spec->url) && headers_are_clean(spec->headers);
}

void sn_http_fetch_prepare(struct sn_http_fetch *fetch, const struct sn_http_fetch_spec *spec)
{
	set_common(fetch);
	set_tls(fetch->client, fetch->easy);
	set_method(fetch, spec);
	set_headers(fetch, spec->headers);
	set_limits(fetch, spec);
}
