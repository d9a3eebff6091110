/* SPDX-License-Identifier: Apache-2.0 */
/* What a meter's control socket answers: a body lies inside of the answer and is as long as it
 * says. */
#include <stdlib.h>

#include "meter/control/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_str text = {(const char *)data, size}, body;
	int status;

	if (!sn_control_answer_read(text, &status, &body))
		return 0;
	if (status < 100 || status > 599 || body.p < text.p || body.p + body.n != text.p + text.n)
		abort();
	return 0;
}
