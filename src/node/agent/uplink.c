/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "uplink"
#include "node/agent/uplink.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define PROBLEM_BODY_MAX 65536

struct sn_uplink {
	struct sn_http_client *client;
	char **urls;
	unsigned url_count, current;
	bool revoked;
};

struct sn_uplink *sn_uplink_create(const struct sn_uplink_config *config)
{
	struct sn_uplink *uplink = sn_new(struct sn_uplink);
	struct sn_http_client_config client = {
		.ca_file = config->ca_file,
		.cert_file = config->identity_file,
		.key_file = config->identity_file,
		.user_agent = "sonde-node/" SONDE_VERSION,
	};

	assert(config->url_count > 0);
	uplink->client = sn_http_client_create(config->loop, &client);
	uplink->urls = sn_new_n(char *, config->url_count);
	uplink->url_count = config->url_count;
	for (unsigned i = 0; i < config->url_count; i++)
		uplink->urls[i] = sn_xstrdup(config->urls[i]);
	return uplink;
}

void sn_uplink_destroy(struct sn_uplink *uplink)
{
	if (uplink == NULL)
		return;
	sn_http_client_destroy(uplink->client);
	for (unsigned i = 0; i < uplink->url_count; i++)
		free(uplink->urls[i]);
	free(uplink->urls);
	free(uplink);
}

const char *sn_uplink_url(const struct sn_uplink *uplink)
{
	return uplink->urls[uplink->current];
}

struct sn_http_fetch *sn_uplink_fetch(struct sn_uplink *uplink,
				      const struct sn_http_fetch_spec *spec)
{
	sn_autofree char *url = sn_xasprintf("%s%s", sn_uplink_url(uplink), spec->url);
	struct sn_http_fetch_spec absolute = *spec;

	absolute.url = url;
	return sn_http_fetch(uplink->client, &absolute);
}

void sn_uplink_renewed(struct sn_uplink *uplink)
{
	sn_http_client_reset(uplink->client);
}

bool sn_uplink_revoked(const struct sn_uplink *uplink)
{
	return uplink->revoked;
}

/* RFC 9457: "code" and "detail" of a problem; whatever else came is no help. */
static void read_problem(struct sn_str body, char code[SN_PROBLEM_CODE_MAX], struct sn_buf *detail)
{
	sn_autojson json_t *json =
		body.n <= PROBLEM_BODY_MAX ? sn_json_parse(body.p, body.n, NULL) : NULL;
	const char *text;

	if (json == NULL)
		return;
	if (sn_json_get_str(json, "code", &text, NULL) == 0)
		snprintf(code, SN_PROBLEM_CODE_MAX, "%s", text);
	if (sn_json_get_str(json, "detail", &text, NULL) == 0)
		sn_buf_adds(detail, text);
}

static int status_error(unsigned status)
{
	switch (status) {
	case 401:
	case 403:
		return -EACCES;
	case 404:
	case 405:
		return -ENOENT;
	case 429:
	case 503:
		return -EBUSY;
	default:
		return status >= 500 ? -EREMOTEIO : -EBADMSG;
	}
}

int sn_uplink_check(const struct sn_http_answer *answer, char code[SN_PROBLEM_CODE_MAX],
		    struct sn_err *err)
{
	struct sn_buf detail = {0};
	int error;

	code[0] = '\0';
	if (answer->error != 0)
		return sn_err_set(err, answer->error, "%s", answer->err.text);
	if ((answer->status >= 200 && answer->status < 300) || answer->status == 304)
		return 0;

	read_problem(answer->body, code, &detail);
	error = sn_err_set(err, status_error(answer->status), "the hub answered %u%s%s%s%s",
			   answer->status, code[0] != '\0' ? " " : "", code,
			   detail.n > 0 ? ": " : "", sn_buf_cstr(&detail));
	sn_buf_finish(&detail);
	return error;
}

static void next_url(struct sn_uplink *uplink)
{
	if (uplink->url_count == 1)
		return;
	uplink->current = (uplink->current + 1) % uplink->url_count;
	sn_info("trying another way to the hub url=%s", sn_uplink_url(uplink));
}

int sn_uplink_judge(struct sn_uplink *uplink, const struct sn_http_answer *answer,
		    char code[SN_PROBLEM_CODE_MAX], struct sn_err *err)
{
	int error = sn_uplink_check(answer, code, err);
	bool revoked = error == -EACCES && strcmp(code, "identity-revoked") == 0;

	if (answer->error != 0 && answer->error != -ECANCELED)
		next_url(uplink);
	if (revoked && !uplink->revoked)
		sn_error("the hub has revoked this node (join again with a new token) url=%s",
			 sn_uplink_url(uplink));
	/* An answer that never came says nothing about it. */
	if (answer->error == 0)
		uplink->revoked = revoked;
	return error;
}
