/* SPDX-License-Identifier: Apache-2.0 */
/* import: what `sonde import` does with one file, through a hub or without. */
#ifndef SONDE_CLI_IMPORT_IMPORT_H
#define SONDE_CLI_IMPORT_IMPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/client.h"
#include "exchange/importer.h"

struct sn_import_verb {
	enum sn_form form;
	const char *dataset, *node;
	bool strict, detach, again, dry_run;
	const char *store;   /* directory; NULL: through the hub */
	const char *rejects; /* file for bad lines, without a hub; NULL: none */
};

/*
 * 0 and what the hub says of the import (a new reference), or what it would say.  -ECANCELED and
 * -EINTR end the whole verb.
 */
int sn_import_by_hub(struct sn_client *client, const struct sn_import_verb *verb, const char *path,
		     json_t **job, struct sn_err *err);

struct sn_import_here;
int sn_import_here_open(const struct sn_import_verb *verb, struct sn_import_here **here,
			struct sn_err *err);
void sn_import_here_close(struct sn_import_here *here);
int sn_import_here_file(struct sn_import_here *here, const char *path, json_t **job,
			struct sn_err *err);

/* Name of a file without its directories. */
const char *sn_import_name(const char *path);

#endif
