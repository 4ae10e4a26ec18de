/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: what is this frame?
 *
 * In: frames at their Ethernet header, in one buffer each. Out: L2TP data messages that this worker owns,
 * at the L2TP header, or still at the Ethernet header when the frame is usual: then a bit of w->frames says
 * so, and only what is compared has been looked at. Elsewhere: transit packets to w->transit, at their IPv4
 * header; ESP packets of this worker's SPIs to w->esp, at the ESP header; other workers' sessions and SAs to
 * their owner; ours and the unknown to control.
 */
#include "dataplane/classify_esp.h"

#include <rte_prefetch.h>

#define ETH_LEN  RTE_ETHER_HDR_LEN
#define VLAN_LEN 4

/* RFC 7296 2.23, RFC 3948 2: what has a non-ESP marker of zeros is IKE. */
#define IKE_PORT    500
#define NAT_PORT    4500
#define NON_ESP_LEN 4
#define KEEPALIVE   0xff

/* The kernel twin knows its interface, not the tag. */
static void untag(struct rte_mbuf *m)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	if (pkt_meta(m)->l2_len == ETH_LEN + VLAN_LEN) {
		memmove(p + VLAN_LEN, p, 2 * RTE_ETHER_ADDR_LEN);
		rte_pktmbuf_adj(m, VLAN_LEN);
	}
}

static struct rte_mbuf *to_twin(struct worker *w, struct rte_mbuf *m)
{
	untag(m);
	dp_punt(w, m, DP_PUNT_TWIN, DP_DROP_NONE);
	return NULL;
}

static __rte_cold struct rte_mbuf *drop(struct worker *w, struct rte_mbuf *m, enum dp_drop reason)
{
	dp_drop(w, m, reason);
	return NULL;
}

/* Packets to our addresses that are not L2TP: a flood of them must not cost us our neighbours. */
static struct rte_mbuf *ip_to_twin(struct worker *w, struct rte_mbuf *m)
{
	return gcra_take(&w->twin_ip_limit, w->now) ? to_twin(w, m)
	                                            : drop(w, m, DP_DROP_PUNT_LIMIT);
}

/* IKE, which is all our peers' way in: a flood of anything else must not shut it out. */
static struct rte_mbuf *ike_to_twin(struct worker *w, struct rte_mbuf *m)
{
	if (!gcra_take(&w->ike_limit, w->now))
		return drop(w, m, DP_DROP_PUNT_LIMIT);
	untag(m);
	dp_punt_granted(w, m, DP_PUNT_TWIN);
	return NULL;
}

/* A data message for a session that this worker does not own. */
static __rte_noinline struct rte_mbuf *data_elsewhere(struct worker *w, struct rte_mbuf *m,
                                                      uint8_t owner)
{
	/* Out of an SA: a session in it would be this worker's, like the SA. */
	if (pkt_meta(m)->in_child != 0)
		return drop(w, m, DP_DROP_L2TP_CONN_MISMATCH);
	dp_handoff(w, m, owner, RESUME_CLASSIFY, 0);
	return NULL;
}

/* Data messages belong to the worker that owns their session. */
static inline struct rte_mbuf *data(struct worker *w, struct rte_mbuf *m, uint16_t off,
                                    uint16_t len)
{
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, off);
	uint16_t ids = get_be16(p) & L2TP_L ? 4 : 2, sid;
	uint8_t owner;

	if (unlikely(len < ids + 4))
		return drop(w, m, DP_DROP_L2TP_SHORT);
	sid = get_be16(p + ids + 2);
	owner = dp_owner(w->dp, sid);
	if (unlikely(owner != w->id && owner != SESS_NO_OWNER))
		return data_elsewhere(w, m, owner);
	rte_prefetch0(&w->dp->rx[sid]); /* another worker's would be taken from it as it counts */
	pkt_cut(m, off, len);
	return m;
}

