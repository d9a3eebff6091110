/* SPDX-License-Identifier: Apache-2.0 */
#include "net/enrich.h"

#include <errno.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/util.h"

#define TYPE_SHOWN_MAX 40
#define BUILD_MAX      UINT64_C(253402300799) /* the last second of the year 9999 */

struct sn_enrichment {
	unsigned count;
	MMDB_s files[SN_ENRICHMENT_FILES_MAX];
};

/* Where the makers of such files put it; the first that is there. */
static const char *const asn_paths[][3] = {
	{"autonomous_system_number"},
	{"asn"},
	{"as_number"},
	{"traits", "autonomous_system_number"},
};
static const char *const country_paths[][3] = {
	{"country", "iso_code"},
	{"registered_country", "iso_code"},
	{"country_code"},
	{"country"},
};

/* Opening ------------------------------------------------------------------------------- */

static bool is_sound_record(const MMDB_s *file, uint64_t record, uint8_t type)
{
	switch (type) {
	case MMDB_RECORD_TYPE_SEARCH_NODE:
		return record < file->metadata.node_count;
	case MMDB_RECORD_TYPE_DATA:
		/* The library has checked that it lies in front of the end of the file. */
	case MMDB_RECORD_TYPE_EMPTY:
		return true;
	default:
		return false;
	}
}

/* A branch that leads nowhere would only be noticed by the address that takes it. */
static int check_tree(const MMDB_s *file, const char *path, struct sn_err *err)
{
	MMDB_search_node_s node;

	for (uint32_t i = 0; i < file->metadata.node_count; i++) {
		int status = MMDB_read_node(file, i, &node);

		if (status != MMDB_SUCCESS)
			return sn_err_set(err, -EINVAL, "cannot use '%s': %s", path,
					  MMDB_strerror(status));
		if (!is_sound_record(file, node.left_record, node.left_record_type) ||
		    !is_sound_record(file, node.right_record, node.right_record_type))
			return sn_err_set(err, -EINVAL,
					  "cannot use '%s': its search tree is damaged at node %u",
					  path, i);
	}
	return 0;
}

static int open_file(struct sn_enrichment *enrichment, const char *path, struct sn_err *err)
{
	MMDB_s *file = &enrichment->files[enrichment->count];
	int status = MMDB_open(path, MMDB_MODE_MMAP, file);

	if (status == MMDB_FILE_OPEN_ERROR || status == MMDB_IO_ERROR)
		return sn_err_sys(err, errno != 0 ? -errno : -EIO, "cannot open '%s'", path);
	if (status != MMDB_SUCCESS)
		return sn_err_set(err, -EINVAL, "cannot use '%s': %s", path, MMDB_strerror(status));
	enrichment->count++;
	return check_tree(file, path, err);
}

int sn_enrichment_open(const char *const *paths, unsigned count, struct sn_enrichment **enrichment,
		       struct sn_err *err)
{
	struct sn_enrichment *opened;
	int error = 0;

	*enrichment = NULL;
	if (count > SN_ENRICHMENT_FILES_MAX)
		return sn_err_set(err, -E2BIG, "cannot open more than %d files of networks",
				  SN_ENRICHMENT_FILES_MAX);
	opened = sn_new(struct sn_enrichment);
	for (unsigned i = 0; i < count && error == 0; i++)
		error = open_file(opened, paths[i], err);
	if (error != 0) {
		sn_enrichment_close(opened);
		return error;
	}
	*enrichment = opened;
	return 0;
}

void sn_enrichment_close(struct sn_enrichment *enrichment)
{
	if (enrichment == NULL)
		return;
	for (unsigned i = 0; i < enrichment->count; i++)
		MMDB_close(&enrichment->files[i]);
	free(enrichment);
}

static void add_clean(struct sn_buf *out, const char *text)
{
	for (size_t i = 0; i < TYPE_SHOWN_MAX && text[i] != '\0'; i++)
		sn_buf_addc(out, text[i] > ' ' && text[i] <= '~' && text[i] != ',' ? text[i] : '_');
}

