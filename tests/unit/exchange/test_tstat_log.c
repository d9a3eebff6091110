/* SPDX-License-Identifier: Apache-2.0 */
/* Logs that Tstat wrote, and such that it would never write. */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/decompress.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "exchange/tstat_log.h"
#include "lib/squeeze.h"

#define DAYS_MAX 4

static struct sn_err err;

/* Columns for a few days, and what was bad. */
struct taken {
	struct sn_columns *days[DAYS_MAX];
	int32_t day[DAYS_MAX];
	size_t count, room;
	struct sn_buf bad; /* "line: reason|" */
	struct sn_intake intake;
	struct sn_intake_counts counts;
	int rc;
};

static struct sn_columns *place(void *ctx, const struct sn_dataset *dataset, int32_t day)
{
	struct taken *taken = ctx;

	for (size_t i = 0; i < taken->count; i++)
		if (taken->day[i] == day)
			return taken->days[i];
	if (taken->count == taken->room)
		return NULL;
	taken->day[taken->count] = day;
	taken->days[taken->count] = sn_columns_create(dataset);
	return taken->days[taken->count++];
}

static void note_bad(void *ctx, const struct sn_bad_line *bad)
{
	struct taken *taken = ctx;

	sn_buf_addf(&taken->bad, "%u: %s|", (unsigned)bad->line, bad->reason);
	assert_non_null(bad->text.p);
}

static void take(struct taken *taken, const struct sn_tstat_table *table, struct sn_input *input,
		 const char *node)
{
	struct sn_tstat_reader *reader;

	*taken = (struct taken){.room = taken->room > 0 ? taken->room : DAYS_MAX};
	taken->intake = (struct sn_intake){.place = place, .bad = note_bad, .ctx = taken};
	reader = sn_tstat_reader_create(input, table, sn_str(node), &taken->intake);
	while ((taken->rc = sn_tstat_reader_read(reader, 3, &err)) > 0)
		;
	taken->counts = *sn_tstat_reader_counts(reader);
	sn_tstat_reader_destroy(reader);
	sn_input_destroy(input);
	sn_buf_cstr(&taken->bad);
}

static void take_text(struct taken *taken, enum sn_tstat_log log, struct sn_str text)
{
	take(taken, &sn_tstat_tables[log], sn_input_create(text, SN_TSTAT_LOG_LINE_MAX), NULL);
}

static void drop(struct taken *taken)
{
	for (size_t i = 0; i < taken->count; i++)
		sn_columns_destroy(taken->days[i]);
	sn_buf_finish(&taken->bad);
}

static size_t rows_of(const struct taken *taken)
{
	size_t rows = 0;

	for (size_t i = 0; i < taken->count; i++)
		rows += sn_columns_rows(taken->days[i]);
	return rows;
}

static struct sn_value value_of(const struct taken *taken, size_t row, const char *name)
{
	struct sn_value values[SN_DATASET_COLUMNS_MAX];

	sn_columns_row(taken->days[0], row, values);
	return values[sn_dataset_column(sn_columns_dataset(taken->days[0]), name)];
}

/* Logs of the reference -------------------------------------------------- */

static void check_field(const struct sn_tstat_column *column, struct sn_value value,
			struct sn_str text)
{
	char printed[64];

	if (sn_str_eqc(text, "-") || sn_str_eqc(text, "---") ||
	    ((sn_str_eqc(text, "0.0") || sn_str_eqc(text, "-nan") || sn_str_eqc(text, "--")) &&
	     value.type == SN_TYPE_NULL)) {
		assert_int_equal(value.type, SN_TYPE_NULL);
		return;
	}
	if (column->type == SN_TSTAT_TYPE_TEXT) {
		text = sn_str_trim(text);
		assert_int_equal(value.type, SN_TYPE_TEXT);
		/* What is not UTF-8 was replaced. */
		if (memchr(value.s.p, '\xef', value.s.n) == NULL)
			assert_true(sn_str_eq(value.s, text));
		return;
	}
	if (value.type == SN_TYPE_I64)
		snprintf(printed, sizeof(printed), "%lld", (long long)value.i);
	else if (column->type == SN_TSTAT_TYPE_GENERAL)
		snprintf(printed, sizeof(printed), "%g", value.f);
	else
		snprintf(printed, sizeof(printed), "%.*f",
			 column->type == SN_TSTAT_TYPE_MILLI ? 3 : 6, value.f);
	if (!sn_str_eqc(text, printed))
		fail_msg("%s: '%s' is not '%.*s'", column->name, printed, (int)text.n, text.p);
}

