/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The worker's loop: the order of stages, timers, idling, counters. */
#include "dataplane/priv.h"

#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_prefetch.h>

/* ---- stages in their order ---- */

void dp_output(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	n = dp_ip4_out(w, v, n);
	dp_tx(w, v, n);
}

void dp_protect(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	n = dp_esp_out(w, v, n);
	dp_output(w, v, n);
}

void dp_down(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	n = dp_l2tp_out(w, v, n);
	dp_protect(w, v, n);
}

void dp_route(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	if (n == 0)
		return;
	n = dp_ip4_lookup(w, v, n);
	dp_output(w, v, n);
	if (w->down.n > 0) {
		n = w->down.n;
		w->down.n = 0;
		dp_down(w, w->down.v, n);
	}
}

/* Data messages: what up leaves goes stage by stage. */
static void input_l2tp(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	if (n > 0)
		n = dp_up(w, v, n);
	if (n == 0)
		return;
	n = dp_l2tp_in(w, v, n);
	n = dp_ppp_in(w, v, n);
	dp_route(w, v, n);
}

void dp_input_esp(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	n = dp_esp_in(w, v, n);
	input_l2tp(w, v, n);
}

/* The ESP packets that classify has put aside, decrypted, behind the others: v has room for them. */
static uint16_t esp_join(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	uint16_t n_esp = w->esp.n;

	w->esp.n = 0;
	n_esp = dp_esp_usual(w, w->esp.v, n_esp);
	memcpy(v + n, w->esp.v, n_esp * sizeof(*v));
	return n + n_esp;
}

/* What classify has sorted. */
static void input_sorted(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	if (w->esp.n > 0)
		n = esp_join(w, v, n);
	input_l2tp(w, v, n);
	if (w->transit.n > 0) {
		n = w->transit.n;
		w->transit.n = 0;
		n = dp_down_usual(w, w->transit.v, n);
		dp_route(w, w->transit.v, n);
	}
}

void dp_input(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	if (dp_subs_many(w->dp))
		dp_subs_ahead(w->dp, v, n);
	input_sorted(w, v, dp_classify(w, v, n));
}

void dp_input_frames(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	w->frames = n > 0 ? UINT64_MAX >> (64 - n) : 0;
	input_sorted(w, v, n);
}

/* ---- rx ---- */

/* One buffer a packet is what all stages count on. */
static uint16_t rx_prepare(struct worker *w, struct rte_mbuf **v, uint16_t n, uint16_t port)
{
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i], *one;

		rte_prefetch0(rte_pktmbuf_mtod(m, void *));
		/* Most drivers have set it, and what is not written is soon another's. */
		if (m->port != port)
			m->port = port;
		if (unlikely(m->nb_segs != 1)) {
			one = dp_linearize(w, m);
			if (one == NULL) {
				dp_drop(w, m, DP_DROP_RX_SEGMENTS);
				continue;
			}
			m = one;
		}
		v[k++] = m;
	}
	return k;
}

static uint32_t rx_queue(struct worker *w, const struct rxq *q)
{
	struct rte_mbuf *v[VEC_MAX];
	uint16_t n = rte_eth_rx_burst(q->port, q->queue, v, w->vector);

	if (n == 0)
		return 0;
	w->st.rx += n;
	w->st.vectors++;
	dp_input(w, v, rx_prepare(w, v, n, q->port));
	return n;
}

/* ---- the loop ---- */

static void timers(struct worker *w)
{
	w->timer_at = w->now + w->dp->tsc_hz * TIMER_MS / 1000;
	dp_hold_timer(w);
	dp_esp_hold_timer(w);
	dp_reassembly_timer(w);
	dp_sa_timer(w);
	dp_handoff_timer(w);
}

void dp_flush(struct worker *w)
{
	dp_tx_flush(w);
	dp_handoff_flush(w);
}

static void account(struct worker *w, uint32_t n)
{
	uint64_t end = rte_rdtsc();

	if (n > 0)
		w->st.busy_cycles += end - w->turn_started;
	else
		w->st.idle_cycles += end - w->turn_started;
	w->turn_started = end;
}

/* Here, not in dp_new: an engine's memory is first touched by the core that uses it. */
static void worker_online(struct worker *w)
{
	char why[128] = "";

	w->esp_engine = esp_new(why, sizeof(why));
	if (w->esp_engine == NULL) /* control's did not fail: this core is not to be trusted */
		rte_exit(EXIT_FAILURE, "dataplane: worker %u: %s\n", w->id, why);
	w->online = true;
	rte_rcu_qsbr_thread_register(w->dp->qsbr, w->id);
	rte_rcu_qsbr_thread_online(w->dp->qsbr, w->id);
	w->turn_started = rte_rdtsc();
}

uint32_t dp_worker_poll(struct dp *dp, uint16_t id)
{
	struct worker *w = dp->workers[id];
	uint32_t n = 0;

	if (unlikely(!w->online))
		worker_online(w);
	w->now = rte_rdtsc();
	/*
	 * Orders come first: a peer that has our Configure-Ack sends at once, and finds its session open
	 * even when this worker has slept since.
	 */
	if (w->order_waits || !rte_ring_empty(w->fifo)) {
		n += dp_fifo_run(w);
		dp_flush(w);
	}
	dp_handoff_ahead(w);
	for (uint32_t i = 0; i < w->n_rxq; i++)
		n += rx_queue(w, &w->rxq[i]);
	n += dp_handoff_take(w);
	dp_flush(w);
	if (w->now >= w->timer_at)
		timers(w);
	dp_punt_event(w);
	rte_rcu_qsbr_quiescent(dp->qsbr, w->id);
	account(w, n);
	return n;
}

int dp_worker_main(void *dp_worker_arg)
{
	const struct dp_worker_arg *arg = dp_worker_arg;
	struct dp *dp = arg->dp;
	struct worker *w = dp->workers[arg->worker];

	dp_idle_init(dp);
	while (!__atomic_load_n(&dp->stop, __ATOMIC_ACQUIRE)) {
		if (dp_worker_poll(dp, arg->worker) > 0) {
			w->empty = 0;
			continue;
		}
		dp_idle(w);
		account(w, 0); /* or the next turn would have slept while it was busy */
	}
	if (w->online) {
		rte_rcu_qsbr_thread_offline(dp->qsbr, w->id);
		rte_rcu_qsbr_thread_unregister(dp->qsbr, w->id);
		esp_free(w->esp_engine);
		w->esp_engine = NULL;
		w->online = false;
	}
	return 0;
}

void dp_stop(struct dp *dp)
{
	__atomic_store_n(&dp->stop, true, __ATOMIC_RELEASE);
}
