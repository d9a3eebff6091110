/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: what `sonde shell` knows: capabilities, values that were set, measurements.
 *
 * Requests go out one after the other; each runs the loop until the answer is there.
 */
#ifndef SONDE_CLI_SHELL_SESSION_H
#define SONDE_CLI_SHELL_SESSION_H

#include "base/loop.h"
#include "peer/client.h"

#define SN_SHELL_MEASUREMENTS_MAX 10000

struct sn_shell_measurement {
	struct sn_mp_message *specification;
	struct sn_mp_message *answer; /* the newest: receipt, result, envelope, exception */
	char *link;                   /* of the capability; "" */
};

struct sn_shell_value {
	char *name, *value;
};

struct sn_shell {
	struct sn_loop *loop;
	struct sn_mp_registries *registries;
	struct sn_peer_client *client;
	struct sn_peer_client_config config;
	char *url;
	bool json; /* messages as JSON */

	struct sn_mp_message **capabilities;
	size_t capability_count;
	struct sn_shell_value *values; /* set for the next runs */
	size_t value_count;
	char *when;
	struct sn_shell_measurement *measurements;
	size_t measurement_count;
	unsigned serial;
};

struct sn_shell *sn_shell_create(const struct sn_peer_client_config *config);
void sn_shell_destroy(struct sn_shell *shell);

/* Another place for capabilities and messages; what is known stays. */
void sn_shell_set_url(struct sn_shell *shell, const char *url);
/* Reads the capabilities there are; returns how many, negative errno with the reason. */
int sn_shell_discover(struct sn_shell *shell, struct sn_err *err);

/* By label or by (the beginning of) the token; NULL. */
const struct sn_mp_message *sn_shell_capability(const struct sn_shell *shell, const char *name);
struct sn_shell_measurement *sn_shell_measurement(struct sn_shell *shell, const char *name);

/* `value` NULL forgets it. */
void sn_shell_set(struct sn_shell *shell, const char *name, const char *value);
const char *sn_shell_get(const struct sn_shell *shell, const char *name);

/*
 * A specification of `capability` with the values that are set, sent.  -EINVAL names the first
 * parameter without a value.
 */
int sn_shell_run(struct sn_shell *shell, const struct sn_mp_message *capability,
		 struct sn_shell_measurement **measurement, struct sn_err *err);
/* Asks for the result of what is only a receipt yet. */
int sn_shell_redeem(struct sn_shell *shell, struct sn_shell_measurement *measurement,
		    struct sn_err *err);
int sn_shell_interrupt(struct sn_shell *shell, struct sn_shell_measurement *measurement,
		       struct sn_err *err);

#endif
