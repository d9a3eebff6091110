/* SPDX-License-Identifier: Apache-2.0 */
/* The manual says everything that the tables and the sources say. */
#include "lib/test.h"

#include <dirent.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "hub/config.h"
#include "hub/problems.h"

static struct sn_buf manual;

static void read_source(const char *path, struct sn_buf *out)
{
	const char *root = getenv("SONDE_SOURCE_ROOT");
	sn_autofree char *whole = sn_fs_join(root != NULL ? root : ".", path);
	struct sn_err err = {0};

	if (sn_fs_read(whole, 1 << 20, out, &err) != 0)
		fail_msg("%s", err.text);
}

static int start(void **state)
{
	(void)state;
	read_source("man/sonde-hub.8", &manual);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	sn_buf_finish(&manual);
	return 0;
}

/* As an item of a list, alone or beside others. */
static bool is_item(const char *word)
{
	const char *line = sn_buf_cstr(&manual);
	size_t n = strlen(word);

	for (; (line = strstr(line, "\n.It Cm ")) != NULL; line++) {
		size_t length = strcspn(line + 1, "\n");
		const char *found = memmem(line + 1, length, word, n);

		if (found != NULL && found[-1] == ' ' && (found[n] == ' ' || found[n] == '\n'))
			return true;
	}
	return false;
}

static void every_key_of_the_configuration_is_described(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_hub_schema.key_count; i++) {
		if (!is_item(sn_hub_schema.keys[i].name))
			fail_msg("key '%s' is missing", sn_hub_schema.keys[i].name);
	}
}

static void every_default_is_the_one_of_the_table(void **state)
{
	char pattern[256];

	(void)state;
	for (size_t i = 0; i < sn_hub_schema.key_count; i++) {
		const struct sn_conf_key *key = &sn_hub_schema.keys[i];

		if (key->default_text == NULL || key->default_text[0] == '\0')
			continue;
		/* What begins with a bracket has an escape before it. */
		snprintf(pattern, sizeof(pattern), "\n.It Cm %s Pq default Ql %s%s\n", key->name,
			 key->default_text[0] == '[' ? "\\&" : "", key->default_text);
		if (strstr(sn_buf_cstr(&manual), pattern) == NULL)
			fail_msg("default of '%s' is not '%s'", key->name, key->default_text);
	}
}

/* The page is made of the manual: what has one is in the other. */
static bool has_page(const char *code)
{
	struct sn_buf page = {0};
	bool found = sn_problem_write(code, SN_PROBLEM_TEXT, &page);

	sn_buf_finish(&page);
	return found;
}

/* Problems as the sources name them: a status, a comma and the name. */
static unsigned check_problems(const char *path)
{
	struct sn_buf source = {0};
	regmatch_t match[2];
	regex_t pattern;
	unsigned found = 0;
	const char *text;

	read_source(path, &source);
	assert_int_equal(
		regcomp(&pattern, "[45][0-9][0-9],[[:space:]]+\"([a-z-]+)\"", REG_EXTENDED), 0);
	text = sn_buf_cstr(&source);
	for (; regexec(&pattern, text, 2, match, 0) == 0; text += match[0].rm_eo) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(match[1].rm_eo - match[1].rm_so),
			 text + match[1].rm_so);
		if (!has_page(name))
			fail_msg("problem '%s' of %s has no page", name, path);
		found++;
	}
	regfree(&pattern);
	sn_buf_finish(&source);
	return found;
}

static unsigned check_directory(const char *path)
{
	const char *root = getenv("SONDE_SOURCE_ROOT");
	sn_autofree char *whole = sn_fs_join(root != NULL ? root : ".", path);
	DIR *dir = opendir(whole);
	struct dirent *entry;
	unsigned found = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		size_t n = strlen(entry->d_name);
		sn_autofree char *child = sn_fs_join(path, entry->d_name);

		if (n > 2 && strcmp(entry->d_name + n - 2, ".c") == 0)
			found += check_problems(child);
	}
	closedir(dir);
	return found;
}

static void every_problem_of_the_sources_has_a_page(void **state)
{
	(void)state;
	assert_true(check_directory("src/hub") + check_directory("src/hub/api") > 30);
	check_directory("src/hub/supervisor");
	check_directory("src/hub/math");
	assert_true(check_directory("src/net") > 8);
}

/* A macro that is not known would stand there as it is. */
static void check_page(const char *code, void *count)
{
	struct sn_buf page = {0};

	assert_true(sn_problem_write(code, SN_PROBLEM_HTML, &page));
	if (page.n < 20 || sn_buf_cstr(&page)[0] == '.' ||
	    strstr(sn_buf_cstr(&page), "\n.") != NULL || strchr(sn_buf_cstr(&page), '\\') != NULL)
		fail_msg("page of '%s': %s", code, sn_buf_cstr(&page));
	sn_buf_finish(&page);
	++*(unsigned *)count;
}

static void pages_of_problems_are_text_without_marks(void **state)
{
	unsigned count = 0;

	(void)state;
	sn_problems_each(check_page, &count);
	assert_true(count > 40);
}

static void a_page_is_the_text_of_the_manual(void **state)
{
	struct sn_buf page = {0};

	(void)state;
	assert_true(sn_problem_write("host-refused", SN_PROBLEM_TEXT, &page));
	assert_string_equal(sn_buf_cstr(&page),
			    "Plain HTTP answers to loopback names only.\n"
			    "Use such a name, or TLS, or add the name to\n'names'.\n");
	sn_buf_finish(&page);
	assert_true(sn_problem_write("token-used", SN_PROBLEM_HTML, &page));
	assert_string_equal(sn_buf_cstr(&page), "The join token is no good any more.\n"
						"Make another one:\n"
						"<code>sonde node invite</code>.\n");
	sn_buf_finish(&page);
	assert_false(sn_problem_write("token", SN_PROBLEM_TEXT, &page));
	assert_false(sn_problem_write("", SN_PROBLEM_TEXT, &page));
	assert_int_equal(page.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_of_the_configuration_is_described),
		cmocka_unit_test(every_default_is_the_one_of_the_table),
		cmocka_unit_test(every_problem_of_the_sources_has_a_page),
		cmocka_unit_test(pages_of_problems_are_text_without_marks),
		cmocka_unit_test(a_page_is_the_text_of_the_manual),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
