/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ca/issue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/ca/files.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "net/pki.h"

#define RSA_BITS 2048 /* what mPlane programs expect */

struct order {
	const struct sn_ca_options *given;
	int argc;
	char **argv;
	struct sn_buf key, csr; /* `key` is empty with --csr */
	struct sn_ca_files files;
};

static void finish(struct order *order)
{
	if (order->key.p != NULL)
		explicit_bzero(order->key.p, order->key.cap);
	sn_buf_finish(&order->key);
	sn_buf_finish(&order->csr);
	sn_ca_files_finish(&order->files);
}

/* A fresh key and its request, or the request that was made elsewhere. */
static int make_request(struct order *order, const char *name, struct sn_err *err)
{
	const struct sn_ca_options *given = order->given;
	int rc;

	if (given->csr != NULL) {
		rc = sn_fs_read(given->csr, SN_PKI_PEM_MAX, &order->csr, err);
		if (rc == 0 && strstr(sn_buf_cstr(&order->csr), "CERTIFICATE REQUEST-----") == NULL)
			rc = sn_err_set(err, -EINVAL,
					"cannot use '%s': it is no certificate request in PEM form",
					given->csr);
		return rc;
	}
	rc = given->rsa ? sn_pki_key_generate_rsa(RSA_BITS, &order->key, err)
			: sn_pki_key_generate(&order->key, err);
	return rc == 0 ? sn_pki_csr_create(sn_buf_cstr(&order->key), name, &order->csr, err) : rc;
}

static void add_texts(json_t *body, const char *member, const struct sn_opt_texts *texts)
{
	json_t *array;

	if (texts->count == 0)
		return;
	array = json_array();
	for (unsigned i = 0; i < texts->count; i++)
		json_array_append_new(array, json_string(texts->items[i]));
	json_object_set_new(body, member, array);
}

static json_t *make_body(struct order *order)
{
	const struct sn_ca_options *given = order->given;
	json_t *body = json_pack("{s:s}", "csr_pem", sn_buf_cstr(&order->csr));
	char text[SN_DURATION_TEXT_MAX];

	if (given->life > 0)
		json_object_set_new(
			body, "life",
			json_string(sn_format_duration(given->life, text, sizeof(text))));
	add_texts(body, "dns", &given->dns);
	add_texts(body, "ip", &given->ip);
	add_texts(body, "uri", &given->uri);
	return body;
}

static int keep_piece(struct sn_str piece, void *ctx)
{
	struct sn_buf *out = ctx;

	if (out->n + piece.n > SN_PKI_PEM_MAX)
		return -EMSGSIZE;
	sn_buf_add(out, piece.p, piece.n);
	return 0;
}

/* Before anything is signed: would the files go where they should? */
static int prepare_files(struct sn_client *client, struct order *order, const char *name,
			 struct sn_err *err)
{
	const struct sn_ca_options *given = order->given;
	struct sn_buf ca = {0};
	int rc = sn_client_stream(client, "/api/v1/ca", "application/x-pem-file", keep_piece, &ca,
				  err);

	if (rc == 0)
		rc = sn_ca_files_prepare(&order->files, given->output != NULL ? given->output : ".",
					 name, given->csr == NULL, given->force, sn_buf_cstr(&ca),
					 err);
	sn_buf_finish(&ca);
	return rc;
}

static void show(const struct sn_ca_options *given, const struct sn_ca_files *files,
		 json_t *certificate)
{
	const char *identity = sn_output_text(certificate, "identity");
	char text[SN_TIME_LOCAL_MAX];
	int64_t expires_ns;

	if (given->json) {
		json_object_set_new(certificate, "files",
				    json_pack("{s:s, s:s?, s:s}", "certificate", files->cert, "key",
					      files->key, "ca", files->ca));
		sn_output_json_line(stdout, certificate);
		return;
	}
	printf("%s\n%s\n", identity != NULL ? identity : "?", files->cert);
	if (files->key != NULL)
		printf("%s\n", files->key);
	printf("%s\n", files->ca);
	if (sn_output_time(certificate, "expires", &expires_ns))
		fprintf(stderr, "The certificate is good until %s.%s\n",
			sn_shape_time(expires_ns, text, sizeof(text)),
			files->key != NULL ? "  Whoever has the .key file can pass for this peer."
					   : "");
}

/* Sends the order to `path`, keeps what comes back; `body` is stolen. */
static int send_order(struct sn_client *client, struct order *order, const char *path, json_t *body,
		      struct sn_err *err)
{
	sn_autojson json_t *wanted = body;
	sn_autojson json_t *certificate = NULL;
	const char *pem, *ca_pem;
	int rc = sn_client_call(client, "POST", path, wanted, &certificate, err);

	if (rc != 0)
		return rc;
	pem = sn_output_text(certificate, "certificate_pem");
	ca_pem = sn_output_text(certificate, "ca_pem");
	if (pem == NULL || ca_pem == NULL)
		return sn_err_set(err, -EPROTO,
				  "the hub's answer holds no certificate (is it as "
				  "new as this program?)");
	rc = sn_ca_files_write(&order->files, pem, &order->key, ca_pem, err);
	if (rc == 0)
		show(order->given, &order->files, certificate);
	return rc;
}

/* Issue --------------------------------------------------------------------------- */

static int issue_peer(struct sn_client *client, void *ctx, struct sn_err *err)
{
	struct order *order = ctx;
	const char *kind = order->argv[0], *organisation = order->argv[1], *name = order->argv[2];
	json_t *body;
	int rc = prepare_files(client, order, name, err);

	if (rc == 0)
		rc = make_request(order, name, err);
	if (rc != 0)
		return rc;
	body = make_body(order);
	json_object_set_new(body, "kind", json_string(kind));
	json_object_set_new(body, "organisation", json_string(organisation));
	json_object_set_new(body, "name", json_string(name));
	return send_order(client, order, "/api/v1/certificates", body, err);
}

