/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "identity"
#include "hub/identity.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/sql.h"

#define CA_LIFE_S         (10LL * 365 * 86400)
#define PEM_MAX           65536
#define SUBJECT_PARTS_MIN 3
#define SUBJECT_PARTS_MAX 16
#define CLOCK_SLACK_S     300 /* how far a peer's clock may be behind ours ... */
#define SLACK_SHARE       10  /* ... and at most this part of the life, which peers reckon with */

struct sn_identity {
	struct sn_db *db;
	char *ca_file, *key_file;
	struct sn_buf ca_pem, ca_key;
	struct sn_pki_info ca;
	char uri[SN_PKI_NAME_MAX];

	struct sn_buf cert_pem, key_pem; /* of this hub as server */
	struct sn_buf hosts;             /* the names in it, a line each */
	char *foreign_pem;               /* NULL: no foreign CA is trusted */
	char *subject;                   /* dotted, of the hub's own certificate; NULL: none */
	int64_t made_ns, expires_ns;
	uint64_t revocations; /* of this run */
};

static int make_ca(struct sn_identity *identity, const char *hub_id, int64_t now_ns,
		   struct sn_err *err)
{
	int64_t now_s = now_ns / SN_NS_PER_S;
	char name[64];

	snprintf(name, sizeof(name), "Sonde CA %.32s", hub_id);
	if (sn_pki_key_generate(&identity->ca_key, err) != 0 ||
	    sn_pki_ca_create(sn_buf_cstr(&identity->ca_key), name, now_s - 86400, now_s + CA_LIFE_S,
			     &identity->ca_pem, err) != 0)
		return sn_err_wrap(err, "cannot make the certificate authority");
	/* The key first: a certificate without its key could not be told from a lost key. */
	if (sn_fs_write_atomic(identity->key_file, identity->ca_key.p, identity->ca_key.n, 0600,
			       err) != 0 ||
	    sn_fs_write_atomic(identity->ca_file, identity->ca_pem.p, identity->ca_pem.n, 0644,
			       err) != 0)
		return sn_err_wrap(err, "cannot keep the certificate authority");
	sn_notice("made a certificate authority file=%s", identity->ca_file);
	return 0;
}

static int load_ca(struct sn_identity *identity, struct sn_err *err)
{
	struct stat st;

	if (stat(identity->key_file, &st) != 0)
		return sn_err_set(err, -ENOENT,
				  "cannot find the key '%s' of the certificate authority '%s' "
				  "(restore it, or move the certificate away to start anew)",
				  identity->key_file, identity->ca_file);
	if ((st.st_mode & 077) != 0)
		return sn_err_set(err, -EPERM,
				  "cannot trust '%s': others may read it (chmod 600, and think "
				  "about who could have copied it)",
				  identity->key_file);
	if (sn_fs_read(identity->ca_file, PEM_MAX, &identity->ca_pem, err) != 0)
		return err->code;
	return sn_fs_read(identity->key_file, PEM_MAX, &identity->ca_key, err);
}

static int open_ca(struct sn_identity *identity, const char *dir, const char *hub_id,
		   int64_t now_ns, struct sn_err *err)
{
	sn_autofree char *pki = sn_fs_join(dir, "pki");
	int failed;

	identity->ca_file = sn_fs_join(pki, "ca.pem");
	identity->key_file = sn_fs_join(pki, "ca.key");
	if (sn_fs_mkdirs(pki, 0700, err) != 0)
		return err->code;
	failed = sn_fs_exists(identity->ca_file) ? load_ca(identity, err)
						 : make_ca(identity, hub_id, now_ns, err);
	if (failed != 0)
		return failed;
	sn_buf_cstr(&identity->ca_key);
	if (sn_pki_info(sn_buf_cstr(&identity->ca_pem), &identity->ca, err) != 0)
		return sn_err_wrap(err, "cannot use '%s'", identity->ca_file);
	if (identity->ca.not_after_unix_s <= now_ns / SN_NS_PER_S)
		return sn_err_set(err, -EKEYEXPIRED,
				  "cannot use '%s': the certificate authority has expired (move "
				  "the directory away to make a new one; nodes must join again)",
				  identity->ca_file);
	return 0;
}

int sn_identity_open(const char *dir, const char *hub_id, struct sn_db *db, int64_t now_ns,
		     struct sn_identity **identity, struct sn_err *err)
{
	struct sn_identity *made = sn_new(struct sn_identity);

	made->db = db;
	snprintf(made->uri, sizeof(made->uri), SN_URI_HUB "%s", hub_id);
	if (open_ca(made, dir, hub_id, now_ns, err) != 0) {
		sn_identity_close(made);
		return err->code;
	}
	*identity = made;
	return 0;
}

static void wipe(struct sn_buf *secret)
{
	if (secret->p != NULL)
		explicit_bzero(secret->p, secret->cap);
	sn_buf_finish(secret);
}

