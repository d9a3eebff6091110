/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "net/http_client.h"

#define BODY_MAX (64 * 1024)

/* A sequence that does not fit wholly is left out: what stands here goes into JSON again. */
static size_t fitting(const char *text, size_t size)
{
	size_t n = 0, next;

	while (text[n] != '\0' && (next = sn_utf8_length(text + n, strlen(text + n))) > 0 &&
	       n + next < size)
		n += next;
	return n;
}

const char *sn_http_problem_said(struct sn_str body, char out[SN_HTTP_SAID_MAX])
{
	static const char *const members[] = {"detail", "title"};
	sn_autojson json_t *problem =
		body.n > 0 && body.n <= BODY_MAX ? sn_json_parse(body.p, body.n, NULL) : NULL;
	const char *said = NULL;

	for (size_t i = 0; i < SN_COUNT(members) && said == NULL; i++)
		said = json_string_value(json_object_get(problem, members[i]));
	if (said == NULL)
		said = "";
	snprintf(out, SN_HTTP_SAID_MAX, "%.*s", (int)fitting(said, SN_HTTP_SAID_MAX), said);
	for (char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return out;
}
