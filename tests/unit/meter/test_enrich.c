/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/util.h"
#include "lib/mmdb.h"
#include "meter/view/privacy.h"
#include "net/enrich.h"

/* As GeoLite2 has it: networks in one file, countries in another. */
static void put_asn(struct mmdb *db, const char *ip, unsigned bits, uint32_t asn)
{
	mmdb_network(db, ip, bits);
	mmdb_map(&db->data, 2);
	mmdb_text(&db->data, "autonomous_system_number");
	mmdb_number(&db->data, 6, asn);
	mmdb_text(&db->data, "some_other_field");
	mmdb_text(&db->data, "whatever");
}

static void put_country(struct mmdb *db, const char *ip, unsigned bits, const char *code)
{
	mmdb_network(db, ip, bits);
	mmdb_map(&db->data, 1);
	mmdb_text(&db->data, "country");
	mmdb_map(&db->data, 1);
	mmdb_text(&db->data, "iso_code");
	mmdb_text(&db->data, code);
}

/* As others have it. */
static void put_flat(struct mmdb *db, const char *ip, unsigned bits, const char *asn,
		     const char *country)
{
	mmdb_network(db, ip, bits);
	mmdb_map(&db->data, 2);
	mmdb_text(&db->data, "asn");
	mmdb_text(&db->data, asn);
	mmdb_text(&db->data, "country_code");
	mmdb_text(&db->data, country);
}

static char directory[] = "/tmp/sonde-test-XXXXXX";

static const char *save(const struct mmdb *db, const char *name, size_t cut)
{
	static char paths[4][64];
	static unsigned next;
	char *path = paths[next++ % 4];
	struct sn_buf out = {0};
	struct sn_err err;

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	mmdb_write(db, &out);
	assert_int_equal(sn_fs_write_atomic(path, out.p, out.n - cut, 0600, &err), 0);
	sn_buf_finish(&out);
	return path;
}

static void find_is(const struct sn_enrichment *enrichment, const char *ip, uint32_t asn,
		    const char *country)
{
	uint8_t family = strchr(ip, ':') != NULL ? 6 : 4;
	uint64_t address[2] = {0};
	uint32_t found;
	char code[3];

	assert_int_equal(inet_pton(family == 6 ? AF_INET6 : AF_INET, ip, address), 1);
	sn_enrichment_find(enrichment, address, family, &found, code);
	assert_int_equal(found, asn);
	assert_string_equal(code, country);
}

static void networks_and_countries_come_from_any_file_that_has_them(void **state SN_UNUSED)
{
	static struct mmdb networks, countries;
	const char *paths[2];
	struct sn_enrichment *enrichment;
	struct sn_err err = {0};

	put_asn(&networks, "192.0.2.0", 24, 64500);
	put_asn(&networks, "2001:db8::", 32, 4200000000);
	put_country(&countries, "192.0.2.0", 25, "IT");
	put_country(&countries, "2001:db8::", 32, "DE");
	paths[0] = save(&networks, "asn.mmdb", 0);
	paths[1] = save(&countries, "country.mmdb", 0);
	if (sn_enrichment_open(paths, 2, &enrichment, &err) != 0)
		fail_msg("%s", err.text);
	find_is(enrichment, "192.0.2.1", 64500, "IT");
	find_is(enrichment, "192.0.2.200", 64500, "");
	find_is(enrichment, "2001:db8:1::1", 4200000000, "DE");
	find_is(enrichment, "198.51.100.1", 0, "");
	sn_enrichment_close(enrichment);
	sn_buf_finish(&networks.data);
	sn_buf_finish(&countries.data);
}

static void other_schemas_are_understood_or_passed_over(void **state SN_UNUSED)
{
	static struct mmdb db;
	const char *path;
	struct sn_enrichment *enrichment;
	struct sn_err err = {0};

	put_flat(&db, "192.0.2.0", 24, "AS64501", "FR");
	put_flat(&db, "198.51.100.0", 24, "none", "France");
	mmdb_network(&db, "203.0.113.0", 24);
	mmdb_text(&db.data, "just a text");
	path = save(&db, "flat.mmdb", 0);
	if (sn_enrichment_open(&path, 1, &enrichment, &err) != 0)
		fail_msg("%s", err.text);
	find_is(enrichment, "192.0.2.1", 64501, "FR");
	find_is(enrichment, "198.51.100.1", 0, "");
	find_is(enrichment, "203.0.113.1", 0, "");
	sn_enrichment_close(enrichment);
	sn_buf_finish(&db.data);
}

static void refuse(const char *path, int code, const char *reason)
{
	struct sn_enrichment *enrichment = (void *)1;
	struct sn_err err = {0};

	assert_int_equal(sn_enrichment_open(&path, 1, &enrichment, &err), code);
	assert_null(enrichment);
	assert_non_null(strstr(err.text, path));
	if (strstr(err.text, reason) == NULL)
		fail_msg("'%s' is not '%s'", err.text, reason);
}

