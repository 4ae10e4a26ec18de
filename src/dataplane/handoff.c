/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Packets for sessions and SAs that another worker owns: a ring for each pair of workers, filled in bulk.
 *
 * With many workers most rings are empty most of the time, so a worker looks at those alone whose bit is
 * set in its handoff_due. Who fills a ring sets its bit when it is clear; a bit whose ring is empty is
 * cleared by the owner's timer. So two workers write that line a few times a second, not with packets.
 * A filler may have seen the bit set just before it was cleared: therefore the owner looks at the ring
 * until the next timer all the same, which is ages for a store to arrive.
 */
#include "dataplane/priv.h"

#include <rte_prefetch.h>

static_assert(DP_MAX_WORKERS <= 64, "handoff_filled has a bit for each worker");

static void announce(struct worker *w, uint16_t to)
{
	uint64_t *due = &w->dp->workers[to]->handoff_due, me = 1ull << w->id;

	if (unlikely((__atomic_load_n(due, __ATOMIC_RELAXED) & me) == 0))
		__atomic_fetch_or(due, me, __ATOMIC_RELAXED);
}

static void handoff_send(struct worker *w, uint16_t to)
{
	struct vec *b = &w->handoff[to];
	uint16_t sent =
	        (uint16_t)rte_ring_sp_enqueue_burst(w->handoff_to[to], (void **)b->v, b->n, NULL);

	announce(w, to);
	w->st.handed_off += sent;
	for (uint16_t i = sent; i < b->n; i++)
		dp_drop(w, b->v[i], DP_DROP_HANDOFF_FULL);
	b->n = 0;
	w->handoff_filled &= ~(1ull << to);
}

void dp_handoff(struct worker *w, struct rte_mbuf *m, uint16_t to, enum pkt_resume resume)
{
	pkt_meta(m)->resume = (uint8_t)resume;
	vec_push(&w->handoff[to], m);
	w->handoff_filled |= 1ull << to;
	if (w->handoff[to].n == VEC_MAX)
		handoff_send(w, to);
}

void dp_handoff_flush(struct worker *w)
{
	while (w->handoff_filled != 0)
		handoff_send(w, (uint16_t)__builtin_ctzll(w->handoff_filled));
}

/*
 * The lines that the first stages read were last touched by another core. The frame stands where drivers
 * put it, or not far behind.
 */
static inline void fetch(struct rte_mbuf *m)
{
	const uint8_t *frame = (const uint8_t *)(pkt_meta(m) + 1) + RTE_PKTMBUF_HEADROOM;

	rte_prefetch0(m);
	rte_prefetch0(pkt_meta(m));
	rte_prefetch0(frame);
	rte_prefetch0(frame + RTE_CACHE_LINE_SIZE);
}

static uint32_t take_from(struct worker *w, struct rte_ring *r)
{
	struct rte_mbuf *v[VEC_MAX], *down[VEC_MAX];
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(r, (void **)v, w->vector, NULL);
	uint16_t n_in = 0, n_down = 0;

	w->st.taken_over += n;
	for (uint16_t i = 0; i < n; i++)
		fetch(v[i]);
	for (uint16_t i = 0; i < n; i++) {
		const struct pkt_meta *meta = pkt_meta(v[i]);

		if (meta->resume == RESUME_CLASSIFY) {
			v[n_in++] = v[i];
		} else if (unlikely(!dp_still_live(w->dp, meta))) {
			dp_drop(w, v[i], DP_DROP_SESS_GONE);
		} else if (unlikely(dp_latched(w->dp, meta))) {
			dp_drop(w, v[i], DP_DROP_SS_FIRED);
		} else {
			rte_prefetch0(&w->dp->tx[meta->out_session]);
			down[n_down++] = v[i];
		}
	}
	if (n_in > 0)
		dp_input(w, v, n_in);
	if (n_down > 0)
		dp_down(w, down, n_down);
	return n;
}

static inline struct rte_ring *ring_from(const struct worker *w, uint64_t bits)
{
	return w->dp->workers[__builtin_ctzll(bits)]->handoff_to[w->id];
}

uint32_t dp_handoff_take(struct worker *w)
{
	uint64_t from = __atomic_load_n(&w->handoff_due, __ATOMIC_RELAXED) | w->handoff_lingers;
	uint32_t n = 0;

	for (; from != 0; from &= from - 1)
		n += take_from(w, ring_from(w, from));
	return n;
}

void dp_handoff_timer(struct worker *w)
{
	uint64_t due = __atomic_load_n(&w->handoff_due, __ATOMIC_RELAXED), filled = 0;

	for (uint64_t from = due | w->handoff_lingers; from != 0; from &= from - 1) {
		if (!rte_ring_empty(ring_from(w, from)))
			filled |= from & -from;
	}
	w->handoff_lingers = due & ~filled;
	if (w->handoff_lingers != 0)
		__atomic_fetch_and(&w->handoff_due, ~w->handoff_lingers, __ATOMIC_RELAXED);
	if ((filled & ~due) != 0)
		__atomic_fetch_or(&w->handoff_due, filled, __ATOMIC_RELAXED);
}
