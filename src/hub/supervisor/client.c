/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "supervisor"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/sql.h"
#include "hub/supervisor/routes.h"

#define SETTLE_PEER_NS (15 * SN_NS_PER_S) /* for results of what was stopped */
#define SETTLE_NODE_NS (3 * SN_NS_PER_S)

/*
 * Clients are answered with status 200 whatever the answer is (the reference implementation's
 * reads nothing else), and never wait for anybody but for `mplane_wait`: then they get
 * the receipt.
 */

/* What was asked, as it was asked ------------------------------------------------------ */

/* Results come in the client's own words: its parameters, its columns, its scope. */
static struct sn_mp_message *read_asked(struct sn_supervisor *sup, const char *measure)
{
	struct sn_mp_message *asked = NULL;
	sqlite3_stmt *row =
		sn_db_query(sup->hub->control, NULL,
			    "SELECT message FROM mplane_requests WHERE measure = ?", "t", measure);

	if (row != NULL && sn_db_next(sup->hub->control, row, NULL) == 1)
		asked = sn_mp_decode(sup->hub->registries, sqlite3_column_text(row, 0),
				     (size_t)sqlite3_column_bytes(row, 0), 0, NULL, NULL);
	sn_db_done(row);
	return asked;
}

struct sn_mp_message *sn_sup_asked(struct sn_supervisor *sup, const struct sn_measure *measure)
{
	struct sn_mp_message *asked = read_asked(sup, measure->id);

	if (asked != NULL)
		return asked;
	asked = sn_mp_message_copy(measure->specification);
	sn_mp_set_text(&asked->token,
		       measure->client_token[0] != '\0' ? measure->client_token : measure->id);
	if (measure->client_label[0] != '\0')
		sn_mp_set_text(&asked->label, measure->client_label);
	return asked;
}

/* From a specification to a measurement ---------------------------------------------------- */

static json_t *parameters_of(const struct sn_mp_message *specification, bool native)
{
	json_t *parameters = json_object();

	for (size_t i = 0; i < specification->param_count; i++) {
		const struct sn_mp_param *param = &specification->params[i];

		if (param->value != NULL)
			json_object_set_new(parameters, param->name, json_string(param->value));
		else if (!native)
			json_object_set_new(parameters, param->name, json_string("*"));
	}
	return parameters;
}

/* The repository by name that a specification wants; -EACCES for a URL that is not listed. */
static int choose_repository(const struct sn_supervisor *sup,
			     const struct sn_mp_message *specification, const char **name,
			     struct sn_err *err)
{
	*name = NULL;
	if (specification->export_url == NULL || specification->export_url[0] == '\0')
		return 0;
	*name = sn_sup_repository_at(sup, specification->export_url);
	if (*name != NULL)
		return 0;
	return sn_err_set(err, -EACCES, "export: '%.200s' is no repository of this supervisor",
			  specification->export_url);
}

static bool is_group(const struct sn_sup_offered *wanted)
{
	return wanted->offer == NULL;
}

/* A group is those that the client sees: when there are others, ours are named. */
static void narrow(struct sn_supervisor *sup, const struct sn_asker *asker,
		   const struct sn_sup_offered *wanted, json_t **selection)
{
	const struct sn_hub_offer *const *offers;
	size_t count = sn_offers_labelled(sup->hub->offers, wanted->label, &offers), others = 0;
	sn_autojson json_t *seen = json_array();

	if (json_object_get(*selection, "nodes") != NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(offers[i]->schema, wanted->schema) != 0)
			continue;
		if (sn_sup_may(sup, asker, SN_MAY_DISCOVER, wanted->label, offers[i], NULL, NULL))
			json_array_append_new(seen, json_string(offers[i]->provider));
		else
			others++;
	}
	if (others == 0)
		return;
	if (*selection == NULL)
		*selection = json_object();
	json_object_set(*selection, "nodes", seen);
}

