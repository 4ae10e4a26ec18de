/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stages: ESP packets (RFC 4303), from their IP or UDP header (RFC 3948) to L2TP.
 *
 * In, esp_in: at the ESP header, cut to the outer length, of an SPI of this worker; outer addresses in the
 * metadata. esp_usual: the same, and usual frames as they came (w->esp_frames), of which only w->esp_came says
 * anything. Out: L2TP data messages at the L2TP header, as classify gives them, with the inner addresses and the
 * connection in the metadata. Elsewhere: L2TP control messages to control; and from esp_usual to a port what up
 * would forward, of messages with nothing optional in transport mode: it has the peer, the ports and the
 * connection at hand in the SA, and nothing is written to the metadata.
 *
 * The UDP checksum is not looked at: the ICV covers the message, and NAT makes it wrong (RFC 3948 3.1.2).
 */
#include "dataplane/up.h"

#include <rte_prefetch.h>

static_assert(VEC_MAX <= ESP_BURST_MAX, "a vector is one burst");

#define L2TP_NOT_USUAL                                                                             \
	(L2TP_T | L2TP_L | L2TP_S | L2TP_O |                                                       \
	 L2TP_VER) /* but for version 2 in a data message with nothing optional */
#define L2TP_TID   4 /* offset of the tunnel id in a control message (RFC 2661 3.1) */
#define UDP_LEN    ((uint32_t)sizeof(struct rte_udp_hdr))
#define SID_END    (UDP_LEN + L2TP_DATA_LEAST) /* the session id of a usual message ends there */
#define NEXT_IPV4  4 /* next header of tunnel mode: IPv4 in IP */
#define KEYS_AHEAD 3 /* packets for which keys are fetched in time */
#define FINISH_LATE                                                                                \
	3 /* packets after which what was decrypted is forwarded: its session has come then */

/* ---- before ---- */

/* What the SA does not take: it is past a limit, or in the other form than IKE has found out. */
static __rte_noinline void refuse(struct worker *w, struct rte_mbuf *m, struct sa *sa)
{
	if (sa->dead) {
		dp_drop(w, m, DP_DROP_ESP_EXPIRED);
		return;
	}
	sa->selector_errors++;
	dp_drop(w, m, DP_DROP_ESP_SELECTOR);
}

/* ---- what the packet says of the SA ---- */

/* The peer's NAT has given it another address or port: control decides (RFC 3948, RFC 7296 2.23). */
static void mapping(struct worker *w, struct sa *sa, uint64_t from)
{
	if (likely(from == ((uint64_t)sa->outer.peer_ip << 16 | sa->outer.peer_port)))
		from = 0;
	if (unlikely(sa->mapping != from))
		dp_sa_moved(w, sa, from);
}

/* Where a packet in UDP came from: ip << 16 | port. */
static inline uint64_t meta_from(const struct pkt_meta *meta)
{
	return (uint64_t)meta->src << 16 | meta->sport;
}

static inline uint64_t frame_from(const uint8_t *frame)
{
	return (uint64_t)get_be32(frame + AT_SRC) << 16 | get_be16(frame + AT_UDP);
}

/* An authenticated packet, when a limit may be near or it is the first one. */
static __rte_noinline enum dp_drop account_watched(struct worker *w, struct sa *sa,
                                                   const struct esp_pkt *p, uint64_t from)
{
	const struct sa_limits *l = sa_limits(sa);

	/* An earlier one of the same burst may have been the last. */
	if (unlikely(sa->dead))
		return DP_DROP_ESP_EXPIRED;
	if (unlikely(sa->packets >= l->hard_packets || sa->bytes + p->len > l->hard_bytes)) {
		sa->dead = 1;
		dp_sa_watch(sa);
		dp_sa_event_once(w, sa, DP_SA_HARD);
		return DP_DROP_ESP_EXPIRED;
	}
	if (unlikely((sa->said & 1u << DP_SA_FIRST) == 0))
		dp_sa_first(w, sa);
	if (sa->outer.encap && p->newest)
		mapping(w, sa, from);
	sa->packets++;
	sa->bytes += p->len;
	sa->last = w->now;
	if (unlikely(sa->packets >= l->soft_packets || sa->bytes >= l->soft_bytes ||
	             esp_sa_seq(p->sa) >= sa->soft_seq))
		dp_sa_event_once(w, sa, DP_SA_SOFT);
	dp_sa_watch(sa);
	return DP_DROP_NONE;
}

