/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/certificates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/sql.h"

#define DOMAIN_LABELS_MAX 8
#define SUBJECT_PARTS_MAX (DOMAIN_LABELS_MAX + 2)
#define PART_SIZE         (SN_PKI_COMMON_NAME_MAX + 4) /* "OU=" and a value */

static const struct {
	const char *name, *unit;
} kinds[SN_CERT_KINDS] = {
	[SN_CERT_COMPONENT] = {"component", "Components"},
	[SN_CERT_CLIENT] = {"client", "Clients"},
	[SN_CERT_SUPERVISOR] = {"supervisor", "Supervisors"},
};

const char *sn_cert_kind_name(enum sn_cert_kind kind)
{
	return kinds[kind].name;
}

int sn_cert_kind_find(const char *name)
{
	for (int i = 0; i < SN_CERT_KINDS; i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return i;
	}
	return -ENOENT;
}

/* Subjects -------------------------------------------------------------------- */

struct subject {
	char parts[SUBJECT_PARTS_MAX][PART_SIZE];
	const char *list[SUBJECT_PARTS_MAX + 1];
	unsigned count;
};

static int add_part(struct subject *subject, const char *key, struct sn_str value)
{
	if (subject->count >= SUBJECT_PARTS_MAX || value.n == 0 ||
	    value.n >= SN_PKI_COMMON_NAME_MAX)
		return -EINVAL;
	snprintf(subject->parts[subject->count], PART_SIZE, "%s=%.*s", key, (int)value.n, value.p);
	if (!sn_pki_value_is_plain(strchr(subject->parts[subject->count], '=') + 1))
		return -EINVAL;
	subject->list[subject->count] = subject->parts[subject->count];
	subject->list[++subject->count] = NULL;
	return 0;
}

/* "mplane.org" is DC=org, DC=mplane: the last label first. */
static int add_domain(struct subject *subject, const char *domain)
{
	struct sn_str labels[DOMAIN_LABELS_MAX], rest = sn_str(domain);
	unsigned count = 0;
	int result = 0;

	while (count < DOMAIN_LABELS_MAX && sn_str_split(&rest, '.', &labels[count]))
		count++;
	if (rest.n > 0)
		return -EINVAL;
	while (result == 0 && count > 0)
		result = add_part(subject, "DC", labels[--count]);
	return result;
}

bool sn_cert_domain_is_good(const char *domain)
{
	struct subject subject = {.count = 0};

	return add_domain(&subject, domain) == 0 && subject.count > 0;
}

static int bad_value(struct sn_err *err, const char *member, const char *value)
{
	return sn_err_set(err, -EINVAL,
			  "%s: '%.80s' is not 1 to %d letters, digits, '-' or '_' with a letter or "
			  "digit first (dots and blanks would make two subjects look alike)",
			  member, value, SN_PKI_COMMON_NAME_MAX - 1);
}

static int make_subject(const struct sn_cert_order *order, struct subject *subject,
			struct sn_err *err)
{
	subject->count = 0;
	if (add_domain(subject, order->domain) != 0)
		return bad_value(err, "domain", order->domain);
	if (add_part(subject, "O", sn_str(order->organisation)) != 0)
		return bad_value(err, "organisation", order->organisation);
	if (add_part(subject, "OU", sn_str(kinds[order->kind].unit)) != 0 ||
	    !sn_pki_value_is_plain(order->name))
		return bad_value(err, "name", order->name);
	return 0;
}

int sn_certificates_identity(const struct sn_cert_order *order, char out[SN_PKI_NAME_MAX],
			     struct sn_err *err)
{
	struct subject subject;
	size_t n = 0;

	if (make_subject(order, &subject, err) != 0)
		return err->code;
	for (unsigned i = 0; i < subject.count && n < SN_PKI_NAME_MAX; i++)
		n += (size_t)snprintf(out + n, SN_PKI_NAME_MAX - n, "%s.",
				      strchr(subject.list[i], '=') + 1);
	if (n < SN_PKI_NAME_MAX)
		n += (size_t)snprintf(out + n, SN_PKI_NAME_MAX - n, "%s", order->name);
	if (n >= SN_PKI_NAME_MAX)
		return sn_err_set(err, -EINVAL, "the identity would be longer than %d bytes",
				  SN_PKI_NAME_MAX - 1);
	return 0;
}

