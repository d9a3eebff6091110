/* SPDX-License-Identifier: Apache-2.0 */
/* Any role file is refused, or becomes a policy that can be read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "mplane/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_parse(struct sn_buf *yaml)
{
	struct sn_policy *policy;
	struct sn_err err = {0};

	if (sn_policy_parse(sn_buf_str(yaml), &policy, &err) != 0)
		abort();
	sn_policy_destroy(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_str text = {(const char *)data, size}, caps = text, users;
	struct sn_buf yaml = {0};
	struct sn_err err = {0};

	if (sn_policy_import_ini(text, &yaml, &err) == 0)
		must_parse(&yaml);
	sn_buf_clear(&yaml);
	if (size > 0) {
		sn_str_split(&caps, '\f', &users);
		if (sn_policy_import_lists(users, caps, &yaml, &err) == 0)
			must_parse(&yaml);
	}
	sn_buf_finish(&yaml);
	return 0;
}
