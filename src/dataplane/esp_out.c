/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: packets into their child's outbound SA (RFC 4303, RFC 3948).
 *
 * In: at the IPv4 header that l2tp_out or control has made, those of a child with it in the metadata;
 * all others pass. Out: at the IPv4 header of the ESP packet, routed. The order is kept. The outer header
 * never has DF: what the link does not take is cut after encryption.
 */
#include "dataplane/esp_outer.h"

#include <rte_prefetch.h>

static_assert(VEC_MAX <= ESP_BURST_MAX && FRAGS_MAX <= VEC_MAX, "a vector is one burst");
static_assert(RTE_PKTMBUF_HEADROOM >= SESS_HEADERS_MAX + ESP_FRONT_MAX + OUTER_MAX + 18,
              "a packet that we make has room for all headers and 802.1Q");

#define NEXT_IPV4 4 /* next header of tunnel mode: IPv4 in IP */
#define SA_AHEAD  6 /* packets for which the SA's lines are fetched in time */

static void out_drop(struct worker *w, struct rte_mbuf *m, enum dp_drop reason)
{
	uint16_t sid = pkt_meta(m)->out_session;

	if (sid != 0 && (pkt_meta(m)->flags & PKT_CONTROL) == 0)
		sess_ctr_of(w->dp, sid)->tx_discards++;
	dp_drop(w, m, reason);
}

/* Takes the packet's place in the SA's limits, when one of them may be near. */
static __rte_noinline bool account_watched(struct worker *w, struct sa *sa, uint16_t len)
{
	const struct sa_limits *l = sa_limits(sa);

	if (unlikely(sa->packets >= l->hard_packets || sa->bytes + len > l->hard_bytes))
		dp_sa_expire(w, sa);
	if (unlikely(sa->takes == SA_TAKES_NONE))
		return false;
	sa->packets++;
	sa->bytes += len;
	sa->last = w->now;
	if (unlikely(sa->packets >= l->soft_packets || sa->bytes >= l->soft_bytes))
		dp_sa_event_once(w, sa, DP_SA_SOFT);
	dp_sa_watch(sa);
	return true;
}

static inline bool account(struct worker *w, struct sa *sa, uint16_t len)
{
	if (unlikely(sa->credit == 0))
		return account_watched(w, sa, len);
	sa->credit--;
	sa->packets++;
	sa->bytes += len;
	sa->last = w->now;
	return true;
}

/* The packet becomes what leaves. All of it before encryption, while the SA's lines are at hand. */
static inline void wrap(struct worker *w, struct rte_mbuf *m, const struct sa *sa, uint8_t *esp,
                        uint32_t len)
{
	uint8_t *front = esp - sa->out.tmpl_len;

	m->data_off = (uint16_t)(front - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	esp_outer_put(w, sa, front, len);
}

/* Ready for encryption, or why not. */
static inline enum dp_drop prepare(struct worker *w, struct rte_mbuf *m, struct sa *sa,
                                   struct esp_pkt *p)
{
	struct pkt_meta *meta = pkt_meta(m);
	uint8_t *data;
	uint32_t len;

	if (unlikely(sa == NULL))
		return DP_DROP_ESP_NO_SA;
	if (unlikely(sa->takes == SA_TAKES_NONE))
		return DP_DROP_ESP_EXPIRED;
	if (unlikely((meta->flags & PKT_ROUTED) == 0) && !dp_outer_route(w, m, sa_peer_ip(sa)))
		return DP_DROP_L2TP_NO_ROUTE;
	if (unlikely(!sa->tunnel_mode && (meta->flags & PKT_AT_UDP) == 0))
		rte_pktmbuf_adj(m, sizeof(struct rte_ipv4_hdr));
	data = rte_pktmbuf_mtod(m, uint8_t *);
	len = m->data_len;
	if (unlikely(m->data_off < sa->head + sa->out.tmpl_len ||
	             m->data_off + len + sa->out.tail_max > m->buf_len))
		return DP_DROP_NO_HEADROOM;
	if (unlikely(!account(w, sa, (uint16_t)len)))
		return DP_DROP_ESP_EXPIRED;
	p->sa = esp_of(sa);
	p->data = data;
	p->len = (uint16_t)len;
	p->next_header = sa->tunnel_mode ? NEXT_IPV4 : IPPROTO_UDP;
	wrap(w, m, sa, data - sa->head, sa_sealed_len(sa, len));
	return DP_DROP_NONE;
}

static bool protect_one(struct worker *w, struct rte_mbuf *m, struct esp_pkt *p)
{
	enum dp_drop bad = prepare(w, m, w->dp->child[pkt_meta(m)->out_child].out, p);

	if (likely(bad == DP_DROP_NONE))
		return true;
	out_drop(w, m, bad);
	return false;
}

/* False when the packet was dropped. */
static bool after(struct worker *w, struct rte_mbuf *m, const struct esp_pkt *p)
{
	struct sa *sa = sa_by_esp(p->sa);

	if (unlikely(p->status != ESP_OK)) {
		dp_sa_expire(w, sa); /* no sequence number is left */
		out_drop(w, m, DP_DROP_ESP_EXPIRED);
		return false;
	}
	if (unlikely(esp_sa_seq(p->sa) >= sa_soft_seq(sa)))
		dp_sa_event_once(w, sa, DP_SA_SOFT);
	return true;
}

/*
 * Encrypted as they should be, and no number near the end: then there is nothing to be done after it.
 * The lines that lib/esp has just written are looked at, no others.
 */
static bool nothing_left(const struct esp_pkt *p, uint16_t n)
{
	bool all = true;

	for (uint16_t i = 0; i < n; i++)
		all &= p[i].status == ESP_OK && esp_sa_seq(p[i].sa) < SA_SEQ_SOFT;
	return all;
}

/* Once more after l2tp_out, and in time: of many at once the CPU lets some fall. */
static inline void sa_ahead(const struct worker *w, struct rte_mbuf *m)
{
	const struct sa *sa = w->dp->child[pkt_meta(m)->out_child].out;

	if (likely(sa != NULL))
		sa_prefetch(sa);
}

uint16_t dp_esp_out(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct esp_pkt p[VEC_MAX];
	uint16_t k = 0, n_esp = 0, left = 0, at = 0;

	if (likely(w->n_esp_out == 0))
		return n;
	w->n_esp_out = 0;
	for (uint16_t i = 0; i < n; i++) {
		assert(v[i]->nb_segs == 1);
		if (i + SA_AHEAD < n)
			sa_ahead(w, v[i + SA_AHEAD]);
		if (pkt_meta(v[i])->out_child != 0) {
			if (!protect_one(w, v[i], &p[n_esp]))
				continue;
			n_esp++;
		}
		v[k++] = v[i];
	}
	if (n_esp == 0)
		return k;
	esp_encrypt(w->esp_engine, p, n_esp);
	if (likely(nothing_left(p, n_esp)))
		return k;
	for (uint16_t i = 0; i < k; i++) {
		if (pkt_meta(v[i])->out_child == 0 || after(w, v[i], &p[at++]))
			v[left++] = v[i];
	}
	return left;
}
