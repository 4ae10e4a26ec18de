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

#define WAY_L2 18 /* the longest header: Ethernet with a tag */

static_assert(sizeof(((struct interface *)0)->l2) == WAY_L2, "the longest header");

/* One next hop, ready for frames. All zero: none yet. */
struct way {
	uint32_t nh; /* index of the route's next hop, and 1 */
	uint32_t ip; /* host order; the station's when the route is CONNECTED */
	uint32_t ip_mask; /* bits of ip that count: none with a gateway */
	uint16_t ifidx, mtu;
	uint32_t tx_at; /* of the port's buffer in worker.tx, in bytes */
	uint16_t port, l2_len;
	uint64_t mac; /* as in struct neigh */
	/* The header in words: the last 8 bytes, the 8 before them, and, with a tag, the first 8. */
	uint64_t end, before, first;
};

/*
 * The way to ip (host order) by route nh into way. False when there is none: nh leads to no link, or the
 * station's MAC address is not known; way is as it was then.
 */
bool dp_way_find(const struct dp *dp, struct way *way, uint32_t nh, uint32_t ip);

/* The same, quick when it is the way that is there. */
static inline bool way_to(const struct dp *dp, struct way *way, uint32_t nh, uint32_t ip)
{
	if (likely(way->nh == nh + 1 && ((way->ip ^ ip) & way->ip_mask) == 0))
		return true;
	return dp_way_find(dp, way, nh, ip);
}

/*
 * Writes the header in front of p. Whatever its length, 18 bytes before p must be the packet's: the first
 * ones may be overwritten with anything.
 */
static inline void way_write(const struct way *way, uint8_t *p)
{
	memcpy(p - 8, &way->end, 8);
	memcpy(p - 16, &way->before, 8);
	if (unlikely(way->l2_len > 16))
		memcpy(p - WAY_L2, &way->first, 8);
}

/* Sends what port's buffer holds; what the port does not take is dropped, counted. */
void dp_tx_port(struct worker *w, uint16_t port);

/* Makes m the frame of the IPv4 packet of len bytes at ip in it, with WAY_L2 bytes or more of m before it. */
static inline void way_frame(const struct way *way, struct rte_mbuf *m, void *ip, uint32_t len)
{
	way_write(way, ip);
	m->data_off = (uint16_t)((uint8_t *)ip - (uint8_t *)m->buf_addr - way->l2_len);
	m->data_len = (uint16_t)(len + way->l2_len);
	m->pkt_len = len + way->l2_len;
}

/* A frame leaves by port, whose buffer is at tx_at: with its others, when it is full or the turn ends. */
static inline void way_put(struct worker *w, uint32_t tx_at, uint16_t port, struct rte_mbuf *m)
{
	struct vec *b = (struct vec *)((uint8_t *)w->tx + tx_at);
	uint32_t n = b->n;

	if (n == 0)
		w->tx_filled |= 1ull << port;
	b->v[n] = m;
	b->n = (uint16_t)(n + 1);
	if (unlikely(n + 1 == VEC_MAX))
		dp_tx_port(w, port);
}

/* Both: the packet leaves by way, which takes it: the caller has compared it with the MTU. */
static inline void way_send(struct worker *w, const struct way *way, struct rte_mbuf *m, void *ip,
                            uint32_t len)
{
	way_frame(way, m, ip, len);
	way_put(w, way->tx_at, way->port, m);
}