static bool is_response(struct sn_str line)
{
	struct sn_str word = {0};

	for (int i = 0; i < 6; i++)
		sn_str_split(&line, '\t', &word);
	return sn_str_eqc(word, "HTTP") || sn_str_eqc(word, "RES2");
}

static void check_row(const struct sn_tstat_table *table, const struct sn_value *values,
		      struct sn_str line)
{
	struct sn_str word;

	if (table->mark != 0 && is_response(line))
		table = &sn_tstat_http_responses;
	/* All of them have all columns. */
	for (size_t i = 0; i < table->count; i++) {
		int position = sn_tstat_position(table, i);

		assert_true(sn_str_split(&line, table->separator, &word));
		if (position >= 0)
			check_field(&table->columns[i], values[position], word);
	}
	assert_int_equal(values[SN_COL_TIME].type, SN_TYPE_TIME);
}

static size_t check_log(const struct sn_tstat_table *table, struct sn_str text)
{
	struct taken taken = {0};
	size_t row[DAYS_MAX] = {0}, rows = 0;
	struct sn_str line, all = text;

	take(&taken, table, sn_input_create(text, SN_TSTAT_LOG_LINE_MAX), "rome");
	assert_int_equal(taken.rc, 0);
	assert_int_equal(taken.counts.bad, 0);
	assert_int_equal(taken.counts.bytes, text.n);
	while (sn_str_split(&all, '\n', &line)) {
		struct sn_value values[SN_DATASET_COLUMNS_MAX];

		if (line.n == 0 || line.p[0] == '#')
			continue;
		/* Nobody's clock ran over midnight in these captures but in one direction. */
		for (size_t day = 0; day < taken.count; day++)
			if (row[day] < sn_columns_rows(taken.days[day])) {
				sn_columns_row(taken.days[day], row[day]++, values);
				break;
			}
		check_row(table, values, line);
		assert_true(sn_str_eqc(values[SN_COL_NODE].s, "rome"));
		rows++;
	}
	assert_int_equal(rows_of(&taken), rows);
	assert_int_equal(taken.counts.rows, rows);
	drop(&taken);
	return rows;
}

static void read_archive(struct sn_buf *out)
{
	int fd = open(SN_TEST_DATA "/tstat-expected.tar.xz", O_RDONLY);
	struct sn_decompress *stream;
	uint8_t magic[SN_DECOMPRESS_MAGIC_MAX];
	ssize_t got;

	assert_true(fd >= 0);
	assert_int_equal(read(fd, magic, sizeof(magic)), sizeof(magic));
	stream = sn_decompress_create(fd, magic, sizeof(magic));
	assert_non_null(stream);
	do {
		sn_buf_reserve(out, 65536);
		got = sn_decompress_read(stream, out->p + out->n, 65536);
		assert_true(got >= 0);
		out->n += (size_t)got;
	} while (got > 0);
	sn_decompress_destroy(stream);
	close(fd);
}

/* The archive is in the ustar format: headers of 512 bytes, sizes in octal. */
static void logs_of_the_reference_come_as_they_were_printed(void **state)
{
	size_t rows[SN_TSTAT_LOGS] = {0}, files = 0;
	struct sn_buf archive = {0};

	(void)state;
	read_archive(&archive);
	for (size_t at = 0; at + 512 <= archive.n && archive.p[at] != '\0';) {
		const char *header = archive.p + at;
		size_t size = strtoul(header + 124, NULL, 8);
		const struct sn_tstat_table *table = sn_tstat_log_table(header);

		if (table != NULL && size > 0) {
			rows[table - sn_tstat_tables] +=
				check_log(table, (struct sn_str){header + 512, size});
			files++;
		}
		at += 512 + (size + 511) / 512 * 512;
	}
	assert_true(files > 300);
	assert_true(rows[SN_TSTAT_TCP_COMPLETE] > 100);
	assert_true(rows[SN_TSTAT_TCP_NOCOMPLETE] > 20);
	assert_true(rows[SN_TSTAT_UDP_COMPLETE] > 100);
	assert_true(rows[SN_TSTAT_HTTP_COMPLETE] > 100);
	assert_true(rows[SN_TSTAT_DNS_COMPLETE] > 100);
	assert_true(rows[SN_TSTAT_TCP_PERIODIC] > 100);
	assert_true(rows[SN_TSTAT_UDP_PERIODIC] > 100);
	sn_buf_finish(&archive);
}

