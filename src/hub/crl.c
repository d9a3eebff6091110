/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "hub/certificates.h"
#include "hub/sql.h"

struct sn_crl {
	struct sn_identity *identity;
	struct sn_buf der; /* empty: none was made yet */
	int64_t made_s;
	uint64_t revocations; /* up to which the list is complete */
};

struct sn_crl *sn_crl_create(struct sn_identity *identity)
{
	struct sn_crl *crl = sn_new(struct sn_crl);

	crl->identity = identity;
	return crl;
}

void sn_crl_destroy(struct sn_crl *crl)
{
	if (crl == NULL)
		return;
	sn_buf_finish(&crl->der);
	free(crl);
}

/* Of every certificate of ours that would be good otherwise. */
static int read_revoked(struct sn_db *db, int64_t now_ns, struct sn_buf *out, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(db, err,
					"SELECT serial, revoked FROM certificates"
					" WHERE revoked IS NOT NULL AND expires > ?",
					"i", now_ns);
	int got = row == NULL ? err->code : 1;

	while (got == 1 && (got = sn_db_next(db, row, err)) == 1) {
		struct sn_pki_revoked one = {.unix_s = sqlite3_column_int64(row, 1) / SN_NS_PER_S};

		snprintf(one.serial, sizeof(one.serial), "%s",
			 (const char *)sqlite3_column_text(row, 0));
		sn_buf_add(out, &one, sizeof(one));
	}
	if (row != NULL)
		sn_db_done(row);
	return got;
}

/* Kept before it is used: a list must never have the number of another one. */
static int next_number(struct sn_db *db, uint64_t *number, struct sn_err *err)
{
	int changed = sn_db_run(db, err,
				"INSERT INTO meta VALUES ('crl_number', '1') ON CONFLICT (key)"
				" DO UPDATE SET value = CAST(value AS INTEGER) + 1",
				"");

	if (changed < 0)
		return changed;
	*number = (uint64_t)sn_sql_i64(
		db, 0, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'crl_number'", "");
	return *number > 0 ? 0 : sn_err_set(err, -EIO, "cannot count the revocation lists");
}

static int make(struct sn_crl *crl, int64_t now_ns, struct sn_err *err)
{
	struct sn_db *db = sn_identity_db(crl->identity);
	struct sn_buf revoked = {0}, der = {0};
	struct sn_pki_crl_order order = {
		.this_update_unix_s = now_ns / SN_NS_PER_S,
		.next_update_unix_s = now_ns / SN_NS_PER_S + SN_CRL_LIFE_S,
	};
	int failed = read_revoked(db, now_ns, &revoked, err);

	order.revoked = (const struct sn_pki_revoked *)(const void *)revoked.p;
	order.revoked_count = revoked.n / sizeof(*order.revoked);
	if (failed == 0)
		failed = next_number(db, &order.number, err);
	if (failed == 0)
		failed = sn_identity_sign_crl(crl->identity, &order, &der, err);
	sn_buf_finish(&revoked);
	if (failed != 0) {
		sn_buf_finish(&der);
		return failed;
	}
	sn_buf_finish(&crl->der);
	crl->der = der;
	crl->made_s = order.this_update_unix_s;
	crl->revocations = sn_identity_revocations(crl->identity);
	return 0;
}

int sn_crl_get(struct sn_crl *crl, int64_t now_ns, struct sn_str *der, struct sn_err *err)
{
	int64_t age_s = now_ns / SN_NS_PER_S - crl->made_s;

	if (crl->der.n == 0 || crl->revocations != sn_identity_revocations(crl->identity) ||
	    age_s < 0 || age_s > SN_CRL_AGE_MAX_S) {
		if (make(crl, now_ns, err) != 0)
			return err->code;
	}
	*der = sn_buf_str(&crl->der);
	return 0;
}
