/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/view/privacy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/util.h"
#include "meter/view/privacy_internal.h"

#define WORD_MAX 40 /* longer ones are no word of ours */

const char *const sn_privacy_mode_names[SN_PRIVACY_MODES] = {
	[SN_PRIVACY_KEEP] = "keep",           [SN_PRIVACY_DROP] = "drop",
	[SN_PRIVACY_TRUNCATE] = "truncate",   [SN_PRIVACY_HASH] = "hash",
	[SN_PRIVACY_CRYPTOPAN] = "cryptopan",
};

/* From the one that tells most to the one that tells least. */
static const unsigned strictness[SN_PRIVACY_MODES] = {
	[SN_PRIVACY_KEEP] = 0, [SN_PRIVACY_TRUNCATE] = 1, [SN_PRIVACY_CRYPTOPAN] = 2,
	[SN_PRIVACY_HASH] = 3, [SN_PRIVACY_DROP] = 4,
};

const char *const sn_privacy_field_names[SN_FIELDS] = {
	[SN_FIELD_CLIENT_ADDRESS] = "client_address",
	[SN_FIELD_SERVER_ADDRESS] = "server_address",
	[SN_FIELD_RESOLVER_ADDRESS] = "resolver_address",
	[SN_FIELD_INTERNAL_ADDRESS] = "internal_address",
	[SN_FIELD_EXTERNAL_ADDRESS] = "external_address",
	[SN_FIELD_NAME] = "name",
	[SN_FIELD_URL] = "url",
	[SN_FIELD_COOKIE] = "cookie",
	[SN_FIELD_AGENT] = "agent",
	[SN_FIELD_ANSWER] = "answer",
};

#define MODE(mode) (1U << (mode))
#define ALWAYS     (MODE(SN_PRIVACY_KEEP) | MODE(SN_PRIVACY_DROP) | MODE(SN_PRIVACY_HASH))
#define ANY        (ALWAYS | MODE(SN_PRIVACY_TRUNCATE) | MODE(SN_PRIVACY_CRYPTOPAN))

/* What a field can be; `kept` is what "truncate" keeps when it is not said. */
static const struct field {
	unsigned modes, kept;
	enum sn_privacy_mode start;
	const char *kept_help;
} fields[SN_FIELDS] = {
	[SN_FIELD_NAME] = {ANY, 2, SN_PRIVACY_KEEP, "labels"},
	[SN_FIELD_URL] = {ALWAYS | MODE(SN_PRIVACY_TRUNCATE), 0, SN_PRIVACY_DROP, "segments"},
	[SN_FIELD_COOKIE] = {ALWAYS, 0, SN_PRIVACY_DROP, NULL},
	[SN_FIELD_AGENT] = {ALWAYS | MODE(SN_PRIVACY_TRUNCATE), 1, SN_PRIVACY_KEEP, "words"},
	[SN_FIELD_ANSWER] = {ALWAYS, 0, SN_PRIVACY_KEEP, NULL},
};

#define IPV4_KEPT 24
#define IPV6_KEPT 48

static bool is_address(size_t field)
{
	return field <= SN_FIELD_EXTERNAL_ADDRESS;
}

static unsigned modes_of(size_t field)
{
	return is_address(field) ? ANY : fields[field].modes;
}

/* Rules for addresses ------------------------------------------------------------------- */

/* Which roles and places an address field speaks of, as masks. */
static const struct {
	unsigned roles, places;
} reach[] = {
	[SN_FIELD_CLIENT_ADDRESS] = {1U << SN_ROLE_CLIENT, 3},
	[SN_FIELD_SERVER_ADDRESS] = {1U << SN_ROLE_SERVER, 3},
	[SN_FIELD_RESOLVER_ADDRESS] = {1U << SN_ROLE_RESOLVER, 3},
	[SN_FIELD_INTERNAL_ADDRESS] = {7, 2},
	[SN_FIELD_EXTERNAL_ADDRESS] = {7, 1},
};

static void apply_line(struct sn_privacy *policy, size_t field)
{
	for (unsigned role = 0; role < SN_ROLE_MENTIONED; role++) {
		for (unsigned place = 0; place < 2; place++) {
			if ((reach[field].roles >> role & 1) != 0 &&
			    (reach[field].places >> place & 1) != 0)
				policy->addresses[role][place] = policy->rules[field];
		}
	}
}

