/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "base/slab.h"
#include "base/poison.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef SANITIZED
#define GAP  16 /* out of bounds, behind each object */
#define KEPT 256 /* free ones that do not serve again yet */
#else
#define GAP  0
#define KEPT 0
#endif

#define CHUNK 32768u
#define ARENA ((size_t)1 << (32 + SLAB_REF_SHIFT)) /* what 32 bits can name */

struct slab_chunk {
	struct slab_chunk *next;
	_Alignas(1 << SLAB_REF_SHIFT) uint8_t mem[];
};

struct slab_free {
	struct slab_free *next;
};

uint8_t *slab_arena;

/* Of all slabs, of any thread: chunks come and go seldom. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t used =
        CHUNK; /* bytes of the arena that are chunks; the first is nobody's: no object has the name 0 */
static struct slab_chunk *spare;

/* Addresses alone, for as long as the process lives. */
static bool reserve(void)
{
	void *p;

	if (slab_arena != NULL)
		return true;
	p = mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p != MAP_FAILED)
		slab_arena = p;
	return p != MAP_FAILED;
}

static struct slab_chunk *chunk_new(void)
{
	struct slab_chunk *c;

	pthread_mutex_lock(&lock);
	c = spare;
	if (c != NULL) {
		spare = c->next;
	} else if (reserve() && used + CHUNK <= ARENA &&
	           mprotect(slab_arena + used, CHUNK, PROT_READ | PROT_WRITE) == 0) {
		c = (struct slab_chunk *)(slab_arena + used);
		used += CHUNK;
	}
	pthread_mutex_unlock(&lock);
	return c;
}

static void chunk_free(struct slab_chunk *c)
{
	FORBID(c->mem, CHUNK - offsetof(struct slab_chunk, mem));
	madvise(c, CHUNK, MADV_DONTNEED);
	pthread_mutex_lock(&lock);
	c->next = spare;
	spare = c;
	pthread_mutex_unlock(&lock);
}

void slab_init(struct slab *s, size_t size)
{
	const size_t unit = (size_t)1 << SLAB_REF_SHIFT;

	*s = (struct slab){.size = (size + unit - 1) & ~(unit - 1)};
	assert(s->size + GAP <= CHUNK - offsetof(struct slab_chunk, mem));
}

void slab_fini(struct slab *s)
{
	struct slab_chunk *c;

#ifdef SANITIZED
	if (s->n_out > 0) {
		fprintf(stderr, "slab: %u objects of %zu bytes leaked\n", s->n_out, s->size);
		abort();
	}
#endif
	while ((c = s->chunks) != NULL) {
		s->chunks = c->next;
		chunk_free(c);
	}
	*s = (struct slab){.size = s->size};
}

static void *take_new(struct slab *s)
{
	struct slab_chunk *c;
	void *p;

	if (s->left < s->size + GAP) {
		c = chunk_new();
		if (c == NULL)
			return NULL;
		c->next = s->chunks;
		s->chunks = c;
		s->at = c->mem;
		s->left = CHUNK - offsetof(struct slab_chunk, mem);
		FORBID(c->mem, s->left);
	}
	p = s->at;
	s->at += s->size + GAP;
	s->left -= s->size + GAP;
	return p;
}

static void *take_free(struct slab *s)
{
	struct slab_free *f = s->free;

	if (s->n_free <= KEPT)
		return NULL;
	ALLOW(f, sizeof(*f));
	s->free = f->next;
	s->n_free--;
	return f;
}

void *slab_get(struct slab *s)
{
	void *p = take_free(s);

	if (p == NULL)
		p = take_new(s);
	if (p == NULL)
		return NULL;
	s->n_out++;
	ALLOW(p, s->size);
	memset(p, 0, s->size);
	return p;
}

/* The last one is the first to serve again, being in the cache; where they are kept, the first one is. */
static void put_free(struct slab *s, struct slab_free *f)
{
	struct slab_free *last = s->last_free;

	if (KEPT == 0 || s->free == NULL) {
		f->next = s->free;
		s->free = f;
	} else {
		f->next = NULL;
		ALLOW(last, sizeof(*last));
		last->next = f;
		FORBID(last, sizeof(*last));
	}
	s->last_free = f;
	s->n_free++;
}

void slab_put(struct slab *s, void *object)
{
	if (object == NULL)
		return;
	s->n_out--;
	put_free(s, object);
	FORBID(object, s->size);
}

/* ---- lists ---- */

static struct ref_link *link_at(uint32_t ref, size_t link)
{
	return (struct ref_link *)((uint8_t *)slab_at(ref) + link);
}

/* Makes next the one behind prev; 0: the end of the list on that side. */
static void join(struct ref_list *l, uint32_t prev, uint32_t next, size_t link)
{
	if (prev != 0)
		link_at(prev, link)->next = next;
	else
		l->first = next;
	if (next != 0)
		link_at(next, link)->prev = prev;
	else
		l->last = prev;
}

void ref_append(struct ref_list *l, void *object, size_t link)
{
	join(l, l->last, slab_ref(object), link);
	join(l, slab_ref(object), 0, link);
}

void ref_prepend(struct ref_list *l, void *object, size_t link)
{
	join(l, slab_ref(object), l->first, link);
	join(l, 0, slab_ref(object), link);
}

void ref_remove(struct ref_list *l, void *object, size_t link)
{
	const struct ref_link *at = link_at(slab_ref(object), link);

	join(l, at->prev, at->next, link);
}

void ref_push(uint32_t *first, void *object, size_t next)
{
	*(uint32_t *)((uint8_t *)object + next) = *first;
	*first = slab_ref(object);
}

void ref_unlink(uint32_t *first, const void *object, size_t next)
{
	const uint32_t ref = slab_ref(object);
	uint32_t *at = first;

	while (*at != ref)
		at = (uint32_t *)((uint8_t *)slab_at(*at) + next);
	*at = *(const uint32_t *)((const uint8_t *)object + next);
}
