/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offer_views: methods under the labels, elements and units that mPlane clients know,
 * as a table.  For the offer files only.
 *
 * Sources: the capabilities of the reference implementation's ping component; those of the
 * Tstat proxy (mPlane deliverable D5.3), which switches the logs of a running meter.
 */
#ifndef SONDE_MPLANE_OFFER_VIEWS_H
#define SONDE_MPLANE_OFFER_VIEWS_H

#include "mplane/offer.h"

enum sn_mp_fold { /* how a column of several rows becomes one value */
		  SN_MP_FOLD_MIN,
		  SN_MP_FOLD_MAX,
		  SN_MP_FOLD_SUM,
		  SN_MP_FOLD_MEAN, /* weighted */
};

struct sn_mp_view_column {
	const char *element;
	const char *column; /* of the dataset; a number or a time */
	double factor;      /* from its unit to the element's */
	enum sn_mp_fold fold;
	const char *weight; /* column, of a mean */
};

/*
 * Either a test towards an address, with columns, or a switch: then `elements` are the columns, the
 * only parameter is the system's own name, and the method is run with one fixed parameter.
 */
struct sn_mp_view {
	const char *label;
	const struct sn_method *method;
	bool average;                     /* one row of all; otherwise one for each reply */
	const char *family;               /* value of the method's `family` */
	const char *source, *destination; /* elements */
	const struct sn_mp_view_column *columns;
	size_t column_count;
	const char *parameter, *value; /* of the method; NULL: not a switch */
	const char *const *elements;   /* NULL-terminated */
};
#define SN_MP_SYSTEM_ID "System_ID"

extern const struct sn_mp_view *const sn_mp_views[];
extern const size_t sn_mp_view_count;
#define SN_MP_TSTAT_VIEWS 7
extern const struct sn_mp_view sn_mp_tstat_views[SN_MP_TSTAT_VIEWS]; /* offer_tstat.c */

static inline bool sn_mp_view_is_switch(const struct sn_mp_view *view)
{
	return view->parameter != NULL;
}

bool sn_mp_view_is_ip6(const struct sn_mp_view *view);
/* Of element `name`, or NULL. */
const struct sn_mp_view_column *sn_mp_view_column(const struct sn_mp_view *view, const char *name);

/* Parameters and columns of a method that are its capability's as well. */
bool sn_mp_offers_param(const struct sn_param *param);
bool sn_mp_offers_column(const struct sn_dataset *dataset, size_t column);

#endif
