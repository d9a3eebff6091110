/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in and out, and what a person may do about their own proofs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/password.h"
#include "hub/sql.h"

#define FAILURES_PER_ADDRESS 5
#define FAILURES_PER_USER    20 /* higher: others must not be able to shut somebody out easily */

/* Sessions ---------------------------------------------------------------------- */

static int start_session(struct sn_hub *hub, struct sn_http_request *request, const char *user,
			 struct sn_err *err)
{
	char secret[SN_SECRET_SIZE], cookie[SN_SECRET_SIZE + 160];

	if (sn_people_start_session(hub->people, user, sn_hub_now(hub), hub->config->session_life,
				    secret, err) != 0)
		return err->code;
	snprintf(cookie, sizeof(cookie), "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s",
		 hub->session_cookie, secret, (long long)(hub->config->session_life / SN_NS_PER_S),
		 sn_http_is_tls(request) ? "; Secure" : "");
	sn_http_set_header(request, "Set-Cookie", cookie);
	sn_http_set_header(request, "Cache-Control", "no-store");
	sn_hub_audit(hub, user, "session.start", user, NULL);
	return 0;
}

static void drop_cookie(const struct sn_hub *hub, struct sn_http_request *request)
{
	char cookie[SN_COOKIE_SIZE + 64];

	snprintf(cookie, sizeof(cookie), "%s=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
		 hub->session_cookie);
	sn_http_set_header(request, "Set-Cookie", cookie);
}

/* One-time links ------------------------------------------------------------------ */

static void reply_no_login(struct sn_http_request *request, const char *reason)
{
	sn_autofree char *page = sn_xasprintf(
		"<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Sonde: no "
		"login</title>\n<h1>This link does not log you in</h1>\n<p>%s.</p>\n<p>Get a new "
		"one "
		"on the hub's machine with <code>sonde user login-link</code>, or log in with your "
		"password "
		"on <a href=\"/\">the first page</a>.</p>\n</html>\n",
		reason);

	sn_http_set_header(request, "Cache-Control", "no-store");
	sn_http_reply(request, 403, "text/html; charset=utf-8", page, strlen(page));
}

static void get_login(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *token = sn_http_query(request, "token");
	char user[SN_USER_NAME_MAX];
	struct sn_err err = {0};
	int failed;

	if (strcmp(sn_http_method(request), "GET") != 0) { /* looking at a link must not use it */
		sn_http_reply(request, 200, "text/html; charset=utf-8", "", 0);
		return;
	}
	failed = sn_people_use_link(hub->people, token != NULL ? token : "", sn_hub_now(hub), user,
				    &err);
	if (failed == -ENOENT || failed == -EALREADY || failed == -ETIME) {
		reply_no_login(request, err.text);
	} else if (failed != 0 || start_session(hub, request, user, &err) != 0) {
		sn_api_trouble(request, &err);
	} else {
		sn_http_set_header(request, "Location", "/");
		sn_http_reply(request, 303, NULL, NULL, 0);
	}
}

/* Back to where the request came from: that address is known to work. */
static void link_base(const struct sn_hub *hub, const struct sn_http_request *request, char *out,
		      size_t size)
{
	const char *host = sn_http_header(request, "Host");

	if (host != NULL && host[0] != '\0' && strlen(host) < 256 &&
	    strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]") ==
		    strlen(host))
		snprintf(out, size, "%s://%s", sn_http_is_tls(request) ? "https" : "http", host);
	else
		sn_hub_local_url(hub, out, size);
}

/* A link is a way in: for others it is an administrator's to make. */
static bool may_link(struct sn_http_request *request, const char *user)
{
	const struct sn_who *who = sn_guard_who(request);
	struct sn_policy_verdict verdict = {0};

	if (strcmp(user, who->user) == 0 ||
	    sn_guard_permits(who, SN_MAY_ADMIN, "login-link", &verdict))
		return true;
	sn_http_problem(request, 403, "forbidden", "Not for others", "%s", verdict.reason);
	return false;
}