/* Issuing ----------------------------------------------------------------------- */

static json_t *texts(const char *const *list)
{
	json_t *array = json_array();

	for (; list != NULL && *list != NULL; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

/* What is needed to make the same again. */
static char *request_text(const struct sn_cert_order *order)
{
	sn_autojson json_t *request =
		json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:I}", "kind", kinds[order->kind].name,
			  "domain", order->domain, "organisation", order->organisation, "name",
			  order->name, "hosts", texts(order->hosts), "uris", texts(order->uris),
			  "life_seconds", (json_int_t)(order->life_ns / SN_NS_PER_S));

	return json_dumps(request, JSON_COMPACT);
}

static int record(struct sn_identity *identity, const struct sn_cert_order *order,
		  const struct sn_pki_info *info, struct sn_buf *pem, int64_t now_ns,
		  struct sn_err *err)
{
	char *request = request_text(order);
	struct sn_buf subject = {0};
	int changed = sn_pki_subject(sn_buf_cstr(pem), &subject, err);

	if (changed == 0)
		changed = sn_db_run(sn_identity_db(identity), err,
				    "INSERT INTO certificates (serial, uri, fingerprint, issued,"
				    " expires, kind, identity, subject, request, pem)"
				    " VALUES (?, '', ?, ?, ?, ?, ?, ?, ?, ?)",
				    "ttiittttt", info->serial, info->fingerprint, now_ns,
				    info->not_after_unix_s * SN_NS_PER_S, kinds[order->kind].name,
				    info->dotted, sn_buf_cstr(&subject), request, pem->p);
	sn_buf_finish(&subject);
	free(request);
	return changed < 0 ? changed : 0;
}

/* The name that follows from the subject first, then the others. */
static int sign(struct sn_identity *identity, const struct sn_cert_order *order, int64_t now_ns,
		struct sn_buf *pem, struct sn_pki_info *info, struct sn_err *err)
{
	sn_autofree char *own =
		sn_xasprintf("%s.%s.%s", order->name, order->organisation, order->domain);
	const char *hosts[SN_CERTIFICATE_NAMES_MAX + 2] = {own};
	struct subject subject;
	struct sn_pki_issue issue = {
		.subject = subject.list,
		.common_name = order->name,
		.csr_pem = order->csr_pem,
		.uris = order->uris,
		.hosts = hosts,
		.usage = SN_PKI_CLIENT | SN_PKI_SERVER,
	};

	for (unsigned i = 0; order->hosts != NULL && order->hosts[i] != NULL; i++)
		hosts[1 + i] = order->hosts[i];
	if (make_subject(order, &subject, err) != 0)
		return err->code;
	return sn_identity_sign(identity, &issue, now_ns, order->life_ns, pem, info, err);
}

static int sign_and_record(struct sn_identity *identity, const struct sn_cert_order *order,
			   int64_t now_ns, char serial[SN_PKI_SERIAL_SIZE], struct sn_err *err)
{
	struct sn_buf pem = {0};
	struct sn_pki_info info;
	int failed = sign(identity, order, now_ns, &pem, &info, err);

	if (failed == 0)
		failed = record(identity, order, &info, &pem, now_ns, err);
	if (failed == 0)
		memcpy(serial, info.serial, sizeof(info.serial));
	sn_buf_finish(&pem);
	return failed;
}

