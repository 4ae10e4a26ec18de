/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "dataplane/down_esp.h"
#include "dataplane/esp_outer.h"
#include "dataplane/l2tp.h"
#include "dataplane/outer.h"

/* Packets for which the SA is fetched once more: of the many lines of dp_seals_ahead a CPU forgets some. */
#define SA_AGAIN 8

static inline struct sa *sa_of(const struct worker *w, uint16_t sid)
{
	return w->dp->child_out[w->dp->tx[sid].child];
}

/* The SA takes a packet in transport mode, and one more vector brings it to no limit. */
static inline bool seal_ready(const struct sa *sa)
{
	const uint64_t seq = esp_sa_seq(esp_of(sa));
	uint16_t takes;

	/* With tunnel_mode in one look: that and SA_TAKES_NONE are no flag of packets. */
	static_assert(offsetof(struct sa, tunnel_mode) == offsetof(struct sa, takes) + 1 &&
	                      PKT_ENCAP < 0x80,
	              "a word");
	memcpy(&takes, &sa->takes, sizeof(takes));
	return sa->credit != 0 && takes < 0x80 &&
	       (likely(seq < SA_SEQ_SOFT - VEC_MAX) || seq < sa_soft_seq(sa) - VEC_MAX);
}

/* n more, which stand in m behind the others, leave by way. */
static inline void seals_added(struct seals *s, const struct way *way, size_t n)
{
	if (n == 0)
		return;
	if (s->n_ways == 0 || s->way[s->n_ways - 1].port != way->port)
		s->way[s->n_ways++].port = way->port;
	s->n += n;
	s->way[s->n_ways - 1].end = s->n;
}

