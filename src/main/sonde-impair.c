/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sonde-impair: delay, jitter, loss, rate between two interfaces, in user space.
 * Options and wiring; the relay is in demo/impair/.
 */
#include <errno.h>
#include <string.h>

#include "base/cli.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/notify.h"
#include "demo/impair/control.h"
#include "demo/impair/show.h"

struct run_options {
	struct sn_opt_texts links;
	const char *control;
	uint64_t seed;
};

struct ask_options {
	const char *control, *direction;
	bool json;
};

static const struct sn_opt run_opts[] = {
	{.name = "link",
	 .letter = 'l',
	 .type = SN_OPT_TEXTS,
	 .offset = offsetof(struct run_options, links),
	 .argument = "NAME,a=END,b=END,KEY=VALUE...",
	 .help = "join two ends: tap:NAME, if:NAME or fd:N; keys: delay jitter loss burst reorder "
		 "duplicate rate queue blackhole down; ab.KEY and ba.KEY for one direction"},
	{.name = "control",
	 .letter = 'c',
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct run_options, control),
	 .argument = "PATH",
	 .help = "Unix socket to change and watch the links while they run"},
	{.name = "seed",
	 .type = SN_OPT_U64,
	 .offset = offsetof(struct run_options, seed),
	 .argument = "N",
	 .help = "start of the random numbers; the same seed repeats a run (0)"},
};

static const struct sn_opt ask_opts[] = {
	{.name = "control",
	 .letter = 'c',
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct ask_options, control),
	 .argument = "PATH",
	 .help = "control socket of the running sonde-impair"},
	{.name = "direction",
	 .letter = 'd',
	 .type = SN_OPT_TEXT,
	 .offset = offsetof(struct ask_options, direction),
	 .argument = "ab|ba",
	 .help = "only this direction (both)"},
	{.name = "json",
	 .type = SN_OPT_FLAG,
	 .offset = offsetof(struct ask_options, json),
	 .help = "one JSON object per link"},
};

static int fail(const struct sn_err *err)
{
	return sn_cli_fail(sn_cli_exit_code(err->code), "%s", err->text);
}

static int run_links(const struct run_options *given, struct sn_loop *loop, struct sn_relay *relay)
{
	struct sn_control *control = NULL;
	struct sn_err err;
	int code;

	for (unsigned i = 0; i < given->links.count; i++)
		if (sn_relay_add(relay, given->links.items[i], &err) != 0)
			return sn_cli_fail(err.code == -EINVAL ? SN_EXIT_USAGE
							       : sn_cli_exit_code(err.code),
					   "%s", err.text);
	if (given->control != NULL &&
	    sn_control_create(loop, relay, given->control, 0600, &control, &err) != 0)
		return fail(&err);
	sn_loop_handle_signals(loop);
	sn_notify("READY=1");
	code = sn_loop_run(loop);
	sn_control_destroy(control);
	return code;
}

static int run(const struct sn_verb *verb SN_UNUSED, void *options, int argc SN_UNUSED,
	       char **argv SN_UNUSED)
{
	const struct run_options *given = options;
	struct sn_loop *loop;
	struct sn_relay *relay;
	int code;

	if (given->links.count == 0)
		return sn_cli_fail(SN_EXIT_USAGE, "no link is given (see 'sonde-impair --help')");
	loop = sn_loop_create(NULL);
	relay = sn_relay_create(loop, given->seed);
	code = run_links(given, loop, relay);
	sn_relay_destroy(relay);
	sn_loop_destroy(loop);
	return code;
}

/* Sends what a verb made; shows the links if `show`. */
static int ask(const struct ask_options *given, json_t *request, bool show)
{
	sn_autojson json_t *answer = NULL;
	struct sn_err err;

	if (given->control == NULL) {
		json_decref(request);
		return sn_cli_fail(SN_EXIT_USAGE,
				   "which one? (give '--control PATH' of the running program)");
	}
	if (sn_control_ask(given->control, request, &answer, &err) != 0)
		return fail(&err);
	if (show)
		sn_impair_show(answer, given->json, stdout);
	return SN_EXIT_OK;
}

static int set(const struct sn_verb *verb SN_UNUSED, void *options, int argc, char **argv)
{
	const struct ask_options *given = options;
	json_t *values = json_object();

	for (int i = 1; i < argc; i++) {
		struct sn_str rest = sn_str(argv[i]), key;

		if (strchr(argv[i], '=') == NULL) {
			json_decref(values);
			return sn_cli_fail(SN_EXIT_USAGE, "'%s' is not written as KEY=VALUE",
					   argv[i]);
		}
		sn_str_split(&rest, '=', &key);
		json_object_setn_new(values, key.p, key.n, json_stringn(rest.p, rest.n));
	}
	return ask(given,
		   json_pack("{s:s, s:s, s:s, s:o}", "op", "set", "link", argv[0], "direction",
			     given->direction != NULL ? given->direction : "both", "values",
			     values),
		   false);
}

static int reset(const struct sn_verb *verb SN_UNUSED, void *options, int argc, char **argv)
{
	return ask(options,
		   json_pack("{s:s, s:s*}", "op", "reset", "link", argc > 0 ? argv[0] : NULL),
		   false);
}

static int show(const struct sn_verb *verb SN_UNUSED, void *options, int argc, char **argv)
{
	return ask(options,
		   json_pack("{s:s, s:s*}", "op", "show", "link", argc > 0 ? argv[0] : NULL), true);
}

static const struct sn_verb verbs[] = {
	{
		.path = "",
		.arguments = "",
		.help = "Delay, jitter, loss and rate between pairs of interfaces.",
		.examples = "sonde-impair --link x,a=tap:tap0,b=tap:tap1,delay=20ms,loss=1%\n"
			    "sonde-impair --link up,a=if:veth0,b=if:veth1,ab.rate=20Mbit "
			    "--control /run/impair",
		.options = run_opts,
		.option_count = SN_COUNT(run_opts),
		.options_size = sizeof(struct run_options),
		.run = run,
	},
	{
		.path = "set",
		.arguments = "LINK KEY=VALUE...",
		.help = "Change a running link.",
		.examples = "sonde-impair set -c /run/impair up loss=5% delay=100ms\n"
			    "sonde-impair set -c /run/impair -d ab up down=yes",
		.options = ask_opts,
		.option_count = SN_COUNT(ask_opts) - 1,
		.options_size = sizeof(struct ask_options),
		.min_args = 2,
		.max_args = -1,
		.run = set,
	},
	{
		.path = "reset",
		.arguments = "[LINK]",
		.help = "Put a link, or all, back to what it was started with.",
		.examples =
			"sonde-impair reset -c /run/impair up\nsonde-impair reset -c /run/impair",
		.options = ask_opts,
		.option_count = 1,
		.options_size = sizeof(struct ask_options),
		.max_args = 1,
		.run = reset,
	},
	{
		.path = "show",
		.arguments = "[LINK]",
		.help = "What the links do to frames, and what they did so far.",
		.examples = "sonde-impair show -c /run/impair\n"
			    "sonde-impair show -c /run/impair --json up",
		.options = ask_opts,
		.option_count = SN_COUNT(ask_opts),
		.options_size = sizeof(struct ask_options),
		.max_args = 1,
		.run = show,
	},
};

static const struct sn_program program = {
	.name = "sonde-impair",
	.summary = "link impairment in user space",
	.verbs = verbs,
	.verb_count = SN_COUNT(verbs),
};

int main(int argc, char **argv)
{
	return sn_cli_main(&program, argc, argv);
}