static void post_login_link(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const char *user = json_string_value(json_object_get(body, "user"));
	char token[SN_SECRET_SIZE], base[300], url[512];
	int64_t expires_ns = sn_hub_now(hub) + hub->config->login_link_life;
	struct sn_err err = {0};
	int failed;

	if (body == NULL)
		return;
	if (user == NULL)
		user = sn_guard_who(request)->user;
	if (!may_link(request, user))
		return;
	failed = sn_people_make_link(hub->people, user, sn_hub_now(hub),
				     hub->config->login_link_life, token, &err);
	if (failed == -ENOENT) {
		sn_api_bad(request, err.text);
		return;
	}
	if (failed != 0) {
		sn_api_trouble(request, &err);
		return;
	}
	link_base(hub, request, base, sizeof(base));
	snprintf(url, sizeof(url), "%s/login?token=%s", base, token);
	sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "login-link.add", user, NULL);
	sn_http_reply_json(
		request, 201,
		json_pack("{s:s, s:o}", "url", url, "expires", sn_json_time(expires_ns)));
}

/* Passwords ------------------------------------------------------------------------ */

/* One check or change of a password, on a worker thread. */
struct password_job {
	struct sn_work work;
	struct sn_hub *hub;
	struct sn_http_request *request; /* NULL once the client has gone away */
	char user[SN_USER_NAME_MAX];
	char *password; /* to check; NULL: nothing has to be checked */
	char *stored;   /* what to check it against; NULL: there is none */
	char *wanted;   /* to become the password; NULL: none */
	bool good;
	int failed;
	char hash[SN_PASSWORD_HASH_SIZE];
};

static void job_destroy(struct password_job *job)
{
	if (job->password != NULL)
		explicit_bzero(job->password, strlen(job->password));
	if (job->wanted != NULL)
		explicit_bzero(job->wanted, strlen(job->wanted));
	free(job->password);
	free(job->stored);
	free(job->wanted);
	free(job);
}

static void job_run(struct sn_work *work)
{
	struct password_job *job = sn_container_of(work, struct password_job, work);

	job->good = job->password == NULL || sn_password_matches(job->password, job->stored);
	if (job->good && job->wanted != NULL)
		job->failed = sn_password_hash(job->wanted, job->hash);
}

static void client_gone(struct sn_http_request *request, void *ctx)
{
	struct password_job *job = ctx;

	(void)request;
	job->request = NULL;
}

static void job_start(struct password_job *job, sn_work_fn *done)
{
	if (sn_work_start(job->hub->passwords, &job->work, job_run, done) == 0) {
		sn_http_on_abandon(job->request, client_gone, job);
		return;
	}
	sn_http_set_header(job->request, "Retry-After", "2");
	sn_http_problem(job->request, 503, "busy", "Too many logins at once",
			"try again in a moment");
	job_destroy(job);
}

/* "a:192.0.2.1"; of IPv6 the /64, because one host has as many addresses as it likes. */
static void address_key(const struct sn_http_request *request, char *out, size_t size)
{
	struct sn_addr addr = *sn_http_peer_addr(request);
	char text[SN_ADDR_TEXT_MAX];

	if (addr.sa.sa_family == AF_INET6)
		memset(&addr.in6.sin6_addr.s6_addr[8], 0, 8);
	snprintf(out, size, "a:%s", sn_addr_format(&addr, text, sizeof(text)));
}

static bool too_many_failures(struct sn_hub *hub, struct sn_http_request *request, const char *user)
{
	uint64_t now_ns = sn_loop_now(hub->loop);
	char address[SN_THROTTLE_KEY_MAX], name[SN_THROTTLE_KEY_MAX];

	address_key(request, address, sizeof(address));
	snprintf(name, sizeof(name), "u:%s", user);
	if (sn_throttle_count(hub->logins, address, now_ns) >= FAILURES_PER_ADDRESS ||
	    sn_throttle_count(hub->logins, name, now_ns) >= FAILURES_PER_USER) {
		sn_http_set_header(request, "Retry-After", "60");
		sn_http_problem(request, 429, "too-many-failures", "Too many wrong passwords",
				"wait a minute, or use a login link");
		return true;
	}
	/* Counted before the answer is known, so that many at once are many. */
	sn_throttle_fail(hub->logins, address, now_ns);
	sn_throttle_fail(hub->logins, name, now_ns);
	return false;
}

