/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "base/idpool.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#define MS_MASK ((1u << IDPOOL_MS_BITS) - 1)

enum { ID_FRESH, ID_USED, ID_FREED };

/* How many quarantined candidates one call steps over before it gives up. */
#define MAX_SKIP 256

static void push(struct idpool *p, uint16_t id)
{
	p->ring[p->tail++ % IDPOOL_IDS] = id;
	p->n_free++;
}

static uint32_t fold(uint64_t scope)
{
	return (uint32_t)(scope ^ scope >> 32);
}

static bool quarantined(const struct idpool *p, uint16_t id, uint64_t scope, uint64_t now_ms)
{
	uint32_t since = ((uint32_t)now_ms - p->id[id].freed_ms) & MS_MASK;

	return p->id[id].state == ID_FREED && p->id[id].scope == fold(scope) &&
	       since < p->quarantine_ms;
}

static uint16_t pop(struct idpool *p)
{
	p->n_free--;
	return p->ring[p->head++ % IDPOOL_IDS];
}

struct idpool *idpool_new(uint16_t first, uint16_t last, uint32_t quarantine_ms, uint32_t seed)
{
	struct idpool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	assert(first > 0 && first <= last);
	p->quarantine_ms = quarantine_ms;
	for (uint32_t id = first; id <= last; id++)
		push(p, (uint16_t)id);
	/* A shuffled start: ids of one boot say nothing about those of the next. */
	for (uint32_t i = p->n_free - 1; i > 0; i--) {
		uint32_t j;
		uint16_t t;

		seed = seed * 1664525u + 1013904223u;
		j = (seed >> 8) % (i + 1);
		t = p->ring[i];
		p->ring[i] = p->ring[j];
		p->ring[j] = t;
	}
	return p;
}

uint16_t idpool_get(struct idpool *p, uint64_t scope, uint64_t now_ms)
{
	uint32_t tries = p->n_free < MAX_SKIP ? p->n_free : MAX_SKIP;

	while (tries-- > 0) {
		uint16_t id = pop(p);

		if (quarantined(p, id, scope, now_ms)) {
			push(p, id);
			continue;
		}
		p->id[id].state = ID_USED;
		p->id[id].scope = fold(scope);
		p->n_used++;
		return id;
	}
	return 0;
}

void idpool_put(struct idpool *p, uint16_t id, uint64_t now_ms)
{
	assert(p->id[id].state == ID_USED);
	p->id[id].state = ID_FREED;
	p->id[id].freed_ms = (uint32_t)now_ms & MS_MASK;
	p->n_used--;
	push(p, id);
}
