/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "trust"
#include "hub/trust.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/control.h"

/* What is in a file of `trust` ------------------------------------------------------- */

struct domain_config {
	char *ca, *crl;
	struct sn_conf_texts identities;
};

static const struct sn_conf_key keys[] = {
	{.name = "ca",
	 .type = SN_CONF_TEXT,
	 .offset = offsetof(struct domain_config, ca),
	 .help = "file with the certificate of the foreign CA, PEM"},
	{.name = "crl",
	 .type = SN_CONF_TEXT,
	 .offset = offsetof(struct domain_config, crl),
	 .default_text = "",
	 .help = "file with its revocation list, PEM or DER"},
	{.name = "identities",
	 .type = SN_CONF_TEXTS,
	 .offset = offsetof(struct domain_config, identities),
	 .help = "dotted subjects of its peers that are let in"},
};

static const struct sn_conf_schema schema = {
	.program = "trust",
	.keys = keys,
	.key_count = SN_COUNT(keys),
	.struct_size = sizeof(struct domain_config),
};

/* One foreign domain as it was read; what is used is never changed, only replaced. */
struct domain {
	struct domain_config config;
	char *ca_file, *crl_file; /* crl_file NULL: none */
	struct sn_buf ca_pem;
	struct sn_pki_info ca;
};

static void domain_free(struct domain *domain)
{
	if (domain == NULL)
		return;
	sn_conf_release(&schema, &domain->config);
	free(domain->ca_file);
	free(domain->crl_file);
	sn_buf_finish(&domain->ca_pem);
	free(domain);
}

static char *beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	sn_autofree char *dir = NULL;

	if (name[0] == '/' || slash == NULL)
		return sn_xstrdup(name);
	dir = sn_xstrndup(file, (size_t)(slash - file));
	return sn_fs_join(dir[0] != '\0' ? dir : "/", name);
}

static bool is_identity(const char *text)
{
	return text[0] != '\0' && strlen(text) < SN_PKI_NAME_MAX &&
	       text[strcspn(text, ": \t\r\n")] == '\0';
}

static int check_identities(const struct domain_config *config, struct sn_err *err)
{
	if (config->identities.count == 0)
		return sn_err_set(err, -EINVAL, "key 'identities': empty (nobody would be let in)");
	for (unsigned i = 0; i < config->identities.count; i++) {
		if (!is_identity(config->identities.items[i]))
			return sn_err_set(err, -EINVAL,
					  "key 'identities': '%.80s' is no dotted subject (like "
					  "'org.mplane.Partner.Supervisors.sup1')",
					  config->identities.items[i]);
	}
	return 0;
}

static unsigned count_blocks(const char *pem)
{
	unsigned count = 0;

	while ((pem = strstr(pem, "-----BEGIN ")) != NULL) {
		count++;
		pem++;
	}
	return count;
}

static int read_domain(const char *file, struct domain *domain, struct sn_err *err)
{
	if (sn_conf_load(&schema, file, &domain->config, err) != 0)
		return err->code;
	if (check_identities(&domain->config, err) != 0)
		return sn_err_wrap(err, "%s", file);
	domain->ca_file = beside(file, domain->config.ca);
	if (domain->config.crl[0] != '\0')
		domain->crl_file = beside(file, domain->config.crl);
	if (sn_fs_read(domain->ca_file, SN_PKI_PEM_MAX, &domain->ca_pem, err) != 0 ||
	    sn_pki_info(sn_buf_cstr(&domain->ca_pem), &domain->ca, err) != 0)
		return sn_err_wrap(err, "%s: key 'ca': cannot use '%s'", file, domain->ca_file);
	if (count_blocks(domain->ca_pem.p) != 1)
		return sn_err_set(
			err, -EINVAL,
			"%s: key 'ca': '%s' holds several certificates (one file for each "
			"CA)",
			file, domain->ca_file);
	return 0;
}

static int domain_open(const char *file, struct domain **domain, struct sn_err *err)
{
	struct domain *made = sn_new(struct domain);

	if (read_domain(file, made, err) != 0) {
		domain_free(made);
		return err->code;
	}
	*domain = made;
	return 0;
}

int sn_trust_check_file(const char *file, struct sn_err *err)
{
	struct domain *domain = NULL;

	if (domain_open(file, &domain, err) != 0)
		return err->code;
	domain_free(domain);
	return 0;
}

/* All of them ------------------------------------------------------------------------ */

