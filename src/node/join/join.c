/* SPDX-License-Identifier: Apache-2.0 */
#include "node/join/join.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "node/agent/uplink.h"
#include "node/join/identity.h"

#define ANSWER_MAX   65536
#define TIMEOUT_NS   (30 * SN_NS_PER_S)
#define DIR_MODE     0711 /* the way to the logs of meters; secrets have modes of their own */
#define URL_TEXT_MAX 512
#define SECRET_BYTES 16
#define DIGEST_BYTES 32

/* One join while it runs. */
struct joining {
	const struct sn_join *join;
	struct sn_join_token token;
	char url[URL_TEXT_MAX]; /* without a slash at the end */
	struct sn_buf key_pem, csr_pem;
	struct sn_loop *loop;

	/* The last answer. */
	struct sn_buf body;
	int error;
	char code[SN_PROBLEM_CODE_MAX];
	struct sn_err reason;
};

int sn_join_token_parse(const char *text, struct sn_join_token *token, struct sn_err *err)
{
	struct sn_str rest = sn_str(text), secret;
	uint8_t bytes[DIGEST_BYTES];

	if (!sn_str_split(&rest, '.', &secret) || sn_unhex(secret, bytes, SECRET_BYTES) != 0 ||
	    rest.p == NULL || sn_unhex(rest, bytes, DIGEST_BYTES) != 0)
		return sn_err_set(err, -EINVAL,
				  "cannot use token '%.20s...': it is not 32 hex digits, a dot and "
				  "64 hex digits (copy it whole from 'sonde node invite')",
				  text);
	memcpy(token->secret, secret.p, secret.n);
	token->secret[secret.n] = '\0';
	sn_hex(bytes, sizeof(bytes), token->fingerprint); /* lower case, as pki writes it */
	return 0;
}

char *sn_join_default_state_dir(void)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		return sn_xstrdup("/var/lib/sonde/node");
	if (base != NULL && base[0] == '/')
		return sn_xasprintf("%s/sonde/node", base);
	return sn_xasprintf("%s/.local/state/sonde/node", home != NULL ? home : "");
}

static int take_url(struct joining *joining, struct sn_err *err)
{
	const char *url = joining->join->url;
	size_t n = strlen(url);

	while (n > 0 && url[n - 1] == '/')
		n--;
	if (strncmp(url, "https://", 8) != 0 || n <= 8)
		return sn_err_set(
			err, -EINVAL,
			"cannot join '%s': not an https URL (like https://hub.example:8443)", url);
	if (n >= sizeof(joining->url))
		return sn_err_set(err, -ENAMETOOLONG, "cannot join '%.40s...': URL too long", url);
	snprintf(joining->url, sizeof(joining->url), "%.*s", (int)n, url);
	return 0;
}

/* Asking ------------------------------------------------------------------------- */

static void answered(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct joining *joining = ctx;

	sn_buf_clear(&joining->body);
	joining->error = sn_uplink_check(answer, joining->code, &joining->reason);
	if (answer->error == 0 && answer->body.n <= ANSWER_MAX)
		sn_buf_add(&joining->body, answer->body.p, answer->body.n);
	sn_loop_stop(joining->loop, 0);
}

static int ask(struct joining *joining, const struct sn_http_client_config *config,
	       const char *method, const char *path, const struct sn_buf *body)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct sn_http_client *client = sn_http_client_create(joining->loop, config);
	sn_autofree char *url = sn_xasprintf("%s%s", joining->url, path);
	struct sn_http_fetch_spec spec = {
		.method = method,
		.url = url,
		.headers = body != NULL ? headers : NULL,
		.body = body != NULL ? body->p : NULL,
		.body_size = body != NULL ? body->n : 0,
		.timeout_ns = TIMEOUT_NS,
		.on_done = answered,
		.ctx = joining,
	};

	joining->code[0] = '\0';
	if (sn_http_fetch(client, &spec) != NULL)
		sn_loop_run(joining->loop);
	else
		joining->error = sn_err_set(&joining->reason, -EINVAL, "the URL cannot be used");
	sn_http_client_destroy(client);
	return joining->error;
}

