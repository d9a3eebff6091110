/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mplane/message.h"

static struct sn_mp_registries *registries;

static int set_up(void **state)
{
	(void)state;
	registries = sn_mp_registries_create();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sn_mp_registries_destroy(registries);
	return 0;
}

static void param(struct sn_mp_message *message, const char *name, const char *text)
{
	struct sn_err err = {0};

	if (sn_mp_add_param(message, registries, name, text, &err) != 0)
		fail_msg("%s", err.text);
}

static void column(struct sn_mp_message *message, const char *name)
{
	assert_int_equal(sn_mp_add_column(message, registries, name, NULL), 0);
}

static void scope(struct sn_mp_message *message, const char *text)
{
	struct sn_err err = {0};

	if (sn_mp_when_parse(sn_str(text), &message->when, &err) != 0)
		fail_msg("%s", err.text);
}

static struct sn_mp_message *ping_capability(void)
{
	struct sn_mp_message *capability = sn_mp_message_create(SN_MP_CAPABILITY, NULL);

	sn_mp_set_text(&capability->registry, SN_MP_REGISTRY_CORE);
	sn_mp_set_text(&capability->label, "ping");
	sn_mp_set_text(&capability->token, "t1");
	sn_mp_set_text(&capability->link, "https://192.0.2.1/capability/t1");
	sn_mp_set_text(&capability->export_url, "ipfix-tcp");
	scope(capability, "now ... future / 1s");
	param(capability, "source.ip4", "192.0.2.19");
	param(capability, "destination.ip4", "*");
	param(capability, "packets.ip", "1 ... 30");
	sn_mp_add_meta(capability, "System_ID", "lab-7", NULL);
	column(capability, "time");
	column(capability, "delay.twoway.icmp.us");
	return capability;
}

static void assert_check_says(const struct sn_mp_message *message, const char *expected)
{
	struct sn_err err = {0};

	assert_int_equal(sn_mp_message_check(message, &err), -EINVAL);
	if (strstr(err.text, expected) == NULL)
		fail_msg("'%s' is not in '%s'", expected, err.text);
}

static void assert_checked(const struct sn_mp_message *message)
{
	struct sn_err err = {0};

	if (sn_mp_message_check(message, &err) != 0)
		fail_msg("%s", err.text);
}

/* Building ---------------------------------------------------------------- */

static void each_kind_is_found_by_its_name(void **state)
{
	enum sn_mp_kind kind;

	(void)state;
	for (int i = 0; i < SN_MP_KINDS; i++) {
		assert_int_equal(sn_mp_kind_find(sn_mp_kind_name((enum sn_mp_kind)i), &kind), 0);
		assert_int_equal(kind, i);
	}
	assert_int_equal(sn_mp_kind_find("Capability", &kind), -ENOENT);
}

static void parameters_are_sorted_typed_and_canonical(void **state)
{
	sn_automp struct sn_mp_message *s = sn_mp_message_create(SN_MP_SPECIFICATION, NULL);

	(void)state;
	sn_mp_set_text(&s->registry, SN_MP_REGISTRY_CORE);
	param(s, "source.port", "10E2");
	param(s, "destination.ip6", "2001:DB8:0::1");
	param(s, "own.element", "10E2");
	param(s, "connectivity.ip", "true");
	param(s, "measurement.algorithm", NULL);
	assert_int_equal(s->param_count, 5);
	for (size_t i = 1; i < s->param_count; i++)
		assert_true(strcmp(s->params[i - 1].name, s->params[i].name) < 0);
	assert_string_equal(sn_mp_value(s, "source.port"), "1000");
	assert_string_equal(sn_mp_value(s, "destination.ip6"), "2001:db8::1");
	assert_string_equal(sn_mp_value(s, "own.element"), "10E2");
	assert_null(sn_mp_param(s, "own.element")->element);
	assert_int_equal(sn_mp_param(s, "own.element")->prim, SN_MP_STRING);
	assert_string_equal(sn_mp_value(s, "connectivity.ip"), "True");
	assert_non_null(sn_mp_param(s, "measurement.algorithm"));
	assert_null(sn_mp_value(s, "measurement.algorithm"));
	assert_null(sn_mp_param(s, "source"));
}