/* Of logs that are empty in the archive: lines that Tstat wrote of other captures. */
static void logs_that_are_rare_come_as_they_were_printed(void **state)
{
	static const struct {
		enum sn_tstat_log log;
		const char *line;
	} cases[] = {
		{SN_TSTAT_MM_COMPLETE,
		 "R C 29 10.204.220.71 6000 1 0 1 0 10.204.220.171 6000 1 0 0 15 "
		 "24.2122 0 0 0 128 128 128 1332741131.936370 0.338971 17628 416036 "
		 "0x1646 0 0 0 0 34 15 0 0 0 0 0 0 0 0 0 0 1432 12 1175.200000 "
		 "129.243450 0 0 0 0 0 0"},
		{SN_TSTAT_CHAT_COMPLETE,
		 "172.16.0.62 57094 2785 44 0 0 0 0 0 0 172.16.1.138 5222 11027 42 0 0 "
		 "0 0 0 0 1502379723.841804 2.169 2 UNK 1 1 T 128 0 0"},
		{SN_TSTAT_CHAT_MESSAGES, "2 3 C 120 1502380126.010990 0.157 128"},
		{SN_TSTAT_VIDEO_COMPLETE,
		 "192.168.1.7 53181 34 0 33 31 359 1 359 0 0 0 1 1 23.246.11.141 80 19 "
		 "0 19 1 21057 16 21057 0 0 0 1 1 1484319056264.215088 "
		 "1484319064484.621094 8220.406000 71.987000 217.017000 71.987000 "
		 "7629.688000 63.035000 217.017000 1 1 0 0 1 0 15 76.436119 22.387000 "
		 "145.030000 62.600941 3 64 64 154.058042 1.136000 686.593000 "
		 "249.066131 14 59 59 0 2 -- -- 0.000000 0.000000 0 0 -- 0 0 0 0 0 8 7 "
		 "7 0.359 1.015 2.872 2.872 8 2 1 21.057 27.146 2.144 69.504 359 0 0 0 "
		 "0 0 0 0 0 0 1965 0 8688 0 1448 1448 7240 268 0 0 1 66053 0 0 0 0 0 0 "
		 "0 0 0 1 1 5 1 14 1460 359 359 131744 65535 0 359 359 359 0 0 0 0 0 0 "
		 "0 0 0 1 1 9 1 0 1460 1448 268 1049600 65535 0 5792 517 1965 0 0 0 0 0 "
		 "0 0 0 0 1 1 200 1 1 - - 0 0 0 0.000000 0.000000 0.000000 0.000000 0 0 "
		 "- - 0.0 0.0 23.246.11.141 - - 0"},
	};
	struct sn_buf text = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		const struct sn_tstat_table *table = &sn_tstat_tables[cases[i].log];

		sn_buf_clear(&text);
		sn_tstat_write_header(&text, table, 63);
		sn_buf_adds(&text, cases[i].line);
		sn_buf_addc(&text, '\n');
		assert_int_equal(check_log(table, sn_buf_str(&text)), 1);
	}
	sn_buf_finish(&text);
}

/* Headers ---------------------------------------------------------------- */

#define UDP_HEADER "#c_ip:1 c_port:2 c_first_abs:3 c_durat:4 fqdn:5\n"

