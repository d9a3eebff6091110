/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "hub/certificates.h"
#include "hub/dump_day.h"
#include "hub/moving.h"
#include "hub/trust.h"
#include "net/addr.h"

#define KEY(name_, type_, member_, default_, help_)                                                \
	.name = (name_), .type = (type_), .offset = offsetof(struct sn_hub_config, member_),       \
	.default_text = (default_), .help = (help_)

#define S   SN_NS_PER_S
#define DAY (86400 * SN_NS_PER_S)

static const struct sn_conf_key keys[] = {
	{KEY("state", SN_CONF_TEXT, state, "",
	     "directory of everything the hub keeps, made if absent; empty: /var/lib/sonde/hub, "
	     "for an "
	     "ordinary user ~/.local/state/sonde/hub")},
	{KEY("listen", SN_CONF_TEXTS, listen, "[::]:8443",
	     "addresses with port for nodes and people, always TLS; empty for none")},
	{KEY("local", SN_CONF_TEXT, local, "127.0.0.1:8080",
	     "loopback address with port for the browser on this machine, plain HTTP; port 0 takes "
	     "any free one; 'none' for none")},
	{KEY("listen_fd_tls", SN_CONF_TEXTS, listen_fd_tls, "",
	     "numbers of inherited listening descriptors, TLS; those that a service manager hands "
	     "over take the place of 'listen'")},
	{KEY("names", SN_CONF_TEXTS, names, "",
	     "further host names and addresses under which the hub is reached")},
	{KEY("advertise", SN_CONF_TEXTS, advertise, "",
	     "URLs that nodes are told to use; found out when empty")},
	{KEY("web_dir", SN_CONF_TEXT, web_dir, "",
	     "directory of the built web UI; found when empty; without one there is a small page")},
	{KEY("node_certificate_life", SN_CONF_DURATION, node_certificate_life, "7d",
	     "how long a node's certificate is good; nodes renew at two thirds"),
	 .min = 1 * S, .max = 825 * DAY},
	{KEY("user_certificate_life", SN_CONF_DURATION, user_certificate_life, "90d",
	     "how long a person's certificate is good"),
	 .min = 1 * S, .max = 825 * DAY},
	{KEY("hub_certificate_life", SN_CONF_DURATION, hub_certificate_life, "30d",
	     "how long the hub's own certificate is good; it is renewed at two thirds"),
	 .min = 3 * S, .max = 825 * DAY},
	{KEY("heartbeat_interval", SN_CONF_DURATION, heartbeat_interval, "10s",
	     "time between two heartbeats of a node; it is offline after 2.5 of them"),
	 .min = 100 * SN_NS_PER_MS, .max = 3600 * S},
	{KEY("session_life", SN_CONF_DURATION, session_life, "7d",
	     "how long a person stays logged in"),
	 .min = 1 * S, .max = 400 * DAY},
	{KEY("login_link_life", SN_CONF_DURATION, login_link_life, "15m",
	     "how long a one-time login link works; the one printed at first start works a day"),
	 .min = 1 * S, .max = 30 * DAY},
	{KEY("invite_life", SN_CONF_DURATION, invite_life, "1h",
	     "how long a join token works if nothing else is asked for"),
	 .min = 1 * S, .max = 365 * DAY},
	{KEY("retention_days", SN_CONF_U64, retention_days, "90",
	     "days of rows that are kept; 0 keeps all"),
	 .max = 36500},
	{KEY("upload_limit", SN_CONF_SIZE, upload_limit, "64GiB",
	     "bytes of all uploads together; one person may have half of them")},
	{KEY("import_dirs", SN_CONF_TEXTS, import_dirs, "",
	     "directories on this machine whose files administrators may import by their path; "
	     "empty for none")},
	{KEY("quarantine_limit", SN_CONF_SIZE, quarantine_limit, "256MiB",
	     "room for what was sent and cannot be taken; beyond it the oldest goes"),
	 .min = 1024, .max = UINT64_C(1) << 40},
	{KEY("clickhouse", SN_CONF_TEXT, clickhouse, "",
	     "URL of the ClickHouse database that rows are moved to, like "
	     "'http://user:password@127.0.0.1:8123/sonde'; empty: all rows stay in the store's "
	     "files")},
	{KEY("clickhouse_cluster", SN_CONF_TEXT, clickhouse_cluster, "",
	     "name of its cluster, for replicated and distributed tables; empty: one server")},
	{KEY("clickhouse_ca", SN_CONF_TEXT, clickhouse_ca, "",
	     "file with the CAs of a server with an https URL; empty: the system's")},
	{KEY("clickhouse_move_after", SN_CONF_DURATION, clickhouse_move_after, "10s",
	     "how long rows stay in the store's files, where they are put together with others"),
	 .min = 1 * SN_NS_PER_S, .max = 30 * DAY},
	{KEY("dump_datasets", SN_CONF_TEXTS, dump_datasets, "",
	     "datasets whose rows are written into files when a day is over, '*' for all; empty "
	     "for none")},
	{KEY("dump_dir", SN_CONF_TEXT, dump_dir, "",
	     "directory of these files; empty: 'dumps' in the state directory")},
	{KEY("dump_at", SN_CONF_TEXT, dump_at, "02:00",
	     "time of the next day, UTC, from which a day's files are made")},
	{KEY("dump_grace", SN_CONF_DURATION, dump_grace, "10m",
	     "a day's files are made, and made again after late rows, when none has come for so "
	     "long"),
	 .max = 30 * DAY},
	{KEY("dump_formats", SN_CONF_TEXTS, dump_formats, "csv,parquet,monroe",
	     "csv, jsonl (with .gz or .zst behind them, if wanted), parquet, monroe (for datasets "
	     "monroe_* only)")},
	{KEY("dump_keep_days", SN_CONF_U64, dump_keep_days, "0",
	     "days of files that are kept; 0 keeps all"),
	 .max = 36500},
	{KEY("dump_public", SN_CONF_BOOL, dump_public, "false",
	     "anybody may fetch these files, without a login; for open data")},
	{KEY("annotate", SN_CONF_TEXTS, annotate, "",
	     "MMDB files that tell networks and countries of addresses in new rows; read again on "
	     "SIGHUP and when they are replaced")},
	{KEY("policy", SN_CONF_TEXT, policy, "",
	     "file that says who may do what (sonde-policy(5)), read again when it changes; empty: "
	     "people by the role of their account, nodes for themselves, nobody else")},
	{KEY("replica_of", SN_CONF_TEXT, replica_of, "",
	     "URL of a hub whose rows are fetched and kept here, too; this hub then takes rows "
	     "from nobody else; empty: it is one of its own")},
	{KEY("replica_ca", SN_CONF_TEXT, replica_ca, "",
	     "file with the CA of that hub; empty: the system's")},
	{KEY("replica_token_file", SN_CONF_TEXT, replica_token_file, "",
	     "file with an API token of an account there that may 'replicate', read again for "
	     "each question")},
	{KEY("replica_certificate", SN_CONF_TEXT, replica_certificate, "",
	     "file with a client certificate of such an account, instead of a token")},
	{KEY("replica_key", SN_CONF_TEXT, replica_key, "", "file with its key")},
	{KEY("replica_interval", SN_CONF_DURATION, replica_interval, "1s",
	     "how often it is asked whether there is more"),
	 .min = 100 * SN_NS_PER_MS, .max = 3600 * S},
	{KEY("replica_drop", SN_CONF_BOOL, replica_drop, "false",
	     "drop here, too, the days that were dropped there")},
	{KEY("replica_hold", SN_CONF_DURATION, replica_hold, "1h",
	     "how long rows wait for a replica that does not come before they move to ClickHouse"),
	 .max = 30 * DAY},
	{KEY("announce", SN_CONF_BOOL, announce, "true",
	     "write where this user's command line finds the hub")},
	{KEY("log_level", SN_CONF_TEXT, log_level, "notice",
	     "error, warning, notice, info or debug")},
	{KEY("mplane_plain", SN_CONF_BOOL, mplane_plain, "false",
	     "serve mPlane peers on the plain listener, too, where nobody proves who he is; for "
	     "tests")},
	{KEY("mplane_lease", SN_CONF_DURATION, mplane_lease, "30s",
	     "how long a peer's capability is kept without a poll, or three times its interval"),
	 .min = 1 * S, .max = 30 * DAY},
	{KEY("mplane_poll", SN_CONF_DURATION, mplane_poll, "5s",
	     "when peers that registered a callback are told to come again"),
	 .min = 100 * SN_NS_PER_MS, .max = 3600 * S},
	{KEY("mplane_wait", SN_CONF_DURATION, mplane_wait, "1s",
	     "how long an mPlane client waits for a quick result before it gets a receipt"),
	 .max = 60 * S},
	{KEY("mplane_grace", SN_CONF_DURATION, mplane_grace, "60s",
	     "how long after the end of its scope a peer's result may come"),
	 .max = 30 * DAY},
	{KEY("mplane_components", SN_CONF_TEXTS, mplane_components, "",
	     "URLs of mPlane components that listen, whose client the hub is")},
	{KEY("mplane_ca", SN_CONF_TEXT, mplane_ca, "",
	     "file with the CAs of those components and of repositories; empty: the hub's own")},
	{KEY("mplane_certificate", SN_CONF_TEXT, mplane_certificate, "",
	     "file with the certificate that the hub shows them")},
	{KEY("mplane_key", SN_CONF_TEXT, mplane_key, "", "file with its key")},
	{KEY("parent_url", SN_CONF_TEXT, parent_url, "",
	     "supervisor above this hub; empty for none")},
	{KEY("parent_identity", SN_CONF_TEXT, parent_identity, "",
	     "name of the parent in the policy; empty: 'dns:' and the host of its URL")},
	{KEY("parent_ca", SN_CONF_TEXT, parent_ca, "", "file with the CA of the parent")},
	{KEY("parent_certificate", SN_CONF_TEXT, parent_certificate, "",
	     "file with the certificate that the hub shows its parent")},
	{KEY("parent_key", SN_CONF_TEXT, parent_key, "", "file with its key")},
	{KEY("parent_capabilities", SN_CONF_TEXTS, parent_capabilities, "",
	     "labels that are offered to the parent, '*' for all; empty for none")},
	{KEY("math_plain", SN_CONF_BOOL, math_plain, "false",
	     "take announcements of logs by plain HTTP, and fetch logs by plain HTTP from other "
	     "machines, too; for old probes")},
	{KEY("math_poll", SN_CONF_DURATION, math_poll, "5s",
	     "time between two looks at what logs a probe has"),
	 .min = 100 * SN_NS_PER_MS, .max = DAY},
	{KEY("math_file_max", SN_CONF_SIZE, math_file_max, "16GiB",
	     "logs that are larger are not fetched"),
	 .min = 1024, .max = 1ULL << 50},
	{KEY("math_ca", SN_CONF_TEXT, math_ca, "",
	     "file with the CAs of probes that logs are fetched from; empty: the hub's own")},
	{KEY("math_certificate", SN_CONF_TEXT, math_certificate, "",
	     "file with the certificate that the hub shows them; empty: its own")},
	{KEY("math_key", SN_CONF_TEXT, math_key, "", "file with its key")},
	{KEY("repositories", SN_CONF_TEXTS, repositories, "",
	     "where results may be sent besides, each as name=URL")},
	{KEY("mplane_identity", SN_CONF_TEXT, mplane_identity, "",
	     "who the hub's certificate says it is, for peers of the reference implementation: a "
	     "subject like 'org.mplane.SSB.Supervisors.hub-1'; empty: CN=sonde-hub")},
	{KEY("mplane_domain", SN_CONF_TEXT, mplane_domain, "mplane.org",
	     "domain in the subjects and names of certificates for mPlane peers")},
	{KEY("peer_certificate_life", SN_CONF_DURATION, peer_certificate_life, "365d",
	     "how long a certificate for an mPlane peer is good if nothing else is asked for"),
	 .min = 1 * S, .max = 825 * DAY},
	{KEY("trust", SN_CONF_TEXTS, trust, "",
	     "files that say which peers of which foreign CAs are let in, one for each CA")},
};

