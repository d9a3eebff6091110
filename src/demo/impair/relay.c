/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "relay"
#include "demo/impair/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* Per wake-up and end, so that one busy link does not hold up the others. */
#define READS_PER_TURN 64

struct link;

struct direction {
	struct link *link;
	struct sn_line line;
	struct sn_end *from, *to;
	struct sn_io io; /* reads `from` */
	struct sn_timer timer;
	struct sn_impair_shape start; /* as given at the start */
};

struct link {
	struct sn_relay *relay;
	char name[SN_IMPAIR_NAME_MAX];
	struct sn_end ends[2];
	struct direction directions[2]; /* a to b, b to a */
	bool carrier;
};

struct sn_relay {
	struct sn_loop *loop;
	uint64_t seed;
	struct link *links[SN_IMPAIR_LINKS_MAX];
	unsigned count;
	unsigned char frame[SN_END_FRAME_MAX]; /* shared: what is read goes into its line at once */
};

struct sn_relay *sn_relay_create(struct sn_loop *loop, uint64_t seed)
{
	struct sn_relay *relay = sn_new(struct sn_relay);

	relay->loop = loop;
	relay->seed = seed;
	return relay;
}

static void link_destroy(struct link *link)
{
	for (int i = 0; i < 2; i++) {
		sn_io_stop(&link->directions[i].io);
		sn_timer_stop(&link->directions[i].timer);
		sn_line_finish(&link->directions[i].line);
	}
	sn_end_close(&link->ends[0]);
	sn_end_close(&link->ends[1]);
	free(link);
}

void sn_relay_destroy(struct sn_relay *relay)
{
	if (relay == NULL)
		return;
	for (unsigned i = 0; i < relay->count; i++)
		link_destroy(relay->links[i]);
	free(relay);
}

/* Moving frames --------------------------------------------------------- */

/* Writes what is due and sets the timer for what is not. */
static void deliver(struct direction *direction)
{
	struct sn_line *line = &direction->line;
	const void *frame;
	size_t size = 0;

	while ((frame = sn_line_front(line, sn_mono_ns(), &size)) != NULL)
		sn_line_pop(line, sn_end_write(direction->to, frame, size));
	if (sn_line_next(line) == UINT64_MAX)
		sn_timer_stop(&direction->timer);
	else
		sn_timer_at(&direction->timer, sn_line_next(line));
}

static void timer_fired(struct sn_timer *timer)
{
	deliver(sn_container_of(timer, struct direction, timer));
}

/* An interface that is down comes back; one that is gone would wake us for ever. */
static void read_failed(struct direction *direction, int error)
{
	if (error == EAGAIN || error == EINTR || error == EIO || error == ENETDOWN)
		return;
	sn_warn("link=%s: an end is gone: %s", direction->link->name, strerror(error));
	sn_io_stop(&direction->io);
}

static void end_readable(struct sn_io *io, int events SN_UNUSED)
{
	struct direction *direction = sn_container_of(io, struct direction, io);
	struct sn_relay *relay = direction->link->relay;

	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t size = sn_end_read(direction->from, relay->frame, sizeof(relay->frame));

		if (size <= 0)
			read_failed(direction, size < 0 ? errno : EPIPE);
		if (size <= (ssize_t)direction->from->header)
			break;
		if ((size_t)size <= sizeof(relay->frame))
			sn_line_push(&direction->line, sn_mono_ns(), relay->frame, (size_t)size);
	}
	deliver(direction);
}

/* Making links ----------------------------------------------------------- */

static struct link *find_link(const struct sn_relay *relay, const char *name)
{
	for (unsigned i = 0; i < relay->count; i++)
		if (strcmp(relay->links[i]->name, name) == 0)
			return relay->links[i];
	return NULL;
}

static int unknown_link(const struct sn_relay *relay, const char *name, struct sn_err *err)
{
	const char *names[SN_IMPAIR_LINKS_MAX];
	const char *near;

	for (unsigned i = 0; i < relay->count; i++)
		names[i] = relay->links[i]->name;
	near = sn_suggest(name, names, relay->count);
	if (near != NULL)
		return sn_err_set(err, -ENOENT, "no link '%.32s' (did you mean '%s'?)", name, near);
	return sn_err_set(err, -ENOENT, "no link '%.32s'", name);
}

static int take_name(struct link *link, struct sn_str name, struct sn_err *err)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	if (name.n == 0 || name.n >= sizeof(link->name) || memchr(name.p, '=', name.n) != NULL)
		return sn_err_set(err, -EINVAL,
				  "a link begins with its name: NAME,a=END,b=END,KEY=VALUE");
	memcpy(link->name, name.p, name.n);
	if (strspn(link->name, allowed) != name.n)
		return sn_err_set(err, -EINVAL,
				  "'%s' is no name for a link (letters, digits, '-', '_', '.')",
				  link->name);
	if (find_link(link->relay, link->name) != NULL)
		return sn_err_set(err, -EEXIST, "link '%s' is given twice", link->name);
	return 0;
}

static int take_end(struct sn_end *end, struct sn_str value, struct sn_err *err)
{
	if (end->fd >= 0)
		return sn_err_set(err, -EINVAL, "an end is given twice");
	return sn_end_open(end, value, err);
}

static int take_part(struct link *link, struct sn_str part, struct sn_err *err)
{
	struct sn_str key;
	int which = SN_BOTH, code = 0;

	sn_str_split(&part, '=', &key);
	if (sn_str_eqc(key, "a") || sn_str_eqc(key, "b"))
		return take_end(&link->ends[key.p[0] - 'a'], part, err);
	if (sn_str_has_prefix(key, "ab.") || sn_str_has_prefix(key, "ba.")) {
		which = key.p[0] == 'a' ? SN_AB : SN_BA;
		key = (struct sn_str){key.p + 3, key.n - 3};
	}
	for (int i = 0; i < 2 && code == 0; i++)
		if ((which & (SN_AB << i)) != 0)
			code = sn_impair_shape_set(&link->directions[i].start, key, part, err);
	return code;
}