/* An authenticated packet. */
static inline enum dp_drop account(struct worker *w, struct sa *sa, const struct esp_pkt *p,
                                   uint64_t from)
{
	/* What is not soft for a number of 32 bits is for none. */
	if (unlikely(sa->credit == 0 || esp_sa_seq(p->sa) >= SA_SEQ_SOFT))
		return account_watched(w, sa, p, from);
	sa->credit--;
	sa->packets++;
	sa->bytes += p->len;
	sa->last = w->now;
	if (unlikely(sa->takes != 0) && p->newest)
		mapping(w, sa, from);
	return DP_DROP_NONE;
}

/* Not ESP_OK. */
static __rte_noinline enum dp_drop failed(struct worker *w, struct sa *sa, const struct esp_pkt *p,
                                          uint64_t from)
{
	enum dp_drop bad;

	switch (p->status) {
	case ESP_DUMMY:
		bad = account(w, sa, p, from);
		return bad != DP_DROP_NONE ? bad : DP_DROP_ESP_DUMMY;
	case ESP_REPLAY:
		sa->replays++;
		return DP_DROP_ESP_REPLAY;
	case ESP_AUTH:
		sa->auth_errors++;
		return DP_DROP_ESP_AUTH;
	case ESP_PAD:
		sa->pad_errors++;
		return DP_DROP_ESP_PAD;
	default:
		return DP_DROP_ESP_SHORT;
	}
}

/* ---- what is in it ---- */

/* Tunnel mode: takes the inner IPv4 header off. False when it is not the child's. */
static bool inner_ip4(struct rte_mbuf *m, const struct sa *sa)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	uint16_t total;

	if (ip4_check(ip, m->data_len, false) != DP_DROP_NONE || ip4_is_fragment(ip) ||
	    ip->next_proto_id != IPPROTO_UDP || rte_be_to_cpu_32(ip->src_addr) != sa->in.peer_ip ||
	    rte_be_to_cpu_32(ip->dst_addr) != sa->in.local_ip)
		return false;
	total = rte_be_to_cpu_16(ip->total_length);
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - total));
	rte_pktmbuf_adj(m, ip4_hdr_len(ip));
	return true;
}

/* True when both ports, as in a UDP header, are the child's. */
static inline bool ports_match(const struct sa *sa, uint32_t ports)
{
	return ((ports ^ sa->in.ports) & sa->in.ports_mask) == 0;
}

/* Metadata of what has come through sa, with these ports. */
static inline void meta_fill(struct pkt_meta *meta, const struct sa *sa, uint32_t ports)
{
	static_assert(offsetof(struct pkt_meta, dst) - offsetof(struct pkt_meta, src) == 4 &&
	                      offsetof(struct sa, in.local_ip) - offsetof(struct sa, in.peer_ip) ==
	                              4,
	              "both addresses are copied in one piece");
	memcpy(&meta->src, &sa->in.peer_ip, 8);
	meta->sport = rte_be_to_cpu_16((uint16_t)ports);
	meta->dport = rte_be_to_cpu_16((uint16_t)(ports >> 16));
	meta->conn = sa->in.conn;
	meta->in_child = sa->in.child;
}

/* The UDP length, when header and ports are the child's; else 0. */
static inline uint16_t inner_udp(struct rte_mbuf *m, const struct sa *sa)
{
	struct rte_udp_hdr *u = rte_pktmbuf_mtod(m, struct rte_udp_hdr *);
	uint32_t ports;
	uint16_t len;

	if (unlikely(m->data_len < sizeof(*u)))
		return 0;
	len = rte_be_to_cpu_16(u->dgram_len);
	memcpy(&ports, u, sizeof(ports));
	if (unlikely(len < sizeof(*u) || len > m->data_len || !ports_match(sa, ports)))
		return 0;
	meta_fill(pkt_meta(m), sa, ports);
	u->dgram_cksum = 0; /* what comes later does not look at it, as if there were none */
	return len;
}

/*
 * E32: of a connection that has fired only the control messages of its own tunnel come through. p is
 * at the L2TP header, len bytes are there.
 */
static bool passes_latch(const struct dp *dp, const struct sa *sa, const uint8_t *p, uint16_t len)
{
	const struct tunnel *t;
	uint16_t tid;

	if (len < L2TP_TID + 2 || (get_be16(p) & L2TP_T) == 0)
		return false;
	tid = get_be16(p + L2TP_TID);
	t = &dp->tunnels[tid];
	return tid != 0 && __atomic_load_n(&t->known, __ATOMIC_ACQUIRE) != 0 &&
	       __atomic_load_n(&t->conn, __ATOMIC_RELAXED) == sa->in.conn;
}