int sn_certificates_issue(struct sn_identity *identity, const struct sn_cert_order *order,
			  int64_t now_ns, char serial[SN_PKI_SERIAL_SIZE], struct sn_err *err)
{
	struct sn_db *db = sn_identity_db(identity);
	char name[SN_PKI_NAME_MAX], old[SN_PKI_SERIAL_SIZE];

	if (sn_certificates_identity(order, name, err) != 0)
		return err->code;
	if (sn_sql_text(db, old, sizeof(old),
			"SELECT serial FROM certificates WHERE identity = ? AND revoked IS NULL"
			" AND expires > ? ORDER BY issued DESC",
			"ti", name, now_ns) == 0)
		return sn_err_set(err, -EEXIST,
				  "'%s' has a valid certificate, %s (renew that one, or revoke it "
				  "first)",
				  name, old);
	if (sn_sql_i64(db, 0, "SELECT count(*) FROM certificates WHERE request IS NOT NULL", "") >=
	    SN_CERTIFICATES_MAX)
		return sn_err_set(err, -E2BIG,
				  "there are %d certificates of mPlane peers, which is the limit",
				  SN_CERTIFICATES_MAX);
	return sign_and_record(identity, order, now_ns, serial, err);
}

/* Renewing -------------------------------------------------------------------------- */

static void read_list(const json_t *request, const char *member, const char **out)
{
	const json_t *array = json_object_get(request, member), *item;
	size_t i, n = 0;

	json_array_foreach (array, i, item) {
		if (json_is_string(item) && n < SN_CERTIFICATE_NAMES_MAX)
			out[n++] = json_string_value(item);
	}
	out[n] = NULL;
}

/* An order again from what was recorded; its texts belong to `request`. */
static int read_order(const json_t *request, struct sn_cert_order *order, const char **hosts,
		      const char **uris)
{
	const char *kind = json_string_value(json_object_get(request, "kind"));
	int found = kind != NULL ? sn_cert_kind_find(kind) : -ENOENT;

	if (found < 0)
		return found;
	read_list(request, "hosts", hosts);
	read_list(request, "uris", uris);
	*order = (struct sn_cert_order){
		.kind = (enum sn_cert_kind)found,
		.domain = json_string_value(json_object_get(request, "domain")),
		.organisation = json_string_value(json_object_get(request, "organisation")),
		.name = json_string_value(json_object_get(request, "name")),
		.hosts = hosts,
		.uris = uris,
		.life_ns =
			json_integer_value(json_object_get(request, "life_seconds")) * SN_NS_PER_S,
	};
	return order->domain != NULL && order->organisation != NULL && order->name != NULL
		       ? 0
		       : -ENOENT;
}

/* 0 and what was ordered; -ENOENT, -EPERM with a reason. */
static int find_request(struct sn_identity *identity, const char *serial, json_t **request,
			struct sn_err *err)
{
	sqlite3_stmt *row =
		sn_db_query(sn_identity_db(identity), err,
			    "SELECT request, revoked IS NOT NULL, kind FROM certificates"
			    " WHERE serial = ?",
			    "t", serial);
	int got = row == NULL ? err->code : sn_db_next(sn_identity_db(identity), row, err);

	if (got == 0) {
		got = sn_err_set(err, -ENOENT, "no certificate has the serial number '%.60s'",
				 serial);
	} else if (got == 1 && sqlite3_column_type(row, 0) == SQLITE_NULL) {
		got = sn_err_set(err, -EPERM,
				 "this is the certificate of a %s; only those of mPlane peers are "
				 "renewed here",
				 (const char *)sqlite3_column_text(row, 2));
	} else if (got == 1 && sqlite3_column_int(row, 1) != 0) {
		got = sn_err_set(err, -EPERM,
				 "this certificate was revoked (issue a new one instead)");
	} else if (got == 1) {
		const char *text = (const char *)sqlite3_column_text(row, 0);

		*request = sn_json_parse(text, strlen(text), err);
		got = *request != NULL ? 0 : err->code;
	}
	if (row != NULL)
		sn_db_done(row);
	return got;
}

int sn_certificates_renew(struct sn_identity *identity, const char *serial, const char *csr_pem,
			  int64_t life_ns, int64_t now_ns, char fresh[SN_PKI_SERIAL_SIZE],
			  struct sn_err *err)
{
	const char *hosts[SN_CERTIFICATE_NAMES_MAX + 1], *uris[SN_CERTIFICATE_NAMES_MAX + 1];
	sn_autojson json_t *request = NULL;
	struct sn_cert_order order;