static void forget_failures(struct sn_hub *hub, const struct sn_http_request *request,
			    const char *user)
{
	char key[SN_THROTTLE_KEY_MAX];

	address_key(request, key, sizeof(key));
	sn_throttle_forget(hub->logins, key);
	snprintf(key, sizeof(key), "u:%s", user);
	sn_throttle_forget(hub->logins, key);
}

static void login_done(struct sn_work *work)
{
	struct password_job *job = sn_container_of(work, struct password_job, work);
	struct sn_err err = {0};

	if (job->request != NULL && !job->good) {
		sn_http_problem(
			job->request, 401, "wrong-password", "Wrong user or password",
			"try again, or use a login link ('sonde user login-link' on the hub's "
			"machine)");
	} else if (job->request != NULL) {
		forget_failures(job->hub, job->request, job->user);
		if (start_session(job->hub, job->request, job->user, &err) != 0)
			sn_api_trouble(job->request, &err);
		else
			sn_http_reply_json(job->request, 200,
					   json_pack("{s:s}", "user", job->user));
	}
	job_destroy(job);
}

static void post_session(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *type = sn_http_header(request, "Content-Type");
	sn_autojson json_t *body = NULL;
	struct password_job *job;
	const char *user;

	/* A form of a foreign page cannot send this type: it cannot log anybody in as itself. */
	if (type == NULL || strncasecmp(type, "application/json", 16) != 0) {
		sn_http_problem(request, 415, "not-json", "The body is not declared as JSON",
				"send the header 'Content-Type: application/json'");
		return;
	}
	body = sn_api_body(request);
	if (body == NULL)
		return;
	user = json_string_value(json_object_get(body, "user"));
	if (too_many_failures(hub, request, user))
		return;
	job = sn_new(struct password_job);
	job->hub = hub;
	job->request = request;
	snprintf(job->user, sizeof(job->user), "%s", user);
	job->password = sn_xstrndup(json_string_value(json_object_get(body, "password")),
				    SN_PASSWORD_MAX + 1);
	job->stored = sn_people_password(hub->people, job->user);
	job_start(job, login_done);
}

static int store_password(struct password_job *job, struct sn_err *err)
{
	const struct sn_who *who = sn_guard_who(job->request);
	const uint8_t *keep = who->means == SN_BY_SESSION ? who->hash : NULL;

	if (job->failed != 0)
		return sn_err_sys(err, job->failed, "cannot hash the password");
	if (sn_people_set_password(job->hub->people, job->user, job->hash, err) != 0)
		return err->code;
	return sn_people_end_sessions(job->hub->people, job->user, keep, err);
}

static void change_done(struct sn_work *work)
{
	struct password_job *job = sn_container_of(work, struct password_job, work);
	struct sn_err err = {0};

	if (job->request != NULL && !job->good) {
		sn_http_problem(job->request, 403, "wrong-password", "The old password is wrong",
				"give the present password as 'old', or set it on the hub's "
				"machine");
	} else if (job->request != NULL && store_password(job, &err) != 0) {
		sn_api_trouble(job->request, &err);
	} else if (job->request != NULL) {
		sn_hub_audit(job->hub, job->user, "password.set", job->user, NULL);
		sn_api_empty(job->request);
	}
	job_destroy(job);
}

static void put_password(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_who *who = sn_guard_who(request);
	sn_autojson json_t *body = sn_api_body(request);
	const char *wanted = json_string_value(json_object_get(body, "password"));
	const char *old = json_string_value(json_object_get(body, "old"));
	struct password_job *job;

	if (body == NULL)
		return;
	if (strlen(wanted) < SN_PASSWORD_MIN || strlen(wanted) > SN_PASSWORD_MAX) {
		sn_api_bad(request, "password: not 8 to 256 bytes long");
		return;
	}
	job = sn_new(struct password_job);
	job->hub = hub;
	job->request = request;
	snprintf(job->user, sizeof(job->user), "%s", who->user);
	job->wanted = sn_xstrdup(wanted);
	job->stored = sn_people_password(hub->people, who->user);
	/* Who can read the hub's state directory can set a forgotten password. */
	if (job->stored != NULL && who->means != SN_BY_LOCAL_TOKEN)
		job->password = sn_xstrndup(old != NULL ? old : "", SN_PASSWORD_MAX + 1);
	job_start(job, change_done);
}

