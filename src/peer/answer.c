/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/answer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/rand.h"

#define SAID_MAX (64 * 1024) /* of an answer that is read for its reason */

uint64_t sn_peer_backoff(uint64_t first_ns, unsigned failures, uint64_t max_ns)
{
	uint64_t span_ns = first_ns;

	for (unsigned i = 1; i < failures && span_ns < max_ns; i++)
		span_ns *= 2;
	span_ns = SN_MIN(span_ns, SN_MAX(max_ns, first_ns));
	return span_ns / 2 + sn_random_below(span_ns / 2 + 1);
}

bool sn_peer_answer_is_json(const struct sn_http_answer *answer)
{
	struct sn_str rest = sn_str(answer->content_type), type;

	sn_str_split(&rest, ';', &type);
	type = sn_str_trim(type);
	return type.n >= 4 && strncasecmp(type.p + type.n - 4, "json", 4) == 0;
}

static int code_of(unsigned status)
{
	static const struct {
		unsigned status;
		int code;
	} known[] = {
		{400, -EINVAL}, {401, -EACCES}, {403, -EACCES}, {404, -ENOENT},
		{408, -EAGAIN}, {428, -EAGAIN}, {429, -EAGAIN}, {503, -EAGAIN},
	};

	for (size_t i = 0; i < SN_COUNT(known); i++) {
		if (known[i].status == status)
			return known[i].code;
	}
	return -EIO;
}

/* What a peer says may come to stand on a terminal. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
	}
}

int sn_peer_answer_error(const struct sn_http_answer *answer, struct sn_err *err)
{
	static const char *const members[] = {"message", "detail", "reason", "title"};
	sn_autojson json_t *root = NULL;
	const char *said = NULL;

	if (answer->error != 0)
		return sn_err_set(err, answer->error, "%s", answer->err.text);
	if (sn_peer_answer_is_json(answer) && answer->body.n <= SAID_MAX)
		root = sn_json_parse(answer->body.p, answer->body.n, NULL);
	for (size_t i = 0; i < SN_COUNT(members) && said == NULL; i++)
		said = json_string_value(json_object_get(root, members[i]));
	if (said == NULL)
		return sn_err_set(err, code_of(answer->status), "the peer answers with status %u",
				  answer->status);
	sn_err_set(err, code_of(answer->status), "%.300s (status %u)", said, answer->status);
	make_printable(err->text);
	return err->code;
}