int sn_sup_measure(struct sn_supervisor *sup, const struct sn_asker *asker, const char *owner,
		   const struct sn_mp_message *specification, const struct sn_sup_offered *wanted,
		   const char *key, struct sn_measure **measure, struct sn_err *err)
{
	sn_autojson json_t *parameters = NULL, *selection = NULL;
	struct sn_buf when = {0}, message = {0};
	struct sn_measure_request request = {
		.owner = owner,
		.identities = asker->list,
		.capability = is_group(wanted) ? wanted->label : wanted->offer->token,
		.schema = is_group(wanted) ? wanted->schema : NULL,
		.key = key,
		.client_token = key == NULL ? specification->token : NULL,
		.client_label = specification->label,
	};
	int result;

	if (choose_repository(sup, specification, &request.repository, err) != 0)
		return err->code;
	parameters = parameters_of(specification, wanted->native);
	/* A group's device chooses among ours, unless a supervisor below has it already. */
	if (is_group(wanted) && !wanted->device_below) {
		selection = sn_sup_selection(sn_mp_value(specification, SN_DEVICE));
		json_object_del(parameters, SN_DEVICE);
	}
	if (is_group(wanted))
		narrow(sup, asker, wanted, &selection);
	request.parameters = parameters;
	request.selection = selection;
	sn_mp_when_print(&specification->when, &when);
	request.when = sn_buf_cstr(&when);
	sn_mp_encode(specification, 0, &message);
	request.client_message = sn_buf_cstr(&message);
	result = sn_measures_add(sup->hub->measures, &request, sn_hub_now(sup->hub), measure, err);
	sn_buf_finish(&when);
	sn_buf_finish(&message);
	return result;
}

/* Who waits ---------------------------------------------------------------------------------- */

struct wait {
	struct sn_list link;
	struct sn_supervisor *sup;
	struct sn_http_request *request;
	char measure[SN_ULID_SIZE];
	struct sn_timer timer;
	struct sn_sup_answer *answer; /* being made */
	int write_flags;
};

static void wait_destroy(struct wait *wait)
{
	if (wait->answer != NULL)
		sn_sup_answer_cancel(wait->answer);
	sn_timer_stop(&wait->timer);
	sn_list_remove(&wait->link);
	free(wait);
}

static void waiter_gone(struct sn_http_request *request, void *ctx)
{
	(void)request;
	wait_destroy(ctx);
}

static void answer_receipt(struct wait *wait)
{
	const struct sn_measure *measure =
		sn_measures_find(wait->sup->hub->measures, wait->measure);
	sn_automp struct sn_mp_message *asked = NULL, *receipt = NULL;

	if (measure == NULL) {
		sn_peer_refuse(wait->request, NULL, "the measurement was dropped");
	} else {
		asked = sn_sup_asked(wait->sup, measure);
		receipt = sn_mp_message_as(asked, SN_MP_RECEIPT);
		sn_peer_answer(wait->request, receipt, wait->write_flags);
	}
	wait_destroy(wait);
}

static void answer_made(const struct sn_mp_message *message, const struct sn_err *err, void *ctx)
{
	struct wait *wait = ctx;

	wait->answer = NULL;
	if (message == NULL)
		sn_peer_refuse(wait->request, NULL, "the results cannot be read now: %s",
			       err->text);
	else
		sn_peer_answer(wait->request, message, wait->write_flags);
	wait_destroy(wait);
}

static void make_answer(struct wait *wait, const struct sn_measure *measure)
{
	sn_timer_stop(&wait->timer);
	wait->answer = sn_sup_answer_make(wait->sup, measure, sn_sup_asked(wait->sup, measure),
					  answer_made, wait);
	if (wait->answer == NULL)
		answer_receipt(wait); /* too many at once: redeemed later */
}

static void waited_long_enough(struct sn_timer *timer)
{
	answer_receipt(sn_container_of(timer, struct wait, timer));
}