/* By which a changed file is known; zeroed for one that is not there. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

static bool take_stamp(const char *file, struct stamp *stamp)
{
	struct stamp now = {.dev = 0};
	struct stat st;
	bool same;

	if (file != NULL && stat(file, &st) == 0)
		now = (struct stamp){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
	same = now.dev == stamp->dev && now.ino == stamp->ino && now.size == stamp->size &&
	       now.changed.tv_sec == stamp->changed.tv_sec &&
	       now.changed.tv_nsec == stamp->changed.tv_nsec;
	*stamp = now;
	return !same;
}

enum trouble { TROUBLE_FILE, TROUBLE_CRL, TROUBLE_DATES, TROUBLES };

struct entry { /* of one file in `trust` */
	const char *file;
	struct domain *domain; /* NULL only while the first one is read */
	struct sn_pki_crl *crl;
	struct stamp file_stamp, ca_stamp, crl_stamp;
	char *troubles[TROUBLES]; /* what is wrong with it now, for people; NULL: nothing */
};

struct sn_trust {
	struct sn_identity *identity;
	struct entry entries[SN_TRUST_DOMAINS_MAX];
	unsigned count;
	struct sn_buf pem;
	bool news; /* the troubles are others than at the last refresh */
};

/* An alarm when something new is wrong, a note when it is over; NULL for nothing. */
static void set_trouble(struct sn_trust *trust, struct entry *entry, enum trouble which,
			const char *text, int64_t now_ns)
{
	char *before = entry->troubles[which];
	struct sn_err err = {0};

	entry->troubles[which] = text != NULL ? sn_xstrdup(text) : NULL;
	if (text == NULL && before != NULL) {
		trust->news = true;
		sn_notice("trouble is over: %s", before);
	} else if (text != NULL && (before == NULL || strcmp(before, text) != 0)) {
		trust->news = true;
		sn_error("%s", text);
		if (sn_control_audit(sn_identity_db(trust->identity), now_ns, "-", "trust.alarm",
				     entry->file, text, &err) != 0)
			SN_LOG_LIMITED(SN_LOG_ERROR, "cannot write the audit trail: %s", err.text);
	}
	free(before);
}

const char *sn_trust_problem(const struct sn_trust *trust, unsigned index)
{
	for (unsigned i = 0; i < trust->count; i++) {
		for (unsigned j = 0; j < TROUBLES; j++) {
			if (trust->entries[i].troubles[j] != NULL && index-- == 0)
				return trust->entries[i].troubles[j];
		}
	}
	return NULL;
}

static bool holds(const struct sn_conf_texts *texts, const char *text)
{
	for (unsigned i = 0; i < texts->count; i++) {
		if (strcmp(texts->items[i], text) == 0)
			return true;
	}
	return false;
}

/* What two files claim would be decided by their order. */
static int check_apart(const struct sn_trust *trust, const struct entry *own,
		       const struct domain *domain, struct sn_err *err)
{
	if (strcmp(domain->ca.fingerprint, sn_identity_ca_fingerprint(trust->identity)) == 0)
		return sn_err_set(err, -EINVAL, "%s: key 'ca': this is our own CA", own->file);
	for (unsigned i = 0; i < trust->count; i++) {
		const struct entry *other = &trust->entries[i];

		if (other == own || other->domain == NULL)
			continue;
		if (strcmp(other->domain->ca.fingerprint, domain->ca.fingerprint) == 0)
			return sn_err_set(err, -EINVAL, "%s: key 'ca': '%s' has the same CA",
					  own->file, other->file);
		for (unsigned j = 0; j < domain->config.identities.count; j++) {
			const char *name = domain->config.identities.items[j];

			if (holds(&other->domain->config.identities, name))
				return sn_err_set(err, -EINVAL,
						  "%s: key 'identities': '%.80s' is in '%s', too",
						  own->file, name, other->file);
		}
	}
	return 0;
}

static void stamp_all(struct entry *entry)
{
	assert(entry->domain != NULL);
	take_stamp(entry->file, &entry->file_stamp);
	take_stamp(entry->domain->ca_file, &entry->ca_stamp);
	take_stamp(entry->domain->crl_file, &entry->crl_stamp);
}

/* Reads the list; one that cannot be used leaves the one before it, until that runs out. */
static void load_crl(struct sn_trust *trust, struct entry *entry, int64_t now_ns)
{
	const struct domain *domain = entry->domain;
	struct sn_pki_crl *fresh = NULL;
	struct sn_buf text = {0};
	struct sn_err err = {0};

	assert(domain != NULL);
	if (domain->crl_file != NULL &&
	    (sn_fs_read(domain->crl_file, SN_PKI_CRL_MAX, &text, &err) != 0 ||
	     sn_pki_crl_read(sn_buf_str(&text), domain->ca_pem.p, &fresh, &err) != 0))
		sn_err_wrap(&err, "%s: key 'crl': cannot use '%s'", entry->file, domain->crl_file);
	if (err.code == 0) {
		sn_pki_crl_free(entry->crl);
		entry->crl = fresh;
	}
	set_trouble(trust, entry, TROUBLE_CRL, err.code != 0 ? err.text : NULL, now_ns);
	sn_buf_finish(&text);
}

