/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: ESP packets, as esp_in, and of usual ones all the way to a port.
 *
 * In: as esp_in, of any SPI of this worker; and usual frames as they came (w->esp_frames), of which only w->esp_pkt
 * says anything. Out and elsewhere: as esp_in; and to a port what up would forward, of messages with nothing
 * optional in transport mode: it has the peer, the ports and the connection at hand in the SA, and nothing is
 * written to the metadata.
 *
 * A packet is deciphered while the keys of a later one come, and forwarded when its session has come: so three packets
 * are at work in one turn of the loop, and what they wait for overlaps. Of a suite that gains from a burst it is as many
 * packets as lib/esp wants together, in place of one.
 */
#include "dataplane/esp_in.h"
#include "dataplane/up.h"

#include <rte_prefetch.h>

#define L2TP_NOT_USUAL                                                                             \
	(L2TP_T | L2TP_L | L2TP_S | L2TP_O |                                                       \
	 L2TP_VER) /* but for version 2 in a data message with nothing optional */
#define UDP_LEN  ((uint32_t)sizeof(struct rte_udp_hdr))
#define PPP_AT   (UDP_LEN + L2TP_DATA_LEAST) /* in a usual message, behind the session id */
#define SA_AHEAD 3 /* packets before its keys that an SA is fetched once more */
#define FINISH_LATE                                                                                \
	3 /* packets after which what was decrypted is forwarded: its session has come then */

void dp_frame_esp(struct worker *w, struct rte_mbuf *m, const uint8_t *esp)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct pkt_meta *meta = pkt_meta(m);
	const uint32_t at = (uint32_t)(esp - p);

	pkt_meta_init(meta);
	meta->in_if = w->dp->ports[m->port].vlan_if[0];
	meta->l2_len = AT_IP;
	meta->flags = at == AT_UDP ? 0 : PKT_ENCAP;
	_mm_storeu_si128((xmm_t *)(void *)&meta->src, l2tp_ends(p));
	meta->sa = NULL;
	pkt_cut(m, (int)at, get_be16(p + AT_LENGTH) + (uint32_t)AT_IP - at);
}

/* A vector, or what is left of one. */
struct burst {
	struct up_run run;
	struct esp_pkt *pkt; /* of w->esp_pkt */
	struct rte_mbuf **v;
	uint64_t frames; /* bits of usual frames */
	uint64_t opens; /* bits of packets of SAs that esp_open is for */
	uint32_t n;
	struct rte_mbuf **left; /* behind those for the next stage, which take places of v */
};

/* n: 1 or more. */
static inline uint64_t first_bits(uint32_t n)
{
	return ~0ull >> (64 - n);
}

/* As classify does it for frames. */
static __rte_noinline void pkts_make(const struct burst *b)
{
	for (uint64_t set = first_bits(b->n) & ~b->frames; set != 0; set &= set - 1) {
		const int i = __builtin_ctzll(set);
		struct esp_pkt *p = &b->pkt[i];

		assert(b->v[i]->nb_segs == 1);
		p->data = rte_pktmbuf_mtod(b->v[i], uint8_t *);
		p->len = b->v[i]->data_len;
		p->mark = pkt_meta(b->v[i])->flags & PKT_ENCAP;
	}
}

/* Those whose bits are in gone are no more. */
static __rte_noinline void close_up(struct burst *b, uint64_t gone)
{
	const uint64_t frames = b->frames;
	uint32_t k = 0;

	b->frames = 0;
	for (uint64_t set = first_bits(b->n) & ~gone; set != 0; set &= set - 1) {
		const int i = __builtin_ctzll(set);

		b->frames |= (frames >> i & 1) << k;
		b->pkt[k] = b->pkt[i];
		b->v[k++] = b->v[i];
	}
	b->n = k;
}

