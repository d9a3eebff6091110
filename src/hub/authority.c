/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "policy"
#include "hub/authority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/authority_internal.h"
#include "hub/control.h"
#include "hub/secret.h"
#include "hub/sql.h"

#define WATCH_NS  SN_NS_PER_S
#define LAST_GOOD "policy.last-good.yaml"

/* The file ------------------------------------------------------------------------- */

static struct sn_authority_stamp stamp_of(const char *path)
{
	struct sn_authority_stamp stamp = {0};
	struct stat st;

	if (stat(path, &st) != 0)
		return stamp;
	stamp.there = true;
	stamp.mtime_ns = st.st_mtim.tv_sec * SN_NS_PER_S + st.st_mtim.tv_nsec;
	stamp.size = st.st_size;
	stamp.inode = st.st_ino;
	stamp.device = st.st_dev;
	return stamp;
}

static bool same(const struct sn_authority_stamp *a, const struct sn_authority_stamp *b)
{
	return a->there == b->there && a->mtime_ns == b->mtime_ns && a->size == b->size &&
	       a->inode == b->inode && a->device == b->device;
}

static int read_policy(const char *path, struct sn_policy **policy, struct sn_buf *text,
		       struct sn_err *err)
{
	if (sn_fs_read(path, SN_POLICY_BYTES_MAX, text, err) != 0)
		return err->code;
	if (sn_policy_parse(sn_buf_str(text), policy, err) != 0)
		return sn_err_wrap(err, "cannot use policy '%s'", path);
	return 0;
}

/* Takes `policy` over. */
static void put_in_force(struct sn_authority *authority, struct sn_policy *policy, const char *text)
{
	sn_policy_destroy(authority->policy);
	free(authority->text);
	authority->policy = policy;
	authority->text = sn_xstrdup(text);
	authority->loaded_ns = sn_loop_wall_now(authority->config.loop);
	authority->generation++;
	sn_authority_record_anew(authority);
}

