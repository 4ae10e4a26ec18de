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

struct halfopen;
struct halfopen_entry; /* of a tunnel, as long as it is half-open */

/* limit: how many may be half-open at once, 1..TABLE_MAX. NULL: no memory. */
struct halfopen *halfopen_new(uint32_t limit, uint64_t seed);
void halfopen_free(struct halfopen *h);

/* Adds what owner has from a source. NULL: more than the limit are there already. */
struct halfopen_entry *halfopen_add(struct halfopen *h, const struct ipaddr *source, void *owner);
/* Takes it out and frees it; NULL is fine. */
void halfopen_del(struct halfopen *h, struct halfopen_entry *e);

uint32_t halfopen_count(const struct halfopen *h);
bool halfopen_full(const struct halfopen *h);
/* The owner of the oldest entry of the fullest source, or NULL. */
void *halfopen_victim(const struct halfopen *h);
