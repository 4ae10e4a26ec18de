/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: L2TP data messages (RFC 2661 3.1, 5.4).
 *
 * In: at the L2TP header, cut to the UDP length; outer addresses in the metadata. Out: at the PPP
 * header, session and generation in the metadata: of this worker, from the session's peer, in order.
 */
#include "dataplane/l2tp.h"

struct l2tp_data {
	uint16_t tid, sid, ns;
	uint16_t hdr_len; /* with the offset's padding */
	uint16_t len; /* of the message */
	bool sequenced;
};

/* Nothing is read before it is known to be there: up to 14 bytes and the offset's padding. */
static __rte_noinline enum dp_drop parse_any(const uint8_t *p, uint16_t len, struct l2tp_data *d)
{
	uint16_t flags, off = 2;

	if (len < 2)
		return DP_DROP_L2TP_SHORT;
	flags = get_be16(p);
	d->len = len;
	d->sequenced = (flags & L2TP_S) != 0;
	d->ns = 0;
	off += (flags & L2TP_L ? 2 : 0) + 4 + (flags & L2TP_S ? 4 : 0) + (flags & L2TP_O ? 2 : 0);
	if (len < off)
		return DP_DROP_L2TP_SHORT;
	p += 2;
	if (flags & L2TP_L) {
		d->len = get_be16(p);
		p += 2;
	}
	d->tid = get_be16(p);
	d->sid = get_be16(p + 2);
	p += 4;
	if (flags & L2TP_S) {
		d->ns = get_be16(p); /* Nr of data messages is reserved */
		p += 4;
	}
	if (flags & L2TP_O) {
		if (get_be16(p) > len - off)
			return DP_DROP_L2TP_SHORT;
		off += get_be16(p);
	}
	d->hdr_len = off;
	if (d->len < off || d->len > len)
		return DP_DROP_L2TP_LENGTH;
	return DP_DROP_NONE;
}

/* The usual message has nothing but ids. */
static inline enum dp_drop parse(const uint8_t *p, uint16_t len, struct l2tp_data *d)
{
	if (likely(len >= L2TP_DATA_LEAST && (get_be16(p) & (L2TP_L | L2TP_S | L2TP_O)) == 0)) {
		*d = (struct l2tp_data){.tid = get_be16(p + 2),
		                        .sid = get_be16(p + 4),
		                        .hdr_len = L2TP_DATA_LEAST,
		                        .len = len};
		return DP_DROP_NONE;
	}
	return parse_any(p, len, d);
}

/* What keeps a session from taking a message (l2tp_bound). */
static __rte_cold enum dp_drop binding(const struct worker *w, const struct l2tp_data *d,
                                       const struct pkt_meta *meta)
{
	const struct sess_rx *s = &w->dp->rx[d->sid];

	if (dp_owner(w->dp, d->sid) != w->id || (s->flags & SESS_VALID) == 0)
		return DP_DROP_L2TP_NO_SESSION;
	if (s->tunnel_id != d->tid)
		return DP_DROP_L2TP_TUNNEL_MISMATCH;
	if (s->conn != meta->conn)
		return DP_DROP_L2TP_CONN_MISMATCH;
	if (s->peer_ip != meta->src || s->peer_port != meta->sport || s->local_ip != meta->dst ||
	    s->local_port != meta->dport)
		return DP_DROP_L2TP_PEER_MISMATCH;
	return DP_DROP_NONE;
}

/* RFC 2661 5.4: false for a message that is older than what has come already. */
static bool sequence(struct dp *dp, uint16_t sid, uint16_t ns)
{
	struct sess_rx *s = &dp->rx[sid];
	int16_t ahead = (int16_t)(ns - s->nr);

	if (ahead < 0) {
		sess_ctr_of(dp, sid)->rx_out_of_sequence++;
		return (s->flags & SESS_CHECK_SEQ) == 0;
	}
	if (ahead > 0)
		sess_ctr_of(dp, sid)->rx_lost += (uint16_t)ahead;
	s->nr = (uint16_t)(ns + 1);
	return true;
}

/* Apart: its loop would take the stage's registers from messages without a checksum. */
static __rte_noinline bool sum_wrong(const struct rte_mbuf *m, const struct rte_udp_hdr *udp,
                                     const struct pkt_meta *meta)
{
	return !udp4_verify(m, udp, (uint16_t)(m->data_len + sizeof(*udp)), meta->src, meta->dst);
}

/* verify: UDP checksums are looked at. */
static inline enum dp_drop l2tp_in_one(struct worker *w, struct rte_mbuf *m, bool verify)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_udp_hdr *udp = (const void *)(p - sizeof(*udp));
	struct pkt_meta *meta = pkt_meta(m);
	struct l2tp_data d;
	struct sess_rx *s;
	enum dp_drop bad = parse(p, m->data_len, &d);

	if (unlikely(bad != DP_DROP_NONE))
		return bad;
	if (unlikely(!l2tp_bound(w, d.sid, d.tid, meta, SESS_VALID)))
		return binding(w, &d, meta);
	if (verify && udp->dgram_cksum != 0 && unlikely(sum_wrong(m, udp, meta)))
		return DP_DROP_UDP_CHECKSUM;
	s = &w->dp->rx[d.sid];
	meta->in_session = d.sid;
	meta->in_gen = s->gen;
	if (unlikely(d.sequenced) && !sequence(w->dp, d.sid, d.ns))
		return DP_DROP_L2TP_OLD_SEQUENCE;
	if (unlikely(d.len == d.hdr_len))
		return DP_DROP_L2TP_EMPTY;
	pkt_cut(m, d.hdr_len, (uint32_t)(d.len - d.hdr_len));
	return DP_DROP_NONE;
}

static __rte_cold void discard(struct worker *w, struct rte_mbuf *m, enum dp_drop bad)
{
	/* What has passed the binding is the session's own discard. */
	if (pkt_meta(m)->in_session != 0)
		sess_ctr_of(w->dp, pkt_meta(m)->in_session)->rx_discards++;
	dp_drop(w, m, bad);
}

uint16_t dp_l2tp_in(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	const bool verify = w->dp->conf.verify_l2tp_checksum;
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		enum dp_drop bad;

		assert(v[i]->nb_segs == 1);
		bad = l2tp_in_one(w, v[i], verify);
		if (likely(bad == DP_DROP_NONE))
			v[k++] = v[i];
		else
			discard(w, v[i], bad);
	}
	return k;
}
