/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter: the capability tstat-exporter_log of mPlane's Tstat proxy: for as long as the scope
 * of a specification lasts, logs are offered to the repository that it names (MATH: transfer/).
 *
 * The probe listens while there is such a job, one for all; each job tells its repository.  A
 * specification can name only repositories that the component was told of, and who may fetch
 * is said there, too: nobody is sent logs because a client asks for it.
 */
#ifndef SONDE_NODE_COMPONENT_EXPORTER_H
#define SONDE_NODE_COMPONENT_EXPORTER_H

#include "base/loop.h"
#include "peer/component.h"

#define SN_EXPORTER_LABEL    "tstat-exporter_log"
#define SN_EXPORTER_JOBS_MAX 64

struct sn_exporter;

struct sn_exporter_config { /* texts must stay */
	struct sn_loop *loop;
	const char *directory, *listen;             /* listen: address and port */
	const char *name;                           /* of the stream, and System_ID */
	const char *cert_file, *key_file, *ca_file; /* NULL: plain, on loopback */
	const char *const *repositories;            /* URLs that may be named */
	unsigned repository_count;
	const char *const *readers; /* who may fetch: transfer/probe.h */
	unsigned reader_count;
};

/* -EINVAL for what cannot be right; nothing listens yet. */
int sn_exporter_create(const struct sn_exporter_config *config, struct sn_exporter **exporter,
		       struct sn_err *err);
void sn_exporter_destroy(struct sn_exporter *exporter); /* NULL is fine */

/* Without token. */
struct sn_mp_message *sn_exporter_capability(const struct sn_exporter *exporter,
					     const struct sn_mp_registries *registries);
bool sn_exporter_is(const struct sn_mp_message *capability);
/* -EACCES: that repository is not on the list. */
int sn_exporter_permit(const struct sn_exporter *exporter,
		       const struct sn_mp_message *specification, struct sn_err *err);
/* As in struct sn_component_host. */
int sn_exporter_start(struct sn_exporter *exporter, struct sn_job *job, struct sn_err *err);
void sn_exporter_stop(struct sn_exporter *exporter, struct sn_job *job);

#endif
