/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The usual packet of a session in a child, transport mode: as down does it, with all headers in front of it
 * before it is encrypted. Where the suite does one packet after the other it leaves at once; otherwise the
 * packets of a vector are encrypted together, then they leave.
 */
#pragma once

#include "dataplane/esp_outer.h"
#include "dataplane/link.h"
#include "dataplane/outer.h"

/* Packets with their headers, not encrypted yet. */
struct seals {
	uint16_t n, n_burst;
	struct {
		struct rte_mbuf *m;
		uint32_t tx_at;
		uint16_t port, sid;
	} to[VEC_MAX];
	struct esp_pkt
	        p[VEC_MAX]; /* for esp_encrypt: those of suites that esp_seal does not take .. */
	uint8_t at[VEC_MAX]; /* .. and which of to they are */
};

/* The SA takes a packet in transport mode, and one more vector brings it to no limit. */
static inline bool seal_ready(const struct sa *sa)
{
	const uint64_t seq = esp_sa_seq(esp_of(sa));

	return sa->credit != 0 && sa->takes != SA_TAKES_NONE && !sa->tunnel_mode &&
	       (likely(seq < SA_SEQ_SOFT - VEC_MAX) || seq < sa->soft_seq - VEC_MAX);
}

/* The packet at text is encrypted, or will be. False: it has to wait until seals_send. */
static inline bool seal(struct worker *w, const struct sa *sa, uint8_t *text, uint16_t len,
                        struct seals *s)
{
	switch (esp_seal(w->esp_engine, esp_of(sa), text, len, IPPROTO_UDP)) {
	case ESP_SEALED:
		/* Behind those that wait, if any do. */
		return s->n == 0;
	case ESP_SEALING:
		return false;
	default:
		s->at[s->n_burst] = (uint8_t)s->n;
		s->p[s->n_burst++] = (struct esp_pkt){
		        .sa = esp_of(sa), .data = text, .len = len, .next_header = IPPROTO_UDP};
		return false;
	}
}

static inline void seals_wait(struct seals *s, struct rte_mbuf *m, const struct way *way,
                              uint16_t sid)
{
	s->to[s->n].m = m;
	s->to[s->n].tx_at = way->tx_at;
	s->to[s->n].port = way->port;
	s->to[s->n].sid = sid;
	s->n++;
}

/*
 * The packet at ip in m, for session sid of this worker, which is bound. False, and nothing has happened, when
 * it is not usual.
 */
static inline bool seal_add(struct worker *w, struct rte_mbuf *m, struct rte_ipv4_hdr *ip,
                            uint16_t sid, struct way *way, uint32_t right, struct seals *s)
{
	const uint16_t usual = SESS_VALID | SESS_OPEN | SESS_BOUND;
	const struct dp *dp = w->dp;
	struct sess_tx *t = &dp->tx[sid];
	struct sa *sa = dp->child_out[t->child];
	const uint32_t len = rte_be_to_cpu_16(ip->total_length),
	               body = outer_udp_len(t, false) + len;
	uint8_t *const text = (uint8_t *)ip + len - body;
	uint32_t total, peer;
	uint8_t *outer;

	if (unlikely((t->flags & (usual | SESS_SEQ)) != usual || sa == NULL ||
	             t->sub_ip != rte_be_to_cpu_32(ip->dst_addr) || ip->time_to_live <= 1 ||
	             len > t->mtu || (t->mss != 0 && ip4_is_syn(ip, len)) ||
	             dp_child_fired(dp, t->child) || !seal_ready(sa)))
		return false;
	peer = get_be32(sa->out.tmpl + offsetof(struct rte_ipv4_hdr, dst_addr));
	total = sa->out.tmpl_len + (uint32_t)sa_sealed_len(sa, (uint16_t)body);
	outer = text - sa->head - sa->out.tmpl_len;
	if (unlikely(!way_to(dp, way, dp_nh_lookup(dp, peer), peer) || total > way->mtu ||
	             outer < (uint8_t *)m->buf_addr + WAY_L2 ||
	             text + body + sa->tail_max > (uint8_t *)m->buf_addr + m->buf_len))
		return false;
	t->packets++;
	ip4_ttl_down(ip);
	outer_udp_put(t, t->flags, (uint8_t *)ip, body - len, len, right);
	esp_outer_put(w, sa, outer, total);
	way_frame(way, m, outer, total);
	sa->credit--;
	sa->packets++;
	sa->last = w->now;
	/* Apart from packets, or the compiler adds both as a vector, slowly. */
	t->bytes += len;
	sa->bytes += body;
	if (seal(w, sa, text, (uint16_t)body, s))
		way_put(w, way->tx_at, way->port, m);
	else
		seals_wait(s, m, way, sid);
	return true;
}

#define KEYS_AHEAD 4 /* packets for which the keys are fetched in time */
#define KEY_LINES  6 /* of most suites */

/* The lines of the SA's keys, which follow its first ones. */
static inline void keys_ahead(const struct worker *w, uint16_t sid)
{
	const struct sa *sa = w->dp->child_out[w->dp->tx[sid].child];

	for (int i = 1; sa != NULL && i <= KEY_LINES; i++)
		rte_prefetch0((const uint8_t *)esp_of(sa) + i * RTE_CACHE_LINE_SIZE);
}

/*
 * What the packets of bound sessions are going to read, whose lines are here or on their way. Of all SAs a line
 * at once: the walks through page tables that this takes are done side by side.
 */
static inline void seals_ahead(const struct worker *w, struct rte_mbuf *const *v,
                               const uint16_t *sid, uint16_t n)
{
	const struct dp *dp = w->dp;

	for (uint16_t i = 0; i < n; i++) {
		rte_prefetch0(&dp->child_out[dp->tx[sid[i]].child]);
		/* For the trailer, and where the headers go. */
		rte_prefetch0(rte_pktmbuf_mtod_offset(v[i], uint8_t *, v[i]->data_len));
		rte_prefetch0(rte_pktmbuf_mtod(v[i], uint8_t *) - RTE_CACHE_LINE_SIZE);
	}
	for (uint16_t i = 0; i < n; i++) {
		const struct sa *sa = dp->child_out[dp->tx[sid[i]].child];

		if (likely(sa != NULL))
			sa_prefetch(sa);
	}
	for (uint16_t i = 0; i < n && i < KEYS_AHEAD; i++)
		keys_ahead(w, sid[i]);
}

/* Those that no number is left for never were: seal_ready has seen that there are. But nothing leaves in the clear. */
static __rte_noinline uint64_t seals_burst(struct worker *w, struct seals *s)
{
	uint64_t bad = 0;

	esp_encrypt(w->esp_engine, s->p, s->n_burst);
	for (uint16_t i = 0; i < s->n_burst; i++) {
		assert(s->p[i].status == ESP_OK);
		if (s->p[i].status != ESP_OK)
			bad |= 1ull << s->at[i];
	}
	return bad;
}

/* All that were added leave. */
static inline void seals_send(struct worker *w, struct seals *s)
{
	uint64_t bad = 0;

	esp_seal_end(w->esp_engine);
	if (s->n_burst > 0)
		bad = seals_burst(w, s);
	for (uint16_t i = 0; i < s->n; i++) {
		if (likely((bad >> i & 1) == 0)) {
			way_put(w, s->to[i].tx_at, s->to[i].port, s->to[i].m);
			continue;
		}
		sess_ctr_of(w->dp, s->to[i].sid)->tx_discards++;
		dp_drop(w, s->to[i].m, DP_DROP_ESP_EXPIRED);
	}
}