static inline struct rte_mbuf *message(struct worker *w, struct rte_mbuf *m, uint16_t off,
                                       uint16_t len)
{
	uint16_t flags;

	if (unlikely(len < 2))
		return drop(w, m, DP_DROP_L2TP_SHORT);
	flags = get_be16(rte_pktmbuf_mtod_offset(m, const uint8_t *, off));
	if (likely((flags & (L2TP_T | L2TP_VER)) == 2))
		return data(w, m, off, len);
	if ((flags & L2TP_VER) != 2)
		return drop(w, m, DP_DROP_L2TP_VERSION);
	dp_l2tp_control(w, m, off, len);
	return NULL;
}

struct rte_mbuf *dp_l2tp_message(struct worker *w, struct rte_mbuf *m, uint16_t off, uint16_t len)
{
	return message(w, m, off, len);
}

/* An ESP packet of len bytes: to the worker that its SPI names, which looks it up. */
static __rte_noinline struct rte_mbuf *esp(struct worker *w, struct rte_mbuf *m, uint16_t off,
                                           uint16_t len)
{
	const struct spi_slot *slot;
	uint32_t spi;

	if (unlikely(len < ESP_HDR_LEN))
		return drop(w, m, DP_DROP_ESP_SHORT);
	spi = get_be32(rte_pktmbuf_mtod_offset(m, const uint8_t *, off));
	slot = &w->dp->spi[spi_slot(spi)];
	if (unlikely(spi_worker(spi) != w->id)) {
		if (spi < SPI_MIN || __atomic_load_n(&slot->spi, __ATOMIC_ACQUIRE) != spi)
			return drop(w, m, DP_DROP_ESP_UNKNOWN_SPI);
		dp_handoff(w, m, spi_worker(spi), RESUME_CLASSIFY, 0);
		return NULL;
	}
	rte_prefetch0(slot);
	pkt_cut(m, off, len);
	pkt_meta(m)->sa = NULL;
	vec_push(&w->esp, m);
	return NULL;
}

/* UDP port 4500 (RFC 3948 2): len bytes behind the UDP header. */
static struct rte_mbuf *nat(struct worker *w, struct rte_mbuf *m, uint16_t off, uint16_t len)
{
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, off);

	if (len == 1 && *p == KEEPALIVE)
		return drop(w, m, DP_DROP_NATT_KEEPALIVE);
	if (unlikely(len < NON_ESP_LEN))
		return drop(w, m, DP_DROP_ESP_SHORT);
	if (get_be32(p) == 0)
		return ike_to_twin(w, m);
	pkt_meta(m)->flags |= PKT_ENCAP;
	return esp(w, m, off, len);
}

/* Not L2TP's port. */
static __rte_noinline struct rte_mbuf *udp_other(struct worker *w, struct rte_mbuf *m, uint16_t off,
                                                 uint16_t len)
{
	const struct rte_udp_hdr *u = rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, off);
	uint16_t port = rte_be_to_cpu_16(u->dst_port), ulen = rte_be_to_cpu_16(u->dgram_len);

	if (port == IKE_PORT)
		return ike_to_twin(w, m);
	if (port != NAT_PORT)
		return ip_to_twin(w, m);
	if (unlikely(ulen < sizeof(*u) || ulen > len))
		return drop(w, m, DP_DROP_UDP_LENGTH);
	pkt_meta(m)->sport = rte_be_to_cpu_16(u->src_port);
	return nat(w, m, (uint16_t)(off + sizeof(*u)), (uint16_t)(ulen - sizeof(*u)));
}

/* A whole UDP datagram to one of our addresses; len bytes of it are there. */
static inline struct rte_mbuf *udp(struct worker *w, struct rte_mbuf *m, uint16_t off, uint16_t len)
{
	const struct rte_udp_hdr *u = rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, off);
	struct pkt_meta *meta = pkt_meta(m);
	uint16_t ulen;

	if (unlikely(len < sizeof(*u)))
		return drop(w, m, DP_DROP_UDP_LENGTH);
	if (unlikely(u->dst_port != rte_cpu_to_be_16(L2TP_PORT)))
		return udp_other(w, m, off, len);
	ulen = rte_be_to_cpu_16(u->dgram_len);
	if (unlikely(ulen < sizeof(*u) || ulen > len))
		return drop(w, m, DP_DROP_UDP_LENGTH);
	meta->sport = rte_be_to_cpu_16(u->src_port);
	meta->dport = L2TP_PORT;
	return message(w, m, (uint16_t)(off + sizeof(*u)), (uint16_t)(ulen - sizeof(*u)));
}

