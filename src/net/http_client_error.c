/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a request brought no answer, in words.  libcurl's codes say what broke; the
 * three cases that people meet most, refused, unknown name and certificates, get
 * a sentence that says what to do.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "net/http_client_internal.h"

struct reason {
	CURLcode code;
	int error;
	const char *text;
};

static const struct reason reasons[] = {
	{CURLE_URL_MALFORMAT, -EINVAL, "the URL cannot be used"},
	{CURLE_UNSUPPORTED_PROTOCOL, -EPROTO, "that does not speak HTTP"},
	{CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH,
	 "there is no such name (check the name and the resolver)"},
	{CURLE_GOT_NOTHING, -ECONNRESET, "the connection was closed without an answer"},
	{CURLE_PARTIAL_FILE, -ECONNRESET, "the answer ended early"},
	{CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, "no answer in time"},
	{CURLE_FILESIZE_EXCEEDED, -EMSGSIZE, "the answer is larger than allowed"},
	{CURLE_WEIRD_SERVER_REPLY, -EPROTO, "that does not speak HTTP"},
	{CURLE_SSL_CONNECT_ERROR, -EPROTO, "the TLS handshake failed (is it an https address?)"},
	{CURLE_SSL_CERTPROBLEM, -EINVAL, "our own certificate or key cannot be used"},
	{CURLE_SSL_CACERT_BADFILE, -EINVAL, "the CA file cannot be read"},
	{CURLE_SEND_ERROR, -ECONNRESET, "the connection broke off while sending"},
	{CURLE_RECV_ERROR, -ECONNRESET, "the connection broke off"},
	{CURLE_ABORTED_BY_CALLBACK, -ECANCELED, "broken off"},
};

void sn_http_client_origin(const char *url, char *out, size_t size)
{
	const char *host = strstr(url, "://");
	const char *at, *slash;
	int scheme;

	if (host == NULL) {
		snprintf(out, size, "%.60s", url);
		return;
	}
	host += 3;
	scheme = (int)(host - url);
	slash = host + strcspn(host, "/?#");
	at = memchr(host, '@', (size_t)(slash - host));
	if (at != NULL)
		host = at + 1;
	snprintf(out, size, "%.*s%.*s", scheme, url, (int)(slash - host), host);
}

/* libcurl knows the system's own reason best. */
static int explain_connect(const struct sn_http_failure *failure, const char *where,
			   struct sn_err *err)
{
	long os_errno = 0;

	curl_easy_getinfo(failure->easy, CURLINFO_OS_ERRNO, &os_errno);
	switch (os_errno) {
	case 0:
	case ECONNREFUSED:
	case ENOENT: /* of a Unix socket */
		return sn_err_set(err, -ECONNREFUSED,
				  "cannot reach '%s': connection refused (is it running there?)",
				  where);
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
		return sn_err_sys(err, -EHOSTUNREACH, "cannot reach '%s'", where);
	case ETIMEDOUT:
		return sn_err_set(err, -ETIMEDOUT, "cannot reach '%s': no answer in time", where);
	default:
		return sn_err_sys(err, -(int)os_errno, "cannot reach '%s'", where);
	}
}

/* The peer's certificate did not pass: name, time, or signed by somebody else. */
static int explain_untrusted(const struct sn_http_failure *failure, const char *where,
			     struct sn_err *err)
{
	long status = 0; /* a mask of enum gnutls_certificate_status_t */

	curl_easy_getinfo(failure->easy, CURLINFO_SSL_VERIFYRESULT, &status);
	if (strstr(failure->detail, "does not match") != NULL)
		return sn_err_set(err, -EKEYREJECTED,
				  "cannot trust '%s': its certificate is for another name (use a "
				  "name or address that the certificate holds)",
				  where);
	if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED))
		return sn_err_set(err, -EKEYREJECTED,
				  "cannot trust '%s': its certificate is out of date (check both "
				  "clocks, or have it renewed)",
				  where);
	return sn_err_set(err, -EKEYREJECTED,
			  "cannot trust '%s': its certificate is not signed by %s%s%s", where,
			  failure->ca_file ? "the CA in '" : "a CA that this system knows",
			  failure->ca_file ? failure->ca_file : "", failure->ca_file ? "'" : "");
}