void sn_enrichment_version(const struct sn_enrichment *enrichment, struct sn_buf *out)
{
	for (unsigned i = 0; i < enrichment->count; i++) {
		const MMDB_metadata_s *metadata = &enrichment->files[i].metadata;
		time_t made = (time_t)SN_MIN(metadata->build_epoch, BUILD_MAX);
		char day[16];
		struct tm utc;

		strftime(day, sizeof(day), "%Y-%m-%d", gmtime_r(&made, &utc));
		sn_buf_adds(out, i > 0 ? ", " : "");
		add_clean(out, metadata->database_type != NULL ? metadata->database_type : "");
		sn_buf_addf(out, " %s", day);
	}
}

/* Asking -------------------------------------------------------------------------------- */

/* "AS64500" and "64500", too. */
static uint32_t as_number(const MMDB_entry_data_s *data)
{
	struct sn_str text;
	uint64_t number = 0;

	switch (data->type) {
	case MMDB_DATA_TYPE_UINT16:
		return data->uint16;
	case MMDB_DATA_TYPE_UINT32:
		return data->uint32;
	case MMDB_DATA_TYPE_UINT64:
		return data->uint64 <= UINT32_MAX ? (uint32_t)data->uint64 : 0;
	case MMDB_DATA_TYPE_UTF8_STRING:
		text = (struct sn_str){data->utf8_string, data->data_size};
		if (sn_str_has_prefix(text, "AS"))
			text = (struct sn_str){text.p + 2, text.n - 2};
		return sn_parse_u64(text, 0, UINT32_MAX, &number) == 0 ? (uint32_t)number : 0;
	default:
		return 0;
	}
}

static uint32_t find_asn(MMDB_entry_s *entry)
{
	MMDB_entry_data_s data;

	for (size_t i = 0; i < SN_COUNT(asn_paths); i++) {
		if (MMDB_aget_value(entry, &data, asn_paths[i]) == MMDB_SUCCESS && data.has_data &&
		    as_number(&data) != 0)
			return as_number(&data);
	}
	return 0;
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static void find_country(MMDB_entry_s *entry, char country[3])
{
	MMDB_entry_data_s data;

	for (size_t i = 0; i < SN_COUNT(country_paths); i++) {
		if (MMDB_aget_value(entry, &data, country_paths[i]) != MMDB_SUCCESS ||
		    !data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING ||
		    data.data_size != 2 || !is_upper(data.utf8_string[0]) ||
		    !is_upper(data.utf8_string[1]))
			continue;
		memcpy(country, data.utf8_string, 2);
		country[2] = '\0';
		return;
	}
}

static void set_sockaddr(const uint64_t address[2], uint8_t family, struct sockaddr_in6 *out)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	*out = (struct sockaddr_in6){.sin6_family = AF_INET6};
	if (family == 6) {
		memcpy(&out->sin6_addr, address, sizeof(out->sin6_addr));
		return;
	}
	memcpy(&v4.sin_addr, address, sizeof(v4.sin_addr));
	memcpy(out, &v4, sizeof(v4));
}

void sn_enrichment_find(const struct sn_enrichment *enrichment, const uint64_t address[2],
			uint8_t family, uint32_t *asn, char country[3])
{
	struct sockaddr_in6 where;

	*asn = 0;
	country[0] = '\0';
	set_sockaddr(address, family, &where);
	for (unsigned i = 0; i < enrichment->count && (*asn == 0 || country[0] == '\0'); i++) {
		int error = MMDB_SUCCESS;
		MMDB_lookup_result_s found = MMDB_lookup_sockaddr(
			&enrichment->files[i], (const struct sockaddr *)&where, &error);

		if (error != MMDB_SUCCESS || !found.found_entry)
			continue;
		if (*asn == 0)
			*asn = find_asn(&found.entry);
		if (country[0] == '\0')
			find_country(&found.entry, country);
	}
}
