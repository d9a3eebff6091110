/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ca/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "net/pki.h"

void sn_ca_files_finish(struct sn_ca_files *files)
{
	free(files->cert);
	free(files->key);
	free(files->ca);
	if (files->made != NULL)
		(void)rmdir(files->made); /* unless something is in it */
	free(files->made);
}

static int refuse_if_there(const char *path, struct sn_err *err)
{
	if (path == NULL || !sn_fs_exists(path))
		return 0;
	return sn_err_set(err, -EEXIST,
			  "cannot write '%s': it is there already (--force overwrites it)", path);
}

/* The CA of another hub must not take the place of this one unnoticed. */
static int check_ca(const char *path, const char *ca_pem, struct sn_err *err)
{
	struct sn_buf there = {0};
	int rc = 0;

	if (!sn_fs_exists(path))
		return 0;
	if (sn_fs_read(path, SN_PKI_PEM_MAX, &there, err) != 0)
		rc = err->code;
	else if (!sn_str_eqc(sn_buf_str(&there), ca_pem))
		rc = sn_err_set(err, -EEXIST,
				"cannot write '%s': there is another CA's certificate (--force "
				"overwrites it; -o chooses another directory)",
				path);
	sn_buf_finish(&there);
	return rc;
}

int sn_ca_files_prepare(struct sn_ca_files *files, const char *dir, const char *name, bool with_key,
			bool force, const char *ca_pem, struct sn_err *err)
{
	sn_autofree char *cert = sn_xasprintf("%s.crt", name);
	sn_autofree char *key = sn_xasprintf("%s.key", name);
	int rc;

	files->cert = sn_fs_join(dir, cert);
	files->key = with_key ? sn_fs_join(dir, key) : NULL;
	files->ca = sn_fs_join(dir, "ca.crt");
	if (strcmp(files->cert, files->ca) == 0)
		return sn_err_set(
			err, -EINVAL,
			"cannot write '%s': that is where the CA's certificate goes (choose "
			"another name)",
			files->cert);
	if (!sn_fs_exists(dir))
		files->made = sn_xstrdup(dir);
	if (sn_fs_mkdirs(dir, 0777, err) != 0)
		return err->code;
	if (force)
		return 0;
	rc = refuse_if_there(files->cert, err);
	if (rc == 0)
		rc = refuse_if_there(files->key, err);
	return rc == 0 ? check_ca(files->ca, ca_pem, err) : rc;
}

int sn_ca_cert_text(const char *cert_pem, struct sn_buf *out, struct sn_err *err)
{
	sn_buf_adds(out, "Certificate:\n");
	if (sn_pki_describe(cert_pem, out, err) != 0)
		return err->code;
	sn_buf_adds(out, cert_pem);
	return 0;
}

/* The key first: without it the certificate would be worth nothing. */
int sn_ca_files_write(const struct sn_ca_files *files, const char *cert_pem,
		      const struct sn_buf *key_pem, const char *ca_pem, struct sn_err *err)
{
	struct sn_buf text = {0};
	int rc = sn_ca_cert_text(cert_pem, &text, err);

	if (rc == 0 && files->key != NULL)
		rc = sn_fs_write_atomic(files->key, key_pem->p, key_pem->n, 0600, err);
	if (rc == 0)
		rc = sn_fs_write_atomic(files->cert, text.p, text.n, 0644, err);
	if (rc == 0)
		rc = sn_fs_write_atomic(files->ca, ca_pem, strlen(ca_pem), 0644, err);
	sn_buf_finish(&text);
	return rc;
}
