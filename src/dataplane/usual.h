/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* classify: what makes a frame a usual one. */
#pragma once

#include "dataplane/l2tp.h"

#include <rte_ether.h>

#define IP4_LEN ((uint32_t)sizeof(struct rte_ipv4_hdr))

/*
 * What most packets of a vector share: they come from one port without a tag, have no IPv4 options, and
 * of those to us most are data messages without anything optional to one address. The headers of
 * such a message, up to its session id, are three words of 16 bytes.
 */
struct usual {
	xmm_t want[USUAL_LEN / 16];
	uint64_t rearm; /* of the mbuf; NOT_USUAL: the port has no interface without a tag */
	uint16_t in_if;
	bool hidden; /* subscribers' addresses may be ours: dp.n_hidden */
	uint32_t local; /* an address of ours, host order; 0: none seen yet */
	/* Bits of other workers' sessions that have a transit packet in the vector that was not usual. */
	uint64_t behind;
};

#define NOT_USUAL 0 /* no buffer has no segments */

/* Where a driver puts a frame, the whole of it, that comes in by port: a word of the mbuf (rearm_data). */
static inline uint64_t rearm_of(uint16_t port)
{
	return RTE_PKTMBUF_HEADROOM | 1ull << 16 | 1ull << 32 | (uint64_t)port << 48;
}

static inline uint64_t rearm(const struct rte_mbuf *m)
{
	uint64_t word;

	static_assert(offsetof(struct rte_mbuf, data_off) ==
	                              offsetof(struct rte_mbuf, rearm_data) &&
	                      offsetof(struct rte_mbuf, refcnt) ==
	                              offsetof(struct rte_mbuf, rearm_data) + 2 &&
	                      offsetof(struct rte_mbuf, nb_segs) ==
	                              offsetof(struct rte_mbuf, rearm_data) + 4 &&
	                      offsetof(struct rte_mbuf, port) ==
	                              offsetof(struct rte_mbuf, rearm_data) + 6,
	              "all of it is known at once");
	memcpy(&word, &m->rearm_data, sizeof(word));
	return word;
}

/* The frame is where it usually is, has no tag, and is long enough to be looked at. */
static inline bool at_usual_place(const struct rte_mbuf *m, const struct usual *u)
{
	return rearm(m) == u->rearm && (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0 &&
	       m->data_len >= USUAL_LEN;
}

static inline uint8_t *usual_place(const struct rte_mbuf *m)
{
	return (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM;
}

/* The bits that must be as in struct usual. */
static const union {
	uint8_t b[USUAL_LEN];
	xmm_t x[3];
} usual_mask = {.b = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* our MAC address */
                      0,    0,    0,    0,    0,    0,    0xff, 0xff, /* Ethernet's type */
                      0xff, 0, /* version and header length */
                      0,    0,    0,    0,    0x3f, 0xff, /* no fragment */
                      0,    0xff, /* protocol */
                      0,    0,    0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, /* our address */
                      0,    0,    0xff, 0xff, /* to L2TP's port */
                      0,    0,    0,    0,    0xca, 0x0f, /* T, L, S, O, version */
                      0,    0,    0,    0}};

/* Its halves are the end of one word and the beginning of the next. */
static inline void usual_ours(struct usual *u, uint32_t local)
{
	const rte_be32_t be = rte_cpu_to_be_32(local);

	static_assert(AT_DST == 30,
	              "the last two bytes of the second word are the first two of it");
	u->local = local;
	u->want[1] = _mm_insert_epi16(u->want[1], (int)(be & 0xffff), 7);
	u->want[2] = _mm_insert_epi16(u->want[2], (int)(be >> 16), 0);
}

/* Made of what is there already: bytes written one by one are slow to be read as words. */
static inline void usual_init(struct usual *u, const struct worker *w, uint16_t port)
{
	const struct dp *dp = w->dp;
	const xmm_t *made = (const void *)dp->ports[port].usual;

	for (int i = 0; i < USUAL_LEN / 16; i++)
		u->want[i] = _mm_loadu_si128(made + i);
	u->behind = 0;
	u->in_if = dp->ports[port].vlan_if[0];
	u->rearm = u->in_if == DP_IF_NONE ? NOT_USUAL : rearm_of(port);
	u->hidden = __atomic_load_n(&dp->n_hidden, __ATOMIC_RELAXED) != 0;
	/* The last vector's address, when it still is ours. */
	usual_ours(u, dp->nh[dp_nh_lookup(dp, w->local)].kind == DP_RT_LOCAL ? w->local : 0);
}

/* The frame at p has not our MAC address, or no IPv4 header without options behind that. */
static inline bool not_our_ip4(const uint8_t *p, const struct usual *u)
{
	const xmm_t link = _mm_loadu_si128((const xmm_t *)(const void *)p);

	return !_mm_testz_si128(_mm_xor_si128(link, u->want[0]), usual_mask.x[0]);
}

/* An IPv4 header without options in a frame of len bytes, 48 or more, at p: nothing is wrong but its destination. */
static inline bool transit_right(const uint8_t *p, uint32_t len)
{
	return get_be16(p + AT_LENGTH) - IP4_LEN <= len - AT_IP - IP4_LEN &&
	       ip4_sum20_right((const void *)(p + AT_IP)) &&
	       !ip4_martian_src((uint32_t)p[AT_SRC] << 24);
}