static int parse_link(struct link *link, const char *text, struct sn_err *err)
{
	struct sn_str rest = sn_str(text), part;
	int code;

	if (!sn_str_split(&rest, ',', &part))
		part = SN_STR("");
	code = take_name(link, part, err);
	while (code == 0 && sn_str_split(&rest, ',', &part))
		code = take_part(link, part, err);
	if (code == 0 && (link->ends[0].fd < 0 || link->ends[1].fd < 0))
		code = sn_err_set(err, -EINVAL, "both ends are needed: a=END and b=END");
	if (code == 0)
		code = sn_end_fit(&link->ends[0], &link->ends[1], err);
	return code;
}

static void apply_carrier(struct link *link)
{
	bool on = !link->directions[0].line.shape.down && !link->directions[1].line.shape.down;

	if (on == link->carrier)
		return;
	link->carrier = on;
	sn_end_set_carrier(&link->ends[0], on);
	sn_end_set_carrier(&link->ends[1], on);
}

static int start_link(struct link *link, struct sn_err *err)
{
	struct sn_relay *relay = link->relay;

	for (unsigned i = 0; i < 2; i++) {
		struct direction *direction = &link->directions[i];
		int code;

		direction->link = link;
		direction->from = &link->ends[i];
		direction->to = &link->ends[1 - i];
		sn_line_init(&direction->line, relay->seed + 2 * relay->count + i);
		direction->line.header = direction->from->header;
		sn_line_set(&direction->line, &direction->start);
		sn_timer_init(&direction->timer, relay->loop, timer_fired);
		sn_io_init(&direction->io, relay->loop, direction->from->fd, end_readable);
		code = sn_io_start(&direction->io, SN_IO_READ);
		if (code != 0)
			return sn_err_sys(err, code, "cannot watch an end");
	}
	link->carrier = true;
	apply_carrier(link);
	return 0;
}

int sn_relay_add(struct sn_relay *relay, const char *text, struct sn_err *err)
{
	struct link *link;
	int code;

	if (relay->count == SN_IMPAIR_LINKS_MAX)
		return sn_err_set(err, -E2BIG, "more than %d links", SN_IMPAIR_LINKS_MAX);
	link = sn_new(struct link);
	link->relay = relay;
	link->ends[0].fd = link->ends[1].fd = -1;
	code = parse_link(link, text, err);
	if (code == 0)
		code = start_link(link, err);
	if (code != 0) {
		link_destroy(link);
		sn_err_wrap(err, "link '%.60s'", text);
		return code;
	}
	relay->links[relay->count++] = link;
	return 0;
}

unsigned sn_relay_count(const struct sn_relay *relay)
{
	return relay->count;
}

/* While it runs ---------------------------------------------------------- */

int sn_relay_set(struct sn_relay *relay, const char *name, enum sn_direction which,
		 struct sn_str key, struct sn_str value, struct sn_err *err)
{
	struct link *link = find_link(relay, name);

	if (link == NULL)
		return unknown_link(relay, name, err);
	for (unsigned i = 0; i < 2; i++) {
		struct sn_impair_shape shape = link->directions[i].line.shape;
		int code;

		if ((which & (SN_AB << i)) == 0)
			continue;
		code = sn_impair_shape_set(&shape, key, value, err);
		if (code != 0)
			return code;
		sn_line_set(&link->directions[i].line, &shape);
	}
	apply_carrier(link);
	return 0;
}

static void reset_link(struct link *link)
{
	for (int i = 0; i < 2; i++)
		sn_line_set(&link->directions[i].line, &link->directions[i].start);
	apply_carrier(link);
}

int sn_relay_reset(struct sn_relay *relay, const char *name, struct sn_err *err)
{
	if (name != NULL && find_link(relay, name) == NULL)
		return unknown_link(relay, name, err);
	for (unsigned i = 0; i < relay->count; i++)
		if (name == NULL || strcmp(relay->links[i]->name, name) == 0)
			reset_link(relay->links[i]);
	return 0;
}

static void write_direction(const struct direction *direction, const char *name, struct sn_jw *jw)
{
	const struct sn_impair_shape *shape = &direction->line.shape;
	bool changed = memcmp(shape, &direction->start, sizeof(*shape)) != 0;
	struct sn_buf text = {0};

	sn_jw_key(jw, name);
	sn_jw_object(jw);
	sn_impair_shape_print(shape, &text);
	sn_jw_kcstr(jw, "shape", sn_buf_cstr(&text));
	sn_buf_finish(&text);
	sn_jw_kbool(jw, "changed", changed);
	sn_impair_shape_write(shape, jw);
	sn_line_counters_write(&direction->line.counters, jw);
	sn_jw_object_end(jw);
}

int sn_relay_write(const struct sn_relay *relay, const char *name, struct sn_jw *jw,
		   struct sn_err *err)
{
	if (name != NULL && find_link(relay, name) == NULL)
		return unknown_link(relay, name, err);
	for (unsigned i = 0; i < relay->count; i++) {
		const struct link *link = relay->links[i];

		if (name != NULL && strcmp(link->name, name) != 0)
			continue;
		sn_jw_object(jw);
		sn_jw_kcstr(jw, "link", link->name);
		write_direction(&link->directions[0], "ab", jw);
		write_direction(&link->directions[1], "ba", jw);
		sn_jw_object_end(jw);
	}
	return 0;
}
