/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "component"
#include "node/component/component.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "net/pki.h"
#include "node/component/host.h"
#include "node/component/place.h"
#include "peer/component_server.h"
#include "peer/component_uplink.h"
#include "peer/peer.h"

#define LOOK_AT_ADDRESSES_NS (30 * SN_NS_PER_S)
#define LOOK_AT_POLICY_NS    SN_NS_PER_S
#define LEAVE_PATIENCE_NS    (2 * SN_NS_PER_S)
#define HOST_MAX             256

struct sn_node_component {
	struct sn_node_component_config config;
	struct sn_mp_registries *registries;
	struct sn_runner *runner;
	struct sn_gate *gate;
	struct sn_exporter *exporter;
	struct sn_host *host;
	struct sn_component *component;
	struct sn_component_server *server;
	struct sn_component_uplink *uplink;
	struct sn_timer addresses, policy; /* when to look at them again */
};

/* The supervisor's URL --------------------------------------------------------------- */

/* Host of "scheme://host[:port][/...]", without brackets. */
static int host_of(const char *url, char host[HOST_MAX], struct sn_err *err)
{
	const char *start = strstr(url, "://"), *end;

	start = start != NULL ? start + 3 : url;
	end = *start == '[' ? strchr(start, ']') : start + strcspn(start, ":/");
	start += *start == '[';
	if (end == NULL || end == start || end - start >= HOST_MAX)
		return sn_err_set(err, -EINVAL, "'%s' is no URL (e.g. https://host:8889)", url);
	snprintf(host, HOST_MAX, "%.*s", (int)(end - start), start);
	return 0;
}

static bool is_loopback_name(const char *host)
{
	struct sn_addr addr;

	if (strcmp(host, "localhost") == 0)
		return true;
	return sn_addr_parse(sn_str(host), 0, &addr) == 0 && sn_addr_is_loopback(&addr);
}

/* As policies know it: the name that its certificate has to be for. */
static int name_supervisor(const struct sn_node_component_config *config, char name[HOST_MAX + 8],
			   struct sn_err *err)
{
	bool tls = strncmp(config->supervisor, "https://", 8) == 0;
	char host[HOST_MAX];
	int error = host_of(config->supervisor, host, err);

	if (error != 0)
		return error;
	if (!tls && strncmp(config->supervisor, "http://", 7) != 0)
		return sn_err_set(err, -EINVAL, "'%s' is no URL of http or https",
				  config->supervisor);
	if (tls && config->ca_file == NULL)
		return sn_err_set(err, -EINVAL,
				  "'%s' needs certificates (give --cert, --key and --ca)",
				  config->supervisor);
	if (!tls && config->ca_file != NULL)
		return sn_err_set(err, -EINVAL,
				  "'%s' is plain HTTP, and there are certificates (write https://, "
				  "or --plain instead of them)",
				  config->supervisor);
	if (!tls && !is_loopback_name(host))
		return sn_err_set(err, -EPERM,
				  "'%s' is plain HTTP to another machine (only loopback may be)",
				  config->supervisor);
	snprintf(name, HOST_MAX + 8, "dns:%s", host);
	return 0;
}

/* What it offers ------------------------------------------------------------------------ */

/* False: nothing has changed. */
static bool look_around(struct sn_node_component *self)
{
	const struct sn_node_component_config *config = &self->config;
	struct sn_sources sources;
	struct sn_mp_place place = {.system_id = config->name,
				    .software = "sonde-node " SONDE_VERSION};

	sn_sources_find(&sources);
	for (size_t i = 0; i < SN_NODE_SOURCES_MAX; i++) {
		if (config->sources[i] != NULL)
			sn_sources_set(&sources, config->sources[i], NULL);
	}
	place.ip4 = sources.ip4[0] != '\0' ? sources.ip4 : NULL;
	place.ip6 = sources.ip6[0] != '\0' ? sources.ip6 : NULL;
	return sn_host_place(self->host, &place);
}

static void look_again(struct sn_timer *timer)
{
	struct sn_node_component *self =
		sn_container_of(timer, struct sn_node_component, addresses);

	sn_timer_in(timer, LOOK_AT_ADDRESSES_NS);
	if (!look_around(self))
		return;
	sn_notice("addresses have changed capabilities=%zu", sn_host_offers(self->host));
	if (self->uplink != NULL)
		sn_component_uplink_changed(self->uplink);
}

