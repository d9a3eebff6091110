/* SPDX-License-Identifier: Apache-2.0 */
/* Where the hub is reached: names for its certificate, URLs, and the file that says so. */
#define SN_MODULE "hub"
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"

#define HOSTS_MAX 256

/* A list of distinct texts ---------------------------------------------------- */

struct texts {
	char **items;
	size_t count;
};

static void add_text(struct texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->count; i++) {
		if (strcmp(texts->items[i], text) == 0)
			return;
	}
	if (texts->count >= HOSTS_MAX)
		return;
	texts->items = sn_xrealloc(texts->items, texts->count + 2, sizeof(char *));
	texts->items[texts->count++] = sn_xstrdup(text);
	texts->items[texts->count] = NULL;
}

static char **take_texts(struct texts *texts)
{
	return texts->items != NULL ? texts->items : sn_xcalloc(1, sizeof(char *));
}

void sn_hub_free_hosts(char **hosts)
{
	for (size_t i = 0; hosts != NULL && hosts[i] != NULL; i++)
		free(hosts[i]);
	free(hosts);
}

/* Addresses of this machine ----------------------------------------------------- */

static bool is_wildcard(const struct sn_addr *addr)
{
	static const struct in6_addr any = IN6ADDR_ANY_INIT;

	if (addr->sa.sa_family == AF_INET)
		return addr->in.sin_addr.s_addr == INADDR_ANY;
	return memcmp(&addr->in6.sin6_addr, &any, sizeof(any)) == 0;
}

static bool is_link_local(const struct sn_addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return (ntohl(addr->in.sin_addr.s_addr) >> 16) == 0xa9fe;
	return IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr);
}

/* A wildcard of IPv6 takes IPv4 connections too. */
static bool listener_covers(const struct sn_listener *listener, int family)
{
	return is_wildcard(&listener->addr) &&
	       (listener->addr.sa.sa_family == AF_INET6 || listener->addr.sa.sa_family == family);
}

static bool take_interface_address(const struct ifaddrs *entry, struct sn_addr *addr)
{
	int family = entry->ifa_addr != NULL ? entry->ifa_addr->sa_family : AF_UNSPEC;

	if ((family != AF_INET && family != AF_INET6) || (entry->ifa_flags & IFF_UP) == 0)
		return false;
	addr->length = family == AF_INET ? sizeof(addr->in) : sizeof(addr->in6);
	memcpy(&addr->sa, entry->ifa_addr, addr->length);
	return !is_link_local(addr) && !sn_addr_is_loopback(addr);
}

typedef void each_address_fn(const struct sn_addr *addr, void *ctx);

/* IPv4 first, because that is what people read. */
static void each_interface_address(each_address_fn *fn, void *ctx)
{
	static const int families[] = {AF_INET, AF_INET6};
	struct ifaddrs *all;
	struct sn_addr addr;

	if (getifaddrs(&all) != 0)
		return;
	for (size_t i = 0; i < SN_COUNT(families); i++) {
		for (const struct ifaddrs *entry = all; entry != NULL; entry = entry->ifa_next) {
			if (take_interface_address(entry, &addr) &&
			    addr.sa.sa_family == families[i])
				fn(&addr, ctx);
		}
	}
	freeifaddrs(all);
}

/* Names for the certificate -------------------------------------------------------- */

static void add_host(const struct sn_addr *addr, void *ctx)
{
	char text[SN_ADDR_TEXT_MAX];

	add_text(ctx, sn_addr_format(addr, text, sizeof(text)));
}

static bool any_wildcard(const struct sn_hub *hub)
{
	for (unsigned i = 0; i < hub->listener_count; i++) {
		if (hub->listeners[i].tls && is_wildcard(&hub->listeners[i].addr))
			return true;
	}
	return false;
}

