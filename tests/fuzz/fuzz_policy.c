/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is refused with a reason, or decides everything and allows nothing that is spared. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mplane/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_all(const struct sn_policy *policy, const char *text)
{
	const char *identities[] = {"user:alice", "account:admin", text, NULL};
	const char *targets[] = {"198.51.100.1", text, NULL}, *nodes[] = {"rome,tag:edge", text};
	char key[SN_POLICY_TARGET_MAX], again[SN_POLICY_TARGET_MAX];

	for (unsigned i = 0; i < SN_POLICY_ACTIONS; i++) {
		struct sn_policy_ask ask = {
			.action = (enum sn_policy_action)i,
			.identities = identities,
			.label = text,
			.nodes = nodes,
			.node_count = 2,
			.targets = targets,
			.period_ns = 1,
			.length_ns = INT64_MAX,
		};
		struct sn_policy_verdict verdict;

		sn_policy_decide(policy, &ask, &verdict);
		if (verdict.allowed && ask.action == SN_MAY_MEASURE &&
		    sn_policy_spares(policy, text, NULL))
			abort();
	}
	sn_policy_target_key(text, key);
	sn_policy_target_key(key, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	sn_autofree char *text = sn_xstrndup((const char *)data, size);
	struct sn_policy *policy;
	struct sn_buf out = {0};
	struct sn_err err = {0};

	if (sn_policy_parse((struct sn_str){(const char *)data, size}, &policy, &err) != 0) {
		if (err.code >= 0 || err.text[0] == '\0')
			abort();
		if (sn_policy_parse(sn_str(sn_policy_default_text), &policy, &err) != 0)
			abort();
	}
	ask_all(policy, text);
	sn_policy_warnings(policy, &out);
	sn_buf_finish(&out);
	sn_policy_destroy(policy);
	return 0;
}
