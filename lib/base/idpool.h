/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Pools of 16-bit ids (L2TP tunnel and session ids, RFC 2661 3.1). Id 0 is never given out.
 *
 * A freed id is available at once, but not to the scope that used it last until a quarantine has
 * passed: a late packet of the old owner must not meet a new one. The scope is a number that the
 * caller chooses: for a tunnel id the peer's address and port or its connection, for a session id
 * its tunnel's serial number.
 */
#pragma once

#include <stdint.h>

#define IDPOOL_IDS     65536
#define IDPOOL_MS_BITS 30 /* after twelve days an id may seem freed just now; it is stepped over */

struct idpool {
	uint32_t quarantine_ms;
	uint32_t n_used;
	uint32_t head, tail; /* ring of free ids: oldest first */
	uint32_t n_free;
	uint16_t ring[IDPOOL_IDS];
	struct {
		uint32_t
		        scope; /* folded: two that meet here share a quarantine, which harms nobody */
		uint32_t freed_ms : IDPOOL_MS_BITS; /* the low bits of when */
		uint32_t state : 2; /* 0 free and never used, 1 in use, 2 free and used before */
	} id[IDPOOL_IDS];
};

/* Makes a pool of ids first..last (1..65535). The caller frees it with free(). NULL: no memory. */
struct idpool *idpool_new(uint16_t first, uint16_t last, uint32_t quarantine_ms, uint32_t seed);

/*
 * Takes an id that this scope may use at now_ms. Looks at a bounded number of candidates.
 * Returns 0 when none is free (or every candidate is in quarantine for this scope).
 */
uint16_t idpool_get(struct idpool *p, uint64_t scope, uint64_t now_ms);

/* Gives an id back; it stays closed to its last scope for the quarantine. */
void idpool_put(struct idpool *p, uint16_t id, uint64_t now_ms);