/* Has no SA: held or dropped. */
static __rte_noinline void no_sa(struct worker *w, const struct burst *b, uint32_t i)
{
	struct rte_mbuf *m = b->v[i];
	const uint8_t *esp = b->pkt[i].data;
	const uint32_t spi = get_be32(esp);

	if (dp_esp_slot(w, m, spi) == NULL)
		return;
	if (b->frames >> i & 1)
		dp_frame_esp(w, m, esp);
	dp_esp_hold(w, m, spi);
}

/* What has an SA. classify has fetched the slots: now memory works on all SAs at once. */
static inline void find_all(struct worker *w, struct burst *b)
{
	const struct spi_slot *slots = w->dp->spi;
	const uint32_t n = b->n;
	struct esp_pkt *p = b->pkt;
	uint64_t gone = 0;

	if (unlikely(b->frames != first_bits(n)))
		pkts_make(b);
	for (uint32_t i = 0; i < n; i++, p++) {
		const uint32_t spi = get_be32(p->data);
		const struct spi_slot *slot = &slots[spi_slot(spi)];
		struct sa *sa = slot->sa;

		if (unlikely(__atomic_load_n(&slot->spi, __ATOMIC_ACQUIRE) != spi || sa == NULL)) {
			no_sa(w, b, i);
			gone |= 1ull << i;
			continue;
		}
		sa_prefetch(sa);
		p->sa = esp_of(sa);
	}
	if (unlikely(gone != 0))
		close_up(b, gone);
}

/* What may be decrypted. */
static inline void gather_all(struct worker *w, struct burst *b)
{
	uint64_t gone = 0, opens = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct esp_pkt *p = &b->pkt[i];
		struct sa *sa = sa_by_esp(p->sa);

		if (unlikely(p->mark != sa->takes)) {
			dp_esp_refuse(w, b->v[i], sa);
			gone |= 1ull << i;
		}
		opens |= (uint64_t)(sa->in.opens == ESP_OPENS_ALONE) << i;
	}
	b->opens = opens;
	if (gone == 0)
		return;
	close_up(b, gone);
	b->opens = 0;
	for (uint32_t i = 0; i < b->n; i++)
		b->opens |= (uint64_t)(sa_by_esp(b->pkt[i].sa)->in.opens == ESP_OPENS_ALONE) << i;
}

static inline uint64_t frame_from(const uint8_t *frame)
{
	return (uint64_t)get_be32(frame + AT_SRC) << 16 | get_be16(frame + AT_UDP);
}

/* Where packet i came from, if it came in UDP. */
static inline uint64_t from_of(const struct burst *b, uint32_t i)
{
	if (b->pkt[i].mark == 0)
		return 0;
	return b->frames >> i & 1 ? frame_from(rte_pktmbuf_mtod(b->v[i], const uint8_t *))
	                          : esp_meta_from(pkt_meta(b->v[i]));
}

/* What opened says in one word: the packet is authentic, and UDP is in it. */
#define OPENED_UDP (IPPROTO_UDP | ESP_OK << 8)

static inline uint32_t opened(const struct esp_pkt *p)
{
	uint32_t word;

	static_assert(offsetof(struct esp_pkt, next_header) == offsetof(struct esp_pkt, len) + 2 &&
	                      offsetof(struct esp_pkt, status) == offsetof(struct esp_pkt, len) + 3,
	              "a word, with the length in its lower half");
	memcpy(&word, &p->len, sizeof(word));
	return word;
}

/*
 * A message between the child's own ports, for a session of this worker to which it is bound, with no latch
 * fired, in transport mode: forwards it. False, and nothing has happened, when it is not usual; quick: up_packet's.
 */
