/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "l2tp/l2tp.h"
#include "l2tp/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 2 /* 3.1 */

void l2tp_enter(struct l2tp *l, uint64_t now_ms)
{
	l->now_ms = now_ms;
	l->depth++;
}

static void free_tunnel(struct l2tp *l, struct l2tp_tunnel *t)
{
	texts_put(l->texts, t->peer_host);
	texts_put(l->texts, t->peer_vendor);
	if (t->down_told)
		free(t->calls_end);
	else
		l2tp_tunnel_setup_end(t);
	l2tp_shared_put(l2tp_shared_of(t));
	slab_put(&l->tunnel_slab, t);
}

static void free_call(struct l2tp *l, struct l2tp_call *c)
{
	free(c->numbers);
	l2tp_call_establish_end(c);
	slab_put(&l->call_slab, c);
}

void l2tp_leave(struct l2tp *l)
{
	if (--l->depth > 0)
		return;
	while (l->dead_calls != NULL) {
		struct l2tp_call *c = l->dead_calls;

		l->dead_calls = c->next_dead;
		free_call(l, c);
	}
	while (l->dead_tunnels != NULL) {
		struct l2tp_tunnel *t = l->dead_tunnels;

		l->dead_tunnels = t->next_dead;
		free_tunnel(l, t);
	}
}

void l2tp_bury_tunnel(struct l2tp_tunnel *t)
{
	struct l2tp *l = l2tp_of(t);

	t->next_dead = l->dead_tunnels;
	l->dead_tunnels = t;
}

void l2tp_bury_call(struct l2tp_call *c)
{
	struct l2tp *l = l2tp_of(c->t);

	c->next_dead = l->dead_calls;
	l->dead_calls = c;
}

struct l2tp *l2tp_new(const struct l2tp_ops *ops, void *ctx, struct timerq *timers, struct log *log,
                      const char *vendor, uint16_t firmware)
{
	struct l2tp *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->ops = ops;
	l->ctx = ctx;
	l->timers = timers;
	l->log = log;
	l->firmware = firmware;
	l2tp_chan_env_init(&l->chan_env, &l2tp_tunnel_chan_ops, timers, &l->stats);
	if (vendor != NULL)
		snprintf(l->vendor, sizeof(l->vendor), "%s", vendor);
	ops->random(ctx, (uint8_t *)&l->seed, sizeof(l->seed));
	slab_init(&l->tunnel_slab, sizeof(struct l2tp_tunnel));
	slab_init(&l->setup_slab, sizeof(struct l2tp_setup));
	slab_init(&l->call_slab, sizeof(struct l2tp_call));
	slab_init(&l->establish_slab, sizeof(struct l2tp_establish));
	l->texts = texts_new();
	if (l->texts == NULL || l2tp_tables_init(l) < 0) {
		l2tp_tables_free(l);
		texts_free(l->texts);
		free(l);
		return NULL;
	}
	return l;
}

void l2tp_free(struct l2tp *l)
{
	if (l == NULL)
		return;
	for (uint32_t id = 0; id < L2TP_IDS && l->n_calls > 0; id++) {
		struct l2tp_call *c = l->calls[id];

		if (c == NULL)
			continue;
		l2tp_call_unlink(c);
		free_call(l, c);
	}
	for (uint32_t id = 0; id < L2TP_IDS && l->n_tunnels > 0; id++) {
		struct l2tp_tunnel *t = l->tunnels[id];

		if (t == NULL)
			continue;
		l2tp_tunnel_stop(t);
		l2tp_chan_close(&t->chan);
		l2tp_tunnel_unlink(t);
		free_tunnel(l, t);
	}
	l2tp_linger_free(l);
	slab_fini(&l->call_slab);
	slab_fini(&l->establish_slab);
	slab_fini(&l->setup_slab);
	slab_fini(&l->tunnel_slab);
	l2tp_chan_env_fini(&l->chan_env);
	texts_free(l->texts);
	l2tp_tables_free(l);
	explicit_bzero(&l->rx, sizeof(l->rx));
	free(l);
}

/* A control message has T, L and S set, O and P clear, and version 2 (3.1). */
static bool header_ok(const struct l2tp_hdr *h)
{
	return h->t && h->l && h->s && !h->o && !h->p && h->ver == VERSION &&
	       h->length <= L2TP_MSG_MAX;
}

static void rx(struct l2tp *l, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct l2tp_tunnel *t;
	struct l2tp_hdr h;

	l->stats.rx++;
	if (l2tp_hdr_parse(pkt, len, &h) < 0 || !header_ok(&h)) {
		l->stats.rx_malformed++;
		return;
	}
	len = h.length;
	if (h.tunnel_id == 0) {
		l2tp_rx_without_id(l, path, &h, pkt, len);
		return;
	}
	t = l->tunnels[h.tunnel_id];
	if (t != NULL && t->state != L2TP_TS_CLOSED && l2tp_path_eq(&t->path, path)) {
		t->heard_ms = l->now_ms;
		l2tp_chan_rx(&t->chan, &h, pkt, len, l->now_ms);
	} else if (!l2tp_linger_rx(l, path, &h)) {
		if (t != NULL)
			l->stats.rx_wrong_path++;
		else
			l->stats.rx_unknown_tunnel++;
	}
}

void l2tp_rx(struct l2tp *l, const struct l2tp_path *path, const uint8_t *pkt, size_t len,
             uint64_t now_ms)
{
	l2tp_enter(l, now_ms);
	rx(l, path, pkt, len);
	l2tp_leave(l);
}
