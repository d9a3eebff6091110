/* SPDX-License-Identifier: Apache-2.0 */
#include "node/join/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/pki.h"

#define FILE_MAX   65536
#define URI_PREFIX "urn:sonde:node:"

static int write_file(const char *state_dir, const char *name, const struct sn_buf *text,
		      mode_t mode, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(state_dir, name);

	return sn_fs_write_atomic(path, text->p, text->n, mode, err);
}

int sn_node_identity_write_pem(const char *state_dir, const char *node, const char *cert_pem,
			       const char *key_pem, struct sn_err *err)
{
	struct sn_pki_info info;
	struct sn_buf text = {0};
	int error = sn_pki_info(cert_pem, &info, err);

	if (error != 0)
		return sn_err_wrap(err, "cannot use the certificate from the hub");
	if (strncmp(info.uri, URI_PREFIX, strlen(URI_PREFIX)) != 0 ||
	    strcmp(info.uri + strlen(URI_PREFIX), node) != 0)
		return sn_err_set(err, -EBADMSG,
				  "cannot use the certificate from the hub: it is for '%s', not "
				  "for node '%s'",
				  info.uri, node);
	sn_buf_adds(&text, cert_pem);
	if (text.n > 0 && text.p[text.n - 1] != '\n')
		sn_buf_addc(&text, '\n');
	sn_buf_adds(&text, key_pem);
	error = write_file(state_dir, "identity.pem", &text, 0600, err);
	memset(text.p, 0, text.n);
	sn_buf_finish(&text);
	return error;
}

int sn_node_identity_write_ca(const char *state_dir, const char *ca_pem, struct sn_err *err)
{
	struct sn_buf text = {0};
	int error;

	sn_buf_adds(&text, ca_pem);
	error = write_file(state_dir, "ca.pem", &text, 0644, err);
	sn_buf_finish(&text);
	return error;
}

int sn_node_identity_write_node(const char *state_dir, const char *node, const char *name,
				const char *hub_url, struct sn_err *err)
{
	struct sn_buf text = {0};
	struct sn_jw jw;
	int error;

	sn_jw_init(&jw, &text);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "node", node);
	sn_jw_kcstr(&jw, "name", name);
	sn_jw_kcstr(&jw, "hub_url", hub_url);
	sn_jw_object_end(&jw);
	sn_buf_addc(&text, '\n');
	error = write_file(state_dir, "node.json", &text, 0644, err);
	sn_buf_finish(&text);
	return error;
}

static int take_text(const json_t *json, const char *key, char **out, struct sn_err *err)
{
	const char *text;
	int error = sn_json_get_str(json, key, &text, err);

	if (error == 0)
		*out = sn_xstrdup(text);
	return error;
}

static int load_node(const char *path, struct sn_node_identity *identity, struct sn_err *err)
{
	sn_autojson json_t *json = NULL;
	struct sn_buf text = {0};
	int error = sn_fs_read(path, FILE_MAX, &text, err);

	if (error == 0) {
		json = sn_json_parse(text.p, text.n, err);
		error = json == NULL ? -EBADMSG : 0;
		if (error == 0)
			error = take_text(json, "node", &identity->node, err);
		if (error == 0)
			error = take_text(json, "name", &identity->name, err);
		if (error == 0)
			error = take_text(json, "hub_url", &identity->hub_url, err);
		if (error != 0)
			sn_err_wrap(err, "cannot use '%s'", path);
	}
	sn_buf_finish(&text);
	return error;
}

static int load_certificate(struct sn_node_identity *identity, struct sn_err *err)
{
	struct sn_pki_info info;
	struct sn_buf text = {0};
	int error = sn_fs_read(identity->identity_file, FILE_MAX, &text, err);

	if (error == 0) {
		error = sn_pki_info(sn_buf_cstr(&text), &info, err);
		if (error != 0)
			sn_err_wrap(err, "cannot use '%s'", identity->identity_file);
		memset(text.p, 0, text.n);
	}
	sn_buf_finish(&text);
	if (error != 0)
		return error;
	identity->not_before_unix_s = info.not_before_unix_s;
	identity->not_after_unix_s = info.not_after_unix_s;
	return 0;
}

int sn_node_identity_load(const char *state_dir, struct sn_node_identity *identity,
			  struct sn_err *err)
{
	sn_autofree char *node_file = sn_fs_join(state_dir, "node.json");
	int error;

	*identity = (struct sn_node_identity){
		.identity_file = sn_fs_join(state_dir, "identity.pem"),
		.ca_file = sn_fs_join(state_dir, "ca.pem"),
	};
	if (!sn_fs_exists(node_file))
		error = sn_err_set(err, -ENOENT,
				   "cannot start from '%s': this node has not joined a hub yet "
				   "(sonde-node join URL TOKEN --state %s)",
				   state_dir, state_dir);
	else
		error = load_node(node_file, identity, err);
	if (error == 0)
		error = load_certificate(identity, err);
	if (error != 0)
		sn_node_identity_finish(identity);
	return error;
}

void sn_node_identity_finish(struct sn_node_identity *identity)
{
	free(identity->node);
	free(identity->name);
	free(identity->hub_url);
	free(identity->identity_file);
	free(identity->ca_file);
	*identity = (struct sn_node_identity){0};
}

int64_t sn_node_identity_renew_at(const struct sn_node_identity *identity)
{
	int64_t life_s = identity->not_after_unix_s - identity->not_before_unix_s;

	return identity->not_before_unix_s + life_s / 3 * 2 + life_s % 3 * 2 / 3;
}