/* Decrypted, whatever it is. Returns it when it is a data message for the next stage. */
static __rte_noinline struct rte_mbuf *inner_any(struct worker *w, struct rte_mbuf *m,
                                                 struct sa *sa, const struct esp_pkt *p)
{
	uint16_t len = 0;

	m->data_off = (uint16_t)(p->data - (uint8_t *)m->buf_addr);
	m->data_len = p->len;
	m->pkt_len = p->len;
	if (likely(sa->tunnel_mode ? p->next_header == NEXT_IPV4 && inner_ip4(m, sa)
	                           : p->next_header == IPPROTO_UDP))
		len = inner_udp(m, sa);
	if (unlikely(len == 0)) {
		sa->selector_errors++;
		dp_drop(w, m, DP_DROP_ESP_SELECTOR);
		return NULL;
	}
	len -= (uint16_t)sizeof(struct rte_udp_hdr);
	if (unlikely(dp_child_fired(w->dp, sa->child)) &&
	    !passes_latch(w->dp, sa,
	                  rte_pktmbuf_mtod_offset(m, const uint8_t *, sizeof(struct rte_udp_hdr)),
	                  len)) {
		sa->latched++;
		dp_drop(w, m, DP_DROP_SS_FIRED);
		return NULL;
	}
	return dp_l2tp_message(w, m, sizeof(struct rte_udp_hdr), len);
}

/* A packet that has been through decryption, whatever came of it. */
static inline enum dp_drop account_any(struct worker *w, struct sa *sa, const struct esp_pkt *p,
                                       uint64_t from)
{
	return likely(p->status == ESP_OK) ? account(w, sa, p, from) : failed(w, sa, p, from);
}

/* ---- esp_in ---- */

/*
 * By its SPI alone (RFC 4301 4.1), which is this worker's; with an SA that is not there yet. NULL: dropped.
 */
static inline const struct spi_slot *slot_of(struct worker *w, struct rte_mbuf *m, uint32_t spi)
{
	const struct spi_slot *slot = &w->dp->spi[spi_slot(spi)];

	if (likely(spi >= SPI_MIN && __atomic_load_n(&slot->spi, __ATOMIC_ACQUIRE) == spi))
		return slot;
	dp_drop(w, m, DP_DROP_ESP_UNKNOWN_SPI);
	return NULL;
}

/* NULL: held or dropped. Packets that were held have their SA already. */
static struct sa *find(struct worker *w, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct spi_slot *slot;
	uint32_t spi;

	if (meta->sa != NULL)
		return meta->sa;
	spi = get_be32(rte_pktmbuf_mtod(m, const uint8_t *));
	slot = slot_of(w, m, spi);
	if (slot == NULL)
		return NULL;
	if (slot->sa == NULL)
		dp_esp_hold(w, m, spi);
	return slot->sa;
}

/* What may be decrypted, in p and compacted in v. */
static uint16_t gather(struct worker *w, struct rte_mbuf **v, uint16_t n, struct esp_pkt *p)
{
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];
		struct sa *sa = find(w, m);

		assert(m->nb_segs == 1);
		if (sa == NULL)
			continue;
		if ((pkt_meta(m)->flags & PKT_ENCAP) != sa->takes) {
			refuse(w, m, sa);
			continue;
		}
		p[k].sa = esp_of(sa);
		p[k].data = rte_pktmbuf_mtod(m, uint8_t *);
		p[k].len = m->data_len;
		v[k++] = m;
	}
	return k;
}

uint16_t dp_esp_in(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct esp_pkt p[VEC_MAX];
	uint16_t left = 0;

	n = gather(w, v, n, p);
	esp_decrypt(w->esp_engine, p, n);
	for (uint16_t i = 0; i < n; i++) {
		struct sa *sa = sa_by_esp(p[i].sa);
		struct rte_mbuf *m = v[i];
		enum dp_drop bad = account_any(w, sa, &p[i], meta_from(pkt_meta(m)));

		if (bad != DP_DROP_NONE)
			dp_drop(w, m, bad);
		else if ((m = inner_any(w, m, sa, &p[i])) != NULL)
			v[left++] = m;
	}
	return left;
}

/* ---- esp_usual ---- */

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

/* A vector, whose packets stand in w->esp_pkt. */
struct burst {
	struct up_run run;
	struct rte_mbuf **v;
	uint64_t frames; /* bits of usual frames */
	uint64_t opens; /* bits of packets of SAs that esp_open is for */
	uint32_t n;
};

static inline uint64_t first_bits(uint32_t n)
{
	return ~0ull >> (64 - n);
}

