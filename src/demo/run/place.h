/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place: the state directory of a demo, and the ordinary user that owns it.
 *
 * Root is needed to make it and to give it away; after that every file is made as
 * the user (effective ids), because a directory that a user writes is no place
 * for root to open names in.
 */
#ifndef SONDE_DEMO_RUN_PLACE_H
#define SONDE_DEMO_RUN_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct sn_demo_user {
	uid_t uid;
	gid_t gid;
	char name[64];
};

/* Who called sudo; without sudo the user 'nobody'. */
int sn_demo_user_find(struct sn_demo_user *user, struct sn_err *err);
/* For a while: effective ids only; and for good, which is checked. */
int sn_demo_user_enter(const struct sn_demo_user *user, struct sn_err *err);
int sn_demo_user_leave(struct sn_err *err);
int sn_demo_user_become(const struct sn_demo_user *user, struct sn_err *err);

struct sn_demo_place {
	char *dir; /* absolute */
	bool made; /* by us, so removed by us */
	int lock;  /* -1 while not locked */
};

/*
 * As root: makes the directory or takes an empty one or a former demo's, gives it to the
 * user, mode 0755.  Anything else there is refused: what a demo removes must be its own.
 */
int sn_demo_place_open(struct sn_demo_place *place, const char *dir,
		       const struct sn_demo_user *user, struct sn_err *err);
/* As the user: locks it, removes what a crashed demo left, makes the directories. */
int sn_demo_place_prepare(struct sn_demo_place *place, struct sn_err *err);
/* As the user: removes everything of ours, and the directory if we made it. */
void sn_demo_place_remove(struct sn_demo_place *place);
void sn_demo_place_finish(struct sn_demo_place *place);
/* "DIR/NAME", malloc'ed. */
char *sn_demo_place_path(const struct sn_demo_place *place, const char *name);
/* Prefix for namespaces: of its own for each directory, so that two demos can live side by side. */
#define SN_DEMO_PREFIX_MAX 16
char *sn_demo_place_prefix(const struct sn_demo_place *place, char out[SN_DEMO_PREFIX_MAX]);

#endif