static void qualified_name_is_kept_without_its_registry(void **state)
{
	sn_automp struct sn_mp_message *s = sn_mp_message_create(SN_MP_SPECIFICATION, NULL);

	(void)state;
	param(s, SN_MP_REGISTRY_CORE "#source.port", "7");
	assert_int_equal(sn_mp_param(s, "source.port")->prim, SN_MP_NATURAL);
	assert_int_equal(sn_mp_add_param(s, registries, "source.port", "8", NULL), -EINVAL);
	assert_string_equal(sn_mp_value(s, "source.port"), "7");
}

static void bad_values_and_names_are_refused_and_change_nothing(void **state)
{
	sn_automp struct sn_mp_message *s = sn_mp_message_create(SN_MP_SPECIFICATION, NULL);
	char long_name[SN_MP_NAME_MAX + 2];
	struct sn_err err = {0};

	(void)state;
	param(s, "source.port", "7");
	assert_int_equal(sn_mp_add_param(s, registries, "destination.port", "x", &err), -EINVAL);
	assert_non_null(strstr(err.text, "destination.port"));
	assert_int_equal(sn_mp_add_param(s, registries, "source.port", "7", &err), -EINVAL);
	assert_non_null(strstr(err.text, "twice"));
	assert_int_equal(sn_mp_add_param(s, registries, "a b", "7", &err), -EINVAL);
	assert_int_equal(sn_mp_add_param(s, registries, "", "7", &err), -EINVAL);
	assert_int_equal(sn_mp_set_value(s, "source.port", "-1", &err), -ERANGE);
	assert_int_equal(sn_mp_set_value(s, "destination.port", "1", &err), -ENOENT);
	assert_string_equal(sn_mp_value(s, "source.port"), "7");
	assert_int_equal(sn_mp_set_value(s, "source.port", "9", &err), 0);
	assert_string_equal(sn_mp_value(s, "source.port"), "9");
	assert_int_equal(sn_mp_set_value(s, "source.port", "*", &err), 0);
	assert_null(sn_mp_value(s, "source.port"));
	memset(long_name, 'n', sizeof(long_name));
	long_name[SN_MP_NAME_MAX + 1] = '\0';
	assert_int_equal(sn_mp_add_param(s, registries, long_name, NULL, &err), -E2BIG);
	long_name[SN_MP_NAME_MAX] = '\0';
	assert_int_equal(sn_mp_add_param(s, registries, long_name, NULL, &err), 0);
	assert_int_equal(s->param_count, 2);
}

static void names_are_taken_to_the_limit_and_one_more_refused(void **state)
{
	sn_automp struct sn_mp_message *r = sn_mp_message_create(SN_MP_RESULT, NULL);
	char name[32];

	(void)state;
	for (int i = 0; i < SN_MP_COLUMNS_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		if (i < SN_MP_PARAMS_MAX)
			param(r, name, "v");
		if (i < SN_MP_METADATA_MAX)
			assert_int_equal(sn_mp_add_meta(r, name, "v", NULL), 0);
		column(r, name);
	}
	assert_int_equal(sn_mp_add_param(r, registries, "more", "v", NULL), -E2BIG);
	assert_int_equal(sn_mp_add_meta(r, "more", "v", NULL), -E2BIG);
	assert_int_equal(sn_mp_add_column(r, registries, "more", NULL), -E2BIG);
	/* One that is there takes no more room. */
	assert_int_equal(sn_mp_add_meta(r, "n7", "w", NULL), 0);
	assert_string_equal(sn_mp_meta(r, "n7"), "w");
	assert_string_equal(sn_mp_meta(r, "n8"), "v");
	assert_null(sn_mp_meta(r, "more"));
	assert_int_equal(sn_mp_column(r, "n511"), 511);
	assert_int_equal(sn_mp_column(r, "more"), -1);
}

