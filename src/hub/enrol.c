/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "enrol"
#include "hub/enrol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "hub/control.h"
#include "hub/secret.h"
#include "hub/sql.h"

int sn_enrol_invite(struct sn_db *db, const char *fingerprint, const struct sn_invite_spec *spec,
		    int64_t now_ns, struct sn_invite *invite, struct sn_err *err)
{
	uint8_t random[SN_JOIN_SECRET_DIGITS / 2], hash[SN_SECRET_HASH_SIZE];
	char secret[SN_JOIN_SECRET_DIGITS + 1];
	int changed;

	if (spec->name != NULL && !sn_node_name_is_good(spec->name))
		return sn_err_set(err, -EINVAL,
				  "name: '%.80s' is no name for a node (letters, digits, '.', '_', "
				  "'-', at most %d)",
				  spec->name, SN_NODE_NAME_MAX - 1);
	if (sn_sql_i64(db, 0, "SELECT count(*) FROM invites WHERE used IS NULL", "") >=
	    SN_INVITES_MAX)
		return sn_err_set(err, -E2BIG, "there are %d open invites, which is the limit",
				  SN_INVITES_MAX);
	sn_random(random, sizeof(random));
	sn_hex(random, sizeof(random), secret);
	sn_secret_hash(sn_str(secret), hash);
	sn_ulid(now_ns, invite->id);
	invite->expires_ns = now_ns + spec->life_ns;
	snprintf(invite->token, sizeof(invite->token), "%s.%s", secret, fingerprint);
	changed = sn_db_run(db, err,
			    "INSERT INTO invites (id, hash, name, place, created, expires)"
			    " VALUES (?, ?, ?, ?, ?, ?)",
			    "tbttii", invite->id, hash, sizeof(hash), spec->name, spec->place->name,
			    now_ns, invite->expires_ns);
	if (changed >= 0 && spec->place->known)
		changed = sn_db_run(
			db, err, "UPDATE invites SET latitude = ?, longitude = ? WHERE id = ?",
			"fft", spec->place->latitude, spec->place->longitude, invite->id);
	return changed < 0 ? changed : 0;
}

json_t *sn_enrol_list(struct sn_db *db, int64_t now_ns, struct sn_err *err)
{
	return sn_sql_json(
		db, err,
		"SELECT id AS \"id\", name AS \"name\", created AS \"created:time\","
		" expires AS \"expires:time\", latitude AS \"latitude\","
		" longitude AS \"longitude\", nullif(place, '') AS \"place\" FROM invites"
		" WHERE used IS NULL AND expires > ? ORDER BY id",
		"i", now_ns);
}

int sn_enrol_withdraw(struct sn_db *db, const char *id, struct sn_err *err)
{
	int changed =
		sn_db_run(db, err, "DELETE FROM invites WHERE id = ? AND used IS NULL", "t", id);

	if (changed == 0)
		return sn_err_set(
			err, -ENOENT,
			"cannot withdraw invitation '%s': none of that id is open ('sonde node "
			"invites' lists them)",
			id);
	return changed < 0 ? changed : 0;
}

int sn_enrol_tidy(struct sn_db *db, int64_t now_ns, struct sn_err *err)
{
	/* Kept for a week, so that an old token is told apart from a wrong one. */
	int changed = sn_db_run(db, err, "DELETE FROM invites WHERE expires < ?", "i",
				now_ns - 7 * 86400 * SN_NS_PER_S);

	return changed < 0 ? changed : 0;
}

/* Joining ------------------------------------------------------------------ */

struct open_invite {
	char id[SN_ULID_SIZE], name[SN_NODE_NAME_MAX];
	char node[SN_ULID_SIZE]; /* "" until it is used */
	struct sn_place place;
	int64_t expires_ns;
	bool used, same_request;
};

static void take_text(char *out, size_t size, sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	snprintf(out, size, "%s", text != NULL ? text : "");
}

/* 1 found, 0 unknown, or negative errno. */
static int find_invite(struct sn_db *db, const uint8_t hash[SN_SECRET_HASH_SIZE],
		       const uint8_t csr_hash[SN_SECRET_HASH_SIZE], struct open_invite *invite,
		       struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(
		db, err,
		"SELECT id, name, node, place, latitude, longitude, expires,"
		" used IS NOT NULL, csr_hash IS ? FROM invites"
		" WHERE hash = ?",
		"bb", csr_hash, (size_t)SN_SECRET_HASH_SIZE, hash, (size_t)SN_SECRET_HASH_SIZE);
	int got = row == NULL ? err->code : sn_db_next(db, row, err);

	if (got == 1) {
		take_text(invite->id, sizeof(invite->id), row, 0);
		take_text(invite->name, sizeof(invite->name), row, 1);
		take_text(invite->node, sizeof(invite->node), row, 2);
		take_text(invite->place.name, sizeof(invite->place.name), row, 3);
		invite->place.known = sqlite3_column_type(row, 4) != SQLITE_NULL &&
				      sqlite3_column_type(row, 5) != SQLITE_NULL;
		invite->place.latitude = sqlite3_column_double(row, 4);
		invite->place.longitude = sqlite3_column_double(row, 5);
		invite->expires_ns = sqlite3_column_int64(row, 6);
		invite->used = sqlite3_column_int(row, 7) != 0;
		invite->same_request = sqlite3_column_int(row, 8) != 0;
	}
	if (row != NULL)
		sn_db_done(row);
	return got;
}