static void damaged_files_are_refused_with_the_reason(void **state SN_UNUSED)
{
	static struct mmdb db;
	const char *path;
	struct sn_err err;

	put_asn(&db, "192.0.2.0", 24, 64500);
	refuse("/nonexistent.mmdb", -ENOENT, "No such file");
	refuse(save(&db, "cut.mmdb", 120), -EINVAL, "cannot use");
	path = save(&db, "text.mmdb", 0);
	assert_int_equal(sn_fs_write_atomic(path, "no such thing", 13, 0600, &err), 0);
	refuse(path, -EINVAL, "metadata");
	db.nodes[3][1] = MMDB_DATA | 100000; /* behind the end */
	refuse(save(&db, "wild.mmdb", 0), -EINVAL, "search tree");
	sn_buf_finish(&db.data);
}

static void flip(int fd, size_t at)
{
	char byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= (char)0xff;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

static void damage_at_any_byte_is_survived(void **state SN_UNUSED)
{
	static struct mmdb db;
	const char *path;
	struct sn_err err;
	uint64_t address[2] = {0};
	uint32_t asn;
	char country[3];
	int fd;

	put_flat(&db, "192.0.2.0", 24, "AS64501", "FR");
	put_asn(&db, "2001:db8::", 20, 64500);
	path = save(&db, "flip.mmdb", 0);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	for (size_t i = 0; i < (size_t)lseek(fd, 0, SEEK_END); i++) {
		struct sn_enrichment *enrichment;

		flip(fd, i);
		if (sn_enrichment_open(&path, 1, &enrichment, &err) == 0) {
			inet_pton(AF_INET, "192.0.2.1", address);
			sn_enrichment_find(enrichment, address, 4, &asn, country);
			inet_pton(AF_INET6, "2001:db8::1", address);
			sn_enrichment_find(enrichment, address, 6, &asn, country);
			sn_enrichment_close(enrichment);
		}
		flip(fd, i);
	}
	close(fd);
	sn_buf_finish(&db.data);
}

static void views_tell_the_origin_of_the_real_address(void **state SN_UNUSED)
{
	static struct mmdb db;
	const char *path;
	struct sn_enrichment *enrichment;
	struct sn_privacy *policy = sn_privacy_create();
	struct sn_viewer *viewer;
	struct sn_flow flow = {.key = {.family = 4, .protocol = SN_PROTO_ICMP}};
	struct sn_err err = {0};

	put_flat(&db, "192.0.2.0", 24, "AS64501", "FR");
	path = save(&db, "view.mmdb", 0);
	assert_int_equal(sn_enrichment_open(&path, 1, &enrichment, &err), 0);
	assert_int_equal(sn_privacy_parse(policy,
					  SN_STR("client_address drop\nserver_address hash\n"), "p",
					  &err),
			 0);
	inet_pton(AF_INET, "192.0.2.1", flow.key.low);
	inet_pton(AF_INET, "192.0.2.2", flow.key.high);
	viewer = sn_viewer_create(
		&(struct sn_viewer_options){.policy = policy, .enrichment = enrichment});
	for (unsigned i = 0; i < 2; i++) {
		const struct sn_view_flow *view = sn_viewer_flow(viewer, &flow, SN_END_IDLE, NULL);

		assert_int_equal(view->client.family, 0);
		assert_int_equal(view->client.asn, 64501);
		assert_string_equal(view->server.country, "FR");
		assert_memory_not_equal(view->server.ip, "\xc0\x00\x02\x02", 4);
	}
	sn_viewer_destroy(viewer);
	sn_privacy_destroy(policy);
	sn_enrichment_close(enrichment);
	sn_buf_finish(&db.data);
}

static void files_have_a_limit(void **state SN_UNUSED)
{
	static struct mmdb db;
	const char *paths[SN_ENRICHMENT_FILES_MAX + 1];
	struct sn_enrichment *enrichment;
	struct sn_err err = {0};

	put_asn(&db, "192.0.2.0", 24, 64500);
	paths[0] = save(&db, "many.mmdb", 0);
	for (unsigned i = 1; i < SN_COUNT(paths); i++)
		paths[i] = paths[0];
	assert_int_equal(sn_enrichment_open(paths, SN_ENRICHMENT_FILES_MAX, &enrichment, &err), 0);
	find_is(enrichment, "192.0.2.9", 64500, "");
	sn_enrichment_close(enrichment);
	assert_int_equal(sn_enrichment_open(paths, SN_ENRICHMENT_FILES_MAX + 1, &enrichment, &err),
			 -E2BIG);
	sn_buf_finish(&db.data);
}

static int make_directory(void **state SN_UNUSED)
{
	return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state SN_UNUSED)
{
	struct sn_err err;

	return sn_fs_remove_tree(directory, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_and_countries_come_from_any_file_that_has_them),
		cmocka_unit_test(other_schemas_are_understood_or_passed_over),
		cmocka_unit_test(damaged_files_are_refused_with_the_reason),
		cmocka_unit_test(damage_at_any_byte_is_survived),
		cmocka_unit_test(views_tell_the_origin_of_the_real_address),
		cmocka_unit_test(files_have_a_limit),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
