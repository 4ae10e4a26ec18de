/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* L2TP control messages: checked against the tunnels that there are, then to control. */
#include "dataplane/l2tp.h"

#define L2TP_CTRL 12 /* header of a control message, and with it of a ZLB */

/*
 * Who has authenticated is not held up by those who have not; and behind a NAT each connection is a source
 * of its own.
 */
static bool new_tunnel_ok(struct worker *w, const struct pkt_meta *meta)
{
	return meta->conn == 0
	               ? newtun_take(w->newtun, meta->src, meta->sport, w->now)
	               : newtun_take(w->newtun_sa, (uint32_t)meta->conn, meta->sport, w->now);
}

/* RFC 2661 3.1: a control message has L and S, and neither O nor P. Why it is to be dropped, or it has gone. */
static enum dp_drop control(struct worker *w, struct rte_mbuf *m, uint16_t off, uint16_t len)
{
	const struct pkt_meta *meta = pkt_meta(m);
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, off);
	const struct rte_udp_hdr *udp = (const void *)(p - sizeof(*udp));
	uint16_t flags = get_be16(p), l2tp_len, tid;
	const struct tunnel *t;
	uint32_t known;

	if (len < L2TP_CTRL)
		return DP_DROP_L2TP_SHORT;
	if ((flags & (L2TP_L | L2TP_S | L2TP_O | L2TP_P)) != (L2TP_L | L2TP_S))
		return DP_DROP_L2TP_HEADER;
	l2tp_len = get_be16(p + 2);
	if (l2tp_len < L2TP_CTRL || l2tp_len > len)
		return DP_DROP_L2TP_LENGTH;
	if (!udp4_verify(m, udp, (uint16_t)(len + sizeof(*udp)), meta->src, meta->dst))
		return DP_DROP_UDP_CHECKSUM;
	tid = get_be16(p + 4);
	rte_pktmbuf_adj(m, off);
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - l2tp_len));
	if (tid == 0) {
		if (!new_tunnel_ok(w, meta))
			return DP_DROP_NEW_TUNNEL_LIMIT;
		dp_punt_granted(w, m, DP_PUNT_L2TP_NEW);
		return DP_DROP_NONE;
	}
	t = &w->dp->tunnels[tid];
	known = __atomic_load_n(&t->known, __ATOMIC_ACQUIRE);
	if (known == 0)
		return DP_DROP_L2TP_UNKNOWN_TUNNEL;
	/* Port 0: the peer has not answered yet, and may choose one (RFC 2661 8.1). */
	if (__atomic_load_n(&t->addrs, __ATOMIC_RELAXED) !=
	            ((uint64_t)meta->src << 32 | meta->dst) ||
	    __atomic_load_n(&t->conn, __ATOMIC_RELAXED) != meta->conn ||
	    ((uint16_t)known != 0 && (uint16_t)known != meta->sport))
		return DP_DROP_L2TP_CONTROL_PEER;
	if (meta->conn != 0 && !dp_punt_sender(w, DP_PUNT_L2TP, tid))
		return DP_DROP_PUNT_LIMIT;
	dp_punt(w, m, DP_PUNT_L2TP, DP_DROP_NONE);
	return DP_DROP_NONE;
}

void dp_l2tp_control(struct worker *w, struct rte_mbuf *m, uint16_t off, uint16_t len)
{
	enum dp_drop bad = control(w, m, off, len);

	if (bad != DP_DROP_NONE)
		dp_drop(w, m, bad);
}
