/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the decisions goes to the audit trail, and when.
 *
 * `seen` holds two kinds of keys: "+asker\naction\nlabel" for what was written as allowed (of
 * those who look at something, the thing in place of the label), and "-asker\naction" for
 * refusals; with the time of the last one and how many came since.
 */
#define SN_MODULE "policy"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/authority_internal.h"
#include "hub/control.h"

#define REFUSAL_NS (60 * SN_NS_PER_S)
#define LOOK_NS    (600 * SN_NS_PER_S)

struct seen {
	int64_t written_ns;
	unsigned held; /* since */
};

/* Queue ------------------------------------------------------------------------------- */

static void release_line(struct sn_authority_line *line)
{
	free(line->actor);
	free(line->subject);
	free(line->reason);
}

static int write_line(struct sn_db *db, const struct sn_authority_line *line, struct sn_err *err)
{
	char action[32];
	struct sn_audit_decision decision = {
		.time_ns = line->time_ns,
		.actor = line->actor,
		.action = action,
		.subject = line->subject,
		.allowed = line->allowed,
		.line = line->line,
		.reason = line->reason,
	};

	snprintf(action, sizeof(action), "policy.%s", sn_policy_action_name(line->action));
	return sn_control_audit_decision(db, &decision, err);
}

static int write_queue(struct sn_authority *authority, struct sn_err *err)
{
	struct sn_db *db = authority->config.db;

	if (sn_db_begin(db, err) != 0)
		return err->code;
	for (size_t i = 0; i < authority->queued; i++) {
		if (write_line(db, &authority->queue[i], err) != 0) {
			sn_db_rollback(db);
			return err->code;
		}
	}
	return sn_db_commit(db, err);
}

static void drop_queue(struct sn_authority *authority)
{
	for (size_t i = 0; i < authority->queued; i++)
		release_line(&authority->queue[i]);
	authority->queued = 0;
}

/* What the database does not take now is kept, as far as there is room, and tried again. */
void sn_authority_flush(struct sn_authority *authority)
{
	struct sn_err err = {0};

	sn_timer_stop(&authority->flush);
	if (authority->queued == 0)
		return;
	if (sqlite3_get_autocommit(sn_db_handle(authority->config.db)) == 0) {
		sn_timer_in(&authority->flush, 0);
		return;
	}
	if (write_queue(authority, &err) == 0) {
		drop_queue(authority);
		return;
	}
	SN_LOG_LIMITED(SN_LOG_ERROR, "cannot write the audit trail: %s", err.text);
	if (authority->queued >= SN_AUTHORITY_QUEUE_MAX) {
		authority->lost += authority->queued;
		SN_LOG_LIMITED(SN_LOG_ERROR, "%llu lines of the audit trail are lost",
			       (unsigned long long)authority->lost);
		drop_queue(authority);
	}
	sn_timer_in(&authority->flush, SN_NS_PER_S);
}

static void flush_due(struct sn_timer *timer)
{
	sn_authority_flush(sn_container_of(timer, struct sn_authority, flush));
}

static void enqueue(struct sn_authority *authority, const struct sn_authority_line *line)
{
	if (authority->queued == authority->room) {
		authority->room = authority->room > 0 ? 2 * authority->room : 64;
		authority->queue =
			sn_xrealloc(authority->queue, authority->room, sizeof(*authority->queue));
	}
	authority->queue[authority->queued++] = *line;
	if (authority->queued >= SN_AUTHORITY_QUEUE_MAX)
		sn_authority_flush(authority);
	else if (authority->queued == 1)
		sn_timer_in(&authority->flush, 0);
}

void sn_authority_record_init(struct sn_authority *authority)
{
	authority->seen = sn_map_create(free);
	sn_timer_init(&authority->flush, authority->config.loop, flush_due);
}

void sn_authority_record_finish(struct sn_authority *authority)
{
	sn_authority_flush(authority);
	sn_timer_stop(&authority->flush);
	drop_queue(authority);
	free(authority->queue);
	sn_map_destroy(authority->seen);
}

