/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Rate limits in TSC time, for one thread each. A bucket is one number: the time at which the next
 * packet would be on schedule. It may lie in the past by the burst, never further.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gcra {
	uint64_t due; /* TSC */
	uint64_t cost, burst; /* TSC cycles */
};

/* rate a second; burst packets may come at once. */
static inline void gcra_init(struct gcra *g, uint64_t hz, uint32_t rate, uint32_t burst)
{
	g->due = 0;
	g->cost = hz / rate;
	g->burst = g->cost * (burst - 1);
}

static inline bool gcra_due_take(uint64_t *due, uint64_t cost, uint64_t burst, uint64_t now)
{
	uint64_t earliest = now > burst ? now - burst : 0;
	uint64_t d = *due < earliest ? earliest : *due;

	if (d > now)
		return false;
	*due = d + cost;
	return true;
}

static inline bool gcra_take(struct gcra *g, uint64_t now)
{
	return gcra_due_take(&g->due, g->cost, g->burst, now);
}

/* ---- requests for new tunnels ---- */

struct newtun;

/*
 * Limits SCCRQs: a total, a share for each source, and both once more for sources whose request was
 * seen before. A client repeats its SCCRQ after 1, 2, 4 .. seconds (RFC 2661 5.8); a flood from
 * random addresses does not, so it cannot use up what the client's second attempt lives on.
 */
struct newtun *newtun_new(uint64_t hz, uint32_t rate, uint32_t source_rate, uint32_t seed,
                          int socket);
void newtun_free(struct newtun *nt);
/* True when the request of this source may pass at TSC now. */
bool newtun_take(struct newtun *nt, uint32_t src, uint16_t port, uint64_t now);
