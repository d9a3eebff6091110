/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The series of a capture beside those that Tstat made of it: all 1491 values of
 * the rrd.conf that it is shipped with, and all histogram files
 * (tests/data/series/README.md).
 */
#include "lib/test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/util.h"
#include "meter/app/app.h"
#include "meter/capture/file.h"
#include "meter/meter.h"
#include "meter/series/histogram.h"
#include "meter/series/series.h"

#define DATA       SN_TEST_DATA "/series"
#define VALUES_MAX 4096
#define FILE_MAX   65536

/* Values that differ, and why. */
static const struct {
	const char *name, *cause;
} allowed[] = {
	{"profile_cpu.idx0", "time that Tstat's own process took"},
	{"profile_flows.idx3", "a table of Tstat's that we do not have"},
};
static const char *const allowed_files[] = {"profile_cpu", "profile_flows"};

/* One run ------------------------------------------------------------------ */

static struct told {
	char name[64];
	int64_t seconds; /* of the end of its step */
	double value;
} told[VALUES_MAX];
static size_t told_count;
static char directory[64];
static struct sn_err err;

static void tell(const struct sn_traffic_value *value, void *ctx SN_UNUSED)
{
	struct told *slot = &told[told_count++];

	assert_true(told_count <= VALUES_MAX);
	snprintf(slot->name, sizeof(slot->name), "%s.%s", value->metric, value->stat);
	slot->seconds = value->time_ns / SN_NS_PER_S;
	slot->value = value->value;
}

static void report(const struct sn_flow *flow, enum sn_flow_end end, void *ctx)
{
	struct sn_view_flow view = {.flow = flow, .end = end};
	struct sn_sink sink = sn_traffic_sink(ctx);

	assert_int_equal(sink.ops->flow(sink.sink, &view), 0);
}

static void meter_file(const char *path, const struct sn_inside *inside, struct sn_traffic *traffic)
{
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	struct sn_apps_options app_options = {.names = names};
	struct sn_meter_options options;
	struct sn_capture_file *file = NULL;
	struct sn_packet packets[64];
	struct sn_meter *meter;
	int count;

	sn_meter_options_default(&options);
	options.inside = inside;
	options.series = traffic;
	options.apps = sn_apps_create(&app_options);
	meter = sn_meter_create(&options, report, traffic);
	if (sn_capture_file_open(path, &file, &err) != 0)
		fail_msg("%s", err.text);
	while ((count = sn_capture_file_read(file, packets, SN_COUNT(packets), &err)) > 0)
		sn_meter_packets(meter, sn_capture_file_link(file), packets, (size_t)count, 0);
	assert_int_equal(count, 0);
	sn_meter_flush(meter);
	sn_meter_destroy(meter);
	sn_apps_destroy(options.apps);
	sn_name_pool_destroy(names);
	sn_capture_file_close(file);
}

static void read_text(const char *path, struct sn_buf *text)
{
	sn_buf_clear(text);
	if (sn_fs_read(path, FILE_MAX, text, &err) != 0)
		fail_msg("%s", err.text);
	sn_buf_cstr(text);
}

static int setup(void **state SN_UNUSED)
{
	static const char networks[] = "10.0.0.0/8\n172.16.0.0/12\n192.168.0.0/16\n"
				       "fc00::/7\nfe80::/10\n";
	struct sn_networks *internal = sn_networks_parse(sn_str(networks), "networks", &err);
	struct sn_inside inside = {.internal = internal};
	struct sn_buf conf = {0};
	struct sn_traffic_options options = {
		.steps = 4, .value = tell, .inside = &inside, .tstat_steps = true};
	struct sn_traffic_board *board;
	struct sn_traffic *traffic;
	int fd;

	snprintf(directory, sizeof(directory), "/tmp/sonde-series-XXXXXX");
	assert_non_null(mkdtemp(directory));
	fd = open(directory, O_RDONLY | O_DIRECTORY);
	read_text(DATA "/rrd.conf", &conf);
	options.rrd_conf = conf.p;
	if (sn_traffic_board_create(&options, &board, &err) != 0)
		fail_msg("%s", err.text);
	sn_traffic_board_histograms(board, true);
	sn_traffic_board_directory(board, fd, 0);
	traffic = sn_traffic_create(board);
	meter_file(DATA "/instagram-headers.pcap", &inside, traffic);
	sn_traffic_destroy(traffic);
	assert_int_equal(sn_traffic_board_finish(board, &err), 0);
	sn_traffic_board_destroy(board);
	sn_networks_destroy(internal);
	sn_buf_finish(&conf);
	close(fd);
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	return sn_fs_remove_tree(directory, &err);
}

