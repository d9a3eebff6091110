/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files: what an mPlane program needs of a certificate: NAME.crt, NAME.key and ca.crt
 * in one directory.
 *
 * NAME.crt begins with what it says in words, as mPlane programs look for the line
 * "Subject:"; everything else skips to the PEM block.  Nothing is overwritten unless
 * that is wanted; a ca.crt with the same content is left alone.
 */
#ifndef SONDE_CLI_CA_FILES_H
#define SONDE_CLI_CA_FILES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct sn_ca_files { /* zeroed is empty; paths, malloc'ed */
	char *cert, *key, *ca;
	char *made; /* the directory, if it was not there before */
};

/* Makes `dir` and refuses (-EEXIST) what would be overwritten; `key` NULL without one. */
int sn_ca_files_prepare(struct sn_ca_files *files, const char *dir, const char *name, bool with_key,
			bool force, const char *ca_pem, struct sn_err *err);
/* `key_pem` goes to a file that only its owner can read. */
int sn_ca_files_write(const struct sn_ca_files *files, const char *cert_pem,
		      const struct sn_buf *key_pem, const char *ca_pem, struct sn_err *err);
/* A directory that was made for nothing goes. */
void sn_ca_files_finish(struct sn_ca_files *files);

/* The content of NAME.crt, appended. */
int sn_ca_cert_text(const char *cert_pem, struct sn_buf *out, struct sn_err *err);

#endif
