/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The usual packet of a session in a child, transport mode: as down does it, with all headers in front of it
 * before it is encrypted. Where the suite does one packet after the other it leaves at once; otherwise the
 * packets of a vector are encrypted together, then they leave.
 */
#pragma once

#include "dataplane/esp_outer.h"
#include "dataplane/l2tp.h"
#include "dataplane/link.h"
#include "dataplane/outer.h"

/* Packets with their headers, not encrypted yet. */
struct seals {
	uint16_t n, n_burst;
	struct sa
	        *sa[VEC_MAX]; /* of the vector's packets, where seals_ahead has been; NULL: none */
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

static inline struct sa *sa_of(const struct worker *w, uint16_t sid)
{
	return w->dp->child_out[w->dp->tx[sid].child];
}

/*
 * As outer_udp_put. The cipher reads the headers at once in pieces of 16 bytes, of which the first one is written as
 * such: what is put together of several stores is slow to be read.
 */
static inline void seal_udp_put(const struct sess_tx *t, uint32_t flags, uint8_t *ip,
                                uint64_t headers, uint64_t len, uint32_t right)
{
	const uint32_t udp_len = (uint32_t)(headers + len);
	uint64_t front, back;
	uint32_t ports;

	static_assert(OUTER_UDP + SESS_FRAMING_MAX == 24, "up to 8 bytes behind the piece");
	if (unlikely(headers < 16)) {
		outer_udp_put(t, (uint16_t)flags, ip, (uint32_t)headers, (uint32_t)len, right);
		return;
	}
	memcpy(ip - 8, t->framing + SESS_FRAMING_MAX - 8, 8);
	memcpy(&ports, &t->src_port, sizeof(ports));
	front = ports | (uint64_t)(rte_bswap32(udp_len) >> 16) << 32;
	if (flags & SESS_UDP_SUM)
		front |= (uint64_t)outer_sum(t, ip, (uint32_t)len, right) << 48;
	memcpy(&back, t->framing + 24 - headers, sizeof(back));
	if (flags & SESS_LENGTH)
		back |= (uint64_t)(rte_bswap32(udp_len - OUTER_UDP) >> 16) << 16;
	_mm_storeu_si128((xmm_t *)(void *)(ip - headers),
	                 _mm_set_epi64x((int64_t)back, (int64_t)front));
}

/*
 * The packet at ip in m, for session sid of this worker, which is bound, with its child's SA. A frame: where and as it
 * came. False, and nothing has happened, when it is not usual; quick: nor when the checksum carries as the TTL goes
 * down.
 */
static __rte_always_inline bool seal_add(struct worker *w, struct rte_mbuf *m, uint8_t *ip,
                                         uint16_t sid, struct sa *sa, struct way *way, bool frame,
                                         bool quick, struct seals *s)
{
	const struct dp *dp = w->dp;
	struct sess_tx *t = &dp->tx[sid];
	const uint32_t flags = t->flags, usual = SESS_VALID | SESS_OPEN | SESS_BOUND;
	const uint64_t len = get_be16(ip + AT_LENGTH - AT_IP), headers = t->headers;
	const uint64_t body = headers + len;
	uint8_t *const text = ip - headers, *outer;
	uint32_t total, peer, hop;

	memcpy(&hop, ip + offsetof(struct rte_ipv4_hdr, time_to_live), sizeof(hop));
	if (unlikely((flags & (usual | SESS_SEQ)) != usual || sa == NULL ||
	             t->sub_ip != get_be32(ip + AT_DST - AT_IP) || (uint8_t)hop <= 1 ||
	             (quick && hop >= 0xfffe0000) || len > t->mtu ||
	             ((flags & SESS_CLAMP) != 0 && ip4_is_syn((void *)ip, (uint32_t)len)) ||
	             dp_child_fired(dp, t->child) || !seal_ready(sa)))
		return false;
	peer = get_be32(sa->out.tmpl + offsetof(struct rte_ipv4_hdr, dst_addr));
	total = sa_sealed_len(sa, (uint32_t)body);
	outer = text - sa->head - sa->out.tmpl_len;
	static_assert(RTE_PKTMBUF_HEADROOM + AT_IP >=
	                      SESS_HEADERS_MAX + ESP_FRONT_MAX + OUTER_MAX + WAY_L2,
	              "a frame has room in front");
	if (unlikely(!way_route(dp, way, peer) || total > way->mtu ||
	             (!frame && outer < (uint8_t *)m->buf_addr + WAY_L2) ||
	             ip + len + sa->tail_max > (uint8_t *)m->buf_addr + m->buf_len))
		return false;
	t->packets++;
	if (quick) {
		hop += 0x10000 - 1;
		memcpy(ip + offsetof(struct rte_ipv4_hdr, time_to_live), &hop, sizeof(hop));
	} else {
		ip4_ttl_down((struct rte_ipv4_hdr *)ip);
	}
	/* That the header's checksum is right the port may have said of others: ours does not rest on that. */
	seal_udp_put(t, flags, ip, headers, len, frame ? OUTER_IP4 : 0);
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
static inline void keys_ahead(const struct sa *sa)
{
	for (int i = 1; sa != NULL && i <= KEY_LINES; i++)
		rte_prefetch0((const uint8_t *)esp_of(sa) + i * RTE_CACHE_LINE_SIZE);
}

/*
 * What the packets of bound sessions are going to read, whose lines are here or on their way. Of all SAs a line
 * at once: the walks through page tables that this takes are done side by side.
 */
static inline void seals_ahead(const struct worker *w, struct rte_mbuf *const *v,
                               const uint16_t *sid, uint16_t n, struct seals *s)
{
	const struct dp *dp = w->dp;

	for (uint16_t i = 0; i < n; i++) {
		rte_prefetch0(&dp->child_out[dp->tx[sid[i]].child]);
		/* For the trailer, and where the headers go. */
		rte_prefetch0(rte_pktmbuf_mtod_offset(v[i], uint8_t *, v[i]->data_len));
		rte_prefetch0(rte_pktmbuf_mtod(v[i], uint8_t *) - RTE_CACHE_LINE_SIZE);
	}
	for (uint16_t i = 0; i < n; i++) {
		s->sa[i] = sa_of(w, sid[i]);
		if (likely(s->sa[i] != NULL))
			sa_prefetch(s->sa[i]);
	}
	for (uint16_t i = 0; i < n && i < KEYS_AHEAD; i++)
		keys_ahead(s->sa[i]);
}

/* Frames as they came from v[at] on, n_frames or fewer as there are n in v, up to the first one that is not usual. */
static __rte_noinline uint16_t frames_seal(struct worker *w, struct way *way, struct rte_mbuf **v,
                                           uint16_t at, uint16_t n, uint16_t n_frames,
                                           struct seals *s)
{
	const uint32_t end = RTE_MIN((uint32_t)n, (uint32_t)at + n_frames);
	uint32_t i;

	for (i = at; i < end; i++) {
		struct rte_mbuf *m = v[i];
		uint8_t *ip = (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM + AT_IP;

		if (i + KEYS_AHEAD < n)
			keys_ahead(s->sa[i + KEYS_AHEAD]);
		if (unlikely(!seal_add(w, m, ip, w->down_to[i], s->sa[i], way, true, true, s)))
			break;
	}
	return (uint16_t)(i - at);
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