const struct sn_conf_schema sn_hub_schema = {
	.program = "sonde-hub",
	.keys = keys,
	.key_count = SN_COUNT(keys),
	.struct_size = sizeof(struct sn_hub_config),
};

int sn_hub_config_find_state(struct sn_hub_config *config, struct sn_err *err)
{
	const char *home = getenv("HOME");
	sn_autofree char *path = NULL;

	if (config->state[0] != '\0')
		return 0;
	if (geteuid() == 0)
		path = sn_xstrdup("/var/lib/sonde/hub");
	else if (home != NULL && home[0] == '/')
		path = sn_fs_join(home, ".local/state/sonde/hub");
	else
		return sn_err_set(err, -ENOENT,
				  "key 'state': empty, and there is no home directory (set it)");
	return sn_conf_set(&sn_hub_schema, config, "state", sn_str(path), err);
}

static int check_listen(const struct sn_hub_config *config, struct sn_err *err)
{
	struct sn_addr addr;

	for (unsigned i = 0; i < config->listen.count; i++) {
		if (sn_addr_parse(sn_str(config->listen.items[i]), 8443, &addr) != 0)
			return sn_err_set(err, -EINVAL,
					  "key 'listen': '%.80s' is not an address with port (like "
					  "'[::]:8443' or '192.0.2.1:8443')",
					  config->listen.items[i]);
	}
	if (config->local[0] == '\0' || strcmp(config->local, "none") == 0)
		return 0;
	if (sn_addr_parse(sn_str(config->local), 8080, &addr) != 0)
		return sn_err_set(err, -EINVAL,
				  "key 'local': '%.80s' is not an address with port (like "
				  "'127.0.0.1:8080')",
				  config->local);
	if (!sn_addr_is_loopback(&addr))
		return sn_err_set(err, -EINVAL,
				  "key 'local': '%.80s' is not loopback (plain HTTP is for this "
				  "machine only; use 'listen' for others)",
				  config->local);
	return 0;
}