static void rows_are_canonical_and_a_bad_one_leaves_no_trace(void **state)
{
	sn_automp struct sn_mp_message *r = sn_mp_message_create(SN_MP_RESULT, NULL);
	const char *const rows[][3] = {
		{"2026-01-01T10:00:00Z", "7.0", "x"},
		{NULL, "*", "*"},
		{"2026-01-01", "", ""},
		{"2026-01-01", "bad", "x"},
	};
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_mp_add_row(r, rows[0], &err), -EINVAL);
	column(r, "time");
	column(r, "octets.ip");
	column(r, "location.civil");
	assert_int_equal(sn_mp_add_column(r, registries, "time", NULL), -EINVAL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sn_mp_add_row(r, rows[i], &err), 0);
	assert_int_equal(sn_mp_add_row(r, rows[3], &err), -EINVAL);
	assert_non_null(strstr(err.text, "row 4: result 'octets.ip'"));
	assert_int_equal(r->row_count, 3);
	assert_int_equal(sn_mp_add_column(r, registries, "start", NULL), -EINVAL);
	assert_string_equal(sn_mp_cell(r, 0, 0), "2026-01-01 10:00:00.000000");
	assert_string_equal(sn_mp_cell(r, 0, 1), "7");
	assert_null(sn_mp_cell(r, 1, 0));
	assert_null(sn_mp_cell(r, 1, 1));
	assert_null(sn_mp_cell(r, 1, 2));
	/* An empty number is none; an empty text is one. */
	assert_null(sn_mp_cell(r, 2, 1));
	assert_string_equal(sn_mp_cell(r, 2, 2), "");
}

static void rows_are_taken_to_the_limit_and_one_more_refused(void **state)
{
	sn_automp struct sn_mp_message *narrow = sn_mp_message_create(SN_MP_RESULT, NULL);
	sn_automp struct sn_mp_message *wide = sn_mp_message_create(SN_MP_RESULT, NULL);
	const char *none[SN_MP_COLUMNS_MAX] = {NULL};
	char name[32];

	(void)state;
	column(narrow, "time");
	for (int i = 0; i < SN_MP_ROWS_MAX; i++)
		if (sn_mp_add_row(narrow, none, NULL) != 0)
			fail_msg("row %d", i);
	assert_int_equal(sn_mp_add_row(narrow, none, NULL), -E2BIG);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		column(wide, name);
	}
	for (int i = 0; i < SN_MP_CELLS_MAX / 500; i++)
		assert_int_equal(sn_mp_add_row(wide, none, NULL), 0);
	assert_int_equal(sn_mp_add_row(wide, none, NULL), -E2BIG);
}

/* Copies ------------------------------------------------------------------ */

static void copy_is_equal_and_independent(void **state)
{
	sn_automp struct sn_mp_message *capability = ping_capability();
	sn_automp struct sn_mp_message *envelope = sn_mp_message_create(SN_MP_ENVELOPE, NULL);
	struct sn_mp_message *copy;

	(void)state;
	envelope->bare = true;
	sn_mp_add_content(envelope, sn_mp_message_copy(capability));
	sn_mp_add_content(envelope, sn_mp_exception("t", "no such %s", "thing"));
	copy = sn_mp_message_copy(envelope);
	assert_true(sn_mp_message_equal(envelope, copy));
	assert_true(copy->bare);
	assert_true(sn_mp_message_equal(capability, copy->contents[0]));
	assert_string_equal(copy->contents[1]->text, "no such thing");
	sn_mp_set_text(&copy->contents[0]->label, "other");
	assert_false(sn_mp_message_equal(envelope, copy));
	assert_true(sn_mp_message_equal(capability, envelope->contents[0]));
	sn_mp_message_destroy(copy);
	sn_mp_message_destroy(NULL);
}