/* As classify does it for frames. */
static __rte_noinline void pkts_make(struct worker *w, const struct burst *b)
{
	for (uint64_t set = first_bits(b->n) & ~b->frames; set != 0; set &= set - 1) {
		const int i = __builtin_ctzll(set);
		struct esp_pkt *p = &w->esp_pkt[i];

		p->data = rte_pktmbuf_mtod(b->v[i], uint8_t *);
		p->len = b->v[i]->data_len;
		p->mark = pkt_meta(b->v[i])->flags & PKT_ENCAP;
	}
}

/* Those whose bits are in gone are no more. */
static __rte_noinline void close_up(struct worker *w, struct burst *b, uint64_t gone)
{
	const uint64_t frames = b->frames;
	uint32_t k = 0;

	b->frames = 0;
	for (uint64_t set = first_bits(b->n) & ~gone; set != 0; set &= set - 1) {
		const int i = __builtin_ctzll(set);

		b->frames |= (frames >> i & 1) << k;
		w->esp_pkt[k] = w->esp_pkt[i];
		b->v[k++] = b->v[i];
	}
	b->n = k;
}

/* Has no SA: held or dropped. */
static __rte_noinline void no_sa(struct worker *w, const struct burst *b, uint32_t i)
{
	struct rte_mbuf *m = b->v[i];
	const uint8_t *esp = w->esp_pkt[i].data;
	const uint32_t spi = get_be32(esp);

	if (slot_of(w, m, spi) == NULL)
		return;
	if (b->frames >> i & 1)
		dp_frame_esp(w, m, esp);
	dp_esp_hold(w, m, spi);
}

/* What has an SA. classify has fetched the slots: now memory works on all SAs at once. */
static inline void find_all(struct worker *w, struct burst *b)
{
	const struct spi_slot *slots = w->dp->spi;
	uint64_t gone = 0;

	if (unlikely(b->frames != first_bits(b->n)))
		pkts_make(w, b);
	for (uint32_t i = 0; i < b->n; i++) {
		struct esp_pkt *p = &w->esp_pkt[i];
		const uint32_t spi = get_be32(p->data);
		const struct spi_slot *slot = &slots[spi_slot(spi)];
		struct sa *sa = slot->sa;

		assert(b->v[i]->nb_segs == 1);
		if (unlikely(__atomic_load_n(&slot->spi, __ATOMIC_ACQUIRE) != spi || sa == NULL)) {
			no_sa(w, b, i);
			gone |= 1ull << i;
			continue;
		}
		sa_prefetch(sa);
		if (p->mark != 0)
			rte_prefetch0(&sa->outer);
		p->sa = esp_of(sa);
	}
	if (unlikely(gone != 0))
		close_up(w, b, gone);
}

/* What may be decrypted. */
static inline void gather_all(struct worker *w, struct burst *b)
{
	uint64_t gone = 0, opens = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct esp_pkt *p = &w->esp_pkt[i];
		struct sa *sa = sa_by_esp(p->sa);

		if (unlikely(p->mark != sa->takes)) {
			refuse(w, b->v[i], sa);
			gone |= 1ull << i;
		}
		opens |= (uint64_t)sa->in.opens << i;
	}
	b->opens = opens;
	if (likely(gone == 0))
		return;
	close_up(w, b, gone);
	b->opens = 0;
	for (uint32_t i = 0; i < b->n; i++)
		b->opens |= (uint64_t)sa_by_esp(w->esp_pkt[i].sa)->in.opens << i;
}

/*
 * A message between the child's own ports, for a session of this worker to which it is bound, with no latch
 * fired, in transport mode: forwards it. False, and nothing has happened, when it is not usual.
 */