/* Two truncated ones: the shorter tells less. */
static bool is_stricter(const struct sn_privacy_rule *a, const struct sn_privacy_rule *b)
{
	if (a->mode != b->mode)
		return strictness[a->mode] > strictness[b->mode];
	return a->kept[0] + a->kept[1] < b->kept[0] + b->kept[1];
}

/* The lines in their order, so that later ones win. */
static void combine(struct sn_privacy *policy)
{
	memset(policy->addresses, 0, sizeof(policy->addresses));
	for (unsigned line = 1; line <= policy->lines; line++) {
		for (size_t field = 0; is_address(field); field++) {
			if (policy->rules[field].order == line)
				apply_line(policy, field);
		}
	}
	policy->hides_addresses = policy->hidden != NULL;
	for (unsigned place = 0; place < 2; place++) {
		const struct sn_privacy_rule *client = &policy->addresses[SN_ROLE_CLIENT][place];
		const struct sn_privacy_rule *server = &policy->addresses[SN_ROLE_SERVER][place];

		policy->addresses[SN_ROLE_MENTIONED][place] =
			is_stricter(client, server) ? *client : *server;
		for (unsigned role = 0; role < SN_ROLES; role++)
			policy->hides_addresses |=
				policy->addresses[role][place].mode != SN_PRIVACY_KEEP;
	}
}

static enum sn_privacy_mode address_mode(const struct sn_privacy *policy, size_t field)
{
	enum sn_privacy_mode mode = SN_PRIVACY_KEEP;

	for (unsigned role = 0; role < SN_ROLE_MENTIONED; role++) {
		for (unsigned place = 0; place < 2; place++) {
			enum sn_privacy_mode one = policy->addresses[role][place].mode;

			if ((reach[field].roles >> role & 1) != 0 &&
			    (reach[field].places >> place & 1) != 0 &&
			    strictness[one] > strictness[mode])
				mode = one;
		}
	}
	return mode == SN_PRIVACY_KEEP && policy->hidden != NULL ? SN_PRIVACY_CRYPTOPAN : mode;
}

enum sn_privacy_mode sn_privacy_mode(const struct sn_privacy *policy, enum sn_privacy_field field)
{
	enum sn_privacy_mode mode = policy->rules[field].mode;

	if (is_address(field))
		return address_mode(policy, field);
	if (field == SN_FIELD_NAME && mode == SN_PRIVACY_KEEP && policy->tstat_names)
		return SN_PRIVACY_CRYPTOPAN;
	return mode;
}

/* Reading lines ------------------------------------------------------------------------- */

/* The next word of the line, "" at its end. */
static struct sn_str take_word(struct sn_str *rest)
{
	size_t end = 0;
	struct sn_str word;

	*rest = sn_str_trim(*rest);
	while (end < rest->n && rest->p[end] != ' ' && rest->p[end] != '\t')
		end++;
	word = (struct sn_str){rest->p, end};
	*rest = (struct sn_str){rest->p + end, rest->n - end};
	return word;
}

static int unknown_word(struct sn_str word, const char *kind, const char *const *names,
			size_t count, struct sn_err *err)
{
	int shown = (int)SN_MIN(word.n, (size_t)WORD_MAX);
	sn_autofree char *text = sn_xstrndup(word.p, (size_t)shown);
	const char *near = sn_suggest(text, names, count);

	if (near != NULL)
		return sn_err_set(err, -EINVAL, "unknown %s '%s' (did you mean '%s'?)", kind, text,
				  near);
	return sn_err_set(err, -EINVAL, "unknown %s '%s' (known: %s, %s, ...)", kind, text,
			  names[0], names[1]);
}

/* Position of the word among the names; negative with `err` filled. */
static int find_word(struct sn_str word, const char *kind, const char *const *names, size_t count,
		     struct sn_err *err)
{
	if (word.n == 0)
		return sn_err_set(err, -EINVAL, "a %s is missing (FIELD MODE [ARGUMENT])", kind);
	for (size_t i = 0; i < count; i++) {
		if (sn_str_eqc(word, names[i]))
			return (int)i;
	}
	return unknown_word(word, kind, names, count, err);
}