/* The session that asks -------------------------------------------------------------- */

static void get_session(struct sn_http_request *request, void *ctx)
{
	const struct sn_who *who = sn_guard_who(request);
	static const char *const means[] = {
		[SN_BY_NOTHING] = "nothing", [SN_BY_CERTIFICATE] = "certificate",
		[SN_BY_TOKEN] = "token",     [SN_BY_LOCAL_TOKEN] = "local-token",
		[SN_BY_SESSION] = "session",
	};
	struct sn_hub *hub = ctx;
	sn_autofree char *stored = sn_people_password(hub->people, who->user);
	bool may_admin = sn_guard_would_permit(who, SN_MAY_ADMIN);

	sn_http_set_header(request, "Cache-Control", "no-store");
	sn_http_reply_json(request, 200,
			   json_pack("{s:s, s:s, s:s, s:b, s:o, s:b}", "user", who->user, "role",
				     sn_role_name(who->role), "by", means[who->means], "admin",
				     may_admin, "expires", sn_json_time(who->expires_ns),
				     "password", stored != NULL));
}

static void delete_session(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_who *who = sn_guard_who(request);
	struct sn_err err = {0};

	if (who->means == SN_BY_SESSION &&
	    sn_people_end_session(hub->people, who->hash, &err) != 0) {
		sn_api_trouble(request, &err);
		return;
	}
	drop_cookie(hub, request);
	sn_api_empty(request);
}

static void post_certificate(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_who *who = sn_guard_who(request);
	sn_autojson json_t *body = sn_api_body(request);
	char uri[SN_PKI_NAME_MAX];
	struct sn_pki_info info;
	struct sn_buf cert = {0};
	struct sn_err err = {0};
	int failed;

	if (body == NULL)
		return;
	snprintf(uri, sizeof(uri), SN_URI_USER "%s", who->user);
	failed = sn_identity_issue(
		hub->identity, uri, who->user, json_string_value(json_object_get(body, "csr_pem")),
		sn_hub_now(hub), hub->config->user_certificate_life, &cert, &info, &err);
	if (failed == -EINVAL) {
		sn_api_bad(request, err.text);
	} else if (failed != 0) {
		sn_api_trouble(request, &err);
	} else {
		sn_hub_audit(hub, who->user, "certificate.add", info.serial, NULL);
		sn_http_reply_json(request, 201,
				   json_pack("{s:s, s:s, s:s, s:o}", "serial", info.serial,
					     "certificate_pem", sn_buf_cstr(&cert), "ca_pem",
					     sn_identity_ca_pem(hub->identity), "expires",
					     sn_json_time(info.not_after_unix_s * SN_NS_PER_S)));
	}
	sn_buf_finish(&cert);
}

/* Declarations ------------------------------------------------------------------- */

static const struct sn_api_field login_fields[] = {
	{"user", SN_API_TEXT, true, false, "who"},
	{"password", SN_API_TEXT, true, false, "their password"},
};
static const struct sn_api_schema login_schema = {"Login", "A name and a password.", login_fields,
						  SN_COUNT(login_fields)};
static const struct sn_api_field user_fields[] = {
	{"user", SN_API_TEXT, true, false, "who is logged in now"},
};
static const struct sn_api_schema user_schema = {"LoggedIn", "Who is logged in now.", user_fields,
						 SN_COUNT(user_fields)};
static const struct sn_api_field session_fields[] = {
	{"user", SN_API_TEXT, true, false, "whom this request acts for"},
	{"role", SN_API_TEXT, true, false, "viewer, operator or admin; of a token, if it is lower"},
	{"admin", SN_API_BOOL, true, false, "may they change users, nodes and certificates"},
	{"by", SN_API_TEXT, true, false, "session, token, local-token or certificate"},
	{"expires", SN_API_TIME, true, true, "when this proof runs out"},
	{"password", SN_API_BOOL, true, false, "has the user set one"},
};
static const struct sn_api_schema session_schema = {"Session", "Who is asking, and by which proof.",
						    session_fields, SN_COUNT(session_fields)};
