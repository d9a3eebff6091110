/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity: who this node is, as files in its state directory.
 *
 *   identity.pem   its certificate and private key in one file (mode 0600), so
 *                  that a renewal replaces both or none
 *   ca.pem         the certificate of the hub's CA
 *   node.json      {"node":"<id>","name":"...","hub_url":"https://..."}
 */
#ifndef SONDE_NODE_JOIN_IDENTITY_H
#define SONDE_NODE_JOIN_IDENTITY_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct sn_node_identity {
	char *node, *name, *hub_url;
	char *identity_file, *ca_file;
	int64_t not_before_unix_s, not_after_unix_s;
};

/* -ENOENT when the node has not joined yet; the text says how to. */
int sn_node_identity_load(const char *state_dir, struct sn_node_identity *identity,
			  struct sn_err *err);
void sn_node_identity_finish(struct sn_node_identity *identity);

/* The certificate must be for the key and carry urn:sonde:node:<node>. */
int sn_node_identity_write_pem(const char *state_dir, const char *node, const char *cert_pem,
			       const char *key_pem, struct sn_err *err);
int sn_node_identity_write_ca(const char *state_dir, const char *ca_pem, struct sn_err *err);
int sn_node_identity_write_node(const char *state_dir, const char *node, const char *name,
				const char *hub_url, struct sn_err *err);

/* Moment at which two thirds of the certificate's life are over. */
int64_t sn_node_identity_renew_at(const struct sn_node_identity *identity);

#endif
