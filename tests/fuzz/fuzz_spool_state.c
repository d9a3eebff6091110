/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in a spool directory after an accident: the state and the names of
 * files are refused or come out as they went in.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/spool/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_state(const uint8_t *data, size_t size)
{
	struct sn_spool_state state, again;
	struct sn_buf text = {0};
	struct sn_err err;

	if (sn_spool_state_parse(data, size, &state, &err) != 0)
		return;
	sn_spool_state_format(&state, &text);
	if (sn_spool_state_parse(text.p, text.n, &again, &err) != 0 ||
	    strcmp(again.stream, state.stream) != 0 || again.next_batch != state.next_batch ||
	    again.next_row != state.next_row || strcmp(again.new_stream, state.new_stream) != 0 ||
	    again.new_from != state.new_from)
		abort();
	sn_buf_finish(&text);
}

static void try_name(const uint8_t *data, size_t size)
{
	struct sn_spool_name name;
	char file[256], again[SN_SPOOL_NAME_TEXT_MAX];

	if (size >= sizeof(file))
		return;
	memcpy(file, data, size);
	file[size] = '\0';
	if (sn_spool_name_parse(file, &name) != 0)
		return;
	sn_spool_name_format(&name, again, sizeof(again));
	if (strcmp(file, again) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_state(data, size);
	try_name(data, size);
	return 0;
}
