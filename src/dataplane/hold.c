/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Packets that wait for their next hop: a few for each hop and worker, for a short time. The worker
 * asks control for the hop, and asks again while packets wait.
 */
#include "dataplane/priv.h"

static uint64_t ms(const struct worker *w, uint64_t n)
{
	return w->dp->tsc_hz / 1000 * n;
}

static struct hold *set_of(struct worker *w, uint16_t ifidx, uint32_t ip)
{
	return &w->holds[((ip ^ ifidx) * 0x9e3779b1u >> 16) % HOLD_SETS * HOLD_WAYS];
}

static struct hold *find(struct worker *w, uint16_t ifidx, uint32_t ip)
{
	struct hold *h = set_of(w, ifidx, ip);

	for (int i = 0; i < HOLD_WAYS; i++) {
		if (h[i].used && h[i].ip == ip && h[i].ifidx == ifidx)
			return &h[i];
	}
	return NULL;
}

static struct hold *make(struct worker *w, uint16_t ifidx, uint32_t ip)
{
	struct hold *h = set_of(w, ifidx, ip);

	for (int i = 0; i < HOLD_WAYS; i++) {
		if (h[i].used)
			continue;
		h[i].used = true;
		h[i].ip = ip;
		h[i].ifidx = ifidx;
		h[i].n = 0;
		h[i].expires = w->now + ms(w, HOLD_MS);
		h[i].ask_at = w->now;
		w->n_holds++;
		return &h[i];
	}
	return NULL;
}

static void ask(struct worker *w, struct hold *h)
{
	/* Refused by the rate, it is asked at the next timer. */
	if (w->now >= h->ask_at && dp_punt_neigh(w, h->ifidx, h->ip))
		h->ask_at = w->now + ms(w, ASK_MS);
}

void dp_hold(struct worker *w, struct rte_mbuf *m, uint16_t ifidx, uint32_t ip)
{
	struct hold *h = find(w, ifidx, ip);

	if (h == NULL)
		h = make(w, ifidx, ip);
	if (h == NULL) {
		dp_drop(w, m, DP_DROP_HOLD_FULL);
		return;
	}
	ask(w, h);
	if (h->n >= w->dp->conf.hold_packets) {
		dp_drop(w, m, DP_DROP_HOLD_FULL);
		return;
	}
	h->pkt[h->n++] = m;
	w->st.held++;
}

static void release(struct worker *w, struct hold *h)
{
	w->st.held -= h->n;
	w->n_holds--;
	h->used = false;
	h->n = 0;
}

static void discard(struct worker *w, struct hold *h, enum dp_drop reason)
{
	for (uint16_t i = 0; i < h->n; i++)
		dp_drop(w, h->pkt[i], reason);
	release(w, h);
}

void dp_hold_release(struct worker *w, uint16_t ifidx, uint32_t ip, uint64_t mac)
{
	struct hold *h = find(w, ifidx, ip);

	if (h == NULL)
		return;
	if (mac == 0) {
		discard(w, h, DP_DROP_NEIGH_FAILED);
		return;
	}
	for (uint16_t i = 0; i < h->n; i++) {
		/* What control sent after the latch may have left by another way. */
		if (!dp_still_live(w->dp, pkt_meta(h->pkt[i])))
			dp_drop(w, h->pkt[i], DP_DROP_SESS_GONE);
		else if (dp_latched(w->dp, pkt_meta(h->pkt[i])))
			dp_drop(w, h->pkt[i], DP_DROP_SS_FIRED);
		else if (dp_l2_write(w, h->pkt[i], ifidx, mac))
			dp_tx(w, &h->pkt[i], 1);
	}
	release(w, h);
}

/* Of a session, on either side, that has ended. */
static bool orphan(const struct dp *dp, const struct pkt_meta *meta)
{
	return !dp_still_live(dp, meta) ||
	       (meta->out_session != 0 && dp_owner(dp, meta->out_session) == SESS_NO_OWNER);
}

void dp_hold_purge(struct worker *w)
{
	for (uint32_t i = 0; w->n_holds > 0 && i < HOLD_SETS * HOLD_WAYS; i++) {
		struct hold *h = &w->holds[i];
		uint16_t k = 0;

		for (uint16_t j = 0; h->used && j < h->n; j++) {
			if (!orphan(w->dp, pkt_meta(h->pkt[j]))) {
				h->pkt[k++] = h->pkt[j];
				continue;
			}
			dp_drop(w, h->pkt[j], DP_DROP_SESS_GONE);
			w->st.held--;
		}
		h->n = h->used ? k : h->n;
	}
}

void dp_hold_timer(struct worker *w)
{
	for (uint32_t i = 0; w->n_holds > 0 && i < HOLD_SETS * HOLD_WAYS; i++) {
		struct hold *h = &w->holds[i];

		if (!h->used)
			continue;
		if (w->now >= h->expires)
			discard(w, h, DP_DROP_NEIGH_TIMEOUT);
		else
			ask(w, h);
	}
}