/* "https://[2001:db8::1]:8443/x" -> "2001:db8::1" */
static void add_url_host(struct texts *texts, const char *url)
{
	const char *host = url + strlen("https://");
	char text[256];

	if (*host == '[')
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(host + 1, "]"), host + 1);
	else
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(host, ":/"), host);
	if (text[0] != '\0')
		add_text(texts, text);
}

char **sn_hub_hosts(const struct sn_hub *hub)
{
	struct texts texts = {0};
	char hostname[256];

	add_text(&texts, "localhost");
	add_text(&texts, "127.0.0.1");
	add_text(&texts, "::1");
	if (gethostname(hostname, sizeof(hostname)) == 0 && hostname[0] != '\0')
		add_text(&texts, hostname);
	for (unsigned i = 0; i < hub->config->names.count; i++)
		add_text(&texts, hub->config->names.items[i]);
	for (unsigned i = 0; i < hub->config->advertise.count; i++)
		add_url_host(&texts, hub->config->advertise.items[i]);
	for (unsigned i = 0; i < hub->listener_count; i++) {
		if (!is_wildcard(&hub->listeners[i].addr))
			add_host(&hub->listeners[i].addr, &texts);
	}
	if (any_wildcard(hub))
		each_interface_address(add_host, &texts);
	return take_texts(&texts);
}

/* URLs ------------------------------------------------------------------------------- */

static void format_url(const struct sn_addr *addr, bool tls, char *out, size_t size)
{
	char text[SN_ADDR_TEXT_MAX];

	snprintf(out, size, "%s://%s", tls ? "https" : "http",
		 sn_addr_format_port(addr, text, sizeof(text)));
}

static void add_url(struct texts *texts, const struct sn_addr *addr)
{
	char url[128];

	format_url(addr, true, url, sizeof(url));
	add_text(texts, url);
}

struct url_ctx {
	struct texts *texts;
	const struct sn_listener *listener;
};

static void add_interface_url(const struct sn_addr *addr, void *ctx)
{
	struct url_ctx *urls = ctx;
	struct sn_addr copy = *addr;

	if (!listener_covers(urls->listener, addr->sa.sa_family))
		return;
	sn_addr_set_port(&copy, sn_addr_port(&urls->listener->addr));
	add_url(urls->texts, &copy);
}

static bool loopback_of(const struct sn_listener *listener, struct sn_addr *addr)
{
	if (sn_addr_is_loopback(&listener->addr)) {
		*addr = listener->addr;
		return true;
	}
	if (!is_wildcard(&listener->addr))
		return false;
	sn_addr_parse(SN_STR("127.0.0.1"), sn_addr_port(&listener->addr), addr);
	return true;
}

char **sn_hub_urls(const struct sn_hub *hub)
{
	struct texts texts = {0};
	struct sn_addr addr;

	for (unsigned i = 0; i < hub->config->advertise.count; i++)
		add_text(&texts, hub->config->advertise.items[i]);
	if (texts.count > 0)
		return take_texts(&texts);
	for (unsigned i = 0; i < hub->listener_count; i++) {
		struct url_ctx urls = {&texts, &hub->listeners[i]};

		if (!hub->listeners[i].tls)
			continue;
		if (is_wildcard(&hub->listeners[i].addr))
			each_interface_address(add_interface_url, &urls);
		else if (!sn_addr_is_loopback(&hub->listeners[i].addr))
			add_url(&texts, &hub->listeners[i].addr);
	}
	/* Loopback last: it is of use on this machine only. */
	for (unsigned i = 0; i < hub->listener_count; i++) {
		if (hub->listeners[i].tls && loopback_of(&hub->listeners[i], &addr))
			add_url(&texts, &addr);
	}
	return take_texts(&texts);
}

void sn_hub_local_url(const struct sn_hub *hub, char *out, size_t size)
{
	out[0] = '\0';
	for (unsigned i = 0; i < hub->listener_count; i++) {
		if (!hub->listeners[i].tls) {
			format_url(&hub->listeners[i].addr, false, out, size);
			return;
		}
	}
}