static void columns_stand_where_the_header_says(void **state)
{
	struct taken taken = {0};

	(void)state;
	take_text(&taken, SN_TSTAT_TCP_COMPLETE,
		  SN_STR("#08#first:1 s_port:2 new_column:3 c_ip:4 c_rtt_avg:5\n"
			 "1470104381895.303955 443 what 10.0.0.1 19.227026\n"));
	assert_int_equal(taken.rc, 0);
	assert_int_equal(rows_of(&taken), 1);
	assert_int_equal(taken.counts.unknown, 1);
	assert_int_equal(value_of(&taken, 0, "time").i, 1470104381895303955);
	assert_true(value_of(&taken, 0, "first").f == 1470104381895.303955);
	assert_int_equal(value_of(&taken, 0, "s_port").i, 443);
	assert_true(sn_str_eqc(value_of(&taken, 0, "c_ip").s, "10.0.0.1"));
	assert_true(value_of(&taken, 0, "c_rtt_avg").f == 19.227026);
	assert_int_equal(value_of(&taken, 0, "c_port").type, SN_TYPE_NULL);
	assert_int_equal(value_of(&taken, 0, "node").type, SN_TYPE_NULL);
	drop(&taken);
}

static void headers_need_neither_a_level_nor_numbers(void **state)
{
	static const char *const headers[] = {"#31#c_ip:1 c_port:2 first:3\n",
					      "#c_ip:1 c_port:2 first:3\n", "#c_ip c_port first\n",
					      "#15#c_ip:1 c_port:2 first:3\r\n"};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(headers); i++) {
		sn_autofree char *text = sn_xasprintf("%s10.0.0.1 80 1000.000000\n", headers[i]);
		struct taken taken = {0};

		take_text(&taken, SN_TSTAT_TCP_COMPLETE, sn_str(text));
		assert_int_equal(taken.rc, 0);
		assert_int_equal(rows_of(&taken), 1);
		assert_int_equal(value_of(&taken, 0, "time").i, SN_NS_PER_S);
		drop(&taken);
	}
}

static void a_header_in_the_middle_counts_from_there_on(void **state)
{
	struct taken taken = {0};

	(void)state;
	take_text(&taken, SN_TSTAT_UDP_COMPLETE,
		  SN_STR(UDP_HEADER "10.0.0.1 53 1000.000000 0.5 -\n"
				    "#c_port:1 c_first_abs:2\n"
				    "54 2000.000000\n"));
	assert_int_equal(taken.rc, 0);
	assert_int_equal(rows_of(&taken), 2);
	assert_int_equal(value_of(&taken, 1, "c_port").i, 54);
	assert_int_equal(value_of(&taken, 1, "time").i, 2 * SN_NS_PER_S);
	assert_int_equal(value_of(&taken, 1, "c_ip").type, SN_TYPE_NULL);
	drop(&taken);
}

static void headers_that_cannot_be_used_refuse_the_file(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"10.0.0.1 53\n", "line 1: no header"},
		{"\n", "line 1: no header"},
		{"#c_ip:1 c_port:2\n", "no column that tells the time"},
		{"#\n", "no column that tells the time"},
		{"#c_first_abs:1 c_ip:3\n", "not numbered"},
		{"#c_first_abs:1 c_ip:x\n", "not numbered"},
		{"#c_first_abs:1 c_ip:2 c_ip:3\n", "a column twice"},
		{UDP_HEADER "#c_ip:1\n", "line 2: "},
	};
	struct sn_buf many = {0};
	struct taken taken = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		take_text(&taken, SN_TSTAT_UDP_COMPLETE, sn_str(cases[i].text));
		assert_int_equal(taken.rc, -EINVAL);
		assert_non_null(strstr(err.text, cases[i].reason));
		drop(&taken);
	}
	sn_buf_adds(&many, "#c_first_abs");
	for (unsigned i = 1; i < SN_TSTAT_LOG_FIELDS_MAX; i++)
		sn_buf_addf(&many, " x%u", i);
	take_text(&taken, SN_TSTAT_UDP_COMPLETE, sn_str(sn_buf_cstr(&many)));
	assert_int_equal(taken.rc, 0);
	assert_int_equal(taken.counts.unknown, SN_TSTAT_LOG_FIELDS_MAX - 1);
	drop(&taken);
	sn_buf_adds(&many, " one_more");
	take_text(&taken, SN_TSTAT_UDP_COMPLETE, sn_str(sn_buf_cstr(&many)));
	assert_int_equal(taken.rc, -EINVAL);
	assert_non_null(strstr(err.text, "too many columns"));
	drop(&taken);
	sn_buf_finish(&many);
}

