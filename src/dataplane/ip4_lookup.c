/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: where does this IPv4 packet go?
 *
 * In: at the header of a whole IPv4 packet from a port (route known), a subscriber or control. Out:
 * for a station on a link, next hop in the metadata, one hop of TTL used up. For a subscriber: to
 * w->down with his session. For ourselves: to control.
 */
#include "dataplane/ip4.h"

/* No one answers for the destination. */
static __rte_cold void nowhere(struct worker *w, struct rte_mbuf *m, uint8_t kind)
{
	if (kind == DP_RT_BLACKHOLE)
		dp_drop(w, m, DP_DROP_IP4_BLACKHOLE);
	else
		dp_punt_icmp(w, m, DP_ICMP_UNREACHABLE, 0,
		             kind == DP_RT_SUBSCRIBER ? DP_DROP_IP4_NO_SUBSCRIBER
		                                      : DP_DROP_IP4_NO_ROUTE);
}

static __rte_noinline void to_us(struct worker *w, struct rte_mbuf *m)
{
	if (pkt_meta(m)->flags & PKT_INJECTED)
		dp_drop(w, m, DP_DROP_IP4_LOCAL_LOOP);
	else
		dp_punt(w, m, DP_PUNT_SUBSCRIBER, DP_DROP_NONE);
}

/* False when it went elsewhere: packets of control have used up their hop in the kernel. */
static inline bool hop(struct worker *w, struct rte_mbuf *m, struct rte_ipv4_hdr *ip)
{
	if (pkt_meta(m)->flags & PKT_INJECTED)
		return true;
	if (unlikely(ip->time_to_live <= 1)) { /* RFC 1812 5.3.1 */
		dp_punt_icmp(w, m, DP_ICMP_TTL, 0, DP_DROP_IP4_TTL);
		return false;
	}
	ip4_ttl_down(ip);
	return true;
}

/* True when the packet leaves by a link. */
static inline bool lookup_one(struct worker *w, struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	struct pkt_meta *meta = pkt_meta(m);
	uint32_t dst = rte_be_to_cpu_32(ip->dst_addr);
	const struct nh *nh;

	if ((meta->flags & PKT_ROUTED) == 0)
		meta->nh = dp_nh_lookup(w->dp, dst);
	nh = &w->dp->nh[meta->nh];
	if (nh->kind == DP_RT_LOCAL) {
		to_us(w, m);
		return false;
	}
	meta->out_session = dp_subs_lookup(w->dp, dst);
	if (meta->out_session != 0) {
		if (hop(w, m, ip)) {
			meta->flags &= (uint8_t)~PKT_ROUTED;
			/* Another worker's would be taken from it as it counts. */
			if (likely(dp_owner(w->dp, meta->out_session) == w->id))
				rte_prefetch0(&w->dp->tx[meta->out_session]);
			vec_push(&w->down, m);
		}
		return false;
	}
	if (unlikely(nh->kind != DP_RT_VIA && nh->kind != DP_RT_CONNECTED)) {
		nowhere(w, m, nh->kind);
		return false;
	}
	meta->flags |= PKT_ROUTED;
	meta->next_hop = nh->kind == DP_RT_VIA ? nh->gateway : dst;
	return hop(w, m, ip);
}

uint16_t dp_ip4_lookup(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		assert(v[i]->nb_segs == 1);
		if (lookup_one(w, v[i]))
			v[k++] = v[i];
	}
	return k;
}
