/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"

#include <stdlib.h>
#include <unistd.h>

void sn_cleanup_free(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

void sn_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int sn_steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}
