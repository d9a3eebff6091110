/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/codec.h"

static void node_changed(const struct sn_node *node, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *json = NULL;
	sn_autofree char *text = NULL;

	sn_offers_set_node(hub->offers, sn_fleet_by_id(hub->fleet, node->id));
	if (!sn_events_wanted(hub->events, hub->topic_nodes))
		return;
	json = sn_fleet_json(hub->fleet, node, sn_hub_now(hub));
	text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
	sn_events_publish(hub->events, hub->topic_nodes, node->id, sn_str(text));
}

json_t *sn_publish_problems(const struct sn_hub *hub)
{
	const char *problem = sn_authority_problem(hub->authority);
	json_t *problems = json_array();
	char text[SN_ERR_TEXT_MAX];

	if (problem != NULL)
		json_array_append_new(problems, json_string(problem));
	problem = sn_moving_problem(hub);
	if (problem != NULL)
		json_array_append_new(problems, json_string(problem));
	problem = sn_dumps_problem(hub->dumps);
	if (problem != NULL)
		json_array_append_new(problems, json_string(problem));
	for (unsigned i = 0; (problem = sn_trust_problem(hub->trust, i)) != NULL; i++)
		json_array_append_new(problems, json_string(problem));
	sn_annotator_problem(hub->annotator, text, sizeof(text));
	if (text[0] != '\0')
		json_array_append_new(problems, json_string(text));
	return problems;
}

void sn_publish_problem(const char *problem, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *json = NULL;
	sn_autofree char *text = NULL;

	/* At start nobody listens yet, and the first answer has it. */
	if (hub->authority == NULL || !sn_events_wanted(hub->events, hub->topic_hub))
		return;
	(void)problem;
	json = json_pack("{s:o}", "problems", sn_publish_problems(hub));
	text = json_dumps(json, JSON_COMPACT);
	sn_events_publish(hub->events, hub->topic_hub, "", sn_str(text));
}

void sn_publish_init(struct sn_hub *hub)
{
	hub->topic_hub = sn_events_add_topic(hub->events, "hub");
	hub->topic_nodes = sn_events_add_topic(hub->events, "nodes");
	hub->topic_measurements = sn_events_add_topic(hub->events, "measurements");
	hub->topic_first_dataset = sn_events_topic_count(hub->events);
	for (size_t i = 0; i < sn_catalog_count; i++)
		sn_events_add_topic(hub->events, sn_catalog[i]->name);
	hub->topic_results = sn_events_add_topic(hub->events, "results");
	sn_fleet_on_change(hub->fleet, node_changed, hub);
}

static int topic_of(const struct sn_hub *hub, const struct sn_dataset *dataset)
{
	for (size_t i = 0; i < sn_catalog_count; i++) {
		if (sn_catalog[i] == dataset)
			return hub->topic_first_dataset + (int)i;
	}
	return hub->topic_results;
}

/* Datasets of run time share a topic, so that their events say which it is. */
static void open_event(struct sn_buf *data, const char *dataset, const char *node)
{
	struct sn_jw jw;

	sn_buf_clear(data);
	sn_jw_init(&jw, data);
	sn_jw_object(&jw);
	if (dataset != NULL)
		sn_jw_kcstr(&jw, "dataset", dataset);
	sn_jw_kcstr(&jw, "node", node);
	sn_jw_key(&jw, "rows");
	sn_jw_array(&jw);
}

/* Who observed: a node of ours, or whoever the rows name. */
static const char *observer(const struct sn_node *node, const struct sn_batch *batch, char *out,
			    size_t size)
{
	const struct sn_value *value;

	if (node != NULL)
		return node->id;
	value = sn_batch_get(batch, 0, SN_COL_NODE);
	snprintf(out, size, "%.*s", value->type == SN_TYPE_TEXT ? (int)value->s.n : 0, value->s.p);
	return out;
}

void sn_publish_rows(struct sn_node *node, const struct sn_batch *batch, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_dataset *dataset = sn_batch_dataset(batch);
	int topic = topic_of(hub, dataset);
	const char *name = topic == hub->topic_results ? dataset->name : NULL, *who;
	char text[SN_EVENTS_NODE_MAX];
	struct sn_buf data = {0};

	if (topic < 0 || !sn_events_wanted(hub->events, topic))
		return;
	who = observer(node, batch, text, sizeof(text));
	open_event(&data, name, who);
	for (size_t i = 0; i < sn_batch_rows(batch); i++) {
		sn_jsonl_write_row(&data, dataset, sn_batch_row(batch, i));
		data.p[data.n - 1] = ','; /* in place of the line feed */
		if (i + 1 < sn_batch_rows(batch) && data.n < SN_EVENTS_DATA_MAX)
			continue;
		data.n--;
		sn_buf_adds(&data, "]}");
		sn_events_publish(hub->events, topic, who, sn_buf_str(&data));
		open_event(&data, name, who);
	}
	sn_buf_finish(&data);
}