static bool is_url(const char *text)
{
	struct sn_str url = sn_str(text);

	return (sn_str_has_prefix(url, "https://") && url.n > 8) ||
	       (sn_str_has_prefix(url, "http://") && url.n > 7);
}

/* Both or neither: one without the other is a mistake that shows much later. */
static int check_pair(const char *certificate, const char *key, const char *prefix,
		      struct sn_err *err)
{
	if ((certificate[0] == '\0') != (key[0] == '\0'))
		return sn_err_set(err, -EINVAL,
				  "keys '%s_certificate' and '%s_key': one without the other",
				  prefix, prefix);
	return 0;
}

const char *sn_hub_config_repository(const struct sn_hub_config *config, const char *name)
{
	size_t n = strlen(name);

	for (unsigned i = 0; i < config->repositories.count; i++) {
		const char *item = config->repositories.items[i];

		if (n > 0 && strncmp(item, name, n) == 0 && item[n] == '=')
			return item + n + 1;
	}
	return NULL;
}

static int check_peers(const struct sn_hub_config *config, struct sn_err *err)
{
	for (unsigned i = 0; i < config->mplane_components.count; i++) {
		if (!is_url(config->mplane_components.items[i]))
			return sn_err_set(err, -EINVAL,
					  "key 'mplane_components': '%.80s' is not a URL (like "
					  "'https://probe.example.net:1228/')",
					  config->mplane_components.items[i]);
	}
	for (unsigned i = 0; i < config->repositories.count; i++) {
		const char *item = config->repositories.items[i], *equals = strchr(item, '=');

		if (equals == NULL || equals == item || !is_url(equals + 1))
			return sn_err_set(err, -EINVAL,
					  "key 'repositories': '%.80s' is not like "
					  "'archive=https://repo.example.net/register/result'",
					  item);
	}
	if (config->parent_url[0] != '\0' && !is_url(config->parent_url))
		return sn_err_set(err, -EINVAL,
				  "key 'parent_url': '%.80s' is not a URL (like "
				  "'https://hub.example.net:8443')",
				  config->parent_url);
	if (check_pair(config->mplane_certificate, config->mplane_key, "mplane", err) != 0)
		return err->code;
	if (check_pair(config->math_certificate, config->math_key, "math", err) != 0)
		return err->code;
	return check_pair(config->parent_certificate, config->parent_key, "parent", err);
}

