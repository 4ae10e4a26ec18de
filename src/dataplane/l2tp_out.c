/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: IPv4 packets into sessions.
 *
 * In: at the IPv4 header, session in the metadata (any worker's: it goes to the owner). Out: at the
 * outer IPv4 header, routed, not larger than the way to the peer allows unless the outer packet may be
 * fragmented. Of a session in a child: at the header that esp_out takes, routed to the SA's other end.
 */
#include "dataplane/ip4.h"

#include <rte_prefetch.h>

#define L2TP_IDS 4 /* tunnel and session id */

static inline bool outer_route(struct worker *w, struct rte_mbuf *m, uint32_t dst)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct nh *nh;

	meta->nh = dp_nh_lookup(w->dp, dst);
	nh = &w->dp->nh[meta->nh];
	if (nh->kind != DP_RT_VIA && nh->kind != DP_RT_CONNECTED)
		return false;
	meta->flags |= PKT_ROUTED;
	meta->next_hop = nh->kind == DP_RT_VIA ? nh->gateway : dst;
	return true;
}

bool dp_outer_route(struct worker *w, struct rte_mbuf *m, uint32_t dst)
{
	return outer_route(w, m, dst);
}

/* Of the template's headers what changes, but for the UDP checksum. */
static inline void fill_l2tp(struct worker *w, uint16_t sid, struct rte_udp_hdr *udp, uint16_t len)
{
	struct sess_tx *t = &w->dp->tx[sid];
	uint8_t *p = (uint8_t *)(udp + 1) + 2;

	udp->dgram_len = rte_cpu_to_be_16(len);
	if (t->flags & SESS_LENGTH) {
		put_be16(p, (uint16_t)(len - sizeof(*udp)));
		p += 2;
	}
	if (unlikely(t->flags & SESS_SEQ)) {
		put_be16(p + L2TP_IDS, t->ns++);
		put_be16(p + L2TP_IDS + 2, w->dp->rx[sid].nr);
	}
}

/*
 * The UDP checksum of a message with the whole template in front: from the template, which has zeros for what
 * changes and behind its end, and from the packet. To add up what has just been written in pieces of
 * other sizes would wait for them to reach the cache.
 */
static inline void fill_sum(const struct sess_tx *t, struct rte_udp_hdr *udp, uint16_t len)
{
	const uint16_t hdr = (uint16_t)(t->tmpl_len - sizeof(struct rte_ipv4_hdr));
	const uint8_t *p = (uint8_t *)udp;
	uint64_t sum = 0, word, lens = (uint64_t)rte_cpu_to_be_16(len) * 2;
	uint16_t body;

	static_assert(SESS_TEMPLATE_MAX == 12 + 4 * sizeof(word), "addresses and all behind them");
	for (uint32_t at = 12; at < SESS_TEMPLATE_MAX; at += sizeof(word)) {
		memcpy(&word, t->tmpl + at, sizeof(word));
		sum = sum_add(sum, word);
	}
	if (t->flags & SESS_LENGTH)
		lens += rte_cpu_to_be_16((uint16_t)(len - sizeof(*udp)));
	body = sum_fold(sum_bytes(p + hdr, (size_t)(len - hdr), 0));
	/* At an odd place its bytes count the other way round (RFC 1071 2). */
	if (unlikely(hdr & 1))
		body = rte_bswap16(body);
	sum = sum_add(sum, lens + rte_cpu_to_be_16(IPPROTO_UDP) + body);
	body = (uint16_t)~sum_fold(sum);
	udp->dgram_cksum = body == 0 ? 0xffff : body;
}

/* The same for what is seldom: sequence numbers, and frames of control. Addresses in network order. */
static __rte_noinline void fill_sum_any(struct rte_udp_hdr *udp, uint16_t len,
                                        const struct rte_ipv4_hdr *ip)
{
	udp4_fill(udp, len, ip->src_addr, ip->dst_addr);
}