static int parse_lengths(struct sn_str text, struct sn_privacy_rule *rule, struct sn_err *err)
{
	struct sn_str v6 = text, v4;
	uint64_t bits[2];

	sn_str_split(&v6, '/', &v4);
	if (v6.p == NULL || sn_parse_u64(v4, 0, 32, &bits[0]) != 0 ||
	    sn_parse_u64(v6, 0, 128, &bits[1]) != 0)
		return sn_err_set(err, -EINVAL,
				  "'%.*s' is no pair of prefix lengths like '24/48' (IPv4/IPv6)",
				  (int)SN_MIN(text.n, (size_t)WORD_MAX), text.p);
	rule->kept[0] = (unsigned)bits[0];
	rule->kept[1] = (unsigned)bits[1];
	return 0;
}

static int parse_argument(int field, struct sn_str text, struct sn_privacy_rule *rule,
			  struct sn_err *err)
{
	int shown = (int)SN_MIN(text.n, (size_t)WORD_MAX);
	uint64_t kept;

	if (rule->mode != SN_PRIVACY_TRUNCATE)
		return sn_err_set(err, -EINVAL, "'%s' takes no argument, here is '%.*s'",
				  sn_privacy_mode_names[rule->mode], shown, text.p);
	if (is_address((size_t)field))
		return parse_lengths(text, rule, err);
	if (sn_parse_u64(text, 0, SN_PRIVACY_TRUNCATE_MAX, &kept) != 0)
		return sn_err_set(err, -EINVAL, "'%.*s' is no number of %s from 0 to %d", shown,
				  text.p, fields[field].kept_help, SN_PRIVACY_TRUNCATE_MAX);
	rule->kept[0] = (unsigned)kept;
	return 0;
}

static void list_modes(unsigned modes, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned mode = 0; mode < SN_PRIVACY_MODES; mode++) {
		if ((modes & MODE(mode)) == 0)
			continue;
		strncat(out, n++ > 0 ? ", " : "", size - strlen(out) - 1);
		strncat(out, sn_privacy_mode_names[mode], size - strlen(out) - 1);
	}
}

static int check_mode(int field, int mode, struct sn_err *err)
{
	char known[80];

	if ((modes_of((size_t)field) & MODE((unsigned)mode)) != 0)
		return 0;
	list_modes(modes_of((size_t)field), known, sizeof(known));
	return sn_err_set(err, -EINVAL, "'%s' cannot be '%s' (%s)", sn_privacy_field_names[field],
			  sn_privacy_mode_names[mode], known);
}

static int parse_line(struct sn_privacy *policy, struct sn_str line, struct sn_err *err)
{
	struct sn_privacy_rule rule = {.order = policy->lines + 1};
	int field = find_word(take_word(&line), "field", sn_privacy_field_names, SN_FIELDS, err);
	int mode, error;
	struct sn_str argument;

	if (field < 0)
		return field;
	mode = find_word(take_word(&line), "mode", sn_privacy_mode_names, SN_PRIVACY_MODES, err);
	error = mode < 0 ? mode : check_mode(field, mode, err);
	if (error != 0)
		return error;
	rule.mode = (enum sn_privacy_mode)mode;
	if (rule.mode == SN_PRIVACY_TRUNCATE) {
		rule.kept[0] = is_address((size_t)field) ? IPV4_KEPT : fields[field].kept;
		rule.kept[1] = is_address((size_t)field) ? IPV6_KEPT : 0;
	}
	argument = take_word(&line);
	if (argument.n > 0)
		error = parse_argument(field, argument, &rule, err);
	line = sn_str_trim(line);
	if (error == 0 && line.n > 0)
		error = sn_err_set(err, -EINVAL, "too many words, from '%.*s' on",
				   (int)SN_MIN(line.n, (size_t)WORD_MAX), line.p);
	if (error != 0)
		return error;
	policy->rules[field] = rule;
	policy->lines++;
	return 0;
}

static int parse_lines(struct sn_privacy *policy, struct sn_str text, unsigned *number,
		       struct sn_err *err)
{
	struct sn_str line, part;
	int error = 0;