/* The packet of session sid at text, number at of those that leave, is of a suite that esp_seal does not take. */
static __rte_noinline void seal_later(struct seals *s, struct sa *sa, uint8_t *text, uint32_t len,
                                      uint32_t at, uint16_t sid)
{
	s->of[s->n_burst].at = (uint16_t)at;
	s->of[s->n_burst].sid = sid;
	s->p[s->n_burst++] = (struct esp_pkt){
	        .sa = esp_of(sa), .data = text, .len = (uint16_t)len, .next_header = IPPROTO_UDP};
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

static inline void seal_count(struct sess_tx *t, struct sa *sa, uint64_t len, uint64_t body,
                              uint64_t now)
{
	t->packets++;
	sa->credit--;
	sa->packets++;
	sa->last = now;
	/* Apart from packets, or the compiler adds both as a vector, slowly. */
	t->bytes += len;
	sa->bytes += body;
}

bool dp_seal_add(struct worker *w, struct rte_mbuf *m, uint8_t *ip, uint16_t sid, struct way *way,
                 bool frame, struct seals *s)
{
	const struct dp *dp = w->dp;
	struct sess_tx *t = &dp->tx[sid];
	struct sa *sa = sa_of(w, sid);
	const uint32_t flags = t->flags, usual = SESS_VALID | SESS_OPEN | SESS_BOUND;
	const uint64_t len = get_be16(ip + AT_LENGTH - AT_IP), headers = t->headers;
	const uint64_t body = headers + len;
	uint8_t *const text = ip - headers, *outer;
	uint32_t total, peer;

	if (unlikely((flags & (usual | SESS_SEQ)) != usual || sa == NULL ||
	             t->sub_ip != get_be32(ip + AT_DST - AT_IP) ||
	             ip[offsetof(struct rte_ipv4_hdr, time_to_live)] <= 1 || len > t->mtu ||
	             ((flags & SESS_CLAMP) != 0 && ip4_is_syn((void *)ip, (uint32_t)len)) ||
	             dp_child_fired(dp, t->child) || !seal_ready(sa)))
		return false;
	peer = get_be32(sa->out.tmpl + offsetof(struct rte_ipv4_hdr, dst_addr));
	total = sa_sealed_len(sa, (uint32_t)body);
	outer = text - sa->head - sa->out.tmpl_len;
	if (unlikely(!way_route(dp, way, peer) || total > way->mtu ||
	             outer < (uint8_t *)m->buf_addr + WAY_L2 ||
	             ip + len + sa->out.tail_max > (uint8_t *)m->buf_addr + m->buf_len))
		return false;
	ip4_ttl_down((struct rte_ipv4_hdr *)ip);
	/* That the header's checksum is right the port may have said of others: ours does not rest on that. */
	seal_udp_put(t, flags, ip, headers, len, frame ? OUTER_IP4 : 0);
	esp_outer_put(w, sa, outer, total);
	way_frame(way, m, outer, total);
	seal_count(t, sa, len, body, w->now);
	s->m[s->n] = m;
	if (esp_seal(w->esp_engine, esp_of(sa), text, (uint16_t)body, IPPROTO_UDP) == ESP_UNSEALED)
		seal_later(s, sa, text, (uint32_t)body, s->n, sid);
	seals_added(s, way, 1);
	return true;
}

/* Of all SAs a line at once: the walks through page tables that this takes are done side by side. */
void dp_seals_ahead(const struct worker *w, struct rte_mbuf *const *v, uint16_t n, struct seals *s)
{
	const uint32_t keys = esp_keys_ahead(w->esp_engine);
	const struct dp *dp = w->dp;
	const uint16_t *sid = w->down_to;

	for (uint16_t i = 0; i < n; i++) {
		rte_prefetch0(&dp->child_out[dp->tx[sid[i]].child]);
		/* Where the headers go. */
		rte_prefetch0(rte_pktmbuf_mtod(v[i], uint8_t *) - RTE_CACHE_LINE_SIZE);
	}
	for (uint16_t i = 0; i < n; i++) {
		s->sa[i] = sa_of(w, sid[i]);
		if (likely(s->sa[i] != NULL))
			sa_prefetch(s->sa[i]);
	}
	for (uint16_t i = 0; i < n && i < keys; i++)
		seal_ahead(s->sa[i], v[i]);
}

/*
 * The usual frame m, where it came, with all headers of session t and its SA, for the way of r and with number id:
 * what is to be encrypted is at text. False, and nothing has happened: it goes another way, or dp_seal_add knows more.
 * Without more, none of OUTER_MORE is usual.
 */
static __rte_always_inline bool frame_seal(const struct dp *dp, const struct way_run *r,
                                           struct rte_mbuf *m, struct sess_tx *t, struct sa *sa,
                                           uint32_t id, uint64_t now, bool more, uint8_t **text,
                                           uint32_t *text_len)
{
	const uint32_t usual = SESS_VALID | SESS_OPEN | SESS_BOUND;
	const uint32_t mask = usual | SESS_SEQ | (more ? 0 : OUTER_MORE);
	uint8_t *const ip = (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM + AT_IP, *outer;
	const uint64_t flags = t->flags, len = get_be16(ip + AT_LENGTH - AT_IP);
	const uint64_t headers = t->headers, body = headers + len;
	uint32_t total, hop, peer;

	static_assert(RTE_PKTMBUF_HEADROOM + AT_IP >=
	                      SESS_HEADERS_MAX + ESP_FRONT_MAX + OUTER_MAX + WAY_L2,
	              "a frame has room in front");
	memcpy(&hop, ip + offsetof(struct rte_ipv4_hdr, time_to_live), sizeof(hop));
	if (unlikely((flags & mask) != usual || sa == NULL ||
	             t->sub_ip != get_be32(ip + AT_DST - AT_IP) || (uint8_t)hop <= 1 ||
	             hop >= 0xfffe0000 || len > t->mtu ||
	             (more && (flags & SESS_CLAMP) != 0 && ip4_is_syn((void *)ip, (uint32_t)len)) ||
	             dp_child_fired(dp, t->child) || !seal_ready(sa)))
		return false;
	total = sa_sealed_len(sa, (uint32_t)body);
	memcpy(&peer, sa->out.tmpl + offsetof(struct rte_ipv4_hdr, dst_addr), sizeof(peer));
	if (unlikely((way_entry(dp, rte_be_to_cpu_32(peer)) != r->entry && peer != r->ip) ||
	             total > r->mtu ||
	             len + (RTE_PKTMBUF_HEADROOM + AT_IP + ESP_BEHIND) > m->buf_len))
		return false;
	/* ip4_ttl_down where nothing is carried. */
	hop += 0x10000 - 1;
	memcpy(ip + offsetof(struct rte_ipv4_hdr, time_to_live), &hop, sizeof(hop));
	seal_udp_put(t, (uint32_t)flags & ~(more ? 0 : OUTER_MORE), ip, headers, len, OUTER_IP4);
	outer = ip - headers - sa->head - sa->out.tmpl_len;
	esp_outer_numbered(sa, outer, total, id);
	way_run_frame(r, m, outer, total);
	seal_count(t, sa, len, body, now);
	*text = ip - headers;
	*text_len = (uint32_t)body;
	return true;
}

/* n frames from v[at] on, up to the first one that is not usual or goes another way, which is that to peer: how many. */
static __rte_always_inline uint16_t frames_seal_by(struct worker *w, const struct way *way,
                                                   uint32_t peer, struct rte_mbuf **v, uint32_t at,
                                                   uint32_t n, struct seals *s, bool more)
{
	const struct dp *dp = w->dp;
	const struct way_run r = way_run_of(way, peer);
	const uint32_t id_step = dp->conf.n_workers, id_first = w->id;
	const uint64_t now = w->now;
	const uint16_t *sid = w->down_to + at;
	struct esp *engine = w->esp_engine;
	const uint32_t keys = esp_keys_ahead(engine);
	struct sess_tx *tx = dp->tx;
	struct sa **sa = s->sa + at;
	struct rte_mbuf **to = s->m + s->n;
	uint32_t id = w->ip_id;
	size_t i;

	v += at;
	for (i = 0; i < n; i++) {
		const uint32_t next = dp_ip_id_behind(id, id_step, id_first);
		struct rte_mbuf *m = v[i];
		uint16_t session = sid[i];
		uint8_t *text;
		uint32_t len;

		if (i + SA_AGAIN < n && likely(sa[i + SA_AGAIN] != NULL))
			sa_prefetch(sa[i + SA_AGAIN]);
		if (i + keys < n)
			seal_ahead(sa[i + keys], v[i + keys]);
		if (unlikely(!frame_seal(dp, &r, m, &tx[session], sa[i], next, now, more, &text,
		                         &len)))
			break;
		id = next;
		to[i] = m;
		if (unlikely(esp_seal(engine, esp_of(sa[i]), text, (uint16_t)len, IPPROTO_UDP) ==
		             ESP_UNSEALED))
			seal_later(s, sa[i], text, len, (uint32_t)(s->n + i), session);
	}
	w->ip_id = (uint16_t)id;
	seals_added(s, way, i);
	return (uint16_t)i;
}

static __rte_noinline uint16_t frames_seal_plain(struct worker *w, const struct way *way,
                                                 uint32_t peer, struct rte_mbuf **v, uint32_t at,
                                                 uint32_t n, struct seals *s)
{
	return frames_seal_by(w, way, peer, v, at, n, s, false);
}

static __rte_noinline uint16_t frames_seal_more(struct worker *w, const struct way *way,
                                                uint32_t peer, struct rte_mbuf **v, uint32_t at,
                                                uint32_t n, struct seals *s)
{
	return frames_seal_by(w, way, peer, v, at, n, s, true);
}

uint16_t dp_frames_seal(struct worker *w, struct way *way, struct rte_mbuf **v, uint16_t at,
                        uint16_t n, struct seals *s)
{
	const uint16_t end = (uint16_t)(at + n);
	uint32_t more = 0;
	uint16_t i = at, last;

	do {
		const struct sa *sa = s->sa[i];
		uint32_t peer;

		if (sa == NULL)
			break;
		peer = get_be32(sa->out.tmpl + offsetof(struct rte_ipv4_hdr, dst_addr));
		if (!way_route(w->dp, way, peer))
			break;
		last = i;
		/* Sessions of both kinds in turn are done in one piece. */
		more |= w->dp->tx[w->down_to[i]].flags & OUTER_MORE;
		if (more == 0)
			i += frames_seal_plain(w, way, peer, v, i, end - i, s);
		else
			i += frames_seal_more(w, way, peer, v, i, end - i, s);
	} while (i < end && i != last);
	return (uint16_t)(i - at);
}

/* Those that no number is left for never were: seal_ready has seen that there are. But nothing leaves in the clear. */
static __rte_noinline void seals_burst(struct worker *w, struct seals *s)
{
	esp_encrypt(w->esp_engine, s->p, s->n_burst);
	for (uint16_t i = 0; i < s->n_burst; i++) {
		assert(s->p[i].status == ESP_OK);
		if (s->p[i].status == ESP_OK)
			continue;
		sess_ctr_of(w->dp, s->of[i].sid)->tx_discards++;
		dp_drop(w, s->m[s->of[i].at], DP_DROP_ESP_EXPIRED);
		s->m[s->of[i].at] = NULL;
	}
}

/* The n at m without those that have been dropped: how many. */
static __rte_noinline uint16_t seals_left(struct rte_mbuf **m, uint16_t n)
{
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (m[i] != NULL)
			m[k++] = m[i];
	}
	return k;
}

/* They leave not before all are encrypted, as a port's buffer is sent when it is full. */
void dp_seals_send(struct worker *w, struct seals *s)
{
	uint16_t at = 0;

	esp_seal_end(w->esp_engine);
	if (s->n_burst > 0)
		seals_burst(w, s);
	for (uint16_t i = 0; i < s->n_ways; at = s->way[i++].end) {
		const uint16_t port = s->way[i].port;
		uint16_t n = s->way[i].end - at;
		struct vec *b = way_buffer(w, port, n);

		if (s->n_burst > 0)
			n = seals_left(s->m + at, n);
		memcpy(b->v + b->n, s->m + at, n * sizeof(*b->v));
		way_filled(w, port, b, n);
	}
}
