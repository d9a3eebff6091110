/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "supervisor"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/supervisor/routes.h"

/*
 * The answer is an object keyed by label, always with status 200: the reference
 * implementation's component ends itself at any other.
 */

struct answer {
	json_t *json;
	struct sn_map *numbers; /* unsigned: the last one that a label has got */
};

static unsigned *number_of(struct answer *answer, const char *key)
{
	unsigned *number = sn_map_get(answer->numbers, key);

	if (number == NULL) {
		number = sn_new(unsigned);
		*number = 1;
		sn_map_set(answer->numbers, key, number);
	}
	return number;
}

static void say(struct answer *answer, const char *key, bool good, const char *reason)
{
	json_t *item = json_pack("{s:s}", "registered", good ? "ok" : "no");
	sn_autofree char *other = NULL;

	if (reason != NULL)
		json_object_set_new(item, "reason", json_string(reason));
	/* Two of one label: the second stands behind its number, none is lost. */
	while (json_object_get(answer->json, other != NULL ? other : key) != NULL) {
		sn_cleanup_free(&other);
		other = sn_xasprintf("%s (%u)", key, ++*number_of(answer, key));
	}
	json_object_set_new(answer->json, other != NULL ? other : key, item);
}

static const char *key_of(const struct sn_mp_message *message)
{
	if (message->label != NULL && message->label[0] != '\0')
		return message->label;
	return message->token != NULL && message->token[0] != '\0' ? message->token : "unlabelled";
}

static bool may_register(struct sn_sup_peer *peer, const struct sn_asker *asker,
			 const struct sn_mp_message *message, struct sn_err *err)
{
	return sn_mp_is_callback(message) || sn_sup_may(peer->sup, asker, SN_MAY_REGISTER,
							message->label, NULL, message->label, err);
}

static bool take_capability(struct sn_sup_peer *peer, const struct sn_asker *asker,
			    const struct sn_mp_message *message, struct answer *answer)
{
	struct sn_err err = {0};
	bool good = false;

	if (message->label == NULL || message->label[0] == '\0')
		sn_err_set(&err, -EINVAL, "a capability without a label cannot be asked for");
	else if (may_register(peer, asker, message, &err))
		good = sn_sup_peer_offers(peer, sn_mp_message_copy(message), &err) == 0;
	say(answer, key_of(message), good, good ? NULL : err.text);
	return good;
}

static void take_withdrawal(struct sn_sup_peer *peer, const struct sn_mp_message *message,
			    struct answer *answer)
{
	/* Of this peer only: somebody else's is as unknown as one that never was. */
	int failed = sn_offers_withdraw(peer->sup->hub->offers, peer->provider, message);

	if (failed == 0)
		sn_info("withdrawn peer=%s label=%s", peer->identity, key_of(message));
	say(answer, key_of(message), false,
	    failed == 0 ? "Withdrawn" : "this peer offers no such capability");
}

static unsigned take_all(struct sn_sup_peer *peer, const struct sn_asker *asker,
			 const struct sn_mp_message *message, struct answer *answer)
{
	unsigned good = 0;

	if (message->kind == SN_MP_CAPABILITY)
		return take_capability(peer, asker, message, answer);
	if (message->kind == SN_MP_WITHDRAWAL) {
		take_withdrawal(peer, message, answer);
	} else if (message->kind == SN_MP_ENVELOPE) {
		for (size_t i = 0; i < message->content_count; i++)
			good += take_all(peer, asker, message->contents[i], answer);
	} else {
		sn_autofree char *reason = sn_xasprintf("a %s is nothing that can be registered",
							sn_mp_kind_name(message->kind));

		say(answer, key_of(message), false, reason);
	}
	return good;
}

/* What could not be read has to be answered under its label all the same. */
static const char *label_in(const json_t *body, unsigned index)
{
	const json_t *list = json_is_array(body) ? body : json_object_get(body, "contents");
	const json_t *item = json_array_get(list, index);
	const char *label = json_string_value(json_object_get(item, "label"));

	if (label == NULL || label[0] == '\0')
		label = json_string_value(json_object_get(item, "token"));
	return label != NULL && label[0] != '\0' ? label : "unlabelled";
}

static void say_skipped(struct sn_http_request *request, struct sn_buf *skipped,
			struct answer *answer)
{
	struct sn_str text = sn_http_body(request), rest = sn_buf_str(skipped), line;
	sn_autojson json_t *body = NULL;

	if (skipped->n == 0)
		return;
	body = sn_json_parse(text.p, text.n, NULL);
	while (sn_str_split(&rest, '\n', &line)) {
		sn_autofree char *reason = sn_xstrndup(line.p, line.n);
		unsigned index = 0;

		if (line.n == 0)
			continue;
		if (sscanf(reason, "contents %u", &index) == 1 && index > 0)
			index--;
		say(answer, label_in(body, index), false, reason);
	}
}

/* A new callback token, or a peer that was away: it may have forgotten what it was given. */
static bool is_new_life(const struct sn_sup_peer *peer, bool was_registered, const char *before)
{
	if (!was_registered)
		return true;
	return before != NULL && peer->callback != NULL && strcmp(before, peer->callback) != 0;
}

static void register_with(struct sn_sup_peer *peer, const struct sn_asker *asker,
			  const struct sn_mp_message *message, struct answer *answer)
{
	bool was_registered = peer->registered;
	sn_autofree char *before = peer->callback != NULL ? sn_xstrdup(peer->callback) : NULL;
	unsigned good = take_all(peer, asker, message, answer);

	if (good == 0)
		return;
	peer->registered = true;
	peer->bare = message->bare;
	peer->natives = message->natives;
	if (is_new_life(peer, was_registered, before)) {
		sn_notice("peer has registered peer=%s capabilities=%u", peer->identity, good);
		sn_sup_peer_restarted(peer);
	}
}

void sn_sup_post_registration(struct sn_http_request *request, void *ctx)
{
	struct sn_supervisor *sup = ((struct sn_hub *)ctx)->supervisor;
	sn_automp struct sn_mp_message *message = NULL;
	struct answer answer = {0};
	struct sn_buf skipped = {0};
	struct sn_asker asker;
	struct sn_sup_peer *peer;
	sn_autofree char *text = NULL;

	sn_sup_asker_of(request, &asker);
	message = sn_peer_read(request, sup->hub->registries, &skipped);
	if (message == NULL) {
		sn_buf_finish(&skipped);
		return;
	}
	answer = (struct answer){json_object(), sn_map_create(free)};
	peer = sn_sup_peer_get(sup, sn_sup_identity(&asker));
	if (peer == NULL || peer->called != NULL) {
		say(&answer, key_of(message), false,
		    peer == NULL ? "the supervisor has as many peers as it can"
				 : "this component is called by the supervisor");
	} else {
		register_with(peer, &asker, message, &answer);
		sn_sup_peer_seen(peer, false);
		say_skipped(request, &skipped, &answer);
	}
	text = json_dumps(answer.json, JSON_INDENT(2));
	sn_http_reply(request, 200, SN_MP_MEDIA_TYPE, text, strlen(text));
	json_decref(answer.json);
	sn_map_destroy(answer.numbers);
	sn_buf_finish(&skipped);
}
