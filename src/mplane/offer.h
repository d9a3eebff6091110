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
/* Name of the element of a parameter or column in Sonde's registry is its own name. */

/* The capability at `place`, without token.  NULL when the place cannot (no address). */
struct sn_mp_message *sn_mp_offer_capability(const struct sn_mp_offer *offer,
					     const struct sn_mp_registries *registries,
					     const struct sn_mp_place *place);

/* What to run for a specification. */
struct sn_mp_order {
	const struct sn_method *method;
	json_t *parameters;     /* checked by sn_method_check(); a reference of the caller's */
	struct sn_mp_when when; /* resolved at t0; when the process starts and is to be ended */
};
/* `specification` has been matched.  -EINVAL names the parameter or what about `when` is wrong. */
int sn_mp_offer_order(const struct sn_mp_offer *offer, const struct sn_mp_message *specification,
		      int64_t t0_ns, struct sn_mp_order *order, struct sn_err *err);
void sn_mp_order_finish(struct sn_mp_order *order);

/*
 * The result of `specification` from `rows` of the method's dataset (a whole iteration or run):
 * its columns and units, `when` from the first to the last row; no rows is a result without rows
 * and with `fallback_start_ns` as its time.
 */
struct sn_mp_message *sn_mp_offer_result(const struct sn_mp_offer *offer,
					 const struct sn_mp_message *specification,
					 const struct sn_batch *rows, int64_t fallback_start_ns);

#endif
