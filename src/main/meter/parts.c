/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "meter"
#include "main/meter/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/privilege.h"
#include "main/meter/outputs.h"
#include "meter/control/ini.h"
#include "meter/view/privacy.h"

#define FILE_MAX_BYTES   (16 * 1024 * 1024)
#define NAMES_MEMORY_MAX ((size_t)256 * 1024 * 1024)

static int read_text(const char *path, struct sn_buf *text, struct sn_err *err)
{
	return sn_fs_read(path, FILE_MAX_BYTES, text, err);
}

/* Lists of networks ------------------------------------------------------------ */

static int open_networks(const char *path, struct sn_networks **networks, struct sn_err *err)
{
	struct sn_buf text = {0};
	int result = 0;

	if (path == NULL)
		return 0;
	result = read_text(path, &text, err);
	if (result == 0) {
		*networks = sn_networks_parse(sn_buf_str(&text), path, err);
		result = *networks != NULL ? 0 : err->code;
	}
	sn_buf_finish(&text);
	return result;
}

static int open_stations(const char *path, struct sn_stations **stations, struct sn_err *err)
{
	struct sn_buf text = {0};
	int result = 0;

	if (path == NULL)
		return 0;
	result = read_text(path, &text, err);
	if (result == 0) {
		*stations = sn_stations_parse(sn_buf_str(&text), path, err);
		result = *stations != NULL ? 0 : err->code;
	}
	sn_buf_finish(&text);
	return result;
}

static int open_inside(struct meter_parts *parts, struct sn_err *err)
{
	const struct meter_options *o = parts->options;
	int result = open_networks(o->internal, &parts->internal, err);

	if (result == 0)
		result = open_networks(o->cloud, &parts->cloud, err);
	if (result == 0)
		result = open_stations(o->stations, &parts->stations, err);
	if (result == 0)
		result = open_networks(o->anonymise, &parts->hidden, err);
	if (result == 0)
		result = open_networks(o->exempt, &parts->exempt, err);
	parts->inside = (struct sn_inside){
		.internal = parts->internal, .cloud = parts->cloud, .stations = parts->stations};
	return result;
}

/* Settings ---------------------------------------------------------------------- */

static int read_globals(struct meter_parts *parts, struct sn_err *err)
{
	const char *path = parts->options->globals_conf;
	struct sn_buf text = {0}, ignored = {0};
	int result;

	sn_globals_default(&parts->globals);
	if (path == NULL)
		return 0;
	result = read_text(path, &text, err);
	if (result == 0)
		result = sn_globals_parse(sn_buf_str(&text), path, &parts->globals, &ignored, err);
	if (result == 0 && ignored.n > 0)
		sn_notice("%s: without effect here: %s", path, sn_buf_cstr(&ignored));
	sn_buf_finish(&text);
	sn_buf_finish(&ignored);
	return result;
}

static int read_runtime_conf(struct meter_parts *parts, struct sn_err *err)
{
	const char *path = parts->options->runtime_conf;
	struct sn_buf text = {0}, ignored = {0};
	int result = read_text(path, &text, err);

	if (result == 0)
		result = sn_runtime_conf_parse(sn_buf_str(&text), path, &parts->settings, &ignored,
					       err);
	if (result == 0 && ignored.n > 0)
		sn_notice("%s: without effect here: %s", path, sn_buf_cstr(&ignored));
	sn_buf_finish(&text);
	sn_buf_finish(&ignored);
	return result;
}

static int read_settings(struct meter_parts *parts, struct sn_err *err)
{
	const struct meter_options *o = parts->options;
	struct sn_buf text = {0};
	int result = 0;

	sn_settings_values_default(&parts->settings);
	parts->settings.series = o->series != NULL || meter_options_want_traffic(o);
	parts->settings.histograms = o->histograms;
	if (o->filter != NULL)
		snprintf(parts->settings.filter, sizeof(parts->settings.filter), "%s", o->filter);
	if (o->runtime_conf != NULL)
		result = read_runtime_conf(parts, err);
	if (result == 0 && o->privacy != NULL)
		result = read_text(o->privacy, &text, err);
	if (result == 0 && text.n >= sizeof(parts->settings.policy))
		result = sn_err_set(err, -E2BIG, "cannot read '%s': it is longer than %zu bytes",
				    o->privacy, sizeof(parts->settings.policy) - 1);
	if (result == 0 && text.n > 0)
		memcpy(parts->settings.policy, text.p, text.n);
	sn_buf_finish(&text);
	return result;
}

/* Privacy -------------------------------------------------------------------------- */

/* The first line of the file, or all of it. */
static int read_key_file(const char *path, bool base64, uint8_t key[32], struct sn_err *err)
{
	struct sn_buf text = {0};
	int result = read_text(path, &text, err);
	struct sn_str rest = sn_buf_str(&text), line = {0};

	if (result == 0) {
		sn_str_split(&rest, '\n', &line);
		result = sn_privacy_key_text(sn_str_trim(line), base64, key, err);
	}
	sn_buf_finish(&text);
	return result;
}