	while (error == 0 && text.n > 0 && sn_str_split(&text, '\n', &line)) {
		(*number)++;
		sn_str_split(&line, '#', &part);
		part = sn_str_trim(part);
		if (part.n == 0)
			continue;
		error = *number > SN_PRIVACY_LINES_MAX
				? sn_err_set(err, -E2BIG, "more than %d lines",
					     SN_PRIVACY_LINES_MAX)
				: parse_line(policy, part, err);
	}
	return error;
}

/* Numbers the lines again, so that they stay few however often lines are added. */
static void renumber(struct sn_privacy *policy)
{
	unsigned next = 0;

	for (unsigned line = 1; line <= policy->lines; line++) {
		for (size_t field = 0; field < SN_FIELDS; field++) {
			if (policy->rules[field].order == line) {
				policy->rules[field].order = ++next;
				break;
			}
		}
	}
	policy->lines = next;
}

int sn_privacy_parse(struct sn_privacy *policy, struct sn_str text, const char *name,
		     struct sn_err *err)
{
	struct sn_privacy draft = *policy;
	unsigned number = 0;

	if (parse_lines(&draft, text, &number, err) != 0)
		return sn_err_wrap(err, "cannot use '%s', line %u", name, number);
	*policy = draft;
	renumber(policy);
	combine(policy);
	return 0;
}

static void write_line(const struct sn_privacy *policy, size_t field, struct sn_buf *out)
{
	const struct sn_privacy_rule *rule = &policy->rules[field];

	sn_buf_addf(out, "%s %s", sn_privacy_field_names[field], sn_privacy_mode_names[rule->mode]);
	if (rule->mode == SN_PRIVACY_TRUNCATE)
		sn_buf_addf(out, is_address(field) ? " %u/%u" : " %u", rule->kept[0],
			    rule->kept[1]);
	sn_buf_addc(out, '\n');
}

/* What was never said comes first. */
void sn_privacy_write(const struct sn_privacy *policy, struct sn_buf *out)
{
	for (size_t field = 0; field < SN_FIELDS; field++) {
		if (policy->rules[field].order == 0)
			write_line(policy, field, out);
	}
	for (unsigned line = 1; line <= policy->lines; line++) {
		for (size_t field = 0; field < SN_FIELDS; field++) {
			if (policy->rules[field].order == line)
				write_line(policy, field, out);
		}
	}
}

/* The object ---------------------------------------------------------------------------- */

struct sn_privacy *sn_privacy_create(void)
{
	struct sn_privacy *policy = sn_new(struct sn_privacy);

	for (size_t field = 0; field < SN_FIELDS; field++)
		policy->rules[field].mode = fields[field].start;
	policy->keys = sn_new(struct sn_privacy_keys);
	pthread_mutex_init(&policy->keys->lock, NULL);
	sn_random(policy->key, sizeof(policy->key));
	return policy;
}

void sn_privacy_destroy(struct sn_privacy *policy)
{
	if (policy == NULL)
		return;
	pthread_mutex_destroy(&policy->keys->lock);
	explicit_bzero(policy->keys, sizeof(*policy->keys));
	free(policy->keys);
	explicit_bzero(policy, sizeof(*policy));
	free(policy);
}

void sn_privacy_set_key(struct sn_privacy *policy, const uint8_t key[SN_PRIVACY_KEY_BYTES])
{
	memcpy(policy->key, key, SN_PRIVACY_KEY_BYTES);
}

void sn_privacy_rotate(struct sn_privacy *policy, int64_t period_ns)
{
	policy->keys->period_ns = SN_MAX(period_ns, 0);
}

void sn_privacy_set_tstat(struct sn_privacy *policy, const struct sn_networks *hidden,
			  const struct sn_networks *exempt, const uint32_t masks[4], bool names)
{
	static const uint32_t tstat_masks[4] = {0xffffffff, 0xf0f0f0f0, 0x0f0f0f0f, 0};

	policy->hidden = hidden;
	policy->exempt = exempt;
	policy->tstat_names = names;
	memcpy(policy->masks, masks != NULL ? masks : tstat_masks, sizeof(policy->masks));
	combine(policy);
}
