/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/named.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/output.h"

char *sn_named_path(const struct sn_named *named, const char *name, struct sn_err *err)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				   "._-";

	if (name[0] == '\0' || name[0] == '.' || strspn(name, good) != strlen(name)) {
		sn_err_set(err, -EDOM, "there can be no '%.80s'", name);
		return NULL;
	}
	return sn_xasprintf("/api/v1/%s/%s", named->list, name);
}

int sn_named_remove(struct sn_client *client, const struct sn_named *named, bool json, int count,
		    char **names, struct sn_err *err)
{
	for (int i = 0; i < count; i++) {
		sn_autofree char *path = sn_named_path(named, names[i], err);
		int rc = path != NULL ? sn_client_call(client, "DELETE", path, NULL, NULL, err)
				      : err->code;

		if (rc != 0)
			return rc;
		if (json)
			sn_output_done(stdout, named->key, names[i], named->done);
		else
			printf("%s '%s'\n", named->done, names[i]);
	}
	return 0;
}
