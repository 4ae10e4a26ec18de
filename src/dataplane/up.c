/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: the usual packet of a subscriber, all the way from its session to a port.
 *
 * In: as l2tp_in takes it. Out: what is not usual, as it came, for l2tp_in and the stages behind it, which
 * know all cases and count what they drop. What is usual is done in one pass, with nothing of it written to
 * the metadata in between: a data message with at most a length, of a session that is open, and in it an
 * IPv4 packet without options that is right in everything and leaves by a link whose next hop is known.
 *
 * Packets of a session keep their order: behind one that is not usual, none of its session is.
 */
#include "dataplane/l2tp.h"
#include "dataplane/link.h"

/* PPP headers of IPv4 (RFC 1661 2, 6.6; RFC 1332 2), as words in network order. */
#define PPP_FF03 RTE_BE16(0xff03)
#define PPP_IP4  RTE_BE16(0x0021)

static inline uint16_t word(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#define IP4_LEAST ((uint32_t)sizeof(struct rte_ipv4_hdr))
#define LEAST     (L2TP_DATA_LEAST + 2 + IP4_LEAST) /* of a message that is looked into */

#define OPEN (SESS_VALID | SESS_OPEN | SESS_ADDRESSES)

/*
 * The IPv4 packet behind a PPP header at p, of len bytes together, 22 or more, as ppp_in would let it pass;
 * NULL: not usual.
 */
static inline struct rte_ipv4_hdr *ppp_usual(uint8_t *p, uint32_t len, const struct sess_rx *s)
{
	struct rte_ipv4_hdr *ip;

	if (word(p) == PPP_FF03) {
		if (unlikely(len < 4 + IP4_LEAST))
			return NULL;
		p += 2;
		len -= 2;
	}
	ip = (struct rte_ipv4_hdr *)(p + 2);
	if (unlikely(word(p) != PPP_IP4 || !ip4_usual(ip, len - 2, false) ||
	             rte_be_to_cpu_32(ip->src_addr) != s->sub_ip ||
	             (s->mss != 0 && ip4_is_syn(ip, rte_be_to_cpu_16(ip->total_length)))))
		return NULL;
	return ip;
}

/* What goes along with a vector. */
struct run {
	struct way way;
	uint64_t behind; /* bits of sessions that have to wait behind a packet that was not usual */
	uint16_t verify; /* the bits of UDP checksums that are looked at: all or none */
};

/*
 * The rest of the work on a message at msg, of len bytes with its header of hdr_len, 28 or more, for
 * session s, to which it is bound. False, and nothing has happened, when it is not usual.
 */
static __rte_always_inline bool forward(struct worker *w, struct run *r, struct rte_mbuf *m,
                                        uint8_t *msg, uint32_t hdr_len, uint32_t len,
                                        struct sess_rx *s)
{
	const struct dp *dp = w->dp;
	struct rte_ipv4_hdr *ip = ppp_usual(msg + hdr_len, len - hdr_len, s);
	uint32_t dst, total;

	if (unlikely(ip == NULL))
		return false;
	dst = rte_be_to_cpu_32(ip->dst_addr);
	total = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(ip4_martian_dst(dst) || ip->time_to_live <= 1 ||
	             !way_to(dp, &r->way, dp_nh_lookup(dp, dst), dst) ||
	             dp_subs_lookup(dp, dst) != 0 || total > r->way.mtu))
		return false;
	s->packets++;
	ip4_ttl_down(ip);
	/* In front of it were at least the headers that the message came in. */
	way_send(w, &r->way, m, ip, total);
	s->bytes += total; /* apart from packets, or the compiler adds both as a vector, slowly */
	return true;
}

/* As udp4_verify of the usual frame at p, in which a message of len bytes is. */
static inline bool frame_sum_right(const struct rte_mbuf *m, const uint8_t *p, uint32_t len)
{
	const uint32_t udp_len = len + (uint32_t)sizeof(struct rte_udp_hdr);

	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	/* The addresses of the pseudo header stand right before. */
	return sum_fold(sum_bytes(p + AT_SRC, udp_len + 8,
	                          (uint64_t)rte_cpu_to_be_16(IPPROTO_UDP) +
	                                  rte_cpu_to_be_16((uint16_t)udp_len))) == 0xffff;
}

