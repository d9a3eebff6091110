/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde ca`: certificates of mPlane components, clients and supervisors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/ca/files.h"
#include "cli/ca/issue.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "cli/verbs.h"
#include "net/pki.h"

#define SOON_NS (30 * 86400LL * SN_NS_PER_S) /* to the end: time to renew */

/* List ------------------------------------------------------------------------- */

static const struct sn_table_column list_columns[] = {
	{.header = "identity", .shrink = true},
	{.header = "kind"},
	{.header = "state"},
	{.header = "expires"},
	{.header = "names", .shrink = true, .drop = 2, .sparse = true},
	{.header = "reason", .shrink = true, .drop = 1, .sparse = true},
	{.header = "serial"},
};

static enum sn_tone tone_of(const char *state)
{
	if (state == NULL)
		return SN_TONE_QUIET;
	return strcmp(state, "valid") == 0     ? SN_TONE_GOOD
	       : strcmp(state, "revoked") == 0 ? SN_TONE_BAD
					       : SN_TONE_QUIET;
}

/* Nodes and people renew by themselves, and all the time. */
static enum sn_tone tone_of_end(const json_t *item, int64_t expires_ns)
{
	bool peer = sn_output_text(item, "subject") != NULL;

	return peer && expires_ns - sn_wall_ns() < SOON_NS ? SN_TONE_WARN : SN_TONE_PLAIN;
}

static int add_row(const json_t *item, void *ctx)
{
	struct sn_table *table = ctx;
	const char *state = sn_output_text(item, "state");
	sn_autofree char *names = sn_output_texts(json_object_get(item, "hosts"));
	char ago[SN_TIME_LOCAL_MAX];
	int64_t expires_ns;
	bool known = sn_output_time(item, "expires", &expires_ns);

	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "identity"));
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "kind"));
	sn_table_cell(table, tone_of(state), state);
	sn_table_cell(table, known ? tone_of_end(item, expires_ns) : SN_TONE_PLAIN,
		      known ? sn_shape_ago(expires_ns, sn_wall_ns(), ago, sizeof(ago)) : NULL);
	sn_table_cell(table, SN_TONE_PLAIN, names);
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "reason"));
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "serial"));
	return 0;
}

static int print_item(const json_t *item, void *ctx)
{
	sn_output_json_line(ctx, item);
	return 0;
}

static void add_filter(struct sn_buf *path, const char *name, const char *value)
{
	if (value == NULL)
		return;
	sn_buf_addf(path, "&%s=", name);
	sn_url_encode(path, sn_str(value));
}

static char *list_path(const struct sn_ca_options *given)
{
	const char *state = given->state != NULL ? given->state : "valid";
	struct sn_buf path = {0};

	sn_buf_adds(&path, "/api/v1/certificates?limit=1000");
	add_filter(&path, "kind", given->kind);
	add_filter(&path, "identity", given->identity);
	add_filter(&path, "state", strcmp(state, "all") != 0 ? state : NULL);
	sn_buf_cstr(&path);
	return path.p;
}

static int list(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct sn_ca_options *given = ctx;
	sn_autofree char *path = list_path(given);
	struct sn_table *table;
	int rc;

	if (given->json)
		return sn_client_each(client, path, print_item, stdout, err);
	table = sn_table_create(list_columns, SN_COUNT(list_columns));
	rc = sn_client_each(client, path, add_row, table, err);
	if (rc == 0 && sn_table_rows(table) == 0)
		fputs("no such certificates ('sonde ca issue --help' says how to make one; "
		      "--state all shows old ones)\n",
		      stderr);
	else if (rc == 0)
		sn_table_show(table, stdout);
	sn_table_destroy(table);
	return rc;
}

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	struct sn_ca_options *given = opts;

	return sn_client_run(&given->client, list, given);
}

/* Show ------------------------------------------------------------------------- */

struct subject { /* of a verb that is about certificates */
	const struct sn_ca_options *given;
	const char *name;
};

static void line(const char *label, const char *text)
{
	printf("%-12s %s\n", label, text);
}

static void line_text(const json_t *certificate, const char *key)
{
	if (sn_output_text(certificate, key) != NULL)
		line(key, sn_output_text(certificate, key));
}

static void line_time(const json_t *certificate, const char *key)
{
	char local[SN_TIME_LOCAL_MAX], ago[SN_TIME_LOCAL_MAX];
	sn_autofree char *both = NULL;
	int64_t unix_ns;

	if (!sn_output_time(certificate, key, &unix_ns))
		return;
	both = sn_xasprintf("%s (%s)", sn_shape_time(unix_ns, local, sizeof(local)),
			    sn_shape_ago(unix_ns, sn_wall_ns(), ago, sizeof(ago)));
	line(key, both);
}

static void line_texts(const json_t *certificate, const char *key)
{
	sn_autofree char *text = sn_output_texts(json_object_get(certificate, key));

	if (text != NULL && *text != '\0')
		line(key, text);
}

static void show_words(const json_t *certificate)
{
	static const char *const texts[] = {"identity", "kind", "state", "subject", "host"};

	for (size_t i = 0; i < SN_COUNT(texts); i++)
		line_text(certificate, texts[i]);
	line_texts(certificate, "hosts");
	line_texts(certificate, "uris");
	line_time(certificate, "issued");
	line_time(certificate, "expires");
	line_time(certificate, "revoked");
	line_text(certificate, "reason");
	line_text(certificate, "serial");
	line_text(certificate, "fingerprint");
}

static int show_pem(const json_t *certificate, struct sn_err *err)
{
	const char *pem = sn_output_text(certificate, "certificate_pem");
	struct sn_buf text = {0};
	int rc;

	if (pem == NULL)
		return sn_err_set(
			err, -ENOENT,
			"the hub keeps the certificates of mPlane peers only, this is that "
			"of a %s",
			sn_output_text(certificate, "kind"));
	rc = sn_ca_cert_text(pem, &text, err);
	if (rc == 0)
		fwrite(text.p, 1, text.n, stdout);
	sn_buf_finish(&text);
	return rc;
}

static int show(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct subject *subject = ctx;
	sn_autojson json_t *found = NULL;
	sn_autojson json_t *whole = NULL;
	sn_autofree char *path = NULL;
	int rc = sn_ca_find(client, subject->name, &found, err);

	if (rc != 0)
		return rc;
	path = sn_ca_path(sn_output_text(found, "serial"), "");
	rc = sn_client_get(client, path, &whole, err);
	if (rc != 0)
		return rc;
	if (subject->given->pem)
		return show_pem(whole, err);
	if (subject->given->json)
		sn_output_json_line(stdout, whole);
	else
		show_words(whole);
	return 0;
}

static int run_show(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv)
{
	const struct sn_ca_options *given = opts;
	struct subject subject = {given, argv[0]};

	return sn_client_run(&given->client, show, &subject);
}

/* Revoke ------------------------------------------------------------------------ */

static int collect(const json_t *item, void *ctx)
{
	json_array_append(ctx, (json_t *)item);
	return 0;
}

/* That with the serial number, or all valid ones of the identity. */
static int find_all(struct sn_client *client, const char *name, json_t *found, struct sn_err *err)
{
	sn_autojson json_t *one = NULL;
	int rc = sn_ca_find(client, name, &one, err);

	if (rc != 0)
		return rc;
	if (strcmp(sn_output_text(one, "identity"), name) != 0)
		return json_array_append(found, one);
	rc = sn_ca_of_identity(client, name, "valid", collect, found, err);
	if (rc == 0 && json_array_size(found) == 0)
		rc = sn_err_set(err, -ENOENT, "'%.100s' has no valid certificate any more", name);
	return rc;
}

static int revoke_one(struct sn_client *client, const struct sn_ca_options *given,
		      const json_t *certificate, struct sn_err *err)
{
	const char *serial = sn_output_text(certificate, "serial");
	sn_autofree char *path = sn_ca_path(serial, "/revoke");
	sn_autojson json_t *body = json_object();
	int rc = 0;

	if (given->reason != NULL)
		json_object_set_new(body, "reason", json_string(given->reason));
	if (!given->dry_run)
		rc = sn_client_call(client, "POST", path, body, NULL, err);
	if (rc != 0)
		return rc;
	if (given->json)
		sn_output_json_line(stdout, certificate);
	else
		printf("%s '%s' (%s)\n", given->dry_run ? "would shut out" : "shut out",
		       sn_output_text(certificate, "identity"), serial);
	return 0;
}

static int revoke_all(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct subject *subject = ctx;
	sn_autojson json_t *found = json_array();
	int rc = find_all(client, subject->name, found, err);

	for (size_t i = 0; rc == 0 && i < json_array_size(found); i++)
		rc = revoke_one(client, subject->given, json_array_get(found, i), err);
	return rc;
}

static int run_revoke(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct sn_ca_options *given = opts;
	int code = SN_EXIT_OK;

	for (int i = 0; i < argc && code == SN_EXIT_OK; i++) {
		struct subject subject = {given, argv[i]};

		code = sn_client_run(&given->client, revoke_all, &subject);
	}
	return code;
}

/* The CA and its revocation list --------------------------------------------------- */

struct download {
	const struct sn_ca_options *given;
	const char *path, *type;
	struct sn_buf body;
};

static int keep_piece(struct sn_str piece, void *ctx)
{
	struct download *download = ctx;

	if (download->body.n + piece.n > SN_PKI_CRL_MAX)
		return -EMSGSIZE;
	sn_buf_add(&download->body, piece.p, piece.n);
	return 0;
}

static int fetch(struct sn_client *client, void *ctx, struct sn_err *err)
{
	struct download *download = ctx;
	const char *file = download->given->output;
	int rc =
		sn_client_stream(client, download->path, download->type, keep_piece, download, err);

	if (rc != 0)
		return rc;
	if (file != NULL)
		return sn_fs_write_atomic(file, download->body.p, download->body.n, 0644, err);
	fwrite(download->body.p, 1, download->body.n, stdout);
	return 0;
}

static int run_crl(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		   char **argv SN_UNUSED)
{
	const struct sn_ca_options *given = opts;
	struct download download = {
		.given = given,
		.path = given->der ? "/api/v1/ca/crl" : "/api/v1/ca/crl?form=pem",
		.type = given->der ? "application/pkix-crl" : "application/x-pem-file",
	};
	int code;

	if (given->der && given->output == NULL && isatty(STDOUT_FILENO))
		return sn_cli_fail(SN_EXIT_USAGE, "'--der' is not for a terminal (use -o FILE)");
	code = sn_client_run(&given->client, fetch, &download);
	sn_buf_finish(&download.body);
	return code;
}

static int run_cert(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	const struct sn_ca_options *given = opts;
	struct download download = {
		.given = given, .path = "/api/v1/ca", .type = "application/x-pem-file"};
	struct sn_pki_info info;
	int code = sn_client_run(&given->client, fetch, &download);

	if (code == SN_EXIT_OK && sn_pki_info(sn_buf_cstr(&download.body), &info, NULL) == 0)
		fprintf(stderr, "SHA-256 fingerprint: %s\n", info.fingerprint);
	sn_buf_finish(&download.body);
	return code;
}

/* Tables --------------------------------------------------------------------------- */

struct options { /* cli/options.h refers to it by this name */
	struct sn_ca_options ca;
};

#define CONNECTION SN_CLIENT_OPTION(struct options, ca.client)

#define JSON                                                                                       \
	{                                                                                          \
		SN_OPT("json", 'j', SN_OPT_FLAG, ca.json, NULL, "JSON, one object per line")       \
	}

#define KEY_OPTIONS                                                                                \
	{SN_OPT("output", 'o', SN_OPT_TEXT, ca.output, "DIR",                                      \
		"where the files go, made if absent (default: here)"),                             \
	 .group = "Files"},                                                                        \
		{SN_OPT("csr", 0, SN_OPT_TEXT, ca.csr, "FILE",                                     \
			"certify this request (PKCS#10, PEM) instead of making a key")},           \
		{SN_OPT("rsa", 0, SN_OPT_FLAG, ca.rsa, NULL,                                       \
			"make an RSA key, for programs that cannot do elliptic curves")},          \
		{SN_OPT("force", 'f', SN_OPT_FLAG, ca.force, NULL,                                 \
			"overwrite files that are there")},                                        \
		{SN_OPT("life", 0, SN_OPT_DURATION, ca.life, "TIME",                               \
			"how long it is good (default: as the hub is configured)"),                \
		 .min = SN_NS_PER_S, .max = 825 * 86400 * (uint64_t)SN_NS_PER_S},                  \
		JSON, CONNECTION

static const struct sn_opt issue_options[] = {
	{SN_OPT("dns", 0, SN_OPT_TEXTS, ca.dns, "HOST", "further host name (repeatable)"),
	 .group = "Names"},
	{SN_OPT("ip", 0, SN_OPT_TEXTS, ca.ip, "ADDRESS",
		"address of a peer that listens (repeatable)")},
	{SN_OPT("uri", 0, SN_OPT_TEXTS, ca.uri, "URI", "further URI (repeatable)")},
	KEY_OPTIONS,
};

static const struct sn_opt renew_options[] = {KEY_OPTIONS};

static const struct sn_opt list_options[] = {
	{SN_OPT("kind", 'k', SN_OPT_TEXT, ca.kind, "KIND",
		"only component, client, supervisor, node or user")},
	{SN_OPT("state", 's', SN_OPT_TEXT, ca.state, "STATE",
		"valid (default), revoked, expired or all")},
	{SN_OPT("identity", 'i', SN_OPT_TEXT, ca.identity, "IDENTITY", "only of this identity")},
	JSON,
	CONNECTION,
};

static const struct sn_opt show_options[] = {
	{SN_OPT("pem", 0, SN_OPT_FLAG, ca.pem, NULL, "print the certificate itself")},
	JSON,
	CONNECTION,
};

static const struct sn_opt revoke_options[] = {
	{SN_OPT("reason", 0, SN_OPT_TEXT, ca.reason, "TEXT", "why, for people")},
	{SN_OPT("dry-run", 0, SN_OPT_FLAG, ca.dry_run, NULL, "only say which they would be")},
	JSON,
	CONNECTION,
};

static const struct sn_opt crl_options[] = {
	{SN_OPT("der", 0, SN_OPT_FLAG, ca.der, NULL, "binary instead of PEM")},
	{SN_OPT("output", 'o', SN_OPT_TEXT, ca.output, "FILE", "write it there")},
	CONNECTION,
};

static const struct sn_opt cert_options[] = {
	{SN_OPT("output", 'o', SN_OPT_TEXT, ca.output, "FILE", "write it there")},
	CONNECTION,
};

#define VERB(path_, arguments_, help_, examples_, options_, run_)                                  \
	.path = (path_), .arguments = (arguments_), .help = (help_), .examples = (examples_),      \
	.options = (options_), .option_count = SN_COUNT(options_),                                 \
	.options_size = sizeof(struct options), .run = (run_)

static const struct sn_verb verbs[] = {
	{VERB("ca issue", "KIND ORGANISATION NAME",
	      "Make a key here and have the hub certify it for a component, client or supervisor.",
	      "sonde ca issue component SSB probe1 --ip 192.0.2.7 -o probe1\n"
	      "sonde ca issue client SSB alice --csr alice.csr",
	      issue_options, sn_ca_run_issue),
	 .min_args = 3, .max_args = 3},
	{VERB("ca list", "", "Show certificates: whose, and until when.",
	      "sonde ca list\nsonde ca list --kind component --state all", list_options, run_list)},
	{VERB("ca show", "SERIAL|IDENTITY", "Show one certificate.",
	      "sonde ca show org.mplane.SSB.Components.probe1\n"
	      "sonde ca show org.mplane.SSB.Components.probe1 --pem",
	      show_options, run_show),
	 .min_args = 1, .max_args = 1},
	{VERB("ca renew", "SERIAL|IDENTITY",
	      "Make a new key for the names of a certificate; the old one stays good till its end.",
	      "sonde ca renew org.mplane.SSB.Components.probe1 -o new\n"
	      "sonde ca renew org.mplane.SSB.Clients.alice --csr alice.csr --force",
	      renew_options, sn_ca_run_renew),
	 .min_args = 1, .max_args = 1},
	{VERB("ca revoke", "SERIAL|IDENTITY...",
	      "Shut out a certificate, or all of an identity, at once and for ever.",
	      "sonde ca revoke org.mplane.SSB.Components.probe1 --reason 'key was copied'\n"
	      "sonde ca revoke --dry-run org.mplane.SSB.Clients.alice",
	      revoke_options, run_revoke),
	 .min_args = 1, .max_args = -1},
	{VERB("ca crl", "", "Print the CA's revocation list.",
	      "sonde ca crl | openssl crl -noout -text\nsonde ca crl --der -o sonde.crl",
	      crl_options, run_crl)},
	{VERB("ca cert", "", "Print the CA's certificate; its fingerprint goes to standard error.",
	      "sonde ca cert -o ca.crt\nsonde ca cert | openssl x509 -noout -text", cert_options,
	      run_cert)},
};
const struct sn_cli_verbs sn_cli_ca_verbs = {verbs, SN_COUNT(verbs)};
