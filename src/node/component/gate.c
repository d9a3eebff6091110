/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "policy"
#include "node/component/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

/* Who everybody is to the policy that is made here: no certificate and no header says so. */
#define EVERYBODY "component:everybody"

struct sn_gate {
	struct sn_policy *policy;
	struct sn_buf never; /* its networks that are never probed, a line each */
	char *file;          /* NULL: none */
	struct timespec changed;
	off_t size;
	bool everybody;
};

static bool has_changed(struct sn_gate *gate)
{
	struct stat st;

	if (stat(gate->file, &st) != 0 ||
	    (st.st_size == gate->size && st.st_mtim.tv_sec == gate->changed.tv_sec &&
	     st.st_mtim.tv_nsec == gate->changed.tv_nsec))
		return false;
	gate->size = st.st_size;
	gate->changed = st.st_mtim;
	return true;
}

/* Takes it over. */
static void put_in_force(struct sn_gate *gate, struct sn_policy *policy)
{
	const char *network;

	sn_policy_destroy(gate->policy);
	gate->policy = policy;
	sn_buf_clear(&gate->never);
	for (size_t i = 0; (network = sn_policy_never_at(policy, i)) != NULL; i++)
		sn_buf_addf(&gate->never, "%s\n", network);
}

static int read_policy(struct sn_gate *gate, struct sn_err *err)
{
	struct sn_buf text = {0};
	struct sn_policy *policy;
	int error = sn_fs_read(gate->file, SN_POLICY_BYTES_MAX, &text, err);

	if (error == 0) {
		error = sn_policy_parse(sn_buf_str(&text), &policy, err);
		if (error != 0)
			sn_err_wrap(err, "policy '%s'", gate->file);
	}
	sn_buf_finish(&text);
	if (error == 0)
		put_in_force(gate, policy);
	return error;
}

static void follow_file(struct sn_gate *gate)
{
	struct sn_err err = {0};

	if (gate->file == NULL || !has_changed(gate))
		return;
	if (read_policy(gate, &err) == 0)
		sn_notice("policy read again path=%s", gate->file);
	else
		sn_error("%s (the last good one stays in force)", err.text);
}

/* A role with these members, who may use everything; with no members there is no role. */
static void write_policy(const struct sn_gate_config *config, struct sn_buf *yaml)
{
	struct sn_jw jw;

	if (config->allowed_count == 0 && config->supervisor == NULL && !config->everybody) {
		sn_buf_adds(yaml, "rules: []\n");
		return;
	}
	sn_buf_adds(yaml, "roles:\n  allowed: ");
	sn_jw_init(&jw, yaml); /* a list of JSON is one of YAML */
	sn_jw_array(&jw);
	for (unsigned i = 0; i < config->allowed_count; i++)
		sn_jw_cstr(&jw, config->allowed[i]);
	if (config->supervisor != NULL)
		sn_jw_cstr(&jw, config->supervisor);
	if (config->everybody)
		sn_jw_cstr(&jw, EVERYBODY);
	sn_jw_array_end(&jw);
	sn_buf_adds(yaml, "\nrules:\n"
			  "  - allow: [discover, measure, read, stop]\n"
			  "    roles: allowed\n"
			  "    capabilities: \"*\"\n");
}

static int make_policy(struct sn_gate *gate, const struct sn_gate_config *config,
		       struct sn_err *err)
{
	struct sn_buf yaml = {0};
	struct sn_policy *policy;
	int error;

	write_policy(config, &yaml);
	error = sn_policy_parse(sn_buf_str(&yaml), &policy, err);
	sn_buf_finish(&yaml);
	if (error != 0)
		return sn_err_wrap(err, "cannot use what is allowed");
	put_in_force(gate, policy);
	return 0;
}

int sn_gate_create(const struct sn_gate_config *config, struct sn_gate **out, struct sn_err *err)
{
	struct sn_gate *gate = sn_new(struct sn_gate);
	int error;

	if (config->file != NULL) {
		gate->file = sn_xstrdup(config->file);
		has_changed(gate);
		error = read_policy(gate, err);
	} else {
		gate->everybody = config->everybody;
		error = make_policy(gate, config, err);
	}
	if (error != 0) {
		sn_gate_destroy(gate);
		gate = NULL;
	}
	*out = gate;
	return error;
}

void sn_gate_destroy(struct sn_gate *gate)
{
	if (gate == NULL)
		return;
	sn_policy_destroy(gate->policy);
	sn_buf_finish(&gate->never);
	free(gate->file);
	free(gate);
}

bool sn_gate_allows(struct sn_gate *gate, const char *identity, struct sn_policy_ask *ask,
		    struct sn_policy_verdict *verdict)
{
	const char *names[] = {identity, gate->everybody ? EVERYBODY : NULL, NULL};

	follow_file(gate);
	ask->identities = names;
	sn_policy_decide(gate->policy, ask, verdict);
	ask->identities = NULL;
	return verdict->allowed;
}

struct sn_str sn_gate_never(struct sn_gate *gate)
{
	follow_file(gate);
	return sn_buf_str(&gate->never);
}
