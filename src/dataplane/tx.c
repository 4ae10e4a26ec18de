/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: frames to ports.
 *
 * In: whole frames, tags included, interface in the metadata. They leave in bursts: when a port's
 * buffer is full and at the end of the turn. What a port does not take is dropped, counted.
 */
#include "dataplane/link.h"

static_assert(RTE_MAX_ETHPORTS <= 64, "tx_filled has a bit for each port");

void dp_tx_port(struct worker *w, uint16_t port)
{
	struct vec *b = &w->tx[port];
	uint16_t sent = rte_eth_tx_burst(port, w->id, b->v, b->n);

	w->st.tx += sent;
	for (uint16_t i = sent; i < b->n; i++)
		dp_drop(w, b->v[i], DP_DROP_TX_FULL);
	b->n = 0;
	w->tx_filled &= ~(1ull << port);
}

/* The first packets of v that leave by one interface: how many. */
static inline uint16_t run_of(struct rte_mbuf **v, uint16_t n)
{
	uint16_t out_if = pkt_meta(v[0])->out_if, i;

	for (i = 0; i < n && pkt_meta(v[i])->out_if == out_if; i++)
		assert(v[i]->nb_segs == 1);
	return i;
}

uint16_t dp_tx(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	while (n > 0) {
		uint16_t k = run_of(v, n);
		uint16_t port = w->dp->ifs[pkt_meta(v[0])->out_if].conf.port_id;
		struct vec *b = &w->tx[port];

		k = RTE_MIN(k, (uint16_t)(VEC_MAX - b->n));
		memcpy(b->v + b->n, v, k * sizeof(*v));
		b->n += k;
		w->tx_filled |= 1ull << port;
		if (b->n == VEC_MAX)
			dp_tx_port(w, port);
		v += k;
		n -= k;
	}
	return 0;
}

void dp_tx_flush(struct worker *w)
{
	while (w->tx_filled != 0)
		dp_tx_port(w, (uint16_t)__builtin_ctzll(w->tx_filled));
}