/* Takes `fresh` into use.  A list of another CA says nothing about this one. */
static void adopt(struct sn_trust *trust, struct entry *entry, struct domain *fresh, int64_t now_ns)
{
	bool same_ca = entry->domain != NULL &&
		       strcmp(entry->domain->ca.fingerprint, fresh->ca.fingerprint) == 0;

	if (!same_ca) {
		sn_pki_crl_free(entry->crl);
		entry->crl = NULL;
	}
	domain_free(entry->domain);
	entry->domain = fresh;
	stamp_all(entry);
	load_crl(trust, entry, now_ns);
}

static bool crl_is_over(const struct entry *entry, int64_t now_ns)
{
	return entry->crl != NULL && sn_pki_crl_next_update(entry->crl) <= now_ns / SN_NS_PER_S;
}

static void check_dates(struct sn_trust *trust, struct entry *entry, int64_t now_ns)
{
	sn_autofree char *text = NULL;

	if (entry->domain->ca.not_after_unix_s <= now_ns / SN_NS_PER_S)
		text = sn_xasprintf("%s: key 'ca': '%s' has expired (all its peers are refused)",
				    entry->file, entry->domain->ca_file);
	else if (crl_is_over(entry, now_ns))
		text = sn_xasprintf("%s: key 'crl': '%s' has run out (all peers of this CA are "
				    "refused until there is a newer one)",
				    entry->file, entry->domain->crl_file);
	set_trouble(trust, entry, TROUBLE_DATES, text, now_ns);
}

/* True when they are others than before. */
static bool make_pem(struct sn_trust *trust)
{
	struct sn_buf fresh = {0};
	bool same;

	for (unsigned i = 0; i < trust->count; i++)
		sn_buf_addf(&fresh, "%s\n", trust->entries[i].domain->ca_pem.p);
	sn_buf_cstr(&fresh);
	same = sn_str_eq(sn_buf_str(&fresh), sn_buf_str(&trust->pem));
	sn_buf_finish(&trust->pem);
	trust->pem = fresh;
	return !same;
}

const char *sn_trust_foreign_pem(const struct sn_trust *trust)
{
	return trust->count > 0 ? trust->pem.p : NULL;
}

static int open_entry(struct sn_trust *trust, const char *file, int64_t now_ns, struct sn_err *err)
{
	struct entry *entry = &trust->entries[trust->count];
	struct domain *domain = NULL;

	entry->file = file;
	if (domain_open(file, &domain, err) != 0)
		return err->code;
	if (check_apart(trust, entry, domain, err) != 0) {
		domain_free(domain);
		return err->code;
	}
	trust->count++;
	adopt(trust, entry, domain, now_ns);
	check_dates(trust, entry, now_ns);
	return 0;
}

int sn_trust_open(const struct sn_conf_texts *files, struct sn_identity *identity, int64_t now_ns,
		  struct sn_trust **trust, struct sn_err *err)
{
	struct sn_trust *made = sn_new(struct sn_trust);
	int failed = 0;

	made->identity = identity;
	if (files->count > SN_TRUST_DOMAINS_MAX)
		failed = sn_err_set(err, -E2BIG, "key 'trust': more than %d files",
				    SN_TRUST_DOMAINS_MAX);
	for (unsigned i = 0; i < files->count && failed == 0; i++)
		failed = open_entry(made, files->items[i], now_ns, err);
	if (failed != 0) {
		sn_trust_close(made);
		return failed;
	}
	make_pem(made);
	*trust = made;
	return 0;
}

void sn_trust_close(struct sn_trust *trust)
{
	if (trust == NULL)
		return;
	for (unsigned i = 0; i < trust->count; i++) {
		struct entry *entry = &trust->entries[i];

		domain_free(entry->domain);
		sn_pki_crl_free(entry->crl);
		for (unsigned j = 0; j < TROUBLES; j++)
			free(entry->troubles[j]);
	}
	sn_buf_finish(&trust->pem);
	free(trust);
}

/* Changes ------------------------------------------------------------------------------ */

