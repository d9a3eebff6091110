/* SPDX-License-Identifier: Apache-2.0 */
/*
 * derived: datasets that follow from the capabilities of mPlane peers.
 *
 * A capability of a peer has no declaration in our catalogue, so one is made of its
 * schema the first time somebody measures with it: the common columns, `when_end`, a column per
 * parameter and one per result column, with the elements' names (dots and capitals cannot be in a
 * column's name: `destination.ip4` is `destination_ip4`).  A result column `time` is the time of
 * the row.  The dataset's name is sn_offer_dataset()'s.
 *
 * Definitions are kept in the control database, because rows outlive the peer; they are in the
 * catalogue before the store is opened, and never change.
 */
#ifndef SONDE_HUB_DERIVED_H
#define SONDE_HUB_DERIVED_H

#include "data/batch.h"
#include "mplane/message.h"
#include "store/db.h"

#define SN_DERIVED_DAYS_MAX 60  /* UTC days of one result */
#define SN_DERIVED_NODE_MAX 129 /* bytes of a peer's name in rows, NUL included */

struct sn_derived;     /* all of them */
struct sn_derived_set; /* one: a dataset, and which element each column is */

/* `db` is borrowed.  Puts all into the catalogue; one that cannot be read is logged and left out.
 */
int sn_derived_open(struct sn_db *db, struct sn_derived **derived, struct sn_err *err);
void sn_derived_close(struct sn_derived *derived);

/*
 * That of the schema of `message` (a capability, specification or result; its label is `label`),
 * made and stored if it is new.  NULL: too many columns or datasets, or the database.
 */
const struct sn_derived_set *sn_derived_get(struct sn_derived *derived, const char *label,
					    const struct sn_mp_message *message, int64_t now_ns,
					    struct sn_err *err);
/* By the dataset's name; NULL. */
const struct sn_derived_set *sn_derived_find(const struct sn_derived *derived, const char *name);
const struct sn_dataset *sn_derived_dataset(const struct sn_derived_set *set);

/* Who observed, as rows name it: `provider`, or its beginning and a hash when it is too long. */
char *sn_derived_node(const char *provider, char out[SN_DERIVED_NODE_MAX]);

/* Rows of a peer, a batch per UTC day, in the order of the message. */
struct sn_derived_rows {
	struct sn_batch *batches[SN_DERIVED_DAYS_MAX];
	size_t count, rows;
};
struct sn_derived_origin {
	const char *node, *task;
	const struct sn_mp_message *specification; /* parameters that the result does not repeat */
	int64_t fallback_ns;                       /* when neither row nor message says when */
};
/* -EINVAL with the reason, and `rows` is empty. */
int sn_derived_read(const struct sn_derived_set *set, const struct sn_mp_message *result,
		    const struct sn_derived_origin *origin, struct sn_derived_rows *rows,
		    struct sn_err *err);
void sn_derived_rows_finish(struct sn_derived_rows *rows);

/* The way back: the result of `specification` from rows; no rows make a result without any. */
struct sn_mp_message *sn_derived_result(const struct sn_derived_set *set,
					const struct sn_mp_message *specification,
					const struct sn_batch *rows, int64_t fallback_ns);

#endif