/* What the hub would refuse after a key was made and paths were built of it. */
static int check_words(char **argv)
{
	static const char *const kinds[] = {"component", "client", "supervisor"};
	const char *near = sn_suggest(argv[0], kinds, SN_COUNT(kinds));
	bool known = false;

	for (size_t i = 0; i < SN_COUNT(kinds); i++)
		known |= strcmp(argv[0], kinds[i]) == 0;
	if (!known)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "'%s' is no kind of peer: component, client or supervisor%s%s%s",
				   argv[0], near != NULL ? " (did you mean '" : "",
				   near != NULL ? near : "", near != NULL ? "'?)" : "");
	for (int i = 1; i <= 2; i++) {
		if (!sn_pki_value_is_plain(argv[i]))
			return sn_cli_fail(
				SN_EXIT_USAGE,
				"'%s' cannot be %s: 1 to 63 letters, digits, '-' or '_', "
				"a letter or digit first, without dots and blanks",
				argv[i], i == 1 ? "an organisation" : "a name");
	}
	return SN_EXIT_OK;
}

static int check_options(const struct sn_ca_options *given)
{
	if (given->csr != NULL && given->rsa)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "'--rsa' makes a key, with '--csr' there is one already");
	return SN_EXIT_OK;
}

int sn_ca_run_issue(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct sn_ca_options *given = opts;
	struct order order = {.given = given, .argc = argc, .argv = argv};
	int code = check_options(given);

	if (code == SN_EXIT_OK)
		code = check_words(argv);
	if (code == SN_EXIT_OK)
		code = sn_client_run(&given->client, issue_peer, &order);
	finish(&order);
	return code;
}

/* Renew --------------------------------------------------------------------------- */

static int take_newest(const json_t *item, void *ctx)
{
	json_t **found = ctx;

	if (*found == NULL)
		*found = json_incref((json_t *)item);
	return 0;
}

char *sn_ca_path(const char *serial, const char *rest)
{
	struct sn_buf path = {0};

	sn_buf_adds(&path, "/api/v1/certificates/");
	sn_url_encode(&path, sn_str(serial));
	sn_buf_adds(&path, rest);
	sn_buf_cstr(&path);
	return path.p;
}

int sn_ca_of_identity(struct sn_client *client, const char *identity, const char *state,
		      sn_client_item_fn *fn, void *ctx, struct sn_err *err)
{
	struct sn_buf path = {0};
	int rc;

	sn_buf_addf(&path, "/api/v1/certificates?limit=1000&identity=");
	sn_url_encode(&path, sn_str(identity));
	if (state != NULL)
		sn_buf_addf(&path, "&state=%s", state);
	rc = sn_client_each(client, sn_buf_cstr(&path), fn, ctx, err);
	sn_buf_finish(&path);
	return rc;
}

/* As other programs write serial numbers: "47:D6:DF" is 47d6df. */
static char *plain_serial(const char *name)
{
	char *plain = sn_xstrdup(name), *end = plain;

	if (strspn(name, "0123456789abcdefABCDEF:") != strlen(name))
		return plain;
	for (const char *c = name; *c != '\0'; c++) {
		if (*c != ':')
			*end++ = *c >= 'A' && *c <= 'F' ? (char)(*c - 'A' + 'a') : *c;
	}
	*end = '\0';
	return plain;
}

int sn_ca_find(struct sn_client *client, const char *name, json_t **certificate, struct sn_err *err)
{
	sn_autofree char *serial = plain_serial(name);
	sn_autofree char *path = sn_ca_path(serial, "");
	int rc = sn_client_get(client, path, certificate, err);

	if (rc != -ENOENT)
		return rc;
	*certificate = NULL;
	rc = sn_ca_of_identity(client, name, "valid", take_newest, certificate, err);
	if (rc == 0 && *certificate == NULL)
		rc = sn_ca_of_identity(client, name, NULL, take_newest, certificate, err);
	if (rc == 0 && *certificate == NULL)
		rc = sn_err_set(err, -ENOENT,
				"no certificate has the serial number or identity '%.100s' ('sonde "
				"ca list' shows all)",
				name);
	return rc;
}

/* "org.mplane.SSB.Components.probe1" is called probe1. */
static const char *last_part(const char *identity)
{
	const char *dot = identity != NULL ? strrchr(identity, '.') : NULL;

	return dot != NULL ? dot + 1 : identity;
}

static int renew_peer(struct sn_client *client, void *ctx, struct sn_err *err)
{
	struct order *order = ctx;
	sn_autojson json_t *certificate = NULL;
	sn_autofree char *path = NULL;
	const char *name;
	int rc = sn_ca_find(client, order->argv[0], &certificate, err);

	if (rc != 0)
		return rc;
	name = last_part(sn_output_text(certificate, "identity"));
	if (name == NULL || !sn_pki_value_is_plain(name))
		return sn_err_set(
			err, -EINVAL,
			"'%.100s' is not the certificate of an mPlane peer, and only those "
			"are renewed here",
			order->argv[0]);
	rc = prepare_files(client, order, name, err);
	if (rc == 0)
		rc = make_request(order, name, err);
	if (rc != 0)
		return rc;
	path = sn_ca_path(sn_output_text(certificate, "serial"), "/renew");
	return send_order(client, order, path, make_body(order), err);
}

int sn_ca_run_renew(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct sn_ca_options *given = opts;
	struct order order = {.given = given, .argc = argc, .argv = argv};
	int code = check_options(given);

	if (code == SN_EXIT_OK)
		code = sn_client_run(&given->client, renew_peer, &order);
	finish(&order);
	return code;
}