bool sn_sup_is_settling(const struct sn_supervisor *sup, const struct sn_measure *measure)
{
	int64_t now_ns = sn_hub_now(sup->hub);

	for (size_t i = 0; measure->state == SN_MEASURE_STOPPED && i < measure->part_count; i++) {
		const struct sn_measure_part *part = measure->parts[i];
		const struct sn_sup_peer *peer = sn_sup_peer_of(sup, part->provider);
		bool owed = peer != NULL ? sn_sup_job_find(peer, part->token) != NULL
					 : strncmp(part->provider, "node:", 5) == 0;

		if (part->state == SN_MEASURE_STOPPED && owed &&
		    now_ns - part->ended_ns < (peer != NULL ? SETTLE_PEER_NS : SETTLE_NODE_NS))
			return true;
	}
	return false;
}

/* Are there results to hand out, although it may go on? */
static bool has_something(const struct sn_supervisor *sup, const struct sn_measure *measure)
{
	if (sn_measure_state_is_final(measure->state))
		return !sn_sup_is_settling(sup, measure);
	if (!measure->specification->when.repeated)
		return false;
	for (size_t i = 0; i < measure->part_count; i++) {
		if (measure->parts[i]->results > 0)
			return true;
	}
	return false;
}

static void tell(struct sn_supervisor *sup, struct sn_http_request *request,
		 const struct sn_measure *measure, int write_flags, uint64_t patience_ns)
{
	struct wait *wait = sn_new(struct wait);

	wait->sup = sup;
	wait->request = request;
	wait->write_flags = write_flags;
	memcpy(wait->measure, measure->id, sizeof(wait->measure));
	sn_timer_init(&wait->timer, sup->loop, waited_long_enough);
	sn_list_append(&sup->waits, &wait->link);
	sn_http_on_abandon(request, waiter_gone, wait);
	if (has_something(sup, measure))
		make_answer(wait, measure);
	else if (patience_ns == 0 || sn_measure_state_is_final(measure->state) ||
		 measure->specification->when.repeated)
		answer_receipt(wait);
	else
		sn_timer_in(&wait->timer, patience_ns);
}

void sn_sup_client_changed(struct sn_supervisor *sup, const struct sn_measure *measure)
{
	if (!has_something(sup, measure))
		return;
	sn_list_for_each (link, &sup->waits) {
		struct wait *wait = sn_list_entry(link, struct wait, link);

		if (wait->answer == NULL && strcmp(wait->measure, measure->id) == 0)
			make_answer(wait, measure);
	}
}

void sn_sup_client_finish(struct sn_supervisor *sup)
{
	sn_list_for_each (link, &sup->waits)
		wait_destroy(sn_list_entry(link, struct wait, link));
}

/* Messages --------------------------------------------------------------------------------------
 */

struct take {
	struct sn_supervisor *sup;
	struct sn_http_request *request;
	const struct sn_asker *asker;
	struct sn_mp_message *message;
	const char *path_token;
	enum sn_sup_dialect dialect;
};

static int flags_of(const struct take *take)
{
	return SN_MP_WRITE_SAFE | (take->message->natives ? SN_MP_NATIVES : 0);
}

/* Dialect B has statuses, dialect A knows only 200. */
static void SN_PRINTF(3, 4)
	refuse(const struct take *take, unsigned status, const char *format, ...)
{
	sn_automp struct sn_mp_message *exception = NULL;
	char text[SN_ERR_TEXT_MAX];
	struct sn_buf out = {0};
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	exception = sn_mp_exception(take->message->token, "%s", text);
	sn_mp_encode(exception, SN_MP_WRITE_SAFE, &out);
	sn_http_reply(take->request, take->dialect == SN_SUP_NODE ? status : 200, SN_MP_MEDIA_TYPE,
		      out.p, out.n);
	sn_buf_finish(&out);
}

