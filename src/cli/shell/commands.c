/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shell/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/output.h"
#include "cli/shell/show.h"
#include "cli/table.h"
#include "mplane/codec.h"

#define NAME_SHOWN  80
#define LABEL_SHOWN 48

static void print_message(const struct sn_shell *shell, const struct sn_mp_message *message)
{
	struct sn_buf text = {0};

	if (!shell->json) {
		sn_show_message(message, stdout);
		return;
	}
	sn_mp_encode(message, 0, &text);
	printf("%.*s\n", (int)text.n, text.p);
	sn_buf_finish(&text);
}

static const struct sn_mp_message *need_capability(const struct sn_shell *shell, const char *name,
						   struct sn_err *err)
{
	const struct sn_mp_message *capability = sn_shell_capability(shell, name);

	if (capability == NULL)
		sn_err_set(err, -ENOENT,
			   "no capability has the label or token '%.*s' (listcap shows all, getcap "
			   "reads them again)",
			   NAME_SHOWN, name);
	return capability;
}

static struct sn_shell_measurement *need_measurement(struct sn_shell *shell, const char *name,
						     struct sn_err *err)
{
	struct sn_shell_measurement *measurement = sn_shell_measurement(shell, name);

	if (measurement == NULL)
		sn_err_set(err, -ENOENT,
			   "no measurement has the label or token '%.*s' (listmeas shows all)",
			   NAME_SHOWN, name);
	return measurement;
}

/* Commands ----------------------------------------------------------------- */

static int seturl(struct sn_shell *shell, const char *rest, struct sn_err *err SN_UNUSED)
{
	if (*rest != '\0')
		sn_shell_set_url(shell, rest);
	printf("%s\n", shell->url);
	return 0;
}

static int getcap(struct sn_shell *shell, const char *rest, struct sn_err *err)
{
	int count;

	if (*rest != '\0')
		sn_shell_set_url(shell, rest);
	count = sn_shell_discover(shell, err);
	if (count < 0)
		return count;
	printf("%d capabilities at %s\n", count, shell->url);
	return 0;
}

static unsigned widest_label(const struct sn_shell *shell)
{
	size_t widest = 0;

	for (size_t i = 0; i < shell->capability_count; i++) {
		const char *label = shell->capabilities[i]->label;

		if (label != NULL)
			widest = SN_MAX(widest, strlen(label));
	}
	return (unsigned)SN_MIN(widest, (size_t)LABEL_SHOWN);
}

static int listcap(struct sn_shell *shell, const char *rest SN_UNUSED, struct sn_err *err SN_UNUSED)
{
	unsigned width = widest_label(shell);

	for (size_t i = 0; i < shell->capability_count; i++) {
		const struct sn_mp_message *capability = shell->capabilities[i];
		const char *system = sn_mp_meta(capability, "System_ID");

		sn_autofree char *text =
			sn_xasprintf("%s%s%s", capability->token != NULL ? capability->token : "-",
				     system != NULL ? "  " : "", system != NULL ? system : "");
		sn_autofree char *label =
			sn_text_defused(capability->label != NULL ? capability->label : "-");

		sn_print_pair(stdout, width + 1, label, text);
	}
	if (shell->capability_count == 0)
		printf("no capabilities (getcap reads them)\n");
	return 0;
}

static int showcap(struct sn_shell *shell, const char *rest, struct sn_err *err)
{
	const struct sn_mp_message *capability = need_capability(shell, rest, err);

	if (capability == NULL)
		return err->code;
	print_message(shell, capability);
	return 0;
}

static int when(struct sn_shell *shell, const char *rest, struct sn_err *err)
{
	struct sn_mp_when parsed;
	int rc = *rest != '\0' ? sn_mp_when_parse(sn_str(rest), &parsed, err) : 0;

	if (rc != 0)
		return rc;
	if (*rest != '\0') {
		free(shell->when);
		shell->when = sn_xstrdup(rest);
	}
	printf("when = %s\n", shell->when);
	return 0;
}

static int set(struct sn_shell *shell, const char *rest, struct sn_err *err)
{
	size_t n = strcspn(rest, " \t=");
	sn_autofree char *name = sn_xstrndup(rest, n);
	const char *value = rest + n + strspn(rest + n, " \t=");

	if (*value == '\0')
		return sn_err_set(err, -EINVAL, "set: a value is missing (set NAME VALUE)");
	sn_shell_set(shell, name, value);
	printf("%s = %s\n", name, value);
	return 0;
}

static int unset(struct sn_shell *shell, const char *rest, struct sn_err *err)
{
	if (sn_shell_get(shell, rest) == NULL)
		return sn_err_set(err, -ENOENT, "'%.*s' is not set", NAME_SHOWN, rest);
	sn_shell_set(shell, rest, NULL);
	return 0;
}