/* A whole packet to one of our addresses. */
static inline struct rte_mbuf *local_whole(struct worker *w, struct rte_mbuf *m, uint16_t l2)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, l2);
	uint16_t hl = ip4_hdr_len(ip), off = (uint16_t)(l2 + hl);
	uint16_t len = (uint16_t)(rte_be_to_cpu_16(ip->total_length) - hl);

	return likely(ip->next_proto_id == IPPROTO_UDP) ? udp(w, m, off, len) : esp(w, m, off, len);
}

/* The same, if it is whole. */
static __rte_noinline struct rte_mbuf *local(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip =
	        rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, pkt_meta(m)->l2_len);
	uint16_t at;

	if (unlikely(ip->next_proto_id != IPPROTO_UDP && ip->next_proto_id != IPPROTO_ESP))
		return ip_to_twin(w, m);
	if (likely(!ip4_is_fragment(ip)))
		return local_whole(w, m, pkt_meta(m)->l2_len);
	/* All fragments of one pair of hosts meet on one worker, however the port spreads them. */
	at = (uint16_t)(((ip->src_addr ^ ip->dst_addr) * 0x9e3779b1u >> 16) %
	                w->dp->conf.n_workers);
	if (at != w->id) {
		dp_handoff(w, m, at, RESUME_CLASSIFY, 0);
		return NULL;
	}
	m = dp_reassemble(w, m, ip4_hdr_len(ip));
	return m == NULL ? NULL : local_whole(w, m, pkt_meta(m)->l2_len);
}

void dp_usual_make(struct port *port, const uint8_t *mac)
{
	uint8_t *b = port->usual;

	memcpy(b, mac, RTE_ETHER_ADDR_LEN);
	put_be16(b + 2 * RTE_ETHER_ADDR_LEN, RTE_ETHER_TYPE_IPV4);
	b[AT_IP] = RTE_IPV4_VHL_DEF;
	b[AT_IP + offsetof(struct rte_ipv4_hdr, next_proto_id)] = IPPROTO_UDP;
	put_be16(b + AT_UDP + 2, L2TP_PORT);
	put_be16(b + AT_L2TP, 2);
}

/*
 * One more transit packet, with its session; 0: none of this worker's. Its line is fetched for down: but for
 * another worker's, which would be taken from it as it counts.
 */
static inline void to_transit(struct worker *w, struct rte_mbuf *m, uint16_t sid)
{
	rte_prefetch0(&w->dp->tx[sid]);
	w->down_to[w->transit.n] = sid;
	vec_push(&w->transit, m);
}

/* An IPv4 packet in a frame to our MAC address, behind l2 bytes. */
static inline struct rte_mbuf *ip4(struct worker *w, struct rte_mbuf *m, uint16_t l2,
                                   struct usual *u)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, l2);
	bool sum_ok = (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	enum dp_drop bad = ip4_check(ip, (uint32_t)(m->data_len - l2), sum_ok);
	uint32_t nh, total, src, dst;
	uint16_t sid;

	if (unlikely(bad != DP_DROP_NONE))
		return drop(w, m, bad);
	total = rte_be_to_cpu_16(ip->total_length);
	src = rte_be_to_cpu_32(ip->src_addr);
	dst = rte_be_to_cpu_32(ip->dst_addr);
	if (unlikely(ip4_martian_src(src) || ip4_martian_dst(dst)))
		return drop(w, m, DP_DROP_IP4_MARTIAN);
	nh = dp_nh_lookup(w->dp, dst);
	if (likely(w->dp->nh[nh].kind != DP_RT_LOCAL)) {
		meta->nh = nh;
		meta->flags |= PKT_ROUTED;
		pkt_cut(m, l2, total);
		sid = dp_subs_lookup(w->dp, dst);
		if (unlikely(!dp_mine(w, sid))) {
			u->behind |= 1ull << (sid & 63);
			sid = 0;
		}
		to_transit(w, m, sid);
		return NULL;
	}
	if (unlikely(m->data_len > l2 + total))
		pkt_cut(m, 0, l2 + total);
	meta->src = src;
	meta->dst = dst;
	if (dst != u->local) {
		usual_ours(u, dst);
		w->local = dst;
	}
	if (likely(ip->next_proto_id == IPPROTO_UDP && ip->version_ihl == RTE_IPV4_VHL_DEF &&
	           !ip4_is_fragment(ip)))
		return udp(w, m, (uint16_t)(l2 + sizeof(*ip)), (uint16_t)(total - sizeof(*ip)));
	return local(w, m);
}