static inline void fill_udp(struct worker *w, uint16_t sid, struct rte_udp_hdr *udp, uint16_t len,
                            const struct rte_ipv4_hdr *ip, bool whole)
{
	const struct sess_tx *t = &w->dp->tx[sid];

	fill_l2tp(w, sid, udp, len);
	if ((t->flags & SESS_UDP_SUM) == 0)
		return;
	if (likely(whole && (t->flags & SESS_SEQ) == 0))
		fill_sum(t, udp, len);
	else
		fill_sum_any(udp, len, ip);
}

/* For ESP in transport mode: without the IPv4 header, which would be taken off again. */
static bool encapsulate_udp(struct worker *w, struct rte_mbuf *m, uint16_t sid, uint16_t ppp_len)
{
	const struct sess_tx *t = &w->dp->tx[sid];
	const struct rte_ipv4_hdr *ip = (const void *)t->tmpl;
	uint16_t len = (uint16_t)(t->tmpl_len - sizeof(*ip) - t->ppp_len + ppp_len);
	uint8_t *p = (uint8_t *)rte_pktmbuf_prepend(m, len);

	if (unlikely(p == NULL))
		return false;
	memcpy(p, ip + 1, len);
	fill_udp(w, sid, (void *)p, m->data_len, ip, ppp_len == t->ppp_len);
	pkt_meta(m)->flags |= PKT_AT_UDP;
	return true;
}

/* In words of 16 that overlap: the IPv4, UDP and shortest L2TP headers are more than two of them. */
static inline void put_template(uint8_t *p, const struct sess_tx *t, uint16_t len)
{
	static_assert(SESS_TEMPLATE_MAX <= 48, "three words");
	memcpy(p, t->tmpl, 16);
	memcpy(p + 16, t->tmpl + 16, 16);
	memcpy(p + len - 16, t->tmpl + len - 16, 16);
}

static inline bool encapsulate_ip(struct worker *w, struct rte_mbuf *m, uint16_t sid,
                                  uint16_t ppp_len)
{
	const struct sess_tx *t = &w->dp->tx[sid];
	const uint16_t len = (uint16_t)(t->tmpl_len - t->ppp_len + ppp_len);
	const struct rte_ipv4_hdr *tmpl = (const void *)t->tmpl;
	struct rte_ipv4_hdr *ip;
	rte_be16_t total, id;
	uint8_t *p;

	if (unlikely(m->data_off < len))
		return false;
	pkt_cut(m, -len, (uint32_t)(m->data_len + len));
	p = rte_pktmbuf_mtod(m, uint8_t *);
	put_template(p, t, len);
	ip = (void *)p;
	total = rte_cpu_to_be_16(m->data_len);
	id = rte_cpu_to_be_16(dp_next_ip_id(w));
	ip->total_length = total;
	ip->packet_id = id;
	if (unlikely(pkt_meta(m)->flags & PKT_NO_DF)) {
		ip->fragment_offset = 0;
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
	} else {
		ip->hdr_checksum = (uint16_t)~sum_fold((uint64_t)tmpl->hdr_checksum + total + id);
	}
	fill_udp(w, sid, (void *)(ip + 1), (uint16_t)(m->data_len - sizeof(*ip)), tmpl,
	         ppp_len == t->ppp_len);
	return true;
}

/* Headers in front of what follows the PPP header (or of a PPP frame, with ppp_len 0). */
static inline bool encapsulate(struct worker *w, struct rte_mbuf *m, uint16_t sid, uint16_t ppp_len)
{
	const uint32_t child = pkt_meta(m)->out_child;

	return child != 0 && !w->dp->child[child].out_tunnel_mode
	               ? encapsulate_udp(w, m, sid, ppp_len)
	               : encapsulate_ip(w, m, sid, ppp_len);
}