static int show(struct sn_shell *shell, const char *rest, struct sn_err *err)
{
	if (*rest != '\0' && sn_shell_get(shell, rest) == NULL)
		return sn_err_set(err, -ENOENT, "'%.*s' is not set", NAME_SHOWN, rest);
	for (size_t i = 0; i < shell->value_count; i++)
		if (*rest == '\0' || strcmp(rest, shell->values[i].name) == 0)
			printf("%s = %s\n", shell->values[i].name, shell->values[i].value);
	if (*rest == '\0')
		printf("when = %s\n", shell->when);
	return 0;
}

static int runcap(struct sn_shell *shell, const char *rest, struct sn_err *err)
{
	const struct sn_mp_message *capability = need_capability(shell, rest, err);
	struct sn_shell_measurement *measurement;
	int rc =
		capability == NULL ? err->code : sn_shell_run(shell, capability, &measurement, err);

	if (rc != 0)
		return rc;
	if (measurement->answer->kind == SN_MP_RECEIPT && !shell->json)
		printf("receipt for %s (showmeas %s asks for the result)\n",
		       measurement->specification->label, measurement->specification->label);
	else
		print_message(shell, measurement->answer);
	return 0;
}

static int listmeas(struct sn_shell *shell, const char *rest SN_UNUSED,
		    struct sn_err *err SN_UNUSED)
{
	for (size_t i = 0; i < shell->measurement_count; i++) {
		const struct sn_shell_measurement *measurement = &shell->measurements[i];

		printf("%-32s %s  %s\n", measurement->specification->label,
		       measurement->specification->token,
		       sn_mp_kind_name(measurement->answer->kind));
	}
	if (shell->measurement_count == 0)
		printf("no measurements (runcap LABEL starts one)\n");
	return 0;
}

static int showmeas(struct sn_shell *shell, const char *rest, struct sn_err *err)
{
	struct sn_shell_measurement *measurement = need_measurement(shell, rest, err);
	int rc = measurement == NULL ? err->code : sn_shell_redeem(shell, measurement, err);

	if (rc == 0)
		print_message(shell, measurement->answer);
	return rc;
}

static int stopmeas(struct sn_shell *shell, const char *rest, struct sn_err *err)
{
	struct sn_shell_measurement *measurement = need_measurement(shell, rest, err);
	int rc = measurement == NULL ? err->code : sn_shell_interrupt(shell, measurement, err);

	if (rc == 0)
		print_message(shell, measurement->answer);
	return rc;
}

static int json(struct sn_shell *shell, const char *rest SN_UNUSED, struct sn_err *err SN_UNUSED)
{
	shell->json = !shell->json;
	printf("messages are shown %s\n", shell->json ? "as JSON" : "for people");
	return 0;
}

static int help(struct sn_shell *shell SN_UNUSED, const char *rest SN_UNUSED,
		struct sn_err *err SN_UNUSED)
{
	for (size_t i = 0; i < sn_shell_command_count; i++) {
		const struct sn_shell_command *command = &sn_shell_commands[i];
		sn_autofree char *usage = sn_xasprintf("%s %s", command->name, command->arguments);

		printf("  %-20s %s\n", usage, command->help);
	}
	return 0;
}

static int leave(struct sn_shell *shell SN_UNUSED, const char *rest SN_UNUSED,
		 struct sn_err *err SN_UNUSED)
{
	return SN_SHELL_LEAVE;
}

const struct sn_shell_command sn_shell_commands[] = {
	{"seturl", "[URL]", "where messages go that have no link", false, SN_WORDS_NONE, seturl},
	{"getcap", "[URL]", "read the capabilities there", false, SN_WORDS_NONE, getcap},
	{"listcap", "", "list the capabilities", false, SN_WORDS_NONE, listcap},
	{"showcap", "LABEL|TOKEN", "show one capability", true, SN_WORDS_CAPABILITY, showcap},
	{"when", "[SCOPE]", "when the next runs shall measure, like now + 30s / 1s", false,
	 SN_WORDS_NONE, when},
	{"set", "NAME VALUE", "a parameter's value for the next runs", true, SN_WORDS_PARAMETER,
	 set},
	{"unset", "NAME", "forget a value", true, SN_WORDS_PARAMETER, unset},
	{"show", "[NAME]", "show what is set", false, SN_WORDS_PARAMETER, show},
	{"runcap", "LABEL|TOKEN", "measure", true, SN_WORDS_CAPABILITY, runcap},
	{"listmeas", "", "list the measurements of this session", false, SN_WORDS_NONE, listmeas},
	{"showmeas", "LABEL|TOKEN", "ask for the result of one and show it", true,
	 SN_WORDS_MEASUREMENT, showmeas},
	{"stopmeas", "LABEL|TOKEN", "interrupt one", true, SN_WORDS_MEASUREMENT, stopmeas},
	{"json", "", "show messages as JSON, or for people again", false, SN_WORDS_NONE, json},
	{"help", "", "show this", false, SN_WORDS_NONE, help},
	{"exit", "", "leave (also Ctrl-D)", false, SN_WORDS_NONE, leave},
};
const size_t sn_shell_command_count = SN_COUNT(sn_shell_commands);

