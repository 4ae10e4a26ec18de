/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Pools of subscriber addresses: the address that rested longest is given first. */
#pragma once

#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

#define POOL_MAX 65536 /* addresses; config/checknet.c allows no more */

struct pool {
	const struct cfg_pool *conf;
	uint32_t first, size; /* host order */
	uint32_t used, reserved;
	uint32_t head, n_free;
	uint16_t *ring; /* free offsets, oldest first */
	uint8_t *taken; /* a bit for each offset */
};

/* The range must not be empty, nor larger than POOL_MAX. Returns 0, or -ENOMEM. */
int pool_init(struct pool *p, const struct cfg_pool *conf);
void pool_fini(struct pool *p);

/* The next free address in host order, or 0. */
uint32_t pool_get(struct pool *p);
/* Takes this very address. 0, -ENOENT (not of this pool) or -EBUSY. */
int pool_take(struct pool *p, uint32_t ip);
/* Keeps this address back for good; harmless when it is not of this pool. */
void pool_reserve(struct pool *p, uint32_t ip);
bool pool_has(const struct pool *p, uint32_t ip);
void pool_put(struct pool *p, uint32_t ip);