/* To the peer: past the SA's other end, when there is an SA (E7), whatever the inner addresses are. */
static inline enum dp_drop peer_route(struct worker *w, struct rte_mbuf *m, const struct sess_tx *t)
{
	uint32_t dst =
	        rte_be_to_cpu_32(((const struct rte_ipv4_hdr *)(const void *)t->tmpl)->dst_addr);

	if (unlikely((t->flags & SESS_BOUND) != 0)) {
		const struct child *c = &w->dp->child[t->child];

		/* What belongs into an SA never leaves in the clear: child 0 has none. */
		if (c->out == NULL)
			return DP_DROP_L2TP_NO_SA;
		pkt_meta(m)->out_child = t->child;
		w->n_esp_out++;
		dst = c->out_peer_ip;
	}
	return likely(outer_route(w, m, dst)) ? DP_DROP_NONE : DP_DROP_L2TP_NO_ROUTE;
}

/* Why the packet cannot go into its session, or DP_DROP_NONE. */
static inline enum dp_drop session_check(const struct worker *w, const struct sess_tx *t,
                                         const struct rte_ipv4_hdr *ip)
{
	if (unlikely((t->flags & SESS_VALID) == 0 || t->sub_ip != rte_be_to_cpu_32(ip->dst_addr)))
		return DP_DROP_SESS_GONE;
	if (unlikely((t->flags & SESS_OPEN) == 0))
		return DP_DROP_SESS_CLOSED;
	if ((t->flags & SESS_BOUND) != 0 && unlikely(dp_child_fired(w->dp, t->child)))
		return DP_DROP_SS_FIRED;
	return DP_DROP_NONE;
}

/*
 * The largest inner packet: fragments of the outer one are for paths that allow them. In an SA the
 * session's MTU alone counts: control has made it with the SA's headers in mind.
 */
static inline uint16_t inner_mtu(const struct worker *w, const struct pkt_meta *meta,
                                 const struct sess_tx *t)
{
	const struct nh *nh = &w->dp->nh[meta->nh];
	uint16_t link = w->dp->ifs[nh->ifidx].conf.mtu;

	if ((t->flags & (SESS_DF | SESS_BOUND)) != SESS_DF || t->mtu + t->tmpl_len <= link)
		return t->mtu;
	return (uint16_t)(link - t->tmpl_len);
}

/* Cuts the packet as a router does and sends the pieces; what came before it in v has gone out. */
static __rte_noinline void out_fragments(struct worker *w, struct rte_mbuf *m, uint16_t mtu)
{
	struct rte_mbuf *frags[FRAGS_MAX];
	uint16_t n = dp_ip4_fragment(w, m, mtu, frags);

	if (n > 0)
		dp_down(w, frags, n);
}

enum verdict { OUT_GONE, OUT_READY, OUT_FRAGMENT };

static inline enum verdict l2tp_out_one(struct worker *w, struct rte_mbuf *m, uint16_t *mtu)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	uint16_t sid = pkt_meta(m)->out_session, len = m->data_len;
	const struct sess_tx *t = &w->dp->tx[sid];
	struct sess_ctr *c = &w->dp->ctr[sid];
	enum dp_drop bad = session_check(w, t, ip);

	if (likely(bad == DP_DROP_NONE))
		bad = peer_route(w, m, t);
	if (unlikely(bad != DP_DROP_NONE))
		goto discard;
	*mtu = inner_mtu(w, pkt_meta(m), t);
	if (unlikely(len > *mtu)) {
		if (!ip4_dont_fragment(ip))
			return OUT_FRAGMENT;
		c->tx_discards++;
		dp_punt_icmp(w, m, DP_ICMP_TOO_BIG, *mtu, DP_DROP_IP4_TOO_BIG);
		return OUT_GONE;
	}
	if (t->mss != 0 && unlikely(ip4_tcp_syn(m)))
		dp_mss_clamp(m, t->mss);
	bad = DP_DROP_NO_HEADROOM;
	if (unlikely(!encapsulate(w, m, sid, t->ppp_len)))
		goto discard;
	c->tx_packets++;
	c->tx_bytes += len;
	return OUT_READY;
