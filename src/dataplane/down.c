/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: the usual packet to a subscriber, all the way from the network to a port.
 *
 * In: transit packets as ip4_lookup takes them, and those that w->frames_down names as they came, still at
 * their Ethernet header. Out: what is not usual, for ip4_lookup and the stages behind it, which know all
 * cases and count what they drop. What is usual is done in one pass, with nothing of it written to the
 * metadata in between: a packet for an open session of this worker that fits the way to the peer, whose
 * next hop is known. Of a session in a child, in transport mode and far from its SA's limits: down_esp.h.
 *
 * Packets of a session keep their order: behind one that is not usual, none of its session is.
 */
#include "dataplane/down_esp.h"
#include "dataplane/l2tp.h"

#define USUAL_MASK (SESS_VALID | SESS_OPEN | SESS_BOUND | SESS_SEQ)
#define USUAL      (SESS_VALID | SESS_OPEN)

/*
 * The packet at ip in m, for session sid of this worker, if it still is there (0: of no one). False, and nothing
 * has happened, when it is not usual.
 */
static inline bool forward(struct worker *w, struct rte_mbuf *m, struct rte_ipv4_hdr *ip,
                           uint16_t sid, struct way *way)
{
	const struct dp *dp = w->dp;
	struct sess_tx *t = &dp->tx[sid];
	const uint32_t len = rte_be_to_cpu_16(ip->total_length);
	const uint32_t headers = outer_udp_len(t, false) + OUTER_IP4;
	const uint32_t peer = rte_be_to_cpu_32(t->dst_ip);
	uint8_t *outer = (uint8_t *)ip - headers;

	if (unlikely((t->flags & USUAL_MASK) != USUAL ||
	             t->sub_ip != rte_be_to_cpu_32(ip->dst_addr) || ip->time_to_live <= 1 ||
	             len > t->mtu || (t->mss != 0 && ip4_is_syn(ip, len))))
		return false;
	if (unlikely(!way_to(dp, way, dp_nh_lookup(dp, peer), peer) || len + headers > way->mtu ||
	             (uint8_t *)ip - (uint8_t *)m->buf_addr < SESS_HEADERS_MAX + WAY_L2))
		return false;
	t->packets++;
	ip4_ttl_down(ip);
	outer_udp(w, sid, (uint8_t *)ip, len, ip4_hdr_len(ip));
	outer_ip4(w, t, outer, len + headers, false);
	way_send(w, way, m, outer, len + headers);
	t->bytes += len; /* apart from packets, or the compiler adds both as a vector, slowly */
	return true;
}

void dp_frame_transit(const struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, AT_IP);
	struct pkt_meta *meta = pkt_meta(m);

	meta->in_if = w->dp->ports[m->port].vlan_if[0];
	meta->l2_len = AT_IP;
	meta->nh = dp_nh_lookup(w->dp, rte_be_to_cpu_32(ip->dst_addr));
	meta->flags |= PKT_ROUTED;
	pkt_cut(m, AT_IP, rte_be_to_cpu_16(ip->total_length));
}

/*
 * The sessions of all, but for another worker's, whose line would be taken from it as it counts: before the first one is used, so that their lines are on their way meanwhile.
 */
static inline void find(const struct worker *w, struct rte_mbuf *const *v, uint16_t n,
                        uint64_t frames, struct rte_ipv4_hdr **ip, uint16_t *sid)
{
	for (uint16_t i = 0; i < n; i++) {
		assert(v[i]->nb_segs == 1);
		ip[i] = rte_pktmbuf_mtod_offset(v[i], struct rte_ipv4_hdr *,
		                                (frames >> i & 1) * AT_IP);
		sid[i] = dp_subs_lookup(w->dp, rte_be_to_cpu_32(ip[i]->dst_addr));
		if (unlikely(dp_owner(w->dp, sid[i]) != w->id))
			sid[i] = 0; /* no session's, nor usual */
		rte_prefetch0(&w->dp->tx[sid[i]]);
	}
}

uint16_t dp_down_usual(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct rte_ipv4_hdr *ip[VEC_MAX];
	uint16_t sid[VEC_MAX], k = 0;
	struct way way = {0};
	struct seals seals;
	const uint64_t frames = w->frames_down;
	uint64_t behind = 0; /* bits of sessions that have to wait */

	w->frames_down = 0;
	find(w, v, n, frames, ip, sid);
	seals.n = 0;
	/* Where one is bound, so are most. */
	if (n > 0 && (w->dp->tx[sid[0]].flags & SESS_BOUND) != 0)
		seals_ahead(w, v, sid, ip, n);
	for (uint16_t i = 0; i < n; i++) {
		if (likely((behind >> (sid[i] & 63) & 1) == 0 &&
		           ((w->dp->tx[sid[i]].flags & SESS_BOUND) == 0
		                    ? forward(w, v[i], ip[i], sid[i], &way)
		                    : seal_add(w, v[i], ip[i], sid[i], &way, &seals))))
			continue;
		if (frames >> i & 1)
			dp_frame_transit(w, v[i]);
		behind |= 1ull << (sid[i] & 63);
		v[k++] = v[i];
	}
	if (seals.n > 0)
		seals_send(w, &seals);
	return k;
}