static void add_one_more_param(struct sn_mp_message *m)
{
	param(m, "hops.ip", "*");
}
static void constrain(struct sn_mp_message *m)
{
	assert_int_equal(sn_mp_set_value(m, "packets.ip", "1 ... 31", NULL), 0);
}
static void change_metadata(struct sn_mp_message *m)
{
	sn_mp_add_meta(m, "System_ID", "lab-8", NULL);
}
static void add_one_more_column(struct sn_mp_message *m)
{
	column(m, "hops.ip");
}
static void forget_export(struct sn_mp_message *m)
{
	sn_mp_set_text(&m->export_url, NULL);
}
static void forget_link(struct sn_mp_message *m)
{
	m->has_link = false;
}
static void change_scope(struct sn_mp_message *m)
{
	scope(m, "now ... future / 2s");
}
static void change_verb(struct sn_mp_message *m)
{
	sn_mp_set_text(&m->verb, SN_MP_VERB_QUERY);
}

static void any_difference_is_seen(void **state)
{
	void (*const changes[])(struct sn_mp_message *) = {
		add_one_more_param, constrain,   change_metadata, add_one_more_column,
		forget_export,      forget_link, change_scope,    change_verb,
	};
	sn_automp struct sn_mp_message *capability = ping_capability();

	(void)state;
	for (size_t i = 0; i < SN_COUNT(changes); i++) {
		sn_automp struct sn_mp_message *copy = sn_mp_message_copy(capability);

		assert_true(sn_mp_message_equal(capability, copy));
		changes[i](copy);
		assert_false(sn_mp_message_equal(capability, copy));
	}
}

static void specification_takes_single_values_over_and_needs_its_own_scope(void **state)
{
	sn_automp struct sn_mp_message *capability = ping_capability();
	sn_automp struct sn_mp_message *s = sn_mp_message_as(capability, SN_MP_SPECIFICATION);

	(void)state;
	assert_string_equal(s->registry, SN_MP_REGISTRY_CORE);
	assert_string_equal(s->label, "ping");
	assert_string_equal(s->verb, "measure");
	assert_string_equal(sn_mp_value(s, "source.ip4"), "192.0.2.19");
	assert_null(sn_mp_value(s, "destination.ip4"));
	assert_null(sn_mp_value(s, "packets.ip"));
	assert_string_equal(sn_mp_meta(s, "System_ID"), "lab-7");
	assert_int_equal(s->column_count, 2);
	assert_null(s->token);
	assert_null(s->link);
	assert_true(s->has_link);
	assert_null(s->export_url);
	assert_check_says(s, "'when'");
	scope(s, "now + 10s / 1s");
	assert_checked(s);
}

static void receipt_result_and_interrupt_have_the_sections_of_their_specification(void **state)
{
	static const enum sn_mp_kind kinds[] = {SN_MP_RECEIPT, SN_MP_RESULT, SN_MP_INTERRUPT,
						SN_MP_REDEMPTION, SN_MP_NOTIFICATION};
	sn_automp struct sn_mp_message *capability = ping_capability();
	sn_automp struct sn_mp_message *s = sn_mp_message_as(capability, SN_MP_SPECIFICATION);

	(void)state;
	scope(s, "2026-01-01 + 10s / 1s");
	sn_mp_set_text(&s->token, "t2");
	sn_mp_set_value(s, "destination.ip4", "192.0.2.7", NULL);
	for (size_t i = 0; i < SN_COUNT(kinds); i++) {
		sn_automp struct sn_mp_message *m = sn_mp_message_as(s, kinds[i]);

		assert_checked(m);
		assert_string_equal(m->token, "t2");
		assert_string_equal(sn_mp_value(m, "destination.ip4"), "192.0.2.7");
		assert_true(sn_mp_when_equal(&m->when, &s->when));
		assert_int_equal(m->column_count, 2);
		assert_false(m->has_link);
	}
}

