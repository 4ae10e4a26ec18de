/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The last steps of a packet that leaves by a link: the Ethernet header and the port's buffer. Stages that
 * do all for their usual packet end with them, and so do ip4_out and tx.
 *
 * Packets come in trains, so a stage keeps the way of the last one, for one vector: MAC addresses may be
 * learned and lost between two.
 */
#pragma once

#include "dataplane/priv.h"

#include <string.h>

#define WAY_ROOM 24 /* for the longest header, which ends where this ends */
#define WAY_L2   18 /* .. Ethernet with a tag */

static_assert(sizeof(((struct interface *)0)->l2) == WAY_L2, "the longest header");

/* One next hop, ready for frames. All zero: none yet. */
struct way {
	uint32_t nh; /* index of the route's next hop; 0: none yet */
	uint32_t ip; /* host order; the station's when the route is CONNECTED */
	uint32_t ip_mask; /* bits of ip that count: none with a gateway */
	uint64_t mac; /* as in struct neigh */
	uint16_t ifidx, mtu;
	uint16_t port;
	uint8_t l2_len;
	uint8_t l2[WAY_ROOM] __rte_aligned(8); /* the header, at the end */
};

/*
 * The way to ip (host order) by route nh into way. False when there is none: nh leads to no link, or the
 * station's MAC address is not known; way is as it was then.
 */
bool dp_way_find(const struct dp *dp, struct way *way, uint32_t nh, uint32_t ip);

/* The same, quick when it is the way that is there. */
static inline bool way_to(const struct dp *dp, struct way *way, uint32_t nh, uint32_t ip)
{
	if (likely((way->nh ^ nh) == 0 && ((way->ip ^ ip) & way->ip_mask) == 0 && nh != 0))
		return true;
	return dp_way_find(dp, way, nh, ip);
}

/*
 * Writes the header in front of p. Whatever its length, 18 bytes before p must be the packet's: the first
 * ones may be overwritten with anything.
 */
static inline void way_write(const struct way *way, uint8_t *p)
{
	memcpy(p - 16, way->l2 + WAY_ROOM - 16, 16);
	if (unlikely(way->l2_len > 16))
		memcpy(p - WAY_L2, way->l2 + WAY_ROOM - WAY_L2, 8);
}

/* Sends what port's buffer holds; what the port does not take is dropped, counted. */
void dp_tx_port(struct worker *w, uint16_t port);

/* A whole frame to a port: it leaves when the buffer is full, or at the end of the turn. */
static inline void tx_push(struct worker *w, uint16_t port, struct rte_mbuf *m)
{
	struct vec *b = &w->tx[port];

	if (b->n == 0)
		w->tx_filled |= 1ull << port;
	vec_push(b, m);
	if (unlikely(b->n == VEC_MAX))
		dp_tx_port(w, port);
}

/*
 * The IPv4 packet of len bytes at data offset at of m (WAY_L2 or more) leaves by way, which takes it: the
 * caller has compared it with the MTU.
 */
static inline void way_send(struct worker *w, const struct way *way, struct rte_mbuf *m,
                            uint16_t at, uint16_t len)
{
	way_write(way, (uint8_t *)m->buf_addr + at);
	m->data_off = (uint16_t)(at - way->l2_len);
	m->data_len = (uint16_t)(len + way->l2_len);
	m->pkt_len = (uint32_t)(len + way->l2_len);
	tx_push(w, way->port, m);
}
