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

/* What is at least there of a message that is looked into: a compressed header, and an IPv4 header. */
#define PPP_LEAST (2 + (int)sizeof(struct rte_ipv4_hdr))

static inline uint16_t word(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* What is usual of a message. */
struct usual {
	struct sess_rx *s;
	struct rte_ipv4_hdr *ip;
	uint16_t total; /* of the IPv4 packet */
};

/* As l2tp_in would take it, up to the PPP header of len bytes; NULL: not usual. */
static inline uint8_t *l2tp_usual(const struct worker *w, struct rte_mbuf *m, bool verify,
                                  struct usual *u, int *len)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	const struct rte_udp_hdr *udp = (const void *)(p - sizeof(*udp));
	const struct pkt_meta *meta = pkt_meta(m);
	const uint16_t flags = word(p);
	uint16_t sid;

	*len = m->data_len - L2TP_DATA_LEAST;
	if (unlikely((flags & RTE_BE16(L2TP_L | L2TP_S | L2TP_O)) != 0)) {
		if ((flags & RTE_BE16(L2TP_S | L2TP_O)) != 0 || get_be16(p + 2) != m->data_len)
			return NULL;
		p += 2;
		*len -= 2;
	}
	sid = get_be16(p + 4);
	u->s = &w->dp->rx[sid];
	if (unlikely(*len < PPP_LEAST ||
	             !l2tp_bound(w, sid, get_be16(p + 2), meta, SESS_VALID | SESS_OPEN)))
		return NULL;
	if (verify && udp->dgram_cksum != 0 &&
	    unlikely(!udp4_verify(m, udp, (uint16_t)(m->data_len + sizeof(*udp)), meta->src,
	                          meta->dst)))
		return NULL;
	return p + L2TP_DATA_LEAST;
}

/* As ppp_in would let it pass. p is at the PPP header. */
static inline bool ppp_usual(uint8_t *p, int len, struct usual *u)
{
	const struct sess_rx *s = u->s;
	struct rte_ipv4_hdr *ip;

	if (word(p) == PPP_FF03) {
		p += 2;
		len -= 2;
	}
	ip = (struct rte_ipv4_hdr *)(p + 2);
	len -= 2;
	if (unlikely(word(p) != PPP_IP4 || len < (int)sizeof(*ip) ||
	             !ip4_usual(ip, (uint32_t)len, false) || s->sub_ip == 0 ||
	             rte_be_to_cpu_32(ip->src_addr) != s->sub_ip ||
	             ip4_martian_dst(rte_be_to_cpu_32(ip->dst_addr))))
		return false;
	u->ip = ip;
	u->total = rte_be_to_cpu_16(ip->total_length);
	return s->mss == 0 || likely(!ip4_is_syn(ip, u->total));
}

/* As ip4_lookup and ip4_out would send it, by way. */
static inline bool way_usual(const struct worker *w, struct way *way, const struct usual *u)
{
	uint32_t dst = rte_be_to_cpu_32(u->ip->dst_addr);

	return likely(way_to(w->dp, way, dp_nh_lookup(w->dp, dst), dst)) &&
	       likely(dp_subs_lookup(w->dp, dst) == 0) && likely(u->total <= way->mtu) &&
	       likely(u->ip->time_to_live > 1);
}

/* False, and nothing has happened, when the packet is not usual. */
static inline bool up_one(struct worker *w, struct rte_mbuf *m, struct way *way, bool verify)
{
	struct usual u;
	uint16_t at;
	uint8_t *p;
	int len;

	p = l2tp_usual(w, m, verify, &u, &len);
	if (unlikely(p == NULL || !ppp_usual(p, len, &u) || !way_usual(w, way, &u)))
		return false;
	at = (uint16_t)((uint8_t *)u.ip - (uint8_t *)m->buf_addr);
	if (unlikely(at < WAY_L2))
		return false;
	u.s->packets++;
	u.s->bytes += u.total;
	ip4_ttl_down(u.ip);
	way_send(w, way, m, at, u.total);
	return true;
}

/* The session's bit among those that have to wait behind a packet that was not usual. */
static inline uint64_t session_bit(const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	/* classify has seen that its id is there. */
	return 1ull << (get_be16(p + 4 + (get_be16(p) & L2TP_L ? 2 : 0)) & 63);
}

uint16_t dp_up(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	const bool verify = w->dp->conf.verify_l2tp_checksum;
	struct way way = {0};
	uint64_t behind = 0;
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];

		assert(m->nb_segs == 1);
		if (likely((behind == 0 || (behind & session_bit(m)) == 0) &&
		           up_one(w, m, &way, verify)))
			continue;
		behind |= session_bit(m);
		v[k++] = m;
	}
	return k;
}
