/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "annotate"
#include "hub/annotate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/annotation.h"
#include "hub/sql.h"
#include "net/enrich.h"
#include "net/prefix.h"

#define PLACES (1U << 13) /* of a thread's cache: 8,192 addresses, half a megabyte */

/* Nobody's but those who use them (RFC 6890 and the registries it made). */
static const char special[] = "0.0.0.0/8\n10.0.0.0/8\n100.64.0.0/10\n127.0.0.0/8\n169.254.0.0/16\n"
			      "172.16.0.0/12\n192.168.0.0/16\n224.0.0.0/3\n"
			      "::/127\nfc00::/7\nfe80::/10\nff00::/8\n";

struct databases { /* one reading of the files */
	struct sn_enrichment *enrichment;
	char *version;
	int64_t loaded_ns;
	unsigned users;
};

struct sn_annotator {
	const struct sn_conf_texts *files;
	struct sn_prefixes special;
	pthread_mutex_t lock;        /* of what is below */
	struct databases *databases; /* NULL: none yet */
	char problem[SN_ERR_TEXT_MAX];
};

struct found {
	uint8_t size; /* of the text; 0: nothing here */
	char text[INET6_ADDRSTRLEN];
	char country[3];
	uint32_t asn;
};

struct sn_annotations {
	struct sn_annotator *annotator;
	struct databases *databases; /* that `found` is from */
	struct found found[PLACES];
};

/* Databases ----------------------------------------------------------------------- */

/* With the lock. */
static void release(struct databases *databases)
{
	if (databases == NULL || --databases->users > 0)
		return;
	sn_enrichment_close(databases->enrichment);
	free(databases->version);
	free(databases);
}

static struct databases *read_files(const struct sn_annotator *annotator, struct sn_err *err)
{
	struct databases *databases = sn_new(struct databases);
	struct sn_buf version = {0};

	if (sn_enrichment_open((const char *const *)annotator->files->items,
			       annotator->files->count, &databases->enrichment, err) != 0) {
		free(databases);
		return NULL;
	}
	sn_enrichment_version(databases->enrichment, &version);
	sn_buf_cstr(&version);
	databases->version = version.p;
	databases->loaded_ns = sn_wall_ns();
	databases->users = 1;
	return databases;
}

int sn_annotator_load(struct sn_annotator *annotator, struct sn_err *err)
{
	struct databases *fresh, *old = NULL;

	if (annotator->files->count == 0)
		return 0;
	fresh = read_files(annotator, err);
	pthread_mutex_lock(&annotator->lock);
	snprintf(annotator->problem, sizeof(annotator->problem), "%s",
		 fresh == NULL ? err->text : "");
	if (fresh != NULL) {
		old = annotator->databases;
		annotator->databases = fresh;
		release(old);
	}
	pthread_mutex_unlock(&annotator->lock);
	return fresh != NULL ? 0 : err->code;
}

void sn_annotator_problem(struct sn_annotator *annotator, char *out, size_t size)
{
	pthread_mutex_lock(&annotator->lock);
	snprintf(out, size, "%s", annotator->problem);
	pthread_mutex_unlock(&annotator->lock);
}

json_t *sn_annotator_json(struct sn_annotator *annotator)
{
	json_t *files = json_array(), *json;

	for (unsigned i = 0; i < annotator->files->count; i++)
		json_array_append_new(files, json_string(annotator->files->items[i]));
	pthread_mutex_lock(&annotator->lock);
	json = json_pack(
		"{s:o, s:o, s:o, s:o}", "files", files, "version",
		sn_json_text(annotator->databases != NULL ? annotator->databases->version : NULL),
		"loaded",
		sn_json_time(annotator->databases != NULL ? annotator->databases->loaded_ns : 0),
		"problem", sn_json_text(annotator->problem));
	pthread_mutex_unlock(&annotator->lock);
	return json;
}

struct sn_annotator *sn_annotator_create(const struct sn_conf_texts *files)
{
	struct sn_annotator *annotator = sn_new(struct sn_annotator);
	struct sn_err err = {0};

	annotator->files = files;
	pthread_mutex_init(&annotator->lock, NULL);
	if (sn_prefixes_parse(&annotator->special, sn_str(special), "special", &err) != 0)
		abort(); /* they are written above */
	return annotator;
}

void sn_annotator_destroy(struct sn_annotator *annotator)
{
	if (annotator == NULL)
		return;
	release(annotator->databases);
	sn_prefixes_finish(&annotator->special);
	pthread_mutex_destroy(&annotator->lock);
	free(annotator);
}

/* Asking ---------------------------------------------------------------------------- */

/* Takes the newest databases; false when there are none. */
static bool refresh(struct sn_annotations *annotations)
{
	struct sn_annotator *annotator = annotations->annotator;

	pthread_mutex_lock(&annotator->lock);
	if (annotations->databases != annotator->databases) {
		release(annotations->databases);
		annotations->databases = annotator->databases;
		annotations->databases->users++;
		memset(annotations->found, 0, sizeof(annotations->found));
	}
	pthread_mutex_unlock(&annotator->lock);
	return annotations->databases != NULL;
}

