/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"
#include "mplane/match.h"
#include "peer/component_internal.h"
#include "peer/uplink_internal.h"

#define REFUSALS_MAX 200 /* bytes of what is told about them */

static bool has_text(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* Answers are keyed by label and everything else by token. */
static bool can_be_registered(const struct sn_mp_message *capability)
{
	return has_text(capability->label) && has_text(capability->token);
}

static size_t offers(struct sn_component_uplink *uplink, const struct sn_mp_message *const **list)
{
	size_t count = sn_component_offers(uplink->config.component, uplink->identity, list);

	return SN_MIN(count, (size_t)SN_MP_CONTENTS_MAX - 1);
}

static struct sn_mp_message *envelope_create(void)
{
	return sn_mp_message_create(SN_MP_ENVELOPE, "message");
}

static struct sn_mp_message *unless_empty(struct sn_mp_message *envelope)
{
	if (envelope->content_count > 0)
		return envelope;
	sn_mp_message_destroy(envelope);
	return NULL;
}

static const struct sn_mp_message *callback_of(struct sn_component_uplink *uplink)
{
	char token[SN_MP_HASH_SIZE];
	struct sn_mp_message *callback = uplink->callback;

	if (callback != NULL)
		return callback;
	callback = sn_mp_message_create(SN_MP_CAPABILITY, SN_MP_VERB_CALLBACK);
	sn_mp_token_random(token);
	sn_mp_set_text(&callback->registry, SN_MP_REGISTRY_CORE);
	sn_mp_set_text(&callback->label, SN_MP_VERB_CALLBACK);
	sn_mp_set_text(&callback->token, token);
	sn_mp_when_parse(SN_STR("now ... future"), &callback->when, NULL);
	uplink->callback = callback;
	return callback;
}

struct sn_mp_message *sn_uplink_all_offers(struct sn_component_uplink *uplink)
{
	struct sn_mp_message *envelope = envelope_create();
	const struct sn_mp_message *const *list;
	size_t count = offers(uplink, &list);

	for (size_t i = 0; i < count; i++) {
		if (can_be_registered(list[i]))
			sn_mp_add_content(envelope, sn_mp_message_copy(list[i]));
	}
	if (envelope->content_count > 0)
		sn_mp_add_content(envelope, sn_mp_message_copy(callback_of(uplink)));
	return unless_empty(envelope);
}

struct sn_mp_message *sn_uplink_new_offers(struct sn_component_uplink *uplink)
{
	struct sn_mp_message *envelope = envelope_create();
	const struct sn_mp_message *const *list;
	size_t count = offers(uplink, &list);

	for (size_t i = 0; i < count; i++) {
		const struct sn_mp_message *known;

		if (!can_be_registered(list[i]))
			continue;
		known = sn_map_get(uplink->registered, list[i]->token);
		if (known == NULL || !sn_mp_message_equal(known, list[i]))
			sn_mp_add_content(envelope, sn_mp_message_copy(list[i]));
	}
	return unless_empty(envelope);
}

static struct sn_map *set_of(const struct sn_mp_message *const *list, size_t count)
{
	struct sn_map *set = sn_map_create(NULL);

	for (size_t i = 0; i < count; i++) {
		if (can_be_registered(list[i]))
			sn_map_set(set, list[i]->token, (void *)(uintptr_t)list[i]);
	}
	return set;
}

static struct sn_mp_message *withdraw(struct sn_component_uplink *uplink, const struct sn_map *keep)
{
	struct sn_mp_message *envelope = envelope_create();
	const char *token;
	size_t cursor = 0;
	void *value;

	while (sn_map_next(uplink->registered, &cursor, &token, &value)) {
		if (keep == NULL || (sn_map_get(keep, token) == NULL && !sn_mp_is_callback(value)))
			sn_mp_add_content(envelope, sn_mp_message_as(value, SN_MP_WITHDRAWAL));
	}
	return unless_empty(envelope);
}

struct sn_mp_message *sn_uplink_lost_offers(struct sn_component_uplink *uplink)
{
	const struct sn_mp_message *const *list;
	size_t count = offers(uplink, &list);
	struct sn_map *offered = set_of(list, count);
	struct sn_mp_message *envelope = withdraw(uplink, offered);

	sn_map_destroy(offered);
	return envelope;
}

struct sn_mp_message *sn_uplink_withdraw_all(struct sn_component_uplink *uplink)
{
	return withdraw(uplink, NULL);
}

/* What the supervisor says to it --------------------------------------------------- */

/* NULL: accepted.  A label that is not spoken of is none that was refused. */
static const char *refusal(const json_t *answer, const char *label)
{
	const json_t *verdict = json_object_get(answer, label);
	const json_t *registered = json_object_get(verdict, "registered");
	const char *word = json_string_value(registered);
	const char *reason = json_string_value(json_object_get(verdict, "reason"));

	if (registered == NULL || json_is_true(registered) ||
	    (word != NULL && strcasecmp(word, "ok") == 0))
		return NULL;
	return has_text(reason) ? reason : "no reason given";
}

static void note_refusal(struct sn_buf *refusals, const char *label, const char *reason)
{
	if (refusals->n < REFUSALS_MAX)
		sn_buf_addf(refusals, "%s '%.60s' (%.100s)",
			    refusals->n == 0 ? "; it refuses" : ",", label, reason);
}

size_t sn_uplink_registered_count(const struct sn_component_uplink *uplink)
{
	size_t count = sn_map_count(uplink->registered);

	if (uplink->callback != NULL &&
	    sn_map_get(uplink->registered, uplink->callback->token) != NULL)
		count--;
	return count;
}

bool sn_uplink_read_verdicts(struct sn_component_uplink *uplink, struct sn_str body)
{
	sn_autojson json_t *answer = sn_json_parse(body.p, body.n, NULL);
	struct sn_buf refusals = {0};
	size_t accepted;

	for (size_t i = 0; i < uplink->sent->content_count; i++) {
		const struct sn_mp_message *sent = uplink->sent->contents[i];
		const char *reason = refusal(answer, sent->label);

		if (reason != NULL) {
			sn_map_remove(uplink->registered, sent->token);
			note_refusal(&refusals, sent->label, reason);
		} else {
			sn_map_set(uplink->registered, sent->token, sn_mp_message_copy(sent));
		}
	}
	accepted = sn_uplink_registered_count(uplink);
	sn_uplink_tell(uplink, accepted > 0 ? SN_UPLINK_REGISTERED : SN_UPLINK_REFUSED,
		       "%zu capabilities registered%s", accepted, sn_buf_cstr(&refusals));
	sn_buf_finish(&refusals);
	return accepted > 0;
}

void sn_uplink_forget_withdrawn(struct sn_component_uplink *uplink)
{
	for (size_t i = 0; i < uplink->sent->content_count; i++)
		sn_map_remove(uplink->registered, uplink->sent->contents[i]->token);
}

static void release_message(void *message)
{
	sn_mp_message_destroy(message);
}

void sn_uplink_forget_session(struct sn_component_uplink *uplink)
{
	sn_map_destroy(uplink->registered);
	uplink->registered = sn_map_create(release_message);
	uplink->session = false;
}