static int read_key(struct meter_parts *parts, struct sn_err *err)
{
	const struct meter_options *o = parts->options;

	parts->has_key = true;
	if (o->privacy_key != NULL)
		return sn_privacy_key_load(o->privacy_key, parts->key, err);
	if (o->key_value != NULL)
		return sn_privacy_key_text(sn_str(o->key_value), false, parts->key, err);
	if (o->key_file != NULL)
		return read_key_file(o->key_file, false, parts->key, err);
	if (o->key_base64 != NULL)
		return read_key_file(o->key_base64, true, parts->key, err);
	parts->has_key = false;
	return 0;
}

/* The policy that the settings ask for; NULL in `*privacy` if nothing is to be hidden. */
static int make_privacy(const struct meter_parts *parts, const struct sn_settings_values *values,
			struct sn_privacy **privacy, struct sn_err *err)
{
	const struct meter_options *o = parts->options;
	uint32_t masks[4];
	int result = 0;

	*privacy = sn_privacy_create();
	if (parts->has_key)
		sn_privacy_set_key(*privacy, parts->key);
	if (o->rotate_key_ns > 0)
		sn_privacy_rotate(*privacy, o->rotate_key_ns);
	for (unsigned i = 0; i < 4; i++)
		masks[i] = (uint32_t)parts->globals.crypto_ipv6_masks[i];
	if (parts->hidden != NULL)
		sn_privacy_set_tstat(*privacy, parts->hidden, parts->exempt, masks,
				     o->encrypt_names);
	/* As it starts cookies and URLs are dropped; Tstat's logs ask for them by their own switch.
	 */
	if (parts->logs != NULL)
		result = sn_privacy_parse(*privacy, SN_STR("url keep\ncookie keep\n"), "defaults",
					  err);
	if (result == 0 && values->policy[0] != '\0')
		result = sn_privacy_parse(*privacy, sn_str(values->policy),
					  o->privacy != NULL ? o->privacy : "privacy", err);
	if (result != 0) {
		sn_privacy_destroy(*privacy);
		*privacy = NULL;
	}
	return result;
}

static int make_orders(const struct meter_parts *parts, const struct sn_settings_values *values,
		       struct sn_orders_values *orders, struct sn_err *err)
{
	const struct sn_tstat_choice *logs = &values->logs;
	int result = make_privacy(parts, values, &orders->privacy, err);

	orders->http = (parts->logs != NULL && logs->on[SN_TSTAT_HTTP_COMPLETE]) ||
		       meter_outputs_want(parts, "tstat_http_complete");
	orders->dns = (parts->logs != NULL && logs->on[SN_TSTAT_DNS_COMPLETE]) ||
		      meter_outputs_want(parts, "tstat_dns_complete");
	orders->video_rates = (parts->logs != NULL && logs->on[SN_TSTAT_VIDEO_COMPLETE] &&
			       (logs->video_level & SN_TSTAT_VIDEO_ADVANCED) != 0) ||
			      meter_outputs_want(parts, "tstat_video_complete");
	orders->http_urls = logs->http_urls > 0 && !parts->options->strict;
	return result;
}

/* What others change while it runs --------------------------------------------------- */

static int apply_settings(const struct sn_settings_values *values, void *ctx, struct sn_err *err)
{
	struct meter_parts *parts = ctx;
	struct sn_orders_values orders;
	int result = meter_outputs_check(parts, values, err);

	if (result == 0 && strcmp(values->filter, parts->settings.filter) != 0)
		result = parts->set_filter(parts, values->filter, err);
	if (result != 0)
		return result;
	result = make_orders(parts, values, &orders, err);
	if (result == 0 && parts->logs != NULL)
		result = sn_tstat_logs_choose(parts->logs, &values->logs, err);
	if (result != 0)
		return result;
	parts->settings = *values;
	if (parts->ipfix != NULL)
		sn_ipfix_set_privacy(parts->ipfix, orders.privacy);
	sn_orders_replace(&parts->orders, &orders);
	meter_outputs_switch(parts);
	return 0;
}

/* Opening ------------------------------------------------------------------------------ */

static int open_enrichment(struct meter_parts *parts, struct sn_err *err)
{
	const struct sn_opt_texts *files = &parts->options->mmdb;

	return files->count > 0
		       ? sn_enrichment_open(files->items, files->count, &parts->enrichment, err)
		       : 0;
}

static int open_control(struct meter_parts *parts, struct sn_err *err)
{
	const struct meter_options *o = parts->options;
	struct sn_control_options options = {
		.socket_path = o->control,
		.metrics_address = o->metrics,
		.runtime_conf = o->runtime_conf,
		.check_ns = parts->globals.runtime_check_ns,
		.checks = (unsigned)parts->globals.runtime_checks,
		.values = parts->settings,
		.apply = apply_settings,
		.stats = meter_outputs_stats,
		.metrics = meter_outputs_metrics,
		.ctx = parts,
	};

	if (o->control == NULL && o->metrics == NULL && (!parts->live || o->runtime_conf == NULL))
		return 0;
	return sn_control_create(&options, &parts->control, err);
}