static __rte_always_inline bool inner_usual(struct worker *w, struct burst *b, struct rte_mbuf *m,
                                            const struct sa *sa, const struct esp_pkt *p)
{
	const xmm_t order =
	        _mm_setr_epi8(1, 0, 3, 2, 11, 10, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const xmm_t open = _mm_setr_epi32(0, 0, 0, UP_OPEN << 16);
	const xmm_t all = _mm_setr_epi32(-1, -1, -1, (int)(0xffffu | UP_OPEN << 16));
	const uint32_t len = p->len;
	uint8_t *udp = p->data;
	struct sess_rx *s;
	uint64_t front, back;
	xmm_t ends;
	uint16_t sid;

	memcpy(&front, udp, 8);
	memcpy(&back, udp + 8, 8);
	sid = rte_bswap16((uint16_t)(back >> 32));
	if (unlikely((((uint32_t)front ^ sa->in.ports) & sa->in.ports_mask) != 0 ||
	             rte_bswap16((uint16_t)(front >> 32)) != len ||
	             ((uint16_t)back & RTE_BE16(L2TP_NOT_USUAL)) != RTE_BE16(2) ||
	             dp_child_fired(w->dp, sa->in.child) || dp_owner(w->dp, sid) != w->id ||
	             (b->run.behind >> (sid & 63) & 1) != 0))
		return false;
	s = &w->dp->rx[sid];
	ends = _mm_shuffle_epi8(_mm_loadu_si128((const xmm_t *)(const void *)udp), order);
	ends = _mm_unpacklo_epi64(_mm_loadl_epi64((const xmm_t *)(const void *)&sa->in.peer_ip),
	                          ends);
	ends = _mm_xor_si128(_mm_or_si128(ends, open),
	                     _mm_load_si128((const xmm_t *)(const void *)s));
	return likely(_mm_testz_si128(ends, all) && s->conn == sa->in.conn) &&
	       up_forward(w, &b->run, m, udp + UDP_LEN, L2TP_DATA_LEAST, len - UDP_LEN, s);
}

/* Decrypted packet i. Returns what is left for the next stage, or NULL. */
static __rte_always_inline struct rte_mbuf *finish(struct worker *w, struct burst *b, uint32_t i)
{
	const struct esp_pkt *p = &w->esp_pkt[i];
	struct sa *sa = sa_by_esp(p->sa);
	const bool frame = b->frames >> i & 1;
	struct rte_mbuf *m = b->v[i];
	uint64_t from = 0;
	enum dp_drop bad;

	if (p->mark != 0)
		from = likely(frame) ? frame_from(rte_pktmbuf_mtod(m, const uint8_t *))
		                     : meta_from(pkt_meta(m));
	bad = account_any(w, sa, p, from);
	if (unlikely(bad != DP_DROP_NONE)) {
		dp_drop(w, m, bad);
		return NULL;
	}
	if (likely(!sa->tunnel_mode && p->next_header == IPPROTO_UDP &&
	           p->len >= UDP_LEN + UP_LEAST && inner_usual(w, b, m, sa, p)))
		return NULL;
	if (frame)
		dp_frame_esp(w, m,
		             rte_pktmbuf_mtod_offset(m, const uint8_t *,
		                                     p->mark != 0 ? AT_L2TP : AT_UDP));
	m = inner_any(w, m, sa, p);
	if (m != NULL)
		b->run.behind |= up_session(rte_pktmbuf_mtod(m, const uint8_t *));
	return m;
}

/* The line of its session, if it is usual. */
static inline void session_ahead(const struct worker *w, const struct esp_pkt *p)
{
	if (likely(p->status == ESP_OK && p->len >= SID_END))
		rte_prefetch0(&w->dp->rx[get_be16(p->data + SID_END - 2)]);
}

static inline void keys_ahead(const struct worker *w, const struct burst *b, uint32_t i)
{
	if (i < b->n && (b->opens >> i & 1) != 0)
		esp_open_ahead(&w->esp_pkt[i]);
}

/* Those that gain from a burst. They have pushed their SAs' lines out of the nearest cache. */
static void decrypt_others(struct worker *w, const struct burst *b)
{
	uint64_t set = first_bits(b->n) & ~b->opens;

	if (set == 0)
		return;
	esp_decrypt_set(w->esp_engine, w->esp_pkt, set);
	for (; set != 0; set &= set - 1) {
		const struct esp_pkt *p = &w->esp_pkt[__builtin_ctzll(set)];

		sa_prefetch(sa_by_esp(p->sa));
		session_ahead(w, p);
	}
}

uint16_t dp_esp_usual(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct burst b = {.run = {.way = WAY_NONE}, .v = v, .frames = w->esp_frames, .n = n};
	uint16_t left = 0;

	w->esp_frames = 0;
	if (n == 0)
		return 0;
	find_all(w, &b);
	gather_all(w, &b);
	if (b.n == 0)
		return 0;
	decrypt_others(w, &b);
	for (uint32_t i = 0; i < KEYS_AHEAD; i++)
		keys_ahead(w, &b, i);
	for (uint32_t i = 0; i < b.n + FINISH_LATE; i++) {
		struct rte_mbuf *m;

		keys_ahead(w, &b, i + KEYS_AHEAD);
		if (i < b.n && (b.opens >> i & 1) != 0) {
			esp_open(w->esp_engine, &w->esp_pkt[i]);
			session_ahead(w, &w->esp_pkt[i]);
		}
		if (i < FINISH_LATE)
			continue;
		m = finish(w, &b, i - FINISH_LATE);
		if (m != NULL)
			v[left++] = m;
	}
	return left;
}
