/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Objects of one size, of which there are tens of thousands: without malloc's header before each and what
 * it rounds up, and apart from what comes and goes between them. What was given back serves again; none of
 * it goes back to the system before slab_fini. Under the address sanitizer it is malloc all the same.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct slab {
	size_t size;
	struct slab_chunk *chunks;
	struct slab_free *free;
	uint8_t *at; /* what of the newest chunk has not been used yet */
	size_t left;
};

/* Allocates nothing. size: of an object; at least a pointer's, and aligned as one. */
void slab_init(struct slab *s, size_t size);
/* Whatever objects are still there go with it. Harmless on a zeroed one. */
void slab_fini(struct slab *s);

/* An object, zeroed; NULL: no memory. */
void *slab_get(struct slab *s);
/* Secrets in it are the caller's to wipe. NULL is fine. */
void slab_put(struct slab *s, void *object);
