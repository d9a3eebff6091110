/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/offer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mplane/offer_views.h"

#define VIEW_PERIOD_NS (1 * SN_NS_PER_S) /* of a view whose scope has none */
/* What is left out of a scope that never ends. */
#define SAMPLES_UNLIMITED UINT64_MAX

/* Sampling: what a scope says about one iteration ------------------------ */

struct sampling {
	int64_t duration_ns; /* 0: a single moment; SN_MP_FOREVER */
	int64_t period_ns;   /* 0: none is given */
};

static bool is_singleton(const struct sn_mp_span *span)
{
	return span->end == SN_MP_UNSET && span->duration_ns < 0;
}

/* Of a resolved scope, or of an inner one, which stays relative. */
static struct sampling sampling_of(const struct sn_mp_when *when)
{
	const struct sn_mp_span *span = when->repeated ? &when->inner : &when->span;
	struct sampling sampling = {0};

	if ((when->repeated && !when->has_inner) || is_singleton(span))
		return sampling;
	sampling.period_ns = span->period_ns;
	if (span->duration_ns >= 0)
		sampling.duration_ns = span->duration_ns;
	else if (span->end == SN_MP_FUTURE)
		sampling.duration_ns = SN_MP_FOREVER;
	else
		sampling.duration_ns = SN_MAX(0, span->end - span->start);
	return sampling;
}

static uint64_t samples_of(const struct sampling *sampling)
{
	if (sampling->duration_ns == SN_MP_FOREVER)
		return SAMPLES_UNLIMITED;
	if (sampling->period_ns == 0)
		return 1;
	return SN_MAX(1u, (uint64_t)(sampling->duration_ns / sampling->period_ns));
}

/* The order's scope has a period only if the process is given one. */
static void clear_period(struct sn_mp_when *when)
{
	if (when->repeated)
		when->inner.period_ns = 0;
	else
		when->span.period_ns = 0;
}

/* `name` is a parameter of the method that is a time; above its range the scope is to blame. */
static int set_time(struct sn_mp_order *order, const char *name, int64_t time_ns,
		    struct sn_err *err)
{
	const struct sn_param *param = sn_method_param(order->method, name);
	char text[SN_DURATION_TEXT_MAX], most[SN_DURATION_TEXT_MAX];

	sn_format_duration(time_ns, text, sizeof(text));
	if (param->max != 0 && (uint64_t)time_ns > param->max)
		return sn_err_set(err, -EINVAL,
				  "a period of %s is longer than '%s' can do (at most %s; use "
				  "\"repeat ... / %s { now }\")",
				  text, order->method->name,
				  sn_format_duration((int64_t)param->max, most, sizeof(most)),
				  text);
	json_object_set_new(order->parameters, name, json_string(text));
	return 0;
}

/* The method as it is ---------------------------------------------------- */

/* Items between commas; blanks around them are nobody's. */
static json_t *list_of(const char *text)
{
	struct sn_str rest = sn_str(text), part;
	json_t *list = json_array();

	while (sn_str_split(&rest, ',', &part)) {
		part = sn_str_trim(part);
		json_array_append_new(list, json_stringn(part.p, part.n));
	}
	return list;
}

static json_t *value_of(const struct sn_param *param, const char *text)
{
	uint64_t number;

	switch (param->type) {
	case SN_PARAM_TARGETS:
		return list_of(text);
	case SN_PARAM_FLAG:
		return json_boolean(strcmp(text, "True") == 0);
	case SN_PARAM_COUNT:
		if (sn_parse_u64(sn_str(text), 0, INT64_MAX, &number) == 0)
			return json_integer((json_int_t)number);
		return json_string(text);
	default:
		return json_string(text);
	}
}

/* What has no value is left to the method's default, or missing. */
static int take_values(const struct sn_mp_message *specification, struct sn_mp_order *order,
		       struct sn_err *err)
{
	for (size_t i = 0; i < order->method->param_count; i++) {
		const struct sn_param *param = &order->method->params[i];
		const char *text = sn_mp_value(specification, param->name);

		if (!sn_mp_offers_param(param))
			continue;
		if (text != NULL &&
		    json_object_set_new(order->parameters, param->name, value_of(param, text)) != 0)
			return sn_err_set(err, -EINVAL, "parameter '%s' is not UTF-8", param->name);
		if (text == NULL && param->required)
			return sn_err_set(err, -EINVAL, "parameter '%s' has no value (%s)",
					  param->name, param->help);
	}
	return 0;
}

static int order_native(const struct sn_mp_message *specification, struct sn_mp_order *order,
			struct sn_err *err)
{
	struct sampling sampling = sampling_of(&order->when);
	int rc = take_values(specification, order, err);

	if (rc != 0)
		return rc;
	if (sampling.period_ns == 0)
		return 0;
	if (sn_method_param(order->method, "period") == NULL)
		return sn_err_set(err, -EINVAL,
				  "'%s' runs all the time and has no period (leave it out of "
				  "'when')",
				  order->method->name);
	if (samples_of(&sampling) > 1)
		return set_time(order, "period", sampling.period_ns, err);
	clear_period(&order->when);
	return 0;
}

