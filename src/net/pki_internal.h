/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pki_internal: what the files of the PKI share.
 *
 *   pki.c        keys, the CA's certificate, requests
 *   pki_issue.c  certificates for a request
 *   pki_info.c   what a certificate says, for programs
 *   pki_text.c   the same for people
 *   pki_crl.c    revocation lists
 */
#ifndef SONDE_NET_PKI_INTERNAL_H
#define SONDE_NET_PKI_INTERNAL_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "net/pki.h"

static inline void cleanup_privkey(gnutls_x509_privkey_t *key)
{
	gnutls_x509_privkey_deinit(*key); /* overwrites the secret parts; NULL is fine */
}

static inline void cleanup_crt(gnutls_x509_crt_t *crt)
{
	gnutls_x509_crt_deinit(*crt);
}

static inline void cleanup_crq(gnutls_x509_crq_t *crq)
{
	gnutls_x509_crq_deinit(*crq);
}

static inline void cleanup_pubkey(gnutls_pubkey_t *key)
{
	gnutls_pubkey_deinit(*key);
}

static inline void cleanup_datum(gnutls_datum_t *datum)
{
	if (datum->data != NULL) {
		gnutls_memset(datum->data, 0, datum->size);
		gnutls_free(datum->data);
	}
}

#define auto_privkey __attribute__((cleanup(cleanup_privkey))) gnutls_x509_privkey_t
#define auto_crt     __attribute__((cleanup(cleanup_crt))) gnutls_x509_crt_t
#define auto_crq     __attribute__((cleanup(cleanup_crq))) gnutls_x509_crq_t
#define auto_pubkey  __attribute__((cleanup(cleanup_pubkey))) gnutls_pubkey_t
#define auto_datum   __attribute__((cleanup(cleanup_datum))) gnutls_datum_t

/* GnuTLS failed while doing `what` with material that we made or were given. */
int sn_pki_fail(struct sn_err *err, int result, const char *what);
int sn_pki_pem_datum(const char *pem, const char *what, gnutls_datum_t *datum, struct sn_err *err);
int sn_pki_read_key(const char *pem, gnutls_x509_privkey_t *key, struct sn_err *err);
int sn_pki_read_cert(const char *pem, const char *what, gnutls_x509_crt_t *crt, struct sn_err *err);

/* Printable, not empty, and short enough for a distinguished name. */
int sn_pki_check_common_name(const char *name, struct sn_err *err);
int sn_pki_check_validity(int64_t not_before, int64_t not_after, struct sn_err *err);
/* Version, serial, validity, subject key id, and the name behind what the subject has. */
int sn_pki_set_basics(gnutls_x509_crt_t crt, const char *common_name, int64_t not_before,
		      int64_t not_after);
int sn_pki_export_cert(gnutls_x509_crt_t crt, struct sn_buf *pem, struct sn_err *err);

/* The CA: its certificate and key, which must belong together. */
int sn_pki_read_ca(const char *cert_pem, const char *key_pem, gnutls_x509_crt_t *crt,
		   gnutls_x509_privkey_t *key, struct sn_err *err);

#endif
