/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people: users and the things that prove who one is.
 *
 * One-time login links, sessions (cookie), API tokens (bearer) and passwords.
 * Links, sessions and tokens are random secrets of which the control database
 * holds SHA-256 hashes; passwords are yescrypt hashes made by hub/password.h.
 * The local token is made at each start and is in memory and in hub.json (0600)
 * only: whoever may read the hub's state directory is its administrator.
 *
 * Each account has a role, which the policy knows as "account:<role>"
 * (hub/authority.h).  The first one, "admin", is made with the database, and there
 * is always an account with the role admin.  Every function returns 0, a negative
 * errno, or what it says.
 */
#ifndef SONDE_HUB_PEOPLE_H
#define SONDE_HUB_PEOPLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "hub/secret.h"
#include "store/db.h"

#define SN_USER_NAME_MAX     64
#define SN_USER_ADMIN        "admin"
#define SN_USERS_MAX         1000
#define SN_SESSIONS_PER_USER 50 /* the oldest ends when one more begins */
#define SN_LINKS_PER_USER    20
#define SN_TOKENS_PER_USER   100

enum sn_role { SN_ROLE_VIEWER, SN_ROLE_OPERATOR, SN_ROLE_ADMIN, SN_ROLES }; /* rising */
const char *sn_role_name(enum sn_role role);
int sn_role_find(const char *name, enum sn_role *role); /* -EINVAL */

struct sn_people;

/* `db` is borrowed.  Makes the first user if there is none. */
int sn_people_open(struct sn_db *db, int64_t now_ns, struct sn_people **people, struct sn_err *err);
void sn_people_close(struct sn_people *people);
/* Drops what has expired. */
int sn_people_tidy(struct sn_people *people, int64_t now_ns, struct sn_err *err);

/* Users ------------------------------------------------------------------ */
bool sn_user_name_is_good(const char *name); /* [a-z0-9][a-z0-9._-]*, at most 63 */
bool sn_people_exists(struct sn_people *people, const char *user);
int sn_people_add(struct sn_people *people, const char *user, enum sn_role role, int64_t now_ns,
		  struct sn_err *err); /* -EEXIST, -E2BIG at SN_USERS_MAX */
/* With all sessions, links and tokens.  -ENOENT; -EPERM for the last one with the role admin. */
int sn_people_remove(struct sn_people *people, const char *user, struct sn_err *err);
int sn_people_role(struct sn_people *people, const char *user, enum sn_role *role); /* -ENOENT */
/* -ENOENT; -EPERM when no account would be left with the role admin. */
int sn_people_set_role(struct sn_people *people, const char *user, enum sn_role role,
		       struct sn_err *err);
/* Array of {"name","role","created","last_login","password"}; NULL on error. */
json_t *sn_people_list(struct sn_people *people, struct sn_err *err);
/* Of those with the role admin "admin", or who came first when that one was removed. */
int sn_people_first(struct sn_people *people, char user[SN_USER_NAME_MAX]);
/* True until somebody has logged in for the first time. */
bool sn_people_is_untouched(struct sn_people *people);

/* Login links ------------------------------------------------------------ */
int sn_people_make_link(struct sn_people *people, const char *user, int64_t now_ns, int64_t life_ns,
			char token[SN_SECRET_SIZE], struct sn_err *err);
/* Uses it up: 0 and the user; -ENOENT unknown, -EALREADY used before, -ETIME expired. */
int sn_people_use_link(struct sn_people *people, const char *token, int64_t now_ns,
		       char user[SN_USER_NAME_MAX], struct sn_err *err);

/* Sessions --------------------------------------------------------------- */
int sn_people_start_session(struct sn_people *people, const char *user, int64_t now_ns,
			    int64_t life_ns, char cookie[SN_SECRET_SIZE], struct sn_err *err);
/* -ENOENT when there is no such session any more. */
int sn_people_session(struct sn_people *people, const uint8_t hash[SN_SECRET_HASH_SIZE],
		      int64_t now_ns, char user[SN_USER_NAME_MAX], int64_t *expires_ns);
int sn_people_end_session(struct sn_people *people, const uint8_t hash[SN_SECRET_HASH_SIZE],
			  struct sn_err *err);
/* All of `user` but `keep` (may be NULL). */
int sn_people_end_sessions(struct sn_people *people, const char *user, const uint8_t *keep,
			   struct sn_err *err);

/* Passwords -------------------------------------------------------------- */
/* The stored hash, malloc'ed; NULL when there is none. */
char *sn_people_password(struct sn_people *people, const char *user);
int sn_people_set_password(struct sn_people *people, const char *user, const char *hash,
			   struct sn_err *err);

/* API tokens ------------------------------------------------------------- */
const char *sn_people_local_token(const struct sn_people *people);
/* `life_ns` 0: until it is removed.  `role` SN_ROLES: always that of its owner. */
int sn_people_make_token(struct sn_people *people, const char *user, const char *label,
			 enum sn_role role, int64_t now_ns, int64_t life_ns, char id[SN_ULID_SIZE],
			 char token[SN_SECRET_SIZE], struct sn_err *err);
struct sn_token_owner {
	char user[SN_USER_NAME_MAX];
	enum sn_role role; /* the lower of the token's and its owner's */
	bool reduced;      /* the token was made for a role of its own */
	bool local;        /* it is the local token: an admin's, always */
};
int sn_people_token(struct sn_people *people, const uint8_t hash[SN_SECRET_HASH_SIZE],
		    int64_t now_ns, struct sn_token_owner *owner); /* -ENOENT */
int sn_people_remove_token(struct sn_people *people, const char *user, const char *id,
			   struct sn_err *err); /* -ENOENT */
/* Array of {"id","label","role","created","expires"}; role null: that of its owner. */
json_t *sn_people_list_tokens(struct sn_people *people, const char *user, struct sn_err *err);

#endif