void sn_identity_close(struct sn_identity *identity)
{
	if (identity == NULL)
		return;
	wipe(&identity->ca_key);
	wipe(&identity->key_pem);
	sn_buf_finish(&identity->ca_pem);
	sn_buf_finish(&identity->cert_pem);
	sn_buf_finish(&identity->hosts);
	free(identity->foreign_pem);
	free(identity->subject);
	free(identity->ca_file);
	free(identity->key_file);
	free(identity);
}

const char *sn_identity_ca_pem(const struct sn_identity *identity)
{
	return identity->ca_pem.p;
}

const char *sn_identity_ca_fingerprint(const struct sn_identity *identity)
{
	return identity->ca.fingerprint;
}

const char *sn_identity_ca_file(const struct sn_identity *identity)
{
	return identity->ca_file;
}

struct sn_db *sn_identity_db(const struct sn_identity *identity)
{
	return identity->db;
}

uint64_t sn_identity_revocations(const struct sn_identity *identity)
{
	return identity->revocations;
}

void sn_identity_note_revocation(struct sn_identity *identity)
{
	identity->revocations++;
}

/* The hub's own certificate ---------------------------------------------- */

static void write_hosts(struct sn_buf *out, const char *const *hosts)
{
	for (; *hosts != NULL; hosts++)
		sn_buf_addf(out, "%s\n", *hosts);
}

int sn_identity_sign(struct sn_identity *identity, struct sn_pki_issue *issue, int64_t now_ns,
		     int64_t life_ns, struct sn_buf *cert_pem, struct sn_pki_info *info,
		     struct sn_err *err)
{
	int64_t end_s = (now_ns + life_ns) / SN_NS_PER_S;
	int64_t slack_s = SN_MIN(CLOCK_SLACK_S, life_ns / SN_NS_PER_S / SLACK_SHARE);

	issue->ca_cert_pem = identity->ca_pem.p;
	issue->ca_key_pem = identity->ca_key.p;
	issue->not_before_unix_s = now_ns / SN_NS_PER_S - slack_s;
	issue->not_after_unix_s = SN_MIN(end_s, identity->ca.not_after_unix_s);
	if (sn_pki_issue(issue, cert_pem, err) != 0) {
		/* A bad key and a long text are faults of the request like any other. */
		if (err->code == -EKEYREJECTED || err->code == -EFBIG)
			err->code = -EINVAL;
		return err->code;
	}
	return sn_pki_info(sn_buf_cstr(cert_pem), info, err);
}

/*
 * "org.mplane.SSB.Supervisors.hub-1" as the attributes of a subject: the last three are
 * organisation, unit and common name, all before them domain components.  The texts stay in
 * `copy`; returns the common name.
 */
static const char *split_subject(char *copy, const char *attributes[SUBJECT_PARTS_MAX + 1])
{
	char *parts[SUBJECT_PARTS_MAX] = {copy};
	size_t count = 0;

	for (char *rest = copy, *part; count < SUBJECT_PARTS_MAX && rest != NULL; count++) {
		part = strsep(&rest, ".");
		parts[count] = part;
	}
	for (size_t i = 0; i + 1 < count; i++)
		attributes[i] = sn_xasprintf("%s=%s",
					     i + 3 == count   ? "O"
					     : i + 2 == count ? "OU"
							      : "DC",
					     parts[i]);
	attributes[count - 1] = NULL;
	return parts[count - 1];
}

bool sn_identity_subject_is_good(const char *dotted)
{
	struct sn_str rest = sn_str(dotted), part;
	unsigned count = 0;

	while (sn_str_split(&rest, '.', &part)) {
		sn_autofree char *value = sn_xstrndup(part.p, part.n);

		if (!sn_pki_value_is_plain(value) || ++count > SUBJECT_PARTS_MAX)
			return false;
	}
	return count >= SUBJECT_PARTS_MIN;
}

void sn_identity_set_subject(struct sn_identity *identity, const char *dotted)
{
	free(identity->subject);
	identity->subject = dotted[0] != '\0' ? sn_xstrdup(dotted) : NULL;
}

static int make_server_pair(struct sn_identity *identity, const char *const *hosts, int64_t now_ns,
			    int64_t life_ns, struct sn_buf *key, struct sn_buf *cert,
			    struct sn_err *err)
{
	struct sn_buf csr = {0};
	struct sn_pki_info info;
	const char *attributes[SUBJECT_PARTS_MAX + 1] = {NULL};
	sn_autofree char *subject = sn_xstrdup(identity->subject != NULL ? identity->subject : "");
	struct sn_pki_issue issue = {
		.common_name = identity->subject != NULL ? split_subject(subject, attributes)
							 : "sonde-hub",
		.subject = attributes,
		.uri = identity->uri,
		.hosts = hosts,
		.usage = SN_PKI_SERVER | SN_PKI_CLIENT, /* probes are asked with it */
	};
	int failed = sn_pki_key_generate(key, err);

