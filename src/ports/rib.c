/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ports/rib.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 256 /* a power of two; doubled when there are as many entries */

/* One route of the kernel. */
struct path {
	struct path *next; /* better first */
	struct dp_route route;
	uint32_t metric;
	uint32_t mark;
	bool local;
};

/* Whatever hangs in a table: the key is 64 bits. */
struct item {
	struct item *next;
	uint64_t key;
	bool refused; /* the data plane has something else than it should */
};

struct prefix {
	struct item item; /* key: prefix << 8 | len */
	struct path *paths;
	bool installed; /* the data plane has .. */
	struct dp_route have; /* .. this */
};

struct neigh {
	struct item item; /* key: ifidx << 32 | ip */
	uint8_t mac[6];
	uint8_t have[6]; /* what the data plane has, when installed */
	bool valid, installed;
	uint32_t mark;
};

struct table {
	struct item **bucket;
	uint32_t n_buckets, n;
};

struct rib {
	struct rib_ops ops;
	void *ctx;
	struct table prefixes, neighs;
	uint32_t mark;
	uint32_t n_installed, n_neighs, n_refused;
	uint32_t cursor; /* of rib_neigh_walk: the next bucket */
};

static uint32_t slot(const struct table *t, uint64_t key)
{
	key *= 0x9e3779b97f4a7c15ULL; /* 2^64 / golden ratio: spreads neighbouring keys */
	return (uint32_t)(key >> 32) & (t->n_buckets - 1);
}

static int table_init(struct table *t)
{
	t->bucket = calloc(FIRST_BUCKETS, sizeof(struct item *));
	t->n_buckets = FIRST_BUCKETS;
	return t->bucket == NULL ? -ENOMEM : 0;
}

static struct item *table_find(const struct table *t, uint64_t key)
{
	struct item *i = t->bucket[slot(t, key)];

	while (i != NULL && i->key != key)
		i = i->next;
	return i;
}

static void table_grow(struct table *t)
{
	struct table bigger = {.n_buckets = t->n_buckets * 2, .n = t->n};

	bigger.bucket = calloc(bigger.n_buckets, sizeof(struct item *));
	if (bigger.bucket == NULL)
		return; /* longer chains still work */
	for (uint32_t b = 0; b < t->n_buckets; b++) {
		struct item *i = t->bucket[b];

		while (i != NULL) {
			struct item *next = i->next;
			struct item **head = &bigger.bucket[slot(&bigger, i->key)];

			i->next = *head;
			*head = i;
			i = next;
		}
	}
	free(t->bucket);
	*t = bigger;
}

static void table_put(struct table *t, struct item *i)
{
	struct item **head;

	if (t->n >= t->n_buckets && t->n_buckets < 1U << 24)
		table_grow(t);
	head = &t->bucket[slot(t, i->key)];
	i->next = *head;
	*head = i;
	t->n++;
}

static void table_take(struct table *t, const struct item *i)
{
	struct item **p = &t->bucket[slot(t, i->key)];

	while (*p != i)
		p = &(*p)->next;
	*p = i->next;
	t->n--;
}

struct rib *rib_new(const struct rib_ops *ops, void *ctx)
{
	struct rib *rib = calloc(1, sizeof(*rib));

	if (rib == NULL)
		return NULL;
	rib->ops = *ops;
	rib->ctx = ctx;
	if (table_init(&rib->prefixes) != 0 || table_init(&rib->neighs) != 0) {
		rib_free(rib);
		errno = ENOMEM;
		return NULL;
	}
	return rib;
}

static void prefix_free(struct prefix *p)
{
	while (p->paths != NULL) {
		struct path *next = p->paths->next;

		free(p->paths);
		p->paths = next;
	}
	free(p);
}

void rib_free(struct rib *rib)
{
	if (rib == NULL)
		return;
	for (uint32_t b = 0; rib->prefixes.bucket != NULL && b < rib->prefixes.n_buckets; b++)
		for (struct item *i = rib->prefixes.bucket[b], *next; i != NULL; i = next) {
			next = i->next;
			prefix_free((struct prefix *)i);
		}
	for (uint32_t b = 0; rib->neighs.bucket != NULL && b < rib->neighs.n_buckets; b++)
		for (struct item *i = rib->neighs.bucket[b], *next; i != NULL; i = next) {
			next = i->next;
			free(i);
		}
	free(rib->prefixes.bucket);
	free(rib->neighs.bucket);
	free(rib);
}

