/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pki_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define SERIAL_BYTES      ((SN_PKI_SERIAL_SIZE - 1) / 2)
#define SERIAL_BYTES_READ 256 /* of lists: more than anybody uses */
#define OID_TEXT_MAX      128

static void cleanup_crl(gnutls_x509_crl_t *crl)
{
	gnutls_x509_crl_deinit(*crl);
}
#define auto_crl __attribute__((cleanup(cleanup_crl))) gnutls_x509_crl_t

/* Making one -------------------------------------------------------------------- */

static int add_revoked(gnutls_x509_crl_t crl, const struct sn_pki_revoked *revoked)
{
	unsigned char serial[SERIAL_BYTES];
	size_t size = strlen(revoked->serial) / 2;

	if (size == 0 || size > sizeof(serial) ||
	    sn_unhex(sn_str(revoked->serial), serial, size) != 0)
		return GNUTLS_E_INVALID_REQUEST;
	return gnutls_x509_crl_set_crt_serial(crl, serial, size, (time_t)revoked->unix_s);
}

static int fill(gnutls_x509_crl_t crl, const struct sn_pki_crl_order *order, gnutls_x509_crt_t ca)
{
	unsigned char number[9] = {0}, id[64]; /* a leading zero keeps the number positive */
	size_t id_size = sizeof(id);
	int result = gnutls_x509_crl_set_version(crl, 2);

	for (unsigned i = 0; i < 8; i++)
		number[1 + i] = (unsigned char)(order->number >> (56 - 8 * i));
	if (result == 0)
		result = gnutls_x509_crl_set_this_update(crl, (time_t)order->this_update_unix_s);
	if (result == 0)
		result = gnutls_x509_crl_set_next_update(crl, (time_t)order->next_update_unix_s);
	for (size_t i = 0; result == 0 && i < order->revoked_count; i++)
		result = add_revoked(crl, &order->revoked[i]);
	if (result == 0)
		result = gnutls_x509_crl_set_number(crl, number, sizeof(number));
	if (result == 0)
		result = gnutls_x509_crt_get_subject_key_id(ca, id, &id_size, NULL);
	if (result == 0)
		result = gnutls_x509_crl_set_authority_key_id(crl, id, id_size);
	return result;
}

int sn_pki_crl_create(const struct sn_pki_crl_order *order, struct sn_buf *der, struct sn_err *err)
{
	auto_crl crl = NULL;
	auto_crt ca = NULL;
	auto_privkey key = NULL;
	auto_datum out = {NULL, 0};
	int result = sn_pki_read_ca(order->ca_cert_pem, order->ca_key_pem, &ca, &key, err);

	if (result != 0)
		return result;
	result = gnutls_x509_crl_init(&crl);
	if (result == 0)
		result = fill(crl, order, ca);
	if (result == 0)
		result = gnutls_x509_crl_sign2(crl, ca, key, GNUTLS_DIG_SHA256, 0);
	if (result == 0)
		result = gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_DER, &out);
	if (result != 0)
		return sn_pki_fail(err, result, "make the revocation list");
	sn_buf_add(der, out.data, out.size);
	return 0;
}

void sn_pki_crl_to_pem(const void *der, size_t size, struct sn_buf *pem)
{
	gnutls_datum_t datum = {(unsigned char *)(uintptr_t)der, (unsigned)size};
	auto_datum out = {NULL, 0};
	int result = gnutls_pem_base64_encode2("X509 CRL", &datum, &out);

	assert(result == 0);
	sn_buf_add(pem, out.data, out.size);
}

/* Reading one -------------------------------------------------------------------- */

struct sn_pki_crl {
	char (*serials)[SN_PKI_SERIAL_SIZE]; /* sorted */
	size_t count;
	int64_t next_update_unix_s;
};