static void the_name_of_a_file_says_which_log_it_is(void **state)
{
	(void)state;
	assert_ptr_equal(sn_tstat_log_table("a/2016_08_02.out/log_tcp_complete"),
			 &sn_tstat_tables[SN_TSTAT_TCP_COMPLETE]);
	assert_ptr_equal(sn_tstat_log_table("log_udp_complete.gz"),
			 &sn_tstat_tables[SN_TSTAT_UDP_COMPLETE]);
	assert_null(sn_tstat_log_table("log_udp_complete2"));
	assert_null(sn_tstat_log_table("log_udp_complete/x"));
	assert_null(sn_tstat_log_table("log_skype_complete")); /* nothing is known of its columns */
	assert_null(sn_tstat_log_table(""));
}

/* Lines ------------------------------------------------------------------ */

static void bad_lines_are_told_and_the_others_are_taken(void **state)
{
	static const struct {
		const char *line, *reason;
	} cases[] = {
		{"10.0.0.1 53 1000.000000 0.5", "4 fields where the header has 5"},
		{"10.0.0.1 53 1000.000000 0.5 - -", "6 fields where the header has 5"},
		{"10.0.0.1 53 1000.000000 0.5 - ", "6 fields where the header has 5"},
		{"", "1 fields where the header has 5"},
		{"10.0.0.1 5x 1000.000000 0.5 -", "'c_port' is not a number"},
		{"10.0.0.1 5.5 1000.000000 0.5 -", "'c_port' is not an integer"},
		{"10.0.0.1 18446744073709551615 1000.000000 0.5 -",
		 "'c_port' does not fit into 64 bits"},
		{"10.0.0.1 53 soon 0.5 -", "'c_first_abs' is not a number"},
		{"10.0.0.1 53 0.000000 0.5 -", "'c_first_abs' is not a point in time"},
		{"10.0.0.1 53 - 0.5 -", "'c_first_abs' is not a point in time"},
		{"10.0.0.1 53 -1000.000000 0.5 -", "'c_first_abs' is not a point in time"},
		{"10.0.0.1 53 9223372036855.000000 0.5 -", "'c_first_abs' is not a point in time"},
		{"10.0.0.1 53 1000.000000 0x5 -", "'c_durat' is not a number"},
		{"10.0.0.1 53 1000.000000 1e999 -", "'c_durat' is too large"},
		{"10.0.0.1  53 1000.000000 0.5 -", "6 fields where the header has 5"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		sn_autofree char *text = sn_xasprintf(
			UDP_HEADER "%s\n10.0.0.1 53 1000.000000 0.5 -\n", cases[i].line);
		sn_autofree char *expected = sn_xasprintf("2: %s", cases[i].reason);
		struct taken taken = {0};

		take_text(&taken, SN_TSTAT_UDP_COMPLETE, sn_str(text));
		assert_int_equal(taken.rc, 0);
		assert_int_equal(taken.counts.bad, 1);
		assert_int_equal(taken.counts.rows, 1);
		assert_int_equal(taken.counts.lines, 3);
		assert_true(sn_str_has_prefix(sn_buf_str(&taken.bad), expected));
		assert_int_equal(rows_of(&taken), 1);
		drop(&taken);
	}
}

static void lines_above_the_limit_are_bad_and_at_the_limit_good(void **state)
{
	struct sn_buf text = {0};
	struct taken taken = {0};

	(void)state;
	sn_buf_adds(&text, UDP_HEADER "10.0.0.1 53 1000.000000 0.5 ");
	while (text.n < sizeof(UDP_HEADER) - 1 + SN_TSTAT_LOG_LINE_MAX)
		sn_buf_addc(&text, 'x');
	sn_buf_addc(&text, '\n');
	take_text(&taken, SN_TSTAT_UDP_COMPLETE, sn_buf_str(&text));
	assert_int_equal(taken.counts.rows, 1);
	assert_int_equal(value_of(&taken, 0, "fqdn").s.n, SN_TEXT_MAX);
	drop(&taken);
	text.p[text.n - 1] = 'x';
	sn_buf_adds(&text, "\n10.0.0.1 53 1000.000000 0.5 -\n");
	take_text(&taken, SN_TSTAT_UDP_COMPLETE, sn_buf_str(&text));
	assert_int_equal(taken.counts.rows, 1);
	assert_string_equal(taken.bad.p, "2: the line is too long|");
	drop(&taken);
	sn_buf_finish(&text);
}

static void a_file_that_was_cut_loses_its_last_line_only(void **state)
{
	static const char text[] = UDP_HEADER "10.0.0.1 53 1000.000000 0.5 -\n"
					      "10.0.0.1 54 2000.000000 0.25 example.net";
	size_t first = strchr(strchr(text, '\n') + 1, '\n') + 1 - text;

	(void)state;
	for (size_t n = first; n < sizeof(text); n++) {
		struct taken taken = {0};

		take_text(&taken, SN_TSTAT_UDP_COMPLETE, (struct sn_str){text, n});
		assert_int_equal(taken.rc, 0);
		assert_int_equal(taken.counts.rows, 1);
		assert_int_equal(taken.counts.bad, n > first);
		if (n > first)
			assert_string_equal(taken.bad.p,
					    "3: the line has no end: the file was cut|");
		drop(&taken);
	}
}

static void compressed_logs_are_read_as_others(void **state)
{
	static void (*const ways[])(struct sn_str, struct sn_buf *) = {squeeze_gzip, squeeze_xz};
	struct sn_str text = SN_STR(UDP_HEADER "10.0.0.1 53 1000.000000 0.5 -\r\n"
					       "10.0.0.1 54 2000.000000 0.5 -\r\n");

	(void)state;
	for (size_t i = 0; i < SN_COUNT(ways); i++) {
		struct sn_buf file = {0};
		struct taken taken = {0};
		struct sn_input *input;
		char *path;

		ways[i](text, &file);
		path = write_file(sn_buf_str(&file));
		assert_int_equal(sn_input_open(path, SN_TSTAT_LOG_LINE_MAX, &input, &err), 0);
		take(&taken, &sn_tstat_tables[SN_TSTAT_UDP_COMPLETE], input, NULL);
		assert_int_equal(taken.rc, 0);
		assert_int_equal(rows_of(&taken), 2);
		assert_int_equal(value_of(&taken, 1, "fqdn").type, SN_TYPE_NULL);
		drop(&taken);
		unlink(path);
		free(path);
		sn_buf_finish(&file);
	}
}

static void numbers_that_are_none_are_null(void **state)
{
	static const char *const words[] = {"-", "nan", "-nan", "inf", "-inf"};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(words); i++) {
		sn_autofree char *text =
			sn_xasprintf(UDP_HEADER "10.0.0.1 - 1000.000000 %s -\n", words[i]);
		struct taken taken = {0};

		take_text(&taken, SN_TSTAT_UDP_COMPLETE, sn_str(text));
		assert_int_equal(taken.counts.rows, 1);
		assert_int_equal(value_of(&taken, 0, "c_port").type, SN_TYPE_NULL);
		assert_int_equal(value_of(&taken, 0, "c_durat").type, SN_TYPE_NULL);
		drop(&taken);
	}
}

