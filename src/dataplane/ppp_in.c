/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: PPP frames of sessions (RFC 1661 2, 6.5, 6.6).
 *
 * In: at the PPP header, session in the metadata. Out: at the header of an IPv4 packet that is whole,
 * comes from the subscriber's own address and may be forwarded. All other protocols go to control,
 * the frame as it came.
 */
#include "dataplane/ip4.h"

#define PPP_IP4 0x0021 /* RFC 1332 2 */

/* Length of the PPP header, 0 when it is cut short. Address and control may be there or not. */
static inline uint16_t ppp_parse(const uint8_t *p, uint16_t len, uint16_t *proto)
{
	uint16_t off = len >= 2 && p[0] == 0xff && p[1] == 0x03 ? 2 : 0;

	if (len < off + 1)
		return 0;
	if (p[off] & 1) { /* compressed protocol field: one odd byte */
		*proto = p[off];
		return off + 1;
	}
	if (len < off + 2)
		return 0;
	*proto = get_be16(p + off);
	return off + 2;
}

static inline enum dp_drop ip4_in(struct rte_mbuf *m, uint16_t hdr_len, struct sess_rx *s)
{
	const struct rte_ipv4_hdr *ip =
	        rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, hdr_len);
	uint16_t total;

	if (unlikely((s->flags & SESS_OPEN) == 0))
		return DP_DROP_SESS_CLOSED;
	if (unlikely(ip4_check(ip, (uint32_t)(m->data_len - hdr_len), false) != DP_DROP_NONE))
		return DP_DROP_SUB_MALFORMED;
	if (unlikely(s->sub_ip == 0 || rte_be_to_cpu_32(ip->src_addr) != s->sub_ip))
		return DP_DROP_SUB_SPOOFED;
	if (unlikely(ip4_martian_dst(rte_be_to_cpu_32(ip->dst_addr))))
		return DP_DROP_SUB_MARTIAN;
	total = rte_be_to_cpu_16(ip->total_length);
	pkt_cut(m, hdr_len, total);
	if (s->mss != 0 && unlikely(ip4_tcp_syn(m)))
		dp_mss_clamp(m, s->mss);
	s->packets++;
	s->bytes += total;
	return DP_DROP_NONE;
}

static __rte_noinline void not_ip4(struct worker *w, struct rte_mbuf *m)
{
	if (dp_punt_sender(w, DP_PUNT_PPP, pkt_meta(m)->in_session))
		dp_punt(w, m, DP_PUNT_PPP, DP_DROP_NONE);
	else
		dp_drop(w, m, DP_DROP_PUNT_LIMIT);
}

/* True when the frame goes on as an IPv4 packet. */
static inline bool ppp_in_one(struct worker *w, struct rte_mbuf *m)
{
	const uint16_t sid = pkt_meta(m)->in_session;
	enum dp_drop bad = DP_DROP_PPP_SHORT;
	uint16_t proto, hdr_len;

	hdr_len = ppp_parse(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &proto);
	if (likely(hdr_len != 0)) {
		if (unlikely(proto != PPP_IP4)) {
			not_ip4(w, m);
			return false;
		}
		bad = ip4_in(m, hdr_len, &w->dp->rx[sid]);
	}
	if (likely(bad == DP_DROP_NONE))
		return true;
	sess_ctr_of(w->dp, sid)->rx_discards++;
	dp_drop(w, m, bad);
	return false;
}

uint16_t dp_ppp_in(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		assert(v[i]->nb_segs == 1);
		if (ppp_in_one(w, v[i]))
			v[k++] = v[i];
	}
	return k;
}