/* A usual frame, whose session is this worker's. */
static __rte_always_inline bool up_frame(struct worker *w, struct run *r, struct rte_mbuf *m)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	const uint32_t len = get_be16(p + AT_LENGTH) - (uint32_t)(AT_L2TP - AT_IP);
	struct sess_rx *s = &w->dp->rx[get_be16(p + AT_SID)];

	if (unlikely(len < LEAST ||
	             !l2tp_matches(s, l2tp_ends(p), get_be16(p + AT_TID), OPEN, OPEN | SESS_BOUND)))
		return false;
	if ((word(p + AT_SUM) & r->verify) != 0 && unlikely(!frame_sum_right(m, p, len)))
		return false;
	return forward(w, r, m, p + AT_L2TP, L2TP_DATA_LEAST, len, s);
}

/* A message at its L2TP header. */
static __rte_always_inline bool up_message(struct worker *w, struct run *r, struct rte_mbuf *m)
{
	const struct pkt_meta *meta = pkt_meta(m);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	const struct rte_udp_hdr *udp = (const void *)(p - sizeof(*udp));
	uint32_t len = m->data_len, ids = 2;
	uint16_t sid;

	if (unlikely((word(p) & RTE_BE16(L2TP_L | L2TP_S | L2TP_O)) != 0)) {
		if ((word(p) & RTE_BE16(L2TP_S | L2TP_O)) != 0 || get_be16(p + 2) != len)
			return false;
		ids = 4; /* behind the length */
	}
	sid = get_be16(p + ids + 2);
	if (unlikely(len < ids - 2 + LEAST || !l2tp_bound(w, sid, get_be16(p + ids), meta, OPEN)))
		return false;
	if ((udp->dgram_cksum & r->verify) != 0 &&
	    unlikely(!udp4_verify(m, udp, (uint16_t)(len + sizeof(*udp)), meta->src, meta->dst)))
		return false;
	return forward(w, r, m, p, ids + 4, len, &w->dp->rx[sid]);
}

bool dp_frame_message(struct worker *w, struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct pkt_meta *meta = pkt_meta(m);

	/* classify leaves this to up, which finds it out by the session. */
	if (ip4_martian_src(get_be32(p + AT_SRC)) || ip4_martian_dst(get_be32(p + AT_DST))) {
		dp_drop(w, m, DP_DROP_IP4_MARTIAN);
		return false;
	}
	meta->in_if = w->dp->ports[m->port].vlan_if[0];
	meta->l2_len = AT_IP;
	_mm_storeu_si128((xmm_t *)(void *)&meta->src, l2tp_ends(p));
	pkt_cut(m, AT_L2TP, get_be16(p + AT_LENGTH) - (uint32_t)(AT_L2TP - AT_IP));
	return true;
}

/* The bit of the session of the message at p; classify has seen that its id is there. */
static inline uint64_t session_bit(const uint8_t *p)
{
	return 1ull << (get_be16(p + 4 + (get_be16(p) & L2TP_L ? 2 : 0)) & 63);
}

static inline bool waits(const struct run *r, const struct rte_mbuf *m, uint16_t at)
{
	return unlikely(r->behind != 0) &&
	       (r->behind & session_bit(rte_pktmbuf_mtod_offset(m, const uint8_t *, at))) != 0;
}

/* Usual frames. */
static __rte_noinline uint16_t up_frames(struct worker *w, struct run *r, struct rte_mbuf **v,
                                         uint16_t n)
{
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];

		assert(m->nb_segs == 1);
		if (likely(!waits(r, m, AT_L2TP) && up_frame(w, r, m)))
			continue;
		if (!dp_frame_message(w, m))
			continue;
		r->behind |= session_bit(rte_pktmbuf_mtod(m, const uint8_t *));
		v[k++] = m;
	}
	return k;
}

/* Messages at their L2TP header, and usual frames among them. */
static __rte_noinline uint16_t up_messages(struct worker *w, struct run *r, struct rte_mbuf **v,
                                           uint16_t n, uint64_t frames)
{
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];

		assert(m->nb_segs == 1);
		if ((frames >> i & 1) != 0 && !dp_frame_message(w, m))
			continue;
		if (likely(!waits(r, m, 0) && up_message(w, r, m)))
			continue;
		r->behind |= session_bit(rte_pktmbuf_mtod(m, const uint8_t *));
		v[k++] = m;
	}
	return k;
}

uint16_t dp_up(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct run r = {.verify = w->dp->conf.verify_l2tp_checksum ? UINT16_MAX : 0};
	const uint64_t frames = w->frames;
	uint16_t first = ~frames == 0 ? VEC_MAX : (uint16_t)__builtin_ctzll(~frames), k = 0, rest;

	w->frames = 0;
	if (first > 0)
		k = up_frames(w, &r, v, first);
	if (first == n)
		return k;
	rest = up_messages(w, &r, v + first, n - first, frames >> first);
	memmove(v + k, v + first, rest * sizeof(*v));
	return k + rest;
}
