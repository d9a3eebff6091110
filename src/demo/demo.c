/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/demo.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "demo/impair/control.h"
#include "demo/impair/show.h"
#include "demo/run/run.h"

struct change_options {
	const char *state, *direction;
	bool json;
};

/* What can be broken, and how badly unless one says. */
static const struct kind {
	const char *name, *key, *value;
	const char *takes; /* name of the value; NULL: none */
} kinds[] = {
	{"loss", "loss", "20%", "a share like 20%"},
	{"delay", "delay", "200ms", "a time like 200ms"},
	{"rate", "rate", "500kbit", "a rate like 500kbit"},
	{"down", "down", "yes", NULL},
};

/* Who may have written it: root, this user, or whom a demo of this machine's root runs as. */
static bool is_trusted(uid_t owner)
{
	const struct passwd *nobody = getpwnam("nobody");

	if (owner == geteuid() || owner == 0)
		return true;
	return geteuid() == 0 && nobody != NULL && owner == nobody->pw_uid;
}

char *sn_demo_hub_file(void)
{
	static const char path[] = SN_DEMO_STATE_DIR "/hub/hub.json";
	struct stat st;

	if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) || !is_trusted(st.st_uid))
		return NULL;
	return sn_xstrdup(path);
}

/* Asks the relay of the running demo; an exit code. */
static int ask(const struct change_options *given, json_t *request, json_t **answer)
{
	const char *state = given->state != NULL ? given->state : SN_DEMO_STATE_DIR;
	sn_autofree char *socket_path = sn_fs_join(state, "run/impair");
	struct sn_err err;
	int code = sn_control_ask(socket_path, request, answer, &err);

	if (code == 0)
		return SN_EXIT_OK;
	if (!sn_fs_exists(socket_path) || code == -ECONNREFUSED)
		return sn_cli_fail(SN_EXIT_UNREACHABLE,
				   "no demo runs in '%s' (start it with 'sudo sonde demo', or name "
				   "its directory with '--state')",
				   state);
	if (code == -EACCES)
		return sn_cli_fail(SN_EXIT_DENIED,
				   "the demo in '%s' belongs to somebody else (use sudo)", state);
	return sn_cli_fail(SN_EXIT_FAILED, "%s", err.text);
}

/* Shows the links that were changed, or all. */
static int show(const struct change_options *given, const char *link)
{
	sn_autojson json_t *answer = NULL;
	int code = ask(given, json_pack("{s:s, s:s*}", "op", "show", "link", link), &answer);

	if (code == SN_EXIT_OK)
		sn_impair_show(answer, given->json, stdout);
	return code;
}

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < SN_COUNT(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static int check_break(const struct kind *kind, int argc, char **argv)
{
	struct sn_impair_shape scratch = {0};
	struct sn_err err;

	if (argc < 3)
		return SN_EXIT_OK;
	if (kind->takes == NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "'%s' takes no value", kind->name);
	if (sn_impair_shape_set(&scratch, sn_str(kind->key), sn_str(argv[2]), &err) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "'%s' is not %s", argv[2], kind->takes);
	return SN_EXIT_OK;
}

static int run_break(const struct sn_verb *verb SN_UNUSED, void *options, int argc, char **argv)
{
	const struct change_options *given = options;
	const struct kind *kind = find_kind(argv[0]);
	sn_autojson json_t *answer = NULL;
	int code;

	if (kind == NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "cannot break '%s' (loss, delay, rate or down)",
				   argv[0]);
	code = check_break(kind, argc, argv);
	if (code != SN_EXIT_OK)
		return code;
	code = ask(given,
		   json_pack("{s:s, s:s, s:s, s:{s:s}}", "op", "set", "link", argv[1], "direction",
			     given->direction != NULL ? given->direction : "both", "values",
			     kind->key, argc > 2 ? argv[2] : kind->value),
		   &answer);
	return code == SN_EXIT_OK ? show(given, argv[1]) : code;
}

static int run_mend(const struct sn_verb *verb SN_UNUSED, void *options, int argc, char **argv)
{
	const struct change_options *given = options;
	const char *link = argc > 0 ? argv[0] : NULL;
	sn_autojson json_t *answer = NULL;
	int code = ask(given, json_pack("{s:s, s:s*}", "op", "reset", "link", link), &answer);

	return code == SN_EXIT_OK ? show(given, link) : code;
}

static int run_status(const struct sn_verb *verb SN_UNUSED, void *options, int argc, char **argv)
{
	return show(options, argc > 0 ? argv[0] : NULL);
}

static int run_demo(const struct sn_verb *verb SN_UNUSED, void *options, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	return sn_demo_run(options);
}

static const struct sn_opt demo_options[] = {
	{.name = "port",
	 .letter = 'p',
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct sn_demo_options, port),
	 .argument = "N",
	 .help = "port of the web page on 127.0.0.1 (8080 or the next free one; 0: any)"},
	{.name = "duration",
	 .letter = 'd',
	 .type = SN_OPT_DURATION,
	 .offset = offsetof(struct sn_demo_options, duration),
	 .argument = "TIME",
	 .help = "end by itself after this time (runs until Ctrl-C)"},
	{.name = "state",
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct sn_demo_options, state),
	 .argument = "DIR",
	 .help = "keep everything below DIR (" SN_DEMO_STATE_DIR ")"},
	{.name = "headless",
	 .type = SN_OPT_FLAG,
	 .offset = offsetof(struct sn_demo_options, headless),
	 .help = "no words for people, only errors"},
	{.name = "json",
	 .type = SN_OPT_FLAG,
	 .offset = offsetof(struct sn_demo_options, json),
	 .help = "say as JSON when it is ready, and where"},
};

