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

static uint16_t *peer_bucket(const struct l2tp *l, const struct l2tp_path *path, uint16_t peer_id)
{
	return &l->by_peer[(path_hash(l, path, peer_id) >> 32) % L2TP_BUCKETS];
}

static struct l2tp_setup_bucket *wait_bucket(const struct l2tp *l, const struct l2tp_path *path)
{
	return &l->waiting[(path_hash(l, path, 0) >> 32) % L2TP_WAIT_BUCKETS];
}

static uint16_t *call_bucket(const struct l2tp_tunnel *t, uint16_t peer_id)
{
	struct l2tp *l = l2tp_of(t);
	uint64_t h = mix(mix(l->seed, t->id), peer_id);

	return &l->calls_by_peer[(h >> 32) % L2TP_BUCKETS];
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
	uint16_t *b = peer_bucket(l2tp_of(t), &t->path, t->chan.peer_tid);

	t->peer_next = *b;
	*b = t->id;
	t->in_peer_list = true;
}

struct l2tp_tunnel *l2tp_peer_find(const struct l2tp *l, const struct l2tp_path *path,
                                   uint16_t peer_id)
{
	struct l2tp_tunnel *t;

	for (uint16_t id = *peer_bucket(l, path, peer_id); id != 0; id = t->peer_next) {
		t = l->tunnels[id];
		if (t->chan.peer_tid == peer_id && l2tp_path_eq(&t->path, path))
			return t;
	}
	return NULL;
}

/* Path and peer's id are of one tunnel only, so there is little to walk past. */
void l2tp_peer_remove(struct l2tp_tunnel *t)
{
	struct l2tp *l = l2tp_of(t);
	uint16_t *id;

	if (!t->in_peer_list)
		return;
	id = peer_bucket(l, &t->path, t->chan.peer_tid);
	while (*id != t->id)
		id = &l->tunnels[*id]->peer_next;
	*id = t->peer_next;
	t->in_peer_list = false;
}

void l2tp_wait_insert(struct l2tp_tunnel *t)
{
	LIST_INSERT_HEAD(wait_bucket(l2tp_of(t), &t->path), t->setup, link);
	t->setup->waiting = true;
}

void l2tp_wait_remove(struct l2tp_setup *setup)
{
	if (setup->waiting)
		LIST_REMOVE(setup, link);
	setup->waiting = false;
}

struct l2tp_tunnel *l2tp_wait_next(const struct l2tp *l, const struct l2tp_path *path,
                                   struct l2tp_tunnel *prev)
{
	struct l2tp_setup *s =
	        prev == NULL ? LIST_FIRST(wait_bucket(l, path)) : LIST_NEXT(prev->setup, link);

	while (s != NULL && !l2tp_path_eq(&s->t->path, path))
		s = LIST_NEXT(s, link);
	return s != NULL ? s->t : NULL;
}

void l2tp_tunnel_unlink(struct l2tp_tunnel *t)
{
	struct l2tp *l = l2tp_of(t);

	l2tp_peer_remove(t);
	if (l->tunnels[t->id] == t) {
		l->tunnels[t->id] = NULL;
		l->n_tunnels--;
	}
}

void l2tp_call_insert(struct l2tp_call *c)
{
	struct l2tp_tunnel *t = c->t;
	struct l2tp *l = l2tp_of(t);

	l->calls[c->id] = c;
	l->n_calls++;
	c->prev = t->last_call;
	if (c->prev != 0)
		l->calls[c->prev]->next = c->id;
	else
		t->first_call = c->id;
	t->last_call = c->id;
	t->n_calls++;
}

static bool in_peer_list(const struct l2tp *l, const struct l2tp_call *c)
{
	return c->peer_prev != 0 || (c->peer_id != 0 && *call_bucket(c->t, c->peer_id) == c->id);
}

/* Linked in both ways: whatever ids a peer gives to its calls, none takes long to remove. */
void l2tp_call_peer_insert(struct l2tp_call *c)
{
	struct l2tp *l = l2tp_of(c->t);
	uint16_t *b = call_bucket(c->t, c->peer_id);

	c->peer_next = *b;
	if (*b != 0)
		l->calls[*b]->peer_prev = c->id;
	*b = c->id;
}

static void call_peer_remove(struct l2tp *l, struct l2tp_call *c)
{
	if (!in_peer_list(l, c))
		return;
	if (c->peer_next != 0)
		l->calls[c->peer_next]->peer_prev = c->peer_prev;
	if (c->peer_prev != 0)
		l->calls[c->peer_prev]->peer_next = c->peer_next;
	else
		*call_bucket(c->t, c->peer_id) = c->peer_next;
}

void l2tp_call_unlink(struct l2tp_call *c)
{
	struct l2tp_tunnel *t = c->t;
	struct l2tp *l = l2tp_of(t);

	if (l->calls[c->id] != c)
		return;
	call_peer_remove(l, c);
	if (c->next != 0)
		l->calls[c->next]->prev = c->prev;
	else
		t->last_call = c->prev;
	if (c->prev != 0)
		l->calls[c->prev]->next = c->next;
	else
		t->first_call = c->next;
	l->calls[c->id] = NULL;
	l->n_calls--;
	t->n_calls--;
}

struct l2tp_call *l2tp_call_by_peer(const struct l2tp_tunnel *t, uint16_t peer_id)
{
	struct l2tp *l = l2tp_of(t);
	struct l2tp_call *c;

	for (uint16_t id = *call_bucket(t, peer_id); id != 0; id = c->peer_next) {
		c = l->calls[id];
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