/* Jobs that run are to know of a change, too, not only those that begin. */
static void look_at_policy(struct sn_timer *timer)
{
	struct sn_node_component *self = sn_container_of(timer, struct sn_node_component, policy);
	struct sn_err err = {0};

	sn_timer_in(timer, LOOK_AT_POLICY_NS);
	if (sn_host_look(self->host, &err) != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "%s", err.text);
}

static int create_gate(struct sn_node_component *self, const char *supervisor, struct sn_err *err)
{
	const struct sn_node_component_config *config = &self->config;
	struct sn_gate_config gate = {
		.file = config->policy_file,
		.allowed = config->allowed,
		.allowed_count = config->allowed_count,
		.supervisor = supervisor[0] != '\0' ? supervisor : NULL,
		.everybody = config->ca_file == NULL && config->allowed_count == 0,
	};

	return sn_gate_create(&gate, &self->gate, err);
}

static int create_exporter(struct sn_node_component *self, struct sn_err *err)
{
	const struct sn_node_component_config *config = &self->config;
	struct sn_exporter_config exporter = {
		.loop = config->loop,
		.directory = config->log_dir,
		.listen = config->log_listen,
		.name = config->name,
		.cert_file = config->cert_file,
		.key_file = config->key_file,
		.ca_file = config->ca_file,
		.repositories = config->repositories,
		.repository_count = config->repository_count,
		.readers = config->readers,
		.reader_count = config->reader_count,
	};

	return config->log_dir != NULL ? sn_exporter_create(&exporter, &self->exporter, err) : 0;
}

static int create_host(struct sn_node_component *self, struct sn_err *err)
{
	const struct sn_node_component_config *config = &self->config;
	struct sn_runner_config runner = {.loop = config->loop,
					  .program_dir = config->program_dir,
					  .priv_socket = config->priv_socket,
					  .meter_dir = config->meter_dir};
	struct sn_host_config host = {
		.loop = config->loop, .gate = self->gate, .native = config->native};
	struct sn_sources ignored;

	for (size_t i = 0; i < SN_NODE_SOURCES_MAX; i++) {
		if (config->sources[i] != NULL &&
		    sn_sources_set(&ignored, config->sources[i], err) != 0)
			return -EINVAL;
	}
	if (create_exporter(self, err) != 0)
		return err->code;
	host.exporter = self->exporter;
	self->registries = sn_mp_registries_create();
	host.registries = self->registries;
	sn_mp_offer_load(self->registries);
	self->runner = host.runner = sn_runner_create(&runner);
	self->host = sn_host_create(&host);
	look_around(self);
	if (sn_host_offers(self->host) == 0)
		sn_warn("there is nothing to offer (no program of a method is there, or no address "
			"to measure from: give --source, or --registry-native)");
	self->component = sn_component_create(&(struct sn_component_config){
		.loop = config->loop,
		.registries = self->registries,
		.host = sn_host_ops(self->host),
	});
	return 0;
}

/* Ways in and out ------------------------------------------------------------------------- */

static int read_pem(const char *path, struct sn_buf *pem, struct sn_err *err)
{
	return sn_fs_read(path, SN_PKI_PEM_MAX, pem, err);
}

static int listen_for_clients(struct sn_node_component *self, struct sn_addr *bound,
			      struct sn_err *err)
{
	const struct sn_node_component_config *config = &self->config;
	struct sn_component_server_config server = {.loop = config->loop,
						    .component = self->component,
						    .registries = self->registries,
						    .write_flags = SN_MP_WRITE_SAFE};
	struct sn_buf cert = {0}, key = {0}, ca = {0};
	struct sn_http_tls tls;
	int error = 0;