/*
 * A peer that does not accept us sends a fatal alert.  In TLS 1.2 it comes during
 * the handshake and libcurl tells its name; in TLS 1.3 it comes on the first read
 * after it, and nothing else that peers do then is fatal.
 */
static bool is_refusal(const struct sn_http_failure *failure)
{
	static const gnutls_alert_description_t alerts[] = {
		GNUTLS_A_BAD_CERTIFICATE,     GNUTLS_A_UNSUPPORTED_CERTIFICATE,
		GNUTLS_A_CERTIFICATE_REVOKED, GNUTLS_A_CERTIFICATE_EXPIRED,
		GNUTLS_A_CERTIFICATE_UNKNOWN, GNUTLS_A_UNKNOWN_CA,
		GNUTLS_A_ACCESS_DENIED,       GNUTLS_A_CERTIFICATE_REQUIRED,
	};

	if (failure->code == CURLE_RECV_ERROR || failure->code == CURLE_SEND_ERROR)
		return strstr(failure->detail, gnutls_strerror(GNUTLS_E_FATAL_ALERT_RECEIVED)) !=
		       NULL;
	if (failure->code != CURLE_SSL_CONNECT_ERROR)
		return false;
	for (size_t i = 0; i < SN_COUNT(alerts); i++) {
		const char *name = gnutls_alert_get_name(alerts[i]);

		if (name != NULL && strstr(failure->detail, name) != NULL)
			return true;
	}
	return false;
}

static int explain_refusal(const struct sn_http_failure *failure, const char *where,
			   struct sn_err *err)
{
	if (!failure->has_certificate)
		return sn_err_set(err, -EACCES,
				  "cannot reach '%s': it wants a certificate from us, and we have "
				  "none (enrol first, or give one with its key)",
				  where);
	return sn_err_set(err, -EACCES,
			  "cannot reach '%s': it refused our certificate (enrol again, or ask who "
			  "runs it)",
			  where);
}

/* libcurl has a code for our own broken files, but not for every way to break them. */
static bool is_own_file(const struct sn_http_failure *failure)
{
	return failure->code == CURLE_SSL_CONNECT_ERROR &&
	       strstr(failure->detail, "key or certificate file") != NULL;
}

static int explain_other(const struct sn_http_failure *failure, const char *where,
			 struct sn_err *err)
{
	for (size_t i = 0; i < SN_COUNT(reasons); i++) {
		if (reasons[i].code == failure->code)
			return sn_err_set(err, reasons[i].error, "cannot reach '%s': %s", where,
					  reasons[i].text);
	}
	return sn_err_set(err, -EIO, "cannot reach '%s': %s", where,
			  failure->detail[0] != '\0' ? failure->detail
						     : curl_easy_strerror(failure->code));
}

int sn_http_client_explain(const struct sn_http_failure *failure, struct sn_err *err)
{
	char where[256];

	if (failure->unix_socket != NULL)
		snprintf(where, sizeof(where), "%s", failure->unix_socket);
	else
		sn_http_client_origin(failure->url, where, sizeof(where));

	if (failure->stopped_by_caller)
		return sn_err_set(err, -ECANCELED, "stopped reading from '%s'", where);
	if (failure->too_large)
		return sn_err_set(err, -EMSGSIZE,
				  "cannot read from '%s': the answer is larger than allowed",
				  where);
	if (failure->code == CURLE_COULDNT_CONNECT)
		return explain_connect(failure, where, err);
	if (failure->code == CURLE_PEER_FAILED_VERIFICATION)
		return explain_untrusted(failure, where, err);
	if (is_refusal(failure))
		return explain_refusal(failure, where, err);
	if (is_own_file(failure))
		return sn_err_set(err, -EINVAL,
				  "cannot reach '%s': our own certificate or key cannot be used",
				  where);
	return explain_other(failure, where, err);
}
