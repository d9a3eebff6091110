/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/match.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "mplane/message_internal.h"

#define TOKEN_BYTES 16
#define MANY_SHOWN  5 /* capabilities that are named when too many fit */

/* Hashes ----------------------------------------------------------------- */

static void add_text(struct sn_buf *out, const char *text)
{
	sn_buf_adds(out, text != NULL ? text : "");
}

/* One blank between items; `first` tells where the list began. */
static void add_item(struct sn_buf *out, size_t first, const char *text)
{
	if (first > 0)
		sn_buf_addc(out, ' ');
	add_text(out, text);
}

static void add_names(const struct sn_mp_message *message, struct sn_buf *out)
{
	for (size_t i = 0; i < message->param_count; i++)
		add_item(out, i, message->params[i].name);
}

static void add_values(const struct sn_mp_message *message, struct sn_buf *out)
{
	for (size_t i = 0; i < message->param_count; i++)
		add_item(out, i, message->params[i].value != NULL ? message->params[i].value : "*");
}

static void add_constraints(const struct sn_mp_message *message, struct sn_buf *out)
{
	for (size_t i = 0; i < message->param_count; i++) {
		add_item(out, i, "");
		sn_mp_constraint_print(&message->params[i].constraint, false, out);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_results(const struct sn_mp_message *message, const char *names[SN_MP_COLUMNS_MAX])
{
	for (size_t i = 0; i < message->column_count; i++)
		names[i] = message->columns[i].name;
	if (message->column_count > 1)
		qsort(names, message->column_count, sizeof(*names), compare_names);
}

static void add_results(const struct sn_mp_message *message, struct sn_buf *out)
{
	const char *names[SN_MP_COLUMNS_MAX];

	sort_results(message, names);
	for (size_t i = 0; i < message->column_count; i++)
		add_item(out, i, names[i]);
}

static void add_head(const struct sn_mp_message *message, struct sn_buf *out)
{
	add_text(out, message->registry);
	add_text(out, message->verb);
	sn_buf_adds(out, " w ");
	if (message->when.set)
		sn_mp_when_print(&message->when, out);
	sn_buf_adds(out, " pk ");
	add_names(message, out);
}

static void add_full(const struct sn_mp_message *message, struct sn_buf *out)
{
	add_head(message, out);
	sn_buf_adds(out, " pc ");
	add_constraints(message, out);
	sn_buf_adds(out, " pv ");
	add_values(message, out);
	sn_buf_adds(out, " mk ");
	for (size_t i = 0; i < message->meta_count; i++)
		add_item(out, i, message->metadata[i].name);
	sn_buf_adds(out, " mv ");
	for (size_t i = 0; i < message->meta_count; i++)
		add_item(out, i, message->metadata[i].value);
	sn_buf_adds(out, " r ");
	add_results(message, out);
	sn_buf_adds(out, " ex ");
	add_text(out, sn_mp_has_section(message, SN_MP_S_EXPORT) ? message->export_url : "None");
}

/* The first 128 bits as hex; `text` is used up. */
static void digest(gnutls_digest_algorithm_t algorithm, struct sn_buf *text,
		   char out[SN_MP_HASH_SIZE])
{
	uint8_t bytes[64];
	int rc = gnutls_hash_fast(algorithm, text->n > 0 ? text->p : "", text->n, bytes);

	assert(rc == 0 && gnutls_hash_get_len(algorithm) <= sizeof(bytes));
	sn_hex(bytes, TOKEN_BYTES, out);
	sn_buf_finish(text);
}

void sn_mp_schema_hash(const struct sn_mp_message *message, char out[SN_MP_HASH_SIZE])
{
	struct sn_buf text = {0};

	add_text(&text, message->registry);
	sn_buf_adds(&text, " p ");
	add_names(message, &text);
	sn_buf_adds(&text, " r ");
	add_results(message, &text);
	digest(GNUTLS_DIG_MD5, &text, out);
}

void sn_mp_spec_hash(const struct sn_mp_message *message, const char *extra,
		     char out[SN_MP_HASH_SIZE])
{
	struct sn_buf text = {0};

	add_head(message, &text);
	sn_buf_adds(&text, " pv ");
	add_values(message, &text);
	sn_buf_adds(&text, " r ");
	add_results(message, &text);
	add_text(&text, extra);
	digest(GNUTLS_DIG_MD5, &text, out);
}

void sn_mp_full_hash(const struct sn_mp_message *message, char out[SN_MP_HASH_SIZE])
{
	struct sn_buf text = {0};

	add_full(message, &text);
	digest(GNUTLS_DIG_MD5, &text, out);
}

/* Tokens ----------------------------------------------------------------- */

void sn_mp_token_random(char out[SN_MP_HASH_SIZE])
{
	uint8_t bytes[TOKEN_BYTES];

	sn_random(bytes, sizeof(bytes));
	sn_hex(bytes, sizeof(bytes), out);
}

void sn_mp_token_of_capability(const struct sn_mp_message *capability, const char *identity,
			       char out[SN_MP_HASH_SIZE])
{
	struct sn_buf text = {0};

	/* With lengths, so that no identity can be continued into a label. */
	sn_buf_addf(&text, "%zu %s ", strlen(identity), identity);
	add_text(&text, capability->label);
	sn_buf_addc(&text, ' ');
	add_full(capability, &text);
	digest(GNUTLS_DIG_SHA256, &text, out);
}

/* Matching --------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* As sets: the order of results is each message's own. */
static bool same_results(const struct sn_mp_message *a, const struct sn_mp_message *b)
{
	const char *names_a[SN_MP_COLUMNS_MAX], *names_b[SN_MP_COLUMNS_MAX];
	size_t i = 0;

	if (a->column_count != b->column_count)
		return false;
	while (i < a->column_count && strcmp(a->columns[i].name, b->columns[i].name) == 0)
		i++;
	if (i == a->column_count)
		return true;
	sort_results(a, names_a);
	sort_results(b, names_b);
	for (i = 0; i < a->column_count; i++)
		if (strcmp(names_a[i], names_b[i]) != 0)
			return false;
	return true;
}

static bool same_params(const struct sn_mp_message *a, const struct sn_mp_message *b)
{
	if (a->param_count != b->param_count)
		return false;
	for (size_t i = 0; i < a->param_count; i++)
		if (strcmp(a->params[i].name, b->params[i].name) != 0)
			return false;
	return true;
}

static bool same_schema(const struct sn_mp_message *a, const struct sn_mp_message *b)
{
	return same_text(a->registry, b->registry) && same_params(a, b) && same_results(a, b);
}

/* One name that only one of the two has. */
static int explain_schema(const struct sn_mp_message *specification,
			  const struct sn_mp_message *capability, struct sn_err *err)
{
	const struct sn_mp_message *s = specification, *c = capability;

	if (err == NULL)
		return -EINVAL;
	if (!same_text(s->registry, c->registry))
		return sn_err_set(err, -EINVAL, "its registry is '%.200s', not '%.200s'",
				  c->registry != NULL ? c->registry : "",
				  s->registry != NULL ? s->registry : "");
	for (size_t i = 0; i < c->param_count; i++)
		if (sn_mp_param(s, c->params[i].name) == NULL)
			return sn_err_set(err, -EINVAL, "parameter '%s' is missing",
					  c->params[i].name);
	for (size_t i = 0; i < s->param_count; i++)
		if (sn_mp_param(c, s->params[i].name) == NULL)
			return sn_err_set(err, -EINVAL, "it has no parameter '%s'",
					  s->params[i].name);
	for (size_t i = 0; i < c->column_count; i++)
		if (sn_mp_column(s, c->columns[i].name) < 0)
			return sn_err_set(err, -EINVAL, "result '%s' is missing",
					  c->columns[i].name);
	for (size_t i = 0; i < s->column_count; i++)
		if (sn_mp_column(c, s->columns[i].name) < 0)
			return sn_err_set(err, -EINVAL, "it has no result '%s'",
					  s->columns[i].name);
	return sn_err_set(err, -EINVAL, "its parameters and results are others");
}

static int refuse_value(const struct sn_mp_param *wanted, const struct sn_mp_param *offered,
			struct sn_err *err)
{
	struct sn_buf text = {0};

	if (err == NULL)
		return -EINVAL;
	sn_mp_constraint_print(&offered->constraint, false, &text);
	if (wanted->value == NULL)
		sn_err_set(err, -EINVAL, "parameter '%s' has no value (possible is %.200s)",
			   offered->name, sn_buf_cstr(&text));
	else
		sn_err_set(err, -EINVAL,
			   "parameter '%s' cannot be '%.100s' here (possible is %.200s)",
			   offered->name, wanted->value, sn_buf_cstr(&text));
	sn_buf_finish(&text);
	return -EINVAL;
}

static bool is_met(const struct sn_mp_param *offered, const char *value)
{
	if (value == NULL && offered->optional)
		return true;
	return sn_mp_constraint_met(&offered->constraint, value != NULL ? value : "*");
}

static int match_values(const struct sn_mp_message *specification,
			const struct sn_mp_message *capability, struct sn_err *err)
{
	for (size_t i = 0; i < capability->param_count; i++)
		if (!is_met(&capability->params[i], specification->params[i].value))
			return refuse_value(&specification->params[i], &capability->params[i], err);
	return 0;
}

/* Whoever gives no period takes the shortest there is; that breaks no limit of rate. */
static int match_when(const struct sn_mp_message *specification,
		      const struct sn_mp_message *capability, int64_t t0_ns, struct sn_err *err)
{
	struct sn_mp_when wanted = specification->when;
	struct sn_mp_span *span =
		wanted.repeated && wanted.has_inner ? &wanted.inner : &wanted.span;

	if (span->period_ns == 0)
		span->period_ns = sn_mp_when_period(&capability->when);
	return sn_mp_when_follows(&wanted, &capability->when, t0_ns, err);
}

int sn_mp_match(const struct sn_mp_message *specification, const struct sn_mp_message *capability,
		int64_t t0_ns, struct sn_err *err)
{
	int rc;

	if (!same_schema(specification, capability))
		return explain_schema(specification, capability, err);
	if (!same_text(specification->verb, capability->verb))
		return sn_err_set(err, -EINVAL, "its verb is '%.40s', not '%.40s'",
				  capability->verb, specification->verb);
	rc = match_values(specification, capability, err);
	if (rc != 0)
		return rc;
	return match_when(specification, capability, t0_ns, err);
}

/* Choice ----------------------------------------------------------------- */

/* Has the specification the label of the capability, or one that was made from it? */
static bool same_label(const struct sn_mp_message *specification,
		       const struct sn_mp_message *capability)
{
	const char *label = specification->label;

	if (label == NULL || capability->label == NULL)
		return false;
	return strcmp(label, capability->label) == 0 ||
	       sn_str_eqc((struct sn_str){label, sn_mp_label_base(label)}, capability->label);
}

static bool same_token(const struct sn_mp_message *specification,
		       const struct sn_mp_message *capability)
{
	return sn_mp_has_section(specification, SN_MP_S_TOKEN) &&
	       same_text(specification->token, capability->token);
}

/* What may tell the right one from others that match too, the strongest first. */
enum tie { TIE_TOKEN, TIE_LABEL, TIE_NONE, TIES };

static bool has_tie(enum tie tie, const struct sn_mp_message *specification,
		    const struct sn_mp_message *capability)
{
	if (tie == TIE_TOKEN)
		return same_token(specification, capability);
	return tie == TIE_NONE || same_label(specification, capability);
}

struct choice {
	const struct sn_mp_message *specification;
	const struct sn_mp_message *const *capabilities;
	size_t count;
	int64_t t0_ns;
	size_t fitting[TIES], first[TIES]; /* how many match with this tie, and the first of them */
	size_t nearest;                    /* of those that do not match */
	int rank;                          /* how near it is */
};

static void consider(struct choice *choice, size_t i)
{
	const struct sn_mp_message *specification = choice->specification;
	const struct sn_mp_message *capability = choice->capabilities[i];
	bool fits = sn_mp_match(specification, capability, choice->t0_ns, NULL) == 0;
	int rank;

	for (int tie = 0; fits && tie < TIES; tie++)
		if (has_tie((enum tie)tie, specification, capability) &&
		    choice->fitting[tie]++ == 0)
			choice->first[tie] = i;
	if (fits)
		return;
	rank = 1 + same_label(specification, capability) +
	       2 * same_schema(specification, capability) +
	       4 * same_token(specification, capability);
	if (rank > choice->rank) {
		choice->rank = rank;
		choice->nearest = i;
	}
}

static int none_fits(const struct choice *choice, struct sn_err *err)
{
	const struct sn_mp_message *nearest;

	/* One that shares nothing with it is no near miss. */
	if (choice->rank <= 1)
		return sn_err_set(err, -ENOENT,
				  "there is no capability with these parameters and results");
	nearest = choice->capabilities[choice->nearest];
	sn_mp_match(choice->specification, nearest, choice->t0_ns, err);
	sn_err_wrap(err, "no capability fits; not '%.100s'",
		    nearest->label != NULL ? nearest->label : "");
	if (err != NULL)
		err->code = -ENOENT;
	return -ENOENT;
}

static int too_many_fit(const struct choice *choice, enum tie tie, struct sn_err *err)
{
	struct sn_buf names = {0};
	size_t shown = 0;

	for (size_t i = 0; i < choice->count && shown < MANY_SHOWN; i++) {
		const struct sn_mp_message *capability = choice->capabilities[i];

		if (!has_tie(tie, choice->specification, capability) ||
		    sn_mp_match(choice->specification, capability, choice->t0_ns, NULL) != 0)
			continue;
		sn_buf_addf(&names, "%s'%.40s' (token %.40s)", shown++ > 0 ? ", " : "",
			    capability->label != NULL ? capability->label : "",
			    capability->token != NULL ? capability->token : "-");
	}
	sn_err_set(err, -ENOTUNIQ,
		   "it is for several capabilities (post it to the link of one): %s",
		   sn_buf_cstr(&names));
	sn_buf_finish(&names);
	return -ENOTUNIQ;
}

int sn_mp_choose(const struct sn_mp_message *specification,
		 const struct sn_mp_message *const *capabilities, size_t count, int64_t t0_ns,
		 struct sn_err *err)
{
	struct choice choice = {.specification = specification,
				.capabilities = capabilities,
				.count = count,
				.t0_ns = t0_ns};

	for (size_t i = 0; i < count; i++)
		consider(&choice, i);
	for (int tie = 0; tie < TIES; tie++) {
		if (choice.fitting[tie] == 1)
			return (int)choice.first[tie];
		if (choice.fitting[tie] > 1)
			return too_many_fit(&choice, (enum tie)tie, err);
	}
	return none_fits(&choice, err);
}
