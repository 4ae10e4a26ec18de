/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: the usual packet to a subscriber, all the way from the network to a port.
 *
 * In: as ip4_lookup takes it from classify, which has looked up the session as well. Out: what is not
 * usual, as it came, for ip4_lookup and the stages behind it, which know all cases and count what they
 * drop. What is usual is done in one pass, with nothing of it written to the metadata in between: a packet
 * for an open session of this worker, in no SA, that fits the way to the peer, whose next hop is known.
 *
 * Packets of a session keep their order: behind one that is not usual, none of its session is.
 */
#include "dataplane/down.h"
#include "dataplane/link.h"
#include "dataplane/outer.h"

/* False, and nothing has happened, when the packet is not usual. */
static inline bool down_one(struct worker *w, struct rte_mbuf *m, struct way *way)
{
	const uint16_t sid = pkt_meta(m)->out_session;
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	struct sess_tx *t = &w->dp->tx[sid];
	const uint32_t len = m->data_len, headers = outer_udp_len(t, false) + OUTER_IP4;
	const uint32_t peer = rte_be_to_cpu_32(t->dst_ip);

	if (unlikely((t->flags & (SESS_VALID | SESS_OPEN | SESS_BOUND | SESS_SEQ)) !=
	                     (SESS_VALID | SESS_OPEN) ||
	             dp_owner(w->dp, sid) != w->id || t->sub_ip != rte_be_to_cpu_32(ip->dst_addr) ||
	             ip->time_to_live <= 1 || len > t->mtu))
		return false;
	if (unlikely(!way_to(w->dp, way, dp_nh_lookup(w->dp, peer), peer) ||
	             len + headers > way->mtu || m->data_off < SESS_HEADERS_MAX + WAY_L2 ||
	             (t->mss != 0 && ip4_is_syn(ip, len))))
		return false;
	t->packets++;
	t->bytes += len;
	ip4_ttl_down(ip);
	outer_udp(w, sid, (uint8_t *)ip, len, ip4_hdr_len(ip));
	outer_ip4(w, t, (uint8_t *)ip - headers, len + headers, false);
	way_send(w, way, m, (uint16_t)(m->data_off - headers), (uint16_t)(len + headers));
	return true;
}

uint16_t dp_down_usual(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct way way = {0};
	uint64_t behind = 0; /* a bit of sessions, by their ids */
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++)
		dp_down_find(w, v[i]);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];
		const uint64_t bit = 1ull << (pkt_meta(m)->out_session & 63);

		assert(m->nb_segs == 1);
		if (likely((behind & bit) == 0 && down_one(w, m, &way)))
			continue;
		behind |= bit;
		v[k++] = m;
	}
	return k;
}
