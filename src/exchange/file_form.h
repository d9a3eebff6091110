/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_form: which form a file of others has, by its name and by what it begins with.
 *
 * The name comes first where it says something ("log_tcp_complete.gz", "ping.csv"), the
 * content decides the rest: a header line of Tstat names its log, records of the MONROE
 * testbed have a DataId, mPlane messages say what they are in their first members.
 */
#ifndef SONDE_EXCHANGE_FILE_FORM_H
#define SONDE_EXCHANGE_FILE_FORM_H

#include "base/err.h"
#include "data/tstat/columns.h"

#define SN_FORM_LOOK_MAX 65536 /* bytes of a file that are looked at */

enum sn_form {
	SN_FORM_AUTO,
	SN_FORM_TSTAT,
	SN_FORM_MONROE,
	SN_FORM_MPLANE,
	SN_FORM_CSV,
	SN_FORM_JSON_LINES,
	SN_FORMS
};

struct sn_form_found {
	enum sn_form form;
	const struct sn_tstat_table *table; /* of SN_FORM_TSTAT */
	const struct sn_dataset *dataset;   /* of CSV and JSON Lines: what the name says, or NULL */
};

const char *sn_form_name(enum sn_form form);             /* "auto", "tstat", "jsonl" */
int sn_form_parse(const char *name, enum sn_form *form); /* -EINVAL */

/*
 * `name`: what the file is called, which need not be where it is.  -EINVAL if it is of no form that
 * is known, with what was seen; an error of reading.
 */
int sn_form_find(const char *path, const char *name, struct sn_form_found *form,
		 struct sn_err *err);

/* Pure: the log whose columns a header line ("#31#c_ip:1 c_port:2 ...") has; NULL. */
const struct sn_tstat_table *sn_tstat_log_of_header(struct sn_str line);
/* The dataset that the name of a file begins with, behind digits and marks ("ping-2026.csv.gz",
 * "2026-03-01_ping.csv"); NULL. */
const struct sn_dataset *sn_dataset_of_file(const char *name);

#endif
