/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Orders of control: one FIFO a worker, so that what control writes in order takes effect in order. */
#include "dataplane/priv.h"

#include <rte_ring_elem.h>

/* ---- control ---- */

bool dp_fifo_room(const struct dp *dp, int w)
{
	if (w >= 0)
		return rte_ring_free_count(dp->workers[w]->fifo) > 0;
	for (uint16_t i = 0; i < dp->conf.n_workers; i++) {
		if (rte_ring_free_count(dp->workers[i]->fifo) == 0)
			return false;
	}
	return true;
}

static void fifo_put(struct dp *dp, uint16_t w, struct fifo_msg *msg)
{
	int rc = rte_ring_sp_enqueue_elem(dp->workers[w]->fifo, msg, sizeof(*msg));

	/* Control is the only producer, so the room that it saw is still there. */
	assert(rc == 0);
	(void)rc;
	dp->last_order[w] = msg->seq;
}

uint64_t dp_fifo_put(struct dp *dp, uint16_t w, struct fifo_msg *msg)
{
	msg->seq = ++dp->seq;
	fifo_put(dp, w, msg);
	return msg->seq;
}

uint64_t dp_fifo_put_all(struct dp *dp, struct fifo_msg *msg)
{
	msg->seq = ++dp->seq;
	for (uint16_t i = 0; i < dp->conf.n_workers; i++)
		fifo_put(dp, i, msg);
	return msg->seq;
}

bool dp_fifo_fence(struct dp *dp, uint64_t *after)
{
	struct fifo_msg msg = {.op = FIFO_FENCE};

	if (dp->fence_owed) {
		if (!dp_fifo_room(dp, -1))
			return false;
		dp->fence = dp_fifo_put_all(dp, &msg);
		dp->fence_owed = false;
	}
	if (dp->fence != 0 && dp_applied(dp, dp->fence))
		dp->fence = 0;
	*after = dp->fence;
	return true;
}

/* ---- worker ---- */

/* The line is touched when there is something to count: most sessions never have anything. */
struct sess_ctr *sess_ctr_of(struct dp *dp, uint16_t sid)
{
	struct sess_ctr *c = &dp->ctr[sid];
	const uint32_t gen = dp->rx[sid].gen;

	if (c->gen != gen) {
		*c = (struct sess_ctr){0};
		__atomic_store_n(&c->gen, gen, __ATOMIC_RELEASE);
	}
	return c;
}

static void session_add(struct dp *dp, const struct fifo_msg *msg)
{
	struct sess_rx *rx = &dp->rx[msg->id];

	rx->packets = 0;
	rx->bytes = 0;
	dp->tx[msg->id] = msg->sess.tx;
	/* The new generation stands over no old counter. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*rx = msg->sess.rx;
}

static void session_update(struct dp *dp, const struct fifo_msg *msg)
{
	struct sess_rx *old_rx = &dp->rx[msg->id], rx = msg->sess.rx;
	struct sess_tx *old_tx = &dp->tx[msg->id], tx = msg->sess.tx;

	/* What is the worker's own stays, and no reader ever sees it otherwise. */
	rx.nr = old_rx->nr;
	rx.packets = old_rx->packets;
	rx.bytes = old_rx->bytes;
	tx.ns = old_tx->ns;
	tx.packets = old_tx->packets;
	tx.bytes = old_tx->bytes;
	*old_rx = rx;
	*old_tx = tx;
}

static void session_del(struct worker *w, const struct fifo_msg *msg)
{
	struct sess_rx *rx = &w->dp->rx[msg->id];

	if (msg->owner == w->id) {
		rx->flags = 0; /* the generation stays, for readers of the counters */
		w->dp->tx[msg->id].flags = 0;
	}
	dp_hold_purge(w);
	dp_flush(w); /* as FIFO_FENCE does */
}

static void send_ip(struct worker *w, struct rte_mbuf *m)
{
	w->st.injected++;
	if (pkt_meta(m)->out_child != 0) {
		w->n_esp_out++;
		dp_protect(w, &m, 1);
	} else {
		dp_route(w, &m, 1);
	}
}

static void send_ppp(struct worker *w, const struct fifo_msg *msg)
{
	const struct sess_rx *rx = &w->dp->rx[msg->id];
	struct rte_mbuf *m = msg->m;

	w->st.injected++;
	if ((rx->flags & SESS_VALID) == 0 || rx->gen != msg->gen)
		dp_drop(w, m, DP_DROP_SEND_STALE);
	else if (dp_l2tp_out_ppp(w, m, msg->id))
		dp_protect(w, &m, 1);
}

static void fifo_do(struct worker *w, const struct fifo_msg *msg)
{
	struct rte_mbuf *m = msg->m;

	switch (msg->op) {
	case FIFO_SESSION_ADD:
		session_add(w->dp, msg);
		break;
	case FIFO_SESSION_UPDATE:
		session_update(w->dp, msg);
		break;
	case FIFO_SESSION_DEL:
		session_del(w, msg);
		break;
	case FIFO_NEIGH:
		dp_hold_release(w, msg->id, msg->neigh.ip, msg->neigh.mac);
		break;
	case FIFO_SA_ADD:
		dp_sa_order_add(w, msg->sa.sa);
		break;
	case FIFO_SA_UPDATE:
		dp_sa_order_update(w, msg->sa.sa, &msg->sa.outer);
		break;
	case FIFO_SA_USE:
		dp_sa_order_use(w, msg->sa.sa);
		break;
	case FIFO_SA_DEL:
		dp_sa_order_del(w, msg->sa.sa);
		break;
	case FIFO_FENCE:
		dp_hold_purge(w); /* of a tunnel that was closed */
		dp_flush(w); /* orders before it may have released packets */
		break;
	case FIFO_SEND_PPP:
		send_ppp(w, msg);
		break;
	case FIFO_SEND_IP:
		send_ip(w, m);
		break;
	case FIFO_SEND_FRAME:
		w->st.injected++;
		pkt_meta(m)->out_if = msg->id;
		dp_tx(w, &m, 1);
		break;
	}
}

static bool must_wait(struct worker *w, const struct fifo_msg *msg)
{
	return msg->op >= FIFO_SEND_PPP && msg->after != 0 && !dp_applied(w->dp, msg->after);
}

uint32_t dp_fifo_run(struct worker *w)
{
	struct fifo_msg *msg = &w->order;
	uint32_t n;

	for (n = 0; n < FIFO_BURST; n++) {
		if (!w->order_waits && rte_ring_sc_dequeue_elem(w->fifo, msg, sizeof(*msg)) != 0)
			break;
		w->order_waits = must_wait(w, msg);
		if (w->order_waits)
			break;
		fifo_do(w, msg);
		__atomic_store_n(&w->applied, msg->seq, __ATOMIC_RELEASE);
	}
	return n;
}