/* Values ------------------------------------------------------------------- */

static const struct told *find(const char *name, int64_t seconds)
{
	for (size_t i = 0; i < told_count; i++)
		if (told[i].seconds == seconds && strcmp(told[i].name, name) == 0)
			return &told[i];
	return NULL;
}

static const char *allowed_cause(const char *name)
{
	for (size_t i = 0; i < SN_COUNT(allowed); i++)
		if (strcmp(allowed[i].name, name) == 0)
			return allowed[i].cause;
	return NULL;
}

static bool is_same(double a, double b)
{
	return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-3 * fabs(b);
}

/* A line: name, time, value.  Tstat leaves a maximum as it was while there are no samples. */
static unsigned compare_line(char *line, bool *listed)
{
	char *rest = NULL, *name = strtok_r(line, "\t", &rest), *time = strtok_r(NULL, "\t", &rest);
	double expected = strtod(strtok_r(NULL, "\t\n", &rest), NULL);
	const struct told *value = find(name, strtoll(time, NULL, 10));

	if (value == NULL)
		fail_msg("%s of the step until %s is not told", name, time);
	listed[value - told] = true;
	if (is_same(value->value, expected) || allowed_cause(name) != NULL)
		return 0;
	print_message("%s until %s: %g, Tstat has %g\n", name, time, value->value, expected);
	return 1;
}

static int64_t last_step(void)
{
	return told[told_count - 1].seconds;
}

/* What the list leaves out is 0, or the percentile of nothing. */
static unsigned compare_unlisted(const struct told *value)
{
	char metric[64];
	double nothing;

	snprintf(metric, sizeof(metric), "%.*s", (int)strcspn(value->name, "."), value->name);
	nothing = sn_histogram_low(&sn_histograms[sn_histogram_find(sn_str(metric))], 0);
	if (value->value == 0 || allowed_cause(value->name) != NULL ||
	    (value->value == nothing && strstr(value->name, ".prc") != NULL))
		return 0;
	print_message("%s: %g, Tstat has nothing\n", value->name, value->value);
	return 1;
}

static void all_values_are_those_of_tstat(void **state SN_UNUSED)
{
	FILE *file = fopen(DATA "/instagram-values.tsv", "r");
	bool listed[VALUES_MAX] = {false};
	unsigned differences = 0, last = 0;
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		if (line[0] != '#')
			differences += compare_line(line, listed);
	fclose(file);
	for (size_t i = 0; i < told_count; i++) {
		last += told[i].seconds == last_step();
		if (told[i].seconds == last_step() && !listed[i])
			differences += compare_unlisted(&told[i]);
	}
	assert_int_equal(last, 1491);
	assert_int_equal(differences, 0);
}

/* Files -------------------------------------------------------------------- */

/* A line: directory and name, range, bins; as the file has them one below the other. */
static unsigned compare_file(char *line, struct sn_buf *ours)
{
	char *name = line, *range = strchr(line, '\t'), *path, *begin;
	size_t size;

	*range++ = '\0';
	path = sn_fs_join(directory, name);
	if (!sn_fs_exists(path)) {
		print_message("%s is not there\n", name);
		free(path);
		return 1;
	}
	read_text(path, ours);
	free(path);
	begin = strstr(ours->p, "\n#RANGE: ");
	assert_non_null(begin);
	begin += strlen("\n#RANGE: ");
	for (char *c = range; *c != '\0'; c++)
		if (*c == '\t')
			*c = '\n';
	size = strlen(range);
	if (strlen(begin) == size && memcmp(begin, range, size) == 0)
		return 0;
	print_message("%s:\n%sTstat has:\n%s", name, begin, range);
	return 1;
}

static bool is_allowed_file(const char *line)
{
	const char *name = strchr(line, '/');

	for (size_t i = 0; name != NULL && i < SN_COUNT(allowed_files); i++)
		if (strncmp(name + 1, allowed_files[i], strlen(allowed_files[i])) == 0)
			return true;
	return false;
}

static void all_histogram_files_are_those_of_tstat(void **state SN_UNUSED)
{
	FILE *file = fopen(DATA "/instagram-histograms.tsv", "r");
	struct sn_buf ours = {0};
	unsigned differences = 0, files = 0;
	static char line[FILE_MAX];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] == '#' || is_allowed_file(line))
			continue;
		files++;
		differences += compare_file(line, &ours);
	}
	fclose(file);
	sn_buf_finish(&ours);
	assert_in_range(files, 220, 300);
	assert_int_equal(differences, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_values_are_those_of_tstat),
		cmocka_unit_test(all_histogram_files_are_those_of_tstat),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
