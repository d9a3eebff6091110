/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offer: the capabilities that follow from Sonde's own methods.
 *
 * Every method (data/method.h) is a capability by itself, in Sonde's registry:
 * label, parameters, ranges and columns come from its declaration and that of its
 * dataset.  Some methods are also offered under the labels, elements and units that
 * mPlane clients know; those views are rows of a table (offer_views.c), e.g.
 * ping-average-ip4 = ping with source.ip4, destination.ip4 and delays in microseconds.
 *
 * An offer turns a specification into what a node runs (method, parameters, scope)
 * and rows of the method's dataset into a result message.  Pure.
 *
 * Parameters and columns of a method become elements of Sonde's registry under their
 * own names:
 *
 *   count                          natural; "min ... max"
 *   flag                           boolean
 *   time, size                     string, as people write them: "200ms", "10kB"
 *   targets                        string, a list separated by commas
 *   text                           string, natural if only numbers can be chosen; "a,b"
 *   column of whole numbers        natural; what is negative is no value
 *   column of numbers, truth values, texts, times    real, boolean, string, time
 *
 * Optional parameters accept "*" beside their range: the method's default.  `period` is no
 * parameter, being the scope's; node, task and seq are no columns.
 *
 * How a scope is run (d its duration, p its period; of the inner scope if it repeats):
 *
 *                     method as it is            average view           detail view
 *   now               one run                    one request            one request
 *   now + d           one run, ended after d     p is 1 s               p is 1 s
 *   now + d / p       a run each p               one run of d / p       a run of one request
 *                                                requests, p apart      each p
 *   now ... future    one run, till interrupted  65535 requests, p      a run of one request
 *                                                apart, then it ends    each p
 *
 * Fewer than two samples are one run at once.  A method without `period` (flow) runs from start to
 * end.  The shortest period is a second, because scopes know none shorter; the longest is
 * the method's (a day), above it a scope has to repeat.
 */
#ifndef SONDE_MPLANE_OFFER_H
#define SONDE_MPLANE_OFFER_H

#include <jansson.h>

#include "data/batch.h"
#include "data/method.h"
#include "mplane/message.h"

/* What a node's capabilities depend on; addresses may be NULL: then the view of that family is not
 * offered. */
struct sn_mp_place {
	const char *system_id; /* metadata System_ID: name of the node */
	const char *ip4, *ip6; /* addresses it measures from */
	const char *software;  /* metadata System_version */
};

struct sn_mp_offer {
	const char *label;
	const char *registry;
	const struct sn_method *method;
	const struct sn_mp_view *view; /* NULL: the method as it is */
};

/* All offers of all methods, the native one of a method first. */
extern const struct sn_mp_offer *sn_mp_offers(size_t *count);
const struct sn_mp_offer *sn_mp_offer_find(const char *label); /* NULL */

/* Sonde's registry as JSON (format mplane-0), from the declarations. */
void sn_mp_offer_registry(struct sn_buf *out);
/* Adds it to `registries`, once. */
void sn_mp_offer_load(struct sn_mp_registries *registries);

/* The capability at `place`, without token; `registries` know Sonde's (sn_mp_offer_load()).  NULL
 * when the place cannot (no address). */
struct sn_mp_message *sn_mp_offer_capability(const struct sn_mp_offer *offer,
					     const struct sn_mp_registries *registries,
					     const struct sn_mp_place *place);

/* What to run for a specification. */
struct sn_mp_order {
	const struct sn_method *method;
	json_t *parameters;     /* checked by sn_method_check(); a reference of the caller's */
	struct sn_mp_when when; /* resolved at t0; when the process starts and is to be ended; it
				 * has a period only if the parameters have one, too */
};
/* `specification` has been matched; the source of a view may still be open.  -EINVAL names the
 * parameter or what about `when` is wrong. */
int sn_mp_offer_order(const struct sn_mp_offer *offer, const struct sn_mp_message *specification,
		      int64_t t0_ns, struct sn_mp_order *order, struct sn_err *err);
void sn_mp_order_finish(struct sn_mp_order *order);

/*
 * The result of `specification` from `rows` of the method's dataset (a whole iteration or run):
 * its columns and units, `when` from the first to the last row; no rows is a result without rows
 * and with `fallback_start_ns` as its time.  Averages are of all rows together; runs without a
 * reply give a count of 0 and "*".  Rows beyond what a message holds are left out, and metadata
 * "rows.omitted" tells how many.
 */
struct sn_mp_message *sn_mp_offer_result(const struct sn_mp_offer *offer,
					 const struct sn_mp_message *specification,
					 const struct sn_batch *rows, int64_t fallback_start_ns);

#endif
