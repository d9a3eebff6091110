/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: requests to the hub's API, one after the other.
 *
 * A client owns a loop; each call runs it until the answer is there, so that
 * verbs read like scripts.  Ctrl-C ends a call with -EINTR.  A refusal of the hub
 * becomes a negative errno with the `detail` of its problem document (RFC 9457)
 * as text.
 */
#ifndef SONDE_CLI_CLIENT_H
#define SONDE_CLI_CLIENT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/cli.h"
#include "base/err.h"
#include "base/loop.h"
#include "cli/place.h"
#include "net/http_client.h"

struct sn_client_options { /* embedded in the options of each verb that talks to a hub */
	const char *hub;
};

#define SN_CLIENT_OPTION(type_, member_)                                                           \
	{                                                                                          \
		.name = "hub", .type = SN_OPT_TEXT, .offset = offsetof(type_, member_.hub),        \
		.argument = "HUB", .group = "Connection",                                          \
		.help = "URL or profile of the hub (default: SONDE_URL, else the one on this "     \
			"machine)"                                                                 \
	}

struct sn_client;

int sn_client_open(const struct sn_client_options *options, struct sn_client **client,
		   struct sn_err *err);
/* For a place found otherwise, whose texts it takes over, on a loop that the caller keeps. */
struct sn_client *sn_client_open_on(struct sn_loop *loop, struct sn_place *place);
void sn_client_close(struct sn_client *client);
const struct sn_place *sn_client_place(const struct sn_client *client);
struct sn_loop *sn_client_loop(struct sn_client *client);
/* The header line that says who we are, or NULL; borrowed. */
const char *sn_client_authorisation(const struct sn_client *client);

/*
 * `path` begins with a slash and has its query with it; `body` may be NULL.  On
 * success `*answer` is a new reference, or NULL for an answer without a body;
 * `answer` may be NULL.
 */
int sn_client_call(struct sn_client *client, const char *method, const char *path,
		   const json_t *body, json_t **answer, struct sn_err *err);
int sn_client_get(struct sn_client *client, const char *path, json_t **answer, struct sn_err *err);

/* Bytes of another kind than JSON; `headers` NULL-terminated, Content-Type among them. */
int sn_client_send(struct sn_client *client, const char *method, const char *path,
		   const char *const *headers, struct sn_str body, uint64_t timeout_ns,
		   struct sn_err *err);

/* Every item of a list, page after page.  Non-zero from `fn` ends the walk and is returned. */
typedef int sn_client_item_fn(const json_t *item, void *ctx);
int sn_client_each(struct sn_client *client, const char *path, sn_client_item_fn *fn, void *ctx,
		   struct sn_err *err);

/* The pieces of a long answer as they come.  Non-zero from `fn` ends it with that error. */
typedef int sn_client_piece_fn(struct sn_str piece, void *ctx);
int sn_client_stream(struct sn_client *client, const char *path, const char *accept,
		     sn_client_piece_fn *fn, void *ctx, struct sn_err *err);

/*
 * Follow an event stream until Ctrl-C (0), an error that will not pass, or
 * non-zero from `fn`.  A lost connection is made again with the last event's id.
 * `on_open`, which may be NULL, is called once, when the first connection stands
 * or at the latest a second after the start; it may make calls.
 */
typedef int sn_client_event_fn(const char *event, struct sn_str data, void *ctx);
typedef int sn_client_open_fn(void *ctx);
int sn_client_follow(struct sn_client *client, const char *path, sn_client_open_fn *on_open,
		     sn_client_event_fn *fn, void *ctx, struct sn_err *err);

/* Prints `err` the way every verb does; the exit code that fits. */
int sn_client_fail(const struct sn_err *err);

/* A verb's whole way: opens a client, has `work` done, closes it; the exit code, errors printed. */
typedef int sn_client_work_fn(struct sn_client *client, void *ctx, struct sn_err *err);
int sn_client_run(const struct sn_client_options *options, sn_client_work_fn *work, void *ctx);

#endif
