/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stranger may hand in: a certificate request (PEM, to be signed) and a
 * certificate (DER, as a TLS peer shows it).  Whatever is accepted as a request
 * must come back as a certificate with the names that were ordered, no others.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/pki.h"

#define T0  1700000000
#define URI "urn:sonde:node:fuzz"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sn_buf ca_key, ca_cert;

static void make_ca(void)
{
	if (sn_pki_key_generate(&ca_key, NULL) != 0 ||
	    sn_pki_ca_create(sn_buf_cstr(&ca_key), "CA", T0, T0 + 1000, &ca_cert, NULL) != 0)
		abort();
	sn_buf_cstr(&ca_cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = sn_xstrndup((const char *)data, strnlen((const char *)data, size));
	struct sn_buf cert = {0};
	struct sn_pki_info info;
	struct sn_err err = {0};
	struct sn_pki_issue issue = {
		.csr_pem = text,
		.common_name = "fuzz",
		.uri = URI,
		.usage = SN_PKI_CLIENT,
		.not_before_unix_s = T0,
		.not_after_unix_s = T0 + 1000,
	};

	if (ca_cert.n == 0)
		make_ca();
	issue.ca_cert_pem = ca_cert.p;
	issue.ca_key_pem = ca_key.p;
	if (sn_pki_issue(&issue, &cert, &err) == 0) {
		if (sn_pki_info(sn_buf_cstr(&cert), &info, NULL) != 0 ||
		    strcmp(info.uri, URI) != 0 || strcmp(info.common_name, "fuzz") != 0)
			abort();
	} else if (err.text[0] == '\0' || cert.n != 0) {
		abort();
	}
	sn_pki_info_der(data, size, &info, NULL);
	sn_buf_finish(&cert);
	free(text);
	return 0;
}
