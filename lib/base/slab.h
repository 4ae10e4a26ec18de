/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Objects of one size, of which there are tens of thousands: without malloc's header before each and what
 * it rounds up, and apart from what comes and goes between them. What was given back serves again; none of
 * it goes back to the system before slab_fini. To the address sanitizer what is free is out of bounds, and
 * then it serves again only after many others; what never comes back ends the process there.
 *
 * Each has a name of 32 bits, a reference, half as long as a pointer: all slabs lie in one range of
 * addresses. Lists of them have links of that kind.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_REF_SHIFT 3 /* objects begin at multiples of 8 bytes */

struct slab {
	size_t size;
	struct slab_chunk *chunks;
	struct slab_free *free, *last_free;
	uint32_t n_free, n_out; /* objects */
	uint8_t *at; /* what of the newest chunk has not been used yet */
	size_t left;
};

/* Allocates nothing. size: of an object; at most some 32,000 bytes. */
void slab_init(struct slab *s, size_t size);
/* Every object has to be back. Harmless on a zeroed one. */
void slab_fini(struct slab *s);

/* An object, zeroed; NULL: no memory. */
void *slab_get(struct slab *s);
/* Secrets in it are the caller's to wipe. NULL is fine. */
void slab_put(struct slab *s, void *object);

extern uint8_t *slab_arena; /* where all of them are */

/* The reference to an object of any slab; 0: to NULL. */
static inline uint32_t slab_ref(const void *object)
{
	return object != NULL ? (uint32_t)((uintptr_t)((const uint8_t *)object - slab_arena) >>
	                                   SLAB_REF_SHIFT)
	                      : 0;
}

/* .. and back. */
static inline void *slab_at(uint32_t ref)
{
	return ref != 0 ? slab_arena + ((uintptr_t)ref << SLAB_REF_SHIFT) : NULL;
}

/* ---- lists of objects of slabs; link is the offset of a ref_link in them ---- */

struct ref_link {
	uint32_t next, prev; /* 0: none */
};

/* Zeroed it is empty. */
struct ref_list {
	uint32_t first, last; /* 0: none */
};

void ref_append(struct ref_list *l, void *object, size_t link);
void ref_prepend(struct ref_list *l, void *object, size_t link);
/* It must be in this list. */
void ref_remove(struct ref_list *l, void *object, size_t link);

/* Short lists and hash chains, forwards alone: next is the offset of a uint32_t. */
void ref_push(uint32_t *first, void *object, size_t next);
/* It must be in this list, which is searched. */
void ref_unlink(uint32_t *first, const void *object, size_t next);

/* Each object of a list, var in turn; what is done with it must not take it out. */
#define REF_FOREACH(var, first, link)                                                              \
	for ((var) = slab_at(first); (var) != NULL; (var) = slab_at((var)->link))
