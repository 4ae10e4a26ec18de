/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "control/halfopen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUCKETS 4096

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
			LIST_REMOVE(net, link);
			free(net);
		}
	}
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

int halfopen_add(struct halfopen *h, struct halfopen_entry *e, const struct ipaddr *source)
{
	struct ipaddr key = network_of(source);
	struct net_list *b = bucket_of(h, &key);
	struct halfopen_net *net;

	if (h->n > h->limit)
		return -ENOSPC;
	LIST_FOREACH (net, b, link)
		if (ipaddr_eq(&net->key, &key))
			break;
	if (net == NULL) {
		net = calloc(1, sizeof(*net));
		if (net == NULL)
			return -ENOMEM;
		net->key = key;
		TAILQ_INIT(&net->entries);
		LIST_INSERT_HEAD(b, net, link);
	}
	TAILQ_INSERT_TAIL(&net->entries, e, link);
	e->net = net;
	h->n++;
	set_level(h, net, net->n + 1);
	return 0;
}

void halfopen_del(struct halfopen *h, struct halfopen_entry *e)
{
	struct halfopen_net *net = e->net;

	if (net == NULL)
		return;
	TAILQ_REMOVE(&net->entries, e, link);
	e->net = NULL;
	h->n--;
	set_level(h, net, net->n - 1);
	if (net->n == 0) {
		LIST_REMOVE(net, link);
		free(net);
	}
}

uint32_t halfopen_count(const struct halfopen *h)
{
	return h->n;
}

bool halfopen_full(const struct halfopen *h)
{
	return h->n >= h->limit;
}

struct halfopen_entry *halfopen_victim(const struct halfopen *h)
{
	struct halfopen_net *net = h->fullest > 0 ? TAILQ_FIRST(&h->level[h->fullest]) : NULL;

	return net != NULL ? TAILQ_FIRST(&net->entries) : NULL;
}