void sn_hub_loopback_url(const struct sn_hub *hub, char *out, size_t size)
{
	struct sn_addr addr;

	out[0] = '\0';
	for (unsigned i = 0; i < hub->listener_count; i++) {
		if (hub->listeners[i].tls && loopback_of(&hub->listeners[i], &addr)) {
			format_url(&addr, true, out, size);
			return;
		}
	}
}

/* hub.json --------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *announcement(const struct sn_hub *hub)
{
	char local[128], loopback[128];
	sn_autofree char *state = realpath(hub->config->state, NULL);
	sn_autofree char *ca_file = realpath(sn_identity_ca_file(hub->identity), NULL);
	char **urls = sn_hub_urls(hub);
	const char *node_url;
	json_t *json;

	sn_hub_local_url(hub, local, sizeof(local));
	sn_hub_loopback_url(hub, loopback, sizeof(loopback));
	node_url = loopback[0] != '\0' ? loopback : urls[0];
	json = json_pack("{s:o, s:o, s:o, s:s, s:I, s:o}", "url",
			 text_or_null(local[0] != '\0' ? local : node_url), "node_url",
			 text_or_null(node_url), "ca_file", text_or_null(ca_file), "token",
			 sn_people_local_token(hub->people), "pid", (json_int_t)getpid(),
			 "state_dir", text_or_null(state));
	sn_hub_free_hosts(urls);
	return json;
}

/* Where the command line of this user looks; malloc'ed, NULL when there is no such place. */
static char *announcement_dir(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");

	if (runtime != NULL && runtime[0] == '/')
		return sn_fs_join(runtime, "sonde");
	if (geteuid() == 0)
		return sn_xstrdup("/run/sonde");
	if (home != NULL && home[0] == '/')
		return sn_fs_join(home, ".local/state/sonde");
	return NULL;
}

static int write_copy(struct sn_hub *hub, const char *text)
{
	sn_autofree char *dir = announcement_dir();
	sn_autofree char *path = dir != NULL ? sn_fs_join(dir, "hub.json") : NULL;
	struct sn_err err = {0};

	if (path == NULL)
		return -ENOENT;
	if (sn_fs_mkdirs(dir, 0700, &err) != 0 ||
	    sn_fs_write_atomic(path, text, strlen(text), 0600, &err) != 0) {
		sn_info("the command line will not find this hub by itself: %s", err.text);
		return err.code;
	}
	hub->announced = sn_steal(&path);
	return 0;
}

int sn_hub_announce(struct sn_hub *hub, struct sn_err *err)
{
	sn_autojson json_t *json = announcement(hub);
	sn_autofree char *path = sn_fs_join(hub->config->state, "hub.json");
	sn_autofree char *text = json_dumps(json, JSON_INDENT(2));

	if (sn_fs_write_atomic(path, text, strlen(text), 0600, err) != 0)
		return sn_err_wrap(err, "cannot write how this hub is reached");
	/* Somebody else's directory or a full disk there is no reason not to run. */
	if (hub->config->announce)
		(void)write_copy(hub, text);
	return 0;
}

static bool is_ours(const struct sn_hub *hub, const char *path)
{
	struct sn_buf text = {0};
	bool ours = sn_fs_read(path, 65536, &text, NULL) == 0 &&
		    strstr(sn_buf_cstr(&text), sn_people_local_token(hub->people)) != NULL;

	sn_buf_finish(&text);
	return ours;
}

void sn_hub_unannounce(struct sn_hub *hub)
{
	sn_autofree char *path = sn_fs_join(hub->config->state, "hub.json");

	/* A hub that was started later may have put its own there. */
	if (hub->announced != NULL && is_ours(hub, hub->announced))
		unlink(hub->announced);
	if (is_ours(hub, path))
		unlink(path);
	free(hub->announced);
	hub->announced = NULL;
}
