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
 * has happened, when it is not usual. Its first right bytes add up to nothing (outer_udp_put).
 */
static inline bool forward(struct worker *w, struct rte_mbuf *m, struct rte_ipv4_hdr *ip,
                           uint16_t sid, struct way *way, uint32_t right)
{
	const struct dp *dp = w->dp;
	struct sess_tx *t = &dp->tx[sid];
	const uint16_t flags = t->flags;
	const uint32_t len = rte_be_to_cpu_16(ip->total_length);
	const uint32_t headers = outer_udp_len(t, false), peer = rte_be_to_cpu_32(t->dst_ip);
	uint8_t *outer = (uint8_t *)ip - headers - OUTER_IP4;

	if (unlikely((flags & USUAL_MASK) != USUAL || t->sub_ip != rte_be_to_cpu_32(ip->dst_addr) ||
	             ip->time_to_live <= 1 || len > t->mtu || (t->mss != 0 && ip4_is_syn(ip, len))))
		return false;
	if (unlikely(!way_to(dp, way, dp_nh_lookup(dp, peer), peer) ||
	             len + headers + OUTER_IP4 > way->mtu ||
	             (uint8_t *)ip - (uint8_t *)m->buf_addr < SESS_HEADERS_MAX + WAY_L2))
		return false;
	t->packets++;
	outer_udp_put(t, flags, (uint8_t *)ip, headers, len, right);
	ip4_ttl_down(ip);
	outer_ip4(w, t, outer, len + headers + OUTER_IP4, false);
	way_send(w, way, m, outer, len + headers + OUTER_IP4);
	t->bytes += len; /* apart from packets, or the compiler adds both as a vector, slowly */
	return true;
}

__rte_noinline void dp_frame_transit(const struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, AT_IP);
	struct pkt_meta *meta = pkt_meta(m);

	meta->in_if = w->dp->ports[m->port].vlan_if[0];
	meta->l2_len = AT_IP;
	meta->nh = dp_nh_lookup(w->dp, rte_be_to_cpu_32(ip->dst_addr));
	meta->flags |= PKT_ROUTED;
	pkt_cut(m, AT_IP, rte_be_to_cpu_16(ip->total_length));
}

uint16_t dp_down_usual(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct way way = {0};
	struct seals seals;
	const uint64_t frames = w->frames_down;
	uint64_t behind = 0; /* bits of sessions that have to wait */
	bool bound;
	uint16_t k = 0;

	w->frames_down = 0;
	seals.n = seals.n_burst = 0;
	/* Where one is bound, so are most. */
	bound = n > 0 && (w->dp->tx[w->down_to[0]].flags & SESS_BOUND) != 0;
	if (bound)
		seals_ahead(w, v, w->down_to, n);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];
		const uint16_t sid = w->down_to[i];
		const bool frame = (frames >> i & 1) != 0;
		struct rte_ipv4_hdr *ip =
		        rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, frame ? AT_IP : 0);

		/* Of others the port may have said so: it is not to be trusted with our own checksum. */
		const uint32_t right = frame ? OUTER_IP4 : 0;

		assert(m->nb_segs == 1);
		if (bound && i + KEYS_AHEAD < n)
			keys_ahead(w, w->down_to[i + KEYS_AHEAD]);
		if (likely((behind >> (sid & 63) & 1) == 0 &&
		           ((w->dp->tx[sid].flags & SESS_BOUND) == 0
		                    ? forward(w, m, ip, sid, &way, right)
		                    : seal_add(w, m, ip, sid, &way, right, &seals))))
			continue;
		if (frame)
			dp_frame_transit(w, m);
		if (sid != 0)
			behind |= 1ull << (sid & 63);
		v[k++] = m;
	}
	if (seals.n > 0)
		seals_send(w, &seals);
	return k;
}