static void audit(struct sn_authority *authority, const char *action, const char *detail)
{
	struct sn_err err = {0};

	if (sn_control_audit(authority->config.db, sn_loop_wall_now(authority->config.loop), "hub",
			     action, authority->file, detail, &err) != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot write the audit trail: %s", err.text);
}

static void keep_last_good(struct sn_authority *authority)
{
	struct sn_err err = {0};

	if (sn_fs_write_atomic(authority->last_good, authority->text, strlen(authority->text), 0600,
			       &err) != 0)
		sn_warn("cannot keep the last good policy: %s", err.text);
}

/* Problems ------------------------------------------------------------------------- */

static void set_problem(struct sn_authority *authority, const char *reason)
{
	if (authority->problem != NULL && strcmp(authority->problem, reason) == 0)
		return;
	free(authority->problem);
	authority->problem = sn_xstrdup(reason);
	sn_error("%s; the last good policy stays in force", reason);
	audit(authority, "policy.broken", reason);
	if (authority->config.on_problem != NULL)
		authority->config.on_problem(reason, authority->config.ctx);
}

static void clear_problem(struct sn_authority *authority)
{
	if (authority->problem == NULL)
		return;
	free(sn_steal(&authority->problem));
	sn_notice("the policy file is good again file=%s", authority->file);
	if (authority->config.on_problem != NULL)
		authority->config.on_problem(NULL, authority->config.ctx);
}

/* Loading -------------------------------------------------------------------------- */

void sn_authority_reload(struct sn_authority *authority)
{
	struct sn_policy *policy = NULL;
	struct sn_buf text = {0};
	struct sn_err err = {0};

	if (authority->file[0] == '\0')
		return;
	authority->tried = authority->moving = stamp_of(authority->file);
	if (read_policy(authority->file, &policy, &text, &err) != 0) {
		set_problem(authority, err.text);
	} else if (strcmp(sn_buf_cstr(&text), authority->text) == 0) {
		sn_policy_destroy(policy);
		clear_problem(authority);
	} else {
		put_in_force(authority, policy, sn_buf_cstr(&text));
		keep_last_good(authority);
		sn_notice("a new policy is in force file=%s rules=%zu", authority->file,
			  sn_policy_rule_count(policy));
		audit(authority, "policy.load", NULL);
		clear_problem(authority);
		if (authority->config.on_policy != NULL)
			authority->config.on_policy(authority->config.ctx);
	}
	sn_buf_finish(&text);
}

/* A file that is still being written is left alone until it stands still. */
static void watch(struct sn_timer *timer)
{
	struct sn_authority *authority = sn_container_of(timer, struct sn_authority, watch);
	struct sn_authority_stamp now = stamp_of(authority->file);

	sn_timer_in(timer, WATCH_NS);
	if (!same(&now, &authority->tried) && same(&now, &authority->moving))
		sn_authority_reload(authority);
	else
		authority->moving = now;
}

/* At start there is nothing in force yet: the file, or what was good last. */
static int load_first(struct sn_authority *authority, struct sn_err *err)
{
	struct sn_err ignored = {0};
	struct sn_policy *policy;
	struct sn_buf text = {0};
	int failed;

	authority->tried = authority->moving = stamp_of(authority->file);
	failed = read_policy(authority->file, &policy, &text, err);
	if (failed == 0) {
		put_in_force(authority, policy, sn_buf_cstr(&text));
		keep_last_good(authority);
	} else {
		sn_buf_clear(&text);
		if (read_policy(authority->last_good, &policy, &text, &ignored) == 0) {
			put_in_force(authority, policy, sn_buf_cstr(&text));
			set_problem(authority, err->text);
			*err = (struct sn_err){0};
			failed = 0;
		}
	}
	sn_buf_finish(&text);
	return failed;
}

static int load_built_in(struct sn_authority *authority, struct sn_err *err)
{
	struct sn_policy *policy;

	if (sn_policy_parse(sn_str(sn_policy_default_text), &policy, err) != 0)
		return sn_err_wrap(err, "cannot use the built-in policy");
	put_in_force(authority, policy, sn_policy_default_text);
	return 0;
}

int sn_authority_open(const struct sn_authority_config *config, struct sn_authority **authority,
		      struct sn_err *err)
{
	struct sn_authority *made = sn_new(struct sn_authority);
	int failed;

	made->config = *config;
	made->file = sn_xstrdup(config->file != NULL ? config->file : "");
	made->last_good = sn_fs_join(config->state, LAST_GOOD);
	made->load = sn_load_create();
	sn_authority_record_init(made);
	sn_timer_init(&made->watch, config->loop, watch);
	failed = made->file[0] != '\0' ? load_first(made, err) : load_built_in(made, err);
	if (failed != 0) {
		sn_authority_close(made);
		return failed;
	}
	if (made->file[0] != '\0')
		sn_timer_in(&made->watch, WATCH_NS);
	*authority = made;
	return 0;
}

void sn_authority_close(struct sn_authority *authority)
{
	if (authority == NULL)
		return;
	sn_timer_stop(&authority->watch);
	sn_authority_record_finish(authority);
	sn_load_destroy(authority->load);
	sn_policy_destroy(authority->policy);
	free(authority->file);
	free(authority->last_good);
	free(authority->text);
	free(authority->problem);
	free(authority);
}

const struct sn_policy *sn_authority_policy(const struct sn_authority *authority)
{
	return authority->policy;
}

const char *sn_authority_text(const struct sn_authority *authority)
{
	return authority->text;
}

const char *sn_authority_file(const struct sn_authority *authority)
{
	return authority->file;
}

int64_t sn_authority_loaded_ns(const struct sn_authority *authority)
{
	return authority->loaded_ns;
}

const char *sn_authority_problem(const struct sn_authority *authority)
{
	return authority->problem;
}

unsigned sn_authority_generation(const struct sn_authority *authority)
{
	return authority->generation;
}

json_t *sn_authority_never(const struct sn_authority *authority)
{
	json_t *networks = json_array();
	const char *text;

	for (size_t i = 0; (text = sn_policy_never_at(authority->policy, i)) != NULL; i++)
		json_array_append_new(networks, json_string(text));
	return networks;
}

/* Applied ---------------------------------------------------------------------------- */

#define MARK_SIZE (2 * SN_SECRET_HASH_SIZE + 1)

static void mark_of(const char *text, char mark[MARK_SIZE])
{
	uint8_t hash[SN_SECRET_HASH_SIZE];

	sn_secret_hash(sn_str(text), hash);
	sn_hex(hash, sizeof(hash), mark);
}

bool sn_authority_was_applied(const struct sn_authority *authority)
{
	char mark[MARK_SIZE], applied[MARK_SIZE] = "";

	mark_of(authority->text, mark);
	return sn_sql_text(authority->config.db, applied, sizeof(applied),
			   "SELECT value FROM meta WHERE key = 'policy_applied'", "") == 0 &&
	       strcmp(mark, applied) == 0;
}

void sn_authority_applied(struct sn_authority *authority)
{
	char mark[MARK_SIZE];
	struct sn_err err = {0};

	mark_of(authority->text, mark);
	/* Lost, it costs the same questions again. */
	if (sn_db_run(authority->config.db, &err,
		      "INSERT OR REPLACE INTO meta VALUES ('policy_applied', ?)", "t", mark) < 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot note which policy is applied: %s", err.text);
}

/* Asking --------------------------------------------------------------------------- */

static bool record(struct sn_authority *authority, const struct sn_policy_ask *ask,
		   const char *subject, struct sn_policy_verdict *verdict)
{
	struct sn_err err = {0};

	if (sn_authority_record(authority, ask, subject, verdict, &err) != 0) {
		verdict->allowed = false;
		snprintf(verdict->reason, sizeof(verdict->reason),
			 "the audit trail cannot be written: %.200s", err.text);
	}
	return verdict->allowed;
}

bool sn_authority_permit(struct sn_authority *authority, const struct sn_policy_ask *ask,
			 const char *subject, struct sn_policy_verdict *verdict)
{
	struct sn_policy_verdict own;

	if (verdict == NULL)
		verdict = &own;
	sn_policy_decide(authority->policy, ask, verdict);
	return record(authority, ask, subject, verdict);
}

void sn_authority_note(struct sn_authority *authority, const struct sn_policy_ask *ask,
		       const char *subject, const char *why)
{
	struct sn_policy_verdict verdict = {.allowed = true};

	snprintf(verdict.reason, sizeof(verdict.reason), "%s", why);
	(void)record(authority, ask, subject, &verdict);
}

bool sn_authority_permit_own(struct sn_authority *authority, const struct sn_policy_ask *ask,
			     enum sn_policy_action own, bool is_theirs, const char *subject,
			     struct sn_policy_verdict *verdict)
{
	struct sn_policy_ask question = *ask;

	sn_policy_decide(authority->policy, &question, verdict);
	if (!verdict->allowed && is_theirs) {
		question.action = own;
		sn_policy_decide(authority->policy, &question, verdict);
	}
	return record(authority, &question, subject, verdict);
}

/* Who asks ------------------------------------------------------------------------- */

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char user_kind[] = "user:", account_kind[] = "account:";

static void add_name(struct sn_asker *asker, const char *kind, const char *name)
{
	if (asker->count == SN_AUTHORITY_NAMES_MAX)
		return;
	snprintf(asker->text[asker->count], sizeof(asker->text[0]), "%s%s", kind, name);
	asker->list[asker->count] = asker->text[asker->count];
	asker->list[++asker->count] = NULL;
}

void sn_asker_account(struct sn_asker *asker, const char *user, enum sn_role role)
{
	*asker = (struct sn_asker){0};
	add_name(asker, user_kind, user);
	add_name(asker, account_kind, sn_role_name(role));
}

void sn_asker_node(struct sn_asker *asker, const char *id)
{
	*asker = (struct sn_asker){0};
	add_name(asker, "node:", id);
}

void sn_asker_owner(struct sn_authority *authority, struct sn_asker *asker, const char *owner)
{
	enum sn_role role;

	if (has_prefix(owner, user_kind) && authority->config.people != NULL &&
	    sn_people_role(authority->config.people, owner + strlen(user_kind), &role) == 0) {
		sn_asker_account(asker, owner + strlen(user_kind), role);
		return;
	}
	*asker = (struct sn_asker){0};
	add_name(asker, "", owner);
}

/* The role that it was asked with. */
static enum sn_role role_asked(const struct sn_measure *measure)
{
	enum sn_role role = SN_ROLE_ADMIN;

	for (size_t i = 0; measure->identities[i] != NULL; i++) {
		if (has_prefix(measure->identities[i], account_kind))
			(void)sn_role_find(measure->identities[i] + strlen(account_kind), &role);
	}
	return role;
}

void sn_asker_measure(const struct sn_authority *authority, struct sn_asker *asker,
		      const struct sn_measure *measure)
{
	enum sn_role asked = role_asked(measure), role;

	*asker = (struct sn_asker){0};
	for (size_t i = 0; measure->identities[i] != NULL; i++) {
		const char *name = measure->identities[i];

		if (has_prefix(name, account_kind))
			continue;
		add_name(asker, "", name);
		if (has_prefix(name, user_kind) && authority->config.people != NULL &&
		    sn_people_role(authority->config.people, name + strlen(user_kind), &role) == 0)
			add_name(asker, account_kind, sn_role_name(SN_MIN(role, asked)));
	}
}

static void add_text(struct sn_buf *names, const char *kind, const json_t *text)
{
	if (json_is_string(text))
		sn_policy_add_name(names, kind, json_string_value(text));
}

static void add_addresses(struct sn_buf *names, const json_t *interfaces)
{
	for (size_t i = 0; i < json_array_size(interfaces); i++) {
		const json_t *addresses =
			json_object_get(json_array_get(interfaces, i), "addresses");

		for (size_t j = 0; j < json_array_size(addresses); j++)
			add_text(names, "network:", json_array_get(addresses, j));
	}
}

/* "64500", "AS64500" -> "network:AS64500". */
static void add_asn(struct sn_buf *names, const char *asn)
{
	char text[32];

	if (asn == NULL || strlen(asn) > 20)
		return;
	snprintf(text, sizeof(text), "AS%s", strncasecmp(asn, "AS", 2) == 0 ? asn + 2 : asn);
	sn_policy_add_name(names, "network:", text);
}

static void name_node(const struct sn_node *node, struct sn_buf *names)
{
	sn_policy_add_name(names, "", node->name);
	sn_policy_add_name(names, "", node->id);
	for (size_t i = 0; i < json_array_size(node->tags); i++)
		add_text(names, "tag:", json_array_get(node->tags, i));
	add_text(names, "country:", json_object_get(node->report, "country"));
	add_asn(names, json_string_value(json_object_get(node->report, "asn")));
	add_addresses(names, json_object_get(node->report, "interfaces"));
}

void sn_authority_name_provider(const struct sn_authority *authority, const char *provider,
				struct sn_buf *names)
{
	static const char node[] = "node:", peer[] = "peer:";
	const struct sn_node *found;

	if (has_prefix(provider, peer)) {
		sn_policy_add_name(names, "", provider);
		sn_policy_add_name(names, "", provider + strlen(peer));
	} else if (has_prefix(provider, node) && authority->config.fleet != NULL) {
		found = sn_fleet_by_id(authority->config.fleet, provider + strlen(node));
		if (found != NULL)
			name_node(found, names);
	}
}
