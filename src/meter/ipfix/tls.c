/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A collector behind TLS over TCP (RFC 7011, section 11): it must have a certificate
 * for the name or address that it was called by; ours says who we are.
 */
#include <errno.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "meter/ipfix/collector.h"
#include "meter/ipfix/ipfix.h"
#include "net/pki.h"

/*
 * RSA of 2048 bits, SHA-256, P-256 and better.  Not by verify flags: GnuTLS would or them
 * with the profile of NORMAL, which makes another one.
 */
#define PRIORITY SN_PKI_PRIORITY ":%PROFILE_MEDIUM"
#define BYE_NS   (500 * SN_NS_PER_MS)

/* Certificates ---------------------------------------------------------------- */

static gnutls_datum_t datum_of(struct sn_buf *pem)
{
	return (gnutls_datum_t){(unsigned char *)pem->p, (unsigned)pem->n};
}

static int trust_file(gnutls_certificate_credentials_t credentials, const char *path,
		      struct sn_err *err)
{
	struct sn_buf pem = {0};
	gnutls_datum_t datum;
	int result = sn_fs_read(path, SN_PKI_PEM_MAX, &pem, err);

	if (result == 0) {
		datum = datum_of(&pem);
		if (gnutls_certificate_set_x509_trust_mem(credentials, &datum,
							  GNUTLS_X509_FMT_PEM) <= 0)
			result = sn_err_set(err, -EINVAL,
					    "cannot trust '%s': it holds no CA certificate", path);
	}
	sn_buf_finish(&pem);
	return result;
}

static int trust(gnutls_certificate_credentials_t credentials, const char *path, struct sn_err *err)
{
	if (path != NULL)
		return trust_file(credentials, path, err);
	if (gnutls_certificate_set_x509_system_trust(credentials) > 0)
		return 0;
	return sn_err_set(err, -ENOENT,
			  "cannot trust any collector: the system has no CAs (name one)");
}

/* One that the collector will not take any more is told now, not by its refusal. */
static int check_dates(const char *path, struct sn_buf *pem, struct sn_err *err)
{
	struct sn_pki_info info;
	int64_t now_s = sn_wall_ns() / SN_NS_PER_S;
	int result = sn_pki_info(sn_buf_cstr(pem), &info, err);

	if (result != 0)
		return result;
	if (now_s <= info.not_after_unix_s)
		return 0;
	return sn_err_set(err, -EKEYEXPIRED, "cannot use '%s': the certificate has expired", path);
}

static int identify(gnutls_certificate_credentials_t credentials,
		    const struct sn_ipfix_options *options, struct sn_err *err)
{
	struct sn_buf certificate = {0}, key = {0};
	gnutls_datum_t certificate_datum, key_datum;
	int result = sn_fs_read(options->certificate, SN_PKI_PEM_MAX, &certificate, err);

	if (result == 0)
		result = check_dates(options->certificate, &certificate, err);
	if (result == 0)
		result = sn_fs_read(options->key, SN_PKI_PEM_MAX, &key, err);
	if (result == 0) {
		certificate_datum = datum_of(&certificate);
		key_datum = datum_of(&key);
		result = gnutls_certificate_set_x509_key_mem(credentials, &certificate_datum,
							     &key_datum, GNUTLS_X509_FMT_PEM);
		if (result < 0)
			result = sn_err_set(err, -EINVAL, "cannot use '%s' with '%s': %s",
					    options->certificate, options->key,
					    gnutls_strerror(result));
	}
	if (key.p != NULL)
		gnutls_memset(key.p, 0, key.n);
	sn_buf_finish(&key);
	sn_buf_finish(&certificate);
	return result;
}

int sn_ipfix_tls_init(struct sn_ipfix_collector *collector, const struct sn_ipfix_options *options,
		      struct sn_err *err)
{
	int result;

	if ((options->certificate == NULL) != (options->key == NULL))
		return sn_err_set(err, -EINVAL,
				  "cannot send IPFIX to '%s': a certificate needs its key and a "
				  "key its certificate",
				  options->collector);
	if (gnutls_certificate_allocate_credentials(&collector->credentials) != 0)
		return sn_err_set(err, -ENOMEM, "cannot use TLS: out of memory");
	result = trust(collector->credentials, options->ca, err);
	if (result == 0 && options->certificate != NULL)
		result = identify(collector->credentials, options, err);
	return result;
}

/* Sessions -------------------------------------------------------------------- */

static void end_session(struct sn_ipfix_collector *collector)
{
	if (collector->session != NULL)
		gnutls_deinit(collector->session);
	collector->session = NULL;
	sn_ipfix_disconnect(collector);
}

