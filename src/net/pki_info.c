/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pki_internal.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"

/* Universal tags of the texts in names that we read (X.680, section 8.4). */
#define TAG_UTF8_STRING      12
#define TAG_PRINTABLE_STRING 19
#define TAG_IA5_STRING       22

/* A name that does not fit or holds a NUL would be another name when cut: refuse it. */
static int info_common_name(gnutls_x509_crt_t crt, struct sn_pki_info *info, struct sn_err *err)
{
	size_t size = sizeof(info->common_name);
	int result = gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
						   info->common_name, &size);

	if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
		info->common_name[0] = '\0';
		return 0;
	}
	if (result != 0 || strlen(info->common_name) != size)
		return sn_err_set(err, -EINVAL, "cannot use the certificate: bad common name");
	return 0;
}

/* The first URI and the first DNS name; `uri` and `dns` are "" before. */
static int info_names(gnutls_x509_crt_t crt, struct sn_pki_info *info, struct sn_err *err)
{
	for (unsigned i = 0;; i++) {
		char name[SN_PKI_NAME_MAX], *out;
		size_t size = sizeof(name); /* GnuTLS adds a NUL of its own */
		int type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);

		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
			return sn_err_set(err, -EINVAL,
					  "cannot use the certificate: name too long");
		if (type < 0 && type != GNUTLS_E_X509_UNKNOWN_SAN)
			return sn_pki_fail(err, type, "read the names of the certificate");
		if (type != GNUTLS_SAN_URI && type != GNUTLS_SAN_DNSNAME)
			continue;
		if (strnlen(name, sizeof(name)) != size)
			return sn_err_set(err, -EINVAL, "cannot use the certificate: bad %s",
					  type == GNUTLS_SAN_URI ? "URI" : "DNS name");
		out = type == GNUTLS_SAN_URI ? info->uri : info->dns;
		if (out[0] == '\0')
			memcpy(out, name, size + 1);
	}
}

/* One value of a subject as text; false when it cannot be part of an identity. */
static bool dotted_value(const gnutls_x509_ava_st *ava, struct sn_buf *out)
{
	bool text = ava->value_tag == TAG_UTF8_STRING || ava->value_tag == TAG_PRINTABLE_STRING ||
		    ava->value_tag == TAG_IA5_STRING;
	struct sn_str value = {(const char *)ava->value.data, ava->value.size};

	if (!text || value.n == 0 || !sn_utf8_valid(value))
		return false;
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c <= ' ' || c == 127 || c == '.' || c == ':')
			return false;
	}
	if (out->n > 0)
		sn_buf_addc(out, '.');
	sn_buf_add(out, value.p, value.n);
	return true;
}

/* The subject as mPlane peers are called; `dotted` is "" before and stays so if it is unfit. */
static void info_dotted(gnutls_x509_crt_t crt, struct sn_pki_info *info)
{
	struct sn_buf text = {0};
	gnutls_x509_dn_t subject;
	gnutls_x509_ava_st ava;
	bool fit = gnutls_x509_crt_get_subject(crt, &subject) == 0;

	for (int i = 0; fit && gnutls_x509_dn_get_rdn_ava(subject, i, 0, &ava) == 0; i++)
		fit = dotted_value(&ava, &text) && text.n < sizeof(info->dotted);
	if (fit && text.n > 0)
		memcpy(info->dotted, text.p, text.n);
	sn_buf_finish(&text);
}

static int fill_info(gnutls_x509_crt_t crt, struct sn_pki_info *info, struct sn_err *err)
{
	unsigned char digest[32], serial[(SN_PKI_SERIAL_SIZE - 1) / 2];
	size_t digest_size = sizeof(digest), serial_size = sizeof(serial);
	int result = info_common_name(crt, info, err);

	if (result == 0)
		result = info_names(crt, info, err);
	if (result != 0)
		return result;
	info_dotted(crt, info);
	result = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &digest_size);
	if (result == 0)
		result = gnutls_x509_crt_get_serial(crt, serial, &serial_size);
	if (result != 0)
		return sn_pki_fail(err, result, "read the certificate");
	sn_hex(digest, digest_size, info->fingerprint);
	sn_hex(serial, serial_size, info->serial);
	info->not_before_unix_s = (int64_t)gnutls_x509_crt_get_activation_time(crt);
	info->not_after_unix_s = (int64_t)gnutls_x509_crt_get_expiration_time(crt);
	return 0;
}

int sn_pki_info(const char *cert_pem, struct sn_pki_info *info, struct sn_err *err)
{
	auto_crt crt = NULL;
	int result = sn_pki_read_cert(cert_pem, "certificate", &crt, err);

	memset(info, 0, sizeof(*info));
	return result == 0 ? fill_info(crt, info, err) : result;
}

int sn_pki_info_der(const void *der, size_t size, struct sn_pki_info *info, struct sn_err *err)
{
	auto_crt crt = NULL;
	gnutls_datum_t datum = {(unsigned char *)(uintptr_t)der, (unsigned)size};
	int result = -EFBIG;

	memset(info, 0, sizeof(*info));
	if (size <= SN_PKI_PEM_MAX) {
		result = gnutls_x509_crt_init(&crt);
		if (result == 0)
			result = gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_DER);
	}
	if (result != 0)
		return sn_err_set(err, -EINVAL, "cannot read the certificate");
	return fill_info(crt, info, err);
}
