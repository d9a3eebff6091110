/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "mplane/message_internal.h"

static int check_sections(const struct sn_mp_message *message, const struct sn_mp_kind_info *info,
			  struct sn_err *err)
{
	bool has_some = info->some == 0;

	for (size_t i = 0; i < SN_MP_SECTIONS; i++) {
		enum sn_mp_section section = (enum sn_mp_section)(1 << i);
		bool has = sn_mp_has_section(message, section);

		if (info->must & section && !has)
			return sn_err_set(err, -EINVAL, "%s without '%s'", info->name,
					  sn_mp_section_key(section));
		if (has && section != SN_MP_S_VERSION && !(info->may & section))
			return sn_err_set(err, -EINVAL, "%s with '%s', which it cannot have",
					  info->name, sn_mp_section_key(section));
		has_some |= has && info->some & section;
	}
	if (!has_some)
		return sn_err_set(err, -EINVAL, "%s without 'token' and without 'registry'",
				  info->name);
	return 0;
}

static bool is_absolute(int64_t point)
{
	return point != SN_MP_PAST && point != SN_MP_FUTURE && point != SN_MP_NOW &&
	       point != SN_MP_UNSET;
}

/* The interval that the data cover: one point, or start and end or duration. */
static int check_result_when(const struct sn_mp_message *message, struct sn_err *err)
{
	const struct sn_mp_span *span = &message->when.span;

	if (message->when.repeated || !is_absolute(span->start) ||
	    (span->end != SN_MP_UNSET && !is_absolute(span->end)) ||
	    span->duration_ns == SN_MP_FOREVER)
		return sn_err_set(err, -EINVAL, "%s whose 'when' is no interval of absolute times",
				  sn_mp_kind_name(message->kind));
	return 0;
}

/* Values where constraints are meant, or the other way round. */
static int check_params(const struct sn_mp_message *message, const struct sn_mp_kind_info *info,
			struct sn_err *err)
{
	for (size_t i = 0; i < message->param_count; i++) {
		const struct sn_mp_param *param = &message->params[i];

		if (info->constraints && param->value != NULL)
			return sn_err_set(err, -EINVAL, "%s with a value for parameter '%s'",
					  info->name, param->name);
		if (!info->constraints && param->constraint.kind != SN_MP_ANY)
			return sn_err_set(err, -EINVAL, "%s with a constraint for parameter '%s'",
					  info->name, param->name);
	}
	return 0;
}

static unsigned nesting(const struct sn_mp_message *message)
{
	unsigned deepest = 0;

	for (size_t i = 0; i < message->content_count; i++) {
		unsigned depth = nesting(message->contents[i]);

		deepest = SN_MAX(deepest, depth);
	}
	return deepest + (message->kind == SN_MP_ENVELOPE);
}

static int check_one(const struct sn_mp_message *message, struct sn_err *err)
{
	const struct sn_mp_kind_info *info = sn_mp_kind_info(message->kind);
	int rc = check_sections(message, info, err);

	if (rc == 0 && info->verb != NULL && (message->verb == NULL || *message->verb == '\0'))
		rc = sn_err_set(err, -EINVAL, "%s without a verb", info->name);
	if (rc == 0 && info->must & SN_MP_S_LINK &&
	    (message->link == NULL || *message->link == '\0'))
		rc = sn_err_set(err, -EINVAL, "%s with an empty 'link'", info->name);
	if (rc == 0 && info->may & SN_MP_S_ROWS)
		rc = check_result_when(message, err);
	if (rc == 0)
		rc = check_params(message, info, err);
	for (size_t i = 0; rc == 0 && i < message->content_count; i++) {
		rc = check_one(message->contents[i], err);
		if (rc != 0)
			sn_err_wrap(err, "contents %zu", i + 1);
	}
	return rc;
}

int sn_mp_message_check(const struct sn_mp_message *message, struct sn_err *err)
{
	if (nesting(message) > SN_MP_ENVELOPE_DEPTH)
		return sn_err_set(err, -EINVAL, "more than %d envelopes in each other",
				  SN_MP_ENVELOPE_DEPTH);
	return check_one(message, err);
}

bool sn_mp_is_callback(const struct sn_mp_message *message)
{
	return (message->verb != NULL && strcmp(message->verb, SN_MP_VERB_CALLBACK) == 0) ||
	       (message->label != NULL && strcmp(message->label, SN_MP_VERB_CALLBACK) == 0);
}

size_t sn_mp_label_base(const char *specification_label)
{
	size_t length = strlen(specification_label), at = length;

	while (at > 0 && specification_label[at - 1] >= '0' && specification_label[at - 1] <= '9')
		at--;
	/* "-7" alone has no label in front of it. */
	return at < length && at >= 2 && specification_label[at - 1] == '-' ? at - 1 : length;
}