/* Lines --------------------------------------------------------------------- */

static const struct sn_shell_command *find_command(struct sn_str name)
{
	for (size_t i = 0; i < sn_shell_command_count; i++)
		if (sn_str_eqc(name, sn_shell_commands[i].name))
			return &sn_shell_commands[i];
	return NULL;
}

static int unknown_command(struct sn_str name, struct sn_err *err)
{
	const char *names[SN_COUNT(sn_shell_commands)], *near;
	sn_autofree char *copy = sn_xstrndup(name.p, name.n);

	for (size_t i = 0; i < sn_shell_command_count; i++)
		names[i] = sn_shell_commands[i].name;
	near = sn_suggest(copy, names, sn_shell_command_count);
	if (near != NULL)
		return sn_err_set(err, -EINVAL, "unknown command '%.*s' (did you mean '%s'?)",
				  NAME_SHOWN, copy, near);
	return sn_err_set(err, -EINVAL, "unknown command '%.*s' (help lists them)", NAME_SHOWN,
			  copy);
}

int sn_shell_line(struct sn_shell *shell, const char *line, struct sn_err *err)
{
	struct sn_str text = sn_str_trim(sn_str(line)), name;
	const struct sn_shell_command *command;
	sn_autofree char *rest = NULL;

	if (text.n == 0 || text.p[0] == '#')
		return 0;
	name = (struct sn_str){text.p, 0};
	while (name.n < text.n && text.p[name.n] != ' ' && text.p[name.n] != '\t')
		name.n++;
	command = find_command(name);
	if (command == NULL)
		return unknown_command(name, err);
	text = sn_str_trim((struct sn_str){text.p + name.n, text.n - name.n});
	rest = sn_xstrndup(text.p, text.n);
	if (command->needs_argument && *rest == '\0')
		return sn_err_set(err, -EINVAL, "%s needs %s", command->name, command->arguments);
	return command->run(shell, rest, err);
}

/* Completion ------------------------------------------------------------------ */

static char *if_begins(const char *word, const char *start, size_t *left)
{
	if (word == NULL || strncmp(word, start, strlen(start)) != 0)
		return NULL;
	return (*left)-- == 0 ? sn_xstrdup(word) : NULL;
}

static char *capability_word(const struct sn_shell *shell, const char *start, size_t left)
{
	char *found = NULL;

	for (size_t i = 0; i < shell->capability_count && found == NULL; i++)
		found = if_begins(shell->capabilities[i]->label, start, &left);
	return found;
}

/* Capabilities have parameters in common: each name is a candidate once. */
static bool is_of_one_before(const struct sn_shell *shell, size_t capability, const char *name)
{
	for (size_t i = 0; i < capability; i++)
		if (sn_mp_param(shell->capabilities[i], name) != NULL)
			return true;
	return false;
}

static char *parameter_word(const struct sn_shell *shell, const char *start, size_t left)
{
	char *found = NULL;

	for (size_t i = 0; i < shell->capability_count; i++) {
		const struct sn_mp_message *capability = shell->capabilities[i];

		for (size_t k = 0; k < capability->param_count && found == NULL; k++)
			if (!is_of_one_before(shell, i, capability->params[k].name))
				found = if_begins(capability->params[k].name, start, &left);
	}
	return found;
}

static char *measurement_word(const struct sn_shell *shell, const char *start, size_t left)
{
	char *found = NULL;

	for (size_t i = 0; i < shell->measurement_count && found == NULL; i++)
		found = if_begins(shell->measurements[i].specification->label, start, &left);
	return found;
}

char *sn_shell_candidate(const struct sn_shell *shell, enum sn_shell_words words, const char *start,
			 size_t i)
{
	switch (words) {
	case SN_WORDS_CAPABILITY:
		return capability_word(shell, start, i);
	case SN_WORDS_PARAMETER:
		return parameter_word(shell, start, i);
	case SN_WORDS_MEASUREMENT:
		return measurement_word(shell, start, i);
	case SN_WORDS_NONE:
		break;
	}
	return NULL;
}