static bool reload(struct sn_trust *trust, struct entry *entry, int64_t now_ns)
{
	struct domain *fresh = NULL;
	struct sn_err err = {0};

	if (domain_open(entry->file, &fresh, &err) == 0 &&
	    check_apart(trust, entry, fresh, &err) == 0)
		adopt(trust, entry, fresh, now_ns);
	else
		domain_free(fresh);
	set_trouble(trust, entry, TROUBLE_FILE, err.code != 0 ? err.text : NULL, now_ns);
	if (err.code == 0)
		sn_notice("read again file=%s identities=%u", entry->file,
			  entry->domain->config.identities.count);
	return err.code == 0;
}

static bool refresh_entry(struct sn_trust *trust, struct entry *entry, int64_t now_ns)
{
	bool was_over = entry->troubles[TROUBLE_DATES] != NULL, changed = false;
	bool file = take_stamp(entry->file, &entry->file_stamp);
	bool ca = take_stamp(entry->domain->ca_file, &entry->ca_stamp);

	if (file || ca) {
		changed = reload(trust, entry, now_ns);
	} else if (take_stamp(entry->domain->crl_file, &entry->crl_stamp)) {
		load_crl(trust, entry, now_ns);
		changed = entry->troubles[TROUBLE_CRL] == NULL;
	}
	check_dates(trust, entry, now_ns);
	return changed || was_over != (entry->troubles[TROUBLE_DATES] != NULL);
}

int sn_trust_refresh(struct sn_trust *trust, int64_t now_ns)
{
	bool changed = false, other_cas = false;

	trust->news = false;
	for (unsigned i = 0; i < trust->count; i++)
		changed |= refresh_entry(trust, &trust->entries[i], now_ns);
	if (changed)
		other_cas = make_pem(trust);
	return (changed ? SN_TRUST_CHANGED : 0) | (other_cas ? SN_TRUST_CAS : 0) |
	       (trust->news ? SN_TRUST_PROBLEMS : 0);
}

/* Questions -------------------------------------------------------------------------------- */

static bool refuse(char *why, const char *format, ...) SN_PRINTF(2, 3);

static bool refuse(char *why, const char *format, ...)
{
	va_list args;

	if (why != NULL) {
		va_start(args, format);
		vsnprintf(why, SN_TRUST_WHY_MAX, format, args);
		va_end(args);
	}
	return false;
}

static bool accepts_own(struct sn_trust *trust, const struct sn_pki_info *peer, char *why)
{
	bool good = sn_identity_serial_is_good(trust->identity, peer->serial);

	if (!good && strncmp(peer->uri, SN_URI_NODE, strlen(SN_URI_NODE)) == 0)
		return refuse(why, "the machine has to join again with a new token");
	if (!good)
		return refuse(why,
			      "certificate %s was revoked, or is not in the hub's table (ask who "
			      "runs the hub for a new one)",
			      peer->serial);
	if (peer->uri[0] == '\0' && peer->dotted[0] == '\0')
		return refuse(why,
			      "the certificate names nobody: neither a urn:sonde nor a subject "
			      "without dots and blanks");
	return true;
}

static bool accepts_foreign(const struct entry *entry, const struct sn_pki_info *peer,
			    int64_t now_ns, char *why)
{
	const struct domain *domain = entry->domain;

	if (peer->dotted[0] == '\0')
		return refuse(why, "the certificate's subject is no identity (a value is empty or "
				   "holds a dot or a blank)");
	if (!holds(&domain->config.identities, peer->dotted))
		return refuse(why,
			      "'%.150s' is not among the identities that are let in from its "
			      "CA",
			      peer->dotted);
	if (domain->crl_file != NULL && entry->crl == NULL)
		return refuse(why, "the revocation list of its CA cannot be used");
	if (crl_is_over(entry, now_ns))
		return refuse(why, "the revocation list of its CA has run out");
	if (entry->crl != NULL && sn_pki_crl_holds(entry->crl, peer->serial))
		return refuse(why, "its CA has revoked certificate %s", peer->serial);
	return true;
}

bool sn_trust_accepts(struct sn_trust *trust, const struct sn_pki_info *peer, int64_t now_ns,
		      char *why)
{
	if (strcmp(peer->issuer, sn_identity_ca_fingerprint(trust->identity)) == 0)
		return accepts_own(trust, peer, why);
	for (unsigned i = 0; i < trust->count; i++) {
		if (strcmp(peer->issuer, trust->entries[i].domain->ca.fingerprint) == 0)
			return accepts_foreign(&trust->entries[i], peer, now_ns, why);
	}
	return refuse(why, "the CA of this certificate is not trusted any more");
}

bool sn_trust_lists(const struct sn_trust *trust, const char *identity)
{
	for (unsigned i = 0; i < trust->count; i++) {
		if (holds(&trust->entries[i].domain->config.identities, identity))
			return true;
	}
	return false;
}
