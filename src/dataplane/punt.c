/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What goes to control: a ring for each worker and class, filled within rates, and one event that is
 * written only when control sleeps.
 */
#include "dataplane/priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- worker ---- */

void dp_punt(struct worker *w, struct rte_mbuf *m, enum dp_punt_class class, enum dp_drop reason)
{
	if (!gcra_take(&w->punt_limit[class], w->now))
		dp_drop(w, m, reason != DP_DROP_NONE ? reason : DP_DROP_PUNT_LIMIT);
	else
		dp_punt_granted(w, m, class);
}

/* One authenticated peer that floods us does not keep control from the others. */
bool dp_punt_sender(struct worker *w, enum dp_punt_class class, uint16_t id)
{
	struct sender_limit *s = &w->sender[class];

	return gcra_due_take(&s->due[id % SENDERS], s->cost, s->burst, w->now);
}

void dp_punt_granted(struct worker *w, struct rte_mbuf *m, enum dp_punt_class class)
{
	if (rte_ring_sp_enqueue(w->punt[class], m) != 0) {
		dp_drop(w, m, DP_DROP_PUNT_FULL);
	} else {
		w->st.punts++;
		w->st.punt[class]++;
		w->punted = true;
	}
}

void dp_punt_icmp(struct worker *w, struct rte_mbuf *m, enum dp_icmp_error error, uint16_t mtu,
                  enum dp_drop reason)
{
	struct pkt_meta *meta = pkt_meta(m);

	meta->icmp = (uint8_t)error;
	meta->mtu = mtu;
	dp_punt(w, m, DP_PUNT_ICMP, reason);
}

bool dp_punt_neigh(struct worker *w, uint16_t ifidx, uint32_t ip)
{
	uint64_t what = (uint64_t)ifidx << 32 | ip;

	if (!gcra_take(&w->punt_limit[DP_PUNT_NEIGH], w->now) ||
	    rte_ring_sp_enqueue(w->punt[DP_PUNT_NEIGH], (void *)(uintptr_t)what) != 0)
		return false;
	w->st.punt[DP_PUNT_NEIGH]++;
	w->punted = true;
	return true;
}