	if (find_request(identity, serial, &request, err) != 0)
		return err->code;
	if (read_order(request, &order, hosts, uris) != 0)
		return sn_err_set(err, -EIO, "what was ordered with certificate '%s' is unreadable",
				  serial);
	order.csr_pem = csr_pem;
	if (life_ns > 0)
		order.life_ns = life_ns;
	return sign_and_record(identity, &order, now_ns, fresh, err);
}

/* Revoking -------------------------------------------------------------------------- */

static int explain_no_revocation(struct sn_identity *identity, const char *serial,
				 struct sn_err *err)
{
	char kind[16] = "";

	if (sn_sql_text(sn_identity_db(identity), kind, sizeof(kind),
			"SELECT kind FROM certificates WHERE serial = ?", "t", serial) != 0)
		return sn_err_set(err, -ENOENT, "no certificate has the serial number '%.60s'",
				  serial);
	if (strcmp(kind, "node") == 0)
		return sn_err_set(err, -EPERM,
				  "this is the certificate of a node (revoke the node instead)");
	return sn_err_set(err, -EPERM, "this certificate was revoked before");
}

int sn_certificates_revoke(struct sn_identity *identity, const char *serial, const char *reason,
			   int64_t now_ns, struct sn_err *err)
{
	int changed = sn_db_run(sn_identity_db(identity), err,
				"UPDATE certificates SET revoked = ?, reason = ? WHERE serial = ?"
				" AND revoked IS NULL AND kind <> 'node'",
				"itt", now_ns, reason, serial);

	if (changed < 0)
		return changed;
	if (changed == 0)
		return explain_no_revocation(identity, serial, err);
	sn_identity_note_revocation(identity);
	return 0;
}

/* Reading ---------------------------------------------------------------------------- */

#define COLUMNS                                                                                    \
	"serial AS \"serial\", kind AS \"kind\", identity AS \"identity\","                        \
	" subject AS \"subject\", nullif(uri, '') AS \"uri\","                                     \
	" json_extract(request, '$.name') || '.' || json_extract(request, '$.organisation')"       \
	" || '.' || json_extract(request, '$.domain') AS \"host\","                                \
	" coalesce(json_extract(request, '$.hosts'), '[]') AS \"hosts:json\","                     \
	" coalesce(json_extract(request, '$.uris'), '[]') AS \"uris:json\","                       \
	" fingerprint AS \"fingerprint\", issued AS \"issued:time\","                              \
	" expires AS \"expires:time\", revoked AS \"revoked:time\", reason AS \"reason\","         \
	" CASE WHEN revoked IS NOT NULL THEN 'revoked' WHEN expires <= ? THEN 'expired'"           \
	" ELSE 'valid' END AS \"state\""

json_t *sn_certificates_list(struct sn_identity *identity,
			     const struct sn_certificate_filter *filter, int64_t now_ns,
			     struct sn_err *err)
{
	return sn_sql_json(sn_identity_db(identity), err,
			   "SELECT * FROM (SELECT " COLUMNS " FROM certificates"
			   " WHERE (? IS NULL OR kind = ?) AND (? IS NULL OR identity = ?)"
			   " ORDER BY issued DESC, serial) WHERE (? IS NULL OR state = ?)",
			   "itttttt", now_ns, filter->kind, filter->kind, filter->identity,
			   filter->identity, filter->state, filter->state);
}

json_t *sn_certificates_get(struct sn_identity *identity, const char *serial, int64_t now_ns,
			    struct sn_err *err)
{
	sn_autojson json_t *items = sn_sql_json(
		sn_identity_db(identity), err,
		"SELECT " COLUMNS ", pem AS \"certificate_pem\" FROM certificates WHERE serial = ?",
		"it", now_ns, serial);

	if (items == NULL)
		return NULL;
	return json_array_size(items) > 0 ? json_incref(json_array_get(items, 0)) : json_null();
}

int sn_certificates_tidy(struct sn_db *db, int64_t now_ns, struct sn_err *err)
{
	int changed = sn_db_run(db, err,
				"DELETE FROM certificates WHERE expires < ?"
				" AND (request IS NULL OR expires < ?)",
				"ii", now_ns, now_ns - SN_CERTIFICATE_KEPT_NS);

	return changed < 0 ? changed : 0;
}