void sn_authority_record_anew(struct sn_authority *authority)
{
	sn_map_destroy(authority->seen);
	authority->seen = sn_map_create(free);
}

/* Which ------------------------------------------------------------------------------- */

static struct seen *find_seen(struct sn_authority *authority, const char *key)
{
	struct seen *seen = sn_map_get(authority->seen, key);

	if (seen != NULL)
		return seen;
	/* Forgetting costs lines that say again what is known, never a line that is missing. */
	if (sn_map_count(authority->seen) >= SN_AUTHORITY_SEEN_MAX)
		sn_authority_record_anew(authority);
	seen = sn_new(struct seen);
	sn_map_set(authority->seen, key, seen);
	return seen;
}

/* Somebody looks at what is there: what they looked at is the news. */
static bool is_look(enum sn_policy_action action)
{
	return action == SN_MAY_READ || action == SN_MAY_READ_ALL || action == SN_MAY_ADMIN;
}

/* For how long the same is not written again. */
static int64_t silence_of(const struct sn_policy_ask *ask, bool allowed)
{
	if (!allowed)
		return REFUSAL_NS;
	return is_look(ask->action) ? LOOK_NS : INT64_MAX;
}

static char *key_of(const struct sn_policy_ask *ask, const char *subject, bool allowed)
{
	const char *who = ask->identities[0] != NULL ? ask->identities[0] : "";
	const char *label = ask->label != NULL ? ask->label : "";
	const char *about = !allowed ? "" : is_look(ask->action) ? subject : label;

	return sn_xasprintf("%c%s\n%s\n%s", allowed ? '+' : '-', who,
			    sn_policy_action_name(ask->action), about);
}

/* `*held`: like it and not written, since the last line. */
static bool is_news(struct sn_authority *authority, const struct sn_policy_ask *ask,
		    const char *subject, bool allowed, int64_t now_ns, unsigned *held)
{
	sn_autofree char *key = key_of(ask, subject, allowed);
	struct seen *seen = find_seen(authority, key);

	*held = 0;
	if (seen->written_ns != 0 && now_ns - seen->written_ns < silence_of(ask, allowed)) {
		seen->held++;
		return false;
	}
	*held = seen->held;
	*seen = (struct seen){.written_ns = now_ns};
	return true;
}

static bool has_to_be_written(const struct sn_policy_ask *ask, bool allowed)
{
	return allowed && (ask->action == SN_MAY_MEASURE || ask->action == SN_MAY_STOP ||
			   ask->action == SN_MAY_STOP_ALL);
}

int sn_authority_record(struct sn_authority *authority, const struct sn_policy_ask *ask,
			const char *subject, const struct sn_policy_verdict *verdict,
			struct sn_err *err)
{
	bool at_once = has_to_be_written(ask, verdict->allowed);
	struct sn_authority_line line = {
		.time_ns = sn_loop_wall_now(authority->config.loop),
		.action = ask->action,
		.allowed = verdict->allowed,
		.line = verdict->line,
	};
	unsigned held = 0;
	int failed = 0;

	if (subject == NULL)
		subject = ask->label != NULL ? ask->label : "";
	if (!at_once && !is_news(authority, ask, subject, verdict->allowed, line.time_ns, &held))
		return 0;
	line.actor = sn_xstrdup(ask->identities[0] != NULL ? ask->identities[0] : "-");
	line.subject = sn_xstrdup(subject);
	line.reason = held > 0 ? sn_xasprintf("%s (and %u more %s before)", verdict->reason, held,
					      verdict->allowed ? "like it" : "refused")
			       : sn_xstrdup(verdict->reason);
	if (!at_once) {
		enqueue(authority, &line);
		return 0;
	}
	/* In order: what was queued happened before. */
	sn_authority_flush(authority);
	failed = write_line(authority->config.db, &line, err);
	release_line(&line);
	return failed;
}