	if (sn_addr_parse(sn_str(config->listen), SN_PEER_PORT, &server.listen) != 0)
		return sn_err_set(err, -EINVAL, "'%s' is no address to listen at", config->listen);
	if (config->ca_file != NULL) {
		error = read_pem(config->cert_file, &cert, err);
		if (error == 0)
			error = read_pem(config->key_file, &key, err);
		if (error == 0)
			error = read_pem(config->ca_file, &ca, err);
		tls = (struct sn_http_tls){.cert_pem = sn_buf_cstr(&cert),
					   .key_pem = sn_buf_cstr(&key),
					   .ca_pem = sn_buf_cstr(&ca)};
		server.tls = &tls;
	}
	if (error == 0)
		error = sn_component_server_create(&server, &self->server, bound, err);
	if (key.n > 0)
		explicit_bzero(key.p, key.n);
	sn_buf_finish(&cert);
	sn_buf_finish(&key);
	sn_buf_finish(&ca);
	return error;
}

static void tell_state(enum sn_uplink_state state, const char *text, void *ctx)
{
	struct sn_node_component *self = ctx;

	if (state == SN_UPLINK_REGISTERED) {
		sn_notice("registered supervisor=%s", self->config.supervisor);
		sn_notify("STATUS=registered");
	} else {
		sn_warn("not registered supervisor=%s reason=\"%s\"", self->config.supervisor,
			text != NULL ? text : "");
	}
}

static int join_supervisor(struct sn_node_component *self, const char *name, struct sn_err *err)
{
	const struct sn_node_component_config *config = &self->config;
	struct sn_component_uplink_config uplink = {
		.loop = config->loop,
		.component = self->component,
		.host = sn_host_ops(self->host),
		.registries = self->registries,
		.url = config->supervisor,
		.identity = name,
		.ca_file = config->ca_file,
		.cert_file = config->cert_file,
		.key_file = config->key_file,
		.forged_identity = config->ca_file == NULL ? config->identity : NULL,
		.write_flags = SN_MP_WRITE_SAFE,
		.on_state = tell_state,
		.ctx = self,
	};

	self->uplink = sn_component_uplink_create(&uplink);
	return self->uplink != NULL
		       ? 0
		       : sn_err_set(err, -EINVAL, "cannot use '%s'", config->supervisor);
}

/* Life --------------------------------------------------------------------------------------- */

static int start(struct sn_node_component *self, struct sn_addr *bound, struct sn_err *err)
{
	const struct sn_node_component_config *config = &self->config;
	char supervisor[HOST_MAX + 8] = "";
	int error = config->supervisor != NULL ? name_supervisor(config, supervisor, err) : 0;

	if (error == 0)
		error = create_gate(self, supervisor, err);
	if (error == 0)
		error = create_host(self, err);
	if (error == 0 && config->listen != NULL)
		error = listen_for_clients(self, bound, err);
	if (error == 0 && config->supervisor != NULL)
		error = join_supervisor(self, supervisor, err);
	return error;
}

int sn_node_component_create(const struct sn_node_component_config *config,
			     struct sn_node_component **out, struct sn_addr *bound,
			     struct sn_err *err)
{
	struct sn_node_component *self = sn_new(struct sn_node_component);
	int error;

	self->config = *config;
	sn_timer_init(&self->addresses, config->loop, look_again);
	sn_timer_init(&self->policy, config->loop, look_at_policy);
	error = start(self, bound, err);
	if (error != 0) {
		sn_node_component_destroy(self);
		self = NULL;
	} else {
		sn_timer_in(&self->addresses, LOOK_AT_ADDRESSES_NS);
		if (config->policy_file != NULL)
			sn_timer_in(&self->policy, LOOK_AT_POLICY_NS);
	}
	*out = self;
	return error;
}

void sn_node_component_leave(struct sn_node_component *self, void (*on_left)(void *ctx), void *ctx)
{
	if (self->uplink != NULL)
		sn_component_uplink_leave(self->uplink, LEAVE_PATIENCE_NS, on_left, ctx);
	else
		on_left(ctx);
}

void sn_node_component_destroy(struct sn_node_component *self)
{
	if (self == NULL)
		return;
	sn_timer_stop(&self->addresses);
	sn_timer_stop(&self->policy);
	sn_component_uplink_destroy(self->uplink);
	sn_component_server_destroy(self->server);
	if (self->component != NULL)
		sn_component_destroy(self->component);
	sn_host_destroy(self->host);
	sn_exporter_destroy(self->exporter);
	sn_runner_destroy(self->runner);
	sn_gate_destroy(self->gate);
	sn_mp_registries_destroy(self->registries);
	free(self);
}