int meter_parts_open(struct meter_parts *parts, struct sn_err *err)
{
	struct sn_orders_values orders = {0};
	int result = read_globals(parts, err);

	if (result == 0)
		result = open_inside(parts, err);
	if (result == 0)
		result = read_settings(parts, err);
	if (result == 0)
		result = read_key(parts, err);
	if (result == 0)
		result = open_enrichment(parts, err);
	parts->names = sn_name_pool_create(NAMES_MEMORY_MAX);
	parts->dns_cache = sn_dns_cache_create(parts->names, parts->globals.dns_cache_size);
	if (result == 0)
		result = meter_outputs_open(parts, err);
	if (result == 0)
		result = make_orders(parts, &parts->settings, &orders, err);
	if (result != 0)
		return result;
	if (parts->ipfix != NULL)
		sn_ipfix_set_privacy(parts->ipfix, orders.privacy);
	sn_orders_init(&parts->orders, &orders);
	parts->has_orders = true;
	return open_control(parts, err);
}

/* Starting ------------------------------------------------------------------------------- */

/* Tstat's periodic logs live from interim reports.  They may be switched on while it runs. */
static int64_t periodic_ns(const struct meter_parts *parts)
{
	const struct sn_tstat_choice *logs = &parts->settings.logs;
	bool logged = logs->on[SN_TSTAT_TCP_PERIODIC] || logs->on[SN_TSTAT_UDP_PERIODIC] ||
		      parts->control != NULL;
	bool wanted = (parts->logs != NULL && logged) ||
		      meter_outputs_want(parts, "tstat_tcp_periodic") ||
		      meter_outputs_want(parts, "tstat_udp_periodic");

	return wanted ? parts->globals.periodic_ns : 0;
}

static struct sn_meter_options metering(const struct meter_parts *parts)
{
	const struct meter_options *o = parts->options;
	const struct sn_globals *g = &parts->globals;
	struct sn_meter_options meter;

	sn_meter_options_default(&meter);
	meter.tcp_idle_ns = o->idle_ns > 0 ? o->idle_ns : g->tcp_idle_ns;
	meter.udp_idle_ns = o->idle_ns > 0 ? o->idle_ns : g->udp_idle_ns;
	meter.tcp_singleton_ns = SN_MIN(g->tcp_singleton_ns, meter.tcp_idle_ns);
	meter.udp_singleton_ns = SN_MIN(g->udp_singleton_ns, meter.udp_idle_ns);
	meter.active_ns = o->active_ns > 0 ? o->active_ns : periodic_ns(parts);
	meter.active_lazily = o->active_ns == 0;
	meter.max_flows = SN_MAX(o->max_flows / o->workers, (uint64_t)1);
	if (o->max_segments > 0 || o->globals_conf != NULL)
		meter.max_segments =
			(unsigned)(o->max_segments > 0 ? o->max_segments : g->max_segments);
	if (o->no_tunnels)
		meter.tunnels_max = 0;
	meter.inside = &parts->inside;
	meter.dns_cache = parts->dns_cache;
	return meter;
}

static int equip(unsigned number, struct sn_worker_options *worker, void *ctx, struct sn_err *err)
{
	return meter_outputs_equip(ctx, number, worker, err);
}

static void take_losses(const struct sn_capture_losses *losses, void *ctx)
{
	struct meter_parts *parts = ctx;

	if (parts->logs != NULL)
		sn_tstat_logs_losses(parts->logs, losses);
	meter_outputs_tell_ignored(parts);
}

int meter_parts_start(struct meter_parts *parts, struct sn_err *err)
{
	const struct meter_options *o = parts->options;
	struct sn_session_options options = {
		.workers = (unsigned)o->workers,
		.worker = {.meter = metering(parts),
			   .names = parts->names,
			   .orders = &parts->orders,
			   .enrichment = parts->enrichment,
			   .community_id = meter_outputs_want(parts, "flow")},
		.equip = equip,
		.losses = take_losses,
		.ctx = parts,
		.filter = parts->live ? NULL : o->filter,
		.snaplen = (uint32_t)o->snaplen,
		.packets_max = o->packets,
		.duration_ns = o->duration_ns,
		.progress = isatty(STDERR_FILENO),
	};
	int result = sn_session_create(&options, &parts->session, err);

	return result == 0 && parts->control != NULL ? sn_control_start(parts->control, err)
						     : result;
}

void meter_parts_close(struct meter_parts *parts)
{
	sn_control_destroy(parts->control);
	sn_session_destroy(parts->session);
	meter_outputs_close(parts);
	if (parts->has_orders)
		sn_orders_finish(&parts->orders);
	sn_dns_cache_destroy(parts->dns_cache);
	sn_name_pool_destroy(parts->names);
	sn_enrichment_close(parts->enrichment);
	sn_networks_destroy(parts->internal);
	sn_networks_destroy(parts->cloud);
	sn_networks_destroy(parts->hidden);
	sn_networks_destroy(parts->exempt);
	sn_stations_destroy(parts->stations);
}