static int check_replica(const struct sn_hub_config *config, struct sn_err *err)
{
	const char *url = config->replica_of;

	if (check_pair(config->replica_certificate, config->replica_key, "replica", err) != 0)
		return err->code;
	if (url[0] == '\0')
		return 0;
	if (!is_url(url))
		return sn_err_set(err, -EINVAL,
				  "key 'replica_of': '%.80s' is not a URL (like "
				  "'https://hub.example.net:8443')",
				  url);
	if (config->clickhouse[0] != '\0')
		return sn_err_set(err, -EINVAL,
				  "keys 'replica_of' and 'clickhouse': a replica keeps its rows "
				  "itself (in the primary's ClickHouse they would be twice)");
	if (config->replica_token_file[0] == '\0' && config->replica_certificate[0] == '\0')
		return sn_err_set(err, -EINVAL,
				  "key 'replica_of': neither 'replica_token_file' nor "
				  "'replica_certificate' says who asks there");
	return 0;
}

static int check_dumps(const struct sn_hub_config *config, struct sn_err *err)
{
	struct sn_dump_form form;
	int64_t at_ns;

	if (sn_dump_at_parse(config->dump_at, &at_ns) != 0)
		return sn_err_set(err, -EINVAL,
				  "key 'dump_at': '%.40s' is not a time of day like '02:00'",
				  config->dump_at);
	if (config->dump_formats.count > SN_DUMP_FORMS_MAX)
		return sn_err_set(err, -EINVAL, "key 'dump_formats': more than %d",
				  SN_DUMP_FORMS_MAX);
	for (unsigned i = 0; i < config->dump_formats.count; i++) {
		if (sn_dump_form_parse(config->dump_formats.items[i], &form) != 0)
			return sn_err_set(err, -EINVAL,
					  "key 'dump_formats': '%.40s' is not csv, jsonl, csv.gz, "
					  "csv.zst, jsonl.gz, jsonl.zst, parquet or monroe",
					  config->dump_formats.items[i]);
	}
	return 0;
}

