/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * For a full retransmission cycle after the end of a tunnel the peer must be able to get what it has
 * sent acknowledged: its StopCCN once more (RFC 2661 5.7), or, when the StopCCN was ours, messages
 * that it sent before it heard of that (5.8). What that takes is kept apart from the tunnel, so that
 * its id is free at once for another peer.
 */
#include "l2tp/engine.h"

#include <stdlib.h>

struct l2tp_linger {
	struct l2tp *l;
	struct l2tp_path path;
	uint16_t local_id, peer_id;
	uint16_t ns, nr;
	bool stopped;
	struct timer end;
	LIST_ENTRY(l2tp_linger) link, peer_link;
	TAILQ_ENTRY(l2tp_linger) order;
};

static struct l2tp_linger_bucket *bucket(struct l2tp *l, struct l2tp_linger_bucket *table,
                                         const struct l2tp_path *path, uint16_t id)
{
	uint64_t h = endpoint_hash(&path->remote, l->seed + id);

	return &table[(h >> 32) % L2TP_BUCKETS];
}

static void drop(struct l2tp_linger *r)
{
	timer_cancel(r->l->timers, &r->end);
	LIST_REMOVE(r, link);
	LIST_REMOVE(r, peer_link);
	TAILQ_REMOVE(&r->l->lingering, r, order);
	r->l->n_linger--;
	free(r);
}

static void on_end(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	drop(timer_owner(timer, struct l2tp_linger, end));
}

static struct l2tp_linger *find(struct l2tp *l, const struct l2tp_path *path, uint16_t local_id)
{
	struct l2tp_linger *r;

	LIST_FOREACH (r, bucket(l, l->linger, path, local_id), link) {
		if (r->local_id == local_id && l2tp_path_eq(&r->path, path))
			return r;
	}
	return NULL;
}

void l2tp_linger_add(const struct l2tp_tunnel *t, bool stopped)
{
	struct l2tp *l = l2tp_of(t);
	struct l2tp_linger *r;

	l2tp_linger_drop(l, &t->path, t->id);
	if (l2tp_conf_of(t)->linger_ms == 0)
		return;
	if (l->n_linger >= L2TP_LINGER_MAX)
		drop(TAILQ_FIRST(&l->lingering));
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return; /* the first acknowledgement is out already */
	r->l = l;
	r->path = t->path;
	r->local_id = t->id;
	r->peer_id = t->chan.peer_tid;
	r->ns = l2tp_chan_high(&t->chan);
	r->nr = t->chan.nr;
	r->stopped = stopped;
	timer_init(&r->end, on_end);
	timer_set(l->timers, &r->end, l->now_ms + l2tp_conf_of(t)->linger_ms);
	LIST_INSERT_HEAD(bucket(l, l->linger, &r->path, r->local_id), r, link);
	LIST_INSERT_HEAD(bucket(l, l->linger_by_peer, &r->path, r->peer_id), r, peer_link);
	TAILQ_INSERT_TAIL(&l->lingering, r, order);
	l->n_linger++;
}

/* What comes again is answered, and what comes late. */
static void answer(struct l2tp_linger *r, const struct l2tp_hdr *h)
{
	struct l2tp *l = r->l;
	uint8_t zlb[12];

	if (h->data_len == 0) {
		l->stats.rx_zlb++;
		return;
	}
	if (h->ns == r->nr && !r->stopped) {
		r->nr++; /* in order, and of no effect any more */
	} else if ((int16_t)(h->ns - r->nr) >= 0) {
		l->stats.rx_out_of_window++; /* nothing follows a StopCCN */
		return;
	} else {
		l->stats.rx_duplicate++;
	}
	l->stats.tx++;
	l->stats.tx_zlb++;
	l->ops->send(l->ctx, &r->path, zlb, l2tp_build_zlb(zlb, r->peer_id, r->ns, r->nr));
}

bool l2tp_linger_rx(struct l2tp *l, const struct l2tp_path *path, const struct l2tp_hdr *h)
{
	struct l2tp_linger *r = find(l, path, h->tunnel_id);

	if (r != NULL)
		answer(r, h);
	return r != NULL;
}

bool l2tp_linger_rx_peer(struct l2tp *l, const struct l2tp_path *path, const struct l2tp_hdr *h,
                         uint16_t peer_id)
{
	struct l2tp_linger *r;

	LIST_FOREACH (r, bucket(l, l->linger_by_peer, path, peer_id), peer_link) {
		if (r->peer_id == peer_id && l2tp_path_eq(&r->path, path)) {
			answer(r, h);
			return true;
		}
	}
	return false;
}

void l2tp_linger_drop(struct l2tp *l, const struct l2tp_path *path, uint16_t local_id)
{
	struct l2tp_linger *r = find(l, path, local_id);

	if (r != NULL)
		drop(r);
}

void l2tp_linger_free(struct l2tp *l)
{
	while (!TAILQ_EMPTY(&l->lingering))
		drop(TAILQ_FIRST(&l->lingering));
}