static void look_up(struct sn_annotations *annotations, struct found *found)
{
	const struct sn_annotator *annotator = annotations->annotator;
	uint64_t address[2] = {0};
	struct sn_addr addr;

	found->asn = 0;
	found->country[0] = '\0';
	if (sn_addr_parse(sn_str(found->text), 0, &addr) != 0 ||
	    sn_prefixes_find(&annotator->special, &addr) != NULL)
		return;
	if (addr.sa.sa_family == AF_INET)
		memcpy(address, &addr.in.sin_addr, sizeof(addr.in.sin_addr));
	else
		memcpy(address, &addr.in6.sin6_addr, sizeof(addr.in6.sin6_addr));
	sn_enrichment_find(annotations->databases->enrichment, address,
			   addr.sa.sa_family == AF_INET ? 4 : 6, &found->asn, found->country);
}

/* FNV-1a, of at most 45 bytes: whoever makes them collide waits for his own rows. */
static unsigned place_of(struct sn_str text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < text.n; i++)
		hash = (hash ^ (uint8_t)text.p[i]) * 0x100000001b3;
	return (unsigned)(hash >> 40) % PLACES;
}

/* Of an address as text; NULL for what cannot be one. */
static const struct found *find(struct sn_annotations *annotations, struct sn_str text)
{
	struct found *found;

	if (text.n == 0 || text.n >= sizeof(found->text))
		return NULL;
	found = &annotations->found[place_of(text)];
	if (found->size == text.n && memcmp(found->text, text.p, text.n) == 0)
		return found;
	memcpy(found->text, text.p, text.n);
	found->text[text.n] = '\0';
	found->size = (uint8_t)text.n;
	look_up(annotations, found);
	return found;
}

static struct sn_value asn_value(const struct found *found)
{
	return (struct sn_value){.type = SN_TYPE_I64, .i = found->asn};
}

static struct sn_value text_value(const char *text)
{
	return (struct sn_value){.type = SN_TYPE_TEXT, .s = sn_str(text)};
}

/* Rows --------------------------------------------------------------------------------- */

/* One table or the other, which differ in how a value is set. */
struct rows {
	struct sn_batch *batch;
	struct sn_columns *columns;
};

static void set(const struct rows *rows, size_t row, int column, struct sn_value value)
{
	if (rows->batch != NULL)
		sn_batch_set(rows->batch, row, column, value);
	else
		sn_columns_fill_in(rows->columns, row, column, value);
}

/* Whether anything was told. */
static bool tell(struct sn_annotations *annotations, const struct rows *rows, size_t row,
		 const struct sn_annotated *annotated, const struct sn_value *values)
{
	bool told = false;

	for (unsigned i = 0; i < annotated->count; i++) {
		const struct sn_value *address = &values[annotated->items[i].address];
		int asn = annotated->items[i].asn, country = annotated->items[i].country;
		bool no_asn = values[asn].type == SN_TYPE_NULL;
		bool no_country = values[country].type == SN_TYPE_NULL;
		const struct found *found = NULL;

		if (address->type == SN_TYPE_TEXT && (no_asn || no_country))
			found = find(annotations, address->s);
		if (found == NULL)
			continue;
		if (no_asn && found->asn != 0) {
			set(rows, row, asn, asn_value(found));
			told = true;
		}
		if (no_country && found->country[0] != '\0') {
			set(rows, row, country, text_value(found->country));
			told = true;
		}
	}
	return told;
}

static void tell_row(struct sn_annotations *annotations, const struct rows *rows, size_t row,
		     const struct sn_annotated *annotated, const struct sn_value *values)
{
	if (tell(annotations, rows, row, annotated, values) && annotated->annotation >= 0)
		set(rows, row, annotated->annotation, text_value(annotations->databases->version));
}

void sn_annotate_batch(struct sn_annotations *annotations, struct sn_batch *batch)
{
	struct rows rows = {.batch = batch};
	struct sn_annotated annotated;

	if (annotations->annotator->files->count == 0 ||
	    !sn_dataset_annotated(sn_batch_dataset(batch), &annotated) || !refresh(annotations))
		return;
	for (size_t i = 0; i < sn_batch_rows(batch); i++)
		tell_row(annotations, &rows, i, &annotated, sn_batch_row(batch, i));
}

void sn_annotate_columns(struct sn_annotations *annotations, struct sn_columns *columns)
{
	struct rows rows = {.columns = columns};
	struct sn_value values[SN_DATASET_COLUMNS_MAX];
	struct sn_annotated annotated;

	if (annotations->annotator->files->count == 0 ||
	    !sn_dataset_annotated(sn_columns_dataset(columns), &annotated) || !refresh(annotations))
		return;
	for (size_t i = 0; i < sn_columns_rows(columns); i++) {
		sn_columns_row(columns, i, values);
		tell_row(annotations, &rows, i, &annotated, values);
	}
}

struct sn_annotations *sn_annotations_create(struct sn_annotator *annotator)
{
	struct sn_annotations *annotations = sn_new(struct sn_annotations);

	annotations->annotator = annotator;
	return annotations;
}

void sn_annotations_destroy(struct sn_annotations *annotations)
{
	if (annotations == NULL)
		return;
	pthread_mutex_lock(&annotations->annotator->lock);
	release(annotations->databases);
	pthread_mutex_unlock(&annotations->annotator->lock);
	free(annotations);
}