discard:
	c->tx_discards++;
	dp_drop(w, m, bad);
	return OUT_GONE;
}

/* True when this worker owns the packet's session. */
static inline bool own(struct worker *w, struct rte_mbuf *m)
{
	uint16_t sid = pkt_meta(m)->out_session;
	uint8_t owner = dp_owner(w->dp, sid);

	if (likely(owner == w->id)) {
		rte_prefetch0(&w->dp->tx[sid]);
		/* Where the headers go, no one has been lately. */
		rte_prefetch0(rte_pktmbuf_mtod(m, uint8_t *) - RTE_CACHE_LINE_SIZE);
		rte_prefetch0(&w->dp->ctr[sid]);
		return true;
	}
	if (owner == SESS_NO_OWNER)
		dp_drop(w, m, DP_DROP_SESS_GONE);
	else
		dp_handoff(w, m, owner, RESUME_L2TP_OUT);
	return false;
}

/*
 * What the packets of bound sessions are going to read, from session to child and from child to SA: some
 * packets ahead, so that memory works while the ones before are made.
 */
#define CHILD_AHEAD 8
#define SA_AHEAD    4

static inline const struct child *bound_to(const struct worker *w, struct rte_mbuf *m)
{
	const struct sess_tx *t = &w->dp->tx[pkt_meta(m)->out_session];

	return (t->flags & SESS_BOUND) != 0 ? &w->dp->child[t->child] : NULL;
}

static inline void child_ahead(const struct worker *w, struct rte_mbuf *m)
{
	const struct child *c = bound_to(w, m);

	if (c == NULL)
		return;
	rte_prefetch0(c);
	rte_prefetch0(rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len)); /* for the trailer */
}

static inline void sa_ahead(const struct worker *w, struct rte_mbuf *m)
{
	const struct child *c = bound_to(w, m);

	if (c != NULL && c->out != NULL)
		sa_prefetch(c->out);
}

uint16_t dp_l2tp_out(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	uint16_t mine = 0, k = 0, mtu;

	for (uint16_t i = 0; i < n; i++) {
		assert(v[i]->nb_segs == 1);
		if (own(w, v[i]))
			v[mine++] = v[i];
	}
	for (uint16_t i = 0; i < RTE_MIN(mine, CHILD_AHEAD); i++)
		child_ahead(w, v[i]);
	for (uint16_t i = 0; i < RTE_MIN(mine, SA_AHEAD); i++)
		sa_ahead(w, v[i]);
	for (uint16_t i = 0; i < mine; i++) {
		if (i + CHILD_AHEAD < mine)
			child_ahead(w, v[i + CHILD_AHEAD]);
		if (i + SA_AHEAD < mine)
			sa_ahead(w, v[i + SA_AHEAD]);
		switch (l2tp_out_one(w, v[i], &mtu)) {
		case OUT_READY:
			v[k++] = v[i];
			break;
		case OUT_FRAGMENT:
			/* In order: those before it leave first. */
			dp_protect(w, v, k);
			k = 0;
			out_fragments(w, v[i], mtu);
			break;
		case OUT_GONE:
			break;
		}
	}
	return k;
}

bool dp_l2tp_out_ppp(struct worker *w, struct rte_mbuf *m, uint16_t session_id)
{
	const struct sess_tx *t = &w->dp->tx[session_id];
	struct pkt_meta *meta = pkt_meta(m);
	enum dp_drop bad;

	meta->out_session = session_id;
	/* Control frames have no sender who could use a smaller MTU. */
	meta->flags |= PKT_NO_DF | PKT_CONTROL;
	bad = peer_route(w, m, t);
	if (bad == DP_DROP_NONE && !encapsulate(w, m, session_id, 0))
		bad = DP_DROP_NO_HEADROOM;
	if (bad != DP_DROP_NONE) {
		dp_drop(w, m, bad);
		return false;
	}
	return true;
}
