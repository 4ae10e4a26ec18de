/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "base/slab_sizes.h"

#include <stdlib.h>

void slab_sizes_init(struct slab_sizes *s)
{
	for (size_t i = 0; i < SLAB_SIZES_COUNT; i++)
		slab_init(&s->of[i], (i + 1) * SLAB_SIZES_STEP);
}

void slab_sizes_fini(struct slab_sizes *s)
{
	for (size_t i = 0; i < SLAB_SIZES_COUNT; i++)
		slab_fini(&s->of[i]);
}

/* NULL: malloc's */
static struct slab *slab_of(struct slab_sizes *s, size_t size)
{
	if (s == NULL || size > SLAB_SIZES_COUNT * SLAB_SIZES_STEP)
		return NULL;
	return &s->of[(size - 1) / SLAB_SIZES_STEP];
}

void *slab_sizes_get(struct slab_sizes *s, size_t size)
{
	struct slab *of = slab_of(s, size);

	return of != NULL ? slab_get(of) : malloc(size);
}

void slab_sizes_put(struct slab_sizes *s, void *piece, size_t size)
{
	struct slab *of = slab_of(s, size);

	if (of != NULL)
		slab_put(of, piece);
	else
		free(piece);
}
