/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define TOPIC_MAX 64

/* A topic becomes a part of file names: nothing but letters, digits and hyphens. */
static bool is_topic(const char *topic)
{
	size_t n = strlen(topic);

	return n > 0 && n <= TOPIC_MAX &&
	       strspn(topic, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* Installed: <prefix>/bin beside <prefix>/share/man; built: <source>/<build>/src/main. */
static char *page_path(const char *self_dir, const char *name, char section, unsigned place)
{
	static const char *const ends[] = {"", ".gz"};

	if (place < SN_COUNT(ends))
		return sn_xasprintf("%s/../share/man/man%c/%s.%c%s", self_dir, section, name,
				    section, ends[place]);
	return sn_xasprintf("%s/../../../man/%s.%c", self_dir, name, section);
}

static char *page_in(const char *self_dir, const char *name)
{
	for (const char *section = "1578"; *section != '\0'; section++) {
		for (unsigned place = 0; place <= 2; place++) {
			char *path = page_path(self_dir, name, *section, place);

			if (sn_fs_exists(path))
				return path;
			free(path);
		}
	}
	return NULL;
}

char *sn_help_page(const char *self_dir, const char *topic)
{
	sn_autofree char *long_name = sn_xasprintf("sonde-%s", topic);
	char *path;

	if (!is_topic(topic))
		return NULL;
	path = page_in(self_dir, topic);
	return path != NULL ? path : page_in(self_dir, long_name);
}

static bool is_verb_or_noun(const struct sn_program *program, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < program->verb_count; i++) {
		const char *path = program->verbs[i].path;

		if (strncmp(path, word, n) == 0 && (path[n] == '\0' || path[n] == ' '))
			return true;
	}
	return false;
}

static int show_page(const char *path)
{
	execlp("man", "man", path, (char *)NULL);
	return sn_cli_fail(SN_EXIT_FAILED,
			   "cannot start 'man' to show '%s' (install the package man-db)", path);
}

int sn_help_run(const struct sn_program *program, int argc, char **argv)
{
	sn_autofree char *self_dir = sn_fs_self_dir();
	sn_autofree char *path = NULL;
	char *table_argv[8] = {(char *)program->name, (char *)"help"};

	/* Verbs have their help here; pages are about programs and what lies behind them. */
	if (argc > 0 && !is_verb_or_noun(program, argv[0]))
		path = sn_help_page(self_dir, argv[0]);
	if (path != NULL)
		return show_page(path);
	for (int i = 0; i < argc && i < 4; i++)
		table_argv[2 + i] = argv[i];
	return sn_cli_main(program, 2 + SN_MIN(argc, 4), table_argv);
}
