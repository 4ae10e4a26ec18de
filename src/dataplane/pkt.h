/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What travels with a packet from stage to stage, in the private area of its mbuf, and where the
 * packet's data pointer stands.
 *
 * Stages: C classify, D esp_in, U up, L l2tp_in, P ppp_in, I ip4_lookup, O l2tp_out, X esp_out, E ip4_out,
 * T tx, F fifo (packets of control). Who sets a field is in capitals, who reads it in small letters. R is the
 * first of classify, up and down that has to write any (pkt_meta_init): of a usual frame none do, until up or
 * down leave it to the stages behind them; then they set what classify has not. What they do themselves
 * has left when they are done with it, and its metadata say nothing.
 *
 * | field        | set by | read by   | meaning                                              |
 * | ------------ | ------ | --------- | ---------------------------------------------------- |
 * | flags        | R F C I O X | d i o x e | PKT_*                                           |
 * | in_if        | C U    | punt      | interface of arrival, DP_IF_NONE from control        |
 * | l2_len       | C U    | reassembly| Ethernet and 802.1Q bytes before the IPv4 header     |
 * | src .. dport | C U D  | d u l, punt | outer addresses and ports of an L2TP message; of one |
 * |              |        |           | in an SA the inner ones, from esp_in on              |
 * | conn         | R D    | u l, punt | transport connection that it came through, 0: none   |
 * | in_child     | R D    | handoff, hold | child that it came through, 0: none              |
 * | in_session   | R L    | i o, punt | session it came from, 0: none                        |
 * | in_gen       | L      | handoff   | .. and its generation                                |
 * | out_session  | R I F  | o, hold   | session it leaves by, 0: none                        |
 * | out_child    | R O F  | x, hold   | child that it leaves through, 0: none                |
 * | sa           | C X    | d x       | its SA, valid within one vector                      |
 * | nh           | C I O X | i e      | route, valid with PKT_ROUTED within one vector       |
 * | next_hop     | I O X  | e, hold   | IPv4 address of the next station                     |
 * | out_if       | E F    | t, hold   | interface it leaves by                               |
 * | icmp, mtu    | I O E  | punt      | the error that the packet wants                      |
 *
 * Data pointer: before classify at the Ethernet header; after classify there still (L2TP data in a usual
 * frame, with a bit of worker.frames, and none of what C sets here), at the L2TP header (other L2TP data),
 * the ESP header or the IPv4 header (transit); after esp_in and up at the L2TP header; after l2tp_in at the
 * PPP header; from ppp_in on at the inner IPv4 header; after l2tp_out and esp_out at the outer one (with
 * PKT_AT_UDP behind it); after ip4_out at the Ethernet header again.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>

struct sa;

#define PKT_ROUTED   0x01 /* nh is valid */
#define PKT_INJECTED 0x02 /* control made it: the TTL is not ours to count down */
#define PKT_NO_DF    0x04 /* encapsulate without DF whatever the session says */
#define PKT_CONTROL  0x08 /* L2TP or PPP of control's own: no latch stops it on its way out */
#define PKT_ENCAP    0x10 /* ESP that came in UDP */
#define PKT_AT_UDP   0x20 /* l2tp_out to esp_out: there is no IPv4 header, which ESP would take off */

struct pkt_meta {
	/* What is read of a packet whose stages have not set it. */
	uint64_t conn;
	uint32_t in_child, out_child;
	uint16_t in_session, out_session;
	uint32_t in_gen;
	uint8_t flags, l2_len, icmp, pad;
	uint16_t in_if, out_if;
	/* What its first reader's stage has set. */
	uint32_t src, dst; /* host order, in the order of sess_rx */
	uint16_t sport, dport;
	uint32_t nh;
	uint32_t next_hop; /* host order */
	uint16_t mtu;
	uint8_t pad2[2];
	struct sa *sa;
};
static_assert(sizeof(struct pkt_meta) == 64, "one line in the mbuf's private area");

static inline struct pkt_meta *pkt_meta(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

/* The first metadata of a packet that has come in. */
static inline void pkt_meta_init(struct pkt_meta *meta)
{
	static_assert(offsetof(struct pkt_meta, src) == 32, "half of the line");
	memset(meta, 0, offsetof(struct pkt_meta, src));
}

/* Moves the data pointer by off (either way) to len bytes, which the caller knows to be in the buffer. */
static inline void pkt_cut(struct rte_mbuf *m, int off, uint32_t len)
{
	m->data_off = (uint16_t)(m->data_off + off);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
}

static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