static void set_refused(struct rib *rib, struct item *i, bool refused)
{
	if (i->refused == refused)
		return;
	i->refused = refused;
	if (refused)
		rib->n_refused++;
	else
		rib->n_refused--;
}

static bool same_hop(const struct dp_route *a, const struct dp_route *b)
{
	return a->kind == b->kind && a->ifidx == b->ifidx && a->gateway == b->gateway;
}

/* Makes the data plane have the best path. A prefix with nothing left is freed. */
static void prefix_settle(struct rib *rib, struct prefix *p)
{
	uint32_t addr = (uint32_t)(p->item.key >> 8);
	uint8_t len = (uint8_t)p->item.key;
	int ret = 0;

	if (p->paths != NULL) {
		if (!p->installed || !same_hop(&p->have, &p->paths->route)) {
			ret = rib->ops.route(rib->ctx, addr, len, &p->paths->route);
			if (ret == 0) {
				rib->n_installed += !p->installed;
				p->installed = true;
				p->have = p->paths->route;
			}
		}
	} else if (p->installed) {
		ret = rib->ops.route(rib->ctx, addr, len, NULL);
		if (ret == 0) {
			rib->n_installed--;
			p->installed = false;
		}
	}
	set_refused(rib, &p->item, ret != 0);
	if (p->paths == NULL && !p->installed) {
		table_take(&rib->prefixes, &p->item);
		free(p);
	}
}

static int path_cmp(const struct path *a, bool local, uint32_t metric)
{
	if (a->local != local)
		return a->local ? -1 : 1;
	return a->metric < metric ? -1 : a->metric > metric;
}

/* The path, or where it belongs. */
static struct path **path_place(struct prefix *p, bool local, uint32_t metric)
{
	struct path **at = &p->paths;

	while (*at != NULL && path_cmp(*at, local, metric) < 0)
		at = &(*at)->next;
	return at;
}

static uint64_t prefix_key(const struct dp_route *r)
{
	uint32_t mask = r->len == 0 ? 0 : UINT32_MAX << (32 - r->len);

	return (uint64_t)(r->prefix & mask) << 8 | r->len;
}

int rib_route_add(struct rib *rib, const struct dp_route *r, bool local, uint32_t metric)
{
	uint64_t key = prefix_key(r);
	struct prefix *p = (struct prefix *)table_find(&rib->prefixes, key);
	struct path **at, *path;

	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			return -ENOMEM;
		p->item.key = key;
		table_put(&rib->prefixes, &p->item);
	}
	at = path_place(p, local, metric);
	path = *at;
	if (path == NULL || path_cmp(path, local, metric) != 0) {
		path = calloc(1, sizeof(*path));
		if (path == NULL) {
			prefix_settle(rib, p);
			return -ENOMEM;
		}
		path->local = local;
		path->metric = metric;
		path->next = *at;
		*at = path;
	}
	path->route = *r;
	path->mark = rib->mark;
	prefix_settle(rib, p);
	return 0;
}

static bool path_del(struct rib *rib, const struct dp_route *r, bool local, uint32_t metric,
                     bool any_hop)
{
	struct prefix *p = (struct prefix *)table_find(&rib->prefixes, prefix_key(r));
	struct path **at, *path;

	if (p == NULL)
		return true;
	at = path_place(p, local, metric);
	path = *at;
	if (path == NULL || path_cmp(path, local, metric) != 0)
		return true;
	if (!any_hop && !same_hop(&path->route, r))
		return false;
	*at = path->next;
	free(path);
	prefix_settle(rib, p);
	return true;
}

bool rib_route_del(struct rib *rib, const struct dp_route *r, bool local, uint32_t metric)
{
	return path_del(rib, r, local, metric, false);
}

void rib_route_forget(struct rib *rib, uint32_t prefix, uint8_t len, bool local, uint32_t metric)
{
	struct dp_route r = {.prefix = prefix, .len = len};

	(void)path_del(rib, &r, local, metric, true);
}