/*
 * A usual transit frame for session sid, which is not this worker's. It goes to its owner as it is: but behind
 * a packet that goes through the stages first, it does the same.
 */
static __rte_noinline void transit_elsewhere(struct worker *w, struct rte_mbuf *m, uint16_t sid,
                                             const struct usual *u)
{
	const uint8_t owner = dp_owner(w->dp, sid);

	if (owner != SESS_NO_OWNER && owner != w->id && (u->behind >> (sid & 63) & 1) == 0) {
		dp_handoff(w, m, owner, RESUME_DOWN, sid);
		return;
	}
	w->frames_down |= 1ull << w->transit.n;
	to_transit(w, m, 0);
}

/*
 * A frame of len bytes, 48 or more, at p, as usual up to the IPv4 header's length, when it is a transit packet
 * with nothing wrong: it is among w->transit then, as it is.
 */
static inline bool usual_transit(struct worker *w, struct rte_mbuf *m, const uint8_t *p,
                                 uint32_t len, const struct usual *u)
{
	const uint32_t dst = get_be32(p + AT_DST);
	uint16_t sid;

	if (unlikely(!transit_right(p, len) || ip4_martian_dst(dst)) ||
	    w->dp->nh[dp_nh_lookup(w->dp, dst)].kind == DP_RT_LOCAL)
		return false;
	sid = dp_subs_lookup(w->dp, dst);
	if (unlikely(!dp_mine(w, sid))) {
		transit_elsewhere(w, m, sid, u);
		return true;
	}
	/* Where the headers of a session go, no one has been lately. */
	rte_prefetch0(p - RTE_CACHE_LINE_SIZE);
	w->frames_down |= 1ull << w->transit.n;
	to_transit(w, m, sid);
	return true;
}

/* Any frame. */
static __rte_noinline struct rte_mbuf *frame(struct worker *w, struct rte_mbuf *m, struct usual *u)
{
	const struct port *port = &w->dp->ports[m->port];
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct pkt_meta *meta = pkt_meta(m);
	uint16_t vlan = 0, type;

	if (unlikely(m->data_len < ETH_LEN))
		return drop(w, m, DP_DROP_ETH_SHORT);
	type = get_be16(p + 2 * RTE_ETHER_ADDR_LEN);
	pkt_meta_init(meta);
	meta->l2_len = ETH_LEN;
	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		vlan = m->vlan_tci & 0xfff;
	} else if (type == RTE_ETHER_TYPE_VLAN) {
		if (unlikely(m->data_len < ETH_LEN + VLAN_LEN))
			return drop(w, m, DP_DROP_ETH_SHORT);
		vlan = get_be16(p + ETH_LEN) & 0xfff;
		type = get_be16(p + ETH_LEN + 2);
		meta->l2_len = ETH_LEN + VLAN_LEN;
	}
	meta->in_if = port->vlan_if[vlan];
	if (unlikely(meta->in_if == DP_IF_NONE))
		return drop(w, m, DP_DROP_ETH_VLAN_UNKNOWN);
	if (unlikely(p[0] & 1)) /* multicast and broadcast: ARP, routing protocols, neighbours */
		return to_twin(w, m);
	if (unlikely(memcmp(p, w->dp->ifs[meta->in_if].conf.mac, RTE_ETHER_ADDR_LEN) != 0))
		return drop(w, m, DP_DROP_ETH_NOT_OURS);
	if (unlikely(type != RTE_ETHER_TYPE_IPV4))
		return to_twin(w, m);
	return ip4(w, m, meta->l2_len, u);
}

enum usual_verdict { USUAL_NOT, USUAL_DONE, USUAL_ELSEWHERE };