static const struct sn_sup_offered *choose(const struct take *take, const struct sn_sup_view *view,
					   struct sn_err *err)
{
	const struct sn_mp_message **list = sn_new_n(const struct sn_mp_message *, view->count + 1);
	int index;

	for (size_t i = 0; i < view->count; i++)
		list[i] = view->items[i].message;
	index = sn_mp_choose(take->message, list, view->count, sn_hub_now(take->sup->hub), err);
	free(list);
	return index >= 0 ? &view->items[index] : NULL;
}

static void refuse_unoffered(const struct take *take, const struct sn_err *reason)
{
	const struct sn_mp_message *gone =
		reason->code == -ENOTUNIQ
			? NULL
			: sn_sup_gone(take->sup, take->asker, take->path_token, take->message);
	sn_automp struct sn_mp_message *withdrawal = NULL;

	if (gone == NULL) {
		refuse(take, 403, "%s", reason->text);
		return;
	}
	withdrawal = sn_mp_message_as(gone, SN_MP_WITHDRAWAL);
	sn_peer_answer(take->request, withdrawal, flags_of(take));
}

/* Redemptions name it, and "-<n>" is what clients make labels with. */
static void name_it(const struct take *take, const struct sn_sup_offered *wanted)
{
	char token[SN_MP_HASH_SIZE], label[SN_MP_TEXT_MAX];

	if (take->message->token == NULL || take->message->token[0] == '\0') {
		sn_mp_token_random(token);
		sn_mp_set_text(&take->message->token, token);
	}
	if (take->message->label == NULL || take->message->label[0] == '\0') {
		snprintf(label, sizeof(label), "%.4000s-%" PRIu64, wanted->message->label,
			 take->sup->serial++);
		sn_mp_set_text(&take->message->label, label);
	}
}

static void order(const struct take *take, const struct sn_sup_offered *wanted)
{
	struct sn_measure *measure;
	struct sn_err err = {0};
	bool may_read;
	int result;

	if (wanted->offer != NULL && wanted->offer->stale && take->dialect == SN_SUP_NODE) {
		refuse(take, 503, "%s is not there now",
		       sn_sup_provider_name(take->sup, wanted->offer->provider));
		return;
	}
	name_it(take, wanted);
	result = sn_sup_measure(take->sup, take->asker, sn_sup_identity(take->asker), take->message,
				wanted, NULL, &measure, &err);
	if (result < 0) {
		refuse(take, result == -EINVAL ? 400 : 403, "%s", err.text);
		return;
	}
	/* Who may ask but not read gets the receipt. */
	may_read = sn_sup_may(take->sup, take->asker, SN_MAY_READ, measure->specification->label,
			      NULL, measure->id, NULL);
	tell(take->sup, take->request, measure, flags_of(take),
	     may_read ? (uint64_t)take->sup->hub->config->mplane_wait : 0);
}

static struct sn_measure *known_job(const struct take *take)
{
	const char *token = take->message->token;

	if (token == NULL || token[0] == '\0')
		return NULL;
	return sn_measures_by_client(take->sup->hub->measures, sn_sup_identity(take->asker), token);
}

/* To who may read it. */
static void tell_known(const struct take *take, const struct sn_measure *measure,
		       uint64_t patience_ns)
{
	struct sn_err err = {0};

	if (sn_sup_may(take->sup, take->asker, SN_MAY_READ, measure->specification->label, NULL,
		       measure->id, &err))
		tell(take->sup, take->request, measure, flags_of(take), patience_ns);
	else
		refuse(take, 403, "%s", err.text);
}