/* Makes the data plane have what we know; a neighbour without an address is forgotten. */
static void neigh_settle(struct rib *rib, struct neigh *n)
{
	uint16_t ifidx = (uint16_t)(n->item.key >> 32);
	uint32_t ip = (uint32_t)n->item.key;
	int ret = 0;

	if (n->valid && (!n->installed || memcmp(n->mac, n->have, sizeof(n->mac)) != 0)) {
		ret = rib->ops.neigh(rib->ctx, ifidx, ip, n->mac);
		if (ret == 0) {
			rib->n_neighs += !n->installed;
			n->installed = true;
			memcpy(n->have, n->mac, sizeof(n->have));
		}
	} else if (!n->valid) {
		/* Told even when it never had an address: packets may be waiting for one. */
		ret = rib->ops.neigh(rib->ctx, ifidx, ip, NULL);
		if (ret == 0) {
			rib->n_neighs -= n->installed;
			n->installed = false;
		}
	}
	set_refused(rib, &n->item, ret != 0);
	if (!n->valid && !n->installed && ret == 0) {
		table_take(&rib->neighs, &n->item);
		free(n);
	}
}

int rib_neigh_set(struct rib *rib, uint16_t ifidx, uint32_t ip, const uint8_t *mac)
{
	uint64_t key = (uint64_t)ifidx << 32 | ip;
	struct neigh *n = (struct neigh *)table_find(&rib->neighs, key);

	if (n == NULL) {
		n = calloc(1, sizeof(*n));
		if (n == NULL)
			return -ENOMEM;
		n->item.key = key;
		table_put(&rib->neighs, &n->item);
	}
	n->valid = mac != NULL;
	if (mac != NULL)
		memcpy(n->mac, mac, sizeof(n->mac));
	n->mark = rib->mark;
	neigh_settle(rib, n);
	return 0;
}

bool rib_neigh_offer(struct rib *rib, uint16_t ifidx, uint32_t ip)
{
	struct neigh *n = (struct neigh *)table_find(&rib->neighs, (uint64_t)ifidx << 32 | ip);

	if (n == NULL || !n->valid)
		return false;
	rib->n_neighs -= n->installed;
	n->installed = false;
	neigh_settle(rib, n);
	return true;
}

void rib_mark(struct rib *rib)
{
	rib->mark++;
}

static void prefix_sweep(struct rib *rib, struct prefix *p)
{
	struct path **at = &p->paths;
	bool changed = false;

	while (*at != NULL) {
		struct path *path = *at;

		if (path->mark == rib->mark) {
			at = &path->next;
			continue;
		}
		*at = path->next;
		free(path);
		changed = true;
	}
	if (changed)
		prefix_settle(rib, p);
}

void rib_sweep(struct rib *rib)
{
	for (uint32_t b = 0; b < rib->prefixes.n_buckets; b++)
		for (struct item *i = rib->prefixes.bucket[b], *next; i != NULL; i = next) {
			next = i->next;
			prefix_sweep(rib, (struct prefix *)i);
		}
	for (uint32_t b = 0; b < rib->neighs.n_buckets; b++)
		for (struct item *i = rib->neighs.bucket[b], *next; i != NULL; i = next) {
			struct neigh *n = (struct neigh *)i;

			next = i->next;
			if (n->mark == rib->mark)
				continue;
			n->valid = false;
			neigh_settle(rib, n);
		}
}

uint32_t rib_retry(struct rib *rib)
{
	struct item *i, *next;

	for (uint32_t b = 0; b < rib->prefixes.n_buckets && rib->n_refused != 0; b++)
		for (i = rib->prefixes.bucket[b]; i != NULL; i = next) {
			next = i->next;
			if (i->refused)
				prefix_settle(rib, (struct prefix *)i);
		}
	for (uint32_t b = 0; b < rib->neighs.n_buckets && rib->n_refused != 0; b++)
		for (i = rib->neighs.bucket[b]; i != NULL; i = next) {
			next = i->next;
			if (i->refused)
				neigh_settle(rib, (struct neigh *)i);
		}
	return rib->n_refused;
}

void rib_neigh_walk(struct rib *rib, uint32_t parts,
                    void (*fn)(void *ctx, uint16_t ifidx, uint32_t ip), void *ctx)
{
	uint32_t n = (rib->neighs.n_buckets + parts - 1) / parts;

	while (n-- != 0) {
		const struct item *i;

		rib->cursor = (rib->cursor + 1) & (rib->neighs.n_buckets - 1);
		for (i = rib->neighs.bucket[rib->cursor]; i != NULL; i = i->next)
			if (((const struct neigh *)i)->valid)
				fn(ctx, (uint16_t)(i->key >> 32), (uint32_t)i->key);
	}
}

uint32_t rib_routes(const struct rib *rib)
{
	return rib->n_installed;
}

uint32_t rib_neighs(const struct rib *rib)
{
	return rib->n_neighs;
}

uint32_t rib_refused(const struct rib *rib)
{
	return rib->n_refused;
}
