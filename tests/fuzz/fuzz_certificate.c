/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate (DER, as a TLS peer shows it) as an identity and in words, and a
 * revocation list of a foreign CA.  An identity must not be readable as another one,
 * and words must not hold what drives a terminal or adds a line.
 */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "net/pki.h"

#define LABELS 8 /* lines of the description at most */

/* That signed the lists among the seeds. */
static const char list_ca[] = "-----BEGIN CERTIFICATE-----\n"
			      "MIIBbTCCAROgAwIBAgIUDDXEG6il/vnNgN7MT7Rm6z2YBpIwCgYIKoZIzj0EAwIw\n"
			      "DDEKMAgGA1UEAwwBWDAeFw0yNjExMjIwMTQ0NTFaFw0zNjExMTkwMTQ0NTFaMAwx\n"
			      "CjAIBgNVBAMMAVgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARFpFLGOUGtATA0\n"
			      "MQ5US7npsEG4ILNtjFH9uno7Ovesnbc0zlBpzx5IRJMKYbbkaKrUWOZl3dvvpfUR\n"
			      "OOvlSKfUo1MwUTAdBgNVHQ4EFgQUZKAmChIbH2pVuQ77aP8j+gedJrgwHwYDVR0j\n"
			      "BBgwFoAUZKAmChIbH2pVuQ77aP8j+gedJrgwDwYDVR0TAQH/BAUwAwEB/zAKBggq\n"
			      "hkjOPQQDAgNIADBFAiBhNzNjUm4je/O81dtnAu3y+twqahelBa+/oFQ+i2mX4wIh\n"
			      "AMKqrEqVgdaro1svAAXdwpAwmZdWsqF0R0YRI1TFwRps\n"
			      "-----END CERTIFICATE-----\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_identity(const struct sn_pki_info *info)
{
	struct sn_str dotted = sn_str(info->dotted);

	if (!sn_utf8_valid(dotted) || strstr(info->dotted, "..") != NULL ||
	    (dotted.n > 0 && (dotted.p[0] == '.' || dotted.p[dotted.n - 1] == '.')))
		abort();
	for (size_t i = 0; i < dotted.n; i++) {
		if ((unsigned char)dotted.p[i] <= ' ' || dotted.p[i] == 127 || dotted.p[i] == ':')
			abort();
	}
	if (info->issuer[0] != '\0')
		abort();
}

static void check_words(const char *pem)
{
	struct sn_buf words = {0};
	unsigned lines = 0;

	if (sn_pki_describe(pem, &words, NULL) == 0) {
		for (size_t i = 0; i < words.n; i++) {
			lines += words.p[i] == '\n';
			if ((unsigned char)words.p[i] < ' ' && words.p[i] != '\n')
				abort();
		}
		if (lines > LABELS || strncmp(sn_buf_cstr(&words), "    Subject: ", 13) != 0)
			abort();
	}
	sn_buf_finish(&words);
}

static void read_list(struct sn_str text)
{
	struct sn_pki_crl *crl = NULL;
	struct sn_err err = {0};

	if (sn_pki_crl_read(text, list_ca, &crl, &err) == 0)
		sn_pki_crl_holds(crl, "01");
	else if (err.text[0] == '\0')
		abort();
	sn_pki_crl_free(crl);
}

static char *to_pem(const uint8_t *data, size_t size)
{
	gnutls_datum_t der = {(unsigned char *)(uintptr_t)data, (unsigned)size}, out;
	char *pem;

	if (gnutls_pem_base64_encode2("CERTIFICATE", &der, &out) != 0)
		abort();
	pem = strndup((char *)out.data, out.size);
	gnutls_free(out.data);
	return pem;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_pki_info info;
	char *pem = to_pem(data, size);

	if (sn_pki_info_der(data, size, &info, NULL) == 0) {
		check_identity(&info);
		check_words(pem);
	}
	read_list((struct sn_str){(const char *)data, size});
	free(pem);
	return 0;
}