static __rte_always_inline bool inner_usual(struct worker *w, struct up_run *up, struct up_train *r,
                                            struct rte_mbuf *m, const struct sa *sa,
                                            const struct esp_pkt *p, bool quick)
{
	const xmm_t order =
	        _mm_setr_epi8(1, 0, 3, 2, 11, 10, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const xmm_t open = _mm_setr_epi32(0, 0, 0, UP_OPEN << 16);
	const xmm_t all = _mm_setr_epi32(-1, -1, -1, (int)(0xffffu | UP_OPEN << 16));
	const uint32_t word = opened(p), len = word & 0xffff;
	uint8_t *udp = p->data, *ip = udp + PPP_AT + 2;
	const struct dp *dp = w->dp;
	uint32_t ports, sid;
	struct sess_rx *s;
	xmm_t ends;

	if (unlikely(word >> 16 != OPENED_UDP || len < UDP_LEN + UP_LEAST || sa->tunnel_mode))
		return false;
	memcpy(&ports, udp, sizeof(ports));
	sid = get_be32(udp + PPP_AT - 2) >> 16;
	if (unlikely(!esp_ports_match(sa, ports) || get_be32(udp + 4) >> 16 != len ||
	             (up_word(udp + UDP_LEN) & RTE_BE16(L2TP_NOT_USUAL)) != RTE_BE16(2) ||
	             dp_child_fired(dp, sa->in.child) || !dp_mine(w, sid) ||
	             (up->behind != 0 && (up->behind >> (sid & 63) & 1) != 0)))
		return false;
	s = &r->rx[sid];
	ends = _mm_shuffle_epi8(_mm_loadu_si128((const xmm_t *)(const void *)udp), order);
	ends = _mm_unpacklo_epi64(_mm_loadl_epi64((const xmm_t *)(const void *)&sa->in.peer_ip),
	                          ends);
	ends = _mm_xor_si128(_mm_or_si128(ends, open),
	                     _mm_load_si128((const xmm_t *)(const void *)s));
	if (up_word(udp + PPP_AT) == PPP_FF03)
		ip += 2;
	return likely(_mm_testz_si128(ends, all) && s->conn == sa->in.conn &&
	              up_word(ip - 2) == PPP_IP4) &&
	       up_packet(w, up, r, m, ip, (int32_t)len - (int32_t)(ip - udp), s, quick);
}

/* Decrypted packet i, whatever it is: what is left of it is for the next stage. */
static __rte_noinline void finish_any(struct worker *w, struct burst *b, struct up_train *r,
                                      uint32_t i)
{
	const struct esp_pkt *p = &b->pkt[i];
	struct sa *sa = sa_by_esp(p->sa);
	struct rte_mbuf *m = b->v[i];
	enum dp_drop bad = dp_esp_account(w, sa, p, from_of(b, i));

	if (unlikely(bad != DP_DROP_NONE)) {
		dp_drop(w, m, bad);
		return;
	}
	if (inner_usual(w, &b->run, r, m, sa, p, false))
		return;
	if (b->frames >> i & 1)
		dp_frame_esp(w, m,
		             rte_pktmbuf_mtod_offset(m, const uint8_t *,
		                                     p->mark != 0 ? AT_L2TP : AT_UDP));
	outbox_close(w, &b->run.way, &r->out);
	m = dp_esp_inner(w, m, sa, p);
	r->out = outbox_open(w, &b->run.way);
	if (m == NULL)
		return;
	b->run.behind |= up_session(rte_pktmbuf_mtod(m, const uint8_t *));
	*b->left++ = m;
}

/* The peer is where control knows it to be: nothing comes of what a packet's source says. */
static __rte_noinline bool at_home(const struct burst *b, uint32_t i, const struct sa *sa)
{
	const struct sa_cold *c = sa_cold(sa);

	return c->mapping == 0 && from_of(b, i) == c->home;
}

/* Decrypted packet p, in *v: usual, and of an SA that is far from its limits, or any. */
static __rte_always_inline void finish(struct worker *w, struct burst *b, struct up_train *r,
                                       const struct esp_pkt *p, struct rte_mbuf **v)
{
	struct sa *sa = sa_by_esp(p->sa);
	const uint32_t len = p->len;

	/* What is soft for no number of 32 bits is soft for none. */
	if (unlikely(sa->credit == 0 || esp_sa_seq(p->sa) >= SA_SEQ_SOFT ||
	             (sa->takes != 0 && !at_home(b, (uint32_t)(v - b->v), sa)) ||
	             !inner_usual(w, &b->run, r, *v, sa, p, true))) {
		finish_any(w, b, r, (uint32_t)(v - b->v));
		return;
	}
	/* Packets and bytes apart, or the compiler adds both as a vector, slowly. */
	sa->packets++;
	sa->last = w->now;
	sa->credit--;
	sa->bytes += len;
}

/* The line of its session, if it is usual. */
static inline void session_ahead(const struct sess_rx *rx, const struct esp_pkt *p)
{
	if (likely(p->status == ESP_OK && p->len >= PPP_AT))
		rte_prefetch0(&rx[get_be16(p->data + PPP_AT - 2)]);
}

/* Where a packet in UDP should come from, which at_home compares; the first lines of its SA are there. */
static inline void home_ahead(const struct esp_pkt *p)
{
	if (p->mark != 0)
		rte_prefetch0(sa_cold(sa_by_esp(p->sa)));
}

/* What a packet needs until it is decrypted, and its source. */
static inline void open_ahead(const struct esp_pkt *p)
{
	esp_open_ahead(p);
	home_ahead(p);
}

/* Behind a burst, which has pushed the lines of p's SA out of the nearest cache. */
static inline void burst_ahead(const struct sess_rx *rx, const struct esp_pkt *p)
{
	sa_prefetch(sa_by_esp(p->sa));
	home_ahead(p);
	session_ahead(rx, p);
}

/* Packet p is one to be opened in that way, and its SA takes it. */
static inline bool opens_so(const struct esp_pkt *p, uint8_t opens)
{
	const struct sa *sa = sa_by_esp(p->sa);

	return likely(p->mark == sa->takes && sa->in.opens == opens);
}

/* The first packets, up to one that has to be looked at more closely: how many. */
static __rte_noinline uint32_t open_first(struct worker *w, struct burst *b)
{
	struct up_train r = up_train(w, &b->run);
	struct esp_pkt *p = b->pkt, *end = p + b->n, *ahead = p;
	const struct esp_pkt *const late = p + FINISH_LATE;
	const struct esp_pkt *const first = p + esp_keys_ahead(w->esp_engine);
	struct rte_mbuf **v = b->v;

	while (ahead < end && ahead < first) {
		if (opens_so(ahead, ESP_OPENS_ALONE))
			open_ahead(ahead++);
		else
			end = ahead;
	}
	for (; p < end + FINISH_LATE; p++) {
		if (ahead < end) {
			if (opens_so(ahead, ESP_OPENS_ALONE))
				open_ahead(ahead++);
			else
				end = ahead;
		}
		if (p < end) {
			/* Of find_all's many lines a CPU forgets some. */
			if (ahead + SA_AHEAD <= end)
				sa_prefetch(sa_by_esp(ahead[SA_AHEAD - 1].sa));
			esp_open(w->esp_engine, p);
			session_ahead(r.rx, p);
		}
		if (p >= late)
			finish(w, b, &r, p - FINISH_LATE, v++);
	}
	outbox_close(w, &b->run.way, &r.out);
	return (uint32_t)(end - b->pkt);
}

/*
 * As open_first, with those that gain from a burst: a few at a time, while the keys of the next few come, which are
 * asked for by halves, in between what is forwarded and halfway through the burst. What memory is asked for beyond
 * what a CPU has room for is forgotten.
 */
static __rte_noinline uint32_t open_joined(struct worker *w, struct burst *b)
{
	const uint8_t opens = sa_by_esp(b->pkt->sa)->in.opens;
	const uint32_t n = esp_open_together(w->esp_engine, b->pkt), half = n / 2;
	struct esp_pkt *p = b->pkt, *const end = p + b->n, *ahead = p, *done = p;
	const struct esp_pkt *late = p;
	struct up_train r = up_train(w, &b->run);
	struct rte_mbuf **v = b->v;

	for (; ahead < end && ahead < p + n && opens_so(ahead, opens); ahead++)
		open_ahead(ahead);
	while (p < ahead) {
		struct esp_pkt *const group = p;
		const struct esp_pkt *later;

		p = ahead;
		for (uint32_t i = 0; i < n; i++) {
			if (ahead < end && opens_so(ahead, opens)) {
				/* Of find_all's many lines a CPU forgets some. */
				if (ahead + n < end)
					sa_prefetch(sa_by_esp(ahead[n].sa));
				if (i < half)
					esp_open_ahead(ahead);
				home_ahead(ahead);
				ahead++;
			}
			if (done < late)
				finish(w, b, &r, done++, v++);
		}
		later = RTE_MIN(ahead, p + half);
		for (struct esp_pkt *q = group; q < p; q++)
			esp_open_join(w->esp_engine, q);
		esp_open_joined(w->esp_engine, later, (uint32_t)(ahead - later));
		for (const struct esp_pkt *q = group; q < p; q++)
			session_ahead(r.rx, q);
		late = group;
	}
	while (done < p)
		finish(w, b, &r, done++, v++);
	outbox_close(w, &b->run.way, &r.out);
	return (uint32_t)(p - b->pkt);
}

static inline void keys_ahead(const struct burst *b, uint32_t i)
{
	if (i < b->n && (b->opens >> i & 1) != 0)
		open_ahead(&b->pkt[i]);
}

/* Those that gain from a burst. */
static void decrypt_others(struct worker *w, const struct burst *b)
{
	uint64_t set = first_bits(b->n) & ~b->opens;

	if (set == 0)
		return;
	esp_decrypt_set(w->esp_engine, b->pkt, set);
	for (; set != 0; set &= set - 1)
		burst_ahead(w->dp->rx, &b->pkt[__builtin_ctzll(set)]);
}

/* All of them, whatever their SAs. */
static __rte_noinline void open_all(struct worker *w, struct burst *b)
{
	const uint32_t keys = esp_keys_ahead(w->esp_engine);
	struct up_train r;

	gather_all(w, b);
	if (b->n == 0)
		return;
	decrypt_others(w, b);
	r = up_train(w, &b->run);
	for (uint32_t i = 0; i < keys; i++)
		keys_ahead(b, i);
	for (uint32_t i = 0; i < b->n + FINISH_LATE; i++) {
		keys_ahead(b, i + keys);
		if (i < b->n && (b->opens >> i & 1) != 0) {
			esp_open(w->esp_engine, &b->pkt[i]);
			session_ahead(r.rx, &b->pkt[i]);
		}
		if (i >= FINISH_LATE)
			finish(w, b, &r, &b->pkt[i - FINISH_LATE], &b->v[i - FINISH_LATE]);
	}
	outbox_close(w, &b->run.way, &r.out);
}

uint16_t dp_esp_usual(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct burst b = {.run = {.way = WAY_NONE},
	                  .pkt = w->esp_pkt,
	                  .v = v,
	                  .frames = w->esp_frames,
	                  .n = n,
	                  .left = v};
	uint32_t done;

	w->esp_frames = 0;
	if (n == 0)
		return 0;
	find_all(w, &b);
	if (b.n == 0)
		return 0;
	done = sa_by_esp(b.pkt->sa)->in.opens < ESP_OPENS_JOINED ? open_first(w, &b)
	                                                         : open_joined(w, &b);
	if (done < b.n) {
		b.pkt += done;
		b.v += done;
		b.frames >>= done;
		b.n -= done;
		open_all(w, &b);
	}
	return (uint16_t)(b.left - v);
}