static int check_token(struct sn_db *db, const char *token, const char *csr_pem, int64_t now_ns,
		       struct open_invite *invite, uint8_t csr_hash[SN_SECRET_HASH_SIZE],
		       struct sn_err *err)
{
	uint8_t hash[SN_SECRET_HASH_SIZE];
	int found;

	/* The fingerprint behind the dot is for the node, to know us by. */
	sn_secret_hash((struct sn_str){token, strcspn(token, ".")}, hash);
	sn_secret_hash(sn_str(csr_pem), csr_hash);
	found = find_invite(db, hash, csr_hash, invite, err);
	if (found < 0)
		return found;
	if (found == 0)
		return sn_err_set(err, -ENOENT,
				  "this token is unknown (make one with 'sonde node invite')");
	if (invite->used && !(invite->same_request && invite->expires_ns > now_ns))
		return sn_err_set(err, -EALREADY,
				  "this token has been used (make one with 'sonde node invite')");
	if (invite->expires_ns <= now_ns)
		return sn_err_set(err, -ETIME,
				  "this token has expired (make one with 'sonde node invite')");
	return 0;
}

/* Everything that one enrolment writes, as one transaction. */
static int write_node(struct sn_db *db, struct sn_identity *identity, struct sn_fleet *fleet,
		      const struct open_invite *invite, const char *name, const char *csr_pem,
		      const uint8_t csr_hash[SN_SECRET_HASH_SIZE], int64_t now_ns, int64_t life_ns,
		      struct sn_enrolment *enrolment, struct sn_err *err)
{
	char uri[SN_PKI_NAME_MAX];
	struct sn_pki_info info;
	int changed;

	snprintf(uri, sizeof(uri), SN_URI_NODE "%s", enrolment->node);
	if (!invite->used &&
	    sn_fleet_insert(fleet, enrolment->node, name, &invite->place, now_ns, err) != 0)
		return err->code;
	if (sn_identity_issue(identity, uri, enrolment->node, csr_pem, now_ns, life_ns,
			      &enrolment->cert_pem, &info, err) != 0)
		return err->code;
	enrolment->expires_ns = info.not_after_unix_s * SN_NS_PER_S;
	changed = sn_db_run(db, err, "UPDATE nodes SET certificate_expires = ? WHERE id = ?", "it",
			    enrolment->expires_ns, enrolment->node);
	if (changed >= 0)
		changed = sn_db_run(db, err,
				    "UPDATE invites SET used = ?, node = ?, csr_hash = ?"
				    " WHERE id = ?",
				    "itbt", now_ns, enrolment->node, csr_hash,
				    (size_t)SN_SECRET_HASH_SIZE, invite->id);
	if (changed >= 0)
		changed = sn_control_audit(db, now_ns, enrolment->node, "node.enrol",
					   enrolment->node, invite->id, err);
	return changed < 0 ? changed : 0;
}

int sn_enrol_join(struct sn_db *db, struct sn_identity *identity, struct sn_fleet *fleet,
		  const char *token, const char *name, const char *csr_pem, int64_t now_ns,
		  int64_t life_ns, struct sn_enrolment *enrolment, struct sn_err *err)
{
	uint8_t csr_hash[SN_SECRET_HASH_SIZE];
	struct open_invite invite = {0};
	int failed = check_token(db, token, csr_pem, now_ns, &invite, csr_hash, err);

	if (failed != 0)
		return failed;
	if (invite.used)
		snprintf(enrolment->node, sizeof(enrolment->node), "%s", invite.node);
	else
		sn_ulid(now_ns, enrolment->node);
	if (sn_db_begin(db, err) != 0)
		return err->code;
	failed = write_node(db, identity, fleet, &invite,
			    invite.name[0] != '\0' ? invite.name : name, csr_pem, csr_hash, now_ns,
			    life_ns, enrolment, err);
	if (failed != 0) {
		sn_db_rollback(db);
		return failed;
	}
	if (sn_db_commit(db, err) != 0)
		return err->code;
	if (invite.used)
		return 0;
	return sn_fleet_adopt(fleet, enrolment->node, err);
}
