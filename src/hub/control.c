/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rand.h"

#define NUMBER_OF(number) #number
#define NUMBER(number)    NUMBER_OF(number)
#define NOT_THE_AUDIT     " BEGIN SELECT raise(ABORT, 'the audit trail is only added to'); END;"

static const char *const migrations[] = {
	/* 0 -> 1 */
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT, created INTEGER NOT NULL,"
	" last_login INTEGER) WITHOUT ROWID;"
	"CREATE TABLE sessions (hash BLOB PRIMARY KEY,"
	" user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, created INTEGER NOT NULL,"
	" expires INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX sessions_user ON sessions (user, created);"
	"CREATE TABLE login_links (hash BLOB PRIMARY KEY,"
	" user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, created INTEGER NOT NULL,"
	" expires INTEGER NOT NULL, used INTEGER) WITHOUT ROWID;"
	"CREATE TABLE api_tokens (id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
	" user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, label TEXT NOT NULL,"
	" created INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID;"
	"CREATE TABLE nodes (id TEXT PRIMARY KEY, name TEXT NOT NULL, enrolled INTEGER NOT NULL,"
	" last_seen INTEGER, revoked INTEGER, certificate_expires INTEGER, latitude REAL,"
	" longitude REAL, place TEXT, tags TEXT NOT NULL DEFAULT '[]', version TEXT,"
	" report TEXT) WITHOUT ROWID;"
	/* A revoked node keeps its name for the record; the machine may come back under it. */
	"CREATE UNIQUE INDEX nodes_name ON nodes (name) WHERE revoked IS NULL;"
	"CREATE TABLE invites (id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT,"
	" latitude REAL, longitude REAL, place TEXT, created INTEGER NOT NULL,"
	" expires INTEGER NOT NULL, used INTEGER, node TEXT REFERENCES nodes, csr_hash BLOB)"
	" WITHOUT ROWID;"
	"CREATE TABLE tasks (id TEXT PRIMARY KEY, name TEXT NOT NULL, method TEXT NOT NULL,"
	" parameters TEXT NOT NULL, nodes TEXT NOT NULL, created INTEGER NOT NULL,"
	" idempotency_key TEXT UNIQUE) WITHOUT ROWID;"
	"CREATE TABLE certificates (serial TEXT PRIMARY KEY, uri TEXT NOT NULL,"
	" fingerprint TEXT NOT NULL, issued INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" revoked INTEGER) WITHOUT ROWID;"
	"CREATE INDEX certificates_expires ON certificates (expires);"
	"CREATE TABLE audit (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL,"
	" action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT);",

	/* 1 -> 2: the measurement plane */
	"ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'admin';"
	"ALTER TABLE api_tokens ADD COLUMN role TEXT;" /* null: that of its owner */
	/*
	 * The audit trail is only added to.  What is older than the newest lines may go; a number
	 * of one's own choice would make others old.
	 */
	"ALTER TABLE audit ADD COLUMN outcome TEXT NOT NULL DEFAULT 'done';"
	"ALTER TABLE audit ADD COLUMN line INTEGER;" /* of the policy */
	"CREATE TRIGGER audit_update BEFORE UPDATE ON audit" NOT_THE_AUDIT
	"CREATE TRIGGER audit_delete BEFORE DELETE ON audit"
	" WHEN old.id > (SELECT max(id) FROM audit) - " NUMBER(SN_AUDIT_ROWS_MAX) NOT_THE_AUDIT
	"CREATE TRIGGER audit_replace BEFORE INSERT ON audit"
	" WHEN EXISTS (SELECT 1 FROM audit WHERE id = new.id)" NOT_THE_AUDIT
	"CREATE TRIGGER audit_jump AFTER INSERT ON audit WHEN new.id !="
	" 1 + (SELECT coalesce(max(id), 0) FROM audit WHERE id < new.id)" NOT_THE_AUDIT
	/* What was asked for, and how far each provider is with it: hub/measures.h. */
	"CREATE TABLE measurements (id TEXT PRIMARY KEY, name TEXT NOT NULL, owner TEXT NOT NULL,"
	" label TEXT NOT NULL, native INTEGER NOT NULL, specification TEXT,"
	" parameters TEXT NOT NULL, selection TEXT NOT NULL, follows INTEGER NOT NULL,"
	" repository TEXT NOT NULL DEFAULT '', client_token TEXT NOT NULL DEFAULT '',"
	" client_label TEXT NOT NULL DEFAULT '', idempotency_key TEXT, created INTEGER NOT NULL,"
	" identities TEXT NOT NULL DEFAULT '[]'," /* of who asked: a JSON array */
	" stopped INTEGER, UNIQUE (owner, idempotency_key)) WITHOUT ROWID;"
	"CREATE TABLE parts (measurement TEXT NOT NULL REFERENCES measurements ON DELETE CASCADE,"
	" provider TEXT NOT NULL, token TEXT NOT NULL DEFAULT '', state TEXT NOT NULL,"
	" started INTEGER, ended INTEGER, results INTEGER NOT NULL DEFAULT 0,"
	" error TEXT NOT NULL DEFAULT '', PRIMARY KEY (measurement, provider)) WITHOUT ROWID;"
	/* Tasks go on as measurements; the specification is made of the rest at the first start. */
	"INSERT INTO measurements (id, name, owner, label, native, parameters, selection, follows,"
	" idempotency_key, created) SELECT id, name, 'user:' || coalesce("
	"(SELECT name FROM users ORDER BY created LIMIT 1), 'admin'), method, 1, parameters,"
	" json_object('nodes', json(nodes)), nodes = '[\"*\"]', idempotency_key, created FROM "
	"tasks;"
	"INSERT INTO parts (measurement, provider, state) SELECT tasks.id, 'node:' || nodes.id,"
	" 'waiting' FROM tasks, nodes WHERE nodes.revoked IS NULL AND (tasks.nodes = '[\"*\"]' OR"
	" nodes.id IN (SELECT value FROM json_each(tasks.nodes)));"
	"DROP TABLE tasks;"
	/* What mPlane peers are told and owed: hub/derived.c and hub/supervisor/. */
	"CREATE TABLE mplane_datasets (name TEXT PRIMARY KEY, definition TEXT NOT NULL,"
	" created INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE mplane_requests (measure TEXT PRIMARY KEY, message TEXT NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TABLE mplane_exports (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" repository TEXT NOT NULL, message TEXT NOT NULL, created INTEGER NOT NULL);"
	"CREATE INDEX mplane_exports_repository ON mplane_exports (repository, id);"
	/* hub/identity.c: certificates of mPlane peers, and what all are for. */
	"ALTER TABLE certificates ADD COLUMN kind TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE certificates ADD COLUMN identity TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE certificates ADD COLUMN subject TEXT;"
	"ALTER TABLE certificates ADD COLUMN request TEXT;" /* JSON: names and life, to renew */
	"ALTER TABLE certificates ADD COLUMN pem TEXT;"
	"ALTER TABLE certificates ADD COLUMN reason TEXT;" /* of the revocation */
	"UPDATE certificates SET kind = substr(uri, 11, 4), identity = substr(uri, 11);"
	"CREATE INDEX certificates_identity ON certificates (identity);",

	/* 2 -> 3: files on their way into the store: hub/uploads.h, hub/imports.h */
	"CREATE TABLE uploads (id TEXT PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL,"
	" kind TEXT NOT NULL, owner TEXT NOT NULL, bytes INTEGER NOT NULL,"
	" offset INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, touched INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TABLE imports (id TEXT PRIMARY KEY, name TEXT NOT NULL, form TEXT NOT NULL,"
	" asked_form TEXT NOT NULL, dataset TEXT, asked_dataset TEXT NOT NULL, node TEXT,"
	" strict INTEGER NOT NULL, upload TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT,"
	" state TEXT NOT NULL, bytes INTEGER NOT NULL DEFAULT 0, taken INTEGER NOT NULL DEFAULT 0,"
	" rows INTEGER NOT NULL DEFAULT 0, bad INTEGER NOT NULL DEFAULT 0,"
	" unknown INTEGER NOT NULL DEFAULT 0, duplicate INTEGER NOT NULL DEFAULT 0,"
	" samples TEXT NOT NULL DEFAULT '[]', reason TEXT, owner TEXT NOT NULL,"
	" created INTEGER NOT NULL, started INTEGER, ended INTEGER) WITHOUT ROWID;"
	"CREATE INDEX imports_sha256 ON imports (sha256);",

	/* 3 -> 4: logs that are fetched from probes, hub/math/math.c */
	"CREATE TABLE math_streams (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" stream TEXT NOT NULL UNIQUE, type TEXT NOT NULL, url TEXT NOT NULL, start INTEGER,"
	" local_time INTEGER NOT NULL, by TEXT NOT NULL, created INTEGER NOT NULL);",
};