static void unknown_times_are_null_and_zero_is_zero(void **state)
{
	struct taken taken = {0};

	(void)state;
	take_text(&taken, SN_TSTAT_TCP_COMPLETE,
		  SN_STR("#31#first:1 req_tm:2 res_tm:3 durat:4 c_rtt_avg:5\n"
			 "1000.0 0.0 0.000000 0.000000 0.0\n"));
	assert_int_equal(taken.counts.rows, 1);
	assert_int_equal(value_of(&taken, 0, "req_tm").type, SN_TYPE_NULL);
	assert_int_equal(value_of(&taken, 0, "res_tm").type, SN_TYPE_F64);
	assert_int_equal(value_of(&taken, 0, "durat").type, SN_TYPE_F64);
	drop(&taken);
}

static void texts_that_are_not_utf8_are_mended(void **state)
{
	struct taken taken = {0};

	(void)state;
	take_text(&taken, SN_TSTAT_HTTP_COMPLETE,
		  SN_STR("#C#time_abs:1\tuser_agent:2\tcookie:3\n"
			 "1.5\tM\xfcller/\xc3\xa9\t \n"));
	assert_int_equal(taken.counts.rows, 1);
	assert_int_equal(value_of(&taken, 0, "time").i, 1500 * SN_NS_PER_MS);
	assert_true(sn_str_eqc(value_of(&taken, 0, "user_agent").s, "M\xef\xbf\xbdller/\xc3\xa9"));
	assert_int_equal(value_of(&taken, 0, "cookie").type, SN_TYPE_NULL);
	drop(&taken);
}

