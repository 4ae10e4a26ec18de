/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: the usual packet of a subscriber, all the way from its session to a port.
 *
 * In: as l2tp_in takes it, or as a usual frame (w->frames). Out: what is not usual, for l2tp_in and the
 * stages behind it, which know all cases and count what they drop. What is usual is done in one pass, with
 * nothing of it written to the metadata in between: a data message with at most a length, of a session that
 * is open, and in it an IPv4 packet without options that is right in everything and leaves by a link whose
 * next hop is known.
 *
 * Packets of a session keep their order: behind one that is not usual, none of its session is.
 */
#include "dataplane/up.h"

#include <rte_prefetch.h>

/* As udp4_verify of the usual frame at p, in which a message of len bytes is. */
static inline bool frame_sum_right(const struct rte_mbuf *m, const uint8_t *p, uint32_t len)
{
	const uint32_t udp_len = len + (uint32_t)sizeof(struct rte_udp_hdr);

	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	/* The addresses of the pseudo header stand right before. */
	return sum_fold(sum_bytes(p + AT_SRC, udp_len + 8,
	                          (uint64_t)rte_cpu_to_be_16(IPPROTO_UDP) +
	                                  rte_cpu_to_be_16((uint16_t)udp_len))) == 0xffff;
}

/* A message at its L2TP header. */
static __rte_always_inline bool up_message(struct worker *w, struct up_run *up, struct up_train *r,
                                           struct rte_mbuf *m)
{
	const struct pkt_meta *meta = pkt_meta(m);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *), *ip;
	const struct rte_udp_hdr *udp = (const void *)(p - sizeof(*udp));
	uint32_t len = m->data_len, ids = 2;
	uint16_t sid;

	if (unlikely((up_word(p) & RTE_BE16(L2TP_L | L2TP_S | L2TP_O)) != 0)) {
		if ((up_word(p) & RTE_BE16(L2TP_S | L2TP_O)) != 0 || get_be16(p + 2) != len)
			return false;
		ids = 4; /* behind the length */
	}
	sid = get_be16(p + ids + 2);
	if (unlikely(len < ids - 2 + UP_LEAST ||
	             !l2tp_bound(w, sid, get_be16(p + ids), meta, UP_OPEN)))
		return false;
	ip = p + ids + 4 + 2;
	if (up_word(ip - 2) == PPP_FF03)
		ip += 2;
	return likely(up_word(ip - 2) == PPP_IP4 &&
	              ((udp->dgram_cksum & up->verify) == 0 ||
	               udp4_verify(m, udp, (uint16_t)(len + sizeof(*udp)), meta->src,
	                           meta->dst))) &&
	       up_packet(w, up, r, m, ip, (int32_t)len - (int32_t)(ip - p), &r->rx[sid], false);
}

bool dp_frame_message(struct worker *w, struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct pkt_meta *meta = pkt_meta(m);

	/* classify leaves this to up, which finds it out by the session. */
	if (ip4_martian_src(get_be32(p + AT_SRC)) || ip4_martian_dst(get_be32(p + AT_DST))) {
		dp_drop(w, m, DP_DROP_IP4_MARTIAN);
		return false;
	}
	pkt_meta_init(meta);
	meta->in_if = w->dp->ports[m->port].vlan_if[0];
	meta->l2_len = AT_IP;
	_mm_storeu_si128((xmm_t *)(void *)&meta->src, l2tp_ends(p));
	pkt_cut(m, AT_L2TP, get_be16(p + AT_LENGTH) - (uint32_t)(AT_L2TP - AT_IP));
	return true;
}