/*
 * A frame that is as usual in all that struct usual compares. Done when nothing else is wrong with its
 * headers either and its session is this worker's: it stays as it is, for up, which compares its addresses
 * with the session's. When another's, it has gone there. If not, ip4 finds out what there is.
 */
static inline enum usual_verdict usual_data(struct worker *w, struct rte_mbuf *m, const uint8_t *p)
{
	const uint32_t total = get_be16(p + AT_LENGTH), ulen = get_be16(p + AT_ULEN);
	const uint16_t sid = get_be16(p + AT_SID);
	uint8_t owner;

	/* Up to the session id, and no more than is there. */
	if (unlikely(total != ulen + (AT_UDP - AT_IP) ||
	             total - (USUAL_LEN - AT_IP) > (uint32_t)m->data_len - USUAL_LEN ||
	             !ip4_sum20_right((const void *)(p + AT_IP))))
		return USUAL_NOT;
	if (likely(dp_mine(w, sid))) {
		rte_prefetch0(&w->dp->rx[sid]);
		rte_prefetch0(p + RTE_CACHE_LINE_SIZE);
		return USUAL_DONE;
	}
	owner = dp_owner(w->dp, sid);
	if (owner == SESS_NO_OWNER || owner == w->id)
		return USUAL_NOT;
	dp_handoff(w, m, owner, RESUME_UP, sid);
	return USUAL_ELSEWHERE;
}

/* A frame to an address of ours, as usual up to the end of its IPv4 header but for the protocol. */
static inline bool usual_local(struct worker *w, struct rte_mbuf *m, uint8_t *p)
{
	const uint32_t total = get_be16(p + AT_LENGTH), ulen = get_be16(p + AT_ULEN);

	if (likely(p[AT_PROTO] == IPPROTO_ESP))
		return usual_esp(w, m, p, AT_UDP, total - (AT_UDP - AT_IP));
	return p[AT_PROTO] == IPPROTO_UDP && get_be16(p + AT_UDP + 2) == NAT_PORT &&
	       total == ulen + (AT_UDP - AT_IP) &&
	       usual_esp(w, m, p, AT_L2TP, ulen - (AT_L2TP - AT_UDP));
}

enum verdict { GONE, MESSAGE, FRAME };

/* MESSAGE: *m goes on, at its L2TP header. FRAME: it goes on as it is. */
static inline enum verdict classify_one(struct worker *w, struct rte_mbuf **pm, struct usual *u)
{
	const xmm_t proto = _mm_set_epi64x(0, (int64_t)(0xffull << 56));
	struct rte_mbuf *m = *pm;
	const xmm_t *p = (const void *)usual_place(m);
	xmm_t link, ip, udp, rest;

	if (unlikely(!at_usual_place(m, u))) {
		*pm = frame(w, m, u);
		return *pm == NULL ? GONE : MESSAGE;
	}
	link = _mm_and_si128(_mm_xor_si128(_mm_loadu_si128(p), u->want[0]), usual_mask.x[0]);
	ip = _mm_and_si128(_mm_xor_si128(_mm_loadu_si128(p + 1), u->want[1]), usual_mask.x[1]);
	udp = _mm_and_si128(_mm_xor_si128(_mm_loadu_si128(p + 2), u->want[2]), usual_mask.x[2]);
	rest = _mm_or_si128(_mm_or_si128(ip, udp), link);
	if (_mm_testz_si128(rest, rest)) {
		enum usual_verdict verdict = usual_data(w, m, (const void *)p);

		if (likely(verdict == USUAL_DONE))
			return FRAME;
		if (verdict == USUAL_ELSEWHERE)
			return GONE;
	}
	if (unlikely(!_mm_testz_si128(link, link))) {
		*pm = frame(w, m, u);
		return *pm == NULL ? GONE : MESSAGE;
	}
	/* Whatever the protocol, and of the third word the end of our address. */
	rest = _mm_or_si128(_mm_andnot_si128(proto, ip), _mm_slli_si128(udp, 14));
	if (_mm_testz_si128(rest, rest) && u->local != 0
	            ? usual_local(w, m, (void *)(uintptr_t)p)
	            : usual_transit(w, m, (const void *)p, m->data_len, u))
		return GONE;
	pkt_meta_init(pkt_meta(m));
	pkt_meta(m)->in_if = u->in_if;
	pkt_meta(m)->l2_len = ETH_LEN;
	*pm = ip4(w, m, ETH_LEN, u);
	return *pm == NULL ? GONE : MESSAGE;
}