static const struct sn_api_field password_fields[] = {
	{"password", SN_API_TEXT, true, false, "the new one, 8 to 256 bytes"},
	{"old", SN_API_TEXT, false, true, "the present one, if there is one"},
};
static const struct sn_api_schema password_schema = {"PasswordChange", "A new password.",
						     password_fields, SN_COUNT(password_fields)};
static const struct sn_api_field link_wanted_fields[] = {
	{"user", SN_API_TEXT, false, false, "for whom; default: who asks"},
};
static const struct sn_api_schema link_wanted = {"LoginLinkRequest", "For whom a link is wanted.",
						 link_wanted_fields, SN_COUNT(link_wanted_fields)};
static const struct sn_api_field link_fields[] = {
	{"url", SN_API_TEXT, true, false, "logs in once"},
	{"expires", SN_API_TIME, true, false, "no good after that"},
};
static const struct sn_api_schema link_schema = {"LoginLink", "A link that logs in once.",
						 link_fields, SN_COUNT(link_fields)};
static const struct sn_api_field csr_fields[] = {
	{"csr_pem", SN_API_TEXT, true, false, "certificate signing request (PKCS#10)"},
};
static const struct sn_api_schema csr_schema = {"CertificateRequest", "A key to be certified.",
						csr_fields, SN_COUNT(csr_fields)};
static const struct sn_api_field cert_fields[] = {
	{"serial", SN_API_TEXT, true, false, "hex; for revoking it"},
	{"certificate_pem", SN_API_TEXT, true, false, "for urn:sonde:user:<name>"},
	{"ca_pem", SN_API_TEXT, true, false, "the CA that signed it"},
	{"expires", SN_API_TIME, true, false, "when it runs out"},
};
static const struct sn_api_schema cert_schema = {"UserCertificate", "A person's certificate.",
						 cert_fields, SN_COUNT(cert_fields)};

static const struct sn_api_param login_params[] = {
	{"token", SN_API_TEXT, "the secret of the link", false},
};

static const struct sn_api_doc login_doc = {
	.id = "loginByLink",
	.tag = "session",
	.summary = "use a one-time link: starts a session and goes to /",
	.params = login_params,
	.param_count = SN_COUNT(login_params),
	.status = 303,
	.kind = SN_ANSWER_EMPTY,
};
static const struct sn_api_doc post_doc = {
	.id = "login",
	.tag = "session",
	.summary = "log in with a password; 429 after five failures in a minute",
	.body = &login_schema,
	.answer = &user_schema,
};
static const struct sn_api_doc get_doc = {
	.id = "getSession",
	.tag = "session",
	.summary = "who is asking",
	.answer = &session_schema,
};
static const struct sn_api_doc delete_doc = {
	.id = "logout",
	.tag = "session",
	.summary = "end the session",
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};
static const struct sn_api_doc password_doc = {
	.id = "setPassword",
	.tag = "session",
	.summary = "set one's password; other sessions end",
	.body = &password_schema,
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};
static const struct sn_api_doc certificate_doc = {
	.id = "makeUserCertificate",
	.tag = "session",
	.summary = "a client certificate for who asks",
	.body = &csr_schema,
	.status = 201,
	.answer = &cert_schema,
};
static const struct sn_api_doc link_doc = {
	.id = "makeLoginLink",
	.tag = "session",
	.summary = "a link that logs in once",
	.body = &link_wanted,
	.status = 201,
	.answer = &link_schema,
};

static const struct sn_http_route routes[] = {
	{"GET", "/login", get_login, 0, SN_ACCESS_OPEN, &login_doc},
	{"POST", "/api/v1/session", post_session, 4096, SN_ACCESS_OPEN, &post_doc},
	{"GET", "/api/v1/session", get_session, 0, SN_ACCESS_USER, &get_doc},
	{"DELETE", "/api/v1/session", delete_session, 0, SN_ACCESS_USER, &delete_doc},
	{"PUT", "/api/v1/session/password", put_password, 4096, SN_ACCESS_SELF, &password_doc},
	{"POST", "/api/v1/session/certificate", post_certificate, 16384, SN_ACCESS_SELF,
	 &certificate_doc},
	{"POST", "/api/v1/login-links", post_login_link, 1024, SN_ACCESS_SELF, &link_doc},
};
const struct sn_api_routes sn_api_session = {routes, SN_COUNT(routes)};