/* A usual frame, whose session is this worker's and which stands where it came; quick: up_packet's. */
static __rte_always_inline bool up_frame(struct worker *w, struct up_run *up, struct up_train *r,
                                         struct rte_mbuf *m, bool quick)
{
	uint8_t *p = (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM, *ip = p + AT_PPP + 2;
	struct sess_rx *s = &r->rx[get_be16(p + AT_SID)];
	int32_t len = get_be16(p + AT_LENGTH) - (AT_PPP + 2 - AT_IP);

	/* Whatever PPP's header; quick has one look at the length. */
	if (unlikely(len < (int32_t)IP4_LEAST + (quick ? 2 : 0)))
		return false;
	if (up_word(p + AT_PPP) == PPP_FF03) {
		ip += 2;
		len -= 2;
	}
	return likely(l2tp_matches(s, l2tp_ends(p), get_be16(p + AT_TID), UP_OPEN,
	                           UP_OPEN | SESS_BOUND) &&
	              up_word(ip - 2) == PPP_IP4 &&
	              ((up_word(p + AT_SUM) & up->verify) == 0 ||
	               frame_sum_right(m, p, get_be16(p + AT_LENGTH) - (AT_L2TP - AT_IP)))) &&
	       up_packet(w, up, r, m, ip, len, s, quick);
}

/* n frames as they came, up to the first one that is not usual: how many. */
static __rte_noinline uint16_t frames_up(struct worker *w, struct up_run *up, struct rte_mbuf **v,
                                         uint16_t n)
{
	struct up_train r = up_train(w, up);
	uint16_t i;

	for (i = 0; i < n && likely(up_frame(w, up, &r, v[i], true)); i++)
		assert(v[i]->nb_segs == 1);
	outbox_close(w, &up->way, &r.out);
	return i;
}

/* A frame that is not among those, or behind one. */
static bool frame_up(struct worker *w, struct up_run *up, struct rte_mbuf *m)
{
	struct up_train r = up_train(w, up);
	bool usual = up_frame(w, up, &r, m, false);

	outbox_close(w, &up->way, &r.out);
	return usual;
}

/*
 * What classify has asked for, once more: it asks faster than memory gives, and what a CPU has no room for it forgets.
 * Of few sessions it is there already.
 */
static inline void frames_again(const struct worker *w, struct rte_mbuf *const *v, uint16_t n)
{
	const struct sess_rx *rx = w->dp->rx;

	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *p = (uint8_t *)v[i]->buf_addr + RTE_PKTMBUF_HEADROOM;

		rte_prefetch0(&rx[get_be16(p + AT_SID)]);
		rte_prefetch0(p + RTE_CACHE_LINE_SIZE);
	}
}

/* Usual frames. */
static __rte_noinline uint16_t up_frames(struct worker *w, struct up_run *up, struct rte_mbuf **v,
                                         uint16_t n)
{
	uint16_t k = 0;

	if (dp_subs_many(w->dp))
		frames_again(w, v, n);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m;

		if (up->behind == 0)
			i += frames_up(w, up, v + i, n - i);
		if (i == n)
			break;
		m = v[i];
		assert(m->nb_segs == 1);
		if (likely(!up_waits(up, m, AT_L2TP) && frame_up(w, up, m)))
			continue;
		if (!dp_frame_message(w, m))
			continue;
		up->behind |= up_session(rte_pktmbuf_mtod(m, const uint8_t *));
		v[k++] = m;
	}
	return k;
}

/* Messages at their L2TP header, and usual frames among them. */
static __rte_noinline uint16_t up_messages(struct worker *w, struct up_run *up, struct rte_mbuf **v,
                                           uint16_t n, uint64_t frames)
{
	struct up_train r = up_train(w, up);
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];

		assert(m->nb_segs == 1);
		if ((frames >> i & 1) != 0 && !dp_frame_message(w, m))
			continue;
		if (likely(!up_waits(up, m, 0) && up_message(w, up, &r, m)))
			continue;
		up->behind |= up_session(rte_pktmbuf_mtod(m, const uint8_t *));
		v[k++] = m;
	}
	outbox_close(w, &up->way, &r.out);
	return k;
}

uint16_t dp_up(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct up_run r = {.way = WAY_NONE,
	                   .verify = w->dp->conf.verify_l2tp_checksum ? UINT16_MAX : 0};
	const uint64_t frames = w->frames;
	uint16_t first = ~frames == 0 ? VEC_MAX : (uint16_t)__builtin_ctzll(~frames), k = 0, rest;

	w->frames = 0;
	if (first > 0)
		k = up_frames(w, &r, v, first);
	if (first == n)
		return k;
	rest = up_messages(w, &r, v + first, n - first, frames >> first);
	memmove(v + k, v + first, rest * sizeof(*v));
	return k + rest;
}