static void withdrawal_is_the_capability_and_an_exception_only_its_token(void **state)
{
	sn_automp struct sn_mp_message *capability = ping_capability();
	sn_automp struct sn_mp_message *w = sn_mp_message_as(capability, SN_MP_WITHDRAWAL);
	sn_automp struct sn_mp_message *back = sn_mp_message_as(w, SN_MP_CAPABILITY);
	sn_automp struct sn_mp_message *e = sn_mp_message_as(capability, SN_MP_EXCEPTION);

	(void)state;
	assert_checked(w);
	assert_true(sn_mp_message_equal(back, capability));
	assert_null(e->verb);
	assert_string_equal(e->token, "t1");
	assert_int_equal(e->param_count, 0);
	assert_checked(e);
}

static void value_with_a_comma_becomes_one_single_constraint(void **state)
{
	sn_automp struct sn_mp_message *s = sn_mp_message_create(SN_MP_SPECIFICATION, NULL);
	struct sn_mp_message *c;

	(void)state;
	param(s, "location.civil", "Turin, Italy");
	param(s, "source.port", NULL);
	c = sn_mp_message_as(s, SN_MP_CAPABILITY);
	assert_string_equal(sn_mp_constraint_single(&sn_mp_param(c, "location.civil")->constraint),
			    "Turin, Italy");
	assert_int_equal(sn_mp_param(c, "source.port")->constraint.kind, SN_MP_ANY);
	sn_mp_message_destroy(c);
}

/* Check ------------------------------------------------------------------- */

static void missing_and_surplus_sections_are_named(void **state)
{
	static const struct {
		enum sn_mp_kind kind;
		const char *says;
	} bare[] = {
		{SN_MP_CAPABILITY, "capability without 'registry'"},
		{SN_MP_WITHDRAWAL, "withdrawal without 'token'"},
		{SN_MP_SPECIFICATION, "specification without 'registry'"},
		{SN_MP_INTERRUPT, "interrupt without 'token'"},
		{SN_MP_RESULT, "result without 'registry'"},
		{SN_MP_RECEIPT, "receipt without 'token'"},
		{SN_MP_REDEMPTION, "redemption without 'token'"},
		{SN_MP_INDIRECTION, "indirection without 'link'"},
		{SN_MP_NOTIFICATION, "notification without 'registry'"},
	};
	sn_automp struct sn_mp_message *e = sn_mp_exception(NULL, "text");
	sn_automp struct sn_mp_message *envelope = sn_mp_message_create(SN_MP_ENVELOPE, NULL);
	sn_automp struct sn_mp_message *capability = ping_capability();

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bare); i++) {
		sn_automp struct sn_mp_message *m = sn_mp_message_create(bare[i].kind, NULL);

		assert_check_says(m, bare[i].says);
	}
	assert_checked(e);
	assert_checked(envelope);
	column(e, "time");
	assert_check_says(e, "'results'");
	sn_mp_add_row(capability, (const char *[]){NULL, NULL}, NULL);
	assert_check_says(capability, "'resultvalues'");
	sn_mp_add_content(envelope, sn_mp_message_copy(capability));
	assert_check_says(envelope, "contents 1: capability with 'resultvalues'");
	sn_mp_set_text(&e->verb, "");
}

static void values_and_constraints_are_not_mixed_up(void **state)
{
	sn_automp struct sn_mp_message *capability = ping_capability();
	sn_automp struct sn_mp_message *s = sn_mp_message_as(capability, SN_MP_SPECIFICATION);

	(void)state;
	scope(s, "now");
	capability->params[0].value = sn_xstrdup("192.0.2.1");
	assert_check_says(capability, "with a value for parameter 'destination.ip4'");
	free(capability->params[0].value);
	capability->params[0].value = NULL;
	capability->kind = SN_MP_SPECIFICATION;
	assert_check_says(capability, "with a constraint for parameter 'packets.ip'");
	s->kind = SN_MP_CAPABILITY;
	assert_check_says(s, "value");
}

