/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/supervisor/internal.h"

/* Who asks ------------------------------------------------------------------------------ */

static void add_name(struct sn_asker *asker, const char *name)
{
	for (unsigned i = 0; i < asker->count; i++) {
		if (strcmp(asker->text[i], name) == 0)
			return;
	}
	if (asker->count == SN_AUTHORITY_NAMES_MAX || strlen(name) >= sizeof(asker->text[0]))
		return;
	snprintf(asker->text[asker->count], sizeof(asker->text[0]), "%s", name);
	asker->list[asker->count] = asker->text[asker->count];
	asker->list[++asker->count] = NULL;
}

/* What a peer says of itself on a plain connection counts only where that is wanted. */
static bool names_count(const struct sn_hub *hub, const struct sn_http_request *request)
{
	if (sn_http_is_tls(request))
		return sn_http_peer(request) != NULL;
	return hub->config->mplane_plain && sn_addr_is_loopback(sn_http_peer_addr(request));
}

static void find_names(const struct sn_hub *hub, const struct sn_http_request *request,
		       const struct sn_who *who, struct sn_asker *asker)
{
	struct sn_peer_names names;

	memset(asker, 0, sizeof(*asker));
	if (who->kind == SN_WHO_USER)
		sn_guard_asker(who, asker);
	if ((who->kind == SN_WHO_USER && sn_http_peer(request) == NULL) ||
	    !names_count(hub, request))
		return;
	sn_peer_names_of(request, &names);
	for (unsigned i = 0; i < names.count; i++)
		add_name(asker, names.list[i]);
}

void sn_sup_asker_of(const struct sn_http_request *request, struct sn_asker *asker)
{
	const struct sn_who *who = sn_guard_who(request);

	find_names(who->hub, request, who, asker);
}

const char *sn_sup_identity(const struct sn_asker *asker)
{
	return asker->count > 0 ? asker->list[0] : "";
}

bool sn_supervisor_admits(struct sn_hub *hub, const struct sn_http_request *request)
{
	struct sn_asker asker;

	find_names(hub, request, sn_guard_who(request), &asker);
	return asker.count > 0;
}

bool sn_supervisor_identity(const struct sn_http_request *request, char *out, size_t size)
{
	struct sn_asker asker;

	sn_sup_asker_of(request, &asker);
	snprintf(out, size, "%s", sn_sup_identity(&asker));
	return asker.count > 0;
}

/* May they ------------------------------------------------------------------------------------ */

/* What is one's own may also be read and stopped by who may do so with everybody's. */
static void widen(const struct sn_authority *authority, struct sn_policy_ask *ask)
{
	static const enum sn_policy_action about_all[] = {
		[SN_MAY_READ] = SN_MAY_READ_ALL,
		[SN_MAY_STOP] = SN_MAY_STOP_ALL,
	};
	struct sn_policy_verdict verdict;
	struct sn_policy_ask wider = *ask;

	if (ask->action != SN_MAY_READ && ask->action != SN_MAY_STOP)
		return;
	sn_policy_decide(sn_authority_policy(authority), ask, &verdict);
	if (verdict.allowed)
		return;
	wider.action = about_all[ask->action];
	sn_policy_decide(sn_authority_policy(authority), &wider, &verdict);
	if (verdict.allowed)
		*ask = wider;
}

bool sn_sup_may(struct sn_supervisor *sup, const struct sn_asker *asker,
		enum sn_policy_action action, const char *label, const struct sn_hub_offer *offer,
		const char *subject, struct sn_err *reason)
{
	struct sn_policy_verdict verdict = {0};
	struct sn_buf names = {0};
	const char *node;
	struct sn_policy_ask ask = {
		.action = action,
		.identities = asker->list,
		.label = label,
	};
	bool may;

	if (offer != NULL) {
		sn_authority_name_provider(sup->hub->authority, offer->provider, &names);
		node = sn_buf_cstr(&names);
		ask.nodes = &node;
		ask.node_count = 1;
	}
	widen(sup->hub->authority, &ask);
	may = asker->count > 0 && sn_authority_permit(sup->hub->authority, &ask, subject, &verdict);
	if (!may)
		sn_err_set(reason, -EACCES, "%s may not %s %s: %s", sn_sup_identity(asker),
			   sn_policy_action_name(action), label != NULL ? label : "anything",
			   verdict.reason);
	sn_buf_finish(&names);
	return may;
}