int sn_control_open(const char *path, struct sn_db **db, struct sn_err *err)
{
	struct stat st;
	bool fresh = stat(path, &st) != 0 || st.st_size == 0;

	if (sn_db_open(path, migrations, SN_COUNT(migrations), db, err) != 0) {
		char reason[SN_ERR_TEXT_MAX];

		if (err == NULL)
			return -EIO;
		snprintf(reason, sizeof(reason), "%s", err->text);
		if (fresh)
			return sn_err_set(err, err->code,
					  "cannot make control database '%s': %.300s", path,
					  reason);
		return sn_err_set(err, err->code,
				  "cannot use control database '%s': %.300s (restore it from a "
				  "backup, or move it away to start anew: users and nodes then "
				  "have to be enrolled again)",
				  path, reason);
	}
	if (chmod(path, 0600) != 0) {
		sn_db_close(*db);
		*db = NULL;
		return sn_err_sys(err, -errno, "cannot protect '%s'", path);
	}
	return 0;
}

int sn_control_hub_id(struct sn_db *db, int64_t now_ns, char *out, size_t size, struct sn_err *err)
{
	char fresh[SN_ULID_SIZE];
	sqlite3_stmt *row;
	int got;

	if (sn_db_run(db, err, "INSERT OR IGNORE INTO meta VALUES ('hub_id', ?)", "t",
		      sn_ulid(now_ns, fresh)) < 0)
		return err->code;
	row = sn_db_query(db, err, "SELECT value FROM meta WHERE key = 'hub_id'", "");
	if (row == NULL)
		return err->code;
	got = sn_db_next(db, row, err);
	if (got == 1)
		snprintf(out, size, "%s", (const char *)sqlite3_column_text(row, 0));
	sn_db_done(row);
	return got == 1 ? 0 : sn_err_set(err, -EIO, "cannot read the hub's id");
}

int sn_control_audit(struct sn_db *db, int64_t now_ns, const char *actor, const char *action,
		     const char *subject, const char *detail, struct sn_err *err)
{
	int changed = sn_db_run(db, err,
				"INSERT INTO audit (time, actor, action, subject, detail)"
				" VALUES (?, ?, ?, ?, ?)",
				"itttt", now_ns, actor, action, subject, detail);

	return changed < 0 ? changed : 0;
}

int sn_control_audit_decision(struct sn_db *db, const struct sn_audit_decision *decision,
			      struct sn_err *err)
{
	int changed = sn_db_run(db, err,
				"INSERT INTO audit (time, actor, action, subject, detail, outcome,"
				" line) VALUES (?, ?, ?, ?, ?, ?, nullif(?, 0))",
				"ittttti", decision->time_ns, decision->actor, decision->action,
				decision->subject, decision->reason,
				decision->allowed ? "allowed" : "refused", (int64_t)decision->line);

	return changed < 0 ? changed : 0;
}

int sn_control_tidy(struct sn_db *db, struct sn_err *err)
{
	int changed =
		sn_db_run(db, err, "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?",
			  "i", (int64_t)SN_AUDIT_ROWS_MAX);

	return changed < 0 ? changed : 0;
}
