/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EACH_ALONE
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define EACH_ALONE
#endif

#define CHUNK (32768 - 16) /* with malloc's own a whole number of pages */

struct slab_chunk {
	struct slab_chunk *next;
	_Alignas(sizeof(void *)) uint8_t mem[];
};

struct slab_free {
	struct slab_free *next;
};

void slab_init(struct slab *s, size_t size)
{
	*s = (struct slab){.size = size};
}

void slab_fini(struct slab *s)
{
	struct slab_chunk *c;

	while ((c = s->chunks) != NULL) {
		s->chunks = c->next;
		free(c);
	}
	*s = (struct slab){.size = s->size};
}

#ifdef EACH_ALONE

void *slab_get(struct slab *s)
{
	return calloc(1, s->size);
}

void slab_put(struct slab *s, void *object)
{
	(void)s;
	free(object);
}

#else

static void *take_new(struct slab *s)
{
	struct slab_chunk *c;
	void *p;

	if (s->left < s->size) {
		c = malloc(CHUNK);
		if (c == NULL)
			return NULL;
		c->next = s->chunks;
		s->chunks = c;
		s->at = c->mem;
		s->left = CHUNK - offsetof(struct slab_chunk, mem);
	}
	p = s->at;
	s->at += s->size;
	s->left -= s->size;
	return p;
}

void *slab_get(struct slab *s)
{
	void *p = s->free;

	if (p != NULL)
		s->free = s->free->next;
	else
		p = take_new(s);
	if (p != NULL)
		memset(p, 0, s->size);
	return p;
}

void slab_put(struct slab *s, void *object)
{
	struct slab_free *f = object;

	if (f == NULL)
		return;
	f->next = s->free;
	s->free = f;
}

#endif