static void time_of_a_result_is_absolute(void **state)
{
	static const char *const relative[] = {"now",
					       "now + 5s",
					       "past ... 2026-01-01",
					       "2026-01-01 ... future",
					       "2026-01-01 + inf",
					       "repeat 2026-01-01 ... 2026-01-02 / 1h { now }"};
	static const char *const absolute[] = {"2026-01-01", "2026-01-01 ... 2026-01-02 / 1s",
					       "2026-01-01 + 5s"};
	sn_automp struct sn_mp_message *r = sn_mp_message_create(SN_MP_RESULT, NULL);

	(void)state;
	sn_mp_set_text(&r->registry, SN_MP_REGISTRY_CORE);
	for (size_t i = 0; i < SN_COUNT(relative); i++) {
		scope(r, relative[i]);
		assert_check_says(r, "absolute");
	}
	for (size_t i = 0; i < SN_COUNT(absolute); i++) {
		scope(r, absolute[i]);
		assert_checked(r);
	}
}

static void envelopes_nest_to_the_limit_and_no_further(void **state)
{
	struct sn_mp_message *outer = sn_mp_message_create(SN_MP_ENVELOPE, NULL);

	(void)state;
	for (int i = 1; i <= SN_MP_ENVELOPE_DEPTH; i++) {
		struct sn_mp_message *next = sn_mp_message_create(SN_MP_ENVELOPE, NULL);

		assert_checked(outer);
		sn_mp_add_content(next, outer);
		outer = next;
	}
	assert_check_says(outer, "envelopes");
	sn_mp_message_destroy(outer);
}

static void callback_is_known_by_verb_or_by_label(void **state)
{
	sn_automp struct sn_mp_message *by_verb =
		sn_mp_message_create(SN_MP_CAPABILITY, "callback");
	sn_automp struct sn_mp_message *by_label = sn_mp_message_create(SN_MP_CAPABILITY, NULL);

	(void)state;
	assert_true(sn_mp_is_callback(by_verb));
	assert_false(sn_mp_is_callback(by_label));
	sn_mp_set_text(&by_label->label, "callback");
	assert_true(sn_mp_is_callback(by_label));
}

static void label_is_split_before_the_serial_number(void **state)
{
	static const struct {
		const char *label, *base;
	} labels[] = {
		{"ping-average-ip4-12", "ping-average-ip4"},
		{"ping-average-ip4", "ping-average-ip4"},
		{"ping-", "ping-"},
		{"ping12", "ping12"},
		{"-7", "-7"},
		{"a-7", "a"},
		{"", ""},
		{"12", "12"},
		{"p-1-2", "p-1"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(labels); i++)
		assert_int_equal(sn_mp_label_base(labels[i].label), strlen(labels[i].base));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_found_by_its_name),
		cmocka_unit_test(parameters_are_sorted_typed_and_canonical),
		cmocka_unit_test(qualified_name_is_kept_without_its_registry),
		cmocka_unit_test(bad_values_and_names_are_refused_and_change_nothing),
		cmocka_unit_test(names_are_taken_to_the_limit_and_one_more_refused),
		cmocka_unit_test(rows_are_canonical_and_a_bad_one_leaves_no_trace),
		cmocka_unit_test(rows_are_taken_to_the_limit_and_one_more_refused),
		cmocka_unit_test(copy_is_equal_and_independent),
		cmocka_unit_test(any_difference_is_seen),
		cmocka_unit_test(specification_takes_single_values_over_and_needs_its_own_scope),
		cmocka_unit_test(
			receipt_result_and_interrupt_have_the_sections_of_their_specification),
		cmocka_unit_test(withdrawal_is_the_capability_and_an_exception_only_its_token),
		cmocka_unit_test(value_with_a_comma_becomes_one_single_constraint),
		cmocka_unit_test(missing_and_surplus_sections_are_named),
		cmocka_unit_test(values_and_constraints_are_not_mixed_up),
		cmocka_unit_test(time_of_a_result_is_absolute),
		cmocka_unit_test(envelopes_nest_to_the_limit_and_no_further),
		cmocka_unit_test(callback_is_known_by_verb_or_by_label),
		cmocka_unit_test(label_is_split_before_the_serial_number),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
