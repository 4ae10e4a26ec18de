/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Half-open tunnels by source network, so that under a flood the oldest half-open one of the fullest
 * source can be found and given up in constant time.
 */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct halfopen;
struct halfopen_net;

struct halfopen_entry { /* embedded in the tunnel */
	TAILQ_ENTRY(halfopen_entry) link;
	struct halfopen_net *net; /* NULL: not half-open */
};

/* limit: how many may be half-open at once. NULL: no memory. */
struct halfopen *halfopen_new(uint32_t limit, uint64_t seed);
void halfopen_free(struct halfopen *h);

/* Adds an entry of a source. 0, or -ENOMEM. Does not look at the limit. */
int halfopen_add(struct halfopen *h, struct halfopen_entry *e, const struct ipaddr *source);
/* Takes it out; harmless when it is not in. */
void halfopen_del(struct halfopen *h, struct halfopen_entry *e);

uint32_t halfopen_count(const struct halfopen *h);
bool halfopen_full(const struct halfopen *h);
/* The oldest entry of the fullest source, or NULL. */
struct halfopen_entry *halfopen_victim(const struct halfopen *h);
