/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "control/halfopen.h"
#include "base/table.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define BUCKETS 4096

struct halfopen_entry {
	void *owner;
	struct table_link link; /* in its network */
	uint16_t net;
};

/* A source network: an IPv4 /24, an IPv6 /48. */
struct halfopen_net {
	struct ipaddr key;
	uint16_t n;
	struct table_list entries; /* oldest first */
	struct table_link level; /* among the networks with as many entries */
	LIST_ENTRY(halfopen_net) link;
};

#define LINK  offsetof(struct halfopen_entry, link)
#define LEVEL offsetof(struct halfopen_net, level)

LIST_HEAD(net_list, halfopen_net);

struct halfopen {
	uint32_t limit, n, fullest;
	uint64_t seed;
	struct table entries, nets;
	struct net_list bucket[BUCKETS];
	struct table_list *level; /* [n]: networks with n entries, 1..limit */
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
	if (h->level == NULL || table_init(&h->entries, sizeof(struct halfopen_entry)) < 0 ||
	    table_init(&h->nets, sizeof(struct halfopen_net)) < 0) {
		halfopen_free(h);
		return NULL;
	}
	return h;
}

void halfopen_free(struct halfopen *h)
{
	if (h == NULL)
		return;
	table_fini(&h->entries);
	table_fini(&h->nets);
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

static void set_level(struct halfopen *h, struct halfopen_net *net, uint16_t n)
{
	if (net->n > 0)
		table_remove(&h->nets, &h->level[net->n], net, LEVEL);
	net->n = n;
	if (n > 0)
		table_append(&h->nets, &h->level[n], net, LEVEL);
	if (n > h->fullest)
		h->fullest = n;
	while (h->fullest > 0 && h->level[h->fullest].first == 0)
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
	net = table_get(&h->nets);
	if (net == NULL)
		return NULL;
	net->key = key;
	LIST_INSERT_HEAD(b, net, link);
	return net;
}

struct halfopen_entry *halfopen_add(struct halfopen *h, const struct ipaddr *source, void *owner)
{
	struct halfopen_entry *e;
	struct halfopen_net *net;

	if (h->n > h->limit || table_full(&h->entries))
		return NULL;
	net = net_get(h, source);
	if (net == NULL)
		return NULL;
	e = table_get(&h->entries);
	e->owner = owner;
	e->net = table_number(&h->nets, net);
	table_append(&h->entries, &net->entries, e, LINK);
	h->n++;
	set_level(h, net, (uint16_t)(net->n + 1));
	return e;
}

void halfopen_del(struct halfopen *h, struct halfopen_entry *e)
{
	struct halfopen_net *net;

	if (e == NULL)
		return;
	net = table_at(&h->nets, e->net);
	table_remove(&h->entries, &net->entries, e, LINK);
	table_put(&h->entries, e);
	h->n--;
	set_level(h, net, (uint16_t)(net->n - 1));
	if (net->n == 0) {
		LIST_REMOVE(net, link);
		table_put(&h->nets, net);
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

void *halfopen_victim(const struct halfopen *h)
{
	const struct halfopen_net *net = table_at(&h->nets, h->level[h->fullest].first);
	const struct halfopen_entry *e =
	        net != NULL ? table_at(&h->entries, net->entries.first) : NULL;

	return e != NULL ? e->owner : NULL;
}
