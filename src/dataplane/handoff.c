/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Packets for sessions and SAs that another worker owns: a ring for each pair of workers, filled in bulk. */
#include "dataplane/priv.h"

static_assert(DP_MAX_WORKERS <= 64, "handoff_filled has a bit for each worker");

static void handoff_send(struct worker *w, uint16_t to)
{
	struct vec *b = &w->handoff[to];
	uint16_t sent =
	        (uint16_t)rte_ring_sp_enqueue_burst(w->handoff_to[to], (void **)b->v, b->n, NULL);

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

static uint32_t take_from(struct worker *w, struct rte_ring *r)
{
	struct rte_mbuf *v[VEC_MAX], *down[VEC_MAX];
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(r, (void **)v, w->vector, NULL);
	uint16_t n_in = 0, n_down = 0;

	w->st.taken_over += n;
	for (uint16_t i = 0; i < n; i++) {
		const struct pkt_meta *meta = pkt_meta(v[i]);

		if (meta->resume == RESUME_CLASSIFY)
			v[n_in++] = v[i];
		else if (unlikely(!dp_still_live(w->dp, meta)))
			dp_drop(w, v[i], DP_DROP_SESS_GONE);
		else if (unlikely(dp_latched(w->dp, meta)))
			dp_drop(w, v[i], DP_DROP_SS_FIRED);
		else
			down[n_down++] = v[i];
	}
	dp_input(w, v, n_in);
	dp_down(w, down, n_down);
	return n;
}

uint32_t dp_handoff_take(struct worker *w)
{
	struct dp *dp = w->dp;
	uint32_t n = 0;

	for (uint16_t from = 0; from < dp->conf.n_workers; from++) {
		if (from != w->id)
			n += take_from(w, dp->workers[from]->handoff_to[w->id]);
	}
	return n;
}
