/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The kernel's IPv4 routes and neighbours as far as they concern our twins. The kernel may hold
 * several routes to one prefix; the data plane gets the best. What the data plane has not taken
 * stays marked and is offered again by rib_retry. A full reading of the kernel is bracketed by
 * rib_mark and rib_sweep, which drops what was not seen in between. Pure: no sockets, no clock.
 */
#pragma once

#include "dataplane/dp.h"

#include <stdbool.h>
#include <stdint.h>

struct rib;

/* Where the results go; both return 0 or -errno as dp_route_set and dp_neigh_set do. */
struct rib_ops {
	/* r NULL: the prefix has no route any more. */
	int (*route)(void *ctx, uint32_t prefix, uint8_t len, const struct dp_route *r);
	int (*neigh)(void *ctx, uint16_t ifidx, uint32_t ip, const uint8_t *mac);
};

struct rib *rib_new(const struct rib_ops *ops, void *ctx); /* NULL with errno set */
void rib_free(struct rib *rib); /* tells nobody */

/*
 * A route of the kernel. local: from the kernel's table of its own addresses, which goes before all
 * others; else metric decides, lowest first. (prefix, len, local, metric) identify it. 0 or -ENOMEM.
 */
int rib_route_add(struct rib *rib, const struct dp_route *r, bool local, uint32_t metric);
/*
 * Removes it when its next hop is r's. Returns false when there is such a route with another next
 * hop: then the kernel has several of one metric, and only a new reading tells which remain.
 */
bool rib_route_del(struct rib *rib, const struct dp_route *r, bool local, uint32_t metric);
/* Removes it whatever its next hop: the kernel has replaced it by a route that is not ours. */
void rib_route_forget(struct rib *rib, uint32_t prefix, uint8_t len, bool local, uint32_t metric);

/* A neighbour has this address, or (mac NULL) has none. 0 or -ENOMEM. */
int rib_neigh_set(struct rib *rib, uint16_t ifidx, uint32_t ip, const uint8_t *mac);

/*
 * The data plane asks for a neighbour: when we know its address it is told (again). Returns false
 * when we do not.
 */
bool rib_neigh_offer(struct rib *rib, uint16_t ifidx, uint32_t ip);

void rib_mark(struct rib *rib);
void rib_sweep(struct rib *rib);

/* Offers again what was refused. Returns how many are still refused. */
uint32_t rib_retry(struct rib *rib);

/*
 * Calls fn for the neighbours in one of parts equal pieces of the table, the next piece at each call:
 * after parts calls each has been seen. fn does not change the rib.
 */
void rib_neigh_walk(struct rib *rib, uint32_t parts,
                    void (*fn)(void *ctx, uint16_t ifidx, uint32_t ip), void *ctx);

uint32_t rib_routes(const struct rib *rib); /* prefixes that the data plane has */
uint32_t rib_neighs(const struct rib *rib); /* with an address */
uint32_t rib_refused(const struct rib *rib);