/* After "again": until the socket can do what GnuTLS wants of it. */
static int wait_again(struct sn_ipfix_collector *collector, uint64_t deadline_ns)
{
	bool writes = gnutls_record_get_direction(collector->session) == 1;

	return sn_ipfix_wait(collector, writes ? POLLOUT : POLLIN, deadline_ns);
}

static bool is_again(ssize_t result)
{
	return result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED;
}

static int tell_failure(struct sn_ipfix_collector *collector, int result, struct sn_err *err)
{
	gnutls_datum_t why = {0};
	unsigned status = gnutls_session_get_verify_cert_status(collector->session);

	if (result != GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR ||
	    gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &why, 0) != 0)
		return sn_err_set(err, -EPROTO, "cannot speak TLS: %s", gnutls_strerror(result));
	sn_err_set(err, -EKEYREJECTED, "cannot trust '%s': %s", collector->host, (char *)why.data);
	gnutls_free(why.data);
	return -EKEYREJECTED;
}

static int handshake(struct sn_ipfix_collector *collector, uint64_t deadline_ns, struct sn_err *err)
{
	for (;;) {
		int waited, result = gnutls_handshake(collector->session);

		if (result == 0)
			return 0;
		if (!is_again(result) && gnutls_error_is_fatal(result) != 0)
			return tell_failure(collector, result, err);
		waited = wait_again(collector, deadline_ns);
		if (waited != 0)
			return sn_err_sys(err, waited, "cannot speak TLS");
	}
}

static int begin_session(struct sn_ipfix_collector *collector, struct sn_err *err)
{
	const char *host = collector->host;
	struct sn_addr addr;
	int result = gnutls_init(&collector->session,
				 GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

	if (result == 0)
		result = gnutls_priority_set_direct(collector->session, PRIORITY, NULL);
	if (result == 0)
		result = gnutls_credentials_set(collector->session, GNUTLS_CRD_CERTIFICATE,
						collector->credentials);
	/* RFC 6066, section 3: an address is no server name. */
	if (result == 0 && sn_addr_parse(sn_str(host), 0, &addr) != 0)
		result = gnutls_server_name_set(collector->session, GNUTLS_NAME_DNS, host,
						strlen(host));
	if (result != 0)
		return sn_err_set(err, -EPROTO, "cannot speak TLS: %s", gnutls_strerror(result));
	gnutls_session_set_verify_cert(collector->session, host, 0);
	gnutls_transport_set_int(collector->session, collector->fd);
	return 0;
}

static int tls_open(struct sn_ipfix_collector *collector, uint64_t deadline_ns, struct sn_err *err)
{
	int result;

	end_session(collector);
	result = sn_ipfix_connect(collector, deadline_ns, err);
	if (result == 0)
		result = begin_session(collector, err);
	if (result == 0)
		result = handshake(collector, deadline_ns, err);
	if (result != 0)
		end_session(collector);
	return result;
}

/* Takes what TLS itself has to say; with TLS 1.3 also that our certificate is refused. */
static int check_open(struct sn_ipfix_collector *collector)
{
	char bytes[256];
	ssize_t count;

	do
		count = gnutls_record_recv(collector->session, bytes, sizeof(bytes));
	while (count > 0 || count == GNUTLS_E_INTERRUPTED);
	if (count == GNUTLS_E_AGAIN)
		return 0;
	return count == 0 ? GNUTLS_E_PREMATURE_TERMINATION : (int)count;
}

static int tls_send(struct sn_ipfix_collector *collector, struct sn_str message,
		    uint64_t deadline_ns, struct sn_err *err)
{
	int waited, broken = check_open(collector);

	if (broken != 0)
		return sn_err_set(err, -ECONNRESET, "cannot send: %s", gnutls_strerror(broken));
	while (message.n > 0) {
		ssize_t count = gnutls_record_send(collector->session, message.p, message.n);

		if (count >= 0) {
			message.p += count;
			message.n -= (size_t)count;
			continue;
		}
		if (!is_again(count))
			return sn_err_set(err, -ECONNRESET, "cannot send: %s",
					  gnutls_strerror((int)count));
		waited = wait_again(collector, deadline_ns);
		if (waited != 0)
			return sn_err_sys(err, waited, "cannot send");
	}
	return 0;
}

static void tls_close(struct sn_ipfix_collector *collector)
{
	uint64_t deadline_ns = sn_mono_ns() + BYE_NS;

	if (collector->session != NULL)
		while (is_again(gnutls_bye(collector->session, GNUTLS_SHUT_WR)) &&
		       wait_again(collector, deadline_ns) == 0)
			continue;
	end_session(collector);
}

const struct sn_ipfix_transport sn_ipfix_tls = {
	.open = tls_open,
	.send = tls_send,
	.close = tls_close,
};
