/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: IPv4 packets into sessions.
 *
 * In: at the IPv4 header, session in the metadata (any worker's: it goes to the owner). Out: at the
 * outer IPv4 header, routed, not larger than the way to the peer allows unless the outer packet may be
 * fragmented. Of a session in a child: at the header that esp_out takes, routed to the SA's other end.
 */
#include "dataplane/outer.h"

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

void dp_outer_rest(struct worker *w, uint16_t sid, uint8_t *udp, uint32_t len)
{
	struct sess_tx *t = &w->dp->tx[sid];
	uint8_t *p = udp + OUTER_UDP + 2 + L2TP_IDS;

	if (t->flags & SESS_LENGTH)
		p += 2;
	if (t->flags & SESS_SEQ) {
		put_be16(p, t->ns++);
		put_be16(p + 2, w->dp->rx[sid].nr);
	}
	if (t->flags & SESS_UDP_SUM)
		udp4_fill((void *)udp, (uint16_t)len, t->src_ip, t->dst_ip);
}

void dp_outer_frame(struct worker *w, uint16_t sid, uint8_t *p, uint32_t len)
{
	const struct sess_tx *t = &w->dp->tx[sid];
	const uint32_t headers = outer_udp_len(t, true), udp_len = headers + len;
	uint8_t *udp = p - headers;
	struct rte_udp_hdr hdr = {.src_port = t->src_port,
	                          .dst_port = t->dst_port,
	                          .dgram_len = rte_cpu_to_be_16((uint16_t)udp_len)};

	memcpy(udp, &hdr, sizeof(hdr));
	memcpy(udp + OUTER_UDP, t->framing + SESS_FRAMING_MAX - (t->headers - OUTER_UDP),
	       headers - OUTER_UDP);
	if (t->flags & SESS_LENGTH)
		put_be16(udp + OUTER_UDP + 2, (uint16_t)(udp_len - OUTER_UDP));
	dp_outer_rest(w, sid, udp, udp_len);
}

/*
 * Headers in front of an IPv4 packet, or of a PPP frame of control. For ESP in transport mode without the
 * outer IPv4 header, which would be taken off again. False: no room.
 */
static inline bool encapsulate(struct worker *w, struct rte_mbuf *m, uint16_t sid, bool frame)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct sess_tx *t = &w->dp->tx[sid];
	const bool at_udp = meta->out_child != 0 && !w->dp->child[meta->out_child].out_tunnel_mode;
	const uint32_t headers = outer_udp_len(t, frame) + (at_udp ? 0 : OUTER_IP4);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	if (unlikely(m->data_off < SESS_HEADERS_MAX))
		return false;
	if (unlikely(frame))
		dp_outer_frame(w, sid, p, m->data_len);
	else
		outer_udp(w, sid, p, m->data_len);
	pkt_cut(m, -(int)headers, m->data_len + headers);
	if (at_udp)
		meta->flags |= PKT_AT_UDP;
	else
		outer_ip4(w, t, rte_pktmbuf_mtod(m, uint8_t *), m->data_len,
		          (meta->flags & PKT_NO_DF) != 0);
	return true;
}

/* To the peer: past the SA's other end, when there is an SA (E7), whatever the inner addresses are. */
static inline enum dp_drop peer_route(struct worker *w, struct rte_mbuf *m, const struct sess_tx *t)
{
	uint32_t dst = rte_be_to_cpu_32(t->dst_ip);

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

	uint32_t headers = outer_udp_len(t, false) + OUTER_IP4;

	if ((t->flags & (SESS_DF | SESS_BOUND)) != SESS_DF || t->mtu + headers <= link)
		return t->mtu;
	return (uint16_t)(link - headers);
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
	struct sess_tx *t = &w->dp->tx[sid];
	enum dp_drop bad = session_check(w, t, ip);

	if (likely(bad == DP_DROP_NONE))
		bad = peer_route(w, m, t);
	if (unlikely(bad != DP_DROP_NONE))
		goto discard;
	*mtu = inner_mtu(w, pkt_meta(m), t);
	if (unlikely(len > *mtu)) {
		if (!ip4_dont_fragment(ip))
			return OUT_FRAGMENT;
		sess_ctr_of(w->dp, sid)->tx_discards++;
		dp_punt_icmp(w, m, DP_ICMP_TOO_BIG, *mtu, DP_DROP_IP4_TOO_BIG);
		return OUT_GONE;
	}
	if (t->mss != 0 && unlikely(ip4_tcp_syn(m)))
		dp_mss_clamp(m, t->mss);
	bad = DP_DROP_NO_HEADROOM;
	if (unlikely(!encapsulate(w, m, sid, false)))
		goto discard;
	t->packets++;
	t->bytes += len;
	return OUT_READY;
discard:
	sess_ctr_of(w->dp, sid)->tx_discards++;
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
		return true;
	}
	if (owner == SESS_NO_OWNER)
		dp_drop(w, m, DP_DROP_SESS_GONE);
	else
		dp_handoff(w, m, owner, RESUME_L2TP_OUT, sid);
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
	if (bad == DP_DROP_NONE && !encapsulate(w, m, session_id, true))
		bad = DP_DROP_NO_HEADROOM;
	if (bad != DP_DROP_NONE) {
		dp_drop(w, m, bad);
		return false;
	}
	return true;
}