/* What to do about it, where the hub's words are not for this side. */
static int refused(const struct joining *joining, struct sn_err *err)
{
	static const struct {
		const char *code, *text;
	} texts[] = {
		{"token-invalid", "the hub does not know this token (copy it whole, or make a new "
				  "one there with 'sonde node invite')"},
		{"token-expired",
		 "the token has expired (make a new one there with 'sonde node invite')"},
		{"token-used", "the token was used already (make a new one there with 'sonde node "
			       "invite')"},
	};

	for (size_t i = 0; i < SN_COUNT(texts); i++) {
		if (strcmp(joining->code, texts[i].code) == 0)
			return sn_err_set(err, -EACCES, "cannot join '%s': %s", joining->url,
					  texts[i].text);
	}
	return sn_err_set(err, joining->error, "cannot join '%s': %s", joining->url,
			  joining->reason.text);
}

static int fetch_ca(struct joining *joining, struct sn_err *err)
{
	struct sn_http_client_config config = {.insecure = true};
	struct sn_pki_info info;

	if (ask(joining, &config, "GET", "/api/v1/ca", NULL) != 0)
		return refused(joining, err);
	if (sn_pki_info(sn_buf_cstr(&joining->body), &info, NULL) != 0)
		return sn_err_set(err, -EBADMSG,
				  "cannot join '%s': what answers there is no hub (check the URL)",
				  joining->url);
	if (strcmp(info.fingerprint, joining->token.fingerprint) != 0)
		return sn_err_set(
			err, -EKEYREJECTED,
			"cannot join '%s': its CA has the fingerprint %.16s..., the token "
			"is for %.16s... (the token is from another hub, or somebody sits "
			"in between)",
			joining->url, info.fingerprint, joining->token.fingerprint);
	return sn_node_identity_write_ca(joining->join->state_dir, sn_buf_cstr(&joining->body),
					 err);
}

static int enrol(struct joining *joining, struct sn_err *err)
{
	sn_autofree char *ca_file = sn_fs_join(joining->join->state_dir, "ca.pem");
	struct sn_http_client_config config = {.ca_file = ca_file};
	struct sn_buf body = {0};
	struct sn_jw jw;
	int error;

	sn_jw_init(&jw, &body);
	sn_jw_object(&jw);
	/* As the hub gave it out: it keeps a hash of exactly this. */
	sn_jw_kcstr(&jw, "token", joining->join->token);
	sn_jw_kcstr(&jw, "name", joining->join->name);
	sn_jw_kcstr(&jw, "csr_pem", sn_buf_cstr(&joining->csr_pem));
	sn_jw_object_end(&jw);
	error = ask(joining, &config, "POST", "/api/v1/enrol", &body);
	sn_buf_finish(&body);
	return error != 0 ? refused(joining, err) : 0;
}

/* Key and request ------------------------------------------------------------------ */

static bool recall(struct joining *joining, const char *path)
{
	sn_autojson json_t *json = NULL;
	struct sn_buf text = {0};
	const char *token, *key, *csr;
	bool same;

	if (sn_fs_read(path, ANSWER_MAX, &text, NULL) != 0)
		return false;
	json = sn_json_parse(text.p, text.n, NULL);
	same = json != NULL && sn_json_get_str(json, "token", &token, NULL) == 0 &&
	       sn_json_get_str(json, "key_pem", &key, NULL) == 0 &&
	       sn_json_get_str(json, "csr_pem", &csr, NULL) == 0 &&
	       strcmp(token, joining->join->token) == 0;
	if (same) {
		sn_buf_adds(&joining->key_pem, key);
		sn_buf_adds(&joining->csr_pem, csr);
	}
	memset(text.p, 0, text.n);
	sn_buf_finish(&text);
	return same;
}