int sn_hub_config_check(const struct sn_hub_config *config, struct sn_err *err)
{
	uint64_t fd;

	if (config->state[0] == '\0')
		return sn_err_set(err, -EINVAL, "key 'state': empty (the hub needs a directory)");
	if (check_listen(config, err) != 0)
		return err->code;
	for (unsigned i = 0; i < config->listen_fd_tls.count; i++) {
		if (sn_parse_u64(sn_str(config->listen_fd_tls.items[i]), 3, INT_MAX, &fd) != 0)
			return sn_err_set(err, -EINVAL,
					  "key 'listen_fd_tls': '%.80s' is not the number of a "
					  "descriptor (3 or more)",
					  config->listen_fd_tls.items[i]);
	}
	for (unsigned i = 0; i < config->advertise.count; i++) {
		if (!sn_str_has_prefix(sn_str(config->advertise.items[i]), "https://"))
			return sn_err_set(err, -EINVAL,
					  "key 'advertise': '%.80s' does not begin with 'https://'",
					  config->advertise.items[i]);
	}
	if (check_peers(config, err) != 0 || check_replica(config, err) != 0)
		return err->code;
	if (sn_moving_check(config, err) != 0 || check_dumps(config, err) != 0)
		return err->code;
	if (!sn_cert_domain_is_good(config->mplane_domain))
		return sn_err_set(err, -EINVAL,
				  "key 'mplane_domain': '%.80s' is not one to eight labels of "
				  "letters, digits, '-' (like 'mplane.org')",
				  config->mplane_domain);
	if (config->mplane_identity[0] != '\0' &&
	    !sn_identity_subject_is_good(config->mplane_identity))
		return sn_err_set(err, -EINVAL,
				  "key 'mplane_identity': '%.80s' is not three or more values with "
				  "dots between (like 'org.mplane.SSB.Supervisors.hub-1')",
				  config->mplane_identity);
	for (unsigned i = 0; i < config->trust.count; i++) {
		if (sn_trust_check_file(config->trust.items[i], err) != 0)
			return sn_err_wrap(err, "key 'trust'");
	}
	if (sn_log_set_level_name(config->log_level) != 0)
		return sn_err_set(err, -EINVAL,
				  "key 'log_level': '%.40s' is not error, warning, notice, info or "
				  "debug",
				  config->log_level);
	return 0;
}
