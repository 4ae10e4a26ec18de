/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Counters. Each has one writer, its worker; control adds them up when asked.
 *
 * Every packet is accounted for. When no packet is on its way,
 *
 *	rx + injected + fragments_made = tx + punts + drops + fragments_merged + held
 *
 * rx                frames taken from ports
 * injected          packets of control that a worker has taken from its FIFO
 * fragments_made    packets that fragmentation added: n - 1 for n fragments
 * tx                frames that ports took
 * punts             packets given to control: all of punt[] but NEIGH and SA, which carry none
 * drops             the sum of drop[]
 * fragments_merged  packets that reassembly removed: n - 1 for n fragments
 * held              packets that wait now: for a next hop, for their other fragments, for their SA, or in
 *                   a ring between two workers
 *
 * A hand-off moves a packet from one worker (handed_off) to another (taken_over), so the law holds for the
 * sum of workers.
 */
#include "dataplane/priv.h"

#include <string.h>

static void add(struct dp_stats *out, const struct worker *w)
{
	const struct worker_stats *s = &w->st;

#define ADD(field) out->field += __atomic_load_n(&s->field, __ATOMIC_RELAXED)
	ADD(rx);
	ADD(tx);
	ADD(injected);
	ADD(punts);
	ADD(fragments_made);
	ADD(fragments_merged);
	ADD(held);
	ADD(handed_off);
	ADD(taken_over);
	ADD(busy_cycles);
	ADD(idle_cycles);
	ADD(vectors);
	for (int i = 0; i < DP_PUNT_MAX; i++)
		ADD(punt[i]);
	for (int i = 0; i < DP_DROP_MAX; i++)
		ADD(drop[i]);
#undef ADD
	for (uint16_t to = 0; to < w->dp->conf.n_workers; to++) {
		if (w->handoff_to[to] != NULL)
			out->held += rte_ring_count(w->handoff_to[to]);
	}
}

void dp_stats_get(struct dp *dp, int worker, struct dp_stats *out)
{
	memset(out, 0, sizeof(*out));
	for (uint16_t i = 0; i < dp->conf.n_workers; i++) {
		if (worker < 0 || worker == i)
			add(out, dp->workers[i]);
	}
}