static int remember(const struct joining *joining, const char *path, struct sn_err *err)
{
	struct sn_buf text = {0}, key = joining->key_pem, csr = joining->csr_pem;
	struct sn_jw jw;
	int error;

	sn_jw_init(&jw, &text);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "token", joining->join->token);
	sn_jw_key(&jw, "key_pem");
	sn_jw_str(&jw, sn_buf_str(&key));
	sn_jw_key(&jw, "csr_pem");
	sn_jw_str(&jw, sn_buf_str(&csr));
	sn_jw_object_end(&jw);
	error = sn_fs_write_atomic(path, text.p, text.n, 0600, err);
	memset(text.p, 0, text.n);
	sn_buf_finish(&text);
	return error;
}

static int make_request(struct joining *joining, const char *path, struct sn_err *err)
{
	int error;

	if (recall(joining, path))
		return 0;
	error = sn_pki_key_generate(&joining->key_pem, err);
	if (error == 0)
		error = sn_pki_csr_create(sn_buf_cstr(&joining->key_pem), joining->join->name,
					  &joining->csr_pem, err);
	/* Before the token is spent: a disk that is full shows itself now. */
	return error == 0 ? remember(joining, path, err) : error;
}

static int keep(struct joining *joining, char node[SN_JOIN_NODE_MAX], struct sn_err *err)
{
	const char *dir = joining->join->state_dir, *id, *certificate, *ca;
	sn_autojson json_t *json = sn_json_parse(joining->body.p, joining->body.n, err);
	int error = json == NULL ? -EBADMSG : sn_json_get_str(json, "node", &id, err);

	if (error == 0)
		error = sn_json_get_str(json, "certificate_pem", &certificate, err);
	if (error == 0)
		error = sn_json_get_str(json, "ca_pem", &ca, err);
	if (error != 0)
		return sn_err_wrap(err, "cannot join '%s': the answer is no good", joining->url);

	snprintf(node, SN_JOIN_NODE_MAX, "%s", id);
	error = sn_node_identity_write_pem(dir, id, certificate, sn_buf_cstr(&joining->key_pem),
					   err);
	if (error == 0)
		error = sn_node_identity_write_ca(dir, ca, err);
	/* Last: without it there is no identity, and the join can be repeated. */
	if (error == 0)
		error = sn_node_identity_write_node(dir, id, joining->join->name, joining->url,
						    err);
	return error;
}

static int run(struct joining *joining, char node[SN_JOIN_NODE_MAX], struct sn_err *err)
{
	const char *dir = joining->join->state_dir;
	sn_autofree char *path = sn_fs_join(dir, "joining.json");
	sn_autofree char *node_file = sn_fs_join(dir, "node.json");
	int error;

	if (sn_fs_exists(node_file))
		return sn_err_set(err, -EALREADY,
				  "cannot join '%s': '%s' has an identity already (use another "
				  "--state, or remove it to leave that hub)",
				  joining->url, dir);
	error = sn_fs_mkdirs(dir, DIR_MODE, err);
	if (error == 0)
		error = fetch_ca(joining, err);
	if (error == 0)
		error = make_request(joining, path, err);
	if (error == 0)
		error = enrol(joining, err);
	if (error == 0)
		error = keep(joining, node, err);
	if (error == 0)
		unlink(path);
	return error;
}

int sn_join_run(const struct sn_join *join, char node[SN_JOIN_NODE_MAX], struct sn_err *err)
{
	struct joining joining = {.join = join};
	int error = sn_join_token_parse(join->token, &joining.token, err);

	if (error == 0)
		error = take_url(&joining, err);
	if (error != 0)
		return error;
	joining.loop = sn_loop_create(NULL);
	error = run(&joining, node, err);
	sn_loop_destroy(joining.loop);
	if (joining.key_pem.n > 0)
		memset(joining.key_pem.p, 0, joining.key_pem.n);
	sn_buf_finish(&joining.key_pem);
	sn_buf_finish(&joining.csr_pem);
	sn_buf_finish(&joining.body);
	return error;
}
