/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What link.c and load.c share. */
#pragma once

#include "ike/charon.h"

#include <sys/queue.h>
#include <sys/types.h>

struct event;

#define CHARON_PATH_MAX 512

struct charon_out; /* a message that waits for charon */

struct charon {
	struct event_base *base;
	const struct config *conf;
	const struct charon_ops *ops;
	void *ctx;
	struct log *log;
	struct charon_stats stats;

	/* link.c */
	int listen_fd, fd; /* fd: the plugin's; -1: none */
	struct event *accept, *read, *write, *failed;
	STAILQ_HEAD(, charon_out) out; /* what the socket had no room for */
	uint32_t n_out;
	struct log_limit refused_log;

	/* load.c */
	pid_t child; /* swanctl; 0: none runs */
	struct event *sigchld, *timer;
	uint32_t retry_ms; /* wait after the next failure */
	bool again; /* a new charon has come while swanctl ran for the old one */
	bool overdue; /* the child was killed for taking too long */
};

/* Makes the events. 0, or -errno. */
int load_init(struct charon *k);
void load_fini(struct charon *k);
/* A charon is there: have it take connections and keys, and try until it has. */
void load_start(struct charon *k);
/* It has gone: try no more. */
void load_stop(struct charon *k);
