/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Short pieces of memory, a slab for each size: malloc takes 32 bytes for the least of them. */
#pragma once

#include "base/slab.h"

#define SLAB_SIZES_STEP 8 /* bytes between one size and the next; pieces begin at multiples of it */
#define SLAB_SIZES_COUNT                                                                           \
	10 /* an MS-CHAPv2 answer with a name, and most host and vendor names fit in */

struct slab_sizes {
	struct slab of[SLAB_SIZES_COUNT]; /* [n]: of n + 1 steps */
};

/* Allocates nothing. */
void slab_sizes_init(struct slab_sizes *s);
/* Every piece has to be back. Harmless on a zeroed one. */
void slab_sizes_fini(struct slab_sizes *s);

/*
 * size bytes, not 0, with anything in them; longer ones than any of its slabs come from malloc, and so do
 * all where s is NULL. NULL: no memory.
 */
void *slab_sizes_get(struct slab_sizes *s, size_t size);
/* Back, with the size that was asked for. Secrets in it are the caller's to wipe. NULL is fine. */
void slab_sizes_put(struct slab_sizes *s, void *piece, size_t size);