static void responses_need_a_header_of_their_own(void **state)
{
	static const char requests[] =
		"#C#c_ip:1\tc_port:2\ts_ip:3\ts_port:4\ttime_abs:5\tmethod:6\t"
		"hostname:7\n";
	static const char responses[] =
		"#S#c_ip:1\tc_port:2\ts_ip:3\ts_port:4\ttime_abs:5\tHTTP:6\t"
		"response:7\n";
	static const char lines[] = "10.0.0.1\t1\t10.0.0.2\t80\t1.5\tGET\texample.net\n"
				    "10.0.0.1\t1\t10.0.0.2\t80\t1.75\tHTTP\t404\n"
				    "10.0.0.1\t1\t10.0.0.2\t80\t1.75\tRES2\t-\n";
	sn_autofree char *both = sn_xasprintf("%s%s%s", requests, responses, lines);
	sn_autofree char *one = sn_xasprintf("%s%s", requests, lines);
	struct taken taken = {0};

	(void)state;
	take_text(&taken, SN_TSTAT_HTTP_COMPLETE, sn_str(both));
	assert_int_equal(taken.counts.rows, 3);
	assert_true(sn_str_eqc(value_of(&taken, 0, "hostname").s, "example.net"));
	assert_int_equal(value_of(&taken, 0, "response").type, SN_TYPE_NULL);
	assert_true(sn_str_eqc(value_of(&taken, 1, "response").s, "404"));
	assert_int_equal(value_of(&taken, 1, "method").type, SN_TYPE_NULL);
	assert_int_equal(value_of(&taken, 2, "response").type, SN_TYPE_NULL);
	drop(&taken);
	take_text(&taken, SN_TSTAT_HTTP_COMPLETE, sn_str(one));
	assert_int_equal(taken.counts.rows, 1);
	assert_string_equal(taken.bad.p, "3: a response, but no header for responses|"
					 "4: a response, but no header for responses|");
	drop(&taken);
}

/* Numbers ---------------------------------------------------------------- */

static void decimals_are_the_nearest_doubles(void **state)
{
	struct sn_buf text = {0};
	struct sn_value values[SN_DATASET_COLUMNS_MAX];
	struct taken taken = {0};
	struct sn_prng prng;
	struct sn_str line, all;
	int column = sn_dataset_column(&sn_dataset_tstat_udp_complete, "c_durat");

	(void)state;
	sn_prng_seed(&prng, 7);
	sn_buf_adds(&text, "#c_first_abs:1 c_durat:2\n");
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t whole = sn_prng_u64(&prng) >> (i % 64);

		sn_buf_addf(&text, "1000.0 %llu.%06u\n",
			    (unsigned long long)(whole % 10000000000000ULL),
			    (unsigned)(sn_prng_u64(&prng) % 1000000));
	}
	/* Halfway between two doubles, and just beside it. */
	sn_buf_adds(&text, "1000.0 9007199254.740993\n1000.0 1099511627776.000122\n"
			   "1000.0 4503599627370.499023\n1000.0 9999999999999.999999\n");
	take_text(&taken, SN_TSTAT_UDP_COMPLETE, sn_buf_str(&text));
	assert_int_equal(taken.counts.bad, 0);
	all = sn_buf_str(&text);
	sn_str_split(&all, '\n', &line);
	for (size_t i = 0; i < sn_columns_rows(taken.days[0]); i++) {
		sn_str_split(&all, '\n', &line);
		sn_columns_row(taken.days[0], i, values);
		assert_true(values[column].f == strtod(line.p + 7, NULL));
	}
	drop(&taken);
	sn_buf_finish(&text);
}