static const struct sn_opt change_options[] = {
	{.name = "state",
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct change_options, state),
	 .argument = "DIR",
	 .help = "directory of the running demo (" SN_DEMO_STATE_DIR ")"},
	{.name = "json",
	 .type = SN_OPT_FLAG,
	 .offset = offsetof(struct change_options, json),
	 .help = "one JSON object per link"},
	{.name = "direction",
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct change_options, direction),
	 .argument = "ab|ba",
	 .help = "only upstream (ab) or downstream (ba)"},
};

const struct sn_verb sn_demo_verbs[] = {
	{.path = "demo",
	 .arguments = "",
	 .help = "Build a small internet on this machine and measure it (needs root).",
	 .examples = "sudo sonde demo\nsudo sonde demo --port 0 --duration 10m --json",
	 .options = demo_options,
	 .option_count = SN_COUNT(demo_options),
	 .options_size = sizeof(struct sn_demo_options),
	 .run = run_demo},
	{.path = "demo break",
	 .arguments = "loss|delay|down|rate LINK [VALUE]",
	 .help = "Break a link of the running demo.",
	 .examples = "sonde demo break loss access-1 20%\n"
		     "sonde demo break delay node-3 150ms --direction ab",
	 .options = change_options,
	 .option_count = SN_COUNT(change_options),
	 .options_size = sizeof(struct change_options),
	 .min_args = 2,
	 .max_args = 3,
	 .complete = "demo-link",
	 .run = run_break},
	{.path = "demo mend",
	 .arguments = "[LINK]",
	 .help = "Put a link of the running demo, or all, back to how they were.",
	 .examples = "sonde demo mend\nsonde demo mend access-1",
	 .options = change_options,
	 .option_count = SN_COUNT(change_options) - 1,
	 .options_size = sizeof(struct change_options),
	 .max_args = 1,
	 .complete = "demo-link",
	 .run = run_mend},
	{.path = "demo status",
	 .arguments = "[LINK]",
	 .help = "Show the links of the running demo: what they do to packets and did so far.",
	 .examples = "sonde demo status\nsonde demo status --json access-1",
	 .options = change_options,
	 .option_count = SN_COUNT(change_options) - 1,
	 .options_size = sizeof(struct change_options),
	 .max_args = 1,
	 .watch = true,
	 .complete = "demo-link",
	 .run = run_status},
};
const size_t sn_demo_verb_count = SN_COUNT(sn_demo_verbs);
