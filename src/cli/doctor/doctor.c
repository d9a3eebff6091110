/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde doctor`: what works here, what does not, and what to do about it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/doctor/findings.h"
#include "cli/table.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	bool json, local;
};

const char *sn_verdict_name(enum sn_verdict verdict)
{
	static const char *const names[] = {[SN_OK] = "ok", [SN_WARN] = "warn", [SN_BAD] = "bad"};

	return names[verdict];
}

void sn_findings_add(struct sn_findings *findings, const char *check, const char *subject,
		     enum sn_verdict verdict, const struct sn_advice advice[SN_VERDICTS],
		     const char *format, ...)
{
	struct sn_finding finding = {
		.check = check,
		.subject = subject != NULL ? sn_xstrdup(subject) : NULL,
		.verdict = verdict,
		.means = advice[verdict].means,
		.to_do = advice[verdict].to_do,
	};
	va_list args;

	va_start(args, format);
	if (vasprintf(&finding.found, format, args) < 0)
		abort(); /* out of memory */
	va_end(args);
	if (findings->count == findings->capacity) {
		findings->capacity = SN_MAX(findings->capacity * 2, (size_t)16);
		findings->items = sn_xrealloc(findings->items, findings->capacity, sizeof(finding));
	}
	findings->items[findings->count++] = finding;
}

void sn_findings_finish(struct sn_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->items[i].subject);
		free(findings->items[i].found);
	}
	free(findings->items);
	*findings = (struct sn_findings){0};
}

enum sn_verdict sn_findings_worst(const struct sn_findings *findings)
{
	enum sn_verdict worst = SN_OK;

	for (size_t i = 0; i < findings->count; i++)
		worst = SN_MAX(worst, findings->items[i].verdict);
	return worst;
}

/* Output ---------------------------------------------------------------- */

static void print_json(const struct sn_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct sn_finding *finding = &findings->items[i];
		struct sn_buf buf = {0};
		struct sn_jw jw;

		sn_jw_init(&jw, &buf);
		sn_jw_object(&jw);
		sn_jw_kcstr(&jw, "check", finding->check);
		sn_jw_kcstr(&jw, "subject", finding->subject);
		sn_jw_kcstr(&jw, "verdict", sn_verdict_name(finding->verdict));
		sn_jw_kcstr(&jw, "found", finding->found);
		sn_jw_kcstr(&jw, "means", finding->means);
		sn_jw_kcstr(&jw, "to_do", finding->to_do);
		sn_jw_object_end(&jw);
		puts(sn_buf_cstr(&buf));
		sn_buf_finish(&buf);
	}
}

/* Control characters in what the hub said must not reach the terminal. */
static void print_plain(const char *text)
{
	for (; *text != '\0'; text++)
		putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void print_finding(const struct sn_finding *finding, bool colour)
{
	static const enum sn_tone tones[] = {
		[SN_OK] = SN_TONE_GOOD, [SN_WARN] = SN_TONE_WARN, [SN_BAD] = SN_TONE_BAD};
	enum sn_tone tone = tones[finding->verdict];

	printf("%s%-4s%s  %s", sn_tone_start(tone, colour), sn_verdict_name(finding->verdict),
	       sn_tone_end(tone, colour), finding->check);
	if (finding->subject != NULL) {
		fputs(" ", stdout);
		print_plain(finding->subject);
	}
	fputs(": ", stdout);
	print_plain(finding->found);
	putchar('\n');
	if (finding->verdict == SN_OK)
		return;
	if (finding->means != NULL)
		printf("      it means: %s\n", finding->means);
	if (finding->to_do != NULL)
		printf("      to do:    %s\n", finding->to_do);
}

static void print_all(const struct sn_findings *findings)
{
	bool colour = sn_terminal_colour(stdout);
	unsigned counts[SN_VERDICTS] = {0};

	for (size_t i = 0; i < findings->count; i++) {
		print_finding(&findings->items[i], colour);
		counts[findings->items[i].verdict]++;
	}
	printf("\n%u well, %u to look at, %u broken\n", counts[SN_OK], counts[SN_WARN],
	       counts[SN_BAD]);
}

/* Checks ---------------------------------------------------------------- */

static void check_hub(struct sn_findings *findings, const struct options *given)
{
	static const struct sn_advice none[SN_VERDICTS] = {
		[SN_OK] = {0},
		[SN_WARN] = {"only this machine could be looked at",
			     "start a hub with 'sonde up', or name one with '--hub URL'"},
		[SN_BAD] = {"results can be neither stored nor shown",
			    "check that the hub runs and that this machine may reach it"},
	};
	struct sn_client *client;
	struct sn_err err = {0};
	int rc = sn_client_open(&given->client, &client, &err);

	if (rc != 0) {
		sn_findings_add(findings, "hub", NULL, rc == -EHOSTUNREACH ? SN_WARN : SN_BAD, none,
				"%s", err.text);
		return;
	}
	sn_doctor_hub(findings, client);
	sn_client_close(client);
}

static int run_doctor(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		      char **argv SN_UNUSED)
{
	const struct options *given = opts;
	struct sn_findings findings = {0};
	sn_autofree char *state_dir = sn_place_state_dir();
	int code;

	sn_doctor_local(&findings, state_dir);
	if (!given->local)
		check_hub(&findings, given);
	if (given->json)
		print_json(&findings);
	else
		print_all(&findings);
	code = sn_findings_worst(&findings) == SN_BAD ? SN_EXIT_FAILED : SN_EXIT_OK;
	sn_findings_finish(&findings);
	return code;
}

static const struct sn_opt options[] = {
	{.name = "local",
	 .letter = 'l',
	 .type = SN_OPT_FLAG,
	 .offset = offsetof(struct options, local),
	 .help = "look at this machine only"},
	{.name = "json",
	 .letter = 'j',
	 .type = SN_OPT_FLAG,
	 .offset = offsetof(struct options, json),
	 .help = "one JSON object per finding"},
	SN_CLIENT_OPTION(struct options, client),
};

const struct sn_verb sn_cli_doctor_verb = {
	.path = "doctor",
	.arguments = "",
	.help = "Check this machine and the hub; say what is missing and how to get it.",
	.examples = "sonde doctor\nsonde doctor --json | jq -r 'select(.verdict!=\"ok\").to_do'",
	.options = options,
	.option_count = SN_COUNT(options),
	.options_size = sizeof(struct options),
	.run = run_doctor,
};
