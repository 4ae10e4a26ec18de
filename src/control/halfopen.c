/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "control/halfopen.h"
#include "base/slab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define BUCKETS 4096

struct halfopen_entry {
	TAILQ_ENTRY(halfopen_entry) link; /* in its network */
	struct halfopen_net *net;
	void *owner;
};

TAILQ_HEAD(entry_tailq, halfopen_entry);

/* A source network: an IPv4 /24, an IPv6 /48. */
struct halfopen_net {
	struct ipaddr key;
	uint32_t n;
	struct entry_tailq entries; /* oldest first */
	TAILQ_ENTRY(halfopen_net) level; /* among the networks with as many entries */
	LIST_ENTRY(halfopen_net) link;
};

TAILQ_HEAD(net_tailq, halfopen_net);
LIST_HEAD(net_list, halfopen_net);

struct halfopen {
	uint32_t limit, n, fullest;
	uint64_t seed;
	struct slab slab; /* of entries */
	struct net_list bucket[BUCKETS];
	struct net_tailq *level; /* [n]: networks with n entries, 1..limit */
};

struct halfopen *halfopen_new(uint32_t limit, uint64_t seed)
{
	struct halfopen *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->limit = limit;
	h->seed = seed;
	slab_init(&h->slab, sizeof(struct halfopen_entry));
	/* One above the limit: a source may be added before a victim goes. */
	h->level = calloc(limit + 2, sizeof(*h->level));
	if (h->level == NULL) {
		free(h);
		return NULL;
	}
	for (uint32_t i = 0; i < limit + 2; i++)
		TAILQ_INIT(&h->level[i]);
	return h;
}

void halfopen_free(struct halfopen *h)
{
	if (h == NULL)
		return;
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct halfopen_net *net;

		while ((net = LIST_FIRST(&h->bucket[i])) != NULL) {
			struct halfopen_entry *e;

			while ((e = TAILQ_FIRST(&net->entries)) != NULL) {
				TAILQ_REMOVE(&net->entries, e, link);
				slab_put(&h->slab, e);
			}
			LIST_REMOVE(net, link);
			free(net);
		}
	}
	slab_fini(&h->slab);
	free(h->level);
	free(h);
}

static struct ipaddr network_of(const struct ipaddr *a)
{
	struct ipaddr k = {.family = a->family};

	memcpy(k.b, a->b, a->family == AF_INET ? 3 : 6);
	return k;
}

static struct net_list *bucket_of(struct halfopen *h, const struct ipaddr *key)
{
	struct endpoint e = {.addr = *key};

	return &h->bucket[endpoint_hash(&e, h->seed) % BUCKETS];
}

static void set_level(struct halfopen *h, struct halfopen_net *net, uint32_t n)
{
	if (net->n > 0)
		TAILQ_REMOVE(&h->level[net->n], net, level);
	net->n = n;
	if (n > 0)
		TAILQ_INSERT_TAIL(&h->level[n], net, level);
	if (n > h->fullest)
		h->fullest = n;
	while (h->fullest > 0 && TAILQ_EMPTY(&h->level[h->fullest]))
		h->fullest--;
}

static struct halfopen_net *net_get(struct halfopen *h, const struct ipaddr *source)
{
	struct ipaddr key = network_of(source);
	struct net_list *b = bucket_of(h, &key);
	struct halfopen_net *net;

	LIST_FOREACH (net, b, link)
		if (ipaddr_eq(&net->key, &key))
			return net;
	net = calloc(1, sizeof(*net));
	if (net == NULL)
		return NULL;
	net->key = key;
	TAILQ_INIT(&net->entries);
	LIST_INSERT_HEAD(b, net, link);
	return net;
}

static void net_put(struct halfopen_net *net)
{
	if (net->n > 0)
		return;
	LIST_REMOVE(net, link);
	free(net);
}

struct halfopen_entry *halfopen_add(struct halfopen *h, const struct ipaddr *source, void *owner)
{
	struct halfopen_entry *e;
	struct halfopen_net *net;

	if (h->n > h->limit)
		return NULL;
	net = net_get(h, source);
	if (net == NULL)
		return NULL;
	e = slab_get(&h->slab);
	if (e == NULL) {
		net_put(net);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&net->entries, e, link);
	e->net = net;
	e->owner = owner;
	h->n++;
	set_level(h, net, net->n + 1);
	return e;
}

void halfopen_del(struct halfopen *h, struct halfopen_entry *e)
{
	struct halfopen_net *net;

	if (e == NULL)
		return;
	net = e->net;
	TAILQ_REMOVE(&net->entries, e, link);
	slab_put(&h->slab, e);
	h->n--;
	set_level(h, net, net->n - 1);
	net_put(net);
}

uint32_t halfopen_count(const struct halfopen *h)
{
	return h->n;
}

bool halfopen_full(const struct halfopen *h)
{
	return h->n >= h->limit;
}

void *halfopen_victim(const struct halfopen *h)
{
	struct halfopen_net *net = h->fullest > 0 ? TAILQ_FIRST(&h->level[h->fullest]) : NULL;

	/* A network without entries is not there. */
	return net != NULL ? TAILQ_FIRST(&net->entries)->owner : NULL;
}