/* Views ------------------------------------------------------------------ */

static int take_address(const struct sn_mp_view *view, const struct sn_mp_message *specification,
			const char *element, const char **address, struct sn_err *err)
{
	int family = sn_mp_view_is_ip6(view) ? AF_INET6 : AF_INET;
	struct in6_addr ignored;

	*address = sn_mp_value(specification, element);
	if (*address != NULL && inet_pton(family, *address, &ignored) != 1)
		return sn_err_set(err, -EINVAL, "parameter '%s': '%.100s' is no IPv%s address",
				  element, *address, view->family);
	return 0;
}

static int take_addresses(const struct sn_mp_view *view, const struct sn_mp_message *specification,
			  struct sn_mp_order *order, struct sn_err *err)
{
	const char *source, *destination;
	int rc = take_address(view, specification, view->source, &source, err);

	if (rc == 0)
		rc = take_address(view, specification, view->destination, &destination, err);
	if (rc != 0)
		return rc;
	if (destination == NULL)
		return sn_err_set(err, -EINVAL, "parameter '%s' has no value", view->destination);
	json_object_set_new(order->parameters, "targets", json_pack("[s]", destination));
	json_object_set_new(order->parameters, "family", json_string(view->family));
	if (source != NULL)
		json_object_set_new(order->parameters, "source", json_string(source));
	return 0;
}

/* One run of all requests, so that its row is the average. */
static int set_count(struct sn_mp_order *order, const struct sampling *sampling, struct sn_err *err)
{
	uint64_t count = samples_of(sampling), most = sn_method_param(order->method, "count")->max;

	if (count == SAMPLES_UNLIMITED)
		count = most;
	if (count > most)
		return sn_err_set(err, -EINVAL,
				  "%llu samples are more than one average can be of (at most %llu; "
				  "use a longer period, or a scope that repeats)",
				  (unsigned long long)count, (unsigned long long)most);
	json_object_set_new(order->parameters, "count", json_integer((json_int_t)count));
	clear_period(&order->when);
	return count > 1 ? set_time(order, "interval", sampling->period_ns, err) : 0;
}

/* A run, and a row, for each request. */
static int set_period(struct sn_mp_order *order, const struct sampling *sampling,
		      struct sn_err *err)
{
	json_object_set_new(order->parameters, "count", json_integer(1));
	clear_period(&order->when);
	if (samples_of(sampling) == 1)
		return 0;
	if (order->when.repeated)
		order->when.inner.period_ns = sampling->period_ns;
	else
		order->when.span.period_ns = sampling->period_ns;
	return set_time(order, "period", sampling->period_ns, err);
}

static int order_view(const struct sn_mp_view *view, const struct sn_mp_message *specification,
		      struct sn_mp_order *order, struct sn_err *err)
{
	struct sampling sampling = sampling_of(&order->when);
	int rc = take_addresses(view, specification, order, err);

	if (rc != 0)
		return rc;
	if (sampling.period_ns == 0)
		sampling.period_ns = VIEW_PERIOD_NS;
	return view->average ? set_count(order, &sampling, err) : set_period(order, &sampling, err);
}

static int order_switch(const struct sn_mp_view *view, struct sn_mp_order *order,
			struct sn_err *err)
{
	struct sampling sampling = sampling_of(&order->when);

	if (sampling.period_ns != 0)
		return sn_err_set(
			err, -EINVAL,
			"'%s' holds all the time and has no period (leave it out of 'when')",
			view->label);
	json_object_set_new(order->parameters, view->parameter, json_string(view->value));
	return 0;
}

/* Orders ----------------------------------------------------------------- */

int sn_mp_offer_order(const struct sn_mp_offer *offer, const struct sn_mp_message *specification,
		      int64_t t0_ns, struct sn_mp_order *order, struct sn_err *err)
{
	int rc;

	*order = (struct sn_mp_order){.method = offer->method};
	if (!specification->when.set)
		return sn_err_set(err, -EINVAL, "the specification has no 'when'");
	if (sn_mp_when_expired(&specification->when, t0_ns))
		return sn_err_set(err, -EINVAL, "'when': that time is over");
	order->when = sn_mp_when_resolve(&specification->when, t0_ns);
	order->parameters = json_object();
	if (offer->view == NULL)
		rc = order_native(specification, order, err);
	else if (sn_mp_view_is_switch(offer->view))
		rc = order_switch(offer->view, order, err);
	else
		rc = order_view(offer->view, specification, order, err);
	if (rc == 0)
		rc = sn_method_check(offer->method, order->parameters, err);
	if (rc != 0) {
		sn_mp_order_finish(order);
		if (err != NULL)
			err->code = -EINVAL;
	}
	return rc != 0 ? -EINVAL : 0;
}

void sn_mp_order_finish(struct sn_mp_order *order)
{
	json_decref(order->parameters);
	order->parameters = NULL;
}