static int compare_serials(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int import(struct sn_str text, gnutls_x509_crl_t *crl, struct sn_err *err)
{
	gnutls_datum_t datum = {(unsigned char *)(uintptr_t)text.p, (unsigned)text.n};
	int result;

	if (text.n > SN_PKI_CRL_MAX)
		return sn_err_set(err, -EFBIG, "cannot read the revocation list: more than %d MiB",
				  SN_PKI_CRL_MAX >> 20);
	result = gnutls_x509_crl_init(crl);
	if (result == 0)
		result = gnutls_x509_crl_import(*crl, &datum,
						text.n > 0 && text.p[0] == 0x30
							? GNUTLS_X509_FMT_DER
							: GNUTLS_X509_FMT_PEM);
	return result == 0 ? 0 : sn_pki_fail(err, result, "read the revocation list");
}

/* Dates are for the caller to judge: what has run out is kept, to say so. */
static int check_signature(gnutls_x509_crl_t crl, const char *ca_pem, struct sn_err *err)
{
	const unsigned dates = GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED |
			       GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE;
	auto_crt ca = NULL;
	unsigned status = 0;
	int result = sn_pki_read_cert(ca_pem, "CA certificate", &ca, err);

	if (result != 0)
		return result;
	if (gnutls_x509_crl_check_issuer(crl, ca) == 0 ||
	    gnutls_x509_crl_verify(crl, &ca, 1, 0, &status) != 0 ||
	    (status & ~(dates | GNUTLS_CERT_INVALID)) != 0 ||
	    ((status & GNUTLS_CERT_INVALID) != 0 && (status & dates) == 0))
		return sn_err_set(err, -EKEYREJECTED,
				  "cannot use the revocation list: it is not signed by its CA");
	return 0;
}

/* All critical extensions say that the list is but a part of the whole (RFC 5280, 5.2). */
static int check_whole(gnutls_x509_crl_t crl, struct sn_err *err)
{
	for (unsigned i = 0;; i++) {
		char oid[OID_TEXT_MAX];
		size_t size = sizeof(oid);
		unsigned critical = 0;
		int result = gnutls_x509_crl_get_extension_info(crl, i, oid, &size, &critical);

		if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (result != 0)
			return sn_pki_fail(err, result, "read the revocation list");
		if (critical != 0)
			return sn_err_set(
				err, -EOPNOTSUPP,
				"cannot use the revocation list: it is only a part (delta "
				"or by distribution point; give the whole one)");
	}
}

/* A serial too long for a certificate that we accept cannot match one. */
static int take_serials(gnutls_x509_crl_t crl, struct sn_pki_crl *out)
{
	gnutls_x509_crl_iter_t iter = NULL;
	int count = gnutls_x509_crl_get_crt_count(crl), result = 0;

	if (count <= 0)
		return count;
	out->serials = sn_xcalloc((size_t)count, sizeof(*out->serials));
	for (int i = 0; i < count && result == 0; i++) {
		unsigned char serial[SERIAL_BYTES_READ];
		size_t size = sizeof(serial);
		time_t when;

		result = gnutls_x509_crl_iter_crt_serial(crl, &iter, serial, &size, &when);
		if (result == 0 && size <= SERIAL_BYTES)
			sn_hex(serial, size, out->serials[out->count++]);
	}
	gnutls_x509_crl_iter_deinit(iter);
	qsort(out->serials, out->count, sizeof(*out->serials), compare_serials);
	return result;
}

int sn_pki_crl_read(struct sn_str text, const char *ca_pem, struct sn_pki_crl **crl,
		    struct sn_err *err)
{
	auto_crl list = NULL;
	struct sn_pki_crl *made;
	time_t next;
	int result = import(text, &list, err);

	if (result == 0)
		result = check_signature(list, ca_pem, err);
	if (result == 0)
		result = check_whole(list, err);
	if (result != 0)
		return result;
	made = sn_new(struct sn_pki_crl);
	result = take_serials(list, made);
	if (result < 0) {
		sn_pki_crl_free(made);
		return sn_pki_fail(err, result, "read the revocation list");
	}
	next = gnutls_x509_crl_get_next_update(list);
	made->next_update_unix_s = next == (time_t)-1 ? INT64_MAX : (int64_t)next;
	*crl = made;
	return 0;
}

void sn_pki_crl_free(struct sn_pki_crl *crl)
{
	if (crl == NULL)
		return;
	free(crl->serials);
	free(crl);
}

bool sn_pki_crl_holds(const struct sn_pki_crl *crl, const char *serial)
{
	return crl->count > 0 && bsearch(serial, crl->serials, crl->count, sizeof(*crl->serials),
					 compare_serials) != NULL;
}

int64_t sn_pki_crl_next_update(const struct sn_pki_crl *crl)
{
	return crl->next_update_unix_s;
}

size_t sn_pki_crl_count(const struct sn_pki_crl *crl)
{
	return crl->count;
}
