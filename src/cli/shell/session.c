/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shell/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mplane/match.h"
#include "mplane/offer.h"

#define LABEL_MAX    (SN_MP_TEXT_MAX + 16)
#define NAME_SHOWN   80
#define WHEN_DEFAULT "now"

/* One request ------------------------------------------------------------- */

struct exchange {
	struct sn_shell *shell;
	struct sn_mp_message *answer; /* owned */
	struct sn_err *err;
	int rc;
	bool done;
};

static void take_answer(const struct sn_mp_message *message, const struct sn_err *err, void *ctx)
{
	struct exchange *exchange = ctx;

	exchange->done = true;
	if (message != NULL)
		exchange->answer = sn_mp_message_copy(message);
	else
		exchange->rc = sn_err_set(exchange->err, err->code != 0 ? err->code : -EIO, "%s",
					  err->text);
	sn_loop_stop(exchange->shell->loop, 1);
}

static void connect_to(struct sn_shell *shell)
{
	sn_peer_client_destroy(shell->client);
	shell->config.url = shell->url;
	shell->client = sn_peer_client_create(&shell->config);
}

/* The client keeps to time limits of its own, so this ends; signals stop the loop with 0. */
static int wait_for(struct exchange *exchange)
{
	while (!exchange->done) {
		if (sn_loop_run(exchange->shell->loop) != 0)
			continue;
		connect_to(exchange->shell); /* which cancels what is under way */
		return sn_err_set(exchange->err, -EINTR, "interrupted");
	}
	return exchange->rc;
}

static int exchange_message(struct sn_shell *shell, const struct sn_mp_message *message,
			    const char *link, struct sn_mp_message **answer, struct sn_err *err)
{
	struct exchange exchange = {.shell = shell, .err = err};
	int rc;

	sn_peer_client_send(shell->client, message, link, take_answer, &exchange);
	rc = wait_for(&exchange);
	*answer = exchange.answer;
	return rc;
}

/* The session ------------------------------------------------------------- */

struct sn_shell *sn_shell_create(const struct sn_peer_client_config *config)
{
	struct sn_shell *shell = sn_new(struct sn_shell);

	shell->loop = sn_loop_create(NULL);
	sn_loop_handle_signals(shell->loop);
	shell->registries = sn_mp_registries_create();
	sn_mp_offer_load(shell->registries);
	shell->config = *config;
	shell->config.loop = shell->loop;
	shell->config.registries = shell->registries;
	shell->url = sn_xstrdup(config->url);
	shell->when = sn_xstrdup(WHEN_DEFAULT);
	connect_to(shell);
	return shell;
}

static void forget_capabilities(struct sn_shell *shell)
{
	for (size_t i = 0; i < shell->capability_count; i++)
		sn_mp_message_destroy(shell->capabilities[i]);
	shell->capability_count = 0;
}

void sn_shell_destroy(struct sn_shell *shell)
{
	if (shell == NULL)
		return;
	sn_peer_client_destroy(shell->client);
	forget_capabilities(shell);
	for (size_t i = 0; i < shell->value_count; i++) {
		free(shell->values[i].name);
		free(shell->values[i].value);
	}
	for (size_t i = 0; i < shell->measurement_count; i++) {
		sn_mp_message_destroy(shell->measurements[i].specification);
		sn_mp_message_destroy(shell->measurements[i].answer);
		free(shell->measurements[i].link);
	}
	free(shell->capabilities);
	free(shell->values);
	free(shell->measurements);
	free(shell->when);
	free(shell->url);
	sn_mp_registries_destroy(shell->registries);
	sn_loop_destroy(shell->loop);
	free(shell);
}

void sn_shell_set_url(struct sn_shell *shell, const char *url)
{
	char *copy = sn_xstrdup(url);

	free(shell->url);
	shell->url = copy;
	connect_to(shell);
}

int sn_shell_discover(struct sn_shell *shell, struct sn_err *err)
{
	struct exchange exchange = {.shell = shell, .err = err};
	int rc;

	sn_peer_client_discover(shell->client, take_answer, &exchange);
	rc = wait_for(&exchange);
	if (rc != 0)
		return rc;
	forget_capabilities(shell);
	shell->capabilities = sn_xrealloc(shell->capabilities, exchange.answer->content_count + 1,
					  sizeof(struct sn_mp_message *));
	for (size_t i = 0; i < exchange.answer->content_count; i++) {
		const struct sn_mp_message *content = exchange.answer->contents[i];

		if (content->kind == SN_MP_CAPABILITY && !sn_mp_is_callback(content))
			shell->capabilities[shell->capability_count++] =
				sn_mp_message_copy(content);
	}
	sn_mp_message_destroy(exchange.answer);
	return (int)shell->capability_count;
}

/* Looking up -------------------------------------------------------------- */

static bool is_called(const struct sn_mp_message *message, const char *name)
{
	return (message->label != NULL && strcmp(message->label, name) == 0) ||
	       (message->token != NULL && strcmp(message->token, name) == 0);
}

static bool token_begins(const struct sn_mp_message *message, const char *name)
{
	return strlen(name) >= 4 && message->token != NULL &&
	       strncmp(message->token, name, strlen(name)) == 0;
}

const struct sn_mp_message *sn_shell_capability(const struct sn_shell *shell, const char *name)
{
	for (size_t i = 0; i < shell->capability_count; i++)
		if (is_called(shell->capabilities[i], name))
			return shell->capabilities[i];
	for (size_t i = 0; i < shell->capability_count; i++)
		if (token_begins(shell->capabilities[i], name))
			return shell->capabilities[i];
	return NULL;
}

