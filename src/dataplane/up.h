/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The usual packet of a subscriber, from its session to a port: what up does with messages, and the way through an SA
 * with what it has decrypted.
 *
 * Packets of a session keep their order: behind one that is not usual, none of its session is.
 */
#pragma once

#include "dataplane/l2tp.h"
#include "dataplane/link.h"

/* PPP headers of IPv4 (RFC 1661 2, 6.6; RFC 1332 2), as words in network order. */
#define PPP_FF03 RTE_BE16(0xff03)
#define PPP_IP4  RTE_BE16(0x0021)

static inline uint16_t up_word(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#define IP4_LEAST ((uint32_t)sizeof(struct rte_ipv4_hdr))
#define UP_LEAST  (L2TP_DATA_LEAST + 2 + IP4_LEAST) /* of a message that is looked into */

#define UP_OPEN (SESS_VALID | SESS_OPEN | SESS_ADDRESSES)

/*
 * The IPv4 packet behind a PPP header at p, of len bytes together, 22 or more, as ppp_in would let it pass;
 * NULL: not usual.
 */
static inline struct rte_ipv4_hdr *up_ppp(uint8_t *p, uint32_t len, const struct sess_rx *s)
{
	struct rte_ipv4_hdr *ip;

	if (up_word(p) == PPP_FF03) {
		if (unlikely(len < 4 + IP4_LEAST))
			return NULL;
		p += 2;
		len -= 2;
	}
	ip = (struct rte_ipv4_hdr *)(p + 2);
	if (unlikely(up_word(p) != PPP_IP4 || !ip4_usual(ip, len - 2, false) ||
	             rte_be_to_cpu_32(ip->src_addr) != s->sub_ip ||
	             (s->mss != 0 && ip4_is_syn(ip, rte_be_to_cpu_16(ip->total_length)))))
		return NULL;
	return ip;
}

/* What goes along with a vector. */
struct up_run {
	struct way way;
	uint64_t behind; /* bits of sessions that have to wait behind a packet that was not usual */
	uint16_t verify; /* the bits of UDP checksums that are looked at: all or none */
};

/*
 * The rest of the work on a message at msg, of len bytes with its header of hdr_len, 28 or more, for
 * session s, to which it is bound. False, and nothing has happened, when it is not usual.
 */
static __rte_always_inline bool up_forward(struct worker *w, struct up_run *r, struct rte_mbuf *m,
                                           uint8_t *msg, uint32_t hdr_len, uint32_t len,
                                           struct sess_rx *s)
{
	const struct dp *dp = w->dp;
	struct rte_ipv4_hdr *ip = up_ppp(msg + hdr_len, len - hdr_len, s);
	uint32_t dst, total;

	if (unlikely(ip == NULL))
		return false;
	dst = rte_be_to_cpu_32(ip->dst_addr);
	total = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(ip4_martian_dst(dst) || ip->time_to_live <= 1 ||
	             !way_route(dp, &r->way, dst) || dp_subs_lookup(dp, dst) != 0 ||
	             total > r->way.mtu))
		return false;
	s->packets++;
	ip4_ttl_down(ip);
	/* In front of it were at least the headers that the message came in. */
	way_send(w, &r->way, m, ip, total);
	s->bytes += total; /* apart from packets, or the compiler adds both as a vector, slowly */
	return true;
}

/* What packets that leave one after the other are done with. */
struct up_train {
	const struct rte_lpm *lpm;
	struct sess_rx *rx;
	struct outbox out; /* of the run's way */
};

static inline struct up_train up_train(struct worker *w, const struct up_run *up)
{
	return (struct up_train){w->dp->lpm, w->dp->rx, outbox_open(w, &up->way)};
}

/* The same as way_route, and the buffer with it. */
static inline bool up_route(struct worker *w, struct up_run *up, struct up_train *r, uint32_t dst)
{
	struct way *way = &up->way;
	bool found;

	if (likely(way_entry_at(r->lpm, dst) == way->entry))
		return true;
	outbox_close(w, way, &r->out);
	found = dp_way_route(w->dp, way, dst);
	r->out = outbox_open(w, way);
	return found;
}

/*
 * What up_forward does with the IPv4 packet at ip, of which len bytes are there; quick: when nothing is carried as
 * the TTL goes down. False, and nothing has happened: not usual.
 */
static __rte_always_inline bool up_packet(struct worker *w, struct up_run *up, struct up_train *r,
                                          struct rte_mbuf *m, uint8_t *ip, int32_t len,
                                          struct sess_rx *s, bool quick)
{
	const struct way *way = &up->way;
	int32_t total;
	uint32_t hop, dst;

	if (unlikely(len < (int32_t)IP4_LEAST))
		return false;
	memcpy(&hop, ip + offsetof(struct rte_ipv4_hdr, time_to_live), sizeof(hop));
	total = get_be32(ip) & 0xffff;
	dst = get_be32(ip + AT_DST - AT_IP);
	if (unlikely(ip[0] != RTE_IPV4_VHL_DEF || total > len || total < (int32_t)IP4_LEAST ||
	             !ip4_sum20_right((const void *)ip) ||
	             get_be32(ip + AT_SRC - AT_IP) != s->sub_ip || (uint8_t)hop <= 1 ||
	             (quick && hop >= 0xfffe0000) || ip4_martian_dst(dst) ||
	             (s->mss != 0 && ip4_is_syn((void *)ip, (uint32_t)total)) ||
	             !up_route(w, up, r, dst) || dp_subs_lookup(w->dp, dst) != 0 ||
	             total > way->mtu))
		return false;
	s->packets++;
	if (quick) {
		/* ip4_ttl_down, of a word that is read once more: registers are few here. */
		memcpy(&hop, ip + offsetof(struct rte_ipv4_hdr, time_to_live), sizeof(hop));
		hop += 0x10000 - 1;
		memcpy(ip + offsetof(struct rte_ipv4_hdr, time_to_live), &hop, sizeof(hop));
	} else {
		ip4_ttl_down((struct rte_ipv4_hdr *)ip);
	}
	/* In front of it were at least the headers that the message came in. */
	way_frame(way, m, ip, (uint32_t)total);
	outbox_put(w, way, &r->out, m);
	s->bytes += (uint32_t)total; /* apart from packets, as above */
	return true;
}

/* The bit of the session of the message at p; classify has seen that its id is there. */
static inline uint64_t up_session(const uint8_t *p)
{
	return 1ull << (get_be16(p + 4 + (get_be16(p) & L2TP_L ? 2 : 0)) & 63);
}

static inline bool up_waits(const struct up_run *r, const struct rte_mbuf *m, uint16_t at)
{
	return unlikely(r->behind != 0) &&
	       (r->behind & up_session(rte_pktmbuf_mtod_offset(m, const uint8_t *, at))) != 0;
}
