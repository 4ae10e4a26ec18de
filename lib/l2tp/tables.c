/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "l2tp/engine.h"

#include <errno.h>
#include <stdlib.h>

bool l2tp_path_eq(const struct l2tp_path *a, const struct l2tp_path *b)
{
	return a->conn == b->conn && endpoint_eq(&a->remote, &b->remote) &&
	       endpoint_eq(&a->local, &b->local);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t path_hash(const struct l2tp *l, const struct l2tp_path *path, uint16_t id)
{
	uint64_t h = endpoint_hash(&path->remote, l->seed);

	h = endpoint_hash(&path->local, h);
	return mix(mix(h, path->conn), id);
}

static struct l2tp_tunnel_bucket *peer_bucket(const struct l2tp *l, const struct l2tp_path *path,
                                              uint16_t peer_id)
{
	return &l->by_peer[(path_hash(l, path, peer_id) >> 32) % L2TP_BUCKETS];
}

static struct l2tp_tunnel_bucket *wait_bucket(const struct l2tp *l, const struct l2tp_path *path)
{
	return &l->waiting[(path_hash(l, path, 0) >> 32) % L2TP_WAIT_BUCKETS];
}

static struct l2tp_call_bucket *call_bucket(const struct l2tp_tunnel *t, uint16_t peer_id)
{
	uint64_t h = mix(mix(t->l->seed, t->conf.local_id), peer_id);

	return &t->l->calls_by_peer[(h >> 32) % L2TP_BUCKETS];
}

int l2tp_tables_init(struct l2tp *l)
{
	l->tunnels = calloc(L2TP_IDS, sizeof(*l->tunnels));
	l->calls = calloc(L2TP_IDS, sizeof(*l->calls));
	l->by_peer = calloc(L2TP_BUCKETS, sizeof(*l->by_peer));
	l->waiting = calloc(L2TP_WAIT_BUCKETS, sizeof(*l->waiting));
	l->calls_by_peer = calloc(L2TP_BUCKETS, sizeof(*l->calls_by_peer));
	l->linger = calloc(L2TP_BUCKETS, sizeof(*l->linger));
	l->linger_by_peer = calloc(L2TP_BUCKETS, sizeof(*l->linger_by_peer));
	TAILQ_INIT(&l->lingering);
	if (l->tunnels == NULL || l->calls == NULL || l->by_peer == NULL || l->waiting == NULL ||
	    l->calls_by_peer == NULL || l->linger == NULL || l->linger_by_peer == NULL)
		return -ENOMEM;
	return 0;
}

void l2tp_tables_free(struct l2tp *l)
{
	free(l->tunnels);
	free(l->calls);
	free(l->by_peer);
	free(l->waiting);
	free(l->calls_by_peer);
	free(l->linger);
	free(l->linger_by_peer);
}

void l2tp_peer_insert(struct l2tp_tunnel *t)
{
	LIST_INSERT_HEAD(peer_bucket(t->l, &t->path, t->peer_id), t, peer_link);
	t->in_peer_list = true;
}

struct l2tp_tunnel *l2tp_peer_find(const struct l2tp *l, const struct l2tp_path *path,
                                   uint16_t peer_id)
{
	struct l2tp_tunnel *t;

	LIST_FOREACH (t, peer_bucket(l, path, peer_id), peer_link) {
		if (t->peer_id == peer_id && l2tp_path_eq(&t->path, path))
			return t;
	}
	return NULL;
}

void l2tp_wait_insert(struct l2tp_tunnel *t)
{
	LIST_INSERT_HEAD(wait_bucket(t->l, &t->path), t, wait_link);
	t->in_wait_list = true;
}

void l2tp_wait_remove(struct l2tp_tunnel *t)
{
	if (t->in_wait_list)
		LIST_REMOVE(t, wait_link);
	t->in_wait_list = false;
}

struct l2tp_tunnel *l2tp_wait_next(const struct l2tp *l, const struct l2tp_path *path,
                                   struct l2tp_tunnel *prev)
{
	struct l2tp_tunnel *t =
	        prev == NULL ? LIST_FIRST(wait_bucket(l, path)) : LIST_NEXT(prev, wait_link);

	while (t != NULL && !l2tp_path_eq(&t->path, path))
		t = LIST_NEXT(t, wait_link);
	return t;
}

void l2tp_peer_remove(struct l2tp_tunnel *t)
{
	if (t->in_peer_list)
		LIST_REMOVE(t, peer_link);
	t->in_peer_list = false;
}

void l2tp_tunnel_unlink(struct l2tp_tunnel *t)
{
	l2tp_wait_remove(t);
	l2tp_peer_remove(t);
	if (t->l->tunnels[t->conf.local_id] == t) {
		t->l->tunnels[t->conf.local_id] = NULL;
		t->l->n_tunnels--;
	}
}

void l2tp_call_peer_insert(struct l2tp_call *c)
{
	LIST_INSERT_HEAD(call_bucket(c->t, c->peer_id), c, peer_link);
	c->in_peer_list = true;
}

void l2tp_call_unlink(struct l2tp_call *c)
{
	struct l2tp *l = c->t->l;

	if (c->in_peer_list)
		LIST_REMOVE(c, peer_link);
	c->in_peer_list = false;
	if (l->calls[c->conf.local_id] == c) {
		l->calls[c->conf.local_id] = NULL;
		l->n_calls--;
		TAILQ_REMOVE(&c->t->calls, c, link);
		c->t->n_calls--;
	}
}

struct l2tp_call *l2tp_call_by_peer(const struct l2tp_tunnel *t, uint16_t peer_id)
{
	struct l2tp_call *c;

	LIST_FOREACH (c, call_bucket(t, peer_id), peer_link) {
		if (c->t == t && c->peer_id == peer_id)
			return c;
	}
	return NULL;
}

/* With a full table any id will do: the peer cannot reach its owner from another path. */
static uint16_t spare_id(struct l2tp *l, void *const *table)
{
	uint16_t id = 0;

	for (int i = 0; i < 64 && (id == 0 || table[id] != NULL); i++)
		l->ops->random(l->ctx, (uint8_t *)&id, sizeof(id));
	return id != 0 ? id : 1;
}

uint16_t l2tp_spare_tunnel_id(struct l2tp *l)
{
	return spare_id(l, (void *const *)l->tunnels);
}

uint16_t l2tp_spare_call_id(struct l2tp *l)
{
	return spare_id(l, (void *const *)l->calls);
}
