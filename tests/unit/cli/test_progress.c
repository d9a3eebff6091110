/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/progress.h"
#include "cli/table.h"

static const char *line_of(enum sn_bar_unit unit, uint64_t first, uint64_t done, uint64_t total,
			   uint64_t elapsed_ns, const char *note, unsigned width)
{
	static char line[SN_BAR_TEXT_MAX];
	struct sn_bar bar = {.label = "import", .unit = unit, .first = first};

	sn_bar_line(&bar, done, total, elapsed_ns, note, width, line, sizeof(line));
	return line;
}

static void a_line_has_share_rate_and_time_left(void **state)
{
	(void)state;
	assert_string_equal(line_of(SN_BAR_ITEMS, 0, 25, 100, 5 * SN_NS_PER_S, NULL, 0),
			    "import   25 % [#####---------------] 25 of 100, 5/s, 16 s left");
	assert_non_null(strstr(line_of(SN_BAR_BYTES, 0, 2000000, 4000000, SN_NS_PER_S, "x", 0),
			       "2.0 MB of 4.0 MB, 2.0 MB/s, 2 s left  x"));
}

static void what_was_done_before_counts_for_the_share_only(void **state)
{
	const char *line = line_of(SN_BAR_ITEMS, 50, 60, 100, SN_NS_PER_S, NULL, 0);

	(void)state;
	assert_non_null(strstr(line, "60 %"));
	assert_non_null(strstr(line, "10/s, 5 s left"));
}

static void without_a_total_there_is_no_bar_and_no_end(void **state)
{
	(void)state;
	assert_string_equal(line_of(SN_BAR_ITEMS, 0, 30, 0, SN_NS_PER_S, NULL, 0),
			    "import  30, 30/s");
}

static void more_than_expected_is_all_of_it(void **state)
{
	(void)state;
	assert_non_null(strstr(line_of(SN_BAR_ITEMS, 0, 300, 100, SN_NS_PER_S, NULL, 0), "100 %"));
}

static void no_line_is_wider_than_the_terminal(void **state)
{
	(void)state;
	for (unsigned width = 1; width < 120; width++) {
		const char *line = line_of(SN_BAR_BYTES, 0, 123456789, 987654321, 100 * SN_NS_PER_S,
					   "K\xc3\xb6ln\033[2J.gz", width);

		assert_true(sn_text_width(line) <= width);
		assert_null(strchr(line, '\033'));
	}
}

static void long_times_are_told_in_hours(void **state)
{
	(void)state;
	assert_non_null(strstr(line_of(SN_BAR_ITEMS, 0, 10, 100000, 10 * SN_NS_PER_S, NULL, 0),
			       "27 h 46 min left"));
}

/* What a terminal gets from an update of a bar that began so long ago. */
static size_t bytes_on_terminal(uint64_t age_ns, char *out, size_t size)
{
	struct sn_bar bar;
	int master, slave;
	FILE *terminal;
	ssize_t got = 0;

	if (openpty(&master, &slave, NULL, NULL, &(struct winsize){.ws_col = 80, .ws_row = 24}) !=
	    0) {
		print_message("no pseudo terminals here\n");
		skip();
	}
	terminal = fdopen(slave, "w");
	setenv("TERM", "xterm", 1);
	sn_bar_begin(&bar, terminal, "import", SN_BAR_ITEMS, 0);
	bar.begun_ns -= age_ns;
	sn_bar_update(&bar, 1, 2, NULL);
	bar.drawn_ns = sn_mono_ns();
	sn_bar_update(&bar, 2, 2, NULL); /* too soon after the one before */
	sn_bar_clear(&bar);
	sn_bar_clear(&bar);
	fputs(".", terminal);
	fflush(terminal);
	do {
		ssize_t more = read(master, out + got, size - 1 - (size_t)got);

		assert_true(more > 0);
		got += more;
	} while (out[got - 1] != '.'); /* a terminal gives what has come so far */
	fclose(terminal);
	close(master);
	out[got] = '\0';
	return (size_t)got;
}

static void short_work_leaves_no_trace(void **state)
{
	char text[1024];

	(void)state;
	assert_int_equal(bytes_on_terminal(0, text, sizeof(text)), 1);
}

static void long_work_is_shown_and_taken_away(void **state)
{
	char text[1024];
	const char *erased;

	(void)state;
	bytes_on_terminal(3 * SN_NS_PER_S, text, sizeof(text));
	assert_non_null(strstr(text, "import   50 % ["));
	assert_null(strstr(text, "100 %"));
	erased = strstr(text + 1, "\r\033[K");
	assert_non_null(erased);
	assert_string_equal(erased, "\r\033[K.");
}

static void a_file_gets_nothing(void **state)
{
	FILE *file = tmpfile();
	struct sn_bar bar;

	(void)state;
	sn_bar_begin(&bar, file, "import", SN_BAR_ITEMS, 0);
	bar.begun_ns -= 10 * SN_NS_PER_S;
	sn_bar_update(&bar, 1, 2, NULL);
	sn_bar_clear(&bar);
	assert_int_equal(ftell(file), 0);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_share_rate_and_time_left),
		cmocka_unit_test(what_was_done_before_counts_for_the_share_only),
		cmocka_unit_test(without_a_total_there_is_no_bar_and_no_end),
		cmocka_unit_test(more_than_expected_is_all_of_it),
		cmocka_unit_test(no_line_is_wider_than_the_terminal),
		cmocka_unit_test(long_times_are_told_in_hours),
		cmocka_unit_test(short_work_leaves_no_trace),
		cmocka_unit_test(long_work_is_shown_and_taken_away),
		cmocka_unit_test(a_file_gets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
