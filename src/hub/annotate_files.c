/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "annotate"
#include "hub/annotate_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "hub/publish.h"

struct reading {
	struct sn_work work;
	struct sn_hub *hub;
	struct sn_err err;
};

/* Changes when one of the files is another one. */
static uint64_t stamp(const struct sn_hub *hub)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (unsigned i = 0; i < hub->config->annotate.count; i++) {
		struct stat st = {0};

		(void)stat(hub->config->annotate.items[i], &st);
		hash = (hash ^ (uint64_t)st.st_ino) * 0x100000001b3;
		hash = (hash ^ (uint64_t)st.st_size) * 0x100000001b3;
		hash = (hash ^ (uint64_t)st.st_mtim.tv_sec) * 0x100000001b3;
		hash = (hash ^ (uint64_t)st.st_mtim.tv_nsec) * 0x100000001b3;
	}
	return hash;
}

static void say(struct sn_hub *hub, const struct sn_err *err)
{
	if (err->code != 0)
		sn_warn("networks and countries are told as before: %s", err->text);
	else
		sn_notice("files of networks and countries were read files=%u",
			  hub->config->annotate.count);
	sn_publish_problem(err->code != 0 ? err->text : NULL, hub);
}

static void read_files(struct sn_work *work)
{
	struct reading *reading = sn_container_of(work, struct reading, work);

	sn_annotator_load(reading->hub->annotator, &reading->err);
}

static void have_read(struct sn_work *work)
{
	struct reading *reading = sn_container_of(work, struct reading, work);
	struct sn_hub *hub = reading->hub;

	hub->annotating = false;
	say(hub, &reading->err);
	free(reading);
}

static void read_again(struct sn_hub *hub)
{
	struct reading *reading;

	if (hub->annotating || hub->config->annotate.count == 0)
		return;
	reading = sn_new(struct reading);
	reading->hub = hub;
	hub->annotate_stamp = stamp(hub);
	hub->annotating = sn_work_start(hub->work, &reading->work, read_files, have_read) == 0;
	if (!hub->annotating) { /* too busy: the next look does it */
		hub->annotate_stamp = 0;
		free(reading);
	}
}

static bool has_terminal(void)
{
	sn_autoclose int fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd >= 0;
}

/* Where a terminal goes away the signal means what it always did. */
static void hung_up(void *ctx)
{
	struct sn_hub *hub = ctx;

	if (hub->has_terminal && !has_terminal())
		sn_loop_stop(hub->loop, 0);
	else
		read_again(hub);
}

void sn_annotate_look(struct sn_hub *hub)
{
	if (hub->config->annotate.count > 0 && stamp(hub) != hub->annotate_stamp)
		read_again(hub);
}

int sn_annotate_open(struct sn_hub *hub, struct sn_err *err)
{
	struct sn_err problem = {0};

	hub->annotator = sn_annotator_create(&hub->config->annotate);
	hub->annotate_stamp = stamp(hub);
	if (sn_annotator_load(hub->annotator, &problem) != 0)
		sn_warn("no networks and countries are told: %s", problem.text);
	if (hub->config->annotate.count == 0)
		return 0;
	hub->has_terminal = has_terminal();
	if (sn_loop_on_hangup(hub->loop, hung_up, hub) != 0)
		return sn_err_set(err, -EIO, "cannot wait for signals");
	return 0;
}

void sn_annotate_close(struct sn_hub *hub)
{
	sn_loop_on_hangup(hub->loop, NULL, NULL);
	sn_annotator_destroy(hub->annotator);
	hub->annotator = NULL;
}