struct sn_shell_measurement *sn_shell_measurement(struct sn_shell *shell, const char *name)
{
	for (size_t i = shell->measurement_count; i-- > 0;)
		if (is_called(shell->measurements[i].specification, name) ||
		    token_begins(shell->measurements[i].specification, name))
			return &shell->measurements[i];
	return NULL;
}

/* Values ------------------------------------------------------------------ */

const char *sn_shell_get(const struct sn_shell *shell, const char *name)
{
	for (size_t i = 0; i < shell->value_count; i++)
		if (strcmp(shell->values[i].name, name) == 0)
			return shell->values[i].value;
	return NULL;
}

static void unset(struct sn_shell *shell, const char *name)
{
	for (size_t i = 0; i < shell->value_count; i++) {
		if (strcmp(shell->values[i].name, name) != 0)
			continue;
		free(shell->values[i].name);
		free(shell->values[i].value);
		shell->values[i] = shell->values[--shell->value_count];
		return;
	}
}

void sn_shell_set(struct sn_shell *shell, const char *name, const char *value)
{
	char *copy = value != NULL ? sn_xstrdup(value) : NULL, *key = sn_xstrdup(name);

	unset(shell, key);
	if (copy == NULL) {
		free(key);
		return;
	}
	shell->values = sn_xrealloc(shell->values, shell->value_count + 1, sizeof(*shell->values));
	shell->values[shell->value_count++] = (struct sn_shell_value){key, copy};
}

/* Measuring --------------------------------------------------------------- */

static int fill_in(const struct sn_shell *shell, struct sn_mp_message *specification,
		   struct sn_err *err)
{
	for (size_t i = 0; i < specification->param_count; i++) {
		const struct sn_mp_param *param = &specification->params[i];
		const char *value = sn_shell_get(shell, param->name);
		int rc = 0;

		if (value != NULL)
			rc = sn_mp_set_value(specification, param->name, value, err);
		else if (param->value == NULL &&
			 strcmp(specification->registry, SN_MP_REGISTRY_SONDE) != 0)
			rc = sn_err_set(err, -EINVAL,
					"parameter '%.*s' has no value (set %.*s VALUE)",
					NAME_SHOWN, param->name, NAME_SHOWN, param->name);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static struct sn_mp_message *specify(struct sn_shell *shell, const struct sn_mp_message *capability,
				     struct sn_err *err)
{
	struct sn_mp_message *specification = sn_mp_message_as(capability, SN_MP_SPECIFICATION);
	char token[SN_MP_HASH_SIZE];
	sn_autofree char *label = sn_xasprintf(
		"%.*s-%u", SN_MP_TEXT_MAX,
		capability->label != NULL ? capability->label : capability->token, shell->serial);

	sn_mp_token_random(token);
	sn_mp_set_text(&specification->token, token);
	sn_mp_set_text(&specification->label, label);
	sn_mp_set_text(&specification->link, NULL);
	specification->has_link = false;
	if (sn_mp_when_parse(sn_str(shell->when), &specification->when, err) != 0 ||
	    fill_in(shell, specification, err) != 0) {
		sn_mp_message_destroy(specification);
		return NULL;
	}
	shell->serial++;
	return specification;
}

int sn_shell_run(struct sn_shell *shell, const struct sn_mp_message *capability,
		 struct sn_shell_measurement **measurement, struct sn_err *err)
{
	struct sn_mp_message *specification, *answer;
	int rc;

	if (shell->measurement_count >= SN_SHELL_MEASUREMENTS_MAX)
		return sn_err_set(err, -E2BIG, "this shell knows %d measurements already",
				  SN_SHELL_MEASUREMENTS_MAX);
	specification = specify(shell, capability, err);
	if (specification == NULL)
		return err->code;
	rc = exchange_message(shell, specification, capability->link, &answer, err);
	if (rc != 0) {
		sn_mp_message_destroy(specification);
		return rc;
	}
	shell->measurements = sn_xrealloc(shell->measurements, shell->measurement_count + 1,
					  sizeof(*shell->measurements));
	*measurement = &shell->measurements[shell->measurement_count++];
	**measurement = (struct sn_shell_measurement){
		specification, answer,
		sn_xstrdup(capability->link != NULL ? capability->link : "")};
	return 0;
}

static int ask_about(struct sn_shell *shell, struct sn_shell_measurement *measurement,
		     enum sn_mp_kind kind, struct sn_err *err)
{
	sn_automp struct sn_mp_message *question =
		sn_mp_message_as(measurement->specification, kind);
	struct sn_mp_message *answer;
	/* Peers take these at their own address, wherever the specification went. */
	int rc = exchange_message(shell, question, NULL, &answer, err);

	if (rc != 0)
		return rc;
	sn_mp_message_destroy(measurement->answer);
	measurement->answer = answer;
	return 0;
}

int sn_shell_redeem(struct sn_shell *shell, struct sn_shell_measurement *measurement,
		    struct sn_err *err)
{
	if (measurement->answer->kind == SN_MP_RESULT)
		return 0;
	return ask_about(shell, measurement, SN_MP_REDEMPTION, err);
}

int sn_shell_interrupt(struct sn_shell *shell, struct sn_shell_measurement *measurement,
		       struct sn_err *err)
{
	return ask_about(shell, measurement, SN_MP_INTERRUPT, err);
}
