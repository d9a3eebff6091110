/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A constraint from a peer: the first byte is its type, then a value's text up to a NUL byte, then
 * the constraint's.  What is taken is read back from its text and accepts the same value, written
 * as a range of addresses, too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mplane/constraint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const struct sn_mp_constraint *constraint, bool no_prefix, const char *value)
{
	struct sn_buf text = {0}, again = {0};
	struct sn_mp_constraint back;

	sn_mp_constraint_print(constraint, no_prefix, &text);
	check(sn_mp_constraint_parse(constraint->prim, sn_buf_str(&text), &back, NULL) == 0);
	check(no_prefix || back.kind == constraint->kind);
	check(sn_mp_constraint_met(&back, value) == sn_mp_constraint_met(constraint, value));
	sn_mp_constraint_print(&back, no_prefix, &again);
	check(sn_str_eq(sn_buf_str(&text), sn_buf_str(&again)));
	sn_mp_constraint_finish(&back);
	sn_buf_finish(&text);
	sn_buf_finish(&again);
}

/* Every value that a constraint lists is one that it accepts. */
static void check_values(const struct sn_mp_constraint *constraint)
{
	for (size_t i = 0; i < constraint->count; i++)
		check(sn_mp_constraint_met(constraint, constraint->values[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_mp_constraint constraint;
	struct sn_buf value = {0};
	struct sn_str rest, text;
	struct sn_err err = {0};
	enum sn_mp_prim prim;

	if (size == 0)
		return 0;
	prim = (enum sn_mp_prim)(data[0] % SN_MP_PRIMS);
	rest = (struct sn_str){(const char *)data + 1, size - 1};
	(void)sn_str_split(&rest, '\0', &text);
	if (sn_mp_value_canon(prim, text, &value, &err) != 0) {
		check(err.code < 0 && err.text[0] != '\0' && value.n == 0);
		sn_buf_adds(&value, "*");
	}
	if (sn_mp_constraint_parse(prim, rest, &constraint, &err) == 0) {
		check_text(&constraint, false, sn_buf_cstr(&value));
		check_text(&constraint, true, sn_buf_cstr(&value));
		check_values(&constraint);
		sn_mp_constraint_finish(&constraint);
	} else {
		check(err.code < 0 && err.text[0] != '\0');
	}
	sn_buf_finish(&value);
	return 0;
}
