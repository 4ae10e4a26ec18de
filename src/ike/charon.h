/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Between charon and control: the socket on which charon's plugin reaches the daemon, and the child
 * process that gives charon its connections and keys whenever a plugin has connected. It decides
 * nothing: messages go to control, and control's go to the plugin. One thread, libevent.
 */
#pragma once

#include "base/log.h"
#include "config/config.h"
#include "sslink/sslink.h"

#include <stdbool.h>
#include <stdint.h>

struct charon;
struct event_base;

struct charon_ops {
	/* A plugin has connected, and is the only one from now on: an older one was let go without a word. */
	void (*link_up)(void *ctx);
	/* One message of it. It may hold keys and is wiped when this returns. */
	void (*rx)(void *ctx, const struct sslink_msg *m);
	/* The plugin has gone, has sent what is no message, or does not read what it is sent. */
	void (*link_down)(void *ctx);
};

/*
 * Writes charon's configuration into the run directory and listens. conf, ops, ctx and log stay the
 * caller's and must outlive it. NULL with errno; what failed has been logged.
 */
struct charon *charon_new(struct event_base *base, const struct config *conf,
                          const struct charon_ops *ops, void *ctx, struct log *log);
/* Closes the link without a call of link_down. NULL is nothing. */
void charon_free(struct charon *k);

/*
 * One message to the plugin; may be called from within the callbacks. What the socket has no room for waits,
 * in order, and the link is lost when it goes on waiting for 10 s. 0; -ENOTCONN: there is none;
 * -EAGAIN: too many wait, -EINVAL: no message; or -errno of the socket. After -EAGAIN and an error
 * of the socket link_down is called soon, but not before this returns.
 */
int charon_send(struct charon *k, const struct sslink_msg *m);

struct charon_stats {
	bool up; /* a plugin is connected */
	bool loaded; /* charon has our connections and keys */
	uint64_t links, refused_peers; /* connected, and turned away for their user id */
	uint64_t rx, tx; /* messages */
	uint64_t bad_messages; /* each ended its link */
	uint64_t tx_failures;
	uint64_t loads, load_failures; /* runs of swanctl */
};
void charon_stats_get(const struct charon *k, struct charon_stats *out);