static void times_keep_every_digit(void **state)
{
	static const struct {
		const char *ms;
		int64_t ns;
	} cases[] = {
		{"1470104381895.303955", 1470104381895303955},
		{"1470104381895", 1470104381895000000},
		{"1470104381895.3", 1470104381895300000},
		{"0.000001", 1},
		{"1.0000019", 1000001},
		{"9223372036854.775807", INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		sn_autofree char *text = sn_xasprintf("#31#first:1\n%s\n", cases[i].ms);
		struct taken taken = {0};

		take_text(&taken, SN_TSTAT_TCP_NOCOMPLETE, sn_str(text));
		assert_int_equal(taken.counts.rows, 1);
		assert_int_equal(value_of(&taken, 0, "time").i, cases[i].ns);
		drop(&taken);
	}
}

/* Days ------------------------------------------------------------------- */

static void rows_go_to_the_day_of_their_time(void **state)
{
	struct taken taken = {0};

	(void)state;
	take_text(&taken, SN_TSTAT_UDP_COMPLETE,
		  SN_STR("#c_first_abs:1 c_port:2 fqdn:3\n"
			 "86399999.999999 1 a.example\n"
			 "86400000.000000 2 b.example\n"
			 "86399999.999999 3 c.example\n"
			 "86400000.000001 4 d.example\n"
			 "86400000.000002 5 e.example\n"));
	assert_int_equal(taken.rc, 0);
	assert_int_equal(taken.count, 2);
	assert_int_equal(taken.day[0], 0);
	assert_int_equal(taken.day[1], 1);
	assert_int_equal(sn_columns_rows(taken.days[0]), 2);
	assert_int_equal(sn_columns_rows(taken.days[1]), 3);
	assert_true(sn_str_eqc(value_of(&taken, 0, "fqdn").s, "a.example"));
	assert_true(sn_str_eqc(value_of(&taken, 1, "fqdn").s, "c.example"));
	assert_int_equal(value_of(&taken, 1, "c_port").i, 3);
	drop(&taken);
}

static void no_place_for_a_row_stops_the_reader(void **state)
{
	struct taken taken = {.room = 1};

	(void)state;
	take_text(&taken, SN_TSTAT_UDP_COMPLETE,
		  SN_STR("#c_first_abs:1\n1.0\n2.0\n86400000.0\n3.0\n"));
	assert_int_equal(taken.rc, -ECANCELED);
	assert_int_equal(rows_of(&taken), 2);
	assert_int_equal(taken.counts.rows, 2);
	drop(&taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_of_the_reference_come_as_they_were_printed),
		cmocka_unit_test(logs_that_are_rare_come_as_they_were_printed),
		cmocka_unit_test(columns_stand_where_the_header_says),
		cmocka_unit_test(headers_need_neither_a_level_nor_numbers),
		cmocka_unit_test(a_header_in_the_middle_counts_from_there_on),
		cmocka_unit_test(headers_that_cannot_be_used_refuse_the_file),
		cmocka_unit_test(the_name_of_a_file_says_which_log_it_is),
		cmocka_unit_test(bad_lines_are_told_and_the_others_are_taken),
		cmocka_unit_test(lines_above_the_limit_are_bad_and_at_the_limit_good),
		cmocka_unit_test(a_file_that_was_cut_loses_its_last_line_only),
		cmocka_unit_test(compressed_logs_are_read_as_others),
		cmocka_unit_test(numbers_that_are_none_are_null),
		cmocka_unit_test(unknown_times_are_null_and_zero_is_zero),
		cmocka_unit_test(texts_that_are_not_utf8_are_mended),
		cmocka_unit_test(responses_need_a_header_of_their_own),
		cmocka_unit_test(decimals_are_the_nearest_doubles),
		cmocka_unit_test(times_keep_every_digit),
		cmocka_unit_test(rows_go_to_the_day_of_their_time),
		cmocka_unit_test(no_place_for_a_row_stops_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
