/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage: programs and web files, copied to where an ordinary user can reach them
 * (the build tree may lie in a private home directory).
 *
 * Sources are opened as root, copied as the user.
 */
#ifndef SONDE_DEMO_RUN_STAGE_H
#define SONDE_DEMO_RUN_STAGE_H

#include <stdbool.h>

#include "base/err.h"

#define SN_STAGE_FILES_MAX 512

struct sn_stage_file {
	char *path; /* below the state directory: "bin/sonde-hub", "web/assets/x.js" */
	int fd;
	bool executable;
};

struct sn_stage {
	struct sn_stage_file files[SN_STAGE_FILES_MAX];
	unsigned count;
	bool has_web;
};

/* Programs from `program_dir`, the web files from where they are installed or built. */
int sn_stage_open(struct sn_stage *stage, const char *program_dir, struct sn_err *err);
int sn_stage_copy(const struct sn_stage *stage, const char *state_dir, struct sn_err *err);
void sn_stage_close(struct sn_stage *stage);

#endif
