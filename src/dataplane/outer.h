/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The headers around a session's packets downstream: IPv4, UDP, L2TP (RFC 2661 3.1) and PPP, made of the
 * session's line in words, and never read again.
 */
#pragma once

#include "dataplane/ip4.h"

#define OUTER_TTL 64 /* RFC 1700: the recommended default */
#define OUTER_UDP ((uint32_t)sizeof(struct rte_udp_hdr))
#define OUTER_IP4 ((uint32_t)sizeof(struct rte_ipv4_hdr))

/* With these a packet is more than a copy of its session's line, two lengths and an id. */
#define OUTER_MORE (SESS_UDP_SUM | SESS_LENGTH | SESS_CLAMP)

/* Bytes of UDP, L2TP and PPP headers in front of a packet; of a frame of control without the last. */
static inline uint32_t outer_udp_len(const struct sess_tx *t, bool frame)
{
	return t->headers - (frame ? (uint32_t)t->ppp_len : 0);
}

/* An IPv4 header at p; sum is what its checksum field holds. All in network order. */
static inline void outer_ip4_put(uint8_t *p, const struct sess_tx *t, rte_be16_t total,
                                 rte_be16_t id, bool df, uint16_t sum)
{
	const uint64_t front = RTE_IPV4_VHL_DEF | (uint64_t)total << 16 | (uint64_t)id << 32 |
	                       (uint64_t)(df ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0) << 48;
	const uint64_t back = OUTER_TTL | (uint64_t)IPPROTO_UDP << 8 | (uint64_t)sum << 16 |
	                      (uint64_t)t->src_ip << 32;

	memcpy(p, &front, 8);
	memcpy(p + 8, &back, 8);
	memcpy(p + 16, &t->dst_ip, 4);
}

/* The IPv4 header of an outer packet of len bytes, at p; no_df: whatever the session says. */
static inline void outer_ip4(struct worker *w, const struct sess_tx *t, uint8_t *p, uint32_t len,
                             bool no_df)
{
	const rte_be16_t total = rte_cpu_to_be_16((uint16_t)len);
	const rte_be16_t id = rte_cpu_to_be_16(dp_next_ip_id(w));
	const bool df = (t->flags & SESS_DF) != 0 && !no_df;
	uint64_t sum = (uint64_t)rte_cpu_to_be_16(t->ip_sum) + total + id;

	if (unlikely(no_df && (t->flags & SESS_DF) != 0))
		sum += (uint16_t)~RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	outer_ip4_put(p, t, total, id, df, (uint16_t)~sum_fold(sum));
}

/*
 * The UDP checksum of a message with nothing but a length beside the framing, whose body of len bytes stands
 * at p: from the line, which has zeros for what changes, and from the body behind its first bytes, right of
 * them, that add up to nothing. To add up what has just been written in pieces of other sizes would wait for
 * them to reach the cache.
 */
static inline uint16_t outer_sum(const struct sess_tx *t, const uint8_t *p, uint32_t len,
                                 uint32_t right)
{
	const uint32_t framing = t->headers - OUTER_UDP, udp_len = t->headers + len;
	uint64_t addrs, halves[2], sum, lens = (uint64_t)rte_cpu_to_be_16((uint16_t)udp_len) * 2;
	uint32_t ports;
	uint16_t inner;

	static_assert(offsetof(struct sess_tx, dst_ip) == offsetof(struct sess_tx, src_ip) + 4,
	              "addresses are one word");
	memcpy(&addrs, &t->src_ip, sizeof(addrs));
	memcpy(&ports, &t->src_port, sizeof(ports));
	memcpy(halves, t->framing, sizeof(halves));
	if (t->flags & SESS_LENGTH)
		lens += rte_cpu_to_be_16((uint16_t)(udp_len - OUTER_UDP));
	sum = sum_bytes(p + right, len - right, sum_add(halves[0], halves[1]));
	/* At an odd place bytes count the other way round (RFC 1071 2): the framing ends where they begin. */
	sum = sum << (framing & 1) * 8 | sum >> (-(framing & 1) * 8 & 63);
	sum = sum_add(sum, sum_add(addrs, lens + rte_cpu_to_be_16(IPPROTO_UDP) + ports));
	inner = (uint16_t)~sum_fold(sum);
	return inner == 0 ? 0xffff : inner;
}

/* What is not the same in all packets: t->flags has SESS_SEQ, or this is a frame of control. */
void dp_outer_rest(struct worker *w, uint16_t sid, uint8_t *udp, uint32_t len);

/*
 * UDP, L2TP and PPP headers, headers bytes together, in front of the packet of len bytes at p, of which 16 bytes
 * before it may be overwritten even when the headers are shorter. The first right bytes of the packet, an even
 * number, are known to add up to nothing: an IPv4 header whose checksum is right does. flags: the line's, as
 * the caller has them in a register; with SESS_SEQ some are left for dp_outer_rest.
 */
static inline void outer_udp_put(const struct sess_tx *t, uint16_t flags, uint8_t *p,
                                 uint32_t headers, uint32_t len, uint32_t right)
{
	const uint32_t udp_len = headers + len;
	uint8_t *udp = p - headers;
	uint64_t front;
	uint32_t ports;
	uint16_t sum = 0;

	static_assert(offsetof(struct sess_tx, dst_port) == offsetof(struct sess_tx, src_port) + 2,
	              "ports are one word");
	if ((flags & (SESS_UDP_SUM | SESS_SEQ)) == SESS_UDP_SUM)
		sum = outer_sum(t, p, len, right);
	memcpy(&ports, &t->src_port, sizeof(ports));
	front = ports | (uint64_t)rte_cpu_to_be_16((uint16_t)udp_len) << 32 | (uint64_t)sum << 48;
	memcpy(p - SESS_FRAMING_MAX, t->framing, SESS_FRAMING_MAX);
	memcpy(udp, &front, sizeof(front));
	if (flags & SESS_LENGTH)
		put_be16(udp + OUTER_UDP + 2, (uint16_t)(udp_len - OUTER_UDP));
}

/* The same for whatever session sid is. */
static inline void outer_udp(struct worker *w, uint16_t sid, uint8_t *p, uint32_t len)
{
	const struct sess_tx *t = &w->dp->tx[sid];
	const uint32_t headers = outer_udp_len(t, false);

	outer_udp_put(t, t->flags, p, headers, len, 0);
	if (unlikely(t->flags & SESS_SEQ))
		dp_outer_rest(w, sid, p - headers, headers + len);
}

/* The same in front of a PPP frame of control's. */
void dp_outer_frame(struct worker *w, uint16_t sid, uint8_t *p, uint32_t len);