void dp_punt_event(struct worker *w)
{
	const uint64_t one = 1;
	struct dp *dp = w->dp;

	if (!w->punted)
		return;
	w->punted = false;
	/* The ring is written before armed is read; control writes armed before it reads rings. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&dp->armed, __ATOMIC_RELAXED) ||
	    !__atomic_exchange_n(&dp->armed, false, __ATOMIC_ACQ_REL))
		return;
	/* It fails only when the counter is full, and then it is readable already. */
	if (write(dp->event_fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- control ---- */

int dp_event_fd(struct dp *dp)
{
	return dp->event_fd;
}

/* Most urgent first: what keeps sessions up, then neighbours and twins, then new work. */
static const enum dp_punt_class urgency[DP_PUNT_MAX] = {
        DP_PUNT_SA,   DP_PUNT_L2TP,     DP_PUNT_PPP,        DP_PUNT_NEIGH,
        DP_PUNT_TWIN, DP_PUNT_L2TP_NEW, DP_PUNT_SUBSCRIBER, DP_PUNT_ICMP,
};

/* An event of an SA that control has not deleted since. */
static void deliver_sa(struct dp *dp, uint64_t what, dp_punt_fn fn, void *ctx)
{
	const struct sa *sa = dp_sa_find(dp, what >> SA_EVENT_BITS);
	struct dp_punt p = {.class = DP_PUNT_SA, .ifidx = DP_IF_NONE};
	uint64_t from;

	if (sa == NULL)
		return;
	p.sa = sa_cold(sa)->id;
	p.sa_event = (enum dp_sa_event)(what & ((1u << SA_EVENT_BITS) - 1));
	if (p.sa_event == DP_SA_MAPPING) {
		from = __atomic_load_n(&sa_cold(sa)->mapping, __ATOMIC_ACQUIRE);
		if (from == 0)
			return; /* back where it was */
		p.src = (struct endpoint){.addr = ipaddr_v4((uint32_t)(from >> 16)),
		                          .port = (uint16_t)from};
	}
	fn(ctx, &p);
}

static void deliver(struct dp *dp, enum dp_punt_class class, void *item, dp_punt_fn fn, void *ctx)
{
	uint64_t what = (uintptr_t)item;
	struct rte_mbuf *m = item;
	struct dp_punt p = {.class = class};
	const struct pkt_meta *meta;

	if (class == DP_PUNT_NEIGH) {
		p.ifidx = (uint16_t)(what >> 32);
		p.next_hop = (uint32_t)what;
		fn(ctx, &p);
		return;
	}
	if (class == DP_PUNT_SA) {
		deliver_sa(dp, what, fn, ctx);
		return;
	}
	meta = pkt_meta(m);
	p.data = rte_pktmbuf_mtod(m, const uint8_t *);
	p.len = m->pkt_len;
	p.ifidx = meta->in_if;
	p.session_id = meta->in_session;
	p.gen = meta->in_gen;
	p.conn = meta->conn;
	p.icmp = (enum dp_icmp_error)meta->icmp;
	p.mtu = meta->mtu;
	if (class == DP_PUNT_L2TP || class == DP_PUNT_L2TP_NEW) {
		p.src = (struct endpoint){.addr = ipaddr_v4(meta->src), .port = meta->sport};
		p.dst = (struct endpoint){.addr = ipaddr_v4(meta->dst), .port = meta->dport};
	}
	/* A subscriber's packet to ourselves is forwarded, too: not after control has ended its session. */
	if (class != DP_PUNT_SUBSCRIBER || (dp_still_live(dp, meta) && !dp_latched(dp, meta)))
		fn(ctx, &p);
	rte_pktmbuf_free(m);
}

/* Takes the arm back, or reads what the worker that took it writes, now or when it has written. */
static void event_settle(struct dp *dp)
{
	uint64_t n;

	if (dp->control_armed) {
		dp->control_armed = false;
		if (!__atomic_exchange_n(&dp->armed, false, __ATOMIC_ACQ_REL))
			dp->events_due++;
	}
	if (dp->events_due > 0 && read(dp->event_fd, &n, sizeof(n)) == sizeof(n))
		dp->events_due -= n;
}

static uint32_t take(struct dp *dp, struct rte_ring *r, enum dp_punt_class class, uint32_t most,
                     dp_punt_fn fn, void *ctx)
{
	uint32_t n = 0;
	void *item;

	while (n < most && rte_ring_sc_dequeue(r, &item) == 0) {
		deliver(dp, class, item, fn, ctx);
		n++;
	}
	return n;
}

uint32_t dp_punt_poll(struct dp *dp, dp_punt_fn fn, void *ctx, uint32_t budget)
{
	uint32_t there[DP_PUNT_MAX][DP_MAX_WORKERS], n = 0, later = 0;

	event_settle(dp);
	/*
	 * Counted from the least urgent on: a session's first PPP frame is right behind its ICCN, which
	 * would otherwise come into a ring that has had its turn, and be too late.
	 */
	for (int i = DP_PUNT_MAX - 1; i >= 0; i--) {
		for (uint16_t w = 0; w < dp->conf.n_workers; w++) {
			there[i][w] = rte_ring_count(dp->workers[w]->punt[urgency[i]]);
			later += there[i][w] > 0;
		}
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	}
	for (int i = 0; i < DP_PUNT_MAX; i++) {
		for (uint16_t w = 0; w < dp->conf.n_workers; w++) {
			uint32_t left = budget - n;

			/* Who is less urgent gets one at least: a storm of sessions stops no ARP. */
			later -= there[i][w] > 0;
			n += take(dp, dp->workers[w]->punt[urgency[i]], urgency[i],
			          RTE_MIN(there[i][w], left > later ? left - later : left > 0), fn,
			          ctx);
		}
	}
	return n;
}

static bool punts_waiting(const struct dp *dp)
{
	for (uint16_t w = 0; w < dp->conf.n_workers; w++) {
		for (int c = 0; c < DP_PUNT_MAX; c++) {
			if (!rte_ring_empty(dp->workers[w]->punt[c]))
				return true;
		}
	}
	return false;
}

bool dp_arm(struct dp *dp)
{
	event_settle(dp);
	dp->control_armed = true;
	__atomic_store_n(&dp->armed, true, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !punts_waiting(dp);
}

void dp_tick(struct dp *dp, uint64_t now_ms)
{
	/* Workers ask again for next hops themselves: they know which packets still wait. */
	dp_load_tick(dp, now_ms);
	dp_slots_reclaim(&dp->nh_slots, dp->qsbr);
	dp_slots_reclaim(&dp->neigh_slots, dp->qsbr);
	dp_sa_reclaim(dp);
}
