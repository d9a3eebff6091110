/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry file from somebody else: added to what is built in, it can be looked up and printed;
 * what is printed is taken again.  A file that is refused changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mplane/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_all(struct sn_mp_registries *registries)
{
	for (size_t i = 0; i < sn_mp_registries_count(registries); i++) {
		struct sn_buf json = {0}, again = {0};
		const char *uri = sn_mp_registries_uri(registries, i);

		check(sn_mp_registries_know(registries, uri));
		check(sn_mp_element_find(registries, uri, "time") != NULL);
		check(sn_mp_registries_print(registries, uri, &json) == 0);
		check(sn_mp_registries_add(registries, sn_buf_str(&json), NULL) == 0);
		check(sn_mp_registries_print(registries, uri, &again) == 0);
		check(sn_str_eq(sn_buf_str(&json), sn_buf_str(&again)));
		sn_buf_finish(&json);
		sn_buf_finish(&again);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_mp_registries *registries = sn_mp_registries_create();
	size_t count = sn_mp_registries_count(registries);
	struct sn_err err = {0};

	if (sn_mp_registries_add(registries, (struct sn_str){(const char *)data, size}, &err) == 0)
		check_all(registries);
	else
		check(err.code < 0 && err.text[0] != '\0' &&
		      sn_mp_registries_count(registries) == count);
	sn_mp_registries_destroy(registries);
	return 0;
}
