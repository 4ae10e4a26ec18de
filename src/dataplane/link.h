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

#include <rte_vect.h>

#define WAY_L2 18 /* the longest header: Ethernet with a tag */

static_assert(sizeof(((struct interface *)0)->l2) == WAY_L2, "the longest header");

/* One next hop, ready for frames. All zero but for entry: none yet. */
struct way {
	uint32_t nh; /* index of the route's next hop, and 1 */
	uint32_t
	        entry; /* of the routes' table, which leads here whatever the address; or WAY_NO_ENTRY */
	uint32_t ip; /* host order; the station's when the route is CONNECTED */
	uint32_t ip_mask; /* bits of ip that count: none with a gateway */
	uint16_t ifidx, mtu;
	uint32_t tx_at; /* of the port's buffer in worker.tx, in bytes */
	uint16_t port, l2_len;
	uint64_t mac; /* as in struct neigh */
	/* The header in words: with a tag, the first 8 bytes; the 8 before the last 8; those. */
	uint64_t first, before, end;
};

/*
 * The way to ip (host order) by route nh into way. False when there is none: nh leads to no link, or the
 * station's MAC address is not known; way is as it was then.
 */
bool dp_way_find(const struct dp *dp, struct way *way, uint32_t nh, uint32_t ip);

#define WAY_NO_ENTRY UINT32_MAX /* would lead to more tables of longer prefixes than there are */
#define WAY_NONE     ((struct way){.entry = WAY_NO_ENTRY})

/* The way to ip (host order) by the routes, as dp_way_find says. */
bool dp_way_route(const struct dp *dp, struct way *way, uint32_t ip);

/* The routes' first table, of prefixes up to 24 bits, as a lookup reads it. */
static inline uint32_t way_entry_at(const struct rte_lpm *lpm, uint32_t ip)
{
	return *(const uint32_t *)(const void *)&lpm->tbl24[ip >> 8];
}

static inline uint32_t way_entry(const struct dp *dp, uint32_t ip)
{
	return way_entry_at(dp->lpm, ip);
}

/* The same, quick where the routes say of ip what they have said of the way that is there. */
static inline bool way_route(const struct dp *dp, struct way *way, uint32_t ip)
{
	return likely(way_entry(dp, ip) == way->entry) || dp_way_route(dp, way, ip);
}

/* The way to ip by route nh, quick when it is the way that is there. */
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
	static_assert(offsetof(struct way, end) == offsetof(struct way, before) + 8, "16 bytes");
	_mm_storeu_si128((xmm_t *)(void *)(p - 16),
	                 _mm_loadu_si128((const xmm_t *)(const void *)&way->before));
	if (unlikely(way->l2_len > 16))
		memcpy(p - WAY_L2, &way->first, 8);
}

/* Sends what port's buffer holds; what the port does not take is dropped, counted. */
void dp_tx_port(struct worker *w, uint16_t port);

/* The length of the packet and of the data, which is all of it, and no tag: three fields of an mbuf. */
static inline void way_len(struct rte_mbuf *m, uint64_t len)
{
	static_assert(offsetof(struct rte_mbuf, data_len) ==
	                              offsetof(struct rte_mbuf, pkt_len) + 4 &&
	                      offsetof(struct rte_mbuf, vlan_tci) ==
	                              offsetof(struct rte_mbuf, pkt_len) + 6,
	              "a word");
	len |= len << 32;
	memcpy(&m->pkt_len, &len, sizeof(len));
}

/* Makes m the frame of the IPv4 packet of len bytes at ip in it, with WAY_L2 bytes or more of m before it. */
static inline void way_frame(const struct way *way, struct rte_mbuf *m, void *ip, uint32_t len)
{
	const uint32_t l2_len = way->l2_len;

	way_write(way, ip);
	m->data_off = (uint16_t)((uint8_t *)ip - (uint8_t *)m->buf_addr - l2_len);
	way_len(m, len + l2_len);
}

/* What frames that go one way, one after the other, have in common: small enough for registers. */
struct way_run {
	uint32_t entry, mtu; /* as in struct way */
	rte_be32_t ip; /* it has been found for */
	xmm_t l2; /* its header, and with a tag what that begins with */
	uint64_t first;
	uint32_t l2_len;
};

static inline struct way_run way_run_of(const struct way *way, uint32_t ip)
{
	return (struct way_run){
	        .entry = way->entry,
	        .mtu = way->mtu,
	        .ip = rte_cpu_to_be_32(ip),
	        .l2 = _mm_loadu_si128((const xmm_t *)(const void *)&way->before),
	        .first = way->first,
	        .l2_len = way->l2_len,
	};
}

/* As way_frame. */
static inline void way_run_frame(const struct way_run *r, struct rte_mbuf *m, uint8_t *ip,
                                 uint64_t len)
{
	_mm_storeu_si128((xmm_t *)(void *)(ip - 16), r->l2);
	if (unlikely(r->l2_len > 16))
		memcpy(ip - WAY_L2, &r->first, sizeof(r->first));
	m->data_off = (uint16_t)(ip - (uint8_t *)m->buf_addr - r->l2_len);
	way_len(m, len + r->l2_len);
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

/* The port's buffer, with room for n more frames; n <= VEC_MAX. */
static inline struct vec *way_buffer(struct worker *w, uint16_t port, uint32_t n)
{
	struct vec *b = &w->tx[port];

	if (unlikely(b->n + n > VEC_MAX))
		dp_tx_port(w, port);
	return b;
}

/* n frames have been put into it, behind the others. */
static inline void way_filled(struct worker *w, uint16_t port, struct vec *b, size_t n)
{
	b->n += n;
	if (b->n == VEC_MAX)
		dp_tx_port(w, port);
	else if (n > 0)
		w->tx_filled |= 1ull << port;
}

/* The buffer of the way's port, kept from packet to packet. */
struct outbox {
	struct vec *b;
	uint32_t n;
};

static inline struct outbox outbox_open(struct worker *w, const struct way *way)
{
	struct vec *b = (struct vec *)((uint8_t *)w->tx + way->tx_at);

	return (struct outbox){b, b->n};
}

/* Before anything else uses the port, and before way is another one. */
static inline void outbox_close(struct worker *w, const struct way *way, const struct outbox *o)
{
	o->b->n = (uint16_t)o->n;
	if (o->n > 0)
		w->tx_filled |= 1ull << way->port;
}

/* As way_put. */
static inline void outbox_put(struct worker *w, const struct way *way, struct outbox *o,
                              struct rte_mbuf *m)
{
	o->b->v[o->n++] = m;
	if (unlikely(o->n == VEC_MAX)) {
		o->b->n = VEC_MAX;
		dp_tx_port(w, way->port);
		o->n = 0;
	}
}

/* Both: the packet leaves by way, which takes it: the caller has compared it with the MTU. */
static inline void way_send(struct worker *w, const struct way *way, struct rte_mbuf *m, void *ip,
                            uint32_t len)
{
	way_frame(way, m, ip, len);
	way_put(w, way->tx_at, way->port, m);
}