/*
 * The first frames of v that are usual ones to subscribers are among w->transit then: how many. Who has an address
 * is asked before whose it is, which none of ours is asked for when no subscriber has one of them.
 */
static inline uint16_t to_subscribers(struct worker *w, struct rte_mbuf **v, uint16_t n,
                                      const struct usual *u)
{
	const struct dp *dp = w->dp;
	struct rte_mbuf **to = w->transit.v + w->transit.n;
	uint16_t *sids = w->down_to + w->transit.n;
	uint16_t i;

	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];
		const uint8_t *p = usual_place(m);
		uint32_t sid;

		if (unlikely(!at_usual_place(m, u) || not_our_ip4(p, u) ||
		             !transit_right(p, m->data_len)))
			break;
		sid = dp_subs_lookup(dp, get_be32(p + AT_DST));
		if (unlikely(!dp_mine(w, sid)))
			break;
		rte_prefetch0(&dp->tx[sid]);
		/* Where the headers of a session go, no one has been lately. */
		rte_prefetch0(p - RTE_CACHE_LINE_SIZE);
		sids[i] = (uint16_t)sid;
		to[i] = m;
	}
	w->frames_down |= (i == 64 ? UINT64_MAX : (1ull << i) - 1) << w->transit.n;
	w->transit.n += i;
	return i;
}

/*
 * The first frames of v that are usual messages to sessions of this worker stay there, as they are: how many. As
 * usual_data has it.
 */
static inline uint16_t of_sessions(const struct worker *w, struct rte_mbuf **v, uint16_t n,
                                   const struct usual *u)
{
	const struct sess_rx *rx = w->dp->rx;
	uint16_t i;

	for (i = 0; i < n; i++) {
		const struct rte_mbuf *m = v[i];
		const uint8_t *p = usual_place(m);
		const xmm_t *x = (const void *)p;
		uint32_t total, sid;

		if (unlikely(!at_usual_place(m, u)))
			break;
		total = get_be16(p + AT_LENGTH);
		sid = get_be16(p + AT_SID);
		if (unlikely(not_our_ip4(p, u) ||
		             !_mm_testz_si128(_mm_xor_si128(_mm_loadu_si128(x + 1), u->want[1]),
		                              usual_mask.x[1]) ||
		             !_mm_testz_si128(_mm_xor_si128(_mm_loadu_si128(x + 2), u->want[2]),
		                              usual_mask.x[2]) ||
		             total != get_be16(p + AT_ULEN) + (uint32_t)(AT_UDP - AT_IP) ||
		             total - (USUAL_LEN - AT_IP) > (uint32_t)m->data_len - USUAL_LEN ||
		             !ip4_sum20_right((const void *)(p + AT_IP)) || !dp_mine(w, sid)))
			break;
		rte_prefetch0(&rx[sid]);
		rte_prefetch0(p + RTE_CACHE_LINE_SIZE);
	}
	return i;
}

uint16_t dp_classify(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	uint64_t frames = 0;
	struct usual u;
	uint16_t k = 0, i = 0;

	w->frames = 0;
	w->esp_frames = 0;
	if (n == 0)
		return 0;
	usual_init(&u, w, v[0]->port);
	if (!u.hidden)
		i = to_subscribers(w, v, n, &u);
	if (i == 0) {
		i = k = of_sessions(w, v, n, &u);
		frames = i == 64 ? UINT64_MAX : (1ull << i) - 1;
	}
	if (i == 0 && u.local != 0)
		i = dp_of_sas(w, v, n, &u);
	for (; i < n; i++) {
		struct rte_mbuf *m = v[i];
		enum verdict verdict;

		assert(m->nb_segs == 1);
		verdict = classify_one(w, &m, &u);
		if (verdict == GONE)
			continue;
		frames |= (uint64_t)(verdict == FRAME) << k;
		v[k++] = m;
	}
	w->frames = frames;
	return k;
}
