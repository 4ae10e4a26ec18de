/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "control/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int pool_init(struct pool *p, const struct cfg_pool *conf)
{
	*p = (struct pool){.conf = conf, .first = ipaddr_to_v4(&conf->first)};
	p->size = ipaddr_to_v4(&conf->last) - p->first + 1;
	assert(p->size > 0 && p->size <= POOL_MAX);
	p->ring = calloc(p->size, sizeof(*p->ring));
	p->taken = calloc(p->size / 8 + 1, sizeof(*p->taken));
	if (p->ring == NULL || p->taken == NULL) {
		pool_fini(p);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < p->size; i++)
		p->ring[i] = (uint16_t)i;
	p->n_free = p->size;
	return 0;
}

void pool_fini(struct pool *p)
{
	free(p->ring);
	free(p->taken);
	p->ring = NULL;
	p->taken = NULL;
}

bool pool_has(const struct pool *p, uint32_t ip)
{
	return ip >= p->first && ip - p->first < p->size;
}

static bool is_taken(const struct pool *p, uint32_t off)
{
	return (p->taken[off / 8] >> off % 8 & 1) != 0;
}

static void take(struct pool *p, uint32_t off)
{
	p->taken[off / 8] |= (uint8_t)(1u << off % 8);
	p->used++;
}

/* Offsets taken by name stay in the ring and are stepped over here; pool_put does not add them twice. */
uint32_t pool_get(struct pool *p)
{
	while (p->n_free > 0) {
		uint32_t off = p->ring[p->head];

		p->head = (p->head + 1) % p->size;
		p->n_free--;
		if (!is_taken(p, off)) {
			take(p, off);
			return p->first + off;
		}
	}
	return 0;
}

int pool_take(struct pool *p, uint32_t ip)
{
	uint32_t off = ip - p->first;

	if (!pool_has(p, ip))
		return -ENOENT;
	if (is_taken(p, off))
		return -EBUSY;
	/* Out of the ring: rare (a user who asks for an address), so a walk does. */
	for (uint32_t i = 0; i < p->n_free; i++) {
		uint32_t at = (p->head + i) % p->size;

		if (p->ring[at] != off)
			continue;
		p->ring[at] = p->ring[p->head];
		p->head = (p->head + 1) % p->size;
		p->n_free--;
		break;
	}
	take(p, off);
	return 0;
}

void pool_reserve(struct pool *p, uint32_t ip)
{
	if (pool_take(p, ip) < 0)
		return;
	p->used--;
	p->reserved++;
}

void pool_put(struct pool *p, uint32_t ip)
{
	uint32_t off = ip - p->first;

	assert(pool_has(p, ip) && is_taken(p, off));
	p->taken[off / 8] &= (uint8_t) ~(1u << off % 8);
	p->used--;
	p->ring[(p->head + p->n_free) % p->size] = (uint16_t)off;
	p->n_free++;
}
