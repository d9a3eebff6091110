/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "people"
#include "hub/people.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/sql.h"

struct sn_people {
	struct sn_db *db;
	char local_token[SN_SECRET_SIZE];
	uint8_t local_hash[SN_SECRET_HASH_SIZE];
};

int sn_people_open(struct sn_db *db, int64_t now_ns, struct sn_people **people, struct sn_err *err)
{
	struct sn_people *made;
	int changed = sn_db_run(db, err,
				"INSERT INTO users (name, role, created) SELECT ?, 'admin', ?"
				" WHERE NOT EXISTS (SELECT 1 FROM users)",
				"ti", SN_USER_ADMIN, now_ns);

	if (changed < 0)
		return sn_err_wrap(err, "cannot make the first user");
	made = sn_new(struct sn_people);
	made->db = db;
	sn_secret_make(made->local_token);
	sn_secret_hash(sn_str(made->local_token), made->local_hash);
	*people = made;
	return 0;
}

void sn_people_close(struct sn_people *people)
{
	if (people == NULL)
		return;
	explicit_bzero(people, sizeof(*people));
	free(people);
}

int sn_people_tidy(struct sn_people *people, int64_t now_ns, struct sn_err *err)
{
	static const char *const statements[] = {
		"DELETE FROM sessions WHERE expires < ?",
		/* Kept for a day, so that an old link is told apart from a wrong one. */
		"DELETE FROM login_links WHERE expires < ? - 86400000000000",
		"DELETE FROM api_tokens WHERE expires < ?",
	};

	for (size_t i = 0; i < SN_COUNT(statements); i++) {
		int changed = sn_db_run(people->db, err, statements[i], "i", now_ns);

		if (changed < 0)
			return changed;
	}
	return 0;
}

/* Roles ------------------------------------------------------------------ */

static const char *const role_names[SN_ROLES] = {
	[SN_ROLE_VIEWER] = "viewer",
	[SN_ROLE_OPERATOR] = "operator",
	[SN_ROLE_ADMIN] = "admin",
};

const char *sn_role_name(enum sn_role role)
{
	return role_names[role];
}