static void take_specification(const struct take *take)
{
	const struct sn_measure *known = known_job(take);
	const struct sn_sup_offered *wanted;
	struct sn_sup_view view = {0};
	struct sn_err err = {0};
	char base[300];

	if (known != NULL) { /* the same again is a question how far it is */
		tell_known(take, known, (uint64_t)take->sup->hub->config->mplane_wait);
		return;
	}
	if (!take->message->when.set) {
		refuse(take, 400, "the specification says nothing about when ('when' is missing)");
		return;
	}
	sn_sup_base(take->request, base, sizeof(base));
	sn_sup_view_for(take->sup, take->asker, base, take->path_token, take->message, &view);
	wanted = choose(take, &view, &err);
	if (wanted == NULL && take->path_token == NULL && err.code != -ENOTUNIQ) {
		/* The reason is that of those it named, if it named any. */
		bool named = view.count > 0;
		struct sn_err other = {0};

		sn_sup_view_finish(&view);
		sn_sup_view_make(take->sup, take->asker, base, take->message, &view);
		wanted = choose(take, &view, &other);
		if (!named || other.code == -ENOTUNIQ)
			err = other;
	}
	if (wanted != NULL)
		order(take, wanted);
	else
		refuse_unoffered(take, &err);
	sn_sup_view_finish(&view);
}

static void take_redemption(const struct take *take)
{
	const struct sn_measure *measure = known_job(take);

	if (measure == NULL)
		refuse(take, 403, "unknown job");
	else
		tell_known(take, measure, 0);
}

static void take_interrupt(const struct take *take)
{
	struct sn_measure *measure = known_job(take);
	sn_automp struct sn_mp_message *asked = NULL, *receipt = NULL;
	struct sn_err err = {0};

	if (measure == NULL) {
		refuse(take, 403, "unknown job");
		return;
	}
	if (!sn_sup_may(take->sup, take->asker, SN_MAY_STOP, measure->specification->label, NULL,
			measure->id, &err)) {
		refuse(take, 403, "%s", err.text);
		return;
	}
	if (sn_measure_state_is_final(measure->state)) {
		tell_known(take, measure, 0);
		return;
	}
	asked = sn_sup_asked(take->sup, measure);
	if (sn_measures_stop(take->sup->hub->measures, measure, sn_hub_now(take->sup->hub), &err) !=
	    0) {
		refuse(take, 500, "%s", err.text);
		return;
	}
	/* What it had measured may still be under way: by redemption. */
	receipt = sn_mp_message_as(asked, SN_MP_RECEIPT);
	sn_peer_answer(take->request, receipt, flags_of(take));
}

static void take_one(struct take *take)
{
	switch (take->message->kind) {
	case SN_MP_SPECIFICATION:
		take_specification(take);
		break;
	case SN_MP_REDEMPTION:
	case SN_MP_RECEIPT: /* some clients send back what they were given */
		take_redemption(take);
		break;
	case SN_MP_INTERRUPT:
		take_interrupt(take);
		break;
	case SN_MP_ENVELOPE:
		if (take->message->content_count == 1) {
			take->message = take->message->contents[0];
			take_one(take);
			break;
		}
		refuse(take, 400, "an envelope of %zu messages: send them one by one",
		       take->message->content_count);
		break;
	default:
		refuse(take, 400, "a %s is not a message for a supervisor",
		       sn_mp_kind_name(take->message->kind));
	}
}

void sn_sup_client_take(struct sn_supervisor *sup, struct sn_http_request *request,
			const struct sn_asker *asker, struct sn_mp_message *message,
			const char *token, enum sn_sup_dialect dialect)
{
	struct take take = {sup, request, asker, message, token, dialect};

	take_one(&take);
}

void sn_sup_post_message(struct sn_http_request *request, void *ctx)
{
	struct sn_supervisor *sup = ((struct sn_hub *)ctx)->supervisor;
	sn_automp struct sn_mp_message *message = NULL;
	struct sn_asker asker;

	sn_sup_asker_of(request, &asker);
	message = sn_peer_read(request, sup->hub->registries, NULL);
	if (message != NULL)
		sn_sup_client_take(sup, request, &asker, message, sn_http_param(request, "token"),
				   SN_SUP_SDK);
}