	if (failed == 0)
		failed = sn_pki_csr_create(sn_buf_cstr(key), "sonde-hub", &csr, err);
	if (failed == 0) {
		issue.csr_pem = sn_buf_cstr(&csr);
		failed = sn_identity_sign(identity, &issue, now_ns, life_ns, cert, &info, err);
	}
	sn_buf_finish(&csr);
	for (size_t i = 0; attributes[i] != NULL; i++)
		free((char *)attributes[i]);
	if (failed == 0)
		identity->expires_ns = info.not_after_unix_s * SN_NS_PER_S;
	return failed;
}

int sn_identity_make_server(struct sn_identity *identity, const char *const *hosts, int64_t now_ns,
			    int64_t life_ns, struct sn_err *err)
{
	struct sn_buf key = {0}, cert = {0};

	if (make_server_pair(identity, hosts, now_ns, life_ns, &key, &cert, err) != 0) {
		wipe(&key);
		sn_buf_finish(&cert);
		return sn_err_wrap(err, "cannot make the hub's certificate");
	}
	wipe(&identity->key_pem);
	sn_buf_finish(&identity->cert_pem);
	identity->key_pem = key;
	identity->cert_pem = cert;
	identity->made_ns = now_ns;
	sn_buf_clear(&identity->hosts);
	write_hosts(&identity->hosts, hosts);
	return 0;
}

static bool names_differ(const struct sn_identity *identity, const char *const *hosts)
{
	struct sn_buf wanted = {0};
	bool differ;

	write_hosts(&wanted, hosts);
	differ = !sn_str_eq(sn_buf_str(&wanted), sn_buf_str(&identity->hosts));
	sn_buf_finish(&wanted);
	return differ;
}

bool sn_identity_server_is_due(const struct sn_identity *identity, const char *const *hosts,
			       int64_t now_ns)
{
	int64_t life_ns = identity->expires_ns - identity->made_ns;

	return now_ns - identity->made_ns >= life_ns / 3 * 2 ||
	       (hosts != NULL && names_differ(identity, hosts));
}

struct sn_http_tls sn_identity_tls(const struct sn_identity *identity)
{
	return (struct sn_http_tls){
		.cert_pem = identity->cert_pem.p,
		.key_pem = identity->key_pem.p,
		.ca_pem = identity->ca_pem.p,
		.foreign_pem = identity->foreign_pem,
	};
}

void sn_identity_set_foreign(struct sn_identity *identity, const char *pem)
{
	free(identity->foreign_pem);
	identity->foreign_pem = pem != NULL ? sn_xstrdup(pem) : NULL;
}

/* Certificates of others ------------------------------------------------- */

int sn_identity_issue(struct sn_identity *identity, const char *uri, const char *common_name,
		      const char *csr_pem, int64_t now_ns, int64_t life_ns, struct sn_buf *cert_pem,
		      struct sn_pki_info *info, struct sn_err *err)
{
	struct sn_pki_issue issue = {
		.csr_pem = csr_pem,
		.common_name = common_name,
		.uri = uri,
		.usage = SN_PKI_CLIENT,
	};
	int changed;

	assert(strncmp(uri, "urn:sonde:", strlen("urn:sonde:")) == 0);
	if (sn_identity_sign(identity, &issue, now_ns, life_ns, cert_pem, info, err) != 0)
		return err->code;
	/* "node:<id>" or "user:<name>": the name by which policies know them, too. */
	changed = sn_db_run(identity->db, err,
			    "INSERT INTO certificates (serial, uri, fingerprint, issued, expires,"
			    " kind, identity) VALUES (?, ?, ?, ?, ?, substr(?, 1, 4), ?)",
			    "tttiitt", info->serial, uri, info->fingerprint, now_ns,
			    info->not_after_unix_s * SN_NS_PER_S, uri + strlen("urn:sonde:"),
			    uri + strlen("urn:sonde:"));
	return changed < 0 ? changed : 0;
}

int sn_identity_sign_crl(const struct sn_identity *identity, struct sn_pki_crl_order *order,
			 struct sn_buf *der, struct sn_err *err)
{
	order->ca_cert_pem = identity->ca_pem.p;
	order->ca_key_pem = identity->ca_key.p;
	return sn_pki_crl_create(order, der, err);
}

bool sn_identity_serial_is_good(struct sn_identity *identity, const char *serial)
{
	struct sn_err err = {0};
	sqlite3_stmt *row = sn_db_query(identity->db, &err,
					"SELECT 1 FROM certificates"
					" WHERE serial = ? AND revoked IS NULL",
					"t", serial);
	bool good = row != NULL && sn_db_next(identity->db, row, &err) == 1;

	sn_db_done(row);
	if (err.code != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "%s", err.text);
	return good;
}

int sn_identity_revoke_uri(struct sn_identity *identity, const char *uri, int64_t now_ns,
			   struct sn_err *err)
{
	int changed = sn_db_run(identity->db, err,
				"UPDATE certificates SET revoked = ?"
				" WHERE uri = ? AND revoked IS NULL",
				"it", now_ns, uri);

	if (changed > 0)
		identity->revocations++;
	return changed < 0 ? changed : 0;
}