int sn_role_find(const char *name, enum sn_role *role)
{
	for (unsigned i = 0; i < SN_ROLES; i++) {
		if (strcmp(role_names[i], name) == 0) {
			*role = (enum sn_role)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Users ------------------------------------------------------------------ */

bool sn_user_name_is_good(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < SN_USER_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n &&
	       strchr("._-", name[0]) == NULL;
}

bool sn_people_exists(struct sn_people *people, const char *user)
{
	return sn_sql_i64(people->db, 0, "SELECT 1 FROM users WHERE name = ?", "t", user) == 1;
}

int sn_people_add(struct sn_people *people, const char *user, enum sn_role role, int64_t now_ns,
		  struct sn_err *err)
{
	int changed;

	if (sn_sql_i64(people->db, 0, "SELECT count(*) FROM users", "") >= SN_USERS_MAX)
		return sn_err_set(err, -E2BIG, "cannot add user '%s': %d are the limit", user,
				  SN_USERS_MAX);
	changed = sn_db_run(people->db, err,
			    "INSERT OR IGNORE INTO users (name, role, created) VALUES (?, ?, ?)",
			    "tti", user, sn_role_name(role), now_ns);
	if (changed == 0)
		return sn_err_set(err, -EEXIST, "cannot add user '%s': the name is taken", user);
	return changed < 0 ? changed : 0;
}

/* There is always somebody who can change all of this. */
#define OTHER_ADMIN                                                                                \
	"EXISTS (SELECT 1 FROM users AS other WHERE other.role = 'admin' AND other.name != ?1)"

int sn_people_remove(struct sn_people *people, const char *user, struct sn_err *err)
{
	int changed = sn_db_run(people->db, err,
				"DELETE FROM users WHERE name = ?1 AND " OTHER_ADMIN, "t", user);

	if (changed != 0)
		return changed < 0 ? changed : 0;
	if (!sn_people_exists(people, user))
		return sn_err_set(err, -ENOENT, "cannot remove user '%s': there is none", user);
	return sn_err_set(err, -EPERM, "cannot remove user '%s': no admin would be left", user);
}

int sn_people_role(struct sn_people *people, const char *user, enum sn_role *role)
{
	char name[16] = "";

	if (sn_sql_text(people->db, name, sizeof(name), "SELECT role FROM users WHERE name = ?",
			"t", user) != 0)
		return -ENOENT;
	/* What nobody knows any more may do the least. */
	if (sn_role_find(name, role) != 0)
		*role = SN_ROLE_VIEWER;
	return 0;
}

int sn_people_set_role(struct sn_people *people, const char *user, enum sn_role role,
		       struct sn_err *err)
{
	int changed = sn_db_run(people->db, err,
				"UPDATE users SET role = ?2 WHERE name = ?1"
				" AND (?2 = 'admin' OR " OTHER_ADMIN ")",
				"tt", user, sn_role_name(role));

	if (changed != 0)
		return changed < 0 ? changed : 0;
	if (!sn_people_exists(people, user))
		return sn_err_set(err, -ENOENT, "cannot change user '%s': there is none", user);
	return sn_err_set(err, -EPERM, "cannot change user '%s': no admin would be left", user);
}

json_t *sn_people_list(struct sn_people *people, struct sn_err *err)
{
	return sn_sql_json(people->db, err,
			   "SELECT name AS \"name\", role AS \"role\","
			   " created AS \"created:time\", last_login AS \"last_login:time\","
			   " password IS NOT NULL AS \"password:bool\" FROM users ORDER BY name",
			   "");
}

int sn_people_first(struct sn_people *people, char user[SN_USER_NAME_MAX])
{
	return sn_sql_text(people->db, user, SN_USER_NAME_MAX,
			   "SELECT name FROM users ORDER BY role != 'admin',"
			   " name != '" SN_USER_ADMIN "', created LIMIT 1",
			   "");
}

bool sn_people_is_untouched(struct sn_people *people)
{
	return sn_sql_i64(people->db, 1, "SELECT count(*) FROM users WHERE last_login IS NOT NULL",
			  "") == 0;
}

/* Login links ------------------------------------------------------------ */

int sn_people_make_link(struct sn_people *people, const char *user, int64_t now_ns, int64_t life_ns,
			char token[SN_SECRET_SIZE], struct sn_err *err)
{
	uint8_t hash[SN_SECRET_HASH_SIZE];
	int changed;

	if (!sn_people_exists(people, user))
		return sn_err_set(err, -ENOENT, "cannot make a link for '%s': no such user", user);
	sn_secret_hash(sn_str(sn_secret_make(token)), hash);
	changed = sn_db_run(people->db, err,
			    "INSERT INTO login_links (hash, user, created, expires)"
			    " VALUES (?, ?, ?, ?)",
			    "btii", hash, sizeof(hash), user, now_ns, now_ns + life_ns);
	if (changed >= 0)
		changed = sn_db_run(people->db, err,
				    "DELETE FROM login_links WHERE user = ?1 AND hash NOT IN"
				    " (SELECT hash FROM login_links WHERE user = ?1"
				    " ORDER BY created DESC LIMIT ?2)",
				    "ti", user, (int64_t)SN_LINKS_PER_USER);
	return changed < 0 ? changed : 0;
}

/* Why a link that could not be used up could not. */
static int explain_link(struct sn_people *people, const uint8_t hash[SN_SECRET_HASH_SIZE],
			struct sn_err *err)
{
	int64_t used = sn_sql_i64(people->db, -1,
				  "SELECT used IS NOT NULL FROM login_links WHERE hash = ?", "b",
				  hash, (size_t)SN_SECRET_HASH_SIZE);

	if (used < 0)
		return sn_err_set(err, -ENOENT, "this link is unknown");
	if (used == 1)
		return sn_err_set(err, -EALREADY, "this link has been used already");
	return sn_err_set(err, -ETIME, "this link has expired");
}

int sn_people_use_link(struct sn_people *people, const char *token, int64_t now_ns,
		       char user[SN_USER_NAME_MAX], struct sn_err *err)
{
	uint8_t hash[SN_SECRET_HASH_SIZE];
	int changed;

	sn_secret_hash(sn_str(token), hash);
	/* One statement decides, so that of two who come at once only one gets in. */
	changed = sn_db_run(people->db, err,
			    "UPDATE login_links SET used = ?1"
			    " WHERE hash = ?2 AND used IS NULL AND expires > ?1",
			    "ib", now_ns, hash, sizeof(hash));
	if (changed < 0)
		return changed;
	if (changed == 0)
		return explain_link(people, hash, err);
	return sn_sql_text(people->db, user, SN_USER_NAME_MAX,
			   "SELECT user FROM login_links WHERE hash = ?", "b", hash, sizeof(hash));
}

/* Sessions --------------------------------------------------------------- */

int sn_people_start_session(struct sn_people *people, const char *user, int64_t now_ns,
			    int64_t life_ns, char cookie[SN_SECRET_SIZE], struct sn_err *err)
{
	uint8_t hash[SN_SECRET_HASH_SIZE];
	int changed;

	sn_secret_hash(sn_str(sn_secret_make(cookie)), hash);
	if (sn_db_begin(people->db, err) != 0)
		return err->code;
	changed = sn_db_run(people->db, err,
			    "INSERT INTO sessions (hash, user, created, expires)"
			    " VALUES (?, ?, ?, ?)",
			    "btii", hash, sizeof(hash), user, now_ns, now_ns + life_ns);
	if (changed >= 0)
		changed = sn_db_run(people->db, err,
				    "DELETE FROM sessions WHERE user = ?1 AND hash NOT IN"
				    " (SELECT hash FROM sessions WHERE user = ?1"
				    " ORDER BY created DESC LIMIT ?2)",
				    "ti", user, (int64_t)SN_SESSIONS_PER_USER);
	if (changed >= 0)
		changed =
			sn_db_run(people->db, err, "UPDATE users SET last_login = ? WHERE name = ?",
				  "it", now_ns, user);
	if (changed < 0) {
		sn_db_rollback(people->db);
		return changed;
	}
	return sn_db_commit(people->db, err);
}

int sn_people_session(struct sn_people *people, const uint8_t hash[SN_SECRET_HASH_SIZE],
		      int64_t now_ns, char user[SN_USER_NAME_MAX], int64_t *expires_ns)
{
	struct sn_err err = {0};
	sqlite3_stmt *row = sn_db_query(people->db, &err,
					"SELECT user, expires FROM sessions"
					" WHERE hash = ? AND expires > ?",
					"bi", hash, (size_t)SN_SECRET_HASH_SIZE, now_ns);
	int got = row == NULL ? err.code : sn_db_next(people->db, row, &err);

	if (got == 1) {
		snprintf(user, SN_USER_NAME_MAX, "%s", (const char *)sqlite3_column_text(row, 0));
		*expires_ns = sqlite3_column_int64(row, 1);
	}
	sn_db_done(row);
	if (got < 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "%s", err.text);
	return got == 1 ? 0 : -ENOENT;
}

int sn_people_end_session(struct sn_people *people, const uint8_t hash[SN_SECRET_HASH_SIZE],
			  struct sn_err *err)
{
	int changed = sn_db_run(people->db, err, "DELETE FROM sessions WHERE hash = ?", "b", hash,
				(size_t)SN_SECRET_HASH_SIZE);

	return changed < 0 ? changed : 0;
}

int sn_people_end_sessions(struct sn_people *people, const char *user, const uint8_t *keep,
			   struct sn_err *err)
{
	int changed =
		sn_db_run(people->db, err, "DELETE FROM sessions WHERE user = ? AND hash != ?",
			  "tb", user, keep != NULL ? (const void *)keep : "",
			  keep != NULL ? (size_t)SN_SECRET_HASH_SIZE : (size_t)0);

	return changed < 0 ? changed : 0;
}

/* Passwords -------------------------------------------------------------- */

char *sn_people_password(struct sn_people *people, const char *user)
{
	char hash[512];

	if (sn_sql_text(people->db, hash, sizeof(hash),
			"SELECT password FROM users WHERE name = ? AND password IS NOT NULL", "t",
			user) != 0)
		return NULL;
	return sn_xstrdup(hash);
}

int sn_people_set_password(struct sn_people *people, const char *user, const char *hash,
			   struct sn_err *err)
{
	int changed = sn_db_run(people->db, err, "UPDATE users SET password = ? WHERE name = ?",
				"tt", hash, user);

	if (changed == 0)
		return sn_err_set(err, -ENOENT, "no user '%s'", user);
	return changed < 0 ? changed : 0;
}

/* API tokens ------------------------------------------------------------- */

const char *sn_people_local_token(const struct sn_people *people)
{
	return people->local_token;
}

int sn_people_make_token(struct sn_people *people, const char *user, const char *label,
			 enum sn_role role, int64_t now_ns, int64_t life_ns, char id[SN_ULID_SIZE],
			 char token[SN_SECRET_SIZE], struct sn_err *err)
{
	uint8_t hash[SN_SECRET_HASH_SIZE];
	int changed;

	if (sn_sql_i64(people->db, 0, "SELECT count(*) FROM api_tokens WHERE user = ?", "t",
		       user) >= SN_TOKENS_PER_USER)
		return sn_err_set(err, -E2BIG,
				  "cannot make a token for '%s': %d are the limit (remove one)",
				  user, SN_TOKENS_PER_USER);
	sn_secret_hash(sn_str(sn_secret_make(token)), hash);
	sn_ulid(now_ns, id);
	changed = sn_db_run(people->db, err,
			    "INSERT INTO api_tokens (id, hash, user, label, created, expires, role)"
			    " VALUES (?, ?, ?, ?, ?, nullif(?, 0), nullif(?, ''))",
			    "tbttiit", id, hash, sizeof(hash), user, label, now_ns,
			    life_ns > 0 ? now_ns + life_ns : (int64_t)0,
			    role < SN_ROLES ? sn_role_name(role) : "");
	return changed < 0 ? changed : 0;
}

/* What a row of token, its role and its owner's role comes to. */
static void read_token(sqlite3_stmt *row, struct sn_token_owner *owner)
{
	const char *own = (const char *)sqlite3_column_text(row, 1);
	enum sn_role role;

	snprintf(owner->user, sizeof(owner->user), "%s", (const char *)sqlite3_column_text(row, 0));
	if (sn_role_find((const char *)sqlite3_column_text(row, 2), &owner->role) != 0)
		owner->role = SN_ROLE_VIEWER;
	if (own == NULL)
		return;
	owner->reduced = true;
	if (sn_role_find(own, &role) != 0)
		role = SN_ROLE_VIEWER;
	owner->role = SN_MIN(role, owner->role);
}

int sn_people_token(struct sn_people *people, const uint8_t hash[SN_SECRET_HASH_SIZE],
		    int64_t now_ns, struct sn_token_owner *owner)
{
	struct sn_err err = {0};
	sqlite3_stmt *row;
	int got;

	*owner = (struct sn_token_owner){0};
	/* Of a hash of the secret, how far a comparison got tells nothing about the secret. */
	if (memcmp(hash, people->local_hash, SN_SECRET_HASH_SIZE) == 0) {
		owner->local = true;
		owner->role = SN_ROLE_ADMIN;
		return sn_people_first(people, owner->user);
	}
	row = sn_db_query(people->db, &err,
			  "SELECT users.name, api_tokens.role, users.role FROM api_tokens"
			  " JOIN users ON users.name = api_tokens.user WHERE hash = ?"
			  " AND (expires IS NULL OR expires > ?)",
			  "bi", hash, (size_t)SN_SECRET_HASH_SIZE, now_ns);
	got = row == NULL ? err.code : sn_db_next(people->db, row, &err);
	if (got == 1)
		read_token(row, owner);
	sn_db_done(row);
	if (got < 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "%s", err.text);
	return got == 1 ? 0 : -ENOENT;
}

int sn_people_remove_token(struct sn_people *people, const char *user, const char *id,
			   struct sn_err *err)
{
	int changed = sn_db_run(people->db, err, "DELETE FROM api_tokens WHERE user = ? AND id = ?",
				"tt", user, id);

	if (changed == 0)
		return sn_err_set(err, -ENOENT, "there is no token '%s'", id);
	return changed < 0 ? changed : 0;
}

json_t *sn_people_list_tokens(struct sn_people *people, const char *user, struct sn_err *err)
{
	return sn_sql_json(people->db, err,
			   "SELECT id AS \"id\", label AS \"label\", role AS \"role\","
			   " created AS \"created:time\","
			   " expires AS \"expires:time\" FROM api_tokens WHERE user = ?"
			   " ORDER BY id",
			   "t", user);
}
